/**
 * A home for servers written for npm `ws` 8: its `WebSocketServer` and `WebSocket`, over the server of this library.
 *
 * @example An echo server
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket/ws";
 *
 * const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
 * server.on("connection", (socket, request) => {
 *   console.log(request.url);
 *   socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
 * });
 * server.close();
 * ```
 *
 * @module
 */

export { default } from "./ws/module.ts";
export type { WebSocketClass } from "./ws/module.ts";
export { WebSocketServer } from "./ws/server.ts";
export type { WebSocketServerEvents } from "./ws/server.ts";
export { createWebSocketStream } from "./ws/stream.ts";
export { WebSocket } from "./ws/websocket.ts";
export type { SendCallback, WebSocketEvents } from "./ws/websocket.ts";
