/**
 * Ranges of sequence numbers: which a node knows to have been given, and which of them a place in a journal has passed over.
 *
 * @module
 */

/** Sequence numbers behind `after`, up to and including `until`. */
export interface SequenceRange {
  /** It begins behind this number. */
  readonly after: number;
  /** It ends with this number. */
  readonly until: number;
}

/** Numbers further apart are of two epochs of a journal in Redis. */
const JUMP = 2 ** 19;
/** Limits of what is remembered: fail-overs that followed each other while one receiver was connected. */
const MAX_RANGES = 16;

/**
 * Reads what scripts write.
 *
 * @param text "after until after until …"
 * @returns The ranges.
 */
export function parseRanges(text: string): SequenceRange[] {
  const numbers = text === "" ? [] : text.split(" ").map(Number);
  const ranges: SequenceRange[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2) ranges.push({ after: numbers[at], until: numbers[at + 1] });
  return ranges;
}

/** The numbers that a node knows to have been given, by epoch. */
export class KnownNumbers {
  #ranges: { after: number; until: number }[] = [{ after: 0, until: 0 }];

  /** The greatest. */
  get last(): number {
    return this.#ranges[this.#ranges.length - 1].until;
  }

  /**
   * Takes over what Redis says. What was known besides stays: a Redis that has forgotten it may itself be forgotten.
   *
   * @param eras "base last …": each epoch, and the last number of the one before it.
   * @param last The last number.
   */
  reset(eras: string, last: number): void {
    const known = new Map(this.#ranges.map(({ after, until }) => [after, until]));
    const keep = (after: number, until: number): void =>
      void known.set(after, Math.max(after, until, known.get(after) ?? 0));
    let base = 0;
    for (const { after, until } of parseRanges(eras)) {
      keep(base, until);
      base = after;
    }
    keep(base, last);
    const ranges = [...known].map(([after, until]) => ({ after, until }));
    this.#ranges = ranges.sort((one, other) => one.after - other.after).slice(-2 * MAX_RANGES);
  }

  /**
   * Takes note of a number.
   *
   * @param seq The number.
   */
  add(seq: number): void {
    const current = this.#ranges[this.#ranges.length - 1];
    if (seq <= current.until) return;
    if (seq - current.until < JUMP) current.until = seq;
    else this.#ranges.push({ after: seq - 1, until: seq });
    if (this.#ranges.length > 2 * MAX_RANGES) this.#ranges.shift();
  }

  /** As arguments of a script: after, until, after, … */
  get pairs(): number[] {
    return this.#ranges.flatMap(({ after, until }) => after < until ? [after, until] : []);
  }
}

/**
 * The numbers that a place in a journal has passed over. Most were never given: epochs of a journal in Redis begin far apart. Which of them
 * are lost may become known only later, from another node.
 */
export class PassedNumbers {
  #passed: SequenceRange[] = [];
  #told: SequenceRange[] = [];

  /**
   * The place moves over numbers without a notification.
   *
   * @param after It was here.
   * @param until Nothing came up to here.
   * @param lost What the journal has lost, as far as it is known.
   */
  pass(after: number, until: number, lost: readonly SequenceRange[]): void {
    if (until <= after || (lost.length === 0 && until - after < JUMP)) return;
    this.#passed.push({ after, until });
    if (this.#passed.length > MAX_RANGES) this.#passed.shift();
  }

  /**
   * Ranges to be reported now.
   *
   * @param lost Ranges that the journal is known to have lost.
   * @returns The parts of them that were passed over; each is returned once.
   */
  take(lost: readonly SequenceRange[]): SequenceRange[] {
    const found: SequenceRange[] = [];
    if (lost.length === 0) return found;
    for (const passed of this.#passed) {
      for (const range of lost) {
        const after = Math.max(passed.after, range.after);
        const until = Math.min(passed.until, range.until);
        if (until <= after || this.#told.some((told) => told.after <= after && until <= told.until)) continue;
        found.push({ after, until });
        this.#told.push({ after, until });
        if (this.#told.length > 2 * MAX_RANGES) this.#told.shift();
      }
    }
    return found;
  }
}
