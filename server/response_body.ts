/**
 * The body of a response on its way. What is ready at once is read before the head is sent: most bodies are complete
 * by then, so that their true length is known.
 *
 * @module
 */

import { concatAll } from "../base/bytes.ts";
import type { PieceReader } from "../protocol/collected_request.ts";

/** Number of microtasks in which a piece that is ready has come: a form takes 11 on Deno, a text 1. */
const TICKS = 16;
/** Most bytes that are read ahead, less the last piece; one write takes as much. */
const MAX_AHEAD = 64 * 1024;
/** Most pieces that are read ahead: a source without end must not hold up other connections. */
const MAX_PIECES = 16;

type Piece = Awaited<ReturnType<PieceReader["read"]>>;

/** Reads a body. */
export class ResponseBody {
  readonly #reader: PieceReader;
  /** Pieces that were read ahead. */
  #ahead: Uint8Array = new Uint8Array(0);
  /** A read that has begun. */
  #next: Promise<Piece> | undefined;
  #complete = false;

  /**
   * Takes a body, and locks it.
   *
   * @param stream The body.
   */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** Bytes that were read ahead. */
  get start(): Uint8Array {
    return this.#ahead;
  }

  /** `true` if the bytes that were read ahead are all. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Reads ahead what is ready.
   *
   * @param patient Waits for the first piece, however long it takes.
   * @returns Resolves when nothing more is ready. Rejects if the body has failed by then.
   */
  async lookAhead(patient: boolean): Promise<void> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const next = this.#next ??= this.#reader.read();
      const wanted = patient && pieces.length === 0;
      if (!wanted && !(await settlesSoon(next))) break;
      const { done, value } = await next;
      this.#complete = done;
      // A piece too many stays for later: it shows that the body goes on.
      if (done || length >= MAX_AHEAD || pieces.length === MAX_PIECES) break;
      this.#next = undefined;
      const piece = asBytes(value);
      pieces.push(piece);
      length += piece.length;
    }
    this.#ahead = pieces.length === 1 ? pieces[0]! : concatAll(pieces);
  }

  /**
   * Reads on.
   *
   * @returns The next bytes; `undefined` at the end. Rejects if the body fails.
   */
  async read(): Promise<Uint8Array | undefined> {
    const ahead = this.#ahead;
    if (ahead.length > 0) {
      this.#ahead = ahead.subarray(ahead.length);
      return ahead;
    }
    if (this.#complete) return undefined;
    const next = this.#next ?? this.#reader.read();
    this.#next = undefined;
    const { done, value } = await next;
    return done ? undefined : asBytes(value);
  }

  /**
   * Gives the body up.
   *
   * @param reason The reason.
   */
  cancel(reason?: unknown): void {
    this.#reader.cancel(reason).catch(ignore);
  }
}

/** Tells whether a promise settles without waiting for anything outside of the program. */
async function settlesSoon(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  for (let tick = 0; tick < TICKS && !settled; tick++) await undefined;
  return settled;
}

function asBytes(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  const kind = typeof piece === "string" ? "a string: pipe it through a TextEncoderStream" : `${typeof piece}`;
  throw new TypeError(`the body of its Response must be a stream of Uint8Array, and gave ${kind}`);
}

function ignore(): void {
  // Ignored on purpose: a body that has failed cannot be cancelled, and need not be.
}
