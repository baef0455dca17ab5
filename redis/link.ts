/**
 * One connection to Redis, whatever client of the program it is made with.
 *
 * @module
 */

/** Events of a {@linkcode RedisLink}. */
export interface RedisLinkHandler {
  /**
   * Called with a message of a channel.
   *
   * @param channel The channel.
   * @param text The message.
   */
  message(channel: string, text: string): void;
  /**
   * Called once, when the connection is lost.
   *
   * @param error Reason.
   */
  closed(error: unknown): void;
  /** Called when the server has ended sharded subscriptions, since their slots have moved. */
  moved?(): void;
}

/** One connection to Redis, which does not reconnect. */
export interface RedisLink {
  /**
   * Sends a command.
   *
   * @param args The command and its arguments.
   * @returns The answer. Rejects with the error of Redis, or if the connection is lost.
   */
  send(args: string[]): Promise<unknown>;
  /** Subscribes to channels: ordinary ones, or sharded ones of one slot, which Bun's client does not know. */
  subscribe(channels: string[], sharded?: boolean): Promise<unknown>;
  /** Unsubscribes from channels. */
  unsubscribe(channels: string[], sharded?: boolean): Promise<unknown>;
  /** Number of the database by the options of the client, where they can be read. */
  readonly database?: number | undefined;
  /** Returns whether it is open; only for clients that do not report the end of a connection. */
  readonly isAlive?: (() => boolean) | undefined;
  /** `true`: the next connection is made to the server of a cluster that has the keys by then. */
  readonly findsServer?: boolean | undefined;
  /**
   * Closes the connection; commands without an answer reject. Ignored if it is closed already.
   *
   * @returns Resolves when it is closed.
   */
  destroy(): Promise<void>;
}

/**
 * Opens a connection.
 *
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export type LinkOpener = (handler: RedisLinkHandler, signal: AbortSignal) => Promise<RedisLink>;
