/**
 * Messages of the client of `browser_client.ts` that wait for loops, for `receive`, or for a handler. One queue serves
 * all connections from a call of `connect` on, so that loops and calls go on with the next connection.
 *
 * | use       | entered when                                        | messages that come                           |
 * |-----------|-----------------------------------------------------|----------------------------------------------|
 * | `unused`  | at first                                            | go to the handlers                           |
 * | `waiting` | a connection begins without handler and reader      | wait here                                    |
 * | `taken`   | a loop begins, or a call waits                      | go to the handlers, and wait here            |
 * | `kept`    | the last reader has left, and there is no handler   | wait here, if there is no handler at all     |
 *
 * @module
 */

import { leaveOnAbort, type WaitingCall } from "../base/signals.ts";
import type { MessageResult } from "../connection/options.ts";
import type { MessageData } from "../protocol/payload.ts";

type Reader = WaitingCall<IteratorResult<MessageData, undefined>>;

/** Owner of a {@linkcode PageQueue}. */
export interface PageQueueOwner {
  /** Tells if the program has a handler for messages. */
  handles(): boolean;
  /** Hands messages that waited over to the handlers. */
  release(messages: MessageData[]): void;
}

/**
 * Estimates the memory of a message.
 *
 * @param message The message.
 * @returns Number of bytes or characters, with those of its bookkeeping.
 */
export function weight(message: MessageData): number {
  return message.length + 64;
}

/** Queue of messages, with its readers. */
export class PageQueue {
  #use: "unused" | "waiting" | "taken" | "kept" = "unused";
  #items: { data: MessageData; handed: boolean }[] = [];
  #readers: Reader[] = [];
  #loops = 0;
  #ended: { error: unknown } | undefined;
  readonly #owner: PageQueueOwner;
  /** Memory of the messages that wait, as {@linkcode weight} has it. */
  size = 0;

  /**
   * Begins without messages.
   *
   * @param owner Has the handlers.
   */
  constructor(owner: PageQueueOwner) {
    this.#owner = owner;
  }

  /** `true` while messages do not reach the handlers. */
  get waits(): boolean {
    return this.#use === "waiting";
  }

  /**
   * Tells if a message without handler is not lost.
   *
   * @param result Result of the handlers.
   * @returns `true` if a reader gets it.
   */
  keeps(result: false | "none"): boolean {
    return this.#use === "taken" || (this.#use === "kept" && result === "none");
  }

  /** Keeps messages: a connection begins without a handler. */
  wait(): void {
    if (this.#use === "unused") this.#use = "waiting";
  }

  /**
   * Adds a message, if it is for readers.
   *
   * @param data The message.
   * @param result Result of the handlers.
   */
  add(data: MessageData, result: MessageResult): void {
    if (this.#use === "unused" || (this.#use !== "taken" && result !== "none")) return;
    const reader = this.#readers.shift();
    if (reader) {
      reader.resolve({ done: false, value: data });
      return this.#changed();
    }
    this.#items.push({ data, handed: result !== "none" && result !== false });
    this.size += weight(data);
  }

  #shift(): MessageData | undefined {
    const data = this.#items.shift()?.data;
    if (data !== undefined) this.size -= weight(data);
    return data;
  }

  #changed(): void {
    if (this.#loops > 0 || this.#readers.length > 0) this.#use = "taken";
    else if (this.#use === "taken") {
      this.#items = this.#items.filter(({ handed }) => !handed);
      this.size = this.#items.reduce((size, { data }) => size + weight(data), 0);
      this.#use = "kept";
      if (this.#owner.handles()) this.release();
    }
  }

  /** Hands over the messages that waited for a handler. */
  release(): void {
    if (this.#use !== "waiting" && this.#use !== "kept") return;
    this.#use = "unused";
    this.size = 0;
    this.#owner.release(this.#items.splice(0).map(({ data }) => data));
  }

  /**
   * Ends loops and calls behind the last message: no other connection follows.
   *
   * @param error Their error, if there is one.
   */
  end(error: unknown): void {
    this.#ended ??= { error };
    for (const reader of this.#readers.splice(0)) this.#refuse(reader);
  }

  #refuse(reader: Reader): void {
    const { error } = this.#ended!;
    if (error === undefined) reader.resolve({ done: true, value: undefined });
    else reader.reject(error);
  }

  /**
   * Waits for the next message.
   *
   * @param signal Ends the wait.
   * @returns The message; at the end as an iterator does, or rejects with the error of the end.
   */
  next(signal?: AbortSignal): Promise<IteratorResult<MessageData, undefined>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const value = this.#shift();
      if (value !== undefined) return resolve({ done: false, value });
      if (this.#ended) return this.#refuse({ resolve, reject });
      this.#readers.push(leaveOnAbort({ resolve, reject }, signal, (left: Reader) => {
        this.#readers.splice(this.#readers.indexOf(left), 1);
        this.#changed();
      }));
      this.#changed();
    });
  }

  /**
   * Begins a loop.
   *
   * @returns The iterator.
   */
  iterate(): AsyncIterableIterator<MessageData, undefined> {
    let open = 0;
    const set = (value: number): void => {
      this.#loops += value - open;
      open = value;
      this.#changed();
    };
    const iterator: AsyncIterableIterator<MessageData, undefined> = {
      next: () => {
        set(1);
        return this.next();
      },
      return: () => {
        set(0);
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    set(1);
    return iterator;
  }
}
