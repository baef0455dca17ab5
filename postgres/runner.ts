/**
 * Running statements on the tables of one journal, over the connection that is open at the time.
 *
 * @module
 */

import type { PostgresLink, SqlColumn, SqlValue } from "./link.ts";

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
   * Runs one statement, in a transaction of its own.
   *
   * @param text The statement, a constant of the program: `{schema}` stands for the schema.
   * @param values Its parameters.
   * @param link Connection to use, by default the one of the source.
   * @returns The rows. Rejects with the error of PostgreSQL, or if the connection is lost.
   * @throws {Error} If there is no connection.
   */
  run(
    text: string,
    values: readonly SqlValue[] = [],
    link: PostgresLink = this.#source.requireLink(),
  ): Promise<readonly (readonly SqlColumn[])[]> {
    let complete = this.#texts.get(text);
    if (complete === undefined) {
      complete = text.replaceAll("{schema}", this.schema);
      this.#texts.set(text, complete);
    }
    return link.query(complete, values);
  }
}
