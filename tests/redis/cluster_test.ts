/**
 * The journal in a real Redis cluster, with each cluster client: the slot moves to another server and back under load,
 * and a primary dies.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { isMoving } from "../../redis/cluster_errors.ts";
import * as cursorScripts from "../../redis/cursor_scripts.ts";
import type { RedisClient } from "../../redis/client.ts";
import { RedisJournal } from "../../redis/journal.ts";
import type { RedisLink } from "../../redis/link.ts";
import * as logScripts from "../../redis/log_scripts.ts";
import * as nameScripts from "../../redis/name_scripts.ts";
import type { RedisScript } from "../../redis/script.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient } from "../support/redis.ts";
import { CLUSTER_CLIENTS, type ClusterServer, RedisCluster } from "../support/redis_cluster.ts";
import { bodies, Node } from "../support/redis_node.ts";
import { repeatUntil, until } from "../support/support.ts";

const scripts = { ...logScripts, ...cursorScripts, ...nameScripts };
const { LOG_SCRIPTS, CURSOR_SCRIPTS, NAME_SCRIPTS } = scripts;

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
      let isKept = false;
      const append = (): Promise<unknown> =>
        this.#node.journal.append(entry(body)).then(() => isKept = true, ({ message }) => this.refusals.push(message));
      await repeatUntil(append, () => isKept, `"${body}"`);
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
  await until(() => node.told.length >= kept.length, "all to be told");
  assertEquals(new Set(node.told), new Set(kept));
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
        for (const [at, to] of [away, home, away, home].entries()) {
          const since = performance.now();
          // The first move takes long enough for a lease to be due, which cannot be renewed, and for the next question of
          // the tail, whose stream is away by then.
          const isLong = (moved: number): boolean => at === 0 && moved === 3;
          const halfway = (): Promise<void> => until(() => performance.now() - since > 1500, "the leases");
          const between = async (moved: number): Promise<void> => isLong(moved) ? await halfway() : undefined;
          const stream = `${prefix}stream`;
          await cluster.move(prefix, to, between, (names) => names.includes(stream) ? stream : names[0]);
          await Promise.all(loads.map((load) => load.more()));
        }
        await Promise.all(loads.map((load) => load.stop()));
        for (const node of nodes) await assertToldAll(node, loads);
        assertEquals(nodes[0].journal.id, nodes[1].journal.id);
        // What was refused says that it may come again.
        const refusals = loads.flatMap((load) => load.refusals);
        assert(refusals.some((why) => why.includes("TRYAGAIN")), "nothing was refused: the load was no load");
        // One loss and one return a move: while keys move the connections stay.
        for (const node of nodes) {
          const away = node.messages("ERR_JOURNAL_AWAY");
          assert(away.every((message) => /\(MOVED \S+ \S+\)$/.test(message)), away.join("\n"));
          assert(away.length <= 8, away.join("\n"));
        }
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

  it("opens with a client of the server of the slot, and tells what is needed once it has moved", async () => {
    await using cluster = await RedisCluster.start();
    for (const [name, make] of CLIENTS) {
      const prefix = `{plain ${name}}:`;
      const owner = await cluster.owner(prefix);
      const node = await Node.open(make, owner.redis.url, { prefix });
      await node.append("before");
      await cluster.move(prefix, await cluster.other(prefix));
      const error = await assertRejects(() => node.journal.append(entry("after")), JournalError, "MOVED");
      assertEquals(error.code, "ERR_JOURNAL_WRITE");
      await until(() => node.messages("ERR_JOURNAL_AWAY").length > 0, "the reason");
      const [away] = node.messages("ERR_JOURNAL_AWAY");
      assert(away!.startsWith("Redis is away: Another server of the cluster has the keys now (MOVED "), away);
      assert(away!.includes("). A client of one server cannot find it: give a cluster client (createCluster"), away);
      await node.close();
    }
  });

  if (CLIENTS.has("Bun.RedisClient")) {
    it("follows with a function that finds the server, and Bun.RedisClient", async () => {
      await using cluster = await RedisCluster.start();
      const { RedisClient: Client } = await import("bun" as string);
      const prefix = "{bun}:";
      // As docs/scaling.md has it.
      const findOwner = async (): Promise<RedisClient> => {
        for (const url of cluster.urls) {
          const client = new Client(url, { autoReconnect: false });
          try {
            const slot = await client.send("CLUSTER", ["KEYSLOT", prefix]);
            const ranges = await client.send("CLUSTER", ["SLOTS"]) as [number, number, [string, number]][];
            const [, , [host, port]] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
            return new Client(`redis://${host}:${port}`, { autoReconnect: false });
          } catch {
            // Another one may know.
          } finally {
            client.close();
          }
        }
        throw new Error("no server of the cluster answers");
      };
      const journal = await RedisJournal.open(findOwner, { prefix });
      const kept = async (body: string): Promise<void> => {
        let isKept = false;
        const append = (): Promise<unknown> => journal.append(entry(body)).then(() => isKept = true, () => {});
        await repeatUntil(append, () => isKept, body);
      };
      await kept("before");
      await cluster.move(prefix, await cluster.other(prefix));
      await kept("after the move");
      // The address that the function asks first is dead as well.
      const [first] = cluster.servers;
      if (await cluster.owner(prefix) !== first) await cluster.move(prefix, first!);
      await kept("back");
      await until(async () => await cluster.replicasOf(first!) > 0, "a replica with all");
      await cluster.killOwner(prefix);
      await kept("after the fail-over");
      assertEquals(bodies(await journal.read(0, 10)).at(-1), "after the fail-over");
      await journal.close();
    });
  }

  it("names a prefix without a hash tag, and what to use, with each kind of client", async () => {
    await using cluster = await RedisCluster.start();
    const makers = [...CLIENTS.values()].map((make) => () => make(cluster.servers[0]!.redis.url));
    const all = [...makers, ...[...CLUSTER_CLIENTS.values()].map((make) => () => make(cluster.urls))];
    for (const make of all) {
      await using program = await make();
      const error = await assertRejects(() => RedisJournal.open(program.client, { prefix: "x:" }), JournalError);
      assertEquals(error.code, "ERR_JOURNAL_OPEN");
      assert(
        error.message.startsWith('Cannot open the journal in Redis: the prefix "x:" has no hash tag'),
        error.message,
      );
    }
  });

  it("has scripts that write all or nothing, whichever keys have moved, and nothing into the target", async () => {
    await using cluster = await RedisCluster.start([], [0, 0, 0]);
    // All scripts name `meta`: once it has moved, none of them begins.
    const keys = await assertAllOrNothing(cluster, "{all}:", (names) => names.find((name) => name !== "{all}:meta"));
    assert(keys.length > 10, keys.join());
    // Exactly one key is not there, which another order may hide.
    for (const [at, key] of keys.entries()) {
      await assertAllOrNothing(cluster, `{${at}}:`, (names) => names.find((name) => name === `{${at}}:${key}`), 1);
    }
  });
});

/**
 * Moves a journal to another server, and runs each script after each key: it does all, or is refused and does nothing.
 *
 * @param cluster The cluster.
 * @param prefix Prefix of the journal.
 * @param first Finds the key to be moved next, if the order matters.
 * @param most Number of keys after which scripts are run no more.
 * @returns The keys that it had, without the prefix.
 */
async function assertAllOrNothing(
  cluster: RedisCluster,
  prefix: string,
  first: (names: readonly string[]) => string | undefined,
  most = Infinity,
): Promise<string[]> {
  const from = await cluster.owner(prefix);
  const to = await cluster.other(prefix);
  const link = { send: (args: string[]) => from.ask(...args) } as RedisLink;
  const run = (script: RedisScript, ...args: (string | number)[]): Promise<unknown> => script.run(link, prefix, args);
  const opened = await run(scripts.OPEN, "id", 1, 1, 0, 0) as string[];
  const append = (digest: string): Promise<unknown> =>
    run(scripts.APPEND, "id", opened[4]!, 0, 5, digest, 1, "t", digest, digest.length, "", 0, 0);
  await append("first");
  await append("second");
  for (const node of ["one", "two"]) await run(scripts.SIGN, node, 60_000);
  for (const name of ["keeper", "group"]) await run(scripts.ADMIT, name, 0, 0, 0, 9, 9, 0);
  await run(scripts.SAVE, "keeper", "one", 0, 1);
  for (const node of ["one", "two"]) await run(scripts.SHARE, "group", 0, "all", `${node}.1`);
  await run(scripts.TAKE, "group", "one.1", 1, 1000);
  await from.ask("SADD", `${prefix}gone`, "three.1");
  const calls: [string, () => Promise<unknown>][] = [
    ["OPEN", () => run(scripts.OPEN, "id", 1, 1, 0, 0)],
    ["SIGN", () => run(scripts.SIGN, "one", 60_000)],
    ["APPEND", () => append("third")],
    ["TRIM", () => run(scripts.TRIM, 1000, 1, 1)],
    ["READ", () => run(scripts.READ, 0, 10, 1000)],
    ["CURSOR", () => run(scripts.CURSOR, "keeper")],
    ["CURSORS", () => run(scripts.CURSORS)],
    ["SAVE", () => run(scripts.SAVE, "keeper", "one", 0, 2)],
    ["RELEASE", () => run(scripts.RELEASE, "keeper", "one")],
    ["SHARE", () => run(scripts.SHARE, "group", 0, "other", "two.2")],
    ["TAKE", () => run(scripts.TAKE, "group", "two.1", 10, 1000)],
    ["ACKNOWLEDGE", () => run(scripts.ACKNOWLEDGE, "group", 1)],
    ["LEAVE", () => run(scripts.LEAVE, "group", "two.1")],
    ["ADMIT", () => run(scripts.ADMIT, "new", 0, 0, 0, 9, 9, 0)],
    ["TOUCH", () => run(scripts.TOUCH, "keeper", 7)],
    ["EXPIRE", () => run(scripts.EXPIRE, 1000, 1)],
  ];
  assertEquals(calls.length, [...LOG_SCRIPTS, ...CURSOR_SCRIPTS, ...NAME_SCRIPTS].length);
  const content = async (): Promise<string> => {
    const keys = (await from.ask("KEYS", `${prefix}*`) as string[]).sort();
    return JSON.stringify(await Promise.all(keys.map(async (key) => [key, await dump(from, key)])));
  };
  const keys = (await from.ask("KEYS", `${prefix}*`) as string[]).map((key) => key.slice(prefix.length));
  let refused = 0;
  await cluster.move(prefix, to, async (moved) => {
    if (moved === 0 || moved > most) return;
    const there = (await to.ask("KEYS", `${prefix}*`) as string[]).length;
    for (const [name, call] of calls) {
      const before = await content();
      const answer = await call().then(() => undefined, (error: Error) => error);
      if (answer === undefined) continue;
      // SHARE does all that it should if it finds the filters of another node.
      if (!answer.message.startsWith("CONFLICT")) {
        refused++;
        assert(isMoving(answer), `${name}: ${answer.message}`);
      }
      assertEquals(await content(), before, `${name} has written, ${moved} of ${keys} moved: ${answer.message}`);
    }
    assertEquals((await to.ask("KEYS", `${prefix}*`) as string[]).length, there);
  }, (names) => first(names) ?? names[0]);
  assert(refused > 0, "no script was refused");
  return keys;
}

/** Content of a key, without the access times that `DUMP` of a group has. */
async function dump(server: ClusterServer, key: string): Promise<unknown> {
  const type = await server.ask("TYPE", key);
  switch (type) {
    case "hash":
      return await server.ask("HGETALL", key);
    case "set":
      return await server.ask("SMEMBERS", key);
    case "zset":
      return await server.ask("ZRANGE", key, "0", "-1", "WITHSCORES");
    case "stream":
      return [await server.ask("XRANGE", key, "-", "+"), await server.ask("XPENDING", key, "group", "-", "+", "9")]
        .map((part) => JSON.stringify(part).replace(/,\d+,1\]/g, ""));
    default:
      return await server.ask("GET", key);
  }
}
