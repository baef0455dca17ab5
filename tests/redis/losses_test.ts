/** Losses of the journal in Redis: each is reported once. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalLosses } from "../../redis/losses.ts";

function make(): { events: string[]; losses: JournalLosses } {
  const events: string[] = [];
  const losses = new JournalLosses("p:stream", {
    deleted: ({ message }) => void events.push(`deleted: ${message}`),
    forgotten: ({ message }) => void events.push(`forgotten: ${message.split(":")[0]}`),
    grew: () => void events.push("grew"),
  });
  return { events, losses };
}

describe("JournalLosses", () => {
  it("reports no losses from before the node", () => {
    const { events, losses } = make();
    losses.begin("1 4 3|10 12", false);
    losses.learn(4, "1 4 3|10 12");
    assertEquals([events, losses.trimmed, losses.ranges], [[], 4, [{ after: 10, until: 12 }]]);
  });

  it("reports deleted entries once, with the eviction that may have done it", () => {
    const { events, losses } = make();
    losses.begin("1 4 3|", true);
    losses.eviction = '"maxmemory-policy allkeys-lru"';
    losses.learn(4, "1 4 3|");
    losses.learn(4, "1 4 3|");
    assertEquals(events, [
      'deleted: 3 notifications are gone from Redis, up to 4: another program has deleted or trimmed the stream "p:stream", ' +
      'or Redis has evicted it, as "maxmemory-policy allkeys-lru" says',
    ]);
  });

  it("reports each forgotten range once, and never lets retention go back", () => {
    const { events, losses } = make();
    losses.begin("|", false);
    losses.learn(9, "|20 22");
    losses.learn(3, "|20 22 40 41");
    assertEquals(events, [
      "forgotten: Redis has forgotten the notifications 21 to 22",
      "grew",
      "forgotten: Redis has forgotten the notifications 41 to 41",
      "grew",
    ]);
    assertEquals([losses.trimmed, losses.ranges.length], [9, 2]);
  });
});
