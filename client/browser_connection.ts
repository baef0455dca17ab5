/**
 * One WebSocket of the platform, as in a page, with the members and events of `WebSocketConnection`. What a browser does not offer
 * throws and says so.
 *
 * A browser cannot be told to read more slowly. So messages that the program is not ready for wait here, up to a limit; beyond it
 * the connection is given up.
 *
 * | phase       | entered when                                        | messages         | left when                          |
 * |-------------|-----------------------------------------------------|------------------|------------------------------------|
 * | `open`      | the handshake is done                               | are delivered    | the program or the server closes   |
 * | `closing`   | `close()` sent a close frame                        | are delivered    | the socket closes; `closeTimeout`  |
 * | `failed`    | a handler or a message failed; a close frame is sent| are of no interest| as above                          |
 * | `aborted`   | it was given up                                     | are of no interest| the next microtask                |
 * | `reporting` | all was delivered                                   | there are none   | the program was told               |
 * | `closed`    | the program was told                                | there are none   |                                    |
 *
 * @module
 */

import type {
  CloseFrame,
  CloseInfo,
  ConnectionState,
  Delivery,
  HandshakeRequest,
  MessageOptions,
  SendResult,
  SlowConsumer,
  StartOptions,
  StepResult,
} from "../connection/options.ts";
import type { Opcode, Role } from "../protocol/frame_header.ts";
import { bindControl, type ConnectionControl } from "./connection_control.ts";
import type { ClientConnection, ClientConnectionHandler, ConnectPlan, OpenedConnection } from "./connector.ts";
import { CloseCode, isValidCloseCode, OptionError, ProtocolError, StateError, TransportError } from "../base/errors.ts";
import type { Extension } from "../protocol/extensions.ts";
import { MessageQueue } from "../connection/message_queue.ts";
import { assertPayload, byteLength, encodeClosePayload, type MessageData } from "../protocol/payload.ts";
import { messageStream } from "../connection/message_stream.ts";
import { type QueueConnection, QueuedDelivery, type QueueSource } from "../connection/queued_delivery.ts";
import type { Address } from "../transport/transport.ts";

type Phase = "open" | "closing" | "failed" | "aborted" | "reporting" | "closed";

/** Bytes of messages that may wait here, or as many as one message may have, if that is more; and one message. */
const WAITING_LIMIT = 1024 * 1024;
/** A browser does not say when what was sent has left: who waits for it looks each so many ms. */
const DRAIN_INTERVAL = 10;

/** The connection of a client in a page. */
export class BrowserConnection implements ClientConnection, OpenedConnection, ConnectionControl {
  // Identity
  /** Which end this is. */
  readonly role: Role = "client";
  /** Whether TLS protects the connection. */
  readonly encrypted: boolean;
  /** The request that opened the connection, as far as a browser tells. */
  readonly request: HandshakeRequest;
  /** How the connection ended, once it has; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** What the program wants to keep with the connection. */
  data: unknown;

  // Configuration
  #socket: WebSocket;
  #plan: ConnectPlan;
  #handler!: ClientConnectionHandler;

  // Read state
  /** Messages that came and were not delivered. */
  #arrived: MessageQueue = makeQueue();
  #delivery: Delivery = "immediate";
  /** Whether delivery has to wait: before it begins, a full inbox, between batches, between steps. */
  #blocked = true;
  #begun = false;
  /** A message that is too large came: it is told behind those that came before it. */
  #refused: ProtocolError | undefined;
  #delivering = false;
  #queued: QueuedDelivery;
  #endStep: ((result: StepResult) => void) | undefined;

  // Write state
  #writable: WritableStream<MessageData> | undefined;
  /** Why what was sent has not left. */
  #loss: TransportError | undefined;

  // End state
  #phase: Phase = "open";
  #sent: CloseFrame | undefined;
  /** How the socket has closed. */
  #end: CloseEvent | undefined;
  #report: TransportError | undefined;
  #cause: unknown;
  #cancelTimer: (() => void) | undefined;
  #resolveClosed!: (info: CloseInfo) => void;

  /**
   * Takes a socket; nothing is delivered before `begin`.
   *
   * @param socket The socket, open or about to be.
   * @param plan What it was made for.
   */
  constructor(socket: WebSocket, plan: ConnectPlan) {
    this.#socket = socket;
    this.#plan = plan;
    this.encrypted = plan.tls;
    const [path, ...query] = plan.target.split("?");
    const { headers, protocols } = plan;
    this.request = {
      method: "GET",
      path,
      query: query.join("?"),
      headers,
      protocols,
      extensions: [],
      signal: new AbortController().signal,
    };
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#queued = new QueuedDelivery(this.#makeSource(), this.#makeQueueConnection());
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) => this.#arrive(event.data));
    socket.addEventListener("close", (event) => this.#onSocketClose(event));
  }

  #makeQueueConnection(): QueueConnection {
    const isClosing = (): boolean => this.#phase === "closing";
    return {
      get closeSent(): boolean {
        return isClosing();
      },
      close: () => this.close(),
    };
  }

  #makeSource(): QueueSource {
    return {
      block: () => this.#block(),
      unblockImmediate: () => {
        if (this.#delivery === "immediate") this.#unblock();
      },
    };
  }

  // ---- What is known of it -------------------------------------------------------------------------------------

  /** Where the connection is in its life. */
  get state(): ConnectionState {
    return this.#phase === "open" || this.#phase === "closed" ? this.#phase : "closing";
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** The extensions that were agreed on. */
  get extensions(): readonly Extension[] {
    return readExtensions(this.#socket.extensions);
  }

  /**
   * The other end's address.
   *
   * @throws {StateError} Always: a browser does not offer it.
   */
  get remoteAddress(): Address {
    throw unsupported("tell an address", "a browser does not know it");
  }

  /**
   * This end's address.
   *
   * @throws {StateError} Always: a browser does not offer it.
   */
  get localAddress(): Address {
    throw unsupported("tell an address", "a browser does not know it");
  }

  /** Bytes that were sent by the program and not yet taken by the network. */
  get bufferedAmount(): number {
    return this.#phase === "closed" || this.#end !== undefined ? 0 : this.#socket.bufferedAmount;
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /**
   * Names who listens, and how.
   *
   * @param handler Takes what happens.
   * @param start How the connection starts.
   * @returns The connection.
   */
  attach(
    handler: ClientConnectionHandler,
    { delivery = "immediate", waitForHandler = false }: StartOptions,
  ): ClientConnection {
    this.#handler = handler;
    bindControl(this, this);
    this.#delivery = delivery;
    if (waitForHandler) this.#queued.wait();
    return this;
  }

  /** Delivers what has come, and what comes. */
  begin(): void {
    this.#begun = true;
    // It was given up before there was anybody to tell.
    if (this.#phase === "aborted") return queueMicrotask(() => this.#finish());
    if (this.#delivery === "immediate") this.#unblock();
    if (this.#end !== undefined) this.#finishIfOver();
  }

  /**
   * Changes when messages are delivered. For the client.
   *
   * @param delivery From now on.
   * @internal
   */
  setDelivery(delivery: Delivery): void {
    this.#delivery = delivery;
    if (delivery !== "step") this.#finishStep("none");
    if (delivery === "immediate") this.#unblock();
    else this.#block();
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Sends a message: see `WebSocketConnection.send`.
   *
   * @param data The message.
   * @param options What is different for this one.
   * @returns What became of it.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: MessageData, options?: MessageOptions): SendResult {
    this.#assertOpen("send");
    assertPayload(data, "send");
    const length = byteLength(data);
    if (!this.#fits(length)) return this.#refuse(length, options?.slowConsumer);
    // Its type wants bytes that are not shared between threads; a browser refuses shared ones by itself.
    this.#socket.send(data as Uint8Array<ArrayBuffer>);
    // The server has closed; what came before is still being delivered.
    if (this.#end !== undefined) this.#noteLoss();
    return this.#congested ? "backpressure" : "sent";
  }

  get #congested(): boolean {
    return this.bufferedAmount > this.#plan.settings.highWaterMark;
  }

  #fits(length: number): boolean {
    const { maxBufferedAmount } = this.#plan.settings;
    return maxBufferedAmount === 0 || this.bufferedAmount + length <= maxBufferedAmount;
  }

  #refuse(length: number, slowConsumer: SlowConsumer = this.#plan.settings.slowConsumer): SendResult {
    const { maxBufferedAmount } = this.#plan.settings;
    if (length > maxBufferedAmount) {
      const message =
        `Cannot send: ${length} bytes are more than maxBufferedAmount (${maxBufferedAmount}) allows at all`;
      throw new OptionError(message, "ERR_MESSAGE_EXCEEDS_BUFFER");
    }
    if (slowConsumer === "close") {
      const waiting = this.bufferedAmount;
      this.#abort(new TransportError("ERR_SLOW_CONSUMER", `The peer reads too slowly: ${waiting} bytes wait for it`));
    }
    return "dropped";
  }

  /**
   * One frame of a message.
   *
   * @param _opcode The opcode.
   * @param _data The payload.
   * @param _final Whether it is the last.
   * @throws {StateError} Always: a browser does not offer it.
   */
  sendFrame(_opcode: Opcode, _data: MessageData, _final: boolean): SendResult {
    throw unsupported("send a frame", "a browser sends whole messages only");
  }

  /**
   * One message as a stream of fragments.
   *
   * @param _opcode The opcode.
   * @throws {StateError} Always: a browser does not offer it.
   */
  messageWriter(_opcode: Opcode): WritableStream<MessageData> {
    throw unsupported("send a frame", "a browser sends whole messages only");
  }

  /**
   * A control frame.
   *
   * @param _opcode The opcode.
   * @param _data The payload.
   * @throws {StateError} Always: a browser does not offer it.
   */
  sendSimpleFrame(_opcode: Opcode, _data?: MessageData): void {
    throw unsupported("send a control frame", "a browser does that by itself");
  }

  /** How long the last answer to a ping took: a browser does not say. */
  get latency(): undefined {
    return undefined;
  }

  /**
   * A ping.
   *
   * @param _data The payload.
   * @throws {StateError} Always: a browser does not offer it.
   */
  ping(_data?: MessageData): void {
    throw unsupported("send a ping", "a browser sends none");
  }

  /**
   * A pong.
   *
   * @param _data The payload.
   * @throws {StateError} Always: a browser does not offer it.
   */
  pong(_data?: MessageData): void {
    throw unsupported("send a pong", "a browser answers pings by itself");
  }

  /**
   * Waits until nothing that was sent waits any more.
   *
   * @returns Rejects with a {@linkcode TransportError} if the connection is lost before.
   */
  drained(): Promise<void> {
    const drained = this.#waitForDrain();
    // Nobody is obliged to wait for it.
    drained.catch(() => {});
    return drained;
  }

  async #waitForDrain(): Promise<void> {
    const { clock } = this.#plan.settings;
    while (this.bufferedAmount > 0) await new Promise<void>((resolve) => clock.after(DRAIN_INTERVAL, resolve));
    if (this.#loss !== undefined) throw this.#loss;
  }

  #assertOpen(what: string): void {
    if (this.#phase === "open") return;
    throw new StateError("ERR_NOT_OPEN", `Cannot ${what}: the connection is ${this.state}`, { cause: this.#report });
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /** Whether what still comes is of no interest. */
  get #discards(): boolean {
    return this.#phase !== "open" && this.#phase !== "closing";
  }

  #arrive(content: string | ArrayBuffer): void {
    if (this.#discards || this.#refused !== undefined) return;
    const data = typeof content === "string" ? content : new Uint8Array(content);
    const { maxMessageSize } = this.#plan.settings;
    if (maxMessageSize > 0 && byteLength(data) > maxMessageSize) {
      this.#refused = new ProtocolError(
        "ERR_MESSAGE_TOO_LARGE",
        `A message is larger than the limit of ${maxMessageSize} bytes`,
      );
    } else this.#arrived.push(data);
    if (this.#endStep !== undefined) this.#blocked = false;
    this.#deliver();
    // One message more, so that each that is allowed at all may wait.
    const limit = Math.max(WAITING_LIMIT, maxMessageSize) + data.length + 64;
    if (this.#arrived.size <= limit || this.#delivering) return;
    const message = `The program takes messages too slowly: ${this.#arrived.size} bytes wait for it`;
    this.#abort(new TransportError("ERR_SLOW_CONSUMER", message));
  }

  get #empty(): boolean {
    return this.#discards || (this.#arrived.empty && this.#refused === undefined);
  }

  /** Delivers what waits, as long as nothing blocks it. */
  #deliver(): void {
    if (this.#delivering || !this.#begun) return;
    this.#delivering = true;
    this.#deliverReady();
    this.#delivering = false;
    if (this.#end !== undefined) this.#finishIfOver();
  }

  #deliverReady(): void {
    try {
      while (!this.#blocked && !this.#empty) {
        const data = this.#arrived.shift();
        if (data === undefined) return this.#fail(this.#refused);
        // A program that calls close() between two steps does not fetch what lies before the server's close frame.
        if (this.#delivery === "step" && this.#endStep === undefined && this.#phase !== "open") {
          this.#queued.drop();
        }
        if (this.#queued.reachesHandlers) this.#handler.message(data);
        this.#queued.add(data);
        this.#finishStep("message");
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Delivery has to wait, but not for the end of a closing handshake. */
  #block(): void {
    if (this.#phase === "open") this.#blocked = true;
  }

  #unblock(): void {
    this.#blocked = false;
    this.#deliver();
  }

  /**
   * Delivers what has come since the last batch. For the client.
   *
   * @internal
   */
  deliverBatch(): void {
    if (this.#delivery !== "batched" || this.#queued.full || this.#phase !== "open") return;
    this.#unblock();
    if (this.#delivery === "batched") this.#block();
  }

  /**
   * Handles one incoming message. For the client.
   *
   * @param timeout How long to wait for one, in ms; 0: no limit.
   * @returns What came: a browser shows no control frames.
   * @throws {StateError} If a step waits already.
   * @internal
   */
  step(timeout: number): Promise<StepResult> {
    if (this.#phase === "closed") return Promise.resolve("closed");
    if (this.#endStep !== undefined) {
      throw new StateError("ERR_RUNNING", "Cannot check for messages: a check is running already");
    }
    return new Promise((resolve) => {
      const { clock } = this.#plan.settings;
      const cancel = timeout > 0 ? clock.after(timeout, () => this.#finishStep("none")) : undefined;
      this.#endStep = (result) => {
        cancel?.();
        resolve(result);
      };
      this.#unblock();
      if (this.#delivery === "step") this.#block();
    });
  }

  /** Something was delivered, or nothing will be: the step that waits is over, and delivery waits for the next. */
  #finishStep(result: StepResult): void {
    const end = this.#endStep;
    this.#endStep = undefined;
    if (this.#delivery === "step") this.#block();
    end?.(result);
  }

  /**
   * Somebody listens now: hands over what was held. For the client.
   *
   * @internal
   */
  releaseMessages(): void {
    const held = this.#queued.release();
    if (held === undefined) return;
    // An end that came behind them loses none of them; one that the handlers bring about ends their delivery.
    const ended = this.#discards;
    this.#delivering = true;
    try {
      for (let data = held.shift(); data !== undefined && (ended || !this.#discards); data = held.shift()) {
        this.#handler.message(data);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#delivering = false;
    if (this.#delivery === "immediate") this.#unblock();
  }

  /** The messages as a stream: see `WebSocketConnection.readable`. */
  get readable(): ReadableStream<MessageData> {
    return this.#queued.take().readable;
  }

  /** Messages to the server as a stream: see `WebSocketConnection.writable`. */
  get writable(): WritableStream<MessageData> {
    const mustWaitFor = (data: MessageData): boolean =>
      this.bufferedAmount > 0 && (this.#congested || !this.#fits(byteLength(data)));
    const sender = {
      send: (data: MessageData) => this.send(data),
      drained: () => this.drained(),
      // A browser does not send the code of an aborted stream.
      close: (code?: number) => this.close(code === CloseCode.NormalClosure ? code : undefined),
    };
    return this.#writable ??= messageStream(sender, { mustWaitFor });
  }

  /**
   * Iterates over the messages: see `WebSocketConnection`.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#queued.take().iterate();
  }

  // ---- Closing -------------------------------------------------------------------------------------------------

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2). Further calls change nothing.
   *
   * @param code 1000 or 3000–4999; a browser sends no other. Without it the close frame has no payload.
   * @param reason At most 123 bytes of UTF-8.
   * @returns How the connection ended.
   * @throws {OptionError} If code or reason are out of range.
   * @throws {StateError} If the code is one that a browser does not send.
   */
  close(code?: number, reason = ""): Promise<CloseInfo> {
    encodeClosePayload(code, reason);
    if (this.#phase !== "open") return this.closed;
    if (code !== undefined && code !== CloseCode.NormalClosure && code < 3000) {
      throw unsupported(`close with ${code}`, "a browser sends 1000 and 3000 to 4999 only");
    }
    this.#sendClose("closing", code, reason);
    // The server's close frame lies behind what was not delivered.
    this.#unblock();
    return this.closed;
  }

  #sendClose(phase: Phase, code?: number, reason = ""): void {
    this.#phase = phase;
    this.#sent = { code: code ?? CloseCode.NoStatusReceived, reason };
    this.#socket.close(code, reason === "" ? undefined : reason);
    const { clock, closeTimeout } = this.#plan.settings;
    if (closeTimeout === 0) return;
    this.#cancelTimer = clock.after(closeTimeout, () => {
      this.#abort(new TransportError("ERR_CLOSE_TIMEOUT", `No close frame came within ${closeTimeout} ms`));
    });
  }

  /** What the server sent cannot be taken: reports, and ignores what still comes. */
  #fail(error: unknown): void {
    if (this.#discards) return;
    this.#cause = error;
    this.closeWith(CloseCode.InternalError, error);
    this.#handler.error(error);
  }

  /**
   * Ends the connection because of an error that has been reported. For the client. The server sees no code: a browser does not send
   * those that stand for a failure.
   *
   * @param _code The close code.
   * @param _error The error.
   * @internal
   */
  closeWith(_code: number, _error: unknown): void {
    if (this.#phase === "open") this.#sendClose("failed");
    else if (this.#phase === "closing") this.#phase = "failed";
    this.#drop();
  }

  /** Ends the connection at once. `onDisconnect` follows. */
  terminate(): void {
    this.#abort(undefined);
  }

  /** Gives the connection up at once. */
  #abort(report: TransportError | undefined): void {
    if (this.#phase === "aborted" || this.#phase === "reporting" || this.#phase === "closed") return;
    this.#phase = "aborted";
    this.#report = report;
    this.#drop();
    this.#socket.close();
    // The program must not be called back from within its own call.
    if (this.#begun) queueMicrotask(() => this.#finish());
  }

  #drop(): void {
    this.#arrived = makeQueue();
  }

  #onSocketClose(event: CloseEvent): void {
    this.#end = event;
    this.#noteLoss();
    if (this.#begun) this.#finishIfOver();
  }

  /** With steps, the end is reported only when all that had come before was fetched, or nobody will fetch it. */
  #finishIfOver(): void {
    if (this.#delivering) return;
    if (this.#delivery === "step" && this.#phase === "open" && !this.#empty) return;
    this.#delivering = true;
    while (!this.#empty) {
      this.#blocked = false;
      this.#deliverReady();
    }
    this.#delivering = false;
    this.#finish();
  }

  #noteLoss(): void {
    if (this.#loss !== undefined || this.#socket.bufferedAmount === 0) return;
    const message = "The connection was lost before all bytes were sent";
    this.#loss = new TransportError("ERR_CONNECTION_LOST", message, { cause: this.#report ?? this.#cause });
  }

  #finish(): void {
    if (this.#phase === "reporting" || this.#phase === "closed") return;
    const info = this.#closeInfo();
    this.#phase = "reporting";
    this.#cancelTimer?.();
    this.#noteLoss();
    if (info.received === undefined) this.#queued.lose(this.#report ?? this.#cause);
    else {
      this.#queued.end();
      this.#handler.close(info.code, info.reason);
    }
    this.#phase = "closed";
    if (this.#report !== undefined) this.#handler.error(this.#report);
    this.#handler.disconnect(info);
    this.#resolveClosed(info);
    this.#finishStep("closed");
  }

  #closeInfo(): CloseInfo {
    const { code = CloseCode.AbnormalClosure, reason = "", wasClean = false } = this.#end ?? {};
    const info: CloseInfo = { code: CloseCode.AbnormalClosure, reason: "", clean: false };
    if (this.#sent !== undefined) info.sent = this.#sent;
    // Deno says 0 where there was no close frame. Behind a failure it is of no interest.
    if (this.#discards || (code !== CloseCode.NoStatusReceived && !isValidCloseCode(code))) return info;
    const received = { code, reason };
    // The browser has answered the server's close frame with the same code.
    const sent = this.#sent ?? (wasClean ? { code, reason: "" } : undefined);
    return { code, reason, clean: wasClean, received, ...sent && { sent } };
  }
}

/** A browser has checked the header, and writes it in one form: no scanner is needed for that. */
function readExtensions(text: string): Extension[] {
  if (text === "") return [];
  return text.split(",").map((extension) => {
    const [name, ...parameters] = extension.split(";").map((part) => part.trim());
    return { name, parameters: parameters.map(readParameter) };
  });
}

function readParameter(text: string): [name: string, value: string | true] {
  const [name, value] = text.split("=");
  return [name, value ?? true];
}

function makeQueue(): MessageQueue {
  return new MessageQueue(() => {}, () => {});
}

/**
 * Says that something cannot be done in a page.
 *
 * @param what What cannot be done.
 * @param why Why.
 * @returns The error to throw.
 */
export function unsupported(what: string, why: string): StateError {
  return new StateError("ERR_UNSUPPORTED", `Cannot ${what}: ${why}`);
}
