/**
 * Chooses how a client connects: with sockets of its own where the runtime has them, or with the platform's own `WebSocket`.
 *
 * Code for pages must not reach what names a runtime or `node:`. So the sockets are not imported here: the entry `client.ts` brings them.
 *
 * @module
 */

import { browserConnector } from "./browser_connector.ts";
import type { Connector } from "./connector.ts";

let sockets: Connector | undefined;

/**
 * From now on clients use sockets, where the runtime has them.
 *
 * @param connector Opens them.
 */
export function useSockets(connector: Connector): void {
  sockets = connector;
}

/**
 * What to connect with on this platform.
 *
 * @param overStream Whether the connection goes over streams of the program: no socket is needed then, but the codec is.
 * @returns The connector; whether it can connect it says when it is asked to.
 */
export function chooseConnector(overStream: boolean): Connector {
  return sockets !== undefined && (overStream || sockets.available) ? sockets : browserConnector;
}
