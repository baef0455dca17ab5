/**
 * The connections of a server, from TCP to their end: admission, handshake, handlers, and the end of all of them when
 * the server stops.
 *
 * @module
 */

import { AcceptSession } from "./accept.ts";
import type { AcceptHost } from "./accept_host.ts";
import { Admission, type AdmissionLimit, AdmissionTicket, RefusalQueue } from "./admission.ts";
import type { CloseProgress } from "../connection/close_progress.ts";
import type { CloseInfo } from "../connection/options.ts";
import {
  abandonConnection,
  type ConnectionHandler,
  type ConnectionTopics,
  createConnection,
  watchClose,
  type WebSocketConnection,
} from "../connection/connection.ts";
import { forgetRequest, identifyClient, Refusal } from "./client_identity.ts";
import { callWithin } from "./handler_scope.ts";
import { UnfinishedMessages } from "../connection/unfinished_messages.ts";
import { ServerContext } from "./context.ts";
import { TransportError } from "../base/errors.ts";
import { MemoryBudget } from "../base/memory_budget.ts";
import type { RouteOptions } from "./route_options.ts";
import { Routes } from "./routes.ts";
import type { ServerSettings } from "./settings.ts";
import type { Stats } from "../base/stats.ts";
import type { Address, Admittance, Transport } from "../transport/transport.ts";
import type { UpgradeHead } from "./upgrade_request.ts";

/** Close code and reason of connections that open while the server stops. */
interface StopFrame {
  readonly code: number;
  readonly reason: string;
}

/** The connections of one server. */
export class ServerConnections<Data> {
  readonly #context: ServerContext<Data>;
  readonly #topics: ConnectionTopics<Data> & { leave(connection: WebSocketConnection<Data>): void };
  /** Connections whose handshake is done. */
  readonly #open = new Set<WebSocketConnection<Data>>();
  /** Connections whose handshake is not done, and plain HTTP. */
  readonly #pending = new Map<WebSocketConnection<Data>, AcceptSession<Data>>();
  readonly #tickets = new Map<WebSocketConnection<Data>, AdmissionTicket>();
  readonly #admission: Admission;
  readonly #refusals = new RefusalQueue();
  readonly #bodies: MemoryBudget;
  readonly #unfinished: UnfinishedMessages;
  #host: AcceptHost<Data>;
  #handler: ConnectionHandler<Data>;
  /** Set while the server stops. */
  #stopFrame: StopFrame | undefined;
  /** Set while the server stops and connections of health checks are kept. */
  #keepsHealthChecks = false;
  /** Connections for whose handlers `stop` does not wait, since they wait for it. */
  readonly #excused = new Map<WebSocketConnection<Data>, StopFrame>();
  /** Settled when the last connection has ended. */
  #whenEmpty: PromiseWithResolvers<void> | undefined;

  /**
   * Makes an empty table.
   *
   * @param context The server.
   * @param topics Keeps the subscriptions.
   * @param routes The option `routes`.
   * @throws {OptionError} If a route cannot be used.
   */
  constructor(
    context: ServerContext<Data>,
    topics: ConnectionTopics<Data> & { leave(connection: WebSocketConnection<Data>): void },
    routes: Readonly<Record<string, RouteOptions<Data>>> | undefined,
  ) {
    this.#context = context;
    this.#topics = topics;
    const { settings } = context;
    this.#admission = new Admission(() => settings.current, (address, limit) => context.refused(limit, address));
    this.#bodies = new MemoryBudget(() => settings.current.maxTotalBodySize);
    this.#unfinished = new UnfinishedMessages(() => settings.current);
    this.#host = this.#makeHost();
    this.#handler = this.#makeHandler();
    if (routes) this.#host.route = this.#makeRoutes(routes);
  }

  /** Connections whose handshake is done, until they have ended. */
  get open(): ReadonlySet<WebSocketConnection<Data>> {
    return this.#open;
  }

  /** `true` if there is no connection but those that wait for the end of all others, by a handler or for a check. */
  get isEmpty(): boolean {
    if (this.#open.size > 0) return false;
    for (const [connection, session] of this.#pending) {
      if (this.#keepsHealthChecks && session.awaitsHealthCheck) continue;
      if (!this.#excused.has(connection) || !session.awaitsHandler) return false;
    }
    return true;
  }

  /** Sets the extension of the server, before there are connections. */
  rewire(): void {
    this.#host = this.#makeHost();
    this.#handler = this.#makeHandler();
  }

  /**
   * Takes a snapshot of the counters.
   *
   * @returns A copy.
   */
  stats(): Stats {
    let bufferedAmount = 0;
    for (const connection of this.#open) bufferedAmount += connection.bufferedAmount;
    const { handshaking } = this.#admission;
    return this.#context.meter.snapshot({ open: this.#open.size, handshaking, bufferedAmount });
  }

  // ---- Admission -----------------------------------------------------------------------------------------------

  #enter(address: Address): ReturnType<Admission["enter"]> {
    return this.#admission.enter(address, this.#context.settings.current.clock.now());
  }

  /**
   * Admits a connection of the port, before TLS.
   *
   * @param address The address of the peer.
   * @returns Its ticket, or `undefined` if it is beyond a limit.
   */
  admit(address: Address): Admittance | undefined {
    const ticket = this.#enter(address);
    if (ticket instanceof AdmissionTicket) return ticket;
    this.#context.refused(ticket, address);
    return undefined;
  }

  /**
   * Counts a connection of the port for the client that a PROXY header names.
   *
   * @param transport The connection, before TLS.
   * @param admitted Its ticket.
   * @returns `false` if the client has too many: the connection is refused.
   */
  identified(transport: Transport, admitted: Admittance): boolean {
    const ticket = admitted as AdmissionTicket;
    if (ticket.countFor(transport.remoteAddress)) return true;
    ticket.leave();
    const { clock, useSSL } = this.#context.settings.current;
    this.#context.refused("maxConnectionsPerAddress", transport.remoteAddress, transport.proxyAddress);
    if (useSSL) transport.destroy();
    else this.#refusals.add(transport, "maxConnectionsPerAddress", clock);
    return false;
  }

  /**
   * Serves a connection of the port.
   *
   * @param transport The connection, not opened yet.
   * @param admitted Its ticket, if `admit` was called for it.
   */
  acceptAdmitted(transport: Transport, admitted: Admittance | undefined): void {
    const ticket = admitted as AdmissionTicket | undefined ?? this.#enter(transport.remoteAddress);
    if (ticket instanceof AdmissionTicket) return void this.#accept(transport, ticket);
    this.#refuse(transport, ticket);
  }

  #refuse(transport: Transport, limit: AdmissionLimit): void {
    this.#context.refused(limit, transport.remoteAddress);
    this.#refusals.add(transport, limit, this.#context.settings.current.clock);
  }

  /**
   * Serves a connection whose handshake request another HTTP server has read.
   *
   * @param transport The connection, not opened yet.
   * @param head The request.
   * @param early Bytes that came behind it.
   * @returns The connection; `undefined` if it is beyond a limit, and gets an answer that says so.
   */
  acceptUpgrade(transport: Transport, head: UpgradeHead, early: Uint8Array): WebSocketConnection<Data> | undefined {
    const ticket = this.#enter(transport.remoteAddress);
    if (ticket instanceof AdmissionTicket) {
      return this.#accept(transport, ticket, (session) => session.begin(head, early));
    }
    this.#refuse(transport, ticket);
    return undefined;
  }

  /**
   * Serves a connection that the program brings.
   *
   * @param transport The connection, not opened yet.
   * @returns The connection, before its handshake.
   * @throws {TransportError} If it is beyond a limit.
   */
  accept(transport: Transport): WebSocketConnection<Data> {
    const ticket = this.#enter(transport.remoteAddress);
    if (ticket instanceof AdmissionTicket) return this.#accept(transport, ticket);
    transport.destroy();
    this.#context.refused(ticket, transport.remoteAddress);
    throw new TransportError("ERR_TOO_MANY_CONNECTIONS", `Cannot accept: "${ticket}" is reached`);
  }

  #accept(
    transport: Transport,
    ticket: AdmissionTicket,
    begin: (session: AcceptSession<Data>) => void = (session) => session.begin(),
  ): WebSocketConnection<Data> {
    const { meter, settings: { current }, log, calls, handlers } = this.#context;
    meter.maxBuffered = current.maxTotalBufferedAmount || Infinity;
    const connection = createConnection<Data>(transport, "server", this.#handler, current, meter);
    if (transport.proxyAddress !== undefined) forgetRequest(connection, transport, ticket);
    const session = new AcceptSession(transport, connection, this.#host, ticket);
    this.#pending.set(connection, session);
    this.#tickets.set(connection, ticket);
    log.connection("debug", "connection.accepted", connection);
    calls.call("onConnect", connection, () => handlers.onConnect?.(connection));
    if (this.#stopFrame !== undefined) abandonConnection(connection);
    if (connection.state === "connecting") begin(session);
    return connection;
  }

  // ---- Wiring --------------------------------------------------------------------------------------------------

  #makeRoutes(given: Readonly<Record<string, RouteOptions<Data>>>): NonNullable<AcceptHost<Data>["route"]> {
    this.#context.routed = true;
    const routes = new Routes(given, this.#context.handlers, (handlers, merge) => {
      const context = new ServerContext(handlers, this.#context);
      const settings = (): ServerSettings => merge(context.settings.current);
      return { host: this.#makeHost(context, settings), handler: this.#makeHandler(context), settings };
    });
    return (line, fields, connection) => routes.find(line, fields, connection);
  }

  #makeHost(
    context: ServerContext<Data> = this.#context,
    settings: () => ServerSettings = () => context.settings.current,
  ): AcceptHost<Data> {
    const { calls, extension } = context;
    return {
      settings,
      stopping: (connection) => this.#stopFrame !== undefined || this.#excused.has(connection),
      bodies: this.#bodies,
      identify: (connection, transport, ticket, fields) =>
        identifyClient(context, connection, transport, ticket, fields),
      allow: (connection, awaited) =>
        calls.allow(
          connection,
          () => callWithin(connection, () => (extension.allow === undefined ? context : extension).allow!(connection)),
          awaited,
        ),
      selectProtocol: (connection, offered) => calls.selectProtocol(connection, offered, settings().protocols),
      ...extension.respondDirectly !== undefined && {
        direct: (line, fields, connection) => extension.respondDirectly!(line, fields, connection),
      },
      respond: (request, connection) =>
        callWithin(
          connection,
          () => (extension.respond === undefined ? context : extension).respond!(request, connection),
        ),
      opened: (connection) => this.#opened(connection, context),
      refused: (reason, connection) => context.requestRefused(reason, connection),
      error: (error, connection) =>
        error instanceof Refusal
          ? context.requestRefused(error.reason, connection)
          : context.requestFailed(error, connection),
    };
  }

  #makeHandler(context: ServerContext<Data> = this.#context): ConnectionHandler<Data> {
    const { calls, handlers, extension } = context;
    return {
      message: extension.receive === undefined
        ? (connection, data, frame) => context.receive(connection, data, frame)
        : (connection, data, frame) => extension.receive!(connection, data, frame),
      textAsBytes: extension.textAsBytes,
      handlesMessages: () => context.handlesMessages,
      ping: (connection, data) => {
        if (!handlers.onPing) return;
        const own = data.slice();
        calls.call("onPing", connection, () => handlers.onPing?.(connection, own));
      },
      pong: (connection, data) => {
        if (!handlers.onPong) return;
        const own = data.slice();
        calls.call("onPong", connection, () => handlers.onPong?.(connection, own));
      },
      close: (connection, code, reason) =>
        calls.call("onClose", connection, () => handlers.onClose?.(connection, code, reason)),
      disconnect: (connection, info) => this.#disconnected(connection, info, context),
      error: (connection, error) => context.connectionFailed(error, connection),
      topics: this.#topics,
      unfinished: this.#unfinished,
    };
  }

  #opened(connection: WebSocketConnection<Data>, context: ServerContext<Data>): void {
    const { meter, settings, log, calls, handlers, extension } = context;
    this.#pending.delete(connection);
    this.#open.add(connection);
    const duration = settings.current.clock.now() - this.#tickets.get(connection)!.acceptedAt;
    meter.opened++;
    meter.handshakeTimes.add(duration);
    log.opened(connection, duration);
    extension.opened?.(connection);
    calls.call("onOpen", connection, () => handlers.onOpen?.(connection));
    calls.call("onHandshakeResponseSent", connection, () => handlers.onHandshakeResponseSent?.(connection));
    const frame = this.#stopFrame ?? this.#excused.get(connection);
    if (frame !== undefined) connection.close(frame.code, frame.reason);
  }

  #disconnected(connection: WebSocketConnection<Data>, info: CloseInfo, context: ServerContext<Data>): void {
    const { meter, log, calls, handlers, extension } = context;
    this.#pending.delete(connection);
    this.#excused.delete(connection);
    this.#tickets.get(connection)?.leave();
    this.#tickets.delete(connection);
    this.#topics.leave(connection);
    if (this.#open.delete(connection)) {
      meter.close((info.received ?? info.sent ?? info).code);
      log.closed(connection, info);
      extension.ended?.(connection);
      calls.call("onEnd", connection, () => handlers.onEnd?.(connection, info));
    }
    calls.call("onDisconnect", connection, () => handlers.onDisconnect?.(connection, info));
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#whenEmpty === undefined || !this.isEmpty) return;
    this.#whenEmpty.resolve();
    this.#whenEmpty = undefined;
  }

  // ---- The end -------------------------------------------------------------------------------------------------

  /** The server stops: from now on connections are closed as they open. */
  beginStop(code: number, reason: string): void {
    this.#stopFrame = { code, reason };
    this.#keepsHealthChecks = true;
  }

  /**
   * Does not wait for handlers that wait for the stop themselves, while the peers of their connections wait for the
   * answer: it is the last one there.
   *
   * @param callers The connections, among others.
   */
  excuse(callers: ReadonlySet<object>): void {
    for (const connection of this.#pending.keys()) {
      if (callers.has(connection)) this.#excused.set(connection, this.#stopFrame!);
    }
    this.#checkEmpty();
  }

  /**
   * Begins to watch which connections make progress.
   *
   * @returns Terminates those that have made none since the last call.
   */
  watchProgress(): () => void {
    const progress = new Map<WebSocketConnection<Data>, CloseProgress>();
    for (const connection of [...this.#open, ...this.#pending.keys()]) progress.set(connection, watchClose(connection));
    return () => {
      for (const connection of [...this.#open, ...this.#pending.keys()]) {
        if (!progress.get(connection)?.renew()) connection.terminate();
      }
    };
  }

  /** Closes all connections: those whose handshake is not done at once, or after the response that is being made. */
  closeAll(): void {
    const { code, reason } = this.#stopFrame!;
    for (const session of this.#pending.values()) session.shutdown();
    for (const connection of this.#open) connection.close(code, reason);
  }

  /** Closes the connections of health checks, which were kept until all others had ended. */
  endHealthChecks(): void {
    this.#keepsHealthChecks = false;
    for (const [connection, session] of this.#pending) if (session.awaitsHealthCheck) abandonConnection(connection);
  }

  /** The server has stopped. */
  endStop(): void {
    this.#stopFrame = undefined;
  }

  /** Terminates all connections. */
  terminateAll(): void {
    for (const connection of [...this.#open, ...this.#pending.keys()]) connection.terminate();
  }

  /** Terminates connections that are being refused. */
  endRefusals(): void {
    this.#refusals.end();
  }

  /**
   * Waits for the last connection to end.
   *
   * @returns Resolves at once if there is none.
   */
  empty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    this.#whenEmpty ??= Promise.withResolvers<void>();
    return this.#whenEmpty.promise;
  }
}
