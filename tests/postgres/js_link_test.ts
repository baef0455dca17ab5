/** A connection that npm:postgres lends: its end, and how it is reserved. */

import { assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import { connect, type Socket } from "node:net";
import type { PostgresJsClient } from "../../postgres/client.ts";
import { openPostgresJs } from "../../postgres/js_link.ts";
import type { PostgresLinkHandler } from "../../postgres/link.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { PostgresServer, QUICK } from "../support/postgres.ts";
import { connectPostgresJs } from "../support/postgres_clients.ts";
import { turns, until } from "../support/support.ts";

const { signal } = new AbortController();
const quiet: PostgresLinkHandler = { notified: () => {}, closed: () => {} };

describePostgres("A connection lent by npm:postgres", () => {
  it("gets no statement when the end of another one tells of it first", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    const sockets: Socket[] = [];
    await using program = await connectPostgresJs(server.url, {
      socket() {
        const socket = connect(server.port, "127.0.0.1");
        sockets.push(socket);
        return socket;
      },
    });
    const client = program.client as PostgresJsClient;
    const answers: Promise<unknown>[] = [];
    let ended = 0;
    const second = await openPostgresJs(client, { notified: () => {}, closed: () => void ended++ }, signal);
    const first = await openPostgresJs(client, {
      notified: () => {},
      closed() {
        ended++;
        answers.push(assertRejects(() => second.query("SELECT 1")));
      },
    }, signal);
    assertEquals(sockets.length, 2);
    // The first one's end comes first, and the other's in the same turn.
    for (const socket of sockets.reverse()) socket.destroy();
    await until(() => ended === 2, "both ends");
    assertEquals(answers.length, 1);
    await Promise.all(answers);
    // The package would write then.
    await turns();
    await Promise.all([first.destroy(), second.destroy()]);
  });

  it("is reserved though a statement of the program takes the one that was opened for it", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    await using program = await connectPostgresJs(server.url);
    const client = program.client as PostgresJsClient & { unsafe(...args: unknown[]): Promise<unknown> };
    let taken: Promise<string> | undefined;
    const busy = Object.assign(Object.create(client), {
      unsafe(...args: unknown[]) {
        const answer = client.unsafe(...args);
        // A program that waits for the same statement goes on first.
        if (taken === undefined) {
          answer.then(() => {
            const long = client.unsafe("SELECT pg_sleep(60)");
            taken = long.then(() => "slept", () => "ended");
          });
        }
        return answer;
      },
    });
    const link = await openPostgresJs(busy, quiet, signal);
    assertEquals(await link.query("SELECT 'here'"), [["here"]]);
    await link.destroy();
    await program.close();
    assertEquals(await taken, "ended");
  });

  it("is given back when it comes after the waiting has ended", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    await using program = await connectPostgresJs(server.url, { max: 1 });
    const client = program.client as PostgresJsClient;
    const given = new AbortController();
    const opening = openPostgresJs(client, quiet, given.signal);
    given.abort(new Error("given up"));
    await assertRejects(() => opening, Error, "given up");
    // With one connection in all, this needs that one.
    const link = await openPostgresJs(client, quiet, signal);
    assertEquals(await link.query("SELECT 'here'"), [["here"]]);
    await link.destroy();
    assertEquals(await program.query("SELECT 1 AS n"), [{ n: 1 }]);
  });

  it("hears notifications after a loss as before, each once, and what has ended hears none", async () => {
    await using server = await PostgresServer.start({ settings: QUICK });
    await using program = await connectPostgresJs(server.url);
    const client = program.client as PostgresJsClient;
    const heard: string[] = [];
    for (let turn = 0; turn < 3; turn++) {
      let ended = false;
      const link = await openPostgresJs(client, {
        notified: (payload) => void heard.push(`${turn} ${payload}`),
        closed: () => ended = true,
      }, signal);
      await link.listen!("news").catch(() => {});
      await until(async () => {
        await server.sql("NOTIFY news, 'first'");
        return heard.includes(`${turn} first`);
      }, "a notification");
      await server.sql("NOTIFY news, 'last'");
      await until(() => heard.includes(`${turn} last`), "the last notification");
      assertEquals(heard.filter((text) => text.endsWith("last")), [`${turn} last`]);
      heard.length = 0;
      await server.terminateClients();
      await until(() => ended, "the end");
      await link.destroy();
    }
  });
});
