/**
 * The receiver of the WhatsApp pair: gets typed messages from a `WhatsAppServer`. It runs in pages too.
 *
 * @module
 */

import type { ClientContext } from "../client/extension.ts";
import {
  CloseCode,
  HandlerError,
  HandshakeError,
  OptionError,
  StateError,
  TransportError,
  type WebSocketError,
} from "../base/errors.ts";
import {
  adoptHandlers,
  assignHandlers,
  AwaitedHandlers,
  defineAwaitedHandlers,
  defineHandlers,
} from "../base/handlers.ts";
import { assertAnswer } from "../base/secrets.ts";
import { isVisibleAscii } from "../base/token.ts";
import { isError } from "../base/thrown.ts";
import { assertTls } from "../client/tls_requirement.ts";
import { extendClient, WebSocketClient } from "../client/client.ts";
import { SharedReceiveLoop } from "../client/receive_calls.ts";
import { clientArguments } from "../client/settings.ts";
import type { AskProgram, ClientConnection } from "../client/connector.ts";
import type { RunEnd } from "../client/reconnect.ts";
import { recordMatches, type WhatsAppFilter } from "../cloud_api/filter.ts";
import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import { parseNotification } from "../cloud_api/parse.ts";
import type { WhatsAppRecord, WhatsAppStatus } from "../cloud_api/records.ts";
import type { MessageResult } from "../connection/options.ts";
import { dataForm } from "../inbox/data_form.ts";
import {
  badMessage,
  INBOX_PROTOCOL,
  InboxCloseCode,
  inboxVersion,
  type NotificationMessage,
} from "../inbox/protocol.ts";
import { type InboxPosition, InboxSession } from "../inbox/session.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageData } from "../protocol/payload.ts";
import { Deduplication, MemorySeenStore } from "./deduplication.ts";
import { chooseVerifier } from "./install_verifier.ts";
import { NotificationLoops, type Step, stepByNotification, stepByRecord, streamOf } from "./notification_loops.ts";
import { decodeExact, resemblesNotification } from "./notification_text.ts";
import { PendingNotification, type WhatsAppNotification } from "./pending_notification.ts";
import { tokenProtocol } from "./protocols.ts";
import { Unhandled } from "./unhandled.ts";
import { WaitingMessages } from "./waiting_messages.ts";
import {
  assertInboxProtocol,
  assertReceiverSettings,
  clientOptionsOf,
  RECEIVER_HANDLERS,
  type WhatsAppOtherRecord,
  type WhatsAppReceiverHandlers,
  type WhatsAppReceiverOptions,
} from "./receiver_settings.ts";

const NO_KEYS: ReadonlySet<string> = new Set();
const NO_LEADERS: ReadonlySet<PendingNotification> = new Set();

/**
 * Receives the notifications of a `WhatsAppServer`. TLS is on by default, and can be turned off for a loopback address
 * only.
 *
 * Also from {@linkcode WebSocketClient}:
 * - methods: `stats`, `disconnect`, `[Symbol.asyncDispose]`, `checkIncoming`, `send`, `sendFrame`, `ping`, `pong`,
 *   `drained`, `messageWriter`, `receive`
 * - properties: `url`, `state`, `connection`, `protocol`, `extensions`, `queuedAmount`, `bufferedAmount`, `writable`
 * - settings: `hostname`, `hostName`, `port`, `path`, `pathName`, `useSSL`, `rootCertificateFile`, `rootCertificate`,
 *   `certificateFile`, `certificate`, `certificateKeyFile`, `certificateKey`, `serverName`, `origin`, `headers`,
 *   `token`, `resolveUrl`, `proxy`, `maxRedirects`, `reconnect`, `protocols`, `compression`, `connectTimeout`,
 *   `autoCheckMessages`, `autoCheckInterval`, `checkTimeout`, `options`, `splitMessage`, `frameSize`, `maxMessageSize`,
 *   `maxFragments`, `messageTimeout`, `maxBufferedAmount`, `highWaterMark`, `slowConsumer`, `closeTimeout`,
 *   `idleTimeout`, `pingInterval`, `pongTimeout`, `maxMessageRate`, `maxByteRate`, `rateBurstSeconds`, `concurrency`,
 *   `clock`, `active`
 * - handlers: `onGetSSLPassword`, `onSendHandshake`, `onHandshakeResponse`, `onConnect`, `onMessageReceived`,
 *   `onBinaryDataReceived`, `onPing`, `onPong`, `onClose`, `onDisconnect`, `onError`, `onReconnecting`, `onLog`
 *
 * @example
 * ```ts
 * import { WhatsAppReceiver } from "@tackline/websocket/whatsapp";
 *
 * export async function run() {
 *   const receiver = new WhatsAppReceiver("wss://hooks.example.com/whatsapp", {
 *     receiverToken: "given to you",
 *     name: "billing",
 *   });
 *   await receiver.connect();
 *   for await (const message of receiver.messages) {
 *     if (message.type === "text") console.log(message.sender.name, message.text.body);
 *   }
 * }
 * ```
 */
export class WhatsAppReceiver extends WebSocketClient implements WhatsAppReceiverHandlers {
  // Settings, read by `connect`
  /** Name under which the server stores the position of this receiver. */
  name: string | undefined;
  /** Shares the notifications among the connections of this name. */
  share: boolean;
  /** Start of the notifications. */
  after: number | InboxPosition | undefined;
  /** Maximum of notifications that wait to be handled. */
  window: number | undefined;
  /** Records that are wanted. */
  filter: WhatsAppFilter | undefined;

  // Handlers
  /** Notifications cannot be delivered any more. */
  onGap?(after: number, until: number): unknown;
  /** Everything has come that the server had when the receiver connected. */
  onCaughtUp?(seq: number): unknown;
  /** A message of a customer came. Setting it hands over the messages that waited for it. */
  onWhatsAppMessageReceived?(message: WhatsAppMessage): unknown;
  /** The status of a message of the business came. Setting it hands over the statuses that waited for it. */
  onStatusReceived?(status: WhatsAppStatus): unknown;
  /** Another record came. Setting it hands over the records that waited for it. */
  onNotification?(record: WhatsAppOtherRecord): unknown;
  readonly #awaited = new AwaitedHandlers<WhatsAppReceiver>(() => this.#release());

  static #prepared = false;

  /** Not in a static block: bundlers could not leave the class out of a page that has no receiver. */
  static #prepare(): void {
    if (WhatsAppReceiver.#prepared) return;
    WhatsAppReceiver.#prepared = true;
    const { prototype } = WhatsAppReceiver;
    defineHandlers(prototype, RECEIVER_HANDLERS);
    const awaited = ["onWhatsAppMessageReceived", "onStatusReceived", "onNotification"] as const;
    defineAwaitedHandlers<WhatsAppReceiver>(prototype, awaited, (receiver) => receiver.#awaited);
  }

  // Secrets: not shown when a receiver is printed, or made JSON of
  #receiverToken: string | (() => string | Promise<string>) | undefined;
  #appSecret: string | readonly string[] | undefined;

  // State
  /** Members of the client. */
  readonly #client: ClientContext;
  /** Token of the attempt that is being made. */
  #token: string | undefined;
  #deduplication: Deduplication;
  #position: InboxPosition | undefined;
  /** Session of the last connection, if it speaks the inbox subprotocol. */
  #session: InboxSession | undefined;
  /** Result of a handler for bytes of the server's program, in a message of the subprotocol. */
  #resultOfBytes: MessageResult;
  #loops: NotificationLoops;
  readonly #receiving = new SharedReceiveLoop(() => this.connection);
  /** Reason of this receiver to end the connection itself. */
  #failure: WebSocketError | undefined;
  /** Messages of the server's program that wait. */
  readonly #waiting = new WaitingMessages();
  /** Finds what no handler gets. */
  readonly #unhandled = new Unhandled(this);
  /** The text of a message whose frames come one by one. */
  #partial = "";
  /** The app secrets as the handshake found them: only a server that speaks the inbox subprotocol shows signatures. */
  #secrets: string | readonly string[] | undefined;

  /**
   * Makes a receiver; it does not connect yet.
   *
   * @param urlOrOptions URL of the server, or settings and handlers.
   * @param more Settings and handlers beside a URL.
   * @throws {OptionError} If the URL is not valid, a setting is out of range, or a handler is not a function.
   */
  constructor(urlOrOptions: string | URL | WhatsAppReceiverOptions = {}, more: WhatsAppReceiverOptions = {}) {
    WhatsAppReceiver.#prepare();
    const { url, options } = clientArguments(urlOrOptions, more);
    const inherited = clientOptionsOf(options, url !== undefined);
    super(url ?? inherited, url === undefined ? undefined : inherited);
    this.#client = this.#extendClient();
    this.receiverToken = options.receiverToken;
    this.name = options.name;
    this.share = options.share ?? false;
    this.after = options.after;
    this.window = options.window;
    this.filter = options.filter;
    this.appSecret = options.appSecret;
    const { deduplicate = true } = options;
    const store = deduplicate === true ? new MemorySeenStore(this.clock) : deduplicate;
    this.#deduplication = new Deduplication(store === false ? undefined : store);
    this.#loops = this.#makeLoops();
    assignHandlers(this, RECEIVER_HANDLERS, options);
    this.#assertSettings();
  }

  #assertSettings(): void {
    assertReceiverSettings(this);
    assertInboxProtocol(this, this.protocols);
  }

  #extendClient(): ClientContext {
    return extendClient(this, {
      // Each attempt shows the token, also after `resolveUrl` and redirects.
      requireTls: assertTls,
      // The server would close the next connection with the same code.
      terminalCodes: [InboxCloseCode.BadMessage, InboxCloseCode.NameConflict],
      handlesMessages: () => this.#unhandled.handlesRecords,
      handlerAssigned: () => this.#release(),
      iterates: () => this.#session !== undefined,
      receive: (options) => this.#receiving.receive(options, this, () => !this.#client.handlesMessages()),
      waitersDropped: () => this.#receiving.end(),
      prepareAttempt: (ask) => this.#askForToken(ask),
      renewsCredentials: () => typeof this.receiverToken === "function",
      completeRequest: (headers, protocols, sendsHeaders) => this.#showToken(headers, protocols, sendsHeaders),
      acceptProtocol: (protocol) => this.#acceptProtocol(protocol),
      connected: (connection) => this.#connected(connection),
      replaced: () => this.#loops.replace(),
      givenUp: (end, last) => this.#givenUp(end, last),
      deliver: (data, frame) => this.#deliver(data, frame),
    });
  }

  #makeLoops(): NotificationLoops {
    const listens = (): boolean => this.#client.handlesMessages();
    return new NotificationLoops({
      get listens(): boolean {
        return listens();
      },
      listensTo: (pending) => this.#listensTo(pending),
      isForLoops: (pending) => this.#isForLoops(pending),
      makePending: (raw, scope) => this.#makePending(raw, {}, () => {}, scope),
      forget: (pending) => this.#deduplication.end(pending),
      handOverWaiting: () => this.#handOverWaiting(),
    });
  }

  /** Token that the server asks for. It never goes into the URL. */
  get receiverToken(): string | (() => string | Promise<string>) | undefined {
    return this.#receiverToken;
  }
  set receiverToken(value: string | (() => string | Promise<string>) | undefined) {
    this.#receiverToken = value;
  }

  /** The app secret, or several, to check signatures with. */
  get appSecret(): string | readonly string[] | undefined {
    return this.#appSecret;
  }
  set appSecret(value: string | readonly string[] | undefined) {
    this.#appSecret = value;
  }

  #listensTo({ notification: { raw, seq } }: PendingNotification): boolean {
    return seq === undefined ? this.#client.handlesMessages() : this.#unhandled.takes(raw);
  }

  /** Hands over the notifications that waited for a handler. */
  #release(): void {
    if (!this.#client.handlesMessages()) return;
    this.#receiving.leave();
    if (this.#session === undefined) return this.#client.releaseMessages();
    // After the program has set its other handlers too: a record without a handler is acknowledged all the same.
    if (this.#loops.waiting > 0) queueMicrotask(this.#handOverWaiting);
  }

  readonly #handOverWaiting = (): void => {
    for (const { pending, done } of this.#loops.takeWaiting((pending) => this.#listensTo(pending))) {
      this.#callHandlers(pending, done);
      pending.end(true);
    }
  };

  /**
   * Position of this receiver, for `after` of another one; `undefined` before the first welcome, and with a server that
   * does not speak the inbox subprotocol.
   */
  get position(): InboxPosition | undefined {
    return this.#session?.position ?? this.#position;
  }

  /**
   * Connects.
   *
   * @param options As of `WebSocketClient`.
   * @returns Resolves after the handshake.
   * @throws {OptionError} If TLS is off, and the server is not on a loopback address, or behind a proxy.
   */
  override connect(...options: Parameters<WebSocketClient["connect"]>): Promise<void> {
    try {
      adoptHandlers(this, RECEIVER_HANDLERS);
      this.#assertSettings();
    } catch (error) {
      return Promise.reject(error);
    }
    return super.connect(...options);
  }

  /** Refuses a server that does not speak the subprotocol that the settings need. */
  #acceptProtocol(protocol: string): void {
    const needs = this.name ?? this.after ?? this.window ?? this.appSecret;
    this.#secrets = this.appSecret;
    if (inboxVersion(protocol) !== undefined || needs === undefined) return;
    const message =
      `The server does not speak "${INBOX_PROTOCOL}", which "name", "after", "window" and "appSecret" need`;
    throw new HandshakeError("ERR_HANDSHAKE_REFUSED", message, 101);
  }

  /** Says hello. */
  #connected(connection: ClientConnection): void {
    const before = this.position;
    this.#position = before;
    this.#loops.reset();
    this.#waiting.reset();
    this.#failure = undefined;
    this.#unhandled.reset();
    this.#session = undefined;
    const version = inboxVersion(connection.protocol);
    if (version === undefined) {
      // A server with another subprotocol has nothing for loops that have begun.
      const message = `The server speaks "${connection.protocol}" now`;
      return this.#loops.abandon(new HandshakeError("ERR_HANDSHAKE_REFUSED", message, 101));
    }
    // No message waits in the connection: notifications that are not acknowledged wait at the server.
    this.#client.releaseMessages();
    const given = typeof this.after === "number" ? { after: this.after } : this.after;
    const { name, share, window, filter } = this;
    const messageEnded = (): void => session.resume();
    const session: InboxSession = new InboxSession({
      version,
      send: this.#client.useBinaryForm(dataForm(version, "server", { messageEnded })),
      drained: () => connection.drained(),
      notification: (head, body) => this.#onInboxNotification(head, body),
      data: (bytes) => void (this.#resultOfBytes = this.#onProgramMessage(bytes)),
      current: (seq) => void this.#client.callHandler("onCaughtUp", () => this.onCaughtUp?.(seq)),
      gap: (after, until) => void this.#client.callHandler("onGap", () => this.onGap?.(after, until)),
    }, { name, share: share || undefined, window, filter, ...(before ?? given) });
    this.#session = session;
    this.#loops.attach(session);
  }

  /** Loops end with the last connection. */
  #givenUp({ info, error }: RunEnd, last: boolean): void {
    // Without a connection the only loops are those that wait for the next one.
    const lost = new TransportError("ERR_CONNECTION_LOST", "The connection was lost without a close frame (1006)");
    this.#loops.end(this.#failure ?? error ?? (info?.received ? undefined : lost), last);
  }

  /** Hands over a message: raw text first, then one call a record. */
  #deliver(data: MessageData, frame?: FrameInfo): MessageResult {
    const session = this.#session;
    if (session === undefined) return this.#client.handed(data, this.#deliverPlain(data, frame));
    if (typeof data === "string") return this.#onProgramMessage(data);
    this.#resultOfBytes = undefined;
    try {
      // Notifications have a window of their own.
      session.receive(data);
      return this.#resultOfBytes;
    } catch (error) {
      if (isError(error, OptionError)) this.#fail(InboxCloseCode.BadMessage, badMessage(error));
      else this.#storeFailed(error);
    }
  }

  /** Closes the connection: without its store a receiver would hand records over twice. */
  #storeFailed(error: unknown): void {
    this.#fail(CloseCode.InternalError, new HandlerError("deduplicate", error));
  }

  #fail(code: number, error: WebSocketError): void {
    this.#failure ??= error;
    this.#client.closeWith(code, error);
    this.#client.reportError(error);
  }

  #deliverPlain(data: MessageData, frame?: FrameInfo): boolean | Promise<boolean> {
    const result = this.#client.deliver(data, frame);
    const raw = frame === undefined || typeof data !== "string" ? data : this.#assemble(data, frame);
    if (raw === undefined) return result;
    try {
      const pending = this.#makePending(raw);
      pending.begin();
      this.#callTyped(pending);
      pending.end(true);
    } catch (error) {
      this.#storeFailed(error);
    }
    return result;
  }

  #onInboxNotification(head: NotificationMessage, body: Uint8Array<ArrayBuffer>): void {
    const { seq, signature, receivedAt, redelivered = false, partial = false } = head;
    const session = this.#session!;
    if (this.#secrets !== undefined && !chooseVerifier()!(body, signature, this.#secrets)) {
      const why = partial ? "it is not whole, and so not signed" : "it is not by this app secret";
      // Not acknowledged, since the secret may be wrong.
      return this.#refuseUnsigned(`The signature of notification ${seq} does not match: ${why}`);
    }
    const more = { seq, signature, receivedAt: new Date(receivedAt), redelivered, partial };
    this.#hand(this.#makePending(decodeExact(body) ?? body, more, () => session.done(seq)));
  }

  #refuseUnsigned(message: string): void {
    const error = new TransportError("ERR_SIGNATURE", message);
    if (!this.onError) console.error(error);
    this.#fail(CloseCode.PolicyViolation, error);
  }

  /**
   * Takes a message of the server's program, which is not acknowledged; a text may be a notification too.
   *
   * @returns `false` if neither a handler nor a loop gets it.
   */
  #onProgramMessage(data: MessageData): MessageResult {
    const signed = this.#secrets !== undefined;
    // It has no signature: its raw form must not be taken for a notification either.
    if (signed && resemblesNotification(data)) {
      this.#refuseUnsigned("A message of the server's program looks like a notification, and has no signature");
      return undefined;
    }
    const handled = this.#waiting.add(data);
    if (handled instanceof TransportError) {
      this.#fail(CloseCode.PolicyViolation, handled);
      return undefined;
    }
    try {
      const typed = typeof data === "string" && !signed;
      const pending = this.#makePending(data, typed ? {} : { records: [] }, handled);
      this.#hand(pending);
      return this.#isLost(pending) ? false : undefined;
    } catch (error) {
      this.#storeFailed(error);
      return undefined;
    }
  }

  #isLost(pending: PendingNotification): boolean {
    const { running } = this.#loops;
    const { raw, records } = pending.notification;
    // Without loops and handlers it waits.
    if (!running && !this.#client.handlesMessages()) return false;
    return records.length === 0 && !(running && this.#isForLoops(pending)) && !this.#unhandled.handlesRaw(raw);
  }

  #hand(pending: PendingNotification): void {
    pending.begin();
    if (this.#listensTo(pending)) this.#callHandlers(pending, 0);
    this.#loops.push(pending);
    pending.end(true);
  }

  /** Returns `false` for a message without signature if signatures are checked: only its handler gets it. */
  #isForLoops({ notification }: PendingNotification): boolean {
    return this.#secrets === undefined || notification.seq !== undefined;
  }

  /** @param done Records that were handed over already. */
  #callHandlers(pending: PendingNotification, done: number): void {
    if (done === 0) this.#track(pending, this.#client.deliver(pending.notification.raw));
    this.#callTyped(pending, done);
    const { notification } = pending;
    if (notification.seq === undefined || this.#loops.running) return;
    const error = this.#unhandled.find(notification, done);
    if (error !== undefined) this.#client.reportError(error);
  }

  #callTyped(pending: PendingNotification, done = 0): void {
    for (const record of pending.notification.records.slice(done)) this.#track(pending, this.#callFor(record));
  }

  #callFor(record: WhatsAppRecord): boolean | Promise<boolean> {
    if (record.kind === "message") {
      return this.#client.callHandler("onWhatsAppMessageReceived", () => this.onWhatsAppMessageReceived?.(record));
    }
    if (record.kind === "status") {
      return this.#client.callHandler("onStatusReceived", () => this.onStatusReceived?.(record));
    }
    return this.#client.callHandler("onNotification", () => this.onNotification?.(record));
  }

  #track(pending: PendingNotification, result: boolean | Promise<boolean>): void {
    pending.begin();
    if (typeof result === "boolean") pending.end(result);
    else result.then((success) => pending.end(success));
  }

  /** Makes a notification without records that were handled, are being handled, or do not match the filter. */
  #makePending(
    raw: string | Uint8Array<ArrayBuffer>,
    more: Partial<WhatsAppNotification> = {},
    onDone: () => void = () => {},
    scope = "",
  ): PendingNotification {
    const chosen = more.records === undefined
      ? this.#deduplication.choose(matchingRecords(raw, this.filter), scope)
      : { records: more.records, keys: NO_KEYS, leaders: NO_LEADERS };
    const { records } = chosen;
    const notification = { raw, signature: "", redelivered: false, partial: false, ...more, records };
    const session = this.#session;
    const pending: PendingNotification = new PendingNotification(notification, (success) => {
      this.#deduplication.end(pending);
      // A handler of an earlier connection may fail late: only a new one brings the notification again.
      if (!success && session === this.#session) return this.#closeFor(session);
      if (!success) return;
      try {
        this.#deduplication.remember(chosen);
      } catch (error) {
        return this.#storeFailed(error);
      }
      onDone();
    });
    this.#deduplication.begin(pending, chosen);
    return pending;
  }

  #closeFor(session: InboxSession | undefined): void {
    if (session === undefined) return;
    const error = new TransportError("ERR_ABORTED", "A notification was not handled");
    this.#client.closeWith(CloseCode.InternalError, error);
  }

  /** Assembles a text, with `frameByFrame`; `undefined` before its last frame. */
  #assemble(data: string, frame: FrameInfo): string | undefined {
    const text = frame.first ? data : this.#partial + data;
    this.#partial = frame.final ? "" : text;
    return frame.final ? text : undefined;
  }

  /** Asks the program for the token. */
  async #askForToken(ask: AskProgram): Promise<void> {
    const { receiverToken } = this;
    this.#token = typeof receiverToken === "function" ? await ask("receiverToken", receiverToken) : receiverToken;
    if (receiverToken !== undefined) assertAnswer("receiverToken", this.#token);
  }

  /** Adds the token to the header fields or, if it cannot stand there, to the subprotocols. */
  #showToken(headers: Headers, given: readonly string[], sendsHeaders: boolean): readonly string[] {
    const token = this.#token;
    // With frameByFrame the program assembles messages itself.
    const frameByFrame = this.options.frameByFrame === true;
    const protocols = given.filter((name) => !frameByFrame || inboxVersion(name) === undefined);
    if (token === undefined) return protocols;
    if (sendsHeaders && isVisibleAscii(token)) {
      headers.set("authorization", `Bearer ${token}`);
      return protocols;
    }
    // The server never echoes the entry, and a browser insists on an answer to what it offers.
    if (protocols.length === 0) {
      throw new OptionError('Cannot show a token beside no subprotocol: "protocols" is empty');
    }
    return [...protocols, tokenProtocol(token)];
  }

  // ---- Loops ---------------------------------------------------------------------------------------------------

  /**
   * Iterates over the notifications. Each is acknowledged when the next one is asked for. A loop begins with its first
   * step, and ends with the connection; it throws if there was no close frame. The program sets its pace. Where several
   * loops run, or handlers are set too, each gets everything. After the last loop has ended, the next loop or handler
   * goes on from there.
   */
  get notifications(): AsyncIterableIterator<WhatsAppNotification, undefined> {
    return this.#iterate(stepByNotification((notification) => notification));
  }

  #iterate<Chosen>(step: Step<Chosen>): AsyncIterableIterator<Chosen, undefined> {
    // Fails at once without a connection: the subprotocol is known only then.
    if (this.#session === undefined && this.connection === undefined) {
      throw new StateError("ERR_NOT_OPEN", "Cannot read: the receiver is not connected");
    }
    if (this.#session === undefined) return this.#loops.runPlain(super[Symbol.asyncIterator](), step);
    return this.#loops.run(step);
  }

  /** Iterates over the messages of customers: see `notifications`. */
  get messages(): AsyncIterableIterator<WhatsAppMessage, undefined> {
    return this.#iterate(stepByRecord((record) => record.kind === "message" ? record : undefined));
  }

  /** Iterates over the statuses of messages of the business: see `notifications`. */
  get statuses(): AsyncIterableIterator<WhatsAppStatus, undefined> {
    return this.#iterate(stepByRecord((record) => record.kind === "status" ? record : undefined));
  }

  /** Iterates over all records: see `notifications`. */
  get records(): AsyncIterableIterator<WhatsAppRecord, undefined> {
    return this.#iterate(stepByRecord((record) => record));
  }

  /** Iterates over raw notifications and messages of the server's program: see `notifications`. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#session === undefined
      ? super[Symbol.asyncIterator]()
      : this.#iterate(stepByNotification(({ raw }) => raw));
  }

  /** Raw notifications and messages of the server's program as a stream: see `notifications`. */
  override get readable(): ReadableStream<MessageData> {
    if (this.#session === undefined) return super.readable;
    return streamOf(this[Symbol.asyncIterator](), () => void this.disconnect(true, CloseCode.NormalClosure));
  }
}

function matchingRecords(raw: string | Uint8Array, filter: WhatsAppFilter | undefined): readonly WhatsAppRecord[] {
  const { records } = parseNotification(raw);
  return filter === undefined ? records : records.filter((record) => recordMatches(record, filter));
}
