/**
 * Files of Unix sockets: a server makes way for its own, and addresses of such connections.
 *
 * @module
 */

import { lstat, rename, unlink } from "node:fs/promises";
import { createConnection } from "node:net";
import { quote } from "../base/error_text.ts";
import { TransportError } from "../base/errors.ts";
import type { Address } from "./transport.ts";

/**
 * Makes the address of both ends of a Unix socket: only the server's has a name.
 *
 * @param path The path of the socket.
 * @returns The address.
 */
export function unixAddress(path: string): Address {
  return { hostname: "", port: 0, path };
}

/**
 * Removes the file of a socket that no process listens on any more, as one that was killed leaves it. The file of a
 * live socket, and any other file, stays.
 *
 * @param path The path of the socket.
 * @param isListenedOn Tells if a process listens on it; replaced in tests.
 * @throws {TransportError} If a process listens on it, or it is the path of another kind of file.
 */
export async function removeStaleSocket(
  path: string,
  isListenedOn: (path: string) => Promise<boolean> = takesConnections,
): Promise<void> {
  const found = await identityOf(path);
  if (found === undefined) return;
  if (found === "") throw taken(path, "there is a file that is no socket");
  if (await isListenedOn(path)) throw taken(path, "a process listens on it already");
  // Another server may have done the same meanwhile, and listen: its socket must not go.
  const aside = `${path}.${crypto.randomUUID()}`;
  await rename(path, aside).catch(ignoreMissing);
  const moved = await identityOf(aside);
  if (moved === undefined) return;
  if (moved === found) return await unlink(aside);
  await rename(aside, path);
  throw taken(path, "a process listens on it already");
}

/** Tells one file from a later one of the same name; "" for a file that is no socket, `undefined` for none. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const stats = await lstat(path);
    return stats.isSocket() ? `${stats.dev} ${stats.ino} ${stats.mtimeMs}` : "";
  } catch (error) {
    return ignoreMissing(error);
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== "ENOENT") throw error;
  return undefined;
}

function takesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    // A socket that is full, or that this process may not use, is a live one.
    socket.on("error", (error: Error & { code?: string }) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function taken(path: string, why: string): TransportError {
  return new TransportError("ERR_LISTEN", `Cannot listen on the Unix socket ${quote(path)}: ${why}`);
}
