import { assertEquals, assertInstanceOf, assertNotEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, OptionError } from "../../base/errors.ts";
import {
  acceptKey,
  checkUpgradeRequest,
  checkUpgradeResponse,
  createKey,
  encodeUpgradeRequest,
  encodeUpgradeResponse,
  type UpgradeChecks,
  type UpgradeOffer,
  wantsWebSocket,
} from "../../protocol/handshake.ts";
import { assertProtocols } from "../../protocol/subprotocol.ts";
import { formatExtensions, parseExtensions } from "../../protocol/extensions.ts";
import { type Head, HeadReader, parseRequestLine } from "../../protocol/head.ts";
import { decode, encode, withSeed } from "../support/support.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function head(text: string): Head {
  const reader = new HeadReader();
  reader.push(encode(text));
  return reader.head!;
}

/** The request of RFC 6455 §1.3 with some lines changed; `undefined` removes one. */
function request(changes: Record<string, string | string[] | undefined> = {}, start = "GET /chat HTTP/1.1"): Head {
  const fields: Record<string, string | string[] | undefined> = {
    Host: "server.example.com",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    ...changes,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)
  );
  return head(`${start}\r\n${lines.join("")}\r\n`);
}

function check({ startLine, fields }: Head, checks?: UpgradeChecks): ReturnType<typeof checkUpgradeRequest> {
  const { method, minorVersion } = parseRequestLine(startLine);
  return checkUpgradeRequest(method, minorVersion, fields, checks);
}

describe("acceptKey", () => {
  it("is the one of RFC 6455 §1.3", () => {
    assertEquals(acceptKey(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });
});

describe("createKey", () => {
  it("makes keys that a server takes, never the same", () => {
    const key = createKey();
    assertEquals(check(request({ "Sec-WebSocket-Key": key })).key, key);
    assertNotEquals(createKey(), key);
  });
});

describe("checkUpgradeRequest", () => {
  it("takes the request of RFC 6455 §1.3", () => {
    const upgrade = check(request({ "Sec-WebSocket-Protocol": "chat, superchat" }));
    assertEquals(upgrade, { key: KEY, protocols: ["chat", "superchat"], extensions: [] });
  });

  it("takes token lists in any case and over several lines", () => {
    const upgrade = check(request({
      Upgrade: ["h2c", "foo, WebSocket"],
      Connection: ["keep-alive", "x, UPGRADE"],
      "Sec-WebSocket-Protocol": ["a", "b , c"],
      "Sec-WebSocket-Extensions": ["foo", "bar; baz=2"],
    }));
    assertEquals(upgrade.protocols, ["a", "b", "c"]);
    assertEquals(upgrade.extensions.map(({ name }) => name), ["foo", "bar"]);
  });

  const refused: [name: string, head: () => Head, status: number, says: string][] = [
    ["another method", () => request({}, "POST /chat HTTP/1.1"), 405, "POST"],
    ["HTTP/1.0", () => request({}, "GET /chat HTTP/1.0"), 400, "1.0"],
    ["no Host", () => request({ Host: undefined }), 400, "Host"],
    ["two Hosts", () => request({ Host: ["a", "b"] }), 400, "Host"],
    ["no Upgrade", () => request({ Upgrade: undefined }), 400, "Upgrade"],
    ["another Upgrade", () => request({ Upgrade: "websockets" }), 400, "Upgrade"],
    ["no Connection", () => request({ Connection: undefined }), 400, "Connection"],
    ["another Connection", () => request({ Connection: "close" }), 400, "Connection"],
    ["no key", () => request({ "Sec-WebSocket-Key": undefined }), 400, "Key"],
    ["two keys", () => request({ "Sec-WebSocket-Key": [KEY, KEY] }), 400, "Key"],
    ["a key of 15 bytes", () => request({ "Sec-WebSocket-Key": btoa("x".repeat(15)) }), 400, "Key"],
    ["a key of 17 bytes", () => request({ "Sec-WebSocket-Key": btoa("x".repeat(17)) }), 400, "Key"],
    ["a key that is not base64", () => request({ "Sec-WebSocket-Key": KEY.replace("d", "-") }), 400, "Key"],
    ["a key with stray bits", () => request({ "Sec-WebSocket-Key": KEY.replace("Q==", "R==") }), 400, "Key"],
    ["no version", () => request({ "Sec-WebSocket-Version": undefined }), 400, "Version"],
    ["version 8", () => request({ "Sec-WebSocket-Version": "8" }), 426, '"8"'],
    ["two versions", () => request({ "Sec-WebSocket-Version": ["13", "13"] }), 400, "Version"],
    ["a body", () => request({ "Content-Length": "5" }), 400, "body"],
    ["a chunked body", () => request({ "Transfer-Encoding": "chunked" }), 400, "body"],
    ["a subprotocol that is no token", () => request({ "Sec-WebSocket-Protocol": "a b" }), 400, "Protocol"],
    ["a subprotocol twice", () => request({ "Sec-WebSocket-Protocol": ["a", "a"] }), 400, "twice"],
    ["malformed extensions", () => request({ "Sec-WebSocket-Extensions": "a;;b" }), 400, "Extensions"],
  ];
  for (const [name, make, status, says] of refused) {
    it(`refuses ${name} with ${status}`, () => {
      const error = assertThrows(() => check(make()), HandshakeError, says);
      assertEquals(error.status, status);
    });
  }

  it("accepts no Upgrade and Connection with skipUpgradeCheck, any version with skipVersionCheck", () => {
    const stripped = request({ Upgrade: undefined, Connection: "close" });
    assertEquals(check(stripped, { skipUpgradeCheck: true }).key, KEY);
    for (const version of [undefined, "8", "25"]) {
      assertEquals(check(request({ "Sec-WebSocket-Version": version }), { skipVersionCheck: true }).key, KEY);
    }
    assertThrows(() => check(stripped, { skipVersionCheck: true }), HandshakeError);
  });

  it("accepts HTTP/1.0 with skipUpgradeCheck, a Host being optional there, and checks all else", () => {
    const skip = { skipUpgradeCheck: true };
    const old = (changes: Record<string, string | string[] | undefined>): Head =>
      request(changes, "GET /chat HTTP/1.0");
    // As nginx with a bare proxy_pass sends it, and as SWI-Prolog's client does.
    const stripped = { Upgrade: undefined, Connection: "close" };
    for (const changes of [stripped, {}, { Host: undefined }]) assertEquals(check(old(changes), skip).key, KEY);
    const wrong = [
      { Host: ["a", "b"] },
      { "Sec-WebSocket-Key": "short" },
      { "Sec-WebSocket-Version": "8" },
      { "Content-Length": "5" },
    ];
    for (const changes of wrong) assertThrows(() => check(old({ ...stripped, ...changes }), skip), HandshakeError);
    assertThrows(() => check(request({ Host: undefined }), skip), HandshakeError, "Host");
    assertThrows(() => check(old({}), { skipVersionCheck: true }), HandshakeError, "1.0");
  });
});

describe("wantsWebSocket", () => {
  it("distinguishes a handshake from a plain request", () => {
    assertEquals(wantsWebSocket(request().fields), true);
    assertEquals(wantsWebSocket(request({ Upgrade: undefined }).fields), true);
    assertEquals(wantsWebSocket(request({ Upgrade: "h2c", "Sec-WebSocket-Key": undefined }).fields), false);
  });
});

describe("parseExtensions", () => {
  it("takes the forms of RFC 6455 §9.1 and RFC 9110 §5.6", () => {
    const cases: [string[], string][] = [
      [["foo"], "foo"],
      [["foo,bar"], "foo, bar"],
      [["foo; bar=2", "baz"], "foo; bar=2, baz"],
      [[" foo ;\tbar = 2 ; baz , , qux "], "foo; bar=2; baz, qux"],
      [['foo; bar="2"; baz="a\\b"'], "foo; bar=2; baz=ab"],
      [
        ["permessage-deflate; client_max_window_bits, permessage-deflate"],
        "permessage-deflate; client_max_window_bits, permessage-deflate",
      ],
      [["__proto__; constructor=1"], "__proto__; constructor=1"],
      [[], ""],
      [[""], ""],
    ];
    for (const [values, formatted] of cases) assertEquals(formatExtensions(parseExtensions(values)), formatted);
  });

  for (
    const value of [
      "foo;",
      "foo; =2",
      "foo; bar=",
      'foo; bar="',
      'foo; bar="a b"',
      'foo; bar=""',
      "foo bar",
      "foo; bar=2 3",
      "f\u00f6o",
      '"foo"',
      "foo; bar==2",
      'foo; bar="a"b',
    ]
  ) {
    it(`refuses ${value}`, () => {
      assertEquals(assertThrows(() => parseExtensions([value]), HandshakeError).status, 400);
    });
  }

  it("takes time linear in the length (CVE-2021-32640, CVE-2020-7662)", () => {
    for (const value of ['a; b="' + "\\".repeat(100_000), "a" + " ".repeat(100_000) + "b", "a;b=".repeat(50_000)]) {
      const started = performance.now();
      assertThrows(() => parseExtensions([value]), HandshakeError);
      // A quadratic scan takes minutes here.
      assertEquals(performance.now() - started < 5000, true);
    }
  });

  it("gives extensions or a HandshakeError for any text (fuzz)", () => {
    withSeed((random) => {
      for (let round = 0; round < 5000; round++) {
        const parts = ["a", "B-c", ";", ",", "=", '"', "\\", " ", "\t", "1", "ä", "(", ""];
        const value = Array.from({ length: random.int(12) }, () => random.pick(parts)).join("");
        try {
          const parsed = parseExtensions([value]);
          assertEquals(parseExtensions([formatExtensions(parsed)]), parsed);
        } catch (error) {
          assertInstanceOf(error, HandshakeError);
        }
      }
    });
  });
});

const offer: UpgradeOffer = {
  host: "server.example.com:8080",
  target: "/chat?a=b",
  key: KEY,
  origin: "http://example.com",
  protocols: ["chat", "superchat"],
  extensions: [{ name: "foo", parameters: [["bar", "2"], ["baz", true]] }],
  headers: [["Authorization", "Bearer x"]],
};

describe("the client's side", () => {
  it("makes a request that the server's side takes", () => {
    const bytes = encodeUpgradeRequest(offer);
    const { startLine, fields } = head(decode(bytes));
    assertEquals(startLine, "GET /chat?a=b HTTP/1.1");
    assertEquals(fields.get("host"), "server.example.com:8080");
    assertEquals(fields.get("origin"), "http://example.com");
    assertEquals(fields.get("authorization"), "Bearer x");
    const upgrade = checkUpgradeRequest("GET", 1, fields);
    assertEquals(upgrade, { key: KEY, protocols: ["chat", "superchat"], extensions: [...offer.extensions] });
  });

  it("takes the answer that the server's side makes", () => {
    const bytes = encodeUpgradeResponse({ key: KEY, protocol: "chat", extensions: offer.extensions });
    const agreement = checkUpgradeResponse(head(decode(bytes)), offer);
    assertEquals(agreement, { protocol: "chat", extensions: [...offer.extensions] });
  });

  it("refuses to send header fields of the handshake, and what is no header", () => {
    for (const name of ["Host", "upgrade", "Sec-WebSocket-Key", "Content-Length", "Sec-WebSocket-Protocol"]) {
      assertThrows(() => encodeUpgradeRequest({ ...offer, headers: [[name, "x"]] }), OptionError, name);
    }
    assertThrows(() => encodeUpgradeRequest({ ...offer, headers: [["A", "b\r\nc: d"]] }), HandshakeError);
    assertThrows(() => encodeUpgradeRequest({ ...offer, origin: "a\r\nb" }), HandshakeError);
    assertThrows(() => encodeUpgradeRequest({ ...offer, protocols: ["a b"] }), OptionError);
    assertThrows(() => assertProtocols(["a", "a"]), OptionError, "twice");
  });

  /** The answer of RFC 6455 §1.3 with some lines changed. */
  const answer = (
    changes: Record<string, string | string[] | undefined>,
    start = "HTTP/1.1 101 Switching Protocols",
  ): Head =>
    request({
      Host: undefined,
      "Sec-WebSocket-Key": undefined,
      "Sec-WebSocket-Version": undefined,
      "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      ...changes,
    }, start);

  const refused: [name: string, head: () => Head, status: number][] = [
    ["another status", () => answer({}, "HTTP/1.1 200 OK"), 200],
    ["a redirect", () => answer({ Location: "ws://x/" }, "HTTP/1.1 301 Moved"), 301],
    ["HTTP/1.0", () => answer({}, "HTTP/1.0 101 Switching Protocols"), 101],
    ["something that is not HTTP", () => answer({}, "SSH-2.0-x"), 0],
    ["no Upgrade", () => answer({ Upgrade: undefined }), 101],
    ["no Connection", () => answer({ Connection: undefined }), 101],
    ["no Accept", () => answer({ "Sec-WebSocket-Accept": undefined }), 101],
    ["another Accept", () => answer({ "Sec-WebSocket-Accept": acceptKey(createKey()) }), 101],
    ["two Accepts", () => answer({ "Sec-WebSocket-Accept": [acceptKey(KEY), acceptKey(KEY)] }), 101],
    ["a subprotocol that was not offered", () => answer({ "Sec-WebSocket-Protocol": "other" }), 101],
    ["two subprotocols", () => answer({ "Sec-WebSocket-Protocol": ["chat", "superchat"] }), 101],
    ["an extension that was not offered", () => answer({ "Sec-WebSocket-Extensions": "permessage-deflate" }), 101],
    ["malformed extensions", () => answer({ "Sec-WebSocket-Extensions": ";" }), 101],
  ];
  for (const [name, make, status] of refused) {
    it(`refuses ${name}`, () => {
      assertEquals(assertThrows(() => checkUpgradeResponse(make(), offer), HandshakeError).status, status);
    });
  }

  it("takes an answer without a subprotocol, and in any case", () => {
    assertEquals(checkUpgradeResponse(answer({ Upgrade: "WebSocket", Connection: "x, upgrade" }), offer).protocol, "");
  });
});
