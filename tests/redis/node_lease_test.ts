/** The lease of a node: renewed while it runs, and never again once it has been stopped. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { RedisLink } from "../../redis/link.ts";
import { NodeLease } from "../../redis/node_lease.ts";
import { ScriptRunner } from "../../redis/script_runner.ts";

/** A lease over a link that answers each command as Redis does to a renewal. */
function makeLease(): { lease: NodeLease; link: RedisLink; commands: string[]; renewals: unknown[] } {
  const [commands, renewals] = [[] as string[], [] as unknown[]];
  const link = {
    send: (command: string[]) => {
      commands.push(command[0]!);
      return Promise.resolve(["base", "3", "news"]);
    },
  } as unknown as RedisLink;
  const runner = new ScriptRunner("{tackline}:", { link, requireLink: () => link });
  const lease = new NodeLease("node", runner, {
    renewed: (...given) => Promise.resolve(void renewals.push(given)),
    failed: (error) => void renewals.push(error),
  });
  return { lease, link, commands, renewals };
}

describe("NodeLease", () => {
  it("hands the answer of a renewal to its owner", async () => {
    const { lease, link, renewals } = makeLease();
    await lease.renew(link);
    lease.stop();
    assertEquals(renewals, [["base", 3, "news", link]]);
  });

  // A journal that is closed while a connection is prepared left a timer, and a sign of life for five seconds.
  it("does nothing once it is stopped, and leaves no timer", async () => {
    const { lease, link, commands, renewals } = makeLease();
    lease.stop();
    await lease.renew(link);
    assertEquals([commands, renewals], [[], []]);
  });

  it("gives the lease up", async () => {
    const { lease, commands } = makeLease();
    await lease.remove();
    assertEquals(commands, ["DEL"]);
  });

  // A connection to a Redis that stands still ends seconds after it was given up.
  it("reports a renewal that failed, unless another connection has taken the place of its own", async () => {
    const other = makeLease().link;
    for (const isReplaced of [false, true]) {
      const failures: unknown[] = [];
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<unknown>();
      let link = {
        send: () => {
          asked.resolve();
          return answer.promise;
        },
      } as unknown as RedisLink;
      const source = {
        get link() {
          return link;
        },
        requireLink: () => link,
      };
      const lease = new NodeLease("node", new ScriptRunner("{tackline}:", source), {
        renewed: () => Promise.resolve(),
        failed: (error) => void failures.push(error),
      });
      await lease.renew(other);
      await asked.promise;
      if (isReplaced) link = other;
      const error = new Error("the connection was closed");
      answer.reject(error);
      // Behind all that the rejection causes.
      await new Promise((resolve) => setTimeout(resolve));
      assertEquals(failures, isReplaced ? [] : [error]);
      lease.stop();
    }
  });
});
