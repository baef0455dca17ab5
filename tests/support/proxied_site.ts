/** Servers of ours behind a proxy, and clients that go through it. */

import { readFileSync } from "node:fs";
import { request as requestPlain } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { request as requestTls } from "node:https";
import { connect as connectTls } from "node:tls";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import type { WebSocketServer, WebSocketServerOptions } from "../../server.ts";
import type { WhatsAppServerOptions } from "../../whatsapp.ts";
import { Proxy, type ProxyKind, type Replacement } from "./proxies.ts";
import { decode, decodeAll, defer, Peer, startEcho, tlsFile } from "./support.ts";
import { PATH, startServer, type TestServer } from "./whatsapp.ts";

const rootCertificateFile = tlsFile("ca.pem");
const ca = readFileSync(rootCertificateFile);

/** Path of the health checks of the proxies. */
const healthPath = "/healthy";

/** An echo server, and the connections that it has opened. */
export class Node implements AsyncDisposable {
  constructor(readonly server: WebSocketServer, readonly connections: readonly WebSocketConnection[]) {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.stop();
  }
}

/** Starts an echo server that is healthy. */
export async function startNode(options: WebSocketServerOptions = {}): Promise<Node> {
  const connections: WebSocketConnection[] = [];
  const server = await startEcho({
    onOpen: (connection) => void connections.push(connection),
    healthPath,
    onError: () => {},
    ...options,
  });
  return new Node(server, connections);
}

/** A node behind a proxy, and clients. */
export class Site implements AsyncDisposable {
  #node: Node;
  #clients: WebSocketClient[] = [];

  private constructor(node: Node, readonly proxy: Proxy) {
    this.#node = node;
  }

  /**
   * Starts a node and a proxy before it.
   *
   * @param other Second node; without it the second one is dead.
   */
  static async start(
    kind: ProxyKind,
    options: WebSocketServerOptions = {},
    replacements: readonly Replacement[] = [],
    other?: Node,
  ): Promise<Site> {
    const node = await startNode(options);
    const port = node.server.address!.port;
    try {
      return new Site(
        node,
        await Proxy.start(kind, other === undefined ? port : [port, other.server.address!.port], replacements),
      );
    } catch (error) {
      await node.server.stop();
      throw error;
    }
  }

  get connections(): readonly WebSocketConnection[] {
    return this.#node.connections;
  }

  /** Options that all clients have. */
  get options(): WebSocketClientOptions {
    return this.proxy.kind.plain ? {} : { rootCertificateFile };
  }

  /** Makes a client, which is closed with the site. */
  client(options: WebSocketClientOptions = {}): WebSocketClient {
    const client = new WebSocketClient(this.proxy.url("/"), { onError: () => {}, ...this.options, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Makes and connects a client. */
  async connected(options: WebSocketClientOptions = {}): Promise<WebSocketClient> {
    const client = this.client(options);
    await client.connect();
    return client;
  }

  /** Sends a request on a connection that may stay, and resolves when the proxy ends it. */
  async untilIdleHttpIsCut(): Promise<void> {
    const { promise, resolve, reject } = defer<void>();
    const socket = connectTls({ port: this.proxy.place.port, host: "127.0.0.1", servername: "localhost", ca });
    socket.on("error", reject);
    socket.on("data", () => {});
    socket.on("close", () => resolve());
    socket.write(`GET /healthy HTTP/1.1\r\nHost: localhost:${this.proxy.place.port}\r\n\r\n`);
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.disconnect()));
    await this.proxy.stop();
    await this.#node.server.stop();
  }
}

/** A webhook server behind a proxy. */
export class WebhookSite implements AsyncDisposable {
  private constructor(readonly server: TestServer, readonly proxy: Proxy) {}

  static async start(
    kind: ProxyKind,
    replacements: readonly Replacement[] = [],
    options: WhatsAppServerOptions = {},
  ): Promise<WebhookSite> {
    const server = await startServer({ healthPath, ...options });
    try {
      return new WebhookSite(server, await Proxy.start(kind, server.address!.port, replacements));
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    await this.server.stop();
  }
}

/**
 * Posts a notification through a proxy on a connection of its own; returns the status, or how it failed.
 *
 * @param options Header fields, and true to show the certificate of a client, `O=Tackline, CN=client.example`.
 */
export function post(
  proxy: Proxy,
  body: Uint8Array,
  signature: string,
  { headers = {}, hasCertificate = false }: { headers?: Record<string, string>; hasCertificate?: boolean } = {},
): Promise<string> {
  const { promise, resolve } = defer<string>();
  const request = proxy.kind.plain ? requestPlain : requestTls;
  const outgoing = request(proxy.url(PATH, "http"), {
    method: "POST",
    agent: false,
    ...proxy.kind.plain ? {} : { ca },
    ...hasCertificate ? { cert: readFileSync(tlsFile("client.pem")), key: readFileSync(tlsFile("client.key")) } : {},
    headers: {
      "content-type": "application/json",
      "content-length": String(body.length),
      "x-hub-signature-256": signature,
      ...headers,
    },
  }, (response) => {
    response.resume();
    response.on("close", () => resolve(String(response.statusCode)));
  });
  outgoing.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  outgoing.end(body);
  return promise;
}

/** What a WebSocket over HTTP/2 brought. */
export interface Http2Answer {
  status: number;
  extensions: string;
  echo: string;
}

/** Opens a WebSocket by extended CONNECT (RFC 8441), and sends a text; `undefined` if the proxy does not offer it. */
export async function openOverHttp2(proxy: Proxy): Promise<Http2Answer | undefined> {
  const settings = defer<{ enableConnectProtocol?: boolean }>();
  const session = connectHttp2(proxy.url("/", "http"), { ca });
  const gone = new Promise<void>((resolve) => session.on("close", () => resolve()));
  session.on("remoteSettings", settings.resolve);
  session.on("error", settings.reject);
  try {
    const { enableConnectProtocol } = await settings.promise;
    return enableConnectProtocol ? await echoOver(session, proxy) : undefined;
  } finally {
    session.destroy();
    await gone;
  }
}

function echoOver(session: ClientHttp2Session, { place: { port } }: Proxy): Promise<Http2Answer> {
  const { promise, resolve, reject } = defer<Http2Answer>();
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "https",
    ":path": "/",
    ":authority": `localhost:${port}`,
    "sec-websocket-version": "13",
    "sec-websocket-extensions": "permessage-deflate",
  });
  let [status, extensions] = [0, ""];
  stream.on("error", reject);
  stream.on("response", (headers) => {
    status = Number(headers[":status"]);
    extensions = String(headers["sec-websocket-extensions"] ?? "");
    stream.write(new Peer("client").text("over HTTP/2"));
  });
  stream.on("data", (bytes: Uint8Array) => {
    const [frame] = decodeAll(new Uint8Array(bytes), 4);
    resolve({ status, extensions, echo: decode(frame!.payload) });
    stream.close();
  });
  return promise;
}
