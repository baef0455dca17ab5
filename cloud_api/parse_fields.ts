/**
 * The parser of each webhook field other than those with messages.
 *
 * @module
 */

import type { FieldParser } from "./origin.ts";
import { parseAccount, parseAccountSettings, parseFlow, parseTemplate } from "./parse_account.ts";
import { parseCalls } from "./parse_calls.ts";
import { parseGroups } from "./parse_groups.ts";
import {
  parseAutomaticEvents,
  parseHandover,
  parseStateSync,
  parseUserIdUpdates,
  parseUserPreferences,
} from "./parse_users.ts";

/**
 * Parsers by field. Fields that Meta documents without a payload, such as `consumer_profile`, `tracking_events` and
 * `business_status_update`, have none: their records are of the kind `other`.
 */
export const FIELD_PARSERS: ReadonlyMap<string, FieldParser> = new Map<string, FieldParser>([
  ["calls", parseCalls],
  ["messaging_handovers", parseHandover],
  ["account_settings_update", parseAccountSettings],
  ["group_lifecycle_update", parseGroups],
  ["group_participants_update", parseGroups],
  // One page of Meta has the singular.
  ["group_participant_update", parseGroups],
  ["group_settings_update", parseGroups],
  ["group_status_update", parseGroups],
  ["user_preferences", parseUserPreferences],
  ["automatic_events", parseAutomaticEvents],
  ["smb_app_state_sync", parseStateSync],
  ["message_template_status_update", parseTemplate],
  ["message_template_quality_update", parseTemplate],
  ["message_template_components_update", parseTemplate],
  ["template_category_update", parseTemplate],
  ["template_correct_category_detection", parseTemplate],
  ["account_update", parseAccount],
  ["account_alerts", parseAccount],
  ["account_review_update", parseAccount],
  ["business_capability_update", parseAccount],
  ["phone_number_name_update", parseAccount],
  ["phone_number_quality_update", parseAccount],
  // The documentation, its example, and an earlier draft.
  ["business_username_updates", parseAccount],
  ["business_username_update", parseAccount],
  ["phone_number_username_update", parseAccount],
  ["partner_solutions", parseAccount],
  ["payment_configuration_update", parseAccount],
  ["security", parseAccount],
  ["user_id_update", parseUserIdUpdates],
  ["flows", parseFlow],
]);
