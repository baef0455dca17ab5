/**
 * Cursors and names of the receivers of one node, written to Redis soon after they move.
 *
 * @module
 */

import type { JournalError } from "../base/errors.ts";
import { expiredError, type ReceiverLimits, tooManyError } from "../journal/receiver_names.ts";
import type { AgeClock } from "../journal/age_clock.ts";
import { CursorWrites, type MovedCursor } from "../journal/cursor_writes.ts";
import { CURSOR, CURSORS, RELEASE, SAVE } from "./cursor_scripts.ts";
import { writeError } from "./journal_errors.ts";
import { ADMIT, EXPIRE, TOUCH } from "./name_scripts.ts";
import type { RedisScript } from "./script.ts";
import type { ScriptRunner } from "./script_runner.ts";

/** Owner of {@linkcode RedisCursors}. */
export interface RedisCursorsOwner {
  /** Reports an error to the listener. */
  report(error: JournalError): void;
  /** Keeps the journal open until a write has ended. */
  track(writing: Promise<unknown>): void;
  /** Replicas must confirm new names. */
  readonly confirmsNames: boolean;
  /** Waits for replicas to confirm a new name. */
  confirmName(): Promise<void>;
}

/** Cursors and names of one node. */
export class RedisCursors {
  #node: string;
  #runner: ScriptRunner;
  #limits: ReceiverLimits;
  #clock: AgeClock;
  #owner: RedisCursorsOwner;
  #writes: CursorWrites;
  /** Names with a connection. */
  #admitted = new Set<string>();

  /**
   * Makes cursors of a node without receivers.
   *
   * @param node ID of the node.
   * @param runner Runs scripts.
   * @param limits Maximum of names, and of their age.
   * @param clock Age of the journal.
   * @param owner The journal.
   */
  constructor(node: string, runner: ScriptRunner, limits: ReceiverLimits, clock: AgeClock, owner: RedisCursorsOwner) {
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
    const cursor = Number(await this.#runner.run(CURSOR, [name]));
    return cursor < 0 ? undefined : cursor;
  }

  /**
   * Reads the cursors of all receivers of all nodes.
   *
   * @returns Sequence numbers by name.
   */
  async readAll(): Promise<Map<string, number>> {
    this.flush();
    const flat = await this.#runner.run(CURSORS, []) as string[];
    const cursors = new Map<string, number>();
    for (let at = 0; at < flat.length; at += 2) cursors.set(flat[at]!, Number(flat[at + 1]));
    return cursors;
  }

  /**
   * Admits a receiver; a new name is in Redis, and confirmed by replicas if required, before this resolves.
   *
   * @param name Its name.
   * @param start Cursor of a new name.
   * @param shared `true` if the cursor is shared.
   * @returns The cursor.
   * @throws {JournalError} With `ERR_JOURNAL_RECEIVERS` if there are too many names.
   */
  async admit(name: string, start: number, shared: boolean): Promise<number> {
    const { maxReceivers, maxReceiverAge } = this.#limits;
    const confirm = this.#owner.confirmsNames ? 1 : 0;
    this.flush();
    const args = [name, start, shared ? 1 : 0, this.#clock.age, maxReceivers, maxReceiverAge, confirm];
    const [cursor, isNew, expired] = await this.#runner.run(ADMIT, args) as [string, number, string[]];
    if (expired.length > 0) this.#owner.report(expiredError(expired, maxReceiverAge));
    if (Number(cursor) < 0) throw tooManyError(maxReceivers);
    if (Number(isNew) === 1 && confirm === 1) {
      await this.#owner.confirmName();
      await this.#runner.run(TOUCH, [name, this.#clock.age]);
    }
    this.#admitted.add(name);
    if (!shared) this.save(name, Number(cursor));
    return Number(cursor);
  }

  /** Forgets the names without a connection to any node for too long. */
  async expire(): Promise<void> {
    const { maxReceiverAge } = this.#limits;
    const expired = await this.#runner.run(EXPIRE, [this.#clock.age, maxReceiverAge, ...this.#admitted]) as string[];
    if (expired.length > 0) this.#owner.report(expiredError(expired, maxReceiverAge));
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
    if (this.#admitted.delete(name) && this.#runner.link !== undefined) {
      // If this fails, the time of an earlier connection counts.
      this.#owner.track(this.#runner.run(TOUCH, [name, this.#clock.age]).catch(() => {}));
    }
    this.#writes.release(name);
  }

  #write(moved: ReadonlyMap<string, MovedCursor>, released: ReadonlySet<string>): Promise<unknown> {
    const run = (script: RedisScript, args: (string | number)[]): Promise<unknown> => this.#runner.run(script, args);
    return Promise.all([
      ...[...moved].map(([name, { start, cursor }]) => run(SAVE, [name, this.#node, start, cursor])),
      ...[...released].map((name) => run(RELEASE, [name, this.#node])),
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
