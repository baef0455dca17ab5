/**
 * Options of a server as programs give them to npm `ws`, and the settings that follow from them.
 *
 * @module
 */

import type { CompressionOptions } from "../protocol/compression.ts";
import type { WebSocketServerOptions as EngineOptions } from "../server/settings.ts";
import type { DuplexSocket } from "../transport/duplex.ts";
import type { WebSocket } from "./websocket.ts";

/** The request of an upgrade: the `IncomingMessage` of `node:http`. */
export interface UpgradeRequest {
  /** The method. */
  readonly method?: string | undefined;
  /** Path and query. */
  readonly url?: string | undefined;
  /** The version of HTTP. */
  readonly httpVersion?: string | undefined;
  /** The header fields, with names in small letters. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The socket that it came on. */
  readonly socket: Pick<DuplexSocket, "remoteAddress" | "remotePort" | "localAddress" | "localPort" | "encrypted">;
}

/** A listener of a server of `node:http`. */
export type HttpListener = (...args: unknown[]) => void;

/** A server of `node:http` or `node:https`. */
export interface HttpServer {
  /** Adds a listener. */
  on(event: string, listener: HttpListener): unknown;
  /** Removes a listener. */
  removeListener(event: string, listener: HttpListener): unknown;
  /** Address and port, a path, or `null` if it does not listen. */
  address(): { address: string; family: string; port: number } | string | null;
}

/** A handshake that `verifyClient` decides about. */
export interface VerifyInfo {
  /** The value of `Origin`. */
  readonly origin: string;
  /** `true` if TLS protects the connection. */
  readonly secure: boolean;
  /** The request. */
  readonly req: UpgradeRequest;
}

/** Answer of an asynchronous `verifyClient`: `code`, `message` and `headers` are those of a refusal. */
export type VerifyAnswer = (
  verified: boolean,
  code?: number,
  message?: string,
  headers?: Readonly<Record<string, string | number | string[]>>,
) => void;

/**
 * Decides whether to open a WebSocket. A function with one parameter returns a boolean or a promise of one; a function
 * with two calls the second, now or later.
 */
export type VerifyClient = {
  // As methods, so that functions fit which declare an `IncomingMessage` for the request.
  verify(info: VerifyInfo, answer: VerifyAnswer): boolean | void | Promise<boolean | void>;
}["verify"];

/** Chooses one of the offered subprotocols; `false` for none. */
export type HandleProtocols = { choose(protocols: Set<string>, request: UpgradeRequest): string | false }["choose"];

/**
 * Options of compression: those of `ws` that this library has too, and `zlibDeflateOptions`.
 *
 * Also from {@linkcode CompressionOptions}:
 * - `threshold` (default `128`): Messages of fewer bytes are not compressed; nor are messages in fragments by hand
 *   whose first fragment has fewer.
 * - `serverNoContextTakeover` (default `false`): The server compresses each message by itself.
 * - `clientNoContextTakeover` (default `false`): The client compresses each message by itself.
 * - `serverMaxWindowBits` (default `15`): The server's window is at most 2^n bytes, 8 to 15.
 * - `clientMaxWindowBits` (default `15`): The client's window is at most 2^n bytes, 8 to 15.
 */
export interface PerMessageDeflateOptions extends Omit<CompressionOptions, "level" | "memoryLevel"> {
  /** Options of zlib, of which level and memory count. */
  zlibDeflateOptions?: { level?: number | undefined; memLevel?: number | undefined } | undefined;
  /** Ignored. */
  zlibInflateOptions?: object | undefined;
  /** Ignored: compression has no queue here. */
  concurrencyLimit?: number | undefined;
}

/** Settings of this library besides, such as `pingInterval` and `maxConnections`. */
export type ExtraSettings = Omit<
  EngineOptions,
  `on${string}` | "port" | "path" | "hostname" | "hostName" | "routes" | "signal" | "compression" | "protocols"
>;

/**
 * Options of a {@linkcode WebSocketServer}. One of `port`, `server` and `noServer` must be given.
 *
 * @typeParam Socket Class of the connections.
 */
export interface WebSocketServerOptions<Socket extends WebSocket = WebSocket> {
  /** Port to listen on, with a server of `node:http`; 0 takes a free one. */
  port?: number | undefined;
  /** Host name or address to listen on. */
  host?: string | undefined;
  /** Longest queue of connections that the operating system has accepted. */
  backlog?: number | undefined;
  /** The HTTP server whose upgrades are taken. */
  server?: HttpServer | undefined;
  /**
   * The program calls `handleUpgrade`.
   * @default {false}
   */
  noServer?: boolean | undefined;
  /** Path that opens a WebSocket, without a query; others get 400. */
  path?: string | undefined;
  /**
   * Keeps the open connections in `clients`.
   * @default {true}
   */
  clientTracking?: boolean | undefined;
  /** Chooses one of the offered subprotocols; `false` for none. Without it, the first offer of the client is taken. */
  handleProtocols?: HandleProtocols | undefined;
  /** Decides whether to open a WebSocket. */
  verifyClient?: VerifyClient | undefined;
  /**
   * Compresses messages for clients that offer it; an object says how.
   * @default {false}
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /**
   * Largest message accepted, in bytes; 0: no limit. Beyond it the connection is closed with 1009.
   * @default {104857600}
   */
  maxPayload?: number | undefined;
  /** Most fragments of one message; 0: no limit. */
  maxFragments?: number | undefined;
  /**
   * Answers pings.
   * @default {true}
   */
  autoPong?: boolean | undefined;
  /**
   * Longest time for the closing handshake, in ms.
   * @default {30000}
   */
  closeTimeout?: number | undefined;
  /** Class of the connections: `WebSocket`, or a class that extends it. */
  WebSocket?: (new (address: null, protocols?: undefined, options?: object) => Socket) | undefined;
  /** Ignored: texts are always checked. */
  skipUTF8Validation?: boolean | undefined;
  /** Ignored: several events may come in one turn. */
  allowSynchronousEvents?: boolean | undefined;
  /** Settings of this library besides, such as `pingInterval`, `maxConnections` or `maxBufferedAmount`. */
  settings?: ExtraSettings | undefined;
}

/** The largest message that `ws` takes, in bytes. */
const MAX_PAYLOAD = 100 * 1024 * 1024;
/** Bytes that may wait for one peer: more than the largest message, since `send` of `ws` knows no limit. */
const MAX_BUFFERED = 128 * 1024 * 1024;
/** Time for the closing handshake in `ws`, in ms. */
const CLOSE_TIMEOUT = 30_000;

/**
 * Makes the settings of the server behind a {@linkcode WebSocketServer}.
 *
 * @param options The options.
 * @returns The settings.
 */
export function toSettings(options: WebSocketServerOptions): EngineOptions {
  const { maxPayload = MAX_PAYLOAD, maxFragments, autoPong = true, closeTimeout = CLOSE_TIMEOUT, settings } = options;
  return {
    maxMessageSize: maxPayload,
    maxBufferedAmount: Math.max(MAX_BUFFERED, maxPayload),
    closeTimeout,
    maxFragments,
    compression: toCompression(options.perMessageDeflate),
    ...settings,
    options: { ...settings?.options, manualPong: !autoPong, manualClose: true },
  };
}

/**
 * Makes the options of compression.
 *
 * @param given The option `perMessageDeflate`.
 * @returns The options; `false`: none.
 */
export function toCompression(given: WebSocketServerOptions["perMessageDeflate"]): boolean | CompressionOptions {
  if (typeof given !== "object" || given === null) return given === true;
  const { threshold, serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } =
    given;
  const { level, memLevel } = given.zlibDeflateOptions ?? {};
  return {
    threshold,
    level,
    memoryLevel: memLevel,
    serverNoContextTakeover,
    clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits,
  };
}
