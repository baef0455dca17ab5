/**
 * Calls of `receive` of a client that go on with its next connection, or share one loop.
 *
 * @module
 */

import { ABNORMAL_CLOSURE } from "../base/close_codes.ts";
import { ConnectionClosedError } from "../base/errors.ts";
import { leaveOnAbort, type WaitingCall } from "../base/signals.ts";
import { isError } from "../base/thrown.ts";
import type { ReceiveOptions } from "../connection/receive_options.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { Messages } from "./message_loops.ts";

/** A connection that has ended, or will. */
export interface EndingConnection {
  /** Resolves when it has ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** A connection that messages are received from. */
export interface ReceivingConnection {
  /** The connection. */
  readonly connection: EndingConnection & { receive(options: ReceiveOptions): Promise<MessageData> };
  /** Tells what the client alone sees. */
  readonly opened: {
    /** `true` if messages wait for a reader. */
    readonly holdsMessages: boolean;
  };
}

/** Makes the error of a call, with the end of the last connection. */
async function receiveError(last: EndingConnection | undefined, cause: unknown): Promise<ConnectionClosedError> {
  const end = await last?.closed ?? { code: ABNORMAL_CLOSURE, reason: "" };
  return new ConnectionClosedError("receive", end, cause === undefined ? undefined : { cause });
}

interface Call extends WaitingCall<MessageData> {
  readonly signal: AbortSignal | undefined;
}

/** Calls that go on with the next connection. */
export class ReceiveCalls {
  /** Connections that may have messages, in order. */
  #connections: ReceivingConnection[] = [];
  /** Calls that wait for the next connection. */
  #waiting = new Set<Call>();
  #begun = false;
  #last: ReceivingConnection | undefined;
  #ended: { error: unknown } | undefined;

  /**
   * Tells if a connection is the last one that calls went on with, and may have messages.
   *
   * @param connection The connection.
   * @returns `true` if its rest comes from here.
   */
  follows(connection: object | undefined): boolean {
    return connection !== undefined && this.#connections.at(-1)?.connection === connection;
  }

  /**
   * Waits for the next message of any connection.
   *
   * @param options Options of the call.
   * @param current The present connection, if there is one: the first call begins with it.
   * @param reconnects `true` if other connections may follow.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} when no other connection follows.
   */
  receive(
    { signal }: ReceiveOptions,
    current: ReceivingConnection | undefined,
    reconnects: boolean,
  ): Promise<MessageData> {
    // After a later connect() it begins anew.
    if (!this.#begun || (reconnects && this.#ended !== undefined)) {
      this.#begun = true;
      this.#ended = undefined;
      this.#last = current;
      this.#connections = current === undefined ? [] : [current];
    }
    return new Promise((resolve, reject) => this.#take({ signal, resolve, reject }));
  }

  /** Takes a message of the oldest connection, or waits for the next one. */
  #take(call: Call): void {
    const { signal } = call;
    if (signal?.aborted) return call.reject(signal.reason);
    const receiving = this.#connections[0];
    if (receiving === undefined) return this.#waitForConnection(call);
    receiving.connection.receive({ signal }).then(call.resolve, (error) => {
      if (!isError(error, ConnectionClosedError) || signal?.aborted) return call.reject(error);
      if (this.#connections[0] === receiving) this.#connections.shift();
      this.#take(call);
    });
  }

  #waitForConnection(call: Call): void {
    if (this.#ended !== undefined) return void this.#refuse(call, this.#ended.error);
    this.#waiting.add(leaveOnAbort(call, call.signal, (watched) => void this.#waiting.delete(watched)));
  }

  async #refuse(call: Call, error: unknown): Promise<void> {
    call.reject(await receiveError(this.#last?.connection, error));
  }

  /**
   * Lets calls go on with the next connection.
   *
   * @param connection The connection.
   */
  continueWith(connection: ReceivingConnection): void {
    if (!this.#begun) return;
    // Most programs call `receive` at the beginning only.
    this.#connections = this.#connections.filter(({ opened }) => opened.holdsMessages);
    this.#connections.push(connection);
    this.#last = connection;
    this.#ended = undefined;
    const calls = this.#waiting;
    this.#waiting = new Set();
    for (const call of calls) this.#take(call);
  }

  /**
   * Ends the calls that wait for another connection: none follows.
   *
   * @param error The reason, if there is one.
   */
  end(error?: unknown): void {
    if (!this.#begun) return;
    this.#ended ??= { error };
    const calls = this.#waiting;
    this.#waiting = new Set();
    for (const call of calls) void this.#refuse(call, error);
  }
}

/** Calls that share one loop: of a receiver, whose messages are not those of the connection. */
export class SharedReceiveLoop {
  #messages: Messages | undefined;
  #calls: Call[] = [];
  /** A message that came when its call was gone. */
  #spare: MessageData | undefined;
  #reading = false;
  /** `true` if no further connection belongs to the loop. */
  #ended = false;
  #last: () => EndingConnection | undefined;

  /**
   * Begins without a loop.
   *
   * @param last Returns the last connection.
   */
  constructor(last: () => EndingConnection | undefined) {
    this.#last = last;
  }

  /** `true` if there is a loop. */
  get begun(): boolean {
    return this.#messages !== undefined;
  }

  /**
   * Waits for the next message of the loop.
   *
   * @param options Options of the call.
   * @param source The messages: the first call begins a loop over them.
   * @param stays Tells if the loop stays when no call waits: the program has no handlers.
   * @returns The message. Rejects with a {@linkcode ConnectionClosedError} at the end of the loop.
   */
  receive(
    { signal }: ReceiveOptions,
    source: { [Symbol.asyncIterator](): Messages },
    stays: () => boolean,
  ): Promise<MessageData> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    // After a later connect() it begins anew.
    if (this.#ended) this.#messages = undefined;
    this.#ended = false;
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) return Promise.resolve(spare);
    this.#messages ??= source[Symbol.asyncIterator]();
    return new Promise((resolve, reject) => {
      this.#add({ signal, resolve, reject });
      if (!this.#reading) void this.#read(this.#messages!, stays);
    });
  }

  #add(call: Call): void {
    this.#calls.push(leaveOnAbort(call, call.signal, (watched) => {
      this.#calls.splice(this.#calls.indexOf(watched), 1);
    }));
  }

  async #read(messages: Messages, stays: () => boolean): Promise<void> {
    this.#reading = true;
    while (this.#calls.length > 0) {
      let lost: unknown;
      try {
        const { done, value } = await messages.next();
        if (!done) {
          const call = this.#calls.shift();
          if (call === undefined) this.#spare = value;
          else call.resolve(value);
          continue;
        }
      } catch (error) {
        lost = error;
      }
      const error = await receiveError(this.#last(), lost);
      for (const call of this.#calls.splice(0)) call.reject(error);
    }
    this.#reading = false;
    if (!stays()) this.leave();
  }

  /** Leaves the loop if no call waits: handlers get everything. */
  leave(): void {
    if (this.#reading || this.#messages === undefined) return;
    const messages = this.#messages;
    this.#messages = undefined;
    this.#spare = undefined;
    void messages.return?.();
  }

  /** No further connection belongs to the loop. */
  end(): void {
    this.#ended = true;
  }
}
