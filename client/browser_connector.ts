/**
 * Connects with the `WebSocket` of the platform, as in a page.
 *
 * @module
 */

import { BrowserConnection, unsupported } from "./browser_connection.ts";
import type { CompressionOffer, Connector, ConnectPlan, ConnectProgram, OpenedConnection } from "./connector.ts";
import { browserFailures } from "./browser_failures.ts";
import { CONNECTION_DEFAULTS } from "../connection/options.ts";
import type { CompressionSettings } from "../protocol/compression.ts";
import { describe, type StateError, TransportError } from "../base/errors.ts";

/** Connector that uses the `WebSocket` of the platform. */
export const browserConnector: Connector = {
  sendsHeaders: false,
  get available(): boolean {
    return typeof WebSocket === "function";
  },
  // A page has few connections, and few timers.
  timers: (clock) => clock,
  failures: browserFailures,
  deflateOffers(option: CompressionOffer): readonly CompressionSettings[] {
    if (typeof option === "boolean" || (Array.isArray(option) && option.length === 0)) return [];
    throw unusable('parameters of "compression"');
  },
  /** Takes header fields of the program, which `connect` refuses, together with credentials. */
  async requestHeaders({ headers, token }, { first }, ask, url = first) {
    const fields = new Headers(typeof headers === "function" ? await ask("headers", headers) : headers);
    // Credentials of the first URL are for its origin only.
    const urls = url?.origin === first?.origin ? [first, url] : [url];
    if (token !== undefined || urls.some((from) => from?.username || from?.password)) {
      fields.set("authorization", "given");
    }
    return fields;
  },
  connect,
};

async function connect(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection> {
  if (!browserConnector.available) throw unsupported("connect, without sockets or a WebSocket");
  assertSupported(plan);
  await program.sendHandshake({ url: plan.url, headers: plan.headers });
  assertNoHeaders(plan.headers);
  plan.signal.throwIfAborted();
  const socket = openSocket(plan);
  // The attempt may be aborted after the handshake, before the client takes the connection.
  plan.signal.addEventListener("abort", () => socket.close(), { once: true });
  const connection = new BrowserConnection(socket, plan);
  try {
    await opened(socket, plan);
    const { protocol, extensions } = connection;
    // A browser shows no other part of the answer.
    await program.acceptResponse({ status: 101, headers: new Headers(), protocol, extensions });
    plan.signal.throwIfAborted();
    return connection;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Settings that a browser cannot apply: they must be off, or have their defaults, so that none is ignored silently. */
const SOCKETS_ONLY =
  "path,origin,rootCertificateFile,rootCertificate,certificateFile,certificate,certificateKeyFile,certificateKey," +
  "serverName,proxy,maxRedirects,stream,frameSize,maxFragments,messageTimeout,frameByFrame,manualPong,manualClose," +
  "onPing or onPong";

function assertSupported(plan: ConnectPlan): void {
  const { settings, showsControlFrames } = plan;
  const given: Record<string, unknown> = {
    ...plan,
    ...plan.tlsSettings,
    path: plan.socketPath,
    ...settings,
    ...settings.options,
    "onPing or onPong": showsControlFrames,
  };
  for (const name of SOCKETS_ONLY.split(",")) {
    const value = given[name];
    if (value && value !== Reflect.get(CONNECTION_DEFAULTS, name)) throw unusable(`"${name}"`);
  }
}

function assertNoHeaders(headers: Headers): void {
  const names: string[] = [];
  headers.forEach((_value, name) => names.push(name));
  if (names.length === 0) return;
  throw unusable(
    headers.has("authorization")
      ? '"token" or a password, as "authorization" (use "protocols", or "receiverToken" of a WhatsAppReceiver)'
      : `"headers" (${names.join(", ")})`,
  );
}

function unusable(what: string): StateError {
  return unsupported(`connect with ${what}`);
}

function openSocket({ url, protocols, host }: ConnectPlan): WebSocket {
  try {
    return new WebSocket(url, [...protocols]);
  } catch (cause) {
    // For example "ws:" in a page that was loaded over "https:".
    throw new TransportError("ERR_CONNECT", `Cannot connect to ${host}: ${describe(cause)}`, { cause });
  }
}

/** Waits until the handshake is done. */
function opened(socket: WebSocket, { host }: ConnectPlan): Promise<void> {
  return new Promise((resolve, reject) => {
    const onOpen = (): void => settle(resolve);
    const onClose = (): void => {
      const message = `Cannot connect to ${host}: a browser does not say why`;
      settle(() => reject(new TransportError("ERR_CONNECT", message)));
    };
    const settle = (end: () => void): void => {
      socket.removeEventListener("open", onOpen);
      socket.removeEventListener("close", onClose);
      socket.removeEventListener("error", onClose);
      end();
    };
    socket.addEventListener("open", onOpen);
    socket.addEventListener("close", onClose);
    // Node 20 fires only this event.
    socket.addEventListener("error", onClose);
  });
}
