import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OptionError } from "../../base/errors.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import type { ReceiverTokens, WhatsAppFilter, WhatsAppServer } from "../../whatsapp.ts";
import { checkReceiverTokens, cursorName } from "../../whatsapp/access.ts";
import { encode, until } from "../support/support.ts";
import { connect, post, startServer, type TestServer, textsTo, withFile } from "../support/whatsapp.ts";

const TOKEN = "a-secret-token-of-the-part";
const PART = { token: TOKEN, filter: { phoneNumberIds: ["1"], fields: ["messages"] } };

/** Connects until it has caught up, and says which messages came; all are acknowledged. */
async function visit(
  server: WhatsAppServer,
  receiverToken: string,
  name = "billing",
  after?: number,
): Promise<string[]> {
  const ids: string[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  const receiver = await connect(server, {
    receiverToken,
    name,
    after,
    onWhatsAppMessageReceived: ({ id }) => void ids.push(id),
    onCaughtUp: resolve,
  });
  const seq = await promise;
  await until(() => receiver.position!.after >= seq, "the acknowledgements");
  await receiver.disconnect();
  await until(() => server.connections.size === 0, "the end");
  return ids;
}

async function restart(server: TestServer, journal: string, receiverToken: ReceiverTokens): Promise<TestServer> {
  await server.stop();
  return await startServer({ journal, receiverToken });
}

describe("receivers of a token with a filter and without a name", () => {
  it("do not move the same name of another token past what that has not seen", async () => {
    await using server = await startServer({ receiverToken: ["full", PART, { ...PART, token: "part too" }] });
    for (const token of ["full", TOKEN, "part too"]) assertEquals(await visit(server, token), []);
    for (const body of [textsTo("1", "a"), textsTo("2", "b"), textsTo("1", "c")]) await post(server, body);
    assertEquals(await visit(server, TOKEN), ["a", "c"]);
    assertEquals(await visit(server, "full"), ["a", "b", "c"]);
    assertEquals(await visit(server, "part too"), ["a", "c"]);
    for (const token of ["full", TOKEN, "part too"]) assertEquals(await visit(server, token), []);
  });

  it("continue after a restart, whatever their filter's notation; the token is not in the files", () =>
    withFile(async (file) => {
      let server = await startServer({ journal: file, receiverToken: ["full", PART] });
      assertEquals(await visit(server, TOKEN), []);
      await post(server, textsTo("1", "a"));
      const filter = { fields: ["messages"], phoneNumberIds: ["1"] };
      server = await restart(server, file, [{ filter, token: TOKEN }, "full"]);
      await post(server, textsTo("1", "b"));
      assertEquals(await visit(server, TOKEN), ["a", "b"]);
      await post(server, textsTo("2", "c"));
      // What it may have more of now comes from where it was.
      server = await restart(server, file, [{ token: TOKEN, filter: { phoneNumberIds: ["2"] } }]);
      assertEquals(await visit(server, TOKEN), ["c"]);
      await server.stop();
      for (const name of readdirSync(dirname(file))) {
        assert(!readFileSync(join(dirname(file), name), "latin1").includes(TOKEN), name);
      }
    }));

  it("begin where an earlier version kept the name, which shared it with other tokens", async () => {
    const journal = new MemoryJournal();
    const named = { token: "named", name: "named", filter: PART.filter };
    await using server = await startServer({ journal, receiverToken: ["full", PART, named] });
    for (const id of ["a", "b", "c"]) await post(server, textsTo("1", id));
    await journal.admit("billing", 1);
    assertEquals(await visit(server, TOKEN), ["b", "c"]);
    assertEquals(await visit(server, "named"), []);
    assertEquals(await journal.cursor("billing"), 1);
    assertEquals(await visit(server, TOKEN), []);
    assertEquals(await visit(server, "full"), ["b", "c"]);
    // What they say themselves goes before.
    assertEquals(await visit(server, TOKEN, "other", 0), ["a", "b", "c"]);
    await journal.admit("third", 2);
    assertEquals(await visit(server, TOKEN, "third", 0), ["a", "b", "c"]);
    // Others have never shared their names.
    assertEquals(await visit(server, TOKEN, "fourth"), []);
  });
});

describe("cursorName", () => {
  it("is one of its own for each token with a name or a filter, and never that of another", () => {
    const filter = {};
    const digest = cursorName("x", PART).split("\n").at(-2)!;
    const tokens = [
      undefined,
      { token: TOKEN, name: "part" },
      { token: TOKEN, name: digest },
      { token: TOKEN, name: "part", filter },
      PART,
      { token: "part too", filter },
    ];
    const names = tokens.map((token) => cursorName("x", token));
    // A name is that of the token's name, with and without a filter.
    assertEquals(new Set(names).size, names.length - 1);
    assertEquals(cursorName("x", { token: TOKEN }), "x");
    assertEquals(cursorName("x", PART), cursorName("x", { filter: { fields: [] }, token: TOKEN }));
    assert(
      names.every((name) => !name.includes(TOKEN) && name.endsWith("x") && encode(name).length < 40),
      names.join(),
    );
  });
});

describe("checkReceiverTokens", () => {
  const filter = { fields: ["messages", "history"] };

  it("refuses tokens that share a name, and so a cursor, with different filters", () => {
    for (const other of [undefined, {}, { fields: ["messages"] }, { accountIds: filter.fields }]) {
      const tokens = [{ token: "full", name: "billing", filter: other }, { token: "part", name: "billing", filter }];
      assertThrows(() => checkReceiverTokens(tokens), OptionError, "different filters");
      assertThrows(() => checkReceiverTokens(tokens.toReversed()), OptionError, "different filters");
    }
  });

  it("takes tokens that share a name while one is replaced", () => {
    const fields = ["history", "messages", "history"];
    const tokens = [{ token: "old", name: "billing", filter }, { token: "new", name: "billing", filter: { fields } }];
    assertEquals(checkReceiverTokens(tokens), tokens);
    assertEquals(checkReceiverTokens(["a", "b", "a"]).map(({ token }) => token), ["a", "b", "a"]);
  });

  it("refuses a token that stands there twice, with and without a filter or a name", () => {
    for (const other of ["same", { token: "same", name: "billing" }, { token: "same", name: "billing", filter }]) {
      const tokens = [{ token: "same", filter }, other];
      assertThrows(() => checkReceiverTokens(tokens), OptionError, "twice");
      assertThrows(() => checkReceiverTokens(tokens.toReversed()), OptionError, "twice");
    }
  });

  it("sees a filter that a class has", () => {
    class Restricted {
      token = "part";
      get filter(): WhatsAppFilter {
        return filter;
      }
    }
    assertEquals(checkReceiverTokens([new Restricted()])[0]!.filter, filter);
  });
});
