/**
 * A flood of 300 000 short messages to one connection, with a handler without promise, with promises (`concurrency` as
 * by default), and with `concurrency: 1`. Prints the CPU time of server and client together. To compare, run it in two
 * worktrees, in turn.
 *
 *   deno run -A bench/handlers.ts        on Deno
 *   bun bench/handlers.ts                on Bun
 */

import process from "node:process";
import { WebSocketClient, WebSocketServer, type WebSocketServerOptions } from "../mod.ts";

const COUNT = 300_000;

async function flood(name: string, makeOptions: (count: () => void) => WebSocketServerOptions): Promise<void> {
  const all = Promise.withResolvers<void>();
  let seen = 0;
  const count = (): void => {
    if (++seen === COUNT) all.resolve();
  };
  await using server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", ...makeOptions(count) });
  await server.start();
  const url = `ws://127.0.0.1:${server.address!.port}/`;
  await using client = new WebSocketClient(url, { maxBufferedAmount: 0, onMessageReceived() {} });
  await client.connect();
  const begin = process.cpuUsage();
  for (let sent = 0; sent < COUNT; sent++) client.send("0123456789abcdef");
  await all.promise;
  const { user, system } = process.cpuUsage(begin);
  console.log(`${name}: ${Math.round((user + system) / 1000)} ms`);
}

for (let round = 0; round < 3; round++) {
  await flood("no promise", (count) => ({ onMessageReceived: () => count() }));
  const wait = async (count: () => void): Promise<void> => {
    await undefined;
    count();
  };
  await flood("promises", (count) => ({ onMessageReceived: () => wait(count) }));
  await flood("concurrency 1", (count) => ({ onMessageReceived: () => wait(count), concurrency: 1 }));
}
