/**
 * Messages that a program reads itself, from the iterator, `receive` or `readable` of a connection, and those that come
 * before it listens.
 *
 * | use       | entered when                                           | handlers get messages | the queue keeps them |
 * |-----------|--------------------------------------------------------|-----------------------|----------------------|
 * | `unused`  | at first; the last reader has gone, there are handlers | yes                   | no                   |
 * | `waiting` | the program has no handler yet                         | later                 | yes                  |
 * | `taken`   | the program reads                                      | yes                   | yes                  |
 * | `kept`    | the last reader has gone, there is no handler          | yes                   | those without one    |
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import { MessageQueue } from "./message_queue.ts";
import type { MessageResult } from "./options.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Delivers messages, and stops when the queue is full. */
export interface QueueSource {
  /** Stops delivering: the queue is full. */
  block(): void;
  /** Goes on delivering, if only the queue has stopped it. */
  unblockImmediate(): void;
  /** `true` if the program has a handler for messages. */
  readonly handlesMessages: boolean;
  /** Hands over messages to the handlers, and then goes on delivering. */
  hand(messages: MessageQueue): void;
}

/** The connection of a {@linkcode QueuedDelivery}. */
export interface QueueConnection {
  /**
   * `true` if a close frame was sent first: a full queue drops messages then, since the peer's close frame behind them
   * must be found.
   */
  readonly closeSent: boolean;
  /** The reader of the stream has cancelled it: closes the connection. */
  close(): unknown;
}

/** The queue of one connection. */
export class QueuedDelivery {
  readonly #source: QueueSource;
  readonly #connection: QueueConnection;
  #use: "unused" | "waiting" | "taken" | "kept" = "unused";
  #queue: MessageQueue | undefined;
  #ended: { error: unknown } | undefined;
  /** `true` if a message was dropped: all later ones are dropped too, so that the reader sees no gap. */
  #drops = false;

  /**
   * Makes one without a queue.
   *
   * @param source Is stopped while the queue is full.
   * @param connection The connection.
   */
  constructor(source: QueueSource, connection: QueueConnection) {
    this.#source = source;
    this.#connection = connection;
  }

  /** `true` if enough messages wait. */
  get full(): boolean {
    return this.#queue?.full ?? false;
  }

  /**
   * Tells if a message that no handler got is kept for readers.
   *
   * @param result Result of handing it over.
   * @returns `true` if a reader gets it, now or later.
   */
  keepsResult(result: false | "none"): boolean {
    return this.#use === "taken" || (this.#use === "kept" && result === "none");
  }

  /** `true` if messages wait. */
  get holdsMessages(): boolean {
    return this.#queue?.empty === false;
  }

  /** `true` if handlers get the messages that come. */
  get reachesHandlers(): boolean {
    return !this.#drops && this.#use !== "waiting";
  }

  /** Keeps messages from now on until `release`, unless the program reads. */
  wait(): void {
    if (this.#use !== "unused") return;
    this.#use = "waiting";
    void this.queue;
  }

  /** The queue, for readers: while there is one, all messages go there too. */
  get queue(): MessageQueue {
    if (this.#queue === undefined) {
      this.#queue = new MessageQueue(
        () => this.#source.unblockImmediate(),
        () => void this.#connection.close(),
        () => this.#readersChanged(),
      );
      if (this.#ended !== undefined) this.#queue.end(this.#ended.error);
    }
    return this.#queue;
  }

  #readersChanged(): void {
    if (this.#queue!.hasReaders) this.#use = "taken";
    else if (this.#use === "taken") this.#readersGone(this.#queue!);
  }

  /** Goes on with the handlers alone; without any, messages wait for the next reader. */
  #readersGone(queue: MessageQueue): void {
    const wasFull = queue.full;
    queue.dropHanded();
    const handles = this.#source.handlesMessages;
    this.#use = handles ? "unused" : "kept";
    if (handles && !queue.empty) this.#source.hand(queue.takeAll());
    else if (wasFull && !queue.full) this.#source.unblockImmediate();
  }

  /** Hands over the messages that wait to the handlers, unless the program reads; later ones go to the handlers. */
  release(): void {
    if (this.#use !== "waiting" && this.#use !== "kept") return;
    this.#use = "unused";
    this.#source.hand(this.#queue!.takeAll());
  }

  /** Drops all later messages, for handlers too. */
  drop(): void {
    this.#drops = true;
  }

  /**
   * Adds a message, if the queue is in use.
   *
   * @param data The message.
   * @param result Result of handing it over; `"none"` if no handler got it.
   */
  add(data: MessageData, result: MessageResult): void {
    if (this.#use === "unused" || this.#drops) return;
    // A stream was unlocked in a way that cannot be seen.
    if (this.#use === "taken") this.#readersChanged();
    if (this.#use !== "taken" && result !== "none") return;
    if (this.full && this.#connection.closeSent) {
      this.#drops = true;
      return;
    }
    this.#queue!.push(data, result !== "none" && result !== false);
    if (this.full) this.#source.block();
  }

  /** Ends the queue behind the messages that wait: a close frame came. */
  end(): void {
    this.#end(undefined);
  }

  /**
   * Ends the queue with an error behind the messages that wait, for later readers too: the connection was lost.
   *
   * @param cause The error that broke it.
   */
  lose(cause: unknown): void {
    this.#end(new TransportError("ERR_CONNECTION_LOST", "The connection was lost without a close frame", { cause }));
  }

  #end(error: unknown): void {
    this.#ended = { error };
    this.#queue?.end(error);
  }
}
