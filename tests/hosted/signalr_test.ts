/**
 * SignalR on our entry: its official client with a small hub, which negotiates by HTTP, and speaks the JSON protocol;
 * calls, errors, streams of both directions, events, pings, close messages, loss and reconnecting.
 */

// deno-lint-ignore-file no-explicit-any -- packages whose types are not here

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { FaultProxy } from "../support/fault_proxy.ts";
import { closeServer, type Host, listen, loadHost } from "../support/hosted.ts";
import { describePeer } from "../support/peers.ts";
import { defer, until } from "../support/support.ts";

/** Ends each message of the JSON hub protocol. */
const END = "\x1e";
/** Level of the log that prints nothing. */
const NO_LOG = 6;

/** Types of messages. */
const Type = {
  Invocation: 1,
  StreamItem: 2,
  Completion: 3,
  StreamInvocation: 4,
  CancelInvocation: 5,
  Ping: 6,
  Close: 7,
} as const;

/** One client of the hub. */
class HubClient {
  /** Pings that came. */
  pings = 0;
  /** Invocations whose streams the client has cancelled. */
  readonly cancelled = new Set<string>();
  readonly socket: any;
  #isReady = false;
  /** Callbacks for what the client streams, by the stream's number. */
  readonly #uploads = new Map<string, (message: any) => void>();

  constructor(socket: any) {
    this.socket = socket;
    // With `ws` an error without a listener ends the program.
    socket.on("error", () => {});
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      if (isBinary) return socket.close(1003);
      const messages = String(data).split(END);
      assertEquals(messages.pop(), "");
      for (const message of messages) this.#receive(JSON.parse(message));
    });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message) + END);
  }

  #receive(message: any): void {
    if (!this.#isReady) {
      this.#isReady = true;
      return this.send(message.protocol === "json" ? {} : { error: `no protocol ${message.protocol}` });
    }
    if (message.type === Type.Invocation) this.#invoke(message);
    if (message.type === Type.StreamInvocation) this.#stream(message);
    if (message.type === Type.StreamItem) this.#uploads.get(message.invocationId)?.(message);
    if (message.type === Type.Completion) this.#uploads.get(message.invocationId)?.(message);
    if (message.type === Type.CancelInvocation) this.cancelled.add(message.invocationId);
    if (message.type !== Type.Ping) return;
    this.pings++;
    // The client sends its next ping after a message of the server only.
    this.send({ type: Type.Ping });
  }

  #invoke({ invocationId, target, arguments: args, streamIds = [] }: any): void {
    const complete = (outcome: object): void => {
      if (invocationId !== undefined) this.send({ type: Type.Completion, invocationId, ...outcome });
    };
    if (target === "Echo") return complete({ result: args[0] });
    if (target === "Add") return complete({ result: args[0] + args[1] });
    if (target === "Tell") return this.send({ type: Type.Invocation, target: "told", arguments: args });
    if (target !== "Sum") return complete({ error: `Unknown hub method '${target}'` });
    let sum = 0;
    this.#uploads.set(streamIds[0], ({ type, item }) => {
      if (type === Type.StreamItem) sum += item;
      else complete({ result: sum });
    });
  }

  async #stream({ invocationId, arguments: [count, error] }: any): Promise<void> {
    for (let item = 0; item < count && !this.cancelled.has(invocationId); item++) {
      this.send({ type: Type.StreamItem, invocationId, item });
      if (item % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.send({ type: Type.Completion, invocationId, ...error === undefined ? {} : { error } });
  }
}

/** The hub, with its HTTP server. */
class Hub {
  readonly clients: HubClient[] = [];
  /** Negotiations so far. */
  negotiated = 0;
  /** Path and query, and some header fields, of each WebSocket. */
  readonly upgrades: { url: string; authorization: string | undefined }[] = [];
  readonly #http: Server;
  readonly #sockets: any;
  #port = 0;

  private constructor(host: Host, options: object) {
    this.#http = createServer((request, response) => this.#negotiate(request, response));
    this.#sockets = new host.WebSocketServer({ server: this.#http as any, path: "/hub", ...options });
    this.#sockets.on("connection", (socket: any, request: any) => {
      this.upgrades.push({ url: request.url, authorization: request.headers.authorization });
      this.clients.push(new HubClient(socket));
    });
  }

  static async start(host: Host, options: object = {}): Promise<Hub> {
    const hub = new Hub(host, options);
    hub.#port = await listen(hub.#http);
    return hub;
  }

  #negotiate(request: IncomingMessage, response: ServerResponse): void {
    assertEquals(request.url, "/hub/negotiate?negotiateVersion=1");
    const availableTransports = [{ transport: "WebSockets", transferFormats: ["Text", "Binary"] }];
    const id = `id-${++this.negotiated}`;
    response.writeHead(200, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify({ negotiateVersion: 1, connectionId: id, connectionToken: id, availableTransports }));
  }

  get port(): number {
    return this.#port;
  }

  async close(): Promise<void> {
    this.#sockets.close();
    for (const { socket } of this.clients) socket.terminate();
    await closeServer(this.#http);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

describePeer("SignalR", "npm:@microsoft/signalr@10.0.11", ([folder]) => {
  const { load, host } = loadHost(folder);
  const { HubConnectionBuilder, HttpTransportType, Subject } = load("@microsoft/signalr") as any;

  function build(port: number, options: object = {}, delays?: number[]): any {
    const builder = new HubConnectionBuilder().withUrl(`http://127.0.0.1:${port}/hub`, options).configureLogging(
      NO_LOG,
    );
    if (delays !== undefined) builder.withAutomaticReconnect(delays);
    return builder.build();
  }

  async function connect(port: number, options?: object, delays?: number[]): Promise<any> {
    const connection = build(port, options, delays);
    await connection.start();
    return connection;
  }

  for (const perMessageDeflate of [false, true]) {
    it(`negotiates, and calls with large and many messages${perMessageDeflate ? ", compressed" : ""}`, async () => {
      await using hub = await Hub.start(host, { perMessageDeflate });
      const connection = await connect(hub.port, { accessTokenFactory: () => "secret" });
      assertEquals(hub.upgrades, [{ url: "/hub?id=id-1", authorization: "Bearer secret" }]);
      assertEquals(await connection.invoke("Add", 2, 3), 5);
      for (const text of ["", "ä€😀", "x".repeat(1 << 20), "y".repeat(8 << 20)]) {
        assertEquals(await connection.invoke("Echo", text), text);
      }
      const values = Array.from({ length: 2000 }, (_, value) => value);
      assertEquals(await Promise.all(values.map((value) => connection.invoke("Echo", value))), values);
      const told: unknown[] = [];
      connection.on("told", (...args: unknown[]) => told.push(args));
      for (const value of values) await connection.send("Tell", value, "of 2000");
      await until(() => told.length === values.length, "all events");
      assertEquals(told, values.map((value) => [value, "of 2000"]));
      const error: Error = await connection.invoke("Unknown").catch((error: Error) => error);
      assertStringIncludes(error.message, "Unknown hub method 'Unknown'");
      await connection.stop();
    });
  }

  it("streams in both directions, and cancels", async () => {
    await using hub = await Hub.start(host);
    const connection = await connect(hub.port);
    const collect = (count: number, error?: string): Promise<unknown[]> =>
      new Promise((resolve) => {
        const items: unknown[] = [];
        connection.stream("Count", ...error === undefined ? [count] : [count, error]).subscribe({
          next: (item: unknown) => items.push(item),
          complete: () => resolve(items),
          error: (error: Error) => resolve([...items, error.message]),
        });
      });
    assertEquals(await collect(1000), Array.from({ length: 1000 }, (_, item) => item));
    assertEquals(await collect(1, "broken"), [0, "broken"]);
    const first = defer<void>();
    const subscription = connection.stream("Count", 1e9).subscribe({ next: first.resolve, complete() {}, error() {} });
    await first.promise;
    subscription.dispose();
    await until(() => hub.clients[0]!.cancelled.size === 1, "the cancellation");

    const subject = new Subject();
    const sum = connection.invoke("Sum", subject);
    for (let value = 1; value <= 1000; value++) subject.next(value);
    subject.complete();
    assertEquals(await sum, 500_500);
    await connection.stop();
    await until(() => hub.clients[0]!.socket.readyState === 3, "the end");
  });

  it("keeps a connection by pings of the client, and ends one whose server is silent", async () => {
    await using hub = await Hub.start(host);
    const connection = build(hub.port);
    connection.keepAliveIntervalInMilliseconds = 20;
    await connection.start();
    await until(() => hub.clients[0]!.pings >= 3, "three pings");
    await connection.stop();

    const silent = build(hub.port);
    silent.serverTimeoutInMilliseconds = 100;
    const closed = defer<Error>();
    silent.onclose(closed.resolve);
    await silent.start();
    assertStringIncludes((await closed.promise).message, "Server timeout elapsed");
  });

  it("ends by a close message, and tells why", async () => {
    await using hub = await Hub.start(host);
    const ended = async (end: (client: HubClient) => void): Promise<Error | undefined> => {
      const connection = build(hub.port);
      const closed = defer<Error | undefined>();
      connection.onclose(closed.resolve);
      await connection.start();
      end(hub.clients.at(-1)!);
      return await closed.promise;
    };
    assertEquals(await ended((client) => client.send({ type: Type.Close })), undefined);
    const error = await ended((client) => client.send({ type: Type.Close, error: "overloaded" }));
    assertStringIncludes(error!.message, "overloaded");
    assertEquals(await ended(({ socket }) => socket.close(1000)), undefined);
    const closed = await ended(({ socket }) => socket.close(4001, "ä enough"));
    assertStringIncludes(closed!.message, "4001 (ä enough)");
    const lost = await ended(({ socket }) => socket.terminate());
    assertStringIncludes(lost!.message, "1006");
  });

  it("connects again after a loss, and after a close message that allows it", async () => {
    await using hub = await Hub.start(host);
    const proxy = await FaultProxy.listen(hub.port);
    let linked = proxy.next();
    const connection = build(proxy.port, { skipNegotiation: true, transport: HttpTransportType.WebSockets }, [0, 10]);
    let reconnected = 0;
    connection.onreconnected(() => reconnected++);
    await connection.start();
    assertEquals([hub.negotiated, hub.upgrades[0]!.url], [0, "/hub"]);
    const link = await linked;
    linked = proxy.next();
    const pending = connection.invoke("Never").catch((error: Error) => error);
    link.cut("reset");
    assert(await pending instanceof Error);
    await until(() => reconnected === 1, "the new connection");
    assertEquals(await connection.invoke("Add", 1, 2), 3);
    await until(() => hub.clients[0]!.socket.readyState === 3, "the end of the first one");
    hub.clients[1]!.send({ type: Type.Close, allowReconnect: true });
    await until(() => reconnected === 2, "another one");
    assertEquals(await connection.invoke("Add", 2, 2), 4);
    await connection.stop();
    await proxy.close();
  });

  it("gives up once the server has gone, and refuses a message that is too large", async () => {
    const hub = await Hub.start(host, { maxPayload: 10_000 });
    const large = build(hub.port);
    const refused = defer<Error>();
    large.onclose(refused.resolve);
    await large.start();
    large.invoke("Echo", "x".repeat(20_000)).catch(() => {});
    assertStringIncludes((await refused.promise).message, "1009");

    const connection = await connect(hub.port, {}, [0, 1]);
    const [lost, closed] = [defer<Error>(), defer<Error | undefined>()];
    connection.onreconnecting(lost.resolve);
    connection.onclose(closed.resolve);
    await hub.close();
    assertStringIncludes((await lost.promise).message, "1006");
    assertEquals(await closed.promise, undefined);
    const late: Error = await connect(hub.port).catch((error) => error);
    assert(late instanceof Error);
  });
});
