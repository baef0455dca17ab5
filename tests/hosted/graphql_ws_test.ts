/**
 * graphql-ws 6 on our entry, by `useServer` of its adapter for `ws`, with its own client: operations of each kind, its
 * keep-alive of both sides, its close codes, and clients that connect again.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer } from "node:http";
import { CaughtConsole } from "../support/caught_console.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { HeldTimers } from "../support/held_timers.ts";
import { closeServer, listen, loadHost } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { ReaderSteps, type Steps } from "../support/steps.ts";
import { until } from "../support/support.ts";
import { TrackedSockets } from "../support/tracked_sockets.ts";

const SCHEMA = `
  type Query {
    echo(text: String!): String!
    length(text: String!): Int!
    fails: String
  }
  type Mutation {
    add(value: Int!): Int!
  }
  type Subscription {
    count(to: Int!): Int!
    large(size: Int!): String!
    endless(reader: Int!): Int!
    breaks: Int!
  }
`;
const PROTOCOL = "graphql-transport-ws";
const KEEP_ALIVE = 12_000;
const INIT_TIMEOUT = 3_000;

/** What a subscription of a client got. */
class Results {
  readonly values: any[] = [];
  error: any;
  isComplete = false;
  readonly stop: () => void;

  constructor(client: any, query: string, variables?: object, steps?: Steps) {
    this.stop = client.subscribe({ query, variables }, {
      next: ({ data, errors }: any) => {
        this.values.push(errors === undefined ? data : { data, errors });
        steps?.advance();
      },
      error: (error: any) => this.error = error,
      complete: () => this.isComplete = true,
    });
  }

  /** Waits for the end, and returns the values. */
  async all(): Promise<any[]> {
    await until(() => this.isComplete || this.error !== undefined, "the end of an operation");
    if (this.error !== undefined) throw this.error;
    return this.values;
  }
}

describePeer("graphql-ws", "npm:graphql-ws@6.4.2", ([folder]) => {
  const { load, host } = loadHost(folder);
  const { buildSchema } = load("graphql") as any;
  const { useServer } = load("graphql-ws/use/ws") as any;
  const { createClient } = load("graphql-ws") as any;

  /** A server with the library on it, its clients, and what it saw. */
  class Rig {
    total = 0;
    readonly steps = new ReaderSteps();
    /** Generators that have begun, and those that have ended. */
    begun = 0;
    ended = 0;
    readonly pongs: string[] = [];
    readonly closes: [code: number, reason: string][] = [];
    readonly sockets: any[] = [];
    readonly http = createServer((_request, response) => void response.end("of node:http"));
    readonly wss: any;
    readonly tracked = new TrackedSockets();
    readonly clients: any[] = [];
    readonly #hosted: { dispose(): Promise<void> };
    #disposed: Promise<void> | undefined;
    port = 0;
    #proxy: FaultProxy | undefined;

    constructor(options: object, serverOptions: object) {
      this.wss = new host.WebSocketServer({ server: this.http as any, path: "/graphql", ...serverOptions });
      this.wss.on("connection", (socket: any) => {
        this.sockets.push(socket);
        socket.on("pong", (data: any) => this.pongs.push(String(data)));
      });
      const onClose = (_context: unknown, code: number, reason: string) => void this.closes.push([code, reason]);
      this.#hosted = useServer({ schema: buildSchema(SCHEMA), roots: this.#roots(), onClose, ...options }, this.wss);
    }

    #roots(): object {
      const subscription = {
        count: ({ to }: { to: number }) =>
          this.#generate(async function* () {
            for (let count = 1; count <= to; count++) yield { count };
          }),
        large: ({ size }: { size: number }) =>
          this.#generate(async function* () {
            for (let at = 0; at < 3; at++) yield { large: `${at}`.repeat(size) };
          }),
        endless: ({ reader }: { reader: number }) => {
          const steps = this.steps.of(reader);
          return this.#generate(async function* () {
            for (let endless = 0;; endless++) {
              const { count } = steps;
              yield { endless };
              await steps.after(count);
            }
          });
        },
        breaks: () =>
          this.#generate(async function* () {
            yield { breaks: 1 };
            throw new Error("of the generator");
          }),
      };
      return {
        query: {
          echo: ({ text }: { text: string }) => text,
          length: ({ text }: { text: string }) => text.length,
          fails: () => Promise.reject(new Error("of the resolver")),
        },
        mutation: { add: ({ value }: { value: number }) => this.total += value },
        subscription,
      };
    }

    async *#generate(values: () => AsyncGenerator): AsyncGenerator {
      this.begun++;
      try {
        yield* values();
      } finally {
        this.ended++;
      }
    }

    url(port = this.port): string {
      return `ws://127.0.0.1:${port}/graphql`;
    }

    client(options: object = {}, port = this.port): any {
      const retryWait = () => Promise.resolve();
      const client = createClient({
        url: this.url(port),
        webSocketImpl: this.tracked.WebSocket,
        retryWait,
        ...options,
      });
      this.clients.push(client);
      return client;
    }

    /** Starts a subscription without an end. */
    watch(client: any): Results {
      const reader = this.steps.add();
      return new Results(client, `subscription { endless(reader: ${reader}) }`, undefined, this.steps.of(reader));
    }

    /** Waits for ends of connections: the library tells of one after the end of its generators. */
    async closed(count: number): Promise<void> {
      await until(() => {
        this.steps.advance();
        return this.closes.length >= count;
      }, `${count} ends on the server`);
      assertEquals(this.closes.length, count);
    }

    /** Opens a socket without the client of the library. */
    async raw(protocols: string[] = [PROTOCOL]): Promise<{ socket: WebSocket; heard: any[] }> {
      const socket = new this.tracked.WebSocket(this.url(), protocols);
      const heard: any[] = [];
      socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
      await new Promise((resolve) => socket.onopen = resolve);
      return { socket, heard };
    }

    /** Shuts the library and its server down, once. */
    dispose(): Promise<void> {
      return this.#disposed ??= this.#hosted.dispose();
    }

    async startProxy(): Promise<FaultProxy> {
      return this.#proxy = await FaultProxy.listen(this.port);
    }

    async [Symbol.asyncDispose](): Promise<void> {
      for (const client of this.clients) await client.dispose();
      await this.#proxy?.close();
      await this.tracked[Symbol.asyncDispose]();
      await this.dispose();
      await closeServer(this.http);
      assertEquals(this.wss.clients.size, 0);
      this.steps.advance();
      await until(() => this.ended === this.begun, "the end of all generators");
    }
  }

  async function start(options: object = {}, serverOptions: object = {}): Promise<Rig> {
    const rig = new Rig(options, serverOptions);
    rig.port = await listen(rig.http);
    return rig;
  }

  const run = (client: any, query: string, variables?: object): Promise<any[]> =>
    new Results(client, query, variables).all();

  it("runs queries, mutations and subscriptions, and tells of each kind of error", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const client = rig.client();
    assertEquals(await run(client, `{ echo(text: "ä€😀") }`), [{ echo: "ä€😀" }]);
    assertEquals(await run(client, `mutation { add(value: 3) }`), [{ add: 3 }]);
    assertEquals(await run(client, `mutation { one: add(value: 1) two: add(value: 2) }`), [{ one: 4, two: 6 }]);
    const counted = await run(client, `subscription { count(to: 5) }`);
    assertEquals(counted, [1, 2, 3, 4, 5].map((count) => ({ count })));
    const [failed] = await run(client, `{ fails }`);
    assertEquals([failed.data, failed.errors[0].message], [{ fails: null }, "of the resolver"]);
    const [unknown] = await run(client, `{ nothing }`).catch((errors) => errors);
    assertStringIncludes(unknown.message, 'Cannot query field "nothing"');
    const broken = new Results(client, `subscription { breaks }`);
    await until(() => broken.error !== undefined || broken.isComplete, "the end of a broken subscription");
    assertEquals(broken.values, [{ breaks: 1 }]);
    assertEquals(rig.sockets[0].protocol, PROTOCOL);
  });

  for (const perMessageDeflate of [false, true]) {
    it(`carries large and many messages, in order, ${perMessageDeflate ? "" : "not "}compressed`, async () => {
      using _timers = new HeldTimers(1000);
      await using rig = await start({}, { perMessageDeflate });
      const client = rig.client({ lazy: false });
      const text = "x".repeat(1 << 20);
      assertEquals(await run(client, `query($text: String!) { length(text: $text) }`, { text }), [{ length: 1 << 20 }]);
      const [{ echo }] = await run(client, `query($text: String!) { echo(text: $text) }`, { text });
      assert(echo === text);
      const large = await run(client, `subscription($size: Int!) { large(size: $size) }`, { size: 1 << 20 });
      assertEquals(large.map(({ large }) => [large.length, large[0]]), [0, 1, 2].map((at) => [1 << 20, `${at}`]));
      const many = Array.from({ length: 10 }, () => run(client, `subscription { count(to: 300) }`));
      const expected = Array.from({ length: 300 }, (_, at) => ({ count: at + 1 }));
      for (const counted of await Promise.all(many)) assertEquals(counted, expected);
      const echoes = Array.from({ length: 300 }, (_, at) => run(client, `{ echo(text: "${at}") }`));
      assertEquals(await Promise.all(echoes), Array.from({ length: 300 }, (_, at) => [{ echo: `${at}` }]));
      assertEquals(rig.sockets.length, 1);
    });
  }

  it("ends the generator of a subscription that the client cancels, and goes on with the others", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const client = rig.client({ lazy: false });
    const [one, two] = [1, 2].map(() => rig.watch(client)) as [Results, Results];
    await until(() => one.values.length > 2 && two.values.length > 2, "values of both");
    one.stop();
    await until(() => {
      // A generator sees at its next step that it is to end.
      rig.steps.advance();
      return rig.ended === 1;
    }, "the end of the first");
    const seen = two.values.length;
    await until(() => two.values.length > seen + 2, "more of the second");
    assertEquals([one.isComplete, two.isComplete, rig.begun], [true, false, 2]);
  });

  it("pings each client, and drops one that answers no more", async () => {
    using timers = new HeldTimers(1000);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const linked = proxy.next();
    const client = rig.client({ lazy: false, shouldRetry: () => false, onNonLazyError: () => {} }, proxy.port);
    const endless = rig.watch(client);
    await until(() => endless.values.length > 0, "the first value");
    for (let round = 1; round <= 3; round++) {
      timers.fire("interval", KEEP_ALIVE);
      assertEquals(timers.count("timeout", KEEP_ALIVE), 1);
      await until(() => rig.pongs.length === round, "a pong");
      // The listener of the library has stopped its timer for this pong.
      assertEquals(timers.count("timeout", KEEP_ALIVE), 0);
    }
    (await linked).faults.stalled = "up";
    timers.fire("interval", KEEP_ALIVE);
    timers.fire("timeout", KEEP_ALIVE);
    await rig.closed(1);
    assertEquals(rig.closes, [[1006, ""]]);
    assertEquals(rig.pongs, ["", "", ""]);
    await until(() => endless.error !== undefined, "the end on the client");
    assertEquals([rig.begun, rig.wss.clients.size], [1, 0]);
  });

  it("answers the pings of the client", async () => {
    using timers = new HeldTimers(1000);
    await using rig = await start();
    const heard: string[] = [];
    const on = { ping: (received: boolean) => heard.push(`ping ${received}`), pong: () => heard.push("pong") };
    const client = rig.client({ lazy: false, keepAlive: 10_000, on });
    assertEquals(await run(client, `{ echo(text: "a") }`), [{ echo: "a" }]);
    for (let round = 1; round <= 2; round++) {
      timers.fire("timeout", 10_000);
      await until(() => heard.length === 2 * round, "a pong");
    }
    assertEquals(heard, ["ping false", "pong", "ping false", "pong"]);
  });

  it("closes with the code of each violation", async () => {
    using printed = new CaughtConsole();
    using timers = new HeldTimers(1000);
    await using rig = await start({
      onConnect: ({ connectionParams }: any) => {
        if (connectionParams?.token === "breaks") throw new Error("of onConnect");
        return connectionParams?.token !== "wrong";
      },
    });
    const violate = async (...messages: (string | object)[]): Promise<[code: number, reason: string]> => {
      const { socket, heard } = await rig.raw();
      const ended = rig.tracked.ended();
      for (const message of messages) {
        const acknowledged = heard.length;
        socket.send(typeof message === "string" ? message : JSON.stringify(message));
        if ((message as any).type === "connection_init" && acknowledged === 0 && message !== messages.at(-1)) {
          await until(() => heard.length > 0, "the acknowledgement");
        }
      }
      const { code, reason } = await ended;
      return [code, reason];
    };
    const init = { type: "connection_init" };
    const subscribe = {
      id: "1",
      type: "subscribe",
      payload: { query: `subscription { endless(reader: ${rig.steps.add()}) }` },
    };
    assertEquals(await violate("not JSON"), [4400, "Invalid message received"]);
    assertEquals(await violate({ type: "unknown" }), [4400, "Invalid message received"]);
    assertEquals(await violate(subscribe), [4401, "Unauthorized"]);
    assertEquals(await violate(init, init), [4429, "Too many initialisation requests"]);
    assertEquals(await violate(init, subscribe, subscribe), [4409, "Subscriber for 1 already exists"]);
    assertEquals(await violate({ ...init, payload: { token: "wrong" } }), [4403, "Forbidden"]);
    assertEquals(await violate({ ...init, payload: { token: "breaks" } }), [4500, "of onConnect"]);
    const late = await rig.raw();
    timers.fire("timeout", INIT_TIMEOUT);
    assertEquals(await rig.tracked.ended(), { code: 4408, reason: "Connection initialisation timeout" });
    assertEquals(late.heard, []);
    assertEquals([printed.lines.length, printed.lines[0]?.includes("message handling")], [1, true]);
    await rig.closed(8);
    const codes = rig.closes.map(([code]) => code);
    assertEquals(codes.sort(), [4400, 4400, 4401, 4403, 4408, 4409, 4429, 4500]);
    // A client is not told of another subprotocol; one that offers none gets a connection that is closed at once.
    const socket = new rig.tracked.WebSocket(rig.url());
    assertEquals((await rig.tracked.ended()).code, 4406);
    assertEquals(socket.protocol, "");
  });

  it("tells the client why the server refused or closed it, and does not retry what is fatal", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start({ onConnect: ({ connectionParams }: any) => connectionParams?.token === "right" });
    const closed: number[] = [];
    const on = { closed: ({ code }: any) => void closed.push(code) };
    const refused = rig.client({ connectionParams: { token: "wrong" }, retryAttempts: 0, on });
    const error = await run(refused, `{ echo(text: "a") }`).catch((error) => error);
    assertEquals([error.code, error.reason, closed], [4403, "Forbidden", [4403]]);
    const allowed = rig.client({ connectionParams: async () => ({ token: await Promise.resolve("right") }) });
    assertEquals(await run(allowed, `{ echo(text: "a") }`), [{ echo: "a" }]);
  });

  it("is found again by a client, which repeats its subscriptions", async () => {
    // The library prints what it cannot send any more.
    using _printed = new CaughtConsole();
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const proxy = await rig.startProxy();
    // By default it repeats after a close event only, not after the error event of a runtime for a reset.
    const client = rig.client({ lazy: false, shouldRetry: () => true }, proxy.port);
    const endless = rig.watch(client);
    await until(() => endless.values.length > 3, "values");
    for (const [round, by] of (["reset", "end"] as const).entries()) {
      for (const link of proxy.links) link.cut(by);
      await until(() => rig.begun === round + 2, "the next connection");
      const seen = endless.values.length;
      await until(() => endless.values.length > seen, "values on it");
      await until(() => rig.ended === round + 1, "the end of the lost one");
    }
    await rig.closed(2);
    assertEquals(rig.closes, [[1006, ""], [1006, ""]]);
    // Closed by the server with a code that is not fatal.
    rig.sockets.at(-1).close(4999, "go away");
    await until(() => rig.begun === 4, "the connection after the close");
    await rig.closed(3);
    assertEquals([rig.closes.at(-1), endless.error], [[4999, "go away"], undefined]);
  });

  it("closes all clients with 1001 when it is disposed, and waits for them", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const clients = [1, 2, 3].map(() =>
      rig.client({ lazy: false, shouldRetry: () => false, onNonLazyError: () => {} })
    );
    const endless = clients.map((client) => rig.watch(client));
    for (const { values } of endless) await until(() => values.length > 0, "the first value");
    await rig.dispose();
    assertEquals(rig.wss.clients.size, 0);
    await rig.closed(3);
    assertEquals(rig.closes.map(([code]) => code), [1001, 1001, 1001]);
    for (const results of endless) {
      await until(() => results.error !== undefined, "the end on the client");
      assertEquals([results.error.code, results.error.reason], [1001, "Going away"]);
    }
    // The HTTP server goes on, which is the program's.
    const response = await fetch(`http://127.0.0.1:${rig.port}/`, { headers: { connection: "close" } });
    assertEquals(await response.text(), "of node:http");
  });
});
