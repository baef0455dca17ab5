/**
 * The routes of a server: the option `routes`, checked, and the host and handlers of each.
 *
 * @module
 */

import type { AcceptHost } from "./accept_host.ts";
import {
  configureConnection,
  type ConnectionHandler,
  NO_PARAMS,
  setParams,
  type WebSocketConnection,
} from "../connection/connection.ts";
import { protocolOptions } from "../connection/options.ts";
import { HandshakeError, OptionError } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";
import { SERVER_HANDLERS, type ServerHandlers } from "./handlers.ts";
import { wantsWebSocket } from "../protocol/handshake.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import { compressionSettings } from "../protocol/deflate.ts";
import { assertHandler, OptionNames, showValue } from "../base/option_names.ts";
import { checkValue, type Setting } from "../base/settings.ts";
import { SERVER_HINTS } from "./option_hints.ts";
import { ROUTE_HANDLERS, ROUTE_SETTINGS, type RouteOptions } from "./route_options.ts";
import { RoutePatterns } from "./route_pattern.ts";
import { SERVER_OTHER_OPTIONS, SERVER_SETTINGS, type ServerSettings } from "./settings.ts";

/** The parts of a server that serve one route. */
export interface RouteService<Data> {
  /** Decides for connections before they are open. */
  readonly host: AcceptHost<Data>;
  /** Gets the events of open connections. */
  readonly handler: ConnectionHandler<Data>;
  /** Returns the settings. */
  settings(): ServerSettings;
}

/** Makes the parts that serve a route. */
export type ServeRoute<Data> = (
  handlers: ServerHandlers<Data>,
  settings: (current: ServerSettings) => ServerSettings,
) => RouteService<Data>;

/** The routes of one server. */
export class Routes<Data> {
  readonly #patterns: RoutePatterns;
  /** The services of the routes, by the index of the pattern. */
  readonly #services: readonly RouteService<Data>[];

  /**
   * Checks the option `routes`.
   *
   * @param routes Its value.
   * @param server The handlers of the server, which may be replaced at any time.
   * @param serve Makes the parts that serve a route.
   * @throws {OptionError} If it cannot be used.
   */
  constructor(
    routes: Readonly<Record<string, RouteOptions<Data>>>,
    server: ServerHandlers<Data>,
    serve: ServeRoute<Data>,
  ) {
    if (typeof routes !== "object" || Array.isArray(routes)) {
      throw new OptionError(
        `The option "routes" is ${showValue(routes)} instead of an object such as { "/chat/:room": { onOpen } }`,
      );
    }
    const entries = Object.entries(routes);
    this.#patterns = new RoutePatterns(entries.map(([pattern]) => pattern));
    this.#services = entries.map(([pattern, options]) => {
      assertRoute(pattern, options);
      return serve(routeHandlers(options, server), routeSettings(options));
    });
  }

  /**
   * Finds the route of a request. The connection gets the parameters of the path, and with a handshake the handlers and
   * settings of the route.
   *
   * @param line The request line.
   * @param fields The header fields.
   * @param connection The connection it came on.
   * @returns What decides about the request; `undefined`: a plain request that has no route.
   * @throws {HandshakeError} If a handshake has no route (404), or the path is malformed (400).
   */
  find(
    line: RequestLine,
    fields: HeaderFields,
    connection: WebSocketConnection<Data>,
  ): AcceptHost<Data> | undefined {
    setParams(connection, NO_PARAMS);
    const match = this.#patterns.match(line.path);
    const opens = wantsWebSocket(fields);
    if (match === undefined) {
      if (!opens) return undefined;
      throw new HandshakeError("ERR_HANDSHAKE_REQUEST", "There is no WebSocket at this path", 404);
    }
    const { host, handler, settings } = this.#services[match.index]!;
    setParams(connection, match.params);
    if (opens) configureConnection(connection, handler, settings());
    return host;
  }
}

/** Handlers that come before the path is known, or are not those of a connection. */
const EARLY_HANDLERS: Readonly<Record<string, string>> = {
  onConnect: 'it is called before the path is known; a route has "onAllow" and "onOpen"',
  onDisconnect: 'it ends "onConnect", which is called before the path is known; a route has "onEnd"',
};

function assertRoute(pattern: string, options: unknown): asserts options is RouteOptions {
  const owner = `routes[${quote(pattern)}]`;
  for (const name of typeof options === "object" && options !== null ? Object.keys(options) : []) {
    if (name in ROUTE_HANDLERS || name in ROUTE_SETTINGS) continue;
    if (!(name in SERVER_SETTINGS || name in SERVER_HANDLERS || name in SERVER_OTHER_OPTIONS)) continue;
    throw new OptionError(
      `${owner} cannot have ${quote(name)}: ${EARLY_HANDLERS[name] ?? 'it belongs to the server, beside "routes"'}`,
    );
  }
  new OptionNames(owner, {
    tables: [ROUTE_HANDLERS, ROUTE_SETTINGS],
    hints: SERVER_HINTS,
    example: () => "{ onMessageReceived }",
  }).assert(options);
  const given = options as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(ROUTE_HANDLERS)) assertHandler(`${owner}.${name}`, given[name]);
  for (const name of settingNames()) {
    const label = `${owner}.${name}`;
    if (given[name] !== undefined) {
      checkValue({ [label]: SERVER_SETTINGS[name] as Setting<unknown> }, label, given[name]);
    }
  }
}

function settingNames(): (keyof typeof ROUTE_SETTINGS)[] {
  return Object.keys(ROUTE_SETTINGS) as (keyof typeof ROUTE_SETTINGS)[];
}

/** The handlers of a route; those that it does not have are the server's, as they are when they are called. */
function routeHandlers<Data>(own: RouteOptions<Data>, server: ServerHandlers<Data>): ServerHandlers<Data> {
  const handlers: ServerHandlers<Data> = {};
  for (const name of Object.keys(SERVER_HANDLERS) as (keyof ServerHandlers)[]) {
    const handler: unknown = name in ROUTE_HANDLERS ? Reflect.get(own, name) : undefined;
    if (typeof handler === "function") Reflect.set(handlers, name, handler.bind(own));
    else Object.defineProperty(handlers, name, { get: serverHandler(server, name) });
  }
  return handlers;
}

/** Reads a handler of the server, which is called with the server as `this`. */
function serverHandler<Data>(server: ServerHandlers<Data>, name: keyof ServerHandlers): () => unknown {
  type Handler = (first: unknown, second: unknown, third: unknown) => unknown;
  const owner = server as Readonly<Record<string, Handler | undefined>>;
  // Made once: each message asks for it.
  const call: Handler = (first, second, third) => owner[name]!(first, second, third);
  return () => owner[name] && call;
}

/** The settings of the server with those of a route in their place; one object as long as the server's are the same. */
function routeSettings<Data>(own: RouteOptions<Data>): (current: ServerSettings) => ServerSettings {
  const given: Record<string, unknown> = {};
  for (const name of settingNames()) if (own[name] !== undefined) given[name] = own[name];
  if (own.compression !== undefined) given["compression"] = compressionSettings(own.compression);
  const options = own.options && protocolOptions.read(own.options);
  let base: ServerSettings | undefined;
  let merged: ServerSettings | undefined;
  return (current) => {
    if (base === current) return merged!;
    base = current;
    merged = { ...current, ...given, ...options !== undefined && { options } };
    return merged;
  };
}
