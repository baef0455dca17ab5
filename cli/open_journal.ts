/**
 * Journals of the command line, with the clients for databases that the runtime has, or else of npm.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import type { Journal } from "../journal/journal.ts";
import type { RedisClient } from "../redis/client.ts";
import type { PostgresClient } from "../postgres/client.ts";
import { PostgresJournal } from "../postgres/journal.ts";
import { RedisJournal } from "../redis/journal.ts";
import { bunDatabases } from "../transport/bun_databases.ts";
import { parseNumber } from "./io.ts";
import type { DatabasePlace, JournalFlags, JournalPlace } from "./journal_place.ts";
import { loadPackage } from "./npm_package.ts";

/** A journal, as the server takes it. */
export interface OpenedJournal {
  /** The setting of the server. */
  readonly journal: Journal | string | null;
  /** Place of the notifications, to be printed. */
  readonly shown: string;
  /** Closes what the server does not close. */
  close(): Promise<void>;
}

/** Versions of the packages, those of the tests. */
const IOREDIS = "ioredis@6.0.0", PG = "pg@8.23.1";

/**
 * Opens a journal in a database; the server opens files itself.
 *
 * @param place The place.
 * @param flags Flags with the settings of the journal.
 * @returns The journal.
 * @throws {Error} If it cannot be opened.
 */
export async function openJournal(place: JournalPlace, flags: JournalFlags): Promise<OpenedJournal> {
  switch (place.kind) {
    case "memory":
      return { journal: null, shown: "in memory only: they are lost when this program ends", close: async () => {} };
    case "file":
      return { journal: place.path, shown: `in ${place.path}`, close: async () => {} };
    case "redis":
      return await openRedis(place, flags).catch((error) => failedAt(place, error));
    case "postgres":
      return await openPostgres(place, flags).catch((error) => failedAt(place, error));
  }
}

/** Adds the place to the error of a journal: some clients say "Failed to connect" only. */
function failedAt({ shown }: DatabasePlace, error: unknown): never {
  if (!(error instanceof JournalError)) throw error;
  throw new JournalError(error.code, `${error.message} (${shown})`, { cause: error });
}

async function openRedis({ url, shown }: DatabasePlace, flags: JournalFlags): Promise<OpenedJournal> {
  const replicas = parseNumber("redis-replicas", flags["redis-replicas"], [0, 100]) ?? 0;
  const client = await makeRedisClient(url, shown);
  const journal = await RedisJournal.open(client, { prefix: flags["redis-prefix"], replicas });
  return {
    journal,
    shown: shownWith(shown, journal.durability, journal.durability === "always"),
    close: () => journal.close(),
  };
}

/** Names the place, and how durable it is if it may lose what got its 200. */
function shownWith(shown: string, durability: string, isDurable: boolean): string {
  return `in ${shown}${isDurable ? "" : `, which may lose some when it crashes (durability: ${durability})`}`;
}

/** Makes a client that does not connect: the journal opens connections of its own. */
async function makeRedisClient(url: string, shown: string): Promise<RedisClient> {
  const own = bunDatabases();
  if (own !== undefined) return new own.RedisClient(url, { autoReconnect: false }) as RedisClient;
  const { Redis } = await loadPackage(IOREDIS, `a journal in ${shown}`) as {
    Redis: new (...args: unknown[]) => object;
  };
  // Addresses of both versions of IP.
  return new Redis(url, { lazyConnect: true, family: 0 }) as RedisClient;
}

async function openPostgres({ url, shown }: DatabasePlace, flags: JournalFlags): Promise<OpenedJournal> {
  const client = await makePostgresClient(url, shown);
  const journal = await PostgresJournal.open(client, { schema: flags["postgres-schema"] });
  return {
    journal,
    shown: shownWith(shown, journal.durability, journal.durability !== "off"),
    close: () => journal.close(),
  };
}

/** Makes a client that does not connect: the journal opens connections of its own. */
async function makePostgresClient(url: string, shown: string): Promise<PostgresClient> {
  const own = bunDatabases();
  if (own !== undefined) return new own.SQL(url) as PostgresClient;
  const { default: pg } = await loadPackage(PG, `a journal in ${shown}`) as {
    default: { Pool: new (options: object) => PostgresClient };
  };
  return new pg.Pool({ connectionString: url });
}
