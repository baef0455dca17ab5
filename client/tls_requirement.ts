/**
 * Keeps credentials from being sent without TLS, except to a loopback address or over a Unix socket.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { isLoopback } from "../base/loopback.ts";
import type { ConnectPlan } from "./connector.ts";

/**
 * Checks an attempt before anything is sent.
 *
 * @param plan The attempt, or what a redirect has made of it.
 * @throws {OptionError} If it needs TLS and has none: it leads to another host than a loopback address, goes through a
 * proxy, or may be redirected.
 */
export function assertTls({ requiresTls, tls, stream, hostname, socketPath, proxy, maxRedirects }: ConnectPlan): void {
  if (!requiresTls || tls || stream !== undefined) return;
  // A loopback address of the proxy is not one of this machine.
  if (proxy !== "") throw new OptionError(`Cannot connect to "${hostname}" without TLS through a proxy`);
  if (socketPath === "" && !isLoopback(hostname)) throw withoutTls(hostname);
  if (maxRedirects > 0) throw new OptionError('The setting "maxRedirects" needs TLS: it could lead anywhere');
}

/**
 * Checks the address that a connection was made to: a name such as `localhost` is resolved by the system.
 *
 * @param plan The attempt.
 * @param address The address of the peer.
 * @throws {OptionError} If the attempt needs TLS and has none, and the address is not a loopback address.
 */
export function assertTlsAt({ requiresTls, tls, stream, socketPath }: ConnectPlan, address: string): void {
  if (!requiresTls || tls || stream !== undefined || socketPath !== "") return;
  if (!isLoopback(address)) throw withoutTls(address);
}

function withoutTls(hostname: string): OptionError {
  return new OptionError(`Cannot connect to "${hostname}" without TLS: it is not a loopback address`);
}
