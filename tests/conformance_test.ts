/**
 * Rules of RFC 6455 §§5–8 and RFC 7692 §§5–8, a row a rule, seen from the wire: both roles, in memory (whole, and
 * byte by byte) and over a socket. The endpoint under test echoes messages. A row's last answer is a close frame, after
 * which the endpoint must end TCP, or else it must still answer a ping.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { deflateRawSync } from "node:zlib";
import { CONNECTION_DEFAULTS } from "../connection/options.ts";
import { Opcode, type Role } from "../protocol/frame_header.ts";
import { createConnection } from "../connection/connection.ts";
import { compressionSettings, MessageDeflater, MessageInflater } from "../protocol/deflate.ts";
import { isValidCloseCode, OptionError, StateError } from "../base/errors.ts";
import { decodeFrame } from "../protocol/frame.ts";
import {
  agreeOn,
  assertSameBytes,
  decode,
  decodeAll,
  encode,
  FakeTransport,
  openRig,
  Random,
  Recorder,
  settle,
} from "./support/support.ts";
import { concat, concatAll } from "../base/bytes.ts";
import { type Endpoint, type EndpointOptions, type Lane, LANES, openEndpoint, showWire, Wire } from "./support/wire.ts";

const ROLES: readonly Role[] = ["server", "client"];

interface Row {
  clause: string;
  rule: string;
  /** Bytes to send, one element a write. */
  wire: (wire: Wire) => Uint8Array[];
  /** The frames that must come back. */
  answer: string[];
  role?: Role;
  options?: EndpointOptions;
}

async function check(lane: Lane, role: Role, row: Row): Promise<void> {
  const endpoint = await openEndpoint(lane, role, row.options);
  try {
    const wire = new Wire(role);
    const closes = row.answer.at(-1)!.startsWith("close");
    const expected = closes ? row.answer : [...row.answer, 'pong "alive?"'];
    for (const bytes of row.wire(wire)) endpoint.send(bytes);
    if (!closes) endpoint.send(wire.ping("alive?"));
    const shown = (): string[] => showWire(endpoint.received(), role);
    await endpoint.until(() => shown().length >= expected.length || endpoint.ended(), expected.join(", "));
    assertEquals(shown(), expected);
    if (!closes) return;
    // RFC 6455 §7.1.1: the server ends TCP first.
    if (role === "client") endpoint.end();
    await endpoint.until(() => endpoint.ended(), "the end of TCP");
    assertEquals(shown(), expected);
  } finally {
    await endpoint.close();
  }
}

function checkAll(rows: Row[]): void {
  for (const row of rows) {
    it(`${row.clause} ${row.rule}`, async () => {
      for (const role of row.role ? [row.role] : ROLES) {
        for (const lane of LANES) {
          await check(lane, role, row).catch((cause) => {
            throw new Error(`as ${role}, ${lane}: ${cause instanceof Error ? cause.message : cause}`, { cause });
          });
        }
      }
    });
  }
}

const ascii = (length: number): string => "0123456789abcdef".repeat(Math.ceil(length / 16)).slice(0, length);
const shown = (kind: string, payload: string): string =>
  payload.length > 40 ? `${kind} [${payload.length}]` : `${kind} "${payload}"`;

// ---- RFC 6455 §5 ------------------------------------------------------------------------------------------------

describe("RFC 6455 §5.2 frames", () => {
  checkAll([0, 1, 125, 126, 127, 128, 65535, 65536, 65537].flatMap((length): Row[] => [
    {
      clause: "§5.2",
      rule: `a text of ${length} bytes`,
      wire: (wire) => [wire.text(ascii(length))],
      answer: [shown("text", ascii(length))],
    },
    {
      clause: "§5.2",
      rule: `a binary message of ${length} bytes`,
      wire: (wire) => [wire.binary(ascii(length))],
      answer: [shown("binary", ascii(length))],
    },
  ]));
  checkAll([
    ...([[16, 0], [16, 125], [64, 0], [64, 125], [64, 126], [64, 65535]] as const).map(([form, length]): Row => ({
      clause: "§5.2",
      rule: `the least number of bytes must be used for a length: ${length} in ${form} bits`,
      wire: (wire) => [wire.raw(0x82, ascii(length), { form })],
      answer: ["close 1002"],
    })),
    {
      clause: "§5.2",
      rule: "the most significant bit of a length of 64 bits must be 0",
      wire: (wire) => [wire.raw(0x82, "", { form: 64, length: 1n << 63n })],
      answer: ["close 1002"],
    },
    {
      clause: "§5.2",
      rule: "a frame over the limit is refused at its header",
      wire: (wire) => [wire.raw(0x82, "", { form: 64, length: 1001 + 65536 })],
      answer: ["close 1009"],
      options: { maxMessageSize: 65536 },
    },
  ]);
});

describe("RFC 6455 §5.1 masking", () => {
  checkAll([
    {
      clause: "§5.1",
      rule: "a server closes on a frame that is not masked",
      role: "server",
      wire: (wire) => [wire.raw(0x81, "Hello", { masked: false })],
      answer: ["close 1002"],
    },
    {
      clause: "§5.1",
      rule: "a client closes on a frame that is masked",
      role: "client",
      wire: (wire) => [wire.raw(0x81, "Hello", { masked: true })],
      answer: ["close 1002"],
    },
    {
      clause: "§5.1",
      rule: "a server closes on a control frame that is not masked, between valid frames",
      role: "server",
      wire: (wire) => [wire.text("Hi"), wire.raw(0x89, "x", { masked: false }), wire.text("no")],
      answer: ['text "Hi"', "close 1002"],
    },
  ]);

  it("§5.3 a client masks each frame with a key of its own, unpredictably", async () => {
    const { transport, connection } = openRig("client");
    for (let index = 0; index < 500; index++) connection.send("");
    await settle();
    const keys: number[] = [];
    for (let at = 0; at < transport.written.length; at += 6) {
      assertEquals(transport.written[at + 1], 0x80);
      keys.push(new DataView(transport.written.buffer).getUint32(at + 2));
    }
    assertEquals(keys.length, 500);
    assert(new Set(keys).size >= 499, "two equal keys in 500 are chance, three are not");
    for (const shift of [0, 8, 16, 24]) {
      const octets = new Set(keys.map((key) => (key >>> shift) & 0xff));
      assert(octets.size > 150, `${octets.size} values in one octet of 500 keys`);
    }
    connection.terminate();
  });
});

describe("RFC 6455 §5.4, §5.5, §6.1 what an endpoint cannot be made to send", () => {
  for (const role of ROLES) {
    it(`interleaved messages, long or fragmented control frames, data before and after: ${role}`, async () => {
      const { transport, connection } = openRig(role);
      assertThrows(() => connection.sendFrame(Opcode.Continuation, "x", true), StateError, "no message is begun");
      connection.sendFrame(Opcode.Text, "a", false);
      assertThrows(() => connection.sendFrame(Opcode.Binary, "b", true), StateError, "not finished");
      assertThrows(() => connection.send("c"), StateError, "not finished");
      assertThrows(() => connection.ping(ascii(126)), OptionError, "125");
      assertThrows(() => connection.sendFrame(Opcode.Ping, "d", false), OptionError, "data frame");
      assertThrows(() => connection.sendSimpleFrame(Opcode.Text, "e"), OptionError);
      for (const opcode of [3, 7, 11, 15]) {
        assertThrows(() => connection.sendFrame(opcode as Opcode, "f", true), OptionError);
        assertThrows(() => connection.sendSimpleFrame(opcode as Opcode), OptionError);
      }
      connection.sendFrame(Opcode.Continuation, "g", true);
      connection.close(1000);
      assertThrows(() => connection.sendFrame(Opcode.Text, "h", true), StateError, "closing");
      await settle();
      assertEquals(showWire(transport.written, role), ['text… "a"', 'continuation "g"', "close 1000"]);
      connection.terminate();
      const early = createConnection(new FakeTransport(), role, new Recorder(), CONNECTION_DEFAULTS);
      assertThrows(() => early.send("x"), StateError, "not open yet");
      assertThrows(() => early.ping(), StateError, "not open yet");
    });
  }
});

describe("RFC 6455 §5.2 reserved bits and opcodes", () => {
  const bits = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70];
  const opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
  checkAll([
    ...bits.flatMap((bit): Row[] =>
      ([[1, "text"], [2, "binary"], [8, "close"], [9, "ping"], [10, "pong"]] as const).map(([opcode, name]) => ({
        clause: "§5.2",
        rule: `RSV bits ${(bit >> 4).toString(2).padStart(3, "0")} in a ${name} frame`,
        wire: (wire) => [wire.text("before"), wire.raw(0x80 | bit | opcode, ""), wire.text("after"), wire.ping()],
        answer: ['text "before"', "close 1002"],
      }))
    ),
    ...bits.map((bit): Row => ({
      clause: "§5.2",
      rule: `RSV bits ${(bit >> 4).toString(2).padStart(3, "0")} in a continuation frame`,
      wire: (wire) => [wire.text("a", false), wire.raw(0x80 | bit, "b")],
      answer: ["close 1002"],
    })),
    ...opcodes.flatMap((opcode): Row[] => [
      {
        clause: "§5.2",
        rule: `the reserved opcode ${opcode}, empty, first of all`,
        wire: (wire) => [wire.raw(0x80 | opcode)],
        answer: ["close 1002"],
      },
      {
        clause: "§5.2",
        rule: `the reserved opcode ${opcode} with a payload, between valid frames`,
        wire: (wire) => [wire.text("before"), wire.ping("p"), wire.raw(0x80 | opcode, "x"), wire.text("after")],
        answer: ['text "before"', 'pong "p"', "close 1002"],
      },
      {
        clause: "§5.2",
        rule: `the reserved opcode ${opcode} inside a fragmented message`,
        wire: (wire) => [wire.text("a", false), wire.raw(opcode, "x"), wire.more("b")],
        answer: ["close 1002"],
      },
    ]),
  ]);

  it("§5.2 are refused at the first octet, before anything else of the frame has come", () => {
    for (const first of [0xc1, 0xa1, 0x91, 0x83, 0x8b, 0x09, 0x08]) {
      const { transport, recorder } = openRig();
      transport.receive(Uint8Array.of(first));
      assertEquals(showWire(transport.written, "server"), ["close 1002"], first.toString(16));
      assertEquals(recorder.errors.length, 1);
    }
  });
});

describe("RFC 6455 §5.4 fragmentation", () => {
  checkAll([
    {
      clause: "§5.4",
      rule: "fragments make one message, in order",
      wire: (wire) => [wire.text("Hel", false), wire.more("l", false), wire.more("o")],
      answer: ['text "Hello"'],
    },
    {
      clause: "§5.4",
      rule: "control frames may stand between fragments, and are answered at once",
      wire: (wire) => [wire.text("Hel", false), wire.ping("1"), wire.pong("2"), wire.more("lo")],
      answer: ['pong "1"', 'text "Hello"'],
    },
    {
      clause: "§5.4",
      rule: "empty fragments are fragments",
      wire: (wire) => [wire.text("", false), wire.more("", false), wire.more("a", false), wire.more("")],
      answer: ['text "a"'],
    },
    {
      clause: "§5.4",
      rule: "a message of empty fragments is an empty message",
      wire: (wire) => [wire.binary("", false), wire.more("", false), wire.more("")],
      answer: ['binary ""'],
    },
    {
      clause: "§5.4",
      rule: "the type of a message is that of its first fragment",
      wire: (wire) => [wire.binary(Uint8Array.of(0xff), false), wire.more(Uint8Array.of(0xfe))],
      answer: [`binary ${JSON.stringify(decode(Uint8Array.of(0xff, 0xfe)))}`],
    },
    {
      clause: "§5.4",
      rule: "one message after the other",
      wire: (wire) => [wire.text("a", false), wire.more("b"), wire.binary("c", false), wire.more("d"), wire.text("e")],
      answer: ['text "ab"', 'binary "cd"', 'text "e"'],
    },
    ...[true, false].flatMap((final): Row[] => [
      {
        clause: "§5.4",
        rule: `a continuation, FIN ${final}, with nothing to continue`,
        wire: (wire) => [wire.more("x", final), wire.text("after")],
        answer: ["close 1002"],
      },
      {
        clause: "§5.4",
        rule: `a continuation, FIN ${final}, after a message that has ended`,
        wire: (wire) => [wire.text("a", false), wire.more("b"), wire.more("c", final)],
        answer: ['text "ab"', "close 1002"],
      },
      {
        clause: "§5.4",
        rule: `a new text, FIN ${final}, inside a fragmented message`,
        wire: (wire) => [wire.text("a", false), wire.text("b", final)],
        answer: ["close 1002"],
      },
      {
        clause: "§5.4",
        rule: `a new binary message, FIN ${final}, inside a fragmented message`,
        wire: (wire) => [wire.text("a", false), wire.more("", false), wire.binary("b", final)],
        answer: ["close 1002"],
      },
    ]),
    {
      clause: "§5.4",
      rule: "the limit is that of all fragments together, at the header that goes beyond",
      wire: (
        wire,
      ) => [wire.text("0123456789", false), wire.more("0123456789", false), wire.raw(0x80, "", { length: 1 })],
      answer: ["close 1009"],
      options: { maxMessageSize: 20 },
    },
  ]);
});

describe("RFC 6455 §5.5 control frames", () => {
  checkAll([
    ...[0, 1, 2, 64, 124, 125].map((length): Row => ({
      clause: "§5.5.2, §5.5.3",
      rule: `a ping of ${length} bytes is answered with its payload`,
      wire: (wire) => [wire.ping(ascii(length))],
      answer: [shown("pong", ascii(length))],
    })),
    {
      clause: "§5.5.3",
      rule: "the payload of a pong is that of its ping, whatever its bytes",
      wire: (wire) => [wire.ping(Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00))],
      answer: [`pong ${JSON.stringify(decode(Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00)))}`],
    },
    {
      clause: "§5.5.2",
      rule: "ten pings in a row are answered in order",
      wire: (wire) => [concat(...Array.from({ length: 10 }, (_, index) => wire.ping(`payload ${index}`)))],
      answer: Array.from({ length: 10 }, (_, index) => `pong "payload ${index}"`),
    },
    {
      clause: "§5.5.2",
      rule: "pings one by one are answered in order",
      wire: (wire) => Array.from({ length: 10 }, (_, index) => wire.ping(`payload ${index}`)),
      answer: Array.from({ length: 10 }, (_, index) => `pong "payload ${index}"`),
    },
    {
      clause: "§5.5.3",
      rule: "unsolicited pongs are ignored, with and without payload",
      wire: (wire) => [wire.pong(), wire.pong("unsolicited"), wire.ping("p"), wire.pong("more")],
      answer: ['pong "p"'],
    },
    ...[8, 9, 10].flatMap((opcode): Row[] => [
      {
        clause: "§5.5",
        rule: `opcode ${opcode}: a control frame must not be longer than 125 bytes: 126`,
        wire: (wire) => [wire.raw(0x80 | opcode, ascii(126))],
        answer: ["close 1002"],
      },
      {
        clause: "§5.5",
        rule: `opcode ${opcode}: a control frame must not be longer than 125 bytes: 65536`,
        wire: (wire) => [wire.raw(0x80 | opcode, ascii(65536))],
        answer: ["close 1002"],
      },
      {
        clause: "§5.5",
        rule: `opcode ${opcode}: a control frame must not be fragmented`,
        wire: (wire) => [wire.raw(opcode, ""), wire.more("")],
        answer: ["close 1002"],
      },
      {
        clause: "§5.5",
        rule: `opcode ${opcode}: a control frame must not be fragmented, inside a message`,
        wire: (wire) => [wire.text("a", false), wire.raw(opcode, "x"), wire.more("b")],
        answer: ["close 1002"],
      },
    ]),
  ]);
});

// ---- RFC 6455 §7, §8 --------------------------------------------------------------------------------------------

describe("RFC 6455 §5.5.1, §7 closing", () => {
  checkAll([
    {
      clause: "§5.5.1",
      rule: "an empty close frame is answered",
      wire: (wire) => [wire.close()],
      answer: ["close"],
    },
    {
      clause: "§5.5.1",
      rule: "a close frame is answered with its code",
      wire: (wire) => [wire.close(1000, "bye")],
      answer: ["close 1000"],
    },
    {
      clause: "§5.5.1",
      rule: "a reason of 123 bytes is the longest",
      wire: (wire) => [wire.close(1000, ascii(123))],
      answer: ["close 1000"],
    },
    {
      clause: "§5.5.1",
      rule: "a payload of one byte has no code",
      wire: (wire) => [wire.raw(0x88, "x")],
      answer: ["close 1002"],
    },
    {
      clause: "§5.5.1",
      rule: "a reason must be UTF-8",
      wire: (wire) => [wire.close(1000, Uint8Array.of(0xce, 0xba, 0xed, 0xa0, 0x80))],
      answer: ["close 1007"],
    },
    {
      clause: "§5.5.1",
      rule: "nothing is processed after a close frame",
      wire: (wire) => [concat(wire.text("a"), wire.close(1000), wire.text("b"), wire.ping("c"))],
      answer: ['text "a"', "close 1000"],
    },
    {
      clause: "§5.5.1",
      rule: "what breaks the rules after a close frame is not processed either",
      wire: (wire) => [concat(wire.close(1001), wire.raw(0xf3, "x"))],
      answer: ["close 1001"],
    },
    {
      clause: "§5.5.1",
      rule: "a second close frame is not answered",
      wire: (wire) => [wire.close(1000), wire.close(1001)],
      answer: ["close 1000"],
    },
    {
      clause: "§5.5.1",
      rule: "a close frame may come inside a fragmented message, which is dropped",
      wire: (wire) => [wire.text("a", false), wire.close(1000), wire.more("b")],
      answer: ["close 1000"],
    },
    {
      clause: "§7.1.6",
      rule: "a close frame after much data comes after its echo",
      wire: (wire) => [wire.binary(ascii(262144)), wire.close(1000)],
      answer: ["binary [262144]", "close 1000"],
    },
  ]);

  it("§7.4 every code from 0 to 5000: echoed if it is valid, else answered with 1002", async () => {
    const valid = (code: number): boolean =>
      (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
    for (const role of ROLES) {
      const wire = new Wire(role);
      for (let code = 0; code <= 5000; code++) {
        assertEquals(isValidCloseCode(code), valid(code));
        const { transport, recorder } = openRig(role);
        transport.receive(wire.close(code, "why"));
        const answer = valid(code) ? `close ${code}` : "close 1002";
        assertEquals(showWire(transport.written, role), [answer], `${role} ${code}`);
        assertEquals(recorder.errors.length, valid(code) ? 0 : 1);
        transport.destroy();
      }
      for (const code of [65535, 10000]) {
        const { transport } = openRig(role);
        transport.receive(wire.close(code));
        assertEquals(showWire(transport.written, role), ["close 1002"]);
      }
    }
    await settle();
  });

  it("§7.4 codes at the edges, over a socket", async () => {
    for (const role of ROLES) {
      for (const code of [999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000]) {
        const answer = [isValidCloseCode(code) ? `close ${code}` : "close 1002"];
        await check("socket", role, { clause: "", rule: "", wire: (wire) => [wire.close(code)], answer });
      }
    }
  });

  it("§7.4.1 codes that must not be sent cannot be sent", () => {
    const { connection } = openRig();
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]) {
      assertThrows(() => connection.close(code), RangeError, String(code));
    }
    connection.terminate();
  });

  it("§7.1.2, §5.5.1 no frame is sent after a close frame", async () => {
    for (const role of ROLES) {
      const { transport, connection } = openRig(role);
      const wire = new Wire(role);
      connection.close(1000);
      assertThrows(() => connection.send("x"));
      assertThrows(() => connection.ping());
      transport.receive(wire.ping("late"));
      transport.receive(wire.text("late"));
      await settle();
      assertEquals(showWire(transport.written, role), ["close 1000"]);
      transport.receive(wire.close(1000));
      transport.handler.end();
      assertEquals((await connection.closed).clean, true);
    }
  });

  it("§7.1.1 the server ends TCP first, a client waits for it", () => {
    const server = openRig("server");
    server.transport.receive(new Wire("server").close(1000));
    assertEquals(server.transport.ended, true);
    const client = openRig("client");
    client.transport.receive(new Wire("client").close(1000));
    assertEquals([client.transport.ended, client.transport.destroyed], [false, false]);
    client.transport.handler.end();
    assertEquals(client.transport.destroyed, true);
  });

  it("§7.1.5, §7.1.6 code and reason are those of the first close frame", async () => {
    const { transport, connection } = openRig();
    const wire = new Wire("server");
    transport.receive(concat(wire.close(4000, "first"), wire.close(4001, "second")));
    transport.destroy();
    const { code, reason } = await connection.closed;
    assertEquals([code, reason], [4000, "first"]);
  });
});

describe("RFC 6455 §8.1 UTF-8", () => {
  const valid: [name: string, bytes: number[]][] = [
    ["the first of one byte", [0x00]],
    ["the last of one byte", [0x7f]],
    ["the first of two bytes", [0xc2, 0x80]],
    ["the last of two bytes", [0xdf, 0xbf]],
    ["the first of three bytes", [0xe0, 0xa0, 0x80]],
    ["before the surrogates", [0xed, 0x9f, 0xbf]],
    ["behind the surrogates", [0xee, 0x80, 0x80]],
    ["U+FEFF, kept", [0xef, 0xbb, 0xbf]],
    ["U+FFFD", [0xef, 0xbf, 0xbd]],
    ["U+FFFF", [0xef, 0xbf, 0xbf]],
    ["the first of four bytes", [0xf0, 0x90, 0x80, 0x80]],
    ["U+10FFFF", [0xf4, 0x8f, 0xbf, 0xbf]],
    ["κόσμε", [0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5]],
  ];
  /** The index of the byte at which each is found out. */
  const invalid: [name: string, bytes: number[], wrong: number][] = [
    ["a continuation byte alone", [0x80], 0],
    ["the last continuation byte alone", [0xbf], 0],
    ["C0, overlong", [0xc0, 0xaf], 0],
    ["C1, overlong", [0xc1, 0x80], 0],
    ["two bytes, the second not a continuation", [0xc2, 0x41], 1],
    ["two bytes, the second a start", [0xc2, 0xc2], 1],
    ["E0, overlong", [0xe0, 0x80, 0x80], 1],
    ["E0 9F, overlong", [0xe0, 0x9f, 0xbf], 1],
    ["three bytes, the third missing", [0xe1, 0x80, 0x41], 2],
    ["the first high surrogate", [0xed, 0xa0, 0x80], 1],
    ["the last high surrogate", [0xed, 0xaf, 0xbf], 1],
    ["the first low surrogate", [0xed, 0xb0, 0x80], 1],
    ["the last low surrogate", [0xed, 0xbf, 0xbf], 1],
    ["a pair of surrogates", [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80], 1],
    ["F0, overlong", [0xf0, 0x80, 0x80, 0x80], 1],
    ["F0 8F, overlong", [0xf0, 0x8f, 0xbf, 0xbf], 1],
    ["four bytes, the fourth missing", [0xf1, 0x80, 0x80, 0x41], 3],
    ["U+110000", [0xf4, 0x90, 0x80, 0x80], 1],
    ["F5", [0xf5, 0x80, 0x80, 0x80], 0],
    ["F8, five bytes", [0xf8, 0x88, 0x80, 0x80, 0x80], 0],
    ["FC, six bytes", [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80], 0],
    ["FE", [0xfe], 0],
    ["FF", [0xff], 0],
  ];
  checkAll([
    ...valid.flatMap(([name, bytes]): Row[] => [
      {
        clause: "§8.1",
        rule: `${name} is valid`,
        wire: (wire) => [wire.text(Uint8Array.from(bytes))],
        answer: [`text ${JSON.stringify(decode(Uint8Array.from(bytes)))}`],
      },
      {
        clause: "§5.6, §8.1",
        rule: `${name} is valid, cut into fragments of one byte`,
        wire: (wire) => [
          wire.text("<", false),
          ...bytes.map((byte) => wire.more(Uint8Array.of(byte), false)),
          wire.more(">"),
        ],
        answer: [
          `text ${JSON.stringify(`<${new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes))}>`)}`,
        ],
      },
    ]),
    ...invalid.flatMap(([name, bytes, wrong]): Row[] => [
      {
        clause: "§8.1",
        rule: `${name} is not valid`,
        wire: (wire) => [wire.text(concat(encode("before"), Uint8Array.from(bytes), encode("after")))],
        answer: ["close 1007"],
      },
      {
        clause: "§8.1",
        rule: `${name} is not valid, over fragments, and found out before the message ends`,
        wire: (wire) => [
          wire.text("before", false),
          ...bytes.slice(0, wrong + 1).map((byte) => wire.more(Uint8Array.of(byte), false)),
        ],
        answer: ["close 1007"],
      },
      {
        clause: "§8.1",
        rule: `${name} is found out at its first wrong byte, before the rest of its frame comes`,
        wire: (wire) => {
          const whole = wire.text(concat(encode("before"), Uint8Array.from(bytes), encode(ascii(100))));
          const header = whole.length - 106 - bytes.length;
          return [
            whole.slice(0, header + 6),
            ...bytes.slice(0, wrong + 1).map((_, at) => whole.slice(header + 6 + at, header + 7 + at)),
          ];
        },
        answer: ["close 1007"],
      },
    ]),
    ...[[0xce], [0xe2, 0x82], [0xf0, 0x9f, 0x98]].flatMap((bytes): Row[] => [
      {
        clause: "§8.1",
        rule: `a message must not end inside a code point: ${bytes.length} of ${bytes.length + 1} bytes`,
        wire: (wire) => [wire.text(Uint8Array.from([0x41, ...bytes]))],
        answer: ["close 1007"],
      },
      {
        clause: "§8.1",
        rule: `a fragmented message must not end inside a code point: ${bytes.length} of ${bytes.length + 1} bytes`,
        wire: (wire) => [wire.text(Uint8Array.from([0x41, ...bytes]), false), wire.more("")],
        answer: ["close 1007"],
      },
    ]),
    {
      clause: "§5.6",
      rule: "binary data need not be UTF-8",
      wire: (wire) => [wire.binary(Uint8Array.of(0xff, 0xfe, 0x80))],
      answer: [`binary ${JSON.stringify(decode(Uint8Array.of(0xff, 0xfe, 0x80)))}`],
    },
  ]);
});

// ---- Size -------------------------------------------------------------------------------------------------------

const KIB = 1024;
const MIB = 1024 * 1024;
const LARGE: EndpointOptions = { maxMessageSize: 64 * MIB, maxBufferedAmount: 64 * MIB };

/** The payload of the one message that came back; undefined as long as it is not whole. */
function echoed(received: Uint8Array): { opcode: number; payload: Uint8Array } | undefined {
  if (received.length === 0) return undefined;
  return decodeFrame(received)?.frame;
}

function fragment(wire: Wire, opcode: number, payload: Uint8Array, size: number): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const final = at + size >= payload.length;
    frames.push(wire.raw((final ? 0x80 : 0) | (at === 0 ? opcode : 0), payload.subarray(at, at + size)));
  }
  return concatAll(frames);
}

function sendChopped(endpoint: Endpoint, bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) endpoint.send(bytes.slice(at, at + size));
}

async function echo(
  lane: Lane,
  role: Role,
  opcode: 1 | 2,
  length: number,
  frame: number,
  chunk: number,
): Promise<void> {
  const endpoint = await openEndpoint(lane, role, LARGE);
  const payload = opcode === 1 ? encode(ascii(length)) : new Random(length).bytes(1000);
  const whole = opcode === 1 ? payload : concatAll(Array(Math.ceil(length / 1000)).fill(payload)).slice(0, length);
  sendChopped(endpoint, fragment(new Wire(role), opcode, whole, frame), chunk);
  const complete = (): boolean => endpoint.received().length > length && echoed(endpoint.received()) !== undefined;
  await endpoint.until(() => complete() || endpoint.ended(), "the echo");
  const got = echoed(endpoint.received());
  assertEquals(got?.opcode, opcode);
  assertSameBytes(got!.payload, whole);
  await endpoint.close();
}

describe("messages of 64 KiB to 16 MiB", () => {
  for (const role of ROLES) {
    for (const opcode of [1, 2] as const) {
      const kind = opcode === 1 ? "text" : "binary";
      it(`of every size, ${kind}, to a ${role}`, async () => {
        for (const length of [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB]) {
          await echo("memory", role, opcode, length, length, 2 * MIB);
          await echo("socket", role, opcode, length, length, 2 * MIB);
        }
      });

      it(`of 4 MiB in frames of 64 bytes to 1 MiB, ${kind}, to a ${role}`, async () => {
        for (const frame of [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB]) {
          await echo("memory", role, opcode, 4 * MIB, frame, 64 * KIB);
          if (frame === 64 || frame === 4 * KIB) await echo("socket", role, opcode, 4 * MIB, frame, 64 * KIB);
        }
      });

      it(`of 1 MiB in TCP chunks of 64 bytes to 2 MiB, ${kind}, to a ${role}`, async () => {
        for (const chunk of [64, 128, 256, 512, KIB, 16 * KIB, 64 * KIB, 2 * MIB]) {
          await echo("memory", role, opcode, MIB, MIB, chunk);
          if (chunk === 512) await echo("socket", role, opcode, MIB, MIB, chunk);
        }
      });
    }
  }
});

// ---- RFC 7692 ---------------------------------------------------------------------------------------------------

const COMPRESSED: EndpointOptions = { compression: true };
const HELLO = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);
const NOTHING = Uint8Array.of(0x00, 0x00, 0x00, 0xff, 0xff);
const BOMB = deflateRawSync(new Uint8Array(1_000_000), { finishFlush: 2 }).slice(0, -4);
const deflated = (bytes: Uint8Array): Uint8Array => deflateRawSync(bytes, { finishFlush: 2 }).slice(0, -4);

describe("RFC 7692 §6 messages with permessage-deflate", () => {
  checkAll([
    {
      clause: "§6.1",
      rule: "a compressed message is one with RSV1",
      wire: (wire) => [wire.raw(0xc1, HELLO)],
      answer: ['text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§6.1, §7.2.3.1",
      rule: "a compressed message in fragments: RSV1 on the first only",
      wire: (wire) => [wire.raw(0x41, HELLO.slice(0, 3)), wire.raw(0x80, HELLO.slice(3))],
      answer: ['text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§6.2",
      rule: "a compressed message in fragments of one byte, empty ones and control frames between them",
      wire: (wire) => [
        wire.raw(0x41, ""),
        ...[...HELLO].flatMap((byte) => [wire.raw(0, Uint8Array.of(byte)), wire.ping("p"), wire.raw(0, "")]),
        wire.raw(0x80, ""),
      ],
      answer: [...[...HELLO].map(() => 'pong "p"'), 'text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§6.1",
      rule: "RSV1 must not stand on a continuation",
      wire: (wire) => [wire.raw(0x41, HELLO.slice(0, 3)), wire.raw(0xc0, HELLO.slice(3))],
      answer: ["close 1002"],
      options: COMPRESSED,
    },
    {
      clause: "§6.1",
      rule: "RSV1 must not stand on a continuation of a message that is not compressed",
      wire: (wire) => [wire.text("a", false), wire.raw(0xc0, "b")],
      answer: ["close 1002"],
      options: COMPRESSED,
    },
    ...[8, 9, 10].map((opcode): Row => ({
      clause: "§6.1",
      rule: `RSV1 must not stand on a control frame: ${opcode}`,
      wire: (wire) => [wire.raw(0xc0 | opcode, "")],
      answer: ["close 1002"],
      options: COMPRESSED,
    })),
    ...[0x20, 0x10, 0x60, 0x50, 0x70].map((bit): Row => ({
      clause: "§5.2 of RFC 6455",
      rule: `RSV bits ${(bit >> 4).toString(2).padStart(3, "0")} have no meaning`,
      wire: (wire) => [wire.raw(0x81 | bit, HELLO)],
      answer: ["close 1002"],
      options: COMPRESSED,
    })),
    {
      clause: "§6",
      rule: "RSV1 has no meaning without the extension",
      wire: (wire) => [wire.raw(0xc1, HELLO)],
      answer: ["close 1002"],
    },
    {
      clause: "§6",
      rule: "messages without compression may stand between compressed ones, and are no part of the window",
      wire: (wire) => [
        wire.raw(0xc1, HELLO),
        wire.text("plain"),
        wire.raw(0xc1, Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00)),
        wire.binary("plain"),
      ],
      answer: ['text "Hello"', 'text "plain"', 'text "Hello"', 'binary "plain"'],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.3.3",
      rule: "a block without compression",
      wire: (wire) => [wire.raw(0xc1, Uint8Array.of(0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00))],
      answer: ['text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.3.4",
      rule: "a block with BFINAL, and messages after it that refer to it",
      wire: (wire) => [
        wire.raw(0xc1, Uint8Array.of(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00)),
        wire.raw(0xc1, Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00)),
        wire.raw(0xc1, Uint8Array.of(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00)),
      ],
      answer: ['text "Hello"', 'text "Hello"', 'text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.3.5",
      rule: "two blocks in one message",
      wire: (wire) => [
        wire.raw(0xc1, Uint8Array.of(0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00)),
      ],
      answer: ['text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.3.6",
      rule: "an empty message",
      wire: (wire) => [wire.raw(0xc1, Uint8Array.of(0x00)), wire.raw(0xc2, Uint8Array.of(0x00))],
      answer: ['text ""', 'binary ""'],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.2",
      rule: "an empty payload, which is not even an empty block, is taken for an empty message",
      wire: (wire) => [wire.raw(0xc1, HELLO), wire.raw(0xc2, ""), wire.raw(0xc1, HELLO)],
      answer: ['text "Hello"', 'binary ""', 'text "Hello"'],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.2",
      rule: "what is not DEFLATE",
      wire: (wire) => [wire.raw(0xc2, Uint8Array.of(0x07, 0x00, 0x00))],
      answer: ["close 1007"],
      options: COMPRESSED,
    },
    {
      clause: "§7.2.2",
      rule: "a reference to before the first message",
      wire: (wire) => [wire.raw(0xc1, Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00))],
      answer: ["close 1007"],
      options: COMPRESSED,
    },
    {
      clause: "§6.2, RFC 6455 §8.1",
      rule: "a compressed text must be UTF-8",
      wire: (wire) => [wire.raw(0xc1, deflated(Uint8Array.of(0x41, 0xff, 0x41)))],
      answer: ["close 1007"],
      options: COMPRESSED,
    },
    {
      clause: "§6.2, RFC 6455 §8.1",
      rule: "a compressed text is found out before the message ends",
      wire: (wire) => [wire.raw(0x41, deflateRawSync(Uint8Array.of(0x41, 0xff), { finishFlush: 2 }))],
      answer: ["close 1007"],
      options: COMPRESSED,
    },
    {
      clause: "§6.2, RFC 6455 §8.1",
      rule: "a compressed text must not end inside a code point",
      wire: (wire) => [wire.raw(0xc1, deflated(Uint8Array.of(0xe2, 0x82)))],
      answer: ["close 1007"],
      options: COMPRESSED,
    },
    {
      clause: "§8",
      rule: "the limit is that of what comes out, however small the wire form",
      wire: (wire) => [wire.raw(0xc2, BOMB)],
      answer: ["close 1009"],
      options: { compression: true, maxMessageSize: 999_999 },
    },
    {
      clause: "§8",
      rule: "the limit is met before the message ends",
      wire: (wire) => [wire.raw(0x42, BOMB.slice(0, -200))],
      answer: ["close 1009"],
      options: { compression: true, maxMessageSize: 500_000 },
    },
    {
      clause: "§8",
      rule: "blocks of which nothing comes out have an end too, at the header",
      wire: (wire) => [
        ...Array.from({ length: 6 }, (_, at) => wire.raw(at === 0 ? 0x42 : 0, concatAll(Array(2200).fill(NOTHING)))),
        wire.raw(0, "", { length: 10_000 }),
      ],
      answer: ["close 1009"],
      options: { compression: true, maxMessageSize: 1000 },
    },
    {
      clause: "§8",
      rule: "a message of exactly the limit is taken",
      wire: (wire) => [wire.raw(0xc2, deflated(new Uint8Array(5000)))],
      answer: ["binary [5000]"],
      options: { compression: { threshold: 10_000 }, maxMessageSize: 5000 },
    },
  ]);

  it("§6.1 a sender sets RSV1 on the first frame only, and never on control frames", async () => {
    const { transport, connection } = openRig(
      "server",
      { splitMessage: true, frameSize: 20 },
      agreeOn({ threshold: 0 }),
    );
    connection.send(new Random(1).bytes(150).join());
    connection.ping("p");
    connection.sendFrame(Opcode.Text, "one", false);
    connection.pong("q");
    connection.sendFrame(Opcode.Continuation, "two", true);
    connection.close(1000);
    await settle();
    const frames = decodeAll(transport.written, 0x40);
    for (const { opcode, reserved } of frames) assertEquals(reserved, opcode === 1 ? 0x40 : 0, `opcode ${opcode}`);
    assertEquals(frames.filter(({ opcode }) => opcode === 1).length, 2);
    assert(frames.length > 8);
    connection.terminate();
  });

  it("§6.1 a sender may leave messages uncompressed: those below the threshold", async () => {
    const { transport, connection } = openRig("server", {}, agreeOn({ threshold: 20 }));
    for (const text of ["x".repeat(19), "x".repeat(20), "ä".repeat(9), "ä".repeat(10), "€".repeat(7)]) {
      connection.send(text);
    }
    connection.send(new Uint8Array(19));
    connection.send(new Uint8Array(20));
    connection.sendFrame(Opcode.Text, "x".repeat(19), true);
    connection.sendFrame(Opcode.Text, "x".repeat(20), true);
    connection.sendFrame(Opcode.Text, "short", false);
    connection.sendFrame(Opcode.Continuation, "x".repeat(20), true);
    await settle();
    const reserved = decodeAll(transport.written, 0x40).map((frame) => frame.reserved);
    assertEquals(reserved, [0, 0x40, 0, 0x40, 0x40, 0, 0x40, 0, 0x40, 0, 0]);
    connection.terminate();
  });
});

describe("RFC 7692 §7.2 all parameter sets", () => {
  for (const role of ROLES) {
    it(`carry texts and bytes of 0 to 131072 bytes through a ${role}`, () => {
      for (const takeover of [true, false]) {
        for (const windowBits of [8, 9, 10, 11, 12, 13, 14, 15]) {
          const options = {
            serverNoContextTakeover: !takeover,
            clientNoContextTakeover: !takeover,
            serverMaxWindowBits: windowBits,
            clientMaxWindowBits: windowBits,
            threshold: 0,
          };
          const settings = compressionSettings(options)!;
          const { transport, connection, recorder } = openRig(role, {}, agreeOn(options));
          recorder.onMessage = (data) => void connection.send(data);
          const peerRole = role === "server" ? "client" : "server";
          const wire = new Wire(role);
          const deflater = new MessageDeflater(peerRole, settings, settings);
          const inflater = new MessageInflater(peerRole, settings);
          for (const length of [0, 1, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072]) {
            const text = JSON.stringify(
              Array.from({ length: Math.ceil(length / 20) }, (_, at) => ({ at, v: "κόσμε" })),
            );
            const payload = encode(text.slice(0, length).replaceAll(/[^]$/g, "x"));
            for (const opcode of [1, 2]) {
              transport.writes = [];
              transport.receive(wire.raw(0xc0 | opcode, deflater.compress(payload, true)));
              const [frame, ...more] = decodeAll(transport.written, 0x40);
              assertEquals([frame!.opcode, more.length], [opcode, 0]);
              if (length >= 256) assertEquals(frame!.reserved, 0x40);
              const out: Uint8Array[] = [];
              const sink = (bytes: Uint8Array, start: number, end: number) => void out.push(bytes.slice(start, end));
              if (frame!.reserved === 0) out.push(frame!.payload);
              else {
                inflater.decompress(frame!.payload, 0, frame!.payload.length, sink);
                inflater.finish(sink);
              }
              assertSameBytes(concatAll(out), payload);
            }
          }
          deflater.close();
          inflater.close();
          connection.terminate();
        }
      }
    });
  }
});
