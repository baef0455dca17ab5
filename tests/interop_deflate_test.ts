/**
 * Compression between ours and `ws` from npm, each way: all combinations of context takeover and window bits.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Buffer } from "node:buffer";
import { type RawData, WebSocket as WsClient, WebSocketServer as WsServer } from "npm:ws@8.23.0";
import { WebSocketClient } from "../client.ts";
import type { CompressionOptions } from "../deflate.ts";
import { WebSocketServer } from "../server.ts";
import { assertSameBytes, encode, Random } from "./support.ts";

const WINDOW_BITS = [8, 9, 10, 11, 12, 13, 14, 15];
const TAKEOVERS = [0, 1, 2, 3].map((bits) => ({
  serverNoContextTakeover: (bits & 1) !== 0,
  clientNoContextTakeover: (bits & 2) !== 0,
}));

/** Some messages that refer to each other, beyond small windows too. */
function makeMessages(): (string | Uint8Array)[] {
  const random = new Random(7);
  const noise = random.bytes(3000);
  const text = noise.join();
  return [text, "short", noise, text.slice(100), noise.slice(50), "", noise.slice(500), "κόσμε".repeat(2000)];
}
const MESSAGES = makeMessages();

function allParameters(takeover: (typeof TAKEOVERS)[number]): Required<CompressionOptions>[] {
  return WINDOW_BITS.flatMap((serverMaxWindowBits) =>
    WINDOW_BITS.map((clientMaxWindowBits) => ({
      ...takeover,
      serverMaxWindowBits,
      clientMaxWindowBits,
      threshold: 0,
      level: 6,
      memoryLevel: 8,
    }))
  );
}

describe("ws with permessage-deflate against our server", () => {
  for (const takeover of TAKEOVERS) {
    it(`all window bits, ${JSON.stringify(takeover)}`, async () => {
      for (const compression of allParameters(takeover)) {
        const server = new WebSocketServer({
          port: 0,
          hostname: "127.0.0.1",
          compression,
          onMessageReceived: (connection, text) => void connection.send(text),
          onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
        });
        await server.start();
        const socket = new WsClient(`ws://127.0.0.1:${server.address!.port}/`, {
          perMessageDeflate: { threshold: 0, clientMaxWindowBits: true },
        });
        const got: (string | Uint8Array)[] = [];
        const name = JSON.stringify(compression);
        await new Promise<void>((resolve, reject) => {
          socket.on("error", reject);
          socket.on("close", () => reject(new Error(`closed: ${name}`)));
          socket.on("message", (data: Buffer, isBinary: boolean) => {
            got.push(isBinary ? new Uint8Array(data) : data.toString());
            if (got.length === MESSAGES.length) resolve();
          });
          socket.on("open", () => {
            for (const message of MESSAGES) socket.send(message);
          });
        });
        checkMessages(got);
        const { serverMaxWindowBits, clientMaxWindowBits } = compression;
        if (serverMaxWindowBits < 15) assert(socket.extensions.includes("permessage-deflate"), socket.extensions);
        const agreed = [...server.connections][0].extensions[0].parameters;
        const bits = (key: string): number => Number(agreed.find(([known]) => known === key)?.[1] ?? 15);
        assertEquals(
          [bits("server_max_window_bits"), bits("client_max_window_bits")],
          [serverMaxWindowBits, clientMaxWindowBits],
        );
        socket.removeAllListeners("close");
        const end = new Promise((resolve) => socket.once("close", resolve));
        socket.close(1000);
        await end;
        await server.stop();
      }
    });
  }
});

describe("our client against ws with permessage-deflate", () => {
  for (const takeover of TAKEOVERS) {
    it(`all window bits, ${JSON.stringify(takeover)}`, async () => {
      for (const compression of allParameters(takeover)) {
        const { threshold: _threshold, level: _level, memoryLevel: _memoryLevel, ...parameters } = compression;
        const server = new WsServer({
          port: 0,
          host: "127.0.0.1",
          perMessageDeflate: { threshold: 0, ...parameters },
        });
        server.on("connection", (socket: WsClient) => {
          socket.on("message", (data: RawData, isBinary: boolean) => socket.send(data, { binary: isBinary }));
        });
        await new Promise((resolve) => server.once("listening", resolve));
        const { port } = server.address() as { port: number };
        const client = new WebSocketClient(`ws://127.0.0.1:${port}/`, { compression: { threshold: 0 } });
        await client.connect();
        assertEquals(client.extensions.length, 1);
        const got: (string | Uint8Array)[] = [];
        for (const message of MESSAGES) client.send(message);
        for await (const message of client) {
          got.push(message);
          if (got.length === MESSAGES.length) break;
        }
        checkMessages(got);
        assertEquals((await client.disconnect())?.clean, true);
        await new Promise((resolve) => server.close(resolve));
      }
    });
  }
});

function checkMessages(got: (string | Uint8Array)[]): void {
  const bytes = (data: string | Uint8Array): Uint8Array => typeof data === "string" ? encode(data) : data;
  MESSAGES.forEach((message, index) => {
    assertEquals(typeof got[index], typeof message);
    assertSameBytes(bytes(got[index]), bytes(message));
  });
}
