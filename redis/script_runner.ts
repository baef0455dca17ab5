/**
 * Running scripts on the keys of one journal, over the connection that is open at the time.
 *
 * @module
 */

import type { RedisLink } from "./link.ts";
import type { RedisScript } from "./script.ts";

/** Source of the connection. */
export interface LinkSource {
  /** The connection, while there is one. */
  readonly link: RedisLink | undefined;
  /** Returns the connection; throws if there is none. */
  requireLink(): RedisLink;
}

/** Runs scripts for one journal. */
export class ScriptRunner {
  /** Prefix of all keys. */
  readonly prefix: string;
  #source: LinkSource;

  /**
   * Makes a runner.
   *
   * @param prefix Prefix of all keys.
   * @param source Source of the connection.
   */
  constructor(prefix: string, source: LinkSource) {
    this.prefix = prefix;
    this.#source = source;
  }

  /** Connection to Redis, while there is one. */
  get link(): RedisLink | undefined {
    return this.#source.link;
  }

  /**
   * Runs a script.
   *
   * @param script The script.
   * @param args Its arguments.
   * @param link Connection to use, by default the one of the source.
   * @returns The answer. Rejects with the error of Redis, or if the connection is lost.
   * @throws {Error} If there is no connection.
   */
  run(
    script: RedisScript,
    args: readonly (string | number)[],
    link: RedisLink = this.#source.requireLink(),
  ): Promise<unknown> {
    return script.run(link, this.prefix, args);
  }
}
