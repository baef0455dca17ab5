/** Limits of a journal: defaults and ranges. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../base/clock.ts";
import { OptionError } from "../../base/errors.ts";
import { checkRetention } from "../../journal/retention.ts";

const DAY = 24 * 3600 * 1000;

describe("checkRetention", () => {
  it("fills in the defaults, also for undefined", () => {
    const defaults = { maxAge: 30 * DAY, maxBytes: 5, maxReceivers: 10_000, maxReceiverAge: 90 * DAY };
    const large = { ...defaults, maxBytes: 2 ** 30, clock: systemClock };
    assertEquals(checkRetention({}, 2 ** 30), large);
    const { maxAge, clock } = checkRetention({ maxAge: undefined, clock: undefined }, 2 ** 30);
    assertEquals([maxAge, clock], [30 * DAY, systemClock]);
  });

  it("takes 0 for no limit, and refuses limits that are too small", () => {
    const none = { maxAge: 0, maxBytes: 0, maxReceivers: 0, maxReceiverAge: 0, clock: systemClock };
    assertEquals(checkRetention(none, 2 ** 30), none);
    assertThrows(() => checkRetention({ maxAge: -1 }, 2 ** 30), OptionError, "maxAge");
    assertThrows(() => checkRetention({ maxReceivers: NaN }, 2 ** 30), OptionError, "maxReceivers");
    assertThrows(() => checkRetention({ maxReceiverAge: 3_599_999 }, 2 ** 30), OptionError, "less than 3600000");
    assertThrows(() => checkRetention({ maxBytes: 2 ** 24 - 1 }, 2 ** 30), OptionError, "less than 16777216");
  });
});
