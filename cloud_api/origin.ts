/**
 * The contract between the parser of notifications and the parsers of single webhook fields.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";
import type { WhatsAppRecord } from "./records.ts";

/** Facts of a change about all its records. */
export interface ChangeOrigin {
  /** The webhook field. */
  readonly field: string;
  /** The id of the entry: the WhatsApp Business account. */
  readonly accountId: string;
  /** The id of the business phone number, from `metadata` or from other places of the value. */
  readonly phoneNumberId?: string | undefined;
  /** The business phone number, in the form for display. */
  readonly displayPhoneNumber?: string | undefined;
  /** The contacts of the value: {@linkcode findContact} finds one, and notes that a record has it. */
  readonly contacts: readonly JsonObject[];
  /** The context of a conversation that another app hands over. */
  readonly conversationContext?: JsonObject | undefined;
  /** The time of the entry: for records that have no time of their own. */
  readonly entryTime?: Date | undefined;
  /** Objects beside the lists that are in a record, such as contacts; the parser makes records of all others. */
  readonly taken?: Set<JsonObject> | undefined;
}

/** The result of a {@linkcode FieldParser}. */
export interface ParsedValue {
  /** The records, in the order of the value. */
  readonly records: readonly WhatsAppRecord[];
  /**
   * Members of the value that no record has in its `raw`: the parser of notifications reads the common ones
   * (`messaging_product`, `metadata`, `contacts`), and makes records of the others. Empty if a record has the whole
   * value as its `raw`.
   */
  readonly rest: JsonObject;
}

/** Makes the records of the value of a change. Never throws, whatever the value holds. */
export type FieldParser = (value: JsonObject, origin: ChangeOrigin) => ParsedValue;

/**
 * Copies the members of a change that all its records have.
 *
 * @param origin The change.
 * @param raw The record as sent.
 * @returns The members, some of which may be `undefined`.
 */
export function recordBase(
  { field, accountId, phoneNumberId, displayPhoneNumber, entryTime }: ChangeOrigin,
  raw: JsonObject,
): {
  field: string;
  accountId: string;
  phoneNumberId: string | undefined;
  displayPhoneNumber: string | undefined;
  entryTime: Date | undefined;
  raw: JsonObject;
} {
  return { field, accountId, phoneNumberId, displayPhoneNumber, entryTime, raw };
}
