/**
 * Slots of a cluster: CRC16 of the key, or of its hash tag.
 *
 * @module
 */

/** Number of slots of a cluster. */
const SLOTS = 16384;

/**
 * Finds the part of a key that decides about its slot.
 *
 * @param key The key.
 * @returns The text between the first "{" and the next "}"; the key itself if there is none, or it is empty.
 */
function hashed(key: string): string {
  const from = key.indexOf("{");
  const to = key.indexOf("}", from + 1);
  return from >= 0 && to > from + 1 ? key.slice(from + 1, to) : key;
}

/**
 * Finds the slot of a key.
 *
 * @param key The key.
 * @returns Number of the slot.
 */
export function hashSlot(key: string): number {
  let crc = 0;
  // CRC-16/XMODEM, bit by bit: it is made for a few keys.
  for (const byte of new TextEncoder().encode(hashed(key))) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc % SLOTS;
}
