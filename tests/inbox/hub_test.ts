import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHash } from "node:crypto";
import type { SendResult } from "../../connection/options.ts";
import { InboxHub } from "../../inbox/hub.ts";
import type { InboxMember, InboxSink } from "../../inbox/member.ts";
import { decodeInboxMessage, type HelloMessage } from "../../inbox/protocol.ts";
import { JournalError } from "../../base/errors.ts";
import type { Journal, JournalEntry } from "../../journal/journal.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import type { SharedMessage } from "../../connection/shared_message.ts";
import type { WhatsAppFilter } from "../../cloud_api/filter.ts";
import { decode, decodeAll, encode, FakeClock, settle, turns, until } from "../support/support.ts";

/** A connection that keeps what it is sent. */
class Sink implements InboxSink {
  open = true;
  result: SendResult = "sent";
  closed: [code: number, reason: string] | undefined;
  /** Each message as one line; notifications as `seq body`. */
  readonly got: string[] = [];
  readonly heads: Record<string, unknown>[] = [];
  #drained: (() => void) | undefined;
  member: InboxMember | undefined;

  send(message: SharedMessage): SendResult {
    if (this.result === "dropped") return "dropped";
    for (const { payload } of decodeAll(message.framesFor(undefined))) {
      const { head, body } = decodeInboxMessage(payload);
      this.heads.push(head);
      this.got.push(head.type === "notification" ? `${head.seq} ${decode(body)}` : `${head.type}`);
    }
    return this.result;
  }
  drained(): Promise<void> {
    return new Promise((resolve) => this.#drained = resolve);
  }
  drain(): void {
    this.result = "sent";
    this.#drained?.();
    this.#retry?.();
  }
  #retry: (() => void) | undefined;
  later(callback: () => void): () => void {
    this.#retry = callback;
    return () => this.#retry = undefined;
  }
  close(code: number, reason: string): void {
    this.closed = [code, reason];
    this.open = false;
  }

  /** The notifications. */
  get bodies(): string[] {
    return this.got.filter((line) => !["welcome", "gap", "current"].includes(line));
  }
  ack(...seqs: number[]): void {
    this.member!.acknowledge(seqs);
  }
  leave(): void {
    this.open = false;
    this.member!.leave();
  }
}

class Rig {
  readonly errors: unknown[] = [];
  readonly hub: InboxHub;
  constructor(readonly journal: Journal = new MemoryJournal()) {
    this.hub = new InboxHub(journal, (error) => this.errors.push(error));
    journal.listen({ appended: (entry) => this.hub.appended(entry), error: (error) => void this.errors.push(error) });
  }
  async add(...bodies: string[]): Promise<void> {
    for (const body of bodies) {
      const bytes = encode(body);
      const digest = createHash("sha256").update(bytes).digest();
      await this.journal.append({ bytes, signature: "sha256=x", receivedAt: new Date(0), digest, forward: true });
    }
    await settle();
  }
  async join(hello: Partial<HelloMessage> = {}, allowed?: WhatsAppFilter): Promise<Sink> {
    const sink = new Sink();
    sink.member = await this.hub.join(sink, { type: "hello", ...hello }, allowed);
    await settle();
    return sink;
  }
}

function about(...phoneNumberIds: string[]): string {
  const entry = phoneNumberIds.map((id) => ({
    id: `account-${id}`,
    changes: [{ field: "messages", value: { metadata: { phone_number_id: id } } }],
  }));
  return JSON.stringify({ object: "whatsapp_business_account", entry });
}

describe("InboxHub: the start position of a receiver", () => {
  it("is the end of the journal by default", async () => {
    const rig = new Rig();
    await rig.add("a");
    const sink = await rig.join();
    await rig.add("b", "c");
    assertEquals(sink.got, ["welcome", "current", "2 b", "3 c"]);
    assertEquals(sink.heads[1], { type: "current", seq: 1 });
    assertEquals(sink.heads[0], { type: "welcome", journal: rig.journal.id, after: 1, last: 1, window: 256 });
    assertEquals(sink.heads[2], {
      type: "notification",
      seq: 2,
      signature: "sha256=x",
      receivedAt: "1970-01-01T00:00:00.000Z",
    });
  });

  it("is behind its position: first the stored notifications, then new ones", async () => {
    const rig = new Rig();
    await rig.add("a", "b", "c");
    const sinks = [
      await rig.join({ after: 0 }),
      await rig.join({ after: 2, journal: rig.journal.id }),
      await rig.join({ after: 99 }),
    ];
    await rig.add("d");
    assertEquals(sinks.map(({ bodies }) => bodies), [["1 a", "2 b", "3 c", "4 d"], ["3 c", "4 d"], ["4 d"]]);
  });

  it("is at the very beginning when it counts in another journal", async () => {
    const rig = new Rig();
    await rig.add("a", "b");
    assertEquals((await rig.join({ after: 2, journal: "another" })).bodies, ["1 a", "2 b"]);
  });

  it("is the same after a restart of the hub", async () => {
    const rig = new Rig();
    const first = await rig.join({ name: "billing" });
    await rig.add("a", "b", "c");
    first.ack(1, 2);
    const again = new Rig(rig.journal);
    assertEquals((await again.join({ name: "billing" })).bodies, ["3 c"]);
  });
});

describe("InboxHub: receivers that are behind", () => {
  it("learn once when they have caught up, whatever the window and the filter", async () => {
    const rig = new Rig();
    await rig.add(about("1"), about("2"), "x");
    const sink = await rig.join({ after: 0, window: 1, filter: { phoneNumberIds: ["1"] } });
    assertEquals(sink.got, ["welcome", `1 ${about("1")}`]);
    sink.ack(1);
    assertEquals(sink.heads[2], { type: "current", seq: 3 });
    await rig.add(about("1", "3"));
    assertEquals(sink.got.length, 4);
  });

  it("learn it when they read from the journal too", async () => {
    const rig = new Rig();
    await rig.add(...Array.from({ length: 1200 }, (_, at) => `${at}`));
    const sink = await rig.join({ after: 0, window: 4000 });
    await until(() => sink.got.includes("current"), "the news");
    assertEquals([sink.bodies.length, sink.heads.at(-1)], [1200, { type: "current", seq: 1200 }]);
  });
});

describe("InboxHub: windows", () => {
  it("limit unacknowledged notifications; each acknowledgement makes room for more", async () => {
    const rig = new Rig();
    const sink = await rig.join({ window: 2 });
    await rig.add("a", "b", "c", "d");
    assertEquals(sink.bodies, ["1 a", "2 b"]);
    sink.ack(2);
    assertEquals(sink.bodies, ["1 a", "2 b", "3 c"]);
    sink.ack(2, 7, 3, 1);
    assertEquals(sink.bodies, ["1 a", "2 b", "3 c", "4 d"]);
  });

  it("are 4096 at most, and 8 MiB", async () => {
    const rig = new Rig();
    const wide = await rig.join({ window: 1e9 });
    assertEquals(wide.heads[0]!.window, 4096);
    const bodies = Array.from({ length: 12 }, (_, at) => `${at}`.padEnd(1024 * 1024, "x"));
    await rig.add(...bodies);
    assertEquals(wide.bodies.length, 8);
    wide.ack(1);
    assertEquals(wide.bodies.length, 9);
  });

  it("wait for a connection with back-pressure, and do not delay the others", async () => {
    const rig = new Rig();
    const [slow, fast] = [await rig.join(), await rig.join()];
    slow.result = "backpressure";
    await rig.add("a", "b", "c");
    assertEquals([slow.bodies, fast.bodies.length], [["1 a"], 3]);
    slow.drain();
    await settle();
    assertEquals(slow.bodies, ["1 a", "2 b", "3 c"]);
  });

  it("send again messages that a connection dropped, its welcome too", async () => {
    const rig = new Rig();
    const late = new Sink();
    late.result = "dropped";
    late.member = await rig.hub.join(late, { type: "hello", after: 0 });
    assertEquals(late.got, []);
    late.drain();
    assertEquals(late.got, ["welcome", "current"]);
    const sink = await rig.join();
    sink.result = "dropped";
    await rig.add("a", "b");
    assertEquals(sink.bodies, []);
    sink.drain();
    await settle();
    assertEquals(sink.bodies, ["1 a", "2 b"]);
    assert(sink.heads.every(({ redelivered }) => redelivered === undefined));
  });
});

describe("InboxHub: names", () => {
  it("keep the position of a receiver: nothing is skipped, nothing acknowledged comes again", async () => {
    const rig = new Rig();
    const first = await rig.join({ name: "billing" });
    await rig.add("a", "b", "c");
    first.ack(1);
    first.ack(3);
    first.leave();
    await rig.add("d");
    const second = await rig.join({ name: "billing", after: 0 });
    assertEquals(second.bodies, ["2 b", "3 c", "4 d"]);
    assertEquals(await rig.journal.cursor("billing"), 1);
    second.ack(2, 3, 4);
    assertEquals(await rig.journal.cursor("billing"), 4);
  });

  it("are known from the first hello on, though nothing came", async () => {
    const rig = new Rig();
    await rig.add("a");
    (await rig.join({ name: "billing" })).leave();
    await rig.add("b");
    assertEquals((await rig.join({ name: "billing" })).bodies, ["2 b"]);
  });

  it("give everything to each of their connections, and resume where the slowest was", async () => {
    const rig = new Rig();
    const [one, two] = [await rig.join({ name: "x" }), await rig.join({ name: "x" })];
    await rig.add("a", "b", "c");
    assertEquals([one.bodies.length, two.bodies.length], [3, 3]);
    one.ack(1, 2, 3);
    two.ack(1);
    assertEquals(await rig.journal.cursor("x"), 1);
    two.leave();
    await rig.add("d");
    one.ack(4);
    // What was the other's is kept for the next one that comes.
    assertEquals(await rig.journal.cursor("x"), 1);
    const three = await rig.join({ name: "x" });
    assertEquals(three.bodies, ["2 b", "3 c", "4 d"]);
    three.ack(2, 3, 4);
    assertEquals(await rig.journal.cursor("x"), 4);
  });
});

describe("InboxHub: sharing", () => {
  it("gives each notification to one of the connections, evenly", async () => {
    const rig = new Rig();
    const hello = { name: "x", share: true };
    const [one, two] = [await rig.join(hello), await rig.join(hello)];
    await rig.add("a", "b", "c", "d");
    assertEquals([one.bodies, two.bodies], [["1 a", "3 c"], ["2 b", "4 d"]]);
    one.ack(1, 3);
    assertEquals(await rig.journal.cursor("x"), 1);
    two.ack(2);
    assertEquals(await rig.journal.cursor("x"), 3);
  });

  it("hands the notifications of a closed connection over, in order, as redelivered", async () => {
    const rig = new Rig();
    const hello = { name: "x", share: true, window: 2 };
    const [one, two] = [await rig.join(hello), await rig.join(hello)];
    await rig.add("a", "b", "c", "d", "e");
    one.leave();
    assertEquals(two.bodies, ["2 b", "4 d"]);
    two.ack(2, 4);
    assertEquals(two.bodies.slice(2), ["1 a", "3 c"]);
    const sent = two.heads.filter(({ type }) => type === "notification");
    assertEquals(sent.map(({ redelivered }) => redelivered), [undefined, undefined, true, true]);
    two.ack(1, 3);
    assertEquals(two.bodies.slice(4), ["5 e"]);
    two.leave();
    assertEquals((await rig.join(hello)).bodies, ["5 e"]);
  });

  it("is refused with another filter than the others have", async () => {
    const rig = new Rig();
    await rig.join({ name: "x", share: true });
    const other = await rig.join({ name: "x", share: true, filter: { fields: ["messages"] } });
    assertEquals([other.closed?.[0], other.member], [4409, undefined]);
  });
});

describe("InboxHub: filters", () => {
  it("pass a notification with one wanted part as a whole", async () => {
    const rig = new Rig();
    const sink = await rig.join({ name: "x", filter: { phoneNumberIds: ["1"] }, window: 1 });
    const both = about("2", "1");
    await rig.add(about("2"), "not JSON", both, about("1"), about("3"));
    assertEquals(sink.bodies, [`3 ${both}`]);
    sink.ack(3);
    sink.ack(4);
    assertEquals(sink.bodies, [`3 ${both}`, `4 ${about("1")}`]);
    assertEquals(await rig.journal.cursor("x"), 5);
  });

  it("hold back the parts that a receiver may not have; the rest has no signature", async () => {
    const rig = new Rig();
    const sink = await rig.join({}, { phoneNumberIds: ["1"] });
    await rig.add(about("2"), about("1"), "not JSON", about("2", "1"));
    assertEquals(sink.bodies, [`2 ${about("1")}`, `4 ${about("1")}`]);
    assertEquals(sink.heads.slice(2).map(({ partial, signature }) => [partial, signature]), [
      [undefined, "sha256=x"],
      [true, ""],
    ]);
    const accounts = await rig.join({ after: 0, filter: { accountIds: ["account-2"] } }, { accountIds: ["account-1"] });
    assertEquals(accounts.bodies, []);
  });
});

describe("InboxHub: the journal", () => {
  it("is read by receivers that are behind, in order, while more arrives", async () => {
    const rig = new Rig();
    const bodies = Array.from({ length: 1500 }, (_, at) => `${at}`);
    await rig.add(...bodies);
    const sink = await rig.join({ after: 0, window: 4000 });
    await rig.add(...bodies.map((body) => `more ${body}`));
    const expected = [...bodies, ...bodies.map((body) => `more ${body}`)].map((body, at) => `${at + 1} ${body}`);
    assertEquals(sink.bodies.length, 3000);
    assertEquals(sink.bodies, expected);
  });

  it("is read again by a receiver that falls behind", async () => {
    const rig = new Rig();
    const sink = await rig.join({ window: 1 });
    await rig.add(...Array.from({ length: 2000 }, (_, at) => `${at}`));
    for (let seq = 1; seq <= 2000; seq++) {
      await until(() => sink.bodies.length === seq, `notification ${seq}`);
      sink.ack(seq);
    }
    assertEquals(sink.bodies.length, 2000);
    assertEquals(sink.bodies[1999], "2000 1999");
  });

  it("reports the gap that retention left", async () => {
    const rig = new Rig(new MemoryJournal({ maxBytes: 16 * 1024 * 1024 }));
    await rig.add(...Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(1024 * 1024, "x")));
    const sink = await rig.join({ after: 1 });
    assertEquals(sink.heads[1], { type: "gap", after: 1, until: 4 });
    assert(sink.bodies[0]!.startsWith("5 4x"));
  });

  it("reports a gap that retention makes while the journal is read", async () => {
    const clock = new FakeClock();
    const rig = new Rig(new MemoryJournal({ maxAge: 1000, clock }));
    rig.journal.saveCursor("x", 0);
    await rig.add("a", "b");
    const again = new Rig(rig.journal);
    clock.advance(2000);
    const sink = await again.join({ name: "x" });
    await again.add("c");
    assertEquals(sink.got, ["welcome", "gap", "current", "3 c"]);
    assertEquals(sink.heads[1], { type: "gap", after: 0, until: 2 });
  });

  it("delivers nothing twice, even if reads are slow", async () => {
    class Late extends MemoryJournal {
      override async read(after: number, count: number): Promise<JournalEntry[]> {
        const entries = await super.read(after, count);
        await turns(3);
        return entries;
      }
    }
    const rig = new Rig(new Late());
    const bodies = Array.from({ length: 1100 }, (_, at) => `${at}`);
    await rig.add(...bodies);
    const sink = await rig.join({ after: 0, window: 4000 });
    await rig.add("last");
    await until(() => sink.bodies.length >= 1101, "all");
    await settle();
    assertEquals(sink.bodies.length, 1101);
    assertEquals(new Set(sink.bodies).size, 1101);
  });

  it("is read again by a connection that joins while others end for a failed read", async () => {
    class Once extends MemoryJournal {
      failing = true;
      override read(after: number, count: number): Promise<JournalEntry[]> {
        if (!this.failing) return super.read(after, count);
        return Promise.reject(new JournalError("ERR_JOURNAL_READ", "broken"));
      }
    }
    const journal = new Once();
    const rig = new Rig(journal);
    journal.saveCursor("x", 0);
    await rig.add(...Array.from({ length: 1100 }, (_, at) => `${at}`));
    const hello = { name: "x", share: true, window: 4000 };
    const one = await rig.join(hello);
    assertEquals(one.closed?.[0], 4500);
    journal.failing = false;
    const two = await rig.join(hello);
    one.leave();
    await until(() => two.bodies.length === 1100, "all");
  });

  it("keeps an entry when a listener throws, and reports it; the others continue", async () => {
    for (const journal of [new MemoryJournal()]) {
      const errors: JournalError[] = [];
      journal.listen({
        appended: () => {
          throw new RangeError("too deep");
        },
        error: (error) => void errors.push(error),
      });
      const digest = new Uint8Array(32);
      const entry = { bytes: encode("a"), signature: "", receivedAt: new Date(), digest, forward: true };
      assertEquals((await journal.append(entry)).duplicate, false);
      assertEquals(errors.map(({ code }) => code), ["ERR_JOURNAL_LISTENER"]);
    }
  });

  it("ends connections with 4500 when it cannot be read", async () => {
    class Broken extends MemoryJournal {
      override read(): Promise<JournalEntry[]> {
        return Promise.reject(new JournalError("ERR_JOURNAL_READ", "broken"));
      }
    }
    const rig = new Rig(new Broken());
    await rig.add(...Array.from({ length: 1100 }, (_, at) => `${at}`));
    const sink = await rig.join({ after: 0 });
    assertEquals(sink.closed?.[0], 4500);
    assertEquals((rig.errors[0] as JournalError).code, "ERR_JOURNAL_READ");
  });
});
