/**
 * Where a server sends a client that wants to open a WebSocket (RFC 6455 §4.1: "the client MAY follow redirects"), and what may go there.
 *
 * @module
 */

import type { ConnectPlan } from "./connector.ts";
import { HandshakeError } from "../base/errors.ts";

/** RFC 9110 §15.4: those after which the same request goes elsewhere. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Subprotocol entries that carry a token begin with this: see `tokenProtocol`. */
const TOKEN_PREFIX = "bearer.";

/**
 * Where a refusal sends the client.
 *
 * @param error Why an attempt failed.
 * @returns The value of `Location`, if it is a redirect.
 */
export function locationOf(error: unknown): string | undefined {
  if (!(error instanceof HandshakeError) || !REDIRECTS.includes(error.status)) return undefined;
  return error.headers?.get("location") ?? undefined;
}

/**
 * What to do next.
 *
 * @param plan The attempt that was redirected.
 * @param location Where to.
 * @param cause The answer.
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
    // Any of them may be a credential.
    headers: sameOrigin ? plan.headers : new Headers(),
    protocols: sameOrigin ? plan.protocols : plan.protocols.filter((name) => !name.startsWith(TOKEN_PREFIX)),
  };
}

/**
 * A redirect is not followed.
 *
 * @param why Why.
 * @param cause The answer.
 * @returns The error.
 */
export function refusedRedirect(why: string, cause: unknown): HandshakeError {
  const status = cause instanceof HandshakeError ? cause.status : 0;
  return new HandshakeError("ERR_REDIRECT", `The redirect is not followed: ${why}`, status, { cause });
}
