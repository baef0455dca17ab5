/**
 * The bytes of a client's handshake on a transport, until the connection takes over.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { EarlyEnd } from "../connection/options.ts";
import { HandshakeError, TransportError } from "../base/errors.ts";
import { type Head, parseStatusLine } from "../protocol/head.ts";
import { foreignProtocolOf } from "../protocol/peer_protocol.ts";
import { ResponseHeadReader } from "../protocol/response_head.ts";
import { decodeAscii } from "../protocol/utf8.ts";
import { failureText } from "../transport/failure_text.ts";
import type { Transport } from "../transport/transport.ts";

/** Remedy for a port that speaks TLS. */
const USE_TLS = 'use "wss:", or "useSSL: true"';
/** Parts of the bodies of servers that refuse plain HTTP on a port with TLS: nginx, Apache, Go, Tomcat. */
const TLS_REFUSALS: readonly string[] = [
  "plain HTTP request was sent to HTTPS port",
  "speaking plain HTTP to an SSL-enabled server port",
  "sent an HTTP request to an HTTPS server",
  "combination of host and port requires TLS",
];
/** Bytes of a refusal in which such a part is looked for. */
const MAX_REFUSAL = 2048;
/** Time for the body of a refusal to come, in ms. */
const REFUSAL_PATIENCE = 1000;

/** Exchanges the bytes of the handshake on a transport, until the connection takes over. */
export class ClientHandshake implements EarlyEnd {
  #transport: Transport;
  #signal: AbortSignal;
  #reader = new ResponseHeadReader();
  /** Bytes that came after the head, before the connection took over. */
  leftover: Uint8Array = new Uint8Array(0);
  /** Number of bytes after the head that are waited for. */
  #wanted = 0;
  /** `true` if the server sent FIN before the connection took over. */
  ended = false;
  /** Set with the cause if the transport was closed before the connection took over. */
  closed: { error: unknown } | undefined;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  /**
   * Takes a transport.
   *
   * @param transport The transport, not opened yet.
   * @param signal Aborts the handshake.
   */
  constructor(transport: Transport, signal: AbortSignal) {
    this.#transport = transport;
    this.#signal = signal;
  }

  /**
   * Sends the request and waits for the head of the answer. Interim responses before it are read over.
   *
   * @param request The bytes of the request.
   * @returns The head.
   * @throws {TransportError} If the transport ends before.
   * @throws {HandshakeError} If the head breaks RFC 9112, or is too large, or the server does not speak HTTP.
   */
  async exchange(request: Uint8Array): Promise<Head> {
    this.#signal.throwIfAborted();
    await this.#wait(() => {
      this.#transport.open({
        data: (bytes) => this.#onData(bytes),
        drain: () => {},
        end: () => {
          this.ended = true;
          this.#lose();
        },
        close: (error) => {
          this.closed = { error };
          this.#lose(error);
        },
      });
      this.#transport.write(request);
    });
    return this.#reader.head!;
  }

  /**
   * Names the fault of a request without TLS to a port that speaks TLS, if the server answered in HTTP.
   *
   * @param head The answer.
   * @param clock Limits the wait for its body, which has the reason.
   * @throws {HandshakeError} If it is such an answer.
   */
  async assertNotTls(head: Head, clock: Clock): Promise<void> {
    if (this.#transport.encrypted || parseStatusLine(head.startLine).status !== 400) return;
    const length = bodyLength(head);
    if (this.leftover.length < length && !this.ended && this.closed === undefined) {
      this.#wanted = length;
      const cancelTimer = clock.after(REFUSAL_PATIENCE, () => this.#settle?.resolve());
      await this.#wait(() => this.#transport.resume()).finally(cancelTimer);
    }
    const text = decodeAscii(this.leftover, 0, Math.min(this.leftover.length, MAX_REFUSAL));
    if (!TLS_REFUSALS.some((part) => text.includes(part))) return;
    const headers = head.fields.toHeaders();
    throw new HandshakeError("ERR_HANDSHAKE_STATUS", `The port speaks TLS (400): ${USE_TLS}`, 400, { headers });
  }

  async #wait(begin: () => void): Promise<void> {
    const abort = (): void => this.#transport.destroy();
    this.#signal.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        begin();
      });
    } finally {
      this.#signal.removeEventListener("abort", abort);
      this.#settle = undefined;
    }
  }

  #onData(bytes: Uint8Array): void {
    let used: number;
    try {
      used = this.#reader.push(bytes);
    } catch (error) {
      this.#settle?.reject(this.#named(error));
      return;
    }
    if (this.#reader.head === undefined) return;
    this.leftover = concat(this.leftover, bytes.subarray(used));
    if (this.leftover.length < this.#wanted) return;
    this.#transport.pause();
    this.#settle?.resolve();
  }

  /** After the head the end is what the body waits for; the connection takes over all others. */
  #lose(cause?: unknown): void {
    if (this.#reader.head !== undefined) this.#settle?.resolve();
    else this.#settle?.reject(this.#lostBefore(cause));
  }

  #lostBefore(cause: unknown): unknown {
    try {
      this.#reader.end();
    } catch (error) {
      return error;
    }
    const reason = cause === undefined ? "" : `: ${failureText(cause)}`;
    const silent = this.#reader.untouched && !this.#transport.encrypted;
    const hint = silent ? `; nothing was received: if the port speaks TLS, ${USE_TLS}` : "";
    const message = `The connection was lost during the handshake${reason}${hint}`;
    return new TransportError("ERR_CONNECTION_LOST", message, { cause });
  }

  #named(error: unknown): unknown {
    if (foreignProtocolOf(error) !== "TLS" || this.#transport.encrypted) return error;
    return new HandshakeError("ERR_HEAD_SYNTAX", `The port speaks TLS: ${USE_TLS}`, 0, { cause: error });
  }
}

/** Number of bytes of a body to wait for; 0 if its end cannot be told. */
function bodyLength({ fields }: Head): number {
  if (fields.get("transfer-encoding") !== undefined) return 0;
  const length = fields.get("content-length");
  const bytes = length === undefined ? MAX_REFUSAL : Number(length);
  return bytes >= 0 ? Math.min(bytes, MAX_REFUSAL) : 0;
}
