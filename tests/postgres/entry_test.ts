/** Notifications as parameters of a statement, and as columns of an answer. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeEntry, encodeEntries } from "../../postgres/entry.ts";
import { entry } from "../support/journal_entry.ts";
import { encode } from "../support/support.ts";

describe("encodeEntries()", () => {
  it("gives the place of each digest, from 1, the lengths, the time, and what is forwarded", () => {
    const first = entry("body", { signature: "é", receivedAt: new Date(5) });
    const [items, data] = encodeEntries([first, entry("not kept", { forward: false, signature: "s" }), entry("x")]);
    const numbers = items.split(" ").map(Number);
    assertEquals(numbers.slice(0, 6), [1, 32, 4, 2, 5, 1]);
    // Of one that is not forwarded only the digest is kept.
    assertEquals(numbers.slice(6, 12), [39, 32, 0, 0, 0, 0]);
    assertEquals(numbers.slice(12), [71, 32, 1, 0, 0, 1]);
    assertEquals(data.subarray(32, 38), encode("bodyé"));
    assertEquals(data.length, 71 + 33 - 1);
  });

  it("takes an invalid time for 0, so that no entry spoils its batch", () => {
    const [items] = encodeEntries([entry("a", { receivedAt: new Date(NaN) })]);
    assertEquals(items, "1 32 1 0 0 1");
  });
});

describe("decodeEntry()", () => {
  it("makes an entry of its columns", () => {
    const received = new Date(1_700_000_000_123);
    const columns = ["9007199254740991", encode("body"), encode("é"), `${received.getTime()}`];
    assertEquals(decodeEntry(columns), {
      seq: Number.MAX_SAFE_INTEGER,
      bytes: encode("body"),
      signature: "é",
      receivedAt: received,
    });
  });
});
