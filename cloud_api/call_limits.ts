/**
 * Limits of one call of the Graph API, until its answer is complete: a time limit, and the signal of the program.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";
import { fetchFailureText } from "../base/fetch_failure.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { parseExact } from "./exact_json.ts";
import type { JsonObject } from "./json.ts";

/** Most bytes of an answer that is JSON: pages of a history are the largest. */
const MAX_ANSWER = 16 * 1024 * 1024;
const TOO_LONG = `The Graph API answered with more than ${MAX_ANSWER} bytes`;

/** Takes a successful answer; ends the limits when it is complete. Its error ends the call. */
export type TakeAnswer<Result> = (response: Response, limits: CallLimits) => Result | Promise<Result>;

/** Limits of one attempt until its answer is complete: a time limit, and the signal of the program. */
export class CallLimits {
  #origin: string;
  #timeout: number;
  #clock: Clock;
  #outer: AbortSignal | undefined;
  #controller = new AbortController();
  #cancelTimer: () => void = () => {};
  readonly #onOuterAbort = (): void => this.#controller.abort(this.#outer!.reason);
  readonly #onLate = (): void =>
    this.#controller.abort(new Error(`no complete answer came within ${this.#timeout} ms`));

  /**
   * Starts the timer.
   *
   * @param origin The server, for errors.
   * @param timeout Time limit, in ms; 0: none.
   * @param clock Time.
   * @param outer Signal of the program.
   */
  constructor(origin: string, timeout: number, clock: Clock, outer: AbortSignal | undefined) {
    this.#origin = origin;
    this.#timeout = timeout;
    this.#clock = clock;
    this.#outer = outer;
    if (outer?.aborted) this.#onOuterAbort();
    else outer?.addEventListener("abort", this.#onOuterAbort, { once: true });
    this.startTimer();
  }

  /** Signal that aborts the attempt. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the timer anew. */
  startTimer(): void {
    this.stopTimer();
    if (this.#timeout > 0) this.#cancelTimer = this.#clock.after(this.#timeout, this.#onLate);
  }

  /** Stops the timer while no answer is awaited. */
  stopTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
  }

  /** Releases timer and signal. */
  end(): void {
    this.stopTimer();
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  /**
   * Throws if the program has aborted the call.
   *
   * @throws The reason of the program.
   */
  throwIfAborted(): void {
    this.#outer?.throwIfAborted();
  }

  /**
   * Waits for the work until the attempt is aborted: some readers of bodies ignore the signal.
   *
   * @param work The work.
   * @param drop Lets go of a result that comes after the end.
   * @returns Its result.
   * @throws The program's own reason, or a WhatsAppApiError.
   */
  async run<Result>(work: Promise<Result>, drop: (late: Result) => void = () => {}): Promise<Result> {
    try {
      return await this.#untilAborted(work);
    } catch (cause) {
      work.then(drop, () => {
        // The work has failed, which is what is reported.
      });
      this.throwIfAborted();
      const { signal } = this;
      // The API may have got the request: another attempt might send a message twice.
      const why = fetchFailureText(signal.aborted ? signal.reason : cause);
      throw new WhatsAppApiError("ERR_API_UNREACHABLE", `Cannot reach ${this.#origin}: ${why}`, 0, {
        cause: withoutQuery(cause),
      });
    }
  }

  /**
   * Waits for a function of the program, before the call.
   *
   * @param name The name of its option.
   * @param work Its result.
   * @returns The same.
   * @throws What it throws, the program's own reason, or a WhatsAppApiError if it takes too long.
   */
  async ask<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
    try {
      return await this.#untilAborted((async () => await work())());
    } catch (error) {
      this.throwIfAborted();
      if (!this.signal.aborted) throw error;
      const message = `The function of the setting "${name}" returned nothing within ${this.#timeout} ms`;
      throw new WhatsAppApiError("ERR_API_UNREACHABLE", message, 0);
    }
  }

  async #untilAborted<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this;
    let abort: () => void = () => {};
    try {
      return await new Promise<Result>((resolve, reject) => {
        abort = () => reject(signal.reason);
        if (signal.aborted) abort();
        signal.addEventListener("abort", abort, { once: true });
        work.then(resolve, reject);
      });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

/**
 * Reads the text of a body, and cancels a body that does not come in time.
 *
 * @param response The answer.
 * @param limits The limits of the call.
 * @returns The text.
 * @throws {WhatsAppApiError} If it does not come in time, or is too long.
 */
export async function readText(response: Response, limits: CallLimits): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  if (reader === undefined) return text;
  try {
    for (;;) {
      const { done, value } = await limits.run(reader.read());
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > MAX_ANSWER) throw new WhatsAppApiError("ERR_API_ANSWER", TOO_LONG, response.status);
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    reader.cancel(error).catch(() => {
      // The body has failed already.
    });
    throw error;
  }
}

/**
 * Reads a JSON object, and ends the limits. Integers that a double does not hold, such as ids, are texts in it.
 *
 * @param response The answer.
 * @param limits The limits of the call.
 * @returns The object.
 * @throws {WhatsAppApiError} If there is none.
 */
export async function readJson(response: Response, limits: CallLimits): Promise<JsonObject> {
  const text = await readText(response, limits);
  limits.end();
  try {
    const json = parseExact(text);
    if (typeof json === "object" && json !== null) return json as JsonObject;
  } catch {
    // The error of the runtime quotes the text, which may hold the access token.
    const type = quote(response.headers.get("content-type") ?? "");
    const message = `The Graph API did not answer with JSON: ${text.length} characters of the type ${type}`;
    throw new WhatsAppApiError("ERR_API_ANSWER", message, response.status);
  }
  throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API did not answer with an object", response.status);
}

/**
 * Takes the bytes of a file, with a time limit for each piece: a large file may take long, and a slow reader is no
 * fault of the API.
 *
 * @param response The answer.
 * @param limits The limits of the call.
 * @returns The type and the bytes.
 */
export function takeFile(
  response: Response,
  limits: CallLimits,
): { type: string; stream: ReadableStream<Uint8Array<ArrayBuffer>> } {
  const type = response.headers.get("content-type") ?? "";
  const body = response.body ?? new Blob([]).stream();
  const reader: Pick<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>, "read" | "cancel"> = body.getReader();
  limits.stopTimer();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      limits.startTimer();
      try {
        const { done, value } = await limits.run(reader.read());
        limits.stopTimer();
        if (!done) return controller.enqueue(value);
        limits.end();
        controller.close();
      } catch (error) {
        limits.end();
        reader.cancel(error).catch(() => {
          // The body has failed already.
        });
        controller.error(error);
      }
    },
    async cancel(reason) {
      limits.end();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
  return { type, stream };
}

/** Removes the URL, which may be signed, from errors of runtimes that quote it. */
function withoutQuery(cause: unknown): unknown {
  if (!(cause instanceof Error) || describe(cause) === cause.message) return cause;
  return Object.assign(new Error(describe(cause), { cause: cause.cause }), { name: cause.name });
}
