/** Opening of connections: a function that gives a client for each attempt. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { PostgresClient } from "../../postgres/client.ts";
import { linkOpener } from "../../postgres/open_link.ts";
import { describePostgres } from "../support/describe_postgres.ts";
import { PostgresServer } from "../support/postgres.ts";
import { POSTGRES_CLIENTS } from "../support/postgres_clients.ts";

const handler = { notified() {}, closed() {} };
const never = new AbortController().signal;

describePostgres("linkOpener()", () => {
  for (const [name, make] of POSTGRES_CLIENTS) {
    it(`asks a function for each connection, and leaves its clients open, over ${name}`, async () => {
      await using server = await PostgresServer.start();
      await using program = await make(server.url);
      let asked = 0;
      const open = linkOpener(() => {
        asked++;
        return Promise.resolve(program.client);
      });
      for (const round of [1, 2]) {
        const link = await open(handler, never);
        const bytes = new Uint8Array([0, 255, 39, 92]);
        assertEquals(
          await link.query("SELECT $1::text, $2::bytea, NULL, $3::text", ["é'", bytes, 5]).then((rows) =>
            rows.map((row) => row.map((column) => column instanceof Uint8Array ? [...column] : column))
          ),
          [["é'", [...bytes], null, "5"]],
        );
        await link.destroy();
        await assertRejects(() => link.query("SELECT 1"), Error, "lost");
        assertEquals(asked, round);
      }
      assertEquals((await program.query("SELECT 1::int AS one"))[0]!.one, 1);
    });
  }
});

describe("linkOpener() without a server", () => {
  it("refuses an unknown client at once, and one that a function gives when it is asked", async () => {
    assertThrows(() => linkOpener({} as PostgresClient), OptionError, "of no known kind (an object)");
    await assertRejects(
      () => linkOpener(() => ({}) as PostgresClient)(handler, never),
      OptionError,
      "of no known kind (an object)",
    );
  });

  it("passes on the error of a function, and does not wait for it after the end", async () => {
    const fails = linkOpener(() => {
      throw new Error("no registry");
    });
    await assertRejects(() => fails(handler, never), Error, "no registry");
    const attempt = new AbortController();
    const waiting = linkOpener(() => new Promise<PostgresClient>(() => {}))(handler, attempt.signal);
    attempt.abort(new Error("too late"));
    await assertRejects(() => waiting, Error, "too late");
  });
});
