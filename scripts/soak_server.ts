/**
 * The server of `soak.ts` and `attacks.ts`, in a process of its own: echoes, keeps digests of what came and went on
 * each connection, and answers commands on standard input, a line each, with a line of JSON.
 */

import process from "node:process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { WebSocketError } from "../base/errors.ts";
import { type CloseInfo, type WebSocketConnection, WebSocketServer } from "../server.ts";
import { Digest } from "./digest.ts";

interface Kept {
  received: Digest;
  sent: Digest;
}

const tally = new Map<string, { received: string; sent: string; info: CloseInfo }>();
const errors = new Map<string, number>();
const unknown: string[] = [];

const server = new WebSocketServer<Kept>({
  port: 0,
  // All of loopback: see the client.
  hostname: "0.0.0.0",
  compression: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  // As by default, but for times that a short run can see the end of, and sizes that fit a small machine.
  bodyTimeout: 4000,
  pingInterval: 3000,
  maxBufferedAmount: 4 * 1024 * 1024,
  maxTotalBufferedAmount: 8 * 1024 * 1024,
  maxMessageSize: 2 * 1024 * 1024,
  maxTotalMessageSize: 8 * 1024 * 1024,
  maxTotalBodySize: 8 * 1024 * 1024,
  onOpen: (connection) => void (connection.data = { received: new Digest(), sent: new Digest() }),
  onMessageReceived: echo,
  onBinaryDataReceived: echo,
  onCommandGet: async (request) => new Response(String((await request.text()).length)),
  onEnd(connection, info) {
    const id = connection.request.path.slice(1);
    // Attackers have no number.
    if (!Number.isInteger(Number(id))) return;
    const { received, sent } = connection.data;
    tally.set(id, { received: received.text, sent: sent.text, info });
  },
  onError(error) {
    if (!(error instanceof WebSocketError) || error.code === "ERR_HANDLER") unknown.push(String(error));
    else errors.set(error.code, (errors.get(error.code) ?? 0) + 1);
  },
});

function echo(connection: WebSocketConnection<Kept>, data: string | Uint8Array): void {
  connection.data.received.add(data);
  if (connection.state !== "open") return;
  if (connection.send(data) !== "dropped") connection.data.sent.add(data);
}

/**
 * Open resources of the process: sockets, those of the machine itself (of which Deno makes a pair when it first needs
 * one) aside, and the rest.
 */
function countDescriptors(): { sockets: number; others: number } {
  const local = readFileSync("/proc/self/net/unix", "utf8");
  const counts = { sockets: 0, others: 0 };
  for (const name of readdirSync("/proc/self/fd")) {
    let target = "";
    try {
      target = readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // That of the listing itself.
      continue;
    }
    const inode = target.startsWith("socket:[") ? target.slice(8, -1) : undefined;
    if (inode === undefined) counts.others++;
    else if (!local.includes(` ${inode}`)) counts.sockets++;
  }
  return counts;
}

const commands: Record<string, () => unknown> = {
  sample: () => ({
    ...process.memoryUsage(),
    descriptors: countDescriptors(),
    cpu: process.cpuUsage(),
    stats: server.stats(),
  }),
  tally() {
    const all = Object.fromEntries(tally);
    tally.clear();
    return all;
  },
  errors: () => ({ errors: Object.fromEntries(errors), unknown }),
  async stop() {
    await server.stop();
    return {};
  },
};

await server.start();
console.log(JSON.stringify({ port: server.address!.port }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await commands[line]!()));
}
process.exit(0);
