/**
 * Parts that all commands share: environment, command line, secrets, and text that is safe to print.
 *
 * @module
 */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { didYouMean } from "../base/did_you_mean.ts";
import { describe } from "../base/errors.ts";
import { printable } from "../base/log.ts";
import { errorText } from "../base/error_text.ts";
import { isSecret } from "../base/secrets.ts";
import type { WhatsAppAccountUpdate, WhatsAppTemplateUpdate } from "../cloud_api/account_records.ts";
import type { WhatsAppContents, WhatsAppSender } from "../cloud_api/messages.ts";
import type { WhatsAppHistoryMessage, WhatsAppRecord } from "../cloud_api/records.ts";

/** Environment of the program; tests replace it. */
export interface CliIo {
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `true` if standard error is a terminal, where a line can be overwritten. */
  readonly terminal: boolean;
  /**
   * Reads standard input to its end, or to 1 MiB. Without it no command can read it.
   *
   * @returns The text.
   */
  input?(): Promise<string>;
  /** Prints a line of results. */
  out(line: string): void;
  /** Prints text for people, without a line end of its own. */
  err(text: string): void;
  /**
   * Waits for signals to stop the program.
   *
   * @param handler Called for each signal.
   * @returns A function that ends the waiting.
   */
  onStop(handler: () => void): () => void;
  /**
   * Waits for signals to read certificates again.
   *
   * @param handler Called for each signal.
   * @returns A function that ends the waiting.
   */
  onReload(handler: () => void): () => void;
}

/** The exit codes of the program. */
export const ExitCode = {
  /** The command succeeded. */
  Success: 0,
  /** The command failed. */
  Failure: 1,
  /** The command line is wrong. */
  Usage: 2,
} as const;

/** The command line is wrong. */
export class UsageError extends Error {
  /** The name of the class. */
  override readonly name: string = "UsageError";

  /**
   * Makes an error.
   *
   * @param message The mistake, and the value at fault.
   */
  constructor(message: string) {
    super(errorText(message));
  }
}

/**
 * Parses a command line.
 *
 * @param args The arguments after the command.
 * @param options The flags.
 * @param positionals Names of the other arguments; no more than these are allowed.
 * @param remedies Remedies for flags that do not exist, behind the error about them.
 * @returns Flags and other arguments.
 * @throws {UsageError} If the command line is wrong.
 */
export function parseCommandLine<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: Options,
  positionals: readonly string[],
  remedies: Readonly<Record<string, string>> = {},
): ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true; strict: true }>> {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(unknownFlag(args, options, remedies) ?? describe(error));
  }
  if (parsed.positionals.length > positionals.length) {
    throw new UsageError(`Too many arguments: "${parsed.positionals[positionals.length]}"`);
  }
  return parsed;
}

/** The runtimes name an unknown flag each in its own words, and suggest none. */
function unknownFlag(
  args: readonly string[],
  options: object,
  remedies: Readonly<Record<string, string>>,
): string | undefined {
  for (const arg of args) {
    if (arg === "--") return undefined;
    const flag = arg.split("=")[0]!;
    if (!flag.startsWith("--") || Object.hasOwn(options, flag.slice(2))) continue;
    const similar = didYouMean(flag, Object.keys(options).map((name) => `--${name}`));
    return `There is no flag "${flag}"${similar || (remedies[flag] ?? "")}`;
  }
  return undefined;
}

/**
 * Reads a number of the command line.
 *
 * @param name The flag.
 * @param text Its value.
 * @param range The least and the most.
 * @returns The number; `undefined` without a value.
 * @throws {UsageError} If it is no number, or out of range.
 */
export function parseNumber(name: string, text: string | undefined, range: [number, number]): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && value >= range[0] && value <= range[1]) return value;
  throw new UsageError(`--${name} is "${text}": not a number from ${range[0]} to ${range[1]}`);
}

/**
 * Writes a value as one line of JSON, for programs and for the terminals of people: `JSON.stringify` leaves characters
 * that a terminal obeys as they are, beyond those of ASCII.
 *
 * @param value The value.
 * @returns JSON of the same value.
 */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value);
  if (printable(json) === json) return json;
  let safe = "";
  for (const char of json) {
    // None of them is beyond 16 bits.
    safe += printable(char) === char ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  }
  return safe;
}

/** Sources of a secret: a flag, or else a variable of the environment. */
export interface SecretSource {
  /** The name of the flag, for messages. */
  flag: string;
  /** Its values. */
  given: string | readonly string[] | undefined;
  /** The name of the variable. */
  variable: string;
}

/**
 * Reads secrets of the command line, or else of the environment, separated by commas.
 *
 * @param source Their sources.
 * @param env The environment.
 * @returns The secrets, perhaps none.
 * @throws {UsageError} If one is empty: it would match a request without a secret.
 */
export function secretsFrom({ flag, given, variable }: SecretSource, env: CliIo["env"]): string[] {
  const flags = typeof given === "string" ? [given] : given ?? [];
  const fromFlags = flags.length > 0;
  const value = env[variable];
  if (!fromFlags && value === undefined) return [];
  const secrets = fromFlags ? [...flags] : value!.split(",").map((secret) => secret.trim());
  if (secrets.every(isSecret)) return secrets;
  throw new UsageError(`${fromFlags ? `--${flag}` : variable} is empty, or has an empty entry`);
}

/**
 * Reads one secret of the command line, or else of the environment.
 *
 * @param source Its sources.
 * @param env The environment.
 * @returns The secret, or `undefined` if there is none.
 * @throws {UsageError} If it is empty.
 */
export function secretFrom({ flag, given, variable }: SecretSource, env: CliIo["env"]): string | undefined {
  const secret = given ?? env[variable];
  if (secret === undefined) return undefined;
  if (isSecret(secret)) return secret;
  throw new UsageError(`${given === undefined ? variable : `--${flag}`} is empty`);
}

/**
 * Describes a record in one line, for people.
 *
 * @param record The record.
 * @returns The line.
 */
export function describeRecord(record: WhatsAppRecord): string {
  return printable(lineOf(record));
}

function lineOf(record: WhatsAppRecord): string {
  const [kind, who, what] = partsOf(record);
  return `${kind.padEnd(12)} ${who === "" ? "" : `${who}: `}${what}`;
}

function partsOf(record: WhatsAppRecord): [kind: string, who: string, what: string] {
  switch (record.kind) {
    case "message": {
      const { name, username, id } = record.sender;
      const group = record.groupId === undefined ? "" : ` in ${record.groupId}`;
      return [record.type, `${name ?? username ?? "?"} (${id})${group}`, describeContents(record)];
    }
    case "status": {
      const who = record.recipientId ?? record.recipientUserId ?? "?";
      const errors = record.errors.map(({ code, title }) => `${code} ${title ?? ""}`).join(", ");
      return [record.status, who, errors === "" ? record.id : `${record.id} ${errors}`];
    }
    case "payment": {
      const { referenceId, amount, currency, transaction } = record.payment;
      const sum = amount?.value === undefined ? "" : ` ${amount.value / (amount.offset ?? 1)} ${currency ?? ""}`;
      const attempt = transaction?.id === undefined ? "" : ` (${transaction.id})`;
      const who = record.recipientId ?? record.recipientUserId ?? "?";
      return ["payment", who, `${record.status} ${referenceId ?? record.id}${sum}${attempt}`];
    }
    case "error":
      return ["error", "", `${record.error.code} ${record.error.title ?? record.error.message ?? ""}`];
    case "userAction":
      return ["action", "", record.actionType];
    case "echo":
      return ["echo", `to ${record.recipientName ?? record.to}`, describeContents(record.message)];
    case "history":
      return ["history", historyChat(record), describeContents(record.message)];
    case "standby":
      return ["standby", "", lineOf(record.record)];
    case "call":
      return ["call", nameOf(record.user), `${record.event} ${record.status ?? ""}`.trimEnd()];
    case "handover":
      return ["handover", nameOf(record.user), `${record.event}, to ${record.newOwnerRole ?? "?"}`];
    case "accountSettings":
      return ["settings", record.phoneNumberId ?? record.accountId, record.type];
    case "group":
      return ["group", record.groupId, record.errors.length === 0 ? record.type : `${record.type}, failed`];
    case "userPreference":
      return ["preference", nameOf(record.user), `${record.value} ${record.category}`];
    case "automaticEvent":
      return ["event", record.id, `${record.eventName} ${record.value ?? ""} ${record.currency ?? ""}`.trimEnd()];
    case "contactSync":
      return ["contact", record.fullName ?? record.username ?? record.phone ?? record.userId ?? "?", record.action];
    case "template":
      return ["template", record.name ?? record.id, changeOf(record)];
    case "account":
      return ["account", record.displayPhoneNumber ?? record.accountId, changeOf(record)];
    case "flow":
      return ["flow", record.flowId, `${record.event} ${record.newStatus ?? record.alertState ?? ""}`.trimEnd()];
    case "other":
      return ["other", record.accountId, [record.field, record.key].filter(Boolean).join(" ")];
  }
}

/** Names the chat of a message of the past, and its direction. */
function historyChat({ name, username, threadId, phone, userId, direction }: WhatsAppHistoryMessage): string {
  const chat = name ?? username ?? threadId ?? phone ?? userId ?? "?";
  if (direction === undefined) return chat;
  return `${direction === "in" ? "from" : "to"} ${chat}`;
}

function nameOf({ name, username, id }: WhatsAppSender): string {
  return `${name ?? username ?? "?"} (${id})`;
}

/** Describes a change by its field, and by what the field has: an event, a decision, a new category, … */
function changeOf(record: WhatsAppTemplateUpdate | WhatsAppAccountUpdate): string {
  const change = record.event ??
    (record.kind === "template"
      ? record.newQualityScore ?? record.correctCategory ?? record.newCategory
      : record.decision ?? record.status ?? record.alert?.type);
  return change === undefined ? record.field : `${record.field} ${change}`;
}

function describeContents(message: WhatsAppContents): string {
  switch (message.type) {
    case "text":
      return message.text.body;
    case "image":
      return message.image.caption ?? `media ${message.image.id}`;
    case "video":
      return message.video.caption ?? `media ${message.video.id}`;
    case "audio":
      return `${message.audio.voice ? "voice message" : "audio"}, media ${message.audio.id}`;
    case "document":
      return message.document.filename ?? message.document.caption ?? `media ${message.document.id}`;
    case "sticker":
      return `media ${message.sticker.id}`;
    case "location":
      return `${message.location.latitude}, ${message.location.longitude} ${message.location.name ?? ""}`;
    case "contacts":
      return message.contacts.map(({ name }) => name.formattedName ?? "?").join(", ");
    case "reaction":
      return message.reaction.emoji ?? "removed the reaction";
    case "interactive":
      return message.interactive.title ?? message.interactive.body ?? message.interactive.type;
    case "button":
      return message.button.text ?? message.button.payload ?? "";
    case "order":
      return `${message.order.productItems.length} products`;
    case "system":
      return message.system.body ?? message.system.type ?? "";
    case "edit":
      return message.edit.message === undefined
        ? "changed a message"
        : `now: ${describeContents(message.edit.message)}`;
    case "revoke":
      return "deleted a message";
    case "request_welcome":
      return "opened the chat";
    case "template":
      return `template ${message.template.name ?? "?"}`;
    case "unsupported":
      return message.unsupported.type ?? "";
    case "unknown":
      return message.originalType;
  }
}
