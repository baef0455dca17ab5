/**
 * A server in the form of that of npm `ws`, built on the one of this library.
 *
 * @module
 */

import { createServer, STATUS_CODES } from "node:http";
import { CloseCode, HandlerError, StateError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { failConnection, type WebSocketConnection } from "../connection/connection.ts";
import { extendServer, WebSocketServer as Engine } from "../server/server.ts";
import type { UpgradeStream } from "../server/upgrade_request.ts";
import type { DuplexSocket } from "../transport/duplex.ts";
import { emitError, type Emitter, emitterClass } from "./emitter.ts";
import { assertOptions } from "./option_check.ts";
import {
  type HandleProtocols,
  type HttpListener,
  type HttpServer,
  toSettings,
  type UpgradeRequest,
  type WebSocketServerOptions,
} from "./options.ts";
import { findFault, SocketUpgrade, type UpgradeOwner } from "./upgrade.ts";
import { viewControl, WebSocket } from "./websocket.ts";

/**
 * The socket of a handshake that was refused: the listener writes an answer, and ends it.
 *
 * Also from {@linkcode DuplexSocket}:
 * - methods: `pause`, `resume`, `on`, `setTimeout`, `setNoDelay`
 * - properties: `remoteAddress`, `remotePort`, `localAddress`, `localPort`, `encrypted`, `destroyed`, `readable`
 */
export interface RefusedSocket extends Omit<DuplexSocket, "write" | "end" | "destroy"> {
  /** Writes a text or bytes. */
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  /** Sends FIN after all that was written, and a last text or bytes before it. */
  end(data?: string | Uint8Array): unknown;
  /** Gives the socket up. */
  destroy(error?: Error): unknown;
}

/**
 * Events of a {@linkcode WebSocketServer}, with the arguments of their listeners.
 *
 * @typeParam Socket Class of the connections.
 */
export type WebSocketServerEvents<Socket extends WebSocket = WebSocket> = {
  /** A WebSocket is open. */
  connection: [socket: Socket, request: UpgradeRequest];
  /** The answer to a handshake: lines may be added. */
  headers: [lines: string[], request: UpgradeRequest];
  /** The port is open. */
  listening: [];
  /** The HTTP server failed, or a function of the program. */
  error: [error: Error];
  /** The server has closed, and all connections have ended. */
  close: [];
  /** A handshake is refused: the listener answers on the socket. */
  wsClientError: [error: Error, socket: RefusedSocket, request: UpgradeRequest];
};

/** Class of emitters with the events of a {@linkcode WebSocketServer}. */
export interface WebSocketServerEmitterClass {
  /** Prototype of the class. */
  readonly prototype: Emitter<WebSocketServerEvents>;
  /** Makes an emitter. */
  new <Socket extends WebSocket>(
    options?: { captureRejections?: boolean | undefined },
  ): Emitter<WebSocketServerEvents<Socket>>;
}

/** Class of emitters with the events of a {@linkcode WebSocketServer}. */
export const WebSocketServerEmitter: WebSocketServerEmitterClass = emitterClass<
  WebSocketServerEvents
>() as unknown as WebSocketServerEmitterClass;

/** Name of the method that `node:events` calls when a listener rejects. */
const REJECTION = Symbol.for("nodejs.rejection");

/** The options of a server, in the form in which `@types/ws` has them. */
export type GivenOptions = Omit<WebSocketServerOptions, "server" | "WebSocket" | "handleProtocols"> & {
  /** Chooses one of the offered subprotocols. */
  handleProtocols?: HandleProtocols;
};

/** Takes and closes connections; `closing`: it waits for the end of those that are open. */
type State = "running" | "closing" | "closed";

/**
 * A server in the form of that of npm `ws`.
 *
 * Also from {@linkcode WebSocketServerEmitter}: `on`, `addListener`, `once`, `prependListener`, `prependOnceListener`,
 * `off`, `removeListener`, `removeAllListeners`, `emit`, `listenerCount`, `listeners`, `rawListeners`, `eventNames`,
 * `setMaxListeners`, `getMaxListeners`.
 *
 * @typeParam Socket Class of the connections, that of the option `WebSocket`.
 */
export class WebSocketServer<Socket extends WebSocket = WebSocket> extends WebSocketServerEmitter<Socket> {
  /** The options. */
  readonly options: GivenOptions;
  /** The open connections, until they have ended; `undefined` with `clientTracking: false`. */
  readonly clients: Set<Socket>;
  /** Class of the connections. */
  readonly #class: NonNullable<WebSocketServerOptions<Socket>["WebSocket"]>;
  readonly #engine: Engine<SocketUpgrade>;
  readonly #owner: UpgradeOwner;
  /** The upgrade that is being handed to the engine. */
  #upgrade: SocketUpgrade | undefined;
  #http: HttpServer | undefined;
  /** `true` if the server of the port is ours. */
  #ownsHttp = false;
  #state: State = "running";
  #removeListeners: () => void = () => {};

  static {
    Object.defineProperty(this.prototype, REJECTION, {
      value(this: WebSocketServer, error: unknown, event: string | symbol, view: unknown): void {
        this.#rejected(error, event, view);
      },
    });
  }

  /**
   * Makes a server, which listens at once with `port`.
   *
   * @param options The options.
   * @param listening Called when the port is open.
   * @throws {TypeError} If not exactly one of `port`, `server` and `noServer` is given.
   * @throws {OptionError} If a setting is out of range, or the name of an option is misspelt.
   */
  constructor(options: WebSocketServerOptions<Socket> = {}, listening?: () => void) {
    super({ captureRejections: true });
    assertOptions(options);
    const { port, server, noServer, clientTracking = true } = options;
    const modes = [port !== undefined && port !== null, Boolean(server), noServer === true];
    if (modes.filter(Boolean).length !== 1) {
      throw new TypeError('Give exactly one of the options "port", "server" and "noServer"');
    }
    // A copy: programs change the options of a server, as graphql-ws does.
    this.options = { ...options } as GivenOptions;
    this.#class = options.WebSocket ?? WebSocket as unknown as NonNullable<WebSocketServerOptions<Socket>["WebSocket"]>;
    // As in `ws`, whose types leave `undefined` out too: programs that track nothing do not read it.
    this.clients = (clientTracking ? new Set() : undefined) as Set<Socket>;
    this.#engine = this.#makeEngine();
    const isClosing = (): boolean => this.#state !== "running";
    this.#owner = {
      options: this.options,
      get closing() {
        return isClosing();
      },
      shouldHandle: (request) => this.shouldHandle(request),
      showHeaders: (lines, request) => void this.emit("headers", lines, request),
    };
    if (server) this.#http = server;
    else if (!noServer) this.#http = this.#listen(listening);
    if (this.#http !== undefined) this.#attach(this.#http);
  }

  #makeEngine(): Engine<SocketUpgrade> {
    const engine = new Engine<SocketUpgrade>({
      ...toSettings(this.options),
      onConnect: (connection) => void (connection.data = this.#upgrade),
      onSelectProtocol: (connection) => connection.data.protocol,
      // The answer has the reason too, as that of `ws`: a client that closes gets its own reason back.
      onClose: (connection, code, reason) => {
        void connection.close(code === CloseCode.NoStatusReceived ? undefined : code, reason);
      },
      onPing: ({ data }, payload) => viewControl.ping(data.view!, payload),
      onPong: ({ data }, payload) => viewControl.pong(data.view!, payload),
      onEnd: (connection, info) => {
        const { view } = connection.data;
        // There is none if the class of the program failed.
        if (view === undefined) return;
        this.clients?.delete(view as Socket);
        viewControl.ended(view, info);
        this.#closeIfOver();
      },
      onError: (error, connection) => this.#failed(error, connection?.data),
    });
    extendServer(engine, {
      allow: (connection) => connection.data.decide(connection),
      opened: (connection) => this.#opened(connection),
      textAsBytes: true,
      receive: (connection, data, frame) => viewControl.message(connection.data.view!, data, frame === undefined),
    });
    return engine;
  }

  #listen(listening: (() => void) | undefined): HttpServer {
    const { port, host, backlog } = this.options;
    const http = createServer((_request, response) => {
      response.writeHead(426, { "content-type": "text/plain" });
      response.end(STATUS_CODES[426]);
    });
    this.#ownsHttp = true;
    http.listen({ port: port!, ...host && { host }, ...backlog && { backlog } }, listening);
    return http;
  }

  #attach(http: HttpServer): void {
    const listeners = {
      listening: () => void this.emit("listening"),
      error: (error: unknown) => this.#tell(error),
      upgrade: (request: UpgradeRequest, socket: UpgradeStream, head: Uint8Array) =>
        this.handleUpgrade(request, socket, head, (view, request) => void this.emit("connection", view, request)),
    };
    for (const [event, listener] of Object.entries(listeners)) http.on(event, listener as HttpListener);
    this.#removeListeners = () => {
      for (const [event, listener] of Object.entries(listeners)) http.removeListener(event, listener as HttpListener);
    };
  }

  // ---- Upgrades ------------------------------------------------------------------------------------------------

  /** The option `path`. */
  get path(): string {
    return this.options.path ?? "";
  }

  /**
   * Tells whether the path of a request is that of the option `path`.
   *
   * @param request The request.
   * @returns `false`: it is refused with 400.
   */
  shouldHandle(request: UpgradeRequest): boolean {
    const { path } = this.options;
    return !path || request.url?.split("?", 1)[0] === path;
  }

  /**
   * Opens a WebSocket for a request that an HTTP server has read, or refuses it with an answer on the socket.
   *
   * @typeParam Request Type of the request.
   *
   * @param request The request.
   * @param socket Its socket, which belongs to the server from here on.
   * @param head Bytes that came behind the request.
   * @param callback Called when the WebSocket is open: before this function returns, unless `verifyClient` answers
   * later.
   * @throws {OptionError} If an argument is of another type, or the socket was handed over before.
   */
  handleUpgrade<Request extends UpgradeRequest>(
    request: Request,
    socket: UpgradeStream,
    head: Uint8Array,
    callback: (socket: Socket, request: Request) => void,
  ): void {
    if (this.#tellsClientError(request, socket)) return;
    this.#upgrade = new SocketUpgrade(this.#owner, request, (view) => callback(view as Socket, request));
    try {
      this.#engine.handleUpgrade(request, socket, head);
    } finally {
      this.#upgrade = undefined;
    }
  }

  /** Gives the socket of a handshake that is not valid to the listeners of `wsClientError`, if there are any. */
  #tellsClientError(request: UpgradeRequest, socket: UpgradeStream): boolean {
    if (this.listenerCount("wsClientError") === 0) return false;
    const fault = findFault(request, this.#engine);
    if (fault === undefined) return false;
    // As `ws` does: an error of a socket without a listener for it would end the program.
    if ("on" in socket) socket.on("error", () => void socket.destroy());
    this.emit("wsClientError", fault, socket, request);
    return true;
  }

  #opened(connection: WebSocketConnection<SocketUpgrade>): void {
    const { callback } = connection.data;
    const view = connection.data.view = this.#makeView(connection);
    if (view === undefined) return;
    viewControl.attach(view, connection);
    this.clients?.add(view);
    try {
      callback(view);
    } catch (error) {
      viewControl.threw(view, "on connection", error);
    }
  }

  /** Returns no view if the class of the program fails: the connection ends. */
  #makeView(connection: WebSocketConnection<SocketUpgrade>): Socket | undefined {
    try {
      return new this.#class(null, undefined, this.options);
    } catch (error) {
      failConnection(connection, CloseCode.InternalError, error);
      this.#report(new HandlerError("WebSocket", error));
      return undefined;
    }
  }

  #failed(error: unknown, upgrade: SocketUpgrade | undefined): void {
    if (upgrade?.view !== undefined) return viewControl.failed(upgrade.view, error);
    // Refused handshakes are the peers' own faults, and come in floods.
    if (isError(error, HandlerError)) this.#report(upgrade ? new HandlerError(upgrade.asked, error.cause) : error);
  }

  #report(error: HandlerError): void {
    if (this.listenerCount("error") > 0) this.#tell(error);
    else console.error(error);
  }

  #tell(error: unknown): void {
    // As in Node: an error without a listener ends the program.
    if (this.listenerCount("error") === 0) return void this.emit("error", error);
    emitError(this, error, (cause) => this.#rejected(cause, "error", undefined));
  }

  #rejected(error: unknown, event: string | symbol, view: unknown): void {
    if (event === "connection" && view instanceof WebSocket) return viewControl.threw(view, "on connection", error);
    const failure = new HandlerError(`on ${String(event)}`, error);
    if (event === "error") console.error(failure);
    else this.#report(failure);
  }

  // ---- Life ----------------------------------------------------------------------------------------------------

  /**
   * Address and port of the HTTP server; a text for a Unix socket, `null` if it does not listen.
   *
   * @returns The address.
   * @throws {StateError} With `noServer`.
   */
  address(): { address: string; family: string; port: number } | string | null {
    if (this.options.noServer) {
      throw new StateError("ERR_UNSUPPORTED", 'The server has no address: it was made with "noServer"');
    }
    return this.#http?.address() ?? null;
  }

  /**
   * Takes no new connections. The event `close` comes when the open ones have ended, which are not closed: end those of
   * `clients`. The HTTP server of the option `server` goes on.
   *
   * @param callback Called with the event `close`; with an error if the server was closed before.
   */
  close(callback?: (error?: Error) => void): void {
    if (this.#state === "closed") {
      if (callback) this.once("close", () => callback(new StateError("ERR_NOT_OPEN", "The server is not running")));
      queueMicrotask(() => this.emit("close"));
      return;
    }
    if (callback) this.once("close", () => callback());
    if (this.#state === "closing") return;
    this.#state = "closing";
    const http = this.#http;
    this.#http = undefined;
    this.#removeListeners();
    if (this.#ownsHttp) (http as HttpServer & { close(done: () => void): void }).close(() => this.#closed());
    else queueMicrotask(() => this.#closeIfOver());
  }

  #closeIfOver(): void {
    if (this.#state !== "closing" || this.#ownsHttp || (this.clients?.size ?? 0) > 0) return;
    queueMicrotask(() => this.#closed());
  }

  #closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.emit("close");
  }
}
