/**
 * Loops over the messages of a client that go on with its next connection.
 *
 * @module
 */

import type { TransportError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Messages of one connection. */
export type Messages = AsyncIterableIterator<MessageData, undefined>;

/** One loop over many connections. */
class MessageLoop {
  /** Messages of the connections to come; the loop may be behind by several connections. */
  readonly #connections: Messages[] = [];
  #ended: { error: TransportError | undefined } | undefined;
  #wake: () => void = () => {};

  /** Goes on with the messages of another connection. */
  push(messages: Messages): void {
    this.#connections.push(messages);
    this.#wake();
  }

  /** Ends behind the connections that there are. */
  end(error: TransportError | undefined): void {
    this.#ended = { error };
    this.#wake();
  }

  async *run(done: () => void): AsyncGenerator<MessageData, undefined> {
    let lost: { error: unknown } | undefined;
    try {
      for (;;) {
        const messages = this.#connections.shift();
        if (messages !== undefined) {
          try {
            yield* messages;
            lost = undefined;
          } catch (error) {
            lost = { error };
          }
        } else if (this.#ended === undefined) await new Promise<void>((resolve) => this.#wake = resolve);
        else {
          // Only the loss of the last connection ends the loop.
          const failure = this.#ended.error === undefined ? lost : this.#ended;
          if (failure !== undefined) throw failure.error;
          return undefined;
        }
      }
    } finally {
      done();
      // The loop was left while it was behind.
      for (const messages of this.#connections.splice(0)) void messages.return?.();
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
    if (current !== undefined) loop.push(current);
    return loop.run(() => this.#loops.delete(loop));
  }

  /**
   * Lets all loops go on with the next connection.
   *
   * @param iterate Begins to iterate over its messages.
   */
  continueWith(iterate: () => Messages): void {
    for (const loop of this.#loops) loop.push(iterate());
  }

  /**
   * Ends all loops behind the present connection: there is no next one for them.
   *
   * @param error Their error; `undefined`: they end as that connection does.
   */
  end(error?: TransportError): void {
    for (const loop of this.#loops) loop.end(error);
    this.#loops.clear();
  }
}
