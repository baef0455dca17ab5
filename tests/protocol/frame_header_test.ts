import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertFrameSize,
  firstOctet,
  frameHeaderLength,
  maxFramePayload,
  Opcode,
  writeFrameHeader,
} from "../../protocol/frame_header.ts";

describe("writeFrameHeader", () => {
  it("writes each form of the length, with and without a key (RFC 6455 §5.2)", () => {
    const key = [1, 2, 3, 4];
    const forms: [length: number, bytes: number[]][] = [
      [0, [0]],
      [125, [125]],
      [126, [126, 0, 126]],
      [0xffff, [126, 0xff, 0xff]],
      [0x10000, [127, 0, 0, 0, 0, 0, 1, 0, 0]],
      [2 ** 32 + 5, [127, 0, 0, 0, 1, 0, 0, 0, 5]],
    ];
    for (const [length, bytes] of forms) {
      for (const masked of [false, true]) {
        const target = new Uint8Array(14);
        const end = writeFrameHeader(target, 0, firstOctet(Opcode.Binary, true), length, masked, 0x01020304);
        const [first, ...rest] = bytes;
        const expected = [0x82, first! | (masked ? 0x80 : 0), ...rest, ...masked ? key : []];
        assertEquals([...target.subarray(0, end)], expected);
        assertEquals(frameHeaderLength(length, masked), end);
      }
    }
  });
});

describe("maxFramePayload", () => {
  it("fills a frame as far as its header lets it, and refuses frames without room for a byte", () => {
    assertEquals([3, 127, 128, 129, 130].map((size) => maxFramePayload(size, false)), [1, 125, 125, 125, 126]);
    assertEquals(maxFramePayload(7, true), 1);
    for (const [size, masked] of [[2, false], [6, true], [3.5, false], [NaN, false]] as const) {
      assertThrows(() => maxFramePayload(size, masked), OptionError, `"${size}" bytes`);
    }
  });
});

describe("assertFrameSize", () => {
  it("asks for room for a header and the longest code point; 0 turns splitting off", () => {
    for (const [size, masked] of [[0, false], [0, true], [6, false], [10, true], [70_000, true]] as const) {
      assertFrameSize(size, masked);
    }
    for (const [size, masked] of [[5, false], [9, true], [-1, false], [6.5, false], [NaN, true]] as const) {
      assertThrows(
        () => assertFrameSize(size, masked),
        OptionError,
        `"${size}" bytes: the least is ${masked ? 10 : 6}`,
      );
    }
  });
});
