/**
 * Contents of a message by its type: raw JSON to typed fields.
 *
 * @module
 */

import {
  boolean,
  date,
  fullText,
  type JsonObject,
  number,
  object,
  objects,
  own,
  text,
  withoutUndefined,
} from "./json.ts";
import { each, eachIfAny, members, nested, otherwise, type Reader, textOrEmpty } from "./members.ts";
import type {
  WhatsAppContents,
  WhatsAppContext,
  WhatsAppEdit,
  WhatsAppInteractive,
  WhatsAppMedia,
  WhatsAppUnsupported,
} from "./messages.ts";

const parseProduct = /* @__PURE__ */ members(() => ({ catalogId: text, productRetailerId: text }));

const isForwarded: Reader<boolean> = (raw, key) => own(raw, key) === true;

/** Reads the context of a message. */
export const parseContext: (raw: JsonObject) => WhatsAppContext = /* @__PURE__ */ members(() => ({
  // Messages that the business sent have the key of the Graph API.
  messageId: [fullText, "id", "message_id"],
  from: text,
  fromUserId: text,
  fromParentUserId: text,
  forwarded: (raw: JsonObject) => isForwarded(raw, "forwarded") || isForwarded(raw, "frequently_forwarded"),
  frequentlyForwarded: isForwarded,
  referredProduct: nested(parseProduct),
}));

/** Reads a media object. */
export const parseMedia: (raw: JsonObject) => WhatsAppMedia = /* @__PURE__ */ members(() => ({
  id: textOrEmpty,
  mimeType: text,
  sha256: text,
  caption: text,
  filename: text,
  url: text,
  voice: boolean,
  animated: boolean,
}));

const parseContact = /* @__PURE__ */ members(() => ({
  name: (raw: JsonObject) => parseName(object(raw, "name") ?? {}),
  phones: each(members(() => ({ phone: text, waId: text, type: text }))),
  emails: each(members(() => ({ email: text, type: text }))),
  addresses: each(members(() => ({
    street: text,
    city: text,
    state: text,
    zip: text,
    country: text,
    countryCode: text,
    type: text,
  }))),
  urls: each(members(() => ({ url: text, type: text }))),
  org: nested(members(() => ({ company: text, department: text, title: text }))),
  birthday: text,
  origin: text,
  vcard: text,
}));

const parseName = /* @__PURE__ */ members(() => ({
  formattedName: text,
  firstName: text,
  lastName: text,
  middleName: text,
  suffix: text,
  prefix: text,
}));

const parseCallPermission = /* @__PURE__ */ members(() => ({
  response: text,
  isPermanent: boolean,
  expirationTimestamp: date,
  responseSource: text,
}));

const parseProductItem = /* @__PURE__ */ members(() => ({
  productRetailerId: text,
  quantity: number,
  itemPrice: number,
  currency: text,
}));

/**
 * Reads the contents of a message.
 *
 * @param raw The message as sent.
 * @returns Its type and contents; type `unknown` if the type is unknown here, or its contents are missing.
 */
export function parseContents(raw: JsonObject): WhatsAppContents {
  const originalType = text(raw, "type") ?? guessType(raw);
  const contents = contentsOf(raw, originalType);
  if (contents === undefined) return { type: "unknown", originalType };
  if (originalType === "request_welcome") return { type: originalType };
  const type = originalType === "voice" ? "audio" : originalType;
  return { type, [type]: contents } as unknown as WhatsAppContents;
}

/** Guesses the type of a message without `type`, as in Meta's documentation: its only known key. */
function guessType(raw: JsonObject): string {
  const found = Object.keys(readers ??= makeReaders()).filter((type) => own(raw, type) !== undefined);
  return found.length === 1 ? found[0]! : "";
}

/** Readers of contents by type. */
type Readers = { readonly [type: string]: Reader<object | undefined> };
let readers: Readers | undefined;

function contentsOf(raw: JsonObject, type: string): object | undefined {
  readers ??= makeReaders();
  // A type comes from outside, and could be `constructor`.
  return Object.hasOwn(readers, type) ? readers[type]!(raw, type) : undefined;
}

function makeReaders(): Readers {
  const media = nested(parseMedia);
  return {
    text: nested((raw) => ({ body: textOrEmpty(raw, "body") })),
    image: media,
    video: media,
    audio: media,
    // The name of a recorded `audio` in the on-premises API.
    voice: nested((raw) => ({ ...parseMedia(raw), voice: true })),
    document: media,
    sticker: media,
    location: nested(members(() => ({
      latitude: otherwise(number, NaN),
      longitude: otherwise(number, NaN),
      name: text,
      address: text,
      url: text,
    }))),
    contacts: eachIfAny(parseContact),
    reaction: nested(members(() => ({ messageId: textOrEmpty, emoji: fullText }))),
    interactive: nested(parseInteractive),
    button: nested(members(() => ({ text, payload: text }))),
    order: nested(members(() => ({ catalogId: text, text, productItems: each(parseProductItem) }))),
    system: nested(members(() => ({
      type: text,
      body: text,
      // Up to version 11 the number had another key.
      waId: [text, "wa_id", "new_wa_id"],
      userId: text,
      previousUserId: text,
      parentUserId: text,
      previousParentUserId: text,
      customer: text,
      identity: text,
    }))),
    // Older notifications have the errors only.
    unsupported: (raw, key) => parseUnsupported(object(raw, key) ?? {}),
    edit: nested(parseEdit),
    revoke: nested(members(() => ({ originalMessageId: textOrEmpty }))),
    request_welcome: (raw) => raw,
    template: nested(members(() => ({
      name: text,
      language: [text, "language.code", "language"],
      components: objects,
    }))),
  };
}

const parseUnsupported: (raw: JsonObject) => WhatsAppUnsupported = /* @__PURE__ */ members(() => ({ type: text }));

function parseEdit(raw: JsonObject): WhatsAppEdit {
  const message = object(raw, "message");
  // Edits of edits could be nested without end.
  const nested = message === undefined || text(message, "type") === "edit" || own(message, "edit") !== undefined;
  const context = message && object(message, "context");
  return withoutUndefined({
    originalMessageId: textOrEmpty(raw, "original_message_id"),
    message: nested ? undefined : parseContents(message),
    context: context && parseContext(context),
  });
}

const parseReply = /* @__PURE__ */ members(() => ({
  id: text,
  title: text,
  description: text,
  name: text,
  body: text,
  responseJson: text,
}));

function parseInteractive(raw: JsonObject): WhatsAppInteractive | undefined {
  const type = text(raw, "type");
  if (type === undefined) return undefined;
  const member = object(raw, type) ?? {};
  const reply = parseReply(member);
  const { responseJson } = reply;
  return withoutUndefined({
    type,
    ...reply,
    // What the business sent, in echoes, has its text beside the contents.
    body: reply.body ?? text(object(raw, "body") ?? {}, "text"),
    response: responseJson === undefined ? undefined : parseJson(responseJson),
    callPermission: type === "call_permission_reply" ? parseCallPermission(member) : undefined,
    product: type === "product" ? parseProduct(member) : undefined,
    raw,
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
