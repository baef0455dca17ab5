/** Receivers of several servers that share a name: each notification goes to one, whichever server dies or leaves. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import type { JournalEntry, SharedCursor, TakenEntries } from "../../journal/journal.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { bodies, PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { FakeClock, repeatUntil, until } from "../support/support.ts";

const MIB = 1024 * 1024;
const [make] = POSTGRES_CLIENTS.values();

const join = (node: PostgresNode, start = 0, wanted = ""): SharedCursor =>
  node.journal.share("x", start, wanted, () => {});

async function append(node: PostgresNode, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, at) => node.journal.append(entry(`${at + 1}`))));
}

/** Takes until something comes: what it waits for is written in the background. */
async function takeSome(cursor: SharedCursor, count: number): Promise<TakenEntries> {
  let taken: TakenEntries = { again: [], new: [] };
  const take = async (): Promise<void> => void (taken = await cursor.take(count).catch(() => taken));
  await repeatUntil(take, () => taken.again.length + taken.new.length > 0, "notifications");
  return taken;
}

describePostgres("PostgresJournal: shared cursors", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    describe(name, () => {
      it("give each notification to one of two servers that take at the same time", () =>
        withPostgresNodes(make, 2, async (nodes) => {
          const total = 600;
          const seen: string[] = [];
          const consume = async (node: PostgresNode): Promise<number> => {
            const cursor = join(node);
            let count = 0;
            while (seen.length < total) {
              const { again, new: fresh } = await cursor.take(16);
              assertEquals(again, []);
              count += fresh.length;
              seen.push(...bodies(fresh));
              cursor.acknowledge(fresh.map(({ seq }) => seq));
            }
            return count;
          };
          const counts = Promise.all(nodes.map(consume));
          await append(nodes[0]!, total);
          assert((await counts).every((count) => count > 0), `${await counts}`);
          assertEquals([seen.length, new Set(seen).size], [total, total]);
          await until(async () => await nodes[0]!.journal.cursor("x") === total, "the acknowledgements");
        }));
    });
  }

  it("hand over what a server that died had taken, in portions, once each, and what retention left of it", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      await append(one!, 10);
      const [here, there] = [join(one!), join(other!)];
      assertEquals((await here.take(10)).new.length, 10);
      here.acknowledge([2]);
      await until(async () => {
        const [row] = await server.sql("SELECT pending::text AS pending FROM tackline.consumer");
        return row!.pending === "{[1,2),[3,11)}";
      }, "the acknowledgement");
      await server.sql("UPDATE tackline.consumer SET node = 'dead'");
      await server.sql("UPDATE tackline.meta SET trimmed = 3");
      const found: string[] = [];
      for (let turn = 0; turn < 4; turn++) found.push(bodies((await there.take(3)).again).join());
      assertEquals(found, ["4,5,6", "7,8,9", "10", ""]);
      // Nothing is left for the next one.
      there.acknowledge([4, 5, 6, 7, 8, 9, 10]);
      await until(async () => await other!.journal.cursor("x") === 10, "the end");
      // The first one was not dead after all: its late word changes nothing, and it takes part again.
      here.acknowledge([4]);
      await append(one!, 11);
      assertEquals(bodies((await here.take(3)).new), ["11"]);
    }));

  it("wait for a dead server no longer than its lease", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      await append(one!, 1);
      const [here, there] = [join(one!), join(other!)];
      assertEquals(bodies((await here.take(1)).new), ["1"]);
      // From now on no renewal of the first one arrives.
      const [row] = await server.sql("SELECT node FROM tackline.consumer");
      await server.sql(
        "CREATE FUNCTION drop_renewal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " +
          `RETURN CASE WHEN OLD.id <> '${row!.node}' THEN NEW END; END $$`,
      );
      await server.sql(
        "CREATE TRIGGER dead BEFORE UPDATE ON tackline.node FOR EACH ROW EXECUTE FUNCTION drop_renewal()",
      );
      const begun = performance.now();
      assertEquals(bodies((await takeSome(there, 5)).again), ["1"]);
      const took = performance.now() - begun;
      assert(took > 2000 && took < 8000, `${took} ms`);
    }));

  it("hand over at once what a server had taken that leaves, and refuse it anything after that", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      await append(one!, 4);
      const [here, there] = [join(one!), join(other!)];
      assertEquals((await here.take(3)).new.length, 3);
      const [{ id, node }] = await server.sql("SELECT id, node FROM tackline.consumer") as [Record<string, string>];
      here.leave();
      await until(
        async () => (await server.sql("SELECT FROM tackline.consumer WHERE gone IS NOT NULL")).length === 1,
        "it",
      );
      // A statement on a connection that was lost may run only now.
      const late = await server.sql("SELECT kind FROM tackline.take('x', 0, '', $1, $2, 5, 1000)", [node, id]);
      assertEquals(late, [{ kind: "state" }]);
      const taken = await there.take(5);
      assertEquals([bodies(taken.again), bodies(taken.new)], [["1", "2", "3"], ["4"]]);
      // The departure is remembered for a minute.
      await server.sql("UPDATE tackline.consumer SET gone = gone - interval '2 minutes'");
      await there.take(1);
      assertEquals((await server.sql("SELECT FROM tackline.consumer")).length, 1);
    }));

  it("give no more bytes at once than memory has room for, but one notification of any size", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      const sizes = [1, 1, 1, 1, 1, 5, 1].map((size, at) => new Uint8Array(size * MIB).fill(at));
      for (const bytes of sizes) await one!.journal.append(entry(bytes));
      const [here, there] = [join(one!), join(other!)];
      const counts = [];
      for (let turn = 0; turn < 4; turn++) counts.push((await here.take(64)).new.length);
      assertEquals(counts, [4, 2, 1, 0]);
      await server.sql("UPDATE tackline.consumer SET node = 'dead'");
      counts.length = 0;
      for (let turn = 0; turn < 4; turn++) counts.push((await there.take(64)).again.length);
      assertEquals(counts, [4, 2, 1, 0]);
    }));

  it("refuse receivers that want something else, while the others are there", () =>
    withPostgresNodes(make!, 2, async ([one, other]) => {
      await append(one!, 4);
      const here = join(one!, 0, "messages");
      assertEquals(bodies((await here.take(1)).new), ["1"]);
      const there = join(other!, 0, "everything");
      const error = await assertRejects(() => there.take(1), JournalError, 'named "x" on another server');
      assertEquals(error.code, "ERR_JOURNAL_CONFLICT");
      here.leave();
      assertEquals(bodies((await takeSome(there, 1)).again), ["1"]);
    }));

  it("report what retention removed before delivery, and what was lost, once", async () => {
    await using server = await PostgresServer.start();
    const clock = new FakeClock();
    await using node = await PostgresNode.open(make!, server, { maxAge: 1000, clock });
    const place = join(node);
    await node.journal.append(entry("old"));
    clock.advance(600_000);
    assertEquals((await place.take(5)).gaps, [{ after: 0, until: 1 }]);
    assertEquals((await place.take(5)).gaps, []);
    await node.journal.append(entry("young"));
    assertEquals(bodies((await place.take(5)).new), ["young"]);
    await server.sql("UPDATE tackline.meta SET lost = '2 9', last = 9");
    assertEquals((await place.take(5)).gaps, [{ after: 2, until: 9 }]);
    assertEquals((await place.take(5)).gaps, []);
    await node.journal.append(entry("next"));
    const taken = await place.take(5);
    assertEquals([bodies(taken.new), taken.new.map(({ seq }: JournalEntry) => seq), taken.gaps], [["next"], [10], []]);
  });

  it("report once acknowledgements that cannot be written, and write them later", async () => {
    await using server = await PostgresServer.start();
    await (await PostgresNode.open(make!, server)).close();
    await server.sql(
      "CREATE ROLE node LOGIN; GRANT ALL ON SCHEMA tackline TO node; " +
        "GRANT ALL ON ALL TABLES IN SCHEMA tackline TO node",
    );
    await using node = await PostgresNode.open(make!, { url: server.urlOf("node") });
    await append(node, 2);
    const place = join(node);
    assertEquals(bodies((await place.take(2)).new), ["1", "2"]);
    await server.sql("REVOKE UPDATE ON tackline.consumer FROM node");
    place.acknowledge([1]);
    await until(() => node.errors.length > 0, "the bad news");
    place.acknowledge([2]);
    assertEquals(await node.journal.cursor("x"), 0);
    assertEquals(node.codes, ["ERR_JOURNAL_WRITE"]);
    await server.sql("GRANT UPDATE ON tackline.consumer TO node");
    place.acknowledge([]);
    await until(async () => await node.journal.cursor("x") === 2, "the cursor");
  });

  it("continue with a name that was shared, then not, then shared again", () =>
    withPostgresNodes(make!, 2, async ([one, other]) => {
      await append(one!, 6);
      const here = join(one!);
      assertEquals(bodies((await here.take(2)).new), ["1", "2"]);
      other!.journal.saveCursor("x", 5);
      assertEquals(await other!.journal.cursor("x"), 5);
      const there = join(other!, 5);
      assertEquals(bodies((await there.take(2)).new), ["3", "4"]);
      assertEquals(bodies((await here.take(9)).new), ["5", "6"]);
    }));

  it("write nothing when there is nothing to take", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      await append(node!, 1);
      const place = join(node!);
      const { new: [first] } = await place.take(1);
      place.acknowledge([first!.seq]);
      await until(async () => await node!.journal.cursor("x") === 1, "the acknowledgement");
      const version = async (): Promise<unknown> =>
        (await server.sql(
          "SELECT (SELECT xmin::text FROM tackline.share), (SELECT xmax::text FROM tackline.share), " +
            "(SELECT c.xmin::text AS c FROM tackline.consumer c)",
        ))[0];
      const before = await version();
      for (let turn = 0; turn < 3; turn++) assertEquals(await place.take(5), { again: [], new: [], gaps: [] });
      assertEquals(await version(), before);
    }));
});
