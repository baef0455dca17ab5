/**
 * The receiver of what a `WhatsAppServer` forwards: typed messages. It runs in pages too.
 *
 * @module
 */

import type { Connector } from "./connector.ts";
import { OptionError } from "./errors.ts";
import type { MessageData } from "./inbox.ts";
import { isLoopback } from "./loopback.ts";
import type { FrameInfo } from "./message.ts";
import { isVisibleAscii } from "./token.ts";
import { WebSocketClient, type WebSocketClientOptions } from "./websocket_client.ts";
import { parseNotification, type WhatsAppMessage, type WhatsAppStatus } from "./whatsapp_message.ts";

export * from "./websocket_client.ts";
export type * from "./whatsapp_types.ts";

/** The subprotocol of receivers: each text message is the JSON of one notification as Meta sent it. */
export const RECEIVER_PROTOCOL = "whatsapp-notifications";

/**
 * The start of the subprotocol entry that carries a receiver's token where no header can be set, as in a browser; the token
 * follows in base64url. The server never echoes it.
 */
export const TOKEN_PROTOCOL_PREFIX = "bearer.";

/**
 * The subprotocol entry that shows a receiver's token where no header can be set.
 *
 * @param token The token.
 * @returns The entry.
 *
 * @example
 * ```ts
 * import { tokenProtocol } from "@tackline/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tokenProtocol("secret"), "bearer.c2VjcmV0");
 * ```
 */
export function tokenProtocol(token: string): string {
  const binary = Array.from(new TextEncoder().encode(token), (byte) => String.fromCharCode(byte)).join("");
  const base64url = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return TOKEN_PROTOCOL_PREFIX + base64url;
}

/** Handlers of a {@linkcode WhatsAppReceiver}. */
export interface WhatsAppReceiverHandlers {
  /** A message of a customer came; after `onMessageReceived` with the raw text. */
  onWhatsAppMessageReceived?: (message: WhatsAppMessage) => void | Promise<void>;
  /** The status of a message of the business came. */
  onStatusReceived?: (status: WhatsAppStatus) => void | Promise<void>;
}

/** Settings and handlers of a {@linkcode WhatsAppReceiver}. */
export interface WhatsAppReceiverOptions extends WebSocketClientOptions, WhatsAppReceiverHandlers {
  /**
   * Whether to speak TLS; may be off for a loopback address only.
   * @default {true}
   */
  useSSL?: boolean;
  /**
   * Subprotocols in the order of preference.
   * @default {["whatsapp-notifications"]}
   */
  protocols?: readonly string[];
  /**
   * What the server wants to be shown: in the `Authorization` header or, if it cannot stand there, as in a page, as a subprotocol
   * entry. Never in the URL.
   */
  receiverToken?: string;
}

/**
 * Receives what a {@linkcode WhatsAppServer} forwards. TLS is on by default, and can be turned off for a loopback address only.
 *
 * @example
 * ```ts
 * import { WhatsAppReceiver } from "@tackline/websocket";
 *
 * export async function run() {
 *   const receiver = new WhatsAppReceiver("wss://hooks.example.com/whatsapp", { receiverToken: "given to you" });
 *   await receiver.connect();
 *   for await (const message of receiver.messages) {
 *     if (message.type === "text") console.log(message.sender.name, message.text.body);
 *   }
 * }
 * ```
 */
export class WhatsAppReceiver extends WebSocketClient {
  /** What the server wants to be shown; read by `connect`. It never goes into the URL. */
  receiverToken: string | undefined;
  /** The text of a message whose frames come one by one. */
  #partial = "";
  #onWhatsAppMessageReceived?: WhatsAppReceiverHandlers["onWhatsAppMessageReceived"];
  #onStatusReceived?: WhatsAppReceiverHandlers["onStatusReceived"];

  /**
   * Makes a receiver; it does not connect yet.
   *
   * @param urlOrOptions Where to connect, or settings and handlers.
   * @param more Settings and handlers beside a URL.
   * @throws {OptionError} If the URL is not valid, or a setting is out of range.
   */
  constructor(urlOrOptions: string | URL | WhatsAppReceiverOptions = {}, more: WhatsAppReceiverOptions = {}) {
    const byUrl = typeof urlOrOptions === "string" || urlOrOptions instanceof URL;
    const given = byUrl ? more : urlOrOptions;
    const { useSSL = true, protocols = [RECEIVER_PROTOCOL] } = given;
    const options: WhatsAppReceiverOptions = { ...given, useSSL, protocols };
    super(byUrl ? urlOrOptions : options, options);
    this.receiverToken = options.receiverToken;
    this.#onWhatsAppMessageReceived = options.onWhatsAppMessageReceived;
    this.#onStatusReceived = options.onStatusReceived;
  }

  /** A message of a customer came. Setting it hands over the messages that waited for it. */
  get onWhatsAppMessageReceived(): WhatsAppReceiverHandlers["onWhatsAppMessageReceived"] {
    return this.#onWhatsAppMessageReceived;
  }
  set onWhatsAppMessageReceived(handler: WhatsAppReceiverHandlers["onWhatsAppMessageReceived"]) {
    this.#onWhatsAppMessageReceived = handler;
    if (handler !== undefined) this.connection?.releaseHeld();
  }

  /** The status of a message of the business came. Setting it hands over what waited for it. */
  get onStatusReceived(): WhatsAppReceiverHandlers["onStatusReceived"] {
    return this.#onStatusReceived;
  }
  set onStatusReceived(handler: WhatsAppReceiverHandlers["onStatusReceived"]) {
    this.#onStatusReceived = handler;
    if (handler !== undefined) this.connection?.releaseHeld();
  }

  /** Whether somebody listens. */
  protected override get listens(): boolean {
    return super.listens || this.#onWhatsAppMessageReceived !== undefined || this.#onStatusReceived !== undefined;
  }

  /**
   * Connects.
   *
   * @param options As of `WebSocketClient`.
   * @returns Resolves after the handshake.
   * @throws {OptionError} If TLS is off, and the server is not on a loopback address.
   */
  override connect(...options: Parameters<WebSocketClient["connect"]>): Promise<void> {
    if (!this.useSSL && !isLoopback(this.hostName) && options[0]?.stream === undefined) {
      return Promise.reject(
        new OptionError(`Cannot connect to "${this.hostName}" without TLS: it is not a loopback address`),
      );
    }
    return super.connect(...options);
  }

  /** Raw text first, then one call a record. */
  protected override deliver(data: MessageData, frame?: FrameInfo): void {
    super.deliver(data, frame);
    if (typeof data !== "string") return;
    const notification = frame === undefined ? data : this.#assemble(data, frame);
    if (notification === undefined) return;
    if (this.#onWhatsAppMessageReceived === undefined && this.#onStatusReceived === undefined) return;
    for (const record of parseNotification(notification).records) {
      if (record.kind === "message") {
        this.callHandler("onWhatsAppMessageReceived", () => this.#onWhatsAppMessageReceived?.(record));
      } else if (record.kind === "status") {
        this.callHandler("onStatusReceived", () => this.#onStatusReceived?.(record));
      }
    }
  }

  /** With `frameByFrame`: the whole text, once its last frame has come. */
  #assemble(data: string, frame: FrameInfo): string | undefined {
    const text = frame.first ? data : this.#partial + data;
    this.#partial = frame.final ? "" : text;
    return frame.final ? text : undefined;
  }

  /** Whether the token can stand in a header. */
  #headerHolds(token: string, { sendsHeaders }: Connector): boolean {
    return sendsHeaders && isVisibleAscii(token);
  }

  /** Adds the token, if it can stand in a header. */
  protected override handshakeHeaders(connector: Connector): Headers {
    const headers = super.handshakeHeaders(connector);
    const token = this.receiverToken;
    if (token !== undefined && this.#headerHolds(token, connector)) headers.set("authorization", `Bearer ${token}`);
    return headers;
  }

  /** Adds the token, if it cannot stand in a header. */
  protected override handshakeProtocols(connector: Connector): readonly string[] {
    const token = this.receiverToken;
    const protocols = super.handshakeProtocols(connector);
    if (token === undefined || this.#headerHolds(token, connector)) return protocols;
    // The server never echoes the entry, and a browser insists on an answer to what it offers.
    if (protocols.length === 0) {
      throw new OptionError('Cannot show a token beside no subprotocol: "protocols" is empty');
    }
    return [...protocols, tokenProtocol(token)];
  }

  /**
   * The messages of customers, one by one. The loop ends with the connection, and throws if that was not by a close frame. Its
   * pace is the program's: see `WebSocketConnection.readable`.
   */
  get messages(): AsyncIterableIterator<WhatsAppMessage, undefined> {
    return iterateMessages(this[Symbol.asyncIterator]());
  }
}

async function* iterateMessages(
  notifications: AsyncIterable<MessageData>,
): AsyncGenerator<WhatsAppMessage, undefined> {
  for await (const notification of notifications) {
    if (typeof notification !== "string") continue;
    for (const record of parseNotification(notification).records) if (record.kind === "message") yield record;
  }
}
