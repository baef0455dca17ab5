/**
 * The contract of backplanes, which carry broadcasts and topics between nodes: workers of one process, or machines.
 *
 * A backplane is for live messages: each reaches the nodes that are connected at that moment, at most once. Messages
 * that must not be lost belong in a journal.
 *
 * @module
 */

import type { BackplaneError } from "../base/errors.ts";

/** Gets the reports of a backplane. */
export interface BackplaneListener {
  /**
   * Messages of other nodes were missed while the backplane was not connected.
   *
   * @param count Number of messages.
   */
  missed(count: number): void;
  /**
   * The backplane was disconnected, is connected again, or got a message that it cannot use.
   *
   * @param error The report.
   */
  error(error: BackplaneError): void;
}

/** A subscription to a channel. */
export interface BackplaneSubscription {
  /** Resolves when messages of other nodes arrive, or when the subscription has ended. Never rejects. */
  readonly ready: Promise<void>;
  /** Ends the subscription. */
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
   * @param data A text or bytes, which must not be changed any more.
   * @returns Resolves when it is sent. Rejects with a {@linkcode BackplaneError} if it is lost.
   */
  publish(channel: string, data: string | Uint8Array): Promise<void>;
  /**
   * Listens to a channel. A lost connection to the other nodes is made again by itself.
   *
   * @param channel The channel.
   * @param receive Called with each message of other nodes.
   * @returns The subscription.
   */
  subscribe(channel: string, receive: (data: string | Uint8Array) => void): BackplaneSubscription;
  /**
   * Sets the receiver of reports.
   *
   * @param listener The server; `undefined`: none.
   */
  listen(listener: BackplaneListener | undefined): void;
  /** Ends the backplane. Messages that were published before are still sent. */
  close(): Promise<void>;
}
