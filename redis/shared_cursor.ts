/**
 * The cursor that receivers of several servers share in the journal in Redis: a consumer group, with one consumer for
 * each server.
 *
 * @module
 */

import { describe, JournalError } from "../base/errors.ts";
import type { SequenceRange } from "../journal/sequence_ranges.ts";
import { type SharedAnswer, type SharedPlace, type SharedStore, TAKE_BYTES } from "../journal/shared_part.ts";
import type { AnswerSize } from "./answer_size.ts";
import { ACKNOWLEDGE, LEAVE, SHARE, TAKE } from "./cursor_scripts.ts";
import { decodeEntry } from "./entry.ts";
import { readError } from "./journal_errors.ts";
import type { RedisScript } from "./script.ts";
import type { ScriptRunner } from "./script_runner.ts";

/** Owner of a {@linkcode RedisSharedStore}. */
export interface RedisSharedStoreOwner {
  /** Takes the progress of retention, and news for all nodes. */
  learn(trimmed: number, news: string): void;
  /** Ranges that the journal is known to have lost. */
  lost(): readonly SequenceRange[];
  /** Reports acknowledgements that could not be written; they are written again later. */
  failed(error: unknown): void;
}

type TakeAnswer = [
  trimmed: string,
  last: string,
  again: string[][],
  fresh: string[][],
  until: string,
  news: string,
];

/** A shared cursor in Redis. */
export class RedisSharedStore implements SharedStore {
  #place: SharedPlace;
  #size: AnswerSize;
  #runner: ScriptRunner;
  #owner: RedisSharedStoreOwner;
  #joined = false;

  /**
   * Makes a store; the group is joined when notifications are taken first.
   *
   * @param place Part of this server.
   * @param size Size of answers, which the next cursor has to know too.
   * @param runner Runs scripts.
   * @param owner The journal.
   */
  constructor(place: SharedPlace, size: AnswerSize, runner: ScriptRunner, owner: RedisSharedStoreOwner) {
    this.#place = place;
    this.#size = size;
    this.#runner = runner;
    this.#owner = owner;
  }

  /** `true` while there is a connection. */
  get isConnected(): boolean {
    return this.#runner.link !== undefined;
  }

  /** Ranges that the journal is known to have lost. */
  get lost(): readonly SequenceRange[] {
    return this.#owner.lost();
  }

  // deno-lint-ignore require-await -- without a connection it rejects
  async #run(script: RedisScript, args: (string | number)[]): Promise<unknown> {
    if (!this.isConnected) throw new Error("Redis is away");
    return this.#runner.run(script, args);
  }

  /**
   * Takes notifications for this server.
   *
   * @param count Maximum of notifications.
   * @returns The answer.
   */
  async take(count: number): Promise<SharedAnswer> {
    try {
      if (!this.#joined) await this.#join();
      const [trimmed, last, again, fresh, until, news] = await this.#takeAnswer(count);
      this.#owner.learn(Number(trimmed), news);
      return {
        trimmed: Number(trimmed),
        last: Number(last),
        until: Number(until),
        again: again.map(decodeEntry),
        new: fresh.map(decodeEntry),
      };
    } catch (cause) {
      // A Redis that has forgotten everything has no group.
      this.#joined = false;
      if (describe(cause).includes("CONFLICT")) {
        const message = `The receivers named "${this.#place.name}" on another server have other filters`;
        throw new JournalError("ERR_JOURNAL_CONFLICT", message, { cause });
      }
      throw readError(cause);
    }
  }

  async #join(): Promise<void> {
    const { name, start, wanted, consumer } = this.#place;
    await this.#run(SHARE, [name, start, wanted, consumer]);
    this.#joined = true;
  }

  /** Takes notifications; makes the group again if it was deleted, with the stream or with all keys. */
  async #takeAnswer(count: number): Promise<TakeAnswer> {
    const { name, consumer } = this.#place;
    const ask = (share: number): Promise<unknown> =>
      this.#run(TAKE, [name, consumer, Math.ceil(count * share), Math.ceil(TAKE_BYTES * share)]);
    try {
      return await this.#size.ask(ask) as TakeAnswer;
    } catch (error) {
      if (!describe(error).includes("NOGROUP")) throw error;
      await this.#join();
      return await this.#size.ask(ask) as TakeAnswer;
    }
  }

  /**
   * Acknowledges notifications.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): Promise<unknown> {
    return this.#run(ACKNOWLEDGE, [this.#place.name, ...seqs]);
  }

  /** Removes the consumer. */
  leave(): Promise<unknown> {
    return this.#run(LEAVE, [this.#place.name, this.#place.consumer]);
  }

  /** Reports acknowledgements that could not be written. */
  failed(error: unknown): void {
    this.#owner.failed(error);
  }
}
