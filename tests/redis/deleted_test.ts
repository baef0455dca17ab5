/**
 * A Redis that evicts keys is refused; and what becomes of a journal from whose stream something else has taken
 * entries.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { JournalError, OptionError } from "../../base/errors.ts";
import { RedisJournal, type RedisJournalOptions } from "../../redis/journal.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { bodies, Node } from "../support/redis_node.ts";
import { until } from "../support/support.ts";

const [make] = CLIENTS.values();
const MIB = 1024 * 1024;

/** Bytes and entries: what the journal counts, and what there is. */
async function sums(program: ProgramClient): Promise<[counted: number[], there: number[]]> {
  const counted = await program.command("HMGET", "{tackline}:meta", "bytes", "count") as string[];
  const stream = await program.command("XRANGE", "{tackline}:stream", "-", "+") as [string, string[]][];
  const bytes = stream.map(([, fields]) => Number(fields[fields.indexOf("n") + 1]));
  return [counted.map(Number), [bytes.reduce((sum, one) => sum + one, 0), stream.length]];
}

async function withNodes(
  action: (nodes: Node[], redis: RedisServer) => Promise<void>,
  options: RedisJournalOptions = {},
): Promise<void> {
  const redis = await RedisServer.start(["--appendonly", "no"]);
  const nodes = [await Node.open(make!, redis.url, options), await Node.open(make!, redis.url, options)];
  await action(nodes, redis);
  await Promise.all(nodes.map((node) => node.close()));
  await redis.stop();
}

async function untilLost(nodes: Node[], start: string): Promise<string> {
  const found = (node: Node): string | undefined =>
    node.messages("ERR_JOURNAL_LOST").find((message) => message.startsWith(start));
  await until(() => nodes.every((node) => found(node) !== undefined), start);
  for (const node of nodes) assertEquals(node.messages("ERR_JOURNAL_LOST").length, 1);
  return found(nodes[0]!)!;
}

describeRedis("RedisJournal in a Redis that evicts keys", () => {
  it("is refused, and says which setting is to blame, unless there is no limit or nothing is evicted", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const admin = await make!(redis.url);
    const user = redis.url.replace("://", "://node:x@");
    const open = async (options?: RedisJournalOptions): Promise<void> =>
      (await Node.open(make!, user, options)).close();
    const rights = ["", "-config", "-info", "-config -info"];
    for (
      const [maxMemory, policy] of [["0", "allkeys-lru"], ["100mb", "noeviction"], ["100mb", "allkeys-lru"], [
        "100mb",
        "volatile-ttl",
      ]]
    ) {
      await admin.command("CONFIG", "SET", "maxmemory", maxMemory!, "maxmemory-policy", policy!);
      for (const rules of rights) {
        await admin.command(
          "ACL",
          "SETUSER",
          "node",
          "reset",
          "on",
          "nopass",
          "+@all",
          "~*",
          ...rules.split(" ").filter(Boolean),
        );
        const evicts = maxMemory !== "0" && policy !== "noeviction";
        // Redis tells it in neither way, so it cannot be known.
        if (!evicts || rules === "-config -info") {
          await open();
          continue;
        }
        const error = await assertRejects(() => open(), JournalError, `"maxmemory-policy" is ${policy}`);
        assertEquals(error.code, "ERR_JOURNAL_OPEN");
        await open({ eviction: "warn" });
      }
    }
    const { client } = admin;
    const wrong = { eviction: "ignore" } as unknown as RedisJournalOptions;
    await assertRejects(() => RedisJournal.open(client, wrong), OptionError, '"eviction" is "ignore"');
    await admin.close();
    await redis.stop();
  });

  it("warns its listener, if configured to, and when it connects to a server that evicts", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const node = await Node.open(make!, redis.url);
    const admin = await make!(redis.url);
    await admin.command("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru");
    const warned = await Node.open(make!, redis.url, { eviction: "warn" });
    assertEquals(warned.errors.map(({ code }) => code), ["ERR_JOURNAL_EVICTION"]);
    assertStringIncludes(warned.errors[0]!.message, '"maxmemory-policy" is allkeys-lru');
    await admin.command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal");
    await until(() => node.messages("ERR_JOURNAL_EVICTION").length > 0, "a warning after a new connection");
    await warned.append("a");
    await admin.command("UNLINK", "{tackline}:stream");
    const message = await untilLost([warned], "1 notifications are gone from Redis, up to 1: ");
    assertStringIncludes(message, 'as "maxmemory-policy allkeys-lru" says');
    await Promise.all([node.close(), warned.close(), admin.close()]);
    await redis.stop();
  });

  it("reports every loss when Redis evicts entries despite the setting", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const node = await Node.open(make!, redis.url, { eviction: "warn" });
    await node.program.command("CONFIG", "SET", "maxmemory", "20mb", "maxmemory-policy", "allkeys-lru");
    const large = "x".repeat(100_000);
    const kept = new Set<number>();
    for (let at = 0; at < 600; at++) {
      const appended = await node.journal.append(entry(`${at} ${large}`)).catch(() => undefined);
      if (appended !== undefined) kept.add(appended.seq);
    }
    await node.program.command("CONFIG", "SET", "maxmemory", "0");
    await node.append("end");
    const found = new Set<number>();
    for (let after = 0;;) {
      const entries = await node.journal.read(after, 100);
      if (entries.length === 0) break;
      for (const { seq } of entries) found.add(seq);
      after = entries.at(-1)!.seq;
    }
    const { trimmed, lost } = node.journal;
    const gone = [...kept].filter((seq) => !found.has(seq));
    assert(gone.length > 0);
    const isTold = (seq: number): boolean =>
      seq <= trimmed || lost.some(({ after, until }) => after < seq && seq <= until);
    assertEquals(gone.filter((seq) => !isTold(seq)), []);
    assert(node.messages("ERR_JOURNAL_LOST").length > 0);
    const [counted, there] = await sums(node.program);
    assertEquals(counted, there);
    await node.close();
    await redis.stop();
  });
});

describeRedis("RedisJournal whose stream something else has changed", () => {
  it("reports the lost entries when the stream was deleted, starts a new count, and continues", () =>
    withNodes(async ([one, other]) => {
      await one!.append("1", "2", "3");
      await until(() => other!.told.length === 3, "all at both");
      await one!.program.command("DEL", "{tackline}:stream");
      const message = await untilLost([one!, other!], "3 notifications are gone from Redis, up to 3: ");
      assertStringIncludes(message, "another program has deleted or trimmed the stream");
      assertEquals([one!.journal.trimmed, other!.journal.trimmed], [3, 3]);
      assertEquals(await sums(one!.program), [[0, 0], [0, 0]]);
      assertEquals(await other!.append("4"), [4]);
      assertEquals(bodies(await one!.journal.read(0, 10)), ["4"]);
      assertEquals(await sums(one!.program), [[1, 1], [1, 1]]);
    }));

  it("knows what is gone before a reader does that is behind, and before anything comes after it", () =>
    withNodes(async ([one, other]) => {
      await one!.append("1", "2", "3");
      await one!.program.command("DEL", "{tackline}:stream");
      assertEquals([await other!.journal.read(1, 10), other!.journal.trimmed], [[], 3]);
      await one!.append("4", "5");
      await one!.program.command("DEL", "{tackline}:stream");
      assertEquals(await one!.append("6"), [6]);
      assertEquals([bodies(await other!.journal.read(1, 10)), other!.journal.trimmed], [["6"], 5]);
    }));

  it("does not trim each new notification because of lost entries", () =>
    withNodes(async ([one]) => {
      const large = "x".repeat(4 * MIB);
      await one!.append(`1${large}`, `2${large}`, `3${large}`);
      await one!.program.command("DEL", "{tackline}:stream");
      await one!.append(`4${large}`, `5${large}`, `6${large}`);
      assertEquals((await one!.journal.read(0, 10)).map(({ seq }) => seq), [4]);
      assertEquals((await one!.journal.read(4, 10)).map(({ seq }) => seq), [5]);
      const [counted, there] = await sums(one!.program);
      assertEquals([counted, there[1]], [there, 3]);
    }, { maxBytes: 16 * MIB }));

  it("counts anew when the stream was trimmed, or lost something in the middle", () =>
    withNodes(async ([one, other]) => {
      await one!.append("1", "22", "333", "4444", "55555");
      await one!.program.command("XTRIM", "{tackline}:stream", "MAXLEN", "3");
      await untilLost([one!, other!], "2 notifications are gone from Redis, up to 2: ");
      assertEquals(await sums(one!.program), [[12, 3], [12, 3]]);
      assertEquals(other!.journal.trimmed, 2);
      await one!.program.command("XDEL", "{tackline}:stream", "4-0");
      await until(
        () => other!.messages("ERR_JOURNAL_LOST").at(-1)?.startsWith("1 notifications are gone") === true,
        "more",
      );
      assertEquals(await sums(one!.program), [[8, 2], [8, 2]]);
      assertEquals(other!.journal.trimmed, 2);
    }));

  it("reports the loss to a node that was away, before later entries", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const admin = await make!(redis.url);
    await admin.command("ACL", "SETUSER", "node", "on", "nopass", "+@all", "~*");
    const one = await Node.open(make!, redis.url);
    const away = await Node.open(make!, redis.url.replace("://", "://node:x@"));
    const trimmedAt: number[] = [];
    away.journal.listen({ appended: () => void trimmedAt.push(away.journal.trimmed), error: () => {} });
    await one.append("1");
    await until(() => trimmedAt.length === 1, "the first");
    await admin.command("ACL", "SETUSER", "node", "off");
    await admin.command("CLIENT", "KILL", "USER", "node");
    await one.append("2", "3");
    await admin.command("DEL", "{tackline}:stream");
    await one.append("4");
    await admin.command("ACL", "SETUSER", "node", "on");
    await until(() => trimmedAt.length === 2, "the last");
    assertEquals(trimmedAt, [0, 3]);
    // Only the connection that waits for the stream: the others live on, and ask only once a second.
    await admin.command("ACL", "SETUSER", "node", "-xread");
    const clients = String(await admin.command("CLIENT", "LIST")).split("\n");
    const waiting = clients.filter((line) => line.includes(" user=node ") && line.includes(" cmd=xread "));
    assertEquals(waiting.length, 1);
    await admin.command("CLIENT", "KILL", "ID", /^id=(\d+)/.exec(waiting[0]!)![1]!);
    await one.append("5", "6");
    await admin.command("DEL", "{tackline}:stream");
    await one.append("7");
    await admin.command("ACL", "SETUSER", "node", "+xread");
    await until(() => trimmedAt.length === 3, "the very last");
    assertEquals(trimmedAt[2], one.seqs.at(-2));
    await Promise.all([one.close(), away.close(), admin.close()]);
    await redis.stop();
  });

  it("gives sharers the remaining entries and reports the gap if their group was deleted with the stream", () =>
    withNodes(async ([one, other]) => {
      await one!.append("1", "2", "3");
      const [here, there] = [one!.journal.share("x", 0, "", () => {}), other!.journal.share("x", 0, "", () => {})];
      assertEquals(bodies((await here.take(1)).new), ["1"]);
      here.acknowledge([1]);
      // It asks behind what it has said.
      assertEquals(await one!.journal.cursor("x"), 1);
      await one!.program.command("DEL", "{tackline}:stream");
      assertEquals(await there.take(5), { again: [], new: [], gaps: [{ after: 1, until: 3 }] });
      await one!.append("4");
      assertEquals(bodies((await here.take(5)).new), ["4"]);
      assertEquals([one!, other!].map(({ errors }) => errors.filter(({ code }) => code !== "ERR_JOURNAL_LOST")), [
        [],
        [],
      ]);
    }));

  it("continues with higher numbers when its own key is gone, also on a node without knowledge of it", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const one = await Node.open(make!, redis.url);
    await one.append("1", "2", "3");
    await one.program.command("DEL", "{tackline}:meta");
    const [seq] = await one.append("4");
    assert(seq! > 3, `${seq}`);
    assertEquals(bodies(await one.journal.read(0, 10)), ["1", "2", "3", "4"]);
    const [counted, there] = await sums(one.program);
    assertEquals(counted, there);
    assertEquals(one.errors, []);
    await one.close();
    const program = await make!(redis.url);
    await program.command("DEL", "{tackline}:meta");
    await program.close();
    const fresh = await Node.open(make!, redis.url);
    const [next] = await fresh.append("5");
    assert(next! > seq!, `${next}`);
    assertEquals(bodies(await fresh.journal.read(0, 10)), ["1", "2", "3", "4", "5"]);
    assertEquals(fresh.errors, []);
    await fresh.close();
    await redis.stop();
  });

  it("takes over what an earlier version has written, and notices if its stream is gone", async () => {
    for (const deleted of [false, true]) {
      const redis = await RedisServer.start(["--appendonly", "no"]);
      const before = await Node.open(make!, redis.url);
      await before.append("1", "22");
      await before.close();
      const program = await make!(redis.url);
      await program.command("HDEL", "{tackline}:meta", "count", "deleted", "run", "base", "eras", "lost");
      if (deleted) await program.command("DEL", "{tackline}:stream");
      const node = await Node.open(make!, redis.url);
      assertEquals([node.journal.last, node.journal.trimmed, node.journal.lost], [2, deleted ? 2 : 0, []]);
      assertEquals(node.messages("ERR_JOURNAL_LOST").length, deleted ? 1 : 0);
      assert((await node.append("333"))[0]! > 2);
      assertEquals(bodies(await node.journal.read(0, 10)), deleted ? ["333"] : ["1", "22", "333"]);
      assertEquals(await sums(program), deleted ? [[3, 1], [3, 1]] : [[6, 3], [6, 3]]);
      await Promise.all([node.close(), program.close()]);
      await redis.stop();
    }
  });

  it("begins with the oldest for a receiver whose place was evicted", () =>
    withNodes(async ([one, other]) => {
      await one!.append("1", "2");
      one!.journal.saveCursor("x", 1);
      await one!.journal.cursor("x");
      await one!.program.command("DEL", "{tackline}:cursor:x");
      assertEquals([await other!.journal.cursor("x"), await other!.journal.cursor("never came")], [0, undefined]);
    }));
});
