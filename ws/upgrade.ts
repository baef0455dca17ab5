/**
 * One upgrade that a server of this room handles: decides as `verifyClient`, `handleProtocols` and listeners of
 * `headers` ask for.
 *
 * @module
 */

import { STATUS_CODES } from "node:http";
import type { WebSocketConnection } from "../connection/connection.ts";
import { acceptKey, checkUpgradeRequest, type UpgradeChecks } from "../protocol/handshake.ts";
import { parseRequestLine } from "../protocol/head.ts";
import { textResponse } from "../protocol/http.ts";
import type { AcceptSettings } from "../server/accept_host.ts";
import { UpgradeHead } from "../server/upgrade_request.ts";
import { HandshakeError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import type { AllowAnswer, AllowResult } from "../server/handlers.ts";
import { promiseOf } from "../base/promises.ts";
import type { UpgradeRequest, VerifyClient, VerifyInfo, WebSocketServerOptions } from "./options.ts";
import type { WebSocket } from "./websocket.ts";

/** Called when the WebSocket is open. */
export type UpgradeCallback = (socket: WebSocket) => void;

/** The server, as far as an upgrade asks it. */
export interface UpgradeOwner {
  /** Its options. */
  readonly options: WebSocketServerOptions;
  /** `true` if it takes no new connections. */
  readonly closing: boolean;
  /** Tells whether the path of a request is its own. */
  shouldHandle(request: UpgradeRequest): boolean;
  /** Lets listeners change the lines of the answer. */
  showHeaders(lines: string[], request: UpgradeRequest): void;
}

/** One upgrade. */
export class SocketUpgrade {
  /** The request. */
  readonly request: UpgradeRequest;
  /** Called when the WebSocket is open. */
  readonly callback: UpgradeCallback;
  /** The view, once the WebSocket is open. */
  view: WebSocket | undefined;
  /** The subprotocol, once the request is allowed. */
  protocol = "";
  /** Function of the program that decides now, for errors. */
  asked = "shouldHandle";
  readonly #owner: UpgradeOwner;

  /**
   * Begins.
   *
   * @param owner The server.
   * @param request The request.
   * @param callback Called when the WebSocket is open.
   */
  constructor(owner: UpgradeOwner, request: UpgradeRequest, callback: UpgradeCallback) {
    this.#owner = owner;
    this.request = request;
    this.callback = callback;
  }

  /**
   * Decides about the request, which is valid.
   *
   * @param connection The connection.
   * @returns The decision, now or later.
   */
  decide(connection: WebSocketConnection<SocketUpgrade>): AllowResult {
    if (!this.#owner.shouldHandle(this.request)) return refusal(400);
    const { verifyClient } = this.#owner.options;
    this.asked = "verifyClient";
    if (!verifyClient) return this.#accept(connection);
    const answer = this.#verify(verifyClient);
    return answer instanceof Promise
      ? answer.then((refused) => refused ?? this.#accept(connection))
      : answer ?? this.#accept(connection);
  }

  /** Returns the refusal; `undefined`: the request is allowed. */
  #verify(verifyClient: VerifyClient): Response | undefined | Promise<Response | undefined> {
    const { headers, socket } = this.request;
    const info = { origin: headers.origin as string, secure: socket?.encrypted === true, req: this.request };
    if (verifyClient.length !== 2) {
      const verified = (verifyClient as (info: VerifyInfo) => unknown)(info);
      const later = promiseOf(verified)?.then((value) => value ? undefined : refusal(401));
      return later ?? (verified ? undefined : refusal(401));
    }
    let answered: { refused: Response | undefined } | undefined;
    const { promise, resolve, reject } = Promise.withResolvers<Response | undefined>();
    const result = verifyClient(info, (verified, code = 401, message, headers) => {
      if (answered !== undefined) return;
      answered = { refused: verified ? undefined : refusal(code, message, headers) };
      resolve(answered.refused);
    });
    promiseOf(result)?.catch(reject);
    return answered === undefined ? promise : (answered as { refused: Response | undefined }).refused;
  }

  #accept(connection: WebSocketConnection<SocketUpgrade>): AllowAnswer {
    if (this.#owner.closing) return refusal(503);
    const { protocols } = connection.request;
    const { handleProtocols } = this.#owner.options;
    this.asked = "handleProtocols";
    if (protocols.length > 0) {
      const chosen = handleProtocols ? handleProtocols(new Set(protocols), this.request) : protocols[0]!;
      this.protocol = chosen || "";
    }
    const headers = this.#askHeaders(connection);
    if (this.protocol !== "" && !protocols.includes(this.protocol)) this.asked = "handleProtocols";
    return { headers };
  }

  #askHeaders(connection: WebSocketConnection<SocketUpgrade>): [string, string][] {
    const key = connection.request.headers.get("sec-websocket-key")!;
    const lines = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${acceptKey(key)}`,
    ];
    if (this.protocol !== "") lines.push(`Sec-WebSocket-Protocol: ${this.protocol}`);
    this.asked = "on headers";
    this.#owner.showHeaders(lines, this.request);
    return lines.slice(1).map(splitLine).filter(([name]) => !isOfHandshake(name.toLowerCase()));
  }
}

/** Listeners cannot change what the handshake itself decides. */
function isOfHandshake(name: string): boolean {
  return name === "connection" || name === "upgrade" || name.startsWith("sec-websocket-");
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon === -1) throw new TypeError("A listener of headers has added a line without a colon");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/**
 * Makes the answer of a refusal.
 *
 * @param status The status.
 * @param message The body; without it, the text of the status.
 * @param headers More header fields.
 * @returns The answer.
 */
export function refusal(
  status: number,
  message: string = STATUS_CODES[status] ?? "",
  headers: Readonly<Record<string, string | number | readonly string[]>> = {},
): Response {
  const fields = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return textResponse(status, message, Object.fromEntries(fields));
}

/**
 * Checks a handshake as the server will.
 *
 * @param request The request.
 * @param settings Limits and switches of the server.
 * @returns Its fault; `undefined`: it is valid.
 * @throws {OptionError} If it is no request.
 */
export function findFault(
  request: UpgradeRequest,
  settings: Pick<AcceptSettings, "maxHeadSize" | "maxHeaderFields"> & { readonly options: UpgradeChecks },
): HandshakeError | undefined {
  const head = new UpgradeHead(request);
  try {
    head.check(settings);
    const { method, minorVersion } = parseRequestLine(head.startLine);
    checkUpgradeRequest(method, minorVersion, head.fields, settings.options);
    return undefined;
  } catch (error) {
    if (isError(error, HandshakeError)) return error;
    throw error;
  }
}
