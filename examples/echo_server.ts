/**
 * Echoes every message, and stops in order on Ctrl+C or SIGTERM, at once on a second one:
 * `deno run -A examples/echo_server.ts [PORT]`.
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

const hasten = new AbortController();
let signals = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, async () => {
    if (++signals > 1) return hasten.abort();
    await server.stop({ signal: hasten.signal });
    process.exit();
  });
}
