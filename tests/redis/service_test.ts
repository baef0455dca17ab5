/** Redis as services offer it, with each client: what is forbidden there, and what such a Redis does to connections. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { JournalError, WebSocketError } from "../../base/errors.ts";
import { RedisBackplane, type RedisBackplaneOptions } from "../../redis/backplane.ts";
import type { BunRedisClient, IoRedisClient, NodeRedisClient, RedisClient } from "../../redis/client.ts";
import { RedisJournal, type RedisJournalOptions } from "../../redis/journal.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { onFreePort } from "../support/free_port.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { decode, repeatUntil, until } from "../support/support.ts";

/** A node with a backplane, and what it was told. */
class Live implements AsyncDisposable {
  readonly backplane: RedisBackplane;
  readonly got: string[] = [];
  readonly told: string[] = [];
  missed = 0;

  constructor(client: RedisClient, options?: RedisBackplaneOptions) {
    this.backplane = new RedisBackplane(client, options);
    this.backplane.listen({
      missed: (count) => this.missed += count,
      error: ({ message }) => void this.told.push(message),
    });
  }

  static async start(client: RedisClient, options?: RedisBackplaneOptions): Promise<Live> {
    const live = new Live(client, options);
    await live.backplane.subscribe("a", (data) => void live.got.push(String(data))).ready;
    return live;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.backplane.close();
  }
}

/** A node with a journal, and what it was told. */
class Kept implements AsyncDisposable {
  readonly got: string[] = [];
  readonly errors: WebSocketError[] = [];

  constructor(readonly journal: RedisJournal) {
    journal.listen({
      appended: ({ bytes }) => void this.got.push(decode(bytes)),
      error: (error) => void this.errors.push(error),
    });
  }

  static async open(client: RedisClient, options?: RedisJournalOptions): Promise<Kept> {
    return new Kept(await RedisJournal.open(client, options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.journal.close();
  }
}

/** Time in which neither probes nor heartbeats keep a connection busy. */
const quiet: Clock = {
  now: () => systemClock.now(),
  after: (delay, callback) => delay < 2000 ? systemClock.after(delay, callback) : () => {},
};

/** IDs of all connections to a Redis but that of the program that asks. */
async function connections({ command }: ProgramClient): Promise<string[]> {
  const own = String(await command("CLIENT", "ID"));
  const list = String(await command("CLIENT", "LIST"));
  return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id!).filter((id) => id !== own);
}

/** A proxy that closes connections over which nothing has gone for a while, as those of services do. */
class ImpatientProxy implements AsyncDisposable {
  #sockets = new Set<Socket>();

  private constructor(readonly port: number, readonly server: Server) {}

  static listen(target: number, patience: number): Promise<ImpatientProxy> {
    const server = createServer();
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const proxy = new ImpatientProxy((server.address() as { port: number }).port, server);
        server.on("connection", (client) => proxy.#join(client, connect(target, "127.0.0.1"), patience));
        resolve(proxy);
      });
    });
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  #join(client: Socket, redis: Socket, patience: number): void {
    for (const [socket, other] of [[client, redis], [redis, client]] as const) {
      this.#sockets.add(socket);
      socket.setTimeout(patience, () => socket.destroy());
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** Opens a connection that says nothing; returns when Redis has closed it. */
function idleUntilClosed(port: number): Promise<void> {
  return new Promise((resolve) => connect(port, "127.0.0.1").resume().on("close", () => resolve()));
}

const pem = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../tls/${name}.pem`, import.meta.url)), "utf8");

/** A Redis that speaks TLS, besides the port without it. */
function startWithTls(): Promise<{ redis: RedisServer; tlsPort: number }> {
  const file = (name: string): string => fileURLToPath(new URL(`../tls/${name}`, import.meta.url));
  return onFreePort(async (tlsPort) => {
    const files = ["--tls-cert-file", file("leaf.pem"), "--tls-key-file", file("leaf.key")];
    const trust = ["--tls-ca-cert-file", file("ca.pem"), "--tls-auth-clients", "no"];
    return { redis: await RedisServer.start(["--tls-port", `${tlsPort}`, ...files, ...trust]), tlsPort };
  });
}

/** Makes a client with a CA, as docs/scaling.md says; it is not connected. */
async function withCa(name: string, client: RedisClient, port: number, ca: string): Promise<RedisClient> {
  if (name === "npm:redis") {
    const socket = { host: "localhost", port, tls: true, ca, reconnectStrategy: false };
    return (client as NodeRedisClient).duplicate({ url: undefined, socket }) as NodeRedisClient;
  }
  if (name === "npm:ioredis") {
    const options = { host: "localhost", port, tls: { ca }, lazyConnect: true };
    return (client as IoRedisClient).duplicate(options) as IoRedisClient;
  }
  const { RedisClient: Client } = await import("bun" as string);
  return new Client(`rediss://localhost:${port}`, { tls: { ca } }) as BunRedisClient;
}

describeRedis("Redis as a service", () => {
  for (const [name, make] of CLIENTS) {
    describe(name, () => {
      it("opens where CONFIG is forbidden, and knows by INFO that Redis evicts", async () => {
        const forbidden = ["--rename-command", "CONFIG", ""];
        await using redis = await RedisServer.start([...forbidden, "--appendonly", "yes"]);
        await using program = await make(redis.url);
        await using kept = await Kept.open(program.client);
        assertEquals([kept.journal.durability, kept.errors], ["unknown", []]);
        await kept.journal.append(entry("a"));

        const evicting = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
        await using other = await RedisServer.start([...forbidden, ...evicting]);
        await using client = await make(other.url);
        const error = await assertRejects(() => RedisJournal.open(client.client)) as JournalError;
        assertStringIncludes(error.message, '"maxmemory-policy" is allkeys-lru');
      });

      it("works over TLS with a CA of its own", async () => {
        const { redis, tlsPort } = await startWithTls();
        await using program = await make(redis.url);
        const client = await withCa(name, program.client, tlsPort, pem("ca"));
        await using kept = await Kept.open(client);
        await kept.journal.append(entry("a"));
        await using one = await Live.start(client);
        await using other = await Live.start(client);
        await one.backplane.publish("a", "text");
        await until(() => other.got.length === 1 && kept.got.length === 1, "both");
        await redis.stop();
      });

      it("keeps its connections alive where Redis, or a proxy, closes idle ones after 3 s", async () => {
        await using redis = await RedisServer.start(["--timeout", "3"]);
        // Redis exempts those that subscribe, or wait for the stream.
        await using proxy = await ImpatientProxy.listen(redis.port, 3000);
        await using program = await make(proxy.url);
        await using admin = await CLIENTS.get("npm:redis")!(redis.url);
        await using kept = await Kept.open(program.client);
        await using live = await Live.start(program.client);
        const own = await connections(admin);
        let closed = 0;
        for (const port of [redis.port, proxy.port]) void idleUntilClosed(port).then(() => closed++);
        // The one that asks is not idle.
        await until(async () => (await connections(admin)) && closed === 2, "the end of idle ones");
        const now = await connections(admin);
        const lost = own.filter((id) => !now.includes(id));
        // The program's own client is idle as well.
        assert(lost.length <= 1, `${lost.length} of ${own.length} were closed`);
        assertEquals([live.told, kept.errors], [[], []]);
      });

      it("does not report connections that Redis closes for being idle, and that are open again at once", async () => {
        await using redis = await RedisServer.start(["--timeout", "1"]);
        await using program = await make(redis.url);
        await using admin = await CLIENTS.get("npm:redis")!(redis.url);
        await using one = await Live.start(program.client, { clock: quiet });
        await using other = await Live.start(program.client, { clock: quiet });
        const before = await connections(admin);
        await until(() => replaced(admin, before, 2), "other connections of both publishers");
        const publish = (): Promise<void> => one.backplane.publish("a", "text").catch(() => {});
        await repeatUntil(publish, () => other.got.length > 0, "a message");
        assertEquals([one.told, other.told], [[], []]);
      });

      it("counts what it missed while Redis had closed its subscription, and reports nothing else", async () => {
        await using redis = await RedisServer.start([]);
        await using program = await make(redis.url);
        await using one = await Live.start(program.client);
        await using other = await Live.start(program.client);
        await one.backplane.publish("a", "before");
        await until(() => other.got.length === 1, "the last one before the loss");
        const before = await connections(program);
        await program.command("CLIENT", "KILL", "TYPE", "pubsub");
        for (let at = 0; at < 3; at++) await one.backplane.publish("a", "lost");
        await until(() => replaced(program, before, 2), "both subscribers");
        const publish = (): Promise<void> => one.backplane.publish("a", "after");
        await repeatUntil(publish, () => other.missed > 0, "a message after the loss");
        assert(other.missed >= 3, `${other.missed} missed`);
        assertEquals([one.told, other.told.length], [[], 1]);
        assert(
          /^\d+ messages of another node have not come; \d+ in all: the connection was lost mean/.test(other.told[0]!),
        );
      });

      it("counts a message above the limit of Redis for subscribers, and gets the next one", async () => {
        await using redis = await RedisServer.start(["--client-output-buffer-limit", "pubsub 32kb 0 0"]);
        await using program = await make(redis.url);
        await using one = await Live.start(program.client);
        await using other = await Live.start(program.client);
        await one.backplane.publish("a", "small");
        await one.backplane.publish("a", "x".repeat(100_000));
        const publish = (): Promise<void> => one.backplane.publish("a", "next");
        await repeatUntil(publish, () => other.got.includes("next"), "the next one");
        assertEquals(other.got.some((text) => text.length > 10), false);
        assert(other.missed >= 1);
        assertStringIncludes(other.told.at(-1)!, '"client-output-buffer-limit"');
      });

      it("reads on with smaller answers where Redis has a limit for them, and loses nothing", async () => {
        const limit = ["--client-output-buffer-limit", "normal 1mb 0 0"];
        await using redis = await RedisServer.start(limit);
        await using program = await make(redis.url);
        await using one = await Kept.open(program.client);
        await using other = await Kept.open(program.client);
        // The tail of the other node finds all of them at once.
        await program.command("CLIENT", "PAUSE", "200", "WRITE");
        const texts = Array.from({ length: 20 }, (_, index) => `${index}${"x".repeat(200_000)}`);
        await Promise.all(texts.map((text) => one.journal.append(entry(text))));
        await until(() => other.got.length === 20, "all of them at the other node", 20_000);
        assertEquals(new Set(other.got), new Set(texts));
        const read = async (): Promise<void> => {
          found.push(...await other.journal.read(found.at(-1)?.seq ?? 0, 100).catch(() => []));
        };
        const found: Awaited<ReturnType<RedisJournal["read"]>> = [];
        await repeatUntil(read, () => found.length === 20, "all of them again", 20_000);
        assertEquals(found.map(({ bytes }) => decode(bytes)), other.got);
        // Receivers that share a name come again when the journal cannot be read.
        await other.journal.admit("shared", 0, true).catch(() => {});
        const taken = new Set<number>();
        const take = async (): Promise<void> => {
          const cursor = other.journal.share("shared", 0, "", () => {});
          try {
            const entries = await cursor.take(100);
            for (const { seq } of [...entries.again, ...entries.new]) taken.add(seq);
            cursor.acknowledge([...taken]);
          } catch {
            // Smaller the next time.
          }
          cursor.leave();
        };
        await repeatUntil(take, () => taken.size === 20, "all of them for a shared name", 30_000);
      });

      it("keeps the channels of the databases apart, with CLIENT INFO or without", async () => {
        await using redis = await RedisServer.start([]);
        await using first = await make(redis.url);
        await first.command("ACL", "SETUSER", "no-info", "on", ">secret", "~*", "&*", "+@all", "-client|info");
        await using second = await make(`${redis.url}/2`);
        await using hidden = await make(`${redis.url.replace("//", "//no-info:secret@")}/2`);
        await using zero = await Live.start(first.client);
        await using one = await Live.start(second.client);
        await using two = await Live.start((name === "Bun.RedisClient" ? second : hidden).client);
        await zero.backplane.publish("a", "of database 0");
        await one.backplane.publish("a", "of database 2");
        await until(() => two.got.length === 1, "the one of the same database");
        await zero.backplane.publish("a", "again");
        assertEquals([zero.got, one.got, two.got], [[], [], ["of database 2"]]);
        const channels = String(await first.command("PUBSUB", "CHANNELS", "*a")).split(",").sort();
        assertEquals(channels, ["tackline:!2:a", "tackline:a"]);
        // Keys are of the database anyway.
        await using kept = await Kept.open(first.client);
        await using other = await Kept.open(second.client);
        await kept.journal.append(entry("a"));
        assertEquals(await other.journal.has(entry("a").digest), false);
      });
    });
  }

  it("names a certificate that is not trusted as the reason, with each client", async () => {
    const { redis, tlsPort } = await startWithTls();
    await Promise.all([...CLIENTS].map(async ([name, make]) => {
      await using program = await make(redis.url);
      const client = await withCa(name, program.client, tlsPort, pem("client-ca"));
      await using live = new Live(client);
      const error = await assertRejects(() => RedisJournal.open(client)) as JournalError;
      assertEquals(error.code, "ERR_JOURNAL_OPEN");
      const message = /^Cannot open the journal in Redis: self.signed certificate in certificate chain$/;
      assert(message.test(error.message), `${name}: ${error.message}`);
      assert(/^Redis is away: self.signed certificate/.test(live.told[0]!), `${name}: ${live.told[0]}`);
    }));
    await redis.stop();
  });

  it("names a read-only endpoint, with each client", async () => {
    await using primary = await RedisServer.start(["--repl-diskless-sync-delay", "0"]);
    await using replica = await RedisServer.start(["--replicaof", "127.0.0.1", `${primary.port}`]);
    await Promise.all([...CLIENTS].map(async ([name, make]) => {
      await using program = await make(replica.url);
      await using live = new Live(program.client);
      const error = await assertRejects(() => RedisJournal.open(program.client)) as JournalError;
      const why = "Redis is a replica, and a primary is needed: does the address belong to a read-only endpoint?";
      assertEquals([name, error.message], [name, `Cannot open the journal in Redis: ${why}`]);
      assertEquals(live.told, [`Redis is away: ${why}`]);
    }));
  });
});

/** Tells whether so many connections have been replaced. */
async function replaced(admin: ProgramClient, before: string[], count: number): Promise<boolean> {
  return (await connections(admin)).filter((id) => !before.includes(id)).length >= count;
}
