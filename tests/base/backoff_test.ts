import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Backoff } from "../../base/backoff.ts";

const settings = (options: object): ConstructorParameters<typeof Backoff>[0] => ({
  minDelay: 500,
  maxDelay: 30_000,
  minUptime: 5000,
  ...options,
});

describe("Backoff", () => {
  it("doubles the longest wait with each failure, up to the most, and waits a random part of it", () => {
    const longest = new Backoff(settings({ minDelay: 100, maxDelay: 1000 }), () => 1 - 1e-9);
    const shortest = new Backoff(settings({ minDelay: 100, maxDelay: 1000 }), () => 0);
    const waits = Array.from({ length: 6 }, () => {
      longest.failed();
      assertEquals(shortest.delay(), 0);
      return longest.delay();
    });
    assertEquals(waits, [100, 200, 400, 800, 1000, 1000]);
    for (let index = 0; index < 2000; index++) longest.failed();
    assertEquals(longest.delay(), 1000);
    assertEquals(longest.delay(5000), 6000);
  });

  it("begins anew after a connection that was up for minUptime, and only then", () => {
    const backoff = new Backoff(settings({ minUptime: 1000 }));
    assertEquals([backoff.failed(), backoff.failed(), backoff.failed(999)], [1, 2, 3]);
    assertEquals([backoff.failed(1000), backoff.failed()], [0, 1]);
  });

  it("keeps a delay of 0 after thousands of failures if minDelay is 0", () => {
    const backoff = new Backoff(settings({ minDelay: 0, maxDelay: 1000 }));
    for (let index = 0; index < 2000; index++) backoff.failed();
    assertEquals(backoff.delay(), 0);
  });
});
