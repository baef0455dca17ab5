/**
 * Callers of `connect` that wait until the client is connected.
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
  leave(): void;
}

/** Callers that wait for the same connection. Each may leave by its own signal. */
export class ConnectWaiters {
  readonly #waiting = new Set<Waiter>();
  /** Promise of all callers that have no signal. */
  #shared: Promise<void> | undefined;
  readonly #watching: (() => void)[] = [];
  readonly #deserted: (reason: TransportError) => boolean;

  /**
   * Begins without callers.
   *
   * @param deserted Called when the last caller wants to leave, with the reason. Returns `true` if `reject` follows,
   * when what is done for it has ended.
   */
  constructor(deserted: (reason: TransportError) => boolean) {
    this.#deserted = deserted;
  }

  /** Number of callers that wait; those without a signal count as one. */
  get count(): number {
    return this.#waiting.size;
  }

  /**
   * Adds a caller.
   *
   * @param signal Ends its wait, and no other caller's.
   * @returns Settles with the connection, or when its signal is aborted. A program that aborts itself need not handle
   * the rejection.
   */
  add(signal: AbortSignal | undefined): Promise<void> {
    if (signal === undefined) return this.#shared ??= this.#wait(undefined);
    return signal.aborted ? rejected(abortedBy(signal)) : this.#wait(signal);
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = makePromise();
    const onAbort = (): void => this.#leave(waiter, abortedBy(signal!));
    const waiter: Waiter = {
      resolve,
      reject(error) {
        if (isAbort(error)) promise.catch(() => {});
        reject(error);
      },
      leave: () => signal?.removeEventListener("abort", onAbort),
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(waiter);
    return promise;
  }

  #leave(waiter: Waiter, reason: TransportError): void {
    if (this.#waiting.size === 1 && this.#deserted(reason)) return;
    this.#waiting.delete(waiter);
    waiter.reject(reason);
  }

  /**
   * Waits like a caller, but for the outcome only: the client does not connect for its sake.
   *
   * @returns Resolves with the connection, or when there will be none.
   */
  watch(): Promise<void> {
    return new Promise((resolve) => this.#watching.push(resolve));
  }

  /** Resolves the promises of all callers: the client is connected. */
  resolve(): void {
    for (const { resolve } of this.#takeAll()) resolve();
  }

  /**
   * Rejects the promises of all callers.
   *
   * @param error The reason.
   */
  reject(error: unknown): void {
    for (const { reject } of this.#takeAll()) reject(error);
  }

  #takeAll(): Waiter[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    this.#shared = undefined;
    for (const { leave } of all) leave();
    for (const end of this.#watching.splice(0)) end();
    return all;
  }
}

/** `Promise.withResolvers`, which older browsers lack. */
function makePromise(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((...settle) => [resolve, reject] = settle);
  return { promise, resolve, reject };
}

/**
 * Makes the promise of a `connect` that is rejected at once.
 *
 * @param error The reason; if the program has aborted itself, nothing happens when it does not handle the rejection.
 * @returns The promise.
 */
export function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  if (isAbort(error)) promise.catch(() => {});
  return promise;
}

/**
 * Makes the error of a caller whose signal was aborted.
 *
 * @param signal The signal.
 * @returns The error.
 */
export function abortedBy({ reason }: AbortSignal): TransportError {
  if (isAbort(reason)) return reason;
  return new TransportError("ERR_ABORTED", "Connecting was aborted by its signal", { cause: reason });
}

function isAbort(error: unknown): error is TransportError {
  return isError(error, TransportError) && error.code === "ERR_ABORTED";
}
