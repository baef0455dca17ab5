/**
 * A stand-in for `@std/testing/bdd`, on the test runner of the runtime, for places where JSR is out of reach: the same names and
 * signatures, as many as the tests use.
 *
 * @module
 */

/** A test, or a hook. */
export type Body = () => void | Promise<void>;

interface Runner {
  describe(name: string, fn: () => void): void;
  it(name: string, fn: Body): void;
  beforeEach(fn: Body): void;
  afterEach(fn: Body): void;
}

/** Deno has no groups: names are put together, and hooks are called around each test. */
class DenoRunner implements Runner {
  #path: string[] = [];
  #before: Body[] = [];
  #after: Body[] = [];

  describe(name: string, fn: () => void): void {
    const [path, before, after] = [this.#path, this.#before, this.#after];
    this.#path = [...path, name];
    this.#before = [...before];
    this.#after = [...after];
    fn();
    [this.#path, this.#before, this.#after] = [path, before, after];
  }

  it(name: string, fn: Body): void {
    const [before, after] = [this.#before, this.#after];
    Deno.test([...this.#path, name].join(" > "), async () => {
      for (const hook of before) await hook();
      try {
        await fn();
      } finally {
        for (const hook of after) await hook();
      }
    });
  }

  beforeEach(fn: Body): void {
    this.#before.push(fn);
  }

  afterEach(fn: Body): void {
    this.#after.unshift(fn);
  }
}

const runner: Runner = "Deno" in globalThis ? new DenoRunner() : await import("bun" + ":test") as Runner;

/** Groups tests. */
export function describe(name: string, fn: () => void): void {
  runner.describe(name, fn);
}

/** Registers a test. */
export function it(name: string, fn: Body): void {
  runner.it(name, fn);
}

/** Runs before each test of the group. */
export function beforeEach(fn: Body): void {
  runner.beforeEach(fn);
}

/** Runs after each test of the group. */
export function afterEach(fn: Body): void {
  runner.afterEach(fn);
}
