/**
 * Outgoing connections on Bun: directly, with TLS, through a proxy.
 *
 * Bun 1.4 cannot abort an attempt to connect. The program is notified at once; the socket is closed when the operating
 * system has an answer, at the latest after its own time limit of some two minutes.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import { clientTls, nameFault } from "./bun_tls.ts";
import {
  type BunRuntime,
  type BunSocket,
  ownerHandlers,
  type SocketOwner,
  type TakeSocket,
  type TlsOptions,
} from "./bun_types.ts";
import { openTunnel, type ProxyChannel, proxyFailure, proxyName } from "./proxy_tunnel.ts";
import type { ConnectSettings, ProxyAddress, Transport } from "./transport.ts";

/** A transport on which TLS can be put. */
export interface UpgradableTransport extends Transport {
  /** Puts TLS on top; from then on the socket belongs to another owner. */
  upgrade(owner: SocketOwner, options: TlsOptions): BunSocket;
}

/**
 * Connects, through a proxy or not.
 *
 * @param runtime Opens sockets.
 * @param options The target, and TLS.
 * @param take Makes the transport.
 * @returns The connection, with TLS after its handshake.
 */
export function connect(
  runtime: BunRuntime,
  options: ConnectSettings,
  take: TakeSocket<UpgradableTransport>,
): Promise<Transport> {
  return options.proxy === undefined
    ? connectDirectly(runtime, options, take)
    : connectThrough(runtime, options, options.proxy, take);
}

/** Bun tries all addresses of a host at the same time. */
function connectDirectly(
  runtime: BunRuntime,
  options: ConnectSettings,
  take: TakeSocket<UpgradableTransport>,
): Promise<UpgradableTransport> {
  const { hostname, port, path, signal } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const dial = new Dial(options, take, resolve, reject);
    // A connection that is established later is closed then.
    signal.addEventListener("abort", () => dial.fail(signal.reason), { once: true });
    const secure = clientTls(options);
    const place = path === undefined ? { hostname, port } : { unix: path };
    const target = { ...place, allowHalfOpen: true, data: dial, socket: ownerHandlers };
    runtime.connect(options.tls ? { ...target, tls: secure } : target).catch((error) => dial.fail(error));
  });
}

async function connectThrough(
  runtime: BunRuntime,
  options: ConnectSettings,
  proxy: ProxyAddress,
  take: TakeSocket<UpgradableTransport>,
): Promise<Transport> {
  const transport = await dialProxy(runtime, options, proxy, take);
  if (!options.tls) return transport;
  const abort = (): void => transport.destroy();
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    return await secureClient(transport, options, take);
  } catch (error) {
    transport.destroy();
    throw error;
  } finally {
    options.signal.removeEventListener("abort", abort);
  }
}

async function dialProxy(
  runtime: BunRuntime,
  options: ConnectSettings,
  proxy: ProxyAddress,
  take: TakeSocket<UpgradableTransport>,
): Promise<UpgradableTransport> {
  const { hostname, port } = proxy;
  const { signal, waitingFor } = options;
  let transport: UpgradableTransport | undefined;
  const abort = (): void => transport?.destroy();
  try {
    transport = await connectDirectly(runtime, { ...options, hostname, port, tls: false }, take);
    signal.addEventListener("abort", abort, { once: true });
    waitingFor?.(`the answer of ${proxyName(proxy)}`);
    await openTunnel(channelOf(transport), options, proxy);
    return transport;
  } catch (error) {
    transport?.destroy();
    signal.throwIfAborted();
    throw proxyFailure(error, proxy);
  } finally {
    signal.removeEventListener("abort", abort);
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

function secureClient(
  transport: UpgradableTransport,
  options: ConnectSettings,
  take: TakeSocket<UpgradableTransport>,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const dial = new Dial(options, take, resolve, reject);
    options.signal.addEventListener("abort", () => dial.fail(options.signal.reason), { once: true });
    dial.onOpen(transport.upgrade(dial, clientTls(options)));
  });
}

/** Settings of a connection until it is there. */
type DialSettings = Pick<ConnectSettings, "tls" | "waitingFor" | "hostname" | "serverName" | "path">;

/** An outgoing connection until it is there, with TLS until its handshake is done. */
class Dial implements SocketOwner {
  #options: DialSettings;
  #take: TakeSocket<UpgradableTransport>;
  #resolve: (transport: UpgradableTransport) => void;
  #reject: (error: unknown) => void;
  #socket: BunSocket | undefined;
  #failed = false;

  constructor(
    options: DialSettings,
    take: TakeSocket<UpgradableTransport>,
    resolve: (transport: UpgradableTransport) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#take = take;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onOpen(socket: BunSocket): void {
    if (this.#failed) return socket.close();
    this.#socket = socket;
    if (this.#options.tls) this.#options.waitingFor?.("the TLS handshake");
    else this.#succeed(socket);
  }

  onHandshake(socket: BunSocket, success: boolean, error: Error | null): void {
    const fault = success && error === null ? nameFault(socket, this.#options) : error;
    if (success && fault === undefined) this.#succeed(socket);
    else this.fail(fault ?? new Error("The TLS handshake failed"));
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
    const transport = this.#take(socket, this.#options.tls, this.#options.path);
    // Closing the socket has reported this already.
    if (transport === undefined) return;
    // Paused until it is opened.
    socket.pause();
    this.#resolve(transport);
  }

  /** Gives the attempt up; without effect once it has succeeded. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
    if (this.#socket?.data === this) this.#socket.close();
  }
}
