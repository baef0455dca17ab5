/**
 * Calls and values as users of other libraries write them: each is an error that names the remedy, and nothing is sent
 * or closed.
 */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, OptionError, StateError } from "../base/errors.ts";
import { WebSocketClient, WebSocketServer } from "../mod.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../whatsapp.ts";
import { join } from "./support/ends.ts";

const local = { hostname: "127.0.0.1", port: 0 };
const URL_TEXT = "ws://127.0.0.1:1/";

type Loose = (...args: unknown[]) => unknown;

describe("arguments of other libraries", () => {
  it("of disconnect", async () => {
    const { client, close } = await join({}, {});
    const disconnect = client.disconnect.bind(client) as Loose;
    for (const first of [4000, 0, "bye", { code: 4000 }, null]) {
      const failed = async (): Promise<unknown> => await disconnect(first);
      await assertRejects(failed, OptionError, 'is neither true nor false: use disconnect(true, 4000, "bye")');
    }
    assertEquals(client.state, "open");
    await close();
  });

  it("of start and the constructor of a server", async () => {
    for (const Class of [WebSocketServer, WhatsAppServer]) {
      const Server = Class as unknown as new (...args: unknown[]) => WebSocketServer;
      assertThrows(
        () => new Server(local, () => {}),
        OptionError,
        "The constructor does not take a function: use await start()",
      );
      const server = new Server(local);
      const start = server.start.bind(server) as Loose;
      const failed = (argument: unknown) => async (): Promise<unknown> => await start(argument);
      await assertRejects(failed(8080), OptionError, "use new WebSocketServer({ port: 8080 })");
      await assertRejects(failed(() => {}), OptionError, "use await start()");
      assertEquals(server.active, false);
    }
  });

  it("of publish", async () => {
    const { server, peer, atClient, close } = await join({}, {});
    await peer.subscribe("topic");
    for (const except of [[peer], "me", 5, {}]) {
      const publish = server.publish.bind(server) as Loose;
      assertThrows(() => publish("topic", "x", { except }), OptionError, "instead of one connection");
    }
    assertEquals([server.publish("topic", "x", { except: peer }), atClient], [0, []]);
    await close();
  });
});

describe("a token function without an answer", () => {
  it("does not connect without Authorization", async () => {
    await using server = new WebSocketServer(local);
    await server.start();
    const url = `ws://127.0.0.1:${server.address!.port}/`;
    for (const answer of [undefined, null, "", 5]) {
      const token = (() => answer) as () => string;
      await assertRejects(() => new WebSocketClient(url, { token }).connect(), OptionError, 'setting "token"');
      const receiver = new WhatsAppReceiver(url, { receiverToken: token });
      await assertRejects(() => receiver.connect(), OptionError, 'setting "receiverToken"');
    }
    assertThrows(
      () => new WebSocketClient(url, { token: 5 as unknown as string }),
      OptionError,
      "a number instead of a string",
    );
    assertEquals(server.stats().connections.opened, 0);
  });
});

describe("texts with a remedy", () => {
  it("of origins and URLs", () => {
    for (
      const [origin, says] of [
        ["*", "an empty list lets all in"],
        ["a.example", 'add "https://"'],
        ["a.example:8443", 'add "https://"'],
        ["https://a.example/", 'a browser sends "https://a.example"'],
      ] as const
    ) assertThrows(() => new WebSocketServer({ origins: [origin] }), OptionError, says);
    for (
      const [url, says] of [
        ["http://a/", 'use "ws:"'],
        ["https://a/", 'use "wss:"'],
        ["localhost:8080", 'begin it with "ws://"'],
        ["/chat", 'write it as "ws://host/path"'],
      ] as const
    ) assertThrows(() => new WebSocketClient(url), OptionError, says);
    assertThrows(() => new WebSocketClient(URL_TEXT, { onEnd() {} } as object), OptionError, 'use "onDisconnect"');
  });

  it("of messages", async () => {
    const { server, client, close } = await join({}, {});
    const broadcast = server.broadcastMessage.bind(server) as Loose;
    for (const bytes of [new Uint8Array(1), new ArrayBuffer(1), new Blob(["a"])]) {
      assertThrows(() => broadcast(bytes), OptionError, "use broadcastData");
    }
    assertThrows(() => broadcast({ a: 1 }), OptionError, "use JSON.stringify");
    const send = client.send.bind(client) as Loose;
    for (
      const [data, says] of [
        [new ReadableStream(), "messageWriter()"],
        [new FormData(), "JSON.stringify([...form])"],
        [new Map(), "JSON.stringify([...map])"],
        [new URLSearchParams("a=b"), "use String"],
        [new String("a"), "use String"],
        [5, "use String"],
        [new Response("a"), "text() first"],
        [{}, "use JSON.stringify"],
      ] as const
    ) assertThrows(() => send(data), OptionError, says);
    await close();
  });

  it("of a client that is not connected", async () => {
    const client = new WebSocketClient(URL_TEXT);
    assertThrows(() => client.send("a"), StateError, "Cannot send: the client is not connected: await connect() first");
    const lasting = new WebSocketClient(URL_TEXT, { reconnect: true });
    assertThrows(() => lasting.send("a"), StateError, '"reconnect: { maxQueuedSize }"');
    const ends = await join({}, {});
    await ends.client.disconnect(true, 4000, "bye");
    for (
      const [call, what] of [[() => ends.client.ping(), "send a ping"], [() => ends.client.send("a"), "send"]] as const
    ) {
      const text = `Cannot ${what}: the connection is closed: this end closed it with 4000 bye`;
      const error = await assertRejects(async () => await call(), StateError);
      assertEquals(error.message, text);
    }
    const error = assertThrows(() => ends.peer.pong(), StateError);
    assertEquals(error.message, "Cannot send a pong: the connection is closed: the peer closed it with 4000 bye");
    await ends.close();
  });

  it("of answers without a WebSocket, without the query", async () => {
    for (const [status, pathName] of [[404, "/chat"], [200, ""]] as const) {
      await using server = new WebSocketServer({ ...local, pathName, onAllow: () => new Response("a", { status }) });
      await server.start();
      const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/other?key=secret`);
      const error = await assertRejects(() => client.connect(), HandshakeError);
      assertStringIncludes(error.message, `The server answered ${status} `);
      assertStringIncludes(error.message, ': there is no WebSocket at "/other"');
      assertEquals(error.message.includes("secret"), false);
    }
  });
});
