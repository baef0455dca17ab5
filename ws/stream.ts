/**
 * A connection as a stream of `node:stream`, for servers that expect the socket of `node:net`. Its types are those of
 * Node, which programs that use such streams have; no other module of the package asks for them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex, type DuplexOptions } from "node:stream";
import type { RawData } from "./binary_type.ts";
import type { WebSocket } from "./websocket.ts";

/** A callback of a stream. */
type Done = (error?: Error | null) => void;

/**
 * Makes a stream of a connection: each message is a chunk, and each chunk that is written becomes a message, a binary
 * one unless `decodeStrings` is `false` and it is a string. A slow reader makes the peer wait.
 *
 * `end()` starts the closing handshake, `destroy()` ends the connection without one, and the end of the connection is
 * the end of the stream. `read()` without a size returns all bytes that wait: as in Node before version 26, and for
 * aedes 1.2.
 *
 * @param socket The connection, whose messages then belong to the stream.
 * @param options Options of the stream. With `readableObjectMode`, texts are strings, and `read()` returns one message.
 * @returns The stream.
 *
 * @example An echo
 * ```ts
 * import { createWebSocketStream, WebSocketServer } from "@tackline/websocket/ws";
 *
 * const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
 * server.on("connection", (socket) => {
 *   const stream = createWebSocketStream(socket);
 *   stream.pipe(stream);
 * });
 * server.close();
 * ```
 */
export function createWebSocketStream(socket: WebSocket, options: DuplexOptions = {}): Duplex {
  return new WebSocketStream(socket, options);
}

class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;
  /** `true` if the connection failed: it then closes by itself, with a close frame that says why. */
  #failed = false;

  constructor(socket: WebSocket, options: DuplexOptions) {
    super({ ...options, objectMode: false, writableObjectMode: false });
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      // A paused connection would not read the close frame of the peer.
      if (!this.destroyed && !this.push(this.#chunk(data, isBinary))) socket.pause();
    });
    socket.on("error", (error) => {
      this.#failed = true;
      this.destroy(error as Error);
    });
    if (socket.readyState === 3) this.push(null);
    else socket.once("close", () => void (this.destroyed || this.push(null)));
  }

  #chunk(data: RawData, isBinary: boolean): Uint8Array | string {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;
    return this.readableObjectMode && !isBinary ? bytes.toString() : bytes;
  }

  // aedes 1.2 reads once for each event, which is enough where all bytes come: findings/stream_read_one_chunk.sh.
  override read(size?: number): unknown {
    if (typeof size === "number" || this.readableObjectMode || this.readableFlowing === true) {
      return super.read(size);
    }
    let waiting = this.readableLength;
    const chunks: Uint8Array[] = [];
    do {
      const chunk = super.read() as Uint8Array | string | null;
      // A string, if the program has called setEncoding: one at a time.
      if (chunk === null || typeof chunk === "string") return chunk ?? joined(chunks);
      chunks.push(chunk);
      waiting -= chunk.length;
    } while (waiting > 0);
    return joined(chunks);
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Uint8Array | string, _encoding: string, done: Done): void {
    this.#whenOpen(() => this.#socket.send(chunk, done));
  }

  override _final(done: Done): void {
    this.#whenOpen(() => {
      this.#whenClosed(done);
      this.#socket.close();
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#whenClosed(() => done(error));
    if (!this.#failed) this.#socket.terminate();
  }

  #whenOpen(action: () => void): void {
    if (this.#socket.readyState === 0) this.#socket.once("open", action);
    else action();
  }

  #whenClosed(action: () => void): void {
    if (this.#socket.readyState === 3) action();
    // Before the end of the reading side, as in `ws`.
    else this.#socket.prependOnceListener("close", () => action());
  }
}

function joined(chunks: Uint8Array[]): Uint8Array | null {
  return chunks.length > 1 ? Buffer.concat(chunks) : chunks[0] ?? null;
}
