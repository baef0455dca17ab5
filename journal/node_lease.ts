/**
 * The lease of a node of a journal that several servers share: renewed while the node lives, and expired when it is
 * dead, so that other nodes take over its receivers.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";

/** Interval between renewals, in ms. */
const INTERVAL = 1000;
/** Duration of a lease, in ms. */
export const LEASE_DURATION = 5000;

/** Source of the connection. */
export interface LinkHolder<Link> {
  /** Connection at present; `undefined`: there is none. */
  readonly link: Link | undefined;
}

/** Owner of a {@linkcode NodeLease}. */
export interface NodeLeaseOwner<Link> {
  /** Renews the lease over a connection. */
  sign(link: Link): Promise<void>;
  /** Gives up the lease. */
  remove(link: Link): Promise<unknown>;
  /** A renewal failed; the connection is to be replaced. */
  failed(error: unknown): void;
}

/** Renews the lease of one node. */
export class NodeLease<Link> {
  #source: LinkHolder<Link>;
  #owner: NodeLeaseOwner<Link>;
  #cancel: () => void = () => {};
  #stopped = false;

  /**
   * Makes a lease that does not run yet.
   *
   * @param source Source of the connection.
   * @param owner The journal.
   */
  constructor(source: LinkHolder<Link>, owner: NodeLeaseOwner<Link>) {
    this.#source = source;
    this.#owner = owner;
  }

  /**
   * Renews the lease now, and from then on at an interval; does nothing once it is stopped.
   *
   * @param link Connection for this renewal; later ones use the connection of their time.
   */
  async renew(link: Link): Promise<void> {
    // The journal may be closed while a connection is prepared.
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = systemClock.after(INTERVAL, () => {
      const current = this.#source.link;
      if (current === undefined || this.#stopped) return;
      this.renew(current).catch((error) => {
        // A connection that was given up may end long after another one has taken its place.
        if (this.#source.link === current) this.#owner.failed(error);
      });
    });
    await this.#owner.sign(link);
  }

  /** Ends the renewals. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Gives up the lease, so that other nodes need not wait until it expires. */
  async remove(): Promise<void> {
    const { link } = this.#source;
    if (link !== undefined) await this.#owner.remove(link).catch(() => {});
  }
}
