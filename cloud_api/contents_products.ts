/**
 * Contents of messages with products of a catalogue, and of carousels. Each builder checks the limits of Meta's pages
 * "Share products" and "Interactive … carousel messages" (2026), and makes the JSON of the Cloud API.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { type Draft, mediaOf, type MediaReference, named, type Upload } from "./contents.ts";
import { assertCount, listOf, onlyMember, optionalText, textOf } from "./contents_checks.ts";
import {
  buttonsOf,
  interactive,
  type InteractiveTexts,
  MOST_BODY,
  MOST_HEADER,
  MOST_SECTIONS,
  namesOf,
  type ReplyButton,
  sectionTitle,
  urlAction,
} from "./contents_interactive.ts";
import { isObject, type JsonObject, withoutUndefined } from "./json.ts";

/** A product of the catalogue. */
export interface ProductContents {
  /** The text, up to 1024 characters. */
  body?: string | undefined;
  /** The line below it, up to 60 characters. */
  footer?: string | undefined;
  /** The catalogue. */
  catalogId: string;
  /** The product. */
  productRetailerId: string;
}

/** A section of products. */
export interface ProductSection {
  /** The title, up to 24 characters; needed if there are several sections. */
  title?: string | undefined;
  /** Their ids, `productRetailerId`. */
  products: readonly string[];
}

/**
 * Several products of the catalogue.
 *
 * Also from {@linkcode InteractiveTexts}: `body`, `footer`.
 */
export interface ProductsContents extends InteractiveTexts {
  /** The text above, up to 60 characters. */
  header: string;
  /** The catalogue. */
  catalogId: string;
  /** Up to 10 sections, with up to 30 products together. */
  sections: readonly ProductSection[];
}

/**
 * The catalogue.
 *
 * Also from {@linkcode InteractiveTexts}: `body`, `footer`.
 */
export interface CatalogContents extends InteractiveTexts {
  /**
   * Product whose picture is shown.
   * @default {the first of the catalogue}
   */
  thumbnailProductRetailerId?: string | undefined;
}

/** A card of a carousel with a picture or a film, and with a URL button or reply buttons. */
export interface MediaCard {
  /** Its picture; this or `video`, the same for all cards. */
  image?: MediaReference | undefined;
  /** Its film; this or `image`, the same for all cards. */
  video?: MediaReference | undefined;
  /** The text, up to 160 characters and 2 line breaks. */
  body?: string | undefined;
  /** Label of its URL button, up to 20 characters. */
  button?: string | undefined;
  /** URL of that button. */
  url?: string | undefined;
  /** Reply buttons instead of the URL button, as many on each card. */
  buttons?: readonly ReplyButton[] | undefined;
}

/** A card of a carousel with a product. */
export interface ProductCard {
  /** The catalogue, the same for all cards. */
  catalogId: string;
  /** The product. */
  productRetailerId: string;
}

/** Cards side by side. */
export interface CarouselContents {
  /** The text, up to 1024 characters. */
  body: string;
  /** From 2 to 10 cards of one kind. */
  cards: readonly MediaCard[] | readonly ProductCard[];
}

const MOST_PRODUCTS = 30;
const FEWEST_CARDS = 2;
const MOST_CARDS = 10;
const MOST_CARD_BODY = 160;
const MOST_CARD_LINE_BREAKS = 2;

// ---- Products ----------------------------------------------------------------------------------------------------

const PRODUCT = namesOf<ProductContents>("A product", {
  body: true,
  footer: true,
  catalogId: true,
  productRetailerId: true,
}, '{ catalogId: "…", productRetailerId: "…" }');

/**
 * Makes a message with a product.
 *
 * @param contents The message.
 * @returns The JSON.
 * @throws {OptionError} If a limit is passed.
 */
export function productDraft(contents: ProductContents): Draft {
  const { catalogId, productRetailerId } = named(PRODUCT, contents);
  return interactive("product", contents, productOf("", { catalogId, productRetailerId }));
}

function productOf(path: string, { catalogId, productRetailerId }: ProductCard): JsonObject {
  return {
    catalog_id: textOf(`${path}catalogId`, catalogId),
    product_retailer_id: textOf(`${path}productRetailerId`, productRetailerId),
  };
}

const PRODUCTS = namesOf<ProductsContents>("A list of products", {
  body: true,
  header: true,
  footer: true,
  catalogId: true,
  sections: true,
}, '{ header: "…", body: "…", catalogId: "…", sections: [{ products: ["…"] }] }');
const PRODUCT_SECTION = namesOf<ProductSection>("A section", { title: true, products: true });

/**
 * Makes a message with several products.
 *
 * @param contents The message.
 * @returns The JSON.
 * @throws {OptionError} If a limit is passed.
 */
export function productsDraft(contents: ProductsContents): Draft {
  const { header, catalogId, sections } = named(PRODUCTS, contents);
  textOf("header", header, MOST_HEADER);
  const action = { catalog_id: textOf("catalogId", catalogId), sections: productSections(sections) };
  return interactive("product_list", contents, action);
}

/**
 * Makes the JSON of sections of products.
 *
 * @param sections Up to 10, with up to 30 products together.
 * @returns The JSON.
 * @throws {OptionError} If a limit is passed.
 */
export function productSections(sections: readonly ProductSection[]): JsonObject[] {
  const checked = listOf("sections", sections, MOST_SECTIONS).map((section, index) => {
    const { title, products } = named(PRODUCT_SECTION, section);
    const path = `sections[${index}]`;
    const items = listOf(`${path}.products`, products, MOST_PRODUCTS).map((id, at) => ({
      product_retailer_id: textOf(`${path}.products[${at}]`, id),
    }));
    return withoutUndefined({ title: sectionTitle(path, title, sections.length), product_items: items });
  });
  assertCount("products of all sections", checked.flatMap((section) => section.product_items).length, MOST_PRODUCTS);
  return checked;
}

const CATALOG = namesOf<CatalogContents>("A catalogue", {
  body: true,
  footer: true,
  thumbnailProductRetailerId: true,
}, '{ body: "…" }');

/**
 * Makes a message with the catalogue.
 *
 * @param contents The message.
 * @returns The JSON.
 * @throws {OptionError} If a limit is passed.
 */
export function catalogDraft(contents: CatalogContents): Draft {
  const { thumbnailProductRetailerId } = named(CATALOG, contents);
  const thumbnail = optionalText("thumbnailProductRetailerId", thumbnailProductRetailerId);
  const parameters = thumbnail === undefined ? undefined : { thumbnail_product_retailer_id: thumbnail };
  return interactive("catalog_message", contents, withoutUndefined({ name: "catalog_message", parameters }));
}

// ---- Carousels ---------------------------------------------------------------------------------------------------

const CAROUSEL = namesOf<CarouselContents>("A carousel", { body: true, cards: true }, '{ body: "…", cards: [] }');
const MEDIA_CARD = namesOf<MediaCard>("A card", {
  image: true,
  video: true,
  body: true,
  button: true,
  url: true,
  buttons: true,
}, '{ image: { link: "https://…" }, button: "Shop", url: "https://…" }');
const PRODUCT_CARD = namesOf<ProductCard>("A card of a product", { catalogId: true, productRetailerId: true });

/**
 * Makes a carousel.
 *
 * @param contents The carousel.
 * @returns The JSON, and the files to upload.
 * @throws {OptionError} If a limit is passed, or cards differ where the Cloud API wants them alike.
 */
export function carouselDraft(contents: CarouselContents): Draft {
  const { cards } = named(CAROUSEL, contents);
  const list = listOf<MediaCard | ProductCard>("cards", cards, MOST_CARDS, FEWEST_CARDS);
  const uploads: Upload[] = [];
  const made = list.map((card, index) => ({ card_index: index, ...cardOf(`cards[${index}]`, card, uploads) }));
  const kinds = list.map(kindOfCard);
  const other = kinds.findIndex((kind) => kind !== kinds[0]);
  if (other === -1) return interactive("carousel", contents, { cards: made }, MOST_BODY, uploads);
  throw new OptionError(
    `The "cards[${other}]" differs from "cards[0]": all need the same kind of picture, button or catalogue`,
  );
}

function cardOf(path: string, card: MediaCard | ProductCard, uploads: Upload[]): JsonObject {
  if (isProductCard(card)) return { type: "product", action: productOf(`${path}.`, named(PRODUCT_CARD, card)) };
  const { body, button, url, buttons } = named(MEDIA_CARD, card);
  const type = onlyMember(`The "${path}"`, card, ["image", "video"]);
  const header = { type, [type]: mediaOf(`${path}.${type}`, type, card[type]!, uploads) };
  const by = onlyMember(`The "${path}"`, card, ["url", "buttons"]);
  return withoutUndefined({
    // Meta's page has this type for both kinds of buttons.
    type: "cta_url",
    header,
    body: body === undefined ? undefined : { text: cardBody(`${path}.body`, body) },
    action: by === "url" ? urlAction(`${path}.`, button, url) : repliesOf(`${path}.buttons`, buttons!),
  });
}

function repliesOf(path: string, buttons: readonly ReplyButton[]): JsonObject {
  // Meta's page has no limit but that of the template's buttons.
  const replies = buttonsOf(path, buttons, Infinity);
  return { buttons: replies.map((reply) => ({ type: "quick_reply", quick_reply: reply })) };
}

function cardBody(path: string, body: string): string {
  const breaks = textOf(path, body, MOST_CARD_BODY).split("\n").length - 1;
  if (breaks <= MOST_CARD_LINE_BREAKS) return body;
  throw new OptionError(
    `The "${path}" has ${breaks} line breaks: the Cloud API takes ${MOST_CARD_LINE_BREAKS} at most`,
  );
}

function isProductCard(card: MediaCard | ProductCard): card is ProductCard {
  return isObject(card) && ("catalogId" in card || "productRetailerId" in card);
}

/** Everything in which cards must be alike, as one text. */
function kindOfCard(card: MediaCard | ProductCard): string {
  if (isProductCard(card)) return `product ${card.catalogId}`;
  return `${card.image === undefined ? "video" : "image"} ${card.buttons?.length ?? "url"}`;
}
