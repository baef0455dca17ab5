import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandlerError, OptionError, StateError } from "../../base/errors.ts";
import type { Appended } from "../../journal/journal.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { RESOLUTION } from "../../base/shared_timer.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { FakeClock, settle, until } from "../support/support.ts";
import { connect, post, startServer, texts, withFile } from "../support/whatsapp.ts";

describe("onRawMessage that does not settle", () => {
  it("delays its notification for rawMessageTimeout; then it is kept, forwarded and reported", async () => {
    const clock = new FakeClock();
    let asked = 0;
    await using server = await startServer({
      clock,
      rawMessageTimeout: 700,
      onRawMessage: (raw) => {
        asked++;
        return raw === texts("stuck") ? new Promise<boolean>(() => {}) : undefined;
      },
    });
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
    const answers: number[] = [];
    const first = post(server, texts("stuck")).then((status) => answers.push(status));
    await until(() => asked === 1, "the question");
    const retry = post(server, texts("stuck")).then((status) => answers.push(status));
    await until(() => server.taken === 2, "the retry");
    // Others go on meanwhile.
    assertEquals(await post(server, texts("other")), 200);
    clock.advance(699);
    await settle();
    assertEquals([asked, answers], [2, []]);
    clock.advance(RESOLUTION);
    await Promise.all([first, retry]);
    assertEquals([asked, answers], [2, [200, 200]]);
    await until(() => got.length === 2, "both");
    assertEquals(got, [texts("other"), texts("stuck")]);
    assertEquals(await post(server, texts("stuck")), 200);
    assertEquals(asked, 2);
    assertEquals(server.errors.map(({ code }) => code), ["ERR_HANDLER_TIMEOUT"]);
    assert(server.errors[0] instanceof HandlerError && server.errors[0].message.includes("700 ms"));
    await receiver.disconnect();
  });

  it("changes nothing by a late veto, and is reported if it fails late", async () => {
    const clock = new FakeClock();
    const late = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()];
    let asked = 0;
    await using server = await startServer({ clock, onRawMessage: () => late[asked++]!.promise });
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
    const answers = Promise.all([post(server, texts("1")), post(server, texts("2"))]);
    await until(() => asked === 2, "the questions");
    // The default.
    clock.advance(4999);
    await settle();
    assertEquals(server.errors, []);
    clock.advance(RESOLUTION);
    assertEquals(await answers, [200, 200]);
    await until(() => got.length === 2, "both");
    late[0]!.resolve(false);
    late[1]!.reject(new Error("mine"));
    await until(() => server.errors.length === 3, "the errors");
    assertEquals(server.errors.map(({ code }) => code), ["ERR_HANDLER_TIMEOUT", "ERR_HANDLER_TIMEOUT", "ERR_HANDLER"]);
    assertEquals(await post(server, texts("1")), 200);
    assertEquals([asked, got.length], [2, 2]);
    await receiver.disconnect();
  });

  it("leaves no timer behind when it settles in time, or the server stops", async () => {
    const clock = new FakeClock();
    const options = { clock, closeTimeout: 1000, handshakeTimeout: 0, pingInterval: 0, bodyTimeout: 0, idleTimeout: 0 };
    let stuck = false;
    let asked = 0;
    const server = await startServer({
      ...options,
      onRawMessage: () => {
        asked++;
        return stuck ? new Promise<void>(() => {}) : Promise.resolve();
      },
    });
    const quiet = clock.pending;
    assertEquals(await post(server, texts("1")), 200);
    await until(() => server.stats().connections.open === 0 || clock.pending === quiet, "rest");
    stuck = true;
    const answer = post(server, texts("2")).catch(() => 0);
    await until(() => asked === 2, "the question");
    const stopped = server.stop({ closeTimeout: 1000 });
    await settle();
    clock.advance(1000 + RESOLUTION);
    await stopped;
    await answer;
    assertEquals(clock.pending, 0);
    // The next start knows nothing of it.
    stuck = false;
    await server.start();
    assertEquals(await post(server, texts("2")), 200);
    assertEquals(asked, 3);
    await server.stop();
  });

  it("has no limit with 0", async () => {
    const clock = new FakeClock();
    const decision = Promise.withResolvers<boolean>();
    let asked = 0;
    await using server = await startServer({
      clock,
      rawMessageTimeout: 0,
      onRawMessage: () => {
        asked++;
        return decision.promise;
      },
    });
    const answer = post(server, texts("1"));
    await until(() => asked === 1, "the question");
    clock.advance(10 * 60_000);
    const retry = post(server, texts("1"));
    await until(() => server.taken === 2, "the retry");
    decision.resolve(false);
    assertEquals([await answer, await retry, asked, server.errors.length], [200, 200, 1, 0]);
  });

  it("is a setting like others", async () => {
    for (const rawMessageTimeout of [-1, 1.5, 2 ** 31, NaN, "5" as unknown as number]) {
      assertThrows(() => new WhatsAppServer({ rawMessageTimeout }), OptionError, '"rawMessageTimeout"');
    }
    const server = await startServer();
    assertEquals(server.rawMessageTimeout, 5000);
    assertThrows(() => server.rawMessageTimeout = 1, StateError);
    await server.stop();
    server.rawMessageTimeout = 1;
    assertThrows(() => server.rawMessageTimeout = -1, OptionError);
    assertEquals(server.rawMessageTimeout, 1);
  });
});

describe("await stop() within onRawMessage", () => {
  const long = texts("x".repeat(100_000));
  for (const [name, body] of [["a short notification", texts("1")], ["a long one", long]] as const) {
    for (const rawMessageTimeout of [5000, 0]) {
      it(`ends, and ${name} is kept and answered before (rawMessageTimeout: ${rawMessageTimeout})`, () =>
        withFile(async (journal) => {
          // Time stands still: a stop that waited for a limit would never end.
          const clock = new FakeClock();
          const stopped = Promise.withResolvers<void>();
          const server = await startServer({
            clock,
            journal,
            rawMessageTimeout,
            onRawMessage: async () => {
              await Promise.resolve();
              await server.stop();
              stopped.resolve();
              return false;
            },
          });
          assertEquals(await post(server, body), 200);
          await stopped.promise;
          assertEquals([server.address, server.errors, clock.pending], [undefined, [], 0]);
          const again = await startServer({ journal });
          const got: string[] = [];
          const receiver = await connect(again, { after: 0, onMessageReceived: (raw) => void got.push(raw) });
          await until(() => got.length > 0, "the notification");
          assertEquals(got, [body]);
          await receiver.disconnect();
          await again.stop();
        }));
    }
  }

  it("of another server decides nothing", async () => {
    const other = await startServer();
    let vetoed = 0;
    await using server = await startServer({
      onRawMessage: async () => {
        await other.stop();
        vetoed++;
        return false;
      },
    });
    const got: string[] = [];
    const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
    assertEquals(await post(server, texts("1")), 200);
    assertEquals([vetoed, other.address], [1, undefined]);
    server.broadcastMessage("own");
    await until(() => got.length > 0, "the text");
    assertEquals(got, ["own"]);
    await receiver.disconnect();
  });

  it("reports what the handler throws afterwards", async () => {
    const thrown = Promise.withResolvers<void>();
    const server = await startServer({
      onRawMessage: async () => {
        await server.stop();
        throw new Error("late");
      },
      onError: () => thrown.resolve(),
    });
    assertEquals(await post(server, texts("1")), 200);
    await thrown.promise;
  });
});

describe("a journal that does not answer", () => {
  /** Forgets its first answer. */
  class Forgetful extends MemoryJournal {
    appends = 0;
    override append(entry: Parameters<MemoryJournal["append"]>[0]): Promise<Appended> {
      return this.appends++ === 0 ? new Promise(() => {}) : super.append(entry);
    }
  }

  it("does not affect retries when it answers at last", async () => {
    const clock = new FakeClock();
    /** Answers when it is told to. */
    class Slow extends MemoryJournal {
      readonly gates: (() => void)[] = [];
      override async append(entry: Parameters<MemoryJournal["append"]>[0]): Promise<Appended> {
        await new Promise<void>((resolve) => this.gates.push(resolve));
        return await super.append(entry);
      }
    }
    const journal = new Slow();
    await using server = await startServer({ clock, journal });
    const answers = [post(server, texts("1"))];
    await until(() => journal.gates.length === 1, "the first attempt");
    clock.advance(30_000);
    answers.push(post(server, texts("1")));
    await until(() => journal.gates.length === 2, "the second attempt");
    journal.gates[0]!();
    assertEquals(await answers[0], 200);
    answers.push(post(server, texts("1")));
    await until(() => server.taken === 3, "the third");
    await settle();
    assertEquals(journal.gates.length, 2);
    journal.gates[1]!();
    assertEquals(await Promise.all(answers), [200, 200, 200]);
    assertEquals((await journal.read(0, 10)).length, 1);
  });

  for (const asks of [false, true]) {
    it(`holds up retries for 30 s only, ${asks ? "with" : "without"} onRawMessage`, async () => {
      const clock = new FakeClock();
      const journal = new Forgetful();
      await using server = await startServer({ clock, journal, onRawMessage: asks ? () => {} : undefined });
      const got: string[] = [];
      const receiver = await connect(server, { onMessageReceived: (raw) => void got.push(raw) });
      const hanging = post(server, texts("1")).catch(() => "lost");
      await until(() => journal.appends === 1, "the first attempt");
      clock.advance(29_999);
      const joined = post(server, texts("1")).catch(() => "lost");
      await until(() => server.taken === 2, "the retry");
      await settle();
      assertEquals(journal.appends, 1);
      clock.advance(1);
      assertEquals(await post(server, texts("1")), 200);
      assertEquals(await post(server, texts("1")), 200);
      await until(() => got.length === 1, "the notification");
      await receiver.disconnect();
      await server.stop({ closeTimeout: 1, signal: AbortSignal.abort() });
      assertEquals(await Promise.all([hanging, joined]), ["lost", "lost"]);
      assertEquals(got, [texts("1")]);
    });
  }
});
