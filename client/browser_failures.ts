/**
 * Failures of clients over the `WebSocket` of the platform, which tells little of them, and the answers to them.
 *
 * @module
 */

import { HandshakeError, TransportError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { END_RULES, type FailurePolicy, LAST_RULES } from "./reconnect.ts";

/** Names of the errors by which a platform refuses to open a `WebSocket` at all. */
const REFUSALS: readonly string[] = ["SecurityError", "NotCapable"];

/** Policy of clients in pages. Its rows are those of sockets that can occur here, with the same answers. */
export const browserFailures: FailurePolicy = {
  rules: [
    ...END_RULES,
    {
      // a refusal by `onHandshakeResponse`
      again: "never",
      covers: ({ error }) => isError(error, HandshakeError),
    },
    {
      // URL refused by the browser
      again: "never",
      covers: ({ error }) =>
        isError(error, TransportError) && isError(error.cause, Error) && REFUSALS.includes(error.cause.name),
    },
    ...LAST_RULES,
  ],
};
