/**
 * One timer of the runtime for any number of deadlines. Connections have many (idle, pong, closing), most of which are
 * cancelled or moved, with few different delays. So each delay has a queue, and only the earliest deadline is armed.
 *
 * Resolution is coarse: a deadline within {@linkcode RESOLUTION} ms after a round waits for the next round. None is
 * early.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

/** The least time between two rounds, in ms. */
export const RESOLUTION = 10;

interface Deadline {
  at: number;
  /** Unset when the deadline is cancelled. */
  callback: (() => void) | undefined;
}

const timers = new WeakMap<Clock, SharedTimer>();

/**
 * A clock whose timers all share one of another clock.
 *
 * @param clock The other clock.
 * @returns One and the same for the same clock.
 */
export function sharedTimer(clock: Clock): Clock {
  if (clock instanceof SharedTimer) return clock;
  let timer = timers.get(clock);
  if (timer === undefined) timers.set(clock, timer = new SharedTimer(clock));
  return timer;
}

class SharedTimer implements Clock {
  #clock: Clock;
  /** Deadlines by delay; those of one delay are in order, since each was set for the same time later. */
  #lines = new Map<number, Set<Deadline>>();
  #cancel: (() => void) | undefined;
  /** Time for which the timer is armed, in ms of the clock. */
  #armed = Infinity;
  #lastRound = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  after(delay: number, callback: () => void): () => void {
    const deadline: Deadline = { at: this.#clock.now() + delay, callback };
    let line = this.#lines.get(delay);
    if (line === undefined) this.#lines.set(delay, line = new Set());
    line.add(deadline);
    if (deadline.at < this.#armed) this.#arm(deadline.at);
    return () => this.#remove(delay, deadline);
  }

  #remove(delay: number, deadline: Deadline): void {
    // The deadline may be due already, behind others of the same round.
    deadline.callback = undefined;
    const line = this.#lines.get(delay);
    if (line === undefined || !line.delete(deadline)) return;
    if (line.size === 0) this.#lines.delete(delay);
    // A timer for nothing would keep the program alive.
    if (this.#lines.size === 0) this.#disarm();
  }

  #arm(at: number): void {
    const now = this.#clock.now();
    this.#cancel?.();
    this.#armed = at;
    const delay = Math.max(0, Math.max(at, this.#lastRound + RESOLUTION) - now);
    this.#cancel = this.#clock.after(delay, () => this.#round());
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armed = Infinity;
  }

  #round(): void {
    const now = this.#clock.now();
    this.#cancel = undefined;
    this.#armed = Infinity;
    this.#lastRound = now;
    const due: Deadline[] = [];
    let done = 0;
    for (const [delay, line] of this.#lines) this.#takeDue(delay, line, now, due);
    try {
      while (done < due.length) due[done++]!.callback?.();
    } finally {
      // A throwing callback must not stop the others.
      for (const { callback } of due.slice(done)) if (callback !== undefined) this.after(0, callback);
      this.#armNext();
    }
  }

  #takeDue(delay: number, line: Set<Deadline>, now: number, due: Deadline[]): void {
    for (const deadline of line) {
      // Timers may be early by a fraction of a millisecond.
      if (deadline.at > now + 1) break;
      line.delete(deadline);
      due.push(deadline);
    }
    if (line.size === 0) this.#lines.delete(delay);
  }

  #armNext(): void {
    let earliest = Infinity;
    for (const line of this.#lines.values()) {
      for (const { at } of line) {
        earliest = Math.min(earliest, at);
        break;
      }
    }
    if (earliest < this.#armed) this.#arm(earliest);
  }
}
