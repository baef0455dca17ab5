/**
 * Promises among the results of a program's functions.
 *
 * @module
 */

/**
 * Takes the promise that a function of the program returned. Any object with a method `then` is one, as for `await`:
 * that of another realm or library. It settles once, whatever the program's `then` does; if it cannot be read, the
 * promise is rejected. Never throws.
 *
 * @param result The result of the function.
 * @returns The promise; `undefined` if the result is none.
 */
export function promiseOf(result: unknown): Promise<unknown> | undefined {
  // Nearly all handlers return nothing.
  if (result === undefined || result === null) return undefined;
  if (typeof result !== "object" && typeof result !== "function") return undefined;
  try {
    return isNative(result) ? result : adopt(result);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A subclass may have replaced `then`. */
function isNative(result: object): result is Promise<unknown> {
  return Reflect.getPrototypeOf(result) === Promise.prototype && !Object.hasOwn(result, "then");
}

/** Reads `then` once: a getter may have another answer the next time. */
function adopt(result: object): Promise<unknown> | undefined {
  const then: unknown = Reflect.get(result, "then");
  if (typeof then !== "function") return undefined;
  return new Promise((resolve, reject) => Reflect.apply(then, result, [resolve, reject]));
}

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
