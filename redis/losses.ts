/**
 * Losses of the journal in Redis: entries deleted by another program or evicted, and numbers that Redis has forgotten.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import { parseRanges, type SequenceRange } from "../journal/sequence_ranges.ts";

/** Owner of {@linkcode JournalLosses}. */
export interface JournalLossesOwner {
  /** Reports that entries were deleted; kept for the first listener if there is none yet. */
  deleted(error: JournalError): void;
  /** Reports that Redis has forgotten numbers; kept for the first listener if there is none yet. */
  forgotten(error: JournalError): void;
  /** {@linkcode JournalLosses.ranges} has more ranges than before. */
  grew(): void;
}

/** Losses that this node knows of. */
export class JournalLosses {
  /** Reason why Redis may have evicted entries, for the error; empty if it does not evict. */
  eviction = "";
  #stream: string;
  #owner: JournalLossesOwner;
  /** News of Redis for all nodes: "deleted|lost". */
  #news: string | undefined;
  #ranges: readonly SequenceRange[] = [];
  #trimmed = 0;

  /**
   * Makes a list without losses.
   *
   * @param stream Key of the stream, for errors.
   * @param owner The journal.
   */
  constructor(stream: string, owner: JournalLossesOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  /** Ranges that Redis has forgotten, as far as any node has known them. */
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
   * @param news News of Redis.
   * @param found `true`: missing entries were found just now, and are to be reported.
   */
  begin(news: string, found: boolean): void {
    this.#news = found ? "|" : news;
    this.#ranges = parseRanges(news.split("|")[1] ?? "");
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
   * Takes the news of a script, and reports new losses.
   *
   * @param trimmed Sequence number up to which retention has removed notifications.
   * @param news News of Redis.
   */
  learn(trimmed: number, news: string): void {
    this.trim(trimmed);
    if (news === this.#news) return;
    const [deletedBefore] = (this.#news ?? "|").split("|");
    const [deleted = "", lost = ""] = news.split("|");
    this.#news = news;
    if (deleted !== deletedBefore) this.#reportDeleted(deleted);
    const before = this.#ranges;
    this.#ranges = parseRanges(lost);
    const fresh = this.#ranges.filter(({ after, until }) =>
      !before.some((range) => range.after === after && range.until === until)
    );
    for (const range of fresh) this.#reportForgotten(range);
    if (fresh.length > 0) this.#owner.grew();
  }

  #reportDeleted(deleted: string): void {
    const [after = 0, until = 0, count = 0] = deleted.split(" ").map(Number);
    const which = until > after ? `, up to ${until}` : "";
    const evicted = this.eviction === "" ? "" : `, or Redis has evicted it, as ${this.eviction} says`;
    const message =
      `${count} notifications are gone from Redis${which}: another program has deleted or trimmed the stream ` +
      `"${this.#stream}"${evicted}`;
    this.#owner.deleted(new JournalError("ERR_JOURNAL_LOST", message));
  }

  #reportForgotten({ after, until }: SequenceRange): void {
    const message =
      `Redis has forgotten the notifications ${after + 1} to ${until}: it was started with older data, or a replica ` +
      `took over that was behind; see "appendfsync", and the option "replicas"`;
    this.#owner.forgotten(new JournalError("ERR_JOURNAL_LOST", message));
  }
}
