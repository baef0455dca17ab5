/** Clients for PostgreSQL: which are known, and why others are refused. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { isResolver, kindOf, type PostgresClient } from "../../postgres/client.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { connectPostgresJs, POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { PostgresNode } from "../support/postgres_node.ts";

const KINDS: Readonly<Record<string, string>> = {
  "npm:pg Pool": "pool",
  "npm:pg Client": "client",
  "npm:postgres": "postgres",
  "Bun.sql": "bun",
};

describePostgres("kindOf() of real clients", () => {
  it("knows each, also among functions that give one", async () => {
    await using server = await PostgresServer.start();
    for (const [name, make] of POSTGRES_CLIENTS) {
      await using program = await make(server.url);
      assertEquals([name, kindOf(program.client)], [name, KINDS[name]]);
      assertEquals([name, isResolver(program.client), isResolver(() => program.client)], [name, false, true]);
    }
  });

  it("refuses a connection of a pool, and a reserved one", async () => {
    await using server = await PostgresServer.start();
    for (const [name, make] of POSTGRES_CLIENTS) {
      if (name === "npm:pg Client") continue;
      await using program = await make(server.url);
      const client = program.client as unknown as { connect(): Promise<never>; reserve?(): Promise<never> };
      const one = await (client.reserve?.() ?? client.connect()) as { release(): void };
      try {
        assertThrows(() => kindOf(one), OptionError, "PostgreSQL client is");
      } finally {
        one.release();
      }
    }
  });

  it("refuses one of npm:postgres with fewer connections than a journal takes, which would wait for ever", async () => {
    await using server = await PostgresServer.start();
    await using small = await connectPostgresJs(server.url, { max: 1 });
    const message = '"max": 1, and a journal takes 2 of its connections: give it more';
    assertThrows(() => kindOf(small.client), OptionError, message);
    await using enough = await connectPostgresJs(server.url, { max: 2 });
    assertEquals(kindOf(enough.client), "postgres");
    await using node = await PostgresNode.open(() => Promise.resolve(enough), server);
    assertEquals((await node.journal.append(entry("a"))).duplicate, false);
  });
});

describe("kindOf()", () => {
  it("refuses what is no client, and a client of Bun for another database", () => {
    for (const value of [undefined, null, "postgres://h/db", {}, { query: () => {} }]) {
      assertThrows(() => kindOf(value), OptionError, "of no known kind (");
    }
    assertThrows(() => kindOf("host=a password=secret"), OptionError, "of no known kind (a text): give ");
    const sql = { unsafe() {}, reserve() {}, flush() {}, options: { adapter: "mysql" } };
    assertThrows(() => kindOf(sql), OptionError, 'its adapter is "mysql"');
    assertEquals(isResolver("x" as unknown as PostgresClient), false);
  });
});
