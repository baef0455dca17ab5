/**
 * What has been handled already: the memory behind de-duplication.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { WhatsAppMessage, WhatsAppRecord } from "./whatsapp_types.ts";
import { statusKey } from "./whatsapp_status.ts";

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
 * What tells a record from others. Meta may deliver it more than once, and in other company the second time.
 *
 * @param record The record.
 * @returns A key; `undefined` for kinds that have nothing to tell them by.
 */
export function recordKey(record: WhatsAppRecord): string | undefined {
  switch (record.kind) {
    case "message":
      return messageKey("message", record);
    case "echo":
    case "history":
      return messageKey(record.kind, record.message);
    case "status":
      return record.id === "" ? undefined : statusKey(record);
    case "standby":
      return standbyKey(recordKey(record.record));
    default:
      return undefined;
  }
}

function messageKey(kind: string, { id, phoneNumberId }: WhatsAppMessage): string | undefined {
  return id === "" ? undefined : JSON.stringify([kind, phoneNumberId ?? "", id]);
}

/** The same message may be live later, when the conversation is handed over. */
function standbyKey(key: string | undefined): string | undefined {
  return key === undefined ? undefined : `standby ${key}`;
}
