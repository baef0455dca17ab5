/**
 * The end of a connection in a page, from what the browser's `WebSocket` tells of it.
 *
 * @module
 */

import { ABNORMAL_CLOSURE, NO_STATUS_RECEIVED } from "../base/close_codes.ts";
import { isValidCloseCode } from "../base/errors.ts";
import type { CloseFrame, CloseInfo } from "../connection/options.ts";

/**
 * Reads the end of a connection.
 *
 * @param end The event `close`; `undefined`: it has not come.
 * @param sent The close frame of this end, if it sent one.
 * @param discards `true` if the connection was given up: what the event says does not count.
 * @returns The end.
 */
export function closeInfo(end: CloseEvent | undefined, sent: CloseFrame | undefined, discards: boolean): CloseInfo {
  const { code = ABNORMAL_CLOSURE, reason = "", wasClean = false } = end ?? {};
  // Deno gives code 0 when no close frame came (`findings/deno_websocket_code_zero.sh`). After a failure the code does
  // not matter.
  if (discards || (code !== NO_STATUS_RECEIVED && !isValidCloseCode(code))) {
    return { code: ABNORMAL_CLOSURE, reason: "", clean: false, opened: true, ...sent && { sent } };
  }
  // The browser has answered the server's close frame with the same code.
  const answer = sent ?? (wasClean ? { code, reason: "" } : undefined);
  return { code, reason, clean: wasClean, opened: true, received: { code, reason }, ...answer && { sent: answer } };
}
