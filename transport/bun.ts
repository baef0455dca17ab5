/**
 * The Bun leaf: `Bun.listen` and `Bun.connect`, TLS included.
 *
 * Why a TLS server listens without TLS and upgrades each connection: `Bun.listen` (Bun 1.4) has no way to show another certificate
 * later. A handshake takes as long either way (1.5 ms), bytes move as fast, and each connection gets the identity of its moment.
 *
 * What Bun 1.4 does not offer, so that it is not here either: it does not say when accepting fails, as with too many open files (it
 * tries again by itself), and an attempt to connect cannot be given up on the way. The program is told at once that it is over; the
 * socket is closed when the operating system has an answer, at the latest when its own time for that is over, some two minutes.
 *
 * @module
 */

import { isIP } from "node:net";
import * as tls from "node:tls";
import { setImmediate } from "node:timers";
import { AsyncQueue } from "../base/async_queue.ts";
import { concat } from "../base/bytes.ts";
import { TransportError } from "../base/errors.ts";
import { FairShare, ReadLoad } from "./fair_share.ts";
import { openTunnel, type ProxyChannel } from "./proxy_tunnel.ts";
import type {
  Address,
  ConnectOptions,
  Listener,
  ListenHandler,
  ListenOptions,
  ProxyAddress,
  TlsIdentity,
  Transport,
  TransportHandler,
  TransportProvider,
} from "./transport.ts";
import { type BatchedWriter, WriteBatch } from "../base/write_batch.ts";
import { type Waiter, WaitingRoom } from "./waiting_room.ts";

/** ALPN `http/1.1`, with its length in front (RFC 7301 §3.1). */
const ALPN = new TextEncoder().encode("\x08http/1.1");
const EMPTY = new Uint8Array(0);

// ---- The part of Bun's interface that is used here ---------------------------------------------------------------

interface TlsOptions {
  key?: string;
  cert?: string;
  ca?: readonly string[];
  serverName?: string;
  ALPNProtocols: Uint8Array;
}

interface BunSocket {
  data: SocketOwner;
  // Each is `undefined` from the moment on in which the peer resets the connection.
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Returns how many bytes were taken, or -1 if it is closed. */
  write(bytes: Uint8Array): number;
  /** Sends FIN. */
  shutdown(): void;
  /** Ends it at once, and calls `close` within the call. Unlike `terminate` without a reset that could overtake bytes. */
  close(): void;
  /** Ends it at once, with a reset. */
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(noDelay: boolean): boolean;
  /** Returns the socket with the encrypted bytes, and the one to use. */
  upgradeTLS(
    options: { isServer: boolean; data: SocketOwner; tls: TlsOptions; socket: SocketHandlers },
  ): [raw: BunSocket, tls: BunSocket];
}

interface SocketHandlers {
  binaryType?: "uint8array";
  open?(socket: BunSocket): void;
  handshake?(socket: BunSocket, success: boolean, error: Error | null): void;
  data?(socket: BunSocket, bytes: Uint8Array): void;
  drain?(socket: BunSocket): void;
  end?(socket: BunSocket): void;
  close?(socket: BunSocket, error?: Error): void;
  error?(socket: BunSocket, error: Error): void;
  connectError?(socket: BunSocket, error: Error): void;
}

interface Target {
  hostname: string;
  port: number;
  allowHalfOpen: boolean;
  reusePort?: boolean;
  socket: SocketHandlers;
}

interface BunListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeActiveConnections: boolean): void;
}

interface BunRuntime {
  listen(target: Target): BunListener;
  connect(target: Target & { data: SocketOwner; tls?: TlsOptions }): Promise<BunSocket>;
}

// ---- From handlers to owners -------------------------------------------------------------------------------------

/** Whoever a socket belongs to: first a handshake, then a transport. */
interface SocketOwner {
  onOpen?(socket: BunSocket): void;
  onHandshake?(socket: BunSocket, success: boolean, error: Error | null): void;
  onData(bytes: Uint8Array): void;
  onDrain(): void;
  onEnd(): void;
  onClose(error: unknown): void;
}

/** From this size on, what one read brought is freed as soon as it was handled. */
const FREE_FROM = 16 * 1024;

/**
 * Each read has an array of its own, and in a flood the collector lets many of them lie: without this, endless heads made a server grow
 * by 130 MiB, with it by 28.
 */
function free(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  if (buffer.byteLength >= FREE_FROM) buffer.transfer(0);
}

/** The rest of a read in an array of its own, once it is less than half of the one that it holds in memory. */
function unpinned(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer.byteLength < 2 * bytes.length + FREE_FROM) return bytes;
  const rest = bytes.slice();
  free(bytes);
  return rest;
}

/** Both in one array; they are freed. */
function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = concat(one, other);
  free(one);
  free(other);
  return whole;
}

/** One set of functions serves all sockets: their owners tell them apart. */
const ownerHandlers: SocketHandlers = {
  binaryType: "uint8array",
  open: (socket) => socket.data.onOpen?.(socket),
  handshake: (socket, success, error) => socket.data.onHandshake?.(socket, success, error),
  data: (socket, bytes) => socket.data.onData(bytes),
  drain: (socket) => socket.data.onDrain(),
  end: (socket) => socket.data.onEnd(),
  close: (socket, error) => socket.data.onClose(error),
  // After a TLS failure `close` follows without it; what a handler threw ends the connection here.
  error(socket, error) {
    socket.data.onClose(error);
    socket.close();
  },
};

/**
 * The transport on Bun.
 *
 * @param given What opens sockets; tests have one of their own.
 * @returns The provider, or `undefined` on another runtime.
 */
export function bunTransport(
  given: unknown = (globalThis as { Bun?: unknown }).Bun,
): TransportProvider | undefined {
  if (given === undefined) return undefined;
  const runtime = given as BunRuntime;
  return {
    listen: (options, handler) => new Promise((resolve) => resolve(listen(runtime, options, handler))),
    connect: (options) => connect(runtime, options),
  };
}

// ---- Listening ---------------------------------------------------------------------------------------------------

function listen(runtime: BunRuntime, options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname, port, reusePort, tls } = options;
  const target = { hostname, port, reusePort, allowHalfOpen: true };
  if (tls === undefined) {
    const accept = (socket: BunSocket): void => {
      socket.data = NOBODY;
      const transport = takeSocket(socket, false);
      if (transport !== undefined) handler.accept(transport);
    };
    return new PlainListener(runtime.listen({ ...target, socket: { ...ownerHandlers, open: accept } }));
  }
  const side = new TlsServerSide(tls, options, handler);
  // No "data": the socket below goes on to report the encrypted bytes. Bun insists on one of the two.
  const socket: SocketHandlers = { open: (raw) => side.secure(raw), drain() {} };
  return new TlsListener(runtime.listen({ ...target, socket }), side);
}

/** Owns a socket until it is known whose it is. */
const NOBODY: SocketOwner = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };

/** Makes the transport. A peer that has reset the connection already is nobody to talk to, nor to be named: `undefined`. */
function takeSocket(socket: BunSocket, encrypted: boolean): BunTransport | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (
    remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined
  ) {
    socket.close();
    return undefined;
  }
  const remote = { hostname: remoteAddress, port: remotePort };
  const transport = new BunTransport(socket, remote, { hostname: localAddress, port: localPort }, encrypted);
  socket.data = transport;
  return transport;
}

class PlainListener implements Listener {
  readonly address: Address;
  #listener: BunListener;

  constructor(listener: BunListener) {
    this.#listener = listener;
    this.address = { hostname: listener.hostname, port: listener.port };
  }

  replaceIdentity(_identity: TlsIdentity): void {}

  close(): Promise<void> {
    this.#listener.stop(false);
    return Promise.resolve();
  }
}

class TlsListener extends PlainListener {
  #side: TlsServerSide;

  constructor(listener: BunListener, side: TlsServerSide) {
    super(listener);
    this.#side = side;
  }

  override replaceIdentity(identity: TlsIdentity): void {
    this.#side.identity = identity;
  }

  override close(): Promise<void> {
    this.#side.close();
    return super.close();
  }
}

/** Does the TLS handshakes of one listener. */
class TlsServerSide {
  /** Shown from the next handshake on. */
  identity: TlsIdentity;
  #limits: HandshakeLimits;
  #handler: ListenHandler;
  #pending = new Set<ServerHandshake>();

  constructor(identity: TlsIdentity, limits: HandshakeLimits, handler: ListenHandler) {
    this.identity = identity;
    this.#limits = limits;
    this.#handler = handler;
  }

  secure(raw: BunSocket): void {
    const { remoteAddress, remotePort } = raw;
    if (remoteAddress === undefined || remotePort === undefined) return raw.close();
    const address = { hostname: remoteAddress, port: remotePort };
    const admittance = this.#handler.admit(address);
    if (admittance === undefined) return raw.close();
    const handshake = new ServerHandshake(this.#limits, (transport) => {
      this.#pending.delete(handshake);
      this.#handler.accept(transport, admittance);
    }, (error) => {
      this.#pending.delete(handshake);
      admittance.leave();
      // Given up: whoever did that knows why.
      if (error instanceof UnusableIdentity) this.#handler.error(error.cause);
      else if (error !== undefined) this.#handler.handshakeFailed(error, address);
    });
    admittance.evict = () => handshake.giveUp();
    this.#pending.add(handshake);
    handshake.begin(raw, this.identity);
  }

  /** Gives up the handshakes that are not done. */
  close(): void {
    for (const handshake of [...this.#pending]) handshake.giveUp();
  }
}

/** What a handshake has to keep to. */
type HandshakeLimits = Pick<ListenOptions, "handshakeTimeout" | "clock">;

/** A handshake that cannot begin, since the server's certificate or key is unusable: not the fault of the peer. */
class UnusableIdentity extends Error {}

/** A connection inside its TLS handshake, on the server. */
class ServerHandshake implements SocketOwner {
  #socket: BunSocket | undefined;
  #cancelTimer: (() => void) | undefined;
  #done: (transport: Transport) => void;
  /** Unset once the handshake has ended. */
  #failed: ((error: unknown) => void) | undefined;

  constructor(limits: HandshakeLimits, done: (transport: Transport) => void, failed: (error: unknown) => void) {
    this.#done = done;
    this.#failed = failed;
    const { handshakeTimeout: timeout, clock } = limits;
    const late = (): void => this.#fail(new Error(`The TLS handshake took longer than ${timeout} ms`));
    if (timeout > 0) this.#cancelTimer = clock.after(timeout, late);
  }

  begin(raw: BunSocket, { certificate: cert, key }: TlsIdentity): void {
    const tls = { cert, key, ALPNProtocols: ALPN };
    try {
      [, this.#socket] = raw.upgradeTLS({ isServer: true, data: this, tls, socket: ownerHandlers });
    } catch (error) {
      // A certificate or key that BoringSSL does not take.
      raw.close();
      this.#fail(new UnusableIdentity(undefined, { cause: error }));
    }
  }

  onHandshake(socket: BunSocket, success: boolean, error: Error | null): void {
    // On a server the error is about the certificate of the client, which is not asked for any.
    if (!success) return this.#fail(error ?? new Error("The TLS handshake failed"));
    const transport = takeSocket(socket, true);
    // Closing it has told this already.
    if (transport === undefined) return;
    this.#cancelTimer?.();
    this.#failed = undefined;
    this.#done(transport);
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {
    this.#fail(new Error("The peer left inside the TLS handshake"));
  }
  onClose(error: unknown): void {
    this.#fail(error ?? new Error("The peer left inside the TLS handshake"));
  }

  #fail(error: unknown): void {
    const failed = this.#failed;
    this.#failed = undefined;
    this.#cancelTimer?.();
    this.#socket?.close();
    failed?.(error);
  }

  /** Ends it, and reports nothing. */
  giveUp(): void {
    this.#fail(undefined);
  }
}

// ---- Connecting --------------------------------------------------------------------------------------------------

function connect(runtime: BunRuntime, options: ConnectOptions): Promise<Transport> {
  return options.proxy === undefined
    ? connectDirectly(runtime, options)
    : connectThrough(runtime, options, options.proxy);
}

/** Bun tries all addresses of a host at the same time. */
function connectDirectly(runtime: BunRuntime, options: ConnectOptions): Promise<BunTransport> {
  const { hostname, port, signal } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const dial = new Dial(options.tls, resolve, reject);
    // A connection that comes after that is closed when it comes.
    signal.addEventListener("abort", () => dial.fail(signal.reason), { once: true });
    const secure = clientTls(options);
    const target = { hostname, port, allowHalfOpen: true, data: dial, socket: ownerHandlers };
    runtime.connect(options.tls ? { ...target, tls: secure } : target).catch((error) => dial.fail(error));
  });
}

function clientTls({ hostname, rootCertificates }: ConnectOptions): TlsOptions {
  // RFC 6066 §3: no addresses as server names; without a name Bun would send the address. It is checked all the same.
  const secure: TlsOptions = { ALPNProtocols: ALPN, serverName: isIP(hostname) === 0 ? hostname : "" };
  // What is given stands instead of the runtime's own.
  if (rootCertificates.length > 0) secure.ca = [...tls.getCACertificates("default"), ...rootCertificates];
  return secure;
}

async function connectThrough(runtime: BunRuntime, options: ConnectOptions, proxy: ProxyAddress): Promise<Transport> {
  const { hostname, port } = proxy;
  const transport = await connectDirectly(runtime, { ...options, hostname, port, tls: false });
  const abort = (): void => transport.destroy();
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    await openTunnel(channelOf(transport), options, proxy);
    return options.tls ? await secureClient(transport, options) : transport;
  } catch (error) {
    transport.destroy();
    throw error;
  } finally {
    options.signal.removeEventListener("abort", abort);
  }
}

function channelOf(transport: Transport): ProxyChannel {
  const arrived = new AsyncQueue<Uint8Array>();
  transport.open({
    data: (bytes) => arrived.push(bytes.slice()),
    drain: () => {},
    end: () => arrived.end(),
    close: (error) => arrived.end(error),
  });
  return {
    write: (bytes) => Promise.resolve(void transport.write(bytes)),
    read: () => arrived.next().then(({ done, value }) => done ? null : value),
  };
}

function secureClient(transport: BunTransport, options: ConnectOptions): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const dial = new Dial(true, resolve, reject);
    options.signal.addEventListener("abort", () => dial.fail(options.signal.reason), { once: true });
    dial.onOpen(transport.upgrade(dial, clientTls(options)));
  });
}

/** An outgoing connection until it is there, with TLS until its handshake is done. */
class Dial implements SocketOwner {
  #tls: boolean;
  #resolve: (transport: BunTransport) => void;
  #reject: (error: unknown) => void;
  #socket: BunSocket | undefined;
  #failed = false;

  constructor(tls: boolean, resolve: (transport: BunTransport) => void, reject: (error: unknown) => void) {
    this.#tls = tls;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onOpen(socket: BunSocket): void {
    if (this.#failed) return socket.close();
    this.#socket = socket;
    if (!this.#tls) this.#succeed(socket);
  }

  onHandshake(socket: BunSocket, success: boolean, error: Error | null): void {
    if (success && error === null) this.#succeed(socket);
    else this.fail(error ?? new Error("The TLS handshake failed"));
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {
    this.onClose(undefined);
  }
  onClose(error: unknown): void {
    this.fail(error ?? new Error("The peer left before the connection was there"));
  }

  #succeed(socket: BunSocket): void {
    if (this.#failed) return socket.close();
    const transport = takeSocket(socket, this.#tls);
    // Closing it has told this already.
    if (transport === undefined) return;
    // Until somebody opens it.
    socket.pause();
    this.#resolve(transport);
  }

  /** Gives it up; once it has succeeded, only the signal's listener still calls this, to no effect. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
    if (this.#socket?.data === this) this.#socket.close();
  }
}

// ---- Bytes -------------------------------------------------------------------------------------------------------

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
 * Bytes of busy connections that were read and wait for their turn: 8 MiB at most, and nothing more is read while 1 MiB waits. Bun reads up
 * to 512 KiB at a time, and everything that is left when a peer goes: without a limit, floods of short connections left 50 MiB here.
 */
const waitingRoom = new WaitingRoom(8 * 1024 * 1024, 1024 * 1024);
/** Bytes that a read of a connection may bring: expected at least, and what Bun reads at most. */
const LEAST_READ = 64 * 1024;
const MOST_READ = 512 * 1024;

/** Size from which bytes are written at once instead of at the end of the turn. */
const WRITE_NOW = 32 * 1024;

/** Connections that have to wait for room before they read, in order. */
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
      while (this.#waiting.length > 0 && this.#waiting[0].reserve()) this.#waiting.shift()!.read();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}

const largeReads = new LargeReads();

class BunTransport implements Transport, SocketOwner, BatchedWriter, Waiter {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted: boolean;
  readonly batch: WriteBatch = writes;
  bytesWritten = 0;
  #socket: BunSocket;
  #handler: TransportHandler | undefined;

  // Read state
  #paused = false;
  /** Bytes that came before somebody opened it: the rest of one read. */
  #early: Uint8Array = EMPTY;
  #ended = false;
  #endReported = false;
  readonly #load = new ReadLoad();
  /** Whether it waits for its turn, with bytes or to read some. */
  #waiting = false;
  #leaveQueue: (() => void) | undefined;
  /** Bytes of the last read. */
  #readLength = 0;
  /** Whether bytes were dropped for lack of room, so that it has to end. */
  #dropped = false;
  /** Gives up the wait of whoever has asked for a turn. */
  #leaveTurn: (() => void) | undefined;

  // Write state
  /** What the socket has not taken yet. */
  #rest: Uint8Array = EMPTY;
  #endAfterWrite = false;
  #writing = false;

  // End state
  #destroyed = false;
  #closed: { error: unknown } | undefined;
  #reported = false;

  constructor(socket: BunSocket, remoteAddress: Address, localAddress: Address, encrypted: boolean) {
    this.#socket = socket;
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
    // They go on to report the encrypted bytes.
    raw.data = below.data = NOBODY;
    return socket;
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (!first) return;
    if (this.#early.length > 0 || this.#ended || this.#closed) queueMicrotask(() => this.#reportEarly());
    if (!this.#paused) this.#socket.resume();
  }

  #reportEarly(): void {
    const early = this.#early;
    this.#early = EMPTY;
    if (early.length > 0 && !this.#destroyed) this.#handle(early);
    this.#reportEnd();
    if (this.#closed !== undefined) this.#report();
  }

  #reportEnd(): void {
    if (!this.#ended || this.#endReported || this.#destroyed || this.#handler === undefined) return;
    this.#endReported = true;
    this.#handler.end();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#destroyed || this.#closed !== undefined) return false;
    if (writes.flushing || bytes.length >= WRITE_NOW) return this.#writeNow(bytes);
    this.#rest = bytes;
    writes.add(this);
    return false;
  }

  takeTurn(goOn: () => void): void {
    this.#leaveTurn = fairShare.enqueue(undefined, goOn);
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#waiting) this.#socket.resume();
  }

  end(): void {
    this.#endAfterWrite = true;
    if (this.#rest.length === 0) this.#socket.shutdown();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#leaveTurn?.();
    this.#leaveQueue?.();
    // With TLS, close() would wait some 15 s for a peer that does not read.
    const cut = this.encrypted && this.#rest.length > 0;
    this.#rest = EMPTY;
    this.#dropEarly();
    waitingRoom.leave(this);
    if (cut) this.#socket.terminate();
    else this.#socket.close();
    if (this.#handler !== undefined) queueMicrotask(() => this.#report());
  }

  onData(bytes: Uint8Array): void {
    if (this.#destroyed || this.#closed !== undefined || this.#dropped) return free(bytes);
    this.#readLength = bytes.length;
    if (this.#handler === undefined) this.#early = concat(this.#early, bytes);
    else if (this.#early.length > 0 || fairShare.mustWait(this.#load, bytes.length)) this.#hold(bytes);
    else this.#handle(bytes);
  }

  #hold(bytes: Uint8Array, more = false): void {
    this.#early = this.#early.length === 0 ? unpinned(bytes) : join(this.#early, bytes);
    const takeTurn = (): void => {
      // It has left the queue already.
      this.#leaveQueue = undefined;
      this.#takeTurn(true);
    };
    this.#wait(fairShare.enqueue(this.#load, takeTurn, more));
    // An honest one, perhaps: what it has sent must not be lost.
    if (!waitingRoom.hold(this, this.#early.buffer.byteLength)) this.#takeTurn(false);
  }

  #handle(bytes: Uint8Array): void {
    const since = fairShare.begin(this.#load, bytes.length);
    this.#handler!.data(bytes);
    fairShare.spent(this.#load, since, bytes.length);
    free(bytes);
    // What comes next stays with the system until then.
    if (!this.#destroyed && this.#closed === undefined && this.#mustWaitToRead()) this.#waitToRead();
  }

  get #expectedLength(): number {
    if (this.#load.busy && !this.#load.works) return MOST_READ;
    return Math.min(Math.max(2 * this.#readLength, LEAST_READ), MOST_READ);
  }

  #mustWaitToRead(): boolean {
    const large = this.#readLength >= FREE_FROM && waitingRoom.held > 0;
    return (large || this.#load.busy || !this.#load.known) && fairShare.crowded;
  }

  #waitToRead(): void {
    // Of what brings little, much may be read.
    if (this.#readLength >= FREE_FROM) this.#wait(largeReads.add(this));
    else this.#wait(fairShare.waitForPass(() => this.read()));
  }

  /**
   * Reserves room for what the next read may bring.
   *
   * @returns `false` if there is none.
   */
  reserve(): boolean {
    return waitingRoom.reserve(this, this.#expectedLength);
  }

  /** The wait for a pass, and for room, is over. */
  read(): void {
    this.#leaveQueue = undefined;
    this.#waiting = false;
    if (!this.#paused) this.#socket.resume();
    this.#reportEnd();
    // By then what was ready has been read.
    setImmediate(() => this.#early.length > 0 || waitingRoom.leave(this));
  }

  #wait(leave: () => void): void {
    this.#leaveQueue?.();
    this.#leaveQueue = leave;
    if (this.#waiting) return;
    this.#waiting = true;
    this.#socket.pause();
  }

  /** Handles the bytes that are held, or part of them. */
  #takeTurn(slices: boolean): void {
    this.#leaveQueue?.();
    this.#leaveQueue = undefined;
    this.#waiting = false;
    waitingRoom.leave(this);
    if (this.#dropped) return this.#endDropped();
    const slice = slices && !this.#paused ? fairShare.turnOf(this.#load) : Infinity;
    if (slice < this.#early.length && !this.#destroyed) return this.#handleSlice(slice);
    if (!this.#paused && !this.#destroyed && this.#closed === undefined) this.#socket.resume();
    this.#reportEarly();
  }

  #handleSlice(length: number): void {
    const bytes = this.#early;
    this.#early = EMPTY;
    const since = fairShare.begin(this.#load, length);
    this.#handler!.data(bytes.subarray(0, length));
    fairShare.spent(this.#load, since, length);
    if (this.#destroyed) free(bytes);
    else this.#hold(bytes.subarray(length), true);
  }

  get expendable(): boolean {
    return this.#load.reads === 0 || this.#closed !== undefined;
  }

  #dropEarly(): void {
    const early = this.#early;
    this.#early = EMPTY;
    if (early.length > 0) free(early);
  }

  giveUp(): void {
    this.#dropEarly();
    this.#dropped = true;
    // One that is there still is told when it would have been its turn: at once, it would be back at once.
    if (this.#closed !== undefined) queueMicrotask(() => this.#takeTurn(false));
  }

  #endDropped(): void {
    if (this.#closed === undefined) {
      this.#closed = { error: new TransportError("ERR_OVERLOAD", "Too many bytes waited to be handled") };
      this.#socket.terminate();
    }
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
    if (!this.#destroyed) this.#rest = bytes.subarray(Math.max(0, taken));
    return false;
  }

  onEnd(): void {
    this.#ended = true;
    if (!this.#waiting && this.#early.length === 0) this.#reportEnd();
  }

  onClose(error: unknown): void {
    if (this.#closed !== undefined) return;
    // The handler is not called back from within its own write.
    if (this.#writing) return queueMicrotask(() => this.onClose(error));
    // When both have sent FIN, Bun closes the socket and says nothing of the second.
    if (!this.#ended && error === undefined && !this.#destroyed) this.onEnd();
    this.#closed = { error };
    if (this.#destroyed || this.#early.length > 0) return;
    // Nothing is there to wait for any more.
    if (this.#waiting) this.#takeTurn(false);
    else this.#report();
  }

  #report(): void {
    if (this.#reported || this.#handler === undefined) return;
    this.#reported = true;
    // What fails after destroy() fails because of it.
    this.#handler.close(this.#destroyed ? undefined : this.#closed?.error);
  }
}
