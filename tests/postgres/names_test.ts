/** Names of receivers in PostgreSQL: durable at once, bounded over all servers, and forgotten with all their rows. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { FakeClock, settle, until } from "../support/support.ts";

const HOUR = 3600 * 1000;
/** Interval between a journal's checks for expired names, in ms. */
const TRIM_INTERVAL = 600_000;
const [make] = POSTGRES_CLIENTS.values();

/** Lets time pass until a node reports something. */
async function passTime(clock: FakeClock, node: PostgresNode): Promise<void> {
  for (let steps = 0; steps < 9 && node.errors.length === 0; steps++) {
    clock.advance(TRIM_INTERVAL);
    await node.journal.has(entry("a").digest);
    await settle();
  }
}

describePostgres("PostgresJournal: names of receivers over all servers", () => {
  it("are on disk before they are admitted, shared names too", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      const admitted = await Promise.all([
        node!.journal.admit("alone", 3, false),
        node!.journal.admit("pool", 4, true),
      ]);
      await server.kill();
      assertEquals(admitted, [3, 4]);
      await assertRejects(() => node!.journal.admit("later", 0, false), JournalError);
      await server.run();
      await using other = await PostgresNode.open(make!, server);
      assertEquals([await other.journal.admit("alone", 9, false), await other.journal.admit("pool", 9, true)], [3, 4]);
    }));

  it("are limited to maxReceivers when they come to several servers at the same time", async () => {
    await using server = await PostgresServer.start();
    const nodes: PostgresNode[] = [];
    for (let at = 0; at < 3; at++) nodes.push(await PostgresNode.open(make!, server, { maxReceivers: 7 }));
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, at) => nodes[at % 3]!.journal.admit(`name ${at}`, 0, at % 2 === 0)),
    );
    assertEquals(results.filter(({ status }) => status === "fulfilled").length, 7);
    for (const result of results) {
      if (result.status === "rejected") assertEquals(result.reason.code, "ERR_JOURNAL_RECEIVERS");
    }
    assertEquals((await server.sql("SELECT FROM tackline.name")).length, 7);
    await Promise.all(nodes.map((node) => node.close()));
  });

  it("do not expire while they are connected to another server, and leave nothing behind when they do", async () => {
    await using server = await PostgresServer.start();
    const clock = new FakeClock();
    const options = { maxReceiverAge: HOUR, clock };
    await using here = await PostgresNode.open(make!, server, options);
    await using there = await PostgresNode.open(make!, server, { ...options, clock: new FakeClock() });
    await there.journal.admit("theirs", 1, false);
    await there.journal.admit("their pool", 1, true);
    await there.journal.share("their pool", 1, "all", () => {}).take(1);
    await here.journal.admit("pool", 1, true);
    const left = here.journal.share("pool", 1, "all", () => {});
    await left.take(1);
    left.leave();
    here.journal.release("pool");
    await here.journal.admit("gone", 1, false);
    here.journal.release("gone");
    await passTime(clock, here);
    await until(() => here.errors.length > 0, "the error");
    assertEquals(here.codes, ["ERR_JOURNAL_EXPIRED"]);
    const [{ message }] = here.errors as [JournalError];
    assert(message.includes('"gone"') && message.includes('"pool"') && !message.includes("their"), message);
    for (const table of ["name", "cursor", "share", "consumer"]) {
      const rows = await server.sql(`SELECT DISTINCT name FROM tackline.${table} ORDER BY name`);
      const names = { name: ["their pool", "theirs"], cursor: ["theirs"] }[table] ?? ["their pool"];
      assertEquals(rows.map(({ name }) => name), names, table);
    }
  });

  it("do not expire while they are connected to a server that was taken for dead for a while", async () => {
    await using server = await PostgresServer.start();
    const clock = new FakeClock();
    await using node = await PostgresNode.open(make!, server, { maxReceiverAge: HOUR, clock });
    await node.journal.admit("idle", 1, false);
    await node.journal.admit("gone", 1, false);
    node.journal.release("gone");
    await node.journal.cursor("gone");
    // Another server has gone on from there, and ended.
    await server.sql("UPDATE tackline.cursor SET node = 'held'");
    await passTime(clock, node);
    assertEquals(node.errors.map(({ message }) => message.includes('"gone"') && !message.includes('"idle"')), [true]);
    assertEquals([await node.journal.cursor("idle"), await node.journal.cursor("gone")], [1, undefined]);
  });
});
