/** The backplane in a real Redis cluster, with each cluster client: primaries die, and sharded channels move. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { it } from "@std/testing/bdd";
import { describe as describeError, OptionError } from "../../base/errors.ts";
import type { BackplaneSubscription } from "../../pubsub/backplane.ts";
import { RedisBackplane, type RedisBackplaneOptions } from "../../redis/backplane.ts";
import type { RedisLinkHandler } from "../../redis/link.ts";
import { shardedLinkOpener } from "../../redis/open_link.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { CLIENTS, type ProgramClient, RedisServer } from "../support/redis.ts";
import { CLUSTER_CLIENTS, RedisCluster } from "../support/redis_cluster.ts";
import { repeatUntil, until } from "../support/support.ts";

/** A node with a backplane, and what it was told. */
class Station {
  readonly backplane: RedisBackplane;
  readonly got: string[] = [];
  missed = 0;
  #subscriptions: readonly BackplaneSubscription[];

  constructor(readonly program: ProgramClient, options?: RedisBackplaneOptions, topics: readonly string[] = ["a"]) {
    this.backplane = new RedisBackplane(program.client, options);
    this.backplane.listen({ missed: (count) => void (this.missed += count), error: () => {} });
    const receive = (data: unknown): void => void this.got.push(String(data));
    this.#subscriptions = topics.map((topic) => this.backplane.subscribe(topic, receive));
  }

  get ready(): Promise<unknown> {
    return Promise.all(this.#subscriptions.map(({ ready }) => ready));
  }

  async close(): Promise<void> {
    await this.backplane.close();
    await this.program.close();
  }
}

/** Publishes numbers; returns those that Redis took. */
async function publish(station: Station, from: number, count: number): Promise<string[]> {
  const taken: string[] = [];
  for (let number = from; number < from + count; number++) {
    await station.backplane.publish("a", `${number}`).then(() => taken.push(`${number}`), () => {});
  }
  return taken;
}

describeRedis("RedisBackplane in a cluster", () => {
  for (const [name, make] of CLUSTER_CLIENTS) {
    it(`reaches all nodes in order, before and after each primary has died, with ${name}`, async () => {
      await using cluster = await RedisCluster.start();
      const stations = await Promise.all(
        Array.from({ length: 6 }, async () => new Station(await make(cluster.urls))),
      );
      const [publisher, ...others] = stations as [Station, ...Station[]];
      await Promise.all(stations.map(({ ready }) => ready));
      const before = await publish(publisher, 0, 50);
      assertEquals(before.length, 50);
      for (const { got } of others) await until(() => got.length === 50, "all");
      for (const { got } of others) assertEquals(got, before);
      let from = 1000;
      for (const key of ["a", "foo"]) {
        const dead = await cluster.killOwner(key);
        await Promise.all(stations.map(({ ready }) => ready));
        // The first one to come after a new connection begins a count of its own.
        const probes: string[] = [];
        const isHeard = (): boolean => others.every(({ got }) => probes.some((probe) => got.includes(probe)));
        await repeatUntil(async () => probes.push(...await publish(publisher, from++, 1)), isHeard, "the way back");
        const after = await publish(publisher, from += 1000, 50);
        assertEquals(after.length, 50);
        for (const { got } of others) await until(() => got.includes(after.at(-1)!), "all after the fail-over");
        for (const { got } of others) {
          assertEquals(got.slice(-50), after);
          assertEquals(got, [...new Set(got)].sort((one, other) => Number(one) - Number(other)));
        }
        from += 1000;
        if (key === "foo") break;
        await dead.run();
        await cluster.untilHealthy();
      }
      await Promise.all(stations.map((station) => station.close()));
    });
  }

  for (const [name, make] of CLUSTER_CLIENTS) {
    it(`with sharded channels follows each to another server, and after a fail-over, with ${name}`, async () => {
      await using cluster = await RedisCluster.start();
      const topics = Array.from({ length: 12 }, (_, at) => `topic ${at}`);
      const stations = await Promise.all(Array.from({ length: 3 }, async () => {
        return new Station(await make(cluster.urls), { sharded: true }, topics);
      }));
      const [publisher, ...others] = stations as [Station, ...Station[]];
      await Promise.all(stations.map(({ ready }) => ready));
      const owners = new Set(await Promise.all(topics.map((topic) => cluster.owner(`tackline:${topic}`))));
      assertEquals(owners.size, 3);
      let number = 0;
      /** Publishes on all topics; returns what Redis took. */
      const publishAll = async (): Promise<string[]> => {
        const taken: string[] = [];
        await Promise.all(topics.map(async (topic) => {
          const text = `${topic}: ${number++}`;
          await publisher.backplane.publish(topic, text).then(() => taken.push(text), () => {});
        }));
        return taken;
      };
      const heardByAll = async (): Promise<void> => {
        const taken = await publishAll();
        assertEquals(taken.length, topics.length);
        for (const { got } of others) await until(() => taken.every((text) => got.includes(text)), "all topics");
      };
      await heardByAll();
      const channel = `tackline:${topics[0]}`;
      const left = await cluster.owner(channel);
      await cluster.move(channel, await cluster.other(channel));
      // The subscriptions there are ended by the server, and made again elsewhere.
      let taken: string[] = [];
      const isHeard = (): boolean =>
        taken.length === topics.length && others.every(({ got }) => taken.every((one) => got.includes(one)));
      await repeatUntil(async () => taken = await publishAll(), isHeard, "the moved topic");
      assertEquals(await left.ask("PUBSUB", "SHARDNUMSUB", channel), [channel, 0]);
      await heardByAll();
      taken = [];
      await cluster.killOwner(channel);
      await repeatUntil(async () => taken = await publishAll(), isHeard, "the topics after the fail-over");
      await heardByAll();
      for (const { got } of others) assertEquals(new Set(got).size, got.length);
      await Promise.all(stations.map((station) => station.close()));
    });
  }

  for (const [name, make] of CLUSTER_CLIENTS) {
    it(`notices a sharded channel that moves while the server has yet to answer a command, with ${name}`, async () => {
      await using cluster = await RedisCluster.start([], [0, 0, 0]);
      await using program = await make(cluster.urls);
      const got: string[] = [];
      const reasons: string[] = [];
      const handler: RedisLinkHandler = {
        message: (_, text) => void got.push(text),
        closed: (error) => void reasons.push(describeError(error)),
      };
      const link = await shardedLinkOpener(program.client, "topic")(handler, new AbortController().signal);
      await link.subscribe(["topic"]);
      const to = await cluster.other("topic");
      const [from] = await Promise.all([cluster.owner("topic"), link.send(["ROLE"]).catch(() => {})]);
      const isMade = async (): Promise<boolean> => String(await from.ask("CLIENT", "LIST")).includes(" ssub=1 ");
      await until(isMade, "the subscription");
      // No server has as many replicas, so that it answers after this time.
      const waiting = link.send(["WAIT", "9", "1500"]).catch(() => {});
      await until(async () => String(await from.ask("CLIENT", "LIST")).includes("cmd=wait"), "the command to wait");
      await cluster.move("topic", to);
      await waiting;
      // As the session does every 2 s. The client tells of the move, or the connection ends.
      const isNoticed = (): boolean => reasons.length > 0 || got.length > 0;
      const probe = async (): Promise<unknown> => {
        await link.send(["ROLE"]).catch(() => {});
        return await to.ask("SPUBLISH", "topic", "text");
      };
      await repeatUntil(probe, isNoticed, "the move to be noticed");
      // Where it ends, the session opens another one.
      const ended = / has ended subscriptions, since their channels are elsewhere by now$/;
      for (const reason of reasons) assert(ended.test(reason), reason);
      await link.destroy();
    });
  }

  it("needs a cluster client for sharded channels", async () => {
    await using redis = await RedisServer.start([]);
    for (const make of CLIENTS.values()) {
      await using program = await make(redis.url);
      assertThrows(() => new RedisBackplane(program.client, { sharded: true }), OptionError, 'The setting "sharded"');
      assertThrows(() => new RedisBackplane(() => program.client, { sharded: true }), OptionError, "createCluster of");
    }
  });

  it("reaches nodes at other servers of the cluster, also with clients of one server", async () => {
    await using cluster = await RedisCluster.start();
    for (const make of CLIENTS.values()) {
      const programs = await Promise.all(cluster.urls.slice(0, 3).map(make));
      const stations = programs.map((program) => new Station(program));
      await Promise.all(stations.map(({ ready }) => ready));
      const sent = await publish(stations[0]!, 0, 20);
      for (const { got } of stations.slice(1)) await until(() => got.length === 20, "all");
      for (const { got } of stations.slice(1)) assertEquals(got, sent);
      await Promise.all(stations.map((station) => station.close()));
    }
  });
});
