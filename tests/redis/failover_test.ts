/**
 * Connections to a Redis that has stopped being the primary, with each client: of the journal, and of the
 * backplane.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../../base/clock.ts";
import {
  type BackplaneError,
  describe as describeError,
  JournalError,
  OptionError,
  type WebSocketError,
} from "../../base/errors.ts";
import { RedisBackplane, type RedisBackplaneOptions } from "../../redis/backplane.ts";
import type { IoRedisClient, RedisClient } from "../../redis/client.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { linkOpener } from "../../redis/open_link.ts";
import { RedisSession } from "../../redis/session.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { entry } from "../support/journal_entry.ts";
import { onFreePort } from "../support/free_port.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { ServiceAddress } from "../support/service_address.ts";
import { QuickClock, repeatUntil, until } from "../support/support.ts";

/** A primary with a replica, how to command both, and the address that leads to the primary. */
class Pair {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** Between the two. */
  readonly link: FaultProxy;
  readonly address: ServiceAddress;
  readonly #programs: ProgramClient[];

  private constructor(servers: RedisServer[], link: FaultProxy, address: ServiceAddress, programs: ProgramClient[]) {
    [this.primary, this.replica] = servers as [RedisServer, RedisServer];
    this.link = link;
    this.address = address;
    this.#programs = programs;
  }

  static async start(): Promise<Pair> {
    const options = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"];
    const primary = await RedisServer.start(options);
    const link = await FaultProxy.listen(primary.port);
    const replica = await RedisServer.start([...options, "--replicaof", "127.0.0.1", `${link.port}`]);
    const [make] = CLIENTS.values();
    const programs = [await make!(primary.url), await make!(replica.url)];
    const isUp = async (): Promise<boolean> =>
      String(await programs[1]!.command("INFO", "replication")).includes("master_link_status:up");
    await until(isUp, "the replica to follow");
    return new Pair([primary, replica], link, await ServiceAddress.listen(primary.port), programs);
  }

  onPrimary(...args: string[]): Promise<unknown> {
    return this.#programs[0]!.command(...args);
  }

  onReplica(...args: string[]): Promise<unknown> {
    return this.#programs[1]!.command(...args);
  }

  /** The replica becomes the primary, and the primary its replica. The address leads there for new connections. */
  async swap(): Promise<void> {
    await this.onReplica("REPLICAOF", "NO", "ONE");
    this.address.target = this.replica.port;
    await this.onPrimary("REPLICAOF", "127.0.0.1", `${this.replica.port}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.close()));
    // Before the proxies: a replica that connects again holds them up.
    await Promise.all([this.primary.stop(), this.replica.stop()]);
    await Promise.all([this.address.close(), this.link.close()]);
  }
}

const REPLICA = "Redis is a replica, and a primary is needed: does the address belong to a read-only endpoint?";

/** Time in which no probe comes. */
const noProbeClock: Clock = {
  now: () => systemClock.now(),
  after: (delay, callback) => delay < 2000 ? systemClock.after(delay, callback) : () => {},
};

/** A session, and what it told. */
function watch(
  client: RedisClient,
  clock: Clock = systemClock,
): { session: RedisSession; ups: number; reasons: string[] } {
  const watched = { session: undefined as unknown as RedisSession, ups: 0, reasons: [] as string[] };
  watched.session = new RedisSession(linkOpener(client), clock, {
    up: () => Promise.resolve(void watched.ups++),
    down: (error) => void watched.reasons.push(describeError(error)),
  });
  return watched;
}

describeRedis("A connection to a Redis that is no primary any more", () => {
  for (const [name, make] of CLIENTS) {
    describe(name, () => {
      it("is not used while it leads to a replica, and is as soon as it leads to a primary", async () => {
        const pair = await Pair.start();
        const program = await make(pair.replica.url);
        const watched = watch(program.client);
        await until(() => watched.reasons.length >= 2, "two attempts");
        assertEquals([watched.ups, watched.session.link], [0, undefined]);
        assertEquals(new Set(watched.reasons), new Set([REPLICA]));
        await pair.onReplica("REPLICAOF", "NO", "ONE");
        await until(() => watched.session.link !== undefined, "the connection");
        await watched.session.close();
        await program.close();
        await pair.stop();
      });

      it("is given up when a command is refused with READONLY, with the reason", async () => {
        const pair = await Pair.start();
        const program = await make(pair.address.url);
        const { session, reasons } = watch(program.client);
        await session.ready;
        await pair.swap();
        await assertRejects(() => session.link!.send(["SET", "key", "value"]), Error, "READONLY");
        assert(reasons[0]!.startsWith("Redis is a replica now, and a primary is needed: READONLY"), reasons[0]);
        await until(() => session.link !== undefined, "the connection to the new primary");
        assertEquals(await session.link!.send(["SET", "key", "value"]), "OK");
        await session.close();
        await program.close();
        await pair.stop();
      });

      for (
        const [when, clock] of [["by its next probe", new QuickClock()], ["when it is checked", noProbeClock]] as const
      ) {
        it(`is given up ${when}, without any command`, async () => {
          const pair = await Pair.start();
          const program = await make(pair.address.url);
          const { session, reasons } = watch(program.client, clock);
          await session.ready;
          const before = session.link;
          await pair.swap();
          if (clock === noProbeClock) session.check();
          await until(() => session.link !== undefined && session.link !== before, "another connection");
          assertEquals(reasons, [REPLICA]);
          await session.close();
          await program.close();
          await pair.stop();
        });
      }

      it("uses another command where ROLE is forbidden, and continues if none works", async () => {
        const pair = await Pair.start();
        for (const command of [pair.onPrimary.bind(pair), pair.onReplica.bind(pair)]) {
          await command("ACL", "SETUSER", "no-role", "on", ">secret", "~*", "&*", "+@all", "-role");
          await command("ACL", "SETUSER", "nothing", "on", ">secret", "~*", "&*", "+@all", "-role", "-info", "-ping");
        }
        const as = (user: string, { url }: RedisServer): string => url.replace("//", `//${user}:secret@`);
        // Bun's client, and others, may ask for INFO to connect; the makers of tests send PING.
        const program = await make(as("no-role", pair.replica));
        const watched = watch(program.client);
        await until(() => watched.reasons.length > 0, "an answer");
        assertEquals(watched.reasons[0], REPLICA);
        await watched.session.close();
        await program.close();
        const primary = await make(as("no-role", pair.primary));
        const other = watch(primary.client);
        await other.session.ready;
        assertEquals([other.session.link?.reportsRole, other.reasons], [true, []]);
        await pair.onPrimary("ACL", "SETUSER", "no-role", "-info", "-ping");
        // Nothing is left that tells the role, and nothing is wrong.
        await other.session.link!.assertPrimary();
        assertEquals([other.session.link?.reportsRole, other.reasons], [false, []]);
        await other.session.close();
        await primary.close();
        await pair.stop();
      });

      it("reports why it has ended, when Redis is killed and when the connection is", async () => {
        const redis = await RedisServer.start([]);
        const program = await make(redis.url);
        const admin = await make(redis.url);
        const { session, reasons } = watch(program.client);
        await session.ready;
        await admin.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await until(() => reasons.length > 0, "the first end");
        await until(() => session.link !== undefined, "the second connection");
        const before = reasons.length;
        await redis.kill();
        await until(() => reasons.length > before, "the second end");
        for (const reason of reasons) {
          assert(reason !== "" && !["undefined", "null", "Error", "AggregateError"].includes(reason), reason);
        }
        await session.close();
        await Promise.all([program.close(), admin.close()]);
        await redis.stop();
      });
    });
  }
});

describeRedis("A client of the program", () => {
  const ioRedis = async (url: string, options: object): Promise<{ client: RedisClient; close(): Promise<void> }> => {
    const program = await CLIENTS.get("npm:ioredis")!(url);
    const client = (program.client as IoRedisClient).duplicate({ lazyConnect: true, ...options }) as IoRedisClient;
    return { client, close: () => program.close() };
  };

  it("calls reconnectOnError of npm:ioredis with errors of Redis, and reconnects as it asks", async () => {
    const redis = await RedisServer.start([]);
    const asked: string[] = [];
    const program = await ioRedis(redis.url, {
      reconnectOnError(error: Error) {
        asked.push(error.message);
        return error.message.includes("value is not an integer") ? 2 : false;
      },
    });
    const { session, reasons } = watch(program.client);
    await session.ready;
    const first = session.link!;
    await first.send(["SET", "key", "text"]);
    await assertRejects(() => first.send(["LPUSH", "key", "1"]), Error, "WRONGTYPE");
    assertEquals([session.link === first, reasons], [true, []]);
    await assertRejects(() => first.send(["INCR", "key"]), Error, "value is not an integer");
    await until(() => session.link !== undefined && session.link !== first, "another connection");
    assertEquals(asked.length, 2);
    assertEquals(reasons.length, 1);
    assert(reasons[0]!.startsWith("reconnectOnError wants another connection: ERR value is not"), reasons[0]);
    await session.close();
    await program.close();
    await redis.stop();
  });

  it("is refused by the name of its kind, if it has several connections", async () => {
    const redis = await RedisServer.start([]);
    const program = await CLIENTS.get("npm:redis")!(redis.url);
    const pool = (program.client as unknown as { createPool(): RedisClient }).createPool();
    const error = assertThrows(() => new RedisBackplane(pool), OptionError);
    assertEquals(
      error.message,
      "The Redis client is a pool of npm:redis (createClientPool): give a client with one connection to one Redis",
    );
    await assertRejects(() => RedisJournal.open(pool), OptionError, "a pool of npm:redis (createClientPool)");
    // createSentinel of version 5 does not tell its sentinels, as getSentinelNode of version 6 does.
    const kinds: [object, string][] = [
      [{ acquire() {}, release() {}, duplicate() {} }, "a pool of clients"],
      [{ acquire() {}, isReady: true, duplicate() {} }, "for sentinels (createSentinel of npm:redis)"],
    ];
    for (const [client, kind] of kinds) {
      const message = `The Redis client is ${kind}: give a client with one connection to one Redis`;
      const error = assertThrows(() => new RedisBackplane(client as RedisClient), OptionError);
      assertEquals(error.message, message);
      await assertRejects(() => RedisJournal.open(client as RedisClient), OptionError, message);
    }
    await program.close();
    await redis.stop();
  });

  for (const [name, make] of CLIENTS) {
    it(`gets an error that names the wrong password, with ${name}`, async () => {
      const redis = await RedisServer.start([]);
      const program = await make(redis.url);
      const { session, reasons } = watch(program.client);
      await session.ready;
      await program.command("CONFIG", "SET", "requirepass", "another one");
      session.restart(new Error("on purpose"));
      await until(() => reasons.length > 1, "the bad news");
      assert(reasons[1]!.startsWith("NOAUTH") || reasons[1]!.startsWith("WRONGPASS"), reasons[1]);
      await session.close();
      await program.close();
      await redis.stop();
    });
  }

  // A program's client of npm:redis does not connect then.
  for (const [name, make] of [...CLIENTS].filter(([name]) => name !== "npm:redis")) {
    it(`gets an error for a database that does not exist, with ${name}`, async () => {
      await using redis = await RedisServer.start(["--databases", "2"]);
      await using program = await make(`${redis.url}/5`);
      const { session, reasons } = watch(program.client);
      await until(() => reasons.length > 0 || session.link !== undefined, "the bad news");
      assertEquals(reasons, ["ERR DB index is out of range"]);
      await session.close();
      await using other = await make(`${redis.url}/1`);
      const second = watch(other.client);
      await second.session.ready;
      await second.session.link!.send(["SET", "key", "value"]);
      await using reader = await make(`${redis.url}/0`);
      assertEquals(await reader.command("DBSIZE"), 0);
      await second.session.close();
    });
  }

  if (CLIENTS.has("Bun.RedisClient")) {
    it("gets an error for an unverifiable certificate or a wrong password, with Bun.RedisClient", async () => {
      const { RedisClient: Client } = await import("bun" as string);
      const file = (name: string): string => fileURLToPath(new URL(`../tls/${name}`, import.meta.url));
      const tls = ["--tls-cert-file", file("leaf.pem"), "--tls-key-file", file("leaf.key"), "--tls-auth-clients", "no"];
      const start = async (port: number): Promise<[number, RedisServer]> => {
        return [port, await RedisServer.start(["--tls-port", `${port}`, ...tls, "--requirepass", "right"])];
      };
      const [port, redis] = await onFreePort(start);
      const ca = readFileSync(file("ca.pem"), "utf8");
      const url = `rediss://:PASSWORD@localhost:${port}`;
      for (
        const [password, options, expected] of [
          ["right", {}, "unable to verify the first certificate"],
          ["wrong", { tls: { ca } }, "WRONGPASS"],
        ] as const
      ) {
        const client = new Client(url.replace("PASSWORD", password), options);
        client.connect().catch(() => {});
        const { session, reasons } = watch(client);
        await until(() => reasons.length > 0, expected);
        assert(reasons[0]!.startsWith(expected), reasons[0]);
        await session.close();
        client.close();
      }
      const client = new Client(url.replace("PASSWORD", "right"), { tls: { ca } });
      const { session } = watch(client);
      await session.ready;
      await session.close();
      client.close();
      await redis.stop();
    });
  }
});

/** Appends again until the replica has it: a new one may take longer to begin than the journal waits. */
function untilKept(journal: RedisJournal, body: string): Promise<void> {
  return until(() => journal.append(entry(body)).then(() => true, () => false), `"${body}" at the replica`);
}

describeRedis("RedisJournal that waits for replicas", () => {
  for (const [name, make] of CLIENTS) {
    describe(name, () => {
      it("appends to the new primary when its own has become a replica", async () => {
        const pair = await Pair.start();
        const program = await make(pair.address.url);
        const journal = await RedisJournal.open(program.client, { replicas: 1, replicaTimeout: 1000 });
        const errors: JournalError[] = [];
        journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
        await untilKept(journal, "before");
        await pair.swap();
        let kept = 0;
        let refused = "";
        const append = (attempt: number): Promise<unknown> =>
          journal.append(entry(`after ${attempt}`)).then(({ seq }) => kept = seq, ({ message }) => refused = message);
        await repeatUntil(append, () => kept > 0, "the new primary").catch((cause) => {
          throw new Error(refused, { cause });
        });
        await until(() => errors.at(-1)?.message.startsWith("Redis is there again") === true, "the good news");
        assert(errors[0]!.message.startsWith("Redis is away: Redis is a replica"), errors[0]!.message);
        assert(errors.at(-1)!.message.includes("it was away: Redis is a replica"), errors.at(-1)!.message);
        await journal.close();
        await program.close();
        await pair.stop();
      });

      it("reports the loss and the return of the connection for appends", async () => {
        const pair = await Pair.start();
        const program = await make(pair.address.url);
        const journal = await RedisJournal.open(program.client, { replicas: 1, replicaTimeout: 1000 });
        const errors: JournalError[] = [];
        journal.listen({ appended: () => {}, error: (error) => void errors.push(error) });
        await untilKept(journal, "before");
        const clients = String(await pair.onPrimary("CLIENT", "LIST")).split("\n");
        const appender = clients.find((line) => line.includes(" cmd=wait "))!;
        // For a while there is no other connection.
        pair.address.target = 0;
        await pair.onPrimary("CLIENT", "KILL", "ID", appender.split(" ")[0]!.slice("id=".length));
        await until(() => errors.length > 0, "the bad news");
        pair.address.target = pair.primary.port;
        await until(() => errors.length > 1, "the good news");
        const messages = errors.map(({ message }) => message);
        assert(messages[0]!.startsWith("Redis is away: "), messages[0]);
        assert(messages[1]!.startsWith("Redis is there again after "), messages[1]);
        assertEquals(messages.some((message) => message.includes("undefined")), false);
        assertEquals((await journal.append(entry("after"))).duplicate, false);
        await journal.close();
        await program.close();
        await pair.stop();
      });

      it("takes a retry for safe only when the replica has the first one, on whichever node it comes", async () => {
        const pair = await Pair.start();
        const programs = [await make(pair.address.url), await make(pair.address.url)];
        const [one, other] = await Promise.all(
          programs.map(({ client }) => RedisJournal.open(client, { replicas: 1, replicaTimeout: 1500 })),
        );
        await untilKept(one!, "before");
        await untilKept(other!, "before, too");
        for (const link of pair.link.links) link.faults = { stalled: "both" };
        await assertRejects(() => one!.append(entry("a")), JournalError, "0 of 1 replicas");
        await assertRejects(() => other!.append(entry("a")), JournalError, "0 of 1 replicas");
        for (const link of pair.link.links) link.heal();
        assertEquals((await other!.append(entry("a"))).duplicate, true);
        await Promise.all([one!.close(), other!.close()]);
        await Promise.all(programs.map((program) => program.close()));
        await pair.stop();
      });
    });
  }
});

/** A node with a backplane, and what it was told. */
class Node {
  readonly backplane: RedisBackplane;
  readonly got: string[] = [];
  readonly errors: BackplaneError[] = [];

  constructor(client: RedisClient, options?: RedisBackplaneOptions) {
    this.backplane = new RedisBackplane(client, options);
    this.backplane.listen({ missed: () => {}, error: (error) => void this.errors.push(error) });
    this.backplane.subscribe("a", (data) => void this.got.push(String(data)));
  }

  get ready(): Promise<void> {
    return this.backplane.subscribe("a", () => {}).ready;
  }

  told(code: string): string[] {
    return this.errors.filter((error) => error.code === code).map(({ message }) => message);
  }
}

/** A connection may be made anew meanwhile: what is published then is lost. */
async function publishUntilHeard(from: Node, to: Node, text: string): Promise<void> {
  await repeatUntil(() => from.backplane.publish("a", text).catch(() => {}), () => to.got.includes(text), `"${text}"`);
}

describeRedis("RedisBackplane whose primary becomes a replica", () => {
  for (const [name, make] of CLIENTS) {
    describe(name, () => {
      it("reports every loss, and continues at the new primary", async () => {
        const pair = await Pair.start();
        const programs = [await make(pair.address.url), await make(pair.address.url)];
        const [one, other] = programs.map(({ client }) => new Node(client));
        await Promise.all([one!.ready, other!.ready]);
        await one!.backplane.publish("a", "before");
        await until(() => other!.got.includes("before"), "the first");
        // Who listens to the new primary hears nothing of what is published into its replica.
        const there = await make(pair.replica.url);
        const far = new Node(there.client);
        await pair.swap();
        await far.ready;
        const results = await Promise.allSettled(
          Array.from({ length: 20 }, (_, at) => one!.backplane.publish("a", `into a replica ${at}`)),
        );
        const reasons = results.map((result) =>
          result.status === "rejected" ? result.reason as BackplaneError : undefined
        );
        assert(reasons.every((reason) => reason?.code === "ERR_BACKPLANE_LOST"));
        // Others may say that the connection was lost, which is given up then.
        assertEquals(reasons[0]?.message, `Cannot publish: ${REPLICA}`);
        const isBack = (): boolean => far.got.includes("back") && other!.got.includes("back");
        await repeatUntil(() => one!.backplane.publish("a", "back").catch(() => {}), isBack, "the new primary");
        await until(() => one!.told("ERR_BACKPLANE_AWAY").length >= 2, "the good news");
        const [away, back] = one!.told("ERR_BACKPLANE_AWAY");
        assertEquals(away, `Redis is away: ${REPLICA}`);
        assert(back!.startsWith("Redis is there again after "), back);
        await Promise.all([one!, other!, far!].map(({ backplane }) => backplane.close()));
        await Promise.all([...programs, there].map((program) => program.close()));
        await pair.stop();
      });
    });
  }

  const [make] = CLIENTS.values();

  it("reports by its name a node that messages do not reach, once, and when they do again", async () => {
    const pair = await Pair.start();
    // This user cannot ask for the role: only the heartbeats of others show a replica.
    for (const command of [pair.onPrimary.bind(pair), pair.onReplica.bind(pair)]) {
      await command("ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-role", "-info");
    }
    const address = await ServiceAddress.listen(pair.replica.port);
    const as = (url: string): string => url.replace("//", "//plain:secret@");
    const programs = [await make!(as(pair.primary.url)), await make!(as(address.url))];
    const clock = new QuickClock();
    const near = new Node(programs[0]!.client, { clock: new QuickClock(), name: "near" });
    const astray = new Node(programs[1]!.client, { clock, name: "astray" });
    await Promise.all([near.ready, astray.ready]);
    await publishUntilHeard(near, astray, "there");
    const connections = async (): Promise<string[]> =>
      String(await pair.onReplica("CLIENT", "LIST")).match(/^id=\d+(?=.* user=plain )/gm) ?? [];
    const before = await connections();
    await until(() => astray.told("ERR_BACKPLANE_ONE_WAY").length > 0, "the bad news");
    // It has tried another connection by itself, once.
    await until(async () => (await connections()).some((id) => !before.includes(id)), "another one");
    // Some more rounds in which it could report again.
    const fired = clock.fired;
    await until(() => clock.fired >= fired + 6, "six timers of the node");
    const why = "their connections to Redis may lead to different servers";
    assertEquals(astray.told("ERR_BACKPLANE_ONE_WAY"), [
      `Messages of this node do not reach the node "near": ${why}`,
    ]);
    assertEquals(near.told("ERR_BACKPLANE_ONE_WAY"), []);
    address.target = pair.primary.port;
    address.cut();
    await until(() => astray.told("ERR_BACKPLANE_ONE_WAY").length > 1, "the good news");
    assertEquals(astray.told("ERR_BACKPLANE_ONE_WAY")[1], 'Messages of this node reach the node "near" again');
    await publishUntilHeard(astray, near, "here");
    await Promise.all([near.backplane.close(), astray.backplane.close()]);
    await Promise.all(programs.map((program) => program.close()));
    await pair.stop();
    await address.close();
  });

  it("needs a name that is a text", async () => {
    const redis = await RedisServer.start([]);
    const program = await make!(redis.url);
    for (const name of ["", 5 as unknown as string]) {
      assertThrows(() => new RedisBackplane(program.client, { name }), OptionError, 'The setting "name"');
    }
    await program.close();
    await redis.stop();
  });
});

describeRedis("A WhatsAppServer whose Redis is away", () => {
  it("reports it once, and at the end the number of notifications that got a 503", async () => {
    const [make] = CLIENTS.values();
    const redis = await RedisServer.start();
    const program = await make!(redis.url);
    const journal = await RedisJournal.open(program.client);
    const errors: WebSocketError[] = [];
    const server = new WhatsAppServer({
      hostname: "127.0.0.1",
      port: 0,
      pathName: "/whatsapp",
      behindProxy: true,
      appSecret: null,
      receiverToken: null,
      journal,
      onError: (error) => void errors.push(error as WebSocketError),
    });
    await server.start();
    const post = async (id: string): Promise<number> => {
      const headers = { "content-type": "application/json" };
      const url = `http://127.0.0.1:${server.address!.port}/whatsapp`;
      const response = await fetch(url, { method: "POST", body: JSON.stringify({ id }), headers });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await post("before"), 200);
    await redis.kill();
    await until(() => errors.length > 0, "the bad news");
    for (let at = 0; at < 50; at++) assertEquals(await post(`during ${at}`), 503);
    const write = (): string[] =>
      errors.filter(({ code }) => code === "ERR_JOURNAL_WRITE").map(({ message }) => message);
    assertEquals(write().length, 1, write().join("\n"));
    await redis.run();
    let refused = 50;
    const again = async (attempt: number): Promise<void> => {
      if (await post(`after ${attempt}`) === 503) refused++;
    };
    await repeatUntil(again, () => write().length > 1, "the good news");
    assertEquals(
      write()[1],
      `Notifications are kept again; ${refused - 1} more got a 503 since the last report`,
    );
    for (const { message } of errors) assert(!message.includes("undefined"), message);
    await server.stop();
    await journal.close();
    await program.close();
    await redis.stop();
  });
});
