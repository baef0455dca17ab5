/**
 * One WebSocket of the platform, as in a page, with the members and events of `WebSocketConnection`. Members that a
 * browser does not offer throw an error that says so.
 *
 * A browser cannot be made to read more slowly. Messages that the program does not take wait here, up to a limit;
 * beyond it the connection is aborted.
 *
 * | phase       | entered when                                   | messages      | left when                        |
 * |-------------|------------------------------------------------|---------------|----------------------------------|
 * | `open`      | the handshake is done                          | are delivered | the program or the server closes |
 * | `closing`   | `close()` sent a close frame                   | are delivered | the socket closes; `closeTimeout`|
 * | `failed`    | a close frame was sent because of a failure    | are dropped   | as above                         |
 * | `aborted`   | it was aborted                                 | are dropped   | in the next microtask            |
 * | `reporting` | all messages were delivered                    | none          | the program was notified         |
 * | `closed`    | the program was notified                       | none          |                                  |
 *
 * @module
 */

import type { BinaryForm } from "../connection/binary_form.ts";
import type {
  CloseFrame,
  CloseInfo,
  ConnectionStart,
  ConnectionState,
  Delivery,
  HandshakeRequest,
  MessageOptions,
  SendResult,
  StepResult,
} from "../connection/options.ts";
import type { Opcode, Role } from "../protocol/frame_header.ts";
import type { ClientConnection, ClientConnectionHandler, ConnectPlan, OpenedConnection } from "./connector.ts";
import { CloseCode, isValidCloseCode, ProtocolError, StateError, TransportError } from "../base/errors.ts";
import type { Extension } from "../protocol/extensions.ts";
import { HandlerSlots, noHandlerFor } from "../connection/handler_slots.ts";
import { MessageQueue } from "../connection/message_queue.ts";
import { byteLength, encodeClosePayload, type MessageData, type SendData, toPayload } from "../protocol/payload.ts";
import { BrowserSender } from "./browser_sender.ts";
import { receiveNext } from "./message_loops.ts";
import { describeRequest } from "./request.ts";
import { QueuedDelivery } from "../connection/queued_delivery.ts";
import type { Address } from "../transport/transport.ts";

type Phase = "open" | "closing" | "failed" | "aborted" | "reporting" | "closed";

/** Largest size of waiting messages, or `maxMessageSize` if that is more; one more message is taken. */
const WAITING_LIMIT = 1024 * 1024;

/** Connection of a client in a page. */
export class BrowserConnection implements ClientConnection, OpenedConnection {
  // Identity
  /** Role of this end. */
  readonly role: Role = "client";
  /** `true` if TLS protects the connection. */
  readonly encrypted: boolean;
  /** The request that opened the connection, as far as a browser shows it. */
  readonly request: HandshakeRequest;
  /** Resolves with how the connection ended; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Data of the program for this connection. */
  data: unknown;

  // Configuration
  #socket: WebSocket;
  #plan: ConnectPlan;
  #handler!: ClientConnectionHandler;

  // Read state
  /** Messages that wait for delivery. */
  #arrived: MessageQueue = makeQueue();
  #delivery: Delivery = "immediate";
  /** `true` while delivery waits: before it begins, for a full queue, between batches, between steps. */
  #blocked = true;
  #begun = false;
  /** Error of a message that is too large, reported after the delivery of those before it. */
  #refused: ProtocolError | undefined;
  #delivering = false;
  #queued: QueuedDelivery;
  /** Promises of handlers that are pending. */
  readonly #slots: HandlerSlots;
  /** Messages that came before there was a handler, as long as some still wait for a slot. */
  #held: MessageQueue | undefined;
  /** `true` if these were released after the end, which then loses none of them. */
  #heldLate = false;
  /** `true` if a batch ended for want of a slot. */
  #batchCut = false;
  /** `true` if the program was told of a message without handler. */
  #toldUnhandled = false;
  #endStep: ((result: StepResult) => void) | undefined;

  // Write state
  #sender: BrowserSender;

  // End state
  #phase: Phase = "open";
  #sent: CloseFrame | undefined;
  /** Close event of the socket. */
  #end: CloseEvent | undefined;
  #report: TransportError | undefined;
  #cause: unknown;
  #cancelTimer: (() => void) | undefined;
  #resolveClosed!: (info: CloseInfo) => void;

  /**
   * Takes a socket; no event comes before `begin`.
   *
   * @param socket The socket, open or opening.
   * @param plan The attempt that made it.
   */
  constructor(socket: WebSocket, plan: ConnectPlan) {
    this.#socket = socket;
    this.#plan = plan;
    this.encrypted = plan.tls;
    this.request = describeRequest(plan, []);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#queued = this.#makeQueued();
    const { clock, concurrency } = plan.settings;
    this.#slots = new HandlerSlots({
      proceed: () => this.#proceed(),
      deferWork: (work) => void clock.after(0, work),
    }, concurrency);
    this.#sender = new BrowserSender(socket, plan.settings, {
      send: (data) => this.send(data),
      close: (code) => this.close(code),
      abort: (error) => this.#abort(error),
    });
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) => this.#arrive(event.data));
    socket.addEventListener("close", (event) => this.#onSocketClose(event));
  }

  #makeQueued(): QueuedDelivery {
    const closeSent = (): boolean => this.#phase === "closing";
    return new QueuedDelivery({
      block: () => this.#block(),
      unblockImmediate: () => void (this.#delivery === "immediate" && this.#unblock()),
    }, {
      get closeSent(): boolean {
        return closeSent();
      },
      close: () => this.close(),
    });
  }

  // ---- Properties ----------------------------------------------------------------------------------------------

  /** State of the connection. */
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

  /** Throws a {@linkcode StateError}: a browser does not show the address of the server. */
  get remoteAddress(): Address {
    throw unsupported("read an address", "a browser does not show it");
  }

  /** Throws a {@linkcode StateError}: a browser does not show its own address. */
  get localAddress(): Address {
    throw unsupported("read an address", "a browser does not show it");
  }

  /** Bytes that were sent by the program and not yet taken by the network. */
  get bufferedAmount(): number {
    return this.#sender.bufferedAmount;
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /**
   * Attaches the handler of the client.
   *
   * @param handler Takes the events.
   * @param start Facts about the start of the connection.
   * @returns The connection.
   */
  attach(
    handler: ClientConnectionHandler,
    { delivery = "immediate", waitForHandler = false }: ConnectionStart,
  ): ClientConnection {
    this.#handler = handler;
    this.#delivery = delivery;
    if (waitForHandler) this.#queued.wait();
    return this;
  }

  /** Delivers messages that have come, and later ones. */
  begin(): void {
    this.#begun = true;
    // The connection was aborted before the client could be notified.
    if (this.#phase === "aborted") return queueMicrotask(() => this.#finish());
    if (this.#delivery === "immediate") this.#unblock();
    if (this.#end !== undefined) this.#finishIfOver();
  }

  /**
   * Changes when messages are delivered.
   *
   * @param delivery The new mode.
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
   * @param options Options of this message.
   * @returns `"sent"`, or what happened instead.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: SendData, options?: MessageOptions): SendResult {
    this.#assertOpen("send");
    return this.#sender.send(toPayload(data, "send"), options);
  }

  /** Gives binary messages of the program a form, and returns a function for others: see `OpenedConnection`. */
  useBinaryForm(form: BinaryForm): (message: Uint8Array) => SendResult {
    return this.#sender.useBinaryForm(form, () => this.#assertOpen("send"));
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser sends whole messages only.
   */
  sendFrame(_opcode: Opcode, _data: SendData, _final: boolean): SendResult {
    throw unsupported("send a frame", "a browser sends whole messages only");
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser sends whole messages only.
   */
  messageWriter(_opcode: Opcode): WritableStream<SendData> {
    throw unsupported("send a frame", "a browser sends whole messages only");
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser sends control frames by itself.
   */
  sendSimpleFrame(_opcode: Opcode, _data?: SendData): void {
    throw unsupported("send a control frame", "a browser does that by itself");
  }

  /** Always `undefined`: a browser does not show pongs. */
  get latency(): undefined {
    return undefined;
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser sends no pings.
   */
  ping(_data?: SendData): Promise<number> {
    throw unsupported("send a ping", "a browser sends none");
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser answers pings by itself.
   */
  pong(_data?: SendData): void {
    throw unsupported("send a pong", "a browser answers pings by itself");
  }

  /**
   * Waits until the network has taken everything that was sent.
   *
   * @returns Rejects with a {@linkcode TransportError} if the connection is lost before.
   */
  drained(): Promise<void> {
    return this.#sender.drained();
  }

  #assertOpen(what: string): void {
    if (this.#phase === "open") return;
    throw new StateError("ERR_NOT_OPEN", `Cannot ${what}: the connection is ${this.state}`, { cause: this.#report });
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /** Tells whether messages that still come are dropped. */
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
    // One message more, so that each message within `maxMessageSize` may wait.
    const limit = Math.max(WAITING_LIMIT, maxMessageSize) + data.length + 64;
    if (this.#arrived.size <= limit || this.#delivering) return;
    const message = `The program takes messages too slowly: ${this.#arrived.size} bytes wait for it`;
    this.#abort(new TransportError("ERR_SLOW_CONSUMER", message));
  }

  get #empty(): boolean {
    return this.#discards || (this.#arrived.empty && this.#refused === undefined);
  }

  /** Delivers waiting messages until delivery is blocked. */
  #deliver(): void {
    if (this.#delivering || !this.#begun) return;
    this.#delivering = true;
    this.#deliverReady();
    this.#delivering = false;
    if (this.#end !== undefined) this.#finishIfOver();
  }

  #deliverReady(): void {
    try {
      while (!this.#blocked && !this.#holds && !this.#empty) {
        const data = this.#arrived.shift();
        if (data === undefined) return this.#fail(this.#refused);
        // A program that calls close() between two steps does not fetch the messages before the server's close frame.
        if (this.#delivery === "step" && this.#endStep === undefined && this.#phase !== "open") {
          this.#queued.drop();
        }
        if (this.#queued.reachesHandlers) this.#hand(data);
        this.#queued.add(data);
        this.#finishStep("message");
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #hand(data: MessageData): void {
    const result = this.#handler.message(data);
    if (result === undefined) return;
    if (result === false) return this.#tellUnhandled(data);
    this.#slots.take(result);
    if (this.#slots.full) this.#batchCut = this.#delivery === "batched";
  }

  #tellUnhandled(data: MessageData): void {
    if (this.#toldUnhandled || this.#queued.taken) return;
    this.#toldUnhandled = true;
    this.#handler.error(noHandlerFor(data));
  }

  /** `true` while messages have to wait for handlers before them. */
  get #holds(): boolean {
    return (this.#slots.full && this.#delivery !== "step") || this.#held !== undefined;
  }

  /** A handler is done: goes on. */
  #proceed(): void {
    if (this.#held !== undefined) return this.#handHeld();
    if (!this.#batchCut) return this.#deliver();
    this.#batchCut = false;
    this.deliverBatch();
  }

  /** Blocks delivery, but never in the closing handshake. */
  #block(): void {
    if (this.#phase === "open") this.#blocked = true;
  }

  #unblock(): void {
    this.#blocked = false;
    this.#deliver();
  }

  /** Delivers messages that have come since the last batch. */
  deliverBatch(): void {
    if (this.#delivery !== "batched" || this.#queued.full || this.#phase !== "open") return;
    this.#unblock();
    if (this.#delivery === "batched") this.#block();
  }

  /**
   * Handles one incoming message.
   *
   * @param timeout Time to wait for one, in ms; 0: no limit.
   * @returns The kind of event: a browser shows no control frames.
   * @throws {StateError} If a step waits already.
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

  /** Ends the step that waits, and blocks delivery until the next one. */
  #finishStep(result: StepResult): void {
    const end = this.#endStep;
    this.#endStep = undefined;
    if (this.#delivery === "step") this.#block();
    end?.(result);
  }

  /** Hands over the messages that waited for a handler. */
  releaseMessages(): void {
    const waiting = this.#queued.release();
    if (waiting === undefined) return;
    this.#held = waiting;
    // An end that came after the messages loses none; an end caused by a handler stops the delivery.
    this.#heldLate = this.#discards;
    this.#handHeld();
  }

  #handHeld(): void {
    const held = this.#held!;
    const wanted = (): boolean => !held.empty && (this.#heldLate || !this.#discards);
    this.#delivering = true;
    let failed = false;
    try {
      while (!this.#slots.full && wanted()) this.#hand(held.shift()!);
    } catch (error) {
      failed = true;
      this.#fail(error);
    }
    this.#delivering = false;
    if (wanted() && !failed) return;
    this.#held = undefined;
    if (this.#delivery === "immediate") this.#unblock();
    else if (this.#end !== undefined) this.#finishIfOver();
  }

  /** The messages as a stream: see `WebSocketConnection.readable`. */
  get readable(): ReadableStream<MessageData> {
    return this.#queued.take().readable;
  }

  /** Messages to the server as a stream: see `WebSocketConnection.writable`. */
  get writable(): WritableStream<SendData> {
    return this.#sender.writable;
  }

  /** Waits for the next message: see `WebSocketConnection.receive`. */
  receive(): Promise<MessageData> {
    return receiveNext(this[Symbol.asyncIterator](), () => this);
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
   * @returns The end of the connection.
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
    // Messages that wait come before the server's close frame.
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

  /** Closes and reports after a failed message or handler. */
  #fail(error: unknown): void {
    if (this.#discards) return;
    this.#cause = error;
    this.closeWith(CloseCode.InternalError, error);
    this.#handler.error(error);
  }

  /**
   * Closes the connection because of an error that was reported. The server sees no code: a browser does not send those
   * that stand for a failure.
   *
   * @param _code The close code.
   * @param _error The error.
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

  /** Closes the socket without waiting for the server. */
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
    this.#sender.close(this.#failure);
    if (this.#begun) this.#finishIfOver();
  }

  /** With steps, the end is reported when all messages before it were fetched, or the program has closed. */
  #finishIfOver(): void {
    if (this.#delivering) return;
    if (this.#delivery === "step" && this.#phase === "open" && !this.#empty) return;
    this.#delivering = true;
    while (!this.#empty || this.#held !== undefined) {
      if (this.#holds) {
        // The program has closed, perhaps within a handler that waits for the end.
        if (this.#phase !== "open") break;
        this.#delivering = false;
        return;
      }
      this.#blocked = false;
      this.#deliverReady();
    }
    this.#delivering = false;
    this.#finish();
  }

  /** Error that ended the connection, if there was one. */
  get #failure(): unknown {
    return this.#report ?? this.#cause;
  }

  #finish(): void {
    if (this.#phase === "reporting" || this.#phase === "closed") return;
    const info = closeInfo(this.#end, this.#sent, this.#discards);
    this.#phase = "reporting";
    this.#cancelTimer?.();
    this.#sender.noteLoss(this.#failure);
    if (info.received === undefined) this.#queued.lose(this.#failure);
    else {
      this.#queued.end();
      this.#handler.close(info.code, info.reason);
    }
    this.#phase = "closed";
    this.#sender.close(this.#failure);
    if (this.#report !== undefined) this.#handler.error(this.#report);
    this.#handler.disconnect(info);
    this.#resolveClosed(info);
    this.#finishStep("closed");
  }
}

function closeInfo(end: CloseEvent | undefined, sent: CloseFrame | undefined, discards: boolean): CloseInfo {
  const { code = CloseCode.AbnormalClosure, reason = "", wasClean = false } = end ?? {};
  // Deno gives code 0 when no close frame came. After a failure the code does not matter.
  if (discards || (code !== CloseCode.NoStatusReceived && !isValidCloseCode(code))) {
    return { code: CloseCode.AbnormalClosure, reason: "", clean: false, opened: true, ...sent && { sent } };
  }
  // The browser has answered the server's close frame with the same code.
  const answer = sent ?? (wasClean ? { code, reason: "" } : undefined);
  return { code, reason, clean: wasClean, opened: true, received: { code, reason }, ...answer && { sent: answer } };
}

/** Splits without a scanner: the browser has checked the header, and writes it in one form. */
function readExtensions(text: string): Extension[] {
  if (text === "") return [];
  return text.split(",").map((extension) => {
    const [name = "", ...parameters] = extension.split(";").map((part) => part.trim());
    return { name, parameters: parameters.map(readParameter) };
  });
}

function readParameter(text: string): [name: string, value: string | true] {
  const [name = "", value] = text.split("=");
  return [name, value ?? true];
}

function makeQueue(): MessageQueue {
  return new MessageQueue(() => {}, () => {});
}

/**
 * Makes the error of an action that a page cannot do.
 *
 * @param what The action.
 * @param why The reason.
 * @returns The error to throw.
 */
export function unsupported(what: string, why: string): StateError {
  return new StateError("ERR_UNSUPPORTED", `Cannot ${what}: ${why}`);
}
