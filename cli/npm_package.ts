/**
 * Packages of npm that the program loads when it needs them: the library itself depends on none, so no import names
 * one.
 *
 * @module
 */

import { describe } from "../base/errors.ts";

/**
 * Loads a package, on Deno, which fetches it the first time.
 *
 * @param name Name and version, such as `ioredis@6.0.0`.
 * @param purpose Its user, for messages.
 * @returns Its exports.
 * @throws {Error} If it cannot be loaded.
 */
export async function loadPackage(name: string, purpose: string): Promise<Record<string, unknown>> {
  const specifier = `npm:${name}`;
  try {
    return await import(specifier);
  } catch (cause) {
    throw new Error(
      `Cannot load ${specifier}, which ${purpose} needs on Deno: add it with "deno add ${specifier}" in a project, ` +
        `else with "deno cache ${specifier}" while npm can be reached, or run the program on Bun, which needs no ` +
        `package (${describe(cause)})`,
      { cause },
    );
  }
}
