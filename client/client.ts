/**
 * The WebSocket client. `client/connect_loop.ts` connects it, `client/connector.ts` names the ways to connect.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { NORMAL_CLOSURE } from "../base/close_codes.ts";
import { StateError, type TransportError } from "../base/errors.ts";
import { assignHandlers, AwaitedHandlers, defineAwaitedHandlers, defineHandlers } from "../base/handlers.ts";
import type { LogRecord } from "../base/log.ts";
import type { PemData } from "../base/pem.ts";
import { defineSettings, SettingsStore } from "../base/settings.ts";
import { Meter, type Stats } from "../base/stats.ts";
import type {
  CloseInfo,
  ConnectionState,
  MessageOptions,
  ProtocolOptions,
  SendResult,
  SlowConsumer,
} from "../connection/options.ts";
import { type ReceiveOptions, refuseReceiveOptions } from "../connection/receive_options.ts";
import type { Extension } from "../protocol/extensions.ts";
import type { FrameInfo, Opcode } from "../protocol/frame_header.ts";
import { type MessageData, type SendData, toPayload } from "../protocol/payload.ts";
import { assertSettings, type ClientParts, connectorOf } from "./connect_attempt.ts";
import { ConnectLoop } from "./connect_loop.ts";
import { ConnectTarget } from "./connect_target.ts";
import type {
  ClientConnection,
  ClientConnectionHandler,
  ClientHandshakeRequest,
  ClientHandshakeResponse,
  CompressionOffer,
  HeaderSource,
  OpenedConnection,
} from "./connector.ts";
import { EventDelivery } from "./event_delivery.ts";
import type { ClientContext, ClientExtension } from "./extension.ts";
import { HandlerCalls } from "./handler_calls.ts";
import { MessageLoops } from "./message_loops.ts";
import { ReceiveCalls } from "./receive_calls.ts";
import type { ReconnectAttempt, ReconnectOptions } from "./reconnect.ts";
import { SendBacklog } from "./send_backlog.ts";
import {
  assertSendClose,
  assignClientOptions,
  CLIENT_HANDLERS,
  CLIENT_SETTINGS,
  clientArguments,
  type ClientHandlers,
  type ClientSettings,
  type ConnectOptions,
  type IncomingResult,
  refuseConnectOptions,
  type WebSocketClientOptions,
} from "./settings.ts";

/** Parts of a client that one of another room is built on. */
interface ExtensibleParts {
  readonly calls: HandlerCalls;
  readonly extension: ClientExtension;
  readonly loop: ConnectLoop;
  readonly deliver: ClientContext["deliver"];
  readonly handlesMessages: () => boolean;
}

let partsOf: (client: WebSocketClient) => ExtensibleParts;

/**
 * Builds a client of another room on `WebSocketClient`. Entries do not export it. It is a function of its own, so that
 * bundlers leave it out of a page without such a client.
 *
 * @param client The client.
 * @param extension The hooks; those of an earlier call stay, unless they are replaced.
 * @returns Members of the client that only the extension uses.
 */
export function extendClient(client: WebSocketClient, extension: ClientExtension): ClientContext {
  const { calls, extension: hooks, loop, deliver, handlesMessages } = partsOf(client);
  extension.connector?.deflateOffers(client.compression);
  Object.assign(hooks, extension);
  return {
    deliver,
    handlesMessages,
    handed: (data, result) => calls.handed(data, result, extension),
    releaseMessages: () => loop.opened?.releaseMessages(),
    useBinaryForm: (form) => loop.opened!.useBinaryForm(form),
    callHandler: (name, handler) => calls.call(name, handler),
    reportError: (error) => calls.report(error),
    closeWith: (code, error) => loop.opened?.closeWith(code, error),
  };
}

/**
 * A WebSocket client (RFC 6455).
 *
 * Messages wait while neither `onMessageReceived` nor `onBinaryDataReceived` is set and no loop runs over them: up to
 * 64 KiB, then no more is read. Loops over one client share
 * its messages. A program that only sends sets a handler that does nothing.
 *
 * @example Ask and wait for the answer
 * ```ts
 * import { WebSocketClient, WebSocketServer } from "@tackline/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new WebSocketServer({
 *   port: 0,
 *   onMessageReceived: (connection, text) => void connection.send(text),
 * });
 * await server.start();
 *
 * await using client = new WebSocketClient(`ws://localhost:${server.address?.port}/`);
 * await client.connect();
 * client.send("Hello");
 * for await (const message of client) {
 *   assertEquals(message, "Hello");
 *   break;
 * }
 * ```
 */
export class WebSocketClient implements ClientHandlers {
  // Settings, defined by CLIENT_SETTINGS
  /** Host name or address of the server. */
  declare hostname: string;
  /**
   * Former name of `hostname`.
   * @deprecated Use `hostname`.
   */
  declare hostName: string;
  /** Port of the server. */
  declare port: number;
  /** Path of a Unix socket to connect to instead of a port. */
  declare path: string;
  /** Path, and query if there is one. */
  declare pathName: string;
  /** Speaks TLS (`wss:`). */
  declare useSSL: boolean;
  /** PEM file with certificates that are trusted besides the runtime's own. */
  declare rootCertificateFile: string;
  /** PEM text or its bytes, instead of `rootCertificateFile`. */
  declare rootCertificate: PemData;
  /** PEM file with the certificate that the client shows if the server asks for one; its chain may follow in it. */
  declare certificateFile: string;
  /** The certificate as PEM text or its bytes, instead of `certificateFile`. */
  declare certificate: PemData;
  /** PEM file with its private key. If it is encrypted, `onGetSSLPassword` is called for the pass phrase. */
  declare certificateKeyFile: string;
  /** The private key as PEM text or its bytes, instead of `certificateKeyFile`. */
  declare certificateKey: PemData;
  /** Name of the server in TLS: it is sent, and the certificate is checked against it; "": the host name. */
  declare serverName: string;
  /** The value of the `Origin` header; "" sends none. */
  declare origin: string;
  /** More header fields. */
  declare headers: HeaderSource | (() => HeaderSource | Promise<HeaderSource>);
  /** Sent as `Authorization: Bearer`. */
  declare token: string | (() => string | Promise<string>) | undefined;
  /** Called before each attempt for the URL to connect to. */
  declare resolveUrl: (() => string | URL | Promise<string | URL>) | undefined;
  /** HTTP proxy to go through; "": none. */
  declare proxy: string;
  /** Largest number of redirects to follow. */
  declare maxRedirects: number;
  /** Reconnects after a lost or failed connection; an object says how. */
  declare reconnect: boolean | ReconnectOptions;
  /** Subprotocols in the order of preference. */
  declare protocols: readonly string[];
  /** Offers compression; an object, or several, say which. */
  declare compression: CompressionOffer;
  /** Time for name resolution, TCP, TLS and handshake together, in ms; 0: no limit. */
  declare connectTimeout: number;
  /** Delivers events by itself; with `false`, `checkIncoming` fetches them. Takes effect at once. */
  declare autoCheckMessages: boolean;
  /** Time between two batches of events, in ms; 0: events come as bytes come. Takes effect at once. */
  declare autoCheckInterval: number;
  /** Time that `checkIncoming` waits, in ms; 0: until something comes. */
  declare checkTimeout: number;
  /** Switches: `frameByFrame`, `manualPong`, `manualClose`; all off by default. */
  declare options: ProtocolOptions;
  /** Sends messages in frames of at most `frameSize` bytes. */
  declare splitMessage: boolean;
  /** Largest frame on the wire, in bytes, header included, when `splitMessage` is on; 0: no splitting. At least 10. */
  declare frameSize: number;
  /** Largest message taken from the server, in bytes; 0: no limit. */
  declare maxMessageSize: number;
  /** Largest number of fragments of one message; 0: no limit. */
  declare maxFragments: number;
  /** Time for the next piece of a message that has begun, in ms; 0: no limit. */
  declare messageTimeout: number;
  /** Largest number of bytes that wait for a slow server; 0: no limit. */
  declare maxBufferedAmount: number;
  /** Waiting bytes from which on `send` returns `"backpressure"`. */
  declare highWaterMark: number;
  /** Effect of a `send` beyond `maxBufferedAmount`. */
  declare slowConsumer: SlowConsumer;
  /** Time for the closing handshake, and then for the end of TCP, in ms; 0: no limit. */
  declare closeTimeout: number;
  /** Time without anything but pings and pongs, in ms, after which the connection is closed; 0: no limit. */
  declare idleTimeout: number;
  /** Time between the answer to a ping and the next ping, in ms; 0: no pings. */
  declare pingInterval: number;
  /** Time for the answer to a ping, in ms; 0: no limit. */
  declare pongTimeout: number;
  /** Largest number of messages and control frames a second; 0: no limit. */
  declare maxMessageRate: number;
  /** Largest number of bytes a second; 0: no limit. */
  declare maxByteRate: number;
  /** Messages and bytes that may come at once, as seconds of `maxMessageRate` and `maxByteRate`. */
  declare rateBurstSeconds: number;
  /** Largest number of promises of message handlers that are pending; 0: no limit. */
  declare concurrency: number;
  /** Clock, replaced in tests. */
  declare clock: Clock;
  readonly #settings: SettingsStore<ClientSettings> = new SettingsStore(CLIENT_SETTINGS, {
    // Other settings are checked before each attempt.
    changing: (name, value) => void (name === "autoCheckInterval" && this.#settings.check(name, value)),
    changed: (name) => void (name.startsWith("autoCheck") && this.#delivery.apply()),
  });
  readonly #target = new ConnectTarget(this.#settings);

  static {
    defineSettings<WebSocketClient, ClientSettings>(this.prototype, CLIENT_SETTINGS, (client) => client.#settings);
    defineHandlers(this.prototype, CLIENT_HANDLERS);
    const awaited = ["onMessageReceived", "onBinaryDataReceived"] as const;
    defineAwaitedHandlers<WebSocketClient>(this.prototype, awaited, (client) => client.#awaited);
    partsOf = (client) => ({
      calls: client.#calls,
      extension: client.#extension,
      loop: client.#loop,
      deliver: (data, frame) => client.#deliver(data, frame),
      handlesMessages: () => client.#handlesMessages,
    });
  }

  // Handlers; as methods, a subclass can have both methods and fields of the names
  /** Called for the pass phrase of an encrypted private key. */
  onGetSSLPassword?(): string | Promise<string>;
  /** Called before the request is sent. */
  onSendHandshake?(request: ClientHandshakeRequest): unknown;
  /** Called when the server has opened the WebSocket. */
  onHandshakeResponse?(response: ClientHandshakeResponse): boolean | void | Promise<boolean | void>;
  /** Called after the handshake. */
  onConnect?(): unknown;
  /** Called for a text message. Setting it hands over the messages that waited for a handler. */
  onMessageReceived?(text: string, frame?: FrameInfo): unknown;
  /** Called for a binary message. Setting it hands over the messages that waited for a handler. */
  onBinaryDataReceived?(bytes: Uint8Array<ArrayBuffer>, frame?: FrameInfo): unknown;
  /** Called for a ping. */
  onPing?(data: Uint8Array<ArrayBuffer>): unknown;
  /** Called for a pong. */
  onPong?(data: Uint8Array<ArrayBuffer>): unknown;
  /** Called for the server's close frame. */
  onClose?(code: number, reason: string): unknown;
  /** Called when the connection has ended. */
  onDisconnect?(info: CloseInfo): unknown;
  /** Called for failures. */
  onError?(error: unknown): unknown;
  /** Called before each wait for another attempt. */
  onReconnecting?(attempt: ReconnectAttempt): unknown;
  /** Called with log records. */
  onLog?(record: LogRecord): unknown;
  readonly #awaited = new AwaitedHandlers<WebSocketClient>(() => this.#handlerAssigned());

  // Parts
  readonly #meter = new Meter();
  readonly #extension: ClientExtension = {};
  readonly #calls: HandlerCalls = new HandlerCalls(this, this.#meter, () => this.#loop.opened);
  readonly #delivery = new EventDelivery(this.#settings);
  readonly #messageLoops = new MessageLoops();
  readonly #receiveCalls = new ReceiveCalls();
  readonly #backlog = new SendBacklog();
  readonly #loop: ConnectLoop;

  /**
   * Makes a client; it does not connect yet.
   *
   * @param urlOrOptions URL to connect to, `ws:` or `wss:`; or settings and handlers.
   * @param more Settings and handlers beside a URL.
   * @throws {OptionError} If the URL is not valid, a setting is out of range, or a handler is not a function.
   */
  constructor(urlOrOptions: string | URL | WebSocketClientOptions = {}, more: WebSocketClientOptions = {}) {
    const { url, options } = clientArguments(urlOrOptions, more);
    assignClientOptions(this.#settings, options);
    const connector = connectorOf(this.#extension, true);
    connector.checkOptions?.(options);
    if (url !== undefined) {
      const first = this.#target.begin(url, options);
      const { headers } = this.#settings.values;
      this.#settings.set("headers", connector.withCredentials?.(headers, first) ?? headers);
    }
    const parts: ClientParts = {
      handlers: this,
      settings: this.#settings,
      target: this.#target,
      calls: this.#calls,
      meter: this.#meter,
      extension: this.#extension,
    };
    assertSettings(parts);
    if (options.useSSL === false) connectorOf(parts.extension, false).checkTarget?.(this.#settings.values);
    this.#loop = this.#makeLoop(parts, options.signal);
    assignHandlers(this, CLIENT_HANDLERS, options);
  }

  #makeLoop(parts: ClientParts, signal: AbortSignal | undefined): ConnectLoop {
    return new ConnectLoop(parts, {
      attach: (opened) => this.#delivery.attach(opened, this.#makeHandler(), this.#handlesMessages),
      connected: (opened, connection) => this.#connected(opened, connection),
      dropWaiting: (error) => this.#dropWaiting(error),
      aborted: () => void (this.active = false),
    }, signal);
  }

  /** URL that follows from the settings. */
  get url(): string {
    return this.#target.url;
  }

  // ---- Connecting ----------------------------------------------------------------------------------------------

  /** `true` while connected. Setting it `true` connects, `false` disconnects; a failure goes to `onError`. */
  get active(): boolean {
    return this.connection?.state === "open";
  }
  set active(value: boolean) {
    const change: Promise<unknown> = value ? this.connect() : this.disconnect();
    change.catch((error) => this.#calls.changeFailed(error));
  }

  /** State of the connection; with `reconnect`, `"connecting"` from its loss until the next one is open. */
  get state(): ConnectionState {
    if (this.#loop.phase === "connecting") return "connecting";
    return this.connection?.state ?? "closed";
  }

  /** The connection, once there is one; it stays after its end, so that waiting messages can be read from it. */
  get connection(): ClientConnection | undefined {
    return this.#loop.connection;
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.connection?.protocol ?? "";
  }

  /** The extensions that were agreed on. */
  get extensions(): readonly Extension[] {
    return this.connection?.extensions ?? [];
  }

  /**
   * Connects. Calling it again changes nothing, except after `disconnect`: the last call wins.
   *
   * @param options A signal that aborts it, unless another call waits too; or streams instead of a socket.
   * @returns Resolves after the handshake; with `reconnect` after that of the first attempt that succeeds.
   * @throws {TransportError} If the server cannot be reached, or not in time, or connecting is aborted.
   * @throws {HandshakeError} If the server does not open the WebSocket, or `onHandshakeResponse` refuses it.
   * @throws {OptionError} If a setting is out of range.
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    return refuseConnectOptions(options, connectorOf(this.#extension, true)) ?? this.#loop.connect(options);
  }

  #connected(opened: OpenedConnection, connection: ClientConnection): void {
    this.#messageLoops.continueWith(() => connection[Symbol.asyncIterator]());
    this.#receiveCalls.continueWith({ connection, opened });
    this.#extension.connected?.(connection);
    this.#calls.call("onConnect", () => this.onConnect?.());
    opened.begin();
    this.#sendBacklog();
  }

  #dropWaiting(error: TransportError | undefined): void {
    this.#messageLoops.end(error);
    this.#receiveCalls.end(error);
    this.#extension.waitersDropped?.();
    this.#backlog.giveUp((lost) => this.#calls.report(lost));
  }

  /**
   * Reads the statistics since the client was made. In a page messages are counted, but no frames and no bytes.
   *
   * @returns A copy.
   */
  stats(): Stats {
    const open = this.#loop.phase === "connected" ? 1 : 0;
    const handshaking = this.#loop.phase === "connecting" ? 1 : 0;
    return this.#meter.snapshot({ open, handshaking, bufferedAmount: this.bufferedAmount });
  }

  get #handlesMessages(): boolean {
    return Boolean(this.onMessageReceived) || Boolean(this.onBinaryDataReceived) ||
      this.#extension.handlesMessages?.() === true;
  }

  /** Hands over the messages that waited for a handler, if there is one now. */
  #handlerAssigned(): void {
    if (this.#extension.handlerAssigned !== undefined) this.#extension.handlerAssigned();
    else if (this.#handlesMessages) this.#loop.opened?.releaseMessages();
  }

  /**
   * Disconnects, and aborts connecting: `connect` rejects with `ERR_ABORTED`. Calling it again changes nothing.
   *
   * @param sendClose `true`: with a closing handshake, waiting for the server's close frame. `false`: drops the
   * socket. The default is `true`.
   * @param code The close code. The default is 1000.
   * @param reason The close reason. The default is "".
   * @returns The end of the connection; `undefined` if there was none.
   * @throws {OptionError} If `sendClose` is no boolean, or code or reason are out of range.
   */
  async disconnect(
    sendClose = true,
    code: number = NORMAL_CLOSURE,
    reason = "",
  ): Promise<CloseInfo | undefined> {
    assertSendClose(sendClose);
    const { connection } = this;
    const connecting = this.#loop.stop();
    if (sendClose) connection?.close(code, reason);
    else connection?.terminate();
    await connecting;
    return await connection?.closed;
  }

  /** Disconnects, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  // ---- Handlers ------------------------------------------------------------------------------------------------

  #makeHandler(): ClientConnectionHandler {
    const extension = this.#extension;
    return {
      message: (data, frame) =>
        extension.deliver ? extension.deliver(data, frame) : this.#calls.handed(data, this.#deliver(data, frame)),
      handlesMessages: () => this.#handlesMessages,
      ping: (data) => this.#calls.control("onPing", data),
      pong: (data) => this.#calls.control("onPong", data),
      close: (code, reason) => this.#calls.call("onClose", () => this.onClose?.(code, reason)),
      disconnect: (info) => this.#disconnected(info),
      error: (error) => this.#calls.fail(error),
    };
  }

  #deliver(data: MessageData, frame?: FrameInfo): boolean | Promise<boolean> {
    if (typeof data === "string") {
      return this.#calls.call("onMessageReceived", () => this.onMessageReceived?.(data, frame));
    }
    return this.#calls.call("onBinaryDataReceived", () => this.onBinaryDataReceived?.(data, frame));
  }

  #disconnected(info: CloseInfo): void {
    this.#delivery.stop();
    this.#loop.connectionEnded(info);
    this.#calls.call("onDisconnect", () => this.onDisconnect?.(info));
  }

  /**
   * Handles one incoming frame or message, with `autoCheckMessages` off. Waits at most `checkTimeout`.
   *
   * @returns The kind of event: see {@linkcode IncomingResult}.
   * @throws {StateError} If `autoCheckMessages` is on, or a check is running already.
   */
  async checkIncoming(): Promise<IncomingResult> {
    if (this.autoCheckMessages) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: autoCheckMessages is on");
    }
    return await this.#loop.step(this.checkTimeout);
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  #open(what: string): ClientConnection {
    const { connection, phase } = this.#loop;
    if (connection !== undefined && phase !== "connecting") return connection;
    throw notConnected(what, what === "send" && this.reconnect !== false && this.#loop.maxQueuedSize === 0);
  }

  /**
   * Sends a message: a string as text, bytes of any kind and a `Blob` as binary: see `WebSocketConnection.send`.
   *
   * @param data The message.
   * @param options Options of this message.
   * @returns `"sent"`, or what happened instead: see {@linkcode SendResult}.
   * @throws {StateError} If the connection is not open, and no message is kept: see `reconnect.maxQueuedSize`.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: SendData, options?: MessageOptions): SendResult {
    const limit = this.#loop.maxQueuedSize;
    const behind = this.#backlog.count > 0 || !this.active;
    if (limit === 0 || !behind) return this.#open("send").send(data, options);
    const result = this.#backlog.add(toPayload(data, "send"), limit) ? "queued" : "dropped";
    this.#sendBacklog();
    return result;
  }

  #sendBacklog(): void {
    if (this.#backlog.count === 0 || !this.active) return;
    void this.#backlog.sendTo(this.connection!, (error) => this.#calls.report(error));
  }

  /** Bytes of messages that wait for the next connection. */
  get queuedAmount(): number {
    return this.#backlog.size;
  }

  /**
   * Sends one frame of a message that the program fragments by hand: see `WebSocketConnection.sendFrame`.
   *
   * @param opcode The opcode of the frame.
   * @param data Its payload.
   * @param final `true` for the last frame of the message.
   * @returns `"sent"`, or what happened instead: see {@linkcode SendResult}.
   * @throws {StateError} If the connection is not open, or the opcode cannot follow the frame before.
   */
  sendFrame(opcode: Opcode, data: SendData, final: boolean): SendResult {
    const result = this.#open("send a frame").sendFrame(opcode, data, final);
    if (final) this.#sendBacklog();
    return result;
  }

  /**
   * Sends a ping: see `WebSocketConnection.ping`. The promise may be ignored.
   *
   * @param message At most 125 bytes, which the pong repeats. Without it, 8 bytes that differ for each ping.
   * @returns The time until the pong, in ms. Rejects with a {@linkcode ConnectionClosedError} if the connection ends
   * before.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `message` is too long.
   */
  ping(message?: SendData): Promise<number> {
    return this.#open("send a ping").ping(message);
  }

  /**
   * Sends a pong: the answer to a ping with `manualPong`, or an unsolicited one.
   *
   * @param message At most 125 bytes.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `message` is too long.
   */
  pong(message: SendData = ""): void {
    this.#open("send a pong").pong(message);
  }

  /** Bytes that were sent by the program and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.connection?.bufferedAmount ?? 0;
  }

  /**
   * Waits until the operating system has taken everything that was sent.
   *
   * @returns Rejects if the connection is lost before.
   */
  drained(): Promise<void> {
    return this.connection?.drained() ?? Promise.resolve();
  }

  /** The messages as a stream: see `WebSocketConnection.readable`. */
  get readable(): ReadableStream<MessageData> {
    return this.#open("read").readable;
  }

  /** Messages to the server as a stream: see `WebSocketConnection.writable`. */
  get writable(): WritableStream<SendData> {
    return this.#open("write").writable;
  }

  /**
   * One message to the server as a stream of its fragments: see `WebSocketConnection.messageWriter`.
   *
   * @param opcode `Opcode.Text` or `Opcode.Binary`.
   * @returns The stream.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished.
   * @throws {OptionError} If the opcode is another one.
   */
  messageWriter(opcode: Opcode): WritableStream<SendData> {
    return this.#open("write a message").messageWriter(opcode);
  }

  /**
   * Waits for the next message: see `WebSocketConnection.receive`. With `reconnect` it goes on as loops do.
   *
   * @param options A signal that ends the wait: `{ signal: AbortSignal.timeout(5000) }` is a time limit.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} when no message waits, and none can follow,
   * or with the reason of the signal; the call takes no message then.
   * @throws {StateError} If the client is not connected.
   */
  async receive(options: ReceiveOptions = {}): Promise<MessageData> {
    const refused = refuseReceiveOptions(options);
    if (refused !== undefined) return await refused;
    const { reconnects, connection, receiving } = this.#loop;
    if (this.#extension.iterates?.()) return await this.#extension.receive!(options);
    if (!reconnects && !this.#receiveCalls.follows(connection)) return await this.#open("receive").receive(options);
    return await this.#receiveCalls.receive(options, receiving, reconnects);
  }

  /**
   * Iterates over the messages: see `WebSocketConnection`. With `autoCheckMessages` off, `checkIncoming` fetches them.
   * With `reconnect` the loop goes on with the next connection, and ends when no other follows: with the error that
   * `onError` gets if reconnecting was given up.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    const { reconnects, current } = this.#loop;
    if (!reconnects) return this.#open("read")[Symbol.asyncIterator]();
    return this.#messageLoops.begin(current?.[Symbol.asyncIterator]());
  }
}

function notConnected(what: string, mayWait: boolean): StateError {
  const hint = mayWait ? '; with "reconnect: { maxQueuedSize }" messages wait until it is' : "";
  return new StateError("ERR_NOT_OPEN", `Cannot ${what}: the client is not connected: await connect() first${hint}`);
}
