import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { PageQueue, weight } from "../../client/page_queue.ts";
import type { MessageData } from "../../protocol/payload.ts";

function makeQueue(handles = false): { queue: PageQueue; released: MessageData[]; set: (handles: boolean) => void } {
  const released: MessageData[] = [];
  const owner = { handles: () => handles, release: (messages: MessageData[]) => void released.push(...messages) };
  return { queue: new PageQueue(owner), released, set: (value) => void (handles = value) };
}

describe("PageQueue", () => {
  it("keeps messages for a reader only if there may be one", async () => {
    const { queue } = makeQueue();
    queue.add("nobody", "none");
    queue.wait();
    assertEquals([queue.waits, queue.size], [true, 0]);
    queue.add("one", "none");
    queue.add("two", "none");
    assertEquals([queue.size, weight("one")], [134, 67]);
    const loop = queue.iterate();
    assertEquals(queue.waits, false);
    assertEquals([(await loop.next()).value, (await queue.next()).value], ["one", "two"]);
    const waiting = queue.next();
    queue.add("three", undefined);
    assertEquals([(await waiting).value, queue.size], ["three", 0]);
  });

  it("hands over what waited for a handler, once", () => {
    const { queue, released, set } = makeQueue();
    queue.wait();
    queue.add("one", "none");
    set(true);
    queue.release();
    queue.release();
    assertEquals([released, queue.size], [["one"], 0]);
    queue.add("handled", undefined);
    assertEquals(queue.size, 0);
  });

  it("gives the rest of a loop that is left to the handlers, but none twice", async () => {
    for (const handles of [true, false]) {
      const { queue, released } = makeQueue(handles);
      const loop = queue.iterate();
      queue.add("handed", undefined);
      queue.add("no handler for this kind", false);
      await loop.return!();
      assertEquals(released, handles ? ["no handler for this kind"] : []);
      assertEquals([queue.keeps(false), queue.keeps("none")], [false, !handles]);
      queue.add("later", "none");
      assertEquals(queue.size > 0, !handles);
      await loop.return!();
    }
  });

  it("ends readers behind the last message, with an error or without", async () => {
    for (const error of [undefined, new Error("lost")]) {
      const { queue } = makeQueue();
      const loop = queue.iterate();
      queue.add("last", "none");
      const [first, second] = [queue.next(), queue.next()];
      queue.end(error);
      queue.end(new Error("the first end counts"));
      assertEquals((await first).value, "last");
      if (error === undefined) assertEquals([(await second).done, (await loop.next()).done], [true, true]);
      else for (const read of [second, loop.next()]) await assertRejects(() => read, Error, "lost");
    }
  });

  it("lets a call leave with its signal, without a message", async () => {
    const { queue } = makeQueue();
    const stop = new AbortController();
    const left = queue.next(stop.signal);
    stop.abort("enough");
    assertEquals(await left.catch((reason) => reason), "enough");
    assertEquals(await queue.next(stop.signal).catch((reason) => reason), "enough");
    queue.add("a handler has it", undefined);
    assertEquals(queue.size, 0);
    queue.add("kept", "none");
    assertEquals((await queue.next()).value, "kept");
  });
});
