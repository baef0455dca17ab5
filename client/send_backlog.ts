/**
 * What a program sends while its client is not connected.
 *
 * @module
 */

import type { SendResult } from "../connection/options.ts";
import type { ClientConnection } from "./connector.ts";
import { OptionError } from "../base/errors.ts";
import { byteLength, type MessageData } from "../protocol/payload.ts";

/** Keeps messages for the next connection, in order. */
export class SendBacklog {
  #messages: MessageData[] = [];
  #amount = 0;
  #sending = false;

  /** How many messages wait. */
  get count(): number {
    return this.#messages.length;
  }

  /** How many bytes wait. */
  get amount(): number {
    return this.#amount;
  }

  /**
   * Keeps a message.
   *
   * @param data The message; bytes are copied.
   * @param limit The most bytes that may wait.
   * @returns Whether there was room.
   */
  add(data: MessageData, limit: number): boolean {
    const length = byteLength(data);
    if (this.#amount + length > limit) return false;
    this.#messages.push(typeof data === "string" ? data : new Uint8Array(data));
    this.#amount += length;
    return true;
  }

  /**
   * Sends what waits, at the pace of the server. What cannot be sent goes on waiting.
   *
   * @param connection The connection.
   * @param onError Told of a message that can never be sent.
   */
  async sendTo(connection: ClientConnection, onError: (error: unknown) => void): Promise<void> {
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

  #sendFirst(connection: ClientConnection, onError: (error: unknown) => void): SendResult {
    try {
      return connection.send(this.#messages[0], { slowConsumer: "drop" });
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      // It is larger than what may wait at all, and must not hold up the others.
      onError(error);
      return "sent";
    }
  }

  #shift(): void {
    this.#amount -= byteLength(this.#messages.shift()!);
  }

  /** Forgets what waits. */
  clear(): void {
    this.#messages = [];
    this.#amount = 0;
  }
}
