/**
 * What a file of `scripts/failover/` exports as `ENGINE`: one kind of servers in which nodes keep their journal, and
 * the ways in which these servers fail. A new file is found by its name, which is the engine's: nothing else lists it.
 *
 * For each case, and each pair of clients of the case, the runner (`scripts/failover.ts`)
 *
 * 1. calls `start(CASE)`, which starts the servers;
 * 2. starts two nodes, one on each runtime, in processes of their own: each calls `openJournal` with its address out of
 *    `rig.addresses`, and serves with that journal;
 * 3. connects two named receivers to each node, and sends 150 notifications a second through a balancer;
 * 4. calls the case's `fault(rig)` after 3 s, which resolves when the fault is over: when a client that connects now
 *    reaches the new primary, or will without help;
 * 5. waits until notifications get their 200 again, and the receivers have everything; judges; calls `rig.stop()`.
 *
 * A case fails if a notification with its 200 did not reach a receiver and nothing told of the loss; if one came twice
 * in a way that the contract does not allow (see `judge.ts`); or if no 200 came for longer than `longestGap`.
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Journal } from "../../journal/journal.ts";
import type { NeedName, Runtime } from "../../tests/support/needs.ts";

/** Servers of one case, running. */
export interface Rig {
  /** Addresses by which the first node (on the runtime of the runner) and the second one reach the servers: JSON. */
  readonly addresses: readonly [first: unknown, second: unknown];
  /** Ends all servers. Called once, when the nodes have ended. */
  stop(): Promise<void>;
}

/** Names of the clients of the two nodes, as `openJournal` and the table have them, such as "npm:ioredis". */
export type Clients = Readonly<Record<Runtime, string>>;

/** One way to fail. */
export interface Case<R extends Rig = Rig> {
  /** What happens to the servers, in one line. */
  readonly text: string;
  /** Pairs of clients: the case runs once for each. */
  readonly clients: readonly Clients[];
  /** Maximum time without a 200, in ms. */
  readonly longestGap: number;
  /** Makes the servers fail. */
  fault(rig: R): Promise<void>;
}

/** Settings that a node process gets. */
export interface NodeSettings {
  /** The case, for engines whose journals differ by it. */
  case: string;
  /** The client of this node. */
  client: string;
  /** One of `Rig.addresses`. */
  address: unknown;
}

/** One kind of servers. */
export interface Engine<R extends Rig = Rig> {
  /** Programs and packages without which the engine is skipped, by a line that names what is missing. */
  readonly needs: readonly NeedName[];
  /** The cases, by name. */
  readonly cases: Readonly<Record<string, Case<R>>>;
  /** Starts the servers of a case. */
  start(name: string): Promise<R>;
  /** Opens the journal of a node, in the node's process, on both runtimes. */
  openJournal(settings: NodeSettings): Promise<Journal>;
}

/** Order of the table; engines that are not named follow. */
const ORDER = ["redis", "sentinel", "cluster", "postgres"];

/** Names of all engines. */
export function engineNames(): string[] {
  const files = readdirSync(fileURLToPath(new URL("../failover/", import.meta.url)));
  const names = files.filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -".ts".length)).sort();
  return [...ORDER.filter((name) => names.includes(name)), ...names.filter((name) => !ORDER.includes(name))];
}

/** Loads an engine, one of `engineNames`. */
export async function loadEngine(name: string): Promise<Engine> {
  const { ENGINE } = await import(new URL(`../failover/${name}.ts`, import.meta.url).href);
  return ENGINE;
}
