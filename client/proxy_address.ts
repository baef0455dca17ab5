/**
 * The setting `proxy` of a client.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import type { ProxyAddress } from "../transport/transport.ts";

/**
 * Reads the setting `proxy`.
 *
 * @param url The setting; "" for none.
 * @returns Where the proxy is, or `undefined`.
 * @throws {OptionError} If it is not the URL of an HTTP proxy.
 */
export function parseProxy(url: string): ProxyAddress | undefined {
  if (url === "") return undefined;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // The password is nobody's business who reads a message.
  if (parsed === undefined) throw new OptionError('The setting "proxy" is not a URL');
  if (parsed.protocol !== "http:") {
    throw new OptionError(`The setting "proxy" is of the scheme "${parsed.protocol}": only "http:" is supported`);
  }
  const { hostname, port, username, password } = parsed;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    hostname: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname,
    port: port === "" ? 80 : Number(port),
    // RFC 7617.
    authorization: username === "" && password === ""
      ? undefined
      : `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(credentials)))}`,
  };
}
