import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { QueuedDelivery } from "../../connection/queued_delivery.ts";
import { TransportError } from "../../base/errors.ts";

const LARGE = "x".repeat(64 * 1024);

function make(): { queued: QueuedDelivery; calls: string[]; connection: { closeSent: boolean } } {
  const calls: string[] = [];
  const connection = { closeSent: false, close: () => calls.push("close") };
  const source = { block: () => void calls.push("block"), unblockImmediate: () => void calls.push("unblock") };
  return { queued: new QueuedDelivery(source, connection), calls, connection };
}

describe("QueuedDelivery", () => {
  it("keeps nothing before the program takes the queue, then what comes, beside the handlers", async () => {
    const { queued } = make();
    queued.add("early");
    const queue = queued.take();
    queued.add("one");
    assertEquals([queued.reachesHandlers, await queue.next()], [true, { done: false, value: "one" }]);
  });

  it("keeps messages from the handlers while they wait, and releases them once", () => {
    const { queued } = make();
    queued.wait();
    queued.add("one");
    assertEquals(queued.reachesHandlers, false);
    assertEquals([queued.release()?.shift(), queued.release(), queued.reachesHandlers], ["one", undefined, true]);
  });

  it("keeps waiting in the queue that the program has taken", () => {
    const { queued } = make();
    queued.take();
    queued.wait();
    assertEquals([queued.reachesHandlers, queued.release()], [true, undefined]);
  });

  it("stops its source when the queue is full, and resumes it when there is room", () => {
    const { queued, calls } = make();
    const queue = queued.take();
    queued.add(LARGE);
    assertEquals([queued.full, calls], [true, ["block"]]);
    queue.shift();
    assertEquals([queued.full, calls], [false, ["block", "unblock"]]);
  });

  it("drops what a full queue has no room for once a close frame was sent, and all that comes later", () => {
    const { queued, connection } = make();
    const queue = queued.take();
    queued.add(LARGE);
    connection.closeSent = true;
    queued.add("two");
    queue.shift();
    queued.add("three");
    assertEquals([queued.reachesHandlers, queue.empty], [false, true]);
  });

  it("tells the loss of the connection behind the messages that wait, to later readers too", async () => {
    const { queued } = make();
    queued.lose(new Error("broken"));
    await assertRejects(() => queued.take().next(), TransportError, "without a close frame");
    const { queued: other } = make();
    const queue = other.take();
    other.add("one");
    other.lose(undefined);
    assertEquals(await queue.next(), { done: false, value: "one" });
    await assertRejects(() => queue.next(), TransportError, "without a close frame");
  });

  it("closes the connection when its stream is cancelled", async () => {
    const { queued, calls } = make();
    await queued.take().readable.cancel();
    assertEquals(calls, ["close"]);
  });
});
