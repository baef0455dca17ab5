/**
 * A client of the Cloud API (Graph API) on `fetch`: sends messages, and fetches media.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { OptionError } from "../base/errors.ts";
import { assertSignal, OptionNames, type OptionTable } from "../base/option_names.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { readApiOptions, type WhatsAppApiOptions } from "./api_settings.ts";
import { takeFile } from "./call_limits.ts";
import type {
  MediaFile,
  ReadOptions,
  Recipient,
  SendOptions,
  SendTextOptions,
  SentMessage,
  TemplateOptions,
} from "./calls.ts";
import { WhatsAppBlockedUsers } from "./blocked_users.ts";
import { WhatsAppBusinessProfile } from "./business_profile.ts";
import { WhatsAppConversations } from "./conversation.ts";
import { WhatsAppConversationalComponents } from "./conversational_components.ts";
import { WhatsAppCalls } from "./calling.ts";
import { WhatsAppFlows } from "./flows.ts";
import { GraphClient, pathOf } from "./graph.ts";
import { type JsonObject, withoutUndefined } from "./json.ts";
import type { WhatsAppMedia, WhatsAppMessage } from "./messages.ts";
import { WhatsAppPhoneNumber } from "./phone_number.ts";
import { WhatsAppQrCodes } from "./qr_codes.ts";
import { SendQueue, type SendQueueState } from "./send_queue.ts";
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
    const { signal } = options;
    const query = { phone_number_id: this.graph.phoneNumberId };
    const info = await this.graph.get(pathOf("media", id), { query, signal });
    const { url, mime_type, sha256, file_size } = info;
    if (typeof url !== "string" || !this.#isSafe(url)) {
      throw new WhatsAppApiError("ERR_API_ANSWER", `The Graph API gave no usable URL for the media "${id}"`, 200);
    }
    const file = await this.graph.fetch("GET", new URL(url), { signal }, takeFile);
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
    return URL.canParse(url) && [new URL(this.graph.baseUrl).protocol, "https:"].includes(new URL(url).protocol);
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
