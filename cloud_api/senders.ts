/**
 * Sending of messages: a method for each kind.
 *
 * @module
 */

import type {
  SendOptions,
  SendTextOptions,
  SentMessage,
  TemplateOptions,
  UploadOptions,
  UploadSource,
} from "./calls.ts";
import * as basic from "./contents.ts";
import { textOf } from "./contents_checks.ts";
import * as interactive from "./contents_interactive.ts";
import * as products from "./contents_products.ts";
import type { GraphClient } from "./graph.ts";
import type { JsonObject } from "./json.ts";
import { draftOf, type MessageContents, rawDraft } from "./message_contents.ts";
import type { WhatsAppMessage } from "./messages.ts";
import { messageIdOf, sendDraft, TEMPLATE_OPTIONS, TEXT_OPTIONS } from "./outgoing.ts";
import type { Recipient } from "./recipient.ts";
import { templateDraft } from "./template_components.ts";

/**
 * Methods of {@linkcode WhatsAppApi} that send messages. Each checks recipient, contents and options before it sends
 * anything, and uploads files that are given as such, one after the other. If one of them fails, nothing is sent; those
 * before it stay at Meta for 30 days.
 *
 * @example Buttons, and an image
 * ```ts
 * import type { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function offer(api: WhatsAppApi, image: Blob) {
 *   await api.sendImage("+49 170 0000001", { file: image, caption: "The last one" });
 *   const buttons = [{ id: "yes", title: "Keep it" }, { id: "no", title: "No, thanks" }];
 *   await api.sendButtons("+49 170 0000001", { body: "Shall we keep it for you?", buttons });
 * }
 * ```
 */
export abstract class WhatsAppSenders {
  /** Calls that this class has no method for, with the same access token, time limit, retries and errors. */
  abstract readonly graph: GraphClient;

  /**
   * Uploads a file.
   *
   * @param file The file.
   * @param options Its kind, type, size and name, and a signal.
   * @returns Its media id.
   * @throws {OptionError} If its type or size is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  abstract uploadMedia(file: UploadSource, options: UploadOptions): Promise<{ id: string }>;

  // ---- Any kind ------------------------------------------------------------------------------------------------

  /**
   * Sends a message of any kind.
   *
   * @param to The recipient.
   * @param contents The contents under the name of their kind, such as `{ image: { link: "https://…" } }`.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it. Its statuses tell if it arrives.
   * @throws {OptionError} If recipient, contents or options are not valid; nothing has been sent then.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  send(to: Recipient, contents: MessageContents, options?: SendOptions): Promise<SentMessage>;
  /**
   * Sends a message as the Cloud API wants it.
   *
   * @param to The recipient.
   * @param type The type, such as `image`.
   * @param contents The value of the key named by `type`: it is not checked.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If recipient or options are not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  send(
    to: Recipient,
    type: string,
    contents: JsonObject | readonly JsonObject[],
    options?: SendOptions,
  ): Promise<SentMessage>;
  async send(
    to: Recipient,
    contents: string | MessageContents,
    second: JsonObject | readonly JsonObject[] | SendOptions = {},
    third: SendOptions = {},
  ): Promise<SentMessage> {
    if (typeof contents !== "string") return await sendDraft(this, to, draftOf(contents), second as SendOptions);
    return await sendDraft(this, to, rawDraft(textOf("type", contents), second as JsonObject), third);
  }

  /**
   * Answers a message, in its chat or group.
   *
   * @param message The message.
   * @param contents A text, or contents under the name of their kind.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If message, contents or options are not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async reply(
    message: WhatsAppMessage,
    contents: string | MessageContents,
    options: SendTextOptions = {},
  ): Promise<SentMessage> {
    TEXT_OPTIONS.assert(options);
    const answer = { ...options, replyTo: options.replyTo ?? messageIdOf("message", message) };
    return typeof contents === "string"
      ? await this.sendText(message, contents, answer)
      : await this.send(message, contents, answer);
  }

  // ---- Texts and reactions -------------------------------------------------------------------------------------

  /**
   * Sends a text.
   *
   * @param to The recipient.
   * @param body The text, up to 4096 characters.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it. Its statuses tell if it arrives.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendText(to: Recipient, body: string, options: SendTextOptions = {}): Promise<SentMessage> {
    TEXT_OPTIONS.assert(options);
    return await sendDraft(this, to, basic.textDraft({ body, previewUrl: options.previewUrl }), options, TEXT_OPTIONS);
  }

  /**
   * Reacts to a message.
   *
   * @param message The message.
   * @param emoji The emoji; "" takes the reaction back.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async react(message: WhatsAppMessage, emoji: string, options: SendOptions = {}): Promise<SentMessage> {
    return await this.sendReaction(message, { messageId: messageIdOf("message", message), emoji }, options);
  }

  /**
   * Takes the reaction to a message back.
   *
   * @param message The message.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  unreact(message: WhatsAppMessage, options: SendOptions = {}): Promise<SentMessage> {
    return this.react(message, "", options);
  }

  /**
   * Reacts to a message of which only the id is known.
   *
   * @param to The recipient.
   * @param reaction Id of the message, and the emoji; "" takes the reaction back.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendReaction(
    to: Recipient,
    reaction: basic.ReactionContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, basic.reactionDraft(reaction), options);
  }

  // ---- Media ------------------------------------------------------------------------------------------------------

  /**
   * Sends an image.
   *
   * @param to The recipient.
   * @param image The image: by id, by link, or a file that is uploaded.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendImage(to: Recipient, image: basic.ImageContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, basic.imageDraft(image), options);
  }

  /**
   * Sends a video.
   *
   * @param to The recipient.
   * @param video The video: by id, by link, or a file that is uploaded.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendVideo(to: Recipient, video: basic.VideoContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, basic.videoDraft(video), options);
  }

  /**
   * Sends an audio file, or with `voice` a voice message.
   *
   * @param to The recipient.
   * @param audio The file: by id, by link, or one that is uploaded.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendAudio(to: Recipient, audio: basic.AudioContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, basic.audioDraft(audio), options);
  }

  /**
   * Sends a document.
   *
   * @param to The recipient.
   * @param document The document: by id, by link, or a file that is uploaded.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendDocument(to: Recipient, document: basic.DocumentContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, basic.documentDraft(document), options);
  }

  /**
   * Sends a sticker.
   *
   * @param to The recipient.
   * @param sticker The sticker: by id, by link, or a file that is uploaded.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendSticker(to: Recipient, sticker: basic.StickerContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, basic.stickerDraft(sticker), options);
  }

  // ---- Locations and contacts -------------------------------------------------------------------------------------

  /**
   * Sends a location.
   *
   * @param to The recipient.
   * @param location The location.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendLocation(to: Recipient, location: basic.LocationContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, basic.locationDraft(location), options);
  }

  /**
   * Sends contact cards.
   *
   * @param to The recipient.
   * @param contacts The cards, up to 257.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendContacts(
    to: Recipient,
    contacts: readonly basic.ContactContents[],
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, basic.contactsDraft(contacts), options);
  }

  // ---- Buttons, lists and flows -----------------------------------------------------------------------------------

  /**
   * Sends a text with up to 3 reply buttons.
   *
   * @param to The recipient.
   * @param contents Text and buttons.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendButtons(
    to: Recipient,
    contents: interactive.ButtonsContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.buttonsDraft(contents), options);
  }

  /**
   * Sends a list, of which the customer chooses a row.
   *
   * @param to The recipient.
   * @param contents Text and rows.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendList(to: Recipient, contents: interactive.ListContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.listDraft(contents), options);
  }

  /**
   * Sends a text with a button that opens a page.
   *
   * @param to The recipient.
   * @param contents Text, label and URL.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendUrlButton(
    to: Recipient,
    contents: interactive.UrlButtonContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.urlButtonDraft(contents), options);
  }

  /**
   * Sends a text with a button that opens a flow.
   *
   * @param to The recipient.
   * @param contents Text, label and flow.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendFlow(to: Recipient, contents: interactive.FlowContents, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.flowDraft(contents), options);
  }

  // ---- Products ---------------------------------------------------------------------------------------------------

  /**
   * Sends a product of the catalogue.
   *
   * @param to The recipient.
   * @param contents The product.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendProduct(
    to: Recipient,
    contents: products.ProductContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, products.productDraft(contents), options);
  }

  /**
   * Sends several products of the catalogue.
   *
   * @param to The recipient.
   * @param contents Texts and products.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendProducts(
    to: Recipient,
    contents: products.ProductsContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, products.productsDraft(contents), options);
  }

  /**
   * Sends the catalogue.
   *
   * @param to The recipient.
   * @param contents The text.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendCatalog(
    to: Recipient,
    contents: products.CatalogContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, products.catalogDraft(contents), options);
  }

  /**
   * Sends cards side by side: of media, or of products.
   *
   * @param to The recipient.
   * @param contents Text and cards.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendCarousel(
    to: Recipient,
    contents: products.CarouselContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, products.carouselDraft(contents), options);
  }

  // ---- Requests and calls -----------------------------------------------------------------------------------------

  /**
   * Sends a form for a postal address (India and Singapore).
   *
   * @param to The recipient.
   * @param contents Text and country.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendAddressRequest(
    to: Recipient,
    contents: interactive.AddressRequestContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.addressRequestDraft(contents), options);
  }

  /**
   * Sends a button that asks for the location.
   *
   * @param to The recipient.
   * @param body The text, up to 1024 characters.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendLocationRequest(to: Recipient, body: string, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.locationRequestDraft(body), options);
  }

  /**
   * Sends a button that asks for the phone number.
   *
   * @param to The recipient.
   * @param body The text, up to 1024 characters.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendContactRequest(to: Recipient, body: string, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.contactRequestDraft(body), options);
  }

  /**
   * Sends a text with a button that calls the business.
   *
   * @param to The recipient.
   * @param contents Text and label.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendCallButton(
    to: Recipient,
    contents: interactive.CallButtonContents,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.callButtonDraft(contents), options);
  }

  /**
   * Sends a request for the permission to call.
   *
   * @param to The recipient.
   * @param body The text, up to 1024 characters; may be absent.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendCallPermissionRequest(to: Recipient, body?: string, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, interactive.callPermissionRequestDraft(body), options);
  }

  // ---- Templates, and JSON -------------------------------------------------------------------------------------

  /**
   * Sends a template, which may begin a conversation.
   *
   * @param to The recipient.
   * @param name Its name.
   * @param options Its language and values, and options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If an argument is not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendTemplate(to: Recipient, name: string, options: TemplateOptions): Promise<SentMessage> {
    TEMPLATE_OPTIONS.assert(options);
    const { language, header, body, buttons, cards, limitedTimeOffer, components } = options;
    const values = { header, body, buttons, cards, limitedTimeOffer, components };
    return await sendDraft(this, to, templateDraft({ name, language, ...values }), options, TEMPLATE_OPTIONS);
  }

  /**
   * Sends an interactive message as the Cloud API wants it: one of a kind without a method of its own.
   *
   * @param to The recipient.
   * @param interactive The object: `{ type: "button", body: { text }, action: { buttons } }`. It is not checked.
   * @param options Options of the message.
   * @returns The message, once the API has accepted it.
   * @throws {OptionError} If recipient or options are not valid.
   * @throws {WhatsAppApiError} If the API does not accept it.
   */
  async sendInteractive(to: Recipient, interactive: JsonObject, options: SendOptions = {}): Promise<SentMessage> {
    return await sendDraft(this, to, draftOf({ interactive }), options);
  }
}
