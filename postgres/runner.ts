/**
 * Running statements on the tables of one journal, over the connection that is open at the time.
 *
 * @module
 */

import { stateOf } from "./journal_errors.ts";
import type { PostgresLink, SqlColumn, SqlValue } from "./link.ts";

/** SQLSTATEs of transactions that another one has stopped: not serializable, and dead-locked. */
const AGAIN: readonly string[] = ["40001", "40P01"];
/** Maximum of attempts at such a transaction. */
const MAX_TRIES = 20;

/** Source of the connection. */
export interface LinkSource {
  /** The connection, while there is one. */
  readonly link: PostgresLink | undefined;
  /** Returns the connection; throws if there is none. */
  requireLink(): PostgresLink;
}

/**
 * Quotes a name for SQL.
 *
 * @param name The name.
 * @returns The name in double quotes.
 */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Runs statements for one journal. */
export class StatementRunner {
  /** Quoted name of the schema. */
  readonly schema: string;
  #source: LinkSource;
  /** Statements with the name of the schema, by the text without it. */
  #texts = new Map<string, string>();
  #running = new Set<Promise<unknown>>();
  #stopped = false;

  /**
   * Makes a runner.
   *
   * @param schema Name of the schema.
   * @param source Source of the connection.
   */
  constructor(schema: string, source: LinkSource) {
    this.schema = quoteName(schema);
    this.#source = source;
  }

  /** Connection to PostgreSQL, while there is one. */
  get link(): PostgresLink | undefined {
    return this.#source.link;
  }

  /**
   * Runs one statement, in a transaction of its own; again, if it is stopped by another transaction.
   *
   * @param text The statement, a constant of the program: `{schema}` stands for the schema.
   * @param values Its parameters.
   * @param link Connection to use, by default the one of the source.
   * @returns The rows. Rejects with the error of PostgreSQL, or if the connection is lost.
   * @throws {Error} If there is no connection.
   */
  async run(
    text: string,
    values: readonly SqlValue[] = [],
    link: PostgresLink = this.#source.requireLink(),
  ): Promise<readonly (readonly SqlColumn[])[]> {
    let complete = this.#texts.get(text);
    if (complete === undefined) {
      complete = text.replaceAll("{schema}", () => this.schema);
      this.#texts.set(text, complete);
    }
    for (let tries = 1;; tries++) {
      if (this.#stopped) throw new Error("the journal is closed");
      const answer = link.query(complete, values);
      this.#running.add(answer);
      try {
        return await answer;
      } catch (error) {
        // Undone completely, for the sake of another transaction that has done its work.
        if (tries === MAX_TRIES || !AGAIN.includes(stateOf(error))) throw error;
      } finally {
        this.#running.delete(answer);
      }
    }
  }

  /**
   * Runs no more statements.
   *
   * @returns Resolves when none is under way: a connection that is given back must be at rest.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#running);
  }
}
