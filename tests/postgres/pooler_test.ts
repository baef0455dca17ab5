/** PgBouncer between the journal and PostgreSQL. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { describePostgres } from "../support/describe_postgres.ts";
import { PgBouncer } from "../support/pgbouncer.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { Feed, PostgresNode } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

describePostgres("PostgresJournal behind PgBouncer", () => {
  for (const mode of ["session", "transaction"] as const) {
    describe(`in ${mode} mode`, () => {
      for (const [name, make] of POSTGRES_CLIENTS) {
        it(`loses nothing, and tells each node once, over ${name}`, async () => {
          await using server = await PostgresServer.start({ settings: QUICK });
          await using bouncer = await PgBouncer.start(server, mode);
          await using one = await PostgresNode.open(make, bouncer);
          await using other = await PostgresNode.open(make, bouncer);
          const feed = new Feed([one, other]);
          await feed.more(50);
          await server.terminateClients();
          await feed.more(50);
          await feed.stop();
          const kept = await one.readAll();
          assertEquals([...feed.taken].filter(([body, seq]) => kept.get(seq) !== body), []);
          for (const { told } of [one, other]) {
            await until(() => [...feed.taken.keys()].every((body) => told.includes(body)), "all at both");
            assertEquals(new Set(told).size, told.length);
          }
        });
      }
    });
  }
}, "pgbouncer");
