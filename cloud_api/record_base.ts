/**
 * Members of all records of a notification.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";

/** Members of all records. */
export interface WhatsAppRecordBase {
  /** The webhook field of its change, such as `messages`. */
  field: string;
  /** The WhatsApp Business account; a business portfolio in changes about partners, "0" for payment configurations. */
  accountId: string;
  /** The id of the business phone number, if it is about one. */
  phoneNumberId?: string | undefined;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string | undefined;
  /** Its time. */
  timestamp?: Date | undefined;
  /** Time at which Meta made the entry that it came in: only changes of the account have one. */
  entryTime?: Date | undefined;
  /** The record as sent. */
  raw: JsonObject;
}
