import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { OptionError, StateError } from "../../base/errors.ts";
import { type WebSocketConnection, WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { Topics, type TopicWatcher } from "../../pubsub/topics.ts";
import { pipe, until } from "../support/support.ts";

/** A server, and a way to connect to it in memory. */
class Room {
  readonly server: WebSocketServer;
  readonly connections: WebSocketConnection[] = [];
  readonly clients: WebSocketClient[] = [];
  readonly received: (string | Uint8Array)[][] = [];

  constructor(options: WebSocketServerOptions = {}) {
    this.server = new WebSocketServer({
      onHandshakeResponseSent: (connection) => void this.connections.push(connection),
      ...options,
    });
  }

  async connect(count: number, compression = false): Promise<void> {
    for (let at = 0; at < count; at++) {
      const [ours, theirs] = pipe();
      const received: (string | Uint8Array)[] = [];
      const take = (data: string | Uint8Array): void => void received.push(data);
      const client = new WebSocketClient("ws://test/", {
        compression,
        onMessageReceived: take,
        onBinaryDataReceived: take,
      });
      this.server.acceptStream(theirs);
      await client.connect({ stream: ours });
      this.clients.push(client);
      this.received.push(received);
    }
  }

  async stop(): Promise<void> {
    await this.server.disconnectClients(() => true);
    await Promise.all(this.clients.map((client) => client.disconnect()));
  }
}

/** Says what it was told. */
function logWatcher(): { watcher: TopicWatcher; log: string[] } {
  const log: string[] = [];
  return {
    log,
    watcher: {
      begun: (topic) => void log.push(`+${topic}`),
      ended: (topic) => void log.push(`-${topic}`),
      ready: () => Promise.resolve(),
    },
  };
}

describe("Topics", () => {
  it("reports the first subscriber and the end of the last, and forgets both", () => {
    const { watcher, log } = logWatcher();
    const topics = new Topics<object>(watcher, () => 0);
    const [one, two] = [{}, {}];
    topics.subscribe(one, "a");
    topics.subscribe(one, "a");
    topics.subscribe(two, "a");
    topics.subscribe(two, "b");
    assertEquals(log, ["+a", "+b"]);
    assertEquals([...topics.subscribers("a")], [one, two]);
    assertEquals([[...topics.of(one)], [...topics.of(two)]], [["a"], ["a", "b"]]);
    assertEquals([topics.unsubscribe(one, "a"), topics.unsubscribe(one, "a"), topics.unsubscribe(one, "b")], [
      true,
      false,
      false,
    ]);
    topics.leave(one);
    assertEquals(log.splice(0), ["+a", "+b"]);
    topics.leave(two);
    topics.leave(two);
    assertEquals(log, ["-a", "-b"]);
    assertEquals([topics.subscribers("a").size, topics.of(two).size], [0, 0]);
  });

  it("takes names that are names of prototypes", () => {
    const { watcher, log } = logWatcher();
    const topics = new Topics<object>(watcher, () => 0);
    const one = {};
    const names = ["__proto__", "constructor", "*", "#", " "];
    for (const name of names) topics.subscribe(one, name);
    assertEquals([[...topics.of(one)], log], [names, names.map((name) => `+${name}`)]);
  });

  it("refuses names that are out of range, and more topics than maxTopics", () => {
    const topics = new Topics<object>(logWatcher().watcher, () => 2);
    const one = {};
    for (const name of ["", "x".repeat(1025), 5 as unknown as string]) {
      assertThrows(() => topics.subscribe(one, name), OptionError, "topic");
    }
    topics.subscribe(one, "x".repeat(1024));
    topics.subscribe(one, "b");
    const error = assertThrows(() => topics.subscribe(one, "c"), StateError, '"maxTopics" is 2');
    assertEquals(error.code, "ERR_TOO_MANY_TOPICS");
    topics.subscribe(one, "b");
    topics.unsubscribe(one, "b");
    topics.subscribe(one, "c");
    topics.subscribe({}, "b");
    assertEquals([...topics.of(one)].map(({ length }) => length), [1024, 1]);
  });
});

describe("WebSocketServer.publish", () => {
  it("reaches subscribers only, with text and bytes, in order", async () => {
    const room = new Room();
    await room.connect(3);
    const [one, two] = room.connections;
    one!.subscribe("news");
    two!.subscribe("news");
    two!.subscribe("sport");
    assertEquals([room.server.subscriberCount("news"), room.server.subscriberCount("none")], [2, 0]);
    assertEquals(room.server.publish("news", "a"), 2);
    assertEquals(room.server.publish("sport", new Uint8Array([1, 2])), 1);
    assertEquals(room.server.publish("none", "nobody"), 0);
    assertEquals(room.server.publish("news", "b", { except: two }), 1);
    assertEquals(one!.unsubscribe("news"), true);
    assertEquals(room.server.publish("news", "c"), 1);
    room.server.broadcastMessage("end");
    await until(() => room.received.every((messages) => messages.at(-1) === "end"), "the end at all");
    assertEquals(room.received, [["a", "b", "end"], ["a", new Uint8Array([1, 2]), "c", "end"], ["end"]]);
    await room.stop();
  });

  it("encodes and compresses once for all", async () => {
    const room = new Room({ compression: true });
    await room.connect(5, true);
    for (const connection of room.connections) connection.subscribe("news");
    const text = "the same again and again ".repeat(200);
    assertEquals(room.server.publish("news", text), 5);
    await until(() => room.received.every(([message]) => message === text), "the text at all");
    const { deflated } = room.server.stats();
    assertEquals(deflated.plain, text.length);
    assert(deflated.compressed < text.length / 10);
    await room.stop();
  });

  it("forgets connections that end, and skips those that are closing", async () => {
    const room = new Room();
    await room.connect(2);
    const [one, two] = room.connections;
    one!.subscribe("news");
    two!.subscribe("news");
    const closed = one!.close(1000);
    assertEquals(room.server.publish("news", "a"), 1);
    assertEquals(assertThrows(() => one!.subscribe("more"), StateError, "Cannot subscribe").code, "ERR_NOT_OPEN");
    await closed;
    assertEquals([room.server.subscriberCount("news"), one!.topics.size, two!.topics.size], [1, 0, 1]);
    assertEquals(one!.unsubscribe("news"), false);
    await room.stop();
    assertEquals(room.server.subscriberCount("news"), 0);
  });

  it("knows of subscriptions made before the handshake is done", async () => {
    const room = new Room({
      onAllow: (connection) => {
        connection.subscribe("news");
        assertEquals(room.server.publish("news", "too early"), 0);
        return true;
      },
    });
    await room.connect(1);
    assertEquals(room.server.publish("news", "a"), 1);
    await until(() => room.received[0]!.length > 0, "a message");
    assertEquals(room.received[0], ["a"]);
    await room.stop();
  });

  it("forgets refused connections", async () => {
    const { server } = new Room({
      onAllow: (connection) => {
        connection.subscribe("news");
        return false;
      },
    });
    const [ours, theirs] = pipe();
    const client = new WebSocketClient("ws://test/");
    const accepted = server.acceptStream(theirs);
    await client.connect({ stream: ours }).catch(() => {});
    await accepted.closed;
    assertEquals(server.subscriberCount("news"), 0);
  });

  it("refuses data other than text or bytes, and topics without a name", () => {
    const server = new WebSocketServer();
    assertThrows(() => server.publish("", "a"), OptionError, "topic");
    assertThrows(() => server.publish("a", 5 as unknown as string), OptionError, "Cannot publish");
    assertThrows(() => server.publish(undefined as unknown as string, "a"), OptionError, "topic");
  });

  it("honours maxTopics", async () => {
    const room = new Room({ maxTopics: 1 });
    await room.connect(1);
    room.connections[0]!.subscribe("a");
    assertThrows(() => room.connections[0]!.subscribe("b"), StateError, "maxTopics");
    await room.stop();
  });
});
