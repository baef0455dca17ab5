/**
 * The engine `cluster` of the fail-over test: a Redis cluster of three primaries, of which the one with the journal has
 * two replicas, and a journal that waits for one of them (`replicas: 1`). Nodes have cluster clients.
 */

import type { Journal } from "../../journal/journal.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { hashSlot } from "../../redis/slots.ts";
import { CLUSTER_CLIENTS, primaryOf, RedisCluster } from "../../tests/support/redis_cluster.ts";
import type { Engine, NodeSettings, Rig } from "../failover_lane/engine.ts";
import { sleep } from "../failover_lane/waiting.ts";

const PREFIX = "{tackline}:";
/** Time between two moves of the slot, in ms. */
const PAUSE = 1000;

/** A cluster as both nodes see it. */
class ClusterRig implements Rig {
  readonly cluster: RedisCluster;

  private constructor(cluster: RedisCluster) {
    this.cluster = cluster;
  }

  static async start(): Promise<ClusterRig> {
    const replicas = [0, 0, 0];
    replicas[primaryOf(hashSlot(PREFIX))] = 2;
    return new ClusterRig(await RedisCluster.start([], replicas));
  }

  get addresses(): [string[], string[]] {
    return [this.cluster.urls, this.cluster.urls];
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}

async function kill({ cluster }: ClusterRig): Promise<void> {
  await cluster.killOwner(PREFIX);
}

async function move({ cluster }: ClusterRig): Promise<void> {
  const home = await cluster.owner(PREFIX);
  const away = await cluster.other(PREFIX);
  for (const to of [away, home]) {
    await cluster.move(PREFIX, to);
    await sleep(PAUSE);
  }
}

export const ENGINE: Engine<ClusterRig> = {
  needs: ["Redis", "npm:redis@6.3.1", "npm:ioredis@6.0.0"],
  cases: {
    kill: {
      text: "`kill -9` of the primary that has the slot of the journal",
      clients: [{ Deno: "npm:ioredis Cluster", Bun: "npm:redis createCluster" }],
      longestGap: 10_000,
      fault: kill,
    },
    moved: {
      text: "the slot of the journal moves to another primary, key by key, and back",
      clients: [{ Deno: "npm:redis createCluster", Bun: "npm:ioredis Cluster" }],
      longestGap: 5000,
      fault: move,
    },
  },
  start: () => ClusterRig.start(),
  async openJournal({ client: kind, address, case: name }: NodeSettings): Promise<Journal> {
    const { client } = await CLUSTER_CLIENTS.get(kind)!(address as string[]);
    // The other primaries have no replica that could confirm.
    return RedisJournal.open(client, { prefix: PREFIX, replicas: name === "moved" ? 0 : 1, replicaTimeout: 1000 });
  },
};
