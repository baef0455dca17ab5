/**
 * Finds peers that are gone: sends pings at intervals, measures the time to their pongs, and closes idle connections.
 *
 * A peer that reads slowly, or sends a long frame, is not gone, and one that the program does not read is not idle.
 * So the wait for a pong goes on while other bytes come, while the program has stopped the reading, and while bytes
 * before the ping are still being sent.
 *
 * @module
 */

import type { Closing } from "./closing.ts";
import { frameHeaderLength, Opcode } from "../protocol/frame_header.ts";
import type { FrameReader } from "./frame_reader.ts";
import { KEEP_ALIVE_MARK, nextPing, pingPayload } from "./pings.ts";
import type { Sender } from "./sender.ts";
import { TransportError } from "../base/errors.ts";

/** Number of checks in each `idleTimeout`, which is therefore exact to an eighth. */
const IDLE_CHECKS = 8;

/** Watches one open connection. */
export class KeepAlive<Connection = unknown> {
  readonly #reader: FrameReader<Connection>;
  readonly #sender: Sender;
  readonly #closing: Closing<Connection>;
  #latency: number | undefined;

  // Ping state
  #cancelPing: (() => void) | undefined;
  #payload: Uint8Array | undefined;
  /** Number of the last ping. */
  #ping = 0;
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
   * @param reader Counts incoming bytes.
   * @param sender Sends pings.
   * @param closing Ends the connection, which is open; has its settings.
   */
  constructor(reader: FrameReader<Connection>, sender: Sender, closing: Closing<Connection>) {
    this.#reader = reader;
    this.#sender = sender;
    this.#closing = closing;
    const { pingInterval, idleTimeout } = closing.settings;
    if (pingInterval > 0) this.#waitToPing();
    if (idleTimeout > 0) this.#waitIdle();
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
    const { clock, pingInterval } = this.#closing.settings;
    this.#cancelPing = clock.after(pingInterval, () => this.#sendPing());
  }

  #sendPing(): void {
    // A pong could not be seen.
    if (!this.#reader.reads()) return this.#waitToPing();
    const ping = this.#ping = nextPing();
    const payload = this.#payload = pingPayload(KEEP_ALIVE_MARK, ping);
    this.#pingedAt = this.#closing.settings.clock.now();
    const sender = this.#sender;
    sender.sendControl(Opcode.Ping, payload);
    this.#offset = sender.sent + sender.bufferedAmount;
    this.#waitForPong();
  }

  #waitForPong(): void {
    const { clock, pongTimeout } = this.#closing.settings;
    this.#received = this.#reader.received;
    this.#written = this.#sender.bytesWritten;
    if (pongTimeout > 0) this.#cancelPing = clock.after(pongTimeout, () => this.#missed());
  }

  #missed(): void {
    if (this.#showsLife) return this.#waitForPong();
    const message = `No pong came within ${this.#closing.settings.pongTimeout} ms`;
    this.#closing.abort(new TransportError("ERR_PONG_TIMEOUT", message));
  }

  get #showsLife(): boolean {
    if (!this.#reader.reads() || this.#reader.received !== this.#received) return true;
    return this.#sender.sent < this.#offset && this.#sender.bytesWritten !== this.#written;
  }

  /**
   * Notes a ping of the peer.
   *
   * @param payload Its payload.
   */
  ping(payload: Uint8Array): void {
    const masked = !this.#sender.masked;
    this.#controlBytes += frameHeaderLength(payload.length, masked) + payload.length;
  }

  /**
   * Notes a pong.
   *
   * @param payload Its payload; unknown payloads belong to pings of the program.
   * @returns The time since its ping, in ms, if it answers ours.
   */
  pong(payload: Uint8Array): number | undefined {
    this.ping(payload);
    const expected = this.#payload;
    if (expected === undefined || payload.length !== expected.length) return undefined;
    if (!payload.every((octet, at) => octet === expected[at])) return undefined;
    return this.#answered();
  }

  /** Number of the last ping. */
  get lastPing(): number {
    return this.#ping;
  }

  /**
   * Notes that the peer has answered a ping of the program: a later one answers ours too (RFC 6455 §5.5.3).
   *
   * @param ping The number of that ping.
   * @returns The time since our ping, in ms, if it was answered by that.
   */
  answeredBy(ping: number): number | undefined {
    return this.#payload === undefined || ping < this.#ping ? undefined : this.#answered();
  }

  #answered(): number {
    this.#payload = undefined;
    this.#cancelPing?.();
    this.#latency = this.#closing.settings.clock.now() - this.#pingedAt;
    this.#waitToPing();
    return this.#latency;
  }

  #waitIdle(): void {
    this.#exchanged = this.#exchangedNow;
    const { clock, idleTimeout } = this.#closing.settings;
    this.#cancelIdle = clock.after(idleTimeout / IDLE_CHECKS, () => this.#checkIdle());
  }

  /** Bytes that came or were sent, except pings and pongs. */
  get #exchangedNow(): number {
    return this.#reader.received - this.#controlBytes + this.#sender.exchanged;
  }

  #checkIdle(): void {
    const quiet = this.#exchangedNow === this.#exchanged && !this.#reader.held;
    this.#quietChecks = quiet ? this.#quietChecks + 1 : 0;
    if (this.#quietChecks < IDLE_CHECKS) return this.#waitIdle();
    this.#closing.closeIdle();
  }
}
