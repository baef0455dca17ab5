/**
 * Redirects of the opening handshake (RFC 6455 §4.1: "the client MAY follow redirects"), and what may be sent to the
 * new target.
 *
 * @module
 */

import type { ConnectPlan } from "./connector.ts";
import { HandshakeError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { forOtherServer } from "./tls_settings.ts";

/** Statuses after which the same request is sent to another target (RFC 9110 §15.4). */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Begin of a subprotocol entry that carries a token: see `tokenProtocol`. */
const TOKEN_PREFIX = "bearer.";

/**
 * Reads the target of a redirect.
 *
 * @param error The error of an attempt.
 * @returns The value of `Location`; `undefined` if the error is no redirect.
 */
export function locationOf(error: unknown): string | undefined {
  if (!isError(error, HandshakeError) || !REDIRECTS.includes(error.status)) return undefined;
  return error.headers?.get("location") ?? undefined;
}

/**
 * Makes the next attempt after a redirect.
 *
 * @param plan The attempt that was redirected.
 * @param location The value of `Location`.
 * @param cause The error of the attempt.
 * @returns The next attempt.
 * @throws {HandshakeError} If the client must not go there.
 */
export function redirect(plan: ConnectPlan, location: string, cause: unknown): ConnectPlan {
  const url = URL.canParse(location, plan.url) ? new URL(location, plan.url) : undefined;
  if (url === undefined) throw refusedRedirect("its target is not a URL", cause);
  const secure = url.protocol === "wss:" || url.protocol === "https:";
  if (!secure && url.protocol !== "ws:" && url.protocol !== "http:") {
    throw refusedRedirect(`its target is of the scheme "${url.protocol}"`, cause);
  }
  if (plan.tls && !secure) throw refusedRedirect("it leads from wss to ws", cause);
  const hostname = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const target = url.pathname + url.search;
  const sameOrigin = hostname === plan.hostname.toLowerCase() && port === plan.port && secure === plan.tls;
  return {
    ...plan,
    url: `${secure ? "wss" : "ws"}://${url.host}${target}`,
    hostname,
    port,
    tls: secure,
    host: url.host,
    target,
    // Any header field may be a credential.
    headers: sameOrigin ? plan.headers : new Headers(),
    tlsSettings: sameOrigin ? plan.tlsSettings : forOtherServer(plan.tlsSettings),
    protocols: sameOrigin ? plan.protocols : plan.protocols.filter((name) => !name.startsWith(TOKEN_PREFIX)),
  };
}

/**
 * Makes the error of a redirect that is not followed.
 *
 * @param why The reason.
 * @param cause The error of the attempt.
 * @returns The error to throw.
 */
export function refusedRedirect(why: string, cause: unknown): HandshakeError {
  const status = cause instanceof HandshakeError ? cause.status : 0;
  return new HandshakeError("ERR_REDIRECT", `The redirect is not followed: ${why}`, status, { cause });
}
