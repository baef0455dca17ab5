import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Inbox } from "../../connection/message_queue.ts";

function make(): { inbox: Inbox; rooms: () => number; cancels: () => number } {
  let rooms = 0;
  let cancels = 0;
  const inbox = new Inbox(() => void rooms++, () => void cancels++);
  return { inbox, rooms: () => rooms, cancels: () => cancels };
}

describe("Inbox", () => {
  it("keeps the order, for readers that wait and for those that come later", async () => {
    const { inbox } = make();
    const first = inbox.next();
    const second = inbox.next();
    inbox.push("one");
    inbox.push(Uint8Array.of(2));
    inbox.push("three");
    assertEquals([await first, await second], [{ done: false, value: "one" }, {
      done: false,
      value: Uint8Array.of(2),
    }]);
    assertEquals(inbox.shift(), "three");
    assertEquals([inbox.shift(), inbox.empty], [undefined, true]);
  });

  it("is full at 64 KiB, and says once when there is room again", () => {
    const { inbox, rooms } = make();
    while (!inbox.full) inbox.push("x".repeat(1000));
    inbox.push("beyond");
    inbox.shift();
    assertEquals([inbox.full, rooms()], [false, 1]);
    inbox.shift();
    assertEquals(rooms(), 1);
  });

  it("hands out all that waits before its end, and then its error to each reader", async () => {
    const { inbox } = make();
    inbox.push("");
    inbox.end(new Error("lost"));
    inbox.end();
    assertEquals(await inbox.next(), { done: false, value: "" });
    for (let index = 0; index < 2; index++) await assertRejects(() => inbox.next(), Error, "lost");
    const clean = make().inbox;
    const waiting = clean.next();
    clean.end();
    assertEquals([await waiting, await clean.next()], Array(2).fill({ done: true, value: undefined }));
  });

  it("is one stream, which pulls only what is read", async () => {
    const { inbox, cancels } = make();
    for (let index = 0; index < 10; index++) inbox.push(`${index}`);
    assertEquals(inbox.readable === inbox.readable, true);
    const reader = inbox.readable.getReader();
    assertEquals((await reader.read()).value, "0");
    assertEquals(inbox.shift(), "1");
    await reader.cancel();
    assertEquals(cancels(), 1);
  });

  it("stays fast when it is long", () => {
    const { inbox } = make();
    for (let index = 0; index < 200_000; index++) inbox.push("");
    let count = 0;
    while (inbox.shift() !== undefined) count++;
    assertEquals(count, 200_000);
  });
});
