/**
 * Connects with the `WebSocket` of the platform, as in a page.
 *
 * @module
 */

import { BrowserConnection, unsupported } from "./browser_connection.ts";
import type { CompressionOffer, Connector, ConnectPlan, ConnectProgram, OpenedConnection } from "./connector.ts";
import { browserFailures } from "./browser_failures.ts";
import { givenTlsSetting } from "./tls_settings.ts";
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
    throw unusable("compression", "a browser decides about its parameters");
  },
  connect,
};

async function connect(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection> {
  if (!browserConnector.available) throw unsupported("connect", "this platform has neither sockets nor a WebSocket");
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

/** Refuses settings that a browser cannot apply, so that none is ignored silently. */
function assertSupported(plan: ConnectPlan): void {
  const { settings } = plan;
  const { frameByFrame, manualPong, manualClose } = settings.options;
  if (plan.socketPath !== "") throw unusable("path", "a browser opens no Unix sockets");
  if (plan.origin !== "") throw unusable("origin", "a browser sends the origin of the page");
  const tlsSetting = givenTlsSetting(plan.tlsSettings);
  if (tlsSetting !== undefined) throw unusable(tlsSetting, "a browser uses its own certificates");
  if (plan.proxy !== "") throw unusable("proxy", "a browser uses its own proxy");
  if (plan.maxRedirects > 0) throw unusable("maxRedirects", "a browser follows none");
  if (plan.stream !== undefined) throw unusable("stream", "a browser opens its own connections");
  if (settings.frameSize !== 0) throw unusable("frameSize", "a browser splits no messages");
  if (settings.maxFragments !== CONNECTION_DEFAULTS.maxFragments && settings.maxFragments !== 0) {
    throw unusable("maxFragments", "a browser shows whole messages only");
  }
  if (settings.messageTimeout !== 0) throw unusable("messageTimeout", "a browser shows whole messages only");
  if (frameByFrame) throw unusable("frameByFrame", "a browser shows whole messages only");
  if (manualPong) throw unusable("manualPong", "a browser answers pings by itself");
  if (manualClose) throw unusable("manualClose", "a browser answers close frames by itself");
  if (plan.showsControlFrames) throw unusable("onPing and onPong", "a browser shows neither pings nor pongs");
}

function assertNoHeaders(headers: Headers): void {
  const names: string[] = [];
  headers.forEach((_value, name) => names.push(name));
  if (headers.has("authorization")) {
    const why =
      'a browser sends no "authorization", which "token" and a password in the URL become; use "protocols", ' +
      'or "receiverToken" of a WhatsAppReceiver';
    throw unusable("token", why);
  }
  if (names.length > 0) {
    throw unusable("headers", `a browser sends no header fields of the program (${names.join(", ")})`);
  }
}

function unusable(name: string, why: string): StateError {
  return unsupported(`connect with "${name}"`, why);
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
