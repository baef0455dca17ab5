/** Notifications in the form that Redis keeps them: any bytes come back as they were. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeEntry, decodeStream, encodeBody } from "../../redis/entry.ts";

describe("encodeBody", () => {
  it("keeps UTF-8 as text, and other bytes in Base64; both come back", () => {
    const bodies: [Uint8Array, string][] = [
      [new TextEncoder().encode('{"text":"é\u{1f600}"}'), "t"],
      [new TextEncoder().encode("\ufeffwith a mark"), "t"],
      [new Uint8Array(), "t"],
      [new Uint8Array([0x7b, 0xff, 0x00]), "b"],
      [new Uint8Array([0xed, 0xa0, 0x80]), "b"],
    ];
    for (const [bytes, expected] of bodies) {
      const [kind, body] = encodeBody(bytes);
      assertEquals(kind, expected);
      const entry = decodeEntry(["12", kind, body, "sha256=00", "1000"]);
      assertEquals(entry, { seq: 12, bytes, signature: "sha256=00", receivedAt: new Date(1000) });
    }
  });
});

describe("decodeStream", () => {
  it("reads the answer of each client and version of the protocol", () => {
    const rows = [["5-0", ["t", "one", "s", "sig", "r", "1", "a", "0", "n", "3"]], ["7-0", [
      "t",
      "two",
      "s",
      "",
      "r",
      "2",
    ]]];
    const expected = [
      { seq: 5, bytes: new TextEncoder().encode("one"), signature: "sig", receivedAt: new Date(1) },
      { seq: 7, bytes: new TextEncoder().encode("two"), signature: "", receivedAt: new Date(2) },
    ];
    assertEquals(decodeStream([["stream", rows]]), expected);
    assertEquals(decodeStream(["stream", rows]), expected);
    assertEquals(decodeStream({ stream: rows }), expected);
  });
});
