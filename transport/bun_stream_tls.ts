/**
 * TLS of a server on Bun over connections whose first bytes were read already, as behind a header of the PROXY
 * protocol, on `node:tls`: a socket of `Bun.listen` (Bun 1.4) can begin TLS only while nothing was read.
 *
 * Two differences of this `node:tls` matter. It takes all bytes at once, however slow the peer reads: a write is done
 * here when the bytes below TLS are sent. And a peer that ends its side (FIN) ends the connection.
 *
 * @module
 */

import { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { Address, Admittance, ListenHandler, TlsIdentity, Transport, TransportHandler } from "./transport.ts";

/** ALPN of RFC 7301 for HTTP/1.1, which RFC 6455 stands on. */
const PROTOCOLS = ["http/1.1"];

/** TLS handshakes of a server, over connections of any kind. */
export class StreamTlsSide {
  #context: SecureContext;
  readonly #timeout: number;
  readonly #clock: Clock;
  /** Give up the handshakes that are not done. */
  readonly #pending = new Set<(error?: Error) => void>();

  /**
   * Takes the identity to show.
   *
   * @param identity Certificate and key.
   * @param timeout Longest time of a TLS handshake, in ms; 0: no limit.
   * @param clock Time.
   */
  constructor(identity: TlsIdentity, timeout: number, clock: Clock) {
    this.#context = makeContext(identity);
    this.#timeout = timeout;
    this.#clock = clock;
  }

  /**
   * Shows another certificate from the next TLS handshake on.
   *
   * @param identity Certificate and key.
   */
  replaceIdentity(identity: TlsIdentity): void {
    this.#context = makeContext(identity);
  }

  /** Gives up the handshakes that are not done. */
  close(): void {
    for (const giveUp of [...this.#pending]) giveUp();
  }

  /**
   * Accepts a connection after its TLS handshake.
   *
   * @param raw The connection, not opened yet.
   * @param handler Takes it.
   * @param admitted Its slot, if it has one already.
   */
  accept(raw: Transport, handler: ListenHandler, admitted?: Admittance): void {
    const admittance = admitted ?? handler.admit(raw.remoteAddress);
    if (admittance === undefined) return raw.destroy();
    const below = new RawDuplex(raw);
    const socket = new TLSSocket(below, { isServer: true, secureContext: this.#context, ALPNProtocols: PROTOCOLS });
    const settle = (): boolean => {
      cancelTimer();
      return this.#pending.delete(giveUp);
    };
    /** Without an error the reason is known. */
    const giveUp = (error?: Error): void => {
      if (!settle()) return;
      socket.destroy();
      below.destroy();
      admittance.leave();
      if (error !== undefined) handler.handshakeFailed(error, raw.remoteAddress, raw.proxyAddress);
    };
    const late = (): void => giveUp(new Error(`The TLS handshake took longer than ${this.#timeout} ms`));
    const cancelTimer = this.#timeout > 0 ? this.#clock.after(this.#timeout, late) : () => {};
    const gone = (): void => giveUp(new Error("The peer left inside the TLS handshake"));
    this.#pending.add(giveUp);
    admittance.evict = () => giveUp();
    below.ended = gone;
    for (const stream of [below, socket]) {
      stream.on("error", giveUp);
      stream.on("close", gone);
    }
    socket.once("secure", () => {
      if (settle()) handler.accept(new StreamTls(raw, below, socket), admittance);
    });
  }
}

function makeContext({ certificate: cert, key }: TlsIdentity): SecureContext {
  return createSecureContext({ cert, key });
}

/** A transport as the stream that `node:tls` wants below it. */
class RawDuplex extends Duplex {
  readonly #raw: Transport;
  #written: ((error?: Error | null) => void) | undefined;
  /** Called when all bytes are sent. */
  idle: () => void = () => {};
  /** Called when the peer has sent FIN, which `node:tls` does not report inside the handshake. */
  ended: () => void = () => {};

  constructor(raw: Transport) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    raw.open({
      data: (bytes) => {
        if (!this.push(bytes.slice())) raw.pause();
      },
      drain: () => this.#drained(),
      end: () => {
        this.push(null);
        this.ended();
      },
      close: (error) => void this.destroy(error instanceof Error ? error : undefined),
    });
  }

  /** `true` if bytes are not sent yet. */
  get busy(): boolean {
    return this.#written !== undefined || this.writableLength > 0;
  }

  #drained(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
    if (!this.busy) this.idle();
  }

  override _read(): void {
    this.#raw.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#written = done;
    if (this.#raw.write(new Uint8Array(chunk))) this.#drained();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#raw.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#raw.destroy();
    done(error);
  }
}

class StreamTls implements Transport {
  readonly remoteAddress: Address;
  readonly proxyAddress: Address | undefined;
  readonly localAddress: Address;
  readonly encrypted = true;
  readonly #raw: Transport;
  readonly #below: RawDuplex;
  readonly #socket: TLSSocket;
  #handler: TransportHandler | undefined;
  #writing: "nothing" | "encrypting" | "sending" = "nothing";
  #closed = false;
  #error: unknown;

  constructor(raw: Transport, below: RawDuplex, socket: TLSSocket) {
    this.#raw = raw;
    this.#below = below;
    this.#socket = socket;
    this.remoteAddress = raw.remoteAddress;
    this.proxyAddress = raw.proxyAddress;
    this.localAddress = raw.localAddress;
    const keep = (error: unknown): void => void (this.#error ??= error);
    socket.on("error", keep);
    below.on("error", keep);
    below.idle = () => this.#sent();
  }

  get bytesWritten(): number {
    return this.#raw.bytesWritten;
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (!first) return;
    // Not as a Buffer, whose slice() is a view; a copy, since its memory may be shared.
    this.#socket.on("data", (bytes: Uint8Array) => this.#handler!.data(new Uint8Array(bytes)));
    this.#socket.on("end", () => this.#handler!.end());
    this.#socket.on("close", () => this.#close());
    this.#below.on("close", () => this.#close());
    if (this.#below.destroyed) queueMicrotask(() => this.#close());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#socket.destroyed) return false;
    this.#writing = "encrypting";
    this.#socket.write(bytes, () => {
      if (this.#writing !== "encrypting") return;
      this.#writing = "sending";
      if (!this.#below.busy) this.#sent();
    });
    return false;
  }

  #sent(): void {
    if (this.#writing !== "sending") return;
    this.#writing = "nothing";
    this.#handler?.drain();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  deferWork(work: () => void): void {
    this.#raw.deferWork(work);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#below.destroy();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.destroy();
    this.#handler!.close(this.#error);
  }
}
