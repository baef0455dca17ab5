/**
 * The WhatsApp pair: a webhook server that takes Meta's callbacks and forwards them, byte for byte, over WebSocket, and a
 * receiver that gets typed messages.
 *
 * @module
 */

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { WebSocketConnection } from "./connection.ts";
import { OptionError, StateError } from "./errors.ts";
import { textResponse } from "./http.ts";
import { isLoopback } from "./loopback.ts";
import { type AllowResult, WebSocketServer, type WebSocketServerOptions } from "./server.ts";
import { RECEIVER_PROTOCOL, TOKEN_PROTOCOL_PREFIX } from "./whatsapp_receiver.ts";

export * from "./client.ts";
export * from "./server.ts";
export * from "./whatsapp_receiver.ts";

/** What is known of one notification besides its text. */
export interface WhatsAppDelivery {
  /** The text as bytes, as Meta sent it. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none, which only happens with `appSecret: null`. */
  readonly signature: string;
  /** Whether the signature was checked. */
  readonly verified: boolean;
  /** When it came. */
  readonly receivedAt: Date;
  /** The address it came from: that of the proxy with `behindProxy`. */
  readonly remoteAddress: string;
}

/** Handler of {@linkcode WhatsAppServer}. */
export type RawMessageHandler = (
  message: string,
  delivery: WhatsAppDelivery,
) => boolean | void | Promise<boolean | void>;

/** Settings and handlers of a {@linkcode WhatsAppServer}. */
export interface WhatsAppServerOptions<Data = unknown> extends Omit<WebSocketServerOptions<Data>, "useSSL"> {
  /**
   * Subprotocols that receivers may speak.
   * @default {["whatsapp-notifications"]}
   */
  protocols?: readonly string[];
  /** What Meta must show to have the URL verified. Without it every verification is refused. */
  verifyToken?: string;
  /** The app secret of Meta's app, with which notifications are signed. `null`: unsigned ones are taken, from anybody. */
  appSecret?: string | null;
  /** What a receiver must show. `null`: anybody may receive, unless `onAllow` says otherwise. */
  receiverToken?: string | null;
  /**
   * Run without TLS of its own, on a loopback address, behind a proxy that speaks TLS.
   * @default {false}
   */
  behindProxy?: boolean;
  /** A notification came, as raw JSON; `false` stops the forwarding of this one. Meta gets its 200 all the same. */
  onRawMessage?: RawMessageHandler;
}

const SIGNATURE_PREFIX = "sha256=";
const SIGNATURE_HEADER = "x-hub-signature-256";

/**
 * Takes WhatsApp Cloud API webhooks and forwards them to all receivers.
 *
 * It answers on `pathName`: Meta's verification (GET), notifications (POST), and the WebSockets of receivers. Other HTTP requests
 * go to `onCommandGet`.
 *
 * @example
 * ```ts
 * import { WhatsAppServer } from "@tackline/websocket";
 *
 * export const server = new WhatsAppServer({
 *   port: 443,
 *   pathName: "/whatsapp",
 *   certificateFile: "fullchain.pem",
 *   certificateKeyFile: "privkey.pem",
 *   verifyToken: "chosen by you, entered in Meta's dashboard",
 *   appSecret: "from Meta's dashboard",
 *   receiverToken: "chosen by you, given to your receivers",
 * });
 * ```
 */
export class WhatsAppServer<Data = unknown> extends WebSocketServer<Data> {
  /** A notification came. */
  onRawMessage?: RawMessageHandler;
  #verifyToken: string;
  #appSecret: string | null | undefined;
  #receiverToken: string | null | undefined;
  #behindProxy: boolean;

  /**
   * Makes a server; it does not listen yet.
   *
   * @param options Settings and handlers.
   * @throws {OptionError} If a setting is out of range.
   */
  constructor(options: WhatsAppServerOptions<Data> = {}) {
    const { protocols = [RECEIVER_PROTOCOL] } = options;
    super({ ...options, protocols, useSSL: !options.behindProxy });
    this.#verifyToken = options.verifyToken ?? "";
    this.#appSecret = options.appSecret;
    this.#receiverToken = options.receiverToken;
    this.onRawMessage = options.onRawMessage;
    this.#behindProxy = options.behindProxy ?? false;
  }

  /** Always `true`, but for `behindProxy`: Meta delivers over TLS only. Setting it throws. */
  override get useSSL(): boolean {
    return super.useSSL;
  }
  override set useSSL(_value: boolean) {
    throw new StateError("ERR_UNSUPPORTED", 'Cannot set "useSSL": a WhatsAppServer speaks TLS; see "behindProxy"');
  }

  /** What Meta must show to have the URL verified. */
  get verifyToken(): string {
    return this.#verifyToken;
  }
  set verifyToken(value: string) {
    this.assertStopped("verifyToken");
    this.#verifyToken = value;
  }

  /** The app secret, or `null` to take unsigned notifications. */
  get appSecret(): string | null | undefined {
    return this.#appSecret;
  }
  set appSecret(value: string | null | undefined) {
    this.assertStopped("appSecret");
    this.#appSecret = value;
  }

  /** What a receiver must show, or `null` to let anybody receive. */
  get receiverToken(): string | null | undefined {
    return this.#receiverToken;
  }
  set receiverToken(value: string | null | undefined) {
    this.assertStopped("receiverToken");
    this.#receiverToken = value;
  }

  /** Whether it runs without TLS behind a proxy. */
  get behindProxy(): boolean {
    return this.#behindProxy;
  }
  set behindProxy(value: boolean) {
    this.assertStopped("behindProxy");
    this.applySetting("useSSL", !value);
    this.#behindProxy = value;
  }

  /**
   * Starts listening.
   *
   * @returns Resolves when the port is open.
   * @throws {OptionError} If a secret is neither given nor waived, or `behindProxy` is not on a loopback address.
   */
  override start(): Promise<void> {
    try {
      this.#assertConfigured();
    } catch (error) {
      return Promise.reject(error);
    }
    return super.start();
  }

  #assertConfigured(): void {
    if (this.appSecret === undefined || this.appSecret === "") {
      throw new OptionError('Cannot start: "appSecret" is not set; null takes unsigned notifications');
    }
    if ((this.receiverToken === undefined && this.onAllow === undefined) || this.receiverToken === "") {
      throw new OptionError('Cannot start: "receiverToken" is not set; null lets anybody receive');
    }
    if (this.#behindProxy && !isLoopback(this.hostname)) {
      throw new OptionError(`Cannot start: "behindProxy" needs a loopback address, not "${this.hostname}"`);
    }
  }

  // ---- Receivers -----------------------------------------------------------------------------------------------

  /** Lets a receiver in that shows the token; after that `onAllow` is asked. */
  protected override allow(connection: WebSocketConnection<Data>): AllowResult {
    const expected = this.receiverToken;
    // Only what the program waived is not asked for; without a token it is onAllow that decides.
    const waived = expected === null || (expected === undefined && this.onAllow !== undefined);
    if (!waived && (!expected || !equalSecrets(shownToken(connection.request.headers), expected))) {
      return textResponse(401, "The token is missing or wrong", { "www-authenticate": "Bearer" });
    }
    return super.allow(connection);
  }

  // ---- Meta ----------------------------------------------------------------------------------------------------

  /** Answers Meta; other requests go to `onCommandGet`. */
  protected override async respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    const url = new URL(request.url);
    if (this.pathName === "" || url.pathname === this.pathName) {
      if (request.method === "POST") return await this.#takeNotification(request, connection);
      if (request.method === "GET" && url.searchParams.has("hub.mode")) return this.#verify(url.searchParams);
    }
    return await super.respond(request, connection);
  }

  #verify(query: URLSearchParams): Response {
    const subscribes = query.get("hub.mode") === "subscribe";
    // An empty configured token must not match an empty one that is shown.
    const matches = this.verifyToken !== "" && equalSecrets(query.get("hub.verify_token") ?? "", this.verifyToken);
    if (!subscribes || !matches) return textResponse(403, "The verify token is wrong");
    // Never as HTML: whoever knows the token chooses this text.
    return new Response(query.get("hub.challenge") ?? "", {
      headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
    });
  }

  async #takeNotification(request: Request, connection: WebSocketConnection<Data>): Promise<Response> {
    const refusal = this.#refuseBeforeReading(request);
    if (refusal !== undefined) return refusal;
    const bytes = new Uint8Array(await request.arrayBuffer());
    const signature = request.headers.get(SIGNATURE_HEADER) ?? "";
    const { appSecret } = this;
    if (appSecret !== null && (!appSecret || !verifySignature(bytes, signature, appSecret))) {
      return textResponse(401, "The signature does not match the body");
    }
    const delivery: WhatsAppDelivery = {
      bytes,
      signature,
      verified: appSecret !== null,
      receivedAt: new Date(),
      remoteAddress: connection.remoteAddress.hostname,
    };
    await this.#forward(delivery, connection);
    return textResponse(200, "OK");
  }

  /** What can be said from the head alone is said before the body is read. */
  #refuseBeforeReading(request: Request): Response | undefined {
    const type = request.headers.get("content-type") ?? "";
    if (type.split(";")[0].trim().toLowerCase() !== "application/json") {
      return textResponse(415, "A notification is application/json");
    }
    if (this.appSecret === null) return undefined;
    const signature = request.headers.get(SIGNATURE_HEADER);
    if (signature === null || decodeSignature(signature) === undefined) {
      return textResponse(401, "X-Hub-Signature-256 is missing or malformed");
    }
    return undefined;
  }

  async #forward(delivery: WhatsAppDelivery, connection: WebSocketConnection<Data>): Promise<void> {
    const text = decodeExact(delivery.bytes);
    if (await this.#vetoes(text ?? new TextDecoder().decode(delivery.bytes), delivery, connection)) return;
    // Encoded from the bytes as they came: what a receiver gets is what Meta signed.
    if (text === undefined) this.broadcastData(delivery.bytes);
    else this.broadcastMessage(text);
  }

  async #vetoes(text: string, delivery: WhatsAppDelivery, connection: WebSocketConnection<Data>): Promise<boolean> {
    try {
      return await this.onRawMessage?.(text, delivery) === false;
    } catch (error) {
      // An error in the program is no reason to lose the notification.
      this.reportHandlerError("onRawMessage", error, connection);
      return false;
    }
  }
}

/** The text of bytes that are valid UTF-8, a byte order mark included; encoding it gives the same bytes. */
function decodeExact(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The token a receiver shows: in `Authorization`, or as an entry of `Sec-WebSocket-Protocol`. */
function shownToken(headers: Headers): string {
  const authorization = headers.get("authorization") ?? "";
  if (authorization.slice(0, 7).toLowerCase() === "bearer ") return authorization.slice(7).trim();
  for (const entry of (headers.get("sec-websocket-protocol") ?? "").split(",")) {
    const protocol = entry.trim();
    if (protocol.startsWith(TOKEN_PROTOCOL_PREFIX)) return decodeToken(protocol.slice(TOKEN_PROTOCOL_PREFIX.length));
  }
  return "";
}

function decodeToken(base64url: string): string {
  try {
    const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
  } catch {
    return "";
  }
}

/** Compares in a time that depends on neither: digests have one length. */
function equalSecrets(shown: string, expected: string): boolean {
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(shown), digest(expected));
}

/**
 * Signs the body of a notification as Meta does.
 *
 * @param body The bytes.
 * @param appSecret The app secret.
 * @returns The value of `X-Hub-Signature-256`.
 */
export function signNotification(body: Uint8Array, appSecret: string): string {
  return SIGNATURE_PREFIX + createHmac("sha256", appSecret).update(body).digest("hex");
}

/**
 * Checks Meta's signature over the raw bytes of a notification, in constant time.
 *
 * @param body The bytes as they came.
 * @param signature The value of `X-Hub-Signature-256`.
 * @param appSecret The app secret.
 * @returns Whether it matches.
 *
 * @example
 * ```ts
 * import { verifySignature } from "@tackline/websocket";
 * import { assert } from "@std/assert";
 *
 * const body = new TextEncoder().encode('{"object":"whatsapp_business_account","entry":[]}');
 * const signature = "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756";
 * assert(verifySignature(body, signature, "test_app_secret"));
 * ```
 */
export function verifySignature(body: Uint8Array, signature: string, appSecret: string): boolean {
  const shown = decodeSignature(signature);
  if (shown === undefined) return false;
  return timingSafeEqual(shown, createHmac("sha256", appSecret).update(body).digest());
}

/** The 32 bytes of a well-formed signature. */
function decodeSignature(signature: string): Uint8Array | undefined {
  if (signature.length !== SIGNATURE_PREFIX.length + 64 || !signature.startsWith(SIGNATURE_PREFIX)) return undefined;
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index++) {
    const at = SIGNATURE_PREFIX.length + 2 * index;
    const high = hexDigit(signature.charCodeAt(at));
    const low = hexDigit(signature.charCodeAt(at + 1));
    if (high === -1 || low === -1) return undefined;
    bytes[index] = high * 16 + low;
  }
  return bytes;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
