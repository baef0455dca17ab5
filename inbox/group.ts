/**
 * What shares one place in the journal: one connection, or all connections of a name that share the work.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import { InboxItem } from "./item.ts";
import type { InboxMember } from "./member.ts";
import { encodeInboxMessage, InboxCloseCode } from "./protocol.ts";
import type { Journal, JournalEntry, SharedCursor } from "../journal/journal.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import { PassedNumbers, type SequenceRange } from "../journal/sequence_ranges.ts";
import { mayHave, passes, type WhatsAppFilter } from "../cloud_api/filter.ts";

/** Why a connection is refused that wants something else than others of its name. */
export const NAME_CONFLICT = "Connections that share a name must have the same filter";

/** So many notifications are read at once for those who are behind. */
const BATCH = 64;
const NONE: readonly SequenceRange[] = [];

/** What a group reads from, and whom it tells. */
export interface InboxSource {
  /** What is distributed. */
  readonly journal: Journal;
  /** Everything behind this sequence number is at hand. */
  readonly floor: number;
  /** What comes behind a sequence number that is not below the floor. */
  recentBehind(seq: number): InboxItem | undefined;
  /** The last connection of a group has left. */
  remove(group: InboxGroup): void;
  /** Somebody of a name has come further, perhaps. */
  moved(name: string): void;
  /** The journal could not be read. */
  failed(error: unknown): void;
}

/** What a group does not get, and what it does not want. */
export interface InboxFilters {
  /** What a receiver may have. */
  allowed: WhatsAppFilter | undefined;
  /** What it wants. */
  wanted: WhatsAppFilter | undefined;
}

/**
 * Tells filters apart.
 *
 * @param filters The filters.
 * @returns Equal for equal filters.
 */
export function keyOf({ allowed, wanted }: InboxFilters): string {
  return JSON.stringify([allowed ?? null, wanted ?? null]);
}

/** What shares one place in the journal. */
export class InboxGroup {
  /** Its name, if it has one. */
  readonly name: string | undefined;
  /** Whether its connections share the work. */
  readonly shared: boolean;
  /** Tells its filters apart from others. */
  readonly key: string;
  /** The last notification that was taken from the journal. */
  position: number;
  #hub: InboxSource;
  #filters: InboxFilters;
  #members = new Set<InboxMember>();
  /** What was taken and is not acknowledged, in order. */
  #outstanding = new Map<number, InboxItem>();
  /** What somebody else is to get, in order; `sent`: a connection that has ended had it. */
  #returned: { item: InboxItem; sent: boolean }[] = [];
  /** What was read from the journal for those who are behind. */
  #batch: InboxItem[] = [];
  #loading = false;
  /** Numbers without a notification: some may be lost. */
  #passed = new PassedNumbers();
  /** Where it takes from, if receivers of other servers share it: then the rest of what was taken is in `#returned`. */
  #place: SharedCursor | undefined;
  /** Whether there may be something to take. */
  #mayTake = true;

  /**
   * Makes one without connections.
   *
   * @param hub What it reads from.
   * @param name Its name, if it has one.
   * @param shared Whether its connections share the work.
   * @param filters What it does not get, and does not want.
   * @param start It gets what comes behind this sequence number.
   */
  constructor(hub: InboxSource, name: string | undefined, shared: boolean, filters: InboxFilters, start: number) {
    this.#hub = hub;
    this.name = name;
    this.shared = shared;
    this.#filters = filters;
    this.key = keyOf(filters);
    this.position = start;
    if (shared) this.#place = hub.journal.share?.(name!, start, this.key, () => this.wake());
  }

  /** Whether its place is kept by the journal, for the receivers of all servers. */
  get everywhere(): boolean {
    return this.#place !== undefined;
  }

  /** There is something new, perhaps. */
  wake(): void {
    this.#mayTake = true;
    if (this.#members.size > 0) this.pump();
  }

  /** Everything up to here is acknowledged, or not wanted. */
  get cursor(): number {
    for (const first of this.#outstanding.keys()) return first - 1;
    return this.position;
  }

  /**
   * A connection comes.
   *
   * @param member The connection.
   */
  add(member: InboxMember): void {
    this.#members.add(member);
    this.pump();
  }

  /**
   * A connection has ended. What it had goes to the others, or waits for the next one in the journal.
   *
   * @param member The connection.
   * @param items What it had not acknowledged.
   */
  leave(member: InboxMember, items: InboxItem[]): void {
    this.#members.delete(member);
    if (this.#members.size === 0) {
      this.#place?.leave();
      return this.#hub.remove(this);
    }
    this.#giveBack(items.map((item) => ({ item, sent: true })));
    this.pump();
  }

  #giveBack(returned: { item: InboxItem; sent: boolean }[]): void {
    this.#returned.push(...returned);
    this.#returned.sort((one, other) => one.item.entry.seq - other.item.entry.seq);
  }

  /**
   * Some notifications are done.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledged(seqs: readonly number[]): void {
    for (const seq of seqs) this.#outstanding.delete(seq);
    this.#place?.acknowledge(seqs);
    this.pump();
  }

  /** Sends what can be sent. */
  pump(): void {
    this.#tellLost();
    for (;;) {
      const member = this.#memberWithRoom();
      if (member === undefined) break;
      const next = this.#returned.shift() ?? this.#take();
      if (next === undefined) break;
      const { item, sent } = next;
      const message = this.#tryEncode(item, sent);
      if (message === undefined) this.#drop(item);
      else if (!member.deliver(item, message)) this.#giveBack([next]);
    }
    if (this.name !== undefined) this.#hub.moved(this.name);
    this.#tellCurrent();
  }

  #drop({ entry: { seq } }: InboxItem): void {
    this.#outstanding.delete(seq);
    this.#place?.acknowledge([seq]);
  }

  /** Those who began behind learn when they have caught up. */
  #tellCurrent(): void {
    const { journal, floor } = this.#hub;
    const behind = this.#place === undefined
      ? this.#batch.length > 0 || this.position < floor || this.#hub.recentBehind(this.position) !== undefined
      : this.#loading || this.#mayTake || this.#returned.length > 0;
    if (behind || (this.#place === undefined && journal.trimmed > this.position)) return;
    for (const member of this.#members) member.tellCurrent(this.position);
  }

  #memberWithRoom(): InboxMember | undefined {
    let best: InboxMember | undefined;
    for (const member of this.#members) {
      if (member.hasRoom && (best === undefined || member.load < best.load)) best = member;
    }
    return best;
  }

  /** The next one that is wanted. */
  #take(): { item: InboxItem; sent: boolean } | undefined {
    if (this.#place !== undefined) {
      this.#takeShared(this.#place);
      return undefined;
    }
    for (;;) {
      const item = this.#next();
      if (item === undefined) {
        if (!this.#loading) this.#passLost();
        return undefined;
      }
      const { lostAfter } = item.entry;
      this.#moveTo(lostAfter ?? item.entry.seq - 1);
      if (lostAfter !== undefined) this.#tellGap(lostAfter, item.entry.seq);
      this.position = item.entry.seq;
      if (lostAfter !== undefined || !this.#wants(item)) continue;
      this.#outstanding.set(this.position, item);
      return { item, sent: false };
    }
  }

  /** Nothing comes before that number is passed. */
  #moveTo(until: number): void {
    if (until <= this.position) return;
    this.#passed.pass(this.position, until, this.#hub.journal.lost ?? NONE);
    this.position = until;
    this.#tellLost();
  }

  /** Moves past lost notifications that follow the position. */
  #passLost(): void {
    for (const { after, until } of this.#hub.journal.lost ?? NONE) {
      if (after <= this.position && this.position < until) this.#moveTo(until);
    }
  }

  #tellLost(): void {
    const { lost } = this.#hub.journal;
    if (lost === undefined || lost.length === 0) return;
    for (const { after, until } of this.#passed.take(lost)) this.#tellGap(after, until);
  }

  /** What comes is handed out as what somebody else was to get. No more than can be sent: the rest is for other servers. */
  #takeShared(place: SharedCursor): void {
    if (this.#loading || !this.#mayTake) return;
    let room = 0;
    for (const member of this.#members) room += member.room;
    const count = Math.min(BATCH, room);
    this.#loading = true;
    this.#mayTake = false;
    place.take(count).then((taken) => {
      this.#loading = false;
      const found = [...taken.again.map(asReturned(true)), ...taken.new.map(asReturned(false))];
      this.#mayTake ||= found.length >= count;
      for (const { item } of found) this.#outstanding.set(item.entry.seq, item);
      for (const { after, until } of taken.gaps ?? []) this.#tellGap(after, until);
      for (const { item } of found) this.position = Math.max(this.position, item.entry.seq);
      const wanted = found.filter(({ item }) => this.#wants(item));
      for (const { item } of found) if (!this.#wants(item)) this.#drop(item);
      // Those that have gone meanwhile left it to others already.
      if (this.#members.size === 0) return;
      this.#giveBack(wanted);
      this.pump();
    }).catch((error) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#loading = false;
    if (error instanceof JournalError && error.code === "ERR_JOURNAL_CONFLICT") {
      for (const member of this.#members) member.close(InboxCloseCode.NameConflict, NAME_CONFLICT);
      return;
    }
    this.#hub.failed(error);
    for (const member of this.#members) member.close(InboxCloseCode.JournalFailed, "The journal cannot be read");
  }

  #next(): InboxItem | undefined {
    const item = this.#batch.shift();
    if (item !== undefined || this.#loading) return item;
    if (this.position >= this.#hub.floor) return this.#hub.recentBehind(this.position);
    this.#load();
    return undefined;
  }

  #load(): void {
    this.#loading = true;
    const { journal, floor } = this.#hub;
    if (journal.trimmed > this.position) this.#skipTrimmed(journal.trimmed);
    journal.read(this.position, BATCH).then((entries) => {
      this.#loading = false;
      // Retention may have come in between.
      if (journal.trimmed > this.position) this.#skipTrimmed(journal.trimmed);
      this.#batch = entries.filter(({ seq }) => seq > this.position).map((entry) => new InboxItem(entry));
      if (entries.length === 0) this.#moveTo(floor);
      this.pump();
    }).catch((error) => this.#failed(error));
  }

  #skipTrimmed(until: number): void {
    this.#tellGap(this.position, until);
    this.position = until;
  }

  #tellGap(after: number, until: number): void {
    for (const member of this.#members) member.tell(encodeInboxMessage({ type: "gap", after, until }));
  }

  // ---- InboxFilters -------------------------------------------------------------------------------------------------

  #wants(item: InboxItem): boolean {
    const { allowed, wanted } = this.#filters;
    if (allowed === undefined && wanted === undefined) return true;
    return item.changes.some((change) =>
      (allowed === undefined || mayHave(change, allowed)) && (wanted === undefined || passes(change, wanted))
    );
  }

  /** What a receiver may not have as it came, and cannot be taken apart, it does not get. */
  #tryEncode(item: InboxItem, again: boolean): SharedMessage | undefined {
    try {
      return this.#encode(item, again);
    } catch (error) {
      this.#hub.failed(error);
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

function asReturned(sent: boolean): (entry: JournalEntry) => { item: InboxItem; sent: boolean } {
  return (entry) => ({ item: new InboxItem(entry), sent });
}
