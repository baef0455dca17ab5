/**
 * Cursors of the receivers of one server, written soon after they move to a journal that several servers share.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import type { LinkHolder } from "./node_lease.ts";

/** Delay between a move of a cursor and its write, in ms. */
const WRITE_DELAY = 100;

/** Cursor of a receiver on this server, and where it began if the receiver is new here. */
export interface MovedCursor {
  /** Its start; a lower one of the same receiver counts. */
  readonly start: number;
  /** Sequence number up to which it has acknowledged all notifications. */
  readonly cursor: number;
}

/** Owner of {@linkcode CursorWrites}. */
export interface CursorWriter {
  /**
   * Writes cursors, then releases names. Both may be repeated.
   *
   * @param moved Cursors by name.
   * @param released Names whose last connection to this server has ended.
   */
  write(moved: ReadonlyMap<string, MovedCursor>, released: ReadonlySet<string>): Promise<unknown>;
  /** Reports a failed write, once until one succeeds. */
  failed(error: unknown): void;
  /** Keeps the journal open until a write has ended. */
  track(writing: Promise<unknown>): void;
}

/** Cursors that are to be written. */
export class CursorWrites {
  #source: LinkHolder<unknown>;
  #writer: CursorWriter;
  #moved = new Map<string, MovedCursor>();
  #released = new Set<string>();
  #cancelWrite: (() => void) | undefined;
  /** `true` once a failed write was reported, until one succeeds. */
  #failing = false;
  #closed = false;
  /** Names that the other servers know to be on this one, or will. */
  #present = new Set<string>();

  /**
   * Begins without cursors.
   *
   * @param source Source of the connection.
   * @param writer Writes them.
   */
  constructor(source: LinkHolder<unknown>, writer: CursorWriter) {
    this.#source = source;
    this.#writer = writer;
  }

  /**
   * Moves the cursor of a receiver; it is written soon.
   *
   * @param name Its name.
   * @param seq Sequence number up to which it has acknowledged all notifications.
   */
  save(name: string, seq: number): void {
    if (this.#closed) return;
    this.#move(name, { start: seq, cursor: seq });
    this.#released.delete(name);
    if (!this.#present.has(name)) {
      // The other servers know a name from its first connection on.
      this.#present.add(name);
      this.flush();
    }
    this.#cancelWrite ??= systemClock.after(WRITE_DELAY, () => this.flush());
  }

  /**
   * Notes that a receiver is on this server, as the other servers know already.
   *
   * @param name Its name.
   */
  arrive(name: string): void {
    if (this.#closed) return;
    this.#present.add(name);
    this.#released.delete(name);
  }

  /** Keeps the first start too, from which a server takes over the position on those that the receiver has left. */
  #move(name: string, { start, cursor }: MovedCursor): void {
    const moved = this.#moved.get(name);
    this.#moved.set(name, {
      start: Math.min(start, moved?.start ?? start),
      cursor: Math.max(cursor, moved?.cursor ?? cursor),
    });
  }

  /**
   * Releases a receiver whose last connection to this server has ended; it may connect to another one next.
   *
   * @param name Its name.
   */
  release(name: string): void {
    if (this.#closed) return;
    this.#present.delete(name);
    this.#released.add(name);
    this.flush();
  }

  /** Writes now; without a connection, the next one writes. */
  flush(): void {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    const { link } = this.#source;
    if (link === undefined || this.#moved.size + this.#released.size === 0) return;
    const [moved, released] = [this.#moved, this.#released];
    this.#moved = new Map();
    this.#released = new Set();
    const writing = this.#writer.write(moved, released).then(() => {
      this.#failing = false;
    }, (error) => {
      for (const [name, one] of moved) this.#move(name, one);
      // A receiver that is here again is not released.
      for (const name of released) if (!this.#present.has(name)) this.#released.add(name);
      this.#retry(error, link);
    });
    this.#writer.track(writing);
  }

  #retry(error: unknown, link: unknown): void {
    if (this.#closed) return this.#writer.failed(error);
    this.#cancelWrite ??= systemClock.after(WRITE_DELAY, () => {
      // A lost connection is reported by the journal.
      if (this.#source.link === link && !this.#failing) {
        this.#failing = true;
        this.#writer.failed(error);
      }
      this.flush();
    });
  }

  /** Takes no more moves. */
  close(): void {
    this.#closed = true;
  }

  /** Cancels a write that was put off. */
  cancel(): void {
    this.#cancelWrite?.();
  }
}
