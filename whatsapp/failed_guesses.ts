/**
 * Slows down the guessing of secrets: a wrong guess is answered late, and after a number of wrong guesses of one network its next ones
 * are refused for as long, without a look at their secret. Guesses count by network and not by connection: a guesser who leaves after
 * some moments without an answer takes them for "wrong", and comes again.
 *
 * @module
 */

import { networkOf } from "../server/admission.ts";
import type { Clock } from "../base/clock.ts";
import { isLoopback } from "../base/loopback.ts";

/** Maximum of wrong guesses of one network within the delay; beyond it its guesses are not looked at. */
const MAX_PER_NETWORK = 20;
/** The same for loopback, where a proxy stands for all of its clients. */
const MAX_PER_PROXY = 100;
/** Maximum of answers held back at the same time, since each holds a connection; further ones go at once. */
const MAX_HELD = 100;
/** Maximum of wrong guesses remembered; beyond it the oldest are forgotten, so that a flood does not keep all clients out. */
const MAX_REMEMBERED = 10_000;

/** A wrong guess. */
interface Failure {
  network: string;
  at: number;
}

/** Slows guessing down. */
export class FailedGuesses {
  #clock: Clock;
  #delay: number;
  /** In the order of time. */
  #failures = new Set<Failure>();
  #perNetwork = new Map<string, number>();
  /** Answers that are held back, each as what sends it. */
  #held = new Set<() => void>();

  /**
   * Makes one without failures.
   *
   * @param clock Time.
   * @param delay How long a wrong guess waits for its answer and is remembered, in ms; 0: neither.
   */
  constructor(clock: Clock, delay: number) {
    this.#clock = clock;
    this.#delay = delay;
  }

  /** How long a wrong guess counts, in ms. */
  get delay(): number {
    return this.#delay;
  }

  /**
   * Whether a guess is to be looked at.
   *
   * @param hostname Address of the guesser.
   * @returns `false` if its network has guessed wrong too often within the delay.
   */
  mayGuess(hostname: string): boolean {
    this.#forgetOld();
    const most = isLoopback(hostname) ? MAX_PER_PROXY : MAX_PER_NETWORK;
    return (this.#perNetwork.get(networkOf(hostname)) ?? 0) < most;
  }

  /**
   * Counts a wrong guess, and holds its answer back.
   *
   * @param hostname Address of the guesser.
   * @param answer The answer.
   * @returns The answer, after the delay; at once if many are held back already.
   */
  hold<Answer>(hostname: string, answer: Answer): Promise<Answer> {
    if (this.#delay === 0) return Promise.resolve(answer);
    this.#remember(networkOf(hostname));
    if (this.#held.size >= MAX_HELD) return Promise.resolve(answer);
    return new Promise((resolve) => {
      const send = (): void => {
        cancel();
        this.#held.delete(send);
        resolve(answer);
      };
      const cancel = this.#clock.after(this.#delay, send);
      this.#held.add(send);
    });
  }

  /** Sends all answers that are held back. */
  release(): void {
    for (const send of [...this.#held]) send();
  }

  #remember(network: string): void {
    this.#forgetOld();
    this.#failures.add({ network, at: this.#clock.now() });
    this.#perNetwork.set(network, (this.#perNetwork.get(network) ?? 0) + 1);
    if (this.#failures.size > MAX_REMEMBERED) this.#forget(this.#failures.values().next().value!);
  }

  #forgetOld(): void {
    const before = this.#clock.now() - this.#delay;
    for (const failure of this.#failures) {
      if (failure.at > before) return;
      this.#forget(failure);
    }
  }

  #forget(failure: Failure): void {
    this.#failures.delete(failure);
    const count = this.#perNetwork.get(failure.network)! - 1;
    if (count === 0) this.#perNetwork.delete(failure.network);
    else this.#perNetwork.set(failure.network, count);
  }
}
