/**
 * Addresses that never leave the machine, and what may go there without TLS.
 *
 * @module
 */

import type { ConnectPlan } from "./connector.ts";
import { OptionError } from "../base/errors.ts";

/**
 * Whether an address is on this machine only.
 *
 * @param hostname A host name or IP address.
 * @returns `true` for 127.0.0.0/8, ::1 and localhost.
 */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  if (name === "localhost" || name === "::1" || name === "[::1]") return true;
  const octets = name.split(".");
  return octets.length === 4 && octets[0] === "127" && octets.every(isOctet);
}

/**
 * Checks where an attempt goes that carries credentials, before anything is sent.
 *
 * @param plan The attempt, or what a redirect has made of it.
 * @throws {OptionError} If it needs TLS and has none: it leads elsewhere than to a loopback address, goes through a proxy, or may be
 * redirected.
 */
export function assertProtected({ requiresTls, tls, stream, hostname, proxy, maxRedirects }: ConnectPlan): void {
  if (!requiresTls || tls || stream !== undefined) return;
  // What is local for a proxy is not local here.
  if (proxy !== undefined) throw new OptionError(`Cannot connect to "${hostname}" without TLS through a proxy`);
  if (!isLoopback(hostname)) throw withoutTls(hostname);
  if (maxRedirects > 0) throw new OptionError('The setting "maxRedirects" needs TLS: it could lead anywhere');
}

/**
 * Checks what was connected to: names, as `localhost`, are what the system takes them for.
 *
 * @param plan The attempt.
 * @param address The address of the peer.
 * @throws {OptionError} If the attempt needs TLS and has none, and the address is not a loopback address.
 */
export function assertProtectedAt({ requiresTls, tls, stream }: ConnectPlan, address: string): void {
  if (requiresTls && !tls && stream === undefined && !isLoopback(address)) throw withoutTls(address);
}

function withoutTls(hostname: string): OptionError {
  return new OptionError(`Cannot connect to "${hostname}" without TLS: it is not a loopback address`);
}

function isOctet(text: string): boolean {
  if (text.length === 0 || text.length > 3) return false;
  for (let at = 0; at < text.length; at++) if (text[at] < "0" || text[at] > "9") return false;
  return Number(text) < 256;
}
