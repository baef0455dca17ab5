/**
 * Contents of messages that are sent: texts, media, locations, contacts and reactions. Each builder checks the limits
 * of Meta's pages "Text messages", "Image messages" and so on (2026), and makes the JSON of the Cloud API.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { listOf, numberIn, onlyMember, optionalText, textOf, urlOf } from "./contents_checks.ts";
import { type JsonObject, withoutUndefined } from "./json.ts";
import type { MediaKind } from "./media_types.ts";
import type { WhatsAppContact } from "./contact_card.ts";

/** Contents of a message, checked, as JSON of the Cloud API. */
export interface Draft {
  /** Type of the message. */
  readonly type: string;
  /** Value of the key named by the type. */
  readonly contents: JsonObject | readonly JsonObject[];
  /** Files to upload first. */
  readonly uploads: readonly Upload[];
}

/** A file to upload, whose id then goes into a part of the contents. */
export interface Upload {
  /** Part of the contents that gets `id`. */
  readonly media: JsonObject;
  /** The file. */
  readonly file: MediaByFile;
  /** Kind of media that it is for, which limits its type and size. */
  readonly kind: MediaKind;
}

/** A file that Meta has: one that was uploaded before, or that a customer sent. */
export interface MediaById {
  /** Its media id. */
  id: string;
  /** Not with an id. */
  link?: undefined;
  /** Not with an id. */
  file?: undefined;
}

/** A file that Meta fetches. */
export interface MediaByLink {
  /** Its `http` or `https` URL, which must be public. */
  link: string;
  /** Not with a link. */
  id?: undefined;
  /** Not with a link. */
  file?: undefined;
}

/** A file that is uploaded first. */
export interface MediaByFile {
  /** The bytes. */
  file: Blob | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array>;
  /** Its MIME type, such as `image/png`; a `Blob` may bring its own. */
  mimeType?: string | undefined;
  /** Its size in bytes: for streams, so that the limit can be checked before. */
  size?: number | undefined;
  /** The name of the file. */
  filename?: string | undefined;
  /**
   * Refuse types that Meta did not list when this version was made.
   * @default {true}
   */
  checkType?: boolean | undefined;
  /** Not with a file. */
  id?: undefined;
  /** Not with a file. */
  link?: undefined;
}

/** A file: by its media id, by a link, or by uploading it. */
export type MediaReference = MediaById | MediaByLink | MediaByFile;

/** A text. */
export interface TextContents {
  /** The text, up to 4096 characters. */
  body: string;
  /**
   * Show a preview of the first link.
   * @default {false}
   */
  previewUrl?: boolean | undefined;
}

/** An image; the one of a message that was received works too. */
export type ImageContents = MediaReference & {
  /** Caption, up to 1024 characters. */
  caption?: string | undefined;
};

/** A video; the one of a message that was received works too. */
export type VideoContents = MediaReference & {
  /** Caption, up to 1024 characters. */
  caption?: string | undefined;
};

/** An audio file; the one of a message that was received works too. */
export type AudioContents = MediaReference & {
  /** `true`: shown as a voice message. Needs OGG with the Opus codec. */
  voice?: boolean | undefined;
};

/** A file of any other type; the one of a message that was received works too. */
export type DocumentContents = MediaReference & {
  /** Caption, up to 1024 characters. */
  caption?: string | undefined;
  /**
   * The name of the file as it is shown; its extension decides about the icon.
   * @default {the name of a `File`}
   */
  filename?: string | undefined;
};

/** A sticker in WebP; the one of a message that was received works too. */
export type StickerContents = MediaReference;

/** A location; the one of a message that was received works too. */
export interface LocationContents {
  /** Degrees north, from -90 to 90. */
  latitude: number;
  /** Degrees east, from -180 to 180. */
  longitude: number;
  /** Its name. */
  name?: string | undefined;
  /** Its address. */
  address?: string | undefined;
}

/** A contact card; one that was received works too. */
export interface ContactContents {
  /** The name: `formattedName` is needed. */
  name: WhatsAppContact["name"];
  /** Phone numbers; with `waId` the card offers to write to them. */
  phones?: WhatsAppContact["phones"] | undefined;
  /** E-mail addresses. */
  emails?: WhatsAppContact["emails"] | undefined;
  /** Postal addresses. */
  addresses?: WhatsAppContact["addresses"] | undefined;
  /** Web pages. */
  urls?: WhatsAppContact["urls"] | undefined;
  /** The organisation. */
  org?: WhatsAppContact["org"] | undefined;
  /** The birthday, as `YYYY-MM-DD`. */
  birthday?: string | undefined;
}

/** A reaction. */
export interface ReactionContents {
  /** The message it belongs to, at most 30 days old. */
  messageId: string;
  /** The emoji; "" takes the reaction back. */
  emoji: string;
}

const MOST_TEXT = 4096;
const MOST_CAPTION = 1024;
/** Meta's page "Contacts messages"; its OpenAPI file says 5, which is its advice elsewhere. */
const MOST_CONTACTS = 257;

// ---- Texts -------------------------------------------------------------------------------------------------------

const TEXT_NAMES: OptionTable<TextContents> = { body: true, previewUrl: true };
const TEXT = new OptionNames("The text", {
  tables: [TEXT_NAMES],
  hints: { text: 'use "body"', preview_url: 'use "previewUrl"' },
  example: () => '{ body: "…" }',
});

/**
 * Makes a text.
 *
 * @param contents The text.
 * @returns The JSON.
 * @throws {OptionError} If it is empty, or too long.
 */
export function textDraft(contents: string | TextContents): Draft {
  const { body, previewUrl = false } = typeof contents === "string" ? { body: contents } : named(TEXT, contents);
  if (typeof previewUrl !== "boolean") {
    throw new OptionError(`The option "previewUrl" is ${showValue(previewUrl)} instead of true or false`);
  }
  return draft("text", { body: textOf("body", body, MOST_TEXT), preview_url: previewUrl });
}

// ---- Media -------------------------------------------------------------------------------------------------------

/** Names of references, and of received media, which may be sent on: the last two are not used. */
const REFERENCE_NAMES = {
  id: true,
  link: true,
  file: true,
  mimeType: true,
  size: true,
  filename: true,
  checkType: true,
  sha256: true,
  url: true,
};
const MEDIA_HINTS = {
  path: 'read the file, and use "file"',
  mime_type: 'use "mimeType"',
  type: 'use "mimeType"',
};

function mediaNames(owner: string, ...more: string[]): OptionNames {
  const table = Object.fromEntries(more.map((name) => [name, true]));
  return new OptionNames(owner, {
    tables: [REFERENCE_NAMES, table],
    hints: MEDIA_HINTS,
    example: () => '{ link: "https://…" }',
  });
}

const IMAGE = mediaNames("The image", "caption");
const VIDEO = mediaNames("The video", "caption");
const AUDIO = mediaNames("The audio", "voice");
const DOCUMENT = mediaNames("The document", "caption");
const STICKER = mediaNames("The sticker", "animated");

/**
 * Makes an image.
 *
 * @param contents The image.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If there is no file, or the caption is too long.
 */
export function imageDraft(contents: ImageContents): Draft {
  return mediaDraft("image", named(IMAGE, contents), captionOf(contents));
}

/**
 * Makes a video.
 *
 * @param contents The video.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If there is no file, or the caption is too long.
 */
export function videoDraft(contents: VideoContents): Draft {
  return mediaDraft("video", named(VIDEO, contents), captionOf(contents));
}

/**
 * Makes an audio file.
 *
 * @param contents The audio file.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If there is no file.
 */
export function audioDraft(contents: AudioContents): Draft {
  const { voice } = named(AUDIO, contents);
  if (voice !== undefined && typeof voice !== "boolean") {
    throw new OptionError(`The option "voice" is ${showValue(voice)} instead of true or false`);
  }
  return mediaDraft("audio", contents, { voice });
}

/**
 * Makes a document.
 *
 * @param contents The document.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If there is no file, or the caption is too long.
 */
export function documentDraft(contents: DocumentContents): Draft {
  const { filename, file } = named(DOCUMENT, contents);
  const shown = optionalText("filename", filename) ?? (file instanceof File ? file.name : undefined);
  return mediaDraft("document", contents, { ...captionOf(contents), filename: shown });
}

/**
 * Makes a sticker.
 *
 * @param contents The sticker.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If there is no file.
 */
export function stickerDraft(contents: StickerContents): Draft {
  return mediaDraft("sticker", named(STICKER, contents), {});
}

function mediaDraft(type: MediaKind, contents: MediaReference, more: JsonObject): Draft {
  const uploads: Upload[] = [];
  return { type, contents: mediaOf(type, type, contents, uploads, more), uploads };
}

/**
 * Makes the JSON of a file; one that must be uploaded gets its id later.
 *
 * @param name Its name, for messages.
 * @param kind Its kind.
 * @param media The file.
 * @param uploads List that gets the file if it must be uploaded.
 * @param more Further members.
 * @returns The JSON.
 * @throws {OptionError} If there is not exactly one of id, link and file, or it is of a wrong type.
 */
export function mediaOf(
  name: string,
  kind: MediaKind,
  media: MediaReference,
  uploads: Upload[],
  more: JsonObject = {},
): JsonObject {
  const json: JsonObject = {};
  const by = onlyMember(`The "${name}"`, media, ["id", "link", "file"]);
  if (by === "id") json.id = textOf(`${name}.id`, media.id);
  else if (by === "link") json.link = urlOf(`${name}.link`, media.link);
  else uploads.push({ media: json, file: fileOf(name, media as MediaByFile), kind });
  // The same object: it gets the id of a file that is uploaded later.
  return Object.assign(json, withoutUndefined(more));
}

const FILE_CLASSES = [Blob, Uint8Array, ArrayBuffer, ReadableStream];

function hintFor(file: unknown): string {
  if (typeof file === "string") return "; read the file before";
  return file instanceof Promise ? "; await the promise" : "";
}

function fileOf(name: string, media: MediaByFile): MediaByFile {
  const { file, mimeType } = media;
  optionalText(`${name}.mimeType`, mimeType);
  if (FILE_CLASSES.some((each) => file instanceof each)) return media;
  const hint = hintFor(file);
  throw new OptionError(
    `The "${name}.file" is ${
      showValue(file)
    } instead of a Blob, a Uint8Array, an ArrayBuffer or a ReadableStream${hint}`,
  );
}

function captionOf({ caption }: { caption?: string | undefined }): JsonObject {
  return { caption: optionalText("caption", caption, MOST_CAPTION) };
}

// ---- Locations, contacts, reactions ------------------------------------------------------------------------------

const LOCATION_NAMES: OptionTable<LocationContents> = { latitude: true, longitude: true, name: true, address: true };
const LOCATION = new OptionNames("The location", {
  tables: [LOCATION_NAMES, { url: true }],
  hints: { lat: 'use "latitude"', lon: 'use "longitude"', lng: 'use "longitude"' },
  example: () => "{ latitude: 52.5, longitude: 13.4 }",
});

/**
 * Makes a location.
 *
 * @param contents The location.
 * @returns The JSON.
 * @throws {OptionError} If a coordinate is out of range.
 */
export function locationDraft(contents: LocationContents): Draft {
  return draft("location", locationOf(contents));
}

/**
 * Makes the JSON of a location.
 *
 * @param contents The location.
 * @returns The JSON.
 * @throws {OptionError} If a coordinate is out of range.
 */
export function locationOf(contents: LocationContents): JsonObject {
  const { latitude, longitude, name, address } = named(LOCATION, contents);
  return withoutUndefined({
    latitude: numberIn("latitude", latitude, -90, 90),
    longitude: numberIn("longitude", longitude, -180, 180),
    name: optionalText("name", name),
    address: optionalText("address", address),
  });
}

/** Members of contact cards with names of two words, in the words of the Cloud API. */
const SNAKE_CASE: Readonly<Record<string, string>> = {
  formattedName: "formatted_name",
  firstName: "first_name",
  lastName: "last_name",
  middleName: "middle_name",
  waId: "wa_id",
  countryCode: "country_code",
};
const CARD_HINTS = Object.fromEntries(Object.entries(SNAKE_CASE).map(([name, key]) => [key, `use "${name}"`]));

const contactNames = (owner: string, names: string): OptionNames =>
  new OptionNames(owner, {
    tables: [Object.fromEntries(names.split(" ").map((name) => [name, true]))],
    hints: CARD_HINTS,
  });

/** Cards that were received have `origin` and `vcard` too, which are not sent. */
const CONTACT = contactNames("A contact", "name phones emails addresses urls org birthday origin vcard");
const NAME = contactNames('The "name" of a contact', "formattedName firstName lastName middleName suffix prefix");
const ORG = contactNames('The "org" of a contact', "company department title");
/** Lists of a contact: their key, and the names of their entries. */
const CONTACT_LISTS = {
  phones: contactNames('The "phones" of a contact', "phone waId type"),
  emails: contactNames('The "emails" of a contact', "email type"),
  addresses: contactNames('The "addresses" of a contact', "street city state zip country countryCode type"),
  urls: contactNames('The "urls" of a contact', "url type"),
} as const;

/**
 * Makes contact cards.
 *
 * @param contacts The cards, up to 257.
 * @returns The JSON.
 * @throws {OptionError} If there is none, or one has no formatted name.
 */
export function contactsDraft(contacts: readonly ContactContents[]): Draft {
  const cards = listOf("contacts", contacts, MOST_CONTACTS).map(contactOf);
  return { type: "contacts", contents: cards, uploads: [] };
}

function contactOf(contact: ContactContents, index: number): JsonObject {
  const { name, org, birthday } = named(CONTACT, contact);
  textOf(`contacts[${index}].name.formattedName`, named(NAME, name).formattedName);
  const card: JsonObject = { name: textsOf(name) };
  for (const key of Object.keys(CONTACT_LISTS) as (keyof typeof CONTACT_LISTS)[]) {
    const entries = contact[key];
    if (entries === undefined) continue;
    const list = listOf<object>(`contacts[${index}].${key}`, entries, Infinity, 0);
    if (list.length > 0) card[key] = list.map((entry) => textsOf(named(CONTACT_LISTS[key], entry)));
  }
  if (org !== undefined) card.org = textsOf(named(ORG, org));
  if (birthday !== undefined) card.birthday = textOf(`contacts[${index}].birthday`, birthday);
  return card;
}

function textsOf(texts: object): JsonObject {
  const json: JsonObject = {};
  for (const [name, value] of Object.entries(texts)) {
    if (value !== undefined && value !== "") json[SNAKE_CASE[name] ?? name] = textOf(name, value);
  }
  return json;
}

const REACTION_NAMES: OptionTable<ReactionContents> = { messageId: true, emoji: true };
const REACTION = new OptionNames("The reaction", {
  tables: [REACTION_NAMES],
  hints: { message_id: 'use "messageId"' },
  example: () => '{ messageId: message.id, emoji: "👍" }',
});

/**
 * Makes a reaction.
 *
 * @param contents The reaction.
 * @returns The JSON.
 * @throws {OptionError} If it has no message, or no text as emoji.
 */
export function reactionDraft(contents: ReactionContents): Draft {
  const { messageId, emoji } = named(REACTION, contents);
  const shown = emoji === "" ? "" : textOf("emoji", emoji);
  return draft("reaction", { message_id: textOf("messageId", messageId), emoji: shown });
}

// ---- For all -----------------------------------------------------------------------------------------------------

/**
 * Checks the names of an object.
 *
 * @param names The names.
 * @param contents The object.
 * @returns The object.
 * @throws {OptionError} If it is no object, or has another name.
 */
export function named<Contents extends object>(names: OptionNames, contents: Contents): Contents {
  names.assert(contents);
  return contents;
}

function draft(type: string, contents: JsonObject): Draft {
  return { type, contents, uploads: [] };
}
