import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type HandshakeError, OptionError } from "../../base/errors.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import { type RouteOptions, WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { ROUTE_HANDLERS, ROUTE_SETTINGS } from "../../server/route_options.ts";
import { SERVER_HANDLERS } from "../../server/handlers.ts";
import { SERVER_OTHER_OPTIONS, SERVER_SETTINGS } from "../../server/settings.ts";
import { WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { startNodeHttp } from "../support/node_http.ts";
import { RawSocket } from "../support/sockets.ts";
import { FakeClock, pipe, Random, until } from "../support/support.ts";

/** A server on loopback, and clients of it. */
async function serve(options: WebSocketServerOptions<unknown>): Promise<{
  server: WebSocketServer;
  errors: unknown[];
  connect(path: string, options?: WebSocketClientOptions): Promise<WebSocketClient>;
  ask(path: string, init?: RequestInit): Promise<[status: number, text: string]>;
  close(): Promise<void>;
}> {
  const errors: unknown[] = [];
  const server = new WebSocketServer({
    port: 0,
    hostname: "127.0.0.1",
    onError: (error) => void errors.push(error),
    ...options,
  });
  await server.start();
  const { port } = server.address!;
  const clients: WebSocketClient[] = [];
  return {
    server,
    errors,
    async connect(path, options = {}) {
      const client = new WebSocketClient(`ws://127.0.0.1:${port}${path}`, options);
      await client.connect();
      clients.push(client);
      return client;
    },
    async ask(path, init = {}) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return [response.status, await response.text()];
    },
    async close() {
      for (const client of clients) await client.disconnect();
      await server.stop();
    },
  };
}

/** Sends a text, and gives the answer. */
async function say(client: WebSocketClient, text: string): Promise<unknown> {
  client.send(text);
  return await client.receive();
}

describe("routes", () => {
  it("have handlers of their own, parameters, and those of the server where they have none", async () => {
    const calls: string[] = [];
    const { connect, close, errors } = await serve({
      onMessageReceived: (connection, text) => void connection.send(`server ${text}`),
      onOpen: (connection) => void calls.push(`server opens ${connection.request.path}`),
      onEnd: (connection) => void calls.push(`server ends ${connection.request.path}`),
      onConnect: (connection) => void calls.push(`connects ${JSON.stringify(connection.params)}`),
      routes: {
        "/chat/:room": {
          onOpen: (connection) => void calls.push(`chat opens ${connection.params.room}`),
          onMessageReceived: (connection, text) => void connection.send(`${connection.params.room} ${text}`),
        },
        "/echo": {},
      },
    });
    assertEquals(await say(await connect("/chat/r%20d?x=1"), "a"), "r d a");
    assertEquals(await say(await connect("/echo"), "b"), "server b");
    await close();
    assertEquals(calls, [
      "connects {}",
      "chat opens r d",
      "connects {}",
      "server opens /echo",
      "server ends /chat/r%20d",
      "server ends /echo",
    ]);
    assertEquals(errors, []);
  });

  it("call each of their handlers, and never the server's then", async () => {
    const calls: string[] = [];
    const note = (who: string) => (name: string) => (...args: unknown[]): undefined =>
      void calls.push(`${who} ${name} ${args.length}`);
    const handlersOf = (who: string): RouteOptions => {
      const called = note(who);
      return {
        onAllow: () => {
          called("onAllow")();
          return true;
        },
        onSelectProtocol: (_, offered) => {
          called("onSelectProtocol")();
          return offered[1];
        },
        onOpen: called("onOpen"),
        onHandshakeResponseSent: called("onHandshakeResponseSent"),
        onMessageReceived: called("onMessageReceived"),
        onBinaryDataReceived: called("onBinaryDataReceived"),
        onPing: called("onPing"),
        onPong: called("onPong"),
        onClose: called("onClose"),
        onEnd: called("onEnd"),
        onCommandGet: () => {
          called("onCommandGet")();
          return new Response("of the route");
        },
        onError: called("onError"),
      };
    };
    assertEquals(Object.keys(handlersOf("")), Object.keys(ROUTE_HANDLERS));
    const { connect, ask, close } = await serve({ ...handlersOf("server"), routes: { "/a": handlersOf("route") } });
    const client = await connect("/a", { protocols: ["x", "y"] });
    assertEquals(client.protocol, "y");
    client.send("text");
    client.send(new Uint8Array(1));
    await client.ping();
    client.pong();
    assertEquals(await ask("/a"), [200, "of the route"]);
    await until(() => calls.includes("route onPong 2"), "the pong");
    await client.disconnect();
    await until(() => calls.includes("route onEnd 2"), "the end");
    await close();
    assertEquals(calls.filter((call) => call.startsWith("server")), []);
    assertEquals(new Set(calls.map((call) => call.split(" ")[1])).size, Object.keys(ROUTE_HANDLERS).length - 1);
  });

  it("report failures of their handlers to their own onError, and to the server's without one", async () => {
    const own: unknown[] = [];
    const fail = (): never => {
      throw new Error("of the program");
    };
    const { connect, ask, close, errors } = await serve({
      routes: {
        "/own": { onMessageReceived: fail, onCommandGet: fail, onError: (error) => void own.push(error) },
        "/server": { onMessageReceived: fail, onCommandGet: fail },
        "/refused": { onAllow: () => fail(), onError: (error) => void own.push(error) },
      },
    });
    for (const path of ["/own", "/server"]) {
      const client = await connect(path);
      client.send("a");
      await until(() => client.state === "closed", "the end");
      assertEquals((await ask(path))[0], 500);
    }
    const refused = await connect("/refused").catch((error: HandshakeError) => error.status);
    assertEquals(refused, 500);
    await close();
    const names = (list: unknown[]): string[] => list.map((error) => /on[A-Z]\w+/.exec(String(error))![0]);
    assertEquals(names(own), ["onMessageReceived", "onCommandGet", "onAllow"]);
    assertEquals(names(errors), ["onMessageReceived", "onCommandGet"]);
  });

  it("leave errors of a later request, whose path is not known, to the server", async () => {
    const own: unknown[] = [];
    const { server, close, errors } = await serve({
      onError: (error, connection) => void errors.push(error, connection!.params),
      routes: { "/:own": { onCommandGet: () => new Response("own"), onError: (error) => void own.push(error) } },
    });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write("GET /own HTTP/1.1\r\nHost: a\r\n\r\nmalformed\r\n\r\n");
    assertStringIncludes(await socket.readText(), "HTTP/1.1 400 ");
    await close();
    assertEquals([own.length, errors.length, errors[1]], [0, 2, {}]);
  });

  it("call handlers as methods of the route", async () => {
    const seen: unknown[] = [];
    const route: RouteOptions = {
      maxMessageSize: 77,
      onOpen() {
        seen.push(this.maxMessageSize);
      },
    };
    const { connect, close } = await serve({ routes: { "/a": route } });
    await connect("/a");
    await close();
    assertEquals(seen, [77]);
  });

  it("answer 404 for other paths, and 400 for parameters that cannot be decoded", async () => {
    const { server, connect, ask, close, errors } = await serve({
      onCommandGet: (request) => new URL(request.url).pathname === "/page" ? new Response("a page") : undefined,
      routes: { "/chat/:room": { onAllow: () => true }, "/own": { onCommandGet: () => new Response("own") } },
    });
    for (const [path, status] of [["/other", 404], ["/chat", 404], ["/chat/a/b", 404], ["/chat/%ff", 400]] as const) {
      const error = await connect(path).then(() => undefined, (error: HandshakeError) => error);
      assertEquals(error?.status, status, path);
    }
    assertEquals(errors.length, 4);
    assertEquals(await ask("/page"), [200, "a page"]);
    assertEquals(await ask("/own"), [200, "own"]);
    assertEquals((await ask("/other"))[0], 404);
    assertEquals((await ask("/chat/red"))[0], 426);
    assertEquals((await ask("/chat/%ff"))[0], 400);
    const { port } = server.address!;
    for (const path of ["/chat/../own", "//own", "/own/", `/own/${"a".repeat(10_000)}`, "/chat/%2e%2e"]) {
      const socket = await RawSocket.connect(port);
      await socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      assertStringIncludes(await socket.readText(), "HTTP/1.1 404 ", path.slice(0, 20));
    }
    await close();
  });

  it("are found for each request of a connection that is kept alive", async () => {
    const seen: unknown[] = [];
    const { server, close } = await serve({
      onCommandGet: (_, connection) => void seen.push(connection.params),
      routes: {
        "/:a": { onCommandGet: (_, { params }) => Response.json(params) },
        "/x/:b": { onCommandGet: (_, { params }) => Response.json(params), maxBodySize: 2 },
      },
    });
    const socket = await RawSocket.connect(server.address!.port);
    const paths = ["/1", "/x/2", "/none/of/them", "/3"];
    for (const path of paths) await socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await socket.write("POST /x/4 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    const text = await socket.readText();
    const statuses = [...text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status);
    assertEquals(statuses, ["200", "200", "404", "200", "413"]);
    assertEquals([...text.matchAll(/\{.*\}/g)].map(([json]) => json), ['{"a":"1"}', '{"b":"2"}', '{"a":"3"}']);
    assertEquals(seen, [{}]);
    await close();
  });

  it("have settings of their own, and the server's where they have none", async () => {
    const clock = new FakeClock();
    const { server, connect, close } = await serve({
      clock,
      pingInterval: 0,
      maxMessageSize: 100,
      protocols: ["server"],
      options: { manualPong: true },
      routes: {
        "/large": {
          maxMessageSize: 1000,
          protocols: ["route"],
          compression: true,
          splitMessage: true,
          frameSize: 20,
          idleTimeout: 5000,
          maxBufferedAmount: 500,
          options: { frameByFrame: true },
          origins: ["https://good.example"],
        },
        "/small": {},
      },
      onMessageReceived: (connection, text) => void connection.send(text),
    });
    const offer = { protocols: ["route", "server"], compression: true };
    const large = await connect("/large", { ...offer, headers: { origin: "https://good.example" } });
    assertEquals([large.protocol, large.extensions.length], ["route", 1]);
    const text = "a".repeat(300);
    assertEquals(await say(large, text), text);
    const [peer] = server.connections;
    assertThrows(() => peer!.send(new Random(1).bytes(600)), OptionError, "maxBufferedAmount");
    const refused = await connect("/large", { origin: "https://evil.example" }).catch((error: HandshakeError) => error);
    assertEquals((refused as HandshakeError).status, 403);
    const small = await connect("/small", offer);
    assertEquals([small.protocol, small.extensions.length], ["server", 0]);
    assertEquals(await say(small, "b"), "b");
    const ended = new Promise<number>((resolve) => small.onDisconnect = ({ code }) => resolve(code));
    small.send(text);
    assertEquals(await ended, 1009);
    const idle = new Promise<number>((resolve) => large.onDisconnect = ({ code }) => resolve(code));
    clock.advance(6000);
    assertEquals(await idle, 1001);
    await close();
  });

  it("limit the promises of their handlers, and their rates", async () => {
    let running = 0;
    let most = 0;
    const onMessageReceived = async (connection: WebSocketConnection, text: string): Promise<void> => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      if (text === "last") connection.send("done");
    };
    const { connect, close } = await serve({
      onMessageReceived,
      routes: { "/one": { concurrency: 1 }, "/slow": { maxMessageRate: 1, rateBurstSeconds: 1 } },
    });
    const one = await connect("/one");
    for (let index = 0; index < 10; index++) one.send("a");
    assertEquals(await say(one, "last"), "done");
    assertEquals(most, 1);
    const slow = await connect("/slow");
    const ended = new Promise<number>((resolve) => slow.onDisconnect = ({ code }) => resolve(code));
    for (let index = 0; index < 10; index++) slow.send("a");
    assertEquals(await ended, 1008);
    await close();
  });

  it("serve loops that began before the route was known", async () => {
    const got: unknown[] = [];
    const { connect, close } = await serve({
      async onConnect(connection) {
        for await (const message of connection) got.push([connection.params.room, message]);
      },
      routes: { "/:room": { maxMessageSize: 10, onOpen: (connection) => void connection.send("hello") } },
    });
    const client = await connect("/red");
    assertEquals(await client.receive(), "hello");
    client.send("a");
    await until(() => got.length > 0, "the message");
    assertEquals(got, [["red", "a"]]);
    await close();
  });

  it("leave handlers of subclasses as they are, which may be replaced at any time", async () => {
    class Chat extends WebSocketServer {
      #greeting = "hello from";
      override onMessageReceived(connection: WebSocketConnection, text: string): void {
        connection.send(`${this.#greeting} the class, ${text}`);
      }
    }
    await using server = new Chat({ port: 0, hostname: "127.0.0.1", routes: { "/:a": {} } });
    await server.start();
    await using client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/x`);
    await client.connect();
    assertEquals(await say(client, "a"), "hello from the class, a");
    server.onMessageReceived = (connection, text) => void connection.send(`replaced ${text}`);
    assertEquals(await say(client, "b"), "replaced b");
  });

  it("share topics, and stop with the server", async () => {
    const { server, connect, close } = await serve({
      routes: {
        "/chat/:room": {
          onOpen: (connection) => void connection.subscribe(connection.params.room!),
          onMessageReceived: (connection, text) => void server.publish(connection.params.room!, text),
        },
        "/watch": { onOpen: (connection) => void connection.subscribe("red") },
      },
    });
    const [red, blue, watch] = [await connect("/chat/red"), await connect("/chat/blue"), await connect("/watch")];
    red.send("to red");
    blue.send("to blue");
    assertEquals(await Promise.all([red, blue, watch].map((client) => client.receive())), [
      "to red",
      "to blue",
      "to red",
    ]);
    const ended = new Promise<number>((resolve) => watch.onDisconnect = ({ code }) => resolve(code));
    await server.stop();
    assertEquals([await ended, server.stats().connections.open], [1001, 0]);
    await close();
  });

  it("serve the upgrades of another HTTP server", async () => {
    const server = new WebSocketServer({
      onError: () => {},
      routes: { "/:room": { onMessageReceived: (peer, text) => void peer.send(`${peer.params.room} ${text}`) } },
    });
    const http = await startNodeHttp(server);
    await using client = new WebSocketClient(`ws://127.0.0.1:${http.port}/red`);
    await client.connect();
    assertEquals(await say(client, "a"), "red a");
    const other = new WebSocketClient(`ws://127.0.0.1:${http.port}/red/blue`);
    assertEquals((await other.connect().catch((error) => error)).status, 404);
    await server.stop();
    await http.close();
  });
});

describe("the option routes", () => {
  it("refuses what a route cannot have, by name", () => {
    const noop = (): void => {};
    const wrong: [unknown, string][] = [
      [[], 'The option "routes" is an array instead of an object'],
      [5, 'The option "routes" is 5 instead of an object'],
      [{ "/a": undefined }, 'routes["/a"] takes options as an object'],
      [{ "/a": noop }, 'routes["/a"] takes options as an object such as { onMessageReceived }, not a function'],
      [
        { "/chat/:room": { onMesageReceived: noop } },
        'routes["/chat/:room"] has no option "onMesageReceived"; did you mean "onMessageReceived"?',
      ],
      [
        { "/a": { onMessageReceived: "a" } },
        'The handler "routes["/a"].onMessageReceived" is "a" instead of a function',
      ],
      [{ "/a": { maxMessageSize: -1 } }, 'routes["/a"].maxMessageSize'],
      [{ "/a": { slowConsumer: "x" } }, 'routes["/a"].slowConsumer'],
      [{ "/a": { options: { manualPing: true } } }, '"manualPing"'],
      [{ "/a": { compression: { leve: 1 } } }, '"leve"'],
      [{ "/a": { port: 80 } }, 'routes["/a"] cannot have "port": it belongs to the server'],
      [{ "/a": { onConnect: noop } }, 'routes["/a"] cannot have "onConnect": it is called before the path is known'],
      [{ "a": {} }, 'The route "a" does not begin with "/"'],
      [{ "/a": {}, "/:b": {}, "/c": {} }, 'The route "/c" is never reached'],
    ];
    for (const [routes, message] of wrong) {
      const make = (): unknown => new WebSocketServer({ routes } as WebSocketServerOptions);
      assertStringIncludes(assertThrows(make, OptionError).message, message);
    }
  });

  it("knows each handler and setting: it belongs to routes, or to the server", () => {
    const server = Object.keys({ ...SERVER_SETTINGS, ...SERVER_HANDLERS, ...SERVER_OTHER_OPTIONS });
    for (const name of server) {
      if (name in ROUTE_HANDLERS || name in ROUTE_SETTINGS) continue;
      const make = (): unknown =>
        new WebSocketServer({ routes: { "/": { [name]: undefined } } } as WebSocketServerOptions);
      assertStringIncludes(assertThrows(make, OptionError).message, `routes["/"] cannot have "${name}"`);
    }
    for (const name of [...Object.keys(ROUTE_HANDLERS), ...Object.keys(ROUTE_SETTINGS)]) assert(server.includes(name));
  });

  it("is an option of the constructor, and no property, which would do nothing", async () => {
    class Mine extends WebSocketServer {
      routes = { "/a": {} };
    }
    const message = 'Cannot set "routes": it is an option of the constructor; in a subclass: super({ routes })';
    assertThrows(() => Object.assign(new WebSocketServer(), { routes: {} }), OptionError, message);
    await assertRejects(() => new Mine({ port: 0 }).start(), OptionError, message);
    assertThrows(() => new Mine().acceptStream(pipe()[0]), OptionError, message);
  });

  it("excludes pathName", () => {
    const message = 'The setting "pathName" does not go with "routes"';
    assertThrows(() => new WebSocketServer({ pathName: "/a", routes: {} }), OptionError, message);
    const server = new WebSocketServer({ pathName: "", routes: { "/a": {} } });
    assertThrows(() => server.pathName = "/a", OptionError, message);
    assertEquals(server.pathName, "");
  });

  it("is not one of a WhatsAppServer, whose paths are its own", () => {
    const make = (): unknown => new WhatsAppServer({ routes: {} } as WhatsAppServerOptions);
    assertStringIncludes(assertThrows(make, OptionError).message, "put a WebSocketServer with routes beside it");
  });

  it("types the handlers of routes as those of the server", () => {
    interface User {
      name: string;
    }
    const routes: Record<string, RouteOptions<User>> = {
      "/:room": { onOpen: ({ data, params }) => void assert(typeof data.name + params.room!) },
    };
    const server: WebSocketServer<User> = new WebSocketServer<User>({ routes });
    const any: WebSocketServer = server as WebSocketServer;
    assertEquals(any.connections.size, 0);
  });
});
