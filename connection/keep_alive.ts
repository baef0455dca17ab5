/**
 * Finds peers that are gone: sends pings at intervals, measures the time to their pongs, and closes idle connections.
 *
 * A peer that reads slowly, or sends a long frame, is not gone, and one that the program does not read is not idle.
 * So the wait for a pong goes on while other bytes come, while the program has stopped the reading, and while bytes
 * before the ping are still being sent.
 *
 * Of pings that arrive together a peer may answer only some (RFC 6455 §5.5.3): workerd the first and the last
 * (`findings/workerd_pongs.sh`), libwebsockets 4.1 the first (`findings/libwebsockets_pongs.sh`). So any pong behind a
 * ping is its answer, and only the latency needs its own payload.
 *
 * A ping may come between the frames of a message (§5.4), but some peers fail then: with compression aiohttp 3.8,
 * tornado 6.2, wsproto 1.2 (`findings/ping_between_compressed_fragments.sh`) and cowboy 2.8
 * (`findings/cowboy_compressed_ping.sh`), in any case SWI-Prolog 9.0 and Crystal 1.6
 * (`findings/ping_between_fragments.sh`). So a ping waits for the end of a message that the program sends in fragments,
 * for one more `pingInterval` at most.
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

/**
 * State of the pings.
 * `"quiet"`: no ping is due. `"held"`: a ping waits for the end of a fragmented message. `"awaiting"`: a ping was sent,
 * and no pong has come since.
 */
type PingPhase = "quiet" | "held" | "awaiting";

/** Watches one open connection. */
export class KeepAlive<Connection = unknown> {
  readonly #reader: FrameReader<Connection>;
  readonly #sender: Sender;
  readonly #closing: Closing<Connection>;
  #latency: number | undefined;

  // Ping state
  #phase: PingPhase = "quiet";
  /** Cancels the timer of the phase. */
  #cancelPing: (() => void) | undefined;
  /** Payload of the last ping, until its own pong has come. */
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
    this.#phase = "quiet";
    this.#payload = undefined;
    this.#cancelPing?.();
    this.#cancelIdle?.();
  }

  #waitToPing(): void {
    const { clock, pingInterval } = this.#closing.settings;
    this.#cancelPing = clock.after(pingInterval, () => this.#pingIsDue());
  }

  #pingIsDue(): void {
    const held = this.#phase === "held";
    this.#phase = "quiet";
    // A pong could not be seen.
    if (!this.#reader.reads()) return this.#waitToPing();
    if (held || !this.#sender.fragmented) return this.#sendPing();
    this.#phase = "held";
    this.#sender.watchFragments(() => this.#fragmentsEnded());
    this.#waitToPing();
  }

  #fragmentsEnded(): void {
    if (this.#phase !== "held") return;
    this.#cancelPing?.();
    this.#pingIsDue();
  }

  #sendPing(): void {
    const ping = this.#ping = nextPing();
    const payload = this.#payload = pingPayload(KEEP_ALIVE_MARK, ping);
    this.#pingedAt = this.#closing.settings.clock.now();
    const sender = this.#sender;
    sender.sendControl(Opcode.Ping, payload);
    this.#offset = sender.sent + sender.bufferedAmount;
    this.#waitForPong();
  }

  #waitForPong(): void {
    this.#phase = "awaiting";
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
   * Notes a pong: whatever its payload, the peer lives.
   *
   * @param payload Its payload; unknown payloads belong to pings of the program, or to none.
   * @returns The time since its ping, in ms, if it answers ours.
   */
  pong(payload: Uint8Array): number | undefined {
    this.ping(payload);
    if (this.#phase === "awaiting") this.#endWait();
    const expected = this.#payload;
    if (expected === undefined || payload.length !== expected.length) return undefined;
    if (!payload.every((octet, at) => octet === expected[at])) return undefined;
    return this.#measure();
  }

  #endWait(): void {
    this.#phase = "quiet";
    this.#cancelPing?.();
    this.#waitToPing();
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
    return this.#payload === undefined || ping < this.#ping ? undefined : this.#measure();
  }

  #measure(): number {
    this.#payload = undefined;
    return this.#latency = this.#closing.settings.clock.now() - this.#pingedAt;
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
