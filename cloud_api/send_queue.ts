/**
 * Messages that wait until Meta's limits of sending allow them: for each recipient, and for the number as a whole.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { WhatsAppApiError } from "./api_error.ts";

/** Time for which one message to a recipient counts, and length of a burst, in ms. */
export const PAIR_INTERVAL: number = 6_000;
/** Maximum of messages to one recipient in a burst. */
const PAIR_BURST = 45;
const SECOND = 1_000;
/** Parts of a second over which the messages of the number are spread. */
const PARTS = 10;

/** One recipient of {@linkcode SendQueueState}. */
export interface QueuedRecipient {
  /** The phone number, the user id, or the group. */
  recipient: string;
  /** Number of messages that wait. */
  waiting: number;
  /** Time until the first of them may be sent, in ms; 0 if only the limit of the number holds it back. */
  delay: number;
}

/** Messages that wait for a limit of sending, and those that are being sent. */
export interface SendQueueState {
  /** Number of messages that wait. */
  waiting: number;
  /** Number of messages that were handed to the API, and have no answer yet. */
  sending: number;
  /** Recipients whose messages wait. */
  recipients: QueuedRecipient[];
}

/** Settings of a queue: those of `WhatsAppApiOptions`. */
export interface SendQueueSettings {
  /** Wait for the limit of each recipient. */
  readonly pairLimit: boolean;
  /** Maximum of messages in a second; 0: no limit. */
  readonly messagesPerSecond: number;
  /** Maximum of messages that wait. */
  readonly maxQueuedMessages: number;
  /** Time. */
  readonly clock: Clock;
}

/** Place of a message that may be sent. */
export interface SendPlace {
  /**
   * Holds back the messages to the same recipient.
   *
   * @param delay How long, in ms.
   */
  block(delay: number): void;
  /** Ends the sending. */
  leave(): void;
}

/** A message that waits: lets it go. */
type Waiter = () => void;

/**
 * Items in order, from the first of which one after the other is taken. One iterator serves for all of them: each new
 * one would pass the places of all items that were taken before.
 */
class Line<Item> {
  readonly #items = new Set<Item>();
  #iterator: Iterator<Item> | undefined;

  get size(): number {
    return this.#items.size;
  }

  /** Adds an item at the end, if it is none of the line. */
  add(item: Item): void {
    this.#items.add(item);
  }

  delete(item: Item): void {
    this.#items.delete(item);
  }

  /** Takes the first item. */
  shift(): Item | undefined {
    if (this.#items.size === 0) return undefined;
    let next = this.#iterator?.next();
    if (next === undefined || next.done) {
      this.#iterator = this.#items.values();
      next = this.#iterator.next();
    }
    this.#items.delete(next.value!);
    return next.value;
  }
}

/**
 * Messages to one recipient. Meta lets one pass in 6 s, or up to 45 at once; these borrow from the time after them
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/overview#pair-rate-limits).
 */
class Lane {
  /** Messages that wait, in order. */
  readonly waiters = new Line<Waiter>();
  /** Messages that were handed to the API: it may still refuse the recipient. */
  sending = 0;
  #start = -Infinity;
  #sent = 0;
  #blockedUntil = -Infinity;
  /** Maximum of messages in a burst at present. */
  #burst = PAIR_BURST;
  cancelTimer: (() => void) | undefined;

  constructor(readonly recipient: string) {}

  /** Time from which on nothing of the past counts. */
  get clearAt(): number {
    return Math.max(this.#start + this.#sent * PAIR_INTERVAL, this.#blockedUntil);
  }

  /** Time at which the next message may pass. */
  nextAt(now: number): number {
    const inBurst = now < this.#start + PAIR_INTERVAL && this.#sent < this.#burst;
    return inBurst ? this.#blockedUntil : this.clearAt;
  }

  /** Lets one message pass. */
  pass(now: number): void {
    if (now >= this.clearAt) {
      this.#start = now;
      this.#sent = 0;
      if (now - this.#blockedUntil >= PAIR_BURST * PAIR_INTERVAL) this.#burst = PAIR_BURST;
    }
    this.#sent++;
  }

  /**
   * Holds messages back: the API has refused one. As it counts more than this lane does, they then pass one by one,
   * until a burst would be paid for: all at once they would be refused too, each several times.
   */
  block(until: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, until);
    this.#burst = 1;
  }

  /** Takes back a message that was refused. */
  uncount(): void {
    this.#sent = Math.max(0, this.#sent - 1);
  }
}

/** Queue of the messages of one business phone number. Without limits nothing waits. */
export class SendQueue {
  readonly #settings: SendQueueSettings;
  /** Recipients that had a message lately. */
  readonly #lanes = new Map<string, Lane>();
  /** Recipient that is looked at next, to forget it. */
  #hand: Iterator<Lane> = this.#lanes.values();
  /** Recipients with messages that only the limit of the number holds back: each has one message in its turn. */
  readonly #ready = new Line<Lane>();
  /** Times of the last messages, as many as a second may have; the oldest one is at the offset. */
  readonly #times: number[] = [];
  #offset = 0;
  #waiting = 0;
  #sending = 0;
  #cancelTimer: (() => void) | undefined;

  /**
   * Begins empty.
   *
   * @param settings The limits.
   */
  constructor(settings: SendQueueSettings) {
    this.#settings = settings;
  }

  /** Number of recipients that are remembered. */
  get size(): number {
    return this.#lanes.size;
  }

  /** Messages that wait and that are being sent. */
  get state(): SendQueueState {
    const now = this.#settings.clock.now();
    const recipients = [...this.#lanes.values()]
      .filter((lane) => lane.waiters.size > 0)
      .map((lane): QueuedRecipient => ({
        recipient: lane.recipient,
        waiting: lane.waiters.size,
        delay: Math.max(0, this.#nextAt(lane, now) - now),
      }));
    return { waiting: this.#waiting, sending: this.#sending, recipients };
  }

  /**
   * Waits until a message may be sent.
   *
   * @param recipient Key of its recipient.
   * @param signal Ends the waiting.
   * @returns Its place, to be left when the API has answered.
   * @throws {WhatsAppApiError} If too many messages wait.
   */
  async enter(recipient: string, signal?: AbortSignal | undefined): Promise<SendPlace> {
    signal?.throwIfAborted();
    const lane = this.#laneOf(recipient);
    if (!this.#mayPass(lane)) await this.#wait(lane, signal);
    this.#sending++;
    lane.sending++;
    let isCounted = true;
    return {
      block: (delay) => {
        lane.block(this.#settings.clock.now() + delay);
        if (isCounted) lane.uncount();
        isCounted = false;
      },
      leave: () => {
        this.#sending--;
        lane.sending--;
      },
    };
  }

  #laneOf(recipient: string): Lane {
    const known = this.#lanes.get(recipient);
    if (known !== undefined) return known;
    this.#forgetOldest();
    const lane = new Lane(recipient);
    if (this.#settings.pairLimit || this.#settings.messagesPerSecond > 0) this.#lanes.set(recipient, lane);
    return lane;
  }

  /** Looks at two lanes for each new one, one after the other, so that those without use do not add up. */
  #forgetOldest(): void {
    const { pairLimit, clock } = this.#settings;
    const now = clock.now();
    for (let looked = 0; looked < 2; looked++) {
      const { done, value: lane } = this.#hand.next();
      if (done) return void (this.#hand = this.#lanes.values());
      const isNeeded = lane.waiters.size + lane.sending > 0 || (pairLimit && lane.clearAt > now);
      if (!isNeeded) this.#lanes.delete(lane.recipient);
    }
  }

  /** Time at which the next message to a recipient may be sent, as far as the limit of the recipient is concerned. */
  #nextAt(lane: Lane, now: number): number {
    return this.#settings.pairLimit ? lane.nextAt(now) : now;
  }

  /** Takes a turn at once, if no other message waits for it. */
  #mayPass(lane: Lane): boolean {
    const now = this.#settings.clock.now();
    if (lane.waiters.size > 0 || this.#nextAt(lane, now) > now) return false;
    if (this.#ready.size > 0 || this.#numberFreeAt() > now) return false;
    this.#count(lane, now);
    return true;
  }

  async #wait(lane: Lane, signal: AbortSignal | undefined): Promise<void> {
    const { maxQueuedMessages } = this.#settings;
    if (this.#waiting >= maxQueuedMessages) {
      const message = `${maxQueuedMessages} messages wait already: the limit is "maxQueuedMessages"`;
      throw new WhatsAppApiError("ERR_API_QUEUE", message, 0);
    }
    this.#waiting++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = () => resolve();
    const abort = (): void => {
      this.#takeBack(lane, waiter);
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    lane.waiters.add(waiter);
    this.#schedule(lane);
    this.#drain();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#waiting--;
    }
  }

  /** Removes a message, and the timers that nothing waits for any more: they would keep the process running. */
  #takeBack(lane: Lane, waiter: Waiter): void {
    lane.waiters.delete(waiter);
    if (lane.waiters.size > 0) return;
    lane.cancelTimer?.();
    lane.cancelTimer = undefined;
    this.#ready.delete(lane);
    if (this.#ready.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Puts a recipient behind the others whose turn comes, or sets its timer. */
  #schedule(lane: Lane): void {
    if (lane.waiters.size === 0) return;
    const { clock } = this.#settings;
    const now = clock.now();
    const next = this.#nextAt(lane, now);
    if (next <= now) return void this.#ready.add(lane);
    lane.cancelTimer ??= clock.after(next - now, () => {
      lane.cancelTimer = undefined;
      this.#schedule(lane);
      this.#drain();
    });
  }

  /** Sends what the limit of the number allows, one of each recipient in turn, and sets the timer for the rest. */
  #drain(): void {
    const { clock } = this.#settings;
    const now = clock.now();
    while (this.#ready.size > 0) {
      const next = this.#numberFreeAt();
      if (next > now) {
        this.#cancelTimer ??= clock.after(next - now, () => {
          this.#cancelTimer = undefined;
          this.#drain();
        });
        return;
      }
      const lane = this.#ready.shift()!;
      // The API may have refused the recipient meanwhile.
      if (this.#nextAt(lane, now) <= now) this.#letGo(lane, now);
      // With more messages it is put behind the others.
      this.#schedule(lane);
    }
  }

  #letGo(lane: Lane, now: number): void {
    this.#count(lane, now);
    lane.waiters.shift()?.();
  }

  /**
   * Time at which the number may send another message: a second after the one that came a second's worth before. They
   * are spread over the second as well: two bursts, the first one delayed on the network, would come to Meta as one.
   */
  #numberFreeAt(): number {
    const { messagesPerSecond } = this.#settings;
    if (messagesPerSecond === 0) return -Infinity;
    const part = Math.max(1, Math.floor(messagesPerSecond / PARTS));
    const ofPart = this.#timeBefore(part) + Math.ceil((part * SECOND) / messagesPerSecond);
    return Math.max(ofPart, this.#timeBefore(messagesPerSecond) + SECOND);
  }

  /** Time of the message that left so many messages ago. */
  #timeBefore(count: number): number {
    const { messagesPerSecond } = this.#settings;
    return this.#times[(this.#offset - count + messagesPerSecond) % messagesPerSecond] ?? -Infinity;
  }

  /** Counts a message for both limits. */
  #count(lane: Lane, now: number): void {
    const { messagesPerSecond, pairLimit } = this.#settings;
    if (pairLimit) lane.pass(now);
    if (messagesPerSecond === 0) return;
    this.#times[this.#offset] = now;
    this.#offset = (this.#offset + 1) % messagesPerSecond;
  }
}
