/**
 * The version of the program.
 *
 * @module
 */

/** Version of the package, as in `deno.json`; a test compares them. */
export const VERSION = "0.1.0";
