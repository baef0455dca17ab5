/**
 * Checks signatures where that can be done: set by the entries for Deno and Bun, so that nothing in a page's graph needs `node:crypto`.
 *
 * @module
 */

/** Whether a signature over a body was made with one of the app secrets. */
export type Verifier = (body: Uint8Array, signature: string, appSecret: string | readonly string[]) => boolean;

let current: Verifier | undefined;

/**
 * From now on receivers can check signatures.
 *
 * @param verify Checks one.
 */
export function useVerifier(verify: Verifier): void {
  current = verify;
}

/**
 * What checks signatures here.
 *
 * @returns The function, or `undefined` in a page.
 */
export function chooseVerifier(): Verifier | undefined {
  return current;
}
