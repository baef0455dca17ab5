/**
 * The subprotocol `whatsapp-inbox.v1` between server and receivers: its messages, both ways. `docs/inbox-protocol.md` specifies it.
 *
 * Each message is a binary WebSocket message: one line of JSON, a line feed, and for notifications the body behind it, byte for byte.
 * Text messages do not belong to it: they are the programs' own.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import { OptionError, ProtocolError } from "../base/errors.ts";
import { assertWellFormed } from "../base/ranges.ts";
import { checkFilter, type WhatsAppFilter } from "../cloud_api/filter.ts";

/** The name of the subprotocol. */
export const INBOX_PROTOCOL = "whatsapp-inbox.v1";

/** Close codes of the subprotocol. */
export const InboxCloseCode = {
  /** A message is not what the subprotocol says. */
  BadMessage: 4400,
  /** No `hello` came in time. */
  NoHello: 4408,
  /** The name is in use in a way that does not go with this one. */
  NameConflict: 4409,
  /** The server keeps no more names of receivers. */
  TooManyNames: 4429,
  /** The journal of the server cannot be read. */
  JournalFailed: 4500,
} as const;

/** The first message of a receiver: what it wants. */
export interface HelloMessage {
  /** Tells it from the others. */
  type: "hello";
  /** The name under which the server keeps how far this receiver has come. */
  name?: string;
  /** Whether the connections of this name share the notifications; else each gets all. */
  share?: boolean;
  /** Begin behind this sequence number; a name that has come before begins where it was. Without it: with what comes from now on. */
  after?: number;
  /** The journal that `after` counts in; if it is another one by now, everything in that one is new. */
  journal?: string;
  /** The most notifications that wait for acknowledgement. */
  window?: number;
  /** What is wanted. */
  filter?: WhatsAppFilter;
}

/** The answer to `hello`. */
export interface WelcomeMessage {
  /** Tells it from the others. */
  type: "welcome";
  /** The journal, by its id. */
  journal: string;
  /** Notifications follow from behind this sequence number. */
  after: number;
  /** The highest sequence number so far. */
  last: number;
  /** The most notifications that wait for acknowledgement. */
  window: number;
}

/** Some notifications cannot be delivered any more: retention has taken them, or the journal has lost them. */
export interface GapMessage {
  /** Tells it from the others. */
  type: "gap";
  /** What is missing begins behind this sequence number. */
  after: number;
  /** And ends with this one. */
  until: number;
}

/** Everything that the server had when the receiver came has been sent. Comes once. */
export interface CurrentMessage {
  /** Tells it from the others. */
  type: "current";
  /** Everything up to this sequence number was sent, or is not wanted. */
  seq: number;
}

/** The line before a notification. */
export interface NotificationMessage {
  /** Tells it from the others. */
  type: "notification";
  /** Its place in the journal. */
  seq: number;
  /** The value of `X-Hub-Signature-256` over the body; "" if Meta's has none, or the body is `partial`. */
  signature: string;
  /** When the server got it, as in RFC 3339. */
  receivedAt: string;
  /** Whether another connection of this name had it before, and ended without acknowledging it. */
  redelivered?: true;
  /** Whether the receiver may not have all of it: the body is what is left. */
  partial?: true;
}

/** The receiver is done with some notifications. */
export interface AckMessage {
  /** Tells it from the others. */
  type: "ack";
  /** Their sequence numbers. */
  seqs: readonly number[];
}

/** What a receiver sends. */
export type ReceiverMessage = HelloMessage | AckMessage;
/** What a server sends. */
export type ServerMessage = WelcomeMessage | GapMessage | CurrentMessage | NotificationMessage;

/** The most bytes of a message of a receiver. */
export const MAX_RECEIVER_MESSAGE: number = 64 * 1024;
const MAX_NAME = 128;
/** A close frame has room for 123 bytes. */
const MAX_REASON = 120;
const LINE_FEED = 0x0a;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const NO_BODY = new Uint8Array(0);

/**
 * Encodes a message.
 *
 * @param head What stands in its line.
 * @param body What follows the line.
 * @returns The message.
 */
export function encodeInboxMessage(head: ReceiverMessage | ServerMessage, body: Uint8Array = NO_BODY): Uint8Array {
  return concat(encoder.encode(`${JSON.stringify(head)}\n`), body);
}

/**
 * What the peer is told about a message that is not what it should be.
 *
 * @param cause What is wrong with it.
 * @returns An error whose message fits into a close frame.
 */
export function badMessage(cause: OptionError): ProtocolError {
  let reason = "";
  for (const char of cause.message.slice(0, MAX_REASON)) reason += char >= " " && char <= "~" ? char : "?";
  return new ProtocolError("ERR_INBOX_MESSAGE", reason);
}

/** A message, taken apart: its line is not checked yet. */
export interface InboxMessage {
  /** The fields of the line. */
  head: Record<string, unknown>;
  /** What follows the line; a view. */
  body: Uint8Array;
}

/**
 * Takes a message apart.
 *
 * @param bytes The message.
 * @returns Its parts.
 * @throws {OptionError} If it does not begin with a line of JSON that is an object with a `type`.
 */
export function decodeInboxMessage(bytes: Uint8Array): InboxMessage {
  const end = bytes.indexOf(LINE_FEED);
  if (end === -1) throw new OptionError("The message has no line feed");
  let head: unknown;
  try {
    head = JSON.parse(decoder.decode(bytes.subarray(0, end)));
  } catch (cause) {
    throw new OptionError(`The line is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  if (typeof head !== "object" || head === null || !Object.hasOwn(head, "type")) {
    throw new OptionError('The line is not an object with a "type"');
  }
  return { head: head as Record<string, unknown>, body: bytes.subarray(end + 1) };
}

/**
 * Checks what a receiver sent.
 *
 * @param message The message.
 * @returns The message; `undefined` if its type is not known here: a later version may have more.
 * @throws {OptionError} If a field is not what it should be.
 */
export function checkReceiverMessage({ head }: InboxMessage): ReceiverMessage | undefined {
  if (head.type === "hello") return checkHello(head);
  if (head.type !== "ack") return undefined;
  const { seqs } = head;
  if (!Array.isArray(seqs) || !seqs.every(isSequence)) {
    throw new OptionError('"seqs" is not an array of sequence numbers');
  }
  return { type: "ack", seqs };
}

function checkHello(head: Record<string, unknown>): HelloMessage {
  const { name, share, after, journal, window, filter } = head;
  if (name !== undefined) assertReceiverName(name);
  if (share !== undefined && typeof share !== "boolean") throw new OptionError('"share" is neither true nor false');
  if (share === true && name === undefined) throw new OptionError('"share" needs a "name"');
  if (after !== undefined && !isSequence(after)) throw new OptionError('"after" is not a sequence number');
  if (journal !== undefined && typeof journal !== "string") throw new OptionError('"journal" is not a text');
  if (window !== undefined && !(isSequence(window) && window > 0)) {
    throw new OptionError('"window" is not a number from 1 on');
  }
  return {
    type: "hello",
    name: name as string | undefined,
    share: share as boolean | undefined,
    after: after as number | undefined,
    journal: journal as string | undefined,
    window: window as number | undefined,
    filter: filter === undefined ? undefined : checkFilter(filter),
  };
}

/**
 * Checks the name of a receiver.
 *
 * @param name The name.
 * @throws {OptionError} If it is not a text of 1 to 128 characters without control characters and lone surrogates.
 */
export function assertReceiverName(name: unknown): asserts name is string {
  const plain = typeof name === "string" && name.length > 0 && name.length <= MAX_NAME && !hasControl(name);
  if (!plain) {
    throw new OptionError(
      `The name of a receiver is not a text of 1 to ${MAX_NAME} characters without control characters`,
    );
  }
  assertWellFormed("The name of a receiver", name);
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}

/**
 * Checks what a server sent.
 *
 * @param message The message.
 * @returns The line; `undefined` if its type is not known here: a later version may have more.
 * @throws {OptionError} If a field is not what it should be.
 */
export function checkServerMessage({ head }: InboxMessage): ServerMessage | undefined {
  const known = {
    welcome: ["after", "last", "window"],
    gap: ["after", "until"],
    current: ["seq"],
    notification: ["seq"],
  };
  const type = String(head.type);
  if (!Object.hasOwn(known, type)) return undefined;
  for (const name of known[type as keyof typeof known]) {
    if (!isSequence(head[name])) throw new OptionError(`"${name}" of "${type}" is not a number`);
  }
  const texts = { welcome: ["journal"], gap: [], current: [], notification: ["signature", "receivedAt"] };
  for (const name of texts[type as keyof typeof texts]) {
    if (typeof head[name] !== "string") throw new OptionError(`"${name}" of "${type}" is not a text`);
  }
  return head as unknown as ServerMessage;
}

function isSequence(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
