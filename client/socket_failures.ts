/**
 * Failures of clients with sockets, and the answers to them.
 *
 * @module
 */

import { HandshakeError, TransportError, type WebSocketErrorCode } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { connectFault } from "../transport/connect_fault.ts";
import { END_RULES, type FailurePolicy, type FailureRule, LAST_RULES } from "./reconnect.ts";

/** Codes of answers that are not HTTP, as a port gives them while something else is behind it. */
const NO_HTTP: readonly WebSocketErrorCode[] = ["ERR_HEAD_SYNTAX", "ERR_HEAD_TOO_LARGE"];

/**
 * Kinds of failures, each with a row in `docs/client.md` and at the option `reconnect`; the first one that covers a
 * failure decides. A failure that only a person can mend ends the client, so that the program is told; others do not.
 * After a connection more kinds are known to pass: address, permission and trust were right once.
 */
export const FAILURE_RULES: readonly FailureRule[] = [
  ...END_RULES,
  {
    // status 401
    again: "mayBeStale",
    covers: ({ error }) => statusOf(error) === 401,
  },
  {
    // status 404, or an answer that is not HTTP
    again: "wasOpen",
    covers: ({ error }) => statusOf(error) === 404 || isError(error, HandshakeError) && NO_HTTP.includes(error.code),
  },
  {
    // status 408, 425, 429, or 5xx except 501
    again: "always",
    covers: ({ error }) => isTransient(statusOf(error)),
  },
  {
    // another status, a redirect, a refusal by `onHandshakeResponse`
    again: "never",
    covers: ({ error }) => isError(error, HandshakeError),
  },
  {
    // the proxy answers 403 or 407
    again: "never",
    covers: ({ error }) => [403, 407].includes(statusOfProxy(error)),
  },
  {
    // no permission to connect
    again: "never",
    covers: ({ error }) => connectFault(error) === "permission",
  },
  {
    // certificate not trusted, or for another name
    again: "never",
    covers: ({ error }) => connectFault(error) === "certificate",
  },
  {
    // certificate expired, or not valid yet
    again: "wasOpen",
    covers: ({ error }) => connectFault(error) === "expired",
  },
  {
    // URL refused by the browser
    again: "never",
    covers: ({ error }) => connectFault(error) === "url",
  },
  ...LAST_RULES,
];

/** The status of a refusal; 0 for other errors. */
function statusOf(error: unknown): number {
  return isError(error, HandshakeError) ? error.status : 0;
}

function statusOfProxy(error: unknown): number {
  return isError(error, TransportError) && error.code === "ERR_PROXY" ? statusOf(error.cause) : 0;
}

/** RFC 9110 §15: an unknown status counts as the x00 of its class, and one from 600 on as a 5xx. */
function isTransient(status: number): boolean {
  return [408, 425, 429].includes(status) || (status >= 500 && status !== 501);
}

/** Longest `Retry-After` that is respected, in ms. */
const MAX_RETRY_AFTER = 3600_000;

/**
 * Reads `Retry-After` of a refusal (RFC 9110 §10.2.3).
 *
 * @param error The error of the attempt.
 * @returns The time in ms; 0 without the field.
 */
export function retryAfter(error: unknown): number {
  const value = isError(error, HandshakeError) ? error.headers?.get("retry-after") ?? "" : "";
  if (value === "") return 0;
  const seconds = Number(value);
  const ms = Number.isInteger(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER, Math.max(0, ms)) : 0;
}

/** Policy of clients with sockets. */
export const socketFailures: FailurePolicy = {
  rules: FAILURE_RULES,
  retryAfter,
  isUnauthorized: (error) => statusOf(error) === 401,
  renewsCredentials: ({ token, headers, resolveUrl }) =>
    typeof token === "function" || typeof headers === "function" || resolveUrl !== undefined,
};
