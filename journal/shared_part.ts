/**
 * The part of one server in a cursor that receivers share over all servers.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import type { JournalEntry, SharedCursor, TakenEntries } from "./journal.ts";
import { type SequenceRange, SkippedNumbers } from "./sequence_ranges.ts";

/** Interval between checks for entries abandoned by other servers, in ms. */
const CHECK_INTERVAL = 1000;
/** Maximum of acknowledgements that are written at once. */
const BATCH = 1000;
/** Maximum of bytes in one answer, which one notification may exceed. */
export const TAKE_BYTES: number = 4 * 1024 * 1024;
const NONE: TakenEntries = { again: [], new: [] };

/** A part in a shared cursor. */
export interface SharedPlace {
  /** Name of the receivers. */
  readonly name: string;
  /** Sequence number to begin after, if the cursor is new. */
  readonly start: number;
  /** Filters of the receivers. */
  readonly wanted: string;
  /** Name of this server's consumer. */
  readonly consumer: string;
}

/** Answer of a {@linkcode SharedStore}. */
export interface SharedAnswer {
  /** Sequence number up to which retention has removed notifications. */
  readonly trimmed: number;
  /** Last number that the cursor had delivered before. */
  readonly last: number;
  /** Number after `last` up to which there is no new entry. */
  readonly until: number;
  /** Entries taken before by others. */
  readonly again: readonly JournalEntry[];
  /** New entries. */
  readonly new: readonly JournalEntry[];
}

/** The cursor in the program that keeps it, and the journal. */
export interface SharedStore {
  /** `true` while there is a connection. */
  readonly isConnected: boolean;
  /** Ranges that the journal is known to have lost. */
  readonly lost: readonly SequenceRange[];
  /**
   * Takes notifications for this server; joins the cursor first if necessary.
   *
   * @param count Maximum of notifications.
   * @returns The answer. Rejects with a `JournalError`.
   */
  take(count: number): Promise<SharedAnswer>;
  /**
   * Acknowledges notifications.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): Promise<unknown>;
  /** Removes the consumer of this server; others take over its unfinished notifications. */
  leave(): Promise<unknown>;
  /** Reports acknowledgements that could not be written; they are written again later. */
  failed(error: unknown): void;
}

/** A shared cursor, as one server sees it. */
export class SharedPart implements SharedCursor {
  #store: SharedStore;
  #wake: () => void;
  #onRemoved: () => void;
  /** Numbers that the cursor has skipped here: some may be lost. */
  #skipped = new SkippedNumbers();
  /** `true` once a failed acknowledgement was reported, until one succeeds. */
  #failing = false;
  /** Entries taken, and not acknowledged. */
  #pending = new Set<number>();
  /** Acknowledgements that are not written. */
  #acknowledged = new Set<number>();
  #flushing = false;
  /** `true` once no receiver is here any more. */
  #departed = false;
  /** `true` once the departure is written. */
  #removed = false;
  #ended = Promise.withResolvers<void>();
  #cancelCheck: () => void;

  /**
   * Makes a part; the cursor is joined when notifications are taken first.
   *
   * @param store Where the cursor is kept.
   * @param wake Called when there may be notifications to take.
   * @param onRemoved Called when its departure is written.
   */
  constructor(store: SharedStore, wake: () => void, onRemoved: () => void) {
    this.#store = store;
    this.#wake = wake;
    this.#onRemoved = onRemoved;
    this.#cancelCheck = systemClock.after(CHECK_INTERVAL, () => this.#check());
  }

  #check(): void {
    this.#cancelCheck = systemClock.after(CHECK_INTERVAL, () => this.#check());
    this.#wake();
  }

  /** Resolves when the departure is written, or cannot be. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Takes notifications for the receivers here.
   *
   * @param count Maximum of notifications.
   * @returns Entries in the order of `seq`.
   */
  async take(count: number): Promise<TakenEntries> {
    if (this.#departed) return NONE;
    try {
      const answer = await this.#store.take(count);
      const taken = { again: answer.again, new: answer.new, gaps: this.#gaps(answer) };
      for (const { seq } of [...taken.again, ...taken.new]) this.#pending.add(seq);
      if (this.#departed) {
        // A command that had to be sent again may have run after the removal.
        this.#removed = false;
        this.flush();
      }
      return taken;
    } catch (error) {
      if (this.#departed) return NONE;
      throw error;
    }
  }

  /** Gaps that the answer skips. */
  #gaps({ last, trimmed, until }: SharedAnswer): SequenceRange[] {
    const { lost } = this.#store;
    this.#skipped.skip(Math.max(last, trimmed), until, lost);
    const gaps = this.#skipped.take(lost);
    return trimmed > last ? [{ after: last, until: trimmed }, ...gaps] : gaps;
  }

  /**
   * Acknowledges notifications that were taken.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void {
    for (const seq of seqs) if (this.#pending.delete(seq)) this.#acknowledged.add(seq);
    this.flush();
  }

  /** Departs: no receiver is here any more. */
  leave(): void {
    if (this.#departed) return;
    this.#departed = true;
    this.#cancelCheck();
    this.flush();
  }

  /**
   * Writes acknowledgements and the departure now; a failed write is repeated with the next connection, or the next
   * call.
   */
  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#flush().then(() => {
      this.#flushing = false;
      // More may have been acknowledged meanwhile.
      if (this.#acknowledged.size > 0 || (this.#departed && !this.#removed)) this.flush();
    }, (error) => {
      this.#flushing = false;
      // A lost connection is reported by the journal.
      if (!this.#failing && this.#store.isConnected) {
        this.#failing = true;
        this.#store.failed(error);
      }
      if (this.#departed) this.#ended.resolve();
    });
  }

  async #flush(): Promise<void> {
    while (this.#acknowledged.size > 0) {
      const seqs = [...this.#acknowledged].slice(0, BATCH);
      await this.#store.acknowledge(seqs);
      for (const seq of seqs) this.#acknowledged.delete(seq);
      this.#failing = false;
    }
    if (!this.#departed || this.#removed) return;
    await this.#store.leave();
    this.#removed = true;
    this.#ended.resolve();
    this.#onRemoved();
  }
}
