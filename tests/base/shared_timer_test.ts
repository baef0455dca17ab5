import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Clock } from "../../base/clock.ts";
import { RESOLUTION, sharedTimer } from "../../base/shared_timer.ts";
import { FakeClock, Random } from "../support/support.ts";

/** A clock that counts the timers it is asked for. */
class CountingClock extends FakeClock {
  made = 0;
  override after(delay: number, callback: () => void): () => void {
    this.made++;
    return super.after(delay, callback);
  }
}

describe("sharedTimer", () => {
  it("is one and the same for a clock, and for itself", () => {
    const clock = new FakeClock();
    assert(sharedTimer(clock) === sharedTimer(clock));
    assert(sharedTimer(sharedTimer(clock)) === sharedTimer(clock));
    assert(sharedTimer(new FakeClock()) !== sharedTimer(clock));
    clock.advance(7);
    assertEquals(sharedTimer(clock).now(), 7);
  });

  it("needs one timer for thousands of deadlines, and none for those that were cancelled", () => {
    const clock = new CountingClock();
    const timer = sharedTimer(clock);
    const cancels = Array.from({ length: 5000 }, (_, index) => timer.after(index % 2 === 0 ? 1000 : 20_000, () => {}));
    assertEquals([clock.pending, clock.made], [1, 1]);
    for (const cancel of cancels) cancel();
    assertEquals(clock.pending, 0);
    for (const cancel of cancels) cancel();
  });

  it("calls each at its time or up to the resolution later, never before, in order for one delay", () => {
    const clock = new FakeClock();
    const timer = sharedTimer(clock);
    const random = new Random(7);
    const late: number[] = [];
    const order: number[] = [];
    for (let index = 0; index < 2000; index++) {
      const due = clock.now() + 100;
      timer.after(100, () => {
        late.push(clock.now() - due);
        order.push(index);
      });
      if (random.int(3) === 0) timer.after(random.int(300), () => {});
      clock.advance(random.int(7));
    }
    clock.advance(1000);
    assertEquals(order, Array.from({ length: 2000 }, (_, index) => index));
    assert(late.every((ms) => ms >= -1 && ms <= RESOLUTION), `late by ${Math.min(...late)} to ${Math.max(...late)} ms`);
    assertEquals(clock.pending, 0);
  });

  it("does not call a timer that another of the same round cancelled", () => {
    const clock = new FakeClock();
    const timer = sharedTimer(clock);
    const called: string[] = [];
    let cancel = (): void => {};
    timer.after(50, () => {
      called.push("one");
      cancel();
    });
    cancel = timer.after(50, () => called.push("two"));
    timer.after(50, () => called.push("three"));
    clock.advance(60);
    assertEquals(called, ["one", "three"]);
  });

  it("continues with the others when one throws", () => {
    const clock = new FakeClock();
    const timer = sharedTimer(clock as Clock);
    const called: string[] = [];
    timer.after(5, () => {
      throw new Error("broken");
    });
    timer.after(5, () => called.push("other"));
    assertThrows(() => clock.advance(20), Error, "broken");
    clock.advance(20);
    assertEquals(called, ["other"]);
  });

  it("takes new deadlines within a round", () => {
    const clock = new FakeClock();
    const timer = sharedTimer(clock);
    const called: number[] = [];
    const again = (): void => {
      called.push(clock.now());
      if (called.length < 4) timer.after(100, again);
    };
    timer.after(100, again);
    clock.advance(1000);
    assertEquals(called, [100, 200, 300, 400]);
    assertEquals(clock.pending, 0);
  });
});
