import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError } from "../../base/errors.ts";
import { HeadReader } from "../../protocol/head.ts";
import {
  assertClientByte,
  assertClientLine,
  foreignProtocolOf,
  foreignServer,
  guess,
  ServerGreeting,
} from "../../protocol/peer_protocol.ts";
import { encode } from "../support/support.ts";

/** First bytes of servers, and what they are taken for. */
const GREETINGS: [bytes: Uint8Array, protocol: string][] = [
  [Uint8Array.of(0x15, 3, 3, 0, 2, 2, 0x46), "TLS"],
  [Uint8Array.of(0x16, 3, 1, 0, 200), "TLS"],
  [encode("SSH-2.0-OpenSSH_9.9\r\n"), "SSH"],
  [encode("220 mail.example ESMTP\r\n"), "SMTP or FTP"],
  [encode("220-ftp.example\r\n"), "SMTP or FTP"],
  [encode("421 too many\r\n"), "SMTP or FTP"],
  [encode("554 no\r\n"), "SMTP or FTP"],
  [encode("* OK IMAP4rev1\r\n"), "IMAP"],
  [encode("+OK ready\r\n"), "POP3"],
  [encode("-ERR wrong number of arguments for 'get' command\r\n"), "Redis"],
  [encode("-DENIED Redis is running in protected mode\r\n"), "Redis"],
  [encode("-NOAUTH Authentication required.\r\n"), "Redis"],
  [encode("ERROR\r\n"), "Memcached"],
  [encode("AMQP\0\0\x09\x01"), "AMQP"],
  [encode("RFB 003.008\n"), "VNC"],
  [encode("RTSP/1.0 400 Bad Request\r\n"), "RTSP"],
  [Uint8Array.of(0x45, 0, 0, 0, 0x8d, 0x53), "PostgreSQL"],
  [Uint8Array.of(0x4a, 0, 0, 0, 0x0a, 0x38), "MySQL"],
  [Uint8Array.of(0, 0, 18, 4, 0, 0, 0, 0, 0), "HTTP/2 only"],
  [Uint8Array.of(0xff, 0xfd, 1), "Telnet"],
  [Uint8Array.of(0xff, 0xfb, 1), "Telnet"],
  [encode("hello"), ""],
  [encode("HTCPCP/1.0"), ""],
  [encode("http/1.1 200 OK"), ""],
  [encode("\r\n\nSSH-2.0"), "SSH"],
];

/** Feeds bytes until the greeting fails; returns the protocol and the bytes it took, or `undefined`. */
function read(bytes: Uint8Array, size: number): { protocol: string; used: number; message: string } | undefined {
  const greeting = new ServerGreeting();
  for (let at = 0; at < bytes.length; at += size) {
    try {
      greeting.push(bytes.subarray(at, at + size), 0);
    } catch (error) {
      const protocol = foreignProtocolOf(error);
      assert(error instanceof HandshakeError && protocol !== undefined);
      assertEquals([error.code, error.status, error.name], ["ERR_HEAD_SYNTAX", 0, "HandshakeError"]);
      return { protocol, used: at + size, message: error.message };
    }
  }
  return undefined;
}

describe("ServerGreeting", () => {
  it("names the protocol of a server in any chunking, by a table, and repeats nothing of the server", () => {
    for (const [bytes, protocol] of GREETINGS) {
      for (let size = 1; size <= bytes.length; size++) {
        const found = read(bytes, size);
        assertEquals(found?.protocol, protocol);
        const expected = protocol === "" ? "HTTP; check" : `HTTP: it seems to speak ${protocol}; check`;
        assertEquals(found?.message, `The server does not speak ${expected} host and port`);
      }
    }
  });

  it("decides at the first byte that can, and reads on while a longer prefix is possible", () => {
    // The first byte of MySQL can be any.
    assertEquals(read(encode("x".repeat(100)), 1)?.used, 2);
    assertEquals(read(encode("SSH-"), 1)?.used, 4);
    const greeting = new ServerGreeting();
    greeting.push(encode("22"), 0);
    assertEquals(greeting.isForeign, true);
    assertThrows(() => greeting.push(encode("1 "), 0), HandshakeError, "host and port");
  });

  it("takes HTTP, behind empty lines too, and then anything", () => {
    for (const text of ["HTTP/1.1 101 x\r\n", "\r\nHTTP/1.1 SSH-2.0"]) {
      for (const size of [1, 2, 3, 100]) assertEquals(read(encode(text), size), undefined);
    }
    const greeting = new ServerGreeting();
    greeting.push(encode("xHTT"), 1);
    assertEquals(greeting.isForeign, false);
    assertEquals(foreignProtocolOf(new HandshakeError("ERR_HEAD_SYNTAX", "other")), undefined);
    assertEquals(foreignProtocolOf("no error"), undefined);
    assertEquals([foreignProtocolOf(foreignServer("SSH")), guess(""), guess("a")], [
      "SSH",
      "",
      ": it seems to speak a",
    ]);
  });
});

describe("clients that do not speak HTTP", () => {
  const refusal = (text: string | Uint8Array, size: number): string => {
    const bytes = typeof text === "string" ? encode(text) : text;
    const reader = new HeadReader({}, "request");
    for (let at = 0; at < bytes.length; at += size) {
      try {
        reader.push(bytes.subarray(at, at + size));
      } catch (error) {
        assert(error instanceof HandshakeError);
        assertEquals([error.code, error.status], ["ERR_HEAD_SYNTAX", 400]);
        return error.message;
      }
    }
    return "";
  };

  it("are refused by a head reader at once, in any chunking", () => {
    const hello = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3);
    const proxy2 = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
    const cases: [bytes: string | Uint8Array, message: string][] = [
      [hello, 'The client speaks TLS, and this port does not: connect with "ws:", or set "useSSL" of the server'],
      ["SSH-2.0-OpenSSH_9.9\r\n", "The client does not speak HTTP: it seems to speak SSH"],
      ["SSH-1.99-x\r\n", "The client does not speak HTTP: it seems to speak SSH"],
      ["PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 'A proxy sends the PROXY protocol: set "proxyProtocol"'],
      ["PROXY UNKNOWN\r\n", 'A proxy sends the PROXY protocol: set "proxyProtocol"'],
      [proxy2, 'A proxy sends the PROXY protocol: set "proxyProtocol"'],
      [Uint8Array.of(5, 1, 0), "The client does not speak HTTP: it seems to speak SOCKS 5"],
      [Uint8Array.of(4, 1, 0, 80), "The client does not speak HTTP: it seems to speak SOCKS 4"],
      [Uint8Array.of(3, 0, 0, 19), "The client does not speak HTTP: it seems to speak RDP"],
      [Uint8Array.of(0x10, 12, 0, 4), "The client does not speak HTTP: it seems to speak MQTT"],
      [Uint8Array.of(0, 0, 0, 8, 4, 210), "The client does not speak HTTP"],
    ];
    for (const [bytes, message] of cases) {
      for (let size = 1; size <= bytes.length; size++) {
        const told = refusal(bytes, size);
        assertEquals(told.startsWith(message), true, `${told} at ${size}`);
      }
    }
  });

  it("are of no interest to a reader of other heads", () => {
    const reader = new HeadReader();
    reader.push(encode("SSH-2.0-x\r\nA: b\r\n\r\n"));
    assertEquals(reader.head?.startLine, "SSH-2.0-x");
  });

  it("are told from HTTP: methods of any name, and the same bytes elsewhere in a head", () => {
    for (const head of ["PROXY /TCP HTTP/1.1", "SSH- / HTTP/1.1", "\r\nGET /\x7e HTTP/1.1"]) {
      assertEquals(refusal(`${head}\r\nHost: a\r\n\r\n\x16\x03`, 3), "");
    }
    assertClientByte(0x47, false);
    assertClientByte(0x0d, true);
    assertClientLine("GET / HTTP/1.1");
  });
});
