import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { FairShare, ReadLoad } from "../fair_share.ts";
import { FakeClock } from "./support.ts";

/** A thread whose time the test spends. */
class Thread {
  readonly clock = new FakeClock();
  readonly share = new FairShare(() => this.clock.now(), (delay, callback) => this.clock.after(delay, callback));
  readonly used = new Map<string, number>();
  #loads = new Map<string, ReadLoad>();

  load(name: string): ReadLoad {
    let load = this.#loads.get(name);
    if (load === undefined) this.#loads.set(name, load = new ReadLoad());
    return load;
  }

  /** Handles what one read brought, now or when it is its turn. */
  read(name: string, ms: number, length = 1000, done: () => void = () => {}): boolean {
    const load = this.load(name);
    const handle = (): void => {
      const since = this.share.begin(load, length);
      this.clock.advance(ms);
      this.share.spent(load, since);
      this.used.set(name, (this.used.get(name) ?? 0) + ms);
      done();
    };
    if (!this.share.mustWait(load, length)) {
      handle();
      return true;
    }
    this.share.enqueue(handle);
    return false;
  }
}

describe("FairShare", () => {
  it("lets nobody wait where all are light, or all are busy", () => {
    for (const ms of [0.01, 5]) {
      const thread = new Thread();
      for (let index = 0; index < 1000; index++) {
        // Until it is known how they are.
        if (index === 100) thread.clock.advance(1000);
        const atOnce = thread.read(`peer ${index % 10}`, ms, 100_000);
        if (index >= 100) assert(atOnce);
      }
      assertEquals(thread.clock.pending, 0);
    }
  });

  it("leaves six sevenths of the time to the others, however many are busy", () => {
    const thread = new Thread();
    const waiting = new Set<string>();
    const busy = Array.from({ length: 20 }, (_, index) => `busy ${index}`);
    let begun = 0;
    for (let turn = 0; turn < 60_000; turn++) {
      // From the moment on at which it is known who is busy.
      if (turn === 1000) {
        begun = thread.clock.now();
        thread.used.clear();
      }
      for (const name of busy) {
        if (waiting.has(name)) continue;
        waiting.add(name);
        thread.read(name, 3, 100_000, () => waiting.delete(name));
      }
      thread.read("light", 0.02);
    }
    const ofBusy = busy.reduce((sum, name) => sum + (thread.used.get(name) ?? 0), 0) / (thread.clock.now() - begun);
    assert(ofBusy > 0.08 && ofBusy < 0.16, `the busy ones took ${ofBusy}`);
    // And each of them gets on.
    for (const name of busy) assert(thread.used.get(name)! > 0, name);
  });

  it("lets a busy one have all the time when nobody else is there any more", () => {
    const thread = new Thread();
    for (let index = 0; index < 10; index++) thread.read("light", 0.01);
    for (let index = 0; index < 10; index++) thread.read("busy", 1);
    assertEquals(thread.read("busy", 1), false);
    thread.clock.advance(1000);
    for (let index = 0; index < 1000; index++) assert(thread.read("busy", 1));
    assert(!thread.share.crowded);
  });

  it("does not trust much from whom it does not know, while it makes the busy ones wait", () => {
    const thread = new Thread();
    thread.read("light", 0.01);
    for (let index = 0; index < 10; index++) thread.read("busy", 2);
    assertEquals([thread.read("new", 10, 100_000), thread.read("small", 0.01, 100), thread.read("light", 0.01)], [
      false,
      true,
      true,
    ]);
    thread.clock.advance(100);
    assertEquals(thread.used.get("new"), 10);
  });

  it("forgives: whoever is light again does not wait", () => {
    const thread = new Thread();
    for (let index = 0; index < 10; index++) thread.read("one", 1);
    assert(thread.load("one").busy);
    thread.clock.advance(100);
    for (let index = 0; index < 40; index++) thread.read("one", 0.001);
    assert(!thread.load("one").busy);
  });
});
