/**
 * The parser of each webhook field other than those with messages.
 *
 * @module
 */

import { listValue, wholeValue } from "./field_values.ts";
import type { FieldParser } from "./origin.ts";
import { parseAccount, parseAccountSettings, parseFlow, parseTemplate } from "./parse_account.ts";
import { parseCalls } from "./parse_calls.ts";
import { parseGroup } from "./parse_groups.ts";
import {
  parseAutomaticEvent,
  parseContactSync,
  parseHandover,
  parseUserIdUpdate,
  parseUserPreference,
} from "./parse_users.ts";

/**
 * Parsers by field. Fields that Meta documents without a payload, such as `consumer_profile`, `tracking_events` and
 * `business_status_update`, have none: their records are of the kind `other`.
 */
export const FIELD_PARSERS: ReadonlyMap<string, FieldParser> = /* @__PURE__ */ makeParsers();

function makeParsers(): Map<string, FieldParser> {
  const rows: readonly (readonly [FieldParser, ...string[]])[] = [
    [parseCalls, "calls"],
    [wholeValue(parseHandover), "messaging_handovers"],
    [wholeValue(parseAccountSettings), "account_settings_update"],
    [
      listValue("groups", parseGroup),
      "group_lifecycle_update",
      "group_participants_update",
      // One page of Meta has the singular.
      "group_participant_update",
      "group_settings_update",
      "group_status_update",
    ],
    [listValue("user_preferences", parseUserPreference), "user_preferences"],
    [listValue("automatic_events", parseAutomaticEvent), "automatic_events"],
    [listValue("state_sync", parseContactSync), "smb_app_state_sync"],
    [listValue("user_id_update", parseUserIdUpdate), "user_id_update"],
    [
      wholeValue(parseTemplate),
      "message_template_status_update",
      "message_template_quality_update",
      "message_template_components_update",
      "template_category_update",
      "template_correct_category_detection",
    ],
    [
      wholeValue(parseAccount),
      "account_update",
      "account_alerts",
      "account_review_update",
      "business_capability_update",
      "phone_number_name_update",
      "phone_number_quality_update",
      // The documentation, its example, and an earlier draft.
      "business_username_updates",
      "business_username_update",
      "phone_number_username_update",
      "partner_solutions",
      "payment_configuration_update",
      "security",
    ],
    [wholeValue(parseFlow), "flows"],
  ];
  return new Map(rows.flatMap(([parse, ...fields]) => fields.map((field) => [field, parse])));
}
