/**
 * What a file of `scripts/peers/` exports: one foreign implementation, its two small programs, and what it is known to
 * do differently.
 *
 * Both programs do the same, in either role: each message is echoed with its type, and a text `#close CODE` (or
 * `#close` alone) makes the program start the closing handshake with that code (or without one). When its connection
 * has ended, it prints a line `closed CODE`: 1005 for an empty close frame, 1006 for none; `closed` alone if its
 * library does not tell the code. A client then exits. Limits that the library lets raise are raised to 64 MiB, and
 * compression is on if it can be, unless `PEER_DEFLATE` is `off`.
 *
 * A program is started in the folder with its files, with `deno` and `bun` in its path, and reads its environment. A
 * server lives for many connections, one at a time.
 *
 * | variable | server | client |
 * |---|---|---|
 * | `PEER_PORT` | port to listen on, on 127.0.0.1 | |
 * | `PEER_URL` | | `ws://localhost:PORT/` or `wss://localhost:PORT/` |
 * | `PEER_CERT`, `PEER_KEY` | PEM files; set if TLS is asked for | |
 * | `PEER_CA` | | PEM file of the root; set if TLS is asked for |
 * | `PEER_DEFLATE` | `on`, or `off` in cases without compression | the same |
 */

/** Names of all cases, in the order of the matrix. */
export const CASES = [
  "text",
  "binary",
  "1 MiB",
  "20 MiB",
  "fragments",
  "ping",
  "close 1000",
  "close 1001",
  "close 3000",
  "close 4999",
  "close empty",
  "its close 1000",
  "its close 4999",
  "its close empty",
  "deflate",
  "deflate no takeover",
  "deflate 9 bits",
  "TLS",
] as const;

export type CaseName = (typeof CASES)[number];

/** Role of the peer. */
export type PeerRole = "server" | "client";

/** Both roles, in the order of the matrix. */
export const ROLES: readonly PeerRole[] = ["client", "server"];

/** A difference that is the peer's own limit, choice or fault. */
export interface Difference {
  /** The outcome instead of "ok", word by word, as the matrix shows it; `"not played"`: the case is left out. */
  seen: string;
  /** Why, in a few words. */
  because: string;
  /** File in `findings/` that shows it without our code, such as `"name.sh"`, if it is a surprise. */
  finding?: string;
}

/** One program of a peer. */
export interface PeerProgram {
  /** Command line; started in the folder that has `files`, after `build`. */
  command: readonly string[];
  /** Line that a client prints when it is open, if it loses messages that come before: our server waits for it. */
  waitsFor?: { line: string; because: string; finding?: string };
  /** Cases that differ; all others must be "ok". */
  differs?: Partial<Record<CaseName, Difference>> | undefined;
}

/** One foreign implementation. */
export interface Peer {
  /** Its name in the matrix. */
  name: string;
  /** The version that was tried. */
  version: string;
  /** Language of its implementation. */
  language: string;
  /** Debian packages. */
  debian?: readonly string[];
  /** npm packages with versions, installed in the folder. */
  npm?: readonly string[];
  /** Source files by name. */
  files: Readonly<Record<string, string>>;
  /** Shell command that builds the programs, in the folder. */
  build?: string;
  /** Shell command that prints the version, or a text that contains it: another one is reported as a change. */
  printVersion: string;
  /** Its server; left out if it has none. */
  server?: PeerProgram;
  /** Its client; left out if it has none. */
  client?: PeerProgram;
}

/** The cases with compression. */
export const DEFLATE_CASES: readonly CaseName[] = ["deflate", "deflate no takeover", "deflate 9 bits"];

/** Lists one difference for several cases. */
export function inCases(cases: readonly CaseName[], difference: Difference): Partial<Record<CaseName, Difference>> {
  return Object.fromEntries(cases.map((name) => [name, difference]));
}
