/**
 * TLS on Bun: the handshakes of a server, and the options of a client.
 *
 * A server listens without TLS and upgrades each connection, since `Bun.listen` (Bun 1.4) has no way to show another
 * certificate later. A handshake takes as long either way (1.5 ms), bytes move as fast, and each connection gets the
 * identity of its moment.
 *
 * @module
 */

import { isIP } from "node:net";
import * as tls from "node:tls";
import {
  addressesOf,
  type BunListener,
  type BunSocket,
  listenerAddress,
  ownerHandlers,
  type SocketOwner,
  type TakeSocket,
  type TlsOptions,
} from "./bun_types.ts";
import { peerCertificate } from "./peer_certificate.ts";
import type {
  Address,
  ClientCheck,
  ConnectSettings,
  Listener,
  ListenHandler,
  ListenSettings,
  PeerCertificate,
  ServerIdentity,
  Transport,
} from "./transport.ts";

/** ALPN `http/1.1`, with its length in front (RFC 7301 §3.1). */
const ALPN = new TextEncoder().encode("\x08http/1.1");

/** A port on which TLS is spoken. */
export class TlsListener implements Listener {
  readonly address: Address;
  #listener: BunListener;
  #side: TlsServerSide;

  /**
   * Takes a port that is open.
   *
   * @param listener The port.
   * @param side Does the handshakes.
   */
  constructor(listener: BunListener, side: TlsServerSide) {
    this.#listener = listener;
    this.#side = side;
    this.address = listenerAddress(listener, side.path);
  }

  replaceIdentity(identity: ServerIdentity): void {
    this.#side.identity = identity;
  }

  close(): Promise<void> {
    this.#side.close();
    this.#listener.stop(false);
    return Promise.resolve();
  }
}

/** Does the TLS handshakes of one listener. */
export class TlsServerSide {
  /** Shown from the next handshake on. */
  identity: ServerIdentity;
  /** Path of the Unix socket; `undefined` for a port. */
  readonly path: string | undefined;
  #limits: HandshakeLimits;
  #handler: ListenHandler;
  #take: TakeSocket;
  #pending = new Set<ServerHandshake>();

  /**
   * Makes the handshakes of a listener.
   *
   * @param identity Certificate and key, and the check of clients.
   * @param limits Limits of a handshake, and the path of the Unix socket.
   * @param handler Takes the connections.
   * @param take Makes a transport of a socket.
   */
  constructor(identity: ServerIdentity, limits: HandshakeLimits, handler: ListenHandler, take: TakeSocket) {
    this.path = limits.path;
    this.#take = (socket, encrypted, _path, certificate) => take(socket, encrypted, limits.path, certificate);
    this.identity = identity;
    this.#limits = limits;
    this.#handler = handler;
  }

  /**
   * Begins the TLS handshake of a connection.
   *
   * @param raw Its socket, without TLS.
   */
  secure(raw: BunSocket): void {
    const address = addressesOf(raw, this.path)?.remote;
    if (address === undefined) return raw.close();
    const admittance = this.#handler.admit(address);
    if (admittance === undefined) return raw.close();
    const handshake = new ServerHandshake(this.#limits, this.#take, (transport) => {
      this.#pending.delete(handshake);
      this.#handler.accept(transport, admittance);
    }, (error) => {
      this.#pending.delete(handshake);
      admittance.leave();
      // Without an error this side has given up, and has reported the reason.
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

/** Limits of a handshake. */
type HandshakeLimits = Pick<ListenSettings, "handshakeTimeout" | "clock" | "path">;

/** A handshake that cannot begin, since the server's certificate or key is unusable: not the fault of the peer. */
class UnusableIdentity extends Error {}

/** A connection inside its TLS handshake, on the server. */
class ServerHandshake implements SocketOwner {
  #socket: BunSocket | undefined;
  #cancelTimer: (() => void) | undefined;
  #clients: ClientCheck | undefined;
  #take: TakeSocket;
  #done: (transport: Transport) => void;
  /** Unset once the handshake has ended. */
  #failed: ((error: unknown) => void) | undefined;

  constructor(
    limits: HandshakeLimits,
    take: TakeSocket,
    done: (transport: Transport) => void,
    failed: (error: unknown) => void,
  ) {
    this.#take = take;
    this.#done = done;
    this.#failed = failed;
    const { handshakeTimeout: timeout, clock } = limits;
    const late = (): void => this.#fail(new Error(`The TLS handshake took longer than ${timeout} ms`));
    if (timeout > 0) this.#cancelTimer = clock.after(timeout, late);
  }

  begin(raw: BunSocket, { certificate: cert, key, clients }: ServerIdentity): void {
    this.#clients = clients;
    const tls: TlsOptions = { cert, key, ALPNProtocols: ALPN };
    if (clients !== undefined) {
      Object.assign(tls, { requestCert: true, rejectUnauthorized: clients.required, ca: [clients.roots] });
    }
    try {
      [, this.#socket] = raw.upgradeTLS({ isServer: true, data: this, tls, socket: ownerHandlers });
    } catch (error) {
      // BoringSSL does not take the certificate or key.
      raw.close();
      this.#fail(new UnusableIdentity(undefined, { cause: error }));
    }
  }

  onHandshake(socket: BunSocket, success: boolean, error: Error | null): void {
    // The error of a success is about the certificate of the client.
    if (!success) return this.#fail(error ?? new Error("The TLS handshake failed"));
    const { certificate, fault } = this.#clients === undefined ? {} : checkClient(socket, this.#clients, error);
    if (fault !== undefined) return this.#fail(fault);
    const transport = this.#take(socket, true, undefined, certificate);
    // Closing the socket has reported this already.
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

/** Bun lets a handshake succeed whose certificate is not right, with `rejectUnauthorized` too. */
function checkClient(
  socket: BunSocket,
  { required }: ClientCheck,
  error: Error | null,
): { readonly certificate?: PeerCertificate; readonly fault?: Error } {
  const raw = (socket.getPeerCertificate() as { raw?: Uint8Array } | undefined)?.raw;
  if (raw === undefined) return required ? { fault: new Error("The client has shown no certificate") } : {};
  if (error === null && socket.authorized) return { certificate: peerCertificate(raw) };
  const { code } = (error ?? {}) as { code?: string };
  return { fault: new Error(`The certificate of the client is not valid${code ? `: ${code}` : ""}`) };
}

/** Options of TLS for a client. */
export function clientTls(
  { hostname, serverName: name = hostname, rootCertificates, identity }: ConnectSettings,
): TlsOptions {
  // RFC 6066 §3: no addresses as server names; without a name Bun would send the address. It is checked all the same.
  const secure: TlsOptions = { ALPNProtocols: ALPN, serverName: isIP(name) === 0 ? name : "" };
  if (identity !== undefined) Object.assign(secure, { cert: identity.certificate, key: identity.key });
  // The given roots replace the runtime's own.
  if (rootCertificates.length > 0) secure.ca = [...tls.getCACertificates("default"), ...rootCertificates];
  return secure;
}

/**
 * Checks the name of a server against its certificate. Bun does so too, but where none is sent, as for an address, it
 * takes the host of the socket below: that of a proxy, or `localhost` for a Unix socket.
 *
 * @param socket The socket, after its handshake.
 * @param options The target.
 * @returns The fault; `undefined` if the name is right.
 */
export function nameFault(
  socket: BunSocket,
  { hostname, serverName = hostname }: Pick<ConnectSettings, "hostname" | "serverName">,
): Error | undefined {
  return tls.checkServerIdentity(serverName, socket.getPeerCertificate() as tls.PeerCertificate);
}
