/**
 * WebSocket server and client for Deno and Bun (RFC 6455), with frame-level control, and a WhatsApp Cloud API webhook pair on
 * top of them. No npm dependencies. For web pages: `@tackline/websocket/browser`.
 *
 * @example An echo server and a client
 * ```ts
 * import { WebSocketClient, WebSocketServer } from "@tackline/websocket";
 *
 * await using server = new WebSocketServer({
 *   port: 0,
 *   onMessageReceived: (connection, text) => void connection.send(text),
 * });
 * await server.start();
 *
 * await using client = new WebSocketClient(`ws://localhost:${server.address?.port}/`);
 * await client.connect();
 * client.send("Hello");
 * for await (const message of client) {
 *   console.log(message);
 *   break;
 * }
 * ```
 *
 * @module
 */

export * from "./client.ts";
export * from "./base/clock.ts";
export * from "./connection/connection.ts";
export * from "./base/errors.ts";
export * from "./journal/sqlite_journal.ts";
export * from "./journal/memory_journal.ts";
export * from "./redis/backplane.ts";
export * from "./redis/journal.ts";
export * from "./server/server.ts";
export * from "./whatsapp/server.ts";
export * from "./cloud_api/api.ts";
export * from "./cloud_api/parse.ts";
