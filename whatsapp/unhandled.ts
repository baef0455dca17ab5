/**
 * Notifications and messages of the server's program for which a receiver has no handler: they wait, or are reported.
 *
 * @module
 */

import { StateError } from "../base/errors.ts";
import type { ClientHandlers } from "../client/settings.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { WhatsAppNotification } from "./pending_notification.ts";
import type { WhatsAppReceiverHandlers } from "./receiver_settings.ts";

/** Handlers that get parts of notifications and messages. */
export type PartHandlers =
  & Pick<ClientHandlers, "onMessageReceived" | "onBinaryDataReceived">
  & Pick<WhatsAppReceiverHandlers, "onWhatsAppMessageReceived" | "onStatusReceived" | "onNotification">;

/** Finds what no handler of a receiver gets. */
export class Unhandled {
  readonly #handlers: PartHandlers;
  /** `true` once a message of a customer was reported on this connection. */
  #told = false;

  /**
   * Takes the handlers of a receiver.
   *
   * @param handlers The handlers; they may be replaced at any time.
   */
  constructor(handlers: PartHandlers) {
    this.#handlers = handlers;
  }

  /** Begins with a new connection. */
  reset(): void {
    this.#told = false;
  }

  /** `true` if a handler of records is set. */
  get handlesRecords(): boolean {
    const { onWhatsAppMessageReceived, onStatusReceived, onNotification } = this.#handlers;
    return Boolean(onWhatsAppMessageReceived) || Boolean(onStatusReceived) || Boolean(onNotification);
  }

  /**
   * Tells whether the program takes notifications by handlers: a handler of bytes alone is for its own bytes, and
   * notifications that it acknowledged would be gone.
   *
   * @param raw The notification.
   * @returns `false`: it waits.
   */
  takes(raw: MessageData): boolean {
    return this.handlesRecords || Boolean(this.#handlers.onMessageReceived) || this.handlesRaw(raw);
  }

  /**
   * Tells whether a message has a handler of its kind.
   *
   * @param raw The text, or the bytes.
   * @returns `true` if it has.
   */
  handlesRaw(raw: MessageData): boolean {
    const { onMessageReceived, onBinaryDataReceived } = this.#handlers;
    return Boolean(typeof raw === "string" ? onMessageReceived : onBinaryDataReceived);
  }

  /**
   * Finds the first message of a customer on a connection that is acknowledged although no handler has got it. Records
   * of other kinds may be left out: each program gets statuses, and few need them.
   *
   * @param notification The notification, which no loop gets.
   * @param done Records that were handed over before.
   * @returns The error to report.
   */
  find({ raw, records }: WhatsAppNotification, done: number): StateError | undefined {
    if (this.#told || this.#handlers.onWhatsAppMessageReceived || this.handlesRaw(raw)) return undefined;
    if (!records.some(({ kind }, at) => at >= done && kind === "message")) return undefined;
    this.#told = true;
    return new StateError(
      "ERR_NO_HANDLER",
      "A message of a customer was acknowledged without a handler, and later ones will be: set " +
        '"onWhatsAppMessageReceived" before connecting; a function that does nothing drops them',
    );
  }
}
