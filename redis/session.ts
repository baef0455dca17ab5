/**
 * A connection to Redis that comes back by itself, for as long as it is wanted.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { Backoff, type BackoffSettings } from "../base/backoff.ts";
import { openRedisLink, type RedisClient, type RedisLink } from "./client.ts";
import { PrimaryLink } from "./primary_link.ts";

/** Waits between attempts, in ms: after a restart of Redis all is to be there again within 2 s. */
const RECONNECT: BackoffSettings = { minDelay: 100, maxDelay: 1000, minUptime: 1000 };
/** So often a connection is asked whether it lives, and so long its answer, or a new connection, may take, in ms. */
const PROBE_INTERVAL = 5000;
const PATIENCE = 5000;
/** So often a client is asked that does not tell when a connection breaks, in ms. */
const LOOK_INTERVAL = 200;

/** What a {@linkcode RedisSession} tells its owner. */
export interface RedisSessionOwner {
  /**
   * A connection is there: what it needs before others use it is sent here.
   *
   * @param link The connection.
   * @param progress To be called now and then while that takes its time.
   */
  up(link: RedisLink, progress: () => void): Promise<void>;
  /**
   * The connection is gone, or an attempt failed, or its Redis is no primary. Another one follows.
   *
   * @param error Why.
   */
  down(error: Error): void;
  /**
   * A message of a channel came.
   *
   * @param channel The channel.
   * @param text The message.
   */
  message?(channel: string, text: string): void;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(error === undefined ? "the connection was closed" : String(error));
}

/** Keeps one connection to a primary open. */
export class RedisSession {
  #client: RedisClient;
  #clock: Clock;
  #owner: RedisSessionOwner;
  #backoff = new Backoff(RECONNECT);
  #link: PrimaryLink | undefined;
  #upSince = 0;
  #closed = false;
  #connecting: Promise<void>;
  #attempt = new AbortController();
  #cancel: () => void = () => {};
  #cancelLook: () => void = () => {};
  /** Gives up the connection there is, or is being made. */
  #fail: (error: unknown) => void = () => {};
  #whenUp: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  /**
   * Begins to connect.
   *
   * @param client The program's client.
   * @param clock Time.
   * @param owner Told what happens.
   */
  constructor(client: RedisClient, clock: Clock, owner: RedisSessionOwner) {
    this.#client = client;
    this.#clock = clock;
    this.#owner = owner;
    this.#connecting = Promise.resolve().then(() => this.#connect());
  }

  /** The connection, while it can be used. */
  get link(): PrimaryLink | undefined {
    return this.#link;
  }

  /** Resolves when there is a connection, or there will be none any more. */
  get ready(): Promise<void> {
    return this.#whenUp.promise;
  }

  async #connect(): Promise<void> {
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
    // An address that answers nothing must not stop the attempts.
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
      opened = await openRedisLink(this.#client, {
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
    if (link.isAlive !== undefined) this.#look(link);
  }

  #look(link: RedisLink): void {
    this.#cancelLook = this.#clock.after(LOOK_INTERVAL, () => {
      if (link.isAlive!()) this.#look(link);
      else this.#fail(new Error("the connection was lost"));
    });
  }

  /** Asks now whether Redis is a primary, if there is a connection. */
  check(): void {
    // Any failure gives the connection up.
    this.#link?.assertPrimary().catch(() => {});
  }

  /**
   * Gives up the connection there is; another one follows.
   *
   * @param error Why.
   */
  restart(error: unknown): void {
    this.#fail(error);
  }

  /** A peer that vanished without a word is noticed too, and a primary that became a replica. */
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
    this.#cancelLook();
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
   * Ends.
   *
   * @returns Resolves when the connection has ended, and none is being made.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    this.#cancelLook();
    const link = this.#link;
    this.#link = undefined;
    this.#whenUp.resolve();
    this.#attempt.abort(new Error("it is not wanted any more"));
    await link?.destroy();
    await this.#connecting;
  }
}
