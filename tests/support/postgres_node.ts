/** Nodes with a journal in PostgreSQL, for tests: what each was told, and what it has kept. */

import type { JournalError } from "../../base/errors.ts";
import type { JournalEntry } from "../../journal/journal.ts";
import { PostgresJournal, type PostgresJournalOptions } from "../../postgres/journal.ts";
import { entry } from "./journal_entry.ts";
import { PostgresServer, type ServerOptions } from "./postgres.ts";
import type { PostgresMaker, PostgresProgram } from "./postgres_clients.ts";
import { decode, repeatUntil, turns, until } from "./support.ts";

/** Bodies of entries, as texts. */
export const bodies = (entries: readonly JournalEntry[]): string[] => entries.map(({ bytes }) => decode(bytes));

/** One server's journal, and what it was told. */
export class PostgresNode implements AsyncDisposable {
  readonly told: string[] = [];
  readonly seqs: number[] = [];
  readonly errors: JournalError[] = [];
  #closing: Promise<void> | undefined;

  constructor(readonly journal: PostgresJournal, readonly program: PostgresProgram) {
    journal.listen({
      appended: ({ seq, bytes }) => {
        this.told.push(decode(bytes));
        this.seqs.push(seq);
      },
      error: (error) => void this.errors.push(error),
    });
  }

  static async open(
    make: PostgresMaker,
    server: { readonly url: string },
    options: PostgresJournalOptions = {},
  ): Promise<PostgresNode> {
    const program = await make(server.url);
    try {
      return new PostgresNode(await PostgresJournal.open(program.client, options), program);
    } catch (error) {
      await program.close();
      throw error;
    }
  }

  get codes(): string[] {
    return this.errors.map(({ code }) => code);
  }

  /** `true` if the last that it said about PostgreSQL is that it is there again. */
  get isBack(): boolean {
    const last = this.errors.findLast(({ code }) => code === "ERR_JOURNAL_AWAY");
    return last?.message.startsWith("PostgreSQL is there again") === true;
  }

  /** All that it keeps, as bodies by number; it may notice just now that PostgreSQL was away. */
  async readAll(): Promise<Map<number, string>> {
    const all = new Map<number, string>();
    for (let after = 0;;) {
      let entries: JournalEntry[] | undefined;
      await repeatUntil(
        async () => entries = await this.journal.read(after, 100).catch(() => undefined),
        () => entries !== undefined,
        "the entries",
      );
      if (entries!.length === 0) return all;
      for (const { seq, bytes } of entries!) all.set(seq, decode(bytes));
      after = entries!.at(-1)!.seq;
    }
  }

  close(): Promise<void> {
    return this.#closing ??= this.journal.close().then(() => this.program.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Runs an action with nodes on one server. */
export async function withPostgresNodes(
  make: PostgresMaker,
  count: number,
  action: (nodes: PostgresNode[], server: PostgresServer) => Promise<void>,
  options: ServerOptions = {},
): Promise<void> {
  await using server = await PostgresServer.start(options);
  const nodes: PostgresNode[] = [];
  try {
    for (let at = 0; at < count; at++) nodes.push(await PostgresNode.open(make, server));
    await action(nodes, server);
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
  }
}

/** Notifications that come to nodes all the time, each to be sent again if it is refused. */
export class Feed {
  /** Numbers of what was accepted, by body. */
  readonly taken: Map<string, number> = new Map();
  readonly refused: JournalError[] = [];
  #going = true;
  #feeding: Promise<void>[];

  constructor(nodes: readonly PostgresNode[]) {
    this.#feeding = nodes.map((node, index) => this.#feed(node, `${"xyzuvw"[index]}`));
  }

  async #feed(node: PostgresNode, mark: string): Promise<void> {
    for (let at = 0; this.#going; at++) {
      const body = `${mark}${at}`;
      await node.journal.append(entry(body)).then(
        ({ seq }) => this.taken.set(body, seq),
        (error) => this.refused.push(error),
      );
      await turns();
    }
  }

  /** Waits for so many more that are accepted. */
  async more(count: number): Promise<void> {
    const before = this.taken.size;
    await until(() => this.taken.size > before + count, "notifications");
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#feeding);
  }
}
