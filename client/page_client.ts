/**
 * The WebSocket client of a page, alone: the class of `@tackline/websocket/browser-client`. It is written for a small
 * script: names, errors and events are those of the `WebSocketClient` of `./browser`, which has more members.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { NORMAL_CLOSURE } from "../base/close_codes.ts";
import {
  ConnectionClosedError,
  HandlerError,
  OptionError,
  StateError,
  TransportError,
  WebSocketError,
} from "../base/errors.ts";
import { type LogRecord, writeLog } from "../base/log.ts";
import { showValue } from "../base/option_names.ts";
import { promiseOf } from "../base/promises.ts";
import { isError } from "../base/thrown.ts";
import { isExpectedEnd } from "../connection/expected_end.ts";
import type {
  CloseInfo,
  ConnectionState,
  MessageOptions,
  MessageResult,
  SendResult,
  SlowConsumer,
} from "../connection/options.ts";
import type { ReceiveOptions } from "../connection/receive_options.ts";
import type { MessageData, SendData } from "../protocol/payload.ts";
import { type PageConnection, PageLink } from "./page_link.ts";
import { toPagePayload } from "./page_payload.ts";
import { PageQueue } from "./page_queue.ts";
import { abortedBy, isAbort, PageRun, type PageRunOwner } from "./page_run.ts";
import {
  assertHandler,
  assertNames,
  assertSameTarget,
  assertSignal,
  notHere,
  PAGE_DEFAULTS,
  PAGE_HANDLERS,
  type PageClientOptions,
  type PageHandlers,
  pageReconnect,
  type PageSettings,
  pageSettings,
  setTarget,
  urlOf,
} from "./page_settings.ts";
import type { ReconnectAttempt, ReconnectOptions } from "./reconnect.ts";
import { SendBacklog } from "./send_backlog.ts";

/** Members of the `WebSocketClient` of `./browser` that say where they are. */
const ELSEWHERE = "ping,pong,sendFrame,messageWriter,readable,writable,stats,checkIncoming";

/**
 * A WebSocket client for pages, small.
 *
 * It has what most pages use of the `WebSocketClient` of `@tackline/websocket/browser`, with the same names, errors and
 * events; docs/client.md lists what it leaves out. Messages wait while neither `onMessageReceived` nor
 * `onBinaryDataReceived` is set and no loop runs over them: up to 1 MiB, or `maxMessageSize` if that is more.
 *
 * @example A client in a page
 * ```ts
 * import { WebSocketClient } from "@tackline/websocket/browser-client";
 *
 * export async function show(url: string, list: { append(line: string): void }): Promise<void> {
 *   const client = new WebSocketClient(url, { reconnect: true });
 *   await client.connect();
 *   for await (const message of client) list.append(String(message));
 * }
 * ```
 */
export class WebSocketClient implements PageHandlers {
  // Settings, whose defaults the prototype has
  /** Host name or address of the server. */
  declare hostname: string;
  /** Port of the server. */
  declare port: number;
  /** Path, and query if there is one. */
  declare pathName: string;
  /** Speaks TLS (`wss:`). */
  declare useSSL: boolean;
  /** Subprotocols in the order of preference. */
  declare protocols: readonly string[];
  /** Called before each attempt for the URL to connect to. */
  declare resolveUrl: (() => string | URL | Promise<string | URL>) | undefined;
  /** Reconnects after a lost or failed connection; an object says how. */
  declare reconnect: boolean | ReconnectOptions;
  /** Time for an attempt, in ms; 0: no limit. */
  declare connectTimeout: number;
  /** Time for the closing handshake, in ms; 0: no limit. */
  declare closeTimeout: number;
  /** Largest message taken from the server, in bytes; 0: no limit. */
  declare maxMessageSize: number;
  /** Largest number of bytes that wait for a slow server; 0: no limit. */
  declare maxBufferedAmount: number;
  /** Waiting bytes from which on `send` returns `"backpressure"`. */
  declare highWaterMark: number;
  /** Effect of a `send` beyond `maxBufferedAmount`. */
  declare slowConsumer: SlowConsumer;
  /** Largest number of promises of message handlers that are pending; 0: no limit. */
  declare concurrency: number;
  /** Clock, replaced in tests. */
  declare clock: Clock;

  // Handlers; as methods, a subclass can have both methods and fields of the names
  /** Called after the handshake. */
  onConnect?(): unknown;
  /** Called for a text message. Setting it hands over the messages that waited for a handler. */
  onMessageReceived?(text: string): unknown;
  /** Called for a binary message. Setting it hands over the messages that waited for a handler. */
  onBinaryDataReceived?(bytes: Uint8Array<ArrayBuffer>): unknown;
  /** Called for the server's close frame. */
  onClose?(code: number, reason: string): unknown;
  /** Called when the connection has ended. */
  onDisconnect?(info: CloseInfo): unknown;
  /** Called for failures. */
  onError?(error: unknown): unknown;
  /** Called before each wait for another attempt. */
  onReconnecting?(attempt: ReconnectAttempt): unknown;
  /** Called with log records. */
  onLog?(record: LogRecord): unknown;

  readonly #backlog = new SendBacklog();
  readonly #signal: AbortSignal | undefined;
  readonly #onSignal = (): void => void (this.active = false);
  readonly #owner: PageRunOwner;
  /** The run of the last `connect`. */
  #run: PageRun | undefined;
  /** Run of the connection that has not ended: the last one, or one before. */
  #holder: PageRun | undefined;
  /** The connection, or the last one until another is tried. */
  #link: PageLink | undefined;
  #printed = false;

  /**
   * Makes a client; it does not connect yet.
   *
   * @param urlOrOptions URL to connect to, `ws:` or `wss:`; or settings and handlers.
   * @param more Settings and handlers beside a URL.
   * @throws {OptionError} If the URL is not valid, a setting is out of range, or a handler is not a function.
   * @throws {StateError} If only the client of another entry has an option, or a browser sends no credentials.
   */
  constructor(urlOrOptions: string | URL | PageClientOptions = {}, more: PageClientOptions = {}) {
    const withUrl = typeof urlOrOptions === "string" || urlOrOptions instanceof URL;
    const options = withUrl ? more : urlOrOptions;
    if (!withUrl && Object.keys(more ?? { more }).length > 0) {
      throw new OptionError("A second argument goes with a URL as the first only: put all options into one object");
    }
    assertNames("WebSocketClient", options, [...Object.keys(PAGE_DEFAULTS), ...PAGE_HANDLERS, "signal"]);
    assertSignal(options);
    if (withUrl) {
      setTarget(this, urlOrOptions);
      assertSameTarget(this, urlOrOptions, options);
    }
    for (const [name, value] of Object.entries(options)) {
      if (name !== "signal" && value !== undefined && value !== null) Reflect.set(this, name, value);
    }
    pageSettings(this);
    this.#signal = options.signal ?? undefined;
    this.#owner = this.#makeOwner();
    this.#adopt();
  }

  #makeOwner(): PageRunOwner {
    return {
      target: this,
      begin: () => {
        this.#link = undefined;
        this.#adopt();
        return pageSettings(this);
      },
      open: (socket, settings, run) => this.#open(socket, settings, run),
      connected: () => {
        this.#call("onConnect", () => this.onConnect?.());
        this.#sendBacklog();
      },
      reconnecting: (attempt) => void this.#call("onReconnecting", () => this.onReconnecting?.(attempt)),
      log: (...record) => this.#log(...record),
      report: (error) => this.#report(error),
      ended: (run) => {
        if (run !== this.#run) return;
        this.#signal?.removeEventListener("abort", this.#onSignal);
        this.#giveUp();
      },
    };
  }

  /** Checks handlers. A field without a value hides no method; setting one for messages hands over what waits. */
  #adopt(): void {
    for (const name of PAGE_HANDLERS) {
      assertHandler(name, this[name]);
      if (Object.hasOwn(this, name) && !this[name]) Reflect.deleteProperty(this, name);
    }
    for (const name of ["onMessageReceived", "onBinaryDataReceived"] as const) {
      let handler: unknown = this[name];
      Object.defineProperty(this, name, {
        configurable: true,
        get: () => handler,
        set: (next) => {
          assertHandler(name, next);
          handler = next;
          if (this.#handles) this.#run?.queue.release();
        },
      });
    }
  }

  /** URL that follows from the settings. */
  get url(): string {
    return urlOf(this);
  }

  // ---- Connecting ----------------------------------------------------------------------------------------------

  /** The connection, once there is one; it stays after its end. */
  get connection(): PageConnection | undefined {
    return this.#link;
  }

  /** `true` while connected. Setting it `true` connects, `false` disconnects; a failure goes to `onError`. */
  get active(): boolean {
    return this.#link?.state === "open";
  }
  set active(value: boolean) {
    (value ? this.connect() : this.disconnect()).catch((error: unknown) => {
      // The program itself has aborted it.
      if (isAbort(error)) return;
      if (this.onError) this.#report(error);
      else console.error(error);
    });
  }

  /** State of the connection; with `reconnect`, `"connecting"` from its loss until the next one is open. */
  get state(): ConnectionState {
    return this.#connecting ? "connecting" : this.#link?.state ?? "closed";
  }

  /** The subprotocol that was agreed on, or "". */
  get protocol(): string {
    return this.#link?.protocol ?? "";
  }

  /**
   * Connects. Calling it again changes nothing, except after `disconnect`: the last call wins.
   *
   * @param options A signal that aborts it, unless another call waits too.
   * @returns Resolves after the handshake; with `reconnect` after that of the first attempt that succeeds.
   * @throws {TransportError} If the server cannot be reached, or not in time, or connecting is aborted.
   * @throws {OptionError} If a setting is out of range.
   */
  connect(options: ReceiveOptions = {}): Promise<void> {
    const connected: Promise<void> = this.#connect(options).catch((error) => {
      // A program that aborts itself need not handle the rejection.
      if (isAbort(error)) connected.catch(() => {});
      throw error;
    });
    return connected;
  }

  // deno-lint-ignore require-await -- it rejects where a check throws
  async #connect(options: ReceiveOptions): Promise<void> {
    assertNames("connect", options, ["signal"]);
    assertSignal(options);
    const signal = options.signal ?? undefined;
    const before = this.#run;
    const held = before && before === this.#holder;
    if (held && this.active) return;
    const aborted = [signal, this.#signal].find((some) => some?.aborted);
    if (aborted) throw abortedBy(aborted);
    // A connection that ends is of no use without the next one.
    if (before && !before.ending && (!held || before.reconnects)) return before.join(signal);
    const settings = pageReconnect(this.reconnect);
    this.#giveUp();
    this.#signal?.addEventListener("abort", this.#onSignal);
    const queue: PageQueue = new PageQueue({
      handles: () => this.#handles,
      release: (messages) => run.link?.hand(messages),
    });
    const run = this.#run = new PageRun(this.#owner, queue, settings, before?.ended);
    return run.join(signal);
  }

  get #connecting(): boolean {
    return !this.#holder && this.#run?.ending === false;
  }

  #giveUp(): void {
    this.#backlog.giveUp((lost) => this.#report(lost));
  }

  #open(socket: WebSocket, settings: PageSettings, run: PageRun): PageLink {
    if (!this.#handles) run.queue.wait();
    this.#holder = run;
    return this.#link = new PageLink(socket, settings, run.queue, {
      message: (data) => this.#deliver(data),
      close: (code, reason) => void this.#call("onClose", () => this.onClose?.(code, reason)),
      error: (error) => this.#fail(error),
      disconnect: (info) => {
        const { code, reason, clean } = info;
        this.#holder = undefined;
        run.over = !run.reconnects;
        if (run.over) run.queue.end(run.link!.lost);
        this.#log("info", "client.closed", { code, reason, clean });
        this.#call("onDisconnect", () => this.onDisconnect?.(info));
      },
    });
  }

  /**
   * Disconnects, and aborts connecting: `connect` rejects with `ERR_ABORTED`. Calling it again changes nothing.
   *
   * @param sendClose `true`: with a closing handshake, waiting for the server's close frame. `false`: drops the
   * socket. The default is `true`.
   * @param code The close code. The default is 1000.
   * @param reason The close reason. The default is "".
   * @returns The end of the connection; `undefined` if there was none.
   * @throws {OptionError} If `sendClose` is no boolean, or code or reason are out of range.
   */
  async disconnect(
    sendClose = true,
    code: number = NORMAL_CLOSURE,
    reason = "",
  ): Promise<CloseInfo | undefined> {
    if (typeof sendClose !== "boolean") {
      throw new OptionError(
        `Cannot disconnect: ${showValue(sendClose)} is neither true nor false: use disconnect(true, 4000, "bye")`,
      );
    }
    const run = this.#run;
    const link = this.#link;
    if (run && !run.over) run.stop(new TransportError("ERR_ABORTED", "The program aborted connecting"));
    if (sendClose) link?.close(code, reason);
    else link?.terminate();
    if (run !== this.#holder) await run?.ended;
    return await link?.closed;
  }

  /** Disconnects, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  // ---- Handlers ------------------------------------------------------------------------------------------------

  get #handles(): boolean {
    return Boolean(this.onMessageReceived || this.onBinaryDataReceived);
  }

  #deliver(data: MessageData): MessageResult {
    const text = typeof data === "string";
    const name = text ? "onMessageReceived" : "onBinaryDataReceived";
    if (!this[name]) return this.#handles ? false : "none";
    const result = this.#call(name, () => text ? this.onMessageReceived!(data) : this.onBinaryDataReceived!(data));
    return typeof result === "boolean" ? undefined : result;
  }

  /** Calls a handler. If it throws or rejects, the error goes to `onError` and the connection is closed. */
  #call(name: string, handler: () => unknown): boolean | Promise<boolean> {
    // A handler may fail late, when there is another connection already.
    const link = this.#link;
    const threw = (error: unknown): false => {
      if (isExpectedEnd(error, name, link?.state)) return false;
      const failure = new HandlerError(name, error);
      link?.closeAfter();
      this.#fail(failure);
      return false;
    };
    try {
      return promiseOf(handler())?.then(() => true, threw) ?? true;
    } catch (error) {
      return threw(error);
    }
  }

  #fail(error: unknown): void {
    this.#log("warn", "client.failed", { code: isError(error, WebSocketError) ? error.code : "ERR_OPTION" }, error);
    this.#report(error);
  }

  #report(error: unknown): void {
    if (!this.onError) {
      const unhandled = isError(error, StateError) && error.code === "ERR_NO_HANDLER" && !this.#printed;
      this.#printed ||= unhandled;
      // Once: each connection reports it.
      if (unhandled || isError(error, HandlerError)) console.error(error);
      return;
    }
    const failed = (failure: unknown): void => console.error(new HandlerError("onError", failure));
    try {
      promiseOf(this.onError(error))?.catch(failed);
    } catch (failure) {
      failed(failure);
    }
  }

  #log(level: LogRecord["level"], event: string, attributes: LogRecord["attributes"], error?: unknown): void {
    if (!this.onLog) return;
    writeLog(this, { level, event, time: Date.now(), attributes, ...error !== undefined && { error } });
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  #notOpen(what: string, hint = ""): StateError {
    return new StateError("ERR_NOT_OPEN", `Cannot ${what}: the client is not connected: await connect() first${hint}`);
  }

  /**
   * Sends a message: a string as text, bytes of any kind and a `Blob` as binary.
   *
   * @param data The message.
   * @param options Options of this message.
   * @returns `"sent"`, or what happened instead: see {@linkcode SendResult}.
   * @throws {StateError} If the connection is not open, and no message is kept: see `reconnect.maxQueuedSize`.
   * @throws {OptionError} If `data` is of another type, or larger than `maxBufferedAmount`.
   */
  send(data: SendData, options?: MessageOptions): SendResult {
    const run = this.#run;
    const limit = run?.maxQueuedSize ?? 0;
    if (limit === 0 || (this.#backlog.count === 0 && this.active)) {
      if (this.#link && !this.#connecting) return this.#link.send(data, options);
      const hint = this.reconnect ? '; with "reconnect: { maxQueuedSize }" messages wait until it is' : "";
      throw this.#notOpen("send", hint);
    }
    const result = this.#backlog.add(toPagePayload(data), limit) ? "queued" : "dropped";
    this.#sendBacklog();
    return result;
  }

  #sendBacklog(): void {
    if (this.#backlog.count === 0 || !this.active) return;
    void this.#backlog.sendTo(this.#link!, (error) => this.#report(error));
  }

  /** Bytes of messages that wait for the next connection. */
  get queuedAmount(): number {
    return this.#backlog.size;
  }

  /** Bytes that were sent by the program and not yet taken by the network. */
  get bufferedAmount(): number {
    return this.#link?.bufferedAmount ?? 0;
  }

  /**
   * Waits until the network has taken everything that was sent.
   *
   * @returns Rejects if the connection is lost before.
   */
  drained(): Promise<void> {
    return this.#link?.drained() ?? Promise.resolve();
  }

  /** Finds the run whose messages are read. */
  #reader(what: string): PageRun {
    const run = this.#run;
    if (run && (run.reconnects || (this.#link && !this.#connecting))) return run.reconnects ? run : this.#holder ?? run;
    throw this.#notOpen(what);
  }

  /**
   * Waits for the next message. With `reconnect` it goes on as loops do.
   *
   * @param options A signal that ends the wait: `{ signal: AbortSignal.timeout(5000) }` is a time limit.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} when no message waits, and none can follow,
   * or with the reason of the signal; the call takes no message then.
   * @throws {StateError} If the client is not connected.
   */
  async receive(options: ReceiveOptions = {}): Promise<MessageData> {
    assertNames("receive", options, ["signal"]);
    assertSignal(options);
    const signal = options.signal ?? undefined;
    const run = this.#reader("receive");
    let lost: { cause?: unknown } | undefined;
    try {
      const { done, value } = await run.queue.next(signal);
      if (!done) return value;
    } catch (cause) {
      if (signal?.aborted && cause === signal.reason) throw cause;
      lost = { cause };
    }
    throw new ConnectionClosedError("receive", await run.link?.closed ?? { code: 1006, reason: "" }, lost);
  }

  /**
   * Iterates over the messages. With `reconnect` the loop goes on with the next connection, and ends when no other
   * follows: with the error that `onError` gets if reconnecting was given up.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#reader("read").queue.iterate();
  }
}

Object.assign(WebSocketClient.prototype, PAGE_DEFAULTS);

for (const name of ELSEWHERE.split(",")) {
  Object.defineProperty(WebSocketClient.prototype, name, {
    configurable: true,
    get() {
      throw notHere(name);
    },
  });
}
