/**
 * Calls the handlers of a server, reports their errors, and checks their answers.
 *
 * @module
 */

import type { WebSocketConnection } from "../connection/connection.ts";
import { isExpectedEnd } from "../connection/expected_end.ts";
import { HandlerError, StateError } from "../base/errors.ts";
import { promiseOf } from "../base/promises.ts";
import { isError, shown } from "../base/thrown.ts";
import { textResponse } from "../protocol/http.ts";
import { quote } from "../base/error_text.ts";
import type { AllowDecision } from "./accept_host.ts";
import { upgradeFields } from "./upgrade_headers.ts";
import type { AllowResult, CommandResult, HandlerResult, ServerHandlers } from "./handlers.ts";

/** Calls handlers. */
export class HandlerCalls<Data> {
  #handlers: ServerHandlers<Data>;
  #failed: (error: HandlerError, connection: WebSocketConnection<Data>) => void;
  /** `true` if a message without handler was printed. */
  #printed = false;

  /**
   * Makes the calls of one server.
   *
   * @param handlers The handlers, which may be replaced at any time.
   * @param failed Called when a handler has failed that was called for a connection.
   */
  constructor(
    handlers: ServerHandlers<Data>,
    failed: (error: HandlerError, connection: WebSocketConnection<Data>) => void,
  ) {
    this.#handlers = handlers;
    this.#failed = failed;
  }

  /**
   * Calls a handler without an answer.
   *
   * @param name Its name.
   * @param connection The connection it is called for.
   * @param handler Calls the handler.
   */
  call(name: keyof ServerHandlers, connection: WebSocketConnection<Data>, handler: () => HandlerResult): void {
    try {
      const result = handler();
      const promise = promiseOf(result);
      if (promise !== undefined) this.watch(name, connection, promise);
    } catch (error) {
      this.threw(name, connection, error);
    }
  }

  /**
   * Takes what a handler threw: its failure, unless it only met the end of its connection.
   *
   * @param name Its name.
   * @param connection The connection it was called for.
   * @param error The thrown value.
   */
  threw(name: keyof ServerHandlers, connection: WebSocketConnection<Data>, error: unknown): void {
    if (!isExpectedEnd(error, name, connection.state)) this.#failed(new HandlerError(name, error), connection);
  }

  /**
   * Waits for the promise of a handler.
   *
   * @param name Its name.
   * @param connection The connection it was called for.
   * @param result The promise.
   * @returns Resolves when it is settled and a failure was reported.
   */
  watch(
    name: keyof ServerHandlers,
    connection: WebSocketConnection<Data>,
    result: Promise<unknown>,
  ): Promise<unknown> {
    return result.catch((error) => this.threw(name, connection, error));
  }

  /**
   * Calls `onError`.
   *
   * @param error The failure.
   * @param connection The connection it belongs to, if any.
   */
  report(error: unknown, connection?: WebSocketConnection<Data>): void {
    const { onError } = this.#handlers;
    if (!onError) {
      if (isError(error, HandlerError)) console.error(error);
      // Once for all connections: a peer must not fill the log.
      if (!this.#printed && isError(error, StateError) && error.code === "ERR_NO_HANDLER") {
        this.#printed = true;
        console.error(error);
      }
      return;
    }
    const failed = (failure: unknown): void => console.error(new HandlerError("onError", failure));
    try {
      promiseOf(onError.call(this.#handlers, error, connection))?.catch(failed);
    } catch (failure) {
      failed(failure);
    }
  }

  /**
   * Asks whether to open a WebSocket.
   *
   * @param connection The connection.
   * @param ask Calls the handler.
   * @param awaited Tells whether the answer still counts: a late answer is not reported.
   * @returns The answer; `false` if it cannot be used.
   */
  allow(
    connection: WebSocketConnection<Data>,
    ask: () => AllowResult,
    awaited: () => boolean,
  ): AllowDecision | Promise<AllowDecision> {
    const failed = (error: unknown): Response => {
      if (awaited()) this.report(new HandlerError("onAllow", error), connection);
      return textResponse(500, "Internal server error");
    };
    const decide = (answer: unknown): AllowDecision => {
      if (answer instanceof Response) return assertSendable(answer);
      if (typeof answer === "object" && answer !== null) return upgradeFields(answer);
      // A handler that forgets its answer must not open a WebSocket.
      if (typeof answer !== "boolean" && awaited()) this.report(noAnswer(answer), connection);
      return answer === true;
    };
    try {
      const answer: unknown = ask();
      return promiseOf(answer)?.then(decide).catch(failed) ?? decide(answer);
    } catch (error) {
      return failed(error);
    }
  }

  /**
   * Chooses a subprotocol (RFC 6455 §4.2.2): one of the client's offers, or none.
   *
   * @param connection The connection.
   * @param offered The offers of the client.
   * @param protocols The subprotocols of the server, for a program without handler.
   * @returns The subprotocol; "" for none.
   * @throws {HandlerError} If the handler fails, or chooses a subprotocol that was not offered.
   */
  selectProtocol(connection: WebSocketConnection<Data>, offered: string[], protocols: readonly string[]): string {
    if (!this.#handlers.onSelectProtocol) {
      return protocols.find((protocol) => offered.includes(protocol)) ?? "";
    }
    const chosen = this.#askProtocol(connection, offered);
    if (chosen !== "" && !offered.includes(chosen)) {
      throw new HandlerError("onSelectProtocol", new Error(`${quote(chosen)} was not offered`));
    }
    return chosen;
  }

  #askProtocol(connection: WebSocketConnection<Data>, offered: string[]): string {
    let chosen: unknown;
    try {
      chosen = this.#handlers.onSelectProtocol!(connection, offered) ?? "";
    } catch (error) {
      throw new HandlerError("onSelectProtocol", error);
    }
    if (typeof chosen === "string") return chosen;
    // An unhandled rejection would end the program.
    promiseOf(chosen)?.catch(() => {});
    throw new HandlerError("onSelectProtocol", new Error(`it returned ${typeof chosen} instead of a string`));
  }

  /**
   * Asks for the answer to a plain HTTP request.
   *
   * @param ask Calls the handler.
   * @returns The answer; `undefined`: there is none.
   * @throws {HandlerError} If the handler fails, or its answer cannot be sent.
   */
  async respond(ask: () => CommandResult): Promise<Response | undefined> {
    try {
      const response = await ask();
      return response === undefined ? undefined : assertSendable(response);
    } catch (error) {
      throw new HandlerError("onCommandGet", error);
    }
  }
}

/** Only a `Response` that was not sent yet can be sent. */
function assertSendable(response: unknown): Response {
  if (!(response instanceof Response)) throw new Error(`it returned ${shown(response)}`);
  const { status } = response;
  if (status === 101) {
    throw new Error(
      "it returned a Response with status 101: onAllow opens a WebSocket with true, or with { headers } to add header " +
        "fields to the answer",
    );
  }
  if (status < 200 || status > 599) {
    throw new Error(`it returned a Response with status ${status}: it must be from 200 to 599`);
  }
  // Asked for before the body, which makes Bun forget it (`findings/bun_response_type.sh`).
  response.headers.has("content-type");
  if (response.bodyUsed || response.body?.locked) {
    throw new Error("it returned a Response that was sent already: make a new one for each request");
  }
  return response;
}

function noAnswer(answer: unknown): HandlerError {
  return new HandlerError(
    "onAllow",
    new Error(`it returned ${shown(answer)} instead of true, false, { headers } or a Response`),
  );
}
