/**
 * A stand-in for `@std/testing/bdd`, on the test runner of the runtime, for places where JSR is out of reach: the
 * same names and signatures, as many as the tests use.
 *
 * With the package itself: `deno test -A --import-map=tests/std/jsr.json`.
 *
 * @module
 */

/** A test, or a hook. */
export type Body = () => void | Promise<void>;

interface Group {
  (name: string, fn: () => void): void;
  /** Registers the tests of a group under their names, and runs none. */
  skip(name: string, fn: () => void): void;
}

interface Runner {
  describe: Group;
  it(name: string, fn: Body): void;
  beforeEach(fn: Body): void;
  afterEach(fn: Body): void;
}

/** Deno has no groups: names are put together, and hooks are called around each test. */
class DenoRunner implements Runner {
  #path: string[] = [];
  #before: Body[] = [];
  #after: Body[] = [];
  #skipped = false;

  readonly describe: Group = Object.assign(
    (name: string, fn: () => void): void => this.#group(name, fn, this.#skipped),
    { skip: (name: string, fn: () => void): void => this.#group(name, fn, true) },
  );

  #group(name: string, fn: () => void, isSkipped: boolean): void {
    const [path, before, after, skipped] = [this.#path, this.#before, this.#after, this.#skipped];
    this.#path = [...path, name];
    this.#before = [...before];
    this.#after = [...after];
    this.#skipped = isSkipped;
    fn();
    [this.#path, this.#before, this.#after, this.#skipped] = [path, before, after, skipped];
  }

  it(name: string, body: Body): void {
    const [before, after] = [this.#before, this.#after];
    const fn = async (): Promise<void> => {
      for (const hook of before) await hook();
      try {
        await body();
      } finally {
        for (const hook of after) await hook();
      }
    };
    Deno.test({ name: [...this.#path, name].join(" > "), ignore: this.#skipped, fn });
  }

  beforeEach(fn: Body): void {
    this.#before.push(fn);
  }

  afterEach(fn: Body): void {
    this.#after.unshift(fn);
  }
}

const runner: Runner = "Deno" in globalThis ? new DenoRunner() : await import("bun" + ":test") as Runner;

/** Groups tests; `describe.skip` registers them under their names, and runs none. */
export const describe: Group = Object.assign(
  (name: string, fn: () => void): void => runner.describe(name, fn),
  { skip: (name: string, fn: () => void): void => runner.describe.skip(name, fn) },
);

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
