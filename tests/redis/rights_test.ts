/** The rights of a user of Redis that docs/scaling.md lists: with them all works, and each of them is needed. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { describe as describeError } from "../../base/errors.ts";
import type { TakenEntries } from "../../journal/journal.ts";
import { RedisBackplane } from "../../redis/backplane.ts";
import type { IoRedisClient, IoRedisCluster, NodeRedisCluster, RedisClient } from "../../redis/client.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { namesIn, tableRows } from "../support/doc_tables.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { CLUSTER_CLIENTS, RedisCluster } from "../support/redis_cluster.ts";
import { decode, FakeClock, until } from "../support/support.ts";

const HOUR = 3600 * 1000;

interface Right {
  name: string;
  journal: boolean;
  backplane: boolean;
  optional: boolean;
}

/** The table of the document. */
const RIGHTS: readonly Right[] = tableRows("docs/scaling.md", "right", "for", "without it").flatMap((row) =>
  namesIn(row["right"]!.replaceAll("\\|", "|")).filter((name) => /^[~&+]/.test(name)).map((name) => ({
    name,
    journal: row["for"] !== "backplane",
    backplane: row["for"] !== "journal",
    // Without `+ping` and `+wait` the journal works only if it waits for no replica.
    optional: row["without it"] !== "" && !row["without it"]!.includes("replicas: 0"),
  }))
);

/** Who may do everything. */
type Admin = Pick<ProgramClient, "command">;

/** A primary with a replica, and a user whose rights change. */
class Rig {
  private constructor(
    readonly servers: RedisServer[],
    readonly admin: ProgramClient,
  ) {}

  static async start(): Promise<Rig> {
    const primary = await RedisServer.start(["--repl-diskless-sync-delay", "0"]);
    const replica = await RedisServer.start(["--replicaof", "127.0.0.1", `${primary.port}`]);
    const admin = await CLIENTS.get("npm:ioredis")!(primary.url);
    await until(async () => String(await admin.command("INFO", "replication")).includes("state=online"), "the replica");
    return new Rig([replica, primary], admin);
  }

  get url(): string {
    return this.servers[1]!.url.replace("//", "//tackline:secret@");
  }

  /** Makes the user anew; deletes all keys. */
  async grant(rights: readonly Right[]): Promise<void> {
    await this.admin.command("FLUSHALL");
    await this.admin.command("ACL", "DELUSER", "tackline");
    const names = rights.map(({ name }) => name);
    await this.admin.command("ACL", "SETUSER", "tackline", "on", ">secret", "resetchannels", "-@all", ...names);
  }

  /** A client of the user that is not connected: a right that it lacks stops the journal, not the test. */
  client(): RedisClient {
    const as = { username: "tackline", password: "secret", lazyConnect: true };
    return (this.admin.client as IoRedisClient).duplicate(as) as IoRedisClient;
  }

  async stop(): Promise<void> {
    await this.admin.close();
    for (const server of this.servers) await server.stop();
  }
}

const EXPIRED: readonly string[] = ["ERR_JOURNAL_TRIMMED", "ERR_JOURNAL_EXPIRED"];

/** Failures that the owner of a journal or backplane is told. */
class Failures {
  #all: Error[] = [];

  add(error: Error & { code?: string }): void {
    // Notifications and names that become too old here are meant to.
    if (!EXPIRED.includes(error.code ?? "")) this.#all.push(error);
  }

  /** Waits for a condition; throws at a failure. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    await until(async () => this.#all.length > 0 || await condition(), what);
    this.assertNone();
  }

  assertNone(): void {
    if (this.#all.length > 0) throw this.#all[0];
  }
}

/** Uses all of a journal, with two nodes; throws if anything fails. */
async function useJournal(client: RedisClient, admin: Admin, replicas = 1): Promise<void> {
  const failures = new Failures();
  const clock = new FakeClock();
  const opened: RedisJournal[] = [];
  const open = async (): Promise<{ journal: RedisJournal; told: string[] }> => {
    const journal = await RedisJournal.open(client, { replicas, replicaTimeout: 4000, maxAge: HOUR, clock });
    const told: string[] = [];
    opened.push(journal);
    journal.listen({
      appended: ({ bytes }) => void told.push(decode(bytes)),
      error: (error) => failures.add(error),
    });
    return { journal, told };
  };
  try {
    const { journal: one } = await open();
    const { journal: two, told } = await open();
    // A server that has forgotten the scripts gets them again, as after a fail-over.
    await admin.command("SCRIPT", "FLUSH");
    await append(one, two, told, failures);
    await useReceivers(one, two, failures);
    await expire(one, two, clock, admin, failures);
  } finally {
    for (const journal of opened) await journal.close();
  }
  failures.assertNone();
}

async function append(one: RedisJournal, two: RedisJournal, told: string[], failures: Failures): Promise<void> {
  const { seq } = await one.append(entry("a"));
  assertEquals(await two.append(entry("a")), { seq, duplicate: true });
  assertEquals(await two.has(entry("a").digest), true);
  await one.append(entry("not to be delivered", { forward: false }));
  await one.append(entry("b"));
  assertEquals((await two.read(0, 10)).map(({ bytes }) => decode(bytes)), ["a", "b"]);
  await failures.until(() => told.length === 2, "both at the other node");
}

async function useReceivers(one: RedisJournal, two: RedisJournal, failures: Failures): Promise<void> {
  const last = (await one.read(0, 10)).at(-1)!.seq;
  await one.admit("single", 0, false);
  one.saveCursor("single", last);
  await failures.until(async () => await two.cursor("single") === last, "the cursor");
  one.release("single");
  await failures.until(async () => await two.cursor("single") === last, "the cursor that is held");
  for (const name of ["shared", "left"]) {
    await one.admit(name, 0, true);
    await two.admit(name, 0, true);
    const [first, second] = [one.share(name, 0, "", () => {}), two.share(name, 0, "", () => {})];
    assertEquals((await first.take(1)).new.length, 1);
    let taken: TakenEntries = await second.take(10);
    assertEquals([taken.again.length, taken.new.length], [0, 1]);
    first.leave();
    await failures.until(async () => (taken = await second.take(10)).again.length === 1, "the first one again");
    second.acknowledge([taken.again[0]!.seq, last]);
    await failures.until(async () => await one.cursor(name) === last, "the cursor of both");
    // Removes the consumer that has left.
    await second.take(10);
    if (name === "left") second.leave();
    for (const journal of [one, two]) journal.release(name);
  }
}

/** Notifications, digests and names become too old. */
async function expire(
  one: RedisJournal,
  two: RedisJournal,
  clock: FakeClock,
  admin: Admin,
  failures: Failures,
): Promise<void> {
  const shared = two.share("behind", one.last, "", () => {});
  await shared.take(1);
  const { seq } = await one.append(entry("c"));
  await admin.command("HSET", "{tackline}:meta", "age", `${200 * 24 * HOUR}`);
  clock.advance(600_000);
  const count = async (command: string, key: string): Promise<number> =>
    Number(await admin.command(command, `{tackline}:${key}`));
  await failures.until(async () => await count("XLEN", "stream") === 0, "the end of the stream");
  await failures.until(async () => await count("HLEN", "digests") === 0, "the end of the digests");
  await failures.until(async () => await count("EXISTS", "cursor:left") === 0, "the end of a name");
  const { gaps } = await shared.take(1);
  assertEquals(gaps?.at(-1)?.until, seq);
  assertEquals((await shared.take(1)).gaps, []);
}

/** Uses all of a backplane, with two nodes; throws if anything fails. */
async function useBackplane(client: RedisClient, admin: Admin, sharded = false): Promise<void> {
  const failures = new Failures();
  const nodes = [new RedisBackplane(client, { sharded }), new RedisBackplane(client, { sharded })] as const;
  const count = sharded ? "SHARDNUMSUB" : "NUMSUB";
  for (const node of nodes) node.listen({ missed: () => {}, error: (error) => failures.add(error) });
  try {
    const got: unknown[] = [];
    const subscription = nodes[1].subscribe("a", (data) => void got.push(data));
    let ready = false;
    void subscription.ready.then(() => ready = true);
    await failures.until(() => ready, "the subscription");
    await nodes[0].publish("a", "text");
    await failures.until(() => got.length === 1, "the message");
    subscription.close();
    await failures.until(
      async () => String(await admin.command("PUBSUB", count, "tackline:a")) === "tackline:a,0",
      "the end of the subscription",
    );
  } finally {
    for (const node of nodes) await node.close();
  }
  failures.assertNone();
}

const PARTS = [
  ["journal", useJournal, RIGHTS.filter(({ journal }) => journal)],
  ["backplane", useBackplane, RIGHTS.filter(({ backplane }) => backplane)],
] as const;

/** Makes a cluster client of the user, which is not connected. */
function ofUser(name: string, { client }: ProgramClient): RedisClient {
  const user = { username: "tackline", password: "secret" };
  return name.includes("ioredis")
    ? (client as IoRedisCluster).duplicate([], { lazyConnect: true, redisOptions: user }) as RedisClient
    : (client as NodeRedisCluster).duplicate({ defaults: user }) as RedisClient;
}

/** Commands the owner of the keys; counts subscribers on all servers. */
function adminOf(cluster: RedisCluster): Admin {
  return {
    command: async (...args) => {
      if (args[0] !== "PUBSUB") return await (await cluster.owner("{tackline}:meta")).ask(...args);
      const answers = await Promise.all(cluster.servers.map((server) => server.ask(...args)));
      return [args[2], answers.reduce((sum: number, answer) => sum + Number(String(answer).split(",")[1]), 0)];
    },
  };
}

describeRedis("A user of a cluster with the rights of docs/scaling.md", () => {
  for (const [name, make] of CLUSTER_CLIENTS) {
    it(`can do all with ${name}, and nothing without CLUSTER SLOTS`, async () => {
      await using cluster = await RedisCluster.start();
      await using program = await make(cluster.urls);
      const names = RIGHTS.map(({ name }) => name);
      for (const server of cluster.servers) {
        await server.ask("ACL", "SETUSER", "tackline", "on", ">secret", "resetchannels", "-@all", ...names);
      }
      await useJournal(ofUser(name, program), adminOf(cluster));
      for (const sharded of [false, true]) await useBackplane(ofUser(name, program), adminOf(cluster), sharded);
      for (const right of ["spublish", "ssubscribe", "sunsubscribe", "cluster|slots"]) {
        for (const server of cluster.servers) await server.ask("ACL", "SETUSER", "tackline", `-${right}`);
        const using = useBackplane(ofUser(name, program), adminOf(cluster), right.startsWith("s"));
        const failure = await using.then(() => "", describeError);
        assert(isRefusal(failure), `${right}: ${failure}`);
        for (const server of cluster.servers) await server.ask("ACL", "SETUSER", "tackline", `+${right}`);
      }
    });
  }
});

describeRedis("A user of Redis with the rights of docs/scaling.md", () => {
  for (const [part, use, rights] of PARTS) {
    describe(part, () => {
      for (const [name, make] of CLIENTS) {
        it(`suffices with ${name}`, async () => {
          const rig = await Rig.start();
          await rig.grant(rights);
          await rig.admin.command("ACL", "SETUSER", "tackline", "+ping");
          const program = await make(rig.url);
          // The maker of the program's client has sent one.
          if (part === "backplane") await rig.admin.command("ACL", "SETUSER", "tackline", "-ping");
          await use(program.client, rig.admin);
          await program.close();
          await rig.stop();
        });
      }

      it("is not more than it needs: without each right something fails, unless the table says what is lost", async () => {
        assert(rights.length > 5);
        const rig = await Rig.start();
        const wrong: string[] = [];
        for (const right of rights) {
          await rig.grant(rights.filter((other) => other !== right));
          const failure = await use(rig.client(), rig.admin).then(() => "", describeError);
          if ((failure === "") !== right.optional) wrong.push(`${right.name}: ${failure}`);
          else if (failure !== "") assert(isRefusal(failure), `${right.name}: ${failure}`);
        }
        assertEquals(wrong, []);
        await rig.stop();
      });
    });
  }

  it("needs neither PING nor WAIT for a journal with replicas: 0", async () => {
    const rig = await Rig.start();
    await rig.grant(RIGHTS.filter(({ name, journal }) => journal && name !== "+ping" && name !== "+wait"));
    await useJournal(rig.client(), rig.admin, 0);
    await rig.stop();
  });
});

/** Tells whether a failure is that of a missing right, and not another one. */
function isRefusal(failure: string): boolean {
  return /NOPERM|ACL failure|can.t (run|access)/.test(failure);
}
