/** Steps of an endless source: it goes on when a value has come, so that it never runs ahead of its reader. */

/** Counts steps; what waits for the next one goes on with it, even if it came before the waiting began. */
export class Steps {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Number of steps so far. */
  get count(): number {
    return this.#count;
  }

  /** Makes a step. */
  advance(): void {
    this.#count++;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  /** Waits until there are more than `count` steps. */
  async after(count: number): Promise<void> {
    if (this.#count <= count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
