/** The end of a connection that another package holds: told once, and waited for by all that is under way. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Ending } from "../../base/ending.ts";
import { settle } from "../support/support.ts";

function makeEnding() {
  const told: unknown[] = [];
  const ending = new Ending({ closed: (error) => void told.push((error as Error).message) });
  return { ending, told };
}

const connected = (): Promise<void> => Promise.resolve();
const never = new AbortController().signal;

describe("Ending", () => {
  it("tells the first reason, once, and only of a connection that was open", async () => {
    const { ending, told } = makeEnding();
    await ending.open(connected, () => {}, never);
    ending.now(new Error("first"));
    ending.now(new Error("second"));
    assertEquals([told, ending.hasEnded], [["first"], true]);
    const early = makeEnding();
    early.ending.now(new Error("refused"));
    assertEquals(early.told, []);
  });

  it("closes the client once, also after the connection has ended by itself", async () => {
    const { ending } = makeEnding();
    await ending.open(connected, () => {}, never);
    ending.now(undefined);
    let closed = 0;
    await ending.run(() => closed++);
    await ending.run(() => closed++);
    assertEquals(closed, 1);
  });

  it("rejects what waits for an answer when the connection ends, whether the client does or not", async () => {
    const { ending } = makeEnding();
    await ending.open(connected, () => {}, never);
    assertEquals(await ending.guard(Promise.resolve(7)), 7);
    await assertRejects(() => ending.guard(Promise.reject(new Error("own"))), Error, "own");
    const waiting = ending.guard(new Promise(() => {}));
    ending.now(new Error("lost"));
    await assertRejects(() => waiting, Error, "lost");
  });

  it("gives an opening up that hangs, and closes what comes of it later", async () => {
    const { ending } = makeEnding();
    const attempt = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    let closed = 0;
    const opening = ending.open(() => promise, () => void closed++, attempt.signal);
    attempt.abort(new Error("too long"));
    await assertRejects(() => opening, Error, "too long");
    const before = closed;
    resolve();
    await settle();
    assertEquals(closed, before + 1);
  });
});
