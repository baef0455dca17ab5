/**
 * Messages that a program reads itself, from the iterator or `readable` of a connection, and those that come before it
 * listens.
 *
 * | use       | entered when                                        | handlers get messages | the queue keeps them |
 * |-----------|-----------------------------------------------------|-----------------------|----------------------|
 * | `unused`  | at first                                            | yes                   | no                   |
 * | `waiting` | the program has no handler yet                      | later                 | yes                  |
 * | `taken`   | the program took `readable` or the iterator         | yes                   | yes                  |
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import { MessageQueue } from "./message_queue.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Delivers messages, and stops when the queue is full. */
export interface QueueSource {
  /** Stops delivering: the queue is full. */
  block(): void;
  /** Goes on delivering, if only the queue has stopped it. */
  unblockImmediate(): void;
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
  #use: "unused" | "waiting" | "taken" = "unused";
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

  /** `true` if a loop or stream of the program gets the messages. */
  get taken(): boolean {
    return this.#use === "taken";
  }

  /** `true` if handlers get the messages that come. */
  get reachesHandlers(): boolean {
    return !this.#drops && this.#use !== "waiting";
  }

  /** Keeps messages from now on until `release`, unless the program has taken the queue. */
  wait(): void {
    if (this.#use === "unused") this.#useQueue("waiting");
  }

  /**
   * Takes the queue for a stream or an iterator; from now on all messages go there too.
   *
   * @returns The queue.
   */
  take(): MessageQueue {
    return this.#useQueue("taken");
  }

  #useQueue(use: "waiting" | "taken"): MessageQueue {
    this.#use = use;
    if (this.#queue === undefined) {
      this.#queue = new MessageQueue(() => this.#source.unblockImmediate(), () => void this.#connection.close());
      if (this.#ended !== undefined) this.#queue.end(this.#ended.error);
    }
    return this.#queue;
  }

  /**
   * Gives up the queue of messages that wait for a handler; later messages go to the handlers.
   *
   * @returns The queue, or `undefined` if none was kept.
   */
  release(): MessageQueue | undefined {
    if (this.#use !== "waiting") return undefined;
    const queue = this.#queue;
    this.#use = "unused";
    this.#queue = undefined;
    return queue;
  }

  /** Drops all later messages, for handlers too. */
  drop(): void {
    this.#drops = true;
  }

  /**
   * Adds a message, if the queue is in use.
   *
   * @param data The message.
   */
  add(data: MessageData): void {
    if (this.#use === "unused" || this.#drops) return;
    if (this.full && this.#connection.closeSent) {
      this.#drops = true;
      return;
    }
    this.#queue!.push(data);
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
