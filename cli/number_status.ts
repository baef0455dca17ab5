/**
 * State of a business phone number in plain words.
 *
 * @module
 */

import type { Finding } from "./setup_report.ts";
import { quote } from "../base/error_text.ts";
import type { PhoneNumberInfo } from "../cloud_api/phone_number.ts";

const MANAGER = "Look at WhatsApp Manager > Phone numbers";
const VERIFY = "Verify it in WhatsApp Manager > Phone numbers, then register it";

/** States in which a number works, or does not, with the reason and the remedy. */
const STATES: ReadonlyMap<string, readonly [state: Finding["state"], what: string, remedy?: string]> = new Map([
  ["CONNECTED", ["ok", "registered and connected"]],
  ["PENDING", ["wrong", "not registered yet"]],
  ["UNVERIFIED", ["wrong", "not verified yet", VERIFY]],
  ["DISCONNECTED", ["wrong", "not registered: it is disconnected"]],
  ["OFFLINE", ["wrong", "not registered: it is offline"]],
  ["BANNED", ["wrong", "banned by Meta", "Appeal in Business Support Home"]],
  ["RESTRICTED", ["wrong", "restricted by Meta, after low quality", MANAGER]],
  ["FLAGGED", ["note", "flagged by Meta for low quality", MANAGER]],
  ["RATE_LIMITED", ["note", "at its limit of messages", "Wait until the limit of 24 hours has passed"]],
  ["DELETED", ["wrong", "deleted", "Take another number"]],
  ["MIGRATED", ["wrong", "migrated to another account", "Use the account, and the ids, that have it now"]],
]);

/** Result and remedy about a number. */
export type NumberResult = Pick<Finding, "state" | "text" | "remedy">;

/**
 * Says if a number can send and receive.
 *
 * @param number The number.
 * @returns The result.
 */
export function numberFinding(number: PhoneNumberInfo): NumberResult {
  const { id, displayPhoneNumber = id, verifiedName, platformType, status, qualityRating = "UNKNOWN" } = number;
  const shown = verifiedName === undefined ? displayPhoneNumber : `${displayPhoneNumber} ${quote(verifiedName)}`;
  if (platformType === "ON_PREMISE") {
    const remedy = "Migrate it to the Cloud API: deregister it there, then register it";
    return { state: "wrong", text: `${shown} is on the on-premises API, not on the Cloud API`, remedy };
  }
  if (platformType === "NOT_APPLICABLE" && (status === undefined || status === "CONNECTED")) {
    return { state: "wrong", text: `${shown} is not registered`, remedy: registerRemedy(number) };
  }
  const [state, what, remedy] = STATES.get(status ?? "CONNECTED") ??
    ["note", `in the state ${quote(status!)}`, MANAGER];
  return {
    state,
    text: `${shown} is ${what}; its quality is ${qualityRating.toLowerCase()}`,
    remedy: remedy ?? (state === "wrong" ? registerRemedy(number) : undefined),
  };
}

/** Only a number that was verified can be registered. */
function registerRemedy({ id, codeVerificationStatus = "VERIFIED" }: PhoneNumberInfo): string {
  if (codeVerificationStatus !== "VERIFIED") return VERIFY;
  return `Register it: curl -X POST https://graph.facebook.com/v26.0/${id}/register ` +
    '-H "Authorization: Bearer $WHATSAPP_ACCESS_TOKEN" -H "Content-Type: application/json" ' +
    `-d '{"messaging_product":"whatsapp","pin":"6 digits that you choose"}'`;
}

/**
 * Lists what will trouble a number later.
 *
 * @param number The number.
 * @returns The results, perhaps none.
 */
export function numberNotes({ qualityRating, nameStatus, accountMode }: PhoneNumberInfo): readonly NumberResult[] {
  const notes: NumberResult[] = [];
  if (qualityRating === "RED") {
    const remedy = "Send less marketing, and only to people who want it";
    notes.push({ state: "note", text: "Recipients block or report this number: Meta may limit it", remedy });
  }
  if (nameStatus === "DECLINED") {
    const remedy = "Set another one in WhatsApp Manager > Phone numbers > Profile";
    notes.push({ state: "note", text: "The display name was declined", remedy });
  }
  if (accountMode === "SANDBOX") {
    const remedy = "API Setup > To > Manage phone number list";
    notes.push({ state: "note", text: "A test number writes only to recipients that were confirmed", remedy });
  }
  return notes;
}
