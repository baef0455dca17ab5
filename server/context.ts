/**
 * The part of a server that all its other parts use: settings, handlers, counters and log, and the reporting of
 * failures.
 *
 * @module
 */

import { failConnection, type WebSocketConnection } from "../connection/connection.ts";
import { CloseCode, type HandlerError, TransportError, WebSocketError } from "../base/errors.ts";
import type { ServerExtension } from "./extension.ts";
import { HandlerCalls } from "./handler_calls.ts";
import type { AllowResult, ServerHandlers } from "./handlers.ts";
import type { MessageResult } from "../connection/options.ts";
import { textResponse } from "../protocol/http.ts";
import { addressAttributes, ServerLog } from "./log.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { MessageData } from "../protocol/payload.ts";
import { promiseOf } from "../base/promises.ts";
import { isError } from "../base/thrown.ts";
import { LockableSettings, type ServerOptions } from "./settings.ts";
import { Meter } from "../base/stats.ts";
import { failureText, serverTlsText } from "../transport/failure_text.ts";
import type { Address } from "../transport/transport.ts";

/** Parts shared within one server. */
export class ServerContext<Data> {
  /** The handlers, which may be replaced at any time. */
  readonly handlers: ServerHandlers<Data>;
  /** The settings. */
  readonly settings: LockableSettings;
  /** The counters. */
  readonly meter: Meter;
  /** The log. */
  readonly log: ServerLog;
  /** Calls handlers. */
  readonly calls: HandlerCalls<Data>;
  /** Hooks of a server that is built on this one. */
  extension: ServerExtension<Data> = {};
  /** `true` for a server with routes: paths that come here have none. */
  routed = false;

  /**
   * Makes the parts.
   *
   * @param handlers The handlers.
   * @param options Settings that differ from the default; for a route, the parts of its server.
   * @throws {OptionError} If a setting is out of range.
   */
  constructor(handlers: ServerHandlers<Data>, options: ServerOptions | ServerContext<Data>) {
    this.handlers = handlers;
    const shared = options instanceof ServerContext ? options : undefined;
    this.settings = shared?.settings ?? new LockableSettings(options as ServerOptions);
    this.meter = shared?.meter ?? new Meter();
    this.log = shared?.log ?? new ServerLog(handlers);
    this.calls = new HandlerCalls(handlers, (error, connection) => this.#handlerFailed(error, connection));
  }

  // ---- Handlers, as a server without extension calls them --------------------------------------------------------

  /**
   * Hands a message to its handler.
   *
   * @param connection The connection it came on.
   * @param data The message.
   * @param frame Given with `frameByFrame` only.
   * @returns The promise of the handler; `false` if only the other kind of message has one, `"none"` without any.
   */
  receive(connection: WebSocketConnection<Data>, data: MessageData, frame?: FrameInfo): MessageResult {
    const { handlers } = this;
    let result: unknown;
    try {
      // Written out for both kinds: a name that is computed costs each message.
      if (typeof data === "string") {
        if (!handlers.onMessageReceived) return this.#unhandled;
        result = handlers.onMessageReceived(connection, data, frame);
      } else {
        if (!handlers.onBinaryDataReceived) return this.#unhandled;
        result = handlers.onBinaryDataReceived(connection, data, frame);
      }
      // Asked here too, since nearly all handlers return nothing.
      const promise = result === undefined ? undefined : promiseOf(result);
      return promise === undefined ? undefined : this.calls.watch(handlerFor(data), connection, promise);
    } catch (error) {
      this.calls.threw(handlerFor(data), connection, error);
      return undefined;
    }
  }

  get #unhandled(): MessageResult {
    return this.handlesMessages ? false : "none";
  }

  /** `true` if the program has a handler for messages, of either kind. */
  get handlesMessages(): boolean {
    const { handlers } = this;
    return isSet(handlers.onMessageReceived) || isSet(handlers.onBinaryDataReceived);
  }

  /**
   * Asks `onAllow` whether to open a WebSocket.
   *
   * @param connection The connection, with its request.
   * @returns The decision.
   */
  allow(connection: WebSocketConnection<Data>): AllowResult {
    const { handlers } = this;
    return handlers.onAllow ? handlers.onAllow(connection) : true;
  }

  /**
   * Asks `onCommandGet` for the answer to a plain HTTP request.
   *
   * @param request The request.
   * @param connection The connection it came on.
   * @returns The response.
   */
  async respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    const response = await this.calls.respond(() => this.handlers.onCommandGet?.(request, connection));
    if (response !== undefined) return response;
    const { pathName } = this.settings.store.values;
    if (this.routed || (pathName !== "" && new URL(request.url).pathname !== pathName)) {
      return textResponse(404, "There is nothing at this path");
    }
    return textResponse(426, "This is a WebSocket server", { "sec-websocket-version": "13" });
  }

  // ---- Failures ------------------------------------------------------------------------------------------------

  /**
   * Counts and logs a connection that a limit refuses; not reported to `onError`, since refusals come in floods.
   *
   * @param reason The limit.
   * @param address The address of the peer, or of the client behind a proxy.
   * @param proxyAddress The address of the proxy.
   */
  refused(reason: string, address: Address, proxyAddress?: Address): void {
    this.meter.refuse(reason);
    this.log.write("warn", "connection.refused", { reason, ...addressAttributes(address, proxyAddress) });
  }

  /**
   * Counts and logs a failed TLS handshake; not reported to `onError`, since each probe of a load balancer is one.
   *
   * @param error The failure.
   * @param address The address of the peer, or of the client behind a proxy.
   * @param proxyAddress The address of the proxy; the same if it has named no client.
   */
  handshakeFailed(error: unknown, address: Address, proxyAddress?: Address): void {
    const failure = new TransportError("ERR_TLS_HANDSHAKE", serverTlsText(error), { cause: error });
    this.meter.refuse(failure.code);
    const ends = addressAttributes(address, proxyAddress === address ? undefined : proxyAddress);
    this.log.write("debug", "connection.refused", { reason: failure.code, ...ends }, failure);
  }

  /**
   * Reports that a trusted proxy has not sent the PROXY protocol as it should.
   *
   * @param failure The failure.
   * @param address The address of the proxy.
   */
  headerFailed(failure: TransportError, address: Address): void {
    this.meter.refuse(failure.code);
    this.log.write("warn", "connection.refused", { reason: failure.code, ...addressAttributes(address) }, failure);
    this.calls.report(failure);
  }

  /**
   * Reports that the port failed to accept a connection.
   *
   * @param error The failure.
   */
  acceptFailed(error: unknown): void {
    const failure = new TransportError("ERR_ACCEPT", `Cannot accept a connection: ${failureText(error, "listen")}`, {
      cause: error,
    });
    this.meter.refuse(failure.code);
    this.log.write("warn", "connection.refused", { reason: failure.code }, failure);
    this.calls.report(failure);
  }

  /**
   * Counts and logs a request that is refused.
   *
   * @param reason The reason, or the code of the error.
   * @param connection The connection it came on.
   * @param error The failure, if there is one.
   */
  requestRefused(reason: string, connection: WebSocketConnection<Data>, error?: unknown): void {
    this.meter.refuse(reason);
    this.log.connection("warn", "connection.refused", connection, { reason }, error);
  }

  /**
   * Reports a failure before the WebSocket was open.
   *
   * @param error The failure.
   * @param connection The connection.
   */
  requestFailed(error: unknown, connection: WebSocketConnection<Data>): void {
    this.requestRefused(codeOf(error), connection, error);
    this.calls.report(error, connection);
  }

  /**
   * Reports a failure of an open WebSocket.
   *
   * @param error The failure.
   * @param connection The connection.
   */
  connectionFailed(error: unknown, connection: WebSocketConnection<Data>): void {
    this.meter.fail(codeOf(error));
    this.log.connection("warn", "connection.failed", connection, { code: codeOf(error) }, error);
    this.calls.report(error, connection);
  }

  #handlerFailed(failure: HandlerError, connection: WebSocketConnection<Data>): void {
    failConnection(connection, CloseCode.InternalError, failure);
    this.connectionFailed(failure, connection);
  }
}

function handlerFor(data: MessageData): "onMessageReceived" | "onBinaryDataReceived" {
  return typeof data === "string" ? "onMessageReceived" : "onBinaryDataReceived";
}

/** Tells whether a handler is set: `null` stands for none. */
function isSet(handler: unknown): boolean {
  return handler !== undefined && handler !== null;
}

function codeOf(error: unknown): string {
  return isError(error, WebSocketError) ? error.code : "ERR_HANDLER";
}
