/**
 * The server's side of TLS over any transport, on `node:tls`, for Deno.
 *
 * Why not `Deno.listenTls`: its connections have no `setNoDelay` (Deno 2.9), so Nagle's algorithm meets delayed
 * acknowledgements. In bare prototypes a 64 KiB TLS echo ran at 91 round trips a second there and at 5 400 in this way, and one
 * small message in a hundred came 34 ms late; the price is some 35 % on 32 connections with 22 bytes each.
 *
 * Why not a server of `node:tls` on sockets of its own: when a peer's FIN comes while such a socket is paused, Deno 2.9
 * never reports it. Here it is the transport below that is paused, and that reports its end.
 *
 * @module
 */

import { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { concat } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import type { Address, TlsIdentity, Transport, TransportHandler } from "./transport.ts";

/** What a TLS handshake needs of the server. */
export class TlsServerSide {
  #context: SecureContext;
  #timeout: number;
  #clock: Clock;
  /** Transports whose TLS handshake is not done. */
  #handshaking = new Set<Transport>();

  /**
   * Takes the identity to show.
   *
   * @param identity Certificate and key.
   * @param timeout How long a TLS handshake may take, in ms; 0: no limit.
   * @param clock Time.
   */
  constructor(identity: TlsIdentity, timeout: number, clock: Clock) {
    this.#clock = clock;
    this.#context = makeContext(identity);
    this.#timeout = timeout;
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
    for (const raw of this.#handshaking) raw.destroy();
  }

  /**
   * Does the TLS handshake, ALPN `http/1.1` only.
   *
   * @param raw The transport below, not opened yet.
   * @returns The protected transport, not opened yet. Rejects if there is no handshake in time; `raw` is destroyed then.
   */
  secure(raw: Transport): Promise<Transport> {
    this.#handshaking.add(raw);
    return new Promise<Transport>((resolve, reject) => {
      const below = new TransportDuplex(raw);
      const options = { isServer: true, secureContext: this.#context, ALPNProtocols: ["http/1.1"] };
      const socket = new TLSSocket(below, options);
      const fail = (error: Error): void => {
        cancelTimer();
        this.#handshaking.delete(raw);
        socket.destroy();
        raw.destroy();
        reject(error);
      };
      const late = (): void => fail(new Error(`The TLS handshake took longer than ${this.#timeout} ms`));
      const cancelTimer = this.#timeout > 0 ? this.#clock.after(this.#timeout, late) : () => {};
      const gone = (): void => fail(new Error("The peer left inside the TLS handshake"));
      socket.on("error", fail);
      below.on("error", fail);
      below.once("close", gone);
      below.ended = gone;
      socket.once("secure", () => {
        cancelTimer();
        this.#handshaking.delete(raw);
        socket.off("error", fail);
        below.off("error", fail);
        below.off("close", gone);
        below.ended = () => {};
        resolve(new TlsTransport(raw, below, socket));
      });
    });
  }
}

function makeContext(identity: TlsIdentity): SecureContext {
  return createSecureContext({ cert: identity.certificate, key: identity.key });
}

/** A transport as the stream that `node:tls` wants below it. */
class TransportDuplex extends Duplex {
  #raw: Transport;
  #written: (() => void) | undefined;
  /** Whether the program has paused the connection: what the stream asks for does not count then. */
  held = false;
  /** Called when the peer has sent FIN: inside the handshake `node:tls` says nothing of it. */
  ended: () => void = () => {};

  constructor(raw: Transport) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    raw.open({
      data: (bytes) => {
        if (!this.push(new Uint8Array(bytes))) raw.pause();
      },
      drain: () => this.#drained(),
      end: () => {
        this.push(null);
        this.ended();
      },
      close: (error) => void this.destroy(error instanceof Error ? error : undefined),
    });
  }

  #drained(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _read(): void {
    if (!this.held) this.#raw.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: () => void): void {
    if (this.#raw.write(chunk)) callback();
    else this.#written = callback;
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: () => void): void {
    this._write(concat(...chunks.map(({ chunk }) => chunk)), "", callback);
  }

  override _final(callback: () => void): void {
    this.#raw.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#raw.destroy();
    callback(error);
  }
}

class TlsTransport implements Transport {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted = true;
  #raw: Transport;
  #below: TransportDuplex;
  #socket: TLSSocket;
  #handler: TransportHandler | undefined;
  #error: unknown;
  #closed = false;

  constructor(raw: Transport, below: TransportDuplex, socket: TLSSocket) {
    this.#raw = raw;
    this.#below = below;
    this.#socket = socket;
    this.remoteAddress = raw.remoteAddress;
    this.localAddress = raw.localAddress;
    // Without listeners an error would end the program.
    const keep = (error: unknown): void => void (this.#error ??= error);
    socket.on("error", keep);
    below.on("error", keep);
  }

  get bytesWritten(): number {
    return this.#raw.bytesWritten;
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (!first) return;
    // Not as a Buffer, whose slice() is a view.
    this.#socket.on("data", (buffer: Uint8Array) => {
      this.#handler!.data(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length));
    });
    this.#socket.on("end", () => this.#handler!.end());
    this.#socket.on("close", () => this.#close());
    this.#below.on("close", () => this.#close());
    if (this.#below.destroyed) queueMicrotask(() => this.#close());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#socket.destroyed) return false;
    this.#socket.write(bytes, (error) => {
      if (!error) this.#handler?.drain();
    });
    return false;
  }

  pause(): void {
    this.#below.held = true;
    this.#raw.pause();
  }

  resume(): void {
    this.#below.held = false;
    this.#raw.resume();
  }

  takeTurn(goOn: () => void): void {
    this.#raw.takeTurn(goOn);
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
