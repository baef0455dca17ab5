/** Messages of a kind without handler, and handlers that are `null`: nothing is lost without a word. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient, type WebSocketClientOptions } from "../client.ts";
import { HandlerError, StateError } from "../base/errors.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { WhatsAppReceiver } from "../whatsapp.ts";
import { PageClient } from "./support/page.ts";
import { urlOf } from "./support/peers.ts";
import { until } from "./support/support.ts";

const BYTES = Uint8Array.of(1, 2);

async function start(options: WebSocketServerOptions = {}): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", ...options });
  await server.start();
  return server;
}

/** Lines that are printed while some work is done. */
async function printedBy(work: () => Promise<void>): Promise<unknown[]> {
  const { error } = console;
  const lines: unknown[] = [];
  console.error = (line) => void lines.push(line);
  try {
    await work();
  } finally {
    console.error = error;
  }
  return lines;
}

function codes(errors: unknown[]): string[] {
  return errors.map((error) => error instanceof StateError ? error.code : String(error));
}

describe("a message without handler on a server", () => {
  it("goes to onError, once for each connection, with the remedy; the connection goes on", async () => {
    const errors: unknown[] = [];
    const texts: string[] = [];
    const sources = new Set<unknown>();
    await using server = await start({
      onMessageReceived: (_, text) => void texts.push(text),
      onError(error, connection) {
        errors.push(error);
        sources.add(connection);
      },
    });
    for (const name of ["a", "b"]) {
      await using client = new WebSocketClient(urlOf(server));
      await client.connect();
      client.send(BYTES);
      client.send(BYTES);
      client.send(name);
      await until(() => texts.includes(name), "the text behind them");
    }
    assertEquals([codes(errors), sources.size], [["ERR_NO_HANDLER", "ERR_NO_HANDLER"], 2]);
    assertStringIncludes((errors[0] as StateError).message, 'set "onBinaryDataReceived"');
  });

  it("is told of texts too", async () => {
    const errors: unknown[] = [];
    await using server = await start({ onBinaryDataReceived: () => {}, onError: (error) => void errors.push(error) });
    await using client = new WebSocketClient(urlOf(server));
    await client.connect();
    client.send("text");
    await until(() => errors.length > 0, "the report");
    assertStringIncludes((errors[0] as StateError).message, 'set "onMessageReceived"');
  });

  it("is printed once for all connections without onError", async () => {
    const lines = await printedBy(async () => {
      const texts: string[] = [];
      await using server = await start({ onMessageReceived: (_, text) => void texts.push(text) });
      for (const name of ["a", "b"]) {
        await using client = new WebSocketClient(urlOf(server));
        await client.connect();
        client.send(BYTES);
        client.send(name);
        await until(() => texts.includes(name), "the text behind it");
      }
    });
    assertEquals(codes(lines), ["ERR_NO_HANDLER"]);
  });

  it("is told where there is no handler at all, and no loop had begun: both remedies are named", async () => {
    const errors: StateError[] = [];
    await using server = await start({ onError: (error) => void errors.push(error as StateError) });
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    for (const message of ["login", BYTES, "more"]) client.send(message);
    await client.disconnect();
    assertEquals(codes(errors), ["ERR_NO_HANDLER"]);
    assertStringIncludes(errors[0]!.message, 'set "onMessageReceived"');
    assertStringIncludes(errors[0]!.message, "receive()");
    assertEquals(server.stats().failures["ERR_NO_HANDLER"], 1);
  });

  it("is no fault where the program has a loop, waits for messages, or has a handler that does nothing", async () => {
    for (const how of ["receive", "loop", "nothing"]) {
      const errors: unknown[] = [];
      const looped: unknown[] = [];
      await using server = await start({
        ...how === "nothing" && { onMessageReceived: () => {} },
        ...how === "nothing" && { onBinaryDataReceived: () => {} },
        async onHandshakeResponseSent(connection) {
          if (how === "receive") looped.push(await connection.receive());
          if (how === "loop") { for await (const message of connection) looped.push(message); }
        },
        onError: (error) => void errors.push(error),
      });
      const client = new WebSocketClient(urlOf(server));
      await client.connect();
      client.send(BYTES);
      client.send("more");
      await client.disconnect();
      assertEquals([how, errors, looped.length], [how, [], ["nothing", "receive", "loop"].indexOf(how)]);
    }
  });
});

const clients: [name: string, make: (url: string, options: WebSocketClientOptions) => WebSocketClient][] = [
  ["a client", (url, options) => new WebSocketClient(url, options)],
  ["a client in a page", (url, options) => new PageClient(url, options)],
  ["a receiver of a plain server", (url, options) => new WhatsAppReceiver(url, { ...options, receiverToken: "token" })],
];

for (const [name, make] of clients) {
  describe(`a message without handler on ${name}`, () => {
    it("goes to onError, once for each connection", async () => {
      const errors: unknown[] = [];
      const texts: string[] = [];
      await using server = await start({
        protocols: ["whatsapp-inbox.v1", "whatsapp-notifications"],
        onSelectProtocol: () => "",
        onHandshakeResponseSent(connection) {
          for (const message of [BYTES, BYTES, "end"]) connection.send(message);
        },
      });
      const client = make(urlOf(server), {
        onMessageReceived: (text) => void texts.push(text),
        onError: (error) => void errors.push(error),
      });
      for (const round of [1, 2]) {
        await client.connect();
        await until(() => texts.length === round, "the text behind them");
        await client.disconnect();
      }
      assertEquals(codes(errors), ["ERR_NO_HANDLER", "ERR_NO_HANDLER"]);
    });

    it("is printed once without onError", async () => {
      const lines = await printedBy(async () => {
        await using server = await start({
          onHandshakeResponseSent(connection) {
            for (const message of ["text", BYTES]) connection.send(message);
          },
        });
        let seen = 0;
        const client = make(urlOf(server), { onBinaryDataReceived: () => void seen++ });
        for (const round of [1, 2]) {
          await client.connect();
          await until(() => seen === round, "the bytes behind it");
          await client.disconnect();
        }
      });
      assertEquals(codes(lines), ["ERR_NO_HANDLER"]);
    });

    it("waits if the only handlers are null, which are none", async () => {
      await using server = await start({ onHandshakeResponseSent: (connection) => void connection.send("early") });
      const nothing = { onMessageReceived: null, onBinaryDataReceived: null } as unknown as WebSocketClientOptions;
      const client = make(urlOf(server), nothing);
      await client.connect();
      const texts: string[] = [];
      Reflect.set(client, "onMessageReceived", null);
      client.onMessageReceived = (text) => void texts.push(text);
      await until(() => texts.length === 1, "the message that came before");
      await client.disconnect();
      assertEquals(texts, ["early"]);
    });
  });
}

describe("handlers that are null", () => {
  it("are none on a server", async () => {
    const errors: unknown[] = [];
    const names = [
      "onConnect",
      "onAllow",
      "onSelectProtocol",
      "onOpen",
      "onHandshakeResponseSent",
      "onMessageReceived",
      "onBinaryDataReceived",
      "onPing",
      "onPong",
      "onClose",
      "onEnd",
      "onDisconnect",
      "onCommandGet",
      "onLog",
      "onGetSSLPassword",
    ];
    const nothing = Object.fromEntries(names.map((name) => [name, null])) as unknown as WebSocketServerOptions;
    await using server = await start({ protocols: ["chat"], ...nothing, onError: (error) => void errors.push(error) });
    const client = new WebSocketClient(urlOf(server), { protocols: ["other", "chat"] });
    await client.connect();
    assertEquals(client.protocol, "chat");
    for (const message of ["text", BYTES]) client.send(message);
    client.ping("p");
    client.pong("p");
    await client.disconnect();
    const { status } = await fetch(urlOf(server).replace("ws", "http")).then(async (response) => {
      await response.body?.cancel();
      return response;
    });
    assertEquals([status, codes(errors)], [426, ["ERR_NO_HANDLER"]]);
  });

  it("are none on a client", async () => {
    const errors: unknown[] = [];
    await using server = await start({ onHandshakeResponseSent: (connection) => connection.ping("p") });
    const names = [
      "onSendHandshake",
      "onHandshakeResponse",
      "onConnect",
      "onPing",
      "onPong",
      "onClose",
      "onDisconnect",
      "onReconnecting",
      "onLog",
    ];
    const nothing = Object.fromEntries(names.map((name) => [name, null])) as unknown as WebSocketClientOptions;
    const client = new WebSocketClient(urlOf(server), { ...nothing, onError: (error) => void errors.push(error) });
    await client.connect();
    await client.disconnect();
    assertEquals(errors.filter((error) => error instanceof HandlerError), []);
  });
});
