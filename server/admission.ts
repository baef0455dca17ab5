/**
 * Who may connect: how many in all, how many from one address, and how many whose handshake is not done.
 *
 * Beyond the first two limits a newcomer is refused. Beyond the third the one that has kept us waiting the longest has to go: an honest
 * handshake takes moments, while those of an attacker who opens connections and says nothing pile up.
 *
 * @module
 */

import type { Address, Admittance } from "../transport/transport.ts";

/** Limits of an {@linkcode Admission}; 0 turns one off. */
export interface AdmissionLimits {
  /** Connections. */
  readonly maxConnections: number;
  /** Connections from one address; from one network of 64 bits with IPv6, since that is what one customer gets. */
  readonly maxConnectionsPerAddress: number;
  /** Connections that we wait for, before they are WebSockets. */
  readonly maxHandshakes: number;
}

/** The limit that keeps somebody out. */
export type AdmissionLimit = keyof AdmissionLimits;

/** Counts the connections of one server. */
export class Admission {
  #limits: () => AdmissionLimits;
  #onEvict: (address: Address) => void;
  #total = 0;
  #perAddress = new Map<string, number>();
  /** Those that we wait for, the longest first. */
  #waiting = new Set<Pass>();
  /** Those whose handshake is not done. */
  #handshaking = 0;

  /**
   * Makes one without connections.
   *
   * @param limits Tells the limits.
   * @param onEvict Told of those that have to go.
   */
  constructor(limits: () => AdmissionLimits, onEvict: (address: Address) => void) {
    this.#limits = limits;
    this.#onEvict = onEvict;
  }

  /** Connections whose handshake is not done. */
  get handshaking(): number {
    return this.#handshaking;
  }

  /**
   * Somebody comes.
   *
   * @param address From where.
   * @param now The time, in ms.
   * @returns A pass, or the limit that keeps it out.
   */
  enter(address: Address, now: number): Pass | AdmissionLimit {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits();
    if (maxConnections > 0 && this.#total >= maxConnections) return "maxConnections";
    const key = networkOf(address.hostname);
    const count = this.#perAddress.get(key) ?? 0;
    if (maxConnectionsPerAddress > 0 && count >= maxConnectionsPerAddress) return "maxConnectionsPerAddress";
    this.#total++;
    this.#perAddress.set(key, count + 1);
    this.#handshaking++;
    const pass = new Pass(this.#desk, address, now);
    this.#wait(pass);
    return pass;
  }

  #wait(pass: Pass): void {
    const { maxHandshakes } = this.#limits();
    this.#waiting.add(pass);
    while (maxHandshakes > 0 && this.#waiting.size > maxHandshakes) {
      const [oldest] = this.#waiting;
      this.#waiting.delete(oldest);
      this.#onEvict(oldest.address);
      oldest.evict();
    }
  }

  readonly #desk: PassDesk = {
    waits: (pass) => this.#wait(pass),
    works: (pass) => void this.#waiting.delete(pass),
    opened: (pass) => {
      this.#waiting.delete(pass);
      this.#handshaking--;
    },
    left: (pass, opened) => {
      this.#waiting.delete(pass);
      if (!opened) this.#handshaking--;
      this.#total--;
      const key = networkOf(pass.address.hostname);
      const count = this.#perAddress.get(key)! - 1;
      if (count === 0) this.#perAddress.delete(key);
      else this.#perAddress.set(key, count);
    },
  };
}

interface PassDesk {
  waits(pass: Pass): void;
  works(pass: Pass): void;
  opened(pass: Pass): void;
  left(pass: Pass, opened: boolean): void;
}

/** What one connection holds from TCP on until it ends. */
export class Pass implements Admittance {
  /** From where it comes. */
  readonly address: Address;
  /** Since when it is there, in ms. */
  readonly acceptedAt: number;
  /** Called when it has to go: ends it. */
  evict: () => void = () => {};
  #desk: PassDesk;
  #state: "handshaking" | "open" | "left" = "handshaking";

  /**
   * Issued by an {@linkcode Admission}.
   *
   * @param desk Where the connection is counted.
   * @param address From where it comes.
   * @param acceptedAt Since when it is there, in ms.
   */
  constructor(desk: PassDesk, address: Address, acceptedAt: number) {
    this.#desk = desk;
    this.address = address;
    this.acceptedAt = acceptedAt;
  }

  /** We wait for the peer. */
  waits(): void {
    if (this.#state === "handshaking") this.#desk.waits(this);
  }

  /** The peer waits for us. */
  works(): void {
    if (this.#state === "handshaking") this.#desk.works(this);
  }

  /** It is a WebSocket now. */
  opened(): void {
    if (this.#state !== "handshaking") return;
    this.#state = "open";
    this.#desk.opened(this);
  }

  /** It has ended. */
  leave(): void {
    if (this.#state === "left") return;
    const opened = this.#state === "open";
    this.#state = "left";
    this.#desk.left(this, opened);
  }
}

/**
 * What counts as one address.
 *
 * @param hostname An address.
 * @returns The same, or the first 64 bits of one of IPv6.
 */
export function networkOf(hostname: string): string {
  if (!hostname.includes(":")) return hostname;
  const [plain] = hostname.split("%");
  const lastColon = plain.lastIndexOf(":");
  // An IPv4 address, as a socket for both shows it.
  if (plain.includes(".", lastColon)) return plain.slice(lastColon + 1);
  const [head, tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  // The same IPv4 address with hexadecimal digits.
  if (groups.length === 8 && groups.slice(0, 5).every((group) => parseInt(group, 16) === 0) && groups[5] === "ffff") {
    const octets = groups.slice(6).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
    return octets.join(".");
  }
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":");
}
