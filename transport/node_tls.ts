/**
 * TLS over any transport, on `node:tls`, for Deno: of servers, and of clients where `Deno.startTls` will not do (see
 * `transport/deno.ts`). On Bun it serves several certificates, which sockets of Bun cannot.
 *
 * `Deno.listenTls` is not used: its connections have no `setNoDelay` (Deno 2.9), so Nagle's algorithm waits for delayed
 * acknowledgements (`findings/deno_listen_tls_delay.sh`). Of small messages sent each 7 ms to a client that answered
 * each third one, 43 % came 20 to 41 ms late.
 *
 * A server of `node:tls` on its own sockets is not used: it never accepts again after it has run out of file
 * descriptors, and `pause` of its sockets does not stop reading from the system, so that memory grows with what a peer
 * sends (`findings/deno_node_tls_pause.sh`, `bench/README.md`).
 *
 * @module
 */

import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import { isIP } from "node:net";
import { connect, createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { concat } from "../base/bytes.ts";
import { describe } from "../base/errors.ts";
import { readServerName } from "./client_hello.ts";
import { peerCertificate } from "./peer_certificate.ts";
import type {
  Address,
  Admittance,
  ClientCheck,
  ConnectSettings,
  ListenHandler,
  PeerCertificate,
  ServerIdentity,
  TlsIdentity,
  Transport,
  TransportHandler,
} from "./transport.ts";

/** Most bytes given to `node:tls` at a time to decrypt. */
const SLICE = 64 * 1024;
/** Most bytes given to it at a time to encrypt. */
const PART = 48 * 1024;
/** ALPN of RFC 7301 for HTTP/1.1, which RFC 6455 stands on. */
const PROTOCOLS = ["http/1.1"];
/** Time for a peer to end TCP after the alert of a failed handshake, in ms. */
const ALERT_PATIENCE = 1000;

/** TLS handshakes of a server. */
export class TlsServerSide {
  #identity: Contexts;
  #timeout: number;
  #clock: Clock;
  /** Handshakes that are not done. */
  #handshakes = new Set<{ giveUp(error: unknown): void }>();
  #closed = false;

  /**
   * Takes the identity to show.
   *
   * @param identity Certificates and keys, and the check of clients.
   * @param timeout Longest time of a TLS handshake, in ms; 0: no limit.
   * @param clock Time.
   */
  constructor(identity: ServerIdentity, timeout: number, clock: Clock) {
    this.#clock = clock;
    this.#identity = makeContexts(identity);
    this.#timeout = timeout;
  }

  /**
   * Shows another certificate from the next TLS handshake on.
   *
   * @param identity Certificates and keys, and the check of clients.
   */
  replaceIdentity(identity: ServerIdentity): void {
    this.#identity = makeContexts(identity);
  }

  /** Gives up the handshakes that are not done. */
  close(): void {
    this.#closed = true;
    for (const handshake of this.#handshakes) handshake.giveUp(new Error("The server stops"));
  }

  /**
   * Accepts a connection after its TLS handshake; a slow one does not delay others.
   *
   * @param raw The connection, not opened yet.
   * @param handler Takes it.
   * @param admitted Its slot, if it has one already.
   */
  accept(raw: Transport, handler: ListenHandler, admitted?: Admittance): void {
    const admittance = admitted ?? handler.admit(raw.remoteAddress);
    if (admittance === undefined) return raw.destroy();
    let evicted = false;
    admittance.evict = () => {
      evicted = true;
      raw.destroy();
    };
    this.secure(raw).then((transport) => handler.accept(transport, admittance), (error) => {
      admittance.leave();
      // An eviction has a known reason.
      if (!this.#closed && !evicted) handler.handshakeFailed(error, raw.remoteAddress, raw.proxyAddress);
    }).catch((error) => handler.error(error));
  }

  /**
   * Does the TLS handshake, ALPN `http/1.1` only.
   *
   * @param raw The transport below, not opened yet.
   * @returns The protected transport, not opened yet. Rejects if there is no handshake in time; `raw` is destroyed
   * then.
   */
  async secure(raw: Transport): Promise<Transport> {
    let phase: { giveUp(error: unknown): void } | undefined;
    const enter = <Next extends { giveUp(error: unknown): void }>(next: Next): Next => {
      this.#handshakes.delete(phase!);
      this.#handshakes.add(phase = next);
      return next;
    };
    const late = (): void => phase!.giveUp(new Error(`The TLS handshake took longer than ${this.#timeout} ms`));
    const cancelTimer = this.#timeout > 0 ? this.#clock.after(this.#timeout, late) : () => {};
    const { byName, context, clients } = this.#identity;
    try {
      const hello = byName === undefined ? undefined : await enter(new HelloReader(raw)).hello;
      const below = new TransportDuplex(raw, hello);
      const secureContext = (hello && contextFor(byName!, hello.name)) ?? context;
      const asks = clients === undefined ? {} : { requestCert: true, rejectUnauthorized: clients.required };
      const socket = new TLSSocket(below, { isServer: true, secureContext, ALPNProtocols: PROTOCOLS, ...asks });
      return await enter(new Handshake(raw, below, socket, "secure", this.#clock, clients)).transport;
    } finally {
      cancelTimer();
      this.#handshakes.delete(phase!);
    }
  }
}

/** Begin of a handshake. */
interface Hello {
  /** Server name that the client asks for. */
  name: string;
  /** Bytes that came until another handler is there. */
  bytes: Uint8Array;
}

/** Reads the first message of a client, for its server name. */
class HelloReader {
  /** The name, and the bytes that came. Rejects when the connection ends before. */
  readonly hello: Promise<Hello>;
  readonly #raw: Transport;
  readonly #settle = Promise.withResolvers<Hello>();

  constructor(raw: Transport) {
    this.#raw = raw;
    this.hello = this.#settle.promise;
    const hello: Hello = { name: "", bytes: new Uint8Array(0) };
    let complete = false;
    const gone = (): void => this.giveUp(new Error("The peer left inside the TLS handshake"));
    raw.open({
      data: (more) => {
        hello.bytes = concat(hello.bytes, more);
        if (complete) return;
        const result = readServerName(hello.bytes);
        if (!result.complete) return;
        complete = true;
        hello.name = result.name;
        raw.pause();
        this.#settle.resolve(hello);
      },
      drain() {},
      end: gone,
      close: gone,
    });
  }

  giveUp(error: unknown): void {
    this.#raw.destroy();
    this.#settle.reject(error);
  }
}

/** Contexts of a server: each with the authorities of clients, if it asks for certificates. */
interface Contexts {
  readonly context: SecureContext;
  readonly byName: ReadonlyMap<string, SecureContext> | undefined;
  readonly clients: ClientCheck | undefined;
}

function makeContexts(identity: ServerIdentity): Contexts {
  const { byName, clients } = identity;
  const make = (one: TlsIdentity): SecureContext => makeContext(one, clients?.roots);
  const named = byName && new Map([...byName].map(([name, one]) => [name, make(one)]));
  return { context: make(identity), byName: named, clients };
}

/** A name of its own goes before a wildcard, which stands for one label. */
function contextFor(byName: ReadonlyMap<string, SecureContext>, name: string): SecureContext | undefined {
  const dot = name.indexOf(".");
  return byName.get(name) ?? (dot > 0 ? byName.get(`*${name.slice(dot)}`) : undefined);
}

/**
 * Looks at the certificate of a client, after the handshake. Both runtimes let handshakes pass whose certificate is not
 * right, and tell it in different places.
 *
 * @returns The certificate, if there is one, or the fault.
 */
function checkClient(
  socket: TLSSocket,
  { required }: ClientCheck,
): { readonly certificate?: PeerCertificate; readonly fault?: Error } {
  const raw = (socket.getPeerCertificate() as { raw?: Uint8Array } | undefined)?.raw;
  if (raw === undefined) return required ? { fault: new Error("The client has shown no certificate") } : {};
  const handle = (socket as unknown as { _handle?: { verifyError?: () => unknown } })._handle;
  const verdict = socket.authorized ? "" : handle?.verifyError?.();
  if (verdict === "") return { certificate: peerCertificate(raw) };
  const code = socket.authorizationError ?? verdict;
  return { fault: new Error(`The certificate of the client is not valid${code ? `: ${describe(code)}` : ""}`) };
}

/**
 * Does the TLS handshake of a client, ALPN `http/1.1` only.
 *
 * @param raw The transport below, not opened yet.
 * @param options Name and roots to check the certificate with, and the signal that aborts.
 * @returns The protected transport, not opened yet. Rejects if the certificate is not valid, or the signal aborts;
 * `raw` is destroyed then.
 */
export async function secureClient(
  raw: Transport,
  options: Pick<ConnectSettings, "hostname" | "serverName" | "rootCertificates" | "identity" | "signal" | "clock">,
): Promise<Transport> {
  const { rootCertificates, identity, signal, clock } = options;
  const name = options.serverName ?? options.hostname;
  const below = new TransportDuplex(raw);
  const socket = connect({
    socket: below,
    // Checked against the certificate where no server name is sent.
    host: name,
    // RFC 6066 §3: no addresses as server names.
    ...isIP(name) === 0 && { servername: name },
    secureContext: makeClientContext(rootCertificates, identity),
    ALPNProtocols: PROTOCOLS,
    // NODE_TLS_REJECT_UNAUTHORIZED would turn the check off.
    rejectUnauthorized: true,
  });
  const handshake = new Handshake(raw, below, socket, "secureConnect", clock);
  const abort = (): void => handshake.giveUp(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await handshake.transport;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * One TLS handshake.
 *
 * | state         | meaning                                                                 | next               |
 * |---------------|-------------------------------------------------------------------------|--------------------|
 * | `handshaking` | the handshake is not done                                               | `alerting`, `over` |
 * | `alerting`    | the handshake has failed, the alert is sent, and the peer is to end TCP | `over`             |
 * | `over`        | the connection is there, or destroyed                                   |                    |
 */
class Handshake {
  /** The protected transport. Rejects when the transport below is destroyed. */
  readonly transport: Promise<Transport>;
  #state: "handshaking" | "alerting" | "over" = "handshaking";
  #raw: Transport;
  #below: TransportDuplex;
  #socket: TLSSocket;
  #clock: Clock;
  #clients: ClientCheck | undefined;
  #error: unknown;
  #cancelTimer: () => void = () => {};
  #settle: PromiseWithResolvers<Transport> = Promise.withResolvers<Transport>();
  readonly #onError = (error: unknown): void => this.#part(error);

  constructor(
    raw: Transport,
    below: TransportDuplex,
    socket: TLSSocket,
    done: "secure" | "secureConnect",
    clock: Clock,
    clients?: ClientCheck,
  ) {
    this.#clients = clients;
    this.#raw = raw;
    this.#below = below;
    this.#socket = socket;
    this.#clock = clock;
    this.transport = this.#settle.promise;
    const gone = (): void => this.giveUp(new Error("The peer left inside the TLS handshake"));
    below.ended = gone;
    below.lost = gone;
    below.on("error", this.#onError);
    socket.on("error", this.#onError);
    socket.once(done, () => this.#succeed());
  }

  #succeed(): void {
    if (this.#state !== "handshaking") return;
    const { certificate, fault } = this.#clients === undefined ? {} : checkClient(this.#socket, this.#clients);
    if (fault !== undefined) return this.#part(fault);
    this.#state = "over";
    const transport = new TlsTransport(this.#raw, this.#below, this.#socket, certificate);
    this.#below.off("error", this.#onError);
    this.#socket.off("error", this.#onError);
    this.#below.secured = true;
    this.#settle.resolve(transport);
  }

  /** TLS has failed. A reset would overtake the alert, which is written already. */
  #part(error: unknown): void {
    if (this.#state !== "handshaking") return;
    this.#state = "alerting";
    this.#error = error;
    this.#cancelTimer = this.#clock.after(ALERT_PATIENCE, () => this.giveUp(error));
    this.#raw.end();
  }

  /**
   * Ends it at once.
   *
   * @param error Why, if it has not failed already.
   */
  giveUp(error: unknown): void {
    if (this.#state === "over") return;
    const reason = this.#state === "alerting" ? this.#error : error;
    this.#state = "over";
    this.#cancelTimer();
    this.#socket.destroy();
    this.#below.destroy();
    this.#raw.destroy();
    this.#settle.reject(reason);
  }
}

/**
 * The certificates are trusted besides the runtime's own: the option `ca` would replace those, and giving both takes
 * 20 ms.
 */
function makeClientContext(rootCertificates: readonly string[], identity: TlsIdentity | undefined): SecureContext {
  const secureContext = identity === undefined ? createSecureContext() : makeContext(identity);
  const context = secureContext.context as { addCACert(pem: string): void };
  for (const pem of rootCertificates) context.addCACert(pem);
  return secureContext;
}

function makeContext({ certificate: cert, key }: TlsIdentity, ca?: string): SecureContext {
  return createSecureContext({ cert, key, ...ca !== undefined && { ca } });
}

function ignoreWritten(): void {}

/**
 * A transport as the stream that `node:tls` wants below it. `node:tls` reads by `data` events and writes with a
 * callback; the queues of a `Duplex` would only copy, so bytes bypass them. On Bun it does not wait for the callback
 * (`findings/bun_tls_stream_writes.sh`).
 */
class TransportDuplex extends Duplex {
  #raw: Transport;
  /** Bytes that came before, and go first. */
  #early: Hello | undefined;
  #opened = false;
  #written: (() => void) | undefined;
  /** Writes that wait for the one before: `node:tls` of Bun does not wait for them, and gives no callback. */
  #waiting: { readonly bytes: Uint8Array; readonly written: () => void }[] = [];
  /** True if FIN is to follow the writes. */
  #ends = false;
  /** True if the handler has paused the connection: `resume` by `node:tls` is ignored then. */
  pausedByHandler = false;
  /** Called when the peer has sent FIN, which `node:tls` does not report inside the handshake. */
  ended: () => void = () => {};
  /** Called when the transport has ended. */
  lost: () => void = () => {};
  /** True if the handshake is done. Before, `node:tls` destroys the stream first and writes the alert then. */
  secured = false;

  constructor(raw: Transport, early?: Hello) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    this.#early = early;
  }

  /** True if a write is in progress. */
  get writing(): boolean {
    return this.#written !== undefined;
  }

  /** Called when a write has ended and no other has begun. */
  idle: () => void = () => {};

  #open(): void {
    this.#opened = true;
    this.#raw.open({
      data: (bytes) => {
        if (this.#early === undefined) this.#deliver(bytes);
        else this.#early.bytes = concat(this.#early.bytes, bytes);
      },
      drain: () => this.#drained(),
      end: () => {
        this.emit("end");
        this.ended();
      },
      close: (error) => {
        this.lost();
        this.destroy(error instanceof Error ? error : undefined);
      },
    });
    const early = this.#early;
    if (early === undefined) return;
    // `node:tls` begins in a later step of this turn, and would fail in it if the bytes had ended the socket before.
    setImmediate(() => {
      this.#early = undefined;
      this.#deliver(early.bytes);
      if (!this.pausedByHandler) this.#raw.resume();
    });
  }

  /**
   * Delivers bytes in slices: `node:tls` decrypts each into memory of its own, which stays in the cache if it is small.
   */
  #deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.destroyed; at += SLICE) {
      this.emit("data", bytes.length <= SLICE ? bytes : bytes.subarray(at, at + SLICE));
    }
  }

  #drained(): void {
    const written = this.#written;
    const next = this.#waiting.shift();
    this.#written = next?.written;
    // The callback may write more.
    written?.();
    if (next !== undefined) this.#writeNow(next.bytes);
    else if (this.#written === undefined) this.#idle();
  }

  #writeNow(bytes: Uint8Array): void {
    if (this.#raw.write(bytes)) this.#drained();
  }

  #idle(): void {
    this.idle();
    if (this.#ends && this.#written === undefined) this.#raw.end();
  }

  override resume(): this {
    if (!this.#opened) this.#open();
    else if (!this.pausedByHandler) this.#raw.resume();
    return this;
  }

  override pause(): this {
    if (this.#opened) this.#raw.pause();
    return this;
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const last = rest.at(-1);
    const written = typeof last === "function" ? last as () => void : ignoreWritten;
    if (this.destroyed && this.secured) return false;
    if (!this.#opened) this.#open();
    if (this.#written !== undefined) {
      this.#waiting.push({ bytes: chunk as Uint8Array, written });
      return false;
    }
    this.#written = written;
    this.#writeNow(chunk as Uint8Array);
    return false;
  }

  override end(...rest: unknown[]): this {
    if (this.#waiting.length > 0) this.#ends = true;
    else this.#raw.end();
    const ended = rest.at(-1);
    if (typeof ended === "function") ended();
    return this;
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.secured) this.#raw.destroy();
    callback(error);
  }
}

/**
 * Gives decrypted bytes of a socket directly to its transport, and takes bytes to encrypt past the socket's queue.
 */
class DirectTls {
  readonly socket: TLSSocket;
  /** Takes decrypted bytes; `undefined`: they go through the stream. */
  receive: ((bytes: Uint8Array) => void) | undefined;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    const push = socket.push.bind(socket);
    socket.push = (chunk: Uint8Array | null, encoding?: BufferEncoding): boolean => {
      // Bytes that came before the handler was set wait in the stream, and go first.
      if (chunk === null || this.receive === undefined || socket.readableLength > 0) return push(chunk, encoding);
      this.receive(chunk);
      return true;
    };
  }

  /**
   * Encrypts and sends, one call at a time.
   *
   * @param bytes The bytes to encrypt and send.
   * @param done Called when the bytes are sent, or cannot be.
   */
  send(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.socket._write(bytes, "buffer" as BufferEncoding, done);
  }
}

class TlsTransport implements Transport {
  readonly remoteAddress: Address;
  readonly proxyAddress: Address | undefined;
  readonly localAddress: Address;
  readonly encrypted = true;
  readonly peerCertificate: PeerCertificate | undefined;
  #raw: Transport;
  #below: TransportDuplex;
  #socket: TLSSocket;
  #direct: DirectTls;
  #handler: TransportHandler | undefined;

  // Write state
  /** Part of the array being written that is not encrypted yet. */
  #rest: Uint8Array | undefined;
  #writing: "nothing" | "encrypting" | "sending" = "nothing";
  #endAfterWrite = false;
  readonly #onEncrypted = (error?: Error | null): void => this.#encrypted(error);

  // End state
  #error: unknown;
  #closed = false;

  constructor(raw: Transport, below: TransportDuplex, socket: TLSSocket, certificate: PeerCertificate | undefined) {
    this.peerCertificate = certificate;
    this.#raw = raw;
    this.#below = below;
    this.#socket = socket;
    this.#direct = new DirectTls(socket);
    this.remoteAddress = raw.remoteAddress;
    this.proxyAddress = raw.proxyAddress;
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
    const receive = ({ buffer, byteOffset, length }: Uint8Array): void => {
      this.#handler!.data(new Uint8Array(buffer as ArrayBuffer, byteOffset, length));
    };
    this.#direct.receive = receive;
    this.#socket.on("data", receive);
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

  /** Encrypts in parts: `node:tls` copies the whole array first, and encrypts one part of it at a time. */
  #encryptNext(): void {
    const rest = this.#rest!;
    this.#rest = rest.length > PART ? rest.subarray(PART) : undefined;
    this.#direct.send(rest.length > PART ? rest.subarray(0, PART) : rest, this.#onEncrypted);
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
    this.#below.pausedByHandler = true;
    this.#raw.pause();
  }

  resume(): void {
    this.#below.pausedByHandler = false;
    this.#raw.resume();
  }

  deferWork(work: () => void): void {
    this.#raw.deferWork(work);
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
