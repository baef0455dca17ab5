/**
 * The connections of a journal in PostgreSQL: one for appends, one for everything else.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import { REPLACED, stateOf } from "./journal_errors.ts";
import type { PostgresLink } from "./link.ts";
import type { LinkOpener } from "./open_link.ts";
import { PostgresSession } from "./session.ts";

/** Time for the answer of a server that is slow to commit, in ms. */
const DOUBT_PATIENCE = 1500;
/** Time for {@linkcode JournalConnections.opened}, in ms. */
const OPEN_PATIENCE = 10_000;

/** Beginnings of SQLSTATEs that pass: connection, transaction state, rollback, resources, locks, operator. */
const PASSING_STATES: readonly string[] = ["08", "25", "40", "53", "55", "57"];

/** Owner of {@linkcode JournalConnections}. */
export interface JournalConnectionsOwner {
  /** Prepares a new main connection, before others use it. */
  prepare(link: PostgresLink): Promise<void>;
  /** Prepares a new connection for appends. */
  prepareAppender(link: PostgresLink): Promise<void>;
  /** Called with a notification of PostgreSQL. */
  notified(payload: string): void;
  /** `true` if PostgreSQL has another journal by now. */
  readonly isReplaced: boolean;
  /** Reports an error to the listener. */
  report(error: JournalError): void;
}

/** Asks whether the server takes writes. */
async function assertPrimary(link: PostgresLink): Promise<void> {
  const [row] = await link.query("SELECT current_setting('transaction_read_only')");
  if (row?.[0] === "on") throw new Error("PostgreSQL is a standby or read-only now, and a primary is needed");
}

/** Connections of one journal. They use the system's clock, since PostgreSQL does not follow the clock of a test. */
export class JournalConnections {
  #owner: JournalConnectionsOwner;
  #main: PostgresSession;
  #appender: PostgresSession;
  /** Reason of the last failure, to append to a message: empty, or ": …". */
  #lastFailure = "";
  /** Rejects if PostgreSQL answers, but cannot be used. */
  #refused = Promise.withResolvers<never>();
  #closing = false;
  // Availability
  #away = false;
  #awaySince = 0;
  #awayReason = "";

  /**
   * Begins to connect.
   *
   * @param open Opens a connection.
   * @param owner The journal.
   */
  constructor(open: LinkOpener, owner: JournalConnectionsOwner) {
    this.#owner = owner;
    this.#refused.promise.catch(() => {});
    this.#main = this.#connect(open, (link) => owner.prepare(link));
    this.#appender = this.#connect(open, (link) => owner.prepareAppender(link));
  }

  #connect(open: LinkOpener, up: (link: PostgresLink) => Promise<void>): PostgresSession {
    const session: PostgresSession = new PostgresSession(open, systemClock, {
      up: async (link) => {
        try {
          await up(link);
        } catch (error) {
          await this.#judge(link, error);
          throw error;
        }
        void session.ready.then(() => this.#cameUp());
      },
      down: (error) => this.#wentDown(session, error),
      notified: (payload) => this.#owner.notified(payload),
      probe: assertPrimary,
    });
    return session;
  }

  /** A PostgreSQL that answers, but refuses the statements, refuses them the next time too. */
  async #judge(link: PostgresLink, error: unknown): Promise<void> {
    const state = stateOf(error);
    if (error instanceof JournalError) return this.#refused.reject(error);
    if (state === "" || PASSING_STATES.some((prefix) => state.startsWith(prefix))) return;
    if (!await link.query("SELECT 1").then(() => true, () => false)) return;
    const message = `Cannot open the journal in PostgreSQL: ${describe(error)}`;
    this.#refused.reject(new JournalError("ERR_JOURNAL_OPEN", message, { cause: error }));
  }

  /**
   * Waits until the connections are open.
   *
   * @returns The main connection.
   * @throws {JournalError} If PostgreSQL cannot be reached in time, or cannot be used.
   */
  async opened(): Promise<PostgresLink> {
    let cancel: () => void = () => {};
    const late = new Promise<"late">((resolve) => cancel = systemClock.after(OPEN_PATIENCE, () => resolve("late")));
    const ready = this.#main.ready.then(() => this.#appender.ready);
    try {
      await Promise.race([ready, this.#refused.promise, late]);
    } finally {
      cancel();
    }
    const { link } = this.#main;
    if (link === undefined || this.#appender.link === undefined) {
      throw new JournalError("ERR_JOURNAL_OPEN", `Cannot open the journal in PostgreSQL${this.#lastFailure}`);
    }
    this.#away = false;
    return link;
  }

  /** Resolves when the main connection is open, or there will be none any more. */
  get ready(): Promise<void> {
    return this.#main.ready;
  }

  /** The main connection, while there is one. */
  get link(): PostgresLink | undefined {
    return this.#main.link;
  }

  /** The connection for appends, while there is one. */
  get appenderLink(): PostgresLink | undefined {
    return this.#appender.link;
  }

  /**
   * Returns the main connection.
   *
   * @returns The open connection.
   * @throws {Error} If there is none.
   */
  requireLink(): PostgresLink {
    return this.#require(this.#main);
  }

  /**
   * Returns the connection for appends.
   *
   * @returns The open connection.
   * @throws {Error} If there is none.
   */
  requireAppender(): PostgresLink {
    return this.#require(this.#appender);
  }

  #require({ link }: PostgresSession): PostgresLink {
    if (link === undefined) throw new Error(`PostgreSQL is away${this.#lastFailure}`);
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
   * Replaces all connections.
   *
   * @param error Reason.
   */
  restartAll(error: unknown): void {
    this.#main.restart(error);
    this.#appender.restart(error);
  }

  /** Replaces all connections if the server does not answer on the main one: it may stand still, or commit slowly. */
  doubt(): void {
    const { link } = this.#main;
    if (link === undefined) return;
    const error = new Error(`no answer within ${DOUBT_PATIENCE} ms`);
    const cancel = systemClock.after(DOUBT_PATIENCE, () => this.restartAll(error));
    link.query("SELECT 1").then(cancel, cancel);
  }

  #wentDown(session: PostgresSession, cause: Error): void {
    this.#lastFailure = `: ${describe(cause)}`;
    if (this.#closing) return;
    // The other connection may lead to the same server, which may be no primary any more.
    (session === this.#main ? this.#appender : this.#main).check();
    if (this.#away) return;
    this.#away = true;
    this.#awaySince = systemClock.now();
    this.#awayReason = describe(cause);
    const replaced = this.#owner.isReplaced || cause.message === REPLACED;
    const [code, message] = replaced
      ? ["ERR_JOURNAL_REPLACED", `The journal in PostgreSQL is gone: ${REPLACED}`] as const
      : ["ERR_JOURNAL_AWAY", `PostgreSQL is away: ${this.#awayReason}`] as const;
    this.#owner.report(new JournalError(code, message, { cause }));
  }

  /** PostgreSQL is back when all connections are open. */
  #cameUp(): void {
    if (!this.#away || this.#closing) return;
    if (this.#main.link === undefined || this.#appender.link === undefined) return;
    this.#away = false;
    const seconds = ((systemClock.now() - this.#awaySince) / 1000).toFixed(1);
    const message = `PostgreSQL is there again after ${seconds} s; it was away: ${this.#awayReason}`;
    this.#owner.report(new JournalError("ERR_JOURNAL_AWAY", message));
  }

  /** Reports nothing any more; the connections stay open until {@linkcode JournalConnections.close}. */
  beginClose(): void {
    this.#closing = true;
  }

  /**
   * Closes the connections.
   *
   * @returns Resolves when they are closed.
   */
  async close(): Promise<void> {
    await Promise.all([this.#main.close(), this.#appender.close()]);
  }
}
