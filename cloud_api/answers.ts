/**
 * Readers of answers of the Graph API that several parts share.
 *
 * @module
 */

import { WhatsAppApiError } from "./api_error.ts";
import { type JsonObject, own } from "./json.ts";

/**
 * Checks the answer of a call that changes something: Meta may answer 200 and still report that nothing was changed.
 *
 * @param answer The answer.
 * @param call The call, for the error, such as `deregister the number`.
 * @throws {WhatsAppApiError} If it says `"success": false`.
 */
export function assertSuccess(answer: JsonObject, call: string): void {
  const success = own(answer, "success");
  if (success !== false && success !== "false") return;
  throw new WhatsAppApiError("ERR_API_ANSWER", `The Graph API answered 200, but did not ${call}`, 200);
}

/**
 * Reads the texts of an array.
 *
 * @param raw The object around it.
 * @param key The key.
 * @returns The texts; `undefined` without an array.
 */
export function texts(raw: JsonObject, key: string): string[] | undefined {
  const value = own(raw, key);
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : undefined;
}
