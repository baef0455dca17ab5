/** Program of a test: tries to listen, to share a port, and to connect, and prints a line of JSON about each. */

import { WebSocketClient } from "../../client.ts";
import { WebSocketServer } from "../../server.ts";

const hostname = "127.0.0.1";

async function attempt(name: string, action: () => Promise<void>): Promise<void> {
  const error = await action().then(() => undefined, (error) => error);
  console.log(JSON.stringify({ name, code: error?.code, message: error?.message }));
}

async function listen(reusePort: boolean): Promise<void> {
  await using server = new WebSocketServer({ hostname, port: 0, reusePort });
  await server.start();
}

await attempt("listen", () => listen(false));
await attempt("reusePort", () => listen(true));
await attempt("connect", () => new WebSocketClient(`ws://${hostname}:1/`).connect());
await attempt("proxy", () => new WebSocketClient("ws://target.example/", { proxy: `http://${hostname}:1` }).connect());
