/**
 * The body of one HTTP request as a stream. Nothing is read before the program asks: a handler can refuse a request
 * without taking its body.
 *
 * @module
 */

import { concatAll } from "../base/bytes.ts";
import type { HttpError } from "../base/errors.ts";
import { type BodyFraming, BodyReader } from "./http.ts";

/** Source of the bytes of a {@linkcode RequestBody}. */
export interface BodySource {
  /** Asks for a piece of the body: the source feeds waiting bytes, and reads more. */
  pull(): void;
  /** No piece is wanted any more. */
  pause(): void;
}

/** Rough overhead of an array, in bytes: most of the memory of a body that comes in single octets. */
const PIECE_OVERHEAD = 256;

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** A body between the connection that feeds it and the handler that reads it. */
export class RequestBody {
  /** The body, or `null` if the request has none. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  #reader: BodyReader;
  #source: BodySource;
  #controller: Controller | undefined;
  #error: HttpError | undefined;
  #held = 0;
  /** Ends the pull of the stream that is waiting for bytes. */
  #endPull: (() => void) | undefined;

  /**
   * Makes a body.
   *
   * @param framing The framing of the body.
   * @param limit The most bytes; 0: no limit.
   * @param source The source of the bytes.
   * @throws {HttpError} With 413 if the announced length is beyond the limit.
   */
  constructor(framing: BodyFraming, limit: number, source: BodySource) {
    this.#reader = new BodyReader(framing, limit);
    this.#source = source;
    this.stream = framing.kind === "none" ? null : new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () =>
        new Promise((resolve) => {
          this.#endPull = resolve;
          this.#source.pull();
        }),
      cancel: () => {
        this.#controller = undefined;
      },
    }, { highWaterMark: 0 });
  }

  /** True if all of it has come. */
  get done(): boolean {
    return this.#reader.done;
  }

  /** Error of the body, if it failed. */
  get error(): HttpError | undefined {
    return this.#error;
  }

  /** Memory of the pieces that were handed on, in bytes: the reader may keep them. */
  get held(): number {
    return this.#held;
  }

  /** True if the program waits for a piece. */
  get pulling(): boolean {
    return this.#endPull !== undefined;
  }

  /**
   * Takes bytes that came.
   *
   * @param bytes The bytes.
   * @returns Number of bytes that belong to the body.
   */
  feed(bytes: Uint8Array): number {
    let used = bytes.length;
    if (this.#error !== undefined) return used;
    const pieces: Uint8Array[] = [];
    try {
      used = this.#reader.push(bytes, 0, (piece) => void pieces.push(piece));
    } catch (error) {
      this.fail(error as HttpError);
      return used;
    }
    const got = pieces.length > 0;
    if (got) this.#enqueue(pieces);
    if (this.#reader.done) {
      this.#controller?.close();
      this.#controller = undefined;
    }
    if (got || this.#reader.done) this.#finishPull();
    return used;
  }

  /** Joins pieces into one array: a read may bring thousands of tiny chunks. */
  #enqueue(pieces: Uint8Array[]): void {
    if (this.#controller === undefined) return;
    const piece = concatAll(pieces);
    this.#held += piece.length + PIECE_OVERHEAD;
    this.#controller.enqueue(piece);
  }

  /**
   * Ends the stream with an error: no more bytes come, or none are wanted.
   *
   * @param error Why.
   */
  fail(error: HttpError): void {
    if (!this.#reader.done) {
      this.#error ??= error;
      this.#held = 0;
    }
    this.#controller?.error(error);
    this.#controller = undefined;
    this.#finishPull();
  }

  #finishPull(): void {
    const end = this.#endPull;
    if (end === undefined) return;
    this.#endPull = undefined;
    this.#source.pause();
    end();
  }
}
