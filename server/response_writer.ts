/**
 * Writes HTTP responses to an accepted connection, as fast as the peer reads them.
 *
 * @module
 */

import type { AcceptSettings } from "./accept_host.ts";
import { concat, EMPTY } from "../base/bytes.ts";
import { HttpError } from "../base/errors.ts";
import type { RequestLine } from "../protocol/head.ts";
import { hasCoding, isKnownCoding } from "../protocol/content_coding.ts";
import { encodeChunk, planResponse, type ResponsePlan } from "../protocol/http.ts";
import { ResponseBody } from "./response_body.ts";
import type { Transport } from "../transport/transport.ts";

/** Largest part of a response body in one write, in bytes. */
const WRITE_SLICE = 64 * 1024;

/** A body has more bytes than its response declares. What was declared is written, and nothing may follow it. */
export class BodyTooLong extends Error {}

/** Writes the responses of one connection, one after the other. */
export class ResponseWriter {
  readonly #transport: Transport;
  readonly #settings: () => AcceptSettings;
  /** Body of the current response. */
  #body: ResponseBody | undefined;
  #begun = false;
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

  /** `true` once the head of the current response is being sent: another one would be read from inside it. */
  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Sends a response.
   *
   * @param response The response.
   * @param request The request that it answers.
   * @param keepAlive Whether another request may follow.
   * @returns Resolves when all of it is written. Rejects if it cannot be sent, its body fails or has another length
   * than it declares ({@linkcode BodyTooLong}: all that was declared is written), or the connection is lost.
   */
  async send(
    response: Response,
    request: Pick<RequestLine, "method" | "minorVersion">,
    keepAlive: boolean,
  ): Promise<void> {
    this.#begun = false;
    // Before the body: Bun forgets the type of a Blob or a form once its body is touched
    // (`findings/bun_response_type.sh`).
    const named = response.headers.get("content-encoding");
    const coding = named !== null && isKnownCoding(named) ? named : null;
    const body = response.body === null ? undefined : new ResponseBody(response.body);
    this.#body = body;
    try {
      if (body !== undefined) await body.lookAhead(coding !== null && request.method !== "HEAD");
      const content = {
        length: body?.complete ? body.start.length : undefined,
        decoded: isDecoded(coding, response, body),
      };
      const plan = planResponse(response, request, keepAlive, new Date().toUTCString(), content);
      this.#begun = true;
      if (plan.hasBody) return await this.#sendBody(body!, plan);
      body?.cancel();
      await this.write(plan.head);
    } catch (error) {
      body?.cancel(error);
      throw error;
    } finally {
      this.#body = undefined;
    }
  }

  async #sendBody(body: ResponseBody, { head, chunked, length }: ResponsePlan): Promise<void> {
    let pending = head;
    let remaining = length ?? Infinity;
    // The client must not wait for a body that takes its time.
    if (body.start.length === 0 && !body.complete) {
      await this.write(pending);
      pending = EMPTY;
    }
    for (let piece = await body.read(); piece !== undefined; piece = await body.read()) {
      // In slices: the time of one write is limited, and a slow peer must not exceed it.
      const end = Math.min(piece.length, remaining);
      for (let at = 0; at < end; at += WRITE_SLICE) {
        const slice = piece.subarray(at, Math.min(end, at + WRITE_SLICE));
        await this.write(concat(pending, chunked ? encodeChunk(slice) : slice));
        pending = EMPTY;
      }
      if (piece.length > remaining) {
        if (pending.length > 0) await this.write(pending);
        throw new BodyTooLong(`its Response has more bytes than the ${length} it declares`);
      }
      remaining -= piece.length;
    }
    const last = chunked ? encodeChunk(EMPTY) : EMPTY;
    if (pending.length + last.length > 0) await this.write(concat(pending, last));
    if (length !== undefined && remaining > 0) {
      throw new Error(`its Response has ${length - remaining} bytes instead of the ${length} it declares`);
    }
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
    this.#body?.cancel(error);
  }
}

/** Tells whether header fields about the body are those of another form of it: `fetch` decodes, and leaves them. */
function isDecoded(coding: string | null, response: Response, body: ResponseBody | undefined): boolean {
  if (coding === null) return false;
  const fetched = response.url !== "";
  // Without a body nothing is known but its origin: an answer to HEAD that `fetch` got.
  if (body === undefined) return fetched;
  if (body.start.length === 0 && !body.complete) return fetched;
  return !hasCoding(coding, { bytes: body.start, complete: body.complete, fetched });
}

function ignore(): void {
  // Ignored on purpose: the write, or the loss, is reported elsewhere.
}
