/**
 * A `Request` as handlers get it, whose signal is made when the program reads it: a signal given to `Request` triples
 * its time on Deno.
 *
 * @module
 */

/**
 * Aborts the signal of a request. Entries do not export it.
 *
 * @param request The request.
 * @param reason The reason.
 */
export let abortRequest: (request: AbortableRequest, reason: unknown) => void;

/**
 * Sets a callback for the first time that the signal is read. Entries do not export it.
 *
 * @param request The request.
 * @param watch Called when the signal is read.
 */
export let onSignalRead: (request: AbortableRequest, watch: () => void) => void;

/** A request whose signal may abort. */
export class AbortableRequest extends Request {
  #controller: AbortController | undefined;
  #watch: (() => void) | undefined;

  static {
    abortRequest = (request, reason) => {
      request.#controller ??= new AbortController();
      request.#controller.abort(reason);
    };
    onSignalRead = (request, watch) => {
      request.#watch = watch;
    };
  }

  /** Aborts when the response is not needed any more. */
  override get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#watch?.();
    }
    return this.#controller.signal;
  }

  /**
   * Copies the request.
   *
   * @returns A copy with the same signal.
   */
  override clone(): Request {
    return new Request(super.clone(), { signal: this.signal });
  }
}
