/**
 * What another view of a connection needs beyond the public members: stopping the reading, callbacks for what has left,
 * messages without compression. Programs do not get it.
 *
 * @module
 */

import { partsOf, type WebSocketConnection } from "./connection.ts";
import type { SentCallback } from "./sent_waiters.ts";

/**
 * Stops the reading, so that the peer has to wait, until `resumeReading`. The closing handshake goes on: once this end
 * has sent its close frame, the messages before that of the peer are delivered.
 *
 * @param connection The connection.
 */
export function pauseReading(connection: WebSocketConnection): void {
  partsOf(connection).delivery.pause();
}

/**
 * Undoes `pauseReading`.
 *
 * @param connection The connection.
 */
export function resumeReading(connection: WebSocketConnection): void {
  partsOf(connection).delivery.resume();
}

/**
 * Calls back once the operating system has taken all that was sent so far.
 *
 * @param connection The connection.
 * @param callback Called later, once; with an error if the connection is lost before. Must not throw.
 */
export function whenSent(connection: WebSocketConnection, callback: SentCallback): void {
  partsOf(connection).sender.whenSent(callback);
}

/**
 * Sends messages without compression.
 *
 * @param connection The connection.
 * @param send Sends them, at once.
 * @returns The result of `send`.
 */
export function withoutCompression<Result>(connection: WebSocketConnection, send: () => Result): Result {
  const { sender } = partsOf(connection);
  sender.compresses = false;
  try {
    return send();
  } finally {
    sender.compresses = true;
  }
}
