/**
 * Calls that wait, and leave when a signal is aborted.
 *
 * @module
 */

/** A call that waits for a result. */
export interface WaitingCall<Result> {
  /** Ends the wait with a result. */
  resolve(result: Result): void;
  /** Ends the wait with an error. */
  reject(error: unknown): void;
}

/**
 * Lets a call leave when a signal is aborted.
 *
 * @param call The call.
 * @param signal The signal; without one the call stays.
 * @param leave Called when the signal is aborted, before the call is rejected with its reason.
 * @returns The call, whose end removes the listener.
 */
export function leaveOnAbort<Result, Call extends WaitingCall<Result>>(
  call: Call & WaitingCall<Result>,
  signal: AbortSignal | undefined,
  leave: (watched: Call) => void,
): Call {
  if (signal === undefined) return call;
  const onAbort = (): void => {
    leave(watched);
    call.reject(signal.reason);
  };
  const watched: Call = {
    ...call,
    resolve(result) {
      signal.removeEventListener("abort", onAbort);
      call.resolve(result);
    },
    reject(error) {
      signal.removeEventListener("abort", onAbort);
      call.reject(error);
    },
  };
  signal.addEventListener("abort", onAbort);
  return watched;
}

/**
 * Waits for work, but not longer than until a signal is aborted.
 *
 * @param signal The signal.
 * @param work The work.
 * @returns Rejects with the reason of the signal, or with the error of the work.
 */
export function untilAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise<Result>((resolve, reject) => {
    const call = leaveOnAbort({ resolve, reject }, signal, () => {});
    if (signal.aborted) call.reject(signal.reason);
    work.then(call.resolve, call.reject);
  });
}
