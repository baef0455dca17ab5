/**
 * The error of a call that the Graph API refused, read from its answer.
 *
 * @module
 */

import { type GraphError, WhatsAppApiError } from "./api_error.ts";
import { type CallLimits, readText } from "./call_limits.ts";
import { parseExact } from "./exact_json.ts";
import { isObject, type JsonObject, withoutUndefined } from "./json.ts";

/** Longest text of an error that is kept, in characters. */
const MAX_TEXT = 4096;

/** Answers by their errors. They are no members of the errors, which get logged, since they may hold phone numbers. */
const answers = new WeakMap<WhatsAppApiError, JsonObject>();

/**
 * Finds the whole answer that refused a call: some say beside the error what was done all the same.
 *
 * @param error The error of the call.
 * @returns The answer; `undefined` if it was no JSON object, or there was none.
 */
export function answerOf(error: WhatsAppApiError): JsonObject | undefined {
  return answers.get(error);
}

/**
 * Makes the error of a failed answer, without its body if that does not come in time: the status is enough.
 *
 * @param response The answer.
 * @param url URL of the call.
 * @param limits The limits of the call.
 * @param token The access token: Meta quotes one that is malformed.
 * @returns The error.
 */
export async function makeError(
  response: Response,
  url: URL,
  limits: CallLimits,
  token: string | undefined,
): Promise<WhatsAppApiError> {
  const body = await readBody(response, limits);
  const graph = readGraphError(body, token);
  // The path holds ids only; the query could hold more.
  const message = `The Graph API answered ${response.status} to ${url.pathname}${reasonOf(graph)}`;
  const error = new WhatsAppApiError("ERR_API_REFUSED", message, response.status, { graph });
  if (isObject(body)) answers.set(error, body);
  return error;
}

/** Meta's message can be no more than "Invalid parameter": the text for people then names the fault. */
function reasonOf(graph: GraphError | undefined): string {
  if (graph === undefined) return "";
  const { code, message = "no message", userTitle, userMessage } = graph;
  const forPeople = [userTitle, userMessage].filter((text) => text !== undefined).join(": ");
  return `: ${message} (code ${code})${forPeople && `: ${forPeople}`}`;
}

async function readBody(response: Response, limits: CallLimits): Promise<unknown> {
  try {
    return parseExact(await readText(response, limits));
  } catch {
    limits.throwIfAborted();
    return undefined;
  }
}

function readGraphError(body: unknown, token: string | undefined): GraphError | undefined {
  const error = (body as { error?: JsonObject | undefined } | undefined | null)?.error;
  if (typeof error !== "object" || error === null || typeof error.code !== "number") return undefined;
  const details = (error.error_data as JsonObject | undefined)?.details;
  const text = (value: unknown): string | undefined => typeof value === "string" ? shorten(value, token) : undefined;
  return withoutUndefined({
    code: error.code,
    subcode: typeof error.error_subcode === "number" ? error.error_subcode : undefined,
    type: text(error.type),
    message: text(error.message),
    details: text(details),
    userTitle: text(error.error_user_title),
    userMessage: text(error.error_user_msg),
    traceId: text(error.fbtrace_id),
    isTransient: typeof error.is_transient === "boolean" ? error.is_transient : undefined,
  });
}

/** Leaves out the access token, as it is or as part of a URL, and what no message of Meta has: errors get logged. */
function shorten(text: string, token: string | undefined): string {
  if (token === undefined) return text.slice(0, MAX_TEXT);
  return text.replaceAll(token, "…").replaceAll(encodeURIComponent(token), "…").slice(0, MAX_TEXT);
}
