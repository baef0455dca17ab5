/**
 * The WebSocket client with sockets of its own, on Deno and Bun. For pages: `browser.ts`.
 *
 * @module
 */

import { useSockets } from "./connector.ts";
import { socketConnector } from "./socket_connector.ts";

export * from "./websocket_client.ts";
export * from "./connection.ts";

useSockets(socketConnector);
