import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Turn } from "../turn.ts";

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
});
