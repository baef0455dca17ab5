/**
 * The receiver of what a `WhatsAppServer` forwards: typed messages. It runs in pages too.
 *
 * @module
 */

import { controlOf } from "../client/connection_control.ts";
import { AsyncQueue } from "../base/async_queue.ts";
import type { ClientConnection, Connector } from "../client/connector.ts";
import type { CloseInfo } from "../connection/options.ts";
import { CloseCode, HandlerError, HandshakeError, OptionError, StateError, TransportError, type WebSocketError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";
import { assertReceiverName, badMessage, INBOX_PROTOCOL, InboxCloseCode, type NotificationMessage } from "../inbox/protocol.ts";
import { type InboxPosition, InboxSession } from "../inbox/session.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import { PendingNotification, type WhatsAppNotification } from "./pending_notification.ts";
import { assertNumber } from "../base/ranges.ts";
import { assertSecrets } from "../base/secrets.ts";
import { MemorySeenStore, recordKey, type SeenStore } from "./deduplication.ts";
import { isVisibleAscii } from "../base/token.ts";
import { chooseVerifier } from "./install_verifier.ts";
import type { HeaderSource, WebSocketClientOptions } from "../client/settings.ts";
import { WebSocketClient } from "../client/client.ts";
import { checkFilter, recordPasses, type WhatsAppFilter } from "../cloud_api/filter.ts";
import { parseNotification } from "../cloud_api/parse.ts";
import type { WhatsAppMessage, WhatsAppRecord, WhatsAppStatus } from "../cloud_api/types.ts";

/** The subprotocol of receivers: each text message is the JSON of one notification as Meta sent it. */
export const RECEIVER_PROTOCOL = "whatsapp-notifications";

/**
 * The start of the subprotocol entry that carries a receiver's token where no header can be set, as in a browser; the token
 * follows in base64url. The server never echoes it.
 */
export const TOKEN_PROTOCOL_PREFIX = "bearer.";

/**
 * The subprotocol entry that shows a receiver's token where no header can be set.
 *
 * @param token The token.
 * @returns The entry.
 *
 * @example
 * ```ts
 * import { tokenProtocol } from "@tackline/websocket/whatsapp";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tokenProtocol("secret"), "bearer.c2VjcmV0");
 * ```
 */
export function tokenProtocol(token: string): string {
  const binary = Array.from(new TextEncoder().encode(token), (byte) => String.fromCharCode(byte)).join("");
  const base64url = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return TOKEN_PROTOCOL_PREFIX + base64url;
}

/** Everything but messages and statuses: errors of the account, echoes, history, templates, … */
export type WhatsAppOtherRecord = Exclude<WhatsAppRecord, WhatsAppMessage | WhatsAppStatus>;

/**
 * Handlers of a {@linkcode WhatsAppReceiver}. A notification is acknowledged when all that were called for it have returned, and their
 * promises are fulfilled. One that fails closes the connection; the notification comes again on the next one.
 */
export interface WhatsAppReceiverHandlers {
  /** A message of a customer came; after `onMessageReceived` with the raw text. */
  onWhatsAppMessageReceived?: (message: WhatsAppMessage) => void | Promise<void>;
  /** The status of a message of the business came. They come in any order: see `laterStatus`. */
  onStatusReceived?: (status: WhatsAppStatus) => void | Promise<void>;
  /** Something else came: an error of the account, an echo, history, a template, … */
  onNotification?: (record: WhatsAppOtherRecord) => void | Promise<void>;
  /**
   * Notifications from behind `after` to `until` cannot be delivered any more: the server kept them for too short a time, or its journal
   * has lost them; the latter may turn out late.
   */
  onGap?: (after: number, until: number) => void | Promise<void>;
  /** Everything that the server had when this receiver connected has come, up to a sequence number; once a connection. */
  onCaughtUp?: (seq: number) => void | Promise<void>;
}

/** Settings and handlers of a {@linkcode WhatsAppReceiver}. */
export interface WhatsAppReceiverOptions extends WebSocketClientOptions, WhatsAppReceiverHandlers {
  /**
   * Whether to speak TLS; may be off for a loopback address only.
   * @default {true}
   */
  useSSL?: boolean;
  /**
   * Subprotocols in the order of preference.
   * @default {["whatsapp-inbox.v1", "whatsapp-notifications"]}
   */
  protocols?: readonly string[];
  /**
   * What the server wants to be shown, or what is asked for it before each attempt: in the `Authorization` header or, if it cannot stand
   * there, as in a page, as a subprotocol entry. Never in the URL.
   */
  receiverToken?: string | (() => string | Promise<string>);
  /**
   * The name under which the server keeps how far this receiver has come, from its first connection on: 1 to 128 characters. Without
   * a name it goes on where it was only as long as this object lives, or from `after`.
   */
  name?: string;
  /**
   * Whether the connections of this name share the notifications; else each gets all.
   * @default {false}
   */
  share?: boolean;
  /** Where to begin: see `position`. 0: with all that the server has. Without it: with what comes from now on. */
  after?: number | InboxPosition;
  /**
   * The most notifications that wait to be handled, from 1 to 4096. Then the server waits too.
   * @default {256}
   */
  window?: number;
  /** What is wanted. The server sends notifications that hold some of that; what else is in them is not handed over. */
  filter?: WhatsAppFilter;
  /**
   * The app secret, or several: Meta's signature is checked here again, so that the server need not be trusted. What does not match is
   * not acknowledged, and closes the connection with 1008; so does a text message that looks like a notification. Other text messages
   * of the server's program go to `onMessageReceived` only. Not in a page, and not with a token that may have a part only.
   */
  appSecret?: string | readonly string[];
  /**
   * Whether to hand over each message, status and echo once, though Meta and the server may send them more often. Kept in memory for 8
   * days, 100 000 of them, or in a store of the program's.
   * @default {true}
   */
  deduplicate?: boolean | SeenStore;
}

/** More text than this does not wait: nothing acknowledges it, so that the server would never stop. */
const MAX_WAITING_TEXTS = 8 * 1024 * 1024;

/** A notification in the hands of a loop, and how many of its records that loop is done with. */
interface Held {
  pending: PendingNotification;
  done: number;
}

/** What a loop makes of a notification; when it is left, the next loop goes on behind what it had. */
type Step<Chosen> = (held: Held) => Generator<Chosen, void>;

/** A loop over what one connection brings. */
interface Loop {
  session: InboxSession | undefined;
  queue: AsyncQueue<Held>;
}

/**
 * Receives what a {@linkcode WhatsAppServer} forwards. TLS is on by default, and can be turned off for a loopback address only.
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
export class WhatsAppReceiver extends WebSocketClient {
  // Settings, read by `connect`
  /** The name under which the server keeps how far this receiver has come. */
  name: string | undefined;
  /** Whether the connections of this name share the notifications. */
  share: boolean;
  /** Where to begin. */
  after: number | InboxPosition | undefined;
  /** The most notifications that wait to be handled. */
  window: number | undefined;
  /** What is wanted. */
  filter: WhatsAppFilter | undefined;

  // Handlers
  /** Notifications cannot be delivered any more. */
  onGap?: WhatsAppReceiverHandlers["onGap"];
  /** Everything that the server had has come. */
  onCaughtUp?: WhatsAppReceiverHandlers["onCaughtUp"];
  #onWhatsAppMessageReceived?: WhatsAppReceiverHandlers["onWhatsAppMessageReceived"];
  #onStatusReceived?: WhatsAppReceiverHandlers["onStatusReceived"];
  #onNotification?: WhatsAppReceiverHandlers["onNotification"];

  // Secrets: not shown when a receiver is printed, or made JSON of
  #receiverToken: string | (() => string | Promise<string>) | undefined;
  #appSecret: string | readonly string[] | undefined;

  // State
  /** The token of the attempt that is being made. */
  #token: string | undefined;
  #seen: SeenStore | undefined;
  #position: InboxPosition | undefined;
  /** Of the last connection, if it speaks `whatsapp-inbox.v1`. */
  #session: InboxSession | undefined;
  /** Loops that have begun; each gets everything. */
  #loops = new Set<Loop>();
  /** What waits for the first loop or handler, and what the last loop left. */
  #waiting: Held[] = [];
  /** Why this receiver has ended the connection itself. */
  #failure: WebSocketError | undefined;
  /** How the last connection ended; loops that begin after that end with it. */
  #ended: { error: unknown } | undefined;
  /** Who is handling a record, by its key: the same record is not handed over a second time meanwhile. */
  #progress = new Map<string, PendingNotification>();
  #keys = new Map<PendingNotification, readonly string[]>();
  /** How much text of the server's program waits, in characters and a little for each. */
  #waitingTexts = 0;
  /** The text of a message whose frames come one by one. */
  #partial = "";
  /** The app secrets as the handshake found them: only a server that speaks `whatsapp-inbox.v1` shows signatures. */
  #secrets: string | readonly string[] | undefined;

  /**
   * Makes a receiver; it does not connect yet.
   *
   * @param urlOrOptions Where to connect, or settings and handlers.
   * @param more Settings and handlers beside a URL.
   * @throws {OptionError} If the URL is not valid, or a setting is out of range.
   */
  constructor(urlOrOptions: string | URL | WhatsAppReceiverOptions = {}, more: WhatsAppReceiverOptions = {}) {
    const byUrl = typeof urlOrOptions === "string" || urlOrOptions instanceof URL;
    const given = byUrl ? more : urlOrOptions;
    const { useSSL = true, protocols = [INBOX_PROTOCOL, RECEIVER_PROTOCOL] } = given;
    const options: WhatsAppReceiverOptions = { ...given, useSSL, protocols };
    super(byUrl ? urlOrOptions : options, options);
    this.receiverToken = options.receiverToken;
    this.name = options.name;
    this.share = options.share ?? false;
    this.after = options.after;
    this.window = options.window;
    this.filter = options.filter;
    this.appSecret = options.appSecret;
    this.onGap = options.onGap;
    this.onCaughtUp = options.onCaughtUp;
    this.#onWhatsAppMessageReceived = options.onWhatsAppMessageReceived;
    this.#onStatusReceived = options.onStatusReceived;
    this.#onNotification = options.onNotification;
    const { deduplicate = true } = options;
    if (deduplicate !== false) this.#seen = deduplicate === true ? new MemorySeenStore(this.clock) : deduplicate;
    this.#assertUsable();
  }

  #assertUsable(): void {
    if (this.name !== undefined) assertReceiverName(this.name);
    if (this.share && this.name === undefined) throw new OptionError('The setting "share" needs a "name"');
    if (this.window !== undefined) assertNumber("window", this.window, 4096);
    if (this.window === 0) throw new OptionError('The setting "window" is 0: nothing would ever come');
    if (this.filter !== undefined) checkFilter(this.filter);
    const after = typeof this.after === "object" ? this.after.after : this.after;
    if (after !== undefined) assertNumber("after", after);
    const { receiverToken } = this;
    if (receiverToken !== undefined && typeof receiverToken !== "function") {
      assertSecrets("receiverToken", receiverToken);
    }
    if (this.appSecret === undefined) return;
    if (chooseVerifier() === undefined) {
      throw new OptionError('The setting "appSecret" has no place in a page: whoever sees the page sees it');
    }
    assertSecrets("appSecret", this.appSecret);
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

  /** A message of a customer came. Setting it hands over the messages that waited for it. */
  get onWhatsAppMessageReceived(): WhatsAppReceiverHandlers["onWhatsAppMessageReceived"] {
    return this.#onWhatsAppMessageReceived;
  }
  set onWhatsAppMessageReceived(handler: WhatsAppReceiverHandlers["onWhatsAppMessageReceived"]) {
    this.#onWhatsAppMessageReceived = handler;
    this.#release();
  }

  /** The status of a message of the business came. Setting it hands over what waited for it. */
  get onStatusReceived(): WhatsAppReceiverHandlers["onStatusReceived"] {
    return this.#onStatusReceived;
  }
  set onStatusReceived(handler: WhatsAppReceiverHandlers["onStatusReceived"]) {
    this.#onStatusReceived = handler;
    this.#release();
  }

  /** Something else came. Setting it hands over what waited for it. */
  get onNotification(): WhatsAppReceiverHandlers["onNotification"] {
    return this.#onNotification;
  }
  set onNotification(handler: WhatsAppReceiverHandlers["onNotification"]) {
    this.#onNotification = handler;
    this.#release();
  }

  /** A text message came. Setting it hands over what waited for it. */
  override get onMessageReceived(): WebSocketClient["onMessageReceived"] {
    return super.onMessageReceived;
  }
  override set onMessageReceived(handler: WebSocketClient["onMessageReceived"]) {
    super.onMessageReceived = handler;
    this.#release();
  }

  /** A binary message came. Setting it hands over what waited for it. */
  override get onBinaryDataReceived(): WebSocketClient["onBinaryDataReceived"] {
    return super.onBinaryDataReceived;
  }
  override set onBinaryDataReceived(handler: WebSocketClient["onBinaryDataReceived"]) {
    super.onBinaryDataReceived = handler;
    this.#release();
  }

  /** Whether somebody listens. */
  protected override get listens(): boolean {
    return super.listens || this.#onWhatsAppMessageReceived !== undefined || this.#onStatusReceived !== undefined ||
      this.#onNotification !== undefined;
  }

  /** Hands over what waited for a handler. */
  #release(): void {
    if (!this.listens) return;
    if (this.#session === undefined) return controlOf(this.connection)?.releaseMessages();
    // Not before the program has set its other handlers too: what nobody handles is acknowledged all the same.
    if (this.#waiting.length > 0) queueMicrotask(this.#handOverWaiting);
  }

  readonly #handOverWaiting = (): void => {
    if (!this.listens) return;
    for (const { pending, done } of this.#waiting.splice(0)) {
      this.#callHandlers(pending, done);
      pending.end(true);
    }
  };

  /**
   * How far this receiver has come, for `after` of another one. `undefined`: nothing is known, as with a server that does not speak
   * `whatsapp-inbox.v1`.
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
      this.#assertUsable();
    } catch (error) {
      return Promise.reject(error);
    }
    return super.connect(...options);
  }

  /** Each attempt shows the token, wherever `resolveUrl` and redirects have led it. */
  protected override get requiresTls(): boolean {
    return true;
  }

  /** Refuses a server that cannot do what is asked. */
  protected override accept(protocol: string): void {
    const needs = this.name ?? this.after ?? this.window ?? this.appSecret;
    this.#secrets = this.appSecret;
    if (protocol === INBOX_PROTOCOL || needs === undefined) return;
    const message =
      `The server does not speak "${INBOX_PROTOCOL}", which "name", "after", "window" and "appSecret" need`;
    throw new HandshakeError("ERR_HANDSHAKE_REFUSED", message, 101);
  }

  /** Says hello. */
  protected override attached(connection: ClientConnection): void {
    const before = this.position;
    this.#position = before;
    this.#ended = undefined;
    // What is not acknowledged comes again.
    const again = this.#session === undefined ? [] : this.#waiting.splice(0);
    for (const { queue } of this.#loops) again.push(...queue.takeAll());
    for (const { pending } of again) this.#forgetProgress(pending);
    this.#waitingTexts = 0;
    this.#failure = undefined;
    this.#session = undefined;
    if (connection.protocol !== INBOX_PROTOCOL) return this.#endLoops(connection.protocol);
    // Nothing waits in the connection: what is not acknowledged waits at the server.
    controlOf(connection)?.releaseMessages();
    const given = typeof this.after === "number" ? { after: this.after } : this.after;
    const { name, share, window, filter } = this;
    this.#session = new InboxSession({
      send: (message) => void connection.send(message),
      notification: (head, body) => this.#onInboxNotification(head, body),
      current: (seq) => void this.callHandler("onCaughtUp", () => this.onCaughtUp?.(seq)),
      gap: (after, until) => void this.callHandler("onGap", () => this.onGap?.(after, until)),
    }, { name, share: share || undefined, window, filter, ...(before ?? given) });
    for (const loop of this.#loops) loop.session = this.#session;
  }

  /** A server that speaks something else by now has nothing for loops that have begun. */
  #endLoops(protocol: string): void {
    const error = new HandshakeError("ERR_HANDSHAKE_REFUSED", `The server speaks "${protocol}" by now`, 101);
    for (const { queue } of this.#loops) queue.end(error);
    this.#loops.clear();
  }

  /** What the server says about this receiver, it will say again. */
  protected override get terminalCodes(): readonly number[] {
    return [...super.terminalCodes, InboxCloseCode.BadMessage, InboxCloseCode.NameConflict];
  }

  /** Loops end with the last connection. */
  protected override ended(info: CloseInfo | undefined): void {
    // Without a connection there were no loops either, but those that wait for the next one.
    const { received, code } = info ?? { received: undefined, code: CloseCode.AbnormalClosure };
    const lost = this.#failure ??
      new TransportError("ERR_CONNECTION_LOST", `The connection was lost without a close frame (${code})`);
    this.#ended = { error: received === undefined || this.#failure !== undefined ? lost : undefined };
    for (const { queue } of this.#loops) queue.end(this.#ended.error);
    // What comes on a later connection is not theirs.
    this.#loops.clear();
  }

  /** Raw text first, then one call a record. */
  protected override deliver(data: MessageData, frame?: FrameInfo): boolean | Promise<boolean> {
    const session = this.#session;
    if (session === undefined) return this.#deliverPlain(data, frame);
    if (typeof data === "string") return this.#onText(data);
    try {
      session.receive(data);
      return true;
    } catch (error) {
      if (error instanceof OptionError) this.#fail(InboxCloseCode.BadMessage, badMessage(error));
      else this.#storeFailed(error);
      return false;
    }
  }

  /** Without its store a receiver would hand over things twice. */
  #storeFailed(error: unknown): void {
    this.#fail(CloseCode.InternalError, new HandlerError("deduplicate", error));
  }

  #fail(code: number, error: WebSocketError): void {
    this.#failure ??= error;
    controlOf(this.connection)?.closeWith(code, error);
    this.reportError(error);
  }

  #deliverPlain(data: MessageData, frame?: FrameInfo): boolean | Promise<boolean> {
    const result = super.deliver(data, frame);
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

  #onInboxNotification(head: NotificationMessage, body: Uint8Array): void {
    const { seq, signature, receivedAt, redelivered = false, partial = false } = head;
    const session = this.#session!;
    if (this.#secrets !== undefined && !chooseVerifier()!(body, signature, this.#secrets)) {
      const why = partial ? "it is not whole, and so not signed" : "it is not by this app secret";
      // Not acknowledged: perhaps it is the secret that is wrong.
      return this.#refuseUnsigned(`The signature of notification ${seq} does not match: ${why}`);
    }
    const more = { seq, signature, receivedAt: new Date(receivedAt), redelivered, partial };
    this.#hand(this.#makePending(decodeExact(body) ?? body, more, () => session.done(seq)));
  }

  #refuseUnsigned(message: string): void {
    const error = new TransportError("ERR_SIGNATURE", message);
    if (this.onError === undefined) console.error(error);
    this.#fail(CloseCode.PolicyViolation, error);
  }

  /** A text of the server's program, which may be a notification all the same; there is nothing to acknowledge. */
  #onText(text: string): boolean {
    const typed = this.#secrets === undefined;
    // Nothing signs a text: not even its raw form may pass for a notification.
    if (!typed && resemblesNotification(text)) {
      this.#refuseUnsigned("A text message looks like a notification, and has no signature");
      return false;
    }
    const size = text.length + 64;
    if (this.#waitingTexts > MAX_WAITING_TEXTS) {
      const message = `More than ${MAX_WAITING_TEXTS} characters of text wait for the program`;
      this.#fail(CloseCode.PolicyViolation, new TransportError("ERR_SLOW_CONSUMER", message));
      return false;
    }
    this.#waitingTexts += size;
    const session = this.#session;
    try {
      this.#hand(this.#makePending(text, typed ? {} : { records: [] }, () => {
        if (session === this.#session) this.#waitingTexts -= size;
      }));
    } catch (error) {
      this.#storeFailed(error);
    }
    return true;
  }

  #hand(pending: PendingNotification): void {
    pending.begin();
    if (this.listens) this.#callHandlers(pending, 0);
    for (const { queue, session } of this.#loops) {
      if (session !== this.#session || !this.#isForLoops(pending)) continue;
      pending.begin();
      queue.push({ pending, done: 0 });
    }
    if (!this.listens && this.#loops.size === 0) {
      pending.begin();
      this.#waiting.push({ pending, done: 0 });
    }
    pending.end(true);
  }

  /** Whether it may go to loops: where signatures are checked, unsigned text goes to the handler of text only. */
  #isForLoops({ notification }: PendingNotification): boolean {
    return this.#secrets === undefined || notification.seq !== undefined;
  }

  /** @param done So many records are done already. */
  #callHandlers(pending: PendingNotification, done: number): void {
    if (done === 0) this.#track(pending, super.deliver(pending.notification.raw));
    this.#callTyped(pending, done);
  }

  #callTyped(pending: PendingNotification, done = 0): void {
    for (const record of pending.notification.records.slice(done)) this.#track(pending, this.#callFor(record));
  }

  #callFor(record: WhatsAppRecord): boolean | Promise<boolean> {
    if (record.kind === "message") {
      return this.callHandler("onWhatsAppMessageReceived", () => this.#onWhatsAppMessageReceived?.(record));
    }
    if (record.kind === "status") return this.callHandler("onStatusReceived", () => this.#onStatusReceived?.(record));
    return this.callHandler("onNotification", () => this.#onNotification?.(record));
  }

  #track(pending: PendingNotification, result: boolean | Promise<boolean>): void {
    pending.begin();
    if (typeof result === "boolean") pending.end(result);
    else result.then((success) => pending.end(success));
  }

  /** Without what was handled already, is being handled, or is not wanted. */
  #makePending(
    raw: string | Uint8Array,
    more: Partial<WhatsAppNotification> = {},
    onDone: () => void = () => {},
    scope = "",
  ): PendingNotification {
    const leaders = new Set<PendingNotification>();
    const own: string[] = [];
    const records = more.records ?? parseNotification(raw).records.filter((record) => {
      if (this.filter !== undefined && !recordPasses(record, this.filter)) return false;
      const known = this.#seen === undefined ? undefined : recordKey(record);
      if (known === undefined) return true;
      const key = scope + known;
      // One may stand twice in the same notification.
      if (this.#seen!.has(key) || own.includes(key)) return false;
      const leader = this.#progress.get(key);
      if (leader !== undefined) leaders.add(leader);
      else own.push(key);
      return leader === undefined;
    });
    const notification = { raw, records, signature: "", redelivered: false, partial: false, ...more };
    const session = this.#session;
    const pending: PendingNotification = new PendingNotification(notification, (success) => {
      this.#forgetProgress(pending);
      // A handler of an earlier connection may fail late: only a new one brings the notification again.
      if (!success && session === this.#session) return this.#closeFor(session);
      if (!success) return;
      try {
        for (const key of own) this.#seen?.add(key);
      } catch (error) {
        return this.#storeFailed(error);
      }
      onDone();
    });
    for (const key of own) this.#progress.set(key, pending);
    if (own.length > 0) this.#keys.set(pending, own);
    for (const leader of leaders) pending.follow(leader);
    return pending;
  }

  #closeFor(session: InboxSession | undefined): void {
    if (session === undefined) return;
    const error = new TransportError("ERR_ABORTED", "A notification was not handled");
    controlOf(this.connection)?.closeWith(CloseCode.InternalError, error);
  }

  #forgetProgress(pending: PendingNotification): void {
    for (const key of this.#keys.get(pending) ?? []) this.#progress.delete(key);
    this.#keys.delete(pending);
  }

  /** With `frameByFrame`: the whole text, once its last frame has come. */
  #assemble(data: string, frame: FrameInfo): string | undefined {
    const text = frame.first ? data : this.#partial + data;
    this.#partial = frame.final ? "" : text;
    return frame.final ? text : undefined;
  }

  /** Whether the token can stand in a header. */
  #headerHolds(token: string, { sendsHeaders }: Connector): boolean {
    return sendsHeaders && isVisibleAscii(token);
  }

  /** Asks for the token. */
  protected override async prepareAttempt(connector: Connector, signal: AbortSignal): Promise<HeaderSource> {
    const given = await super.prepareAttempt(connector, signal);
    const { receiverToken } = this;
    this.#token = typeof receiverToken === "function"
      ? await this.askForAttempt("receiverToken", receiverToken, signal)
      : receiverToken;
    if (this.#token !== undefined) assertSecrets("receiverToken", this.#token);
    return given;
  }

  /** Adds the token, if it can stand in a header. */
  protected override handshakeHeaders(connector: Connector, given: HeaderSource): Headers {
    const headers = super.handshakeHeaders(connector, given);
    const token = this.#token;
    if (token !== undefined && this.#headerHolds(token, connector)) headers.set("authorization", `Bearer ${token}`);
    return headers;
  }

  /** Adds the token, if it cannot stand in a header. */
  protected override handshakeProtocols(connector: Connector): readonly string[] {
    const token = this.#token;
    // Frames that come one by one are for the program to put together.
    const frameByFrame = this.options.frameByFrame === true;
    const protocols = super.handshakeProtocols(connector).filter((name) => !frameByFrame || name !== INBOX_PROTOCOL);
    if (token === undefined || this.#headerHolds(token, connector)) return protocols;
    // The server never echoes the entry, and a browser insists on an answer to what it offers.
    if (protocols.length === 0) {
      throw new OptionError('Cannot show a token beside no subprotocol: "protocols" is empty');
    }
    return [...protocols, tokenProtocol(token)];
  }

  // ---- Loops ---------------------------------------------------------------------------------------------------

  /**
   * The notifications, one by one. Each is acknowledged when the next one is asked for. A loop begins with its first step, and ends with
   * the connection; it throws if that was not by a close frame. Its pace is the program's. Where several loops run, or
   * handlers are set too, each gets everything. When the last one is left, the next loop or handler goes on behind what it had.
   */
  get notifications(): AsyncIterableIterator<WhatsAppNotification, undefined> {
    return this.#iterate(stepOver((notification) => notification));
  }

  #iterate<Chosen>(step: Step<Chosen>): AsyncIterableIterator<Chosen, undefined> {
    // What is not connected says so at once: only then is it known what is spoken.
    if (this.#session === undefined && this.connection === undefined) {
      throw new StateError("ERR_NOT_OPEN", "Cannot read: the receiver is not connected");
    }
    if (this.#session === undefined) return this.#runPlainLoop(super[Symbol.asyncIterator](), step);
    return this.#runLoop(step);
  }

  async *#runLoop<Chosen>(step: Step<Chosen>): AsyncGenerator<Chosen, undefined> {
    const loop = this.#openLoop();
    let held: Held | undefined;
    try {
      for (;;) {
        const { done, value } = await loop.queue.next();
        if (done) return undefined;
        held = value;
        yield* step(held);
        held = undefined;
        value.pending.end(true);
      }
    } finally {
      this.#closeLoop(loop, held);
    }
  }

  #openLoop(): Loop {
    const loop = { session: this.#session, queue: new AsyncQueue<Held>() };
    for (const held of this.#waiting.splice(0)) {
      if (this.#isForLoops(held.pending)) loop.queue.push(held);
      else held.pending.end(true);
    }
    this.#loops.add(loop);
    if (this.#ended !== undefined) loop.queue.end(this.#ended.error);
    return loop;
  }

  #closeLoop(loop: Loop, held: Held | undefined): void {
    this.#loops.delete(loop);
    const rest = [...held === undefined ? [] : [held], ...loop.queue.takeAll()];
    if (loop.session !== this.#session) {
      // It has come again on the next connection.
      for (const { pending } of rest) this.#forgetProgress(pending);
    } else if (this.listens || this.#loops.size > 0) {
      // Others get everything: what this one had not come to is their business.
      for (const { pending } of rest) pending.end(true);
    } else this.#waiting.push(...rest);
  }

  /** What handlers have remembered does not count for loops: in this way both get everything. */
  async *#runPlainLoop<Chosen>(
    messages: AsyncIterable<MessageData>,
    step: Step<Chosen>,
  ): AsyncGenerator<Chosen, undefined> {
    const scope = this.listens ? "loop " : "";
    let held = this.#waiting.shift();
    try {
      for (; held !== undefined; held = this.#waiting.shift()) {
        yield* step(held);
        held.pending.end(true);
      }
      for await (const raw of messages) {
        held = { pending: this.#makePending(raw, {}, () => {}, scope), done: 0 };
        held.pending.begin();
        yield* step(held);
        held.pending.end(true);
        held = undefined;
      }
      return undefined;
    } finally {
      if (held !== undefined) this.#waiting.unshift(held);
    }
  }

  /** The messages of customers, one by one: see `notifications`. */
  get messages(): AsyncIterableIterator<WhatsAppMessage, undefined> {
    return this.#iterate(stepThrough((record) => record.kind === "message" ? record : undefined));
  }

  /** The statuses of messages of the business, one by one: see `notifications`. */
  get statuses(): AsyncIterableIterator<WhatsAppStatus, undefined> {
    return this.#iterate(stepThrough((record) => record.kind === "status" ? record : undefined));
  }

  /** Everything that notifications tell, one by one: see `notifications`. */
  get records(): AsyncIterableIterator<WhatsAppRecord, undefined> {
    return this.#iterate(stepThrough((record) => record));
  }

  /**
   * Iterates over the raw notifications: see `notifications`.
   *
   * @returns The iterator.
   */
  override [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined> {
    return this.#session === undefined ? super[Symbol.asyncIterator]() : this.#iterate(stepOver(({ raw }) => raw));
  }

  /** The raw notifications as a stream: see `notifications`. */
  override get readable(): ReadableStream<MessageData> {
    if (this.#session === undefined) return super.readable;
    const raw = this[Symbol.asyncIterator]();
    return new ReadableStream<MessageData>({
      pull: async (controller) => {
        const { done, value } = await raw.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void this.disconnect(true, CloseCode.NormalClosure),
    }, { highWaterMark: 0 });
  }
}

/** Members that a program may look for in a notification; the last one would become part of a copy of it. */
const NOTIFICATION_KEYS: readonly string[] = ["object", "entry", "__proto__"];

/** Whether a program might take a text for a notification of Meta's, of whatever product. */
function resemblesNotification(text: string): boolean {
  try {
    const root: unknown = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
    return typeof root === "object" && root !== null && NOTIFICATION_KEYS.some((key) => Object.hasOwn(root, key));
  } catch {
    return false;
  }
}

/** The text of bytes that are valid UTF-8, a byte order mark included. */
function decodeExact(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Hands over notifications as a whole, but for those that another loop has come through. */
function stepOver<Chosen>(choose: (notification: WhatsAppNotification) => Chosen): Step<Chosen> {
  return function* (held) {
    const { notification } = held.pending;
    if (held.done > 0 && held.done >= notification.records.length) return;
    held.done = Infinity;
    yield choose(notification);
  };
}

/** Hands over what is chosen of the records, behind those that another loop had. */
function stepThrough<Chosen>(choose: (record: WhatsAppRecord) => Chosen | undefined): Step<Chosen> {
  return function* (held) {
    const { records } = held.pending.notification;
    while (held.done < records.length) {
      const chosen = choose(records[held.done++]);
      if (chosen !== undefined) yield chosen;
    }
  };
}
