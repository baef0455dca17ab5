/** Functions of the log in PostgreSQL: who is told of an append. */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { APPEND, SIGN } from "../../postgres/log_statements.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { connectPg } from "../support/postgres_clients.ts";
import { PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { repeatUntil, until } from "../support/support.ts";

const SCHEMA = "tackline";
const inSchema = (text: string): string => text.replaceAll("{schema}", SCHEMA);

/** The part of a client of npm:pg that is needed here. */
interface Listening {
  on(event: "notification", listener: (event: { payload?: string }) => void): void;
}

describePostgres("The log in PostgreSQL", () => {
  it("notifies other servers of an append, and none if there is none", () =>
    withPostgresNodes(connectPg, 1, async ([first], server) => {
      await using listener = await connectPg(server.url);
      const heard: string[] = [];
      (listener.client as unknown as Listening).on("notification", ({ payload = "" }) => heard.push(payload));
      await listener.query(`LISTEN ${SCHEMA}`);
      /** Numbers that were told of until now. */
      const told = async (mark: string): Promise<string[]> => {
        await server.sql("SELECT pg_notify($1, $2)", [SCHEMA, mark]);
        await until(() => heard.includes(mark), mark);
        return heard.filter((payload) => /^[1-9]/.test(payload)).map((payload) => payload.split(" ")[0]!);
      };
      await first!.journal.append(entry("alone"));
      assertEquals(await told("end of the first part"), []);
      await using second = await PostgresNode.open(connectPg, server);
      const { seq } = await first!.journal.append(entry("together"));
      assertEquals(await told("end of the second part"), [`${seq}`]);
      await until(() => second.told.length === 1, "the second server");
    }));

  it("has a new server wait for an append that cannot know it", async () => {
    await using server = await PostgresServer.start();
    await using appender = await connectPg(server.url);
    await appender.query(`CREATE SCHEMA ${SCHEMA}`);
    const node = await PostgresNode.open(connectPg, server);
    await node.close();
    const [meta] = await appender.query(`SELECT id, base::text, last::text FROM ${SCHEMA}.meta`);
    await appender.query("BEGIN");
    const items = "1 32 1 1 0 1";
    const values = [meta!.id, meta!.base, "0", "0", "0", SCHEMA, "one", items, new Uint8Array(34)];
    await appender.query(inSchema(APPEND), values);
    await using opener = await connectPg(server.url);
    let last: string | undefined;
    const signing = opener.query(inSchema(SIGN), ["two", "5000", ""]).then(([row]) => {
      last = String(row!.sign).split("|")[1];
    });
    const waiting = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0";
    let blocked = 0;
    await repeatUntil(
      async () => blocked = (await server.sql(waiting))[0]!.count as number,
      () => blocked > 0 || last !== undefined,
      "the new server",
    );
    assertEquals(last, undefined, "it signs while the append is under way");
    await appender.query("COMMIT");
    await signing;
    assertEquals(Number(last), Number(meta!.last) + 1);
  });
});
