/**
 * A chat on the port of an Express app: the server of `node:http` hands over its upgrades. In a project with `express`:
 * `deno run -A express.mjs [PORT]` or `bun express.mjs [PORT]`.
 */

import { createServer } from "node:http";
import process from "node:process";
import { WebSocketServer } from "@tackline/websocket";
// @ts-ignore: a package of your project, not of this one
import express from "express";

const app = express();
app.get("/", (_request, response) => response.send("Hello"));

// It does not listen itself.
const chat = new WebSocketServer({
  pathName: "/chat",
  onMessageReceived: (_connection, text) => void chat.broadcastMessage(text),
});

const server = createServer(app);
server.on("upgrade", (request, socket, head) => void chat.handleUpgrade(request, socket, head));
server.listen(Number(process.argv[2] ?? 8888), "127.0.0.1", () => {
  const { port } = server.address();
  console.log(`Open http://127.0.0.1:${port}/, chat at ws://127.0.0.1:${port}/chat`);
});

process.on("SIGINT", async () => {
  server.close();
  await chat.stop();
  process.exit();
});
