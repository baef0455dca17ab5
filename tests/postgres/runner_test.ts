/** Statements of one journal: names, repetition, and the end. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { PostgresLink } from "../../postgres/link.ts";
import { quoteName, StatementRunner } from "../../postgres/runner.ts";

/** A connection that answers with what it is given, in turn. */
class Answers {
  readonly texts: string[] = [];
  readonly link: PostgresLink;
  constructor(...answers: (() => Promise<string[][]>)[]) {
    this.link = {
      query: (text) => {
        this.texts.push(text);
        return (answers.length > 1 ? answers.shift()! : answers[0]!)();
      },
      destroy: () => Promise.resolve(),
    };
  }
}

function makeRunner(link: PostgresLink | undefined, schema = "s"): StatementRunner {
  return new StatementRunner(schema, {
    link,
    requireLink() {
      if (link === undefined) throw new Error("PostgreSQL is away");
      return link;
    },
  });
}

const failing = (code: string) => () => Promise.reject(Object.assign(new Error(`state ${code}`), { code }));

describe("quoteName()", () => {
  it("quotes whatever a name has", () => {
    assertEquals([quoteName("tackline"), quoteName('a "b"; DROP')], ['"tackline"', '"a ""b""; DROP"']);
  });
});

describe("StatementRunner", () => {
  it("puts the quoted name of the schema at each place", async () => {
    const answers = new Answers(() => Promise.resolve([["1"]]));
    assertEquals(await makeRunner(answers.link, 'a"b').run("SELECT {schema}.f() FROM {schema}.t"), [["1"]]);
    assertEquals(answers.texts, ['SELECT "a""b".f() FROM "a""b".t']);
  });

  it("repeats what another transaction has stopped, and nothing else", async () => {
    const stopped = new Answers(failing("40001"), failing("40P01"), () => Promise.resolve([["1"]]));
    assertEquals([await makeRunner(stopped.link).run("x"), stopped.texts.length], [[["1"]], 3]);
    const refused = new Answers(failing("53100"));
    await assertRejects(() => makeRunner(refused.link).run("x"), Error, "state 53100");
    assertEquals(refused.texts.length, 1);
  });

  it("gives up a transaction that is stopped each time", async () => {
    const stopped = new Answers(failing("40001"));
    await assertRejects(() => makeRunner(stopped.link).run("x"), Error, "state 40001");
    assertEquals(stopped.texts.length, 20);
  });

  it("rejects without a connection", async () => {
    await assertRejects(() => makeRunner(undefined).run("x"), Error, "PostgreSQL is away");
  });

  it("stops when what is under way has ended, and runs nothing more", async () => {
    const answer = Promise.withResolvers<string[][]>();
    const runner = makeRunner(new Answers(() => answer.promise).link);
    const running = runner.run("x");
    let stopped = false;
    const stopping = runner.stop().then(() => stopped = true);
    await assertRejects(() => runner.run("y"), Error, "closed");
    assertEquals(stopped, false);
    answer.resolve([]);
    await Promise.all([running, stopping]);
  });
});
