/**
 * Servers that other people wrote for `ws`, hosted on `node:http` with our entry for them.
 *
 * With `HOSTED_BY=ws` in the environment it is `ws` 8.23 itself that hosts them, on either runtime: what a test claims
 * must hold there as well.
 */

import type { Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo, Server as SocketServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import * as ours from "../../ws.ts";

/** The module that hosts. */
export type Host = typeof ours;

/** Tells that `ws` from npm hosts. */
export const isHostedByWs: boolean = process.env.HOSTED_BY === "ws";

/** Loads packages from a folder of `needs.ts`. */
export type Require = (name: string) => unknown;

/**
 * Gives a function that loads packages, and the module that hosts.
 *
 * @param folder Of `needs.ts`; where it is missing the tests are registered all the same, to be skipped.
 */
export function loadHost(folder?: string): { load: Require; host: Host } {
  if (folder === undefined) return { load: () => ({}), host: ours };
  const load = createRequire(join(folder, "index.js"));
  // By its path, since Bun has another module under that name.
  return { load, host: isHostedByWs ? load(join(folder, "node_modules/ws/index.js")) as Host : ours };
}

/** Starts a server on a free port of loopback, which it returns. */
export async function listen(server: SocketServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Ends a server when the last connection has gone. */
export function closeServer(server: Server | SocketServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Waits for an event of any kind of emitter, and returns its first argument. */
export function nextEvent<T = unknown>(
  emitter: { once(name: string, listener: (value: T) => void): unknown },
  name: string,
): Promise<T> {
  return new Promise((resolve) => emitter.once(name, resolve));
}
