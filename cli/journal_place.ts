/**
 * The place of a journal on the command line: memory, a file, or a database by its URL.
 *
 * @module
 */

import { didYouMean } from "../base/did_you_mean.ts";
import { schemeOf } from "../journal/database_files.ts";
import { type CliIo, UsageError } from "./io.ts";

/** Place of a journal. */
export type JournalPlace = { readonly kind: "memory" } | FilePlace | DatabasePlace;

/** Place of a journal in a file of SQLite. */
export interface FilePlace {
  /** A file. */
  readonly kind: "file";
  /** Path of the file. */
  readonly path: string;
}

/** Place of a journal in a database. */
export interface DatabasePlace {
  /** The database. */
  readonly kind: "redis" | "postgres";
  /** URL with user name and password, never to be printed. */
  readonly url: string;
  /** Place without user name and password, such as `Redis at localhost:6379`. */
  readonly shown: string;
}

/** Flags about the journal. */
export interface JournalFlags {
  /** Path of a file, or URL of a database. */
  readonly journal?: string | undefined;
  /** `true`: in memory. */
  readonly memory?: boolean | undefined;
  /** Prefix of the keys in Redis. */
  readonly "redis-prefix"?: string | undefined;
  /** Number of replicas that must have a notification. */
  readonly "redis-replicas"?: string | undefined;
  /** Schema of the tables in PostgreSQL. */
  readonly "postgres-schema"?: string | undefined;
}

interface Database {
  readonly kind: DatabasePlace["kind"];
  readonly name: string;
  readonly port: string;
  /** Matches the path of a URL: the name of a database. */
  readonly path: RegExp;
}

const VARIABLE = "WHATSAPP_JOURNAL";
const DEFAULT_FILE = "whatsapp.db";
const REDIS: Database = { kind: "redis", name: "Redis", port: "6379", path: /^(\/\d*)?$/ };
const POSTGRES: Database = { kind: "postgres", name: "PostgreSQL", port: "5432", path: /^(\/[^/@]*)?$/ };
const DATABASES: ReadonlyMap<string, Database> = new Map([
  ["redis", REDIS],
  ["rediss", REDIS],
  ["postgres", POSTGRES],
  ["postgresql", POSTGRES],
]);

/**
 * Reads the place from the flags, or else from the environment, where other users do not see a password.
 *
 * @param flags The flags.
 * @param env The environment.
 * @returns The place.
 * @throws {UsageError} If flags contradict each other, or a URL is wrong. Its message quotes no URL.
 */
export function readJournalPlace(flags: JournalFlags, env: CliIo["env"]): JournalPlace {
  const place = placeOf(flags, env);
  for (const flag of ["redis-prefix", "redis-replicas", "postgres-schema"] as const) {
    if (flags[flag] === undefined || flag.startsWith(place.kind)) continue;
    const { name } = flag === "postgres-schema" ? POSTGRES : REDIS;
    throw new UsageError(`--${flag} is for a journal in ${name}, and the journal is a ${place.kind} one`);
  }
  return place;
}

function placeOf(flags: JournalFlags, env: CliIo["env"]): JournalPlace {
  if (flags.memory) {
    if (flags.journal !== undefined) throw new UsageError("--memory and --journal cannot be used together");
    return { kind: "memory" };
  }
  const source = flags.journal === undefined ? VARIABLE : "--journal";
  const text = flags.journal ?? env[VARIABLE] ?? DEFAULT_FILE;
  if (text === "") throw new UsageError(`${source} is empty; for a journal in memory use --memory`);
  const scheme = schemeOf(text);
  if (scheme === undefined || scheme === "file") return { kind: "file", path: text };
  return databasePlace(source, scheme, text.trim());
}

function databasePlace(source: string, scheme: string, text: string): DatabasePlace {
  const wrong = (what: string): UsageError => new UsageError(`${source}, a URL with "${scheme}:", ${what}`);
  const database = DATABASES.get(scheme);
  if (database === undefined) {
    const hint = didYouMean(`${scheme}:`, [...DATABASES.keys()].map((known) => `${known}:`));
    throw wrong(
      `names no database for a journal: there are redis:, rediss: (TLS) and postgres:, and a file of that name begins with "./"${hint}`,
    );
  }
  const special = "in a user name or password write %23 for #, %2F for /, %3A for :, %3F for ? and %40 for @";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !text.includes("://") || url.hostname === "") {
    throw wrong(
      `is malformed; it has the form ${scheme}://HOST:${database.port}/DATABASE, with USER:PASSWORD@ before HOST; ${special}`,
    );
  }
  // What seems to be a path, query or fragment may be a part of a password.
  if (url.hash !== "" || url.search.includes("@") || !database.path.test(url.pathname)) {
    const path = database === REDIS ? "the number of a database" : "the name of a database";
    throw wrong(`has more behind the host than ${path}; ${special}`);
  }
  if (database === REDIS && url.search !== "") {
    throw wrong('has parameters behind a "?", which are not supported; see --redis-prefix and --redis-replicas');
  }
  const path = url.pathname.length > 1 ? url.pathname : "";
  const shown = `${database.name} at ${url.hostname}:${url.port || database.port}${path}`;
  return { kind: database.kind, url: text, shown };
}
