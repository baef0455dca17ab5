/**
 * One WebSocket of a page, for the client of `browser_client.ts`: sending, delivery, closing. Phases and rules are
 * those of `client/browser_connection.ts`, without batches, steps and streams.
 *
 * @module
 */

import { closeInfo } from "./browser_close.ts";
import { NO_STATUS_RECEIVED, NORMAL_CLOSURE } from "../base/close_codes.ts";
import { OptionError, ProtocolError, StateError, TransportError } from "../base/errors.ts";
import { noHandlerFor } from "../connection/handler_slots.ts";
import type {
  CloseFrame,
  CloseInfo,
  ConnectionState,
  MessageOptions,
  MessageResult,
  SendResult,
} from "../connection/options.ts";
import { assertClose, byteLength, type MessageData, type SendData } from "../protocol/payload.ts";
import { toPagePayload } from "./page_payload.ts";
import { type PageQueue, weight } from "./page_queue.ts";
import { type PageSettings, unsupported } from "./page_settings.ts";

/** Largest size of waiting messages, or `maxMessageSize` if that is more; one more message is taken. */
const WAITING_LIMIT = 1024 * 1024;
/** A browser has no event for data that was sent: `drained` looks at this interval, in ms. */
const DRAIN_INTERVAL = 10;

/** Client of a {@linkcode PageLink}. */
export interface PageLinkOwner {
  /** Hands a message to its handler. */
  message(data: MessageData): MessageResult;
  /** Reports the server's close frame. */
  close(code: number, reason: string): void;
  /** Reports the end. */
  disconnect(info: CloseInfo): void;
  /** Reports a failure. */
  error(error: unknown): void;
}

/** The connection of a client in a page, for its program. */
export interface PageConnection {
  /** State of the connection. */
  readonly state: ConnectionState;
  /** The subprotocol that was agreed on, or "". */
  readonly protocol: string;
  /** Resolves with how the connection ended; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Bytes that were sent by the program and not yet taken by the network. */
  readonly bufferedAmount: number;
  /** Sends a message: see `WebSocketClient.send`. */
  send(data: SendData, options?: MessageOptions): SendResult;
  /** Waits until the network has taken everything that was sent. */
  drained(): Promise<void>;
  /**
   * Starts the closing handshake. Further calls change nothing.
   *
   * @param code 1000 or 3000 to 4999. Without it the close frame has no payload.
   * @param reason At most 123 bytes of UTF-8.
   * @returns The end of the connection.
   * @throws {OptionError} If code or reason are out of range.
   * @throws {StateError} If the code is one that a browser does not send.
   */
  close(code?: number, reason?: string): Promise<CloseInfo>;
  /** Ends the connection at once. `onDisconnect` follows. */
  terminate(): void;
}

/** Connection over one WebSocket. */
export class PageLink implements PageConnection {
  /** Resolves with how the connection ended; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Error of loops after the end, if messages may be lost. */
  lost: TransportError | undefined;
  readonly #socket: WebSocket;
  readonly #settings: PageSettings;
  readonly #owner: PageLinkOwner;
  readonly #queue: PageQueue;
  #phase: "open" | "closing" | "failed" | "aborted" | "reporting" | "closed" = "open";
  /** Messages that wait for delivery. */
  #arrived: MessageData[] = [];
  #size = 0;
  /** Error of a message that is too large, reported after the delivery of those before it. */
  #refused: ProtocolError | undefined;
  /** Messages that waited for a handler are delivered after the end. */
  #late = false;
  #delivering = false;
  /** Number of promises of handlers that are pending. */
  #pending = 0;
  /** `true` if the program was told of a message without handler. */
  #told = false;
  #end: CloseEvent | undefined;
  #sent: CloseFrame | undefined;
  #report: TransportError | undefined;
  #cause: unknown;
  #loss: TransportError | undefined;
  #cancelTimer: (() => void) | undefined;
  #resolve!: (info: CloseInfo) => void;

  /**
   * Takes a socket that has just been opened.
   *
   * @param socket The socket.
   * @param settings Limits.
   * @param queue Messages for readers.
   * @param owner Takes the events.
   */
  constructor(socket: WebSocket, settings: PageSettings, queue: PageQueue, owner: PageLinkOwner) {
    this.#socket = socket;
    this.#settings = settings;
    this.#queue = queue;
    this.#owner = owner;
    this.closed = new Promise((resolve) => this.#resolve = resolve);
    socket.addEventListener("message", ({ data }) => this.#arrive(data));
    socket.addEventListener("close", (event) => {
      this.#end = event;
      this.#noteLoss();
      this.#deliver();
    });
  }

  /** State of the connection. */
  get state(): ConnectionState {
    return this.#phase === "open" || this.#phase === "closed" ? this.#phase : "closing";
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Bytes that were sent by the program and not yet taken by the network; 0 after the end. */
  get bufferedAmount(): number {
    return this.#end || this.#phase === "closed" ? 0 : this.#socket.bufferedAmount;
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Sends a message.
   *
   * @param data The message.
   * @param options Options of this message.
   * @returns `"sent"`, or what happened instead.
   * @throws {StateError} If the connection is not open.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: SendData, options?: MessageOptions): SendResult {
    if (this.#phase !== "open") {
      throw new StateError("ERR_NOT_OPEN", `Cannot send: the connection is ${this.state}`, { cause: this.#report });
    }
    const payload = toPagePayload(data);
    const length = byteLength(payload);
    const { maxBufferedAmount, highWaterMark } = this.#settings;
    if (maxBufferedAmount > 0 && this.bufferedAmount + length > maxBufferedAmount) {
      if (length > maxBufferedAmount) {
        const message =
          `Cannot send: ${length} bytes are more than maxBufferedAmount (${maxBufferedAmount}) allows at all`;
        throw new OptionError(message, "ERR_MESSAGE_EXCEEDS_BUFFER");
      }
      if ((options?.slowConsumer ?? this.#settings.slowConsumer) === "close") {
        const message = `The peer reads too slowly: ${this.bufferedAmount} bytes wait for it`;
        this.terminate(new TransportError("ERR_SLOW_CONSUMER", message));
      }
      return "dropped";
    }
    this.#socket.send(payload as string);
    if (this.#end) this.#noteLoss();
    return this.bufferedAmount > highWaterMark ? "backpressure" : "sent";
  }

  /**
   * Waits until the network has taken everything that was sent.
   *
   * @returns Rejects with a {@linkcode TransportError} if the connection is lost before.
   */
  drained(): Promise<void> {
    const drained = this.#drain();
    // The program need not wait for it.
    drained.catch(() => {});
    return drained;
  }

  async #drain(): Promise<void> {
    while (this.bufferedAmount > 0) await new Promise<void>((done) => this.#settings.clock.after(DRAIN_INTERVAL, done));
    if (this.#loss) throw this.#loss;
  }

  #noteLoss(): void {
    if (this.#loss || this.#socket.bufferedAmount === 0) return;
    const message = "The connection was lost before all bytes were sent";
    this.#loss = new TransportError("ERR_CONNECTION_LOST", message, { cause: this.#failure });
  }

  // ---- Receiving -----------------------------------------------------------------------------------------------

  /** `true` if messages that still come are dropped. */
  get #discards(): boolean {
    return this.#phase !== "open" && this.#phase !== "closing";
  }

  #arrive(content: string | ArrayBuffer): void {
    if (this.#discards || this.#refused) return;
    const data = typeof content === "string" ? content : new Uint8Array(content);
    const { maxMessageSize } = this.#settings;
    if (maxMessageSize > 0 && byteLength(data) > maxMessageSize) {
      const message = `A message is larger than the limit of ${maxMessageSize} bytes`;
      this.#refused = new ProtocolError("ERR_MESSAGE_TOO_LARGE", message);
    } else {
      this.#arrived.push(data);
      this.#size += weight(data);
    }
    this.#deliver();
    // One message more, so that each message within `maxMessageSize` may wait.
    const size = this.#size + this.#queue.size;
    if (size <= Math.max(WAITING_LIMIT, maxMessageSize) + weight(data)) return;
    this.terminate(
      new TransportError("ERR_SLOW_CONSUMER", `The program takes messages too slowly: ${size} bytes wait for it`),
    );
  }

  /**
   * Hands messages to the handlers, before later ones; after the end too.
   *
   * @param messages Messages that waited.
   */
  hand(messages: MessageData[]): void {
    this.#late ||= this.#discards;
    this.#arrived.unshift(...messages);
    for (const data of messages) this.#size += weight(data);
    this.#deliver();
  }

  get #full(): boolean {
    const { concurrency } = this.#settings;
    return concurrency > 0 && this.#pending >= concurrency;
  }

  get #waiting(): boolean {
    return (this.#late || !this.#discards) && (this.#arrived.length > 0 || this.#refused !== undefined);
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#waiting && !this.#full) {
        const data = this.#arrived.shift();
        if (data === undefined) this.fail(this.#refused);
        else {
          this.#size -= weight(data);
          this.#take(data);
        }
      }
    } catch (error) {
      this.fail(error);
    }
    this.#delivering = false;
    // The program has closed, perhaps within a handler that waits for the end.
    if (this.#end && !(this.#waiting && this.#phase === "open")) this.#finish();
  }

  #take(data: MessageData): void {
    const queue = this.#queue;
    const result = queue.waits ? "none" : this.#owner.message(data);
    if (result === false || result === "none") {
      if (!queue.waits && !this.#told && !queue.keeps(result)) {
        this.#told = true;
        this.#owner.error(noHandlerFor(data, result));
      }
    } else if (result) {
      this.#pending++;
      const settled = (): void => {
        // Once for all that are settled in this turn.
        if (this.#full) queueMicrotask(() => this.#deliver());
        this.#pending--;
      };
      result.then(settled, settled);
    }
    queue.add(data, result);
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
    if (this.#phase === "open") {
      if (code !== undefined && code !== NORMAL_CLOSURE && code < 3000) {
        throw unsupported(`close with ${code}, only with 1000 and 3000 to 4999`);
      }
      this.#sendClose("closing", code, reason);
    }
    return this.closed;
  }

  #sendClose(phase: "closing" | "failed", code?: number, reason = ""): void {
    this.#phase = phase;
    this.#sent = { code: code ?? NO_STATUS_RECEIVED, reason };
    this.#socket.close(code, reason || undefined);
    const { clock, closeTimeout } = this.#settings;
    if (closeTimeout === 0) return;
    this.#cancelTimer = clock.after(closeTimeout, () => {
      this.terminate(new TransportError("ERR_CLOSE_TIMEOUT", `No close frame came within ${closeTimeout} ms`));
    });
  }

  /**
   * Closes and reports after a failed message.
   *
   * @param error The failure.
   */
  fail(error: unknown): void {
    if (this.#discards) return;
    this.#cause = error;
    this.closeAfter();
    this.#owner.error(error);
  }

  /** Closes because of an error that is reported. The server sees no code: a browser sends none that fits. */
  closeAfter(): void {
    if (this.#phase === "open") this.#sendClose("failed");
    else if (this.#phase === "closing") this.#phase = "failed";
    this.#drop();
  }

  #drop(): void {
    this.#arrived = [];
    this.#size = 0;
    this.#refused = undefined;
  }

  /**
   * Closes the socket without waiting for the server.
   *
   * @param report The error to report, if there is one.
   */
  terminate(report?: TransportError): void {
    if (this.#phase === "aborted" || this.#phase === "reporting" || this.#phase === "closed") return;
    this.#phase = "aborted";
    this.#report = report;
    this.#drop();
    this.#socket.close();
    // The program must not be called back from within its own call.
    queueMicrotask(() => this.#finish());
  }

  get #failure(): unknown {
    return this.#report ?? this.#cause;
  }

  /** Notifies the program of the end: all messages before it were delivered. */
  #finish(): void {
    if (this.#phase === "reporting" || this.#phase === "closed") return;
    const info = closeInfo(this.#end, this.#sent, this.#discards);
    this.#phase = "reporting";
    this.#cancelTimer?.();
    this.#noteLoss();
    if (!info.received) {
      const message = "The connection was lost without a close frame";
      this.lost = new TransportError("ERR_CONNECTION_LOST", message, { cause: this.#failure });
    } else this.#owner.close(info.code, info.reason);
    this.#phase = "closed";
    if (this.#report) this.#owner.error(this.#report);
    this.#owner.disconnect(info);
    this.#resolve(info);
  }
}
