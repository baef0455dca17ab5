/**
 * The parts of one server in all cursors that receivers share.
 *
 * @module
 */

import { SharedPart, type SharedStore } from "./shared_part.ts";

/** Parts that have not ended. */
export class SharedParts {
  #parts = new Set<SharedPart>();

  /**
   * Adds a part in a cursor, until its departure is written.
   *
   * @param store Where the cursor is kept.
   * @param wake Called when there may be notifications to take.
   * @returns The part.
   */
  add(store: SharedStore, wake: () => void): SharedPart {
    const part = new SharedPart(store, wake, () => void this.#parts.delete(part));
    this.#parts.add(part);
    return part;
  }

  /** Writes acknowledgements and departures now; without a connection, the next one writes. */
  flush(): void {
    for (const part of this.#parts) part.flush();
  }

  /** Departs from all cursors. */
  leave(): void {
    for (const part of this.#parts) part.leave();
  }

  /** Waits until all departures are written, or cannot be. */
  async ended(): Promise<void> {
    await Promise.all([...this.#parts].map((part) => part.ended));
  }
}
