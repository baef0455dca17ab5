/** Errors of a server of a cluster, as Redis 7.0 writes them; `cluster_test.ts` meets each of them. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { explainElsewhere, explainSlots, isMoving } from "../../redis/cluster_errors.ts";

const WITHIN_SCRIPT =
  "ERR Script attempted to access a non local key in a cluster node script: 12ab, on @user_script:2.";

describe("Errors of a cluster", () => {
  it("tell a slot that is being moved from one that has moved", () => {
    for (const text of ["ASK 5 h:1", "TRYAGAIN Multiple keys request during rehashing of slot", WITHIN_SCRIPT]) {
      assertEquals([isMoving(new Error(text)), explainElsewhere(new Error(text), true)], [true, undefined]);
    }
    const moved = "Another server of the cluster has the keys now (MOVED 5 h:1)";
    assertEquals(explainElsewhere(new Error("MOVED 5 h:1"), true), moved);
    assert(explainElsewhere(new Error("MOVED 5 h:1"), false)!.startsWith(`${moved}. A client of one server cannot`));
    const down = "CLUSTERDOWN The cluster is down";
    assertEquals(explainElsewhere(new Error(down), true), `The cluster of Redis is down: ${down}`);
    for (const text of ["MOVED 5 h:1", "CLUSTERDOWN", "ERR no", "ASKING"]) {
      assertEquals(isMoving(new Error(text)), false);
    }
    assertEquals(explainElsewhere(new Error("ERR MOVED"), true), undefined);
  });

  it("tell what a prefix lacks, and leave others as they are", () => {
    const error = new Error("CROSSSLOT Keys in request don't hash to the same slot");
    const explained = explainSlots(error, 'a"b:') as Error;
    assert(
      explained.message.startsWith('the prefix "a\\"b:" has no hash tag, and Redis is a cluster'),
      explained.message,
    );
    assertEquals(explained.cause, error);
    const other = new Error("NOPERM");
    assertEquals(explainSlots(other, "a"), other);
  });
});
