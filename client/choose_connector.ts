/**
 * Chooses how a client connects: with sockets where the runtime has them, else with the `WebSocket` of the platform.
 *
 * Code for pages must not import a module that names a runtime or `node:`. Therefore the entry `client.ts` passes the
 * sockets to `useSockets`.
 *
 * @module
 */

import { browserConnector } from "./browser_connector.ts";
import type { Connector } from "./connector.ts";

let sockets: Connector | undefined;

/**
 * Lets all clients use sockets, where the runtime has them.
 *
 * @param connector Opens the sockets.
 */
export function useSockets(connector: Connector): void {
  sockets = connector;
}

/**
 * Chooses the connector of this platform.
 *
 * @param overStream `true` if the connection uses streams of the program: it needs the codec, but no socket.
 * @returns The connector. On a platform that has none, its `connect` throws.
 */
export function chooseConnector(overStream: boolean): Connector {
  return sockets !== undefined && (overStream || sockets.available) ? sockets : browserConnector;
}
