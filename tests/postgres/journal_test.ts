/**
 * Several servers with one journal in PostgreSQL: who is told what, where receivers go on, and what becomes of it all
 * when something dies.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError, OptionError } from "../../base/errors.ts";
import type { PostgresClient } from "../../postgres/client.ts";
import { PostgresJournal, type PostgresJournalOptions } from "../../postgres/journal.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { entry } from "../support/journal_entry.ts";
import { PostgresServer } from "../support/postgres.ts";
import { POSTGRES_CLIENTS } from "../support/postgres_clients.ts";
import { bodies, Feed, PostgresNode, withPostgresNodes } from "../support/postgres_node.ts";
import { until } from "../support/support.ts";

describePostgres("PostgresJournal of several servers", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    describe(name, () => {
      it("tells all servers of every entry, once and in order, from any server", () =>
        withPostgresNodes(make, 3, async (nodes) => {
          const sent: Promise<unknown>[] = [];
          for (let at = 0; at < 300; at++) {
            const forward = at % 50 !== 7;
            sent.push(nodes[at % 3]!.journal.append(entry(`${at}`, { forward })));
          }
          await Promise.all(sent);
          await nodes[0]!.journal.append(entry("end"));
          await until(() => nodes.every(({ told }) => told.at(-1) === "end"), "the end at all");
          for (const { told, seqs, journal } of nodes) {
            assertEquals(told, nodes[0]!.told);
            assertEquals(told.length, 295);
            assert(seqs.every((seq, index) => index === 0 || seq > seqs[index - 1]!));
            assertEquals(journal.last, 301);
            assertEquals(journal.id, nodes[0]!.journal.id);
          }
          assertEquals(await nodes[2]!.journal.append(entry("5")), {
            seq: nodes[0]!.seqs[nodes[0]!.told.indexOf("5")]!,
            duplicate: true,
          });
        }));

      it("continues after a restart with its notifications, numbers, cursors, retries and identity", async () => {
        await using server = await PostgresServer.start();
        const first = await PostgresNode.open(make, server);
        const { seq } = await first.journal.append(entry("a"));
        first.journal.saveCursor("billing", seq);
        await first.close();
        await server.kill();
        await server.run();
        await using second = await PostgresNode.open(make, server);
        assertEquals([second.journal.id, second.journal.last], [first.journal.id, seq]);
        assertEquals(await second.journal.cursor("billing"), seq);
        assertEquals(bodies(await second.journal.read(0, 10)), ["a"]);
        assertEquals(await second.journal.append(entry("a")), { seq, duplicate: true });
        assert((await second.journal.append(entry("b"))).seq > seq);
      });

      it("loses no accepted notification when PostgreSQL is killed meanwhile", () =>
        withPostgresNodes(make, 2, async ([one, other], server) => {
          const feed = new Feed([one!, other!]);
          for (let turn = 0; turn < 3; turn++) {
            await feed.more(50);
            feed.refused.length = 0;
            await server.kill();
            await until(() => feed.refused.length > 0, "a refusal");
            await server.run();
          }
          await until(() => one!.isBack && other!.isBack, "both to be back");
          await feed.more(10);
          await feed.stop();
          const kept = await one!.readAll();
          assertEquals([...feed.taken].filter(([body, seq]) => kept.get(seq) !== body), []);
          // And both were told of it, once each.
          for (const { told, seqs } of [one!, other!]) {
            await until(() => [...feed.taken.keys()].every((body) => told.includes(body)), "all at both");
            assertEquals(new Set(told).size, told.length);
            assert(seqs.every((seq, index) => index === 0 || seq > seqs[index - 1]!));
          }
          assertEquals(new Set(one!.codes), new Set(["ERR_JOURNAL_AWAY"]));
        }));

      it("says why PostgreSQL is away, and when it is back why it was", () =>
        withPostgresNodes(make, 1, async ([node], server) => {
          await server.terminateClients();
          const told = (start: string): string | undefined =>
            node!.errors.map(({ message }) => message).find((message) => message.startsWith(start));
          await until(() => told("PostgreSQL is there again") !== undefined, "both");
          const [away, back] = [told("PostgreSQL is away") ?? "", told("PostgreSQL is there again")!];
          const why = /^PostgreSQL is away: (.*)$/.exec(away)![1]!;
          assert(why.length > 5 && !why.includes("undefined") && !why.includes("null"), away);
          assertEquals(back.replace(/[0-9.]+ s/, "N s"), `PostgreSQL is there again after N s; it was away: ${why}`);
          await node!.journal.append(entry("after"));
        }));

      it("lets receivers share a cursor over all servers", () =>
        withPostgresNodes(make, 2, async ([one, other]) => {
          for (let at = 1; at <= 10; at++) await one!.journal.append(entry(`${at}`));
          const here = one!.journal.share("billing", 2, "all", () => {});
          const there = other!.journal.share("billing", 2, "all", () => {});
          const first = await here.take(3);
          const second = await there.take(3);
          assertEquals(bodies(first.new), ["3", "4", "5"]);
          assertEquals(bodies(first.again), []);
          assertEquals(bodies(second.new), ["6", "7", "8"]);
          here.acknowledge([3]);
          // What the one had not done goes to the other, when its receivers leave.
          here.leave();
          let taken = await there.take(10);
          await until(async () => {
            if (taken.again.length === 0) taken = await there.take(10);
            return taken.again.length > 0;
          }, "what the one had not done");
          assertEquals(bodies(taken.again), ["4", "5"]);
          there.acknowledge([4, 5, 6, 7, 8, 9, 10]);
          assertEquals(await other!.journal.cursor("billing"), 10);
          assertEquals((await there.take(10)).new, []);
        }));
    });
  }

  const [make] = POSTGRES_CLIENTS.values();

  it("cannot be opened without PostgreSQL, or with something else", async () => {
    await using server = await PostgresServer.start();
    await using program = await make!(server.url);
    const wrong: [unknown, string][] = [
      [{}, "of no known kind (an object): give a pool or client of npm:pg, "],
      [undefined, "of no known kind (undefined): give "],
      [Promise.resolve(program.client), "of no known kind (a promise): give "],
      [server.url, "of no known kind (a text): give "],
      ["host=127.0.0.1 password=secret", "of no known kind (a text): give "],
    ];
    for (const [client, message] of wrong) {
      await assertRejects(() => PostgresJournal.open(client as PostgresClient), OptionError, message);
    }
    const Made = PostgresJournal as unknown as new (client: unknown) => PostgresJournal;
    for (const client of [program.client, undefined]) {
      assertThrows(() => new Made(client), OptionError, "await PostgresJournal.open(client)");
    }
    const misspelt = { schemaName: "x" } as PostgresJournalOptions;
    await assertRejects(() => PostgresJournal.open(program.client, misspelt), OptionError, 'use "schema"');
    assertThrows(() => PostgresJournal.schema({ schema: "x" } as never), OptionError, "is an object, not a string");
    await assertRejects(() => PostgresJournal.open(program.client, { maxBytes: 5 }), OptionError, "maxBytes");
    await server.kill();
    const error = await assertRejects(
      () => PostgresJournal.open(program.client),
      JournalError,
      "Cannot open the journal",
    );
    assertEquals(error.code, "ERR_JOURNAL_OPEN");
  });

  it("keeps cursors that move while PostgreSQL is away", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      await server.kill();
      await until(() => node!.errors.length > 0, "the bad news");
      node!.journal.saveCursor("billing", 5);
      // Each connection notices by itself.
      await assertRejects(() => node!.journal.cursor("billing"), JournalError, "Cannot read the journal in PostgreSQL");
      await assertRejects(() => node!.journal.has(entry("a").digest), JournalError, "in PostgreSQL: ");
      await server.run();
      await until(() => node!.isBack, "the good news");
      await using other = await PostgresNode.open(make!, server);
      await until(async () => await other.journal.cursor("billing") === 5, "the cursor");
    }));

  it("ends even if PostgreSQL dies meanwhile", () =>
    withPostgresNodes(make!, 1, async ([node], server) => {
      await node!.journal.append(entry("a"));
      const place = node!.journal.share("x", 0, "", () => {});
      const { seq } = (await place.take(1)).new[0]!;
      server.freeze(true);
      place.acknowledge([seq]);
      const closed = node!.journal.close();
      await server.kill();
      await closed;
    }));

  it("goes on when PostgreSQL shuts down in order, and starts again", () =>
    withPostgresNodes(make!, 2, async ([one, other], server) => {
      const feed = new Feed([one!, other!]);
      await feed.more(20);
      await server.shutDown("fast");
      await server.run();
      await until(() => one!.isBack && other!.isBack, "both to be back");
      await feed.more(20);
      await feed.stop();
      const kept = await one!.readAll();
      assertEquals([...feed.taken].filter(([body, seq]) => kept.get(seq) !== body), []);
      assertEquals(new Set(one!.codes), new Set(["ERR_JOURNAL_AWAY"]));
    }));
});
