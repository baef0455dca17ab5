/** The lease of a node: renewed while it runs, and never again once it has been stopped. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { NodeLease } from "../../journal/node_lease.ts";
import { until } from "../support/support.ts";

function makeLease(fail = false): { lease: NodeLease<string>; events: string[] } {
  const events: string[] = [];
  const lease = new NodeLease<string>({ link: "present" }, {
    sign: (link) => {
      events.push(`sign ${link}`);
      return fail && link === "present" ? Promise.reject(new Error("lost")) : Promise.resolve();
    },
    remove: (link) => {
      events.push(`remove ${link}`);
      return Promise.reject(new Error("lost"));
    },
    failed: (error) => void events.push(`${error}`),
  });
  return { lease, events };
}

describe("NodeLease", () => {
  it("is renewed over the connection of its time, and reports a failure", async () => {
    const { lease, events } = makeLease(true);
    await lease.renew("first");
    assertEquals(events, ["sign first"]);
    await until(() => events.length > 2, "the next renewal");
    lease.stop();
    assertEquals(events, ["sign first", "sign present", "Error: lost"]);
  });

  // A connection to a server that stands still ends seconds after it was given up.
  it("does not report the failure of a connection that another one has replaced", async () => {
    const source = { link: "first" };
    const failures: unknown[] = [];
    const signed = Promise.withResolvers<void>();
    const signedAgain = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const lease = new NodeLease<string>(source, {
      sign: (link) => {
        if (link === "second") signedAgain.resolve();
        if (link !== "first") return Promise.resolve();
        signed.resolve();
        return answer.promise;
      },
      remove: () => Promise.resolve(),
      failed: (error) => void failures.push(error),
    });
    await lease.renew("before");
    await signed.promise;
    source.link = "second";
    answer.reject(new Error("lost"));
    await signedAgain.promise;
    lease.stop();
    assertEquals(failures, []);
  });

  // A journal that is closed while a connection is prepared left a timer, and a sign of life for five seconds.
  it("does nothing once it is stopped, and leaves no timer", async () => {
    const { lease, events } = makeLease();
    lease.stop();
    await lease.renew("first");
    assertEquals(events, []);
  });

  it("is given up, even if the connection is lost meanwhile", async () => {
    const { lease, events } = makeLease();
    await lease.remove();
    assertEquals(events, ["remove present"]);
  });
});
