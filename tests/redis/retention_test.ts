/** Retention by age in Redis: reports are together, and none is left behind by a journal that is closed. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AgeClock } from "../../journal/age_clock.ts";
import { checkRetention } from "../../journal/retention.ts";
import type { RedisLink } from "../../redis/link.ts";
import { RedisRetention } from "../../redis/retention.ts";
import { ScriptRunner } from "../../redis/script_runner.ts";
import { FakeClock, turns } from "../support/support.ts";

/** A retention whose Redis answers when the test says so. */
function makeRetention(
  alive = true,
): { retention: RedisRetention; answer: (value: unknown) => void; refuse: (error: Error) => void; reports: unknown[] } {
  const reports: unknown[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const send = ([command]: string[]): Promise<unknown> => {
    if (command !== "PING") return promise;
    return alive ? Promise.resolve("PONG") : Promise.reject(new Error("the connection was closed"));
  };
  const link = { send } as unknown as RedisLink;
  const runner = new ScriptRunner("{tackline}:", { link, requireLink: () => link });
  const clock = new FakeClock();
  const retention = new RedisRetention(checkRetention({ clock }, 64 * 1024 * 1024), runner, new AgeClock(clock), {
    trimmed: (trimmed) => void reports.push(["trimmed", trimmed]),
    report: (before, trimmed) => Promise.resolve(void reports.push([before, trimmed])),
    expire: () => Promise.resolve(void reports.push("expire")),
    failed: (error) => void reports.push(error),
  });
  return { retention, answer: resolve, refuse: reject, reports };
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

  it("reports a run that Redis refuses, and leaves the loss of the connection to the journal", async () => {
    const error = new Error("NOPERM");
    for (const alive of [true, false]) {
      const { retention, refuse, reports } = makeRetention(alive);
      retention.start();
      refuse(error);
      await turns(2);
      retention.stop();
      assertEquals(reports, alive ? [error] : []);
    }
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
