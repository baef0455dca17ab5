import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { QueuedDelivery } from "../../connection/queued_delivery.ts";
import type { MessageQueue } from "../../connection/message_queue.ts";
import { TransportError } from "../../base/errors.ts";

const LARGE = "x".repeat(64 * 1024);

interface Rig {
  queued: QueuedDelivery;
  calls: string[];
  handed: string[];
  connection: { closeSent: boolean };
  source: { handlesMessages: boolean };
}

function make(handlesMessages = false): Rig {
  const calls: string[] = [];
  const handed: string[] = [];
  const connection = { closeSent: false, close: () => calls.push("close") };
  const source = {
    block: () => void calls.push("block"),
    unblockImmediate: () => void calls.push("unblock"),
    handlesMessages,
    hand(messages: MessageQueue) {
      for (let data = messages.shift(); data !== undefined; data = messages.shift()) handed.push(String(data));
    },
  };
  return { queued: new QueuedDelivery(source, connection), calls, handed, connection, source };
}

describe("QueuedDelivery", () => {
  it("keeps nothing before the program reads, then what comes, beside the handlers", async () => {
    const { queued } = make();
    queued.add("early", undefined);
    const loop = queued.queue.iterate();
    queued.add("one", undefined);
    assertEquals([queued.reachesHandlers, await loop.next()], [true, { done: false, value: "one" }]);
  });

  it("keeps messages from the handlers while they wait, and releases them once", () => {
    const { queued, handed } = make();
    queued.wait();
    queued.add("one", "none");
    assertEquals(queued.reachesHandlers, false);
    queued.release();
    queued.release();
    assertEquals([handed, queued.reachesHandlers, queued.holdsMessages], [["one"], true, false]);
  });

  it("leaves messages to the loop that is open", () => {
    const { queued, handed } = make();
    queued.queue.iterate();
    queued.wait();
    queued.add("one", "none");
    queued.release();
    assertEquals([queued.reachesHandlers, handed, queued.holdsMessages], [true, [], true]);
  });

  it("keeps nothing for handlers once the last reader has gone; they get what they had not got", () => {
    const { queued, handed, calls, source } = make();
    const loops = [queued.queue.iterate(), queued.queue.iterate()];
    queued.add("without handler", "none");
    source.handlesMessages = true;
    queued.add(LARGE, undefined);
    void loops[0]!.return!();
    assertEquals([queued.full, handed], [true, []]);
    void loops[1]!.return!();
    queued.add("later", undefined);
    assertEquals([queued.full, queued.holdsMessages, handed], [false, false, ["without handler"]]);
    assertEquals(calls, ["block"]);
  });

  it("goes on reading when the last reader of a full queue has gone, and handlers had got all", () => {
    const { queued, calls } = make(true);
    const loop = queued.queue.iterate();
    queued.add(LARGE, undefined);
    void loop.return!();
    assertEquals([queued.full, calls], [false, ["block", "unblock"]]);
  });

  it("keeps messages without handler for the next reader, or a handler that is set", async () => {
    const { queued, handed } = make();
    const first = queued.queue.next();
    for (const text of ["one", "two", "three"]) queued.add(text, "none");
    assertEquals([(await first).value, (await queued.queue.next()).value], ["one", "two"]);
    // A kind without handler is dropped, not kept.
    queued.add("four", false);
    assertEquals([queued.keepsResult("none"), queued.keepsResult(false)], [true, false]);
    queued.release();
    assertEquals([handed, queued.keepsResult("none")], [["three"], false]);
  });

  it("stops its source when the queue is full, and resumes it when there is room", () => {
    const { queued, calls } = make();
    queued.queue.iterate();
    queued.add(LARGE, undefined);
    assertEquals([queued.full, calls], [true, ["block"]]);
    queued.queue.shift();
    assertEquals([queued.full, calls], [false, ["block", "unblock"]]);
  });

  it("drops what a full queue has no room for once a close frame was sent, and all that comes later", () => {
    const { queued, connection } = make();
    queued.queue.iterate();
    queued.add(LARGE, undefined);
    connection.closeSent = true;
    queued.add("two", undefined);
    queued.queue.shift();
    queued.add("three", undefined);
    assertEquals([queued.reachesHandlers, queued.holdsMessages], [false, false]);
  });

  it("tells the loss of the connection behind the messages that wait, to later readers too", async () => {
    const { queued } = make();
    queued.lose(new Error("broken"));
    await assertRejects(() => queued.queue.next(), TransportError, "without a close frame");
    const { queued: other } = make();
    const loop = other.queue.iterate();
    other.add("one", undefined);
    other.lose(undefined);
    assertEquals(await loop.next(), { done: false, value: "one" });
    await assertRejects(() => loop.next(), TransportError, "without a close frame");
  });

  it("closes the connection when its stream is cancelled", async () => {
    const { queued, calls } = make();
    await queued.queue.readable.cancel();
    assertEquals(calls, ["close"]);
  });
});
