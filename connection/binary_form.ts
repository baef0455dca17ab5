/**
 * Form of a program's binary messages on a connection whose subprotocol has binary messages of its own: a prefix tells
 * them apart.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import { StateError } from "../base/errors.ts";
import type { MessageData, Payload } from "../protocol/payload.ts";

/** A message for many connections, as a form sees it. */
export interface PrefixableMessage<Message> {
  /** `true` for bytes, `false` for text. */
  readonly binary: boolean;
  /** Puts bytes before the message; made once for all calls with the same bytes. */
  withPrefix(prefix: Uint8Array): Message;
}

/** Settings of a {@linkcode BinaryForm}. */
export interface BinaryFormOptions {
  /** Bytes that each binary message of the program begins with; `undefined`: the subprotocol carries none. */
  readonly prefix: Uint8Array<ArrayBuffer> | undefined;
  /** Text of the error of a message that cannot be carried. */
  readonly refusal: string;
  /** Called once, with the error, when a broadcast leaves the connection out. */
  readonly leftOut?: ((error: StateError) => void) | undefined;
  /** Called when a message that was sent frame by frame has ended: the subprotocol can send its own again. */
  readonly messageEnded?: (() => void) | undefined;
  /** Takes a binary message of the peer apart, for loops; `undefined`: it belongs to the subprotocol. */
  readonly read?: ((message: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined) | undefined;
}

/** Form of the binary messages of a program. */
export class BinaryForm {
  readonly #options: BinaryFormOptions;
  #reported = false;

  /**
   * Makes a form.
   *
   * @param options Its settings.
   */
  constructor(options: BinaryFormOptions) {
    this.#options = options;
  }

  /** Bytes that a message grows by. */
  get overhead(): number {
    return this.#options.prefix?.length ?? 0;
  }

  /**
   * Checks that binary messages of the program can be sent.
   *
   * @returns The prefix.
   * @throws {StateError} If the subprotocol carries none.
   */
  assertCarried(): Uint8Array<ArrayBuffer> {
    const { prefix } = this.#options;
    if (prefix === undefined) throw this.#refusal();
    return prefix;
  }

  #refusal(): StateError {
    return new StateError("ERR_UNSUPPORTED", `Cannot send bytes: ${this.#options.refusal}`);
  }

  /**
   * Gives a message its form.
   *
   * @param data The message; texts stay as they are.
   * @returns The message to send.
   * @throws {StateError} If the subprotocol carries no bytes of programs.
   */
  wrap<Data extends Payload | Blob>(data: Data): Data | Uint8Array<ArrayBuffer> | Blob {
    if (typeof data === "string") return data;
    const prefix = this.assertCarried();
    return data instanceof Uint8Array ? concat(prefix, data) : new Blob([prefix, data as Blob]);
  }

  /**
   * Gives a message of a broadcast its form, made once for all connections.
   *
   * @param message The message; texts stay as they are.
   * @returns The message to send; `undefined`: the subprotocol carries no bytes of programs.
   */
  wrapShared<Message extends PrefixableMessage<Message>>(message: Message): Message | undefined {
    if (!message.binary) return message;
    const { prefix, leftOut } = this.#options;
    if (prefix !== undefined) return message.withPrefix(prefix);
    if (!this.#reported) leftOut?.(this.#refusal());
    this.#reported = true;
    return undefined;
  }

  /** Notes that a message that was sent frame by frame has ended. */
  messageEnded(): void {
    this.#options.messageEnded?.();
  }

  /**
   * Takes a message of the peer apart.
   *
   * @param data The message.
   * @returns The part of the program; `undefined`: it belongs to the subprotocol.
   */
  read(data: MessageData): MessageData | undefined {
    const { read } = this.#options;
    return typeof data === "string" || read === undefined ? data : read(data);
  }
}
