/**
 * The log of a server: see `base/log.ts`. A record is made only if the program, or a tool, takes it.
 *
 * @module
 */

import { channel } from "node:diagnostics_channel";
import type { CloseInfo } from "../connection/options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Address } from "../transport/transport.ts";
import { type LogHandler, type LogLevel, type LogRecord, writeLog } from "../base/log.ts";

/** Channel for tools that watch a whole process. */
const diagnostics = channel("tackline:websocket:server");

/** Details of an event. */
export type Attributes = LogRecord["attributes"];

/** The log of one server. */
export class ServerLog {
  #handlers: { onLog?: LogHandler | undefined };

  /**
   * Makes the log of one server.
   *
   * @param handlers The object with the handler of the records, which may be replaced at any time.
   */
  constructor(handlers: { onLog?: LogHandler | undefined }) {
    this.#handlers = handlers;
  }

  get #silent(): boolean {
    return !this.#handlers.onLog && !diagnostics.hasSubscribers;
  }

  /**
   * Writes a record.
   *
   * @param level The level.
   * @param event The name of the event.
   * @param attributes Details.
   * @param error The failure, if there is one.
   */
  write(level: LogLevel, event: string, attributes: Attributes, error?: unknown): void {
    if (this.#silent) return;
    const record: LogRecord = { level, event, time: Date.now(), attributes, ...error !== undefined && { error } };
    writeLog(this.#handlers, record);
    if (diagnostics.hasSubscribers) diagnostics.publish(record);
  }

  /**
   * Writes a record about a connection.
   *
   * @param level The level.
   * @param event The name of the event.
   * @param connection The connection.
   * @param attributes Details.
   * @param error The failure, if there is one.
   */
  connection<Data>(
    level: LogLevel,
    event: string,
    connection: WebSocketConnection<Data>,
    attributes: Attributes = {},
    error?: unknown,
  ): void {
    if (this.#silent) return;
    const { remoteAddress, proxyAddress } = connection;
    this.write(level, event, { ...addressAttributes(remoteAddress, proxyAddress), ...attributes }, error);
  }

  /**
   * Writes that a WebSocket is open.
   *
   * @param connection The connection.
   * @param duration Time of its handshake, in ms.
   */
  opened<Data>(connection: WebSocketConnection<Data>, duration: number): void {
    if (this.#silent) return;
    const { request: { path }, protocol, extensions } = connection;
    this.connection("info", "connection.open", connection, {
      "url.path": path,
      protocol,
      extensions: extensions.map(({ name }) => name).join(", "),
      duration,
    });
  }

  /**
   * Writes that a WebSocket has ended.
   *
   * @param connection The connection.
   * @param info The end of the connection.
   */
  closed<Data>(connection: WebSocketConnection<Data>, { code, reason, clean }: CloseInfo): void {
    if (this.#silent) return;
    this.connection("info", "connection.closed", connection, { code, reason, clean });
  }
}

/**
 * Names the addresses of a connection as OpenTelemetry does: `client` is there only if a proxy has told it.
 *
 * @param remoteAddress The other end.
 * @param proxyAddress The proxy that has told it.
 * @returns Details of a record.
 */
export function addressAttributes({ hostname, port, path }: Address, proxyAddress?: Address): Attributes {
  if (proxyAddress !== undefined) {
    return { "client.address": hostname, "client.port": port, ...addressAttributes(proxyAddress) };
  }
  if (path !== undefined) return { "network.peer.address": path };
  return { "network.peer.address": hostname, "network.peer.port": port };
}
