/**
 * A backplane over `BroadcastChannel`.
 *
 * @module
 */

import type { Backplane, BackplaneListener, BackplaneSubscription } from "./backplane.ts";
import { BackplaneError, describe, OptionError } from "../base/errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { assertWellFormed } from "../base/ranges.ts";

const READY = Promise.resolve();

/**
 * A backplane for the workers of one process, over `BroadcastChannel`. Each worker makes one with the same name. An
 * open backplane may keep its worker alive.
 *
 * @example
 * ```ts
 * import { BroadcastChannelBackplane } from "@tackline/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * await using one = new BroadcastChannelBackplane("example");
 * await using other = new BroadcastChannelBackplane("example");
 * const { promise, resolve } = Promise.withResolvers<string | Uint8Array>();
 * other.subscribe("news", resolve);
 * await one.publish("news", "Hello");
 * assertEquals(await promise, "Hello");
 * ```
 */
export class BroadcastChannelBackplane implements Backplane {
  #channel: BroadcastChannel;
  #receivers = new Map<string, Set<(data: Payload) => void>>();
  #listener: BackplaneListener | undefined;
  #closed = false;

  /**
   * Opens a backplane.
   *
   * @param name The name, which is the same in all workers.
   * @throws {OptionError} If the name is not a string, or has a lone surrogate.
   */
  constructor(name: string = "tackline") {
    if (typeof name !== "string") throw new OptionError(`The name of a backplane is a ${typeof name}`);
    assertWellFormed("The name of a backplane", name);
    this.#channel = new BroadcastChannel(`tackline:${name}`);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
  }

  #onMessage(message: unknown): void {
    const { channel, data } = (message ?? {}) as { channel?: string | undefined; data?: Payload | undefined };
    if (typeof channel !== "string" || !(typeof data === "string" || data instanceof Uint8Array)) {
      const error = new BackplaneError(
        "ERR_BACKPLANE_MESSAGE",
        "A message on the backplane's channel has another format",
      );
      return this.#listener?.error(error);
    }
    for (const receive of [...this.#receivers.get(channel) ?? []]) receive(data);
  }

  /**
   * Sends to all other workers.
   *
   * @param channel The channel.
   * @param data A text or bytes.
   * @returns Resolves at once. Rejects if the backplane is closed.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  // deno-lint-ignore require-await -- an error is to be a rejection
  async publish(channel: string, data: string | Uint8Array): Promise<void> {
    assertWellFormed("The channel", channel);
    try {
      // A copy, since sending a view would copy its whole buffer.
      this.#channel.postMessage({ channel, data: typeof data === "string" ? data : data.slice() });
    } catch (cause) {
      throw new BackplaneError("ERR_BACKPLANE_LOST", `Cannot publish: ${describe(cause)}`, { cause });
    }
  }

  /**
   * Listens to a channel.
   *
   * @param channel The channel.
   * @param receive Called with each message of other workers.
   * @returns The subscription, which is ready at once.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  subscribe(channel: string, receive: (data: string | Uint8Array) => void): BackplaneSubscription {
    assertWellFormed("The channel", channel);
    let receivers = this.#receivers.get(channel);
    if (receivers === undefined) this.#receivers.set(channel, receivers = new Set());
    receivers.add(receive);
    const close = (): void => {
      receivers.delete(receive);
      if (receivers.size === 0 && this.#receivers.get(channel) === receivers) this.#receivers.delete(channel);
    };
    return { ready: READY, close };
  }

  /**
   * Sets the receiver of reports.
   *
   * @param listener The server.
   */
  listen(listener: BackplaneListener | undefined): void {
    this.#listener = listener;
  }

  /** Ends the backplane. */
  close(): Promise<void> {
    if (!this.#closed) this.#channel.close();
    this.#closed = true;
    this.#receivers.clear();
    return READY;
  }

  /** Ends the backplane, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
