/**
 * The WebSocket server.
 *
 * @module
 */

import { type AcceptHost, AcceptSession } from "./accept.ts";
import { Admission, Pass } from "./admission.ts";
import type { CloseInfo } from "../connection/options.ts";
import {
  abandonConnection,
  type ConnectionHandler,
  createConnection,
  failConnection,
  type WebSocketConnection,
} from "../connection/connection.ts";
import type { FrameInfo } from "../protocol/message.ts";
import { encodeClosePayload, type MessageData } from "../protocol/payload.ts";
import {
  type BackplaneError,
  CloseCode,
  describe,
  HandlerError,
  TransportError,
  WebSocketError,
} from "../base/errors.ts";
import type { BodyTaker, TextReply } from "./direct.ts";
import { HandlerCalls } from "./handler_calls.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import { textResponse } from "../protocol/http.ts";
import { PublishingServer } from "./publisher.ts";
import { MemoryBudget } from "../base/memory_budget.ts";
import { assertNumber } from "../base/ranges.ts";
import type { AllowResult, ServerHandlers, StopOptions, WebSocketServerOptions } from "./handlers.ts";
import { ServerLog } from "./log.ts";
import type { Stats } from "../base/stats.ts";
import { loadIdentity } from "../transport/tls_identity.ts";
import type { Address, Admittance, Listener, TlsIdentity, Transport } from "../transport/transport.ts";
import { runtimeTransport } from "../transport/runtime.ts";
import { TurnedAway } from "./turned_away.ts";
import { UnfinishedMessages } from "../connection/unfinished_messages.ts";
import { type BytePair, type BytePairInfo, streamTransport } from "../transport/stream.ts";

type Selector<Data> = (connection: WebSocketConnection<Data>) => boolean;
type RunState = "stopped" | "starting" | "running" | "stopping";

/**
 * A WebSocket server (RFC 6455).
 *
 * @typeParam Data The type of `connection.data`, which belongs to the program.
 *
 * @example A chat room
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket";
 *
 * const server = new WebSocketServer({
 *   port: 0,
 *   onMessageReceived(connection, text) {
 *     server.broadcastMessage(`${connection.remoteAddress.port}: ${text}`);
 *   },
 * });
 * await server.start();
 * await server.stop();
 * ```
 */
export class WebSocketServer<Data = unknown> extends PublishingServer<Data> implements ServerHandlers<Data> {
  // Handlers, which may be replaced at any time
  /** Asked for the pass phrase of an encrypted private key. */
  onGetSSLPassword?: ServerHandlers<Data>["onGetSSLPassword"];
  /** TCP (and TLS) is there, the handshake is not done yet. */
  onConnect?: ServerHandlers<Data>["onConnect"];
  /** Asked whether to open a WebSocket. */
  onAllow?: ServerHandlers<Data>["onAllow"];
  /** Chooses one of the offered subprotocols. */
  onSelectProtocol?: ServerHandlers<Data>["onSelectProtocol"];
  /** The handshake is done. */
  onHandshakeResponseSent?: ServerHandlers<Data>["onHandshakeResponseSent"];
  /** A text message came. */
  onMessageReceived?: ServerHandlers<Data>["onMessageReceived"];
  /** A binary message came. */
  onBinaryDataReceived?: ServerHandlers<Data>["onBinaryDataReceived"];
  /** A ping came. */
  onPing?: ServerHandlers<Data>["onPing"];
  /** A pong came. */
  onPong?: ServerHandlers<Data>["onPong"];
  /** The peer's close frame came. */
  onClose?: ServerHandlers<Data>["onClose"];
  /** The connection has ended. */
  onDisconnect?: ServerHandlers<Data>["onDisconnect"];
  /** A plain HTTP request came. */
  onCommandGet?: ServerHandlers<Data>["onCommandGet"];
  /** Something failed. */
  onError?: ServerHandlers<Data>["onError"];
  /** Something happened. */
  onLog?: ServerHandlers<Data>["onLog"];

  // Life
  #state: RunState = "stopped";
  /** What the program asked for last. */
  #wanted: "running" | "stopped" = "stopped";
  /** The change that was asked for last; each waits for the one before. */
  #change: Promise<void> = Promise.resolve();
  #listener: Listener | undefined;
  /** What connections are closed with that open while it stops. */
  #stopCode: number = CloseCode.GoingAway;
  #stopReason = "";
  /** Stops the server. */
  #signal: AbortSignal | undefined;
  readonly #onSignal = (): void => void (this.active = false);

  // Statistics
  readonly #log = new ServerLog(() => this.onLog);

  // Connections
  /** Those whose handshake is done. */
  #open = new Set<WebSocketConnection<Data>>();
  /** Those whose handshake is not done, and plain HTTP. */
  #pending = new Map<WebSocketConnection<Data>, AcceptSession<Data>>();
  /** Those that may be there. */
  #passes = new Map<WebSocketConnection<Data>, Pass>();
  readonly #admission = new Admission(() => this.settings, (address) => this.#refused("maxHandshakes", address));
  readonly #turnedAway = new TurnedAway();
  readonly #bodies = new MemoryBudget(() => this.settings.maxTotalBodySize);
  readonly #unfinished = new UnfinishedMessages(() => this.settings);
  /** Settled when the last connection has gone. */
  #whenEmpty: PromiseWithResolvers<void> | undefined;
  readonly #calls: HandlerCalls<Data>;
  #host: AcceptHost<Data>;
  #handler: ConnectionHandler<Data>;

  /**
   * Makes a server; it does not listen yet.
   *
   * @param options Settings and handlers.
   * @throws {OptionError} If a setting is out of range.
   */
  constructor(options: WebSocketServerOptions<Data> = {}) {
    super(options, options.backplane);
    this.#calls = new HandlerCalls(this, (error, connection) => this.#handlerFailed(error, connection));
    this.#host = this.#makeHost();
    this.#handler = this.#makeHandler();
    this.onGetSSLPassword = options.onGetSSLPassword;
    this.onConnect = options.onConnect;
    this.onAllow = options.onAllow;
    this.onSelectProtocol = options.onSelectProtocol;
    this.onHandshakeResponseSent = options.onHandshakeResponseSent;
    this.onMessageReceived = options.onMessageReceived;
    this.onBinaryDataReceived = options.onBinaryDataReceived;
    this.onPing = options.onPing;
    this.onPong = options.onPong;
    this.onClose = options.onClose;
    this.onDisconnect = options.onDisconnect;
    this.onCommandGet = options.onCommandGet;
    this.onError = options.onError;
    this.onLog = options.onLog;
    this.#signal = options.signal;
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /**
   * Whether the server listens. Setting it `true` starts, `false` stops; a failure goes to `onError`. To wait for it, use
   * {@linkcode WebSocketServer.start} and {@linkcode WebSocketServer.stop}.
   */
  get active(): boolean {
    return this.#state === "running" && this.#wanted === "running";
  }
  set active(value: boolean) {
    const change = value ? this.start() : this.stop();
    change.catch((error) => this.onError ? this.#calls.report(error) : console.error(error));
  }

  /** Where the server listens; with `port: 0` the port it took. `undefined` while it does not listen. */
  get address(): Address | undefined {
    return this.#listener?.address;
  }

  /** The connections whose handshake is done, until they have ended. `send` throws for those that are closing already. */
  override get connections(): ReadonlySet<WebSocketConnection<Data>> {
    return this.#open;
  }

  /**
   * What was counted since the server was made.
   *
   * @returns A copy.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@tackline/websocket";
   * import { assertEquals } from "@std/assert";
   *
   * const server = new WebSocketServer();
   * assertEquals(server.stats().connections.open, 0);
   * ```
   */
  stats(): Stats {
    let bufferedAmount = 0;
    for (const connection of this.#open) bufferedAmount += connection.bufferedAmount;
    return this.meter.snapshot({ open: this.#open.size, handshaking: this.#admission.handshaking, bufferedAmount });
  }

  /**
   * Counts a refusal that its own code decides about.
   *
   * @param reason Why.
   */
  protected countRefusal(reason: string): void {
    this.meter.refuse(reason);
  }

  /**
   * Starts listening. Calling it again changes nothing.
   *
   * @returns Resolves when the port is open.
   * @throws {TransportError} If the port cannot be opened.
   * @throws {CertificateError} If certificate or key cannot be used.
   * @throws {HandlerError} If `onGetSSLPassword` fails.
   * @throws {StateError} If another server uses the backplane.
   */
  start(): Promise<void> {
    if (this.#wanted === "running") return this.#change;
    this.#wanted = "running";
    this.locked = true;
    const change = this.#change.catch(() => {}).then(() => this.#listen()).catch((error) => {
      if (this.#change === change) this.#wanted = "stopped";
      this.#setState("stopped");
      throw error;
    });
    this.#change = change;
    return change;
  }

  #setState(state: RunState): void {
    this.#state = state;
    this.locked = state !== "stopped" || this.#wanted === "running";
  }

  async #listen(): Promise<void> {
    if (this.#signal?.aborted) {
      throw new TransportError("ERR_ABORTED", "Cannot start: the signal is aborted", { cause: this.#signal.reason });
    }
    this.#setState("starting");
    await this.prepare();
    try {
      await this.openRelay();
      await this.#openPort();
    } catch (error) {
      this.closeRelay();
      await this.finish();
      throw error;
    }
    this.#setState("running");
    this.#signal?.addEventListener("abort", this.#onSignal, { once: true });
    // It may have been aborted while the port was opened.
    if (this.#signal?.aborted) this.#onSignal();
    const { hostname, port } = this.#listener!.address;
    this.#log.write("info", "server.listening", { "server.address": hostname, "server.port": port, tls: this.useSSL });
  }

  /**
   * Other nodes are not reached, or not heard.
   *
   * @param error Why.
   */
  protected override relayFailed(error: BackplaneError): void {
    this.#log.write("warn", "backplane.failed", { code: error.code }, error);
    this.#calls.report(error);
  }

  /** Called before the port is opened; what it rejects with is what `start` rejects with. */
  protected prepare(): Promise<void> {
    return Promise.resolve();
  }

  /** Called after the last connection has ended, and when the port cannot be opened. */
  protected finish(): Promise<void> {
    return Promise.resolve();
  }

  async #openPort(): Promise<void> {
    const { port, hostname, reusePort, handshakeTimeout, clock } = this.settings;
    const tls = this.useSSL ? await this.#loadIdentity() : undefined;
    try {
      this.#listener = await runtimeTransport().listen({ port, hostname, reusePort, tls, handshakeTimeout, clock }, {
        admit: (address) => this.#admit(address),
        accept: (transport, admittance) => void this.#acceptAdmitted(transport, admittance as Pass | undefined),
        handshakeFailed: (error, address) => this.#handshakeFailed(error, address),
        error: (error) => this.#acceptFailed(error),
      });
    } catch (cause) {
      const message = `Cannot listen on ${hostname}:${port}: ${describe(cause)}`;
      throw new TransportError("ERR_LISTEN", message, { cause });
    }
  }

  #loadIdentity(): Promise<TlsIdentity> {
    return loadIdentity(this.settings, this.onGetSSLPassword && (() => this.onGetSSLPassword?.()));
  }

  /**
   * Reads the certificate files again: new TLS handshakes get what is in them now, open connections live on. If the new files
   * cannot be used, the old certificate stays.
   *
   * @throws {CertificateError} If certificate or key cannot be used.
   */
  async reloadCertificates(): Promise<void> {
    if (!this.useSSL || this.#listener === undefined) return;
    const identity = await this.#loadIdentity();
    this.#listener?.replaceIdentity(identity);
  }

  /**
   * Stops: takes no new connections, closes those that are there with 1001, waits for them, and gives up those that have
   * not ended after `closeTimeout`. Calling it again only shortens the time, if `closeTimeout` or `signal` say so.
   *
   * @param options Close code, reason, time, and what hastens it.
   * @returns Resolves when all connections have ended and the port is free.
   * @throws {OptionError} If code or reason are out of range.
   */
  stop(options: StopOptions = {}): Promise<void> {
    // Checked before anything is closed.
    encodeClosePayload(options.code ?? CloseCode.GoingAway, options.reason ?? "");
    if (options.closeTimeout !== undefined) assertNumber("closeTimeout", options.closeTimeout);
    if (this.#wanted === "stopped" && this.#isEmpty) return this.#change.catch(() => {});
    if (this.#wanted === "stopped") this.#hasten(options);
    this.#wanted = "stopped";
    this.#change = this.#change.catch(() => {}).then(() => this.#drain(options));
    return this.#change;
  }

  async #drain(options: StopOptions): Promise<void> {
    if (this.#state !== "running" && this.#isEmpty) return;
    this.#setState("stopping");
    this.#signal?.removeEventListener("abort", this.#onSignal);
    this.#log.write("info", "server.stopping", { connections: this.#open.size });
    const { code = CloseCode.GoingAway, reason = "", closeTimeout = this.settings.closeTimeout } = options;
    [this.#stopCode, this.#stopReason] = [code, reason];
    const closed = this.#listener?.close();
    for (const session of this.#pending.values()) session.shutdown();
    for (const connection of this.#open) connection.close(code, reason);
    const hasten = (): void => this.#terminateAll();
    const cancel = closeTimeout > 0 ? this.settings.clock.after(closeTimeout, hasten) : () => {};
    if (options.signal?.aborted) hasten();
    options.signal?.addEventListener("abort", hasten, { once: true });
    await this.#empty();
    cancel();
    options.signal?.removeEventListener("abort", hasten);
    this.#turnedAway.end();
    this.closeRelay();
    await closed;
    this.#listener = undefined;
    await this.finish();
    this.#setState("stopped");
    this.#log.write("info", "server.stopped", {});
  }

  /** What a second call asks for besides. */
  #hasten({ closeTimeout, signal }: StopOptions): void {
    const hasten = (): void => this.#terminateAll();
    if (signal?.aborted) return hasten();
    signal?.addEventListener("abort", hasten, { once: true });
    const cancel = closeTimeout ? this.settings.clock.after(closeTimeout, hasten) : () => {};
    this.#empty().then(() => {
      cancel();
      signal?.removeEventListener("abort", hasten);
    });
  }

  #terminateAll(): void {
    for (const connection of [...this.#open, ...this.#pending.keys()]) connection.terminate();
  }

  get #isEmpty(): boolean {
    return this.#open.size + this.#pending.size === 0;
  }

  #empty(): Promise<void> {
    if (this.#isEmpty) return Promise.resolve();
    this.#whenEmpty ??= Promise.withResolvers<void>();
    return this.#whenEmpty.promise;
  }

  /** Stops, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  // ---- Connections ---------------------------------------------------------------------------------------------

  /**
   * Serves a connection over any pair of byte streams, as if it had come from the port: a Unix socket, a tunnel, a test. The
   * server need not listen.
   *
   * @param pair The streams.
   * @param info What is known of the way.
   * @returns The connection, before its handshake.
   */
  acceptStream(pair: BytePair, info: BytePairInfo = {}): WebSocketConnection<Data> {
    const transport = streamTransport(pair, info);
    const pass = this.#admission.enter(transport.remoteAddress, this.settings.clock.now());
    if (pass instanceof Pass) return this.#accept(transport, pass);
    transport.destroy();
    this.#refused(pass, transport.remoteAddress);
    throw new TransportError("ERR_TOO_MANY_CONNECTIONS", `Cannot accept: "${pass}" is reached`);
  }

  #admit(address: Address): Admittance | undefined {
    const pass = this.#admission.enter(address, this.settings.clock.now());
    if (pass instanceof Pass) return pass;
    this.#refused(pass, address);
    return undefined;
  }

  #acceptAdmitted(transport: Transport, admitted: Pass | undefined): void {
    const pass = admitted ?? this.#admission.enter(transport.remoteAddress, this.settings.clock.now());
    if (pass instanceof Pass) return void this.#accept(transport, pass);
    this.#refused(pass, transport.remoteAddress);
    this.#turnedAway.add(transport, pass, this.settings.clock);
  }

  /** Nothing is reported for each of them: they come in floods. */
  #refused(reason: string, { hostname, port }: Address): void {
    this.meter.refuse(reason);
    this.#log.write("warn", "connection.refused", {
      reason,
      "network.peer.address": hostname,
      "network.peer.port": port,
    });
  }

  /** Counted, and no more than that: each probe of a load balancer is one. */
  #handshakeFailed(error: unknown, { hostname, port }: Address): void {
    const failure = new TransportError("ERR_TLS_HANDSHAKE", describe(error), { cause: error });
    this.meter.refuse(failure.code);
    this.#log.write("debug", "connection.refused", {
      reason: failure.code,
      "network.peer.address": hostname,
      "network.peer.port": port,
    }, failure);
  }

  #acceptFailed(error: unknown): void {
    const failure = new TransportError("ERR_ACCEPT", describe(error), { cause: error });
    this.meter.refuse(failure.code);
    this.#log.write("warn", "connection.refused", { reason: failure.code }, failure);
    this.#calls.report(failure);
  }

  #accept(transport: Transport, pass: Pass): WebSocketConnection<Data> {
    this.meter.maxBuffered = this.settings.maxTotalBufferedAmount || Infinity;
    const connection = createConnection<Data>(transport, "server", this.#handler, this.settings, this.meter);
    const session = new AcceptSession(transport, connection, this.#host, pass);
    this.#pending.set(connection, session);
    this.#passes.set(connection, pass);
    this.#log.connection("debug", "connection.accepted", connection);
    this.#calls.call("onConnect", connection, () => this.onConnect?.(connection));
    if (this.#state === "stopping") abandonConnection(connection);
    if (connection.state === "connecting") session.begin();
    return connection;
  }

  #makeHost(): AcceptHost<Data> {
    return {
      settings: () => this.settings,
      stopping: () => this.#state === "stopping",
      bodies: this.#bodies,
      allow: (connection, awaited) => this.#calls.allow(connection, () => this.allow(connection), awaited),
      selectProtocol: (connection, offered) => this.#calls.selectProtocol(connection, offered, this.protocols),
      direct: (line, fields, connection) => this.respondDirectly(line, fields, connection),
      respond: (request, connection) => this.respond(request, connection),
      opened: (connection) => this.#opened(connection),
      refused: (reason, connection) => this.#refusedSession(reason, connection),
      error: (error, connection) => this.#sessionFailed(error, connection),
    };
  }

  #makeHandler(): ConnectionHandler<Data> {
    return {
      message: (connection, data, frame) => this.receive(connection, data, frame),
      ping: (connection, data) => {
        if (this.onPing === undefined) return;
        const own = data.slice();
        this.#calls.call("onPing", connection, () => this.onPing?.(connection, own));
      },
      pong: (connection, data) => {
        if (this.onPong === undefined) return;
        const own = data.slice();
        this.#calls.call("onPong", connection, () => this.onPong?.(connection, own));
      },
      close: (connection, code, reason) =>
        this.#calls.call("onClose", connection, () => this.onClose?.(connection, code, reason)),
      disconnect: (connection, info) => this.#disconnected(connection, info),
      error: (connection, error) => this.#connectionFailed(error, connection),
      topics: this.topics,
      unfinished: this.#unfinished,
    };
  }

  #refusedSession(reason: string, connection: WebSocketConnection<Data>, error?: unknown): void {
    this.meter.refuse(reason);
    this.#log.connection("warn", "connection.refused", connection, { reason }, error);
  }

  #sessionFailed(error: unknown, connection: WebSocketConnection<Data>): void {
    this.#refusedSession(codeOf(error), connection, error);
    this.#calls.report(error, connection);
  }

  #handlerFailed(failure: HandlerError, connection: WebSocketConnection<Data>): void {
    failConnection(connection, CloseCode.InternalError, failure);
    this.#connectionFailed(failure, connection);
  }

  #connectionFailed(error: unknown, connection: WebSocketConnection<Data>): void {
    this.meter.fail(codeOf(error));
    this.#log.connection("warn", "connection.failed", connection, { code: codeOf(error) }, error);
    this.#calls.report(error, connection);
  }

  /**
   * Takes a message; the default calls the handlers.
   *
   * @param connection The connection it came on.
   * @param data The message.
   * @param frame Given with `frameByFrame` only.
   */
  protected receive(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): void {
    const name = typeof data === "string" ? "onMessageReceived" : "onBinaryDataReceived";
    try {
      const result = typeof data === "string"
        ? this.onMessageReceived?.(connection, data, frame)
        : this.onBinaryDataReceived?.(connection, data, frame);
      if (result instanceof Promise) this.#calls.watch(name, connection, result);
    } catch (error) {
      this.#handlerFailed(new HandlerError(name, error), connection);
    }
  }

  /**
   * Reports what a handler threw, where the connection is not to be closed for it.
   *
   * @param name The name of the handler.
   * @param error What it threw.
   * @param connection The connection it was called for.
   */
  protected reportHandlerError(name: string, error: unknown, connection: WebSocketConnection<Data>): void {
    this.#calls.report(new HandlerError(name, error), connection);
  }

  /**
   * Reports what failed.
   *
   * @param error What.
   * @param connection The connection it belongs to, if any.
   */
  protected override reportError(error: unknown, connection?: WebSocketConnection<Data>): void {
    this.#calls.report(error, connection);
  }

  /**
   * Decides whether to open a WebSocket; the default asks `onAllow`.
   *
   * @param connection The connection, with its request.
   * @returns The decision.
   */
  protected allow(connection: WebSocketConnection<Data>): AllowResult {
    return this.onAllow ? this.onAllow(connection) : true;
  }

  /**
   * Answers a POST with a short body of known length without `Request` and `Response`, if it can; the default cannot. What `respond` does
   * must be the same.
   *
   * @param _line The request line.
   * @param _fields The header fields.
   * @param _connection The connection it came on.
   * @returns The answer, if the head is enough for one; what takes the body; `undefined`: `respond` answers it.
   * @internal
   */
  protected respondDirectly(
    _line: RequestLine,
    _fields: HeaderFields,
    _connection: WebSocketConnection<Data>,
  ): TextReply | BodyTaker | undefined {
    return undefined;
  }

  /**
   * Answers a plain HTTP request; the default asks `onCommandGet`.
   *
   * @param request The request.
   * @param connection The connection it came on.
   * @returns The response.
   */
  protected async respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    const response = await this.#calls.respond(() => this.onCommandGet?.(request, connection));
    if (response !== undefined) return response;
    if (this.pathName !== "" && new URL(request.url).pathname !== this.pathName) {
      return textResponse(404, "There is nothing at this path");
    }
    return textResponse(426, "This is a WebSocket server", { "sec-websocket-version": "13" });
  }

  /**
   * A WebSocket is open; its handlers have not been called yet.
   *
   * @param _connection The connection.
   */
  protected opened(_connection: WebSocketConnection<Data>): void {
    // For those who build on it.
  }

  /**
   * A WebSocket has ended; its handlers have not been called yet.
   *
   * @param _connection The connection.
   */
  protected ended(_connection: WebSocketConnection<Data>): void {
    // For those who build on it.
  }

  #opened(connection: WebSocketConnection<Data>): void {
    this.#pending.delete(connection);
    this.#open.add(connection);
    const duration = this.settings.clock.now() - this.#passes.get(connection)!.acceptedAt;
    this.meter.opened++;
    this.meter.handshakeTimes.add(duration);
    this.#log.opened(connection, duration);
    this.opened(connection);
    this.#calls.call("onHandshakeResponseSent", connection, () => this.onHandshakeResponseSent?.(connection));
    if (this.#state === "stopping") connection.close(this.#stopCode, this.#stopReason);
  }

  #disconnected(connection: WebSocketConnection<Data>, info: CloseInfo): void {
    this.#pending.delete(connection);
    this.#passes.get(connection)?.leave();
    this.#passes.delete(connection);
    this.forgetTopics(connection);
    if (this.#open.delete(connection)) {
      this.meter.close((info.received ?? info.sent ?? info).code);
      this.#log.closed(connection, info);
      this.ended(connection);
    }
    this.#calls.call("onDisconnect", connection, () => this.onDisconnect?.(connection, info));
    if (!this.#isEmpty) return;
    this.#whenEmpty?.resolve();
    this.#whenEmpty = undefined;
  }

  // ---- To many -------------------------------------------------------------------------------------------------

  /**
   * Closes the open connections for which `selector` is true.
   *
   * @param selector Chooses.
   * @param code The close code.
   * @param reason The close reason.
   * @returns Resolves when they have ended.
   * @throws {OptionError} If code or reason are out of range.
   */
  async disconnectClients(
    selector: (connection: WebSocketConnection<Data>) => boolean,
    code: number = CloseCode.NormalClosure,
    reason = "",
  ): Promise<void> {
    encodeClosePayload(code, reason);
    const chosen = [...this.#open].filter(selector);
    await Promise.all(chosen.map((connection) => connection.close(code, reason)));
  }
}

function codeOf(error: unknown): string {
  return error instanceof WebSocketError ? error.code : "ERR_HANDLER";
}
