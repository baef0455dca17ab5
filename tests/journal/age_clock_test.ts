/** The age of a journal, over several openings and jumps of other nodes. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AgeClock } from "../../journal/age_clock.ts";
import { FakeClock } from "../support/support.ts";

describe("AgeClock", () => {
  it("begins at 0, or at the age that was stored", () => {
    const clock = new FakeClock();
    clock.advance(500);
    assertEquals(new AgeClock(clock).age, 0);
    const stored = new AgeClock(clock);
    stored.raise(7000);
    clock.advance(20);
    assertEquals(stored.age, 7020);
  });

  it("takes the age of a node that is ahead, and never becomes younger", () => {
    const clock = new FakeClock();
    const age = new AgeClock(clock);
    age.raise(100);
    clock.advance(50);
    age.raise(120);
    assertEquals(age.age, 150);
    age.raise(900);
    clock.advance(1);
    assertEquals(age.age, 901);
  });
});
