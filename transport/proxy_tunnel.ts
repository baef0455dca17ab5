/**
 * A tunnel through an HTTP proxy (RFC 9110 §9.3.6, CONNECT).
 *
 * @module
 */

import { HandshakeError, TransportError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { encodeHead, parseStatusLine } from "../protocol/head.ts";
import { foreignProtocolOf, guess } from "../protocol/peer_protocol.ts";
import { ResponseHeadReader } from "../protocol/response_head.ts";
import { failureText } from "./failure_text.ts";
import type { ProxyAddress } from "./transport.ts";

/** Bytes to and from a proxy, before the tunnel is there. */
export interface ProxyChannel {
  /**
   * Writes all bytes.
   *
   * @param bytes The bytes.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** The next bytes; `null` at the end. */
  read(): Promise<Uint8Array | null>;
}

/**
 * Asks a proxy for a tunnel.
 *
 * @param channel The connection to it.
 * @param target The end of the tunnel.
 * @param proxy The proxy.
 * @throws {TransportError} If it does not open one.
 */
export async function openTunnel(
  channel: ProxyChannel,
  target: { hostname: string; port: number },
  proxy: ProxyAddress,
): Promise<void> {
  const authority = authorityOf(target);
  const fields: [string, string][] = [["Host", authority]];
  if (proxy.authorization !== undefined) fields.push(["Proxy-Authorization", proxy.authorization]);
  await channel.write(encodeHead(`CONNECT ${authority} HTTP/1.1`, fields));
  const { status, statusText } = await readAnswer(channel, proxy);
  if (status >= 200 && status < 300) return;
  const cause = new HandshakeError("ERR_HANDSHAKE_STATUS", `${status} ${statusText}`.trim(), status);
  const remedy = status === 407 ? ': set user name and password in the URL of "proxy"' : "";
  throw proxyError(proxy, `answered ${cause.message}${remedy}`, cause);
}

function authorityOf({ hostname, port }: { hostname: string; port: number }): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

async function readAnswer(
  channel: ProxyChannel,
  proxy: ProxyAddress,
): Promise<{ status: number; statusText: string }> {
  const reader = new ResponseHeadReader();
  for (;;) {
    const bytes = await channel.read();
    if (bytes === null) {
      reader.end();
      throw proxyError(proxy, "has closed the connection");
    }
    const used = reader.push(bytes);
    if (reader.head === undefined) continue;
    // A server sends nothing first, so these bytes would be the proxy's own: RFC 9110 §9.3.6 allows no content.
    const answer = parseStatusLine(reader.head.startLine);
    if (used < bytes.length && answer.status < 300) throw proxyError(proxy, "sent more than its answer");
    return answer;
  }
}

/**
 * Makes the error of a connection that ends at the proxy: the target was not asked.
 *
 * @param error The failure: of the attempt to connect to the proxy, or of what it sends.
 * @param proxy The proxy.
 * @returns The error to throw.
 */
export function proxyFailure(error: unknown, proxy: ProxyAddress): TransportError {
  if (isError(error, TransportError)) return error;
  const protocol = foreignProtocolOf(error);
  if (protocol === "TLS") return proxyError(proxy, "speaks TLS, which is not supported for proxies", error);
  if (protocol !== undefined) return proxyError(proxy, `does not speak HTTP${guess(protocol)}`, error);
  if (isError(error, HandshakeError)) {
    return proxyError(proxy, `sent an answer that is not valid: ${error.message}`, error);
  }
  return new TransportError("ERR_PROXY", `Cannot connect to ${proxyName(proxy)}: ${failureText(error)}`, {
    cause: error,
  });
}

function proxyError(proxy: ProxyAddress, fault: string, cause?: unknown): TransportError {
  const message = `The proxy ${authorityOf(proxy)} ${fault}`;
  return new TransportError("ERR_PROXY", message, cause === undefined ? undefined : { cause });
}

/**
 * Names a proxy in a message.
 *
 * @param proxy The proxy.
 * @returns Host and port, without credentials.
 */
export function proxyName(proxy: ProxyAddress): string {
  return `the proxy ${authorityOf(proxy)}`;
}
