/**
 * Pings of the program that wait for their pong.
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";

/** Most pings that wait; beyond it the oldest is given up. */
const MAX_WAITING = 1024;

/** Number of pings so far, of all connections: it tells their order, and makes their payloads differ. */
let pings = 0;

/**
 * Numbers a ping.
 *
 * @returns A number greater than those of earlier pings.
 */
export function nextPing(): number {
  return ++pings;
}

/**
 * Makes the payload of a ping.
 *
 * @param mark Four ASCII characters.
 * @param ping The number of the ping.
 * @returns 8 bytes.
 */
export function pingPayload(mark: number, ping: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(8);
  const view = new DataView(payload.buffer);
  view.setUint32(0, mark);
  view.setUint32(4, ping);
  return payload;
}

/** Mark of the payloads of `pingInterval`: "keep". */
export const KEEP_ALIVE_MARK = 0x6b656570;

/**
 * Reads the number of a ping of `pingInterval`.
 *
 * @param payload A payload.
 * @returns The number; `undefined`: it is the payload of another ping.
 */
export function keepAliveNumber(payload: Uint8Array): number | undefined {
  if (payload.length !== 8) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return view.getUint32(0) === KEEP_ALIVE_MARK ? view.getUint32(4) : undefined;
}

/** The payload of a ping without data: "ping" and a number, so that no two are equal. */
const MARK = 0x70696e67;

interface Waiting {
  readonly ping: number;
  readonly payload: Uint8Array;
  readonly at: number;
  resolve(latency: number): void;
  reject(error: unknown): void;
}

/** Pings of one connection. */
export class Pings {
  #waiting: Waiting[] = [];
  #ended: { error: () => Error } | undefined;

  /**
   * Makes the payload of a ping without data.
   *
   * @returns The payload.
   */
  static payload(): Uint8Array<ArrayBuffer> {
    return pingPayload(MARK, nextPing());
  }

  /**
   * Waits for the pong of a ping.
   *
   * @param payload Its payload, copied.
   * @param now The time, in ms.
   * @returns The time until the pong, in ms. Rejects at the end of the connection; may be ignored.
   */
  wait(payload: Uint8Array, now: number): Promise<number> {
    const promise = new Promise<number>((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended.error());
      this.#waiting.push({ ping: nextPing(), payload: payload.slice(), at: now, resolve, reject });
    });
    // A program may ignore the promise.
    promise.catch(() => {});
    if (this.#waiting.length > MAX_WAITING) {
      const message = `No pong came for a ping, and ${MAX_WAITING} later ones wait`;
      this.#waiting.shift()!.reject(new TransportError("ERR_PONG_TIMEOUT", message));
    }
    return promise;
  }

  /**
   * Takes a pong: it answers its ping, and all earlier ones (RFC 6455 §5.5.3).
   *
   * @param payload Its payload.
   * @param now The time, in ms.
   * @returns The number of the ping; `undefined`: none has this payload.
   */
  pong(payload: Uint8Array, now: number): number | undefined {
    const index = this.#waiting.findIndex((waiting) => equal(waiting.payload, payload));
    if (index === -1) return undefined;
    const { ping } = this.#waiting[index]!;
    this.answer(ping, now);
    return ping;
  }

  /**
   * Answers all pings up to one: a pong of a later ping came.
   *
   * @param ping The number of the last one.
   * @param now The time, in ms.
   */
  answer(ping: number, now: number): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.ping <= ping) {
      const { at, resolve } = this.#waiting.shift()!;
      resolve(now - at);
    }
  }

  /**
   * Rejects all that wait, and all later ones: no pong comes any more.
   *
   * @param error Makes the error.
   */
  end(error: () => Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error());
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}
