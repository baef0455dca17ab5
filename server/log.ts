/**
 * What a server writes into its log: see `base/log.ts`. A record is made only if somebody takes it.
 *
 * @module
 */

import { channel } from "node:diagnostics_channel";
import type { CloseInfo } from "../connection/options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { type LogHandler, type LogLevel, type LogRecord, writeLog } from "../base/log.ts";

/** Tools that watch a whole process subscribe to it. */
const diagnostics = channel("tackline:websocket:server");

/** More about what happened. */
export type Attributes = LogRecord["attributes"];

/** The log of one server. */
export class ServerLog {
  #handler: () => LogHandler | undefined;

  /**
   * Makes one.
   *
   * @param handler Tells who takes the records; it may be replaced at any time.
   */
  constructor(handler: () => LogHandler | undefined) {
    this.#handler = handler;
  }

  get #silent(): boolean {
    return this.#handler() === undefined && !diagnostics.hasSubscribers;
  }

  /**
   * Writes a record.
   *
   * @param level How much it matters.
   * @param event What happened.
   * @param attributes More about it.
   * @param error What failed.
   */
  write(level: LogLevel, event: string, attributes: Attributes, error?: unknown): void {
    if (this.#silent) return;
    const record: LogRecord = { level, event, time: Date.now(), attributes, ...error !== undefined && { error } };
    writeLog(this.#handler(), record);
    if (diagnostics.hasSubscribers) diagnostics.publish(record);
  }

  /**
   * Writes a record about a connection.
   *
   * @param level How much it matters.
   * @param event What happened.
   * @param connection The connection.
   * @param attributes More about it.
   * @param error What failed.
   */
  connection<Data>(
    level: LogLevel,
    event: string,
    connection: WebSocketConnection<Data>,
    attributes: Attributes = {},
    error?: unknown,
  ): void {
    if (this.#silent) return;
    const { remoteAddress: { hostname, port } } = connection;
    this.write(level, event, { "network.peer.address": hostname, "network.peer.port": port, ...attributes }, error);
  }

  /**
   * A WebSocket is open.
   *
   * @param connection The connection.
   * @param duration How long its handshake took, in ms.
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
   * A WebSocket has ended.
   *
   * @param connection The connection.
   * @param info How.
   */
  closed<Data>(connection: WebSocketConnection<Data>, { code, reason, clean }: CloseInfo): void {
    if (this.#silent) return;
    this.connection("info", "connection.closed", connection, { code, reason, clean });
  }
}
