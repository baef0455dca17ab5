/**
 * The end of a connection behind its last response: what still comes is read and dropped until the peer ends too, since
 * closing a socket with unread bytes sends a reset, which overtakes the response. Clients and proxies that send all of
 * a body before they read get an early answer, such as 413 or 401, in this way.
 *
 * @module
 */

import type { AcceptSettings } from "./accept_host.ts";
import type { HeaderFields } from "../protocol/head.ts";
import { bodyFraming } from "../protocol/http.ts";
import type { RequestTimer } from "./request_timer.ts";
import type { Transport } from "../transport/transport.ts";

/** Bytes that may follow any request; fewer behind a head that is malformed, since honest heads are short. */
const MAX_DROPPED = 1024 * 1024;
const MAX_DROPPED_HEAD = 128 * 1024;
/** Bytes of a body that are dropped in one turn: reading them takes time, though nothing is done with them. */
const PER_TURN = 32 * 1024;
/** Most bytes of a body that are dropped, unless `maxBodySize` is more. */
const MAX_DROPPED_BODY = 64 * 1024 * 1024;

/** Drops what comes on one connection behind its last response, within limits of bytes and time. */
export class Lingering {
  readonly #transport: Transport;
  readonly #timer: RequestTimer;
  /** Bytes that may still come. */
  #remaining = 0;
  /** Set if a body is among them. */
  #dropsBody = false;
  /** Turns of others until it reads on. */
  #turns = 0;

  /**
   * Makes the end of a connection that has not come yet.
   *
   * @param transport The connection.
   * @param timer Its timer.
   */
  constructor(transport: Transport, timer: RequestTimer) {
    this.#transport = transport;
    this.#timer = timer;
  }

  /**
   * Ends the sending side, and begins to drop what comes.
   *
   * @param settings The settings of the server.
   * @param fields The header fields of the last request; `undefined`: its head is malformed.
   * @param complete `true` if all of its body has come.
   */
  begin({ closeTimeout, maxBodySize }: AcceptSettings, fields: HeaderFields | undefined, complete: boolean): void {
    const bodySize = fields === undefined || complete ? 0 : droppedBodySize(fields, maxBodySize);
    this.#dropsBody = bodySize > 0;
    this.#remaining = fields === undefined ? MAX_DROPPED_HEAD : MAX_DROPPED + bodySize;
    if (this.#dropsBody) this.#timer.startDropping();
    else this.#timer.start(closeTimeout);
    this.#transport.end();
    this.#transport.resume();
  }

  /**
   * Drops bytes. A peer that sends more than it announced does not wait for the response: its connection is ended.
   *
   * @param length Their number.
   */
  drop(length: number): void {
    this.#remaining -= length;
    if (this.#remaining < 0) return this.#transport.destroy();
    if (!this.#dropsBody) return;
    this.#timer.startDropping();
    this.#transport.pause();
    const waits = this.#turns > 0;
    this.#turns += Math.ceil(length / PER_TURN);
    if (!waits) this.#wait();
  }

  /** Lets others come first: of all connections that drop bodies, one has a turn in each pass of the event loop. */
  #wait(): void {
    this.#transport.deferWork(() => {
      if (--this.#turns > 0) this.#wait();
      else this.#transport.resume();
    });
  }
}

/**
 * Computes how many bytes of a body are dropped behind an early answer.
 *
 * @param fields The header fields of the request.
 * @param maxBodySize Largest body that the server takes, in bytes; 0: no limit.
 * @returns The bytes; 0: the request has no body, or it is not known where it ends.
 */
export function droppedBodySize(fields: HeaderFields, maxBodySize: number): number {
  const most = Math.max(MAX_DROPPED_BODY, maxBodySize);
  try {
    const framing = bodyFraming(fields, 1);
    if (framing.kind === "none") return 0;
    return framing.kind === "length" ? Math.min(framing.length, most) : most;
  } catch {
    // Ignored on purpose: the request was refused for it.
    return 0;
  }
}
