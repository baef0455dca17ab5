/**
 * The settings of a server: names, ranges and defaults in one table, and the lock while the server runs.
 *
 * @module
 */

import type { Backplane } from "../pubsub/backplane.ts";
import {
  CONNECTION_SETTINGS,
  type ConnectionOptions,
  PROTOCOL_SETTINGS,
  type ProtocolOptions,
  protocolOptions,
} from "../connection/options.ts";
import type { CompressionOptions, CompressionSettings } from "../protocol/compression.ts";
import { compressionSettings } from "../protocol/deflate.ts";
import { AddressRanges, assertAddressRanges } from "../base/address_ranges.ts";
import { OptionError, StateError } from "../base/errors.ts";
import { assertHostName } from "../base/host_name.ts";
import { assertSocketPath } from "../base/socket_path.ts";
import { SERVER_HANDLERS, type ServerHandlers } from "./handlers.ts";
import { SERVER_HINTS } from "./option_hints.ts";
import type { RouteOptions } from "./route_options.ts";
import { assertFrameSize } from "../protocol/frame_header.ts";
import { assertProtocols } from "../protocol/subprotocol.ts";
import { isHost } from "../protocol/http.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import {
  assertHandlers,
  assertSignal,
  hasMethods,
  OptionNames,
  type OptionTable,
  showValue,
} from "../base/option_names.ts";
import { type Complete, defaultsOf, defineSettings, SettingsStore, type SettingsTable } from "../base/settings.ts";
import { assertPem, type PemData } from "../base/pem.ts";
import { sharedTimer } from "../base/shared_timer.ts";
import { refuseUnknownNames } from "../base/unknown_names.ts";
import { assertNamedCertificates, type ClientCertificateMode, type NamedCertificate } from "./named_certificates.ts";
import { assertOneSource } from "../transport/certificate.ts";

/**
 * Settings and handlers of a server. `0` turns a limit off.
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
export interface WebSocketServerOptions<Data = unknown> extends ConnectionOptions, ServerHandlers<Data> {
  /**
   * The port, up to 65535; 0 takes a free one, see `address`.
   * @default {8888}
   */
  port?: number | undefined;
  /**
   * Path of a Unix socket to listen on instead of a port, up to 107 bytes. Its file must not be there, or be one that
   * no process listens on; `stop` removes it. For the path of URLs see `pathName`.
   * @default {""}
   */
  path?: string | undefined;
  /**
   * The address to listen on, or a name for it; `"0.0.0.0"`: all IPv4 addresses, `"::"`: all addresses.
   * @default {"0.0.0.0"}
   */
  hostname?: string | undefined;
  /**
   * Former name of `hostname`, which wins if both are given.
   * @deprecated Use `hostname`.
   */
  hostName?: string | undefined;
  /**
   * Let other processes listen on the same port (SO_REUSEPORT), such as one for each core: on Linux the system
   * spreads new connections among them. Deno 2 needs the flag `--unstable-net` for it: without the
   * flag `start` fails.
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /**
   * The path that opens a WebSocket, without a query; "": any path. Requests for another get 404. `"chat"` stands for
   * `"/chat"`.
   * @default {""}
   */
  pathName?: string | undefined;
  /**
   * The path of health checks, such as `"/healthz"`; "": none. GET and HEAD of exactly this path, whatever the query,
   * get 200 and `ok` before any other check, and 503 while the server stops: see docs/server.md. They are not logged,
   * and `onCommandGet` is not called. A WebSocket may open at the same path. `"healthz"` stands for `"/healthz"`.
   * @default {""}
   */
  healthPath?: string | undefined;
  /**
   * Handlers and settings by path, for several kinds of WebSockets on one port. A key is a pattern of `URLPattern`:
   * `"/chat"`, `"/chat/:room"`, `"/files/*"`; the first that has the path counts. `connection.params` has the
   * parameters. Handlers and settings that a route does not have are the server's. Handshakes for other paths get 404,
   * and so do plain requests that `onCommandGet` of the server does not answer. Read by the constructor; excludes
   * `pathName`.
   */
  routes?: Readonly<Record<string, RouteOptions<Data>>> | undefined;
  /**
   * Speak TLS. Needs a certificate and its key: `certificateFile` and `certificateKeyFile`, or their texts.
   * @default {false}
   */
  useSSL?: boolean | undefined;
  /** PEM file with the certificate; the rest of its chain may follow in it. */
  certificateFile?: string | undefined;
  /** PEM file with the private key. If it is encrypted, `onGetSSLPassword` is called for the pass phrase. */
  certificateKeyFile?: string | undefined;
  /** PEM file with certificates that are appended to the chain that is sent. */
  rootCertificateFile?: string | undefined;
  /** The certificate as PEM text or its bytes, instead of `certificateFile`. */
  certificate?: PemData | undefined;
  /** The private key as PEM text or its bytes, instead of `certificateKeyFile`; it may be encrypted too. */
  certificateKey?: PemData | undefined;
  /** PEM text or its bytes, instead of `rootCertificateFile`. */
  rootCertificate?: PemData | undefined;
  /**
   * Certificates for server names of their own (SNI). Clients that ask for another name, or for none, get the one of
   * `certificateFile` or `certificate`.
   * @default {[]}
   */
  certificates?: readonly NamedCertificate[] | undefined;
  /**
   * Ask clients for certificates (mutual TLS): `"request"` takes clients without one too, `"require"` does not. One
   * that `clientRootCertificateFile` does not vouch for is refused by both. See `connection.peerCertificate`.
   * @default {"none"}
   */
  clientCertificate?: ClientCertificateMode | undefined;
  /** PEM file with the authorities whose certificates of clients are taken; no others are. */
  clientRootCertificateFile?: string | undefined;
  /** PEM text or its bytes, instead of `clientRootCertificateFile`. */
  clientRootCertificate?: PemData | undefined;
  /**
   * Subprotocols that the server speaks, in its order of preference. Without `onSelectProtocol`, the first that the
   * client offers is chosen.
   * @default {[]}
   */
  protocols?: readonly string[] | undefined;
  /**
   * Compress messages for clients that offer it (RFC 7692); an object says how. It costs memory for each connection,
   * unless `serverNoContextTakeover` and `clientNoContextTakeover` are set.
   * @default {false}
   */
  compression?: boolean | CompressionOptions | undefined;
  /**
   * Time for the TLS handshake and the first request together, for an idle HTTP connection, and for a pause inside a
   * request, in ms. An asynchronous `onAllow` has the same time for its answer; that of `onCommandGet` is not
   * limited.
   * @default {10000}
   */
  handshakeTimeout?: number | undefined;
  /**
   * Time for which a plain HTTP connection is kept between two requests, in ms; `handshakeTimeout` begins with the
   * first byte of the next one. Longer than proxies keep theirs (nginx: 60 s): a proxy whose request meets a connection
   * that the server closes answers 502. When `maxHandshakes` or a limit on connections is reached, idle connections are
   * closed first.
   * @default {75000}
   */
  keepAliveTimeout?: number | undefined;
  /**
   * Time for the body of a plain HTTP request to come, in ms.
   * @default {60000}
   */
  bodyTimeout?: number | undefined;
  /**
   * Largest number of bytes of request bodies held for all connections together, until each request is answered;
   * bytes of requests that wait for the one before them count too. Beyond it, requests that hold at least half of the
   * average are refused with 503 and `Retry-After`, the oldest first: bodies that are small, or come without delay,
   * get through. Should be several times `maxBodySize`.
   * @default {67108864}
   */
  maxTotalBodySize?: number | undefined;
  /**
   * Largest number of bytes that unfinished messages of all connections hold together. Beyond it, connections whose
   * message holds at least half of the average are closed with 1013, the oldest message first. Should be several
   * times `maxMessageSize`.
   * @default {134217728}
   */
  maxTotalMessageSize?: number | undefined;
  /**
   * Time for the next piece of a message that has begun, in ms, exact to an eighth. Then the connection is closed
   * with 1001. The time does not run while the program itself holds up the reading, nor with `frameByFrame` between
   * two frames.
   * @default {60000}
   */
  messageTimeout?: number | undefined;
  /**
   * Origins whose pages may open a WebSocket, such as `"https://example.com"`; empty: all. Pages of others get 403.
   * Compared exactly. Set it wherever cookies identify a user, or any page can use them (cross-site WebSocket
   * hijacking). Programs that send no `Origin` are let in; those that send one need theirs in the list.
   * @default {[]}
   */
  origins?: readonly string[] | undefined;
  /**
   * Host names of this server, such as `"example.com"`, or `"example.com:8443"` for one port only; empty: all.
   * Requests with another `Host` get 421. Set it on servers that trust their network (DNS rebinding).
   * @default {[]}
   */
  hosts?: readonly string[] | undefined;
  /**
   * Proxies in front of this server: addresses such as `"192.0.2.1"`, ranges such as `"10.0.0.0/8"`, `"loopback"`,
   * `"private"` (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7), and `"unix"` for peers without an address. From
   * them, and from no other peer, `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded`, are believed: then
   * `remoteAddress` and `encrypted` of a connection are those of the client, for limits and logs too. List all proxies,
   * and none of your clients: what is listed can claim any address.
   * @default {[]}
   */
  trustedProxies?: readonly string[] | undefined;
  /**
   * Read the PROXY protocol, version 1 or 2, from `trustedProxies`, which must send it then, before TLS. Other peers
   * are served without it.
   * @default {false}
   */
  proxyProtocol?: boolean | undefined;
  /**
   * Largest number of connections, plain HTTP included. Those beyond it get 503; with TLS or `proxyProtocol` they are
   * closed at once.
   * @default {100000}
   */
  maxConnections?: number | undefined;
  /**
   * Largest number of connections from one address (IPv6: from one network of 64 bits). Those beyond it get 429; with
   * TLS they are closed at once. Behind a proxy all have one address: set it with `trustedProxies`, so that they count
   * by client, or on a server without a proxy. Proxies themselves are not limited.
   * @default {0}
   */
  maxConnectionsPerAddress?: number | undefined;
  /**
   * Largest number of connections that are in the TLS handshake, have not sent a whole request, or are kept idle
   * between two requests. Beyond it, the one that has been idle for longest is closed; without idle ones, the one that
   * the server has waited for longest.
   * @default {4096}
   */
  maxHandshakes?: number | undefined;
  /**
   * Largest number of bytes that wait for slow peers together, without broadcasts, whose bytes they share. Beyond it,
   * a peer for which more than `highWaterMark` bytes wait is a slow consumer.
   * @default {268435456}
   */
  maxTotalBufferedAmount?: number | undefined;
  /**
   * Largest number of plain HTTP requests of one connection.
   * @default {1000}
   */
  maxRequests?: number | undefined;
  /**
   * Largest number of topics that one connection may subscribe to.
   * @default {1000}
   */
  maxTopics?: number | undefined;
  /** Stops the server, in order: see `stop`. Read by `start`. */
  signal?: AbortSignal | undefined;
  /**
   * Carries broadcasts and topics to the other nodes, and theirs to this one, while the server runs. The program
   * makes and closes it; one object serves one server.
   */
  backplane?: Backplane | undefined;
  /**
   * Largest request head, in bytes.
   * @default {16384}
   */
  maxHeadSize?: number | undefined;
  /**
   * Largest number of header fields of a request.
   * @default {128}
   */
  maxHeaderFields?: number | undefined;
  /**
   * Largest body of a plain HTTP request, in bytes.
   * @default {4194304}
   */
  maxBodySize?: number | undefined;
}

/** Settings of a server, as far as they are given. */
export type ServerOptions = Omit<WebSocketServerOptions, keyof ServerHandlers | "routes">;

/** Values of a server's properties. */
export interface ServerProperties extends Complete<Omit<ServerOptions, "signal" | "backplane" | "hostName">> {
  /** See `WebSocketServerOptions`. */
  backplane: Backplane | undefined;
}

/** The settings of a server, complete and checked, as the parts of the server read them. */
export interface ServerSettings extends Omit<ServerProperties, "compression" | "options"> {
  /** Kind of compression; `undefined`: none. */
  readonly compression: CompressionSettings | undefined;
  /** Switches of the protocol. */
  readonly options: Complete<ProtocolOptions>;
  /** `trustedProxies` as ranges; `undefined`: none. */
  readonly proxies: AddressRanges | undefined;
}

/** The settings of a server. Each value is checked when it is set. */
export const SERVER_SETTINGS: SettingsTable<ServerProperties> = {
  ...CONNECTION_SETTINGS,
  frameSize: { ...CONNECTION_SETTINGS.frameSize, check: (size) => assertFrameSize(size, false) },
  messageTimeout: { ...CONNECTION_SETTINGS.messageTimeout, default: 60_000 },
  port: { kind: "number", unit: "count", most: 65535, default: 8888 },
  path: { kind: "string", default: "", check: assertSocketPath },
  hostname: { kind: "string", default: "0.0.0.0", alias: "hostName", check: assertAddress },
  reusePort: { kind: "boolean", default: false },
  pathName: { kind: "string", default: "", check: assertPath },
  healthPath: { kind: "string", default: "", check: assertPath },
  useSSL: { kind: "boolean", default: false },
  certificateFile: { kind: "string", default: "" },
  certificateKeyFile: { kind: "string", default: "" },
  rootCertificateFile: { kind: "string", default: "" },
  certificate: { kind: "any", default: "", check: assertPem },
  certificateKey: { kind: "any", default: "", check: assertPem },
  rootCertificate: { kind: "any", default: "", check: assertPem },
  certificates: { kind: "list", default: [], check: assertNamedCertificates },
  clientCertificate: { kind: "choice", choices: ["none", "request", "require"], default: "none" },
  clientRootCertificateFile: { kind: "string", default: "" },
  clientRootCertificate: { kind: "any", default: "", check: assertPem },
  protocols: { kind: "list", default: [], check: assertProtocols },
  compression: { kind: "any", default: false, check: compressionSettings },
  handshakeTimeout: { kind: "number", unit: "ms", default: 10_000 },
  keepAliveTimeout: { kind: "number", unit: "ms", default: 75_000 },
  bodyTimeout: { kind: "number", unit: "ms", default: 60_000 },
  maxTotalBodySize: { kind: "number", unit: "bytes", default: 64 * 1024 * 1024 },
  maxTotalMessageSize: { kind: "number", unit: "bytes", default: 128 * 1024 * 1024 },
  origins: { kind: "list", default: [], check: assertOrigins },
  hosts: { kind: "list", default: [], check: assertHosts },
  trustedProxies: { kind: "list", default: [], check: assertAddressRanges },
  proxyProtocol: { kind: "boolean", default: false },
  maxConnections: { kind: "number", unit: "count", default: 100_000 },
  maxConnectionsPerAddress: { kind: "number", unit: "count", default: 0 },
  maxHandshakes: { kind: "number", unit: "count", default: 4096 },
  maxTotalBufferedAmount: { kind: "number", unit: "bytes", default: 256 * 1024 * 1024 },
  maxRequests: { kind: "number", unit: "count", default: 1000 },
  maxTopics: { kind: "number", unit: "count", default: 1000 },
  maxHeadSize: { kind: "number", unit: "bytes", default: 16 * 1024 },
  maxHeaderFields: { kind: "number", unit: "count", default: 128 },
  maxBodySize: { kind: "number", unit: "bytes", default: 4 * 1024 * 1024 },
  backplane: { kind: "object", default: undefined, check: assertBackplane },
};

/** Options that are neither settings nor handlers. */
export const SERVER_OTHER_OPTIONS: OptionTable<
  Omit<WebSocketServerOptions, keyof ServerProperties | keyof ServerHandlers>
> = {
  hostName: true,
  signal: true,
  routes: true,
};

const SERVER_OPTIONS = new OptionNames("WebSocketServer", {
  tables: [SERVER_SETTINGS, SERVER_HANDLERS, SERVER_OTHER_OPTIONS],
  hints: SERVER_HINTS,
  example: exampleOf,
});

/**
 * Writes a value that is no options object of a server as one.
 *
 * @param value The value, such as a port.
 * @returns The object, if it can be told.
 */
export function exampleOf(value: unknown): string | undefined {
  if (typeof value === "number") return `{ port: ${value} }`;
  if (typeof value === "function") return "{ onMessageReceived }";
  return value === null ? undefined : "{ port: 8080 }";
}

/**
 * Refuses an argument of `start`, and a second one of the constructor, which other libraries have there.
 *
 * @param what The call.
 * @param argument The argument.
 * @throws {OptionError} If there is one.
 */
export function refuseArgument(what: string, argument: unknown): void {
  if (argument === undefined) return;
  const example = typeof argument === "number" ? `new WebSocketServer({ port: ${argument} })` : "await start()";
  throw new OptionError(`${what} does not take ${showValue(argument)}: use ${example}`);
}

/** The setting `options` of a server: its fields can be set like settings. */
export class ProtocolSettings implements Complete<ProtocolOptions> {
  /** See `ProtocolOptions`. */
  declare frameByFrame: boolean;
  /** See `ProtocolOptions`. */
  declare skipUpgradeCheck: boolean;
  /** See `ProtocolOptions`. */
  declare skipVersionCheck: boolean;
  /** See `ProtocolOptions`. */
  declare manualPong: boolean;
  /** See `ProtocolOptions`. */
  declare manualClose: boolean;
  readonly #store: SettingsStore<Complete<ProtocolOptions>>;

  static {
    defineSettings<ProtocolSettings, Complete<ProtocolOptions>>(
      this.prototype,
      PROTOCOL_SETTINGS,
      (options) => options.#store,
    );
    refuseUnknownNames(this.prototype, 'setting "options"', {});
  }

  /**
   * Makes the object.
   *
   * @param options Fields that differ from the default.
   * @param changing Called with the name and value of a field before it is set; throws if it must not be set now.
   * @param changed Called after a field was set.
   */
  constructor(options: ProtocolOptions, changing: (name: string) => void, changed: () => void) {
    this.#store = new SettingsStore(PROTOCOL_SETTINGS, {
      changing: (name, value) => {
        changing(`options.${name}`);
        this.#store.check(name, value);
      },
      changed,
    });
    this.#store.assign(protocolOptions.read(options));
  }

  /** A copy of all fields. */
  get values(): Complete<ProtocolOptions> {
    return { ...this.#store.values };
  }
}

/** The settings of one server, which are locked while it runs. */
export class LockableSettings {
  /** The values of the server's properties. */
  readonly store: SettingsStore<ServerProperties>;
  /** Set while the server runs. */
  locked = false;
  /** `true` if the server has routes. */
  readonly #routed: boolean;
  #current: ServerSettings | undefined;

  /**
   * Makes the settings of a server.
   *
   * @param options Settings that differ from the default, and handlers.
   * @throws {OptionError} If one is unknown, or out of range.
   */
  constructor(options: ServerOptions) {
    SERVER_OPTIONS.assert(options);
    assertHandlers(options, SERVER_HANDLERS);
    assertSignal(options);
    this.#routed = Boolean((options as WebSocketServerOptions).routes);
    assertOneSource(options);
    assertOnePlace(options, {});
    if (options.useSSL === false) assertTlsForCertificates({ ...defaultsOf(SERVER_SETTINGS), ...options });
    this.store = new SettingsStore(SERVER_SETTINGS, {
      changing: (name, value) => this.#changing(name, value),
      changed: () => this.#current = undefined,
    });
    this.store.set("options", {});
    this.store.assign(options);
  }

  #changing(name: keyof ServerProperties, value: unknown): unknown {
    this.assertUnlocked(name);
    if (name !== "options") {
      this.store.check(name, value);
      if (this.#routed && name === "pathName" && value !== "") {
        throw new OptionError('The setting "pathName" does not go with "routes": write the path into each route');
      }
      return name === "pathName" || name === "healthPath" ? withSlash(value as string) : undefined;
    }
    const changing = (field: string): void => this.assertUnlocked(field);
    return new ProtocolSettings((value ?? {}) as ProtocolOptions, changing, () => this.#current = undefined);
  }

  /**
   * Replaces certificates, while the server runs too.
   *
   * @param certificates The settings to set, checked already.
   */
  replaceCertificates(certificates: ServerCertificates): void {
    const { locked } = this;
    this.locked = false;
    this.store.assign(certificates);
    this.locked = locked;
  }

  /** All settings as they are now: one object as long as none changes. */
  get current(): ServerSettings {
    if (this.#current !== undefined) return this.#current;
    const { values } = this.store;
    this.#current = {
      ...values,
      options: (values.options as ProtocolSettings).values,
      clock: sharedTimer(values.clock),
      proxies: values.trustedProxies.length === 0 ? undefined : new AddressRanges(values.trustedProxies),
      compression: compressionSettings(values.compression),
    };
    return this.#current;
  }

  /**
   * Checks that settings may be changed.
   *
   * @param name The setting, for the message.
   * @throws {StateError} If the server is not stopped.
   */
  assertUnlocked(name: string): void {
    if (this.locked) throw new StateError("ERR_RUNNING", `Cannot set "${name}": the server is running`);
  }
}

/**
 * Checks that a server has one place to listen on.
 *
 * @param settings The settings.
 * @param unset Values that count as not set, besides `undefined`.
 * @throws {OptionError} If there is a Unix socket, and a setting of a port too.
 */
export function assertOnePlace(settings: PlaceSettings, unset: PlaceSettings): void {
  if (!settings.path) return;
  const names = ["port", "hostname", "hostName", "reusePort"] as const;
  const name = names.find((one) => settings[one] !== undefined && settings[one] !== unset[one]);
  if (name === undefined || settings[name] === false) return;
  throw new OptionError(
    `The setting "${name}" does not go with "path", that of a Unix socket; for the path of URLs use "pathName"`,
  );
}

/** Settings of the place that a server listens on. */
export type PlaceSettings = Pick<ServerOptions, "path" | "port" | "hostname" | "hostName" | "reusePort">;

function assertAddress(hostname: string): void {
  assertHostName(hostname, 'for all addresses it is "0.0.0.0" or "::"');
}

/**
 * Writes a path of a program as it stands in requests.
 *
 * @param path The path; "" stands for any.
 * @returns The same with a slash before it.
 */
export function withSlash(path: string): string {
  return path === "" || path.startsWith("/") ? path : `/${path}`;
}

/**
 * Checks that a server with certificates speaks TLS, and has each of them once.
 *
 * @param settings The settings.
 * @throws {OptionError} If it would serve without TLS, or a text and a path are given for the same.
 */
export function assertTlsForCertificates(settings: CertificateSettings): void {
  assertOneSource(settings);
  const roots = settings.clientRootCertificateFile ? "clientRootCertificateFile" : "clientRootCertificate";
  if (settings[roots] && (settings.clientCertificate ?? "none") === "none") {
    throw new OptionError(`The setting "${roots}" needs "clientCertificate": "request" or "require"`);
  }
  const name = settings.useSSL ? undefined : givenCertificate(settings);
  if (name === undefined) return;
  throw new OptionError(`The setting "${name}" needs "useSSL: true": without it nothing is encrypted`);
}

/**
 * Checks that a server knows the proxies whose PROXY protocol it reads.
 *
 * @param settings The settings.
 * @throws {OptionError} If it knows none.
 */
export function assertProxies({ proxyProtocol, proxies }: ServerSettings): void {
  if (!proxyProtocol || proxies !== undefined) return;
  throw new OptionError('The setting "proxyProtocol" needs "trustedProxies": any client could send the header');
}

/** Certificate and key of a server, as paths of PEM files or as PEM. */
export type ServerCertificates = Pick<
  WebSocketServerOptions,
  | "certificateFile"
  | "certificateKeyFile"
  | "rootCertificateFile"
  | "certificate"
  | "certificateKey"
  | "rootCertificate"
  | "certificates"
  | "clientRootCertificateFile"
  | "clientRootCertificate"
>;

const TLS_SETTINGS: readonly (keyof CertificateSettings)[] = [
  "certificates",
  "clientCertificate",
  "clientRootCertificateFile",
  "clientRootCertificate",
  "certificateFile",
  "certificateKeyFile",
  "rootCertificateFile",
  "certificate",
  "certificateKey",
  "rootCertificate",
];

/** Settings of TLS. */
export type CertificateSettings = ServerCertificates & Pick<WebSocketServerOptions, "useSSL" | "clientCertificate">;

/**
 * Finds a setting of TLS that is set.
 *
 * @param settings The settings.
 * @returns Its name; `undefined` if none is.
 */
export function givenCertificate(settings: CertificateSettings): keyof CertificateSettings | undefined {
  return TLS_SETTINGS.find((name) => {
    const value = settings[name];
    return value && value !== "none" && (value as { readonly length: number }).length > 0;
  });
}

/** The path that opens a WebSocket, or that of health checks. */
function assertPath(path: string, name: string): void {
  const shown = quote(redactUrl(path));
  if (path.includes("://")) throw new OptionError(`The path ${shown} is a URL; "${name}" is its path alone`);
  if (path.includes("?")) throw new OptionError(`The path ${shown} has a query, which is not part of the match`);
  if (path.includes("#")) throw new OptionError(`The path ${shown} has a fragment, which no request has`);
}

function assertBackplane(backplane: unknown): void {
  if (hasMethods(backplane, "publish", "subscribe", "listen")) return;
  throw new OptionError('The setting "backplane" has no methods "publish", "subscribe" and "listen"');
}

/** An origin that no browser sends would never match. */
function assertOrigins(origins: readonly unknown[]): void {
  for (const origin of origins) {
    if (origin === "null") continue;
    const known = typeof origin === "string" && URL.canParse(origin) ? serializedOrigin(origin) : undefined;
    if (known === origin) continue;
    const hint = originHint(origin, known);
    const shown = quote(redactUrl(String(origin)));
    throw new OptionError(`The setting "origins" has ${shown}, which is not an origin${hint}`);
  }
}

function originHint(origin: unknown, known: string | undefined): string {
  if (typeof origin !== "string") return "";
  if (origin === "*") return ": an empty list lets all in";
  if (!origin.includes("://")) return ': add "https://"';
  return known === undefined ? "" : `: a browser sends "${known}"`;
}

function serializedOrigin(text: string): string {
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}`;
}

function assertHosts(hosts: readonly unknown[]): void {
  for (const host of hosts) {
    if (typeof host === "string" && host !== "" && isHost(host)) continue;
    throw new OptionError(`The setting "hosts" has ${quote(redactUrl(String(host)))}, which is not a host name`);
  }
}
