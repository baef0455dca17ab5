/**
 * Iterating over the messages of a client that connects again and again.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import type { MessageData } from "../protocol/payload.ts";

/** What a connection brings. */
export type Messages = AsyncIterableIterator<MessageData, undefined>;

/** One loop over many connections. */
class Iteration {
  /** The messages of the connections to come; the loop may be behind by several. */
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
      // Nothing follows any more.
      if (lost !== undefined) throw lost.error;
      return undefined;
    } finally {
      done();
    }
  }
}

/** The loops of one client. */
export class Iterations {
  #loops = new Set<Iteration>();

  /**
   * Begins a loop.
   *
   * @param current The messages of the connection that is there.
   * @returns The loop.
   */
  begin(current: Messages | undefined): AsyncIterableIterator<MessageData, undefined> {
    const loop = new Iteration();
    this.#loops.add(loop);
    if (current !== undefined) loop.connections.push(current);
    return loop.run(() => this.#loops.delete(loop));
  }

  /**
   * The next connection is there.
   *
   * @param iterate Begins to iterate over its messages.
   */
  turn(iterate: () => Messages): void {
    for (const loop of this.#loops) loop.connections.push(iterate());
  }

  /** There will be no other connection. */
  end(): void {
    for (const loop of this.#loops) loop.connections.end(undefined);
    this.#loops.clear();
  }
}
