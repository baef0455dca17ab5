/**
 * The live inbox: a `WhatsAppServer` that serves the page on its own port, through `onCommandGet`, and forwards what Meta delivers.
 *
 *   deno task demo --page             or: bun examples/demo.ts --page
 */

import { WhatsAppServer, type WhatsAppServerOptions } from "../../mod.ts";
import { signNotification } from "../../whatsapp.ts";
import { buildPage } from "./page.ts";
import { scenes } from "./scenes.ts";

/** Where Meta delivers, and receivers connect. The page has it in its `data-receiver`. */
export const PATH = "/whatsapp";

/** Starts the server of the inbox. Behind a proxy that speaks TLS it may be public; by itself it is on loopback. */
export async function startInbox(
  options: WhatsAppServerOptions & { appSecret: string; receiverToken: string },
): Promise<WhatsAppServer> {
  const page = await buildPage();
  const server = new WhatsAppServer({
    hostname: "127.0.0.1",
    behindProxy: true,
    pathName: PATH,
    onCommandGet(request) {
      const { pathname } = new URL(request.url);
      if (request.method !== "GET" || pathname !== "/") return undefined;
      return new Response(page.html, { headers: page.headers });
    },
    ...options,
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
  const server = await startInbox({
    port,
    appSecret,
    receiverToken,
    verifyToken: "demo-verify-token",
    onHandshakeResponseSent: () => connected.resolve(),
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
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 1500)), end]);
    if (over) break;
    await deliver(server.address!.port, json, appSecret);
  }
  await end;
  await server.stop();
}
