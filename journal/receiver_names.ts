/**
 * The names of receivers that a journal keeps: their cursors, the time of their last connection, and their expiry.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";

/** Limits of the names that are kept. */
export interface ReceiverLimits {
  /** Maximum of names; 0: no limit. */
  readonly maxReceivers: number;
  /** Maximum time that a name is kept without a connection, in ms; 0: no limit. */
  readonly maxReceiverAge: number;
}

interface Receiver {
  /** Sequence number up to which all notifications are acknowledged. */
  seq: number;
  /** Age of the journal at the end of its last connection; while it is connected, at the beginning. */
  seen: number;
  /** Value of `seen` that the journal has written. */
  written: number;
}

/** Maximum of names listed in one message. */
const MAX_LISTED = 10;

/** Names of one journal. Ages are those of the journal, in ms. */
export class ReceiverNames {
  #limits: ReceiverLimits;
  #receivers = new Map<string, Receiver>();
  #connected = new Set<string>();
  /** Age before which no name expires. */
  #expireAt = Infinity;
  /** Sequence number up to which the losses to retention have been reported. */
  #reported = 0;
  /** Lower bound for cursors from `#reported` on: below it no receiver has lost anything, and no search is needed. */
  #lowest = Infinity;

  /**
   * Begins without names.
   *
   * @param limits Maximum of names, and of their age.
   * @param trimmed Sequence number up to which retention has removed notifications, as was reported.
   */
  constructor(limits: ReceiverLimits, trimmed: number) {
    this.#limits = limits;
    this.#reported = trimmed;
  }

  /**
   * Returns the cursor of a receiver.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined` if the name is unknown.
   */
  cursor(name: string): number | undefined {
    return this.#receivers.get(name)?.seq;
  }

  /**
   * Tells whether there is no room for another name.
   *
   * @param coming Number of names about to be added.
   * @returns `true` if the next name must be refused.
   */
  isFull(coming: number): boolean {
    const { maxReceivers } = this.#limits;
    return maxReceivers > 0 && this.#receivers.size + coming >= maxReceivers;
  }

  /**
   * Adds a name, or moves the cursor of a known name forward.
   *
   * @param name The name.
   * @param seq The cursor.
   * @param seen Age at the last connection of a new name.
   * @returns `false` if the cursor is there already.
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
   * Notes that a receiver is connected: its name does not expire.
   *
   * @param name Its name, which is known.
   * @param age Age of the journal.
   * @returns Its cursor.
   */
  connect(name: string, age: number): number {
    const receiver = this.#receivers.get(name)!;
    receiver.seen = age;
    this.#connected.add(name);
    return receiver.seq;
  }

  /**
   * Notes that the last connection of a receiver has ended.
   *
   * @param name Its name.
   * @param age Age of the journal.
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
   * Lists the names without a connection for too long.
   *
   * @param age Age of the journal.
   * @returns The names, which are kept until {@linkcode ReceiverNames.forget}.
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
   * Lists the names whose last connection a durable journal must write.
   *
   * @param age Age of the journal.
   * @param slack Time by which a written value may be behind, in ms.
   * @returns Names, and the age of the journal at their last connection.
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
   * Notes that names are written.
   *
   * @param list Result of {@linkcode ReceiverNames.unwritten}.
   */
  wrote(list: readonly [name: string, seen: number][]): void {
    for (const [name, seen] of list) {
      const receiver = this.#receivers.get(name);
      if (receiver !== undefined) receiver.written = seen;
    }
  }

  /**
   * Lists the receivers that retention has overtaken since the last call.
   *
   * @param trimmed Sequence number up to which it has removed notifications.
   * @returns Names and cursors; each name once, until its cursor is beyond `trimmed`.
   */
  lost(trimmed: number): [name: string, seq: number][] {
    if (trimmed <= this.#lowest) return [];
    const before = this.#reported;
    this.#reported = trimmed;
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
 * Makes one error for all receivers that retention has overtaken.
 *
 * @param lost Names and cursors; at least one.
 * @returns The error.
 */
export function trimmedError(lost: readonly [name: string, seq: number][]): JournalError {
  const who = lost.length === 1 ? `the receiver "${lost[0]![0]}" has` : `${lost.length} receivers have`;
  const from = lost.length === 1
    ? `from ${lost[0]![1] + 1} on`
    : listed(lost.map(([name, seq]) => `"${name}" from ${seq + 1} on`));
  const message = `Retention has removed notifications that ${who} not acknowledged: ${from}`;
  return new JournalError("ERR_JOURNAL_TRIMMED", message);
}

/**
 * Makes one error for all names that have expired.
 *
 * @param names The names; at least one.
 * @param maxReceiverAge Time without a connection, in ms.
 * @returns The error.
 */
export function expiredError(names: readonly string[], maxReceiverAge: number): JournalError {
  const who = names.length === 1 ? "1 receiver is" : `${names.length} receivers are`;
  const list = listed(names.map((name) => `"${name}"`));
  const message = `The name of ${who} forgotten after ${maxReceiverAge} ms without a connection: ${list}`;
  return new JournalError("ERR_JOURNAL_EXPIRED", message);
}

/**
 * Makes the error for a refused new name.
 *
 * @param maxReceivers Maximum of names.
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
