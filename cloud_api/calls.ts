/**
 * Options and results of calls to the Cloud API.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";

/**
 * Recipient of a message: a phone number with country code, a business-scoped user id such as
 * `US.13491208655302741918`, or a group.
 */
export type Recipient = string | { group: string };

/** Options of a message. */
export interface SendOptions {
  /** Id of the message that is answered. */
  replyTo?: string | undefined;
  /** Text of up to 512 characters that comes back with the statuses. */
  bizOpaqueCallbackData?: string | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/**
 * Options of a text.
 *
 * Also from {@linkcode SendOptions}:
 * - `replyTo`: Id of the message that is answered.
 * - `bizOpaqueCallbackData`: Text of up to 512 characters that comes back with the statuses.
 * - `signal`: Aborts the call.
 */
export interface SendTextOptions extends SendOptions {
  /** Show a preview of the first link. */
  previewUrl?: boolean | undefined;
}

/**
 * Options of a template.
 *
 * Also from {@linkcode SendOptions}:
 * - `replyTo`: Id of the message that is answered.
 * - `bizOpaqueCallbackData`: Text of up to 512 characters that comes back with the statuses.
 * - `signal`: Aborts the call.
 */
export interface TemplateOptions extends SendOptions {
  /** Its language, such as `en_US`. */
  language: string;
  /** Its parameters, as the Cloud API wants them. */
  components?: readonly JsonObject[] | undefined;
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
  /** The recipient's WhatsApp id, if the API reports it. */
  recipientId?: string | undefined;
  /** `accepted`, `held_for_quality_assessment`, `paused`, if the API reports it. */
  status?: string | undefined;
}

/** A file of a customer. */
export interface MediaFile {
  /** Its MIME type. */
  mimeType: string;
  /** Its size in bytes, if the API reports it. */
  size?: number | undefined;
  /** Its SHA-256 digest, as the API reports it. */
  sha256?: string | undefined;
  /** The bytes. The stream fails with `ERR_MEDIA_DIGEST` at its end if the digest does not match them. */
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
}
