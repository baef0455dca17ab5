/** Plays a script of calls and events on a server in the form of npm `ws`: ours, and `ws` itself. */

import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import type { DuplexSocket } from "../../transport/duplex.ts";
import type { WebSocketServerOptions } from "../../ws.ts";
import type * as ours from "../../ws.ts";
import { until } from "./support.ts";

/** A module in the form of `ws`. */
export type Host = typeof ours;

/**
 * Loads `ws`.
 *
 * @param folder Of `needs.ts`; where it is missing the tests are registered all the same, to be skipped.
 */
export function loadWs(folder?: string): Host {
  if (folder === undefined) return {} as Host;
  return createRequire(import.meta.url)(join(folder, "node_modules/ws/index.js")).WebSocket as Host;
}

/** What happened, in order. */
export class Story {
  readonly entries: unknown[][] = [];

  /** Notes an event, in a form that can be compared. */
  note(...entry: unknown[]): void {
    this.entries.push(entry.map(show));
  }

  /** Waits until an event was noted, `count` times. */
  until(name: unknown, count = 1): Promise<void> {
    return until(() => this.entries.filter(([first]) => first === name).length >= count, `event ${count} of ${name}`);
  }
}

function show(value: unknown): unknown {
  if (value instanceof Error) return "an error";
  if (Array.isArray(value)) return value.map(show);
  if (value instanceof ArrayBuffer) return `ArrayBuffer ${[...new Uint8Array(value)]}`;
  if (value instanceof Uint8Array) return `${value.constructor.name} ${[...value]}`;
  return value === undefined ? "undefined" : value;
}

/** A server of `node:http` whose upgrades go to a server in the form of `ws`. */
export interface Rig {
  readonly wss: ours.WebSocketServer;
  readonly port: number;
  /** Ends all. */
  close(): Promise<void>;
}

/** Starts it. */
export async function startRig(
  host: Host,
  options: WebSocketServerOptions,
  opened: (socket: ours.WebSocket, request: IncomingMessage) => void,
): Promise<Rig> {
  const http = createServer((_request, response) => void response.end());
  const wss = new host.WebSocketServer({ noServer: true, ...options });
  http.on("upgrade", (request: IncomingMessage, socket: DuplexSocket, head: Uint8Array) => {
    wss.handleUpgrade(request, socket, head, opened);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of wss.clients ?? []) socket.terminate();
    await new Promise<void>((resolve) => wss.close(() => resolve()));
    await new Promise<void>((resolve) => http.close(() => resolve()));
  };
  return { wss, port, close };
}

/** A script: what the server does with its end, and then the client with the other. */
export interface Script {
  options?: WebSocketServerOptions;
  client?: WebSocketClientOptions;
  serve(socket: ours.WebSocket, story: Story, host: Host): void;
  drive(client: WebSocketConnection, story: Story, socket: ours.WebSocket): unknown;
}

/** Plays a script until the end of the connection, and returns what the server's end has noted. */
export async function play(
  host: Host,
  { options = {}, client: clientOptions, serve, drive }: Script,
): Promise<unknown[]> {
  const story = new Story();
  let socket: ours.WebSocket | undefined;
  const rig = await startRig(host, options, (opened) => {
    socket = opened;
    serve(opened, story, host);
    opened.on("close", (code, reason) => story.note("close", code, reason, opened.readyState));
  });
  const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`, { pingInterval: 0, ...clientOptions });
  await client.connect();
  await until(() => socket !== undefined, "the socket");
  await drive(client.connection as WebSocketConnection, story, socket!);
  await story.until("close");
  await client.disconnect();
  await rig.close();
  return story.entries;
}
