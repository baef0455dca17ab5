/**
 * Memory: what compression costs for each connection, and what a message costs that inflates without end.
 *
 *   deno task bench:memory          both
 *   deno task bench:memory bomb     the second: prints the growth of a server in MiB
 */

import { once } from "node:events";
import process from "node:process";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants, createDeflateRaw } from "node:zlib";
import type { CompressionOptions } from "../protocol/compression.ts";
import { compressionSettings, MessageDeflater } from "../protocol/deflate.ts";
import { CONNECTION_DEFAULTS } from "../connection/options.ts";
import {
  createConnection,
  openConnection,
  sendShared,
  startConnection,
  type WebSocketConnection,
} from "../connection/connection.ts";
import { encodeFrame } from "../protocol/frame.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { WebSocketClient } from "../client.ts";
import { WebSocketServer } from "../server.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

const MIB = 1024 * 1024;
const CONNECTIONS = 500;
/** Long enough to be compressed. */
const WARM_UP = "warm up ".repeat(10_000);
const [what, argument] = process.argv.slice(2);

/** Runs this file again, with other arguments, in a process of its own. */
function again(...args: string[]) {
  const file = decodeURIComponent(new URL(import.meta.url).pathname);
  const onDeno = ["run", "-A", "--no-check", "--v8-flags=--expose-gc", file];
  const own = "Deno" in globalThis ? onDeno : ["--expose-gc", file];
  return spawn(process.execPath, [...own, ...args], { stdio: ["pipe", "pipe", "inherit"] });
}

function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

// ---- A message without end --------------------------------------------------------------------------------------

/** The most memory the process has had so far, in bytes. */
function peak(): number {
  const line = readFileSync("/proc/self/status", "utf8").split("\n").find((line) => line.startsWith("VmHWM"))!;
  return Number(line.split(/\s+/)[1]) * 1024;
}

/** The server under attack: tells its port, and after the attack by how much it has grown at most. */
async function serve(): Promise<void> {
  let before = 0;
  const server = new WebSocketServer({
    port: 0,
    hostname: "127.0.0.1",
    compression: true,
    onMessageReceived: (_, text) => {
      // One harmless message first: what is compiled and allocated once does not count.
      if (text !== WARM_UP) return;
      collectGarbage();
      before = process.memoryUsage().rss;
    },
    onDisconnect: (_, { sent }) => {
      console.log(`${(Math.max(0, peak() - before) / MIB).toFixed(1)} MiB, closed with ${sent?.code}`);
      process.exit(0);
    },
    onError: () => {},
  });
  await server.start();
  console.log(server.address!.port);
}

/** Sends a message of 1 GiB of zeros, compressed. */
async function bomb(): Promise<string> {
  const wire = await compressZeros(1024);
  const child = again("serve");
  const lines: string[] = [];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => lines.push(...text.trim().split("\n")));
  while (lines.length < 1) await once(child.stdout!, "data");
  const client = new WebSocketClient(`ws://127.0.0.1:${lines[0]}/`, { compression: true, onError: () => {} });
  await client.connect();
  client.send(WARM_UP);
  client.ping();
  await client.drained();
  const frame = encodeFrame(
    { opcode: Opcode.Binary, payload: wire, reserved: 0x40 },
    { maskingKey: Uint8Array.of(1, 2, 3, 4) },
  );
  // The client has no call for this: it is not the peer it seems to be.
  sendRaw(client, frame);
  await once(child, "close");
  await client.disconnect(false);
  return `${wire.length} bytes on the wire: the server grew by ${lines[1]}`;
}

function sendRaw(client: WebSocketClient, bytes: Uint8Array): void {
  const { connection } = client;
  const shared = { framesFor: () => bytes, count: () => 1 } as unknown as Parameters<typeof sendShared>[1];
  sendShared(connection as WebSocketConnection, shared);
}

async function compressZeros(mebibytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const stream = createDeflateRaw({ level: 9 });
  const pieces: Uint8Array[] = [];
  stream.on("data", (piece: Uint8Array) => pieces.push(new Uint8Array(piece)));
  const zeros = new Uint8Array(MIB);
  for (let count = 0; count < mebibytes; count++) {
    await new Promise<void>((resolve) => stream.write(zeros, () => resolve()));
  }
  await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()));
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole.subarray(0, -4);
}

// ---- Connections ------------------------------------------------------------------------------------------------

/** A transport that goes nowhere, so that only the connection counts. */
class NoTransport implements Transport {
  bytesWritten = 0;
  deferWork(work: () => void): void {
    work();
  }
  readonly remoteAddress = { hostname: "", port: 0 };
  readonly localAddress = { hostname: "", port: 0 };
  readonly encrypted = false;
  handler!: TransportHandler;
  open(handler: TransportHandler): void {
    this.handler = handler;
  }
  write(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const ignore = (): void => {};
const handler = { message: ignore, ping: ignore, pong: ignore, close: ignore, disconnect: ignore, error: ignore };

/** Holds connections on which one message went each way, and prints the bytes that each takes. */
async function holdConnections(option: boolean | CompressionOptions): Promise<void> {
  const settings = compressionSettings(option);
  const compression = settings && { parameters: settings, settings };
  const text = Array.from({ length: 2000 }, (_, index) => `word ${(index * 7919) % 1000}`).join(" ");
  const held: WebSocketConnection[] = [];
  const open = async (): Promise<WebSocketConnection> => {
    const transport = new NoTransport();
    const connection = createConnection(transport, "client", handler, CONNECTION_DEFAULTS);
    startConnection(connection, { protocol: "", extensions: [], compression });
    openConnection(connection, new Uint8Array(0));
    connection.send(text);
    await connection.drained();
    transport.handler.data(incoming.slice());
    return connection;
  };
  const incoming = settings === undefined
    ? encodeFrame({ opcode: Opcode.Text, payload: new TextEncoder().encode(text) })
    : compressText(text);
  for (let count = 0; count < 20; count++) await open();
  collectGarbage();
  const before = process.memoryUsage().rss;
  for (let count = 0; count < CONNECTIONS; count++) held.push(await open());
  await new Promise((resolve) => setTimeout(resolve, 50));
  collectGarbage();
  console.log((process.memoryUsage().rss - before) / held.length);
  process.exit(0);
}

/** As a server sends it that needs no context and the smallest window. */
function compressText(text: string): Uint8Array {
  const settings = compressionSettings({ serverMaxWindowBits: 9, serverNoContextTakeover: true })!;
  const payload = new MessageDeflater("server", settings, settings).compress(new TextEncoder().encode(text), true);
  return encodeFrame({ opcode: Opcode.Text, payload, reserved: 0x40 });
}

async function compareConnections(): Promise<void> {
  const rows: [string, boolean | CompressionOptions][] = [
    ["no compression", false],
    ["compression: true", true],
    ["both windows of 2^11 bytes, memoryLevel 4", { serverMaxWindowBits: 11, clientMaxWindowBits: 11, memoryLevel: 4 }],
    ["no context takeover of what is sent", { clientNoContextTakeover: true }],
    ["no context takeover either way", { clientNoContextTakeover: true, serverNoContextTakeover: true }],
  ];
  console.log(`\nMemory of a connection, ${CONNECTIONS} of them, one message each way (median of 3):`);
  for (const [name, option] of rows) {
    const sizes: number[] = [];
    for (let run = 0; run < 3; run++) sizes.push(await measure(option));
    console.log(`${(sizes.sort((a, b) => a - b)[1]! / 1024).toFixed(0).padStart(6)} KiB  ${name}`);
  }
}

async function measure(option: boolean | CompressionOptions): Promise<number> {
  const child = again("connections", JSON.stringify(option));
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => output += text);
  await once(child, "close");
  return Number(output);
}

if (what === "serve") await serve();
else if (what === "connections") await holdConnections(JSON.parse(argument!));
else {
  console.log(`A message of 1 GiB in ${await bomb()}`);
  if (what !== "bomb") await compareConnections();
}
