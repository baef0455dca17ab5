/**
 * The servers that bench/intake.ts compares, on Deno and Bun: `webhook.ts ours|hand JOURNAL SECRET PATH`. Both take
 * signed notifications, keep them in a SQLite file, each synced before its 200, tell retries by the digest, and forward
 * them to all WebSockets. Prints its port.
 *
 * "hand" is what a careful programmer writes with what the runtime has: one synced INSERT for each request, prepared
 * once, and `send`.
 */

import process from "node:process";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const [name, file, secret, path] = process.argv.slice(2);
const hostname = "127.0.0.1";

if (name === "ours") await serveOurs();
else if ("Deno" in globalThis) await serveOnDeno();
else await serveOnBun();

async function serveOurs(): Promise<void> {
  const { WhatsAppServer } = await import("../../whatsapp.ts");
  const server = new WhatsAppServer({
    hostname,
    port: 0,
    pathName: path,
    behindProxy: true,
    appSecret: secret,
    verifyToken: "verify",
    receiverToken: null,
    journal: file,
    onError: (error) => console.error(error),
  });
  await server.start();
  console.log(server.address!.port);
}

// ---- By hand -----------------------------------------------------------------------------------------------------

/** Keeps a body; `false`: it was there already. */
async function openDatabase(): Promise<(body: Uint8Array, signature: string) => boolean> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file!);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  db.exec(`CREATE TABLE IF NOT EXISTS notification (
    id INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, signature TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL
  )`);
  const insert = db.prepare(
    "INSERT OR IGNORE INTO notification (received_at, signature, digest, body) VALUES (?, ?, ?, ?)",
  );
  return (body, signature) =>
    insert.run(Date.now(), signature, createHash("sha256").update(body).digest(), body).changes === 1;
}

/** Answers a POST, and hands on what is new. */
async function take(
  request: Request,
  keep: (body: Uint8Array, signature: string) => boolean,
  forward: (body: Uint8Array<ArrayBuffer>) => void,
): Promise<Response> {
  if (request.headers.get("content-type") !== "application/json") return new Response("JSON, please", { status: 415 });
  const signature = request.headers.get("x-hub-signature-256") ?? "";
  const body = new Uint8Array(await request.arrayBuffer());
  const expected = createHmac("sha256", secret!).update(body).digest();
  const shown = new Uint8Array(expected.length);
  for (let at = 0; at < shown.length; at++) shown[at] = parseInt(signature.slice(7 + 2 * at, 9 + 2 * at), 16);
  if (!timingSafeEqual(shown, expected)) return new Response("The signature is wrong", { status: 401 });
  if (keep(body, signature)) forward(body);
  return new Response("OK");
}

async function serveOnDeno(): Promise<void> {
  const keep = await openDatabase();
  const sockets = new Set<WebSocket>();
  const forward = (body: Uint8Array<ArrayBuffer>): void => {
    for (const socket of sockets) if (socket.readyState === WebSocket.OPEN) socket.send(body);
  };
  const server = Deno.serve({ hostname, port: 0, onListen() {} }, (request) => {
    if (new URL(request.url).pathname !== path) return new Response("Not here", { status: 404 });
    if (request.method === "POST") return take(request, keep, forward);
    if (request.headers.get("upgrade") !== "websocket") return new Response("POST, please", { status: 405 });
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => void sockets.add(socket);
    socket.onclose = () => void sockets.delete(socket);
    return response;
  });
  console.log(server.addr.port);
}

/** The part of Bun's interface that is used here. */
interface BunSocket {
  send(data: Uint8Array): void;
}
interface BunServer {
  port: number;
  upgrade(request: Request): boolean;
}
interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Response | undefined | Promise<Response>;
    websocket: { open(socket: BunSocket): void; close(socket: BunSocket): void; message(): void };
  }): BunServer;
}

async function serveOnBun(): Promise<void> {
  const keep = await openDatabase();
  const { Bun } = globalThis as unknown as { Bun: BunRuntime };
  const sockets = new Set<BunSocket>();
  const forward = (body: Uint8Array<ArrayBuffer>): void => {
    for (const socket of sockets) socket.send(body);
  };
  const server: BunServer = Bun.serve({
    hostname,
    port: 0,
    fetch(request, server) {
      if (new URL(request.url).pathname !== path) return new Response("Not here", { status: 404 });
      if (request.method === "POST") return take(request, keep, forward);
      return server.upgrade(request) ? undefined : new Response("POST, please", { status: 405 });
    },
    websocket: {
      open: (socket) => void sockets.add(socket),
      close: (socket) => void sockets.delete(socket),
      message() {},
    },
  });
  console.log(server.port);
}
