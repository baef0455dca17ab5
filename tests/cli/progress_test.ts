import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { showProgress } from "../../cli/progress.ts";
import type { SimulatorReport } from "../../whatsapp/simulator.ts";
import { FakeClock } from "../support/support.ts";

function start(terminal: boolean): { report: SimulatorReport; clock: FakeClock; texts: string[]; end: () => void } {
  const report = {
    accepted: 0,
    refused: 0,
    retries: 0,
    duplicates: 0,
    statuses: new Map(),
    latencies: [],
    elapsed: 0,
  };
  const clock = new FakeClock();
  const texts: string[] = [];
  const end = showProgress(report, 100, { terminal, err: (text) => void texts.push(text) }, clock);
  return { report, clock, texts, end };
}

describe("showProgress", () => {
  it("writes one line over and over on a terminal, and wipes it out", () => {
    const { report, clock, texts, end } = start(true);
    report.accepted = 5;
    clock.advance(500);
    report.accepted = 10;
    report.retries = 1;
    clock.advance(500);
    end();
    assertEquals(texts, [
      "\r\x1b[K5 of 100 accepted, 10 per second, 0 retries, 0 refused",
      "\r\x1b[K10 of 100 accepted, 10 per second, 1 retries, 0 refused",
      "\r\x1b[K",
    ]);
    assertEquals(clock.pending, 0);
  });

  it("prints a line now and then elsewhere, without escape sequences", () => {
    const { report, clock, texts, end } = start(false);
    report.accepted = 40;
    clock.advance(9_999);
    assertEquals(texts, []);
    clock.advance(1);
    end();
    assertEquals(texts.join(""), "40 of 100 accepted, 4 per second, 0 retries, 0 refused\n");
    assertEquals(clock.pending, 0);
  });

  it("shows the first failure once, as text that cannot command a terminal", () => {
    const { report, clock, texts, end } = start(true);
    report.firstFailure = "403 \x1b[2J";
    report.retries = 2;
    clock.advance(1_000);
    end();
    assertEquals(texts, [
      "\r\x1b[Kfirst failure: 403 \\u{1b}[2J\n",
      "\r\x1b[K0 of 100 accepted, 0 per second, 2 retries, 0 refused",
      "\r\x1b[K0 of 100 accepted, 0 per second, 2 retries, 0 refused",
      "\r\x1b[K",
    ]);
  });
});
