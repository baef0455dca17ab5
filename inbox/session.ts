/**
 * The receiver's side of the inbox subprotocol on one connection: takes messages of the server, and acknowledges
 * notifications that were handled.
 *
 * @module
 */

import { OptionError, StateError } from "../base/errors.ts";
import type { SendResult } from "../connection/options.ts";
import {
  checkServerMessage,
  decodeInboxMessage,
  encodeInboxMessage,
  type HelloMessage,
  type InboxMessage,
  isData,
  type NotificationMessage,
} from "./protocol.ts";

/** Receiver of a session. */
export interface InboxSessionOwner {
  /** Version of the subprotocol. */
  readonly version: 1 | 2;
  /** Sends a message. Throws if the connection has ended, or the program has begun a message and not ended it. */
  send(message: Uint8Array): SendResult;
  /** Resolves when no bytes wait any more; rejects if the connection is lost before. */
  drained(): Promise<void>;
  /** Takes a notification, and calls `done` when it is handled. */
  notification(head: NotificationMessage, body: Uint8Array<ArrayBuffer>): void;
  /** Takes bytes of the server's program. */
  data(bytes: Uint8Array<ArrayBuffer>): void;
  /** Notes that some notifications cannot be delivered any more. */
  gap(after: number, until: number): void;
  /** Notes that everything has come that the server had. */
  current(seq: number): void;
}

/** Position of a receiver in the journal of a server. */
export interface InboxPosition {
  /** Id of the journal. */
  readonly journal: string;
  /** Sequence number up to which everything is handled. */
  readonly after: number;
}

/** Window of a hello without one. */
const DEFAULT_WINDOW = 256;
/** Maximum of bytes that come unacknowledged, and one notification more. */
const MAX_OPEN_BYTES = 8 * 1024 * 1024;
/** Maximum of sequence numbers in one acknowledgement. */
const MAX_ACKS = 2048;

/** One connection of a receiver. */
export class InboxSession {
  #owner: InboxSessionOwner;
  #journal: string | undefined;
  #window: number;
  /** Sequence number of the last notification, or the start. */
  #last = 0;
  /** Sizes of notifications that are not handled, by sequence number, in the order of arrival. */
  #open = new Map<number, number>();
  #openBytes = 0;
  #acks: number[] = [];

  /**
   * Begins with the hello.
   *
   * @param owner The receiver.
   * @param hello Its fields.
   */
  constructor(owner: InboxSessionOwner, hello: Omit<HelloMessage, "type">) {
    this.#owner = owner;
    this.#window = hello.window ?? DEFAULT_WINDOW;
    owner.send(encodeInboxMessage({ type: "hello", ...hello }));
  }

  /** Position of the receiver; `undefined` before the welcome. */
  get position(): InboxPosition | undefined {
    if (this.#journal === undefined) return undefined;
    for (const first of this.#open.keys()) return { journal: this.#journal, after: first - 1 };
    return { journal: this.#journal, after: this.#last };
  }

  /**
   * Takes a message of the server.
   *
   * @param bytes The message.
   * @throws {OptionError} If it breaks the subprotocol.
   */
  receive(bytes: Uint8Array<ArrayBuffer>): void {
    const message = this.#decode(bytes);
    if (message === undefined) return this.#owner.data(bytes.slice());
    // A copy, as each binary message is: programs look at its whole buffer.
    if (this.#owner.version > 1 && isData(message)) return this.#owner.data(message.body.slice());
    const head = checkServerMessage(message);
    if (head === undefined) return;
    if (head.type === "welcome") {
      if (this.#journal !== undefined) throw new OptionError("A second welcome came");
      this.#journal = head.journal;
      this.#window = Math.min(this.#window, head.window);
      this.#last = head.after;
      return;
    }
    if (this.#journal === undefined) throw new OptionError(`"${head.type}" came before "welcome"`);
    if (head.type === "gap") return this.#owner.gap(head.after, head.until);
    if (head.type === "current") {
      this.#last = Math.max(this.#last, head.seq);
      return this.#owner.current(head.seq);
    }
    if (this.#open.size >= this.#window) {
      throw new OptionError(`More than ${this.#window} notifications came unacknowledged`);
    }
    if (this.#openBytes >= MAX_OPEN_BYTES) {
      throw new OptionError(`More than ${MAX_OPEN_BYTES} bytes came unacknowledged`);
    }
    if (this.#open.has(head.seq)) throw new OptionError(`${head.seq} came twice, and is not done yet`);
    this.#open.set(head.seq, message.body.length);
    this.#openBytes += message.body.length;
    this.#last = Math.max(this.#last, head.seq);
    this.#owner.notification(head, message.body);
  }

  /** Returns `undefined` for bytes of the program of an earlier server, which sends them as they are. */
  #decode(bytes: Uint8Array<ArrayBuffer>): InboxMessage<ArrayBuffer> | undefined {
    try {
      return decodeInboxMessage(bytes);
    } catch (error) {
      if (this.#owner.version > 1 || !(error instanceof OptionError)) throw error;
      return undefined;
    }
  }

  /**
   * Acknowledges a notification that was handled; one message for all of one turn of the event loop.
   *
   * @param seq Its sequence number.
   */
  done(seq: number): void {
    const size = this.#open.get(seq);
    if (size === undefined) return;
    this.#open.delete(seq);
    this.#openBytes -= size;
    if (this.#acks.push(seq) === 1) queueMicrotask(() => this.#acknowledge());
  }

  #acknowledge(): void {
    const seqs = this.#acks;
    this.#acks = [];
    for (let at = 0; at < seqs.length; at += MAX_ACKS) {
      try {
        const result = this.#owner.send(encodeInboxMessage({ type: "ack", seqs: seqs.slice(at, at + MAX_ACKS) }));
        if (result === "dropped") return this.#acknowledgeLater(seqs.slice(at));
      } catch (error) {
        // Else the connection has ended: the server sends them again.
        if (error instanceof StateError && error.code === "ERR_MESSAGE_IN_PROGRESS") this.#acks = seqs.slice(at);
        return;
      }
    }
  }

  /** Messages of the program have filled the buffer: acknowledgements must not get lost for that. */
  #acknowledgeLater(seqs: number[]): void {
    this.#acks = seqs;
    // An error is that of a lost connection.
    this.#owner.drained().then(() => this.resume(), () => {});
  }

  /** Sends the acknowledgements that waited for the end of a message that the program sends frame by frame. */
  resume(): void {
    if (this.#acks.length > 0) this.#acknowledge();
  }
}
