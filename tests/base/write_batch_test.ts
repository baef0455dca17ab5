import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WriteBatch } from "../../base/write_batch.ts";

describe("WriteBatch", () => {
  it("ends once for all, in order, those that come meanwhile included; then begins another", () => {
    const scheduled: (() => void)[] = [];
    const batch = new WriteBatch((run) => scheduled.push(run));
    const done: string[] = [];
    const member = (name: string, then?: () => void) => ({
      flushBatch() {
        done.push(name);
        then?.();
      },
    });
    batch.add(member("a"));
    batch.add(member("b", () => batch.add(member("d"))));
    batch.add(member("c"));
    assertEquals([scheduled.length, done], [1, []]);
    scheduled[0]!();
    assertEquals([scheduled.length, done], [1, ["a", "b", "c", "d"]]);
    batch.add(member("e"));
    assertEquals(scheduled.length, 2);
    scheduled[1]!();
    assertEquals(done, ["a", "b", "c", "d", "e"]);
  });

  it("knows when it is at its end", () => {
    const scheduled: (() => void)[] = [];
    const batch = new WriteBatch((run) => scheduled.push(run));
    const seen: boolean[] = [];
    batch.add({ flushBatch: () => void seen.push(batch.flushing) });
    seen.push(batch.flushing);
    scheduled[0]!();
    seen.push(batch.flushing);
    const failing = (): void => {
      throw new Error("broken");
    };
    batch.add({ flushBatch: failing });
    assertThrows(scheduled[1]!, Error, "broken");
    assertEquals([...seen, batch.flushing], [false, true, false, false]);
  });

  it("continues with the others when one throws", () => {
    const scheduled: (() => void)[] = [];
    const batch = new WriteBatch((run) => scheduled.push(run));
    const done: string[] = [];
    const failing = (): void => {
      throw new Error("broken");
    };
    batch.add({ flushBatch: () => void done.push("a") });
    batch.add({ flushBatch: failing });
    batch.add({ flushBatch: () => void done.push("b") });
    assertThrows(scheduled[0]!, Error, "broken");
    assertEquals([scheduled.length, done], [2, ["a"]]);
    scheduled[1]!();
    assertEquals(done, ["a", "b"]);
    batch.add({ flushBatch: failing });
    assertThrows(scheduled[2]!, Error, "broken");
    batch.add({ flushBatch: () => void done.push("c") });
    scheduled[3]!();
    assertEquals(done, ["a", "b", "c"]);
  });
});
