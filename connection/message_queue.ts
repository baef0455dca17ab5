/**
 * Messages that wait for the program: a bounded queue behind `readable` and the async iterator of a connection.
 *
 * @module
 */

import { leaveOnAbort, type WaitingCall } from "../base/signals.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Size of waiting messages at which reading stops, in bytes. */
const HIGH_WATER_MARK = 64 * 1024;

/** A call that waits for the next message. */
type Reader = WaitingCall<IteratorResult<MessageData, undefined>>;

/**
 * A queue of messages with an end. Loops that are open, calls of `next` that wait, and a stream until its lock is
 * released are its readers.
 */
export class MessageQueue {
  #items: (MessageData | undefined)[] = [];
  /** For each message `true` if a handler got it too. */
  #handed: boolean[] = [];
  /** Index of the oldest message: shifting a long array would cost its length each time. */
  #head = 0;
  #size = 0;
  #ended = false;
  #error: unknown;
  #readers: Reader[] = [];
  /** Number of loops that were not left. */
  #loops = 0;
  #readable: ReadableStream<MessageData> | undefined;
  /** `true` once the stream was locked: before, the program is about to read it. */
  #streamUsed = false;
  readonly #onRoom: (() => void) | undefined;
  readonly #onCancel: (() => void) | undefined;
  readonly #onReaders: (() => void) | undefined;

  /**
   * Makes an empty queue.
   *
   * @param onRoom Called when a full queue has room again.
   * @param onCancel Called when the reader cancels the stream.
   * @param onReaders Called when a reader comes, and when the last one has gone.
   */
  constructor(onRoom?: () => void, onCancel?: () => void, onReaders?: () => void) {
    this.#onRoom = onRoom;
    this.#onCancel = onCancel;
    this.#onReaders = onReaders;
  }

  /** `true` while the program reads: a loop is open, a call waits, or the stream is not used yet or locked. */
  get hasReaders(): boolean {
    return this.#loops > 0 || this.#readers.length > 0 ||
      (this.#readable !== undefined && (!this.#streamUsed || this.#readable.locked));
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
   * @param handed `true` if a handler got it too.
   */
  push(message: MessageData, handed = false): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: message });
      if (!this.hasReaders) this.#onReaders?.();
      return;
    }
    this.#items.push(message);
    this.#handed.push(handed);
    this.#size += weight(message);
  }

  /** Drops the messages that a handler got too. Does not report that there is room. */
  dropHanded(): void {
    const handed = this.#handed;
    this.#keep(this.#items.filter((message, at) => message !== undefined && !handed[at]));
  }

  /**
   * Takes all messages. Does not report that there is room.
   *
   * @returns A queue of them, without readers.
   */
  takeAll(): MessageQueue {
    const all = new MessageQueue();
    for (let message = this.shift(false); message !== undefined; message = this.shift(false)) all.push(message);
    return all;
  }

  #keep(items: (MessageData | undefined)[]): void {
    this.#items = items;
    this.#handed = items.map(() => false);
    this.#head = 0;
    this.#size = items.reduce((size, message) => size + weight(message!), 0);
  }

  /**
   * Takes the oldest message.
   *
   * @param reports `false`: does not report that there is room.
   * @returns The message, or `undefined` if none waits.
   */
  shift(reports = true): MessageData | undefined {
    if (this.empty) return undefined;
    const message = this.#items[this.#head]!;
    // A slot that was read must not keep its message alive: the queue may never be empty.
    this.#items[this.#head++] = undefined;
    if (this.empty || (this.#head >= 1024 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#handed = this.#handed.slice(this.#head);
      this.#head = 0;
    }
    const wasFull = this.full;
    this.#size -= weight(message);
    if (reports && wasFull && !this.full) this.#onRoom?.();
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
   * @param signal Ends the wait; no message is taken then.
   * @returns The message, or the end. Rejects with the error of the end, or the reason of the signal.
   */
  next(signal?: AbortSignal): Promise<IteratorResult<MessageData, undefined>> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const value = this.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (!this.#ended) return this.#wait(signal);
    if (this.#error === undefined) return Promise.resolve({ done: true, value: undefined });
    return Promise.reject(this.#error);
  }

  #wait(signal: AbortSignal | undefined): Promise<IteratorResult<MessageData, undefined>> {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      this.#readers.push(signal === undefined ? reader : leaveOnAbort(reader, signal, (left) => this.#leave(left)));
      this.#onReaders?.();
    });
  }

  #leave(reader: Reader): void {
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    this.#onReaders?.();
  }

  /**
   * Makes an iterator over the messages. Leaving a loop early ends nothing: another loop may go on.
   *
   * @returns The iterator, which is a reader until its `return` is called.
   */
  iterate(): AsyncIterableIterator<MessageData, undefined> {
    let open = false;
    const set = (value: boolean): void => {
      if (open === value) return;
      open = value;
      this.#loops += value ? 1 : -1;
      this.#onReaders?.();
    };
    const iterator: AsyncIterableIterator<MessageData, undefined> = {
      next: () => {
        set(true);
        return this.next();
      },
      return: () => {
        set(false);
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    set(true);
    return iterator;
  }

  /** The messages as a stream. It pulls one message a read, so the bound of the queue is the only one. */
  get readable(): ReadableStream<MessageData> {
    if (this.#readable === undefined) {
      this.#readable = this.#makeStream();
      this.#onReaders?.();
    }
    return this.#readable;
  }

  #makeStream(): ReadableStream<MessageData> {
    const stream = new ReadableStream<MessageData>({
      pull: async (controller) => {
        this.#streamUsed = true;
        const { done, value } = await this.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => {
        this.#streamUsed = true;
        this.#onCancel?.();
        this.#onReaders?.();
      },
    }, { highWaterMark: 0 });
    this.#watchLocks(stream);
    return stream;
  }

  /** A stream does not tell when its lock is released, but its readers do. */
  #watchLocks(stream: ReadableStream<MessageData>): void {
    const changed = (): void => this.#onReaders?.();
    const used = (): void => {
      this.#streamUsed = true;
      changed();
    };
    const getReader = stream.getReader.bind(stream) as (options?: object) => ReadableStreamDefaultReader<MessageData>;
    const pipeTo = stream.pipeTo.bind(stream);
    replaceMethod(stream, "getReader", (...options: Parameters<typeof getReader>) => {
      const reader = getReader(...options);
      used();
      reader.closed.then(changed, changed);
      return reader;
    });
    replaceMethod(stream, "pipeTo", (...values: Parameters<typeof pipeTo>) => {
      const done = pipeTo(...values);
      used();
      return done.finally(changed);
    });
  }
}

function replaceMethod(owner: object, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { configurable: true, writable: true, value });
}

/** Counts 64 more for each message, so that a flood of empty messages is bounded too. */
function weight(message: MessageData): number {
  return message.length + 64;
}
