/** What packages print as errors and warnings, caught while a test runs: it says what must be there. */

import { format } from "node:util";

/** Catches `console.error`, `console.warn` and `console.info` until it is disposed. */
export class CaughtConsole implements Disposable {
  /** First line of each call. */
  readonly lines: string[] = [];
  readonly #real = { error: console.error, warn: console.warn, info: console.info };

  constructor() {
    const take = (...args: unknown[]): void => {
      const [first] = args;
      this.lines.push((first instanceof Error ? `${first}` : format(...args)).split("\n")[0]!);
    };
    Object.assign(console, { error: take, warn: take, info: take });
  }

  [Symbol.dispose](): void {
    Object.assign(console, this.#real);
  }
}
