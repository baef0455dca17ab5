/**
 * Loops over the messages of a client that go on with its next connection.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import { CloseCode, ConnectionClosedError, type TransportError } from "../base/errors.ts";
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
    }
  }
}

/** The last connection of a client, as far as `receive` needs it. */
export interface EndedConnection {
  /** Resolves when it has ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

/**
 * Takes the next message of a loop, for a caller that wants an error at its end.
 *
 * @param messages The loop.
 * @param connection Returns the last connection.
 * @returns The message. Rejects with a {@linkcode ConnectionClosedError} at the end of the loop.
 */
export async function receiveNext(
  messages: Messages,
  connection: () => EndedConnection | undefined,
): Promise<MessageData> {
  let lost: { cause?: unknown } | undefined;
  try {
    const { done, value } = await messages.next();
    if (!done) return value;
  } catch (cause) {
    lost = { cause };
  }
  const end = await connection()?.closed ?? { code: CloseCode.AbnormalClosure, reason: "" };
  throw new ConnectionClosedError("receive", end, lost);
}

/** Loops of one client. */
export class MessageLoops {
  #loops = new Set<MessageLoop>();
  /** The loop of `receive`. */
  #receiving: Messages | undefined;
  /** `true` if no further connection belongs to it. */
  #receivesRest = false;

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
   * The loop of `receive`, which begins with its first call.
   *
   * @param reconnects `true` if other connections follow, or the messages are not those of the connection.
   * @param begin Begins a loop.
   * @returns The loop; `undefined` if only one connection matters.
   */
  receiving(reconnects: boolean, begin: () => Messages): Messages | undefined {
    // After a later connect() it begins anew.
    if (reconnects && this.#receivesRest) this.#receiving = undefined;
    if (reconnects) this.#receivesRest = false;
    return this.#receiving ??= reconnects ? begin() : undefined;
  }

  /**
   * Ends all loops behind the present connection: there is no next one for them.
   *
   * @param error Their error; `undefined`: they end as that connection does.
   */
  end(error?: TransportError): void {
    this.#receivesRest = true;
    for (const loop of this.#loops) loop.connections.end(error);
    this.#loops.clear();
  }
}
