/**
 * A notification that is being handled: by handlers, by loops, or by both.
 *
 * @module
 */

import type { WhatsAppRecord } from "../cloud_api/records.ts";
/** A notification as a receiver gets it. */
export interface WhatsAppNotification {
  /** The raw JSON as Meta sent it; bytes if they are not UTF-8. */
  readonly raw: string | Uint8Array;
  /** What it tells, without what was handled already or the filter holds back. */
  readonly records: readonly WhatsAppRecord[];
  /** Its place in the server's journal; absent with a server that does not speak `whatsapp-inbox.v1`. */
  readonly seq?: number;
  /** Meta's signature over the raw bytes; "" if there is none. */
  readonly signature: string;
  /** When the server got it; absent with a server that does not speak `whatsapp-inbox.v1`. */
  readonly receivedAt?: Date;
  /** With `share`: whether another connection had it before, and ended without acknowledging it. */
  readonly redelivered: boolean;
  /** Whether this receiver may not have all of it: what is left has no signature. */
  readonly partial: boolean;
}

/** What becomes of a notification: it is done when all who have a part in it are, and nobody failed. */
export class PendingNotification {
  /** The notification. */
  readonly notification: WhatsAppNotification;
  #parts = 0;
  #failed = false;
  #onSettled: (success: boolean) => void;
  /** Others that hold the same records, and wait for what becomes of them here. */
  #followers: PendingNotification[] = [];

  /**
   * Takes a notification, which nobody has a part in yet.
   *
   * @param notification The notification.
   * @param onSettled Called when all are done with it: whether nobody failed.
   */
  constructor(notification: WhatsAppNotification, onSettled: (success: boolean) => void) {
    this.notification = notification;
    this.#onSettled = onSettled;
  }

  /** Somebody has a part in it. */
  begin(): void {
    this.#parts++;
  }

  /**
   * Somebody is done with it.
   *
   * @param success Whether it went well.
   */
  end(success: boolean): void {
    if (!success) this.#failed = true;
    if (--this.#parts > 0) return;
    this.#onSettled(!this.#failed);
    for (const follower of this.#followers.splice(0)) follower.end(!this.#failed);
  }

  /**
   * Waits for another one that holds the same records: what is done there need not be done here.
   *
   * @param other The other one, not done yet.
   */
  follow(other: PendingNotification): void {
    this.begin();
    other.#followers.push(this);
  }
}
