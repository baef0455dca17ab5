/**
 * The epoch of the journal in Redis: which journal it is, from which base its numbers grow, and which numbers this node
 * knows.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { GivenNumbers } from "../journal/sequence_ranges.ts";
import type { RedisLink } from "./link.ts";
import { OPEN } from "./log_scripts.ts";
import { markPlace } from "./place.ts";
import type { ScriptRunner } from "./script_runner.ts";

/** Answer of the script that opens the journal. */
export type OpenAnswer = [
  id: string,
  last: string,
  trimmed: string,
  age: string,
  base: string,
  eras: string,
  news: string,
  found: number,
];

/** The present epoch, as this node knows it. */
export class JournalEpoch {
  /** Numbers that this node knows, also of entries that it could not read. */
  readonly given: GivenNumbers = new GivenNumbers();
  #runner: ScriptRunner;
  #id = "";
  /** ID of the journal if this node creates it. */
  readonly #newId: string = randomUUID();
  #base = "";

  /**
   * Makes an epoch of a journal that is not open.
   *
   * @param runner Runs scripts.
   */
  constructor(runner: ScriptRunner) {
    this.#runner = runner;
  }

  /** ID of the journal; empty until it is open. */
  get id(): string {
    return this.#id;
  }

  /** Numbers of the epoch are greater than this one. */
  get base(): string {
    return this.#base;
  }

  /**
   * Opens the journal on a connection.
   *
   * @param link The connection.
   * @param fresh `true` for a new connection.
   * @returns The answer; `undefined` if Redis has another journal by now.
   * @throws {Error} If nodes with this prefix have their journal under other keys.
   */
  async open(link: RedisLink, fresh: boolean): Promise<OpenAnswer | undefined> {
    const isOurs = this.#id !== "";
    if (!isOurs) await markPlace(this.#runner, link);
    const args = [this.#id || this.#newId, isOurs ? 1 : 0, fresh ? 1 : 0, ...this.given.pairs];
    const opened = await this.#runner.run(OPEN, args, link) as OpenAnswer;
    return isOurs && opened[0] !== this.#id ? undefined : opened;
  }

  /**
   * Continues in the epoch of an answer.
   *
   * @param opened The answer.
   */
  adopt([id, last, , , base, eras]: OpenAnswer): void {
    this.#id ||= id;
    this.#base = base;
    this.given.reset(eras, Number(last));
  }
}
