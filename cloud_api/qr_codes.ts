/**
 * QR codes and short links that open a chat with the number, with a message filled in.
 *
 * Facts: Meta's page "QR Codes and Short Links" (May 2026) and its reference "QR code management API".
 *
 * @module
 */

import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { assertSuccess } from "./answers.ts";
import { assertLength, assertPageSize } from "./argument_checks.ts";
import { choiceOf } from "./contents_checks.ts";
import { type GraphClient, pathOf } from "./graph.ts";
import { type JsonObject, objects, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";

/** A QR code with its short link. */
export interface QrCode {
  /** The code: the end of the short link. */
  code: string;
  /** The message that is filled in; the customer may change it before sending. */
  message?: string | undefined;
  /** The short link. */
  url?: string | undefined;
  /** URL of the picture, if one was asked for. Meta signs it for some time. */
  imageUrl?: string | undefined;
  /** The code as Meta sent it. */
  raw: JsonObject;
}

/** Form of the picture of a QR code. */
export type QrCodeImage = "png" | "svg";

/** Options of one QR code. */
export interface QrCodeOptions {
  /**
   * Form of the picture, whose URL the answer has then.
   * @default {undefined}
   */
  image?: QrCodeImage | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Options of reading the QR codes. */
export interface QrCodeListOptions {
  /**
   * Form of the pictures, whose URLs the answers have then.
   * @default {undefined}
   */
  image?: QrCodeImage | undefined;
  /**
   * Number of codes in one answer.
   * @default {undefined}
   */
  pageSize?: number | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Greatest length of the message, in characters. */
const MAX_MESSAGE = 140;

const ONE_NAMES: OptionTable<QrCodeOptions> = { image: true, signal: true };
const ONE_OPTIONS = /* @__PURE__ */ new OptionNames("A QR code", {
  tables: [ONE_NAMES],
  hints: { format: 'use "image"', generate_qr_image: 'use "image"' },
  example: () => '{ image: "svg" }',
});
const LIST_NAMES: OptionTable<QrCodeListOptions> = { image: true, pageSize: true, signal: true };
const LIST_OPTIONS = /* @__PURE__ */ new OptionNames("qrCodes.list", {
  tables: [LIST_NAMES],
  hints: { limit: 'use "pageSize"' },
  example: () => '{ image: "svg" }',
});

/**
 * The QR codes of the number of a {@linkcode WhatsAppApi}: its `qrCodes`. A number can have 2000.
 *
 * @example A code for a poster
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function poster(api: WhatsAppApi) {
 *   const { code, imageUrl } = await api.qrCodes.create("Tell me about the workshop", { image: "svg" });
 *   await api.qrCodes.update(code, "Tell me about the next workshop");
 *   return imageUrl;
 * }
 * ```
 */
export class WhatsAppQrCodes {
  readonly #graph: GraphClient;

  /**
   * Begins without a call. Programs use the one of {@linkcode WhatsAppApi}.
   *
   * @param graph The calls.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * Makes a code.
   *
   * @param message The message that is filled in: 1 to 140 characters.
   * @param options Form of the picture, signal.
   * @returns The code.
   * @throws {OptionError} If the message is too long, or an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async create(message: string, options: QrCodeOptions = {}): Promise<QrCode> {
    ONE_OPTIONS.assert(options);
    const { image, signal } = options;
    assertMessage(message);
    const json = { prefilled_message: message, generate_qr_image: formatOf(image) };
    return readCreated(await this.#graph.post(this.#path, { json, signal }));
  }

  /**
   * Reads the codes page by page, as they are iterated, the newest first.
   *
   * @param options Form of the pictures, size of a page, signal.
   * @returns The codes.
   * @throws {OptionError} If an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  list(options: QrCodeListOptions = {}): AsyncIterable<QrCode> {
    LIST_OPTIONS.assert(options);
    const { image, pageSize, signal } = options;
    assertPageSize(pageSize);
    return this.#list({ query: { fields: fieldsWith(image), limit: pageSize }, signal });
  }

  async *#list(call: Parameters<GraphClient["pages"]>[1]): AsyncGenerator<QrCode, void, void> {
    for await (const raw of this.#graph.pages(this.#path, call)) yield readCode(raw);
  }

  /**
   * Reads a code.
   *
   * @param code The code.
   * @param options Form of the picture, signal.
   * @returns The code; `undefined` if the number has no such one.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async get(code: string, options: QrCodeOptions = {}): Promise<QrCode | undefined> {
    ONE_OPTIONS.assert(options);
    const { image, signal } = options;
    const answer = await this.#graph.get(this.#pathOf(code), { query: { fields: fieldsWith(image) }, signal });
    const raw = objects(answer, "data")[0];
    return raw === undefined ? undefined : readCode(raw);
  }

  /**
   * Changes the message of a code; code and link stay.
   *
   * @param code The code.
   * @param message The message: 1 to 140 characters.
   * @param options A signal.
   * @returns The code.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async update(code: string, message: string, options: CallOptions = {}): Promise<QrCode> {
    CALL_OPTIONS.assert(options);
    pathOf("code", code);
    assertMessage(message);
    const json = { code, prefilled_message: message };
    return readCreated(await this.#graph.post(this.#path, { json, signal: options.signal }));
  }

  /**
   * Deletes a code. Its picture and its link lead nowhere from then on.
   *
   * @param code The code.
   * @param options A signal.
   * @throws {OptionError} If it cannot be a code.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async delete(code: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertSuccess(await this.#graph.delete(this.#pathOf(code), { signal: options.signal }), "delete the QR code");
  }

  get #path(): string {
    return `${this.#graph.phoneNumberId}/message_qrdls`;
  }

  #pathOf(code: string): string {
    return `${this.#path}/${pathOf("code", code)}`;
  }
}

function assertMessage(message: unknown): void {
  assertLength("message", message, { min: 1, max: MAX_MESSAGE });
}

function formatOf(image: QrCodeImage | undefined): string | undefined {
  return choiceOf("image", image, ["png", "svg"])?.toUpperCase();
}

/** The field of the picture names its form; without it the answer has the others. */
function fieldsWith(image: QrCodeImage | undefined): string | undefined {
  const format = formatOf(image);
  return format === undefined ? undefined : `code,prefilled_message,deep_link_url,qr_image_url.format(${format})`;
}

function readCreated(answer: JsonObject): QrCode {
  const code = readCode(answer);
  if (code.code !== "") return code;
  throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API accepted a QR code, but named no code", 200);
}

function readCode(raw: JsonObject): QrCode {
  return withoutUndefined({
    code: text(raw, "code") ?? "",
    message: text(raw, "prefilled_message"),
    url: text(raw, "deep_link_url"),
    imageUrl: text(raw, "qr_image_url"),
    raw,
  });
}
