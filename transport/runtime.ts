/**
 * Chooses the transport for the runtime that the program runs on.
 *
 * @module
 */

import { bunTransport } from "./bun.ts";
import { denoTransport } from "./deno.ts";
import type { TransportProvider } from "./transport.ts";

/**
 * Tells whether there is a leaf for the runtime this program runs on.
 *
 * @returns `true` on Deno and Bun.
 */
export function hasRuntimeTransport(): boolean {
  return findTransport() !== undefined;
}

function findTransport(): TransportProvider | undefined {
  return denoTransport() ?? bunTransport();
}

/**
 * The transport of the runtime this program runs on.
 *
 * @returns The leaf for it.
 * @throws {Error} If there is none.
 */
export function runtimeTransport(): TransportProvider {
  const provider = findTransport();
  if (provider === undefined) throw new Error("Cannot open sockets: no transport for this runtime");
  return provider;
}
