/**
 * Holds the function that checks signatures: the server sets it on Deno and Bun, so that no module of a page needs
 * `node:crypto`.
 *
 * @module
 */

/** Checks that a signature over a body was made with one of the app secrets. */
export type Verifier = (body: Uint8Array, signature: string, appSecret: string | readonly string[]) => boolean;

let current: Verifier | undefined;

/**
 * Lets receivers check signatures from now on.
 *
 * @param verify Checks a signature.
 */
export function useVerifier(verify: Verifier): void {
  current = verify;
}

/**
 * Returns the function that checks signatures.
 *
 * @returns The function; `undefined` in a page.
 */
export function chooseVerifier(): Verifier | undefined {
  return current;
}
