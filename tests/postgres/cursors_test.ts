/** Cursors of receivers that move between servers: nothing is skipped, and no server waits for another for ever. */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { OVERTAKEN } from "../../postgres/cursor_statements.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { connectPg, POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { type PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

const [make] = POSTGRES_CLIENTS.values();

/** Waits until a node has written all that it was told. */
const written = (node: PostgresNode): Promise<unknown> => node.journal.cursor("");

describePostgres("PostgresJournal: cursors", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`let a receiver continue at another server, with all it had not acknowledged anywhere: ${name}`, () =>
      withPostgresNodes(make, 3, async ([one, two, three]) => {
        // From its first word on it is known everywhere.
        one!.journal.saveCursor("new", 2);
        await written(one!);
        assertEquals(await two!.journal.cursor("new"), 2);
        // It moves: from 4 on one server to 6 on the next.
        one!.journal.saveCursor("mover", 4);
        one!.journal.release("mover");
        await written(one!);
        assertEquals(await two!.journal.admit("mover", 99, false), 4);
        two!.journal.saveCursor("mover", 6);
        assertEquals(await two!.journal.cursor("mover"), 6);
        assertEquals(await three!.journal.cursor("mover"), 6);
        // A late word of the first server changes nothing.
        one!.journal.release("mover");
        await written(one!);
        assertEquals(await three!.journal.cursor("mover"), 6);

        // Two connections of one name on two servers: the one that is behind counts.
        assertEquals(await one!.journal.admit("both", 3, false), 3);
        assertEquals(await two!.journal.admit("both", 9, false), 3);
        two!.journal.saveCursor("both", 8);
        assertEquals(await two!.journal.cursor("both"), 3);
        assertEquals(await three!.journal.cursor("both"), 3);
        // It leaves where it was behind; who came after it began there.
        one!.journal.release("both");
        assertEquals(await one!.journal.cursor("both"), 8);
        one!.journal.saveCursor("third", 2);
        await written(one!);
        two!.journal.saveCursor("third", 5);
        await written(two!);
        // No node covers the numbers between.
        one!.journal.release("third");
        await written(one!);
        assertEquals(await three!.journal.cursor("third"), 2);
        assertEquals(await three!.journal.admit("third", 99, false), 2);
        three!.journal.saveCursor("third", 7);
        await written(three!);
        assertEquals(await one!.journal.cursor("third"), 5);
      }));
  }

  it("forget where a dead server was, once others have gone on from there", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      await server.sql("INSERT INTO tackline.node VALUES ('dead', now() + interval '1 day')");
      await server.sql("INSERT INTO tackline.name VALUES ('mover', 0)");
      await server.sql("INSERT INTO tackline.cursor VALUES ('mover', 'dead', 3, 10)");
      assertEquals(await one!.journal.cursor("mover"), 10);
      one!.journal.saveCursor("mover", 10);
      one!.journal.saveCursor("mover", 900);
      // It may live still.
      assertEquals([await one!.journal.cursor("mover"), await other!.journal.cursor("mover")], [10, 10]);
      await server.sql("UPDATE tackline.node SET expires = now() WHERE id = 'dead'");
      one!.journal.saveCursor("mover", 1000);
      assertEquals([await one!.journal.cursor("mover"), await other!.journal.cursor("mover")], [1000, 1000]);
    }));

  it("only go forward, whatever a server writes late, and more than fit into one statement", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      const names = Array.from({ length: 2100 }, (_, at) => `name ${at} "'\\ é😀`);
      for (const [at, name] of names.entries()) node!.journal.saveCursor(name, at);
      for (const name of names) node!.journal.saveCursor(name, 5);
      await written(node!);
      const [row] = await server.sql(
        "SELECT count(*)::int AS count, min(seq)::int AS least, max(seq)::int AS most FROM tackline.cursor",
      );
      assertEquals(row, { count: 2100, least: 5, most: 2099 });
      assertEquals(await node!.journal.cursor(names[7]!), 7);
    }));

  it("are held when two servers release a name at the same time", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      assertEquals(await one!.journal.admit("x", 3, false), 3);
      const [{ node }] = await server.sql("SELECT node FROM tackline.cursor WHERE node <> 'held'") as [
        { node: string },
      ];
      assertEquals(await other!.journal.admit("x", 9, false), 3);
      // The first one has released it, and not committed.
      await using first = await connectPg(server.url);
      await first.query("BEGIN");
      await first.query(`SELECT tackline.release_names($1, '["x"]', 0)`, [node]);
      other!.journal.release("x");
      await until(async () => {
        const [row] = await server.sql("SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted");
        return row!.waiting === 1;
      }, "the second release");
      await first.query("COMMIT");
      assertEquals(await other!.journal.cursor("x"), 3);
    }));

  it("are written while another server holds rows that both take over", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      await server.sql("INSERT INTO tackline.cursor SELECT name, 'dead', 0, 1 FROM unnest(ARRAY['a', 'b']) name");
      await using other = await connectPg(server.url);
      await other.query("BEGIN");
      await other.query("SELECT FROM tackline.cursor WHERE name = 'a' FOR UPDATE");
      const rows = async (): Promise<string> => {
        const [row] = await server.sql(
          "SELECT string_agg(name || seq, ' ' ORDER BY name, seq) AS rows FROM tackline.cursor",
        );
        return row!.rows as string;
      };
      for (const name of ["a", "b"]) node!.journal.saveCursor(name, 1);
      for (const name of ["a", "b"]) node!.journal.saveCursor(name, 5);
      await written(node!);
      assertEquals([await rows(), node!.errors], ["a1 a5 b5", []]);
      await other.query("COMMIT");
      node!.journal.saveCursor("a", 6);
      await written(node!);
      assertEquals(await rows(), "a6 b5");
    }));

  it("are written soon without a call, and at the end", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      const seq = async (): Promise<unknown> => (await server.sql("SELECT seq::int FROM tackline.cursor"))[0]?.seq;
      await node!.journal.append(entry("a"));
      node!.journal.saveCursor("x", 1);
      node!.journal.saveCursor("x", 2);
      await until(async () => await seq() === 2, "the write");
      node!.journal.saveCursor("x", 3);
      await node!.close();
      assertEquals(await seq(), 3);
    }));

  it("are read for ten thousand names in one pass over each table", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      await server.sql(`INSERT INTO tackline.name SELECT 'n' || i, 0 FROM generate_series(0, 9999) i;
        INSERT INTO tackline.cursor SELECT 'n' || i, node, 0, i + length(node)
          FROM generate_series(0, 8999) i, unnest(ARRAY['held', 'b']) node;
        INSERT INTO tackline.share SELECT 'n' || i, i FROM generate_series(9000, 9998) i;
        INSERT INTO tackline.consumer SELECT 'n' || i, c, 'node', int8multirange(int8range(i - length(c), i))
          FROM generate_series(9000, 9499) i, unnest(ARRAY['c', 'cc']) c;
        UPDATE tackline.meta SET trimmed = 7; ANALYZE tackline.name, tackline.cursor, tackline.share, tackline.consumer`);
      const cursors = await Promise.all(
        ["n0", "n8999", "n9000", "n9499", "n9500", "n9999", "none"].map((name) => node!.journal.cursor(name)),
      );
      assertEquals(cursors, [1, 9000, 8997, 9496, 9500, 7, undefined]);
      const statement = OVERTAKEN.replaceAll("{schema}", "tackline").replace("$1", "'0'").replace("$2", "'9000'");
      const plan = await server.sql(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${statement}`);
      const scans: [table: string, loops: number][] = [];
      JSON.stringify(plan, (_, value) => {
        if (value?.["Relation Name"] !== undefined) scans.push([value["Relation Name"], value["Actual Loops"]]);
        return value;
      });
      const expected = ["consumer", "cursor", "meta", "name", "share"].map((table) => [table, 1]);
      assertEquals(scans.sort(), expected as typeof scans);
    }));
});
