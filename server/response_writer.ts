/**
 * Writes HTTP responses to an accepted connection, as fast as the peer reads them.
 *
 * @module
 */

import type { AcceptSettings } from "./accept_host.ts";
import { concat, EMPTY } from "../base/bytes.ts";
import { HttpError } from "../base/errors.ts";
import type { PieceReader } from "../protocol/collected_request.ts";
import type { RequestLine } from "../protocol/head.ts";
import { encodeChunk, planResponse } from "../protocol/http.ts";
import type { Transport } from "../transport/transport.ts";

/** Largest part of a response body in one write, in bytes. */
const WRITE_SLICE = 64 * 1024;

/** Writes the responses of one connection, one after the other. */
export class ResponseWriter {
  readonly #transport: Transport;
  readonly #settings: () => AcceptSettings;
  /** Reads the body of the current response. */
  #reader: PieceReader | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  #waiter: { resolve(): void; reject(error: unknown): void } | undefined;
  #cancelTimer: (() => void) | undefined;
  #lost = false;

  /**
   * Makes a writer.
   *
   * @param transport The connection.
   * @param settings Returns the settings of the server.
   */
  constructor(transport: Transport, settings: () => AcceptSettings) {
    this.#transport = transport;
    this.#settings = settings;
  }

  /**
   * Sends a response.
   *
   * @param response The response.
   * @param request The request that it answers.
   * @param keepAlive Whether another request may follow.
   * @returns Resolves when all of it is written. Rejects if its body fails, or the connection is lost.
   */
  async send(
    response: Response,
    request: Pick<RequestLine, "method" | "minorVersion">,
    keepAlive: boolean,
  ): Promise<void> {
    const date = new Date().toUTCString();
    const { head, chunked, hasBody } = planResponse(response, request, keepAlive, date);
    if (!hasBody) {
      await response.body?.cancel();
      return await this.write(head);
    }
    const reader: PieceReader = response.body!.getReader();
    this.#reader = reader;
    let pending = head;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      // In slices: the time of one write is limited, and a slow peer must not exceed it.
      for (let at = 0; at < part.value.length; at += WRITE_SLICE) {
        const slice = part.value.subarray(at, at + WRITE_SLICE);
        await this.write(concat(pending, chunked ? encodeChunk(slice) : slice));
        pending = EMPTY;
      }
    }
    this.#reader = undefined;
    const last = chunked ? encodeChunk(EMPTY) : EMPTY;
    if (pending.length + last.length > 0) await this.write(concat(pending, last));
  }

  /**
   * Writes bytes behind those that are being written.
   *
   * @param bytes The bytes.
   * @returns Resolves when the transport takes more. Rejects if the connection is lost.
   */
  write(bytes: Uint8Array): Promise<void> {
    const written = this.#lastWrite.then(() => this.#writeNow(bytes));
    this.#lastWrite = written.catch(ignore);
    return written;
  }

  #writeNow(bytes: Uint8Array): Promise<void> {
    if (this.#lost) return Promise.reject(new HttpError("ERR_HTTP_BODY_LOST", "The peer is gone", 400));
    if (this.writeAtOnce(bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  /**
   * Writes bytes while nothing else is being written.
   *
   * @param bytes The bytes.
   * @returns `true` if the transport takes more; else it calls `drain`, or is destroyed after `handshakeTimeout`.
   */
  writeAtOnce(bytes: Uint8Array): boolean {
    if (this.#transport.write(bytes)) return true;
    const { clock, handshakeTimeout } = this.#settings();
    if (handshakeTimeout > 0) this.#cancelTimer = clock.after(handshakeTimeout, () => this.#transport.destroy());
    return false;
  }

  /** The transport takes more. */
  drain(): void {
    this.#cancelTimer?.();
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.resolve();
  }

  /**
   * The connection is lost: cancels the body that is being sent.
   *
   * @param error The reason.
   */
  lose(error: HttpError): void {
    this.#lost = true;
    this.#cancelTimer?.();
    this.#waiter?.reject(error);
    this.#waiter = undefined;
    // A stream of events must learn that its reader is gone.
    this.#reader?.cancel(error).catch(ignore);
  }
}

function ignore(): void {
  // Ignored on purpose: the write, or the loss, is reported elsewhere.
}
