/** Kinds of clients by their shape; what is refused is named. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { isResolver, kindOf, type PostgresSource } from "../../postgres/client.ts";

const nothing = (): void => {};
const pg = { connect: nothing, query: nothing, escapeIdentifier: nothing, port: 5432 };
const sql = { unsafe: nothing, reserve: nothing, options: {} };

describe("kindOf", () => {
  it("knows each client by its shape", () => {
    assertEquals(kindOf({ connect: nothing, query: nothing, totalCount: 0, options: {} }), "pool");
    assertEquals(kindOf(pg), "client");
    assertEquals(kindOf(Object.assign(() => {}, sql, { subscribe: nothing })), "postgres");
    assertEquals(kindOf(Object.assign(() => {}, sql, { flush: nothing, options: { adapter: "postgres" } })), "bun");
  });

  it("names what cannot be used: part of a pool, a transaction, another database, anything else", () => {
    const cases: [unknown, string][] = [
      [{ ...pg, release: nothing }, "is one of a pool: give the pool itself"],
      [Object.assign(() => {}, { unsafe: nothing }), "a transaction or a reserved connection"],
      [{ ...sql, flush: nothing, options: { adapter: "mysql" } }, 'its adapter is "mysql", not "postgres"'],
      ["postgres://localhost", "of none of these kinds: npm:pg, npm:postgres, built into Bun (SQL)"],
      [undefined, "of none of these kinds"],
      [{}, "of none of these kinds"],
    ];
    for (const [client, message] of cases) assertThrows(() => kindOf(client), OptionError, message);
  });
});

describe("isResolver", () => {
  it("tells a function that gives clients from clients that are functions", () => {
    assertEquals(isResolver(() => pg as never), true);
    assertEquals(isResolver(Object.assign(() => {}, sql) as unknown as PostgresSource), false);
    assertEquals(isResolver(pg as unknown as PostgresSource), false);
  });
});
