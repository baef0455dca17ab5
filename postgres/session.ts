/**
 * A connection to PostgreSQL that is opened again whenever it is lost.
 *
 * @module
 */

import { Backoff, type BackoffSettings } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { PostgresLink } from "./link.ts";
import type { LinkOpener } from "./open_link.ts";

/** Back-off in ms: the connection is back within 2 s after a restart of PostgreSQL. */
const RECONNECT: BackoffSettings = { minDelay: 100, maxDelay: 1000, minUptime: 1000 };
/** Interval between probes of an open connection, and time for an answer or for a step of connecting, in ms. */
const PROBE_INTERVAL = 2000;
const PATIENCE = 5000;
/** Time until a probe that is wanted at once, in ms: the connections of one server end together, one by one. */
const CHECK_DELAY = 50;

/** Owner of a {@linkcode PostgresSession}. */
export interface PostgresSessionOwner {
  /**
   * Prepares a new connection, before others use it.
   *
   * @param link The connection.
   * @param progress Extends the time limit; to be called after each step of a long preparation.
   */
  up(link: PostgresLink, progress: () => void): Promise<void>;
  /**
   * Called when the connection is lost, or an attempt failed. Another attempt follows.
   *
   * @param error Reason.
   */
  down(error: Error): void;
  /**
   * Called with a notification of the channel.
   *
   * @param payload Its payload.
   */
  notified(payload: string): void;
  /**
   * Probes an open connection.
   *
   * @param link The connection.
   * @returns Rejects if the connection is of no use any more.
   */
  probe(link: PostgresLink): Promise<void>;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(describe(error));
}

/** Keeps one connection open. */
export class PostgresSession {
  #open: LinkOpener;
  #clock: Clock;
  #owner: PostgresSessionOwner;
  #backoff = new Backoff(RECONNECT);
  #link: PostgresLink | undefined;
  #upSince = 0;
  #closed = false;
  #connecting: Promise<void>;
  #attempt = new AbortController();
  #cancel: () => void = () => {};
  #probing = false;
  /** Gives up the connection that is open, or being opened. */
  #fail: (error: unknown) => void = () => {};
  #whenUp: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  /**
   * Begins to connect.
   *
   * @param open Opens a connection.
   * @param clock Time.
   * @param owner The owner.
   */
  constructor(open: LinkOpener, clock: Clock, owner: PostgresSessionOwner) {
    this.#open = open;
    this.#clock = clock;
    this.#owner = owner;
    this.#connecting = Promise.resolve().then(() => this.#connect());
  }

  /** The connection, while it is ready. */
  get link(): PostgresLink | undefined {
    return this.#link;
  }

  /** Resolves when a connection is ready, or the session is closed. */
  get ready(): Promise<void> {
    return this.#whenUp.promise;
  }

  async #connect(): Promise<void> {
    let opened: PostgresLink | undefined;
    let gone = false;
    const lost = (error: unknown): void => {
      if (gone) return;
      gone = true;
      void opened?.destroy();
      this.#lost(error);
    };
    this.#fail = lost;
    const attempt = this.#attempt = new AbortController();
    let cancelPatience: () => void = () => {};
    // An address that does not answer must not stop the attempts.
    const wait = (): void => {
      cancelPatience();
      if (gone || this.#closed) return;
      cancelPatience = this.#clock.after(PATIENCE, () => {
        attempt.abort(new Error(`no answer within ${PATIENCE} ms`));
        lost(attempt.signal.reason);
      });
    };
    wait();
    try {
      opened = await this.#open({
        notified: (payload) => {
          if (!gone) this.#owner.notified(payload);
        },
        closed: lost,
      }, attempt.signal);
      if (gone || this.#closed) return await opened.destroy();
      wait();
      await this.#owner.up(opened, wait);
    } catch (error) {
      return lost(error);
    } finally {
      cancelPatience();
    }
    if (gone) return;
    if (this.#closed) return await opened.destroy();
    this.#link = opened;
    this.#upSince = this.#clock.now();
    this.#whenUp.resolve();
    this.#scheduleProbe(opened, PROBE_INTERVAL);
  }

  /**
   * Replaces the connection.
   *
   * @param error Reason.
   */
  restart(error: unknown): void {
    this.#fail(error);
  }

  /** Probes the connection soon, if one is ready. */
  check(): void {
    if (this.#link === undefined || this.#probing) return;
    this.#cancel();
    this.#scheduleProbe(this.#link, CHECK_DELAY);
  }

  /** Detects a peer that vanished silently, and a primary that became a standby. */
  #scheduleProbe(link: PostgresLink, delay: number): void {
    const lost = this.#fail;
    this.#cancel = this.#clock.after(delay, () => {
      this.#probing = true;
      this.#cancel = this.#clock.after(PATIENCE, () => lost(new Error(`no answer within ${PATIENCE} ms`)));
      this.#owner.probe(link).then(() => {
        if (this.#link !== link) return;
        this.#cancel();
        this.#probing = false;
        this.#scheduleProbe(link, PROBE_INTERVAL);
      }, lost);
    });
  }

  #lost(error: unknown): void {
    this.#cancel();
    this.#probing = false;
    if (this.#closed) return;
    const uptime = this.#link === undefined ? undefined : this.#clock.now() - this.#upSince;
    if (this.#link !== undefined) this.#whenUp = Promise.withResolvers<void>();
    this.#link = undefined;
    this.#backoff.failed(uptime);
    this.#owner.down(asError(error));
    this.#cancel = this.#clock.after(this.#backoff.delay(), () => {
      this.#connecting = this.#connect();
    });
  }

  /**
   * Closes the session.
   *
   * @returns Resolves when the connection is closed, and none is being opened.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    const link = this.#link;
    this.#link = undefined;
    this.#whenUp.resolve();
    this.#attempt.abort(new Error("the session was closed"));
    await link?.destroy();
    await this.#connecting;
  }
}
