/**
 * A group of receivers with one position in the journal: one connection, or all connections of a name that share the
 * notifications.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import { InboxItem } from "./item.ts";
import type { InboxMember } from "./member.ts";
import { encodeInboxMessage, InboxCloseCode } from "./protocol.ts";
import type { Journal, JournalEntry, SharedCursor } from "../journal/journal.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import { type SequenceRange, SkippedNumbers } from "../journal/sequence_ranges.ts";
import { matchesFilter, mayHave, type WhatsAppFilter } from "../cloud_api/filter.ts";

/** Reason to refuse a connection whose filter differs from that of other connections of its name. */
export const NAME_CONFLICT = "Connections that share a name must have the same filter";

/** Notifications that are read at once from the journal. */
const BATCH = 64;
const NONE: readonly SequenceRange[] = [];

/** Source of a group's notifications. */
export interface InboxSource {
  /** The journal. */
  readonly journal: Journal;
  /** Sequence number after which all notifications are in memory. */
  readonly floor: number;
  /** Returns the next notification after a sequence number, which is not below the floor. */
  recentAfter(seq: number): InboxItem | undefined;
  /** Removes a group without connections. */
  remove(group: InboxGroup): void;
  /** Notes that a group of a name may have moved on. */
  moved(name: string): void;
  /** Reports that the journal could not be read. */
  failed(error: unknown): void;
}

/** Filters of a group. */
export interface InboxFilters {
  /** Changes that the token allows; `undefined`: all. */
  allowed: WhatsAppFilter | undefined;
  /** Changes that the receiver wants; `undefined`: all. */
  wanted: WhatsAppFilter | undefined;
}

/**
 * Makes a key of filters.
 *
 * @param filters The filters.
 * @returns The key; equal for equal filters.
 */
export function keyOf({ allowed, wanted }: InboxFilters): string {
  return JSON.stringify([allowed ?? null, wanted ?? null]);
}

/** A notification for the next connection with room. */
interface Returned {
  item: InboxItem;
  /** `true` if a connection that has ended got it already. */
  sent: boolean;
}

/** Connections with one position in the journal. */
export class InboxGroup {
  /** Its name, if it has one. */
  readonly name: string | undefined;
  /** `true` if its connections share the notifications. */
  readonly shared: boolean;
  /** Key of its filters. */
  readonly key: string;
  /** Last notification that was taken from the journal. */
  position: number;
  #source: InboxSource;
  #filters: InboxFilters;
  #members = new Set<InboxMember>();
  /** Notifications that were taken and are not acknowledged, in order. */
  #outstanding = new Map<number, InboxItem>();
  /** Notifications for the next connection with room, in order. */
  #returned: Returned[] = [];
  /** Notifications that were read from the journal, below the floor of the source. */
  #batch: InboxItem[] = [];
  #loading = false;
  /** Sequence numbers without a notification, some of which may be lost. */
  #skipped = new SkippedNumbers();
  /**
   * Cursor that receivers of other servers share; notifications taken from it are in `#returned` until they are sent.
   */
  #sharedCursor: SharedCursor | undefined;
  /** `true` if the shared cursor may have more. */
  #mayTake = true;

  /**
   * Makes a group without connections.
   *
   * @param source Source of its notifications.
   * @param name Its name, if it has one.
   * @param shared `true` if its connections share the notifications.
   * @param filters Its filters.
   * @param start Sequence number after which its notifications begin.
   */
  constructor(source: InboxSource, name: string | undefined, shared: boolean, filters: InboxFilters, start: number) {
    this.#source = source;
    this.name = name;
    this.shared = shared;
    this.#filters = filters;
    this.key = keyOf(filters);
    this.position = start;
    if (shared) this.#sharedCursor = source.journal.share?.(name!, start, this.key, () => this.wake());
  }

  /** `true` if the journal stores its position, for the receivers of all servers. */
  get everywhere(): boolean {
    return this.#sharedCursor !== undefined;
  }

  /** Looks for new notifications. */
  wake(): void {
    this.#mayTake = true;
    if (this.#members.size > 0) this.pump();
  }

  /** Sequence number up to which everything is acknowledged or not wanted. */
  get cursor(): number {
    for (const first of this.#outstanding.keys()) return first - 1;
    return this.position;
  }

  /**
   * Adds a connection.
   *
   * @param member The connection.
   */
  add(member: InboxMember): void {
    this.#members.add(member);
    this.pump();
  }

  /**
   * Removes a connection. Its notifications go to other connections, or wait in the journal for the next one.
   *
   * @param member The connection.
   * @param items Notifications that it has not acknowledged.
   */
  leave(member: InboxMember, items: InboxItem[]): void {
    this.#members.delete(member);
    if (this.#members.size === 0) {
      this.#sharedCursor?.leave();
      return this.#source.remove(this);
    }
    this.#return(items.map((item) => ({ item, sent: true })));
    this.pump();
  }

  #return(returned: Returned[]): void {
    this.#returned.push(...returned);
    this.#returned.sort((one, other) => one.item.entry.seq - other.item.entry.seq);
  }

  /**
   * Takes acknowledgements.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledged(seqs: readonly number[]): void {
    for (const seq of seqs) this.#outstanding.delete(seq);
    this.#sharedCursor?.acknowledge(seqs);
    this.pump();
  }

  /** Sends notifications as long as there are some, and connections with room. */
  pump(): void {
    this.#notifyLost();
    for (;;) {
      const member = this.#memberWithRoom();
      if (member === undefined) break;
      const next = this.#returned.shift() ?? this.#take();
      if (next === undefined) break;
      const { item, sent } = next;
      const message = this.#tryEncode(item, sent);
      if (message === undefined) this.#drop(item);
      else if (!member.deliver(item, message)) this.#return([next]);
    }
    if (this.name !== undefined) this.#source.moved(this.name);
    this.#notifyCurrent();
  }

  #drop({ entry: { seq } }: InboxItem): void {
    this.#outstanding.delete(seq);
    this.#sharedCursor?.acknowledge([seq]);
  }

  /** Notifies connections once they have caught up. */
  #notifyCurrent(): void {
    const { journal, floor } = this.#source;
    const behind = this.#sharedCursor === undefined
      ? this.#batch.length > 0 || this.position < floor || this.#source.recentAfter(this.position) !== undefined
      : this.#loading || this.#mayTake || this.#returned.length > 0;
    if (behind || (this.#sharedCursor === undefined && journal.trimmed > this.position)) return;
    for (const member of this.#members) member.notifyCurrent(this.position);
  }

  #memberWithRoom(): InboxMember | undefined {
    let best: InboxMember | undefined;
    for (const member of this.#members) {
      if (member.hasRoom && (best === undefined || member.load < best.load)) best = member;
    }
    return best;
  }

  /** Takes the next wanted notification. */
  #take(): Returned | undefined {
    if (this.#sharedCursor !== undefined) {
      this.#takeShared(this.#sharedCursor);
      return undefined;
    }
    for (;;) {
      const item = this.#next();
      if (item === undefined) {
        if (!this.#loading) this.#skipLost();
        return undefined;
      }
      const { lostAfter } = item.entry;
      this.#moveTo(lostAfter ?? item.entry.seq - 1);
      if (lostAfter !== undefined) this.#notifyGap(lostAfter, item.entry.seq);
      this.position = item.entry.seq;
      if (lostAfter !== undefined || !this.#wants(item)) continue;
      this.#outstanding.set(this.position, item);
      return { item, sent: false };
    }
  }

  /** Skips sequence numbers without a notification. */
  #moveTo(until: number): void {
    if (until <= this.position) return;
    this.#skipped.skip(this.position, until, this.#source.journal.lost ?? NONE);
    this.position = until;
    this.#notifyLost();
  }

  /** Skips lost notifications that follow the position. */
  #skipLost(): void {
    for (const { after, until } of this.#source.journal.lost ?? NONE) {
      if (after <= this.position && this.position < until) this.#moveTo(until);
    }
  }

  #notifyLost(): void {
    const { lost } = this.#source.journal;
    if (lost === undefined || lost.length === 0) return;
    for (const { after, until } of this.#skipped.take(lost)) this.#notifyGap(after, until);
  }

  /** Takes no more notifications than can be sent: the rest is for other servers. */
  #takeShared(sharedCursor: SharedCursor): void {
    if (this.#loading || !this.#mayTake) return;
    let room = 0;
    for (const member of this.#members) room += member.room;
    const count = Math.min(BATCH, room);
    this.#loading = true;
    this.#mayTake = false;
    sharedCursor.take(count).then((taken) => {
      this.#loading = false;
      const found = [...taken.again.map(asReturned(true)), ...taken.new.map(asReturned(false))];
      this.#mayTake ||= found.length >= count;
      for (const { item } of found) this.#outstanding.set(item.entry.seq, item);
      for (const { after, until } of taken.gaps ?? []) this.#notifyGap(after, until);
      for (const { item } of found) this.position = Math.max(this.position, item.entry.seq);
      const wanted = found.filter(({ item }) => this.#wants(item));
      for (const { item } of found) if (!this.#wants(item)) this.#drop(item);
      // A group without connections has returned them to the cursor already.
      if (this.#members.size === 0) return;
      this.#return(wanted);
      this.pump();
    }).catch((error) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#loading = false;
    if (error instanceof JournalError && error.code === "ERR_JOURNAL_CONFLICT") {
      for (const member of this.#members) member.close(InboxCloseCode.NameConflict, NAME_CONFLICT);
      return;
    }
    this.#source.failed(error);
    for (const member of this.#members) member.close(InboxCloseCode.JournalFailed, "The journal cannot be read");
  }

  #next(): InboxItem | undefined {
    const item = this.#batch.shift();
    if (item !== undefined || this.#loading) return item;
    if (this.position >= this.#source.floor) return this.#source.recentAfter(this.position);
    this.#load();
    return undefined;
  }

  #load(): void {
    this.#loading = true;
    const { journal, floor } = this.#source;
    if (journal.trimmed > this.position) this.#skipTrimmed(journal.trimmed);
    journal.read(this.position, BATCH).then((entries) => {
      this.#loading = false;
      // Retention may have removed some meanwhile.
      if (journal.trimmed > this.position) this.#skipTrimmed(journal.trimmed);
      this.#batch = entries.filter(({ seq }) => seq > this.position).map((entry) => new InboxItem(entry));
      if (entries.length === 0) this.#moveTo(floor);
      this.pump();
    }).catch((error) => this.#failed(error));
  }

  #skipTrimmed(until: number): void {
    this.#notifyGap(this.position, until);
    this.position = until;
  }

  #notifyGap(after: number, until: number): void {
    for (const member of this.#members) member.notify(encodeInboxMessage({ type: "gap", after, until }));
  }

  // ---- Filters ------------------------------------------------------------------------------------------------------

  #wants(item: InboxItem): boolean {
    const { allowed, wanted } = this.#filters;
    if (allowed === undefined && wanted === undefined) return true;
    return item.changes.some((change) =>
      (allowed === undefined || mayHave(change, allowed)) && (wanted === undefined || matchesFilter(change, wanted))
    );
  }

  /** Encodes a notification; `undefined` if only a part is allowed, and it cannot be taken apart. */
  #tryEncode(item: InboxItem, again: boolean): SharedMessage | undefined {
    try {
      return this.#encode(item, again);
    } catch (error) {
      this.#source.failed(error);
      return undefined;
    }
  }

  #encode(item: InboxItem, again: boolean): SharedMessage {
    const { allowed } = this.#filters;
    const more = again ? { redelivered: true as const } : {};
    const part = allowed === undefined ? undefined : item.envelope.partFor(allowed);
    if (part !== undefined) return item.encode({ ...more, partial: true }, part);
    return again ? item.encode(more) : item.message;
  }
}

function asReturned(sent: boolean): (entry: JournalEntry) => Returned {
  return (entry) => ({ item: new InboxItem(entry), sent });
}
