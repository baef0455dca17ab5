/**
 * The server's side of the inbox subprotocol: distributes notifications, and stores the position of each receiver.
 *
 * Receivers read a journal, each from its own position. Recent notifications are in memory, so that receivers that keep
 * up cost no read. A group has one position: one connection, or all connections of a name that share the notifications.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import { type InboxFilters, InboxGroup, type InboxSource, keyOf, NAME_CONFLICT } from "./group.ts";
import { InboxItem } from "./item.ts";
import { InboxMember, type InboxSink } from "./member.ts";
import { encodeInboxMessage, type HelloMessage, InboxCloseCode } from "./protocol.ts";
import type { Journal, JournalEntry } from "../journal/journal.ts";
import type { WhatsAppFilter } from "../cloud_api/filter.ts";

const DEFAULT_WINDOW = 256;
const MAX_WINDOW = 4096;
/** Most recent notifications in memory, and their bytes. */
const RECENT_ENTRIES = 1024;
const RECENT_BYTES = 8 * 1024 * 1024;

/** State of a name. */
interface Name {
  groups: Set<InboxGroup>;
  /** Connections that wait for the journal. */
  joining: number;
  /** Position of a connection that has ended while others of the name stayed; the next connection resumes there. */
  resumeAt: number;
}

/** Distributes the notifications of a journal. */
export class InboxHub implements InboxSource {
  /** The journal. */
  readonly journal: Journal;
  #recent: InboxItem[] = [];
  #recentBytes = 0;
  /** Sequence number after which all notifications are in `#recent`. */
  #floor: number;
  /** Highest sequence number so far. */
  #last: number;
  #groups = new Set<InboxGroup>();
  #names = new Map<string, Name>();
  #onError: (error: unknown) => void;
  /** Number of receivers that were refused because of their name. */
  #refused = 0;

  /**
   * Makes a hub without receivers.
   *
   * @param journal The journal. Its listener must call `appended` for each notification.
   * @param onError Called when the journal cannot be read.
   */
  constructor(journal: Journal, onError: (error: unknown) => void) {
    this.journal = journal;
    this.#floor = journal.last;
    this.#last = journal.last;
    this.#onError = onError;
  }

  /**
   * Takes a new notification.
   *
   * @param entry The notification.
   */
  appended(entry: JournalEntry): void {
    // Retention may have removed notifications of other servers while this one could not be notified of them.
    if (this.journal.trimmed > this.#last) {
      this.#recent = [];
      this.#recentBytes = 0;
      this.#floor = this.journal.trimmed;
    }
    this.#last = entry.seq;
    this.#recent.push(new InboxItem(entry));
    this.#recentBytes += entry.bytes.length;
    let gone = 0;
    while (this.#recent.length - gone > RECENT_ENTRIES || this.#recentBytes > RECENT_BYTES) {
      const { seq, bytes } = this.#recent[gone++]!.entry;
      this.#recentBytes -= bytes.length;
      this.#floor = seq;
    }
    if (gone > 0) this.#recent.splice(0, gone);
    for (const group of this.#groups) group.wake();
  }

  /** Notes that the journal has lost notifications. */
  lost(): void {
    for (const group of this.#groups) group.wake();
  }

  /** Sequence number after which all notifications are in memory. */
  get floor(): number {
    return this.#floor;
  }

  /**
   * Returns the next notification after a sequence number, which is not below the floor.
   *
   * @param seq The sequence number.
   * @returns The notification; `undefined`: there is none yet.
   */
  recentAfter(seq: number): InboxItem | undefined {
    let low = 0;
    let high = this.#recent.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#recent[middle]!.entry.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#recent[low];
  }

  /**
   * Admits a receiver; notifications follow.
   *
   * @param sink Its connection.
   * @param hello Its hello.
   * @param allowed Changes that its token allows; without it all.
   * @param last Last sequence number of the journal when it connected: later notifications are new to it.
   * @param former Name under which an earlier version stored its position: a new name begins there.
   * @returns Its membership; `undefined` if the connection ended meanwhile or was refused.
   */
  async join(
    sink: InboxSink,
    hello: HelloMessage,
    allowed?: WhatsAppFilter,
    last: number = this.journal.last,
    former?: string,
  ): Promise<InboxMember | undefined> {
    const { name } = hello;
    if (name === undefined) return this.#enter(sink, hello, allowed, this.#startOf(hello, last));
    let record = this.#names.get(name);
    if (record === undefined) this.#names.set(name, record = { groups: new Set(), joining: 0, resumeAt: Infinity });
    record.joining++;
    try {
      const shared = hello.share === true && this.journal.share !== undefined;
      const earlier = former === undefined || hello.after !== undefined ? undefined : await this.journal.cursor(former);
      const start = await this.journal.admit(name, earlier ?? this.#startOf(hello, last), shared);
      return this.#enter(sink, hello, allowed, start);
    } catch (error) {
      if (!(error instanceof JournalError) || error.code !== "ERR_JOURNAL_RECEIVERS") throw error;
      this.#refuse(sink, error);
      return undefined;
    } finally {
      record.joining--;
      this.#releaseUnused(name, record);
    }
  }

  /** Reports the first refusal, the tenth, the hundredth, …: refused receivers try again and again. */
  #refuse(sink: InboxSink, error: JournalError): void {
    if (Number.isInteger(Math.log10(++this.#refused))) {
      const message = `${error.message}; ${this.#refused} refused so far`;
      this.#onError(new JournalError("ERR_JOURNAL_RECEIVERS", message, { cause: error }));
    }
    sink.close(InboxCloseCode.TooManyNames, "The server keeps no more names of receivers");
  }

  /** Enters a receiver whose name the journal stores: from now on it gets all notifications after `start`. */
  #enter(
    sink: InboxSink,
    hello: HelloMessage,
    allowed: WhatsAppFilter | undefined,
    start: number,
  ): InboxMember | undefined {
    if (!sink.open) return undefined;
    const group = this.#groupFor(hello, { allowed, wanted: hello.filter }, start);
    if (group === undefined) {
      sink.close(InboxCloseCode.NameConflict, NAME_CONFLICT);
      return undefined;
    }
    const window = Math.min(hello.window ?? DEFAULT_WINDOW, MAX_WINDOW);
    const member = new InboxMember(sink, window, group);
    const { journal } = this;
    const after = group.position;
    member.notify(encodeInboxMessage({ type: "welcome", journal: journal.id, after, last: journal.last, window }));
    group.add(member);
    return member;
  }

  /** Start of a receiver with a new name. */
  #startOf({ after, journal }: HelloMessage, last: number): number {
    if (after === undefined) return last;
    // A number of another journal has no meaning here: all notifications of this one are new.
    return journal !== undefined && journal !== this.journal.id ? 0 : Math.min(after, this.journal.last);
  }

  #groupFor({ name, share }: HelloMessage, filters: InboxFilters, start: number): InboxGroup | undefined {
    if (name === undefined) return this.#addGroup(new InboxGroup(this, undefined, false, filters, start));
    const record = this.#names.get(name)!;
    const shared = share === true ? [...record.groups].find((group) => group.shared) : undefined;
    if (shared !== undefined) return shared.key === keyOf(filters) ? shared : undefined;
    const group = new InboxGroup(this, name, share === true, filters, Math.min(start, record.resumeAt));
    record.resumeAt = Infinity;
    record.groups.add(group);
    return this.#addGroup(group);
  }

  #addGroup(group: InboxGroup): InboxGroup {
    this.#groups.add(group);
    return group;
  }

  /**
   * Removes a group without connections.
   *
   * @param group The group.
   */
  remove(group: InboxGroup): void {
    this.#groups.delete(group);
    const record = group.name === undefined ? undefined : this.#names.get(group.name);
    if (record === undefined) return;
    this.moved(group.name!);
    record.groups.delete(group);
    if (this.#releaseUnused(group.name!, record) || group.everywhere) return;
    record.resumeAt = Math.min(record.resumeAt, group.cursor);
  }

  /** Releases a name that no connection uses here any more. */
  #releaseUnused(name: string, record: Name): boolean {
    if (record.groups.size > 0 || record.joining > 0) return false;
    this.#names.delete(name);
    this.journal.release(name);
    return true;
  }

  /**
   * Stores the position of a name, whose groups may have moved on.
   *
   * @param name The name.
   */
  moved(name: string): void {
    const record = this.#names.get(name);
    if (record === undefined) return;
    let cursor = record.resumeAt;
    for (const group of record.groups) if (!group.everywhere) cursor = Math.min(cursor, group.cursor);
    if (cursor < Infinity) this.journal.saveCursor(name, cursor);
  }

  /**
   * Reports that the journal could not be read.
   *
   * @param error The error.
   */
  failed(error: unknown): void {
    this.#onError(error);
  }
}
