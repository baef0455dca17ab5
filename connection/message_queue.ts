/**
 * Messages that wait for the program: a bounded queue behind `readable` and the async iterator of a connection.
 *
 * @module
 */

import type { MessageData } from "../protocol/payload.ts";

/** Size of waiting messages at which reading stops, in bytes. */
const HIGH_WATER_MARK = 64 * 1024;

/** A queue of messages with an end. */
export class MessageQueue {
  #items: (MessageData | undefined)[] = [];
  /** Index of the oldest message: shifting a long array would cost its length each time. */
  #head = 0;
  #size = 0;
  #ended = false;
  #error: unknown;
  #readers: { resolve(result: IteratorResult<MessageData, undefined>): void; reject(error: unknown): void }[] = [];
  #readable: ReadableStream<MessageData> | undefined;
  #onRoom: () => void;
  #onCancel: () => void;

  /**
   * Makes an empty queue.
   *
   * @param onRoom Called when a full queue has room again.
   * @param onCancel Called when the reader cancels the stream.
   */
  constructor(onRoom: () => void, onCancel: () => void) {
    this.#onRoom = onRoom;
    this.#onCancel = onCancel;
  }

  /** `true` if the queue is full: no more messages should be read from the peer for now. */
  get full(): boolean {
    return this.#size >= HIGH_WATER_MARK;
  }

  /** Size of the messages that wait: bytes and UTF-16 units, and 64 for each message. */
  get size(): number {
    return this.#size;
  }

  /** `true` if no message waits. */
  get empty(): boolean {
    return this.#head === this.#items.length;
  }

  /**
   * Adds a message.
   *
   * @param message The message.
   */
  push(message: MessageData): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader.resolve({ done: false, value: message });
    this.#items.push(message);
    this.#size += weight(message);
  }

  /**
   * Takes the oldest message.
   *
   * @returns The message, or `undefined` if none waits.
   */
  shift(): MessageData | undefined {
    if (this.empty) return undefined;
    const message = this.#items[this.#head]!;
    // A slot that was read must not keep its message alive: the queue may never be empty.
    this.#items[this.#head++] = undefined;
    if (this.empty || (this.#head >= 1024 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    const wasFull = this.full;
    this.#size -= weight(message);
    if (wasFull && !this.full) this.#onRoom();
    return message;
  }

  /**
   * Ends the queue. Messages that wait can still be taken; after them the error, if there is one, is thrown.
   *
   * @param error The error, unless the connection ended in order.
   */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) {
      if (error === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(error);
    }
  }

  /**
   * Waits for the next message.
   *
   * @returns The message, or the end.
   */
  next(): Promise<IteratorResult<MessageData, undefined>> {
    const value = this.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (!this.#ended) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    if (this.#error === undefined) return Promise.resolve({ done: true, value: undefined });
    return Promise.reject(this.#error);
  }

  /**
   * Makes an iterator over the messages. Leaving a loop early ends nothing: another loop may go on.
   *
   * @returns The iterator.
   */
  iterate(): AsyncIterableIterator<MessageData, undefined> {
    const iterator: AsyncIterableIterator<MessageData, undefined> = {
      next: () => this.next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** The messages as a stream. It pulls one message a read, so the bound of the queue is the only one. */
  get readable(): ReadableStream<MessageData> {
    this.#readable ??= new ReadableStream<MessageData>({
      pull: async (controller) => {
        const { done, value } = await this.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => this.#onCancel(),
    }, { highWaterMark: 0 });
    return this.#readable;
  }
}

/** Counts 64 more for each message, so that a flood of empty messages is bounded too. */
function weight(message: MessageData): number {
  return message.length + 64;
}
