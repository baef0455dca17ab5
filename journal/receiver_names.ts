/**
 * The names of receivers that a journal keeps: how far each has come, when it was connected last, and which are to be forgotten.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";

/** How many names are kept, and for how long. */
export interface ReceiverLimits {
  /** The most names; 0: no limit. */
  readonly maxReceivers: number;
  /** How long a name is kept without a connection, in ms; 0: no limit. */
  readonly maxReceiverAge: number;
}

interface Receiver {
  /** Everything up to here is acknowledged. */
  seq: number;
  /** When it was connected last, by the age clock; while it is connected, when that began. */
  seen: number;
  /** The value of `seen` that the journal has written. */
  written: number;
}

/** Maximum of names that one message lists. */
const MAX_LISTED = 10;

/** The names of one journal. Times are those of its age clock, in ms. */
export class ReceiverNames {
  #limits: ReceiverLimits;
  #receivers = new Map<string, Receiver>();
  #connected = new Set<string>();
  /** No name expires before. */
  #expireAt = Infinity;
  /** Sequence number up to which the losses to retention have been reported. */
  #told = 0;
  /** Lower bound for cursors from `#told` on: below it no receiver has lost anything, and no search is needed. */
  #lowest = Infinity;

  /**
   * Makes one without names.
   *
   * @param limits How many are kept, and for how long.
   * @param trimmed Up to here retention has taken notifications, and that was told.
   */
  constructor(limits: ReceiverLimits, trimmed: number) {
    this.#limits = limits;
    this.#told = trimmed;
  }

  /**
   * How far a receiver has come.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined`: the name is not known.
   */
  cursor(name: string): number | undefined {
    return this.#receivers.get(name)?.seq;
  }

  /**
   * Whether there is no room for more names.
   *
   * @param coming How many are about to come.
   * @returns `true` if the next one must be refused.
   */
  isFull(coming: number): boolean {
    const { maxReceivers } = this.#limits;
    return maxReceivers > 0 && this.#receivers.size + coming >= maxReceivers;
  }

  /**
   * Adds a name, or moves one that is known forward.
   *
   * @param name The name.
   * @param seq How far it has come.
   * @param seen When it was connected last; only for one that is new.
   * @returns Whether that is further than before.
   */
  move(name: string, seq: number, seen: number): boolean {
    const receiver = this.#receivers.get(name);
    if (receiver === undefined) {
      this.#receivers.set(name, { seq, seen, written: seen });
      this.#mayExpire(seen);
    } else if (receiver.seq >= seq) return false;
    else receiver.seq = seq;
    this.#lowest = Math.min(this.#lowest, seq);
    return true;
  }

  /**
   * A receiver has a connection: its name does not expire.
   *
   * @param name Its name, which is known.
   * @param age The time.
   * @returns How far it has come.
   */
  connect(name: string, age: number): number {
    const receiver = this.#receivers.get(name)!;
    receiver.seen = age;
    this.#connected.add(name);
    return receiver.seq;
  }

  /**
   * A receiver has no connection any more.
   *
   * @param name Its name.
   * @param age The time.
   */
  disconnect(name: string, age: number): void {
    if (!this.#connected.delete(name)) return;
    const receiver = this.#receivers.get(name);
    if (receiver === undefined) return;
    receiver.seen = age;
    this.#mayExpire(age);
  }

  #mayExpire(seen: number): void {
    const { maxReceiverAge } = this.#limits;
    if (maxReceiverAge > 0) this.#expireAt = Math.min(this.#expireAt, seen + maxReceiverAge);
  }

  /**
   * The names that had no connection for too long.
   *
   * @param age The time.
   * @returns The names; they are still known.
   */
  expired(age: number): string[] {
    if (age <= this.#expireAt) return [];
    const names: string[] = [];
    this.#expireAt = Infinity;
    for (const [name, { seen }] of this.#receivers) {
      if (this.#connected.has(name)) continue;
      this.#mayExpire(seen);
      if (age - seen > this.#limits.maxReceiverAge) names.push(name);
    }
    return names;
  }

  /**
   * Forgets names.
   *
   * @param names The names.
   */
  forget(names: readonly string[]): void {
    for (const name of names) this.#receivers.delete(name);
  }

  /**
   * Names whose time of the last connection must be written by a journal that outlives the process.
   *
   * @param age The time.
   * @param slack How far a written time may be behind, in ms.
   * @returns Names and times.
   */
  unwritten(age: number, slack: number): [name: string, seen: number][] {
    const found: [string, number][] = [];
    for (const [name, { seen, written }] of this.#receivers) {
      const last = this.#connected.has(name) ? age : seen;
      if (last - written > slack) found.push([name, last]);
    }
    return found;
  }

  /**
   * It is written.
   *
   * @param list What {@linkcode ReceiverNames.unwritten} said.
   */
  wrote(list: readonly [name: string, seen: number][]): void {
    for (const [name, seen] of list) {
      const receiver = this.#receivers.get(name);
      if (receiver !== undefined) receiver.written = seen;
    }
  }

  /**
   * The receivers that have lost something to retention since it was asked for last.
   *
   * @param trimmed Up to here it has taken notifications.
   * @returns Names, and how far they have come; each once, until it has come further than `trimmed`.
   */
  lost(trimmed: number): [name: string, seq: number][] {
    if (trimmed <= this.#lowest) return [];
    const before = this.#told;
    this.#told = trimmed;
    this.#lowest = Infinity;
    const lost: [string, number][] = [];
    for (const [name, { seq }] of this.#receivers) {
      if (seq >= trimmed) this.#lowest = Math.min(this.#lowest, seq);
      else if (seq >= before) lost.push([name, seq]);
    }
    return lost;
  }
}

/**
 * Makes the error for receivers that have lost something to retention: one, however many they are.
 *
 * @param lost Their names, and how far they have come; at least one.
 * @returns The error.
 */
export function trimmedError(lost: readonly [name: string, seq: number][]): JournalError {
  const who = lost.length === 1 ? `the receiver "${lost[0][0]}" has` : `${lost.length} receivers have`;
  const from = lost.length === 1
    ? `from ${lost[0][1] + 1} on`
    : listed(lost.map(([name, seq]) => `"${name}" from ${seq + 1} on`));
  const message = `Retention has taken notifications that ${who} not acknowledged: ${from}`;
  return new JournalError("ERR_JOURNAL_TRIMMED", message);
}

/**
 * Makes the error for names that were forgotten: one, however many they are.
 *
 * @param names The names; at least one.
 * @param maxReceiverAge How long they had no connection, in ms.
 * @returns The error.
 */
export function expiredError(names: readonly string[], maxReceiverAge: number): JournalError {
  const who = names.length === 1 ? "1 receiver is" : `${names.length} receivers are`;
  const list = listed(names.map((name) => `"${name}"`));
  const message = `The place of ${who} forgotten after ${maxReceiverAge} ms without a connection: ${list}`;
  return new JournalError("ERR_JOURNAL_EXPIRED", message);
}

/**
 * Makes the error for a new name that is refused.
 *
 * @param maxReceivers How many names there are.
 * @returns The error.
 */
export function tooManyError(maxReceivers: number): JournalError {
  const message = `Cannot keep another name of a receiver: "maxReceivers" is ${maxReceivers}`;
  return new JournalError("ERR_JOURNAL_RECEIVERS", message);
}

function listed(items: readonly string[]): string {
  const more = items.length - MAX_LISTED;
  return items.slice(0, MAX_LISTED).join(", ") + (more > 0 ? `, and ${more} more` : "");
}
