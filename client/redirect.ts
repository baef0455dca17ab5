/**
 * Redirects of the opening handshake (RFC 6455 §4.1: "the client MAY follow redirects"), and what may be sent to the
 * new target.
 *
 * @module
 */

import type { ConnectPlan } from "./connector.ts";
import { HandshakeError } from "../base/errors.ts";
import { encodeSocketPath } from "../base/socket_path.ts";
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
  const base = plan.socketPath === "" ? plan.url : `${plan.tls ? "wss" : "ws"}://${plan.host}${plan.target}`;
  const url = URL.canParse(location, base) ? new URL(location, base) : undefined;
  if (url === undefined) throw refusedRedirect("its target is not a URL", cause);
  const secure = url.protocol === "wss:" || url.protocol === "https:";
  if (!secure && url.protocol !== "ws:" && url.protocol !== "http:") {
    throw refusedRedirect(`its target is of the scheme "${url.protocol}"`, cause);
  }
  if (plan.tls && !secure) throw refusedRedirect("it leads from wss to ws", cause);
  const hostname = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const target = url.pathname + url.search;
  // A Unix socket has no port: the one of the scheme stands for it.
  const from = plan.socketPath === "" ? plan.port : (plan.tls ? 443 : 80);
  const sameOrigin = hostname === plan.hostname.toLowerCase() && port === from && secure === plan.tls;
  const socketPath = sameOrigin ? plan.socketPath : "";
  const place = socketPath === "" ? `//${url.host}` : `${encodeSocketPath(socketPath)}:`;
  return {
    ...plan,
    socketPath,
    url: `${secure ? "wss" : "ws"}${socketPath === "" ? "" : "+unix"}:${place}${target}`,
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
