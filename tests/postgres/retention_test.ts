/** Retention in PostgreSQL: in portions, which no append waits for, and with sums that stay right. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AgeClock } from "../../journal/age_clock.ts";
import type { SqlValue } from "../../postgres/link.ts";
import { PostgresRetention } from "../../postgres/retention.ts";
import { StatementRunner } from "../../postgres/runner.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { connectPg, POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { PostgresNode } from "../support/postgres_node.ts";
import { FakeClock, repeatUntil, turns, until } from "../support/support.ts";

const MIB = 1024 * 1024;
const TRIM_INTERVAL = 600_000;
const [make] = POSTGRES_CLIENTS.values();

/** Sum of the bodies and number of rows beyond `trimmed`, what the journal counts, and rows that wait for deletion. */
async function sums(server: PostgresServer): Promise<{ counted: number; found: number; rows: number; old: number }> {
  const [row] = await server.sql(
    "SELECT m.bytes::int AS counted, coalesce(sum(octet_length(n.body)) FILTER (WHERE seq > m.trimmed), 0)::int AS found, " +
      "count(*) FILTER (WHERE seq > m.trimmed)::int AS rows, count(*) FILTER (WHERE seq <= m.trimmed)::int AS old " +
      "FROM tackline.meta m LEFT JOIN tackline.notification n ON true GROUP BY m.bytes",
  );
  return row as { counted: number; found: number; rows: number; old: number };
}

async function append(node: PostgresNode, from: number, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, at) => node.journal.append(entry(`${from + at}`))));
}

describePostgres("PostgresJournal: retention", () => {
  it("removes thousands of old notifications in portions, tells who has lost some, and deletes their rows", async () => {
    await using server = await PostgresServer.start();
    const clock = new FakeClock();
    await using node = await PostgresNode.open(make!, server, { maxAge: TRIM_INTERVAL / 2, clock });
    await node.journal.admit("slow", 0, false);
    await append(node, 0, 2500);
    clock.advance(TRIM_INTERVAL);
    await append(node, 2500, 30);
    await until(() => node.errors.length > 0, "the report");
    assertEquals(node.codes, ["ERR_JOURNAL_TRIMMED"]);
    assertEquals(node.journal.trimmed, 2500);
    assertEquals((await node.readAll()).size, 30);
    await until(async () => (await sums(server)).old === 0, "the deletion");
    const { counted, found, rows } = await sums(server);
    assertEquals([counted, rows], [found, 30]);
  });

  it("holds no append up, even if a row cannot be deleted now", async () => {
    await using server = await PostgresServer.start();
    const clock = new FakeClock();
    await using node = await PostgresNode.open(make!, server, { maxAge: TRIM_INTERVAL / 2, clock });
    await append(node, 0, 10);
    await using other = await connectPg(server.url);
    await other.query("BEGIN");
    await other.query("SELECT FROM tackline.notification WHERE seq = 4 FOR UPDATE");
    clock.advance(TRIM_INTERVAL);
    await until(() => node.journal.trimmed === 10, "the removal");
    await append(node, 10, 1);
    await until(async () => (await sums(server)).old === 1, "the deletion of the others");
    assertEquals((await node.readAll()).size, 1);
    await other.query("ROLLBACK");
    let left = 1;
    const passTime = async (): Promise<void> => {
      clock.advance(TRIM_INTERVAL);
      await node.journal.cursor("x");
      left = (await sums(server)).old;
    };
    await repeatUntil(passTime, () => left === 0, "the deletion of the last one");
  });

  it("removes the oldest beyond maxBytes on several servers, whose sum stays right", async () => {
    await using server = await PostgresServer.start();
    const nodes: PostgresNode[] = [];
    for (let at = 0; at < 2; at++) nodes.push(await PostgresNode.open(make!, server, { maxBytes: 16 * MIB }));
    const large = (fill: number): Uint8Array => new Uint8Array(MIB / 4).fill(fill);
    await Promise.all(
      Array.from({ length: 100 }, (_, at) => nodes[at % 2]!.journal.append(entry(large(at)))),
    );
    const { counted, found, rows } = await sums(server);
    assertEquals([counted, rows], [found, 64]);
    assertEquals(Math.max(...nodes.map(({ journal }) => journal.trimmed)), 36);
    await until(async () => (await sums(server)).old === 0, "the deletion");
    await Promise.all(nodes.map((node) => node.close()));
  });

  it("tells all servers and receivers of notifications that another program has deleted", async () => {
    await using server = await PostgresServer.start();
    await using one = await PostgresNode.open(make!, server);
    await using other = await PostgresNode.open(make!, server);
    await append(one, 0, 8);
    const place = other.journal.share("x", 1, "", () => {});
    await server.sql("DELETE FROM tackline.notification WHERE seq BETWEEN 2 AND 4 OR seq = 6");
    await until(() => [one, other].every(({ errors }) => errors.length === 2), "the errors");
    for (const { journal, codes, errors } of [one, other]) {
      assertEquals(codes, ["ERR_JOURNAL_LOST", "ERR_JOURNAL_LOST"]);
      assert(errors[0]!.message.includes("the notifications 2 to 4: "), errors[0]!.message);
      assertEquals(journal.lost, [{ after: 1, until: 4 }, { after: 5, until: 6 }]);
    }
    const gaps: unknown[] = [];
    const seqs: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      const taken = await place.take(1);
      gaps.push(...taken.gaps ?? []);
      seqs.push(...taken.new.map(({ seq }) => seq));
    }
    assertEquals([seqs, gaps], [[5, 7, 8], [{ after: 1, until: 4 }, { after: 5, until: 6 }]]);
    const { counted, found, rows } = await sums(server);
    assertEquals([counted, rows], [found, 4]);
  });

  it("updates the rows that change often in place", async () => {
    await using server = await PostgresServer.start();
    await using node = await PostgresNode.open(make!, server);
    const place = node.journal.share("pool", 0, "", () => {});
    for (let at = 1; at <= 60; at++) {
      await node.journal.append(entry(`${at}`));
      place.acknowledge((await place.take(5)).new.map(({ seq }) => seq));
      node.journal.saveCursor("alone", at);
      await node.journal.cursor("alone");
    }
    let tables: Record<string, number[]> = {};
    const read = async (): Promise<void> => {
      const rows = await server.sql(
        "SELECT relname, n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables",
      );
      tables = Object.fromEntries(rows.map(({ relname, all, hot }) => [relname, [all, hot]]));
    };
    // A process tells its figures some time after its transactions.
    const hot = ["cursor", "share", "consumer"];
    await repeatUntil(read, () => hot.every((table) => (tables[table]?.[0] ?? 0) >= 50), "the figures");
    for (const table of hot) assertEquals(tables[table]![0], tables[table]![1], table);
  });
});

describe("PostgresRetention", () => {
  it("ends after the portion of the moment when it is stopped", async () => {
    const statements: SqlValue[][] = [];
    let answer: (row: string) => void = () => {};
    const link = {
      query: (_text: string, values: readonly SqlValue[] = []) => {
        statements.push([...values]);
        return new Promise<string[][]>((resolve) => answer = (row) => resolve([[row]]));
      },
      destroy: () => Promise.resolve(),
    };
    const runner = new StatementRunner("tackline", { link, requireLink: () => link });
    const retention = new PostgresRetention(runner, new AgeClock(new FakeClock()), 5);
    const trimmed = retention.trim();
    answer("3|7|100|1");
    await turns(2);
    assertEquals(statements.length, 2);
    retention.stop();
    answer("7|9|100|1");
    assertEquals(await trimmed, { before: 3, trimmed: 9 });
    const swept = retention.sweep();
    answer("9");
    await swept;
    assertEquals(statements.length, 3);
    assert(statements[1]![0] as number >= 100);
  });
});
