/**
 * The WebSocket server.
 *
 * @module
 */

import type { Backplane } from "../pubsub/backplane.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { CloseInfo, MessageOptions, ProtocolOptions, SlowConsumer } from "../connection/options.ts";
import { ServerConnections } from "./connections.ts";
import { ServerContext } from "./context.ts";
import type { Clock } from "../base/clock.ts";
import type { CompressionOptions } from "../protocol/compression.ts";
import { CloseCode } from "../base/errors.ts";
import type { ServerExtension } from "./extension.ts";
import {
  type AllowResult,
  type CommandResult,
  type PublishOptions,
  SERVER_HANDLERS,
  SERVER_NAMES,
  type ServerHandlers,
  type StopOptions,
} from "./handlers.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import { adoptHandlers, assignHandlers, defineHandlers } from "../base/handlers.ts";
import type { LogRecord } from "../base/log.ts";
import { Lifecycle } from "./lifecycle.ts";
import { encodeClosePayload, type SendBytes, type SendData } from "../protocol/payload.ts";
import { checkedSelector, Publisher } from "./publisher.ts";
import { adoptFields, defineConstructorOption, defineSettings } from "../base/settings.ts";
import { assertMembers, refuseUnknownNames } from "../base/unknown_names.ts";
import { SERVER_MEMBERS } from "./option_hints.ts";
import type { PemData } from "../base/pem.ts";
import type { ClientCertificateMode, NamedCertificate } from "./named_certificates.ts";
import {
  refuseArgument,
  SERVER_SETTINGS,
  type ServerCertificates,
  type ServerProperties,
  type WebSocketServerOptions,
} from "./settings.ts";
import type { Stats } from "../base/stats.ts";
import type { Address } from "../transport/transport.ts";
import { type BytePair, type BytePairInfo, streamTransport } from "../transport/stream.ts";
import {
  earlyBytes,
  UpgradeHead,
  type UpgradeSource,
  type UpgradeStream,
  upgradeTransport,
} from "./upgrade_request.ts";

/**
 * Builds a server of another room on a `WebSocketServer`; in its constructor. Entries do not export it.
 *
 * @param server The server.
 * @param extension Its hooks; those of an earlier call stay if they are not replaced.
 * @returns The insides of the server.
 */
export let extendServer: <Data>(server: WebSocketServer<Data>, extension: ServerExtension<Data>) => ServerContext<Data>;

/** Options that cannot be fields of a subclass. */
const CONSTRUCTOR_OPTIONS = { routes: {} };

/**
 * A WebSocket server (RFC 6455).
 *
 * @typeParam Data The type of `connection.data`, which belongs to the program.
 *
 * @example A chat room
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket";
 *
 * const server = new WebSocketServer({
 *   port: 0,
 *   onMessageReceived(connection, text) {
 *     server.broadcastMessage(`${connection.remoteAddress.port}: ${text}`);
 *   },
 * });
 * await server.start();
 * await server.stop();
 * ```
 */
export class WebSocketServer<Data = unknown> implements ServerHandlers<Data> {
  // Handlers, which may be replaced at any time; as methods, a subclass can have both methods and fields of the names
  /** Called for the pass phrase of an encrypted private key. */
  onGetSSLPassword?(): string | Promise<string>;
  /** Called after TCP and TLS, before the handshake. */
  onConnect?(connection: WebSocketConnection<Data | undefined>): unknown;
  /** Decides whether to open a WebSocket. */
  onAllow?(connection: WebSocketConnection<Data | undefined>): AllowResult;
  /** Chooses one of the offered subprotocols. */
  onSelectProtocol?(connection: WebSocketConnection<Data>, offered: string[]): string | undefined;
  /** Called when a WebSocket is open. */
  onOpen?(connection: WebSocketConnection<Data>): unknown;
  /** Called when a WebSocket is open, behind `onOpen`. */
  onHandshakeResponseSent?(connection: WebSocketConnection<Data>): unknown;
  /** Called for a text message. */
  onMessageReceived?(connection: WebSocketConnection<Data>, text: string, frame?: FrameInfo): unknown;
  /** Called for a binary message. */
  onBinaryDataReceived?(
    connection: WebSocketConnection<Data>,
    bytes: Uint8Array<ArrayBuffer>,
    frame?: FrameInfo,
  ): unknown;
  /** Called for a ping. */
  onPing?(connection: WebSocketConnection<Data>, data: Uint8Array<ArrayBuffer>): unknown;
  /** Called for a pong. */
  onPong?(connection: WebSocketConnection<Data>, data: Uint8Array<ArrayBuffer>): unknown;
  /** Called for the peer's close frame. */
  onClose?(connection: WebSocketConnection<Data>, code: number, reason: string): unknown;
  /** Called when a WebSocket has ended. */
  onEnd?(connection: WebSocketConnection<Data>, info: CloseInfo): unknown;
  /** Called when a connection has ended, open or not. */
  onDisconnect?(connection: WebSocketConnection<Data | undefined>, info: CloseInfo): unknown;
  /** Answers a plain HTTP request. */
  onCommandGet?(request: Request, connection: WebSocketConnection<Data | undefined>): CommandResult;
  /** Called for failures. */
  onError?(error: unknown, connection?: WebSocketConnection<Data | undefined>): unknown;
  /** Called with records for a log. */
  onLog?(record: LogRecord): unknown;

  // Settings, defined by SERVER_SETTINGS, which can be set while the server is stopped
  /** Port to listen on; 0 takes a free one, see `address`. */
  declare port: number;
  /** Path of a Unix socket to listen on instead of a port. */
  declare path: string;
  /** Address to listen on. */
  declare hostname: string;
  /**
   * Former name of `hostname`.
   * @deprecated Use `hostname`.
   */
  declare hostName: string;
  /** Lets other processes listen on the same port. */
  declare reusePort: boolean;
  /** Path that opens a WebSocket, without a query; "": any path. Requests for another get 404. "chat" is "/chat". */
  declare pathName: string;
  /** Path of health checks; "": none. */
  declare healthPath: string;
  /** Speaks TLS. Needs `certificateFile` and `certificateKeyFile`, or their texts. */
  declare useSSL: boolean;
  /** PEM file with the certificate; the rest of its chain may follow in it. */
  declare certificateFile: string;
  /** PEM file with the private key. If it is encrypted, `onGetSSLPassword` is called for the pass phrase. */
  declare certificateKeyFile: string;
  /** PEM file with certificates that are appended to the chain that is sent. */
  declare rootCertificateFile: string;
  /** The certificate as PEM text or its bytes, instead of `certificateFile`. */
  declare certificate: PemData;
  /** The private key as PEM text or its bytes, instead of `certificateKeyFile`. */
  declare certificateKey: PemData;
  /** PEM text or its bytes, instead of `rootCertificateFile`. */
  declare rootCertificate: PemData;
  /** Certificates for server names of their own (SNI). */
  declare certificates: readonly NamedCertificate[];
  /** Asks clients for certificates (mutual TLS). */
  declare clientCertificate: ClientCertificateMode;
  /** PEM file with the authorities whose certificates of clients are taken. */
  declare clientRootCertificateFile: string;
  /** PEM text or its bytes, instead of `clientRootCertificateFile`. */
  declare clientRootCertificate: PemData;
  /** Subprotocols that the server speaks, in its order of preference. */
  declare protocols: readonly string[];
  /** Compresses messages for clients that offer it; an object says how. */
  declare compression: boolean | CompressionOptions;
  /** Carries broadcasts and topics to the other nodes. */
  declare backplane: Backplane | undefined;
  /** Switches: `frameByFrame`, `skipUpgradeCheck`, `skipVersionCheck`, `manualPong`, `manualClose`. */
  declare options: ProtocolOptions;
  /** Sends messages in frames of at most `frameSize` bytes. */
  declare splitMessage: boolean;
  /** Largest frame on the wire, in bytes, header included, when `splitMessage` is on; 0: no splitting. At least 6. */
  declare frameSize: number;
  /** Origins whose pages may open a WebSocket; empty: all. */
  declare origins: readonly string[];
  /** Host names of this server; empty: all. */
  declare hosts: readonly string[];
  /** Addresses and ranges of proxies whose word about the client is believed; empty: none. */
  declare trustedProxies: readonly string[];
  /** Reads the PROXY protocol from `trustedProxies`. */
  declare proxyProtocol: boolean;
  /** Time for TLS handshake and request, and for an idle HTTP connection, in ms; 0: no limit. */
  declare handshakeTimeout: number;
  /** Time for which a plain HTTP connection is kept between two requests, in ms. */
  declare keepAliveTimeout: number;
  /** Time for the body of a plain HTTP request to come, in ms; 0: no limit. */
  declare bodyTimeout: number;
  /** Time for the next piece of a message that has begun, in ms; 0: no limit. */
  declare messageTimeout: number;
  /** Time for the closing handshake, and then for the end of TCP, in ms; 0: no limit. */
  declare closeTimeout: number;
  /** Time without anything but pings and pongs, in ms, after which a connection is closed; 0: no limit. */
  declare idleTimeout: number;
  /** Time between the answer to a ping and the next ping, in ms; 0: no pings. */
  declare pingInterval: number;
  /** Time for the answer to a ping, in ms; 0: no limit. */
  declare pongTimeout: number;
  /** Largest message taken from a peer, in bytes; 0: no limit. */
  declare maxMessageSize: number;
  /** Largest number of fragments of one message; 0: no limit. */
  declare maxFragments: number;
  /** Largest number of bytes that unfinished messages of all connections hold; 0: no limit. */
  declare maxTotalMessageSize: number;
  /** Largest number of bytes that wait for a slow peer; 0: no limit. */
  declare maxBufferedAmount: number;
  /** Largest number of bytes that wait for slow peers together; 0: no limit. */
  declare maxTotalBufferedAmount: number;
  /** Waiting bytes from which on `send` returns `"backpressure"`. */
  declare highWaterMark: number;
  /** Effect of a `send` beyond `maxBufferedAmount`. */
  declare slowConsumer: SlowConsumer;
  /** Largest number of connections; 0: no limit. */
  declare maxConnections: number;
  /** Largest number of connections from one address; 0: no limit. */
  declare maxConnectionsPerAddress: number;
  /** Largest number of connections in the TLS handshake or without a whole request; 0: no limit. */
  declare maxHandshakes: number;
  /** Largest number of messages and control frames a second; 0: no limit. */
  declare maxMessageRate: number;
  /** Largest number of bytes a second; 0: no limit. */
  declare maxByteRate: number;
  /** Messages and bytes that may come at once, as seconds of `maxMessageRate` and `maxByteRate`. */
  declare rateBurstSeconds: number;
  /** Largest number of promises of message handlers that are pending on one connection; 0: no limit. */
  declare concurrency: number;
  /** Largest number of topics that one connection may subscribe to; 0: no limit. */
  declare maxTopics: number;
  /** Largest number of plain HTTP requests of one connection; 0: no limit. */
  declare maxRequests: number;
  /** Largest request head, in bytes; 0: no limit. */
  declare maxHeadSize: number;
  /** Largest number of header fields of a request; 0: no limit. */
  declare maxHeaderFields: number;
  /** Largest body of a plain HTTP request, in bytes; 0: no limit. */
  declare maxBodySize: number;
  /** Largest number of bytes of request bodies held for all connections; 0: no limit. */
  declare maxTotalBodySize: number;
  /** Clock, replaced in tests. */
  declare clock: Clock;

  // Parts
  readonly #context: ServerContext<Data>;
  readonly #connections: ServerConnections<Data>;
  readonly #publisher: Publisher<Data>;
  readonly #life: Lifecycle<Data>;

  static {
    defineSettings<WebSocketServer, ServerProperties>(
      this.prototype,
      SERVER_SETTINGS,
      (server) => server.#context.settings.store,
    );
    defineHandlers(this.prototype, SERVER_HANDLERS);
    defineConstructorOption(this.prototype, "routes");
    refuseUnknownNames(this.prototype, "WebSocketServer", SERVER_NAMES, SERVER_MEMBERS);
    extendServer = (server, extension) => {
      server.#context.extension = { ...server.#context.extension, ...extension };
      server.#connections.rewire();
      return server.#context;
    };
  }

  /**
   * Makes a server; it does not listen yet.
   *
   * @param options Settings and handlers.
   * @throws {OptionError} If a setting is out of range, or a handler is not a function.
   */
  constructor(options: WebSocketServerOptions<Data> = {}) {
    if (typeof arguments[1] === "function") refuseArgument("The constructor", arguments[1]);
    this.#context = new ServerContext<Data>(this, options);
    this.#publisher = new Publisher(this.#context, () => this.#connections.open);
    this.#connections = new ServerConnections(this.#context, this.#publisher.topics, options.routes);
    const stop = (): void => void (this.active = false);
    this.#life = new Lifecycle(this.#context, this.#connections, this.#publisher, options.signal, stop);
    assignHandlers(this, SERVER_HANDLERS, options);
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /**
   * Tells whether the server listens. Setting it `true` starts, `false` stops; a failure goes to `onError`. To wait
   * for it, use {@linkcode WebSocketServer.start} and {@linkcode WebSocketServer.stop}.
   */
  get active(): boolean {
    return this.#life.active;
  }
  set active(value: boolean) {
    const change = value ? this.start() : this.stop();
    change.catch((error) => this.onError ? this.#context.calls.report(error) : console.error(error));
  }

  /**
   * Address of the port; with `port: 0` it has the port that was taken, on a Unix socket its `path`. `undefined` while
   * the server does not listen.
   */
  get address(): Address | undefined {
    return this.#life.address;
  }

  /**
   * Starts listening. Calling it again changes nothing.
   *
   * @returns Resolves when the port is open.
   * @throws {OptionError} If a setting is out of range, or a handler is no function, that a subclass has as a field, or
   * the subclass has a member whose name is nearly that of a handler or setting.
   * @throws {TransportError} If the port cannot be opened.
   * @throws {CertificateError} If certificate or key cannot be used.
   * @throws {HandlerError} If `onGetSSLPassword` fails.
   * @throws {StateError} If another server uses the backplane.
   */
  start(): Promise<void> {
    try {
      refuseArgument("start()", arguments[0]);
      adoptFields(this, SERVER_SETTINGS);
      this.#assertFields();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#life.start();
  }

  /**
   * Stops: takes no new connections, closes the open ones with 1001, waits for them and for responses that are being
   * made, and terminates those that have not ended after `closeTimeout`, unless they make progress. Calling it again
   * only shortens the time, by `closeTimeout` or `signal`.
   *
   * A handler may wait for it: it does not wait for the answer of the `onAllow` or `onCommandGet` that it is called in,
   * which is sent afterwards, nor for handlers whose peers have left.
   *
   * @param options Close code, reason, time, and a signal that aborts the wait. The defaults are 1001, "",
   * `closeTimeout` and none.
   * @returns Resolves when all connections have ended and the port is free.
   * @throws {OptionError} If code or reason are out of range.
   */
  stop(options: StopOptions = {}): Promise<void> {
    return this.#life.stop(options);
  }

  /** Stops, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Reads the certificate files again for new TLS handshakes, or takes other certificates; open connections go on. If
   * the new ones cannot be used, the old certificate stays.
   *
   * @param certificates Certificate and key that replace those of the settings, as PEM or as paths. Those of which
   * nothing is given stay, and files are read again.
   * @throws {CertificateError} If certificate or key cannot be used.
   * @throws {OptionError} If an option is unknown, or a text and a path are given for the same.
   */
  reloadCertificates(certificates: ServerCertificates = {}): Promise<void> {
    return this.#life.reloadCertificates(certificates);
  }

  /** Checks methods and fields of a subclass, before the work begins. */
  #assertFields(): void {
    adoptFields(this, CONSTRUCTOR_OPTIONS);
    adoptHandlers(this, SERVER_HANDLERS);
    assertMembers(this);
  }

  // ---- Connections ---------------------------------------------------------------------------------------------

  /**
   * The connections whose handshake is done, until they have ended. `send` throws for those that are closing already.
   */
  get connections(): ReadonlySet<WebSocketConnection<Data>> {
    return this.#connections.open;
  }

  /**
   * Serves a connection over any pair of byte streams, as if it had come from the port: a Unix socket, a tunnel, a
   * test. The server need not listen.
   *
   * @param pair The streams.
   * @param info Addresses and encryption of the streams, as far as known.
   * @returns The connection, before its handshake.
   * @throws {OptionError} If a handler is not a function, or the name of a member of a subclass is nearly one of ours.
   */
  acceptStream(pair: BytePair, info: BytePairInfo = {}): WebSocketConnection<Data> {
    this.#assertFields();
    return this.#connections.accept(streamTransport(pair, info));
  }

  /**
   * Serves a WebSocket whose handshake request another HTTP server has read, such as `node:http` in its event
   * `upgrade`, as if it had come from the port: with the same checks, limits and handlers. A refused one gets its
   * answer on the stream. The server need not listen; `stop` closes these connections too.
   *
   * @param request The request: a `Request`, or that of `node:http`.
   * @param stream The socket, or a pair of byte streams with its addresses. It belongs to the server from here on.
   * @param head Bytes that came behind the request.
   * @returns The connection: `open` already unless `onAllow` is asynchronous, `closed` or about to close if it is
   * refused. `undefined` if it is beyond a limit of connections: the peer gets 503 or 429.
   * @throws {OptionError} If an argument is of another type, a handler is not a function, or the name of a member of a
   * subclass is nearly one of ours.
   *
   * @example On the port of a server of `node:http`
   * ```ts
   * import { createServer } from "node:http";
   * import { once } from "node:events";
   * import { WebSocketServer } from "@tackline/websocket";
   *
   * const sockets = new WebSocketServer({ onMessageReceived: (connection, text) => void connection.send(text) });
   * const app = createServer((_request, response) => response.end("Hello"));
   * app.on("upgrade", (request, socket, head) => void sockets.handleUpgrade(request, socket, head));
   * app.listen(0);
   * await once(app, "listening");
   *
   * await sockets.stop();
   * app.close();
   * ```
   */
  handleUpgrade(
    request: UpgradeSource,
    stream: UpgradeStream,
    head?: Uint8Array,
  ): WebSocketConnection<Data> | undefined {
    this.#assertFields();
    const upgrade = new UpgradeHead(request);
    const early = earlyBytes(head);
    return this.#connections.acceptUpgrade(upgradeTransport(stream), upgrade, early);
  }

  /**
   * Takes a snapshot of the counters, which begin when the server is made.
   *
   * @returns A copy.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@tackline/websocket";
   * import { assertEquals } from "@std/assert";
   *
   * const server = new WebSocketServer();
   * assertEquals(server.stats().connections.open, 0);
   * ```
   */
  stats(): Stats {
    return this.#connections.stats();
  }

  // ---- To many -------------------------------------------------------------------------------------------------

  /**
   * Sends a text to every open connection; it is encoded once, and compressed once for each window size. With a
   * `backplane` those of all other nodes get it too.
   *
   * @param text The text.
   * @param options Options of this message.
   * @returns Number of connections of this node that took the text, without slow consumers that drop it, closing
   * connections, those inside a message of `sendFrame`, and those that can never hold it within `maxBufferedAmount`
   * (some may in its compressed form).
   * @throws {OptionError} If it is larger than `maxBufferedAmount` for each of them.
   */
  broadcastMessage(text: string, options?: MessageOptions): number {
    return this.#publisher.broadcastMessage(text, options);
  }

  /**
   * Sends bytes to every open connection; they are encoded once, and compressed once for each window size. With a
   * `backplane` those of all other nodes get them too.
   *
   * A `Blob` is read once; messages that are sent after it to the same connections follow it. If it cannot be read, the
   * error goes to `onError`, and no connection gets it.
   *
   * @param bytes The bytes.
   * @param options Options of this message.
   * @returns Number of connections that took them: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If they are larger than `maxBufferedAmount` for each connection.
   */
  broadcastData(bytes: SendBytes, options?: MessageOptions): number {
    return this.#publisher.broadcastData(bytes, options);
  }

  /**
   * Sends a text to the open connections for which `selector` is true; it is encoded once, and compressed
   * once for each window size. Connections of other nodes do not get it: use a topic.
   *
   * @param text The text.
   * @param selector Called with each open connection; `true` chooses it.
   * @param options Options of this message.
   * @returns Number of connections that took it: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If `selector` returns a promise, or the text is larger than `maxBufferedAmount` for each.
   */
  sendMessageTo(
    text: string,
    selector: (connection: WebSocketConnection<Data>) => boolean,
    options?: MessageOptions,
  ): number {
    return this.#publisher.sendMessageTo(text, selector, options);
  }

  /**
   * Sends bytes to the open connections for which `selector` is true; they are encoded once, and compressed once for
   * each window size. Connections of other nodes do not get them: see {@linkcode WebSocketServer.sendMessageTo}.
   *
   * @param bytes The bytes.
   * @param selector Called with each open connection; `true` chooses it.
   * @param options Options of this message.
   * @returns Number of connections that took them: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If `selector` returns a promise, or they are larger than `maxBufferedAmount` for each.
   */
  sendDataTo(
    bytes: SendBytes,
    selector: (connection: WebSocketConnection<Data>) => boolean,
    options?: MessageOptions,
  ): number {
    return this.#publisher.sendDataTo(bytes, selector, options);
  }

  /**
   * Sends a message to the subscribers of a topic: see `WebSocketConnection.subscribe`. It is encoded once, and
   * compressed once for each window size; the cost grows with the subscribers, not with the connections. With a
   * `backplane` those of all other nodes get it too.
   *
   * @param topic The topic.
   * @param data A text or bytes, also as a `Blob`: see `broadcastData`.
   * @param options Options of this message.
   * @returns Number of connections of this node that took it: see {@linkcode WebSocketServer.broadcastMessage}.
   * @throws {OptionError} If the topic or `data` is of another type, or `data` is larger than `maxBufferedAmount` for
   * each of them.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@tackline/websocket";
   * import { assertEquals } from "@std/assert";
   *
   * const server = new WebSocketServer({
   *   onMessageReceived: (connection, topic) => void connection.subscribe(topic),
   * });
   * assertEquals(server.publish("weather", "It rains"), server.subscriberCount("weather"));
   * ```
   */
  publish(topic: string, data: SendData, options?: PublishOptions<Data>): number {
    return this.#publisher.publish(topic, data, options);
  }

  /**
   * Counts the connections of this node that have subscribed to a topic.
   *
   * @param topic The topic.
   * @returns Their number.
   */
  subscriberCount(topic: string): number {
    return this.#publisher.subscriberCount(topic);
  }

  /**
   * Closes the open connections for which `selector` is true.
   *
   * @param selector Called with each open connection; `true` chooses it.
   * @param code The close code. The default is 1000.
   * @param reason The close reason. The default is "".
   * @returns Resolves when they have ended.
   * @throws {OptionError} If code or reason are out of range, or `selector` returns a promise.
   */
  async disconnectClients(
    selector: (connection: WebSocketConnection<Data>) => boolean,
    code: number = CloseCode.NormalClosure,
    reason = "",
  ): Promise<void> {
    encodeClosePayload(code, reason);
    const chosen = [...this.connections].filter(checkedSelector(selector));
    await Promise.all(chosen.map((connection) => connection.close(code, reason)));
  }
}
