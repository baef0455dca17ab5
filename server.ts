/**
 * The WebSocket server.
 *
 * @module
 */

import { type AcceptHost, AcceptSession } from "./accept.ts";
import {
  type CloseInfo,
  type ConnectionHandler,
  type FrameInfo,
  type MessageData,
  WebSocketConnection,
} from "./connection.ts";
import { CloseCode, describe, HandlerError, OptionError, TransportError } from "./errors.ts";
import { textResponse } from "./http.ts";
import { encodeClosePayload } from "./payload.ts";
import { assertKeyMatches, assertServable, loadPrivateKey, readCertificates, readPem } from "./private_key.ts";
import { assertNumber } from "./ranges.ts";
import { ConfigurableServer, type ServerSettings } from "./server_settings.ts";
import { SharedMessage } from "./shared_message.ts";
import { type Address, type Listener, runtimeTransport, type TlsIdentity, type Transport } from "./transport.ts";
import { type BytePair, type BytePairInfo, streamTransport } from "./transport_stream.ts";

export * from "./connection.ts";
export { ConfigurableServer } from "./server_settings.ts";
export type { CheckedSettings, ProtocolSwitches, ServerSettings } from "./server_settings.ts";
export type { BytePair, BytePairInfo } from "./transport_stream.ts";

/** What a handler may return when nothing is asked of it; a promise is watched for its rejection. */
export type HandlerResult = void | Promise<void>;

/** What {@linkcode ServerHandlers.onAllow} may answer. */
export type AllowResult = boolean | Response | Promise<boolean | Response>;

/** What {@linkcode ServerHandlers.onCommandGet} may answer. */
export type CommandResult = Response | void | Promise<Response | void>;

/**
 * The handlers of a server. They are called synchronously in the order of arrival; what they throw or reject with goes
 * to `onError`, and the connection is closed with 1011.
 */
export interface ServerHandlers<Data = unknown> {
  /** Asked for the pass phrase of an encrypted private key. */
  onGetSSLPassword?: () => string | Promise<string>;
  /**
   * TCP (and TLS) is there, the handshake is not done yet. Called for plain HTTP and for refused connections too, whose
   * `onDisconnect` has 1006; for WebSockets only: `onHandshakeResponseSent`.
   */
  onConnect?: (connection: WebSocketConnection<Data>) => HandlerResult;
  /**
   * A valid handshake request came; `connection.request` has it. `true` opens the WebSocket, `false` answers 403, a
   * `Response` is sent as it is: a new one each time, with a status that says why. Without an answer it is refused too. The time it takes
   * is not limited by `handshakeTimeout`. Without this handler all are allowed.
   */
  onAllow?: (connection: WebSocketConnection<Data>) => AllowResult;
  /**
   * Chooses one of the offered subprotocols; "" or `undefined` for none. Without this handler the first of `protocols`
   * that is offered is chosen.
   */
  onSelectProtocol?: (connection: WebSocketConnection<Data>, offered: string[]) => string | undefined;
  /** The handshake is done: from here on messages may be sent. */
  onHandshakeResponseSent?: (connection: WebSocketConnection<Data>) => HandlerResult;
  /** A text message came, or with `frameByFrame` a frame of one. */
  onMessageReceived?: (connection: WebSocketConnection<Data>, text: string, frame?: FrameInfo) => HandlerResult;
  /** A binary message came, or with `frameByFrame` a frame of one. */
  onBinaryDataReceived?: (connection: WebSocketConnection<Data>, bytes: Uint8Array, frame?: FrameInfo) => HandlerResult;
  /** A ping came; the automatic pong is on its way, unless `manualPong`. */
  onPing?: (connection: WebSocketConnection<Data>, data: Uint8Array) => HandlerResult;
  /** A pong came. */
  onPong?: (connection: WebSocketConnection<Data>, data: Uint8Array) => HandlerResult;
  /** The peer's close frame came; the automatic answer is on its way, unless `manualClose`. */
  onClose?: (connection: WebSocketConnection<Data>, code: number, reason: string) => HandlerResult;
  /** The connection has ended: exactly once for each `onConnect`. */
  onDisconnect?: (connection: WebSocketConnection<Data>, info: CloseInfo) => HandlerResult;
  /**
   * A plain HTTP request came. Without an answer it gets 426, on another path than `pathName` 404. Each request needs a `Response`
   * of its own. The time it takes is not limited.
   */
  onCommandGet?: (request: Request, connection: WebSocketConnection<Data>) => CommandResult;
  /**
   * Something failed: a protocol violation, a refused handshake, a handler ({@linkcode HandlerError}), the listener.
   * Without this handler, errors of handlers are printed with `console.error`, and others are dropped.
   */
  onError?: (error: unknown, connection?: WebSocketConnection<Data>) => void;
}

/** Settings and handlers of a server. */
export interface WebSocketServerOptions<Data = unknown> extends ServerSettings, ServerHandlers<Data> {}

/** How to stop a server. */
export interface StopOptions {
  /**
   * The close code for each connection.
   * @default {1001}
   */
  code?: number;
  /**
   * The close reason for each connection.
   * @default {""}
   */
  reason?: string;
  /** How long to wait for the connections, in ms; 0: no limit. The default is the setting `closeTimeout`. */
  closeTimeout?: number;
}

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
export class WebSocketServer<Data = unknown> extends ConfigurableServer implements ServerHandlers<Data> {
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

  // Life
  #state: RunState = "stopped";
  /** What the program asked for last. */
  #wanted: "running" | "stopped" = "stopped";
  /** The change that was asked for last; each waits for the one before. */
  #change: Promise<void> = Promise.resolve();
  #listener: Listener | undefined;

  // Connections
  /** Those whose handshake is done. */
  #open = new Set<WebSocketConnection<Data>>();
  /** Those whose handshake is not done, and plain HTTP. */
  #pending = new Map<WebSocketConnection<Data>, AcceptSession<Data>>();
  /** Called when the last connection has gone. */
  #onEmpty: (() => void) | undefined;
  #host: AcceptHost<Data>;
  #handler: ConnectionHandler<Data>;

  /**
   * Makes a server; it does not listen yet.
   *
   * @param options Settings and handlers.
   * @throws {OptionError} If a setting is out of range.
   */
  constructor(options: WebSocketServerOptions<Data> = {}) {
    super(options);
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
    change.catch((error) => this.onError ? this.#report(error) : console.error(error));
  }

  /** Where the server listens; with `port: 0` the port it took. `undefined` while it does not listen. */
  get address(): Address | undefined {
    return this.#listener?.address;
  }

  /** The connections whose handshake is done, until they have ended. `send` throws for those that are closing already. */
  get connections(): ReadonlySet<WebSocketConnection<Data>> {
    return this.#open;
  }

  /**
   * Starts listening. Calling it again changes nothing.
   *
   * @returns Resolves when the port is open.
   * @throws {TransportError} If the port cannot be opened.
   * @throws {CertificateError} If certificate or key cannot be used.
   * @throws {HandlerError} If `onGetSSLPassword` fails.
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
    this.#setState("starting");
    await this.prepare();
    try {
      await this.#openPort();
    } catch (error) {
      await this.finish();
      throw error;
    }
    this.#setState("running");
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
    const { port, hostname, handshakeTimeout } = this.settings;
    const tls = this.useSSL ? await this.#loadIdentity() : undefined;
    try {
      this.#listener = await runtimeTransport().listen({ port, hostname, tls, handshakeTimeout }, {
        accept: (transport) => this.#accept(transport),
        error: (error) => this.#report(new TransportError("ERR_ACCEPT", describe(error), { cause: error })),
      });
    } catch (cause) {
      const message = `Cannot listen on ${hostname}:${port}: ${describe(cause)}`;
      throw new TransportError("ERR_LISTEN", message, { cause });
    }
  }

  async #loadIdentity(): Promise<TlsIdentity> {
    const { certificateFile, certificateKeyFile, rootCertificateFile } = this.settings;
    let certificate = await readPem(certificateFile, "certificateFile");
    const keyText = await readPem(certificateKeyFile, "certificateKeyFile");
    const key = await loadPrivateKey(keyText, certificateKeyFile, this.#passwordProvider());
    assertKeyMatches(certificate, key, certificateFile, certificateKeyFile);
    if (rootCertificateFile !== "") {
      certificate += `\n${await readCertificates(rootCertificateFile, "rootCertificateFile")}`;
    }
    assertServable(certificate, key, certificateFile);
    return { certificate, key };
  }

  #passwordProvider(): (() => Promise<string>) | undefined {
    if (!this.onGetSSLPassword) return undefined;
    return async () => {
      try {
        const password = await this.onGetSSLPassword?.();
        if (typeof password === "string") return password;
      } catch (error) {
        throw new HandlerError("onGetSSLPassword", error);
      }
      throw new HandlerError("onGetSSLPassword", new Error("it returned no string"));
    };
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
   * not ended after `closeTimeout`. Calling it again changes nothing.
   *
   * @param options Close code, reason, and time.
   * @returns Resolves when all connections have ended and the port is free.
   * @throws {OptionError} If code or reason are out of range.
   */
  stop(options: StopOptions = {}): Promise<void> {
    // Checked before anything is closed.
    encodeClosePayload(options.code ?? CloseCode.GoingAway, options.reason ?? "");
    if (options.closeTimeout !== undefined) assertNumber("closeTimeout", options.closeTimeout);
    if (this.#wanted === "stopped" && this.#isEmpty) return this.#change.catch(() => {});
    this.#wanted = "stopped";
    this.#change = this.#change.catch(() => {}).then(() => this.#drain(options));
    return this.#change;
  }

  async #drain(options: StopOptions): Promise<void> {
    if (this.#state !== "running" && this.#isEmpty) return;
    this.#setState("stopping");
    const { code = CloseCode.GoingAway, reason = "", closeTimeout = this.settings.closeTimeout } = options;
    const closed = this.#listener?.close();
    for (const session of this.#pending.values()) session.shutdown();
    for (const connection of this.#open) connection.close(code, reason);
    const cancel = closeTimeout > 0 ? this.settings.clock.after(closeTimeout, () => this.#terminateAll()) : () => {};
    await this.#empty();
    cancel();
    await closed;
    this.#listener = undefined;
    await this.finish();
    this.#setState("stopped");
  }

  #terminateAll(): void {
    for (const connection of [...this.#open, ...this.#pending.keys()]) connection.terminate();
  }

  get #isEmpty(): boolean {
    return this.#open.size + this.#pending.size === 0;
  }

  #empty(): Promise<void> {
    if (this.#isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty = resolve);
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
    return this.#accept(streamTransport(pair, info));
  }

  #accept(transport: Transport): WebSocketConnection<Data> {
    const connection = new WebSocketConnection<Data>(transport, "server", this.#handler, this.settings);
    const session = new AcceptSession(transport, connection, this.#host);
    this.#pending.set(connection, session);
    this.#call("onConnect", connection, () => this.onConnect?.(connection));
    if (this.#state === "stopping") connection.abandon();
    if (connection.state === "connecting") session.begin();
    return connection;
  }

  #makeHost(): AcceptHost<Data> {
    return {
      settings: () => this.settings,
      stopping: () => this.#state === "stopping",
      allow: (connection) => this.#allow(connection),
      selectProtocol: (connection, offered) => this.#selectProtocol(connection, offered),
      respond: (request, connection) => this.respond(request, connection),
      opened: (connection) => this.#opened(connection),
      error: (error, connection) => this.#report(error, connection),
    };
  }

  #makeHandler(): ConnectionHandler<Data> {
    return {
      message: (connection, data, frame) => this.receive(connection, data, frame),
      ping: (connection, data) => this.#call("onPing", connection, () => this.onPing?.(connection, data)),
      pong: (connection, data) => this.#call("onPong", connection, () => this.onPong?.(connection, data)),
      close: (connection, code, reason) =>
        this.#call("onClose", connection, () => this.onClose?.(connection, code, reason)),
      disconnect: (connection, info) => this.#disconnected(connection, info),
      error: (connection, error) => this.#report(error, connection),
    };
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
      if (result instanceof Promise) this.#watch(name, connection, result);
    } catch (error) {
      this.#handlerFailed(name, connection, error);
    }
  }

  /** Calls a handler so that what it throws or rejects with goes to `onError`. */
  #call(name: keyof ServerHandlers, connection: WebSocketConnection<Data>, handler: () => HandlerResult): void {
    try {
      const result = handler();
      if (result instanceof Promise) this.#watch(name, connection, result);
    } catch (error) {
      this.#handlerFailed(name, connection, error);
    }
  }

  #watch(name: keyof ServerHandlers, connection: WebSocketConnection<Data>, result: Promise<unknown>): void {
    result.catch((error) => this.#handlerFailed(name, connection, error));
  }

  #handlerFailed(name: keyof ServerHandlers, connection: WebSocketConnection<Data>, error: unknown): void {
    const failure = new HandlerError(name, error);
    connection.closeWith(CloseCode.InternalError, failure);
    this.#report(failure, connection);
  }

  /**
   * Reports what a handler threw, where the connection is not to be closed for it.
   *
   * @param name The name of the handler.
   * @param error What it threw.
   * @param connection The connection it was called for.
   */
  protected reportHandlerError(name: string, error: unknown, connection: WebSocketConnection<Data>): void {
    this.#report(new HandlerError(name, error), connection);
  }

  /**
   * Reports what failed.
   *
   * @param error What.
   * @param connection The connection it belongs to, if any.
   */
  protected reportError(error: unknown, connection?: WebSocketConnection<Data>): void {
    this.#report(error, connection);
  }

  #report(error: unknown, connection?: WebSocketConnection<Data>): void {
    if (!this.onError) {
      if (error instanceof HandlerError) console.error(error);
      return;
    }
    try {
      this.onError(error, connection);
    } catch (failure) {
      console.error(new HandlerError("onError", failure));
    }
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

  #allow(connection: WebSocketConnection<Data>): boolean | Response | Promise<boolean | Response> {
    const failed = (error: unknown): Response => {
      this.#report(new HandlerError("onAllow", error), connection);
      return textResponse(500, "Internal server error");
    };
    try {
      const result = this.allow(connection);
      const decide = (answer: boolean | Response): boolean | Response => {
        if (answer instanceof Response) return assertFresh(answer);
        // A handler that forgets its answer must not let anybody in.
        if (typeof answer !== "boolean") this.#report(noAnswer(answer), connection);
        return answer === true;
      };
      return result instanceof Promise ? result.then(decide).catch(failed) : decide(result);
    } catch (error) {
      return failed(error);
    }
  }

  /** RFC 6455 §4.2.2: one of the client's offers, or none. */
  #selectProtocol(connection: WebSocketConnection<Data>, offered: string[]): string {
    if (this.onSelectProtocol === undefined) {
      return this.protocols.find((protocol) => offered.includes(protocol)) ?? "";
    }
    const chosen = this.onSelectProtocol(connection, offered) ?? "";
    if (chosen !== "" && !offered.includes(chosen)) {
      throw new HandlerError("onSelectProtocol", new Error(`"${chosen}" was not offered`));
    }
    return chosen;
  }

  /**
   * Answers a plain HTTP request; the default asks `onCommandGet`.
   *
   * @param request The request.
   * @param connection The connection it came on.
   * @returns The response.
   */
  protected async respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    try {
      const response = await this.onCommandGet?.(request, connection);
      if (response !== undefined) return assertFresh(response);
    } catch (error) {
      throw new HandlerError("onCommandGet", error);
    }
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
    this.opened(connection);
    this.#call("onHandshakeResponseSent", connection, () => this.onHandshakeResponseSent?.(connection));
    if (this.#state === "stopping") connection.close(CloseCode.GoingAway);
  }

  #disconnected(connection: WebSocketConnection<Data>, info: CloseInfo): void {
    this.#pending.delete(connection);
    if (this.#open.delete(connection)) this.ended(connection);
    this.#call("onDisconnect", connection, () => this.onDisconnect?.(connection, info));
    if (!this.#isEmpty) return;
    this.#onEmpty?.();
    this.#onEmpty = undefined;
  }

  // ---- To many -------------------------------------------------------------------------------------------------

  /**
   * Sends a text to every open connection; it is encoded once, and compressed once for each window size.
   *
   * @param text The text.
   * @returns How many connections took it: those that drop it as slow consumers, close, are in the middle of a message sent by
   * `sendFrame`, or can never hold it within `maxBufferedAmount` (some may in its compressed form) do not.
   * @throws {OptionError} If it is larger than `maxBufferedAmount` for each of them.
   */
  broadcastMessage(text: string): number {
    return this.sendMessageTo(text, () => true);
  }

  /**
   * Sends bytes to every open connection; they are encoded once, and compressed once for each window size.
   *
   * @param bytes The bytes.
   * @returns How many connections took them: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If they are larger than `maxBufferedAmount` for each connection.
   */
  broadcastData(bytes: Uint8Array): number {
    return this.sendDataTo(bytes, () => true);
  }

  /**
   * Sends a text to the open connections for which `selector` is true; it is encoded once, and compressed
   * once for each window size.
   *
   * @param text The text.
   * @param selector Chooses.
   * @returns How many connections took it: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If it is larger than `maxBufferedAmount` for each of them.
   */
  sendMessageTo(text: string, selector: (connection: WebSocketConnection<Data>) => boolean): number {
    if (typeof text !== "string") throw new OptionError(`Cannot send: "${typeof text}" is not a string`, "ERR_PAYLOAD");
    return this.#sendToMany(text, selector);
  }

  /**
   * Sends bytes to the open connections for which `selector` is true; they are encoded once, and compressed once for each window size.
   *
   * @param bytes The bytes.
   * @param selector Chooses.
   * @returns How many connections took them: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If they are larger than `maxBufferedAmount` for each connection.
   */
  sendDataTo(bytes: Uint8Array, selector: (connection: WebSocketConnection<Data>) => boolean): number {
    if (!(bytes instanceof Uint8Array)) {
      throw new OptionError(`Cannot send: "${typeof bytes}" is not a Uint8Array`, "ERR_PAYLOAD");
    }
    return this.#sendToMany(bytes, selector);
  }

  #sendToMany(data: MessageData, selector: Selector<Data>): number {
    // A selector that throws must not leave some with the message and some without.
    const chosen: WebSocketConnection<Data>[] = [];
    for (const connection of this.#open) {
      if (connection.state === "open" && selector(connection)) chosen.push(connection);
    }
    if (chosen.length === 0) return 0;
    const message = new SharedMessage(data, this.splitMessage ? this.frameSize : 0, this.settings.compression);
    let taken = 0;
    let tooLarge: unknown;
    for (const connection of chosen) {
      try {
        if (connection.state === "open" && connection.sendShared(message) !== "dropped") taken++;
      } catch (error) {
        // Compressed it may fit for others.
        tooLarge = error;
      }
    }
    if (taken === 0 && tooLarge !== undefined) throw tooLarge;
    return taken;
  }

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

/** A `Response` can be sent once; what is none cannot be sent at all. */
function assertFresh(response: unknown): Response {
  if (!(response instanceof Response)) throw new Error(`it returned ${typeof response} "${response}"`);
  if (response.bodyUsed || response.body?.locked) {
    throw new Error("it returned a Response that was sent already: make a new one for each request");
  }
  return response;
}

function noAnswer(answer: unknown): HandlerError {
  return new HandlerError(
    "onAllow",
    new Error(`it returned ${typeof answer} "${answer}" instead of true, false or a Response`),
  );
}
