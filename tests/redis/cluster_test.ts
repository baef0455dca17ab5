/**
 * The journal and the backplane in a real Redis cluster, with each cluster client: the slot moves to another server and
 * back under load, and a primary dies.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient } from "../support/redis.ts";
import { CLUSTER_CLIENTS, RedisCluster } from "../support/redis_cluster.ts";
import { bodies, Node } from "../support/redis_node.ts";
import { until } from "../support/support.ts";

/** Appends one body after the other until it is stopped; each as often as Meta would. */
class Load {
  readonly kept: string[] = [];
  readonly refusals: string[] = [];
  #node: Node;
  #name: string;
  #stopped = false;
  #running: Promise<void>;

  constructor(node: Node, name: string) {
    this.#node = node;
    this.#name = name;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let at = 0; !this.#stopped; at++) {
      const body = `${this.#name} ${at}`;
      for (let isKept = false; !isKept;) {
        isKept = await this.#node.journal.append(entry(body)).then(() => true, ({ message }) => {
          this.refusals.push(message);
          return false;
        });
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      this.kept.push(body);
    }
  }

  /** Waits until some more are kept. */
  async more(count = 20): Promise<void> {
    const before = this.kept.length;
    await until(() => this.kept.length >= before + count, `${count} more`);
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#running;
  }
}

/** All that was kept was told to a node, once; what came from one load in its order. */
async function assertToldAll(node: Node, loads: readonly Load[]): Promise<void> {
  const kept = loads.flatMap((load) => load.kept);
  await until(() => kept.every((body) => node.told.includes(body)), "all to be told");
  assertEquals(new Set(node.told).size, node.told.length);
  assertEquals(node.told.length, kept.length);
  for (const load of loads) {
    const names = new Set(load.kept);
    assertEquals(node.told.filter((body) => names.has(body)), load.kept);
  }
}

async function openNodes(
  cluster: RedisCluster,
  make: (urls: readonly string[]) => Promise<ProgramClient>,
  prefix: string,
  options = {},
): Promise<[Node, Node]> {
  const open = (): Promise<Node> => Node.open(() => make(cluster.urls), "", { prefix, ...options });
  return await Promise.all([open(), open()]);
}

describeRedis("RedisJournal in a cluster", () => {
  for (const [name, make] of CLUSTER_CLIENTS) {
    describe(name, () => {
      it("keeps all, once, while its slot moves to another server and back under load", async () => {
        await using cluster = await RedisCluster.start();
        const prefix = `{move ${name}}:`;
        const nodes = await openNodes(cluster, make, prefix);
        const loads = nodes.map((node, at) => new Load(node, `load ${at}`));
        await Promise.all(loads.map((load) => load.more()));
        const home = await cluster.owner(prefix);
        const away = await cluster.other(prefix);
        for (const to of [away, home, away, home]) {
          await cluster.move(prefix, to);
          await Promise.all(loads.map((load) => load.more()));
        }
        await Promise.all(loads.map((load) => load.stop()));
        for (const node of nodes) await assertToldAll(node, loads);
        assertEquals(nodes[0].journal.id, nodes[1].journal.id);
        // What was refused says that it may come again.
        const refusals = loads.flatMap((load) => load.refusals);
        assert(refusals.length > 0, "nothing was refused: the load was no load");
        assertEquals(nodes.flatMap((node) => node.messages("ERR_JOURNAL_LOST")), []);
        await Promise.all(nodes.map((node) => node.close()));
      });

      it("loses nothing that a replica has when the primary of its slot dies", async () => {
        await using cluster = await RedisCluster.start();
        const prefix = `{kill ${name}}:`;
        const nodes = await openNodes(cluster, make, prefix, { replicas: 1, replicaTimeout: 1000 });
        const loads = nodes.map((node, at) => new Load(node, `load ${at}`));
        await Promise.all(loads.map((load) => load.more()));
        const dead = await cluster.killOwner(prefix);
        // The new primary has no replica until the old one is back as such.
        await dead.run();
        await Promise.all(loads.map((load) => load.more()));
        await Promise.all(loads.map((load) => load.stop()));
        for (const node of nodes) await assertToldAll(node, loads);
        const kept = loads.flatMap((load) => load.kept);
        const read = bodies(await nodes[0].journal.read(0, kept.length * 2));
        assertEquals(new Set(read), new Set(kept));
        await Promise.all(nodes.map((node) => node.close()));
      });
    });
  }
});
