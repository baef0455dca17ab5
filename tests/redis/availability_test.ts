/** Reports of the loss of Redis: those of a moment are left out. */

import { assert, assertEquals } from "@std/assert";
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
      availability.down(new Error("closed"), "single");
      clock.advance(999);
      // The other connection is lost too.
      availability.down(new Error("closed"), "single");
      availability.up();
      clock.advance(1000);
    }
    assertEquals([told, clock.pending], [[], 0]);
  });

  it("reports a loss that lasts a second, and the return", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), "single");
    clock.advance(1000);
    assertEquals(told, [AWAY]);
    availability.down(new Error("refused"), "attempt");
    clock.advance(2000);
    availability.up();
    assertEquals([told, clock.pending], [[AWAY, BACK("3.0")], 0]);
  });

  it("reports at once if the next connection cannot be made, with the first reason", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), "single");
    availability.down(new Error("refused"), "attempt");
    assertEquals(told, [AWAY]);
    clock.advance(5000);
    assertEquals([told, clock.pending], [[AWAY], 0]);
  });

  it("reports at once the loss of a connection that was lost just before", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), "single");
    clock.advance(100);
    availability.up();
    clock.advance(899);
    availability.down(new Error("closed"), "repeated");
    assertEquals(told.length, 1);
    const hint =
      '; connections are lost as soon as they are open, without a reason: see its "client-output-buffer-limit"';
    assert(told[0]!.startsWith(AWAY + hint), told[0]);
    clock.advance(100);
    availability.up();
    assertEquals([told.length, told[1]!.startsWith("Redis is there again after 0.1 s")], [2, true]);
  });

  it("reports at once a loss for which Redis has given a reason", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("NOPERM this user has no permissions to run the 'xread' command"), "single");
    assertEquals(told, ["Redis is away: NOPERM this user has no permissions to run the 'xread' command"]);
    availability.up();
    clock.advance(5000);
    availability.down(new Error("Redis is a replica, and a primary is needed"), "single");
    availability.up();
    clock.advance(5000);
    availability.down(new Error("Another server of the cluster has the keys now (MOVED 1 127.0.0.1:1)"), "single");
    availability.up();
    assertEquals([told.length, clock.pending], [6, 0]);
  });

  it("reports nothing of a loss before it begins anew", () => {
    const { clock, availability, told } = start();
    availability.down(new Error("closed"), "single");
    availability.reset();
    clock.advance(5000);
    availability.up();
    assertEquals([told, clock.pending], [[], 0]);
  });
});
