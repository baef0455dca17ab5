/**
 * A `Request` as handlers get it, whose signal is made when the program reads it: a signal given to `Request` triples
 * its time on one of the runtimes.
 *
 * @module
 */

/**
 * Aborts the signal of a request. Entries do not export it.
 *
 * @param request The request.
 * @param reason The reason.
 */
export let abortRequest: (request: AbortableRequest, reason: unknown) => void;

/**
 * Sets a callback for the first time that the signal is read. Entries do not export it.
 *
 * @param request The request.
 * @param watch Called when the signal is read.
 */
export let onSignalRead: (request: AbortableRequest, watch: () => void) => void;

/** Members of `Request` that are used here: some runtimes declare its methods as properties, which none overrides. */
export interface PlatformMembers {
  /** The body. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /** `true` once it is read. */
  readonly bodyUsed: boolean;
  /** The header. */
  readonly headers: Headers;
  /** Reads the body as bytes. */
  arrayBuffer(): Promise<ArrayBuffer>;
  /** Reads the body as bytes. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads the body as text. */
  text(): Promise<string>;
  /** Reads the body as JSON. */
  json(): Promise<unknown>;
  /** Reads the body as a `Blob`. */
  blob(): Promise<Blob>;
  /** Reads the body as fields. */
  formData(): Promise<FormData>;
  /** Aborts when the response is not needed any more. */
  readonly signal: AbortSignal;
  /** Copies the request. */
  clone(): Request;
}

/** `Request`, with the members above. */
export const PlatformRequest: new (url: string, init: RequestInit) => PlatformMembers = Request as unknown as new (
  url: string,
  init: RequestInit,
) => PlatformMembers;

/** A request whose signal may abort. */
export class AbortableRequest extends PlatformRequest {
  #controller: AbortController | undefined;
  #watch: (() => void) | undefined;

  static {
    abortRequest = (request, reason) => {
      request.#controller ??= new AbortController();
      request.#controller.abort(reason);
    };
    onSignalRead = (request, watch) => {
      request.#watch = watch;
    };
  }

  /** Aborts when the response is not needed any more. */
  override get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#watch?.();
    }
    return this.#controller.signal;
  }

  /**
   * Copies the request.
   *
   * @returns A copy with the same signal.
   */
  override clone(): Request {
    return new Request(super.clone(), { signal: this.signal });
  }
}

/**
 * Gives a request its full type: it is a `Request`, whose declaration on some runtimes lets no class override methods.
 *
 * @param request The request.
 * @returns The same.
 */
export function asRequest<Made extends AbortableRequest>(request: Made): Made & Request {
  return request as unknown as Made & Request;
}
