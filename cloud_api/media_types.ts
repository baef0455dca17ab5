/**
 * Types and sizes of files that the Cloud API takes, so that a wrong file is refused before a byte is uploaded.
 *
 * Sources: Meta's page "Media" (section "Supported media types"), and the list in the error of its upload endpoint,
 * which also has `audio/opus` and spells `video/3gpp`. Where they disagree, both are taken. Sizes are read as powers of
 * two, the larger reading of "MB" and "KB".
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";

/** Kind of message that a file is for. */
export type MediaKind = "audio" | "document" | "image" | "sticker" | "video";

const KB = 1024;
const MB = 1024 * KB;
/** Largest static sticker; {@linkcode MEDIA_SIZES} has that of an animated one. */
const STATIC_STICKER_SIZE = 100 * KB;
const OFFICE = "application/vnd.openxmlformats-officedocument.";

/** Largest file of each kind, in bytes. */
export const MEDIA_SIZES: Readonly<Record<MediaKind, number>> = {
  audio: 16 * MB,
  document: 100 * MB,
  image: 5 * MB,
  sticker: 500 * KB,
  video: 16 * MB,
};

/** MIME types of each kind, without parameters. */
export const MEDIA_TYPES: Readonly<Record<MediaKind, readonly string[]>> = {
  audio: ["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"],
  document: [
    "application/pdf",
    "text/plain",
    "application/msword",
    `${OFFICE}wordprocessingml.document`,
    "application/vnd.ms-excel",
    `${OFFICE}spreadsheetml.sheet`,
    "application/vnd.ms-powerpoint",
    `${OFFICE}presentationml.presentation`,
  ],
  image: ["image/jpeg", "image/png"],
  sticker: ["image/webp"],
  video: ["video/mp4", "video/3gpp", "video/3gp"],
};

/** All kinds. */
export const MEDIA_KINDS: readonly MediaKind[] = ["audio", "document", "image", "sticker", "video"];

/** MIME types by the extension of a file. */
const TYPES_BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  ["aac", "audio/aac"],
  ["amr", "audio/amr"],
  ["mp3", "audio/mpeg"],
  ["m4a", "audio/mp4"],
  ["ogg", "audio/ogg"],
  // The file that WhatsApp exports under this name is Ogg; messages with `audio/opus` fail with 131053.
  ["opus", "audio/ogg"],
  ["txt", "text/plain"],
  ["pdf", "application/pdf"],
  ["doc", "application/msword"],
  ["docx", `${OFFICE}wordprocessingml.document`],
  ["xls", "application/vnd.ms-excel"],
  ["xlsx", `${OFFICE}spreadsheetml.sheet`],
  ["ppt", "application/vnd.ms-powerpoint"],
  ["pptx", `${OFFICE}presentationml.presentation`],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["png", "image/png"],
  ["webp", "image/webp"],
  ["mp4", "video/mp4"],
  ["3gp", "video/3gpp"],
]);

/**
 * Finds the MIME type of a file by the extension of its name.
 *
 * @param filename The name.
 * @returns The type; `undefined` if the Cloud API takes no file of this extension.
 */
export function typeOfName(filename: string): string | undefined {
  return TYPES_BY_EXTENSION.get(filename.slice(filename.lastIndexOf(".") + 1).toLowerCase());
}

/**
 * Finds the usual extension of a MIME type.
 *
 * @param mimeType The type, with or without parameters.
 * @returns The extension, without a dot; `undefined` for an unknown type.
 */
export function extensionOf(mimeType: string): string | undefined {
  const type = withoutParameters(mimeType);
  for (const [extension, known] of TYPES_BY_EXTENSION) if (known === type) return extension;
  return undefined;
}

/**
 * Finds the kind of message for a type.
 *
 * @param mimeType The type, with or without parameters.
 * @returns The kind with this type, or else the likely one: a document for anything but audio, images and videos.
 */
export function kindOf(mimeType: string): MediaKind {
  const type = withoutParameters(mimeType);
  const known = MEDIA_KINDS.find((kind) => MEDIA_TYPES[kind].includes(type));
  if (known !== undefined) return known;
  const [group] = type.split("/");
  return group === "audio" || group === "image" || group === "video" ? group : "document";
}

/**
 * Tells if Meta lists a type.
 *
 * @param mimeType The type, with or without parameters.
 * @returns `true` if it does.
 */
export function isKnownType(mimeType: string): boolean {
  return MEDIA_KINDS.some((kind) => MEDIA_TYPES[kind].includes(withoutParameters(mimeType)));
}

/**
 * Checks the type of a file.
 *
 * @param mimeType The type, with or without parameters.
 * @param kind The kind of message. A document may be of any type that the upload takes.
 * @throws {OptionError} If the Cloud API is not known to take it.
 */
export function assertMediaType(mimeType: string, kind: MediaKind): void {
  const type = withoutParameters(mimeType);
  const types = kind === "document" ? MEDIA_KINDS.flatMap((each) => MEDIA_TYPES[each]) : MEDIA_TYPES[kind];
  if (types.includes(type)) return;
  const list = MEDIA_TYPES[kind].map(shortName).join(", ");
  const hint = 'if Meta takes it, set "checkType" to false';
  throw new OptionError(`The option "mimeType" is ${quote(type)}: not for ${kind}, which takes ${list}; ${hint}`);
}

/**
 * Returns the largest size of a file.
 *
 * @param kind The kind of message.
 * @param head The beginning of the file, at least 21 bytes of it: tells static stickers from animated ones.
 * @returns The size, in bytes.
 */
export function sizeLimit(kind: MediaKind, head?: Uint8Array): number {
  const isStatic = kind === "sticker" && head !== undefined && isStaticWebp(head);
  return isStatic ? STATIC_STICKER_SIZE : MEDIA_SIZES[kind];
}

/**
 * Checks the size of a file.
 *
 * @param size The size, or the number of bytes so far, in bytes.
 * @param limit The largest size.
 * @param kind The kind of message.
 * @throws {OptionError} If the file is empty or too large.
 */
export function assertMediaSize(size: number, limit: number, kind: MediaKind): void {
  if (size === 0) throw new OptionError("Cannot upload the file: it is empty");
  if (size <= limit) return;
  const sort = limit === STATIC_STICKER_SIZE ? "static sticker" : kind;
  throw new OptionError(`Cannot upload the file of ${size} bytes: the limit for ${sort} is ${limit} bytes`);
}

/** Tells static WebP images from animated ones, and from other files. */
function isStaticWebp(head: Uint8Array): boolean {
  if (head.length < 21 || tag(head, 0) !== "RIFF" || tag(head, 8) !== "WEBP") return false;
  const chunk = tag(head, 12);
  // Only the extended format has flags, of which the second says that there are frames.
  return chunk === "VP8X" ? (head[20]! & 2) === 0 : chunk === "VP8 " || chunk === "VP8L";
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/**
 * Returns a MIME type in lower case, without parameters.
 *
 * @param mimeType The type.
 * @returns Its name.
 */
export function withoutParameters(mimeType: string): string {
  const end = mimeType.indexOf(";");
  return (end === -1 ? mimeType : mimeType.slice(0, end)).trim().toLowerCase();
}

/** Types of Office are too long for a message. */
function shortName(type: string): string {
  return type.startsWith(OFFICE) ? `….${type.slice(OFFICE.length)}` : type;
}
