/**
 * The WebSocket client, over whatever carries it: see `connector.ts`.
 *
 * @module
 */

import { Attempt } from "./attempt.ts";
import {
  type ClientHandlers,
  type ClientHandshakeResponse,
  ConfigurableClient,
  type ConnectOptions,
  type IncomingResult,
  makeHeaders,
  type WebSocketClientOptions,
} from "./client_settings.ts";
import type { CloseInfo, ConnectionSettings, ConnectionState, Delivery, SendResult } from "./connection_types.ts";
import type {
  ClientConnection,
  ClientConnectionHandler,
  Connector,
  ConnectPlan,
  OpenedConnection,
} from "./connector.ts";
import { CloseCode, HandlerError, HandshakeError, StateError, TransportError } from "./errors.ts";
import type { Extension } from "./extensions.ts";
import type { Opcode } from "./frame_header.ts";
import type { MessageData } from "./inbox.ts";
import type { FrameInfo } from "./message.ts";
import { assertNumber } from "./ranges.ts";

export { ConfigurableClient } from "./client_settings.ts";
export type {
  ClientHandlers,
  ClientHandshakeRequest,
  ClientHandshakeResponse,
  ClientSettings,
  CompressionOffer,
  ConnectOptions,
  IncomingResult,
  WebSocketClientOptions,
} from "./client_settings.ts";
export type { ClientConnection, ClientConnectionHandler, Connector, ConnectPlan } from "./connector.ts";
export type { ConnectProgram, OpenedConnection } from "./connector.ts";
export type * from "./connection_types.ts";
export type { Clock } from "./clock.ts";
export type { CompressionOptions, CompressionSettings } from "./deflate.ts";
export type { Extension } from "./extensions.ts";
export type { MessageData } from "./inbox.ts";
export type { FrameInfo } from "./message.ts";
export type { Address } from "./transport.ts";
export type { BytePair } from "./transport_stream.ts";

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
export class WebSocketClient extends ConfigurableClient implements ClientHandlers {
  // Delivery
  #autoCheckMessages = true;
  #autoCheckInterval = 0;

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
  #onMessageReceived?: ClientHandlers["onMessageReceived"];
  #onBinaryDataReceived?: ClientHandlers["onBinaryDataReceived"];

  // Life
  #phase: Phase = "idle";
  #connecting: Promise<void> | undefined;
  #abort: AbortController | undefined;
  #connection: ClientConnection | undefined;
  #cancelBatch: (() => void) | undefined;

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
    super(options, byUrl ? urlOrOptions : undefined);
    this.#autoCheckMessages = options.autoCheckMessages ?? true;
    this.autoCheckInterval = options.autoCheckInterval ?? 0;
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
  }

  /** Whether events come by themselves; `false`: `checkIncoming` fetches them. Takes effect at once. */
  get autoCheckMessages(): boolean {
    return this.#autoCheckMessages;
  }
  set autoCheckMessages(value: boolean) {
    this.#autoCheckMessages = value;
    this.#applyDelivery();
  }

  /** The time between two batches of events, in ms; 0: events come as bytes come. Takes effect at once. */
  get autoCheckInterval(): number {
    return this.#autoCheckInterval;
  }
  set autoCheckInterval(value: number) {
    assertNumber("autoCheckInterval", value);
    this.#autoCheckInterval = value;
    this.#applyDelivery();
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
   * @returns Resolves after the handshake.
   * @throws {TransportError} If there is no way to the server, or not in time.
   * @throws {HandshakeError} If the server does not open the WebSocket, or `onHandshakeResponse` refuses it.
   * @throws {OptionError} If a setting is out of range.
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    if (this.#phase === "connected" && !this.active) {
      return this.#connection!.closed.then(() => this.connect(options));
    }
    if (this.#phase !== "idle") return this.#connecting!;
    this.#phase = "connecting";
    this.#connection = undefined;
    this.#connecting = this.#connect(options).then((opened) => this.#start(opened)).catch((error) => {
      this.#phase = "idle";
      throw error;
    });
    return this.#connecting;
  }

  /** Returns the connection, not attached yet: from then on nothing can give the attempt up any more. */
  async #connect(options: ConnectOptions): Promise<OpenedConnection> {
    const settings = this.connectionSettings();
    const attempt = new Attempt(this.connectTimeout, this.clock, options.signal);
    this.#abort = attempt.controller;
    try {
      return await attempt.run(this.#establish(settings, attempt.controller.signal, options.stream));
    } finally {
      attempt.end();
      this.#abort = undefined;
    }
  }

  async #establish(
    settings: ConnectionSettings,
    signal: AbortSignal,
    stream: ConnectOptions["stream"],
  ): Promise<OpenedConnection> {
    const connector = this.connector(stream !== undefined);
    const plan: ConnectPlan = { ...this.#describePlan(connector), settings, stream, signal };
    return await connector.connect(plan, {
      sendHandshake: (request) => this.#ask("onSendHandshake", () => this.onSendHandshake?.(request)),
      acceptResponse: (response) => this.#acceptResponse(response),
    });
  }

  /** All of it is read before the program is asked: what it changes then is for the next time. */
  #describePlan(connector: Connector): Omit<ConnectPlan, "settings" | "stream" | "signal"> {
    return {
      url: this.url,
      hostname: this.bareHostName,
      port: this.port,
      tls: this.useSSL,
      host: this.hostHeader,
      target: this.target,
      origin: this.origin,
      headers: this.handshakeHeaders(connector),
      protocols: this.handshakeProtocols(connector),
      deflateOffers: connector.deflateOffers(this.compression),
      rootCertificateFile: this.rootCertificateFile,
      showsControlFrames: this.onPing !== undefined || this.onPong !== undefined,
    };
  }

  /**
   * The additional header fields of the next handshake.
   *
   * @param _connector What connects.
   * @returns A copy.
   */
  protected handshakeHeaders(_connector: Connector): Headers {
    return makeHeaders(this.headers);
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
    this.attached(this.#connection);
    this.#scheduleBatch();
    this.callHandler("onConnect", () => this.onConnect?.());
    opened.begin();
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

  /** Whether a handler for messages is set. */
  protected get listens(): boolean {
    return this.#onMessageReceived !== undefined || this.#onBinaryDataReceived !== undefined;
  }

  /** Whether messages wait until somebody listens. Single frames do not. */
  #holds(): boolean {
    return this.#autoCheckMessages && this.options.frameByFrame !== true && !this.listens;
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
    if (this.#phase === "connecting") {
      this.#abort?.abort(new TransportError("ERR_ABORTED", "The program gave up connecting"));
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
      ping: (data) => this.callHandler("onPing", () => this.onPing?.(data)),
      pong: (data) => this.callHandler("onPong", () => this.onPong?.(data)),
      close: (code, reason) => this.callHandler("onClose", () => this.onClose?.(code, reason)),
      disconnect: (info) => this.#disconnected(info),
      error: (error) => this.#report(error),
    };
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
    this.#report(failure);
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
    try {
      this.onError(error);
    } catch (failure) {
      console.error(new HandlerError("onError", failure));
    }
  }

  #disconnected(info: CloseInfo): void {
    this.#phase = "idle";
    this.detached(info);
    this.#cancelBatch?.();
    this.#cancelBatch = undefined;
    this.callHandler("onDisconnect", () => this.onDisconnect?.(info));
  }

  // ---- Delivery ------------------------------------------------------------------------------------------------

  #delivery(): Delivery {
    if (!this.#autoCheckMessages) return "step";
    return this.#autoCheckInterval > 0 ? "batched" : "immediate";
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
    this.#cancelBatch = this.clock.after(this.#autoCheckInterval, () => {
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
    if (this.#autoCheckMessages) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: autoCheckMessages is on");
    }
    return await this.#connection?.step(this.checkTimeout) ?? "closed";
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
   * @returns What became of it.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: MessageData): SendResult {
    return this.#open("send").send(data);
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
    return this.#open("send a frame").sendFrame(opcode, data, final);
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
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#open("read")[Symbol.asyncIterator]();
  }
}
