import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { assertPayload, byteLength, encodeClosePayload, MAX_CLOSE_REASON } from "../../protocol/payload.ts";

describe("byteLength", () => {
  it("is the length in bytes of a text as TextEncoder encodes it, or of the bytes", () => {
    for (const text of ["", "a", "ü", "€", "👋", "a\ud800", "\udc00b", "\ud800\ud800\udc00", "aü€👋".repeat(100)]) {
      assertEquals(byteLength(text), new TextEncoder().encode(text).length, JSON.stringify(text));
    }
    assertEquals(byteLength(new Uint8Array(7)), 7);
  });
});

describe("assertPayload", () => {
  it("accepts strings and Uint8Arrays, and names the type of anything else", () => {
    for (const data of ["", new Uint8Array(1)]) assertPayload(data, "send");
    for (const [data, kind] of [[null, "null"], [1, "number"], [{}, "Object"], [new ArrayBuffer(1), "ArrayBuffer"]]) {
      const error = assertThrows(() => assertPayload(data, "send"), OptionError, `"${kind}"`);
      assertEquals([error.code, error.message.startsWith("Cannot send: ")], ["ERR_PAYLOAD", true]);
    }
  });
});

describe("encodeClosePayload", () => {
  it("puts the code before the reason, and makes nothing of neither (RFC 6455 §5.5.1)", () => {
    assertEquals(encodeClosePayload(1000, "ab"), Uint8Array.of(0x03, 0xe8, 0x61, 0x62));
    assertEquals(encodeClosePayload(undefined, "").length, 0);
    assertEquals(encodeClosePayload(4999, "x".repeat(MAX_CLOSE_REASON)).length, 125);
  });

  it("refuses a reason without a code, or too long, and codes that must not be sent", () => {
    assertThrows(() => encodeClosePayload(undefined, "a"), OptionError, 'the reason "a" needs a code');
    assertThrows(
      () => encodeClosePayload(1000, "x".repeat(124)),
      OptionError,
      "a reason of 124 bytes, the most is 123",
    );
    assertThrows(() => encodeClosePayload(1000, "ü".repeat(62)), OptionError, "124 bytes");
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, NaN]) {
      assertThrows(() => encodeClosePayload(code, ""), OptionError, `"${code}" must not be sent`);
    }
    assertThrows(() => encodeClosePayload(1000, 5 as never), OptionError, 'of type "number"');
  });
});
