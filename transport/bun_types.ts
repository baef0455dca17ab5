/**
 * Sockets of Bun: the part of its interface that is used here, and the functions that pass their events to owners.
 *
 * @module
 */

import type { Transport } from "./transport.ts";

export interface TlsOptions {
  key?: string;
  cert?: string;
  ca?: readonly string[];
  serverName?: string;
  ALPNProtocols: Uint8Array;
}

export interface BunSocket {
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

export interface SocketHandlers {
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

export interface Target {
  hostname: string;
  port: number;
  allowHalfOpen: boolean;
  reusePort?: boolean;
  socket: SocketHandlers;
}

export interface BunListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeActiveConnections: boolean): void;
}

export interface BunRuntime {
  listen(target: Target): BunListener;
  connect(target: Target & { data: SocketOwner; tls?: TlsOptions }): Promise<BunSocket>;
}

/** Owner of a socket: first a handshake, then a transport. */
export interface SocketOwner {
  onOpen?(socket: BunSocket): void;
  onHandshake?(socket: BunSocket, success: boolean, error: Error | null): void;
  onData(bytes: Uint8Array): void;
  onDrain(): void;
  onEnd(): void;
  onClose(error: unknown): void;
}

/** Makes the transport of a socket; `undefined` for a peer that has reset the connection already. */
export type TakeSocket<Made extends Transport = Transport> = (
  socket: BunSocket,
  encrypted: boolean,
) => Made | undefined;

/** One set of functions serves all sockets: their owners tell them apart. */
export const ownerHandlers: SocketHandlers = {
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

/** Owns a socket that has no owner yet. */
export const UNOWNED: SocketOwner = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };
