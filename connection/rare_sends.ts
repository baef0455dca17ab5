/**
 * Sends what `send` of a connection does not send at once: bytes in rare forms, single frames, and whatever must wait
 * for a `Blob`. Made on first use.
 *
 * @module
 */

import type { BinaryForm } from "./binary_form.ts";
import type { SendResult } from "./options.ts";
import { StateError } from "../base/errors.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { type PendingClosing, type PendingMessage, PendingSends, pendingSize } from "./pending_sends.ts";
import { encodeClosePayload, type Payload, toPayload } from "../protocol/payload.ts";
import type { Sender } from "./sender.ts";
import type { SharedMessage } from "./shared_message.ts";

/** Ends the connection, and tells of its end: its `Closing`. */
export interface RareClosing extends PendingClosing {
  /** Resolves at the end of the connection. */
  readonly closed: Promise<unknown>;
}

/** The rare sends of one connection. A result of `undefined` stands for a message beyond `maxBufferedAmount`. */
export class RareSends {
  readonly #sender: Sender;
  readonly #closing: RareClosing;
  /** Form of binary messages of the program, if the subprotocol has others too. */
  form: BinaryForm | undefined;
  /** While a `Blob` is read. */
  #pending: PendingSends | undefined;
  /** `true` from the first `Blob` on. */
  #watchesEnd = false;

  /**
   * Makes one with which nothing waits.
   *
   * @param sender Sends.
   * @param closing Ends the connection.
   */
  constructor(sender: Sender, closing: RareClosing) {
    this.#sender = sender;
    this.#closing = closing;
  }

  /** `true` if each message must come here: others wait for a `Blob`, or binary messages have a form of their own. */
  get intervenes(): boolean {
    return this.waits || this.form !== undefined;
  }

  /** `true` if messages wait for a `Blob`: others must wait behind them. */
  get waits(): boolean {
    return this.#pending !== undefined;
  }

  /** Bytes that wait. */
  get size(): number {
    return this.#pending?.size ?? 0;
  }

  /** `true` if the program has closed the connection, and the close frame waits too. */
  get closes(): boolean {
    return this.#pending?.closes === true;
  }

  get #fragmented(): boolean {
    return this.#pending?.fragmented ?? this.#sender.fragmented;
  }

  /**
   * Sends a message.
   *
   * @param data The message, of the program.
   * @returns The result.
   * @throws {OptionError} If it is of another type, or can never fit.
   * @throws {StateError} If the connection closes, or a fragmented message is not finished.
   */
  send(data: unknown): SendResult | undefined {
    const payload = toPayload(data, "send");
    this.#pending?.assertOpen("send");
    if (this.#fragmented) {
      throw new StateError("ERR_MESSAGE_IN_PROGRESS", "Cannot send: a fragmented message is not finished");
    }
    const message = this.form === undefined ? payload : this.form.wrap(payload);
    return this.waits || isBlob(message) ? this.#sendLater({ data: message }) : this.#sender.sendMessage(message);
  }

  /**
   * Sends one frame of a message.
   *
   * @param opcode Its opcode.
   * @param data Its payload, of the program.
   * @param final `true` if it ends the message.
   * @returns The result.
   * @throws {OptionError} If `data` is of another type, or can never fit.
   * @throws {StateError} If the connection closes, or the frame cannot follow those before.
   */
  sendFrame(opcode: Opcode, data: unknown, final: boolean): SendResult | undefined {
    const given = toPayload(data, "send a frame");
    this.#pending?.assertOpen("send a frame");
    this.#sender.assertFragment(opcode, this.#fragmented);
    const payload = opcode === Opcode.Binary ? this.#wrapStart(given) : given;
    if (this.waits || isBlob(payload)) {
      const later = this.#sendLater({ data: payload, opcode, final });
      if (final) this.#pending?.finished.then(() => this.form?.messageEnded(), () => {});
      return later;
    }
    const result = this.#sender.sendFragment(opcode, payload, final);
    if (final && result !== undefined) this.form?.messageEnded();
    return result;
  }

  /** Gives the first frame of a binary message its form. */
  #wrapStart(data: Payload | Blob): Payload | Blob {
    if (this.form === undefined) return data;
    return this.form.wrap(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /**
   * Sends a message of a broadcast.
   *
   * @param message The message.
   * @returns The result.
   * @throws {OptionError} If it can never fit.
   */
  sendShared(message: SharedMessage): SendResult | undefined {
    const formed = this.form === undefined ? message : this.form.wrapShared(message);
    if (this.#fragmented || formed === undefined) {
      if (formed === undefined) this.#sender.countDropped();
      return "dropped";
    }
    return this.waits
      ? this.#sendLater({ shared: Promise.resolve(formed), size: formed.size, text: !formed.binary })
      : this.#sender.sendShared(formed);
  }

  /**
   * Sends a message of a broadcast behind those that wait.
   *
   * @param shared The message, of a `Blob` that is being read; `undefined`: it cannot be read.
   * @param size Its bytes.
   * @returns The result.
   * @throws {OptionError} If it can never fit.
   */
  sendSharedLater(shared: Promise<SharedMessage | undefined>, size: number): SendResult | undefined {
    if (this.#fragmented) return "dropped";
    const { form } = this;
    if (form === undefined) return this.#sendLater({ shared, size, text: false });
    const formed = shared.then((message) => message && form.wrapShared(message));
    return this.#sendLater({ shared: formed, size: size + form.overhead, text: false });
  }

  #sendLater(message: PendingMessage): SendResult | undefined {
    const text = message.shared === undefined ? typeof message.data === "string" : message.text;
    if (!this.#sender.hasRoomBehind(this.size, pendingSize(message), text)) return undefined;
    this.#watchEnd();
    this.#pending ??= new PendingSends(this.#sender, this.#closing, () => this.#pending = undefined);
    this.#pending.add(message);
    return this.#sender.bufferedAmount + this.size > this.#sender.highWaterMark ? "backpressure" : "sent";
  }

  /** Once for all that will ever wait: a promise keeps each callback until it is settled. */
  #watchEnd(): void {
    if (this.#watchesEnd) return;
    this.#watchesEnd = true;
    this.#closing.closed.then(() => this.#pending?.lose());
  }

  /**
   * Closes the connection behind the messages that wait.
   *
   * @param code The close code.
   * @param reason The reason.
   * @throws {OptionError} If code or reason are out of range.
   */
  close(code: number | undefined, reason: string): void {
    encodeClosePayload(code, reason);
    this.#pending?.close(code, reason);
  }

  /**
   * Waits until all was sent.
   *
   * @returns Rejects if the connection is lost before. May be ignored.
   */
  drained(): Promise<void> {
    if (this.#pending === undefined) return this.#sender.drained();
    const drained = this.#pending.finished.then(() => this.drained());
    drained.catch(() => {});
    return drained;
  }
}

function isBlob(payload: Payload | Blob): payload is Blob {
  return typeof payload !== "string" && !(payload instanceof Uint8Array);
}
