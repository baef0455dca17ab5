/**
 * The username of a number: an optional name that customers can find it by.
 *
 * Facts: Meta's page "Business-scoped user IDs", parts about business usernames.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertSuccess, texts } from "./answers.ts";
import { assertLength } from "./argument_checks.ts";
import type { GraphClient } from "./graph.ts";
import { type JsonObject, objects, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";

/** State of a username. */
export interface UsernameState {
  /** The username; absent if the number has none. */
  username?: string | undefined;
  /**
   * Its state: `APPROVED`, `RESERVED` (not yet visible), or of a request `PENDING` or `REJECTED`. Meta prints them in
   * small letters too.
   */
  status?: string | undefined;
  /** A username that was asked for and is under review. */
  requestedUsername?: string | undefined;
  /** Reasons of a rejection, such as `NOT_AVAILABLE`. */
  rejectionReasons?: string[] | undefined;
  /** The state as Meta sent it. */
  raw: JsonObject;
}

/** Options of setting a username. */
export interface SetUsernameOptions {
  /**
   * Take the username from another number of the same business portfolio, which else is refused with code 147005.
   * @default {false}
   */
  transfer?: boolean | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

const LENGTH = { min: 3, max: 35 } as const;

const SET_NAMES: OptionTable<SetUsernameOptions> = { transfer: true, signal: true };
const SET_OPTIONS = /* @__PURE__ */ new OptionNames("username.set", {
  tables: [SET_NAMES],
  hints: { transfer_action: 'use "transfer"', force: 'use "transfer"' },
  example: () => "{ transfer: true }",
});

/**
 * The username of the number of a {@linkcode WhatsAppApi}: its `username`.
 *
 * @example A reserved username
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function claim(api: WhatsAppApi) {
 *   const [first] = await api.username.suggestions();
 *   return first === undefined ? undefined : (await api.username.set(first)).status;
 * }
 * ```
 */
export class WhatsAppUsername {
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
   * Reads the username and its state.
   *
   * @param options A signal.
   * @returns The state.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async get(options: CallOptions = {}): Promise<UsernameState> {
    CALL_OPTIONS.assert(options);
    return readState(await this.#graph.get(this.#path, { signal: options.signal }));
  }

  /**
   * Asks for a username, or for another one.
   *
   * @param username The username: 3 to 35 letters, digits, periods and underscores, with a letter among them.
   * @param options Transfer within the portfolio, signal.
   * @returns The state of the request: a rejection is no error of the call.
   * @throws {OptionError} If Meta allows no such username.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async set(username: string, options: SetUsernameOptions = {}): Promise<UsernameState> {
    SET_OPTIONS.assert(options);
    assertUsername(username);
    const { transfer, signal } = options;
    const json = { username, transfer_action: transfer ? "force_transfer" : undefined };
    return readState(await this.#graph.post(this.#path, { json, signal }));
  }

  /**
   * Deletes the username.
   *
   * @param options A signal.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async delete(options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertSuccess(await this.#graph.delete(this.#path, { signal: options.signal }), "delete the username");
  }

  /**
   * Reads the usernames that Meta has reserved for the business portfolio.
   *
   * @param options A signal.
   * @returns The usernames.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async suggestions(options: CallOptions = {}): Promise<string[]> {
    CALL_OPTIONS.assert(options);
    const path = `${this.#graph.phoneNumberId}/username_suggestions`;
    const answer = await this.#graph.get(path, { signal: options.signal });
    return objects(answer, "data").flatMap((entry) => texts(entry, "username_suggestions") ?? []);
  }

  get #path(): string {
    return `${this.#graph.phoneNumberId}/username`;
  }
}

/** Leaves endings that look like domains to Meta, whose list is open. */
function assertUsername(username: unknown): asserts username is string {
  assertLength("username", username, LENGTH);
  const fault = faultOf(username.toLowerCase());
  if (fault !== undefined) throw new OptionError(`The username ${fault}`);
}

function faultOf(username: string): string | undefined {
  let letters = 0;
  for (const character of username) {
    const isLetter = character >= "a" && character <= "z";
    if (isLetter) letters++;
    else if (!"0123456789._".includes(character)) {
      return "has a character other than letters from a to z, digits, periods and underscores";
    }
  }
  if (letters === 0) return "has no letter";
  if (username.startsWith(".") || username.endsWith(".")) return "begins or ends with a period";
  if (username.includes("..")) return "has two periods in a row";
  return username.startsWith("www") ? 'begins with "www"' : undefined;
}

function readState(raw: JsonObject): UsernameState {
  return withoutUndefined({
    // An empty name stands for none.
    username: text(raw, "username") || undefined,
    status: text(raw, "status"),
    requestedUsername: text(raw, "requested_username"),
    rejectionReasons: texts(raw, "rejection_reasons"),
    raw,
  });
}
