/**
 * Limits how many promises of message handlers are pending on one connection: the setting `concurrency`.
 *
 * A handler without a promise takes no slot and costs nothing here. When all slots are taken, the owner stops
 * delivering, and goes on once one is free: in the same turn, so that handlers that settle at once cost no turn.
 *
 * @module
 */

import { StateError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";

/** Messages that may be handed over in microtasks before other connections get their turn. */
const BURST = 256;

/** Delivers messages to handlers. */
export interface SlotOwner {
  /** A slot is free again: goes on delivering. */
  proceed(): void;
  /**
   * Calls back in a later turn, after other connections.
   *
   * @param work The rest of the work.
   */
  deferWork(work: () => void): void;
}

/** The slots of one connection. */
export class HandlerSlots {
  readonly #owner: SlotOwner;
  #limit: number;
  /** `true` if no slot is free: asked for each message, and so kept. */
  full = false;
  #pending = 0;
  /** Promises since other connections had their turn. */
  #burst = 0;
  /** `true` while a call of `proceed` is due. */
  #scheduled = false;

  /**
   * Makes the slots, all free.
   *
   * @param owner Stops when all are taken.
   * @param concurrency Number of slots; 0: no limit.
   */
  constructor(owner: SlotOwner, concurrency: number) {
    this.#owner = owner;
    this.#limit = concurrency === 0 ? Infinity : concurrency;
  }

  /** Sets the number of slots, before one is taken; 0: no limit. */
  set limit(concurrency: number) {
    this.#limit = concurrency === 0 ? Infinity : concurrency;
  }

  /**
   * Takes a slot until a promise is settled.
   *
   * @param pending The promise.
   */
  take(pending: PromiseLike<unknown>): void {
    if (this.#limit === Infinity) return;
    this.full = ++this.#pending >= this.#limit;
    this.#burst++;
    pending.then(this.#settled, this.#settled);
  }

  /** Goes on delivering now, if a slot is free: what was deferred may never come. */
  resume(): void {
    if (!this.full) this.#proceed();
  }

  readonly #settled = (): void => {
    const wasFull = this.full;
    this.full = --this.#pending >= this.#limit;
    if (!wasFull || this.#scheduled) return;
    this.#scheduled = true;
    // In a microtask: promises that are settled at the same time free their slots first.
    if (this.#burst < BURST) return queueMicrotask(this.#proceed);
    this.#burst = 0;
    this.#owner.deferWork(this.#proceed);
  };

  readonly #proceed = (): void => {
    this.#scheduled = false;
    this.#owner.proceed();
  };
}

/**
 * Makes the error for a message that the program has no handler for.
 *
 * @param data The message.
 * @param handlers `false` if there is a handler for the other kind; `"none"`: there is none at all.
 * @returns The error.
 */
export function noHandlerFor(data: MessageData, handlers: false | "none"): StateError {
  const [kind, name] = typeof data === "string" ? ["text", "onMessageReceived"] : ["binary", "onBinaryDataReceived"];
  const loop = handlers === false ? "" : ', or begin a loop or receive() before the first await in "onOpen"';
  return new StateError(
    "ERR_NO_HANDLER",
    `A ${kind} message was dropped, and later ones will be: set "${name}" (a function that does nothing drops them)${loop}`,
  );
}
