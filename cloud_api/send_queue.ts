/**
 * Messages that wait until Meta's limits of sending allow them: for each recipient, and for the number as a whole.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { WhatsAppApiError } from "./api_error.ts";

/** Time for which one message to a recipient counts, and length of a burst, in ms. */
const PAIR_INTERVAL = 6_000;
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

/** A message that waits. */
interface Waiter {
  readonly lane: Lane;
  /** Lets it go. */
  readonly go: () => void;
}

/**
 * Messages to one recipient. Meta lets one pass in 6 s, or up to 45 at once; these borrow from the time after them
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/overview#pair-rate-limits).
 */
class Lane {
  /** Messages that wait, in order. */
  readonly waiters = new Set<Waiter>();
  /** Messages that this lane lets pass and the limit of the number holds back. */
  passed = 0;
  #start = -Infinity;
  #sent = 0;
  #blockedUntil = -Infinity;
  cancelTimer: (() => void) | undefined;

  constructor(readonly recipient: string) {}

  /** Time from which on nothing of the past counts. */
  get clearAt(): number {
    return Math.max(this.#start + this.#sent * PAIR_INTERVAL, this.#blockedUntil);
  }

  /** Time at which the next message may pass. */
  nextAt(now: number): number {
    const inBurst = now < this.#start + PAIR_INTERVAL && this.#sent < PAIR_BURST;
    return inBurst ? this.#blockedUntil : this.clearAt;
  }

  /** Lets one message pass. */
  pass(now: number): void {
    if (now >= this.clearAt) {
      this.#start = now;
      this.#sent = 0;
    }
    this.#sent++;
  }

  block(until: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, until);
  }
}

/** Queue of the messages of one business phone number. Without limits nothing waits. */
export class SendQueue {
  readonly #settings: SendQueueSettings;
  /** Recipients that had a message lately. */
  readonly #lanes = new Map<string, Lane>();
  /** Messages that only the limit of the number holds back, in order. */
  readonly #ready = new Set<Waiter>();
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
      .filter((lane) => lane.waiters.size + lane.passed > 0)
      .map((lane): QueuedRecipient => ({
        recipient: lane.recipient,
        waiting: lane.waiters.size + lane.passed,
        delay: lane.passed > 0 ? 0 : Math.max(0, lane.nextAt(now) - now),
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
    return {
      block: (delay) => lane.block(this.#settings.clock.now() + delay),
      leave: () => void this.#sending--,
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

  /** Looks at two old lanes for each new one, so that those without use do not add up. */
  #forgetOldest(): void {
    const now = this.#settings.clock.now();
    let looked = 0;
    for (const [recipient, lane] of this.#lanes) {
      if (looked++ === 2) return;
      this.#lanes.delete(recipient);
      const isNeeded = lane.waiters.size + lane.passed > 0 || lane.clearAt > now;
      if (isNeeded) this.#lanes.set(recipient, lane);
    }
  }

  /** Takes a turn at once, if no other message waits for it. */
  #mayPass(lane: Lane): boolean {
    const { clock, pairLimit } = this.#settings;
    const now = clock.now();
    if (pairLimit && (lane.waiters.size > 0 || lane.nextAt(now) > now)) return false;
    if (this.#ready.size > 0 || this.#numberFreeAt() > now) return false;
    lane.pass(now);
    this.#count(now);
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
    const waiter: Waiter = { lane, go: resolve };
    const abort = (): void => {
      lane.waiters.delete(waiter);
      if (this.#ready.delete(waiter)) lane.passed--;
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    lane.waiters.add(waiter);
    this.#advance(lane);
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#waiting--;
      if (this.#waiting === 0) this.#stopTimers();
    }
  }

  /** Nothing keeps the process running when nothing waits: a message may have been taken back. */
  #stopTimers(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const lane of this.#lanes.values()) {
      lane.cancelTimer?.();
      lane.cancelTimer = undefined;
    }
  }

  /** Lets messages of a lane pass, and sets its timer for the next one. */
  #advance(lane: Lane): void {
    const { clock, pairLimit } = this.#settings;
    const now = clock.now();
    for (const waiter of lane.waiters) {
      const next = pairLimit ? lane.nextAt(now) : now;
      if (next > now) {
        lane.cancelTimer ??= clock.after(next - now, () => {
          lane.cancelTimer = undefined;
          this.#advance(lane);
        });
        break;
      }
      lane.pass(now);
      lane.waiters.delete(waiter);
      lane.passed++;
      this.#ready.add(waiter);
    }
    this.#drain();
  }

  /** Sends what the limit of the number allows, and sets the timer for the rest. */
  #drain(): void {
    const { clock } = this.#settings;
    const now = clock.now();
    for (const waiter of this.#ready) {
      const next = this.#numberFreeAt();
      if (next > now) {
        this.#cancelTimer ??= clock.after(next - now, () => {
          this.#cancelTimer = undefined;
          this.#drain();
        });
        return;
      }
      this.#count(now);
      this.#ready.delete(waiter);
      waiter.lane.passed--;
      waiter.go();
    }
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

  #count(now: number): void {
    const { messagesPerSecond } = this.#settings;
    if (messagesPerSecond === 0) return;
    this.#times[this.#offset] = now;
    this.#offset = (this.#offset + 1) % messagesPerSecond;
  }
}
