import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { isValidCloseCode, OptionError, ProtocolError } from "../../base/errors.ts";
import { encodeFrame, FrameParser } from "../../protocol/frame.ts";
import { type FrameInfo, Opcode } from "../../protocol/frame_header.ts";
import { encodeClosePayload } from "../../protocol/payload.ts";
import { MessageAssembler, type MessageAssemblerOptions, parseClosePayload } from "../../protocol/message.ts";
import { MAX_TEXT_LENGTH } from "../../protocol/utf8.ts";
import { concat } from "../../base/bytes.ts";
import { encode, Peer, withSeed } from "../support/support.ts";

const peer = new Peer("server");

interface Got {
  events: (string | Uint8Array)[];
  frames: FrameInfo[];
  push: (bytes: Uint8Array) => void;
}

function assemble(options: MessageAssemblerOptions = {}): Got {
  const events: Got["events"] = [];
  const frames: FrameInfo[] = [];
  const assembler = new MessageAssembler({
    message: (data, frame) => {
      events.push(data);
      if (frame !== undefined) frames.push(frame);
    },
    ping: (payload) => events.push(`ping:${new TextDecoder().decode(payload)}`),
    pong: (payload) => events.push(`pong:${new TextDecoder().decode(payload)}`),
    close: (code, reason) => events.push(`close:${code}:${reason}`),
  }, options);
  const parser = new FrameParser(assembler, { role: "client" });
  return { events, frames, push: (bytes) => void parser.parse(bytes.slice()) };
}

describe("MessageAssembler", () => {
  it("delivers whole messages, empty ones too", () => {
    const { events, push } = assemble();
    push(concat(peer.text("Hi"), peer.text(""), peer.binary(Uint8Array.of(1, 2)), peer.binary(new Uint8Array(0))));
    assertEquals(events, ["Hi", "", Uint8Array.of(1, 2), new Uint8Array(0)]);
  });

  it("never treats a message as compressed without an inflater, even if the parser allows the bit", () => {
    const got: unknown[] = [];
    const handler = { message: (data: unknown) => got.push(data), ping() {}, pong() {}, close() {} };
    const parser = new FrameParser(new MessageAssembler(handler), { allowedReserved: 0x70 });
    for (const reserved of [0x10, 0x20, 0x40, 0x70]) {
      parser.parse(encodeFrame({ opcode: Opcode.Text, payload: encode("Hi"), reserved }));
    }
    assertEquals(got, ["Hi", "Hi", "Hi", "Hi"]);
  });

  it("reassembles fragments, empty ones and control frames between them included, however they are cut", () => {
    const wire = concat(
      peer.text("", false),
      peer.frame(Opcode.Ping, "1"),
      peer.continuation("a€", false),
      peer.continuation("", false),
      peer.frame(Opcode.Pong, "2"),
      peer.continuation("😀", true),
      peer.binary(Uint8Array.of(7), false),
      peer.continuation(Uint8Array.of(8), true),
      peer.close(1000, "bye"),
    );
    const expected = ["ping:1", "pong:2", "a€😀", Uint8Array.of(7, 8), "close:1000:bye"];
    for (let cut = 0; cut <= wire.length; cut++) {
      const { events, push } = assemble();
      push(wire.slice(0, cut));
      push(wire.slice(cut));
      assertEquals(events, expected);
    }
    const { events, push } = assemble();
    for (const byte of wire) push(Uint8Array.of(byte));
    assertEquals(events, expected);
  });

  it("cuts code points over fragments, and fails at the first wrong byte, before the rest of the frame", () => {
    const [head, tail] = [encode("€").slice(0, 1), encode("€").slice(1)];
    const good = assemble();
    good.push(concat(peer.frame(Opcode.Text, head, false), peer.continuation(tail, true)));
    assertEquals(good.events, ["€"]);

    const wire = peer.frame(Opcode.Text, concat(encode("valid"), Uint8Array.of(0xff), new Uint8Array(200)));
    const bad = assemble();
    const header = 4;
    bad.push(wire.slice(0, header + 5));
    const error = assertThrows(() => bad.push(wire.slice(header + 5, header + 6)), ProtocolError);
    assertEquals([error.code, error.closeCode], ["ERR_INVALID_UTF8", 1007]);
  });

  it("fails on a text that ends inside a code point, in one frame or several", () => {
    for (const cut of [[Uint8Array.of(0xe2, 0x82)], [Uint8Array.of(0xe2), Uint8Array.of(0x82)]]) {
      const { push } = assemble();
      const frames = cut.map((part, index) => peer.frame(index === 0 ? 1 : 0, part, index === cut.length - 1));
      assertThrows(() => push(concat(...frames)), ProtocolError, "UTF-8");
    }
  });

  it("starts afresh after each message: a binary one may hold any bytes", () => {
    const { events, push } = assemble();
    push(
      concat(peer.frame(2, Uint8Array.of(0xff), false), peer.continuation(Uint8Array.of(0xfe), true), peer.text("ok")),
    );
    assertEquals(events, [Uint8Array.of(0xff, 0xfe), "ok"]);
  });

  it("refuses a continuation without a start, and a start inside a message", () => {
    assertThrows(() => assemble().push(peer.continuation("x", true)), ProtocolError, "no message to continue");
    assertThrows(() => assemble().push(concat(peer.text("a", false), peer.text("b"))), ProtocolError, "fragmented");
    const after = assemble();
    after.push(concat(peer.text("a", false), peer.continuation("b", true)));
    assertThrows(() => after.push(peer.continuation("c", true)), ProtocolError, "no message to continue");
  });

  it("refuses a message beyond maxMessageSize at the header that goes beyond", () => {
    const { push, events } = assemble({ maxMessageSize: 10 });
    push(peer.binary(new Uint8Array(10)));
    assertEquals(events.length, 1);
    push(peer.binary(new Uint8Array(6), false));
    const header = peer.continuation(new Uint8Array(5), true).slice(0, 2);
    const error = assertThrows(
      () => push(header.length === 2 ? concat(header, Uint8Array.of(0)) : header),
      ProtocolError,
    );
    assertEquals([error.code, error.closeCode], ["ERR_MESSAGE_TOO_LARGE", 1009]);
  });

  it("refuses a short message too, whole in its chunk", () => {
    for (const frame of [peer.text("six...", true), peer.binary(new Uint8Array(6))]) {
      const { push, events } = assemble({ maxMessageSize: 5 });
      push(peer.text("five.", true));
      assertEquals(assertThrows(() => push(frame), ProtocolError).code, "ERR_MESSAGE_TOO_LARGE");
      assertEquals(events.length, 1);
    }
  });

  it("does not count control frames as part of a message", () => {
    const { push, events } = assemble({ maxMessageSize: 2 });
    push(concat(peer.text("a", false), peer.frame(Opcode.Ping, "longer than two"), peer.continuation("b", true)));
    assertEquals(events, ["ping:longer than two", "ab"]);
  });

  it("counts fragments, empty ones too, when told to", () => {
    const { push } = assemble({ maxFragments: 3 });
    push(concat(peer.text("", false), peer.continuation("", false)));
    const error = assertThrows(
      () => push(concat(peer.continuation("", false), peer.continuation("", true))),
      ProtocolError,
    );
    assertEquals([error.code, error.closeCode], ["ERR_TOO_MANY_FRAGMENTS", 1008]);
  });

  it("takes memory as bytes come, not as headers announce", () => {
    const { push } = assemble();
    const header = Uint8Array.of(0x82, 0x7f, 0, 0, 0, 1, 0, 0, 0, 0);
    // 4 GiB are announced: a buffer of that size would throw or show.
    push(concat(header, new Uint8Array(100)));
    push(new Uint8Array(100));
  });

  it("reassembles a message of many small fragments without copying it again and again", () => {
    const { push, events } = assemble();
    const part = new Uint8Array(64).fill(0x61);
    const middle = peer.continuation(part, false);
    push(peer.frame(Opcode.Text, part, false));
    const started = performance.now();
    for (let index = 0; index < 65536; index++) push(middle);
    push(peer.continuation("", true));
    assertEquals((events[0] as string).length, 64 * 65537);
    // Quadratic reassembly would move 137 GB here.
    assert(performance.now() - started < 20_000);
  });

  it("delivers frame by frame, text never cut inside a code point", () => {
    const { push, events, frames } = assemble({ frameByFrame: true });
    const bytes = encode("a😀b");
    push(concat(
      peer.frame(Opcode.Text, bytes.slice(0, 3), false),
      peer.frame(Opcode.Ping, "p"),
      peer.continuation(bytes.slice(3, 5), false),
      peer.continuation(bytes.slice(5), true),
      peer.binary(Uint8Array.of(1)),
      peer.frame(Opcode.Binary, Uint8Array.of(2), false),
      peer.continuation(Uint8Array.of(), true),
      peer.text("whole"),
    ));
    assertEquals(events, ["a", "ping:p", "😀", "b", Uint8Array.of(1), Uint8Array.of(2), new Uint8Array(0), "whole"]);
    assertEquals(frames, [
      { opcode: Opcode.Text, first: true, final: false },
      { opcode: Opcode.Continuation, first: false, final: false },
      { opcode: Opcode.Continuation, first: false, final: true },
      { opcode: Opcode.Binary, first: true, final: true },
      { opcode: Opcode.Binary, first: true, final: false },
      { opcode: Opcode.Continuation, first: false, final: true },
      { opcode: Opcode.Text, first: true, final: true },
    ]);
  });

  it("delivers the same frame by frame for any chunking", () => {
    withSeed((random) => {
      const text = "aß€😀".repeat(40);
      const parts = random.chunks(encode(text), 20);
      const wire = concat(
        ...parts.map((part, index) => peer.frame(index === 0 ? 1 : 0, part, index === parts.length - 1)),
      );
      for (const most of [1, 7, 10000]) {
        const { push, events, frames } = assemble({ frameByFrame: true });
        for (const chunk of random.chunks(wire, most)) push(chunk);
        assertEquals(events.join(""), text);
        assertEquals(frames.length, parts.length);
      }
    });
  });

  it("delivers texts as bytes, checked, with a frame that says so, and binary messages without one", () => {
    const { events, frames, push } = assemble({ textAsBytes: true });
    const long = "ü€😀".repeat(500);
    push(peer.text("Hi"));
    push(peer.text("€"));
    push(peer.text(""));
    push(peer.text(long));
    push(peer.binary(Uint8Array.of(0xff)));
    push(concat(peer.text("a", false), peer.continuation("€", true)));
    push(concat(peer.frame(Opcode.Binary, "b", false), peer.continuation("c", true)));
    const texts = ["Hi", "€", "", long].map((text) => encode(text));
    assertEquals(events, [...texts, Uint8Array.of(0xff), encode("a€"), encode("bc")]);
    assertEquals(frames, Array(5).fill({ opcode: Opcode.Text, first: true, final: true }));
    for (const wrong of [Uint8Array.of(0xff), Uint8Array.of(0xe2, 0x82), new Uint8Array(2000).fill(0xc0)]) {
      const whole = peer.frame(Opcode.Text, wrong);
      const cut = concat(
        peer.frame(Opcode.Text, wrong.subarray(0, 1), false),
        peer.frame(Opcode.Continuation, wrong.subarray(1)),
      );
      for (const wire of [whole, cut]) {
        assertThrows(() => assemble({ textAsBytes: true }).push(wire), ProtocolError, "UTF-8");
      }
    }
  });

  it("fails frame by frame on a text that ends inside a code point", () => {
    const { push } = assemble({ frameByFrame: true });
    assertThrows(
      () => push(concat(peer.frame(1, Uint8Array.of(0xe2), false), peer.continuation(Uint8Array.of(0x82), true))),
      ProtocolError,
    );
  });
});

describe("a text that is longer than the longest string", () => {
  const fits: [name: string, text: string][] = [
    ["ASCII", "x".repeat(200)],
    ["of two bytes", "é".repeat(200)],
    ["of three bytes", "€".repeat(200)],
    ["of surrogate pairs", "😀".repeat(100)],
  ];
  /** Ways to send a text: whole, and in fragments that cut code points. */
  const ways: [name: string, send: (text: string) => Uint8Array][] = [
    ["in one frame", (text) => peer.text(text)],
    ["in fragments", (text) => {
      const bytes = encode(text);
      return concat(
        encodeFrame({ opcode: Opcode.Text, payload: bytes.subarray(0, 101), final: false }),
        encodeFrame({ opcode: Opcode.Continuation, payload: bytes.subarray(101) }),
      );
    }],
  ];
  for (const [way, send] of ways) {
    for (const [kind, text] of fits) {
      it(`fails with 1009, ${kind}, ${way}; one that fits is delivered`, () => {
        const { push, events } = assemble({ maxTextLength: 200 });
        push(send(text));
        assertEquals(events, [text]);
        const error = assertThrows(() => push(send(`${text}x`)), ProtocolError, "the longest string");
        assertEquals([error.code, error.closeCode, events.length], ["ERR_MESSAGE_TOO_LARGE", 1009, 1]);
      });
    }
  }

  it("is no matter for bytes, and for frames that fit one by one", () => {
    const { push, events } = assemble({ maxTextLength: 200, frameByFrame: true });
    push(
      concat(
        peer.binary(new Uint8Array(300)),
        peer.text("x".repeat(150), false),
        peer.continuation("y".repeat(150), true),
      ),
    );
    assertEquals(events.map(({ length }) => length), [300, 150, 150]);
    const error = assertThrows(() => push(peer.text("x".repeat(201))), ProtocolError);
    assertEquals(error.closeCode, 1009);
  });

  it("may be a short one, if the limit is lower", () => {
    const { push } = assemble({ maxTextLength: 3 });
    assertThrows(() => push(peer.text("four")), ProtocolError, "of 3 UTF-16 code units");
  });

  it("is found by the limit of the runtime", () => {
    assertEquals(MAX_TEXT_LENGTH >= 2 ** 29 - 24, true);
    assertThrows(() => "x".repeat(MAX_TEXT_LENGTH + 1), RangeError);
  });
});

describe("close payloads", () => {
  it("round-trip", () => {
    assertEquals(parseClosePayload(encodeClosePayload(4001, "Grüße")), { code: 4001, reason: "Grüße" });
    assertEquals(parseClosePayload(encodeClosePayload(undefined, "")), { code: 1005, reason: "" });
  });

  it("take every code from 0 to 5000 as RFC 6455 §7.4 and the registry have it", () => {
    for (let code = 0; code <= 5000; code++) {
      const valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
      assertEquals(isValidCloseCode(code), valid);
      const payload = Uint8Array.of(code >> 8, code & 0xff);
      if (valid) assertEquals(parseClosePayload(payload).code, code);
      else assertEquals(assertThrows(() => parseClosePayload(payload), ProtocolError).closeCode, 1002);
    }
  });

  it("refuse one byte, and a reason that is not UTF-8", () => {
    assertEquals(assertThrows(() => parseClosePayload(Uint8Array.of(3)), ProtocolError).code, "ERR_CLOSE_PAYLOAD");
    const error = assertThrows(() => parseClosePayload(Uint8Array.of(3, 0xe8, 0xff)), ProtocolError);
    assertEquals([error.code, error.closeCode], ["ERR_INVALID_UTF8", 1007]);
  });

  it("refuse contents that must not be sent", () => {
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, NaN]) {
      assertThrows(() => encodeClosePayload(code, ""), OptionError);
    }
    assertThrows(() => encodeClosePayload(1000, "x".repeat(124)), OptionError, "124");
    assertThrows(() => encodeClosePayload(1000, "é".repeat(62)), OptionError, "124");
    assertThrows(() => encodeClosePayload(undefined, "x"), OptionError);
    assertThrows(() => encodeClosePayload(1000, 1 as unknown as string), OptionError);
    assertEquals(encodeClosePayload(1000, "x".repeat(123)).length, 125);
    assertEquals(encodeFrame({ opcode: Opcode.Close, payload: encodeClosePayload(1000, "") }).length, 4);
  });
});
