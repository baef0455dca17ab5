/**
 * Errors of handlers that are no failures: their connection ends while they are at work.
 *
 * @module
 */

import { ConnectionClosedError, StateError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import type { ConnectionState } from "./options.ts";

/** Handlers that are called because the connection ends: what they send is never sent, which their author must know. */
const AT_THE_END: readonly string[] = ["onClose", "onEnd", "onDisconnect"];

/**
 * Tells if an error of a handler only says that its connection ends or has ended: `receive` and `ping` reject then, and
 * `send` throws. Messages still come while this end closes the connection, as each restart of a server does, and what
 * a handler waits for may take longer than the peer stays: neither is a failure of the handler.
 *
 * @param error The error.
 * @param handler The name of the handler.
 * @param state State of the connection that the handler was called for; `undefined`: there is none any more.
 * @returns `true` if it is no failure.
 */
export function isExpectedEnd(error: unknown, handler: string, state: ConnectionState | undefined): boolean {
  if (state === "open") return false;
  if (isError(error, ConnectionClosedError)) return true;
  if (state === undefined || state === "connecting" || AT_THE_END.includes(handler)) return false;
  return isError(error, StateError) && error.code === "ERR_NOT_OPEN";
}
