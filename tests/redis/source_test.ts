/** A function that makes a client for each attempt to connect, with each client. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Clock, systemClock } from "../../base/clock.ts";
import { describe as describeError, JournalError } from "../../base/errors.ts";
import { RedisBackplane } from "../../redis/backplane.ts";
import type { RedisClient } from "../../redis/client.ts";
import { RedisJournal } from "../../redis/journal.ts";
import { linkOpener } from "../../redis/open_link.ts";
import { RedisSession } from "../../redis/session.ts";
import type { RedisSource } from "../../redis/source.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { RedisServer } from "../support/redis.ts";
import { SENTINEL_SOURCES, UNCONNECTED } from "../support/sentinel.ts";
import { QuickClock, until } from "../support/support.ts";

/** Tells whether a client of any kind has ever been connected. */
function isUsed(client: object): boolean {
  const { isOpen, status, connected } = client as { isOpen?: boolean; status?: string; connected?: boolean };
  return isOpen === true || connected === true || (status !== undefined && status !== "wait");
}

/** A session over a source, and the reasons why it was down. */
function watch(source: RedisSource, clock: Clock = systemClock): { session: RedisSession; reasons: string[] } {
  const reasons: string[] = [];
  const session = new RedisSession(linkOpener(source), clock, {
    up: () => Promise.resolve(),
    down: (error) => void reasons.push(describeError(error)),
  });
  return { session, reasons };
}

describeRedis("A function that makes a client", () => {
  for (const [name, make] of UNCONNECTED) {
    describe(name, () => {
      it("is called for each attempt, and leads to the address of its time", async () => {
        await using first = await RedisServer.start([]);
        await using second = await RedisServer.start([]);
        const given: object[] = [];
        let { url } = first;
        const { session, reasons } = watch(async () => {
          const client = await make(url);
          given.push(client);
          return client;
        });
        await session.ready;
        await session.link!.send(["SET", "where", "first"]);
        url = second.url;
        await first.kill();
        await until(() => session.link !== undefined && reasons.length > 0, "the second Redis");
        assertEquals(await session.link!.send(["GET", "where"]), null);
        assertEquals(given.length, reasons.length + 1);
        assertEquals(given.filter(isUsed), []);
        await session.close();
      });

      it("serves a journal and a backplane", async () => {
        await using redis = await RedisServer.start([]);
        const client = await make(redis.url);
        const journal = await RedisJournal.open(() => client);
        assert(journal.id !== "");
        await journal.close();
        const backplane = new RedisBackplane(async () => await make(redis.url));
        await backplane.subscribe("topic", () => {}).ready;
        await backplane.publish("topic", "text");
        await backplane.close();
      });
    });
  }

  it("that fails, or makes something else, counts as a Redis that is away, with the reason", async () => {
    const cases: [() => unknown, string][] = [
      [() => {
        throw new Error("no address at once");
      }, "no address at once"],
      [() => Promise.reject(new Error("no address")), "no address"],
      [() => "redis://:secret@127.0.0.1", 'The Redis client is of no known kind ("redis://'],
      [
        () => ({ acquire() {}, getSentinelNode() {} }),
        "The Redis client is for sentinels (createSentinel of npm:redis): ",
      ],
      [
        () => SENTINEL_SOURCES.get("npm:ioredis")!({ ports: [1] }),
        'The Redis client is for sentinels ("sentinels" of npm:ioredis): ',
      ],
      [() => () => {}, "The Redis client is of no known kind (a function): give "],
    ];
    for (const [source, reason] of cases) {
      const { session, reasons } = watch(source as RedisSource, new QuickClock());
      await until(() => reasons.length > 1, "two attempts");
      for (const one of reasons) assert(one.startsWith(reason) && !one.includes("secret"), one);
      await session.close();
    }
    const failing = (): Promise<RedisClient> => Promise.reject(new Error("no address"));
    const error = await assertRejects(() => RedisJournal.open(failing), JournalError);
    assertEquals(error.message, "Cannot open the journal in Redis: no address");
  });

  it("is not called once the session is closed", async () => {
    let calls = 0;
    const { session } = watch(() => {
      calls++;
      return new Promise(() => {});
    });
    await session.close();
    assertEquals(calls, 0);
  });

  it("that hangs is given up after 5 s, and does not hold up the end", async () => {
    let late: (error: Error) => void = () => {};
    const hanging = (): Promise<RedisClient> => new Promise((_, reject) => late = reject);
    const { session, reasons } = watch(hanging, new QuickClock());
    await until(() => reasons.length > 0, "the first attempt to end");
    assertEquals(reasons[0], "no answer within 5000 ms");
    await session.close();
    // An error that comes later must be handled too.
    late(new Error("too late"));
  });
});
