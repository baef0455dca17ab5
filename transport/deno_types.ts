/**
 * Sockets of Deno: the part of its interface that is used here, so that programs with other types can check ours.
 *
 * @module
 */

/** An address of TCP. */
export interface DenoAddress {
  /** Host name or address. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
}

/** A connection of Deno: TCP, TLS, or a Unix socket, whose addresses have paths. */
export interface DenoConnection {
  /** Address of this end. */
  readonly localAddr: Partial<DenoAddress>;
  /** Address of the peer. */
  readonly remoteAddr: Partial<DenoAddress>;
  /** Resolves with the number of bytes read; `null` after FIN. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves with the number of bytes that were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends FIN. */
  closeWrite(): Promise<void>;
  /** Closes it at once. */
  close(): void;
}

/** A TCP connection of Deno. */
export interface DenoTcpConnection extends DenoConnection {
  /** Address of this end. */
  readonly localAddr: DenoAddress;
  /** Address of the peer. */
  readonly remoteAddr: DenoAddress;
  /** Turns Nagle's algorithm off. */
  setNoDelay(noDelay?: boolean): void;
  /** Has the system find peers that are gone. */
  setKeepAlive(keepAlive?: boolean): void;
}

/** A TLS connection of Deno. */
export interface DenoTlsConnection extends DenoConnection {
  /** Resolves after the handshake. */
  handshake(): Promise<unknown>;
}

/** A port, or a Unix socket, that is open. */
export interface DenoListening<Connection extends DenoConnection = DenoTcpConnection> extends Disposable {
  /** Its address. */
  readonly addr: Connection["localAddr"];
  /** Waits for the next connection. */
  accept(): Promise<Connection>;
  /** Closes the port. */
  close(): void;
}

/** Makes an error of Deno. */
export type DenoErrorClass = new (message?: string) => Error;

/** The part of Deno that opens sockets. */
export interface DenoRuntime {
  /** Opens a port. */
  listen(options: { hostname?: string; port: number; reusePort?: boolean }): DenoListening;
  /** Opens a Unix socket. */
  listen(options: { transport: "unix"; path: string }): DenoListening<DenoConnection>;
  /** Opens a connection to a Unix socket. */
  connect(options: { transport: "unix"; path: string; signal?: AbortSignal }): Promise<DenoConnection>;
  /** Opens a connection. */
  connect(options: { hostname: string; port: number; signal?: AbortSignal }): Promise<DenoTcpConnection>;
  /** Speaks TLS over a connection. */
  startTls(
    connection: DenoTcpConnection,
    options: { hostname: string; caCerts: string[]; alpnProtocols: string[] },
  ): Promise<DenoTlsConnection>;
  /** Permissions of the program. */
  readonly permissions: {
    /** Looks whether one is granted. */
    querySync(descriptor: { name: "net"; host: string }): { readonly state: string };
  };
  /** Classes of errors. */
  readonly errors: Readonly<Record<"NotConnected" | "ConnectionReset" | "ConnectionAborted", DenoErrorClass>>;
}
