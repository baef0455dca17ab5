/**
 * The last part of a connection before the handlers of the program: takes messages and control frames of the message
 * assembler, checks their rate, answers pings, and delivers.
 *
 * @module
 */

import type { Closing } from "./closing.ts";
import type { ConnectionEvents } from "./options.ts";
import { ConnectionClosedError } from "../base/errors.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageHandler } from "../protocol/message.ts";
import type { FrameReader } from "./frame_reader.ts";
import { handlerTime, timeHandler } from "../base/handler_time.ts";
import type { KeepAlive } from "./keep_alive.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { MessageQueue } from "./message_queue.ts";
import type { Meter } from "../base/stats.ts";
import { Pings } from "./pings.ts";
import { QueuedDelivery } from "./queued_delivery.ts";

/** Delivers the messages and control frames of one connection. */
export class DeliveryControl<Connection> implements MessageHandler {
  readonly #connection: Connection;
  readonly #handler: ConnectionEvents<Connection>;
  readonly #closing: Closing<Connection>;
  readonly #meter: Meter;
  #reader!: FrameReader<Connection>;
  #keepAlive: KeepAlive | undefined;
  /** Made on first use: most programs have handlers. */
  #queued: QueuedDelivery | undefined;
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
   * Tells pongs to a keep-alive from now on.
   *
   * @param keepAlive The keep-alive.
   */
  useKeepAlive(keepAlive: KeepAlive): void {
    this.#keepAlive = keepAlive;
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
    if (queued === undefined || queued.reachesHandlers) {
      if (handlerTime.wanted) this.#deliverTimed(data, frame);
      else this.#handler.message(this.#connection, data, frame);
    }
    // The handler may have begun to read from the queue.
    this.#queued?.add(data);
    reader.finishStep("message");
  }

  /** A function of its own, since a closure costs each call of its function. */
  #deliverTimed(data: MessageData, frame: FrameInfo | undefined): void {
    timeHandler(() => this.#handler.message(this.#connection, data, frame));
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
   * Waits for the next message; takes the queue.
   *
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} if the connection ends before.
   */
  async receive(): Promise<MessageData> {
    const next = this.take().next();
    let lost: { cause?: unknown } | undefined;
    try {
      const { done, value } = await next;
      if (!done) return value;
    } catch (cause) {
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
    return this.#queued ??= new QueuedDelivery(this.#reader, this.#closing);
  }

  /** `true` if enough messages wait in the queue. */
  get full(): boolean {
    return this.#queued?.full ?? false;
  }

  /** Keeps messages in the queue until `release`, unless the program has taken it. */
  wait(): void {
    this.#useQueue().wait();
  }

  /**
   * Takes the queue for a stream or an iterator; from now on all messages go there too.
   *
   * @returns The queue.
   */
  take(): MessageQueue {
    return this.#useQueue().take();
  }

  /** Hands the messages that waited for a handler to the handlers. */
  release(): void {
    const queue = this.#queued?.release();
    if (queue === undefined) return;
    // An end that came behind the messages loses none of them; an end caused by a handler stops the delivery.
    const ended = this.#closing.discards;
    this.#reader.replay(() => {
      for (let data = queue.shift(); data !== undefined && (ended || !this.#closing.discards); data = queue.shift()) {
        this.#handler.message(this.#connection, data);
      }
    });
    if (this.#closing.phase !== "closed" && this.#reader.delivery === "immediate") this.#reader.unblock();
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
