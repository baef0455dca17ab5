/**
 * The block list of a number: users who can neither write to the business nor be written to.
 *
 * Facts: Meta's page "Block users" (May 2026) and, for user ids, "Business-scoped user IDs".
 *
 * @module
 */

import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertPageSize } from "./argument_checks.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { listOf } from "./contents_checks.ts";
import type { GraphClient } from "./graph.ts";
import { answerOf } from "./graph_error.ts";
import { firstText, type JsonObject, number, object, objects, text, withoutUndefined } from "./json.ts";
import type { WhatsAppError } from "./messages.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";
import { addressOfUser, type WhatsAppUser } from "./user_address.ts";

/** A user on the block list. */
export interface BlockedUser {
  /** The phone number, digits only, if Meta knows the user by it. */
  phone?: string | undefined;
  /** The business-scoped user id, if Meta knows the user by it. */
  userId?: string | undefined;
  /** The entry as Meta sent it. */
  raw: JsonObject;
}

/**
 * A user whose entry has changed, or should have.
 *
 * Also from {@linkcode BlockedUser}: `phone`, `userId`, `raw`.
 */
export interface ChangedUser extends BlockedUser {
  /** The address as it was sent. */
  input?: string | undefined;
}

/**
 * A user whose entry could not be changed.
 *
 * Also from {@linkcode ChangedUser}: `input`.
 *
 * Also from {@linkcode BlockedUser}: `phone`, `userId`, `raw`.
 */
export interface FailedUser extends ChangedUser {
  /**
   * The reasons, such as 131047 (the user has not written within 24 hours, or is none), 131021 (the number of the
   * business itself), 139101 (the list is full) and 130429 (too many).
   */
  errors: WhatsAppError[];
}

/** Outcome of a change for each user: some may succeed while others fail. */
export interface BlockOutcome {
  /** Users whose entry has changed. */
  changed: ChangedUser[];
  /** Users whose entry has not. */
  failed: FailedUser[];
}

/** Options of reading the block list. */
export interface BlockListOptions {
  /**
   * Number of users in one answer.
   * @default {undefined}
   */
  pageSize?: number | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Greatest number of users in one call. */
const MAX_USERS = 1000;
/** Some or all users of the call could not be blocked, or unblocked; the answer says which, and why. */
const SOME_FAILED_CODE = 139100;

const LIST_NAMES: OptionTable<BlockListOptions> = { pageSize: true, signal: true };
const LIST_OPTIONS = /* @__PURE__ */ new OptionNames("blockedUsers.list", {
  tables: [LIST_NAMES],
  hints: { limit: 'use "pageSize"' },
  example: () => "{ pageSize: 100 }",
});

/**
 * The block list of the number of a {@linkcode WhatsAppApi}: its `blockedUsers`. It holds 64 000 users.
 *
 * @example A customer who is blocked
 * ```ts
 * import { WhatsAppApi, type WhatsAppMessage } from "@tackline/websocket/whatsapp";
 *
 * export async function block(api: WhatsAppApi, message: WhatsAppMessage) {
 *   const { failed } = await api.blockedUsers.block(message);
 *   for (const { input, errors } of failed) console.error(input, errors[0]?.code);
 *   for await (const { phone, userId } of api.blockedUsers.list()) console.log(phone ?? userId);
 * }
 * ```
 */
export class WhatsAppBlockedUsers {
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
   * Reads the block list page by page, as it is iterated. If it changes meanwhile, Meta may refuse the next page with
   * code 139102: begin anew.
   *
   * @param options Size of a page, signal.
   * @returns The users.
   * @throws {OptionError} If an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  list(options: BlockListOptions = {}): AsyncIterable<BlockedUser> {
    LIST_OPTIONS.assert(options);
    const { pageSize, signal } = options;
    assertPageSize(pageSize);
    return this.#list({ query: { limit: pageSize }, signal });
  }

  async *#list(call: Parameters<GraphClient["pages"]>[1]): AsyncGenerator<BlockedUser, void, void> {
    for await (const entry of this.#graph.pages(this.#path, call)) {
      // Real answers have a user in each entry; the sample of Meta's page has a list of users in it.
      const inner = objects(entry, "block_users");
      for (const raw of inner.length > 0 ? inner : [entry]) yield readUser(raw);
    }
  }

  /**
   * Blocks users. Only those who have written within 24 hours can be blocked, and no businesses.
   *
   * @param users One or several, up to 1000.
   * @param options A signal.
   * @returns The users that were blocked, and those that were not, with the reasons: that is no error of the call.
   * @throws {OptionError} If one is no user, or there are too many.
   * @throws {WhatsAppApiError} If the API refuses the call.
   */
  block(users: WhatsAppUser | readonly WhatsAppUser[], options: CallOptions = {}): Promise<BlockOutcome> {
    return this.#change("POST", users, options);
  }

  /**
   * Removes users from the block list.
   *
   * @param users One or several, up to 1000.
   * @param options A signal.
   * @returns The users that were removed, and those that were not, with the reasons: that is no error of the call.
   * @throws {OptionError} If one is no user, or there are too many.
   * @throws {WhatsAppApiError} If the API refuses the call.
   */
  unblock(users: WhatsAppUser | readonly WhatsAppUser[], options: CallOptions = {}): Promise<BlockOutcome> {
    return this.#change("DELETE", users, options);
  }

  async #change(
    method: "POST" | "DELETE",
    users: WhatsAppUser | readonly WhatsAppUser[],
    options: CallOptions,
  ): Promise<BlockOutcome> {
    CALL_OPTIONS.assert(options);
    const list: readonly WhatsAppUser[] = Array.isArray(users) ? users : [users];
    const entries = listOf("users", list, MAX_USERS, 0).map(entryOf);
    // Meta refuses an empty list; there is nothing to be done.
    if (entries.length === 0) return { changed: [], failed: [] };
    const json = { messaging_product: "whatsapp", block_users: entries };
    try {
      return readOutcome(await this.#graph.request(method, this.#path, { json, signal: options.signal }));
    } catch (error) {
      const partial = error instanceof WhatsAppApiError && error.graph?.code === SOME_FAILED_CODE;
      const answer = partial ? answerOf(error) : undefined;
      if (answer === undefined || object(answer, "block_users") === undefined) throw error;
      return readOutcome(answer);
    }
  }

  get #path(): string {
    return `${this.#graph.phoneNumberId}/block_users`;
  }
}

function entryOf(user: WhatsAppUser): JsonObject {
  const address = addressOfUser(user);
  return "phone" in address ? { user: address.phone } : { user_id: address.userId };
}

function readOutcome(answer: JsonObject): BlockOutcome {
  const lists = object(answer, "block_users") ?? {};
  return {
    // Meta's page has "added_users" in answers about unblocking too.
    changed: [...objects(lists, "added_users"), ...objects(lists, "removed_users")].map(readChanged),
    failed: objects(lists, "failed_users").map((raw) => ({
      ...readChanged(raw),
      errors: objects(raw, "errors").map(readError),
    })),
  };
}

function readUser(raw: JsonObject): BlockedUser {
  // An empty number stands for none.
  return withoutUndefined({ phone: text(raw, "wa_id") || undefined, userId: text(raw, "user_id") || undefined, raw });
}

function readChanged(raw: JsonObject): ChangedUser {
  return withoutUndefined({ input: text(raw, "input"), ...readUser(raw) });
}

function readError(raw: JsonObject): WhatsAppError {
  return withoutUndefined({
    code: number(raw, "code") ?? 0,
    title: text(raw, "title"),
    message: text(raw, "message"),
    details: firstText(object(raw, "error_data") ?? raw, ["details"]),
    href: text(raw, "href"),
  });
}
