import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { type BodyStart, hasCoding, isKnownCoding } from "../../protocol/content_coding.ts";
import { concat, encode, Random } from "../support/support.ts";

const start = (bytes: Uint8Array, part: Partial<BodyStart> = {}): BodyStart => ({
  bytes,
  complete: true,
  fetched: false,
  ...part,
});

const texts = [
  "hello ".repeat(1000),
  "<!DOCTYPE html>\n<html>",
  '{"a":1,"b":[1,2,3]}',
  "[1,2,3]",
  "body { color: red }",
  "function a() { return 1 }",
  "\n<html>",
  "%PDF-1.4",
];

describe("hasCoding", () => {
  const codings: [name: string, encode: (bytes: Uint8Array) => Uint8Array][] = [
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["GZip", gzipSync],
    ["deflate", deflateSync],
    ["deflate ", deflateRawSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    ["br, gzip ", gzipSync],
  ];
  const random = new Random(7);
  const large = encode(Array.from({ length: 50_000 }, () => random.int(5000)).join(" "));

  for (const [name, compress] of codings) {
    it(`recognises ${name}, whole and by its start`, () => {
      for (const text of [...texts, "", "a"].map(encode).concat(large, random.bytes(3000))) {
        const bytes = compress(text);
        assertEquals(hasCoding(name, start(bytes)), true, `${text.length} bytes`);
        for (const length of [1, 10, 100, 1000, 5000]) {
          if (length >= bytes.length) continue;
          const part = bytes.subarray(0, length);
          assertEquals(hasCoding(name, start(part, { complete: false })), true, `${length} of ${text.length} bytes`);
        }
      }
    });

    it(`tells ${name} from what was decoded`, () => {
      for (const text of texts) assertEquals(hasCoding(name, start(encode(text))), false, text);
      assertEquals(hasCoding(name, start(large, { complete: false })), false);
      assertEquals(hasCoding(name, start(new Uint8Array(0))), false, "nothing is no coding");
    });
  }

  it("takes the short start of Brotli for encoded, unless it comes from fetch", () => {
    const short = encode("short");
    assertEquals(hasCoding("br", start(short, { complete: false })), true);
    assertEquals(hasCoding("br", start(short, { complete: false, fetched: true })), false);
  });

  it("knows that more output than a trial may have is a proof", () => {
    const bomb = brotliCompressSync(new Uint8Array(20_000_000));
    assertEquals(hasCoding("br", start(bomb)), true);
    assertEquals(hasCoding("br", start(concat(bomb, encode("x".repeat(2000))), { complete: false })), true);
    assertEquals(hasCoding("deflate", start(deflateSync(new Uint8Array(5_000_000)))), true);
  });

  it("leaves codings alone that it does not know", () => {
    for (const name of ["compress", "identity", "gzip, aws-chunked", ""]) {
      assertEquals(hasCoding(name, start(encode("text"))), true, name);
    }
  });
});

describe("isKnownCoding", () => {
  it("looks at the outermost coding", () => {
    for (const coding of ["gzip", " X-GZIP", "zstd", "Deflate", "own, br "]) assertEquals(isKnownCoding(coding), true);
    for (const coding of ["", "none", "identity", "gzip, identity"]) assertEquals(isKnownCoding(coding), false);
  });
});
