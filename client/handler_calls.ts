/**
 * Calls the handlers of a client: an error of a handler is reported and closes the connection.
 *
 * @module
 */

import { INTERNAL_ERROR } from "../base/close_codes.ts";
import { isExpectedEnd } from "../connection/expected_end.ts";
import { HandlerError, StateError, TransportError, WebSocketError } from "../base/errors.ts";
import { type LogLevel, type LogRecord, writeLog } from "../base/log.ts";
import { promiseOf } from "../base/promises.ts";
import type { Meter } from "../base/stats.ts";
import { isError } from "../base/thrown.ts";
import type { MessageResult } from "../connection/options.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { OpenedConnection } from "./connector.ts";
import type { ClientExtension } from "./extension.ts";
import type { ClientHandlers } from "./settings.ts";

/** Handlers and loops of an extension, as far as messages depend on them. */
export type Extended = Pick<ClientExtension, "handlesMessages" | "iterates">;

const NOT_EXTENDED: Extended = {};

/** Calls handlers, reports errors, writes log records. */
export class HandlerCalls {
  readonly #handlers: ClientHandlers;
  readonly #meter: Meter;
  readonly #current: () => OpenedConnection | undefined;
  /** `true` if a message without handler was printed. */
  #printed = false;

  /**
   * Takes the handlers of a client.
   *
   * @param handlers The handlers; they may be replaced at any time.
   * @param meter Counts failures.
   * @param current Returns the connection that a failing handler closes.
   */
  constructor(handlers: ClientHandlers, meter: Meter, current: () => OpenedConnection | undefined) {
    this.#handlers = handlers;
    this.#meter = meter;
    this.#current = current;
  }

  /**
   * Calls a handler. If it throws or rejects, the error goes to `onError` and the connection is closed with 1011.
   *
   * @param name The name of the handler.
   * @param handler Calls it.
   * @returns `false` if it failed.
   */
  call(name: string, handler: () => unknown): boolean | Promise<boolean> {
    // A handler may fail late, when there is another connection already.
    const connection = this.#current();
    try {
      const result = handler();
      const promise = result === undefined ? undefined : promiseOf(result);
      if (promise === undefined) return true;
      return promise.then(() => true, (error) => this.#threw(name, error, connection));
    } catch (error) {
      return this.#threw(name, error, connection);
    }
  }

  #threw(name: string, error: unknown, connection: OpenedConnection | undefined): false {
    if (isExpectedEnd(error, name, connection?.state)) return false;
    const failure = new HandlerError(name, error);
    connection?.closeWith(INTERNAL_ERROR, failure);
    this.fail(failure);
    return false;
  }

  /**
   * Says what became of a message.
   *
   * @param data The message.
   * @param result Result of the call of its handler.
   * @param extension Tells if texts have other handlers too, and if messages wait for loops of its own.
   * @returns The promise of the handler; `false` if there is none for this kind of message, but for others; `"none"`
   * without any.
   */
  handed(data: MessageData, result: boolean | Promise<boolean>, extension: Extended = NOT_EXTENDED): MessageResult {
    if (typeof result !== "boolean") return result;
    const { onMessageReceived, onBinaryDataReceived } = this.#handlers;
    const extended = extension.handlesMessages?.() === true;
    if (typeof data === "string" ? onMessageReceived || extended : onBinaryDataReceived) return undefined;
    if (extended || onMessageReceived || onBinaryDataReceived) return false;
    return extension.iterates?.() === true ? undefined : "none";
  }

  /**
   * Calls the handler of a control frame.
   *
   * @param name The name of the handler.
   * @param payload The payload, which is copied.
   */
  control(name: "onPing" | "onPong", payload: Uint8Array): void {
    if (!this.#handlers[name]) return;
    const own = payload.slice();
    this.call(name, () => this.#handlers[name]?.(own));
  }

  /**
   * Calls a handler for its answer.
   *
   * @param name The name of the handler.
   * @param handler Calls it.
   * @returns The answer.
   * @throws {HandlerError} If the handler throws or rejects.
   */
  async ask<Answer>(name: string, handler: () => Answer | Promise<Answer>): Promise<Answer> {
    try {
      return await handler();
    } catch (error) {
      throw new HandlerError(name, error);
    }
  }

  /**
   * Counts, logs and reports the failure of a connection or of a handler.
   *
   * @param error The failure.
   */
  fail(error: unknown): void {
    const code = isError(error, WebSocketError) ? error.code : "ERR_OPTION";
    this.#meter.fail(code);
    this.log("warn", "client.failed", { code }, error);
    this.report(error);
  }

  /**
   * Reports an error to `onError`. Without that handler, errors of handlers are printed, and others are dropped.
   *
   * @param error The error.
   */
  report(error: unknown): void {
    if (!this.#handlers.onError) {
      if (isError(error, HandlerError)) console.error(error);
      // Once: each connection reports it.
      if (!this.#printed && isError(error, StateError) && error.code === "ERR_NO_HANDLER") {
        this.#printed = true;
        console.error(error);
      }
      return;
    }
    const failed = (failure: unknown): void => console.error(new HandlerError("onError", failure));
    try {
      promiseOf(this.#handlers.onError(error))?.catch(failed);
    } catch (failure) {
      failed(failure);
    }
  }

  /**
   * Reports that connecting or disconnecting by `active` has failed. Without `onError` it is printed.
   *
   * @param error The error.
   */
  changeFailed(error: unknown): void {
    // The program itself has aborted it.
    if (isError(error, TransportError) && error.code === "ERR_ABORTED") return;
    if (this.#handlers.onError) this.report(error);
    else console.error(error);
  }

  /**
   * Writes a log record, if `onLog` is set.
   *
   * @param level The level.
   * @param event The name of the event.
   * @param attributes Its values.
   * @param error The error of a failure.
   */
  log(level: LogLevel, event: string, attributes: LogRecord["attributes"], error?: unknown): void {
    if (!this.#handlers.onLog) return;
    writeLog(this.#handlers, { level, event, time: Date.now(), attributes, ...error !== undefined && { error } });
  }
}
