/** Group commit: which appends share a transaction, and when it is written. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setImmediate } from "node:timers";
import { GroupCommit, type WaitingAppend } from "../../journal/group_commit.ts";
import { entry } from "../support/journal_entry.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function append(size: number): WaitingAppend {
  return { entry: entry(new Uint8Array(size)), resolve: () => {}, reject: () => {} };
}

/** A group commit that notes the sizes of its groups. */
function noting(): { groups: number[]; commits: GroupCommit } {
  const groups: number[] = [];
  return { groups, commits: new GroupCommit((group) => groups.push(group.length)) };
}

describe("GroupCommit", () => {
  it("commits a single append in the next turn", async () => {
    const { groups, commits } = noting();
    commits.add(append(1));
    assertEquals([groups, commits.size], [[], 1]);
    await turn();
    assertEquals([groups, commits.size], [[1], 0]);
  });

  it("waits for another turn while each brings several, up to 64 appends", async () => {
    const { groups, commits } = noting();
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 10; at++) commits.add(append(1));
      await turn();
      assertEquals(groups, []);
    }
    await turn();
    assertEquals(groups, [30]);
    for (let at = 0; at < 64; at++) commits.add(append(1));
    await turn();
    assertEquals(groups, [30, 64]);
  });

  it("splits groups at 512 appends, and at 8 MiB", async () => {
    const { groups, commits } = noting();
    for (let at = 0; at < 600; at++) commits.add(append(1));
    while (commits.size > 0) await turn();
    assertEquals(groups, [512, 88]);
    for (let at = 0; at < 3; at++) commits.add(append(4 * 1024 * 1024));
    while (commits.size > 0) await turn();
    assertEquals(groups, [512, 88, 2, 1]);
  });

  it("commits an empty group if one is scheduled, and nothing once it is stopped", async () => {
    const { groups, commits } = noting();
    commits.schedule();
    commits.schedule();
    await turn();
    assertEquals(groups, [0]);
    commits.schedule();
    commits.stop();
    await turn();
    assertEquals(groups, [0]);
  });
});
