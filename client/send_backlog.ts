/**
 * Messages that a program sends while its client is not connected.
 *
 * @module
 */

import { OptionError, StateError, TransportError } from "../base/errors.ts";
import type { SendResult } from "../connection/options.ts";
import { byteLength, type Payload } from "../protocol/payload.ts";
import type { ClientConnection } from "./connector.ts";

/** Connection that a {@linkcode SendBacklog} is sent over. */
export type BacklogConnection = Pick<ClientConnection, "state" | "send" | "drained">;

/** Keeps messages for the next connection, in order. */
export class SendBacklog {
  #messages: (Payload | Blob)[] = [];
  #size = 0;
  #sending = false;

  /** Number of messages that wait. */
  get count(): number {
    return this.#messages.length;
  }

  /** Number of bytes that wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Keeps a message.
   *
   * @param data The message; bytes are copied. A `Blob` is read when it is sent.
   * @param limit Largest number of bytes that may wait.
   * @returns `false` if there was no room.
   */
  add(data: Payload | Blob, limit: number): boolean {
    const length = byteLength(data);
    if (this.#size + length > limit) return false;
    this.#messages.push(data instanceof Uint8Array ? new Uint8Array(data) : data);
    this.#size += length;
    return true;
  }

  /**
   * Sends the messages, at the pace of the server. Messages that cannot be sent stay here.
   *
   * @param connection The connection.
   * @param onError Called with the error of a message that can never be sent.
   */
  async sendTo(connection: BacklogConnection, onError: (error: unknown) => void): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#messages.length > 0 && connection.state === "open") {
        const result = this.#sendFirst(connection, onError);
        if (result !== "dropped") this.#shift();
        if (result !== "sent") await connection.drained();
      }
    } catch {
      // The connection was lost, and the next one gets the rest; or a fragmented message is not finished.
    } finally {
      this.#sending = false;
    }
  }

  #sendFirst(connection: BacklogConnection, onError: (error: unknown) => void): SendResult {
    try {
      return connection.send(this.#messages[0]!, { slowConsumer: "drop" });
    } catch (error) {
      const unsupported = error instanceof StateError && error.code === "ERR_UNSUPPORTED";
      if (!unsupported && !(error instanceof OptionError)) throw error;
      // The message is larger than `maxBufferedAmount`, or the subprotocol does not carry it: later ones must not wait.
      onError(error);
      return "sent";
    }
  }

  #shift(): void {
    this.#size -= byteLength(this.#messages.shift()!);
  }

  /**
   * Drops all messages: no other connection follows.
   *
   * @param onError Called with an error that counts them, if there are some.
   */
  giveUp(onError: (error: TransportError) => void): void {
    const { count, size } = this;
    if (count === 0) return;
    this.#messages = [];
    this.#size = 0;
    const message = `${count} messages of ${size} bytes that waited for a connection were not sent`;
    onError(new TransportError("ERR_QUEUE_LOST", message));
  }
}
