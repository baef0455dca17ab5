/**
 * Slows down the guessing of secrets: a wrong guess is answered late, and after a number of wrong guesses from one
 * network its next ones are refused for as long, and their secrets are not compared. Guesses count by network and not
 * by connection: a guesser who closes a connection that stays unanswered for some moments takes the guess for wrong,
 * and connects again.
 *
 * @module
 */

import { networkOf } from "../server/admission.ts";
import type { Clock } from "../base/clock.ts";
import { isLoopback } from "../base/loopback.ts";

/** Maximum of wrong guesses of one network within the delay; further guesses are not compared. */
const MAX_PER_NETWORK = 20;
/** The same for a proxy that does not tell its clients apart, and for loopback, where one may be. */
const MAX_PER_PROXY = 100;
/** Maximum of answers delayed at the same time, since each keeps a connection; further ones go at once. */
const MAX_DELAYED = 100;
/**
 * Maximum of wrong guesses remembered; then the oldest are forgotten, so that a flood does not lock out all clients.
 */
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
  #isProxy: (hostname: string) => boolean;
  /** Wrong guesses, oldest first. */
  #failures = new Set<Failure>();
  #perNetwork = new Map<string, number>();
  /** Delayed answers, each as the function that sends it. */
  #delayed = new Set<() => void>();

  /**
   * Begins without failures.
   *
   * @param clock Time.
   * @param delay Time for which an answer is delayed, and a wrong guess remembered, in ms; 0: neither.
   * @param isProxy Tells whether an address is that of a proxy, besides those of loopback.
   */
  constructor(clock: Clock, delay: number, isProxy: (hostname: string) => boolean = () => false) {
    this.#clock = clock;
    this.#isProxy = isProxy;
    this.#delay = delay;
  }

  /** Time for which a wrong guess counts, in ms. */
  get delay(): number {
    return this.#delay;
  }

  /**
   * Decides if a guess may be compared.
   *
   * @param hostname Address of the guesser.
   * @returns `false` if its network has guessed wrong too often within the delay.
   */
  mayGuess(hostname: string): boolean {
    this.#forgetOld();
    // Behind a Unix socket is a proxy too.
    const isProxy = hostname === "" || isLoopback(hostname) || this.#isProxy(hostname);
    const most = isProxy ? MAX_PER_PROXY : MAX_PER_NETWORK;
    return (this.#perNetwork.get(networkOf(hostname)) ?? 0) < most;
  }

  /**
   * Counts a wrong guess, and delays its answer.
   *
   * @param hostname Address of the guesser.
   * @param answer The answer.
   * @returns The answer, after the delay; at once if many are delayed already.
   */
  delayAnswer<Answer>(hostname: string, answer: Answer): Promise<Answer> {
    if (this.#delay === 0) return Promise.resolve(answer);
    this.#remember(networkOf(hostname));
    if (this.#delayed.size >= MAX_DELAYED) return Promise.resolve(answer);
    return new Promise((resolve) => {
      const send = (): void => {
        cancel();
        this.#delayed.delete(send);
        resolve(answer);
      };
      const cancel = this.#clock.after(this.#delay, send);
      this.#delayed.add(send);
    });
  }

  /** Sends all delayed answers. */
  release(): void {
    for (const send of [...this.#delayed]) send();
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
