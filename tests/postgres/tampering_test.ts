/** What other users and programs of the database do to a journal: planted functions, emptied tables, data put back. */

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { bodies, PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

const MIB = 1024 * 1024;
const [make] = POSTGRES_CLIENTS.values();
const large = (fill: number): Uint8Array => new Uint8Array(MIB).fill(fill);

/** Functions whose parameters fit better than those of the system's own, and an operator. */
const PLANTED: readonly [signature: string, result: string][] = [
  ["concat_ws(text, text, bigint, bigint, bigint, bigint, text, text)", "text"],
  ["concat_ws(text, bigint, bigint, bigint, text)", "text"],
  ["concat_ws(text, bigint, bigint, bigint)", "text"],
  ["concat_ws(text, bigint, bigint, text)", "text"],
  ["concat_ws(text, bigint, bigint)", "text"],
  ["cardinality(bigint[])", "int"],
  ["array_to_string(bigint[], text)", "text"],
  ["to_json(text[])", "json"],
  ["json_build_array(bigint, json)", "json"],
  ["unnest(bigint[])", "bigint"],
  ["unnest(int8multirange)", "int8range"],
  ["isempty(int8multirange)", "boolean"],
  ["lower(int8range)", "bigint"],
  ["planted(bigint[], bigint)", "bigint[]"],
];

describePostgres("PostgresJournal in a database of several users", () => {
  it("runs no function that another user has planted", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    await server.sql(`GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN;
      GRANT CREATE ON DATABASE postgres TO app; SET ROLE other;
      ${
      PLANTED.map(([signature, result]) =>
        `CREATE FUNCTION public.${signature} RETURNS ${result} LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'planted: % for %', '${signature}', current_user; END $$;`
      ).join("\n")
    }
      CREATE OPERATOR public.|| (FUNCTION = public.planted, LEFTARG = bigint[], RIGHTARG = bigint)`);
    await using node = await PostgresNode.open(make!, { url: server.urlOf("app") }, { maxReceivers: 1 });
    for (const body of ["a", "b"]) await node.journal.append(entry(body));
    assertEquals((await node.readAll()).size, 2);
    assertEquals(await node.journal.admit("one", 0, false), 0);
    node.journal.saveCursor("one", 1);
    assertEquals(await node.journal.cursor("one"), 1);
    node.journal.release("one");
    const shared = node.journal.share("pool", 0, "", () => {});
    const { new: taken } = await shared.take(5);
    assertEquals(bodies(taken), ["a", "b"]);
    shared.acknowledge(taken.map(({ seq }) => seq));
    await until(async () => await node.journal.cursor("pool") === 2, "the acknowledgements");
    assertEquals(node.errors.map(({ message }) => message), []);
  });
});

describePostgres("PostgresJournal whose tables another program empties", () => {
  it("tells all nodes of notifications that are gone with TRUNCATE, and keeps the next ones", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      await using third = await PostgresNode.open(make!, server, { maxBytes: 16 * MIB });
      for (let at = 0; at < 15; at++) await third.journal.append(entry(large(at)));
      await server.sql("TRUNCATE tackline.notification");
      await until(
        () => one!.codes.includes("ERR_JOURNAL_LOST") && other!.codes.includes("ERR_JOURNAL_LOST"),
        "the loss",
      );
      assertEquals(one!.journal.lost, [{ after: 0, until: 15 }]);
      for (let at = 15; at < 20; at++) await third.journal.append(entry(large(at)));
      assertEquals((await third.readAll()).size, 5);
      assertEquals(third.journal.trimmed, 0);
    }));

  it("counts the bytes of all notifications after its row of state was deleted", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      await node!.journal.append(entry(large(1)));
      await server.sql("DELETE FROM tackline.meta");
      await node!.journal.append(entry(large(2)));
      const [row] = await server.sql("SELECT bytes::int AS bytes FROM tackline.meta");
      assertEquals(row!.bytes, 2 * MIB);
    }));
});

describePostgres("PostgresJournal that has forgotten numbers on a server that went on running", () => {
  /** Copies the tables elsewhere, and puts the copy back in place of them, as pg_dump and pg_restore do. */
  const TABLES = ["meta", "notification", "digest", "node", "name", "cursor", "share", "consumer"];

  it("gives none twice after its tables were put back from a copy", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    const play = async (...texts: string[]): Promise<number[]> => {
      await using node = await PostgresNode.open(make!, server);
      const seqs: number[] = [];
      for (const text of texts) seqs.push((await node.journal.append(entry(text))).seq);
      return seqs;
    };
    await play("a");
    for (const table of TABLES) await server.sql(`CREATE TABLE copy_${table} AS TABLE tackline.${table}`);
    const [forgotten] = await play("b");
    await server.sql(`TRUNCATE ${TABLES.map((table) => `tackline.${table}`).join()}`);
    for (const table of TABLES) await server.sql(`INSERT INTO tackline.${table} TABLE copy_${table}`);
    const [fresh] = await play("c");
    assert(fresh! > forgotten!, `${fresh} after ${forgotten}`);
  });

  it("gives none twice after a process of the server crashed that had not written all", async () => {
    await using server = await PostgresServer.start({
      settings: { ...QUICK, synchronous_commit: "off", wal_writer_delay: "10s", autovacuum: "off" },
    });
    const forgotten = await (async () => {
      await using node = await PostgresNode.open(make!, server);
      await server.sql("CHECKPOINT");
      return (await node.journal.append(entry("a"))).seq;
    })();
    await server.crash();
    await using node = await PostgresNode.open(make!, server);
    assertEquals((await node.readAll()).size, 0);
    const { seq } = await node.journal.append(entry("b"));
    assert(seq > forgotten, `${seq} after ${forgotten}`);
  });
});
