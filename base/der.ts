/**
 * DER, as much of it as keys and certificates need here (ITU-T X.690).
 *
 * @module
 */

/** Tag of a kind of value. */
export const Tag = {
  Integer: 0x02,
  OctetString: 0x04,
  ObjectIdentifier: 0x06,
  Sequence: 0x30,
  Set: 0x31,
} as const;

/** One value. */
export interface DerValue {
  /** Its kind. */
  tag: number;
  /** Its contents. */
  value: Uint8Array<ArrayBuffer>;
  /** Index after the value. */
  end: number;
}

/**
 * Reads a value.
 *
 * @param der The bytes.
 * @param at Index of its first byte.
 * @param tag The kind that it must be of.
 * @returns The value.
 * @throws {Error} If it goes beyond the end, or is of another kind.
 */
export function readValue(der: Uint8Array<ArrayBuffer>, at: number, tag?: number): DerValue {
  const found = der[at];
  let length = der[at + 1];
  let start = at + 2;
  if (length! >= 0x80) {
    const octets = length! & 0x7f;
    length = 0;
    for (let index = 0; index < octets; index++) length = length * 256 + der[start++]!;
  }
  const end = start + length!;
  if (found === undefined || !(end <= der.length)) throw new Error("it is cut off");
  if (tag !== undefined && found !== tag) throw new Error("it has another kind of value than expected");
  return { tag: found, value: der.subarray(start, end), end };
}

/**
 * Reads all values that a value consists of.
 *
 * @param der The contents.
 * @returns The values.
 * @throws {Error} If one goes beyond the end.
 */
export function children(der: Uint8Array<ArrayBuffer>): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < der.length;) {
    const value = readValue(der, at);
    values.push(value);
    at = value.end;
  }
  return values;
}

/**
 * Takes the contents of a value of one kind.
 *
 * @param value The value.
 * @param tag The kind.
 * @returns The contents.
 * @throws {Error} If there is none, or it is of another kind.
 */
export function contents(value: DerValue | undefined, tag: number): Uint8Array<ArrayBuffer> {
  if (value?.tag !== tag) throw new Error("it has another kind of value than expected");
  return value.value;
}
