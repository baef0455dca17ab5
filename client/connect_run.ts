/**
 * One run of a client: from a call of `connect` until nothing more is tried, since the program has disconnected, or no
 * other attempt follows the end of a connection or a failure.
 *
 * | phase        | entered when                                          | left when                             |
 * |--------------|-------------------------------------------------------|---------------------------------------|
 * | `waiting`    | at first                                              | the run before is over                |
 * | `connecting` | the run before is over; a connection ended, and the   | an attempt succeeds; none follows     |
 * |              | client reconnects: pauses between attempts included   |                                       |
 * | `connected`  | an attempt has succeeded                              | the connection ends                   |
 * | `over`       | no other attempt follows                              |                                       |
 *
 * A run that is stopped goes to `over` from wherever it is, as soon as its connection has ended, if it has one.
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { describe, TransportError, WebSocketError } from "../base/errors.ts";
import { untilAborted } from "../base/signals.ts";
import { isError } from "../base/thrown.ts";
import { errorText, redactUrl } from "../base/error_text.ts";
import type { CloseInfo } from "../connection/options.ts";
import { attemptConnect, type ClientParts, connectorOf, discardStream, timersOf } from "./connect_attempt.ts";
import { ConnectWaiters } from "./connect_waiters.ts";
import type { ClientConnection, OpenedConnection } from "./connector.ts";
import {
  type FailurePolicy,
  isWorthRetrying,
  type ReconnectFailure,
  type ReconnectSettings,
  type RetryFacts,
  type RunEnd,
} from "./reconnect.ts";
import type { ConnectOptions } from "./settings.ts";

/** Phase of a run: see the table above. */
export type RunPhase = "waiting" | "connecting" | "connected" | "over";

/** Owner of a {@linkcode ConnectRun}. */
export interface RunOwner {
  /** Called when the next connection is tried: the last one is no more. */
  connecting(): void;
  /** Attaches the handlers to a new connection. */
  attach(run: ConnectRun, opened: OpenedConnection): ClientConnection;
  /** Called when the client is connected: notifies the program, and lets the connection begin. */
  connected(opened: OpenedConnection, connection: ClientConnection): void;
  /** Called once, when the run is over. */
  ended(run: ConnectRun, end: RunEnd): void;
}

/** Connects and reconnects a client until it is stopped. */
export class ConnectRun {
  /** Resolves when the run is over; never rejects. */
  readonly ended: Promise<void>;
  readonly #parts: ClientParts;
  readonly #owner: RunOwner;
  /** Used up by the first attempt. */
  readonly #stream: ConnectOptions["stream"];
  #reconnecting: { settings: ReconnectSettings; backoff: Backoff } | undefined;
  #phase: RunPhase = "waiting";
  /** Aborted when the run is stopped. */
  readonly #abort = new AbortController();
  readonly #waiters: ConnectWaiters;
  /** `true` after the first connection. */
  #wasOpen = false;
  /** `true` if attempts are made even if no caller waits: to reconnect. */
  #unattended = false;
  /** Number of attempts since the last connection that were refused with 401. */
  #unauthorized = 0;
  /** Time at which the connection was opened. */
  #openedAt = 0;
  #resolveEnded!: () => void;

  /**
   * Makes a run that waits.
   *
   * @param parts Parts of the client.
   * @param owner Is notified.
   * @param settings Settings of reconnecting; `undefined`: one attempt.
   * @param stream Streams of the program for the only attempt.
   */
  constructor(
    parts: ClientParts,
    owner: RunOwner,
    settings: ReconnectSettings | undefined,
    stream: ConnectOptions["stream"],
  ) {
    this.#parts = parts;
    this.#owner = owner;
    this.#stream = stream;
    // Streams are used up by one connection.
    if (settings !== undefined && stream === undefined) {
      this.#reconnecting = { settings, backoff: new Backoff(settings) };
    }
    // Stops since no caller waits any more.
    this.#waiters = new ConnectWaiters((reason) => {
      if (!this.#unattended) this.stop(reason);
      return !this.#unattended;
    });
    this.ended = new Promise((resolve) => this.#resolveEnded = resolve);
  }

  /** Phase of the run. */
  get phase(): RunPhase {
    return this.#phase;
  }

  /** `true` once the run was stopped. */
  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Tells whether another connection follows the loss of this one, as far as is known. */
  get reconnects(): boolean {
    return this.#reconnecting !== undefined && !this.stopped && this.#phase !== "over";
  }

  /** Bytes of messages that may wait for the next connection. */
  get maxQueuedSize(): number {
    return this.reconnects ? this.#reconnecting!.settings.maxQueuedSize : 0;
  }

  /**
   * Begins.
   *
   * @param before Resolves when the run before is over: two connections of a client are never open at the same time.
   */
  async begin(before: Promise<void> | undefined): Promise<void> {
    if (before !== undefined) await before;
    try {
      if (this.stopped) {
        discardStream(this.#parts, this.#stream);
        return this.#finish({});
      }
      this.#phase = "connecting";
      this.#owner.connecting();
      await this.#connectUntilOpen();
    } catch (error) {
      this.#fail(error, undefined);
    }
  }

  /**
   * Waits for the next connection, as a caller of `connect`.
   *
   * @param signal Ends the wait; and the run, if no other caller waits for its first connection.
   * @returns Resolves when there is a connection.
   */
  join(signal: AbortSignal | undefined): Promise<void> {
    return this.#waiters.add(signal);
  }

  /** Waits until there is a connection, or will be none; for no caller's sake. */
  settled(): Promise<void> {
    return this.#waiters.watch();
  }

  /**
   * Stops: no other attempt follows, and the present one is aborted. Without effect on the connection.
   *
   * @param reason The error of those who wait.
   */
  stop(reason: TransportError): void {
    if (this.stopped || this.#phase === "over") return;
    this.#abort.abort(reason);
    // Work that goes on ends at once, and then they are notified.
    if (this.#phase !== "connecting") this.#waiters.reject(reason);
  }

  /**
   * Takes note of the end of the connection: another attempt follows, or the run is over.
   *
   * @param info The end of the connection.
   */
  connectionEnded(info: CloseInfo): void {
    if (!this.reconnects) return this.#finish({ info });
    this.#phase = "connecting";
    // Not before `onDisconnect` was called, which may disconnect.
    Promise.resolve().then(() => this.#reconnect(info)).catch((error) => this.#fail(error, info));
  }

  // ---- Attempts ------------------------------------------------------------------------------------------------

  /** Makes attempts until one succeeds, or another makes no sense. */
  async #connectUntilOpen(): Promise<void> {
    const { target, calls, meter, extension } = this.#parts;
    const { failures } = connectorOf(extension, false);
    for (;;) {
      try {
        return await attemptConnect(this.#parts, this.#stream, this.#abort.signal, (opened) => this.#open(opened));
      } catch (error) {
        calls.log("warn", "client.attempt_failed", { url: redactUrl(target.url) }, error);
        meter.refuse(isError(error, WebSocketError) ? error.code : "ERR_OPTION");
        if (failures.isUnauthorized?.(error)) this.#unauthorized++;
        const delay = await this.#delayAfter({ failures: this.#reconnecting?.backoff.failed() ?? 0, error });
        if (delay === undefined) throw error;
        await this.#pause(delay);
      }
    }
  }

  #open(opened: OpenedConnection): void {
    const { settings, target, calls, meter } = this.#parts;
    const connection = this.#owner.attach(this, opened);
    this.#phase = "connected";
    this.#openedAt = settings.values.clock.now();
    this.#wasOpen = this.#unattended = true;
    this.#unauthorized = 0;
    meter.opened++;
    calls.log("info", "client.open", { url: redactUrl(target.url), protocol: errorText(connection.protocol) });
    // Even if `onConnect` disconnects.
    this.#waiters.resolve();
    this.#owner.connected(opened, connection);
  }

  async #reconnect(info: CloseInfo): Promise<void> {
    const { clock } = this.#parts.settings.values;
    const failures = this.#reconnecting!.backoff.failed(clock.now() - this.#openedAt);
    const delay = await this.#delayAfter({ failures, info });
    // An end that was wanted is not reported.
    if (delay === undefined) return this.#finish({ info });
    this.#owner.connecting();
    await this.#pause(delay);
    await this.#connectUntilOpen();
  }

  /**
   * Decides about the next attempt, and notifies the program.
   *
   * @returns The time until then, in ms; `undefined`: there is none.
   */
  async #delayAfter(failure: ReconnectFailure): Promise<number | undefined> {
    if (!this.reconnects) return undefined;
    const { settings, backoff } = this.#reconnecting!;
    const { handlers, calls, extension } = this.#parts;
    const { failures } = connectorOf(extension, false);
    const ask = (): Promise<boolean> => isWorthRetrying(failure, settings, this.#retryFacts(failures), failures.rules);
    const retry = await untilAborted(this.#abort.signal, calls.ask("shouldReconnect", ask));
    // After an end that was wanted only a later `connect` is a reason to go on.
    this.#unattended &&= retry;
    const wanted = retry || (failure.info !== undefined && this.#waiters.count > 0);
    if (!wanted || this.stopped) return undefined;
    const attempt = { ...failure, delay: backoff.delay(failures.retryAfter?.(failure.error)) };
    calls.log("info", "client.reconnecting", { failures: failure.failures, delay: attempt.delay });
    calls.call("onReconnecting", () => handlers.onReconnecting?.(attempt));
    // The program may have disconnected meanwhile.
    return this.stopped ? undefined : attempt.delay;
  }

  #retryFacts(failures: FailurePolicy): RetryFacts {
    const { settings: { values }, extension } = this.#parts;
    const renews = (): boolean => extension.renewsCredentials?.() === true || failures.renewsCredentials!(values);
    return { wasOpen: this.#wasOpen, mayBeStale: this.#unauthorized === 1 && renews() };
  }

  /** Waits; rejects if the run is stopped. */
  #pause(delay: number): Promise<void> {
    let cancel!: () => void;
    const waited = new Promise<void>((resolve) => cancel = timersOf(this.#parts).after(delay, resolve));
    return untilAborted(this.#abort.signal, waited).finally(() => cancel());
  }

  // ---- End -----------------------------------------------------------------------------------------------------

  /** No other attempt follows an error. */
  #fail(error: unknown, info: CloseInfo | undefined): void {
    if (this.stopped) return this.#finish({ info });
    const givenUp = this.#reconnecting === undefined ? undefined : givenUpBecause(error);
    this.#finish({ info, error: givenUp }, error);
    // Before the first connection, `connect` rejects.
    if (this.#wasOpen && givenUp !== undefined) this.#parts.calls.report(givenUp);
  }

  #finish(end: RunEnd, error?: unknown): void {
    this.#phase = "over";
    this.#owner.ended(this, end);
    this.#waiters.reject(this.stopped ? this.#abort.signal.reason : error);
    this.#resolveEnded();
  }
}

function givenUpBecause(cause: unknown): TransportError {
  const message = `The client cannot reconnect and makes no other attempt: ${describe(cause)}`;
  return new TransportError("ERR_RECONNECT_GIVEN_UP", message, { cause });
}
