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

/**
 * Steps of several readers: a source goes on with the values of its own reader alone. With steps in common, each value
 * would be a step of all sources, and the values would double round by round until sockets are full.
 */
export class ReaderSteps {
  readonly #readers: Steps[] = [];

  /** Adds a reader, and returns its number. */
  add(): number {
    return this.#readers.push(new Steps()) - 1;
  }

  /** The steps of a reader. */
  of(reader: number): Steps {
    return this.#readers[reader]!;
  }

  /** Makes a step of each. */
  advance(): void {
    for (const steps of this.#readers) steps.advance();
  }
}
