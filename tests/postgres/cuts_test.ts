/**
 * The connection is lost at every statement, one after the other: before PostgreSQL has it, and after it was done but
 * before the answer came. Whatever is refused is tried again, as Meta and receivers do.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JournalError } from "../../base/errors.ts";
import { PostgresJournal } from "../../postgres/journal.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer, QUICK, SUPERUSER } from "../support/postgres.ts";
import { POSTGRES_CLIENTS, type PostgresProgram } from "../support/postgres_clients.ts";
import { bodies, PostgresNode } from "../support/postgres_node.ts";
import { type CutPlace, PostgresProxy } from "../support/postgres_proxy.ts";
import { FakeClock, repeatUntil, until } from "../support/support.ts";

/** Interval between a journal's checks for expired entries, in ms. */
const TRIM_INTERVAL = 600_000;
/** Messages at which a cut makes a difference: the first of a connection, and those that have the server work. */
const TURNING = ["start", "Q", "S", "H"];
/** Codes that a lost connection may lead to. */
const ALLOWED: readonly string[] = ["ERR_JOURNAL_AWAY", "ERR_JOURNAL_WRITE", "ERR_JOURNAL_READ"];

/** Repeats a step until it is not refused. */
async function persist<Result>(step: () => Promise<Result>): Promise<Result> {
  let done: { result: Result } | undefined;
  await repeatUntil(
    async () => {
      done = await step().then((result) => ({ result }), ({ code }: JournalError) => {
        assert(ALLOWED.includes(code) || code === "ERR_JOURNAL_OPEN", code);
        return undefined;
      });
    },
    () => done !== undefined,
    "a step",
  );
  return done!.result;
}

/**
 * Plays all that a node does, from its opening to its end, and checks it. `isUnknown` is true where the answer is lost
 * that says what retention has removed: then no receiver is reported that had not acknowledged it.
 */
async function play(
  server: PostgresServer,
  program: PostgresProgram,
  schema: string,
  isUnknown: boolean,
): Promise<void> {
  const clock = new FakeClock();
  const options = { schema, clock, maxAge: TRIM_INTERVAL / 2 };
  const node = new PostgresNode(await persist(() => PostgresJournal.open(program.client, options)), program);
  const { journal } = node;
  const append = (body: string): ReturnType<PostgresJournal["append"]> => persist(() => journal.append(entry(body)));
  const first = await append("a");
  const both = await Promise.all([append("b"), append("c")]);
  const seqs = [first, ...both].map(({ seq }) => seq).sort((one, other) => one - other);
  assertEquals([new Set(seqs).size, seqs[0]], [3, first.seq]);
  assertEquals(await append("a"), { seq: first.seq, duplicate: true });
  assertEquals(await persist(() => journal.has(entry("b").digest)), true);
  const kept = await server.sql(
    `SELECT seq::int, convert_from(body, 'UTF8') AS body FROM ${schema}.notification ORDER BY 1`,
  );
  assertEquals(kept.map(({ seq }) => seq), seqs);
  await until(() => node.told.length === 3, "all three");
  assertEquals([node.told, node.seqs], [kept.map(({ body }) => body), seqs]);

  assertEquals(await persist(() => journal.admit("r", 0, false)), 0);
  journal.saveCursor("r", seqs[1]!);
  await until(async () => await persist(() => journal.cursor("r")) === seqs[1], "the cursor");

  let place = journal.share("pool", 0, "", () => {});
  const got: string[] = [];
  await repeatUntil(
    async () => {
      const taken = await place.take(1).catch(() => undefined);
      if (taken === undefined) {
        // As servers do: they close the connections of these receivers, which come back.
        place.leave();
        place = journal.share("pool", 0, "", () => {});
        return;
      }
      const all = [...taken.again, ...taken.new];
      got.push(...bodies(all));
      place.acknowledge(all.map(({ seq }) => seq));
    },
    () => new Set(got).size === 3,
    "all three at the receivers",
  );
  await until(async () => await persist(() => journal.cursor("pool")) === seqs[2], "the shared cursor");
  const { again, new: fresh } = await persist(() => place.take(5));
  assertEquals([...again, ...fresh], []);
  place.leave();

  await repeatUntil(() => clock.advance(TRIM_INTERVAL), () => journal.trimmed === seqs[2], "retention");
  await repeatUntil(
    () => clock.advance(TRIM_INTERVAL),
    () => isUnknown || node.codes.includes("ERR_JOURNAL_TRIMMED"),
    "the report of what a receiver has missed",
  );
  assertEquals(await persist(() => journal.read(0, 5)), []);
  await journal.close();
  assertEquals(node.codes.filter((code) => !ALLOWED.includes(code) && code !== "ERR_JOURNAL_TRIMMED"), []);
}

describePostgres("PostgresJournal whose connection is lost at every statement", () => {
  // One of npm:pg is enough: the journal takes the options of a pool as those of a client.
  for (const [name, make] of [...POSTGRES_CLIENTS].filter(([name]) => name !== "npm:pg Client")) {
    describe(name, () => {
      for (const cut of ["before", "after"] as const) {
        it(`${cut} it is done, loses nothing, does nothing twice, and ends`, () => cutEverywhere(make, cut));
      }
    });
  }

  async function cutEverywhere(make: (url: string) => Promise<PostgresProgram>, cut: CutPlace): Promise<void> {
    await using server = await PostgresServer.start({ settings: QUICK });
    await using proxy = await PostgresProxy.listen(server.port);
    for (let place = 0;; place++) {
      const cuts = proxy.cuts;
      {
        await using program = await make(`postgres://${SUPERUSER}@127.0.0.1:${proxy.port}/postgres`);
        let count = 0;
        let where = "";
        proxy.decide = ({ type, text }) => {
          if (!TURNING.includes(type) || count++ !== place) return undefined;
          where = `${type} ${text}`;
          return cut;
        };
        await play(server, program, `cut_${place}`, cut === "after").catch((error) => {
          throw new Error(`cut ${cut} message ${place}, ${where}: ${error.message}`, { cause: error });
        });
        proxy.decide = () => undefined;
      }
      await until(() => proxy.open === 0, "the end of all connections");
      if (proxy.cuts === cuts) return assert(place > 20, `only ${place} statements`);
    }
  }
});
