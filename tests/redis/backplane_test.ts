/** Live messages when Redis disconnects and returns: with each client, against a real one. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { BackplaneError } from "../../base/errors.ts";
import { RedisBackplane, type RedisBackplaneOptions } from "../../redis/backplane.ts";
import { linkOpener } from "../../redis/open_link.ts";
import { RedisSession } from "../../redis/session.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { type ClientMaker, CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { cpuTime, FakeClock, QuickClock, repeatUntil, turns, until } from "../support/support.ts";

/** A node with a program's client, and what it said. */
class Node {
  readonly backplane: RedisBackplane;
  readonly got: string[] = [];
  readonly codes: string[] = [];
  readonly messages: string[] = [];
  missed = 0;

  constructor(readonly program: ProgramClient, options?: RedisBackplaneOptions) {
    this.backplane = new RedisBackplane(program.client, options);
    this.backplane.listen({
      missed: (count) => this.missed += count,
      error: ({ code, message }: BackplaneError) => {
        this.codes.push(code);
        this.messages.push(message);
      },
    });
  }

  static async start(make: ClientMaker, url: string, options?: RedisBackplaneOptions): Promise<Node> {
    const node = new Node(await make(url), options);
    await node.listen("a");
    return node;
  }

  listen(channel: string): Promise<void> {
    return this.backplane.subscribe(channel, (data) => void this.got.push(String(data))).ready;
  }

  async stop(): Promise<void> {
    await this.backplane.close();
    await this.program.close();
  }
}

/** IDs of the connections to Redis, other than that of a program. */
async function connections(program: ProgramClient): Promise<string[]> {
  const own = String(await program.command("CLIENT", "ID"));
  const list = String(await program.command("CLIENT", "LIST"));
  return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id!).filter((id) => id !== own);
}

/** Number of subscribers of a channel. */
async function subscribers(program: ProgramClient, channel: string): Promise<number> {
  const answer = await program.command("PUBSUB", "NUMSUB", `tackline:${channel}`);
  return Number(Array.isArray(answer) ? answer[1] : Object.values(answer as object)[0]);
}

/** Alone on a machine a node is back within 2 s; one that is busy may take longer, in ms. */
const SOON = 6000;

/** Publishes until one arrives; returns how long that took, in ms. */
async function untilOneArrives(from: Node, to: Node): Promise<number> {
  const begun = performance.now();
  const before = to.got.length;
  const publish = (attempt: number): void => void from.backplane.publish("a", `again ${attempt}`).catch(() => {});
  await repeatUntil(publish, () => to.got.length > before, "one that arrives", 10_000);
  return performance.now() - begun;
}

describeRedis("RedisBackplane when Redis fails", () => {
  for (const [name, make] of CLIENTS) {
    describe(name, () => {
      it("is back soon after a restart, and reports lost messages", async () => {
        const redis = await RedisServer.start([]);
        const [one, other] = [await Node.start(make, redis.url), await Node.start(make, redis.url)];
        await one.backplane.publish("a", "before");
        await until(() => other.got.length === 1, "the first");
        await redis.kill();
        await until(() => one.codes.length > 0 && other.codes.length > 0, "both to notice");
        let lost = 0;
        for (let at = 0; at < 5; at++) {
          await one.backplane.publish("a", "lost").catch(({ code }) => {
            assertEquals(code, "ERR_BACKPLANE_LOST");
            lost++;
          });
        }
        assertEquals(lost, 5);
        await redis.run();
        const took = await untilOneArrives(one, other);
        assert(took < SOON, `it took ${took} ms`);
        const good = ({ messages }: Node): string | undefined =>
          messages.find((message) => message.startsWith("Redis is there again after "));
        await until(() => good(one) !== undefined && good(other) !== undefined, "the good news");
        const back = good(other)!;
        assert(back.includes(" s; it was away: "), other.messages.join("\n"));
        assert(!other.messages.some((message) => message.includes("undefined")), other.messages.join("\n"));
        assert(other.missed >= 5, `${other.missed} missed`);
        assertEquals(other.codes.filter((code) => code === "ERR_BACKPLANE_MISSED").length > 0, true);
        assert(!other.got.includes("lost"));
        // A second time, with a longer absence.
        await redis.kill();
        // Real time: the programs' clients back off by timers of their own, up to some seconds.
        await new Promise((resolve) => setTimeout(resolve, 3000));
        await redis.run();
        const again = await untilOneArrives(one, other);
        assert(again < SOON, `it took ${again} ms`);
        await Promise.all([one.stop(), other.stop()]);
        await redis.stop();
      });

      it("reconnects when its connections are killed, with subscriptions made meanwhile", async () => {
        const redis = await RedisServer.start([]);
        const [one, other] = [await Node.start(make, redis.url), await Node.start(make, redis.url)];
        const before = await connections(one.program);
        await one.program.command("CLIENT", "KILL", "SKIPME", "yes");
        const ready = other.listen("b");
        await until(async () => {
          const now = await connections(one.program);
          // The program's client of the other node does not come back.
          return now.length === before.length - 1 && now.every((id) => !before.includes(id));
        }, "new connections");
        await ready;
        await other.listen("a");
        await one.listen("c");
        await one.backplane.publish("b", "on b");
        await until(() => other.got.includes("on b"), "a message on the new channel");
        assertEquals([...one.messages, ...other.messages], []);
        await Promise.all([one.stop(), other.stop()]);
        await redis.stop();
      });

      it("can be created before Redis runs, and closed without it", async () => {
        const redis = await RedisServer.start([]);
        const programs = [await make(redis.url), await make(redis.url)];
        await redis.kill();
        const [one, other] = programs.map((program) => new Node(program));
        const ready = [one!.listen("a"), other!.listen("a")];
        await until(() => one!.codes.length > 0, "the bad news");
        assertEquals(one!.codes, ["ERR_BACKPLANE_AWAY"]);
        await redis.run();
        await Promise.all(ready);
        await one!.backplane.publish("a", "x");
        await until(() => other!.got.length > 0, "a message");
        await redis.kill();
        await Promise.all([one!.stop(), other!.stop()]);
        await redis.stop();
      });

      it("detects a stalled Redis, and keeps at most maxPendingSize for it", async () => {
        const redis = await RedisServer.start([]);
        const node = await Node.start(make, redis.url, { maxPendingSize: 10_000, clock: new QuickClock() });
        redis.freeze(true);
        const text = "x".repeat(1000);
        const results = Array.from(
          { length: 50 },
          () => node.backplane.publish("a", text).then(() => "", ({ message }) => message),
        );
        const full = await Promise.all(results.slice(9));
        assert(full.every((message) => message.includes("wait for Redis already")), full[0]);
        const kept = await Promise.all(results.slice(0, 9));
        assert(kept.every((message) => message.startsWith("Cannot publish")), kept[0]);
        await until(() => node.codes.length > 0, "the bad news");
        assertEquals(node.codes, ["ERR_BACKPLANE_AWAY"]);
        redis.freeze(false);
        await until(() => node.codes.length > 1, "the good news");
        // Nothing is left of the attempts meanwhile: the program's own, and two of ours.
        let clients = "";
        await until(async () => {
          clients = String(await node.program.command("CLIENT", "LIST"));
          return clients.trim().split("\n").length === 3;
        }, "three connections");
        await node.stop();
        await redis.stop();
      });
    });
  }

  it("counts lost messages by the sequence numbers of each sender", async () => {
    const [make] = CLIENTS.values();
    const redis = await RedisServer.start([]);
    const node = await Node.start(make!, redis.url);
    const send = (text: string): Promise<unknown> => node.program.command("PUBLISH", "tackline:a", text);
    for (
      const text of ["x:0:1:t:one", "x:0:2:t:two", "x:0:2:t:twice", "x:0:1:t:late", "x:0:5:t:five", "y:0:9:t:nine"]
    ) await send(text);
    for (const text of ["", "x", "x:0:1", "x:0:1:t", "x:0:1:q:", ":0:1:t:a", "x:0:one:t:a", "x:0:1.5:t:a"]) {
      await send(text);
    }
    await send("x:0:6:b:AQI=");
    await until(() => node.got.at(-1) === "1,2", "the last");
    assertEquals(node.got, ["one", "two", "five", "nine", "1,2"]);
    assertEquals(node.missed, 2);
    assertEquals(node.codes, ["ERR_BACKPLANE_MISSED", ...Array(8).fill("ERR_BACKPLANE_MESSAGE")]);
    assertEquals(node.messages[0], "2 messages of another node have not come; 2 in all");
    await node.stop();
    await redis.stop();
  });

  it("unsubscribes from unused channels, and is ready again only when Redis is", async () => {
    const [make] = CLIENTS.values();
    const redis = await RedisServer.start([]);
    const [node, other] = [await Node.start(make!, redis.url), await Node.start(make!, redis.url)];
    const subscription = node.backplane.subscribe("short", () => {});
    await subscription.ready;
    assertEquals(await subscribers(other.program, "short"), 1);
    subscription.close();
    await until(async () => await subscribers(other.program, "short") === 0, "the end of the subscription");

    await redis.kill();
    await until(() => node.codes.length > 0, "the bad news");
    let ready = false;
    const again = node.listen("a").then(() => ready = true);
    const ended = node.backplane.subscribe("ended", () => {});
    ended.close();
    await ended.ready;
    await assertRejects(() => node.backplane.publish("a", "x"));
    await turns(3);
    assertEquals(ready, false);
    await redis.run();
    await again;
    await Promise.all([node.stop(), other.stop()]);
    await redis.stop();
  });

  it("counts over 10 000 channels without reporting a missed message", async () => {
    const [make] = CLIENTS.values();
    const redis = await RedisServer.start([]);
    const [one, other] = [await Node.start(make!, redis.url), await Node.start(make!, redis.url)];
    for (let at = 0; at < 10_100;) {
      const sent: Promise<void>[] = [];
      // Not all at once: npm:redis gives up a command that has waited for five seconds, as it may on a busy machine.
      for (const end = at + 100; at < end; at++) {
        sent.push(one.backplane.publish(at % 2 === 0 ? "a" : `other ${at}`, `${at}`));
      }
      await Promise.all(sent);
    }
    await until(() => other.got.length === 5050, "all of them");
    assertEquals([other.missed, other.codes, one.got], [0, [], []]);
    await Promise.all([one.stop(), other.stop()]);
    await redis.stop();
  });

  for (const [name, make] of CLIENTS) {
    it(`subscribes to 20 000 channels again within 2 s of its own time, with ${name}`, async () => {
      const redis = await RedisServer.start([]);
      const [one, other] = [await Node.start(make, redis.url), await Node.start(make, redis.url)];
      for (let at = 0; at < 20_000; at += 1000) {
        await Promise.all(Array.from({ length: 1000 }, (_, index) => other.listen(`channel ${at + index}`)));
      }
      const begun = cpuTime();
      await one.program.command("CLIENT", "KILL", "TYPE", "pubsub");
      await until(async () => await subscribers(one.program, "channel 19999") === 1, "the last channel");
      const took = cpuTime() - begun;
      assert(took < 2000, `it took ${took} ms`);
      await untilOneArrives(one, other);
      await Promise.all([one.stop(), other.stop()]);
      await redis.stop();
    });
  }

  it("keeps trying an address where no server listens, and stops when it is closed", async () => {
    const [make] = CLIENTS.values();
    const redis = await RedisServer.start([]);
    const program = await make!(redis.url);
    await redis.stop();
    let failures = 0;
    const clock = new FakeClock();
    const session = new RedisSession(linkOpener(program.client), clock, {
      up: () => Promise.resolve(),
      down: () => failures++,
    });
    await until(() => (clock.advance(1000), failures >= 3), "three attempts");
    await session.close();
    const before = failures;
    clock.advance(600_000);
    await turns();
    assertEquals([failures, clock.pending], [before, 0]);
    await program.close();
  });
});
