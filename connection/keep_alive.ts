/**
 * Finds peers that are gone: sends pings at intervals, measures the time to their pongs, and closes idle connections.
 *
 * A peer that reads slowly, or sends a long frame, is not gone. So the wait for a pong goes on as long as other bytes come, as long as the
 * program itself holds up the reading, and as long as bytes before the ping are still being sent.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Closing } from "./closing.ts";
import { frameHeaderLength, Opcode } from "../protocol/frame_header.ts";
import type { FrameReader } from "./frame_reader.ts";
import type { Meter } from "../base/stats.ts";
import type { Sender } from "./sender.ts";
import { TransportError } from "../base/errors.ts";
import type { Transport } from "../transport/transport.ts";

/** The parts of a connection that a {@linkcode KeepAlive} watches. */
export interface KeepAliveParts<Connection> {
  /** Counts incoming bytes. */
  readonly reader: FrameReader<Connection>;
  /** Sends pings. */
  readonly sender: Sender;
  /** Counts bytes of a long write in progress. */
  readonly transport: Transport;
  /** Ends the connection. */
  readonly closing: Closing<Connection>;
  /** Counts ping times. */
  readonly meter: Meter;
  /** `true` for a server, whose peer masks its frames. */
  readonly masked: boolean;
}

/** Times of a {@linkcode KeepAlive}, in ms; 0 turns one off. */
export interface KeepAliveTimes {
  /** Time between a pong and the next ping. */
  readonly pingInterval: number;
  /** Longest time to a pong. */
  readonly pongTimeout: number;
  /** Longest time without messages. */
  readonly idleTimeout: number;
  /** Time. */
  readonly clock: Clock;
}

/** Checks in each `idleTimeout`, which is therefore exact to an eighth. */
const IDLE_CHECKS = 8;

/** Number of pings so far: it is part of their payload, so that a pong is matched to its ping. */
let pings = 0;

/** Watches one open connection. */
export class KeepAlive<Connection = unknown> {
  readonly #parts: KeepAliveParts<Connection>;
  readonly #times: KeepAliveTimes;
  #latency: number | undefined;

  // Ping state
  #cancelPing: (() => void) | undefined;
  #payload: Uint8Array | undefined;
  #pingedAt = 0;
  /** Offset behind the ping in all bytes that are sent. */
  #offset = 0;
  /** Bytes that had come, and bytes that were written, when the wait for the pong began. */
  #received = 0;
  #written = 0;

  // Idle state
  #cancelIdle: (() => void) | undefined;
  /** Bytes of pings and pongs that came. */
  #controlBytes = 0;
  #exchanged = 0;
  #quietChecks = 0;

  /**
   * Begins to watch.
   *
   * @param parts The parts of the connection, which is open.
   * @param times Intervals and time-outs.
   */
  constructor(parts: KeepAliveParts<Connection>, times: KeepAliveTimes) {
    this.#parts = parts;
    this.#times = times;
    if (times.pingInterval > 0) this.#waitToPing();
    if (times.idleTimeout > 0) this.#waitIdle();
  }

  /** The time of the last answer to a ping, in ms; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#latency;
  }

  /** Stops watching. */
  stop(): void {
    this.#payload = undefined;
    this.#cancelPing?.();
    this.#cancelIdle?.();
  }

  #waitToPing(): void {
    this.#cancelPing = this.#times.clock.after(this.#times.pingInterval, () => this.#ping());
  }

  #ping(): void {
    // A pong could not be seen.
    if (!this.#parts.reader.reads()) return this.#waitToPing();
    const payload = new Uint8Array(8);
    const view = new DataView(payload.buffer);
    view.setUint32(0, 0x6b656570);
    view.setUint32(4, pings++);
    this.#payload = payload;
    this.#pingedAt = this.#times.clock.now();
    const { sender } = this.#parts;
    sender.sendControl(Opcode.Ping, payload);
    this.#offset = sender.sent + sender.bufferedAmount;
    this.#waitForPong();
  }

  #waitForPong(): void {
    const { clock, pongTimeout } = this.#times;
    this.#received = this.#parts.reader.received;
    this.#written = this.#parts.transport.bytesWritten;
    if (pongTimeout > 0) this.#cancelPing = clock.after(pongTimeout, () => this.#missed());
  }

  #missed(): void {
    if (this.#showsLife) return this.#waitForPong();
    const message = `No pong came within ${this.#times.pongTimeout} ms`;
    this.#parts.closing.abort(new TransportError("ERR_PONG_TIMEOUT", message));
  }

  get #showsLife(): boolean {
    const { reader, sender, transport } = this.#parts;
    if (!reader.reads() || reader.received !== this.#received) return true;
    return sender.sent < this.#offset && transport.bytesWritten !== this.#written;
  }

  /**
   * Notes a ping of the peer.
   *
   * @param payload Its payload.
   */
  ping(payload: Uint8Array): void {
    this.#controlBytes += frameHeaderLength(payload.length, this.#parts.masked) + payload.length;
  }

  /**
   * Notes a pong.
   *
   * @param payload Its payload; others than ours belong to pings of the program.
   */
  pong(payload: Uint8Array): void {
    this.ping(payload);
    const expected = this.#payload;
    if (expected === undefined || payload.length !== expected.length) return;
    if (!payload.every((octet, at) => octet === expected[at])) return;
    this.#payload = undefined;
    this.#cancelPing?.();
    this.#latency = this.#times.clock.now() - this.#pingedAt;
    this.#parts.meter.pingTimes.add(this.#latency);
    this.#waitToPing();
  }

  #waitIdle(): void {
    this.#exchanged = this.#exchangedNow;
    this.#cancelIdle = this.#times.clock.after(this.#times.idleTimeout / IDLE_CHECKS, () => this.#checkIdle());
  }

  /** Bytes that came or were sent, except pings and pongs. */
  get #exchangedNow(): number {
    const { reader, sender } = this.#parts;
    return reader.received - this.#controlBytes + sender.exchanged;
  }

  #checkIdle(): void {
    this.#quietChecks = this.#exchangedNow === this.#exchanged ? this.#quietChecks + 1 : 0;
    if (this.#quietChecks < IDLE_CHECKS) return this.#waitIdle();
    this.#parts.closing.closeIdle();
  }
}
