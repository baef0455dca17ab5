/**
 * One connection to PostgreSQL, whatever client of the program it is made with.
 *
 * @module
 */

/**
 * A parameter of a statement: text (numbers too), bytes, or NULL. Clients encode other types in different ways, so
 * statements name the type and convert: `$1::text::bigint`, `$2::bytea`.
 */
export type SqlValue = string | number | Uint8Array | null;

/**
 * A column of an answer: text, bytes, or NULL. Clients decode other types in different ways, so statements convert:
 * `seq::text`.
 */
export type SqlColumn = string | Uint8Array | null;

/** Events of a {@linkcode PostgresLink}. */
export interface PostgresLinkHandler {
  /**
   * Called with each notification of the channel of {@linkcode PostgresLink.listen}.
   *
   * @param payload Its payload.
   */
  notified(payload: string): void;
  /**
   * Called once, when the connection is lost.
   *
   * @param error Reason.
   */
  closed(error: unknown): void;
}

/** One connection to PostgreSQL, which does not reconnect. */
export interface PostgresLink {
  /**
   * Runs one statement, in a transaction of its own. Statements of one connection run one after the other.
   *
   * @param text The statement, with `$1`, `$2`, …; without parameters, several statements may be in one text.
   * @param values Its parameters.
   * @returns The rows, each a list of its columns. Rejects with the error of PostgreSQL, or if the connection is lost.
   */
  query(text: string, values?: readonly SqlValue[]): Promise<readonly (readonly SqlColumn[])[]>;
  /**
   * Listens to a channel; only for clients that can.
   *
   * @param channel Its name.
   * @returns Resolves when PostgreSQL has accepted it.
   */
  readonly listen?: ((channel: string) => Promise<unknown>) | undefined;
  /**
   * Closes the connection; statements without an answer reject. Ignored if it is closed already.
   *
   * @returns Resolves when it is closed.
   */
  destroy(): Promise<void>;
}
