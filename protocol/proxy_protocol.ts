/**
 * The header of the PROXY protocol, versions 1 and 2, by which a proxy tells the client's address in front of all other
 * bytes of a connection (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt).
 *
 * @module
 */

import { formatAddress, parseAddress, parseDecimal } from "../base/address_ranges.ts";
import { TransportError } from "../base/errors.ts";
import { decodeAscii } from "./utf8.ts";

/** First bytes of version 1. */
const V1 = ascii("PROXY ");
/** First bytes of version 2. */
const V2 = ascii("\r\n\r\n\0\r\nQUIT\n");
/** Longest header of version 1, line end included. */
const MAX_V1 = 107;
/** Bytes of version 2 up to its addresses. */
const FIXED_V2 = 16;
/** Largest part of version 2 behind its fixed part, in bytes: as much as HAProxy can send by default. */
const MAX_REST = 16 * 1024;
const LF = 0x0a;

/** Bytes of the addresses by family and transport: TCP over IPv4, TCP over IPv6. */
const ADDRESS_SIZES: ReadonlyMap<number, number> = new Map([[0x11, 4], [0x21, 16]]);

/** A header that was read. */
export interface ProxyHeader {
  /**
   * Address of the client; `undefined`: the proxy tells none, since the connection is its own (a health check), or the
   * client's is none of TCP.
   */
  readonly source: { readonly hostname: string; readonly port: number } | undefined;
}

/** Reads one header, in any chunking; each byte once. */
export class ProxyHeaderReader {
  /** The bytes that matter; of version 2 what follows the addresses is skipped. */
  readonly #bytes = new Uint8Array(MAX_V1);
  #length = 0;
  /** Size of a header of version 2, once it is known. */
  #size = Infinity;
  #header: ProxyHeader | undefined;

  /** The header, once it is complete. */
  get header(): ProxyHeader | undefined {
    return this.#header;
  }

  /** `true` if nothing has come yet. */
  get untouched(): boolean {
    return this.#length === 0;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk The array that holds them.
   * @param start Index of the first byte.
   * @returns The index after the last byte that belongs to the header.
   * @throws {TransportError} At the first byte that can belong to no header, or if the header is malformed or too long.
   */
  push(chunk: Uint8Array, start = 0): number {
    let at = start;
    while (at < chunk.length && this.#header === undefined) this.#add(chunk[at++]!);
    return at;
  }

  #add(byte: number): void {
    const at = this.#length++;
    if (at < MAX_V1) this.#bytes[at] = byte;
    const signature = this.#bytes[0] === V1[0] ? V1 : V2;
    if (at < signature.length) {
      if (byte !== signature[at]) throw noHeader();
    } else if (signature === V1) this.#addToLine(byte);
    else this.#addToBlock();
  }

  #addToLine(byte: number): void {
    if (byte === LF) this.#header = parseLine(decodeAscii(this.#bytes, 0, this.#length));
    else if (this.#length === MAX_V1) throw malformed(`has no line end within ${MAX_V1} bytes`);
  }

  #addToBlock(): void {
    if (this.#length === FIXED_V2) this.#size = FIXED_V2 + sizeOfRest(this.#bytes);
    if (this.#length === this.#size) this.#header = { source: sourceOf(this.#bytes) };
  }
}

function ascii(text: string): number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}

function noHeader(): TransportError {
  const remedy = "let the proxy send it, or name no address in it that connects without";
  return new TransportError(
    "ERR_PROXY_HEADER",
    `A peer in "trustedProxies" does not begin with the PROXY protocol, which "proxyProtocol" wants: ${remedy}`,
  );
}

function malformed(fault: string): TransportError {
  return new TransportError("ERR_PROXY_HEADER", `The header of the PROXY protocol ${fault}`);
}

// ---- Version 1 ---------------------------------------------------------------------------------------------------

function parseLine(line: string): ProxyHeader {
  if (!line.endsWith("\r\n")) throw malformed("does not end with CR LF");
  const [, family, source = "", target = "", sourcePort = "", targetPort = "", ...more] = line.slice(0, -2).split(" ");
  // What follows UNKNOWN is to be ignored.
  if (family === "UNKNOWN") return { source: undefined };
  if (family !== "TCP4" && family !== "TCP6") throw malformed('is neither of "TCP4" nor of "TCP6"');
  const client = parseEnd(source, sourcePort, family);
  const server = parseEnd(target, targetPort, family);
  if (client === undefined || server === undefined || more.length > 0) throw malformed("has a malformed address");
  return { source: client };
}

function parseEnd(text: string, port: string, family: string): ProxyHeader["source"] {
  const bytes = text.includes(":") === (family === "TCP6") && !text.includes("%") ? parseAddress(text) : undefined;
  const number = parseDecimal(port, 65535);
  return bytes === undefined || number === undefined ? undefined : { hostname: formatAddress(bytes), port: number };
}

// ---- Version 2 ---------------------------------------------------------------------------------------------------

/** Reads the fixed part; returns the number of bytes behind it. */
function sizeOfRest(bytes: Uint8Array): number {
  const [command, family] = [bytes[12]!, bytes[13]!];
  if (command !== 0x20 && command !== 0x21) throw malformed("has an unknown version or command");
  if (family >> 4 > 3 || (family & 0x0f) > 2) throw malformed("has an unknown family of addresses");
  const size = bytes[14]! << 8 | bytes[15]!;
  if (size > MAX_REST) throw malformed(`is longer than ${MAX_REST} bytes`);
  const addresses = addressSize(bytes);
  if (addresses !== undefined && size < 2 * addresses + 4) throw malformed("is too short for its addresses");
  return size;
}

/** Returns the bytes of one address; `undefined` if the header names none of TCP. */
function addressSize(bytes: Uint8Array): number | undefined {
  return bytes[12] === 0x21 ? ADDRESS_SIZES.get(bytes[13]!) : undefined;
}

function sourceOf(bytes: Uint8Array): ProxyHeader["source"] {
  const size = addressSize(bytes);
  if (size === undefined) return undefined;
  const ports = FIXED_V2 + 2 * size;
  const address = bytes.subarray(FIXED_V2, FIXED_V2 + size);
  return { hostname: formatAddress(address), port: bytes[ports]! << 8 | bytes[ports + 1]! };
}
