/**
 * A connection to Redis that is opened again whenever it is lost.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { Backoff, type BackoffSettings } from "../base/backoff.ts";
import { describe } from "../base/errors.ts";
import type { LinkOpener, RedisLink } from "./link.ts";
import { PrimaryLink } from "./primary_link.ts";

/** Back-off in ms: the connection is back within 2 s after a restart of Redis. */
const RECONNECT: BackoffSettings = { minDelay: 100, maxDelay: 1000, minUptime: 1000 };
/** Interval between probes of an open connection, in ms: shorter than the idle time-outs of services. */
const PROBE_INTERVAL = 2000;
/** Time for an answer, or for a step of connecting, in ms. */
const PATIENCE = 5000;
/** Interval between checks of a client that does not report the end of a connection, in ms. */
const CHECK_INTERVAL = 200;

/** Time between two losses of a connection, in ms, below which the second one is a repeated one. */
const REPEATED = 1000;

/**
 * Kind of a loss: `"attempt"`: the connection could not be made; `"repeated"`: it was lost soon after the one before;
 * `"single"`: neither.
 */
export type RedisLoss = "attempt" | "repeated" | "single";

/** Owner of a {@linkcode RedisSession}. */
export interface RedisSessionOwner {
  /**
   * Prepares a new connection, before others use it.
   *
   * @param link The connection.
   * @param progress Extends the time limit; to be called after each step of a long preparation.
   */
  up(link: RedisLink, progress: () => void): Promise<void>;
  /**
   * Called when the connection is lost, an attempt failed, or its Redis is no primary. Another attempt follows.
   *
   * @param error Reason.
   * @param loss Kind of the loss.
   */
  down(error: Error, loss: RedisLoss): void;
  /**
   * Called with a message of a channel.
   *
   * @param channel The channel.
   * @param text The message.
   */
  message?(channel: string, text: string): void;
}

function asError(error: unknown): Error {
  return error instanceof Error
    ? error
    : new Error(error === undefined ? "the connection was closed" : describe(error));
}

/** Keeps one connection to a primary open. */
export class RedisSession {
  #open: LinkOpener;
  #clock: Clock;
  #owner: RedisSessionOwner;
  #backoff = new Backoff(RECONNECT);
  #link: PrimaryLink | undefined;
  #upSince = 0;
  #lostAt = -Infinity;
  #closed = false;
  #connecting: Promise<void>;
  #attempt = new AbortController();
  #cancel: () => void = () => {};
  #cancelCheck: () => void = () => {};
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
  constructor(open: LinkOpener, clock: Clock, owner: RedisSessionOwner) {
    this.#open = open;
    this.#clock = clock;
    this.#owner = owner;
    this.#connecting = Promise.resolve().then(() => this.#connect());
  }

  /** The connection, while it is ready. */
  get link(): PrimaryLink | undefined {
    return this.#link;
  }

  /** Resolves when a connection is ready, or the session is closed. */
  get ready(): Promise<void> {
    return this.#whenUp.promise;
  }

  async #connect(): Promise<void> {
    if (this.#closed) return;
    let opened: RedisLink | undefined;
    let link: PrimaryLink;
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
        message: (channel, text) => {
          if (!gone) this.#owner.message?.(channel, text);
        },
        closed: lost,
      }, attempt.signal);
      if (gone || this.#closed) return await opened.destroy();
      wait();
      link = new PrimaryLink(opened, lost);
      await link.assertPrimary();
      wait();
      await this.#owner.up(link, wait);
    } catch (error) {
      return lost(error);
    } finally {
      cancelPatience();
    }
    if (gone) return;
    if (this.#closed) return await opened.destroy();
    this.#link = link;
    this.#upSince = this.#clock.now();
    this.#whenUp.resolve();
    this.#scheduleProbe(link, lost);
    if (link.isAlive !== undefined) this.#checkAlive(link);
  }

  #checkAlive(link: RedisLink): void {
    this.#cancelCheck = this.#clock.after(CHECK_INTERVAL, () => {
      if (link.isAlive!()) this.#checkAlive(link);
      else this.#fail(new Error("the connection was lost"));
    });
  }

  /** Asks now whether Redis is a primary, if a connection is ready. */
  check(): void {
    // Any failure closes the connection.
    this.#link?.assertPrimary().catch(() => {});
  }

  /**
   * Replaces the connection.
   *
   * @param error Reason.
   */
  restart(error: unknown): void {
    this.#fail(error);
  }

  /** Detects a peer that vanished silently, and a primary that became a replica. */
  #scheduleProbe(link: PrimaryLink, lost: (error: unknown) => void): void {
    this.#cancel = this.#clock.after(PROBE_INTERVAL, () => {
      this.#cancel = this.#clock.after(PATIENCE, () => lost(new Error(`no answer within ${PATIENCE} ms`)));
      link.assertPrimary().then(() => {
        if (this.#link !== link) return;
        this.#cancel();
        this.#scheduleProbe(link, lost);
      }, lost);
    });
  }

  #lost(error: unknown): void {
    this.#cancel();
    this.#cancelCheck();
    if (this.#closed) return;
    const now = this.#clock.now();
    const uptime = this.#link === undefined ? undefined : now - this.#upSince;
    const loss = uptime === undefined ? "attempt" : now - this.#lostAt < REPEATED ? "repeated" : "single";
    if (uptime !== undefined) {
      this.#whenUp = Promise.withResolvers<void>();
      this.#lostAt = now;
    }
    this.#link = undefined;
    this.#backoff.failed(uptime);
    this.#owner.down(asError(error), loss);
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
    this.#cancelCheck();
    const link = this.#link;
    this.#link = undefined;
    this.#whenUp.resolve();
    this.#attempt.abort(new Error("the session was closed"));
    await link?.destroy();
    await this.#connecting;
  }
}
