/**
 * Losses of the journal in PostgreSQL: numbers that it has forgotten.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import { parseRanges, type SequenceRange } from "../journal/sequence_ranges.ts";

/** Owner of {@linkcode JournalLosses}. */
export interface JournalLossesOwner {
  /** Reports that PostgreSQL has forgotten numbers; kept for the first listener if there is none yet. */
  forgotten(error: JournalError): void;
  /** {@linkcode JournalLosses.ranges} has more ranges than before. */
  grew(): void;
}

/** Losses that this node knows of. */
export class JournalLosses {
  #owner: JournalLossesOwner;
  #lost = "";
  #ranges: readonly SequenceRange[] = [];
  #trimmed = 0;

  /**
   * Makes a list without losses.
   *
   * @param owner The journal.
   */
  constructor(owner: JournalLossesOwner) {
    this.#owner = owner;
  }

  /** Ranges that PostgreSQL has forgotten, as far as any node has known them. */
  get ranges(): readonly SequenceRange[] {
    return this.#ranges;
  }

  /** Sequence number up to which retention has removed notifications. */
  get trimmed(): number {
    return this.#trimmed;
  }

  /**
   * Takes earlier losses, which are not reported again.
   *
   * @param lost "after until …"
   */
  begin(lost: string): void {
    this.#lost = lost;
    this.#ranges = parseRanges(lost);
  }

  /**
   * Notes the progress of retention.
   *
   * @param trimmed Sequence number up to which it has removed notifications.
   */
  trim(trimmed: number): void {
    this.#trimmed = Math.max(this.#trimmed, trimmed);
  }

  /**
   * Takes the losses of an answer, and reports new ones.
   *
   * @param trimmed Sequence number up to which retention has removed notifications.
   * @param lost "after until …"
   */
  learn(trimmed: number, lost: string): void {
    this.trim(trimmed);
    if (lost === this.#lost) return;
    const before = this.#ranges;
    this.begin(lost);
    const fresh = this.#ranges.filter(({ after, until }) =>
      !before.some((range) => range.after === after && range.until === until)
    );
    for (const range of fresh) this.#reportForgotten(range);
    if (fresh.length > 0) this.#owner.grew();
  }

  #reportForgotten({ after, until }: SequenceRange): void {
    const message = `PostgreSQL has forgotten the notifications ${after + 1} to ${until}: it was restored from a ` +
      `backup, a standby took over that was behind, or another program has deleted them; see "synchronous_commit" and "synchronous_standby_names"`;
    this.#owner.forgotten(new JournalError("ERR_JOURNAL_LOST", message));
  }
}
