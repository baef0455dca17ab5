/**
 * The connections of a journal in Redis: for scripts, for appends that wait for replicas, and for the tail of the
 * stream.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import { Availability } from "./availability.ts";
import { isMoving } from "./cluster_errors.ts";
import { REPLACED } from "./journal_errors.ts";
import type { LinkOpener, RedisLink } from "./link.ts";
import { type RedisLoss, RedisSession } from "./session.ts";

/** Time for {@linkcode JournalConnections.opened}, in ms. */
const OPEN_PATIENCE = 10_000;

/** Owner of {@linkcode JournalConnections}. */
export interface JournalConnectionsOwner {
  /** Prepares a new main connection, before others use it. */
  prepare(link: RedisLink): Promise<void>;
  /** Prepares a new connection for appends. */
  prepareAppender(link: RedisLink): Promise<void>;
  /** Follows the stream over a new connection. */
  startTail(link: RedisLink): void;
  /** Called when the main connection is lost. */
  mainLost(): void;
  /** `true` if Redis has another journal by now. */
  readonly isReplaced: boolean;
  /** Reports an error to the listener. */
  report(error: JournalError): void;
}

/** Connections of one journal. They use the system's clock, since Redis does not follow the clock of a test. */
export class JournalConnections {
  #owner: JournalConnectionsOwner;
  #main: RedisSession;
  /** A connection of its own if appends wait for replicas, since a wait blocks all later commands of its connection. */
  #appender: RedisSession;
  #tail: RedisSession;
  #all: ReadonlySet<RedisSession>;
  #availability: Availability;
  /** Reason of the last failure, to append to a message: empty, or ": …". */
  #lastFailure = "";
  /** Resolves if Redis answers, but cannot be used. */
  #refused = Promise.withResolvers<"refused">();
  #closing = false;
  #replacedReported = false;

  /**
   * Begins to connect.
   *
   * @param open Opens a connection.
   * @param waitsForReplicas `true` if appends wait for replicas.
   * @param owner The journal.
   */
  constructor(open: LinkOpener, waitsForReplicas: boolean, owner: JournalConnectionsOwner) {
    this.#owner = owner;
    this.#availability = new Availability(systemClock, (message, cause) => {
      owner.report(new JournalError("ERR_JOURNAL_AWAY", message, cause && { cause }));
    });
    this.#main = this.#connect(open, (link) => this.#prepare(link));
    this.#appender = waitsForReplicas ? this.#connect(open, (link) => owner.prepareAppender(link)) : this.#main;
    // deno-lint-ignore require-await -- it has to return a promise
    this.#tail = this.#connect(open, async (link) => owner.startTail(link));
    this.#all = new Set([this.#main, this.#appender, this.#tail]);
  }

  #connect(open: LinkOpener, up: (link: RedisLink) => Promise<void>): RedisSession {
    const session: RedisSession = new RedisSession(open, systemClock, {
      up: async (link) => {
        await up(link);
        void session.ready.then(() => this.#cameUp(session));
      },
      down: (error, loss) => this.#wentDown(session, error, loss),
    });
    return session;
  }

  async #prepare(link: RedisLink): Promise<void> {
    try {
      await this.#owner.prepare(link);
    } catch (error) {
      // A Redis that answers a PING, but refuses the scripts, refuses them the next time too, unless the keys move.
      if (!isMoving(error) && await link.send(["PING"]).then(() => true, () => false)) {
        this.#lastFailure = `: ${describe(error)}`;
        this.#refused.resolve("refused");
      }
      throw error;
    }
  }

  /**
   * Waits until the main connection and the one for appends are open.
   *
   * @returns The main connection.
   * @throws {JournalError} If Redis cannot be reached in time, or cannot be used.
   */
  async opened(): Promise<RedisLink> {
    let cancel: () => void = () => {};
    const late = new Promise<"late">((resolve) => cancel = systemClock.after(OPEN_PATIENCE, () => resolve("late")));
    const ready = this.#main.ready.then(() => this.#appender.ready);
    const result = await Promise.race([ready, this.#refused.promise, late]);
    cancel();
    const { link } = this.#main;
    if (result !== undefined || link === undefined) {
      throw new JournalError("ERR_JOURNAL_OPEN", `Cannot open the journal in Redis${this.#lastFailure}`);
    }
    this.#availability.reset();
    return link;
  }

  /** Resolves when the main connection is open, or there will be none any more. */
  get ready(): Promise<void> {
    return this.#main.ready;
  }

  /** The main connection, while there is one. */
  get link(): RedisLink | undefined {
    return this.#main.link;
  }

  /** The connection for appends, while there is one. */
  get appenderLink(): RedisLink | undefined {
    return this.#appender.link;
  }

  /**
   * Returns the main connection.
   *
   * @returns The open connection.
   * @throws {Error} If there is none.
   */
  requireLink(): RedisLink {
    return this.#require(this.#main);
  }

  /**
   * Returns the connection for appends.
   *
   * @returns The open connection.
   * @throws {Error} If there is none.
   */
  requireAppender(): RedisLink {
    return this.#require(this.#appender);
  }

  #require({ link }: RedisSession): RedisLink {
    if (link === undefined) throw new Error(`Redis is away${this.#lastFailure}`);
    return link;
  }

  /**
   * Replaces the main connection.
   *
   * @param error Reason.
   */
  restartMain(error: unknown): void {
    this.#main.restart(error);
  }

  /**
   * Replaces the main connection and the one for appends.
   *
   * @param error Reason.
   */
  restartWriters(error: unknown): void {
    for (const session of new Set([this.#main, this.#appender])) session.restart(error);
  }

  /**
   * Replaces the connection of the tail.
   *
   * @param error Reason.
   */
  restartTail(error: unknown): void {
    this.#tail.restart(error);
  }

  #wentDown(session: RedisSession, cause: Error, loss: RedisLoss): void {
    this.#lastFailure = `: ${describe(cause)}`;
    if (session === this.#main) this.#owner.mainLost();
    if (this.#closing) return;
    // The other connections may lead to the same server, which may be no primary any more.
    for (const other of this.#all) if (other !== session) other.check();
    if (this.#owner.isReplaced || cause.message === REPLACED) this.#reportReplaced(cause);
    else this.#availability.down(cause, loss);
  }

  /** Reports once that Redis has another journal by now. */
  #reportReplaced(cause: Error): void {
    if (this.#replacedReported) return;
    this.#replacedReported = true;
    this.#owner.report(
      new JournalError("ERR_JOURNAL_REPLACED", `The journal in Redis is gone: ${REPLACED}`, { cause }),
    );
  }

  /** Redis is back when all connections are open. */
  #cameUp(session: RedisSession): void {
    if (session.link === undefined || this.#closing) return;
    for (const other of this.#all) if (other.link === undefined) return;
    this.#availability.up();
  }

  /** Reports nothing any more; the connections stay open until {@linkcode JournalConnections.close}. */
  beginClose(): void {
    this.#closing = true;
    this.#availability.reset();
  }

  /**
   * Closes the connections.
   *
   * @returns Resolves when they are closed.
   */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((session) => session.close()));
  }
}
