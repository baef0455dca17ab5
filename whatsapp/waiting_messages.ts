/**
 * Count of messages of the server's program that a receiver has not handled yet: nothing acknowledges them, so that the
 * server would never stop.
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Most characters and bytes that wait, and one message more. */
const MAX_WAITING = 8 * 1024 * 1024;
/** Size of an empty message. */
const OVERHEAD = 64;

/** Messages of one connection after the other. */
export class WaitingMessages {
  /** Of the newest connection: messages of earlier ones may be handled late. */
  #connection = { size: 0 };

  /** Begins with a new connection. */
  reset(): void {
    this.#connection = { size: 0 };
  }

  /**
   * Counts a message.
   *
   * @param data The message.
   * @returns Called when it is handled; an error if too much waits already.
   */
  add(data: MessageData): (() => void) | TransportError {
    const connection = this.#connection;
    if (connection.size > MAX_WAITING) {
      const message = `More than ${MAX_WAITING} characters or bytes of the server's program wait for the receiver's`;
      return new TransportError("ERR_SLOW_CONSUMER", message);
    }
    const size = data.length + OVERHEAD;
    connection.size += size;
    return () => void (connection.size -= size);
  }
}
