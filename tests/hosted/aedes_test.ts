/**
 * aedes 1, an MQTT broker, on our entry, with mqtt.js: each quality of service, retained messages, wills, sessions,
 * large payloads, and each way in which a client goes.
 *
 * It cannot be played against `ws` itself: it waits for ever on Deno and Bun (`findings/stream_read_one_chunk.sh`).
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FaultProxy } from "../support/fault_proxy.ts";
import { closeServer, listen, loadHost, nextEvent } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { Random, until } from "../support/support.ts";

describePeer("aedes", "npm:aedes@1.2.0", ([folder]) => {
  const { load, host } = loadHost(folder);

  /** A broker on a server, and clients of it. */
  class Rig {
    readonly #clients: any[] = [];
    readonly #close: () => Promise<void>;

    private constructor(readonly broker: any, readonly port: number, close: () => Promise<void>) {
      this.#close = close;
    }

    static async start(options: object = {}, brokerOptions: object = {}): Promise<Rig> {
      const { Aedes } = await import(pathToFileURL(join(folder!, "aedes.mjs")).href);
      const broker = await Aedes.createBroker(brokerOptions);
      const http = createServer();
      const server = new host.WebSocketServer({
        server: http as any,
        handleProtocols: (protocols) => protocols.has("mqtt") && "mqtt",
        ...options,
      });
      server.on("connection", (socket, request) => broker.handle(host.createWebSocketStream(socket), request));
      return new Rig(broker, await listen(http), async () => {
        await new Promise<void>((resolve) => broker.close(resolve));
        server.close();
        await closeServer(http);
      });
    }

    async connect(options: object = {}, port = this.port): Promise<Client> {
      const { connect } = load("mqtt") as any;
      const mqtt = connect(`ws://127.0.0.1:${port}/mqtt`, { reconnectPeriod: 0, ...options });
      this.#clients.push(mqtt);
      // Made at once: what waits for a session may come together with the answer.
      const client = new Client(mqtt);
      await new Promise<void>((resolve, reject) => {
        mqtt.once("connect", () => resolve());
        mqtt.once("error", reject);
      });
      return client;
    }

    async [Symbol.asyncDispose](): Promise<void> {
      for (const mqtt of this.#clients) await mqtt.endAsync(true);
      await this.#close();
    }
  }

  it("agrees on the subprotocol mqtt, and on none for other programs", async () => {
    await using rig = await Rig.start();
    const agree = async (protocols: string[]): Promise<string> => {
      const socket = new WebSocket(`ws://127.0.0.1:${rig.port}`, protocols);
      await new Promise((resolve) => socket.onopen = resolve);
      const { protocol } = socket;
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
      return protocol;
    };
    assertEquals(await agree(["other", "mqtt"]), "mqtt");
    assertEquals(await agree([]), "");
  });

  for (const perMessageDeflate of [false, true]) {
    const compressed = perMessageDeflate ? ", compressed" : "";
    it(`delivers each quality of service, in order and in all sizes${compressed}`, async () => {
      await using rig = await Rig.start({ perMessageDeflate });
      const [sender, receiver] = [await rig.connect(), await rig.connect()];
      await receiver.mqtt.subscribeAsync("qos/#", { qos: 2 });
      const random = new Random(3);
      for (const qos of [0, 1, 2]) {
        for (const size of [0, 1, 127, 128, 65_536, 1 << 20, 4 << 20]) {
          const payload = random.bytes(size);
          await sender.mqtt.publishAsync(`qos/${qos}`, payload, { qos });
          const message = await receiver.next();
          assertEquals([message.topic, message.qos], [`qos/${qos}`, qos]);
          assertEquals(message.payload, payload);
        }
      }
      const count = 1000;
      for (const qos of [0, 1, 2]) {
        const sent = Array.from(
          { length: count },
          (_, value) => sender.mqtt.publishAsync(`qos/many`, String(value), { qos }),
        );
        const seen: number[] = [];
        while (seen.length < count) seen.push(Number(new TextDecoder().decode((await receiver.next()).payload)));
        assertEquals(seen, Array.from({ length: count }, (_, value) => value));
        await Promise.all(sent);
      }
      await receiver.mqtt.unsubscribeAsync("qos/#");
      await sender.mqtt.publishAsync("qos/1", "not delivered", { qos: 1 });
      assertEquals(receiver.waiting, 0);
    });
  }

  it("keeps retained messages, and those of a session whose client is away", async () => {
    await using rig = await Rig.start();
    const sender = await rig.connect();
    await sender.mqtt.publishAsync("state/light", "on", { qos: 1, retain: true });
    const session = { clean: false, clientId: "returns" };
    const first = await rig.connect(session);
    await first.mqtt.subscribeAsync("state/#", { qos: 1 });
    assertEquals((await first.next()).text, "on");
    await first.mqtt.endAsync();
    for (const text of ["off", "on", "off"]) await sender.mqtt.publishAsync("state/light", text, { qos: 1 });
    const second = await rig.connect(session);
    assertEquals([await second.next(), await second.next(), await second.next()].map(({ text }) => text), [
      "off",
      "on",
      "off",
    ]);
  });

  it("publishes the will of a client that is lost, and not that of one that says goodbye", async () => {
    await using rig = await Rig.start();
    const watcher = await rig.connect();
    await watcher.mqtt.subscribeAsync("will/#", { qos: 1 });
    const will = (topic: string): object => ({ will: { topic: `will/${topic}`, payload: "gone", qos: 1 } });
    const polite = await rig.connect(will("polite"));
    await polite.mqtt.endAsync();

    for (const by of ["reset", "end"] as const) {
      const proxy = await FaultProxy.listen(rig.port);
      const linked = proxy.next();
      const lost = await rig.connect({ ...will(by), keepalive: 600 }, proxy.port);
      const closed = nextEvent(lost.mqtt, "close");
      (await linked).cut(by);
      assertEquals((await watcher.next()).topic, `will/${by}`);
      await closed;
      await proxy.close();
    }
    const destroyed = await rig.connect(will("destroyed"));
    destroyed.mqtt.stream.destroy();
    assertEquals((await watcher.next()).topic, "will/destroyed");

    // A client that says nothing more: after one and a half times its keep-alive the broker gives it up.
    const proxy = await FaultProxy.listen(rig.port);
    const linked = proxy.next();
    await rig.connect({ ...will("silent"), keepalive: 1 }, proxy.port);
    (await linked).faults.stalled = "both";
    assertEquals((await watcher.next()).topic, "will/silent");
    await proxy.close();
    assertEquals(watcher.waiting, 0);
  });

  it("refuses clients that may not come, and topics that they may not use", async () => {
    await using rig = await Rig.start();
    rig.broker.authenticate = (_client: any, user: string, password: any, done: any): void =>
      done(null, user === "ada" && String(password) === "secret");
    rig.broker.authorizePublish = (_client: any, { topic }: any, done: any): void =>
      done(topic.startsWith("closed/") ? new Error("closed") : null);
    const error = await rig.connect({ username: "ada", password: "wrong" }).catch((error) => error);
    assertStringIncludes(error.message, "Not authorized");
    const client = await rig.connect({ username: "ada", password: "secret" });
    await client.mqtt.publishAsync("open/1", "x", { qos: 1 });
    const closed = nextEvent(client.mqtt, "close");
    client.mqtt.publish("closed/1", "x", { qos: 1 }, () => {});
    await closed;
  });

  it("knows the address of a client, and what it asked for", async () => {
    await using rig = await Rig.start();
    const ready = nextEvent<any>(rig.broker, "clientReady");
    await rig.connect({ clientId: "ada" });
    const { id, req } = await ready;
    assertEquals([id, req.url, req.socket.remoteAddress], ["ada", "/mqtt", "127.0.0.1"]);
  });

  it("ends its clients when it closes", async () => {
    const rig = await Rig.start();
    const client = await rig.connect();
    const closed = nextEvent(client.mqtt, "close");
    const { port } = rig;
    await rig[Symbol.asyncDispose]();
    await closed;
    assert(!client.mqtt.connected);
    const error = await rig.connect({}, port).catch((error) => error);
    assertEquals(error.code, "ECONNREFUSED");
  });

  it("makes a fast sender wait for a slow client", async () => {
    await using rig = await Rig.start();
    const [sender, slow] = [await rig.connect(), await rig.connect()];
    await slow.mqtt.subscribeAsync("slow", { qos: 1 });
    const payload = new Uint8Array(256 * 1024);
    const sent = Array.from({ length: 40 }, () => sender.mqtt.publishAsync("slow", payload, { qos: 1 }));
    for (let count = 0; count < 40; count++) assertEquals((await slow.next()).payload.length, payload.length);
    await Promise.all(sent);
  });
});

/** What a client has received. */
interface Received {
  topic: string;
  qos: number;
  payload: Uint8Array;
  text: string;
}

/** A client of mqtt.js, and what came to it. */
class Client {
  readonly #received: Received[] = [];

  constructor(readonly mqtt: any) {
    mqtt.on(
      "message",
      (topic: string, payload: Uint8Array, { qos }: { qos: number }) =>
        this.#received.push({ topic, qos, payload: new Uint8Array(payload), text: new TextDecoder().decode(payload) }),
    );
    // Its end is seen by its event `close`.
    mqtt.on("error", () => {});
  }

  /** Messages that were not taken. */
  get waiting(): number {
    return this.#received.length;
  }

  async next(): Promise<Received> {
    await until(() => this.#received.length > 0, "a message");
    return this.#received.shift()!;
  }
}
