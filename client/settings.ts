/**
 * Settings of a client, with their defaults and ranges, its handlers, and the options of `connect`.
 *
 * @module
 */

import {
  type CloseInfo,
  CONNECTION_SETTINGS,
  type ConnectionOptions,
  type ConnectionSettings,
} from "../connection/options.ts";
import type {
  ClientHandshakeRequest,
  ClientHandshakeResponse,
  CompressionOffer,
  Connector,
  HeaderSource,
} from "./connector.ts";
import { OptionError } from "../base/errors.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { LogHandler } from "../base/log.ts";
import type { PemData } from "../base/pem.ts";
import { type ReconnectAttempt, type ReconnectOptions, reconnectSettings } from "./reconnect.ts";
import { assertHandlers, assertSignal, OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import {
  type Complete,
  flag,
  type HandlersTable,
  milliseconds,
  numberOf,
  type Setting,
  type SettingsStore,
  type SettingsTable,
  text,
} from "../base/settings.ts";
import type { BytePair } from "../transport/stream.ts";

/** Result of `checkIncoming`: nothing in time, a message, a control frame, or the end of the connection. */
export type IncomingResult = "none" | "message" | "control" | "closed";

/**
 * The handlers of a client, without a connection as their first argument. `onConnect` comes when the WebSocket is open,
 * as the server's `onOpen`, and `onDisconnect` when it has ended, as the server's `onEnd`.
 */
export interface ClientHandlers {
  /** Called for the pass phrase of an encrypted private key. */
  onGetSSLPassword?: (() => string | Promise<string>) | undefined;
  /** Called before the request is sent: header fields may be added. */
  onSendHandshake?: ((request: ClientHandshakeRequest) => void) | undefined;
  /** Called when the server has opened the WebSocket; `false` refuses it. */
  onHandshakeResponse?: ((response: ClientHandshakeResponse) => boolean | void | Promise<boolean | void>) | undefined;
  /** Called after the handshake: from here on messages may be sent. */
  onConnect?: (() => void) | undefined;
  /** Called for a text message, or with `frameByFrame` for a frame of one. */
  onMessageReceived?: ((text: string, frame?: FrameInfo) => void) | undefined;
  /** Called for a binary message, or with `frameByFrame` for a frame of one. */
  onBinaryDataReceived?: ((bytes: Uint8Array<ArrayBuffer>, frame?: FrameInfo) => void) | undefined;
  /** Called for a ping; it is answered already, unless `manualPong` is set. */
  onPing?: ((data: Uint8Array<ArrayBuffer>) => void) | undefined;
  /** Called for a pong. */
  onPong?: ((data: Uint8Array<ArrayBuffer>) => void) | undefined;
  /** Called for the server's close frame; it is answered already, unless `manualClose` is set. */
  onClose?: ((code: number, reason: string) => void) | undefined;
  /** Called when the connection has ended: exactly once for each `onConnect`. */
  onDisconnect?: ((info: CloseInfo) => void) | undefined;
  /**
   * Called for failures: a protocol violation, a handler ({@linkcode HandlerError}), a message of a kind that has no
   * handler while the other kind has one (`ERR_NO_HANDLER`, once for each connection), a connect by `active`, a
   * `reconnect` that was given up. Without this handler, errors of handlers and the first `ERR_NO_HANDLER` are printed
   * with `console.error`, and others are dropped.
   */
  onError?: ((error: unknown) => void) | undefined;
  /** Called with `reconnect` before each wait for another attempt. */
  onReconnecting?: ((attempt: ReconnectAttempt) => void) | undefined;
  /** Called with a structured record for each attempt, each connection from its beginning to its end, failures. */
  onLog?: LogHandler | undefined;
}

/** Names of the handlers. */
export const CLIENT_HANDLERS: HandlersTable<ClientHandlers> = {
  onGetSSLPassword: true,
  onSendHandshake: true,
  onHandshakeResponse: true,
  onConnect: true,
  onMessageReceived: true,
  onBinaryDataReceived: true,
  onPing: true,
  onPong: true,
  onClose: true,
  onDisconnect: true,
  onError: true,
  onReconnecting: true,
  onLog: true,
};

/**
 * Options and handlers of a client. `0` turns a limit off. `connect` reads them.
 *
 * Also from {@linkcode ConnectionOptions}:
 * - `options`: Switches of the protocol.
 * - `splitMessage` (default `false`): Send messages in frames of at most `frameSize` bytes.
 * - `frameSize` (default `0`): Longest frame on the wire, header included, in bytes, when `splitMessage` is on; 0: no
 *   splitting.
 * - `maxMessageSize` (default `16777216`): Largest message accepted from the peer, in bytes.
 * - `maxFragments` (default `131072`): Most fragments of one message, empty ones included; beyond it 1008.
 * - `messageTimeout` (default `0`): Longest time until the next piece of a message that has begun, in ms, exact to an
 *   eighth.
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
 * Also from {@linkcode ClientHandlers}:
 * - `onGetSSLPassword`: Called for the pass phrase of an encrypted private key.
 * - `onSendHandshake`: Called before the request is sent: header fields may be added.
 * - `onHandshakeResponse`: Called when the server has opened the WebSocket; `false` refuses it.
 * - `onConnect`: Called after the handshake: from here on messages may be sent.
 * - `onMessageReceived`: Called for a text message, or with `frameByFrame` for a frame of one.
 * - `onBinaryDataReceived`: Called for a binary message, or with `frameByFrame` for a frame of one.
 * - `onPing`: Called for a ping; it is answered already, unless `manualPong` is set.
 * - `onPong`: Called for a pong.
 * - `onClose`: Called for the server's close frame; it is answered already, unless `manualClose` is set.
 * - `onDisconnect`: Called when the connection has ended: exactly once for each `onConnect`.
 * - `onError`: Called for failures: a protocol violation, a handler ({@linkcode HandlerError}), a message of a kind
 *   that has no handler while the other kind has one (`ERR_NO_HANDLER`, once for each connection), a connect by
 *   `active`, a `reconnect` that was given up.
 * - `onReconnecting`: Called with `reconnect` before each wait for another attempt.
 * - `onLog`: Called with a structured record for each attempt, each connection from its beginning to its end, failures.
 */
export interface WebSocketClientOptions extends ConnectionOptions, ClientHandlers {
  /**
   * Host name or address of the server.
   * @default {"localhost"}
   */
  hostname?: string | undefined;
  /**
   * Former name of `hostname`, which wins if both are given.
   * @deprecated Use `hostname`.
   */
  hostName?: string | undefined;
  /**
   * Port of the server, up to 65535.
   * @default {8888}
   */
  port?: number | undefined;
  /**
   * Path of a Unix socket to connect to instead of a port, up to 107 bytes; the URL is `ws+unix:/run/chat.sock:/path`.
   * `Host` is the host name, without the port. For the path of the URL see `pathName`.
   * @default {""}
   */
  path?: string | undefined;
  /**
   * Path, and query if there is one.
   * @default {"/"}
   */
  pathName?: string | undefined;
  /**
   * Speak TLS (`wss:`).
   * @default {false}
   */
  useSSL?: boolean | undefined;
  /** PEM file with certificates that are trusted besides the runtime's own. */
  rootCertificateFile?: string | undefined;
  /** PEM text or its bytes, instead of `rootCertificateFile`. */
  rootCertificate?: PemData | undefined;
  /** PEM file with the certificate that the client shows if the server asks for one; its chain may follow in it. */
  certificateFile?: string | undefined;
  /** The certificate as PEM text or its bytes, instead of `certificateFile`. */
  certificate?: PemData | undefined;
  /** PEM file with its private key. If it is encrypted, `onGetSSLPassword` is called for the pass phrase. */
  certificateKeyFile?: string | undefined;
  /** The private key as PEM text or its bytes, instead of `certificateKeyFile`. */
  certificateKey?: PemData | undefined;
  /**
   * Name of the server in TLS, where it is not the host name, as with an address: it is sent (SNI), and the certificate
   * is checked against it. "": the host name.
   * @default {""}
   */
  serverName?: string | undefined;
  /** The value of the `Origin` header; "" sends none. */
  origin?: string | undefined;
  /** More header fields, or a function that is called for them before each attempt. */
  headers?: (HeaderSource | (() => HeaderSource | Promise<HeaderSource>)) | undefined;
  /**
   * Token sent as `Authorization: Bearer`, or a function that is called for it before each attempt. An empty one is
   * refused.
   */
  token?: (string | (() => string | Promise<string>)) | undefined;
  /**
   * Called before each attempt for the URL; without it, `hostname`, `port`, `pathName` and `useSSL` count. User name
   * and password of the URL that the client was made with do not go to another host; `headers` and `token` do.
   */
  resolveUrl?: (() => string | URL | Promise<string | URL>) | undefined;
  /**
   * An HTTP proxy to go through, such as `"http://user:password@proxy.example:3128"`; "": none. Its failures have the
   * code `ERR_PROXY`.
   * @default {""}
   */
  proxy?: string | undefined;
  /**
   * Largest number of redirects to follow: never from `wss:` to `ws:`, and without `headers` and `token` to another
   * origin.
   * @default {0}
   */
  maxRedirects?: number | undefined;
  /**
   * Reconnect when the connection is lost or cannot be made; an object says how. Loops over the messages go on with
   * the next connection. `onReconnecting` is called before each attempt, and `onError` when none follows a failure.
   *
   * | failure | another attempt |
   * |---|---|
   * | the server closes with a code of `terminalCodes` | no |
   * | the client closes with such a code; by default not 1002 and 1007 | no |
   * | the connection is lost, its bytes are broken (1002, 1007), another close code | yes |
   * | status 401 | one, with fresh credentials |
   * | status 404, or an answer that is not HTTP | if there was a connection |
   * | status 408, 425, 429, or 5xx except 501 | yes |
   * | another status, a redirect, a refusal by `onHandshakeResponse` | no |
   * | the proxy answers 403 or 407 | no |
   * | no permission to connect | no |
   * | certificate not trusted, or for another name | no |
   * | certificate expired, or not valid yet | if there was a connection |
   * | URL refused by the browser | no |
   * | `disconnect`, or a signal | no |
   * | any other failure of network, proxy, `token`, `headers`, `resolveUrl`; in a page all | yes |
   * | setting or file that cannot be used, another handler that throws | no |
   *
   * "If there was a connection" and "fresh credentials": see `docs/client.md`.
   * @default {false}
   */
  reconnect?: boolean | ReconnectOptions | undefined;
  /** Ends the client: aborts connecting, disconnects, and does not connect again. */
  signal?: AbortSignal | undefined;
  /** Subprotocols in the order of preference. */
  protocols?: readonly string[] | undefined;
  /**
   * Offer compression (RFC 7692); an object says how. If it limits the server's side, an offer without these limits
   * follows, for servers that ignore them. A list is offered as it is, in the order of preference: a server takes the
   * first it can, and its `threshold`, `level` and `memoryLevel` count; an answer that fits none of its offers fails
   * the connection. A list of one is for servers that accept each offer, as libsoup 3.2 does. An empty list offers
   * nothing.
   * @default {false}
   */
  compression?: CompressionOffer | undefined;
  /**
   * Time for name resolution, TCP, TLS and handshake together, in ms.
   * @default {10000}
   */
  connectTimeout?: number | undefined;
  /**
   * `true`: events are delivered as they come. `false`: nothing is delivered until `checkIncoming()`, and messages
   * that are not fetched are not read from the socket.
   * @default {true}
   */
  autoCheckMessages?: boolean | undefined;
  /**
   * Time between two batches of events, in ms, so that a UI or a game loop is woken at its own pace; up to 1 MiB
   * waits in between. 0: events come as bytes come.
   * @default {0}
   */
  autoCheckInterval?: number | undefined;
  /**
   * Time that `checkIncoming` waits, in ms; 0: until something comes.
   * @default {1000}
   */
  checkTimeout?: number | undefined;
}

/** Options of a client, without its handlers. */
export type ClientOptions = Omit<WebSocketClientOptions, keyof ClientHandlers>;

/** Options of `connect`. */
export interface ConnectOptions {
  /** Aborts the attempt. */
  signal?: AbortSignal | undefined;
  /** Connects over these streams instead of opening a socket. */
  stream?: BytePair | undefined;
}

/** Settings of a client: its options, checked and complete. */
export interface ClientSettings extends Complete<Omit<ClientOptions, "hostName" | "signal" | "token" | "resolveUrl">> {
  /** See `WebSocketClientOptions`. */
  token: ClientOptions["token"] | undefined;
  /** See `WebSocketClientOptions`. */
  resolveUrl: ClientOptions["resolveUrl"] | undefined;
}

const PEM: Setting<PemData> = { kind: "any", default: "" };

/**
 * The settings of a client. They are checked when the client is made, and by each `connect`: their kinds here, and what
 * sockets need besides in `client/socket_settings.ts`.
 */
export const CLIENT_SETTINGS: SettingsTable<ClientSettings> = {
  ...CONNECTION_SETTINGS,
  hostname: { kind: "string", default: "localhost", alias: "hostName" },
  port: { kind: "number", unit: "count", most: 65535, default: 8888 },
  path: text(),
  pathName: text("/"),
  useSSL: flag(),
  rootCertificateFile: text(),
  rootCertificate: PEM,
  certificateFile: text(),
  certificate: PEM,
  certificateKeyFile: text(),
  certificateKey: PEM,
  serverName: text(),
  origin: text(),
  headers: { kind: "any", default: {} },
  token: { kind: "any", default: undefined },
  resolveUrl: { kind: "function", default: undefined },
  proxy: text(),
  maxRedirects: numberOf(0),
  reconnect: { kind: "any", default: false, check: (reconnect) => void reconnectSettings(reconnect) },
  protocols: { kind: "list", default: [] },
  compression: { kind: "any", default: false },
  connectTimeout: milliseconds(10_000),
  autoCheckMessages: flag(true),
  autoCheckInterval: milliseconds(0),
  checkTimeout: milliseconds(1000),
};

/** Options that are neither settings nor handlers. */
const OTHER_OPTIONS: OptionTable<Omit<WebSocketClientOptions, keyof ClientSettings | keyof ClientHandlers>> = {
  hostName: true,
  signal: true,
};

/** Tables of all options of a client. */
export const CLIENT_OPTION_TABLES: readonly object[] = [CLIENT_SETTINGS, CLIENT_HANDLERS, OTHER_OPTIONS];

const CLIENT_OPTIONS = /* @__PURE__ */ new OptionNames("WebSocketClient", {
  tables: CLIENT_OPTION_TABLES,
});

const CONNECT_NAMES: OptionTable<ConnectOptions> = { signal: true, stream: true };
const CONNECT_OPTIONS = /* @__PURE__ */ new OptionNames("connect", { tables: [CONNECT_NAMES] });

/**
 * Tells the URL of a new client from its options.
 *
 * @param urlOrOptions First argument of the constructor.
 * @param more Second argument, which goes with a URL only.
 * @returns The URL, if there is one, and the options.
 * @throws {OptionError} If there are options twice.
 */
export function clientArguments<Options extends object>(
  urlOrOptions: string | URL | Options,
  more: Options,
): { readonly url: string | URL | undefined; readonly options: Options } {
  if (typeof urlOrOptions === "string" || urlOrOptions instanceof URL) return { url: urlOrOptions, options: more };
  if (typeof more !== "object" || more === null || Object.keys(more).length > 0) {
    throw new OptionError("A second argument goes with a URL as the first only: put all options into one object");
  }
  return { url: undefined, options: urlOrOptions };
}

/**
 * Checks the options of `connect`.
 *
 * @param options The options.
 * @param connector Checks streams.
 * @returns Rejects with an `OptionError` if one is unknown, or of another kind; `undefined` if all can be used.
 */
export function refuseConnectOptions(
  options: ConnectOptions,
  connector: Pick<Connector, "checkStream">,
): Promise<never> | undefined {
  try {
    CONNECT_OPTIONS.assert(options);
    assertSignal(options);
    if (options.stream !== undefined) connector.checkStream?.(options.stream);
    return undefined;
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Checks the first argument of `disconnect`: other libraries have the close code there.
 *
 * @param sendClose The argument.
 * @throws {OptionError} If it is no boolean.
 */
export function assertSendClose(sendClose: unknown): void {
  if (typeof sendClose === "boolean") return;
  const shown = showValue(sendClose);
  throw new OptionError(`Cannot disconnect: ${shown} is neither true nor false: use disconnect(true, 4000, "bye")`);
}

/**
 * Takes over the options of a new client.
 *
 * @param store The settings of the client.
 * @param options The options; `null` stands for none.
 * @throws {OptionError} If one is unknown, or cannot be used at all.
 */
export function assignClientOptions(store: SettingsStore<ClientSettings>, options: ClientOptions): void {
  CLIENT_OPTIONS.assert(options);
  assertHandlers(options, CLIENT_HANDLERS);
  assertSignal(options);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) if (value !== null) given[name] = value;
  store.assign(given);
  if (given.options !== undefined) store.check("options", given.options);
  // A copy, since the program may change its fields.
  store.set("options", { frameByFrame: false, manualPong: false, manualClose: false, ...options.options });
}

const CONNECTION_NAMES = Object.keys(CONNECTION_SETTINGS) as (keyof ConnectionSettings)[];

/**
 * Picks the settings of the next connection.
 *
 * @param settings The settings of the client, checked.
 * @param connector Makes the connection.
 * @returns A copy.
 */
export function connectionSettings(
  settings: ClientSettings,
  { timers }: Pick<Connector, "timers">,
): ConnectionSettings {
  const picked: Record<string, unknown> = {};
  for (const name of CONNECTION_NAMES) picked[name] = settings[name];
  picked.options = { ...settings.options };
  picked.clock = timers(settings.clock);
  return picked as unknown as ConnectionSettings;
}
