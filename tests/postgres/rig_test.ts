/** The servers, standbys, poolers and faults that the tests of this folder rely on, with plain clients. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { describePostgres } from "../support/describe_postgres.ts";
import { PgBouncer } from "../support/pgbouncer.ts";
import { caughtUp, PostgresServer } from "../support/postgres.ts";
import { connectPg, POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { PostgresProxy } from "../support/postgres_proxy.ts";

const TABLE = "CREATE TABLE t (n int)";
const COUNT = "SELECT count(*)::int AS n FROM t";

describePostgres("PostgresServer", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`keeps what it has committed when it is killed, seen by ${name}`, async () => {
      await using server = await PostgresServer.start();
      await using before = await make(server.url);
      await before.query(TABLE);
      await before.query("INSERT INTO t VALUES ($1)", [7]);
      await server.kill();
      await server.run();
      await using after = await make(server.url);
      assertEquals(await after.query("SELECT n FROM t"), [{ n: 7 }]);
      assertEquals((await after.query("SHOW fsync"))[0], { fsync: "on" });
    });
  }

  it("takes settings, at the start and later", async () => {
    await using server = await PostgresServer.start({ settings: { synchronous_commit: "off" } });
    assertEquals(await server.sql("SHOW synchronous_commit"), [{ synchronous_commit: "off" }]);
    await server.set({ statement_timeout: "3s" });
    assertEquals(await server.sql("SHOW statement_timeout"), [{ statement_timeout: "3s" }]);
    await server.kill();
    await server.run();
    assertEquals(await server.sql("SHOW statement_timeout"), [{ statement_timeout: "3s" }]);
  });

  it("stands still, and goes on", async () => {
    await using server = await PostgresServer.start();
    await using program = await connectPg(server.url);
    server.freeze(true);
    let answered = false;
    const answer = program.query("SELECT 1").then(() => answered = true);
    await using other = await PostgresServer.start();
    await other.sql("SELECT 1");
    assertEquals(answered, false);
    server.freeze(false);
    await answer;
  });

  it("has a standby, which becomes the primary, and the old primary follows it", async () => {
    await using primary = await PostgresServer.start();
    await primary.sql(TABLE);
    await using standby = await PostgresServer.standbyOf(primary, { name: "second" });
    await primary.set({ synchronous_standby_names: "second" });
    await primary.sql("INSERT INTO t VALUES (1)");
    await caughtUp(primary, "second");
    assertEquals(await standby.sql(COUNT), [{ n: 1 }]);
    await assertRejects(() => standby.sql("INSERT INTO t VALUES (2)"), Error, "read-only");
    await primary.kill();
    await standby.promote();
    await standby.sql("INSERT INTO t VALUES (2)");
    await primary.follow(standby, { name: "first" });
    await caughtUp(standby, "first");
    assertEquals(await primary.sql(COUNT), [{ n: 2 }]);
  });

  it("ends the connections of clients, and shuts down in order", async () => {
    await using server = await PostgresServer.start();
    await using one = await connectPg(server.url);
    assertEquals(await server.terminateClients(), 1);
    await assertRejects(() => one.query("SELECT 1"));
    await server.shutDown("fast");
    await assertRejects(() => connectPg(server.url), Error, "ECONNREFUSED");
    await server.run();
    await server.sql("SELECT 1");
  });
});

describePostgres("PostgresProxy", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`cuts before and after a statement of ${name}`, async () => {
      await using server = await PostgresServer.start();
      await server.sql(TABLE);
      await using proxy = await PostgresProxy.listen(server.port);
      const url = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
      for (const place of ["before", "after"] as const) {
        await using program = await make(url);
        proxy.decide = ({ text }) => text.startsWith("INSERT") ? place : undefined;
        await assertRejects(() => program.query(`INSERT INTO t VALUES (1) /* ${place} */`));
        proxy.decide = () => undefined;
      }
      assertEquals(proxy.cuts, 2);
      assert(proxy.seen.some(({ type }) => type === "start"));
    });
  }
});

describePostgres("PgBouncer", () => {
  for (const mode of ["transaction", "session"] as const) {
    describe(`in ${mode} mode`, () => {
      for (const [name, make] of POSTGRES_CLIENTS) {
        it(`passes on statements of ${name}`, async () => {
          await using server = await PostgresServer.start();
          await using bouncer = await PgBouncer.start(server, mode);
          await using program = await make(bouncer.url);
          assertEquals(await program.query("SELECT 1 AS one"), [{ one: 1 }]);
        });
      }
    });
  }
}, "pgbouncer");
