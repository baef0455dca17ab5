import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../base/clock.ts";

describe("systemClock", () => {
  it("calls back once its delay is over, and never when cancelled", async () => {
    const begun = systemClock.now();
    const calls: string[] = [];
    const cancel = systemClock.after(1, () => calls.push("cancelled"));
    cancel();
    await new Promise<void>((resolve) => systemClock.after(5, resolve));
    assertEquals(calls, []);
    // Timers of a runtime may be a fraction of a millisecond early.
    assert(systemClock.now() - begun >= 4);
  });
});
