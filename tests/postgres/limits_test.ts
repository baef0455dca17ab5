/** Time limits that a role sets, connections that an administrator ends, and servers that have no more to give. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { connectPg, POSTGRES_CLIENTS, type PostgresProgram } from "../support/postgres_clients.ts";
import { Feed, PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

/** Holds the lock without which nothing is written, as a stuck program does. */
async function lockLog(server: PostgresServer): Promise<PostgresProgram> {
  const program = await connectPg(server.url);
  await program.query("BEGIN");
  await program.query("SELECT * FROM tackline.meta FOR UPDATE");
  return program;
}

describePostgres("PostgresJournal with a role of short time limits", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    describe(name, () => {
      for (const limit of ["statement_timeout", "lock_timeout"]) {
        it(`refuses a notification that ${limit} stops, and goes on`, async () => {
          await using server = await PostgresServer.start({ settings: QUICK });
          await server.sql(`CREATE ROLE app LOGIN SUPERUSER; ALTER ROLE app SET ${limit} = '200ms'`);
          await using node = await PostgresNode.open(make, { url: server.urlOf("app") });
          const before = await node.journal.append(entry("before"));
          const blocker = await lockLog(server);
          const error = await assertRejects(() => node.journal.append(entry("a")), JournalError);
          assertEquals(error.code, "ERR_JOURNAL_WRITE", error.message);
          await blocker.close();
          assertEquals(await node.journal.append(entry("a")), { seq: before.seq + 1, duplicate: false });
          assertEquals(node.told, ["before", "a"]);
        });
      }
    });
  }

  it("keeps its connections through limits for idle ones of more than 5 s, over any client", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    await server.sql(`CREATE ROLE app LOGIN SUPERUSER; ALTER ROLE app SET idle_session_timeout = '7s';
      ALTER ROLE app SET idle_in_transaction_session_timeout = '300ms'`);
    await Promise.all([...POSTGRES_CLIENTS].map(async ([name, make]) => {
      const options = { schema: name.replaceAll(/\W/g, "_").toLowerCase() };
      await using node = await PostgresNode.open(make, { url: server.urlOf("app") }, options);
      await using other = await PostgresNode.open(make, { url: server.urlOf("app") }, options);
      await node.journal.append(entry("a"));
      await until(() => other.told.length === 1, "the first");
      // One that is idle for as long is ended: then the others were too.
      const idle = await connectPg(server.urlOf("app"));
      let ended = false;
      (idle.client as unknown as { on(event: string, listener: () => void): void }).on("end", () => ended = true);
      await until(() => ended, "the end of an idle connection");
      await idle.close();
      await node.journal.append(entry("b"));
      await until(() => other.told.length === 2, "the second");
      // A connection of Bun that only listens is ended too: then the journal opens all again.
      const expected = name === "Bun.sql" ? ["ERR_JOURNAL_AWAY"] : [];
      assertEquals([...new Set([...node.codes, ...other.codes])], expected, name);
    }));
  });
});

describePostgres("PostgresJournal with many receivers that have missed much", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`does what cannot wait before most of their reads, over ${name}`, () =>
      withPostgresNodes(make, 2, async ([node, other]) => {
        const bodies = Array.from({ length: 256 }, (_, at) => new Uint8Array(16_000).fill(at));
        await Promise.all(bodies.map((body) => other!.journal.append(entry(body))));
        await until(() => node!.told.length === 256, "all at the node");
        const total = 60;
        let done = 0;
        const reads = Array.from({ length: total }, async () => {
          assertEquals((await node!.journal.read(0, 256)).length, 256);
          done++;
        });
        const before: Record<string, number> = {};
        const note = async (what: string, action: Promise<unknown>): Promise<void> => {
          await action;
          before[what] = done;
        };
        await other!.journal.append(entry("other"));
        await Promise.all([
          // After that of the other server, which has to be read.
          note("append", node!.journal.append(entry("own"))),
          note("has", node!.journal.has(entry("other").digest)),
        ]);
        await Promise.all(reads);
        assertEquals(Object.entries(before).filter(([, reads]) => reads > total / 2), []);
        assertEquals(node!.told.slice(-2), ["other", "own"]);
        assertEquals(node!.codes, []);
      }));
  }
});

describePostgres("PostgresJournal whose connections are ended", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`by an administrator, again and again, loses nothing and is back each time, over ${name}`, () =>
      withPostgresNodes(make, 2, async ([one, other], server) => {
        const feed = new Feed([one!, other!]);
        for (let turn = 0; turn < 5; turn++) {
          await feed.more(20);
          assert(await server.terminateClients() >= 1);
        }
        await feed.more(20);
        await feed.stop();
        await until(() => one!.isBack && other!.isBack, "both");
        const kept = await one!.readAll();
        assertEquals([...feed.taken].filter(([body, seq]) => kept.get(seq) !== body), []);
        for (const { told } of [one!, other!]) {
          await until(() => [...feed.taken.keys()].every((body) => told.includes(body)), "all at both");
          assertEquals(new Set(told).size, told.length);
        }
      }));
  }

  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`has as many as before once it is back, and none when it is closed, over ${name}`, () =>
      withPostgresNodes(make, 1, async ([node], server) => {
        const count = async (): Promise<number> => {
          const [row] = await server.sql(
            "SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
          );
          return row!.n as number;
        };
        const before = await count();
        for (let turn = 1; turn <= 3; turn++) {
          const reports = node!.errors.length;
          await server.terminateClients();
          await until(() => node!.errors.length > reports && node!.isBack, "the connections");
        }
        await node!.journal.append(entry("a"));
        assert(await count() <= before, `${await count()} instead of ${before}`);
        await node!.close();
        await until(async () => await count() === 0, "the end of all connections");
      }));
  }

  const [make] = POSTGRES_CLIENTS.values();

  it("refuses what is cancelled, and goes on", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      const blocker = await lockLog(server);
      const append = assertRejects(() => node!.journal.append(entry("a")), JournalError);
      await until(async () => {
        const [row] = await server.sql(
          "SELECT count(pg_cancel_backend(pid))::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        );
        return row!.n as number > 0;
      }, "the statement");
      assertEquals((await append).code, "ERR_JOURNAL_WRITE");
      await blocker.close();
      await node!.journal.append(entry("a"));
      assertEquals(node!.told, ["a"]);
    }));

  it("cannot be opened when there are too many connections: the error says so", async () => {
    await using server = await PostgresServer.start({
      settings: { ...QUICK, max_connections: 5, superuser_reserved_connections: 1 },
    });
    await server.sql("CREATE ROLE app LOGIN; GRANT ALL ON DATABASE postgres TO app");
    const held = await Promise.all([1, 2, 3, 4].map(() => connectPg(server.urlOf("app"))));
    const [first] = held;
    for (const maker of POSTGRES_CLIENTS.values()) {
      // The program itself has one of the connections, and the journal gets none.
      const error = await assertRejects(
        () => PostgresNode.open(maker, { url: server.urlOf("app") }),
        Error,
        "too many",
      ).catch((other) => other);
      assert(/too many|remaining connection slots/.test(String(error)), String(error));
    }
    await Promise.all(held.map((program) => program.close()));
    assert(first !== undefined);
  });

  it("comes back when there is a free connection again", async () => {
    await using server = await PostgresServer.start({
      settings: { ...QUICK, max_connections: 8, superuser_reserved_connections: 1 },
    });
    await server.sql("CREATE ROLE app LOGIN; GRANT ALL ON DATABASE postgres TO app");
    await using node = await PostgresNode.open(make!, { url: server.urlOf("app") });
    const held: PostgresProgram[] = [];
    const fill = async (): Promise<void> => {
      for (;;) {
        const program = await connectPg(server.urlOf("app")).catch(() => undefined);
        if (program === undefined) return;
        held.push(program);
      }
    };
    await fill();
    await until(async () => {
      const refusal = await node.journal.append(entry("b")).catch(({ message }) => message);
      if (/too many|slots/.test(String(refusal))) return true;
      // The journal may be faster than the others.
      await server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%tackline%' " +
          "AND pid <> pg_backend_pid()",
      );
      await fill();
      return false;
    }, "the reason");
    await Promise.all(held.map((program) => program.close()));
    await until(() => node.isBack, "the connection");
    await node.journal.append(entry("a"));
  });
});
