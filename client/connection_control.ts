/**
 * Calls of a client to its connection that programs do not get, whatever carries the connection.
 *
 * @module
 */

import type { ClientConnection } from "./connector.ts";
import type { Delivery, StepResult } from "../connection/options.ts";

/** Controls one connection of a client. */
export interface ConnectionControl {
  /** Changes the time at which data is delivered. */
  setDelivery(delivery: Delivery): void;
  /** Delivers the data that has come since the last batch. */
  deliverBatch(): void;
  /** Handles one incoming frame or message; waits for it at most `timeout` ms, 0: without limit. */
  step(timeout: number): Promise<StepResult>;
  /** Hands over the messages that waited for a handler. */
  releaseMessages(): void;
  /** Ends the connection with a close code because of an error that was reported. */
  closeWith(code: number, error: unknown): void;
}

const controls = new WeakMap<ClientConnection, ConnectionControl>();

/**
 * Sets the control of a connection.
 *
 * @param connection The connection.
 * @param control Its control.
 */
export function bindControl(connection: ClientConnection, control: ConnectionControl): void {
  controls.set(connection, control);
}

/**
 * Finds the control of a connection.
 *
 * @param connection The connection, if there is one.
 * @returns Its control; `undefined` without a connection.
 */
export function controlOf(connection: ClientConnection | undefined): ConnectionControl | undefined {
  return connection === undefined ? undefined : controls.get(connection);
}
