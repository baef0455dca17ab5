import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { codePointStart, decodeUtf8, textLength, Utf8Decoder, utf8Length, Utf8Validator } from "../../protocol/utf8.ts";
import { concat } from "../../base/bytes.ts";
import { encode, withSeed } from "../support/support.ts";

/** Bytes, and the index of the first wrong one; -1 if they are valid so far, with `complete` if they end well. */
const CASES: [name: string, bytes: number[], wrong: number, complete: boolean][] = [
  ["ASCII", [0x00, 0x41, 0x7f], -1, true],
  ["two bytes, lowest", [0xc2, 0x80], -1, true],
  ["two bytes, highest", [0xdf, 0xbf], -1, true],
  ["three bytes, lowest", [0xe0, 0xa0, 0x80], -1, true],
  ["below the surrogates", [0xed, 0x9f, 0xbf], -1, true],
  ["above the surrogates", [0xee, 0x80, 0x80], -1, true],
  ["the byte order mark", [0xef, 0xbb, 0xbf, 0x41], -1, true],
  ["four bytes, lowest", [0xf0, 0x90, 0x80, 0x80], -1, true],
  ["U+10FFFF", [0xf4, 0x8f, 0xbf, 0xbf], -1, true],
  ["a code point that is cut", [0xf0, 0x9f, 0x98], -1, false],
  ["a lone continuation", [0x41, 0x80], 1, true],
  ["overlong, two bytes, C0", [0xc0, 0xaf], 0, true],
  ["overlong, two bytes, C1", [0xc1, 0xbf], 0, true],
  ["overlong, three bytes", [0xe0, 0x9f, 0xbf], 1, false],
  ["overlong, four bytes", [0xf0, 0x8f, 0xbf, 0xbf], 1, false],
  ["a high surrogate", [0xed, 0xa0, 0x80], 1, false],
  ["a low surrogate", [0xed, 0xbf, 0xbf], 1, false],
  ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], 1, false],
  ["F5", [0xf5], 0, true],
  ["FE", [0xfe], 0, true],
  ["FF", [0xff], 0, true],
  ["a lead byte that is not followed", [0xe2, 0x41], 1, false],
  ["a second lead byte", [0xe2, 0x82, 0xe2], 2, false],
];

describe("Utf8Validator", () => {
  for (const [name, bytes, wrong, complete] of CASES) {
    it(`finds the first wrong byte: ${name}`, () => {
      const validator = new Utf8Validator();
      assertEquals(validator.push(Uint8Array.from(bytes)), wrong);
      if (wrong === -1) assertEquals(validator.complete, complete);
    });

    it(`finds it behind long ASCII, and byte by byte: ${name}`, () => {
      for (const prefix of [1, 15, 16, 17, 63, 64, 100, 1000]) {
        const whole = concat(new Uint8Array(prefix).fill(0x61), Uint8Array.from(bytes));
        const expected = wrong === -1 ? -1 : prefix + wrong;
        for (const offset of [0, 1, 2, 3]) {
          const shifted = concat(new Uint8Array(offset), whole);
          const found = new Utf8Validator().push(shifted, offset);
          assertEquals(found, expected === -1 ? -1 : expected + offset);
        }
        const validator = new Utf8Validator();
        let found = -1;
        for (let at = 0; at < whole.length && found === -1; at++) found = validator.push(whole, at, at + 1);
        assertEquals(found, expected);
      }
    });
  }

  it("agrees with TextDecoder on random bytes, however they are cut", () => {
    withSeed((random) => {
      for (let round = 0; round < 3000; round++) {
        const parts = [0x41, 0x7f, 0x80, 0xbf, 0xc2, 0xe0, 0xa0, 0xed, 0x9f, 0xef, 0xf0, 0x90, 0xf4, 0x8f, 0xff];
        const bytes = Uint8Array.from({ length: 1 + random.int(8) }, () => random.pick(parts));
        let valid = true;
        try {
          new TextDecoder("utf-8", { fatal: true }).decode(bytes);
        } catch {
          valid = false;
        }
        const validator = new Utf8Validator();
        const ours = random.chunks(bytes, 3).every((chunk) => validator.push(chunk) === -1) && validator.complete;
        assertEquals(ours, valid, `bytes ${bytes}`);
      }
    });
  });
});

describe("Utf8Validator, with long pieces", () => {
  it("finds the same first wrong byte as byte by byte, however the text is cut", () => {
    withSeed((random) => {
      for (let round = 0; round < 150; round++) {
        let text = "";
        while (text.length < 400) {
          const part = random.pick(["plain ASCII, long enough for a run ", "ä", "€", "👋🏽", "Grüße ", "\ufeff"]);
          text += part.repeat(1 + random.int(4));
        }
        const bytes = encode(text);
        if (round % 3 > 0) bytes[random.int(bytes.length)] = random.pick([0x80, 0xbf, 0xc0, 0xe2, 0xed, 0xff]);
        let expected = -1;
        const slow = new Utf8Validator();
        for (let at = 0; at < bytes.length && expected === -1; at++) expected = slow.push(bytes, at, at + 1);
        const fast = new Utf8Validator();
        let found = -1;
        for (let at = 0; at < bytes.length && found === -1;) {
          const end = Math.min(bytes.length, at + 1 + random.int(random.pick([5, 100, 600])));
          found = fast.push(bytes, at, end);
          at = end;
        }
        assertEquals([found, fast.complete], [expected, slow.complete], `round ${round}`);
      }
    });
  });

  it("reports if all was ASCII, and resets it", () => {
    const validator = new Utf8Validator();
    validator.push(encode("a".repeat(100)));
    assertEquals(validator.ascii, true);
    validator.push(encode("ä"));
    validator.push(encode("a".repeat(100)));
    assertEquals([validator.ascii, validator.complete], [false, true]);
    validator.reset();
    assertEquals(validator.ascii, true);
    assertEquals(validator.push(Uint8Array.of(0x61, 0xff), 0, 1, true), -1);
  });
});

const PLANES = Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x10000 + 0x1234)).join("");

describe("decodeUtf8", () => {
  it("decodes text of all planes, and keeps a byte order mark", () => {
    for (const text of ["", "a", "\uFEFFa", PLANES, "x".repeat(63), "x".repeat(64), "x".repeat(65), "é".repeat(100)]) {
      assertEquals(decodeUtf8(encode(text)), text);
      assertEquals(decodeUtf8(concat(encode("##"), encode(text), encode("##")), 2, 2 + encode(text).length), text);
    }
  });

  it("gives undefined for bytes that are not UTF-8", () => {
    for (const [, bytes, wrong, complete] of CASES) {
      assertEquals(decodeUtf8(Uint8Array.from(bytes)) === undefined, wrong !== -1 || !complete);
    }
  });
});

describe("textLength", () => {
  it("is the length of the string", () => {
    for (const text of ["", "a", "é€😀", "a😀".repeat(100)]) {
      assertEquals(textLength(encode(`<${text}>`), 1, encode(text).length + 1), text.length);
    }
  });
});

describe("Utf8Decoder", () => {
  it("never cuts a code point, wherever the pieces are cut", () => {
    const text = `a€😀${PLANES}\uFEFFz`;
    const bytes = encode(text);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const decoder = new Utf8Decoder();
        const pieces = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
        const decoded = pieces.map((piece) => decoder.decode(piece));
        assertEquals(decoded.join(""), text);
        for (const piece of decoded) assertEquals(piece, piece!.toWellFormed());
        assertEquals(decoder.complete, true);
      }
    }
  });

  it("gives undefined at a wrong byte", () => {
    const decoder = new Utf8Decoder();
    assertEquals(decoder.decode(Uint8Array.of(0xe2, 0x82)), "");
    assertEquals(decoder.decode(Uint8Array.of(0x41)), undefined);
  });
});

describe("utf8Length", () => {
  it("is exact at any length, wherever surrogates stand, paired or not, and in a slice of a longer text", () => {
    for (const unit of ["a", "ü", "€", "👋", "\ud83d", "\udc4b", "a👋", "\udc4b👋\ud83d", "👋\udc4b"]) {
      for (const length of [0, 1, 2, 3, 63, 64, 65, 4095, 4096, 20_001]) {
        const text = unit.repeat(length).slice(0, length);
        assertEquals(utf8Length(text), encode(text).length, `${JSON.stringify(unit)} ${length}`);
      }
    }
  });
});

describe("codePointStart", () => {
  it("finds the first byte of the code point that a byte belongs to", () => {
    const starts = Array.from(encode("aé€😀b"), (_, at) => codePointStart(encode("aé€😀b"), at));
    assertEquals(starts, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
  });

  it("goes back 3 bytes at most, and never before the text", () => {
    assertEquals([codePointStart(new Uint8Array(9).fill(0x80), 8), codePointStart(Uint8Array.of(0x80, 0x80), 1)], [
      5,
      0,
    ]);
  });
});
