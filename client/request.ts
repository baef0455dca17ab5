/**
 * The request of a client's handshake as its connection shows it.
 *
 * @module
 */

import type { HandshakeRequest } from "../connection/options.ts";
import type { Extension } from "../protocol/extensions.ts";

/**
 * Describes the request that opened a connection.
 *
 * @param sent Path and query, header fields and subprotocols of the request.
 * @param extensions The extensions that it offered.
 * @returns The request.
 */
export function describeRequest(
  { target, headers, protocols }: { target: string; headers: Headers; protocols: readonly string[] },
  extensions: readonly Extension[],
): HandshakeRequest {
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = queryAt < 0 ? "" : target.slice(queryAt + 1);
  // A signal for each connection, so that its listeners end with the connection.
  const { signal } = new AbortController();
  return { method: "GET", path, query, headers, protocols, extensions, signal };
}
