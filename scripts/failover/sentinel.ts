/**
 * The engine `sentinel` of the fail-over test: a primary of Redis that three sentinels watch, and a journal that asks
 * them for the primary. `-0` in the name of a case: the journal waits for no replica; else for one (`replicas: 1`).
 */

import type { Journal } from "../../journal/journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { SENTINEL_SOURCES, type SentinelAddress, SentinelRig } from "../../tests/support/sentinel.ts";
import type { Case, Clients, Engine, NodeSettings, Rig } from "../failover_lane/engine.ts";
import { sleep, until } from "../failover_lane/waiting.ts";

/** Time after which a killed primary comes back, and a frozen one goes on, in ms: replicas have taken over by then. */
const DOWN = 2000;
const FREEZE = 7000;

/** Servers under Sentinel. */
class Watched implements Rig {
  readonly servers: SentinelRig;
  readonly addresses: readonly [SentinelAddress, SentinelAddress];

  constructor(servers: SentinelRig) {
    this.servers = servers;
    this.addresses = [servers.address, servers.address];
  }

  /** Waits until all sentinels name another primary than the first one. */
  async switched(): Promise<void> {
    const { sentinels, servers: [first] } = this.servers;
    for (const one of sentinels) {
      await until(async () => await this.servers.primaryPort(one) !== first!.port, "another primary");
    }
  }

  /** Waits until the former primary follows the new one, which takes Sentinel some 10 s. */
  async demoted(): Promise<void> {
    const { port } = this.servers.servers[0]!;
    await until(async () => (await this.servers.replicaPorts()).includes(port), "the former primary to follow");
  }

  stop(): Promise<void> {
    return this.servers.stop();
  }
}

async function kill(rig: Watched): Promise<void> {
  await rig.servers.servers[0]!.kill();
  await rig.switched();
}

async function comeBack(rig: Watched): Promise<void> {
  const [first] = rig.servers.servers;
  await first!.kill();
  await sleep(DOWN);
  await first!.run();
  await rig.switched();
  await rig.demoted();
}

async function failOver(rig: Watched): Promise<void> {
  await rig.servers.failover();
  await rig.switched();
  await rig.demoted();
}

async function freeze(rig: Watched): Promise<void> {
  const [first] = rig.servers.servers;
  first!.freeze(true);
  await sleep(FREEZE);
  first!.freeze(false);
  await rig.switched();
  await rig.demoted();
}

const PAIRS: readonly Clients[] = [
  { Deno: "npm:ioredis", Bun: "Bun.RedisClient" },
  { Deno: "npm:redis", Bun: "npm:redis" },
];
/** For cases that show what a setting does, whatever the client. */
const PAIR: readonly Clients[] = [{ Deno: "npm:redis", Bun: "npm:ioredis" }];

const WAITING: Readonly<Record<string, Case<Watched>>> = {
  kill: {
    text: "`kill -9`; one of two replicas takes over",
    clients: PAIRS,
    longestGap: 5000,
    fault: kill,
  },
  graceful: {
    text: "`SENTINEL FAILOVER`; one of two replicas takes over",
    clients: PAIRS,
    longestGap: 5000,
    fault: failOver,
  },
  frozen: {
    text: "the primary stands still for 7 s; one of two replicas takes over",
    clients: PAIRS,
    longestGap: 5000,
    fault: freeze,
  },
  back: {
    text: "`kill -9`; the only replica takes over; the former primary is back after 2 s, and follows some 10 s later",
    clients: PAIR,
    longestGap: 20_000,
    fault: comeBack,
  },
};

/** The same without waiting for a replica: then the only one need not be back. */
const CASES: Readonly<Record<string, Case<Watched>>> = {
  ...WAITING,
  ...Object.fromEntries(
    Object.entries(WAITING).map(([name, { text, fault }]) => [
      `${name}-0`,
      { text: `${text}; no waiting for a replica`, clients: PAIR, longestGap: 5000, fault },
    ]),
  ),
};

export const ENGINE: Engine<Watched> = {
  needs: ["Redis", "npm:redis@6.3.1", "npm:ioredis@6.0.0"],
  cases: CASES,
  start: async (name) => new Watched(await SentinelRig.start({ replicas: name.startsWith("back") ? 1 : 2 })),
  async openJournal({ case: name, client, address }: NodeSettings): Promise<Journal> {
    const source = await SENTINEL_SOURCES.get(client)!(address as SentinelAddress);
    return RedisJournal.open(source, { replicas: name.endsWith("-0") ? 0 : 1 });
  },
};
