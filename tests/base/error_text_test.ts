import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { inspect } from "node:util";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { UsageError } from "../../cli/io.ts";
import {
  BackplaneError,
  CertificateError,
  describe as describeError,
  HandlerError,
  HandshakeError,
  HttpError,
  JournalError,
  OptionError,
  ProtocolError,
  StateError,
  TransportError,
  WebSocketError,
} from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { acceptKey } from "../../protocol/handshake.ts";
import { encodeHead } from "../../protocol/head.ts";
import { badMessage, decodeInboxMessage, encodeInboxMessage } from "../../inbox/protocol.ts";
import { notifyTrimmed } from "../../journal/notify.ts";
import { printable } from "../../base/log.ts";
import { errorText, quote, redactUrl } from "../../base/error_text.ts";
import { Simulator } from "../../whatsapp/simulator.ts";
import { loadIdentity } from "../../transport/tls_identity.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../../whatsapp.ts";
import { type LogRecord, WebSocketServer } from "../../server.ts";
import { RawListener, RawSocket } from "../support/sockets.ts";
import { decode, encode, startEcho, tlsFile, until } from "../support/support.ts";

/**
 * Characters that a terminal, a log or an editor obeys: C0, DEL, C1, line separators, bidirectional controls, halves of
 * pairs.
 */
const OBEYED: readonly number[] = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index),
  0x061c,
  0x200e,
  0x200f,
  0x2028,
  0x2029,
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e],
  ...[0x2066, 0x2067, 0x2068, 0x2069],
  0xd800,
  0xdbff,
  0xdc00,
  0xdfff,
];
const HOSTILE = OBEYED.map((code) => `${String.fromCharCode(code)}.`).join("");
/** Characters that can stand in a line of HTTP, as bytes. */
const HOSTILE_BYTES = OBEYED.filter((code) => code >= 0x80 && code < 0xa0);
const HOSTILE_LATIN1 = String.fromCharCode(...HOSTILE_BYTES);

function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Asserts that a text has none of those characters and is short enough. */
function assertPrintable(text: string): void {
  for (let at = 0; at < text.length; at++) {
    const code = text.codePointAt(at)!;
    assert(!OBEYED.includes(code), `U+${code.toString(16)} in ${JSON.stringify(text)}`);
    if (code > 0xffff) at++;
  }
  assert(text.isWellFormed(), JSON.stringify(text));
  assert(text.length <= 1000, `${text.length} characters`);
}

/** All errors of the library in a chain have messages that can be printed. */
function assertPrintableError(error: unknown): void {
  assert(error instanceof WebSocketError || error instanceof OptionError, `${error}`);
  assertPrintable(error.message);
  assertEquals(error.stack?.includes(String.fromCharCode(0x9b)) ?? false, false);
  const { cause } = error;
  if (cause instanceof WebSocketError || cause instanceof OptionError) assertPrintableError(cause);
}

const failure = (promise: Promise<unknown>): Promise<WebSocketError> =>
  promise.then(() => Promise.reject(new Error("it did not fail")), (error) => error);

describe("printable", () => {
  it("shows each character that would be obeyed, and leaves the others", () => {
    for (const code of OBEYED) {
      assertEquals(printable(`a${String.fromCharCode(code)}b`), `a\\u{${code.toString(16)}}b`);
    }
    for (const text of ["", "plain", "Grüße 👋", "\u00a0\u3042", "\u{10ffff}", "\u200d", "{}[]\\"]) {
      assertEquals(printable(text), text);
    }
    assertEquals(printable(printable(HOSTILE)), printable(HOSTILE));
  });
});

describe("errorText", () => {
  it("omits all parts of URLs besides scheme, host and path", () => {
    const texts = [
      ["see ws://user:hunter2@host/p?q=1#f, please", "see ws://…@host/p?…, please"],
      ["see wss://host:1/p", "see wss://host:1/p"],
      ["(http://host/p?token=1): refused", "(http://host/p?…): refused"],
      ["'redis://:hunter2@host:6379'", "'redis://…@host:6379'"],
      ["ws://user:hun/ter2@host/", "ws://…@host/"],
      ["ws://user:hun@ter2@host/", "ws://…@host/"],
      ["ws://user:hun?ter2@host/", "ws://…"],
      ["ws://user:hun#ter2@host/", "ws://…"],
      ["ws://user:hun'ter2@host/", "ws://…@host/"],
      ["ws://host/?mail=a@b&token=1", "ws://…"],
      ["ws://a?x ws://b#y", "ws://a?… ws://b#…"],
      ["ws://[::1]:80/", "ws://[::1]:80/"],
      ["://nothing", "://nothing"],
      ["a: //b?c", "a: //b?c"],
    ];
    for (const [text, safe] of texts) {
      assertEquals(errorText(text!), safe);
      assertEquals(errorText(safe!), safe);
    }
  });

  it("leaves out PEM blocks, and tokens as header fields and subprotocols hold them", () => {
    const pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    const texts = [
      [`open '${pem}' failed`, "open '(PEM)' failed"],
      [`${pem}\n${pem}`, "(PEM)\\u{a}(PEM)"],
      ["-----BEGIN PRIVATE KEY-----\nhunter2", "(PEM)"],
      ["-----BEGIN PRIVATE KEY-----\nhunter2-----END ", "(PEM)"],
      ['value "Bearer hunter2"', 'value "Bearer …"'],
      ['value "Bearer  hunter2"', 'value "Bearer  …"'],
      ["Authorization: Basic aHVudGVyMg==", "Authorization: Basic …"],
      ["authorization=bearer hunter2, next", "authorization=bearer …, next"],
      ['"bearer.aHVudGVyMg, chat"', '"bearer.…, chat"'],
      ["the bearer of news", "the bearer of news"],
      ["a basic rule", "a basic rule"],
    ];
    for (const [text, safe] of texts) {
      assertEquals(errorText(text!), safe);
      assertEquals(errorText(safe!), safe);
    }
  });

  it("has at most 1000 characters for any input, and cuts no surrogate pair", () => {
    for (
      const text of [
        "a".repeat(1001),
        "\x1b".repeat(1e6),
        "👋".repeat(1e5),
        `x${"👋".repeat(600)}`,
        "ws://?".repeat(1e5),
      ]
    ) {
      const safe = errorText(text);
      assert(safe.length <= 1000 && safe.endsWith("…"), `${safe.length}`);
      assertPrintable(safe);
    }
    assertEquals(errorText("a".repeat(1000)), "a".repeat(1000));
    assertEquals(quote("a".repeat(128)), `"${"a".repeat(128)}"`);
    assertEquals(quote("a".repeat(129)), `"${"a".repeat(128)}…"`);
    assertEquals(quote(`ws://user:${"p".repeat(1000)}@host/`), '"ws://…@host/"');
  });

  it("shows nothing of what may be a password in something that is no URL", () => {
    const texts = [
      ["user:hunter2@host", "…"],
      ["hunter2@host", "…"],
      ["localhost:80/p?q", "localhost:80/p?…"],
      ["/a@b?c", "/a@b?…"],
      ["ws://a b:hunter2@host", "ws://…@host"],
      ["ws://user:hunter2", "ws://user:…"],
      ["ws://user:hunter2/path?q", "ws://user:…/path?…"],
      ["ws://[::1]:8080/a:b", "ws://[::1]:8080/a:b"],
      ["ws://[::1]/", "ws://[::1]/"],
      ["a b://user:hunter2@host", "…"],
      ["", ""],
    ];
    for (const [text, safe] of texts) assertEquals(redactUrl(text!), safe);
    assertEquals(redactUrl(new URL("ws://user:hunter2@host/a?b")), "ws://…@host/a?…");
  });
});

describe("every class of errors", () => {
  const made = (text: string): Error[] => [
    new WebSocketError("ERR_OPTION" as never, text, 1000),
    new ProtocolError("ERR_CLOSE_CODE", text),
    new HandshakeError("ERR_HANDSHAKE_STATUS", text),
    new TransportError("ERR_CONNECT", text),
    new StateError("ERR_NOT_OPEN", text),
    new CertificateError("ERR_KEY", text),
    new HttpError("ERR_HTTP_SYNTAX", text, 400),
    new JournalError("ERR_JOURNAL_READ", text),
    new BackplaneError("ERR_BACKPLANE_LOST", text),
    new WhatsAppApiError("ERR_API_REFUSED", text, 400),
    new HandlerError(text, new Error(text)),
    new OptionError(text),
    new UsageError(text),
  ];

  it("makes its message printable, short, and free of secrets", () => {
    for (const error of [...made(HOSTILE), ...made(HOSTILE.repeat(100))]) {
      assertPrintable(error.message);
      assertEquals(error.stack?.includes("\x9b") ?? false, false);
    }
    for (const error of made("at ws://user:hunter2@host/?hunter2")) {
      assertEquals(
        `${error.message} ${error.stack} ${inspect(error)}`.includes("hunter2"),
        error instanceof HandlerError,
      );
      assertEquals(error.message.includes("hunter2"), false);
    }
  });

  it("describes any thrown value in one line", () => {
    const odd = [HOSTILE, new Error(HOSTILE), { toString: () => HOSTILE }, Symbol(HOSTILE)];
    for (const thrown of odd) assertPrintable(describeError(thrown));
    const bad = [
      Object.create(null),
      { toString: () => assert(false) },
      Object.assign(new Error(), { message: { a: 1 } }),
    ];
    for (const thrown of bad) assert(describeError(thrown).length > 0);
    assertEquals(new HandlerError("onClose", Object.create(null)).code, "ERR_HANDLER");
  });
});

describe("messages that quote a peer", () => {
  it("can be printed, on a server and in its answers", async () => {
    const errors: unknown[] = [];
    await using server = new WebSocketServer({
      hostname: "127.0.0.1",
      port: 0,
      onError: (error) => errors.push(error),
      onSelectProtocol: () => HOSTILE,
      onMessageReceived: () => Promise.reject(new Error(HOSTILE)),
    });
    await server.start();
    const upgrade = (version: string, more = ""): string =>
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: ${version}\r\n${more}\r\n`;
    const text = HOSTILE_LATIN1;
    const heads = [
      `GET / HTTP/1.1${text}\r\n\r\n`,
      `GET / HTTP/${text.repeat(100)}\r\n\r\n`,
      `${text} / HTTP/1.1\r\n\r\n`,
      `GET ${text} HTTP/1.1\r\n\r\n`,
      `GET http://${text}/ HTTP/1.1\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${text}\r\n\r\n`,
      `GET / HTTP/1.1\r\n${text}: a\r\n\r\n`,
      `${"A".repeat(500)} / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n`,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${text}\r\n\r\n`,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${text}\r\n\r\n`,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${text}\r\n`,
      upgrade(`1${text}`),
      upgrade("13", `Sec-WebSocket-Protocol: ${text}\r\n`),
      upgrade("13", `Sec-WebSocket-Extensions: a; b="${text}"\r\n`),
      upgrade("13", "Sec-WebSocket-Protocol: a\r\n"),
    ];
    for (const head of heads) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(latin1(head));
      if (head.startsWith("POST")) socket.end();
      const parts: number[] = [];
      for (let bytes = await socket.read(); bytes !== null; bytes = await socket.read()) parts.push(...bytes);
      await socket.close();
      const answer = decode(Uint8Array.from(parts));
      assertStringIncludes(answer, "HTTP/1.1 ");
      const [, body] = answer.split("\r\n\r\n");
      assertPrintable(body!.trim());
    }
    await until(() => errors.length >= heads.length - 3, "the errors");
    for (const error of errors) assertPrintableError(error);
  });

  it("can be printed, on a client: status line, version, subprotocol, extension, target of a redirect", async () => {
    const listener = await RawListener.listen();
    const text = HOSTILE_LATIN1;
    const opened = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    const answers = [
      `HTTP/1.1 403 ${text}\r\n\r\n`,
      `HTTP/1.1 403 ${text.repeat(200)}\r\n\r\n`,
      `HTTP/${text} 403 x\r\n\r\n`,
      `${text}\r\n\r\n`,
      `HTTP/1.1 403 x\r\n${text}: x\r\n\r\n`,
      `${opened}Sec-WebSocket-Accept: ${text}\r\n\r\n`,
      `${opened}Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: ${text}\r\n\r\n`,
      `${opened}Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Extensions: ${"x".repeat(5000)}\r\n\r\n`,
      `${opened}Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Extensions: a="${text}"\r\n\r\n`,
      `HTTP/1.1 302 x\r\nLocation: ${text}\r\n\r\n`,
      `HTTP/1.1 302 x\r\nLocation: a${text}:b\r\n\r\n`,
      `HTTP/1.1 302 x\r\nLocation: ftp://${text}/\r\n\r\n`,
    ];
    for (const answer of answers) {
      const client = new WebSocketClient(`ws://127.0.0.1:${listener.port}/`, { maxRedirects: 1, protocols: ["chat"] });
      const failed = failure(client.connect());
      const socket = await listener.accept();
      let head = "";
      while (!head.includes("\r\n\r\n")) head += decode(await socket.read() ?? new Uint8Array());
      const [, key] = head.split("Sec-WebSocket-Key: ");
      await socket.write(latin1(answer.replace("ACCEPT", acceptKey(key!.split("\r\n")[0]!))));
      // A target that is a path is followed, to a port without a server.
      if (answer.includes("Location") && !answer.includes("ftp:")) await (await listener.accept()).close();
      assertPrintableError(await failed);
      await socket.close();
    }
    await listener.close();
  });

  it("can be printed, with a proxy between", async () => {
    const listener = await RawListener.listen();
    for (const text of [HOSTILE_LATIN1, HOSTILE_LATIN1.repeat(200)]) {
      for (const answer of [`HTTP/1.1 407 ${text}\r\n\r\n`, `HTTP/${text}\r\n\r\n`, `${text}\r\n\r\n`]) {
        const proxy = `http://user:hunter2@127.0.0.1:${listener.port}`;
        const failed = failure(new WebSocketClient("ws://192.0.2.1/", { proxy }).connect());
        const socket = await listener.accept();
        await socket.read();
        await socket.write(latin1(answer));
        const error = await failed;
        assertPrintableError(error);
        assertEquals(`${error.message}${inspect(error)}`.includes("hunter2"), false);
        await socket.close();
      }
    }
    await listener.close();
  });

  it("can be printed, where a close reason explains why nothing can be sent", async () => {
    const reason = "\x1b[2J\u009b\u2028\u2029\u202e\u2066\u200f\u061c\r\n";
    await using server = await startEcho({ onMessageReceived: (connection) => void connection.close(4000, reason) });
    const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`);
    const { promise, resolve } = Promise.withResolvers<string>();
    client.onDisconnect = (info) => resolve(info.reason);
    await client.connect();
    client.send("x");
    // As data it is as it came.
    assertEquals(await promise, reason);
    assertPrintableError(assertThrows(() => client.connection!.send("x"), StateError, "4000"));
  });

  it("can be printed, where receivers, notifications and the Graph API are quoted", async () => {
    const told: unknown[] = [];
    notifyTrimmed({ appended: () => {}, error: (error) => told.push(error) }, new Map([[HOSTILE, 1]]), 0, 5);
    assertEquals(told.length, 1);
    assertPrintableError(told[0]);
    for (const line of [`{"type":"${HOSTILE}"`, HOSTILE, `{"${HOSTILE}":1}`]) {
      const error = assertThrows(() => decodeInboxMessage(encode(`${line}\n`)), OptionError);
      assertPrintableError(error);
      assertPrintableError(badMessage(error));
      assert(new TextEncoder().encode(badMessage(error).message).length <= 123);
    }
    for (const json of [HOSTILE, JSON.stringify({ object: HOSTILE }), `{"object":"${HOSTILE_LATIN1}"}`]) {
      const { skipped } = parseNotification(json);
      assertEquals(skipped.length, 1);
      assertPrintable(skipped[0]!.reason);
    }
    const graph = { error: { code: 1, message: HOSTILE, type: HOSTILE } };
    const options = { accessToken: "t", phoneNumberId: "1", maxRetries: 0 };
    const answers = [JSON.stringify(graph), HOSTILE, `[${HOSTILE}]`];
    for (const [index, answer] of answers.entries()) {
      const fetch = (): Promise<Response> => Promise.resolve(new Response(answer, { status: index === 0 ? 400 : 200 }));
      assertPrintableError(await failure(new WhatsAppApi({ ...options, fetch }).markAsRead("x")));
    }
    const fails = (): Promise<Response> => Promise.reject(new TypeError(HOSTILE));
    assertPrintableError(await failure(new WhatsAppApi({ ...options, fetch: fails }).markAsRead("x")));
  });

  it("can be printed, where a server speaks to a receiver, and a webhook to the simulator", async () => {
    const errors: unknown[] = [];
    await using server = await startEcho({
      protocols: ["whatsapp-inbox.v2"],
      onCommandGet: () => new Response(HOSTILE, { status: 400 }),
      onBinaryDataReceived: (connection) => {
        connection.send(encodeInboxMessage({ type: HOSTILE } as never));
        connection.send(encode(`{"type":"${HOSTILE}\n`));
      },
    });
    const url = `http://127.0.0.1:${server.address!.port}/`;
    const receiver = new WhatsAppReceiver(url.replace("http", "ws"), { onError: (error) => errors.push(error) });
    await receiver.connect();
    await until(() => errors.length > 0, "the error");
    for (const error of errors) assertPrintableError(error);
    await receiver.disconnect(false);
    const report = await new Simulator({ url, appSecret: "s", count: 1, retryFor: 0 }).run();
    assertPrintable(report.firstFailure!);
  });
});

const SECRET = "hunter2";
const ENCODED = btoa(SECRET).replaceAll("=", "");

/** All that a program might print of a thing. */
function shown(thing: unknown): string {
  const texts = [JSON.stringify(thing) ?? "", String(thing), inspect(thing, { depth: 12, showHidden: true })];
  const { Deno: deno, Bun: bun } = globalThis as unknown as Record<
    string,
    { inspect(value: unknown, options: object): string }
  >;
  texts.push((deno ?? bun!).inspect(thing, { depth: 12 }));
  return texts.join("\n");
}

function assertNoSecret(text: string): void {
  for (const secret of [SECRET, ENCODED]) assertEquals(text.includes(secret), false, text);
}

describe("secrets", () => {
  it("are not shown by a client, a receiver, a server or the API", () => {
    const client = new WebSocketClient(`wss://user:${SECRET}@host/p?q=${SECRET}`, {
      token: SECRET,
      proxy: `http://a:${SECRET}@proxy:1`,
      headers: { cookie: SECRET },
      protocols: [`bearer.${ENCODED}`],
    });
    assertEquals([client.token, client.pathName], [SECRET, `/p?q=${SECRET}`]);
    assertEquals(client.protocols, [`bearer.${ENCODED}`]);
    const receiver = new WhatsAppReceiver("wss://host/", { receiverToken: SECRET, appSecret: [SECRET] });
    assertEquals([receiver.receiverToken, receiver.appSecret], [SECRET, [SECRET]]);
    const apps = [{ pathName: "/a", appSecret: SECRET, verifyToken: SECRET }];
    const server = new WhatsAppServer({ appSecret: SECRET, receiverToken: SECRET, verifyToken: SECRET, apps });
    const api = new WhatsAppApi({ accessToken: SECRET, phoneNumberId: "1" });
    const simulator = new Simulator({ url: "http://a/", appSecret: SECRET });
    for (const thing of [client, receiver, server, api, simulator]) assertNoSecret(shown(thing));
  });

  it("are not shown by an open client, its connection, and what it logs", async () => {
    const records: LogRecord[] = [];
    await using server = await startEcho({ protocols: ["chat"], onLog: (record) => void records.push(record) });
    const url = `ws://user:${SECRET}@127.0.0.1:${server.address!.port}/p?q=${SECRET}`;
    await using client = new WebSocketClient(url, {
      token: SECRET,
      protocols: ["chat", `bearer.${ENCODED}`],
      onLog: (record) => void records.push(record),
    });
    await client.connect();
    assertEquals(client.connection!.request.query, `q=${SECRET}`);
    for (const thing of [client, client.connection, server.connections, server]) assertNoSecret(shown(thing));
    await server.stop();
    await until(() => client.state === "closed", "the end");
    await client.connect().catch(() => {});
    const events = records.map(({ event }) => event);
    for (const event of ["client.open", "client.attempt_failed"]) assert(events.includes(event), event);
    for (const record of records) assertNoSecret(shown(record));
  });

  it("of an answer are not shown with its error, which has its header fields all the same", async () => {
    const headers = { "set-cookie": SECRET, location: `https://host/?${SECRET}` };
    await using server = await startEcho({ onAllow: () => new Response(null, { status: 302, headers }) });
    const error = await failure(new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`).connect());
    assert(error instanceof HandshakeError);
    assertEquals(error.headers?.get("set-cookie"), SECRET);
    assertNoSecret(shown(error));
  });

  it("do not come back from a server that chooses the entry with the token", async () => {
    const records: LogRecord[] = [];
    await using server = await startEcho({ onSelectProtocol: (_, offered) => offered.at(-1)! });
    const receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address!.port}/`, {
      // It cannot stand in a header.
      receiverToken: `${SECRET}\u00e9`,
      onLog: (record) => void records.push(record),
    });
    await receiver.connect();
    assertEquals(receiver.protocol.startsWith("bearer."), true);
    await receiver.disconnect(false);
    assert(records.length > 0);
    for (const record of records) assertNoSecret(shown(record).replaceAll(ENCODED.slice(0, 8), SECRET));
  });

  it("in a URL or a path that is not valid are not in the error", async () => {
    const urls = [
      `ws://user:${SECRET}@`,
      `ws://user:${SECRET}@host:port/`,
      `user:${SECRET}@host`,
      `${SECRET}@host`,
      `ws://user:${SECRET}@host/#x`,
      `ws://host/?${SECRET}#x`,
      `http://user:${SECRET}@host/`,
      `ws://us er:hun${SECRET}@ho st/`,
      `ws://user:p/${SECRET}@host`,
      `ws://user:p?${SECRET}@host`,
    ];
    for (const url of urls) {
      const error = await Promise.resolve().then(() => new WebSocketClient(url)).then(
        () => undefined,
        (error) => error,
      );
      // Some are valid, and lead elsewhere.
      if (error !== undefined) assertNoSecret(shown(error) + error.stack);
      const resolved = await failure(new WebSocketClient({ resolveUrl: () => url, connectTimeout: 1 }).connect());
      assertNoSecret(shown(resolved) + resolved.stack);
    }
    const settings: WebSocketClientOptions[] = [
      { hostname: `user:${SECRET}@host` },
      { hostname: `host?${SECRET}` },
      { pathName: `/p?${SECRET}#x` },
      { origin: `https://user:${SECRET}@host/ x` },
      { proxy: `http://user:${SECRET}@` },
      { proxy: `socks://user:${SECRET}@host` },
      { headers: { cookie: `${SECRET}\nx` } },
      { headers: { authorization: `Bearer ${SECRET}\r\nx` } },
      { headers: { authorization: `Bearer ${SECRET}\u0100` } },
      { headers: { [`Authorization: Bearer ${SECRET}`]: "" } },
      { token: `${SECRET}\nx` },
      { protocols: [`bearer.${ENCODED}`, `bearer.${ENCODED}`] },
    ];
    for (const setting of settings) {
      const error = assertThrows(() => new WebSocketClient(setting), OptionError);
      assertNoSecret(shown(error) + error.stack);
    }
    const asked: WebSocketClientOptions[] = [
      { headers: () => ({ cookie: `${SECRET}\nx` }) },
      { token: () => `${SECRET}\nx` },
      { pathName: `/p?${SECRET} x` },
    ];
    for (const setting of asked) {
      const error = await failure(new WebSocketClient({ port: 1, hostname: "127.0.0.1", ...setting }).connect());
      assertNoSecret(shown(error) + error.stack);
    }
    const pathName = `/p?${SECRET}`;
    assertNoSecret(shown(assertThrows(() => new WebSocketServer({ pathName }), OptionError, "query")));
    assertNoSecret(shown(assertThrows(() => encodeHead(`GET /?${SECRET} HTTP/1.1\n`, []), HandshakeError)));
    assertNoSecret(shown(assertThrows(() => encodeHead("GET / HTTP/1.1", [["a", `${SECRET}\n`]]), HandshakeError)));
    const simulation = { url: `user:${SECRET}@`, appSecret: "s" };
    assertNoSecret(shown(assertThrows(() => new Simulator({ ...simulation, url: `${SECRET}@` }), OptionError)));
  });

  it("pasted where a path is expected are not in the error", async () => {
    const pem = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`;
    const files = {
      certificateFile: tlsFile("leaf.pem"),
      certificateKeyFile: tlsFile("leaf.key"),
      rootCertificateFile: tlsFile("ca.pem"),
    };
    for (const name of ["certificateFile", "certificateKeyFile", "rootCertificateFile"] as const) {
      for (const text of [pem, pem.replaceAll("\n", "\\n"), `${SECRET}\n${SECRET}`, SECRET.repeat(400)]) {
        const error = await failure(loadIdentity({ ...files, [name]: text }, undefined));
        assertEquals([error.code, error.message.includes(name)], ["ERR_CERTIFICATE_FILE", true]);
        assertNoSecret(shown(error) + error.stack);
      }
      const missing = await failure(loadIdentity({ ...files, [name]: "/nowhere.pem" }, undefined));
      assertStringIncludes(missing.message, '"/nowhere.pem"');
    }
  });

  it("of the API are not in its errors, even if the runtime's error shows them", async () => {
    const base = { phoneNumberId: "1", maxRetries: 0 };
    for (const accessToken of [`${SECRET}\nx`, `${SECRET}\u0100`]) {
      assertNoSecret(shown(assertThrows(() => new WhatsAppApi({ ...base, accessToken }), OptionError)));
      const error = await failure(new WhatsAppApi({ ...base, accessToken: () => accessToken }).markAsRead("x"));
      assertNoSecret(shown(error) + error.stack);
    }
    for (const baseUrl of [`https://user:${SECRET}@host`, `https://host/?${SECRET}`, `https://host/#${SECRET}`]) {
      assertNoSecret(shown(assertThrows(() => new WhatsAppApi({ ...base, accessToken: "t", baseUrl }), OptionError)));
    }
    const swapped = { ...base, accessToken: "1", phoneNumberId: `EAA${SECRET}${"x".repeat(200)}` };
    assertNoSecret(shown(assertThrows(() => new WhatsAppApi(swapped), OptionError, "phoneNumberId")));
    // The runtimes quote the URL of what could not be fetched.
    const listener = await RawListener.listen();
    const { port } = listener;
    await listener.close();
    const answers = [new Response(JSON.stringify({ url: `http://127.0.0.1:${port}/file?hash=${SECRET}` }))];
    const real = globalThis.fetch;
    const fetch = (...args: Parameters<typeof real>): Promise<Response> => {
      const answer = answers.shift();
      return answer === undefined ? real(...args) : Promise.resolve(answer);
    };
    const api = new WhatsAppApi({ ...base, accessToken: SECRET, baseUrl: `http://127.0.0.1:${port}`, fetch });
    const error = await failure(api.media("2"));
    assertEquals(error.code, "ERR_API_UNREACHABLE");
    assertNoSecret(`${error.message} ${error.stack} ${(error.cause as Error).message} ${(error.cause as Error).stack}`);
    const quoting = (url: unknown): Promise<Response> =>
      Promise.reject(new TypeError(`cannot fetch (${url}?${SECRET})`));
    const quoted = await failure(new WhatsAppApi({ ...base, accessToken: SECRET, fetch: quoting }).markAsRead("x"));
    const cause = quoted.cause as Error;
    assertEquals([cause.name, cause.message.startsWith("cannot fetch (https://graph.")], ["TypeError", true]);
    assertNoSecret(`${shown(quoted)} ${cause.message} ${cause.stack}`);
  });
});
