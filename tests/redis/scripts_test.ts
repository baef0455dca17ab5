/**
 * The scripts of the journal in Redis, when one of their commands fails: Redis keeps what was written before. Whatever
 * fails, what was kept is there, a retry is recognised only if what it repeats is there, sums are right, and a second
 * attempt does what the first could not.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import type { RedisLink } from "../../redis/link.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { bodies, Node } from "../support/redis_node.ts";
import { until } from "../support/support.ts";
import type { RedisScript } from "../../redis/script.ts";
import * as cursorScripts from "../../redis/cursor_scripts.ts";
import * as logScripts from "../../redis/log_scripts.ts";

const scripts = { ...logScripts, ...cursorScripts };
const [make] = CLIENTS.values();

/** Every command that a script sends: `XADD`, or `XGROUP|CREATE`. */
function commandsOfScripts(): string[] {
  const files = ["script.ts", "log_scripts.ts", "cursor_scripts.ts"];
  const source = files.map((file) => readFileSync(new URL(`../../redis/${file}`, import.meta.url), "utf-8")).join("\n");
  const found = new Set<string>();
  for (const [, name, sub] of source.matchAll(/redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?/g)) {
    found.add(name === "XGROUP" || name === "XINFO" ? `${name}|${sub}` : name!);
  }
  return [...found];
}

/** Keys of the journal, as patterns. */
const KEYS = ["stream", "meta", "digests", "ages", "names", "cursor:*", "node:*", "gone", "wanted:*"];

/** Allows a user to read all keys, and to write some. A script starts with all rights to the keys that it names. */
function allowWrites(admin: ProgramClient, prefix: string, keys: string[], ...rules: string[]): Promise<unknown> {
  const patterns = keys.map((key) => `~${prefix}${key}`).join(" ");
  return admin.command("ACL", "SETUSER", "node", "-@write", `(+@write ${rules.join(" ")} ${patterns})`);
}

type Field = [id: string, fields: string[]];

/** A journal whose scripts are run one by one, by a user whose rights are taken away and given back by another one. */
class Bench {
  /** Digests of notifications that were kept. */
  readonly kept = new Map<string, number>();
  base = "";
  readonly failures: string[] = [];
  #link: RedisLink;
  #admin: ProgramClient;
  #prefix: string;

  constructor(user: ProgramClient, admin: ProgramClient, prefix: string) {
    this.#link = { send: ([command, ...args]: string[]) => user.command(command!, ...args) } as RedisLink;
    this.#admin = admin;
    this.#prefix = prefix;
  }

  run(script: RedisScript, ...args: (string | number)[]): Promise<unknown> {
    return script.run(this.#link, this.#prefix, args);
  }

  ask(command: string, key: string, ...args: string[]): Promise<unknown> {
    return this.#admin.command(command, this.#prefix + key, ...args);
  }

  async #try(script: RedisScript, ...args: (string | number)[]): Promise<unknown> {
    try {
      return await this.run(script, ...args);
    } catch (error) {
      // Whatever fails, Lua itself has nothing to complain of.
      assert(!/attempt to|bad argument/.test((error as Error).message), (error as Error).message);
      this.failures.push((error as Error).message);
      return undefined;
    } finally {
      await this.check();
    }
  }

  async open(known = 0): Promise<void> {
    const opened = await this.#try(scripts.OPEN, "id", 1, 1, 0, known) as string[] | undefined;
    if (opened !== undefined) this.base = opened[4]!;
  }

  async append(digest: string, forward = true): Promise<boolean> {
    const args = ["id", this.base, 0, 5, digest, forward ? 1 : 0, "t", digest, digest.length, "", 0, 40];
    const answer = await this.#try(scripts.APPEND, ...args) as (string | number)[] | undefined;
    if (answer === undefined) return false;
    const seq = Number(answer[0]);
    if (forward) this.kept.set(digest, seq);
    // What is called a retry is there.
    if (Number(answer[1]) === 1 && forward) {
      const trimmed = Number(await this.ask("HGET", "meta", "trimmed") ?? 0);
      assert(seq <= trimmed || await this.#has(seq), `"${digest}" is called a retry, and is not there`);
    }
    return true;
  }

  async #has(seq: number): Promise<boolean> {
    return (await this.ask("XRANGE", "stream", `${seq}-0`, `${seq}-0`) as Field[]).length === 1;
  }

  /** All that scripts do, once; some of it needs what another one has left. */
  async everything(turn: string): Promise<void> {
    await this.open();
    await this.#try(scripts.SIGN, "node", 60_000);
    await this.append(`${turn} first`);
    await this.append(`${turn} unwanted`, false);
    await this.append(`${turn} second`);
    await this.#try(scripts.READ, 0, 10, 1000);
    await this.#try(scripts.SAVE, "keeper", "node", 1, 1);
    await this.#try(scripts.SAVE, "keeper", "node2", 1, 2);
    await this.#try(scripts.RELEASE, "keeper", "node");
    await this.#try(scripts.CURSOR, "keeper");
    await this.#try(scripts.CURSOR, "evicted");
    await this.#try(scripts.CURSORS);
    await this.#try(scripts.SHARE, "group", 0, "all", "node.1");
    await this.#try(scripts.TAKE, "group", "node.1", 1, 1000);
    await this.#try(scripts.LEAVE, "group", "node.1");
    await this.#try(scripts.SHARE, "group", 0, "all", "node.2");
    await this.#try(scripts.TAKE, "group", "node.2", 10, 1000);
    // The first consumer has nothing any more.
    await this.#try(scripts.TAKE, "group", "node.2", 10, 1000);
    await this.#try(scripts.ACKNOWLEDGE, "group", ...this.kept.values());
    await this.#try(scripts.LEAVE, "group", "node.2");
    await this.append(`${turn} third`);
    await this.append(`${turn} fourth`);
    await this.#try(scripts.TRIM, 1000, 900, 0);
    await this.#try(scripts.TAKE, "group", "node.2", 10, 1000);
    await this.#try(scripts.TRIM, 1000, 0, 900);
  }

  /** Checks the invariants that hold whenever Redis answers. */
  async check(): Promise<void> {
    const meta = new Map<string, string>();
    const flat = await this.ask("HGETALL", "meta") as string[] | Record<string, string>;
    if (Array.isArray(flat)) { for (let at = 0; at < flat.length; at += 2) meta.set(flat[at]!, flat[at + 1]!); }
    else for (const [name, value] of Object.entries(flat)) meta.set(name, value);
    const stream = await this.ask("XRANGE", "stream", "-", "+") as Field[];
    let bytes = 0;
    for (const [, fields] of stream) bytes += Number(fields[fields.indexOf("n") + 1]);
    assertEquals([meta.get("bytes") ?? "0", meta.get("count") ?? "0"], [`${bytes}`, `${stream.length}`]);
    const trimmed = Number(meta.get("trimmed") ?? 0);
    const seqs = new Set(stream.map(([id]) => Number(id.split("-")[0])));
    assert([...seqs].every((seq) => seq > trimmed));
    for (const [digest, seq] of this.kept) assert(seq <= trimmed || seqs.has(seq), `"${digest}" is gone`);
    // A place that was there stays there.
    assertEquals(await this.ask("EXISTS", "cursor:keeper"), 1);
  }

  /** A place that is there, and one that was evicted. */
  async prepare(): Promise<void> {
    await this.ask("HSET", "cursor:keeper", "dead", "0 0");
    await this.ask("SADD", "names", "keeper", "evicted");
    await this.ask("HSET", "meta", "id", "id");
  }
}

/** Runs everything while a right is missing, and again when it is there again. */
async function tryWithout(
  redis: RedisServer,
  prefix: string,
  deny: (admin: ProgramClient, prefix: string) => Promise<unknown>,
): Promise<number> {
  const admin = await make!(redis.url);
  await admin.command("ACL", "SETUSER", "node", "reset", "on", "nopass", "+@all", "~*");
  const user = await make!(redis.url.replace("://", "://node:x@"));
  const bench = new Bench(user, admin, prefix);
  await bench.prepare();
  await bench.open();
  await bench.append("before");
  await deny(admin, prefix);
  await bench.everything("denied");
  const failures = bench.failures.splice(0);
  await admin.command("ACL", "SETUSER", "node", "reset", "on", "nopass", "+@all", "~*");
  // Meta sends again what it got no 200 for.
  await bench.open();
  for (const name of ["first", "second"]) {
    assert(await bench.append(`denied ${name}`));
    const seq = bench.kept.get(`denied ${name}`)!;
    assert(seq > 0);
  }
  await bench.everything("allowed");
  assertEquals(bench.failures, []);
  await Promise.all([user.close(), admin.close()]);
  return failures.length;
}

describeRedis("Scripts of the journal in Redis", () => {
  it("lose nothing, and count right, whichever of their commands is forbidden", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const commands = commandsOfScripts();
    assert(commands.length > 30 && commands.includes("XADD") && commands.includes("XGROUP|SETID"), `${commands}`);
    // Without these a script goes on, and XDEL undoes what could not be completed.
    const optional = ["INFO", "TIME", "XDEL"];
    for (const [at, command] of commands.entries()) {
      const deny = (admin: ProgramClient): Promise<unknown> => admin.command("ACL", "SETUSER", "node", `-${command}`);
      const failures = await tryWithout(redis, `{${at}}`, deny);
      assertEquals(failures > 0, !optional.includes(command), `${command}: ${failures}`);
    }
    await redis.stop();
  });

  it("lose nothing, and count right, whichever of their keys cannot be written", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    for (const readOnly of KEYS) {
      const prefix = `{${readOnly}}`.replace("*", "");
      const writable = KEYS.filter((key) => key !== readOnly);
      const deny = (admin: ProgramClient): Promise<unknown> => allowWrites(admin, prefix, writable);
      assert(await tryWithout(redis, prefix, deny) > 0, readOnly);
    }
    await redis.stop();
  });

  it("remove an entry whose digest cannot be stored, and count it if that fails too", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    for (const command of ["+xdel", "-xdel"]) {
      const prefix = `{${command}}`;
      await tryWithout(redis, prefix, async (admin) => {
        await allowWrites(admin, prefix, KEYS.filter((key) => key !== "digests"), command);
      });
      const admin = await make!(redis.url);
      const stream = await admin.command("XRANGE", `${prefix}stream`, "-", "+") as Field[];
      const twice = stream.filter(([, fields]) => fields[1] === "denied second").length;
      assert(command === "-xdel" || twice <= 1, `${twice}`);
      await admin.close();
    }
    await redis.stop();
  });

  it("refuse what comes when a key is of the wrong type, and take the retry when it is not any more", async () => {
    const redis = await RedisServer.start();
    for (const key of ["stream", "meta", "digests", "ages"]) {
      const node = await Node.open(make!, redis.url, { prefix: `{${key}}` });
      await node.append("before");
      await node.program.command("RENAME", `{${key}}${key}`, `{${key}}backup`);
      await node.program.command("SET", `{${key}}${key}`, "a text");
      await assertRejects(() => node.journal.append(entry("retried")), Error, "WRONGTYPE");
      await node.program.command("RENAME", `{${key}}backup`, `{${key}}${key}`);
      await node.append("retried");
      await until(() => node.told.at(-1) === "retried", "the retry");
      assertEquals(bodies(await node.journal.read(0, 10)), ["before", "retried"]);
      await node.close();
    }
    await redis.stop();
  });

  it("keep a notification whose first attempt could not be written", async () => {
    const redis = await RedisServer.start();
    const admin = await make!(redis.url);
    await admin.command("ACL", "SETUSER", "node", "on", "nopass", "+@all", "~*", "-xadd");
    const node = await Node.open(make!, redis.url.replace("://", "://node:x@"));
    const error = await assertRejects(() => node.journal.append(entry("a")));
    assert((error as Error).message.includes("can't run this command"), `${error}`);
    await admin.command("ACL", "SETUSER", "node", "+xadd");
    assertEquals((await node.journal.append(entry("a"))).duplicate, false);
    assertEquals(bodies(await node.journal.read(0, 10)), ["a"]);
    assertEquals(node.told, ["a"]);
    await Promise.all([node.close(), admin.close()]);
    await redis.stop();
  });

  it("keep the place of a receiver on its own node, also when the lease of the node has expired", async () => {
    await using redis = await RedisServer.start();
    await using admin = await make!(redis.url);
    const link = { send: ([command, ...args]: string[]) => admin.command(command!, ...args) } as RedisLink;
    const run = (script: RedisScript, ...args: (string | number)[]): Promise<unknown> => script.run(link, "{a}", args);
    const nodes = async (): Promise<unknown[]> => (await admin.command("HKEYS", "{a}cursor:keeper") as string[]).sort();
    await run(scripts.SAVE, "keeper", "dead", 0, 3);
    await run(scripts.SIGN, "alive", 60_000);
    await run(scripts.SAVE, "keeper", "alive", 2, 4);
    // The dead one was further than the other when that came, which takes over.
    assertEquals(await nodes(), ["alive"]);
    // As if it had been cut off from Redis for longer than its lease lasts.
    await admin.command("DEL", "{a}node:alive");
    for (const cursor of [5, 6]) {
      await run(scripts.SAVE, "keeper", "alive", cursor, cursor);
      assertEquals(await nodes(), ["alive"]);
      assertEquals(Number(await run(scripts.CURSOR, "keeper")), cursor);
    }
  });
});
