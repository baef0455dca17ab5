/**
 * The business phone number that the value of a change is about.
 *
 * @module
 */

import { own } from "./json.ts";

/** Objects of a value that hold the id of a business phone number, by the fields of Meta that have them. */
const HOLDERS: readonly string[] = [
  // messaging_handovers
  "recipient",
  // account_settings_update
  "phone_number_settings",
];

/**
 * Reads the id of the business phone number: in `metadata`, beside the lists or one level above them, or where
 * handovers, settings and alerts have it.
 *
 * @param value The value of a change.
 * @param read Reads a text; parser and filter differ about numbers.
 * @returns The id; `undefined` if there is none, or more than one.
 */
export function phoneNumberIdOf(
  value: unknown,
  read: (raw: unknown, key: string) => string | undefined,
): string | undefined {
  let found = idIn(own(value, "metadata"), undefined, read);
  found = idIn(own(own(value, "standby"), "metadata"), found, read);
  for (const name of HOLDERS) found = idIn(own(value, name), found, read);
  // account_alerts
  if (own(value, "entity_type") === "PHONE_NUMBER") found = idIn(value, found, read, "entity_id");
  return found === SEVERAL ? undefined : found;
}

/** More than one id; none of Meta's is empty. */
const SEVERAL = "";

function idIn(
  holder: unknown,
  before: string | undefined,
  read: (raw: unknown, key: string) => string | undefined,
  key: string = "phone_number_id",
): string | undefined {
  if ((own(holder, key) ?? undefined) === undefined) return before;
  // An id of another type counts: it is not the same as that beside it.
  const id = read(holder, key) ?? SEVERAL;
  return before === undefined || before === id ? id : SEVERAL;
}
