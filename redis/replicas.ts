/**
 * Confirmation by replicas that they have the writes of the primary (`WAIT`).
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import type { RedisLink } from "./link.ts";

/** Waits for replicas. One wait runs at a time; all writes made before the next wait begins share that wait. */
export class ReplicaConfirmation {
  #required: number;
  #timeout: number;
  #current: Promise<number> | undefined;
  #next: Promise<number> | undefined;

  /**
   * Makes a confirmation that waits for nothing yet.
   *
   * @param required Number of replicas that must confirm; 0: none.
   * @param timeout Time they have, in ms.
   */
  constructor(required: number, timeout: number) {
    this.#required = required;
    this.#timeout = timeout;
  }

  /** `true` if replicas must confirm. */
  get isRequired(): boolean {
    return this.#required > 0;
  }

  /**
   * Waits until enough replicas have all that was written on a connection before.
   *
   * @param link The connection.
   * @param what Name of the write, for the error.
   * @throws {JournalError} If too few confirm in time.
   */
  async confirm(link: RedisLink, what: string): Promise<void> {
    const copies = await this.#wait(link);
    if (copies >= this.#required) return;
    const message = `${copies} of ${this.#required} replicas confirmed ${what} within ${this.#timeout} ms`;
    throw new JournalError("ERR_JOURNAL_WRITE", message);
  }

  #wait(link: RedisLink): Promise<number> {
    return this.#next ??= (this.#current ?? Promise.resolve()).catch(() => {}).then(() => {
      this.#next = undefined;
      const command = ["WAIT", `${this.#required}`, `${this.#timeout}`];
      return this.#current = link.send(command).then(Number);
    });
  }
}
