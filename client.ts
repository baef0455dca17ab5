/**
 * The WebSocket client with sockets of its own, on Deno and Bun. For pages: `browser.ts`.
 *
 * @module
 */

import { useSockets } from "./client/connector.ts";
import { socketConnector } from "./client/socket_connector.ts";

export * from "./client/client.ts";
export * from "./connection/connection.ts";

useSockets(socketConnector);
