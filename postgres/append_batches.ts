/**
 * Batches of appends: those that come while a batch is under way share the next one, so that their rate is not bound by
 * the rate of commits.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { toBase64 } from "../base/encoding.ts";
import type { Appended, NewEntry } from "../journal/journal.ts";

/** Maximum of notifications and of their bytes in one batch, so that the first does not wait long for the last. */
const BATCH_ENTRIES = 256;
const BATCH_BYTES = 4 * 1024 * 1024;

/** An append that waits for its commit. */
interface Waiting {
  readonly entry: NewEntry;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

/** Gathers appends, and writes them one batch at a time. */
export class AppendBatches {
  #write: (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;
  #waiting: Waiting[] = [];
  #running = false;

  /**
   * Makes batches with nothing to do.
   *
   * @param write Writes entries with different digests in one transaction, and resolves with a result for each.
   */
  constructor(write: (entries: readonly NewEntry[]) => Promise<readonly Appended[]>) {
    this.#write = write;
  }

  /**
   * Adds an append to the next batch.
   *
   * @param entry The notification.
   * @returns Resolves when it is committed. Rejects with the error of its batch.
   */
  add(entry: NewEntry): Promise<Appended> {
    const { promise, resolve, reject } = Promise.withResolvers<Appended>();
    this.#waiting.push({ entry, resolve, reject });
    if (!this.#running) {
      this.#running = true;
      // Appends of the same turn share a batch.
      setImmediate(() => void this.#run());
    }
    return promise;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeBatch(this.#take());
    this.#running = false;
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < BATCH_ENTRIES && bytes < BATCH_BYTES) {
      bytes += this.#waiting[count++]!.entry.bytes.length;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const places = new Map<string, number>();
    const entries: NewEntry[] = [];
    const placeOf = batch.map(({ entry }) => {
      const key = toBase64(entry.digest);
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, entries.length);
      return entries.push(entry) - 1;
    });
    try {
      const results = await this.#write(entries);
      const settled = new Set<number>();
      batch.forEach(({ resolve }, index) => {
        const place = placeOf[index]!;
        const { seq, duplicate } = results[place]!;
        resolve({ seq, duplicate: duplicate || settled.has(place) });
        settled.add(place);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
