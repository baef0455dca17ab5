/**
 * Connects with a socket, or over streams of the program, by the opening handshake of RFC 6455 §4.1.
 *
 * @module
 */

import {
  type ConnectionHandler,
  createConnection,
  deliverBatch,
  failConnection,
  holdsMessages,
  openConnection,
  releaseMessages,
  sendSubprotocol,
  setBinaryForm,
  setDelivery,
  setRequest,
  startConnection,
  stepConnection,
  type WebSocketConnection,
} from "../connection/connection.ts";
import type { BinaryForm } from "../connection/binary_form.ts";
import { ClientHandshake } from "./handshake.ts";
import type {
  ClientConnection,
  ClientConnectionHandler,
  CompressionOffer,
  Connector,
  ConnectPlan,
  ConnectProgram,
  OpenedConnection,
} from "./connector.ts";
import type {
  ConnectionSettings,
  ConnectionStart,
  ConnectionState,
  Delivery,
  HandshakeRequest,
  HandshakeResult,
  SendResult,
  StepResult,
} from "../connection/options.ts";
import type { CompressionOptions, CompressionSettings } from "../protocol/compression.ts";
import { compressionSettings, makeDeflateOffer, readDeflateAnswer, withPlainOffer } from "../protocol/deflate.ts";
import { quote } from "../base/error_text.ts";
import { TransportError } from "../base/errors.ts";
import { sharedTimer } from "../base/shared_timer.ts";
import { isError } from "../base/thrown.ts";
import { checkUpgradeResponse, createKey, encodeUpgradeRequest, type UpgradeOffer } from "../protocol/handshake.ts";
import { parseStatusLine } from "../protocol/head.ts";
import { requestHeaders, withCredentials } from "./request_headers.ts";
import { readSocketUrl, writeSocketUrl } from "../base/socket_path.ts";
import { checkSocketOptions, checkSocketSettings, checkSocketTarget, parseProxy } from "./socket_settings.ts";
import { assertTls, assertTlsAt } from "./tls_requirement.ts";
import { describeRequest } from "./request.ts";
import { socketFailures } from "./socket_failures.ts";
import { locationOf, redirect, refusedRedirect } from "./redirect.ts";
import { readCertificates } from "../transport/certificate.ts";
import { failureText } from "../transport/failure_text.ts";
import { proxyName } from "../transport/proxy_tunnel.ts";
import { hasRuntimeTransport, runtimeTransport } from "../transport/runtime.ts";
import { loadIdentity } from "../transport/tls_identity.ts";
import type { ConnectSettings, Transport } from "../transport/transport.ts";
import { assertStreams, streamTransport } from "../transport/stream.ts";
import { UnfinishedMessages } from "../connection/unfinished_messages.ts";

/** Connector that opens sockets of the runtime. */
export const socketConnector: Connector = {
  sendsHeaders: true,
  get available(): boolean {
    return hasRuntimeTransport();
  },
  timers: sharedTimer,
  failures: socketFailures,
  socketUrls: { read: readSocketUrl, write: writeSocketUrl },
  checkOptions: checkSocketOptions,
  deflateOffers(option: CompressionOffer): readonly CompressionSettings[] {
    if (Array.isArray(option)) return option.flatMap((offer) => compressionSettings(offer) ?? []);
    const settings = compressionSettings(option as boolean | CompressionOptions);
    return settings === undefined ? [] : withPlainOffer(settings);
  },
  checkSettings: checkSocketSettings,
  checkTarget: checkSocketTarget,
  withCredentials,
  requestHeaders,
  checkStream: assertStreams,
  discardStream({ readable, writable }) {
    const reason = new TransportError("ERR_ABORTED", "The connection was given up");
    // A stream that is taken is locked, and ends with its connection.
    readable.cancel(reason).catch(() => {});
    writable.abort(reason).catch(() => {});
  },
  connect,
};

async function connect(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection> {
  for (let redirects = 0;; redirects++) {
    try {
      return await connectOnce(plan, program);
    } catch (error) {
      const location = locationOf(error);
      if (location === undefined || plan.maxRedirects === 0 || plan.stream !== undefined) throw error;
      if (redirects === plan.maxRedirects) throw refusedRedirect(`there were ${redirects} already`, error);
      plan = redirect(plan, location, error);
    }
  }
}

async function connectOnce(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection> {
  assertTls(plan);
  const { headers, signal } = plan;
  const offer: UpgradeOffer = {
    ...plan,
    key: createKey(),
    extensions: plan.deflateOffers.map(makeDeflateOffer),
  };
  await program.sendHandshake({ url: plan.url, headers });
  const bytes = encodeUpgradeRequest(offer);
  const transport = await openTransport(plan, program);
  try {
    assertTlsAt(plan, transport.remoteAddress.hostname);
  } catch (error) {
    transport.destroy();
    throw error;
  }
  // The attempt may be aborted after the handshake, before the client takes the connection.
  signal.addEventListener("abort", () => transport.destroy(), { once: true });
  const handshake = new ClientHandshake(transport, signal);
  try {
    plan.waitingFor?.(`the answer of the server${plan.tls ? "" : ' (if its port speaks TLS, use "wss:")'}`);
    const head = await handshake.exchange(bytes);
    await handshake.assertNotTls(head, plan.settings.clock);
    const { protocol, extensions } = checkUpgradeResponse(head, offer);
    const compression = readDeflateAnswer(extensions, plan.deflateOffers);
    const { status } = parseStatusLine(head.startLine);
    await program.acceptResponse({ status, headers: head.fields.toHeaders(), protocol, extensions });
    signal.throwIfAborted();
    const result = { protocol, extensions, compression };
    return new OpenedSocket(transport, handshake, plan, describeRequest(plan, offer.extensions), result);
  } catch (error) {
    transport.destroy();
    throw error;
  }
}

async function openTransport(plan: ConnectPlan, program: ConnectProgram): Promise<Transport> {
  const { hostname, port, socketPath, tls, host, signal, stream, settings: { clock }, waitingFor } = plan;
  if (stream !== undefined) return streamTransport(stream, { encrypted: tls });
  const proxy = parseProxy(plan.proxy);
  const secure = await readTlsFiles(plan, program);
  const place = socketPath === "" ? host : `the Unix socket ${quote(socketPath)}`;
  const path = socketPath === "" ? undefined : socketPath;
  waitingFor?.(path === undefined ? `a TCP connection to ${proxy === undefined ? host : proxyName(proxy)}` : place);
  try {
    const options = { hostname, port, path, tls, ...secure, signal, proxy, clock, waitingFor };
    return await runtimeTransport().connect(options);
  } catch (cause) {
    signal.throwIfAborted();
    if (isError(cause, TransportError)) throw cause;
    const missing = path !== undefined && (cause as { code?: unknown } | null)?.code === "ENOENT";
    const hint = missing ? '; the path of a URL is "pathName"' : "";
    throw new TransportError("ERR_CONNECT", `Cannot connect to ${place}: ${failureText(cause)}${hint}`, { cause });
  }
}

/** Reads certificates and key of an attempt with TLS, so that renewed files count from the next attempt on. */
async function readTlsFiles(
  { tls, tlsSettings }: ConnectPlan,
  { handlers = {} }: ConnectProgram,
): Promise<Pick<ConnectSettings, "rootCertificates" | "identity" | "serverName">> {
  const askPassword = handlers.onGetSSLPassword && (() => handlers.onGetSSLPassword?.());
  const roots = await readCertificates(tlsSettings, "rootCertificate");
  const { certificate, certificateFile, certificateKey, certificateKeyFile, serverName } = tlsSettings;
  const shows = tls && Boolean(certificate || certificateFile || certificateKey || certificateKeyFile);
  return {
    rootCertificates: roots === "" ? [] : [roots],
    identity: shows
      ? await loadIdentity({ ...tlsSettings, rootCertificate: "", rootCertificateFile: "" }, askPassword)
      : undefined,
    serverName: serverName === "" ? undefined : serverName,
  };
}

/** A socket whose handshake is done. */
class OpenedSocket implements OpenedConnection {
  readonly #transport: Transport;
  readonly #handshake: ClientHandshake;
  readonly #plan: ConnectPlan;
  readonly #request: HandshakeRequest;
  readonly #result: HandshakeResult;
  #connection!: WebSocketConnection;

  constructor(
    transport: Transport,
    handshake: ClientHandshake,
    plan: ConnectPlan,
    request: HandshakeRequest,
    result: HandshakeResult,
  ) {
    this.#transport = transport;
    this.#handshake = handshake;
    this.#plan = plan;
    this.#request = request;
    this.#result = result;
  }

  attach(handler: ClientConnectionHandler, start: ConnectionStart): ClientConnection {
    const { settings, meter } = this.#plan;
    const adapted = withoutConnection(handler, settings);
    const connection = createConnection(this.#transport, "client", adapted, settings, meter);
    setRequest(connection, this.#request);
    startConnection(connection, this.#result, start);
    return this.#connection = connection;
  }

  begin(): void {
    openConnection(this.#connection, this.#handshake.leftover, this.#handshake);
  }

  setDelivery(delivery: Delivery): void {
    setDelivery(this.#connection, delivery);
  }

  deliverBatch(): void {
    deliverBatch(this.#connection);
  }

  step(timeout: number): Promise<StepResult> {
    return stepConnection(this.#connection, timeout);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  releaseMessages(): void {
    releaseMessages(this.#connection);
  }

  get holdsMessages(): boolean {
    return holdsMessages(this.#connection);
  }

  useBinaryForm(form: BinaryForm): (message: Uint8Array) => SendResult {
    setBinaryForm(this.#connection, form);
    return (message) => sendSubprotocol(this.#connection, message);
  }

  closeWith(code: number, error: unknown): void {
    failConnection(this.#connection, code, error);
  }
}

/** Adapts the handlers of a client, which has one connection and does not name it. */
function withoutConnection(
  handler: ClientConnectionHandler,
  { messageTimeout, clock }: ConnectionSettings,
): ConnectionHandler<unknown> {
  const limits = { maxTotalMessageSize: 0, messageTimeout, clock };
  return {
    unfinished: messageTimeout > 0 ? new UnfinishedMessages(() => limits) : undefined,
    message: (_, data, frame) => handler.message(data, frame),
    handlesMessages: () => handler.handlesMessages?.() === true,
    ping: (_, payload) => handler.ping(payload),
    pong: (_, payload) => handler.pong(payload),
    close: (_, code, reason) => handler.close(code, reason),
    disconnect: (_, info) => handler.disconnect(info),
    error: (_, error) => handler.error(error),
  };
}
