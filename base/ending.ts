/**
 * The end of a connection that a client of another package holds, whose events come more than once, or not at all.
 *
 * @module
 */

/** Takes the end of a connection. */
export interface EndingHandler {
  /**
   * Called once, when the connection is lost.
   *
   * @param error Reason.
   */
  closed(error: unknown): void;
}

/** End of one connection, reported once. */
export class Ending {
  #handler: EndingHandler;
  #opened = false;
  #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #destroyed = false;

  /**
   * Makes the end of a connection that is not open yet.
   *
   * @param handler Takes the end.
   */
  constructor(handler: EndingHandler) {
    this.#handler = handler;
  }

  /** `true` once the connection has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Opens the connection; from then on its end is reported.
   *
   * @param connect Connects.
   * @param destroy Closes the connection, in any state.
   * @param signal Aborts the opening.
   */
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

  /**
   * Closes the connection, also one that has ended: its client may hold more than that connection.
   *
   * @param destroy Closes it; its end is reported by {@linkcode Ending.now}. Called once.
   * @returns Resolves when it has ended.
   */
  run(destroy: () => unknown): Promise<void> {
    if (this.#destroyed) return this.#ended.promise;
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
