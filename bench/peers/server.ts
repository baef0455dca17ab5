/**
 * The servers that bench/peers.ts compares, on Deno and Bun:
 * `server.ts ours|native echo|fanout|deflate|tls|work CERTIFICATE KEY
 * [MS]`. Each echoes, or broadcasts in the best way it has, and prints its port. "deflate" broadcasts with compression;
 * "work" keeps the processor busy for MS before it echoes a message of more than one character.
 */

import process from "node:process";
import { readFileSync } from "node:fs";

const [name, mode, certificateFile, certificateKeyFile, workTime = "0"] = process.argv.slice(2);
const hostname = "127.0.0.1";
const broadcasts = mode === "fanout" || mode === "deflate";

/** Does what a handler may have to do. */
const work = mode !== "work" ? (_: unknown) => {} : (data: unknown) => {
  if (typeof data !== "string" || data.length === 1) return;
  for (const end = performance.now() + Number(workTime); performance.now() < end;);
};

if (name === "ours") await serveOurs();
else if ("Deno" in globalThis) serveOnDeno();
else serveOnBun();

async function serveOurs(): Promise<void> {
  const { WebSocketServer } = await import("../../mod.ts");
  const server: InstanceType<typeof WebSocketServer> = new WebSocketServer({
    hostname,
    port: 0,
    compression: mode === "deflate",
    onMessageReceived: broadcasts ? (_, text) => void server.broadcastMessage(text) : (connection, text) => {
      work(text);
      connection.send(text);
    },
    onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    ...(mode === "tls" && { useSSL: true, certificateFile, certificateKeyFile }),
  });
  await server.start();
  console.log(server.address!.port);
}

function serveOnDeno(): void {
  const sockets = new Set<WebSocket>();
  const tls = mode === "tls"
    ? { cert: readFileSync(certificateFile!, "utf8"), key: readFileSync(certificateKeyFile!, "utf8") }
    : {};
  const server = Deno.serve({ hostname, port: 0, onListen() {}, ...tls }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    sockets.add(socket);
    socket.onclose = () => sockets.delete(socket);
    socket.onmessage = ({ data }) => {
      if (broadcasts) { for (const each of sockets) if (each.readyState === WebSocket.OPEN) each.send(data); }
      else {
        work(data);
        socket.send(data);
      }
    };
    return response;
  });
  console.log(server.addr.port);
}

/** The part of Bun's interface that is used here. */
interface BunSocket {
  send(data: string | Uint8Array): void;
  subscribe(topic: string): void;
}
interface BunServer {
  port: number;
  upgrade(request: Request): boolean;
  publish(topic: string, data: string | Uint8Array, compress: boolean): void;
}
interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    tls?: { cert: string; key: string };
    fetch(request: Request, server: BunServer): Response | undefined;
    websocket: {
      maxPayloadLength: number;
      perMessageDeflate: boolean;
      open(socket: BunSocket): void;
      message(socket: BunSocket, data: string | Uint8Array): void;
    };
  }): BunServer;
}

function serveOnBun(): void {
  const { Bun } = globalThis as unknown as { Bun: BunRuntime };
  const tls = mode === "tls"
    ? { tls: { cert: readFileSync(certificateFile!, "utf8"), key: readFileSync(certificateKeyFile!, "utf8") } }
    : {};
  const compress = mode === "deflate";
  const server: BunServer = Bun.serve({
    hostname,
    port: 0,
    ...tls,
    fetch: (request, server) => server.upgrade(request) ? undefined : new Response(null, { status: 426 }),
    websocket: {
      maxPayloadLength: 16 * 1024 * 1024,
      perMessageDeflate: compress,
      open: (socket) => socket.subscribe("all"),
      message: broadcasts ? (_, data) => void server.publish("all", data, compress) : (socket, data) => {
        work(data);
        socket.send(data);
      },
    },
  });
  console.log(server.port);
}
