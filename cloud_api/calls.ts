/**
 * Options and results of calls to the Cloud API.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";
import type { MediaKind } from "./media_types.ts";
import type { WhatsAppMessage } from "./messages.ts";
import type { TemplateParameters } from "./template_components.ts";

/** Options of a message. */
export interface SendOptions {
  /** The message that is answered, or its id. */
  replyTo?: string | WhatsAppMessage | undefined;
  /** Text of up to 512 characters that comes back with the statuses. */
  bizOpaqueCallbackData?: string | undefined;
  /** Further members of the message, as the Cloud API wants them: `{ recipient_identity_key_hash: "…" }`. */
  fields?: JsonObject | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/**
 * Options of a text.
 *
 * Also from {@linkcode SendOptions}:
 * - `replyTo`: The message that is answered, or its id.
 * - `bizOpaqueCallbackData`: Text of up to 512 characters that comes back with the statuses.
 * - `fields`: Further members of the message, as the Cloud API wants them: `{ recipient_identity_key_hash: "…" }`.
 * - `signal`: Aborts the call.
 */
export interface SendTextOptions extends SendOptions {
  /**
   * Show a preview of the first link.
   * @default {false}
   */
  previewUrl?: boolean | undefined;
}

/**
 * Options of a template: its language and values, and those of a message.
 *
 * Also from {@linkcode SendOptions}:
 * - `replyTo`: The message that is answered, or its id.
 * - `bizOpaqueCallbackData`: Text of up to 512 characters that comes back with the statuses.
 * - `fields`: Further members of the message, as the Cloud API wants them: `{ recipient_identity_key_hash: "…" }`.
 * - `signal`: Aborts the call.
 *
 * Also from {@linkcode TemplateParameters}:
 * - `header`: The header.
 * - `body`: Values of the text.
 * - `buttons`: Values of the buttons.
 * - `cards`: Values of the cards, all of them: up to 10.
 * - `limitedTimeOffer`: End of the offer.
 * - `components`: Components as the Cloud API wants them, after those above.
 */
export interface TemplateOptions extends SendOptions, TemplateParameters {
  /** Its language, such as `en_US`. */
  language: string;
}

/** Options of marking a message as read. */
export interface ReadOptions {
  /** Show that an answer is being written: for 25 seconds, or until it comes. */
  typing?: boolean | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** A message that the API has accepted. */
export interface SentMessage {
  /** Id of the message, which its statuses have too. */
  id: string;
  /** The recipient's WhatsApp id, if the API reports it: messages to a phone number. */
  recipientId?: string | undefined;
  /** The recipient's business-scoped user id, if the API reports it: messages to a user id. */
  userId?: string | undefined;
  /** The recipient as the API got it: phone number, user id, or group. */
  input?: string | undefined;
  /** `accepted`, `held_for_quality_assessment`, `paused`, if the API reports it. */
  status?: string | undefined;
}

/**
 * A file to upload: in memory, a file of the runtime (`openAsBlob` of `node:fs`), or a stream, which is not collected.
 */
export type UploadSource = Blob | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array>;

/** Options of an upload. */
export interface UploadOptions {
  /** MIME type of the file; without it that of the Blob, or the one for the extension of its name. */
  mimeType?: string | undefined;
  /** Name of the file; without it that of a `File`, or "file" with the extension of its type. */
  filename?: string | undefined;
  /**
   * Kind of message that the file is for, which limits its type and size; without it the kind that takes the MIME type.
   * An image that is sent as a document may be larger.
   */
  kind?: MediaKind | undefined;
  /** Size of a stream in bytes, if it is known: a file that is too large is then refused before anything is sent. */
  size?: number | undefined;
  /**
   * Refuse types that Meta did not list when this version was made.
   * @default {true}
   */
  checkType?: boolean | undefined;
  /** Aborts the upload. */
  signal?: AbortSignal | undefined;
}

/**
 * Options of a file for a template or a profile.
 *
 * Also from {@linkcode UploadOptions}:
 * - `mimeType`: MIME type of the file; without it that of the Blob, or the one for the extension of its name.
 * - `filename`: Name of the file; without it that of a `File`, or "file" with the extension of its type.
 * - `kind`: Kind of message that the file is for, which limits its type and size; without it the kind that takes the
 *   MIME type.
 * - `size`: Size of a stream in bytes, if it is known: a file that is too large is then refused before anything is
 *   sent.
 * - `checkType` (default `true`): Refuse types that Meta did not list when this version was made.
 * - `signal`: Aborts the upload.
 */
export interface UploadHandleOptions extends UploadOptions {
  /** Id of the app that the access token belongs to. */
  appId: string;
}

/** Options of fetching a file. */
export interface DownloadOptions {
  /**
   * Largest file, in bytes: a larger one fails with `ERR_MEDIA_TOO_LARGE`, before its first byte if the API reports the
   * size. 0: no limit.
   * @default {0}
   */
  maxSize?: number | undefined;
  /** Aborts the call, and the stream. */
  signal?: AbortSignal | undefined;
}

/** A file that the API keeps. */
export interface MediaInfo {
  /** Its id. */
  id: string;
  /** The URL of its bytes, valid for 5 minutes, and only with the access token. */
  url: string;
  /** Its MIME type. */
  mimeType?: string | undefined;
  /** Its SHA-256 digest, as the API reports it: in base64, or in hexadecimal digits. */
  sha256?: string | undefined;
  /** Its size in bytes. */
  size?: number | undefined;
}

/** A file of a customer. */
export interface MediaFile {
  /** Its MIME type. */
  mimeType: string;
  /** Its size in bytes, if the API reports it. */
  size?: number | undefined;
  /** Its SHA-256 digest, as the API reports it. */
  sha256?: string | undefined;
  /**
   * The bytes. The stream fails with `ERR_MEDIA_DIGEST` at its end if the digest does not match them. Read it to its
   * end, or cancel it: it holds a connection.
   */
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
}
