/**
 * The lease of a node: renewed while the node lives, and expired when it is dead, so that other nodes take over its
 * receivers. Each renewal tells the state of the log, too.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import type { PostgresLink } from "./link.ts";
import { SIGN } from "./log_statements.ts";
import type { StatementRunner } from "./runner.ts";

/** Interval between renewals, and duration of the lease, in ms. */
const INTERVAL = 1000;
const DURATION = 5000;

/** State of the log. */
export interface LogState {
  /** Base of the present epoch. */
  readonly base: number;
  /** Last number given. */
  readonly last: number;
  /** Sequence number up to which retention has removed notifications. */
  readonly trimmed: number;
  /** Losses: "after until …". */
  readonly lost: string;
}

/** Owner of a {@linkcode NodeLease}. */
export interface NodeLeaseOwner {
  /** Channel to notify with each renewal. */
  readonly channel: string;
  /**
   * Takes the answer to a renewal.
   *
   * @param state State of the log.
   * @param link Connection of the renewal.
   */
  renewed(state: LogState, link: PostgresLink): Promise<void>;
  /** A renewal failed; the connection is to be replaced. */
  failed(error: unknown): void;
}

/** Renews the lease of one node. */
export class NodeLease {
  #node: string;
  #runner: StatementRunner;
  #owner: NodeLeaseOwner;
  #cancel: () => void = () => {};
  #stopped = false;

  /**
   * Makes a lease that does not run yet.
   *
   * @param node ID of the node.
   * @param runner Runs statements.
   * @param owner The journal.
   */
  constructor(node: string, runner: StatementRunner, owner: NodeLeaseOwner) {
    this.#node = node;
    this.#runner = runner;
    this.#owner = owner;
  }

  /**
   * Renews the lease now, and from then on at an interval; does nothing once it is stopped.
   *
   * @param link Connection for this renewal; later ones use the connection of their time.
   */
  async renew(link: PostgresLink): Promise<void> {
    // The journal may be closed while a connection is prepared.
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = systemClock.after(INTERVAL, () => {
      const current = this.#runner.link;
      if (current !== undefined && !this.#stopped) this.renew(current).catch((error) => this.#owner.failed(error));
    });
    const [row] = await this.#runner.run(SIGN, [this.#node, DURATION, this.#owner.channel], link);
    const [base, last, trimmed, lost = ""] = String(row![0]).split("|");
    await this.#owner.renewed({ base: Number(base), last: Number(last), trimmed: Number(trimmed), lost }, link);
  }

  /** Ends the renewals. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Gives up the lease, so that other nodes need not wait until it expires. */
  async remove(): Promise<void> {
    if (this.#runner.link === undefined) return;
    await this.#runner.run("DELETE FROM {schema}.node WHERE id = $1::text", [this.#node]).catch(() => {});
  }
}
