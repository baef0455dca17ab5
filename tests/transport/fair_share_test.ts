import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { FairShare, ReadLoad } from "../../transport/fair_share.ts";
import { handlerTime, timeHandler } from "../../base/handler_time.ts";

/**
 * Behaviour of one connection: the time that handling a byte or a read takes, in ms, and how much of that is the
 * program's.
 */
interface Habit {
  length: number;
  time(length: number): number;
  handlers?: number;
}

/** A thread whose time the test spends, and whose poller the test is. */
class Thread {
  now = 0;
  /** Passes that were begun and not ended. */
  begun: (() => void)[] = [];
  readonly share = new FairShare((done) => void this.begun.push(done), () => this.now);
  readonly used = new Map<string, number>();
  #loads = new Map<string, ReadLoad>();

  load(name: string): ReadLoad {
    let load = this.#loads.get(name);
    if (load === undefined) this.#loads.set(name, load = new ReadLoad());
    return load;
  }

  /** Handles bytes now. */
  handle(name: string, ms: number, length = 1000, handlers = 0): void {
    const load = this.load(name);
    const since = this.share.begin(load, length);
    this.now += ms;
    handlerTime.spent += handlers;
    this.share.spent(load, since, length);
    this.used.set(name, (this.used.get(name) ?? 0) + ms);
  }

  /** Goes to the poller and back once. */
  pass(): void {
    const done = this.begun.splice(0);
    assertEquals(done.length, 1, "a pass at a time");
    done[0]!();
  }

  /** Reads as long as it has bytes: at once, or a slice each time that it is its turn. */
  flood(name: string, habit: Habit): void {
    const load = this.load(name);
    const handle = (): void => {
      const length = Math.min(habit.length, this.share.sliceOf(load));
      const time = habit.time(length);
      this.handle(name, time, length, time * (habit.handlers ?? 0));
      this.share.enqueue(load, handle);
    };
    this.share.enqueue(load, handle);
  }
}

/** Handles so much of a connection that it is known what it takes. */
function know(thread: Thread, name: string, ms: number, handlers = 0): void {
  for (let index = 0; index < 10; index++) thread.handle(name, ms, 1000, ms * handlers);
}

describe("FairShare", () => {
  it("makes no connection wait where all are light, or all are busy", () => {
    for (const ms of [0.01, 5]) {
      const thread = new Thread();
      for (let index = 0; index < 1000; index++) {
        // Until it is known how they are.
        if (index === 100) thread.now += 1000;
        const load = thread.load(`peer ${index % 10}`);
        if (index >= 100) assert(!thread.share.mustWait(load, 0));
        thread.handle(`peer ${index % 10}`, ms);
      }
      assertEquals(thread.begun, []);
    }
  });

  it("makes busy connections wait for one pass while light ones send, and no more", () => {
    const thread = new Thread();
    know(thread, "busy", 1);
    know(thread, "light", 0.01);
    assert(thread.share.mustWait(thread.load("busy"), 0));
    assert(!thread.share.mustWait(thread.load("light"), 10_000));
    let turns = 0;
    thread.share.enqueue(thread.load("busy"), () => turns++);
    assertEquals([turns, thread.begun.length], [0, 1]);
    // The clock stands still: a free processor is no reason to wait.
    thread.pass();
    assertEquals([turns, thread.begun.length], [1, 0]);
  });

  it("gives a busy connection all the time once the others are silent", () => {
    const thread = new Thread();
    know(thread, "light", 0.01);
    know(thread, "busy", 1);
    assert(thread.share.mustWait(thread.load("busy"), 0));
    thread.now += 1000;
    for (let index = 0; index < 1000; index++) {
      assert(!thread.share.mustWait(thread.load("busy"), 0));
      thread.handle("busy", 1);
    }
    assert(!thread.share.crowded);
  });

  it("serves handlers that work for a millisecond a pass, each in its turn", () => {
    const thread = new Thread();
    const names = Array.from({ length: 8 }, (_, index) => `working ${index}`);
    for (const name of names) {
      know(thread, name, 0.3, 1);
      thread.flood(name, { length: 20, time: () => 0.3, handlers: 1 });
    }
    // Until it is known what they take.
    for (let pass = 0; pass < 100; pass++) thread.pass();
    thread.used.clear();
    const begun = thread.now;
    for (let pass = 0; pass < 800; pass++) {
      const before = thread.now;
      thread.pass();
      const took = thread.now - before;
      assert(took > 0.5 && took <= 1.001, `a pass took ${took}`);
    }
    const each = names.map((name) => thread.used.get(name)! / (thread.now - begun));
    for (const share of each) assert(Math.abs(share - 1 / 8) < 0.01, String(share));
  });

  it("serves one connection a pass for 0.2 ms if the library itself does the work", () => {
    const thread = new Thread();
    const names = Array.from({ length: 20 }, (_, index) => `costly ${index}`);
    for (const name of names) {
      know(thread, name, 3);
      thread.flood(name, { length: 100_000, time: (length) => length * 3e-6 });
    }
    know(thread, "working", 0.3, 1);
    thread.flood("working", { length: 20, time: () => 0.3, handlers: 1 });
    const passes = (): void => {
      for (let pass = 0; pass < 2000; pass++) {
        thread.handle("light", 0, 10);
        thread.pass();
      }
    };
    // Until their slices are right.
    passes();
    thread.used.clear();
    const begun = thread.now;
    passes();
    const costly = names.reduce((sum, name) => sum + (thread.used.get(name) ?? 0), 0);
    assert(costly / 2000 > 0.1 && costly / 2000 < 0.25, `${costly / 2000} ms a pass`);
    assertEquals(Math.round((thread.now - begun - costly) / 2000 * 10), 3);
    for (const name of names) assert(thread.used.get(name)! > 0, name);
  });

  it("counts short reads that waited as usual: slightly longer ones do not stay busy", () => {
    const thread = new Thread();
    know(thread, "light", 0.005);
    for (let index = 0; index < 500; index++) {
      const name = `post ${index % 16}`;
      thread.share.enqueue(thread.load(name), () => thread.handle(name, 0.05));
      thread.pass();
    }
    know(thread, "another post", 0.3);
    thread.handle("light", 0.005);
    assertEquals(thread.load("another post").busy, false);
    assertEquals(thread.share.mustWait(thread.load("another post"), 0), false);
  });

  it("cuts expensive reads into small slices, and cheap ones into large slices", () => {
    const thread = new Thread();
    thread.handle("new", 0.01, 10);
    assertEquals(thread.share.sliceOf(thread.load("new")), 200);
    for (let index = 0; index < 50; index++) thread.handle("bomb", 1, 1000);
    assert(Math.abs(thread.share.sliceOf(thread.load("bomb")) - 200) <= 1);
    for (let index = 0; index < 50; index++) thread.handle("slow", 1, 10);
    assertEquals(thread.share.sliceOf(thread.load("slow")), 128);
    for (let index = 0; index < 50; index++) thread.handle("fast", 0.1, 1_000_000);
    assertEquals(thread.share.sliceOf(thread.load("fast")), 64 * 1024);
    assertEquals(thread.share.sliceOf(thread.load("never heard of")), 1024);
    thread.handle("heard of once", 0.01, 10_000);
    assertEquals(thread.share.sliceOf(thread.load("heard of once")), 256);
  });

  it("takes longer turns while the others are silent, and short ones as soon as they send", () => {
    const thread = new Thread();
    know(thread, "costly", 1);
    know(thread, "light", 0.01);
    const { share } = thread;
    const costly = thread.load("costly");
    const turns: number[] = [];
    const goOn = (): void => {
      const length = share.sliceOf(costly);
      turns.push(length);
      thread.handle("costly", length * 1e-3, length);
      share.enqueue(costly, goOn, true);
    };
    share.enqueue(costly, goOn);
    for (let pass = 0; pass < 30; pass++) thread.pass();
    // For 2 ms a fifth of a millisecond each, then half of what is more, up to 4 ms.
    assert(turns.slice(1, 10).every((length) => Math.abs(length - 200) <= 10), turns.join());
    assert(Math.abs(turns.at(-1)! - 4000) <= 10, turns.join());
    thread.handle("light", 0.01);
    thread.pass();
    assert(Math.abs(turns.at(-1)! - 200) <= 10, turns.join());
  });

  it("uses the allowance of a silence once", () => {
    const thread = new Thread();
    for (const name of ["one", "other"]) know(thread, name, 1);
    know(thread, "light", 0.01);
    const { share } = thread;
    share.waitForPass(() => {});
    thread.now += 5;
    thread.pass();
    assert(!share.mustWait(thread.load("one"), 0));
    thread.handle("one", 1);
    assert(share.crowded && share.mustWait(thread.load("other"), 0));
  });

  it("does not count the slices of one connection as reads of others", () => {
    const thread = new Thread();
    know(thread, "one", 0.5);
    know(thread, "light", 0.01);
    const { share } = thread;
    const one = thread.load("one");
    for (let slice = 0; slice < 1000; slice++) {
      share.enqueue(one, () => thread.handle("one", 0.01, 20));
      thread.pass();
    }
    // Of which they do not count.
    thread.now += 101;
    assert(!share.crowded);
    assertEquals(share.allowance(one), Infinity);
    // Others that wait still are no reason to wait behind them.
    share.enqueue(one, () => {});
    assert(!share.mustWait(thread.load("new"), 100_000));
    thread.handle("light", 0.01);
    assert(share.allowance(one) < 20_000 && share.mustWait(thread.load("new"), 100_000));
  });

  it("lets an unknown connection read only a small amount while others send", () => {
    const thread = new Thread();
    know(thread, "light", 0.01);
    const { share } = thread;
    assertEquals([100, 1000, 100_000].map((length) => share.mustWait(thread.load("new"), length)), [
      false,
      false,
      true,
    ]);
    thread.now += 1000;
    assert(!share.mustWait(thread.load("new"), 100_000));
  });

  it("does not take many short handlers for a program that works", () => {
    const thread = new Thread();
    know(thread, "flood", 1, 0);
    know(thread, "working", 1, 1);
    assertEquals([thread.load("flood").handlerBound, thread.load("working").handlerBound], [false, true]);
    know(thread, "working", 1, 0);
    assert(!thread.load("working").handlerBound);
  });

  it("serves one connection for some slices, then others of its kind", () => {
    const thread = new Thread();
    const served: string[] = [];
    const again = (name: string): void => {
      served.push(name);
      thread.share.enqueue(thread.load(name), () => again(name), true);
    };
    for (const name of ["one", "other"]) thread.share.enqueue(thread.load(name), () => again(name));
    for (let pass = 0; pass < 64; pass++) thread.pass();
    const runs = served.join(" ").split(/(?<=one) (?=other)|(?<=other) (?=one)/).map((run) => run.split(" ").length);
    assert(runs.length > 3 && Math.max(...runs) <= 17, runs.join());
  });

  it("forgets a connection that leaves, and starts no pass without a waiting one", () => {
    const thread = new Thread();
    let turns = 0;
    const leave = thread.share.enqueue(new ReadLoad(), () => turns++);
    leave();
    thread.pass();
    assertEquals([turns, thread.begun.length], [0, 0]);
    // One that throws does not hold up the next.
    thread.share.enqueue(undefined, () => {
      throw new Error("on purpose");
    });
    thread.share.enqueue(undefined, () => turns++);
    let thrown = 0;
    for (let pass = 0; pass < 2; pass++) {
      try {
        thread.pass();
      } catch {
        thrown++;
      }
    }
    assertEquals([thrown, turns], [1, 1]);
  });

  it("notices light connections by reads that are not timed, too", () => {
    const thread = new Thread();
    thread.handle("light", 0.01, 10);
    thread.now += 1000;
    assert(!thread.share.crowded);
    thread.handle("light", 0.01, 10);
    assert(thread.share.crowded);
  });

  it("makes no connection wait for a large read where all have such reads", () => {
    const thread = new Thread();
    for (let index = 0; index < 400; index++) thread.handle(`peer ${index % 4}`, 0.08, 65_536);
    assert(!thread.share.mustWait(thread.load("peer 0"), 4 * 65_536));
    // Where the others have small ones, it is much.
    for (let index = 0; index < 400; index++) thread.handle("light", 0.005, 100);
    assert(thread.share.mustWait(thread.load("peer 0"), 4 * 65_536));
  });

  it("does not make a connection busy for one long read", () => {
    const thread = new Thread();
    // Too few to know it by.
    for (let index = 0; index < 3; index++) thread.handle("new", 50);
    for (let index = 0; index < 100; index++) thread.handle("known", 0.005);
    thread.handle("known", 50);
    assertEquals([thread.load("new").busy, thread.load("known").busy], [false, false]);
  });

  it("does not make a connection wait that is light again", () => {
    const thread = new Thread();
    know(thread, "one", 1);
    assert(thread.load("one").busy);
    for (let index = 0; index < 60; index++) thread.handle("one", 0.001);
    assert(!thread.load("one").busy);
  });

  it("keeps a connection busy until it takes a third of the limit only", () => {
    const thread = new Thread();
    know(thread, "one", 0.2);
    for (let index = 0; index < 60; index++) thread.handle("one", 0.05);
    assert(thread.load("one").busy);
    for (let index = 0; index < 60; index++) thread.handle("one", 0.02);
    assert(!thread.load("one").busy);
  });

  it("forgives a single read that took very long within a few reads", () => {
    const thread = new Thread();
    thread.handle("one", 100);
    for (let index = 0; index < 15; index++) thread.handle("one", 0.001);
    assert(!thread.load("one").busy);
  });

  it("measures slices by the whole time of reads that took longer than a millisecond", () => {
    const thread = new Thread();
    for (let index = 0; index < 50; index++) thread.handle("giant", 100, 100_000);
    assert(Math.abs(thread.share.sliceOf(thread.load("giant")) - 200) <= 1);
  });

  it("counts a connection as busy only at ten times the usual cost", () => {
    const thread = new Thread();
    for (let index = 0; index < 400; index++) thread.handle(`usual ${index % 4}`, 0.05);
    know(thread, "somewhat more", 0.2);
    for (let index = 0; index < 40; index++) thread.handle("much more", 1);
    assertEquals([thread.load("somewhat more").busy, thread.load("much more").busy], [false, true]);
  });

  it("learns the usual cost slowly: a few reads near the limit do not raise it", () => {
    const thread = new Thread();
    know(thread, "light", 0.01);
    for (let index = 0; index < 5; index++) thread.handle("near the limit", 0.09);
    know(thread, "busy", 0.5);
    assert(thread.load("busy").busy);
  });

  it("counts others as present for 100 ms, without the time of busy connections", () => {
    const thread = new Thread();
    know(thread, "busy", 1);
    thread.handle("light", 0.01);
    // The light one could not be heard meanwhile.
    for (let index = 0; index < 50; index++) thread.handle("busy", 1);
    assert(thread.share.crowded);
    thread.now += 99;
    assert(thread.share.crowded);
    thread.now += 2;
    assert(!thread.share.crowded);
    // What was taken before the light one spoke again does not count any more.
    thread.handle("light", 0.01);
    thread.now += 101;
    assert(!thread.share.crowded);
  });

  it("does not count a connection as light because of one long read", () => {
    const thread = new Thread();
    thread.now = 1000;
    thread.handle("new", 0.7);
    assertEquals([thread.load("new").busy, thread.share.crowded], [false, false]);
  });

  it("looks at the clock for long reads, those of busy connections, and one in four of the others", () => {
    let looks = 0;
    const share = new FairShare(() => {}, () => {
      looks++;
      return 0;
    });
    const read = (load: ReadLoad, length: number): void => {
      for (let index = 0; index < 8; index++) share.spent(load, share.begin(load, length), length);
    };
    const looksOf = (load: ReadLoad, length: number): number => {
      looks = 0;
      read(load, length);
      return looks / 2;
    };
    const busy = new ReadLoad();
    // Stays busy for eight reads.
    [busy.busy, busy.time, busy.reads] = [true, 8, 10];
    assertEquals([looksOf(new ReadLoad(), 10), looksOf(new ReadLoad(), 1000), looksOf(busy, 10)], [2, 8, 8]);
  });

  it("has the time of handlers counted while bytes of busy connections are handled only", () => {
    const thread = new Thread();
    know(thread, "busy", 1);
    know(thread, "light", 0.01);
    const wanted = (name: string): boolean[] => {
      const since = thread.share.begin(thread.load(name), 1000);
      const during = handlerTime.wanted;
      thread.share.spent(thread.load(name), since, 1000);
      return [during, handlerTime.wanted];
    };
    assertEquals([wanted("busy"), wanted("light")], [[true, false], [false, false]]);
  });

  it("resumes all connections that wait for a pass after one pass", () => {
    const thread = new Thread();
    const calls: number[] = [];
    for (let index = 0; index < 5; index++) thread.share.waitForPass(() => calls.push(index));
    thread.share.waitForPass(() => calls.push(5))();
    thread.pass();
    assertEquals([calls, thread.begun.length], [[0, 1, 2, 3, 4], 0]);
  });

  it("does not serve a connection that leaves while another is served", () => {
    const thread = new Thread();
    let turns = 0;
    const leave: (() => void)[] = [];
    thread.share.waitForPass(() => {
      turns++;
      for (const each of leave) each();
    });
    for (let index = 0; index < 2; index++) leave.push(thread.share.waitForPass(() => turns++));
    thread.pass();
    assertEquals([turns, thread.begun.length], [1, 0]);
  });

  it("gives new bytes as many slices as those before", () => {
    const thread = new Thread();
    const slices = (): number => {
      let [first, done] = [0, false];
      const goOn = (): void => {
        if (done) return;
        first++;
        thread.share.enqueue(thread.load("one"), goOn, true);
      };
      thread.share.enqueue(thread.load("one"), goOn);
      thread.share.enqueue(thread.load("other"), () => done = true);
      while (thread.begun.length > 0) thread.pass();
      return first;
    };
    assertEquals([slices(), slices()], [16, 16]);
  });
});

describe("timeHandler", () => {
  it("adds up the time of handlers that work, also of those that throw, and ignores short ones", () => {
    const clock = Object.getOwnPropertyDescriptor(performance, "now");
    let now = 0;
    Object.defineProperty(performance, "now", { value: () => now, configurable: true });
    try {
      handlerTime.spent = 0;
      const work = (ms: number): string => {
        now += ms;
        return `${ms} ms`;
      };
      assertEquals(timeHandler(() => work(0.25)), "0.25 ms");
      for (let index = 0; index < 100; index++) timeHandler(() => work(0.01));
      const failing = (): void => {
        work(0.5);
        throw new RangeError("on purpose");
      };
      assertThrows(() => timeHandler(failing), RangeError, "on purpose");
      assertEquals(Math.round(handlerTime.spent * 100), 75);
    } finally {
      if (clock === undefined) delete (performance as { now?: unknown }).now;
      else Object.defineProperty(performance, "now", clock);
      handlerTime.spent = 0;
    }
  });
});
