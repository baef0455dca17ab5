import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Backplane } from "../../pubsub/backplane.ts";
import { BroadcastChannelBackplane } from "../../pubsub/broadcast_channel.ts";
import { WebSocketClient } from "../../client.ts";
import { BackplaneError, OptionError, StateError } from "../../base/errors.ts";
import { RedisBackplane } from "../../redis/backplane.ts";
import type { RedisClient } from "../../redis/client.ts";
import { WebSocketServer } from "../../server.ts";
import { describeRedis } from "../support/describe_redis.ts";
import { CLIENTS, RedisServer } from "../support/redis.ts";
import { FakeClock, until } from "../support/support.ts";

type Data = string | Uint8Array;
type Closable = Backplane & AsyncDisposable;

/** Registers the tests that every backplane must pass. */
function suite(
  name: string,
  withNodes: (count: number, action: (nodes: Closable[]) => Promise<void>) => Promise<void>,
): void {
  describe(name, () => {
    /** Everybody listens to a channel; what each has got. */
    const listenAll = async (nodes: Backplane[], channel: string): Promise<Data[][]> => {
      const got = nodes.map(() => [] as Data[]);
      const subscriptions = nodes.map((node, at) => node.subscribe(channel, (data) => void got[at]!.push(data)));
      await Promise.all(subscriptions.map(({ ready }) => ready));
      return got;
    };

    it("carries text and bytes to all others as they are, never back", () =>
      withNodes(3, async (nodes) => {
        const got = await listenAll(nodes, "*");
        const messages: Data[] = ["", "ü \0 \ufeff \u{1f600}", ":", "t:b:1:", new Uint8Array(0)];
        messages.push(Uint8Array.from({ length: 256 }, (_, index) => index));
        messages.push(new Uint8Array([9, 9, 1, 2, 9]).subarray(2, 4), "\ufeffbegins with a mark", "end");
        for (const message of messages) await nodes[0]!.publish("*", message);
        await until(() => got[1]!.at(-1) === "end" && got[2]!.at(-1) === "end", "the end at both");
        assertEquals(got, [[], messages, messages]);
      }));

    it("keeps the order of each publisher over all channels", () =>
      withNodes(3, async (nodes) => {
        const got: string[] = [];
        const channels = ["a", "b", "c"];
        const take = (data: Data): void => void got.push(String(data));
        await Promise.all(channels.map((channel) => nodes[2]!.subscribe(channel, take).ready));
        for (let at = 0; at < 300; at++) {
          for (const [from, node] of nodes.slice(0, 2).entries()) void node.publish(channels[at % 3]!, `${from} ${at}`);
        }
        await until(() => got.length === 600, "all of them");
        for (const from of ["0", "1"]) {
          const own = got.filter((text) => text.startsWith(`${from} `));
          assertEquals(own, Array.from({ length: 300 }, (_, at) => `${from} ${at}`));
        }
      }));

    it("delivers nothing without a subscription or after its end", () =>
      withNodes(2, async ([one, other]) => {
        const got: Data[] = [];
        const take = (data: Data): void => void got.push(data);
        const first = other!.subscribe("a", take);
        const second = other!.subscribe("b", take);
        await Promise.all([first.ready, second.ready]);
        await one!.publish("A", "other channel");
        await one!.publish("a", "1");
        await until(() => got.length === 1, "the first");
        first.close();
        first.close();
        await one!.publish("a", "too late");
        await one!.publish("b", "2");
        await until(() => got.length === 2, "the second");
        assertEquals(got, ["1", "2"]);
      }));

    it("can be listened to twice, and again", () =>
      withNodes(2, async ([one, other]) => {
        const got: string[] = [];
        const listen = (mark: string): ReturnType<Backplane["subscribe"]> =>
          other!.subscribe("a", (data) => void got.push(`${mark}${data}`));
        const [x, y] = [listen("x"), listen("y")];
        await Promise.all([x.ready, y.ready]);
        await one!.publish("a", "1");
        await until(() => got.length === 2, "both");
        x.close();
        await one!.publish("a", "2");
        await until(() => got.length === 3, "the one that is left");
        y.close();
        await listen("z").ready;
        await one!.publish("a", "3");
        await until(() => got.length === 4, "the new one");
        assertEquals(got, ["x1", "y1", "y2", "z3"]);
      }));

    it("carries a message of 4 MiB", () =>
      withNodes(2, async ([one, other]) => {
        const [, got] = await listenAll([one!, other!], "a");
        const bytes = new Uint8Array(4 * 1024 * 1024).map((_, index) => index * 7);
        await one!.publish("a", bytes);
        await until(() => got!.length === 1, "it");
        assertEquals(got![0]!.length, bytes.length);
        assert((got![0] as Uint8Array).every((byte, index) => byte === bytes[index]));
      }));

    it("refuses to publish once closed", () =>
      withNodes(2, async ([one]) => {
        const subscription = one!.subscribe("a", () => {});
        await one!.close();
        await one!.close();
        await subscription.ready;
        await one!.subscribe("b", () => {}).ready;
        const error = await assertRejects(() => one!.publish("a", "x"), BackplaneError, "Cannot publish");
        assertEquals(error.code, "ERR_BACKPLANE_LOST");
      }));

    it("connects servers: broadcasts and topics reach the clients of all, exactly once", () =>
      withNodes(3, async (backplanes) => {
        const servers = backplanes.map((backplane) => new WebSocketServer({ ...quiet, backplane }));
        await Promise.all(servers.map((server) => server.start()));
        const clients = await Promise.all(servers.map(connect));
        const subscribed = [0, 2].map((at) => [...servers[at]!.connections][0]!.subscribe("news"));
        await Promise.all(subscribed);
        assertEquals(servers.map((server) => server.subscriberCount("news")), [1, 0, 1]);
        assertEquals(servers[0]!.broadcastMessage("all 1"), 1);
        assertEquals(servers[1]!.publish("news", "news 1"), 0);
        assertEquals(servers[1]!.broadcastData(new Uint8Array([1])), 1);
        assertEquals(servers[0]!.publish("news", "news 2", { except: [...servers[0]!.connections][0] }), 0);
        assertEquals(servers[2]!.sendMessageTo("here only", () => true), 1);
        for (const server of servers) server.broadcastMessage("end");
        const ended = (got: Data[]): boolean => got.filter((data) => data === "end").length === 3;
        await until(() => clients.every(({ got }) => ended(got)), "the end at all");
        const sets = clients.map(({ got }) => got.map(String).filter((data) => data !== "end").sort());
        assertEquals(sets, [
          ["1", "all 1", "news 1"],
          ["1", "all 1"],
          ["1", "all 1", "here only", "news 1", "news 2"],
        ]);
        // One is counted when it is known that others can hear it.
        await until(() => servers[1]!.stats().backplane?.published === 3, "what was published");
        assertEquals(servers[1]!.stats().backplane, { published: 3, received: 3, lost: 0, missed: 0 });
        await Promise.all(clients.map(({ client }) => client.disconnect()));
        await Promise.all(servers.map((server) => server.stop()));
      }));

    it("serves a server that starts again", () =>
      withNodes(2, async ([backplane, other]) => {
        const server = new WebSocketServer({ ...quiet, backplane });
        for (const turn of ["one", "two"]) {
          await server.start();
          const { client, got } = await connect(server);
          await [...server.connections][0]!.subscribe("a");
          await other!.publish("#a", turn);
          await until(() => got.length === 1, "a message");
          assertEquals(got, [turn]);
          await client.disconnect();
          await server.stop();
        }
      }));
  });
}

const quiet = { port: 0, hostname: "127.0.0.1" };

async function connect(server: WebSocketServer): Promise<{ client: WebSocketClient; got: Data[] }> {
  const got: Data[] = [];
  const take = (data: Data): void => void got.push(data);
  const client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, {
    onMessageReceived: take,
    onBinaryDataReceived: take,
  });
  await client.connect();
  await until(() => server.connections.size > 0, "the connection");
  return { client, got };
}

let channels = 0;
suite("BroadcastChannelBackplane", async (count, action) => {
  const name = `test ${channels++}`;
  const nodes = Array.from({ length: count }, () => new BroadcastChannelBackplane(name));
  await action(nodes);
  await Promise.all(nodes.map((node) => node.close()));
});

describeRedis("RedisBackplane", () => {
  for (const [name, make] of CLIENTS) {
    suite(`RedisBackplane with ${name}`, async (count, action) => {
      const redis = await RedisServer.start([]);
      const programs = await Promise.all(Array.from({ length: count }, () => make(redis.url)));
      const nodes = programs.map(({ client }) => new RedisBackplane(client));
      await Promise.all(nodes.map((node) => node.subscribe("there", () => {}).ready));
      await action(nodes);
      await Promise.all(nodes.map((node) => node.close()));
      await Promise.all(programs.map((program) => program.close()));
      await redis.stop();
    });
  }

  it("connects nodes with different clients", async () => {
    const redis = await RedisServer.start([]);
    const programs = await Promise.all([...CLIENTS.values()].map((make) => make(redis.url)));
    const nodes = programs.map(({ client }) => new RedisBackplane(client));
    const got: string[][] = nodes.map(() => []);
    const subscriptions = nodes.map((node, at) => node.subscribe("a", (data) => void got[at]!.push(String(data))));
    await Promise.all(subscriptions.map(({ ready }) => ready));
    for (const [at, node] of nodes.entries()) await node.publish("a", `from ${at}`);
    await until(() => got.every(({ length }) => length === nodes.length - 1), "all at all");
    for (const [at, texts] of got.entries()) {
      assertEquals(texts, nodes.map((_, from) => `from ${from}`).filter((_, from) => from !== at));
    }
    await Promise.all(nodes.map((node) => node.close()));
    await Promise.all(programs.map((program) => program.close()));
    await redis.stop();
  });
});

describe("Backplane of a server", () => {
  it("serves one server at a time", async () => {
    const backplane = new BroadcastChannelBackplane("twice");
    const [one, other] = [new WebSocketServer({ ...quiet, backplane }), new WebSocketServer({ ...quiet, backplane })];
    await one.start();
    const error = await assertRejects(() => other.start(), StateError, "another server uses the backplane");
    assertEquals(error.code, "ERR_RUNNING");
    assertThrows(() => one.backplane = undefined, StateError, "backplane");
    await one.stop();
    await other.start();
    await other.stop();
    await backplane.close();
  });

  it("is left when the port cannot be opened", async () => {
    const backplane = new BroadcastChannelBackplane("no port");
    const one = new WebSocketServer(quiet);
    await one.start();
    const other = new WebSocketServer({ ...quiet, port: one.address!.port, backplane });
    await assertRejects(() => other.start(), Error, "Cannot listen");
    other.port = 0;
    await other.start();
    await Promise.all([one.stop(), other.stop()]);
    await backplane.close();
  });

  it("that never becomes ready does not stop the start; losses are counted and reported once", async () => {
    const clock = new FakeClock();
    const errors: BackplaneError[] = [];
    let fails = true;
    const backplane: Backplane = {
      publish: () => fails ? Promise.reject(new BackplaneError("ERR_BACKPLANE_LOST", "gone")) : Promise.resolve(),
      subscribe: () => ({ ready: new Promise(() => {}), close() {} }),
      listen() {},
      close: () => Promise.resolve(),
    };
    const server = new WebSocketServer({
      ...quiet,
      backplane,
      clock,
      onError: (error) => void errors.push(error as BackplaneError),
    });
    const started = server.start();
    await until(() => clock.pending > 0, "the patience");
    clock.advance(5000);
    await started;
    assertEquals(errors.map(({ code }) => code), ["ERR_BACKPLANE_AWAY"]);
    for (let at = 0; at < 3; at++) server.publish("a", "x");
    await until(() => server.stats().backplane.lost === 3, "three losses");
    fails = false;
    server.broadcastMessage("y");
    await until(() => server.stats().backplane.published === 1, "one that arrives");
    assertEquals(errors.slice(1).map(({ message }) => message), [
      "A message did not reach the other nodes: gone; more may follow it",
      "Messages reach the other nodes again; 3 were lost",
    ]);
    await server.stop();
  });

  it("reports a message too large for its connections", async () => {
    const errors: unknown[] = [];
    const [backplane, other] = [new BroadcastChannelBackplane("large"), new BroadcastChannelBackplane("large")];
    const server = new WebSocketServer({
      ...quiet,
      backplane,
      maxBufferedAmount: 1000,
      onError: (error) => void errors.push(error),
    });
    await server.start();
    const { client } = await connect(server);
    await other.publish("*", "x".repeat(2000));
    await until(() => errors.length > 0, "an error");
    assert(errors[0] instanceof OptionError);
    assertEquals((errors[0] as OptionError).code, "ERR_MESSAGE_EXCEEDS_BUFFER");
    await client.disconnect();
    await server.stop();
    await Promise.all([backplane.close(), other.close()]);
  });

  it("reports a message in an unknown format", async () => {
    const backplane = new BroadcastChannelBackplane("odd");
    const errors: unknown[] = [];
    backplane.listen({ missed() {}, error: ({ code }) => void errors.push(code) });
    const stranger = new BroadcastChannel("tackline:odd");
    for (const odd of [undefined, null, 5, {}, { channel: 5, data: "x" }, { channel: "a", data: {} }]) {
      stranger.postMessage(odd);
    }
    await until(() => errors.length === 6, "the errors");
    assertEquals(new Set(errors), new Set(["ERR_BACKPLANE_MESSAGE"]));
    stranger.close();
    await backplane.close();
  });

  it("accepts supported Redis clients only", () => {
    for (const client of [undefined, {}, new Map(), { duplicate() {} }, { duplicate() {}, nodeClient() {} }]) {
      const error = assertThrows(() => new RedisBackplane(client as unknown as RedisClient), OptionError);
      assert(error.message.startsWith("The Redis client is of no known kind ("), error.message);
      assert(error.message.includes("npm:redis"), error.message);
    }
    // A pool, and createSentinel of version 5, which have all that a single client has.
    for (const more of [{ acquire() {}, release() {} }, { acquire() {} }, { execute() {}, totalClients: 1 }]) {
      const client = { duplicate() {}, call() {}, sendCommand() {}, isReady: true, status: "ready", ...more };
      assertThrows(
        () => new RedisBackplane(client as unknown as RedisClient),
        OptionError,
        "one connection to one Redis",
      );
    }
  });
});
