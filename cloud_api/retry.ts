/**
 * Rules of another attempt: errors after which a call is tried again, and the pause before it.
 *
 * @module
 */

/**
 * Too many calls, of the app, the account, the number, to one recipient, or of the Calling API; and faults of the API
 * that pass: 131057 is a number under maintenance, 133004 a server that is not available at present, 139103 a fault of
 * the block list.
 */
const TRANSIENT_CODES: readonly number[] = [
  1,
  2,
  4,
  613,
  80007,
  130429,
  131000,
  131016,
  131056,
  131057,
  133004,
  139103,
];
/**
 * Never to be tried again, whatever the answer says: the recipient gets too many marketing messages at present, or has
 * stopped them. Meta counts attempts against the sender.
 */
const FINAL_CODES: readonly number[] = [131049, 131050];
/** Too many messages to one recipient: Meta advises pauses of 4^n s. */
export const PAIR_LIMIT_CODE = 131056;

const MAX_PAUSE = 60_000;
/** Longest pause after {@linkcode PAIR_LIMIT_CODE}, in ms: 4^5 s. */
const MAX_PAIR_PAUSE = 1_024_000;

/** Parts of a `WhatsAppApiError` that the rules look at. */
export interface FailedCall {
  /** The HTTP status. */
  readonly status: number;
  /** Error that Meta reports, if there is one. */
  readonly graph: { readonly code: number; readonly isTransient?: boolean | undefined } | undefined;
}

/**
 * Tells if a call may succeed when it is tried again.
 *
 * @param error The error of the call.
 * @returns `true` if it may.
 */
export function isTransient({ status, graph }: FailedCall): boolean {
  if (graph !== undefined) {
    if (FINAL_CODES.includes(graph.code)) return false;
    if (graph.isTransient || TRANSIENT_CODES.includes(graph.code)) return true;
  }
  return status === 429 || status >= 500;
}

/** Facts about a failed attempt. */
export interface FailedAttempt {
  /** Number of the attempt, from 0. */
  attempt: number;
  /** Its error. */
  error: FailedCall;
  /** Value of the header `Retry-After`; `null` if there was none. */
  retryAfter: string | null;
}

/**
 * Chooses the pause before the next attempt: as long as the API asks, 4^n s for a pair of numbers that had too many
 * messages, else an exponential back-off with full jitter.
 *
 * @param failed The failed attempt.
 * @param retryDelay Longest pause before the first retry, in ms.
 * @returns The pause, in ms.
 */
export function pauseBefore({ attempt, error, retryAfter }: FailedAttempt, retryDelay: number): number {
  // 0 would use up all attempts at once.
  const asked = Number(retryAfter ?? NaN) * 1000;
  if (Number.isFinite(asked) && asked > 0) return Math.min(asked, MAX_PAUSE);
  if (error.graph?.code === PAIR_LIMIT_CODE) return Math.min(1000 * 4 ** attempt, MAX_PAIR_PAUSE);
  return Math.random() * Math.min(retryDelay * 2 ** attempt, MAX_PAUSE);
}
