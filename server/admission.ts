/**
 * Admission of connections, by three limits: connections in all, connections of one address, and connections whose
 * handshake is not done.
 *
 * Beyond the first two limits a new connection is refused. Beyond the third, the connection that the server has
 * waited for longest is evicted: an honest handshake takes moments, while those of an attacker who opens connections
 * and sends nothing pile up. Before each of the three, the connection that has been kept idle between two requests for
 * longest is evicted: its peer loses nothing but the time to connect again.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { encodeHead } from "../protocol/head.ts";
import type { Address, Admittance, Transport } from "../transport/transport.ts";

/** Limits of an {@linkcode Admission}; 0 turns one off. */
export interface AdmissionLimits {
  /** Connections. */
  readonly maxConnections: number;
  /** Connections from one address; from one network of 64 bits with IPv6, since that is what one customer gets. */
  readonly maxConnectionsPerAddress: number;
  /** Connections that the server waits for before they are WebSockets. */
  readonly maxHandshakes: number;
}

/** Name of the limit by which a connection is refused. */
export type AdmissionLimit = keyof AdmissionLimits;

/** Counts the connections of one server. */
export class Admission {
  #limits: () => AdmissionLimits;
  #onEvict: (address: Address, limit: AdmissionLimit) => void;
  #total = 0;
  #perAddress = new Map<string, number>();
  /** Connections that the server waits for, the longest first. */
  #waiting = new Set<AdmissionTicket>();
  /** Connections that are kept between two requests, the longest first. */
  #idle = new Set<AdmissionTicket>();
  /** Number of connections whose handshake is not done. */
  #handshaking = 0;

  /**
   * Makes an admission without connections.
   *
   * @param limits Returns the limits.
   * @param onEvict Called with the address of each connection that is evicted, and the limit.
   */
  constructor(limits: () => AdmissionLimits, onEvict: (address: Address, limit: AdmissionLimit) => void) {
    this.#limits = limits;
    this.#onEvict = onEvict;
  }

  /** Number of connections whose handshake is not done. */
  get handshaking(): number {
    return this.#handshaking;
  }

  /**
   * Admits a new connection.
   *
   * @param address The address of the peer.
   * @param now The time, in ms.
   * @returns A ticket, or the limit by which it is refused.
   */
  enter(address: Address, now: number): AdmissionTicket | AdmissionLimit {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits();
    const network = networkOf(address.hostname);
    const isFull = (limit: number, count: number): boolean => limit > 0 && count >= limit;
    // The address first: beyond its own limit it must not end connections of others.
    if (isFull(maxConnectionsPerAddress, this.#countOf(network)) && !this.#evictIdleOf(network)) {
      return "maxConnectionsPerAddress";
    }
    if (isFull(maxConnections, this.#total) && !this.#evictIdle("maxConnections")) return "maxConnections";
    this.#total++;
    this.#perAddress.set(network, this.#countOf(network) + 1);
    this.#handshaking++;
    const ticket = new AdmissionTicket(this.#office, address, network, now);
    this.#waiting.add(ticket);
    this.#evictWaiting(ticket);
    return ticket;
  }

  #countOf(network: string): number {
    return this.#perAddress.get(network) ?? 0;
  }

  // ---- Evictions -----------------------------------------------------------------------------------------------

  /** @param added The connection that makes one too many: what was written to it must still arrive. */
  #evictWaiting(added: AdmissionTicket): void {
    const { maxHandshakes } = this.#limits();
    while (maxHandshakes > 0 && this.#waiting.size + this.#idle.size > maxHandshakes) {
      if (this.#evictIdle("maxHandshakes", added)) continue;
      const oldest = this.#waiting.values().next().value ?? added;
      this.#evict(oldest, "maxHandshakes");
    }
  }

  /** Evicts the connection that has been idle for longest; returns `false` if there is none but `added`. */
  #evictIdle(limit: AdmissionLimit, added?: AdmissionTicket): boolean {
    const oldest = this.#idle.values().next().value;
    if (oldest === undefined || oldest === added) return false;
    this.#evict(oldest, limit);
    return true;
  }

  #evictIdleOf(network: string): boolean {
    for (const ticket of this.#idle) {
      if (ticket.network !== network) continue;
      this.#evict(ticket, "maxConnectionsPerAddress");
      return true;
    }
    return false;
  }

  #evict(ticket: AdmissionTicket, limit: AdmissionLimit): void {
    // Its place is free now, though its transport may end later.
    ticket.leave();
    this.#onEvict(ticket.address, limit);
    ticket.evict();
  }

  readonly #office: TicketOffice = {
    awaitingPeer: (ticket) => {
      this.#idle.delete(ticket);
      this.#waiting.add(ticket);
      this.#evictWaiting(ticket);
    },
    servingPeer: (ticket) => this.#forget(ticket),
    idle: (ticket) => {
      this.#waiting.delete(ticket);
      this.#idle.add(ticket);
      this.#evictWaiting(ticket);
    },
    opened: (ticket) => {
      this.#forget(ticket);
      this.#handshaking--;
    },
    departed: (ticket, opened) => {
      this.#forget(ticket);
      if (!opened) this.#handshaking--;
      this.#total--;
      const count = this.#countOf(ticket.network) - 1;
      if (count === 0) this.#perAddress.delete(ticket.network);
      else this.#perAddress.set(ticket.network, count);
    },
  };

  #forget(ticket: AdmissionTicket): void {
    this.#waiting.delete(ticket);
    this.#idle.delete(ticket);
  }
}

interface TicketOffice {
  awaitingPeer(ticket: AdmissionTicket): void;
  servingPeer(ticket: AdmissionTicket): void;
  idle(ticket: AdmissionTicket): void;
  opened(ticket: AdmissionTicket): void;
  departed(ticket: AdmissionTicket, opened: boolean): void;
}

/** Counts one connection from TCP on until it ends. */
export class AdmissionTicket implements Admittance {
  /** The address of the peer. */
  readonly address: Address;
  /** The part of the address by which connections are counted. */
  readonly network: string;
  /** Time of its admission, in ms. */
  readonly acceptedAt: number;
  /** Called to end the connection when it is evicted. */
  evict: () => void = () => {};
  #office: TicketOffice;
  #state: "handshaking" | "open" | "departed" = "handshaking";

  /**
   * Issued by an {@linkcode Admission}.
   *
   * @param office Counts the connection.
   * @param address The address of the peer.
   * @param network The part of the address by which connections are counted.
   * @param acceptedAt Time of its admission, in ms.
   */
  constructor(office: TicketOffice, address: Address, network: string, acceptedAt: number) {
    this.#office = office;
    this.address = address;
    this.network = network;
    this.acceptedAt = acceptedAt;
  }

  /** From now on the server waits for the peer. */
  awaitingPeer(): void {
    if (this.#state === "handshaking") this.#office.awaitingPeer(this);
  }

  /** From now on the peer waits for the server. */
  servingPeer(): void {
    if (this.#state === "handshaking") this.#office.servingPeer(this);
  }

  /** All requests are answered, and the connection is kept. */
  idle(): void {
    if (this.#state === "handshaking") this.#office.idle(this);
  }

  /** The connection is a WebSocket now. */
  opened(): void {
    if (this.#state !== "handshaking") return;
    this.#state = "open";
    this.#office.opened(this);
  }

  /** The connection has ended. */
  leave(): void {
    if (this.#state === "departed") return;
    const opened = this.#state === "open";
    this.#state = "departed";
    this.#office.departed(this, opened);
  }
}

/** Largest number of connections that get an answer at the same time; others are closed at once. */
const MAX_ANSWERED = 256;
/** Time for the answer to arrive, in ms. */
const ANSWER_TIMEOUT = 1000;

/** Answers connections beyond a limit with 429 or 503, and ends them. */
export class RefusalQueue {
  #answered = new Set<Transport>();

  /**
   * Answers a connection, and ends it.
   *
   * @param transport The connection, not opened yet.
   * @param limit The limit that it exceeds.
   * @param clock The clock.
   */
  add(transport: Transport, limit: AdmissionLimit, clock: Clock): void {
    if (this.#answered.size >= MAX_ANSWERED) return transport.destroy();
    this.#answered.add(transport);
    const cancel = clock.after(ANSWER_TIMEOUT, () => transport.destroy());
    transport.open({
      // Read, since closing a socket with unread bytes would send a reset, which overtakes the answer.
      data() {},
      drain() {},
      end: () => transport.destroy(),
      close: () => {
        cancel();
        this.#answered.delete(transport);
      },
    });
    transport.write(limit === "maxConnectionsPerAddress" ? TOO_MANY : UNAVAILABLE);
    transport.end();
  }

  /** Ends all connections that are being answered, at once. */
  end(): void {
    for (const transport of this.#answered) transport.destroy();
  }
}

const TOO_MANY = answer("429 Too Many Requests");
const UNAVAILABLE = answer("503 Service Unavailable");

function answer(status: string): Uint8Array {
  return encodeHead(`HTTP/1.1 ${status}`, [["content-length", "0"], ["connection", "close"], ["retry-after", "1"]]);
}

/**
 * Reduces an address to the part by which connections are counted.
 *
 * @param hostname An address.
 * @returns The address, or the first 64 bits of an IPv6 address.
 */
export function networkOf(hostname: string): string {
  if (!hostname.includes(":")) return hostname;
  const [plain = ""] = hostname.split("%");
  const lastColon = plain.lastIndexOf(":");
  // An IPv4 address, as a dual-stack socket shows it.
  if (plain.includes(".", lastColon)) return plain.slice(lastColon + 1);
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  // An IPv4 address in hexadecimal digits.
  if (groups.length === 8 && groups.slice(0, 5).every((group) => parseInt(group, 16) === 0) && groups[5] === "ffff") {
    const octets = groups.slice(6).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
    return octets.join(".");
  }
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":");
}
