/**
 * Measures the time that handlers of the program take, apart from the library's own time: the program's time is not
 * limited, while a peer that makes the library work is (`transport/fair_share.ts`).
 *
 * @module
 */

/** A counter of handler time. */
export interface HandlerTime {
  /** True if handlers of messages are timed: reading the clock takes longer than most handlers. */
  wanted: boolean;
  /** Time so far, in ms. */
  spent: number;
}

/** Shorter calls do not count, in ms: a flood of tiny messages makes the library work more than the program. */
const LEAST = 0.04;

/** Time of the handlers called by the read that is being handled. */
export const handlerTime: HandlerTime = { wanted: false, spent: 0 };

/**
 * Counts the time of a handler.
 *
 * @param call Calls it.
 * @returns The result of the handler.
 */
export function timeHandler<Result>(call: () => Result): Result {
  const begun = performance.now();
  try {
    return call();
  } finally {
    const time = performance.now() - begun;
    if (time >= LEAST) handlerTime.spent += time;
  }
}
