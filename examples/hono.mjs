/**
 * A whole Hono app and a chat on one port: what is no WebSocket goes to the app. In a project with `hono`:
 * `deno run -A hono.mjs [PORT]` or `bun hono.mjs [PORT]`.
 */

import process from "node:process";
import { WebSocketServer } from "@tackline/websocket";
// @ts-ignore: a package of your project, not of this one
import { Hono } from "hono";

const app = new Hono();

/** The address of the client, as the `getConnInfo` of Hono's adapters gives it. */
function getConnInfo(context) {
  const { hostname: address, port } = context.env.connection.remoteAddress;
  return { remote: { address, port } };
}

app.get("/", (context) => context.html(`<p>Hello, ${getConnInfo(context).remote.address}`));
app.post("/say", async (context) => context.json({ heardBy: chat.broadcastMessage(await context.req.text()) }));

const chat = new WebSocketServer({
  port: Number(process.argv[2] ?? 8888),
  hostname: "127.0.0.1",
  pathName: "/chat",
  // The second argument becomes `context.env`.
  onCommandGet: (request, connection) => app.fetch(request, { connection }),
  onMessageReceived: (_connection, text) => void chat.broadcastMessage(text),
});
await chat.start();
console.log(`Open http://127.0.0.1:${chat.address.port}/, chat at ws://127.0.0.1:${chat.address.port}/chat`);

process.on("SIGINT", async () => {
  await chat.stop();
  process.exit();
});
