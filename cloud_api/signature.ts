/**
 * Meta's signature over a notification (`X-Hub-Signature-256`), and secrets compared in constant time.
 *
 * @module
 */

import { createHash, createHmac, type Hmac, timingSafeEqual } from "node:crypto";
import { assertSecrets, listOf } from "../base/secrets.ts";

const SIGNATURE_PREFIX = "sha256=";

/**
 * Signs the body of a notification as Meta does.
 *
 * @param body The bytes.
 * @param appSecret The app secret.
 * @returns The value of `X-Hub-Signature-256`.
 * @throws {OptionError} If the secret is empty: each client could sign with it.
 */
export function signNotification(body: Uint8Array, appSecret: string): string {
  assertSecrets("appSecret", [appSecret]);
  return SIGNATURE_PREFIX + createHmac("sha256", appSecret).update(body).digest("hex");
}

/**
 * Checks Meta's signature over the raw bytes of a notification, in constant time.
 *
 * @param body The bytes as they came.
 * @param signature The value of `X-Hub-Signature-256`.
 * @param appSecret The app secret, or several, as while one is replaced.
 * @returns `true` if it was made with one of them.
 * @throws {OptionError} If there is no secret, or one is empty: each client could sign with it.
 *
 * @example
 * ```ts
 * import { verifySignature } from "@tackline/websocket/whatsapp";
 * import { assert } from "@std/assert";
 *
 * const body = new TextEncoder().encode('{"object":"whatsapp_business_account","entry":[]}');
 * const signature = "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756";
 * assert(verifySignature(body, signature, "test_app_secret"));
 * ```
 */
export function verifySignature(body: Uint8Array, signature: string, appSecret: string | readonly string[]): boolean {
  assertSecrets("appSecret", appSecret);
  const shown = decodeSignature(signature);
  if (shown === undefined) return false;
  let matches = false;
  for (const secret of listOf(appSecret)) {
    if (timingSafeEqual(shown, createHmac("sha256", secret).update(body).digest())) matches = true;
  }
  return matches;
}

/** Checks Meta's signature over a notification that comes in pieces. */
export class SignatureCheck {
  #shown: Uint8Array | undefined;
  #hmacs: Hmac[];

  /**
   * Begins with an empty body.
   *
   * @param signature The value of `X-Hub-Signature-256`.
   * @param appSecrets The app secrets, of which one must have signed; empty ones match nothing.
   */
  constructor(signature: string, appSecrets: readonly string[]) {
    this.#shown = decodeSignature(signature);
    this.#hmacs = appSecrets.filter((secret) => secret !== "").map((secret) => createHmac("sha256", secret));
  }

  /**
   * Takes the next piece.
   *
   * @param piece The bytes as they came.
   */
  update(piece: Uint8Array): void {
    for (const hmac of this.#hmacs) hmac.update(piece);
  }

  /**
   * Ends the body.
   *
   * @returns `true` if the signature was made with one of the app secrets.
   */
  finish(): boolean {
    let matches = false;
    for (const hmac of this.#hmacs) {
      const expected = hmac.digest();
      if (this.#shown !== undefined && timingSafeEqual(this.#shown, expected)) matches = true;
    }
    return matches;
  }
}

/**
 * Checks the form of a signature.
 *
 * @param signature The value of `X-Hub-Signature-256`.
 * @returns `true` for `sha256=` and 64 hexadecimal digits.
 */
export function isSignature(signature: string): boolean {
  return decodeSignature(signature) !== undefined;
}

/** Decodes the 32 bytes of a well-formed signature. */
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

/**
 * Compares secrets in a time that depends on neither: their digests have one length.
 *
 * @param shown The secret that a client shows.
 * @param expected The known secret.
 * @returns `true` if they are equal.
 */
export function equalSecrets(shown: string, expected: string): boolean {
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(shown), digest(expected));
}
