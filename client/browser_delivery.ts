/**
 * Delivery of the messages of a page's WebSocket: to handlers and loops, in batches, in steps, within the limit of
 * pending handlers; and the waiting messages.
 *
 * @module
 */

import type { ConnectionSettings, Delivery, MessageResult, StepResult } from "../connection/options.ts";
import type { ClientConnectionHandler } from "./connector.ts";
import { ProtocolError, StateError, TransportError } from "../base/errors.ts";
import { noHandlerFor } from "../connection/handler_slots.ts";
import { MessageQueue } from "../connection/message_queue.ts";
import { byteLength, type MessageData } from "../protocol/payload.ts";
import { QueuedDelivery, type QueueSource } from "../connection/queued_delivery.ts";

/** Largest size of waiting messages, or `maxMessageSize` if that is more; one more message is taken. */
const WAITING_LIMIT = 1024 * 1024;

/** Phase of a connection: see `browser_connection.ts`. */
export type Phase = "open" | "closing" | "failed" | "aborted" | "reporting" | "closed";

/** State of a connection, which it shares with its delivery. */
export interface Life {
  /** The phase; only the connection changes it. */
  phase: Phase;
  /** Close event of the socket, once it has come. */
  end?: CloseEvent | undefined;
}

/** Connection whose messages are delivered. */
export interface BrowserDeliveryOwner {
  /** Starts the closing handshake. */
  close(): unknown;
  /** Closes and reports after a failed message or handler. */
  fail(error: unknown): void;
  /** Closes the socket at once. */
  abort(error: TransportError): void;
  /** Notifies the program of the end: all messages before it were delivered. */
  finish(): void;
}

/** Delivers messages. */
export class BrowserDelivery implements QueueSource {
  readonly #settings: ConnectionSettings;
  readonly #life: Life;
  readonly #owner: BrowserDeliveryOwner;
  #handler!: ClientConnectionHandler;
  /** Messages that wait for delivery. */
  #arrived: MessageQueue = new MessageQueue();
  #mode: Delivery = "immediate";
  /** `true` while delivery waits: before it begins, for a full queue, between batches, between steps. */
  #blocked = true;
  /** `true` once messages are delivered. */
  begun = false;
  /** Error of a message that is too large, reported after the delivery of those before it. */
  #refused: ProtocolError | undefined;
  #delivering = false;
  readonly #queued: QueuedDelivery = new QueuedDelivery(this, this);
  /** Number of promises of handlers that are pending. */
  #pending = 0;
  /** Messages that came before there was a handler, as long as some still wait for a slot. */
  #held: MessageQueue | undefined;
  /** `true` if these were released after the end, which then loses none of them. */
  #heldLate = false;
  /** `true` if a batch ended for want of a slot. */
  #batchCut = false;
  /** `true` if the program was told of a message without handler. */
  #toldUnhandled = false;
  #endStep: ((result: StepResult) => void) | undefined;

  /**
   * Begins without messages.
   *
   * @param settings Settings of the connection.
   * @param life State of the connection.
   * @param owner The connection.
   */
  constructor(settings: ConnectionSettings, life: Life, owner: BrowserDeliveryOwner) {
    this.#settings = settings;
    this.#life = life;
    this.#owner = owner;
  }

  // ---- State of the connection, for the queue too ----------------------------------------------------------------

  /** `true` after the program has closed, while messages are still delivered. */
  get closeSent(): boolean {
    return this.#life.phase === "closing";
  }

  get #isOpen(): boolean {
    return this.#life.phase === "open";
  }

  /** `true` if messages that still come are dropped. */
  get discards(): boolean {
    return !this.#isOpen && !this.closeSent;
  }

  /** Tells if the program has a handler for messages. */
  get handlesMessages(): boolean {
    return this.#handler.handlesMessages?.() === true;
  }

  /** Starts the closing handshake: the program has cancelled its stream. */
  close(): void {
    this.#owner.close();
  }

  // ---- Modes -----------------------------------------------------------------------------------------------------

  /**
   * Attaches the handler of the client.
   *
   * @param handler Takes the messages.
   * @param mode When messages are delivered.
   * @param waitForHandler Keeps messages until the program takes them.
   */
  attach(handler: ClientConnectionHandler, mode: Delivery, waitForHandler: boolean): void {
    this.#handler = handler;
    this.#mode = mode;
    if (waitForHandler) this.#queued.wait();
  }

  /** Goes on with what is delivered without batches and steps. */
  unblockImmediate(): void {
    if (this.#mode === "immediate") this.unblock();
  }

  /**
   * Changes when messages are delivered.
   *
   * @param mode The new mode.
   */
  set(mode: Delivery): void {
    this.#mode = mode;
    if (mode !== "step") this.finishStep("none");
    if (mode === "immediate") this.unblock();
    else this.block();
  }

  /**
   * Takes a message of the socket.
   *
   * @param content Text or bytes.
   */
  arrive(content: string | ArrayBuffer): void {
    if (this.discards || this.#refused !== undefined) return;
    const data = typeof content === "string" ? content : new Uint8Array(content);
    const { maxMessageSize } = this.#settings;
    if (maxMessageSize > 0 && byteLength(data) > maxMessageSize) {
      this.#refused = new ProtocolError(
        "ERR_MESSAGE_TOO_LARGE",
        `A message is larger than the limit of ${maxMessageSize} bytes`,
      );
    } else this.#arrived.push(data);
    if (this.#endStep !== undefined) this.#blocked = false;
    this.#deliver();
    // One message more, so that each message within `maxMessageSize` may wait.
    const limit = Math.max(WAITING_LIMIT, maxMessageSize) + data.length + 64;
    if (this.#arrived.size <= limit || this.#delivering) return;
    const message = `The program takes messages too slowly: ${this.#arrived.size} bytes wait for it`;
    this.#owner.abort(new TransportError("ERR_SLOW_CONSUMER", message));
  }

  get #empty(): boolean {
    return this.discards || (this.#arrived.empty && this.#refused === undefined);
  }

  /** Delivers waiting messages until delivery is blocked. */
  #deliver(): void {
    if (this.#delivering || !this.begun) return;
    this.#delivering = true;
    this.#deliverReady();
    this.#delivering = false;
    if (this.#life.end !== undefined) this.finishIfOver();
  }

  #deliverReady(): void {
    try {
      while (!this.#blocked && !this.#holds && !this.#empty) {
        const data = this.#arrived.shift();
        if (data === undefined) return this.#owner.fail(this.#refused);
        // A program that calls close() between two steps does not fetch the messages before the server's close frame.
        if (this.#mode === "step" && this.#endStep === undefined && !this.#isOpen) this.#queued.drop();
        this.#queued.add(data, this.#queued.reachesHandlers ? this.#hand(data) : "none");
        this.finishStep("message");
      }
    } catch (error) {
      this.#owner.fail(error);
    }
  }

  #hand(data: MessageData): MessageResult {
    const result = this.#handler.message(data);
    if (result === undefined) return undefined;
    if (result === false || result === "none") this.#tellUnhandled(data, result);
    else {
      this.#pending++;
      result.then(this.#settled, this.#settled);
      if (this.#full) this.#batchCut = this.#mode === "batched";
    }
    return result;
  }

  /** `true` if as many promises of handlers are pending as may be. */
  get #full(): boolean {
    const { concurrency } = this.#settings;
    return concurrency > 0 && this.#pending >= concurrency;
  }

  readonly #settled = (): void => {
    const wasFull = this.#full;
    this.#pending--;
    // Once for all that are settled in this turn.
    if (wasFull && !this.#full) queueMicrotask(() => this.#proceed());
  };

  #tellUnhandled(data: MessageData, result: false | "none"): void {
    if (this.#toldUnhandled || this.#queued.keepsResult(result)) return;
    this.#toldUnhandled = true;
    this.#handler.error(noHandlerFor(data, result));
  }

  /** `true` while messages have to wait for handlers before them. */
  get #holds(): boolean {
    return (this.#full && this.#mode !== "step") || this.#held !== undefined;
  }

  /** A handler is done: goes on. */
  #proceed(): void {
    if (this.#held !== undefined) return this.#handHeld();
    const cut = this.#batchCut;
    this.#batchCut = false;
    // The program may have chosen another delivery since.
    if (cut && this.#mode === "batched") this.deliverBatch();
    else this.#deliver();
  }

  /** Blocks delivery, but never in the closing handshake. */
  block(): void {
    if (this.#isOpen) this.#blocked = true;
  }

  /** Delivers from now on. */
  unblock(): void {
    this.#blocked = false;
    this.#deliver();
  }

  /** Delivers messages that have come since the last batch. */
  deliverBatch(): void {
    if (this.#mode !== "batched" || this.#queued.full || !this.#isOpen) return;
    this.unblock();
    if (this.#mode === "batched") this.block();
  }

  /**
   * Handles one incoming message.
   *
   * @param timeout Time to wait for one, in ms; 0: no limit.
   * @returns The kind of event: a browser shows no control frames.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult> {
    if (this.#life.phase === "closed") return Promise.resolve("closed");
    if (this.#endStep !== undefined) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: a check is running already");
    }
    return new Promise((resolve) => {
      const { clock } = this.#settings;
      const cancel = timeout > 0 ? clock.after(timeout, () => this.finishStep("none")) : undefined;
      this.#endStep = (result) => {
        cancel?.();
        resolve(result);
      };
      this.unblock();
      if (this.#mode === "step") this.block();
    });
  }

  /**
   * Ends the step that waits, and blocks delivery until the next one.
   *
   * @param result Result of the step.
   */
  finishStep(result: StepResult): void {
    const end = this.#endStep;
    this.#endStep = undefined;
    if (this.#mode === "step") this.block();
    end?.(result);
  }

  /** Hands over the messages that waited for a handler. */
  release(): void {
    this.#queued.release();
  }

  /**
   * Hands messages over to the handlers.
   *
   * @param messages Messages that waited.
   */
  hand(messages: MessageQueue): void {
    const before = this.#held;
    this.#held = before ?? messages;
    // An end that came after the messages loses none; an end caused by a handler stops the delivery.
    this.#heldLate = this.discards;
    if (before === undefined) return this.#handHeld();
    for (let data = messages.shift(); data !== undefined; data = messages.shift()) before.push(data);
  }

  #handHeld(): void {
    const held = this.#held!;
    const wanted = (): boolean => !held.empty && (this.#heldLate || !this.discards);
    this.#delivering = true;
    let failed = false;
    try {
      while (!this.#full && wanted()) this.#hand(held.shift()!);
    } catch (error) {
      failed = true;
      this.#owner.fail(error);
    }
    this.#delivering = false;
    if (wanted() && !failed) return;
    this.#held = undefined;
    if (this.#mode === "immediate" || this.#endStep !== undefined) this.unblock();
    else if (this.#life.end !== undefined) this.finishIfOver();
  }

  /** The queue of the messages, for readers. */
  get queue(): MessageQueue {
    return this.#queued.queue;
  }

  /** `true` if messages wait for a reader. */
  get holdsMessages(): boolean {
    return this.#queued.holdsMessages;
  }

  /** Drops the messages that wait. */
  drop(): void {
    this.#arrived = new MessageQueue();
  }

  /** With steps, the end is reported when all messages before it were fetched, or the program has closed. */
  finishIfOver(): void {
    if (this.#delivering) return;
    if (this.#mode === "step" && this.#isOpen && !this.#empty) return;
    this.#delivering = true;
    while (!this.#empty || this.#held !== undefined) {
      if (this.#holds) {
        // The program has closed, perhaps within a handler that waits for the end.
        if (!this.#isOpen) break;
        this.#delivering = false;
        return;
      }
      this.#blocked = false;
      this.#deliverReady();
    }
    this.#delivering = false;
    this.#owner.finish();
  }

  /**
   * Ends loops and streams.
   *
   * @param failed `true` if messages may be lost.
   * @param error Error of the loops then.
   */
  end(failed: boolean, error: unknown): void {
    if (failed) this.#queued.lose(error);
    else this.#queued.end();
  }
}
