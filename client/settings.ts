/**
 * What a client is told: its settings with their defaults and ranges, its handlers, and how to connect.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import {
  assertSlowConsumer,
  type CloseInfo,
  CONNECTION_DEFAULTS,
  type ConnectionOptions,
  type ConnectionSettings,
  LIMIT_NAMES,
  type LimitName,
  type ProtocolOptions,
  type SlowConsumer,
  type StepResult,
} from "../connection/options.ts";
import { chooseConnector } from "./choose_connector.ts";
import type { ClientHandshakeRequest, ClientHandshakeResponse, CompressionOffer, Connector } from "./connector.ts";
import { describe, OptionError } from "../base/errors.ts";
import { type FrameInfo, maxFramePayload } from "../protocol/frame_header.ts";
import type { LogHandler } from "../base/log.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { parseProxy } from "./proxy_address.ts";
import { assertNumber, assertPort } from "../base/ranges.ts";
import { assertProtocols } from "../protocol/subprotocol.ts";
import { type ReconnectAttempt, type ReconnectOptions, reconnectSettings } from "./reconnect.ts";
import { assertToken } from "../base/secrets.ts";
import { sharedTimer } from "../base/shared_timer.ts";
import { isFieldValue, isToken, isVisibleAscii } from "../base/token.ts";
import type { BytePair } from "../transport/stream.ts";

/** What `checkIncoming` came to: nothing in time, a message, a control frame, or the end of the connection. */
export type IncomingResult = StepResult;

/** Header fields as a program gives them. */
export type HeaderSource = Record<string, string> | Headers;

/** The handlers of a client: those of the server, less the connection. */
export interface ClientHandlers {
  /** The request is about to be sent: headers may be added. */
  onSendHandshake?: (request: ClientHandshakeRequest) => void | Promise<void>;
  /** The server opened the WebSocket; `false` refuses it. */
  onHandshakeResponse?: (response: ClientHandshakeResponse) => boolean | void | Promise<boolean | void>;
  /** The handshake is done: from here on messages may be sent. */
  onConnect?: () => void | Promise<void>;
  /** A text message came, or with `frameByFrame` a frame of one. */
  onMessageReceived?: (text: string, frame?: FrameInfo) => void | Promise<void>;
  /** A binary message came, or with `frameByFrame` a frame of one. */
  onBinaryDataReceived?: (bytes: Uint8Array, frame?: FrameInfo) => void | Promise<void>;
  /** A ping came; the automatic pong is on its way, unless `manualPong`. */
  onPing?: (data: Uint8Array) => void | Promise<void>;
  /** A pong came. */
  onPong?: (data: Uint8Array) => void | Promise<void>;
  /** The server's close frame came; the automatic answer is on its way, unless `manualClose`. */
  onClose?: (code: number, reason: string) => void | Promise<void>;
  /** The connection has ended: exactly once for each `onConnect`. */
  onDisconnect?: (info: CloseInfo) => void | Promise<void>;
  /**
   * Something failed: a protocol violation, a handler ({@linkcode HandlerError}), a connect by `active`, a `reconnect` that was given
   * up. Without this handler, errors of handlers are printed with `console.error`, and others are dropped.
   */
  onError?: (error: unknown) => void;
  /** With `reconnect`: there is no connection, and another attempt is going to be made. */
  onReconnecting?: (attempt: ReconnectAttempt) => void | Promise<void>;
  /** Something happened, as a structured record: each attempt, each connection from its beginning to its end, failures. */
  onLog?: LogHandler;
}

/** Settings of a client. `0` turns a limit off. They are read by `connect`. */
export interface ClientSettings extends ConnectionOptions {
  /**
   * Host name or address of the server.
   * @default {"localhost"}
   */
  hostName?: string;
  /**
   * Port of the server.
   * @default {8888}
   */
  port?: number;
  /**
   * Path, and query if there is one.
   * @default {"/"}
   */
  pathName?: string;
  /**
   * Whether to speak TLS.
   * @default {false}
   */
  useSSL?: boolean;
  /** PEM file with certificates that are trusted besides the runtime's own. */
  rootCertificateFile?: string;
  /** The value of the `Origin` header; "" sends none. */
  origin?: string;
  /** More header fields, or what is asked for them before each attempt. */
  headers?: HeaderSource | (() => HeaderSource | Promise<HeaderSource>);
  /** Shown as `Authorization: Bearer`, or what is asked for it before each attempt. An empty one is refused. */
  token?: string | (() => string | Promise<string>);
  /**
   * Asked before each attempt where to connect; without it that is `hostName`, `port`, `pathName` and `useSSL`. User name and password
   * of the URL that the client was made with do not go to another host; `headers` and `token` do.
   */
  resolveUrl?: () => string | URL | Promise<string | URL>;
  /**
   * An HTTP proxy to go through, such as `"http://user:password@proxy.example:3128"`; "": none.
   * @default {""}
   */
  proxy?: string;
  /**
   * The most redirects to follow: never from `wss:` to `ws:`, and without `headers` and `token` to another origin.
   * @default {0}
   */
  maxRedirects?: number;
  /**
   * Whether to connect again when the connection is lost, or cannot be made, and how. Loops over the messages go on with the next
   * connection.
   * @default {false}
   */
  reconnect?: boolean | ReconnectOptions;
  /** Ends it for good: gives up connecting, disconnects, and does not connect again. */
  signal?: AbortSignal;
  /** Subprotocols in the order of preference. */
  protocols?: readonly string[];
  /**
   * Whether to offer compression (RFC 7692), and how. Several offers stand in the order of preference: a server takes the first it
   * can, and its `threshold`, `level` and `memoryLevel` count. An empty list offers nothing.
   * @default {false}
   */
  compression?: CompressionOffer;
  /**
   * How long name resolution, TCP, TLS and handshake may take together, in ms.
   * @default {10000}
   */
  connectTimeout?: number;
  /**
   * `true`: events come by themselves. `false`: nothing is delivered until `checkIncoming()`, and what is not fetched is
   * not read from the socket.
   * @default {true}
   */
  autoCheckMessages?: boolean;
  /**
   * 0: events come as bytes come. Else they come in batches, each so many ms, so that a UI or a game loop is woken at its own
   * pace; up to 1 MiB waits in between.
   * @default {0}
   */
  autoCheckInterval?: number;
  /**
   * How long `checkIncoming` waits, in ms; 0: until something comes.
   * @default {1000}
   */
  checkTimeout?: number;
}

/** Settings and handlers of a client. */
export interface WebSocketClientOptions extends ClientSettings, ClientHandlers {}

/** How to connect. */
export interface ConnectOptions {
  /** Gives the attempt up. */
  signal?: AbortSignal;
  /** Connects over these streams instead of opening a socket. */
  stream?: BytePair;
}

/** A client's settings as properties; `connect` reads them. */
export abstract class ConfigurableClient {
  /** Host name or address of the server. */
  hostName = "localhost";
  /** Port of the server. */
  port = 8888;
  /** Whether to speak TLS. */
  useSSL = false;
  /** PEM file with certificates that are trusted besides the runtime's own. */
  rootCertificateFile = "";
  /** The value of the `Origin` header; "" sends none. */
  origin = "";
  /** Asked before each attempt where to connect. */
  resolveUrl: (() => string | URL | Promise<string | URL>) | undefined;
  /** The most redirects to follow. */
  maxRedirects = 0;
  /** Whether to connect again, and how. */
  reconnect: boolean | ReconnectOptions = false;
  /** Whether to offer compression, and how. */
  compression: CompressionOffer = false;
  /** How long name resolution, TCP, TLS and handshake may take together, in ms; 0: no limit. */
  connectTimeout = 10_000;
  /** How long `checkIncoming` waits, in ms; 0: until something comes. */
  checkTimeout = 1000;
  /** Send messages in frames of at most `frameSize` bytes. */
  splitMessage = false;
  /** The most bytes of a frame on the wire, header included, when `splitMessage` is on; 0: no splitting. At least 7. */
  frameSize = 0;
  /** Switches: `frameByFrame`, `manualPong`, `manualClose`; all off by default. */
  options: ProtocolOptions;
  /** The largest message taken from the server, in bytes; 0: no limit. */
  maxMessageSize: number = CONNECTION_DEFAULTS.maxMessageSize;
  /** The most fragments of one message; 0: no limit. */
  maxFragments: number = CONNECTION_DEFAULTS.maxFragments;
  /** How long the next piece of a message that has begun may take, in ms; 0: no limit. */
  messageTimeout: number = CONNECTION_DEFAULTS.messageTimeout;
  /** The most bytes that wait for a slow server; 0: no limit. */
  maxBufferedAmount: number = CONNECTION_DEFAULTS.maxBufferedAmount;
  /** From how many waiting bytes on `send` says `"backpressure"`. */
  highWaterMark: number = CONNECTION_DEFAULTS.highWaterMark;
  /** What `send` does beyond `maxBufferedAmount`. */
  slowConsumer: SlowConsumer = CONNECTION_DEFAULTS.slowConsumer;
  /** How long the closing handshake, and then the end of TCP, may take, in ms; 0: no limit. */
  closeTimeout: number = CONNECTION_DEFAULTS.closeTimeout;
  /** How long nothing may come or be sent but pings and pongs, in ms; 0: no limit. */
  idleTimeout: number = CONNECTION_DEFAULTS.idleTimeout;
  /** The time between the answer to a ping and the next ping, in ms; 0: no pings. */
  pingInterval: number = CONNECTION_DEFAULTS.pingInterval;
  /** How long the answer to a ping may take, in ms; 0: no limit. */
  pongTimeout: number = CONNECTION_DEFAULTS.pongTimeout;
  /** The most messages and control frames a second; 0: no limit. */
  maxMessageRate: number = CONNECTION_DEFAULTS.maxMessageRate;
  /** The most bytes a second; 0: no limit. */
  maxByteRate: number = CONNECTION_DEFAULTS.maxByteRate;
  /** So many seconds' messages and bytes may come at once. */
  rateBurst: number = CONNECTION_DEFAULTS.rateBurst;
  /** Time, for tests. */
  protected readonly clock: Clock;

  // Settings that may hold credentials: not shown when a client is printed, or made JSON of
  #pathName = "/";
  #headers: HeaderSource | (() => HeaderSource | Promise<HeaderSource>) = {};
  #token: string | (() => string | Promise<string>) | undefined;
  #proxy = "";
  #protocols: readonly string[] = [];
  /** Those of the URL that the client was made with, and where they belong. */
  #credentials: { authorization: string; origin: string } | undefined;

  /**
   * Takes the settings.
   *
   * @param settings Those that differ from the default.
   * @param url Where to connect, if that is given as a URL: it wins.
   * @throws {OptionError} If the URL is not valid, or a setting is out of range.
   */
  constructor(settings: ClientSettings, url?: string | URL) {
    this.options = { frameByFrame: false, manualPong: false, manualClose: false, ...settings.options };
    this.clock = settings.clock ?? CONNECTION_DEFAULTS.clock;
    this.#apply(settings);
    if (url !== undefined) this.#keepCredentials(this.applyUrl(url));
    this.assertSettings();
  }

  #apply(options: ClientSettings): void {
    this.hostName = options.hostName ?? this.hostName;
    this.port = options.port ?? this.port;
    this.pathName = options.pathName ?? this.pathName;
    this.useSSL = options.useSSL ?? this.useSSL;
    this.rootCertificateFile = options.rootCertificateFile ?? this.rootCertificateFile;
    this.origin = options.origin ?? this.origin;
    this.headers = options.headers ?? this.headers;
    this.token = options.token ?? this.token;
    this.resolveUrl = options.resolveUrl ?? this.resolveUrl;
    this.proxy = options.proxy ?? this.proxy;
    this.maxRedirects = options.maxRedirects ?? this.maxRedirects;
    this.reconnect = options.reconnect ?? this.reconnect;
    this.protocols = options.protocols ?? this.protocols;
    this.compression = options.compression ?? this.compression;
    this.connectTimeout = options.connectTimeout ?? this.connectTimeout;
    this.checkTimeout = options.checkTimeout ?? this.checkTimeout;
    this.splitMessage = options.splitMessage ?? this.splitMessage;
    for (const name of LIMIT_NAMES) this[name] = options[name] ?? this[name];
    this.slowConsumer = options.slowConsumer ?? this.slowConsumer;
  }

  /** Path, and query if there is one. */
  get pathName(): string {
    return this.#pathName;
  }
  set pathName(value: string) {
    this.#pathName = value;
  }

  /** More header fields. */
  get headers(): HeaderSource | (() => HeaderSource | Promise<HeaderSource>) {
    return this.#headers;
  }
  set headers(value: HeaderSource | (() => HeaderSource | Promise<HeaderSource>)) {
    this.#headers = value;
  }

  /** Shown as `Authorization: Bearer`. */
  get token(): string | (() => string | Promise<string>) | undefined {
    return this.#token;
  }
  set token(value: string | (() => string | Promise<string>) | undefined) {
    this.#token = value;
  }

  /** An HTTP proxy to go through; "": none. */
  get proxy(): string {
    return this.#proxy;
  }
  set proxy(value: string) {
    this.#proxy = value;
  }

  /** Subprotocols in the order of preference. */
  get protocols(): readonly string[] {
    return this.#protocols;
  }
  set protocols(value: readonly string[]) {
    this.#protocols = value;
  }

  /**
   * Takes over where to connect.
   *
   * @param url The URL.
   * @returns The value of `Authorization` for the credentials in it (RFC 7617), if there are some.
   * @throws {OptionError} If it is not valid.
   */
  protected applyUrl(url: string | URL): string | undefined {
    const parsed = parseUrl(url);
    this.useSSL = parsed.protocol === "wss:";
    this.hostName = parsed.hostname.startsWith("[") ? parsed.hostname.slice(1, -1) : parsed.hostname;
    this.port = parsed.port === "" ? (this.useSSL ? 443 : 80) : Number(parsed.port);
    this.pathName = parsed.pathname + parsed.search;
    if (parsed.username === "" && parsed.password === "") return undefined;
    const credentials = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`;
    return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(credentials)))}`;
  }

  /** As other clients do with such URLs. A header that is given wins. */
  #keepCredentials(authorization: string | undefined): void {
    if (authorization === undefined || typeof this.headers === "function") return;
    const headers = makeHeaders(this.headers);
    if (headers.has("authorization")) return;
    headers.set("authorization", authorization);
    this.headers = headers;
    this.#credentials = { authorization, origin: this.#where };
  }

  /**
   * Takes the credentials of the client's first URL out of a request that goes elsewhere.
   *
   * @param headers The header fields of the request, which are changed.
   * @param replaced Whether the URL of this request has its own.
   */
  protected dropForeignCredentials(headers: Headers, replaced: boolean): void {
    const { authorization, origin } = this.#credentials ?? {};
    if (authorization === undefined || headers.get("authorization") !== authorization) return;
    if (replaced || this.#where !== origin) headers.delete("authorization");
  }

  get #where(): string {
    return `${this.useSSL} ${this.bareHostName.toLowerCase()} ${this.port}`;
  }

  /**
   * Checks what would go wrong later, and far from its cause.
   *
   * @throws {OptionError} If a setting is out of range.
   */
  protected assertSettings(): void {
    assertPort(this.port);
    assertNumber("connectTimeout", this.connectTimeout);
    assertNumber("checkTimeout", this.checkTimeout);
    for (const name of LIMIT_NAMES) assertNumber(name, this[name]);
    if (this.frameSize !== 0) maxFramePayload(this.frameSize, true);
    assertSlowConsumer(this.slowConsumer);
    assertProtocols(this.protocols);
    this.connector(true).deflateOffers(this.compression);
    if (typeof this.headers !== "function") makeHeaders(this.headers);
    if (this.token !== undefined && typeof this.token !== "function") assertToken("token", this.token);
    assertNumber("maxRedirects", this.maxRedirects);
    parseProxy(this.proxy);
    reconnectSettings(this.reconnect);
    if (this.hostName === "" || !isHostName(this.hostName)) {
      throw new OptionError(`The setting "hostName" is ${quote(redactUrl(this.hostName))}, not a host name or address`);
    }
    if (!isVisibleAscii(this.origin)) {
      throw new OptionError(`The setting "origin" is ${quote(redactUrl(this.origin))}, not an origin`);
    }
    // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs".
    if (this.pathName.includes("#")) {
      throw new OptionError(`The path ${quote(redactUrl(this.pathName))} has a fragment`);
    }
  }

  /** Where it connects, as a URL. */
  get url(): string {
    return `${this.useSSL ? "wss" : "ws"}://${this.hostHeader}${this.target}`;
  }

  /** The value of `Host`: with the port, unless it is the default of the scheme. */
  protected get hostHeader(): string {
    const plain = this.bareHostName;
    const name = plain.includes(":") ? `[${plain}]` : plain;
    return this.port === (this.useSSL ? 443 : 80) ? name : `${name}:${this.port}`;
  }

  /** The host name; an IPv6 address without its brackets. */
  protected get bareHostName(): string {
    return this.hostName.startsWith("[") ? this.hostName.slice(1, -1) : this.hostName;
  }

  /** Path and query. */
  protected get target(): string {
    return this.pathName.startsWith("/") ? this.pathName : `/${this.pathName}`;
  }

  /**
   * The settings of the next connection.
   *
   * @returns A copy, checked.
   * @throws {OptionError} If one is out of range.
   */
  protected connectionSettings(): ConnectionSettings {
    this.assertSettings();
    const { splitMessage, slowConsumer, clock } = this;
    const limits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, this[name]])) as Record<LimitName, number>;
    return { ...limits, options: { ...this.options }, splitMessage, slowConsumer, clock: sharedTimer(clock) };
  }

  /**
   * What connects; the default chooses by the platform.
   *
   * @param overStream Whether the connection goes over streams of the program.
   * @returns The connector.
   */
  protected connector(overStream: boolean): Connector {
    return chooseConnector(overStream);
  }
}

/** Whether a text has no delimiter of a URL, which would lead elsewhere, or hold a password. */
function isHostName(text: string): boolean {
  for (const char of text) if ("/\\?#@".includes(char)) return false;
  return isVisibleAscii(text);
}

function parseUrl(url: string | URL): URL {
  const shown = quote(redactUrl(url));
  // The error of the runtime would quote it whole.
  if (!URL.canParse(String(url))) throw new OptionError(`The URL ${shown} is not valid`);
  const parsed = new URL(url);
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw new OptionError(`The URL ${shown} is neither "ws:" nor "wss:"`);
  }
  // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs".
  if (parsed.hash !== "") throw new OptionError(`The URL ${shown} has a fragment`);
  return parsed;
}

/**
 * Makes header fields of what a program gives.
 *
 * @param headers Names and values.
 * @returns A copy.
 * @throws {OptionError} If a name or value is not valid.
 */
export function makeHeaders(headers: HeaderSource): Headers {
  // Errors of the runtimes would quote the value.
  const given = headers instanceof Headers ? [] : Object.entries(headers ?? {});
  for (const [name, value] of given) assertField(name, value);
  try {
    return new Headers(headers);
  } catch (cause) {
    throw new OptionError(`The setting "headers" is not valid: ${describe(cause)}`);
  }
}

function assertField(name: string, value: unknown): void {
  if (!isToken(name)) throw new OptionError(`The setting "headers" is not valid: ${quote(name)} is not a header name`);
  if (isFieldValue(String(value))) return;
  throw new OptionError(
    `The setting "headers" is not valid: the value of ${quote(name)} has a character that is not allowed`,
  );
}
