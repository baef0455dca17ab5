import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import process from "node:process";
import { deflateRawSync } from "node:zlib";
import {
  acceptDeflateOffer,
  compressionSettings,
  makeDeflateOffer,
  MessageDeflater,
  MessageInflater,
  readDeflateAnswer,
  withPlainOffer,
} from "../../protocol/deflate.ts";
import type { CompressionOptions, DeflateParameters } from "../../protocol/compression.ts";
import { HandshakeError, OptionError, ProtocolError } from "../../base/errors.ts";
import { formatExtensions, parseExtensions } from "../../protocol/extensions.ts";
import { liveZlibStates, RawDeflate, RawInflate } from "../../protocol/raw_deflate.ts";
import { longestDistance } from "../support/distances.ts";
import { assertSameBytes, decode, encode, Random, withSeed } from "../support/support.ts";
import { concat, concatAll } from "../../base/bytes.ts";

const DEFAULTS = compressionSettings(true)!;
const NO_TAKEOVER = compressionSettings({ serverNoContextTakeover: true, clientNoContextTakeover: true })!;
const HELLO = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);

const settings = (options: CompressionOptions) => compressionSettings(options)!;

/** Decompresses one message, given in pieces. */
function inflate(inflater: MessageInflater, ...pieces: Uint8Array[]): Uint8Array {
  const out: Uint8Array[] = [];
  const sink = (bytes: Uint8Array, start: number, end: number) => void out.push(bytes.slice(start, end));
  for (const piece of pieces) inflater.decompress(piece, 0, piece.length, sink);
  inflater.finish(sink);
  return concatAll(out);
}

function compressible(random: Random, length: number): Uint8Array<ArrayBuffer> {
  const words = Array.from({ length: 50 }, () => random.bytes(1 + random.int(12)));
  const parts: Uint8Array[] = [];
  for (let total = 0; total < length;) {
    const word = random.pick(words);
    parts.push(word);
    total += word.length;
  }
  return concat(...parts).slice(0, length);
}

describe("compressionSettings", () => {
  it("fills in the defaults, and is undefined for false", () => {
    assertEquals(compressionSettings(false), undefined);
    assertEquals(settings({}), DEFAULTS);
    assertEquals(settings({ level: undefined, threshold: 5 }), { ...DEFAULTS, threshold: 5 });
  });

  it("refuses settings that are out of range, of another type, or unknown", () => {
    const wrong: object[] = [
      { serverMaxWindowBits: 7 },
      { serverMaxWindowBits: 16 },
      { clientMaxWindowBits: 7 },
      { clientMaxWindowBits: 9.5 },
      { level: 10 },
      { level: -1 },
      { memoryLevel: 0 },
      { memoryLevel: 10 },
      { threshold: -1 },
      { threshold: "1" },
      { serverNoContextTakeover: 1 },
      { clientNoContextTakeover: "yes" },
      { windowBits: 9 },
      { toString: 1 },
    ];
    for (const option of wrong) assertThrows(() => compressionSettings(option), OptionError, Object.keys(option)[0]);
    assertThrows(() => compressionSettings("yes" as unknown as boolean), OptionError, '"yes"');
    assertThrows(() => compressionSettings([] as object), OptionError, "a list");
    assertThrows(() => compressionSettings(null as unknown as boolean), OptionError, "null");
  });
});

describe("acceptDeflateOffer", () => {
  const rows: [offer: string, options: CompressionOptions, answer: string | undefined][] = [
    ["permessage-deflate", {}, "permessage-deflate"],
    ["", {}, undefined],
    ["x-webkit-deflate-frame", {}, undefined],
    ["Permessage-Deflate", {}, undefined],
    ["foo, permessage-deflate", {}, "permessage-deflate"],
    // §7.1.1: an offered parameter is answered, an own wish is added.
    ["permessage-deflate; server_no_context_takeover", {}, "permessage-deflate; server_no_context_takeover"],
    ["permessage-deflate", { serverNoContextTakeover: true }, "permessage-deflate; server_no_context_takeover"],
    ["permessage-deflate; client_no_context_takeover", {}, "permessage-deflate; client_no_context_takeover"],
    ["permessage-deflate", { clientNoContextTakeover: true }, "permessage-deflate; client_no_context_takeover"],
    // §7.1.2.1
    ["permessage-deflate; server_max_window_bits=10", {}, "permessage-deflate; server_max_window_bits=10"],
    ['permessage-deflate; server_max_window_bits="10"', {}, "permessage-deflate; server_max_window_bits=10"],
    ["permessage-deflate; server_max_window_bits=15", {}, "permessage-deflate; server_max_window_bits=15"],
    ["permessage-deflate; server_max_window_bits=8", {}, "permessage-deflate; server_max_window_bits=8"],
    [
      "permessage-deflate; server_max_window_bits=12",
      { serverMaxWindowBits: 9 },
      "permessage-deflate; server_max_window_bits=9",
    ],
    [
      "permessage-deflate; server_max_window_bits=9",
      { serverMaxWindowBits: 12 },
      "permessage-deflate; server_max_window_bits=9",
    ],
    ["permessage-deflate", { serverMaxWindowBits: 9 }, "permessage-deflate; server_max_window_bits=9"],
    // §7.1.2.2: only a client that has said that it can do it is asked to.
    ["permessage-deflate", { clientMaxWindowBits: 9 }, "permessage-deflate"],
    [
      "permessage-deflate; client_max_window_bits",
      { clientMaxWindowBits: 9 },
      "permessage-deflate; client_max_window_bits=9",
    ],
    ["permessage-deflate; client_max_window_bits", {}, "permessage-deflate"],
    ["permessage-deflate; client_max_window_bits=10", {}, "permessage-deflate; client_max_window_bits=10"],
    [
      "permessage-deflate; client_max_window_bits=10",
      { clientMaxWindowBits: 12 },
      "permessage-deflate; client_max_window_bits=10",
    ],
    // §7.1: what must be declined, alone and with something to fall back on.
    ["permessage-deflate; foo", {}, undefined],
    [
      "permessage-deflate; foo=1, permessage-deflate; server_max_window_bits=11",
      {},
      "permessage-deflate; server_max_window_bits=11",
    ],
    ["permessage-deflate; server_no_context_takeover; server_no_context_takeover", {}, undefined],
    ["permessage-deflate; client_no_context_takeover; client_no_context_takeover", {}, undefined],
    ["permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", {}, undefined],
    ["permessage-deflate; client_max_window_bits; client_max_window_bits=9", {}, undefined],
    ["permessage-deflate; server_no_context_takeover=1", {}, undefined],
    ["permessage-deflate; client_no_context_takeover=true", {}, undefined],
    ["permessage-deflate; server_max_window_bits", {}, undefined],
    ["permessage-deflate; server_max_window_bits=7", {}, undefined],
    ["permessage-deflate; server_max_window_bits=16", {}, undefined],
    ["permessage-deflate; server_max_window_bits=08", {}, undefined],
    ["permessage-deflate; server_max_window_bits=8.5", {}, undefined],
    ["permessage-deflate; server_max_window_bits=-9", {}, undefined],
    ["permessage-deflate; server_max_window_bits=1e1", {}, undefined],
    ["permessage-deflate; client_max_window_bits=7", {}, undefined],
    ["permessage-deflate; client_max_window_bits=16", {}, undefined],
    ["permessage-deflate; client_max_window_bits=015", {}, undefined],
    [
      "permessage-deflate; server_max_window_bits=7, permessage-deflate; client_max_window_bits=6, permessage-deflate",
      {},
      "permessage-deflate",
    ],
  ];
  for (const [offer, options, answer] of rows) {
    it(`answers "${offer}" with ${answer ?? "nothing"}, ${JSON.stringify(options)}`, () => {
      const agreed = acceptDeflateOffer(parseExtensions([offer]), settings(options));
      assertEquals(agreed && formatExtensions([agreed.extension]), answer);
    });
  }

  it("knows the settings that follow from its answer", () => {
    const offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=11; server_no_context_takeover";
    const agreed = acceptDeflateOffer(parseExtensions([offer]), settings({ clientMaxWindowBits: 9 }));
    assertEquals(agreed?.parameters, {
      serverNoContextTakeover: true,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 11,
      clientMaxWindowBits: 9,
    });
  });
});

describe("a client's negotiation", () => {
  it("offers what is wanted, and always that its window may be limited", () => {
    const rows: [CompressionOptions, string][] = [
      [{}, "permessage-deflate; client_max_window_bits"],
      [{ clientMaxWindowBits: 10 }, "permessage-deflate; client_max_window_bits=10"],
      [
        { serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 9 },
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
      ],
    ];
    for (const [options, offer] of rows) assertEquals(formatExtensions([makeDeflateOffer(settings(options))]), offer);
  });

  /** Own bits are those with which it compresses. */
  const accepted: [options: CompressionOptions, answer: string, parameters: Partial<DeflateParameters>][] = [
    [{}, "permessage-deflate", {}],
    [{}, "permessage-deflate; server_no_context_takeover", { serverNoContextTakeover: true }],
    [{}, "permessage-deflate; client_no_context_takeover", { clientNoContextTakeover: true }],
    [{}, "permessage-deflate; server_max_window_bits=8", { serverMaxWindowBits: 8 }],
    [{}, "permessage-deflate; client_max_window_bits=8", { clientMaxWindowBits: 8 }],
    [{ clientMaxWindowBits: 10 }, "permessage-deflate", { clientMaxWindowBits: 10 }],
    [{ clientMaxWindowBits: 10 }, "permessage-deflate; client_max_window_bits=9", { clientMaxWindowBits: 9 }],
    [{ clientNoContextTakeover: true }, "permessage-deflate", { clientNoContextTakeover: true }],
    [{ serverMaxWindowBits: 10 }, "permessage-deflate; server_max_window_bits=9", { serverMaxWindowBits: 9 }],
  ];
  for (const [options, answer, parameters] of accepted) {
    it(`accepts "${answer}" for ${JSON.stringify(options)}`, () => {
      const agreed = readDeflateAnswer(parseExtensions([answer]), [settings(options)]);
      const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = DEFAULTS;
      assertEquals(agreed?.parameters, {
        serverNoContextTakeover,
        clientNoContextTakeover,
        serverMaxWindowBits,
        clientMaxWindowBits,
        ...parameters,
      });
    });
  }

  const refused: [options: CompressionOptions, answer: string][] = [
    [{}, "permessage-deflate, permessage-deflate"],
    [{}, "permessage-deflate; foo"],
    [{}, "permessage-deflate; server_no_context_takeover=1"],
    [{}, "permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
    [{}, "permessage-deflate; server_max_window_bits"],
    [{}, "permessage-deflate; server_max_window_bits=16"],
    [{}, "permessage-deflate; server_max_window_bits=7"],
    [{}, "permessage-deflate; client_max_window_bits"],
    [{}, "permessage-deflate; client_max_window_bits=7"],
    [{}, "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9"],
    [{ serverNoContextTakeover: true }, "permessage-deflate"],
    [{ serverMaxWindowBits: 10 }, "permessage-deflate"],
    [{ serverMaxWindowBits: 10 }, "permessage-deflate; server_max_window_bits=11"],
    [{ clientMaxWindowBits: 10 }, "permessage-deflate; client_max_window_bits=11"],
  ];
  for (const [options, answer] of refused) {
    it(`refuses "${answer}" for ${JSON.stringify(options)}`, () => {
      const error = assertThrows(
        () => readDeflateAnswer(parseExtensions([answer]), [settings(options)]),
        HandshakeError,
        "permessage-deflate",
      );
      assertEquals(error.code, "ERR_HANDSHAKE_RESPONSE");
    });
  }

  it("finds the offer that an answer fits, and is without compression if there is no answer", () => {
    const offers = [settings({ serverMaxWindowBits: 10, level: 1 }), settings({ level: 9 })];
    const level = (answer: string) => readDeflateAnswer(parseExtensions([answer]), offers)?.settings.level;
    assertEquals(level("permessage-deflate; server_max_window_bits=10"), 1);
    assertEquals(level("permessage-deflate; server_max_window_bits=11"), 9);
    assertEquals(level("permessage-deflate"), 9);
    assertEquals(readDeflateAnswer([], offers), undefined);
  });
});

describe("withPlainOffer", () => {
  const shown = (options: CompressionOptions): string =>
    formatExtensions(withPlainOffer(settings(options)).map(makeDeflateOffer));

  it("adds an offer that asks the server for nothing, if one does", () => {
    const plain = "permessage-deflate; client_max_window_bits";
    assertEquals(shown({}), plain);
    assertEquals(
      shown({ serverMaxWindowBits: 9 }),
      `permessage-deflate; server_max_window_bits=9; client_max_window_bits, ${plain}`,
    );
    assertEquals(
      shown({ serverNoContextTakeover: true, clientMaxWindowBits: 10 }),
      "permessage-deflate; server_no_context_takeover; client_max_window_bits=10, permessage-deflate; client_max_window_bits=10",
    );
    assertEquals(
      shown({ clientNoContextTakeover: true }),
      `permessage-deflate; client_no_context_takeover; ${plain.slice(20)}`,
    );
  });

  it("takes answers of servers that ignore parameters, and keeps what this end decides by itself", () => {
    const wish = {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 10,
      level: 1,
    };
    const read = (answer: string) => readDeflateAnswer(parseExtensions([answer]), withPlainOffer(settings(wish)));
    const ours = { clientNoContextTakeover: true, clientMaxWindowBits: 10 };
    const rows: [answer: string, serverNoContextTakeover: boolean, serverMaxWindowBits: number][] = [
      // As Mojolicious, gorilla, and a server that knows all.
      ["permessage-deflate", false, 15],
      ["permessage-deflate; server_no_context_takeover; client_no_context_takeover", true, 15],
      ["permessage-deflate; server_no_context_takeover; server_max_window_bits=9", true, 9],
    ];
    for (const [answer, serverNoContextTakeover, serverMaxWindowBits] of rows) {
      const { parameters, settings: { level } } = read(answer)!;
      assertEquals([parameters, level], [{ ...ours, serverNoContextTakeover, serverMaxWindowBits }, 1]);
    }
    assertThrows(() => read("permessage-deflate; client_max_window_bits=11"), HandshakeError, "fits nothing");
    assertThrows(() => read("permessage-deflate; server_max_window_bits=16"), HandshakeError);
  });

  it("is taken by our own server at its first element", () => {
    const wish = settings({ serverMaxWindowBits: 9, serverNoContextTakeover: true });
    const agreed = acceptDeflateOffer(withPlainOffer(wish).map(makeDeflateOffer), settings({}))!;
    assertEquals(
      formatExtensions([agreed.extension]),
      "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
    );
  });
});

describe("the examples of RFC 7692 §7.2.3", () => {
  const rows: [clause: string, messages: Uint8Array[], texts: string[]][] = [
    ["§7.2.3.1 one compressed message", [HELLO], ["Hello"]],
    ["§7.2.3.2 sharing the window", [HELLO, Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00)], ["Hello", "Hello"]],
    [
      "§7.2.3.3 a block without compression",
      [Uint8Array.of(0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00)],
      ["Hello"],
    ],
    ["§7.2.3.4 a block with BFINAL", [Uint8Array.of(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00)], ["Hello"]],
    [
      "§7.2.3.5 two blocks in one message",
      [Uint8Array.of(0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00)],
      ["Hello"],
    ],
    ["§7.2.3.6 an empty message", [Uint8Array.of(0x00)], [""]],
  ];
  for (const [clause, messages, texts] of rows) {
    it(`are read: ${clause}`, () => {
      for (const byByte of [false, true]) {
        const inflater = new MessageInflater("server", DEFAULTS);
        const got = messages.map((message) =>
          decode(inflate(inflater, ...byByte ? Array.from(message, (byte) => Uint8Array.of(byte)) : [message]))
        );
        inflater.close();
        assertEquals(got, texts);
      }
    });
  }

  it("are written: the first two", () => {
    const deflater = new MessageDeflater("server", DEFAULTS, DEFAULTS);
    assertEquals(deflater.compress(encode("Hello"), true).slice(), HELLO);
    assertEquals(deflater.compress(encode("Hello"), true).slice(), Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00));
    assertEquals(deflater.compress(new Uint8Array(0), true).slice(), Uint8Array.of(0x00));
    deflater.close();
  });
});

describe("MessageDeflater and MessageInflater", () => {
  it("bring back any messages, with all parameters, fragments and chunks (seeded)", () => {
    withSeed((random) => {
      for (let round = 0; round < 300; round++) {
        const options = settings({
          serverNoContextTakeover: random.int(2) === 0,
          clientNoContextTakeover: random.int(2) === 0,
          serverMaxWindowBits: 8 + random.int(8),
          clientMaxWindowBits: 8 + random.int(8),
          level: random.int(10),
          memoryLevel: 1 + random.int(9),
        });
        const role = random.pick(["server", "client"] as const);
        const deflater = new MessageDeflater(role, options, options);
        const inflater = new MessageInflater(role === "server" ? "client" : "server", options);
        for (let index = 0; index < 8; index++) {
          const length = random.pick([0, 1, 5, 100, 1000, 70_000]);
          const message = random.int(3) === 0 ? random.bytes(length) : compressible(random, length);
          const fragments = random.int(2) === 0
            ? [message]
            : [...random.chunks(message, length / 3), new Uint8Array(0)];
          const wire = fragments.map((fragment, at) => {
            const compressed = deflater.compress(fragment, at === fragments.length - 1).slice();
            // Stored blocks have a header of 5 bytes; with the least memory there is one every 100 bytes or so.
            assert(compressed.length <= fragment.length * 1.07 + 64, `${compressed.length} of ${fragment.length}`);
            return compressed;
          });
          if (random.int(10) === 0) deflater.forget();
          assertSameBytes(inflate(inflater, ...random.chunks(concat(...wire), 1 + random.int(5000))), message);
        }
        deflater.close();
        inflater.close();
      }
    });
  });

  it("never refer further back than the window, 8 bits included, whatever level and memory level", () => {
    const random = new Random(7692);
    // Each block of 100 bytes comes again after many others, so that there is a match at every distance.
    const blocks = Array.from({ length: 400 }, () => random.bytes(100));
    const input = concat(...Array.from({ length: 800 }, () => random.pick(blocks)));
    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      for (const level of [1, 2, 3, 6, 9]) {
        for (const memoryLevel of [1, 8]) {
          const raw = new RawDeflate({ windowBits, level, memoryLevel });
          const output = concat(raw.compress(input.slice(0, 50_000)).slice(), raw.compress(input.slice(50_000)));
          raw.close();
          const { distance, length } = longestDistance(output);
          const name = `window ${windowBits}, level ${level}, memory level ${memoryLevel}`;
          assertEquals(length, input.length, name);
          assert(distance <= 1 << windowBits, `${name}: ${distance}`);
          // The reader of distances sees them: a window of 2^15 is used.
          if (windowBits === 15 && level === 9 && memoryLevel === 8) assert(distance > 20_000, `${distance}`);
        }
      }
    }
  });

  it("go on behind final blocks, with the window of what was before (RFC 7692 §7.2.3.4)", () => {
    const random = new Random(1);
    const message = random.bytes(14_000);
    const final = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff);
    const inflater = new MessageInflater("server", DEFAULTS);
    const deflater = new MessageDeflater("client", DEFAULTS, DEFAULTS);
    for (let index = 0; index < 8; index++) {
      const piece = message.subarray(index * 100, 14_000 - index * 100);
      const first = deflater.compress(piece.subarray(0, 3000), false).slice();
      const second = deflater.compress(piece.subarray(3000), false).slice();
      // What comes again is referred to, beyond the end of the first and of the last block.
      if (index > 0) assert(first.length < 300 && second.length < 1000, `${first.length}, ${second.length}`);
      const wire = concat(first, index % 3 === 0 ? final : new Uint8Array(0), second, final, Uint8Array.of(0));
      assertSameBytes(inflate(inflater, ...random.chunks(wire, 1 + 300 * index)), piece);
    }
    // The window is that of 2^15 bytes, not more and not less.
    const long = random.bytes(40_000);
    const wire = concat(deflater.compress(long, false).slice(), final, Uint8Array.of(0));
    assertSameBytes(inflate(inflater, wire), long);
    const last = deflater.compress(long.subarray(8000), true).slice();
    assert(last.length < 2000, `${last.length}`);
    assertSameBytes(inflate(inflater, last), long.subarray(8000));
    inflater.close();
    deflater.close();
  });

  it("take final blocks of any size, one after the other", () => {
    for (const length of [1, 65_535, 65_536, 65_537, 131_072]) {
      const block = new Uint8Array(deflateRawSync(new Uint8Array(length)));
      const inflater = new MessageInflater("client", DEFAULTS);
      const got = inflate(inflater, concat(block, block, block, Uint8Array.of(0)));
      assertEquals(got.length, 3 * length);
      inflater.close();
    }
  });

  it("take no flood of final blocks with little in them", () => {
    const inflater = new MessageInflater("server", DEFAULTS);
    const end = Uint8Array.of(0x00);
    const blocks = (count: number, block: Uint8Array): Uint8Array => concatAll(Array(count).fill(block));
    const nothing = Uint8Array.of(0x03, 0x00);
    const letter = Uint8Array.of(0x4b, 0x04, 0x00);
    const sentence = new Uint8Array(deflateRawSync(encode("The quick brown fox jumps.")));
    assertEquals(inflate(inflater, blocks(4, nothing), end).length, 0);
    assertEquals(decode(inflate(inflater, blocks(4, letter), end)), "aaaa");
    assertEquals(inflate(inflater, blocks(1000, sentence), end).length, 26_000);
    for (const [count, block] of [[6, nothing], [20, letter]] as const) {
      const other = new MessageInflater("server", DEFAULTS);
      assertThrows(() => inflate(other, blocks(count, block), end), ProtocolError, "too many");
      other.close();
    }
    inflater.close();
  });

  it("fail with 1007 on what is not DEFLATE, and on references beyond the window", () => {
    const rows: Uint8Array[] = [
      Uint8Array.of(0xff, 0xff, 0xff),
      Uint8Array.of(0x00, 0x05, 0x00, 0x00, 0x00),
      // The second message of §7.2.3.2 without the first.
      Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00),
    ];
    for (const wire of rows) {
      const inflater = new MessageInflater("server", NO_TAKEOVER);
      const error = assertThrows(() => inflate(inflater, wire), ProtocolError, "DEFLATE");
      assertEquals([error.code, error.closeCode], ["ERR_INVALID_DEFLATE", 1007]);
      inflater.close();
    }
  });

  it("forget the context without takeover, in both directions", () => {
    const deflater = new MessageDeflater("client", NO_TAKEOVER, NO_TAKEOVER);
    const inflater = new MessageInflater("server", NO_TAKEOVER);
    for (let index = 0; index < 3; index++) {
      const wire = deflater.compress(encode("Hello"), true).slice();
      assertEquals(wire, HELLO);
      assertEquals(decode(inflate(inflater, wire)), "Hello");
    }
    assertThrows(() => inflate(inflater, Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00)), ProtocolError);
    deflater.close();
    inflater.close();
  });

  it("do not let a peer refer to data of another connection, not even behind a final block", () => {
    const secret = new MessageInflater("server", NO_TAKEOVER);
    assertEquals(decode(inflate(secret, HELLO)), "Hello");
    secret.close();
    const other = new MessageInflater("server", NO_TAKEOVER);
    // A final block of nothing, and then "the last five bytes again".
    const wire = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff, 0xf2, 0x00, 0x11, 0x00, 0x00);
    assertThrows(() => inflate(other, wire), ProtocolError, "too far back");
    other.close();
  });

  it("give their memory back to the system when they are closed", () => {
    const rss = (): number => process.memoryUsage().rss;
    const before = rss();
    for (let count = 0; count < 3000; count++) {
      const deflater = new MessageDeflater("server", DEFAULTS, DEFAULTS);
      deflater.compress(HELLO, true);
      deflater.close();
    }
    // Some 260 KB each.
    assert(rss() - before < 300_000_000, `${rss() - before} bytes`);
  });

  it("keep no large buffer for the sake of one large message", () => {
    const deflater = new MessageDeflater("server", NO_TAKEOVER, NO_TAKEOVER);
    const large = new Random(2).bytes(3_000_000);
    assert(deflater.compress(large, true).length > large.length);
    assert(deflater.compress(HELLO, true).buffer.byteLength <= 1024 * 1024);
    deflater.close();
  });

  it("hand out at most 64 KiB at a time, and stop when the caller stops", () => {
    const bomb = deflateRawSync(new Uint8Array(50_000_000), { finishFlush: 2 }).slice(0, -4);
    const inflater = new MessageInflater("server", DEFAULTS);
    let total = 0;
    const sink = (_: Uint8Array, start: number, end: number) => {
      assert(end - start <= 65_536);
      total += end - start;
      if (total > 1_000_000) throw new Error("enough");
    };
    assertThrows(() => inflater.decompress(bomb, 0, bomb.length, sink), Error, "enough");
    assert(total < 1_100_000, `${total}`);
    inflater.close();
  });

  it("allocate a zlib state when they first need it, and free it on close", () => {
    const before = liveZlibStates();
    const deflater = new MessageDeflater("server", DEFAULTS, DEFAULTS);
    const inflater = new MessageInflater("client", DEFAULTS);
    assertEquals(liveZlibStates(), before);
    inflate(inflater, deflater.compress(encode("Hello"), true).slice());
    assertEquals(liveZlibStates(), before + 2);
    inflate(inflater, deflater.compress(encode("Hello"), true).slice());
    assertEquals(liveZlibStates(), before + 2);
    deflater.close();
    inflater.close();
    deflater.close();
    inflater.close();
    assertEquals(liveZlibStates(), before);
    inflater.decompress(HELLO, 0, HELLO.length, () => {
      throw new Error("nobody listens any more");
    });
    assertEquals(liveZlibStates(), before);
  });

  it("keep few free states, however many kinds there are", () => {
    const before = liveZlibStates();
    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      for (let level = 0; level <= 9; level++) {
        const parameters = { ...NO_TAKEOVER, level, serverMaxWindowBits: windowBits };
        const deflater = new MessageDeflater("server", parameters, parameters);
        const inflater = new MessageInflater("client", parameters);
        assertEquals(decode(inflate(inflater, deflater.compress(encode("Hello"), true).slice())), "Hello");
        deflater.close();
        inflater.close();
      }
    }
    assert(liveZlibStates() <= before + 16, `${liveZlibStates()} after ${before}`);
  });

  it("share their states without takeover, however many there are", () => {
    const pairs = Array.from({ length: 100 }, () => ({
      deflater: new MessageDeflater("server", NO_TAKEOVER, NO_TAKEOVER),
      inflater: new MessageInflater("client", NO_TAKEOVER),
    }));
    const one = pairs[0]!;
    inflate(one.inflater, one.deflater.compress(encode("Hello"), true).slice());
    const before = liveZlibStates();
    for (const { deflater, inflater } of pairs) {
      assertEquals(decode(inflate(inflater, deflater.compress(encode("Hello"), true).slice())), "Hello");
    }
    assertEquals(liveZlibStates(), before);
    // In the middle of messages each needs its own; most of them are freed again.
    const sink = () => {};
    for (const { inflater } of pairs) inflater.decompress(HELLO, 0, 3, sink);
    assert(liveZlibStates() >= before + 99);
    for (const { inflater } of pairs) {
      inflater.decompress(HELLO, 3, HELLO.length, sink);
      inflater.finish(sink);
    }
    assert(liveZlibStates() <= before + 8, `${liveZlibStates()} after ${before}`);
    for (const { deflater, inflater } of pairs) {
      deflater.close();
      inflater.close();
    }
  });
});

describe("RawInflate", () => {
  it("gives all output when it fills the buffer exactly", () => {
    for (const length of [65_535, 65_536, 65_537, 131_072, 196_608]) {
      const wire = deflateRawSync(new Uint8Array(length), { finishFlush: 2 });
      const raw = new RawInflate(15);
      let total = 0;
      raw.decompress(wire, 0, wire.length, (_, start, end) => void (total += end - start));
      raw.close();
      assertEquals(total, length);
    }
  });
});
