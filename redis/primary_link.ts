/**
 * A connection that must lead to a primary: a replica refuses writes, and a message published there reaches only
 * clients of the replica.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import { explainElsewhere } from "./cluster_errors.ts";
import type { RedisLink } from "./link.ts";

/**
 * Commands that ask for the role, the best one first; the last one shows only that Redis answers. Any may be forbidden.
 */
const QUESTIONS: readonly (readonly string[])[] = [["ROLE"], ["INFO", "replication"], ["PING"]];
const LAST = QUESTIONS.length - 1;
/** Services have an address of the replicas, besides that of the primary. */
const REPLICA = "Redis is a replica, and a primary is needed: does the address belong to a read-only endpoint?";
/** Prefixes of errors that only a replica sends, or a primary that becomes one. */
const REPLICA_ERRORS: readonly string[] = ["READONLY", "MASTERDOWN", "UNBLOCKED"];

/**
 * A connection that is given up when its Redis turns out to be a replica: after a fail-over the same address may lead
 * to the new primary.
 */
export class PrimaryLink implements RedisLink {
  /** Returns whether the connection is open; only for clients that do not report its end. */
  readonly isAlive: (() => boolean) | undefined;
  /** Number of the database by the options of the client, where they can be read. */
  readonly database: number | undefined;
  #link: RedisLink;
  #lost: (error: Error) => void;
  /** Index of the best question that this Redis answers this user. */
  #question = 0;

  /**
   * Wraps a connection.
   *
   * @param link The connection.
   * @param lost Called when Redis is a replica.
   */
  constructor(link: RedisLink, lost: (error: Error) => void) {
    this.#link = link;
    this.#lost = lost;
    this.isAlive = link.isAlive;
    this.database = link.database;
  }

  /**
   * Sends a command.
   *
   * @param args The command and its arguments.
   * @returns The answer. Rejects with the error of Redis, or if the connection is lost.
   */
  send(args: string[]): Promise<unknown> {
    const answer = this.#link.send(args);
    answer.then(undefined, this.#judge);
    return answer;
  }

  /** Gives the connection up after the error of a server that cannot serve any more. */
  #judge = (error: unknown): void => {
    const elsewhere = explainElsewhere(error, this.#link.findsServer === true);
    if (elsewhere !== undefined) return this.#lost(new Error(elsewhere, { cause: error }));
    const text = describe(error);
    if (!REPLICA_ERRORS.some((code) => text.startsWith(code))) return;
    this.#lost(new Error(`Redis is a replica now, and a primary is needed: ${text}`, { cause: error }));
  };

  /** Subscribes to channels. */
  subscribe(channels: string[]): Promise<unknown> {
    return this.#link.subscribe(channels);
  }

  /** Unsubscribes from channels. */
  unsubscribe(channels: string[]): Promise<unknown> {
    return this.#link.unsubscribe(channels);
  }

  /** `false` once Redis has refused to tell its role. */
  get reportsRole(): boolean {
    return this.#question < LAST;
  }

  /**
   * Asks for the role, and gives the connection up if Redis is a replica.
   *
   * @returns Resolves if Redis is a primary, or hides its role. Rejects if it is a replica, or does not answer.
   */
  async assertPrimary(): Promise<void> {
    if (!isReplica(await this.#ask())) return;
    const error = new Error(REPLICA);
    this.#lost(error);
    throw error;
  }

  async #ask(): Promise<unknown> {
    for (;;) {
      const question = this.#question;
      try {
        return await this.#link.send([...QUESTIONS[question]!]);
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

  /** Closes the connection. */
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
