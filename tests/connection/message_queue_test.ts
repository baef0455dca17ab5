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

  it("tells when readers come, and when the last one has gone", async () => {
    const changes: boolean[] = [];
    const queue: MessageQueue = new MessageQueue(() => {}, () => {}, () => void changes.push(queue.hasReaders));
    const waiting = queue.next();
    queue.push("a");
    await waiting;
    const loop = queue.iterate();
    void loop.return!();
    // The same iterator may go on.
    void loop.next();
    void loop.return!();
    queue.push("b");
    assertEquals(changes, [true, false, true, false, true, true, true, false]);
  });

  it("has a reader from the making of its stream until the lock is released", async () => {
    const queue = new MessageQueue(() => {}, () => {});
    const { readable } = queue;
    assertEquals(queue.hasReaders, true);
    const reader = readable.getReader();
    assertEquals(queue.hasReaders, true);
    reader.releaseLock();
    assertEquals(queue.hasReaders, false);
    const controller = new AbortController();
    const piped = queue.readable.pipeTo(new WritableStream(), { signal: controller.signal, preventCancel: true });
    assertEquals(queue.hasReaders, true);
    controller.abort(new Error("enough"));
    queue.push("a");
    await assertRejects(() => piped, Error, "enough");
    assertEquals(queue.hasReaders, false);
  });

  it("drops what handlers had got, and counts the rest", () => {
    const queue = new MessageQueue(() => {}, () => {});
    queue.push("read", true);
    queue.push("x".repeat(100), true);
    queue.push("kept");
    queue.shift();
    queue.dropHanded();
    assertEquals([queue.size, queue.takeAll().shift(), queue.empty, queue.size], [68, "kept", true, 0]);
  });

  it("forgets a call whose signal is aborted, and listens to the signal no longer than it waits", async () => {
    const queue = new MessageQueue(() => {}, () => {});
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...values: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, values);
    };
    signal.removeEventListener = (...values: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, values);
    };
    const waiting = queue.next(signal);
    assertEquals(listeners, 1);
    queue.push("a");
    assertEquals([(await waiting).value, listeners], ["a", 0]);
    const controller = new AbortController();
    const aborted = queue.next(controller.signal);
    controller.abort(new Error("enough"));
    queue.push("b");
    await assertRejects(() => aborted, Error, "enough");
    assertEquals((await queue.next()).value, "b");
  });
});
