import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { acquire } from "../../base/buffer_pool.ts";
import { firstOctet, frameHeaderLength, Opcode, ReservedBit } from "../../protocol/frame_header.ts";
import { framedTextLimit, randomMaskingKey, SendQueue, wireLength } from "../../connection/send_queue.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { assertSameBytes, decode, decodeAll, encode, FakeTransport, Random } from "../support/support.ts";

function make(masked = false, frameSize = 0): { queue: SendQueue; transport: FakeTransport } {
  const transport = new FakeTransport();
  transport.open({ data() {}, drain: () => queue.drain(), end() {}, close() {} });
  const queue = new SendQueue(transport, { masked, frameSize });
  return { queue, transport };
}

describe("SendQueue", () => {
  it("counts what waits and what is on its way, until it has left", () => {
    const { queue, transport } = make();
    transport.stalled = true;
    queue.appendText("12345");
    assertEquals(queue.bufferedAmount, 7);
    queue.flush();
    queue.appendText("12345");
    assertEquals([queue.bufferedAmount, transport.writes.length], [14, 1]);
    queue.flush();
    assertEquals(transport.writes.length, 1);
    transport.drain();
    assertEquals([queue.bufferedAmount, transport.writes.length], [7, 2]);
    transport.drain();
    assertEquals(queue.bufferedAmount, 0);
  });

  it("keeps the order of small frames, large shared ones, and small ones again", () => {
    const { queue, transport } = make();
    transport.stalled = true;
    const large = new SharedMessage("x".repeat(20_000), 0).framesFor(undefined);
    queue.appendText("one");
    queue.appendEncoded(large);
    queue.appendEncoded(new SharedMessage("two", 0).framesFor(undefined));
    queue.appendEncoded(large);
    queue.appendText("three");
    queue.flush();
    while (queue.bufferedAmount > 0) transport.drain();
    const texts = decodeAll(transport.written).map(({ payload }) => decode(payload));
    assertEquals(texts.map((text) => text.slice(0, 5)), ["one", "xxxxx", "two", "xxxxx", "three"]);
    // Shared bytes are not copied, and one array serves all.
    assertSameBytes(transport.writes[1]!, large);
  });

  it("never hands out a pooled buffer that is still being written", () => {
    const random = new Random(5);
    const rigs = Array.from({ length: 20 }, () => ({ ...make(random.int(2) === 0), expected: [] as string[] }));
    for (const { transport } of rigs) {
      transport.stalled = true;
      // The transport keeps the array itself, as a real one does, and looks at it only when it drains.
      const held: Uint8Array[] = [];
      transport.write = (bytes) => {
        held.push(bytes);
        return false;
      };
      transport.drain = () => {
        transport.writes.push(held.shift()!.slice());
        transport.handler.drain();
      };
    }
    for (let round = 0; round < 3000; round++) {
      const { queue, transport, expected } = random.pick(rigs);
      if (random.int(3) > 0 || queue.bufferedAmount === 0) {
        const text = String(round).repeat(1 + random.int(random.pick([3, 300, 20_000])));
        expected.push(text);
        queue.appendText(text);
        queue.flush();
      } else transport.drain();
    }
    for (const { queue, transport, expected } of rigs) {
      while (queue.bufferedAmount > 0) transport.drain();
      const texts = decodeAll(transport.written).map(({ payload }) => decode(payload));
      assert(texts.length === expected.length && texts.every((text, index) => text === expected[index]));
    }
  });

  it("encodes a text into as much room as it takes: into less, Bun encodes very slowly", () => {
    const { encodeInto } = TextEncoder.prototype;
    const rooms: [units: number, read: number, spare: number][] = [];
    TextEncoder.prototype.encodeInto = function (text, room) {
      const result = encodeInto.call(this, text, room);
      rooms.push([text.length, result.read, room.length - result.written]);
      return result;
    };
    try {
      for (const masked of [false, true]) {
        for (const letter of ["x", "ä", "語", "😀", "\ud83d"]) {
          // Around the lengths at which the header grows, in units and in bytes.
          for (const units of [65, 66, 125, 126, 127, 21_845, 32_768, 65_535, 65_536, 100_000]) {
            const text = "x".repeat(units % 7) + letter.repeat(units / letter.length);
            const { queue, transport } = make(masked);
            queue.appendText("before");
            queue.appendText(text);
            queue.appendText("after");
            queue.flush();
            const texts = decodeAll(transport.written).map(({ payload }) => decode(payload));
            assertEquals(texts.length, 3);
            assert(texts[1] === text.toWellFormed());
            assertEquals([texts[0], texts[2]], ["before", "after"]);
            assertEquals(rooms.splice(0), [[text.length, text.length, 0]]);
          }
        }
      }
    } finally {
      TextEncoder.prototype.encodeInto = encodeInto;
    }
  });

  it("masks each frame with a key of its own", () => {
    const keys = new Set(Array.from({ length: 5000 }, randomMaskingKey));
    assert(keys.size > 4990);
  });

  it("drops what waits", () => {
    const { queue, transport } = make();
    transport.stalled = true;
    queue.appendFrame(firstOctet(Opcode.Ping, true), encode("p"));
    queue.flush();
    queue.appendText("more");
    queue.discard();
    queue.flush();
    assertEquals([queue.bufferedAmount, transport.writes.length], [0, 1]);
  });

  it("gives back the buffers of what it drops, but for the one that is being written", () => {
    const { queue, transport } = make();
    transport.stalled = true;
    const payload = new Uint8Array(60_000);
    const frame = (): void => queue.appendFrame(firstOctet(Opcode.Binary, true), payload);
    frame();
    queue.flush();
    const written = transport.writes[0]!.buffer;
    // Two in line, and one to append to.
    for (let index = 0; index < 3; index++) frame();
    queue.discard();
    const free = Array.from({ length: 3 }, () => acquire(60_000).buffer);
    assertEquals(new Set(free).size, 3);
    assert(!free.includes(written as ArrayBuffer));
    // Made before, with something in them.
    for (const buffer of free) assertEquals(new Uint8Array(buffer)[0], 0x82);
  });
});

describe("splitting", () => {
  /** A text of code points of all lengths; lone surrogates are sent as U+FFFD. */
  function makeText(random: Random, most: number): string {
    const units = ["a", "é", "€", "😀", "\ud800", "\udc00"];
    return Array.from({ length: random.int(most) }, () => random.pick(units)).join("");
  }

  it("cuts a text between code points, where the next one does not fit, in a broadcast too", () => {
    const random = new Random(22);
    for (let round = 0; round < 600; round++) {
      const text = makeText(random, random.pick([5, 70, 200]));
      const masked = random.int(2) === 0;
      const maxPayload = random.pick([4, 5, 6, 7, 50, 125, 126]);
      const frameSize = maxPayload + frameHeaderLength(maxPayload, masked);
      const { queue, transport } = make(masked, frameSize);
      queue.appendText(text);
      queue.flush();
      const wires: Uint8Array[] = [transport.written];
      if (!masked) wires.push(new SharedMessage(text, frameSize).framesFor(undefined));
      for (const wire of wires) {
        const frames = decodeAll(wire);
        const pieces = frames.map(({ payload }) => new TextDecoder("utf-8", { fatal: true }).decode(payload));
        assertEquals(pieces.join(""), text.toWellFormed());
        assertEquals(frames.map(({ final }) => final).indexOf(true), frames.length - 1);
        for (const [index, { payload }] of frames.slice(0, -1).entries()) {
          const next = encode(String.fromCodePoint(pieces[index + 1]!.codePointAt(0)!));
          assert(payload.length <= maxPayload && payload.length + next.length > maxPayload, `${payload.length} bytes`);
        }
      }
    }
  });

  it("cuts bytes anywhere, those of a compressed text too: each frame but the last is full", () => {
    const payload = encode("€".repeat(100));
    for (const [opcode, reserved] of [[Opcode.Binary, 0], [Opcode.Text, ReservedBit.Rsv1]] as const) {
      const { queue, transport } = make(true, 16);
      queue.appendMessage(opcode, payload, reserved);
      queue.flush();
      const lengths = decodeAll(transport.written, reserved).map((frame) => frame.payload.length);
      assertEquals(lengths, Array(30).fill(10));
    }
    const noise = new Random(7).bytes(50);
    const lengths = decodeAll(new SharedMessage(noise, 12).framesFor(undefined)).map((frame) => frame.payload.length);
    assertEquals(lengths, Array(5).fill(10));
  });
});

describe("framedTextLimit", () => {
  it("is never less than the wire length of a text, and exact in one frame", () => {
    const random = new Random(23);
    for (let round = 0; round < 400; round++) {
      const text = Array.from({ length: random.int(150) }, () => random.pick(["a", "é", "€", "😀"])).join("");
      const masked = random.int(2) === 0;
      const frameSize = random.pick([0, 10, 11, 60, 131, 135]);
      const limit = framedTextLimit(encode(text).length, frameSize, masked);
      assert(limit >= wireLength(text, frameSize, masked), `${limit} for "${text}"`);
    }
    assertEquals([framedTextLimit(8, 10, false), framedTextLimit(9, 0, true), framedTextLimit(0, 10, true)], [
      10,
      15,
      6,
    ]);
  });
});

describe("wireLength", () => {
  it("does not count what lies behind the end of a slice, on a compiler that has warmed up too", () => {
    const whole = "👋".repeat(400);
    // 185 whole ones and half of one, which is sent as U+FFFD, each in a frame of its own.
    const length = 185 * 4 + 3 + 186 * 2;
    for (let round = 0; round < 5000; round++) assertEquals(wireLength(whole.slice(0, 371), 8, false), length);
  });

  it("is what is written, for any text and size", () => {
    const random = new Random(9);
    const units = ["a", "é", "€", "😀", "\ud800", "\udc00"];
    for (let round = 0; round < 400; round++) {
      const text = Array.from({ length: random.int(random.pick([5, 70, 200])) }, () => random.pick(units)).join("");
      const data = random.int(3) === 0 ? encode(text) : text;
      const frameSize = random.pick([0, 10, 11, 60, 131, 135]);
      const masked = random.int(2) === 0;
      const { queue, transport } = make(masked, frameSize);
      if (typeof data === "string") queue.appendText(data);
      else queue.appendMessage(Opcode.Binary, data);
      queue.flush();
      assertEquals(wireLength(data, frameSize, masked), transport.written.length);
      if (!masked) assertEquals(new SharedMessage(data, frameSize).framesFor(undefined).slice(), transport.written);
    }
  });
});
