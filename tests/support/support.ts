/**
 * Helpers shared by the tests: a transport and a clock under their control, seeded randomness, and assertions about
 * frames.
 */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import process from "node:process";
import { concat } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import {
  type CloseInfo,
  CONNECTION_DEFAULTS,
  type ConnectionOptions,
  type ConnectionSettings,
  type ConnectionStart,
  type HandshakeResult,
  type MessageResult,
} from "../../connection/options.ts";
import {
  type ConnectionHandler,
  createConnection,
  openConnection,
  startConnection,
  type WebSocketConnection,
} from "../../connection/connection.ts";
import type { MessageData } from "../../protocol/payload.ts";
import { type FrameInfo, Opcode, type Role } from "../../protocol/frame_header.ts";
import type { CompressionOptions } from "../../protocol/compression.ts";
import { compressionSettings } from "../../protocol/deflate.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../protocol/frame.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import type { BytePair } from "../../transport/stream.ts";

export { concat, concatAll } from "../../base/bytes.ts";

export const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

export const tlsFile = (name: string): string =>
  decodeURIComponent(new URL(`../tls/${name}`, import.meta.url).pathname);

/** Asserts that two arrays hold the same bytes, without a listing of the difference, which takes minutes for a MiB. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  assertEquals(actual.length, expected.length);
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  throw new Error(`byte ${at} of ${actual.length} is ${actual[at]} instead of ${expected[at]}`);
}

/** A random generator that gives the same numbers for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed;
  }

  /** An integer from 0 to `below` - 1. */
  int(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x100000000) * below);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.int(256));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!;
  }

  /** Cuts bytes into chunks of random lengths. */
  chunks(bytes: Uint8Array, most: number): Uint8Array<ArrayBuffer>[] {
    const chunks = [];
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + this.int(most));
      chunks.push(bytes.slice(at, end));
      at = end;
    }
    return chunks;
  }
}

/** Runs a property with a new seed, or the one in `SEED`, and names the seed if it fails. */
export function withSeed(property: (random: Random) => void): void {
  const given = process.env.SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(given);
  try {
    property(new Random(seed));
  } catch (error) {
    throw new Error(`failed with SEED=${seed}`, { cause: error });
  }
}

/** Time that stands still until the test moves it. */
export class FakeClock implements Clock {
  #now = 0;
  #timers = new Set<{ at: number; callback: () => void }>();

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(delay: number, callback: () => void): () => void {
    const timer = { at: this.#now + delay, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#now = due.at;
      this.#timers.delete(due);
      due.callback();
    }
    this.#now = end;
  }
}

/** A transport that keeps what is written, and says what the test tells it to. */
export class FakeTransport implements Transport {
  readonly remoteAddress = { hostname: "192.0.2.1", port: 1234 };
  readonly localAddress = { hostname: "192.0.2.2", port: 80 };
  readonly encrypted = false;
  bytesWritten = 0;
  handler!: TransportHandler;
  /** Each call of `write`. */
  writes: Uint8Array[] = [];
  paused = false;
  ended = false;
  destroyed = false;
  /** True if writes wait for `drain()` of the test. */
  stalled = false;

  open(handler: TransportHandler): void {
    this.handler = handler;
  }
  write(bytes: Uint8Array): boolean {
    this.writes.push(bytes.slice());
    this.bytesWritten += bytes.length;
    return !this.stalled;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  deferWork(goOn: () => void): void {
    queueMicrotask(goOn);
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => this.handler?.close());
  }

  /** Bytes come from the peer. */
  receive(bytes: Uint8Array): void {
    this.handler.data(bytes.slice());
  }
  /** The peer takes what was written. */
  drain(): void {
    this.handler.drain();
  }
  get written(): Uint8Array<ArrayBuffer> {
    return concat(...this.writes);
  }
}

/** Decodes all frames of some bytes; fails on a rest. */
export function decodeAll(bytes: Uint8Array, allowedReserved = 0): Required<Frame>[] {
  const frames = [];
  for (let rest = bytes; rest.length > 0;) {
    const decoded = decodeFrame(rest, { allowedReserved });
    if (decoded === undefined) throw new Error(`${rest.length} bytes are no whole frame`);
    frames.push(decoded.frame);
    rest = rest.subarray(decoded.bytesRead);
  }
  return frames;
}

/** Agrees on compression as if both ends had asked for the same. */
export function agreeOn(options: boolean | CompressionOptions): HandshakeResult {
  const settings = compressionSettings(options);
  return { protocol: "", extensions: [], compression: settings && { parameters: settings, settings } };
}

/** Frames as short texts: `text "Hi"`, `close 1000 "bye"`, `continuation… "x"` for one that is not final. */
export function showFrames(bytes: Uint8Array): string[] {
  const names = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name.toLowerCase()]));
  return decodeAll(bytes).map(({ opcode, payload, final }) => {
    const name = names.get(opcode) + (final ? "" : "…");
    if (opcode !== Opcode.Close) return `${name} ${JSON.stringify(decode(payload))}`;
    if (payload.length === 0) return "close";
    return `close ${(payload[0]! << 8) | payload[1]!} ${JSON.stringify(decode(payload.subarray(2)))}`;
  });
}

/** Asserts which frames some bytes hold. */
export function assertFrames(bytes: Uint8Array, expected: string[]): void {
  assertEquals(showFrames(bytes), expected);
}

/** Frames of a peer. A client's are masked. */
export class Peer {
  constructor(readonly role: Role) {}

  frame(opcode: Opcode, payload: Uint8Array | string = "", final = true): Uint8Array<ArrayBuffer> {
    const bytes = typeof payload === "string" ? encode(payload) : payload;
    const maskingKey = this.role === "client" ? Uint8Array.of(0x12, 0x34, 0x56, 0x78) : undefined;
    return encodeFrame({ opcode, payload: bytes, final }, { maskingKey });
  }
  text(text: string, final = true): Uint8Array<ArrayBuffer> {
    return this.frame(Opcode.Text, text, final);
  }
  binary(bytes: Uint8Array, final = true): Uint8Array<ArrayBuffer> {
    return this.frame(Opcode.Binary, bytes, final);
  }
  continuation(payload: Uint8Array | string, final: boolean): Uint8Array<ArrayBuffer> {
    return this.frame(Opcode.Continuation, payload, final);
  }
  close(code?: number, reason = ""): Uint8Array<ArrayBuffer> {
    if (code === undefined) return this.frame(Opcode.Close);
    return this.frame(Opcode.Close, concat(Uint8Array.of(code >> 8, code & 0xff), encode(reason)));
  }
}

/** Events of a connection, as short texts and values. */
export class Recorder implements ConnectionHandler<unknown> {
  events: string[] = [];
  messages: MessageData[] = [];
  frames: (FrameInfo | undefined)[] = [];
  errors: unknown[] = [];
  info: CloseInfo | undefined;
  /** Called with each message, if set; its promise takes a slot. */
  onMessage: ((data: MessageData) => MessageResult) | undefined;

  message(_: WebSocketConnection, data: MessageData, frame?: FrameInfo): MessageResult {
    this.events.push(typeof data === "string" ? `text ${data}` : `binary ${data.length}`);
    this.messages.push(data);
    this.frames.push(frame);
    return this.onMessage?.(data);
  }
  ping(_: WebSocketConnection, payload: Uint8Array): void {
    this.events.push(`ping ${decode(payload)}`);
  }
  pong(_: WebSocketConnection, payload: Uint8Array): void {
    this.events.push(`pong ${decode(payload)}`);
  }
  close(_: WebSocketConnection, code: number, reason: string): void {
    this.events.push(`close ${code} ${reason}`.trimEnd());
  }
  disconnect(_: WebSocketConnection, info: CloseInfo): void {
    this.events.push("disconnect");
    this.info = info;
  }
  error(_: WebSocketConnection, error: unknown): void {
    const { code, message } = error as { code?: string; message: string };
    this.events.push(`error ${code ?? message}`);
    this.errors.push(error);
  }
}

/** An open connection over a {@linkcode FakeTransport}. */
export interface Rig {
  transport: FakeTransport;
  connection: WebSocketConnection;
  recorder: Recorder;
  clock: FakeClock;
  peer: Peer;
}

/** Makes an open connection whose transport and clock the test holds; with `result` as what its handshake agreed on. */
export function openRig(
  role: Role = "server",
  options: ConnectionOptions = {},
  result: HandshakeResult = { protocol: "", extensions: [] },
  start: ConnectionStart = {},
): Rig {
  const transport = new FakeTransport();
  const recorder = new Recorder();
  const clock = new FakeClock();
  const connection = createConnection(transport, role, recorder, {
    ...CONNECTION_DEFAULTS,
    pingInterval: 0,
    clock,
    ...options as Partial<ConnectionSettings>,
  });
  startConnection(connection, result, start);
  openConnection(connection, new Uint8Array(0));
  return { transport, connection, recorder, clock, peer: new Peer(role === "server" ? "client" : "server") };
}

/** A started server on a free port of loopback that sends every message back. */
export async function startEcho(options: WebSocketServerOptions = {}): Promise<WebSocketServer> {
  const server = new WebSocketServer({
    port: 0,
    hostname: "127.0.0.1",
    onMessageReceived: (connection, text) => void connection.send(text),
    onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    ...options,
  });
  await server.start();
  return server;
}

/** Lets everything happen that is due without input or time: microtasks and stream steps. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Two byte pairs that are each other's peer. */
export function pipe(): [BytePair, BytePair] {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  return [{ readable: back.readable, writable: there.writable }, { readable: there.readable, writable: back.writable }];
}

/** A promise and its resolve function, with a name for what it waits for. */
export function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  return Promise.withResolvers<T>();
}

/** CPU time of this process so far, in ms: it stands still while other programs have the processor. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Lets the event loop turn: afterwards all has happened that needs neither input nor time, however many microtasks it
 * took. Unlike a sleep it is enough on any machine, since it counts turns and not milliseconds.
 */
export async function turns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits until a condition holds, and looks in each turn of the event loop; fails after `patience` ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patience = 30_000,
): Promise<void> {
  const end = performance.now() + patience;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/**
 * Repeats an action until a condition holds, 10 ms apart: for other processes, which give no event when they are ready
 * for it. Passes the number of the attempt, from 0; fails after `patience` ms.
 */
export async function repeatUntil(
  action: (attempt: number) => unknown,
  condition: () => boolean,
  what: string,
  patience = 30_000,
): Promise<void> {
  const end = performance.now() + patience;
  for (let attempt = 0; !condition(); attempt++) {
    if (performance.now() > end) throw new Error(`repeated in vain for ${what}`);
    await action(attempt);
    if (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Time that runs twenty times as fast, for programs that cannot be given a {@linkcode FakeClock} since real processes
 * take part.
 */
export class QuickClock implements Clock {
  /** Timers that have fired. */
  fired = 0;

  now(): number {
    return performance.now() * 20;
  }

  after(delay: number, callback: () => void): () => void {
    const timer = setTimeout(() => {
      this.fired++;
      callback();
    }, delay / 20);
    return () => clearTimeout(timer);
  }
}
