/** A server that is given few file descriptors: see `fault_test.ts`. Prints its port, and what it reports. */

import process from "node:process";
import { WebSocketServer } from "../../server.ts";

const server = new WebSocketServer({
  port: 0,
  hostname: "127.0.0.1",
  onMessageReceived: (connection, text) => void connection.send(text),
  onError: (error) => console.log((error as { code: string }).code),
});
await server.start();
console.log(server.address!.port);
process.once("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
