/**
 * De-duplication: records that Meta or the server sends more than once are handed over once.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { WhatsAppCall } from "../cloud_api/field_records.ts";
import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import type { WhatsAppRecord } from "../cloud_api/records.ts";
import { statusKey } from "../cloud_api/status.ts";
import type { PendingNotification } from "./pending_notification.ts";

/** Remembers keys; a program may bring a store that outlives the process. */
export interface SeenStore {
  /**
   * Tells whether a key is remembered.
   *
   * @param key The key.
   * @returns `true` if it is remembered.
   */
  has(key: string): boolean;
  /**
   * Remembers a key. Called when its record is handled completely.
   *
   * @param key The key.
   */
  add(key: string): void;
}

/** Longest time a key is remembered, in ms: Meta repeats a notification for 7 days. */
const MAX_AGE = 8 * 24 * 3600 * 1000;
const MAX_KEYS = 100_000;

/** Remembers keys in memory for 8 days, up to 100 000 of them. */
export class MemorySeenStore implements SeenStore {
  #clock: Clock;
  /** Time of each key, oldest first. */
  #keys = new Map<string, number>();
  #oldest: string | undefined;
  /** Keys behind the oldest. One iterator for all: each new one would pass the places of all keys forgotten before. */
  #behind: Iterator<string, undefined> = this.#keys.keys();

  /**
   * Makes an empty store.
   *
   * @param clock Time.
   */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Tells whether a key is remembered.
   *
   * @param key The key.
   * @returns `true` if it is remembered.
   */
  has(key: string): boolean {
    const at = this.#keys.get(key);
    return at !== undefined && this.#clock.now() - at <= MAX_AGE;
  }

  /**
   * Remembers a key.
   *
   * @param key The key.
   */
  add(key: string): void {
    const now = this.#clock.now();
    // It stands at the end now.
    if (key === this.#oldest) this.#oldest = undefined;
    this.#keys.delete(key);
    this.#keys.set(key, now);
    for (;;) {
      const oldest = this.#oldest ??= this.#behind.next().value!;
      if (this.#keys.size <= MAX_KEYS && now - this.#keys.get(oldest)! <= MAX_AGE) return;
      this.#keys.delete(oldest);
      this.#oldest = undefined;
    }
  }
}

/** Records of one notification, chosen by {@linkcode Deduplication}. */
export interface NewRecords {
  /** Records to hand over. */
  readonly records: readonly WhatsAppRecord[];
  /** Keys of these records, as far as they have one. */
  readonly keys: ReadonlySet<string>;
  /** Notifications that handle the same records at present: this notification shares their outcome. */
  readonly leaders: ReadonlySet<PendingNotification>;
}

/** Chooses the records of notifications that are neither handled nor being handled. */
export class Deduplication {
  #store: SeenStore | undefined;
  /** Notification that hands a record over at present, by the key of the record. */
  #handlers = new Map<string, PendingNotification>();
  #keys = new Map<PendingNotification, ReadonlySet<string>>();

  /**
   * Begins with nothing being handled.
   *
   * @param store Keys of records that were handled; `undefined`: each record is handed over.
   */
  constructor(store: SeenStore | undefined) {
    this.#store = store;
  }

  /**
   * Chooses the records to hand over.
   *
   * @param records Records of a notification that match the filter.
   * @param scope Prefix of their keys: the same record in another scope is another record.
   * @returns The records, each once.
   * @throws What the store throws.
   */
  choose(records: readonly WhatsAppRecord[], scope: string): NewRecords {
    const store = this.#store;
    // A history has thousands of records.
    const keys = new Set<string>();
    const leaders = new Set<PendingNotification>();
    if (store === undefined) return { records, keys, leaders };
    const chosen = records.filter((record) => {
      const known = recordKey(record);
      if (known === undefined) return true;
      const key = scope + known;
      // A record may stand in the same notification twice.
      if (keys.has(key) || store.has(key)) return false;
      const leader = this.#handlers.get(key);
      if (leader !== undefined) leaders.add(leader);
      else keys.add(key);
      return leader === undefined;
    });
    return { records: chosen, keys, leaders };
  }

  /**
   * Notes that a notification hands its records over, and lets it wait for notifications that already hand over the
   * same records.
   *
   * @param pending The notification.
   * @param chosen Its records.
   */
  begin(pending: PendingNotification, { keys, leaders }: NewRecords): void {
    for (const key of keys) this.#handlers.set(key, pending);
    if (keys.size > 0) this.#keys.set(pending, keys);
    for (const leader of leaders) pending.follow(leader);
  }

  /**
   * Ends the handling of a notification: its records are handed over again if they come again and are not remembered.
   *
   * @param pending The notification.
   */
  end(pending: PendingNotification): void {
    for (const key of this.#keys.get(pending) ?? []) this.#handlers.delete(key);
    this.#keys.delete(pending);
  }

  /**
   * Remembers records that were handled.
   *
   * @param chosen The records.
   * @throws What the store throws.
   */
  remember({ keys }: NewRecords): void {
    for (const key of keys) this.#store?.add(key);
  }
}

/**
 * Key that tells a record from others. Meta may deliver it more than once, and with other records the second time.
 * `docs/whatsapp.md` lists the parts of the key of each kind: too few of them lose records, too many repeat them.
 *
 * @param record The record.
 * @returns A key; `undefined` for kinds without an identity: these are handed over as often as they come.
 */
export function recordKey(record: WhatsAppRecord): string | undefined {
  switch (record.kind) {
    case "message":
      return messageKey(record.kind, record, []);
    case "echo":
      return messageKey(record.kind, record.message, []);
    case "history":
      return messageKey(record.kind, record.message, [mediaIdOf(record.message), record.status ?? ""]);
    case "status":
    case "payment":
      return record.id === "" ? undefined : statusKey(record);
    case "standby":
      return standbyKey(recordKey(record.record));
    case "call":
      return callKey(record);
    case "automaticEvent":
      return record.id === "" ? undefined : timedKey(record, [record.id, record.eventName]);
    default:
      return undefined;
  }
}

/** The same id may come with other contents: first a placeholder or an unsupported type, later the message itself. */
function messageKey(kind: string, message: WhatsAppMessage, more: readonly string[]): string | undefined {
  const { id, phoneNumberId } = message;
  const type = message.type === "unknown" ? `unknown ${message.originalType}` : message.type;
  if (id === "") return undefined;
  return JSON.stringify([kind, phoneNumberId ?? "", id, type, ...targetOf(message), ...more]);
}

/** A call has its id in all of its events, and in all states of it. */
function callKey(call: WhatsAppCall): string | undefined {
  const { id, event, status = "", errors } = call;
  return id === "" ? undefined : timedKey(call, [id, event, status, ...errors.map(({ code }) => String(code))]);
}

/** Key of an event that may come again later: its time is the same only when Meta repeats it. */
function timedKey({ kind, phoneNumberId = "", timestamp }: WhatsAppRecord, parts: readonly string[]): string {
  return JSON.stringify([kind, phoneNumberId, ...parts, String(timestamp?.getTime())]);
}

/** Key parts of a message that changes another one: the changed message, and the change. */
function targetOf(message: WhatsAppMessage): readonly string[] {
  switch (message.type) {
    case "reaction":
      return [message.reaction.messageId, message.reaction.emoji ?? ""];
    case "edit":
      return [message.edit.originalMessageId, String(message.timestamp?.getTime())];
    case "revoke":
      return [message.revoke.originalMessageId];
    default:
      return [];
  }
}

/** Id of the file of a message, which may come after the message. */
function mediaIdOf(message: WhatsAppMessage): string {
  switch (message.type) {
    case "image":
      return message.image.id;
    case "video":
      return message.video.id;
    case "audio":
      return message.audio.id;
    case "document":
      return message.document.id;
    case "sticker":
      return message.sticker.id;
    default:
      return "";
  }
}

/** Key of a message in standby: the same message may be live later, when the conversation is handed over. */
function standbyKey(key: string | undefined): string | undefined {
  return key === undefined ? undefined : `standby ${key}`;
}
