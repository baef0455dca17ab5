import { sendShared } from "../../connection/connection.ts";
import { firstOctet, Opcode } from "../../protocol/frame_header.ts";
import { SendQueue } from "../../connection/send_queue.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { SharedRun } from "../../connection/shared_run.ts";
import { decode, decodeAll, encode, FakeTransport, openRig, withSeed } from "../support/support.ts";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";

/** Keeps the very arrays that are written, as a real transport does, until the test drains it. */
class KeepingTransport extends FakeTransport {
  readonly arrays: Uint8Array[] = [];

  override write(bytes: Uint8Array): boolean {
    this.arrays.push(bytes);
    return super.write(bytes);
  }
}

interface Lane {
  queue: SendQueue;
  transport: KeepingTransport;
}

function makeLane(stalled = false): Lane {
  const transport = new KeepingTransport();
  const queue = new SendQueue(transport, { masked: false, frameSize: 0 });
  transport.stalled = stalled;
  transport.open({ data() {}, drain: () => queue.drain(), end() {}, close() {} });
  return { queue, transport };
}

function makeLanes(count: number, stalled = false): Lane[] {
  return Array.from({ length: count }, () => makeLane(stalled));
}

function framesOf(data: string | Uint8Array): Uint8Array {
  return new SharedMessage(data, 0).framesFor(undefined);
}

function appendToAll(lanes: readonly Lane[], ...messages: Uint8Array[]): void {
  for (const message of messages) for (const { queue } of lanes) queue.appendEncoded(message);
}

function flushAll(lanes: readonly Lane[]): void {
  for (const { queue } of lanes) queue.flush();
}

/** Frames written to a transport: messages as texts, control frames by their opcode. */
function textsOf({ transport }: Lane): string[] {
  return decodeAll(transport.written).map(({ opcode, payload }) =>
    opcode === Opcode.Text ? decode(payload) : `${opcode} ${decode(payload)}`
  );
}

describe("connections that have the same messages waiting", () => {
  it("write one array, which is made once", () => {
    const lanes = makeLanes(100);
    appendToAll(lanes, framesOf("one"), framesOf("two"), framesOf("three"));
    flushAll(lanes);
    assertEquals(new Set(lanes.flatMap(({ transport }) => transport.arrays)).size, 1);
    assertEquals(textsOf(lanes[99]!), ["one", "two", "three"]);
  });

  it("write a single message from where it is", () => {
    const lanes = makeLanes(3);
    const message = framesOf("alone");
    appendToAll(lanes, message);
    flushAll(lanes);
    for (const { transport } of lanes) assertStrictEquals(transport.arrays[0], message);
  });

  it("write one array for each run, where some have other messages waiting", () => {
    const lanes = makeLanes(30);
    const [odd, even] = [0, 1].map((rest) => lanes.filter((_, index) => index % 2 === rest));
    const [one, two, three] = ["one", "two", "three"].map(framesOf);
    appendToAll(lanes, one!);
    appendToAll(odd!, two!);
    // Both runs go on in turn.
    appendToAll(lanes, three!);
    flushAll(lanes);
    assertEquals(new Set(lanes.flatMap(({ transport }) => transport.arrays)).size, 2);
    for (const lane of odd!) assertEquals(textsOf(lane), ["one", "two", "three"]);
    for (const lane of even!) assertEquals(textsOf(lane), ["one", "three"]);
  });

  it("write one array for each run, where each second one gets another form of a message", () => {
    const lanes = makeLanes(30);
    const [one, two, other] = ["one", "two", "other"].map(framesOf);
    appendToAll(lanes, one!);
    lanes.forEach(({ queue }, index) => queue.appendEncoded(index % 2 === 0 ? two! : other!));
    flushAll(lanes);
    assertEquals(new Set(lanes.flatMap(({ transport }) => transport.arrays)).size, 2);
    assertEquals([textsOf(lanes[28]!), textsOf(lanes[29]!)], [["one", "two"], ["one", "other"]]);
  });

  it("keep the order with frames of their own between, before and behind", () => {
    const lanes = makeLanes(4);
    appendToAll(lanes, framesOf("one"), framesOf("two"));
    lanes[0]!.queue.appendText("mine");
    lanes[1]!.queue.appendFrame(firstOctet(Opcode.Ping, true), encode("p"));
    lanes[2]!.queue.appendText("€".repeat(50));
    appendToAll(lanes, framesOf("three"));
    lanes[1]!.queue.appendFrame(firstOctet(Opcode.Close, true), new Uint8Array(0));
    flushAll(lanes);
    assertEquals(lanes.map(textsOf), [
      ["one", "two", "mine", "three"],
      ["one", "two", `${Opcode.Ping} p`, "three", `${Opcode.Close} `],
      ["one", "two", "€".repeat(50), "three"],
      ["one", "two", "three"],
    ]);
    // What others send must not cost a write more.
    assertEquals(lanes.map(({ transport }) => transport.writes.length), [1, 1, 1, 1]);
  });

  it("share what waits behind a write in progress too, and the array of one that is slow stays as it is", () => {
    const lanes = makeLanes(10, true);
    appendToAll(lanes, framesOf("one"), framesOf("two"));
    flushAll(lanes);
    const held = lanes[0]!.transport.arrays[0]!;
    const before = held.slice();
    appendToAll(lanes, framesOf("three"), framesOf("four"));
    lanes[3]!.queue.appendText("mine");
    flushAll(lanes);
    assertEquals(lanes.map(({ transport }) => transport.writes.length), Array(10).fill(1));
    for (const { transport } of lanes.slice(1)) transport.drain();
    assertEquals(held, before);
    assertStrictEquals(lanes[1]!.transport.arrays[1], lanes[2]!.transport.arrays[1]);
    lanes[0]!.transport.drain();
    assertEquals(textsOf(lanes[0]!), ["one", "two", "three", "four"]);
    assertEquals(textsOf(lanes[3]!), ["one", "two", "three", "four", "mine"]);
  });

  it("count it as waiting, each by itself, until it has left or is dropped", () => {
    const [one, two] = makeLanes(2, true);
    appendToAll([one!, two!], framesOf("12345"), framesOf("123"));
    for (const { queue } of [one!, two!]) {
      assertEquals([queue.bufferedAmount, queue.ownAmount, queue.waits], [12, 12, true]);
    }
    flushAll([one!, two!]);
    assertEquals([one!.queue.bufferedAmount, one!.queue.ownAmount, one!.queue.waits], [12, 12, false]);
    appendToAll([one!, two!], framesOf("1"));
    assertEquals(one!.queue.bufferedAmount, 15);
    one!.transport.drain();
    assertEquals([one!.queue.bufferedAmount, one!.queue.sent], [3, 12]);
    one!.transport.drain();
    assertEquals([one!.queue.bufferedAmount, one!.queue.ownAmount, one!.queue.sent], [0, 0, 15]);
    two!.queue.discard();
    assertEquals([two!.queue.bufferedAmount, two!.queue.ownAmount, two!.queue.waits], [0, 0, false]);
  });

  it("do not count large messages, which are written by themselves, in ownAmount", () => {
    const { queue, transport } = makeLane(true);
    queue.appendEncoded(framesOf("12345"));
    queue.appendEncoded(framesOf("x".repeat(20_000)));
    queue.appendEncoded(framesOf("12345"));
    queue.flush();
    assertEquals([queue.bufferedAmount, queue.ownAmount], [7 + 20_004 + 7, 14]);
    transport.drain();
    assertEquals([queue.bufferedAmount, queue.ownAmount], [20_004 + 7, 7]);
    transport.drain();
    assertEquals([queue.bufferedAmount, queue.ownAmount], [7, 7]);
    transport.drain();
    assertEquals([queue.bufferedAmount, queue.ownAmount], [0, 0]);
  });

  it("write several arrays when many wait, the same ones all the same", () => {
    const lanes = makeLanes(5);
    const texts = Array.from({ length: 300 }, (_, index) => String(index).repeat(1 + (index % 900)));
    appendToAll(lanes, ...texts.map(framesOf));
    flushAll(lanes);
    const { arrays } = lanes.map(({ transport }) => transport)[0]!;
    assert(arrays.length >= 5, `64 messages in each at most: ${arrays.length}`);
    assert(arrays.every(({ length }) => length <= 16 * 1024), "16 KiB in each at most");
    for (const lane of lanes) {
      lane.transport.arrays.forEach((array, index) => assertStrictEquals(array, arrays[index]));
      assertEquals(textsOf(lane), texts);
    }
  });

  it("get what was sent to each, in order, whatever is sent and however slow they are", () => {
    withSeed((random) => {
      const lanes = makeLanes(1 + random.int(6)).map((lane) => ({ ...lane, expected: [] as string[] }));
      for (let step = 0; step < 400; step++) {
        const lane = random.pick(lanes);
        const text = String(step).padStart(1 + random.int(random.pick([3, 100, 20_000])), "x");
        const action = random.int(6);
        if (action <= 2) {
          const message = framesOf(text);
          for (const each of lanes) {
            if (random.int(8) === 0) continue;
            each.queue.appendEncoded(message);
            each.expected.push(text);
          }
        } else if (action === 3) {
          lane.queue.appendText(text);
          lane.expected.push(text);
        } else if (action === 4) {
          lane.transport.stalled = random.int(2) === 0;
          lane.queue.flush();
        } else if (!lane.queue.waits && lane.queue.bufferedAmount > 0) lane.transport.drain();
      }
      for (const lane of lanes) {
        lane.queue.flush();
        while (lane.queue.bufferedAmount > 0) lane.transport.drain();
        assertEquals(textsOf(lane), lane.expected);
        assertEquals([lane.queue.ownAmount, lane.queue.sent], [0, lane.transport.written.length]);
      }
    });
  });

  it("obey maxBufferedAmount, shared bytes included", () => {
    const { connection, transport } = openRig("server", { maxBufferedAmount: 20, slowConsumer: "drop" });
    transport.stalled = true;
    const message = new SharedMessage("12345", 0);
    assertEquals([1, 2, 3].map(() => sendShared(connection, message)), ["sent", "sent", "dropped"]);
    assertEquals(connection.bufferedAmount, 14);
  });
});

describe("SharedRun", () => {
  it("is found again within a turn, and not held after it", async () => {
    const [one, two] = ["one", "two"].map(framesOf);
    const run = SharedRun.none.append(one!).append(two!);
    assertStrictEquals(SharedRun.none.append(one!).append(two!), run);
    const joined = run.join();
    assertStrictEquals(run.join(), joined);
    await Promise.resolve();
    assert(SharedRun.none.append(one!).append(two!) !== run, "it is another run");
    assert(run.join() !== joined, "it is joined anew");
    assertEquals(run.join(), joined);
  });
});
