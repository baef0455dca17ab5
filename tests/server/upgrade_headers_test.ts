/** Header fields that `onAllow` adds to the 101, and the `Cookie` that comes back. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { HandlerError } from "../../base/errors.ts";
import type { AllowAnswer, WebSocketServer } from "../../server.ts";
import { upgradeFields } from "../../server/upgrade_headers.ts";
import { clientFrame, upgradeHead } from "../support/hostile.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { RawListener, RawSocket } from "../support/sockets.ts";
import { decode, encode, startEcho, until } from "../support/support.ts";
import { PATH, startServer } from "../support/whatsapp.ts";

/** The head of the answer to a handshake. */
async function answerOf(port: number, path = "/"): Promise<string> {
  const socket = await RawSocket.connect(port);
  await socket.write(upgradeHead().replace("GET /hostile ", `GET ${path} `));
  let head = "";
  while (!head.includes("\r\n\r\n")) head += decode((await socket.read())!);
  await socket.close();
  return head;
}

async function clientOf(server: { address?: { port: number } | undefined }, options: WebSocketClientOptions = {}) {
  const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, options);
  await client.connect();
  return client;
}

const forms: [name: string, headers: () => Extract<AllowAnswer, { headers: unknown }>["headers"]][] = [
  ["pairs", () => [["Set-Cookie", "a=1; Path=/"], ["Set-Cookie", "b=2, c"], ["X-Node", "7"]]],
  ["Headers", () => new Headers([["Set-Cookie", "a=1; Path=/"], ["Set-Cookie", "b=2, c"], ["X-Node", "7"]])],
  ["a Map", () => new Map([["Set-Cookie", "a=1; Path=/"], ["X-Node", "7"]])],
  ["an object", () => ({ "Set-Cookie": "a=1; Path=/", "X-Node": "7" })],
];

describe("onAllow with { headers }", () => {
  for (const [name, headers] of forms) {
    for (const later of [false, true]) {
      it(`of ${name} adds them to the 101, each Set-Cookie as a line${later ? ", later too" : ""}`, async () => {
        const answer = (): AllowAnswer => ({ headers: headers() });
        await using server = await startEcho({ onAllow: () => later ? Promise.resolve(answer()) : answer() });
        const head = await answerOf(server.address!.port);
        assertStringIncludes(head, "HTTP/1.1 101 Switching Protocols\r\n");
        const lines = head.toLowerCase().split("\r\n");
        const cookies = name === "Headers" || name === "pairs" ? ["set-cookie: a=1; path=/", "set-cookie: b=2, c"] : [
          "set-cookie: a=1; path=/",
        ];
        assertEquals(lines.filter((line) => line.startsWith("set-cookie")), cookies);
        assertEquals(lines.filter((line) => line.startsWith("x-node")), ["x-node: 7"]);
      });
    }
  }

  it("gives them to the client, and the WebSocket works", async () => {
    await using server = await startEcho({
      protocols: ["chat"],
      compression: true,
      onAllow: () => ({ headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] }),
    });
    let cookies: string[] = [];
    const got = Promise.withResolvers<string>();
    const client = await clientOf(server, {
      protocols: ["chat"],
      compression: true,
      onHandshakeResponse: ({ headers }) => void (cookies = headers.getSetCookie()),
      onMessageReceived: (text) => got.resolve(text),
    });
    client.send("echo");
    assertEquals([cookies, client.protocol, await got.promise], [["a=1", "b=2"], "chat", "echo"]);
    await client.disconnect();
  });

  it("adds nothing if they are empty", async () => {
    await using server = await startEcho({ onAllow: () => ({ headers: {} }) });
    const plain = await startEcho();
    assertEquals(await answerOf(server.address!.port), await answerOf(plain.address!.port));
    await plain.stop();
  });

  it("keeps frames that came right behind the request", async () => {
    await using server = await startEcho({ onAllow: () => Promise.resolve({ headers: { "x-a": "b" } }) });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(encode(upgradeHead()));
    await socket.write(clientFrame(Opcode.Text, encode("early")));
    let text = "";
    while (!text.includes("early")) text += decode((await socket.read())!);
    assertStringIncludes(text, "x-a: b\r\n\r\n");
    await socket.close();
  });

  it("is for WhatsAppServer too", async () => {
    await using server = await startServer({
      receiverToken: undefined,
      onAllow: () => ({ headers: { "set-cookie": "node=1" } }),
    });
    assertStringIncludes(await answerOf(server.address!.port, PATH), "set-cookie: node=1\r\n");
    assertEquals(server.errors, []);
  });

  const refused: [name: string, answer: () => unknown, says: string][] = [
    ["Upgrade", () => ({ headers: { Upgrade: "h2c" } }), '"Upgrade", which the handshake itself sets'],
    ["connection", () => ({ headers: new Headers({ connection: "close" }) }), "the handshake itself sets"],
    ["Content-Length", () => ({ headers: [["Content-Length", "5"]] }), "the handshake itself sets"],
    ["Transfer-Encoding", () => ({ headers: { "transfer-encoding": "chunked" } }), "the handshake itself sets"],
    ["Sec-WebSocket-Accept", () => ({ headers: { "Sec-WebSocket-Accept": "x" } }), "the handshake itself sets"],
    ["Sec-WebSocket-Protocol", () => ({ headers: { "sec-websocket-protocol": "x" } }), "the handshake itself sets"],
    ["a line break", () => ({ headers: { "X-A": "secret\r\nSet-Cookie: evil=1" } }), "not allowed"],
    ["a bare LF", () => ({ headers: [["X-A", "secret\nb"]] }), "not allowed"],
    ["line breaks at the end", () => ({ headers: { "X-A": "secret\r\n\r\n" } }), "not allowed"],
    ["a line break at the start", () => ({ headers: { "X-A": "\r\nevil: 1" } }), "not allowed"],
    ["a control character", () => ({ headers: new Headers({ "X-A": "secret\x01" }) }), "not allowed"],
    ["a line separator", () => ({ headers: { "X-A": "\u2028secret" } }), "not allowed"],
    ["NUL", () => ({ headers: { "X-A": "secret\0" } }), "not allowed"],
    ["beyond Latin-1", () => ({ headers: { "X-A": "secret\u20ac" } }), "not allowed"],
    ["a name with a space", () => ({ headers: { "X A": "secret" } }), '"X A" is not a header name'],
    ["a name with a line break", () => ({ headers: { "X\r\nA": "secret" } }), "is not a header name"],
    ["an empty name", () => ({ headers: [["", "secret"]] }), "is not a header name"],
    [
      "several values in one",
      () => ({ headers: { "set-cookie": ["a=1", "b=2"] } }),
      "several values are several pairs",
    ],
    ["no pairs", () => ({ headers: ["set-cookie", "a=1"] }), "not pairs"],
    ["three in a pair", () => ({ headers: [["a", "b", "c"]] }), "not pairs"],
    ["no headers", () => ({ headers: null }), "null as headers"],
    ["a text", () => ({ headers: "set-cookie: a=1" }), "string as headers"],
    [
      "Headers instead of { headers }",
      () => new Headers({ "x-a": "b" }),
      "return true, false, a Response, or { headers }",
    ],
    ["another member", () => ({ headers: {}, status: 403 }), "neither a Response nor { headers }"],
    ["a Response of another library", () =>
      new (class {
        headers = {};
      })(), "neither a Response nor { headers }"],
    ["an empty object", () => ({}), "neither a Response nor { headers }"],
    ["an array", () => [], "neither a Response nor { headers }"],
  ];
  for (const [name, answer, says] of refused) {
    it(`is refused with 500 and an error for ${name}`, async () => {
      const errors: unknown[] = [];
      await using server = await startEcho({
        onAllow: answer as () => AllowAnswer,
        onError: (error) => void errors.push(error),
      });
      const head = await answerOf(server.address!.port);
      assertStringIncludes(head, "HTTP/1.1 500 ");
      assertEquals([head.includes("secret"), head.includes("evil")], [false, false]);
      await until(() => errors.length === 1, "the error");
      assertInstanceOf(errors[0], HandlerError);
      assertStringIncludes(errors[0].message, 'The handler "onAllow" failed: it returned');
      assertStringIncludes(errors[0].message, says);
      assert(!errors[0].message.includes("secret"), errors[0].message);
    });
  }

  it("is what the error for a Response with 101 asks for", async () => {
    const errors: unknown[] = [];
    await using server: WebSocketServer = await startEcho({
      // Not every runtime makes such a Response.
      onAllow: () =>
        Object.defineProperty(new Response(null, { headers: { "set-cookie": "a=1" } }), "status", { value: 101 }),
      onError: (error) => void errors.push(error),
    });
    assertStringIncludes(await answerOf(server.address!.port), "HTTP/1.1 500 ");
    assertStringIncludes(String(errors[0]), "status 101: onAllow opens a WebSocket with true, or with { headers }");
  });
});

describe("upgradeFields", () => {
  it("takes an object without prototype, and keeps order and case", () => {
    const answer = Object.assign(Object.create(null), { headers: [["B", "1"], ["a", ""], ["B", "\u00fc"]] });
    assertEquals(upgradeFields(answer), [["B", "1"], ["a", ""], ["B", "\u00fc"]]);
  });

  it("takes nothing from prototypes", () => {
    assertThrows(() => upgradeFields(Object.create({ headers: {} })), TypeError, "neither a Response nor");
    assertEquals(upgradeFields({ headers: Object.create({ "x-a": "b" }) }), []);
  });
});

describe("several Cookie lines", () => {
  it("are one value on a server, joined with a semicolon, for handshakes and plain requests", async () => {
    const seen: (string | null)[] = [];
    await using server = await startEcho({
      onAllow: ({ request }) => {
        seen.push(request.headers.get("cookie"));
        return false;
      },
      onCommandGet: ({ headers }) => {
        seen.push(headers.get("cookie"), headers.get("x-a"));
        return new Response("ok");
      },
    });
    const lines = "Cookie: a=1\r\nX-A: 1\r\ncookie: b=2; c=3\r\nX-A: 2\r\n";
    for (const head of [upgradeHead(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(head.replace("\r\n\r\n", `\r\n${lines}\r\n`));
      await socket.readText();
    }
    assertEquals(seen, ["a=1; b=2; c=3", "a=1; b=2; c=3", "1, 2"]);
  });

  it("of a client leave as one, joined with a semicolon", async () => {
    const appended = new Headers({ "x-a": "1" });
    appended.append("cookie", "a=1");
    appended.append("Cookie", "b=2; c=3");
    const sources: WebSocketClientOptions[] = [
      { headers: appended },
      { headers: () => appended },
      { headers: { Cookie: "a=1; b=2; c=3" } },
      { headers: { cookie: "a=1" }, onSendHandshake: ({ headers }) => headers.append("cookie", "b=2; c=3") },
    ];
    for (const options of sources) {
      const listener = await RawListener.listen();
      const client = new WebSocketClient(`ws://127.0.0.1:${listener.port}/`, options);
      const failed = client.connect().catch((error) => error);
      const socket = await listener.accept();
      let head = "";
      while (!head.includes("\r\n\r\n")) head += decode((await socket.read())!);
      const cookies = head.split("\r\n").filter((line) => line.toLowerCase().startsWith("cookie:"));
      assertEquals(cookies, ["Cookie: a=1; b=2; c=3"]);
      await socket.close();
      assertInstanceOf(await failed, Error);
      await listener.close();
    }
  });
});
