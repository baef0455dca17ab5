/**
 * The bytes of a client's handshake on a transport, until the connection takes over.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import type { EarlyEnd } from "../connection/options.ts";
import { TransportError } from "../base/errors.ts";
import { type Head, HeadReader } from "../protocol/head.ts";
import type { Transport } from "../transport/transport.ts";

/** Exchanges the bytes of the handshake on a transport, until the connection takes over. */
export class ClientHandshake implements EarlyEnd {
  #transport: Transport;
  #signal: AbortSignal;
  #reader = new HeadReader();
  /** Bytes that came after the head, before the connection took over. */
  leftover: Uint8Array = new Uint8Array(0);
  /** `true` if the server sent FIN before the connection took over. */
  ended = false;
  /** Set with the cause if the transport was closed before the connection took over. */
  closed: { error: unknown } | undefined;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  /**
   * Takes a transport.
   *
   * @param transport The transport, not opened yet.
   * @param signal Aborts the handshake.
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
        new TransportError("ERR_CONNECTION_LOST", "The connection was lost during the handshake", { cause }),
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
