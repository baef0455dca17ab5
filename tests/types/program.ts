/** A program of a user, for its types: what comes fits the platform's functions, and all kinds of bytes can be sent. */

import { Buffer } from "node:buffer";
import { createServer, type Server } from "node:http";
import {
  type MessageData,
  type SendBytes,
  type SendData,
  WebSocketClient,
  type WebSocketConnection,
  WebSocketServer,
} from "@tackline/websocket";
import { runCli } from "@tackline/websocket/cli";
import { WebSocketClient as OnlyClient } from "@tackline/websocket/client";
import { WhatsAppApi } from "@tackline/websocket/cloud-api";
import { MessageAssembler } from "@tackline/websocket/frame";
import { WebSocketServer as OnlyServer } from "@tackline/websocket/server";
import { Simulator } from "@tackline/websocket/simulate";
import { WhatsAppReceiver, WhatsAppServer } from "@tackline/websocket/whatsapp";

export const ENTRIES: unknown[] = [runCli, OnlyClient, WhatsAppApi, OnlyServer, Simulator];

/** Functions of the platform that take no shared memory. */
async function use(data: MessageData): Promise<void> {
  if (typeof data === "string") return;
  const blob = new Blob([data]);
  const digest: ArrayBuffer = await crypto.subtle.digest("SHA-256", data);
  new Response(data).body?.cancel();
  const buffer: ArrayBuffer = data.buffer;
  console.log(blob.size, digest.byteLength, buffer.byteLength);
}

export const server: WebSocketServer = new WebSocketServer({
  onBinaryDataReceived: async (_connection, bytes) => void await use(bytes),
  onPing: async (_connection, data) => void await use(data),
  onPong: async (_connection, data) => void await use(data),
});
server.onBinaryDataReceived = (connection, bytes) => void connection.send(bytes);

/** Requests and sockets of `node:http`, and of the web. */
export const app: Server = createServer();
app.on("upgrade", (request, socket, head) => void server.handleUpgrade(request, socket, head));
export const upgrade = (request: Request, streams: { readable: ReadableStream; writable: WritableStream }): unknown =>
  server.handleUpgrade(request, streams);

interface Guest {
  name: string;
}

export const routed: WebSocketServer<Guest> = new WebSocketServer<Guest>({
  onCommandGet: (request, connection) => new Response(`${request.url} ${connection?.params.room}`),
  routes: {
    "/chat/:room": {
      onAllow: (connection) => (connection.data = { name: connection.params.room ?? "" }) !== undefined,
      onMessageReceived: ({ data }, text) => void routed.publish(data.name, text),
      maxMessageSize: 1000,
    },
  },
});

export const client: WebSocketClient = new WebSocketClient("ws://localhost/", {
  onBinaryDataReceived: async (bytes) => void await use(bytes),
  onPing: async (data) => void await use(data),
  onPong: async (data) => void await use(data),
});

export async function read(end: WebSocketConnection | WebSocketClient): Promise<void> {
  for await (const message of end) await use(message);
  await use(await end.receive());
  const { value } = await end.readable.getReader().read();
  if (value !== undefined) await use(value);
  const latency: number = await end.ping();
  console.log(latency);
}

/** Everything that can be sent. */
export function write(end: WebSocketConnection | WebSocketClient, blob: Blob): void {
  const kinds: SendBytes[] = [
    new ArrayBuffer(1),
    new SharedArrayBuffer(1),
    new Uint8Array(1),
    new Float32Array(1),
    new DataView(new ArrayBuffer(1)),
    new Uint8Array(new SharedArrayBuffer(1)),
    Buffer.from("a"),
    blob,
  ];
  const all: SendData[] = ["text", ...kinds];
  for (const data of all) end.send(data);
  for (const data of kinds) server.broadcastData(data);
  for (const data of all) server.publish("topic", data);
  // @ts-expect-error Not a message.
  end.send(5);
  // @ts-expect-error Not a message.
  end.send([1, 2]);
}

/** Handlers use the object that gets them, and return what its methods return. */
export function talk(): void {
  const one = new WebSocketClient("ws://localhost/", { onMessageReceived: (text) => one.send(text) });
  const all = new WebSocketServer({ onMessageReceived: (_, text) => all.broadcastMessage(text) });
  const other = new WhatsAppReceiver({ onNotification: (record) => other.send(record.kind) });
  console.log(one.state, all.active, other.state);
}

/** A server with data of its own: `onAllow` gives connections whose data is not set yet. */
export class TypedWhatsAppServer extends WhatsAppServer<{ who: string }> {
  override onAllow(connection: WebSocketConnection<{ who: string } | undefined>): boolean {
    connection.data = { who: this.tokenNameOf(connection) ?? "?" };
    return true;
  }
}

export const whatsapp: WhatsAppServer = new WhatsAppServer({
  appSecret: "secret",
  verifyToken: "token",
  onRawMessage: async (_text, { bytes }) => {
    await use(bytes);
    return true;
  },
});

export const receiver: WhatsAppReceiver = new WhatsAppReceiver("wss://localhost/", {
  receiverToken: "token",
  onBinaryDataReceived: async (bytes) => void await use(bytes),
});

export async function readNotifications(): Promise<void> {
  for await (const { raw } of receiver.notifications) await use(raw);
}

export const assembler: MessageAssembler = new MessageAssembler({
  message: (data) => void use(data),
  ping() {},
  pong() {},
  close() {},
});
