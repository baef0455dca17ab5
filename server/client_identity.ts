/**
 * The client behind a trusted proxy becomes the other end of its connection: for one request of plain HTTP, since a
 * proxy sends those of many clients over one connection, and for all time of a WebSocket.
 *
 * @module
 */

import type { AdmissionTicket } from "./admission.ts";
import type { ServerContext } from "./context.ts";
import { NO_PARAMS, setParams, type WebSocketConnection } from "../connection/connection.ts";
import { clientOf } from "./forwarded.ts";
import type { HeaderFields } from "../protocol/head.ts";
import { textResponse } from "../protocol/http.ts";
import type { Address, Transport } from "../transport/transport.ts";

/** A request that is refused without a report to `onError`: such refusals come in floods. */
export class Refusal extends Error {
  /** Reason in statistics and log. */
  readonly reason: string;
  /** The answer. */
  readonly response: Response;

  /**
   * Makes a refusal.
   *
   * @param reason Reason in statistics and log.
   * @param response The answer.
   */
  constructor(reason: string, response: Response) {
    super(reason);
    this.reason = reason;
    this.response = response;
  }
}

/** The members of a connection that tell its other end. */
interface OtherEnd {
  remoteAddress: Address;
  proxyAddress: Address | undefined;
  encrypted: boolean;
}

/**
 * Finds out which client has sent a request, and counts the connection for it.
 *
 * @param context The server.
 * @param connection The connection, whose `remoteAddress`, `proxyAddress` and `encrypted` change.
 * @param transport Its transport.
 * @param ticket Counts the connection.
 * @param fields The header fields of the request.
 * @throws {Refusal} If only trusted proxies are served and the peer is none, or the client has too many connections.
 */
export function identifyClient<Data>(
  context: ServerContext<Data>,
  connection: WebSocketConnection<Data>,
  transport: Transport,
  ticket: AdmissionTicket,
  fields: HeaderFields,
): void {
  const { settings: { current: { proxies } }, extension } = context;
  if (proxies === undefined) return;
  // With the PROXY protocol the peer may be a client already.
  const { remoteAddress: peer, proxyAddress, encrypted } = transport;
  if (!proxies.has((proxyAddress ?? peer).hostname) && extension.requiresProxy?.()) {
    throw new Refusal("behindProxy", textResponse(403, "This server is reached through its proxy only"));
  }
  // A PROXY header without a client: what follows may be of any.
  if (peer === proxyAddress || !proxies.has(peer.hostname)) return;
  const client = clientOf(fields, proxies, peer);
  const end: OtherEnd = connection;
  end.remoteAddress = client.address;
  end.encrypted = client.encrypted ?? encrypted;
  end.proxyAddress = proxyAddress ?? (client.address === peer ? undefined : peer);
  if (ticket.serveClient(client.address)) return;
  const refusal = textResponse(429, "There are too many connections of this address", { "retry-after": "1" });
  throw new Refusal("maxConnectionsPerAddress", refusal);
}

/**
 * Makes a connection what it is without a request, as in front of each one until its head is read: the other end is the
 * peer, or the client that the proxy has named before the first request, and there are no parameters of a path.
 *
 * @param connection The connection, whose `remoteAddress`, `proxyAddress`, `encrypted` and `params` change.
 * @param transport Its transport.
 * @param ticket Counts the connection.
 */
export function forgetRequest<Data>(
  connection: WebSocketConnection<Data>,
  { remoteAddress, proxyAddress, encrypted }: Transport,
  ticket: AdmissionTicket,
): void {
  ticket.endRequest();
  const end: OtherEnd = connection;
  end.remoteAddress = remoteAddress;
  end.proxyAddress = proxyAddress === remoteAddress ? undefined : proxyAddress;
  end.encrypted = encrypted;
  setParams(connection, NO_PARAMS);
}
