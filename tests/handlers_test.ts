/** The handlers of all four classes, in each way a program may give them. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, OptionError } from "../base/errors.ts";
import { WebSocketClient, type WebSocketClientOptions } from "../client.ts";
import { CLIENT_HANDLERS } from "../client/settings.ts";
import { signNotification } from "../cloud_api/mod.ts";
import { simulateNotification } from "../cloud_api/simulated.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { encodeInboxMessage } from "../inbox/protocol.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { SERVER_HANDLERS } from "../server/handlers.ts";
import {
  WhatsAppReceiver,
  type WhatsAppReceiverOptions,
  WhatsAppServer,
  type WhatsAppServerOptions,
} from "../whatsapp.ts";
import { RECEIVER_HANDLERS } from "../whatsapp/receiver_settings.ts";
import { WHATSAPP_HANDLERS } from "../whatsapp/settings.ts";
import { decode, encode, pipe, tlsFile, until } from "./support/support.ts";

type Maker = new (options: Record<string, unknown>) => object;

/** Calls of the handlers of one object, and their answers. */
class Calls {
  readonly counts = new Map<string, number>();
  /** Handlers that were called without their object as `this`. */
  readonly detached = new Set<string>();
  owner: object | undefined;
  readonly #answers: Readonly<Record<string, () => unknown>>;

  constructor(answers: Readonly<Record<string, () => unknown>>) {
    this.#answers = answers;
  }

  take(name: string, self: unknown): unknown {
    this.counts.set(name, this.count(name) + 1);
    // Records of a constructor come before the object is known.
    if (this.owner !== undefined && self !== this.owner) this.detached.add(name);
    return this.#answers[name]?.();
  }

  count(name: string): number {
    return this.counts.get(name) ?? 0;
  }
}

const WAYS: Record<string, (Base: Maker, names: string[], calls: Calls, options: Record<string, unknown>) => object> = {
  "methods of a subclass": (Base, names, calls, options) => {
    const Mine = names.reduce((Before, name) =>
      class extends Before {
        [name]() {
          return calls.take(name, this);
        }
      }, Base);
    return new Mine(options);
  },
  "fields of a subclass": (Base, names, calls, options) => {
    const Mine = names.reduce((Before, name) =>
      class extends Before {
        [name] = () => calls.take(name, this);
      }, Base);
    return new Mine(options);
  },
  "options": (Base, names, calls, options) => new Base({ ...options, ...functions(names, calls) }),
  "assignments": (Base, names, calls, options) => Object.assign(new Base(options), functions(names, calls)),
  "methods that call super": (Base, names, calls, options) => {
    const Between = names.reduce((Before, name) =>
      class extends Before {
        [name]() {
          return calls.take(name, this);
        }
      }, Base);
    const Mine = names.reduce((Before, name) =>
      class extends Before {
        [name](...args: unknown[]) {
          // deno-lint-ignore no-explicit-any -- the name is computed
          return (super[name as keyof object] as any)?.(...args);
        }
      }, Between as Maker);
    return new Mine(options);
  },
  "assignments over methods": (Base, names, calls, options) => {
    const Mine = names.reduce((Before, name) =>
      class extends Before {
        [name]() {
          throw new Error(`the method ${name} was called`);
        }
      }, Base);
    return Object.assign(new Mine(options), functions(names, calls));
  },
};

function functions(names: string[], calls: Calls): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, function (this: unknown) {
    return calls.take(name, this);
  }]));
}

/** Makes an object of a subclass with a field of any value. */
function withField(Base: Maker, name: string, value: unknown, options: Record<string, unknown>): object {
  const Mine = class extends Base {
    [name] = value;
  };
  return new Mine(options);
}

/** Sends text over a pair of streams, and reads to the end. */
async function request(server: WebSocketServer, ...pieces: (string | Uint8Array)[]): Promise<string> {
  const [ours, theirs] = pipe();
  server.acceptStream(ours);
  const writer = theirs.writable.getWriter();
  for (const piece of pieces) writer.write(typeof piece === "string" ? encode(piece) : piece).catch(() => {});
  let answer = "";
  for await (const bytes of theirs.readable) answer += decode(bytes);
  await writer.close().catch(() => {});
  return answer;
}

const HEAD = "HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";

/** Lets a server call each of its handlers. */
async function playServer(server: WebSocketServer, calls: Calls): Promise<void> {
  await server.start();
  const [ours, theirs] = pipe();
  const connection = server.acceptStream(ours);
  const client = new WebSocketClient({ protocols: ["other", "chat"], onMessageReceived: () => {} });
  await client.connect({ stream: theirs });
  assertEquals(client.protocol, "chat");
  client.send("text");
  client.send(encode("bytes"));
  client.ping("a");
  connection.ping("b");
  await until(() => calls.count("onPing") + calls.count("onPong") === 2, "ping and pong");
  await client.disconnect();
  assert((await request(server, `GET /page ${HEAD}\r\n`)).includes("the page"));
  assert((await request(server, "no request\r\n\r\n")).startsWith("HTTP/1.1 400"));
  await server.stop();
}

const NOTIFICATION = encode(simulateNotification(0, { type: "text" }).json);

async function playWhatsAppServer(server: WhatsAppServer, calls: Calls): Promise<void> {
  const head = `POST / ${HEAD}content-type: application/json\r\ncontent-length: ${NOTIFICATION.length}\r\n` +
    `x-hub-signature-256: ${signNotification(NOTIFICATION, "secret")}\r\n\r\n`;
  assert((await request(server, head, NOTIFICATION)).startsWith("HTTP/1.1 200"));
  await playServer(server, calls);
}

/** Serves what lets a client call each of its handlers: three connections. */
async function playClient(
  client: WebSocketClient,
  calls: Calls,
  protocol: string,
  greet: (connection: WebSocketConnection) => void,
): Promise<void> {
  const connections: WebSocketConnection[] = [];
  await using server = new WebSocketServer({
    port: 0,
    hostname: "127.0.0.1",
    useSSL: true,
    certificateFile: tlsFile("leaf.pem"),
    certificateKeyFile: tlsFile("leaf.key"),
    protocols: [protocol],
    onHandshakeResponseSent(connection) {
      if (connections.push(connection) > 1) return;
      greet(connection);
      connection.ping("a");
    },
  });
  await server.start();
  client.port = server.address!.port;
  await client.connect();
  await until(() => calls.count("onPing") === 1, "the ping");
  // Its handler fails, which closes the connection.
  client.ping("b");
  await until(() => connections.length === 2 && client.state === "open", "the second connection");
  connections[1]!.close(1012);
  await until(() => connections.length === 3 && client.state === "open", "the third connection");
  await client.disconnect();
}

function greetReceiver(connection: WebSocketConnection): void {
  const parts = ["text", "status", "account_update"].map((type, at) => encode(simulateNotification(at, { type }).json));
  connection.send(encodeInboxMessage({ type: "welcome", journal: "j", after: 0, last: 9, window: 16 }));
  connection.send(encodeInboxMessage({ type: "gap", after: 0, until: 5 }));
  const receivedAt = new Date(0).toISOString();
  for (const [at, body] of [...parts, Uint8Array.of(0x22, 0xff, 0x22)].entries()) {
    connection.send(encodeInboxMessage({ type: "notification", seq: 6 + at, signature: "", receivedAt }, body));
  }
  connection.send(encodeInboxMessage({ type: "current", seq: 9 }));
}

const reject = (): Promise<never> => Promise.reject(new Error("on purpose"));

const SERVER_ANSWERS = {
  onGetSSLPassword: () => "secret",
  onAllow: () => true,
  onSelectProtocol: () => "chat",
  onCommandGet: () => new Response("the page"),
};
const TLS = { certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("pkcs8-aes256-sha512.key") };
const SERVER_OPTIONS = { port: 0, hostname: "127.0.0.1", ...TLS };
const CLIENT_OPTIONS = {
  hostname: "127.0.0.1",
  useSSL: true,
  rootCertificateFile: tlsFile("ca.pem"),
  certificateFile: tlsFile("client.pem"),
  certificateKeyFile: tlsFile("client-encrypted.key"),
  reconnect: { minDelay: 1, maxDelay: 1 },
};
const CLIENT_ANSWERS = { onGetSSLPassword: () => "secret", onPong: reject };

interface Kind {
  name: string;
  Base: unknown;
  names: string[];
  options: Record<string, unknown>;
  answers: Readonly<Record<string, () => unknown>>;
  play(object: object, calls: Calls): Promise<void>;
}

const KINDS: Kind[] = [
  {
    name: "WebSocketServer",
    Base: WebSocketServer,
    names: Object.keys(SERVER_HANDLERS),
    options: { ...SERVER_OPTIONS, useSSL: true },
    answers: SERVER_ANSWERS,
    play: (server, calls) => playServer(server as WebSocketServer, calls),
  },
  {
    name: "WhatsAppServer",
    Base: WhatsAppServer,
    names: [...Object.keys(SERVER_HANDLERS), ...Object.keys(WHATSAPP_HANDLERS)],
    options: { ...SERVER_OPTIONS, appSecret: "secret", receiverToken: null, journal: null, protocols: ["chat"] },
    answers: SERVER_ANSWERS,
    play: (server, calls) => playWhatsAppServer(server as WhatsAppServer, calls),
  },
  {
    name: "WebSocketClient",
    Base: WebSocketClient,
    names: Object.keys(CLIENT_HANDLERS),
    options: { ...CLIENT_OPTIONS, protocols: ["chat"] },
    answers: CLIENT_ANSWERS,
    play: (client, calls) =>
      playClient(client as WebSocketClient, calls, "chat", (connection) => {
        connection.send("text");
        connection.send(encode("bytes"));
      }),
  },
  {
    name: "WhatsAppReceiver",
    Base: WhatsAppReceiver,
    names: [...Object.keys(CLIENT_HANDLERS), ...Object.keys(RECEIVER_HANDLERS)],
    options: CLIENT_OPTIONS,
    answers: CLIENT_ANSWERS,
    play: (receiver, calls) => playClient(receiver as WhatsAppReceiver, calls, "whatsapp-inbox.v1", greetReceiver),
  },
];

for (const { name, Base, names, options, answers, play } of KINDS) {
  describe(`Handlers of a ${name}`, () => {
    for (const [way, make] of Object.entries(WAYS)) {
      it(`are called as ${way}, with the object as this`, async () => {
        const calls = new Calls(answers);
        const owner = make(Base as Maker, names, calls, options);
        calls.owner = owner;
        await play(owner, calls);
        assertEquals([...calls.counts.keys()].sort(), names.toSorted());
        assertEquals([...calls.detached], []);
      });
    }

    it("are not set without a program, as null or as undefined", () => {
      for (const none of [null, undefined]) {
        const given = Object.fromEntries(names.map((handler) => [handler, none]));
        const owner = new (Base as Maker)({ ...options, ...given });
        for (const handler of names) assertEquals(Reflect.get(owner, handler), undefined, handler);
        for (const handler of names) assertEquals(handler in owner, true, handler);
        assertEquals(names.filter((handler) => Object.hasOwn(owner, handler)), []);
      }
    });

    it("that are no functions are refused by name", async () => {
      for (const handler of names) {
        for (const wrong of ["x", 1, true, {}, Object.create(null)]) {
          const text = `The handler "${handler}" is `;
          const given = { ...options, [handler]: wrong };
          assertThrows(() => new (Base as Maker)(given), OptionError, text);
          const begin = async (): Promise<void> => {
            const owner = withField(Base as Maker, handler, wrong, options);
            if (owner instanceof WebSocketClient) await owner.connect();
            else if (owner instanceof WebSocketServer) await owner.start();
          };
          await assertRejects(begin, OptionError, text);
        }
      }
    });
  });
}

describe("Handlers of subclasses", () => {
  it("refuse: a method onAllow opens no WebSocket", async () => {
    class Closed extends WebSocketServer {
      override onAllow() {
        return false;
      }
    }
    class Reopened extends Closed {
      // deno-lint-ignore no-explicit-any -- a field without a value, as plain JavaScript has it
      override onAllow: any = undefined;
    }
    class ClosedInbox extends WhatsAppServer {
      override onAllow() {
        return false;
      }
    }
    const servers = [
      new Closed(),
      new Closed({ onAllow: undefined }),
      new Reopened(),
      new ClosedInbox({ appSecret: null, receiverToken: null, journal: null, behindProxy: true }),
    ];
    for (const server of servers) {
      const [ours, theirs] = pipe();
      server.acceptStream(ours);
      const refusal = await assertRejects(() => new WebSocketClient().connect({ stream: theirs }), HandshakeError);
      assertEquals(refusal.status, 403);
      await server.stop();
    }
  });

  it("are asked by WhatsAppServer instead of a token", async () => {
    class Asking extends WhatsAppServer {
      override onAllow() {
        return true;
      }
    }
    const options = { port: 0, hostname: "127.0.0.1", behindProxy: true, appSecret: null, journal: null };
    await using server = new Asking(options);
    await server.start();
    assertInstanceOf(await new WhatsAppServer(options).start().catch((error) => error), OptionError);
  });

  it("take messages: none waits, and an option comes first", async () => {
    const got: string[] = [];
    class Mine extends WebSocketClient {
      override onMessageReceived(text: string) {
        got.push(`method ${text}`);
      }
    }
    for (const options of [{}, { onMessageReceived: (text: string) => got.push(`option ${text}`) }]) {
      const client = new Mine(options);
      await using server = await greeting();
      await client.connect({ stream: server.stream });
      await until(() => got.length > 0, "the message");
      client.onMessageReceived = (text) => got.push(`assigned ${text}`);
      server.connection.send("2");
      await until(() => got.length > 1, "the second message");
      await client.disconnect();
      const first = options.onMessageReceived === undefined ? "method" : "option";
      assertEquals(got.splice(0), [`${first} hello`, "assigned 2"]);
    }
  });

  it("are handed what waited, when they are assigned over a field without a value", async () => {
    class Mine extends WebSocketClient {
      // deno-lint-ignore no-explicit-any -- as plain JavaScript has it
      override onMessageReceived: any = undefined;
    }
    const client = new Mine();
    await using server = await greeting();
    await client.connect({ stream: server.stream });
    client.ping();
    await until(() => client.stats().messages.received === 1, "the message, which waits");
    const got: string[] = [];
    client.onMessageReceived = (text: string) => got.push(text);
    assertEquals(got, ["hello"]);
    client.onMessageReceived = null;
    server.connection.send("into the void");
    await client.disconnect();
    assertEquals(got, ["hello"]);
  });

  it("of a WhatsAppReceiver count too: a method gets the records", async () => {
    const got: string[] = [];
    class Mine extends WhatsAppReceiver {
      override onWhatsAppMessageReceived({ type }: { type: string }) {
        got.push(type);
      }
    }
    const server = new WebSocketServer({ protocols: ["whatsapp-inbox.v1"], onHandshakeResponseSent: greetReceiver });
    const [ours, theirs] = pipe();
    server.acceptStream(ours);
    const receiver = new Mine({ useSSL: false });
    await receiver.connect({ stream: theirs });
    await until(() => got.length === 1, "the message");
    await receiver.disconnect();
    assertEquals(got, ["text"]);
    await server.stop();
  });
});

/** A server that says hello to its one connection. */
async function greeting(): Promise<{
  stream: ReturnType<typeof pipe>[1];
  connection: WebSocketConnection;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const server = new WebSocketServer({ onHandshakeResponseSent: (connection) => connection.send("hello") });
  const [ours, stream] = pipe();
  const connection = server.acceptStream(ours);
  await Promise.resolve();
  return { stream, connection, [Symbol.asyncDispose]: () => server.stop() };
}

describe("Properties that a class does not have", () => {
  const options = { appSecret: null, receiverToken: null, journal: null, behindProxy: true };
  const makers: [string, () => object][] = [
    ["WebSocketServer", () => new WebSocketServer()],
    ["WebSocketClient", () => new WebSocketClient()],
    ["WhatsAppServer", () => new WhatsAppServer(options)],
    ["WhatsAppReceiver", () => new WhatsAppReceiver()],
  ];
  const cases: [string, Record<string, string>][] = [
    ["onmessage", { "": "onMessageReceived" }],
    ["onMesageReceived", { "": "onMessageReceived" }],
    ["onclose", { Server: "onEnd", "": "onDisconnect" }],
    ["onerror", { "": "onError" }],
    ["onopen", { Server: "onOpen", Client: "onConnect", Receiver: "onConnect" }],
    ["host", { "": "hostname" }],
    ["orgins", { Server: "origins" }],
    ["maxMessagesize", { "": "maxMessageSize" }],
    ["windw", { Receiver: "window" }],
    ["onRawMesage", { WhatsAppServer: "onRawMessage" }],
    ["onWhatsAppMessage", { Receiver: "" }],
    ["colour", { "": "" }],
  ];
  for (const [name, make] of makers) {
    it(`cannot be set on a ${name}, and the error names the one that is meant`, () => {
      for (const [property, meant] of cases) {
        const known = Object.entries(meant).find(([suffix]) => name.endsWith(suffix))?.[1];
        if (known === undefined) continue;
        const hint = known === "" ? "" : `; did you mean "${known}"?`;
        const error = assertThrows(() => Reflect.set(make(), property, 1), OptionError);
        assertEquals(error.message, `Cannot set "${property}": a ${name} has no such property${hint}`);
      }
    });

    it(`are those of a subclass of ${name}, unless one looks like a handler or setting`, () => {
      const Base = make().constructor as Maker;
      class Rooms extends Base {
        rooms: unknown;
        constructor(given: Record<string, unknown>) {
          super(given);
          this.rooms = new Map();
          Object.assign(this, { users: 1, room: 2, onJoin() {}, onRoomMessage() {}, names: [], state2: 1 });
        }
      }
      const owner = new Rooms(name === "WhatsAppServer" ? options : {});
      assertInstanceOf(owner.rooms, Map);
      const properties = ["onmessage", "onMesageReceived", "onerror", "maxMesageSize", "HOSTNAME"];
      for (const property of properties) {
        assertThrows(() => Reflect.set(owner, property, 1), OptionError, `Cannot set "${property}"; did you mean "`);
        assertEquals(Object.hasOwn(owner, property), false);
      }
    });
  }

  it("may be symbols, and those of every object", () => {
    const server = new WebSocketServer();
    const key = Symbol("mine");
    Object.assign(server, { [key]: 1, toString: () => "mine" });
    assertEquals([Reflect.get(server, key), `${server}`], [1, "mine"]);
    assertEquals([server instanceof Object, Reflect.get(server, "then")], [true, undefined]);
  });
});

// ---- Types: what follows must pass the compiler ------------------------------------------------------------------

interface User {
  name: string;
}

class ByMethods extends WebSocketServer<User> {
  readonly texts: string[] = [];

  override onAllow(connection: WebSocketConnection<User>) {
    return connection.request.path === "/chat";
  }
  override onMessageReceived(_connection: WebSocketConnection<User>, text: string) {
    return this.texts.push(text);
  }
  override async onDisconnect(connection: WebSocketConnection<User>) {
    await super.onDisconnect?.(connection, { code: 1006, reason: "", clean: false, opened: false });
  }
}

class ByMore extends ByMethods {
  override onMessageReceived(connection: WebSocketConnection<User>, text: string) {
    return super.onMessageReceived(connection, text.toUpperCase());
  }
  override onPing = (connection: WebSocketConnection<User>) => connection.send("pong");
}

class ByFields extends WebSocketClient {
  override onMessageReceived = (text: string) => this.send(text);
  override onConnect = async () => await this.drained();
}

class ByReceiver extends WhatsAppReceiver {
  override onStatusReceived = () => 1;
  override onGap(after: number) {
    return super.onGap?.(after, after);
  }
}

class ByWhatsAppServer extends WhatsAppServer {
  override onRawMessage(message: string) {
    return message !== "";
  }
}

describe("Handlers for the compiler", () => {
  it("may be methods and fields of subclasses", async () => {
    const server = new ByMore();
    const [ours, theirs] = pipe();
    server.acceptStream(ours);
    const client = new ByFields({ pathName: "/chat" });
    await client.connect({ stream: theirs });
    client.ping();
    await until(() => server.texts.length === 1, "the echo of the answer");
    assertEquals(server.texts, ["PONG"]);
    await client.disconnect();
    await server.stop();
    assertEquals([new ByReceiver().onStatusReceived(), new ByReceiver().onGap(1)], [1, undefined]);
    assertEquals(new ByWhatsAppServer().onRawMessage(""), false);
  });

  it("may return anything: the result is ignored", async () => {
    const errors: unknown[] = [];
    const serverOptions: WebSocketServerOptions = {
      onMessageReceived: (connection, text) => connection.send(text),
      onBinaryDataReceived: (connection, bytes) => connection.send(bytes),
      onConnect: (connection) => new Set().add(connection),
      onError: (error) => errors.push(error),
      onLog: (record) => record.event.length,
    };
    const got: unknown[] = [];
    const clientOptions: WebSocketClientOptions = {
      onMessageReceived: (text) => got.push(text),
      onError: (error) => errors.push(error),
    };
    const receiverOptions: WhatsAppReceiverOptions = { onStatusReceived: (status) => got.push(status) };
    const whatsAppOptions: WhatsAppServerOptions = { onConnect: (connection) => got.push(connection) };
    const server = new WebSocketServer(serverOptions);
    const [ours, theirs] = pipe();
    server.acceptStream(ours);
    const client = new WebSocketClient(clientOptions);
    client.onBinaryDataReceived = (bytes) => got.push(bytes);
    server.onPing = (connection) => connection.send("pong");
    await client.connect({ stream: theirs });
    client.send("text");
    client.send(encode("bytes"));
    client.ping();
    await until(() => got.length === 3, "the echoes");
    assertEquals([got, errors], [["text", encode("bytes"), "pong"], []]);
    await client.disconnect();
    await server.stop();
    assertEquals(new WhatsAppReceiver(receiverOptions).onStatusReceived === undefined, false);
    assertEquals(new WhatsAppServer(whatsAppOptions).onConnect === undefined, false);
  });
});
