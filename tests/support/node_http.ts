/** A server of `node:http` on a port of loopback, whose upgrades go to a `WebSocketServer`. */

import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import type { WebSocketConnection } from "../../connection/connection.ts";
import type { WebSocketServer } from "../../server.ts";
import type { DuplexSocket } from "../../transport/duplex.ts";
import { tlsFile } from "./support.ts";

/** The server, and the connections that came. */
export interface NodeHttp {
  readonly port: number;
  /** Results of `handleUpgrade`, in order. */
  readonly connections: (WebSocketConnection | undefined)[];
  /** Calls back with the socket of each upgrade, before `handleUpgrade`. */
  onUpgrade: (socket: DuplexSocket) => void;
  close(): Promise<void>;
}

/** Starts it, or one that a framework has made; other requests are answered by `respond`. */
export async function startNodeHttp(
  sockets: Pick<WebSocketServer, "handleUpgrade">,
  respond: RequestListener | Server = (_request, response) => void response.end("of node:http"),
  tls = false,
): Promise<NodeHttp> {
  const server: Server = typeof respond !== "function"
    ? respond
    : tls
    ? createTlsServer({ cert: readFileSync(tlsFile("leaf.pem")), key: readFileSync(tlsFile("leaf.key")) }, respond)
    : createServer(respond);
  const connections: NodeHttp["connections"] = [];
  const rig = { connections, onUpgrade: (_socket: DuplexSocket): void => {} };
  server.on("upgrade", (request: IncomingMessage, socket: DuplexSocket, head: Uint8Array) => {
    rig.onUpgrade(socket);
    connections.push(sockets.handleUpgrade(request, socket, head));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return Object.assign(rig, { port, close });
}
