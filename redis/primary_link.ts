/**
 * Whether a Redis is a primary. What is written to a replica is refused, and what is published there reaches only who listens there.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import type { RedisLink } from "./client.ts";

/** Commands that tell the role, the best one first; the last one tells only that Redis answers. Users may be denied any of them. */
const QUESTIONS: readonly (readonly string[])[] = [["ROLE"], ["INFO", "replication"], ["PING"]];
const LAST = QUESTIONS.length - 1;
/** How the errors begin that only a replica answers with, or a primary that becomes one. */
const REPLICA_ERRORS: readonly string[] = ["READONLY", "MASTERDOWN", "UNBLOCKED"];

/** A connection that is given up when its Redis turns out to be a replica: after a fail-over the same address may lead to the new primary. */
export class PrimaryLink implements RedisLink {
  /** Whether the connection is there still, where the client does not tell of its end. */
  readonly isAlive: (() => boolean) | undefined;
  #link: RedisLink;
  #lost: (error: Error) => void;
  /** The question that this Redis, and this user, answer. */
  #question = 0;

  /**
   * Watches a connection.
   *
   * @param link The connection.
   * @param lost Told when Redis is a replica.
   */
  constructor(link: RedisLink, lost: (error: Error) => void) {
    this.#link = link;
    this.#lost = lost;
    this.isAlive = link.isAlive;
  }

  /**
   * Sends a command.
   *
   * @param args The command and its arguments.
   * @returns The answer. Rejects with what Redis says, or if the connection is gone.
   */
  send(args: string[]): Promise<unknown> {
    const answer = this.#link.send(args);
    answer.then(undefined, this.#judge);
    return answer;
  }

  #judge = (error: unknown): void => {
    const text = describe(error);
    if (!REPLICA_ERRORS.some((code) => text.startsWith(code))) return;
    this.#lost(new Error(`Redis is a replica now, and a primary is needed: ${text}`, { cause: error }));
  };

  /** Begins to listen to channels. */
  subscribe(channels: string[]): Promise<unknown> {
    return this.#link.subscribe(channels);
  }

  /** Ends it. */
  unsubscribe(channels: string[]): Promise<unknown> {
    return this.#link.unsubscribe(channels);
  }

  /** Whether Redis tells its role, as far as is known. */
  get tellsRole(): boolean {
    return this.#question < LAST;
  }

  /**
   * Asks for the role; gives the connection up if Redis is a replica.
   *
   * @returns Resolves if Redis is a primary, or does not tell. Rejects if it is a replica, or does not answer.
   */
  async assertPrimary(): Promise<void> {
    if (!isReplica(await this.#ask())) return;
    const error = new Error("Redis is a replica, and a primary is needed");
    this.#lost(error);
    throw error;
  }

  async #ask(): Promise<unknown> {
    for (;;) {
      const question = this.#question;
      try {
        return await this.#link.send([...QUESTIONS[question]]);
      } catch (error) {
        if (question === LAST) {
          // A refusal is an answer too.
          if (describe(error).startsWith("NOPERM")) return undefined;
          throw error;
        }
        this.#question = Math.max(this.#question, question + 1);
      }
    }
  }

  /** Ends the connection. */
  destroy(): Promise<void> {
    return this.#link.destroy();
  }
}

/** Understands the answers of `ROLE` and of `INFO replication`; Redis says "slave", others say "replica". */
function isReplica(answer: unknown): boolean {
  if (Array.isArray(answer)) return answer[0] === "slave" || answer[0] === "replica";
  const text = String(answer);
  return text.includes("role:slave") || text.includes("role:replica");
}
