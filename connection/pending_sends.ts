/**
 * Messages that wait until a `Blob` before them is read, so that all leave in the order of the calls. A connection has
 * this part only while a `Blob` of it is being read.
 *
 * @module
 */

import type { SendResult } from "./options.ts";
import { StateError, TransportError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Opcode } from "../protocol/frame_header.ts";
import { byteLength, type Payload, readBlob } from "../protocol/payload.ts";
import type { SharedMessage } from "./shared_message.ts";

/** Sends the messages when their turn comes: the `Sender` of the connection. */
export interface PendingSender {
  /** `true` if messages can be sent. */
  readonly isOpen: boolean;
  /** `true` if a message sent by `sendFragment` is not finished. */
  readonly fragmented: boolean;
  /** Sends a message; `undefined`: it does not fit now. */
  sendMessage(data: Payload): SendResult | undefined;
  /** Sends a fragment; `undefined`: it does not fit now. */
  sendFragment(opcode: Opcode, data: Payload, final: boolean): SendResult | undefined;
  /** Sends a message of a broadcast; `undefined`: it does not fit now. */
  sendShared(message: SharedMessage): SendResult | undefined;
  /** Resolves when no bytes wait. */
  drained(): Promise<void>;
}

/** Ends the connection: its `Closing`. */
export interface PendingClosing {
  /** Clock and time limit. */
  readonly settings: { readonly clock: Clock; readonly closeTimeout: number };
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Ends the connection with an error. */
  fail(error: unknown): void;
  /** Ends the connection at once. */
  abort(error: TransportError): void;
  /** Reports an error that ends nothing. */
  report(error: unknown): void;
}

/** A message, a fragment of one, or a message of a broadcast that waits. */
export type PendingMessage =
  | { readonly data: Payload | Blob; readonly opcode?: undefined; readonly shared?: undefined }
  | { readonly data: Payload | Blob; readonly opcode: Opcode; readonly final: boolean; readonly shared?: undefined }
  | { readonly shared: Promise<SharedMessage | undefined>; readonly size: number; readonly text: boolean };

/** Sends what waits for a `Blob`, one after the other. */
export class PendingSends {
  readonly #sender: PendingSender;
  readonly #closing: PendingClosing;
  readonly #done: () => void;
  #messages: { message: PendingMessage; size: number }[] = [];
  #size = 0;
  #fragmented: boolean;
  #close: { code: number | undefined; reason: string } | undefined;
  #cancelTimer: (() => void) | undefined;
  readonly #finished = Promise.withResolvers<void>();
  #state: "waiting" | "finished" = "waiting";

  /**
   * Begins without messages.
   *
   * @param sender Sends.
   * @param closing Ends the connection.
   * @param done Called when nothing waits any more.
   */
  constructor(sender: PendingSender, closing: PendingClosing, done: () => void) {
    this.#sender = sender;
    this.#closing = closing;
    this.#done = done;
    this.#fragmented = sender.fragmented;
    this.#finished.promise.catch(() => {});
  }

  /** The connection has ended: drops the messages, also those whose `Blob` is never read. */
  lose(): void {
    this.#drop(true);
  }

  /** Bytes that wait. */
  get size(): number {
    return this.#size;
  }

  /** `true` if the last fragment that waits does not end its message. */
  get fragmented(): boolean {
    return this.#fragmented;
  }

  /** `true` if the program has closed the connection: the close frame follows the messages. */
  get closes(): boolean {
    return this.#close !== undefined;
  }

  /** Resolves when all messages were sent; rejects if they were dropped. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /**
   * Checks that messages can be added.
   *
   * @param action The action of the program, for the error.
   * @throws {StateError} If the program has closed the connection.
   */
  assertOpen(action: string): void {
    if (this.closes) throw new StateError("ERR_NOT_OPEN", `Cannot ${action}: the connection is closing`);
  }

  /**
   * Adds a message behind those that wait. Bytes are copied.
   *
   * @param message The message.
   */
  add(message: PendingMessage): void {
    const size = pendingSize(message);
    if (message.shared === undefined) {
      const { data } = message;
      if (message.opcode !== undefined) this.#fragmented = !message.final;
      this.#messages.push({ message: data instanceof Uint8Array ? { ...message, data: data.slice() } : message, size });
    } else this.#messages.push({ message, size });
    this.#size += size;
    if (this.#messages.length === 1) void this.#run();
  }

  /**
   * Closes the connection behind the messages. Further calls change nothing.
   *
   * @param code The close code.
   * @param reason The reason.
   */
  close(code: number | undefined, reason: string): void {
    if (this.#close !== undefined) return;
    this.#close = { code, reason };
    this.#startTimer();
  }

  /** Limits the time that each message may take once the program has closed. */
  #startTimer(): void {
    this.#cancelTimer?.();
    const { clock, closeTimeout } = this.#closing.settings;
    if (this.#close === undefined || closeTimeout === 0) return;
    this.#cancelTimer = clock.after(closeTimeout, () => {
      const message = `A Blob was not read and sent within ${closeTimeout} ms`;
      this.#closing.abort(new TransportError("ERR_CLOSE_TIMEOUT", message));
    });
  }

  async #run(): Promise<void> {
    try {
      for (let first = this.#messages[0]; first !== undefined; first = this.#messages[0]) {
        const send = await this.#prepare(first.message);
        while (this.#sender.isOpen && send() === undefined) await this.#sender.drained();
        if (!this.#sender.isOpen) return this.#drop(true);
        this.#messages.shift();
        this.#size -= first.size;
        this.#startTimer();
      }
      this.#finish();
    } catch (error) {
      this.#drop(false);
      this.#closing.fail(error);
    }
  }

  /** Reads a message; returns what sends it. */
  async #prepare(message: PendingMessage): Promise<() => SendResult | undefined> {
    const sender = this.#sender;
    if (message.shared !== undefined) {
      const shared = await message.shared;
      return () => shared === undefined ? "dropped" : sender.sendShared(shared);
    }
    const { data, opcode } = message;
    const ready = typeof data === "string" || data instanceof Uint8Array ? data : await readBlob(data, "send");
    if (opcode === undefined) return () => sender.sendMessage(ready);
    return () => sender.sendFragment(opcode, ready, message.final);
  }

  #finish(): void {
    this.#end();
    this.#finished.resolve();
    if (this.#close !== undefined) this.#closing.close(this.#close.code, this.#close.reason);
  }

  /** Drops the messages: the connection has ended, or one of them cannot be read. */
  #drop(report: boolean): void {
    if (this.#state === "finished") return;
    const count = this.#messages.length;
    this.#messages = [];
    this.#size = 0;
    this.#end();
    const message = `The connection ended before ${count} messages were sent that waited for a Blob`;
    const error = new TransportError("ERR_QUEUE_LOST", message);
    this.#finished.reject(error);
    if (report) this.#closing.report(error);
  }

  #end(): void {
    this.#state = "finished";
    this.#cancelTimer?.();
    this.#done();
  }
}

/**
 * Measures a message that waits.
 *
 * @param message The message.
 * @returns Its bytes.
 */
export function pendingSize(message: PendingMessage): number {
  return message.shared === undefined ? byteLength(message.data) : message.size;
}
