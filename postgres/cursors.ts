/**
 * Cursors and names of the receivers of one node, written to PostgreSQL soon after they move.
 *
 * @module
 */

import type { JournalError } from "../base/errors.ts";
import type { AgeClock } from "../journal/age_clock.ts";
import { CursorWrites, type MovedCursor } from "../journal/cursor_writes.ts";
import { expiredError, type ReceiverLimits, tooManyError } from "../journal/receiver_names.ts";
import { CURSOR, OVERTAKEN, RELEASE, SAVE } from "./cursor_statements.ts";
import { writeError } from "./journal_errors.ts";
import { ADMIT, EXPIRE } from "./name_statements.ts";
import type { StatementRunner } from "./runner.ts";

/** Maximum of names in one statement. */
const BATCH = 1000;

/** Owner of {@linkcode PostgresCursors}. */
export interface PostgresCursorsOwner {
  /** Reports an error to the listener. */
  report(error: JournalError): void;
  /** Keeps the journal open until a write has ended. */
  track(writing: Promise<unknown>): void;
}

/** Cursors and names of one node. */
export class PostgresCursors {
  #node: string;
  #runner: StatementRunner;
  #limits: ReceiverLimits;
  #clock: AgeClock;
  #owner: PostgresCursorsOwner;
  #writes: CursorWrites;
  /** Names with a connection. */
  #admitted = new Set<string>();

  /**
   * Makes cursors of a node without receivers.
   *
   * @param node ID of the node.
   * @param runner Runs statements.
   * @param limits Maximum of names, and of their age.
   * @param clock Age of the journal.
   * @param owner The journal.
   */
  constructor(
    node: string,
    runner: StatementRunner,
    limits: ReceiverLimits,
    clock: AgeClock,
    owner: PostgresCursorsOwner,
  ) {
    this.#node = node;
    this.#runner = runner;
    this.#limits = limits;
    this.#clock = clock;
    this.#owner = owner;
    this.#writes = new CursorWrites(runner, {
      write: (moved, released) => this.#write(moved, released),
      failed: (error) => owner.report(writeError(error)),
      track: (writing) => owner.track(writing),
    });
  }

  /**
   * Reads the cursor of a receiver, on whichever node it was.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined` if the name is unknown.
   */
  async read(name: string): Promise<number | undefined> {
    this.flush();
    const [row] = await this.#runner.run(CURSOR, [name]);
    const cursor = row?.[0] ?? null;
    return cursor === null ? undefined : Number(cursor);
  }

  /**
   * Reads the cursors that retention has overtaken.
   *
   * @param before Sequence number up to which it had removed notifications before.
   * @param trimmed Sequence number up to which it has removed them now.
   * @returns Sequence numbers by name.
   */
  async readOvertaken(before: number, trimmed: number): Promise<Map<string, number>> {
    this.flush();
    const rows = await this.#runner.run(OVERTAKEN, [before, trimmed]);
    return new Map(rows.map(([name, seq]) => [String(name), Number(seq)]));
  }

  /**
   * Admits a receiver; a new name is committed before this resolves.
   *
   * @param name Its name.
   * @param start Cursor of a new name.
   * @param shared `true` if the cursor is shared.
   * @returns The cursor.
   * @throws {JournalError} With `ERR_JOURNAL_RECEIVERS` if there are too many names.
   */
  async admit(name: string, start: number, shared: boolean): Promise<number> {
    const { maxReceivers, maxReceiverAge } = this.#limits;
    this.flush();
    const values = [this.#node, name, start, `${shared}`, this.#clock.age, maxReceivers, maxReceiverAge];
    const [row] = await this.#runner.run(ADMIT, values);
    const [cursor, expired] = JSON.parse(String(row![0])) as [number | null, string[]];
    this.#reportExpired(expired);
    if (cursor === null) throw tooManyError(maxReceivers);
    this.#admitted.add(name);
    if (!shared) this.#writes.arrive(name);
    return cursor;
  }

  /** Forgets the names without a connection to any node for too long. */
  async expire(): Promise<void> {
    const values = [this.#clock.age, this.#limits.maxReceiverAge, JSON.stringify([...this.#admitted])];
    const [row] = await this.#runner.run(EXPIRE, values);
    this.#reportExpired(JSON.parse(String(row![0])));
  }

  #reportExpired(expired: readonly string[]): void {
    if (expired.length > 0) this.#owner.report(expiredError(expired, this.#limits.maxReceiverAge));
  }

  /**
   * Moves the cursor of a receiver on this node; it is written soon.
   *
   * @param name Its name.
   * @param seq Sequence number up to which it has acknowledged all notifications.
   */
  save(name: string, seq: number): void {
    this.#writes.save(name, seq);
  }

  /**
   * Releases a receiver whose last connection to this node has ended; it may connect to another node next.
   *
   * @param name Its name.
   */
  release(name: string): void {
    this.#admitted.delete(name);
    this.#writes.release(name);
  }

  #write(moved: ReadonlyMap<string, MovedCursor>, released: ReadonlySet<string>): Promise<unknown> {
    const list = [...moved].map(([name, { start, cursor }]) => [name, start, cursor]);
    return Promise.all([
      ...batchesOf(list).map((some) => this.#runner.run(SAVE, [this.#node, some])),
      ...batchesOf([...released]).map((some) => this.#runner.run(RELEASE, [this.#node, some, this.#clock.age])),
    ]);
  }

  /** Writes now; without a connection, the next one writes. */
  flush(): void {
    this.#writes.flush();
  }

  /** Takes no more moves. */
  close(): void {
    this.#writes.close();
  }

  /** Cancels a write that was put off. */
  cancel(): void {
    this.#writes.cancel();
  }
}

function batchesOf(list: readonly unknown[]): string[] {
  const batches: string[] = [];
  for (let at = 0; at < list.length; at += BATCH) batches.push(JSON.stringify(list.slice(at, at + BATCH)));
  return batches;
}
