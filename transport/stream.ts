/**
 * A transport over any pair of byte streams: a Unix socket, a tunnel, a WebTransport stream, a test.
 *
 * @module
 */

import { OptionError, TransportError } from "../base/errors.ts";
import { hasMethods, OptionNames, type OptionTable } from "../base/option_names.ts";
import type { Address, Transport, TransportHandler } from "./transport.ts";

/** Two byte streams that make one connection. */
export interface BytePair {
  /** Bytes from the peer. */
  readable: ReadableStream<Uint8Array>;
  /** Bytes to the peer. */
  writable: WritableStream<Uint8Array>;
}

/** Facts about the connection behind a {@linkcode BytePair}. */
export interface BytePairInfo {
  /**
   * The other end.
   * @default {{ hostname: "", port: 0 }}
   */
  remoteAddress?: Address | undefined;
  /**
   * This end.
   * @default {{ hostname: "", port: 0 }}
   */
  localAddress?: Address | undefined;
  /**
   * True if the bytes are protected on their way.
   * @default {false}
   */
  encrypted?: boolean | undefined;
}

const INFO_NAMES: OptionTable<BytePairInfo> = { remoteAddress: true, localAddress: true, encrypted: true };
const INFO = /* @__PURE__ */ new OptionNames("acceptStream", {
  tables: [INFO_NAMES],
  hints: { tls: 'use "encrypted"' },
});

/**
 * Tells whether a value has two streams.
 *
 * @param pair The value.
 * @returns `true` if it has.
 */
export function hasStreams(pair: unknown): boolean {
  const { readable, writable } = (pair ?? {}) as { readonly readable?: unknown; readonly writable?: unknown };
  return hasMethods(readable, "getReader") && hasMethods(writable, "getWriter");
}

/**
 * Checks that a value has two streams.
 *
 * @param pair The value.
 * @throws {OptionError} If it has not.
 */
export function assertStreams(pair: unknown): void {
  if (hasStreams(pair)) return;
  throw new OptionError('A byte stream is no object with a "readable" and a "writable" stream');
}

const NOWHERE: Address = { hostname: "", port: 0 };

/**
 * Makes a transport over a pair of byte streams. Both are locked from here on.
 *
 * @param pair The streams.
 * @param info Facts about the streams.
 * @returns The transport, not opened yet.
 * @throws {OptionError} If they are no streams or in use already, or a fact has an unknown name.
 */
export function streamTransport(pair: BytePair, info: BytePairInfo = {}): Transport {
  assertStreams(pair);
  // Before the first of both is locked, which would stay so.
  if (pair.readable.locked || pair.writable.locked) {
    throw new OptionError("A byte stream is in use already: each pair makes one connection");
  }
  INFO.assert(info);
  return new StreamTransport(pair, info);
}

/** The part of a stream's reader that is used here: runtimes declare readers that differ. */
interface ByteReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

class StreamTransport implements Transport {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted: boolean;
  bytesWritten = 0;
  #reader: ByteReader;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #handler: TransportHandler | undefined;
  #paused = false;
  #wake: (() => void) | undefined;
  #destroyed = false;
  #closed = false;

  constructor(pair: BytePair, info: BytePairInfo) {
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
    this.remoteAddress = info.remoteAddress ?? NOWHERE;
    this.localAddress = info.localAddress ?? NOWHERE;
    this.encrypted = info.encrypted ?? false;
    this.#writer.closed.catch((error) => this.#fail(error));
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (first) this.#readLoop();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#destroyed) return false;
    // The sink may keep the chunk, so it gets a copy.
    this.#writer.write(bytes.slice()).then(() => {
      this.bytesWritten += bytes.length;
      if (!this.#destroyed) this.#handler?.drain();
    }, (error) => this.#fail(error));
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  deferWork(work: () => void): void {
    setTimeout(work, 0);
  }

  end(): void {
    this.#writer.close().catch((error) => this.#fail(error));
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#abandon(new TransportError("ERR_ABORTED", "The connection was given up"));
    if (this.#handler !== undefined) queueMicrotask(() => this.#close(undefined));
  }

  async #readLoop(): Promise<void> {
    try {
      for (;;) {
        if (this.#paused) await new Promise<void>((resolve) => this.#wake = resolve);
        if (this.#destroyed) return;
        const { done, value } = await this.#reader.read();
        if (this.#destroyed) return;
        if (done || value === undefined) return this.#handler!.end();
        // Bytes are changed in place here, so they must not be the ones of the source.
        if (value.length > 0) this.#handler!.data(new Uint8Array(value));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #abandon(reason: unknown): void {
    this.#destroyed = true;
    this.#reader.cancel(reason).catch(() => {
      // A stream that has failed cannot be cancelled, and need not be.
    });
    this.#writer.abort(reason).catch(() => {
      // As above.
    });
    this.resume();
  }

  #fail(error: unknown): void {
    if (!this.#destroyed) this.#abandon(error);
    this.#close(error);
  }

  #close(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler?.close(error);
  }
}
