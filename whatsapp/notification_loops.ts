/**
 * Loops of a receiver over its notifications: each loop gets everything, at the pace of the program.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import type { WhatsAppRecord } from "../cloud_api/records.ts";
import type { InboxSession } from "../inbox/session.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { PendingNotification, WhatsAppNotification } from "./pending_notification.ts";

/** A notification for a loop, and the number of its records that were handed over. */
export interface LoopItem {
  /** The notification. */
  readonly pending: PendingNotification;
  /** Records that were handed over; `Infinity`: the notification as a whole was. */
  done: number;
  /** `true` if handlers got it too. */
  readonly handled: boolean;
}

/** Makes values of a notification; a loop that ends within one leaves the rest to the next loop. */
export type Step<Chosen> = (item: LoopItem) => Generator<Chosen, void>;

/** Receiver of {@linkcode NotificationLoops}. */
export interface LoopOwner {
  /** `true` if the program has set a handler. */
  readonly listens: boolean;
  /** Tells whether a handler takes a notification, or a message of the server's program. */
  listensTo(pending: PendingNotification): boolean;
  /** Returns `false` for a notification that loops must not get. */
  isForLoops(pending: PendingNotification): boolean;
  /** Makes a notification of a message that is not acknowledged; its records are remembered by `scope` apart. */
  makePending(raw: MessageData, scope: string): PendingNotification;
  /** Notes that a notification will not be handled: the server sends it again. */
  forget(pending: PendingNotification): void;
  /** Hands the notifications that wait to the handlers that take them: they had none when these came. */
  handOverWaiting(): void;
}

/** A loop over the notifications of one connection. */
interface Loop {
  session: InboxSession | undefined;
  queue: AsyncQueue<LoopItem>;
  /** `true`: it ends with the connection that another call of `connect` replaces. */
  leaves: boolean;
}

/** Loops of one receiver, and the notifications that wait for the first of them. */
export class NotificationLoops {
  #owner: LoopOwner;
  /** Loops that have begun; each gets everything. */
  #loops = new Set<Loop>();
  /** Notifications that wait for the first loop or handler, and those that the last loop left. */
  #waiting: LoopItem[] = [];
  /** Session of the last connection, if it speaks that of the inbox. */
  #session: InboxSession | undefined;
  /** Outcome of the last connection; loops that begin after its end get it. */
  #ended: { error: unknown } | undefined;

  /**
   * Begins without loops.
   *
   * @param owner The receiver.
   */
  constructor(owner: LoopOwner) {
    this.#owner = owner;
  }

  /** Number of notifications that wait for a loop or handler. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** `true` if a loop has begun. */
  get running(): boolean {
    return this.#loops.size > 0;
  }

  /**
   * Takes notifications that wait for a loop or handler.
   *
   * @param wanted Tells which; the others wait on.
   * @returns The notifications.
   */
  takeWaiting(wanted: (pending: PendingNotification) => boolean = () => true): LoopItem[] {
    const all = this.#waiting.splice(0);
    const taken = all.filter(({ pending }) => wanted(pending));
    if (taken.length < all.length) this.#waiting = all.filter((item) => !taken.includes(item));
    return taken;
  }

  /** Drops everything of the last connection, which the server sends again, and begins with a new connection. */
  reset(): void {
    this.#ended = undefined;
    const again = this.#session === undefined ? [] : this.takeWaiting();
    for (const { queue } of this.#loops) again.push(...queue.takeAll());
    for (const { pending } of again) this.#owner.forget(pending);
    this.#session = undefined;
  }

  /**
   * Goes on with a connection that speaks the inbox subprotocol.
   *
   * @param session Its session.
   */
  attach(session: InboxSession): void {
    this.#session = session;
    for (const loop of this.#loops) loop.session = session;
  }

  /**
   * Ends loops that have begun: the server speaks another subprotocol now.
   *
   * @param error Their error.
   */
  abandon(error: unknown): void {
    for (const { queue } of this.#loops) queue.end(error);
    this.#loops.clear();
  }

  /** Another call of `connect` replaces the connection, which has not ended: loops that begin now are for the next. */
  replace(): void {
    for (const loop of this.#loops) loop.leaves = true;
  }

  /**
   * Ends all loops with the last connection.
   *
   * @param error Their error; `undefined`: they end without one.
   * @param last `false`: the connection was replaced, and loops that have begun since go on.
   */
  end(error: unknown, last = true): void {
    if (last) this.#ended = { error };
    for (const loop of this.#loops) {
      if (!last && !loop.leaves) continue;
      // A later connection brings nothing for it.
      loop.queue.end(error);
      this.#loops.delete(loop);
    }
  }

  /**
   * Hands a notification to all loops; without loops and handlers it waits.
   *
   * @param pending The notification.
   */
  push(pending: PendingNotification): void {
    const listens = this.#owner.listensTo(pending);
    for (const { queue, session } of this.#loops) {
      if (session !== this.#session || !this.#owner.isForLoops(pending)) continue;
      pending.begin();
      queue.push({ pending, done: 0, handled: listens });
    }
    if (listens || this.#loops.size > 0) return;
    pending.begin();
    this.#waiting.push({ pending, done: 0, handled: false });
  }

  /**
   * Loops over notifications that are acknowledged one by one.
   *
   * @param step Makes values of each notification.
   * @returns The values.
   */
  async *run<Chosen>(step: Step<Chosen>): AsyncGenerator<Chosen, undefined> {
    const loop = this.#open();
    let current: LoopItem | undefined;
    try {
      for (;;) {
        const { done, value } = await loop.queue.next();
        if (done) return undefined;
        current = value;
        yield* step(current);
        current = undefined;
        value.pending.end(true);
      }
    } finally {
      this.#close(loop, current);
    }
  }

  #open(): Loop {
    const loop = { session: this.#session, queue: new AsyncQueue<LoopItem>(), leaves: false };
    for (const item of this.takeWaiting()) {
      if (this.#owner.isForLoops(item.pending)) loop.queue.push(item);
      else item.pending.end(true);
    }
    this.#loops.add(loop);
    if (this.#ended !== undefined) loop.queue.end(this.#ended.error);
    return loop;
  }

  #close(loop: Loop, current: LoopItem | undefined): void {
    this.#loops.delete(loop);
    const rest = [...current === undefined ? [] : [current], ...loop.queue.takeAll()];
    if (loop.session !== this.#session) {
      // The next connection has brought the notification again.
      for (const { pending } of rest) this.#owner.forget(pending);
      return;
    }
    for (const item of rest) {
      // Other loops get everything, including the rest of this loop; what handlers have got they do not get again.
      if (this.#loops.size > 0 || item.handled) item.pending.end(true);
      else this.#waiting.push(item);
    }
    if (this.#waiting.length > 0) this.#owner.handOverWaiting();
  }

  /**
   * Loops over messages that are not acknowledged. Records that handlers have got are new to loops: both get
   * everything.
   *
   * @param messages The messages of the connection.
   * @param step Makes values of each notification.
   * @returns The values.
   */
  async *runPlain<Chosen>(messages: AsyncIterable<MessageData>, step: Step<Chosen>): AsyncGenerator<Chosen, undefined> {
    const scope = this.#owner.listens ? "loop " : "";
    let current = this.#waiting.shift();
    try {
      for (; current !== undefined; current = this.#waiting.shift()) {
        yield* step(current);
        current.pending.end(true);
      }
      for await (const raw of messages) {
        current = { pending: this.#owner.makePending(raw, scope), done: 0, handled: false };
        current.pending.begin();
        yield* step(current);
        current.pending.end(true);
        current = undefined;
      }
      return undefined;
    } finally {
      if (current !== undefined) this.#waiting.unshift(current);
    }
  }
}

/**
 * Makes a step that hands over notifications as a whole, except those of which another loop had all records.
 *
 * @param choose Makes the value of a notification.
 * @returns The step.
 */
export function stepByNotification<Chosen>(choose: (notification: WhatsAppNotification) => Chosen): Step<Chosen> {
  return function* (item) {
    const { notification } = item.pending;
    if (item.done > 0 && item.done >= notification.records.length) return;
    item.done = Infinity;
    yield choose(notification);
  };
}

/**
 * Makes a step that hands over records one by one, after those that another loop had.
 *
 * @param choose Makes the value of a record; `undefined` skips it.
 * @returns The step.
 */
export function stepByRecord<Chosen>(choose: (record: WhatsAppRecord) => Chosen | undefined): Step<Chosen> {
  return function* (item) {
    const { records } = item.pending.notification;
    while (item.done < records.length) {
      const chosen = choose(records[item.done++]!);
      if (chosen !== undefined) yield chosen;
    }
  };
}

/**
 * Makes a stream of an iterator, which reads ahead nothing.
 *
 * @param iterator The values.
 * @param cancel Called when the stream is cancelled.
 * @returns The stream.
 */
export function streamOf<Value>(
  iterator: AsyncIterableIterator<Value, undefined>,
  cancel: () => void,
): ReadableStream<Value> {
  return new ReadableStream<Value>({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel,
  }, { highWaterMark: 0 });
}
