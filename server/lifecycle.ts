/**
 * Starting and stopping a server, in the order in which the program asks for it.
 *
 * | state      | meaning                                             | next                  |
 * |------------|-----------------------------------------------------|-----------------------|
 * | `stopped`  | nothing listens; settings may be changed            | `starting`            |
 * | `starting` | the extension, other nodes and the port are awaited | `running`, `stopped`  |
 * | `running`  | the port is open                                    | `stopping`            |
 * | `stopping` | the port is closed, connections are awaited         | `stopped`             |
 *
 * @module
 */

import type { LogRecord } from "../base/log.ts";
import { CloseCode, OptionError, TransportError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import type { ServerConnections } from "./connections.ts";
import type { ServerContext } from "./context.ts";
import { callWithin, waitingCaller } from "./handler_scope.ts";
import type { StopOptions } from "./handlers.ts";
import { encodeClosePayload } from "../protocol/payload.ts";
import type { Publisher } from "./publisher.ts";
import { withoutBrackets } from "../base/host_name.ts";
import { failureText } from "../transport/failure_text.ts";
import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertNumber, LONGEST_TIMER } from "../base/ranges.ts";
import { replacedCertificates } from "./certificates.ts";
import { quote } from "../base/error_text.ts";
import { defaultsOf } from "../base/settings.ts";
import {
  assertOnePlace,
  assertProxies,
  assertTlsForCertificates,
  SERVER_SETTINGS,
  type ServerCertificates,
} from "./settings.ts";
import { loadServerIdentity, type ServerSources } from "../transport/tls_identity.ts";
import type { Address, Listener, ListenSettings, ServerIdentity } from "../transport/transport.ts";
import { runtimeTransport } from "../transport/runtime.ts";

type RunState = "stopped" | "starting" | "running" | "stopping";

const STOP_NAMES: OptionTable<StopOptions> = { code: true, reason: true, closeTimeout: true, signal: true };
const STOP_OPTIONS = new OptionNames("stop", {
  tables: [STOP_NAMES],
  hints: { timeout: 'use "closeTimeout"', closeCode: 'use "code"', force: 'use "closeTimeout: 1"' },
  example: (value) => typeof value === "number" ? `{ code: ${value} }` : "{ closeTimeout: 1000 }",
});

/** Starts and stops one server. */
export class Lifecycle<Data> {
  readonly #context: ServerContext<Data>;
  readonly #connections: ServerConnections<Data>;
  readonly #publisher: Publisher<Data>;
  #state: RunState = "stopped";
  /** The state that the program asked for last. */
  #wanted: "running" | "stopped" = "stopped";
  /** The change that was asked for last; each waits for the one before. */
  #change: Promise<void> = Promise.resolve();
  #listener: Listener | undefined;
  /** The handlers that wait for the stop. */
  readonly #callers = new Set<object>();
  /** Stops the server. */
  readonly #signal: AbortSignal | undefined;
  readonly #onSignal: () => void;

  /**
   * Makes the life of a server that is stopped.
   *
   * @param context The server.
   * @param connections Its connections.
   * @param publisher Its way to other nodes.
   * @param signal The option `signal`.
   * @param stop Called when the signal is aborted.
   */
  constructor(
    context: ServerContext<Data>,
    connections: ServerConnections<Data>,
    publisher: Publisher<Data>,
    signal: AbortSignal | undefined,
    stop: () => void,
  ) {
    this.#context = context;
    this.#connections = connections;
    this.#publisher = publisher;
    this.#signal = signal;
    this.#onSignal = stop;
  }

  /** Tells whether the server listens, and is to go on. */
  get active(): boolean {
    return this.#state === "running" && this.#wanted === "running";
  }

  /** The address of the port. */
  get address(): Address | undefined {
    return this.#listener?.address;
  }

  /**
   * Starts the server: see `WebSocketServer.start`.
   *
   * @returns Resolves when the port is open.
   */
  start(): Promise<void> {
    if (this.#wanted === "running") return this.#change;
    this.#wanted = "running";
    this.#context.settings.locked = true;
    const change = this.#change.catch(() => {}).then(() => this.#listen()).catch((error) => {
      if (this.#change === change) this.#wanted = "stopped";
      this.#setState("stopped");
      throw error;
    });
    this.#change = change;
    return change;
  }

  #setState(state: RunState): void {
    this.#state = state;
    this.#context.settings.locked = state !== "stopped" || this.#wanted === "running";
  }

  async #listen(): Promise<void> {
    const { settings, log, extension } = this.#context;
    if (this.#signal?.aborted) {
      throw new TransportError("ERR_ABORTED", "Cannot start: the signal is aborted", { cause: this.#signal.reason });
    }
    assertTlsForCertificates(settings.current);
    assertOnePlace(settings.current, defaultsOf(SERVER_SETTINGS));
    assertProxies(settings.current);
    this.#setState("starting");
    await extension.prepare?.();
    try {
      await this.#publisher.openRelay();
      await this.#openPort();
    } catch (error) {
      this.#publisher.closeRelay();
      await extension.finish?.();
      throw error;
    }
    this.#setState("running");
    this.#signal?.addEventListener("abort", this.#onSignal, { once: true });
    // The start may have been aborted while the port was opened.
    if (this.#signal?.aborted) this.#onSignal();
    const { hostname, port, path } = this.#listener!.address;
    const { useSSL: tls } = settings.current;
    const place: LogRecord["attributes"] = path === undefined
      ? { "server.address": hostname, "server.port": port }
      : { "server.address": path };
    log.write("info", "server.listening", { ...place, tls });
  }

  async #openPort(): Promise<void> {
    const { port, path, hostname, reusePort, handshakeTimeout, clock, useSSL, proxyProtocol, proxies } =
      this.#context.settings.current;
    const address = withoutBrackets(hostname);
    const tls = useSSL ? await this.#loadIdentity(this.#context.settings.current) : undefined;
    try {
      const place = path === "" ? { port, hostname: address, reusePort } : { port, hostname: address, path };
      const options: ListenSettings = { ...place, handshakeTimeout, clock, tls };
      if (proxyProtocol) {
        options.proxyProtocol = {
          sends: (peer) => proxies!.has(peer.hostname),
          identified: (transport, admittance) => this.#connections.identified(transport, admittance),
          failed: (error, address) => this.#context.headerFailed(error, address),
        };
      }
      this.#listener = await runtimeTransport().listen(options, {
        admit: (address) => this.#connections.admit(address),
        accept: (transport, admittance) => this.#connections.acceptAdmitted(transport, admittance),
        handshakeFailed: (error, address, proxy) => this.#context.handshakeFailed(error, address, proxy),
        error: (error) => this.#context.acceptFailed(error),
      });
    } catch (cause) {
      if (isError(cause, TransportError) || isError(cause, OptionError)) throw cause;
      const host = address.includes(":") ? `[${address}]` : address;
      const message = path === ""
        ? `Cannot listen on ${host}:${port}: ${failureText(cause, "listen")}`
        : `Cannot listen on the Unix socket ${quote(path)}: ${failureText(cause, "open socket")}`;
      throw new TransportError("ERR_LISTEN", message, { cause });
    }
  }

  #loadIdentity(certificates: ServerSources): Promise<ServerIdentity> {
    const { handlers } = this.#context;
    const ask = handlers.onGetSSLPassword && (() => callWithin(this, () => handlers.onGetSSLPassword?.()));
    return loadServerIdentity(certificates, ask || undefined);
  }

  /**
   * Reads the certificate files again, or takes other certificates: see `WebSocketServer.reloadCertificates`.
   *
   * @param given Certificates that replace those of the settings.
   * @returns Resolves when new connections get the certificate.
   */
  async reloadCertificates(given: ServerCertificates): Promise<void> {
    const { settings } = this.#context;
    const replaced = replacedCertificates(given, settings.current);
    if (settings.current.useSSL && this.#listener !== undefined) {
      const identity = await this.#loadIdentity({ ...settings.current, ...replaced } as ServerSources);
      this.#listener?.replaceIdentity(identity);
    }
    settings.replaceCertificates(replaced);
  }

  /**
   * Stops the server: see `WebSocketServer.stop`.
   *
   * @param options Close code, reason, and time.
   * @returns Resolves when all connections have ended and the port is free.
   */
  stop(options: StopOptions): Promise<void> {
    // Checked before anything is closed.
    STOP_OPTIONS.assert(options);
    assertSignal(options);
    encodeClosePayload(options.code ?? CloseCode.GoingAway, options.reason ?? "");
    if (options.closeTimeout !== undefined) assertNumber("closeTimeout", options.closeTimeout, LONGEST_TIMER);
    if (this.#wanted === "stopped" && this.#connections.isEmpty) return this.#change.catch(() => {});
    if (this.#wanted === "stopped") this.#hasten(options);
    this.#wanted = "stopped";
    const caller = waitingCaller();
    if (caller !== undefined) this.#callers.add(caller);
    this.#change = this.#change.catch(() => {}).then(() => this.#drain(options));
    // It may come from within a handler that holds up an earlier call.
    if (this.#state === "stopping") this.#connections.excuse(this.#callers);
    // The start waits for the handler, and this for the start.
    return caller === this && this.#state === "starting" ? Promise.resolve() : this.#change;
  }

  async #drain(options: StopOptions): Promise<void> {
    const connections = this.#connections;
    if (this.#state !== "running" && connections.isEmpty) return;
    const { settings: { current }, log, extension } = this.#context;
    const { code = CloseCode.GoingAway, reason = "", closeTimeout = current.closeTimeout } = options;
    this.#setState("stopping");
    connections.beginStop(code, reason);
    this.#signal?.removeEventListener("abort", this.#onSignal);
    log.write("info", "server.stopping", { connections: connections.open.size });
    const closed = this.#listener?.close();
    connections.excuse(this.#callers);
    connections.closeAll();
    const hasten = (): void => connections.terminateAll();
    const cancel = this.#terminateStalled(closeTimeout);
    if (options.signal?.aborted) hasten();
    options.signal?.addEventListener("abort", hasten, { once: true });
    await connections.empty();
    connections.endHealthChecks();
    await connections.empty();
    cancel();
    options.signal?.removeEventListener("abort", hasten);
    connections.endRefusals();
    this.#publisher.closeRelay();
    await closed;
    this.#listener = undefined;
    await extension.finish?.();
    this.#setState("stopped");
    this.#callers.clear();
    connections.endStop();
    log.write("info", "server.stopped", {});
  }

  /**
   * Terminates connections that make no progress, at the end of each period of `closeTimeout`.
   *
   * @returns Cancels it.
   */
  #terminateStalled(closeTimeout: number): () => void {
    let cancel = (): void => {};
    if (closeTimeout === 0) return cancel;
    const terminateStalled = this.#connections.watchProgress();
    const wait = (): void => {
      cancel = this.#context.settings.current.clock.after(closeTimeout, () => {
        wait();
        terminateStalled();
      });
    };
    wait();
    return () => cancel();
  }

  /** Shortens a stop that is under way, as a second call asks. */
  #hasten({ closeTimeout, signal }: StopOptions): void {
    const hasten = (): void => this.#connections.terminateAll();
    if (signal?.aborted) return hasten();
    signal?.addEventListener("abort", hasten, { once: true });
    const cancel = closeTimeout ? this.#context.settings.current.clock.after(closeTimeout, hasten) : () => {};
    this.#connections.empty().then(() => {
      cancel();
      signal?.removeEventListener("abort", hasten);
    });
  }
}
