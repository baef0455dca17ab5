/**
 * A `Request` with a body, as handlers get it. A body that is read as a whole is collected here instead of in the
 * runtime, so that the memory of an incomplete body is free at once, without waiting for the garbage collector.
 *
 * @module
 */

import { AbortableRequest, type PlatformMembers } from "./abortable_request.ts";
import { concatAll } from "../base/bytes.ts";

/** The part of a stream's reader that is used here: runtimes declare readers and their results in different ways. */
export interface PieceReader {
  /** Reads the next piece; `done` without one at the end. */
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  /** Gives the stream up. */
  cancel(reason?: unknown): Promise<void>;
}

/** Takes a piece of a body on its way. */
export type PieceTaker = (piece: Uint8Array) => void;

/**
 * Reads all of a body.
 *
 * @param stream The body, whose pieces belong to the reader.
 * @param take Takes each piece too.
 * @returns The bytes. Rejects with the error of the stream; the memory of earlier pieces is free then.
 */
export async function collectBody(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take?: PieceTaker,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      take?.(value);
      pieces.push(value);
    }
  } catch (error) {
    free(pieces);
    throw error;
  }
  if (pieces.length === 1) return pieces[0]!;
  const whole = concatAll(pieces);
  free(pieces);
  return whole;
}

function free(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
  for (const { buffer } of pieces) buffer.transfer(0);
}

/** A request with a body. */
export class CollectedRequest extends AbortableRequest {
  /** The bytes; `undefined` if the body is read in another way already: the runtime reports the error. */
  #collect(): Promise<Uint8Array<ArrayBuffer>> | undefined {
    const stream = this.body;
    return stream === null || stream.locked || this.bodyUsed ? undefined : collectBody(stream);
  }

  /**
   * Reads the body.
   *
   * @returns Its bytes.
   */
  override async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.#collect())?.buffer ?? await super.arrayBuffer();
  }

  /**
   * Reads the body.
   *
   * @returns Its bytes.
   */
  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#collect() ?? await super.bytes();
  }

  /**
   * Reads the body.
   *
   * @returns Its text.
   */
  override async text(): Promise<string> {
    const bytes = await this.#collect();
    return bytes === undefined ? await super.text() : new TextDecoder().decode(bytes);
  }

  /**
   * Reads the body.
   *
   * @returns The value that it stands for.
   */
  override async json(): Promise<unknown> {
    const bytes = await this.#collect();
    return bytes === undefined ? await super.json() : JSON.parse(new TextDecoder().decode(bytes));
  }

  /**
   * Reads the body.
   *
   * @returns Its bytes, with the type of the request.
   */
  override async blob(): Promise<Blob> {
    const bytes = await this.#collect();
    return bytes === undefined ? await super.blob() : new Blob([bytes], { type: this.#type });
  }

  /**
   * Reads the body.
   *
   * @returns The fields that it has.
   */
  override async formData(): Promise<FormData> {
    const bytes = await this.#collect();
    if (bytes === undefined) return await super.formData();
    const response: unknown = new Response(bytes, { headers: { "content-type": this.#type } });
    return await (response as PlatformMembers).formData();
  }

  get #type(): string {
    return this.headers.get("content-type") ?? "";
  }
}
