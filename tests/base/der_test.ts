import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { children, contents, readValue, Tag } from "../../base/der.ts";

const SEQUENCE = Uint8Array.of(Tag.Sequence, 6, Tag.Integer, 1, 7, Tag.OctetString, 1, 8);

describe("readValue", () => {
  it("reads short and long lengths", () => {
    assertEquals(readValue(SEQUENCE, 0, Tag.Sequence).end, 8);
    const long = Uint8Array.of(Tag.OctetString, 0x82, 0, 2, 5, 6);
    assertEquals([...readValue(long, 0).value], [5, 6]);
  });

  it("refuses what goes beyond the end, and another kind", () => {
    for (const bytes of [[], [4], [4, 1], [4, 0x81], [4, 0x84, 255, 255, 255, 255], [4, 0x82, 0]]) {
      assertThrows(() => readValue(Uint8Array.from(bytes), 0), Error, "cut off");
    }
    assertThrows(() => readValue(SEQUENCE, 0, Tag.Set), Error, "another kind");
  });
});

describe("children", () => {
  it("reads all values, whose contents must be of their kind", () => {
    const [number, bytes, missing] = children(readValue(SEQUENCE, 0).value);
    assertEquals([[...contents(number, Tag.Integer)], [...contents(bytes, Tag.OctetString)]], [[7], [8]]);
    assertThrows(() => contents(number, Tag.Set), Error, "another kind");
    assertThrows(() => contents(missing, Tag.Set), Error, "another kind");
  });
});
