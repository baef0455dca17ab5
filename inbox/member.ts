/**
 * One connection of a receiver: what is sent to it, and what it has acknowledged.
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
   * Calls back once, some time later.
   *
   * @param callback What to call.
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

/** At most so many bytes wait for the acknowledgements of one connection, and one notification more. */
const MAX_UNACKED_BYTES = 8 * 1024 * 1024;

/** The group of receivers that a member belongs to, as the member sees it. */
export interface MemberGroup {
  /** Sends what can be sent: a member has room again. */
  pump(): void;
  /** Takes over what a member has acknowledged. */
  acknowledged(seqs: readonly number[]): void;
  /** Removes a member, and gives what it has not acknowledged to the others. */
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
  #left = false;
  #toldCurrent = false;
  /** What could not be sent, and needs no acknowledgement: a few short messages at most. */
  #untold: Uint8Array[] = [];
  #cancelRetry: () => void = () => {};

  /**
   * Makes one that has got nothing yet.
   *
   * @param sink Its connection.
   * @param window The most notifications that wait for acknowledgement.
   * @param group What it belongs to.
   */
  constructor(sink: InboxSink, window: number, group: MemberGroup) {
    this.#sink = sink;
    this.#window = window;
    this.#group = group;
  }

  /** Whether it can take one more. */
  get hasRoom(): boolean {
    return !this.#left && !this.#blocked && this.#sink.open && this.#unacked.size < this.#window &&
      this.#unackedBytes < MAX_UNACKED_BYTES;
  }

  /** How many more notifications may wait for acknowledgement. */
  get room(): number {
    return this.hasRoom ? this.#window - this.#unacked.size : 0;
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
    this.#untold.push(message);
    this.#tellWaiting();
  }

  /** What comes first is sent first. */
  #tellWaiting(): boolean {
    while (this.#untold.length > 0) {
      if (!this.#send(new SharedMessage(this.#untold[0], 0))) return false;
      this.#untold.shift();
    }
    return true;
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
  deliver(item: InboxItem, message: SharedMessage): boolean {
    if (!this.#tellWaiting() || !this.#send(message)) return false;
    if (!this.#unacked.has(item.entry.seq)) this.#unackedBytes += item.entry.bytes.length;
    this.#unacked.set(item.entry.seq, item);
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
    if (result === "dropped") this.#tryLater();
    else if (result === "backpressure") this.#waitForRoom();
    return result !== "dropped";
  }

  /** The program is in the middle of a message of its own, or has filled the buffer: neither says when it is over. */
  #tryLater(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.#cancelRetry = this.#sink.later(() => this.#unblock());
  }

  #unblock(): void {
    this.#blocked = false;
    this.#tellWaiting();
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
    this.#cancelRetry();
    this.#group.leave(this, [...this.#unacked.values()]);
  }
}
