/** Batches of appends: what shares one, and what each append gets of it. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Appended, NewEntry } from "../../journal/journal.ts";
import { AppendBatches } from "../../postgres/append_batches.ts";
import { entry } from "../support/journal_entry.ts";

/** Batches that are answered by hand. */
class Log {
  readonly written: number[] = [];
  readonly answers: PromiseWithResolvers<readonly Appended[]>[] = [];
  readonly batches = new AppendBatches((entries) => this.#write(entries));
  #arrived = Promise.withResolvers<void>();

  #write(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    this.written.push(entries.length);
    const answer = Promise.withResolvers<readonly Appended[]>();
    this.answers.push(answer);
    this.#arrived.resolve();
    return answer.promise;
  }

  /** Waits for the next batch. */
  async next(): Promise<PromiseWithResolvers<readonly Appended[]>> {
    await this.#arrived.promise;
    this.#arrived = Promise.withResolvers<void>();
    return this.answers.at(-1)!;
  }
}

const numbers = (from: number, count: number): Appended[] =>
  Array.from({ length: count }, (_, index) => ({ seq: from + index, duplicate: false }));

describe("AppendBatches", () => {
  it("writes appends of one turn together, and those that come meanwhile after them", async () => {
    const log = new Log();
    const first = ["a", "b"].map((body) => log.batches.add(entry(body)));
    const answer = await log.next();
    const second = ["c", "d", "e"].map((body) => log.batches.add(entry(body)));
    answer.resolve(numbers(1, 2));
    assertEquals((await Promise.all(first)).map(({ seq }) => seq), [1, 2]);
    (await log.next()).resolve(numbers(3, 3));
    assertEquals((await Promise.all(second)).map(({ seq }) => seq), [3, 4, 5]);
    assertEquals(log.written, [2, 3]);
  });

  it("writes the same body once, and only the first append of it is no duplicate", async () => {
    const log = new Log();
    const all = ["a", "b", "a", "a"].map((body) => log.batches.add(entry(body)));
    (await log.next()).resolve(numbers(7, 2));
    assertEquals((await Promise.all(all)).map(({ seq, duplicate }) => [seq, duplicate]), [
      [7, false],
      [8, false],
      [7, true],
      [7, true],
    ]);
    assertEquals(log.written, [2]);
  });

  it("rejects each append of a batch that fails, and goes on", async () => {
    const log = new Log();
    const failing = ["a", "a", "b"].map((body) => assertRejects(() => log.batches.add(entry(body)), Error, "no disk"));
    (await log.next()).reject(new Error("no disk"));
    await Promise.all(failing);
    const after = log.batches.add(entry("a"));
    (await log.next()).resolve(numbers(1, 1));
    assertEquals(await after, { seq: 1, duplicate: false });
  });

  it("limits the number of entries of a batch, and of their bytes", async () => {
    const log = new Log();
    const many = Array.from({ length: 300 }, (_, index) => log.batches.add(entry(`${index}`)));
    (await log.next()).resolve(numbers(1, 256));
    (await log.next()).resolve(numbers(257, 44));
    await Promise.all(many);
    const large = Array.from({ length: 6 }, (_, index) => log.batches.add(entry(new Uint8Array(1 << 20).fill(index))));
    (await log.next()).resolve(numbers(301, 4));
    (await log.next()).resolve(numbers(305, 2));
    await Promise.all(large);
    assertEquals(log.written, [256, 44, 4, 2]);
  });
});
