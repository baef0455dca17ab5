/**
 * The PROXY protocol on a port: waits for the header of each trusted proxy, before TLS, and hands on a connection of
 * the client that it names.
 *
 * | state     | meaning                                                            | next              |
 * |-----------|--------------------------------------------------------------------|-------------------|
 * | `waiting` | the header has not come, or not all of it                          | `passed`, `ended` |
 * | `passed`  | the connection belongs to the server; its first bytes may wait     | `direct`          |
 * | `direct`  | the server has the bytes, and events of the socket go to it        |                   |
 * | `ended`   | the connection was given up                                        |                   |
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { concat, EMPTY } from "../base/bytes.ts";
import { TransportError } from "../base/errors.ts";
import type { WriteBatch } from "../base/write_batch.ts";
import { ProxyHeaderReader } from "../protocol/proxy_protocol.ts";
import type {
  Address,
  Admittance,
  ListenHandler,
  ListenSettings,
  ProxyProtocolHandler,
  Transport,
  TransportHandler,
} from "./transport.ts";

/** Takes a connection whose header has come. */
export type NextStep = (transport: Transport, admittance: Admittance) => void;

/** Settings of a gate. */
export type GateSettings = Pick<ListenSettings, "handshakeTimeout" | "clock">;

/** Waits for the headers of one port. */
export class ProxyGate {
  readonly #headers: ProxyProtocolHandler;
  readonly #settings: GateSettings;
  readonly #handler: ListenHandler;
  readonly #waiting = new Set<ProxiedTransport>();

  /**
   * Makes a gate.
   *
   * @param headers Takes the headers.
   * @param settings Time for a header.
   * @param handler Admits the connections.
   */
  constructor(headers: ProxyProtocolHandler, settings: GateSettings, handler: ListenHandler) {
    this.#headers = headers;
    this.#settings = settings;
    this.#handler = handler;
  }

  /**
   * Finds out if a peer sends a header.
   *
   * @param peer Its address.
   * @returns `true` if it must.
   */
  expects(peer: Address): boolean {
    return this.#headers.sends(peer);
  }

  /**
   * Waits for the header of a connection.
   *
   * @param raw The connection, not opened yet, of a peer that sends one.
   * @param next Called when it has come, unless the server has refused the client.
   */
  receive(raw: Transport, next: NextStep): void {
    const { handshakeTimeout: timeout, clock } = this.#settings;
    const admittance = this.#handler.admit(raw.remoteAddress);
    if (admittance === undefined) return raw.destroy();
    const transport = new ProxiedTransport(raw, (error) => {
      cancelTimer();
      this.#waiting.delete(transport);
      if (error === undefined) {
        if (this.#headers.identified(transport, admittance)) next(transport, admittance);
        return;
      }
      admittance.leave();
      if (error !== GIVEN_UP) this.#headers.failed(error, raw.remoteAddress);
    });
    const late = (): void => {
      transport.fail(new TransportError("ERR_PROXY_HEADER", `No PROXY header came within ${timeout} ms`));
    };
    const cancelTimer = timeout > 0 ? clock.after(timeout, late) : () => {};
    admittance.evict = () => transport.fail(GIVEN_UP);
    this.#waiting.add(transport);
    transport.begin();
  }

  /** Gives up the connections whose header has not come. */
  close(): void {
    for (const transport of [...this.#waiting]) transport.fail(GIVEN_UP);
  }
}

/** Stands for an end that the server has decided about, which needs no report. */
const GIVEN_UP = new TransportError("ERR_ABORTED", "The connection was given up");

/** A connection that begins with a header. Behind it the socket reports to the handler of the server directly. */
class ProxiedTransport implements Transport {
  remoteAddress: Address;
  proxyAddress: Address | undefined;
  readonly localAddress: Address;
  readonly encrypted = false;
  readonly #raw: Transport;
  readonly #reader = new ProxyHeaderReader();
  /** Called once: when the header has come, or with the error that ends the wait. */
  readonly #decided: (error?: TransportError) => void;
  #state: "waiting" | "passed" | "direct" | "ended" = "waiting";
  #handler: TransportHandler | undefined;
  /** Bytes behind the header, until the handler takes them. */
  #early: Uint8Array = EMPTY;
  #paused = false;
  #fin = false;
  #closed: { readonly error: unknown } | undefined;
  #destroyed = false;

  constructor(raw: Transport, decided: (error?: TransportError) => void) {
    this.#raw = raw;
    this.#decided = decided;
    this.remoteAddress = raw.remoteAddress;
    this.localAddress = raw.localAddress;
  }

  // ---- Header --------------------------------------------------------------------------------------------------

  /** Reads the header. */
  begin(): void {
    this.#raw.open({
      data: (bytes) => this.#receive(bytes),
      drain: () => this.#handler?.drain(),
      end: () => {
        this.#fin = true;
        this.fail(this.#left());
      },
      close: (error) => {
        this.#closed = { error };
        this.fail(this.#left());
      },
    });
  }

  /** Ends the wait for the header. */
  fail(error: TransportError): void {
    if (this.#state !== "waiting") return;
    this.#state = "ended";
    this.#raw.destroy();
    this.#decided(error);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#state === "passed") this.#early = concat(this.#early, bytes);
    if (this.#state !== "waiting") return;
    let used: number;
    try {
      used = this.#reader.push(bytes);
    } catch (error) {
      return this.fail(error as TransportError);
    }
    const { header } = this.#reader;
    if (header === undefined) return;
    this.#state = "passed";
    this.#early = bytes.slice(used);
    this.#raw.pause();
    this.proxyAddress = this.remoteAddress;
    if (header.source !== undefined) this.remoteAddress = { ...header.source };
    this.#decided();
  }

  /** A probe of a load balancer connects and leaves, which is no fault. */
  #left(): TransportError {
    if (this.#reader.untouched) return GIVEN_UP;
    return new TransportError("ERR_PROXY_HEADER", "The proxy has left inside the header of the PROXY protocol");
  }

  // ---- For the server ------------------------------------------------------------------------------------------

  get batch(): WriteBatch | undefined {
    return this.#raw.batch;
  }

  get bytesWritten(): number {
    return this.#raw.bytesWritten;
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (this.#state === "direct") this.#raw.open(handler);
    // In a later turn: a TLSSocket of Deno 2.9 that gets broken bytes in the turn it is made in ends the process.
    else if (first) setImmediate(() => this.#connect());
  }

  /** Gives the handler what has come meanwhile; from then on the socket reports to it. */
  #connect(): void {
    this.#state = "direct";
    this.#raw.open(this.#handler!);
    const early = this.#early;
    this.#early = EMPTY;
    if (early.length > 0 && !this.#destroyed) this.#handler!.data(early);
    if (this.#fin && !this.#destroyed) this.#handler!.end();
    if (this.#closed !== undefined) this.#handler!.close(this.#closed.error);
    else if (!this.#paused) this.#raw.resume();
  }

  write(bytes: Uint8Array): boolean {
    return this.#raw.write(bytes);
  }

  pause(): void {
    this.#paused = true;
    this.#raw.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#state === "direct") this.#raw.resume();
  }

  deferWork(work: () => void): void {
    this.#raw.deferWork(work);
  }

  end(): void {
    this.#raw.end();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#raw.destroy();
  }
}
