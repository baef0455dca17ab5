/**
 * Echoes every message, and stops in order on Ctrl+C: `deno run -A examples/echo_server.ts [PORT]`.
 */

import process from "node:process";
import { WebSocketServer } from "../mod.ts";

const server = new WebSocketServer({
  port: Number(process.argv[2] ?? 8888),
  hostname: "127.0.0.1",
  onMessageReceived: (connection, text) => void connection.send(text),
  onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
  onError: (error) => console.error(error),
});
await server.start();
console.log(`Echoing on ws://127.0.0.1:${server.address!.port}/`);
process.once("SIGINT", () => server.stop());
