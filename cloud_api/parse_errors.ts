/**
 * Errors in notifications: of an item, and of the app or account.
 *
 * @module
 */

import { type JsonObject, number, objects, text, withoutUndefined } from "./json.ts";
import { members, otherwise } from "./members.ts";
import type { WhatsAppError } from "./messages.ts";
import { type ChangeOrigin, recordBase } from "./origin.ts";
import type { WhatsAppAccountError } from "./records.ts";

const parseError: (raw: JsonObject) => WhatsAppError = /* @__PURE__ */ members(() => ({
  code: otherwise(number, 0),
  title: text,
  message: text,
  // Older notifications have the details in the error itself.
  details: [text, "error_data.details", "details"],
  href: text,
}));

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
