/**
 * Hocuspocus 3 on our entry, by `handleConnection` on a server of the program, and in its own `Server`, with its own
 * client: several documents on one connection, authentication, its pings, and clients that connect again.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer } from "node:http";
import { CaughtConsole } from "../support/caught_console.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { HeldTimers } from "../support/held_timers.ts";
import { closeServer, listen, loadHost } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { assertSameBytes, Random, until } from "../support/support.ts";
import { TrackedSockets } from "../support/tracked_sockets.ts";

/** Interval of the server's pings. */
const TIMEOUT = 30_000;
/** Delay of the hook that stores a document. */
const DEBOUNCE = 2_000;

/** Waits for an event of a client, which has no `once`. */
const nextOf = (emitter: any, name: string): Promise<any> => new Promise((resolve) => emitter.on(name, resolve));

describePeer("Hocuspocus", "npm:@hocuspocus/server@3.4.4", ([folder]) => {
  const { load, host } = loadHost(folder);
  const Y = load("yjs") as any;
  const { Hocuspocus, Server } = load("@hocuspocus/server") as any;
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = load("@hocuspocus/provider") as any;

  /** The clients of a test. */
  class Clients {
    readonly tracked = new TrackedSockets();
    readonly #sockets: any[] = [];
    readonly #providers: any[] = [];
    port = 0;

    /** Starts a connection, for several documents. */
    socket(port = this.port): any {
      const delays = { delay: 1, minDelay: 1, maxDelay: 1, factor: 1 };
      const url = `ws://127.0.0.1:${port}/`;
      const socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: this.tracked.WebSocket, ...delays });
      this.#sockets.push(socket);
      return socket;
    }

    /** Starts a client of a document, which is its own. */
    provide(name: string, socket: any, options: object = {}): any {
      const provider = new HocuspocusProvider({ websocketProvider: socket, name, document: new Y.Doc(), ...options });
      provider.attach();
      this.#providers.push(provider);
      return provider;
    }

    /** Ends the clients, which do not connect again. */
    destroy(): void {
      for (const provider of this.#providers) provider.destroy();
      for (const socket of this.#sockets) socket.destroy();
    }

    async [Symbol.asyncDispose](): Promise<void> {
      this.destroy();
      await this.tracked[Symbol.asyncDispose]();
    }
  }

  /** A server of `node:http` with the library on it, its clients, and what it saw. */
  class Rig {
    readonly http = createServer((_request, response) => void response.end("of node:http"));
    readonly wss: any;
    readonly hocuspocus: any;
    readonly clients = new Clients();
    readonly sockets: any[] = [];
    readonly pongs: string[] = [];
    readonly closes: [code: number, reason: string][] = [];
    #proxy: FaultProxy | undefined;
    #closed: Promise<void> | undefined;

    constructor(options: object, serverOptions: object) {
      this.hocuspocus = new Hocuspocus({ quiet: true, ...options });
      this.wss = new host.WebSocketServer({ server: this.http as any, ...serverOptions });
      this.wss.on("connection", (socket: any, request: any) => this.hocuspocus.handleConnection(socket, request));
      this.wss.on("connection", (socket: any) => {
        this.sockets.push(socket);
        socket.on("pong", (data: any) => this.pongs.push(String(data)));
        socket.on("close", (code: number, reason: any) => this.closes.push([code, String(reason)]));
      });
    }

    async startProxy(): Promise<FaultProxy> {
      return this.#proxy = await FaultProxy.listen(this.clients.port);
    }

    /** Has the server take no more connections, and waits for the end of those that are open. */
    close(): Promise<void> {
      return this.#closed ??= new Promise((resolve) => this.wss.close(() => resolve()));
    }

    async [Symbol.asyncDispose](): Promise<void> {
      this.clients.destroy();
      await this.#proxy?.close();
      await this.clients.tracked[Symbol.asyncDispose]();
      await this.close();
      await closeServer(this.http);
      assertEquals([this.wss.clients.size, this.hocuspocus.getConnectionsCount()], [0, 0]);
    }
  }

  async function start(options: object = {}, serverOptions: object = {}): Promise<Rig> {
    const rig = new Rig(options, serverOptions);
    rig.clients.port = await listen(rig.http);
    return rig;
  }

  const synced = (...providers: any[]): Promise<void> =>
    until(() => providers.every((one) => one.synced && !one.hasUnsyncedChanges), "the synchronisation");

  /** Waits until documents of one name are the same. */
  async function converge(...providers: any[]): Promise<void> {
    await synced(...providers);
    const state = ({ document }: any): string => Y.encodeStateVector(document).join();
    await until(() => providers.every((one) => state(one) === state(providers[0])), "the same state");
    const text = ({ document }: any): string => document.getText("text").toString();
    for (const provider of providers) assertEquals(text(provider) === text(providers[0]), true);
  }

  it("has documents converge, several on one connection", async () => {
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const [first, second] = [rig.clients.socket(), rig.clients.socket()];
    const pairs = ["a", "b", "c"].map((name) => [first, second].map((socket) => rig.clients.provide(name, socket)));
    await synced(...pairs.flat());
    assertEquals([rig.sockets.length, rig.hocuspocus.getConnectionsCount()], [2, 2]);
    for (const [one, two] of pairs) {
      for (let value = 0; value < 100; value++) {
        one.document.getText("text").insert(0, `a${value};`);
        two.document.getText("text").insert(0, `b${value}ä€😀;`);
      }
    }
    for (const [one, two] of pairs) {
      await converge(one, two);
      assertEquals(one.document.getText("text").toString().split(";").length, 201);
    }
    pairs[0]![1].destroy();
    pairs[0]![0].document.getText("text").insert(0, "alone");
    await synced(pairs[0]![0]);
    await until(() => rig.hocuspocus.documents.get("a").getConnectionsCount() === 1, "the end of one");
    assertEquals(rig.hocuspocus.getDocumentsCount(), 3);
  });

  for (const perMessageDeflate of [false, true]) {
    it(`carries large updates, text and bytes, ${perMessageDeflate ? "" : "not "}compressed`, async () => {
      using _timers = new HeldTimers(100);
      await using rig = await start({}, { perMessageDeflate });
      const [one, two] = [1, 2].map(() => rig.clients.provide("large", rig.clients.socket()));
      await synced(one, two);
      const bytes = new Random(5).bytes(1 << 20);
      one.document.getText("text").insert(0, "ä".repeat(1 << 19));
      two.document.getMap("map").set("bytes", bytes);
      await converge(one, two);
      assertEquals(two.document.getText("text").length, 1 << 19);
      assertSameBytes(one.document.getMap("map").get("bytes"), bytes);
    });
  }

  it("authenticates, holds readers back, passes other messages on, and stores", async () => {
    using timers = new HeldTimers(100);
    const stored: string[] = [];
    const heard: string[] = [];
    await using rig = await start({
      onAuthenticate: ({ token, connectionConfig }: any) => {
        if (token === "wrong") return Promise.reject(Object.assign(new Error(), { reason: "not you" }));
        connectionConfig.readOnly = token === "reader";
        return Promise.resolve({ user: token });
      },
      onStateless: ({ payload, document }: any) => Promise.resolve(document.broadcastStateless(`to all: ${payload}`)),
      onStoreDocument: ({ document }: any) => Promise.resolve(void stored.push(document.getText("text").toString())),
    });
    const socket = rig.clients.socket();
    const onStateless = ({ payload }: any) => heard.push(payload);
    const writer = rig.clients.provide("text", socket, { token: "writer", onStateless });
    const reader = rig.clients.provide("text", rig.clients.socket(), {
      token: () => Promise.resolve("reader"),
      onStateless,
    });
    await synced(writer, reader);
    assertEquals([writer.authorizedScope, reader.authorizedScope], ["read-write", "readonly"]);
    const refused = rig.clients.provide("other", socket, { token: "wrong" });
    assertEquals((await nextOf(refused, "authenticationFailed")).reason, "not you");
    writer.document.getText("text").insert(0, "by the writer");
    await until(() => reader.document.getText("text").toString() === "by the writer", "the text");
    reader.document.getText("text").insert(0, "by the reader");
    reader.sendStateless("hello");
    await until(() => heard.length === 2, "the other messages");
    assertEquals(heard, ["to all: hello", "to all: hello"]);
    assertEquals(writer.document.getText("text").toString(), "by the writer");
    writer.setAwarenessField("name", "w");
    await until(() => [...reader.awareness.getStates().values()].some(({ name }: any) => name === "w"), "the name");
    timers.fire("timeout", DEBOUNCE);
    await until(() => stored.length === 1, "the store");
    assertEquals(stored, ["by the writer"]);
  });

  it("pings each client, and gives up one that answers no more", async () => {
    using timers = new HeldTimers(100);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const linked = proxy.next();
    const provider = rig.clients.provide("pings", rig.clients.socket(proxy.port));
    const link = await linked;
    await synced(provider);
    for (let round = 1; round <= 3; round++) {
      timers.fire("interval", TIMEOUT);
      await until(() => rig.pongs.length === round, "a pong");
      assertEquals(rig.hocuspocus.getConnectionsCount(), 1);
    }
    link.faults.stalled = "up";
    const closed = nextOf(provider, "close");
    timers.fire("interval", TIMEOUT);
    timers.fire("interval", TIMEOUT);
    assertEquals(rig.hocuspocus.getConnectionsCount(), 0);
    assertEquals((await closed).event.reason, "Connection Timeout");
    assertEquals(rig.pongs, ["", "", ""]);
  });

  it("is found again by a client whose connection was lost, and both have what the other did meanwhile", async () => {
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const near = rig.clients.provide("lost", rig.clients.socket());
    const far = rig.clients.provide("lost", rig.clients.socket(proxy.port));
    await synced(near, far);
    for (const by of ["reset", "end"] as const) {
      const lost = nextOf(far, "disconnect");
      for (const link of proxy.links) link.cut(by);
      await lost;
      near.document.getText("text").insert(0, `near ${by};`);
      far.document.getText("text").insert(0, `far ${by};`);
      await converge(near, far);
    }
    const texts = near.document.getText("text").toString().split(";").sort();
    assertEquals(texts, ["", "far end", "far reset", "near end", "near reset"]);
    await until(() => rig.closes.length === 2, "the ends on the server");
    assertEquals(rig.closes, [[1006, ""], [1006, ""]]);
    const lost = nextOf(far, "disconnect");
    rig.sockets.at(-1).close(4205, "again");
    assertEquals((await lost).event.code, 4205);
    await until(() => rig.sockets.length === 5, "the connection after the close");
    await converge(near, far);
  });

  it("closes a connection whose first message makes no sense", async () => {
    using printed = new CaughtConsole();
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const socket = new rig.clients.tracked.WebSocket(`ws://127.0.0.1:${rig.clients.port}/`);
    socket.onopen = () => socket.send(Uint8Array.of(200));
    assertEquals(await rig.clients.tracked.ended(), { code: 4401, reason: "Unauthorized" });
    assertEquals(printed.lines.length, 1);
  });

  it("ends all documents and connections at a shutdown", async () => {
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const sockets = [1, 2, 3].map(() => rig.clients.socket());
    const providers = sockets.map((socket) => rig.clients.provide("stop", socket));
    await synced(...providers);
    const ends = providers.map((provider) => nextOf(provider, "close"));
    rig.hocuspocus.closeConnections();
    assertEquals((await Promise.all(ends)).map(({ event }) => event.reason), Array(3).fill("Reset Connection"));
    await until(() => rig.hocuspocus.getDocumentsCount() === 0, "the end of the document");
    for (const socket of sockets) socket.shouldConnect = false;
    const lost = sockets.map((socket) => nextOf(socket, "disconnect"));
    const closed = rig.close();
    for (const socket of rig.wss.clients) socket.close(1001, "server stops");
    await closed;
    assertEquals((await Promise.all(lost)).map(({ event }) => event.code), [1001, 1001, 1001]);
  });

  it("is at home in its own Server, whose WebSocket server is replaced", async () => {
    using _timers = new HeldTimers(100);
    const server = new Server({ port: 0, quiet: true, stopOnSignals: false });
    server.webSocketServer = new host.WebSocketServer({ noServer: true });
    server.setupWebsocketConnection();
    await server.listen();
    await using clients = new Clients();
    clients.port = server.address.port;
    const [one, two] = [1, 2].map(() => clients.provide("text", clients.socket()));
    await synced(one, two);
    one.document.getText("text").insert(0, "of one");
    await converge(one, two);
    assertEquals([server.webSocketServer.clients.size, two.document.getText("text").toString()], [2, "of one"]);
    const response = await fetch(`http://127.0.0.1:${clients.port}/`, { headers: { connection: "close" } });
    assertEquals(await response.text(), "Welcome to Hocuspocus!");
    await server.destroy();
    assertEquals([server.httpServer.listening, server.hocuspocus.getDocumentsCount()], [false, 0]);
  });
});
