/**
 * The transport on Bun: `Bun.listen`, and the bytes of a connection. TLS is in `bun_tls.ts`, connecting in
 * `bun_dial.ts`.
 *
 * Bun 1.4 does not say when accepting fails, as with too many open files; it tries again by itself.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { setImmediate } from "node:timers";
import { concat, EMPTY } from "../base/bytes.ts";
import { TransportError } from "../base/errors.ts";
import { connect, type UpgradableTransport } from "./bun_dial.ts";
import { StreamTlsSide } from "./bun_stream_tls.ts";
import { TlsListener, TlsServerSide } from "./bun_tls.ts";
import { TlsServerSide as NodeTlsSide } from "./node_tls.ts";
import { removeStaleSocket } from "./unix_socket.ts";
import {
  addressesOf,
  type BunListener,
  type BunRuntime,
  type BunSocket,
  listenerAddress,
  ownerHandlers,
  type SocketHandlers,
  type SocketOwner,
  type TlsOptions,
  UNOWNED,
} from "./bun_types.ts";
import { FairShare, ReadLoad } from "./fair_share.ts";
import { ProxyGate } from "./proxy_gate.ts";
import type {
  Address,
  Admittance,
  Listener,
  ListenHandler,
  ListenSettings,
  PeerCertificate,
  ServerIdentity,
  Transport,
  TransportHandler,
  TransportProvider,
} from "./transport.ts";
import { type BatchedWriter, WriteBatch } from "../base/write_batch.ts";
import { ReadAheadBudget, type ReadAheadOwner } from "./read_ahead.ts";

/**
 * The transport on Bun.
 *
 * @param given Opens sockets; replaced in tests.
 * @returns The provider, or `undefined` on another runtime.
 */
export function bunTransport(
  given: unknown = (globalThis as { Bun?: unknown }).Bun,
): TransportProvider | undefined {
  if (given === undefined) return undefined;
  const runtime = given as BunRuntime;
  return {
    async listen(options, handler) {
      if (options.path !== undefined) await removeStaleSocket(options.path);
      try {
        return listen(runtime, options, handler);
      } catch (error) {
        throw options.path === undefined ? await listenFailure(error, options.hostname) : error;
      }
    },
    connect: (options) => connect(runtime, options, takeSocket),
  };
}

// ---- Listening ---------------------------------------------------------------------------------------------------

function listen(runtime: BunRuntime, options: ListenSettings, handler: ListenHandler): Listener {
  const { hostname, port, path, reusePort, tls, proxyProtocol } = options;
  const place = path === undefined ? { hostname, port, reusePort } : { unix: path };
  const target = { ...place, allowHalfOpen: true };
  if (tls === undefined || tls.byName !== undefined || proxyProtocol !== undefined) {
    const steps = new FirstSteps(options, handler);
    const open = (socket: BunSocket): void => steps.accept(socket);
    return new SteppedListener(runtime.listen({ ...target, socket: { ...ownerHandlers, open } }), path, steps);
  }
  const side = new TlsServerSide(tls, options, handler, takeSocket);
  // No "data": the socket below goes on to report the encrypted bytes. Bun insists on one of the two.
  const socket: SocketHandlers = { open: (raw) => side.secure(raw), drain() {} };
  return new TlsListener(runtime.listen({ ...target, socket }), side);
}

/**
 * What comes before a connection is the server's, where that is more than the TLS of a socket: a header of the PROXY
 * protocol, then TLS; or TLS with several certificates. Sockets of Bun know no SNI, and cannot begin TLS with bytes
 * that were read.
 */
class FirstSteps {
  readonly #handler: ListenHandler;
  readonly #path: string | undefined;
  readonly #gate: ProxyGate | undefined;
  /** TLS of sockets, for peers without a header. */
  readonly #sockets: TlsServerSide | undefined;
  /** TLS over transports. */
  readonly #streams: StreamTlsSide | NodeTlsSide | undefined;
  readonly #serve = (raw: Transport, admitted?: Admittance): void => {
    if (this.#streams === undefined) return this.#handler.accept(raw, admitted);
    this.#streams.accept(raw, this.#handler, admitted);
  };

  constructor(options: ListenSettings, handler: ListenHandler) {
    const { path, tls, proxyProtocol, handshakeTimeout, clock } = options;
    this.#handler = handler;
    this.#path = path;
    this.#gate = proxyProtocol && new ProxyGate(proxyProtocol, options, handler);
    if (tls === undefined) return;
    if (tls.byName === undefined) this.#sockets = new TlsServerSide(tls, options, handler, takeSocket);
    const Side = tls.byName === undefined && tls.clients === undefined ? StreamTlsSide : NodeTlsSide;
    this.#streams = new Side(tls, handshakeTimeout, clock);
  }

  accept(socket: BunSocket): void {
    socket.data = UNOWNED;
    const peer = this.#gate && addressesOf(socket, this.#path)?.remote;
    const proxied = peer !== undefined && this.#gate!.expects(peer);
    if (this.#sockets !== undefined && !proxied) return this.#sockets.secure(socket);
    const transport = takeSocket(socket, false, this.#path);
    if (transport === undefined) return;
    if (proxied) this.#gate!.receive(transport, this.#serve);
    else this.#serve(transport);
  }

  replaceIdentity(identity: ServerIdentity): void {
    if (this.#sockets !== undefined) this.#sockets.identity = identity;
    this.#streams?.replaceIdentity(identity);
  }

  close(): void {
    this.#gate?.close();
    this.#sockets?.close();
    this.#streams?.close();
  }
}

/**
 * Bun 1.4 says "Failed to listen", without a code, for a host name that the system does not know
 * (`findings/bun_listen_unknown_host.sh`).
 */
async function listenFailure(error: unknown, hostname: string): Promise<unknown> {
  if (error instanceof Error && "code" in error && error.code !== undefined) return error;
  return await lookup(hostname).then(() => error, (cause) => cause);
}

/** Makes the transport; `undefined` for a peer that has reset the connection already, and has no address any more. */
function takeSocket(
  socket: BunSocket,
  encrypted: boolean,
  path?: string,
  certificate?: PeerCertificate,
): BunTransport | undefined {
  const addresses = addressesOf(socket, path);
  if (addresses === undefined) {
    socket.close();
    return undefined;
  }
  const transport = new BunTransport(socket, addresses.remote, addresses.local, encrypted, certificate);
  socket.data = transport;
  return transport;
}

class SteppedListener implements Listener {
  readonly address: Address;
  readonly #listener: BunListener;
  readonly #steps: FirstSteps;

  constructor(listener: BunListener, path: string | undefined, steps: FirstSteps) {
    this.#listener = listener;
    this.#steps = steps;
    this.address = listenerAddress(listener, path);
  }

  replaceIdentity(identity: ServerIdentity): void {
    this.#steps.replaceIdentity(identity);
  }

  close(): Promise<void> {
    this.#steps.close();
    this.#listener.stop(false);
    return Promise.resolve();
  }
}

// ---- Bytes -------------------------------------------------------------------------------------------------------

/** From this size on, what one read brought is freed as soon as it was handled. */
const FREE_FROM = 16 * 1024;

/**
 * Each read has an array of its own, and in a flood the collector lets many of them lie: without this, endless heads
 * made a server grow by 130 MiB, with it by 28.
 */
function free(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  if (buffer.byteLength >= FREE_FROM) buffer.transfer(0);
}

/** Copies the rest of a read, once it is less than half of the array that it keeps in memory. */
function unpinned(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer.byteLength < 2 * bytes.length + FREE_FROM) return bytes;
  const rest = bytes.slice();
  free(bytes);
  return rest;
}

/** Joins two arrays, and frees both. */
function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = concat(one, other);
  free(one);
  free(other);
  return whole;
}

/** `setImmediate` runs when all sockets that were ready have been read. */
const writes = new WriteBatch(setImmediate);
/** `setImmediate` goes to the poller and back. Answers to light connections leave before busy ones are served. */
const fairShare = new FairShare((done) => {
  setImmediate(() => {
    writes.flush();
    done();
    writes.flush();
  });
});
/**
 * Bytes of busy connections that were read and not handled yet: 8 MiB at most, and busy connections read no more while
 * 1 MiB waits. Bun reads up to 512 KiB at a time, and all that remains when a peer closes: without a limit, floods of
 * short connections made 50 MiB wait here.
 */
const readAhead = new ReadAheadBudget(8 * 1024 * 1024, 1024 * 1024);
/** Bytes that a read of a connection may bring: expected at least, and what Bun reads at most. */
const LEAST_READ = 64 * 1024;
const MOST_READ = 512 * 1024;

/** Size from which bytes are written at once instead of at the end of the turn. */
const WRITE_NOW = 32 * 1024;

/** Queue of connections that wait for room before they read. */
class LargeReads {
  #waiting: BunTransport[] = [];
  #scheduled = false;

  add(transport: BunTransport): () => void {
    this.#waiting.push(transport);
    this.#schedule();
    return () => {
      const at = this.#waiting.indexOf(transport);
      if (at !== -1) this.#waiting.splice(at, 1);
    };
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    fairShare.waitForPass(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0 && this.#waiting[0]!.reserve()) this.#waiting.shift()!.read();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}

const largeReads = new LargeReads();

/** Phase of a connection, and use of its socket. */
type Phase =
  /** Bytes come and go. */
  | "open"
  /** Bytes were dropped for lack of room; the connection ends when it is served. */
  | "dropped"
  /** The socket has closed; the handler does not know it yet. */
  | "closed"
  /** This side has given it up; the handler does not know it yet. */
  | "destroyed"
  /** The handler knows that it has closed. */
  | "over"
  /** The handler knows, and this side has given it up. */
  | "gone";

/** Takes bytes of the peer; takes bytes for the peer; the socket has reported its end; this side has given it up. */
const PHASES: Readonly<Record<Phase, { reads: boolean; writes: boolean; closed: boolean; destroyed: boolean }>> = {
  open: { reads: true, writes: true, closed: false, destroyed: false },
  dropped: { reads: false, writes: true, closed: false, destroyed: false },
  closed: { reads: false, writes: false, closed: true, destroyed: false },
  destroyed: { reads: false, writes: false, closed: false, destroyed: true },
  over: { reads: false, writes: false, closed: true, destroyed: false },
  gone: { reads: false, writes: false, closed: true, destroyed: true },
};

class BunTransport implements UpgradableTransport, SocketOwner, BatchedWriter, ReadAheadOwner {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted: boolean;
  readonly peerCertificate: PeerCertificate | undefined;
  readonly batch: WriteBatch = writes;
  bytesWritten = 0;
  #socket: BunSocket;
  #handler: TransportHandler | undefined;

  /** Current phase. */
  #phase: Phase = "open";
  /** Error that broke the connection, if there was one. */
  #error: unknown;
  /** The FIN of the peer: whether it has come, and whether the handler knows. */
  #fin: "awaited" | "arrived" | "reported" = "awaited";

  // Read state: the socket is read unless the handler or a queue has paused it
  #pausedByHandler = false;
  /** True if the connection is queued, with bytes or before it reads. */
  #queued = false;
  #cancelWait: (() => void) | undefined;
  /** Bytes that came before `open`, or the rest of one read. */
  #early: Uint8Array = EMPTY;
  readonly #load = new ReadLoad();
  /** Bytes of the last read. */
  #readLength = 0;
  /** Cancels the callback of {@linkcode BunTransport.deferWork}. */
  #cancelDeferred: (() => void) | undefined;

  // Write state
  /** Bytes that the socket has not taken yet. */
  #rest: Uint8Array = EMPTY;
  #endAfterWrite = false;
  #writing = false;

  constructor(
    socket: BunSocket,
    remoteAddress: Address,
    localAddress: Address,
    encrypted: boolean,
    certificate: PeerCertificate | undefined,
  ) {
    this.#socket = socket;
    this.peerCertificate = certificate;
    this.remoteAddress = remoteAddress;
    this.localAddress = localAddress;
    this.encrypted = encrypted;
    socket.setNoDelay(true);
  }

  /** Puts TLS on top; from then on the socket belongs to another owner. */
  upgrade(owner: SocketOwner, options: TlsOptions): BunSocket {
    this.#socket.resume();
    const raw = this.#socket;
    const [below, socket] = raw.upgradeTLS({ isServer: false, data: owner, tls: options, socket: ownerHandlers });
    // The raw socket still reports the encrypted bytes.
    raw.data = below.data = UNOWNED;
    return socket;
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (!first) return;
    if (this.#early.length > 0 || this.#fin !== "awaited" || !PHASES[this.#phase].writes) {
      queueMicrotask(() => this.#reportEarly());
    }
    if (!this.#pausedByHandler) this.#socket.resume();
  }

  #reportEarly(): void {
    const early = this.#early;
    this.#early = EMPTY;
    if (early.length > 0 && !PHASES[this.#phase].destroyed) this.#handle(early);
    this.#reportEnd();
    if (!PHASES[this.#phase].writes) this.#report();
  }

  #reportEnd(): void {
    if (this.#fin !== "arrived" || PHASES[this.#phase].destroyed || this.#handler === undefined) return;
    this.#fin = "reported";
    this.#handler.end();
  }

  write(bytes: Uint8Array): boolean {
    if (!PHASES[this.#phase].writes) return false;
    if (writes.flushing || bytes.length >= WRITE_NOW) return this.#writeNow(bytes);
    this.#rest = bytes;
    writes.add(this);
    return false;
  }

  deferWork(work: () => void): void {
    this.#cancelDeferred = fairShare.enqueue(undefined, work);
  }

  pause(): void {
    this.#pausedByHandler = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#pausedByHandler = false;
    if (!this.#queued) this.#socket.resume();
  }

  end(): void {
    this.#endAfterWrite = true;
    if (this.#rest.length === 0) this.#socket.shutdown();
  }

  destroy(): void {
    const before = this.#phase;
    if (PHASES[before].destroyed) return;
    this.#phase = before === "over" ? "gone" : "destroyed";
    this.#cancelDeferred?.();
    this.#cancelWait?.();
    // With TLS, close() would wait some 15 s for a peer that does not read.
    const cut = this.encrypted && this.#rest.length > 0;
    this.#rest = EMPTY;
    this.#dropEarly();
    readAhead.release(this);
    if (cut) this.#socket.terminate();
    else this.#socket.close();
    if (this.#handler !== undefined) queueMicrotask(() => this.#report());
  }

  onData(bytes: Uint8Array): void {
    if (!PHASES[this.#phase].reads) return free(bytes);
    this.#readLength = bytes.length;
    if (this.#handler === undefined) this.#early = concat(this.#early, bytes);
    else if (this.#early.length > 0 || fairShare.mustWait(this.#load, bytes.length)) this.#keepEarly(bytes);
    else this.#handle(bytes);
  }

  #keepEarly(bytes: Uint8Array, more = false): void {
    this.#early = this.#early.length === 0 ? unpinned(bytes) : join(this.#early, bytes);
    const serve = (): void => {
      // The queue has removed the entry already.
      this.#cancelWait = undefined;
      this.#handleEarly(true);
    };
    this.#wait(fairShare.enqueue(this.#load, serve, more));
    // The peer may be honest: its bytes must not be lost.
    if (!readAhead.keep(this, this.#early.buffer.byteLength)) this.#handleEarly(false);
  }

  #handle(bytes: Uint8Array): void {
    const since = fairShare.begin(this.#load, bytes.length);
    this.#handler!.data(bytes);
    fairShare.spent(this.#load, since, bytes.length);
    free(bytes);
    // Further bytes stay with the system until then.
    if (PHASES[this.#phase].reads && this.#mustWaitToRead()) this.#waitToRead();
  }

  get #expectedLength(): number {
    if (this.#load.busy && !this.#load.handlerBound) return MOST_READ;
    return Math.min(Math.max(2 * this.#readLength, LEAST_READ), MOST_READ);
  }

  #mustWaitToRead(): boolean {
    const large = this.#readLength >= FREE_FROM && readAhead.kept > 0;
    return (large || this.#load.busy || !this.#load.trusted) && fairShare.crowded;
  }

  #waitToRead(): void {
    // Small reads need no reservation.
    if (this.#readLength >= FREE_FROM) this.#wait(largeReads.add(this));
    else this.#wait(fairShare.waitForPass(() => this.read()));
  }

  /**
   * Reserves room for the next read.
   *
   * @returns `false` if there is none.
   */
  reserve(): boolean {
    return readAhead.reserve(this, this.#expectedLength);
  }

  /** The wait for a pass, and for room, is over. */
  read(): void {
    this.#cancelWait = undefined;
    this.#queued = false;
    if (!this.#pausedByHandler) this.#socket.resume();
    this.#reportEnd();
    // By then all bytes that were ready have been read.
    setImmediate(() => this.#early.length > 0 || readAhead.release(this));
  }

  #wait(cancel: () => void): void {
    this.#cancelWait?.();
    this.#cancelWait = cancel;
    if (this.#queued) return;
    this.#queued = true;
    this.#socket.pause();
  }

  /** Handles the bytes that wait, or one slice of them. */
  #handleEarly(slices: boolean): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#queued = false;
    readAhead.release(this);
    if (this.#phase === "dropped") return this.#endDropped();
    const slice = slices && !this.#pausedByHandler ? fairShare.allowance(this.#load) : Infinity;
    if (slice < this.#early.length && !PHASES[this.#phase].destroyed) return this.#handleSlice(slice);
    if (!this.#pausedByHandler && PHASES[this.#phase].reads) this.#socket.resume();
    this.#reportEarly();
  }

  #handleSlice(length: number): void {
    const bytes = this.#early;
    this.#early = EMPTY;
    const since = fairShare.begin(this.#load, length);
    this.#handler!.data(bytes.subarray(0, length));
    fairShare.spent(this.#load, since, length);
    if (PHASES[this.#phase].destroyed) free(bytes);
    else this.#keepEarly(bytes.subarray(length), true);
  }

  get expendable(): boolean {
    return this.#load.reads === 0 || PHASES[this.#phase].closed;
  }

  #dropEarly(): void {
    const early = this.#early;
    this.#early = EMPTY;
    if (early.length > 0) free(early);
  }

  giveUp(): void {
    this.#dropEarly();
    // Bytes are missing: an orderly end would be a lie.
    this.#fin = "reported";
    // A peer that is still connected is closed when it would have been served: closed now, it would reconnect now.
    if (this.#phase === "open") this.#phase = "dropped";
    else if (PHASES[this.#phase].closed) queueMicrotask(() => this.#handleEarly(false));
  }

  #endDropped(): void {
    this.#phase = "closed";
    this.#error = new TransportError("ERR_OVERLOAD", "Too many bytes waited to be handled");
    this.#socket.terminate();
    this.#report();
  }

  flushBatch(): void {
    this.onDrain();
  }

  onDrain(): void {
    if (this.#rest.length === 0 || !this.#writeNow(this.#rest)) return;
    this.#rest = EMPTY;
    this.#handler?.drain();
    if (this.#endAfterWrite && this.#rest.length === 0) this.#socket.shutdown();
  }

  /** Returns whether the system has taken all of it. */
  #writeNow(bytes: Uint8Array): boolean {
    this.#writing = true;
    const taken = this.#socket.write(bytes);
    this.#writing = false;
    this.bytesWritten += Math.max(0, taken);
    if (taken === bytes.length) return true;
    // Writing can end the connection.
    if (!PHASES[this.#phase].destroyed) this.#rest = bytes.subarray(Math.max(0, taken));
    return false;
  }

  onEnd(): void {
    if (this.#fin === "awaited") this.#fin = "arrived";
    if (!this.#queued && this.#early.length === 0) this.#reportEnd();
  }

  onClose(error: unknown): void {
    const { closed, destroyed } = PHASES[this.#phase];
    if (closed || destroyed) return;
    // The handler is not called back from within its own write.
    if (this.#writing) return queueMicrotask(() => this.onClose(error));
    // When both have sent FIN, Bun closes the socket and says nothing of the second (`findings/bun_second_fin.sh`).
    if (this.#fin === "awaited" && error === undefined) this.onEnd();
    if (PHASES[this.#phase].destroyed) return;
    this.#phase = "closed";
    this.#error = error;
    if (this.#early.length > 0) return;
    // No bytes wait, so the end need not wait either.
    if (this.#queued) this.#handleEarly(false);
    else this.#report();
  }

  #report(): void {
    if (this.#handler === undefined) return;
    if (this.#phase === "closed") this.#phase = "over";
    else if (this.#phase === "destroyed") this.#phase = "gone";
    else return;
    // A failure after destroy() is its consequence.
    this.#handler.close(this.#phase === "gone" ? undefined : this.#error);
  }
}
