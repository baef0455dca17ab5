/** Retention by age of a shared journal: reports are together, and none is left behind by a journal that is closed. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalTrimmer, type Removal } from "../../journal/trimmer.ts";
import { FakeClock, turns } from "../support/support.ts";

const MINUTE = 60_000;

/** A trimmer whose runs end when the test says so. */
function makeTrimmer(alive = true) {
  const reports: unknown[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Removal>();
  const clock = new FakeClock();
  const trimmer = new JournalTrimmer<string>({ link: "link" }, clock, {
    isAlive: () => Promise.resolve(alive),
    trim: () => {
      reports.push("trim");
      return promise;
    },
    trimmed: (trimmed) => void reports.push(["trimmed", trimmed]),
    report: ({ before, trimmed }) => Promise.resolve(void reports.push([before, trimmed])),
    expire: () => Promise.resolve(void reports.push("expire")),
    failed: (error) => void reports.push(error),
  });
  return { trimmer, clock, answer: resolve, refuse: reject, reports };
}

describe("JournalTrimmer", () => {
  it("reports what a run has removed, and runs every ten minutes", async () => {
    const { trimmer, clock, answer, reports } = makeTrimmer();
    trimmer.start();
    answer({ before: 3, trimmed: 7 });
    await turns(2);
    assertEquals(reports.splice(0), ["trim", ["trimmed", 7], [3, 7], "expire"]);
    clock.advance(10 * MINUTE - 1);
    assertEquals(reports, []);
    clock.advance(1);
    assertEquals(reports, ["trim"]);
    await turns(2);
    trimmer.stop();
  });

  it("reports further removals of the same second together", async () => {
    const { trimmer, reports } = makeTrimmer();
    await trimmer.report({ before: 0, trimmed: 2 });
    await trimmer.report({ before: 2, trimmed: 5 });
    await trimmer.report({ before: 5, trimmed: 6 });
    assertEquals([reports.splice(0), trimmer.isPending], [
      [["trimmed", 2], [0, 2], ["trimmed", 5], ["trimmed", 6]],
      true,
    ]);
    // As a journal does that is closed before.
    await trimmer.flush();
    trimmer.stop();
    assertEquals([reports, trimmer.isPending], [[[2, 6]], false]);
  });

  it("reports with the next run what could not be reported, as when the connection was lost meanwhile", async () => {
    const clock = new FakeClock();
    const reports: unknown[] = [];
    let isAway = true;
    let run = 0;
    const trimmer = new JournalTrimmer<string>({ link: "link" }, clock, {
      isAlive: () => Promise.resolve(false),
      trim: () => Promise.resolve(run++ === 0 ? { before: 3, trimmed: 7 } : { before: 7, trimmed: 7 }),
      trimmed: () => {},
      report: ({ before, trimmed }) => {
        if (isAway) return Promise.reject(new Error("the connection was lost"));
        return Promise.resolve(void reports.push([before, trimmed]));
      },
      expire: () => Promise.resolve(),
      failed: (error) => void reports.push(error),
    });
    trimmer.start();
    await turns(2);
    assertEquals([reports, trimmer.isPending], [[], true]);
    isAway = false;
    clock.advance(10 * MINUTE);
    await turns(2);
    assertEquals([reports, trimmer.isPending], [[[3, 7]], false]);
    clock.advance(10 * MINUTE);
    await turns(2);
    trimmer.stop();
    assertEquals(reports.length, 1);
  });

  it("reports a run that fails, and leaves the loss of the connection to the journal", async () => {
    const error = new Error("NOPERM");
    for (const alive of [true, false]) {
      const { trimmer, refuse, reports } = makeTrimmer(alive);
      trimmer.start();
      refuse(error);
      await turns(3);
      trimmer.stop();
      assertEquals(reports, alive ? ["trim", error] : ["trim"]);
    }
  });

  it("leaves no timer if a run ends after it was stopped, and does not start again", async () => {
    const { trimmer, answer, reports } = makeTrimmer();
    trimmer.start();
    trimmer.stop();
    answer({ before: 3, trimmed: 7 });
    await turns(2);
    trimmer.start();
    assertEquals(reports, ["trim", ["trimmed", 7], "expire"]);
  });
});
