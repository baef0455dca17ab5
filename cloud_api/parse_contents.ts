/**
 * Contents of a message by its type: raw JSON to typed fields.
 *
 * @module
 */

import {
  boolean,
  date,
  firstText,
  type JsonObject,
  type Loose,
  number,
  object,
  objects,
  own,
  pick,
  text,
  withoutUndefined,
} from "./json.ts";
import type { WhatsAppContact } from "./contact_card.ts";
import type {
  WhatsAppCallPermission,
  WhatsAppContents,
  WhatsAppContext,
  WhatsAppEdit,
  WhatsAppInteractive,
  WhatsAppLocation,
  WhatsAppMedia,
  WhatsAppOrder,
  WhatsAppProduct,
  WhatsAppReaction,
  WhatsAppSentTemplate,
  WhatsAppSystem,
} from "./messages.ts";

/**
 * Reads the contents of a message.
 *
 * @param raw The message as sent.
 * @returns Its type and contents; type `unknown` if the type is unknown here, or its contents are missing.
 */
export function parseContents(raw: JsonObject): WhatsAppContents {
  const originalType = text(raw, "type") ?? guessType(raw);
  return CONTENTS.get(originalType)?.(raw) ?? { type: "unknown", originalType };
}

/** Guesses the type of a message without `type`, as in Meta's documentation: its only known key. */
function guessType(raw: JsonObject): string {
  const found = [...CONTENTS.keys()].filter((type) => own(raw, type) !== undefined);
  return found.length === 1 ? found[0]! : "";
}

/**
 * Reads the context of a message.
 *
 * @param raw The context as sent, if there is one.
 * @returns The context.
 */
export function parseContext(raw: JsonObject | undefined): WhatsAppContext | undefined {
  if (raw === undefined) return undefined;
  const product = object(raw, "referred_product");
  return withoutUndefined({
    // Messages that the business sent have the key of the Graph API.
    messageId: firstText(raw, ["id", "message_id"]),
    from: text(raw, "from"),
    fromUserId: text(raw, "from_user_id"),
    fromParentUserId: text(raw, "from_parent_user_id"),
    forwarded: own(raw, "forwarded") === true || own(raw, "frequently_forwarded") === true,
    frequentlyForwarded: own(raw, "frequently_forwarded") === true,
    referredProduct: product && parseProduct(product),
  });
}

/** Reads the contents of one type; `undefined` if they are missing. */
type ContentsParser = (message: JsonObject) => WhatsAppContents | undefined;

/** Parsers by type. */
const CONTENTS = /* @__PURE__ */ makeContents();

/** A map, since a type comes from outside and could be `constructor`. */
function makeContents(): ReadonlyMap<string, ContentsParser> {
  return new Map<string, ContentsParser>([
    ["text", contents("text", (raw) => ({ body: text(raw, "body") ?? "" }))],
    ["image", contents("image", parseMedia)],
    ["video", contents("video", parseMedia)],
    ["audio", contents("audio", parseMedia)],
    ["voice", parseVoice],
    ["document", contents("document", parseMedia)],
    ["sticker", contents("sticker", parseMedia)],
    ["location", contents("location", parseLocation)],
    ["contacts", parseContacts],
    ["reaction", contents("reaction", parseReaction)],
    ["interactive", contents("interactive", parseInteractive)],
    ["button", contents("button", (raw) => ({ text: text(raw, "text"), payload: text(raw, "payload") }))],
    ["order", contents("order", parseOrder)],
    ["system", contents("system", parseSystem)],
    ["unsupported", parseUnsupported],
    ["edit", contents("edit", parseEdit)],
    ["revoke", contents("revoke", (raw) => ({ originalMessageId: text(raw, "original_message_id") ?? "" }))],
    ["request_welcome", () => ({ type: "request_welcome" })],
    ["template", contents("template", parseTemplate)],
  ]);
}

function contents<Name extends string>(type: Name, parse: (raw: JsonObject) => object | undefined): ContentsParser {
  return (message) => {
    const raw = object(message, type);
    const parsed = raw && parse(raw);
    return parsed && { type, [type]: withoutUndefined(parsed) } as unknown as WhatsAppContents;
  };
}

/** Reads `voice`, the name of a recorded `audio` in the on-premises API. */
function parseVoice(message: JsonObject): WhatsAppContents | undefined {
  const voice = object(message, "voice");
  return voice && { type: "audio", audio: withoutUndefined({ ...parseMedia(voice), voice: true }) };
}

/**
 * Reads a media object.
 *
 * @param raw The object.
 * @returns Its members, some of which may be `undefined`.
 */
export function parseMedia(raw: JsonObject): Loose<WhatsAppMedia> {
  return {
    id: text(raw, "id") ?? "",
    mimeType: text(raw, "mime_type"),
    sha256: text(raw, "sha256"),
    caption: text(raw, "caption"),
    filename: text(raw, "filename"),
    url: text(raw, "url"),
    voice: boolean(raw, "voice"),
    animated: boolean(raw, "animated"),
  };
}

function parseLocation(raw: JsonObject): Loose<WhatsAppLocation> {
  const latitude = number(raw, "latitude") ?? NaN;
  const longitude = number(raw, "longitude") ?? NaN;
  return { latitude, longitude, name: text(raw, "name"), address: text(raw, "address"), url: text(raw, "url") };
}

function parseContacts(message: JsonObject): WhatsAppContents | undefined {
  if (!Array.isArray(own(message, "contacts"))) return undefined;
  return { type: "contacts", contacts: objects(message, "contacts").map(parseContact) };
}

/** Reads an unsupported message; older notifications have its errors only. */
function parseUnsupported(message: JsonObject): WhatsAppContents {
  const raw = object(message, "unsupported") ?? {};
  return { type: "unsupported", unsupported: withoutUndefined({ type: text(raw, "type") }) };
}

function parseEdit(raw: JsonObject): Loose<WhatsAppEdit> {
  const message = object(raw, "message");
  // Edits of edits could be nested without end.
  const nested = message === undefined || text(message, "type") === "edit" || own(message, "edit") !== undefined;
  return {
    originalMessageId: text(raw, "original_message_id") ?? "",
    message: nested ? undefined : parseContents(message),
    context: message && parseContext(object(message, "context")),
  };
}

function parseContact(raw: JsonObject): WhatsAppContact {
  const name = object(raw, "name") ?? {};
  const org = object(raw, "org");
  return withoutUndefined({
    name: pick(name, {
      formattedName: "formatted_name",
      firstName: "first_name",
      lastName: "last_name",
      middleName: "middle_name",
      suffix: "suffix",
      prefix: "prefix",
    }),
    phones: objects(raw, "phones").map((phone) => pick(phone, { phone: "phone", waId: "wa_id", type: "type" })),
    emails: objects(raw, "emails").map((email) => pick(email, { email: "email", type: "type" })),
    addresses: objects(raw, "addresses").map((address) =>
      pick(address, {
        street: "street",
        city: "city",
        state: "state",
        zip: "zip",
        country: "country",
        countryCode: "country_code",
        type: "type",
      })
    ),
    urls: objects(raw, "urls").map((url) => pick(url, { url: "url", type: "type" })),
    org: org && pick(org, { company: "company", department: "department", title: "title" }),
    birthday: text(raw, "birthday"),
    origin: text(raw, "origin"),
    vcard: text(raw, "vcard"),
  });
}

function parseReaction(raw: JsonObject): Loose<WhatsAppReaction> {
  return { messageId: text(raw, "message_id") ?? "", emoji: text(raw, "emoji") || undefined };
}

function parseInteractive(raw: JsonObject): Loose<WhatsAppInteractive> | undefined {
  const type = text(raw, "type");
  if (type === undefined) return undefined;
  const reply = object(raw, type) ?? {};
  const responseJson = text(reply, "response_json");
  return {
    type,
    id: text(reply, "id"),
    title: text(reply, "title"),
    description: text(reply, "description"),
    name: text(reply, "name"),
    // What the business sent, in echoes, has its text beside the contents.
    body: text(reply, "body") ?? text(object(raw, "body") ?? {}, "text"),
    responseJson,
    response: responseJson === undefined ? undefined : parseJson(responseJson),
    callPermission: type === "call_permission_reply" ? parseCallPermission(reply) : undefined,
    product: type === "product" ? parseProduct(reply) : undefined,
    raw,
  };
}

function parseCallPermission(raw: JsonObject): WhatsAppCallPermission {
  return withoutUndefined({
    response: text(raw, "response"),
    isPermanent: boolean(raw, "is_permanent"),
    expirationTimestamp: date(raw, "expiration_timestamp"),
    responseSource: text(raw, "response_source"),
  });
}

function parseProduct(raw: JsonObject): WhatsAppProduct {
  return withoutUndefined({
    catalogId: text(raw, "catalog_id"),
    productRetailerId: text(raw, "product_retailer_id"),
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function parseTemplate(raw: JsonObject): WhatsAppSentTemplate {
  const language = object(raw, "language");
  return {
    name: text(raw, "name"),
    language: text(language ?? raw, language ? "code" : "language"),
    components: objects(raw, "components"),
  };
}

function parseOrder(raw: JsonObject): Loose<WhatsAppOrder> {
  return {
    catalogId: text(raw, "catalog_id"),
    text: text(raw, "text"),
    productItems: objects(raw, "product_items").map((item) =>
      withoutUndefined({
        productRetailerId: text(item, "product_retailer_id"),
        quantity: number(item, "quantity"),
        itemPrice: number(item, "item_price"),
        currency: text(item, "currency"),
      })
    ),
  };
}

function parseSystem(raw: JsonObject): Loose<WhatsAppSystem> {
  return {
    type: text(raw, "type"),
    body: text(raw, "body"),
    // Up to version 11 the number had another key.
    waId: text(raw, "wa_id") ?? text(raw, "new_wa_id"),
    userId: text(raw, "user_id"),
    previousUserId: text(raw, "previous_user_id"),
    parentUserId: text(raw, "parent_user_id"),
    previousParentUserId: text(raw, "previous_parent_user_id"),
    customer: text(raw, "customer"),
    identity: text(raw, "identity"),
  };
}
