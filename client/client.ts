/**
 * The WebSocket client, over whatever carries it: see `client/connector.ts`.
 *
 * @module
 */

import { Attempt } from "./attempt.ts";
import { chooseConnector } from "./choose_connector.ts";
import type { Clock } from "../base/clock.ts";
import { ConnectTarget } from "./connect_target.ts";
import {
  assignClientOptions,
  CLIENT_SETTINGS,
  type ClientHandlers,
  type ClientSettings,
  connectionSettings,
  type ConnectOptions,
  type HeaderSource,
  type IncomingResult,
  makeHeaders,
  parseProxy,
  type WebSocketClientOptions,
} from "./settings.ts";
import type {
  ClientConnection,
  ClientConnectionHandler,
  ClientHandshakeResponse,
  CompressionOffer,
  Connector,
  ConnectPlan,
  OpenedConnection,
} from "./connector.ts";
import type {
  CloseInfo,
  ConnectionSettings,
  ConnectionState,
  Delivery,
  MessageOptions,
  ProtocolOptions,
  SendResult,
  SlowConsumer,
} from "../connection/options.ts";
import {
  CloseCode,
  describe,
  HandlerError,
  HandshakeError,
  StateError,
  TransportError,
  WebSocketError,
} from "../base/errors.ts";
import type { Extension } from "../protocol/extensions.ts";
import type { FrameInfo, Opcode } from "../protocol/frame_header.ts";
import { assertPayload, type MessageData } from "../protocol/payload.ts";
import { Iterations } from "./iteration.ts";
import { type LogLevel, type LogRecord, writeLog } from "../base/log.ts";
import { assertProtected } from "./loopback.ts";
import { errorText, redactUrl } from "../base/error_text.ts";
import { Backoff } from "../base/backoff.ts";
import {
  isWorthRetrying,
  type ReconnectFailure,
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectSettings,
  retryAfter,
  TERMINAL_CODES,
} from "./reconnect.ts";
import { assertToken } from "../base/secrets.ts";
import { SendBacklog } from "./send_backlog.ts";
import { adoptFields, defineSettings, SettingsStore } from "../base/settings.ts";
import { sharedTimer } from "../base/shared_timer.ts";
import { Meter, type Stats } from "../base/stats.ts";

/** With `reconnect`, "connecting" lasts from the loss of a connection to the next one, waiting included. */
type Phase = "idle" | "connecting" | "connected";

/**
 * A WebSocket client (RFC 6455).
 *
 * Messages that come while neither `onMessageReceived` nor `onBinaryDataReceived` is set and nothing is iterated over wait: up
 * to 64 KiB, then nothing more is read. A program that only sends sets a handler that does nothing.
 *
 * @example Ask and wait for the answer
 * ```ts
 * import { WebSocketClient, WebSocketServer } from "@tackline/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new WebSocketServer({ port: 0, onMessageReceived: (connection, text) => void connection.send(text) });
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
  /** Path, and query if there is one. */
  declare pathName: string;
  /** Speaks TLS (`wss:`). */
  declare useSSL: boolean;
  /** PEM file with certificates that are trusted besides the runtime's own. */
  declare rootCertificateFile: string;
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
  /** Largest frame on the wire, in bytes, header included, when `splitMessage` is on; 0: no splitting. At least 7. */
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
  /** Clock, replaced in tests. */
  declare clock: Clock;
  readonly #settings: SettingsStore<ClientSettings> = new SettingsStore(CLIENT_SETTINGS, {
    changing: (name, value) => {
      // The others are checked before each attempt.
      if (name === "autoCheckInterval") this.#settings.check(name, value);
    },
    changed: (name) => {
      if (name === "autoCheckMessages" || name === "autoCheckInterval") this.#applyDelivery();
    },
  });
  readonly #target = new ConnectTarget(this.#settings);

  static {
    defineSettings<WebSocketClient, ClientSettings>(this.prototype, CLIENT_SETTINGS, (client) => client.#settings);
  }

  // Handlers
  /** The request is about to be sent. */
  onSendHandshake?: ClientHandlers["onSendHandshake"];
  /** The server opened the WebSocket. */
  onHandshakeResponse?: ClientHandlers["onHandshakeResponse"];
  /** The handshake is done. */
  onConnect?: ClientHandlers["onConnect"];
  /** A ping came. */
  onPing?: ClientHandlers["onPing"];
  /** A pong came. */
  onPong?: ClientHandlers["onPong"];
  /** The server's close frame came. */
  onClose?: ClientHandlers["onClose"];
  /** The connection has ended. */
  onDisconnect?: ClientHandlers["onDisconnect"];
  /** Something failed. */
  onError?: ClientHandlers["onError"];
  /** Another attempt is going to be made. */
  onReconnecting?: ClientHandlers["onReconnecting"];
  /** Something happened. */
  onLog?: ClientHandlers["onLog"];
  #onMessageReceived?: ClientHandlers["onMessageReceived"];
  #onBinaryDataReceived?: ClientHandlers["onBinaryDataReceived"];

  // Life
  #phase: Phase = "idle";
  #connecting: Promise<void> | undefined;
  /** Gives up connecting, from the call of `connect` or the loss of a connection on. */
  #life = new AbortController();
  /** Changes with each `disconnect`. */
  #generation = 0;
  #connection: ClientConnection | undefined;
  /** Ends this client for good. It is listened to from `connect` until there will be no other connection, so that nothing is held after. */
  readonly #signal: AbortSignal | undefined;
  readonly #onSignal = (): void => void (this.active = false);
  #cancelBatch: (() => void) | undefined;
  /** When the connection was opened. */
  #openedAt = 0;

  // Connecting again
  /** Set from `connect` on until the program disconnects or it is given up; `undefined`: no attempt is made again. */
  #persistence: { settings: ReconnectSettings; backoff: Backoff } | undefined;
  readonly #iterations = new Iterations();
  readonly #backlog = new SendBacklog();

  // Statistics
  readonly #meter = new Meter();

  /**
   * Makes a client; it does not connect yet.
   *
   * @param urlOrOptions Where to connect, `ws:` or `wss:`; or settings and handlers.
   * @param more Settings and handlers beside a URL.
   * @throws {OptionError} If the URL is not valid, or a setting is out of range.
   */
  constructor(urlOrOptions: string | URL | WebSocketClientOptions = {}, more: WebSocketClientOptions = {}) {
    const byUrl = typeof urlOrOptions === "string" || urlOrOptions instanceof URL;
    const options = byUrl ? more : urlOrOptions;
    assignClientOptions(this.#settings, options);
    if (byUrl) this.#target.begin(urlOrOptions);
    this.#assertSettings();
    this.onSendHandshake = options.onSendHandshake;
    this.onHandshakeResponse = options.onHandshakeResponse;
    this.onConnect = options.onConnect;
    this.#onMessageReceived = options.onMessageReceived;
    this.#onBinaryDataReceived = options.onBinaryDataReceived;
    this.onPing = options.onPing;
    this.onPong = options.onPong;
    this.onClose = options.onClose;
    this.onDisconnect = options.onDisconnect;
    this.onError = options.onError;
    this.onReconnecting = options.onReconnecting;
    this.onLog = options.onLog;
    this.#signal = options.signal;
  }

  /**
   * Checks what would fail later, far from its cause.
   *
   * @throws {OptionError} If a setting is out of range.
   */
  #assertSettings(): void {
    adoptFields(this, CLIENT_SETTINGS);
    this.#settings.checkAll();
    this.connector(true).deflateOffers(this.compression);
  }

  /**
   * Chooses what connects; the default chooses by the platform.
   *
   * @param overStream Whether the connection goes over streams of the program.
   * @returns The connector.
   */
  protected connector(overStream: boolean): Connector {
    return chooseConnector(overStream);
  }

  /** URL to which the settings lead. */
  get url(): string {
    return this.#target.url;
  }

  /** A text message came. Setting it hands over the messages that waited for it. */
  get onMessageReceived(): ClientHandlers["onMessageReceived"] {
    return this.#onMessageReceived;
  }
  set onMessageReceived(handler: ClientHandlers["onMessageReceived"]) {
    this.#onMessageReceived = handler;
    if (handler !== undefined) this.#connection?.releaseHeld();
  }

  /** A binary message came. Setting it hands over the messages that waited for it. */
  get onBinaryDataReceived(): ClientHandlers["onBinaryDataReceived"] {
    return this.#onBinaryDataReceived;
  }
  set onBinaryDataReceived(handler: ClientHandlers["onBinaryDataReceived"]) {
    this.#onBinaryDataReceived = handler;
    if (handler !== undefined) this.#connection?.releaseHeld();
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /** Whether it is connected. Setting it `true` connects, `false` disconnects; a failure goes to `onError`. */
  get active(): boolean {
    return this.#connection?.state === "open";
  }
  set active(value: boolean) {
    const change: Promise<unknown> = value ? this.connect() : this.disconnect();
    change.catch((error) => {
      // Giving up what was begun is what the program asked for.
      if (error instanceof TransportError && error.code === "ERR_ABORTED") return;
      if (this.onError) this.#report(error);
      else console.error(error);
    });
  }

  /** Where the connection is in its life. */
  get state(): ConnectionState {
    if (this.#phase === "connecting") return "connecting";
    return this.#connection?.state ?? "closed";
  }

  /** The connection, once there is one; it stays after its end, for what is still to be read from it. */
  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#connection?.protocol ?? "";
  }

  /** The extensions that were agreed on. */
  get extensions(): readonly Extension[] {
    return this.#connection?.extensions ?? [];
  }

  /**
   * Connects. Calling it again changes nothing while it connects or is connected.
   *
   * @param options How to give it up, or streams instead of a socket.
   * @returns Resolves after the handshake; with `reconnect` after that of the first attempt that succeeds.
   * @throws {TransportError} If there is no way to the server, or not in time.
   * @throws {HandshakeError} If the server does not open the WebSocket, or `onHandshakeResponse` refuses it.
   * @throws {OptionError} If a setting is out of range.
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    if (this.#phase === "connected" && !this.active) {
      const generation = this.#generation;
      return this.#connection!.closed.then(() => {
        if (generation === this.#generation) return this.connect(options);
        throw new TransportError("ERR_ABORTED", "The program gave up connecting");
      });
    }
    if (this.#phase !== "idle") return this.#connecting!;
    if (this.#signal?.aborted) {
      const { reason: cause } = this.#signal;
      return Promise.reject(new TransportError("ERR_ABORTED", "Cannot connect: the signal is aborted", { cause }));
    }
    this.#phase = "connecting";
    this.#life = new AbortController();
    this.#connection = undefined;
    const settings = reconnectSettings(this.reconnect, this.terminalCodes);
    // Streams are used up by one connection.
    this.#persistence = settings === undefined || options.stream !== undefined
      ? undefined
      : { settings, backoff: new Backoff(settings) };
    this.#signal?.addEventListener("abort", this.#onSignal, { once: true });
    this.#connecting = this.#connectUntilOpen(options).catch((error) => {
      this.#phase = "idle";
      this.#giveUp(undefined);
      throw error;
    });
    return this.#connecting;
  }

  /** Makes attempts until one succeeds, or another makes no sense. */
  async #connectUntilOpen(options: ConnectOptions): Promise<void> {
    for (;;) {
      try {
        return this.#start(await this.#connect(options));
      } catch (error) {
        this.#log("warn", "client.attempt_failed", { url: redactUrl(this.url) }, error);
        this.#meter.refuse(error instanceof WebSocketError ? error.code : "ERR_OPTION");
        const failures = this.#persistence?.backoff.failed() ?? 0;
        const delay = await this.#delayAfter({ failures, error });
        if (delay === undefined) throw error;
        await this.#pause(delay, options.signal);
      }
    }
  }

  /**
   * How long to wait for the next attempt; tells the program of it.
   *
   * @returns In ms; `undefined`: there is none.
   */
  async #delayAfter(failure: ReconnectFailure): Promise<number | undefined> {
    const persistence = this.#persistence;
    if (persistence === undefined) return undefined;
    const { settings, backoff } = persistence;
    const decision = new Attempt(0, this.clock, [this.#life.signal]);
    const retry = await decision.run(this.#ask("shouldReconnect", () => isWorthRetrying(failure, settings)))
      .finally(() => decision.end());
    // The program may have disconnected meanwhile.
    if (!retry || this.#persistence !== persistence) return undefined;
    const attempt = { ...failure, delay: backoff.delay(retryAfter(failure.error)) };
    this.#log("info", "client.reconnecting", { failures: failure.failures, delay: attempt.delay });
    this.callHandler("onReconnecting", () => this.onReconnecting?.(attempt));
    return this.#persistence === persistence ? attempt.delay : undefined;
  }

  /** Rejects if the program gives it up. */
  #pause(delay: number, outer: AbortSignal | undefined): Promise<void> {
    const attempt = new Attempt(0, this.clock, [this.#life.signal, outer]);
    let cancel: () => void = () => {};
    const waited = new Promise<void>((resolve) => cancel = sharedTimer(this.clock).after(delay, resolve));
    return attempt.run(waited).finally(() => {
      cancel();
      attempt.end();
    });
  }

  /** The connection was lost; there may be another. */
  async #reconnect(info: CloseInfo): Promise<void> {
    const failures = this.#persistence?.backoff.failed(this.clock.now() - this.#openedAt) ?? 0;
    const delay = await this.#delayAfter({ failures, info });
    if (delay === undefined) {
      // Nothing to report, but whoever waits for a connection must not think that there is one.
      this.#persistence = undefined;
      throw new TransportError("ERR_RECONNECT_GIVEN_UP", `The connection has ended with ${info.code}, for good`);
    }
    this.#connection = undefined;
    await this.#pause(delay, undefined);
    await this.#connectUntilOpen({});
  }

  #beginReconnect(info: CloseInfo): void {
    this.#phase = "connecting";
    this.#life = new AbortController();
    // Not before `onDisconnect` was called, which may disconnect.
    const connecting = Promise.resolve().then(() => this.#reconnect(info));
    this.#connecting = connecting;
    connecting.catch((error) => {
      this.#phase = "idle";
      const wanted = this.#persistence !== undefined;
      this.#giveUp(info);
      if (!wanted) return;
      const message = "The connection is given up";
      this.#report(new TransportError("ERR_RECONNECT_GIVEN_UP", message, { cause: error }));
    });
  }

  /** There will be no other connection, unless the program connects again. */
  #giveUp(info: CloseInfo | undefined): void {
    this.#persistence = undefined;
    this.#signal?.removeEventListener("abort", this.#onSignal);
    this.#iterations.end();
    this.ended(info);
    const { count, amount } = this.#backlog;
    if (count === 0) return;
    this.#backlog.clear();
    const message = `${count} messages of ${amount} bytes that waited for a connection were never sent`;
    this.#report(new TransportError("ERR_QUEUE_LOST", message));
  }

  /** Returns the connection, not attached yet: from then on nothing can give the attempt up any more. */
  async #connect(options: ConnectOptions): Promise<OpenedConnection> {
    this.#assertSettings();
    const settings = connectionSettings(this.#settings.values);
    const attempt = new Attempt(this.connectTimeout, settings.clock, [this.#life.signal, options.signal]);
    const begun = settings.clock.now();
    try {
      const opened = await attempt.run(this.#establish(settings, attempt.controller.signal, options.stream));
      this.#openedAt = settings.clock.now();
      this.#meter.handshakeTimes.add(this.#openedAt - begun);
      return opened;
    } finally {
      attempt.end();
    }
  }

  async #establish(
    settings: ConnectionSettings,
    signal: AbortSignal,
    stream: ConnectOptions["stream"],
  ): Promise<OpenedConnection> {
    const connector = this.connector(stream !== undefined);
    const given = await this.prepareAttempt(connector, signal);
    const plan: ConnectPlan = { ...this.#describePlan(connector, given), settings, stream, signal };
    assertProtected(plan);
    return await connector.connect(plan, {
      sendHandshake: (request) => this.#ask("onSendHandshake", () => this.onSendHandshake?.(request)),
      acceptResponse: (response) => this.#acceptResponse(response),
    });
  }

  /** All of it is read before the program is asked: what it changes then is for the next time. */
  #describePlan(connector: Connector, given: HeaderSource): Omit<ConnectPlan, "settings" | "stream" | "signal"> {
    return {
      url: this.url,
      hostname: this.#target.hostname,
      port: this.port,
      tls: this.useSSL,
      requiresTls: this.requiresTls,
      host: this.#target.hostHeader,
      target: this.#target.path,
      origin: this.origin,
      headers: this.handshakeHeaders(connector, given),
      protocols: this.handshakeProtocols(connector),
      deflateOffers: connector.deflateOffers(this.compression),
      rootCertificateFile: this.rootCertificateFile,
      proxy: parseProxy(this.proxy),
      maxRedirects: this.maxRedirects,
      meter: this.#meter,
      showsControlFrames: this.onPing !== undefined || this.onPong !== undefined,
    };
  }

  /**
   * Asks what has to be asked before an attempt.
   *
   * @param _connector What connects.
   * @param signal Gives the attempt up.
   * @returns Header fields as they are given.
   */
  protected async prepareAttempt(_connector: Connector, signal: AbortSignal): Promise<HeaderSource> {
    const { resolveUrl, headers, token } = this;
    const url = resolveUrl && await this.askForAttempt("resolveUrl", resolveUrl, signal);
    const credentials = url === undefined ? undefined : this.#target.replace(url);
    const fields = typeof headers === "function" ? await this.askForAttempt("headers", headers, signal) : headers;
    const given = makeHeaders(fields);
    this.#target.dropForeignCredentials(given, credentials !== undefined);
    if (credentials !== undefined && !given.has("authorization")) given.set("authorization", credentials);
    const bearer = typeof token === "function" ? await this.askForAttempt("token", token, signal) : token;
    if (bearer === undefined) return given;
    assertToken("token", bearer);
    given.set("authorization", `Bearer ${bearer}`);
    return given;
  }

  /**
   * Asks the program for what an attempt needs.
   *
   * @param name What is asked.
   * @param handler Asks.
   * @param signal Gives the attempt up: what comes later is not of interest.
   * @returns The answer. What it fails with may be the network's doing, so another attempt makes sense.
   */
  protected async askForAttempt<Answer>(
    name: string,
    handler: () => Answer | Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await this.#ask(name, handler);
    } catch (cause) {
      throw new TransportError("ERR_CONNECT", describe(cause), { cause });
    }
    signal.throwIfAborted();
    return answer;
  }

  /** Whether nothing may be sent without TLS, but to a loopback address. */
  protected get requiresTls(): boolean {
    return false;
  }

  /** Close codes after which another attempt makes no sense, unless the program says otherwise. */
  protected get terminalCodes(): readonly number[] {
    return TERMINAL_CODES;
  }

  /**
   * The additional header fields of the next handshake.
   *
   * @param _connector What connects.
   * @param given The settings `headers` and `token`.
   * @returns A copy.
   */
  protected handshakeHeaders(_connector: Connector, given: HeaderSource): Headers {
    return makeHeaders(given);
  }

  /**
   * The subprotocols that the next handshake offers.
   *
   * @param _connector What connects.
   * @returns In the order of preference.
   */
  protected handshakeProtocols(_connector: Connector): readonly string[] {
    return this.protocols;
  }

  /**
   * Looks at what the server chose, before the program is asked.
   *
   * @param _protocol The subprotocol, or "".
   * @throws {HandshakeError} If it cannot be used.
   */
  protected accept(_protocol: string): void {
    // For those who build on it.
  }

  async #acceptResponse(response: ClientHandshakeResponse): Promise<void> {
    this.accept(response.protocol);
    const answer = await this.#ask("onHandshakeResponse", () => this.onHandshakeResponse?.(response));
    if (answer !== false) return;
    throw new HandshakeError("ERR_HANDSHAKE_REFUSED", "The program refused the server's answer", 101);
  }

  async #ask<Answer>(name: string, handler: () => Answer | Promise<Answer>): Promise<Answer> {
    try {
      return await handler();
    } catch (error) {
      throw new HandlerError(name, error);
    }
  }

  #start(opened: OpenedConnection): void {
    this.#connection = opened.attach(this.#makeHandler(), { delivery: this.#delivery(), hold: this.#holds() });
    this.#phase = "connected";
    this.#meter.opened++;
    this.#log("info", "client.open", { url: redactUrl(this.url), protocol: errorText(this.protocol) });
    this.#iterations.turn(() => this.#connection![Symbol.asyncIterator]());
    this.attached(this.#connection);
    this.#scheduleBatch();
    this.callHandler("onConnect", () => this.onConnect?.());
    opened.begin();
    this.#sendBacklog();
  }

  #log(level: LogLevel, event: string, attributes: LogRecord["attributes"], error?: unknown): void {
    if (this.onLog === undefined) return;
    writeLog(this.onLog, { level, event, time: Date.now(), attributes, ...error !== undefined && { error } });
  }

  /**
   * What was counted since the client was made. In a page there are messages, and no frames nor bytes.
   *
   * @returns A copy.
   */
  stats(): Stats {
    const open = this.#phase === "connected" ? 1 : 0;
    const handshaking = this.#phase === "connecting" ? 1 : 0;
    return this.#meter.snapshot({ open, handshaking, bufferedAmount: this.bufferedAmount });
  }

  /**
   * The handshake is done; no handler has been called yet.
   *
   * @param _connection The connection.
   */
  protected attached(_connection: ClientConnection): void {
    // For those who build on it.
  }

  /**
   * The connection has ended; no handler has been called yet.
   *
   * @param _info How.
   */
  protected detached(_info: CloseInfo): void {
    // For those who build on it.
  }

  /**
   * There will be no other connection; no handler has been called yet.
   *
   * @param _info How the last one ended, if there was one.
   */
  protected ended(_info: CloseInfo | undefined): void {
    // For those who build on it.
  }

  /** Whether a handler for messages is set. */
  protected get listens(): boolean {
    return this.#onMessageReceived !== undefined || this.#onBinaryDataReceived !== undefined;
  }

  /** Whether messages wait until somebody listens. Single frames do not. */
  #holds(): boolean {
    return this.autoCheckMessages && this.options.frameByFrame !== true && !this.listens;
  }

  /**
   * Disconnects. Calling it again changes nothing; while it connects, it gives that up.
   *
   * @param sendClose `true`: with a closing handshake, waiting for the server's close frame. `false`: drops the socket.
   * @param code The close code.
   * @param reason The close reason.
   * @returns Resolves when the connection has ended: how, or `undefined` if there was none.
   * @throws {OptionError} If code or reason are out of range.
   */
  async disconnect(
    sendClose = true,
    code: number = CloseCode.NormalClosure,
    reason = "",
  ): Promise<CloseInfo | undefined> {
    this.#persistence = undefined;
    this.#generation++;
    if (this.#phase === "connecting") {
      this.#life.abort(new TransportError("ERR_ABORTED", "The program gave up connecting"));
      await this.#connecting!.catch(() => {});
    }
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    if (sendClose) return await connection.close(code, reason);
    connection.terminate();
    return await connection.closed;
  }

  /** Disconnects, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  // ---- Handlers ------------------------------------------------------------------------------------------------

  #makeHandler(): ClientConnectionHandler {
    return {
      message: (data, frame) => void this.deliver(data, frame),
      ping: (data) => this.#deliverControl("onPing", data),
      pong: (data) => this.#deliverControl("onPong", data),
      close: (code, reason) => this.callHandler("onClose", () => this.onClose?.(code, reason)),
      disconnect: (info) => this.#disconnected(info),
      error: (error) => this.#failed(error),
    };
  }

  #deliverControl(name: "onPing" | "onPong", data: Uint8Array): void {
    if (this[name] === undefined) return;
    const own = data.slice();
    this.callHandler(name, () => this[name]?.(own));
  }

  #failed(error: unknown): void {
    const code = error instanceof WebSocketError ? error.code : "ERR_OPTION";
    this.#meter.fail(code);
    this.#log("warn", "client.failed", { code }, error);
    this.#report(error);
  }

  /**
   * Hands a message to the handlers.
   *
   * @param data The message.
   * @param frame Given with `frameByFrame` only.
   * @returns Whether they succeeded.
   */
  protected deliver(data: MessageData, frame?: FrameInfo): boolean | Promise<boolean> {
    if (typeof data === "string") {
      return this.callHandler("onMessageReceived", () => this.#onMessageReceived?.(data, frame));
    }
    return this.callHandler("onBinaryDataReceived", () => this.#onBinaryDataReceived?.(data, frame));
  }

  /**
   * Calls a handler so that what it throws or rejects with goes to `onError`, and the connection is closed with 1011.
   *
   * @param name The name of the handler.
   * @param handler Calls it.
   * @returns Whether it succeeded.
   */
  protected callHandler(name: string, handler: () => void | Promise<void>): boolean | Promise<boolean> {
    // A handler may fail late, when there is another connection already.
    const connection = this.#connection;
    try {
      const result = handler();
      if (!(result instanceof Promise)) return true;
      return result.then(() => true, (error) => this.#handlerFailed(name, error, connection));
    } catch (error) {
      return this.#handlerFailed(name, error, connection);
    }
  }

  #handlerFailed(name: string, error: unknown, connection: ClientConnection | undefined): false {
    const failure = new HandlerError(name, error);
    connection?.closeWith(CloseCode.InternalError, failure);
    this.#failed(failure);
    return false;
  }

  /**
   * Reports what failed.
   *
   * @param error What.
   */
  protected reportError(error: unknown): void {
    this.#report(error);
  }

  #report(error: unknown): void {
    if (!this.onError) {
      if (error instanceof HandlerError) console.error(error);
      return;
    }
    const failed = (failure: unknown): void => console.error(new HandlerError("onError", failure));
    try {
      const result: unknown = this.onError(error);
      if (result instanceof Promise) result.catch(failed);
    } catch (failure) {
      failed(failure);
    }
  }

  #disconnected(info: CloseInfo): void {
    this.#phase = "idle";
    this.#meter.close((info.received ?? info.sent ?? info).code);
    this.#log("info", "client.closed", { code: info.code, reason: info.reason, clean: info.clean });
    this.detached(info);
    this.#cancelBatch?.();
    this.#cancelBatch = undefined;
    const goesOn = this.#persistence !== undefined;
    // From here on `send` keeps messages, and `connect` waits for the next connection.
    if (goesOn) this.#beginReconnect(info);
    else this.#giveUp(info);
    this.callHandler("onDisconnect", () => this.onDisconnect?.(info));
  }

  // ---- Delivery ------------------------------------------------------------------------------------------------

  #delivery(): Delivery {
    if (!this.autoCheckMessages) return "step";
    return this.autoCheckInterval > 0 ? "batched" : "immediate";
  }

  #applyDelivery(): void {
    this.#cancelBatch?.();
    this.#cancelBatch = undefined;
    if (this.#phase !== "connected") return;
    this.#connection!.setDelivery(this.#delivery());
    this.#scheduleBatch();
  }

  #scheduleBatch(): void {
    if (this.#delivery() !== "batched") return;
    this.#cancelBatch = this.clock.after(this.autoCheckInterval, () => {
      this.#scheduleBatch();
      this.#connection?.deliverBatch();
    });
  }

  /**
   * Handles one incoming frame or message, with `autoCheckMessages` off. Waits at most `checkTimeout`.
   *
   * @returns What came.
   * @throws {StateError} If `autoCheckMessages` is on, or a check is running already.
   *
   * @example A loop of the program's own
   * ```ts
   * import { WebSocketClient } from "@tackline/websocket";
   *
   * export async function run(client: WebSocketClient) {
   *   client.autoCheckMessages = false;
   *   await client.connect();
   *   while (await client.checkIncoming() !== "closed") {
   *     // Something else is done here between two messages.
   *   }
   * }
   * ```
   */
  async checkIncoming(): Promise<IncomingResult> {
    if (this.autoCheckMessages) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: autoCheckMessages is on");
    }
    if (this.#phase === "connecting" && this.#persistence !== undefined) return await this.#checkAgain();
    const result = await this.#connection?.step(this.checkTimeout) ?? "closed";
    // There will be another connection, perhaps.
    return result === "closed" && this.#persistence !== undefined ? "none" : result;
  }

  async #checkAgain(): Promise<IncomingResult> {
    let cancel: () => void = () => {};
    const waited = new Promise<void>((resolve) => {
      if (this.checkTimeout > 0) cancel = sharedTimer(this.clock).after(this.checkTimeout, resolve);
    });
    await Promise.race([waited, this.#connecting!.catch(() => {})]);
    cancel();
    return "none";
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  #open(what: string): ClientConnection {
    if (this.#connection !== undefined && this.#phase !== "connecting") return this.#connection;
    throw new StateError("ERR_NOT_OPEN", `Cannot ${what}: the client is not connected`);
  }

  /**
   * Sends a message: a string as text, bytes as binary.
   *
   * @param data The message.
   * @param options What is different for this one.
   * @returns What became of it.
   * @throws {StateError} If the connection is not open, and no message is kept: see `reconnect.maxQueuedAmount`.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: MessageData, options?: MessageOptions): SendResult {
    const limit = this.#persistence?.settings.maxQueuedAmount ?? 0;
    const behind = this.#backlog.count > 0 || !this.active;
    if (limit === 0 || !behind) return this.#open("send").send(data, options);
    assertPayload(data, "send");
    const result = this.#backlog.add(data, limit) ? "queued" : "dropped";
    this.#sendBacklog();
    return result;
  }

  #sendBacklog(): void {
    if (this.#backlog.count === 0 || !this.active) return;
    void this.#backlog.sendTo(this.#connection!, (error) => this.#report(error));
  }

  /** Bytes of messages that wait for the next connection. */
  get queuedAmount(): number {
    return this.#backlog.amount;
  }

  /**
   * Sends one frame of a message that the program fragments by hand: see `WebSocketConnection.sendFrame`.
   *
   * @param opcode The opcode of the frame.
   * @param data Its payload.
   * @param final Whether it is the last frame of the message.
   * @returns What became of it.
   * @throws {StateError} If the connection is not open, or the opcode does not fit what was sent before.
   */
  sendFrame(opcode: Opcode, data: MessageData, final: boolean): SendResult {
    const result = this.#open("send a frame").sendFrame(opcode, data, final);
    if (final) this.#sendBacklog();
    return result;
  }

  /**
   * Sends a ping.
   *
   * @param message At most 125 bytes; the pong brings them back.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `message` is too long.
   */
  ping(message: MessageData = ""): void {
    this.#open("send a ping").ping(message);
  }

  /**
   * Sends a pong, as an answer with `manualPong`, or unasked.
   *
   * @param message At most 125 bytes.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `message` is too long.
   */
  pong(message: MessageData = ""): void {
    this.#open("send a pong").pong(message);
  }

  /** Bytes that were sent by the program and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.#connection?.bufferedAmount ?? 0;
  }

  /**
   * Waits until nothing that was sent waits any more.
   *
   * @returns Rejects if the connection is lost before.
   */
  drained(): Promise<void> {
    return this.#connection?.drained() ?? Promise.resolve();
  }

  /** The messages as a stream: see `WebSocketConnection.readable`. */
  get readable(): ReadableStream<MessageData> {
    return this.#open("read").readable;
  }

  /** Messages to the server as a stream: see `WebSocketConnection.writable`. */
  get writable(): WritableStream<MessageData> {
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
  messageWriter(opcode: Opcode): WritableStream<MessageData> {
    return this.#open("write a message").messageWriter(opcode);
  }

  /**
   * Iterates over the messages: see `WebSocketConnection`. With `autoCheckMessages` off, they come as `checkIncoming` fetches them.
   * With `reconnect` the loop goes on with the next connection, and ends when there will be none.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    if (this.#persistence === undefined) return this.#open("read")[Symbol.asyncIterator]();
    return this.#iterations.begin(this.#phase === "connected" ? this.#connection![Symbol.asyncIterator]() : undefined);
  }
}
