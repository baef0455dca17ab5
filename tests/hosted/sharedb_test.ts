/**
 * ShareDB 7 on our entry, by the stream of `@teamwork/websocket-json-stream`, with its own client over
 * `reconnecting-websocket`, as its guide has it: documents that converge, queries, presence, and the ends of a stream.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer } from "node:http";
import { FaultProxy } from "../support/fault_proxy.ts";
import { HeldTimers } from "../support/held_timers.ts";
import { closeServer, listen, loadHost, nextEvent } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { until } from "../support/support.ts";
import { TrackedSockets } from "../support/tracked_sockets.ts";

/** Calls a method that takes a callback last. */
function call<T = any>(target: any, method: string, ...args: unknown[]): Promise<T> {
  return new Promise((resolve, reject) =>
    target[method](...args, (error: unknown, result: T) => error ? reject(error) : resolve(result))
  );
}

describePeer("ShareDB", "npm:sharedb@7.0.0", ([folder]) => {
  const { load, host } = loadHost(folder);
  const ShareDB = load("sharedb") as any;
  const { Connection } = load("sharedb/lib/client") as any;
  const WebSocketJSONStream = load("@teamwork/websocket-json-stream") as any;
  const ReconnectingWebSocket = load("reconnecting-websocket") as any;

  /** A server with the library on it, its clients, and what it saw. */
  class Rig {
    readonly backend = new ShareDB({ presence: true, doNotForwardSendPresenceErrorsToClient: true });
    readonly http = createServer((_request, response) => void response.end("of node:http"));
    readonly wss: any;
    readonly tracked = new TrackedSockets();
    readonly agents: any[] = [];
    readonly sockets: any[] = [];
    readonly closes: [code: number, reason: string][] = [];
    readonly errors: string[] = [];
    /** What the library prints. */
    readonly printed: string[] = [];
    readonly clients: any[] = [];
    port = 0;
    #proxy: FaultProxy | undefined;
    #closed: Promise<void> | undefined;

    constructor(serverOptions: object) {
      const print = (message: unknown): void => void this.printed.push(`${message}`.split("\n")[0]!);
      ShareDB.logger.setMethods({ error: print, warn: print, info: print });
      this.wss = new host.WebSocketServer({ server: this.http as any, ...serverOptions });
      this.wss.on("connection", (socket: any, request: any) => {
        this.sockets.push(socket);
        socket.on("close", (code: number, reason: any) => this.closes.push([code, String(reason)]));
        const stream = new WebSocketJSONStream(socket);
        stream.on("error", (error: Error) => this.errors.push(error.name));
        this.agents.push(this.backend.listen(stream, request));
      });
    }

    url(port = this.port): string {
      return `ws://127.0.0.1:${port}/`;
    }

    /** Connects a client. */
    async client(port = this.port): Promise<any> {
      const options = { WebSocket: this.tracked.WebSocket, minReconnectionDelay: 1, maxReconnectionDelay: 1 };
      const connection = new Connection(new ReconnectingWebSocket(this.url(port), [], options));
      this.clients.push(connection);
      await nextEvent(connection, "connected");
      return connection;
    }

    /** A document of a client, which follows it. */
    async open(connection: any, id: string): Promise<any> {
      const doc = connection.get("docs", id);
      await call(doc, "subscribe");
      return doc;
    }

    async startProxy(): Promise<FaultProxy> {
      return this.#proxy = await FaultProxy.listen(this.port);
    }

    /** Has the server take no more connections, and waits for the end of those that are open. */
    close(): Promise<void> {
      return this.#closed ??= new Promise((resolve) => this.wss.close(() => resolve()));
    }

    async [Symbol.asyncDispose](): Promise<void> {
      for (const connection of this.clients) connection.close();
      await this.#proxy?.close();
      await this.tracked[Symbol.asyncDispose]();
      await this.close();
      await closeServer(this.http);
      await until(() => this.backend.agentsCount === 0, "the end of all agents");
      await call(this.backend, "close");
      assertEquals(this.wss.clients.size, 0);
    }
  }

  async function start(serverOptions: object = {}): Promise<Rig> {
    const rig = new Rig(serverOptions);
    rig.port = await listen(rig.http);
    return rig;
  }

  /** Waits until a document has been sent and acknowledged, and others have its version. */
  async function converge(...docs: any[]): Promise<void> {
    for (const doc of docs) await call(doc, "whenNothingPending");
    await until(() => docs.every(({ version }) => version === docs[0].version), "the same version");
    for (const { data } of docs) assertEquals(JSON.stringify(data), JSON.stringify(docs[0].data));
  }

  it("has documents converge that several clients change at once", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => rig.client()));
    const docs = await Promise.all([one, two].map((connection) => rig.open(connection, "list")));
    await call(docs[0], "create", { items: [], text: "" });
    await converge(...docs);
    for (let value = 0; value < 150; value++) {
      docs[0].submitOp([{ p: ["items", 0], li: `one ${value}` }]);
      docs[1].submitOp([{ p: ["items", docs[1].data.items.length], li: `two ${value}` }]);
      docs[1].submitOp([{ p: ["text", 0], si: "ä" }]);
    }
    await converge(...docs);
    docs.push(await rig.open(three, "list"));
    await converge(...docs);
    const { items, text } = docs[2].data;
    assertEquals([items.length, text], [300, "ä".repeat(150)]);
    const own = (name: string) => items.filter((item: string) => item.startsWith(name));
    assertEquals(own("two"), Array.from({ length: 150 }, (_, value) => `two ${value}`));
    assertEquals(own("one"), Array.from({ length: 150 }, (_, at) => `one ${149 - at}`));
    await call(docs[1], "del");
    await until(() => docs.every(({ type }) => type === null), "the end of the document");
  });

  for (const perMessageDeflate of [false, true]) {
    it(`carries large operations and documents, ${perMessageDeflate ? "" : "not "}compressed`, async () => {
      using _timers = new HeldTimers(1000);
      await using rig = await start({ perMessageDeflate });
      const [one, two] = await Promise.all([1, 2].map(() => rig.client()));
      const docs = await Promise.all([one, two].map((connection) => rig.open(connection, "large")));
      await call(docs[0], "create", { text: "x".repeat(1 << 20) });
      await converge(...docs);
      for (let round = 0; round < 3; round++) {
        await call(docs[round % 2], "submitOp", [{ p: ["text", 7], si: `${round}`.repeat(1 << 20) }]);
        await converge(...docs);
      }
      assertEquals(docs[1].data.text.length, 4 << 20);
    });
  }

  it("has queries, presence, pings, and errors of operations", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const isRefused = (op: any): boolean => JSON.stringify(op).includes("forbidden");
    rig.backend.use(
      "submit",
      ({ op }: any, next: (error?: Error) => void) => next(isRefused(op) ? new Error("not allowed") : undefined),
    );
    const [one, two] = await Promise.all([1, 2].map(() => rig.client()));
    const query = one.createSubscribeQuery("docs", {});
    await nextEvent(query, "ready");
    const inserted = nextEvent<any[]>(query, "insert");
    const doc = await rig.open(two, "first");
    await call(doc, "create", { value: 1 });
    assertEquals((await inserted).map(({ id, data }) => [id, data.value]), [["first", 1]]);
    assertEquals((await call(two, "createFetchQuery", "docs", {}, {})).length, 1);

    const heard: unknown[] = [];
    const presence = one.getPresence("room");
    presence.on("receive", (id: string, value: unknown) => heard.push([id, value]));
    await call(presence, "subscribe");
    // The server ends the presence of clients that follow the room themselves.
    await call(two.getPresence("room"), "subscribe");
    const local = two.getPresence("room").create("two");
    await call(local, "submit", { at: 7 });
    await until(() => heard.length === 1, "the presence");
    assertEquals(heard, [["two", { at: 7 }]]);

    const error = await call(doc, "submitOp", [{ p: ["value"], od: 1, oi: "forbidden" }]).catch((error) => error);
    assertEquals([error.message, doc.data], ["not allowed", { value: 1 }]);
    const again = await call(one.get("docs", "first"), "create", {}).catch((error) => error);
    assertEquals(again.code, "ERR_DOC_ALREADY_CREATED");
    assertEquals(rig.printed, ["Error: not allowed"]);
    const pong = nextEvent(one, "pong");
    one.ping();
    await pong;

    // The presence of a client goes with it.
    two.close();
    await until(() => heard.length === 2, "the end of the presence");
    assertEquals(heard[1], ["two", null]);
  });

  it("is found again by a client whose connection was lost, and takes what it did meanwhile, once", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const [near, far] = [await rig.client(), await rig.client(proxy.port)];
    const docs = await Promise.all([near, far].map((connection) => rig.open(connection, "list")));
    await call(docs[0], "create", []);
    await converge(...docs);
    for (const by of ["reset", "end"] as const) {
      const lost = nextEvent(far, "disconnected");
      for (let value = 0; value < 20; value++) docs[1].submitOp([{ p: [0], li: `${by} ${value}` }]);
      for (const link of proxy.links) link.cut(by);
      await lost;
      const found = nextEvent(far, "connected");
      docs[0].submitOp([{ p: [0], li: `${by} of the other` }]);
      for (let value = 20; value < 40; value++) docs[1].submitOp([{ p: [0], li: `${by} ${value}` }]);
      await found;
      await converge(...docs);
    }
    assertEquals(docs[0].data.length, 82);
    assertEquals(new Set(docs[0].data).size, 82);
    await until(() => rig.closes.length === 2, "the ends on the server");
    assertEquals(rig.closes.map(([code]) => code), [1006, 1006]);
  });

  it("ends a stream with the code of the end", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const open = async (): Promise<WebSocket> => {
      const socket = new rig.tracked.WebSocket(rig.url());
      const first = new Promise<string>((resolve) => socket.onmessage = ({ data }) => resolve(data));
      assertEquals(JSON.parse(await first).a, "init");
      return socket;
    };
    await open();
    rig.agents.at(-1).close();
    assertEquals(await rig.tracked.ended(), { code: 1000, reason: "stream end" });
    const broken = await open();
    broken.send("not JSON");
    assertEquals(await rig.tracked.ended(), { code: 1011, reason: "stream error" });
    const orderly = await open();
    orderly.close(1000, "done");
    assertEquals(await rig.tracked.ended(), { code: 1000, reason: "done" });
    await open();
    rig.sockets.at(-1).terminate();
    assertEquals(await rig.tracked.ended(), { code: 1006, reason: "" });
    await until(() => rig.closes.length === 4, "all ends on the server");
    assertEquals(rig.closes, [[1000, "stream end"], [1011, "stream error"], [1000, "done"], [1006, ""]]);
    await until(() => rig.backend.agentsCount === 0, "the end of all agents");
    assertEquals(rig.errors, ["SyntaxError"]);
  });

  it("has clients that the server sends away come back, until it is gone", async () => {
    using _timers = new HeldTimers(1000);
    await using rig = await start();
    const clients = await Promise.all([1, 2].map(() => rig.client()));
    const docs = await Promise.all(clients.map((connection) => rig.open(connection, "doc")));
    await call(docs[0], "create", { value: 0 });
    await converge(...docs);
    const found = clients.map((connection) => nextEvent(connection, "connected"));
    for (const socket of rig.wss.clients) socket.close(1001, "server stops");
    await Promise.all(found);
    await call(docs[1], "submitOp", [{ p: ["value"], na: 5 }]);
    await converge(...docs);
    assertEquals(docs[0].data, { value: 5 });
    const lost = clients.map((connection) => nextEvent(connection, "disconnected"));
    const closed = rig.close();
    for (const socket of rig.wss.clients) socket.close(1001, "server stops");
    await closed;
    await Promise.all(lost);
    assertEquals(rig.closes, Array.from({ length: 4 }, () => [1001, "server stops"]));
  });
});
