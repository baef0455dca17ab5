/**
 * Contents of messages of each kind under the name of the kind: what {@linkcode WhatsAppApi.reply} takes beside a text.
 *
 * @module
 */

import { OptionNames } from "../base/option_names.ts";
import * as basic from "./contents.ts";
import * as interactive from "./contents_interactive.ts";
import * as products from "./contents_products.ts";
import { objectOf, onlyMember } from "./contents_checks.ts";
import type { JsonObject } from "./json.ts";
import { type TemplateContents, templateDraft } from "./template_components.ts";

/** Contents of a message, under the name of their kind: `{ image: { link: "https://…" } }`. */
export type MessageContents =
  | { text: string | basic.TextContents }
  | { image: basic.ImageContents }
  | { video: basic.VideoContents }
  | { audio: basic.AudioContents }
  | { document: basic.DocumentContents }
  | { sticker: basic.StickerContents }
  | { location: basic.LocationContents }
  | { contacts: readonly basic.ContactContents[] }
  | { reaction: basic.ReactionContents }
  | { buttons: interactive.ButtonsContents }
  | { list: interactive.ListContents }
  | { urlButton: interactive.UrlButtonContents }
  | { flow: interactive.FlowContents }
  | { product: products.ProductContents }
  | { products: products.ProductsContents }
  | { catalog: products.CatalogContents }
  | { carousel: products.CarouselContents }
  | { addressRequest: interactive.AddressRequestContents }
  | { locationRequest: string }
  | { contactRequest: string }
  | { callButton: interactive.CallButtonContents }
  | { callPermissionRequest: string }
  | { interactive: JsonObject }
  | { template: TemplateContents };

/** Members of all kinds. */
type AllContents = MessageContents extends infer Each ? Each extends object ? (each: Each) => void : never : never;
type Kinds = AllContents extends (each: infer All) => void ? All : never;

/** Builder of each kind. */
const BUILDERS: { readonly [Kind in keyof Kinds]: (contents: Kinds[Kind]) => basic.Draft } = {
  text: basic.textDraft,
  image: basic.imageDraft,
  video: basic.videoDraft,
  audio: basic.audioDraft,
  document: basic.documentDraft,
  sticker: basic.stickerDraft,
  location: basic.locationDraft,
  contacts: basic.contactsDraft,
  reaction: basic.reactionDraft,
  buttons: interactive.buttonsDraft,
  list: interactive.listDraft,
  urlButton: interactive.urlButtonDraft,
  flow: interactive.flowDraft,
  product: products.productDraft,
  products: products.productsDraft,
  catalog: products.catalogDraft,
  carousel: products.carouselDraft,
  addressRequest: interactive.addressRequestDraft,
  locationRequest: interactive.locationRequestDraft,
  contactRequest: interactive.contactRequestDraft,
  callButton: interactive.callButtonDraft,
  callPermissionRequest: interactive.callPermissionRequestDraft,
  interactive: (contents) => rawDraft("interactive", objectOf("interactive", contents)),
  template: templateDraft,
};
const KINDS = /* @__PURE__ */ Object.keys(BUILDERS) as (keyof Kinds)[];
const CONTENTS = /* @__PURE__ */ new OptionNames("A message", {
  tables: [BUILDERS],
  hints: { body: 'use { text: "…" }', contact: 'use "contacts"' },
  example: () => '{ image: { link: "https://…" } }',
});

/**
 * Makes a message of any kind.
 *
 * @param contents The contents, or a text.
 * @returns The JSON, and the files to upload.
 * @throws {OptionError} If there is not exactly one kind, or a limit is passed.
 */
export function draftOf(contents: string | MessageContents): basic.Draft {
  if (typeof contents === "string") return basic.textDraft(contents);
  CONTENTS.assert(contents);
  const kind = onlyMember("A message", contents, KINDS);
  const build = BUILDERS[kind] as (contents: unknown) => basic.Draft;
  return build(Reflect.get(contents, kind));
}

/**
 * Takes contents as the Cloud API wants them.
 *
 * @param type The type of the message.
 * @param contents The value of the key named by it.
 * @returns The contents, unchecked.
 * @throws {OptionError} If they are neither an object nor an array.
 */
export function rawDraft(type: string, contents: JsonObject | readonly JsonObject[]): basic.Draft {
  const checked = Array.isArray(contents) ? contents as readonly JsonObject[] : objectOf(type, contents);
  return { type, contents: checked, uploads: [] };
}
