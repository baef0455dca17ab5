/**
 * Calls of the Graph API on `fetch`: address, access token, time limit, retries, pages.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { assertSignal, OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { assertAnswer, assertToken } from "../base/secrets.ts";
import { assertId, type WhatsAppApiSettings } from "./api_settings.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { CallLimits, readJson, type TakeAnswer } from "./call_limits.ts";
import { makeError } from "./graph_error.ts";
import { isObject, type JsonObject, list, object, text } from "./json.ts";
import type { OpenUpload, Upload } from "./media_upload.ts";
import { isTransient, PAIR_LIMIT_CODE, pauseBefore } from "./retry.ts";
import { PAIR_INTERVAL, type SendQueue } from "./send_queue.ts";

/** Parts of a call. */
export interface GraphCall {
  /** Parameters of the query; those that are `undefined` are left out. */
  query?: Readonly<Record<string, string | number | undefined>> | undefined;
  /** A body as JSON. */
  json?: JsonObject | undefined;
  /** A body of another form. */
  body?: FormData | Blob | Uint8Array<ArrayBuffer> | URLSearchParams | undefined;
  /** Header fields. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

const CALL_NAMES: OptionTable<GraphCall> = { query: true, json: true, body: true, headers: true, signal: true };
const CALL_OPTIONS = /* @__PURE__ */ new OptionNames("A call of api.graph", {
  tables: [CALL_NAMES],
  hints: { fields: "use query: { fields }", limit: "use query: { limit }", data: 'use "json"', params: 'use "query"' },
  example: () => '{ query: { fields: "name" } }',
});

/** A call of {@linkcode fetchGraph}, which can do more than those of programs. */
export interface FetchCall extends GraphCall {
  /** A body that is sent piece by piece. */
  upload?: Upload | undefined;
  /** A redirect is taken like a successful answer: none is followed, since the access token must not go astray. */
  takesRedirects?: boolean | undefined;
  /**
   * Scheme of the access token; `"none"`: it is not sent.
   * @default {"Bearer"}
   */
  scheme?: "Bearer" | "OAuth" | "none" | undefined;
}

/** Most pages in a row that may be empty: Meta leaves out what the access token may not see. */
const MAX_EMPTY = 100;
const TOO_EMPTY = `The Graph API answered with ${MAX_EMPTY} empty pages in a row`;

/** The methods of the Graph API. */
export type GraphMethod = "GET" | "POST" | "DELETE";

// Functions that only this room calls; they are no members, since programs have nothing to do with them.

/** Makes a client, with the queue of messages that wait for a limit. */
export let createGraphClient: (settings: WhatsAppApiSettings, queue: SendQueue) => GraphClient;

/** Makes a URL of the API: the path is that behind the version. */
export let graphUrl: (graph: GraphClient, path: string, query?: GraphCall["query"]) => URL;

/**
 * Calls a URL, and tries again until an answer is final: `take` takes a successful one, `onRetry` is told about each
 * pause, in ms. Fails with a {@linkcode WhatsAppApiError} if the last attempt fails.
 */
export let fetchGraph: <Result>(
  graph: GraphClient,
  method: GraphMethod,
  url: URL,
  call: FetchCall,
  take: TakeAnswer<Result>,
) => Promise<Result>;

/**
 * Sends a message to a recipient, by its key, when the limits of sending allow it. Fails with a
 * {@linkcode WhatsAppApiError} if the API refuses it, or too many messages wait.
 */
export let sendGraphMessage: (
  graph: GraphClient,
  recipient: string,
  json: JsonObject,
  signal: AbortSignal | undefined,
) => Promise<JsonObject>;

/**
 * Calls of the Graph API, for what {@linkcode WhatsAppApi} has no method: with its access token, time limit, retries
 * and errors.
 *
 * @example The name of an account
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function nameOf(api: WhatsAppApi, accountId: string) {
 *   const { name } = await api.graph.get(accountId, { query: { fields: "name" } });
 *   return name;
 * }
 * ```
 */
export class GraphClient {
  readonly #settings: WhatsAppApiSettings;
  readonly #queue: SendQueue;

  static {
    createGraphClient = (settings, queue) => new GraphClient(settings, queue);
    graphUrl = (graph, path, query) => graph.#url(path, query);
    fetchGraph = (graph, method, url, call, take) => graph.#fetch(method, url, call, take);
    sendGraphMessage = (graph, recipient, json, signal) => graph.#sendMessage(recipient, json, signal);
  }

  /** @ignore */
  private constructor(settings: WhatsAppApiSettings, queue: SendQueue) {
    this.#settings = settings;
    this.#queue = queue;
  }

  /** The id of the business phone number. */
  get phoneNumberId(): string {
    return this.#settings.phoneNumberId;
  }

  /**
   * The id of the WhatsApp Business account.
   *
   * @throws {OptionError} If the option is missing.
   */
  get accountId(): string {
    const { accountId } = this.#settings;
    if (accountId !== undefined) return accountId;
    throw new OptionError('The option "accountId" is missing: give it the id of the WhatsApp Business account');
  }

  /** The URL of the API, without a slash at its end. */
  get baseUrl(): string {
    const { baseUrl } = this.#settings;
    return baseUrl.endsWith("/") ? baseUrl.slice(0, -1) : baseUrl;
  }

  /**
   * Reads.
   *
   * @param path The path behind the version, such as `106540352242922/whatsapp_business_profile`.
   * @param call Query, header fields, signal.
   * @returns The answer.
   * @throws {OptionError} If the path is a URL, or an option of the call is unknown.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  get(path: string, call: GraphCall = {}): Promise<JsonObject> {
    return this.request("GET", path, call);
  }

  /**
   * Creates or changes.
   *
   * @param path The path behind the version.
   * @param call Body, query, header fields, signal.
   * @returns The answer.
   * @throws {OptionError} If the path is a URL, or an option of the call is unknown.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  post(path: string, call: GraphCall = {}): Promise<JsonObject> {
    return this.request("POST", path, call);
  }

  /**
   * Deletes.
   *
   * @param path The path behind the version.
   * @param call Query, body, header fields, signal.
   * @returns The answer.
   * @throws {OptionError} If the path is a URL, or an option of the call is unknown.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  delete(path: string, call: GraphCall = {}): Promise<JsonObject> {
    return this.request("DELETE", path, call);
  }

  /**
   * Calls with any method.
   *
   * @param method The method.
   * @param path The path behind the version.
   * @param call Query, body, header fields, signal.
   * @returns The answer.
   * @throws {OptionError} If the path is a URL, or an option of the call is unknown.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async request(method: GraphMethod, path: string, call: GraphCall = {}): Promise<JsonObject> {
    CALL_OPTIONS.assert(call);
    assertPath(path);
    return await this.#fetch(method, this.#url(path, call.query), call, readJson);
  }

  /**
   * Reads a list page by page, as it is iterated.
   *
   * @param path The path behind the version.
   * @param call Query (`limit` is the size of a page), header fields, signal.
   * @returns The objects of `data` of all pages.
   * @throws {OptionError} If the path is a URL, or an option of the call is unknown.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  async *pages(path: string, call: GraphCall = {}): AsyncGenerator<JsonObject, void, void> {
    const places = new Set<string>();
    let empty = 0;
    let query = call.query;
    for (;;) {
      const page = await this.get(path, { ...call, query });
      const items = list(page, "data").filter(isObject);
      yield* items;
      const after = placeBehind(page);
      // A place that was read before would never end.
      if (after === undefined || places.has(after)) return;
      places.add(after);
      query = { ...call.query, after };
      empty = items.length === 0 ? empty + 1 : 0;
      // A program that gets no item cannot leave the loop.
      if (empty === MAX_EMPTY) throw new WhatsAppApiError("ERR_API_ANSWER", TOO_EMPTY, 200);
    }
  }

  async #sendMessage(recipient: string, json: JsonObject, signal: AbortSignal | undefined): Promise<JsonObject> {
    const path = `${this.phoneNumberId}/messages`;
    const call = { json: { messaging_product: "whatsapp", ...json }, signal };
    const place = await this.#queue.enter(recipient, signal);
    try {
      return await this.#fetch("POST", this.#url(path), call, readJson, (error, pause) => {
        if (error.graph?.code === PAIR_LIMIT_CODE) place.block(pause);
      });
    } catch (error) {
      // The last attempt has no pause behind it, and still says that messages to this recipient are too many.
      if (error instanceof WhatsAppApiError && error.graph?.code === PAIR_LIMIT_CODE) place.block(PAIR_INTERVAL);
      throw error;
    } finally {
      place.leave();
    }
  }

  #url(path: string, query: GraphCall["query"] = {}): URL {
    const url = new URL(`${this.baseUrl}/${this.#settings.version}/${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  async #fetch<Result>(
    method: GraphMethod,
    url: URL,
    call: FetchCall,
    take: TakeAnswer<Result>,
    onRetry: (error: WhatsAppApiError, pause: number) => void = () => {},
  ): Promise<Result> {
    assertSignal(call);
    const { maxRetries, retryDelay } = this.#settings;
    for (let attempt = 0;; attempt++) {
      const { result, error, retryAfter } = await this.#attempt(method, url, call, take);
      if (error === undefined) return result!;
      if (attempt >= maxRetries || !isTransient(error)) throw error;
      if (call.upload?.canRepeat === false) throw withHint(error, "a stream cannot be sent again: upload a Blob");
      const pause = pauseBefore({ attempt, error, retryAfter }, retryDelay);
      onRetry(error, pause);
      await this.#pause(pause, call.signal);
    }
  }

  async #attempt<Result>(
    method: GraphMethod,
    url: URL,
    call: FetchCall,
    take: TakeAnswer<Result>,
  ): Promise<{ result?: Result | undefined; error?: WhatsAppApiError | undefined; retryAfter: string | null }> {
    const { clock, requestTimeout } = this.#settings;
    const limits = new CallLimits(url.origin, requestTimeout, clock, call.signal);
    let upload: OpenUpload | undefined;
    try {
      const token = await this.#token(call, limits);
      const headers = this.#headers(call, token);
      upload = call.upload?.open(limits);
      const init: RequestInit & { duplex?: "half" } = { method, headers, signal: limits.signal, redirect: "manual" };
      const content = upload?.stream ?? (call.json === undefined ? call.body : JSON.stringify(call.json));
      if (content !== undefined) init.body = content;
      if (upload !== undefined) init.duplex = "half";
      const response = await limits.run(this.#settings.fetch(url, init), dropAnswer);
      const retryAfter = response.headers.get("retry-after");
      if (response.ok || (call.takesRedirects && isRedirect(response))) {
        return { result: await take(response, limits), retryAfter };
      }
      const error = await makeError(response, url, limits, token);
      limits.end();
      return { error, retryAfter };
    } catch (error) {
      limits.end();
      upload?.throwIfFailed();
      throw error;
    } finally {
      upload?.end();
    }
  }

  #headers({ json, headers, scheme = "Bearer", upload }: FetchCall, token: string | undefined): Record<string, string> {
    const all: Record<string, string> = { "user-agent": this.#settings.userAgent, ...headers };
    if (json !== undefined) all["content-type"] = "application/json";
    // Deno leaves this field out, and sends chunks.
    if (upload?.length !== undefined) all["content-length"] = String(upload.length);
    if (token !== undefined) all.authorization = `${scheme} ${token}`;
    return all;
  }

  /** Asks for the access token; `undefined` if the call shows none. */
  async #token({ scheme }: FetchCall, limits: CallLimits): Promise<string | undefined> {
    const { accessToken } = this.#settings;
    if (scheme === "none") return undefined;
    if (typeof accessToken === "string") return accessToken;
    const token = await limits.ask("accessToken", accessToken);
    assertAnswer("accessToken", token);
    assertToken("accessToken", token);
    // The call has its time for itself.
    limits.startTimer();
    return token;
  }

  #pause(delay: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        cancel();
        reject(signal!.reason);
      };
      const cancel = this.#settings.clock.after(delay, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Returns the place of the next page; the last page has no URL of a next one. */
function placeBehind(page: JsonObject): string | undefined {
  const paging = object(page, "paging") ?? {};
  return text(paging, "next") === undefined ? undefined : text(object(paging, "cursors") ?? {}, "after");
}

/**
 * Tells redirects from other answers.
 *
 * @param response The answer.
 * @returns `true` if it names another place.
 */
export function isRedirect({ status, headers }: Response): boolean {
  return [301, 302, 303, 307, 308].includes(status) && headers.has("location");
}

/** Lets go of an answer that came too late, to a `fetch` that ignores its signal. */
function dropAnswer(response: Response): void {
  response.body?.cancel().catch(() => {
    // It has failed already.
  });
}

function withHint(error: WhatsAppApiError, hint: string): WhatsAppApiError {
  const { code, message, status, graph } = error;
  return new WhatsAppApiError(code, `${message}; ${hint}`, status, { graph, cause: error });
}

/** A path with a slash before it, or a URL, would lead elsewhere. */
function assertPath(path: string): void {
  const example = 'the path behind the version, such as "106540352242922/whatsapp_business_profile"';
  if (typeof path !== "string" || path === "") {
    throw new OptionError(`The path is ${path === "" ? "empty" : showValue(path)} instead of ${example}`);
  }
  if (!path.startsWith("/") && !path.includes("://")) return;
  throw new OptionError(`The path is ${quote(redactUrl(path))} instead of ${example}`);
}

/**
 * Makes the path of an object of the Graph API.
 *
 * @param name The name of the id, for errors.
 * @param id The id.
 * @param edge The path behind it.
 * @returns The path.
 * @throws {OptionError} If the id cannot be part of a path.
 */
export function pathOf(name: string, id: string, edge?: string): string {
  assertId(name, id);
  return edge === undefined ? id : `${id}/${edge}`;
}
