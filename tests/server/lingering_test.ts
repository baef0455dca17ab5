import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HeadReader } from "../../protocol/head.ts";
import { droppedBodySize } from "../../server/lingering.ts";
import { encode } from "../support/support.ts";

function sizeOf(fields: string, maxBodySize = 4 * 1024 * 1024): number {
  const reader = new HeadReader({ maxHeadSize: 0, maxHeaderFields: 0 }, "request");
  reader.push(encode(`POST / HTTP/1.1\r\n${fields}\r\n`));
  return droppedBodySize(reader.head!.fields, maxBodySize);
}

describe("droppedBodySize", () => {
  it("is the length that was declared, up to 64 MiB or maxBodySize", () => {
    assertEquals(sizeOf("Content-Length: 12345\r\n"), 12345);
    assertEquals(sizeOf("Content-Length: 9007199254740991\r\n"), 64 * 1024 * 1024);
    assertEquals(sizeOf("Content-Length: 9007199254740991\r\n", 1e9), 1e9);
    assertEquals(sizeOf("Content-Length: 99999999\r\n", 0), 64 * 1024 * 1024);
  });

  it("is the most for chunks, whose end is not known", () => {
    assertEquals(sizeOf("Transfer-Encoding: chunked\r\n"), 64 * 1024 * 1024);
  });

  it("is nothing without a body, and where its end is ambiguous", () => {
    assertEquals([sizeOf(""), sizeOf("Content-Length: 0\r\n")], [0, 0]);
    for (
      const fields of [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -5\r\n",
        "Transfer-Encoding: gzip\r\n",
      ]
    ) assertEquals(sizeOf(fields), 0, fields);
  });
});
