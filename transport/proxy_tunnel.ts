/**
 * A tunnel through an HTTP proxy (RFC 9110 §9.3.6, CONNECT).
 *
 * @module
 */

import { HandshakeError, TransportError } from "../base/errors.ts";
import { encodeHead, HeadReader, parseStatusLine } from "../protocol/head.ts";
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
  const host = target.hostname.includes(":") ? `[${target.hostname}]` : target.hostname;
  const authority = `${host}:${target.port}`;
  const fields: [string, string][] = [["Host", authority]];
  if (proxy.authorization !== undefined) fields.push(["Proxy-Authorization", proxy.authorization]);
  await channel.write(encodeHead(`CONNECT ${authority} HTTP/1.1`, fields));
  const { status, statusText } = await readAnswer(channel, proxy);
  if (status >= 200 && status < 300) return;
  const cause = new HandshakeError("ERR_HANDSHAKE_STATUS", `${status} ${statusText}`.trim(), status);
  throw new TransportError("ERR_PROXY", `The proxy ${proxy.hostname}:${proxy.port} answered ${cause.message}`, {
    cause,
  });
}

async function readAnswer(
  channel: ProxyChannel,
  proxy: ProxyAddress,
): Promise<{ status: number; statusText: string }> {
  const reader = new HeadReader();
  for (;;) {
    const bytes = await channel.read();
    if (bytes === null) {
      throw new TransportError("ERR_PROXY", `The proxy ${proxy.hostname}:${proxy.port} has closed the connection`);
    }
    const used = reader.push(bytes);
    if (reader.head === undefined) continue;
    // A server sends nothing first, so these bytes would be the proxy's own: RFC 9110 §9.3.6 allows no content.
    const answer = parseStatusLine(reader.head.startLine);
    if (used < bytes.length && answer.status < 300) {
      throw new TransportError("ERR_PROXY", `The proxy ${proxy.hostname}:${proxy.port} sent more than its answer`);
    }
    return answer;
  }
}
