/**
 * A client of the Cloud API (Graph API) on `fetch`: sends messages, and fetches media.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { assertClock, type Clock, systemClock } from "../base/clock.ts";
import { describe, OptionError } from "../base/errors.ts";
import { fetchFailureText } from "../base/fetch_failure.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertToken } from "../base/secrets.ts";
import { type Complete, FieldsReader, type SettingsTable } from "../base/settings.ts";
import { type GraphError, WhatsAppApiError } from "./api_error.ts";
import type {
  MediaFile,
  ReadOptions,
  Recipient,
  SendOptions,
  SendTextOptions,
  SentMessage,
  TemplateOptions,
} from "./calls.ts";
import { type JsonObject, withoutUndefined } from "./json.ts";
import type { WhatsAppMedia, WhatsAppMessage } from "./messages.ts";

/** Options of a {@linkcode WhatsAppApi}. */
export interface WhatsAppApiOptions {
  /**
   * The access token, or a function that is asked for it before each call. It goes into a header, never into a URL or
   * an error.
   */
  accessToken: string | (() => string | Promise<string>);
  /** The id of the business phone number that sends. */
  phoneNumberId: string;
  /**
   * The version of the Graph API.
   * @default {"v26.0"}
   */
  version?: string | undefined;
  /**
   * URL of the API.
   * @default {"https://graph.facebook.com"}
   */
  baseUrl?: string | undefined;
  /**
   * Time limit of one attempt, in ms: until its answer is complete, or for a file until its head, and then for each
   * piece of its stream. 0: no limit.
   * @default {30000}
   */
  requestTimeout?: number | undefined;
  /**
   * Maximum of retries of a call that is answered with 429, 5xx, or one of Meta's codes for too many calls.
   * @default {4}
   */
  maxRetries?: number | undefined;
  /**
   * Longest pause before the first retry, in ms; it doubles with each retry, up to a minute. Pauses are random.
   * `Retry-After` of the API takes precedence.
   * @default {500}
   */
  retryDelay?: number | undefined;
  /**
   * Function that makes requests.
   * @default {fetch}
   */
  fetch?: ((url: string | URL | Request, init?: RequestInit) => Promise<Response>) | undefined;
  /** Time, for tests. */
  clock?: Clock | undefined;
}

/** {@linkcode WhatsAppApiOptions} with nothing left out. */
export type WhatsAppApiSettings = Complete<WhatsAppApiOptions>;

/** The settings of a {@linkcode WhatsAppApi}. */
export const API_SETTINGS: SettingsTable<WhatsAppApiSettings> = {
  accessToken: { kind: "any", default: "", check: assertAccessToken },
  phoneNumberId: { kind: "any", default: "", check: (id) => assertId("phoneNumberId", id) },
  version: { kind: "string", default: "v26.0" },
  baseUrl: { kind: "string", default: "https://graph.facebook.com", check: assertBaseUrl },
  requestTimeout: { kind: "number", unit: "ms", default: 30_000 },
  maxRetries: { kind: "number", unit: "count", default: 4 },
  retryDelay: { kind: "number", unit: "ms", default: 500 },
  fetch: { kind: "function", default: (...args: Parameters<typeof fetch>) => fetch(...args) },
  clock: { kind: "object", default: systemClock, check: assertClock },
};

const apiOptions = new FieldsReader("WhatsAppApi", API_SETTINGS, {
  hints: {
    token: 'use "accessToken"',
    phoneId: 'use "phoneNumberId"',
    phoneNumber: 'use "phoneNumberId"',
    apiVersion: 'use "version"',
    url: 'use "baseUrl"',
    timeout: 'use "requestTimeout"',
    retries: 'use "maxRetries"',
  },
});

const MESSAGE_NAMES: OptionTable<SendTextOptions & TemplateOptions> = {
  replyTo: true,
  bizOpaqueCallbackData: true,
  previewUrl: true,
  language: true,
  components: true,
  signal: true,
};
const MESSAGE_OPTIONS = new OptionNames("A message", {
  tables: [MESSAGE_NAMES],
  hints: {
    context: 'use "replyTo"',
    preview_url: 'use "previewUrl"',
    lang: 'use "language"',
    parameters: 'use "components"',
  },
  example: () => "{ replyTo: message.id }",
});

const READ_NAMES: OptionTable<ReadOptions> = { typing: true, signal: true };
const READ_OPTIONS = new OptionNames("markAsRead", { tables: [READ_NAMES], example: () => "{ typing: true }" });
const MEDIA_OPTIONS = new OptionNames("media", { tables: [{ signal: true }] });

function assertAccessToken(token: WhatsAppApiOptions["accessToken"]): void {
  if (typeof token !== "function") assertToken("accessToken", token);
}

function assertBaseUrl(baseUrl: string): void {
  if (!URL.canParse(baseUrl)) {
    throw new OptionError(`The option "baseUrl" is ${quote(redactUrl(baseUrl))}: not a URL`);
  }
  const { username, password, search, hash } = new URL(baseUrl);
  if (username + password + search + hash === "") return;
  throw new OptionError('The option "baseUrl" has a user name, a password, a query, or a fragment');
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
  readonly #options: WhatsAppApiSettings;

  /**
   * Makes a client.
   *
   * @param options The options.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: WhatsAppApiOptions) {
    this.#options = apiOptions.read(options);
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  /**
   * Sends a text.
   *
   * @param to The recipient.
   * @param body The text, up to 4096 characters.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it. Its statuses tell if it arrives.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  sendText(to: Recipient, body: string, options: SendTextOptions = {}): Promise<SentMessage> {
    return this.send(to, "text", { body, preview_url: options.previewUrl ?? false }, options);
  }

  /**
   * Answers a message with a text, in its chat or group.
   *
   * @param message The message.
   * @param body The text, up to 4096 characters.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  reply(message: WhatsAppMessage, body: string, options: SendTextOptions = {}): Promise<SentMessage> {
    return this.sendText(chatOf(message), body, { replyTo: message.id, ...options });
  }

  /**
   * Reacts to a message.
   *
   * @param message The message.
   * @param emoji The emoji; "" takes the reaction back.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  react(message: WhatsAppMessage, emoji: string, options: SendOptions = {}): Promise<SentMessage> {
    return this.send(chatOf(message), "reaction", { message_id: message.id, emoji }, options);
  }

  /**
   * Sends a template, which may begin a conversation.
   *
   * @param to The recipient.
   * @param name Its name.
   * @param options Its language and parameters.
   * @returns The message, once the API has accepted it.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  sendTemplate(to: Recipient, name: string, options: TemplateOptions): Promise<SentMessage> {
    const { language, components } = options;
    return this.send(to, "template", { name, language: { code: language }, components }, options);
  }

  /**
   * Sends buttons, a list, a flow, or another interactive message.
   *
   * @param to The recipient.
   * @param interactive The object of the Cloud API: `{ type: "button", body: { text }, action: { buttons } }`.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  sendInteractive(to: Recipient, interactive: JsonObject, options: SendOptions = {}): Promise<SentMessage> {
    return this.send(to, "interactive", interactive, options);
  }

  /**
   * Sends a message of any type.
   *
   * @param to The recipient.
   * @param type The type, such as `image`.
   * @param contents The contents, as the Cloud API wants them: the value of the key named by `type`.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async send(to: Recipient, type: string, contents: JsonObject, options: SendOptions = {}): Promise<SentMessage> {
    MESSAGE_OPTIONS.assert(options);
    assertSignal(options);
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
      throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API accepted a message, but named no id", 200);
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
   * @param options Options of the call.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async markAsRead(messageId: string, options: ReadOptions = {}): Promise<void> {
    READ_OPTIONS.assert(options);
    assertSignal(options);
    const typing = options.typing ? { type: "text" } : undefined;
    await this.#post({ status: "read", message_id: messageId, typing_indicator: typing }, options.signal);
  }

  // ---- Media ---------------------------------------------------------------------------------------------------

  /**
   * Fetches a file that a customer sent.
   *
   * @param media Its id, or the media of a message.
   * @param options Signal that aborts the call.
   * @returns The file, as soon as its head has come.
   * @throws {WhatsAppApiError} If the API refuses it: Meta keeps media for 7 days.
   */
  async media(media: string | WhatsAppMedia, options: { signal?: AbortSignal | undefined } = {}): Promise<MediaFile> {
    MEDIA_OPTIONS.assert(options);
    assertSignal(options);
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

  /** Allows TLS, and the scheme of the API itself: the access token goes to this URL. */
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

  /** Tries until an answer is final. */
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
  ): Promise<{ result?: Result | undefined; error?: WhatsAppApiError | undefined; retryAfter: string | null }> {
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

/** Removes the URL, which may be signed, from errors of runtimes that quote it. */
function withoutQuery(cause: unknown): unknown {
  if (!(cause instanceof Error) || describe(cause) === cause.message) return cause;
  return Object.assign(new Error(describe(cause), { cause: cause.cause }), { name: cause.name });
}

/** Returns the chat of a message. */
function chatOf({ groupId, sender }: WhatsAppMessage): Recipient {
  return groupId === undefined ? sender.phone ?? sender.userId ?? sender.id : { group: groupId };
}

/** Puts numbers into `to`, and business-scoped user ids into `recipient`. */
function addressOf(to: Recipient): JsonObject {
  if (typeof to !== "string") return { recipient_type: "group", to: to.group };
  if (to === "") throw new OptionError("Cannot send: the recipient is empty");
  const isUserId = to.indexOf(".") > 0;
  return { recipient_type: "individual", ...(isUserId ? { recipient: to } : { to }) };
}

/** Refuses ids that cannot be part of a path. */
function assertId(name: string, id: string): void {
  const usable = typeof id === "string" && id.length > 0 && id.length <= 128;
  if (usable && encodeURIComponent(id) === id && id !== "." && id !== "..") return;
  // A long text may be the access token.
  const shown = String(id).length <= 32 ? quote(String(id)) : `a text of ${String(id).length} characters`;
  throw new OptionError(`The ${name} is ${shown}: not an id`);
}

function firstOf(answer: JsonObject, key: string): JsonObject | undefined {
  const list = answer[key];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  return typeof first === "object" && first !== null ? first as JsonObject : undefined;
}

/** Takes a successful answer; ends the limits when it is complete. Its error ends the call. */
type TakeAnswer<Result> = (response: Response, limits: CallLimits) => Result | Promise<Result>;

/** Limits of one attempt until its answer is complete: a time limit, and the signal of the program. */
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

  /** Starts the timer. */
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

  /** @throws The reason of the program, if it has aborted the call. */
  throwIfAborted(): void {
    this.#outer?.throwIfAborted();
  }

  /**
   * Waits for the work until the attempt is aborted: some readers of bodies ignore the signal.
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
      this.throwIfAborted();
      // The API may have got the request: another attempt might send a message twice.
      const why = fetchFailureText(signal.aborted ? signal.reason : cause);
      throw new WhatsAppApiError("ERR_API_UNREACHABLE", `Cannot reach ${this.#origin}: ${why}`, 0, {
        cause: withoutQuery(cause),
      });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

/** Reads the text of a body, and cancels a body that does not come in time. */
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
      // The body has failed already.
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

/**
 * Takes the bytes of a file, with a time limit for each piece: a large file may take long, and a slow reader is no
 * fault of the API.
 */
function takeFile(
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

/** Makes the error of a failed answer, without its body if that does not come in time: the status is enough. */
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
    limits.throwIfAborted();
    return undefined;
  }
}

function readGraphError(body: unknown): GraphError | undefined {
  const error = (body as { error?: JsonObject | undefined } | undefined | null)?.error;
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

/** Hands bytes on, and fails at their end if the digest does not match. */
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
        // Notifications have it in base64; the API has shown both forms.
        if (digest.toString("hex") === sha256.toLowerCase() || digest.toString("base64") === sha256) return;
        throw new WhatsAppApiError("ERR_MEDIA_DIGEST", `The media "${id}" do not match their digest`, 200);
      },
    }),
  );
}
