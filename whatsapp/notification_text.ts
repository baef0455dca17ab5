/**
 * Text forms of notifications: exact decoding of their bytes, and detection of texts that look like a notification.
 *
 * @module
 */

/** Value of `object` in a notification of WhatsApp, the only one that the parser takes. */
const WHATSAPP_OBJECT = "whatsapp_business_account";

/**
 * Decodes bytes to a text whose encoding gives the same bytes again, byte order mark included.
 *
 * @param bytes The bytes.
 * @returns The text; `undefined` if they are not UTF-8.
 */
export function decodeExact(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Tells messages that the parser, or a program that reads `entry[0].changes[0]`, could take for a notification of
 * Meta's, of any product, from other ones.
 *
 * @param data The text, or the bytes of one.
 * @returns `true` if it is JSON of an object whose `object` is that of WhatsApp, whose `entry` is an array or an
 * object, or which has a `__proto__`, by which a copy would get either.
 */
export function resemblesNotification(data: string | Uint8Array): boolean {
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  try {
    const root: unknown = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
    if (typeof root !== "object" || root === null) return false;
    if (Object.hasOwn(root, "__proto__")) return true;
    const { object, entry } = root as { object?: unknown; entry?: unknown };
    return object === WHATSAPP_OBJECT || (typeof entry === "object" && entry !== null);
  } catch {
    return false;
  }
}
