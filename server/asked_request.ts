/**
 * The request that a program is answering, and its signal: it aborts once the answer is not needed any more.
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import { AbortableRequest, abortRequest, onSignalRead } from "../protocol/abortable_request.ts";
import type { ReceivedRequest } from "./received_request.ts";

/** The current request of one connection. */
export class AskedRequest {
  #request: AbortableRequest | ReceivedRequest | undefined;
  #watched = false;

  /** `true` from the question until the answer is sent, or given up. */
  get pending(): boolean {
    return this.#request !== undefined;
  }

  /** `true` if the program has read the signal of the current plain request. */
  get watched(): boolean {
    return this.#watched;
  }

  /**
   * Begins with a handshake request.
   *
   * @param request The request.
   */
  beginHandshake(request: ReceivedRequest): void {
    this.#request = request;
  }

  /**
   * Begins with a plain request.
   *
   * @param request The request.
   * @param watch Called when the program reads the signal: it wants to know when the peer leaves.
   */
  begin(request: AbortableRequest, watch: () => void): void {
    this.#request = request;
    this.#watched = false;
    onSignalRead(request, () => {
      this.#watched = true;
      watch();
    });
  }

  /** Notes that the answer is sent: nothing aborts the signal any more. */
  end(): void {
    this.#request = undefined;
  }

  /**
   * Aborts the signal: the program's answer is not needed any more.
   *
   * @param reason The reason; without it, the peer has left.
   */
  abort(reason?: unknown): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    const why = reason ?? new TransportError("ERR_CONNECTION_LOST", "The peer left before it had its answer");
    if (request instanceof AbortableRequest) abortRequest(request, why);
    else request.abort(why);
  }
}
