/**
 * The server's side of TLS over any transport, on `node:tls`, for Deno.
 *
 * Why not `Deno.listenTls`: its connections have no `setNoDelay` (Deno 2.9), so Nagle's algorithm meets delayed
 * acknowledgements. A server that sent a small message each 7 ms to a client that answers each third one had 43 % of them come 20 to
 * 41 ms late.
 *
 * Why not a server of `node:tls` on sockets of its own: it never accepts again once no file descriptor was left, and `pause` of
 * such a socket does not stop the reading from the system, so that memory grows with what a peer sends (`bench/README.md`).
 *
 * @module
 */

import { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Clock } from "./clock.ts";
import type { Address, TlsIdentity, Transport, TransportHandler } from "./transport.ts";

/** So much is given to `node:tls` at a time to decrypt, in bytes, */
const SLICE = 64 * 1024;
/** and so much to encrypt. */
const PART = 48 * 1024;

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
      const socket = new DirectTlsSocket(below, options);
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

/**
 * A transport as the stream that `node:tls` wants below it. That reads by `data` events and writes with a callback; the queues of
 * a `Duplex` in between would only copy, so bytes go past them.
 */
class TransportDuplex extends Duplex {
  #raw: Transport;
  #opened = false;
  #written: (() => void) | undefined;
  /** Whether the program has paused the connection: what the stream asks for does not count then. */
  held = false;
  /** Called when the peer has sent FIN: inside the handshake `node:tls` says nothing of it. */
  ended: () => void = () => {};

  constructor(raw: Transport) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
  }

  /** Whether a write is in progress. */
  get writing(): boolean {
    return this.#written !== undefined;
  }

  /** Called when a write has ended and no other has begun. */
  idle: () => void = () => {};

  #open(): void {
    this.#opened = true;
    this.#raw.open({
      data: (bytes) => this.#deliver(bytes),
      drain: () => this.#drained(),
      end: () => {
        this.emit("end");
        this.ended();
      },
      close: (error) => void this.destroy(error instanceof Error ? error : undefined),
    });
  }

  /** In slices: `node:tls` decrypts all that it is given into memory of its own, which stays in the cache if it is small. */
  #deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.destroyed; at += SLICE) {
      this.emit("data", bytes.length <= SLICE ? bytes : bytes.subarray(at, at + SLICE));
    }
  }

  #drained(): void {
    const written = this.#written;
    this.#written = undefined;
    // It may write more.
    written?.();
    if (this.#written === undefined) this.idle();
  }

  override resume(): this {
    if (!this.#opened) this.#open();
    else if (!this.held) this.#raw.resume();
    return this;
  }

  override pause(): this {
    if (this.#opened) this.#raw.pause();
    return this;
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const written = rest.at(-1) as () => void;
    if (this.destroyed) return false;
    if (!this.#opened) this.#open();
    this.#written = written;
    if (this.#raw.write(chunk as Uint8Array)) this.#drained();
    return false;
  }

  override end(...rest: unknown[]): this {
    this.#raw.end();
    const ended = rest.at(-1);
    if (typeof ended === "function") ended();
    return this;
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#raw.destroy();
    callback(error);
  }
}

/** A socket that gives what was decrypted straight to its transport, and takes what is to be encrypted past its queue. */
class DirectTlsSocket extends TLSSocket {
  /** Takes what was decrypted; `undefined`: it goes the way of any stream. */
  receive: ((bytes: Uint8Array) => void) | undefined;

  override push(chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
    // What came before somebody took it lies in the stream, and goes first.
    if (chunk === null || this.receive === undefined || this.readableLength > 0) return super.push(chunk, encoding);
    this.receive(chunk);
    return true;
  }

  /**
   * Encrypts and sends, one call at a time.
   *
   * @param bytes What to send.
   * @param done Called when it has left, or cannot leave.
   */
  send(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this._write(bytes, "buffer" as BufferEncoding, done);
  }
}

class TlsTransport implements Transport {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted = true;
  #raw: Transport;
  #below: TransportDuplex;
  #socket: DirectTlsSocket;
  #handler: TransportHandler | undefined;

  // Write state
  /** What of the array that is being written is not encrypted yet. */
  #rest: Uint8Array | undefined;
  #writing: "nothing" | "encrypting" | "sending" = "nothing";
  #endAfterWrite = false;
  readonly #onEncrypted = (error?: Error | null): void => this.#encrypted(error);

  // End state
  #error: unknown;
  #closed = false;

  constructor(raw: Transport, below: TransportDuplex, socket: DirectTlsSocket) {
    this.#raw = raw;
    this.#below = below;
    this.#socket = socket;
    this.remoteAddress = raw.remoteAddress;
    this.localAddress = raw.localAddress;
    // Without listeners an error would end the program.
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
    // Not as a Buffer, whose slice() is a view.
    this.#socket.receive = ({ buffer, byteOffset, length }) => {
      this.#handler!.data(new Uint8Array(buffer, byteOffset, length));
    };
    this.#socket.on("data", this.#socket.receive);
    this.#socket.on("end", () => this.#handler!.end());
    this.#socket.on("close", () => this.#close());
    this.#below.on("close", () => this.#close());
    if (this.#below.destroyed) queueMicrotask(() => this.#close());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#socket.destroyed) return false;
    this.#rest = bytes;
    this.#writing = "encrypting";
    this.#encryptNext();
    return false;
  }

  /** In parts: `node:tls` copies all of an array first, and encrypts so much of it at a time. */
  #encryptNext(): void {
    const rest = this.#rest!;
    this.#rest = rest.length > PART ? rest.subarray(PART) : undefined;
    this.#socket.send(rest.length > PART ? rest.subarray(0, PART) : rest, this.#onEncrypted);
  }

  #encrypted(error?: Error | null): void {
    if (error || this.#socket.destroyed) return;
    if (this.#rest !== undefined) return this.#encryptNext();
    this.#writing = "sending";
    if (!this.#below.writing) this.#sent();
  }

  #sent(): void {
    if (this.#writing !== "sending") return;
    this.#writing = "nothing";
    this.#handler?.drain();
    if (this.#endAfterWrite && this.#writing === "nothing") this.#socket.end();
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
    this.#endAfterWrite = true;
    if (this.#writing === "nothing") this.#socket.end();
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
