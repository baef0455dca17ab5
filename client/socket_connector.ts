/**
 * Connects with a socket, or over streams of the program: the opening handshake of RFC 6455 §4.1 by our own codec.
 *
 * @module
 */

import { ClientHandshake } from "./handshake.ts";
import type {
  ClientConnectionHandler,
  CompressionOffer,
  Connector,
  ConnectPlan,
  ConnectProgram,
  OpenedConnection,
} from "./connector.ts";
import { bindControl, type ConnectionControl } from "./connection_control.ts";
import {
  type ConnectionHandler,
  createConnection,
  deliverBatch,
  failConnection,
  openConnection,
  releaseMessages,
  setDelivery,
  setRequest,
  startConnection,
  stepConnection,
  type WebSocketConnection,
} from "../connection/connection.ts";
import type {
  ConnectionSettings,
  Delivery,
  HandshakeRequest,
  HandshakeResult,
  StepResult,
} from "../connection/options.ts";
import type { CompressionOptions, CompressionSettings } from "../protocol/compression.ts";
import { compressionSettings, makeDeflateOffer, readDeflateAnswer } from "../protocol/deflate.ts";
import { describe, TransportError } from "../base/errors.ts";
import { checkUpgradeResponse, createKey, encodeUpgradeRequest, type UpgradeOffer } from "../protocol/handshake.ts";
import { parseStatusLine } from "../protocol/head.ts";
import { assertProtected, assertProtectedAt } from "./loopback.ts";
import { locationOf, redirect, refusedRedirect } from "./redirect.ts";
import { readCertificates } from "../transport/certificate.ts";
import { hasRuntimeTransport, runtimeTransport } from "../transport/runtime.ts";
import type { Transport } from "../transport/transport.ts";
import { streamTransport } from "../transport/stream.ts";
import { UnfinishedMessages } from "../connection/unfinished_messages.ts";

/** Connects with a socket of the runtime. */
export const socketConnector: Connector = {
  sendsHeaders: true,
  get available(): boolean {
    return hasRuntimeTransport();
  },
  deflateOffers(option: CompressionOffer): readonly CompressionSettings[] {
    const offers = Array.isArray(option) ? option : [option as boolean | CompressionOptions];
    return offers.map((offer) => compressionSettings(offer)).filter((offer) => offer !== undefined);
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
  assertProtected(plan);
  const { headers, signal } = plan;
  const offer: UpgradeOffer = {
    ...plan,
    key: createKey(),
    extensions: plan.deflateOffers.map(makeDeflateOffer),
  };
  await program.sendHandshake({ url: plan.url, headers });
  const bytes = encodeUpgradeRequest(offer);
  const transport = await openTransport(plan);
  try {
    assertProtectedAt(plan, transport.remoteAddress.hostname);
  } catch (error) {
    transport.destroy();
    throw error;
  }
  // The attempt may be given up when all is done already, and nobody takes the result.
  signal.addEventListener("abort", () => transport.destroy(), { once: true });
  const handshake = new ClientHandshake(transport, signal);
  try {
    const head = await handshake.exchange(bytes);
    const { protocol, extensions } = checkUpgradeResponse(head, offer);
    const compression = readDeflateAnswer(extensions, plan.deflateOffers);
    const { status } = parseStatusLine(head.startLine);
    await program.acceptResponse({ status, headers: head.fields.toHeaders(), protocol, extensions });
    signal.throwIfAborted();
    const result = { protocol, extensions, compression };
    return makeOpened(transport, handshake, plan, describeRequest(offer, headers), result);
  } catch (error) {
    transport.destroy();
    throw error;
  }
}

async function openTransport(plan: ConnectPlan): Promise<Transport> {
  const { hostname, port, tls, host, rootCertificateFile, signal, stream, proxy, settings: { clock } } = plan;
  if (stream !== undefined) return streamTransport(stream, { encrypted: tls });
  const rootCertificates = rootCertificateFile === ""
    ? []
    : [await readCertificates(rootCertificateFile, "rootCertificateFile")];
  try {
    return await runtimeTransport().connect({ hostname, port, tls, rootCertificates, signal, proxy, clock });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof TransportError) throw cause;
    throw new TransportError("ERR_CONNECT", `Cannot connect to ${host}: ${describe(cause)}`, { cause });
  }
}

function describeRequest({ target, protocols, extensions }: UpgradeOffer, headers: Headers): HandshakeRequest {
  const [path, ...query] = target.split("?");
  // One for each, so that what listens to it is let go with the connection.
  const { signal } = new AbortController();
  return { method: "GET", path, query: query.join("?"), headers, protocols, extensions, signal };
}

function makeOpened(
  transport: Transport,
  handshake: ClientHandshake,
  { settings, meter }: ConnectPlan,
  request: HandshakeRequest,
  result: HandshakeResult,
): OpenedConnection {
  let connection: WebSocketConnection | undefined;
  return {
    attach(handler, start) {
      connection = createConnection(transport, "client", withoutConnection(handler, settings), settings, meter);
      bindControl(connection, new SocketControl(connection));
      setRequest(connection, request);
      startConnection(connection, result, start);
      return connection;
    },
    begin: () => {
      if (connection !== undefined) openConnection(connection, handshake.leftover, handshake);
    },
  };
}

class SocketControl implements ConnectionControl {
  readonly #connection: WebSocketConnection;

  constructor(connection: WebSocketConnection) {
    this.#connection = connection;
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
  releaseMessages(): void {
    releaseMessages(this.#connection);
  }
  closeWith(code: number, error: unknown): void {
    failConnection(this.#connection, code, error);
  }
}

/** A client has one connection, so its handlers are not told which. */
function withoutConnection(
  handler: ClientConnectionHandler,
  { messageTimeout, clock }: ConnectionSettings,
): ConnectionHandler<unknown> {
  const limits = { maxTotalMessageSize: 0, messageTimeout, clock };
  return {
    unfinished: messageTimeout > 0 ? new UnfinishedMessages(() => limits) : undefined,
    message: (_, data, frame) => handler.message(data, frame),
    ping: (_, payload) => handler.ping(payload),
    pong: (_, payload) => handler.pong(payload),
    close: (_, code, reason) => handler.close(code, reason),
    disconnect: (_, info) => handler.disconnect(info),
    error: (_, error) => handler.error(error),
  };
}
