/**
 * Options as users of other libraries write them first, and options that are misspelt: each is an `OptionError` that
 * names the remedy, when the object is made or, where nothing can be known before, when it starts or connects.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../base/errors.ts";
import { WebSocketClient, WebSocketServer } from "../mod.ts";
import { MemoryJournal, WhatsAppApi, WhatsAppReceiver, WhatsAppServer } from "../whatsapp.ts";
import { Simulator } from "../whatsapp/simulator.ts";
import { pipe } from "./support/support.ts";

type Row = readonly [options: unknown, says: string];
type Loose = new (...args: unknown[]) => object;

const [Server, Client, Journal, Api, Meta, Receiver, Hooks] = [
  WebSocketServer,
  WebSocketClient,
  MemoryJournal,
  WhatsAppApi,
  Simulator,
  WhatsAppReceiver,
  WhatsAppServer,
] as unknown as Loose[];
const URL_TEXT = "ws://127.0.0.1:1/";

/** Wrong options of both sides, and what the error says. */
const BOTH: readonly Row[] = [
  [{ host: "127.0.0.1" }, 'use "hostname"'],
  [{ path: "/chat", port: 8080 }, 'use "pathName"'],
  [{ pathname: "/chat" }, 'use "pathName"'],
  [{ perMessageDeflate: true }, 'use "compression"'],
  [{ maxPayload: 1024 }, 'use "maxMessageSize"'],
  [{ maxPayloadLength: 1024 }, 'use "maxMessageSize"'],
  [{ maxHttpBufferSize: 1e6 }, 'use "maxMessageSize"'],
  [{ backpressureLimit: 1024 }, 'use "maxBufferedAmount"'],
  [{ closeOnBackpressureLimit: true }, 'use "slowConsumer"'],
  [{ protocol: "chat" }, 'use "protocols"'],
  [{ tls: {} }, 'use "useSSL"'],
  [{ secure: true }, 'use "useSSL"'],
  [{ autoPong: false }, '"options: { manualPong: true }"'],
  [{ manualPong: true }, '"options: { manualPong: true }"'],
  [{ skipUTF8Validation: true }, "texts are always checked"],
  [{ pingTimeout: 5000 }, 'use "pongTimeout"'],
  [{ heartbeat: 5000 }, 'use "pingInterval"'],
  [{ transports: ["websocket"] }, "speaks WebSocket only"],
  [{ binaryType: "arraybuffer" }, '"onBinaryDataReceived" gets a Uint8Array'],
  [{ onmessage: () => {} }, 'use "onMessageReceived"'],
  [{ onMessage: () => {} }, 'use "onMessageReceived"'],
  [{ message: () => {} }, 'use "onMessageReceived"'],
  [{ onerror: () => {} }, 'use "onError"'],
  [{ drain: () => {} }, '"drained()"'],
  [{ Port: 80 }, 'did you mean "port"?'],
  [{ PathName: "/" }, 'use "pathName"'],
  [{ UseSSL: true }, '"useSSL"'],
  [{ HostName: "a" }, 'did you mean "host'],
  [{ SplitMessage: true }, 'did you mean "splitMessage"?'],
  [{ onMesageReceived: () => {} }, 'did you mean "onMessageReceived"? The handlers are on'],
  [{ OnBinaryDataReceived: () => {} }, 'did you mean "onBinaryDataReceived"?'],
  [{ Active: true }, "call start() of a server, or connect() of a client"],
  [{ maxMesageSize: 1 }, 'did you mean "maxMessageSize"?'],
  [{ colour: "red" }, 'has no option "colour"'],
  [{ options: { manualpong: true } }, 'The setting "options" has no option "manualpong"; did you mean "manualPong"?'],
  [{ options: { manualPong: "false" } }, '"options.manualPong" is of type "string" instead of "boolean"'],
  [{ options: true }, '"options"'],
  [{ options: ["manualPong"] }, "an array"],
  [{ compression: { treshold: 1 } }, 'The setting "compression" has no option "treshold"; did you mean "threshold"?'],
  [{ compression: { zlibDeflateOptions: {} } }, 'use "level"'],
  [{ compression: "gzip" }, '"gzip", neither true, false nor an object'],
  [{ compression: { level: "9" } }, '"compression.level"'],
  [{ port: "8080" }, '"port" is "8080", of type string instead of number'],
  [{ useSSL: "no" }, '"useSSL" is of type "string" instead of "boolean"'],
  [{ protocols: "chat" }, '"protocols" is "chat" instead of an array'],
  [{ slowConsumer: "wait" }, '"wait" instead of "close" or "drop"'],
  [{ idleTimeout: "30s" }, '"idleTimeout"'],
  [{ onMessageReceived: "onMessage" }, 'The handler "onMessageReceived" is "onMessage" instead of a function'],
  [{ onClose: true }, 'The handler "onClose" is true instead of a function'],
  [{ onError: {} }, 'The handler "onError" is an object instead of a function'],
  [{ onLog: console }, 'The handler "onLog" is an object instead of a function'],
  [{ signal: new AbortController() }, "use its signal"],
  [{ signal: true }, "instead of an AbortSignal"],
  [{ clock: Date }, '"clock"'],
  [{ clock: { now: () => 0 } }, '"clock"'],
  [null, "takes options as an object, not null"],
  [[], "takes options as an object"],
];

const SERVER: readonly Row[] = [
  [8080, "takes options as an object such as { port: 8080 }, not 8080"],
  ["8080", "takes options as an object such as { port: 8080 }"],
  [() => {}, "takes options as an object such as { onMessageReceived }, not a function"],
  [{ orgins: ["https://a.example"] }, 'WebSocketServer has no option "orgins"; did you mean "origins"?'],
  [{ cors: { origin: "*" } }, 'use "origins"'],
  [{ verifyClient: () => true }, 'use "onAllow"'],
  [{ allowRequest: () => true }, 'use "onAllow"'],
  [{ handleProtocols: () => "chat" }, 'use "onSelectProtocol"'],
  [{ noServer: true }, "handleUpgrade()"],
  [{ server: {} }, "handleUpgrade()"],
  [{ clientTracking: true }, '"connections" has all'],
  [{ backlog: 511 }, "the system decides"],
  [{ WebSocket: class {} }, '"connection.data"'],
  [{ cert: "a" }, 'use "certificateFile"'],
  [{ key: "a" }, 'use "certificateKeyFile"'],
  [{ passphrase: "a" }, 'use "onGetSSLPassword"'],
  [{ fetch: () => {} }, 'use "onCommandGet"'],
  [{ websocket: { message: () => {} } }, "put handlers beside the other options"],
  [{ open: () => {} }, 'use "onOpen"'],
  [{ onclose: () => {} }, 'use "onEnd"'],
  [{ close: () => {} }, 'use "onEnd"'],
  [{ onopen: () => {} }, 'use "onOpen"'],
  [{ onConnection: () => {} }, 'use "onOpen"'],
  [{ onListen: () => {} }, "wait for start()"],
  [{ unix: "/tmp/a.sock" }, 'use "path"'],
  [{ maxRequestBodySize: 1 }, 'use "maxBodySize"'],
  [{ publishToSelf: true }, 'the option "except" of publish()'],
  [{ sendPings: false }, 'use "pingInterval"'],
  [{ adapter: {} }, 'use "backplane"'],
  [{ upgradeTimeout: 1 }, 'use "handshakeTimeout"'],
  [{ OnAlow: () => {} }, 'did you mean "onAllow"?'],
  [{ backplane: {} }, 'The setting "backplane" has no methods "publish", "subscribe" and "listen"'],
  [{ backplane: "redis://localhost" }, '"backplane"'],
  [{ pathName: "ws://localhost/chat" }, "is a URL"],
  [{ certificateFile: "a.pem", useSSL: false }, 'The setting "certificateFile" needs "useSSL: true"'],
  [{ certificateKeyFile: "a.pem", useSSL: false }, 'The setting "certificateKeyFile" needs "useSSL: true"'],
];

const CLIENT: readonly Row[] = [
  [{ onclose: () => {} }, 'use "onDisconnect"'],
  [{ close: () => {} }, 'use "onDisconnect"'],
  [8080, "such as { port: 8080 }"],
  [["chat"], 'such as { protocols: ["chat"] }, not an array'],
  [{ url: URL_TEXT }, "give the URL as the first argument"],
  [{ agent: {} }, 'use "proxy"'],
  [{ followRedirects: true }, 'use "maxRedirects"'],
  [{ handshakeTimeout: 1 }, 'use "connectTimeout"'],
  [{ connectionTimeout: 1 }, 'use "connectTimeout"'],
  [{ timeout: 1 }, 'use "connectTimeout"'],
  [{ ca: "a" }, 'use "rootCertificateFile"'],
  [{ rejectUnauthorized: false }, 'use "rootCertificateFile"'],
  [{ auth: "a:b" }, 'use "token" or "headers"'],
  [{ extraHeaders: {} }, 'use "headers"'],
  [{ reconnectInterval: 1000 }, 'use "reconnect: { minDelay }"'],
  [{ minReconnectionDelay: 1000 }, 'use "reconnect: { minDelay }"'],
  [{ maxReconnectionDelay: 1000 }, 'use "reconnect: { maxDelay }"'],
  [{ reconnectionDelayMax: 1000 }, 'use "reconnect: { maxDelay }"'],
  [{ maxRetries: 5 }, 'use "reconnect: { maxAttempts }"'],
  [{ reconnectionAttempts: 5 }, 'use "reconnect: { maxAttempts }"'],
  [{ maxEnqueuedMessages: 5 }, '"reconnect: { maxQueuedSize }"'],
  [{ reconnection: true }, 'use "reconnect"'],
  [{ startClosed: true }, "connect() is called"],
  [{ autoConnect: false }, "connect() is called"],
  [{ onopen: () => {} }, 'use "onConnect"'],
  [{ query: { a: 1 } }, "put the query into the URL"],
  [{ recconect: true }, 'did you mean "reconnect"?'],
  [{ reconnect: 5 }, 'The setting "reconnect" is 5, not true, false, or an object such as { minDelay: 500 }'],
  [{ reconnect: "yes" }, 'The setting "reconnect" is "yes"'],
  [{ reconnect: [1000] }, "an array"],
  [{ reconnect: { maxDely: 1 } }, 'The setting "reconnect" has no option "maxDely"; did you mean "maxDelay"?'],
  [{ reconnect: { maxRetries: 1 } }, 'use "maxAttempts"'],
  [
    { reconnect: { minDelay: 5, maxDelay: 4 } },
    '"reconnect.minDelay" is 5, more than "reconnect.maxDelay", which is 4',
  ],
  [{ reconnect: { minDelay: "1s" } }, '"reconnect.minDelay"'],
  [{ reconnect: { shouldReconnect: true } }, '"reconnect.shouldReconnect"'],
  [{ reconnect: { terminalCodes: ["1000"] } }, '"1000", not a close code'],
  [{ resolveUrl: URL_TEXT }, '"resolveUrl" is of type "string" instead of "function"'],
  [{ token: 5 }, '"token"'],
  [{ headers: "Cookie: a" }, '"headers" is not an object'],
  [{ headers: ["Cookie: a"] }, '"headers"'],
  [{ pathName: 5 }, '"pathName"'],
  [{ useSSL: false, rootCertificateFile: "a.pem" }, '"rootCertificateFile" needs a "wss:" URL'],
  [{ cert: "a.pem" }, 'use "certificateFile", or "certificate" for PEM text'],
  [{ colour: "red" }, 'has no option "colour": names are '],
];

const WHATSAPP_SERVER: readonly Row[] = [
  ...SERVER.filter(([options]) => typeof options === "object" && !("useSSL" in (options as object)))
    .map(([options, says]): Row => [options, says.replace("WebSocketServer", "WhatsAppServer")]),
  [{ useSSL: true }, '"behindProxy"'],
  [{ appSecrets: "a" }, 'did you mean "appSecret"?'],
  [{ verfyToken: "a" }, 'did you mean "verifyToken"?'],
  [{ token: "a" }, 'use "verifyToken" for Meta, "receiverToken" for receivers'],
  [{ onRawMesage: () => {} }, 'did you mean "onRawMessage"?'],
  [{ onRawMessage: "handle" }, 'The handler "onRawMessage" is "handle" instead of a function'],
  [{ onNotification: () => {} }, "it is a handler of WhatsAppReceiver"],
  [{ behindProxy: "yes" }, '"behindProxy" is of type "string"'],
  [{ behindProxy: true, certificateFile: "a.pem" }, '"certificateFile" does not go with "behindProxy"'],
  [{ receiverToken: { token: "a" } }, "[{ token, name }]"],
  [{ receiverToken: [null] }, 'An entry of "receiverToken" takes options as an object such as { token, name, filter }'],
  [
    { receiverToken: [{ token: "a", nam: "b" }] },
    'An entry of "receiverToken" has no option "nam"; did you mean "name"?',
  ],
  [{ apps: {} }, '"apps" is an object instead of an array'],
  [{ apps: ["a"] }, "such as { pathName, appSecret, verifyToken }"],
  [{ apps: [{ path: "/a", appSecret: "s" }] }, 'An entry of "apps" has no option "path"; use "pathName"'],
  [{ apps: [{ appSecret: "s" }] }, 'An entry of "apps" has no "pathName"'],
  [{ appSecret: 5 }, '"appSecret" is neither a text nor a list of texts'],
  [{ journal: {} }, "journal"],
  [{ clientCertificateForm: "rfc2253" }, '"clientCertificateForm"'],
  [{ failureDelay: "1s" }, '"failureDelay"'],
];

const WHATSAPP_RECEIVER: readonly Row[] = [
  ...CLIENT.filter(([options]) => !Array.isArray(options)),
  [{ receiverTokn: "a" }, 'WhatsAppReceiver has no option "receiverTokn"; did you mean "receiverToken"?'],
  [{ since: 5 }, 'use "after"'],
  [{ onStatusRecieved: () => {} }, 'did you mean "onStatusReceived"?'],
  [{ onGap: 5 }, 'The handler "onGap" is 5 instead of a function'],
  [{ onRawMessage: () => {} }, "it is a handler of WhatsAppServer"],
  [{ receiverToken: null }, '"receiverToken"'],
  [{ name: 5 }, '"name" is of type "number" instead of "string"'],
  [{ share: "yes", name: "a" }, '"share" is of type "string"'],
  [{ window: 0 }, '"window" is 0, not an integer from 1 to 4096'],
  [{ after: "5" }, '"after"'],
  [{ after: { after: 5 } }, 'has no "journal"'],
  [{ after: { journal: "j", seq: 5 } }, 'The setting "after" has no option "seq"'],
  [{ filter: { phoneNumberId: ["1"] } }, 'did you mean "phoneNumberIds"?'],
  [{ filter: ["messages"] }, "instead of an object"],
  [{ deduplicate: "yes" }, '"deduplicate" is "yes", neither true, false, nor a store'],
];

function table(name: string, rows: readonly Row[], make: (options: unknown) => unknown): void {
  it(name, () => {
    for (const [options, says] of rows) {
      let thrown: unknown;
      try {
        make(options);
      } catch (error) {
        thrown = error;
      }
      const written = typeof options === "object" ? JSON.stringify(options) : String(options);
      assert(thrown instanceof OptionError, `${name}: ${written} gives ${thrown}`);
      assertStringIncludes(thrown.message, says);
      assertEquals(thrown.code, "ERR_OPTION");
      assert(thrown.message.length < 1000, `the message about ${written} is cut`);
    }
  });
}

describe("options that users of other libraries write, or misspell", () => {
  table("WebSocketServer", [...BOTH, ...SERVER], (options) => new Server!(options));
  table("WebSocketClient", [...BOTH, ...CLIENT], (options) => new Client!(options));
  table(
    "WhatsAppServer",
    [...BOTH, ...WHATSAPP_SERVER].filter(([, says]) => !says.includes('"useSSL" is')),
    (options) => new Hooks!(options),
  );
  table("WhatsAppReceiver", [...BOTH, ...WHATSAPP_RECEIVER], (options) => new Receiver!(options));

  table("a second argument of a client", [
    [["chat"], 'takes options as an object such as { protocols: ["chat"] }, not an array'],
    ["chat", 'takes options as an object such as { protocols: ["chat"] }, not "chat"'],
    [[], 'such as { protocols: ["chat"] }'],
    [null, "takes options as an object, not null"],
    [{ pingIntervall: 5 }, 'did you mean "pingInterval"?'],
  ], (options) => new Client!(URL_TEXT, options));
  table(
    "two objects for a client",
    [[{ port: 1 }, "put all options into one object"]],
    (options) => new Client!({}, options),
  );
  table(
    "two objects for a receiver",
    [[{ port: 1 }, "put all options into one object"]],
    (options) => new Receiver!({}, options),
  );
  table("journals", [
    [{ maxSize: 1 }, 'use "maxBytes"'],
    [{ maxAgee: 1 }, 'did you mean "maxAge"?'],
    [{ maxAge: "1d" }, '"maxAge"'],
    ["a.db", "takes options as an object"],
  ], (options) => new Journal!(options));
  table("WhatsAppApi", [
    [undefined, "takes options as an object"],
    [{ token: "a", phoneNumberId: "1" }, 'use "accessToken"'],
    [{ accessToken: "a", phoneNumberID: "1" }, 'did you mean "phoneNumberId"?'],
    [{ accessToken: "a", phoneNumberId: "1", maxRetrys: 1 }, 'did you mean "maxRetries"?'],
    [{ accessToken: "a", phoneNumberId: "1", fetch: "node-fetch" }, '"fetch"'],
    [{ phoneNumberId: "1" }, '"accessToken"'],
  ], (options) => new Api!(options));
  table("Simulator", [
    [{ url: "http://a/", secret: "s" }, 'use "appSecret"'],
    [{ url: "http://a/", appSecret: "s", rates: 5 }, 'did you mean "rate"?'],
    [{ url: "http://a/", appSecret: "s", onSend: "log" }, '"onSend"'],
  ], (options) => new Meta!(options));
  table("stop", [
    [1000, "such as { code: 1000 }, not 1000"],
    [true, "such as { closeTimeout: 1000 }, not true"],
    [{ timeout: 5 }, 'use "closeTimeout"'],
    [{ closeTimout: 5 }, 'did you mean "closeTimeout"?'],
    [{ signal: 5 }, "instead of an AbortSignal"],
  ], (options) => new WebSocketServer().stop(options as object));
  table("acceptStream", [
    [{ remoteAdress: {} }, 'did you mean "remoteAddress"?'],
    ["127.0.0.1", "takes options as an object"],
  ], (info) => new WebSocketServer().acceptStream(pipe()[0], info as object));
  const messages: readonly Row[] = [
    [() => {}, "not a function"],
    [true, "not true"],
    [null, "not null"],
    [{ binary: true }, "bytes are sent as binary"],
    [{ slowConsumr: "drop" }, 'did you mean "slowConsumer"?'],
    [{ slowConsumer: "wait" }, '"slowConsumer" is "wait" instead of "close" or "drop"'],
  ];
  table("broadcasts", messages, (options) => new WebSocketServer().broadcastMessage("a", options as object));
  table(
    "selected connections",
    messages,
    (options) => new WebSocketServer().sendDataTo(new Uint8Array(1), () => true, options as object),
  );
  table("publish", messages, (options) => new WebSocketServer().publish("a", "b", options as object));

  it("send", async () => {
    await using server = new WebSocketServer({ port: 0, hostname: "127.0.0.1" });
    await server.start();
    await using client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`);
    await client.connect();
    for (const [options, says] of messages) {
      await assertRejects(async () => await client.send("a", options as object), OptionError, says);
    }
    assertEquals([client.send("a"), client.send("a", { slowConsumer: undefined })], ["sent", "sent"]);
  });

  table("the streams of acceptStream", [
    [{}, '"readable" and a "writable"'],
    [null, '"readable" and a "writable"'],
  ], (pair) => new WebSocketServer().acceptStream(pair as ReturnType<typeof pipe>[0]));

  it("connect", async () => {
    for (
      const [options, says] of [
        ["ws://a/", "the URL is given to the constructor"],
        [{ timeout: 5 }, 'set "connectTimeout" of the client'],
        [{ singal: AbortSignal.abort() }, 'did you mean "signal"?'],
        [{ signal: new AbortController() }, "use its signal"],
        [{ stream: {} }, '"readable" and a "writable"'],
        [null, "not null"],
      ] as const
    ) await assertRejects(() => new WebSocketClient(URL_TEXT).connect(options as object), OptionError, says);
  });

  it("messages of WhatsAppApi", async () => {
    const api = new WhatsAppApi({ accessToken: "a", phoneNumberId: "1", fetch: () => Promise.reject(new Error("no")) });
    await assertRejects(() => api.sendText("1", "a", { preview: true } as object), OptionError, "previewUrl");
    await assertRejects(() => api.sendTemplate("1", "a", "en" as never), OptionError, 'such as { language: "en_US" }');
    await assertRejects(() => api.sendTemplate("1", "a", { params: [] } as never), OptionError, 'use "body"');
    await assertRejects(
      async () => await api.sendList("1", { rows: [] } as never),
      OptionError,
      "use sections: [{ rows",
    );
    await assertRejects(async () => await api.sendFlow("1", { cta: "" } as never), OptionError, 'use "button"');
    await assertRejects(() => api.markAsRead("1", { typng: true } as object), OptionError, 'did you mean "typing"?');
    await assertRejects(() => api.media("1", { signal: 5 } as object), OptionError, "AbortSignal");
  });
});

describe("options that go on working", () => {
  it("are undefined, null for a handler, and fields and getters that a class inherits", () => {
    class Base {
      get port(): number {
        return 9;
      }
      helper(): void {}
    }
    class Config extends Base {
      hostname = "127.0.0.1";
    }
    assertEquals(new WebSocketServer(new Config()).port, 9);
    for (const Class of [Server, Client, Hooks, Receiver]) {
      assert(new Class!({ port: undefined, onError: undefined, onLog: null, signal: null }));
    }
  });

  it("pass through subclasses of both libraries", () => {
    const server = new WhatsAppServer({ appSecret: null, maxTopics: 5, pathName: "hooks", failureDelay: 7 });
    assertEquals([server.maxTopics, server.failureDelay, server.pathName, server.useSSL], [5, 7, "/hooks", true]);
    const receiver = new WhatsAppReceiver(URL_TEXT, { name: "a", checkTimeout: 5, window: 9 });
    assertEquals([receiver.name, receiver.checkTimeout, receiver.window, receiver.useSSL], ["a", 5, 9, false]);
  });

  it("have both names of the host on both sides", () => {
    for (
      const object of [new WebSocketServer({ hostName: "127.0.0.2" }), new WebSocketClient({ hostName: "127.0.0.2" })]
    ) {
      assertEquals([object.hostname, object.hostName], ["127.0.0.2", "127.0.0.2"]);
      object.hostName = "127.0.0.3";
      assertEquals(object.hostname, "127.0.0.3");
    }
    assertEquals(new WebSocketServer({ hostName: "127.0.0.2", hostname: "127.0.0.3" }).hostname, "127.0.0.3");
    assertEquals(new WhatsAppServer({ hostName: "127.0.0.2" }).hostname, "127.0.0.2");
  });
});

describe("certificates without TLS", () => {
  const certificateFile = "certificate.pem";

  it("are refused when a server starts: they may be set before useSSL", async () => {
    const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", certificateFile });
    await assertRejects(() => server.start(), OptionError, 'The setting "certificateFile" needs "useSSL: true"');
    assertEquals([server.active, server.address], [false, undefined]);
    server.certificateFile = "";
    server.rootCertificateFile = certificateFile;
    await assertRejects(() => server.start(), OptionError, '"rootCertificateFile"');
    server.rootCertificateFile = "";
    await server.start();
    await server.stop();
  });

  it("are refused when a WhatsAppServer behind a proxy starts", async () => {
    const server = new WhatsAppServer({
      port: 0,
      hostname: "127.0.0.1",
      appSecret: null,
      receiverToken: null,
      journal: null,
      behindProxy: true,
    });
    server.certificateKeyFile = certificateFile;
    await assertRejects(() => server.start(), OptionError, '"certificateKeyFile" does not go with "behindProxy"');
  });

  it("are refused when a client connects, unless it may come to a wss: URL", async () => {
    const options = { rootCertificateFile: certificateFile };
    const signal = AbortSignal.abort();
    await assertRejects(() => new WebSocketClient(URL_TEXT, options).connect(), OptionError, '"wss:" URL');
    for (const more of [{ maxRedirects: 1 }, { resolveUrl: () => URL_TEXT }]) {
      const client = new WebSocketClient(URL_TEXT, { ...options, ...more });
      const error = await client.connect({ signal }).catch((error) => error);
      assertEquals(error.code, "ERR_ABORTED");
    }
  });
});

describe("pathName without a slash", () => {
  it("means the same on the server as on the client", async () => {
    await using server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", pathName: "chat" });
    assertEquals(server.pathName, "/chat");
    await server.start();
    const { port } = server.address!;
    await using client = new WebSocketClient({ hostname: "127.0.0.1", port, pathName: "chat" });
    await client.connect();
    const other = await fetch(`http://127.0.0.1:${port}/other`);
    await other.body?.cancel();
    assertEquals([client.state, other.status], ["open", 404]);
  });
});
