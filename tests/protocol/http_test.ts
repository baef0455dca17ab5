import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, HttpError } from "../../base/errors.ts";
import { type Head, HeadReader, parseRequestLine } from "../../protocol/head.ts";
import {
  bodyFraming,
  BodyReader,
  encodeChunk,
  makeRequest,
  planResponse,
  refusalResponse,
} from "../../protocol/http.ts";
import { concat } from "../../base/bytes.ts";
import { decode, encode, withSeed } from "../support/support.ts";

function head(text: string): Head {
  const reader = new HeadReader();
  reader.push(encode(text));
  return reader.head!;
}

const framing = (lines: string, minorVersion = 1): ReturnType<typeof bodyFraming> =>
  bodyFraming(head(`POST / HTTP/1.1\r\n${lines}\r\n`).fields, minorVersion);

describe("bodyFraming", () => {
  it("finds length, chunks or nothing", () => {
    assertEquals(framing(""), { kind: "none" });
    assertEquals(framing("Content-Length: 0\r\n"), { kind: "none" });
    assertEquals(framing("Content-Length: 12\r\n"), { kind: "length", length: 12 });
    assertEquals(framing("Transfer-Encoding: Chunked\r\n"), { kind: "chunked" });
  });

  const refused: [lines: string, status: number][] = [
    ["Content-Length: 1\r\nContent-Length: 1\r\n", 400],
    ["Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400],
    ["Content-Length: 5\r\nTransfer-Encoding:\r\n", 400],
    ["Transfer-Encoding: ,\r\n", 501],
    ["Content-Length: +1\r\n", 400],
    ["Content-Length: 1, 1\r\n", 400],
    ["Content-Length: -1\r\n", 400],
    ["Content-Length: 0x10\r\n", 400],
    ["Content-Length: \r\n", 400],
    ["Content-Length: 99999999999999999999\r\n", 400],
    ["Transfer-Encoding: gzip, chunked\r\n", 501],
    ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501],
    ["Transfer-Encoding: xchunked\r\n", 501],
  ];
  for (const [lines, status] of refused) {
    it(`refuses ${JSON.stringify(lines)} with ${status}`, () => {
      assertEquals(assertThrows(() => framing(lines), HttpError).status, status);
    });
  }

  it("refuses chunks in HTTP/1.0", () => {
    assertThrows(() => framing("Transfer-Encoding: chunked\r\n", 0), HttpError);
  });
});

function readBody(reader: BodyReader, chunks: Uint8Array[]): { body: string; rest: string } {
  const pieces: Uint8Array[] = [];
  let rest = "";
  for (const chunk of chunks) {
    const used = reader.push(chunk, 0, (piece) => pieces.push(piece.slice()));
    rest += decode(chunk.subarray(used));
  }
  return { body: decode(concat(...pieces)), rest };
}

describe("BodyReader", () => {
  it("reads a body of known length cut anywhere, and leaves what follows", () => {
    const bytes = encode("Hello worldGET /");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new BodyReader({ kind: "length", length: 11 }, 0);
      assertEquals(readBody(reader, [bytes.slice(0, cut), bytes.slice(cut)]), { body: "Hello world", rest: "GET /" });
      assertEquals(reader.done, true);
    }
  });

  it("reads a chunked body cut anywhere, with extensions and trailers, and leaves what follows", () => {
    const bytes = encode("5;a=b\r\nHello\r\n006\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET /");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new BodyReader({ kind: "chunked" }, 0);
      assertEquals(readBody(reader, [bytes.slice(0, cut), bytes.slice(cut)]), { body: "Hello world", rest: "GET /" });
      assertEquals(reader.done, true);
    }
  });

  it("reads the output of encodeChunk", () => {
    const bytes = concat(
      encodeChunk(encode("a".repeat(300))),
      encodeChunk(encode("b")),
      encodeChunk(new Uint8Array(0)),
    );
    const reader = new BodyReader({ kind: "chunked" }, 0);
    assertEquals(readBody(reader, [bytes]).body, "a".repeat(300) + "b");
  });

  const malformed = [
    "x\r\n",
    "5 \r\nHello\r\n0\r\n\r\n",
    "\r\n",
    "-1\r\n",
    "5\nHello\r\n0\r\n\r\n",
    "5\r\nHelloX\r\n0\r\n\r\n",
    "5\r\nHello\n0\r\n\r\n",
    "5\r\nHello\rX",
    "ffffffffffffffff\r\n",
    "5" + ";".repeat(300) + "\r\n",
    "0\r\n" + "a".repeat(5000),
    "5\0\r\n",
    "0x5\r\nHello\r\n",
    "5;a=\u0001\r\n",
    "5;a=\u007f\r\n",
    "5;a\0\r\n",
    "5;a\rb\r\n",
    "0\r\nX-A: \u0001\r\n",
    "0\r\nX-A: \u001b[2J\r\n",
    "0\r\nX-A: a\rb\r\n",
  ];
  for (const text of malformed) {
    it(`refuses ${JSON.stringify(text.slice(0, 30)).replace("\u007f", "\\u007f")} with 400`, () => {
      for (const size of [text.length, 1]) {
        const reader = new BodyReader({ kind: "chunked" }, 0);
        const error = assertThrows(() => {
          for (let at = 0; at < text.length; at += size) reader.push(encode(text.slice(at, at + size)), 0, () => {});
        }, HttpError);
        assertEquals(error.status, 400);
      }
    });
  }

  it("takes size lines of 256 octets and trailers of 4096 in all, their CRs included, and no more", () => {
    const read = (text: string): boolean => {
      const reader = new BodyReader({ kind: "chunked" }, 0);
      reader.push(encode(text), 0, () => {});
      return reader.done;
    };
    const refused = (text: string): void =>
      void assertEquals(assertThrows(() => read(text), HttpError, "too long").status, 400);
    assertEquals(read(`0;${"a".repeat(253)}\r\n\r\n`), true);
    refused(`0;${"a".repeat(254)}\r\n\r\n`);
    // Each line is short, and has a CR.
    const line = `X: ${"a".repeat(60)}\r\n`;
    assertEquals(read(`0\r\n${line.repeat(63)}X: ${"a".repeat(59)}\r\n\r\n`), true);
    refused(`0\r\n${line.repeat(63)}X: ${"a".repeat(60)}\r\n\r\n`);
  });

  it("refuses a body beyond the limit before it is kept: at the header, or at the size of the chunk", () => {
    assertEquals(assertThrows(() => new BodyReader({ kind: "length", length: 11 }, 10), HttpError).status, 413);
    const reader = new BodyReader({ kind: "chunked" }, 10);
    reader.push(encode("6\r\nHello!\r\n"), 0, () => {});
    assertEquals(assertThrows(() => reader.push(encode("5\r\n"), 0, () => {}), HttpError).status, 413);
  });

  it("ends with a body or an HttpError on any bytes (fuzz)", () => {
    withSeed((random) => {
      for (let round = 0; round < 2000; round++) {
        const parts = ["0", "5", "a", "\r\n", "\n", "\r", ";", "Hello", "\0", "\r\n\r\n"];
        const text = Array.from({ length: random.int(14) }, () => random.pick(parts)).join("");
        const outcomes = [1, 100].map((most) => {
          const reader = new BodyReader({ kind: "chunked" }, 0);
          let body = "";
          try {
            for (const chunk of random.chunks(encode(text), most)) {
              if (!reader.done) reader.push(chunk, 0, (piece) => body += decode(piece));
            }
            return { body, done: reader.done };
          } catch (error) {
            assertInstanceOf(error, HttpError);
            return { body, error: error.message };
          }
        });
        assertEquals(outcomes[0], outcomes[1]);
      }
    });
  });
});

describe("makeRequest", () => {
  const make = (text: string): Request => {
    const { startLine, fields } = head(text);
    return makeRequest(parseRequestLine(startLine), fields, true, null);
  };

  it("makes a Request", () => {
    const request = make("PUT /a?b HTTP/1.1\r\nHost: example.com:8443\r\nX-A: 1\r\nX-A: 2\r\n\r\n");
    assertEquals([request.method, request.url], ["PUT", "https://example.com:8443/a?b"]);
    assertEquals(request.headers.get("x-a"), "1, 2");
  });

  it("refuses a missing, double or malformed Host, and methods that cannot be", () => {
    assertEquals(assertThrows(() => make("GET / HTTP/1.1\r\n\r\n"), HttpError).status, 400);
    assertEquals(assertThrows(() => make("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), HttpError).status, 400);
    assertEquals(assertThrows(() => make("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HttpError).status, 400);
    for (const host of ["x/secret?", "x/secret#", "x\\y", "u:p@x", "x?y", "\u00e4"]) {
      assertEquals(assertThrows(() => make(`GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`), HttpError).status, 400);
    }
    assertEquals(make("get / HTTP/1.1\r\nHost: a\r\n\r\n").method, "GET");
    for (const method of ["TRACE", "trace", "Track", "TRACK", "connect", "CONNECT"]) {
      const error = assertThrows(() => make(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`), HttpError, method);
      assertEquals(error.status, 501);
    }
  });
});

describe("planResponse", () => {
  const plan = (response: Response, method = "GET", minorVersion = 1, keepAlive = true): string => {
    const { head, chunked, hasBody } = planResponse(response, { method, minorVersion }, keepAlive, "now");
    const [start, ...lines] = decode(head).trimEnd().split("\r\n");
    return [start, ...lines.filter((line) => !line.startsWith("content-type")), chunked, hasBody].join("|");
  };

  it("delimits the body by length, chunks, or the end of the connection", () => {
    assertEquals(plan(new Response("a")), "HTTP/1.1 200 OK|date: now|transfer-encoding: chunked|true|true");
    const sized = new Response("a", { headers: { "content-length": "1" } });
    assertEquals(plan(sized), "HTTP/1.1 200 OK|date: now|content-length: 1|false|true");
    assertEquals(plan(new Response("a"), "GET", 0), "HTTP/1.1 200 OK|date: now|connection: close|false|true");
    assertEquals(plan(new Response(null)), "HTTP/1.1 200 OK|date: now|content-length: 0|false|false");
  });

  it("sends no body for HEAD, 204 and 304", () => {
    assertEquals(plan(new Response("a"), "HEAD"), "HTTP/1.1 200 OK|date: now|false|false");
    assertEquals(plan(new Response(null, { status: 204 })), "HTTP/1.1 204 No Content|date: now|false|false");
    assertEquals(plan(new Response(null, { status: 304 })), "HTTP/1.1 304 Not Modified|date: now|false|false");
  });

  it("keeps the program's hands off the connection", () => {
    const response = new Response(null, { headers: { connection: "keep-alive", "transfer-encoding": "gzip", a: "b" } });
    assertEquals(
      plan(response, "GET", 1, false),
      "HTTP/1.1 200 OK|a: b|date: now|content-length: 0|connection: close|false|false",
    );
  });
});

describe("refusalResponse", () => {
  it("names the version with 426, the method with 405, and says what was wrong", async () => {
    const version = refusalResponse(new HandshakeError("ERR_HANDSHAKE_REQUEST", "Old", 426));
    assertEquals([version.status, version.headers.get("sec-websocket-version")], [426, "13"]);
    const method = refusalResponse(new HandshakeError("ERR_HANDSHAKE_REQUEST", "Wrong", 405));
    assertEquals([method.headers.get("allow"), await method.text()], ["GET", "Wrong\n"]);
  });
});
