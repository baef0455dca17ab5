import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError, OptionError, TransportError } from "../../base/errors.ts";
import { sharedTimer } from "../../base/shared_timer.ts";
import { Meter } from "../../base/stats.ts";
import type {
  ClientConnectionHandler,
  CompressionOffer,
  ConnectPlan,
  ConnectProgram,
  OpenedConnection,
} from "../../client/connector.ts";
import { CLIENT_SETTINGS } from "../../client/settings.ts";
import { defaultsOf } from "../../base/settings.ts";
import { socketConnector } from "../../client/socket_connector.ts";
import { NO_TLS_SETTINGS } from "../../client/tls_settings.ts";
import { CONNECTION_DEFAULTS, type ConnectionSettings, type ConnectionStart } from "../../connection/options.ts";
import { acceptKey } from "../../protocol/handshake.ts";
import { assertFrames, decode, encode, FakeClock, Peer, pipe, settle } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

const PROGRAM: ConnectProgram = {
  sendHandshake: () => Promise.resolve(),
  acceptResponse: () => Promise.resolve(),
};

/** The server's end of a connection over streams. */
class Server {
  readonly plan: ConnectPlan;
  readonly controller = new AbortController();
  readonly frames = new Peer("server");
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(options: Partial<ConnectPlan> = {}) {
    const [ours, theirs] = pipe();
    this.#reader = theirs.readable.getReader();
    this.#writer = theirs.writable.getWriter();
    const settings: ConnectionSettings = { ...CONNECTION_DEFAULTS, clock: new FakeClock() };
    this.plan = {
      url: "ws://example.com/a?b",
      hostname: "example.com",
      port: 80,
      socketPath: "",
      tls: false,
      requiresTls: false,
      host: "example.com",
      target: "/a?b",
      origin: "",
      headers: new Headers({ x: "y" }),
      protocols: ["p"],
      deflateOffers: [],
      tlsSettings: NO_TLS_SETTINGS,
      settings,
      proxy: "",
      maxRedirects: 0,
      meter: new Meter(),
      showsControlFrames: false,
      stream: ours,
      signal: this.controller.signal,
      ...options,
    };
  }

  async read(): Promise<Uint8Array> {
    return (await this.#reader.read()).value ?? new Uint8Array(0);
  }
  async write(bytes: Uint8Array): Promise<void> {
    await this.#writer.write(bytes);
  }
  /** Answers the handshake, with bytes right behind the answer. */
  async answer(behind: Uint8Array = new Uint8Array(0)): Promise<void> {
    const key = decode(await this.read()).split("Sec-WebSocket-Key: ")[1]!.split("\r\n")[0]!;
    const head = `HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: p\r\n` +
      `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`;
    await this.write(concat(encode(head), behind));
  }
  /** Connects, and answers. */
  async open(behind?: Uint8Array): Promise<OpenedConnection> {
    const connecting = socketConnector.connect(this.plan, PROGRAM);
    await this.answer(behind);
    return await connecting;
  }
}

function makeHandler(): ClientConnectionHandler & { events: string[] } {
  const events: string[] = [];
  return {
    events,
    message: (data) => void events.push(String(data)),
    ping: () => {},
    pong: () => {},
    close: (code) => void events.push(`close ${code}`),
    disconnect: ({ code }) => void events.push(`disconnect ${code}`),
    error: () => {},
  };
}

describe("socketConnector", () => {
  it("checks the settings that only sockets have, and shares one timer", () => {
    const settings = defaultsOf(CLIENT_SETTINGS);
    socketConnector.checkSettings!(settings);
    assertThrows(() => socketConnector.checkSettings!({ ...settings, proxy: "nonsense" }), OptionError, '"proxy"');
    assertThrows(() => socketConnector.checkSettings!({ ...settings, frameSize: 9 }), OptionError, '"9" bytes');
    const withRoots = { ...settings, rootCertificateFile: "ca.pem" };
    assertThrows(() => socketConnector.checkTarget!(withRoots), OptionError, '"rootCertificateFile" needs');
    const later = [{ useSSL: true }, { maxRedirects: 1 }, { resolveUrl: () => "wss://a" }, { rootCertificateFile: "" }];
    for (const more of later) socketConnector.checkTarget!({ ...withRoots, ...more });
    const clock = new FakeClock();
    assertEquals(socketConnector.timers(clock), sharedTimer(clock));
  });

  it("reads compression: nothing, the defaults, one offer or several", () => {
    assertEquals([false, true, {}, [], [{}, {}]].map((option) => socketConnector.deflateOffers(option).length), [
      0,
      1,
      1,
      0,
      2,
    ]);
    const offered = (option: CompressionOffer): number => socketConnector.deflateOffers(option).length;
    assertEquals([offered({ serverMaxWindowBits: 9 }), offered([{ serverMaxWindowBits: 9 }])], [2, 1]);
    assertThrows(() => socketConnector.deflateOffers({ level: 99 }), OptionError);
    assertEquals([socketConnector.sendsHeaders, socketConnector.available], [true, true]);
  });

  it("shows request and answer, and delivers in steps what came right behind the answer", async () => {
    const server = new Server();
    const opened = await server.open(concat(server.frames.text("one"), server.frames.text("two")));
    const handler = makeHandler();
    const connection = opened.attach(handler, { delivery: "step" });
    const { request, protocol } = connection;
    assertEquals([request.path, request.query, request.headers.get("x"), protocol], ["/a", "b", "y", "p"]);
    opened.begin();
    assertEquals([await opened.step(0), [...handler.events]], ["message", ["one"]]);
    opened.setDelivery("immediate");
    assertEquals(handler.events, ["one", "two"]);
    connection.terminate();
    await connection.closed;
  });

  it("lets the client hold messages, deliver batches, and close with a code", async () => {
    const cases: [start: ConnectionStart, deliver: (opened: OpenedConnection) => void][] = [
      [{ waitForHandler: true }, (opened) => opened.releaseMessages()],
      [{ delivery: "batched" }, (opened) => opened.deliverBatch()],
    ];
    for (const [start, deliver] of cases) {
      const server = new Server();
      const opened = await server.open(server.frames.text("one"));
      const handler = makeHandler();
      const connection = opened.attach(handler, start);
      opened.begin();
      assertEquals(handler.events, []);
      deliver(opened);
      assertEquals(handler.events, ["one"]);
      opened.closeWith(1011, new Error("mine"));
      await settle();
      assertFrames(await server.read(), ['close 1011 ""']);
      connection.terminate();
      await connection.closed;
    }
  });

  it("destroys the transport when the answer is wrong, and when the attempt is aborted", async () => {
    const wrong = new Server();
    const refused = socketConnector.connect(wrong.plan, PROGRAM);
    await wrong.read();
    await wrong.write(encode("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    assertEquals((await assertRejects(() => refused, HandshakeError)).status, 403);
    const silent = new Server();
    const aborted = socketConnector.connect(silent.plan, PROGRAM);
    await silent.read();
    silent.controller.abort(new TransportError("ERR_ABORTED", "mine"));
    await assertRejects(() => aborted, TransportError);
    for (const server of [wrong, silent]) await assertRejects(() => server.read());
  });

  it("connects nowhere without TLS if the plan needs it", async () => {
    const plan: ConnectPlan = { ...new Server().plan, requiresTls: true, stream: undefined };
    await assertRejects(() => socketConnector.connect(plan, PROGRAM), OptionError, "without TLS");
  });
});
