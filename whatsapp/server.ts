/**
 * The WhatsApp pair: a webhook server that takes Meta's callbacks, keeps them, and forwards them, byte for byte, over WebSocket, and a
 * receiver that gets typed messages.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { concatAll } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageData } from "../protocol/payload.ts";
import { failConnection, sendShared, type WebSocketConnection } from "../connection/connection.ts";
import { type BodyTaker, TextReply } from "../server/text_reply.ts";
import { hasCommonName, SUBJECT_FORMS, type SubjectForm } from "./distinguished_name.ts";
import { HandlerError, JournalError, OptionError } from "../base/errors.ts";
import { FailedGuesses } from "./failed_guesses.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import { textResponse } from "../protocol/http.ts";
import { InboxHub } from "../inbox/hub.ts";
import type { InboxMember, InboxSink } from "../inbox/member.ts";
import { badMessage, checkReceiverMessage, decodeInboxMessage, INBOX_PROTOCOL, InboxCloseCode, MAX_RECEIVER_MESSAGE, type ReceiverMessage } from "../inbox/protocol.ts";
import type { Journal, JournalEntry } from "../journal/journal.ts";
import { SqliteJournal } from "../journal/sqlite_journal.ts";
import { assertJournalPath } from "../journal/database_files.ts";
import { claimJournal, releaseJournal } from "../journal/claims.ts";
import { isLoopback } from "../client/loopback.ts";
import { MemoryJournal } from "../journal/memory_journal.ts";
import { assertNumber } from "../base/ranges.ts";
import { refuseSetting } from "../base/settings.ts";
import type { AllowResult, StopOptions } from "../server/handlers.ts";
import type { WebSocketServerOptions } from "../server/settings.ts";
import type { ServerContext } from "../server/context.ts";
import { extendServer, WebSocketServer } from "../server/server.ts";
import { checkReceiverTokens, cursorName, type FailedAttempts, findReceiver, isAuthentic, isOneOf, type ReceiverToken, type ReceiverTokens, type WhatsAppApp } from "./access.ts";
import { assertSecrets, isSecret, listOf } from "../base/secrets.ts";
import { Envelope, mayHave, type WhatsAppFilter } from "../cloud_api/filter.ts";
import { Refusals } from "./refusals.ts";
import { useVerifier } from "./install_verifier.ts";
import { collectNotification } from "./notification_body.ts";
import { decodeAscii } from "../protocol/utf8.ts";
import { RECEIVER_PROTOCOL } from "./receiver.ts";
import { isSignature, verifySignature } from "../cloud_api/signature.ts";

/** What is known of one notification besides its text. */
export interface WhatsAppDelivery {
  /** The text as bytes, as Meta sent it. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none, which only happens with `appSecret: null`. */
  readonly signature: string;
  /** Whether the signature was checked. */
  readonly verified: boolean;
  /** When it came. */
  readonly receivedAt: Date;
  /** The address it came from: that of the proxy with `behindProxy`. */
  readonly remoteAddress: string;
}

/** Handler of {@linkcode WhatsAppServer}. */
export type RawMessageHandler = (
  message: string,
  delivery: WhatsAppDelivery,
) => boolean | void | Promise<boolean | void>;

/** Settings and handlers of a {@linkcode WhatsAppServer}. */
export interface WhatsAppServerOptions<Data = unknown> extends Omit<WebSocketServerOptions<Data>, "useSSL"> {
  /**
   * Subprotocols that receivers may speak.
   * @default {["whatsapp-inbox.v1", "whatsapp-notifications"]}
   */
  protocols?: readonly string[];
  /** What Meta must show to have the URL verified: one, or several. Without it every verification is refused. */
  verifyToken?: string | readonly string[];
  /**
   * The app secret of Meta's app, with which notifications are signed; several while one is replaced. `null`: unsigned ones are
   * taken, from anybody.
   */
  appSecret?: string | readonly string[] | null;
  /**
   * More of Meta's apps, each with a path of its own.
   * @default {[]}
   */
  apps?: readonly WhatsAppApp[];
  /**
   * What a receiver must show: one token, or several, with names and what each may have. `null`: anybody may receive, unless
   * `onAllow` says otherwise.
   */
  receiverToken?: ReceiverTokens | null;
  /**
   * Where notifications are kept: the path of a file, or a journal of the program's own making, which the program closes, and which no other
   * server uses meanwhile. With a file each one is on disk before Meta gets its 200. `null`: in memory only, 64 MiB of them; without the setting too, and
   * the start says so on the console.
   */
  journal?: string | Journal | null;
  /**
   * Run without TLS of its own, on a loopback address, behind a proxy that speaks TLS.
   * @default {false}
   */
  behindProxy?: boolean;
  /**
   * The header field in which the proxy reports the subject of the client certificate, such as `x-amzn-mtls-clientcert-subject`: then
   * notifications must come with Meta's. With `behindProxy` only. The proxy must overwrite what a client sends in it.
   */
  clientCertificateHeader?: string;
  /**
   * How the proxy writes that subject. `"rfc4514"` is what nginx has in `$ssl_client_s_dn`, Apache in `SSL_CLIENT_S_DN`, HAProxy in
   * `ssl_c_s_dn(,0,rfc2253)`, Caddy in `{http.request.tls.client.subject}`, and Envoy in `x-forwarded-client-cert`. `"slashes"` is that
   * of nginx's `$ssl_client_s_dn_legacy` and of HAProxy's `ssl_c_s_dn`: unless OpenSSL 3 writes it, a certificate with a slash in a value
   * can forge it. `"commonName"` is that of HAProxy's `ssl_c_s_dn(cn)`.
   * @default {"rfc4514"}
   */
  clientCertificateForm?: SubjectForm;
  /**
   * The common name of the certificate that Meta shows.
   * @default {"client.webhooks.fbclientcerts.com"}
   */
  clientCertificateName?: string;
  /**
   * How long an answer to a wrong token is held back, in ms; 0: not at all. After 20 wrong ones of one address (of one network of 64 bits
   * with IPv6; 100 of loopback, where a proxy is) within this time, its next ones are answered with 429 without a look at the token.
   * @default {1000}
   */
  failureDelay?: number;
  /**
   * How long a notification waits for the promise that `onRawMessage` returns, in ms; 0: no limit. Then it is kept and forwarded, whatever
   * the promise says later, and `onError` gets a `HandlerError` with the code `ERR_HANDLER_TIMEOUT`.
   * @default {5000}
   */
  rawMessageTimeout?: number;
  /**
   * A notification came, as raw JSON; `false` stops the forwarding of this one. Meta gets its 200 all the same, and waits for it: see
   * `rawMessageTimeout`.
   */
  onRawMessage?: RawMessageHandler;
}

useVerifier(verifySignature);

const SIGNATURE_HEADER = "x-hub-signature-256";
const META_COMMON_NAME = "client.webhooks.fbclientcerts.com";
const KEPT = new TextReply(200, "OK");
const NOT_KEPT = new TextReply(503, "The notification cannot be kept", { "retry-after": "5" });
const NO_CERTIFICATE = new TextReply(403, "The client certificate is not Meta's");
const NO_JSON = new TextReply(415, "A notification is application/json");
const NO_LENGTH = new TextReply(411, "A notification has a Content-Length");
const NO_SIGNATURE = new TextReply(401, "X-Hub-Signature-256 is missing or malformed");
const WRONG_SIGNATURE = new TextReply(401, "The signature does not match the body");
/** How long those who bring the same notification wait for a journal that does not answer, in ms. */
const JOURNAL_PATIENCE = 30_000;

/** A notification that is being kept. */
interface Keeping {
  answer?: Promise<TextReply>;
  /** Until then, by the clock, the same notification waits for this answer; later it is tried anew. */
  until: number;
}

/** What {@linkcode WhatsAppServer} knows of an open connection. */
interface Receiver {
  token: ReceiverToken | undefined;
  /** Where it is in `whatsapp-inbox.v1`; `undefined`: it speaks another subprotocol. */
  inbox?: InboxState;
}

interface InboxState {
  sink: InboxSink;
  /** What the journal ended with when it connected. */
  last: number | undefined;
  member: InboxMember | "joining" | undefined;
  cancelTimer: () => void;
  /** The pieces of a message, with `frameByFrame`. */
  partial: Uint8Array[];
  /** The bytes of all pieces. */
  partialSize: number;
}

/**
 * Takes WhatsApp Cloud API webhooks and forwards them to all receivers.
 *
 * It answers on `pathName`: Meta's verification (GET), notifications (POST), and the WebSockets of receivers. Other HTTP requests
 * go to `onCommandGet`.
 *
 * @example
 * ```ts
 * import { WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * export const server = new WhatsAppServer({
 *   port: 443,
 *   pathName: "/whatsapp",
 *   certificateFile: "fullchain.pem",
 *   certificateKeyFile: "privkey.pem",
 *   verifyToken: "chosen by you, entered in Meta's dashboard",
 *   appSecret: "from Meta's dashboard",
 *   receiverToken: "chosen by you, given to your receivers",
 *   journal: "notifications.db",
 * });
 * ```
 */
export class WhatsAppServer<Data = unknown> extends WebSocketServer<Data> {
  /** A notification came. */
  onRawMessage?: RawMessageHandler;

  // Settings
  /** Always `true`, but for `behindProxy`: Meta delivers over TLS only. Setting it throws. */
  declare useSSL: boolean;
  #verifyToken: string | readonly string[] | undefined;
  #appSecret: string | readonly string[] | null | undefined;
  #apps: readonly WhatsAppApp[];
  #receiverToken: ReceiverTokens | null | undefined;
  #journal: string | Journal | null | undefined;
  #behindProxy: boolean;
  #clientCertificateHeader: string;
  #clientCertificateForm: SubjectForm;
  #clientCertificateName: string;
  #failureDelay: number;
  #rawMessageTimeout: number;

  // State
  #hub: InboxHub | undefined;
  #opening: Promise<InboxHub> | undefined;
  #receivers = new Map<WebSocketConnection<Data>, Receiver>();
  /** Whose token was shown, from the handshake on. */
  #shown = new WeakMap<WebSocketConnection<Data>, ReceiverToken>();
  /** Notifications that are being kept, by their digest: what comes twice at once waits for the first. */
  #keeping = new Map<string, Keeping>();
  /** Cancels the timers of those that wait for `onRawMessage`. */
  #undecided = new Set<() => void>();
  /** Failures of the journal, of which there are many in an outage. */
  #refusals: Refusals | undefined;
  #readFailures: Refusals | undefined;
  readonly #core: ServerContext<Data>;
  #failed: FailedAttempts = { receiverToken: 0, verifyToken: 0, signature: 0, clientCertificate: 0 };
  #guesses: FailedGuesses | undefined;

  static {
    refuseSetting<WhatsAppServer>(this.prototype, "useSSL", 'a WhatsAppServer speaks TLS; see "behindProxy"');
  }

  /**
   * Makes a server; it does not listen yet.
   *
   * @param options Settings and handlers.
   * @throws {OptionError} If a setting is out of range.
   */
  constructor(options: WhatsAppServerOptions<Data> = {}) {
    const { protocols = [INBOX_PROTOCOL, RECEIVER_PROTOCOL] } = options;
    super({ ...options, protocols, useSSL: !options.behindProxy });
    this.#core = extendServer<Data>(this, {
      prepare: () => this.#prepare(),
      finish: () => this.#finish(),
      allow: (connection) => this.#allow(connection),
      opened: (connection) => this.#opened(connection),
      ended: (connection) => this.#ended(connection),
      receive: (connection, data, frame) => this.#receive(connection, data, frame),
      respond: (request, connection) => this.#respond(request, connection),
      respondDirectly: (line, fields, connection) => this.#respondDirectly(line, fields, connection),
    });
    this.#verifyToken = options.verifyToken;
    this.#appSecret = options.appSecret;
    this.#apps = options.apps ?? [];
    this.#receiverToken = options.receiverToken;
    assertJournal(options.journal);
    this.#journal = options.journal;
    this.onRawMessage = options.onRawMessage;
    this.#behindProxy = options.behindProxy ?? false;
    this.#clientCertificateHeader = options.clientCertificateHeader ?? "";
    this.#clientCertificateForm = options.clientCertificateForm ?? "rfc4514";
    assertSubjectForm(this.#clientCertificateForm);
    this.#clientCertificateName = options.clientCertificateName ?? META_COMMON_NAME;
    this.#failureDelay = options.failureDelay ?? 1000;
    assertNumber("failureDelay", this.#failureDelay, 0x7fffffff);
    this.#rawMessageTimeout = options.rawMessageTimeout ?? 5000;
    assertNumber("rawMessageTimeout", this.#rawMessageTimeout);
  }

  /** Token for the verification of the URL; "": every verification is refused. */
  get verifyToken(): string | readonly string[] {
    return this.#verifyToken ?? "";
  }
  set verifyToken(value: string | readonly string[]) {
    this.#core.settings.assertUnlocked("verifyToken");
    this.#verifyToken = value === "" ? undefined : value;
  }

  /** The app secret, or several, or `null` to take unsigned notifications. */
  get appSecret(): string | readonly string[] | null | undefined {
    return this.#appSecret;
  }
  set appSecret(value: string | readonly string[] | null | undefined) {
    this.#core.settings.assertUnlocked("appSecret");
    this.#appSecret = value;
  }

  /** More apps, each with a path of its own. */
  get apps(): readonly WhatsAppApp[] {
    return this.#apps;
  }
  set apps(value: readonly WhatsAppApp[]) {
    this.#core.settings.assertUnlocked("apps");
    this.#apps = value;
  }

  /** What a receiver must show, or `null` to let anybody receive. */
  get receiverToken(): ReceiverTokens | null | undefined {
    return this.#receiverToken;
  }
  set receiverToken(value: ReceiverTokens | null | undefined) {
    this.#core.settings.assertUnlocked("receiverToken");
    this.#receiverToken = value;
  }

  /** Where notifications are kept. */
  get journal(): string | Journal | null | undefined {
    return this.#journal;
  }
  set journal(value: string | Journal | null | undefined) {
    this.#core.settings.assertUnlocked("journal");
    assertJournal(value);
    this.#journal = value;
  }

  /** The header field in which the proxy reports the subject of the client certificate, or "". */
  get clientCertificateHeader(): string {
    return this.#clientCertificateHeader;
  }
  set clientCertificateHeader(value: string) {
    this.#core.settings.assertUnlocked("clientCertificateHeader");
    this.#clientCertificateHeader = value;
  }

  /** How the proxy writes the subject of the client certificate. */
  get clientCertificateForm(): SubjectForm {
    return this.#clientCertificateForm;
  }
  set clientCertificateForm(value: SubjectForm) {
    this.#core.settings.assertUnlocked("clientCertificateForm");
    assertSubjectForm(value);
    this.#clientCertificateForm = value;
  }

  /** The common name of the certificate that Meta shows. */
  get clientCertificateName(): string {
    return this.#clientCertificateName;
  }
  set clientCertificateName(value: string) {
    this.#core.settings.assertUnlocked("clientCertificateName");
    this.#clientCertificateName = value;
  }

  /** How long an answer to a wrong token is held back, in ms. */
  get failureDelay(): number {
    return this.#failureDelay;
  }
  set failureDelay(value: number) {
    this.#core.settings.assertUnlocked("failureDelay");
    assertNumber("failureDelay", value, 0x7fffffff);
    this.#failureDelay = value;
  }

  /** How long a notification waits for the promise of `onRawMessage`, in ms; 0: no limit. */
  get rawMessageTimeout(): number {
    return this.#rawMessageTimeout;
  }
  set rawMessageTimeout(value: number) {
    this.#core.settings.assertUnlocked("rawMessageTimeout");
    assertNumber("rawMessageTimeout", value);
    this.#rawMessageTimeout = value;
  }

  /** How often somebody was refused, since the server was made. */
  get failedAttempts(): Readonly<FailedAttempts> {
    return { ...this.#failed };
  }

  #countFailure(reason: keyof FailedAttempts): void {
    this.#failed[reason]++;
    this.#core.meter.refuse(reason);
  }

  /** Whether it runs without TLS behind a proxy. */
  get behindProxy(): boolean {
    return this.#behindProxy;
  }
  set behindProxy(value: boolean) {
    this.#core.settings.assertUnlocked("behindProxy");
    this.#core.settings.store.set("useSSL", !value);
    this.#behindProxy = value;
  }

  /**
   * Starts listening.
   *
   * @returns Resolves when the port is open.
   * @throws {OptionError} If a secret is neither given nor waived, or `behindProxy` is not on a loopback address.
   * @throws {StateError} If another server uses the journal.
   * @throws {JournalError} If the journal cannot be opened.
   */
  override start(): Promise<void> {
    try {
      this.#assertConfigured();
    } catch (error) {
      return Promise.reject(error);
    }
    return super.start();
  }

  #assertConfigured(): void {
    for (const { appSecret, verifyToken, pathName } of this.#allApps()) {
      if (appSecret === undefined || appSecret === "") {
        const app = pathName === this.pathName ? "" : ` for "${pathName}"`;
        throw new OptionError(`Cannot start: "appSecret"${app} is not set; null takes unsigned notifications`);
      }
      if (appSecret !== null) assertSecrets("appSecret", appSecret);
      if (verifyToken !== undefined) assertSecrets("verifyToken", verifyToken);
      if (pathName !== "" && !pathName.startsWith("/")) {
        throw new OptionError(`Cannot start: the path "${pathName}" of "apps" does not start with "/"`);
      }
    }
    if ((this.receiverToken === undefined && this.onAllow === undefined) || this.receiverToken === "") {
      throw new OptionError('Cannot start: "receiverToken" is not set; null lets anybody receive');
    }
    if (this.receiverToken) checkReceiverTokens(this.receiverToken);
    if (this.#behindProxy && !isLoopback(this.hostname)) {
      throw new OptionError(`Cannot start: "behindProxy" needs a loopback address, not "${this.hostname}"`);
    }
    if (this.#clientCertificateHeader !== "" && !this.#behindProxy) {
      throw new OptionError('Cannot start: "clientCertificateHeader" needs "behindProxy": else anybody can send it');
    }
    if (this.#clientCertificateHeader !== "" && !isSecret(this.#clientCertificateName)) {
      throw new OptionError('Cannot start: "clientCertificateName" is empty');
    }
  }

  // ---- Journal -------------------------------------------------------------------------------------------------

  /** Opens the journal before the port. */
  async #prepare(): Promise<void> {
    await this.#openHub();
    if (this.#journal !== undefined) return;
    console.warn(
      'WhatsAppServer: notifications are kept in memory only; set "journal" to the path of a file, or to null for no such warning',
    );
  }

  /** Opened late when the server does not listen: see `acceptStream`. */
  #openHub(): Promise<InboxHub> {
    this.#opening ??= this.#makeHub().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #makeHub(): Promise<InboxHub> {
    const given = this.#journal;
    const { clock } = this.#core.settings.current;
    const journal = typeof given === "string"
      ? await SqliteJournal.open(given, { clock })
      : given ?? new MemoryJournal({ clock });
    claimJournal(journal);
    const end = { kept: "Notifications are kept again", read: "Receivers can join again" };
    this.#refusals ??= new Refusals(clock, { byMessage: false, more: "got a 503", end: end.kept });
    this.#readFailures ??= new Refusals(clock, { byMessage: true, more: "failed", end: end.read });
    const hub = new InboxHub(journal, (error) => this.#readFailed(error));
    journal.listen({
      appended: (entry) => this.#forward(entry, hub),
      error: (error) => this.#core.calls.report(error),
      lost: () => hub.lost(),
    });
    this.#hub = hub;
    return hub;
  }

  #readFailed(error: unknown, connection?: WebSocketConnection<Data>): void {
    const report = error instanceof JournalError ? this.#readFailures?.failed(error) : error;
    if (report !== undefined) this.#core.calls.report(report, connection);
  }

  /** Closes the journal after the last connection has ended. */
  async #finish(): Promise<void> {
    const hub = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    this.#hub = undefined;
    // No request waits for these any more, and the next start knows nothing of them.
    for (const cancel of this.#undecided) cancel();
    this.#undecided.clear();
    this.#keeping.clear();
    if (hub === undefined) return;
    // What it had to say at the end is heard still.
    if (hub.journal !== this.#journal) await hub.journal.close();
    hub.journal.listen(undefined);
    releaseJournal(hub.journal);
  }

  /**
   * Stops: as `WebSocketServer`, and closes the journal.
   *
   * @param options Close code, reason, and time.
   * @returns Resolves when all connections have ended and the port is free.
   * @throws {OptionError} If code or reason are out of range.
   */
  override stop(options: StopOptions = {}): Promise<void> {
    const stopped = super.stop(options);
    // Answers that are held back must not hold up the end, nor keep the program alive behind it.
    this.#guesses?.release();
    return stopped.then(async () => {
      this.#guesses?.release();
      if (!this.#core.settings.locked) await this.#finish();
    });
  }

  // ---- Receivers -----------------------------------------------------------------------------------------------

  /** Lets a receiver in that shows a token; after that `onAllow` is asked. */
  #allow(connection: WebSocketConnection<Data>): AllowResult {
    const tokens = this.#receiverToken;
    // Only what the program waived is not asked for; without a token it is onAllow that decides.
    const waived = tokens === null || (tokens === undefined && this.onAllow !== undefined);
    if (!waived) {
      const refused = this.#refuseGuess(connection);
      if (refused !== undefined) return refused;
      const token = tokens && findReceiver(connection.request.headers, checkReceiverTokens(tokens));
      if (!token) {
        this.#countFailure("receiverToken");
        const refusal = textResponse(401, "The token is missing or wrong", { "www-authenticate": "Bearer" });
        return this.#late(refusal, connection);
      }
      this.#shown.set(connection, token);
    }
    return this.#core.allow(connection);
  }

  /** Follows the settings, which may change while the server is stopped. */
  get #failedGuesses(): FailedGuesses {
    if (this.#guesses?.delay !== this.#failureDelay) {
      this.#guesses?.release();
      this.#guesses = new FailedGuesses(this.#core.settings.current.clock, this.#failureDelay);
    }
    return this.#guesses;
  }

  /** Refuses a guess without a look at it, if its network has been wrong too often. */
  #refuseGuess(connection: WebSocketConnection<Data>): Response | undefined {
    if (this.#failedGuesses.mayGuess(connection.remoteAddress.hostname)) return undefined;
    this.#core.meter.refuse("failureDelay");
    const seconds = Math.ceil(this.#failureDelay / 1000);
    return textResponse(429, "Too many wrong tokens came from this address", { "retry-after": `${seconds}` });
  }

  /** An answer to a wrong token: not at once, unless the server stops. */
  #late(response: Response, connection: WebSocketConnection<Data>): Promise<Response> {
    const held = this.#failedGuesses.hold(connection.remoteAddress.hostname, response);
    if (this.#core.settings.locked && !this.active) this.#failedGuesses.release();
    return held;
  }

  /**
   * Whose token a receiver showed.
   *
   * @param connection The receiver's connection.
   * @returns The `name` in `receiverToken`; `undefined` if there is none.
   */
  tokenNameOf(connection: WebSocketConnection<Data>): string | undefined {
    return this.#shown.get(connection)?.name;
  }

  /** A receiver is there. */
  #opened(connection: WebSocketConnection<Data>): void {
    const token = this.#shown.get(connection);
    const receiver: Receiver = { token };
    this.#receivers.set(connection, receiver);
    if (connection.protocol !== INBOX_PROTOCOL) return;
    const { clock, handshakeTimeout } = this.#core.settings.current;
    const late = (): void => void connection.close(InboxCloseCode.NoHello, "The hello did not come in time");
    receiver.inbox = {
      sink: makeSink(connection, clock),
      last: this.#hub?.journal.last,
      member: undefined,
      cancelTimer: handshakeTimeout > 0 ? clock.after(handshakeTimeout, late) : () => {},
      partial: [],
      partialSize: 0,
    };
  }

  /** A receiver has gone. */
  #ended(connection: WebSocketConnection<Data>): void {
    const inbox = this.#receivers.get(connection)?.inbox;
    this.#receivers.delete(connection);
    inbox?.cancelTimer();
    if (inbox?.member instanceof Object) inbox.member.leave();
  }

  /** Takes what belongs to the subprotocol; the rest is for the handlers. */
  #receive(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): void {
    const receiver = this.#receivers.get(connection);
    const inbox = receiver?.inbox;
    if (inbox === undefined || typeof data === "string") return this.#core.receive(connection, data, frame);
    try {
      const message = assembleMessage(inbox, data, frame);
      if (message === undefined) return;
      const checked = checkReceiverMessage(decodeInboxMessage(message));
      if (checked !== undefined) this.#onReceiverMessage(connection, receiver!, inbox, checked);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      const failure = badMessage(error);
      failConnection(connection, InboxCloseCode.BadMessage, failure);
      this.#core.calls.report(failure, connection);
    }
  }

  #onReceiverMessage(
    connection: WebSocketConnection<Data>,
    receiver: Receiver,
    inbox: InboxState,
    message: ReceiverMessage,
  ): void {
    if (message.type === "ack") {
      if (inbox.member === undefined) throw new OptionError("An acknowledgement came before the hello");
      if (inbox.member !== "joining") inbox.member.acknowledge(message.seqs);
      return;
    }
    if (inbox.member !== undefined) throw new OptionError("A second hello came");
    inbox.member = "joining";
    inbox.cancelTimer();
    const { token } = receiver;
    const name = message.name === undefined ? undefined : cursorName(message.name, token);
    // Earlier versions gave a token with a filter and without a name no names of its own.
    const former = token?.name === undefined && token?.filter !== undefined ? message.name : undefined;
    this.#openHub().then((hub) => hub.join(inbox.sink, { ...message, name }, token?.filter, inbox.last, former)).then(
      (member) => {
        const report = this.#readFailures?.succeeded();
        if (report !== undefined) this.#core.calls.report(report);
        inbox.member = member;
        // It may have ended while it joined.
        if (!this.#receivers.has(connection)) member?.leave();
      },
    ).catch((error) => {
      this.#readFailed(error, connection);
      connection.close(InboxCloseCode.JournalFailed, "The journal cannot be read");
    });
  }

  // ---- Meta ----------------------------------------------------------------------------------------------------

  #allApps(): WhatsAppApp[] {
    const { pathName } = this;
    return [...this.#apps, { pathName, verifyToken: this.#verifyToken, appSecret: this.#appSecret as string | null }];
  }

  #appAt(path: string): WhatsAppApp | undefined {
    return this.#allApps().find(({ pathName }) => pathName === "" || path === pathName);
  }

  /** Takes notifications as most of them come. */
  #respondDirectly(
    line: RequestLine,
    fields: HeaderFields,
    connection: WebSocketConnection<Data>,
  ): TextReply | BodyTaker | undefined {
    const app = this.#appAt(line.path);
    if (app === undefined) return undefined;
    const refusal = this.#refuseBeforeReading(app, (name) => fields.combined(name.toLowerCase()));
    if (refusal !== undefined) return refusal;
    const signature = fields.combined(SIGNATURE_HEADER) ?? "";
    return (body) => this.#takeBody(app, body, signature, connection);
  }

  /** Answers Meta; other requests go to `onCommandGet`. */
  async #respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    const url = new URL(request.url);
    const app = this.#appAt(url.pathname);
    if (app === undefined) return await this.#core.respond(request, connection);
    const { method } = request;
    if (method === "POST") return await this.#takeNotification(app, request, connection);
    if (method === "GET" && url.searchParams.has("hub.mode")) {
      return await this.#verify(app, url.searchParams, connection);
    }
    const response = await this.#core.respond(request, connection);
    const unanswered = response.status === 426 || response.status === 404;
    if (method === "GET" || method === "HEAD" || !unanswered) return response;
    await response.body?.cancel();
    return textResponse(405, "Meta sends GET and POST", { allow: "GET, POST" });
  }

  async #verify(
    app: WhatsAppApp,
    query: URLSearchParams,
    connection: WebSocketConnection<Data>,
  ): Promise<Response> {
    const refused = this.#refuseGuess(connection);
    if (refused !== undefined) return refused;
    const subscribes = query.get("hub.mode") === "subscribe";
    if (!isOneOf(query.get("hub.verify_token") ?? "", listOf(app.verifyToken)) || !subscribes) {
      this.#countFailure("verifyToken");
      return await this.#late(textResponse(403, "The verify token is wrong"), connection);
    }
    // Never as HTML: whoever knows the token chooses this text.
    return new Response(query.get("hub.challenge") ?? "", {
      headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
    });
  }

  async #takeNotification(
    app: WhatsAppApp,
    request: Request,
    connection: WebSocketConnection<Data>,
  ): Promise<Response> {
    const { headers } = request;
    const refusal = this.#refuseBeforeReading(app, (name) => headers.get(name));
    if (refusal !== undefined) return refusal.toResponse();
    const signature = headers.get(SIGNATURE_HEADER) ?? "";
    const secrets = app.appSecret === null ? null : listOf(app.appSecret);
    const { body } = request;
    const { bytes, authentic, digest } = await collectNotification(body, signature, secrets, this.#digestPrefix(app));
    return (await this.#takeCollected(app, bytes, authentic, signature, connection, digest)).toResponse();
  }

  /** What can be said from the head alone is said before the body is read. */
  #refuseBeforeReading(app: WhatsAppApp, field: (name: string) => string | null): TextReply | undefined {
    const header = this.#clientCertificateHeader;
    if (
      header !== "" && !hasCommonName(field(header) ?? "", this.#clientCertificateForm, this.#clientCertificateName)
    ) {
      this.#countFailure("clientCertificate");
      return NO_CERTIFICATE;
    }
    const type = field("content-type") ?? "";
    if (type.split(";")[0].trim().toLowerCase() !== "application/json") return NO_JSON;
    if (field("content-length") === null && field("transfer-encoding") === null) return NO_LENGTH;
    if (app.appSecret === null || isSignature(field(SIGNATURE_HEADER) ?? "")) return undefined;
    this.#countFailure("signature");
    return NO_SIGNATURE;
  }

  /** @param body The bytes, valid during the call only. */
  #takeBody(
    app: WhatsAppApp,
    body: Uint8Array,
    signature: string,
    connection: WebSocketConnection<Data>,
  ): TextReply | Promise<TextReply> {
    const authentic = isAuthentic(app, body, signature);
    // Nothing of a forged one is copied.
    const bytes = authentic ? body.slice() : body;
    return this.#takeCollected(app, bytes, authentic, signature, connection);
  }

  /** @param digest Its digest, if it is known already. */
  #takeCollected(
    app: WhatsAppApp,
    bytes: Uint8Array,
    authentic: boolean,
    signature: string,
    connection: WebSocketConnection<Data>,
    digest?: Uint8Array,
  ): TextReply | Promise<TextReply> {
    if (!authentic) {
      this.#countFailure("signature");
      return WRONG_SIGNATURE;
    }
    const delivery: WhatsAppDelivery = {
      bytes,
      signature,
      verified: app.appSecret !== null,
      receivedAt: new Date(),
      remoteAddress: connection.remoteAddress.hostname,
    };
    return this.#keepOnce(delivery, connection, digest ?? this.#digestOf(app, bytes));
  }

  /** The same for another app has another digest. */
  #digestOf(app: WhatsAppApp, bytes: Uint8Array): Uint8Array {
    const hash = createHash("sha256");
    const prefix = this.#digestPrefix(app);
    if (prefix !== "") hash.update(prefix);
    return new Uint8Array(hash.update(bytes).digest());
  }

  #digestPrefix(app: WhatsAppApp): string {
    return this.#apps.includes(app) ? `${app.pathName}\n` : "";
  }

  /** Keeps a notification that comes twice at once only once; both requests get the same answer. */
  #keepOnce(
    delivery: WhatsAppDelivery,
    connection: WebSocketConnection<Data>,
    digest: Uint8Array,
  ): Promise<TextReply> {
    const key = decodeAscii(digest, 0, digest.length);
    const now = this.#core.settings.current.clock.now();
    const first = this.#keeping.get(key);
    if (first?.answer !== undefined && now < first.until) return first.answer;
    const keeping: Keeping = { until: now + JOURNAL_PATIENCE };
    this.#keeping.set(key, keeping);
    return keeping.answer = this.#keep(delivery, digest, key, keeping, connection);
  }

  async #keep(
    delivery: WhatsAppDelivery,
    digest: Uint8Array,
    key: string,
    keeping: Keeping,
    connection: WebSocketConnection<Data>,
  ): Promise<TextReply> {
    try {
      const { journal } = await this.#openHub();
      let forward = true;
      if (this.onRawMessage !== undefined) {
        // Nobody is asked about a retry; without somebody to ask, append finds it out.
        if (await journal.has(digest)) return KEPT;
        // It has a limit of its own, if the program wants one.
        keeping.until = Infinity;
        forward = !await this.#vetoes(delivery, connection);
        keeping.until = this.#core.settings.current.clock.now() + JOURNAL_PATIENCE;
      }
      const { bytes, signature, receivedAt } = delivery;
      // Meta tries again for 7 days.
      await journal.append({ bytes, signature, receivedAt, digest, forward });
      const report = this.#refusals?.succeeded();
      if (report !== undefined) this.#core.calls.report(report);
      return KEPT;
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      const report = this.#refusals === undefined ? error : this.#refusals.failed(error);
      if (report !== undefined) this.#core.calls.report(report, connection);
      return NOT_KEPT;
    } finally {
      if (this.#keeping.get(key) === keeping) this.#keeping.delete(key);
    }
  }

  /** An error in the program is no reason to lose the notification, and neither is a promise that it forgets. */
  #vetoes(delivery: WhatsAppDelivery, connection: WebSocketConnection<Data>): boolean | Promise<boolean> {
    try {
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(delivery.bytes);
      const answer: unknown = this.onRawMessage?.(text, delivery);
      return isThenable(answer) ? this.#waitForVeto(answer, connection) : answer === false;
    } catch (error) {
      this.#core.calls.report(new HandlerError("onRawMessage", error), connection);
      return false;
    }
  }

  async #waitForVeto(answer: PromiseLike<unknown>, connection: WebSocketConnection<Data>): Promise<boolean> {
    const limit = this.#rawMessageTimeout;
    const late = Promise.withResolvers<undefined>();
    const cancel = limit === 0 ? () => {} : this.#core.settings.current.clock.after(limit, () => {
      const cause = new Error(`no answer after ${limit} ms; the notification is kept and forwarded`);
      this.#core.calls.report(new HandlerError("onRawMessage", cause, "ERR_HANDLER_TIMEOUT"), connection);
      late.resolve(undefined);
    });
    this.#undecided.add(cancel);
    // What it fails with is heard even if that comes too late.
    const decided = Promise.resolve(answer).catch((error) =>
      this.#core.calls.report(new HandlerError("onRawMessage", error), connection)
    );
    const result = await Promise.race([decided, late.promise]);
    cancel();
    this.#undecided.delete(cancel);
    return result === false;
  }

  /** To all receivers: to those that acknowledge, and as it came to the others. */
  #forward(entry: JournalEntry, hub: InboxHub): void {
    if (hub === this.#hub) hub.appended(entry);
    const whole = (connection: WebSocketConnection<Data>): boolean => this.#isPlain(connection, undefined);
    this.#sendPlain(entry.bytes, whole);
    const filters = new Set<WhatsAppFilter>();
    for (const { inbox, token } of this.#receivers.values()) {
      if (inbox === undefined && token?.filter !== undefined) filters.add(token.filter);
    }
    if (filters.size === 0) return;
    const envelope = new Envelope(entry.bytes);
    for (const filter of filters) {
      if (envelope.changes.some((change) => mayHave(change, filter))) this.#sendPart(entry.bytes, envelope, filter);
    }
  }

  #sendPart(bytes: Uint8Array, envelope: Envelope, filter: WhatsAppFilter): void {
    try {
      const part = envelope.partFor(filter) ?? bytes;
      this.#sendPlain(part, (connection) => this.#isPlain(connection, filter));
    } catch (error) {
      // It is nested too deeply to be taken apart; the others get what they may have.
      this.#core.calls.report(error);
    }
  }

  #isPlain(connection: WebSocketConnection<Data>, filter: WhatsAppFilter | undefined): boolean {
    const receiver = this.#receivers.get(connection);
    return receiver !== undefined && receiver.inbox === undefined && receiver.token?.filter === filter;
  }

  /** Encoded from the bytes as they came: what a receiver gets is what Meta signed. */
  #sendPlain(bytes: Uint8Array, selector: (connection: WebSocketConnection<Data>) => boolean): void {
    let any = false;
    for (const connection of this.#receivers.keys()) any ||= selector(connection);
    if (!any) return;
    try {
      const text = decodeExact(bytes);
      if (text === undefined) this.sendDataTo(bytes, selector);
      else this.sendMessageTo(text, selector);
    } catch (error) {
      // It is larger than maxBufferedAmount; those that acknowledge learn that by themselves.
      this.#core.calls.report(error);
    }
  }
}

function assertSubjectForm(value: SubjectForm): void {
  if (SUBJECT_FORMS.includes(value)) return;
  throw new OptionError(`The setting "clientCertificateForm" is not one of ${SUBJECT_FORMS.join(", ")}`);
}

function assertJournal(journal: unknown): void {
  if (journal === undefined || journal === null) return;
  if (typeof journal === "object" && typeof (journal as Journal).append === "function") return;
  assertJournalPath(journal);
}

/** What could not be sent is tried again after so many ms. */
const RETRY_DELAY = 50;

function makeSink<Data>(connection: WebSocketConnection<Data>, clock: Clock): InboxSink {
  return {
    get open(): boolean {
      return connection.state === "open";
    },
    send: (message) => sendShared(connection, message),
    drained: () => connection.drained(),
    later: (callback) => clock.after(RETRY_DELAY, callback),
    close: (code, reason) => void connection.close(code, reason),
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** With `frameByFrame` a message comes in pieces. */
function assembleMessage(inbox: InboxState, data: Uint8Array, frame: FrameInfo | undefined): Uint8Array | undefined {
  if (frame === undefined && data.length <= MAX_RECEIVER_MESSAGE) return data;
  if (data.length > 0) inbox.partial.push(data);
  inbox.partialSize += data.length;
  if (inbox.partialSize > MAX_RECEIVER_MESSAGE) {
    throw new OptionError(`A message is larger than ${MAX_RECEIVER_MESSAGE} bytes`);
  }
  if (frame?.final === false) return undefined;
  const message = concatAll(inbox.partial);
  inbox.partial = [];
  inbox.partialSize = 0;
  return message;
}

/** The text of bytes that are valid UTF-8, a byte order mark included; encoding it gives the same bytes. */
function decodeExact(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
