/** Retention by age in Redis: reports are together, and none is left behind by a journal that is closed. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AgeClock } from "../../journal/age_clock.ts";
import { checkRetention } from "../../journal/retention.ts";
import type { RedisLink } from "../../redis/client.ts";
import { RedisRetention } from "../../redis/retention.ts";
import { ScriptRunner } from "../../redis/script_runner.ts";
import { FakeClock, turns } from "../support/support.ts";

/** A retention whose Redis answers when the test says so. */
function makeRetention(): { retention: RedisRetention; answer: (value: unknown) => void; reports: unknown[] } {
  const reports: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const link = { send: () => promise } as unknown as RedisLink;
  const runner = new ScriptRunner("{tackline}:", { link, requireLink: () => link });
  const clock = new FakeClock();
  const retention = new RedisRetention(checkRetention({ clock }, 64 * 1024 * 1024), runner, new AgeClock(clock), {
    trimmed: (trimmed) => void reports.push(["trimmed", trimmed]),
    report: (before, trimmed) => Promise.resolve(void reports.push([before, trimmed])),
    expire: () => Promise.resolve(void reports.push("expire")),
    failed: (error) => void reports.push(error),
  });
  return { retention, answer: resolve, reports };
}

describe("RedisRetention", () => {
  it("reports what a run has removed", async () => {
    const { retention, answer, reports } = makeRetention();
    retention.start();
    answer([3, 7, 0]);
    await turns(2);
    retention.stop();
    assertEquals(reports, [["trimmed", 7], [3, 7], "expire"]);
  });

  it("leaves no timer if Redis answers after it was stopped, and does not start again", async () => {
    const { retention, answer, reports } = makeRetention();
    retention.start();
    retention.stop();
    answer([3, 7, 0]);
    await turns(2);
    retention.start();
    assertEquals(reports, [["trimmed", 7], "expire"]);
  });
});
