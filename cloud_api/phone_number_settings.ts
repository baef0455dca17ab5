/**
 * Settings of a business phone number: calling, identity check, storage, encryption.
 *
 * Facts: Meta's pages "Configure Call Settings", "Identity change check", "Local storage", "No storage" and, of its
 * reference, "Settings API".
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { isObject, type JsonObject } from "./json.ts";
import { camelKeys, snakeKeys } from "./key_case.ts";

/** A setting that is on or off. */
export type SettingStatus = "ENABLED" | "DISABLED" | (string & Record<never, never>);

/** A part of a day in which a business takes calls. */
export interface CallHoursOfDay {
  /** The day, such as `MONDAY`. */
  dayOfWeek: string;
  /** Beginning, such as `0930`. */
  openTime: string;
  /** End, such as `1700`. */
  closeTime: string;
}

/** A day with other hours. */
export interface CallHoliday {
  /** The day, such as `2026-12-24`. */
  date: string;
  /** Beginning, such as `0000`. */
  startTime: string;
  /** End, such as `2359`. */
  endTime: string;
}

/** Hours in which a business takes calls. A change replaces all of them. */
export interface CallHours {
  /** On or off. */
  status: SettingStatus;
  /** The time zone, such as `America/Manaus`. */
  timezoneId?: string | undefined;
  /** The hours, with up to two parts of a day. */
  weeklyOperatingHours?: readonly CallHoursOfDay[] | undefined;
  /** Up to 20 days with other hours. */
  holidaySchedule?: readonly CallHoliday[] | undefined;
}

/** Calls over SIP instead of webhooks. */
export interface SipSettings {
  /** On or off. */
  status: SettingStatus;
  /** The servers. */
  servers?: readonly JsonObject[] | undefined;
}

/** Settings of calls. Other members of Meta's are passed through, with their names in this form. */
export interface CallingSettings {
  /** On or off. */
  status?: SettingStatus | undefined;
  /** `DEFAULT`, or `DISABLE_ALL`: no icon in chats. */
  callIconVisibility?: string | undefined;
  /** Countries of the users who see the icon, such as `["US"]`. */
  callIcons?: { restrictToUserCountries?: readonly string[] | undefined } | undefined;
  /** The hours. */
  callHours?: CallHours | undefined;
  /** Ask users who call for the permission to call back. */
  callbackPermissionStatus?: SettingStatus | undefined;
  /** Calls over SIP. */
  sip?: SipSettings | undefined;
  /** Any other member. */
  [member: string]: unknown;
}

/** Settings of a number that can be changed; what is left out stays. */
export interface PhoneNumberSettingsChanges {
  /** Calls. */
  calling?: CallingSettings | undefined;
  /** Identity check: the hash of a customer's identity comes with messages and statuses. */
  userIdentityChange?: { enableIdentityKeyCheck: boolean } | undefined;
  /** Storage: `DEFAULT`, `IN_COUNTRY_STORAGE_ENABLED` with a region, `NO_STORAGE_ENABLED` with minutes. */
  storageConfiguration?: {
    status: string;
    dataLocalizationRegion?: string | undefined;
    retentionMinutes?: number | undefined;
  } | undefined;
  /** Encryption of payloads. */
  payloadEncryption?: { status: SettingStatus; clientEncryptionKey?: string | undefined } | undefined;
}

/**
 * Settings of a number. Members are as Meta sent them, with names in this form.
 *
 * Also from {@linkcode PhoneNumberSettingsChanges}: `calling`, `userIdentityChange`, `storageConfiguration`,
 * `payloadEncryption`.
 */
export interface PhoneNumberSettings extends PhoneNumberSettingsChanges {
  /** The settings as Meta sent them. */
  raw: JsonObject;
}

const CHANGE_NAMES: OptionTable<PhoneNumberSettingsChanges> = {
  calling: true,
  userIdentityChange: true,
  storageConfiguration: true,
  payloadEncryption: true,
};
const SECTIONS = /* @__PURE__ */ Object.keys(CHANGE_NAMES) as (keyof PhoneNumberSettingsChanges)[];
const CHANGES = /* @__PURE__ */ new OptionNames("phoneNumber.updateSettings", {
  tables: [CHANGE_NAMES],
  hints: {
    user_identity_change: 'use "userIdentityChange"',
    storage_configuration: 'use "storageConfiguration"',
    payload_encryption: 'use "payloadEncryption"',
  },
  example: () => '{ calling: { status: "ENABLED" } }',
});

/**
 * Makes the body that changes settings.
 *
 * @param changes The settings.
 * @returns The body.
 * @throws {OptionError} If a name is not known, a section is no object, or there is none.
 */
export function settingsBody(changes: PhoneNumberSettingsChanges): JsonObject {
  CHANGES.assert(changes);
  for (const name of SECTIONS) {
    const section = changes[name];
    if (section !== undefined && !isObject(section)) {
      throw new OptionError(`The setting "${name}" is ${showValue(section)} instead of an object`);
    }
  }
  const body = snakeKeys(changes);
  if (Object.keys(body).length > 0) return body;
  throw new OptionError('The settings are empty: give one, such as { calling: { status: "ENABLED" } }');
}

/**
 * Reads settings.
 *
 * @param raw The answer.
 * @returns The settings.
 */
export function readSettings(raw: JsonObject): PhoneNumberSettings {
  const named = camelKeys(raw);
  const sections = SECTIONS.flatMap((name) => isObject(named[name]) ? [[name, named[name]]] : []);
  return { ...Object.fromEntries(sections) as PhoneNumberSettingsChanges, raw };
}
