/**
 * Templates that are sent, with their values: header, text, buttons, cards and offer. The limits are those of Meta's
 * pages about templates (2026).
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import {
  type Draft,
  type LocationContents,
  locationOf,
  mediaOf,
  type MediaReference,
  named,
  type Upload,
} from "./contents.ts";
import {
  integerIn,
  listOf,
  numberIn,
  objectOf,
  onlyMember,
  optionalObject,
  optionalText,
  textOf,
} from "./contents_checks.ts";
import { MOST_CALL_PAYLOAD, MOST_TTL_MINUTES } from "./contents_interactive.ts";
import { type ProductSection, productSections } from "./contents_products.ts";
import { isObject, type JsonObject, withoutUndefined } from "./json.ts";

/** A value of a template: a text, an amount of money, or a time. */
export type TemplateValue = string | TemplateCurrency | TemplateDateTime;

/** An amount of money. */
export interface TemplateCurrency {
  /** The amount. */
  currency: {
    /** The currency, such as `EUR`. */
    code: string;
    /** The amount, with up to three digits behind the point. */
    amount: number;
    /** Text for apps that cannot write it: `12,50 €`. */
    fallback: string;
  };
}

/** A time. */
export interface TemplateDateTime {
  /** The time as text: it is shown as it is. */
  dateTime: string;
}

/** Values of a text in order, or by name: `{ first_name: "Ada" }`. */
export type TemplateValues = readonly TemplateValue[] | Readonly<Record<string, TemplateValue>>;

/** Header of a template: the value of its text (up to 60 characters), a file, a location, or a product. */
export type TemplateHeader =
  | string
  | { text: TemplateValues }
  | { image: MediaReference }
  | { video: MediaReference }
  | { gif: MediaReference }
  | { document: MediaReference & { filename?: string | undefined } }
  | { location: LocationContents }
  | { product: { catalogId?: string | undefined; productRetailerId: string } };

/** Value of a button of a template. */
export type TemplateButton =
  & {
    /**
     * Place of the button in the template, from 0 on: needed if buttons without a value stand before it.
     * @default {its place in the list}
     */
    index?: number | undefined;
  }
  & (
    /** Text that comes back when the button is tapped. */
    | { quickReply: string }
    /** End of the URL, up to 2000 characters. */
    | { url: string }
    /** Code of an authentication template, up to 15 characters; its text needs it too. */
    | { otp: string }
    /** Coupon code that is copied. Meta's page of 2026 names no limit; older ones say 15 characters. */
    | { copyCode: string }
    /** Token and first data of a flow. */
    | { flow: { token?: string | undefined; data?: JsonObject | undefined } }
    /** Product whose picture the catalogue shows; its first one if there is none. */
    | { catalog: { thumbnailProductRetailerId?: string | undefined } }
    /** Products, up to 30 in up to 10 sections. */
    | { products: { thumbnailProductRetailerId?: string | undefined; sections: readonly ProductSection[] } }
    /** Validity of a call button in minutes, up to 43200; text of up to 512 characters that comes with the call. */
    | { callButton: { ttlMinutes?: number | undefined; payload?: string | undefined } }
    /** An order to be paid, as the Cloud API wants it. */
    | { orderDetails: JsonObject }
  );

/** Values of a card of a carousel. */
export interface TemplateCard {
  /** The picture, the film, or the product. */
  header?: TemplateHeader | undefined;
  /** Values of its text. */
  body?: TemplateValues | undefined;
  /** Values of its buttons. */
  buttons?: readonly TemplateButton[] | undefined;
}

/** Values of a template. */
export interface TemplateParameters {
  /** The header. */
  header?: TemplateHeader | undefined;
  /** Values of the text. */
  body?: TemplateValues | undefined;
  /** Values of the buttons. */
  buttons?: readonly TemplateButton[] | undefined;
  /** Values of the cards, all of them: up to 10. */
  cards?: readonly TemplateCard[] | undefined;
  /** End of the offer. */
  limitedTimeOffer?: Date | undefined;
  /** Components as the Cloud API wants them, after those above. */
  components?: readonly JsonObject[] | undefined;
}

/**
 * A template with its values.
 *
 * Also from {@linkcode TemplateParameters}: `header`, `body`, `buttons`, `cards`, `limitedTimeOffer`, `components`.
 */
export interface TemplateContents extends TemplateParameters {
  /** The name of the template. */
  name: string;
  /** Its language, such as `en_US`. */
  language: string;
}

const MOST_NAME = 512;
const MOST_HEADER_TEXT = 60;
/** The limit for templates that are a text only; with other parts it is 1024 for the whole, which the API checks. */
const MOST_VALUE = 32_768;
const MOST_URL = 2000;
const MOST_CODE = 15;
const MOST_CARDS = 10;
const THOUSANDTHS = 1000;

const TEMPLATE_NAMES: OptionTable<TemplateContents> = {
  name: true,
  language: true,
  header: true,
  body: true,
  buttons: true,
  cards: true,
  limitedTimeOffer: true,
  components: true,
};
const TEMPLATE = /* @__PURE__ */ new OptionNames("A template", {
  tables: [TEMPLATE_NAMES],
  hints: { lang: 'use "language"', parameters: 'use "body"' },
  example: () => '{ name: "hello_world", language: "en_US" }',
});

/**
 * Makes a template.
 *
 * @param contents Its name, language and values.
 * @returns The JSON, and the files to upload.
 * @throws {OptionError} If a value is of a wrong type, or a limit is passed.
 */
export function templateDraft(contents: TemplateContents): Draft {
  const { name, language, components = [] } = named(TEMPLATE, contents);
  const uploads: Upload[] = [];
  const given = listOf("components", components, Infinity, 0);
  const made = [...componentsOf("", contents, uploads), ...given.map((component) => objectOf("components", component))];
  const template = withoutUndefined({
    name: textOf("name", name, MOST_NAME),
    language: { code: textOf("language", language) },
    components: contents.components === undefined && made.length === 0 ? undefined : made,
  });
  return { type: "template", contents: template, uploads };
}

function componentsOf(path: string, values: TemplateParameters, uploads: Upload[]): JsonObject[] {
  const { header, body, buttons, cards, limitedTimeOffer } = values;
  const components: JsonObject[] = [];
  if (header !== undefined) components.push(headerOf(`${path}header`, header, uploads));
  if (body !== undefined) components.push({ type: "body", parameters: valuesOf(`${path}body`, body, MOST_VALUE) });
  if (limitedTimeOffer !== undefined) components.push(offerOf(limitedTimeOffer));
  if (buttons !== undefined) {
    const list = listOf(`${path}buttons`, buttons, Infinity, 0);
    components.push(...list.map((button, index) => buttonOf(`${path}buttons[${index}]`, button, index)));
  }
  if (cards !== undefined) components.push(carouselOf(cards, uploads));
  return components;
}

// ---- Header and text ---------------------------------------------------------------------------------------------

const HEADER_KINDS = ["text", "image", "video", "gif", "document", "location", "product"] as const;

/** A header with a member for each kind. */
type AnyHeader = {
  text?: TemplateValues;
  location?: LocationContents;
  product?: { catalogId?: string | undefined; productRetailerId: string };
  image?: MediaReference;
  video?: MediaReference;
  gif?: MediaReference;
  document?: MediaReference;
};

function headerOf(path: string, header: TemplateHeader, uploads: Upload[]): JsonObject {
  const any: AnyHeader = typeof header === "string" ? { text: [header] } : objectOf(path, header);
  const kind = onlyMember(`The "${path}"`, any, HEADER_KINDS);
  if (kind === "text") return { type: "header", parameters: valuesOf(path, any.text!, MOST_HEADER_TEXT) };
  return { type: "header", parameters: [{ type: kind, [kind]: headerPart(path, kind, any, uploads) }] };
}

function headerPart(
  path: string,
  kind: Exclude<typeof HEADER_KINDS[number], "text">,
  header: AnyHeader,
  uploads: Upload[],
): JsonObject {
  if (kind === "location") return locationOf(header.location!);
  if (kind === "product") {
    const { catalogId, productRetailerId } = objectOf(`${path}.product`, header.product);
    return withoutUndefined({
      catalog_id: optionalText(`${path}.product.catalogId`, catalogId),
      product_retailer_id: textOf(`${path}.product.productRetailerId`, productRetailerId),
    });
  }
  const { filename } = objectOf(`${path}.${kind}`, header[kind]);
  const more = kind === "document" ? { filename: optionalText(`${path}.${kind}.filename`, filename) } : {};
  return mediaOf(`${path}.${kind}`, kind === "gif" ? "video" : kind, header[kind]!, uploads, more);
}

function valuesOf(path: string, values: TemplateValues, most: number): JsonObject[] {
  if (Array.isArray(values)) return values.map((value, index) => valueOf(`${path}[${index}]`, value, most));
  const entries = Object.entries(objectOf(path, values) as Record<string, TemplateValue>);
  return entries.map(([name, value]) => ({ ...valueOf(`${path}.${name}`, value, most), parameter_name: name }));
}

function valueOf(path: string, value: TemplateValue, most: number): JsonObject {
  if (typeof value === "string") return { type: "text", text: textOf(path, value, most) };
  if (!isObject(value)) {
    throw new OptionError(`The "${path}" is ${showValue(value)} instead of a text, a currency or a time`);
  }
  const kind = onlyMember(`The "${path}"`, value, ["currency", "dateTime"]);
  if (kind === "dateTime") {
    const time = textOf(`${path}.dateTime`, (value as TemplateDateTime).dateTime);
    return { type: "date_time", date_time: { fallback_value: time } };
  }
  const { code, amount, fallback } = objectOf(`${path}.currency`, (value as TemplateCurrency).currency);
  const thousandths = Math.round(numberIn(`${path}.currency.amount`, amount, -1e12, 1e12) * THOUSANDTHS);
  const currency = {
    code: textOf(`${path}.currency.code`, code),
    amount_1000: thousandths,
    fallback_value: textOf(`${path}.currency.fallback`, fallback),
  };
  return { type: "currency", currency };
}

// ---- Offer, buttons, cards ---------------------------------------------------------------------------------------

function offerOf(end: Date): JsonObject {
  if (!(end instanceof Date) || Number.isNaN(end.getTime())) {
    throw new OptionError(`The "limitedTimeOffer" is ${showValue(end)} instead of a valid Date`);
  }
  const parameter = { type: "limited_time_offer", limited_time_offer: { expiration_time_ms: end.getTime() } };
  return { type: "limited_time_offer", parameters: [parameter] };
}

/** A button with a member for each kind. */
type AnyButton = {
  index?: number | undefined;
  quickReply?: string;
  url?: string;
  otp?: string;
  copyCode?: string;
  flow?: { token?: string | undefined; data?: JsonObject | undefined };
  catalog?: { thumbnailProductRetailerId?: string | undefined };
  products?: { thumbnailProductRetailerId?: string | undefined; sections: readonly ProductSection[] };
  callButton?: { ttlMinutes?: number | undefined; payload?: string | undefined };
  orderDetails?: JsonObject;
};

type ButtonKind = Exclude<keyof AnyButton, "index">;

/** Name of each kind of button in the Cloud API, and the maker of its parameters. */
const BUTTONS: Readonly<
  Record<ButtonKind, readonly [subType: string, parameters: (path: string, button: AnyButton) => JsonObject[]]>
> = {
  quickReply: ["quick_reply", (path, { quickReply }) => [{ type: "payload", payload: textOf(path, quickReply) }]],
  url: ["url", (path, { url }) => [{ type: "text", text: textOf(path, url, MOST_URL) }]],
  otp: ["url", (path, { otp }) => [{ type: "text", text: textOf(path, otp, MOST_CODE) }]],
  copyCode: ["copy_code", (path, { copyCode }) => [{ type: "coupon_code", coupon_code: textOf(path, copyCode) }]],
  flow: ["flow", (path, { flow }) => {
    const { token, data } = objectOf(path, flow);
    return action({
      flow_token: optionalText(`${path}.token`, token),
      flow_action_data: optionalObject(`${path}.data`, data),
    });
  }],
  catalog: ["catalog", (path, { catalog }) => {
    const thumbnail = thumbnailOf(path, objectOf(path, catalog));
    return thumbnail === undefined ? [] : action({ thumbnail_product_retailer_id: thumbnail });
  }],
  products: ["mpm", (path, { products }) => {
    const thumbnail = thumbnailOf(path, objectOf(path, products));
    return action({ thumbnail_product_retailer_id: thumbnail, sections: productSections(products!.sections) });
  }],
  callButton: ["voice_call", (path, { callButton }) => {
    const { ttlMinutes, payload } = objectOf(path, callButton);
    const parameters: JsonObject[] = [];
    if (ttlMinutes !== undefined) parameters.push({ type: "ttl_minutes", ttl_minutes: ttlOf(path, ttlMinutes) });
    if (payload !== undefined) {
      parameters.push({ type: "payload", payload: textOf(`${path}.payload`, payload, MOST_CALL_PAYLOAD) });
    }
    return parameters;
  }],
  orderDetails: ["order_details", (path, { orderDetails }) => action({ order_details: objectOf(path, orderDetails) })],
};

function thumbnailOf(path: string, { thumbnailProductRetailerId }: JsonObject): string | undefined {
  return optionalText(`${path}.thumbnailProductRetailerId`, thumbnailProductRetailerId);
}

function ttlOf(path: string, ttlMinutes: unknown): number {
  return integerIn(`${path}.ttlMinutes`, ttlMinutes, 1, MOST_TTL_MINUTES);
}

const BUTTON_KINDS = /* @__PURE__ */ Object.keys(BUTTONS) as ButtonKind[];
const BUTTON = /* @__PURE__ */ new OptionNames("A button of a template", {
  tables: [BUTTONS, { index: true }],
  hints: { payload: 'use "quickReply"', text: 'use "url"', coupon_code: 'use "copyCode"' },
  example: () => '{ quickReply: "…" }',
});

function buttonOf(path: string, button: TemplateButton, place: number): JsonObject {
  const any: AnyButton = named(BUTTON, button);
  const kind = onlyMember(`The "${path}"`, any, BUTTON_KINDS);
  const [subType, parametersOf] = BUTTONS[kind];
  const index = integerIn(`${path}.index`, any.index ?? place, 0, Number.MAX_SAFE_INTEGER);
  const parameters = parametersOf(`${path}.${kind}`, any);
  return { type: "button", sub_type: subType, index, ...parameters.length > 0 && { parameters } };
}

function action(members: JsonObject): JsonObject[] {
  return [{ type: "action", action: withoutUndefined(members) }];
}

const CARD_NAMES: OptionTable<TemplateCard> = { header: true, body: true, buttons: true };
const CARD = /* @__PURE__ */ new OptionNames("A card of a template", { tables: [CARD_NAMES] });

function carouselOf(cards: readonly TemplateCard[], uploads: Upload[]): JsonObject {
  const made = listOf("cards", cards, MOST_CARDS).map((card, index) => ({
    card_index: index,
    components: componentsOf(`cards[${index}].`, named(CARD, card), uploads),
  }));
  return { type: "carousel", cards: made };
}
