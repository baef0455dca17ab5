/**
 * A place in the journal in Redis that receivers of several servers share: a consumer group, in which each server is a consumer.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import type { JournalEntry, SharedPlace, TakenEntries } from "../journal/journal.ts";
import type { RedisLink } from "./client.ts";
import { ACKNOWLEDGE, LEAVE, type RedisScript, SHARE, TAKE } from "./script.ts";
import { PassedNumbers, type SequenceRange } from "../journal/sequence_ranges.ts";

/** So often it is looked for what others have left, in ms. */
const LOOK_INTERVAL = 1000;
/** So many are acknowledged at once. */
const BATCH = 1000;
/** At most so many bytes are taken at once, and one notification more. */
const TAKE_BYTES = 4 * 1024 * 1024;

/** What a {@linkcode RedisPlace} needs of its journal. */
export interface RedisPlaceOwner {
  /** The connection, while there is one. */
  link(): RedisLink | undefined;
  /** What all keys begin with. */
  readonly prefix: string;
  /** Makes an entry of what a script says. */
  decode(fields: string[]): JournalEntry;
  /** Takes note of how far retention has come, and of news for all nodes. */
  learn(trimmed: number, news: string): void;
  /** Ranges that the journal is known to have lost. */
  lost(): readonly SequenceRange[];
  /** Acknowledgements could not be written: they are written again later. */
  failed(error: unknown): void;
  /** It has ended, and Redis knows. */
  ended(place: RedisPlace): void;
}

type TakeAnswer = [
  trimmed: string,
  last: string,
  again: string[][],
  fresh: string[][],
  until: string,
  news: string,
];

/** One server's part in it. */
export class RedisPlace implements SharedPlace {
  #name: string;
  #start: number;
  #wanted: string;
  #consumer: string;
  #wake: () => void;
  #owner: RedisPlaceOwner;
  #shared = false;
  /** Numbers that the group has passed over here: some may be lost. */
  #passed = new PassedNumbers();
  /** Whether it was reported that acknowledgements cannot be written. */
  #failing = false;
  /** Taken, and not done. */
  #pending = new Set<number>();
  /** Done, and not said to be. */
  #done = new Set<number>();
  #flushing = false;
  #left = false;
  /** Whether Redis knows that it was left. */
  #said = false;
  #ended = Promise.withResolvers<void>();
  #cancelLook: () => void;

  /**
   * Makes one.
   *
   * @param place The name, where it begins if it is new, what its receivers want, this server's name in it, and what to call when there
   * may be something.
   * @param owner The journal.
   */
  constructor(
    place: { name: string; start: number; wanted: string; consumer: string; wake: () => void },
    owner: RedisPlaceOwner,
  ) {
    this.#name = place.name;
    this.#start = place.start;
    this.#wanted = place.wanted;
    this.#consumer = place.consumer;
    this.#wake = place.wake;
    this.#owner = owner;
    this.#cancelLook = systemClock.after(LOOK_INTERVAL, () => this.#look());
  }

  #look(): void {
    this.#cancelLook = systemClock.after(LOOK_INTERVAL, () => this.#look());
    this.#wake();
  }

  /** Resolves when it has ended, or that could not be said to Redis. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  #run(script: RedisScript, args: (string | number)[]): Promise<unknown> {
    const link = this.#owner.link();
    if (link === undefined) return Promise.reject(new Error("Redis is away"));
    return script.run(link, this.#owner.prefix, args);
  }

  /**
   * Takes notifications for the receivers here.
   *
   * @param count The most of them.
   * @returns In the order of `seq`.
   */
  async take(count: number): Promise<TakenEntries> {
    try {
      if (!this.#shared) await this.#share();
      if (this.#left) {
        this.#said = false;
        this.flush();
        return { again: [], new: [] };
      }
      const answer = await this.#takeAnswer(count);
      const [trimmed, last, again, fresh, until, news] = answer;
      this.#owner.learn(Number(trimmed), news);
      const gaps = this.#gaps(Number(last), Number(trimmed), Number(until));
      const taken = { again: again.map(this.#owner.decode), new: fresh.map(this.#owner.decode), gaps };
      for (const { seq } of [...taken.again, ...taken.new]) this.#pending.add(seq);
      // Where the script had to be sent first, it ran behind the farewell.
      if (this.#left) this.#said = false;
      if (this.#left) this.flush();
      return taken;
    } catch (cause) {
      // Where Redis has forgotten everything there is no group.
      this.#shared = false;
      if (this.#left) return { again: [], new: [] };
      const why = describe(cause);
      if (why.includes("CONFLICT")) {
        const message = `The receivers named "${this.#name}" on another server want something else`;
        throw new JournalError("ERR_JOURNAL_CONFLICT", message, { cause });
      }
      throw new JournalError("ERR_JOURNAL_READ", `Cannot read the journal in Redis: ${describe(cause)}`, { cause });
    }
  }

  async #share(): Promise<void> {
    await this.#run(SHARE, [this.#name, this.#start, this.#wanted, this.#consumer]);
    this.#shared = true;
  }

  /** If the group has gone, with the stream or everything else, it is made again. */
  async #takeAnswer(count: number): Promise<TakeAnswer> {
    const args = [this.#name, this.#consumer, count, TAKE_BYTES];
    try {
      return await this.#run(TAKE, args) as TakeAnswer;
    } catch (error) {
      if (!describe(error).includes("NOGROUP")) throw error;
      await this.#share();
      return await this.#run(TAKE, args) as TakeAnswer;
    }
  }

  /** The group was at `last`; nothing comes up to `until`. */
  #gaps(last: number, trimmed: number, until: number): SequenceRange[] {
    const lost = this.#owner.lost();
    this.#passed.pass(Math.max(last, trimmed), until, lost);
    const gaps = this.#passed.take(lost);
    return trimmed > last ? [{ after: last, until: trimmed }, ...gaps] : gaps;
  }

  /**
   * Some that were taken are done.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void {
    for (const seq of seqs) if (this.#pending.delete(seq)) this.#done.add(seq);
    this.flush();
  }

  /** No receiver is here any more. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#cancelLook();
    this.flush();
  }

  /** Says what is not said yet; what fails is said with the next connection, or the next time. */
  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#flush().then(() => {
      this.#flushing = false;
      // More may have come meanwhile.
      if (this.#done.size > 0 || (this.#left && !this.#said)) this.flush();
    }, (error) => {
      this.#flushing = false;
      // A lost connection is reported elsewhere.
      if (!this.#failing && this.#owner.link() !== undefined) {
        this.#failing = true;
        this.#owner.failed(error);
      }
      if (this.#left) this.#ended.resolve();
    });
  }

  async #flush(): Promise<void> {
    while (this.#done.size > 0) {
      const seqs = [...this.#done].slice(0, BATCH);
      await this.#run(ACKNOWLEDGE, [this.#name, ...seqs]);
      for (const seq of seqs) this.#done.delete(seq);
      this.#failing = false;
    }
    if (!this.#left || this.#said) return;
    await this.#run(LEAVE, [this.#name, this.#consumer]);
    this.#said = true;
    this.#ended.resolve();
    this.#owner.ended(this);
  }
}
