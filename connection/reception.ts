/**
 * Where a message goes that came: to the handlers, into the inbox for whoever iterates, or both.
 *
 * | use       | entered when                               | handlers get it | inbox keeps it |
 * |-----------|--------------------------------------------|-----------------|----------------|
 * | `unused`  | at first                                   | yes             | no             |
 * | `holding` | nobody listens yet                         | later           | yes            |
 * | `taken`   | the program took `readable` or the iterator| yes             | yes            |
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import { Inbox } from "./message_queue.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";

/** What a {@linkcode Reception} asks and tells its connection. */
export interface ReceptionOwner {
  /** Hands a message to the handlers. */
  deliver(data: MessageData, frame?: FrameInfo): void;
  /** Whether nobody is obliged any more to take what a full inbox has no room for. */
  mayLeaveOut(): boolean;
  /** The inbox is full: nothing more should be delivered. */
  full(): void;
  /** It has room again. */
  room(): void;
  /** The reader of the stream gave up. */
  cancelled(): void;
}

/** Distributes the messages of one connection. */
export class Reception {
  #owner: ReceptionOwner;
  #use: "unused" | "holding" | "taken" = "unused";
  #inbox: Inbox | undefined;
  #ended: { error: unknown } | undefined;
  /** Whether a message was left out: then all later ones are, so that what is read has no holes. */
  #leavesOut = false;

  /**
   * Makes one that hands everything to the handlers.
   *
   * @param owner The connection.
   */
  constructor(owner: ReceptionOwner) {
    this.#owner = owner;
  }

  /** Whether enough messages wait. */
  get full(): boolean {
    return this.#inbox?.full ?? false;
  }

  /** From now on messages wait, unless the program has said how it wants them. */
  hold(): void {
    if (this.#use === "unused") this.#useInbox("holding");
  }

  /**
   * The inbox, for a stream or an iterator; from now on all messages go there too.
   *
   * @returns The inbox.
   */
  take(): Inbox {
    return this.#useInbox("taken");
  }

  #useInbox(use: "holding" | "taken"): Inbox {
    this.#use = use;
    if (this.#inbox === undefined) {
      this.#inbox = new Inbox(() => this.#owner.room(), () => this.#owner.cancelled());
      if (this.#ended !== undefined) this.#inbox.end(this.#ended.error);
    }
    return this.#inbox;
  }

  /**
   * The messages that were held, if any were; later ones go to the handlers.
   *
   * @returns The inbox that holds them, or `undefined`.
   */
  release(): Inbox | undefined {
    if (this.#use !== "holding") return undefined;
    const held = this.#inbox;
    this.#use = "unused";
    this.#inbox = undefined;
    return held;
  }

  /** No later message is of interest. */
  leaveOut(): void {
    this.#leavesOut = true;
  }

  /**
   * Takes a message.
   *
   * @param data The message.
   * @param frame Given with `frameByFrame` only.
   */
  receive(data: MessageData, frame?: FrameInfo): void {
    if (this.#leavesOut) return;
    if (this.#use !== "holding") this.#owner.deliver(data, frame);
    if (this.#use === "unused") return;
    if (this.full && this.#owner.mayLeaveOut()) this.#leavesOut = true;
    if (this.#leavesOut) return;
    this.#inbox!.push(data);
    if (this.full) this.#owner.full();
  }

  /** No more messages will come: a close frame came. Readers get what waits. */
  end(): void {
    this.#end(undefined);
  }

  /**
   * The connection was lost: readers are told behind what waits, also those that come after it.
   *
   * @param cause What broke it.
   */
  lose(cause: unknown): void {
    this.#end(new TransportError("ERR_CONNECTION_LOST", "The connection was lost without a close frame", { cause }));
  }

  #end(error: unknown): void {
    this.#ended = { error };
    this.#inbox?.end(error);
  }
}
