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

import type { AddressRanges } from "../base/address_ranges.ts";
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
  /** Proxies, whose connections count for the clients behind them only. */
  readonly proxies?: AddressRanges | undefined;
}

/** Name of the limit by which a connection is refused. */
export type AdmissionLimit = Exclude<keyof AdmissionLimits, "proxies">;

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
    const { maxConnections } = this.#limits();
    const network = this.#networkOf(address);
    // The address first: beyond its own limit it must not end connections of others.
    if (network !== undefined && !this.#hasRoom(network)) return "maxConnectionsPerAddress";
    if (isFull(maxConnections, this.#total) && !this.#evictIdle("maxConnections")) return "maxConnections";
    this.#total++;
    this.#handshaking++;
    const ticket = new AdmissionTicket(this.#office, address, now);
    ticket.countFor(address);
    this.#waiting.add(ticket);
    this.#evictWaiting(ticket);
    return ticket;
  }

  // ---- Networks ------------------------------------------------------------------------------------------------

  /** Network that an address counts for; `undefined`: that of a proxy, which is not limited. */
  #networkOf({ hostname }: Address): string | undefined {
    return this.#limits().proxies?.has(hostname) ? undefined : networkOf(hostname);
  }

  /** Tells whether a network may have one connection more, perhaps in place of an idle one. */
  #hasRoom(network: string): boolean {
    return !isFull(this.#limits().maxConnectionsPerAddress, this.#countOf(network)) || this.#evictIdleOf(network);
  }

  #countOf(network: string): number {
    return this.#perAddress.get(network) ?? 0;
  }

  /** Counts a connection for a network; returns `false` if that is beyond the limit. */
  #count(network: string): boolean {
    if (!this.#hasRoom(network)) return false;
    this.#perAddress.set(network, this.#countOf(network) + 1);
    return true;
  }

  #discount(network: string): void {
    const count = this.#countOf(network) - 1;
    if (count === 0) this.#perAddress.delete(network);
    else this.#perAddress.set(network, count);
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
    networkOf: (address) => this.#networkOf(address),
    count: (network) => this.#count(network),
    discount: (network) => this.#discount(network),
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
    },
  };

  #forget(ticket: AdmissionTicket): void {
    this.#waiting.delete(ticket);
    this.#idle.delete(ticket);
  }
}

function isFull(limit: number, count: number): boolean {
  return limit > 0 && count >= limit;
}

interface TicketOffice {
  /** Returns the network that an address counts for; `undefined` for a proxy. */
  networkOf(address: Address): string | undefined;
  count(network: string): boolean;
  discount(network: string): void;
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
  /** Time of its admission, in ms. */
  readonly acceptedAt: number;
  /** Called to end the connection when it is evicted. */
  evict: () => void = () => {};
  #office: TicketOffice;
  #state: "handshaking" | "open" | "departed" = "handshaking";
  /** Network that the connection counts for; `undefined`: that of a proxy, which is not limited. */
  #network: string | undefined;
  /** `true` if the network is that of a request, not of the connection. */
  #ofRequest = false;

  /**
   * Issued by an {@linkcode Admission}.
   *
   * @param office Counts the connection.
   * @param address The address of the peer.
   * @param acceptedAt Time of its admission, in ms.
   */
  constructor(office: TicketOffice, address: Address, acceptedAt: number) {
    this.#office = office;
    this.address = address;
    this.acceptedAt = acceptedAt;
  }

  /** Network that the connection counts for; `undefined`: that of a proxy, which is not limited. */
  get network(): string | undefined {
    return this.#network;
  }

  /**
   * Counts the connection for the client that it belongs to.
   *
   * @param client Address of the client.
   * @returns `false` if the client has too many connections: the ticket stays as it was.
   */
  countFor(client: Address): boolean {
    return this.#move(client, false);
  }

  #move(client: Address, ofRequest: boolean): boolean {
    const network = this.#office.networkOf(client);
    if (network === this.#network || this.#state === "departed") return true;
    if (network !== undefined && !this.#office.count(network)) return false;
    this.#moveTo(network);
    this.#ofRequest = ofRequest;
    return true;
  }

  /**
   * Counts the connection of a proxy for the client whose request it carries.
   *
   * @param client Address of the client.
   * @returns `false` if the client has too many connections: the ticket stays as it was.
   */
  serveClient(client: Address): boolean {
    return this.#move(client, true);
  }

  /** Ends the request of a client: the next one on the connection may be of another. */
  endRequest(): void {
    if (this.#ofRequest) this.#moveTo(undefined);
  }

  #moveTo(network: string | undefined): void {
    if (this.#network !== undefined) this.#office.discount(this.#network);
    this.#network = network;
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
    this.#moveTo(undefined);
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
