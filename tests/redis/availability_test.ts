/** Reports of the loss of Redis: those of a moment are left out. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Availability } from "../../redis/availability.ts";
import { FakeClock } from "../support/support.ts";

function start(): { clock: FakeClock; availability: Availability; told: string[] } {
  const clock = new FakeClock();
  const told: string[] = [];
  return { clock, told, availability: new Availability(clock, (message) => void told.push(message)) };
}

const AWAY = "Redis is away: closed";
const BACK = (seconds: string): string => `Redis is there again after ${seconds} s; it was away: closed`;

describe("Availability", () => {
  it("does not report a loss that is repaired within a second", () => {
    const { clock, availability, told } = start();
    for (let at = 0; at < 3; at++) {
      availability.down(new Error("closed"), true);
      clock.advance(999);
      // The other connection is lost too.
      availability.down(new Error("closed"), true);
      availability.up();
      clock.advance(1000);
    }
    assertEquals([told, clock.pending], [[], 0]);
  });

  it("reports a loss that lasts a second, and the return", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), true);
    clock.advance(1000);
    assertEquals(told, [AWAY]);
    availability.down(new Error("refused"), false);
    clock.advance(2000);
    availability.up();
    assertEquals([told, clock.pending], [[AWAY, BACK("3.0")], 0]);
  });

  it("reports at once if the next connection cannot be made, with the first reason", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), true);
    availability.down(new Error("refused"), false);
    assertEquals(told, [AWAY]);
    clock.advance(5000);
    assertEquals([told, clock.pending], [[AWAY], 0]);
  });

  it("reports at once the loss of a connection that was lost just before", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), true);
    clock.advance(100);
    availability.up();
    clock.advance(899);
    availability.down(new Error("closed"), true);
    assertEquals(told, [AWAY]);
    clock.advance(100);
    availability.up();
    assertEquals(told, [AWAY, BACK("0.1")]);
  });

  it("reports nothing of a loss before it begins anew", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), true);
    availability.reset();
    clock.advance(5000);
    availability.up();
    assertEquals([told, clock.pending], [[], 0]);
  });
});
