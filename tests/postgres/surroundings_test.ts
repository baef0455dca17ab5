/**
 * Databases and users as administrators set them up: settings of a role, encodings, collations, missing rights, other
 * versions of the schema; and names of receivers that PostgreSQL has trouble with.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { POSTGRES_CLIENTS, type PostgresMaker } from "../support/postgres_clients.ts";
import { bodies, PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, index) => index);

/** Plays all that nodes do with a journal, on two of them. */
async function playAll(make: PostgresMaker, place: { readonly url: string }): Promise<void> {
  await using one = await PostgresNode.open(make, place);
  await using other = await PostgresNode.open(make, place);
  const first = await one.journal.append(entry(ALL_BYTES, { signature: "sha256='\\x" }));
  await Promise.all(["a\\'b", "c"].map((body) => other.journal.append(entry(body))));
  assertEquals(await other.journal.append(entry(ALL_BYTES)), { seq: first.seq, duplicate: true });
  const [read, ...rest] = await other.journal.read(0, 10);
  assertEquals([read!.bytes, read!.signature], [ALL_BYTES, "sha256='\\x"]);
  assertEquals(bodies(rest).sort(), ["a\\'b", "c"]);
  await until(() => one.told.length === 3 && other.told.length === 3, "all at both");
  assertEquals(await one.journal.admit('it\'s \\ "me"', 1, false), 1);
  one.journal.saveCursor('it\'s \\ "me"', 2);
  assertEquals(await one.journal.cursor('it\'s \\ "me"'), 2);
  assertEquals(await other.journal.cursor('it\'s \\ "me"'), 2);
  const shared = one.journal.share("pool", 0, "it's \\", () => {});
  const taken = (await shared.take(2)).new.map(({ seq }) => seq);
  assertEquals(taken.length, 2);
  shared.acknowledge(taken);
  assertEquals(await one.journal.cursor("pool"), taken[1]);
  assertEquals([...one.errors, ...other.errors].map(({ message }) => message), []);
}

/** Settings of a role that change what statements mean, or how answers look. */
const ROLE_SETTINGS: readonly string[] = [
  "default_transaction_isolation = 'serializable'",
  "default_transaction_isolation = 'repeatable read'",
  "default_transaction_read_only = on",
  "default_transaction_deferrable = on",
  "search_path = ''",
  "search_path = 'hostile', 'pg_catalog'",
  "client_encoding = 'SQL_ASCII'",
  "client_encoding = 'LATIN1'",
  "standard_conforming_strings = off",
  "bytea_output = 'escape'",
  "timezone = 'Pacific/Kiritimati'",
  "datestyle = 'German, DMY'",
  "intervalstyle = 'sql_standard'",
  "extra_float_digits = -15",
  "quote_all_identifiers = on",
  "transform_null_equals = on",
  "plan_cache_mode = 'force_generic_plan'",
  "enable_indexscan = off",
  "work_mem = '64kB'",
  "lc_messages = 'C'",
  "array_nulls = off",
  "xmloption = 'document'",
  "row_security = off",
  "check_function_bodies = off",
  "default_tablespace = 'pg_default'",
];

describePostgres("PostgresJournal with a role whose settings differ", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`works with each of them, over ${name}`, async () => {
      await using server = await PostgresServer.start();
      // In the way of whoever names things without their schema.
      await server.sql(`CREATE SCHEMA hostile; CREATE TABLE hostile.meta (x int);
        CREATE FUNCTION hostile.concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT ''hostile''';
        GRANT USAGE ON SCHEMA hostile TO PUBLIC`);
      const failed: string[] = [];
      for (const [index, setting] of ROLE_SETTINGS.entries()) {
        const role = `role${index}`;
        await server.sql(`CREATE DATABASE ${role}`);
        await server.sql(`CREATE ROLE ${role} LOGIN; GRANT ALL ON DATABASE ${role} TO ${role};
          ALTER ROLE ${role} SET ${setting}`);
        await playAll(make, { url: server.urlOf(role, role) }).catch(({ message }) => {
          failed.push(`${setting}: ${message}`);
        });
      }
      assertEquals(failed, []);
    });
  }

  const [make] = POSTGRES_CLIENTS.values();

  it("syncs each commit, also for a role that does not", async () => {
    await using server = await PostgresServer.start();
    await server.sql("ALTER ROLE postgres SET synchronous_commit = off");
    await using node = await PostgresNode.open(make!, server);
    for (let at = 0; at < 5; at++) {
      const { seq } = await node.journal.append(entry(`${at}`));
      await server.kill();
      await server.run();
      await until(() => node.isBack, "the connection");
      assertEquals((await node.readAll()).get(seq), `${at}`);
    }
  });
});

describePostgres("PostgresJournal in a database", () => {
  const DATABASES: readonly [name: string, options: string][] = [
    ["of ICU", "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-ks-level2' LOCALE 'C' ENCODING 'UTF8'"],
    ["with collation C", "LOCALE 'C' ENCODING 'UTF8'"],
    ["without encoding (SQL_ASCII)", "LOCALE 'C' ENCODING 'SQL_ASCII'"],
    ["of LATIN1", "LOCALE 'C' ENCODING 'LATIN1'"],
  ];
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`${DATABASES.map(([name]) => name).join(", or ")} works, over ${name}`, async () => {
      await using server = await PostgresServer.start();
      for (const [index, [, options]] of DATABASES.entries()) {
        await server.sql(`CREATE DATABASE db${index} TEMPLATE template0 ${options}`);
        await playAll(make, { url: server.urlOf("postgres", `db${index}`) });
      }
    });
  }
});

/** Names that differ, though not to everything. */
const NAMES: readonly string[] = [
  "a",
  "A",
  "a ",
  "ä",
  "a\u0308",
  "ß",
  "ss",
  "日本",
  "😀",
  "\u0000",
  "a\u0000",
  "a\u0000b",
  "\\0",
  "\\x00",
  "%",
  "_",
  "'",
  "''",
  '"',
  "\\",
  "$1",
  "$$",
  "NULL",
  "null",
  "{}",
  "{a,b}",
  '["a"]',
  "__proto__",
  "\ud800",
  "\udc00",
  "\ufffd",
  "x".repeat(3000),
];

describePostgres("PostgresJournal: names of receivers", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`are kept apart whatever they consist of, over ${name}`, () =>
      withPostgresNodes(make, 2, async ([one, other]) => {
        const refused: string[] = [];
        const admitted = new Map<string, number>();
        for (const [index, receiver] of NAMES.entries()) {
          const start = await one!.journal.admit(receiver, index, false).catch((error) => {
            assert(error instanceof JournalError, String(error));
            refused.push(receiver);
          });
          if (start !== undefined) admitted.set(receiver, start);
        }
        assertEquals(refused, []);
        assertEquals([...admitted.values()], NAMES.map((_, index) => index));
        for (const [receiver, start] of admitted) {
          one!.journal.saveCursor(receiver, start + 100);
          assertEquals(await one!.journal.cursor(receiver), start + 100, receiver);
          assertEquals(await other!.journal.cursor(receiver), start + 100, receiver);
        }
        for (let at = 0; at < 3; at++) await one!.journal.append(entry(`${at}`));
        for (const receiver of NAMES.filter((name) => /[\u0000\\'$😀]/.test(name))) {
          const shared = one!.journal.share(`pool ${receiver}`, 0, receiver, () => {});
          assertEquals(bodies((await shared.take(2)).new), ["0", "1"], receiver);
          shared.acknowledge([1]);
          shared.leave();
        }
        assertEquals([...one!.errors, ...other!.errors], []);
      }));
  }
});

describePostgres("PostgresJournal: its schema", () => {
  const [make] = POSTGRES_CLIENTS.values();
  const tables = async (server: PostgresServer): Promise<unknown[]> =>
    await server.sql(
      "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT LIKE 'pg\\_%' " +
        "AND schemaname <> 'information_schema' ORDER BY 1, 2",
    );

  it("is made once by eight nodes that start at the same time", async () => {
    for (const maker of POSTGRES_CLIENTS.values()) {
      await using server = await PostgresServer.start();
      const nodes = await Promise.all(Array.from({ length: 8 }, () => PostgresNode.open(maker, server)));
      assertEquals(new Set(nodes.map(({ journal }) => journal.id)).size, 1);
      const all = await Promise.all(nodes.map(({ journal }, at) => journal.append(entry(`${at}`))));
      assertEquals(all.map(({ seq }) => seq).sort((one, other) => one - other), [1, 2, 3, 4, 5, 6, 7, 8]);
      await until(() => nodes.every(({ told }) => told.length === 8), "all at all");
      assertEquals(nodes.flatMap(({ errors }) => errors), []);
      await Promise.all(nodes.map((node) => node.close()));
    }
  });

  it("cannot be made by a user who may not: the error names the right", async () => {
    await using server = await PostgresServer.start();
    await server.sql("CREATE ROLE poor LOGIN");
    const error = await assertRejects(
      () => PostgresNode.open(make!, { url: server.urlOf("poor") }),
      JournalError,
      "permission denied",
    );
    assertEquals(error.code, "ERR_JOURNAL_OPEN");
    assertEquals(await tables(server), []);
  });

  it("made by another user serves one who may only use it", async () => {
    await using server = await PostgresServer.start();
    await using _owner = await PostgresNode.open(make!, server);
    await server.sql(`CREATE ROLE poor LOGIN; GRANT USAGE ON SCHEMA tackline TO poor;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tackline TO poor`);
    await playAll(make!, { url: server.urlOf("poor") });
  });

  it("of a newer version is refused by its number, and stays as it is", async () => {
    await using server = await PostgresServer.start();
    const node = await PostgresNode.open(make!, server);
    await node.journal.append(entry("a"));
    await node.close();
    await server.sql("UPDATE tackline.meta SET version = 999");
    const before = await server.sql("SELECT * FROM tackline.meta");
    const error = await assertRejects(() => PostgresNode.open(make!, server), JournalError, "999");
    assertEquals(error.code, "ERR_JOURNAL_OPEN");
    assertEquals(await server.sql("SELECT * FROM tackline.meta"), before);
  });

  it("can have another name, and two journals in one database know nothing of each other", async () => {
    await using server = await PostgresServer.start();
    const schema = `"Odd" name's \\`;
    await using one = await PostgresNode.open(make!, server);
    await using other = await PostgresNode.open(make!, server, { schema });
    await one.journal.append(entry("a"));
    assertEquals(await other.journal.append(entry("a")), { seq: 1, duplicate: false });
    await other.journal.append(entry("b"));
    assertEquals([one.told, other.told], [["a"], ["a", "b"]]);
  });
});
