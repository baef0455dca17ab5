/**
 * Messages on their way to the Cloud API: recipient, contents and options are checked and put together, files uploaded.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { assertSignal, OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { WhatsAppApiError } from "./api_error.ts";
import type { SendOptions, SentMessage, UploadOptions, UploadSource } from "./calls.ts";
import type { Draft } from "./contents.ts";
import { objectOf, optionalText, textOf } from "./contents_checks.ts";
import { type GraphClient, sendGraphMessage } from "./graph.ts";
import { isObject, type JsonObject, list, text, withoutUndefined } from "./json.ts";
import { checkFile, releasing } from "./media_upload.ts";
import type { WhatsAppMessage } from "./messages.ts";
import { addressOf, type Recipient } from "./recipient.ts";
import type { TemplateParameters } from "./template_components.ts";

/** Calls that sending needs. */
export interface MessageCalls {
  /** The Graph API. */
  readonly graph: GraphClient;
  /** Uploads a file. */
  uploadMedia(file: UploadSource, options: UploadOptions): Promise<{ id: string }>;
}

const MOST_CALLBACK_DATA = 512;

const SEND_NAMES: OptionTable<SendOptions> = {
  replyTo: true,
  bizOpaqueCallbackData: true,
  fields: true,
  signal: true,
};
const TEMPLATE_NAMES: OptionTable<TemplateParameters> = {
  header: true,
  body: true,
  buttons: true,
  cards: true,
  limitedTimeOffer: true,
  components: true,
};
const HINTS = {
  context: 'use "replyTo"',
  preview_url: 'use "previewUrl"',
  lang: 'use "language"',
  parameters: 'use "body"',
  params: 'use "body"',
  tracker: 'use "bizOpaqueCallbackData"',
};

function optionNames(more: object, example = "{ replyTo: message.id }"): OptionNames {
  return new OptionNames("A message", {
    tables: [SEND_NAMES, more],
    hints: HINTS,
    example: () => example,
  });
}

/** Names of options that each message may have. */
const SEND_OPTIONS: OptionNames = /* @__PURE__ */ optionNames({});
/** Names of options of texts. */
export const TEXT_OPTIONS: OptionNames = /* @__PURE__ */ optionNames({ previewUrl: true });
/** Names of options of templates. */
export const TEMPLATE_OPTIONS: OptionNames = /* @__PURE__ */ optionNames(
  { language: true, ...TEMPLATE_NAMES },
  '{ language: "en_US" }',
);

/**
 * Checks everything, then uploads files, and sends.
 *
 * @param calls The API.
 * @param to The recipient.
 * @param draft The contents.
 * @param options Options of the message.
 * @param names Names of options that it may have.
 * @returns The message, once the API has accepted it.
 * @throws {OptionError} If recipient or options are not valid.
 * @throws {WhatsAppApiError} If the API does not accept it.
 */
export async function sendDraft(
  calls: MessageCalls,
  to: Recipient,
  draft: Draft,
  options: SendOptions,
  names: OptionNames = SEND_OPTIONS,
): Promise<SentMessage> {
  names.assert(options);
  assertSignal(options);
  const { signal } = options;
  const address = addressOf(to);
  const message = messageOf(address, draft, options);
  // Without files a message has its place in the queue before the caller goes on.
  if (draft.uploads.length > 0) await uploadFiles(calls, draft.uploads, signal);
  return sentMessage(await sendGraphMessage(calls.graph, keyOf(address), message, signal));
}

/** Checks all files, then uploads them one after the other, and puts their ids into the contents. */
async function uploadFiles(
  calls: MessageCalls,
  uploads: Draft["uploads"],
  signal: AbortSignal | undefined,
): Promise<void> {
  const files = uploads.map(({ media, file: { file, mimeType, filename, size, checkType }, kind }) => ({
    media,
    file,
    options: { kind, mimeType, filename, size, checkType, signal },
  }));
  // A mistake in the last file should not leave the first one at Meta.
  if (files.length > 1) { for (const { file, options } of files) await checkFile(file, options); }
  await releasing(files.map(({ file }) => file), async () => {
    for (const { media, file, options } of files) media.id = (await calls.uploadMedia(file, options)).id;
  });
}

/** Limits of sending are for a person: with or without a plus, a phone number is the same. */
function keyOf({ to, recipient }: JsonObject): string {
  const key = String(to ?? recipient);
  return key.startsWith("+") ? key.slice(1) : key;
}

/** Puts a message together; files that are uploaded later get their ids in it. */
function messageOf(address: JsonObject, { type, contents }: Draft, options: SendOptions): JsonObject {
  const { replyTo, bizOpaqueCallbackData, fields = {} } = options;
  const message = withoutUndefined<JsonObject>({
    ...address,
    context: replyTo === undefined ? undefined : { message_id: messageIdOf("replyTo", replyTo) },
    biz_opaque_callback_data: optionalText("bizOpaqueCallbackData", bizOpaqueCallbackData, MOST_CALLBACK_DATA),
    type,
    [type]: contents,
  });
  const taken = Object.keys(objectOf("fields", fields)).find((name) => Object.hasOwn(message, name));
  if (taken === undefined) return { ...fields, ...message };
  throw new OptionError(`The option "fields" has "${taken}", which the message has already`);
}

/**
 * Reads the id of a message.
 *
 * @param name Its name, for the error.
 * @param message The message, or its id.
 * @returns The id.
 * @throws {OptionError} If it is neither.
 */
export function messageIdOf(name: string, message: string | WhatsAppMessage): string {
  if (typeof message === "string") return textOf(name, message);
  if (isObject(message)) return textOf(`${name}.id`, message.id);
  throw new OptionError(`The option "${name}" is ${showValue(message)} instead of a message, or its id`);
}

function sentMessage(answer: JsonObject): SentMessage {
  const [message] = list(answer, "messages").filter(isObject);
  const [contact = {}] = list(answer, "contacts").filter(isObject);
  const id = message && text(message, "id");
  if (id === undefined) {
    throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API accepted a message, but named no id", 200);
  }
  return withoutUndefined({
    id,
    recipientId: text(contact, "wa_id"),
    userId: text(contact, "user_id"),
    input: text(contact, "input"),
    status: text(message!, "message_status"),
  });
}
