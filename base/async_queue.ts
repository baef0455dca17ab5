/**
 * A queue that is read with `await`.
 *
 * @module
 */

/** Items that wait for readers, or readers that wait for items, and the end of the queue. */
export class AsyncQueue<Item> {
  #items: Item[] = [];
  #readers: { resolve(result: IteratorResult<Item, undefined>): void; reject(error: unknown): void }[] = [];
  #ended: { error: unknown } | undefined;

  /**
   * Adds an item.
   *
   * @param item The item.
   */
  push(item: Item): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: item });
    else this.#items.push(item);
  }

  /**
   * Takes all items that wait.
   *
   * @returns The items, in order.
   */
  takeAll(): Item[] {
    return this.#items.splice(0);
  }

  /**
   * Ends the queue; items that wait can still be read.
   *
   * @param error Thrown to later readers; `undefined`: none.
   */
  end(error?: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    for (const { resolve, reject } of this.#readers.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }

  /**
   * Waits for the next item.
   *
   * @returns The item, or the end.
   */
  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#items.length > 0) return Promise.resolve({ done: false, value: this.#items.shift()! });
    if (this.#ended === undefined) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    const { error } = this.#ended;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }
}
