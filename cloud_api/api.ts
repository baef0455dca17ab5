/**
 * What a receiver does next: a small client of the Cloud API (Graph API), on `fetch`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe, type GraphError, OptionError, WhatsAppApiError } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { assertNumber } from "../base/ranges.ts";
import { assertToken } from "../base/secrets.ts";
import type { JsonObject, WhatsAppMedia, WhatsAppMessage } from "./types.ts";

/** How to reach the API. */
export interface WhatsAppApiOptions {
  /** The access token, or what gives it; asked before each call. It goes into a header, never into a URL or an error. */
  accessToken: string | (() => string | Promise<string>);
  /** The id of the business phone number that sends. */
  phoneNumberId: string;
  /**
   * The version of the Graph API.
   * @default {"v26.0"}
   */
  version?: string;
  /**
   * Where the API is.
   * @default {"https://graph.facebook.com"}
   */
  baseUrl?: string;
  /**
   * Time limit of one attempt, until its answer is complete, in ms; of a file, until its head, and then for each next piece that is read
   * of its stream. 0: no limit.
   * @default {30000}
   */
  requestTimeout?: number;
  /**
   * How often a call is tried again that is answered with 429, 5xx, or one of Meta's codes for too many calls.
   * @default {4}
   */
  maxRetries?: number;
  /**
   * The longest pause before the first retry, in ms; each further one may be twice as long, up to a minute. The pauses are random. What
   * the API says in `Retry-After` counts more.
   * @default {500}
   */
  retryDelay?: number;
  /**
   * What makes requests.
   * @default {fetch}
   */
  fetch?: typeof fetch;
  /** Time, for tests. */
  clock?: Clock;
}

/** Whom to write to: a phone number with country code, a business-scoped user id such as `US.13491208655302741918`, or a group. */
export type Recipient = string | { group: string };

/** What goes with a message. */
export interface SendOptions {
  /** The id of the message that is answered. */
  replyTo?: string;
  /** Up to 512 characters that come back with the statuses. */
  bizOpaqueCallbackData?: string;
  /** Gives the call up. */
  signal?: AbortSignal;
}

/** What goes with a text. */
export interface SendTextOptions extends SendOptions {
  /** Whether to show a preview of the first link. */
  previewUrl?: boolean;
}

/** A template to send. */
export interface TemplateOptions extends SendOptions {
  /** Its language, such as `en_US`. */
  language: string;
  /** Its parameters, as the Cloud API wants them. */
  components?: readonly JsonObject[];
}

/** How to mark a message as read. */
export interface ReadOptions {
  /** Whether to show that an answer is being written: for 25 seconds, or until it comes. */
  typing?: boolean;
  /** Gives the call up. */
  signal?: AbortSignal;
}

/** A message that was taken. */
export interface SentMessage {
  /** Its id: that of its statuses. */
  id: string;
  /** The recipient's WhatsApp id, if the API says it. */
  recipientId?: string;
  /** `accepted`, `held_for_quality_assessment`, `paused`, if the API says so. */
  status?: string;
}

/** A file of a customer. */
export interface MediaFile {
  /** Its MIME type. */
  mimeType: string;
  /** Its size in bytes, if the API says it. */
  size?: number;
  /** Its SHA-256 digest, as the API says it. */
  sha256?: string;
  /** The bytes. The stream fails with `ERR_MEDIA_DIGEST` at its end if they are not what the digest says. */
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
}

const MAX_PAUSE = 60_000;
/** Too many calls, of the app, the account, the number, or to one recipient; and faults of the API that pass. */
const TRANSIENT_CODES: readonly number[] = [1, 2, 4, 80007, 130429, 131000, 131016, 131056];

/**
 * Sends messages of a business, and fetches files.
 *
 * @example Answer each text
 * ```ts
 * import { WhatsAppApi, WhatsAppReceiver } from "@tackline/websocket/whatsapp";
 *
 * export async function run(accessToken: string) {
 *   const api = new WhatsAppApi({ accessToken, phoneNumberId: "106540352242922" });
 *   const receiver = new WhatsAppReceiver("wss://hooks.example.com/whatsapp", { receiverToken: "…", name: "bot" });
 *   await receiver.connect();
 *   for await (const message of receiver.messages) {
 *     await api.markAsRead(message.id, { typing: true });
 *     if (message.type === "text") await api.reply(message, `You said: ${message.text.body}`);
 *   }
 * }
 * ```
 */
export class WhatsAppApi {
  #options: Required<WhatsAppApiOptions>;

  /**
   * Makes a client.
   *
   * @param options How to reach the API.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: WhatsAppApiOptions) {
    this.#options = {
      version: "v26.0",
      baseUrl: "https://graph.facebook.com",
      requestTimeout: 30_000,
      maxRetries: 4,
      retryDelay: 500,
      fetch: (...args: Parameters<typeof fetch>) => fetch(...args),
      clock: systemClock,
      ...withoutUndefined({ ...options }),
    };
    const { accessToken, phoneNumberId, baseUrl, requestTimeout, maxRetries, retryDelay } = this.#options;
    if (typeof accessToken !== "function") assertToken("accessToken", accessToken);
    assertId("phoneNumberId", phoneNumberId);
    if (!URL.canParse(baseUrl)) {
      throw new OptionError(`The option "baseUrl" is ${quote(redactUrl(baseUrl))}: not a URL`);
    }
    const { username, password, search, hash } = new URL(baseUrl);
    if (username + password + search + hash !== "") {
      throw new OptionError('The option "baseUrl" has a user name, a password, a query, or a fragment');
    }
    assertNumber("requestTimeout", requestTimeout);
    assertNumber("maxRetries", maxRetries);
    assertNumber("retryDelay", retryDelay);
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  /**
   * Sends a text.
   *
   * @param to Whom to write to.
   * @param body The text, up to 4096 characters.
   * @param options What goes with it.
   * @returns The message, once the API has taken it. Whether it arrives, its statuses say.
   * @throws {WhatsAppApiError} If the API does not take it.
   */
  sendText(to: Recipient, body: string, options: SendTextOptions = {}): Promise<SentMessage> {
    return this.send(to, "text", { body, preview_url: options.previewUrl ?? false }, options);
  }

  /**
   * Answers a message with a text, in the chat or group where it came.
   *
   * @param message The message.
   * @param body The text, up to 4096 characters.
   * @param options What goes with it.
   * @returns The message, once the API has taken it.
   * @throws {WhatsAppApiError} If the API does not take it.
   */
  reply(message: WhatsAppMessage, body: string, options: SendTextOptions = {}): Promise<SentMessage> {
    return this.sendText(chatOf(message), body, { replyTo: message.id, ...options });
  }

  /**
   * Reacts to a message.
   *
   * @param message The message.
   * @param emoji The emoji; "" takes the reaction back.
   * @param options What goes with it.
   * @returns The message, once the API has taken it.
   * @throws {WhatsAppApiError} If the API does not take it.
   */
  react(message: WhatsAppMessage, emoji: string, options: SendOptions = {}): Promise<SentMessage> {
    return this.send(chatOf(message), "reaction", { message_id: message.id, emoji }, options);
  }

  /**
   * Sends a template, which may begin a conversation.
   *
   * @param to Whom to write to.
   * @param name Its name.
   * @param options Its language and parameters.
   * @returns The message, once the API has taken it.
   * @throws {WhatsAppApiError} If the API does not take it.
   */
  sendTemplate(to: Recipient, name: string, options: TemplateOptions): Promise<SentMessage> {
    const { language, components } = options;
    return this.send(to, "template", { name, language: { code: language }, components }, options);
  }

  /**
   * Sends buttons, a list, a flow, or another interactive message.
   *
   * @param to Whom to write to.
   * @param interactive As the Cloud API wants it: `{ type: "button", body: { text }, action: { buttons } }`.
   * @param options What goes with it.
   * @returns The message, once the API has taken it.
   * @throws {WhatsAppApiError} If the API does not take it.
   */
  sendInteractive(to: Recipient, interactive: JsonObject, options: SendOptions = {}): Promise<SentMessage> {
    return this.send(to, "interactive", interactive, options);
  }

  /**
   * Sends a message of any type.
   *
   * @param to Whom to write to.
   * @param type The type, such as `image`.
   * @param contents The contents, as the Cloud API wants them: what stands under the key `type`.
   * @param options What goes with it.
   * @returns The message, once the API has taken it.
   * @throws {WhatsAppApiError} If the API does not take it.
   */
  async send(to: Recipient, type: string, contents: JsonObject, options: SendOptions = {}): Promise<SentMessage> {
    const { replyTo, bizOpaqueCallbackData, signal } = options;
    const answer = await this.#post({
      ...addressOf(to),
      context: replyTo === undefined ? undefined : { message_id: replyTo },
      biz_opaque_callback_data: bizOpaqueCallbackData,
      type,
      [type]: contents,
    }, signal);
    const message = firstOf(answer, "messages");
    const id = message?.id;
    if (typeof id !== "string") {
      throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API took a message, but named no id", 200);
    }
    const recipientId = firstOf(answer, "contacts")?.wa_id;
    const status = message?.message_status;
    return withoutUndefined({
      id,
      recipientId: typeof recipientId === "string" ? recipientId : undefined,
      status: typeof status === "string" ? status : undefined,
    });
  }

  /**
   * Marks a message as read, and all before it.
   *
   * @param messageId Its id.
   * @param options Whether an answer is being written.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async markAsRead(messageId: string, options: ReadOptions = {}): Promise<void> {
    const typing = options.typing ? { type: "text" } : undefined;
    await this.#post({ status: "read", message_id: messageId, typing_indicator: typing }, options.signal);
  }

  // ---- Media ---------------------------------------------------------------------------------------------------

  /**
   * Fetches a file that a customer sent.
   *
   * @param media Its id, or the media of a message.
   * @param options Gives the call up.
   * @returns The file, as its bytes begin to come.
   * @throws {WhatsAppApiError} If the API does not give it: media are kept for 7 days.
   */
  async media(media: string | WhatsAppMedia, options: { signal?: AbortSignal } = {}): Promise<MediaFile> {
    const id = typeof media === "string" ? media : media.id;
    assertId("media", id);
    const { phoneNumberId } = this.#options;
    const { signal } = options;
    const info = await this.#request(this.#url(id, { phone_number_id: phoneNumberId }), {}, signal, readJson);
    const { url, mime_type, sha256, file_size } = info;
    if (typeof url !== "string" || !this.#isSafe(url)) {
      throw new WhatsAppApiError("ERR_API_ANSWER", `The Graph API gave no usable URL for the media "${id}"`, 200);
    }
    const file = await this.#request(new URL(url), {}, signal, takeFile);
    const digest = typeof sha256 === "string" ? sha256 : undefined;
    return withoutUndefined({
      mimeType: typeof mime_type === "string" ? mime_type : file.type,
      size: Number(file_size) || undefined,
      sha256: digest,
      stream: checkDigest(file.stream, digest, id),
    });
  }

  /** The access token goes there: over TLS, but where the API itself is reached without. */
  #isSafe(url: string): boolean {
    return URL.canParse(url) && [new URL(this.#options.baseUrl).protocol, "https:"].includes(new URL(url).protocol);
  }

  // ---- Calls ---------------------------------------------------------------------------------------------------

  #url(path: string, query: Record<string, string> = {}): URL {
    const { baseUrl, version } = this.#options;
    const url = new URL(`${baseUrl.endsWith("/") ? baseUrl.slice(0, -1) : baseUrl}/${version}/${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  }

  async #post(fields: JsonObject, signal: AbortSignal | undefined): Promise<JsonObject> {
    const body = JSON.stringify({ messaging_product: "whatsapp", ...fields });
    const headers = { "content-type": "application/json" };
    const url = this.#url(`${this.#options.phoneNumberId}/messages`);
    return await this.#request(url, { method: "POST", headers, body }, signal, readJson);
  }

  /** Tries until there is an answer that does not pass. */
  async #request<Result>(
    url: URL,
    init: RequestInit,
    signal: AbortSignal | undefined,
    take: TakeAnswer<Result>,
  ): Promise<Result> {
    for (let attempt = 0;; attempt++) {
      const { result, error, retryAfter } = await this.#attempt(url, init, signal, take);
      if (error === undefined) return result!;
      if (attempt >= this.#options.maxRetries || !isTransient(error)) throw error;
      await this.#pause(attempt, retryAfter, signal);
    }
  }

  async #attempt<Result>(
    url: URL,
    init: RequestInit,
    signal: AbortSignal | undefined,
    take: TakeAnswer<Result>,
  ): Promise<{ result?: Result; error?: WhatsAppApiError; retryAfter: string | null }> {
    const { accessToken, clock, requestTimeout } = this.#options;
    const token = typeof accessToken === "string" ? accessToken : await accessToken();
    assertToken("accessToken", token);
    const limits = new CallLimits(url.origin, requestTimeout, clock, signal);
    try {
      const headers = { ...init.headers as Record<string, string>, authorization: `Bearer ${token}` };
      const response = await limits.run(this.#options.fetch(url, { ...init, headers, signal: limits.signal }));
      const retryAfter = response.headers.get("retry-after");
      if (response.ok) return { result: await take(response, limits), retryAfter };
      const error = await makeError(response, url, limits);
      limits.end();
      return { error, retryAfter };
    } catch (error) {
      limits.end();
      throw error;
    }
  }

  /** Exponential back-off with full jitter. */
  #pause(attempt: number, retryAfter: string | null, signal: AbortSignal | undefined): Promise<void> {
    const { clock, retryDelay } = this.#options;
    const asked = Number(retryAfter ?? NaN) * 1000;
    const longest = Math.min(retryDelay * 2 ** attempt, MAX_PAUSE);
    const delay = Number.isFinite(asked) && asked >= 0 ? Math.min(asked, MAX_PAUSE) : Math.random() * longest;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        cancel();
        reject(signal!.reason);
      };
      const cancel = clock.after(delay, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** The errors of some runtimes quote the URL, which may be a signed one. */
function withoutQuery(cause: unknown): unknown {
  if (!(cause instanceof Error) || describe(cause) === cause.message) return cause;
  return Object.assign(new Error(describe(cause), { cause: cause.cause }), { name: cause.name });
}

/** The chat where a message came. */
function chatOf({ groupId, sender }: WhatsAppMessage): Recipient {
  return groupId === undefined ? sender.phone ?? sender.userId ?? sender.id : { group: groupId };
}

/** Numbers stand in `to`, business-scoped user ids in `recipient`. */
function addressOf(to: Recipient): JsonObject {
  if (typeof to !== "string") return { recipient_type: "group", to: to.group };
  if (to === "") throw new OptionError("Cannot send: the recipient is empty");
  const isUserId = to.indexOf(".") > 0;
  return { recipient_type: "individual", ...(isUserId ? { recipient: to } : { to }) };
}

/** Ids become part of a path. */
function assertId(name: string, id: string): void {
  const usable = typeof id === "string" && id.length > 0 && id.length <= 128;
  if (usable && encodeURIComponent(id) === id && id !== "." && id !== "..") return;
  // What is long may be the access token.
  const shown = String(id).length <= 32 ? quote(String(id)) : `a text of ${String(id).length} characters`;
  throw new OptionError(`The ${name} is ${shown}: not an id`);
}

function firstOf(answer: JsonObject, key: string): JsonObject | undefined {
  const list = answer[key];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  return typeof first === "object" && first !== null ? first as JsonObject : undefined;
}

/** Takes a successful answer; ends the limits when it is complete. What it fails with ends the call. */
type TakeAnswer<Result> = (response: Response, limits: CallLimits) => Result | Promise<Result>;

/** Limits of one attempt until its answer is complete: its time, and the signal of the program. */
class CallLimits {
  #origin: string;
  #timeout: number;
  #clock: Clock;
  #outer: AbortSignal | undefined;
  #controller = new AbortController();
  #cancelTimer: () => void = () => {};
  readonly #onOuterAbort = (): void => this.#controller.abort(this.#outer!.reason);
  readonly #onLate = (): void =>
    this.#controller.abort(new Error(`no complete answer came within ${this.#timeout} ms`));

  /** Starts the time. */
  constructor(origin: string, timeout: number, clock: Clock, outer: AbortSignal | undefined) {
    this.#origin = origin;
    this.#timeout = timeout;
    this.#clock = clock;
    this.#outer = outer;
    if (outer?.aborted) this.#onOuterAbort();
    else outer?.addEventListener("abort", this.#onOuterAbort, { once: true });
    this.startTimer();
  }

  /** Gives the attempt up. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Gives the whole time again. */
  startTimer(): void {
    this.stopTimer();
    if (this.#timeout > 0) this.#cancelTimer = this.#clock.after(this.#timeout, this.#onLate);
  }

  /** Stops the time, while nothing is waited for. */
  stopTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
  }

  /** Lets go of timer and signal. */
  end(): void {
    this.stopTimer();
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  /** @throws The reason of the program, if it has given the call up. */
  throwIfGivenUp(): void {
    this.#outer?.throwIfAborted();
  }

  /**
   * Waits for the work, at most until the attempt is given up: not everything that reads a body hears the signal.
   *
   * @throws The program's own reason, or a WhatsAppApiError.
   */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this;
    let abort: () => void = () => {};
    try {
      return await new Promise<Result>((resolve, reject) => {
        abort = () => reject(signal.reason);
        if (signal.aborted) abort();
        signal.addEventListener("abort", abort, { once: true });
        work.then(resolve, reject);
      });
    } catch (cause) {
      this.throwIfGivenUp();
      // Whether the API has got it nobody knows: trying again might send a message twice.
      const why = describe(signal.aborted ? signal.reason : cause);
      throw new WhatsAppApiError("ERR_API_UNREACHABLE", `Cannot reach ${this.#origin}: ${why}`, 0, {
        cause: withoutQuery(cause),
      });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

/** The text of a body; what does not come in time is cancelled. */
async function readText(response: Response, limits: CallLimits): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  if (reader === undefined) return text;
  try {
    for (;;) {
      const { done, value } = await limits.run(reader.read());
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    reader.cancel(error).catch(() => {
      // It has failed already.
    });
    throw error;
  }
}

async function readJson(response: Response, limits: CallLimits): Promise<JsonObject> {
  const text = await readText(response, limits);
  limits.end();
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as JsonObject;
  } catch (cause) {
    const message = `The Graph API did not answer with JSON: ${describe(cause)}`;
    throw new WhatsAppApiError("ERR_API_ANSWER", message, response.status, { cause });
  }
  throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API did not answer with an object", response.status);
}

/** The bytes of a file, limited in the time for each piece: a large file may take long, and a slow reader is no fault of the API. */
function takeFile(
  response: Response,
  limits: CallLimits,
): { type: string; stream: ReadableStream<Uint8Array<ArrayBuffer>> } {
  const type = response.headers.get("content-type") ?? "";
  const body = response.body ?? new Blob([]).stream();
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> = body.getReader();
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
          // It has failed already.
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

/** Makes the error of an answer that is no success; its body counts only if it comes in time, since the status says enough. */
async function makeError(response: Response, url: URL, limits: CallLimits): Promise<WhatsAppApiError> {
  const graph = readGraphError(await readBody(response, limits));
  const why = graph === undefined ? "" : `: ${graph.message ?? "no message"} (code ${graph.code})`;
  // The path holds ids only; the query could hold more.
  const message = `The Graph API answered ${response.status} to ${url.pathname}${why}`;
  return new WhatsAppApiError("ERR_API_REFUSED", message, response.status, { graph });
}

async function readBody(response: Response, limits: CallLimits): Promise<unknown> {
  try {
    return JSON.parse(await readText(response, limits));
  } catch {
    limits.throwIfGivenUp();
    return undefined;
  }
}

function readGraphError(body: unknown): GraphError | undefined {
  const error = (body as { error?: JsonObject } | undefined | null)?.error;
  if (typeof error !== "object" || error === null || typeof error.code !== "number") return undefined;
  const details = (error.error_data as JsonObject | undefined)?.details;
  const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined;
  return withoutUndefined({
    code: error.code,
    subcode: typeof error.error_subcode === "number" ? error.error_subcode : undefined,
    type: text(error.type),
    message: text(error.message),
    details: text(details),
    traceId: text(error.fbtrace_id),
  });
}

function isTransient({ status, graph }: WhatsAppApiError): boolean {
  return status === 429 || status >= 500 || (graph !== undefined && TRANSIENT_CODES.includes(graph.code));
}

/** Passes bytes on, and fails at their end if they are not what the digest says. */
function checkDigest(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  sha256: string | undefined,
  id: string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (sha256 === undefined) return stream;
  const hash = createHash("sha256");
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, controller) {
        hash.update(bytes);
        controller.enqueue(bytes);
      },
      flush() {
        const digest = hash.digest();
        // Notifications have it in base64, the API has shown both.
        if (digest.toString("hex") === sha256.toLowerCase() || digest.toString("base64") === sha256) return;
        throw new WhatsAppApiError("ERR_MEDIA_DIGEST", `The media "${id}" are not what their digest says`, 200);
      },
    }),
  );
}

function withoutUndefined<T extends object>(record: T): T {
  for (const key of Object.keys(record) as (keyof T)[]) if (record[key] === undefined) delete record[key];
  return record;
}
