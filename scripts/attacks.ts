/**
 * Each attack of `tests/support/hostile.ts` alone, while 100 honest connections send a message, wait for the echo, and
 * send the next one:
 *
 *   deno task attacks --seconds 5        bun scripts/attacks.ts --attack bomb,pingFlood
 *
 * The server must grow by less than 64 MiB, and the honest ones must keep at least half of their round-trip rate.
 * Server, honest ones and attackers are processes of their own; the attackers run with the lowest priority, since what
 * the machine cannot do for lack of cores is not the attack's merit.
 */

import { spawn } from "node:child_process";
import { setPriority } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketClient } from "../client.ts";
import { ATTACKS } from "../tests/support/hostile.ts";
import { SoakServer } from "./soak_child.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    attack: { type: "string" },
    /** Set in the process of the attackers. */
    port: { type: "string" },
  },
});
const HONEST = 100;
/** Number of simultaneous attackers. */
const ATTACKERS = 20;
/** The pause of each of them between two connections, in ms: what a machine without cores to spare makes of them. */
const PAUSE = 20;
const MAX_GROWTH = 64;
const MiB = 1024 * 1024;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Goes on until it is killed. */
async function attack(name: string, port: number): Promise<void> {
  setPriority(19);
  await Promise.all(Array.from({ length: ATTACKERS }, async () => {
    for (;;) {
      await ATTACKS[name]!(port);
      await pause(PAUSE);
    }
  }));
}

/** Counts round trips until it is told to stop. */
class Honest {
  count = 0;
  failed = 0;
  #clients: WebSocketClient[] = [];

  async start(port: number): Promise<void> {
    for (let index = 0; index < HONEST; index++) {
      const client: WebSocketClient = new WebSocketClient(`ws://127.0.0.1:${port}/${index}`, {
        onMessageReceived: (text) => {
          this.count++;
          if (client.active) client.send(text);
        },
        onDisconnect: ({ clean }) => {
          if (!clean) this.failed++;
        },
      });
      await client.connect();
      this.#clients.push(client);
    }
    for (const client of this.#clients) client.send("x".repeat(100));
  }

  async rate(ms: number): Promise<number> {
    const [count, begun] = [this.count, performance.now()];
    await pause(ms);
    return (this.count - count) / ((performance.now() - begun) / 1000);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.disconnect()));
  }
}

interface Outcome {
  ratio: number;
  growth: number;
  failed: number;
  connections: number;
  trouble: string;
}

async function measureOne(name: string, ms: number): Promise<Outcome> {
  const server = await SoakServer.start();
  const honest = new Honest();
  await honest.start(server.port);
  // Until the compilers have done their work.
  await pause(4000);
  const before = await honest.rate(ms / 2);
  const quiet = await server.sample();
  const script = fileURLToPath(import.meta.url);
  const args = "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
  const child = spawn(process.execPath, [...args, "--attack", name, "--port", String(server.port)], {
    stdio: "inherit",
  });
  const gone = new Promise((resolve) => child.on("close", resolve));
  await pause(1000);
  let most = 0;
  const rates: number[] = [];
  for (let step = 0; step < 5; step++) {
    rates.push(await honest.rate(ms / 5));
    most = Math.max(most, (await server.sample()).rss);
  }
  const attacked = await server.sample();
  process.kill(child.pid!, "SIGKILL");
  await gone;
  const after = await honest.rate(ms / 2);
  await honest.stop();
  const { unknown } = await server.errors();
  await server.stop();
  rates.sort((one, other) => one - other);
  return {
    ratio: rates[2]! / ((before + after) / 2),
    growth: (most - quiet.rss) / MiB,
    failed: honest.failed,
    connections: attacked.stats.connections.opened +
      Object.values(attacked.stats.refusals).reduce((sum, n) => sum + n, 0) -
      HONEST,
    trouble: server.trouble + unknown.join("; "),
  };
}

async function measure(): Promise<number> {
  const names = values.attack === undefined ? Object.keys(ATTACKS) : values.attack.split(",");
  let failures = 0;
  console.log(`${"attack".padEnd(24)}${"connections".padStart(12)}${"rate kept".padStart(12)}${"memory".padStart(12)}`);
  for (const name of names) {
    const { ratio, growth, failed, connections, trouble } = await measureOne(name, Number(values.seconds) * 1000);
    const ok = ratio >= 0.5 && growth < MAX_GROWTH && failed === 0 && trouble === "";
    if (!ok) failures++;
    console.log(
      `${name.padEnd(24)}${String(connections).padStart(12)}${`${(ratio * 100).toFixed(0)} %`.padStart(12)}` +
        `${`${growth.toFixed(1)} MiB`.padStart(12)}${failed > 0 ? `  ${failed} honest ones were lost` : ""}${
          ok ? "" : `  FAILED: ${trouble}`
        }`,
    );
  }
  console.log(failures === 0 ? "Every attack was borne." : `${failures} failures`);
  return failures === 0 ? 0 : 1;
}

if (values.port !== undefined) await attack(values.attack!, Number(values.port));
else process.exit(await measure());
