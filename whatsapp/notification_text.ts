/**
 * Text forms of notifications: exact decoding of their bytes, and detection of texts that look like a notification.
 *
 * @module
 */

/** Members that a program may look for in a notification; the last one would change the prototype of a copy. */
const NOTIFICATION_KEYS: readonly string[] = ["object", "entry", "__proto__"];

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
 * Tells messages that a program could take for a notification of Meta's, of any product, from other ones.
 *
 * @param data The text, or the bytes of one.
 * @returns `true` if it is JSON of an object with a member that notifications have.
 */
export function resemblesNotification(data: string | Uint8Array): boolean {
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  try {
    const root: unknown = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
    return typeof root === "object" && root !== null && NOTIFICATION_KEYS.some((key) => Object.hasOwn(root, key));
  } catch {
    return false;
  }
}
