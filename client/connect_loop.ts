/**
 * Connects a client, and with `reconnect` connects it again.
 *
 * | phase        | entered when                                         | left when                              |
 * |--------------|------------------------------------------------------|----------------------------------------|
 * | `idle`       | at first; connecting failed or the connection ended  | `connect` is called                    |
 * | `connecting` | `connect` is called; a connection ended, and the     | an attempt succeeds; none follows      |
 * |              | client reconnects: pauses between attempts included  |                                        |
 * | `connected`  | an attempt has succeeded                             | the connection ends                    |
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { TransportError, WebSocketError } from "../base/errors.ts";
import { errorText, redactUrl } from "../base/error_text.ts";
import { sharedTimer } from "../base/shared_timer.ts";
import { isError } from "../base/thrown.ts";
import type { CloseInfo } from "../connection/options.ts";
import { AbortableWork, attemptConnect, type ClientParts } from "./connect_attempt.ts";
import type { ClientConnection, OpenedConnection } from "./connector.ts";
import {
  isWorthRetrying,
  type ReconnectFailure,
  type ReconnectSettings,
  reconnectSettings,
  retryAfter,
  TERMINAL_CODES,
} from "./reconnect.ts";
import type { ConnectOptions } from "./settings.ts";

/** Phase of a client: see the table above. */
export type ConnectPhase = "idle" | "connecting" | "connected";

/** The client of a {@linkcode ConnectLoop}. */
export interface ConnectLoopOwner {
  /** Calls `connect` of the client. */
  connect(options: ConnectOptions): Promise<void>;
  /** Attaches the handlers to a new connection. */
  attach(opened: OpenedConnection): ClientConnection;
  /** Called when the client is connected: notifies the program, and lets the connection begin. */
  connected(opened: OpenedConnection, connection: ClientConnection): void;
  /** Called when no other connection follows, with how the last one ended, if there was one. */
  givenUp(info: CloseInfo | undefined): void;
  /** Called when the signal of the client is aborted. */
  aborted(): void;
}

/** Connects and reconnects one client. */
export class ConnectLoop {
  readonly #parts: ClientParts;
  readonly #owner: ConnectLoopOwner;
  #phase: ConnectPhase = "idle";
  #connecting: Promise<void> | undefined;
  /** Aborts connecting. Renewed by `connect` and by the loss of a connection. */
  #abort = new AbortController();
  /** Number of calls of `stop`. */
  #stops = 0;
  #opened: OpenedConnection | undefined;
  #connection: ClientConnection | undefined;
  /** Time at which the connection was opened. */
  #openedAt = 0;
  /** Set by `connect` with `reconnect`, until the program disconnects or no other attempt follows. */
  #reconnecting: { settings: ReconnectSettings; backoff: Backoff } | undefined;
  /** Ends the client. Its listener is removed when no other connection follows, so that it keeps no client alive. */
  readonly #signal: AbortSignal | undefined;
  readonly #onSignal = (): void => this.#owner.aborted();

  /**
   * Makes a loop that does not connect yet.
   *
   * @param parts Parts of the client.
   * @param owner The client.
   * @param signal Ends the client.
   */
  constructor(parts: ClientParts, owner: ConnectLoopOwner, signal: AbortSignal | undefined) {
    this.#parts = parts;
    this.#owner = owner;
    this.#signal = signal;
  }

  /** Phase of the client. */
  get phase(): ConnectPhase {
    return this.#phase;
  }

  /** The connection, or the last one until another is tried. */
  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  /** Members of the connection that only the client uses. */
  get opened(): OpenedConnection | undefined {
    return this.#opened;
  }

  /** Tells whether another connection follows the loss of this one, as far as is known. */
  get reconnects(): boolean {
    return this.#reconnecting !== undefined;
  }

  /** Bytes of messages that may wait for the next connection. */
  get maxQueuedSize(): number {
    return this.#reconnecting?.settings.maxQueuedSize ?? 0;
  }

  /**
   * Connects, unless the client is connected already: see `WebSocketClient.connect`.
   *
   * @param options Options of the program.
   * @returns Resolves after the handshake.
   */
  connect(options: ConnectOptions): Promise<void> {
    if (this.#phase === "connected" && this.#connection!.state !== "open") return this.#connectAfterEnd(options);
    if (this.#phase !== "idle") return this.#connecting!;
    if (this.#signal?.aborted) {
      const { reason: cause } = this.#signal;
      return Promise.reject(new TransportError("ERR_ABORTED", "Cannot connect: the signal is aborted", { cause }));
    }
    let settings: ReconnectSettings | undefined;
    try {
      settings = this.#reconnectSettings();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#begin();
    this.#connection = this.#opened = undefined;
    // Streams are used up by one connection.
    this.#reconnecting = settings === undefined || options.stream !== undefined
      ? undefined
      : { settings, backoff: new Backoff(settings) };
    this.#signal?.addEventListener("abort", this.#onSignal, { once: true });
    this.#connecting = this.#connectUntilOpen(options).catch((error) => {
      this.#giveUp(undefined);
      throw error;
    });
    return this.#connecting;
  }

  /** The closing handshake must end first. */
  async #connectAfterEnd(options: ConnectOptions): Promise<void> {
    const stops = this.#stops;
    await this.#connection!.closed;
    if (stops !== this.#stops) throw disconnected();
    return await this.#owner.connect(options);
  }

  #reconnectSettings(): ReconnectSettings | undefined {
    const { settings, extension } = this.#parts;
    return reconnectSettings(settings.values.reconnect, [...TERMINAL_CODES, ...extension.terminalCodes ?? []]);
  }

  #begin(): void {
    this.#phase = "connecting";
    this.#abort = new AbortController();
  }

  /** Makes attempts until one succeeds, or another makes no sense. */
  async #connectUntilOpen(options: ConnectOptions): Promise<void> {
    const { target, calls, meter } = this.#parts;
    for (;;) {
      try {
        return this.#start(await attemptConnect(this.#parts, options, this.#abort.signal));
      } catch (error) {
        calls.log("warn", "client.attempt_failed", { url: redactUrl(target.url) }, error);
        meter.refuse(isError(error, WebSocketError) ? error.code : "ERR_OPTION");
        const failures = this.#reconnecting?.backoff.failed() ?? 0;
        const delay = await this.#delayAfter({ failures, error });
        if (delay === undefined) throw error;
        await this.#pause(delay, options.signal);
      }
    }
  }

  #start(opened: OpenedConnection): void {
    const { settings, target, calls, meter } = this.#parts;
    const connection = this.#owner.attach(opened);
    this.#opened = opened;
    this.#connection = connection;
    this.#openedAt = settings.values.clock.now();
    this.#phase = "connected";
    meter.opened++;
    calls.log("info", "client.open", { url: redactUrl(target.url), protocol: errorText(connection.protocol) });
    this.#owner.connected(opened, connection);
  }

  /**
   * Decides about the next attempt, and notifies the program.
   *
   * @returns The time until then, in ms; `undefined`: there is none.
   */
  async #delayAfter(failure: ReconnectFailure): Promise<number | undefined> {
    const reconnecting = this.#reconnecting;
    if (reconnecting === undefined) return undefined;
    const { settings, backoff } = reconnecting;
    const { handlers, calls } = this.#parts;
    const decision = this.#abortable(undefined);
    const retry = await decision.run(calls.ask("shouldReconnect", () => isWorthRetrying(failure, settings)))
      .finally(() => decision.end());
    // The program may have disconnected meanwhile.
    if (!retry || this.#reconnecting !== reconnecting) return undefined;
    const attempt = { ...failure, delay: backoff.delay(retryAfter(failure.error)) };
    calls.log("info", "client.reconnecting", { failures: failure.failures, delay: attempt.delay });
    calls.call("onReconnecting", () => handlers.onReconnecting?.(attempt));
    return this.#reconnecting === reconnecting ? attempt.delay : undefined;
  }

  /** Waits; rejects if the program aborts connecting. */
  #pause(delay: number, outer: AbortSignal | undefined): Promise<void> {
    const work = this.#abortable(outer);
    let cancel: () => void = () => {};
    const waited = new Promise<void>((resolve) => {
      cancel = sharedTimer(this.#parts.settings.values.clock).after(delay, resolve);
    });
    return work.run(waited).finally(() => {
      cancel();
      work.end();
    });
  }

  #abortable(outer: AbortSignal | undefined): AbortableWork {
    return new AbortableWork(0, this.#parts.settings.values.clock, [this.#abort.signal, outer]);
  }

  /**
   * Waits until connecting has succeeded or failed.
   *
   * @param timeout Time to wait, in ms; 0: no limit.
   */
  async settled(timeout: number): Promise<void> {
    let cancel: () => void = () => {};
    const waited = new Promise<void>((resolve) => {
      if (timeout > 0) cancel = sharedTimer(this.#parts.settings.values.clock).after(timeout, resolve);
    });
    await Promise.race([waited, this.#connecting!.catch(() => {})]);
    cancel();
  }

  /**
   * Takes note of the end of the connection. Afterwards `send` keeps messages, and `connect` waits for the next
   * connection; or no other follows.
   *
   * @param info The end of the connection.
   */
  connectionEnded(info: CloseInfo): void {
    const { calls, meter } = this.#parts;
    this.#phase = "idle";
    meter.close((info.received ?? info.sent ?? info).code);
    calls.log("info", "client.closed", { code: info.code, reason: info.reason, clean: info.clean });
    if (this.#reconnecting === undefined) return this.#giveUp(info);
    this.#begin();
    // Not before `onDisconnect` was called, which may disconnect.
    const connecting = Promise.resolve().then(() => this.#reconnect(info));
    this.#connecting = connecting;
    connecting.catch((error) => {
      const wanted = this.#reconnecting !== undefined;
      this.#giveUp(info);
      if (!wanted) return;
      const message = "The client cannot reconnect and makes no other attempt";
      calls.report(new TransportError("ERR_RECONNECT_GIVEN_UP", message, { cause: error }));
    });
  }

  async #reconnect(info: CloseInfo): Promise<void> {
    const { clock } = this.#parts.settings.values;
    const failures = this.#reconnecting?.backoff.failed(clock.now() - this.#openedAt) ?? 0;
    const delay = await this.#delayAfter({ failures, info });
    if (delay === undefined) {
      // An end that was wanted is not reported, but `connect` must not resolve without a connection.
      this.#reconnecting = undefined;
      throw new TransportError("ERR_RECONNECT_GIVEN_UP", `Connection closed with ${info.code}; not reconnecting`);
    }
    this.#connection = this.#opened = undefined;
    await this.#pause(delay, undefined);
    await this.#connectUntilOpen({});
  }

  /** No other connection follows, unless the program connects again. */
  #giveUp(info: CloseInfo | undefined): void {
    this.#phase = "idle";
    this.#reconnecting = undefined;
    this.#signal?.removeEventListener("abort", this.#onSignal);
    this.#owner.givenUp(info);
  }

  /**
   * Stops reconnecting, and aborts connecting.
   *
   * @returns Resolves when the client no longer connects; `undefined` if it does not.
   */
  stop(): Promise<void> | undefined {
    this.#reconnecting = undefined;
    this.#stops++;
    if (this.#phase !== "connecting") return undefined;
    this.#abort.abort(disconnected());
    return this.#connecting!.catch(() => {});
  }
}

function disconnected(): TransportError {
  return new TransportError("ERR_ABORTED", "The program aborted connecting");
}
