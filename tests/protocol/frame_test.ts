import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import { OptionError, ProtocolError, type ProtocolErrorCode } from "../../base/errors.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  FrameDecoderStream,
  FrameEncoderStream,
  type FrameHandler,
  FrameParser,
  type FrameParserOptions,
} from "../../protocol/frame.ts";
import { frameHeaderLength, maxFramePayload, Opcode, ReservedBit } from "../../protocol/frame_header.ts";
import { giveBack, lease } from "../../base/leased_memory.ts";
import { assertSameBytes, decode, encode, Random, withSeed } from "../support/support.ts";
import { concat, concatAll } from "../../base/bytes.ts";

/** Collects frames, and checks that the parser keeps its promises. */
class Collector implements FrameHandler {
  frames: Required<Frame>[] = [];
  masked: boolean[] = [];
  #pieces: Uint8Array[] = [];
  #head: Omit<Required<Frame>, "payload"> | undefined;
  #length = 0;

  frameHeader(header: Parameters<FrameHandler["frameHeader"]>[0]): void {
    assertEquals(this.#head, undefined);
    this.#head = { opcode: header.opcode, final: header.final, reserved: header.reserved };
    this.masked.push(header.masked);
    this.#length = header.payloadLength;
    this.#pieces = [];
  }
  framePayload(bytes: Uint8Array, start: number, end: number): void {
    assert(end > start, "an empty piece");
    this.#pieces.push(bytes.slice(start, end));
  }
  frameEnd(): void {
    const payload = concat(...this.#pieces);
    assertEquals(payload.length, this.#length);
    this.frames.push({ ...this.#head!, payload });
    this.#head = undefined;
  }
}

function parseAll(chunks: Uint8Array[], options: FrameParserOptions = {}): Collector {
  const collector = new Collector();
  const parser = new FrameParser(collector, options);
  for (const chunk of chunks) assertEquals(parser.parse(chunk.slice()), chunk.length);
  assertEquals(parser.idle, true);
  return collector;
}

const frame = (opcode: Opcode, payload: Uint8Array, more: Partial<Frame> = {}): Required<Frame> => ({
  opcode,
  payload: Uint8Array.from(payload),
  final: true,
  reserved: 0,
  ...more,
});

describe("the examples of RFC 6455 §5.7", () => {
  const hello = encode("Hello");
  const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
  const examples: [name: string, frame: Required<Frame>, wire: Uint8Array, masked: boolean][] = [
    ["an unmasked text", frame(Opcode.Text, hello), Uint8Array.of(0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f), false],
    [
      "a masked text",
      frame(Opcode.Text, hello),
      Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58),
      true,
    ],
    [
      "the first fragment",
      frame(Opcode.Text, encode("Hel"), { final: false }),
      Uint8Array.of(1, 3, 0x48, 0x65, 0x6c),
      false,
    ],
    ["the last fragment", frame(Opcode.Continuation, encode("lo")), Uint8Array.of(0x80, 0x02, 0x6c, 0x6f), false],
    ["a ping", frame(Opcode.Ping, hello), Uint8Array.of(0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f), false],
    [
      "a masked pong",
      frame(Opcode.Pong, hello),
      Uint8Array.of(0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58),
      true,
    ],
  ];
  for (const [name, decoded, wire, masked] of examples) {
    it(`encodes and decodes ${name}`, () => {
      assertEquals(encodeFrame(decoded, masked ? { maskingKey: key } : {}), wire.slice());
      assertEquals(decodeFrame(wire), { frame: decoded, bytesRead: wire.length });
    });
  }

  it("has the headers of the two long binary messages", () => {
    assertEquals(encodeFrame(frame(Opcode.Binary, new Uint8Array(256))).slice(0, 4), Uint8Array.of(0x82, 0x7e, 1, 0));
    const header = Uint8Array.of(0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0);
    assertEquals(encodeFrame(frame(Opcode.Binary, new Uint8Array(65536))).slice(0, 10), header);
  });
});

const LENGTHS = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 70000];

describe("FrameParser", () => {
  for (const length of LENGTHS) {
    for (const masked of [false, true]) {
      it(`round-trips ${length} bytes ${masked ? "masked" : "unmasked"}, cut around every header edge`, () => {
        const payload = new Random(length).bytes(length);
        const maskingKey = masked ? Uint8Array.of(1, 2, 3, 4) : undefined;
        const wire = encodeFrame(frame(Opcode.Binary, payload), { maskingKey });
        assertEquals(wire.length, frameHeaderLength(length, masked) + length);
        for (let cut = 0; cut <= Math.min(20, wire.length); cut++) {
          const { frames } = parseAll([wire.slice(0, cut), wire.slice(cut)]);
          assertEquals(frames, [frame(Opcode.Binary, payload)]);
        }
      });
    }
  }

  it("gives the same frames for any chunking, byte by byte too", () => {
    withSeed((random) => {
      const frames: Required<Frame>[] = [];
      const wires: Uint8Array[] = [];
      for (let index = 0; index < 60; index++) {
        const opcode = random.pick(Object.values(Opcode));
        const control = opcode >= 8;
        const length = control ? random.int(126) : random.pick([0, 1, 5, 125, 126, 300, 1000, 66000]);
        const one = frame(opcode, random.bytes(length), {
          final: control || random.int(2) === 0,
          reserved: random.int(8) << 4,
        });
        frames.push(one);
        wires.push(encodeFrame(one, random.int(2) === 0 ? {} : { maskingKey: random.bytes(4) }));
      }
      const wire = concat(...wires);
      const options = { allowedReserved: 0x70 };
      assertEquals(parseAll([wire], options).frames, frames);
      for (const most of [3, 17, 200, 5000]) assertEquals(parseAll(random.chunks(wire, most), options).frames, frames);
      const short = concat(...wires.filter((bytes) => bytes.length < 2000));
      const expected = parseAll([short], options).frames;
      const bytewise = parseAll(Array.from(short, (byte) => Uint8Array.of(byte)), options).frames;
      assertEquals(bytewise, expected);
    });
  });

  describe("short messages", () => {
    /** Chunks that a handler receives. */
    function collect(chunks: Uint8Array[], options: FrameParserOptions = {}, takes = true): string[] {
      const got: string[] = [];
      const parser = new FrameParser({
        frameHeader: ({ opcode, payloadLength }) => void got.push(`header ${opcode} ${payloadLength}`),
        framePayload() {},
        frameEnd: () => void got.push("end"),
        takesShortMessages: takes,
        shortMessage: (opcode, bytes, start, end, ascii) =>
          void got.push(`${opcode} ${decode(bytes.subarray(start, end))} ${ascii}`),
      }, options);
      for (const chunk of chunks) parser.parse(chunk);
      return got;
    }
    const maskingKey = Uint8Array.of(1, 2, 3, 4);
    const text = (content: string, more: Partial<Frame> = {}, masked = true): Uint8Array<ArrayBuffer> =>
      encodeFrame(frame(Opcode.Text, encode(content), more), masked ? { maskingKey } : {});

    it("come in one call if they are whole, final and of 1 to 125 bytes", () => {
      assertEquals(collect([concat(text("one"), text("zwö"), text("x".repeat(125)))]), [
        "1 one true",
        "1 zwö false",
        `1 ${"x".repeat(125)} true`,
      ]);
      assertEquals(collect([text("one", {}, false)]), ["1 one false"]);
      assertEquals(collect([encodeFrame(frame(Opcode.Binary, encode("b")), { maskingKey })]), ["2 b true"]);
    });

    it("come frame by frame otherwise", () => {
      assertEquals(collect([text("one")], {}, false), ["header 1 3", "end"]);
      assertEquals(collect([text("")]), ["header 1 0", "end"]);
      assertEquals(collect([text("x".repeat(126))]), ["header 1 126", "end"]);
      assertEquals(collect([text("one", { final: false })]), ["header 1 3", "end"]);
      assertEquals(collect([text("one", { reserved: 0x40 })], { allowedReserved: 0x40 }), ["header 1 3", "end"]);
      assertEquals(collect([encodeFrame(frame(Opcode.Ping, encode("p")), { maskingKey })]), ["header 9 1", "end"]);
      const wire = text("one");
      for (let cut = 1; cut < wire.length; cut++) {
        assertEquals(collect([wire.slice(0, cut), wire.slice(cut)]), ["header 1 3", "end"], `cut at ${cut}`);
      }
    });

    it("are refused as any frame is", () => {
      for (
        const [wire, options] of [
          [text("one", {}, false), { role: "server" }],
          [text("one"), { role: "client" }],
          [text("four"), { maxPayload: 3 }],
          [text("one", { reserved: 0x40 }), {}],
        ] as [Uint8Array, FrameParserOptions][]
      ) assertThrows(() => collect([wire], options), ProtocolError);
    });

    it("stop the parser when the handler calls stop()", () => {
      const seen: string[] = [];
      const parser: FrameParser = new FrameParser({
        frameHeader() {},
        framePayload() {},
        frameEnd() {},
        takesShortMessages: true,
        shortMessage(_, bytes, start, end) {
          seen.push(decode(bytes.subarray(start, end)));
          parser.stop();
        },
      });
      const wire = concat(text("one"), text("two"));
      assertEquals([parser.parse(wire), seen], [9, ["one"]]);
      assertEquals([parser.parse(wire, 9), seen], [18, ["one", "two"]]);
    });
  });

  describe("large chunks for a server", () => {
    const maskingKey = Uint8Array.of(9, 8, 7, 6);
    const large = (length: number, seed: number): [Required<Frame>, Uint8Array<ArrayBuffer>] => {
      const one = frame(Opcode.Binary, new Random(seed).bytes(length));
      return [one, encodeFrame(one, { maskingKey })];
    };

    it("give the same frames at any size, also where one parser calls another", () => {
      const pairs = [1, 500, 1023, 1024, 5000, 32_760, 40_000, 262_144, 700_000].map(large);
      const wire = concat(...pairs.map(([, bytes]) => bytes));
      const frames = pairs.map(([one]) => one);
      for (const most of [900, 1024, 5000, 65_536, 262_144, wire.length]) {
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < wire.length; at += most) chunks.push(wire.slice(at, at + most));
        assertEquals(parseAll(chunks, { role: "server" }).frames, frames, `chunks of ${most}`);
      }
      const [inner, innerWire] = large(3000, 77);
      const got: Uint8Array[] = [];
      let nested = 0;
      const parser = new FrameParser({
        frameHeader() {},
        framePayload(bytes, start, end) {
          if (nested++ === 0) assertEquals(parseAll([innerWire.slice()], { role: "server" }).frames, [inner]);
          got.push(bytes.slice(start, end));
        },
        frameEnd() {},
      }, { role: "server" });
      parser.parse(pairs[6]![1].slice());
      assertEquals(concatAll(got), frames[6]!.payload);
    });

    it("give each long frame in one piece that lies whole in the chunk, also behind the rest of one", () => {
      const pairs = [65_536, 65_536, 65_535, 65_536, 16_384, 130_000, 65_536, 262_130, 300].map(large);
      const wire = concat(...pairs.map(([, bytes]) => bytes));
      for (const start of [0, 40_000, pairs[0]![1].length - 20]) {
        const lengths: number[] = [];
        const parser = new FrameParser({
          frameHeader() {},
          framePayload: (_, from, to) => void lengths.push(to - from),
          frameEnd() {},
        }, { role: "server" });
        const chunk = wire.slice();
        parser.parse(chunk, 0, start);
        const cut = lengths.length;
        parser.parse(chunk, start);
        const rest = pairs[0]![0].payload.length - lengths.slice(0, cut).reduce((sum, length) => sum + length, 0);
        assertEquals(lengths.slice(cut), [rest, ...pairs.slice(1).map(([{ payload }]) => payload.length)], `${start}`);
      }
    });

    it("can be stopped at any frame, also at the end of a piece", () => {
      const [, one] = large(262_144 - 14, 1);
      const [, two] = large(2000, 2);
      const seen: number[] = [];
      const parser: FrameParser = new FrameParser({
        frameHeader: ({ payloadLength }) => void seen.push(payloadLength),
        framePayload() {},
        frameEnd: () => parser.stop(),
      }, { role: "server" });
      const wire = concat(one, two, two);
      assertEquals([parser.parse(wire), seen], [one.length, [262_130]]);
      assertEquals([parser.parse(wire, one.length), seen.length], [one.length + two.length, 2]);
    });

    it("leave no place taken, not even when a frame is refused", () => {
      const [, good] = large(2000, 3);
      const bad = new Uint8Array(2000).fill(0xff);
      for (let round = 0; round < 300; round++) {
        assertThrows(
          () => new FrameParser(new Collector(), { role: "server" }).parse(concat(good, bad)),
          ProtocolError,
        );
      }
      const slot = lease(262144);
      assert(slot !== undefined);
      giveBack(slot);
    });
  });

  it("stops after the frame in which the handler calls stop(), and resumes behind it", () => {
    const wire = concat(encodeFrame(frame(Opcode.Text, encode("one"))), encodeFrame(frame(Opcode.Text, encode("two"))));
    const seen: number[] = [];
    const parser: FrameParser = new FrameParser({
      frameHeader() {},
      framePayload() {},
      frameEnd() {
        seen.push(seen.length);
        parser.stop();
      },
    });
    const used = parser.parse(wire.slice());
    assertEquals([used, seen.length], [5, 1]);
    assertEquals([parser.parse(wire.slice(used)), seen.length], [5, 2]);
  });

  const k = [1, 2, 3, 4];
  const refused: [name: string, bytes: number[], code: ProtocolErrorCode, options?: FrameParserOptions][] = [
    ["RSV1 without an extension", [0xc1, 0x00], "ERR_RESERVED_BITS"],
    ["RSV2 without an extension", [0xa1, 0x00], "ERR_RESERVED_BITS"],
    ["RSV3 without an extension", [0x91, 0x00], "ERR_RESERVED_BITS"],
    ["RSV2 where RSV1 is allowed", [0xa1, 0x00], "ERR_RESERVED_BITS", { allowedReserved: ReservedBit.Rsv1 }],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): (typeof refused)[number] => [
      `the reserved opcode ${opcode}`,
      [0x80 | opcode, 0x00],
      "ERR_RESERVED_OPCODE",
    ]),
    ["a fragmented close", [0x08, 0x00], "ERR_FRAGMENTED_CONTROL"],
    ["a fragmented ping", [0x09, 0x00], "ERR_FRAGMENTED_CONTROL"],
    ["a fragmented pong", [0x0a, 0x00], "ERR_FRAGMENTED_CONTROL"],
    ["a ping of 126 bytes", [0x89, 0x7e, 0x00, 0x7e], "ERR_CONTROL_TOO_LONG"],
    ["a close with a 64-bit length", [0x88, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1], "ERR_CONTROL_TOO_LONG"],
    ["an unmasked frame at a server", [0x81, 0x00], "ERR_MASK_REQUIRED", { role: "server" }],
    ["a masked frame at a client", [0x81, 0x80, ...k], "ERR_MASK_FORBIDDEN", { role: "client" }],
    ["the top bit of a 64-bit length", [0x82, 0x7f, 0x80, 0, 0, 0, 0, 1, 0, 0], "ERR_LENGTH_INVALID"],
    ["a length beyond 2^53", [0x82, 0x7f, 0x00, 0x20, 0, 0, 0, 0, 0, 0], "ERR_LENGTH_INVALID"],
    ["a 16-bit length below 126", [0x82, 0x7e, 0x00, 0x7d], "ERR_LENGTH_INVALID"],
    ["a 64-bit length below 65536", [0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "ERR_LENGTH_INVALID"],
    ["a payload beyond the limit, at its header", [0x82, 0x7e, 0x01, 0x01], "ERR_MESSAGE_TOO_LARGE", {
      maxPayload: 256,
    }],
  ];
  for (const [name, bytes, code, options] of refused) {
    it(`refuses ${name}, whole and byte by byte, before and after valid frames`, () => {
      const padding = new Uint8Array(20);
      const masked = options?.role === "server";
      const valid = encodeFrame(frame(Opcode.Text, encode("ok")), masked ? { maskingKey: Uint8Array.from(k) } : {});
      for (const before of [new Uint8Array(0), valid]) {
        for (const after of [new Uint8Array(0), padding]) {
          const wire = concat(before, Uint8Array.from(bytes), after);
          const whole = new FrameParser(new Collector(), options);
          const error = assertThrows(() => whole.parse(wire.slice()), ProtocolError);
          assertEquals(error.code, code);
          const bytewise = new FrameParser(new Collector(), options);
          const later = assertThrows(() => {
            for (const byte of wire) bytewise.parse(Uint8Array.of(byte));
          }, ProtocolError);
          assertEquals(later.code, code);
        }
      }
    });
  }

  it("checks reserved bits, opcode, FIN, length and mask in this order", () => {
    const order: [number[], ProtocolErrorCode][] = [
      [[0x43, 0x7f], "ERR_RESERVED_BITS"],
      [[0x0b, 0x7f], "ERR_RESERVED_OPCODE"],
      [[0x09, 0x7f], "ERR_FRAGMENTED_CONTROL"],
      [[0x89, 0x7f], "ERR_CONTROL_TOO_LONG"],
      [[0x89, 0x01], "ERR_MASK_REQUIRED"],
    ];
    for (const [bytes, code] of order) {
      const parser = new FrameParser(new Collector(), { role: "server" });
      const error = assertThrows(() => parser.parse(concat(Uint8Array.from(bytes), new Uint8Array(14))), ProtocolError);
      assertEquals(error.code, code);
    }
  });

  it("refuses a bad first octet before the second has come", () => {
    const parser = new FrameParser(new Collector());
    assertThrows(() => parser.parse(Uint8Array.of(0x83)), ProtocolError);
  });

  it("turns any bytes into frames or a documented error, in any chunks (fuzz)", () => {
    withSeed((random) => {
      for (let round = 0; round < 3000; round++) {
        // Mostly valid frames with a few damaged bytes reach deeper than noise does.
        const frames = Array.from({ length: 1 + random.int(4) }, () => {
          const opcode = random.pick(Object.values(Opcode));
          const length = opcode >= 8 ? random.int(126) : random.pick([0, 3, 125, 126, 400]);
          const final = opcode >= 8 || random.int(2) === 0;
          return encodeFrame(frame(opcode, random.bytes(length), { final }), { maskingKey: random.bytes(4) });
        });
        const wire = random.int(4) === 0 ? random.bytes(random.int(64)) : concat(...frames);
        for (let hits = random.int(3); hits > 0 && wire.length > 0; hits--) {
          wire[random.int(wire.length)] = random.int(256);
        }
        const options: FrameParserOptions = { role: "server", maxPayload: 1 << 20 };
        const outcomes = [wire.length, 1, 9].map((most) => {
          const collector = new Collector();
          const parser = new FrameParser(collector, options);
          try {
            for (const chunk of random.chunks(wire, Math.max(1, most))) parser.parse(chunk);
            return { frames: collector.frames, code: "" };
          } catch (error) {
            assertInstanceOf(error, ProtocolError);
            return { frames: collector.frames, code: error.code };
          }
        });
        assertEquals(outcomes[1], outcomes[0]);
        assertEquals(outcomes[2], outcomes[0]);
      }
    });
  });
});

describe("a node Buffer as input", () => {
  it("is copied where a copy is promised, and never aliased by kept bytes", () => {
    const wire = Buffer.from(
      encodeFrame(frame(Opcode.Binary, encode("abc")), { maskingKey: Uint8Array.of(1, 2, 3, 4) }),
    );
    const copy = Uint8Array.from(wire);
    const decoded = decodeFrame(wire)!.frame;
    assertEquals(Uint8Array.from(wire), copy);
    assertEquals(decoded.payload, encode("abc"));
    const collector = new Collector();
    new FrameParser(collector).parse(wire);
    const { payload } = collector.frames[0]!;
    wire.fill(0);
    assertEquals([payload.constructor, payload], [Uint8Array, encode("abc")]);
  });
});

describe("maxFramePayload", () => {
  it("is exact at every header edge: the frame fits, and one byte more does not", () => {
    for (const masked of [false, true]) {
      const least = masked ? 7 : 3;
      const edges = [125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 65535, 65536];
      for (let add = 0; add < 24; add++) edges.push(65535 + add);
      for (const frameSize of [least, least + 1, 20, ...edges, 100000]) {
        const payload = maxFramePayload(frameSize, masked);
        assert(frameHeaderLength(payload, masked) + payload <= frameSize, `${payload} in ${frameSize}`);
        assert(frameHeaderLength(payload + 1, masked) + payload + 1 > frameSize, `${payload + 1} in ${frameSize}`);
      }
    }
  });

  it("throws a RangeError for a size that cannot hold a header and one byte", () => {
    for (const [size, masked] of [[2, false], [6, true], [0, false], [-1, false], [3.5, false], [NaN, true]] as const) {
      const error = assertThrows(() => maxFramePayload(size, masked), RangeError);
      assertInstanceOf(error, OptionError);
    }
  });
});

describe("encodeFrame", () => {
  it("refuses frames that RFC 6455 does not allow", () => {
    const long = new Uint8Array(126);
    assertThrows(() => encodeFrame({ opcode: 3 as Opcode, payload: long }), OptionError, "3");
    assertThrows(() => encodeFrame({ opcode: Opcode.Ping, payload: long }), OptionError, "126");
    assertThrows(() => encodeFrame({ opcode: Opcode.Close, payload: encode(""), final: false }), OptionError);
    assertThrows(() => encodeFrame({ opcode: Opcode.Text, payload: long, reserved: 0x80 }), OptionError);
    assertThrows(
      () => encodeFrame({ opcode: Opcode.Text, payload: long }, { maskingKey: new Uint8Array(3) }),
      OptionError,
    );
  });

  it("does not change the payload when it masks", () => {
    const payload = encode("payload");
    encodeFrame({ opcode: Opcode.Text, payload }, { maskingKey: Uint8Array.of(9, 9, 9, 9) });
    assertEquals(payload, encode("payload"));
  });
});

describe("FrameDecoderStream", () => {
  it("takes a frame in any number of pieces", async () => {
    const payload = new Uint8Array(200_000).map((_, index) => index);
    const wire = encodeFrame(frame(Opcode.Binary, payload));
    const decoder = new FrameDecoderStream();
    const writer = decoder.writable.getWriter();
    const decoded = decoder.readable.getReader().read();
    for (let at = 0; at < wire.length - 1; at++) writer.write(wire.subarray(at, at + 1)).catch(() => {});
    const last = writer.write(wire.subarray(-1));
    assertSameBytes((await decoded).value!.payload, payload);
    await last;
    await writer.close();
  });
});

describe("decodeFrame", () => {
  it("gives undefined for less than a frame, and does not change its input", () => {
    const wire = encodeFrame(frame(Opcode.Text, encode("Hello")), { maskingKey: Uint8Array.of(1, 2, 3, 4) });
    const copy = wire.slice();
    for (let length = 0; length < wire.length; length++) assertEquals(decodeFrame(wire.subarray(0, length)), undefined);
    assertEquals(decodeFrame(concat(wire, wire))?.bytesRead, wire.length);
    assertEquals(wire, copy);
  });
});

describe("the streams", () => {
  const frames = [
    frame(Opcode.Text, encode("a"), { final: false }),
    frame(Opcode.Ping, encode("p")),
    frame(0, encode("b")),
  ];

  it("round-trip frames, masked too", async () => {
    for (const masked of [false, true]) {
      const decoded = ReadableStream.from(frames)
        .pipeThrough(new FrameEncoderStream({ masked }))
        .pipeThrough(new FrameDecoderStream({ role: masked ? "server" : "client" }));
      assertEquals(await Array.fromAsync(decoded), frames);
    }
  });

  it("give the frames before an error, then the error", async () => {
    const bytes = concat(encodeFrame(frames[0]!), Uint8Array.of(0x83, 0x00));
    const reader = ReadableStream.from([bytes]).pipeThrough(new FrameDecoderStream()).getReader();
    const seen: unknown[] = [];
    const error = await assertRejects(async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        seen.push(value);
      }
    }, ProtocolError);
    assertEquals(error.code, "ERR_RESERVED_OPCODE");
    assert(seen.length <= 1);
  });

  it("fail when the stream ends inside a frame", async () => {
    const cut = ReadableStream.from([Uint8Array.of(0x81, 0x05, 0x48)]).pipeThrough(new FrameDecoderStream());
    await assertRejects(() => Array.fromAsync(cut), ProtocolError, "inside a frame");
  });

  it("fail on a frame that must not be sent", async () => {
    const bad = ReadableStream.from([frame(Opcode.Ping, new Uint8Array(126))]).pipeThrough(new FrameEncoderStream());
    await assertRejects(() => Array.fromAsync(bad), OptionError);
  });
});
