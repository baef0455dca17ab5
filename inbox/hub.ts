/**
 * Who gets which notification, and how far each receiver has come: the server's side of `whatsapp-inbox.v1`.
 *
 * Receivers read a journal, each at its own place. What came lately is kept at hand, so that those who keep up cost no read. A group
 * is what shares one place: one connection, or all connections of a name that share the work.
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
/** So much of what came lately is at hand. */
const RECENT_ENTRIES = 1024;
const RECENT_BYTES = 8 * 1024 * 1024;

/** A name, and who has it. */
interface Name {
  groups: Set<InboxGroup>;
  /** Connections that the journal is about to let in. */
  joining: number;
  /** Where a connection was that has left while others of the name stayed: the next one goes on there. */
  held: number;
}

/** Distributes what a journal holds. */
export class InboxHub implements InboxSource {
  /** What is distributed. */
  readonly journal: Journal;
  #recent: InboxItem[] = [];
  #recentBytes = 0;
  /** Everything behind this sequence number is in `#recent`. */
  #floor: number;
  /** Highest sequence number so far. */
  #last: number;
  #groups = new Set<InboxGroup>();
  #names = new Map<string, Name>();
  #onError: (error: unknown) => void;
  /** How many receivers were refused because of their name. */
  #refused = 0;

  /**
   * Makes one without receivers.
   *
   * @param journal What is distributed. Its listener must hand what is appended to `appended`.
   * @param onError Told when the journal cannot be read.
   */
  constructor(journal: Journal, onError: (error: unknown) => void) {
    this.journal = journal;
    this.#floor = journal.last;
    this.#last = journal.last;
    this.#onError = onError;
  }

  /**
   * Something new is there.
   *
   * @param entry The notification.
   */
  appended(entry: JournalEntry): void {
    // Retention may have taken something that this server was to be told of, while it could not be.
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
      const { seq, bytes } = this.#recent[gone++].entry;
      this.#recentBytes -= bytes.length;
      this.#floor = seq;
    }
    if (gone > 0) this.#recent.splice(0, gone);
    for (const group of this.#groups) group.wake();
  }

  /** The journal has lost something. */
  lost(): void {
    for (const group of this.#groups) group.wake();
  }

  /** Everything behind this sequence number is at hand. */
  get floor(): number {
    return this.#floor;
  }

  /**
   * What comes behind a sequence number that is not below the floor.
   *
   * @param seq The sequence number.
   * @returns The notification; `undefined`: there is none yet.
   */
  recentBehind(seq: number): InboxItem | undefined {
    let low = 0;
    let high = this.#recent.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#recent[middle].entry.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#recent[low];
  }

  /**
   * Lets a receiver in; notifications follow.
   *
   * @param sink Its connection.
   * @param hello What it wants.
   * @param allowed What it may have; without it everything.
   * @param last What the journal ended with when it connected: what has come since is new to it.
   * @param former The name under which an earlier version kept how far it had come: if its own is new, it begins there.
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
    let known = this.#names.get(name);
    if (known === undefined) this.#names.set(name, known = { groups: new Set(), joining: 0, held: Infinity });
    known.joining++;
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
      known.joining--;
      this.#releaseUnused(name, known);
    }
  }

  /** The first one is told, the tenth, the hundredth, …: those that are refused try again and again. */
  #refuse(sink: InboxSink, error: JournalError): void {
    if (Number.isInteger(Math.log10(++this.#refused))) {
      const message = `${error.message}; ${this.#refused} refused so far`;
      this.#onError(new JournalError("ERR_JOURNAL_RECEIVERS", message, { cause: error }));
    }
    sink.close(InboxCloseCode.TooManyNames, "The server keeps no more names of receivers");
  }

  /** Enters a receiver whose name the journal keeps: nothing behind `start` is left out from now on. */
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
    member.tell(encodeInboxMessage({ type: "welcome", journal: journal.id, after, last: journal.last, window }));
    group.add(member);
    return member;
  }

  /** Start of a receiver with a new name. */
  #startOf({ after, journal }: HelloMessage, last: number): number {
    if (after === undefined) return last;
    // Numbers of another journal mean nothing here, so nothing of this one is known to have arrived.
    return journal !== undefined && journal !== this.journal.id ? 0 : Math.min(after, this.journal.last);
  }

  #groupFor({ name, share }: HelloMessage, filters: InboxFilters, start: number): InboxGroup | undefined {
    if (name === undefined) return this.#addGroup(new InboxGroup(this, undefined, false, filters, start));
    const known = this.#names.get(name)!;
    const shared = share === true ? [...known.groups].find((group) => group.shared) : undefined;
    if (shared !== undefined) return shared.key === keyOf(filters) ? shared : undefined;
    const group = new InboxGroup(this, name, share === true, filters, Math.min(start, known.held));
    known.held = Infinity;
    known.groups.add(group);
    return this.#addGroup(group);
  }

  #addGroup(group: InboxGroup): InboxGroup {
    this.#groups.add(group);
    return group;
  }

  /**
   * The last connection of a group has left.
   *
   * @param group The group.
   */
  remove(group: InboxGroup): void {
    this.#groups.delete(group);
    const known = group.name === undefined ? undefined : this.#names.get(group.name);
    if (known === undefined) return;
    this.moved(group.name!);
    known.groups.delete(group);
    if (this.#releaseUnused(group.name!, known) || group.everywhere) return;
    known.held = Math.min(known.held, group.cursor);
  }

  /** Releases a name that no connection uses here any more. */
  #releaseUnused(name: string, known: Name): boolean {
    if (known.groups.size > 0 || known.joining > 0) return false;
    this.#names.delete(name);
    this.journal.release(name);
    return true;
  }

  /**
   * Somebody of a name has come further, perhaps.
   *
   * @param name The name.
   */
  moved(name: string): void {
    const known = this.#names.get(name);
    if (known === undefined) return;
    let cursor = known.held;
    for (const group of known.groups) if (!group.everywhere) cursor = Math.min(cursor, group.cursor);
    if (cursor < Infinity) this.journal.saveCursor(name, cursor);
  }

  /**
   * The journal could not be read.
   *
   * @param error Why.
   */
  failed(error: unknown): void {
    this.#onError(error);
  }
}
