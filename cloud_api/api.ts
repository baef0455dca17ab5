/**
 * A client of the Cloud API (Graph API) on `fetch`: sends messages, and fetches media.
 *
 * @module
 */

import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertSuccess } from "./answers.ts";
import { readApiOptions, type WhatsAppApiOptions } from "./api_settings.ts";
import type {
  DownloadOptions,
  MediaFile,
  MediaInfo,
  ReadOptions,
  UploadHandleOptions,
  UploadOptions,
  UploadSource,
} from "./calls.ts";
import { WhatsAppBlockedUsers } from "./blocked_users.ts";
import { WhatsAppBusinessProfile } from "./business_profile.ts";
import { WhatsAppConversations } from "./conversation.ts";
import { WhatsAppConversationalComponents } from "./conversational_components.ts";
import { WhatsAppCalls } from "./calling.ts";
import { WhatsAppFlows } from "./flows.ts";
import { createGraphClient, type GraphClient } from "./graph.ts";
import { MediaCalls } from "./media.ts";
import type { WhatsAppMedia, WhatsAppMessage } from "./messages.ts";
import { messageIdOf } from "./outgoing.ts";
import { WhatsAppPhoneNumber } from "./phone_number.ts";
import { WhatsAppQrCodes } from "./qr_codes.ts";
import { SendQueue, type SendQueueState } from "./send_queue.ts";
import { WhatsAppSenders } from "./senders.ts";
import {
  type CallOptions,
  subscribeApp,
  type SubscribedApp,
  subscribedApps,
  type SubscribeOptions,
  subscribeWebhook,
  unsubscribeApp,
  type WebhookOptions,
  type WebhookSubscription,
  webhookSubscriptions,
} from "./subscriptions.ts";
import { WhatsAppTemplates } from "./templates.ts";
import { WhatsAppUsername } from "./username.ts";

const READ_NAMES: OptionTable<ReadOptions> = { typing: true, signal: true };
const READ_OPTIONS = /* @__PURE__ */ new OptionNames("markAsRead", {
  tables: [READ_NAMES],
  example: () => "{ typing: true }",
});

/**
 * Sends messages of a business, and fetches files.
 *
 * Also from {@linkcode WhatsAppSenders}: `send`, `reply`, `sendText`, `react`, `unreact`, `sendReaction`, `sendImage`,
 * `sendVideo`, `sendAudio`, `sendDocument`, `sendSticker`, `sendLocation`, `sendContacts`, `sendButtons`, `sendList`,
 * `sendUrlButton`, `sendFlow`, `sendProduct`, `sendProducts`, `sendCatalog`, `sendCarousel`, `sendAddressRequest`,
 * `sendLocationRequest`, `sendContactRequest`, `sendCallButton`, `sendCallPermissionRequest`, `sendTemplate`,
 * `sendInteractive`.
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
export class WhatsAppApi extends WhatsAppSenders {
  /** Calls that this class has no method for, with the same access token, time limit, retries and errors. */
  override readonly graph: GraphClient;
  /** The business phone number: facts, callback, registration, settings. */
  readonly phoneNumber: WhatsAppPhoneNumber;
  /** The business profile of the number. */
  readonly businessProfile: WhatsAppBusinessProfile;
  /** The username of the number. */
  readonly username: WhatsAppUsername;
  /** Ice breakers and commands of the number. */
  readonly conversationalComponents: WhatsAppConversationalComponents;
  /** The block list of the number. */
  readonly blockedUsers: WhatsAppBlockedUsers;
  /** QR codes and short links that open a chat with the number. */
  readonly qrCodes: WhatsAppQrCodes;
  /** Ownership of conversations, and the history of deliveries. */
  readonly conversation: WhatsAppConversations;
  /** Message templates of the account. */
  readonly templates: WhatsAppTemplates;
  /** Flows of the account, and the public key for their endpoint. */
  readonly flows: WhatsAppFlows;
  /** Calls with users: permission and signalling. */
  readonly calls: WhatsAppCalls;
  readonly #queue: SendQueue;
  readonly #media: MediaCalls;

  /**
   * Makes a client.
   *
   * @param options The options.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: WhatsAppApiOptions) {
    super();
    const settings = readApiOptions(options);
    this.#queue = new SendQueue(settings);
    this.graph = createGraphClient(settings, this.#queue);
    this.#media = new MediaCalls(this.graph);
    this.phoneNumber = new WhatsAppPhoneNumber(this.graph);
    this.businessProfile = new WhatsAppBusinessProfile(this.graph);
    this.username = new WhatsAppUsername(this.graph);
    this.conversationalComponents = new WhatsAppConversationalComponents(this.graph);
    this.blockedUsers = new WhatsAppBlockedUsers(this.graph);
    this.qrCodes = new WhatsAppQrCodes(this.graph);
    this.conversation = new WhatsAppConversations(this.graph);
    this.templates = new WhatsAppTemplates(this.graph);
    this.flows = new WhatsAppFlows(this.graph);
    this.calls = new WhatsAppCalls(this.graph);
  }

  /** Messages that wait for `pairLimit` or `messagesPerSecond`, and those that are being sent. */
  get queue(): SendQueueState {
    return this.#queue.state;
  }

  // ---- Messages ------------------------------------------------------------------------------------------------

  /**
   * Marks a message as read, and all before it.
   *
   * @param message The message, or its id.
   * @param options Options of the call.
   * @throws {OptionError} If it is neither, or an option is unknown.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async markAsRead(message: string | WhatsAppMessage, options: ReadOptions = {}): Promise<void> {
    READ_OPTIONS.assert(options);
    assertSignal(options);
    const message_id = messageIdOf("message", message);
    const typing_indicator = options.typing ? { type: "text" } : undefined;
    const json = { messaging_product: "whatsapp", status: "read", message_id, typing_indicator };
    const answer = await this.graph.post(`${this.graph.phoneNumberId}/messages`, { json, signal: options.signal });
    assertSuccess(answer, "mark the message as read");
  }

  // ---- Subscriptions -------------------------------------------------------------------------------------------

  /**
   * Subscribes the app of the access token to the webhooks of the account. Without a subscription none come.
   *
   * @param options A callback for this account; without one an earlier one is removed.
   * @throws {OptionError} If an option is not allowed, or `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async subscribeApp(options: SubscribeOptions = {}): Promise<void> {
    await subscribeApp(this.graph, options);
  }

  /**
   * Reads the apps that get the webhooks of the account.
   *
   * @param options Signal that aborts the call.
   * @returns The apps.
   * @throws {OptionError} If `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async subscribedApps(options: CallOptions = {}): Promise<SubscribedApp[]> {
    return await subscribedApps(this.graph, options);
  }

  /**
   * Ends the subscription of the app of the access token: no webhooks of the account come any more.
   *
   * @param options Signal that aborts the call.
   * @throws {OptionError} If `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async unsubscribeApp(options: CallOptions = {}): Promise<void> {
    await unsubscribeApp(this.graph, options);
  }

  /**
   * Sets the webhook of an app: the URL to which Meta posts if neither account nor number has one of its own, and the
   * webhook fields. It wants the access token of the app, `APP-ID|APP-SECRET`.
   *
   * @param appId The id of the app.
   * @param options URL, token, fields.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it, as it does if the server does not answer the challenge.
   */
  async subscribeWebhook(appId: string, options: WebhookOptions): Promise<void> {
    await subscribeWebhook(this.graph, appId, options);
  }

  /**
   * Reads the webhooks of an app. It wants the access token of the app, `APP-ID|APP-SECRET`.
   *
   * @param appId The id of the app.
   * @param options Signal that aborts the call.
   * @returns A webhook for each kind of object, such as `whatsapp_business_account`.
   * @throws {OptionError} If it cannot be an id.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async webhookSubscriptions(appId: string, options: CallOptions = {}): Promise<WebhookSubscription[]> {
    return await webhookSubscriptions(this.graph, appId, options);
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
   * @param file The file. A `Blob` or bytes are sent again where a call would be; a stream cannot be. It is left alone
   * if a check refuses it, and cancelled if the upload fails.
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
   *   await api.sendDocument(to, { id, filename: "invoice.pdf" });
   * }
   * ```
   */
  override uploadMedia(file: UploadSource, options: UploadOptions = {}): Promise<{ id: string }> {
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
