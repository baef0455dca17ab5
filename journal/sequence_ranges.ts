/**
 * Ranges of sequence numbers: those that a node knows to have been given, and those that a cursor has skipped.
 *
 * @module
 */

/** Sequence numbers behind `after`, up to and including `until`. */
export interface SequenceRange {
  /** Number before the range. */
  readonly after: number;
  /** Last number of the range. */
  readonly until: number;
}

/** Minimum distance between numbers of two epochs of a journal in Redis. */
const JUMP = 2 ** 19;
/** Maximum of ranges that are kept: enough for the fail-overs while one receiver is connected. */
const MAX_RANGES = 16;

/**
 * Parses ranges as the scripts of Redis write them.
 *
 * @param text "after until after until …"
 * @returns The ranges.
 */
export function parseRanges(text: string): SequenceRange[] {
  const numbers = text === "" ? [] : text.split(" ").map(Number);
  const ranges: SequenceRange[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2) ranges.push({ after: numbers[at]!, until: numbers[at + 1]! });
  return ranges;
}

/** Numbers that a node knows to have been given, by epoch. */
export class GivenNumbers {
  #ranges: { after: number; until: number }[] = [{ after: 0, until: 0 }];

  /** Greatest number. */
  get last(): number {
    return this.#ranges[this.#ranges.length - 1]!.until;
  }

  /**
   * Adds the numbers that Redis knows. Other numbers stay, since a Redis that has forgotten them may be replaced in its
   * turn.
   *
   * @param eras "base last …": each epoch, and the last number of the one before it.
   * @param last The last number.
   */
  reset(eras: string, last: number): void {
    const ends = new Map(this.#ranges.map(({ after, until }) => [after, until]));
    const keep = (after: number, until: number): void =>
      void ends.set(after, Math.max(after, until, ends.get(after) ?? 0));
    let base = 0;
    for (const { after, until } of parseRanges(eras)) {
      keep(base, until);
      base = after;
    }
    keep(base, last);
    const ranges = [...ends].map(([after, until]) => ({ after, until }));
    this.#ranges = ranges.sort((one, other) => one.after - other.after).slice(-2 * MAX_RANGES);
  }

  /**
   * Adds a number.
   *
   * @param seq The number.
   */
  add(seq: number): void {
    const current = this.#ranges[this.#ranges.length - 1]!;
    if (seq <= current.until) return;
    if (seq - current.until < JUMP) current.until = seq;
    else this.#ranges.push({ after: seq - 1, until: seq });
    if (this.#ranges.length > 2 * MAX_RANGES) this.#ranges.shift();
  }

  /** Ranges as arguments of a script: after, until, after, … */
  get pairs(): number[] {
    return this.#ranges.flatMap(({ after, until }) => after < until ? [after, until] : []);
  }
}

/**
 * Numbers that a cursor has skipped. Most were never given, since epochs of a journal in Redis begin far apart.
 * Their losses may become known only later, from another node.
 */
export class SkippedNumbers {
  #skipped: SequenceRange[] = [];
  #reported: SequenceRange[] = [];

  /**
   * Moves the cursor past numbers without a notification.
   *
   * @param after Number where it was.
   * @param until Last number without a notification.
   * @param lost Ranges that the journal is known to have lost.
   */
  skip(after: number, until: number, lost: readonly SequenceRange[]): void {
    if (until <= after || (lost.length === 0 && until - after < JUMP)) return;
    this.#skipped.push({ after, until });
    if (this.#skipped.length > MAX_RANGES) this.#skipped.shift();
  }

  /**
   * Takes the ranges to report now.
   *
   * @param lost Ranges that the journal is known to have lost.
   * @returns Parts of them that were skipped, each once.
   */
  take(lost: readonly SequenceRange[]): SequenceRange[] {
    const found: SequenceRange[] = [];
    if (lost.length === 0) return found;
    for (const skipped of this.#skipped) {
      for (const range of lost) {
        const after = Math.max(skipped.after, range.after);
        const until = Math.min(skipped.until, range.until);
        if (until <= after || this.#reported.some((range) => range.after <= after && until <= range.until)) continue;
        found.push({ after, until });
        this.#reported.push({ after, until });
        if (this.#reported.length > 2 * MAX_RANGES) this.#reported.shift();
      }
    }
    return found;
  }
}
