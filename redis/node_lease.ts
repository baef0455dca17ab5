/**
 * The lease of a node: renewed while the node lives, and expired when it is dead, so that other nodes take over its
 * receivers.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { isMoving } from "./cluster_errors.ts";
import type { RedisLink } from "./link.ts";
import { SIGN } from "./log_scripts.ts";
import type { ScriptRunner } from "./script_runner.ts";

/** Interval between renewals, and duration of the lease, in ms. */
const INTERVAL = 1000;
const DURATION = 5000;

/** Owner of a {@linkcode NodeLease}. */
export interface NodeLeaseOwner {
  /**
   * Takes the answer of Redis to a renewal.
   *
   * @param base Base of the present epoch.
   * @param trimmed Sequence number up to which retention has removed notifications.
   * @param news News for all nodes.
   * @param link Connection of the renewal.
   */
  renewed(base: string, trimmed: number, news: string, link: RedisLink): Promise<void>;
  /** A renewal failed; the connection is to be replaced. */
  failed(error: unknown): void;
}

/** Renews the lease of one node. */
export class NodeLease {
  #node: string;
  #runner: ScriptRunner;
  #owner: NodeLeaseOwner;
  #cancel: () => void = () => {};
  #stopped = false;

  /**
   * Makes a lease that does not run yet.
   *
   * @param node ID of the node.
   * @param runner Runs scripts.
   * @param owner The journal.
   */
  constructor(node: string, runner: ScriptRunner, owner: NodeLeaseOwner) {
    this.#node = node;
    this.#runner = runner;
    this.#owner = owner;
  }

  /**
   * Renews the lease now, and from then on at an interval; does nothing once it is stopped.
   *
   * @param link Connection for this renewal; later ones use the connection of their time.
   */
  async renew(link: RedisLink): Promise<void> {
    // The journal may be closed while a connection is prepared.
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = systemClock.after(INTERVAL, () => {
      const current = this.#runner.link;
      if (current !== undefined && !this.#stopped) this.renew(current).catch((error) => this.#failed(error));
    });
    const [base, trimmed, news] = await this.#runner.run(SIGN, [this.#node, DURATION], link) as [
      string,
      string,
      string,
    ];
    await this.#owner.renewed(base, Number(trimmed), news, link);
  }

  #failed(error: unknown): void {
    // Until the keys have moved, another connection leads to the same server.
    if (!isMoving(error)) this.#owner.failed(error);
  }

  /** Ends the renewals. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Gives up the lease, so that other nodes need not wait until it expires. */
  async remove(): Promise<void> {
    await this.#runner.link?.send(["DEL", `${this.#runner.prefix}node:${this.#node}`]).catch(() => {});
  }
}
