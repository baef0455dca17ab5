import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { TransportError } from "../../base/errors.ts";
import { SentWaiters } from "../../connection/sent_waiters.ts";

describe("SentWaiters", () => {
  it("calls each callback once, when its bytes have left, in order", () => {
    const waiters = new SentWaiters();
    const called: number[] = [];
    for (const offset of [10, 10, 20, 30]) waiters.add(offset, () => void called.push(offset));
    waiters.progress(9, 21);
    assertEquals(called, []);
    waiters.progress(20, 10);
    assertEquals(called, [10, 10, 20]);
    waiters.progress(30, 0);
    waiters.progress(30, 0);
    assertEquals(called, [10, 10, 20, 30]);
  });

  it("calls callbacks that callbacks add, and forgets those that were called", () => {
    const waiters = new SentWaiters();
    let called = 0;
    const again = (): void => {
      if (++called < 5000) waiters.add(called, again);
    };
    waiters.add(0, again);
    for (let sent = 0; sent < 5000; sent++) waiters.progress(sent, 1);
    assertEquals(called, 5000);
    waiters.lose();
    assertEquals(called, 5000);
  });

  it("settles promises when no bytes wait", async () => {
    const waiters = new SentWaiters();
    let drained = false;
    const promise = waiters.drained().then(() => drained = true);
    waiters.progress(10, 1);
    await Promise.resolve();
    assertEquals(drained, false);
    waiters.progress(11, 0);
    await promise;
  });

  it("gives the loss to all that wait", async () => {
    const waiters = new SentWaiters();
    const errors: unknown[] = [];
    const promise = waiters.drained();
    waiters.add(1, () => void errors.push("left"));
    for (const offset of [2, 3]) waiters.add(offset, (error) => void errors.push((error as TransportError).code));
    waiters.progress(1, 2);
    waiters.lose();
    waiters.lose();
    assertEquals(errors, ["left", "ERR_CONNECTION_LOST", "ERR_CONNECTION_LOST"]);
    await assertRejects(() => promise, TransportError, "lost before all bytes were sent");
  });
});
