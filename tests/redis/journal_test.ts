/**
 * Several servers with one journal in Redis: who is told what, where receivers go on, and what becomes of it all when
 * something dies.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError, OptionError } from "../../base/errors.ts";
import type { JournalEntry } from "../../journal/journal.ts";
import type { RedisClient } from "../../redis/client.ts";
import { RedisJournal, type RedisJournalOptions } from "../../redis/journal.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { type ClientMaker, CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { decode, FakeClock, repeatUntil, turns, until } from "../support/support.ts";

/** One server's journal, and what it was told. */
class Node {
  readonly told: string[] = [];
  readonly seqs: number[] = [];
  readonly errors: JournalError[] = [];

  constructor(readonly journal: RedisJournal, readonly program: ProgramClient) {
    journal.listen({
      appended: ({ seq, bytes }) => {
        this.told.push(decode(bytes));
        this.seqs.push(seq);
      },
      error: (error) => void this.errors.push(error),
    });
  }

  static async open(make: ClientMaker, redis: RedisServer, options: RedisJournalOptions = {}): Promise<Node> {
    const program = await make(redis.url);
    return new Node(await RedisJournal.open(program.client, options), program);
  }

  async close(): Promise<void> {
    await this.journal.close();
    await this.program.close();
  }
}

async function withNodes(
  make: ClientMaker,
  count: number,
  action: (nodes: Node[], redis: RedisServer) => Promise<void>,
): Promise<void> {
  const redis = await RedisServer.start();
  const nodes = [];
  for (let at = 0; at < count; at++) nodes.push(await Node.open(make, redis));
  await action(nodes, redis);
  await Promise.all(nodes.map((node) => node.close()));
  await redis.stop();
}

const bodies = (entries: readonly JournalEntry[]): string[] => entries.map(({ bytes }) => decode(bytes));

describeRedis("RedisJournal of several servers", () => {
  for (const [name, make] of CLIENTS) {
    describe(name, () => {
      it("tells all servers of every entry, once and in order, from any server", () =>
        withNodes(make, 3, async (nodes) => {
          const sent: Promise<unknown>[] = [];
          for (let at = 0; at < 300; at++) {
            const forward = at % 50 !== 7;
            sent.push(nodes[at % 3]!.journal.append(entry(`${at}`, { forward })));
          }
          await Promise.all(sent);
          await nodes[0]!.journal.append(entry("end"));
          await until(() => nodes.every(({ told }) => told.at(-1) === "end"), "the end at all");
          for (const { told, seqs, journal } of nodes) {
            assertEquals(told, nodes[0]!.told);
            assertEquals(told.length, 295);
            assert(seqs.every((seq, index) => index === 0 || seq > seqs[index - 1]!));
            assertEquals(journal.last, 301);
            assertEquals(journal.id, nodes[0]!.journal.id);
          }
          assertEquals(await nodes[2]!.journal.append(entry("5")), {
            seq: nodes[0]!.seqs[nodes[0]!.told.indexOf("5")],
            duplicate: true,
          });
        }));

      it("continues after a restart with its notifications, numbers, cursors, retries and identity", async () => {
        const redis = await RedisServer.start();
        const first = await Node.open(make, redis);
        const { seq } = await first.journal.append(entry("a"));
        first.journal.saveCursor("billing", seq);
        await first.close();
        await redis.kill();
        await redis.run();
        const second = await Node.open(make, redis);
        assertEquals([second.journal.id, second.journal.last], [first.journal.id, seq]);
        assertEquals(await second.journal.cursor("billing"), seq);
        assertEquals(bodies(await second.journal.read(0, 10)), ["a"]);
        assertEquals(await second.journal.append(entry("a")), { seq, duplicate: true });
        assert((await second.journal.append(entry("b"))).seq > seq);
        assertEquals(second.journal.durability, "always");
        await second.close();
        await redis.stop();
      });

      it("loses no accepted notification when Redis is killed meanwhile", async () => {
        const redis = await RedisServer.start();
        const [one, other] = [await Node.open(make, redis), await Node.open(make, redis)];
        const taken = new Set<string>();
        const refused: JournalError[] = [];
        let going = true;
        const feed = async (node: Node, mark: string): Promise<void> => {
          for (let at = 0; going; at++) {
            const body = `${mark}${at}`;
            await node.journal.append(entry(body)).then(() => taken.add(body), (error) => refused.push(error));
            await turns();
          }
        };
        const feeding = [feed(one, "x"), feed(other, "y")];
        for (let turn = 0; turn < 3; turn++) {
          const before = taken.size;
          await until(() => taken.size > before + 50, "some notifications");
          await redis.kill();
          await until(() => refused.length > 0, "a refusal");
          refused.length = 0;
          await redis.run();
        }
        const back = ({ errors }: Node): boolean => errors.at(-1)?.message.startsWith("Redis is there again") === true;
        await until(() => back(one) && back(other), "both to be back");
        const before = taken.size;
        await until(() => taken.size > before + 10, "notifications after the last restart");
        going = false;
        await Promise.all(feeding);
        const kept = new Set<string>();
        for (let after = 0;;) {
          // It may notice just now that Redis was away.
          let entries: JournalEntry[] | undefined;
          await repeatUntil(
            async () => entries = await one.journal.read(after, 100).catch(() => undefined),
            () => entries !== undefined,
            "the entries",
          );
          if (entries!.length === 0) break;
          after = entries!.at(-1)!.seq;
          for (const body of bodies(entries!)) kept.add(body);
        }
        assertEquals([...taken].filter((body) => !kept.has(body)), []);
        // And both were told of it.
        for (const { told } of [one, other]) {
          await until(() => [...taken].every((body) => told.includes(body)), "all at both");
          assertEquals(new Set(told).size, told.length);
        }
        assertEquals(new Set(one.errors.map(({ code }) => code)), new Set(["ERR_JOURNAL_AWAY"]));
        await Promise.all([one.close(), other.close()]);
        await redis.stop();
      });

      it("says why Redis is away, and when it is back why it was", () =>
        withNodes(make, 1, async ([node], redis) => {
          // A farewell in good order is no error to some clients.
          await redis.kill();
          await until(() => node!.errors.length > 0, "the bad news");
          await redis.run();
          // What it was writing just then fails as well.
          const told = (start: string): string | undefined =>
            node!.errors.map(({ message }) => message).find((message) => message.startsWith(start));
          await until(() => told("Redis is there again") !== undefined, "both");
          const [away, back] = [told("Redis is away") ?? "", told("Redis is there again")!];
          const why = /^Redis is away: (.*)$/.exec(away)![1]!;
          assert(why.length > 5 && !why.includes("undefined") && !why.includes("null"), away);
          assertEquals(back.replace(/[0-9.]+ s/, "N s"), `Redis is there again after N s; it was away: ${why}`);
        }));

      it("lets receivers share a cursor over all servers", () =>
        withNodes(make, 2, async ([one, other]) => {
          for (let at = 1; at <= 10; at++) await one!.journal.append(entry(`${at}`));
          let woken = 0;
          const here = one!.journal.share("billing", 2, "all", () => woken++);
          const there = other!.journal.share("billing", 2, "all", () => {});
          const first = await here.take(3);
          const second = await there.take(3);
          assertEquals([bodies(first.new), bodies(first.again), bodies(second.new)], [["3", "4", "5"], [], [
            "6",
            "7",
            "8",
          ]]);
          here.acknowledge([3]);
          // What the one had not done goes to the other, when its receivers leave.
          here.leave();
          let taken = await there.take(10);
          await until(async () => {
            if (taken.again.length === 0) taken = await there.take(10);
            return taken.again.length > 0;
          }, "what the one had not done");
          assertEquals(bodies(taken.again), ["4", "5"]);
          there.acknowledge([4, 5, 6, 7, 8, 9, 10]);
          assertEquals(await other!.journal.cursor("billing"), 10);
          assert(woken >= 0);
          assertEquals((await there.take(10)).new, []);
        }));
    });
  }

  const [make] = CLIENTS.values();

  it("hands over entries taken by a server that died", async () => {
    const redis = await RedisServer.start();
    const [one, other] = [await Node.open(make!, redis), await Node.open(make!, redis)];
    await one.journal.append(entry("a"));
    const [here, there] = [one.journal.share("x", 0, "", () => {}), other.journal.share("x", 0, "", () => {})];
    assertEquals(bodies((await here.take(1)).new), ["a"]);
    assertEquals(await there.take(1), { again: [], new: [], gaps: [] });
    // Its last sign expires at once, as if it had been killed long ago.
    const keys = await other.program.command("KEYS", "{tackline}:node:*") as string[];
    assertEquals(keys.length, 2);
    for (const key of keys) await other.program.command("DEL", key);
    assertEquals(bodies((await there.take(5)).again), ["a"]);
    await Promise.all([one.close(), other.close()]);
    await redis.stop();
  });

  it("lets a receiver continue at another server, with all it had not acknowledged anywhere", () =>
    withNodes(make!, 3, async ([one, two, three]) => {
      for (let at = 1; at <= 9; at++) await one!.journal.append(entry(`${at}`));
      // From its first word on it is known everywhere.
      one!.journal.saveCursor("new", 2);
      await one!.journal.has(entry("1").digest);
      assertEquals(await two!.journal.cursor("new"), 2);
      // It moves: from 4 on one server to 6 on the next.
      one!.journal.saveCursor("mover", 4);
      one!.journal.release("mover");
      // What one server asks for comes behind what it has said; another one could be first.
      await one!.journal.has(entry("1").digest);
      assertEquals(await two!.journal.cursor("mover"), 4);
      two!.journal.saveCursor("mover", 4);
      two!.journal.saveCursor("mover", 6);
      // Asking writes what is not written yet.
      assertEquals(await two!.journal.cursor("mover"), 6);
      assertEquals(await three!.journal.cursor("mover"), 6);
      // A late word of the first server changes nothing.
      two!.journal.release("mover");
      assertEquals(await three!.journal.cursor("mover"), 6);

      // Two connections of one name on two servers: the one that is behind counts.
      one!.journal.saveCursor("both", 3);
      await one!.journal.cursor("both");
      assertEquals(await two!.journal.cursor("both"), 3);
      two!.journal.saveCursor("both", 3);
      two!.journal.saveCursor("both", 8);
      assertEquals(await two!.journal.cursor("both"), 3);
      assertEquals(await three!.journal.cursor("both"), 3);
      // It leaves where it was behind; who came after it began there.
      one!.journal.release("both");
      assertEquals(await one!.journal.cursor("both"), 8);
      assertEquals(await three!.journal.cursor("both"), 8);
      one!.journal.saveCursor("third", 2);
      assertEquals(await one!.journal.cursor("third"), 2);
      two!.journal.saveCursor("third", 5);
      await two!.journal.cursor("third");
      // No node covers the numbers between.
      one!.journal.release("third");
      await one!.journal.cursor("third");
      assertEquals(await three!.journal.cursor("third"), 2);
      three!.journal.saveCursor("third", 2);
      three!.journal.saveCursor("third", 7);
      await three!.journal.cursor("third");
      assertEquals(await one!.journal.cursor("third"), 5);
    }));

  it("reports data that Redis has lost, and gives no number twice", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const node = await Node.open(make!, redis);
    assertEquals(node.journal.durability, "no");
    const { seq } = await node.journal.append(entry("a"));
    await node.journal.append(entry("b"));
    await redis.kill();
    await until(() => node.errors.length > 0, "the bad news");
    await redis.run();
    await until(() => node.errors.some(({ code }) => code === "ERR_JOURNAL_LOST"), "what was lost");
    let after = 0;
    await until(() => {
      node.journal.append(entry("c")).then((appended) => after = appended.seq, () => {});
      return after > 0;
    }, "a notification after the restart");
    assert(after > seq + 1, `${after}`);
    const lost = node.errors.find(({ code }) => code === "ERR_JOURNAL_LOST");
    assertStringIncludes(lost!.message, "Redis has forgotten the notifications 1 to 2: ");
    await node.close();
    await redis.stop();
  });

  it("takes nothing into a journal that has become another one", async () => {
    const redis = await RedisServer.start();
    const node = await Node.open(make!, redis);
    await node.program.command("HSET", "{tackline}:meta", "id", "somebody else's");
    const error = await assertRejects(
      () => node.journal.append(entry("a")),
      JournalError,
      "Redis has another journal now",
    );
    assertEquals(error.code, "ERR_JOURNAL_REPLACED");
    await node.close();
    await redis.stop();
  });

  it("waits for replicas, if it is asked to", async () => {
    // A primary waits for five seconds whether other replicas come, unless it is told not to.
    const options = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
    const primary = await RedisServer.start(options);
    const replica = await RedisServer.start(["--replicaof", "127.0.0.1", `${primary.port}`]);
    const node = await Node.open(make!, primary, { replicas: 1, replicaTimeout: 300 });
    await until(() => node.journal.append(entry("a")).then(() => true, () => false), "the replica");
    await replica.kill();
    const error = await assertRejects(() => node.journal.append(entry("b")), JournalError, "0 of 1 replicas");
    assertEquals(error.code, "ERR_JOURNAL_WRITE");
    // The retry is known, and not safe either.
    await assertRejects(() => node.journal.append(entry("b")), JournalError, "0 of 1 replicas");
    await node.close();
    await Promise.all([primary.stop(), replica.stop()]);
  });

  it("reports once acknowledgements that cannot be written, and writes them later", async () => {
    const redis = await RedisServer.start();
    const admin = await make!(redis.url);
    await admin.command("ACL", "SETUSER", "node", "on", "nopass", "+@all", "~*");
    const program = await make!(redis.url.replace("://", "://node:x@"));
    const node = new Node(await RedisJournal.open(program.client), program);
    for (const body of ["a", "b"]) await node.journal.append(entry(body));
    const place = node.journal.share("x", 0, "", () => {});
    assertEquals(bodies((await place.take(2)).new), ["a", "b"]);
    await admin.command("ACL", "SETUSER", "node", "-xack");
    place.acknowledge([1]);
    await until(() => node.errors.length > 0, "the bad news");
    place.acknowledge([2]);
    assertEquals(await node.journal.cursor("x"), 0);
    assertEquals(node.errors.map(({ code }) => code), ["ERR_JOURNAL_WRITE"]);
    await admin.command("ACL", "SETUSER", "node", "+xack");
    place.acknowledge([]);
    await node.journal.cursor("x");
    assertEquals(await node.journal.cursor("x"), 2);
    await Promise.all([node.close(), admin.close()]);
    await redis.stop();
  });

  it("cannot be opened without Redis, or with something else", async () => {
    const redis = await RedisServer.start();
    const program = await make!(redis.url);
    await program.command("SET", "{tackline}:meta", "a text");
    const error = await assertRejects(() => RedisJournal.open(program.client), JournalError, "Cannot open the journal");
    assertEquals(error.code, "ERR_JOURNAL_OPEN");
    await assertRejects(() => RedisJournal.open({} as RedisClient), OptionError, "npm:redis");
    const promised = Promise.resolve(program.client) as unknown as RedisClient;
    await assertRejects(() => RedisJournal.open(promised), OptionError, "(a promise): give ");
    const Made = RedisJournal as unknown as new (client: unknown) => RedisJournal;
    assertThrows(() => new Made(program.client), OptionError, "await RedisJournal.open(client)");
    await assertRejects(() => RedisJournal.open(program.client, { replicas: -1 }), OptionError, "replicas");
    await assertRejects(() => RedisJournal.open(program.client, { maxBytes: 5 }), OptionError, "maxBytes");
    assertThrows(
      () => {
        throw error;
      },
      JournalError,
      "WRONGTYPE",
    );
    await program.close();
    await redis.stop();
  });

  it("keeps cursors that move while Redis is away", async () => {
    const redis = await RedisServer.start();
    const node = await Node.open(make!, redis);
    await redis.kill();
    await until(() => node.errors.length > 0, "the bad news");
    node.journal.saveCursor("billing", 5);
    await assertRejects(() => node.journal.cursor("billing"), JournalError, "Redis is away");
    await assertRejects(() => node.journal.has(entry("a").digest), JournalError, "Redis is away");
    await redis.run();
    await until(() => node.errors.at(-1)?.message.startsWith("Redis is there again") === true, "the good news");
    const other = await Node.open(make!, redis);
    await until(async () => await other.journal.cursor("billing") === 5, "the cursor");
    await Promise.all([node.close(), other.close()]);
    await redis.stop();
  });

  it("refuses receivers of one name that want something else, while the others are there", () =>
    withNodes(make!, 2, async ([one, other]) => {
      for (let at = 1; at <= 4; at++) await one!.journal.append(entry(`${at}`));
      const here = one!.journal.share("x", 0, "messages", () => {});
      assertEquals(bodies((await here.take(1)).new), ["1"]);
      const there = other!.journal.share("x", 0, "everything", () => {});
      const error = await assertRejects(() => there.take(1), JournalError, 'named "x" on another server');
      assertEquals(error.code, "ERR_JOURNAL_CONFLICT");
      here.leave();
      let taken: JournalEntry[] = [];
      await until(async () => {
        taken = await there.take(1).then(({ again }) => [...again], () => []);
        return taken.length > 0;
      }, "the end of the first");
      assertEquals(bodies(taken), ["1"]);
    }));

  it("ends even if Redis has lost data or dies meanwhile", async () => {
    for (const trouble of ["FLUSHALL", "death"]) {
      const redis = await RedisServer.start();
      const node = await Node.open(make!, redis);
      await node.journal.append(entry("a"));
      const place = node.journal.share("x", 0, "", () => {});
      const { seq } = (await place.take(1)).new[0]!;
      if (trouble === "FLUSHALL") await node.program.command("FLUSHALL");
      else redis.freeze(true);
      place.acknowledge([seq]);
      const closed = node.journal.close();
      if (trouble === "death") await redis.kill();
      await closed;
      await node.program.close();
      await redis.stop();
    }
  });

  it("reads on while it waits for replicas that do not come", async () => {
    const redis = await RedisServer.start();
    const node = await Node.open(make!, redis, { replicas: 1, replicaTimeout: 1000 });
    const begun = performance.now();
    let settled = 0;
    const appended = Array.from(
      { length: 20 },
      (_, at) => node.journal.append(entry(`${at}`)).finally(() => settled++),
    );
    const all = Promise.allSettled(appended);
    for (let turn = 0; turn < 5; turn++) await node.journal.read(0, 10);
    assertEquals(settled, 0);
    const results = await all;
    const took = performance.now() - begun;
    assert(results.every(({ status }) => status === "rejected"));
    // One wait covers them all: the first begins with the first of them, another one with the last. One by one, it were
    // 20 s.
    assert(took < 10_000, `${took} ms`);
    assertEquals(node.errors, []);
    await node.close();
    await redis.stop();
  });

  it("tells all nodes of entries appended after Redis lost data, also nodes that knew more", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const one = await Node.open(make!, redis);
    for (let at = 1; at <= 10; at++) await one.journal.append(entry(`${at}`));
    await redis.kill();
    await until(() => one.errors.length > 0, "the bad news");
    await redis.run();
    await until(() => one.errors.at(-1)?.message.startsWith("Redis is there again") === true, "the good news");
    assert(one.errors.some(({ code }) => code === "ERR_JOURNAL_LOST"));
    const other = await Node.open(make!, redis);
    for (let at = 1; at <= 5; at++) await other.journal.append(entry(`new ${at}`));
    await until(() => one.told.at(-1) === "new 5", "the new ones");
    assertEquals(one.told.slice(10), [1, 2, 3, 4, 5].map((at) => `new ${at}`));
    assertEquals(one.journal.id, other.journal.id);
    await Promise.all([one.close(), other.close()]);
    await redis.stop();
  });

  it("reports another journal found after a reconnect", async () => {
    const redis = await RedisServer.start(["--appendonly", "no"]);
    const node = await Node.open(make!, redis);
    await node.journal.append(entry("a"));
    await node.program.command("FLUSHALL");
    const stranger = await Node.open(make!, redis);
    await stranger.program.command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal");
    await until(() => node.errors.some(({ code }) => code === "ERR_JOURNAL_REPLACED"), "the news");
    await assertRejects(() => node.journal.append(entry("b")), JournalError, "Redis has another journal now");
    await Promise.all([node.close(), stranger.close()]);
    await redis.stop();
  });

  it("forgets where a dead server was, once others have gone on from there", () =>
    withNodes(make!, 2, async ([one, other]) => {
      await one!.program.command("HSET", "{tackline}:cursor:mover", "dead", "3 10");
      await one!.program.command("SET", "{tackline}:node:dead", "1");
      assertEquals(await one!.journal.cursor("mover"), 10);
      one!.journal.saveCursor("mover", 10);
      one!.journal.saveCursor("mover", 900);
      // It may live still.
      assertEquals([await one!.journal.cursor("mover"), await other!.journal.cursor("mover")], [10, 10]);
      await one!.program.command("DEL", "{tackline}:node:dead");
      one!.journal.saveCursor("mover", 1000);
      assertEquals([await one!.journal.cursor("mover"), await other!.journal.cursor("mover")], [1000, 1000]);
    }));

  it("can be read, and made smaller, when Redis has no memory left", () =>
    withNodes(make!, 1, async ([node]) => {
      const { seq } = await node!.journal.append(entry("a"));
      const place = node!.journal.share("x", 0, "", () => {});
      await place.take(1);
      await node!.program.command("CONFIG", "SET", "maxmemory", "1");
      const error = await assertRejects(() => node!.journal.append(entry("b")), JournalError, "OOM");
      assertEquals(error.code, "ERR_JOURNAL_WRITE");
      await node!.program.command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal");
      await until(() => node!.journal.read(0, 5).then(() => true, () => false), "the connection");
      assertEquals(bodies(await node!.journal.read(0, 5)), ["a"]);
      place.acknowledge([seq]);
      node!.journal.saveCursor("y", seq);
      assertEquals(await node!.journal.cursor("y"), seq);
      await node!.program.command("CONFIG", "SET", "maxmemory", "0").catch(() => {});
    }));

  it("reports entries removed before delivery once to receivers that share a cursor", async () => {
    const redis = await RedisServer.start();
    const clock = new FakeClock();
    const node = await Node.open(make!, redis, { maxAge: 1000, clock });
    const place = node.journal.share("x", 0, "", () => {});
    await node.journal.append(entry("old"));
    clock.advance(600_000);
    assertEquals((await place.take(5)).gaps, [{ after: 0, until: 1 }]);
    assertEquals((await place.take(5)).gaps, []);
    await node.journal.append(entry("young"));
    assertEquals(bodies((await place.take(5)).new), ["young"]);
    await node.close();
    await redis.stop();
  });

  it("continues with a name that was shared, then not, then shared again", () =>
    withNodes(make!, 2, async ([one, other]) => {
      for (let at = 1; at <= 6; at++) await one!.journal.append(entry(`${at}`));
      const here = one!.journal.share("x", 0, "", () => {});
      assertEquals(bodies((await here.take(2)).new), ["1", "2"]);
      other!.journal.saveCursor("x", 5);
      assertEquals(await other!.journal.cursor("x"), 5);
      const there = other!.journal.share("x", 5, "", () => {});
      assertEquals(bodies((await there.take(2)).new), ["3", "4"]);
      assertEquals(bodies((await here.take(9)).new), ["5", "6"]);
    }));
});
