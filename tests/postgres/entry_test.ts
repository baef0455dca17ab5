/** Notifications in the form of statements and their answers. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeEntry, encodeEntries } from "../../postgres/entry.ts";
import { entry } from "../support/journal_entry.ts";
import { decode, encode } from "../support/support.ts";

describe("encodeEntries", () => {
  it("puts digests, bodies and signatures behind each other, with their places and lengths", () => {
    const one = entry("first", { signature: "sha256=é", receivedAt: new Date(1000) });
    const other = entry(new Uint8Array([0, 255]), { receivedAt: new Date(2000) });
    const [items, data] = encodeEntries([one, other]);
    assertEquals(items, "1 32 5 9 1000 1 47 32 2 0 2000 1");
    assertEquals(data.slice(0, 32), one.digest);
    assertEquals(decode(data.slice(32, 46)), "firstsha256=é");
    assertEquals(data.slice(46), new Uint8Array([...other.digest, 0, 255]));
  });

  it("leaves out body and signature of what is not to be delivered, and a time that is none", () => {
    const vetoed = entry("vetoed", { signature: "sha256=00", forward: false, receivedAt: new Date(NaN) });
    assertEquals(encodeEntries([vetoed]), ["1 32 0 0 0 0", vetoed.digest]);
  });
});

describe("decodeEntry", () => {
  it("takes copies of the bytes, which a client may reuse", () => {
    const body = encode("body");
    const decoded = decodeEntry(["12", body, encode("sha256=é"), "1000"]);
    body.fill(0);
    assertEquals(decoded, { seq: 12, bytes: encode("body"), signature: "sha256=é", receivedAt: new Date(1000) });
  });
});
