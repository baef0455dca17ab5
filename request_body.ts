/**
 * The body of one HTTP request as a stream. Nothing is read before somebody asks: a handler can refuse a request without
 * taking its body.
 *
 * @module
 */

import type { HttpError } from "./errors.ts";
import { type BodyFraming, BodyReader } from "./http.ts";

/** Where a {@linkcode RequestBody} gets its bytes. */
export interface BodySource {
  /** Somebody waits for a piece of the body: feed what is there, and read more. */
  pull(): void;
  /** Nobody waits any more. */
  pause(): void;
}

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** A body between the connection that feeds it and the handler that reads it. */
export class RequestBody {
  /** The body, or `null` if the request has none. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  #reader: BodyReader;
  #source: BodySource;
  #controller: Controller | undefined;
  #error: HttpError | undefined;
  /** Ends the pull of the stream that is waiting for bytes. */
  #endPull: (() => void) | undefined;

  /**
   * Makes a body.
   *
   * @param framing How it is delimited.
   * @param limit The most bytes; 0: no limit.
   * @param source Where its bytes come from.
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

  /** Whether all of it has come. */
  get done(): boolean {
    return this.#reader.done;
  }

  /** Why it failed, if it did. */
  get error(): HttpError | undefined {
    return this.#error;
  }

  /** Whether somebody waits for a piece. */
  get pulling(): boolean {
    return this.#endPull !== undefined;
  }

  /**
   * Takes bytes that came.
   *
   * @param bytes The bytes.
   * @returns How many of them belong to the body.
   */
  feed(bytes: Uint8Array): number {
    let got = false;
    let used = bytes.length;
    if (this.#error !== undefined) return used;
    try {
      used = this.#reader.push(bytes, 0, (piece) => {
        got = true;
        this.#controller?.enqueue(piece.slice());
      });
    } catch (error) {
      this.fail(error as HttpError);
      return used;
    }
    if (this.#reader.done) {
      this.#controller?.close();
      this.#controller = undefined;
    }
    if (got || this.#reader.done) this.#finishPull();
    return used;
  }

  /**
   * Nothing more will come, or nothing more is wanted: whoever reads it gets the error.
   *
   * @param error Why.
   */
  fail(error: HttpError): void {
    if (!this.#reader.done) this.#error ??= error;
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
