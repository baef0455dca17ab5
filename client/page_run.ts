/**
 * One run of the client of `browser_client.ts`: from a call of `connect` until nothing more is tried, since the program
 * has disconnected, or no other attempt follows the end of a connection or a failure. The rules are those of
 * `client/connect_run.ts` in a page.
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { errorText } from "../base/error_text.ts";
import { describe, HandlerError, TransportError } from "../base/errors.ts";
import type { LogRecord } from "../base/log.ts";
import { leaveOnAbort, untilAborted, type WaitingCall } from "../base/signals.ts";
import { isError } from "../base/thrown.ts";
import type { PageLink } from "./page_link.ts";
import type { PageQueue } from "./page_queue.ts";
import { hostOf, type PageSettings, setTarget, urlOf } from "./page_settings.ts";
import type { ReconnectAttempt, ReconnectFailure, ReconnectFields } from "./reconnect.ts";

/** Client of a {@linkcode PageRun}. */
export interface PageRunOwner {
  /** Its settings, which name the server too. */
  readonly target: PageSettings;
  /** Checks the settings before an attempt, and copies them; the last connection is no more. */
  begin(): PageSettings;
  /** Makes the connection over an open socket. */
  open(socket: WebSocket, settings: PageSettings, run: PageRun): PageLink;
  /** Notifies the program of a new connection. */
  connected(): void;
  /** Notifies the program before a wait for another attempt. */
  reconnecting(attempt: ReconnectAttempt): void;
  /** Writes a log record. */
  log(level: LogRecord["level"], event: string, attributes: LogRecord["attributes"], error?: unknown): void;
  /** Called once, when the run is over. */
  ended(run: PageRun): void;
  /** Reports that reconnecting was given up. */
  report(error: unknown): void;
}

/** Connects and reconnects a client until it is stopped. */
export class PageRun {
  /** Resolves when the run is over; never rejects. */
  readonly ended: Promise<void>;
  /** Messages of all its connections. */
  readonly queue: PageQueue;
  readonly #owner: PageRunOwner;
  readonly #settings: ReconnectFields | undefined;
  readonly #backoff: Backoff | undefined;
  readonly #abort = new AbortController();
  readonly #waiters = new Set<WaitingCall<void>>();
  /** The connection, or the last one. */
  link: PageLink | undefined;
  /** `true` when nothing more is tried. */
  over = false;
  /** `true` if attempts are made even if no caller waits. */
  #unattended = false;
  /** Time at which the connection was opened. */
  #openedAt = 0;

  /**
   * Begins.
   *
   * @param owner The client.
   * @param queue Takes the messages.
   * @param settings Settings of reconnecting; `undefined`: one attempt.
   * @param before Resolves when the run before is over: two connections of a client are never open at the same time.
   */
  constructor(
    owner: PageRunOwner,
    queue: PageQueue,
    settings: ReconnectFields | undefined,
    before: Promise<void> | undefined,
  ) {
    this.#owner = owner;
    this.queue = queue;
    this.#settings = settings;
    this.#backoff = settings && new Backoff(settings);
    this.ended = this.#go(before);
  }

  /** `true` once the run was stopped. */
  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** `true` once no connection is tried any more. */
  get ending(): boolean {
    return this.over || this.stopped;
  }

  /** Tells whether another connection follows the loss of this one, as far as is known. */
  get reconnects(): boolean {
    return this.#settings !== undefined && !this.ending;
  }

  /** Bytes of messages that may wait for the next connection. */
  get maxQueuedSize(): number {
    return this.reconnects ? this.#settings!.maxQueuedSize : 0;
  }

  /**
   * Waits for the next connection, as a caller of `connect`.
   *
   * @param signal Ends the wait; and the run, if no other caller waits for its first connection.
   * @returns Resolves when there is a connection.
   */
  join(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = leaveOnAbort({ resolve, reject }, signal, () => {
        const reason = abortedBy(signal!);
        // Stops since no caller waits any more.
        if (this.#waiters.size === 1 && !this.#unattended) this.stop(reason);
        this.#waiters.delete(waiter);
        reject(reason);
      });
      this.#waiters.add(waiter);
    });
  }

  /**
   * Stops: no other attempt follows, and the present one is aborted. Without effect on the connection.
   *
   * @param reason The error of those who wait.
   */
  stop(reason: TransportError): void {
    this.#abort.abort(reason);
    this.#settle(({ reject }) => reject(reason));
  }

  #settle(end: (waiter: WaitingCall<void>) => void): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    waiters.forEach(end);
  }

  #untilStopped<Result>(work: Promise<Result>): Promise<Result> {
    return untilAborted(this.#abort.signal, work);
  }

  async #go(before: Promise<void> | undefined): Promise<void> {
    let givenUp: TransportError | undefined;
    let failure: unknown;
    await before;
    try {
      for (let delay: number | undefined = 0; delay !== undefined; delay = await this.#once()) {
        if (delay > 0) await this.#pause(delay);
        this.#abort.signal.throwIfAborted();
      }
    } catch (error) {
      failure = error;
      if (this.reconnects) {
        const message = `The client cannot reconnect and makes no other attempt: ${describe(error)}`;
        givenUp = new TransportError("ERR_RECONNECT_GIVEN_UP", message, { cause: error });
      }
    }
    this.over = true;
    this.queue.end(givenUp ?? this.link?.lost);
    this.#owner.ended(this);
    this.#settle(({ reject }) => reject(failure));
    if (givenUp && this.link) this.#owner.report(givenUp);
  }

  #pause(delay: number): Promise<void> {
    let cancel!: () => void;
    const waited = new Promise<void>((done) => cancel = this.#owner.target.clock.after(delay, done));
    return this.#untilStopped(waited).finally(() => cancel());
  }

  /** One attempt, and its connection. Returns the time until the next one. */
  async #once(): Promise<number | undefined> {
    const { target, log } = this.#owner;
    let opened = false;
    try {
      await this.#attempt();
      opened = true;
      const info = await this.link!.closed;
      return await this.#delay({ failures: this.#backoff?.failed(target.clock.now() - this.#openedAt) ?? 0, info });
    } catch (error) {
      if (opened) throw error;
      log("warn", "client.attempt_failed", { url: errorText(urlOf(target)) }, error);
      const delay = await this.#delay({ failures: this.#backoff?.failed() ?? 0, error });
      if (delay === undefined) throw error;
      return delay;
    }
  }

  /** Decides about the next attempt, and notifies the program. Returns the time until then, in ms. */
  async #delay(failure: ReconnectFailure): Promise<number | undefined> {
    if (!this.reconnects) return undefined;
    const retry = await this.#untilStopped(this.#isWorthIt(failure));
    // After an end that was wanted only a later `connect` is a reason to go on.
    this.#unattended &&= retry;
    if ((!retry && !(failure.info && this.#waiters.size > 0)) || this.stopped) return undefined;
    const delay = this.#backoff!.delay();
    this.#owner.log("info", "client.reconnecting", { failures: failure.failures, delay });
    this.#owner.reconnecting({ ...failure, delay });
    return delay;
  }

  async #isWorthIt(failure: ReconnectFailure): Promise<boolean> {
    const { maxAttempts, shouldReconnect, terminalCodes } = this.#settings!;
    const { failures, info, error } = failure;
    if (maxAttempts > 0 && failures >= maxAttempts) return false;
    if (shouldReconnect) {
      try {
        return await shouldReconnect(failure) === true;
      } catch (cause) {
        throw new HandlerError("shouldReconnect", cause);
      }
    }
    // The rows of `client/browser_failures.ts`.
    if (info) {
      // A page never closes with 1002 or 1007 itself.
      return !terminalCodes.includes((info.received ?? info.sent)?.code ?? 0);
    }
    return isError(error, TransportError) && !["SecurityError", "NotCapable"].includes((error.cause as Error)?.name);
  }

  async #attempt(): Promise<void> {
    const { target, begin } = this.#owner;
    const settings = begin();
    const { clock, connectTimeout, resolveUrl } = settings;
    const work = new AbortController();
    const abort = (): void => work.abort(this.#abort.signal.reason);
    this.#abort.signal.addEventListener("abort", abort);
    const cancel = connectTimeout > 0 && clock.after(connectTimeout, () => {
      work.abort(new TransportError("ERR_CONNECT_TIMEOUT", `Not connected within ${connectTimeout} ms`));
    });
    try {
      if (resolveUrl) setTarget(target, await untilAborted(work.signal, ask(resolveUrl)));
      await this.#open(settings, work.signal);
    } finally {
      cancel && cancel();
      this.#abort.signal.removeEventListener("abort", abort);
    }
  }

  #open(settings: PageSettings, signal: AbortSignal): Promise<void> {
    const { target, open, log, connected } = this.#owner;
    const refused = (why: string, cause?: unknown): TransportError =>
      new TransportError("ERR_CONNECT", `Cannot connect to ${hostOf(target)}: ${why}`, { cause });
    return new Promise((resolve, reject) => {
      let socket: WebSocket;
      try {
        socket = new WebSocket(urlOf(target), [...settings.protocols]);
      } catch (cause) {
        // For example "ws:" in a page that was loaded over "https:".
        throw refused(describe(cause), cause);
      }
      socket.binaryType = "arraybuffer";
      const onAbort = (): void => {
        socket.close();
        reject(signal.reason);
      };
      const onClose = (): void => reject(refused("a browser does not say why"));
      signal.addEventListener("abort", onAbort);
      socket.addEventListener("close", onClose);
      // Node 20 fires only this event.
      socket.addEventListener("error", onClose);
      socket.addEventListener("open", () => {
        if (signal.aborted) return;
        signal.removeEventListener("abort", onAbort);
        this.link = open(socket, settings, this);
        this.#unattended = true;
        this.#openedAt = settings.clock.now();
        log("info", "client.open", { url: errorText(urlOf(target)), protocol: errorText(socket.protocol) });
        this.#settle(({ resolve }) => resolve());
        connected();
        resolve();
      });
    });
  }
}

/** Another attempt makes sense after a failure: it may come from the network. */
async function ask<Answer>(resolveUrl: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await resolveUrl();
  } catch (error) {
    const cause = new HandlerError("resolveUrl", error);
    throw new TransportError("ERR_CONNECT", cause.message, { cause });
  }
}

/**
 * Tells if an error says that the program has given up itself.
 *
 * @param error The error.
 * @returns `true` for `ERR_ABORTED`.
 */
export function isAbort(error: unknown): error is TransportError {
  return isError(error, TransportError) && error.code === "ERR_ABORTED";
}

/**
 * Makes the error of a caller whose signal was aborted.
 *
 * @param signal The signal.
 * @returns The error.
 */
export function abortedBy({ reason }: AbortSignal): TransportError {
  return isAbort(reason)
    ? reason
    : new TransportError("ERR_ABORTED", "Connecting was aborted by its signal", { cause: reason });
}
