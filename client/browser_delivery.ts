/**
 * Delivery of the messages of a page's WebSocket: to handlers and loops, in batches, in steps, within the limit of
 * pending handlers; and the waiting messages.
 *
 * @module
 */

import type { ConnectionSettings, Delivery, MessageResult, StepResult } from "../connection/options.ts";
import type { ClientConnectionHandler } from "./connector.ts";
import { ProtocolError, StateError, TransportError } from "../base/errors.ts";
import { HandlerSlots, noHandlerFor } from "../connection/handler_slots.ts";
import { MessageQueue } from "../connection/message_queue.ts";
import { byteLength, type MessageData } from "../protocol/payload.ts";
import { QueuedDelivery, type QueueSource } from "../connection/queued_delivery.ts";

/** Largest size of waiting messages, or `maxMessageSize` if that is more; one more message is taken. */
const WAITING_LIMIT = 1024 * 1024;

/** Connection whose messages are delivered. */
export interface BrowserDeliveryOwner {
  /** `true` until the program or the server closes. */
  readonly isOpen: boolean;
  /** `true` after the program has closed, while messages are still delivered. */
  readonly closeSent: boolean;
  /** `true` if messages that still come are dropped. */
  readonly discards: boolean;
  /** `true` once the socket is closed. */
  readonly ended: boolean;
  /** `true` once the program was notified of the end. */
  readonly closed: boolean;
  /** Starts the closing handshake. */
  close(): void;
  /** Closes and reports after a failed message or handler. */
  fail(error: unknown): void;
  /** Closes the socket at once. */
  abort(error: TransportError): void;
  /** Notifies the program of the end: all messages before it were delivered. */
  finish(): void;
}

/** Delivers messages. */
export class BrowserDelivery {
  readonly #settings: ConnectionSettings;
  readonly #owner: BrowserDeliveryOwner;
  #handler!: ClientConnectionHandler;
  /** Messages that wait for delivery. */
  #arrived: MessageQueue = makeQueue();
  #mode: Delivery = "immediate";
  /** `true` while delivery waits: before it begins, for a full queue, between batches, between steps. */
  #blocked = true;
  #begun = false;
  /** Error of a message that is too large, reported after the delivery of those before it. */
  #refused: ProtocolError | undefined;
  #delivering = false;
  readonly #queued: QueuedDelivery;
  /** Promises of handlers that are pending. */
  readonly #slots: HandlerSlots;
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
   * @param owner The connection.
   */
  constructor(settings: ConnectionSettings, owner: BrowserDeliveryOwner) {
    this.#settings = settings;
    this.#owner = owner;
    const { clock, concurrency } = settings;
    this.#slots = new HandlerSlots({
      proceed: () => this.#proceed(),
      deferWork: (work) => void clock.after(0, work),
    }, concurrency);
    this.#queued = new QueuedDelivery(this.#makeSource(), owner);
  }

  #makeSource(): QueueSource {
    const handles = (): boolean => this.#handler.handlesMessages?.() === true;
    return {
      block: () => this.#block(),
      unblockImmediate: () => void (this.#mode === "immediate" && this.unblock()),
      get handlesMessages() {
        return handles();
      },
      hand: (messages) => this.#handLater(messages),
    };
  }

  /** `true` once messages are delivered. */
  get begun(): boolean {
    return this.#begun;
  }

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

  /** Delivers messages that have come, and later ones, unless the connection is over already. */
  begin(): void {
    this.#begun = true;
  }

  /** Delivers at once what is delivered without batches and steps. */
  startImmediate(): void {
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
    else this.#block();
  }

  /**
   * Takes a message of the socket.
   *
   * @param content Text or bytes.
   */
  arrive(content: string | ArrayBuffer): void {
    if (this.#owner.discards || this.#refused !== undefined) return;
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
    return this.#owner.discards || (this.#arrived.empty && this.#refused === undefined);
  }

  /** Delivers waiting messages until delivery is blocked. */
  #deliver(): void {
    if (this.#delivering || !this.#begun) return;
    this.#delivering = true;
    this.#deliverReady();
    this.#delivering = false;
    if (this.#owner.ended) this.finishIfOver();
  }

  #deliverReady(): void {
    try {
      while (!this.#blocked && !this.#holds && !this.#empty) {
        const data = this.#arrived.shift();
        if (data === undefined) return this.#owner.fail(this.#refused);
        // A program that calls close() between two steps does not fetch the messages before the server's close frame.
        if (this.#mode === "step" && this.#endStep === undefined && !this.#owner.isOpen) this.#queued.drop();
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
      this.#slots.take(result);
      if (this.#slots.full) this.#batchCut = this.#mode === "batched";
    }
    return result;
  }

  #tellUnhandled(data: MessageData, result: false | "none"): void {
    if (this.#toldUnhandled || this.#queued.keepsResult(result)) return;
    this.#toldUnhandled = true;
    this.#handler.error(noHandlerFor(data, result));
  }

  /** `true` while messages have to wait for handlers before them. */
  get #holds(): boolean {
    return (this.#slots.full && this.#mode !== "step") || this.#held !== undefined;
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
  #block(): void {
    if (this.#owner.isOpen) this.#blocked = true;
  }

  /** Delivers from now on. */
  unblock(): void {
    this.#blocked = false;
    this.#deliver();
  }

  /** Delivers messages that have come since the last batch. */
  deliverBatch(): void {
    if (this.#mode !== "batched" || this.#queued.full || !this.#owner.isOpen) return;
    this.unblock();
    if (this.#mode === "batched") this.#block();
  }

  /**
   * Handles one incoming message.
   *
   * @param timeout Time to wait for one, in ms; 0: no limit.
   * @returns The kind of event: a browser shows no control frames.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult> {
    if (this.#owner.closed) return Promise.resolve("closed");
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
      if (this.#mode === "step") this.#block();
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
    if (this.#mode === "step") this.#block();
    end?.(result);
  }

  /** Hands over the messages that waited for a handler. */
  release(): void {
    this.#queued.release();
  }

  #handLater(messages: MessageQueue): void {
    const before = this.#held;
    this.#held = before ?? messages;
    // An end that came after the messages loses none; an end caused by a handler stops the delivery.
    this.#heldLate = this.#owner.discards;
    if (before === undefined) return this.#handHeld();
    for (let data = messages.shift(); data !== undefined; data = messages.shift()) before.push(data);
  }

  #handHeld(): void {
    const held = this.#held!;
    const wanted = (): boolean => !held.empty && (this.#heldLate || !this.#owner.discards);
    this.#delivering = true;
    let failed = false;
    try {
      while (!this.#slots.full && wanted()) this.#hand(held.shift()!);
    } catch (error) {
      failed = true;
      this.#owner.fail(error);
    }
    this.#delivering = false;
    if (wanted() && !failed) return;
    this.#held = undefined;
    if (this.#mode === "immediate" || this.#endStep !== undefined) this.unblock();
    else if (this.#owner.ended) this.finishIfOver();
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
    this.#arrived = makeQueue();
  }

  /** With steps, the end is reported when all messages before it were fetched, or the program has closed. */
  finishIfOver(): void {
    if (this.#delivering) return;
    const { isOpen } = this.#owner;
    if (this.#mode === "step" && isOpen && !this.#empty) return;
    this.#delivering = true;
    while (!this.#empty || this.#held !== undefined) {
      if (this.#holds) {
        // The program has closed, perhaps within a handler that waits for the end.
        if (!this.#owner.isOpen) break;
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

function makeQueue(): MessageQueue {
  return new MessageQueue(() => {}, () => {});
}
