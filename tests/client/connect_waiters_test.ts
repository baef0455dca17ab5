import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { TransportError } from "../../base/errors.ts";
import { abortedBy, ConnectWaiters, rejected } from "../../client/connect_waiters.ts";
import { settle } from "../support/support.ts";

const MINE = new TransportError("ERR_ABORTED", "mine");

describe("ConnectWaiters", () => {
  it("give callers without a signal one promise, and others their own", async () => {
    const waiters = new ConnectWaiters(() => false);
    const { signal } = new AbortController();
    const all = [waiters.add(undefined), waiters.add(undefined), waiters.add(signal), waiters.add(signal)];
    assertEquals([new Set(all).size, waiters.count], [3, 3]);
    waiters.resolve();
    await Promise.all(all);
    assert(waiters.add(undefined) !== all[0]);
    assertEquals(waiters.count, 1);
  });

  it("let each caller leave by its signal, and say when the last one wants to", async () => {
    const reasons: unknown[] = [];
    let takesOver = false;
    const waiters = new ConnectWaiters((reason) => {
      reasons.push(reason.cause);
      return takesOver;
    });
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const promises = [one, two, three].map(({ signal }) => waiters.add(signal));
    one.abort("first");
    assertEquals((await assertRejects(() => promises[0]!, TransportError, "by its signal")).cause, "first");
    two.abort(MINE);
    assert(await assertRejects(() => promises[1]!, TransportError) === MINE);
    assertEquals([reasons, waiters.count], [[], 1]);
    // What was begun for it ends first.
    takesOver = true;
    three.abort("last");
    assertEquals([reasons, waiters.count], [["last"], 1]);
    waiters.reject(MINE);
    assert(await assertRejects(() => promises[2]!, TransportError) === MINE);
    // It goes on without callers.
    takesOver = false;
    const four = new AbortController();
    const promise = waiters.add(four.signal);
    four.abort();
    await assertRejects(() => promise, TransportError);
    assertEquals(waiters.count, 0);
    await assertRejects(() => waiters.add(AbortSignal.abort("before")), TransportError);
    assertEquals([waiters.count, reasons.length], [0, 2]);
  });

  it("leave no listener at a signal", async () => {
    let listeners = 0;
    const { signal } = new AbortController();
    const { addEventListener, removeEventListener } = signal;
    Object.assign(signal, {
      addEventListener: (...given: Parameters<typeof addEventListener>) => {
        listeners++;
        addEventListener.apply(signal, given);
      },
      removeEventListener: (...given: Parameters<typeof removeEventListener>) => {
        listeners--;
        removeEventListener.apply(signal, given);
      },
    });
    const waiters = new ConnectWaiters(() => false);
    const resolved = waiters.add(signal);
    assertEquals(listeners, 1);
    waiters.resolve();
    await resolved;
    const failed = waiters.add(signal);
    waiters.reject(new Error("unreachable"));
    await assertRejects(() => failed, Error, "unreachable");
    assertEquals(listeners, 0);
  });

  it("need no handler for what the program has aborted, which the test would fail for", async () => {
    const waiters = new ConnectWaiters(() => false);
    waiters.add(undefined);
    waiters.reject(MINE);
    rejected(abortedBy(AbortSignal.abort()));
    await settle();
  });

  it("tell watchers of every outcome, for which the client does not connect", async () => {
    const waiters = new ConnectWaiters(() => false);
    for (const end of [() => waiters.resolve(), () => waiters.reject(new Error("unreachable"))]) {
      const watched = waiters.watch();
      assertEquals(waiters.count, 0);
      end();
      await watched;
    }
  });
});
