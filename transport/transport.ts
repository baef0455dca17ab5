/**
 * The contract of a byte connection. `deno.ts` and `bun.ts` implement it, each on its runtime; `runtime.ts` chooses.
 *
 * A transport calls the handler when bytes came, and the handler calls `pause` when it has enough. `Bun.listen` works
 * in this way by itself, and a read loop over `Deno.Conn` does so at no cost.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { TransportError } from "../base/errors.ts";
import type { WriteBatch } from "../base/write_batch.ts";

/** One end of a connection. */
export interface Address {
  /** IP address; "" on a Unix socket. */
  hostname: string;
  /** Port; 0 on a Unix socket. */
  port: number;
  /** Path of the Unix socket, at both ends: a client of one has no address of its own. Absent with TCP. */
  path?: string | undefined;
}

/** Takes the events of a {@linkcode Transport}. Calls never overlap. */
export interface TransportHandler {
  /**
   * Bytes came. They are valid only during the call, and may be changed in place.
   *
   * @param bytes At least one byte.
   */
  data(bytes: Uint8Array): void;
  /** The array of {@linkcode Transport.write} is free again: `write` may be called. */
  drain(): void;
  /** The peer sends no more (FIN); writing may still work. */
  end(): void;
  /**
   * The connection has ended; the last call.
   *
   * @param error The error that broke the connection, if one did.
   */
  close(error?: unknown): void;
}

/** Certificate of a client, which TLS has checked: against the authorities of the server, its dates, and its use. */
export interface PeerCertificate {
  /**
   * Common names of its subject, decoded; most have one. Empty if the subject has none, or one in an encoding that is
   * not UTF-8.
   */
  readonly commonNames: readonly string[];
  /** SHA-256 of `der`, in hexadecimal digits of lower case: tells certificates apart. */
  readonly fingerprint256: string;
  /** The certificate in DER, for more of its fields: `new X509Certificate(der)` of `node:crypto`. */
  readonly der: Uint8Array<ArrayBuffer>;
}

/** A connection that carries bytes. */
export interface Transport {
  /** The other end; the client, if a header of the PROXY protocol names it. */
  readonly remoteAddress: Address;
  /** The proxy that has sent such a header; `remoteAddress` itself if the header names no client. */
  readonly proxyAddress?: Address | undefined;
  /** This end. */
  readonly localAddress: Address;
  /** True if TLS protects it. */
  readonly encrypted: boolean;
  /** Certificate that the client has shown to a server that asks for it. */
  readonly peerCertificate?: PeerCertificate | undefined;
  /** Bytes that the operating system has taken, of an array that is being written too. */
  readonly bytesWritten: number;
  /**
   * The batch in which bytes are written, at the end of the turn: a connection that encodes its frames only then writes
   * all of a turn at once. Absent where writes are not delayed.
   */
  readonly batch?: WriteBatch | undefined;
  /**
   * Starts the reading. A second call replaces the handler.
   *
   * @param handler Takes the events from now on.
   */
  open(handler: TransportHandler): void;
  /**
   * Writes bytes. The transport may keep the array until `drain`, and it must not be changed until then.
   *
   * @param bytes The bytes to write.
   * @returns `true`: the array is free again and the next call may follow. `false`: wait for `drain`.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops `data`, but for bytes that were read already: at most 512 KiB. */
  pause(): void;
  /** Undoes `pause`. */
  resume(): void;
  /**
   * Calls back in a later turn, after other connections: for more work of bytes that came in one read.
   *
   * @param work Does it.
   */
  deferWork(work: () => void): void;
  /** Sends FIN after all that was written. Reading goes on. */
  end(): void;
  /** Gives the connection up at once. `close` follows on the handler, not within this call. */
  destroy(): void;
}

/** Slot of a connection in its TLS handshake, before it is accepted. */
export interface Admittance {
  /** Time at which TCP was accepted, in ms of the clock. */
  readonly acceptedAt: number;
  /** Ends the connection; called to make room for another one. */
  evict: () => void;
  /** Gives the slot back: the connection has ended. */
  leave(): void;
}

/** Takes the connections of a {@linkcode Listener}. */
export interface ListenHandler {
  /**
   * Asked after TCP, before the TLS handshake.
   *
   * @param remoteAddress The other end.
   * @returns `undefined` to refuse the connection.
   */
  admit(remoteAddress: Address): Admittance | undefined;
  /**
   * A connection is there; with TLS, its TLS handshake is done.
   *
   * @param transport The connection, not opened yet.
   * @param admittance The result of `admit`; absent without TLS.
   */
  accept(transport: Transport, admittance?: Admittance): void;
  /**
   * A TLS handshake has failed, exceeded its time, or was aborted by the peer, as scanners and probes of load balancers
   * do all the time.
   *
   * @param error The error of the runtime.
   * @param remoteAddress The other end.
   * @param proxyAddress The proxy that has named it.
   */
  handshakeFailed(error: unknown, remoteAddress: Address, proxyAddress?: Address): void;
  /**
   * Accepting failed for one connection, or for a moment (such as too many open files); listening goes on.
   *
   * @param error The error of the runtime.
   */
  error(error: unknown): void;
}

/** Takes the headers of the PROXY protocol. */
export interface ProxyProtocolHandler {
  /**
   * Tells which peers begin with a header.
   *
   * @param remoteAddress The other end.
   * @returns `true` if it must.
   */
  sends(remoteAddress: Address): boolean;
  /**
   * A header has come, and the TLS handshake has not begun.
   *
   * @param transport The connection, which has the address of the client now.
   * @param admittance The result of `admit` for the address of the proxy.
   * @returns `false` to refuse the connection, which the handler ends then.
   */
  identified(transport: Transport, admittance: Admittance): boolean;
  /**
   * A connection was ended, since its header is malformed, or has not come.
   *
   * @param error The fault.
   * @param remoteAddress The other end.
   */
  failed(error: TransportError, remoteAddress: Address): void;
}

/** PEM texts of a certificate and its key. */
export interface TlsIdentity {
  /** The certificate, and the chain after it. */
  certificate: string;
  /** The private key, not encrypted. */
  key: string;
}

/** Identities that a TLS listener shows, and its check of clients. */
export interface ServerIdentity extends TlsIdentity {
  /** Identities for server names of their own, in lower case; `*.` stands for one label. */
  readonly byName?: ReadonlyMap<string, TlsIdentity> | undefined;
  /** Asks clients for certificates. */
  readonly clients?: ClientCheck | undefined;
}

/** Check of the certificates of clients. */
export interface ClientCheck {
  /** PEM text of the authorities whose certificates are taken. */
  readonly roots: string;
  /** True to refuse clients without a certificate. */
  readonly required: boolean;
}

/** Settings of a listener. */
export interface ListenSettings {
  /** Address to listen on. */
  hostname: string;
  /** Port; 0 takes a free one. */
  port: number;
  /** Path of a Unix socket to listen on instead. */
  path?: string | undefined;
  /** True to let other processes listen on the port too. */
  reusePort?: boolean | undefined;
  /** Identity of a listener with TLS, ALPN `http/1.1`; without it the listener has no TLS. */
  tls?: ServerIdentity | undefined;
  /** Reads the PROXY protocol; without it no peer sends it. */
  proxyProtocol?: ProxyProtocolHandler | undefined;
  /** Time limit of a TLS handshake, and of a header of the PROXY protocol, in ms; 0: no limit. */
  handshakeTimeout: number;
  /** Time. */
  clock: Clock;
}

/** A port that is listened on. */
export interface Listener {
  /** Address of the port. */
  readonly address: Address;
  /**
   * Shows another certificate from the next TLS handshake on.
   *
   * @param tls The new identity.
   */
  replaceIdentity(tls: ServerIdentity): void;
  /** Stops accepting. Accepted connections stay open. */
  close(): Promise<void>;
}

/** Address of an HTTP proxy. */
export interface ProxyAddress {
  /** Host name or address. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
  /** The value of `Proxy-Authorization`, if it wants one. */
  readonly authorization: string | undefined;
}

/** Settings of an outgoing connection. */
export interface ConnectSettings {
  /** Host name or address. */
  hostname: string;
  /** Port. */
  port: number;
  /** Path of a Unix socket to connect to instead. */
  path?: string | undefined;
  /** True to speak TLS, ALPN `http/1.1`. The name of the server is always checked against the certificate. */
  tls: boolean;
  /** Name of the server in TLS, where it is not the host name. */
  serverName?: string | undefined;
  /** Certificate and key that are shown if the server asks for them. */
  identity?: TlsIdentity | undefined;
  /** PEM texts of root certificates that are trusted besides the runtime's own. */
  rootCertificates: string[];
  /** Connects through this proxy. */
  proxy?: ProxyAddress | undefined;
  /** Time. */
  clock: Clock;
  /** Gives the attempt up. */
  signal: AbortSignal;
  /** Told what the attempt waits for, in words for the message of a timeout. */
  waitingFor?: ((what: string) => void) | undefined;
}

/** Sockets of a runtime. */
export interface TransportProvider {
  /**
   * Listens.
   *
   * @param options Address, TLS and limits.
   * @param handler Takes the connections.
   * @returns The open port.
   */
  listen(options: ListenSettings, handler: ListenHandler): Promise<Listener>;
  /**
   * Connects.
   *
   * @param options The target, and TLS.
   * @returns The connection, with TLS after its handshake, not opened yet.
   */
  connect(options: ConnectSettings): Promise<Transport>;
}
