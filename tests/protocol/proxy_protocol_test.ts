/** Tests of the header of the PROXY protocol: forms, chunkings, limits, and what is refused at which byte. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { concat } from "../../base/bytes.ts";
import { TransportError } from "../../base/errors.ts";
import { ProxyHeaderReader } from "../../protocol/proxy_protocol.ts";
import { encode } from "../support/support.ts";
import { headerV2 } from "../support/proxy_header.ts";

/** Reads a header and bytes behind it; returns the client, "none" or the error, the same for each chunking. */
function read(bytes: Uint8Array, rest = encode("GET /\r\nPROXY ")): string {
  const whole = concat(bytes, rest);
  const outcomes = new Set<string>();
  for (const size of [whole.length, 1, 7]) outcomes.add(readChunks(whole, size, bytes.length));
  for (let cut = 1; cut < Math.min(bytes.length, 300); cut++) outcomes.add(readChunks(whole, cut, bytes.length));
  assertEquals(outcomes.size, 1, [...outcomes].join(" or "));
  return [...outcomes][0]!;
}

/** Reads chunks of `size` bytes. The header must end where it ends. */
function readChunks(whole: Uint8Array, size: number, end: number): string {
  const reader = new ProxyHeaderReader();
  assert(reader.untouched);
  let used = 0;
  try {
    for (let at = 0; at < whole.length && reader.header === undefined; at += size) {
      used += reader.push(whole.subarray(at, at + size));
    }
  } catch (error) {
    assertInstanceOf(error, TransportError);
    assertEquals(error.code, "ERR_PROXY_HEADER");
    return error.message;
  }
  if (reader.header === undefined) return "unfinished";
  assertEquals(used, end);
  const { source } = reader.header;
  return source === undefined ? "none" : `${source.hostname} ${source.port}`;
}

const line = (text: string): string => read(encode(`${text}\r\n`));

describe("version 1", () => {
  it("tells the client", () => {
    assertEquals(line("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443"), "192.0.2.1 56324");
    assertEquals(line("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535"), "255.255.255.255 65535");
    assertEquals(line("PROXY TCP6 2001:DB8::1 2001:db8::2 1 0"), "2001:db8::1 1");
    assertEquals(line("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2"), "192.0.2.1 1");
    const long = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    assertEquals(line(`PROXY TCP6 ${long} ${long} 65535 65535`), `${long} 65535`);
  });

  it("tells none for UNKNOWN, whatever follows", () => {
    assertEquals(line("PROXY UNKNOWN"), "none");
    assertEquals(line("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535"), "none");
    assertEquals(line("PROXY UNKNOWN a b c d e f g \0\x7f"), "none");
  });

  it("refuses what is malformed", () => {
    const malformed = ["TCP4 192.0.2.1 198.51.100.1 1", "TCP4 192.0.2.1 198.51.100.1 1 2 3", "TCP4 ::1 ::1 1 2"];
    malformed.push("TCP6 192.0.2.1 192.0.2.2 1 2", "TCP4 192.0.2.1 198.51.100.1 65536 2", "TCP4 a b 1 2", "TCP4");
    malformed.push("TCP4  192.0.2.1 198.51.100.1 1 2", "TCP4 192.0.2.1 198.51.100.1 01 2", "TCP6 fe80::1%a ::1 1 2");
    malformed.push("TCP4 192.0.2.1 198.51.100.1 -1 2", "TCP4 192.0.2.1 198.51.100.1 1 ", "TCP4 192.0.2.1 x 1 2");
    for (const text of malformed) {
      assertEquals(line(`PROXY ${text}`), "The header of the PROXY protocol has a malformed address", text);
    }
    for (const text of ["", "TCP5 a", "tcp4 192.0.2.1 198.51.100.1 1 2", "UNKNOWNx"]) {
      assertEquals(line(`PROXY ${text}`), 'The header of the PROXY protocol is neither of "TCP4" nor of "TCP6"', text);
    }
    assertEquals(read(encode("PROXY UNKNOWN\n")), "The header of the PROXY protocol does not end with CR LF");
  });

  it("ends after 107 bytes", () => {
    const most = `PROXY UNKNOWN ${"x".repeat(107 - 16)}`;
    assertEquals(line(most), "none");
    const fault = "The header of the PROXY protocol has no line end within 107 bytes";
    assertEquals(line(most + "x"), fault);
    assertEquals(read(encode("PROXY TCP4 ".padEnd(107, "1")), new Uint8Array(0)), fault);
    assertEquals(read(encode("PROXY TCP4 ".padEnd(106, "1")), new Uint8Array(0)), "unfinished");
  });
});

describe("version 2", () => {
  it("tells the client, and skips what follows the addresses", () => {
    assertEquals(read(headerV2({ source: "192.0.2.1", port: 56324 })), "192.0.2.1 56324");
    assertEquals(read(headerV2({ source: "2001:db8::1", port: 65535 })), "2001:db8::1 65535");
    assertEquals(read(headerV2({ source: "192.0.2.1", port: 1, more: encode("\x04\x00\x01x") })), "192.0.2.1 1");
    assertEquals(read(headerV2({ source: "2001:db8::1", port: 1, more: new Uint8Array(1000) })), "2001:db8::1 1");
    const mapped = headerV2({ source: "2001:db8::1", port: 80 });
    mapped.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9], 16);
    assertEquals(read(mapped), "192.0.2.9 80");
  });

  it("tells none for LOCAL, and for families other than TCP", () => {
    assertEquals(read(headerV2({ command: 0x20, family: 0 })), "none");
    assertEquals(read(headerV2({ command: 0x20, family: 0x11, more: encode("ignored") })), "none");
    for (const family of [0x00, 0x01, 0x12, 0x22, 0x31, 0x32]) {
      assertEquals(read(headerV2({ family, more: new Uint8Array(family >= 0x30 ? 216 : 36) })), "none");
    }
    assertEquals(read(headerV2({ family: 0 })), "none");
  });

  it("refuses what is malformed", () => {
    for (const command of [0x00, 0x10, 0x11, 0x22, 0x2f, 0x31]) {
      assertEquals(read(headerV2({ command })), "The header of the PROXY protocol has an unknown version or command");
    }
    for (const family of [0x41, 0xf1, 0x13, 0x1f]) {
      const fault = "The header of the PROXY protocol has an unknown family of addresses";
      assertEquals(read(headerV2({ family, more: new Uint8Array(50) })), fault);
    }
    for (const [family, size] of [[0x11, 0], [0x11, 11], [0x21, 12], [0x21, 35]] as const) {
      const fault = "The header of the PROXY protocol is too short for its addresses";
      assertEquals(read(headerV2({ family, more: new Uint8Array(size) })), fault);
    }
  });

  it("ends after 16 KiB, refused at the length", () => {
    const most = 16 * 1024 - 12;
    assertEquals(
      readChunks(headerV2({ source: "192.0.2.1", more: new Uint8Array(most) }), 4096, most + 28),
      "192.0.2.1 1",
    );
    const long = headerV2({ source: "192.0.2.1", more: new Uint8Array(most + 1) }).subarray(0, 16);
    assertEquals(read(long), "The header of the PROXY protocol is longer than 16384 bytes");
    assertEquals(read(headerV2({ source: "192.0.2.1" }).subarray(0, 27), new Uint8Array(0)), "unfinished");
  });
});

describe("other first bytes", () => {
  it("are refused at the first byte that no header has there", () => {
    const starts = ["GET / HTTP/1.1\r\n", "POST / ", "PRI * HTTP/2.0", "PROXX ", "\r\n\r\nGET", "\x16\x03\x01", "\0"];
    starts.push("\r\n\r\n\0\r\nQUIX", "proxy TCP4 ", "PROXY\r\n", " PROXY ");
    for (const start of starts) {
      const bytes = encode(start);
      const refused = read(bytes);
      assert(refused.startsWith('A peer in "trustedProxies" does not begin with the PROXY protocol'), refused);
    }
    assertEquals(read(encode("PROXY"), new Uint8Array(0)), "unfinished");
    assertEquals(read(encode("\r\n\r\n\0\r\nQUIT"), new Uint8Array(0)), "unfinished");
  });
});
