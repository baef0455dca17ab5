/**
 * y-websocket 3 on our entry, by `setupWSConnection` of `@y/websocket-server`, with its own client: documents that
 * converge, awareness, the pings of the server, and clients that connect again.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer } from "node:http";
import { FaultProxy } from "../support/fault_proxy.ts";
import { HeldTimers } from "../support/held_timers.ts";
import { closeServer, listen, loadHost } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { assertSameBytes, Random, until } from "../support/support.ts";
import { TrackedSockets } from "../support/tracked_sockets.ts";

/** Interval of the server's pings. */
const PING_INTERVAL = 30_000;
/** First back-off of the client. */
const BACK_OFF = 200;

describePeer("y-websocket", "npm:y-websocket@3.1.0", ([folder]) => {
  const { load, host } = loadHost(folder);
  const Y = load("yjs") as any;
  const { WebsocketProvider } = load("y-websocket") as any;
  const { setupWSConnection, docs } = load("@y/websocket-server/utils") as any;

  /** A server with the library on it, its clients, and what it saw. */
  class Rig {
    readonly http = createServer((_request, response) => void response.end("of node:http"));
    readonly wss: any;
    readonly tracked = new TrackedSockets();
    readonly sockets: any[] = [];
    readonly pongs: string[] = [];
    readonly closes: [code: number, reason: string][] = [];
    readonly providers: any[] = [];
    port = 0;
    #proxy: FaultProxy | undefined;
    #closed: Promise<void> | undefined;

    constructor(serverOptions: object) {
      this.wss = new host.WebSocketServer({ server: this.http as any, ...serverOptions });
      this.wss.on("connection", setupWSConnection);
      this.wss.on("connection", (socket: any) => {
        this.sockets.push(socket);
        socket.on("pong", (data: any) => this.pongs.push(String(data)));
        socket.on("close", (code: number, reason: any) => this.closes.push([code, String(reason)]));
      });
    }

    /** Starts a client with a document of its own. */
    provide(room: string, port = this.port): any {
      const options = { WebSocketPolyfill: this.tracked.WebSocket, disableBc: true };
      const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, room, new Y.Doc(), options);
      this.providers.push(provider);
      return provider;
    }

    async startProxy(): Promise<FaultProxy> {
      return this.#proxy = await FaultProxy.listen(this.port);
    }

    /** Has the server take no more connections, and waits for the end of those that are open. */
    close(): Promise<void> {
      return this.#closed ??= new Promise((resolve) => this.wss.close(() => resolve()));
    }

    async [Symbol.asyncDispose](): Promise<void> {
      for (const provider of this.providers) {
        provider.destroy();
        provider.doc.destroy();
      }
      await this.#proxy?.close();
      await this.tracked[Symbol.asyncDispose]();
      await this.close();
      await closeServer(this.http);
      assertEquals(this.wss.clients.size, 0);
      for (const doc of docs.values()) assertEquals(doc.conns.size, 0);
      for (const doc of docs.values()) doc.destroy();
      docs.clear();
    }
  }

  async function start(serverOptions: object = {}): Promise<Rig> {
    const rig = new Rig(serverOptions);
    rig.port = await listen(rig.http);
    return rig;
  }

  const synced = (...providers: any[]): Promise<void> =>
    until(() => providers.every(({ synced }) => synced), "the first synchronisation");

  /** Waits until documents are the same as on the server. */
  async function converge(room: string, ...providers: any[]): Promise<void> {
    const state = (doc: any): string => Y.encodeStateVector(doc).join();
    await until(() => providers.every(({ doc }) => state(doc) === state(docs.get(room))), `${room} everywhere`);
    const text = (doc: any): string => doc.getText("text").toString();
    for (const { doc } of providers) assertEquals(text(doc) === text(docs.get(room)), true);
  }

  it("has documents converge that several clients change at once", async () => {
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const providers = [1, 2, 3].map(() => rig.provide("room"));
    const other = rig.provide("other?of=mine");
    await synced(...providers, other);
    const [one, two] = providers.map(({ doc }) => doc.getText("text"));
    for (let value = 0; value < 400; value++) {
      one.insert(0, `a${value};`);
      two.insert(two.length, `b${value}ä€😀;`);
    }
    providers[2].doc.getMap("map").set("of", "three");
    await converge("room", ...providers);
    const pieces = String(one).split(";");
    assertEquals(pieces.length, 801);
    assertEquals(pieces.filter((piece) => piece.startsWith("b")).length, 400);
    assertEquals(one.toString() === two.toString(), true);
    const late = rig.provide("room");
    await synced(late);
    await converge("room", ...providers, late);
    assertEquals([[...docs.keys()].sort(), `${other.doc.getText("text")}`], [["other", "room"], ""]);
  });

  for (const perMessageDeflate of [false, true]) {
    it(`carries large updates, text and bytes, ${perMessageDeflate ? "" : "not "}compressed`, async () => {
      using _timers = new HeldTimers(100);
      await using rig = await start({ perMessageDeflate });
      const [one, two] = [rig.provide("large"), rig.provide("large")];
      await synced(one, two);
      const bytes = new Random(5).bytes(1 << 20);
      one.doc.getText("text").insert(0, "ä".repeat(1 << 19));
      two.doc.getMap("map").set("bytes", bytes);
      await converge("large", one, two);
      assertEquals(two.doc.getText("text").length, 1 << 19);
      assertSameBytes(one.doc.getMap("map").get("bytes"), bytes);
      const late = rig.provide("large");
      await synced(late);
      assertSameBytes(late.doc.getMap("map").get("bytes"), bytes);
    });
  }

  it("shows who is there, and that one has gone, orderly or not", async () => {
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const [one, two, three] = [rig.provide("who"), rig.provide("who"), rig.provide("who", proxy.port)];
    await synced(one, two, three);
    for (const [at, { awareness }] of [one, two, three].entries()) awareness.setLocalState({ name: `user ${at}` });
    const names = (): string => [...one.awareness.getStates().values()].map(({ name }: any) => name).sort().join();
    await until(() => names() === "user 0,user 1,user 2", "all three");
    two.destroy();
    await until(() => names() === "user 0,user 2", "the end of one");
    for (const link of proxy.links) link.cut("reset");
    await until(() => names() === "user 0", "the loss of another");
  });

  it("pings each client, and gives up one that answers no more", async () => {
    using timers = new HeldTimers(100);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const linked = proxy.next();
    const provider = rig.provide("pings", proxy.port);
    const link = await linked;
    await synced(provider);
    for (let round = 1; round <= 3; round++) {
      timers.fire("interval", PING_INTERVAL);
      await until(() => rig.pongs.length === round, "a pong");
      assertEquals(docs.get("pings").conns.size, 1);
    }
    link.faults.stalled = "up";
    timers.fire("interval", PING_INTERVAL);
    timers.fire("interval", PING_INTERVAL);
    assertEquals([docs.get("pings").conns.size, rig.sockets[0].readyState], [0, 2]);
    link.cut();
    await until(() => timers.count("timeout", BACK_OFF) === 1, "the loss on the client");
    timers.fire("timeout", BACK_OFF);
    await synced(provider);
    assertEquals([docs.get("pings").conns.size, rig.pongs], [1, ["", "", ""]]);
  });

  it("is found again by a client whose connection was lost, and both have what the other did meanwhile", async () => {
    using timers = new HeldTimers(100);
    await using rig = await start();
    const proxy = await rig.startProxy();
    const [near, far] = [rig.provide("lost"), rig.provide("lost", proxy.port)];
    await synced(near, far);
    for (const by of ["reset", "end"] as const) {
      for (const link of proxy.links) link.cut(by);
      await until(() => !far.wsconnected && timers.count("timeout", BACK_OFF) === 1, "the loss");
      near.doc.getText("text").insert(0, `near ${by};`);
      far.doc.getText("text").insert(0, `far ${by};`);
      timers.fire("timeout", BACK_OFF);
      await synced(far);
      await converge("lost", near, far);
    }
    assertEquals(near.doc.getText("text").toString().split(";").sort(), [
      "",
      "far end",
      "far reset",
      "near end",
      "near reset",
    ]);
    await until(() => rig.closes.length === 2, "the ends on the server");
    assertEquals(rig.closes, [[1006, ""], [1006, ""]]);
    // Once more by the server, which sends it away for now, and then with a code that it takes for final.
    rig.sockets.at(-1).close(4503, "later");
    await until(() => timers.count("timeout", BACK_OFF) === 1, "the end for now");
    timers.fire("timeout", BACK_OFF);
    await synced(far);
    const ends: unknown[] = [];
    far.on("closed", (end: unknown) => ends.push(end));
    rig.sockets.at(-1).close(4401, "not allowed any more");
    await until(() => ends.length === 1, "the last end");
    assertEquals([ends, far.shouldConnect], [[{ code: 4401, reason: "not allowed any more" }], false]);
    await until(() => rig.closes.length === 4, "the last end on the server");
    assertEquals(rig.closes.map(([code]) => code), [1006, 1006, 4503, 4401]);
  });

  it("shuts down with 1001, and waits for the clients", async () => {
    using _timers = new HeldTimers(100);
    await using rig = await start();
    const providers = [1, 2, 3].map(() => rig.provide("stop"));
    await synced(...providers);
    const codes: number[] = [];
    for (const provider of providers) provider.on("connection-close", (event: any) => codes.push(event.code));
    const closed = rig.close();
    for (const socket of rig.wss.clients) socket.close(1001, "server stops");
    await closed;
    await until(() => codes.length === 3, "the ends on the clients");
    assertEquals([codes, docs.get("stop").conns.size], [[1001, 1001, 1001], 0]);
    assertEquals(rig.closes.map(([code]) => code), [1001, 1001, 1001]);
  });
});
