/**
 * The receiver's side of `whatsapp-inbox.v1` on one connection: takes the server's messages, and acknowledges what is done.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { checkServerMessage, decodeInboxMessage, encodeInboxMessage, type HelloMessage, type NotificationMessage } from "./protocol.ts";

/** What a session asks and tells its receiver. */
export interface InboxSessionOwner {
  /** Sends a message; what it throws is ignored: the connection has ended then. */
  send(message: Uint8Array): void;
  /** A notification came; `done` is called when it is handled. */
  notification(head: NotificationMessage, body: Uint8Array): void;
  /** Some notifications cannot be delivered any more. */
  gap(after: number, until: number): void;
  /** Everything that the server had has come. */
  current(seq: number): void;
}

/** How far a receiver has come in the journal of a server. */
export interface InboxPosition {
  /** The journal, by its id. */
  readonly journal: string;
  /** Everything up to this sequence number is done. */
  readonly after: number;
}

/** What the subprotocol says where the hello says nothing. */
const DEFAULT_WINDOW = 256;
/** At most so many bytes come unacknowledged, and one notification more. */
const MAX_OPEN_BYTES = 8 * 1024 * 1024;
/** As many numbers stand in one acknowledgement at most. */
const MAX_ACKS = 2048;

/** One connection of a receiver. */
export class InboxSession {
  #owner: InboxSessionOwner;
  #journal: string | undefined;
  #window: number;
  /** The last notification that came, or where they begin. */
  #last = 0;
  /** What came and is not done, in the order of arrival, with its size. */
  #open = new Map<number, number>();
  #openBytes = 0;
  #acks: number[] = [];

  /**
   * Begins with the hello.
   *
   * @param owner The receiver.
   * @param hello What it wants.
   */
  constructor(owner: InboxSessionOwner, hello: Omit<HelloMessage, "type">) {
    this.#owner = owner;
    this.#window = hello.window ?? DEFAULT_WINDOW;
    owner.send(encodeInboxMessage({ type: "hello", ...hello }));
  }

  /** How far the receiver has come; `undefined`: the server has not said hello yet. */
  get position(): InboxPosition | undefined {
    if (this.#journal === undefined) return undefined;
    for (const first of this.#open.keys()) return { journal: this.#journal, after: first - 1 };
    return { journal: this.#journal, after: this.#last };
  }

  /**
   * Takes a message of the server.
   *
   * @param bytes The message.
   * @throws {OptionError} If it is not what the subprotocol says.
   */
  receive(bytes: Uint8Array): void {
    const message = decodeInboxMessage(bytes);
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

  /**
   * A notification is handled. What is handled in one turn is acknowledged in one message.
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
        this.#owner.send(encodeInboxMessage({ type: "ack", seqs: seqs.slice(at, at + MAX_ACKS) }));
      } catch {
        // The connection has ended: the server sends them again.
        return;
      }
    }
  }
}
