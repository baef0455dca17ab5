/**
 * The follower of the stream, which brings the entries of other nodes.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { JournalEntry } from "../journal/journal.ts";
import { isMoving } from "./cluster_errors.ts";
import type { RedisLink } from "./link.ts";
import { AnswerSize } from "./answer_size.ts";
import { decodeStream } from "./entry.ts";

/** Maximum of entries in one answer: each may be large. */
const COUNT = 16;
/** Duration for which Redis waits for an entry, in ms. */
const BLOCK = 1000;
/** Time for an answer, in ms; then the connection counts as dead. */
const PATIENCE = 10_000;

/** Time between two questions for entries while a cluster moves the stream to another server, in ms. */
const MOVING_INTERVAL = 200;

/** Answers for a stream that is being moved: nothing new, after a while. */
async function unlessMoving(error: unknown): Promise<null> {
  if (!isMoving(error)) throw error;
  await new Promise<void>((resolve) => systemClock.after(MOVING_INTERVAL, resolve));
  return null;
}

/** Owner of a {@linkcode StreamTail}. */
export interface StreamTailOwner {
  /** Resolves when the journal is open, and the start is known. */
  readonly ready: Promise<void>;
  /** Sequence number of the last entry that was delivered. */
  readonly delivered: number;
  /** `true` once no more entries are wanted. */
  readonly isOver: boolean;
  /** Learns of losses: called before entries behind a gap are delivered. */
  gap(): Promise<void>;
  /** Delivers an entry, unless it was delivered before. */
  deliver(entry: JournalEntry): void;
  /**
   * Replaces the connection.
   *
   * @param error Reason.
   * @param all `true`: the other connections of the journal too.
   */
  restart(error: unknown, all: boolean): void;
}

/** Follows the stream over one connection at a time. */
export class StreamTail {
  #stream: string;
  #owner: StreamTailOwner;
  #link: RedisLink | undefined;
  /** Connection that was in use when the main connection was lost. */
  #suspect: RedisLink | undefined;
  #following: Promise<void> = Promise.resolve();
  #cancelPatience: () => void = () => {};
  #size = new AnswerSize();

  /**
   * Makes a follower without a connection.
   *
   * @param stream Key of the stream.
   * @param owner The journal.
   */
  constructor(stream: string, owner: StreamTailOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  /**
   * Follows over a new connection.
   *
   * @param link The connection.
   */
  start(link: RedisLink): void {
    this.#cancelPatience();
    this.#link = link;
    this.#following = this.#follow(link).catch((error) => {
      // A connection that was given up may end long after another one has taken its place.
      if (this.#link !== link) return;
      // A server that changes its role ends blocked commands only: the numbers may continue on another server.
      this.#owner.restart(error, describe(error).includes("UNBLOCKED"));
    });
  }

  async #follow(link: RedisLink): Promise<void> {
    const isCurrent = (): boolean => !this.#owner.isOver && this.#link === link;
    await this.#owner.ready;
    while (isCurrent()) {
      this.#cancelPatience = systemClock.after(PATIENCE, () => this.#owner.restart(new Error("no answer"), false));
      const after = `${this.#owner.delivered}-0`;
      const answer = await this.#size.ask((share) => {
        const count = `${Math.ceil(COUNT * share)}`;
        const command = ["XREAD", "BLOCK", `${BLOCK}`, "COUNT", count, "STREAMS", this.#stream, after];
        return link.send(command).catch(unlessMoving);
      });
      if (!isCurrent()) return;
      this.#cancelPatience();
      if (answer === null) continue;
      const entries = decodeStream(answer);
      if (entries[0]!.seq > this.#owner.delivered + 1) await this.#owner.gap();
      if (!isCurrent()) return;
      for (const entry of entries) this.#owner.deliver(entry);
    }
  }

  /** Notes that the main connection was lost: the server of this connection may be no primary any more. */
  suspect(): void {
    this.#suspect = this.#link;
  }

  /** `true` if the connection is the one of the last {@linkcode StreamTail.suspect}. */
  get isSuspect(): boolean {
    return this.#suspect !== undefined && this.#suspect === this.#link;
  }

  /** Stops waiting for an answer. */
  cancelPatience(): void {
    this.#cancelPatience();
  }

  /**
   * Waits until it has stopped, which it does when its connection is closed.
   *
   * @returns Resolves when it has stopped.
   */
  async stopped(): Promise<void> {
    await this.#following;
    this.#cancelPatience();
  }
}
