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

/**
 * Waits for what a client or the program makes, unless that is aborted.
 *
 * @param made The promise of it.
 * @param signal Aborts the waiting.
 * @param discard Takes what is made after that.
 * @returns What was made.
 */
export async function unlessAborted<Made>(
  made: Promise<Made>,
  signal: AbortSignal,
  discard: (late: Made) => void = () => {},
): Promise<Made> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason);
    made.then(discard, () => {});
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([made, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** End of one connection, reported once. */
export class Ending {
  #handler: RedisLinkHandler;
  #opened = false;
  #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #destroyed = false;

  /**
   * Begins before the connection is open.
   *
   * @param handler Takes the end of an open connection.
   */
  constructor(handler: RedisLinkHandler) {
    this.#handler = handler;
  }

  /** Opens the connection; from then on its end is reported. */
  async open(connect: () => Promise<unknown>, destroy: () => unknown, signal: AbortSignal): Promise<void> {
    const abort = (): void => void this.run(destroy);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      await connect();
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener("abort", abort);
    }
    this.#opened = true;
  }

  /**
   * Notes that the connection has ended.
   *
   * @param error Reason; `undefined` if the client gives none.
   */
  now(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ended.resolve();
    if (this.#opened) this.#handler.closed(error ?? new Error("the connection was closed"));
  }

  /** Closes the connection. */
  run(destroy: () => unknown): Promise<void> {
    if (this.#hasEnded || this.#destroyed) return this.#ended.promise;
    this.#destroyed = true;
    try {
      destroy();
    } catch (error) {
      // The client was closed already.
      this.now(error);
    }
    return this.#ended.promise;
  }
}
