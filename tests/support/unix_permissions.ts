/** A server and a client on a Unix socket, started with few permissions; prints what comes back. */

import process from "node:process";
import { WebSocketClient, WebSocketServer } from "../../mod.ts";

const path = process.argv.at(-1)!;
const server = new WebSocketServer({ path, onMessageReceived: (connection, text) => void connection.send(text) });
await server.start();
const client = new WebSocketClient({ path });
await client.connect();
client.send("permitted");
console.log(await client.receive());
await client.disconnect();
await server.stop();
