/**
 * Vulnerabilities of other libraries, tried on this one: a test for each row of `SECURITY.md`, which names them. In
 * memory or over real sockets, against defaults.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import { Admission } from "../server/admission.ts";
import { WebSocketClient } from "../client.ts";
import { CLIENT_SETTINGS } from "../client/settings.ts";
import { CONNECTION_DEFAULTS } from "../connection/options.ts";
import { HandshakeError, OptionError, ProtocolError, TransportError, WebSocketError } from "../base/errors.ts";
import { parseExtensions } from "../protocol/extensions.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { checkUpgradeResponse, encodeUpgradeRequest, encodeUpgradeResponse } from "../protocol/handshake.ts";
import { encodeHead, HeadReader } from "../protocol/head.ts";
import { planResponse } from "../protocol/http.ts";
import { printable } from "../base/log.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { isOneOf } from "../whatsapp/access.ts";
import { attackWith, length64, repeat, upgradeHead } from "./support/hostile.ts";
import { heldMemory } from "./support/memory.ts";
import { RawSocket, roundTrip } from "./support/sockets.ts";
import {
  agreeOn,
  assertFrames,
  cpuTime,
  decode,
  encode,
  FakeClock,
  openRig,
  settle,
  startEcho,
  tlsFile,
  until,
} from "./support/support.ts";
import { concat } from "../base/bytes.ts";

/** Leaves with the answer. */
const QUICK = { answered: true, stay: 10_000 };

/** A server with the defaults; whatever happens to it, it must go on serving. */
async function attacked(
  attack: (port: number, server: WebSocketServer) => Promise<void>,
  options: WebSocketServerOptions = {},
): Promise<{ errors: WebSocketError[]; server: WebSocketServer }> {
  const errors: WebSocketError[] = [];
  await using server = await startEcho({ onError: (error) => errors.push(error as WebSocketError), ...options });
  await attack(server.address!.port, server);
  const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`);
  await client.connect();
  client.send("still there");
  for await (const message of client) {
    assertEquals(message, "still there");
    break;
  }
  await client.disconnect();
  for (const error of errors) assertInstanceOf(error, WebSocketError);
  return { errors, server };
}

const codesOf = (errors: WebSocketError[]): string[] => errors.map(({ code }) => code);

/** The text of a close frame of a server, behind the head of its answer. */
function closeOf(answer: string): string {
  const at = answer.indexOf("\r\n\r\n") + 4;
  const frame = answer.slice(at);
  if (frame.charCodeAt(0) !== 0x88) return `no close frame: ${JSON.stringify(frame.slice(0, 50))}`;
  return String((frame.charCodeAt(2) << 8) | frame.charCodeAt(3));
}

describe("security", () => {
  it("too many headers are refused with 431, however few bytes they are", async () => {
    const { errors } = await attacked(async (port) => {
      const fields = Array.from({ length: 129 - 5 }, (_, index) => `a${index}: `);
      assertStringIncludes(await attackWith(port, upgradeHead(...fields)), "HTTP/1.1 431 ");
      assertStringIncludes(await attackWith(port, upgradeHead(`a: ${"x".repeat(16 * 1024)}`)), "HTTP/1.1 431 ");
      assertStringIncludes(await attackWith(port, upgradeHead(...fields.slice(1))), "HTTP/1.1 101 ");
    });
    assertEquals(codesOf(errors), ["ERR_HEAD_TOO_LARGE", "ERR_HEAD_TOO_LARGE"]);
  });

  it("subprotocols and extensions are read in one pass: 20 times as much takes no 100 times as long", () => {
    const nasty: [string, (size: number) => string][] = [
      ["blanks in a subprotocol", (size) => `Sec-WebSocket-Protocol: a${" ".repeat(size)}b`],
      ["blanks in an extension", (size) => `Sec-WebSocket-Extensions: a;${" ".repeat(size)}b`],
      ["commas", (size) => `Sec-WebSocket-Protocol: ${",".repeat(size)}`],
      ["semicolons", (size) => `Sec-WebSocket-Extensions: a${";b".repeat(size / 2)}`],
      ["backslashes", (size) => `Sec-WebSocket-Extensions: a; b="${"\\".repeat(size)}`],
      ["quotes", (size) => `Sec-WebSocket-Extensions: a; b=${'"'.repeat(size)}`],
    ];
    const time = (line: string): number => {
      const begun = cpuTime();
      const reader = new HeadReader({ maxHeadSize: 0 });
      reader.push(encode(`GET / HTTP/1.1\r\n${line}\r\n\r\n`));
      const fields = reader.head!.fields;
      try {
        fields.list("sec-websocket-protocol");
        parseExtensions(fields.all("sec-websocket-extensions"));
      } catch (error) {
        assertInstanceOf(error, HandshakeError);
      }
      return cpuTime() - begun;
    };
    for (const [name, make] of nasty) {
      const least = (size: number): number => Math.min(...Array.from({ length: 5 }, () => time(make(size))));
      const [small, large] = [least(10_000), least(200_000)];
      assert(large < Math.max(small, 0.5) * 100, `${name}: ${small} ms, 20 times as much ${large} ms`);
    }
  });

  it("names of prototypes are extensions, parameters and subprotocols like any other that is not known", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
    await attacked(async (port, server) => {
      for (const name of names) {
        for (
          const value of [
            name,
            `permessage-deflate; ${name}`,
            `permessage-deflate; ${name}=1`,
            `${name}; ${name}=${name}`,
          ]
        ) {
          const answer = await attackWith(port, upgradeHead(`Sec-WebSocket-Extensions: ${value}`), undefined, QUICK);
          assert(answer.startsWith("HTTP/1.1 101 ") || answer.startsWith("HTTP/1.1 400 "), answer);
          assertEquals(answer.toLowerCase().includes("sec-websocket-extensions"), false);
        }
        const answer = await attackWith(port, upgradeHead(`Sec-WebSocket-Protocol: ${name}`), undefined, QUICK);
        assertStringIncludes(answer, "HTTP/1.1 101 ");
        assertEquals(answer.toLowerCase().includes("sec-websocket-protocol"), false);
      }
      assertEquals(Object.keys(server.stats().refusals).filter((reason) => reason !== "ERR_HANDSHAKE_REQUEST"), []);
    }, { compression: true });
    assertEquals(({} as Record<string, unknown>).polluted, undefined);
    const fields = new HeadReader();
    fields.push(encode("GET / HTTP/1.1\r\n__proto__: polluted\r\nconstructor: x\r\n\r\n"));
    assertEquals(fields.head!.fields.get("__proto__"), "polluted");
  });

  it("floods of tiny and empty fragments end with 1008, and keep no memory for each fragment", async () => {
    assertEquals(CONNECTION_DEFAULTS.maxFragments, 131_072);
    for (const size of [0, 1]) {
      const { transport, recorder, peer, connection } = openRig("server");
      transport.receive(peer.binary(new Uint8Array(size), false));
      const many = repeat(peer.continuation(new Uint8Array(size), false), 1000);
      const before = heldMemory();
      let fragments = 1;
      while (connection.state === "open" && fragments < 200_000) {
        transport.receive(many);
        fragments += 1000;
      }
      assert(fragments > 131_072 && fragments < 133_000, String(fragments));
      assertEquals((recorder.errors[0] as WebSocketError).code, "ERR_TOO_MANY_FRAGMENTS");
      assertFrames(transport.written, ['close 1008 "A message of more than 131072 fragments"']);
      assert(heldMemory() - before < 32 * 1024 * 1024);
      connection.terminate();
      await settle();
    }
  });

  it("decompression bombs end with 1009 where they go beyond, as one block, as many, and in fragments", async () => {
    const compression = agreeOn(true);
    const bomb = new Uint8Array(deflateRawSync(new Uint8Array(64 * 1024 * 1024)));
    const nothing = repeat(Uint8Array.of(0, 0, 0, 0xff, 0xff), 10_000_000);
    for (const payload of [bomb, nothing]) {
      for (const pieces of [1, 50]) {
        const { transport, recorder, peer, connection } = openRig("server", {}, compression);
        const size = Math.ceil(payload.length / pieces);
        for (let at = 0; at < payload.length && connection.state === "open"; at += size) {
          const opcode = at === 0 ? Opcode.Binary : Opcode.Continuation;
          const frame = peer.frame(opcode, payload.subarray(at, at + size), at + size >= payload.length);
          if (at === 0) frame[0]! |= 0x40;
          // Read by read, as from a socket.
          for (let part = 0; part < frame.length && connection.state === "open"; part += 262144) {
            transport.receive(frame.subarray(part, part + 262144));
          }
        }
        assertEquals([(recorder.errors[0] as WebSocketError)?.code, recorder.messages], ["ERR_MESSAGE_TOO_LARGE", []]);
        connection.terminate();
        await settle();
      }
    }
  });

  it("window bits out of range are refused in an offer and in an answer, and never reach zlib", async () => {
    const values = ["7", "16", "0", "-1", "99999999999999999999", "1e1", "0x0f", "15.0", "", "08", '"', "true"];
    await attacked(async (port) => {
      for (const name of ["server_max_window_bits", "client_max_window_bits"]) {
        for (const value of values) {
          const offer = `Sec-WebSocket-Extensions: permessage-deflate; ${name}=${value}`;
          const answer = await attackWith(port, upgradeHead(offer), undefined, QUICK);
          const declined = answer.startsWith("HTTP/1.1 101 ") && !answer.toLowerCase().includes("permessage-deflate");
          assert(declined || answer.startsWith("HTTP/1.1 400 "), `${value}: ${answer}`);
        }
      }
    }, { compression: true });
    for (const value of values) {
      const listener = await import("node:net").then(({ createServer }) =>
        createServer((socket) =>
          socket.on("error", () => {}).on("data", (bytes) => {
            const key = decode(new Uint8Array(bytes)).split("Sec-WebSocket-Key: ")[1]!.split("\r\n")[0]!;
            const head = decode(encodeUpgradeResponse({ key, protocol: "", extensions: [] })).trimEnd();
            socket.write(
              `${head}\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=${value}\r\n\r\n`,
            );
          })
        )
      );
      await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
      const { port } = listener.address() as { port: number };
      const client = new WebSocketClient(`ws://127.0.0.1:${port}/`, { compression: true });
      await assertRejects(() => client.connect(), HandshakeError);
      await new Promise((resolve) => listener.close(resolve));
    }
  });

  it("64-bit lengths are refused at the header: over the limit, over 2^53, negative, or not minimal", async () => {
    const { errors } = await attacked(async (port) => {
      for (
        const [high, low, code] of [
          [0, 0x01000001, "1009"],
          [1, 0, "1009"],
          [0x1fffff, 0xffffffff, "1009"],
          [0x200000, 0, "1002"],
          [0x7fffffff, 0xffffffff, "1002"],
          [0xffffffff, 0xffffffff, "1002"],
          [0x80000000, 0, "1002"],
          [0, 5, "1002"],
        ] as const
      ) {
        assertEquals([high, closeOf(await attackWith(port, upgradeHead(), length64(high, low)))], [high, code]);
      }
    });
    assertEquals(errors.length, 8);
    // Who only announces much gets little.
    const { transport, connection } = openRig("server", { maxMessageSize: 0 });
    const before = heldMemory();
    transport.receive(concat(length64(0x10000, 0), new Uint8Array(10)));
    assertEquals(connection.state, "open");
    assert(heldMemory() - before < 1024 * 1024);
    connection.terminate();
    await settle();
  });

  it("no CR, LF or other control character of a value gets into a head", async () => {
    const nasty = ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "a\u0100b", "a\u560d\u560ab"];
    const request = { host: "h", target: "/", key: "k", origin: "", protocols: [], extensions: [], headers: [] };
    for (const value of nasty) {
      for (
        const offer of [{ host: value }, { target: value }, { key: value }, { origin: value }, { protocols: [value] }]
      ) {
        assertThrows(() => encodeUpgradeRequest({ ...request, ...offer } as typeof request), Error);
      }
      assertThrows(() => encodeUpgradeRequest({ ...request, headers: [["x", value]] as never }), HandshakeError);
      assertThrows(() => encodeUpgradeRequest({ ...request, headers: [[value, "x"]] as never }), HandshakeError);
      assertThrows(() => encodeUpgradeResponse({ key: "k", protocol: value, extensions: [] }), HandshakeError);
      assertThrows(() => encodeHead("HTTP/1.1 200 OK", [["x", value]]), HandshakeError);
      assertThrows(() => encodeHead(value, []), HandshakeError);
      const options = { hostname: "localhost", port: 1 };
      await assertRejects(() => new WebSocketClient({ ...options, pathName: `/${value}` }).connect(), OptionError);
      await assertRejects(async () => await new WebSocketClient({ ...options, origin: value }).connect(), OptionError);
      await assertRejects(
        async () => await new WebSocketClient({ ...options, headers: { x: value } }).connect(),
        OptionError,
      );
      await assertRejects(
        async () => await new WebSocketClient({ ...options, hostname: value }).connect(),
        OptionError,
      );
      await assertRejects(() => new WebSocketClient({ ...options, token: value }).connect(), Error);
    }
    // What the web's classes let through, the encoder does not.
    const response = new Response(null, { headers: { x: "\u00e9" } });
    assertStringIncludes(
      decode(planResponse(response, { method: "GET", minorVersion: 1 }, true, "now").head),
      "\r\nx: ",
    );
  });

  it("a close reason is a text of at most 123 bytes, or nothing is sent", async () => {
    const { transport, connection } = openRig("server");
    const wrong: unknown[] = [
      1,
      null,
      {},
      [],
      Symbol.iterator,
      { toString: () => "x", length: 1e9 },
      new Uint8Array(5),
      "€".repeat(42),
    ];
    for (const reason of wrong) {
      await assertRejects(async () => await connection.close(1000, reason as string), OptionError);
    }
    for (const code of ["1000", 1000.5, NaN, 999, 1005, 1006, 1015, 5000, {}, null]) {
      await assertRejects(async () => await connection.close(code as number), OptionError);
    }
    assertEquals([connection.state, transport.writes.length], ["open", 0]);
    connection.close(1000, "x".repeat(123));
    await settle();
    assertEquals(transport.written.length, 2 + 125);
    connection.terminate();
    await settle();
  });

  it("slow and unfinished heads are given up after handshakeTimeout, TLS included, and held by number", async () => {
    const clock = new FakeClock();
    await attacked(async (port, server) => {
      const slow = await RawSocket.connect(port);
      await slow.write("GET / HTTP/1.1\r\n");
      const silent = await RawSocket.connect(port);
      await until(() => server.stats().connections.handshaking === 2, "both");
      await roundTrip(port);
      await until(() => server.stats().connections.handshaking === 2, "the end of the other connection");
      for (let second = 0; second < 9; second++) {
        clock.advance(1000);
        await slow.write("X-");
        await slow.write(`${second}: y\r\n`);
      }
      assertEquals(server.stats().connections.handshaking, 2);
      clock.advance(1001);
      assertStringIncludes(await slow.readText(), "HTTP/1.1 408 ");
      assertEquals(await silent.readText(), "");
    }, { clock });
    await attacked(async (port, server) => {
      const silent = await RawSocket.connect(port);
      await until(() => server.stats().connections.handshaking === 1, "TCP");
      assertEquals(await silent.readText().catch(() => ""), "");
      assertEquals(server.stats().connections.handshaking, 0);
    }, { handshakeTimeout: 50 });
    const evicted: number[] = [];
    const admission = new Admission(() => new WebSocketServer(), ({ port }) => evicted.push(port));
    for (let port = 0; port < 5000; port++) admission.enter({ hostname: "192.0.2.1", port }, 0);
    assertEquals(evicted.length, 5000 - 4096);
  });

  it("bytes beyond ASCII in a head are values or errors, never names, never something else", async () => {
    const { errors } = await attacked(async (port, server) => {
      const seen: (string | null)[] = [];
      server.onAllow = ({ request }) => {
        seen.push(request.headers.get("x-latin"));
        return true;
      };
      const latin = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
      assertStringIncludes(
        await attackWith(port, latin(upgradeHead("X-Latin: \u00e9\u00ff")), undefined, QUICK),
        " 101 ",
      );
      assertEquals(seen[0], "\u00e9\u00ff");
      for (const line of ["\u00e9: x", "X\u00a0: x", "\u00ff\u00fe"]) {
        assertStringIncludes(await attackWith(port, latin(upgradeHead(line))), " 400 ");
      }
      for (
        const field of [
          "Sec-WebSocket-Protocol: \u00e9",
          "Sec-WebSocket-Extensions: \u00e9",
          "Sec-WebSocket-Key: \u00e9",
        ]
      ) {
        assertStringIncludes(await attackWith(port, latin(upgradeHead(field))), " 400 ");
      }
      assertStringIncludes(await attackWith(port, latin("GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n")), " 400 ");
      assertStringIncludes(await attackWith(port, latin("G\u00cbT / HTTP/1.1\r\nHost: a\r\n\r\n")), " 400 ");
    });
    assertEquals(errors.length, 8);
  });

  it("no request is smuggled in: ambiguous requests get 400, and the connection ends", async () => {
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const post = (fields: string, body: string): string =>
      `POST /first HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}${smuggled}`;
    const forms = [
      post("Content-Length: 0\r\nContent-Length: 5\r\n", ""),
      post("Content-Length: 0, 0\r\n", ""),
      post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
      post("Content-Length : 0\r\n", ""),
      post("Content-Length: +0\r\n", ""),
      post("Content-Length: 0x0\r\n", ""),
      post("X: a\r\n folded\r\n", ""),
      post("X: a\nContent-Length: 0\r\n", ""),
      post("X: a\rb\r\n", ""),
      post("Transfer-Encoding: chunked\r\n", "0;x\n\r\n"),
      post("Transfer-Encoding: chunked\r\n", "g\r\n"),
      post("Transfer-Encoding: chunked\r\n", "-1\r\n"),
      post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
      post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
      post("Host: b\r\nContent-Length: 0\r\n", ""),
      `${upgradeHead("Content-Length: 37")}${smuggled}`,
      `${upgradeHead("Content-Length: 0", "Content-Length: 37")}${smuggled}`,
      `${upgradeHead("Transfer-Encoding: chunked")}${smuggled}`,
    ];
    const paths: string[] = [];
    await attacked(async (port) => {
      for (const form of forms) {
        const answer = await attackWith(port, form);
        assert(answer.startsWith("HTTP/1.1 400 ") || answer.startsWith("HTTP/1.1 501 "), `${form}: ${answer}`);
        assertEquals(answer.split("HTTP/1.1 ").length - 1, 1, form);
        assertStringIncludes(answer, "connection: close");
      }
    }, {
      onCommandGet: async (request) => {
        paths.push(new URL(request.url).pathname);
        return new Response(await request.text());
      },
    });
    assertEquals(paths.includes("/smuggled"), false);
  });

  it("the name in a certificate is always checked: nothing turns that off, nor does a root of one's own", async () => {
    const tls = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
    await using server = await startEcho(tls);
    const { port } = server.address!;
    const roots = { rootCertificateFile: tlsFile("ca.pem") };
    const good = new WebSocketClient(`wss://localhost:${port}/`, roots);
    await good.connect();
    await good.disconnect();
    // 127.0.0.2 is the same server by another name.
    for (const url of [`wss://127.0.0.2:${port}/`, `wss://localhost:${port}/`]) {
      const options = url.includes("localhost") ? {} : roots;
      const error = await assertRejects(() => new WebSocketClient(url, options).connect(), TransportError);
      assertEquals(error.code, "ERR_CONNECT");
    }
    for (const name of Object.keys(CLIENT_SETTINGS)) {
      assertEquals(
        ["insecure", "rejectunauthorized", "verify"].some((word) => name.toLowerCase().includes(word)),
        false,
      );
    }
  });

  it("tokens are compared in a time that does not tell where they differ", () => {
    const secret = "s".repeat(2 * 1024 * 1024);
    const early = `x${secret.slice(1)}`;
    const late = `${secret.slice(0, -1)}x`;
    const time = (shown: string): number => {
      const begun = cpuTime();
      assertEquals(isOneOf(shown, [secret]), false);
      return cpuTime() - begun;
    };
    const least = (shown: string): number => Math.min(...Array.from({ length: 7 }, () => time(shown)));
    time(early);
    const [first, last] = [least(early), least(late)];
    // A comparison that stops at the first difference would take none of that time.
    assert(first > last / 3 && last > first / 3, `${first} ms, ${last} ms`);
    assertEquals([isOneOf(secret, ["a", secret]), isOneOf("", [""]), isOneOf("a", [])], [true, false, false]);
  });

  it("what peers say cannot write into a log: it is data in records, and shown, not obeyed, in text", async () => {
    assertEquals(printable("a\r\n\x1b[31mb\x9b\u202ec\u2028"), "a\\u{d}\\u{a}\\u{1b}[31mb\\u{9b}\\u{202e}c\\u{2028}");
    const { errors } = await attacked(async (port) => {
      await attackWith(port, "GET / HTTP/1.1\r\nHost: a\x1b[2J\r\n\r\n");
      await attackWith(port, "\x1b[2J\r\n\r\n");
      await attackWith(port, upgradeHead("Sec-WebSocket-Protocol: \x1b]0;owned"));
      await attackWith(port, upgradeHead().replace("13", "\x1b[1m"));
    });
    assertEquals(errors.length, 4);
    for (const { message } of errors) assertEquals(message, printable(message));
    const head = {
      startLine: "HTTP/1.1 403 No\x1b",
      fields: (() => {
        const reader = new HeadReader();
        reader.push(encode("HTTP/1.1 403 x\r\n\r\n"));
        return reader.head!.fields;
      })(),
    };
    const error = assertThrows(
      () => checkUpgradeResponse(head, { key: "", protocols: [], extensions: [] }),
      HandshakeError,
    );
    assertEquals(error.message, printable(error.message));
    const { recorder, transport, peer, connection } = openRig();
    transport.receive(peer.close(1002, "\x1b[31mred"));
    assertThrows(() => connection.send("x"), WebSocketError);
    assertEquals(recorder.events, ["close 1002 \x1b[31mred"]);
    transport.handler.close();
    assertInstanceOf(new ProtocolError("ERR_CLOSE_CODE", "x"), WebSocketError);
  });

  it("every row of SECURITY.md names a test that is here", () => {
    const read = (name: string): string => readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8");
    const rows = read("../SECURITY.md").split("\n").filter((line) => line.startsWith("| ") && line.includes("`it"));
    const tests = read("./security_test.ts").split('\n  it("').slice(1).map((text) => text.slice(0, text.indexOf('"')));
    const named = rows.map((row) => row.split("`it ")[1]!.split("`")[0]);
    assertEquals([...named].sort(), tests.filter((name) => !name.startsWith("every row")).sort());
  });
});
