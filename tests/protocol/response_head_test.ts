import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError } from "../../base/errors.ts";
import type { HeadLimits } from "../../protocol/head.ts";
import { ResponseHeadReader } from "../../protocol/response_head.ts";
import { decode, encode } from "../support/support.ts";

const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
const DENIED = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n";

/** Reads a text in pieces of a size; returns the start line of the final head, and the bytes behind it. */
function read(text: string, size: number, limits?: HeadLimits): [startLine: string | undefined, rest: string] {
  const reader = new ResponseHeadReader(limits);
  const bytes = encode(text);
  let rest = "";
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    rest += decode(piece.subarray(reader.push(piece)));
  }
  return [reader.head?.startLine, rest];
}

describe("ResponseHeadReader", () => {
  it("reads over interim responses, cut at every byte, and keeps what follows the final one", () => {
    for (const final of [SWITCH, DENIED]) {
      for (const before of ["", HINTS, CONTINUE, CONTINUE + HINTS + HINTS, `HTTP/1.1 199\r\n\r\n\r\n${HINTS}`]) {
        const text = `${before}${final}${CONTINUE}`;
        for (let size = 1; size <= text.length; size++) {
          assertEquals(read(text, size), [final.split("\r\n")[0], CONTINUE]);
        }
      }
    }
  });

  it("takes 101 as final, and has only the fields of the final head", () => {
    const reader = new ResponseHeadReader();
    assertEquals(reader.untouched, true);
    reader.push(encode(HINTS + SWITCH + HINTS));
    assertEquals([...reader.head!.fields], [["upgrade", "websocket"]]);
    assertEquals(reader.untouched, false);
    assertEquals(read(HINTS, 7), [undefined, ""]);
  });

  it("bounds interim responses by the limits of a head: bytes, and responses with their fields", () => {
    const limits = { maxHeadSize: 100, maxHeaderFields: 4 };
    assertEquals(read(CONTINUE.repeat(4) + SWITCH, 9, limits)[0], SWITCH.split("\r\n")[0]);
    const tooMany: [text: string, message: string][] = [
      [CONTINUE.repeat(5), "are larger than 100 bytes"],
      ["HTTP/1.1 100\r\n\r\n".repeat(5), "and their fields are more than 4"],
      ["HTTP/1.1 103\r\nA: b\r\nC: d\r\n\r\n".repeat(2), "and their fields are more than 4"],
      [`HTTP/1.1 103 ${"x".repeat(100)}`, "larger than 100 bytes"],
    ];
    for (const [text, message] of tooMany) {
      for (const size of [1, 10, text.length]) {
        const error = assertThrows(() => read(text, size, limits), HandshakeError, message);
        assertEquals(error.code, "ERR_HEAD_TOO_LARGE");
      }
    }
    // 0 turns a limit off.
    assertEquals(read(CONTINUE.repeat(2000) + SWITCH, 99, { maxHeadSize: 0, maxHeaderFields: 0 })[0]?.length, 32);
    assertThrows(() => read(CONTINUE.repeat(2000), 99), HandshakeError, "interim");
  });

  it("leaves the final head all of its limits", () => {
    const final = `HTTP/1.1 101 x\r\nA: ${"a".repeat(16_000)}\r\n\r\n`;
    assertEquals(read(HINTS.repeat(60) + final, 1000)[0], "HTTP/1.1 101 x");
  });

  it("refuses what is not HTTP, first and behind an interim response", () => {
    for (const before of ["", HINTS]) {
      for (const size of [1, 3, 1000]) {
        const message = "The server does not speak HTTP: it seems to speak SSH";
        assertThrows(() => read(`${before}SSH-2.0-x\r\n`, size), HandshakeError, message);
      }
    }
    assertThrows(() => read("HTTP/2 200\r\n\r\n", 5), HandshakeError, "status line");
    const reader = new ResponseHeadReader();
    assertEquals(reader.push(encode("22")), 2);
    assertThrows(() => reader.end(), HandshakeError, "does not speak HTTP");
    const partial = new ResponseHeadReader();
    partial.push(encode("HTT"));
    partial.end();
  });
});
