/**
 * A transport over a socket in the form of `node:net`, such as the one of an `upgrade` event of a server of
 * `node:http`.
 *
 * @module
 */

import { acquire, release } from "../base/buffer_pool.ts";
import { OptionError } from "../base/errors.ts";
import { hasMethods } from "../base/option_names.ts";
import type { Address, Transport, TransportHandler } from "./transport.ts";

/** A socket in the form of `node:net`: any `Duplex` of bytes. */
export interface DuplexSocket {
  /** IP address of the other end. */
  readonly remoteAddress?: string | undefined;
  /** Port of the other end. */
  readonly remotePort?: number | undefined;
  /** IP address of this end. */
  readonly localAddress?: string | undefined;
  /** Port of this end. */
  readonly localPort?: number | undefined;
  /** `true` if TLS protects the bytes. */
  readonly encrypted?: boolean | undefined;
  /** `true` if the socket was given up already. */
  readonly destroyed?: boolean | undefined;
  /** `false` if the peer has sent FIN already: no event `end` comes then. */
  readonly readable?: boolean | undefined;
  /** Writes bytes, and calls back when they have left. */
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  /** Sends FIN after all that was written. */
  end(): unknown;
  /** Gives the socket up. */
  destroy(): unknown;
  /** Stops the `data` events. */
  pause(): unknown;
  /** Undoes `pause`. */
  resume(): unknown;
  /** Adds a listener for an event: `data`, `end`, `error` or `close`. */
  on(event: string, listener: (value?: unknown) => void): unknown;
  /** Sets the time without events after which the HTTP server gives the socket up, in ms; 0: none. */
  setTimeout?(timeout: number): unknown;
  /** Turns Nagle's algorithm off. */
  setNoDelay?(noDelay: boolean): unknown;
}

/** Number of bytes given to a socket at a time: only a whole write shows that the peer makes progress. */
const PART = 64 * 1024;
/** Largest rest that is not cut: a message of round size with its header must not end in a write of 10 bytes. */
const LAST_PART = PART + PART / 16;

/** Size of a read from which its copy lies in pooled memory, in bytes. */
const POOL_FROM = 16 * 1024;

/**
 * Tells whether a value is a socket in the form of `node:net`.
 *
 * @param value The value.
 * @returns `true` if it has the methods.
 */
export function isDuplexSocket(value: unknown): value is DuplexSocket {
  return hasMethods(value, "write", "end", "destroy", "pause", "resume", "on");
}

/** Sockets that have a transport: a second one would answer the same peer, and get the same bytes. */
const taken = new WeakSet<DuplexSocket>();

/**
 * Makes a transport over a socket, which belongs to it from here on.
 *
 * @param socket The socket.
 * @returns The transport, not opened yet.
 * @throws {OptionError} If the socket has one already.
 */
export function duplexTransport(socket: DuplexSocket): Transport {
  if (taken.has(socket)) throw new OptionError("The socket is in use already: hand each one over once");
  taken.add(socket);
  return new DuplexTransport(socket);
}

class DuplexTransport implements Transport {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted: boolean;
  bytesWritten = 0;
  readonly #socket: DuplexSocket;
  #handler: TransportHandler | undefined;
  #paused = false;

  // Writing
  /** Part of the array being written that the socket has not got yet. */
  #rest: Uint8Array | undefined;
  #writing = false;
  #endAfterWrite = false;

  // End
  #error: unknown;
  #destroyed = false;
  #closed = false;

  constructor(socket: DuplexSocket) {
    this.#socket = socket;
    this.remoteAddress = { hostname: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    this.localAddress = { hostname: socket.localAddress ?? "", port: socket.localPort ?? 0 };
    this.encrypted = socket.encrypted === true;
    // Without a listener an error would end the program.
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#close());
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (!first) return;
    const socket = this.#socket;
    // A peer may leave while the program thinks about the upgrade.
    const gone = socket.destroyed === true || socket.readable === false;
    if (gone || this.#destroyed || this.#closed) return this.destroy();
    socket.setTimeout?.(0);
    socket.setNoDelay?.(true);
    socket.on("data", (chunk) => this.#data(chunk));
    socket.on("end", () => this.#end());
    if (this.#paused) socket.pause();
    else socket.resume();
  }

  #data(chunk: unknown): void {
    if (this.#destroyed) return;
    if (!(chunk instanceof Uint8Array)) {
      return this.#fail(new OptionError('The socket gives text instead of bytes: do not call its "setEncoding"'));
    }
    if (chunk.length >= POOL_FROM) this.#dataInPool(chunk);
    // Bytes are changed in place here, so they must not be the ones of the source.
    else if (chunk.length > 0) this.#handler!.data(new Uint8Array(chunk));
  }

  /** Copies into memory that is used again: a new array of each read would cost page faults, and wait as garbage. */
  #dataInPool(chunk: Uint8Array): void {
    const buffer = acquire(chunk.length);
    try {
      buffer.set(chunk);
      this.#handler!.data(buffer.subarray(0, chunk.length));
    } finally {
      release(buffer);
    }
  }

  #end(): void {
    if (!this.#destroyed) this.#handler!.end();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#destroyed) return false;
    this.#rest = bytes;
    this.#writing = true;
    this.#writeNext();
    return false;
  }

  #writeNext(): void {
    const rest = this.#rest!;
    const cut = rest.length > LAST_PART;
    const part = cut ? rest.subarray(0, PART) : rest;
    this.#rest = cut ? rest.subarray(PART) : undefined;
    this.#socket.write(part, (error) => {
      if (error) return this.#fail(error);
      this.bytesWritten += part.length;
      if (this.#destroyed) return;
      if (this.#rest !== undefined) return this.#writeNext();
      this.#writing = false;
      this.#handler?.drain();
      if (this.#endAfterWrite && !this.#writing && !this.#destroyed) this.#socket.end();
    });
  }

  pause(): void {
    this.#paused = true;
    if (this.#handler !== undefined) this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handler !== undefined && !this.#destroyed) this.#socket.resume();
  }

  deferWork(work: () => void): void {
    setTimeout(work, 0);
  }

  end(): void {
    this.#endAfterWrite = true;
    if (!this.#writing && !this.#destroyed) this.#socket.end();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#rest = undefined;
    this.#socket.destroy();
    queueMicrotask(() => this.#close());
  }

  #fail(error: unknown): void {
    if (this.#destroyed) return;
    this.#error = error;
    this.destroy();
  }

  #close(): void {
    this.#destroyed = true;
    if (this.#closed || this.#handler === undefined) return;
    this.#closed = true;
    this.#handler.close(this.#error);
  }
}
