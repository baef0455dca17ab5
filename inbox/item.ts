/**
 * A notification on its way to receivers; its changes and encoded form are made when they are first needed.
 *
 * @module
 */

import { encodeInboxMessage, type NotificationMessage } from "./protocol.ts";
import type { JournalEntry } from "../journal/journal.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import { type Change, Envelope } from "../cloud_api/filter.ts";

/** A notification on its way to receivers. */
export class InboxItem {
  /** The notification. */
  readonly entry: JournalEntry;
  #envelope: Envelope | undefined;
  #message: SharedMessage | undefined;

  /**
   * Takes a notification.
   *
   * @param entry The notification.
   */
  constructor(entry: JournalEntry) {
    this.entry = entry;
  }

  /** The parts of the notification that filters check. */
  get envelope(): Envelope {
    return this.#envelope ??= new Envelope(this.entry.bytes);
  }

  /** Changes of the notification. */
  get changes(): readonly Change[] {
    return this.envelope.changes;
  }

  /** Encoded form, made once for all connections that get the notification unchanged. */
  get message(): SharedMessage {
    return this.#message ??= this.encode({});
  }

  /**
   * Encodes the notification for a connection that gets it again, or in part.
   *
   * @param more Marks of its line.
   * @param body Its body, or the part that is sent.
   * @returns The message.
   */
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
