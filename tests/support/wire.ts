/**
 * An endpoint of ours as a peer sees it, by its bytes alone: an echo in memory, cut to single bytes if that is wanted,
 * or behind a socket.
 */

import { systemClock } from "../../base/clock.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { ConnectionOptions } from "../../connection/options.ts";
import { Opcode, type Role } from "../../protocol/frame_header.ts";
import { acceptDeflateOffer, compressionSettings } from "../../protocol/deflate.ts";
import type { CompressionOptions } from "../../protocol/compression.ts";
import { decodeFrame } from "../../protocol/frame.ts";
import { acceptKey, encodeUpgradeResponse } from "../../protocol/handshake.ts";
import { type Extension, parseExtensions } from "../../protocol/extensions.ts";
import type { WebSocketServer } from "../../server.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import type { Transport } from "../../transport/transport.ts";
import { agreeOn, decode, defer, encode, openRig, startEcho, until } from "./support.ts";
import { concat, concatAll } from "../../base/bytes.ts";

/** Settings of the endpoint. */
export interface EndpointOptions extends ConnectionOptions {
  compression?: boolean | CompressionOptions;
}

/** Bytes to it, bytes from it. */
export interface Endpoint {
  send(bytes: Uint8Array): void;
  /** Bytes received from it after the handshake. */
  received(): Uint8Array;
  /** True if it has ended the TCP connection. */
  ended(): boolean;
  /** Ends TCP. */
  end(): void;
  /** Waits for what is still under way. */
  until(condition: () => boolean, what: string): Promise<void>;
  close(): Promise<void>;
}

/** Way to reach the endpoint. */
export type Lane = "memory" | "memory, byte by byte" | "socket";
export const LANES: readonly Lane[] = ["memory", "memory, byte by byte", "socket"];

/** Opens an endpoint of ours in one role. */
export function openEndpoint(lane: Lane, role: Role, options: EndpointOptions = {}): Promise<Endpoint> {
  if (lane !== "socket") return Promise.resolve(inMemory(role, options, lane !== "memory"));
  return role === "server" ? serverBehindSocket(options) : clientBehindSocket(options);
}

function inMemory(role: Role, { compression = false, ...options }: EndpointOptions, byByte: boolean): Endpoint {
  const { transport, recorder, connection } = openRig(role, options, agreeOn(compression));
  recorder.onMessage = (data) => void connection.send(data);
  return {
    send(bytes) {
      if (!byByte) return transport.receive(bytes);
      for (const byte of bytes) transport.receive(Uint8Array.of(byte));
    },
    received: () => transport.written,
    ended: () => transport.ended || transport.destroyed,
    end: () => transport.handler.end(),
    until: (condition, what) => until(condition, what),
    async close() {
      transport.destroy();
      await connection.closed;
    },
  };
}

/** A peer that knows nothing but bytes. */
class RawPeer {
  readonly transport: Transport;
  chunks: Uint8Array[] = [];
  ended = false;
  #blocked: Uint8Array[] = [];
  #busy = false;
  readonly closed: ReturnType<typeof defer<void>> = defer<void>();

  constructor(transport: Transport) {
    this.transport = transport;
    transport.open({
      data: (bytes) => void this.chunks.push(bytes.slice()),
      drain: () => {
        this.#busy = false;
        this.#write();
      },
      end: () => void (this.ended = true),
      close: () => {
        this.ended = true;
        this.closed.resolve();
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.#blocked.push(bytes);
    this.#write();
  }

  #write(): void {
    while (!this.#busy && this.#blocked.length > 0) this.#busy = !this.transport.write(this.#blocked.shift()!);
  }

  get received(): Uint8Array<ArrayBuffer> {
    if (this.chunks.length > 1) this.chunks = [concatAll(this.chunks)];
    return (this.chunks[0] ?? new Uint8Array(0)) as Uint8Array<ArrayBuffer>;
  }

  /** Takes the head that has come off what was received. */
  async readHead(): Promise<string> {
    const end = (): number => decode(this.received).indexOf("\r\n\r\n");
    await until(() => end() !== -1 || this.ended, "a head");
    const head = decode(this.received).slice(0, end() + 4);
    this.chunks = [this.received.slice(encode(head).length)];
    return head;
  }

  endpoint(cleanUp: () => Promise<void>): Endpoint {
    return {
      send: (bytes) => this.send(bytes),
      received: () => this.received,
      ended: () => this.ended,
      end: () => this.transport.end(),
      until,
      close: async () => {
        this.transport.destroy();
        await this.closed.promise;
        await cleanUp();
      },
    };
  }
}

/** The offer that leads to the same agreement as the options. */
function offerFor(compression: boolean | CompressionOptions): string[] {
  if (compression === false) return [];
  return ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
}

/** Sends an HTTP request and gives what comes back: its head, and the raw peer behind it. */
export async function rawRequest(server: WebSocketServer, lines: string[]): Promise<{ head: string; peer: RawPeer }> {
  const { signal } = new AbortController();
  const { port } = server.address!;
  const options = { hostname: "127.0.0.1", port, tls: false, rootCertificates: [], signal, clock: systemClock };
  const peer = new RawPeer(await runtimeTransport().connect(options));
  peer.send(encode([...lines, "", ""].join("\r\n")));
  return { head: await peer.readHead(), peer };
}

export const UPGRADE: readonly string[] = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];

async function serverBehindSocket(options: EndpointOptions): Promise<Endpoint> {
  const server = await startEcho({ onError: () => {}, ...options });
  const { head, peer } = await rawRequest(server, [...UPGRADE, ...offerFor(options.compression ?? false)]);
  if (!head.startsWith("HTTP/1.1 101")) throw new Error(head);
  return peer.endpoint(() => server.stop());
}

/** A server that answers a client's handshake by hand; without an answer with what is valid. */
export async function rawServer(
  options: WebSocketClientOptions,
  answer?: (key: string, offers: Extension[]) => Uint8Array,
): Promise<
  { client: WebSocketClient; connected: Promise<void>; request: string; peer: RawPeer; close(): Promise<void> }
> {
  const accepted = defer<Transport>();
  const listener = await runtimeTransport().listen(
    { hostname: "127.0.0.1", port: 0, handshakeTimeout: 0, clock: systemClock },
    { admit: () => undefined, accept: accepted.resolve, handshakeFailed: accepted.reject, error: accepted.reject },
  );
  const client = new WebSocketClient(`ws://127.0.0.1:${listener.address.port}/`, { onError: () => {}, ...options });
  const connected = client.connect();
  connected.catch(() => {});
  const peer = new RawPeer(await accepted.promise);
  const request = await peer.readHead();
  const field = (name: string): string =>
    request.split("\r\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
  const key = field("Sec-WebSocket-Key");
  const offers = parseExtensions([field("Sec-WebSocket-Extensions")]);
  peer.send(answer?.(key, offers) ?? validAnswer(key, offers));
  const close = async (): Promise<void> => {
    peer.transport.destroy();
    await peer.closed.promise;
    await client.disconnect(false);
    await listener.close();
  };
  return { client, connected, request, peer, close };
}

function validAnswer(key: string, offers: Extension[]): Uint8Array {
  const agreed = acceptDeflateOffer(offers, compressionSettings(true)!);
  return encodeUpgradeResponse({ key, protocol: "", extensions: agreed === undefined ? [] : [agreed.extension] });
}

async function clientBehindSocket(options: EndpointOptions): Promise<Endpoint> {
  const { client, connected, peer, close } = await rawServer({
    ...options,
    onMessageReceived: (text) => void client.send(text),
    onBinaryDataReceived: (bytes) => void client.send(bytes),
  });
  await connected;
  return peer.endpoint(close);
}

/** A plain answer of a server, for hand-made faults. */
export function answerHead(key: string, changes: Record<string, string | undefined> = {}): Uint8Array {
  const fields: Record<string, string | undefined> = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Accept": acceptKey(key),
    ...changes,
  };
  const lines = Object.entries(fields).filter(([, value]) => value !== undefined);
  const status = "HTTP/1.1 101 Switching Protocols";
  return encode([status, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n"));
}

/**
 * The frames of an endpoint as short texts; payloads of more than 40 bytes as their length, close frames without a
 * reason.
 */
export function showWire(bytes: Uint8Array, role: Role): string[] {
  const names = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name.toLowerCase()]));
  const shown: string[] = [];
  for (let rest = bytes; rest.length > 0;) {
    // Masks are checked: a client's frames have one, a server's have none.
    const decoded = decodeFrame(rest, { role: role === "client" ? "server" : "client", allowedReserved: 0x40 });
    if (decoded === undefined) break;
    const { opcode, payload, final, reserved } = decoded.frame;
    const name = names.get(opcode) + (reserved === 0 ? "" : "*") + (final ? "" : "…");
    if (opcode === Opcode.Close) {
      shown.push(payload.length === 0 ? "close" : `close ${(payload[0]! << 8) | payload[1]!}`);
    } else {shown.push(
        payload.length > 40 ? `${name} [${payload.length}]` : `${name} ${JSON.stringify(decode(payload))}`,
      );}
    rest = rest.subarray(decoded.bytesRead);
  }
  return shown;
}

/** Bytes of a peer of ours, right or wrong. */
export class Wire {
  readonly masked: boolean;

  constructor(readonly role: Role) {
    this.masked = role === "server";
  }

  /**
   * A frame by its first octet, in any length form, masked as the role under test expects it, or not.
   */
  raw(
    first: number,
    payload: Uint8Array | string = "",
    { form, masked = this.masked, length }: { form?: 7 | 16 | 64; masked?: boolean; length?: number | bigint } = {},
  ): Uint8Array<ArrayBuffer> {
    const bytes = typeof payload === "string" ? encode(payload) : payload;
    const said = BigInt(length ?? bytes.length);
    const bits = form ?? (said < 126n ? 7 : said < 65536n ? 16 : 64);
    const mask = masked ? 0x80 : 0;
    const header = [first, mask | (bits === 7 ? Number(said) : bits === 16 ? 126 : 127)];
    for (let shift = bits === 16 ? 8n : 56n; bits !== 7 && shift >= 0n; shift -= 8n) {
      header.push(Number((said >> shift) & 0xffn));
    }
    const key = masked ? [0x1a, 0x2b, 0x3c, 0x4d] : [];
    const frame = concat(Uint8Array.from([...header, ...key]), bytes);
    // By a loop of its own: frames of 16 MiB come here too.
    const start = frame.length - bytes.length;
    if (masked) { for (let at = start; at < frame.length; at++) frame[at]! ^= key[(at - start) & 3]!; }
    return frame;
  }

  text(payload: Uint8Array | string, final = true): Uint8Array<ArrayBuffer> {
    return this.raw((final ? 0x80 : 0) | 1, payload);
  }
  binary(payload: Uint8Array | string, final = true): Uint8Array<ArrayBuffer> {
    return this.raw((final ? 0x80 : 0) | 2, payload);
  }
  more(payload: Uint8Array | string, final = true): Uint8Array<ArrayBuffer> {
    return this.raw(final ? 0x80 : 0, payload);
  }
  ping(payload: Uint8Array | string = ""): Uint8Array<ArrayBuffer> {
    return this.raw(0x89, payload);
  }
  pong(payload: Uint8Array | string = ""): Uint8Array<ArrayBuffer> {
    return this.raw(0x8a, payload);
  }
  close(code?: number, reason: Uint8Array | string = ""): Uint8Array<ArrayBuffer> {
    if (code === undefined) return this.raw(0x88);
    const bytes = typeof reason === "string" ? encode(reason) : reason;
    return this.raw(0x88, concat(Uint8Array.of(code >> 8, code & 0xff), bytes));
  }
}
