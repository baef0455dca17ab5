/**
 * Whether the peer is still there: pings at intervals, how long their pongs take, and connections on which nothing happens.
 *
 * A missed pong is not all: what reads slowly, or sends a long frame, is not dead. So the wait for a pong goes on as long as other bytes
 * come, as long as the program itself holds up the reading, and as long as the ping stands in line behind bytes that do leave.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { TransportError } from "../base/errors.ts";

/** What a {@linkcode KeepAlive} asks and tells its connection. */
export interface KeepAliveOwner {
  /** Bytes that have come. */
  received(): number;
  /** Bytes that came or were sent, but for pings and pongs. */
  exchanged(): number;
  /** Whether the program lets the connection read. */
  reads(): boolean;
  /**
   * Sends a ping.
   *
   * @param payload Its payload.
   * @returns The place behind it in all that is sent.
   */
  sendPing(payload: Uint8Array): number;
  /** How much of all that is sent has left. */
  left(): number;
  /** Bytes that the operating system has taken, of one that is being written too. */
  written(): number;
  /** A pong came after so many ms. */
  answered(latency: number): void;
  /** The peer is not there any more. */
  dead(error: TransportError): void;
  /** Nothing has happened for `idleTimeout`. */
  idle(): void;
}

/** Times of a {@linkcode KeepAlive}, in ms; 0 turns one off. */
export interface KeepAliveTimes {
  /** The time between a pong and the next ping. */
  readonly pingInterval: number;
  /** How long a pong may take. */
  readonly pongTimeout: number;
  /** How long nothing may happen. */
  readonly idleTimeout: number;
  /** Time. */
  readonly clock: Clock;
}

/** Idle connections are looked at so often in their time, which is therefore exact to that part of it. */
const IDLE_CHECKS = 8;

/** Numbers pings, so that a pong tells which it answers. */
let pings = 0;

/** Watches one open connection. */
export class KeepAlive {
  #owner: KeepAliveOwner;
  #times: KeepAliveTimes;

  // Ping state
  #cancelPing: (() => void) | undefined;
  #payload: Uint8Array | undefined;
  #sentAt = 0;
  /** The place behind the ping in all that is sent. */
  #place = 0;
  #received = 0;
  #written = 0;

  // Idle state
  #cancelIdle: (() => void) | undefined;
  #exchanged = 0;
  #quietChecks = 0;

  /**
   * Begins to watch.
   *
   * @param owner The connection, which is open.
   * @param times When.
   */
  constructor(owner: KeepAliveOwner, times: KeepAliveTimes) {
    this.#owner = owner;
    this.#times = times;
    if (times.pingInterval > 0) this.#waitToPing();
    if (times.idleTimeout > 0) this.#waitIdle();
  }

  /** Watches no longer. */
  stop(): void {
    this.#payload = undefined;
    this.#cancelPing?.();
    this.#cancelIdle?.();
  }

  #waitToPing(): void {
    this.#cancelPing = this.#times.clock.after(this.#times.pingInterval, () => this.#ping());
  }

  #ping(): void {
    // No answer could be seen.
    if (!this.#owner.reads()) return this.#waitToPing();
    const payload = new Uint8Array(8);
    const view = new DataView(payload.buffer);
    view.setUint32(0, 0x6b656570);
    view.setUint32(4, pings++);
    this.#payload = payload;
    this.#sentAt = this.#times.clock.now();
    this.#place = this.#owner.sendPing(payload);
    this.#waitForPong();
  }

  #waitForPong(): void {
    const { clock, pongTimeout } = this.#times;
    this.#received = this.#owner.received();
    this.#written = this.#owner.written();
    if (pongTimeout > 0) this.#cancelPing = clock.after(pongTimeout, () => this.#missed());
  }

  #missed(): void {
    if (this.#showsLife) return this.#waitForPong();
    const message = `No pong came within ${this.#times.pongTimeout} ms`;
    this.#owner.dead(new TransportError("ERR_PONG_TIMEOUT", message));
  }

  get #showsLife(): boolean {
    const owner = this.#owner;
    if (!owner.reads() || owner.received() !== this.#received) return true;
    return owner.left() < this.#place && owner.written() !== this.#written;
  }

  /**
   * A pong came.
   *
   * @param payload Its payload; others than ours are the program's.
   */
  pong(payload: Uint8Array): void {
    const expected = this.#payload;
    if (expected === undefined || payload.length !== expected.length) return;
    if (!payload.every((octet, at) => octet === expected[at])) return;
    this.#payload = undefined;
    this.#cancelPing?.();
    this.#owner.answered(this.#times.clock.now() - this.#sentAt);
    this.#waitToPing();
  }

  #waitIdle(): void {
    this.#exchanged = this.#owner.exchanged();
    this.#cancelIdle = this.#times.clock.after(this.#times.idleTimeout / IDLE_CHECKS, () => this.#checkIdle());
  }

  #checkIdle(): void {
    this.#quietChecks = this.#owner.exchanged() === this.#exchanged ? this.#quietChecks + 1 : 0;
    if (this.#quietChecks < IDLE_CHECKS) return this.#waitIdle();
    this.#owner.idle();
  }
}
