import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import { OutageReport } from "../../whatsapp/outage_report.ts";
import { FakeClock } from "../support/support.ts";

const fail = (message = "Redis is away"): JournalError => new JournalError("ERR_JOURNAL_WRITE", message);
const byCode = { byMessage: false, more: "got a 503", end: "Kept again" };
const byMessage = { byMessage: true, more: "failed", end: "Read again" };

describe("OutageReport", () => {
  it("reports the first failure of an outage unchanged, and its end with a count", () => {
    const clock = new FakeClock();
    const outage = new OutageReport(clock, byCode);
    const first = fail();
    assertEquals(outage.succeeded(), undefined);
    assertEquals(outage.failed(first), first);
    for (let at = 0; at < 5000; at++) assertEquals(outage.failed(fail(`notification ${at}`)), undefined);
    clock.advance(2000);
    const end = outage.succeeded();
    assertEquals([end?.code, end?.message], [
      "ERR_JOURNAL_WRITE",
      "Kept again; 5000 more got a 503 since the last report",
    ]);
    assertEquals(outage.succeeded(), undefined);
  });

  it("reminds once a minute of an outage that lasts", () => {
    const clock = new FakeClock();
    const outage = new OutageReport(clock, byCode);
    const reports: string[] = [];
    for (let second = 0; second < 150; second++) {
      const report = outage.failed(fail());
      if (report !== undefined) reports.push(`${second}: ${report.message}`);
      clock.advance(1000);
    }
    assertEquals(reports, [
      "0: Redis is away",
      "60: Redis is away; 59 more got a 503 since the last report",
      "120: Redis is away; 59 more got a 503 since the last report",
    ]);
  });

  it("limits reports in ten seconds while failure and success alternate, and loses no count", () => {
    const clock = new FakeClock();
    const outage = new OutageReport(clock, byCode);
    const reports: string[] = [];
    for (let at = 0; at < 3000; at++) {
      const report = at % 2 === 0 ? outage.failed(fail()) : outage.succeeded();
      if (report !== undefined) reports.push(report.message);
      clock.advance(10);
    }
    clock.advance(60_000);
    reports.push(outage.failed(fail())!.message);
    assertEquals(reports.length < 10, true, `${reports}`);
    let count = 0;
    for (const message of reports) count += message.startsWith("Kept") ? 0 : 1;
    for (const message of reports) count += Number(message.match(/; (\d+) more/)?.[1] ?? 0);
    assertEquals(count, 1501);
  });

  it("reports another code at once after a long silence, and other messages where distinguished", () => {
    const clock = new FakeClock();
    const outage = new OutageReport(clock, byCode);
    outage.failed(fail());
    clock.advance(10_000);
    assertEquals(outage.failed(new JournalError("ERR_JOURNAL_REPLACED", "gone"))?.message, "gone");
    const reads = new OutageReport(clock, byMessage);
    assertEquals(reads.failed(fail("one"))?.message, "one");
    assertEquals(reads.failed(fail("one")), undefined);
    assertEquals(reads.failed(fail("two"))?.message, "two; 1 more failed since the last report");
    clock.advance(1000);
    assertEquals(reads.succeeded()?.message, "Read again; 0 more failed since the last report");
  });
});
