/** The tail of the stream; what it delivers is tested with a real Redis in journal_test.ts and epoch_test.ts. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { RedisLink } from "../../redis/link.ts";
import { StreamTail } from "../../redis/tail.ts";
import { until } from "../support/support.ts";

/** A connection that answers nothing until it fails. */
function silentLink(): { link: RedisLink; sent: () => number; fail(error: Error): void } {
  const { promise, reject } = Promise.withResolvers<unknown>();
  promise.catch(() => {});
  let count = 0;
  const link = {
    send: () => {
      count++;
      return promise;
    },
  } as unknown as RedisLink;
  return { link, sent: () => count, fail: reject };
}

describe("StreamTail", () => {
  // A connection to a Redis that stands still ends seconds after it was given up.
  it("replaces its connection when that fails, and not when an earlier one does", async () => {
    const restarts: [unknown, boolean][] = [];
    const tail = new StreamTail("stream", {
      ready: Promise.resolve(),
      delivered: 0,
      isOver: false,
      gap: () => Promise.resolve(),
      deliver: () => {},
      restart: (error, all) => void restarts.push([error, all]),
    });
    const [first, second] = [silentLink(), silentLink()];
    tail.start(first.link);
    await until(() => first.sent() === 1, "the first command");
    tail.start(second.link);
    await until(() => second.sent() === 1, "the second command");
    first.fail(new Error("the first one"));
    // Whatever the first one causes comes before.
    const error = new Error("UNBLOCKED the second one");
    await Promise.resolve().then(() => second.fail(error));
    await tail.stopped();
    assertEquals(restarts, [[error, true]]);
  });
});
