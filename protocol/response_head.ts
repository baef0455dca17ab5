/**
 * The head of the final response on a connection of a client: interim responses before it are read over (RFC 9110
 * §15.2), and a server that does not speak HTTP is recognised at its first bytes.
 *
 * @module
 */

import { HandshakeError } from "../base/errors.ts";
import { type Head, type HeadLimits, HeadReader, parseStatusLine } from "./head.ts";
import { foreignServer, ServerGreeting } from "./peer_protocol.ts";

/** The status that ends HTTP on the connection; all others below 200 are interim. */
const SWITCHING_PROTOCOLS = 101;

/**
 * Reads response heads until the final one, in any chunking. Each head has the limits of a head, and the interim ones
 * together have them once more, a response counting like a field: a server cannot go on with them for ever.
 */
export class ResponseHeadReader {
  readonly #limits: { maxHeadSize: number; maxHeaderFields: number };
  #greeting = new ServerGreeting();
  #reader: HeadReader;
  /** Bytes of the current head so far. */
  #size = 0;
  /** Bytes of the interim responses. */
  #interimSize = 0;
  /** Number of interim responses and of their fields. */
  #interimFields = 0;
  #started = false;
  #head: Head | undefined;

  /**
   * Makes a reader.
   *
   * @param limits Limits of a head.
   */
  constructor({ maxHeadSize = 16 * 1024, maxHeaderFields = 128 }: HeadLimits = {}) {
    this.#limits = { maxHeadSize, maxHeaderFields };
    this.#reader = new HeadReader(this.#limits);
  }

  /** The final head, once it is complete. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** `true` if nothing has come yet. */
  get untouched(): boolean {
    return !this.#started;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk The array that holds them.
   * @returns The index after the last byte that belongs to the final head, or to an interim one.
   * @throws {HandshakeError} If the server does not speak HTTP, breaks RFC 9112, or goes beyond a limit.
   */
  push(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && this.#head === undefined) {
      this.#started = true;
      this.#greeting.push(chunk, at);
      // More bytes may tell its protocol.
      if (this.#greeting.isForeign) return chunk.length;
      const end = this.#reader.push(chunk, at);
      this.#size += end - at;
      at = end;
      if (this.#reader.head !== undefined) this.#endHead(this.#reader.head);
    }
    return at;
  }

  /**
   * Tells of a server that has ended before its head.
   *
   * @throws {HandshakeError} If what it has sent is not HTTP.
   */
  end(): void {
    if (this.#greeting.isForeign) throw foreignServer("");
  }

  #endHead(head: Head): void {
    const { status } = parseStatusLine(head.startLine);
    if (status >= 200 || status === SWITCHING_PROTOCOLS) {
      this.#head = head;
      return;
    }
    this.#interimSize += this.#size;
    this.#interimFields += 1 + head.fields.count;
    const { maxHeadSize, maxHeaderFields } = this.#limits;
    if (maxHeadSize > 0 && this.#interimSize > maxHeadSize) {
      throw tooMany(`The interim responses are larger than ${maxHeadSize} bytes`);
    }
    if (maxHeaderFields > 0 && this.#interimFields > maxHeaderFields) {
      throw tooMany(`The interim responses and their fields are more than ${maxHeaderFields}`);
    }
    this.#size = 0;
    this.#greeting = new ServerGreeting();
    this.#reader = new HeadReader(this.#limits);
  }
}

function tooMany(message: string): HandshakeError {
  return new HandshakeError("ERR_HEAD_TOO_LARGE", message);
}
