/**
 * The settings of a server: defaults, ranges, and the lock while it runs.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts";
import {
  CONNECTION_DEFAULTS,
  CONNECTION_SETTINGS,
  type ConnectionOptions,
  type ProtocolOptions,
  type SlowConsumer,
} from "../connection/options.ts";
import { type CompressionOptions, type CompressionSettings, compressionSettings } from "../protocol/deflate.ts";
import { OptionError, StateError } from "../base/errors.ts";
import { maxFramePayload } from "../protocol/frame_header.ts";
import { assertProtocols } from "../protocol/subprotocol.ts";
import { isHost } from "../protocol/http.ts";
import { quote, redactUrl } from "../base/message_text.ts";
import { assertNumber, assertPort } from "../base/ranges.ts";
import { sharedTimer } from "../base/shared_timer.ts";

/** Settings of a server. `0` turns a limit off. */
export interface ServerSettings extends ConnectionOptions {
  /**
   * The port; 0 takes a free one, see `address`.
   * @default {8888}
   */
  port?: number;
  /**
   * The address to listen on.
   * @default {"0.0.0.0"}
   */
  hostname?: string;
  /**
   * Whether other processes may listen on the same port (SO_REUSEPORT): on Linux the system spreads new connections among them. For one
   * process a core. Deno 2 wants the flag `--unstable-net` for it.
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * The path that opens a WebSocket, without a query; "": any path. Others get 404.
   * @default {""}
   */
  pathName?: string;
  /**
   * Whether to speak TLS. Needs `certificateFile` and `certificateKeyFile`.
   * @default {false}
   */
  useSSL?: boolean;
  /** PEM file with the certificate; the rest of its chain may follow in it. */
  certificateFile?: string;
  /** PEM file with the private key. If it is encrypted, `onGetSSLPassword` is asked. */
  certificateKeyFile?: string;
  /** PEM file with certificates that are appended to the chain that is sent. */
  rootCertificateFile?: string;
  /**
   * Subprotocols the server speaks, in its order of preference. Without `onSelectProtocol` the first of them that the
   * client offers is chosen.
   * @default {[]}
   */
  protocols?: readonly string[];
  /**
   * Whether to compress messages for clients that offer it (RFC 7692), and how. It costs memory for each connection, unless
   * `serverNoContextTakeover` and `clientNoContextTakeover` are set.
   * @default {false}
   */
  compression?: boolean | CompressionOptions;
  /**
   * How long TLS handshake and first request may take together, and how long an HTTP connection may idle or be silent inside a request,
   * in ms. An asynchronous `onAllow` has the same time for its answer; that of `onCommandGet` is not limited.
   * @default {10000}
   */
  handshakeTimeout?: number;
  /**
   * How long the body of a plain HTTP request may take to come, in ms.
   * @default {60000}
   */
  bodyTimeout?: number;
  /**
   * The most bytes of request bodies that are held for all connections together, until each request is answered; what comes before it
   * is its turn counts too. Beyond it those go that hold at least half of the average, the one that began first before the
   * others, with 503 and `Retry-After`: bodies that are small, or come without delay, get through. Should be several times `maxBodySize`.
   * @default {67108864}
   */
  maxTotalBodySize?: number;
  /**
   * The most bytes of memory that unfinished messages of all connections hold together. Beyond it those go that hold at least half
   * of the average, the one that began first before the others, with 1013. Should be several times `maxMessageSize`.
   * @default {134217728}
   */
  maxTotalMessageSize?: number;
  /**
   * How long the next piece of a message that has begun may take, in ms, exact to an eighth. Then the connection is closed with 1001. The
   * time does not run while the program itself holds up the reading, nor with `frameByFrame` between two frames.
   * @default {60000}
   */
  messageTimeout?: number;
  /**
   * Origins whose pages may open a WebSocket, such as `"https://example.com"`; empty: all. Others get 403. Compared exactly. Set it
   * wherever a browser's cookies say who somebody is, or any page can use them (cross-site WebSocket hijacking). What sends no `Origin`,
   * as programs do, is let in.
   * @default {[]}
   */
  origins?: readonly string[];
  /**
   * Names under which this server is reached, such as `"example.com"`, or `"example.com:8443"` for one port only; empty: all. Requests
   * with another `Host` get 421. Set it on servers that trust their network (DNS rebinding).
   * @default {[]}
   */
  hosts?: readonly string[];
  /**
   * The most connections, plain HTTP included. Beyond it 503, with TLS closed at once.
   * @default {100000}
   */
  maxConnections?: number;
  /**
   * The most connections from one address (IPv6: from one network of 64 bits). Beyond it 429, with TLS closed at once. Off by default,
   * since behind a proxy all come from one; set it on a server that has none before it.
   * @default {0}
   */
  maxConnectionsPerAddress?: number;
  /**
   * The most connections that this server waits for before they are WebSockets: in the TLS handshake, or without a request. Beyond
   * it the one that has waited longest is closed.
   * @default {4096}
   */
  maxHandshakes?: number;
  /**
   * The most bytes that wait for slow peers together, but for broadcasts, whose bytes they share. Beyond it nothing more is kept for a
   * peer for which more than `highWaterMark` wait: it is a slow consumer then.
   * @default {268435456}
   */
  maxTotalBufferedAmount?: number;
  /**
   * The most plain HTTP requests of one connection.
   * @default {1000}
   */
  maxRequests?: number;
  /**
   * The most topics that one connection may subscribe to.
   * @default {1000}
   */
  maxTopics?: number;
  /** Stops the server, in order: see `stop`. Read by `start`. */
  signal?: AbortSignal;
  /**
   * The most bytes of a request head.
   * @default {16384}
   */
  maxHeadSize?: number;
  /**
   * The most header fields of a request.
   * @default {128}
   */
  maxHeaderFields?: number;
  /**
   * The most bytes of the body of a plain HTTP request.
   * @default {4194304}
   */
  maxBodySize?: number;
}

/** `signal` is no setting: there may be none, and it is read once. */
type Settings = Required<Omit<ServerSettings, "signal">>;
const DEFAULTS: Settings = {
  ...CONNECTION_DEFAULTS,
  options: {},
  port: 8888,
  hostname: "0.0.0.0",
  reusePort: false,
  pathName: "",
  useSSL: false,
  certificateFile: "",
  certificateKeyFile: "",
  rootCertificateFile: "",
  protocols: [],
  compression: false,
  handshakeTimeout: 10_000,
  bodyTimeout: 60_000,
  maxTotalBodySize: 64 * 1024 * 1024,
  maxTotalMessageSize: 128 * 1024 * 1024,
  messageTimeout: 60_000,
  origins: [],
  hosts: [],
  maxConnections: 100_000,
  maxConnectionsPerAddress: 0,
  maxHandshakes: 4096,
  maxTotalBufferedAmount: 256 * 1024 * 1024,
  maxRequests: 1000,
  maxTopics: 1000,
  maxHeadSize: 16 * 1024,
  maxHeaderFields: 128,
  maxBodySize: 4 * 1024 * 1024,
  clock: systemClock,
};

const NUMBERS: readonly string[] = [
  ...Object.entries(CONNECTION_SETTINGS).filter(([, { kind }]) => kind === "number").map(([name]) => name),
  "handshakeTimeout",
  "bodyTimeout",
  "maxTotalBodySize",
  "maxTotalMessageSize",
  "maxConnections",
  "maxConnectionsPerAddress",
  "maxHandshakes",
  "maxRequests",
  "maxTopics",
  "maxTotalBufferedAmount",
  "maxHeadSize",
  "maxHeaderFields",
  "maxBodySize",
];

/**
 * The switches of `options` as an object whose properties can be set, while that is allowed.
 */
export class ProtocolSwitches implements ProtocolOptions {
  #values: Required<ProtocolOptions>;
  #assertUnlocked: (name: string) => void;

  /**
   * Makes the object.
   *
   * @param values Those that are given.
   * @param assertUnlocked Throws if a property must not be set now.
   */
  constructor(values: ProtocolOptions, assertUnlocked: (name: string) => void) {
    this.#values = {
      frameByFrame: values.frameByFrame ?? false,
      skipUpgradeCheck: values.skipUpgradeCheck ?? false,
      skipVersionCheck: values.skipVersionCheck ?? false,
      manualPong: values.manualPong ?? false,
      manualClose: values.manualClose ?? false,
    };
    this.#assertUnlocked = assertUnlocked;
  }

  #set(name: keyof ProtocolOptions, value: boolean): void {
    this.#assertUnlocked(`options.${name}`);
    this.#values[name] = value;
  }

  /** Deliver each frame by itself, with a `frame` argument. */
  get frameByFrame(): boolean {
    return this.#values.frameByFrame;
  }
  set frameByFrame(value: boolean) {
    this.#set("frameByFrame", value);
  }

  /** Take a request whose `Upgrade` and `Connection` headers a proxy has removed. */
  get skipUpgradeCheck(): boolean {
    return this.#values.skipUpgradeCheck;
  }
  set skipUpgradeCheck(value: boolean) {
    this.#set("skipUpgradeCheck", value);
  }

  /** Take any `Sec-WebSocket-Version`. */
  get skipVersionCheck(): boolean {
    return this.#values.skipVersionCheck;
  }
  set skipVersionCheck(value: boolean) {
    this.#set("skipVersionCheck", value);
  }

  /** Answer no ping; the program calls `pong`. */
  get manualPong(): boolean {
    return this.#values.manualPong;
  }
  set manualPong(value: boolean) {
    this.#set("manualPong", value);
  }

  /** Answer no close frame; the program calls `close`. */
  get manualClose(): boolean {
    return this.#values.manualClose;
  }
  set manualClose(value: boolean) {
    this.#set("manualClose", value);
  }
}

/** All settings of a server, checked. */
export interface CheckedSettings extends Omit<Required<ServerSettings>, "compression" | "signal"> {
  /** How to compress; `undefined`: not at all. */
  compression: CompressionSettings | undefined;
}

/** A server's settings as properties, which can be set while it is stopped. */
export abstract class ConfigurableServer {
  #settings: Settings = { ...DEFAULTS };
  #switches: ProtocolSwitches;
  #snapshot: CheckedSettings | undefined;

  /**
   * Takes the settings.
   *
   * @param settings Those that differ from the default.
   * @throws {OptionError} If one is out of range.
   */
  constructor(settings: ServerSettings) {
    this.#switches = this.#makeSwitches({});
    for (const [name, value] of Object.entries(settings)) {
      if (name in DEFAULTS && value !== undefined) this.applySetting(name as keyof Settings, value);
    }
  }

  #makeSwitches(values: ProtocolOptions): ProtocolSwitches {
    return new ProtocolSwitches(values, (name) => this.assertStopped(name));
  }

  /** Whether the settings are locked, since the server runs. */
  protected locked = false;

  /** All settings as they are now: one object as long as none changes. */
  protected get settings(): Readonly<CheckedSettings> {
    this.#snapshot ??= {
      ...this.#settings,
      options: this.#switches,
      clock: sharedTimer(this.#settings.clock),
      compression: compressionSettings(this.#settings.compression),
    };
    return this.#snapshot;
  }

  /**
   * Changes one setting.
   *
   * @param name Which.
   * @param value Its value.
   * @throws {StateError} If the server runs.
   * @throws {OptionError} If the value is out of range.
   */
  protected applySetting<Name extends Exclude<keyof ServerSettings, "signal">>(
    name: Name,
    value: Required<ServerSettings>[Name],
  ): void {
    this.assertStopped(name);
    this.#snapshot = undefined;
    if (name === "options") this.#switches = this.#makeSwitches((value ?? {}) as ProtocolOptions);
    else {
      assertSetting(name, value);
      this.#settings[name] = value;
    }
  }

  /**
   * Checks that settings may be changed.
   *
   * @param name The setting, for the message.
   * @throws {StateError} If the server is not stopped.
   */
  protected assertStopped(name: string): void {
    if (this.locked) throw new StateError("ERR_RUNNING", `Cannot set "${name}": the server is running`);
  }

  /** The port; 0 takes a free one, see `address`. */
  get port(): number {
    return this.#settings.port;
  }
  set port(value: number) {
    this.applySetting("port", value);
  }

  /** The address to listen on. */
  get hostname(): string {
    return this.#settings.hostname;
  }
  set hostname(value: string) {
    this.applySetting("hostname", value);
  }

  /** Whether other processes may listen on the same port. */
  get reusePort(): boolean {
    return this.#settings.reusePort;
  }
  set reusePort(value: boolean) {
    this.applySetting("reusePort", value);
  }

  /** The path that opens a WebSocket, without a query; "": any path. Others get 404. */
  get pathName(): string {
    return this.#settings.pathName;
  }
  set pathName(value: string) {
    this.applySetting("pathName", value);
  }

  /** Whether to speak TLS. Needs `certificateFile` and `certificateKeyFile`. */
  get useSSL(): boolean {
    return this.#settings.useSSL;
  }
  set useSSL(value: boolean) {
    this.applySetting("useSSL", value);
  }

  /** PEM file with the certificate; the rest of its chain may follow in it. */
  get certificateFile(): string {
    return this.#settings.certificateFile;
  }
  set certificateFile(value: string) {
    this.applySetting("certificateFile", value);
  }

  /** PEM file with the private key. If it is encrypted, `onGetSSLPassword` is asked. */
  get certificateKeyFile(): string {
    return this.#settings.certificateKeyFile;
  }
  set certificateKeyFile(value: string) {
    this.applySetting("certificateKeyFile", value);
  }

  /** PEM file with certificates that are appended to the chain that is sent. */
  get rootCertificateFile(): string {
    return this.#settings.rootCertificateFile;
  }
  set rootCertificateFile(value: string) {
    this.applySetting("rootCertificateFile", value);
  }

  /** Send messages in frames of at most `frameSize` bytes. */
  get splitMessage(): boolean {
    return this.#settings.splitMessage;
  }
  set splitMessage(value: boolean) {
    this.applySetting("splitMessage", value);
  }

  /** The most bytes of a frame on the wire, header included, when `splitMessage` is on; 0: no splitting. At least 3. */
  get frameSize(): number {
    return this.#settings.frameSize;
  }
  set frameSize(value: number) {
    this.applySetting("frameSize", value);
  }

  /** Switches: `frameByFrame`, `skipUpgradeCheck`, `skipVersionCheck`, `manualPong`, `manualClose`. */
  get options(): ProtocolSwitches {
    return this.#switches;
  }
  set options(value: ProtocolOptions) {
    this.applySetting("options", value);
  }

  /** Subprotocols the server speaks, in its order of preference. */
  get protocols(): readonly string[] {
    return this.#settings.protocols;
  }
  set protocols(value: readonly string[]) {
    this.applySetting("protocols", value);
  }

  /** Whether to compress messages for clients that offer it, and how. */
  get compression(): boolean | CompressionOptions {
    return this.#settings.compression;
  }
  set compression(value: boolean | CompressionOptions) {
    this.applySetting("compression", value);
  }

  /** The largest message taken from a peer, in bytes. */
  get maxMessageSize(): number {
    return this.#settings.maxMessageSize;
  }
  set maxMessageSize(value: number) {
    this.applySetting("maxMessageSize", value);
  }

  /** The most fragments of one message. */
  get maxFragments(): number {
    return this.#settings.maxFragments;
  }
  set maxFragments(value: number) {
    this.applySetting("maxFragments", value);
  }

  /** The most bytes that wait for a slow peer. */
  get maxBufferedAmount(): number {
    return this.#settings.maxBufferedAmount;
  }
  set maxBufferedAmount(value: number) {
    this.applySetting("maxBufferedAmount", value);
  }

  /** From how many waiting bytes on `send` says `"backpressure"`. */
  get highWaterMark(): number {
    return this.#settings.highWaterMark;
  }
  set highWaterMark(value: number) {
    this.applySetting("highWaterMark", value);
  }

  /** What `send` does beyond `maxBufferedAmount`. */
  get slowConsumer(): SlowConsumer {
    return this.#settings.slowConsumer;
  }
  set slowConsumer(value: SlowConsumer) {
    this.applySetting("slowConsumer", value);
  }

  /** How long TLS handshake and request may take, and how long an HTTP connection may idle, in ms. */
  get handshakeTimeout(): number {
    return this.#settings.handshakeTimeout;
  }
  set handshakeTimeout(value: number) {
    this.applySetting("handshakeTimeout", value);
  }

  /** How long the body of a plain HTTP request may take to come, in ms. */
  get bodyTimeout(): number {
    return this.#settings.bodyTimeout;
  }
  set bodyTimeout(value: number) {
    this.applySetting("bodyTimeout", value);
  }

  /** The most bytes of request bodies that are held for all connections together. */
  get maxTotalBodySize(): number {
    return this.#settings.maxTotalBodySize;
  }
  set maxTotalBodySize(value: number) {
    this.applySetting("maxTotalBodySize", value);
  }

  /** The most bytes that unfinished messages of all connections hold together. */
  get maxTotalMessageSize(): number {
    return this.#settings.maxTotalMessageSize;
  }
  set maxTotalMessageSize(value: number) {
    this.applySetting("maxTotalMessageSize", value);
  }

  /** How long the next piece of a message that has begun may take, in ms. */
  get messageTimeout(): number {
    return this.#settings.messageTimeout;
  }
  set messageTimeout(value: number) {
    this.applySetting("messageTimeout", value);
  }

  /** Origins whose pages may open a WebSocket; empty: all. */
  get origins(): readonly string[] {
    return this.#settings.origins;
  }
  set origins(value: readonly string[]) {
    this.applySetting("origins", value);
  }

  /** Names under which this server is reached; empty: all. */
  get hosts(): readonly string[] {
    return this.#settings.hosts;
  }
  set hosts(value: readonly string[]) {
    this.applySetting("hosts", value);
  }

  /** The most connections. */
  get maxConnections(): number {
    return this.#settings.maxConnections;
  }
  set maxConnections(value: number) {
    this.applySetting("maxConnections", value);
  }

  /** The most connections from one address. */
  get maxConnectionsPerAddress(): number {
    return this.#settings.maxConnectionsPerAddress;
  }
  set maxConnectionsPerAddress(value: number) {
    this.applySetting("maxConnectionsPerAddress", value);
  }

  /** The most connections that this server waits for before they are WebSockets. */
  get maxHandshakes(): number {
    return this.#settings.maxHandshakes;
  }
  set maxHandshakes(value: number) {
    this.applySetting("maxHandshakes", value);
  }

  /** The most bytes that wait for slow peers together. */
  get maxTotalBufferedAmount(): number {
    return this.#settings.maxTotalBufferedAmount;
  }
  set maxTotalBufferedAmount(value: number) {
    this.applySetting("maxTotalBufferedAmount", value);
  }

  /** The most plain HTTP requests of one connection. */
  get maxRequests(): number {
    return this.#settings.maxRequests;
  }
  set maxRequests(value: number) {
    this.applySetting("maxRequests", value);
  }

  /** The most topics that one connection may subscribe to. */
  get maxTopics(): number {
    return this.#settings.maxTopics;
  }
  set maxTopics(value: number) {
    this.applySetting("maxTopics", value);
  }

  /** The time between the answer to a ping and the next ping, in ms. */
  get pingInterval(): number {
    return this.#settings.pingInterval;
  }
  set pingInterval(value: number) {
    this.applySetting("pingInterval", value);
  }

  /** How long the answer to a ping may take, in ms. */
  get pongTimeout(): number {
    return this.#settings.pongTimeout;
  }
  set pongTimeout(value: number) {
    this.applySetting("pongTimeout", value);
  }

  /** How long nothing may happen on a WebSocket, in ms. */
  get idleTimeout(): number {
    return this.#settings.idleTimeout;
  }
  set idleTimeout(value: number) {
    this.applySetting("idleTimeout", value);
  }

  /** The most messages and control frames a second. */
  get maxMessageRate(): number {
    return this.#settings.maxMessageRate;
  }
  set maxMessageRate(value: number) {
    this.applySetting("maxMessageRate", value);
  }

  /** The most bytes a second. */
  get maxByteRate(): number {
    return this.#settings.maxByteRate;
  }
  set maxByteRate(value: number) {
    this.applySetting("maxByteRate", value);
  }

  /** So many seconds' messages and bytes may come at once. */
  get rateBurstSeconds(): number {
    return this.#settings.rateBurstSeconds;
  }
  set rateBurstSeconds(value: number) {
    this.applySetting("rateBurstSeconds", value);
  }

  /** How long the closing handshake, and then the end of TCP, may take, in ms. */
  get closeTimeout(): number {
    return this.#settings.closeTimeout;
  }
  set closeTimeout(value: number) {
    this.applySetting("closeTimeout", value);
  }

  /** The most bytes of the body of a plain HTTP request. */
  get maxBodySize(): number {
    return this.#settings.maxBodySize;
  }
  set maxBodySize(value: number) {
    this.applySetting("maxBodySize", value);
  }

  /** The most bytes of a request head. */
  get maxHeadSize(): number {
    return this.#settings.maxHeadSize;
  }
  set maxHeadSize(value: number) {
    this.applySetting("maxHeadSize", value);
  }

  /** The most header fields of a request. */
  get maxHeaderFields(): number {
    return this.#settings.maxHeaderFields;
  }
  set maxHeaderFields(value: number) {
    this.applySetting("maxHeaderFields", value);
  }

  /** Time, for tests. */
  get clock(): Clock {
    return this.#settings.clock;
  }
  set clock(value: Clock) {
    this.applySetting("clock", value);
  }
}

function assertSlowConsumer(value: unknown): void {
  if (value === "close" || value === "drop") return;
  throw new OptionError(`The setting "slowConsumer" is "${value}" instead of "close" or "drop"`);
}

/** What a browser never sends would never match. */
function assertOrigins(value: unknown): void {
  if (!Array.isArray(value)) throw new OptionError(`The setting "origins" is "${value}" instead of an array`);
  for (const origin of value) {
    if (origin === "null") continue;
    const known = typeof origin === "string" && URL.canParse(origin) ? serializedOrigin(origin) : undefined;
    if (known === origin) continue;
    const hint = known === undefined ? "" : `: a browser sends "${known}"`;
    const shown = quote(redactUrl(String(origin)));
    throw new OptionError(`The setting "origins" has ${shown}, which is not an origin${hint}`);
  }
}

function serializedOrigin(text: string): string {
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}`;
}

function assertHosts(value: unknown): void {
  if (!Array.isArray(value)) throw new OptionError(`The setting "hosts" is "${value}" instead of an array`);
  for (const host of value) {
    if (typeof host === "string" && host !== "" && isHost(host)) continue;
    throw new OptionError(`The setting "hosts" has ${quote(redactUrl(String(host)))}, which is not a host name`);
  }
}

/** Checks the value of a setting by its name. */
function assertSetting(name: keyof Settings, value: unknown): void {
  if (name === "port") assertPort(value);
  else if (NUMBERS.includes(name)) assertNumber(name, value);
  else if (name === "slowConsumer") assertSlowConsumer(value);
  else if (name === "origins") assertOrigins(value);
  else if (name === "hosts") assertHosts(value);
  else if (name === "protocols") assertProtocols(value as readonly string[]);
  else if (name === "compression") compressionSettings(value as boolean | CompressionOptions);
  else if (name === "pathName") {
    const path = String(value);
    if (path !== "" && !path.startsWith("/")) {
      throw new OptionError(`The path ${quote(redactUrl(path))} does not start with "/"`);
    }
    if (path.includes("?")) {
      throw new OptionError(`The path ${quote(redactUrl(path))} has a query, which is not part of the match`);
    }
  } else if (typeof value !== typeof DEFAULTS[name]) {
    throw new OptionError(`The setting "${name}" is of type "${typeof value}" instead of "${typeof DEFAULTS[name]}"`);
  }
  if (name === "frameSize" && value !== 0) maxFramePayload(value as number, false);
}
