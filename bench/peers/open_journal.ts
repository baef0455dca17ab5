/**
 * Opens a journal for the programs of bench/journals.ts, on Deno and Bun. KIND is `memory`, `sqlite` (ADDRESS is a
 * file), `redis` or `postgres` (ADDRESS is a URL, CLIENT one of those in `tests/support/`).
 */

import { MemoryJournal, PostgresJournal, RedisJournal, SqliteJournal } from "../../whatsapp.ts";
import type { PostgresClient } from "../../postgres/client.ts";
import type { Journal } from "../../journal/journal.ts";
import { POSTGRES_CLIENTS } from "../../tests/support/postgres_clients.ts";
import { CLIENTS } from "../../tests/support/redis.ts";

/**
 * Opens a journal.
 *
 * @param kind Kind of journal.
 * @param client Client to open it with; "" for those that need none.
 * @param address Its address.
 * @returns The journal.
 */
export async function openJournal(kind: string, client: string, address: string): Promise<Journal> {
  switch (kind) {
    case "memory":
      return new MemoryJournal();
    case "sqlite":
      return await SqliteJournal.open(address);
    case "redis":
      return await RedisJournal.open((await CLIENTS.get(client)!(address)).client);
    case "postgres": {
      const { client: program } = await POSTGRES_CLIENTS.get(client)!(address);
      return await PostgresJournal.open(program as PostgresClient);
    }
    default:
      throw new Error(`No journal "${kind}"`);
  }
}
