/**
 * Recognises other protocols than HTTP by the first bytes of a peer, for error messages: they name the protocol, and
 * repeat nothing that the peer has sent.
 *
 * @module
 */

import { HandshakeError } from "../base/errors.ts";

/** Stands for any byte in a prefix. */
const ANY = -1;
/** Prefix of each HTTP/1.x answer. */
const HTTP = ascii("HTTP/");
const CR = 0x0d;
const LF = 0x0a;

/** First bytes of servers, or of their answer to an HTTP request. None is the beginning of another one. */
const SERVERS: readonly (readonly [prefix: readonly number[], protocol: string])[] = [
  [[0x15, 0x03], "TLS"],
  [[0x16, 0x03], "TLS"],
  [ascii("SSH-"), "SSH"],
  [ascii("220 "), "SMTP or FTP"],
  [ascii("220-"), "SMTP or FTP"],
  [ascii("421 "), "SMTP or FTP"],
  [ascii("554 "), "SMTP or FTP"],
  [ascii("* OK"), "IMAP"],
  [ascii("+OK"), "POP3"],
  [ascii("-ERR"), "Redis"],
  [ascii("-DENIED"), "Redis"],
  [ascii("-NOAUTH"), "Redis"],
  [ascii("ERROR\r\n"), "Memcached"],
  [ascii("AMQP"), "AMQP"],
  [ascii("RFB 00"), "VNC"],
  [ascii("RTSP/"), "RTSP"],
  // An ErrorResponse, whose length is less than 64 KiB.
  [[0x45, 0x00, 0x00], "PostgreSQL"],
  // A packet of less than 256 bytes with number 0, and the version of the protocol.
  [[ANY, 0x00, 0x00, 0x00, 0x0a], "MySQL"],
  // A SETTINGS frame on stream 0.
  [[0x00, 0x00, ANY, 0x04], "HTTP/2 only"],
  [[0xff, 0xfb], "Telnet"],
  [[0xff, 0xfd], "Telnet"],
];

/** First byte of clients that send no text. */
const CLIENT_BYTES: ReadonlyMap<number, string> = new Map([
  [0x03, "RDP"],
  [0x04, "SOCKS 4"],
  [0x05, "SOCKS 5"],
  [0x10, "MQTT"],
]);
const TLS_HANDSHAKE = 0x16;

/** Messages for clients with a remedy. */
const CLIENT_MESSAGES: ReadonlyMap<string, string> = new Map([
  ["TLS", 'The client speaks TLS, and this port does not: connect with "ws:", or set "useSSL" of the server'],
  [
    "PROXY",
    'A proxy sends the PROXY protocol: set "proxyProtocol" of the server, and list the proxy in "trustedProxies", or ' +
    "turn it off at the proxy",
  ],
]);

/** Beginnings of the first line of clients that send text. */
const CLIENT_LINES: readonly (readonly [prefix: string, protocol: string])[] = [
  ["SSH-2.", "SSH"],
  ["SSH-1.", "SSH"],
  ["PROXY TCP", "PROXY"],
  ["PROXY UNKNOWN", "PROXY"],
];

function ascii(text: string): number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}

/**
 * The first bytes of a server.
 *
 * | state       | meaning                                                    | next                         |
 * |-------------|------------------------------------------------------------|------------------------------|
 * | `possible`  | so far it can be HTTP                                      | `http`, `foreign`, an error  |
 * | `http`      | it is HTTP                                                 |                              |
 * | `foreign`   | it is not, and more bytes may tell the protocol            | an error                     |
 */
export class ServerGreeting {
  #state: "possible" | "http" | "foreign" = "possible";
  readonly #seen: number[] = [];

  /** `true` if the server has sent something, and it is not HTTP. */
  get isForeign(): boolean {
    return this.#state === "foreign";
  }

  /**
   * Looks at bytes until it is decided.
   *
   * @param bytes The bytes.
   * @param start Index of the first one.
   * @throws {HandshakeError} If the server does not speak HTTP: at the first byte that tells which protocol it speaks,
   * or that it is none of those known.
   */
  push(bytes: Uint8Array, start: number): void {
    for (let at = start; at < bytes.length && this.#state !== "http"; at++) this.#add(bytes[at]!);
  }

  #add(byte: number): void {
    // As before a request line, empty lines are ignored.
    if (this.#seen.length === 0 && (byte === CR || byte === LF)) return;
    this.#seen.push(byte);
    if (beginsWith(this.#seen, HTTP)) {
      if (this.#seen.length === HTTP.length) this.#state = "http";
      return;
    }
    this.#state = "foreign";
    const protocol = recognize(this.#seen);
    if (protocol !== undefined) throw foreignServer(protocol);
  }
}

/** Returns the protocol; "" if none is known; `undefined` while more bytes may tell. */
function recognize(seen: readonly number[]): string | undefined {
  let more = false;
  for (const [prefix, protocol] of SERVERS) {
    if (!beginsWith(seen, prefix)) continue;
    if (seen.length >= prefix.length) return protocol;
    more = true;
  }
  return more ? undefined : "";
}

/** Compares as many bytes as both have. */
function beginsWith(seen: readonly number[], prefix: readonly number[]): boolean {
  const length = Math.min(seen.length, prefix.length);
  for (let at = 0; at < length; at++) if (prefix[at] !== ANY && seen[at] !== prefix[at]) return false;
  return true;
}

/**
 * Makes the error for a server that does not speak HTTP.
 *
 * @param protocol The protocol that it seems to speak; "" if it is not known.
 * @returns The error to throw.
 */
export function foreignServer(protocol: string): HandshakeError {
  return foreign(`The server does not speak HTTP${guess(protocol)}; check host and port`, protocol, 0);
}

/** Protocols by errors: a class of its own would be seen in what runtimes print. */
const protocols = new WeakMap<object, string>();

function foreign(message: string, protocol: string, status: number): HandshakeError {
  const error = new HandshakeError("ERR_HEAD_SYNTAX", message, status);
  protocols.set(error, protocol);
  return error;
}

/**
 * Returns the protocol of a peer that does not speak HTTP.
 *
 * @param error An error of this module, or another one.
 * @returns The protocol that the peer seems to speak; "" if it is not known; `undefined` for another error.
 */
export function foreignProtocolOf(error: unknown): string | undefined {
  return error instanceof HandshakeError ? protocols.get(error) : undefined;
}

/**
 * Puts the name of a protocol at the end of a sentence.
 *
 * @param protocol The protocol; "" if it is not known.
 * @returns The end of the sentence.
 */
export function guess(protocol: string): string {
  return protocol === "" ? "" : `: it seems to speak ${protocol}`;
}

/**
 * Refuses a client that does not speak HTTP by its first byte: a TLS handshake may have no line end at all.
 *
 * @param first The first byte of a line.
 * @param afterEmptyLines `true` if empty lines came before.
 * @throws {HandshakeError} With status 400 if no start line begins with it.
 */
export function assertClientByte(first: number, afterEmptyLines: boolean): void {
  if (first >= 0x20 || first === CR || first === LF) return;
  if (first === TLS_HANDSHAKE) throw foreignClient("TLS");
  // Version 2 of the PROXY protocol begins with CR LF CR LF NUL.
  throw foreignClient(first === 0 && afterEmptyLines ? "PROXY" : CLIENT_BYTES.get(first) ?? "");
}

/**
 * Refuses a client that does not speak HTTP by its first line: it may wait for an answer before it sends more.
 *
 * @param line The line.
 * @throws {HandshakeError} With status 400 if it belongs to another protocol that is known.
 */
export function assertClientLine(line: string): void {
  for (const [prefix, protocol] of CLIENT_LINES) if (line.startsWith(prefix)) throw foreignClient(protocol);
}

function foreignClient(protocol: string): HandshakeError {
  const message = CLIENT_MESSAGES.get(protocol) ?? `The client does not speak HTTP${guess(protocol)}`;
  return foreign(message, protocol, 400);
}
