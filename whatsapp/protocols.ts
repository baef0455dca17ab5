/**
 * Subprotocols of receivers beside that of the inbox, and the entry that carries a receiver's token.
 *
 * @module
 */

import { INBOX_PROTOCOL, INBOX_PROTOCOL_V2 } from "../inbox/protocol.ts";

/**
 * The subprotocol of receivers that acknowledge nothing: each text message is the JSON of one notification as Meta sent
 * it.
 */
export const RECEIVER_PROTOCOL = "whatsapp-notifications";

/** Subprotocols of servers and receivers without the setting `protocols`, in the order of preference. */
export const DEFAULT_PROTOCOLS: readonly string[] = [INBOX_PROTOCOL_V2, INBOX_PROTOCOL, RECEIVER_PROTOCOL];

/**
 * The start of the subprotocol entry that carries a receiver's token where no header can be set, as in a browser; the
 * token follows in base64url. The server never echoes it.
 */
export const TOKEN_PROTOCOL_PREFIX = "bearer.";

/**
 * Makes the subprotocol entry that shows a receiver's token where no header can be set.
 *
 * @param token The token.
 * @returns The entry.
 *
 * @example
 * ```ts
 * import { tokenProtocol } from "@tackline/websocket/whatsapp";
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
