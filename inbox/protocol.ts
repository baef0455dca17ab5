/**
 * The messages of the subprotocols `whatsapp-inbox.v1` and `whatsapp-inbox.v2` between server and receivers.
 * `docs/inbox-protocol.md` specifies them.
 *
 * Each message is a binary WebSocket message: one line of JSON, a line feed, and for notifications, and bytes of
 * programs (version 2), the body, byte for byte. Text messages do not belong to it: programs may use them.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import { OptionError, ProtocolError } from "../base/errors.ts";
import { assertWellFormed } from "../base/ranges.ts";
import { checkFilter, type WhatsAppFilter } from "../cloud_api/filter.ts";

/** The subprotocol in version 1, which carries no bytes of programs. */
export const INBOX_PROTOCOL = "whatsapp-inbox.v1";

/** The subprotocol in version 2, which carries bytes of programs too. */
export const INBOX_PROTOCOL_V2 = "whatsapp-inbox.v2";

/**
 * Tells the version of the subprotocol.
 *
 * @param protocol The subprotocol that was agreed on.
 * @returns The version; `undefined` if it is another subprotocol.
 */
export function inboxVersion(protocol: string): 1 | 2 | undefined {
  if (protocol === INBOX_PROTOCOL_V2) return 2;
  return protocol === INBOX_PROTOCOL ? 1 : undefined;
}

/** Close codes of the subprotocol. */
export const InboxCloseCode = {
  /** A message breaks the subprotocol. */
  BadMessage: 4400,
  /** No `hello` came in time. */
  NoHello: 4408,
  /** The name is in use with another filter. */
  NameConflict: 4409,
  /** The server keeps no more names of receivers. */
  TooManyNames: 4429,
  /** The journal of the server cannot be read. */
  JournalFailed: 4500,
} as const;

/** The first message of a receiver: its name and wishes. */
export interface HelloMessage {
  /** Type of the message. */
  type: "hello";
  /** Name under which the server stores the position of this receiver. */
  name?: string | undefined;
  /** `true`: the connections of this name share the notifications; else each gets all. */
  share?: boolean | undefined;
  /**
   * Sequence number after which notifications begin; a known name begins at its stored position. Without it: new
   * notifications only.
   */
  after?: number | undefined;
  /** Id of the journal of `after`; if the server has another one now, all its notifications are new. */
  journal?: string | undefined;
  /** Maximum of notifications that wait for acknowledgement. */
  window?: number | undefined;
  /** Changes that are wanted. */
  filter?: WhatsAppFilter | undefined;
}

/** The answer to `hello`. */
export interface WelcomeMessage {
  /** Type of the message. */
  type: "welcome";
  /** Id of the journal. */
  journal: string;
  /** Sequence number after which notifications begin. */
  after: number;
  /** Highest sequence number so far. */
  last: number;
  /** Maximum of notifications that wait for acknowledgement. */
  window: number;
}

/** Some notifications cannot be delivered any more: retention has taken them, or the journal has lost them. */
export interface GapMessage {
  /** Type of the message. */
  type: "gap";
  /** Sequence number before the first missing one. */
  after: number;
  /** Last missing sequence number. */
  until: number;
}

/** The receiver has caught up with the journal as it was at the hello. Sent once. */
export interface CurrentMessage {
  /** Type of the message. */
  type: "current";
  /** Sequence number up to which everything was sent, or is not wanted. */
  seq: number;
}

/** The line before a notification. */
export interface NotificationMessage {
  /** Type of the message. */
  type: "notification";
  /** Its sequence number. */
  seq: number;
  /** The value of `X-Hub-Signature-256` over the body; "" if Meta's has none, or the body is `partial`. */
  signature: string;
  /** Time when the server got it, in the form of RFC 3339. */
  receivedAt: string;
  /** Set if another connection of this name got it before, and ended without acknowledging it. */
  redelivered?: true | undefined;
  /** Set if the token does not allow all of it: the body is the rest. */
  partial?: true | undefined;
}

/** The receiver has handled some notifications. */
export interface AckMessage {
  /** Type of the message. */
  type: "ack";
  /** Their sequence numbers. */
  seqs: readonly number[];
}

/** The line before bytes of a program, from either side; version 2 only. */
export interface DataMessage {
  /** Type of the message. */
  type: "data";
}

/** Messages of a receiver, except bytes of its program. */
export type ReceiverMessage = HelloMessage | AckMessage;
/** Messages of a server, except bytes of its program. */
export type ServerMessage = WelcomeMessage | GapMessage | CurrentMessage | NotificationMessage;

/** Maximum of bytes of a message of a receiver, and of the line before bytes of its program. */
export const MAX_RECEIVER_MESSAGE: number = 64 * 1024;
const MAX_NAME = 128;
/** A close frame has room for 123 bytes. */
const MAX_REASON = 120;
/** The byte behind a line. */
export const LINE_FEED = 0x0a;
const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true });
const NO_BODY: Uint8Array<ArrayBuffer> = /* @__PURE__ */ new Uint8Array(0);

/** The line before bytes of a program, and its line feed. */
export const DATA_LINE: Uint8Array<ArrayBuffer> = /* @__PURE__ */ encodeInboxMessage({ type: "data" });

/**
 * Encodes a message.
 *
 * @param head The object of its line.
 * @param body The bytes after the line.
 * @returns The message.
 */
export function encodeInboxMessage(
  head: ReceiverMessage | ServerMessage | DataMessage,
  body: Uint8Array = NO_BODY,
): Uint8Array<ArrayBuffer> {
  return concat(encoder.encode(`${JSON.stringify(head)}\n`), body);
}

/**
 * Makes the error for a message that breaks the subprotocol.
 *
 * @param cause The error found.
 * @returns An error whose message fits into a close frame.
 */
export function badMessage(cause: OptionError): ProtocolError {
  let reason = "";
  for (const char of cause.message.slice(0, MAX_REASON)) reason += char >= " " && char <= "~" ? char : "?";
  return new ProtocolError("ERR_INBOX_MESSAGE", reason);
}

/** A message, split; its line is not checked yet. */
export interface InboxMessage<Memory extends ArrayBufferLike = ArrayBufferLike> {
  /** The fields of the line. */
  head: Record<string, unknown>;
  /** Bytes after the line; a view. */
  body: Uint8Array<Memory>;
}

/**
 * Splits a message.
 *
 * @param bytes The message.
 * @param maxLine Maximum of bytes of the line.
 * @returns Its parts.
 * @throws {OptionError} If it does not begin with a line of JSON that is an object with a `type`.
 */
export function decodeInboxMessage<Memory extends ArrayBufferLike>(
  bytes: Uint8Array<Memory>,
  maxLine: number = Infinity,
): InboxMessage<Memory> {
  const end = bytes.indexOf(LINE_FEED);
  if (end > maxLine) throw new OptionError(`The line is longer than ${maxLine} bytes`);
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
 * Tells bytes of a program from messages of the subprotocol; in version 2 only.
 *
 * @param message The message.
 * @returns `true` if its body is for the program.
 */
export function isData({ head }: InboxMessage): boolean {
  return head.type === "data";
}

/**
 * Checks a message of a receiver.
 *
 * @param message The message.
 * @returns The message; `undefined` if its type is not known here: a later version may have more.
 * @throws {OptionError} If a field has a wrong type.
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
 * Checks a message of a server.
 *
 * @param message The message.
 * @returns The line; `undefined` if its type is not known here: a later version may have more.
 * @throws {OptionError} If a field has a wrong type.
 */
export function checkServerMessage({ head }: InboxMessage): ServerMessage | undefined {
  const required = {
    welcome: ["after", "last", "window"],
    gap: ["after", "until"],
    current: ["seq"],
    notification: ["seq"],
  };
  const type = String(head.type);
  if (!Object.hasOwn(required, type)) return undefined;
  for (const name of required[type as keyof typeof required]) {
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
