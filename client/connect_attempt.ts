/**
 * One attempt to connect: the program is asked, the request is put together, and the connector does the rest in time.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { describe, HandshakeError, TransportError } from "../base/errors.ts";
import { adoptHandlers } from "../base/handlers.ts";
import { adoptFields, type SettingsStore } from "../base/settings.ts";
import type { Meter } from "../base/stats.ts";
import { untilAborted } from "../base/signals.ts";
import { isError } from "../base/thrown.ts";
import { findRemedy } from "../base/remedies.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { chooseConnector } from "./choose_connector.ts";
import type { ConnectTarget } from "./connect_target.ts";
import type { AskProgram, ClientHandshakeResponse, Connector, ConnectPlan, OpenedConnection } from "./connector.ts";
import type { ClientExtension } from "./extension.ts";
import type { HandlerCalls } from "./handler_calls.ts";
import {
  CLIENT_HANDLERS,
  CLIENT_SETTINGS,
  type ClientHandlers,
  type ClientSettings,
  connectionSettings,
  type ConnectOptions,
} from "./settings.ts";
import type { BytePair } from "../transport/stream.ts";

/** Parts of a client that attempts use. */
export interface ClientParts {
  /** Handlers of the program. */
  readonly handlers: ClientHandlers;
  /** Settings of the client, read by each attempt. */
  readonly settings: SettingsStore<ClientSettings>;
  /** Server to connect to. */
  readonly target: ConnectTarget;
  /** Calls the handlers. */
  readonly calls: HandlerCalls;
  /** Counts. */
  readonly meter: Meter;
  /** Hooks of a client that is built on this one. */
  readonly extension: ClientExtension;
}

/** Waits for work until it is aborted or its time is over. */
export class AbortableWork {
  readonly #controller = new AbortController();
  readonly #outer: readonly (AbortSignal | undefined)[];
  #cancelTimer: (() => void) | undefined;
  #awaited = "";
  /** Takes what the work waits for, in words for the message. */
  readonly waitingFor = (what: string): void => void (this.#awaited = what);
  readonly #onOuterAbort = (): void => {
    const cause: unknown = this.#outer.find((signal) => signal?.aborted)?.reason;
    const given = isError(cause, TransportError) ? cause : undefined;
    this.#controller.abort(
      given ?? new TransportError("ERR_ABORTED", "Connecting was aborted by its signal", { cause }),
    );
  };

  /**
   * Starts the time limit.
   *
   * @param timeout Time for the work, in ms; 0: no limit.
   * @param clock Measures it.
   * @param outer Signals that abort the work; `end` removes the listeners.
   */
  constructor(timeout: number, clock: Clock, outer: readonly (AbortSignal | undefined)[]) {
    this.#outer = outer;
    if (outer.some((signal) => signal?.aborted)) this.#onOuterAbort();
    // Not `AbortSignal.any`: a signal that lives for long would keep one dependent signal for each attempt.
    for (const signal of outer) signal?.addEventListener("abort", this.#onOuterAbort, { once: true });
    if (timeout === 0) return;
    this.#cancelTimer = clock.after(timeout, () => {
      const awaited = this.#awaited && `: still waiting for ${this.#awaited}`;
      this.#controller.abort(new TransportError("ERR_CONNECT_TIMEOUT", `Not connected within ${timeout} ms${awaited}`));
    });
  }

  /** Aborts the work. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Waits for the work, but not longer than until it is aborted.
   *
   * @param work The work.
   * @returns Rejects with the reason of the abort, or with the error of the work.
   */
  run<Result>(work: Promise<Result>): Promise<Result> {
    return untilAborted(this.signal, work);
  }

  /** Stops the time and removes the listeners. */
  end(): void {
    this.#cancelTimer?.();
    for (const signal of this.#outer) signal?.removeEventListener("abort", this.#onOuterAbort);
  }
}

/**
 * Checks the settings of a client.
 *
 * @param parts The client.
 * @throws {OptionError} If a setting is out of range.
 * @throws {StateError} If this platform cannot offer the compression that is set.
 */
export function assertSettings({ handlers, settings, extension }: ClientParts): void {
  // The client has its settings and handlers as properties.
  adoptFields(handlers, CLIENT_SETTINGS);
  adoptHandlers(handlers, CLIENT_HANDLERS);
  settings.checkAll();
  const connector = connectorOf(extension, true);
  connector.checkSettings?.(settings.values);
  connector.deflateOffers(settings.values.compression);
}

/**
 * Finds the connector of a client.
 *
 * @param extension Its hooks, which may have one.
 * @param overStream `true` if the connection uses streams of the program.
 * @returns The connector.
 */
export function connectorOf({ connector }: ClientExtension, overStream: boolean): Connector {
  return connector ?? chooseConnector(overStream);
}

/**
 * Finds the timers of a client, for waits between attempts.
 *
 * @param parts The client.
 * @returns The timers.
 */
export function timersOf({ extension, settings }: ClientParts): Clock {
  return connectorOf(extension, false).timers(settings.values.clock);
}

/**
 * Makes an attempt. After it has succeeded, nothing aborts it any more.
 *
 * @param parts The client.
 * @param stream Streams of the program, used instead of a socket.
 * @param signal Aborts the attempt.
 * @param take Takes the open WebSocket, not attached yet; at once, so that nothing is aborted in between.
 * @returns The result of `take`. Rejects if the attempt fails or is aborted; its socket is closed then.
 */
export async function attemptConnect<Taken>(
  parts: ClientParts,
  stream: ConnectOptions["stream"],
  signal: AbortSignal,
  take: (opened: OpenedConnection) => Taken,
): Promise<Taken> {
  let work: AbortableWork | undefined;
  try {
    assertSettings(parts);
    // Not before: a constructor sets handlers after settings.
    findRemedy((remedies) => remedies.assertMembers?.(parts.handlers));
    const settings = connectionSettings(parts.settings.values, connectorOf(parts.extension, stream !== undefined));
    const { clock } = settings;
    work = new AbortableWork(parts.settings.values.connectTimeout, clock, [signal]);
    const begun = clock.now();
    const opened = await work.run(establish(parts, settings, work, stream));
    // Aborted since: the connector has closed the socket.
    work.signal.throwIfAborted();
    parts.meter.handshakeTimes.add(clock.now() - begun);
    work.end();
    return take(opened);
  } catch (error) {
    discardStream(parts, stream);
    throw error;
  } finally {
    work?.end();
  }
}

/**
 * Ends streams of the program that no connection has taken; without effect on others.
 *
 * @param parts The client.
 * @param stream The streams, if there are some.
 */
export function discardStream({ extension }: ClientParts, stream: BytePair | undefined): void {
  if (stream !== undefined) connectorOf(extension, true).discardStream?.(stream);
}

async function establish(
  parts: ClientParts,
  settings: ConnectionSettings,
  { signal, waitingFor }: AbortableWork,
  stream: ConnectOptions["stream"],
): Promise<OpenedConnection> {
  const { handlers, calls, extension } = parts;
  const connector = connectorOf(extension, stream !== undefined);
  // Streams of the program may be encrypted.
  if (stream === undefined) connector.checkTarget?.(parts.settings.values);
  const ask: AskProgram = (name, handler) => askForAttempt(calls, name, handler, signal);
  const { settings: { values }, target } = parts;
  const url = values.resolveUrl && target.replace(await ask("resolveUrl", values.resolveUrl));
  const headers = await connector.requestHeaders(values, target, ask, url);
  await extension.prepareAttempt?.(ask);
  const plan: ConnectPlan = { ...makePlan(parts, connector, headers), settings, stream, signal, waitingFor };
  extension.requireTls?.(plan);
  // Aborted already: no socket, and no look-up of the name. Streams of the program are freed by the connector.
  if (stream === undefined) signal.throwIfAborted();
  return await connector.connect(plan, {
    handlers,
    sendHandshake: (request) =>
      calls.ask("onSendHandshake", async () => void await handlers.onSendHandshake?.(request)),
    acceptResponse: (response) => acceptResponse(parts, response, signal),
  });
}

/** Another attempt makes sense after a failure: it may come from the network. */
async function askForAttempt<Answer>(
  calls: HandlerCalls,
  name: string,
  handler: () => Answer | Promise<Answer>,
  signal: AbortSignal,
): Promise<Answer> {
  let answer: Answer;
  try {
    answer = await calls.ask(name, handler);
  } catch (cause) {
    throw new TransportError("ERR_CONNECT", describe(cause), { cause });
  }
  signal.throwIfAborted();
  return answer;
}

/** Reads all settings before the program is asked: a change by `onSendHandshake` counts for the next attempt. */
function makePlan(
  { handlers, settings: { values }, target, meter, extension }: ClientParts,
  connector: Connector,
  headers: Headers,
): Omit<ConnectPlan, "settings" | "stream" | "signal" | "waitingFor"> {
  const { protocols } = values;
  return {
    url: target.url,
    hostname: target.hostname,
    port: values.port,
    socketPath: values.path,
    tls: values.useSSL,
    requiresTls: extension.requireTls !== undefined,
    host: target.hostHeader,
    target: target.path,
    origin: values.origin,
    headers,
    protocols: extension.completeRequest?.(headers, protocols, connector.sendsHeaders) ?? protocols,
    deflateOffers: connector.deflateOffers(values.compression),
    // A copy: redirects may take long.
    tlsSettings: { ...values },
    proxy: values.proxy,
    maxRedirects: values.maxRedirects,
    meter,
    showsControlFrames: Boolean(handlers.onPing) || Boolean(handlers.onPong),
  };
}

async function acceptResponse(
  { handlers, calls, extension }: ClientParts,
  response: ClientHandshakeResponse,
  signal: AbortSignal,
): Promise<void> {
  // The program has given this attempt up, and may be making another.
  signal.throwIfAborted();
  extension.acceptProtocol?.(response.protocol);
  const answer = await calls.ask("onHandshakeResponse", () => handlers.onHandshakeResponse?.(response));
  if (answer !== false) return;
  throw new HandshakeError("ERR_HANDSHAKE_REFUSED", "The program refused the server's answer", 101);
}
