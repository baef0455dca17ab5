/** Delivery of the entries of all nodes: each once, and in order. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JournalEntry } from "../../journal/journal.ts";
import { GivenNumbers } from "../../journal/sequence_ranges.ts";
import { OrderedDelivery, type ReadResult } from "../../journal/ordered_delivery.ts";

const make = (seq: number): JournalEntry => ({ seq, bytes: new Uint8Array(), signature: "", receivedAt: new Date(0) });

/** A delivery from a journal that has some numbers. */
class Rig {
  readonly got: number[] = [];
  readonly given = new GivenNumbers();
  readonly delivery: OrderedDelivery;
  reads = 0;
  fails = false;

  constructor(last: number, ...kept: number[]) {
    this.delivery = new OrderedDelivery(this.given, {
      notify: ({ seq }) => void this.got.push(seq),
      read: (after) => this.#read(after, last, kept),
      isClosed: false,
    });
  }

  #read(after: number, last: number, kept: number[]): Promise<ReadResult> {
    this.reads++;
    if (this.fails) return Promise.reject(new Error("away"));
    return Promise.resolve({ last, entries: kept.filter((seq) => seq > after).map(make) });
  }
}

describe("OrderedDelivery", () => {
  it("delivers the next own entry at once, without a read", async () => {
    const rig = new Rig(1);
    await rig.delivery.deliverOwn(make(1), true);
    await rig.delivery.deliverOwn(make(2), false);
    assertEquals([rig.got, rig.delivery.delivered, rig.reads], [[1], 2, 0]);
  });

  it("reads what other nodes have appended before, once for two own entries", async () => {
    const rig = new Rig(4, 1, 2, 3, 4);
    await Promise.all([rig.delivery.deliverOwn(make(3), true), rig.delivery.deliverOwn(make(4), true)]);
    assertEquals([rig.got, rig.reads, rig.given.last], [[1, 2, 3, 4], 1, 4]);
  });

  it("passes over numbers that were not forwarded", async () => {
    const rig = new Rig(5);
    await rig.delivery.deliverOwn(make(5), false);
    assertEquals([rig.got, rig.delivery.delivered], [[], 5]);
  });

  it("leaves an entry to the tail if the read fails, and ignores what was delivered", async () => {
    const rig = new Rig(3, 1, 2, 3);
    rig.fails = true;
    await rig.delivery.deliverOwn(make(3), true);
    assertEquals([rig.got, rig.delivery.delivered], [[], 0]);
    for (const seq of [1, 2, 2, 1, 3]) rig.delivery.deliver(make(seq));
    assertEquals(rig.got, [1, 2, 3]);
  });
});
