import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Holder, MemoryBudget } from "../../base/memory_budget.ts";
import { settle } from "../support/support.ts";

/** Names those that give up, in order. */
function holders(): { make: (name: string) => Holder; gone: string[] } {
  const gone: string[] = [];
  return { make: (name) => ({ giveUp: () => void gone.push(name) }), gone };
}

describe("MemoryBudget", () => {
  it("asks no holder up to the limit; beyond it the others at once, the growing one later if needed", async () => {
    const { make, gone } = holders();
    const budget = new MemoryBudget(() => 100);
    const one = make("one");
    budget.update(one, 50);
    budget.update(make("other"), 50);
    await settle();
    assertEquals([gone, budget.total], [[], 100]);
    budget.update(one, 51);
    assertEquals([gone, budget.total], [[], 101]);
    await settle();
    assertEquals([gone, budget.total], [["one"], 50]);
    budget.update(one, 51);
    assertEquals([gone, budget.total], [["one", "other"], 51]);
    budget.update(make("third"), 49);
    budget.update(one, 52);
    budget.update(one, 46);
    await settle();
    // There is room meanwhile.
    assertEquals([gone, budget.total], [["one", "other"], 95]);
  });

  it("takes the rest of a holder that freed a part, within that call", () => {
    const budget = new MemoryBudget(() => 100);
    const other: Holder = { giveUp: () => budget.update(other, 30, false) };
    budget.update(other, 60);
    budget.update({ giveUp() {} }, 60);
    assertEquals(budget.total, 90);
    // However many do.
    let limit = 0;
    const many = new MemoryBudget(() => limit);
    for (let index = 0; index < 50_000; index++) {
      const holder: Holder = { giveUp: () => many.update(holder, 1, false) };
      many.update(holder, 10);
    }
    limit = 100;
    const last: Holder = { giveUp() {} };
    many.update(last, 0.5);
    assertEquals(many.total, 50_000.5);
  });

  it("evicts holders above half of the average, the oldest first, until a sixteenth is free", async () => {
    const { make, gone } = holders();
    const budget = new MemoryBudget(() => 1600);
    budget.update(make("small and old"), 10);
    for (let index = 0; index < 8; index++) budget.update(make(`holds ${index}`), 200);
    await settle();
    // 1610 are more than 1600, and 1410 no more than 1500.
    assertEquals([gone, budget.total], [["holds 0"], 1410]);
    budget.update(make("large and young"), 600);
    await settle();
    assertEquals([gone, budget.total], [["holds 0", "holds 1", "holds 2", "holds 3"], 1410]);
    for (let index = 0; index < 8; index++) budget.update(make(`also ${index}`), 200);
    await settle();
    assertEquals(gone.slice(4), ["holds 4", "holds 5", "holds 6", "holds 7", "large and young", "also 0"]);
    assertEquals(budget.total, 1410);
    budget.update(make("a little"), 191);
    assertEquals([gone.at(-1), budget.total], ["also 1", 1401]);
    budget.update(make("a little more"), 200);
    // 1401 and 200 are more than 1600, and without one of them there would be no room for the next.
    assertEquals([gone.at(-1), budget.total], ["also 2", 1401]);
  });

  it("evicts the oldest of nearly equal holders, not the newest, slightly larger one", async () => {
    const { make, gone } = holders();
    const budget = new MemoryBudget(() => 1000);
    for (let index = 0; index < 9; index++) budget.update(make(`holds ${index}`), 100);
    const honest = make("honest");
    for (const size of [40, 80, 105]) {
      budget.update(honest, size);
      await settle();
    }
    assertEquals(gone, ["holds 0"]);
  });

  it("evicts until there is room, even if the sizes are very unequal", async () => {
    const { make, gone } = holders();
    const budget = new MemoryBudget(() => 100);
    for (const [name, size] of [["a", 1], ["b", 60], ["c", 1], ["d", 70], ["e", 80], ["f", 90]] as const) {
      budget.update(make(name), size);
    }
    await settle();
    assertEquals([gone, budget.total], [["b", "d", "e"], 92]);
    // The first pass has one only.
    for (const [name, size] of [["g", 5], ["h", 6000]] as const) budget.update(make(name), size);
    await settle();
    assertEquals([gone.slice(3), budget.total], [["h", "f"], 7]);
  });

  it("never evicts the only holder, nor those that would free nothing, which still count", async () => {
    const { make, gone } = holders();
    const budget = new MemoryBudget(() => 100);
    const only = make("only");
    budget.update(only, 500);
    await settle();
    assertEquals(gone, []);
    budget.update(only, 500, false);
    const other = make("other");
    budget.update(other, 1);
    await settle();
    assertEquals([gone, budget.total], [["other"], 500]);
    budget.update(other, 1, false);
    await settle();
    assertEquals(gone, ["other"]);
    budget.release(only);
    budget.release(only);
    budget.release(other);
    assertEquals(budget.total, 0);
    for (const name of ["third", "fourth"]) budget.update(make(name), 60);
    assertEquals([gone, budget.total], [["other", "third"], 60]);
  });

  it("treats a holder as new after its release, and has no limit with 0", async () => {
    const { make, gone } = holders();
    let limit = 0;
    const budget = new MemoryBudget(() => limit);
    const [one, two] = [make("one"), make("two")];
    budget.update(one, 1000);
    budget.update(two, 1000);
    await settle();
    assertEquals(gone, []);
    budget.release(one);
    limit = 2000;
    budget.update(one, 1001);
    await settle();
    // The other one has begun before it now.
    assertEquals(gone, ["two"]);
    budget.update(two, 1000);
    await settle();
    assertEquals(gone, ["two", "one"]);
  });
});
