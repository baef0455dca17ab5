import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { MessageOwner } from "../../connection/options.ts";
import { UnfinishedMessages } from "../../connection/unfinished_messages.ts";
import { FakeClock } from "../support/support.ts";

describe("UnfinishedMessages", () => {
  class Owner implements MessageOwner {
    stalls = 0;
    pieces = 0;
    reading = true;
    progress(): number {
      return this.pieces;
    }
    reads(): boolean {
      return this.reading;
    }
    stalled(): void {
      this.stalls++;
    }
    giveUp(): void {}
  }
  const start = (messageTimeout = 8000): { clock: FakeClock; unfinished: UnfinishedMessages } => {
    const clock = new FakeClock();
    return { clock, unfinished: new UnfinishedMessages(() => ({ maxTotalMessageSize: 0, messageTimeout, clock })) };
  };

  it("reports messages without progress after messageTimeout (to 1/8), not those the program delays", () => {
    const { clock, unfinished } = start();
    const [silent, slow, held] = [new Owner(), new Owner(), new Owner()];
    for (const owner of [silent, slow, held]) unfinished.update(owner, 100);
    held.reading = false;
    for (let second = 0; second < 7; second++) {
      clock.advance(1000);
      if (second === 3) slow.pieces++;
    }
    assertEquals([silent.stalls, slow.stalls, held.stalls], [0, 0, 0]);
    clock.advance(1000);
    assertEquals([silent.stalls, slow.stalls, held.stalls], [1, 0, 0]);
    unfinished.forget(silent);
    held.reading = true;
    clock.advance(4999);
    assertEquals([slow.stalls, held.stalls], [0, 0]);
    clock.advance(1);
    assertEquals([slow.stalls, held.stalls], [1, 0]);
    unfinished.forget(slow);
    clock.advance(3000);
    assertEquals([silent.stalls, slow.stalls, held.stalls], [1, 1, 1]);
  });

  it("has one timer for all messages, and none once they are gone", () => {
    const { clock, unfinished } = start();
    const owners = Array.from({ length: 100 }, () => new Owner());
    for (const owner of owners) unfinished.update(owner, 1);
    assertEquals(clock.pending, 1);
    clock.advance(500);
    for (let message = 0; message < 100; message++) {
      unfinished.finish(owners[0]!);
      unfinished.update(owners[0]!, 1);
    }
    for (const owner of owners) unfinished.finish(owner);
    assertEquals(clock.pending, 1);
    clock.advance(1000);
    assertEquals(clock.pending, 0);
    unfinished.update(owners[0]!, 1);
    unfinished.update(owners[1]!, 1);
    unfinished.forget(owners[0]!);
    assertEquals(clock.pending, 1);
    unfinished.forget(owners[1]!);
    assertEquals([clock.pending, unfinished.total], [0, 0]);
  });

  it("has no timer with 0", () => {
    const { clock, unfinished } = start(0);
    unfinished.update(new Owner(), 1);
    assertEquals([clock.pending, unfinished.total], [0, 1]);
  });
});
