/**
 * Clients side by side: ours, the platform's `WebSocket`, and `ws`, against one server: a server of ours in a process
 * of its own.
 *
 *   deno task bench:client        on Deno
 *   bun bench/client.ts           on Bun
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { npm } from "./bench.ts";
import { WebSocketClient } from "../mod.ts";

const PAIRS = 5;
const CONNECTS = 1000;
const AT_ONCE = 16;
const MESSAGES = 60_000;
const DEPTH = 64;
const TEXT = "sixteen letters!";

interface Peer {
  send(text: string): void;
  close(): void;
}
/** Opens a connection; `onMessage` is called for each message. */
type Open = (url: string, onMessage: () => void) => Promise<Peer>;

interface WsSocket extends Peer {
  on(event: string, listener: (value: never) => void): void;
}
const Ws = npm<new (url: string) => WsSocket>("ws", "8.23.0");

const clients: Record<string, Open> = {
  ours: async (url, onMessage) => {
    const client = new WebSocketClient(url, { onMessageReceived: () => onMessage() });
    await client.connect();
    return { send: (text) => void client.send(text), close: () => void client.disconnect() };
  },
  platform: (url, onMessage) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.onmessage = onMessage;
      socket.onopen = () => resolve(socket);
      socket.onerror = reject;
    }),
  ws: (url, onMessage) =>
    new Promise((resolve, reject) => {
      const socket = new Ws(url);
      socket.on("message", onMessage);
      socket.on("open", () => resolve(socket));
      socket.on("error", reject);
    }),
};

async function connectsPerSecond(open: Open, url: string): Promise<number> {
  let left = CONNECTS;
  const begin = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) (await open(url, () => {})).close();
  }));
  return CONNECTS / ((performance.now() - begin) / 1000);
}

async function messagesPerSecond(open: Open, url: string, depth: number, count: number): Promise<number> {
  let received = 0;
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => finish = resolve);
  const peer = await open(url, () => {
    received++;
    if (received + depth <= count) peer.send(TEXT);
    else if (received === count) finish();
  });
  const begin = performance.now();
  for (let sent = 0; sent < depth; sent++) peer.send(TEXT);
  await finished;
  const rate = count / ((performance.now() - begin) / 1000);
  peer.close();
  return rate;
}

const file = decodeURIComponent(new URL("./peers/server.ts", import.meta.url).pathname);
const own = "Deno" in globalThis ? ["run", "-A", "--no-check", file] : [file];
const server = spawn(process.execPath, [...own, "ours", "echo"], { stdio: ["ignore", "pipe", "inherit"] });
const port = await new Promise((resolve) => server.stdout.once("data", (data) => resolve(Number(data))));
const url = `ws://127.0.0.1:${port}/`;

const WORK: Record<string, (open: Open) => Promise<number>> = {
  [`connects, ${AT_ONCE} at once`]: (open) => connectsPerSecond(open, url),
  [`messages of 16 B, ${DEPTH} in flight`]: (open) => messagesPerSecond(open, url, DEPTH, MESSAGES),
  "messages of 16 B, 1 in flight": (open) => messagesPerSecond(open, url, 1, MESSAGES / 6),
};
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;
console.log(
  `| on ${
    "Deno" in globalThis ? "Deno" : "Bun"
  }, per second | ours | ours / platform | ours / ws |\n| --- | --- | --- | --- |`,
);
for (const [name, work] of Object.entries(WORK)) {
  const rates: Record<string, number[]> = { ours: [], platform: [], ws: [] };
  for (const open of Object.values(clients)) await work(open);
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const [client, open] of Object.entries(clients)) rates[client]!.push(await work(open));
  }
  const ratio = (peer: string): string => {
    const list = rates.ours!.map((rate, index) => rate / rates[peer]![index]!).sort((a, b) => a - b);
    return `${median(list).toFixed(2)} (${list[0]!.toFixed(2)} … ${list.at(-1)!.toFixed(2)})`;
  };
  console.log(`| ${name} | ${Math.round(median(rates.ours!))} | ${ratio("platform")} | ${ratio("ws")} |`);
}
server.kill("SIGKILL");
process.exit(0);
