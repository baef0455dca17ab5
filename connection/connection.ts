/**
 * One WebSocket after its handshake, in either role.
 *
 * This file has the public members, and builds the line of parts behind them: bytes go from the transport to
 * `frame_reader.ts`, the frame parser, the message assembler, `delivery.ts` and the handlers; messages go from
 * `sender.ts` to `send_queue.ts`, the write batch and the transport. `closing.ts` is the state machine.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import {
  assertMessageOptions,
  type CloseInfo,
  type ConnectionEvents,
  type ConnectionSettings,
  type ConnectionStart,
  type ConnectionState,
  type Delivery,
  type EarlyEnd,
  type HandshakeRequest,
  type HandshakeResult,
  type MessageOptions,
  type SendResult,
  type SlowConsumer,
  type StepResult,
} from "./options.ts";
import type { BinaryForm } from "./binary_form.ts";
import type { CloseProgress } from "./close_progress.ts";
import { Closing } from "./closing.ts";
import { assertPingOrPong, controlPayload, readCloseArguments } from "./control_payload.ts";
import { DeliveryControl } from "./delivery.ts";
import { Opcode, type Role } from "../protocol/frame_header.ts";
import { StateError, TransportError } from "../base/errors.ts";
import { FrameReader } from "./frame_reader.ts";
import type { Extension } from "../protocol/extensions.ts";
import { isReadyPayload, type MessageData, type SendData } from "../protocol/payload.ts";
import { messageStream, messageWriter } from "./message_stream.ts";
import { Pings } from "./pings.ts";
import { RareSends } from "./rare_sends.ts";
import { useConnectionRemedies } from "./remedies.ts";
import { type ReceiveOptions, refuseReceiveOptions } from "./receive_options.ts";
import { Sender } from "./sender.ts";
import { makeParser, useCompression, watchPeer } from "./setup.ts";
import type { SharedMessage } from "./shared_message.ts";
import { type Meter, UNMETERED } from "../base/stats.ts";
import type { Address, PeerCertificate, Transport } from "../transport/transport.ts";

/** Handlers of a connection, and the topics of its server. */
export interface ConnectionHandler<Data> extends ConnectionEvents<WebSocketConnection<Data>> {
  /** Keeps the subscriptions; a client has none. */
  readonly topics?: ConnectionTopics<Data> | undefined;
}

/** Keeps the subscriptions of a server's connections. */
export interface ConnectionTopics<Data> {
  /** Subscribes; resolves when messages of other nodes reach the connection too. */
  subscribe(connection: WebSocketConnection<Data>, topic: string): Promise<void>;
  /** Ends a subscription; returns `false` if there was none. */
  unsubscribe(connection: WebSocketConnection<Data>, topic: string): boolean;
  /** Topics of a connection. */
  of(connection: WebSocketConnection<Data>): ReadonlySet<string>;
}

// Functions for the server and the client, which programs do not get: assigned within the class, where they reach its
// private members.

/**
 * Makes a connection over a transport, in the phase before its handshake. Parameters: the transport, the role of this
 * end, the handlers, limits and switches, and the counters. Throws an `OptionError` if `frameSize` cannot hold a frame.
 */
export let createConnection: <Data = unknown>(
  transport: Transport,
  role: Role,
  handler: ConnectionHandler<Data>,
  settings: ConnectionSettings,
  meter?: Meter,
) => WebSocketConnection<Data>;

/** Keeps the request: that of the handshake, or the last one of plain HTTP. */
export let setRequest: (connection: WebSocketConnection, request: HandshakeRequest) => void;

/**
 * Chooses handlers, and limits and switches, for a connection before its handshake is done; those that it was made with
 * do not hold any more.
 */
export let configureConnection: <Data>(
  connection: WebSocketConnection<Data>,
  handler: ConnectionHandler<Data>,
  settings: ConnectionSettings,
) => void;

/** Keeps the parameters of the path. */
export let setParams: (connection: WebSocketConnection, params: Readonly<Record<string, string>>) => void;

/** Starts a connection whose handshake is done; returns `false` if it has ended meanwhile. */
export let startConnection: (
  connection: WebSocketConnection,
  result: HandshakeResult,
  options?: ConnectionStart,
) => boolean;

/** Gives a started connection its bytes: first those that came behind the handshake, and an end that came early. */
export let openConnection: (
  connection: WebSocketConnection,
  leftover: Uint8Array,
  early?: EarlyEnd,
) => void;

/** Ends a connection whose handshake was not completed, because of an error if one is given. */
export let abandonConnection: (connection: WebSocketConnection, error?: unknown) => void;

/**
 * Ends a connection with a close code because of an error that was reported; only the message of a protocol violation
 * is sent.
 */
export let failConnection: (connection: WebSocketConnection, code: number, error: unknown) => void;

/**
 * Sends a message of a broadcast. Throws a `StateError` if the connection is not open, and an `OptionError` if the
 * message is larger than `maxBufferedAmount`.
 */
export let sendShared: (
  connection: WebSocketConnection,
  message: SharedMessage,
  options?: MessageOptions,
) => SendResult;

/** Gives binary messages of the program a form of their own: the subprotocol has other binary messages. */
export let setBinaryForm: (connection: WebSocketConnection, form: BinaryForm) => void;

/** Sends a message of the subprotocol to one of many connections: as `sendShared`, in the form that it has. */
export let sendSubprotocolShared: typeof sendShared;

/** Sends a message of the subprotocol: as `send`, in the form that it has. */
export let sendSubprotocol: (connection: WebSocketConnection, message: Uint8Array) => SendResult;
/**
 * Sends a message of a broadcast that is still being read, of a known size in bytes; `undefined`: it cannot be read.
 * Throws as `sendShared` does.
 */
export let sendSharedLater: (
  connection: WebSocketConnection,
  message: Promise<SharedMessage | undefined>,
  size: number,
  options?: MessageOptions,
) => SendResult;

/** Tells whether messages can be sent, as `state === "open"`, but faster for many connections. */
export let isOpen: (connection: WebSocketConnection) => boolean;

/** Changes the time at which data is delivered. */
export let setDelivery: (connection: WebSocketConnection, delivery: Delivery) => void;

/** Delivers the data that has come since the last batch. */
export let deliverBatch: (connection: WebSocketConnection) => void;

/** Handles one incoming frame or message; waits for it at most `timeout` ms, 0: without limit. */
export let stepConnection: (connection: WebSocketConnection, timeout: number) => Promise<StepResult>;

/** Begins to watch how the peer goes on with the end of the connection. */
export let watchClose: (connection: WebSocketConnection) => CloseProgress;

/** Hands over the messages that waited for a handler. */
export let releaseMessages: (connection: WebSocketConnection) => void;

/** Tells if messages wait for a reader. */
export let holdsMessages: (connection: WebSocketConnection) => boolean;

const NO_TOPICS: ReadonlySet<string> = new Set();

/** Parameters of a path without a route, or of a pattern without parameters. */
export const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * One WebSocket, in either role. Servers and clients make connections; a program gets them in its handlers.
 *
 * @typeParam Data The type of {@linkcode WebSocketConnection.data}, which belongs to the program.
 *
 * @example An echo server with the async iterator
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket";
 *
 * await using server = new WebSocketServer({
 *   port: 0,
 *   async onOpen(connection) {
 *     for await (const message of connection) connection.send(message);
 *   },
 * });
 * await server.start();
 * ```
 */
export class WebSocketConnection<Data = unknown> {
  // Identity
  /** Role of this end. */
  readonly role: Role;
  /** Address of the other end; on a server with `trustedProxies` that of the client (port 0: not known). */
  readonly remoteAddress: Address;
  /** Address of the trusted proxy that told `remoteAddress`; `undefined` if none did. */
  declare readonly proxyAddress: Address | undefined;
  /** Address of this end. */
  readonly localAddress: Address;
  /** `true` if TLS protects the connection; behind `trustedProxies`, that of the client to the first proxy. */
  readonly encrypted: boolean;
  /** Certificate of the client, on a server that asks for it: see `clientCertificate`. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** Data of the program; `undefined` until the program sets it. */
  data!: Data;

  // Configuration
  #handler: ConnectionHandler<Data>;

  // Handshake
  #request: HandshakeRequest | undefined;
  #params: Readonly<Record<string, string>> = NO_PARAMS;
  #result: HandshakeResult = { protocol: "", extensions: [] };

  // Parts
  readonly #closing: Closing<WebSocketConnection<Data>>;
  readonly #reader: FrameReader<WebSocketConnection<Data>>;
  readonly #delivery: DeliveryControl<WebSocketConnection<Data>>;
  readonly #sender: Sender;
  #writable: WritableStream<SendData> | undefined;
  #rare: RareSends | undefined;

  /** @ignore */
  private constructor(
    transport: Transport,
    role: Role,
    handler: ConnectionHandler<Data>,
    settings: ConnectionSettings,
    meter: Meter,
  ) {
    this.role = role;
    this.#handler = handler;
    ({ remoteAddress: this.remoteAddress, localAddress: this.localAddress, encrypted: this.encrypted } = transport);
    this.peerCertificate = transport.peerCertificate;
    const closing = this.#closing = new Closing(this, transport, handler, settings);
    const sender = this.#sender = new Sender(transport, role === "client", settings, closing, meter);
    // From the end of the line to its beginning: each part holds the next.
    const delivery = this.#delivery = new DeliveryControl(this, handler, closing, meter);
    const parts = makeParser(delivery, role, settings);
    const reader = this.#reader = new FrameReader({ transport, ...parts, sender, closing, meter });
    delivery.attach(reader);
    closing.attach(reader, delivery, sender);
  }

  static {
    createConnection = (transport, role, handler, settings, meter = UNMETERED) =>
      new WebSocketConnection(transport, role, handler, settings, meter);
    setRequest = (connection, request) => void (connection.#request = request);
    setParams = (connection, params) => void (connection.#params = params);
    configureConnection = (connection, handler, settings) => connection.#configure(handler, settings);
    startConnection = (connection, result, options = {}) => connection.#start(result, options);
    openConnection = (connection, leftover, early) => connection.#open(leftover, early);
    abandonConnection = (connection, error) => connection.#closing.abandon(error);
    failConnection = (connection, code, error) => connection.#closing.closeWith(code, error);
    sendShared = (connection, message, options) => {
      const rare = connection.#rare;
      if (!rare?.intervenes) return sendSubprotocolShared(connection, message, options);
      connection.#assertOpen("send");
      return rare.sendShared(message) ?? connection.#refuse(options?.slowConsumer);
    };
    sendSubprotocolShared = (connection, message, options) => {
      connection.#assertOpen("send");
      if (connection.#sender.fragmented) return "dropped";
      return connection.#sender.sendShared(message) ?? connection.#refuse(options?.slowConsumer);
    };
    sendSubprotocol = (connection, message) => {
      connection.#assertOpen("send");
      if (connection.#sender.fragmented) throw messageInProgress();
      return connection.#sender.sendMessage(message) ?? connection.#refuse();
    };
    setBinaryForm = (connection, form) => {
      connection.#useRare().form = form;
      connection.#sender.reserve(form.overhead);
      connection.#delivery.useBinaryForm(form);
    };
    sendSharedLater = (connection, message, size, options) => {
      connection.#assertOpen("send");
      return connection.#useRare().sendSharedLater(message, size) ?? connection.#refuse(options?.slowConsumer);
    };
    isOpen = (connection) =>
      (connection.#sender.isOpen || connection.#closing.phase === "open") && connection.#rare?.closes !== true;
    setDelivery = (connection, delivery) => connection.#setDelivery(delivery);
    deliverBatch = (connection) => void (connection.#delivery.full || connection.#reader.deliverBatch());
    stepConnection = (connection, timeout) =>
      connection.#closing.phase === "closed" ? Promise.resolve("closed") : connection.#reader.step(timeout);
    watchClose = (connection) => connection.#closing.watchProgress();
    releaseMessages = (connection) => connection.#delivery.release();
    holdsMessages = (connection) => connection.#delivery.holdsMessages;
    useConnectionRemedies(this.prototype);
  }

  // ---- State ---------------------------------------------------------------------------------------------------

  /** State of the connection. */
  get state(): ConnectionState {
    return this.#rare?.closes && this.#closing.phase === "open" ? "closing" : this.#closing.state;
  }

  /** Resolves when the connection has ended; never rejects. */
  get closed(): Promise<CloseInfo> {
    return this.#closing.closed;
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#result.protocol;
  }

  /** The extensions that were agreed on; the offered ones are in `request`. */
  get extensions(): readonly Extension[] {
    return this.#result.extensions;
  }

  /**
   * The request that opened the WebSocket. On a server, plain HTTP and refused handshakes have their last request here,
   * without offers.
   *
   * `undefined` until a request has come: in `onConnect`, and in `onDisconnect` and `onError` for a peer that has asked
   * for nothing, such as a port scan. The type leaves that out for the sake of all other handlers; in these three,
   * write `connection.request?.path`.
   */
  get request(): HandshakeRequest {
    return this.#request as HandshakeRequest;
  }

  /**
   * Parameters of the path, decoded, by their names in the pattern of the route: `{ room: "red" }` for `"/chat/red"`
   * with `routes: { "/chat/:room": … }`. Frozen; `{}` without such a route, and on a client.
   */
  get params(): Readonly<Record<string, string>> {
    return this.#params;
  }

  /** Time between the last ping of `pingInterval` and its answer, in ms; `undefined` before the first answer. */
  get latency(): number | undefined {
    return this.#delivery.latency;
  }

  /** Bytes that were sent by the program and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.#sender.bufferedAmount + (this.#rare?.size ?? 0);
  }

  // ---- Start ---------------------------------------------------------------------------------------------------

  #configure(handler: ConnectionHandler<Data>, settings: ConnectionSettings): void {
    this.#handler = handler;
    this.#closing.configure(handler, settings);
    this.#sender.configure(settings);
    this.#delivery.configure(handler, settings.concurrency);
    this.#reader.useParser(makeParser(this.#delivery, this.role, settings));
  }

  #start(
    result: HandshakeResult,
    { preface, delivery = "immediate", waitForHandler = false }: ConnectionStart,
  ): boolean {
    if (!this.#closing.open()) return false;
    this.#result = result;
    useCompression({ sender: this.#sender, reader: this.#reader }, this.role, result.compression);
    this.#reader.begin(delivery);
    if (waitForHandler) this.#delivery.wait();
    if (preface !== undefined) this.#sender.sendPreface(preface);
    return true;
  }

  #open(leftover: Uint8Array, early: EarlyEnd | undefined): void {
    this.#reader.open();
    watchPeer({ reader: this.#reader, delivery: this.#delivery, sender: this.#sender, closing: this.#closing });
    if (leftover.length > 0) this.#reader.data(leftover);
    if (early?.closed !== undefined) this.#reader.close(early.closed.error);
    else if (early?.ended) this.#reader.end();
  }

  #setDelivery(delivery: Delivery): void {
    const { phase } = this.#closing;
    if (phase === "connecting" || phase === "closed") this.#reader.begin(delivery);
    else this.#reader.setDelivery(delivery, this.#delivery.full);
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Sends a message: a string as text; bytes of any kind as binary (RFC 6455 §5.6): an `ArrayBuffer`, any view of one,
   * a `SharedArrayBuffer`, a `Blob`. Bytes are copied; a lone surrogate in a string becomes U+FFFD.
   *
   * A `Blob` is read first, whole. Messages after it wait, so that all leave in the order of the calls; they count in
   * `bufferedAmount`, and `close` waits for them. If it cannot be read, the connection is closed with 1011, and the
   * error goes to `onError`.
   *
   * @param data The message.
   * @param options Options of this message.
   * @returns The result; see {@linkcode WebSocketConnection.drained} for `"backpressure"`.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished, or `data` is bytes,
   * and the subprotocol carries none (`ERR_UNSUPPORTED`, with the first version of the WhatsApp inbox only).
   * @throws {OptionError} If `data` is of another type, its buffer is detached, or it is larger than
   * `maxBufferedAmount`.
   */
  send(data: SendData, options?: MessageOptions): SendResult {
    this.#assertOpen("send");
    if (options !== undefined) assertMessageOptions(options);
    const result = isReadyPayload(data) && !this.#sender.fragmented && !this.#rare?.intervenes
      ? this.#sender.sendMessage(data)
      : this.#useRare().send(data);
    return result ?? this.#refuse(options?.slowConsumer);
  }

  #useRare(): RareSends {
    return this.#rare ??= new RareSends(this.#sender, this.#closing);
  }

  /**
   * Sends one frame of a message that the program fragments by hand (RFC 6455 §5.4): first `Opcode.Text` or
   * `Opcode.Binary`, then `Opcode.Continuation`, the last one with `final`. The text may be cut inside a code point.
   *
   * @param opcode The opcode of the frame.
   * @param data Its payload.
   * @param final Whether it is the last frame of the message.
   * @returns The result. No frame is skipped in the middle of a message: a slow consumer is closed.
   * @throws {StateError} If the connection is not open, or the opcode does not fit the frames sent before.
   * @throws {OptionError} If the opcode is that of a control frame, or `data` is neither text nor bytes, or larger than
   * `maxBufferedAmount`.
   *
   * @example A message of unknown length
   * ```ts
   * import { Opcode, type WebSocketConnection } from "@tackline/websocket";
   *
   * export async function sendAll(connection: WebSocketConnection, chunks: AsyncIterable<Uint8Array>) {
   *   let opcode: Opcode = Opcode.Binary;
   *   for await (const chunk of chunks) {
   *     connection.sendFrame(opcode, chunk, false);
   *     opcode = Opcode.Continuation;
   *     await connection.drained();
   *   }
   *   connection.sendFrame(opcode, new Uint8Array(0), true);
   * }
   * ```
   */
  sendFrame(opcode: Opcode, data: SendData, final: boolean): SendResult {
    this.#assertOpen("send a frame");
    return this.#useRare().sendFrame(opcode, data, final) ??
      this.#refuse(opcode === Opcode.Continuation ? "close" : this.#closing.settings.slowConsumer);
  }

  /**
   * Sends a control frame, between the fragments of a message too (RFC 6455 §5.5).
   *
   * @param opcode `Opcode.Close`, `Opcode.Ping` or `Opcode.Pong`.
   * @param data Its payload, at most 125 bytes. That of a close frame starts with the code in two bytes.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If the opcode is not that of a control frame, or the payload is too long or not valid.
   */
  sendSimpleFrame(opcode: Opcode, data: SendData = EMPTY): void {
    const payload = controlPayload(data);
    if (opcode === Opcode.Close) {
      const { code, reason } = readCloseArguments(payload);
      this.close(code, reason);
      return;
    }
    assertPingOrPong(opcode, payload);
    this.#assertControl("send a control frame");
    this.#sender.sendControl(opcode, payload);
  }

  /**
   * Sends a ping (RFC 6455 §5.5.2). The promise may be ignored.
   *
   * A peer may answer only the last of several pings: its pong answers the earlier ones too (§5.5.3). Of pings with
   * equal data, a pong answers the oldest.
   *
   * @param data At most 125 bytes; the pong brings them back. Without it, 8 bytes that differ for each ping.
   * @returns The time until the pong, in ms. Rejects with a {@linkcode ConnectionClosedError} if the connection ends
   * before.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is too long.
   */
  ping(data?: SendData): Promise<number> {
    const payload = data === undefined ? Pings.payload() : controlPayload(data);
    this.#assertControl("send a ping");
    this.sendSimpleFrame(Opcode.Ping, payload);
    return this.#delivery.waitForPong(payload);
  }

  /**
   * Sends a pong (RFC 6455 §5.5.3), as an answer with `manualPong`, or unasked.
   *
   * @param data At most 125 bytes; those of the ping in an answer.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is too long.
   */
  pong(data: SendData = EMPTY): void {
    this.#assertControl("send a pong");
    this.sendSimpleFrame(Opcode.Pong, data);
  }

  /**
   * Waits until all bytes were taken by the operating system.
   *
   * @returns Resolves when `bufferedAmount` is 0; rejects with a {@linkcode TransportError} if the connection is lost
   * before.
   */
  drained(): Promise<void> {
    return this.#rare?.drained() ?? this.#sender.drained();
  }

  /** With `manualClose` control frames may follow the peer's close frame. */
  #assertControl(what: string): void {
    if (this.#closing.phase !== "closeReceived") this.#assertOpen(what);
  }

  #assertOpen(what: string): void {
    if (!this.#sender.isOpen) this.#closing.assertOpen(what);
  }

  /** Applies the policy for a message beyond `maxBufferedAmount`. */
  #refuse(policy: SlowConsumer = this.#closing.settings.slowConsumer): SendResult {
    this.#sender.countDropped();
    if (policy === "drop") return "dropped";
    const waiting = this.bufferedAmount;
    const message = `The peer reads too slowly: ${waiting} bytes wait for it`;
    this.#closing.abort(new TransportError("ERR_SLOW_CONSUMER", message));
    return "dropped";
  }

  // ---- Topics --------------------------------------------------------------------------------------------------

  /**
   * Subscribes to a topic: from now on the connection gets the messages that `publish` of its server sends to it. On a
   * server only, from `onAllow` on; the subscription ends with the connection. Calling it again changes nothing.
   *
   * @param topic Its name, of 1 to 1024 characters; nothing in it is special.
   * @returns Never rejects, and may be ignored: with a `backplane` it resolves when messages of other nodes come too.
   * @throws {OptionError} If the name is out of range.
   * @throws {StateError} If the connection is a client's, or closing, or has `maxTopics` already.
   *
   * @example Rooms
   * ```ts
   * import { WebSocketServer } from "@tackline/websocket";
   *
   * export const server = new WebSocketServer({
   *   onOpen: (connection) => void connection.subscribe(`room ${connection.request.path}`),
   *   onMessageReceived(connection, text) {
   *     for (const topic of connection.topics) server.publish(topic, text, { except: connection });
   *   },
   * });
   * ```
   */
  subscribe(topic: string): Promise<void> {
    const { topics } = this.#handler;
    if (topics === undefined) throw new StateError("ERR_UNSUPPORTED", "Cannot subscribe: a client has no topics");
    if (this.#closing.phase !== "connecting") this.#closing.assertOpen("subscribe");
    return topics.subscribe(this, topic);
  }

  /**
   * Ends a subscription made by {@linkcode WebSocketConnection.subscribe}.
   *
   * @param topic The topic.
   * @returns `false` if the connection had not subscribed to it.
   */
  unsubscribe(topic: string): boolean {
    return this.#handler.topics?.unsubscribe(this, topic) ?? false;
  }

  /** Topics that the connection has subscribed to. */
  get topics(): ReadonlySet<string> {
    return this.#handler.topics?.of(this) ?? NO_TOPICS;
  }

  // ---- Streams -------------------------------------------------------------------------------------------------

  /**
   * The messages as a stream: text as strings, binary as bytes. From the first use on, until its lock is released,
   * messages wait here (and go to the handlers too); when 64 KiB wait, nothing more is read from the peer until the
   * program has read some. On a server, take it before the first `await` of `onOpen`: earlier messages are not in it.
   *
   * The stream ends with the connection; it errors with a {@linkcode TransportError} if that was not by a close frame.
   * Cancelling it closes the connection, without a code.
   */
  get readable(): ReadableStream<MessageData> {
    return this.#delivery.queue.readable;
  }

  /**
   * Messages to the peer as a stream: each chunk is one message. Its back-pressure is the peer's.
   * Closing it closes the connection with 1000, aborting it with 1011.
   */
  get writable(): WritableStream<SendData> {
    return this.#writable ??= messageStream(this, this.#sender);
  }

  /**
   * One message as a stream, for content of unknown length (RFC 6455 §5.4): each chunk that is not empty is sent as a
   * fragment, closing the stream sends a last empty one. Its back-pressure is the peer's. Meanwhile only control frames
   * can be sent; broadcasts skip the connection.
   *
   * A message that has begun cannot be taken back: aborting the stream, or a chunk that can never fit
   * `maxBufferedAmount`, closes the connection with 1011.
   *
   * @param opcode `Opcode.Text` or `Opcode.Binary`. Strings and bytes may be mixed; they may be cut inside a code
   * point.
   * @returns The stream.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished.
   * @throws {OptionError} If the opcode is neither of both.
   *
   * @example A file as one message
   * ```ts
   * import { Opcode, type WebSocketConnection } from "@tackline/websocket";
   *
   * export async function sendFile(connection: WebSocketConnection, file: ReadableStream<Uint8Array>) {
   *   await file.pipeTo(connection.messageWriter(Opcode.Binary));
   * }
   * ```
   */
  messageWriter(opcode: Opcode): WritableStream<SendData> {
    this.#assertOpen("write a message");
    if (opcode === Opcode.Binary) this.#rare?.form?.assertCarried();
    return messageWriter(this, this.#sender, opcode);
  }

  /**
   * Iterates over the messages, as {@linkcode WebSocketConnection.readable} does. The loop ends with the connection,
   * whatever the code of the close frame (see {@linkcode WebSocketConnection.closed}), and throws if there was none.
   * Leaving it early does not close the connection: handlers go on alone. Without handlers, messages wait for the next
   * loop, or call of `receive`. Loops that run at the same time share the messages.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#delivery.queue.iterate();
  }

  /**
   * Waits for the next message, which goes to its handler too, if there is one. Several calls get messages in order.
   * Between two calls messages go to the handlers only; without any they wait for the next call, up to 64 KiB, then
   * nothing more is read. On a server, the first call is made before the first `await` of `onOpen`.
   *
   * @param options A signal that ends the wait: `{ signal: AbortSignal.timeout(5000) }` is a time limit.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} once the connection has ended and no message
   * waits: it has the close code and the reason. Rejects with the reason of the signal if that is aborted before; the
   * call takes no message then. Rejects with an {@linkcode OptionError} for other options.
   *
   * @example A question and its answer
   * ```ts
   * import { WebSocketClient, WebSocketServer } from "@tackline/websocket";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = new WebSocketServer({
   *   port: 0,
   *   async onOpen(connection) {
   *     connection.send(`Hello ${await connection.receive()}`);
   *   },
   * });
   * await server.start();
   * await using client = new WebSocketClient(`ws://localhost:${server.address?.port}/`);
   * await client.connect();
   * client.send("Ada");
   * assertEquals(await client.receive(), "Hello Ada");
   * ```
   */
  receive(options: ReceiveOptions = {}): Promise<MessageData> {
    return refuseReceiveOptions(options) ?? this.#delivery.receive(options.signal);
  }

  // ---- Closing -------------------------------------------------------------------------------------------------

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2), or answers the peer's with `manualClose`. Further calls change
   * nothing.
   *
   * @param code 1000–1003, 1007–1014 or 3000–4999. Without it, the default, the close frame has no payload.
   * @param reason At most 123 bytes of UTF-8. The default is "".
   * @returns The end of the connection; never rejects after the arguments are checked.
   * @throws {OptionError} If code or reason are out of range.
   */
  close(code?: number, reason = ""): Promise<CloseInfo> {
    if (this.#rare?.waits && this.#closing.phase === "open") this.#rare.close(code, reason);
    else this.#closing.close(code, reason);
    return this.#closing.closed;
  }

  /** Ends the connection at once, without a closing handshake. `onDisconnect` follows. */
  terminate(): void {
    this.#closing.terminate();
  }
}

function messageInProgress(): StateError {
  return new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send: a fragmented message is not finished");
}
