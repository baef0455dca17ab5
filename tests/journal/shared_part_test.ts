/** The part of a server in a shared cursor: acknowledgements are written again after a failure, and departures too. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type SharedAnswer, SharedPart } from "../../journal/shared_part.ts";
import type { SequenceRange } from "../../journal/sequence_ranges.ts";
import { entry } from "../support/journal_entry.ts";
import { turns, until } from "../support/support.ts";

const kept = (seq: number) => ({ ...entry(`${seq}`), seq });
const NOTHING: SharedAnswer = { trimmed: 0, last: 0, until: 0, again: [], new: [] };

/** A store that answers when the test says so. */
class Store {
  isConnected = true;
  refuses = false;
  lost: readonly SequenceRange[] = [];
  answer: Promise<SharedAnswer> = Promise.resolve(NOTHING);
  readonly calls: unknown[] = [];
  readonly failures: unknown[] = [];
  woken = 0;
  removed = 0;
  readonly part: SharedPart = new SharedPart(this, () => this.woken++, () => this.removed++);

  take(_count: number): Promise<SharedAnswer> {
    return this.answer;
  }

  #write(call: unknown): Promise<void> {
    if (this.refuses) return Promise.reject(new Error("no"));
    this.calls.push(call);
    return Promise.resolve();
  }

  acknowledge(seqs: readonly number[]): Promise<void> {
    return this.#write([...seqs]);
  }

  leave(): Promise<void> {
    return this.#write("leave");
  }

  failed(error: unknown): void {
    this.failures.push(error);
  }
}

describe("SharedPart", () => {
  it("looks every second for what others have left", async () => {
    const store = new Store();
    await until(() => store.woken > 0, "the check");
    store.part.leave();
    await store.part.ended;
    assertEquals([store.calls, store.removed], [["leave"], 1]);
  });

  it("acknowledges what it has taken, once, and nothing else", async () => {
    const store = new Store();
    store.answer = Promise.resolve({ ...NOTHING, again: [kept(1)], new: [kept(5), kept(6)], until: 4 });
    assertEquals((await store.part.take(3)).gaps, []);
    store.part.acknowledge([5, 9]);
    store.part.acknowledge([5, 1]);
    await turns(4);
    assertEquals(store.calls, [[5], [1]]);
    store.part.leave();
    await store.part.ended;
  });

  it("reports acknowledgements that cannot be written once, and writes them later", async () => {
    const store = new Store();
    store.answer = Promise.resolve({ ...NOTHING, new: [kept(1), kept(2)] });
    await store.part.take(2);
    store.refuses = true;
    store.part.acknowledge([1]);
    await turns(2);
    store.part.acknowledge([2]);
    await turns(2);
    assertEquals(store.failures.length, 1);
    store.refuses = false;
    store.part.leave();
    await store.part.ended;
    assertEquals(store.calls, [[1, 2], "leave"]);
  });

  it("ends though its departure cannot be written, and writes it with the next connection", async () => {
    const store = new Store();
    store.refuses = true;
    store.isConnected = false;
    store.part.leave();
    await store.part.ended;
    assertEquals([store.failures, store.removed], [[], 0]);
    store.refuses = false;
    store.part.flush();
    await turns(4);
    assertEquals([store.calls, store.removed], [["leave"], 1]);
  });

  it("departs once more if something comes after its departure, and returns no failure then", async () => {
    for (const fails of [false, true]) {
      const store = new Store();
      const { promise, resolve, reject } = Promise.withResolvers<SharedAnswer>();
      store.answer = promise;
      const taking = store.part.take(1);
      store.part.leave();
      await store.part.ended;
      if (fails) reject(new Error("lost"));
      else resolve({ ...NOTHING, new: [kept(1)] });
      assertEquals((await taking).new.length, fails ? 0 : 1);
      await turns(4);
      assertEquals(store.calls, fails ? ["leave"] : ["leave", "leave"]);
      assertEquals(await store.part.take(1), { again: [], new: [] });
    }
    const store = new Store();
    store.answer = Promise.reject(new Error("lost"));
    await assertRejects(() => store.part.take(1), Error, "lost");
    store.part.leave();
    await store.part.ended;
  });

  it("reports what retention has removed and what was lost, each once", async () => {
    const store = new Store();
    store.lost = [{ after: 20, until: 30 }];
    store.answer = Promise.resolve({ ...NOTHING, trimmed: 7, last: 3, until: 30 });
    assertEquals((await store.part.take(1)).gaps, [{ after: 3, until: 7 }, { after: 20, until: 30 }]);
    store.answer = Promise.resolve({ ...NOTHING, trimmed: 7, last: 30, until: 30 });
    assertEquals((await store.part.take(1)).gaps, []);
    store.part.leave();
    await store.part.ended;
  });
});
