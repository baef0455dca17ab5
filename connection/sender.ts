/**
 * The sending side of one connection: the limit on waiting bytes, compression, messages fragmented by hand, one write a
 * turn, and the promises that wait until all is sent.
 *
 * @module
 */

import type { ConnectionSettings, SendResult } from "./options.ts";
import type { MessageDeflater } from "../protocol/deflate.ts";
import { OptionError, StateError, TransportError } from "../base/errors.ts";
import { assertFrameSize, firstOctet, MAX_CONTROL_PAYLOAD, Opcode, ReservedBit } from "../protocol/frame_header.ts";
import { byteLength, type Payload } from "../protocol/payload.ts";
import { framedLength, framedTextLimit, SendQueue, wireLength } from "./send_queue.ts";
import type { SharedMessage } from "./shared_message.ts";
import { type Meter, UNMETERED } from "../base/stats.ts";
import type { Transport } from "../transport/transport.ts";
import { WriteBatch } from "../base/write_batch.ts";

const encoder = new TextEncoder();
/** The batch for transports without a batch of their own. */
const microtaskBatch = new WriteBatch(queueMicrotask);

/** Pings of one read that are answered one by one. */
const MAX_PONGS = 64;

/**
 * Between these sizes, in bytes, waiting frames are written at once: to write them together with more saves nothing,
 * and they are still cached. Longer ones are faster in the batch (`bench/README.md`).
 */
const [LARGE, HUGE] = [64 * 1024, 512 * 1024];

/** The connection of a {@linkcode Sender}. */
export interface SenderOwner {
  /** Called after a write, once the connection ends: no bytes wait any more. */
  allSent(): void;
}

/**
 * State of a {@linkcode Sender}.
 * `"control"`: only control frames are sent, before the connection is open or after a close frame. `"open"`: messages
 * too.
 * `"ending"`: the owner is notified when no bytes wait any more. `"closed"`: waiting bytes were dropped, and none are
 * sent any more.
 */
type SenderState = "control" | "open" | "ending" | "closed";

/**
 * Sends the messages of one connection. Its state is checked before: nothing here knows whether the connection is open.
 */
export class Sender {
  #queue: SendQueue;
  #batch: WriteBatch | undefined;
  #masked: boolean;
  /** 0 if messages are not split. */
  #frameSize: number;
  /** Bytes that the subprotocol adds to a message of the program. */
  #overhead = 0;
  #maxBufferedAmount: number;
  #highWaterMark: number;
  #owner: SenderOwner;
  #meter: Meter;
  #deflater: MessageDeflater | undefined;

  /** `true` while frames are collected until `uncork`. */
  #corked = false;
  #flushScheduled = false;
  /** `true` if a message sent by `sendFragment` is not finished. */
  #fragmented = false;
  /** `true` if that message is compressed. */
  #fragmentsDeflated = false;
  /** The newest ping not answered yet, since much waits already (RFC 6455 §5.5.3 allows to skip older ones). */
  #owedPong: Uint8Array | undefined;
  /** Pings that were answered since `cork`. */
  #pongs = 0;
  /** Buffer for the payload of that ping, reused: in a flood of pings each new array would be garbage. */
  #pongBuffer: Uint8Array | undefined;
  /** Waiting bytes that the meter has counted. */
  #counted = 0;
  /** Bytes of pings and pongs among all that was sent. */
  #keepAliveBytes = 0;
  #waiters: { resolve(): void; reject(error: unknown): void }[] | undefined;
  #state: SenderState = "control";
  /** The error of waiting bytes that were dropped. */
  #loss: TransportError | undefined;

  /**
   * Makes a sender without frames.
   *
   * @param transport Gets the bytes.
   * @param masked `true` for a client, whose frames are masked.
   * @param settings Limits.
   * @param owner The connection.
   * @param meter Counts messages and bytes.
   * @throws {OptionError} If `frameSize` cannot hold a frame.
   */
  constructor(
    transport: Transport,
    masked: boolean,
    settings: ConnectionSettings,
    owner: SenderOwner,
    meter: Meter = UNMETERED,
  ) {
    this.#frameSize = frameSizeOf(settings, masked);
    this.#masked = masked;
    this.#batch = transport.batch;
    this.#queue = new SendQueue(transport, { masked, frameSize: this.#frameSize, meter });
    this.#maxBufferedAmount = settings.maxBufferedAmount;
    this.#highWaterMark = settings.highWaterMark;
    this.#owner = owner;
    this.#meter = meter;
  }

  /**
   * Replaces the limits, before a frame was sent.
   *
   * @param settings Limits.
   */
  configure(settings: ConnectionSettings): void {
    this.#frameSize = this.#queue.frameSize = frameSizeOf(settings, this.#masked);
    this.#maxBufferedAmount = settings.maxBufferedAmount;
    this.#highWaterMark = settings.highWaterMark;
  }

  /**
   * Compresses messages from now on.
   *
   * @param deflater Compresses them; `freeDeflater` frees it.
   */
  useDeflater(deflater: MessageDeflater): void {
    this.#deflater = deflater;
  }

  /**
   * Reckons with bytes that the subprotocol adds to each message of the program.
   *
   * @param length Their number.
   */
  reserve(length: number): void {
    this.#overhead = length;
  }

  /** Frees the memory of compression; called once no message is sent any more. */
  freeDeflater(): void {
    this.#deflater?.close();
  }

  /** Bytes that wait for the operating system. */
  get bufferedAmount(): number {
    return this.#queue.bufferedAmount;
  }

  /**
   * `true` if messages can be sent; kept here too, since a broadcast to many connections looks at no other part of
   * them.
   */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /**
   * Allows or forbids messages, as the phase of the connection does.
   *
   * @param allowed `false` before the connection is open, and after a close frame.
   */
  allowMessages(allowed: boolean): void {
    if (this.#state === "open" || this.#state === "control") this.#state = allowed ? "open" : "control";
  }

  /** `true` if frames are masked: `true` for a client. */
  get masked(): boolean {
    return this.#masked;
  }

  /** Bytes that the operating system has taken, of a write in progress too. */
  get bytesWritten(): number {
    return this.#queue.bytesWritten;
  }

  /** Bytes handed to the operating system so far, by whole writes. */
  get sent(): number {
    return this.#queue.sent;
  }

  /** Bytes of all frames so far, except pings and pongs. */
  get exchanged(): number {
    return this.#queue.sent + this.#queue.bufferedAmount - this.#keepAliveBytes;
  }

  /** `true` if a message sent by `sendFragment` is not finished. */
  get fragmented(): boolean {
    return this.#fragmented;
  }

  /** `true` if more than `highWaterMark` bytes wait: a program should wait too. */
  get congested(): boolean {
    return this.bufferedAmount > this.#highWaterMark;
  }

  /**
   * Tells whether a message fits `maxBufferedAmount` now.
   *
   * @param data The message.
   * @returns `false` if it does not fit now.
   * @throws {OptionError} If it can never fit.
   */
  hasRoom(data: Payload): boolean {
    if (this.#maxBufferedAmount === 0) return true;
    const room = this.#maxBufferedAmount - this.bufferedAmount;
    // A cheap upper bound first: 3 bytes for each UTF-16 unit, and the longest header.
    if (this.#frameSize === 0 && data.length * 3 + 14 <= room) return true;
    return this.hasRoomFor(wireLength(data, this.#frameSize, this.#masked));
  }

  /**
   * Tells whether a program that can wait should do so before it sends a message.
   *
   * @param data The message.
   * @returns `true` if much waits already, or the message does not fit now.
   */
  mustWaitFor(data: Payload): boolean {
    if (this.bufferedAmount === 0) return false;
    return this.congested || !this.#fits(wireLength(data, this.#frameSize, this.#masked) + this.#overhead);
  }

  #fits(length: number): boolean {
    return this.#maxBufferedAmount === 0 || length <= this.#maxBufferedAmount - this.bufferedAmount;
  }

  /**
   * Tells whether bytes fit `maxBufferedAmount` now.
   *
   * @param length Their number.
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
   * Tells whether a message fits `maxBufferedAmount` behind others that wait to be sent.
   *
   * @param waiting Bytes of the others.
   * @param length Bytes of the message.
   * @param text `true` for a text.
   * @returns `false` if it does not fit now.
   * @throws {OptionError} If it can never fit.
   */
  hasRoomBehind(waiting: number, length: number, text: boolean): boolean {
    const wire = (text ? framedTextLimit : framedLength)(length, this.#frameSize, this.#masked);
    return this.#fits(waiting + wire) || (this.hasRoomFor(wire) && waiting === 0);
  }

  /** Waiting bytes from which on a program should wait. */
  get highWaterMark(): number {
    return this.#highWaterMark;
  }

  /**
   * Sends a message.
   *
   * @param data The message; bytes are copied.
   * @returns The result; `undefined`: it does not fit `maxBufferedAmount` now.
   * @throws {OptionError} If it can never fit.
   */
  sendMessage(data: Payload): SendResult | undefined {
    if (this.#isOverBudget) return undefined;
    if (this.#isWorthDeflating(data)) return this.#sendDeflated(data);
    if (!this.hasRoom(data)) return undefined;
    if (typeof data === "string") this.#queue.appendText(data);
    else this.#queue.appendMessage(Opcode.Binary, data);
    this.#meter.messagesSent++;
    return this.#appended();
  }

  #isWorthDeflating(data: Payload): boolean {
    if (this.#deflater === undefined) return false;
    const { threshold } = this.#deflater;
    return data.length >= threshold || (data.length * 3 >= threshold && byteLength(data) >= threshold);
  }

  #sendDeflated(data: Payload): SendResult | undefined {
    const opcode = typeof data === "string" ? Opcode.Text : Opcode.Binary;
    const deflater = this.#deflater!;
    const plain = toBytes(data);
    const deflated = deflater.compress(plain, true);
    // A message that does not get smaller is sent plain, unless that would cost the context.
    const deflatedWire = framedLength(deflated.length, this.#frameSize, this.#masked);
    const useful = deflated.length < plain.length || (deflater.takeover && this.#fits(deflatedWire));
    const payload = useful ? deflated : plain;
    let sent = false;
    try {
      sent = this.hasRoomFor(useful ? deflatedWire : wireLength(data, this.#frameSize, this.#masked));
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

  /** Counts a message that was not taken. */
  countDropped(): void {
    this.#meter.dropped++;
  }

  /**
   * Sends bytes that are not frames, before the first frame.
   *
   * @param preface The bytes, never to be changed again.
   */
  sendPreface(preface: Uint8Array): void {
    this.#queue.appendEncoded(preface, 0);
    this.#scheduleFlush();
  }

  /**
   * Sends a message of a broadcast.
   *
   * @param message The message.
   * @returns The result; `undefined`: it does not fit `maxBufferedAmount` now.
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
   * Checks that a data frame may follow the frames sent before (RFC 6455 §5.4).
   *
   * @param opcode Its opcode.
   * @param fragmented `true` if a fragmented message is not finished.
   * @throws {OptionError} If it is not the opcode of a data frame.
   * @throws {StateError} If it does not fit the frames sent before.
   */
  assertFragment(opcode: Opcode, fragmented: boolean = this.#fragmented): void {
    if (opcode !== Opcode.Continuation && opcode !== Opcode.Text && opcode !== Opcode.Binary) {
      throw new OptionError(`Cannot send a frame: "${opcode}" is not the opcode of a data frame`, "ERR_PAYLOAD");
    }
    if (opcode === Opcode.Continuation && !fragmented) {
      throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send a continuation frame: no message is begun");
    }
    if (opcode !== Opcode.Continuation && fragmented) {
      throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send a frame: a fragmented message is not finished");
    }
  }

  /**
   * Sends one data frame, not split any further.
   *
   * @param opcode Its opcode.
   * @param data Its payload.
   * @param final Whether it ends the message.
   * @returns The result; `undefined`: it does not fit `maxBufferedAmount` now.
   * @throws {OptionError} If it can never fit.
   */
  sendFragment(opcode: Opcode, data: Payload, final: boolean): SendResult | undefined {
    if (this.#isOverBudget) return undefined;
    const first = opcode !== Opcode.Continuation;
    const deflate = first ? this.#isWorthDeflating(data) : this.#fragmentsDeflated;
    // By its plain length: compression cannot be undone. The result is a few bytes longer at most, 6 % with little
    // memory.
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
   * Answers a ping: now, or when much waits already or many came at once, later; then only the newest ping is answered.
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

  /** Answers no ping later: a close frame is the last frame. */
  forgetPong(): void {
    this.#owedPong = undefined;
  }

  /** Calls `allSent` of the owner after each write from now on that leaves no bytes waiting. */
  end(): void {
    if (this.#state !== "closed") this.#state = "ending";
    this.forgetPong();
  }

  #appended(): SendResult {
    const waiting = this.bufferedAmount;
    if (waiting >= LARGE && waiting < HUGE && this.#batch !== undefined) this.#queue.flush();
    this.#countBuffered();
    this.#scheduleFlush();
    return this.congested ? "backpressure" : "sent";
  }

  /**
   * All frames of a turn go out in one write: in the batch of the transport; without one at `uncork`, or else in a
   * microtask.
   */
  #scheduleFlush(): void {
    if (this.#corked || this.#flushScheduled) return;
    this.#flushScheduled = true;
    (this.#batch ?? microtaskBatch).add(this);
  }

  /** Writes the collected frames. */
  flushBatch(): void {
    this.#flushScheduled = false;
    if (this.#state === "closed") return;
    this.#queue.flush();
    this.#flushed();
  }

  /** Collects frames until `uncork`. */
  cork(): void {
    this.#corked = true;
    this.#pongs = 0;
  }

  /** Writes the frames collected since `cork`. */
  uncork(): void {
    this.#corked = false;
    if (this.#batch !== undefined && this.#queue.waits) this.#scheduleFlush();
    else this.flushBatch();
  }

  /** The transport is ready again. */
  drain(): void {
    if (this.#state === "closed") return;
    this.#queue.drain();
    this.#flushed();
  }

  /** The waiting bytes of all connections together have a limit too; connections that are not slow are not affected. */
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
    if (this.#state === "ending") this.#owner.allSent();
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    for (const waiter of waiters) waiter.resolve();
  }

  /**
   * Waits until no bytes wait any more.
   *
   * @returns Rejects if waiting bytes are dropped before.
   */
  drained(): Promise<void> {
    if (this.#state === "closed") this.#noteLoss(undefined);
    if (this.#loss === undefined && this.bufferedAmount === 0) return Promise.resolve();
    const promise = new Promise<void>((resolve, reject) => {
      if (this.#loss !== undefined) reject(this.#loss);
      else (this.#waiters ??= []).push({ resolve, reject });
    });
    // A program may ignore the promise.
    promise.catch(() => {});
    return promise;
  }

  /**
   * Drops all waiting bytes, and takes no others; promises of `drained` reject.
   *
   * @param cause The reason, if it is known.
   */
  discard(cause: unknown): void {
    this.#state = "closed";
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
    const message = "The connection was lost before all bytes were sent";
    this.#loss ??= new TransportError("ERR_CONNECTION_LOST", message, { cause });
  }
}

function toBytes(data: Payload): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}

/** The longest frame, in bytes; 0: messages are not split. */
function frameSizeOf({ splitMessage, frameSize }: ConnectionSettings, masked: boolean): number {
  if (!splitMessage || frameSize === 0) return 0;
  assertFrameSize(frameSize, masked);
  return frameSize;
}
