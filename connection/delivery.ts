/**
 * The last part of a connection before the handlers of the program: takes messages and control frames of the message
 * assembler, checks their rate, answers pings, and delivers.
 *
 * @module
 */

import type { BinaryForm } from "./binary_form.ts";
import type { Closing } from "./closing.ts";
import type { ConnectionEvents, MessageResult } from "./options.ts";
import { ConnectionClosedError } from "../base/errors.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageHandler } from "../protocol/message.ts";
import type { FrameReader } from "./frame_reader.ts";
import { HandlerSlots, noHandlerFor } from "./handler_slots.ts";
import { handlerTime, timeHandler } from "../base/handler_time.ts";
import type { KeepAlive } from "./keep_alive.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { MessageQueue } from "./message_queue.ts";
import type { Meter } from "../base/stats.ts";
import { Pings } from "./pings.ts";
import { QueuedDelivery, type QueueSource } from "./queued_delivery.ts";

/** Delivers the messages and control frames of one connection. */
export class DeliveryControl<Connection> implements MessageHandler {
  readonly #connection: Connection;
  #handler: ConnectionEvents<Connection>;
  readonly #closing: Closing<Connection>;
  readonly #meter: Meter;
  #reader!: FrameReader<Connection>;
  #keepAlive: KeepAlive | undefined;
  /** Made on first use: most programs have handlers. */
  #queued: QueuedDelivery | undefined;
  /** Form of binary messages of the program, if the subprotocol has others too. */
  #binaryForm: BinaryForm | undefined;
  /** Promises of handlers that are pending. */
  readonly #slots: HandlerSlots;
  /** Messages that came before there was a handler, as long as some still wait for a slot. */
  #waiting: MessageQueue | undefined;
  /** `true` if these were released after the end of the connection, which then loses none of them. */
  #releasedLate = false;
  /** `true` while the program has stopped the delivery. */
  #paused = false;
  /** `true` if a batch ended for want of a slot. */
  #batchCut = false;
  /** `true` if a message was dropped behind our close frame: handlers get no later ones, so that they see no gap. */
  #drops = false;
  /** `true` if the program was told of a message without handler. */
  #toldUnhandled = false;
  /** Made by the first ping of the program. */
  #pings: Pings | undefined;
  #ended = false;

  /**
   * Makes a delivery that hands everything to the handlers; `attach` completes it.
   *
   * @param connection The connection, for its handlers.
   * @param handler The handlers.
   * @param closing Answers pings and close frames, as the phase allows.
   * @param meter Counts messages.
   */
  constructor(
    connection: Connection,
    handler: ConnectionEvents<Connection>,
    closing: Closing<Connection>,
    meter: Meter,
  ) {
    this.#connection = connection;
    this.#handler = handler;
    this.#closing = closing;
    this.#meter = meter;
    this.#slots = new HandlerSlots({
      proceed: () => this.#proceed(),
      deferWork: (work) => this.#reader.deferWork(work),
    }, closing.settings.concurrency);
  }

  /**
   * Connects the reader, which is stopped when too much waits.
   *
   * @param reader The source of the messages.
   */
  attach(reader: FrameReader<Connection>): void {
    this.#reader = reader;
  }

  /**
   * Replaces the handlers, before the handshake is done.
   *
   * @param handler The handlers.
   * @param concurrency Largest number of promises of handlers that may be pending; 0: no limit.
   */
  configure(handler: ConnectionEvents<Connection>, concurrency: number): void {
    this.#handler = handler;
    this.#slots.limit = concurrency;
  }

  /**
   * Tells pongs to a keep-alive from now on.
   *
   * @param keepAlive The keep-alive.
   */
  useKeepAlive(keepAlive: KeepAlive): void {
    this.#keepAlive = keepAlive;
  }

  /**
   * Shows loops only messages of the program from now on.
   *
   * @param form The form of its binary messages.
   */
  useBinaryForm(form: BinaryForm): void {
    this.#binaryForm = form;
  }

  /** Stops pings and the check for idleness. */
  stopKeepAlive(): void {
    this.#keepAlive?.stop();
  }

  /** The time of the last answer to a ping, in ms; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#keepAlive?.latency;
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  /**
   * Delivers a message, or with frame by frame delivery a frame of one.
   *
   * @param data The text or the bytes.
   * @param frame Given with frame by frame delivery only.
   */
  message(data: MessageData, frame?: FrameInfo): void {
    const reader = this.#reader;
    if (reader.rates !== undefined) this.#countMessage();
    if (frame === undefined || frame.final) this.#meter.messagesReceived++;
    // A program that calls close() between two steps does not fetch messages before the peer's close frame.
    if (reader.delivery === "step" && !reader.stepping && this.#closing.closeSent) this.#useQueue().drop();
    const queued = this.#queued;
    let result: MessageResult = "none";
    if ((queued === undefined || queued.reachesHandlers) && (!this.#holds || this.#mayHand())) {
      result = handlerTime.wanted
        ? this.#deliverTimed(data, frame)
        : this.#handler.message(this.#connection, data, frame);
      if (result !== undefined) this.#handed(result, data);
    }
    // The handler may have begun to read from the queue.
    if (this.#queued !== undefined) this.#enqueue(this.#queued, data, frame, result);
    reader.finishStep("message");
  }

  /** Frames of messages of the subprotocol cannot be told apart: loops get them all. */
  #enqueue(queue: QueuedDelivery, data: MessageData, frame: FrameInfo | undefined, result: MessageResult): void {
    const form = this.#binaryForm;
    const own = form === undefined || frame !== undefined ? data : form.read(data);
    if (own !== undefined) queue.add(own, result);
  }

  /** A function of its own, since a closure costs each call of its function. */
  #deliverTimed(data: MessageData, frame: FrameInfo | undefined): MessageResult {
    return timeHandler(() => this.#handler.message(this.#connection, data, frame));
  }

  /** Takes a promise of a handler, or notes that there was no handler. */
  #handed(result: PromiseLike<unknown> | false | "none", data: MessageData): void {
    if (result === false || result === "none") return this.#tellUnhandled(data, result);
    this.#slots.take(result);
    if (!this.#slots.full || this.#reader.delivery === "step") return;
    this.#batchCut = this.#reader.delivery === "batched";
    this.#reader.block();
  }

  #tellUnhandled(data: MessageData, result: false | "none"): void {
    if (this.#toldUnhandled || this.#queued?.keepsResult(result)) return;
    this.#toldUnhandled = true;
    this.#handler.error(this.#connection, noHandlerFor(data, result));
  }

  /** `true` while messages have to wait for handlers before them. */
  get #holds(): boolean {
    return this.#slots.full || this.#waiting !== undefined;
  }

  /** Decides about a message that was not held back: the reading does not stop behind our close frame, or in steps. */
  #mayHand(): boolean {
    if (this.#closing.closeSent && this.#reader.delivery !== "step") this.#drops = true;
    if (!this.#drops && this.#waiting !== undefined) this.#handAll(this.#waiting);
    return !this.#drops;
  }

  /** A step goes on in spite of pending handlers: older messages come first. */
  #handAll(queue: MessageQueue): void {
    while (!queue.empty) {
      const data = queue.shift()!;
      const result = this.#handler.message(this.#connection, data);
      if (result !== undefined) this.#handed(result, data);
    }
    this.#waiting = undefined;
  }

  /** A handler is done: goes on, unless others or a full queue hold the reading up. */
  #proceed(): void {
    if (this.#paused) return;
    if (this.#waiting !== undefined) return this.#handWaiting();
    if (this.full) return;
    const cut = this.#batchCut;
    this.#batchCut = false;
    // The program may have chosen another delivery since.
    if (cut && this.#reader.delivery === "batched") this.#reader.deliverBatch();
    else this.#reader.unblockImmediate();
  }

  /**
   * The transport is closed: goes on with the messages that had come before.
   *
   * @returns `true` if some still wait for handlers.
   */
  waitsForHandlers(): boolean {
    // The transport may have cancelled what was deferred.
    this.#slots.resume();
    // What waits for the next batch is the last one, and has the slots that are free.
    while (!this.#holds && this.#mayBatch) this.#reader.deliverBatch();
    // No batch is worth waiting for any more.
    this.#batchCut = true;
    return this.#holds && (this.#waiting !== undefined || !this.#reader.empty);
  }

  get #mayBatch(): boolean {
    return this.#reader.delivery === "batched" && !this.#reader.empty && this.#closing.phase === "open";
  }

  /** Counts a message or control frame: within a parse, so that an error thrown here fails the connection. */
  #countMessage(): void {
    const error = this.#reader.rates!.check(1, 0, this.#closing.settings.clock.now());
    if (error !== undefined) throw error;
  }

  // ---- Control frames ------------------------------------------------------------------------------------------

  /**
   * Delivers a ping, answered unless `manualPong` is on.
   *
   * @param payload Its payload, valid only during the call.
   */
  ping(payload: Uint8Array): void {
    if (this.#reader.rates !== undefined) this.#countMessage();
    this.#keepAlive?.ping(payload);
    this.#closing.answerPing(payload);
    this.#handler.ping(this.#connection, payload);
    this.#reader.finishStep("control");
  }

  /**
   * Delivers a pong.
   *
   * @param payload Its payload, valid only during the call.
   */
  pong(payload: Uint8Array): void {
    if (this.#reader.rates !== undefined) this.#countMessage();
    let latency = this.#keepAlive?.pong(payload);
    if (this.#pings !== undefined) latency = this.#answerPings(this.#pings, payload, latency);
    if (latency !== undefined) this.#meter.pingTimes.add(latency);
    this.#handler.pong(this.#connection, payload);
    this.#reader.finishStep("control");
  }

  /** A function of its own: few programs wait for pongs. */
  #answerPings(pings: Pings, payload: Uint8Array, latency: number | undefined): number | undefined {
    const now = this.#closing.settings.clock.now();
    if (latency !== undefined) {
      pings.answer(this.#keepAlive!.lastPing, now);
      return latency;
    }
    const ping = pings.pong(payload, now);
    return ping === undefined ? undefined : this.#keepAlive?.answeredBy(ping);
  }

  /**
   * Waits for the pong of a ping of the program.
   *
   * @param payload The payload of the ping, which was sent.
   * @returns The time until the pong, in ms. Rejects with a {@linkcode ConnectionClosedError} if the connection ends
   * before. May be ignored.
   */
  waitForPong(payload: Uint8Array): Promise<number> {
    this.#pings ??= new Pings();
    if (this.#ended) this.#endPings();
    return this.#pings.wait(payload, this.#closing.settings.clock.now());
  }

  #endPings(): void {
    this.#ended = true;
    this.#pings?.end(() => new ConnectionClosedError("wait for a pong", this.#closing.end, this.#cause));
  }

  get #cause(): { cause?: unknown } {
    const { failure } = this.#closing;
    return failure === undefined ? {} : { cause: failure };
  }

  /**
   * Waits for the next message, as a reader of the queue.
   *
   * @param signal Ends the wait.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} if the connection ends before, or with the
   * reason of the signal.
   */
  async receive(signal?: AbortSignal): Promise<MessageData> {
    const next = this.queue.next(signal);
    let lost: { cause?: unknown } | undefined;
    try {
      const { done, value } = await next;
      if (!done) return value;
    } catch (cause) {
      if (signal?.aborted && cause === signal.reason) throw cause;
      lost = { cause };
    }
    throw new ConnectionClosedError("receive", this.#closing.end, lost);
  }

  /**
   * Delivers the peer's close frame: no more messages will come.
   *
   * @param code Its code; 1005 if it has none.
   * @param reason Its reason.
   */
  close(code: number, reason: string): void {
    this.#useQueue().end();
    this.#closing.receiveClose(code, reason);
    this.#endPings();
    this.#handler.close(this.#connection, code, reason);
    this.#reader.finishStep("control");
  }

  // ---- Queue ---------------------------------------------------------------------------------------------------

  #useQueue(): QueuedDelivery {
    return this.#queued ??= new QueuedDelivery(this.#makeSource(), this.#closing);
  }

  #makeSource(): QueueSource {
    const handler = this.#handler;
    return {
      block: () => this.#reader.block(),
      unblockImmediate: () => this.#proceed(),
      get handlesMessages() {
        return handler.handlesMessages?.() === true;
      },
      hand: (messages) => this.#hand(messages),
    };
  }

  /** `true` if enough messages wait in the queue, or handlers have to finish first. */
  get full(): boolean {
    return this.#paused || this.#holds || (this.#queued?.full ?? false);
  }

  /** Stops the delivery, and with it the reading, until `resume`; the closing handshake goes on. */
  pause(): void {
    this.#paused = true;
    this.#reader.block();
  }

  /** Goes on delivering. */
  resume(): void {
    this.#paused = false;
    this.#proceed();
  }

  /** Keeps messages in the queue until `release`, unless the program has taken it. */
  wait(): void {
    this.#useQueue().wait();
  }

  /** The queue, for readers: see {@linkcode QueuedDelivery.queue}. */
  get queue(): MessageQueue {
    return this.#useQueue().queue;
  }

  /** `true` if messages wait for a reader. */
  get holdsMessages(): boolean {
    return this.#queued?.holdsMessages === true;
  }

  /** Hands the messages that waited for a handler to the handlers. */
  release(): void {
    this.#queued?.release();
  }

  #hand(messages: MessageQueue): void {
    const before = this.#waiting;
    this.#waiting = before ?? messages;
    // An end that came behind the messages loses none of them; an end caused by a handler stops the delivery.
    this.#releasedLate = this.#closing.discards;
    if (before === undefined) return this.#handWaiting();
    for (let data = messages.shift(); data !== undefined; data = messages.shift()) before.push(data);
  }

  #handWaiting(): void {
    const queue = this.#waiting!;
    const wanted = (): boolean => !queue.empty && (this.#releasedLate || !this.#closing.discards);
    this.#reader.replay(() => {
      while (!this.#slots.full && wanted()) {
        const data = queue.shift()!;
        const result = this.#handler.message(this.#connection, data);
        if (result !== undefined) this.#handed(result, data);
      }
    });
    if (wanted()) return this.#reader.block();
    this.#waiting = undefined;
    if (this.#closing.phase === "closed" || this.#reader.delivery !== "immediate") return;
    if (!this.#slots.full || this.#closing.closeSent) this.#reader.unblock();
  }

  /**
   * Ends the queue with an error: the connection was lost.
   *
   * @param cause The error that broke it.
   */
  lose(cause: unknown): void {
    this.#useQueue().lose(cause);
    this.#endPings();
  }
}
