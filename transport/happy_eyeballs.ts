/**
 * Connecting to a host with several addresses (RFC 8305): one after the other, without waiting for one that does not
 * answer.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** RFC 8305 §5: "Connection Attempt Delay", in ms. */
export const ATTEMPT_DELAY = 250;

/** An address of a host. */
export interface HostAddress {
  /** The address. */
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

/**
 * Orders addresses so that the families alternate (RFC 8305 §4), the first one staying the first.
 *
 * @param addresses As the resolver prefers them.
 * @returns The same in the order of the attempts.
 */
export function interleave(addresses: readonly HostAddress[]): HostAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const ordered: HostAddress[] = [];
  for (let index = 0; index < Math.max(first.length, second.length); index++) {
    if (index < first.length) ordered.push(first[index]!);
    if (index < second.length) ordered.push(second[index]!);
  }
  return ordered;
}

/** Settings of the attempts. */
export interface Dialling<Conn> {
  /**
   * Connects to one address.
   *
   * @param address The address.
   * @param signal Gives the attempt up.
   * @returns The connection.
   */
  dial(address: string, signal: AbortSignal): Promise<Conn>;
  /** Closes a connection that came too late. */
  close(conn: Conn): void;
  /** Time. */
  clock: Clock;
}

/**
 * Connects to the address that answers first. An attempt begins when the one before has failed, or after
 * {@linkcode ATTEMPT_DELAY}.
 *
 * @param addresses In the order of the attempts; at least one.
 * @param dialling Makes the attempts.
 * @param signal Gives all attempts up.
 * @returns The first connection. Rejects with the first failure when all have failed.
 */
export function connectFirst<Conn>(
  addresses: readonly HostAddress[],
  dialling: Dialling<Conn>,
  signal: AbortSignal,
): Promise<Conn> {
  return new Promise((resolve, reject) => {
    const attempts = new AbortController();
    const failures: unknown[] = [];
    let started = 0;
    let settled = false;
    let cancelTimer: () => void = () => {};
    const settle = (end: () => void): void => {
      settled = true;
      cancelTimer();
      signal.removeEventListener("abort", abort);
      attempts.abort();
      end();
    };
    const abort = (): void => settle(() => reject(signal.reason));
    const next = (): void => {
      cancelTimer();
      if (settled || started === addresses.length) return;
      const { address } = addresses[started++]!;
      if (started < addresses.length) cancelTimer = dialling.clock.after(ATTEMPT_DELAY, next);
      dialling.dial(address, attempts.signal).then((conn) => {
        if (settled) dialling.close(conn);
        else settle(() => resolve(conn));
      }, (error) => {
        failures.push(error);
        if (settled) return;
        if (failures.length === addresses.length) settle(() => reject(failures[0]));
        else next();
      });
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    next();
  });
}
