/**
 * `send`: a message from the command line.
 *
 * @module
 */

import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { API_FLAGS, API_HELP, apiAccess, required, TOKEN_REMEDIES, withFlags } from "./api_access.ts";
import { type ApiProblem, explainApiError, problemLines } from "./api_remedies.ts";
import { dryFetch } from "./dry_run.ts";
import { type CliIo, ExitCode, jsonLine, parseCommandLine, UsageError } from "./io.ts";
import { withoutSecrets } from "./setup_report.ts";
import { templateValues } from "./template_params.ts";
import { quote } from "../base/error_text.ts";
import { describe, OptionError } from "../base/errors.ts";
import { failedBeforeRequest } from "../base/fetch_failure.ts";
import { didYouMean } from "../base/did_you_mean.ts";
import { printable } from "../base/log.ts";
import { WhatsAppApi } from "../cloud_api/api.ts";
import { kindOf, type MediaKind, typeOfName } from "../cloud_api/media_types.ts";
import { WhatsAppApiError } from "../cloud_api/api_error.ts";
import type { SendOptions, SentMessage } from "../cloud_api/calls.ts";
import { isUserId, phoneNumber } from "../cloud_api/recipient.ts";

/** Output of `send --help`. */
export const SEND_HELP: string = `send: send a message

  send TO TEXT [flags]                             a text of up to 4096 characters; "-" reads it from standard input
  send TO --template NAME --language CODE [flags]  a template, which may begin a conversation
  send TO --file FILE [flags]                      an image, a video, audio, a document, or a sticker

  TO is a phone number with its country code, such as "+1 650 555 1234", or a user id, such as
  US.13491208655302741918. The access token comes from WHATSAPP_ACCESS_TOKEN only: other users see command lines.

  --preview             show a preview of the first link of a text
  --param VALUE         value of the next parameter in the body of the template; or NAME=VALUE, if its parameters have
                        names. May be repeated. "=a=b" is the value a=b
  --components JSON     all parameters of the template, as the Cloud API wants them, instead of --param
  --caption TEXT        text under an image, a video or a document
  --as TYPE             image, video, audio, voice, document or sticker; by default it follows from the name of the file
  --mime-type TYPE      type of the file, if its name does not tell
  --reply-to ID         answer this message
  --callback-data TEXT  text of up to 512 characters that comes back with the statuses
  --dry-run             print the request instead of sending it; needs no access token
  --json                print the result as JSON: {"ok":true,"id":"wamid.…",…}, or {"ok":false,…}
${API_HELP}
  --help                print this text

The exit code is 0 if the API has accepted the message, 1 if it has not, 2 if the command line is wrong. Its
statuses tell if the message arrives: tail shows them.`;

const FLAGS = {
  template: { type: "string" },
  language: { type: "string" },
  param: { type: "string", multiple: true },
  components: { type: "string" },
  file: { type: "string" },
  as: { type: "string" },
  "mime-type": { type: "string" },
  caption: { type: "string" },
  preview: { type: "boolean" },
  "reply-to": { type: "string" },
  "callback-data": { type: "string" },
  "dry-run": { type: "boolean" },
  json: { type: "boolean" },
  ...API_FLAGS,
  help: { type: "boolean" },
} as const;

type Values = ReturnType<typeof parseCommandLine<typeof FLAGS>>["values"];

/** Sends the message that the command line describes. */
type Sender = (api: WhatsAppApi, options: SendOptions) => Promise<SentMessage>;

/** Flags that belong to one kind of message, by the flag that chooses it; "" is a text. */
const FLAGS_OF: Readonly<Record<string, readonly (keyof Values)[]>> = {
  "": ["preview"],
  template: ["language", "param", "components"],
  file: ["as", "mime-type", "caption"],
};

const REMEDIES: Readonly<Record<string, string>> = {
  ...TOKEN_REMEDIES,
  "--to": "; the recipient comes first, without a flag",
  "--text": "; the text comes behind the recipient, without a flag",
};

/** Placeholder that no request shows: a dry run sends nothing. */
const NO_TOKEN = "none: a dry run";
const WHERE_TOKEN = "Business settings > Users > System users > Generate token, or API Setup for a try";
const WHERE_NUMBER = "API Setup in the App Dashboard shows the phone number id";

/**
 * Runs the command.
 *
 * @param args Its arguments.
 * @param io The environment.
 * @returns The exit code.
 * @throws {UsageError} If the command line is wrong.
 */
export async function send(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, FLAGS, ["to", "text"], REMEDIES);
  if (values.help) {
    io.out(SEND_HELP);
    return ExitCode.Success;
  }
  const [to, text] = positionals;
  if (to === undefined) throw new UsageError("The recipient is missing");
  assertRecipient(to);
  const { accessToken, phoneNumberId, options } = apiAccess(values, io.env);
  const safe = withoutSecrets(io, [accessToken]);
  const api = makeApi({
    ...options,
    accessToken: required(
      accessToken ?? (values["dry-run"] ? NO_TOKEN : undefined),
      "WHATSAPP_ACCESS_TOKEN",
      WHERE_TOKEN,
    ),
    phoneNumberId: required(phoneNumberId, "WHATSAPP_PHONE_NUMBER_ID", WHERE_NUMBER),
    ...(values["dry-run"] ? { fetch: dryFetch(safe, values.json ?? false) } : {}),
  });
  const sender = await senderOf(to, text, values, io);
  return await run(api, sender, values, safe);
}

/** The API takes groups and messages too, which a command line does not. */
function assertRecipient(to: string): void {
  if (phoneNumber(to) !== undefined || isUserId(to)) return;
  const forms = "a phone number with its country code, or a user id such as US.13491208655302741918";
  throw new UsageError(`The recipient is ${quote(to)} instead of ${forms}; it comes first, and the text behind it`);
}

function makeApi(options: ConstructorParameters<typeof WhatsAppApi>[0]): WhatsAppApi {
  try {
    return new WhatsAppApi(options);
  } catch (error) {
    throw new UsageError(withFlags(describe(error)));
  }
}

async function run(api: WhatsAppApi, sender: Sender, values: Values, io: CliIo): Promise<number> {
  const stop = new AbortController();
  const ignoreStop = io.onStop(() => stop.abort(new Error("Stopped")));
  try {
    const sent = await sender(api, {
      replyTo: values["reply-to"],
      bizOpaqueCallbackData: values["callback-data"],
      signal: stop.signal,
    });
    if (!values["dry-run"]) printSent(sent, values.json ?? false, io);
    return ExitCode.Success;
  } catch (error) {
    if (error instanceof OptionError) throw new UsageError(withFlags(describe(error)));
    printProblem(explainApiError(error), mayBeSent(error), values.json ?? false, io);
    return ExitCode.Failure;
  } finally {
    ignoreStop();
  }
}

function printSent(sent: SentMessage, asJson: boolean, io: CliIo): void {
  if (asJson) return io.out(jsonLine({ ok: true, ...sent }));
  const { id, recipientId, status } = sent;
  const to = recipientId === undefined ? "" : ` for ${recipientId}`;
  io.out(printable(`Accepted${to}: ${id}${status === undefined || status === "accepted" ? "" : ` (${status})`}`));
}

function printProblem(problem: ApiProblem, mayBeSent: boolean, asJson: boolean, io: CliIo): void {
  if (asJson) return io.out(jsonLine({ ok: false, mayBeSent, error: problem }));
  const [first, ...more] = problemLines(problem).map(printable);
  const outcome = mayBeSent ? "Not confirmed, so it may have been sent." : "Not sent.";
  for (const line of [`${outcome} ${first}`, ...more]) io.err(`${line}\n`);
}

/** The API may have got the message if there was a connection, and no answer that can be read. */
function mayBeSent(error: unknown): boolean {
  if (!(error instanceof WhatsAppApiError) || error.code === "ERR_API_ANSWER") return true;
  return error.code === "ERR_API_UNREACHABLE" && !failedBeforeRequest(error.cause);
}

/** Reads what is to be sent, before anything is. */
async function senderOf(to: string, text: string | undefined, values: Values, io: CliIo): Promise<Sender> {
  const kinds = [
    ...(values.template === undefined ? [] : ["template"]),
    ...(values.file === undefined ? [] : ["file"]),
  ];
  if (kinds.length === 2) throw new UsageError("--template and --file cannot be used together");
  const [kind = ""] = kinds;
  if (kind !== "" && text !== undefined) {
    throw new UsageError(`A text cannot be sent with --${kind}: use ${kind === "file" ? "--caption" : "--param"}`);
  }
  for (const [owner, flags] of Object.entries(FLAGS_OF)) {
    const misplaced = flags.find((flag) => values[flag] !== undefined);
    if (owner === kind || misplaced === undefined) continue;
    throw new UsageError(`--${misplaced} belongs to ${owner === "" ? "a text" : `--${owner}`}`);
  }
  if (values.template !== undefined) return templateSender(to, values.template, values);
  if (values.file !== undefined) return fileSender(to, values.file, values);
  return await textSender(to, text, values, io);
}

async function textSender(to: string, text: string | undefined, { preview }: Values, io: CliIo): Promise<Sender> {
  if (text === undefined) throw new UsageError('The text is missing; "-" reads it from standard input');
  const body = text === "-" ? await readInput(io) : text;
  if (body.trim() === "") throw new UsageError("The text is empty");
  return (api, options) => api.sendText(to, body, { ...options, previewUrl: preview });
}

/** The line end after the last line is no part of a text. */
async function readInput(io: CliIo): Promise<string> {
  if (io.input === undefined) throw new UsageError("There is no standard input to read the text from");
  const text = await io.input();
  return text.endsWith("\r\n") ? text.slice(0, -2) : text.endsWith("\n") ? text.slice(0, -1) : text;
}

function templateSender(to: string, name: string, { language, param, components }: Values): Sender {
  if (language === undefined) throw new UsageError("--language is missing: that of the template, such as en_US");
  const parts = templateValues(param ?? [], components);
  return (api, options) => api.sendTemplate(to, name, { ...options, ...parts, language });
}

// ---- Files -------------------------------------------------------------------------------------------------------

/** Kinds of messages with a file, and the kind of media of each. */
const KINDS: ReadonlyMap<string, MediaKind> = new Map<string, MediaKind>([
  ["image", "image"],
  ["video", "video"],
  ["audio", "audio"],
  ["voice", "audio"],
  ["document", "document"],
  ["sticker", "sticker"],
]);

/** Largest file that Meta takes, in bytes. */
const MAX_FILE = 100 * 1024 * 1024;

function fileSender(to: string, path: string, values: Values): Sender {
  const mimeType = values["mime-type"] ?? typeOfName(path);
  if (mimeType === undefined) {
    throw new UsageError(`The name of "${path}" does not tell its type: give it with --mime-type`);
  }
  const as = values.as ?? kindOf(mimeType);
  const kind = KINDS.get(as);
  if (kind === undefined) {
    throw new UsageError(
      `--as has no type "${as}"${didYouMean(as, KINDS.keys())}; types: ${[...KINDS.keys()].join(", ")}`,
    );
  }
  const { caption } = values;
  if (caption !== undefined && (kind === "audio" || kind === "sticker")) {
    throw new UsageError(`--caption cannot be sent with --as ${as}: send a text after it`);
  }
  // A type that is given by hand is one that the list may lack.
  const checkType = values["mime-type"] === undefined;
  const media = { file: readFile(path), filename: basename(path), mimeType, checkType };
  return (api, options) => {
    switch (kind) {
      case "image":
        return api.sendImage(to, { ...media, caption }, options);
      case "video":
        return api.sendVideo(to, { ...media, caption }, options);
      case "audio":
        return api.sendAudio(to, { ...media, voice: as === "voice" ? true : undefined }, options);
      case "document":
        return api.sendDocument(to, { ...media, caption }, options);
      case "sticker":
        return api.sendSticker(to, media, options);
    }
  };
}

function readFile(path: string): Blob {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE) throw new UsageError(`"${path}" has ${size} bytes: Meta takes up to ${MAX_FILE}`);
    return new Blob([readFileSync(path)]);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`Cannot read "${path}": ${describe(error)}`);
  }
}
