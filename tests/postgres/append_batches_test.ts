/** Batches of appends: what shares one, who gets which result, and the bounds of a batch. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Appended, NewEntry } from "../../journal/journal.ts";
import { AppendBatches } from "../../postgres/append_batches.ts";
import { entry } from "../support/journal_entry.ts";
import { decode, until } from "../support/support.ts";

/** Batches that are written when the test says so. */
class Writes {
  readonly batches: string[][] = [];
  readonly waiting: PromiseWithResolvers<readonly Appended[]>[] = [];
  readonly appends: AppendBatches = new AppendBatches((entries) => this.#write(entries));

  #write(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    this.batches.push(entries.map(({ bytes }) => decode(bytes)));
    const written = Promise.withResolvers<readonly Appended[]>();
    this.waiting.push(written);
    return written.promise;
  }

  async next(): Promise<PromiseWithResolvers<readonly Appended[]>> {
    await until(() => this.waiting.length > 0, "a batch");
    return this.waiting.shift()!;
  }
}

const kept = (...seqs: number[]): Appended[] => seqs.map((seq) => ({ seq, duplicate: false }));

describe("AppendBatches", () => {
  it("writes one batch at a time; what comes meanwhile shares the next one", async () => {
    const writes = new Writes();
    const first = ["a", "b"].map((body) => writes.appends.add(entry(body)));
    const batch = await writes.next();
    const second = ["c", "d", "e"].map((body) => writes.appends.add(entry(body)));
    assertEquals(writes.batches, [["a", "b"]]);
    batch.resolve(kept(1, 2));
    assertEquals(await Promise.all(first), kept(1, 2));
    (await writes.next()).resolve(kept(3, 4, 5));
    assertEquals(await Promise.all(second), kept(3, 4, 5));
    assertEquals(writes.batches, [["a", "b"], ["c", "d", "e"]]);
  });

  it("writes equal notifications of a batch once: the later ones are duplicates", async () => {
    const writes = new Writes();
    const results = ["a", "b", "a", "a"].map((body) => writes.appends.add(entry(body)));
    (await writes.next()).resolve([{ seq: 1, duplicate: false }, { seq: 7, duplicate: true }]);
    assertEquals(writes.batches, [["a", "b"]]);
    assertEquals(await Promise.all(results), [
      { seq: 1, duplicate: false },
      { seq: 7, duplicate: true },
      { seq: 1, duplicate: true },
      { seq: 1, duplicate: true },
    ]);
  });

  it("rejects all appends of a batch that fails, and writes the next one", async () => {
    const writes = new Writes();
    const lost = ["a", "b"].map((body) => writes.appends.add(entry(body)));
    const batch = await writes.next();
    const next = writes.appends.add(entry("c"));
    batch.reject(new Error("the connection was lost"));
    for (const append of lost) await assertRejects(() => append, Error, "the connection was lost");
    (await writes.next()).resolve(kept(1));
    assertEquals(await next, kept(1)[0]);
  });

  it("bounds a batch by its notifications, and by their bytes", async () => {
    const writes = new Writes();
    const sizes: number[] = [];
    const run = async (bodies: (string | Uint8Array)[]): Promise<void> => {
      const all = Promise.all(bodies.map((body) => writes.appends.add(entry(body))));
      for (let left = bodies.length; left > 0;) {
        const batch = await writes.next();
        const size = writes.batches.at(-1)!.length;
        sizes.push(size);
        left -= size;
        batch.resolve(kept(...Array.from({ length: size }, (_, at) => at + 1)));
      }
      await all;
    };
    await run(Array.from({ length: 300 }, (_, at) => `${at}`));
    assertEquals(sizes.splice(0), [256, 44]);
    await run(Array.from({ length: 4 }, (_, at) => new Uint8Array(3 * 1024 * 1024).fill(at)));
    assertEquals(sizes, [2, 2]);
  });
});
