/**
 * One WebAssembly memory, cut into buffers that are leased: bytes in it are unmasked without a copy
 * (`protocol/mask_simd.ts`).
 *
 * @module
 */

/** The sizes of buffers that can be leased, in bytes. */
export type SlotSize = 32768 | 262144;

/**
 * Bytes at the beginning that are never leased: bytes from elsewhere pass through them. Small enough for the first
 * cache.
 */
export const PASSAGE: number = 16 * 1024;
const PAGE = 65536;

/**
 * Number of buffers of each size. On Bun a large memory is expensive: JavaScriptCore counts it as live twice
 * (`findings/bun_wasm_memory_counts_twice.sh`), and lets the heap grow by twice its live size before it collects. In a
 * server with a heap of 6 MiB, a memory of 11 MiB let 55 MiB of garbage grow, one of 1 MiB 15 MiB.
 */
let slots: Readonly<Record<SlotSize, number>> = { 32768: 8, 262144: 3 };

const free: Record<SlotSize, Uint8Array<ArrayBuffer>[]> = { 32768: [], 262144: [] };
/** Makes a memory of a number of pages, and returns its bytes. */
export type MemoryMaker = (pages: number) => Uint8Array<ArrayBuffer> | undefined;

let make: MemoryMaker = () => undefined;
let buffer: ArrayBuffer | undefined;
let looked = false;

/**
 * Sets the maker of the memory. The unmasking loop sets it, since without that loop a lease is of no use.
 *
 * @param maker Makes a memory of a number of pages; `undefined` where it cannot.
 */
export function provideMemory(maker: MemoryMaker): void {
  make = maker;
}

/**
 * Sets the number of buffers, before the first one is leased; without effect afterwards.
 *
 * @param counts The number of each size.
 */
export function reserveSlots(counts: Readonly<Record<SlotSize, number>>): void {
  slots = counts;
}

/** Makes the memory, if it was not made before: of fixed length, since growing would detach all views. */
export function openMemory(): void {
  if (looked) return;
  looked = true;
  // Only pages that are touched take memory.
  const bytes = make(Math.ceil((PASSAGE + 32768 * slots[32768] + 262144 * slots[262144]) / PAGE));
  buffer = bytes?.buffer;
  if (bytes !== undefined) carve(bytes);
}

function carve(bytes: Uint8Array<ArrayBuffer>): void {
  let at = PASSAGE;
  for (const size of [32768, 262144] as const) {
    for (let count = 0; count < slots[size]; count++, at += size) free[size].push(bytes.subarray(at, at + size));
  }
}

/**
 * Takes a buffer out of the memory.
 *
 * @param size Its bytes.
 * @returns An array with anything in it; `undefined` if none is free.
 */
export function lease(size: SlotSize): Uint8Array<ArrayBuffer> | undefined {
  if (!looked) openMemory();
  return free[size].pop();
}

/**
 * Tells whether an array was leased.
 *
 * @param bytes The array.
 * @returns `false` for an array in other memory.
 */
export function isLeased(bytes: Uint8Array): boolean {
  return bytes.buffer === buffer;
}

/**
 * Gives a buffer back; it may not be used any more.
 *
 * @param slot The array that {@linkcode lease} returned.
 */
export function giveBack(slot: Uint8Array<ArrayBuffer>): void {
  free[slot.length as SlotSize].push(slot);
}
