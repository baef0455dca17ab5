/**
 * One connection of a receiver: sends notifications, and waits for their acknowledgements.
 *
 * @module
 */

import type { SendResult } from "../connection/options.ts";
import { OptionError } from "../base/errors.ts";
import type { InboxItem } from "./item.ts";
import { encodeInboxMessage } from "./protocol.ts";
import { SharedMessage } from "../connection/shared_message.ts";

/** One connection of a receiver, as the hub sees it. */
export interface InboxSink {
  /** `true` while messages can be sent. */
  readonly open: boolean;
  /**
   * Sends a message, which other connections may send too.
   *
   * @param message The message.
   * @returns The result.
   */
  send(message: SharedMessage): SendResult;
  /** Resolves when no message waits any more. Rejects if the connection is lost before. */
  drained(): Promise<void>;
  /**
   * Calls back once, some time later.
   *
   * @param callback Called then.
   * @returns Cancels it.
   */
  later(callback: () => void): () => void;
  /**
   * Ends the connection.
   *
   * @param code The close code.
   * @param reason The close reason.
   */
  close(code: number, reason: string): void;
}

/** Maximum of bytes that wait for the acknowledgements of one connection, and one notification more. */
const MAX_UNACKED_BYTES = 8 * 1024 * 1024;

/** The group of receivers that a member belongs to, as the member sees it. */
export interface MemberGroup {
  /** Sends what can be sent: a member has room again. */
  pump(): void;
  /** Takes the acknowledgements of a member. */
  acknowledged(seqs: readonly number[]): void;
  /** Removes a member, and gives its unacknowledged notifications to other members. */
  leave(member: InboxMember, unacked: InboxItem[]): void;
}

/** One connection of a receiver. */
export class InboxMember {
  #sink: InboxSink;
  #window: number;
  #group: MemberGroup;
  #unacked = new Map<number, InboxItem>();
  #unackedBytes = 0;
  #blocked = false;
  #departed = false;
  #currentReported = false;
  /** Messages that could not be sent, and need no acknowledgement: a few short ones at most. */
  #unreported: Uint8Array[] = [];
  #cancelRetry: () => void = () => {};

  /**
   * Makes a member without notifications.
   *
   * @param sink Its connection.
   * @param window Maximum of notifications that wait for acknowledgement.
   * @param group Its group.
   */
  constructor(sink: InboxSink, window: number, group: MemberGroup) {
    this.#sink = sink;
    this.#window = window;
    this.#group = group;
  }

  /** `true` if it can take one more notification. */
  get hasRoom(): boolean {
    return !this.#departed && !this.#blocked && this.#sink.open && this.#unacked.size < this.#window &&
      this.#unackedBytes < MAX_UNACKED_BYTES;
  }

  /** Number of notifications that it can take. */
  get room(): number {
    return this.hasRoom ? this.#window - this.#unacked.size : 0;
  }

  /** Number of notifications that wait for acknowledgement. */
  get load(): number {
    return this.#unacked.size;
  }

  /**
   * Sends a message that needs no acknowledgement.
   *
   * @param message The message.
   */
  notify(message: Uint8Array): void {
    this.#unreported.push(message);
    this.#sendUnreported();
  }

  /** Sends waiting messages in order; `false` if some still wait. */
  #sendUnreported(): boolean {
    while (this.#unreported.length > 0) {
      if (!this.#send(new SharedMessage(this.#unreported[0]!, 0))) return false;
      this.#unreported.shift();
    }
    return true;
  }

  /**
   * Notifies the receiver, once, that it has caught up.
   *
   * @param seq Sequence number up to which it has got everything.
   */
  notifyCurrent(seq: number): void {
    if (this.#currentReported || this.#departed) return;
    this.#currentReported = true;
    this.notify(encodeInboxMessage({ type: "current", seq }));
  }

  /**
   * Sends a notification.
   *
   * @param item The notification.
   * @param message Its encoded form.
   * @returns `false`: it was not sent, and another connection should get it.
   */
  deliver(item: InboxItem, message: SharedMessage): boolean {
    if (!this.#sendUnreported() || !this.#send(message)) return false;
    if (!this.#unacked.has(item.entry.seq)) this.#unackedBytes += item.entry.bytes.length;
    this.#unacked.set(item.entry.seq, item);
    return true;
  }

  #send(message: SharedMessage): boolean {
    let result: SendResult;
    try {
      result = this.#sink.send(message);
    } catch (error) {
      // The connection is closing, or its buffer can never hold the notification.
      this.#blocked = true;
      if (error instanceof OptionError) this.close(1009, "A notification is larger than maxBufferedAmount");
      return false;
    }
    if (result === "dropped") this.#tryLater();
    else if (result === "backpressure") this.#waitForRoom();
    return result !== "dropped";
  }

  /**
   * Tries again later: the program is sending a message in fragments, or has filled the buffer, and no event reports
   * the end of either.
   */
  #tryLater(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.#cancelRetry = this.#sink.later(() => this.#unblock());
  }

  #unblock(): void {
    this.#blocked = false;
    this.#sendUnreported();
    this.#group.pump();
  }

  #waitForRoom(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.#sink.drained().then(() => this.#unblock()).catch(() => {
      // The connection is lost: leave() follows.
    });
  }

  /**
   * Takes acknowledgements; those of notifications that it never got are ignored.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void {
    const removed = seqs.filter((seq) => {
      const item = this.#unacked.get(seq);
      if (item === undefined) return false;
      this.#unackedBytes -= item.entry.bytes.length;
      return this.#unacked.delete(seq);
    });
    if (removed.length > 0) this.#group.acknowledged(removed);
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

  /** Leaves the group: the connection has ended. */
  leave(): void {
    if (this.#departed) return;
    this.#departed = true;
    this.#cancelRetry();
    this.#group.leave(this, [...this.#unacked.values()]);
  }
}
