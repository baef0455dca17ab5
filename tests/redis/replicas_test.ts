/** Confirmation by replicas: one wait at a time, shared by all that was written before it. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { JournalError } from "../../base/errors.ts";
import type { RedisLink } from "../../redis/link.ts";
import { ReplicaConfirmation } from "../../redis/replicas.ts";

function makeLink(): { commands: string[]; answers: ((copies: number) => void)[]; link: RedisLink } {
  const commands: string[] = [];
  const answers: ((copies: number) => void)[] = [];
  const send = (args: string[]): Promise<unknown> => {
    commands.push(args.join(" "));
    return new Promise((resolve) => answers.push(resolve));
  };
  return { commands, answers, link: { send } as RedisLink };
}

async function settle(): Promise<void> {
  for (let at = 0; at < 10; at++) await Promise.resolve();
}

describe("ReplicaConfirmation", () => {
  it("shares the next wait between all that is written while one runs", async () => {
    const { commands, answers, link } = makeLink();
    const replicas = new ReplicaConfirmation(2, 500);
    const first = replicas.confirm(link, "notification 1");
    await settle();
    const others = [replicas.confirm(link, "notification 2"), replicas.confirm(link, "notification 3")];
    await settle();
    assertEquals(commands, ["WAIT 2 500"]);
    answers[0]!(2);
    await first;
    await settle();
    assertEquals(commands, ["WAIT 2 500", "WAIT 2 500"]);
    answers[1]!(3);
    await Promise.all(others);
  });

  it("rejects if too few replicas confirm, and waits again for the next", async () => {
    const { answers, link } = makeLink();
    const replicas = new ReplicaConfirmation(1, 500);
    const failed = replicas.confirm(link, "notification 4");
    await settle();
    answers[0]!(0);
    await assertRejects(() => failed, JournalError, "0 of 1 replicas confirmed notification 4 within 500 ms");
    const next = replicas.confirm(link, "notification 5");
    await settle();
    answers[1]!(1);
    await next;
    assertEquals([replicas.isRequired, new ReplicaConfirmation(0, 500).isRequired], [true, false]);
  });
});
