import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Turn } from "../../base/write_batch.ts";

describe("a turn", () => {
  it("ends once for all, in order, those that come meanwhile included; then begins another", () => {
    const scheduled: (() => void)[] = [];
    const turn = new Turn((run) => scheduled.push(run));
    const done: string[] = [];
    const member = (name: string, then?: () => void) => ({
      endTurn() {
        done.push(name);
        then?.();
      },
    });
    turn.add(member("a"));
    turn.add(member("b", () => turn.add(member("d"))));
    turn.add(member("c"));
    assertEquals([scheduled.length, done], [1, []]);
    scheduled[0]();
    assertEquals([scheduled.length, done], [1, ["a", "b", "c", "d"]]);
    turn.add(member("e"));
    assertEquals(scheduled.length, 2);
    scheduled[1]();
    assertEquals(done, ["a", "b", "c", "d", "e"]);
  });

  it("knows when it is at its end", () => {
    const scheduled: (() => void)[] = [];
    const turn = new Turn((run) => scheduled.push(run));
    const seen: boolean[] = [];
    turn.add({ endTurn: () => void seen.push(turn.running) });
    seen.push(turn.running);
    scheduled[0]();
    seen.push(turn.running);
    const failing = (): void => {
      throw new Error("broken");
    };
    turn.add({ endTurn: failing });
    assertThrows(scheduled[1], Error, "broken");
    assertEquals([...seen, turn.running], [false, true, false, false]);
  });

  it("goes on with the others when one throws", () => {
    const scheduled: (() => void)[] = [];
    const turn = new Turn((run) => scheduled.push(run));
    const done: string[] = [];
    const failing = (): void => {
      throw new Error("broken");
    };
    turn.add({ endTurn: () => void done.push("a") });
    turn.add({ endTurn: failing });
    turn.add({ endTurn: () => void done.push("b") });
    assertThrows(scheduled[0], Error, "broken");
    assertEquals([scheduled.length, done], [2, ["a"]]);
    scheduled[1]();
    assertEquals(done, ["a", "b"]);
    turn.add({ endTurn: failing });
    assertThrows(scheduled[2], Error, "broken");
    turn.add({ endTurn: () => void done.push("c") });
    scheduled[3]();
    assertEquals(done, ["a", "b", "c"]);
  });
});
