import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { promiseOf } from "../../base/promises.ts";

type Settle = (value: unknown) => void;

const thenable = (then: (resolve: Settle, reject: Settle) => void): object => ({ then });

describe("promiseOf", () => {
  it("has nothing to wait for in other values", () => {
    for (const value of [undefined, null, true, 0, "then", 1n, Symbol("then"), {}, [], () => {}, { then: 1 }]) {
      assertEquals(promiseOf(value), undefined);
    }
  });

  it("takes a promise as it is, and adopts anything else with a method then", async () => {
    const promise = Promise.resolve(1);
    assertStrictEquals(promiseOf(promise), promise);
    class Mine extends Promise<unknown> {}
    const callable = Object.assign(() => {}, { then: (resolve: Settle) => resolve(3) });
    assertEquals(await promiseOf(Mine.resolve(2)), 2);
    assertEquals(await promiseOf(callable), 3);
    assertEquals(await promiseOf(thenable((resolve) => resolve(thenable((inner) => inner(4))))), 4);
    await assertRejects(() => promiseOf(thenable((_, reject) => reject(new Error("no"))))!, Error, "no");
  });

  it("settles once, and reads then once", async () => {
    let reads = 0;
    const twice = {
      get then() {
        reads++;
        return (resolve: Settle, reject: Settle) => {
          resolve("first");
          reject(new Error("second"));
          throw new Error("third");
        };
      },
    };
    assertEquals([await promiseOf(twice), reads], ["first", 1]);
  });

  it("rejects, and never throws, when then cannot be read or called", async () => {
    const fails = (): never => {
      throw new Error("on purpose");
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    await assertRejects(() => promiseOf(proxy)!, TypeError);
    await assertRejects(() => promiseOf(Object.create(Promise.prototype))!, TypeError);
    for (const value of [Object.defineProperty({}, "then", { get: fails }), thenable(fails)]) {
      await assertRejects(() => promiseOf(value)!, Error, "on purpose");
    }
    const replaced = Object.assign(Promise.resolve(), { then: fails });
    await assertRejects(() => promiseOf(replaced)!, Error, "on purpose");
  });
});
