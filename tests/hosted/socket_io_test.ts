/**
 * socket.io 4 on our entry, by its option `wsEngine`, with its own client: as a WebSocket at once, and after polling;
 * compressed or not; with all that its sockets can do, and each way in which they end.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer, type Server as HttpServer } from "node:http";
import { FaultProxy } from "../support/fault_proxy.ts";
import { listen, loadHost, nextEvent } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { Random, until } from "../support/support.ts";

/** A server with the HTTP server that it has, and its clients. */
class Rig {
  readonly io: any;
  readonly http: HttpServer;
  readonly port: number;
  readonly clients: any[] = [];
  /** What sockets of the server end with. */
  readonly reasons: string[] = [];
  #connect: (url: string, options: object) => any;

  constructor(io: any, http: HttpServer, port: number, connect: (url: string, options: object) => any) {
    this.io = io;
    this.http = http;
    this.port = port;
    this.#connect = connect;
    io.on("connection", (socket: any) => socket.on("disconnect", (reason: string) => this.reasons.push(reason)));
  }

  /** Connects a client, and waits until it is a WebSocket. */
  async connect(options: object = {}, port = this.port): Promise<any> {
    const client = this.start(options, port);
    await nextEvent(client, "connect");
    await until(() => this.side(client)?.conn.transport.name === "websocket", "the upgrade");
    return client;
  }

  start(options: object = {}, port = this.port): any {
    const transports = ["websocket"];
    const client = this.#connect(`http://127.0.0.1:${port}`, { transports, forceNew: true, ...options });
    this.clients.push(client);
    return client;
  }

  /** The server's side of a client. */
  side(client: any): any {
    return this.io.sockets.sockets.get(client.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.disconnect();
    await this.io.close();
    assertEquals(this.http.listening, false);
  }
}

describePeer("socket.io", "npm:socket.io@4.8.4", ([folder]) => {
  const { load, host } = loadHost(folder);
  const { Server } = load("socket.io") as any;
  const { io: connect } = load("socket.io-client") as any;

  async function start(options: object = {}): Promise<Rig> {
    const http = createServer((_request, response) => void response.end("of node:http"));
    const io = new Server(http, { wsEngine: host.WebSocketServer, maxHttpBufferSize: 1e8, ...options });
    return new Rig(io, http, await listen(http), connect);
  }

  for (const transports of [["websocket"], ["polling", "websocket"]]) {
    for (const perMessageDeflate of [false, true]) {
      const compressed = perMessageDeflate ? ", compressed" : "";
      it(`by ${transports.join(", then ")}${compressed}: acknowledgements, binary, large and many messages`, async () => {
        await using rig = await start({ perMessageDeflate });
        const seen: unknown[] = [];
        rig.io.on("connection", (socket: any) => {
          socket.on("echo", (...args: any[]) => args.pop()(...args));
          socket.on("count", (value: number) => seen.push(value));
        });
        const client = await rig.connect({ transports });
        assertEquals(rig.side(client).handshake.address, "127.0.0.1");
        assertEquals(rig.side(client).conn.remoteAddress, "127.0.0.1");
        // An acknowledgement takes all arguments; the first one is the result of `emitWithAck`.
        const echo = (value: unknown): Promise<any> => client.emitWithAck("echo", value);
        assertEquals(await echo("ä€😀"), "ä€😀");
        assertEquals(await echo({ a: [1, null, { b: "c" }] }), { a: [1, null, { b: "c" }] });
        const random = new Random(7);
        for (const size of [0, 1, 125, 126, 65_536, 1 << 20, 5 << 20]) {
          const bytes = random.bytes(size);
          const { nested, text } = await echo({ nested: [bytes], text: "x".repeat(size) });
          assertEquals(new Uint8Array(nested[0]), bytes);
          assertEquals(text.length, size);
        }
        for (let value = 0; value < 3000; value++) client.emit("count", value);
        await until(() => seen.length === 3000, "3000 messages");
        assertEquals(seen, Array.from({ length: 3000 }, (_, value) => value));
        const back: unknown[] = [];
        client.on("back", (value: number, bytes: Uint8Array) => back.push(value, bytes.length));
        for (let value = 0; value < 1000; value++) rig.side(client).emit("back", value, new Uint8Array(value));
        await until(() => back.length === 2000, "1000 messages with bytes");
        assertEquals(back, Array.from({ length: 1000 }, (_, value) => [value, value]).flat());
      });
    }
  }

  it("agrees on compression only where it is wanted", async () => {
    for (const perMessageDeflate of [false, true, { threshold: 0 }]) {
      const headers: string[][] = [];
      await using rig = await start({ perMessageDeflate });
      rig.io.engine.on("initial_headers", (fields: any) => fields["x-first"] = "polling");
      rig.io.engine.on("headers", (fields: any) => fields["x-seen"] = "1");
      const proxy = await FaultProxy.listen(rig.port);
      const linked = proxy.next();
      const client = rig.start({}, proxy.port);
      const link = await linked;
      let head = "";
      link.server.on("data", (bytes: Uint8Array) => head += new TextDecoder("latin1").decode(bytes));
      await nextEvent(client, "connect");
      const lines = head.slice(0, head.indexOf("\r\n\r\n")).toLowerCase().split("\r\n");
      headers.push(lines);
      assertEquals(lines[0], "http/1.1 101 switching protocols");
      assertEquals(lines.includes("x-first: polling") && lines.includes("x-seen: 1"), true);
      const extensions = lines.filter((line) => line.startsWith("sec-websocket-extensions:"));
      assertEquals(extensions.length, perMessageDeflate === false ? 0 : 1);
      for (const line of extensions) assertStringIncludes(line, "permessage-deflate");
      client.disconnect();
      await proxy.close();
    }
  });

  it("has rooms, broadcasts, namespaces, middleware, and acknowledgements of all clients", async () => {
    await using rig = await start();
    rig.io.use((socket: any, next: (error?: Error) => void) =>
      next(socket.handshake.auth.token === "wrong" ? new Error("not you") : undefined)
    );
    const clients = await Promise.all([1, 2, 3].map(() => rig.connect()));
    const heard: string[] = [];
    clients.forEach((client, index) => {
      client.on("news", (text: string, bytes?: Uint8Array) => heard.push(`${index}:${text}:${bytes?.length}`));
      client.on("question", (_value: number, answer: (value: number) => void) => answer(index));
    });
    const [first, second, third] = clients.map((client) => rig.side(client));
    await first.join("room");
    await second.join("room");
    const expectHeard = async (...expected: string[]): Promise<void> => {
      await until(() => heard.length >= expected.length, `${expected}`);
      assertEquals(heard.splice(0).sort(), expected);
    };
    rig.io.emit("news", "all");
    await expectHeard("0:all:undefined", "1:all:undefined", "2:all:undefined");
    rig.io.to("room").emit("news", "room", new Uint8Array(3));
    await expectHeard("0:room:3", "1:room:3");
    first.to("room").emit("news", "others");
    await expectHeard("1:others:undefined");
    third.broadcast.emit("news", "not me", new Uint8Array(0));
    await expectHeard("0:not me:0", "1:not me:0");
    rig.io.except("room").emit("news", "rest");
    await expectHeard("2:rest:undefined");
    const big = "n".repeat(1 << 20);
    rig.io.emit("news", big, new Uint8Array(1 << 20));
    await until(() => heard.length === 3, "a large broadcast");
    assertEquals(heard.splice(0).sort(), [0, 1, 2].map((index) => `${index}:${big}:${1 << 20}`));
    assertEquals((await rig.io.timeout(20_000).emitWithAck("question", 1)).sort(), [0, 1, 2]);

    rig.io.of("/other").on("connection", (socket: any) => socket.emit("hello", socket.nsp.name));
    const other = clients[0].io.socket("/other");
    assertEquals(await nextEvent(other, "hello"), "/other");
    other.disconnect();
    const refused = rig.start({ auth: { token: "wrong" } });
    assertEquals((await nextEvent<Error>(refused, "connect_error")).message, "not you");
    assertEquals((await rig.io.fetchSockets()).length, 3);
  });

  it("drops volatile messages while a message is on its way, and no others", async () => {
    await using rig = await start();
    const client = await rig.connect();
    const heard: number[] = [];
    client.on("value", (value: number) => heard.push(value));
    const side = rig.side(client);
    for (let value = 0; value < 10; value++) side.volatile.emit("value", value);
    side.emit("value", 10);
    await until(() => heard.at(-1) === 10, "the last message");
    assertEquals(heard, [0, 10]);
    side.volatile.emit("value", 11);
    await until(() => heard.at(-1) === 11, "a volatile message");
  });

  it("tells both sides why a socket ended", async () => {
    await using rig = await start();
    const ended = (client: any): Promise<string> => nextEvent<string>(client, "disconnect");
    const expectReason = async (reason: string): Promise<void> => {
      await until(() => rig.reasons.length > 0, reason);
      assertEquals(rig.reasons.splice(0), [reason]);
    };
    let client = await rig.connect();
    client.disconnect();
    await expectReason("client namespace disconnect");

    client = await rig.connect();
    let reason = ended(client);
    rig.side(client).disconnect(true);
    assertEquals(await reason, "io server disconnect");
    await expectReason("server namespace disconnect");

    client = await rig.connect({ reconnection: false });
    reason = ended(client);
    rig.side(client).conn.close();
    assertEquals(await reason, "transport close");
    await expectReason("forced close");

    client = await rig.connect({ reconnection: false });
    client.io.engine.close();
    await expectReason("transport close");
  });

  it("refuses a message that is too large, and goes on with the others", async () => {
    await using rig = await start({ maxHttpBufferSize: 100_000 });
    rig.io.on("connection", (socket: any) => socket.on("echo", (value: any, answer: any) => answer(value)));
    const [large, small] = [await rig.connect({ reconnection: false }), await rig.connect()];
    const reason = nextEvent<string>(large, "disconnect");
    large.emit("echo", "x".repeat(200_000));
    assertEquals(await reason, "transport close");
    await until(() => rig.reasons.length === 1, "the end on the server");
    assertEquals(rig.reasons, ["transport error"]);
    assertEquals(await small.emitWithAck("echo", "x".repeat(90_000)), "x".repeat(90_000));
  });

  it("knows of an abrupt loss, and a client that connects again sends what it has kept", async () => {
    await using rig = await start({ pingInterval: 60_000 });
    const proxy = await FaultProxy.listen(rig.port);
    const linked = proxy.next();
    const client = await rig.connect({ reconnectionDelay: 1, reconnectionDelayMax: 2 }, proxy.port);
    const { id } = client;
    const heard: string[] = [];
    rig.io.on("connection", (socket: any) => socket.on("news", (text: string) => heard.push(text)));
    const lost = nextEvent<string>(client, "disconnect");
    (await linked).cut("reset");
    assert(["transport close", "transport error"].includes(await lost));
    client.emit("news", "kept");
    await until(() => rig.reasons.length === 1, "the loss on the server");
    assert(["transport close", "transport error"].includes(rig.reasons[0]!), rig.reasons[0]!);
    await until(() => heard.length === 1, "the message");
    assertEquals([client.connected, client.id === id, heard], [true, false, ["kept"]]);
    client.disconnect();
    await proxy.close();
  });

  it("drops a peer that answers no pings", async () => {
    await using rig = await start({ pingInterval: 50, pingTimeout: 100 });
    const proxy = await FaultProxy.listen(rig.port);
    const linked = proxy.next();
    const client = await rig.connect({ reconnection: false }, proxy.port);
    const link = await linked;
    link.faults.stalled = "both";
    const lost = nextEvent<string>(client, "disconnect");
    await until(() => rig.reasons.length === 1, "the time limit");
    assertEquals(rig.reasons, ["ping timeout"]);
    assertEquals(await lost, "ping timeout");
    await proxy.close();
  });

  it("ends all sockets when it closes, and the HTTP server with them", async () => {
    const rig = await start();
    const clients = await Promise.all([
      rig.connect({ reconnection: false }),
      rig.connect({ reconnection: false, transports: ["polling", "websocket"] }),
    ]);
    const lost = clients.map((client) => nextEvent<string>(client, "disconnect"));
    await rig.io.close();
    assertEquals(await Promise.all(lost), ["transport close", "transport close"]);
    assertEquals(rig.reasons, ["server shutting down", "server shutting down"]);
    assertEquals(rig.http.listening, false);
    const late = rig.start({ reconnection: false });
    await nextEvent(late, "connect_error");
    await rig[Symbol.asyncDispose]();
  });

  it("leaves plain HTTP, and upgrades of other paths, to others", async () => {
    await using rig = await start({ destroyUpgrade: false });
    const response = await fetch(`http://127.0.0.1:${rig.port}/`, { headers: { connection: "close" } });
    assertEquals(await response.text(), "of node:http");
    const other = new host.WebSocketServer({ noServer: true });
    rig.http.on("upgrade", (request, socket, head) => {
      if (request.url !== "/plain") return;
      other.handleUpgrade(request, socket as any, head, (socket: any) => socket.send("plain"));
    });
    const socket = new WebSocket(`ws://127.0.0.1:${rig.port}/plain`);
    const message = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
    assertEquals(await message, "plain");
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    assertEquals((await rig.connect()).connected, true);
  });
});
