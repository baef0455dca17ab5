/**
 * The transport on Deno: `Deno.listen`, `Deno.connect` and `Deno.startTls`, with `conn.read` and `conn.write`
 * (Web Streams measured 1.5 to 2 times slower for small messages). TLS servers use `transport/node_tls.ts`, for the
 * reasons given there.
 *
 * Clients use `transport/node_tls.ts` too, for hosts that once kept silent inside a TLS handshake: Deno 2.9 never
 * closes the socket of such a handshake, neither by `close()` nor when it is collected, until the peer ends it
 * (`findings/deno_start_tls_leaks.sh`). `node:tls` closes it, but takes twice the processor time for messages of 16
 * KiB, so it is not used for all hosts.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { acquire, release } from "../base/buffer_pool.ts";
import type { DenoAddress, DenoConnection, DenoListening, DenoRuntime, DenoTcpConnection } from "./deno_types.ts";
import { FairShare, ReadLoad } from "./fair_share.ts";
import { connectFirst, type HostAddress, interleave } from "./happy_eyeballs.ts";
import { giveBack, isLeased, lease, reserveSlots, type SlotSize } from "../base/leased_memory.ts";
import { ProxyGate } from "./proxy_gate.ts";
import { openTunnel, proxyFailure, proxyName } from "./proxy_tunnel.ts";
import { secureClient, TlsServerSide } from "./node_tls.ts";
import type {
  Address,
  Admittance,
  ConnectSettings,
  Listener,
  ListenHandler,
  ListenSettings,
  ProxyAddress,
  ServerIdentity,
  Transport,
  TransportHandler,
  TransportProvider,
} from "./transport.ts";
import { removeStaleSocket, unixAddress } from "./unix_socket.ts";
import { TransportError } from "../base/errors.ts";
import { type BatchedWriter, WriteBatch } from "../base/write_batch.ts";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** The part of the runtime that is used here, which programs on Bun have no types of; `undefined` there. */
const Deno: DenoRuntime = (globalThis as unknown as { Deno: DenoRuntime }).Deno;
declare namespace Deno {
  type NetAddr = DenoAddress;
  type Conn<_Address = NetAddr> = DenoConnection;
  type TcpConn = DenoTcpConnection;
  type AnyListener = DenoListening<DenoConnection>;
}

/** The first read buffer: small, since an idle connection pins it. */
const FIRST_READ = 1024;
/** The next sizes, while reads fill the buffer. */
const SECOND_READ: SlotSize = 32768;
const MAX_READ: SlotSize = 262144;
/** Number of read buffers in which bytes are unmasked without a copy. */
const SLOTS: Record<SlotSize, number> = { [SECOND_READ]: 128, [MAX_READ]: 26 };
/**
 * The most bytes of large buffers beside the leased ones: of those with 256 KiB, and of all. A read that is waiting
 * pins its buffer, and a peer that stops after full reads leaves a large one pinned.
 */
const MAX_POOLED: Record<SlotSize, number> = { [SECOND_READ]: 32 * 1024 * 1024, [MAX_READ]: 8 * 1024 * 1024 };
/** Number of reads in a row that would have fit the first buffer, after which the buffer becomes small again. */
const SHRINK_AFTER = 64;
/** The pause after a failed accept (such as too many open files), in ms. */
const ACCEPT_PAUSE = 50;

/**
 * The transport on Deno.
 *
 * @returns The provider, or `undefined` on another runtime.
 */
export function denoTransport(): TransportProvider | undefined {
  if (!("Deno" in globalThis)) return undefined;
  reserveSlots(SLOTS);
  return { listen, connect };
}

async function listen(options: ListenSettings, handler: ListenHandler): Promise<Listener> {
  const { hostname, port, path, reusePort, tls, handshakeTimeout, clock } = options;
  if (path !== undefined) await removeStaleSocket(path);
  return new Promise((resolve) => {
    // Without the flag Deno 2.9 would end the process. The flag is what makes this function appear.
    if (reusePort && !("listenDatagram" in Deno)) throw needsUnstableNet(hostname, port);
    const side = tls === undefined ? undefined : new TlsServerSide(tls, handshakeTimeout, clock);
    const listener = path === undefined
      ? Deno.listen({ hostname, port, reusePort: reusePort ?? false })
      : Deno.listen({ transport: "unix", path });
    const { proxyProtocol } = options;
    const gate = proxyProtocol && new ProxyGate(proxyProtocol, options, handler);
    resolve(new DenoListener(listener, handler, { tls: side, gate, path }));
  });
}

function needsUnstableNet(hostname: string, port: number): TransportError {
  const remedy = 'run Deno with --unstable-net, or with "unstable": ["net"] in deno.json';
  return new TransportError("ERR_LISTEN", `Cannot listen on ${hostname}:${port} with "reusePort": ${remedy}`);
}

async function connect(options: ConnectSettings): Promise<Transport> {
  const { proxy, waitingFor } = options;
  if (options.path !== undefined) return await connectUnix(options, options.path);
  const conn = proxy === undefined ? await dial(options, options) : await dialProxy(options, proxy);
  if (options.tls) waitingFor?.("the TLS handshake");
  if (!options.tls) return new DenoTransport(conn, false);
  const host = `${options.hostname}:${options.port}`;
  // `Deno.startTls` shows no certificate of the client.
  return silentHosts.has(host) || options.identity !== undefined
    ? await secureClient(new DenoTransport(conn, false), options)
    : await startTls(conn, options, host);
}

/** `Deno.startTls` does not take such a connection. */
async function connectUnix(options: ConnectSettings, path: string): Promise<Transport> {
  const { signal, tls, waitingFor } = options;
  const transport = new DenoTransport(await Deno.connect({ transport: "unix", path, signal }), false, path);
  if (!tls) return transport;
  waitingFor?.("the TLS handshake");
  return await secureClient(transport, options);
}

/** Hosts whose TLS handshake was given up: each has cost one socket, and must not cost another. */
const silentHosts = new Set<string>();
/** Maximum of these hosts; beyond it the oldest is forgotten. */
const MAX_SILENT_HOSTS = 10_000;

function rememberSilence(host: string): void {
  silentHosts.add(host);
  if (silentHosts.size > MAX_SILENT_HOSTS) silentHosts.delete(silentHosts.values().next().value!);
}

async function startTls(conn: Deno.TcpConn, options: ConnectSettings, host: string): Promise<Transport> {
  const { signal, rootCertificates: caCerts } = options;
  const hostname = options.serverName ?? options.hostname;
  // With keep-alive the system ends the handshake of a peer that is gone, which Deno does not.
  conn.setKeepAlive(true);
  const tls = await Deno.startTls(conn, { hostname, caCerts, alpnProtocols: ["http/1.1"] });
  const abort = (): void => {
    rememberSilence(host);
    closeQuietly(tls);
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    signal.throwIfAborted();
    await tls.handshake();
    return new DenoTransport(tls, true);
  } catch (error) {
    closeQuietly(tls);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Deno tries the addresses of a host one after the other, each until the system gives it up. */
async function dial(
  { hostname, port }: { hostname: string; port: number },
  options: ConnectSettings,
): Promise<Deno.TcpConn> {
  const { signal, clock } = options;
  const addresses = isIP(hostname) === 0 ? await resolve(hostname, port) : [];
  const conn = addresses.length < 2
    ? await Deno.connect({ hostname, port, signal })
    : await connectFirst<Deno.TcpConn>(interleave(addresses), {
      dial: (address, signal) => Deno.connect({ hostname: address, port, signal }),
      close: closeQuietly,
      clock,
    }, signal);
  conn.setNoDelay(true);
  return conn;
}

/** Keeps the addresses that the program may connect to: it may be allowed to use the name only. */
async function resolve(hostname: string, port: number): Promise<HostAddress[]> {
  const allowed = (host: string): boolean =>
    Deno.permissions.querySync({ name: "net", host: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` })
      .state === "granted";
  try {
    const addresses = await lookup(hostname, { all: true });
    return addresses.every(({ address }) => allowed(address)) ? addresses : [];
  } catch {
    // The attempt to connect by name reports the fault.
    return [];
  }
}

async function dialProxy(options: ConnectSettings, proxy: ProxyAddress): Promise<Deno.TcpConn> {
  try {
    const conn = await dial(proxy, options);
    await throughProxy(conn, options, proxy);
    return conn;
  } catch (error) {
    options.signal.throwIfAborted();
    throw proxyFailure(error, proxy);
  }
}

async function throughProxy(conn: Deno.TcpConn, options: ConnectSettings, proxy: ProxyAddress): Promise<void> {
  const { signal, waitingFor } = options;
  waitingFor?.(`the answer of ${proxyName(proxy)}`);
  const buffer = new Uint8Array(1024);
  const abort = (): void => closeQuietly(conn);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await openTunnel(
      {
        async write(bytes) {
          for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
        },
        async read() {
          const length = await conn.read(buffer);
          return length === null ? null : buffer.subarray(0, length);
        },
      },
      options,
      proxy,
    );
  } catch (error) {
    closeQuietly(conn);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It is closed already: Deno throws BadResource then.
  }
}

/**
 * Tells whether a peer had reset its connection before it was accepted. That is nothing to report, and no reason for a
 * pause: many such peers would keep out all others.
 */
function isPeersDoing(error: unknown): boolean {
  const { NotConnected, ConnectionReset, ConnectionAborted } = Deno.errors;
  return error instanceof NotConnected || error instanceof ConnectionReset || error instanceof ConnectionAborted;
}

/** Ignores the refusal of some systems for a connection that was reset meanwhile. Unix sockets need no such thing. */
function setNoDelay(conn: Deno.Conn | Deno.TcpConn): boolean {
  if (!("setNoDelay" in conn)) return true;
  try {
    conn.setNoDelay(true);
    return true;
  } catch {
    closeQuietly(conn);
    return false;
  }
}

/** Each end of a Unix socket has its path as its address. */
function addressOf({ hostname = "", port = 0 }: Partial<Deno.NetAddr>, path: string | undefined): Address {
  return path === undefined ? { hostname, port } : unixAddress(path);
}

/** What a listener does before a connection is the server's. */
interface ListenerParts {
  readonly tls: TlsServerSide | undefined;
  readonly gate: ProxyGate | undefined;
  /** Path of the Unix socket; `undefined`: TCP. */
  readonly path: string | undefined;
}

class DenoListener implements Listener {
  readonly address: Address;
  #listener: Deno.AnyListener;
  #handler: ListenHandler;
  #tls: TlsServerSide | undefined;
  #gate: ProxyGate | undefined;
  #path: string | undefined;
  #accepting: Promise<void>;
  #closed = false;
  #endPause: (() => void) | undefined;

  constructor(
    listener: Deno.AnyListener,
    handler: ListenHandler,
    { tls, gate, path }: ListenerParts,
  ) {
    this.#gate = gate;
    this.#listener = listener;
    this.#path = path;
    this.#handler = handler;
    this.#tls = tls;
    this.address = addressOf(listener.addr, path);
    this.#accepting = this.#acceptLoop();
  }

  replaceIdentity(identity: ServerIdentity): void {
    this.#tls?.replaceIdentity(identity);
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      closeQuietly(this.#listener);
      this.#gate?.close();
      this.#tls?.close();
      this.#endPause?.();
    }
    await this.#accepting;
  }

  async #acceptLoop(): Promise<void> {
    while (!this.#closed) {
      try {
        const conn = await this.#listener.accept();
        if (setNoDelay(conn)) this.#accept(new DenoTransport(conn, false, this.#path));
      } catch (error) {
        if (this.#closed) return;
        if (isPeersDoing(error)) continue;
        this.#handler.error(error);
        await this.#pause();
      }
    }
  }

  #accept(raw: Transport): void {
    if (this.#gate?.expects(raw.remoteAddress)) this.#gate.receive(raw, this.#serve);
    else this.#serve(raw);
  }

  readonly #serve = (raw: Transport, admittance?: Admittance): void => {
    if (this.#tls === undefined) this.#handler.accept(raw, admittance);
    else this.#tls.accept(raw, this.#handler, admittance);
  };

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ACCEPT_PAUSE);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function returnBuffer(buffer: Uint8Array<ArrayBuffer>, pooled: Uint8Array<ArrayBuffer> | undefined): void {
  if (isLeased(buffer)) giveBack(buffer);
  if (pooled === undefined) return;
  pooledBytes -= pooled.length;
  release(pooled);
}

/** Bytes of large buffers that are not leased. */
let pooledBytes = 0;

/** A microtask runs when all sockets that were ready have been read. */
const writes = new WriteBatch(queueMicrotask);

/** Both ends of a connection of the program to itself. */
interface Pair {
  near: Deno.TcpConn;
  far: Deno.TcpConn;
}

/**
 * Goes to the poller and back, by a byte over loopback. After `setImmediate` or a message Deno 2.9 asks the poller only
 * now and then, and light connections starve (`findings/message_channel_starves_sockets.sh`): 190 messages a second
 * beside handlers of 0.3 ms, 4900 with the byte. On one core the same goes for work of another thread (54 after
 * `crypto.subtle.digest`). A timer of 0 ms does, but takes 1 to 2 ms.
 *
 * The pair of sockets lives as long as a connection that has waited for a pass. A timer takes its place until the pair
 * is there, and in programs that may not connect to 127.0.0.1.
 */
class PollerPass {
  #pair: Pair | undefined;
  #users = 0;
  #opening: Promise<void> | undefined;
  #endTimer: (() => void) | undefined;
  readonly #byte = new Uint8Array(1);

  /** A connection waits for a pass for the first time. */
  retain(): void {
    if (this.#users++ === 0) this.#opening ??= this.#open().finally(() => this.#opening = undefined);
  }

  /** Such a connection has ended. */
  release(): void {
    if (--this.#users === 0) this.#close();
  }

  readonly run = (done: () => void): void => {
    // To open the pair goes through the poller too.
    if (this.#opening !== undefined) return void this.#opening.then(done);
    if (this.#pair === undefined) return this.#wait(done);
    const { near, far } = this.#pair;
    // If the pair is closed meanwhile, no connection waits any more.
    far.read(this.#byte).then(done, done);
    near.write(this.#byte).catch(() => {});
  };

  /** Without a pair. A timer that nothing waits for must not keep the program alive. */
  #wait(done: () => void): void {
    const timer = setTimeout(() => this.#endTimer?.(), 0);
    this.#endTimer = () => {
      this.#endTimer = undefined;
      clearTimeout(timer);
      done();
    };
  }

  async #open(): Promise<void> {
    const hostname = "127.0.0.1";
    if (Deno.permissions.querySync({ name: "net", host: hostname }).state !== "granted") return;
    try {
      const pair = await openPair(hostname);
      if (this.#users > 0) this.#pair = pair;
      else for (const conn of [pair.near, pair.far]) closeQuietly(conn);
    } catch {
      // Too many open files, perhaps: the timer goes on.
    }
  }

  #close(): void {
    this.#endTimer?.();
    if (this.#pair === undefined) return;
    closeQuietly(this.#pair.near);
    closeQuietly(this.#pair.far);
    this.#pair = undefined;
  }
}

async function openPair(hostname: string): Promise<Pair> {
  using listener = Deno.listen({ hostname, port: 0 });
  const near = await Deno.connect({ hostname, port: listener.addr.port });
  for (;;) {
    const far = await listener.accept();
    if (far.remoteAddr.port === near.localAddr.port) return { near, far };
    // A connection of another program.
    closeQuietly(far);
  }
}

const poller = new PollerPass();
const fairShare = new FairShare(poller.run);

class DenoTransport implements Transport, BatchedWriter {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly encrypted: boolean;
  readonly batch: WriteBatch = writes;
  bytesWritten = 0;
  #conn: Deno.Conn<Deno.NetAddr>;
  #handler: TransportHandler | undefined;

  // Read state
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_READ);
  /** Array from the pool that the buffer is a part of. */
  #pooled: Uint8Array<ArrayBuffer> | undefined;
  #smallReads = 0;
  readonly #load = new ReadLoad();
  /** True after the first wait for a pass. */
  #usesPoller = false;
  /** Cancels the wait to be served. */
  #cancelWait: (() => void) | undefined;
  #paused = false;
  #wake: (() => void) | undefined;

  // Write state
  #writing: Uint8Array | undefined;
  #endAfterWrite = false;
  readonly #onWritten = (written: number): void => this.#written(written);
  readonly #onFailed = (error: unknown): void => this.#fail(error);

  // End state
  #destroyed = false;
  #closed = false;

  constructor(conn: Deno.Conn<Deno.NetAddr>, encrypted: boolean, path?: string) {
    this.#conn = conn;
    this.encrypted = encrypted;
    this.remoteAddress = addressOf(conn.remoteAddr, path);
    this.localAddress = addressOf(conn.localAddr, path);
  }

  open(handler: TransportHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (first) this.#readLoop();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#destroyed) return false;
    this.#writing = bytes;
    if (writes.flushing) this.flushBatch();
    else writes.add(this);
    return false;
  }

  flushBatch(): void {
    if (this.#destroyed) return;
    const bytes = this.#writing!;
    this.#conn.write(bytes).then(this.#onWritten, this.#onFailed);
  }

  deferWork(work: () => void): void {
    this.#retainPoller();
    this.#cancelWait = fairShare.enqueue(undefined, work);
  }

  #retainPoller(): void {
    if (this.#usesPoller || this.#closed) return;
    this.#usesPoller = true;
    poller.retain();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  end(): void {
    this.#endAfterWrite = true;
    if (this.#writing === undefined) this.#closeWrite();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    closeQuietly(this.#conn);
    this.#cancelWait?.();
    this.resume();
    if (this.#handler !== undefined) queueMicrotask(() => this.#close(undefined));
  }

  async #readLoop(): Promise<void> {
    /** True if the last read filled its buffer, so that more is there. */
    let more = false;
    try {
      for (;;) {
        const waits = fairShare.mustWait(this.#load, 0);
        if (waits) await this.#waitToRead(more);
        if (this.#paused) await new Promise<void>((resolve) => this.#wake = resolve);
        if (this.#destroyed) return;
        const slice = waits ? fairShare.allowance(this.#load) : Infinity;
        const buffer = slice < this.#buffer.length ? this.#buffer.subarray(0, slice) : this.#buffer;
        const length = await this.#conn.read(buffer);
        if (this.#destroyed) return;
        if (length === null) return this.#handler!.end();
        more = length === buffer.length;
        if (!waits && fairShare.mustWait(this.#load, length)) await this.#handleSlices(buffer, length);
        else this.#handle(length === buffer.length ? buffer : buffer.subarray(0, length));
        if (this.#destroyed) return;
        if (buffer.length === this.#buffer.length) this.#adapt(length);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      returnBuffer(this.#buffer, this.#pooled);
      this.#buffer = EMPTY;
    }
  }

  #handle(bytes: Uint8Array): void {
    const since = fairShare.begin(this.#load, bytes.length);
    this.#handler!.data(bytes);
    fairShare.spent(this.#load, since, bytes.length);
  }

  /** Handles one large read in slices. */
  async #handleSlices(buffer: Uint8Array, length: number): Promise<void> {
    for (let at = 0, to = 0; at < length; at = to) {
      await this.#waitForService(at > 0);
      if (this.#destroyed) return;
      to = Math.min(length, at + fairShare.allowance(this.#load));
      this.#handle(buffer.subarray(at, to));
    }
  }

  /** Waits before a read. The bytes stay with the system meanwhile, so that waiting connections pin no buffers. */
  async #waitToRead(more: boolean): Promise<void> {
    const size = this.#buffer.length as typeof FIRST_READ | SlotSize;
    if (size !== FIRST_READ) this.#useBuffer(FIRST_READ);
    await this.#waitForService(more);
    if (!this.#destroyed && size !== FIRST_READ) this.#useBuffer(size);
  }

  /** Waits until the connection is served or destroyed. */
  #waitForService(more: boolean): Promise<void> {
    this.#retainPoller();
    return new Promise((resolve) => {
      const cancel = fairShare.enqueue(this.#load, resolve, more);
      this.#cancelWait = () => {
        cancel();
        resolve();
      };
    });
  }

  /**
   * Grows the read buffer while reads fill it, and makes it small again after a burst. Large buffers are leased where
   * unmasking is fast. Their number is limited, which also bounds the memory of connections that go quiet after a
   * burst. Without a lease, a connection reads with a large buffer only while reads fill it.
   */
  #adapt(length: number): void {
    const capacity = this.#buffer.length;
    if (length === capacity) {
      this.#smallReads = 0;
      if (capacity < MAX_READ) this.#useBuffer(capacity < SECOND_READ ? SECOND_READ : MAX_READ);
    } else if (capacity > FIRST_READ) {
      if (length > FIRST_READ) this.#smallReads = 0;
      if (!isLeased(this.#buffer) || (length <= FIRST_READ && ++this.#smallReads === SHRINK_AFTER)) {
        this.#useBuffer(FIRST_READ);
      }
    }
  }

  #useBuffer(size: typeof FIRST_READ | SlotSize): void {
    const [old, oldPooled] = [this.#buffer, this.#pooled];
    this.#smallReads = 0;
    const leased = size === FIRST_READ ? new Uint8Array(size) : lease(size);
    if (leased === undefined) {
      // The pool is used up: the connection keeps its buffer.
      if (pooledBytes + size > MAX_POOLED[size as SlotSize]) return;
      this.#pooled = acquire(size);
      pooledBytes += this.#pooled.length;
      this.#buffer = this.#pooled.subarray(0, size);
    } else {
      this.#pooled = undefined;
      this.#buffer = leased;
    }
    returnBuffer(old, oldPooled);
  }

  #written(length: number): void {
    if (this.#destroyed || this.#writing === undefined) return;
    this.bytesWritten += length;
    if (length < this.#writing.length) {
      this.write(this.#writing.subarray(length));
      return;
    }
    this.#writing = undefined;
    this.#handler?.drain();
    if (this.#endAfterWrite && this.#writing === undefined) this.#closeWrite();
  }

  #closeWrite(): void {
    if (this.#destroyed) return;
    this.#conn.closeWrite().catch(() => {
      // The peer is gone; the read loop reports it.
    });
  }

  #fail(error: unknown): void {
    // A failure after destroy() is its consequence.
    if (this.#destroyed) return this.#close(undefined);
    this.#destroyed = true;
    this.#cancelWait?.();
    closeQuietly(this.#conn);
    this.#close(error);
  }

  #close(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#usesPoller) poller.release();
    this.#handler?.close(error);
  }
}
