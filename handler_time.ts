/**
 * The time that handlers of the program take, so that it can be told from the library's own: a program may work as long as it likes, while
 * a peer that makes the library work is to be kept in bounds.
 *
 * @module
 */

/** Where the time is counted. */
export interface HandlerTime {
  /** Whether it is wanted: to look at the clock costs more than most handlers. */
  wanted: boolean;
  /** Time so far, in ms. */
  spent: number;
}

/** A handler that takes less, in ms, is none that works: a flood of tiny messages makes the library work all the more. */
const LEAST = 0.04;

/** Of what is handled now. */
export const handlerTime: HandlerTime = { wanted: false, spent: 0 };

/**
 * Counts the time of a handler.
 *
 * @param call Calls it.
 * @returns What it has returned.
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
