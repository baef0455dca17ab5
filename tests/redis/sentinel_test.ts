/**
 * Journal and backplane under Sentinel, with each client: opening, a killed primary, a fail-over on purpose, sentinels
 * that stand still; and what a program can get wrong.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { OptionError } from "../../base/errors.ts";
import type { JournalEntry } from "../../journal/journal.ts";
import { RedisBackplane } from "../../redis/backplane.ts";
import type { IoRedisClient, RedisClient } from "../../redis/client.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { linkOpener } from "../../redis/open_link.ts";
import { findSentinels } from "../../redis/sentinels.ts";
import type { RedisSource } from "../../redis/source.ts";
import { findSnippets } from "../../scripts/snippets.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { runtime } from "../support/needs.ts";
import { npm } from "../support/redis.ts";
import { bodies } from "../support/redis_node.ts";
import { PRIMARY, SENTINEL_SOURCES, SentinelRig, type SentinelRigOptions, UNCONNECTED } from "../support/sentinel.ts";
import { repeatUntil, until } from "../support/support.ts";

/** A journal and two backplanes of one client, in use. */
class User implements AsyncDisposable {
  readonly name: string;
  /** Bodies that the journal has accepted. */
  readonly kept: string[] = [];
  readonly reasons: string[] = [];
  #journal: RedisJournal;
  #sender: RedisBackplane;
  #receiver: RedisBackplane;
  #heard: (string | Uint8Array)[] = [];
  #stopped = false;
  #appending: Promise<void>;

  private constructor(name: string, journal: RedisJournal, sender: RedisBackplane, receiver: RedisBackplane) {
    this.name = name;
    this.#journal = journal;
    this.#sender = sender;
    this.#receiver = receiver;
    journal.listen({ appended() {}, error: ({ message }) => void this.reasons.push(message) });
    receiver.subscribe("topic", (message) => void this.#heard.push(message));
    this.#appending = this.#append();
  }

  static async open(name: string, source: RedisSource): Promise<User> {
    // All clients share one Redis.
    const prefix = `{${name}}:`;
    const journal = await RedisJournal.open(source, { prefix, replicas: 1 });
    const sender = new RedisBackplane(source, { prefix });
    return new User(name, journal, sender, new RedisBackplane(source, { prefix }));
  }

  /** Appends one body after the other, each until it is accepted, as Meta does. */
  async #append(): Promise<void> {
    for (let number = 1; !this.#stopped; number++) {
      const body = `${this.name} ${number}`;
      let accepted = false;
      const append = (): Promise<unknown> => this.#journal.append(entry(body)).then(() => accepted = true, () => {});
      await repeatUntil(append, () => accepted || this.#stopped, `"${body}" to be accepted`, 45_000);
      if (accepted) this.kept.push(body);
    }
  }

  /** Waits until as many more are accepted. */
  async goesOn(count: number): Promise<void> {
    const before = this.kept.length;
    await until(() => this.kept.length >= before + count, `${this.name}: ${count} more`, 45_000);
  }

  /** Publishes until the other backplane has heard a message. */
  async hears(message: string): Promise<void> {
    const publish = (): Promise<void> => this.#sender.publish("topic", message).catch(() => {});
    await repeatUntil(publish, () => this.#heard.includes(message), `${this.name}: "${message}"`, 45_000);
  }

  /** Bodies in the journal, and how often each is there. */
  async content(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (let after = 0;;) {
      const page = await this.#readPage(after);
      if (page.length === 0) return counts;
      for (const body of bodies(page)) counts.set(body, (counts.get(body) ?? 0) + 1);
      after = page.at(-1)!.seq;
    }
  }

  /** Reads on as soon as Redis is there: it may be away once more. */
  async #readPage(after: number): Promise<JournalEntry[]> {
    let page: JournalEntry[] | undefined;
    const read = (): Promise<unknown> => this.#journal.read(after, 1000).then((entries) => page = entries, () => {});
    await repeatUntil(read, () => page !== undefined, `${this.name}: its content`);
    return page!;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#appending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Promise.all([this.#journal.close(), this.#sender.close(), this.#receiver.close()]);
  }
}

/** Lets all clients use one rig while a fault comes, and checks that nothing accepted is missing. */
async function survive(options: SentinelRigOptions, fault: (rig: SentinelRig) => Promise<void>): Promise<string[]> {
  await using rig = await SentinelRig.start(options);
  const opened = [...SENTINEL_SOURCES].map(async ([name, make]) => await User.open(name, await make(rig.address)));
  await using users = new AsyncDisposableStack();
  const all = (await Promise.all(opened)).map((user) => users.use(user));
  const before = await rig.primaryPort();
  await Promise.all(all.map((user) => Promise.all([user.goesOn(20), user.hears("before")])));
  // The journal and both backplanes of each client.
  await until(() => rig.listens(3 * all.length), "the sentinels to be listened to");
  await fault(rig);
  await until(async () => await rig.primaryPort() !== before, "another primary", 45_000);
  await Promise.all(all.map((user) => Promise.all([user.goesOn(20), user.hears("after")])));
  for (const user of all) {
    await user.stop();
    const content = await user.content();
    assertEquals(user.kept.filter((body) => content.get(body) !== 1), [], `${user.name}: lost, or there twice`);
  }
  return all.flatMap(({ reasons }) => reasons);
}

/** Imports the snippet of docs/scaling.md that has a word in it. */
async function importSnippet(word: string): Promise<Record<string, (client: unknown, nodes: object[]) => RedisSource>> {
  const text = readFileSync(new URL("../../docs/scaling.md", import.meta.url), "utf8");
  const { code } = findSnippets("docs/scaling.md", text).find((snippet) => snippet.code.includes(word))!;
  const folder = mkdtempSync(join(tmpdir(), "snippet-"));
  const file = join(folder, "snippet.ts");
  writeFileSync(file, code);
  try {
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describeRedis("Redis under Sentinel, with all clients", () => {
  it("loses nothing when the primary is killed, and goes on with the new one", async () => {
    await survive({}, (rig) => rig.servers[0]!.kill());
  });

  it("loses nothing in a fail-over on purpose, leaves as it begins, and has passwords of its own", async () => {
    const passwords = { password: "of-redis", sentinelPassword: "of-sentinels" };
    const reasons = await survive(passwords, (rig) => rig.failover());
    const left = reasons.filter((reason) => reason === "Redis is away: the sentinels begin a fail-over");
    assertEquals(left.length, SENTINEL_SOURCES.size, reasons.join("\n"));
  });

  it("opens and goes on although the first sentinel stands still", async () => {
    await using rig = await SentinelRig.start({ replicas: 1 });
    rig.sentinels[0]!.freeze(true);
    for (const [name, make] of SENTINEL_SOURCES) {
      await using user = await User.open(name, await make(rig.address));
      await Promise.all([user.goesOn(1), user.hears("before")]);
    }
    rig.sentinels[0]!.freeze(false);
  });

  it("is reached as the docs show; errors say that the name is unknown, or no sentinel answers", async () => {
    await using rig = await SentinelRig.start({ replicas: 0 });
    const { withIoRedis, withRedis, withBun } = await importSnippet("createSentinel");
    const { Redis } = await npm("npm:ioredis@6.0.0");
    const { createClient, createSentinel } = await npm("npm:redis@6.3.1");
    const { RedisClient: Client } = runtime === "Bun" ? await import("bun" as string) : {
      RedisClient: class {
        constructor(url: string) {
          return createClient({ url });
        }
      },
    };
    const nodes = rig.address.ports.map((port) => ({ host: "127.0.0.1", port }));
    const sources = [withIoRedis!(Redis, nodes), withRedis!(createSentinel, nodes), withBun!(Client, nodes)];
    for (const source of sources) await (await RedisJournal.open(source)).close();
    const [make] = UNCONNECTED.values();
    const [port] = rig.address.ports;
    const sentinel = await make!(`redis://127.0.0.1:${port}`);
    const open = (source: RedisSource): Promise<unknown> =>
      linkOpener(source)({ message() {}, closed() {} }, AbortSignal.timeout(5000));
    const primary = (): Promise<RedisClient> => make!("redis://127.0.0.1:1");
    const message = 'no sentinel names the primary "other": it does not know that name';
    await assertRejects(() => open({ name: "other", sentinels: [sentinel], primary }), Error, message);
    const dead = await make!(rig.servers[0]!.url);
    await rig.servers[0]!.kill();
    const start = 'no sentinel names the primary "mymaster": ';
    await assertRejects(() => open({ name: PRIMARY, sentinels: [dead], primary }), Error, start);
    const { message: why } = await assertRejects(() => open({ name: PRIMARY, sentinels: [sentinel], primary }), Error);
    assert(!why.startsWith(start), why);
  });
});

describeRedis("The sentinels that a program gives", () => {
  it("are refused with the reason if something is missing", async () => {
    const [make] = UNCONNECTED.values();
    const client = await make!("redis://127.0.0.1:1");
    const primary = (): RedisClient => client;
    const cases: [unknown, string][] = [
      [{ name: "", sentinels: [client], primary }, 'The name of the primary at the sentinels is "": give '],
      [{ name: "one", sentinels: [], primary }, 'The sentinels of "one" are an empty array: give '],
      [{ name: "one", sentinels: "10.0.0.1", primary }, 'The sentinels of "one" are "10.0.0.1": give '],
      [{ name: "one", sentinels: [{}], primary }, 'A sentinel of "one" is of no known kind (an object): give '],
      [
        { name: "one", sentinels: [client, "redis://:secret@10.0.0.1:26379"], primary },
        'A sentinel of "one" is of no known kind ("redis://…@10.0.0.1:26379"): give ',
      ],
      [{ name: "one", sentinels: [client] }, '"primary" of the sentinels of "one" is undefined: give '],
      [{ acquire() {}, getSentinelNode() {}, duplicate: () => ({}) }, "createSentinel of npm:redis in a version that"],
    ];
    for (const [source, message] of cases) {
      assertThrows(() => new RedisBackplane(source as RedisSource), OptionError, message);
    }
  });

  it("may have addresses replaced, with npm:ioredis", async () => {
    const client = await SENTINEL_SOURCES.get("npm:ioredis")!({ ports: [1, 2] }) as IoRedisClient;
    const inside = { host: "10.0.0.1", port: 6379 };
    const outside = { host: "198.51.100.1", port: 7000 };
    for (const natMap of [{ "10.0.0.1:6379": outside }, (key: string) => key === "10.0.0.1:6379" ? outside : null]) {
      const found = await findSentinels(client.duplicate({ natMap }) as IoRedisClient)!(AbortSignal.timeout(5000));
      const primary = async (host: string): Promise<object> => {
        const { options } = await found.primary({ ...inside, host }) as unknown as { options: Record<string, unknown> };
        return { host: options.host, port: options.port };
      };
      assertEquals(await primary("10.0.0.1"), outside);
      assertEquals(await primary("10.0.0.2"), { ...inside, host: "10.0.0.2" });
      assertEquals(found.sentinels.length, 2);
    }
  });
});

describe("Without a Redis", () => {
  it("findSentinels leaves clients of one Redis alone", () => {
    assertEquals([undefined, null, {}, { duplicate() {} }].map(findSentinels), [
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
