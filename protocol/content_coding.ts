/**
 * Tells whether a body still has the content coding that its header names (RFC 9110 §8.4). `fetch` decodes a body and
 * leaves `content-encoding` in the header: passed on as it is, no client could read such a response.
 *
 * @module
 */

import { brotliDecompressSync, constants, inflateRawSync, inflateSync } from "node:zlib";

/** Number of bytes that are tried, at most. */
const MAX_TRIED = 4096;
/** Bytes from which on the start of a Brotli stream gives output. */
const MIN_BROTLI = 1024;
/** Largest output of a trial, in bytes: more of it proves the coding too. */
const MAX_OUTPUT = 256 * 1024;
const GZIP_MAGIC = [0x1f, 0x8b, 0x08];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** Codings that a body shows; others, such as `identity`, are believed. */
const KNOWN: ReadonlySet<string> = new Set(["gzip", "x-gzip", "zstd", "deflate", "br"]);

/** The start of a body. */
export interface BodyStart {
  /** Its first bytes. */
  readonly bytes: Uint8Array;
  /** `true` if these are all. */
  readonly complete: boolean;
  /** `true` if the response came from `fetch` as it is: in doubt its body is decoded. */
  readonly fetched: boolean;
}

/**
 * Tells whether the start of a body is needed to know if it has a coding.
 *
 * @param contentEncoding The value of `content-encoding`.
 * @returns `false` for codings unknown here, which no body shows.
 */
export function isKnownCoding(contentEncoding: string): boolean {
  return KNOWN.has(outermost(contentEncoding));
}

/** The last coding is the outermost one. */
function outermost(contentEncoding: string): string {
  return contentEncoding.slice(contentEncoding.lastIndexOf(",") + 1).trim().toLowerCase();
}

/**
 * Compares the start of a body with a coding.
 *
 * @param contentEncoding The value of `content-encoding`.
 * @param start The start of the body.
 * @returns `false` if the body is not in that coding, or not any more; `true` for codings unknown here.
 */
export function hasCoding(contentEncoding: string, start: BodyStart): boolean {
  const coding = outermost(contentEncoding);
  const bytes = start.bytes.subarray(0, MAX_TRIED);
  if (coding === "gzip" || coding === "x-gzip") return startsWith(bytes, GZIP_MAGIC);
  if (coding === "zstd") return startsWith(bytes, ZSTD_MAGIC);
  if (coding === "deflate") return inflates(bytes, inflateSync) || inflates(bytes, inflateRawSync);
  return coding === "br" ? isBrotli(bytes, start) : true;
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  const length = Math.min(bytes.length, magic.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== magic[at]) return false;
  return length > 0;
}

function inflates(bytes: Uint8Array, inflate: typeof inflateSync): boolean {
  const finishFlush = constants.Z_SYNC_FLUSH;
  return bytes.length > 0 && tried(() => inflate(bytes, { finishFlush, maxOutputLength: MAX_OUTPUT }).length) !== -1;
}

/** Brotli has no magic number: only a trial tells, and the first bytes may give no output yet. */
function isBrotli(bytes: Uint8Array, { complete, fetched }: BodyStart): boolean {
  if (complete && bytes.length < MAX_TRIED) {
    // Deno gives nothing instead of an error; two bytes encode nothing.
    const output = tried(() => brotliDecompressSync(bytes, { maxOutputLength: MAX_OUTPUT }).length);
    return output > 0 || (output === 0 && bytes.length > 0 && bytes.length <= 2);
  }
  if (bytes.length < MIN_BROTLI) return !fetched;
  const finishFlush = constants.BROTLI_OPERATION_FLUSH;
  return tried(() => brotliDecompressSync(bytes, { finishFlush, maxOutputLength: MAX_OUTPUT }).length) > 0;
}

/** Returns the length of the output, or -1 if the bytes cannot be decoded. */
function tried(decode: () => number): number {
  try {
    return decode();
  } catch (error) {
    return (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? MAX_OUTPUT : -1;
  }
}
