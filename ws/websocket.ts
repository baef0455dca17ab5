/**
 * A connection as programs written for npm `ws` expect it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { EMPTY } from "../base/bytes.ts";
import { CloseCode, HandlerError, OptionError, StateError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { failConnection, type WebSocketConnection } from "../connection/connection.ts";
import type { CloseInfo, SendResult } from "../connection/options.ts";
import { pauseReading, resumeReading, whenSent, withoutCompression } from "../connection/view.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { type MessageData, type SendData, toReadyPayload } from "../protocol/payload.ts";
import { type BinaryType, isBinaryType, type NodeBuffer, type RawData, toRawData } from "./binary_type.ts";
import { emitError, type EmitterClass, emitterClass } from "./emitter.ts";
import {
  findMethod,
  findProperty,
  type SocketEventListener,
  type SocketEventName,
  type SocketEventTable,
  wrapListener,
} from "./event_target.ts";
import { PongFilter } from "./pong_filter.ts";
import { isBlob, sizeOf, type SocketData, type SocketSendOptions, toSendData, withKind } from "./send_data.ts";

/** Events of a {@linkcode WebSocket}, with the arguments of their listeners. */
export type WebSocketEvents = {
  /** A message came. */
  message: [data: RawData, isBinary: boolean];
  /** The connection has ended. */
  close: [code: number, reason: NodeBuffer];
  /** The connection failed, or a listener of it. */
  error: [error: Error];
  /** A ping came. */
  ping: [data: NodeBuffer];
  /** A pong came. */
  pong: [data: NodeBuffer];
  /** The connection is open. */
  open: [];
};

/** Class of emitters with the events of a {@linkcode WebSocket}. */
export const WebSocketEmitter: EmitterClass<WebSocketEvents> = emitterClass<WebSocketEvents>();

/** Called once a message has left, or with the error that lost it. */
export type SendCallback = (error?: Error) => void;

/** As {@linkcode SendCallback}; the types of `ws` let callbacks of `ping` and `pong` demand the error. */
export type ControlCallback = SendCallback | ((error: Error) => void);

/** Events that the server passes to a view. */
export interface ViewControl {
  /** Gives a view its connection, which is open. */
  attach(view: WebSocket, connection: WebSocketConnection): void;
  /** A message came. */
  message(view: WebSocket, data: MessageData, isBinary: boolean): void;
  /** A ping came. */
  ping(view: WebSocket, payload: Uint8Array): void;
  /** A pong came. */
  pong(view: WebSocket, payload: Uint8Array): void;
  /** The connection failed. */
  failed(view: WebSocket, error: unknown): void;
  /** A callback or listener of the program has thrown: ends the connection. */
  threw(view: WebSocket, where: string, error: unknown): void;
  /** The connection has ended. */
  ended(view: WebSocket, info: CloseInfo): void;
}

/** Drives views: for the server of this room. */
export let viewControl: ViewControl;

/**
 * A function for a property such as `onmessage`. As a method, so that functions for events of `ws` fit.
 *
 * @typeParam Name Name of the event.
 */
export type PropertyListener<Name extends SocketEventName> =
  | { handle(event: SocketEventTable<WebSocket>[Name]): unknown }["handle"]
  | null;

/** The value of such a property, in a type that fits where those of `ws` are asked for. */
export type PropertyFunction = ((event: unknown) => unknown) | null;

const READY_STATES = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;
const STATE_NAMES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"] as const;

/** Error message for programs that make a client. */
const CLIENT_REMEDY = "Cannot connect: this WebSocket is the server's side of a connection. " +
  'Use WebSocketClient of "@tackline/websocket", or globalThis.WebSocket';

/** Name of the method that `node:events` calls when a listener rejects. */
const REJECTION = Symbol.for("nodejs.rejection");

/**
 * A connection as programs written for npm `ws` expect it: an event emitter with `send(data, options, callback)`,
 * numeric `readyState` and Node's `Buffer`. A {@linkcode WebSocketServer} makes them.
 *
 * An error that a listener throws or rejects with closes its connection with 1011, and goes to the event `error`;
 * without a listener for that it is printed. Other connections go on.
 *
 * Also from {@linkcode WebSocketEmitter}: `on`, `addListener`, `once`, `prependListener`, `prependOnceListener`, `off`,
 * `removeListener`, `removeAllListeners`, `emit`, `listenerCount`, `listeners`, `rawListeners`, `eventNames`,
 * `setMaxListeners`, `getMaxListeners`.
 */
export class WebSocket extends WebSocketEmitter {
  /** Value of `readyState` before the handshake is done. */
  static readonly CONNECTING: 0 = 0;
  /** Value of `readyState` while messages can be sent. */
  static readonly OPEN: 1 = 1;
  /** Value of `readyState` from the first close frame on. */
  static readonly CLOSING: 2 = 2;
  /** Value of `readyState` after the end. */
  static readonly CLOSED: 3 = 3;
  /** Value of `readyState` before the handshake is done. */
  declare readonly CONNECTING: 0;
  /** Value of `readyState` while messages can be sent. */
  declare readonly OPEN: 1;
  /** Value of `readyState` from the first close frame on. */
  declare readonly CLOSING: 2;
  /** Value of `readyState` after the end. */
  declare readonly CLOSED: 3;

  #connection: WebSocketConnection | undefined;
  #binaryType: BinaryType = "nodebuffer";
  #paused = false;
  #wasClean = false;
  /** `true` if a message in fragments is not finished. */
  #fragmented = false;
  /** Number of Blobs that are being read and sent. */
  #blobs = 0;
  /** Bytes that were given to `send` after the end: `bufferedAmount` counts them, as in browsers. */
  #refusedBytes = 0;
  readonly #pongs = new PongFilter();

  /**
   * Makes a view without a connection, for a server.
   *
   * @param address `null`.
   */
  constructor(address: null, _protocols?: undefined, _options?: object) {
    super({ captureRejections: true });
    if (address !== null) throw new StateError("ERR_UNSUPPORTED", CLIENT_REMEDY);
  }

  static {
    for (const [code, name] of STATE_NAMES.entries()) {
      Object.defineProperty(this.prototype, name, { enumerable: true, value: code });
    }
    Object.defineProperty(this.prototype, REJECTION, {
      value(this: WebSocket, error: unknown, event: string | symbol): void {
        this.#threw(`on ${String(event)}`, error);
      },
    });
    viewControl = {
      attach: (view, connection) => void (view.#connection = connection),
      message: (view, data, isBinary) => view.#message(data as Uint8Array<ArrayBuffer>, isBinary),
      ping: (view, payload) => view.#deliver("ping", Buffer.from(payload)),
      pong: (view, payload) => view.#pong(payload),
      failed: (view, error) => view.#failed(error),
      threw: (view, where, error) => view.#threw(where, error),
      ended: (view, info) => view.#end(info),
    };
  }

  // ---- State ---------------------------------------------------------------------------------------------------

  /** State of the connection: 0 to 3. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#connection === undefined ? 0 : READY_STATES[this.#connection.state];
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#connection?.protocol ?? "";
  }

  /** Names of the extensions that were agreed on, with commas between. */
  get extensions(): string {
    return this.#connection?.extensions.map(({ name }) => name).join() ?? "";
  }

  /** The URL of a client; "" on a server. */
  get url(): string {
    return "";
  }

  /** Bytes that were sent by the program and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return (this.#connection?.bufferedAmount ?? 0) + this.#refusedBytes;
  }

  /** `true` between `pause` and `resume`. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /**
   * Form of binary messages: `"nodebuffer"`, `"arraybuffer"` or `"fragments"`, a list of one `Buffer`. Another value is
   * ignored. Texts are always a `Buffer` for listeners of `on`.
   */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }
  set binaryType(type: BinaryType) {
    if (isBinaryType(type)) this.#binaryType = type;
  }

  // ---- Sending -------------------------------------------------------------------------------------------------

  /**
   * Sends a message. Messages leave in the order of the calls; bytes are copied.
   *
   * @param data The message.
   * @param options Options of this message, or the callback.
   * @param callback Called once the operating system has taken the message, or with the error that lost it. Without
   * it, a message that is sent after the end is dropped.
   * @throws {StateError} If the connection is not open yet.
   * @throws {OptionError} If `data` cannot be sent.
   */
  send(data: SocketData, options?: SocketSendOptions | SendCallback, callback?: SendCallback): void {
    const done = typeof options === "function" ? options : callback;
    const settings = typeof options === "function" ? undefined : options;
    const connection = this.#assertConnected();
    const given = toSendData(data);
    if (this.readyState !== 1) return this.#refuse(sizeOf(given), done);
    try {
      this.#send(connection, given, settings);
    } catch (error) {
      if (!isError(error, OptionError) || error.code !== "ERR_MESSAGE_EXCEEDS_BUFFER") throw error;
      // More than may ever wait: nothing is lost in silence.
      done === undefined || queueMicrotask(() => this.#callBack(done, error));
      failConnection(connection, CloseCode.InternalError, error);
      return this.#failed(error);
    }
    if (done !== undefined) this.#whenSent(connection, done);
  }

  #send(connection: WebSocketConnection, given: SendData, options: SocketSendOptions | undefined): SendResult {
    if (options === undefined && !this.#fragmented) {
      if (isBlob(given)) this.#countBlob(connection);
      return connection.send(given);
    }
    const { binary, compress, fin = true } = options ?? {};
    const { data, text } = withKind(given, binary);
    const send = (): SendResult => {
      if (fin && !this.#fragmented && text === (typeof data === "string")) return connection.send(data);
      const opcode = this.#fragmented ? Opcode.Continuation : text ? Opcode.Text : Opcode.Binary;
      const result = connection.sendFrame(opcode, data, fin);
      this.#fragmented = !fin;
      return result;
    };
    const result = compress === false ? withoutCompression(connection, send) : send();
    if (isBlob(data)) this.#countBlob(connection);
    return result;
  }

  #countBlob(connection: WebSocketConnection): void {
    this.#blobs++;
    // In a microtask the Blob is counted among what waits.
    queueMicrotask(() => {
      const done = (): void => void this.#blobs--;
      connection.drained().then(done, done);
    });
  }

  #whenSent(connection: WebSocketConnection, done: SendCallback): void {
    if (this.#blobs === 0) return whenSent(connection, (error) => this.#callBack(done, error));
    connection.drained().then(() => this.#callBack(done), (error) => this.#callBack(done, error));
  }

  #callBack(done: SendCallback, error?: Error): void {
    try {
      if (error === undefined) done();
      else done(error);
    } catch (thrown) {
      this.#threw("callback of send", thrown);
    }
  }

  #assertConnected(): WebSocketConnection {
    if (this.#connection !== undefined) return this.#connection;
    throw new StateError("ERR_NOT_OPEN", "WebSocket is not open: readyState 0 (CONNECTING)");
  }

  #refuse(bytes: number, done: SendCallback | undefined): void {
    this.#refusedBytes += bytes;
    if (done === undefined) return;
    const state = this.readyState;
    const error = new StateError("ERR_NOT_OPEN", `WebSocket is not open: readyState ${state} (${STATE_NAMES[state]})`);
    queueMicrotask(() => this.#callBack(done, error));
  }

  /**
   * Sends a ping. The pong of the peer comes as an event; pongs to pings of `pingInterval` do not.
   *
   * @param data At most 125 bytes, or the callback.
   * @param mask Ignored, or the callback.
   * @param callback Called as that of `send`.
   * @throws {StateError} If the connection is not open yet.
   * @throws {OptionError} If `data` is too long or cannot be sent.
   */
  ping(data?: SocketData | ControlCallback, mask?: boolean | ControlCallback, callback?: ControlCallback): void {
    this.#control(Opcode.Ping, data, mask, callback);
  }

  /**
   * Sends a pong.
   *
   * @param data At most 125 bytes, or the callback.
   * @param mask Ignored, or the callback.
   * @param callback Called as that of `send`.
   * @throws {StateError} If the connection is not open yet.
   * @throws {OptionError} If `data` is too long or cannot be sent.
   */
  pong(data?: SocketData | ControlCallback, mask?: boolean | ControlCallback, callback?: ControlCallback): void {
    this.#control(Opcode.Pong, data, mask, callback);
  }

  #control(
    opcode: Opcode,
    data: SocketData | ControlCallback,
    mask: boolean | ControlCallback | undefined,
    callback: ControlCallback | undefined,
  ): void {
    const connection = this.#assertConnected();
    const given = typeof data === "function" ? EMPTY : toSendData(data);
    const done = (typeof data === "function" ? data : typeof mask === "function" ? mask : callback) as
      | SendCallback
      | undefined;
    if (this.readyState !== 1) return this.#refuse(sizeOf(given), done);
    const payload = toReadyPayload(given, "send a control frame");
    connection.sendSimpleFrame(opcode, payload);
    if (opcode === Opcode.Ping) this.#pongs.sent(payload);
    if (done !== undefined) this.#whenSent(connection, done);
  }

  // ---- Reading -------------------------------------------------------------------------------------------------

  /** Stops the reading, so that the peer has to wait, until `resume`. Messages of the current chunk wait too. */
  pause(): void {
    const { readyState } = this;
    if (readyState === 0 || readyState === 3) return;
    this.#paused = true;
    pauseReading(this.#connection!);
  }

  /** Undoes `pause`. */
  resume(): void {
    const { readyState } = this;
    if (readyState === 0 || readyState === 3) return;
    this.#paused = false;
    resumeReading(this.#connection!);
  }

  // ---- Closing -------------------------------------------------------------------------------------------------

  /**
   * Starts the closing handshake. Further calls change nothing.
   *
   * @param code 1000–1003, 1007–1014 or 3000–4999. Without it, the close frame has no payload.
   * @param reason At most 123 bytes of UTF-8.
   * @throws {OptionError} If code or reason are out of range.
   */
  close(code?: number, reason?: string | Uint8Array): void {
    if (this.readyState !== 1) return;
    const text = reason === undefined || typeof reason === "string" ? reason : Buffer.from(reason).toString();
    void this.#connection!.close(code, code === undefined ? "" : text);
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(): void {
    this.#connection?.terminate();
  }

  // ---- Events --------------------------------------------------------------------------------------------------

  #message(data: Uint8Array<ArrayBuffer>, isBinary: boolean): void {
    this.#deliver("message", toRawData(data, isBinary ? this.#binaryType : "nodebuffer"), isBinary);
  }

  #pong(payload: Uint8Array): void {
    const data = this.#pongs.received(payload);
    if (data !== undefined) this.#deliver("pong", Buffer.from(data));
  }

  #end(info: CloseInfo): void {
    this.#wasClean = info.clean;
    this.#deliver("close", info.code, Buffer.from(info.reason));
  }

  #deliver(event: string, ...args: unknown[]): void {
    try {
      this.emit(event, ...args);
    } catch (error) {
      this.#threw(`on ${event}`, error);
    }
  }

  /** A listener of the program has failed: its connection ends. */
  #threw(where: string, cause: unknown): void {
    const error = new HandlerError(where, cause);
    if (this.#connection !== undefined && this.readyState !== 3) {
      failConnection(this.#connection, CloseCode.InternalError, error);
    }
    if (where === "on error") console.error(error);
    else this.#failed(error);
  }

  /** Tells of an error; unlike in `ws`, one without a listener does not end the program. */
  #failed(error: unknown): void {
    if (this.listenerCount("error") === 0) return void (isError(error, HandlerError) && console.error(error));
    const threw = (cause: unknown): void => this.#threw("on error", cause);
    try {
      emitError(this, error, threw);
    } catch (cause) {
      threw(cause);
    }
  }

  /**
   * Adds a listener in the form of the browser's, for `open`, `message`, `close` or `error`. A listener that was added
   * before is not added again.
   *
   * @param type The name of the event.
   * @param listener The listener: called with an event object; the `data` of a text is a string.
   * @param options `once`: the listener is called once at most.
   */
  addEventListener<Name extends SocketEventName>(
    type: Name,
    listener: SocketEventListener<SocketEventTable<WebSocket>[Name]>,
    options: { once?: boolean | undefined } = {},
  ): void {
    if (findMethod(this.listeners(type), listener) !== undefined) return;
    this.#addWrapped(type, listener, "method", options.once === true);
  }

  #addWrapped(type: string, given: unknown, origin: "method" | "property", once: boolean): void {
    // deno-lint-ignore no-this-alias
    const view = this;
    const source = {
      get wasClean(): boolean {
        return view.#wasClean;
      },
    };
    const listener = wrapListener(type, given, origin, this, source);
    if (listener === undefined) return;
    if (once) this.once(type, listener);
    else this.on(type, listener);
  }

  /**
   * Removes a listener that `addEventListener` has added.
   *
   * @param type The name of the event.
   * @param listener The listener.
   */
  removeEventListener<Name extends SocketEventName>(
    type: Name,
    listener: SocketEventListener<SocketEventTable<WebSocket>[Name]>,
  ): void {
    const found = findMethod(this.listeners(type), listener);
    if (found !== undefined) this.removeListener(type, found);
  }

  /** Called for a message: as `addEventListener` does. */
  get onmessage(): PropertyFunction {
    return this.#property("message");
  }
  set onmessage(listener: PropertyListener<"message">) {
    this.#setProperty("message", listener);
  }

  /** Called at the end of the connection. */
  get onclose(): PropertyFunction {
    return this.#property("close");
  }
  set onclose(listener: PropertyListener<"close">) {
    this.#setProperty("close", listener);
  }

  /** Called for failures. */
  get onerror(): PropertyFunction {
    return this.#property("error");
  }
  set onerror(listener: PropertyListener<"error">) {
    this.#setProperty("error", listener);
  }

  /** Called when the connection is open: for clients. */
  get onopen(): PropertyFunction {
    return this.#property("open");
  }
  set onopen(listener: PropertyListener<"open">) {
    this.#setProperty("open", listener);
  }

  #property(type: SocketEventName): PropertyFunction {
    return findProperty(this.listeners(type))?.given as PropertyFunction | undefined ?? null;
  }

  #setProperty(type: SocketEventName, listener: unknown): void {
    const found = findProperty(this.listeners(type));
    if (found !== undefined) this.removeListener(type, found.listener);
    if (typeof listener === "function") this.#addWrapped(type, listener, "property", false);
  }
}
