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
  /** Rejects the answers that are awaited. */
  #waiting = new Set<(error: unknown) => void>();

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
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => {
      void this.run(destroy);
      aborted.reject(signal.reason);
    };
    signal.throwIfAborted();
    signal.addEventListener("abort", abort, { once: true });
    const connecting = connect();
    try {
      await Promise.race([connecting, aborted.promise]);
    } catch (error) {
      // One that is there after all, too late.
      if (signal.aborted) connecting.then(destroy).catch(() => {});
      throw error;
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
    for (const reject of this.#waiting) reject(error ?? new Error("the connection was closed"));
    if (this.#opened) this.#handler.closed(error ?? new Error("the connection was closed"));
  }

  /**
   * Waits for an answer, but no longer than the connection lasts: not every client settles what it has sent.
   *
   * @param answer The answer.
   * @returns Settles as the answer does; rejects at the end of the connection.
   */
  guard<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.add(reject);
    answer.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    return promise;
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
