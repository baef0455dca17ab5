/**
 * Cursors and names of the receivers of a journal on SQLite.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type ReceiverLimits, ReceiverNames } from "./receiver_names.ts";

/** Part of `maxReceiverAge` by which the written time of the last connection may be behind. */
const SEEN_SLACK = 0.01;
/**
 * Minimum interval between commits that write cursors, in ms: each cursor takes a statement, and all of them another
 * page.
 */
const WRITE_INTERVAL = 20;

/** A receiver with a new name, until that is on disk. */
interface Arriving extends PromiseWithResolvers<number> {
  readonly start: number;
}

/** Names that one transaction writes. */
export interface ArrivingNames {
  /** Number of names. */
  readonly size: number;
  /** Writes the names, in the transaction. */
  write(age: number): void;
  /** Admits the receivers, after the transaction. */
  resolve(age: number): void;
  /** Refuses the receivers, after a failed transaction. */
  reject(error: unknown): void;
}

/** Names that have expired, and times of the last connection that are to be written. */
export interface NameChanges {
  /** Expired names. */
  readonly expired: readonly string[];
  /** Names, and the age of the journal at their last connection. */
  readonly seen: readonly [name: string, seen: number][];
}

/** Cursors of one journal. Ages are those of the journal, in ms. */
export class SqliteCursors {
  #limits: ReceiverLimits;
  #names: ReceiverNames;
  #db: DatabaseSync;
  #putCursor: StatementSync;
  #putSeen: StatementSync;
  /** Names whose cursors have moved since they were written. */
  #moved = new Set<string>();
  /** `now()` of the clock when cursors were written last. */
  #writtenAt = -Infinity;
  #arriving = new Map<string, Arriving>();

  /**
   * Loads the cursors.
   *
   * @param db The database.
   * @param limits Maximum of names, and of their age.
   * @param trimmed Sequence number up to which retention has removed notifications.
   * @param age Age of the journal.
   */
  constructor(db: DatabaseSync, limits: ReceiverLimits, trimmed: number, age: number) {
    this.#db = db;
    this.#limits = limits;
    this.#putCursor = db.prepare(
      "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)",
    );
    this.#putSeen = db.prepare(
      "INSERT INTO seen VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET age_clock = excluded.age_clock",
    );
    this.#names = new ReceiverNames(limits, trimmed);
    // Names of an earlier version have no time.
    const names = db.prepare("SELECT name, seq, age_clock FROM cursor LEFT JOIN seen USING (name)").all();
    for (const { name, seq, age_clock } of names) {
      this.#names.move(String(name), Number(seq), Number(age_clock ?? age));
    }
  }

  /**
   * Reads the cursor of a receiver.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined` if the name is unknown.
   */
  get(name: string): number | undefined {
    return this.#names.cursor(name);
  }

  /**
   * Notes that a receiver with a known name is connected.
   *
   * @param name Its name.
   * @param age Age of the journal.
   * @returns Its cursor.
   */
  connect(name: string, age: number): number {
    return this.#names.connect(name, age);
  }

  /**
   * Notes that a receiver is connected no more.
   *
   * @param name Its name.
   * @param age Age of the journal.
   */
  disconnect(name: string, age: number): void {
    this.#names.disconnect(name, age);
  }

  /** `true` if there is no room for another name. */
  get isFull(): boolean {
    return this.#names.isFull(this.#arriving.size);
  }

  /** Number of new names that are to be written. */
  get arrivingCount(): number {
    return this.#arriving.size;
  }

  /**
   * Returns the admission of a new name that is to be written already.
   *
   * @param name The name.
   * @returns Resolves with its cursor; `undefined`: the name is not to be written.
   */
  arrival(name: string): Promise<number> | undefined {
    return this.#arriving.get(name)?.promise;
  }

  /**
   * Puts a new name into the next commit.
   *
   * @param name The name.
   * @param start Its cursor.
   * @returns Resolves with its cursor when it is on disk.
   */
  arrive(name: string, start: number): Promise<number> {
    const arriving = { start, ...Promise.withResolvers<number>() };
    this.#arriving.set(name, arriving);
    return arriving.promise;
  }

  /**
   * Takes the new names for a commit.
   *
   * @returns The names.
   */
  takeArriving(): ArrivingNames {
    const names = this.#arriving;
    this.#arriving = new Map();
    return {
      size: names.size,
      write: (age) => {
        for (const [name, { start }] of names) {
          this.#putCursor.run(name, start);
          this.#putSeen.run(name, age);
        }
      },
      resolve: (age) => {
        for (const [name, { start, resolve }] of names) {
          this.#names.move(name, start, age);
          resolve(this.#names.connect(name, age));
        }
      },
      reject: (error) => {
        for (const { reject } of names.values()) reject(error);
      },
    };
  }

  /**
   * Moves a cursor forward.
   *
   * @param name Name of the receiver.
   * @param seq Sequence number.
   * @param age Age of the journal.
   * @returns `false` if it is there already.
   */
  move(name: string, seq: number, age: number): boolean {
    if (!this.#names.move(name, seq, age)) return false;
    this.#moved.add(name);
    return true;
  }

  /** `true` if cursors have moved since they were written. */
  get hasMoved(): boolean {
    return this.#moved.size > 0;
  }

  /**
   * Tells whether cursors may join a commit of notifications again.
   *
   * @param now Time, in ms.
   * @returns `true` if the last ones were written long enough ago.
   */
  isDue(now: number): boolean {
    return now - this.#writtenAt >= WRITE_INTERVAL;
  }

  /** Lets the next commit write cursors, even if the last ones were written just now. */
  makeDue(): void {
    this.#writtenAt = -Infinity;
  }

  /** Writes the cursors that have moved, in a transaction. */
  write(): void {
    for (const name of this.#moved) this.#putCursor.run(name, this.#names.cursor(name)!);
  }

  /**
   * Notes that the cursors are on disk.
   *
   * @param now Time, in ms.
   */
  wrote(now: number): void {
    this.#moved.clear();
    this.#writtenAt = now;
  }

  /**
   * Lists the changes of names and times that must be written.
   *
   * @param age Age of the journal.
   * @param expires `false`: names do not expire yet.
   * @returns The changes.
   */
  changes(age: number, expires: boolean): NameChanges {
    return {
      expired: expires ? this.#names.expired(age) : [],
      seen: this.#names.unwritten(age, this.#limits.maxReceiverAge * SEEN_SLACK),
    };
  }

  /**
   * Lists the times of all names that were connected since they were written.
   *
   * @param age Age of the journal.
   * @returns The changes.
   */
  allSeen(age: number): NameChanges {
    return { expired: [], seen: this.#names.unwritten(age, 0) };
  }

  /**
   * Writes changes, in a transaction.
   *
   * @param changes The changes.
   */
  writeChanges({ expired, seen }: NameChanges): void {
    for (const [name, age] of seen) this.#putSeen.run(name, age);
    if (expired.length === 0) return;
    const forget = ["cursor", "seen"].map((table) => this.#db.prepare(`DELETE FROM ${table} WHERE name = ?`));
    for (const name of expired) for (const statement of forget) statement.run(name);
  }

  /**
   * Notes that changes are on disk.
   *
   * @param changes The changes.
   */
  wroteChanges({ expired, seen }: NameChanges): void {
    this.#names.wrote(seen);
    this.#names.forget(expired);
    for (const name of expired) this.#moved.delete(name);
  }

  /**
   * Lists the receivers that retention has overtaken, each once.
   *
   * @param trimmed Sequence number up to which it has removed notifications.
   * @returns Names and cursors.
   */
  overtaken(trimmed: number): [name: string, seq: number][] {
    return this.#names.lost(trimmed);
  }
}
