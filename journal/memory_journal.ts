/**
 * The journal in memory: bounded, and lost with the process.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { JournalError } from "../base/errors.ts";
import type { Appended, Journal, JournalEntry, JournalListener, JournalRetention, NewEntry } from "./journal.ts";
import { notifyAppended } from "./notify.ts";
import { expiredError, ReceiverNames, tooManyError, trimmedError } from "./receiver_names.ts";
import { checkRetention, DIGEST_AGE } from "./retention.ts";

const MIB = 1024 * 1024;
/** Maximum of notifications, and of digests. */
const MAX_ENTRIES = 100_000;
/** Minimum interval between checks for expired names, in ms; checked while the journal is used. */
const EXPIRY_INTERVAL = 600_000;

/** An entry, and its time of arrival by the injected clock. */
interface Kept extends JournalEntry {
  at: number;
}

/**
 * A journal that keeps the latest notifications in memory: receivers may lose their connection, but a server that stops
 * loses them.
 *
 * @example
 * ```ts
 * import { MemoryJournal, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * export const server = new WhatsAppServer({ journal: new MemoryJournal({ maxBytes: 256 * 1024 * 1024 }) });
 * ```
 */
export class MemoryJournal implements Journal {
  /** ID of the journal. */
  readonly id: string = randomUUID();
  /** `false`: the content is lost with the process. */
  readonly durable = false;
  #maxAge: number;
  #maxBytes: number;
  #clock: Clock;
  #listener: JournalListener | undefined;
  #closed = false;
  /** In the order of `seq`; those before index `#head` are removed. */
  #entries: Kept[] = [];
  #head = 0;
  #bytes = 0;
  #last = 0;
  #trimmed = 0;
  /** In the order of arrival. */
  #digests = new Map<string, { seq: number; at: number }>();
  #names: ReceiverNames;
  #maxReceivers: number;
  #maxReceiverAge: number;
  /** Time of the next check for expired names. */
  #expireAt = 0;

  /**
   * Makes an empty journal.
   *
   * @param retention Limits of what it keeps; `maxBytes` is 64 MiB by default.
   * @throws {OptionError} If a value is out of range.
   */
  constructor(retention: JournalRetention = {}) {
    const checked = checkRetention(retention, 64 * MIB);
    this.#maxAge = checked.maxAge;
    this.#maxBytes = checked.maxBytes;
    this.#clock = checked.clock;
    this.#maxReceivers = checked.maxReceivers;
    this.#maxReceiverAge = checked.maxReceiverAge;
    this.#names = new ReceiverNames(checked, 0);
  }

  /** Highest sequence number so far. */
  get last(): number {
    return this.#last;
  }

  /** Sequence number up to which retention has removed notifications. */
  get trimmed(): number {
    return this.#trimmed;
  }

  /**
   * Sets the listener.
   *
   * @param listener The owner.
   */
  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
  }

  /**
   * Recognises a retry.
   *
   * @param digest SHA-256 digest of a body.
   * @returns `true` if the same body is in the journal.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async has(digest: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    this.#trim();
    return this.#digests.has(hex(digest));
  }

  /**
   * Keeps a notification.
   *
   * @param entry The notification.
   * @returns Resolves at once.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async append({ bytes, signature, receivedAt, digest, forward }: NewEntry): Promise<Appended> {
    this.#assertOpen();
    this.#trim();
    const key = hex(digest);
    const first = this.#digests.get(key);
    if (first !== undefined) return { seq: first.seq, duplicate: true };
    const seq = ++this.#last;
    const at = this.#clock.now();
    this.#digests.set(key, { seq, at });
    if (forward) {
      const entry = { seq, bytes, signature, receivedAt, at };
      this.#entries.push(entry);
      this.#bytes += bytes.length;
      this.#trim();
      notifyAppended(this.#listener, entry);
    }
    return { seq, duplicate: false };
  }

  /**
   * Reads notifications to deliver.
   *
   * @param after Sequence number after which to begin.
   * @param count Maximum of entries.
   * @returns Entries in the order of `seq`.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async read(after: number, count: number): Promise<JournalEntry[]> {
    this.#assertOpen();
    this.#trim();
    const from = this.#indexBehind(after);
    return this.#entries.slice(from, from + count);
  }

  /** Finds the index of the first entry behind a sequence number, by bisection. */
  #indexBehind(seq: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Reads the cursor of a receiver.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined` if the name is unknown.
   */
  cursor(name: string): Promise<number | undefined> {
    return Promise.resolve(this.#names.cursor(name));
  }

  /**
   * Admits a receiver under a name.
   *
   * @param name Its name.
   * @param start Cursor of a new name.
   * @returns Sequence number up to which it has acknowledged all notifications.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async admit(name: string, start: number): Promise<number> {
    this.#assertOpen();
    const now = this.#clock.now();
    if (this.#names.cursor(name) === undefined) {
      if (this.#names.isFull(0)) this.#expire(now);
      if (this.#names.isFull(0)) throw tooManyError(this.#maxReceivers);
      this.#names.move(name, start, now);
    }
    return this.#names.connect(name, now);
  }

  /**
   * Releases a receiver whose last connection has ended.
   *
   * @param name Its name.
   */
  release(name: string): void {
    this.#names.disconnect(name, this.#clock.now());
  }

  #expire(now: number): void {
    this.#expireAt = now + EXPIRY_INTERVAL;
    const names = this.#names.expired(now);
    if (names.length === 0) return;
    this.#names.forget(names);
    this.#listener?.error(expiredError(names, this.#maxReceiverAge));
  }

  /**
   * Moves the cursor of a receiver.
   *
   * @param name Its name.
   * @param seq Sequence number up to which it has acknowledged all notifications.
   */
  saveCursor(name: string, seq: number): void {
    if (!this.#closed) this.#names.move(name, seq, this.#clock.now());
  }

  /** Closes the journal, and forgets its content. */
  close(): Promise<void> {
    this.#closed = true;
    this.#entries = [];
    this.#digests.clear();
    return Promise.resolve();
  }

  #trim(): void {
    const now = this.#clock.now();
    while (this.#head < this.#entries.length) {
      const { at, bytes, seq } = this.#entries[this.#head]!;
      const fits = this.#maxBytes === 0 || this.#bytes <= this.#maxBytes;
      const young = this.#maxAge === 0 || now - at <= this.#maxAge;
      if (fits && young && this.#entries.length - this.#head <= MAX_ENTRIES) break;
      this.#head++;
      this.#bytes -= bytes.length;
      this.#trimmed = seq;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    for (const [key, { at }] of this.#digests) {
      if (this.#digests.size <= MAX_ENTRIES && now - at <= DIGEST_AGE) break;
      this.#digests.delete(key);
    }
    const lost = this.#names.lost(this.#trimmed);
    if (lost.length > 0) this.#listener?.error(trimmedError(lost));
    if (now >= this.#expireAt) this.#expire(now);
  }

  #assertOpen(): void {
    if (this.#closed) throw new JournalError("ERR_JOURNAL_CLOSED", "The journal in memory is closed");
  }
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (256 + byte).toString(16).slice(1);
  return text;
}
