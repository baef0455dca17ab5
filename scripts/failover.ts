/**
 * The fail-over test: a primary of Redis with two replicas, and two nodes, one per runtime, whose journal waits for one
 * replica (`replicas: 1`). While 150 notifications a second come, the primary fails, and a replica takes its place:
 *
 *   deno task failover                    all cases, about two minutes
 *   deno task failover --case kill,cut    some of them
 *
 * | case       | what happens to the primary                                                                   |
 * |------------|-----------------------------------------------------------------------------------------------|
 * | `kill`     | `kill -9`, while the replicas and one node are a moment behind; that node is back first        |
 * | `graceful` | `FAILOVER`: a replica takes over, and the primary follows it                                  |
 * | `frozen`   | it stands still for 7 s; meanwhile a replica takes over; then it goes on as if nothing had been |
 * | `cut`      | it loses its replicas, but not its clients; a replica takes over; after 7 s it is told to follow |
 *
 * Each node reaches Redis by an address that leads to the present primary, as with cloud services: connections that are
 * open stay where they are. Every notification that got its 200 must reach every named receiver, or `ERR_JOURNAL_LOST`
 * and a gap must name it. Prints a table; exit code 1 if something is missing.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Simulator } from "../whatsapp/simulator.ts";
import { Balancer } from "../tests/support/balancer.ts";
import { FaultProxy } from "../tests/support/fault_proxy.ts";
import { find, type Runtime, runtime } from "../tests/support/needs.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../tests/support/redis.ts";
import { ServiceAddress } from "../tests/support/service_address.ts";
import { WhatsAppReceiver } from "../whatsapp.ts";

const SECRET = "failover-secret";
const TOKEN = "failover-token";
const RATE = 150;
/** Time until a monitor such as Redis Sentinel has a replica take over, in ms. */
const NOTICE = 2000;
/**
 * Time that the replicas are behind before the primary is killed, in ms: `replicaTimeout` and some more, so that a node
 * goes on.
 */
const LAG = 1400;
const FREEZE = 7000;
/** Time that notifications come before the fault, and at least after it, in ms. */
const BEFORE = 3000;
const AFTER = 5000;
/** Time within which notifications get 200 again, and within which the receivers have everything, in ms. */
const PATIENCE = 30_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean | Promise<boolean>, what: string, patience = PATIENCE): Promise<void> {
  const end = performance.now() + patience;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}

/** One Redis, and a connection to give it commands. */
class Redis {
  readonly server: RedisServer;
  #program: ProgramClient | undefined;

  private constructor(server: RedisServer) {
    this.server = server;
  }

  static async start(...options: string[]): Promise<Redis> {
    const always = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"];
    return new Redis(await RedisServer.start([...always, ...options]));
  }

  async command(...args: string[]): Promise<unknown> {
    this.#program ??= await CLIENTS.get("npm:redis")!(this.server.url);
    return await this.#program.command(...args);
  }

  /** A field of `INFO replication`. */
  async info(name: string): Promise<string> {
    const lines = String(await this.command("INFO", "replication")).split("\r\n");
    return lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1) ?? "";
  }

  async stop(): Promise<void> {
    await this.#program?.close();
    await this.server.stop();
  }
}

/** A primary, two replicas behind a proxy each, and the address of the service. */
class Cluster {
  readonly primary: Redis;
  readonly replicas: readonly Redis[];
  /** One for each node. */
  readonly addresses: readonly ServiceAddress[];
  #links: readonly FaultProxy[];

  private constructor(
    primary: Redis,
    replicas: readonly Redis[],
    links: readonly FaultProxy[],
    addresses: readonly ServiceAddress[],
  ) {
    this.primary = primary;
    this.replicas = replicas;
    this.#links = links;
    this.addresses = addresses;
  }

  static async start(): Promise<Cluster> {
    const primary = await Redis.start();
    const links = [await FaultProxy.listen(primary.server.port), await FaultProxy.listen(primary.server.port)];
    const replicas = [];
    for (const { port } of links) replicas.push(await Redis.start("--replicaof", "127.0.0.1", `${port}`));
    for (const replica of replicas) {
      await until(async () => await replica.info("master_link_status") === "up", "a replica");
    }
    const { port } = primary.server;
    const addresses = [await ServiceAddress.listen(port), await ServiceAddress.listen(port)];
    return new Cluster(primary, replicas, links, addresses);
  }

  /** Cuts the replicas off, in both directions. */
  stallReplication(): void {
    for (const { links } of this.#links) for (const link of links) link.faults = { stalled: "both" };
  }

  /** The replica that has most becomes the primary, as Redis Sentinel chooses it. */
  async promote(addresses: readonly ServiceAddress[] = this.addresses): Promise<Redis> {
    const offsets = await Promise.all(this.replicas.map((replica) => replica.info("slave_repl_offset")));
    const best = Number(offsets[0]) >= Number(offsets[1]) ? 0 : 1;
    const chosen = this.replicas[best]!;
    await chosen.command("REPLICAOF", "NO", "ONE");
    await this.replicas[1 - best]!.command("REPLICAOF", "127.0.0.1", `${chosen.server.port}`);
    for (const address of addresses) address.target = chosen.server.port;
    return chosen;
  }

  async demote(chosen: Redis): Promise<void> {
    await this.primary.command("REPLICAOF", "127.0.0.1", `${chosen.server.port}`);
  }

  async stop(): Promise<void> {
    // Before the proxies: a replica that connects again holds them up.
    await Promise.all([this.primary, ...this.replicas].map((redis) => redis.stop()));
    await Promise.all([...this.addresses, ...this.#links].map((proxy) => proxy.close()));
  }
}

/** Ways to lose the primary; each resolves when it is over. */
const CASES: Readonly<Record<string, (cluster: Cluster) => Promise<void>>> = {
  async kill(cluster) {
    const [address, first] = cluster.addresses;
    // The node that knows least comes first: the last deliveries of the other one are known to it alone.
    first!.stall();
    await sleep(50);
    cluster.stallReplication();
    await sleep(LAG);
    await cluster.primary.server.kill();
    first!.cut();
    await sleep(NOTICE);
    const chosen = await cluster.promote([first!]);
    const last = async (): Promise<number> => Number(await chosen.command("HGET", "{tackline}:meta", "last"));
    const before = await last();
    await until(async () => await last() > before, "the first node");
    address!.target = chosen.server.port;
  },
  async graceful(cluster) {
    const [chosen] = cluster.replicas;
    // To the port of the replica itself: the primary knows it by that.
    await cluster.primary.command("FAILOVER", "TO", "127.0.0.1", `${chosen!.server.port}`, "TIMEOUT", "5000");
    await until(async () => await chosen!.info("role") === "master", "the replica to take over");
    for (const address of cluster.addresses) address.target = chosen!.server.port;
  },
  async frozen(cluster) {
    const { server } = cluster.primary;
    const thaw = sleep(FREEZE);
    server.freeze(true);
    await sleep(NOTICE);
    const chosen = await cluster.promote();
    await thaw;
    server.freeze(false);
    await sleep(NOTICE);
    await cluster.demote(chosen);
  },
  async cut(cluster) {
    const healed = sleep(FREEZE);
    cluster.stallReplication();
    await sleep(NOTICE);
    const chosen = await cluster.promote();
    await healed;
    await cluster.demote(chosen);
  },
};

/** The clients of the two nodes, by case: on Deno, on Bun. */
const KINDS: Readonly<Record<string, readonly [string, string]>> = {
  kill: ["npm:ioredis", "Bun.RedisClient"],
  graceful: ["npm:redis", "Bun.RedisClient"],
  frozen: ["npm:ioredis", "npm:redis"],
  cut: ["npm:redis", "npm:ioredis"],
};

/** The output of a node. */
interface Fact {
  port?: number;
  kept?: [seq: number, digest: string];
  code?: string;
  message?: string;
}

/** A server in a process of its own. */
class Node {
  readonly name: string;
  readonly kept = new Map<string, number[]>();
  readonly errors: { code: string; message: string }[] = [];
  readonly ready: Promise<number>;
  #child: ChildProcess;

  constructor(on: Runtime, url: string, kind: string) {
    this.name = `${on} with ${kind}`;
    const program = fileURLToPath(new URL("./failover_node.ts", import.meta.url));
    const command = [...find(on)!, ...on === "Deno" ? ["run", "-A", "--no-check", program] : [program], url, kind];
    const env = { ...process.env, WHATSAPP_APP_SECRET: SECRET, WHATSAPP_RECEIVER_TOKEN: TOKEN, NO_COLOR: "1" };
    this.#child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "inherit"], env });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.ready = promise;
    this.#child.once("exit", () => reject(new Error(`the node on ${on} has ended`)));
    // Stopped on purpose, once its result is not needed any more.
    promise.catch(() => {});
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const { port, kept, code, message } = JSON.parse(line) as Fact;
      if (port !== undefined) resolve(port);
      if (kept !== undefined) this.kept.set(kept[1], [...this.kept.get(kept[1]) ?? [], kept[0]]);
      if (code !== undefined) this.errors.push({ code, message: message! });
    });
  }

  stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#child.kill("SIGKILL");
    return ended;
  }
}

/** A named receiver of one node, which comes back for ever. */
class Receiver {
  readonly name: string;
  readonly got = new Set<string>();
  readonly gaps: { after: number; until: number }[] = [];
  readonly errors: string[] = [];
  /** Numbers that came with another body before. */
  readonly reused: number[] = [];
  #receiver: WhatsAppReceiver;
  #stopped = false;
  #running: Promise<void>;
  readonly known: Promise<void>;

  constructor(name: string, port: number) {
    this.name = name;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.known = promise;
    this.#receiver = new WhatsAppReceiver(`ws://127.0.0.1:${port}/whatsapp`, {
      name,
      receiverToken: TOKEN,
      appSecret: SECRET,
      onCaughtUp: () => resolve(),
      onGap: (after, until) => void this.gaps.push({ after, until }),
      onError: (error) => void this.errors.push(String(error)),
    });
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const bodies = new Map<number, string>();
    while (!this.#stopped) {
      try {
        await this.#receiver.connect();
        for await (const { seq = 0, raw } of this.#receiver.notifications) {
          const digest = createHash("sha256").update(raw).digest("hex");
          this.got.add(digest);
          if ((bodies.get(seq) ?? digest) !== digest) this.reused.push(seq);
          bodies.set(seq, digest);
        }
      } catch {
        // The node could not read its journal: it closed the connection.
      }
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#receiver.disconnect(false);
    await this.#running;
  }
}

/** Numbers of one case, and what must not be. */
interface Outcome {
  accepted: number;
  retries: number;
  /** Longest time without a 200, in ms. */
  pause: number;
  /** Errors by code, by node. */
  errors: string[];
  /** Notifications that are gone, and told to be. */
  told: number;
  faults: string[];
}

async function runCase(name: string): Promise<Outcome> {
  const cluster = await Cluster.start();
  const others: Runtime = runtime === "Deno" ? "Bun" : "Deno";
  const [onDeno, onBun] = KINDS[name]!;
  const nodes = [runtime, others].map((on, at) =>
    new Node(on, cluster.addresses[at]!.url, on === "Deno" ? onDeno : onBun)
  );
  const receivers: Receiver[] = [];
  const done = new AbortController();
  let balancer: Balancer | undefined;
  try {
    const ports = await Promise.all(nodes.map(({ ready }) => ready));
    for (const [at, port] of ports.entries()) {
      for (const kind of ["billing", "support"]) receivers.push(new Receiver(`${kind} ${at + 1}`, port));
    }
    // From its first connection on nothing may be missing.
    await Promise.all(receivers.map(({ known }) => known));
    balancer = await Balancer.listen(ports);
    const accepted = new Map<string, number>();
    const simulator = new Simulator({
      url: `http://127.0.0.1:${balancer.port}/whatsapp`,
      appSecret: SECRET,
      rate: RATE,
      count: 1_000_000,
      concurrency: 256,
      retryFor: PATIENCE,
      requestTimeout: 5000,
      onAccepted: ({ json }) => void accepted.set(createHash("sha256").update(json).digest("hex"), performance.now()),
      signal: done.signal,
    });
    const running = simulator.run();
    await sleep(BEFORE);
    await CASES[name]!(cluster);
    const before = accepted.size;
    const faults: string[] = [];
    await until(() => accepted.size > before + RATE, "notifications that get a 200 again").catch(({ message }) => {
      faults.push(message);
    });
    await sleep(AFTER);
    done.abort();
    await running;
    const complete = (): boolean => receivers.every(({ got }) => [...accepted.keys()].every((one) => got.has(one)));
    await until(complete, "the receivers").catch(() => {});
    return judge(accepted, simulator, nodes, receivers, faults);
  } finally {
    done.abort();
    await Promise.all(receivers.map((receiver) => receiver.stop()));
    await Promise.all(nodes.map((node) => node.stop()));
    await balancer?.close();
    await cluster.stop();
  }
}

function judge(
  accepted: ReadonlyMap<string, number>,
  { report: { retries } }: Simulator,
  nodes: readonly Node[],
  receivers: readonly Receiver[],
  faults: string[],
): Outcome {
  const times = [...accepted.values()].sort((one, other) => one - other);
  let pause = 0;
  for (let at = 1; at < times.length; at++) pause = Math.max(pause, times[at]! - times[at - 1]!);
  const lost = nodes.some(({ errors }) => errors.some(({ code }) => code === "ERR_JOURNAL_LOST"));
  const numbers = (digest: string): number[] => nodes.flatMap(({ kept }) => kept.get(digest) ?? []);
  const gone = new Set<string>();
  for (const { name, got, gaps, reused } of receivers) {
    const inGap = (digest: string): boolean =>
      numbers(digest).some((seq) => gaps.some(({ after, until }) => seq > after && seq <= until));
    const missing = [...accepted.keys()].filter((digest) => !got.has(digest));
    const untold = missing.filter((digest) => !lost || !inGap(digest));
    for (const digest of missing) gone.add(digest);
    if (untold.length > 0) {
      const seqs = untold.flatMap(numbers).sort((one, other) => one - other);
      const which = seqs.length > 8 ? `${seqs.slice(0, 8).join(", ")}, …` : seqs.join(", ");
      faults.push(`"${name}" did not get ${untold.length} of ${accepted.size} that got a 200, untold: ${which}`);
    }
    if (reused.length > 0) faults.push(`"${name}" got ${reused.length} numbers a second time, with other bodies`);
  }
  const errors = nodes.map(({ name, errors }) => {
    const counts = new Map<string, number>();
    for (const { code } of errors) counts.set(code, (counts.get(code) ?? 0) + 1);
    return `${name}: ${[...counts].map(([code, count]) => `${count} ${code}`).join(", ") || "no error"}`;
  });
  if (process.env.FAILOVER_VERBOSE === "1") {
    for (const { name, errors } of nodes) {
      for (const { message } of errors.slice(0, 40)) console.log(`  ${name}: ${message}`);
    }
    for (const { name, errors, gaps } of receivers) console.log(`  ${name}`, gaps, errors.slice(0, 10));
  }
  return { accepted: accepted.size, retries, pause, errors, told: gone.size, faults };
}

const { values } = parseArgs({ options: { case: { type: "string", default: Object.keys(CASES).join(",") } } });
const wanted = values.case.split(",");
for (const name of wanted) {
  if (name in CASES) continue;
  console.error(`There is no case "${name}": ${Object.keys(CASES).join(", ")}`);
  process.exit(2);
}
if (spawnSync("redis-server", ["-v"]).error !== undefined || find("Bun") === undefined || find("Deno") === undefined) {
  console.error("redis-server, Deno and Bun are needed: on Debian, apt-get install redis-server");
  process.exit(1);
}
let failed = false;
for (const name of wanted) {
  const begun = performance.now();
  const { accepted, retries, pause, errors, told, faults } = await runCase(name);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const numbers = `${accepted} got a 200, ${retries} retries, longest pause ${(pause / 1000).toFixed(1)} s`;
  console.log(`${name.padEnd(9)} ${numbers}, ${told} gone; took ${seconds} s`);
  for (const line of errors) console.log(`          ${line}`);
  for (const fault of faults) console.log(`          FAILED: ${fault}`);
  failed ||= faults.length > 0;
}
console.log(
  failed ? "FAILED" : "Every notification that got a 200 reached every named receiver, or was told to be gone.",
);
process.exit(failed ? 1 : 0);
