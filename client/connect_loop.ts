/**
 * Calls of `connect` and `disconnect` of a client, in their order: the last one wins.
 *
 * Each `connect` after a `disconnect` makes a {@linkcode ConnectRun} of its own, which begins when the run before is
 * over: its attempt given up, or its connection ended and `onDisconnect` called. Other calls of `connect` join the last
 * run.
 *
 * | phase        | meaning                                                                                       |
 * |--------------|-----------------------------------------------------------------------------------------------|
 * | `idle`       | no run, or all are over                                                                       |
 * | `connecting` | the last run has no connection yet, or waits for the next one                                 |
 * | `connected`  | there is a connection; while it ends, another run may wait already                            |
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import { adoptFields } from "../base/settings.ts";
import type { CloseInfo, StepResult } from "../connection/options.ts";
import { type ClientParts, discardStream, timersOf } from "./connect_attempt.ts";
import { ConnectRun, type RunOwner } from "./connect_run.ts";
import { abortedBy, rejected } from "./connect_waiters.ts";
import type { ClientConnection, OpenedConnection } from "./connector.ts";
import type { ReceivingConnection } from "./receive_calls.ts";
import { type ReconnectSettings, reconnectSettings, type RunEnd, TERMINAL_CODES } from "./reconnect.ts";
import { CLIENT_SETTINGS, type ConnectOptions } from "./settings.ts";

/** Phase of a client: see the table above. */
export type ConnectPhase = "idle" | "connecting" | "connected";

/** The client of a {@linkcode ConnectLoop}. */
export interface ConnectLoopOwner {
  /** Attaches the handlers to a new connection. */
  attach(opened: OpenedConnection): ClientConnection;
  /** Called when the client is connected: notifies the program, and lets the connection begin. */
  connected(opened: OpenedConnection, connection: ClientConnection): void;
  /**
   * Ends loops and drops messages that wait for another connection: none follows, or only for those that `connect` is
   * called before.
   */
  dropWaiting(error: TransportError | undefined): void;
  /** Called when the signal of the client is aborted. */
  aborted(): void;
}

/** Connects and reconnects one client. */
export class ConnectLoop implements RunOwner {
  readonly #parts: ClientParts;
  readonly #owner: ConnectLoopOwner;
  /** The last run. */
  #run: ConnectRun | undefined;
  /** Run of the connection that has not ended: the last one, or one before. */
  #holder: ConnectRun | undefined;
  #opened: OpenedConnection | undefined;
  #connection: ClientConnection | undefined;
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
    if (this.#holder !== undefined) return "connected";
    return this.#run === undefined || this.#run.phase === "over" ? "idle" : "connecting";
  }

  /** The connection, or the last one until another is tried. */
  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  /** Members of the connection that only the client uses. */
  get opened(): OpenedConnection | undefined {
    return this.#opened;
  }

  /** The connection of the last call of `connect`, while it lasts. */
  get current(): ClientConnection | undefined {
    return this.#holder !== undefined && this.#holder === this.#run ? this.#connection : undefined;
  }

  /** The same for calls of `receive`. */
  get receiving(): ReceivingConnection | undefined {
    const { current: connection, opened } = this;
    return connection === undefined || opened === undefined ? undefined : { connection, opened };
  }

  /** Tells whether another connection follows the loss of this one, as far as is known. */
  get reconnects(): boolean {
    return this.#run?.reconnects ?? false;
  }

  /** Bytes of messages that may wait for the next connection. */
  get maxQueuedSize(): number {
    return this.#run?.maxQueuedSize ?? 0;
  }

  // ---- Calls of the program ------------------------------------------------------------------------------------

  /**
   * Connects, unless the client is connected already: see `WebSocketClient.connect`.
   *
   * @param options Options of the program.
   * @returns Resolves after the handshake.
   */
  connect(options: ConnectOptions): Promise<void> {
    const run = this.#run;
    if (run !== undefined && run === this.#holder && this.#connection!.state === "open") return Promise.resolve();
    // A connection that ends is of no use without the next one.
    const joins = run !== undefined && run.phase !== "over" && !run.stopped && (run !== this.#holder || run.reconnects);
    if (joins) return run.join(options.signal);
    try {
      return this.#connectAnew(options);
    } catch (error) {
      discardStream(this.#parts, options.stream);
      return rejected(error);
    }
  }

  #connectAnew({ signal, stream }: ConnectOptions): Promise<void> {
    const settings = this.#reconnectSettings();
    if (this.#signal?.aborted) {
      const { reason: cause } = this.#signal;
      throw new TransportError("ERR_ABORTED", "Cannot connect: the signal is aborted", { cause });
    }
    if (signal?.aborted) throw abortedBy(signal);
    const before = this.#run;
    const waits = before !== undefined && before.phase !== "over";
    if (waits) this.#replace();
    else this.#signal?.addEventListener("abort", this.#onSignal, { once: true });
    const run = this.#run = new ConnectRun(this.#parts, this, settings, stream);
    const joined = run.join(signal);
    run.begin(waits ? before.ended : undefined);
    return joined;
  }

  /** Waiters for a connection wait in vain now; what begins from now on is for the next run. */
  #replace(): void {
    this.#owner.dropWaiting(undefined);
    this.#parts.extension.replaced?.();
  }

  #reconnectSettings(): ReconnectSettings | undefined {
    const { handlers, settings, extension } = this.#parts;
    adoptFields(handlers, CLIENT_SETTINGS);
    return reconnectSettings(settings.values.reconnect, [...TERMINAL_CODES, ...extension.terminalCodes ?? []]);
  }

  /**
   * Stops reconnecting, and aborts connecting.
   *
   * @returns Resolves when the client no longer connects; `undefined` if it does not.
   */
  stop(): Promise<void> | undefined {
    const run = this.#run;
    if (run === undefined || run.phase === "over") return undefined;
    run.stop(new TransportError("ERR_ABORTED", "The program aborted connecting"));
    return run === this.#holder ? undefined : run.ended;
  }

  /**
   * Waits until connecting has succeeded or failed.
   *
   * @param timeout Time to wait, in ms; 0: no limit.
   */
  async settled(timeout: number): Promise<void> {
    let cancel: () => void = () => {};
    const waited = new Promise<void>((resolve) => {
      if (timeout > 0) cancel = timersOf(this.#parts).after(timeout, resolve);
    });
    await Promise.race([waited, this.#run!.settled()]);
    cancel();
  }

  /**
   * Handles one incoming frame or message, or waits for the next connection.
   *
   * @param timeout Time to wait, in ms; 0: no limit.
   * @returns The kind of the event; "none" too if another connection may follow.
   */
  async step(timeout: number): Promise<StepResult> {
    if (this.phase === "connecting" && this.reconnects) {
      await this.settled(timeout);
      return "none";
    }
    const result = await this.opened?.step(timeout) ?? "closed";
    return result === "closed" && this.reconnects ? "none" : result;
  }

  // ---- Events --------------------------------------------------------------------------------------------------

  /**
   * Takes note of the end of the connection. Afterwards `send` keeps messages, and `connect` waits for the next
   * connection; or no other follows.
   *
   * @param info The end of the connection.
   */
  connectionEnded(info: CloseInfo): void {
    const { calls, meter } = this.#parts;
    const run = this.#holder!;
    this.#holder = undefined;
    meter.close((info.received ?? info.sent ?? info).code);
    calls.log("info", "client.closed", { code: info.code, reason: info.reason, clean: info.clean });
    run.connectionEnded(info);
  }

  /** Forgets the last connection. */
  connecting(): void {
    this.#connection = this.#opened = undefined;
  }

  /**
   * Takes over a new connection.
   *
   * @param run The run that has made it.
   * @param opened The connection.
   * @returns The connection for the program.
   */
  attach(run: ConnectRun, opened: OpenedConnection): ClientConnection {
    const connection = this.#owner.attach(opened);
    this.#holder = run;
    this.#opened = opened;
    return this.#connection = connection;
  }

  /**
   * Notifies the program of a new connection.
   *
   * @param opened The connection.
   * @param connection The same for the program.
   */
  connected(opened: OpenedConnection, connection: ClientConnection): void {
    this.#owner.connected(opened, connection);
  }

  /**
   * Takes note of the end of a run.
   *
   * @param run The run.
   * @param end Its end.
   */
  ended(run: ConnectRun, end: RunEnd): void {
    const last = run === this.#run;
    if (last) {
      this.#signal?.removeEventListener("abort", this.#onSignal);
      this.#owner.dropWaiting(end.error);
    }
    this.#parts.extension.givenUp?.(end, last);
  }
}
