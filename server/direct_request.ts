/**
 * A request that is answered without `Request` and `Response`: its body is awaited, and taken whole.
 *
 * @module
 */

import { type BodyTaker, takeBody, type TextReply } from "./text_reply.ts";

/** One request. */
export class DirectRequest {
  /** The bytes of its body. */
  readonly length: number;
  /** `true` if another request may follow. */
  readonly mayKeepAlive: boolean;
  #take: BodyTaker | undefined;

  /**
   * Begins with the head.
   *
   * @param take Takes the body.
   * @param length The bytes of the body.
   * @param mayKeepAlive `true` if another request may follow.
   */
  constructor(take: BodyTaker, length: number, mayKeepAlive: boolean) {
    this.#take = take;
    this.length = length;
    this.mayKeepAlive = mayKeepAlive;
  }

  /** `true` until the body is complete. */
  get awaitsBody(): boolean {
    return this.#take !== undefined;
  }

  /**
   * Hands over the body.
   *
   * @param bytes The body, and bytes behind it.
   * @param failed Called with the error of the program.
   * @returns The answer, now or later; never rejects.
   */
  answer(bytes: Uint8Array, failed: (error: unknown) => void): TextReply | Promise<TextReply> {
    const take = this.#take!;
    this.#take = undefined;
    return takeBody(take, bytes.subarray(0, this.length), failed);
  }
}
