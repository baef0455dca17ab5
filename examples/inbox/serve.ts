/**
 * The live inbox: a `WhatsAppServer` that serves the page on its own port, through `onCommandGet`, and forwards what
 * Meta delivers.
 *
 *   deno task demo --page             or: bun examples/demo.ts --page
 */

import { signNotification, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { buildPage } from "./page.ts";
import { scenes } from "./scenes.ts";

/** Path to which Meta delivers and receivers connect. The page has it in its `data-receiver`. */
export const PATH = "/whatsapp";

/** Settings and handlers. Path and page are the inbox's own. */
export type InboxOptions = Omit<WhatsAppServerOptions, "pathName" | "onCommandGet"> & {
  appSecret: string;
  receiverToken: string;
};

/** Proxies give up connections that are silent, often after a minute. */
const PING_INTERVAL = 25_000;

/** Starts the server of the inbox. Behind a proxy that speaks TLS it may be public; by itself it is on loopback. */
export async function startInbox(
  options: InboxOptions,
): Promise<WhatsAppServer> {
  const page = await buildPage();
  const server = new WhatsAppServer({
    journal: null,
    hostname: "127.0.0.1",
    behindProxy: true,
    pathName: PATH,
    onCommandGet(request) {
      const { pathname } = new URL(request.url);
      if (request.method !== "GET" || pathname !== "/") return undefined;
      return new Response(page.html, { headers: page.headers });
    },
    ...options,
    onOpen(connection) {
      const timer = setInterval(() => connection.ping(), PING_INTERVAL);
      connection.closed.then(() => clearInterval(timer));
      return options.onOpen?.(connection);
    },
  });
  await server.start();
  return server;
}

/** Plays Meta: delivers one notification, signed. */
export async function deliver(port: number, json: string, appSecret: string): Promise<number> {
  const body = new TextEncoder().encode(json);
  const headers = { "content-type": "application/json", "x-hub-signature-256": signNotification(body, appSecret) };
  const response = await fetch(`http://127.0.0.1:${port}${PATH}`, { method: "POST", body, headers });
  await response.body?.cancel();
  return response.status;
}

/** Keeps an inbox running until `stopped`, and plays a conversation as soon as a page has connected. */
export async function runInbox(port: number, stopped: Promise<void>): Promise<void> {
  const appSecret = "demo-app-secret";
  const receiverToken = "demo-receiver-token";
  const connected = Promise.withResolvers<void>();
  const told: string[] = [];
  const server = await startInbox({
    port,
    appSecret,
    receiverToken,
    verifyToken: "demo-verify-token",
    onOpen(connection) {
      // A page that comes later, or again, catches up.
      for (const json of told) connection.send(json);
      connected.resolve();
    },
    onError: (error) => console.error("server:", error),
  });
  console.log(`
Open    http://localhost:${server.address!.port}/
Token   ${receiverToken}

A conversation begins when you have signed in. Stop with Ctrl+C.`);
  await Promise.race([connected.promise, stopped]);
  let over = false;
  const end = stopped.then(() => over = true);
  for (const json of scenes()) {
    await pause(1500, end);
    if (over) break;
    told.push(json);
    await deliver(server.address!.port, json, appSecret);
  }
  await end;
  await server.stop();
}

/** Waits some time, but not beyond `end`: a timer that is left would keep the process. */
async function pause(ms: number, end: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, end]);
  clearTimeout(timer);
}
