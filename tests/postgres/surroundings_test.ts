/**
 * Databases and users as administrators set them up: settings of a role, encodings, collations, missing rights, other
 * versions of the schema; and names of receivers that PostgreSQL has trouble with.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { POSTGRES_CLIENTS, type PostgresMaker } from "../support/postgres_clients.ts";
import { bodies, PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, index) => index);

/** Plays all that nodes do with a journal, on two of them. */
async function playAll(make: PostgresMaker, url: string, schema = "tackline"): Promise<void> {
  await using one = await PostgresNode.open(make, { url }, { schema });
  await using other = await PostgresNode.open(make, { url }, { schema });
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
      await using server = await PostgresServer.start({ settings: QUICK });
      // In the way of statements that do not name the schema of what they use.
      await server.sql(`CREATE SCHEMA hostile; CREATE TABLE hostile.meta (x int);
        CREATE FUNCTION hostile.concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT ''hostile''';
        GRANT USAGE ON SCHEMA hostile TO PUBLIC`);
      const failed: string[] = [];
      for (const [index, setting] of ROLE_SETTINGS.entries()) {
        const role = `role${index}`;
        await server.sql(`CREATE ROLE ${role} LOGIN; GRANT CREATE ON DATABASE postgres TO ${role};
          ALTER ROLE ${role} SET ${setting}`);
        await playAll(make, server.urlOf(role), role).catch(({ message }) => {
          failed.push(`${setting}: ${message}`);
        });
      }
      assertEquals(failed, []);
    });
  }

  const [make] = POSTGRES_CLIENTS.values();

  it("is not opened with one that may only read by default: the error says so", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    await server.sql("CREATE ROLE reader LOGIN SUPERUSER; ALTER ROLE reader SET default_transaction_read_only = on");
    const error = await assertRejects(
      () => PostgresNode.open(make!, { url: server.urlOf("reader") }),
      JournalError,
      "read-only",
    );
    assertEquals(error.code, "ERR_JOURNAL_OPEN");
  });

  it("is not opened with one whose transactions see what was before them: the error says so", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    for (const [role, level] of [["one", "repeatable read"], ["other", "serializable"]] as const) {
      await server.sql(`CREATE ROLE ${role} LOGIN SUPERUSER;
        ALTER ROLE ${role} SET default_transaction_isolation = '${level}'`);
      const error = await assertRejects(
        () => PostgresNode.open(make!, { url: server.urlOf(role) }),
        JournalError,
        `"${level}"`,
      );
      assertEquals(error.code, "ERR_JOURNAL_OPEN");
    }
  });

  it("tells how durable a commit is", async () => {
    await using server = await PostgresServer.start();
    await server.sql("CREATE ROLE hasty LOGIN SUPERUSER; ALTER ROLE hasty SET synchronous_commit = off");
    const durability = async (user: string): Promise<string> => {
      await using node = await PostgresNode.open(make!, { url: server.urlOf(user) });
      return node.journal.durability;
    };
    assertEquals([await durability("postgres"), await durability("hasty")], ["local", "off"]);
    await using standby = await PostgresServer.standbyOf(server);
    await server.setSynchronous("standby");
    assertEquals([await durability("postgres"), await durability("hasty")], ["on", "off"]);
    await standby.stop();
    await server.set({ synchronous_standby_names: "", fsync: "off" });
    assertEquals(await durability("postgres"), "off");
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
      await using server = await PostgresServer.start({ settings: QUICK });
      for (const [index, [, options]] of DATABASES.entries()) {
        await server.sql(`CREATE DATABASE db${index} TEMPLATE template0 ${options}`);
        await playAll(make, server.urlOf("postgres", `db${index}`));
        await using node = await PostgresNode.open(make, { url: server.urlOf("postgres", `db${index}`) });
        const admitted = await node.journal.admit("日本", 7, false).catch(({ code }) => code);
        assertEquals(admitted, options.includes("LATIN1") ? "ERR_JOURNAL_WRITE" : 7);
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
  "\n",
  "a\nb",
  "\n\n",
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
  "\ufffd",
  "x".repeat(3000),
];

describePostgres("PostgresJournal: names of receivers", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`are kept apart whatever they consist of, over ${name}`, () =>
      withPostgresNodes(make, 2, async ([one, other]) => {
        for (const [index, receiver] of NAMES.entries()) {
          assertEquals(await one!.journal.admit(receiver, index, false), index, receiver);
        }
        // None can come from a receiver: no text of PostgreSQL has one.
        const error = await assertRejects(() => one!.journal.admit("a\0", 0, false), JournalError);
        assertEquals(error.code, "ERR_JOURNAL_WRITE");
        for (const [start, receiver] of NAMES.entries()) {
          one!.journal.saveCursor(receiver, start + 100);
          assertEquals(await one!.journal.cursor(receiver), start + 100, receiver);
          assertEquals(await other!.journal.cursor(receiver), start + 100, receiver);
        }
        for (let at = 0; at < 3; at++) await one!.journal.append(entry(`${at}`));
        for (const receiver of ["\\", "'", "$1", "😀", "\n"]) {
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
      await using server = await PostgresServer.start({ settings: QUICK });
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
    await using server = await PostgresServer.start({ settings: QUICK });
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
    await using server = await PostgresServer.start({ settings: QUICK });
    await using _owner = await PostgresNode.open(make!, server);
    await server.sql(`CREATE ROLE poor LOGIN; GRANT USAGE ON SCHEMA tackline TO poor;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tackline TO poor`);
    await playAll(make!, server.urlOf("poor"));
  });

  it("of a newer version is refused by its number, and stays as it is", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
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
    await using server = await PostgresServer.start({ settings: QUICK });
    const schema = `"Odd" name's \\`;
    await using one = await PostgresNode.open(make!, server);
    await using other = await PostgresNode.open(make!, server, { schema });
    await one.journal.append(entry("a"));
    assertEquals(await other.journal.append(entry("a")), { seq: 1, duplicate: false });
    await other.journal.append(entry("b"));
    assertEquals([one.told, other.told], [["a"], ["a", "b"]]);
  });
});
