/**
 * The engine `redis` of the fail-over test: a primary of Redis with two replicas, and a journal that waits for one of
 * them (`replicas: 1`). Each node reaches Redis by an address that leads to the present primary, as with cloud
 * services: connections that are open stay where they are.
 */

import type { Journal } from "../../journal/journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { FaultProxy } from "../../tests/support/fault_proxy.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../../tests/support/redis.ts";
import { ServiceAddress } from "../../tests/support/service_address.ts";
import type { Engine, NodeSettings, Rig } from "../failover_lane/engine.ts";
import { sleep, until } from "../failover_lane/waiting.ts";

/** Time until a monitor such as Redis Sentinel has a replica take over, in ms. */
const NOTICE = 2000;
/**
 * Time that the replicas are behind before the primary is killed, in ms: `replicaTimeout` and some more, so that a node
 * goes on.
 */
const LAG = 1400;
const FREEZE = 7000;

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
class Replication implements Rig {
  readonly primary: Redis;
  readonly replicas: readonly Redis[];
  /** One for each node. */
  readonly services: readonly [ServiceAddress, ServiceAddress];
  #links: readonly FaultProxy[];

  private constructor(
    primary: Redis,
    replicas: readonly Redis[],
    links: readonly FaultProxy[],
    services: readonly [ServiceAddress, ServiceAddress],
  ) {
    this.primary = primary;
    this.replicas = replicas;
    this.#links = links;
    this.services = services;
  }

  static async start(): Promise<Replication> {
    const primary = await Redis.start();
    const links = [await FaultProxy.listen(primary.server.port), await FaultProxy.listen(primary.server.port)];
    const replicas = [];
    for (const { port } of links) replicas.push(await Redis.start("--replicaof", "127.0.0.1", `${port}`));
    for (const replica of replicas) {
      await until(async () => await replica.info("master_link_status") === "up", "a replica");
    }
    const { port } = primary.server;
    const services = [await ServiceAddress.listen(port), await ServiceAddress.listen(port)] as const;
    return new Replication(primary, replicas, links, services);
  }

  get addresses(): [string, string] {
    return [this.services[0].url, this.services[1].url];
  }

  /** Cuts the replicas off, in both directions. */
  stallReplication(): void {
    for (const { links } of this.#links) for (const link of links) link.faults = { stalled: "both" };
  }

  /** The replica that has most becomes the primary, as Redis Sentinel chooses it. */
  async promote(services: readonly ServiceAddress[] = this.services): Promise<Redis> {
    const offsets = await Promise.all(this.replicas.map((replica) => replica.info("slave_repl_offset")));
    const best = Number(offsets[0]) >= Number(offsets[1]) ? 0 : 1;
    const chosen = this.replicas[best]!;
    await chosen.command("REPLICAOF", "NO", "ONE");
    await this.replicas[1 - best]!.command("REPLICAOF", "127.0.0.1", `${chosen.server.port}`);
    for (const service of services) service.target = chosen.server.port;
    return chosen;
  }

  async demote(chosen: Redis): Promise<void> {
    await this.primary.command("REPLICAOF", "127.0.0.1", `${chosen.server.port}`);
  }

  async stop(): Promise<void> {
    // Before the proxies: a replica that connects again holds them up.
    await Promise.all([this.primary, ...this.replicas].map((redis) => redis.stop()));
    await Promise.all([...this.services, ...this.#links].map((proxy) => proxy.close()));
  }
}

async function kill(rig: Replication): Promise<void> {
  const [service, first] = rig.services;
  // The node that knows least comes first: the last deliveries of the other one are known to it alone.
  first.stall();
  await sleep(50);
  rig.stallReplication();
  await sleep(LAG);
  await rig.primary.server.kill();
  first.cut();
  await sleep(NOTICE);
  const chosen = await rig.promote([first]);
  const last = async (): Promise<number> => Number(await chosen.command("HGET", "{tackline}:meta", "last"));
  const before = await last();
  await until(async () => await last() > before, "the first node");
  service.target = chosen.server.port;
}

async function failOver({ primary, replicas, services }: Replication): Promise<void> {
  const [chosen] = replicas;
  // To the port of the replica itself: the primary knows it by that.
  await primary.command("FAILOVER", "TO", "127.0.0.1", `${chosen!.server.port}`, "TIMEOUT", "5000");
  await until(async () => await chosen!.info("role") === "master", "the replica to take over");
  for (const service of services) service.target = chosen!.server.port;
}

async function freeze(rig: Replication): Promise<void> {
  const { server } = rig.primary;
  const thaw = sleep(FREEZE);
  server.freeze(true);
  await sleep(NOTICE);
  const chosen = await rig.promote();
  await thaw;
  server.freeze(false);
  await sleep(NOTICE);
  await rig.demote(chosen);
}

async function cut(rig: Replication): Promise<void> {
  const healed = sleep(FREEZE);
  rig.stallReplication();
  await sleep(NOTICE);
  const chosen = await rig.promote();
  await healed;
  await rig.demote(chosen);
}

export const ENGINE: Engine<Replication> = {
  needs: ["Redis", "npm:redis@6.3.1", "npm:ioredis@6.0.0"],
  cases: {
    kill: {
      text: "`kill -9`, while the replicas and one node are a moment behind; that node is back first",
      clients: [{ Deno: "npm:ioredis", Bun: "Bun.RedisClient" }],
      longestGap: 10_000,
      fault: kill,
    },
    graceful: {
      text: "`FAILOVER`: a replica takes over, and the primary follows it",
      clients: [{ Deno: "npm:redis", Bun: "Bun.RedisClient" }],
      longestGap: 3000,
      fault: failOver,
    },
    frozen: {
      text: "the primary stands still for 7 s; meanwhile a replica takes over; then it goes on as if nothing had been",
      clients: [{ Deno: "npm:ioredis", Bun: "npm:redis" }],
      longestGap: 12_000,
      fault: freeze,
    },
    cut: {
      text: "the primary loses its replicas, not its clients; a replica takes over; after 7 s the primary follows it",
      clients: [{ Deno: "npm:redis", Bun: "npm:ioredis" }],
      longestGap: 12_000,
      fault: cut,
    },
  },
  start: () => Replication.start(),
  async openJournal({ client: kind, address }: NodeSettings): Promise<Journal> {
    const { client } = await CLIENTS.get(kind)!(String(address));
    return RedisJournal.open(client, { replicas: 1, replicaTimeout: 1000 });
  },
};
