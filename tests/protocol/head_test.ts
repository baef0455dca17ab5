import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError } from "../../base/errors.ts";
import { encodeHead, type HeadLimits, HeadReader, parseRequestLine, parseStatusLine } from "../../protocol/head.ts";
import { decode, encode, withSeed } from "../support/support.ts";

function read(text: string, limits?: HeadLimits): HeadReader {
  const reader = new HeadReader(limits);
  reader.push(encode(text));
  return reader;
}

describe("HeadReader", () => {
  const head = "GET /a?b HTTP/1.1\r\nHost: example.com\r\nX-List: one\r\nx-list:\t two , three \r\nEmpty:\r\n\r\n";

  it("takes no value for a name, and gives the fields in the order in which they came", () => {
    const { fields } = read("GET / HTTP/1.1\r\nA: host\r\nHOST: b\r\na: c\r\n\r\n").head!;
    assertEquals([fields.get("host"), fields.get("b"), fields.get("a")], ["b", undefined, "host"]);
    assertEquals([...fields], [["a", "host"], ["host", "b"], ["a", "c"]]);
  });

  it("reads a head cut anywhere, and leaves what follows", () => {
    const bytes = encode(head + "body");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new HeadReader();
      let used = reader.push(bytes.slice(0, cut));
      if (reader.head === undefined) used += reader.push(bytes.slice(cut));
      assertEquals(used, head.length);
      assertEquals(reader.head?.startLine, "GET /a?b HTTP/1.1");
      const { fields } = reader.head!;
      assertEquals(fields.get("host"), "example.com");
      assertEquals(fields.all("x-list"), ["one", "two , three"]);
      assertEquals(fields.list("x-list"), ["one", "two", "three"]);
      assertEquals(fields.get("empty"), "");
      assertEquals(fields.count, 4);
    }
  });

  it("reads byte by byte", () => {
    const reader = new HeadReader();
    for (const byte of encode(head)) reader.push(Uint8Array.of(byte));
    assertEquals(reader.head?.fields.count, 4);
  });

  it("ignores empty lines before the start line", () => {
    assertEquals(read("\r\n\r\nGET / HTTP/1.1\r\n\r\n").head?.startLine, "GET / HTTP/1.1");
  });

  const refused: [name: string, text: string, status: number, limits?: HeadLimits][] = [
    ["a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400],
    ["a bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400],
    ["a bare CR inside a line", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400],
    ["a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["a folded line", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400],
    ["a line without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400],
    ["an empty name", "GET / HTTP/1.1\r\n: a\r\n\r\n", 400],
    ["a name that is not ASCII", "GET / HTTP/1.1\r\nHöst: a\r\n\r\n", 400],
    ["a NUL in a value", "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 400],
    ["a DEL in a value", "GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", 400],
    ["a head that is too large", `GET / HTTP/1.1\r\nHost: ${"a".repeat(2000)}\r\n\r\n`, 431, { maxHeadSize: 1024 }],
    ["a line without end that is too large", "G".repeat(1100), 431, { maxHeadSize: 1024 }],
    ["too many fields", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(11)}\r\n`, 431, { maxHeaderFields: 10 }],
  ];
  for (const [name, text, status, limits] of refused) {
    it(`refuses ${name}, whole and byte by byte`, () => {
      assertEquals(assertThrows(() => read(text, limits), HandshakeError).status, status);
      const reader = new HeadReader(limits);
      const error = assertThrows(() => {
        for (const byte of encode(text)) reader.push(Uint8Array.of(byte));
      }, HandshakeError);
      assertEquals(error.status, status);
    });
  }

  it("has defaults that take 16 KiB and 128 fields, and no more", () => {
    const fields = (count: number): string => `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(count)}\r\n`;
    assertEquals(read(fields(128)).head?.fields.count, 128);
    assertThrows(() => read(fields(129)), HandshakeError);
    assertThrows(() => read(`GET /${"a".repeat(16384)} HTTP/1.1\r\n\r\n`), HandshakeError);
  });

  it("keeps names of prototypes apart", () => {
    const { fields } = read("GET / HTTP/1.1\r\n__proto__: a\r\nconstructor: b\r\n\r\n").head!;
    assertEquals([fields.get("__proto__"), fields.get("constructor"), fields.get("tostring")], ["a", "b", undefined]);
  });

  it("ends with a head or a HandshakeError on any bytes (fuzz)", () => {
    withSeed((random) => {
      for (let round = 0; round < 2000; round++) {
        const bytes = random.int(3) === 0 ? random.bytes(random.int(80)) : encode(head);
        for (let hits = random.int(3); hits > 0 && bytes.length > 0; hits--) {
          bytes[random.int(bytes.length)] = random.pick([0, 9, 10, 13, 32, 58, 65, 127, 200]);
        }
        const outcomes = [1, 5, bytes.length + 1].map((most) => {
          const reader = new HeadReader();
          try {
            for (const chunk of random.chunks(bytes, most)) if (reader.head === undefined) reader.push(chunk);
            return reader.head === undefined ? "incomplete" : reader.head.startLine + [...reader.head.fields];
          } catch (error) {
            if (!(error instanceof HandshakeError)) throw error;
            return error.message;
          }
        });
        assertEquals(outcomes[1], outcomes[0]);
        assertEquals(outcomes[2], outcomes[0]);
      }
    });
  });
});

describe("parseRequestLine", () => {
  it("takes the origin and the absolute form", () => {
    const parsed = { method: "GET", path: "/a/b", query: "c=d?e", authority: "", minorVersion: 1 };
    assertEquals(parseRequestLine("GET /a/b?c=d?e HTTP/1.1"), parsed);
    const authority = "example.com:80";
    assertEquals(parseRequestLine("GET http://example.com:80/a/b?c=d?e HTTP/1.1"), { ...parsed, authority });
    const { path, query } = parseRequestLine("GET http://example.com?x=/chat HTTP/1.1");
    assertEquals([path, query], ["/", "x=/chat"]);
    assertEquals(parseRequestLine("GET http://example.com HTTP/1.0"), {
      method: "GET",
      path: "/",
      query: "",
      authority: "example.com",
      minorVersion: 0,
    });
    assertEquals(parseRequestLine("OPTIONS * HTTP/1.1").path, "*");
  });

  for (
    const line of [
      "",
      "GET",
      "GET /",
      "GET  / HTTP/1.1",
      "GET / HTTP/1.1 ",
      "G@T / HTTP/1.1",
      "GET / HTP/1.1",
      "GET a HTTP/1.1",
      "GET /\u00e4 HTTP/1.1",
      "GET :// HTTP/1.1",
      "GET * HTTP/1.1",
    ]
  ) {
    it(`refuses "${line}" with 400`, () => {
      assertEquals(assertThrows(() => parseRequestLine(line), HandshakeError).status, 400);
    });
  }

  it("refuses other versions with 505", () => {
    for (const version of ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/1.10"]) {
      assertEquals(assertThrows(() => parseRequestLine(`GET / ${version}`), HandshakeError).status, 505);
    }
  });
});

describe("parseStatusLine", () => {
  it("takes a status line with and without a reason", () => {
    assertEquals(parseStatusLine("HTTP/1.1 101 Switching Protocols"), {
      status: 101,
      statusText: "Switching Protocols",
      minorVersion: 1,
    });
    assertEquals(parseStatusLine("HTTP/1.0 404").status, 404);
    assertEquals(parseStatusLine("HTTP/1.1 200 ").statusText, "");
  });

  it("refuses anything else", () => {
    for (
      const line of [
        "",
        "HTTP/1.1",
        "HTTP/1.1 1O1 x",
        "HTTP/1.1 10",
        "HTTP/1.1 1011",
        "HTTP/2 101 x",
        "HTTP/1.1 012 x",
        "ICY 200 OK",
      ]
    ) {
      assertThrows(() => parseStatusLine(line), HandshakeError);
    }
  });
});

describe("encodeHead", () => {
  it("encodes", () => {
    assertEquals(
      decode(encodeHead("GET / HTTP/1.1", [["A", "b"], ["C", ""]])),
      "GET / HTTP/1.1\r\nA: b\r\nC: \r\n\r\n",
    );
  });

  it("refuses a start line that could start another line, also after it is cut to bytes", () => {
    for (const line of ["GET /\r\nA: b HTTP/1.1", "GET /\u010d\u010aA: b HTTP/1.1", "GET /\0 HTTP/1.1"]) {
      assertThrows(() => encodeHead(line, []), HandshakeError);
    }
  });

  it("refuses names and values that could start a line of their own (CVE-2026-1527)", () => {
    for (const value of ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\x7fb", "€"]) {
      assertThrows(() => encodeHead("GET / HTTP/1.1", [["A", value]]), HandshakeError);
    }
    for (const name of ["", "a b", "a:", "a\r\n", "ä"]) {
      assertThrows(() => encodeHead("GET / HTTP/1.1", [[name, "b"]]), HandshakeError);
    }
  });
});
