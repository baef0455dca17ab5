/**
 * Ours against what is in the same process: the platform's own client, and ours.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import { WebSocketClient } from "../client.ts";
import { assertSame, playWithEcho, urlOf } from "./support/peers.ts";
import { messages } from "./peers/messages.mjs";
import { defer, startEcho, until } from "./support/support.ts";

describe("the platform's WebSocket against our server", () => {
  for (const split of [{}, { splitMessage: true, frameSize: 1000 }]) {
    it(`echoes ${JSON.stringify(split)}`, async () => {
      await using server = await startEcho({ protocols: ["b"], ...split });
      const socket = new WebSocket(`ws://127.0.0.1:${server.address!.port}/`, ["a", "b"]);
      socket.binaryType = "arraybuffer";
      const opened = defer<void>();
      socket.onopen = () => opened.resolve();
      await opened.promise;
      assertEquals(socket.protocol, "b");
      for (const message of messages()) {
        const echo = defer<unknown>();
        socket.onmessage = ({ data }) => echo.resolve(data);
        socket.send(message as string);
        const data = await echo.promise;
        assertSame(data instanceof ArrayBuffer ? new Uint8Array(data) : data, message);
      }
      const closed = defer<CloseEvent>();
      socket.onclose = closed.resolve;
      socket.close(4321, "enough");
      const { code, reason, wasClean } = await closed.promise;
      assertEquals([code, reason, wasClean], [4321, "", true]);
    });
  }

  it("receives the close code of the server, also for a protocol violation", async () => {
    await using server = await startEcho({ maxMessageSize: 1000 });
    const close = (then: (socket: WebSocket) => void): Promise<CloseEvent> => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.address!.port}/`);
      const closed = defer<CloseEvent>();
      socket.onclose = closed.resolve;
      socket.onopen = () => then(socket);
      return closed.promise;
    };
    const big = await close((socket) => socket.send("x".repeat(1001)));
    assertEquals(big.code, 1009);
    const bye = await close(() => {
      for (const connection of server.connections) connection.close(1001, "bye");
    });
    assertEquals([bye.code, bye.reason, bye.wasClean], [1001, "bye", true]);
  });
});

describe("our client against our server", () => {
  for (const options of [{}, { splitMessage: true, frameSize: 50 }]) {
    it(`echoes ${JSON.stringify(options)}`, async () => {
      await using server = await startEcho(options);
      await playWithEcho(urlOf(server), options);
    });
  }

  it("carries 64 MiB, text and binary, when the limits allow it", async () => {
    const size = 64 * 1024 * 1024;
    const limits = { maxMessageSize: size, maxBufferedAmount: 2 * size };
    await using server = await startEcho(limits);
    const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, limits);
    await client.connect();
    const echoes = client[Symbol.asyncIterator]();
    const bytes = new Uint8Array(size).map((_, index) => index * 31);
    client.send(bytes);
    const echoed = (await echoes.next()).value as Uint8Array;
    assert(Buffer.compare(echoed, bytes) === 0);
    const text = "0123456789abcdef".repeat(size / 16);
    client.send(text);
    assert((await echoes.next()).value === text);
    await client.disconnect();
  });

  it("holds 500 connections at once, each with its own messages, and a broadcast to all", async () => {
    const count = 500;
    await using server = await startEcho();
    const clients = await Promise.all(Array.from({ length: count }, async (_, index) => {
      const got: string[] = [];
      const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, {
        onMessageReceived: (text) => void got.push(text),
      });
      await client.connect();
      for (let message = 0; message < 5; message++) client.send(`${index} ${message}`);
      return { client, got, index };
    }));
    await until(() => clients.every(({ got }) => got.length === 5), "all echoes");
    for (const { got, index } of clients) assertEquals(got, [0, 1, 2, 3, 4].map((message) => `${index} ${message}`));
    assertEquals([server.connections.size, server.broadcastMessage("all")], [count, count]);
    await until(() => clients.every(({ got }) => got.length === 6), "the broadcast");
    const infos = await Promise.all(clients.map(({ client }) => client.disconnect()));
    assertEquals(infos.every((info) => info?.clean), true);
    await until(() => server.connections.size === 0, "the end of all");
  });

  it("survives abrupt loss on either side in each state", async () => {
    let connects = 0;
    let disconnects = 0;
    await using server = await startEcho({
      onConnect: () => void connects++,
      onDisconnect: () => void disconnects++,
      onHandshakeResponseSent: (connection) => {
        if (connection.request.path === "/server") connection.terminate();
      },
    });
    const { port } = server.address!;
    const states: ((client: WebSocketClient) => Promise<unknown>)[] = [
      // open; with data on its way; closing; with a peer that was closing
      async (client) => await client.disconnect(false),
      async (client) => {
        client.send(new Uint8Array(8_000_000));
        await client.disconnect(false);
      },
      async (client) => {
        void client.disconnect();
        await client.disconnect(false);
      },
      async (client) => {
        for (const connection of server.connections) void connection.close(1000);
        await client.disconnect(false);
      },
      async (client) => {
        for (const connection of server.connections) connection.terminate();
        await client.connection!.closed;
      },
      async (client) => {
        client.send(new Uint8Array(8_000_000));
        for (const connection of server.connections) connection.terminate();
        await client.connection!.closed;
      },
    ];
    for (const lose of states) {
      const events: string[] = [];
      const client = new WebSocketClient(`ws://127.0.0.1:${port}/`, {
        onConnect: () => void events.push("connect"),
        onDisconnect: () => void events.push("disconnect"),
        onBinaryDataReceived: () => {},
      });
      await client.connect();
      await until(() => server.connections.size === 1, "the server's view");
      await lose(client);
      await until(() => server.connections.size === 0, "the server's view of the end");
      assertEquals(events, ["connect", "disconnect"]);
    }
    const early = new WebSocketClient(`ws://127.0.0.1:${port}/server`);
    await early.connect().catch(() => {});
    await until(() => connects === disconnects, "all disconnects");
    assertEquals(connects, states.length + 1);
  });
});
