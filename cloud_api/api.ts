/**
 * A client of the Cloud API (Graph API) on `fetch`: sends messages, and fetches media.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { readApiOptions, type WhatsAppApiOptions } from "./api_settings.ts";
import type {
  DownloadOptions,
  MediaFile,
  MediaInfo,
  ReadOptions,
  Recipient,
  SendOptions,
  SendTextOptions,
  SentMessage,
  TemplateOptions,
  UploadHandleOptions,
  UploadOptions,
  UploadSource,
} from "./calls.ts";
import { GraphClient } from "./graph.ts";
import { type JsonObject, withoutUndefined } from "./json.ts";
import { MediaCalls } from "./media.ts";
import type { WhatsAppMedia, WhatsAppMessage } from "./messages.ts";
import { SendQueue, type SendQueueState } from "./send_queue.ts";

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
  /** Calls that this class has no method for, with the same access token, time limit, retries and errors. */
  readonly graph: GraphClient;
  readonly #queue: SendQueue;
  readonly #media: MediaCalls;

  /**
   * Makes a client.
   *
   * @param options The options.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: WhatsAppApiOptions) {
    const settings = readApiOptions(options);
    this.#queue = new SendQueue(settings);
    this.graph = new GraphClient(settings, this.#queue);
    this.#media = new MediaCalls(this.graph);
  }

  /** Messages that wait for `pairLimit` or `messagesPerSecond`, and those that are being sent. */
  get queue(): SendQueueState {
    return this.#queue.state;
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
    const address = addressOf(to);
    const answer = await this.graph.sendMessage(String(address.to ?? address.recipient), {
      ...address,
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
    const json = { messaging_product: "whatsapp", status: "read", message_id: messageId, typing_indicator: typing };
    await this.graph.post(`${this.graph.phoneNumberId}/messages`, { json, signal: options.signal });
  }

  // ---- Media ---------------------------------------------------------------------------------------------------

  /**
   * Fetches a file: of a customer, for 7 days, or one of your own, for 30. If its URL has expired meanwhile (404), the
   * API is asked for another one.
   *
   * @param media Its id, or the media of a message.
   * @param options Largest size, and signal that aborts the call.
   * @returns The file, as soon as its head has come.
   * @throws {OptionError} If the id or an option cannot be used.
   * @throws {WhatsAppApiError} If the API refuses it, leads to a server that is not Meta's, or the file is too large.
   *
   * @example The image of a message into a file
   * ```ts
   * import { writeFile } from "node:fs/promises";
   * import type { WhatsAppApi, WhatsAppMedia } from "@tackline/websocket/whatsapp";
   *
   * export async function save(api: WhatsAppApi, media: WhatsAppMedia, path: string) {
   *   const { stream } = await api.media(media, { maxSize: 20_000_000 });
   *   await writeFile(path, stream);
   * }
   * ```
   */
  media(media: string | WhatsAppMedia, options: DownloadOptions = {}): Promise<MediaFile> {
    return this.#media.download(media, options);
  }

  /**
   * Asks for the description of a file: type, size, digest, and a URL that is valid for 5 minutes.
   *
   * @param id Its id.
   * @param options Signal that aborts the call.
   * @returns The description.
   * @throws {OptionError} If the id cannot be used.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  mediaInfo(id: string, options: { signal?: AbortSignal | undefined } = {}): Promise<MediaInfo> {
    return this.#media.info(id, options);
  }

  /**
   * Uploads a file for messages. Meta keeps it for 30 days. Its type and size are checked before anything is sent; a
   * file of more than 256 KiB is sent piece by piece, and `requestTimeout` is for each piece.
   *
   * @param file The file. A `Blob` or bytes are sent again where a call would be; a stream cannot be, and is cancelled
   * if the upload fails.
   * @param options Its type, name, and size.
   * @returns Its id, for messages.
   * @throws {OptionError} If its type or size is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   *
   * @example A file of the disk
   * ```ts
   * import { openAsBlob } from "node:fs";
   * import type { WhatsAppApi } from "@tackline/websocket/whatsapp";
   *
   * export async function sendInvoice(api: WhatsAppApi, to: string) {
   *   const file = await openAsBlob("invoice.pdf");
   *   const { id } = await api.uploadMedia(file, { filename: "invoice.pdf" });
   *   await api.send(to, "document", { id, filename: "invoice.pdf" });
   * }
   * ```
   */
  uploadMedia(file: UploadSource, options: UploadOptions = {}): Promise<{ id: string }> {
    return this.#media.upload(file, options);
  }

  /**
   * Deletes a file that was uploaded, or that a customer sent.
   *
   * @param id Its id.
   * @param options Signal that aborts the call.
   * @throws {OptionError} If the id cannot be used.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  deleteMedia(id: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#media.delete(id, options);
  }

  /**
   * Uploads a file for the header of a template, or the picture of the business profile: they take a handle, not the id
   * of a file. The token must belong to a user of the app with the role administrator or developer.
   *
   * @param file The file: PDF, JPEG, PNG, or MP4; a stream needs `size`.
   * @param options The id of the app, and type, name and size of the file.
   * @returns Its handle.
   * @throws {OptionError} If its type or size is not allowed, or the size is unknown.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  uploadHandle(file: UploadSource, options: UploadHandleOptions): Promise<{ handle: string }> {
    return this.#media.uploadHandle(file, options);
  }
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

function firstOf(answer: JsonObject, key: string): JsonObject | undefined {
  const list = answer[key];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  return typeof first === "object" && first !== null ? first as JsonObject : undefined;
}
