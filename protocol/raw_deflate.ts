/**
 * Raw DEFLATE (RFC 1951), synchronously and with state, by an undocumented call of `node:zlib`.
 *
 * Its streams are asynchronous, so that a frame could overtake a message, and slower for a small message
 * (`bench/deflate_bench.ts`), on Bun a hundred times. Its `…Sync` functions have no state, and Deno ignores the
 * dictionary that could replace it (`findings/deno_zlib_dictionary.sh`). Deno, Bun and Node build both on one call,
 * `_handle.writeSync`, with the same arguments and results. It is looked up at the first use; a runtime without it has
 * no compression, and an error says so.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { ProtocolError, StateError } from "../base/errors.ts";
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";

/** Takes a piece of output, which is valid only during the call, and until any other decompressor is called. */
export type OutputSink = (bytes: Uint8Array, start: number, end: number) => void;

/** Settings of a compressor. */
export interface RawDeflateSettings {
  /** The binary logarithm of the window, 8 to 15. */
  windowBits: number;
  /** 0 (stored) to 9 (smallest). */
  level: number;
  /** 1 to 9. */
  memoryLevel: number;
}

/** The call beneath `node:zlib`. Its results are in {@linkcode ZlibStream._writeState}. */
interface ZlibHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string) => void;
}

interface ZlibStream {
  _handle: ZlibHandle;
  /** Bytes of output and of input that remain. */
  _writeState: Uint32Array;
}

/** The smallest chunk `node:zlib` allows: its own output buffer is not used. */
const UNUSED_CHUNK = 64;
/** Most bytes that one call inflates. */
const OUTPUT_SIZE = 64 * 1024;
/** Most bytes that stay allocated after a large compressed message. */
const KEPT_OUTPUT = 1024 * 1024;
/**
 * Final blocks (`findings/permessage_deflate_bfinal.sh`) allowed in one message, and bytes of output that allow one
 * more. To continue behind a final block takes the time of a whole window, and the shortest has two bytes: many of them
 * would keep a server busy.
 */
const FREE_FINAL_BLOCKS = 4;
const OUTPUT_PER_FINAL_BLOCK = 16;
/** Bytes before the content of a stored block. */
const STORED_HEADER = 5;
const MAX_WINDOW = 1 << 15;

// One state of each kind serves all connections: it is empty between two calls.
let inflated = EMPTY;
let deflated = EMPTY;
let storedBlock = EMPTY;
let live = 0;

/**
 * Returns the number of allocated zlib states, for tests and statistics.
 *
 * @returns Their number.
 */
export function liveZlibStates(): number {
  return live;
}

let available = false;

/**
 * Checks that this runtime has the call.
 *
 * @throws {StateError} If it has not.
 */
export function assertDeflateAvailable(): void {
  if (available) return;
  new RawInflate(15).close();
  available = true;
}

/** A zlib state. */
class ZlibState {
  #handle: ZlibHandle;
  #remaining: Uint32Array;
  #error: string | undefined;
  #closed = false;

  constructor(stream: unknown) {
    const { _handle: handle, _writeState: remaining } = stream as Partial<ZlibStream>;
    if (typeof handle?.writeSync !== "function" || !(remaining instanceof Uint32Array)) {
      throw new StateError("ERR_UNSUPPORTED", "Cannot compress: this runtime's node:zlib has no synchronous state");
    }
    this.#handle = handle;
    this.#remaining = remaining;
    handle.onerror = (message) => this.#error = message;
    live++;
  }

  /** True if zlib has reported a fault. */
  get faulty(): boolean {
    return this.#error !== undefined;
  }

  /** Bytes of output that were not needed by the last call. */
  get outputRemaining(): number {
    return this.#remaining[0]!;
  }

  /** Bytes of input that the last call did not use. */
  get inputRemaining(): number {
    return this.#remaining[1]!;
  }

  write(input: Uint8Array, start: number, end: number, output: Uint8Array, outputAt: number): void {
    const room = output.length - outputAt;
    this.#handle.writeSync(constants.Z_SYNC_FLUSH, input, start, end - start, output, outputAt, room);
    if (this.#error !== undefined) throw new Error(this.#error);
  }

  reset(): void {
    this.#handle.reset();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.close();
    live--;
  }
}

/** A compressor that remembers earlier messages. */
export class RawDeflate {
  #state: ZlibState;

  /**
   * Makes a compressor with 2^(windowBits + 2) + 2^(memoryLevel + 9) bytes.
   *
   * zlib cannot compress with a raw window of 2^8 bytes, so it is told 2^9. It never refers further back than its
   * window less 262 bytes, the longest match and some lookahead, that is 250 bytes: what a window of 2^8 bytes still
   * holds. A test reads the distances.
   *
   * @param options Parameters of the compressor.
   * @throws {StateError} If this runtime cannot.
   */
  constructor({ windowBits, level, memoryLevel }: RawDeflateSettings) {
    this.#state = new ZlibState(
      createDeflateRaw({ windowBits: Math.max(9, windowBits), level, memLevel: memoryLevel, chunkSize: UNUSED_CHUNK }),
    );
  }

  /**
   * Compresses and flushes to a byte boundary.
   *
   * @param input The bytes to compress, at least one.
   * @returns The output, ending in 00 00 FF FF; valid until the next call for any compressor.
   */
  compress(input: Uint8Array): Uint8Array {
    if (deflated.length === 0) deflated = new Uint8Array(OUTPUT_SIZE);
    let at = 0;
    let length = 0;
    for (;;) {
      this.#state.write(input, at, input.length, deflated, length);
      at = input.length - this.#state.inputRemaining;
      length = deflated.length - this.#state.outputRemaining;
      if (length < deflated.length) break;
      deflated = enlarge(deflated);
    }
    const output = deflated.subarray(0, length);
    if (deflated.length > KEPT_OUTPUT) deflated = EMPTY;
    return output;
  }

  /** Forgets earlier messages. */
  reset(): void {
    this.#state.reset();
  }

  /** Frees its memory. */
  close(): void {
    this.#state.close();
  }
}

function enlarge(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

/** A decompressor that remembers its output, beyond final blocks too. */
export class RawInflate {
  #state: ZlibState;
  #window: Window;
  // The current message
  #finalBlocks = 0;
  #produced = 0;

  /**
   * Makes a decompressor; its memory is allocated when it is needed.
   *
   * @param windowBits The binary logarithm of the window, 8 to 15.
   * @throws {StateError} If this runtime cannot.
   */
  constructor(windowBits: number) {
    this.#window = new Window(1 << windowBits);
    this.#state = new ZlibState(createInflateRaw({ windowBits, chunkSize: UNUSED_CHUNK }));
  }

  /** True if it has met bytes that are not DEFLATE, and cannot be used again. */
  get faulty(): boolean {
    return this.#state.faulty;
  }

  /** Begins a message: resets the counters of a message. */
  beginMessage(): void {
    this.#finalBlocks = 0;
    this.#produced = 0;
  }

  /**
   * Decompresses all of the input.
   *
   * @param input The array that holds it.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param sink Takes the output, at most 64 KiB a call. What it throws ends the work.
   * @throws {ProtocolError} If the input is not DEFLATE.
   */
  decompress(input: Uint8Array, start: number, end: number, sink: OutputSink): void {
    if (inflated.length === 0) inflated = new Uint8Array(OUTPUT_SIZE);
    let restarted = false;
    for (let at = start;;) {
      this.#write(input, at, end);
      const used = end - at - this.#state.inputRemaining;
      const produced = OUTPUT_SIZE - this.#state.outputRemaining;
      at += used;
      if (used > 0) restarted = false;
      if (produced > 0) {
        this.#produced += produced;
        this.#window.push(inflated, produced);
        sink(inflated, 0, produced);
      }
      if (this.#state.outputRemaining === 0) continue;
      if (at === end) return;
      // RFC 7692 §7.2.3.4: zlib leaves input behind a final block, which may refer to output before the block.
      if (restarted && used === 0) throw invalid("it makes no progress");
      if (++this.#finalBlocks > FREE_FINAL_BLOCKS + this.#produced / OUTPUT_PER_FINAL_BLOCK) {
        throw invalid("too many final blocks with little in them");
      }
      this.#restart();
      restarted = true;
    }
  }

  #write(input: Uint8Array, at: number, end: number): void {
    try {
      this.#state.write(input, at, end, inflated, 0);
    } catch (error) {
      throw invalid(error instanceof Error ? error.message : String(error));
    }
  }

  /** Starts a new stream that knows the window, as the content of a stored block whose output is ignored. */
  #restart(): void {
    this.#state.reset();
    const block = this.#window.asStoredBlock();
    if (block.length > 0) this.#write(block, 0, block.length);
  }

  /** Forgets its output. */
  reset(): void {
    this.#window.clear();
    this.#state.reset();
  }

  /** Frees its memory. */
  close(): void {
    this.#state.close();
    this.#window.clear();
  }
}

function invalid(why: string): ProtocolError {
  return new ProtocolError("ERR_INVALID_DEFLATE", `A compressed message is not valid DEFLATE: ${why}`);
}

/** The last bytes of output: zlib has them too, but does not return them. */
class Window {
  #size: number;
  #ring: Uint8Array = EMPTY;
  #at = 0;
  #full = false;

  constructor(size: number) {
    this.#size = size;
  }

  push(bytes: Uint8Array, length: number): void {
    if (this.#ring.length === 0) this.#ring = new Uint8Array(this.#size);
    let from = Math.max(0, length - this.#size);
    while (from < length) {
      const count = Math.min(length - from, this.#size - this.#at);
      this.#ring.set(bytes.subarray(from, from + count), this.#at);
      from += count;
      this.#at += count;
      if (this.#at < this.#size) continue;
      this.#at = 0;
      this.#full = true;
    }
  }

  /** The bytes in the order of output, as a stored block (RFC 1951 §3.2.4); empty if there are none. */
  asStoredBlock(): Uint8Array {
    const length = this.#full ? this.#size : this.#at;
    if (length === 0) return EMPTY;
    // Reused, since a peer may end a block every two bytes.
    if (storedBlock.length === 0) storedBlock = new Uint8Array(STORED_HEADER + MAX_WINDOW);
    storedBlock.set([0, length, length >>> 8, ~length, ~length >>> 8]);
    const oldest = this.#full ? this.#ring.subarray(this.#at) : EMPTY;
    storedBlock.set(oldest, STORED_HEADER);
    storedBlock.set(this.#ring.subarray(0, this.#at), STORED_HEADER + oldest.length);
    return storedBlock.subarray(0, STORED_HEADER + length);
  }

  clear(): void {
    this.#at = 0;
    this.#full = false;
  }
}
