/**
 * Ownership of conversations between the responders of a number, and the history of deliveries of its messages.
 *
 * Facts: Meta's pages "Conversation Routing" (October 2026), "messaging_handovers" (September 2026) and, of its
 * reference, "Thread Control (Cloud API)" and "Message history API". Its page "Thread control" could not be read: path,
 * roles and the limit of the metadata are as partners of Meta and other libraries have them. The reference names the
 * role `ai_agent` only, the others name six, so any role is passed on.
 *
 * @module
 */

import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertLength, assertPageSize } from "./argument_checks.ts";
import type { GraphClient } from "./graph.ts";
import { date, type JsonObject, object, objects, text, withoutUndefined } from "./json.ts";
import { addressOfUser, type WhatsAppUser } from "./user_address.ts";

/** Role of a responder. Meta adds others. */
export type ResponderRole =
  | "ai_agent"
  | "ctwa"
  | "customer_service"
  | "escalation"
  | "marketing"
  | "utility"
  | (string & Record<never, never>);

/** Options of taking or releasing a conversation. */
export interface ThreadControlOptions {
  /** Text of up to 2000 characters, which `messaging_handovers` brings to the other responder unchanged. */
  metadata?: string | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/**
 * Options of passing a conversation.
 *
 * Also from {@linkcode ThreadControlOptions}:
 * - `metadata`: Text of up to 2000 characters, which `messaging_handovers` brings to the other responder unchanged.
 * - `signal`: Aborts the call.
 */
export interface PassOptions extends ThreadControlOptions {
  /**
   * Role of the responder that gets the conversation: the escalation partner without it. `ai_agent` is Meta Business
   * Agent.
   * @default {"escalation"}
   */
  to?: ResponderRole | undefined;
}

/** Result of a change of ownership. */
export interface ThreadControlResult {
  /** Id of the call, which Meta's support asks for. */
  requestId?: string | undefined;
  /** The answer as Meta sent it. */
  raw: JsonObject;
}

/** Options of reading the history of a message. */
export interface MessageHistoryOptions {
  /**
   * Number of entries in one answer, up to 100.
   * @default {25}
   */
  pageSize?: number | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Something that happened to a message, and how the webhook about it fared. */
export interface DeliveryEvent {
  /** Its id. */
  id?: string | undefined;
  /** State of the message: `SENT`, `DELIVERED`, `READ`, `FAILED`, `DELETED`, `ACCEPTED`, `ERROR`. */
  status?: string | undefined;
  /** Time of it. */
  timestamp?: Date | undefined;
  /** State of the webhook about it: `PENDING`, `DELIVERED`, `FAILED`, `RETRYING`. */
  webhookState?: string | undefined;
  /** URL that the webhook was posted to. */
  webhookUrl?: string | undefined;
  /** Id of the app that it was posted to. */
  appId?: string | undefined;
  /** Description of the failure, if there was one. */
  error?: string | undefined;
  /** The event as Meta sent it. */
  raw: JsonObject;
}

/** History of the deliveries of one message. */
export interface MessageHistory {
  /** Id of the history. */
  id: string;
  /** Id of the message. */
  messageId?: string | undefined;
  /** The first 25 events: more are behind `events.paging` of `raw`. */
  events: DeliveryEvent[];
  /** The history as Meta sent it. */
  raw: JsonObject;
}

const MAX_METADATA = 2000;
const MAX_HISTORY_PAGE = 100;
const HISTORY_FIELDS = "id,message_id,events{id,delivery_status,timestamp,webhook_update_state,application," +
  "webhook_uri,error_description}";

const CONTROL_NAMES: OptionTable<ThreadControlOptions> = { metadata: true, signal: true };
const CONTROL_OPTIONS = new OptionNames("The change of ownership", {
  tables: [CONTROL_NAMES],
  example: () => '{ metadata: "…" }',
});
const PASS_NAMES: OptionTable<PassOptions> = { ...CONTROL_NAMES, to: true };
const PASS_OPTIONS = new OptionNames("conversation.pass", {
  tables: [PASS_NAMES],
  hints: { target_role: 'use "to"', targetRole: 'use "to"', role: 'use "to"', control_pass: 'use "to"' },
  example: () => '{ to: "customer_service" }',
});
const HISTORY_NAMES: OptionTable<MessageHistoryOptions> = { pageSize: true, signal: true };
const HISTORY_OPTIONS = new OptionNames("conversation.messageHistory", {
  tables: [HISTORY_NAMES],
  hints: { limit: 'use "pageSize"' },
  example: () => "{ pageSize: 100 }",
});

/**
 * Conversations of the number of a {@linkcode WhatsAppApi}: its `conversation`.
 *
 * With Meta's Conversation Routing one responder owns a conversation at a time; others get copies in `standby`. No call
 * tells the owner: `messaging_handovers` does, and the webhook field in which messages come. A conversation without
 * messages of the customer for 24 hours has no owner.
 *
 * @example From the bot to people
 * ```ts
 * import { WhatsAppApi, type WhatsAppMessage } from "@tackline/websocket/whatsapp";
 *
 * export async function toPeople(api: WhatsAppApi, message: WhatsAppMessage) {
 *   await api.conversation.pass(message, { to: "customer_service", metadata: "asks for a refund" });
 * }
 * ```
 */
export class WhatsAppConversations {
  readonly #graph: GraphClient;

  /**
   * Begins without a call. Programs use the one of {@linkcode WhatsAppApi}.
   *
   * @param graph The calls.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * Passes a conversation that this app owns to another responder, which gets `control_passed`.
   *
   * @param user The customer: a number, a user id, or the sender of a message.
   * @param options The role of the other responder, metadata, signal.
   * @returns The id of the call.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it, as it does when another responder owns the conversation.
   */
  async pass(user: WhatsAppUser, options: PassOptions = {}): Promise<ThreadControlResult> {
    PASS_OPTIONS.assert(options);
    const { to, metadata, signal } = options;
    return await this.#control("pass", user, { metadata, signal }, to === undefined ? undefined : { target_role: to });
  }

  /**
   * Takes a conversation from its owner, which gets `control_taken`. Only the escalation partner may (others get code
   * 2494191); its first free-form message takes the conversation too.
   *
   * @param user The customer: a number, a user id, or the sender of a message.
   * @param options Metadata, signal.
   * @returns The id of the call.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async take(user: WhatsAppUser, options: ThreadControlOptions = {}): Promise<ThreadControlResult> {
    CONTROL_OPTIONS.assert(options);
    return await this.#control("take", user, options);
  }

  /**
   * Gives up a conversation: the next message of the customer is routed anew. No webhook tells of it.
   *
   * @param user The customer: a number, a user id, or the sender of a message.
   * @param options Metadata, signal.
   * @returns The id of the call.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async release(user: WhatsAppUser, options: ThreadControlOptions = {}): Promise<ThreadControlResult> {
    CONTROL_OPTIONS.assert(options);
    return await this.#control("release", user, options);
  }

  async #control(
    action: string,
    user: WhatsAppUser,
    { metadata, signal }: ThreadControlOptions,
    controlPass?: JsonObject,
  ): Promise<ThreadControlResult> {
    const address = addressOfUser(user);
    if (metadata !== undefined) assertLength("metadata", metadata, { max: MAX_METADATA });
    const json = {
      messaging_product: "whatsapp",
      // Exactly one of the two is allowed.
      ...("phone" in address ? { to: address.phone } : { recipient: address.userId }),
      action,
      metadata,
      control_pass: controlPass,
    };
    const raw = await this.#graph.post(`${this.#graph.phoneNumberId}/thread_control`, { json, signal });
    return withoutUndefined({ requestId: text(raw, "request_id"), raw });
  }

  /**
   * Reads what happened to a message, and how the webhooks about it fared: why a status has not come. Contents of
   * messages are not in it.
   *
   * @param messageId The id of the message; `undefined` for all messages that Meta still knows.
   * @param options Size of a page, signal.
   * @returns One history for a message.
   * @throws {OptionError} If an argument is not allowed.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  messageHistory(messageId?: string, options: MessageHistoryOptions = {}): AsyncIterable<MessageHistory> {
    HISTORY_OPTIONS.assert(options);
    const { pageSize, signal } = options;
    assertPageSize(pageSize, MAX_HISTORY_PAGE);
    if (messageId !== undefined) assertLength("messageId", messageId, { min: 1, max: 1024 });
    return this.#histories({ query: { message_id: messageId, fields: HISTORY_FIELDS, limit: pageSize }, signal });
  }

  async *#histories(call: Parameters<GraphClient["pages"]>[1]): AsyncGenerator<MessageHistory, void, void> {
    const path = `${this.#graph.phoneNumberId}/message_history`;
    for await (const raw of this.#graph.pages(path, call)) yield readHistory(raw);
  }
}

function readHistory(raw: JsonObject): MessageHistory {
  const events = objects(object(raw, "events") ?? {}, "data").map(readEvent);
  return withoutUndefined({ id: text(raw, "id") ?? "", messageId: text(raw, "message_id"), events, raw });
}

/** Meta's edge of its own for events has each in a `node`, and another name for the time. */
function readEvent(entry: JsonObject): DeliveryEvent {
  const raw = object(entry, "node") ?? entry;
  return withoutUndefined({
    id: text(raw, "id"),
    status: text(raw, "delivery_status"),
    timestamp: date(raw, "timestamp") ?? date(raw, "occurrence_timestamp"),
    webhookState: text(raw, "webhook_update_state"),
    webhookUrl: text(raw, "webhook_uri"),
    appId: text(object(raw, "application") ?? {}, "id"),
    error: text(raw, "error_description"),
    raw,
  });
}
