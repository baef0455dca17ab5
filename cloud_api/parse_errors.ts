/**
 * Errors in notifications: of an item, and of the app or account.
 *
 * @module
 */

import { type JsonObject, number, object, objects, text, withoutUndefined } from "./json.ts";
import type { WhatsAppError } from "./messages.ts";
import { type ChangeOrigin, recordBase } from "./origin.ts";
import type { WhatsAppAccountError } from "./records.ts";

/**
 * Reads the errors of an item.
 *
 * @param raw The item.
 * @returns The objects of its list `errors`, perhaps none.
 */
export function parseErrors(raw: JsonObject): WhatsAppError[] {
  return objects(raw, "errors").map(parseError);
}

/**
 * Reads an error that is about no item: of the app, the account, or the number.
 *
 * @param raw The error.
 * @param origin The change that it came with.
 * @returns A record.
 */
export function parseAccountError(raw: JsonObject, origin: ChangeOrigin): WhatsAppAccountError {
  return withoutUndefined({ kind: "error", error: parseError(raw), ...recordBase(origin, raw) });
}

function parseError(raw: JsonObject): WhatsAppError {
  const data = object(raw, "error_data");
  return withoutUndefined({
    code: number(raw, "code") ?? 0,
    title: text(raw, "title"),
    message: text(raw, "message"),
    // Older notifications have the details in the error itself.
    details: (data && text(data, "details")) ?? text(raw, "details"),
    href: text(raw, "href"),
  });
}
