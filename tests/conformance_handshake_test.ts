/**
 * Rules of RFC 6455 §4 and §9.1 for the opening handshake, a row a rule, seen from the wire: of a server, and of a
 * client.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WebSocketClientOptions } from "../client.ts";
import { HandshakeError } from "../base/errors.ts";
import type { Extension } from "../protocol/extensions.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { encode, until } from "./support/support.ts";
import { answerHead, rawRequest, rawServer, UPGRADE } from "./support/wire.ts";

/** The lines of a valid request, some of them replaced (`undefined`: left out), some added. */
function request(changes: Record<string, string | undefined> = {}, ...added: string[]): string[] {
  const lines = UPGRADE.map((line) => {
    const name = line.split(":")[0]!;
    if (!(name in changes)) return line;
    return changes[name] === undefined ? "" : `${name}: ${changes[name]}`;
  });
  return [...lines.filter((line) => line !== ""), ...added];
}

describe("RFC 6455 §4.2 the server's opening handshake", () => {
  const rows: [clause: string, rule: string, lines: string[], status: number, answer?: string][] = [
    ["§4.2.2", "a valid request", request(), 101, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
    [
      "§4.2.1",
      "tokens in any case, in lists",
      request({ Upgrade: "foo, WebSocket", Connection: "keep-alive, UPGRADE" }),
      101,
    ],
    ["§4.2.1", "lists over several lines", request({ Connection: "keep-alive" }, "Connection: Upgrade"), 101],
    ["§4.1", "field names in any case", request({ Host: undefined }, "hOsT: localhost"), 101],
    ["§4.2.1", "the method must be GET", ["POST / HTTP/1.1", ...request().slice(1)], 405],
    ["§4.2.1", "the version of HTTP must be at least 1.1", ["GET / HTTP/1.0", ...request().slice(1)], 400],
    ["§4.2.1", "Host is required", request({ Host: undefined }), 400],
    ["§4.2.1", "Host once", request({}, "Host: other"), 400],
    ["§4.2.1", "Upgrade is required", request({ Upgrade: undefined }), 400],
    ["§4.2.1", "Upgrade must say websocket", request({ Upgrade: "h2c" }), 400],
    ["§4.2.1", "Upgrade must say websocket as a token of its own", request({ Upgrade: "websockets" }), 400],
    ["§4.2.1", "Connection is required", request({ Connection: undefined }), 400],
    ["§4.2.1", "Connection must say Upgrade", request({ Connection: "close" }), 400],
    ["§4.2.1", "the key is required", request({ "Sec-WebSocket-Key": undefined }), 400],
    ["§4.2.1", "the key has 16 bytes, not 15", request({ "Sec-WebSocket-Key": btoa("123456789012345") }), 400],
    ["§4.2.1", "the key has 16 bytes, not 17", request({ "Sec-WebSocket-Key": btoa("12345678901234567") }), 400],
    ["§4.2.1", "the key is base64", request({ "Sec-WebSocket-Key": "!GhlIHNhbXBsZSBub25jZQ==" }), 400],
    ["§11.3.1", "the key comes once", request({}, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400],
    ["§4.2.1", "the version is required", request({ "Sec-WebSocket-Version": undefined }), 400],
    [
      "§4.2.2",
      "another version: the one that is spoken is named",
      request({ "Sec-WebSocket-Version": "8" }),
      426,
      "Sec-WebSocket-Version: 13",
    ],
    ["§4.4", "version 14", request({ "Sec-WebSocket-Version": "14" }), 426, "Sec-WebSocket-Version: 13"],
    ["§11.3.5", "the version comes once", request({}, "Sec-WebSocket-Version: 13"), 400],
    [
      "§4.2.2",
      "a subprotocol that both speak",
      request({}, "Sec-WebSocket-Protocol: x, chat"),
      101,
      "Sec-WebSocket-Protocol: chat",
    ],
    [
      "§4.2.2",
      "subprotocols over several lines",
      request({}, "Sec-WebSocket-Protocol: x", "Sec-WebSocket-Protocol: chat"),
      101,
      "Sec-WebSocket-Protocol: chat",
    ],
    ["§4.1", "a subprotocol is a token", request({}, "Sec-WebSocket-Protocol: a b"), 400],
    ["§4.1", "a subprotocol is offered once", request({}, "Sec-WebSocket-Protocol: a, a"), 400],
    ["§9.1", "extensions that are not known are passed over", request({}, "Sec-WebSocket-Extensions: foo; bar=1"), 101],
    ["§9.1", "extensions follow the grammar", request({}, "Sec-WebSocket-Extensions: foo; =1"), 400],
    [
      "RFC 7692 §5.1",
      "an offer is accepted",
      request({}, "Sec-WebSocket-Extensions: permessage-deflate"),
      101,
      "Sec-WebSocket-Extensions: permessage-deflate",
    ],
    [
      "RFC 7692 §5.1",
      "the first valid offer is accepted",
      request({}, "Sec-WebSocket-Extensions: permessage-deflate; x, permessage-deflate; server_max_window_bits=10"),
      101,
      "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10",
    ],
    [
      "RFC 7692 §5.1",
      "offers over several lines",
      request({}, "Sec-WebSocket-Extensions: foo", "Sec-WebSocket-Extensions: permessage-deflate"),
      101,
      "Sec-WebSocket-Extensions: permessage-deflate",
    ],
  ];
  for (const [clause, rule, lines, status, answer] of rows) {
    it(`${clause} ${rule}: ${status}`, async () => {
      const server = await start({ protocols: ["chat"], compression: true });
      const { head, peer } = await rawRequest(server, lines);
      assertEquals(Number(head.split(" ")[1]), status);
      const fields = head.split("\r\n").map((line) => line.toLowerCase());
      if (answer !== undefined) assert(fields.includes(answer.toLowerCase()), head);
      const has = (name: string): boolean => fields.some((line) => line.startsWith(`${name}:`));
      if (answer === undefined || !answer.includes("Protocol")) assertEquals(has("sec-websocket-protocol"), false);
      if (answer === undefined || !answer.includes("Extensions")) assertEquals(has("sec-websocket-extensions"), false);
      peer.transport.destroy();
      await peer.closed.promise;
      await server.stop();
    });
  }

  it("§4.2.2 the first offered subprotocol is not chosen because it is the first", async () => {
    const chosen: string[] = [];
    for (const options of [{}, { protocols: ["b"] }, { onSelectProtocol: () => undefined }]) {
      const server = await start({ ...options, onHandshakeResponseSent: (peer) => void chosen.push(peer.protocol) });
      const { head, peer } = await rawRequest(server, request({}, "Sec-WebSocket-Protocol: a, b"));
      assertEquals(head.includes("Sec-WebSocket-Protocol"), "protocols" in options);
      peer.transport.destroy();
      await peer.closed.promise;
      await server.stop();
    }
    assertEquals(chosen, ["", "b", ""]);
  });

  it("what was offered and what was chosen are data", async () => {
    const seen: unknown[] = [];
    const server = await start({
      protocols: ["b"],
      compression: true,
      onAllow: ({ request }) => seen.push(request.protocols, request.extensions) > 0,
      onHandshakeResponseSent: ({ protocol, extensions }) => void seen.push(protocol, extensions),
    });
    const extension = "permessage-deflate; server_max_window_bits=10";
    const lines = request({}, "Sec-WebSocket-Protocol: a, b", `Sec-WebSocket-Extensions: foo; x="y", ${extension}`);
    const { peer } = await rawRequest(server, lines);
    const accepted: Extension = { name: "permessage-deflate", parameters: [["server_max_window_bits", "10"]] };
    assertEquals(seen, [["a", "b"], [{ name: "foo", parameters: [["x", "y"]] }, accepted], "b", [accepted]]);
    peer.transport.destroy();
    await peer.closed.promise;
    await server.stop();
  });
});

async function start(options: WebSocketServerOptions): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", onError: () => {}, ...options });
  await server.start();
  return server;
}

describe("RFC 6455 §4.1 the client's opening handshake", () => {
  it("§4.1 what the request has", async () => {
    const { request, connected, close } = await rawServer({
      protocols: ["a", "b"],
      origin: "http://o",
      compression: true,
    });
    await connected;
    const [line, ...fields] = request.trimEnd().split("\r\n");
    assertEquals(line, "GET / HTTP/1.1");
    const value = (name: string): string | undefined =>
      fields.find((field) => field.startsWith(`${name}: `))?.slice(name.length + 2);
    assert(value("Host")!.startsWith("127.0.0.1:"));
    assertEquals(value("Upgrade"), "websocket");
    assertEquals(value("Connection"), "Upgrade");
    assertEquals(value("Sec-WebSocket-Version"), "13");
    assertEquals(value("Origin"), "http://o");
    assertEquals(value("Sec-WebSocket-Protocol"), "a, b");
    assertEquals(value("Sec-WebSocket-Extensions"), "permessage-deflate; client_max_window_bits");
    assertEquals(atob(value("Sec-WebSocket-Key")!).length, 16);
    await close();
  });

  it("§4.1 the key is another one each time", async () => {
    const keys = new Set<string>();
    for (let index = 0; index < 5; index++) {
      const { request, connected, close } = await rawServer({});
      await connected;
      keys.add(request.split("Sec-WebSocket-Key: ")[1]!.slice(0, 24));
      await close();
    }
    assertEquals(keys.size, 5);
  });

  const refused: [
    clause: string,
    rule: string,
    changes: Record<string, string | undefined>,
    options?: WebSocketClientOptions,
  ][] = [
    ["§4.1", "Upgrade is required", { Upgrade: undefined }],
    ["§4.1", "Upgrade must say websocket", { Upgrade: "h2c" }],
    ["§4.1", "Connection is required", { Connection: undefined }],
    ["§4.1", "Connection must say Upgrade", { Connection: "close" }],
    ["§4.1", "Accept is required", { "Sec-WebSocket-Accept": undefined }],
    ["§4.1", "Accept must be that of the key", { "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }],
    ["§4.1", "an extension that was not offered", { "Sec-WebSocket-Extensions": "foo" }],
    ["§4.1", "compression that was not offered", { "Sec-WebSocket-Extensions": "permessage-deflate" }],
    ["§4.1", "a subprotocol that was not offered", { "Sec-WebSocket-Protocol": "c" }, { protocols: ["a", "b"] }],
    ["§4.1", "a subprotocol where none was offered", { "Sec-WebSocket-Protocol": "a" }],
    ["§4.2.2", "two subprotocols", { "Sec-WebSocket-Protocol": "a, b" }, { protocols: ["a", "b"] }],
    ["RFC 7692 §7.1", "an unknown parameter", { "Sec-WebSocket-Extensions": "permessage-deflate; x" }, {
      compression: true,
    }],
    ["RFC 7692 §7.1", "window bits out of range", {
      "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=16",
    }, { compression: true }],
    ["RFC 7692 §7.1.1.1", "a server that does not do what it was asked", {
      "Sec-WebSocket-Extensions": "permessage-deflate",
    }, { compression: [{ serverNoContextTakeover: true }] }],
    ["RFC 7692 §7.1.2.1", "a server with a larger window than it was asked for", {
      "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=12",
    }, { compression: [{ serverMaxWindowBits: 10 }] }],
    ["RFC 7692 §5.1", "two answers", { "Sec-WebSocket-Extensions": "permessage-deflate, permessage-deflate" }, {
      compression: true,
    }],
    ["§9.1", "extensions follow the grammar", { "Sec-WebSocket-Extensions": "permessage-deflate;" }, {
      compression: true,
    }],
  ];
  for (const [clause, rule, changes, options] of refused) {
    it(`${clause} the client gives up: ${rule}`, async () => {
      const { connected, peer, close } = await rawServer({ ...options }, (key) => answerHead(key, changes));
      await assertRejects(() => connected, HandshakeError);
      await until(() => peer.ended, "the end of TCP");
      await close();
    });
  }

  const heads: [clause: string, rule: string, head: string][] = [
    ["§4.1", "another status than 101", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
    ["§4.1", "a redirection", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"],
    ["§4.1", "401", "HTTP/1.1 401 Unauthorized\r\n\r\n"],
    ["§4.2.2", "101 in HTTP/1.0", "HTTP/1.0 101 Switching Protocols\r\n\r\n"],
    ["§4.2.2", "what is not HTTP", "220 smtp.example.com ESMTP\r\n\r\n"],
  ];
  for (const [clause, rule, head] of heads) {
    it(`${clause} the client gives up: ${rule}`, async () => {
      const { connected, peer, close } = await rawServer({}, () => encode(head));
      const { code } = await assertRejects(() => connected, HandshakeError);
      assert(["ERR_HANDSHAKE_STATUS", "ERR_HANDSHAKE_RESPONSE", "ERR_HEAD_SYNTAX"].includes(code), code);
      await until(() => peer.ended, "the end of TCP");
      await close();
    });
  }

  const taken: [clause: string, rule: string, changes: Record<string, string>, options?: WebSocketClientOptions][] = [
    ["§4.1", "tokens in any case", { Upgrade: "WebSocket", Connection: "upgrade" }],
    ["§4.1", "a subprotocol that was offered", { "Sec-WebSocket-Protocol": "b" }, { protocols: ["a", "b"] }],
    ["§4.1", "no subprotocol though some were offered", {}, { protocols: ["a", "b"] }],
    ["RFC 7692 §5.1", "no compression though it was offered", {}, { compression: true }],
    ["RFC 7692 §5.1", "an answer to the second offer", { "Sec-WebSocket-Extensions": "permessage-deflate" }, {
      compression: [{ serverNoContextTakeover: true, serverMaxWindowBits: 10 }, {}],
    }],
    ["RFC 7692 §7.1.2", "quoted values", {
      "Sec-WebSocket-Extensions": 'permessage-deflate; server_max_window_bits="9"',
    }, { compression: true }],
    ["RFC 7692 §7.1.2.2", "a limit to its window", {
      "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits=8",
    }, { compression: true }],
  ];
  for (const [clause, rule, changes, options] of taken) {
    it(`${clause} the client goes on: ${rule}`, async () => {
      const { connected, client, close } = await rawServer({ ...options }, (key) => answerHead(key, changes));
      await connected;
      assertEquals(client.protocol, changes["Sec-WebSocket-Protocol"] ?? "");
      assertEquals(client.extensions.length, "Sec-WebSocket-Extensions" in changes ? 1 : 0);
      assertEquals(client.connection?.request.protocols, options?.protocols ?? []);
      const offer = options?.compression ?? [];
      assertEquals(client.connection?.request.extensions.length, Array.isArray(offer) ? offer.length : 1);
      await close();
    });
  }
});
