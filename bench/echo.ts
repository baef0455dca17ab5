/**
 * Round trips of messages: ours against the runtime's own server, `Deno.upgradeWebSocket` or `Bun.serve`, in turn, each server
 * pinned to one core and the generator to another where `taskset` is there.
 *
 *   deno task bench:echo [SECONDS] [PAIRS] [deno|bun]
 *
 * The generator writes prebuilt frames and counts echoes by their bytes, so that it costs less than any server.
 */

import process from "node:process";
import { encodeFrame, Opcode } from "../frame.ts";

const [first = "2", second = "5", runtime = "deno"] = process.argv.slice(2);
const SECONDS = Number(first);
const PAIRS = Number(second);
const CASES = [
  { connections: 32, size: 16, depth: 64 },
  { connections: 32, size: 16, depth: 1 },
  { connections: 32, size: 1024, depth: 16 },
  { connections: 4, size: 65536, depth: 4 },
];
const SERVERS = ["ours", "native"] as const;

if (first === "serve") await serve(second);
else await compare();

async function serve(name: string): Promise<void> {
  const hostname = "127.0.0.1";
  if (name === "ours") {
    const { WebSocketServer } = await import("../mod.ts");
    const server = new WebSocketServer({
      hostname,
      port: 0,
      onMessageReceived: (connection, text) => void connection.send(text),
      onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    });
    await server.start();
    console.log(server.address!.port);
    return;
  }
  if (!("Deno" in globalThis)) return serveOnBun(hostname);
  const server = Deno.serve({ hostname, port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  console.log(server.addr.port);
}

/** The part of Bun's interface that is used here. */
interface BunServe {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: { upgrade(request: Request): boolean }): Response | undefined;
    websocket: { message(socket: { send(data: string | Uint8Array): void }, data: string | Uint8Array): void };
  }): { port: number };
}

function serveOnBun(hostname: string): void {
  const { Bun } = globalThis as unknown as { Bun: BunServe };
  const server = Bun.serve({
    hostname,
    port: 0,
    fetch: (request, server) => server.upgrade(request) ? undefined : new Response(null, { status: 426 }),
    websocket: { message: (socket, data) => socket.send(data) },
  });
  console.log(server.port);
}

/** What runs the servers. */
async function findRuntime(): Promise<string[]> {
  if (runtime === "deno") return [Deno.execPath(), "run", "-A"];
  for (const command of [["bun"], ["npx", "-y", "bun@1.4.5"]]) {
    const [program, ...args] = command;
    const output = new Deno.Command(program, { args: [...args, "-e", "console.log(process.execPath)"] }).output();
    const path = await output.then(({ stdout }) => new TextDecoder().decode(stdout).trim(), () => "");
    // Itself, not what starts it: that is to be pinned, and to be ended.
    if (path !== "") return [path];
  }
  throw new Error("Bun was not found, neither on the path nor by npx");
}

async function compare(): Promise<void> {
  const command = await findRuntime();
  const name = runtime === "deno" ? `Deno ${Deno.version.deno}` : "Bun";
  console.log(`${name}, ${navigator.hardwareConcurrency} cores, ${SECONDS} s a run, ${PAIRS} pairs\n`);
  console.log("connections × bytes, depth   ours /s   native /s   ratio: median (least … most)");
  const servers = await Promise.all(SERVERS.map((server) => startServer(command, server)));
  for (const { connections, size, depth } of CASES) {
    const rates: number[][] = [[], []];
    for (let pair = 0; pair < PAIRS; pair++) {
      for (const [index, { port }] of servers.entries()) {
        rates[index].push(await measure(port, connections, size, depth));
      }
    }
    const ratios = rates[0].map((rate, index) => rate / rates[1][index]).sort((a, b) => a - b);
    const label = `${connections} × ${size}, ${depth}`.padEnd(27);
    const [ours, native] = rates.map((list) => String(Math.round(median(list))).padStart(10));
    const range = `${median(ratios).toFixed(2)} (${ratios[0].toFixed(2)} … ${ratios.at(-1)!.toFixed(2)})`;
    console.log(`${label} ${ours} ${native}    ${range}`);
  }
  for (const { child } of servers) child.kill();
}

function median(list: number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1];
}

async function startServer(
  [program, ...first]: string[],
  name: string,
): Promise<{ port: number; child: Deno.ChildProcess }> {
  const args = [...first, import.meta.filename!, "serve", name];
  const child = new Deno.Command(program, { args, stdout: "piped" }).spawn();
  await pin(child.pid, 0);
  await pin(Deno.pid, 1);
  const { value } = await child.stdout.getReader().read();
  return { port: Number(new TextDecoder().decode(value)), child };
}

async function pin(pid: number, core: number): Promise<void> {
  try {
    await new Deno.Command("taskset", { args: ["-a", "-p", "-c", String(core), String(pid)], stdout: "null" }).output();
  } catch {
    // Without taskset the system places the processes.
  }
}

async function measure(port: number, connections: number, size: number, depth: number): Promise<number> {
  const payload = new Uint8Array(size).fill(0x61);
  const frame = encodeFrame({ opcode: Opcode.Text, payload }, { maskingKey: Uint8Array.of(1, 2, 3, 4) });
  const echoLength = encodeFrame({ opcode: Opcode.Text, payload }).length;
  const run = new Uint8Array(frame.length * depth);
  for (let index = 0; index < depth; index++) run.set(frame, index * frame.length);
  const count = { messages: 0, running: true };
  const loops = Array.from({ length: connections }, () => drive(port, run, frame.length, echoLength, count));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = count.messages;
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const rate = (count.messages - before) / ((performance.now() - started) / 1000);
  count.running = false;
  await Promise.all(loops);
  return rate;
}

async function drive(
  port: number,
  run: Uint8Array,
  frameLength: number,
  echoLength: number,
  count: { messages: number; running: boolean },
): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  const request = `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n`;
  await writeAll(conn, new TextEncoder().encode(request));
  const buffer = new Uint8Array(256 * 1024);
  await conn.read(buffer);
  await writeAll(conn, run);
  let rest = 0;
  while (count.running) {
    const length = await conn.read(buffer);
    if (length === null) throw new Error("The server closed the connection");
    rest += length;
    const echoes = Math.floor(rest / echoLength);
    rest -= echoes * echoLength;
    count.messages += echoes;
    if (echoes > 0) await writeAll(conn, run.subarray(0, echoes * frameLength));
  }
  conn.close();
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
