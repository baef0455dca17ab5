/**
 * Options of a `WhatsAppServer`, and its settings checked.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";
import { assertHandlers, hasMethods, OptionNames, type OptionTable, withoutNames } from "../base/option_names.ts";
import { assertSecrets, isSecret } from "../base/secrets.ts";
import { checkValue, defaultsOf, type HandlersTable, type SettingsTable } from "../base/settings.ts";
import { isLoopback } from "../base/loopback.ts";
import { assertJournalPath } from "../journal/database_files.ts";
import type { Journal } from "../journal/journal.ts";
import { SERVER_HANDLERS } from "../server/handlers.ts";
import { SERVER_HINTS } from "../server/option_hints.ts";
import {
  type CertificateSettings,
  exampleOf,
  givenCertificate,
  SERVER_OTHER_OPTIONS,
  SERVER_SETTINGS,
  type WebSocketServerOptions,
  withSlash,
} from "../server/settings.ts";
import { assertTokenEntry, checkReceiverTokens, type ReceiverTokens, type WhatsAppApp } from "./access.ts";
import { SUBJECT_FORMS, type SubjectForm } from "./distinguished_name.ts";
import { DEFAULT_PROTOCOLS } from "./protocols.ts";

/** Facts about one notification besides its text. */
export interface WhatsAppDelivery {
  /** The text as bytes, as Meta sent it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The value of `X-Hub-Signature-256`; "" if there was none, which only happens with `appSecret: null`. */
  readonly signature: string;
  /** `true` if the signature was checked. */
  readonly verified: boolean;
  /** Time of arrival. */
  readonly receivedAt: Date;
  /** Address of the sender: that of the proxy with `behindProxy`, unless `trustedProxies` tell the client. */
  readonly remoteAddress: string;
}

/** Handler of a `WhatsAppServer` for raw notifications. */
export type RawMessageHandler = (
  message: string,
  delivery: WhatsAppDelivery,
) => boolean | void | Promise<boolean | void>;

/**
 * Options and handlers of a `WhatsAppServer`.
 *
 * Also from {@linkcode WebSocketServerOptions}:
 * - `port` (default `8888`): The port, up to 65535; 0 takes a free one, see `address`.
 * - `path` (default `""`): Path of a Unix socket to listen on instead of a port, up to 107 bytes.
 * - `hostname` (default `"0.0.0.0"`): The address to listen on, or a name for it; `"0.0.0.0"`: all IPv4 addresses,
 *   `"::"`: all addresses.
 * - `hostName`: Former name of `hostname`, which wins if both are given.
 * - `reusePort` (default `false`): Let other processes listen on the same port (SO_REUSEPORT), such as one for each
 *   core: on Linux the system spreads new connections among them.
 * - `pathName` (default `""`): The path that opens a WebSocket, without a query; "": any path.
 * - `healthPath` (default `""`): The path of health checks, such as `"/healthz"`; "": none.
 * - `certificateFile`: PEM file with the certificate; the rest of its chain may follow in it.
 * - `certificateKeyFile`: PEM file with the private key.
 * - `rootCertificateFile`: PEM file with certificates that are appended to the chain that is sent.
 * - `certificate`: The certificate as PEM text or its bytes, instead of `certificateFile`.
 * - `certificateKey`: The private key as PEM text or its bytes, instead of `certificateKeyFile`; it may be encrypted
 *   too.
 * - `rootCertificate`: PEM text or its bytes, instead of `rootCertificateFile`.
 * - `certificates` (default `[]`): Certificates for server names of their own (SNI).
 * - `clientCertificate` (default `"none"`): Ask clients for certificates (mutual TLS): `"request"` takes clients
 *   without one too, `"require"` does not.
 * - `clientRootCertificateFile`: PEM file with the authorities whose certificates of clients are taken; no others are.
 * - `clientRootCertificate`: PEM text or its bytes, instead of `clientRootCertificateFile`.
 * - `compression` (default `false`): Compress messages for clients that offer it (RFC 7692); an object says how.
 * - `handshakeTimeout` (default `10000`): Time for the TLS handshake and the first request together, for an idle HTTP
 *   connection, and for a pause inside a request, in ms.
 * - `keepAliveTimeout` (default `75000`): Time for which a plain HTTP connection is kept between two requests, in ms;
 *   `handshakeTimeout` begins with the first byte of the next one.
 * - `bodyTimeout` (default `60000`): Time for the body of a plain HTTP request to come, in ms.
 * - `maxTotalBodySize` (default `67108864`): Largest number of bytes of request bodies held for all connections
 *   together, until each request is answered; bytes of requests that wait for the one before them count too.
 * - `maxTotalMessageSize` (default `134217728`): Largest number of bytes that unfinished messages of all connections
 *   hold together.
 * - `messageTimeout` (default `60000`): Time for the next piece of a message that has begun, in ms, exact to an eighth.
 * - `origins` (default `[]`): Origins whose pages may open a WebSocket, such as `"https://example.com"`; empty: all.
 * - `hosts` (default `[]`): Host names of this server, such as `"example.com"`, or `"example.com:8443"` for one port
 *   only; empty: all.
 * - `trustedProxies` (default `[]`): Proxies in front of this server: addresses such as `"192.0.2.1"`, ranges such as
 *   `"10.0.0.0/8"`, `"loopback"`, `"private"` (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7), and `"unix"` for
 *   peers without an address.
 * - `proxyProtocol` (default `false`): Read the PROXY protocol, version 1 or 2, from `trustedProxies`, which must send
 *   it then, before TLS.
 * - `maxConnections` (default `100000`): Largest number of connections, plain HTTP included.
 * - `maxConnectionsPerAddress` (default `0`): Largest number of connections from one address (IPv6: from one network of
 *   64 bits).
 * - `maxHandshakes` (default `4096`): Largest number of connections that are in the TLS handshake, have not sent a
 *   whole request, or are kept idle between two requests.
 * - `maxTotalBufferedAmount` (default `268435456`): Largest number of bytes that wait for slow peers together, without
 *   broadcasts, whose bytes they share.
 * - `maxRequests` (default `1000`): Largest number of plain HTTP requests of one connection.
 * - `maxTopics` (default `1000`): Largest number of topics that one connection may subscribe to.
 * - `signal`: Stops the server, in order: see `stop`.
 * - `backplane`: Carries broadcasts and topics to the other nodes, and theirs to this one, while the server runs.
 * - `maxHeadSize` (default `16384`): Largest request head, in bytes.
 * - `maxHeaderFields` (default `128`): Largest number of header fields of a request.
 * - `maxBodySize` (default `4194304`): Largest body of a plain HTTP request, in bytes.
 *
 * Also from {@linkcode ConnectionOptions}:
 * - `options`: Switches of the protocol.
 * - `splitMessage` (default `false`): Send messages in frames of at most `frameSize` bytes.
 * - `frameSize` (default `0`): Longest frame on the wire, header included, in bytes, when `splitMessage` is on; 0: no
 *   splitting.
 * - `maxMessageSize` (default `16777216`): Largest message accepted from the peer, in bytes.
 * - `maxFragments` (default `131072`): Most fragments of one message, empty ones included; beyond it 1008.
 * - `maxBufferedAmount` (default `33554432`): Most bytes that wait for a slow peer; control frames and compressed
 *   fragments may exceed it a little.
 * - `highWaterMark` (default `65536`): Number of waiting bytes from which `send` returns `"backpressure"`.
 * - `slowConsumer` (default `"close"`): Effect of a message beyond `maxBufferedAmount`: `"close"` ends the connection
 *   at once, `"drop"` skips the message.
 * - `closeTimeout` (default `10000`): Longest time for the closing handshake, and then for the end of TCP, in ms.
 * - `idleTimeout` (default `0`): Longest time in which only pings and pongs come or are sent, in ms, exact to an
 *   eighth.
 * - `pingInterval` (default `25000`): Time between the answer to a ping and the next ping, in ms.
 * - `pongTimeout` (default `20000`): Longest time to the answer to a ping, in ms.
 * - `maxMessageRate` (default `0`): Most messages and control frames a second; beyond it 1008.
 * - `maxByteRate` (default `0`): Most bytes a second, on the wire; beyond it 1008.
 * - `concurrency` (default `64`): Most promises of message handlers that may be pending on one connection.
 * - `rateBurstSeconds` (default `5`): Messages and bytes that may come at once, as the seconds in which
 *   `maxMessageRate` and `maxByteRate` would let them in; at least 1 to be of use.
 * - `clock`: Time, for tests.
 *
 * Also from {@linkcode ServerHandlers}:
 * - `onGetSSLPassword`: Called for the pass phrase of an encrypted private key.
 * - `onConnect`: Called after TCP and TLS, before the handshake; for plain HTTP, refused connections and port scans
 *   too, whose `onDisconnect` has `opened: false`.
 * - `onAllow`: Called for a valid handshake request, which is in `connection.request`.
 * - `onSelectProtocol`: Chooses one of the offered subprotocols; "" or `undefined` for none.
 * - `onOpen`: Called when the WebSocket is open: from here on messages may be sent.
 * - `onHandshakeResponseSent`: Called at the same time, behind `onOpen`: its former name.
 * - `onMessageReceived`: Called for a text message, or with `frameByFrame` for a frame of one.
 * - `onBinaryDataReceived`: Called for a binary message, or with `frameByFrame` for a frame of one.
 * - `onPing`: Called for a ping; it is answered already, unless `manualPong` is set.
 * - `onPong`: Called for a pong.
 * - `onClose`: Called for the peer's close frame; it is answered already, unless `manualClose` is set.
 * - `onEnd`: Called when a WebSocket has ended: exactly once for each `onOpen`, and before `onDisconnect`.
 * - `onDisconnect`: Called when a connection has ended, exactly once for each `onConnect`: for those that were never
 *   open too, whose `data` may not be set.
 * - `onCommandGet`: Answers a plain HTTP request.
 * - `onError`: Called for failures: a protocol violation, a refused handshake, a handler ({@linkcode HandlerError}), a
 *   message that neither a handler nor a loop gets (`ERR_NO_HANDLER`, once for each connection), the listener.
 * - `onLog`: Called with a structured record for each start and stop, connection, refusal and failure.
 */
export interface WhatsAppServerOptions<Data = unknown> extends Omit<WebSocketServerOptions<Data>, "useSSL" | "routes"> {
  /**
   * Subprotocols that receivers may speak.
   * @default {["whatsapp-inbox.v2", "whatsapp-inbox.v1", "whatsapp-notifications"]}
   */
  protocols?: readonly string[] | undefined;
  /** Token, or several, that Meta shows to verify the URL. Without it each verification is refused. */
  verifyToken?: string | readonly string[] | undefined;
  /**
   * The app secret of Meta's app, with which notifications are signed; several while one is replaced. `null`:
   * notifications without a signature are taken, from any client.
   */
  appSecret?: string | readonly string[] | null | undefined;
  /**
   * More of Meta's apps, each with a path of its own.
   * @default {[]}
   */
  apps?: readonly WhatsAppApp[] | undefined;
  /**
   * Token of receivers, or several tokens, with names and filters. `null`: any client may receive, unless `onAllow`
   * refuses it.
   */
  receiverToken?: ReceiverTokens | null | undefined;
  /**
   * Journal of notifications: the path of a file, or a journal that the program makes and closes, and that no other
   * server uses meanwhile. With a file each notification is on disk before Meta gets its 200. `null`: in memory only,
   * 64 MiB at most; the same without the setting, with a warning on the console at the start.
   */
  journal?: string | Journal | null | undefined;
  /**
   * Run without TLS, behind a proxy that speaks TLS: on a loopback address, or with `trustedProxies` on any. Then
   * requests of peers that are not among them get 403, since they have come without TLS.
   * @default {false}
   */
  behindProxy?: boolean | undefined;
  /**
   * Header field in which the proxy reports the subject of the client certificate, such as
   * `x-amzn-mtls-clientcert-subject`: notifications without Meta's certificate are refused then. With `behindProxy`
   * only. The proxy must overwrite the field if a client sends it, as an Application Load Balancer of AWS does.
   */
  clientCertificateHeader?: string | undefined;
  /**
   * Form in which the proxy writes that subject. `"rfc4514"`: nginx in `$ssl_client_s_dn`, Apache in `SSL_CLIENT_S_DN`,
   * HAProxy in `ssl_c_s_dn(,0,rfc2253)`, Caddy in `{http.request.tls.client.subject}`, Envoy in
   * `x-forwarded-client-cert`, AWS in `x-amzn-mtls-clientcert-subject`. `"slashes"`: nginx in
   * `$ssl_client_s_dn_legacy`, HAProxy in `ssl_c_s_dn`; unless OpenSSL 3 writes it, a certificate with a slash in a
   * value can forge it. `"commonName"`: HAProxy in `ssl_c_s_dn(cn)`.
   * @default {"rfc4514"}
   */
  clientCertificateForm?: SubjectForm | undefined;
  /**
   * Common name of the certificate that Meta shows: in `clientCertificateHeader`, or with `clientCertificate` to this
   * server itself, where notifications without it are refused too.
   * @default {"client.webhooks.fbclientcerts.com"}
   */
  clientCertificateName?: string | undefined;
  /**
   * Delay of the answer to a wrong token, in ms; 0: none. After 20 wrong tokens from one address (from one network of
   * 64 bits with IPv6; 100 from loopback, where a proxy is) within this time, its next requests get 429, and their
   * tokens are not compared. With `trustedProxies` the address is that of the client.
   * @default {1000}
   */
  failureDelay?: number | undefined;
  /**
   * Time limit of the promise that `onRawMessage` returns, in ms; 0: no limit. After it the notification is kept and
   * forwarded, a later outcome of the promise is ignored, and `onError` gets a `HandlerError` with the code
   * `ERR_HANDLER_TIMEOUT`.
   * @default {5000}
   */
  rawMessageTimeout?: number | undefined;
  /**
   * A notification came, as raw JSON; `false` stops the forwarding of this one. Meta gets its 200 in any case, after
   * the handler has returned: see `rawMessageTimeout`.
   */
  onRawMessage?: RawMessageHandler | undefined;
}

/** Names of settings without a default. */
export type OptionalName = "verifyToken" | "appSecret" | "receiverToken" | "journal";

/** Names of settings that have a default. */
export type RequiredName = Exclude<
  keyof WhatsAppServerOptions,
  keyof WebSocketServerOptions | OptionalName | keyof typeof WHATSAPP_HANDLERS
>;

/**
 * Settings of a `WhatsAppServer` beside those of a `WebSocketServer`, checked; they change only while it is stopped.
 */
export type WhatsAppSettings =
  & { [Name in RequiredName]-?: NonNullable<WhatsAppServerOptions[Name]> }
  & { [Name in OptionalName]: WhatsAppServerOptions[Name] };

/** Names of the handlers of a `WhatsAppServer` beside those of a `WebSocketServer`. */
export const WHATSAPP_HANDLERS: HandlersTable<Pick<WhatsAppServerOptions, "onRawMessage">> = { onRawMessage: true };

/** The settings of a `WhatsAppServer` beside those of a `WebSocketServer`. */
export const WHATSAPP_SETTINGS: SettingsTable<WhatsAppSettings> = {
  verifyToken: { kind: "any", default: undefined, check: assertTexts },
  appSecret: { kind: "any", default: undefined, check: assertTexts },
  apps: { kind: "list", default: [], check: assertApps },
  receiverToken: { kind: "any", default: undefined, check: assertTokens },
  journal: { kind: "any", default: undefined, check: assertJournal },
  behindProxy: { kind: "boolean", default: false },
  clientCertificateHeader: { kind: "string", default: "" },
  clientCertificateForm: { kind: "choice", choices: SUBJECT_FORMS, default: "rfc4514" },
  clientCertificateName: { kind: "string", default: "client.webhooks.fbclientcerts.com" },
  failureDelay: { kind: "number", unit: "ms", default: 1000 },
  rawMessageTimeout: { kind: "number", unit: "ms", default: 5000 },
};

const OWN_TABLES = [WHATSAPP_SETTINGS, WHATSAPP_HANDLERS];
const OWN_OPTIONS = new OptionNames("WhatsAppServer", { tables: OWN_TABLES });
const { useSSL: _, ...INHERITED_SETTINGS } = SERVER_SETTINGS;
const { routes: _routes, ...INHERITED_OPTIONS } = SERVER_OTHER_OPTIONS;
const OPTIONS = new OptionNames("WhatsAppServer", {
  tables: [...OWN_TABLES, INHERITED_SETTINGS, SERVER_HANDLERS, INHERITED_OPTIONS],
  hints: {
    ...SERVER_HINTS,
    useSSL: 'leave "useSSL" out: a WhatsAppServer speaks TLS, unless it is "behindProxy"',
    routes: 'leave it out: "pathName" and "apps" are its paths; put a WebSocketServer with routes beside it',
    token: 'use "verifyToken" for Meta, "receiverToken" for receivers',
    secret: 'use "appSecret"',
    database: 'use "journal", the path of a file',
    file: 'use "journal", the path of a file',
    proxy: 'use "behindProxy"',
    trustProxy: 'use "behindProxy" and "trustedProxies"',
    name: 'use "receiverToken: [{ token, name }]"',
    filter: 'use "receiverToken: [{ token, filter }]"',
    onWhatsAppMessageReceived: "it is a handler of WhatsAppReceiver; a server has onRawMessage",
    onStatusReceived: "it is a handler of WhatsAppReceiver; a server has onRawMessage",
    onNotification: "it is a handler of WhatsAppReceiver; a server has onRawMessage",
  },
  example: exampleOf,
});

/**
 * Checks the options of a `WhatsAppServer`, and picks those of the `WebSocketServer` that it is.
 *
 * @param options The options.
 * @returns A copy without those of `WhatsAppSettings`.
 * @throws {OptionError} If one is unknown or no function, or there are certificates for a server that is behind a
 * proxy.
 */
export function serverOptionsOf<Data>(options: WhatsAppServerOptions<Data>): WebSocketServerOptions<Data> {
  OPTIONS.assert(options);
  assertHandlers(options, WHATSAPP_HANDLERS);
  const { behindProxy, protocols = DEFAULT_PROTOCOLS } = options;
  if (behindProxy) assertNoCertificates(options);
  return { ...withoutNames(options, OWN_OPTIONS), protocols, useSSL: !behindProxy };
}

/**
 * Checks that a server without TLS has no certificates.
 *
 * @param settings Settings of a server that is behind a proxy.
 * @throws {OptionError} If there is one.
 */
export function assertNoCertificates(settings: CertificateSettings): void {
  const name = givenCertificate(settings);
  if (name === undefined) return;
  throw new OptionError(
    `The setting "${name}" does not go with "behindProxy": the proxy speaks TLS, this server does not`,
  );
}

/**
 * Makes settings of options.
 *
 * @param options The options.
 * @returns The settings, checked one by one.
 * @throws {OptionError} If one is out of range.
 */
export function makeWhatsAppSettings<Data>(options: WhatsAppServerOptions<Data>): WhatsAppSettings {
  const settings: Record<string, unknown> = defaultsOf(WHATSAPP_SETTINGS);
  for (const name of Object.keys(WHATSAPP_SETTINGS) as (keyof WhatsAppSettings)[]) {
    const value = options[name];
    // Without a default `null` has a meaning of its own.
    if (value !== undefined && (value !== null || settings[name] === undefined)) settings[name] = value;
    settings[name] = checkWhatsAppSetting(name, settings[name] as WhatsAppSettings[typeof name]);
  }
  const made = settings as unknown as WhatsAppSettings;
  // Without a path it may be set until the start.
  if (typeof options.pathName === "string") assertOwnPath(made.apps, options.pathName);
  return made;
}

/**
 * Checks one setting; settings that depend on others are checked at the start.
 *
 * @param name Its name.
 * @param value Its value.
 * @returns The value to store: paths of apps begin with a slash.
 * @throws {OptionError} If it is out of range.
 */
export function checkWhatsAppSetting<Name extends keyof WhatsAppSettings>(
  name: Name,
  value: WhatsAppSettings[Name],
): WhatsAppSettings[Name] {
  checkValue(WHATSAPP_SETTINGS, name, value);
  return name === "apps" ? (value as readonly WhatsAppApp[]).map(appWithSlash) as unknown as typeof value : value;
}

function appWithSlash(app: WhatsAppApp): WhatsAppApp {
  const pathName = withSlash(app.pathName);
  return pathName === app.pathName ? app : { ...app, pathName };
}

/** Empty secrets are refused at the start: until then they may be replaced. */
function assertTexts(value: unknown, name: string): void {
  if (value === null && name === "appSecret") return;
  const list: unknown = typeof value === "string" ? [value] : value;
  if (Array.isArray(list) && list.every((text) => typeof text === "string")) {
    const given = list.filter(isSecret);
    if (given.length > 0) assertSecrets(name, given);
    return;
  }
  throw new OptionError(`The setting "${name}" is neither a text nor a list of texts`);
}

function assertTokens(tokens: ReceiverTokens | null | undefined): void {
  if (tokens === null || tokens === undefined || typeof tokens === "string") return;
  if (!Array.isArray(tokens)) {
    throw new OptionError(
      'The setting "receiverToken" is no text, list, or null; a token with a name is [{ token, name }]',
    );
  }
  for (const entry of tokens) assertTokenEntry(entry);
}

const APP_NAMES: OptionTable<WhatsAppApp> = { pathName: true, verifyToken: true, appSecret: true };
const APP_OPTIONS = new OptionNames('An entry of "apps"', {
  tables: [APP_NAMES],
  hints: { path: 'use "pathName"', secret: 'use "appSecret"', token: 'use "verifyToken"' },
  example: () => "{ pathName, appSecret, verifyToken }",
});

function assertApps(apps: readonly unknown[]): void {
  const paths = new Set<string>();
  for (const app of apps) {
    APP_OPTIONS.assert(app);
    const { pathName } = app as WhatsAppApp;
    if (typeof pathName !== "string" || pathName === "") {
      throw new OptionError('An entry of "apps" has no "pathName": each app has a path of its own');
    }
    const path = withSlash(pathName);
    if (paths.has(path)) {
      throw new OptionError(`Two entries of "apps" have the path ${quote(path)}: each app has a path of its own`);
    }
    paths.add(path);
  }
}

/**
 * Refuses an entry of `apps` that has the path of the server's own app: notifications of one of them would get 401.
 *
 * @param apps The entries, whose paths begin with a slash.
 * @param ownPath Path of the server; "": all paths that no entry has.
 * @throws {OptionError} If there is one.
 */
function assertOwnPath(apps: readonly WhatsAppApp[], ownPath: string): void {
  const path = withSlash(ownPath) || "/";
  if (!apps.some(({ pathName }) => pathName === path)) return;
  const own = ownPath === "" ? 'the server itself, which has no "pathName"' : "the server itself";
  throw new OptionError(`An entry of "apps" has the path ${quote(path)}, as ${own}: each app has a path of its own`);
}

/** Methods of a `Journal` without which it cannot serve. */
const JOURNAL_METHODS: OptionTable<Omit<Journal, "id" | "durable" | "last" | "trimmed" | "lost" | "share">> = {
  listen: true,
  has: true,
  append: true,
  read: true,
  cursor: true,
  admit: true,
  saveCursor: true,
  release: true,
  close: true,
};

function assertJournal(journal: unknown): void {
  if (journal === undefined || journal === null) return;
  if (typeof journal !== "object" || journal instanceof URL) return assertJournalPath(journal);
  if (journal instanceof Promise) {
    throw new OptionError(
      'The setting "journal" is a promise: await it, as in journal: await SqliteJournal.open(path)',
    );
  }
  const missing = Object.keys(JOURNAL_METHODS).filter((name) => !hasMethods(journal, name));
  if (missing.length === 0) return;
  const instead = "give the path of a file as a string, or a journal such as await SqliteJournal.open(path)";
  throw new OptionError(`The setting "journal" is an object without ${missing.join(", ")}: ${instead}`);
}

/** Parts of a server that decide with its settings if it may start. */
export interface StartConditions {
  /** Path of the first app. */
  readonly pathName: string;
  /** Path of health checks; "": none. */
  readonly healthPath: string;
  /** Address to listen on. */
  readonly hostname: string;
  /** Path of a Unix socket to listen on instead, or "": only processes of this machine reach it. */
  readonly path: string;
  /** Proxies that are believed. */
  readonly trustedProxies: readonly string[];
  /** `true` if the program has set `onAllow`. */
  readonly asksProgram: boolean;
  /** Settings of TLS. */
  readonly certificates: CertificateSettings;
}

/**
 * Lists all apps: those of `apps`, and the one of the server's own path.
 *
 * @param settings The settings.
 * @param pathName The server's own path.
 * @returns The apps.
 */
export function appsOf({ apps, verifyToken, appSecret }: WhatsAppSettings, pathName: string): WhatsAppApp[] {
  return [...apps, { pathName, verifyToken, appSecret: appSecret as string | null }];
}

/**
 * Checks that no secret is missing, and that TLS is off on a loopback address, or for known proxies, only.
 *
 * @param settings The settings.
 * @param conditions Parts of the server.
 * @throws {OptionError} If the server must not start with these settings.
 */
export function assertStartable(settings: WhatsAppSettings, conditions: StartConditions): void {
  const { pathName, healthPath, hostname, path, trustedProxies, asksProgram, certificates } = conditions;
  assertOwnPath(settings.apps, pathName);
  if (healthPath !== "" && appsOf(settings, pathName || "/").some((app) => app.pathName === healthPath)) {
    const why = "GET of it verifies that path for Meta";
    throw new OptionError(`Cannot start: "healthPath" is ${quote(healthPath)}, the path of an app: ${why}`);
  }
  for (const app of appsOf(settings, pathName)) assertApp(app, pathName);
  const { receiverToken, behindProxy, clientCertificateHeader, clientCertificateName } = settings;
  if ((receiverToken === undefined && !asksProgram) || receiverToken === "") {
    throw new OptionError('Cannot start: "receiverToken" is not set; null lets any client receive');
  }
  if (receiverToken) checkReceiverTokens(receiverToken);
  if (behindProxy && path === "" && trustedProxies.length === 0 && !isLoopback(hostname)) {
    throw new OptionError(
      `Cannot start: "behindProxy" on "${hostname}" needs "trustedProxies", the addresses of the proxies; ` +
        'only a loopback address or a "path" does without',
    );
  }
  if (behindProxy) assertNoCertificates(certificates);
  if (clientCertificateHeader !== "" && !behindProxy) {
    throw new OptionError('Cannot start: "clientCertificateHeader" needs "behindProxy": else any client can send it');
  }
  const asks = (certificates.clientCertificate ?? "none") !== "none";
  if ((clientCertificateHeader !== "" || asks) && !isSecret(clientCertificateName)) {
    throw new OptionError('Cannot start: "clientCertificateName" is empty');
  }
}

function assertApp({ appSecret, verifyToken, pathName }: WhatsAppApp, ownPath: string): void {
  if (appSecret === undefined || appSecret === "") {
    const app = pathName === ownPath ? "" : ` for "${pathName}"`;
    throw new OptionError(`Cannot start: "appSecret"${app} is not set; null takes unsigned notifications`);
  }
  if (appSecret !== null) assertSecrets("appSecret", appSecret);
  if (verifyToken !== undefined) assertSecrets("verifyToken", verifyToken);
}
