/**
 * Limits of messages that have begun and not ended, for all connections together: the memory that they hold, and the
 * time until the next piece of one comes.
 *
 * Connections report a message after a read that ends inside it, so that messages that come whole cost nothing. One
 * timer serves all: it checks at intervals whether more has come.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { MessageOwner, MessageWatch } from "./options.ts";
import { MemoryBudget } from "../base/memory_budget.ts";

/** Limits of {@linkcode UnfinishedMessages}; 0 turns one off. */
export interface UnfinishedLimits {
  /** Largest memory of all unfinished messages, in bytes. */
  readonly maxTotalMessageSize: number;
  /** Longest time until the next piece, in ms. */
  readonly messageTimeout: number;
  /** Time. */
  readonly clock: Clock;
}

interface Watched {
  progress: number;
  /** Consecutive checks without a new piece. */
  quiet: number;
}

/** Number of checks in each `messageTimeout`, which is therefore exact to an eighth. */
const CHECKS = 8;

/** Watches the unfinished messages of a server, or of a client. */
export class UnfinishedMessages implements MessageWatch {
  #limits: () => UnfinishedLimits;
  #budget: MemoryBudget;
  #watched = new Map<MessageOwner, Watched>();
  #cancelTimer: (() => void) | undefined;

  /**
   * Begins without messages.
   *
   * @param limits Returns the limits.
   */
  constructor(limits: () => UnfinishedLimits) {
    this.#limits = limits;
    this.#budget = new MemoryBudget(() => limits().maxTotalMessageSize);
  }

  /** Bytes that unfinished messages hold. */
  get total(): number {
    return this.#budget.total;
  }

  /**
   * Notes that more of a message has come, and that it is not finished.
   *
   * @param owner The connection.
   * @param bytes Memory of the message, in bytes, at least 1.
   */
  update(owner: MessageOwner, bytes: number): void {
    this.#budget.update(owner, bytes);
    if (this.#limits().messageTimeout === 0 || this.#watched.has(owner)) return;
    this.#watched.set(owner, { progress: owner.progress(), quiet: 0 });
    if (this.#cancelTimer === undefined) this.#startTimer();
  }

  /**
   * Notes that the message is finished. The timer runs on, so that not each message starts one.
   *
   * @param owner The connection.
   */
  finish(owner: MessageOwner): void {
    this.#budget.release(owner);
    this.#watched.delete(owner);
  }

  /**
   * Forgets a connection that has ended, or takes no more messages.
   *
   * @param owner The connection.
   */
  forget(owner: MessageOwner): void {
    this.finish(owner);
    // A timer for nothing would keep the program alive.
    if (this.#watched.size === 0) this.#stopTimer();
  }

  #startTimer(): void {
    const { messageTimeout, clock } = this.#limits();
    if (messageTimeout > 0) this.#cancelTimer = clock.after(messageTimeout / CHECKS, this.#check);
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  readonly #check = (): void => {
    this.#cancelTimer = undefined;
    const stalled: MessageOwner[] = [];
    for (const [owner, watched] of this.#watched) {
      const progress = owner.progress();
      const moves = progress !== watched.progress || !owner.reads();
      watched.progress = progress;
      watched.quiet = moves ? 0 : watched.quiet + 1;
      if (watched.quiet >= CHECKS) stalled.push(owner);
    }
    if (this.#watched.size > 0) this.#startTimer();
    for (const owner of stalled) owner.stalled();
  };
}
