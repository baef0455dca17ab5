/** Ports for programs that cannot be told to take any port, or that come back on the one they had. */

import { createServer } from "node:net";

/**
 * Below the ports that systems give by themselves (from 32768 on Linux, from 49152 elsewhere). Such a port may be taken
 * while a program starts, or is away: by a listener on port 0, and by each outgoing connection.
 */
const FIRST = 20_000;
const COUNT = 12_000;

/** Ports that this process has given. */
const given = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", (error) => isTaken(error) ? resolve(false) : reject(error));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Tells from an error, which may have the output of a program in its message, that an address is in use. */
function isTaken(error: unknown): boolean {
  return /EADDRINUSE|address already in use/i.test(`${(error as { code?: string })?.code} ${error}`);
}

/** A port of loopback that is free now, and stays so unless a program asks for it by its number. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

/**
 * Starts a program on a free port; on another one if it says that the address is in use, since two test runs may have
 * found the same port at the same time.
 *
 * @param start Starts it, and rejects with an error that has its output.
 */
export async function onFreePort<Started>(start: (port: number) => Promise<Started>): Promise<Started> {
  for (let tries = 1;; tries++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (tries === 5 || !isTaken(error)) throw error;
    }
  }
}
