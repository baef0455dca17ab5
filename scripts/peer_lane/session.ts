/** One connection with a peer, in either role, as the cases use it. */

import type { CloseInfo } from "../../connection/options.ts";
import type { WebSocketConnection } from "../../server.ts";
import type { MessageData, SendData } from "../../protocol/payload.ts";
import type { Deadline } from "./deadline.ts";
import { describeEnd, Unexpected } from "./outcome.ts";

/** Members of a connection, of a server or a client, that cases use. */
export type Playable = Pick<
  WebSocketConnection,
  "send" | "sendFrame" | "ping" | "close" | "receive" | "closed" | "extensions" | "terminate"
>;

/** Facts that the owner of a connection knows. */
export interface SessionFacts {
  /** Role of the peer. */
  readonly peer: "server" | "client";
  /** Error that ended the connection on our side, if one did. */
  failure(): unknown;
  /** Bytes of compressed messages that came, after decompression. */
  inflated(): number;
  /** Waits for what the peer's program prints at the end: the code, "" without one, undefined if it prints nothing. */
  printed(): Promise<string | undefined>;
}

/** An open connection, with the time limit of its case. */
export class Session {
  readonly connection: Playable;
  readonly facts: SessionFacts;
  readonly #deadline: Deadline;

  constructor(connection: Playable, facts: SessionFacts, deadline: Deadline) {
    this.connection = connection;
    this.facts = facts;
    this.#deadline = deadline;
  }

  /** Sends a message, and expects it back. */
  echo(message: MessageData): Promise<void> {
    return this.expect(message, () => this.connection.send(message));
  }

  /** Has something sent, and expects a message. */
  async expect(message: MessageData, send: () => void): Promise<void> {
    const answer = this.connection.receive();
    answer.catch(() => {}); // The wait below may be over before.
    send();
    assertSame(await this.wait(answer), message);
  }

  /** Waits for a promise that rejects if the connection ends. */
  async wait<Value>(promise: Promise<Value>): Promise<Value> {
    try {
      return await this.#deadline.race(promise);
    } catch (error) {
      if (error instanceof Unexpected) throw error;
      throw new Unexpected(describeEnd(await this.end(), this.facts.failure()));
    }
  }

  /** Waits for the end of the connection. */
  end(): Promise<CloseInfo> {
    return this.#deadline.race(this.connection.closed);
  }
}

function assertSame(actual: MessageData, expected: SendData): void {
  if (typeof actual !== typeof expected) throw new Unexpected("wrong type");
  if (typeof actual === "string") {
    if (actual !== expected) throw new Unexpected("wrong text");
    return;
  }
  const bytes = expected as Uint8Array;
  const same = actual.length === bytes.length && actual.every((byte, index) => byte === bytes[index]);
  if (!same) throw new Unexpected("wrong bytes");
}
