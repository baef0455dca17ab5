/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Content that a message shows, by its type: texts, cards, a map. Media are not fetched: that takes an access token of
 * the business, which has no place in a page.
 */

import type { WhatsAppContact } from "../../cloud_api/contact_card.ts";
import type { WhatsAppLocation, WhatsAppMedia, WhatsAppMessage } from "../../cloud_api/messages.ts";
import type { WhatsAppPayment } from "../../cloud_api/records.ts";
import { type Child, make } from "./elements.ts";
import { drawIcon, type IconName } from "./icons.ts";
import { drawMap, formatPlace } from "./map.ts";

/** The contents of a message as elements. */
export function showContents(message: WhatsAppMessage): Child[] {
  switch (message.type) {
    case "text":
      return [make("p", "text", message.text.body)];
    case "image":
      return showMedia("image", "Image", message.image);
    case "video":
      return showMedia("video", "Video", message.video);
    case "sticker":
      return showMedia("sticker", "Sticker", message.sticker);
    case "audio":
      return showMedia("audio", message.audio.voice ? "Voice message" : "Audio", message.audio);
    case "document":
      return showMedia("document", message.document.filename ?? "Document", message.document);
    case "location":
      return showPlace(message.location);
    case "contacts":
      return message.contacts.map(showContact);
    case "interactive":
      return [showReply(message.interactive.title ?? message.interactive.body ?? message.interactive.type)];
    case "button":
      return [showReply(message.button.text ?? "Button")];
    case "order":
      return [
        showCard("order", "Order", `${message.order.productItems.length} products`),
        showText(message.order.text),
      ];
    case "system":
      return [make("p", "note", message.system.body ?? "A change on the customer's side")];
    case "template":
      return [make("p", "note", summarize(message))];
    default:
      return [make("p", "note", `A message of the type “${summarize(message)}” is not shown here`)];
  }
}

/** A message in a few words, for the list of conversations. */
export function summarize(message: WhatsAppMessage): string {
  switch (message.type) {
    case "text":
      return message.text.body;
    case "location":
      return `Place: ${message.location.name ?? "without a name"}`;
    case "document":
      return `Document: ${message.document.filename ?? "without a name"}`;
    case "image":
      return message.image.caption === undefined ? "Image" : `Image: ${message.image.caption}`;
    case "video":
      return message.video.caption === undefined ? "Video" : `Video: ${message.video.caption}`;
    case "sticker":
      return "Sticker";
    case "audio":
      return message.audio.voice ? "Voice message" : "Audio";
    case "contacts":
      return `Contact: ${message.contacts[0]?.name.formattedName ?? "without a name"}`;
    case "interactive":
      return message.interactive.title ?? message.interactive.body ?? message.interactive.type;
    case "button":
      return message.button.text ?? "Button";
    case "order":
      return "Order";
    case "system":
      return message.system.body ?? "A change on the customer's side";
    case "template":
      return `Template: ${message.template.name ?? "without a name"}`;
    case "unknown":
      return message.originalType;
    default:
      return message.type;
  }
}

/** A payment in a few words. */
export function summarizePayment({ payment: { referenceId, amount, currency = "" } }: WhatsAppPayment): string {
  const sum = amount?.value === undefined ? "" : `: ${(amount.value / (amount.offset ?? 1)).toFixed(2)} ${currency}`;
  return `Payment${referenceId === undefined ? "" : ` for ${referenceId}`}${sum}`;
}

function showText(text: string | undefined): Child {
  return text === undefined ? undefined : make("p", "text", text);
}

function showCard(icon: IconName, title: string, details: string): HTMLElement {
  return make(
    "div",
    "card",
    make("span", "card-icon", drawIcon(icon)),
    make("div", "", make("strong", "", title), make("small", "", details)),
  );
}

function showMedia(icon: IconName, title: string, media: WhatsAppMedia): Child[] {
  return [showCard(icon, title, media.mimeType ?? "unknown type"), showText(media.caption)];
}

function showPlace(location: WhatsAppLocation): Child[] {
  const { latitude, longitude, name, address } = location;
  const map = drawMap(location);
  const place = map === undefined ? "without coordinates" : formatPlace(latitude, longitude);
  return [map, make("strong", "place", name ?? "Place"), showText(address), make("small", "", place)];
}

function showContact(contact: WhatsAppContact): HTMLElement {
  const numbers = contact.phones.map(({ phone, waId }) => phone ?? waId).filter((number) => number !== undefined);
  return showCard("contact", contact.name.formattedName ?? "Contact", numbers.join(", "));
}

function showReply(text: string): HTMLElement {
  return make("p", "reply", text);
}
