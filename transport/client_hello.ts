/**
 * The first message of a TLS client (RFC 8446 §4.1.2): the server name in it (RFC 6066 §3), by which a server with
 * several certificates chooses one: on Bun `node:tls` over a stream does not (`findings/bun_tls_stream_sni.sh`).
 * Everything else is left to TLS, which reads the same bytes again.
 *
 * @module
 */

/** Longest message that is looked at, in bytes; a longer one gets the certificate for all other names. */
export const MAX_HELLO: number = 16 * 1024;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** Result of {@linkcode readServerName}: more bytes are needed, or the name is known, "" for none. */
export type ServerNameResult = { readonly complete: false } | { readonly complete: true; readonly name: string };

const NO_NAME: ServerNameResult = { complete: true, name: "" };
const INCOMPLETE: ServerNameResult = { complete: false };

/**
 * Reads the server name.
 *
 * @param bytes The bytes that have come so far.
 * @returns The name in lower case. Bytes that are no TLS have none, nor has a message that is malformed.
 */
export function readServerName(bytes: Uint8Array): ServerNameResult {
  const message = joinRecords(bytes);
  if (message === undefined) return NO_NAME;
  if (message.length >= 1 && message[0] !== CLIENT_HELLO) return NO_NAME;
  const length = message.length < 4 ? 0 : (message[1]! << 16) | (message[2]! << 8) | message[3]!;
  if (length > MAX_HELLO || bytes.length > 2 * MAX_HELLO) return NO_NAME;
  if (message.length < 4 || message.length < 4 + length) return INCOMPLETE;
  return { complete: true, name: nameOf(message.subarray(4, 4 + length)) ?? "" };
}

/** Joins the contents of the records; `undefined` if one is no record of a handshake. */
function joinRecords(bytes: Uint8Array): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE || (at + 1 < bytes.length && bytes[at + 1] !== 3)) return undefined;
    if (at + 5 > bytes.length) break;
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (length === 0) return undefined;
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    total += part.length;
    at += 5 + length;
  }
  if (parts.length === 1) return parts[0];
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Takes fields off the front of a message; each call fails once a field goes beyond its end. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  number(octets: 1 | 2): number | undefined {
    const value = this.bytes(octets);
    return value === undefined ? undefined : value.reduce((sum, octet) => sum * 256 + octet, 0);
  }

  bytes(length: number): Uint8Array | undefined {
    if (length > this.left) return undefined;
    return this.#bytes.subarray(this.#at, this.#at += length);
  }

  /** Bytes behind their length. */
  vector(octets: 1 | 2): Uint8Array | undefined {
    const length = this.number(octets);
    return length === undefined ? undefined : this.bytes(length);
  }
}

function nameOf(hello: Uint8Array): string | undefined {
  const fields = new Fields(hello);
  // Version and random, session, cipher suites, compression.
  if (!fields.bytes(34) || !fields.vector(1) || !fields.vector(2) || !fields.vector(1)) return undefined;
  const extensions = new Fields(fields.vector(2) ?? new Uint8Array(0));
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (body === undefined) return undefined;
    if (type === SERVER_NAME) return hostNameOf(body);
  }
  return undefined;
}

function hostNameOf(body: Uint8Array): string | undefined {
  const list = new Fields(new Fields(body).vector(2) ?? new Uint8Array(0));
  if (list.number(1) !== HOST_NAME) return undefined;
  const name = list.vector(2);
  return name && new TextDecoder().decode(name).toLowerCase();
}
