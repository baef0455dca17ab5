/**
 * rpc-websockets 10 on our entry, with its own client: calls, errors, notifications, batches, events, logins,
 * namespaces, large and many messages, and each way in which a connection ends.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { FaultProxy } from "../support/fault_proxy.ts";
import { loadHost, nextEvent } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { until } from "../support/support.ts";

describePeer("rpc-websockets", "npm:rpc-websockets@10.0.1", ([folder]) => {
  const { load, host } = loadHost(folder);
  const { Server, Client } = load("rpc-websockets") as any;

  /** A server, and its clients. */
  class Rig {
    readonly #clients: any[] = [];

    private constructor(readonly rpc: any, readonly port: number) {}

    static async start(options: object = {}): Promise<Rig> {
      // It makes a server of `ws`, which listens to nothing: its listeners get the connections of ours.
      const rpc = new Server({ noServer: true });
      const listeners = rpc.wss;
      rpc.wss = new host.WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
      rpc.wss.on("connection", (socket: any, request: any) => listeners.emit("connection", socket, request));
      await nextEvent(rpc.wss, "listening");
      rpc.register("sum", ([a, b]: number[]) => a! + b!);
      rpc.register("echo", ([value]: unknown[]) => value);
      rpc.register("fails", () => Promise.reject(new TypeError("of the program")));
      rpc.register("refuses", () => Promise.reject(rpc.createError(-32001, "refused", "why")));
      return new Rig(rpc, rpc.wss.address().port);
    }

    /** Starts a client, which does not connect again by itself. */
    client(options: object = {}, path = "/", port = this.port): any {
      const client = new Client(`ws://127.0.0.1:${port}${path}`, { reconnect: false, ...options });
      this.#clients.push(client);
      return client;
    }

    async connect(options: object = {}, path = "/", port = this.port): Promise<any> {
      const client = this.client(options, path, port);
      await nextEvent(client, "open");
      return client;
    }

    async [Symbol.asyncDispose](): Promise<void> {
      for (const client of this.#clients) {
        client.setAutoReconnect(false);
        client.close();
      }
      await until(() => this.rpc.wss.clients.size === 0, "the end of all connections");
      const closed = nextEvent(this.rpc.wss, "close");
      await this.rpc.close();
      await closed;
    }
  }

  for (const perMessageDeflate of [false, true]) {
    it(`calls methods, with large and many messages${perMessageDeflate ? ", compressed" : ""}`, async () => {
      await using rig = await Rig.start({ perMessageDeflate });
      const client = await rig.connect();
      assertEquals(await client.call("sum", [5, 3]), 8);
      for (const text of ["", "ä€😀", "x".repeat(1 << 20), "y".repeat(8 << 20)]) {
        assertEquals(await client.call("echo", [text]), text);
      }
      const values = Array.from({ length: 2000 }, (_, value) => value);
      assertEquals(await Promise.all(values.map((value) => client.call("echo", [value]))), values);
      assertEquals((await client.listMethods()).sort(), ["__listMethods", "echo", "fails", "refuses", "sum"]);
    });
  }

  it("tells errors of methods, unknown methods, and what is no JSON-RPC", async () => {
    await using rig = await Rig.start();
    const client = await rig.connect();
    const error = (method: string, params?: unknown): Promise<any> =>
      client.call(method, params).then(() => undefined, (error: unknown) => error);
    assertEquals(await error("fails"), { code: -32000, message: "TypeError", data: "of the program" });
    assertEquals(await error("refuses"), { code: -32001, message: "refused", data: "why" });
    assertEquals(await error("unknown"), { code: -32601, message: "Method not found" });
    const socket = new WebSocket(`ws://127.0.0.1:${rig.port}/`);
    await new Promise((resolve) => socket.onopen = resolve);
    const ask = async (data: string | Uint8Array<ArrayBuffer>): Promise<any> => {
      const answer = new Promise<any>((resolve) => socket.onmessage = ({ data }) => resolve(data));
      socket.send(data);
      return JSON.parse(await answer);
    };
    assertEquals((await ask("{")).error.code, -32700);
    assertEquals((await ask('{"jsonrpc":"1.0"}')).error.code, -32600);
    const batch = [1, 2].map((id) => ({ jsonrpc: "2.0", method: "sum", params: [id, id], id }));
    assertEquals((await ask(JSON.stringify(batch))).map(({ result }: any) => result), [2, 4]);
    // A binary message is read as text.
    assertEquals((await ask(new TextEncoder().encode(JSON.stringify(batch[0])))).result, 2);
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  });

  it("takes notifications, and sends events to those that subscribe", async () => {
    await using rig = await Rig.start();
    const heard: unknown[] = [];
    rig.rpc.register("log", (params: unknown) => void heard.push(params));
    rig.rpc.event("news");
    const [first, second] = [await rig.connect(), await rig.connect()];
    await first.notify("log", ["one"]);
    await first.notify("log", { two: 2 });
    await until(() => heard.length === 2, "two notifications");
    assertEquals(heard, [["one"], { two: 2 }]);

    const news: unknown[] = [];
    first.on("news", (...params: unknown[]) => news.push(params));
    second.on("news", () => news.push("second"));
    assertEquals(await first.subscribe("news"), { news: "ok" });
    assertEquals(await first.subscribe("none"), { none: "provided event invalid" });
    for (let value = 0; value < 500; value++) rig.rpc.emit("news", value, "of 500");
    await until(() => news.length === 500, "500 events");
    assertEquals(news, Array.from({ length: 500 }, (_, value) => [value, "of 500"]));
    await first.unsubscribe("news");
    rig.rpc.emit("news", "late");
    assertEquals(await first.call("sum", [1, 1]), 2);
    assertEquals(news.length, 500);
  });

  it("lets clients that have logged in call what is protected", async () => {
    await using rig = await Rig.start();
    rig.rpc.setAuth(({ token }: { token: string }) => token === "secret");
    rig.rpc.register("secret", () => 42).protected();
    rig.rpc.event("alarm").protected();
    const [known, unknown] = [await rig.connect(), await rig.connect()];
    const failed = async (call: Promise<unknown>): Promise<number | undefined> =>
      await call.then(() => undefined, ({ code }) => code);
    assertEquals(await failed(known.call("secret")), -32605);
    assertEquals(await failed(known.subscribe("alarm")), -32606);
    assertEquals(
      await unknown.login({ token: "wrong" }).catch((error: Error) => error.message),
      "authentication failed",
    );
    assertEquals(await known.login({ token: "secret" }), true);
    assertEquals(await known.call("secret"), 42);
    assertEquals(await known.subscribe("alarm"), { alarm: "ok" });
    assertEquals(await failed(unknown.call("secret")), -32605);
  });

  it("has a namespace for each path, and closes the sockets of one alone", async () => {
    await using rig = await Rig.start();
    rig.rpc.register("where", () => "chat", "/chat");
    const [chat, root] = [await rig.connect({}, "/chat"), await rig.connect()];
    assertEquals(await chat.call("where"), "chat");
    assertEquals((await root.call("where").catch((error: unknown) => error)).code, -32601);
    assertEquals(Object.keys(rig.rpc.of("/chat").connected()).length, 1);
    const closed = nextEvent(chat, "close");
    for (const socket of rig.rpc.of("/chat").clients().clients.values()) socket.close();
    await closed;
    assertEquals(await root.call("sum", [1, 2]), 3);
  });

  it("forgets a client that is lost, which connects again by itself", async () => {
    await using rig = await Rig.start();
    rig.rpc.event("news");
    const proxy = await FaultProxy.listen(rig.port);
    const linked = proxy.next();
    const gone = nextEvent(rig.rpc, "disconnection");
    const client = await rig.connect({ reconnect: true, reconnect_interval: 1 }, "/", proxy.port);
    await client.subscribe("news");
    const reopened = nextEvent(client, "open");
    (await linked).cut("reset");
    await gone;
    await reopened;
    assertEquals(await client.call("sum", [2, 3]), 5);
    assertEquals(rig.rpc.of("/").clients().events.news.sockets.length, 0);
    client.setAutoReconnect(false);
    client.close();
    await until(() => rig.rpc.wss.clients.size === 0, "the end");
    await proxy.close();
  });

  it("closes, and then takes no connections", async () => {
    const rig = await Rig.start();
    const client = await rig.connect();
    const closed = nextEvent<number>(client, "close");
    client.close(4000, "enough");
    await closed;
    await rig[Symbol.asyncDispose]();
    const late = rig.client();
    assert(await nextEvent<Error>(late, "error") !== undefined);
  });
});
