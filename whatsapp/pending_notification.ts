/**
 * A notification that is being handled: by handlers, by loops, or by both.
 *
 * @module
 */

import type { WhatsAppRecord } from "../cloud_api/records.ts";

/** A notification as a receiver gets it. */
export interface WhatsAppNotification {
  /** The raw JSON as Meta sent it; bytes if they are not UTF-8. */
  readonly raw: string | Uint8Array<ArrayBuffer>;
  /** Its records, without those that were handled already or do not match the filter. */
  readonly records: readonly WhatsAppRecord[];
  /** Its sequence number in the server's journal; absent with a server that does not speak the inbox subprotocol. */
  readonly seq?: number | undefined;
  /** Meta's signature over the raw bytes; "" if there is none. */
  readonly signature: string;
  /** Time when the server got it; absent with a server that does not speak the inbox subprotocol. */
  readonly receivedAt?: Date | undefined;
  /** With `share`: `true` if another connection got it before, and ended without acknowledging it. */
  readonly redelivered: boolean;
  /** `true` if this receiver is not allowed all of it: the rest has no signature. */
  readonly partial: boolean;
}

/** Outcome of a notification: done when all handlers and loops that took it have ended without a failure. */
export class PendingNotification {
  /** The notification. */
  readonly notification: WhatsAppNotification;
  #unfinished = 0;
  #failed = false;
  #onSettled: (success: boolean) => void;
  /** Notifications that hold the same records, and wait for the outcome here. */
  #followers: PendingNotification[] = [];

  /**
   * Takes a notification that no handler or loop has begun with.
   *
   * @param notification The notification.
   * @param onSettled Called when all have ended; `true` if none failed.
   */
  constructor(notification: WhatsAppNotification, onSettled: (success: boolean) => void) {
    this.notification = notification;
    this.#onSettled = onSettled;
  }

  /** Notes that a handler or loop begins with the notification. */
  begin(): void {
    this.#unfinished++;
  }

  /**
   * Notes that a handler or loop has ended.
   *
   * @param success `false` if it failed.
   */
  end(success: boolean): void {
    if (!success) this.#failed = true;
    if (--this.#unfinished > 0) return;
    this.#onSettled(!this.#failed);
    for (const follower of this.#followers.splice(0)) follower.end(!this.#failed);
  }

  /**
   * Waits for another notification that holds the same records: records handled there are not handled here.
   *
   * @param other The other notification, not settled yet.
   */
  follow(other: PendingNotification): void {
    this.begin();
    other.#followers.push(this);
  }
}
