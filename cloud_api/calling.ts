/**
 * Calls on WhatsApp: permission, and the signalling of WebRTC. The media go between your WebRTC stack and Meta.
 *
 * Facts: Meta's pages "Business-initiated calls", "User-initiated calls", "Obtain user call permissions" and
 * "Troubleshoot WhatsApp calling errors" (June 2026).
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { assertSuccess } from "./answers.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { assertLength } from "./argument_checks.ts";
import { type GraphClient, pathOf } from "./graph.ts";
import { boolean, date, type JsonObject, number, object, objects, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";
import { addressOfUser, type WhatsAppUser } from "./user_address.ts";

/** A session description of WebRTC (RFC 8866), as `RTCSessionDescription` has it. */
export interface CallSession {
  /** `offer` of the side that begins, `answer` of the other. */
  type: "offer" | "answer";
  /** The description. */
  sdp: string;
}

/** Permission of a user, and what it allows now. */
export interface CallPermission {
  /** `no_permission`, `temporary` (7 days) or `permanent`. */
  status: string;
  /** Time at which a temporary permission ends. */
  expiresAt?: Date | undefined;
  /** Actions, such as `start_call` and `send_call_permission_request`. */
  actions: CallAction[];
  /** `true` if a call may begin now. */
  canCall: boolean;
  /** `true` if the user may be asked for the permission now. */
  canRequest: boolean;
  /** The answer as Meta sent it. */
  raw: JsonObject;
}

/** An action that a permission may allow. */
export interface CallAction {
  /** Its name: `start_call`, `send_call_permission_request`. */
  name: string;
  /** `true` if it is possible now. */
  isAllowed: boolean;
  /** Its limits. */
  limits: CallActionLimit[];
}

/** A limit of an action, for one user. */
export interface CallActionLimit {
  /** The period, as ISO 8601 writes it: `PT24H`, `P7D`. */
  period: string;
  /** Most actions in it. */
  max: number;
  /** Actions so far. */
  used: number;
  /** Time at which the next one is possible, if there were too many. */
  expiresAt?: Date | undefined;
}

/** Options of a call that begins, or is accepted. */
export interface StartCallOptions {
  /** Text of up to 512 characters that comes back with the events of the call. */
  bizOpaqueCallbackData?: string | undefined;
  /** Aborts the request. */
  signal?: AbortSignal | undefined;
}

const START_NAMES: OptionTable<StartCallOptions> = { bizOpaqueCallbackData: true, signal: true };
const START_OPTIONS = /* @__PURE__ */ new OptionNames("The call", {
  tables: [START_NAMES],
  hints: { tracker: 'use "bizOpaqueCallbackData"', biz_opaque_callback_data: 'use "bizOpaqueCallbackData"' },
  example: () => '{ bizOpaqueCallbackData: "order 12" }',
});
const MAX_CALLBACK_DATA = 512;
/** Far more than any description of audio and video has. */
const MAX_SDP = 65_536;

/** The action of a request. */
type CallActionName = "connect" | "pre_accept" | "accept" | "reject" | "terminate";

/**
 * Calls of the number of a {@linkcode WhatsAppApi}: its `calls`. Events come as records of the webhook field `calls`.
 *
 * Errors of Meta (`error.graph.code`):
 *
 * | code   | meaning                                                                                |
 * | ------ | -------------------------------------------------------------------------------------- |
 * | 138000 | calling is not enabled for the number                                                   |
 * | 138001 | the user cannot be called: no WhatsApp, an old app, terms not accepted                  |
 * | 138002 | 1000 calls at once are the limit of a number                                            |
 * | 138003 | a call with the user is going on                                                        |
 * | 138004 | the connection failed: check the session                                                |
 * | 138005 | too many calls of this number: later                                                    |
 * | 138006 | the user has not given the permission                                                   |
 * | 138007 | the session came too late                                                               |
 * | 138009 | too many requests for permission to this user: 1 in 24 hours, 2 in 7 days               |
 * | 138012 | too many connected calls with this user in 24 hours; `details` has the time of the next |
 * | 613    | `permission` is asked too often; tried again after a pause                              |
 *
 * @example Call a customer who allows it
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function call(api: WhatsAppApi, user: string, offer: { type: "offer"; sdp: string }) {
 *   const { canCall } = await api.calls.permission(user);
 *   if (!canCall) return undefined;
 *   return await api.calls.initiate(user, offer); // the answer comes with the event `connect`
 * }
 * ```
 */
export class WhatsAppCalls {
  readonly #graph: GraphClient;

  /**
   * Begins without a call. Programs use the one of {@linkcode WhatsAppApi}.
   *
   * @param graph The calls of the API.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * Reads if a user may be called, and asked for the permission.
   *
   * @param user The user.
   * @param options Signal.
   * @returns The permission.
   * @throws {OptionError} If the user is neither a phone number nor a user id.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async permission(user: WhatsAppUser, options: CallOptions = {}): Promise<CallPermission> {
    CALL_OPTIONS.assert(options);
    const address = addressOfUser(user);
    const query = "phone" in address ? { user_wa_id: withoutPlus(address.phone) } : { recipient: address.userId };
    const path = `${this.#graph.phoneNumberId}/call_permissions`;
    return readPermission(await this.#graph.get(path, { query, signal: options.signal }));
  }

  /**
   * Begins a call to a user, whose phone rings then. The user's answer comes with the event `connect`.
   *
   * @param user The user.
   * @param session The offer of your WebRTC stack.
   * @param options Text for the events, signal.
   * @returns The id of the call.
   * @throws {OptionError} If the user, the session or an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it: see the codes above.
   */
  async initiate(user: WhatsAppUser, session: CallSession, options: StartCallOptions = {}): Promise<string> {
    START_OPTIONS.assert(options);
    const address = addressOfUser(user);
    const to = "phone" in address ? { to: address.phone } : { recipient: address.userId };
    const fields = { ...to, session: sessionOf(session, "offer"), ...callbackData(options) };
    const answer = await this.#act("connect", fields, options);
    const id = objects(answer, "calls").map((call) => text(call, "id")).find((one) => one !== undefined);
    if (id !== undefined) return id;
    throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API began a call, but named no id", 200);
  }

  /**
   * Prepares the connection of a user's call, so that the first words are not lost: before `accept`, which needs it as
   * soon as the connection is up.
   *
   * @param callId The id of the call, from the event `connect`.
   * @param session The answer of your WebRTC stack to the offer of that event.
   * @param options Signal.
   * @throws {OptionError} If the id or the session is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async preAccept(callId: string, session: CallSession, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    await this.#change("pre_accept", callId, { session: sessionOf(session, "answer") }, options);
  }

  /**
   * Takes a user's call, within some 30 to 60 seconds of the event `connect`.
   *
   * @param callId The id of the call.
   * @param session The same answer as for `preAccept`.
   * @param options Text for the events, signal.
   * @throws {OptionError} If the id, the session or an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async accept(callId: string, session: CallSession, options: StartCallOptions = {}): Promise<void> {
    START_OPTIONS.assert(options);
    const fields = { session: sessionOf(session, "answer"), ...callbackData(options) };
    await this.#change("accept", callId, fields, options);
  }

  /**
   * Refuses a user's call.
   *
   * @param callId The id of the call.
   * @param options Signal.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async reject(callId: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    await this.#change("reject", callId, {}, options);
  }

  /**
   * Ends a call. Do so also after the media connection was closed: until then the user's app shows the call.
   *
   * @param callId The id of the call.
   * @param options Signal.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async terminate(callId: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    await this.#change("terminate", callId, {}, options);
  }

  async #change(action: CallActionName, callId: string, fields: JsonObject, options: CallOptions): Promise<void> {
    assertLength("callId", callId, { min: 1, max: 256 });
    assertSuccess(await this.#act(action, { call_id: callId, ...fields }, options), `${action} the call`);
  }

  #act(action: CallActionName, fields: JsonObject, { signal }: CallOptions): Promise<JsonObject> {
    const json = { messaging_product: "whatsapp", action, ...fields };
    return this.#graph.post(pathOf("phoneNumberId", this.#graph.phoneNumberId, "calls"), { json, signal });
  }
}

/** `user_wa_id` is digits only. */
function withoutPlus(phone: string): string {
  return phone.startsWith("+") ? phone.slice(1) : phone;
}

function sessionOf(session: CallSession, type: CallSession["type"]): JsonObject {
  if (typeof session !== "object" || session === null) {
    throw new OptionError(`The session of the call is ${showValue(session)}: give { type: "${type}", sdp }`);
  }
  if (session.type !== type) {
    throw new OptionError(`The session of the call has the type ${showValue(session.type)} instead of "${type}"`);
  }
  assertLength("sdp", session.sdp, { min: 1, max: MAX_SDP });
  return { sdp_type: type, sdp: session.sdp };
}

function callbackData({ bizOpaqueCallbackData }: StartCallOptions): JsonObject {
  if (bizOpaqueCallbackData === undefined) return {};
  assertLength("bizOpaqueCallbackData", bizOpaqueCallbackData, { max: MAX_CALLBACK_DATA });
  return { biz_opaque_callback_data: bizOpaqueCallbackData };
}

function readPermission(raw: JsonObject): CallPermission {
  const permission = object(raw, "permission") ?? {};
  const actions = objects(raw, "actions").map(readAction);
  const isAllowed = (wanted: string): boolean => actions.some((action) => action.name === wanted && action.isAllowed);
  return withoutUndefined({
    status: text(permission, "status") ?? "unknown",
    expiresAt: date(permission, "expiration_time"),
    actions,
    canCall: isAllowed("start_call"),
    canRequest: isAllowed("send_call_permission_request"),
    raw,
  });
}

function readAction(action: JsonObject): CallAction {
  return {
    name: text(action, "action_name") ?? "",
    isAllowed: boolean(action, "can_perform_action") ?? false,
    limits: objects(action, "limits").map((limit) =>
      withoutUndefined({
        period: text(limit, "time_period") ?? "",
        max: number(limit, "max_allowed") ?? 0,
        used: number(limit, "current_usage") ?? 0,
        expiresAt: date(limit, "limit_expiration_time"),
      })
    ),
  };
}
