import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AsyncQueue } from "../../base/async_queue.ts";

describe("AsyncQueue", () => {
  it("gives items in order, to readers that came before them or after", async () => {
    const queue = new AsyncQueue<number>();
    const early = [queue.next(), queue.next()];
    for (const item of [1, 2, 3]) queue.push(item);
    assertEquals((await Promise.all([...early, queue.next()])).map(({ value }) => value), [1, 2, 3]);
  });

  it("gives what waits before its end, and ends readers that wait", async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.end();
    queue.end(new Error("too late"));
    assertEquals([await queue.next(), await queue.next()], [{ done: false, value: 1 }, {
      done: true,
      value: undefined,
    }]);
    const waiting = new AsyncQueue<number>();
    const reader = waiting.next();
    waiting.end();
    assertEquals(await reader, { done: true, value: undefined });
  });

  it("rejects with the error that ended it, behind what waits", async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.end(new Error("lost"));
    assertEquals((await queue.next()).value, 1);
    await assertRejects(() => queue.next(), Error, "lost");
    const waiting = new AsyncQueue<number>();
    const reader = waiting.next();
    waiting.end(new Error("lost"));
    await assertRejects(() => reader, Error, "lost");
  });

  it("hands over all that waits at once", () => {
    const queue = new AsyncQueue<number>();
    for (const item of [1, 2]) queue.push(item);
    assertEquals([queue.takeAll(), queue.takeAll()], [[1, 2], []]);
  });
});
