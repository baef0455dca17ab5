/**
 * Who gets which notification, and how far each receiver has come: the server's side of `whatsapp-inbox.v1`.
 *
 * Receivers read a journal, each at its own place. What came lately is kept at hand, so that those who keep up cost no read. A group
 * is what shares one place: one connection, or all connections of a name that share the work.
 *
 * @module
 */

import type { SendResult } from "./connection.ts";
import { OptionError } from "./errors.ts";
import { encodeInboxMessage, type HelloMessage, InboxCloseCode, type NotificationMessage } from "./inbox_protocol.ts";
import type { Journal, JournalEntry } from "./journal.ts";
import { SharedMessage } from "./shared_message.ts";
import { type Change, listChanges, passes, type WhatsAppFilter, withoutHeldBack } from "./whatsapp_filter.ts";

/** One connection of a receiver, as the hub sees it. */
export interface InboxSink {
  /** Whether something can be sent still. */
  readonly open: boolean;
  /**
   * Sends a message, which other connections may send too.
   *
   * @param message The message.
   * @returns What became of it.
   */
  send(message: SharedMessage): SendResult;
  /** Resolves when nothing waits any more. Rejects if the connection is lost before. */
  drained(): Promise<void>;
  /**
   * Ends the connection.
   *
   * @param code The close code.
   * @param reason The close reason.
   */
  close(code: number, reason: string): void;
}

const DEFAULT_WINDOW = 256;
const MAX_WINDOW = 4096;
/** At most so many bytes wait for the acknowledgements of one connection, and one notification more. */
const MAX_UNACKED_BYTES = 8 * 1024 * 1024;
/** So much of what came lately is at hand. */
const RECENT_ENTRIES = 1024;
const RECENT_BYTES = 8 * 1024 * 1024;
/** So many notifications are read at once for those who are behind. */
const BATCH = 64;

/** A notification with what is derived from it when somebody asks. */
class Item {
  readonly entry: JournalEntry;
  #changes: Change[] | undefined;
  #message: SharedMessage | undefined;

  constructor(entry: JournalEntry) {
    this.entry = entry;
  }

  get changes(): Change[] {
    return this.#changes ??= listChanges(this.entry.bytes);
  }

  /** Encoded once for all who get it as it came. */
  get message(): SharedMessage {
    return this.#message ??= this.encode({});
  }

  encode(
    more: Pick<NotificationMessage, "redelivered" | "partial">,
    body: Uint8Array = this.entry.bytes,
  ): SharedMessage {
    const { seq, receivedAt } = this.entry;
    const signature = more.partial ? "" : this.entry.signature;
    const head = { type: "notification" as const, seq, signature, receivedAt: receivedAt.toISOString(), ...more };
    return new SharedMessage(encodeInboxMessage(head, body), 0);
  }
}

/** What a group does not get, and what it does not want. */
interface Filters {
  allowed: WhatsAppFilter | undefined;
  wanted: WhatsAppFilter | undefined;
}

/** A name, and who has it. */
interface Name {
  groups: Set<Group>;
  /** Where a connection was that has left while others of the name stayed: the next one goes on there. */
  held: number;
}

/** Distributes what a journal holds. */
export class InboxHub {
  readonly journal: Journal;
  #recent: Item[] = [];
  #recentBytes = 0;
  /** Everything behind this sequence number is in `#recent`. */
  #floor: number;
  #groups = new Set<Group>();
  #names = new Map<string, Name>();
  #onError: (error: unknown) => void;

  /**
   * Makes one without receivers.
   *
   * @param journal What is distributed. Its listener must hand what is appended to `appended`.
   * @param onError Told when the journal cannot be read.
   */
  constructor(journal: Journal, onError: (error: unknown) => void) {
    this.journal = journal;
    this.#floor = journal.last;
    this.#onError = onError;
  }

  /**
   * Something new is there.
   *
   * @param entry The notification.
   */
  appended(entry: JournalEntry): void {
    this.#recent.push(new Item(entry));
    this.#recentBytes += entry.bytes.length;
    let gone = 0;
    while (this.#recent.length - gone > RECENT_ENTRIES || this.#recentBytes > RECENT_BYTES) {
      const { seq, bytes } = this.#recent[gone++].entry;
      this.#recentBytes -= bytes.length;
      this.#floor = seq;
    }
    if (gone > 0) this.#recent.splice(0, gone);
    for (const group of this.#groups) group.pump();
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
  recentBehind(seq: number): Item | undefined {
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
   * @returns Its membership; `undefined` if the connection ended meanwhile or was refused.
   */
  async join(
    sink: InboxSink,
    hello: HelloMessage,
    allowed?: WhatsAppFilter,
    last: number = this.journal.last,
  ): Promise<Member | undefined> {
    const start = await this.#startOf(hello, last);
    // A name is known from its first hello on, even if the connection has ended meanwhile.
    if (hello.name !== undefined) this.journal.saveCursor(hello.name, start);
    if (!sink.open) return undefined;
    const filters = { allowed, wanted: hello.filter };
    const group = this.#groupFor(hello, filters, start);
    if (group === undefined) {
      sink.close(InboxCloseCode.NameConflict, "Connections that share a name must have the same filter");
      return undefined;
    }
    const window = Math.min(hello.window ?? DEFAULT_WINDOW, MAX_WINDOW);
    const member = new Member(sink, window, group);
    const { journal } = this;
    const after = group.position;
    member.tell(encodeInboxMessage({ type: "welcome", journal: journal.id, after, last: journal.last, window }));
    group.add(member);
    return member;
  }

  async #startOf({ name, after, journal }: HelloMessage, last: number): Promise<number> {
    const kept = name === undefined ? undefined : await this.journal.cursor(name);
    if (kept !== undefined) return kept;
    if (after === undefined) return last;
    // Numbers of another journal mean nothing here, so nothing of this one is known to have arrived.
    return journal !== undefined && journal !== this.journal.id ? 0 : Math.min(after, this.journal.last);
  }

  #groupFor({ name, share }: HelloMessage, filters: Filters, start: number): Group | undefined {
    if (name === undefined) return this.#addGroup(new Group(this, undefined, false, filters, start));
    let known = this.#names.get(name);
    if (known === undefined) this.#names.set(name, known = { groups: new Set(), held: Infinity });
    const shared = share === true ? [...known.groups].find((group) => group.shared) : undefined;
    if (shared !== undefined) return shared.key === keyOf(filters) ? shared : undefined;
    const group = new Group(this, name, share === true, filters, Math.min(start, known.held));
    known.held = Infinity;
    known.groups.add(group);
    return this.#addGroup(group);
  }

  #addGroup(group: Group): Group {
    this.#groups.add(group);
    return group;
  }

  /**
   * The last connection of a group has left.
   *
   * @param group The group.
   */
  remove(group: Group): void {
    this.#groups.delete(group);
    const known = group.name === undefined ? undefined : this.#names.get(group.name);
    if (known === undefined) return;
    this.moved(group.name!);
    known.groups.delete(group);
    if (known.groups.size === 0) this.#names.delete(group.name!);
    else known.held = Math.min(known.held, group.cursor);
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
    for (const group of known.groups) cursor = Math.min(cursor, group.cursor);
    this.journal.saveCursor(name, cursor);
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

function keyOf({ allowed, wanted }: Filters): string {
  return JSON.stringify([allowed ?? null, wanted ?? null]);
}

/** What shares one place in the journal. */
class Group {
  readonly name: string | undefined;
  readonly shared: boolean;
  readonly key: string;
  /** The last notification that was taken from the journal. */
  position: number;
  #hub: InboxHub;
  #filters: Filters;
  #members = new Set<Member>();
  /** What was taken and is not acknowledged, in order. */
  #outstanding = new Map<number, Item>();
  /** What was sent to connections that have ended, in order. */
  #returned: Item[] = [];
  /** What was read from the journal for those who are behind. */
  #batch: Item[] = [];
  #loading = false;

  constructor(hub: InboxHub, name: string | undefined, shared: boolean, filters: Filters, start: number) {
    this.#hub = hub;
    this.name = name;
    this.shared = shared;
    this.#filters = filters;
    this.key = keyOf(filters);
    this.position = start;
  }

  /** Everything up to here is acknowledged, or not wanted. */
  get cursor(): number {
    for (const first of this.#outstanding.keys()) return first - 1;
    return this.position;
  }

  add(member: Member): void {
    this.#members.add(member);
    this.pump();
  }

  /** What a connection had goes to the others, or waits for the next one in the journal. */
  leave(member: Member, items: Item[]): void {
    this.#members.delete(member);
    if (this.#members.size === 0) return this.#hub.remove(this);
    this.#giveBack(items);
    this.pump();
  }

  #giveBack(items: Item[]): void {
    this.#returned = [...this.#returned, ...items].sort((one, other) => one.entry.seq - other.entry.seq);
  }

  acknowledged(seqs: readonly number[]): void {
    for (const seq of seqs) this.#outstanding.delete(seq);
    this.pump();
  }

  /** Sends what can be sent. */
  pump(): void {
    for (;;) {
      const member = this.#memberWithRoom();
      if (member === undefined) break;
      const redelivered = this.#returned.length > 0;
      const item = this.#returned.shift() ?? this.#take();
      if (item === undefined) break;
      if (!member.deliver(item, this.#encode(item, redelivered))) this.#giveBack([item]);
    }
    if (this.name !== undefined) this.#hub.moved(this.name);
    this.#tellCurrent();
  }

  /** Those who began behind learn when they have caught up. */
  #tellCurrent(): void {
    const { journal, floor } = this.#hub;
    const behind = this.#batch.length > 0 || this.position < floor ||
      this.#hub.recentBehind(this.position) !== undefined;
    if (behind || journal.trimmed > this.position) return;
    for (const member of this.#members) member.tellCurrent(this.position);
  }

  #memberWithRoom(): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members) {
      if (member.hasRoom && (best === undefined || member.load < best.load)) best = member;
    }
    return best;
  }

  /** The next one that is wanted. */
  #take(): Item | undefined {
    for (;;) {
      const item = this.#next();
      if (item === undefined) return undefined;
      this.position = item.entry.seq;
      if (!this.#wants(item)) continue;
      this.#outstanding.set(this.position, item);
      return item;
    }
  }

  #next(): Item | undefined {
    const item = this.#batch.shift();
    if (item !== undefined) return item;
    if (this.position >= this.#hub.floor) return this.#hub.recentBehind(this.position);
    this.#load();
    return undefined;
  }

  #load(): void {
    if (this.#loading) return;
    this.#loading = true;
    const { journal, floor } = this.#hub;
    if (journal.trimmed > this.position) this.#skipTrimmed(journal.trimmed);
    journal.read(this.position, BATCH).then((entries) => {
      this.#loading = false;
      this.#batch = entries.map((entry) => new Item(entry));
      if (entries.length === 0) this.position = Math.max(this.position, floor);
      this.pump();
    }).catch((error) => {
      this.#hub.failed(error);
      for (const member of this.#members) member.close(InboxCloseCode.JournalFailed, "The journal cannot be read");
    });
  }

  #skipTrimmed(until: number): void {
    for (const member of this.#members) member.tell(encodeInboxMessage({ type: "gap", after: this.position, until }));
    this.position = until;
  }

  // ---- Filters -------------------------------------------------------------------------------------------------

  #wants(item: Item): boolean {
    const { allowed, wanted } = this.#filters;
    if (allowed === undefined && wanted === undefined) return true;
    return item.changes.some((change) =>
      (allowed === undefined || passes(change, allowed)) && (wanted === undefined || passes(change, wanted))
    );
  }

  #encode(item: Item, again: boolean): SharedMessage {
    const { allowed } = this.#filters;
    const more = again ? { redelivered: true as const } : {};
    if (allowed !== undefined && !item.changes.every((change) => passes(change, allowed))) {
      return item.encode({ ...more, partial: true }, withoutHeldBack(item.entry.bytes, allowed));
    }
    return again ? item.encode(more) : item.message;
  }
}

/** One connection of a receiver. */
export class Member {
  #sink: InboxSink;
  #window: number;
  #group: Group;
  #unacked = new Map<number, Item>();
  #unackedBytes = 0;
  #blocked = false;
  #left = false;
  #toldCurrent = false;

  /**
   * Makes one that has got nothing yet.
   *
   * @param sink Its connection.
   * @param window The most notifications that wait for acknowledgement.
   * @param group What it belongs to.
   */
  constructor(sink: InboxSink, window: number, group: Group) {
    this.#sink = sink;
    this.#window = window;
    this.#group = group;
  }

  /** Whether it can take one more. */
  get hasRoom(): boolean {
    return !this.#left && !this.#blocked && this.#sink.open && this.#unacked.size < this.#window &&
      this.#unackedBytes < MAX_UNACKED_BYTES;
  }

  /** How many notifications wait for acknowledgement. */
  get load(): number {
    return this.#unacked.size;
  }

  /**
   * Sends something that needs no acknowledgement.
   *
   * @param message The message.
   */
  tell(message: Uint8Array): void {
    this.#send(new SharedMessage(message, 0));
  }

  /**
   * The receiver has caught up; it is told once.
   *
   * @param seq Up to here.
   */
  tellCurrent(seq: number): void {
    if (this.#toldCurrent || this.#left) return;
    this.#toldCurrent = true;
    this.tell(encodeInboxMessage({ type: "current", seq }));
  }

  /**
   * Sends a notification.
   *
   * @param item The notification.
   * @param message Its encoded form.
   * @returns `false`: it was not sent, and somebody else should get it.
   */
  deliver(item: Item, message: SharedMessage): boolean {
    if (!this.#send(message)) return false;
    this.#unacked.set(item.entry.seq, item);
    this.#unackedBytes += item.entry.bytes.length;
    return true;
  }

  #send(message: SharedMessage): boolean {
    let result: SendResult;
    try {
      result = this.#sink.send(message);
    } catch (error) {
      // It is closing, or can never hold it.
      this.#blocked = true;
      if (error instanceof OptionError) this.close(1009, "A notification is larger than maxBufferedAmount");
      return false;
    }
    if (result !== "sent") this.#waitForRoom();
    return result !== "dropped";
  }

  #waitForRoom(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.#sink.drained().then(() => {
      this.#blocked = false;
      this.#group.pump();
    }).catch(() => {
      // The connection is lost: leave() follows.
    });
  }

  /**
   * The receiver is done with some; those it never got are ignored.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void {
    const known = seqs.filter((seq) => {
      const item = this.#unacked.get(seq);
      if (item === undefined) return false;
      this.#unackedBytes -= item.entry.bytes.length;
      return this.#unacked.delete(seq);
    });
    if (known.length > 0) this.#group.acknowledged(known);
  }

  /**
   * Ends the connection.
   *
   * @param code The close code.
   * @param reason The close reason.
   */
  close(code: number, reason: string): void {
    this.#sink.close(code, reason);
  }

  /** The connection has ended. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#group.leave(this, [...this.#unacked.values()]);
  }
}
