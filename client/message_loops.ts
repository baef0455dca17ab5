/**
 * Loops over the messages of a client that go on with its next connection.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import type { TransportError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Messages of one connection. */
export type Messages = AsyncIterableIterator<MessageData, undefined>;

/** One loop over many connections. */
class MessageLoop {
  /** Messages of the connections to come; the loop may be behind by several connections. */
  readonly connections = new AsyncQueue<Messages>();

  async *run(done: () => void): AsyncGenerator<MessageData, undefined> {
    let lost: { error: unknown } | undefined;
    try {
      for (let next = await this.connections.next(); !next.done; next = await this.connections.next()) {
        try {
          yield* next.value;
          lost = undefined;
        } catch (error) {
          lost = { error };
        }
      }
      // Only the loss of the last connection ends the loop.
      if (lost !== undefined) throw lost.error;
      return undefined;
    } finally {
      done();
      // The loop was left while it was behind.
      for (const messages of this.connections.takeAll()) void messages.return?.();
    }
  }
}

/** Loops of one client. */
export class MessageLoops {
  #loops = new Set<MessageLoop>();

  /**
   * Begins a loop.
   *
   * @param current Messages of the present connection, if there is one.
   * @returns The loop.
   */
  begin(current: Messages | undefined): Messages {
    const loop = new MessageLoop();
    this.#loops.add(loop);
    if (current !== undefined) loop.connections.push(current);
    return loop.run(() => this.#loops.delete(loop));
  }

  /**
   * Lets all loops go on with the next connection.
   *
   * @param iterate Begins to iterate over its messages.
   */
  continueWith(iterate: () => Messages): void {
    for (const loop of this.#loops) loop.connections.push(iterate());
  }

  /**
   * Ends all loops behind the present connection: there is no next one for them.
   *
   * @param error Their error; `undefined`: they end as that connection does.
   */
  end(error?: TransportError): void {
    for (const loop of this.#loops) loop.connections.end(error);
    this.#loops.clear();
  }
}
