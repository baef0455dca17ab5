import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { acquire, release } from "../../base/buffer_pool.ts";

describe("the pool of buffers", () => {
  it("gives at least the requested size, and a released buffer to the next caller only", () => {
    for (const capacity of [1, 1000, 1024, 1088, 1089, 16_384 + 14, 65_536, 300_000, 1_048_576 + 14, 5_000_000]) {
      const buffer = acquire(capacity);
      assert(buffer.length >= capacity);
      const other = acquire(capacity);
      assert(other !== buffer);
      release(buffer);
      const again = acquire(capacity);
      // The largest are made for their use.
      assertEquals(again === buffer, capacity < 5_000_000);
      assert(again !== other && acquire(capacity) !== other);
    }
  });

  it("has room for the headers of messages of round sizes", () => {
    for (const size of [1024, 16_384, 65_536, 1_048_576]) assert(acquire(size + 14).length < size * 1.1);
  });

  it("keeps a bounded amount for all sizes", () => {
    const all = new Set<Uint8Array>();
    const fill = (capacity: number, count: number): void => {
      const buffers = Array.from({ length: count }, () => acquire(capacity));
      for (const buffer of buffers) {
        release(buffer);
        all.add(buffer);
      }
    };
    fill(1000, 20_000);
    fill(60_000, 500);
    fill(1_000_000, 100);
    let kept = 0;
    for (const capacity of [1000, 60_000]) {
      for (let buffer = acquire(capacity); all.has(buffer); buffer = acquire(capacity)) kept += buffer.length;
    }
    assert(kept > 0 && kept <= 8 * 1024 * 1024, `${kept} bytes`);
    let large = 0;
    for (let buffer = acquire(1_000_000); all.has(buffer); buffer = acquire(1_000_000)) large++;
    assert(large > 0 && large <= 64, `${large} large ones`);
  });

  it("keeps unused buffers, however often others are acquired and released", () => {
    const rare = acquire(60_000);
    release(rare);
    for (let round = 0; round < 10_000; round++) release(acquire(1000));
    assert(acquire(60_000) === rare);
  });

  it("refuses buffers that it did not give", () => {
    const foreign = new Uint8Array(1500);
    release(foreign);
    assert(acquire(1500) !== foreign);
  });
});
