/**
 * What carries broadcasts and topics from one node to the others: workers of one process, or machines.
 *
 * A backplane is for what is live: a message reaches the nodes that are there at that moment, at most once. What must not be lost
 * belongs into a journal.
 *
 * @module
 */

import { BackplaneError, describe, OptionError } from "../base/errors.ts";
import type { MessageData } from "../protocol/payload.ts";
import { assertWellFormed } from "../base/ranges.ts";

/** What a backplane tells the server that uses it. */
export interface BackplaneListener {
  /**
   * Messages of other nodes were missed, while the way was broken.
   *
   * @param count How many.
   */
  missed(count: number): void;
  /**
   * The way is broken, or whole again, or something came that cannot be used.
   *
   * @param error What.
   */
  error(error: BackplaneError): void;
}

/** That a channel is listened to. */
export interface BackplaneSubscription {
  /** Resolves when messages come, and those of this node go, or when the subscription has ended. Never rejects. */
  readonly ready: Promise<void>;
  /** Ends it. */
  close(): void;
}

/**
 * Carries messages between nodes. One object belongs to one server; the program makes and closes it.
 *
 * @example Two workers of one process
 * ```ts
 * import { BroadcastChannelBackplane, WebSocketServer } from "@tackline/websocket";
 *
 * await using backplane = new BroadcastChannelBackplane("chat");
 * await using server = new WebSocketServer({ port: 0, backplane });
 * await server.start();
 * server.publish("news", "reaches the subscribers of all workers");
 * ```
 */
export interface Backplane {
  /**
   * Sends to all other nodes that listen to a channel, in order, never to this one.
   *
   * @param channel The channel.
   * @param data A text or bytes, which nobody may change any more.
   * @returns Resolves when it is on its way. Rejects with a {@linkcode BackplaneError} if it is lost.
   */
  publish(channel: string, data: MessageData): Promise<void>;
  /**
   * Listens to a channel. When the way to the others breaks, it comes back by itself.
   *
   * @param channel The channel.
   * @param receive Gets what other nodes send.
   * @returns The subscription.
   */
  subscribe(channel: string, receive: (data: MessageData) => void): BackplaneSubscription;
  /**
   * Sets who is told.
   *
   * @param listener The server; `undefined`: nobody.
   */
  listen(listener: BackplaneListener | undefined): void;
  /** Ends. What was published before is sent still. */
  close(): Promise<void>;
}

const NEVER_LATE = Promise.resolve();

/**
 * A backplane for the workers of one process, over `BroadcastChannel`. Each worker makes one with the same name. While it is open it may
 * keep the worker alive.
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
  #receivers = new Map<string, Set<(data: MessageData) => void>>();
  #listener: BackplaneListener | undefined;
  #closed = false;

  /**
   * Opens it.
   *
   * @param name What all workers call it.
   * @throws {OptionError} If it is no text, or has a lone surrogate.
   */
  constructor(name: string = "tackline") {
    if (typeof name !== "string") throw new OptionError(`The name of a backplane is a ${typeof name}`);
    assertWellFormed("The name of a backplane", name);
    this.#channel = new BroadcastChannel(`tackline:${name}`);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
  }

  #onMessage(message: unknown): void {
    const { channel, data } = (message ?? {}) as { channel?: string; data?: MessageData };
    if (typeof channel !== "string" || !(typeof data === "string" || data instanceof Uint8Array)) {
      const error = new BackplaneError("ERR_BACKPLANE_MESSAGE", "Something else came over the backplane's channel");
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
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async publish(channel: string, data: MessageData): Promise<void> {
    assertWellFormed("The channel", channel);
    try {
      // Of a part of a buffer the whole would be copied.
      this.#channel.postMessage({ channel, data: typeof data === "string" ? data : data.slice() });
    } catch (cause) {
      throw new BackplaneError("ERR_BACKPLANE_LOST", `Cannot publish: ${describe(cause)}`, { cause });
    }
  }

  /**
   * Listens to a channel.
   *
   * @param channel The channel.
   * @param receive Gets what other workers send.
   * @returns The subscription, which is ready at once.
   * @throws {OptionError} If the channel has a lone surrogate.
   */
  subscribe(channel: string, receive: (data: MessageData) => void): BackplaneSubscription {
    assertWellFormed("The channel", channel);
    let receivers = this.#receivers.get(channel);
    if (receivers === undefined) this.#receivers.set(channel, receivers = new Set());
    receivers.add(receive);
    const close = (): void => {
      receivers.delete(receive);
      if (receivers.size === 0 && this.#receivers.get(channel) === receivers) this.#receivers.delete(channel);
    };
    return { ready: NEVER_LATE, close };
  }

  /**
   * Sets who is told.
   *
   * @param listener The server.
   */
  listen(listener: BackplaneListener | undefined): void {
    this.#listener = listener;
  }

  /** Ends. */
  close(): Promise<void> {
    if (!this.#closed) this.#channel.close();
    this.#closed = true;
    this.#receivers.clear();
    return NEVER_LATE;
  }

  /** Ends, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
