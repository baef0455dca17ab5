/**
 * The time limits of an accepted connection that is not a WebSocket.
 *
 * @module
 */

import type { AcceptSettings } from "./accept_host.ts";
import type { AdmissionTicket } from "./admission.ts";

/** What the admission is told about a wait. */
export type WaitingTicket = Pick<AdmissionTicket, "acceptedAt" | "awaitingPeer" | "servingPeer" | "idle">;

/** Timer of the current wait: for a head, a body, or the next request; while it is for the peer, its ticket says so. */
export class RequestTimer {
  readonly #settings: () => AcceptSettings;
  readonly #timeOut: () => void;
  readonly #ticket: WaitingTicket;
  #cancel: (() => void) | undefined;
  /** Time by which the body has to be complete, in ms; `undefined` until it is read. */
  #bodyDeadline: number | undefined;
  /** Set while a kept connection is idle between two requests. */
  #idle = false;

  /**
   * Makes a timer that does not run.
   *
   * @param settings Returns the settings of the server.
   * @param ticket Counts the connection.
   * @param timeOut Called when a time limit is over.
   */
  constructor(settings: () => AcceptSettings, ticket: WaitingTicket, timeOut: () => void) {
    this.#settings = settings;
    this.#ticket = ticket;
    this.#timeOut = timeOut;
  }

  /**
   * Starts the timer anew.
   *
   * @param delay The time, in ms; 0: no limit.
   */
  start(delay: number = this.#settings().handshakeTimeout): void {
    this.cancel();
    if (delay > 0) this.#cancel = this.#settings().clock.after(delay, this.#timeOut);
  }

  /** Starts the timer for the first request, whose time includes that of TLS. */
  startFirst(): void {
    const { handshakeTimeout, clock } = this.#settings();
    const passed = clock.now() - this.#ticket.acceptedAt;
    if (handshakeTimeout > 0) this.start(Math.max(1, Math.round(handshakeTimeout - passed)));
  }

  /** Starts the timer for a head. */
  startHead(): void {
    this.#ticket.awaitingPeer();
    this.start();
  }

  /** Starts the timer of a kept connection that is idle: until the first byte of the next request. */
  startIdle(): void {
    this.#ticket.idle();
    this.start(this.#settings().keepAliveTimeout);
    this.#idle = true;
  }

  /**
   * Starts the timer of a head whose first byte has come, if the connection was idle: the time of a request must not
   * begin with the idle time.
   */
  beginHead(): void {
    if (this.#idle) this.startHead();
  }

  /** A request begins, and with it the time for another body. */
  beginBody(): void {
    this.#bodyDeadline = undefined;
  }

  /**
   * Starts the timer for the next piece of a body, within the time for all of it: with one octet now and then a peer
   * could hold the connection for ever.
   */
  startBody(): void {
    this.#startPiece(this.#settings().handshakeTimeout);
  }

  /** Starts the timer for the next piece of a body that is dropped behind its response, within the time for all. */
  startDropping(): void {
    this.#startPiece(this.#settings().closeTimeout);
  }

  /** @param delay Time for the piece, in ms; 0: no limit. */
  #startPiece(delay: number): void {
    this.#ticket.awaitingPeer();
    const { bodyTimeout, clock } = this.#settings();
    if (bodyTimeout === 0) return this.start(delay);
    this.#bodyDeadline ??= clock.now() + bodyTimeout;
    const remaining = Math.max(1, Math.round(this.#bodyDeadline - clock.now()));
    this.start(delay === 0 ? remaining : Math.min(remaining, delay));
  }

  /** Stops the timer: now the peer waits for the server. */
  servePeer(): void {
    this.cancel();
    this.#ticket.servingPeer();
  }

  /** Stops the timer. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#idle = false;
  }
}
