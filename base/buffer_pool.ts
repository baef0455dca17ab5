/**
 * Buffers for short use, shared by all connections: a new buffer costs the zeroing of its pages each time.
 *
 * @module
 */

/** Sizes of pooled buffers; a larger one is made for its use and left to the garbage collector. */
const SIZES = [1024, 4096, 16384, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304].map(withRoomForHeaders);
/**
 * Index from which free buffers are held weakly, so that the garbage collector frees the memory of a burst.
 */
const FIRST_WEAK = 4;
/** The largest buffer that is pooled, in bytes. */
export const LARGEST_POOLED: number = SIZES[SIZES.length - 1]!;
/** Most bytes in free buffers that are held strongly. */
const LIMIT = 8 * 1024 * 1024;
/** Most free buffers of a size that are held weakly. */
const WEAK_LIMIT = 64;

type Buffer = Uint8Array<ArrayBuffer>;

const free: (Buffer | WeakRef<Buffer>)[][] = SIZES.map(() => []);
let pooled = 0;

/** Messages of round sizes must fit with their headers. */
function withRoomForHeaders(size: number): number {
  return size + (size >> 4);
}

/**
 * Takes a buffer.
 *
 * @param capacity The least size, in bytes.
 * @returns A buffer of at least that size, with anything in it.
 */
export function acquire(capacity: number): Uint8Array<ArrayBuffer> {
  const index = SIZES.findIndex((size) => capacity <= size);
  if (index === -1) return new Uint8Array(capacity);
  return (index < FIRST_WEAK ? takeKept(index) : takeWeak(index)) ?? new Uint8Array(SIZES[index]!);
}

function takeKept(index: number): Buffer | undefined {
  const buffer = free[index]!.pop() as Buffer | undefined;
  if (buffer !== undefined) pooled -= buffer.length;
  return buffer;
}

function takeWeak(index: number): Buffer | undefined {
  for (;;) {
    const reference = free[index]!.pop() as WeakRef<Buffer> | undefined;
    const buffer = reference?.deref();
    if (buffer !== undefined || reference === undefined) return buffer;
  }
}

/**
 * Gives a buffer back; it must not be used any more.
 *
 * @param buffer Any array that is not a part of another.
 */
export function release(buffer: Uint8Array<ArrayBuffer>): void {
  const index = SIZES.indexOf(buffer.length);
  if (index >= FIRST_WEAK) {
    if (free[index]!.length < WEAK_LIMIT) free[index]!.push(new WeakRef(buffer));
  } else if (index !== -1) keep(buffer, index);
}

function keep(buffer: Buffer, index: number): void {
  // The pool may be full of sizes that are not in use any more: it starts anew.
  if (pooled + buffer.length > LIMIT) {
    for (let kept = 0; kept < FIRST_WEAK; kept++) free[kept]!.length = 0;
    pooled = 0;
  }
  free[index]!.push(buffer);
  pooled += buffer.length;
}
