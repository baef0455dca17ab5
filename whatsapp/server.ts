/**
 * The server of the WhatsApp pair: takes Meta's webhooks, keeps them in a journal, and forwards them, byte for byte, to
 * receivers over WebSocket.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import { adoptHandlers, assignHandlers, defineHandlers } from "../base/handlers.ts";
import { refuseSetting } from "../base/settings.ts";
import { isError } from "../base/thrown.ts";
import { refuseArgument } from "../server/settings.ts";
import { refuseUnknownNames } from "../base/unknown_names.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { InboxHub } from "../inbox/hub.ts";
import type { Journal } from "../journal/journal.ts";
import { MemoryJournal } from "../journal/memory_journal.ts";
import { SqliteJournal } from "../journal/sqlite_journal.ts";
import { claimJournal, releaseJournal } from "../journal/claims.ts";
import { textResponse } from "../protocol/http.ts";
import type { ServerContext } from "../server/context.ts";
import { waitingCaller } from "../server/handler_scope.ts";
import { SERVER_HANDLERS, type StopOptions } from "../server/handlers.ts";
import { extendServer, WebSocketServer } from "../server/server.ts";
import { assertReachable } from "../cloud_api/flow_endpoint.ts";
import { verifySignature } from "../cloud_api/signature.ts";
import type { FailedAttempts, ReceiverTokens, WhatsAppApp } from "./access.ts";
import type { SubjectForm } from "./distinguished_name.ts";
import { FailedGuesses } from "./failed_guesses.ts";
import { useVerifier } from "./install_verifier.ts";
import { OutageReport } from "./outage_report.ts";
import { METHOD_FAULT, RefusalLog } from "./refusals.ts";
import { Receivers, type ReceiversHost } from "./receivers.ts";
import {
  assertCertificate,
  assertStartable,
  checkWhatsAppSetting,
  makeWhatsAppSettings,
  serverOptionsOf,
  WHATSAPP_HANDLERS,
  type WhatsAppDelivery,
  type WhatsAppServerOptions,
  type WhatsAppSettings,
} from "./settings.ts";
import { Webhook, type WebhookHost } from "./webhook.ts";

useVerifier(verifySignature);

/** Bytes of a digest, by which a journal finds notifications. */
const DIGEST_SIZE = 32;

/**
 * Takes WhatsApp Cloud API webhooks and forwards them to all receivers.
 *
 * It answers on `pathName`: Meta's verification (GET), notifications (POST), and the WebSockets of receivers. Other
 * HTTP requests go to `onCommandGet`.
 *
 * Also from {@linkcode WebSocketServer}:
 * - methods: `[Symbol.asyncDispose]`, `reloadCertificates`, `acceptStream`, `handleUpgrade`, `stats`,
 *   `broadcastMessage`, `broadcastData`, `sendMessageTo`, `sendDataTo`, `publish`, `subscriberCount`,
 *   `disconnectClients`
 * - properties: `address`, `connections`
 * - settings: `port`, `path`, `hostname`, `hostName`, `reusePort`, `pathName`, `healthPath`, `certificateFile`,
 *   `certificateKeyFile`, `rootCertificateFile`, `certificate`, `certificateKey`, `rootCertificate`, `certificates`,
 *   `clientCertificate`, `clientRootCertificateFile`, `clientRootCertificate`, `protocols`, `compression`, `backplane`,
 *   `options`, `splitMessage`, `frameSize`, `origins`, `hosts`, `trustedProxies`, `proxyProtocol`, `handshakeTimeout`,
 *   `keepAliveTimeout`, `bodyTimeout`, `messageTimeout`, `closeTimeout`, `idleTimeout`, `pingInterval`, `pongTimeout`,
 *   `maxMessageSize`, `maxFragments`, `maxTotalMessageSize`, `maxBufferedAmount`, `maxTotalBufferedAmount`,
 *   `highWaterMark`, `slowConsumer`, `maxConnections`, `maxConnectionsPerAddress`, `maxHandshakes`, `maxMessageRate`,
 *   `maxByteRate`, `rateBurstSeconds`, `concurrency`, `maxTopics`, `maxRequests`, `maxHeadSize`, `maxHeaderFields`,
 *   `maxBodySize`, `maxTotalBodySize`, `clock`, `active`
 * - handlers: `onGetSSLPassword`, `onConnect`, `onAllow`, `onSelectProtocol`, `onOpen`, `onHandshakeResponseSent`,
 *   `onMessageReceived`, `onBinaryDataReceived`, `onPing`, `onPong`, `onClose`, `onEnd`, `onDisconnect`,
 *   `onCommandGet`, `onError`, `onLog`
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
  static {
    refuseSetting<WhatsAppServer>(this.prototype, "useSSL", 'a WhatsAppServer speaks TLS; see "behindProxy"');
    defineHandlers(this.prototype, WHATSAPP_HANDLERS);
    refuseUnknownNames(this.prototype, "WhatsAppServer", {});
  }

  /** Handler of raw notifications: a notification came. */
  onRawMessage?(message: string, delivery: WhatsAppDelivery): boolean | void | Promise<boolean | void>;

  /** Always `true` without `behindProxy`: Meta delivers over TLS only. Setting it throws. */
  declare useSSL: boolean;

  // Parts
  readonly #core: ServerContext<Data>;
  readonly #settings: WhatsAppSettings;
  readonly #webhook: Webhook<Data>;
  readonly #receivers: Receivers<Data>;
  readonly #refusals: RefusalLog;

  // State
  #hub: InboxHub | undefined;
  #opening: Promise<InboxHub> | undefined;
  /** Failed reads of the journal, of which an outage has many. */
  #readOutage: OutageReport | undefined;
  #failed: FailedAttempts = { receiverToken: 0, verifyToken: 0, signature: 0, clientCertificate: 0 };
  #guesses: FailedGuesses | undefined;

  /**
   * Makes a server; it does not listen yet.
   *
   * @param options Settings and handlers.
   * @throws {OptionError} If a setting is out of range, or a handler is not a function.
   */
  constructor(options: WhatsAppServerOptions<Data> = {}) {
    super(serverOptionsOf(options));
    if (typeof arguments[1] === "function") refuseArgument("The constructor", arguments[1]);
    this.#settings = makeWhatsAppSettings(options);
    assignHandlers(this, WHATSAPP_HANDLERS, options);
    const host = this.#makeHost();
    const webhook = new Webhook(host, this.#settings);
    const receivers = new Receivers(host);
    this.#webhook = webhook;
    this.#receivers = receivers;
    this.#core = extendServer<Data>(this, {
      prepare: () => this.#prepare(),
      finish: () => this.#finish(),
      requiresProxy: () => this.#settings.behindProxy,
      allow: (connection) => receivers.refuse(connection) ?? this.#core.allow(connection),
      opened: (connection) => receivers.opened(connection),
      ended: (connection) => receivers.ended(connection),
      receive: (connection, data, frame) => receivers.receive(connection, data, frame),
      respond: (request, connection) => this.#respond(request, connection),
      respondDirectly: (line, fields, connection) => webhook.respondDirectly(line.path, fields, connection),
    });
    this.#refusals = new RefusalLog(this.#core.log, () => this.#core.settings.current.clock.now());
  }

  /** Members of this server that its parts use; made once. */
  #makeHost(): WebhookHost<Data> & ReceiversHost<Data> {
    // deno-lint-ignore no-this-alias -- the getters of the object have a `this` of their own
    const server = this;
    return {
      get clock() {
        return server.#core.settings.current.clock;
      },
      get handshakeTimeout() {
        return server.#core.settings.current.handshakeTimeout;
      },
      get pathName() {
        return server.pathName;
      },
      get maxBodySize() {
        return server.#core.settings.current.maxBodySize;
      },
      get clientCertificate() {
        return server.clientCertificate;
      },
      get asksAboutMessages() {
        return Boolean(server.onRawMessage);
      },
      askProgram: (message, delivery) => this.onRawMessage?.(message, delivery),
      get lastSeq() {
        return server.#hub?.journal.last;
      },
      get receiverTokens() {
        return server.#settings.receiverToken;
      },
      get asksProgram() {
        return Boolean(server.onAllow);
      },
      openHub: () => this.#openHub(),
      refuseGuess: (connection) => this.#refuseGuess(connection),
      delayAnswer: (response, connection) => this.#delayAnswer(response, connection),
      countFailure: (reason) => this.#countFailure(reason),
      logRefusal: (reason, status, fault, request) => this.#refusals.write(reason, status, fault, request),
      deliver: (connection, data, frame) => this.#core.receive(connection, data, frame),
      readSucceeded: () => this.#readSucceeded(),
      readFailed: (error, connection) => this.#readFailed(error, connection),
      reportError: (error, connection) => this.#core.calls.report(error, connection),
      sendText: (text, selector) => void this.sendMessageTo(text, selector),
      sendBytes: (bytes, selector) => void this.sendDataTo(bytes, selector),
    };
  }

  // ---- Settings ------------------------------------------------------------------------------------------------

  #set<Name extends keyof WhatsAppSettings>(name: Name, value: WhatsAppSettings[Name]): void {
    this.#core.settings.assertUnlocked(name);
    this.#settings[name] = checkWhatsAppSetting(name, value);
  }

  /** Token for the verification of the URL; "": each verification is refused. */
  get verifyToken(): string | readonly string[] {
    return this.#settings.verifyToken ?? "";
  }
  set verifyToken(value: string | readonly string[]) {
    this.#set("verifyToken", value === "" ? undefined : value);
  }

  /** The app secret, or several, or `null` to take unsigned notifications. */
  get appSecret(): string | readonly string[] | null | undefined {
    return this.#settings.appSecret;
  }
  set appSecret(value: string | readonly string[] | null | undefined) {
    this.#set("appSecret", value);
  }

  /** More apps, each with a path of its own. */
  get apps(): readonly WhatsAppApp[] {
    return this.#settings.apps;
  }
  set apps(value: readonly WhatsAppApp[]) {
    this.#set("apps", value);
  }

  /** Tokens of receivers, or `null` to let any client receive. */
  get receiverToken(): ReceiverTokens | null | undefined {
    return this.#settings.receiverToken;
  }
  set receiverToken(value: ReceiverTokens | null | undefined) {
    this.#set("receiverToken", value);
  }

  /** Journal of notifications. */
  get journal(): string | Journal | null | undefined {
    return this.#settings.journal;
  }
  set journal(value: string | Journal | null | undefined) {
    this.#set("journal", value);
  }

  /** Header field in which the proxy reports the subject of the client certificate, or "". */
  get clientCertificateHeader(): string {
    return this.#settings.clientCertificateHeader;
  }
  set clientCertificateHeader(value: string) {
    this.#set("clientCertificateHeader", value);
  }

  /** Form in which the proxy writes the subject of the client certificate. */
  get clientCertificateForm(): SubjectForm {
    return this.#settings.clientCertificateForm;
  }
  set clientCertificateForm(value: SubjectForm) {
    this.#set("clientCertificateForm", value);
  }

  /** Common name of the certificate that Meta shows. */
  get clientCertificateName(): string {
    return this.#settings.clientCertificateName;
  }
  set clientCertificateName(value: string) {
    this.#set("clientCertificateName", value);
  }

  /** Delay of the answer to a wrong token, in ms. */
  get failureDelay(): number {
    return this.#settings.failureDelay;
  }
  set failureDelay(value: number) {
    this.#set("failureDelay", value);
  }

  /** Time limit of the promise of `onRawMessage`, in ms; 0: no limit. */
  get rawMessageTimeout(): number {
    return this.#settings.rawMessageTimeout;
  }
  set rawMessageTimeout(value: number) {
    this.#set("rawMessageTimeout", value);
  }

  /** `true` if it runs without TLS behind a proxy. */
  get behindProxy(): boolean {
    return this.#settings.behindProxy;
  }
  set behindProxy(value: boolean) {
    this.#core.settings.assertUnlocked("behindProxy");
    this.#core.settings.store.set("useSSL", !value);
    this.#settings.behindProxy = value;
  }

  // ---- Start and stop ------------------------------------------------------------------------------------------

  /**
   * Starts listening.
   *
   * @returns Resolves when the port is open.
   * @throws {OptionError} If a secret is neither given nor waived, `behindProxy` has no `trustedProxies` on an address
   * that is not of loopback, or the webhook would take the requests for `flowEndpoint`.
   * @throws {StateError} If another server uses the journal.
   * @throws {JournalError} If the journal cannot be opened.
   */
  override start(): Promise<void> {
    try {
      refuseArgument("start()", arguments[0]);
      adoptHandlers(this, { ...SERVER_HANDLERS, ...WHATSAPP_HANDLERS });
      const { pathName, healthPath, hostname, path, trustedProxies } = this;
      const asksProgram = Boolean(this.onAllow);
      const conditions = { pathName, healthPath, hostname, path, trustedProxies, asksProgram, certificates: this };
      assertStartable(this.#settings, conditions);
      assertReachable(this.onCommandGet, [pathName, ...this.#settings.apps.map((app) => app.pathName)]);
      if (!this.behindProxy) assertCertificate(this);
    } catch (error) {
      return Promise.reject(error);
    }
    return super.start();
  }

  /** Opens the journal before the port. */
  async #prepare(): Promise<void> {
    await this.#openHub();
    if (this.#settings.journal !== undefined) return;
    console.warn(
      'WhatsAppServer: notifications are kept in memory only; set "journal" to the path of a file, or to null for no such warning',
    );
  }

  /** Opens the journal; late if the server does not listen: see `acceptStream`. */
  #openHub(): Promise<InboxHub> {
    this.#opening ??= this.#makeHub().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #makeHub(): Promise<InboxHub> {
    const given = this.#settings.journal;
    const { clock } = this.#core.settings.current;
    const journal = typeof given === "string"
      ? await SqliteJournal.open(given, { clock })
      : given ?? new MemoryJournal({ clock });
    // A journal that the program has closed says so now, not with the first notification.
    const local = given instanceof SqliteJournal || given instanceof MemoryJournal;
    if (local) await given.has(new Uint8Array(DIGEST_SIZE));
    claimJournal(journal);
    this.#webhook.journalOpened();
    this.#readOutage ??= new OutageReport(clock, { byMessage: true, more: "failed", end: "Receivers can join again" });
    const hub = new InboxHub(journal, (error) => this.#readFailed(error));
    journal.listen({
      appended: (entry) => {
        if (hub === this.#hub) hub.appended(entry);
        this.#receivers.forward(entry.bytes);
      },
      error: (error) => this.#core.calls.report(error),
      lost: () => hub.lost(),
    });
    this.#hub = hub;
    return hub;
  }

  #readFailed(error: unknown, connection?: WebSocketConnection<Data>): void {
    const report = isError(error, JournalError) ? this.#readOutage?.failed(error) : error;
    if (report !== undefined) this.#core.calls.report(report, connection);
  }

  #readSucceeded(): void {
    const report = this.#readOutage?.succeeded();
    if (report !== undefined) this.#core.calls.report(report);
  }

  /** Closes the journal after the last connection has ended. */
  async #finish(): Promise<void> {
    const hub = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    this.#hub = undefined;
    this.#webhook.stopped();
    if (hub === undefined) return;
    // Errors of closing are reported still.
    if (hub.journal !== this.#settings.journal) await hub.journal.close();
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
    // It may be called within `onRawMessage`, for whose answer it would wait.
    this.#webhook.stopCalledWithin(waitingCaller());
    // Delayed answers must not delay the end, nor keep the program alive after it.
    this.#guesses?.release();
    return stopped.then(async () => {
      this.#guesses?.release();
      if (!this.#core.settings.locked) await this.#finish();
    });
  }

  // ---- Refused attempts ----------------------------------------------------------------------------------------

  /** Number of refused attempts since the server was made, by reason. */
  get failedAttempts(): Readonly<FailedAttempts> {
    return { ...this.#failed };
  }

  #countFailure(reason: keyof FailedAttempts): void {
    this.#failed[reason]++;
    this.#core.meter.refuse(reason);
  }

  /** Wrong guesses; made anew when the settings have changed while the server was stopped. */
  get #failedGuesses(): FailedGuesses {
    const { failureDelay } = this.#settings;
    if (this.#guesses?.delay !== failureDelay) {
      this.#guesses?.release();
      const { settings } = this.#core;
      const isProxy = (hostname: string): boolean => settings.current.proxies?.has(hostname) ?? false;
      this.#guesses = new FailedGuesses(settings.current.clock, failureDelay, isProxy);
    }
    return this.#guesses!;
  }

  /** Refuses a guess without comparing it, if its network has been wrong too often. */
  #refuseGuess(connection: WebSocketConnection<Data>): Response | undefined {
    if (this.#failedGuesses.mayGuess(connection.remoteAddress.hostname)) return undefined;
    this.#core.meter.refuse("failureDelay");
    const seconds = Math.ceil(this.#settings.failureDelay / 1000);
    return textResponse(429, "Too many wrong tokens came from this address", { "retry-after": `${seconds}` });
  }

  /** Delays the answer to a wrong token, unless the server stops. */
  #delayAnswer(response: Response, connection: WebSocketConnection<Data>): Promise<Response> {
    const delayed = this.#failedGuesses.delayAnswer(connection.remoteAddress.hostname, response);
    if (this.#core.settings.locked && !this.active) this.#failedGuesses.release();
    return delayed;
  }

  // ---- Receivers -----------------------------------------------------------------------------------------------

  /**
   * Finds the name of the token that a receiver showed.
   *
   * @param connection The receiver's connection.
   * @returns The `name` in `receiverToken`; `undefined` if there is none.
   */
  tokenNameOf(connection: WebSocketConnection<Data | undefined>): string | undefined {
    return this.#receivers.tokenNameOf(connection);
  }

  // ---- Requests ------------------------------------------------------------------------------------------------

  /** Answers Meta; other requests go to `onCommandGet`. */
  async #respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    const url = new URL(request.url);
    const app = this.#webhook.appAt(url.pathname);
    if (app === undefined) return await this.#core.respond(request, connection);
    const answer = this.#webhook.respond(app, request, url, connection);
    if (answer !== undefined) return await answer;
    const { method } = request;
    const response = await this.#core.respond(request, connection);
    const unanswered = response.status === 426 || response.status === 404;
    if (method === "GET" || method === "HEAD" || !unanswered) return response;
    await response.body?.cancel();
    this.#refusals.write("method", 405, METHOD_FAULT, { method, path: url.pathname, connection });
    return textResponse(405, "Meta sends GET and POST", { allow: "GET, POST" });
  }
}
