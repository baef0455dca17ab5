/** The outcome of a case: "ok", or a few words for what was seen, the same in each run. */

import type { CloseInfo } from "../../connection/options.ts";
import { HandshakeError, ProtocolError, WebSocketError } from "../../base/errors.ts";

/** Outcome of a case in which all is as it should be. */
export const OK = "ok";

/** What a peer's file says it has seen in a case that is left out, such as one that its program does not get over. */
export const NOT_PLAYED = "not played";

/** Ends a case with an outcome other than "ok". */
export class Unexpected extends Error {
  /** The outcome. */
  readonly outcome: string;

  constructor(outcome: string) {
    super(outcome);
    this.outcome = outcome;
  }
}

/**
 * Describes the end of a connection that was still needed.
 *
 * @param failure Error that ended it, if our side did.
 */
export function describeEnd({ received }: Pick<CloseInfo, "received">, failure: unknown): string {
  if (failure instanceof ProtocolError) return `broke a rule: ${failure.code}`;
  return received === undefined ? "closed 1006" : `closed ${received.code}`;
}

/** Describes a connection that did not open. */
export function describeRefusal(error: unknown): string {
  if (error instanceof HandshakeError && error.status >= 400) return `refused ${error.status}`;
  return error instanceof WebSocketError ? `not open: ${error.code}` : "not open";
}
