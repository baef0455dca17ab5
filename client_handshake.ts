/**
 * The way of a client from nothing to an open connection: the time it has, and the bytes of the handshake.
 *
 * @module
 */

import { concat } from "./bytes.ts";
import type { ConnectionSettings, EarlyEnd } from "./connection_types.ts";
import { TransportError } from "./errors.ts";
import { type Head, HeadReader } from "./head.ts";
import type { Transport } from "./transport.ts";

/** One attempt to connect: the time it has, and how it is given up. */
export class Attempt {
  /** Gives the attempt up. */
  readonly controller: AbortController = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #outer: AbortSignal | undefined;
  readonly #onOuterAbort = (): void =>
    this.controller.abort(
      new TransportError("ERR_ABORTED", "Connecting was given up by its signal", { cause: this.#outer?.reason }),
    );

  /**
   * Starts the time.
   *
   * @param timeout How long the attempt may take, in ms; 0: no limit.
   * @param settings With the clock.
   * @param outer Gives the attempt up too.
   */
  constructor(timeout: number, { clock }: ConnectionSettings, outer: AbortSignal | undefined) {
    this.#outer = outer;
    if (outer?.aborted) this.#onOuterAbort();
    outer?.addEventListener("abort", this.#onOuterAbort, { once: true });
    if (timeout === 0) return;
    this.#cancelTimer = clock.after(timeout, () => {
      this.controller.abort(new TransportError("ERR_CONNECT_TIMEOUT", `Not connected within ${timeout} ms`));
    });
  }

  /**
   * Waits for the work, but not longer than until the attempt is given up.
   *
   * @param work The work.
   * @returns Rejects with the reason for which it was given up, or what the work fails with.
   */
  run<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this.controller;
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      work.then(resolve, (error) => reject(signal.aborted ? signal.reason : error));
    });
  }

  /** Stops the time. */
  end(): void {
    this.#cancelTimer?.();
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }
}

/** The bytes of the handshake on a transport, until the connection takes over. */
export class ClientHandshake implements EarlyEnd {
  #transport: Transport;
  #signal: AbortSignal;
  #reader = new HeadReader();
  /** Bytes that came behind the head, before the connection took over. */
  leftover: Uint8Array = new Uint8Array(0);
  /** Whether the peer sent FIN before the connection took over. */
  ended = false;
  /** Whether the transport was closed before the connection took over, and what broke it. */
  closed: { error: unknown } | undefined;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  /**
   * Takes a transport.
   *
   * @param transport The transport, not opened yet.
   * @param signal Gives the handshake up.
   */
  constructor(transport: Transport, signal: AbortSignal) {
    this.#transport = transport;
    this.#signal = signal;
  }

  /**
   * Sends the request and waits for the head of the answer.
   *
   * @param request The bytes of the request.
   * @returns The head.
   * @throws {TransportError} If the transport ends before.
   * @throws {HandshakeError} If the head breaks RFC 9112, or is too large.
   */
  async exchange(request: Uint8Array): Promise<Head> {
    this.#signal.throwIfAborted();
    const lost = (cause?: unknown): void =>
      this.#settle?.reject(
        new TransportError("ERR_CONNECTION_LOST", "The connection was lost inside the handshake", { cause }),
      );
    const abort = (): void => this.#transport.destroy();
    this.#signal.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#transport.open({
          data: (bytes) => this.#onData(bytes),
          drain: () => {},
          end: () => {
            this.ended = true;
            lost();
          },
          close: (error) => {
            this.closed = { error };
            lost(error);
          },
        });
        this.#transport.write(request);
      });
    } finally {
      this.#signal.removeEventListener("abort", abort);
      this.#settle = undefined;
    }
    return this.#reader.head!;
  }

  #onData(bytes: Uint8Array): void {
    let used: number;
    try {
      used = this.#reader.push(bytes);
    } catch (error) {
      this.#settle?.reject(error);
      return;
    }
    if (this.#reader.head === undefined) return;
    this.#transport.pause();
    this.leftover = concat(this.leftover, bytes.subarray(used));
    this.#settle?.resolve();
  }
}
