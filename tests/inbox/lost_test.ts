/**
 * Receivers are notified of notifications that their journal has lost: exactly of the numbers that they did not get,
 * once, also when a loss is detected late.
 */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { InboxHub } from "../../inbox/hub.ts";
import type { InboxMember, InboxSink } from "../../inbox/member.ts";
import { decodeInboxMessage } from "../../inbox/protocol.ts";
import type { Appended, Journal, JournalEntry, JournalListener } from "../../journal/journal.ts";
import { GivenNumbers, type SequenceRange, SkippedNumbers } from "../../journal/sequence_ranges.ts";
import type { SharedMessage } from "../../connection/shared_message.ts";
import { decodeAll, encode, settle } from "../support/support.ts";

/** A new epoch. */
const BASE = 2 ** 40;

/** A journal whose storage is another program: it may lose things. */
class LosingJournal implements Journal {
  readonly id = "losing";
  readonly durable = true;
  last = 0;
  trimmed = 0;
  lost: readonly SequenceRange[] = [];
  entries: JournalEntry[] = [];
  readonly cursors = new Map<string, number>();
  #listener: JournalListener | undefined;

  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
  }
  /** Something comes; `told`: this server hears of it. */
  add(seq: number, told = true): void {
    const entry = { seq, bytes: encode(`${seq}`), signature: "", receivedAt: new Date(0) };
    this.entries.push(entry);
    if (!told) return;
    this.last = seq;
    this.#listener?.appended(entry);
  }
  lose(...lost: SequenceRange[]): void {
    this.lost = lost;
    this.entries = this.entries.filter(({ seq }) => !lost.some(({ after, until }) => after < seq && seq <= until));
    this.#listener?.lost?.();
  }
  async admit(name: string, start: number): Promise<number> {
    const known = await this.cursor(name) ?? start;
    this.saveCursor(name, known);
    return known;
  }
  has(): Promise<boolean> {
    return Promise.resolve(false);
  }
  append(): Promise<Appended> {
    return Promise.reject(new Error("not here"));
  }
  read(after: number, count: number): Promise<JournalEntry[]> {
    return Promise.resolve(this.entries.filter(({ seq }) => seq > after).slice(0, count));
  }
  cursor(name: string): Promise<number | undefined> {
    return Promise.resolve(this.cursors.get(name));
  }
  saveCursor(name: string, seq: number): void {
    this.cursors.set(name, Math.max(seq, this.cursors.get(name) ?? 0));
  }
  release(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Keeps what it is sent: numbers of notifications, and gaps. */
class Sink implements InboxSink {
  open = true;
  readonly got: (number | string)[] = [];
  member: InboxMember | undefined;

  send(message: SharedMessage): "sent" {
    for (const { payload } of decodeAll(message.framesFor(undefined))) {
      const { head } = decodeInboxMessage(payload);
      if (head.type === "notification") this.got.push(head.seq as number);
      if (head.type === "gap") this.got.push(`${head.after}-${head.until}`);
    }
    return "sent";
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
  later(): () => void {
    return () => {};
  }
  close(): void {
    this.open = false;
  }
}

class Rig {
  readonly journal = new LosingJournal();
  readonly hub: InboxHub;

  constructor() {
    this.hub = new InboxHub(this.journal, (error) => {
      throw error;
    });
    this.journal.listen({
      appended: (entry) => this.hub.appended(entry),
      error: () => {},
      lost: () => this.hub.lost(),
    });
  }
  async join(after: number | undefined, name?: string, window?: number): Promise<Sink> {
    const sink = new Sink();
    sink.member = await this.hub.join(sink, { type: "hello", after, name, window });
    await settle();
    return sink;
  }
}

/** A hub that has handed on 1 to 4. */
async function begin(): Promise<Rig> {
  const rig = new Rig();
  for (let seq = 1; seq <= 4; seq++) rig.journal.add(seq);
  await settle();
  return rig;
}

describe("InboxHub with a journal that has lost something", () => {
  it("reports the loss at once to receivers waiting there, not to those that got the entries", async () => {
    const rig = await begin();
    const sink = await rig.join(0);
    for (let seq = 5; seq <= 6; seq++) rig.journal.add(seq);
    rig.journal.lose({ after: 4, until: 6 });
    assertEquals(sink.got, [1, 2, 3, 4, 5, 6]);
    rig.journal.lose({ after: 4, until: 8 });
    assertEquals(sink.got.slice(6), ["6-8"]);
    rig.journal.add(BASE + 1);
    rig.hub.lost();
    assertEquals(sink.got.slice(6), ["6-8", BASE + 1]);
  });

  it("reports a loss that is found after the receivers passed it", async () => {
    const rig = await begin();
    const sink = await rig.join(0);
    rig.journal.add(BASE + 1);
    rig.journal.add(BASE + 2);
    rig.journal.lose({ after: 4, until: 6 });
    // Another node knew more.
    rig.journal.lose({ after: 4, until: 8 });
    rig.hub.lost();
    rig.journal.add(BASE + 3);
    assertEquals(sink.got.slice(4), [BASE + 1, BASE + 2, "4-6", "4-8", BASE + 3]);
  });

  it("reports the loss to a name that connects later, from its position on", async () => {
    const rig = await begin();
    for (const [name, cursor] of [["behind", 2], ["within", 6], ["beyond", 8]] as const) {
      rig.journal.saveCursor(name, cursor);
    }
    rig.journal.lose({ after: 4, until: 8 });
    rig.journal.add(BASE + 1);
    assertEquals((await rig.join(undefined, "behind")).got, [3, 4, "4-8", BASE + 1]);
    assertEquals((await rig.join(undefined, "within")).got, ["6-8", BASE + 1]);
    assertEquals((await rig.join(undefined, "beyond")).got, [BASE + 1]);
  });

  it("sends entries still in memory, even if the journal has lost them", async () => {
    const rig = await begin();
    const sink = await rig.join(4, undefined, 1);
    for (let seq = 5; seq <= 8; seq++) rig.journal.add(seq);
    rig.journal.lose({ after: 4, until: 8 });
    for (let seq = 5; seq <= 8; seq++) {
      assertEquals(sink.got.at(-1), seq);
      sink.member!.acknowledge([seq]);
    }
    assertEquals(sink.got, [5, 6, 7, 8]);
  });

  it("reports the loss to receivers that read entries not in memory", async () => {
    const rig = new Rig();
    for (let seq = 1; seq <= 4; seq++) rig.journal.add(seq, false);
    rig.journal.lose({ after: 4, until: 8 });
    rig.journal.add(BASE + 1);
    // More than is kept at hand.
    for (let at = 2; at <= 1100; at++) rig.journal.add(BASE + at);
    const sink = await rig.join(0, undefined, 6);
    await settle();
    assertEquals(sink.got, [1, 2, 3, 4, "4-8", BASE + 1, BASE + 2]);
  });

  it("reports entries that retention removed before this server knew them", async () => {
    const rig = await begin();
    const sink = await rig.join(0);
    rig.journal.entries = [];
    rig.journal.trimmed = 9;
    rig.journal.add(12);
    await settle();
    assertEquals(sink.got, [1, 2, 3, 4, "4-9", 12]);
  });
});

describe("GivenNumbers", () => {
  it("are those of each epoch, also of one that Redis has forgotten", () => {
    const known = new GivenNumbers();
    assertEquals([known.last, known.pairs], [0, []]);
    known.reset("", 3);
    known.add(5);
    known.add(4);
    assertEquals([known.last, known.pairs], [5, [0, 5]]);
    known.add(BASE + 1);
    known.add(BASE + 2);
    assertEquals([known.last, known.pairs], [BASE + 2, [0, 5, BASE, BASE + 2]]);
    known.reset(`${2 * BASE} 4`, 4);
    assertEquals([known.last, known.pairs], [2 * BASE, [0, 5, BASE, BASE + 2]]);
    known.add(2 * BASE + 1);
    assertEquals(known.pairs, [0, 5, BASE, BASE + 2, 2 * BASE, 2 * BASE + 1]);
  });

  it("are bounded", () => {
    const known = new GivenNumbers();
    for (let at = 1; at <= 1000; at++) known.add(at * BASE);
    assertEquals(known.pairs.length, 64);
    assertEquals(known.last, 1000 * BASE);
    const eras = Array.from({ length: 100 }, (_, at) => `${at * BASE} ${at * BASE - 5}`);
    known.reset(eras.join(" "), 99 * BASE + 7);
    assertEquals([known.pairs.length <= 64, known.last], [true, 1000 * BASE]);
  });
});

describe("SkippedNumbers", () => {
  it("are reported as far as they are lost, each once, and their number is limited", () => {
    const skipped = new SkippedNumbers();
    skipped.skip(5, 7, []);
    assertEquals(skipped.take([{ after: 4, until: 8 }]), []);
    skipped.skip(5, 7, [{ after: 4, until: 8 }]);
    assertEquals(skipped.take([{ after: 4, until: 8 }]), [{ after: 5, until: 7 }]);
    assertEquals(skipped.take([{ after: 4, until: 8 }, { after: 5, until: 6 }]), []);
    for (let at = 1; at <= 100; at++) skipped.skip(at * BASE, (at + 1) * BASE, []);
    assertEquals(skipped.take([{ after: 0, until: 200 * BASE }]).length, 16);
  });
});
