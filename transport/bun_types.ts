/**
 * Sockets of Bun: the part of its interface that is used here, and the functions that pass their events to owners.
 *
 * @module
 */

import type { Address, PeerCertificate, Transport } from "./transport.ts";
import { unixAddress } from "./unix_socket.ts";

/** Options of TLS. */
export interface TlsOptions {
  /** Private key, PEM. */
  key?: string | undefined;
  /** Certificate chain, PEM. */
  cert?: string | undefined;
  /** Trusted root certificates, PEM. */
  ca?: readonly string[] | undefined;
  /** Asks the client for a certificate. */
  requestCert?: boolean | undefined;
  /** Refuses a client without one; one whose certificate is not right gets through all the same. */
  rejectUnauthorized?: boolean | undefined;
  /** Name in SNI; "": none. */
  serverName?: string | undefined;
  /** Protocols for ALPN, each with its length in front. */
  ALPNProtocols: Uint8Array;
}

/** A socket of Bun. */
export interface BunSocket {
  /** Owner of the socket. */
  data: SocketOwner;
  // Each is `undefined` once the peer has reset the connection.
  /** Address of the peer. */
  readonly remoteAddress: string | undefined;
  /** Port of the peer. */
  readonly remotePort: number | undefined;
  /** Address of this end. */
  readonly localAddress: string | undefined;
  /** Port of this end. */
  readonly localPort: number | undefined;
  /** Returns how many bytes were taken, or -1 if it is closed. */
  write(bytes: Uint8Array): number;
  /** Sends FIN. */
  shutdown(): void;
  /**
   * Ends the connection at once, and calls `close` within the call; without a reset, which could overtake bytes.
   */
  close(): void;
  /** Ends it at once, with a reset. */
  terminate(): void;
  /** Stops reading. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Turns Nagle's algorithm off. */
  setNoDelay(noDelay: boolean): boolean;
  /** `true` if the certificate of the peer is right. */
  readonly authorized: boolean;
  /** Returns the certificate of the peer, in the form of `node:tls`; without one an empty object or `undefined`. */
  getPeerCertificate(): unknown;
  /** Returns the socket with the encrypted bytes, and the one to use. */
  upgradeTLS(
    options: { isServer: boolean; data: SocketOwner; tls: TlsOptions; socket: SocketHandlers },
  ): [raw: BunSocket, tls: BunSocket];
}

/** Functions that Bun calls for a socket. */
export interface SocketHandlers {
  /** Type of the bytes. */
  binaryType?: "uint8array" | undefined;
  /** Called for a new socket. */
  open?(socket: BunSocket): void;
  /** Called when a TLS handshake has ended. */
  handshake?(socket: BunSocket, success: boolean, error: Error | null): void;
  /** Called for bytes. */
  data?(socket: BunSocket, bytes: Uint8Array): void;
  /** Called when the socket takes bytes again. */
  drain?(socket: BunSocket): void;
  /** Called for FIN. */
  end?(socket: BunSocket): void;
  /** Called when the socket has closed. */
  close?(socket: BunSocket, error?: Error): void;
  /** Called with the error of a handler, or of TLS. */
  error?(socket: BunSocket, error: Error): void;
  /** Called when an attempt to connect fails. */
  connectError?(socket: BunSocket, error: Error): void;
}

/** Options of `Bun.listen` and `Bun.connect`. */
export type Target = (TcpTarget | UnixTarget) & CommonTarget;

/** A port. */
export interface TcpTarget {
  /** Host name or address. */
  hostname: string;
  /** Port. */
  port: number;
}

/** A Unix socket. */
export interface UnixTarget {
  /** Its path. */
  unix: string;
}

/** Options of both. */
export interface CommonTarget {
  /** True to keep the socket after FIN. */
  allowHalfOpen: boolean;
  /** True to let other processes listen on the port. */
  reusePort?: boolean | undefined;
  /** The functions. */
  socket: SocketHandlers;
}

/** A port, or a Unix socket, that is open. */
export interface BunListener {
  /** Host name or address; absent on a Unix socket. */
  readonly hostname?: string;
  /** Port; absent on a Unix socket. */
  readonly port?: number;
  /** Closes the port. */
  stop(closeActiveConnections: boolean): void;
}

/** The part of `Bun` that opens sockets. */
export interface BunRuntime {
  /** Opens a port. */
  listen(target: Target): BunListener;
  /** Opens a connection. */
  connect(target: Target & { data: SocketOwner; tls?: TlsOptions | undefined }): Promise<BunSocket>;
}

/** Owner of a socket: first a handshake, then a transport. */
export interface SocketOwner {
  /** Takes a new socket. */
  onOpen?(socket: BunSocket): void;
  /** Takes the end of a TLS handshake. */
  onHandshake?(socket: BunSocket, success: boolean, error: Error | null): void;
  /** Takes bytes. */
  onData(bytes: Uint8Array): void;
  /** Takes that the socket has room again. */
  onDrain(): void;
  /** Takes FIN. */
  onEnd(): void;
  /** Takes the end of the socket. */
  onClose(error: unknown): void;
}

/**
 * Finds the addresses of a socket.
 *
 * @param socket The socket.
 * @param path Path of the Unix socket; `undefined`: TCP.
 * @returns The addresses; `undefined` for a peer that has reset the connection already, and has none any more.
 */
export function addressesOf(
  socket: BunSocket,
  path: string | undefined,
): { readonly remote: Address; readonly local: Address } | undefined {
  // Not the same object: a server may replace the one of the peer.
  if (path !== undefined) return { remote: unixAddress(path), local: unixAddress(path) };
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (
    remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined
  ) return undefined;
  return {
    remote: { hostname: remoteAddress, port: remotePort },
    local: { hostname: localAddress, port: localPort },
  };
}

/**
 * Tells the address of a listener.
 *
 * @param listener The listener.
 * @param path Path of its Unix socket; `undefined`: TCP.
 * @returns The address.
 */
export function listenerAddress({ hostname = "", port = 0 }: BunListener, path: string | undefined): Address {
  return path === undefined ? { hostname, port } : unixAddress(path);
}

/** Makes the transport of a socket; `undefined` for a peer that has reset the connection already. */
export type TakeSocket<Made extends Transport = Transport> = (
  socket: BunSocket,
  encrypted: boolean,
  path?: string,
  certificate?: PeerCertificate,
) => Made | undefined;

/** Functions for all sockets: each calls the owner of its socket. */
export const ownerHandlers: SocketHandlers = {
  binaryType: "uint8array",
  open: (socket) => socket.data.onOpen?.(socket),
  handshake: (socket, success, error) => socket.data.onHandshake?.(socket, success, error),
  data: (socket, bytes) => socket.data.onData(bytes),
  drain: (socket) => socket.data.onDrain(),
  end: (socket) => socket.data.onEnd(),
  close: (socket, error) => socket.data.onClose(error),
  // After a TLS failure `close` follows by itself; an exception of a handler ends the connection here.
  error(socket, error) {
    socket.data.onClose(error);
    socket.close();
  },
};

/** Owns a socket that has no owner yet. */
export const UNOWNED: SocketOwner = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };
