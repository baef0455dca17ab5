/**
 * A place in a journal that receivers of several servers share: what such a journal offers, and what is taken from it.
 *
 * @module
 */

import type { JournalEntry } from "./sqlite_journal.ts";
import type { SequenceRange } from "./sequence_ranges.ts";

/** What was taken: nobody else has it now. */
export interface TakenEntries {
  /** What another server had taken before, which is dead, or whose receivers have gone. */
  readonly again: readonly JournalEntry[];
  /** What nobody has had yet. */
  readonly new: readonly JournalEntry[];
  /** Ranges that retention has taken before delivery, or that the journal has lost. */
  readonly gaps?: readonly SequenceRange[];
}

/** A place that receivers of one name share, wherever they are. */
export interface SharedPlace {
  /**
   * Takes notifications for the receivers here.
   *
   * @param count The most of them.
   * @returns In the order of `seq`; none: there are no more at the moment. Rejects with a `JournalError` if the journal cannot be read.
   */
  take(count: number): Promise<TakenEntries>;
  /**
   * Some that were taken are done.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void;
  /** No receiver is here any more; what was taken and is not done goes to the others. */
  leave(): void;
}
