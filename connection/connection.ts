/**
 * One WebSocket after its handshake, in either role: sending, receiving, the closing handshake of RFC 6455 §7, and
 * back-pressure both ways.
 *
 * How a connection ends, as a table. "Close frame" is the frame; "transport" is TCP or whatever carries the bytes.
 *
 * | phase          | entered when                                     | left when                                         |
 * |----------------|--------------------------------------------------|---------------------------------------------------|
 * | `connecting`   | a transport is there                             | the handshake is done                             |
 * | `open`         | the handshake is done                            | either side sends a close frame, or fails         |
 * | `closeSent`    | `close()` sent ours first                        | the peer's comes: `ending`; `closeTimeout`: abort |
 * | `closeReceived`| the peer's came first, and `manualClose` is on   | `close()` sends ours: `ending`                    |
 * | `ending`       | both were exchanged, or the connection failed    | the transport ends; `closeTimeout`: abort         |
 * | `closed`       | the transport has ended                          |                                                   |
 *
 * @module
 */

import type {
  CloseFrame,
  CloseInfo,
  ConnectionSettings,
  ConnectionState,
  Delivery,
  EarlyEnd,
  HandshakeRequest,
  HandshakeResult,
  MessageOptions,
  MessageOwner,
  MessageWatch,
  SendResult,
  SlowConsumer,
  StartOptions,
  StepResult,
} from "./options.ts";
import {
  frameHeaderLength,
  type FrameInfo,
  MAX_CONTROL_PAYLOAD,
  Opcode,
  ReservedBit,
  type Role,
} from "../protocol/frame_header.ts";
import { MessageDeflater, MessageInflater } from "../protocol/deflate.ts";
import { CloseCode, OptionError, ProtocolError, StateError, TransportError, WebSocketError } from "../base/errors.ts";
import { FrameParser } from "../protocol/frame.ts";
import type { Extension } from "../protocol/extensions.ts";
import { handlerTime, timeHandler } from "../base/handler_time.ts";
import { assertPayload, encodeClosePayload, type MessageData } from "../protocol/payload.ts";
import { Intake, type IntakeOwner } from "./intake.ts";
import { KeepAlive, type KeepAliveOwner } from "./keep_alive.ts";
import { MessageAssembler, type MessageHandler } from "../protocol/message.ts";
import { messageStream, messageWriter } from "./message_stream.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { RateLimit } from "./rate_limit.ts";
import { Reception, type ReceptionOwner } from "./reception.ts";
import type { SharedMessage } from "./shared_message.ts";
import { type Meter, UNMETERED } from "../base/stats.ts";
import type { Address, Transport, TransportHandler } from "../transport/transport.ts";

/** Takes what happens on a connection. Calls come in the order of arrival. */
export interface ConnectionHandler<Data> {
  /** A message, or with frame by frame delivery a frame of one. */
  message(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): void;
  /** A ping came; the automatic pong is on its way. Its payload is valid only during the call. */
  ping(connection: WebSocketConnection<Data>, payload: Uint8Array): void;
  /** A pong came. Its payload is valid only during the call. */
  pong(connection: WebSocketConnection<Data>, payload: Uint8Array): void;
  /** The peer's close frame came; the automatic answer is on its way. */
  close(connection: WebSocketConnection<Data>, code: number, reason: string): void;
  /** The connection has ended. The last call, exactly once. */
  disconnect(connection: WebSocketConnection<Data>, info: CloseInfo): void;
  /** The connection failed, and why. */
  error(connection: WebSocketConnection<Data>, error: unknown): void;
  /** Where subscriptions are kept; a client has none. */
  readonly topics?: ConnectionTopics<Data>;
  /** Watches messages that are not finished; without it they are not watched. */
  readonly unfinished?: MessageWatch | undefined;
}

/** Keeps the subscriptions of a server's connections. */
export interface ConnectionTopics<Data> {
  /** Subscribes; resolves when messages of other nodes reach it too. */
  subscribe(connection: WebSocketConnection<Data>, topic: string): Promise<void>;
  /** Undoes it; returns whether it had subscribed. */
  unsubscribe(connection: WebSocketConnection<Data>, topic: string): boolean;
  /** What it has subscribed to. */
  of(connection: WebSocketConnection<Data>): ReadonlySet<string>;
}

type Phase = "connecting" | "open" | "closeSent" | "closeReceived" | "ending" | "closed";

const EMPTY = new Uint8Array(0);
const NO_TOPICS: ReadonlySet<string> = new Set();
const encoder = new TextEncoder();

/**
 * One WebSocket, in either role. Servers and clients make these; a program gets them in its handlers.
 *
 * @typeParam Data The type of {@linkcode WebSocketConnection.data}, which belongs to the program.
 *
 * @example An echo server with the async iterator
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket";
 *
 * await using server = new WebSocketServer({
 *   port: 0,
 *   async onHandshakeResponseSent(connection) {
 *     for await (const message of connection) connection.send(message);
 *   },
 * });
 * await server.start();
 * ```
 */
export class WebSocketConnection<Data = unknown> {
  // Identity
  /** Which end this is. */
  readonly role: Role;
  /** The other end's address. */
  readonly remoteAddress: Address;
  /** This end's address. */
  readonly localAddress: Address;
  /** Whether TLS protects the connection. */
  readonly encrypted: boolean;
  /** What the program wants to keep with the connection; `undefined` until it sets it. */
  data!: Data;

  // Configuration
  readonly #hooks: IntakeOwner & KeepAliveOwner & ReceptionOwner & MessageHandler & OutboxOwner & MessageOwner;
  #settings: ConnectionSettings;
  #handler: ConnectionHandler<Data>;
  #transport: Transport;
  #meter: Meter;

  // Handshake state
  #request: HandshakeRequest | undefined;
  #result: HandshakeResult = { protocol: "", extensions: [] };
  #deflater: MessageDeflater | undefined;
  #inflater: MessageInflater | undefined;

  // Read state
  #parser: FrameParser;
  #assembler: MessageAssembler;
  #intake: Intake;
  #reception: Reception;
  #rates: RateLimit | undefined;
  /** Bytes that have come, and those of pings and pongs among them. */
  #bytesReceived = 0;
  #keepAliveBytes = 0;
  /** Frames that the meter knows of. */
  #framesCounted = 0;
  /** The `finished` of the assembler when the message began that is known to be unfinished; -1: none is. */
  #unfinished = -1;

  // Keep-alive state
  #keepAlive: KeepAlive | undefined;
  #latency: number | undefined;

  // Write state
  #outbox: Outbox;
  #writable: WritableStream<MessageData> | undefined;

  // Close handshake state
  #phase: Phase = "connecting";
  #sent: CloseFrame | undefined;
  #received: CloseFrame | undefined;
  #endSent = false;
  /** Whether the peer has sent FIN. */
  #transportEnded = false;
  #transportClosed = false;
  /** What broke the connection. */
  #cause: unknown;
  /** What is to be reported at the end. */
  #report: WebSocketError | undefined;
  #cancelTimer: (() => void) | undefined;
  #closeInfo: CloseInfo | undefined;
  /** Made when somebody asks for it. */
  #closed: Promise<CloseInfo> | undefined;
  #resolveClosed: ((info: CloseInfo) => void) | undefined;

  /**
   * Makes a connection over a transport, in the phase before its handshake. Programs do not call this:
   * see `WebSocketServer`, `WebSocketClient`, and their ways to work over any pair of byte streams.
   *
   * @param transport Carries the bytes.
   * @param role Which end this is.
   * @param handler Takes what happens.
   * @param settings Limits and habits.
   * @param meter Counts what comes and goes.
   * @throws {OptionError} If `frameSize` cannot hold a frame.
   */
  constructor(
    transport: Transport,
    role: Role,
    handler: ConnectionHandler<Data>,
    settings: ConnectionSettings,
    meter: Meter = UNMETERED,
  ) {
    this.#meter = meter;
    this.#settings = settings;
    this.#transport = transport;
    this.#handler = handler;
    this.role = role;
    this.remoteAddress = transport.remoteAddress;
    this.localAddress = transport.localAddress;
    this.encrypted = transport.encrypted;
    const { clock, maxMessageSize, maxFragments, options: { frameByFrame } } = settings;
    const hooks = this.#hooks = new WebSocketConnection.#Hooks(this);
    this.#outbox = new Outbox(transport, role === "client", settings, hooks, meter);
    this.#assembler = new MessageAssembler(hooks, { maxMessageSize, maxFragments, frameByFrame });
    this.#parser = new FrameParser(this.#assembler, { role });
    this.#intake = new Intake(transport, this.#parser, hooks, clock);
    this.#reception = new Reception(hooks);
  }

  /** What its parts ask and tell it; one object for all of them, since there are many connections. */
  static readonly #Hooks = class<Data>
    implements IntakeOwner, KeepAliveOwner, ReceptionOwner, MessageHandler, OutboxOwner, MessageOwner {
    #connection: WebSocketConnection<Data>;

    constructor(connection: WebSocketConnection<Data>) {
      this.#connection = connection;
    }

    mayBlock(): boolean {
      return this.#connection.#phase === "open";
    }
    discards(): boolean {
      return this.#connection.#discards;
    }
    parseBegins(): void {
      this.#connection.#outbox.cork();
    }
    parseEnds(): void {
      this.#connection.#countFrames();
      this.#connection.#countUnfinished();
      this.#connection.#outbox.uncork();
    }
    parseFails(error: unknown): void {
      this.#connection.#fail(error);
    }
    drained(): void {
      this.#connection.#finishIfOver();
    }

    deliver(data: MessageData, frame?: FrameInfo): void {
      const connection = this.#connection;
      if (handlerTime.wanted) timeHandler(() => connection.#handler.message(connection, data, frame));
      else connection.#handler.message(connection, data, frame);
    }
    // After close() nobody is obliged to read on, but the peer's close frame must still be found.
    mayLeaveOut(): boolean {
      return this.#connection.#phase === "closeSent";
    }
    full(): void {
      this.#connection.#intake.block();
    }
    room(): void {
      this.#connection.#intake.unblockImmediate();
    }
    cancelled(): void {
      this.#connection.close();
    }

    message(data: MessageData, frame?: FrameInfo): void {
      this.#connection.#onMessage(data, frame);
    }
    ping(payload: Uint8Array): void {
      this.#connection.#onPing(payload);
    }
    pong(payload: Uint8Array): void {
      this.#connection.#onPong(payload);
    }
    close(code: number, reason: string): void {
      this.#connection.#onClose(code, reason);
    }

    allSent(): void {
      this.#connection.#endTransport();
    }

    received(): number {
      return this.#connection.#bytesReceived;
    }
    exchanged(): number {
      const connection = this.#connection;
      return connection.#bytesReceived - connection.#keepAliveBytes + connection.#outbox.exchanged;
    }
    reads(): boolean {
      return this.#connection.#intake.reads;
    }
    sendPing(payload: Uint8Array): number {
      const outbox = this.#connection.#outbox;
      outbox.sendControl(Opcode.Ping, payload);
      return outbox.left + outbox.bufferedAmount;
    }
    left(): number {
      return this.#connection.#outbox.left;
    }
    written(): number {
      return this.#connection.#transport.bytesWritten;
    }
    answered(latency: number): void {
      this.#connection.#latency = latency;
      this.#connection.#meter.pingTimes.add(latency);
    }
    dead(error: TransportError): void {
      this.#connection.#abort(error);
    }
    idle(): void {
      this.#connection.#onIdle();
    }

    progress(): number {
      return this.#connection.#assembler.progress;
    }
    giveUp(): void {
      this.#connection.#onOverload();
    }
    stalled(): void {
      this.#connection.#onStalled();
    }
  };

  static readonly #TransportHooks = class<Data> implements TransportHandler {
    #connection: WebSocketConnection<Data>;

    constructor(connection: WebSocketConnection<Data>) {
      this.#connection = connection;
    }

    data(bytes: Uint8Array): void {
      this.#connection.#onData(bytes);
    }
    drain(): void {
      this.#connection.#outbox.drain();
    }
    end(): void {
      this.#connection.#onTransportEnd();
    }
    close(error?: unknown): void {
      this.#connection.#onTransportClose(error);
    }
  };

  // ---- What is known of it -------------------------------------------------------------------------------------

  /** Where the connection is in its life. */
  get state(): ConnectionState {
    if (this.#phase === "connecting" || this.#phase === "open" || this.#phase === "closed") return this.#phase;
    return "closing";
  }

  /** How the connection ended, once it has; never rejects. */
  get closed(): Promise<CloseInfo> {
    return this.#closed ??= this.#closeInfo === undefined
      ? new Promise((resolve) => this.#resolveClosed = resolve)
      : Promise.resolve(this.#closeInfo);
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#result.protocol;
  }

  /** The extensions that were agreed on; what was offered is in `request`. */
  get extensions(): readonly Extension[] {
    return this.#result.extensions;
  }

  /**
   * The request that opened the connection; on a server known from `onAllow` on.
   *
   * @throws {StateError} If it is not known yet.
   */
  get request(): HandshakeRequest {
    if (this.#request === undefined) throw new StateError("ERR_NOT_OPEN", "Cannot read the request: none has come yet");
    return this.#request;
  }

  /** How long the last answer to a ping of `pingInterval` took, in ms; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#latency;
  }

  /** Bytes that were sent by the program and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.#outbox.bufferedAmount;
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /**
   * Keeps the request of the handshake. For the server and the client.
   *
   * @param request The request.
   * @internal
   */
  setRequest(request: HandshakeRequest): void {
    this.#request = request;
  }

  /**
   * The handshake is done: frames follow. For the server and the client.
   *
   * @param result What was agreed on.
   * @param options How the connection starts.
   * @returns `false` if the connection has ended meanwhile.
   * @internal
   */
  start(result: HandshakeResult, options: StartOptions = {}): boolean {
    if (this.#phase !== "connecting") return false;
    const { preface, delivery = "immediate", hold = false } = options;
    this.#result = result;
    this.#phase = "open";
    if (result.compression !== undefined) this.#useCompression(result.compression);
    this.#intake.begin(delivery);
    if (hold) this.#reception.hold();
    if (preface !== undefined) this.#outbox.sendPreface(preface);
    return true;
  }

  #useCompression({ parameters, settings }: Required<HandshakeResult>["compression"]): void {
    this.#deflater = new MessageDeflater(this.role, parameters, settings);
    this.#inflater = new MessageInflater(this.role, parameters);
    this.#outbox.useDeflater(this.#deflater);
    this.#assembler.useInflater(this.#inflater, this.#meter);
    this.#parser.allowReserved(ReservedBit.Rsv1);
  }

  /**
   * Gives the connection its bytes. For the server and the client, after `start`.
   *
   * @param leftover Bytes that came right behind the handshake.
   * @param early What else the transport has said already.
   * @internal
   */
  open(leftover: Uint8Array, early: EarlyEnd = { ended: false, closed: undefined }): void {
    this.#transport.open(new WebSocketConnection.#TransportHooks(this));
    this.#intake.opened();
    this.#watch();
    if (leftover.length > 0) this.#onData(leftover);
    if (early.closed !== undefined) this.#onTransportClose(early.closed.error);
    else if (early.ended) this.#onTransportEnd();
  }

  #watch(): void {
    const settings = this.#settings;
    const { clock, pingInterval, idleTimeout, maxMessageRate, maxByteRate } = settings;
    if (maxMessageRate > 0 || maxByteRate > 0) this.#rates = new RateLimit(settings, clock.now());
    const open = this.#phase === "open";
    if (open && (pingInterval > 0 || idleTimeout > 0)) this.#keepAlive = new KeepAlive(this.#hooks, settings);
  }

  /**
   * The handshake did not come to an end. For the server and the client.
   *
   * @param error Why, if there is something to report.
   * @internal
   */
  abandon(error?: unknown): void {
    if (this.#phase === "closed") return;
    this.#cause ??= error;
    this.#transport.destroy();
    this.#finish();
  }

  /**
   * Changes when data is delivered. For the client.
   *
   * @param delivery From now on.
   * @internal
   */
  setDelivery(delivery: Delivery): void {
    if (this.#phase === "connecting" || this.#phase === "closed") this.#intake.begin(delivery);
    else this.#intake.setDelivery(delivery);
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Sends a message: a string as text, bytes as binary (RFC 6455 §5.6). The bytes are copied; a lone surrogate in a string
   * becomes U+FFFD.
   *
   * @param data The message.
   * @param options What is different for this one.
   * @returns What became of it; nobody has to wait for it, but see {@linkcode WebSocketConnection.drained}.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: MessageData, options?: MessageOptions): SendResult {
    this.#assertOpen("send");
    assertPayload(data, "send");
    if (this.#outbox.fragmented) {
      throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send: a fragmented message is not finished");
    }
    return this.#outbox.sendMessage(data) ?? this.#refuse(options?.slowConsumer);
  }

  /**
   * Sends a message that goes to others too. For broadcasts.
   *
   * @param message The message.
   * @param options What is different for this one.
   * @returns What became of it.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If it is larger than `maxBufferedAmount`.
   * @internal
   */
  sendShared(message: SharedMessage, options?: MessageOptions): SendResult {
    this.#assertOpen("send");
    if (this.#outbox.fragmented) return "dropped";
    return this.#outbox.sendShared(message) ?? this.#refuse(options?.slowConsumer);
  }

  /**
   * Sends one frame of a message that the program fragments by hand (RFC 6455 §5.4): first `Opcode.Text` or
   * `Opcode.Binary`, then `Opcode.Continuation`, the last one with `final`. The text may be cut inside a code point.
   *
   * @param opcode The opcode of the frame.
   * @param data Its payload.
   * @param final Whether it is the last frame of the message.
   * @returns What became of it. Nothing is left out in the middle of a message: a slow consumer is closed.
   * @throws {StateError} If the connection is not open, or the opcode does not fit what was sent before.
   * @throws {OptionError} If the opcode is that of a control frame, or `data` is neither text nor bytes, or larger than
   * `maxBufferedAmount`.
   *
   * @example A message whose length nobody knows
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
  sendFrame(opcode: Opcode, data: MessageData, final: boolean): SendResult {
    this.#assertOpen("send a frame");
    assertPayload(data, "send a frame");
    this.#outbox.assertFragment(opcode);
    return this.#outbox.sendFragment(opcode, data, final) ??
      this.#refuse(opcode === Opcode.Continuation ? "close" : this.#settings.slowConsumer);
  }

  /**
   * Sends a control frame, between the fragments of a message too (RFC 6455 §5.5).
   *
   * @param opcode `Opcode.Close`, `Opcode.Ping` or `Opcode.Pong`.
   * @param data Its payload, at most 125 bytes. That of a close frame starts with the code in two bytes.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If the opcode is not that of a control frame, or the payload is too long or not valid.
   */
  sendSimpleFrame(opcode: Opcode, data: MessageData = EMPTY): void {
    assertPayload(data, "send a control frame");
    const payload = typeof data === "string" ? encoder.encode(data) : data;
    if (opcode === Opcode.Close) {
      const { code, reason } = readCloseArguments(payload);
      this.close(code, reason);
      return;
    }
    if (opcode !== Opcode.Ping && opcode !== Opcode.Pong) {
      throw new OptionError(`Cannot send a control frame: "${opcode}" is not the opcode of one`, "ERR_PAYLOAD");
    }
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new OptionError(
        `Cannot send a control frame: ${payload.length} bytes, the most is ${MAX_CONTROL_PAYLOAD}`,
        "ERR_PAYLOAD",
      );
    }
    if (this.#phase !== "closeReceived") this.#assertOpen("send a control frame");
    this.#outbox.sendControl(opcode, payload);
  }

  /**
   * Sends a ping (RFC 6455 §5.5.2).
   *
   * @param data At most 125 bytes; the pong brings them back.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is too long.
   */
  ping(data: MessageData = EMPTY): void {
    this.sendSimpleFrame(Opcode.Ping, data);
  }

  /**
   * Sends a pong (RFC 6455 §5.5.3), as an answer with `manualPong`, or unasked.
   *
   * @param data At most 125 bytes; those of the ping in an answer.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is too long.
   */
  pong(data: MessageData = EMPTY): void {
    this.sendSimpleFrame(Opcode.Pong, data);
  }

  /**
   * Waits until nothing that was sent waits any more.
   *
   * @returns Resolves when `bufferedAmount` is 0; rejects with a {@linkcode TransportError} if the connection is lost before.
   */
  drained(): Promise<void> {
    return this.#outbox.drained();
  }

  #assertOpen(what: string): void {
    if (this.#phase === "open") return;
    const state = this.#phase === "connecting" ? "not open yet" : this.state;
    const received = this.#received;
    const why = received === undefined ? "" : `: the peer closed it with ${received.code} ${received.reason}`.trimEnd();
    const cause = this.#report ?? this.#cause;
    throw new StateError("ERR_NOT_OPEN", `Cannot ${what}: the connection is ${state}${why}`, { cause });
  }

  #refuse(policy: SlowConsumer = this.#settings.slowConsumer): SendResult {
    this.#meter.dropped++;
    if (policy === "drop") return "dropped";
    const waiting = this.bufferedAmount;
    this.#abort(new TransportError("ERR_SLOW_CONSUMER", `The peer reads too slowly: ${waiting} bytes wait for it`));
    return "dropped";
  }

  /** Gives the connection up at once. */
  #abort(report: TransportError): void {
    this.#transport.destroy();
    // Reported when the transport has ended: the program must not be called back from within its own `send`.
    this.#setPhase("ending");
    this.#outbox.discard(undefined);
    this.#report = report;
  }

  // ---- Topics --------------------------------------------------------------------------------------------------

  /**
   * Subscribes to a topic: from now on the connection gets what `publish` of its server sends. On a server only, from `onAllow` on; it
   * ends with the connection. Calling it again changes nothing.
   *
   * @param topic Its name, of 1 to 1024 characters; nothing in it is special.
   * @returns Nobody has to wait for it: with a `backplane` it resolves when messages of other nodes come too. It never rejects.
   * @throws {OptionError} If the name is out of range.
   * @throws {StateError} If the connection is a client's, or closing, or has `maxTopics` already.
   *
   * @example Rooms
   * ```ts
   * import { WebSocketServer } from "@tackline/websocket";
   *
   * export const server = new WebSocketServer({
   *   onHandshakeResponseSent: (connection) => void connection.subscribe(`room ${connection.request.path}`),
   *   onMessageReceived(connection, text) {
   *     for (const topic of connection.topics) server.publish(topic, text, { except: connection });
   *   },
   * });
   * ```
   */
  subscribe(topic: string): Promise<void> {
    const { topics } = this.#handler;
    if (topics === undefined) throw new StateError("ERR_UNSUPPORTED", "Cannot subscribe: a client has no topics");
    if (this.#phase !== "connecting") this.#assertOpen("subscribe");
    return topics.subscribe(this, topic);
  }

  /**
   * Undoes {@linkcode WebSocketConnection.subscribe}.
   *
   * @param topic The topic.
   * @returns Whether the connection had subscribed to it.
   */
  unsubscribe(topic: string): boolean {
    return this.#handler.topics?.unsubscribe(this, topic) ?? false;
  }

  /** What the connection has subscribed to. */
  get topics(): ReadonlySet<string> {
    return this.#handler.topics?.of(this) ?? NO_TOPICS;
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /** Whether what still comes is of no interest: RFC 6455 §5.5.1 lets nothing follow a close frame. */
  get #discards(): boolean {
    return this.#phase === "closeReceived" || this.#phase === "ending" || this.#phase === "closed";
  }

  /**
   * Delivers what has come since the last batch. For the client.
   *
   * @internal
   */
  deliverBatch(): void {
    if (!this.#reception.full) this.#intake.deliverBatch();
  }

  /**
   * Handles one incoming frame or message. For the client.
   *
   * @param timeout How long to wait for one, in ms; 0: no limit.
   * @returns What came.
   * @internal
   */
  step(timeout: number): Promise<StepResult> {
    return this.#phase === "closed" ? Promise.resolve("closed") : this.#intake.step(timeout);
  }

  #onData(bytes: Uint8Array): void {
    this.#bytesReceived += bytes.length;
    this.#meter.bytesReceived += bytes.length;
    const exceeded = this.#rates?.exceededBy(0, bytes.length, this.#settings.clock.now());
    if (exceeded === undefined) this.#intake.receive(bytes);
    else this.#fail(this.#rateError(exceeded));
  }

  #countFrames(): void {
    const { frames } = this.#parser;
    this.#meter.framesReceived += frames - this.#framesCounted;
    this.#framesCounted = frames;
  }

  /** An unfinished message counts for all connections together. */
  #countUnfinished(): void {
    const held = this.#assembler.held;
    if (held === 0 && this.#unfinished === -1) return;
    const { unfinished } = this.#handler;
    if (unfinished === undefined) return;
    const { finished } = this.#assembler;
    // Another one counts anew: its peer does not hold the memory, but sends one message after the other.
    if (this.#unfinished !== -1 && (held === 0 || finished !== this.#unfinished)) unfinished.finish(this.#hooks);
    this.#unfinished = held === 0 ? -1 : finished;
    if (held > 0) unfinished.hold(this.#hooks, held);
  }

  /** No more messages are taken: gives back what an unfinished one holds. */
  #dropUnfinished(): void {
    this.#assembler.abandon();
    this.#unfinished = -1;
    this.#handler.unfinished?.leave(this.#hooks);
  }

  /** Unfinished messages of all connections hold too much, and this one is among the largest and slowest. */
  #onOverload(): void {
    this.#unfinished = -1;
    this.#fail(new TransportError("ERR_OVERLOAD", "Unfinished messages of all connections hold too much memory"));
  }

  #onStalled(): void {
    const { messageTimeout } = this.#settings;
    this.#fail(new TransportError("ERR_MESSAGE_TIMEOUT", `No more of a message came within ${messageTimeout} ms`));
  }

  /** One message or control frame more: within a parse, so that what it throws fails the connection. */
  #countMessage(): void {
    const exceeded = this.#rates?.exceededBy(1, 0, this.#settings.clock.now());
    if (exceeded !== undefined) throw this.#rateError(exceeded);
  }

  #rateError(exceeded: "messages" | "bytes"): ProtocolError {
    const { maxMessageRate, maxByteRate } = this.#settings;
    const rate = exceeded === "messages" ? maxMessageRate : maxByteRate;
    return new ProtocolError("ERR_RATE_EXCEEDED", `More than ${rate} ${exceeded} a second`);
  }

  #onMessage(data: MessageData, frame?: FrameInfo): void {
    if (this.#rates !== undefined) this.#countMessage();
    if (frame === undefined || frame.final) this.#meter.messagesReceived++;
    // A program that calls close() between two steps does not fetch what lies before the peer's close frame.
    if (this.#intake.delivery === "step" && !this.#intake.stepping && this.#phase === "closeSent") {
      this.#reception.leaveOut();
    }
    this.#reception.receive(data, frame);
    this.#intake.finishStep("message");
  }

  #onPing(payload: Uint8Array): void {
    this.#countKeepAlive(payload);
    if (this.#phase === "open" && !this.#settings.options.manualPong) this.#outbox.answerPing(payload);
    this.#handler.ping(this, payload);
    this.#intake.finishStep("control");
  }

  #countKeepAlive(payload: Uint8Array): void {
    if (this.#rates !== undefined) this.#countMessage();
    this.#keepAliveBytes += frameHeaderLength(payload.length, this.role === "server") + payload.length;
  }

  #onPong(payload: Uint8Array): void {
    this.#countKeepAlive(payload);
    this.#keepAlive?.pong(payload);
    this.#handler.pong(this, payload);
    this.#intake.finishStep("control");
  }

  // ---- Streams -------------------------------------------------------------------------------------------------

  /**
   * The messages as a stream: text as strings, binary as bytes. From the first use on, messages wait here (and go to the
   * handlers too); when 64 KiB wait, nothing more is read from the peer until the program has read some. Take it
   * before the first `await` of a handler, or what came before is gone.
   *
   * The stream ends with the connection; it errors with a {@linkcode TransportError} if that was not by a close frame.
   * Cancelling it closes the connection, without a code.
   */
  get readable(): ReadableStream<MessageData> {
    return this.#reception.take().readable;
  }

  /**
   * Messages to the peer as a stream: each chunk is one message. Its back-pressure is the peer's.
   * Closing it closes the connection with 1000, aborting it with 1011.
   */
  get writable(): WritableStream<MessageData> {
    return this.#writable ??= messageStream(this, this.#outbox);
  }

  /**
   * One message as a stream, for content whose length nobody knows (RFC 6455 §5.4): each chunk that is not empty leaves as a
   * fragment, closing the stream sends a last empty one. Its back-pressure is the peer's. Nothing else can be sent meanwhile
   * but control frames; broadcasts leave the connection out.
   *
   * A message that has begun cannot be taken back: aborting the stream, or a chunk that can never fit
   * `maxBufferedAmount`, closes the connection with 1011.
   *
   * @param opcode `Opcode.Text` or `Opcode.Binary`. Strings and bytes may be mixed; they may be cut inside a code point.
   * @returns The stream.
   * @throws {StateError} If the connection is not open, or a fragmented message is not finished.
   * @throws {OptionError} If the opcode is another one.
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
  messageWriter(opcode: Opcode): WritableStream<MessageData> {
    this.#assertOpen("write a message");
    return messageWriter(this, this.#outbox, opcode);
  }

  /**
   * Iterates over the messages, as {@linkcode WebSocketConnection.readable} does. The loop ends with the connection, whatever the
   * code of the close frame (see {@linkcode WebSocketConnection.closed}), and throws if there was none.
   * Leaving it early does not close the connection.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#reception.take().iterate();
  }

  /**
   * Somebody listens now: hands over what was held. For the client.
   *
   * @internal
   */
  releaseHeld(): void {
    const inbox = this.#reception.release();
    if (inbox === undefined) return;
    // An end that came behind them loses none of them; one that the handlers bring about ends their delivery.
    const ended = this.#discards;
    this.#intake.replay(() => {
      for (let held = inbox.shift(); held !== undefined && (ended || !this.#discards); held = inbox.shift()) {
        this.#handler.message(this, held);
      }
    });
    if (this.#phase !== "closed" && this.#intake.delivery === "immediate") this.#intake.unblock();
  }

  // ---- Closing -------------------------------------------------------------------------------------------------

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2), or answers the peer's with `manualClose`. Further calls change nothing.
   *
   * @param code 1000–1003, 1007–1014 or 3000–4999. Without it the close frame has no payload.
   * @param reason At most 123 bytes of UTF-8.
   * @returns How the connection ended; never rejects after the arguments are checked.
   * @throws {OptionError} If code or reason are out of range.
   */
  close(code?: number, reason = ""): Promise<CloseInfo> {
    const payload = encodeClosePayload(code, reason);
    if (this.#phase === "connecting") this.abandon();
    else if (this.#phase === "open" || this.#phase === "closeReceived") this.#sendClose(code, reason, payload);
    return this.closed;
  }

  #sendClose(code: number | undefined, reason: string, payload: Uint8Array): void {
    this.#sent = { code: code ?? CloseCode.NoStatusReceived, reason };
    this.#outbox.sendControl(Opcode.Close, payload);
    this.#outbox.forgetPong();
    this.#setPhase(this.#received === undefined ? "closeSent" : "ending");
    // The peer's close frame lies behind what was not read.
    if (this.#phase === "closeSent") this.#intake.unblock();
  }

  #onClose(code: number, reason: string): void {
    this.#received = { code, reason };
    this.#intake.drop();
    this.#dropUnfinished();
    this.#reception.end();
    if (this.#phase === "closeSent") this.#setPhase("ending");
    else if (this.#settings.options.manualClose) this.#setPhase("closeReceived");
    else {
      // RFC 6455 §5.5.1: "it typically echos the status code it received".
      const echoed = code === CloseCode.NoStatusReceived ? undefined : code;
      this.#sendClose(echoed, "", encodeClosePayload(echoed, ""));
    }
    this.#handler.close(this, code, reason);
    this.#intake.finishStep("control");
  }

  #onIdle(): void {
    const { idleTimeout } = this.#settings;
    const error = new TransportError("ERR_IDLE_TIMEOUT", `Nothing came and nothing was sent for ${idleTimeout} ms`);
    this.close(CloseCode.GoingAway, "idle");
    this.#handler.error(this, error);
  }

  /** Fails the connection (RFC 6455 §7.1.7): tells the peer why, reports, and ignores what still comes. */
  #fail(error: unknown): void {
    if (this.#phase === "ending" || this.#phase === "closed") return;
    this.#cause = error;
    this.closeWith(error instanceof WebSocketError ? error.closeCode : CloseCode.InternalError, error);
    this.#handler.error(this, error);
  }

  /**
   * Ends the connection because of an error that has been reported. For the server and the client.
   *
   * @param code The close code.
   * @param error The error; only that of a protocol violation is told to the peer.
   * @internal
   */
  closeWith(code: number, error: unknown): void {
    if (this.#phase === "connecting") return this.abandon();
    if (this.#phase === "open" || this.#phase === "closeReceived") {
      const reason = error instanceof ProtocolError ? error.message : "";
      this.#sent = { code, reason };
      this.#outbox.sendControl(Opcode.Close, encodeClosePayload(code, reason));
    }
    this.#setPhase("ending");
  }

  /** Ends the connection at once, without a closing handshake. `onDisconnect` follows. */
  terminate(): void {
    if (this.#phase === "closed") return;
    this.#outbox.discard(undefined);
    if (this.#phase === "connecting") return this.abandon();
    this.#setPhase("ending");
    this.#transport.destroy();
  }

  /** The one place where the phase changes after the handshake. */
  #setPhase(phase: Phase): void {
    if (this.#phase === phase || this.#phase === "closed") return;
    this.#phase = phase;
    this.#keepAlive?.stop();
    if (phase === "closed") return this.#cancelTimer?.();
    if (phase === "ending") this.#startEnding();
    if (phase !== "closeReceived") this.#startTimer();
  }

  #startTimer(): void {
    const { clock, closeTimeout } = this.#settings;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (closeTimeout === 0) return;
    this.#cancelTimer = clock.after(closeTimeout, () => {
      if (this.#phase === "closeSent") {
        this.#report = new TransportError("ERR_CLOSE_TIMEOUT", `No close frame came within ${closeTimeout} ms`);
      }
      this.#transport.destroy();
    });
  }

  #startEnding(): void {
    this.#intake.drop();
    this.#dropUnfinished();
    this.#inflater?.close();
    this.#outbox.end();
    // From here on bytes are only read to be dropped: closing a socket with unread bytes would send a reset, which can
    // overtake the close frame.
    this.#transport.resume();
    if (this.bufferedAmount === 0 && !this.#intake.parsing) this.#endTransport();
    this.#finishIfOver();
  }

  /** RFC 6455 §7.1.1: the server ends TCP first; a client only if the connection failed. */
  #endTransport(): void {
    if (this.#endSent) return;
    if (this.role === "client" && this.#received !== undefined && !this.#transportEnded) return;
    this.#endSent = true;
    if (this.#transportEnded) this.#transport.destroy();
    else this.#transport.end();
  }

  #onTransportEnd(): void {
    this.#transportEnded = true;
    // RFC 6455 has no half-open connections: without a close frame this is a loss.
    if (this.#phase === "ending" && this.bufferedAmount > 0) return;
    this.#transport.destroy();
  }

  #onTransportClose(error: unknown): void {
    this.#transportClosed = true;
    this.#cause ??= error;
    this.#outbox.discard(error);
    // What was not fetched yet can still be.
    if (this.#intake.delivery === "step" && this.#phase === "open" && !this.#intake.empty) return;
    this.#intake.parseRest();
    this.#finish();
  }

  /** With steps, the end is reported only when all that had come before was fetched, or nobody will fetch it. */
  #finishIfOver(): void {
    if (this.#transportClosed && this.#intake.empty && !this.#intake.parsing) this.#finish();
  }

  #finish(): void {
    if (this.#phase === "closed") return;
    this.#setPhase("closed");
    this.#outbox.discard(this.#cause);
    this.#deflater?.close();
    this.#inflater?.close();
    this.#dropUnfinished();
    const info = this.#makeCloseInfo();
    this.#closeInfo = info;
    if (this.#received === undefined) this.#reception.lose(this.#report ?? this.#cause);
    if (this.#report !== undefined) this.#handler.error(this, this.#report);
    this.#handler.disconnect(this, info);
    this.#resolveClosed?.(info);
    this.#intake.finishStep("closed");
  }

  #makeCloseInfo(): CloseInfo {
    const info: CloseInfo = {
      code: this.#received?.code ?? CloseCode.AbnormalClosure,
      reason: this.#received?.reason ?? "",
      clean: this.#sent !== undefined && this.#received !== undefined,
    };
    if (this.#sent !== undefined) info.sent = this.#sent;
    if (this.#received !== undefined) info.received = this.#received;
    return info;
  }
}

function readCloseArguments(payload: Uint8Array): { code?: number; reason?: string } {
  if (payload.length === 0) return {};
  if (payload.length === 1) {
    throw new OptionError("Cannot send a control frame: a close frame of one byte", "ERR_PAYLOAD");
  }
  return { code: (payload[0] << 8) | payload[1], reason: new TextDecoder().decode(payload.subarray(2)) };
}
