/**
 * Program of a test: two servers share a port, clients connect, and a third server that does not share tries to
 * listen. It prints a line of JSON: the connections of both servers, and the error of the third.
 */

import { WebSocketClient } from "../../client.ts";
import { WebSocketServer } from "../../server.ts";
import { until } from "./support.ts";

const CLIENTS = 8;
const settings = { hostname: "127.0.0.1", reusePort: true };
await using one = new WebSocketServer({ ...settings, port: 0 });
await one.start();
const { port } = one.address!;
await using other = new WebSocketServer({ ...settings, port });
await other.start();
const clients = Array.from({ length: CLIENTS }, () => new WebSocketClient(`ws://127.0.0.1:${port}/`));
await Promise.all(clients.map((client) => client.connect()));
const count = (): number => one.connections.size + other.connections.size;
await until(() => count() === CLIENTS, "all clients on the servers");
const third = new WebSocketServer({ hostname: "127.0.0.1", port });
const error = await third.start().then(() => undefined, (error) => error);
console.log(JSON.stringify({ connections: count(), code: error?.code, message: error?.message }));
await Promise.all(clients.map((client) => client.disconnect()));
