/**
 * The cursor that receivers of several servers share in the journal in Redis: a consumer group, with one consumer for
 * each server.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import type { SharedCursor, TakenEntries } from "../journal/journal.ts";
import { type SequenceRange, SkippedNumbers } from "../journal/sequence_ranges.ts";
import type { AnswerSize } from "./answer_size.ts";
import { ACKNOWLEDGE, LEAVE, SHARE, TAKE } from "./cursor_scripts.ts";
import { decodeEntry } from "./entry.ts";
import { readError } from "./journal_errors.ts";
import type { RedisScript } from "./script.ts";
import type { ScriptRunner } from "./script_runner.ts";

/** Interval between checks for entries abandoned by other servers, in ms. */
const CHECK_INTERVAL = 1000;
/** Maximum of acknowledgements in one command. */
const BATCH = 1000;
/** Maximum of bytes in one answer, which one notification may exceed. */
const TAKE_BYTES = 4 * 1024 * 1024;

/** Owner of a {@linkcode RedisSharedCursor}. */
export interface RedisSharedCursorOwner {
  /** Takes the progress of retention, and news for all nodes. */
  learn(trimmed: number, news: string): void;
  /** Ranges that the journal is known to have lost. */
  lost(): readonly SequenceRange[];
  /** Reports acknowledgements that could not be written; they are written again later. */
  failed(error: unknown): void;
  /** Called when the cursor has ended, and Redis has removed its consumer. */
  ended(cursor: RedisSharedCursor): void;
}

/** Part of one server in a shared cursor. */
export interface SharedCursorPart {
  /** Name of the receivers. */
  readonly name: string;
  /** Sequence number to begin after, if the cursor is new. */
  readonly start: number;
  /** Filters of the receivers. */
  readonly wanted: string;
  /** Name of this server's consumer. */
  readonly consumer: string;
  /** Called when there may be notifications to take. */
  readonly wake: () => void;
  /** Size of answers, which the next cursor has to know too. */
  readonly size: AnswerSize;
}

type TakeAnswer = [
  trimmed: string,
  last: string,
  again: string[][],
  fresh: string[][],
  until: string,
  news: string,
];

/** A shared cursor, as one server sees it. */
export class RedisSharedCursor implements SharedCursor {
  #part: SharedCursorPart;
  #runner: ScriptRunner;
  #owner: RedisSharedCursorOwner;
  #joined = false;
  /** Numbers that the group has skipped here: some may be lost. */
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
  /** `true` once the departure is written to Redis. */
  #removed = false;
  #ended = Promise.withResolvers<void>();
  #cancelCheck: () => void;

  /**
   * Makes a cursor; the group is joined when notifications are taken first.
   *
   * @param part Part of this server.
   * @param runner Runs scripts.
   * @param owner The journal.
   */
  constructor(part: SharedCursorPart, runner: ScriptRunner, owner: RedisSharedCursorOwner) {
    this.#part = part;
    this.#runner = runner;
    this.#owner = owner;
    this.#cancelCheck = systemClock.after(CHECK_INTERVAL, () => this.#check());
  }

  #check(): void {
    this.#cancelCheck = systemClock.after(CHECK_INTERVAL, () => this.#check());
    this.#part.wake();
  }

  /** Resolves when the departure is written to Redis, or cannot be. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  // deno-lint-ignore require-await -- without a connection it rejects
  async #run(script: RedisScript, args: (string | number)[]): Promise<unknown> {
    if (this.#runner.link === undefined) throw new Error("Redis is away");
    return this.#runner.run(script, args);
  }

  /**
   * Takes notifications for the receivers here.
   *
   * @param count Maximum of notifications.
   * @returns Entries in the order of `seq`.
   */
  async take(count: number): Promise<TakenEntries> {
    try {
      if (!this.#joined) await this.#join();
      if (this.#departed) {
        this.#removed = false;
        this.flush();
        return { again: [], new: [] };
      }
      const [trimmed, last, again, fresh, until, news] = await this.#takeAnswer(count);
      this.#owner.learn(Number(trimmed), news);
      const gaps = this.#gaps(Number(last), Number(trimmed), Number(until));
      const taken = { again: again.map(decodeEntry), new: fresh.map(decodeEntry), gaps };
      for (const { seq } of [...taken.again, ...taken.new]) this.#pending.add(seq);
      // A script that had to be sent in full may have run after the removal.
      if (this.#departed) this.#removed = false;
      if (this.#departed) this.flush();
      return taken;
    } catch (cause) {
      // A Redis that has forgotten everything has no group.
      this.#joined = false;
      if (this.#departed) return { again: [], new: [] };
      if (describe(cause).includes("CONFLICT")) {
        const message = `The receivers named "${this.#part.name}" on another server have other filters`;
        throw new JournalError("ERR_JOURNAL_CONFLICT", message, { cause });
      }
      throw readError(cause);
    }
  }

  async #join(): Promise<void> {
    const { name, start, wanted, consumer } = this.#part;
    await this.#run(SHARE, [name, start, wanted, consumer]);
    this.#joined = true;
  }

  /** Takes notifications; makes the group again if it was deleted, with the stream or with all keys. */
  async #takeAnswer(count: number): Promise<TakeAnswer> {
    const { name, consumer, size } = this.#part;
    const ask = (share: number): Promise<unknown> =>
      this.#run(TAKE, [name, consumer, Math.ceil(count * share), Math.ceil(TAKE_BYTES * share)]);
    try {
      return await size.ask(ask) as TakeAnswer;
    } catch (error) {
      if (!describe(error).includes("NOGROUP")) throw error;
      await this.#join();
      return await size.ask(ask) as TakeAnswer;
    }
  }

  /** Gaps since the group was at `last`, if the next entry comes after `until`. */
  #gaps(last: number, trimmed: number, until: number): SequenceRange[] {
    const lost = this.#owner.lost();
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
      if (!this.#failing && this.#runner.link !== undefined) {
        this.#failing = true;
        this.#owner.failed(error);
      }
      if (this.#departed) this.#ended.resolve();
    });
  }

  async #flush(): Promise<void> {
    while (this.#acknowledged.size > 0) {
      const seqs = [...this.#acknowledged].slice(0, BATCH);
      await this.#run(ACKNOWLEDGE, [this.#part.name, ...seqs]);
      for (const seq of seqs) this.#acknowledged.delete(seq);
      this.#failing = false;
    }
    if (!this.#departed || this.#removed) return;
    await this.#run(LEAVE, [this.#part.name, this.#part.consumer]);
    this.#removed = true;
    this.#ended.resolve();
    this.#owner.ended(this);
  }
}
