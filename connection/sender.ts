/**
 * What one connection sends: the limit on waiting bytes, messages fragmented by hand, one write a turn, and those who wait until
 * all is gone.
 *
 * @module
 */

import type { ConnectionSettings, SendResult } from "./options.ts";
import type { MessageDeflater } from "../protocol/deflate.ts";
import { OptionError, StateError, TransportError } from "../base/errors.ts";
import { firstOctet, MAX_CONTROL_PAYLOAD, maxFramePayload, Opcode, ReservedBit } from "../protocol/frame_header.ts";
import { byteLength, type MessageData } from "../protocol/payload.ts";
import { framedLength, SendQueue, wireLength } from "./send_queue.ts";
import type { SharedMessage } from "./shared_message.ts";
import { type Meter, UNMETERED } from "../base/stats.ts";
import type { Transport } from "../transport/transport.ts";
import { Turn } from "../base/write_batch.ts";

const encoder = new TextEncoder();
const flushes = new Turn(queueMicrotask);

/** So many pings of one read are answered one by one. */
const MAX_PONGS = 64;

/**
 * Between these sizes, in bytes, what waits is written at once: to write it together with more saves nothing, and it is still cached. Longer
 * ones are slower so (`bench/README.md`).
 */
const [LARGE, HUGE] = [64 * 1024, 512 * 1024];

/** What an {@linkcode Outbox} tells its connection. */
export interface OutboxOwner {
  /** After a write, once the connection ends: nothing waits any more. */
  allSent(): void;
}

/** Takes what a program sends. Nothing here knows whether the connection is open: the connection asks first. */
export class Outbox {
  #queue: SendQueue;
  #turn: Turn | undefined;
  #masked: boolean;
  /** 0 if messages are not split. */
  #frameSize: number;
  #maxBufferedAmount: number;
  #highWaterMark: number;
  #owner: OutboxOwner;
  #meter: Meter;
  #deflater: MessageDeflater | undefined;

  /** Whether frames are collected until `uncork`. */
  #corked = false;
  #flushScheduled = false;
  /** Whether a message sent by `sendFragment` is not finished. */
  #fragmented = false;
  /** Whether that message is compressed. */
  #fragmentsDeflated = false;
  /** The newest ping that could not be answered yet, since much is waiting already (RFC 6455 §5.5.3 allows to skip older ones). */
  #owedPong: Uint8Array | undefined;
  /** Pings that were answered since `cork`. */
  #pongs = 0;
  /** Where its payload is kept: of a flood each would be garbage. */
  #pongBuffer: Uint8Array | undefined;
  /** What the meter knows of as waiting here. */
  #counted = 0;
  /** Bytes of pings and pongs among all that was sent. */
  #keepAliveBytes = 0;
  #waiters: { resolve(): void; reject(error: unknown): void }[] | undefined;
  /** Whether the owner waits until nothing waits any more. */
  #ending = false;
  #closed = false;
  /** Why what waited was dropped. */
  #loss: TransportError | undefined;

  /**
   * Makes an empty outbox.
   *
   * @param transport Where the bytes go.
   * @param masked Whether frames are masked: those of a client are.
   * @param settings Limits.
   * @param owner The connection.
   * @param meter Counts.
   * @throws {OptionError} If `frameSize` cannot hold a frame.
   */
  constructor(
    transport: Transport,
    masked: boolean,
    settings: ConnectionSettings,
    owner: OutboxOwner,
    meter: Meter = UNMETERED,
  ) {
    this.#frameSize = settings.splitMessage ? settings.frameSize : 0;
    if (this.#frameSize !== 0) maxFramePayload(this.#frameSize, masked);
    this.#masked = masked;
    this.#turn = transport.turn;
    this.#queue = new SendQueue(transport, { masked, frameSize: this.#frameSize, meter });
    this.#maxBufferedAmount = settings.maxBufferedAmount;
    this.#highWaterMark = settings.highWaterMark;
    this.#owner = owner;
    this.#meter = meter;
  }

  /**
   * From now on messages are compressed.
   *
   * @param deflater Compresses them.
   */
  useDeflater(deflater: MessageDeflater): void {
    this.#deflater = deflater;
  }

  /** Bytes that were sent and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.#queue.bufferedAmount;
  }

  /** Bytes that have left, by whole writes. */
  get left(): number {
    return this.#queue.left;
  }

  /** All bytes that were sent, but for pings and pongs. */
  get exchanged(): number {
    return this.#queue.left + this.#queue.bufferedAmount - this.#keepAliveBytes;
  }

  /** Whether a message sent by `sendFragment` is not finished. */
  get fragmented(): boolean {
    return this.#fragmented;
  }

  /** Whether enough waits that a program should wait too. */
  get congested(): boolean {
    return this.bufferedAmount > this.#highWaterMark;
  }

  /**
   * Whether a message fits `maxBufferedAmount` now.
   *
   * @param data The message.
   * @returns `false` if it does not fit now.
   * @throws {OptionError} If it can never fit.
   */
  hasRoom(data: MessageData): boolean {
    if (this.#maxBufferedAmount === 0) return true;
    const room = this.#maxBufferedAmount - this.bufferedAmount;
    // A cheap upper bound first: 3 bytes for each UTF-16 unit, and the longest header.
    if (this.#frameSize === 0 && data.length * 3 + 14 <= room) return true;
    return this.hasRoomFor(wireLength(data, this.#frameSize, this.#masked));
  }

  /**
   * Whether a program that can wait should wait before it sends a message.
   *
   * @param data The message.
   * @returns `true` if much waits already, or the message does not fit now.
   */
  mustWaitFor(data: MessageData): boolean {
    if (this.bufferedAmount === 0) return false;
    return this.congested || !this.#fits(wireLength(data, this.#frameSize, this.#masked));
  }

  #fits(length: number): boolean {
    return this.#maxBufferedAmount === 0 || length <= this.#maxBufferedAmount - this.bufferedAmount;
  }

  /**
   * Whether bytes fit `maxBufferedAmount` now.
   *
   * @param length How many.
   * @returns `false` if they do not fit now.
   * @throws {OptionError} If they can never fit.
   */
  hasRoomFor(length: number): boolean {
    const limit = this.#maxBufferedAmount;
    if (this.#fits(length)) return true;
    if (length <= limit) return false;
    throw new OptionError(
      `Cannot send: ${length} bytes are more than maxBufferedAmount (${limit}) allows at all`,
      "ERR_MESSAGE_EXCEEDS_BUFFER",
    );
  }

  /**
   * Sends a message.
   *
   * @param data The message; bytes are copied.
   * @returns What became of it; `undefined`: it does not fit `maxBufferedAmount` now.
   * @throws {OptionError} If it can never fit.
   */
  sendMessage(data: MessageData): SendResult | undefined {
    if (this.#isOverBudget) return undefined;
    if (this.#isWorthDeflating(data)) return this.#sendDeflated(data);
    if (!this.hasRoom(data)) return undefined;
    if (typeof data === "string") this.#queue.appendText(data);
    else this.#queue.appendMessage(Opcode.Binary, data);
    this.#meter.messagesSent++;
    return this.#appended();
  }

  #isWorthDeflating(data: MessageData): boolean {
    if (this.#deflater === undefined) return false;
    const { threshold } = this.#deflater;
    return data.length >= threshold || (data.length * 3 >= threshold && byteLength(data) >= threshold);
  }

  #sendDeflated(data: MessageData): SendResult | undefined {
    const opcode = typeof data === "string" ? Opcode.Text : Opcode.Binary;
    const deflater = this.#deflater!;
    const plain = toBytes(data);
    const deflated = deflater.compress(plain, true);
    // What does not get smaller goes as it is, unless that would cost the context.
    const useful = deflated.length < plain.length || (deflater.takeover && this.#fits(this.#wireLength(deflated)));
    const payload = useful ? deflated : plain;
    let sent = false;
    try {
      sent = this.hasRoomFor(this.#wireLength(payload));
    } finally {
      if (!sent || !useful) deflater.forget();
    }
    if (!sent) return undefined;
    if (useful) this.#countDeflated(plain.length, deflated.length);
    this.#meter.messagesSent++;
    this.#queue.appendMessage(opcode, payload, useful ? ReservedBit.Rsv1 : 0);
    return this.#appended();
  }

  #countDeflated(plain: number, deflated: number): void {
    this.#meter.deflatedFrom += plain;
    this.#meter.deflatedTo += deflated;
  }

  #wireLength(payload: Uint8Array): number {
    return framedLength(payload.length, this.#frameSize, this.#masked);
  }

  /**
   * Sends bytes that are no frames.
   *
   * @param preface The bytes, never to be changed again.
   */
  sendPreface(preface: Uint8Array): void {
    this.#queue.appendEncoded(preface, 0);
    this.#scheduleFlush();
  }

  /**
   * Sends a message that goes to others too.
   *
   * @param message The message.
   * @returns What became of it; `undefined`: it does not fit `maxBufferedAmount` now.
   * @throws {OptionError} If it can never fit.
   */
  sendShared(message: SharedMessage): SendResult | undefined {
    if (this.#isOverBudget) return undefined;
    const frames = message.framesFor(this.#deflater);
    if (!this.hasRoomFor(frames.length)) return undefined;
    this.#queue.appendEncoded(frames, message.count(frames));
    this.#meter.messagesSent++;
    return this.#appended();
  }

  /**
   * Whether a data frame may follow what was sent before (RFC 6455 §5.4).
   *
   * @param opcode Its opcode.
   * @throws {OptionError} If it is not the opcode of a data frame.
   * @throws {StateError} If it does not fit what was sent before.
   */
  assertFragment(opcode: Opcode): void {
    if (opcode !== Opcode.Continuation && opcode !== Opcode.Text && opcode !== Opcode.Binary) {
      throw new OptionError(`Cannot send a frame: "${opcode}" is not the opcode of a data frame`, "ERR_PAYLOAD");
    }
    if (opcode === Opcode.Continuation && !this.#fragmented) {
      throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send a continuation frame: no message is begun");
    }
    if (opcode !== Opcode.Continuation && this.#fragmented) {
      throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send a frame: a fragmented message is not finished");
    }
  }

  /**
   * Sends one data frame, not split any further.
   *
   * @param opcode Its opcode.
   * @param data Its payload.
   * @param final Whether it ends the message.
   * @returns What became of it; `undefined`: it does not fit `maxBufferedAmount` now.
   * @throws {OptionError} If it can never fit.
   */
  sendFragment(opcode: Opcode, data: MessageData, final: boolean): SendResult | undefined {
    if (this.#isOverBudget) return undefined;
    const first = opcode !== Opcode.Continuation;
    const deflate = first ? this.#isWorthDeflating(data) : this.#fragmentsDeflated;
    // By its plain length: what is compressed cannot be taken back. It is a few bytes longer at most, 6 % with little memory.
    if (!this.hasRoom(data)) return undefined;
    const plain = toBytes(data);
    const payload = deflate ? this.#deflater!.compress(plain, final) : plain;
    if (deflate) this.#countDeflated(plain.length, payload.length);
    if (final) this.#meter.messagesSent++;
    this.#queue.appendFrame(firstOctet(opcode, final, first && deflate ? ReservedBit.Rsv1 : 0), payload);
    this.#fragmented = !final;
    this.#fragmentsDeflated = deflate;
    return this.#appended();
  }

  /**
   * Sends a control frame; no limit holds it back.
   *
   * @param opcode Its opcode.
   * @param payload Its payload.
   */
  sendControl(opcode: Opcode, payload: Uint8Array): void {
    if (opcode !== Opcode.Close) this.#keepAliveBytes += framedLength(payload.length, 0, this.#masked);
    this.#queue.appendFrame(firstOctet(opcode, true), payload);
    this.#scheduleFlush();
  }

  /**
   * Answers a ping, now or, when much is waiting already or many came at once, later: then only the newest ping is answered.
   *
   * @param payload The payload of the ping.
   */
  answerPing(payload: Uint8Array): void {
    if (this.congested || ++this.#pongs > MAX_PONGS) {
      const buffer = this.#pongBuffer ??= new Uint8Array(MAX_CONTROL_PAYLOAD);
      buffer.set(payload);
      this.#owedPong = buffer.subarray(0, payload.length);
    } else this.sendControl(Opcode.Pong, payload);
  }

  /** A close frame is the last one: no pong follows it. */
  forgetPong(): void {
    this.#owedPong = undefined;
  }

  /** The connection ends: from now on its owner is told when all is sent. */
  end(): void {
    this.#ending = true;
    this.forgetPong();
  }

  #appended(): SendResult {
    const waiting = this.bufferedAmount;
    if (waiting >= LARGE && waiting < HUGE && this.#turn !== undefined) this.#queue.flush();
    this.#countBuffered();
    this.#scheduleFlush();
    return this.congested ? "backpressure" : "sent";
  }

  /** All frames of one turn leave in one write: at the end of the transport's turn; without one at `uncork`, or else in a microtask. */
  #scheduleFlush(): void {
    if (this.#corked || this.#flushScheduled) return;
    this.#flushScheduled = true;
    (this.#turn ?? flushes).add(this);
  }

  /** Sends what is there. */
  endTurn(): void {
    this.#flushScheduled = false;
    if (this.#closed) return;
    this.#queue.flush();
    this.#flushed();
  }

  /** Collects frames until `uncork`. */
  cork(): void {
    this.#corked = true;
    this.#pongs = 0;
  }

  /** Sends what was collected. */
  uncork(): void {
    this.#corked = false;
    if (this.#turn !== undefined && this.#queue.waits) this.#scheduleFlush();
    else this.endTurn();
  }

  /** The transport is ready again. */
  drain(): void {
    if (this.#closed) return;
    this.#queue.drain();
    this.#flushed();
  }

  /** What waits for all connections together has a limit too; those that are not slow do not feel it. */
  get #isOverBudget(): boolean {
    return this.#meter.buffered > this.#meter.maxBuffered && this.congested;
  }

  #countBuffered(): void {
    const amount = this.#queue.ownAmount;
    this.#meter.buffered += amount - this.#counted;
    this.#counted = amount;
  }

  #flushed(): void {
    this.#countBuffered();
    if (this.#owedPong !== undefined && !this.congested) {
      const payload = this.#owedPong;
      this.#owedPong = undefined;
      this.sendControl(Opcode.Pong, payload);
    }
    if (this.bufferedAmount > 0) return;
    if (this.#ending) this.#owner.allSent();
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    for (const waiter of waiters) waiter.resolve();
  }

  /**
   * Waits until nothing waits any more.
   *
   * @returns Rejects if what waits is dropped before.
   */
  drained(): Promise<void> {
    if (this.#closed) this.#noteLoss(undefined);
    if (this.#loss === undefined && this.bufferedAmount === 0) return Promise.resolve();
    const promise = new Promise<void>((resolve, reject) => {
      if (this.#loss !== undefined) reject(this.#loss);
      else (this.#waiters ??= []).push({ resolve, reject });
    });
    // Nobody is obliged to wait for it.
    promise.catch(() => {});
    return promise;
  }

  /**
   * Drops what has not been sent, for good: whoever waits for it is told.
   *
   * @param cause Why, if it is known.
   */
  discard(cause: unknown): void {
    this.#closed = true;
    this.#owedPong = undefined;
    this.#noteLoss(cause);
    this.#queue.discard();
    this.#countBuffered();
    const waiters = this.#waiters ?? [];
    this.#waiters = undefined;
    for (const waiter of waiters) waiter.reject(this.#loss);
  }

  #noteLoss(cause: unknown): void {
    if (this.bufferedAmount === 0) return;
    const message = "The connection was lost before all that was sent had left";
    this.#loss ??= new TransportError("ERR_CONNECTION_LOST", message, { cause });
  }
}

function toBytes(data: MessageData): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}
