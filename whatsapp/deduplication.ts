/**
 * What has been handled already: the memory behind de-duplication.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import type { WhatsAppRecord } from "../cloud_api/records.ts";
import { statusKey } from "../cloud_api/status.ts";

/** Remembers keys; a program may bring one that outlives it. */
export interface SeenStore {
  /**
   * Whether a key is remembered.
   *
   * @param key The key.
   * @returns `true` if it is.
   */
  has(key: string): boolean;
  /**
   * Remembers a key. Called when everything about it is done.
   *
   * @param key The key.
   */
  add(key: string): void;
}

/** Meta tries for 7 days. */
const MAX_AGE = 8 * 24 * 3600 * 1000;
const MAX_KEYS = 100_000;

/** Remembers keys in memory for 8 days, up to 100 000 of them. */
export class MemorySeenStore implements SeenStore {
  #clock: Clock;
  /** When each came, in order. */
  #keys = new Map<string, number>();

  /**
   * Makes an empty one.
   *
   * @param clock Time.
   */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Whether a key is remembered.
   *
   * @param key The key.
   * @returns `true` if it is.
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
    this.#keys.delete(key);
    this.#keys.set(key, now);
    for (const [oldest, at] of this.#keys) {
      if (this.#keys.size <= MAX_KEYS && now - at <= MAX_AGE) return;
      this.#keys.delete(oldest);
    }
  }
}

/**
 * Key that tells a record from others. Meta may deliver it more than once, and in other company the second time. `docs/whatsapp.md` lists what
 * is in the key of each kind: too little there loses records, too much hands them over twice.
 *
 * @param record The record.
 * @returns A key; `undefined` for kinds that have nothing to tell them by: these are handed over as often as they come.
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
      return record.id === "" ? undefined : statusKey(record);
    case "standby":
      return standbyKey(recordKey(record.record));
    default:
      return undefined;
  }
}

/** The same id may come with other contents: a placeholder or what is not supported yet, and later what it stands for. */
function messageKey(kind: string, message: WhatsAppMessage, more: readonly string[]): string | undefined {
  const { id, phoneNumberId } = message;
  const type = message.type === "unknown" ? `unknown ${message.originalType}` : message.type;
  if (id === "") return undefined;
  return JSON.stringify([kind, phoneNumberId ?? "", id, type, ...targetOf(message), ...more]);
}

/** Key parts that name the message which a message changes, and how. */
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

/** The file of a message, which may come behind the message. */
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

/** The same message may be live later, when the conversation is handed over. */
function standbyKey(key: string | undefined): string | undefined {
  return key === undefined ? undefined : `standby ${key}`;
}
