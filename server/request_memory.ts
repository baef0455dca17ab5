/**
 * Counts the memory that one accepted connection holds of requests, for all connections together.
 *
 * @module
 */

import type { Holder, MemoryBudget } from "../base/memory_budget.ts";
import type { RequestBody } from "../protocol/request_body.ts";

/** Memory of one connection. */
export class RequestMemory {
  readonly #budget: MemoryBudget;
  readonly #holder: Holder;
  /** Set while held memory is counted. */
  #counted = false;

  /**
   * Begins with nothing held.
   *
   * @param budget The memory of all connections.
   * @param holder Gives the memory up if it is too much.
   */
  constructor(budget: MemoryBudget, holder: Holder) {
    this.#budget = budget;
    this.#holder = holder;
  }

  /**
   * Counts anew.
   *
   * @param unread Bytes that were not handed over yet.
   * @param body The body of the current request.
   */
  count(unread: Uint8Array, body: RequestBody | undefined): void {
    const held = body?.held ?? 0;
    const kept = unread.length === 0 ? 0 : unread.buffer.byteLength;
    if (held + kept === 0) return this.release();
    this.#counted = true;
    // The program holds all of a complete body: dropping it would free nothing.
    this.#budget.update(this.#holder, held + kept, kept > 0 || !body!.done);
  }

  /** Nothing is held any more. */
  release(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.#budget.release(this.#holder);
  }

  /** The budget counts the connection no longer. */
  forget(): void {
    this.#counted = false;
  }
}
