/**
 * tRPC 11 on our entry, by `applyWSSHandler` of its adapter for `ws`, with its own client over `wsLink`: procedures of
 * each kind, errors, keep-alive of both sides, binary encoders, and clients that connect again.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer } from "node:http";
import { FaultProxy } from "../support/fault_proxy.ts";
import { HeldTimers } from "../support/held_timers.ts";
import { closeServer, listen, loadHost } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { ReaderSteps, type Steps } from "../support/steps.ts";
import { until } from "../support/support.ts";
import { TrackedSockets } from "../support/tracked_sockets.ts";

/** Delays of the keep-alive in these tests, which are held. */
const KEEP_ALIVE = { enabled: true, pingMs: 30_000, pongWaitMs: 5_000 };

/** What a subscription of a client got. */
class Results {
  readonly values: any[] = [];
  starts = 0;
  error: any;
  isComplete = false;
  readonly stop: () => void;

  constructor(procedure: any, input?: unknown, steps?: Steps) {
    const subscription = procedure.subscribe(input, {
      onStarted: () => this.starts++,
      onData: (value: any) => {
        this.values.push(value);
        steps?.advance();
      },
      onError: (error: any) => this.error = error,
      onComplete: () => this.isComplete = true,
    });
    this.stop = () => subscription.unsubscribe();
  }

  /** Waits for the end, and returns the values. */
  async all(): Promise<any[]> {
    await until(() => this.isComplete || this.error !== undefined, "the end of a subscription");
    if (this.error !== undefined) throw this.error;
    return this.values;
  }
}

/** An encoder of binary messages: JSON in UTF-8, with each byte turned over. */
const turned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes, (byte) => byte ^ 0xff);
const BINARY_ENCODER = {
  encode: (data: unknown) => turned(new TextEncoder().encode(JSON.stringify(data))),
  decode: (data: string | Uint8Array | ArrayBuffer) => {
    if (typeof data === "string") throw new Error("a text came");
    return JSON.parse(new TextDecoder().decode(turned(new Uint8Array(data))));
  },
};

describePeer("tRPC", "npm:@trpc/server@11.25.2", ([folder]) => {
  const { load, host } = loadHost(folder);
  const { initTRPC, TRPCError, tracked } = load("@trpc/server") as any;
  const { applyWSSHandler } = load("@trpc/server/adapters/ws") as any;
  const { createTRPCClient, createWSClient, wsLink } = load("@trpc/client") as any;

  /** A server with the library on it, its clients, and what it saw. */
  class Rig {
    total = 0;
    readonly steps = new ReaderSteps();
    /** Generators that have begun, and those that have ended. */
    begun = 0;
    ended = 0;
    /** What `lastEventId` of resumed subscriptions was. */
    readonly resumed: unknown[] = [];
    readonly errors: any[] = [];
    readonly sockets: any[] = [];
    readonly closes: number[] = [];
    readonly texts: string[] = [];
    readonly http = createServer((_request, response) => void response.end("of node:http"));
    readonly wss: any = new host.WebSocketServer({ noServer: true });
    readonly tracked = new TrackedSockets();
    readonly clients: any[] = [];
    readonly handler: { broadcastReconnectNotification(): void };
    port = 0;
    #proxy: FaultProxy | undefined;
    #closed: Promise<void> | undefined;

    constructor(options: object) {
      this.http.on("upgrade", (request, socket, head) => {
        if (request.url?.startsWith("/trpc") !== true) socket.destroy();
        else {this.wss.handleUpgrade(request, socket, head, (socket: any) =>
            this.wss.emit("connection", socket, request));}
      });
      this.wss.on("connection", (socket: any) => {
        this.sockets.push(socket);
        socket.on("message", (data: any) => String(data).length === 4 && this.texts.push(String(data)));
        socket.on("close", (code: number) => this.closes.push(code));
      });
      this.handler = applyWSSHandler({
        wss: this.wss,
        router: this.#router(),
        createContext: ({ info, req }: any) => ({ params: info.connectionParams, url: req.url }),
        onError: ({ error }: any) => void this.errors.push(error),
        ...options,
      });
    }

    #router(): unknown {
      const { router, procedure } = initTRPC.context().create();
      // deno-lint-ignore no-this-alias
      const rig = this;
      const parse = (input: unknown): { size: number } => {
        const { size } = (input ?? {}) as { size?: unknown };
        if (typeof size !== "number") throw new Error("size is no number");
        return { size };
      };
      return router({
        echo: procedure.input((input: unknown) => input).query(({ input }: any) => input),
        add: procedure.input((input: unknown) => Number(input)).mutation(({ input }: any) => rig.total += input),
        who: procedure.query(({ ctx }: any) => ctx),
        fails: procedure.query(() => {
          throw new TRPCError({ code: "FORBIDDEN", message: "of the procedure" });
        }),
        breaks: procedure.query(() => {
          throw new Error("of the program");
        }),
        never: procedure.query(() => new Promise(() => {})),
        count: procedure.input(parse).subscription(async function* ({ input }: any) {
          for (let value = 1; value <= input.size; value++) yield value;
        }),
        large: procedure.input(parse).subscription(async function* ({ input }: any) {
          for (let at = 0; at < 3; at++) yield `${at}`.repeat(input.size);
        }),
        failing: procedure.subscription(async function* () {
          yield 1;
          throw new TRPCError({ code: "CONFLICT", message: "of the generator" });
        }),
        endless: procedure.input((input: unknown) => input).subscription(async function* ({ input, signal }: any) {
          const steps = rig.steps.of(input.reader);
          rig.begun++;
          rig.resumed.push(input.lastEventId);
          try {
            for (let id = Number(input.lastEventId ?? 0) + 1; !signal.aborted; id++) {
              const { count } = steps;
              yield tracked(`${id}`, { value: id });
              await steps.after(count);
            }
          } finally {
            rig.ended++;
          }
        }),
      });
    }

    /** Connects a client; both its parts. */
    client(options: object = {}, port = this.port): { ws: any; api: any } {
      const retryDelayMs = () => 1;
      const url = `ws://127.0.0.1:${port}/trpc`;
      const ws = createWSClient({ url, WebSocket: this.tracked.WebSocket, retryDelayMs, ...options });
      this.clients.push(ws);
      return { ws, api: createTRPCClient({ links: [wsLink({ client: ws })] }) };
    }

    /** Has the server take no more connections, and waits for the end of those that are open. */
    close(): Promise<void> {
      return this.#closed ??= new Promise((resolve) => this.wss.close(() => resolve()));
    }

    /** Starts a subscription without an end. */
    watch(api: any): Results {
      const reader = this.steps.add();
      return new Results(api.endless, { reader }, this.steps.of(reader));
    }

    async startProxy(): Promise<FaultProxy> {
      return this.#proxy = await FaultProxy.listen(this.port);
    }

    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(this.clients.map((client) => client.close()));
      await this.#proxy?.close();
      await this.tracked[Symbol.asyncDispose]();
      await this.close();
      await closeServer(this.http);
      assertEquals(this.wss.clients.size, 0);
      this.steps.advance();
      await until(() => this.ended === this.begun, "the end of all generators");
    }
  }

  async function start(options: object = {}): Promise<Rig> {
    const rig = new Rig(options);
    rig.port = await listen(rig.http);
    return rig;
  }

  it("runs queries, mutations and subscriptions, and tells of each kind of error", async () => {
    await using rig = await start();
    const { api } = rig.client();
    assertEquals(await api.echo.query({ a: [1, null, "ä€😀"] }), { a: [1, null, "ä€😀"] });
    assertEquals([await api.add.mutate(3), await api.add.mutate(4)], [3, 7]);
    assertEquals(await new Results(api.count, { size: 5 }).all(), [1, 2, 3, 4, 5]);
    const failure = async (run: Promise<unknown>): Promise<unknown[]> => {
      const error: any = await run.then(() => assert(false, "it did not fail"), (error) => error);
      return [error.data.code, error.message];
    };
    assertEquals(await failure(api.fails.query()), ["FORBIDDEN", "of the procedure"]);
    assertEquals(await failure(api.breaks.query()), ["INTERNAL_SERVER_ERROR", "of the program"]);
    assertEquals((await failure(api.nothing.query()))[0], "NOT_FOUND");
    assertEquals((await failure(new Results(api.count, { size: "1" }).all()))[0], "BAD_REQUEST");
    const failing = new Results(api.failing);
    assertEquals(await failure(failing.all()), ["CONFLICT", "of the generator"]);
    assertEquals(failing.values, [1]);
    assertEquals(rig.errors.map(({ code }) => code), [
      "FORBIDDEN",
      "INTERNAL_SERVER_ERROR",
      "NOT_FOUND",
      "BAD_REQUEST",
      "CONFLICT",
    ]);
    // What is no message of the protocol is answered as well.
    const socket = new rig.tracked.WebSocket(`ws://127.0.0.1:${rig.port}/trpc`);
    const answer = new Promise<string>((resolve) => socket.onmessage = ({ data }) => resolve(data));
    socket.onopen = () => socket.send("not JSON");
    assertStringIncludes(await answer, "PARSE_ERROR");
    assertEquals(rig.sockets.length, 2);
  });

  for (const [kind, experimental_encoder] of [["JSON", undefined], ["a binary encoder", BINARY_ENCODER]] as const) {
    it(`carries large and many messages, in order, with ${kind}`, async () => {
      await using rig = await start({ experimental_encoder });
      const { api } = rig.client({ experimental_encoder });
      const text = "x".repeat(1 << 20);
      assert(await api.echo.query(text) === text);
      const large = await new Results(api.large, { size: 1 << 20 }).all();
      assertEquals(large.map((text) => [text.length, text[0]]), [0, 1, 2].map((at) => [1 << 20, `${at}`]));
      const expected = Array.from({ length: 300 }, (_, at) => at + 1);
      const many = Array.from({ length: 10 }, () => new Results(api.count, { size: 300 }).all());
      for (const counted of await Promise.all(many)) assertEquals(counted, expected);
      // The client sends them as one message, which is an array.
      assertEquals(await Promise.all(expected.map((value) => api.echo.query(value))), expected);
      for (const value of expected.slice(0, 100)) assertEquals(await api.echo.query(value), value);
      assertEquals(rig.sockets.length, 1);
    });
  }

  it("aborts a subscription that the client cancels, and goes on with the others", async () => {
    await using rig = await start();
    const { api } = rig.client();
    const [one, two] = [1, 2].map(() => rig.watch(api)) as [Results, Results];
    await until(() => one.values.length > 2 && two.values.length > 2, "values of both");
    one.stop();
    await until(() => {
      // A generator sees at its next step that it is to end.
      rig.steps.advance();
      return rig.ended === 1;
    }, "the end of the first");
    const seen = two.values.length;
    await until(() => two.values.length > seen + 2, "more of the second");
    assertEquals([rig.begun, rig.errors], [2, []]);
  });

  it("knows the parameters and the path of a connection, and refuses one that it does not like", async () => {
    await using rig = await start({
      createContext: ({ info, req }: any) => {
        if (info.connectionParams?.token === "wrong") throw new TRPCError({ code: "UNAUTHORIZED" });
        return { token: info.connectionParams?.token, url: req.url };
      },
    });
    const { api } = rig.client({ connectionParams: { token: "right" } });
    assertEquals(await api.who.query(), { token: "right", url: "/trpc?connectionParams=1" });
    const closed: unknown[] = [];
    const { ws } = rig.client({
      connectionParams: { token: "wrong" },
      onClose: (end: any) => void closed.push(end.code),
    });
    await until(() => closed.length > 0, "the refusal");
    await ws.close();
    assertEquals([closed[0], rig.errors[0].code], [1005, "UNAUTHORIZED"]);
  });

  it("pings each client, and drops one that answers no more", async () => {
    using timers = new HeldTimers(1000);
    await using rig = await start({ keepAlive: KEEP_ALIVE });
    const proxy = await rig.startProxy();
    const linked = proxy.next();
    const { api } = rig.client({}, proxy.port);
    assertEquals(await api.echo.query(1), 1);
    for (let round = 1; round <= 3; round++) {
      timers.fire("timeout", KEEP_ALIVE.pingMs);
      await until(() => rig.texts.length === round, "the answer");
    }
    assertEquals([rig.texts, timers.count("timeout", KEEP_ALIVE.pongWaitMs)], [["PONG", "PONG", "PONG"], 0]);
    (await linked).faults.stalled = "up";
    const ended = rig.tracked.ended();
    timers.fire("timeout", KEEP_ALIVE.pingMs);
    timers.fire("timeout", KEEP_ALIVE.pongWaitMs);
    assertEquals((await ended).code, 1006);
    await until(() => rig.closes.length === 1, "the end on the server");
    assertEquals(rig.closes, [1006]);
    assertEquals(await api.echo.query(2), 2);
  });

  it("answers the pings of the client", async () => {
    using timers = new HeldTimers(1000);
    await using rig = await start();
    const { api } = rig.client({ keepAlive: { enabled: true, intervalMs: 5_000, pongTimeoutMs: 1_000 } });
    assertEquals(await api.echo.query(1), 1);
    for (let round = 1; round <= 3; round++) {
      timers.fire("timeout", 5_000);
      await until(() => timers.count("timeout", 5_000) === 1 && timers.count("timeout", 1_000) === 0, "the answer");
    }
    assertEquals([rig.texts, rig.closes], [["PING", "PING", "PING"], []]);
  });

  it("is found again by a client whose connection was lost, which resumes behind the last event", async () => {
    await using rig = await start();
    const proxy = await rig.startProxy();
    const { api } = rig.client({}, proxy.port);
    const endless = rig.watch(api);
    await until(() => endless.values.length > 3, "values");
    const lost = api.never.query().catch((error: unknown) => error);
    assertEquals(await api.echo.query(1), 1);
    for (const [round, by] of (["reset", "end"] as const).entries()) {
      for (const link of proxy.links) link.cut(by);
      await until(() => rig.begun === round + 2, "the next connection");
      const seen = endless.values.length;
      await until(() => endless.values.length > seen, "values on it");
      await until(() => rig.ended === round + 1, "the end of the lost one");
    }
    assertEquals((await lost).name, "TRPCClientError");
    await until(() => rig.closes.length === 2, "the ends on the server");
    assertEquals(rig.closes, [1006, 1006]);
    rig.sockets.at(-1).close(4999, "go away");
    await until(() => rig.begun === 4, "the connection after the close");
    await until(() => rig.closes.length === 3, "the ends on the server");
    assertEquals(rig.closes, [1006, 1006, 4999]);
    const ids = endless.values.map(({ id }) => Number(id));
    assertEquals(ids, ids.map((_, at) => at + 1));
    assertEquals(rig.resumed.map((id) => id === undefined), [true, false, false, false]);
    endless.stop();
  });

  it("has its clients change to new connections before a shutdown, and loses nothing", async () => {
    await using rig = await start();
    const clients = [1, 2].map(() => rig.client());
    const endless = clients.map(({ api }) => rig.watch(api));
    for (const { values } of endless) await until(() => values.length > 2, "values");
    rig.handler.broadcastReconnectNotification();
    await until(() => rig.closes.length === 2 && rig.wss.clients.size === 2, "the change");
    assertEquals([rig.sockets.length, rig.begun], [4, 4]);
    for (const { values } of endless) {
      const seen = values.length;
      // An event that both connections gave is shown once, and makes no step then.
      await until(() => {
        rig.steps.advance();
        return values.length > seen + 2;
      }, "values on the new connection");
      assertEquals(values.map(({ id }) => Number(id)), values.map((_, at) => at + 1));
    }
    for (const { stop } of endless) stop();
  });

  it("shuts down with 1001 after the last connection has gone", async () => {
    await using rig = await start();
    const ends: unknown[] = [];
    const clients = [1, 2, 3].map(() =>
      rig.client({ lazy: { enabled: true, closeMs: 60_000 }, onClose: (end: any) => ends.push(end.code) })
    );
    for (const [at, { api }] of clients.entries()) assertEquals(await api.echo.query(at), at);
    let isClosed = false;
    const closed = rig.close().then(() => isClosed = true);
    assertEquals(await clients[0]!.api.echo.query("meanwhile"), "meanwhile");
    assertEquals(isClosed, false);
    for (const socket of rig.wss.clients) socket.close(1001, "server stops");
    await closed;
    await until(() => ends.length === 3, "the ends on the clients");
    assertEquals([ends, rig.closes], [[1001, 1001, 1001], [1001, 1001, 1001]]);
  });
});
