/**
 * Tells pongs to pings of the program from those to pings of `pingInterval`, of which the program knows nothing.
 *
 * @module
 */

import { keepAliveNumber, nextPing } from "../connection/pings.ts";
import { Buffer } from "node:buffer";

/** Pings and pongs of one connection. */
export class PongFilter {
  /** Payload and number of the last ping of the program that was not answered. */
  #last: { payload: Uint8Array; number: number } | undefined;

  /**
   * Notes a ping of the program.
   *
   * @param payload Its payload.
   */
  sent(payload: string | Uint8Array): void {
    this.#last = { payload: Buffer.from(payload), number: nextPing() };
  }

  /**
   * Takes a pong.
   *
   * @param payload Its payload.
   * @returns The payload of the pong that the program is told of; `undefined`: of none.
   */
  received(payload: Uint8Array): Uint8Array | undefined {
    const last = this.#last;
    const number = keepAliveNumber(payload);
    if (number === undefined) {
      this.#last = undefined;
      return payload;
    }
    // A peer may answer the last of several pings only (RFC 6455 §5.5.3): it has got those before.
    if (last === undefined || last.number > number) return undefined;
    this.#last = undefined;
    return last.payload;
  }
}
