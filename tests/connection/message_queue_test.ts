import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { MessageQueue } from "../../connection/message_queue.ts";

function make(): { queue: MessageQueue; rooms: () => number; cancels: () => number } {
  let rooms = 0;
  let cancels = 0;
  const queue = new MessageQueue(() => void rooms++, () => void cancels++);
  return { queue, rooms: () => rooms, cancels: () => cancels };
}

describe("MessageQueue", () => {
  it("keeps the order, for readers that wait and for those that come later", async () => {
    const { queue } = make();
    const first = queue.next();
    const second = queue.next();
    queue.push("one");
    queue.push(Uint8Array.of(2));
    queue.push("three");
    assertEquals([await first, await second], [{ done: false, value: "one" }, {
      done: false,
      value: Uint8Array.of(2),
    }]);
    assertEquals(queue.shift(), "three");
    assertEquals([queue.shift(), queue.empty], [undefined, true]);
  });

  it("is full at 64 KiB, and reports once when there is room again", () => {
    const { queue, rooms } = make();
    while (!queue.full) queue.push("x".repeat(1000));
    queue.push("beyond");
    queue.shift();
    assertEquals([queue.full, rooms()], [false, 1]);
    queue.shift();
    assertEquals(rooms(), 1);
  });

  it("hands out all that waits before its end, and then its error to each reader", async () => {
    const { queue } = make();
    queue.push("");
    queue.end(new Error("lost"));
    queue.end();
    assertEquals(await queue.next(), { done: false, value: "" });
    for (let index = 0; index < 2; index++) await assertRejects(() => queue.next(), Error, "lost");
    const clean = make().queue;
    const waiting = clean.next();
    clean.end();
    assertEquals([await waiting, await clean.next()], Array(2).fill({ done: true, value: undefined }));
  });

  it("is one stream, which pulls only what is read", async () => {
    const { queue, cancels } = make();
    for (let index = 0; index < 10; index++) queue.push(`${index}`);
    assertEquals(queue.readable === queue.readable, true);
    const reader = queue.readable.getReader();
    assertEquals((await reader.read()).value, "0");
    assertEquals(queue.shift(), "1");
    await reader.cancel();
    assertEquals(cancels(), 1);
  });

  it("stays fast when it is long", () => {
    const { queue } = make();
    for (let index = 0; index < 200_000; index++) queue.push("");
    let count = 0;
    while (queue.shift() !== undefined) count++;
    assertEquals(count, 200_000);
  });
});
