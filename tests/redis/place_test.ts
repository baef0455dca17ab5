/** The mark of a journal's place: nodes whose clients put different prefixes before its keys. */

import { assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { JournalError } from "../../base/errors.ts";
import type { IoRedisClient, RedisClient } from "../../redis/client.ts";
import { RedisJournal, type RedisJournalOptions } from "../../redis/journal.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { entry } from "../support/journal_entry.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";

/** A client of npm:ioredis that puts a text before its keys. */
function prefixed(program: ProgramClient, keyPrefix: string, more?: object): RedisClient {
  return (program.client as IoRedisClient).duplicate({ lazyConnect: true, keyPrefix, ...more }) as IoRedisClient;
}

/** Opens a journal, keeps a notification unless it is there, and closes it; returns whether it was there. */
async function use(client: RedisClient, text: string, options?: RedisJournalOptions): Promise<boolean> {
  const journal = await RedisJournal.open(client, options);
  try {
    return (await journal.append(entry(text))).duplicate;
  } finally {
    await journal.close();
  }
}

/** Opens a journal that has to be refused. */
async function assertRefused(client: RedisClient, there: string): Promise<void> {
  const error = await assertRejects(() => RedisJournal.open(client)) as JournalError;
  const message =
    `Cannot open the journal in Redis: other nodes with the prefix "{tackline}:" have the journal under "${there}", ` +
    `and this node would make another one: give the client of each node the same "keyPrefix", better none; to keep ` +
    `two journals, put what "keyPrefix" says into "prefix"; to give up the other one, delete its keys and the key ` +
    `"{tackline}:place"`;
  assertEquals([error.code, error.message], ["ERR_JOURNAL_OPEN", message]);
}

describeRedis("The place of a journal", () => {
  const ioRedis = CLIENTS.get("npm:ioredis")!;

  for (const [name, make] of CLIENTS) {
    it(`is the same for a node with ${name}, unless another one has a keyPrefix`, async () => {
      await using redis = await RedisServer.start();
      await using admin = await ioRedis(redis.url);
      await using program = await make(redis.url);
      assertEquals(await use(program.client, "a"), false);
      await assertRefused(prefixed(admin, "x:"), "{tackline}:");
      // A refused node leaves nothing behind.
      const keys = await admin.command("KEYS", "x:*");
      assertEquals([keys, await use(program.client, "a")], [[], true]);

      await admin.command("FLUSHALL");
      assertEquals(await use(prefixed(admin, "x:"), "a"), false);
      await assertRefused(program.client, "x:{tackline}:");
      await assertRefused(prefixed(admin, "y:"), "x:{tackline}:");
      assertEquals(await use(prefixed(admin, "x:"), "a"), true);

      // As the error says.
      const left = await admin.command("KEYS", "x:*") as string[];
      await admin.command("DEL", "{tackline}:place", ...left);
      assertEquals(await use(program.client, "a"), false);
    });
  }

  it("may have a keyPrefix on all nodes, or the same text in its prefix", async () => {
    await using redis = await RedisServer.start();
    await using admin = await ioRedis(redis.url);
    assertEquals(await use(prefixed(admin, "x:"), "a"), false);
    assertEquals(await use(prefixed(admin, "x:"), "a"), true);
    assertEquals(await use(admin.client, "a", { prefix: "x:{tackline}:" }), true);
    assertEquals(await use(prefixed(admin, "x:"), "a"), true);
    // Two services in one database.
    assertEquals(await use(admin.client, "a", { prefix: "y:{tackline}:" }), false);
  });

  it("is known without a mark, too, where an earlier version has made the journal", async () => {
    await using redis = await RedisServer.start();
    await using admin = await ioRedis(redis.url);
    assertEquals(await use(admin.client, "a"), false);
    await admin.command("DEL", "{tackline}:place");
    await assertRefused(prefixed(admin, "x:"), "{tackline}:");
    // Deleted on purpose: the keys of the other one may begin.
    await admin.command("DEL", "{tackline}:meta");
    assertEquals(await use(prefixed(admin, "x:"), "a"), false);
  });

  it("is not marked by a user who may not use the key without keyPrefix, whose journal opens", async () => {
    await using redis = await RedisServer.start();
    await using admin = await ioRedis(redis.url);
    await admin.command("ACL", "SETUSER", "own", "on", ">secret", "~x:*", "&*", "+@all");
    assertEquals(await use(prefixed(admin, "x:", { username: "own", password: "secret" }), "a"), false);
    assertEquals(await admin.command("EXISTS", "{tackline}:place"), 0);
  });
});
