/**
 * Sockets of Bun: the part of its interface that is used here, and the functions that pass their events to owners.
 *
 * @module
 */

import type { Transport } from "./transport.ts";

/** Options of TLS. */
export interface TlsOptions {
  /** Private key, PEM. */
  key?: string | undefined;
  /** Certificate chain, PEM. */
  cert?: string | undefined;
  /** Trusted root certificates, PEM. */
  ca?: readonly string[] | undefined;
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
export interface Target {
  /** Host name or address. */
  hostname: string;
  /** Port. */
  port: number;
  /** True to keep the socket after FIN. */
  allowHalfOpen: boolean;
  /** True to let other processes listen on the port. */
  reusePort?: boolean | undefined;
  /** The functions. */
  socket: SocketHandlers;
}

/** A port that is open. */
export interface BunListener {
  /** Host name or address. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
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

/** Makes the transport of a socket; `undefined` for a peer that has reset the connection already. */
export type TakeSocket<Made extends Transport = Transport> = (
  socket: BunSocket,
  encrypted: boolean,
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
