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
import { type ReceiveOptions, refuseReceiveOptions } from "../connection/receive_options.ts";
import type { Opcode, Role } from "../protocol/frame_header.ts";
import type { ClientConnection, ClientConnectionHandler, ConnectPlan, OpenedConnection } from "./connector.ts";
import { closeInfo } from "./browser_close.ts";
import { INTERNAL_ERROR, NO_STATUS_RECEIVED, NORMAL_CLOSURE } from "../base/close_codes.ts";
import { ConnectionClosedError, StateError, TransportError } from "../base/errors.ts";
import type { Extension } from "../protocol/extensions.ts";
import { assertClose, type MessageData, type SendData, toPayload } from "../protocol/payload.ts";
import { BrowserDelivery, type BrowserDeliveryOwner, type Life, type Phase } from "./browser_delivery.ts";
import { BrowserSender, type BrowserSenderOwner } from "./browser_sender.ts";
import { describeRequest } from "./request.ts";
import type { Address } from "../transport/transport.ts";

/** Connection of a client in a page. */
export class BrowserConnection implements ClientConnection, OpenedConnection, BrowserDeliveryOwner, BrowserSenderOwner {
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
  readonly #delivery: BrowserDelivery;

  // Write state
  #sender: BrowserSender;

  // End state
  readonly #life: Life = { phase: "open" };
  #sent: CloseFrame | undefined;
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
    this.#delivery = new BrowserDelivery(plan.settings, this.#life, this);
    this.#sender = new BrowserSender(socket, plan.settings, this);
    socket.binaryType = "arraybuffer";
    socket.addEventListener(
      "message",
      (event: MessageEvent<string | ArrayBuffer>) => this.#delivery.arrive(event.data),
    );
    socket.addEventListener("close", (event) => this.#onSocketClose(event));
  }

  // ---- Properties ----------------------------------------------------------------------------------------------

  /** State of the connection. */
  get state(): ConnectionState {
    return this.#life.phase === "open" || this.#life.phase === "closed" ? this.#life.phase : "closing";
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
    throw unsupported("read an address");
  }

  /** Throws a {@linkcode StateError}: a browser does not show its own address. */
  get localAddress(): Address {
    throw unsupported("read an address");
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
    this.#delivery.attach(handler, delivery, waitForHandler);
    return this;
  }

  /** Delivers messages that have come, and later ones. */
  begin(): void {
    this.#delivery.begun = true;
    // The connection was aborted before the client could be notified.
    if (this.#life.phase === "aborted") return queueMicrotask(() => this.finish());
    this.#delivery.unblockImmediate();
    if (this.#life.end !== undefined) this.#delivery.finishIfOver();
  }

  /**
   * Changes when messages are delivered.
   *
   * @param delivery The new mode.
   */
  setDelivery(delivery: Delivery): void {
    this.#delivery.set(delivery);
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
    throw unsupported("send a frame");
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser sends whole messages only.
   */
  messageWriter(_opcode: Opcode): WritableStream<SendData> {
    throw unsupported("send a frame");
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser sends control frames by itself.
   */
  sendSimpleFrame(_opcode: Opcode, _data?: SendData): void {
    throw unsupported("send a control frame");
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
    throw unsupported("send a ping");
  }

  /**
   * Cannot be used in a page.
   *
   * @throws {StateError} Always: a browser answers pings by itself.
   */
  pong(_data?: SendData): void {
    throw unsupported("send a pong");
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
    if (this.#life.phase === "open") return;
    throw new StateError("ERR_NOT_OPEN", `Cannot ${what}: the connection is ${this.state}`, { cause: this.#report });
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /** Delivers messages that have come since the last batch. */
  deliverBatch(): void {
    this.#delivery.deliverBatch();
  }

  /**
   * Handles one incoming message.
   *
   * @param timeout Time to wait for one, in ms; 0: no limit.
   * @returns The kind of event: a browser shows no control frames.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult> {
    return this.#delivery.step(timeout);
  }

  /** Hands over the messages that waited for a handler. */
  releaseMessages(): void {
    this.#delivery.release();
  }

  /** `true` if messages wait for a reader. */
  get holdsMessages(): boolean {
    return this.#delivery.holdsMessages;
  }

  /** The messages as a stream: see `WebSocketConnection.readable`. */
  get readable(): ReadableStream<MessageData> {
    return this.#delivery.queue.readable;
  }

  /** Messages to the server as a stream: see `WebSocketConnection.writable`. */
  get writable(): WritableStream<SendData> {
    return this.#sender.writable;
  }

  /** Waits for the next message: see `WebSocketConnection.receive`. */
  receive(options: ReceiveOptions = {}): Promise<MessageData> {
    return refuseReceiveOptions(options) ?? this.#receive(options.signal);
  }

  async #receive(signal: AbortSignal | undefined): Promise<MessageData> {
    let lost: { cause?: unknown } | undefined;
    try {
      const { done, value } = await this.#delivery.queue.next(signal);
      if (!done) return value;
    } catch (cause) {
      if (signal?.aborted && cause === signal.reason) throw cause;
      lost = { cause };
    }
    throw new ConnectionClosedError("receive", await this.closed, lost);
  }

  /**
   * Iterates over the messages: see `WebSocketConnection`.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#delivery.queue.iterate();
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
    assertClose(code, reason);
    if (this.#life.phase !== "open") return this.closed;
    if (code !== undefined && code !== NORMAL_CLOSURE && code < 3000) {
      throw unsupported(`close with ${code}, only with 1000 and 3000 to 4999`);
    }
    this.#sendClose("closing", code, reason);
    // Messages that wait come before the server's close frame.
    this.#delivery.unblock();
    return this.closed;
  }

  #sendClose(phase: Phase, code?: number, reason = ""): void {
    this.#life.phase = phase;
    this.#sent = { code: code ?? NO_STATUS_RECEIVED, reason };
    this.#socket.close(code, reason === "" ? undefined : reason);
    const { clock, closeTimeout } = this.#plan.settings;
    if (closeTimeout === 0) return;
    this.#cancelTimer = clock.after(closeTimeout, () => {
      this.abort(new TransportError("ERR_CLOSE_TIMEOUT", `No close frame came within ${closeTimeout} ms`));
    });
  }

  /**
   * Closes and reports after a failed message or handler.
   *
   * @param error The failure.
   */
  fail(error: unknown): void {
    if (this.#delivery.discards) return;
    this.#cause = error;
    this.closeWith(INTERNAL_ERROR, error);
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
    if (this.#life.phase === "open") this.#sendClose("failed");
    else if (this.#life.phase === "closing") this.#life.phase = "failed";
    this.#delivery.drop();
  }

  /** Ends the connection at once. `onDisconnect` follows. */
  terminate(): void {
    this.abort(undefined);
  }

  /**
   * Closes the socket without waiting for the server.
   *
   * @param report The error to report, if there is one.
   */
  abort(report: TransportError | undefined): void {
    if (this.#life.phase === "aborted" || this.#life.phase === "reporting" || this.#life.phase === "closed") return;
    this.#life.phase = "aborted";
    this.#report = report;
    this.#delivery.drop();
    this.#socket.close();
    // The program must not be called back from within its own call.
    if (this.#delivery.begun) queueMicrotask(() => this.finish());
  }

  #onSocketClose(event: CloseEvent): void {
    this.#life.end = event;
    this.#sender.close(this.#failure);
    if (this.#delivery.begun) this.#delivery.finishIfOver();
  }

  /** Error that ended the connection, if there was one. */
  get #failure(): unknown {
    return this.#report ?? this.#cause;
  }

  /** Notifies the program of the end: all messages before it were delivered. */
  finish(): void {
    if (this.#life.phase === "reporting" || this.#life.phase === "closed") return;
    const info = closeInfo(this.#life.end, this.#sent, this.#delivery.discards);
    this.#life.phase = "reporting";
    this.#cancelTimer?.();
    this.#sender.noteLoss(this.#failure);
    this.#delivery.end(info.received === undefined, this.#failure);
    if (info.received !== undefined) this.#handler.close(info.code, info.reason);
    this.#life.phase = "closed";
    this.#sender.close(this.#failure);
    if (this.#report !== undefined) this.#handler.error(this.#report);
    this.#handler.disconnect(info);
    this.#resolveClosed(info);
    this.#delivery.finishStep("closed");
  }
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

/**
 * Makes the error of an action that a page cannot do.
 *
 * @param what The action.
 * @returns The error to throw.
 */
export function unsupported(what: string): StateError {
  return new StateError("ERR_UNSUPPORTED", `Cannot ${what}: a browser offers no way to`);
}
