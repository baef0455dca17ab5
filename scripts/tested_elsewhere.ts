/** Modules without a test of their own name, and why. Checked by `deno task layers`. */

/** Reasons by path. */
export const TESTED_ELSEWHERE: ReadonlyMap<string, string> = new Map([]);
