/**
 * The business profile of a number: what customers see when they tap its name.
 *
 * Facts: Meta's page "Business profiles" (June 2026).
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertSuccess, texts } from "./answers.ts";
import { assertFields, assertLength, assertUrl } from "./argument_checks.ts";
import { listOf } from "./contents_checks.ts";
import type { GraphClient } from "./graph.ts";
import { type JsonObject, object, objects, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";

/** Industry of a business. Meta adds others. */
export type BusinessVertical =
  | "ALCOHOL"
  | "APPAREL"
  | "AUTO"
  | "BEAUTY"
  | "EDU"
  | "ENTERTAIN"
  | "EVENT_PLAN"
  | "FINANCE"
  | "GOVT"
  | "GROCERY"
  | "HEALTH"
  | "HOTEL"
  | "NONPROFIT"
  | "NOT_A_BIZ"
  | "ONLINE_GAMBLING"
  | "OTC_DRUGS"
  | "OTHER"
  | "PHYSICAL_GAMBLING"
  | "PROF_SERVICES"
  | "RESTAURANT"
  | "RETAIL"
  | "TRAVEL"
  | (string & Record<never, never>);

/** A business profile. */
export interface BusinessProfile {
  /** The text below the name. */
  about?: string | undefined;
  /** The address. */
  address?: string | undefined;
  /** The description. */
  description?: string | undefined;
  /** The e-mail address. */
  email?: string | undefined;
  /** The websites. */
  websites?: string[] | undefined;
  /** The industry. */
  vertical?: BusinessVertical | undefined;
  /** URL of the picture, which Meta signs for some time. */
  pictureUrl?: string | undefined;
  /** The profile as Meta sent it. */
  raw: JsonObject;
}

/** Changes of a business profile; what is left out stays. */
export interface BusinessProfileChanges {
  /** The text below the name: 1 to 139 characters. */
  about?: string | undefined;
  /** The address, up to 256 characters. */
  address?: string | undefined;
  /** The description, up to 512 characters. */
  description?: string | undefined;
  /** The e-mail address, up to 128 characters. */
  email?: string | undefined;
  /** Up to two websites of up to 256 characters each, with `https://` or `http://`. An empty array removes them. */
  websites?: readonly string[] | undefined;
  /** The industry. */
  vertical?: BusinessVertical | undefined;
  /** Handle of a picture that was uploaded with Meta's Resumable Upload API. */
  pictureHandle?: string | undefined;
}

/** Options of reading a business profile. */
export interface BusinessProfileOptions {
  /**
   * Names of fields, as the Graph API has them.
   * @default {["about", "address", "description", "email", "profile_picture_url", "websites", "vertical"]}
   */
  fields?: readonly string[] | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

const FIELDS = ["about", "address", "description", "email", "profile_picture_url", "websites", "vertical"];
const MAX_WEBSITES = 2;
const MAX_WEBSITE = 256;

/** Limits of the texts, by name. Meta's OpenAPI file has 256 for the description, its page 512. */
const LIMITS = {
  about: { min: 1, max: 139 },
  address: { max: 256 },
  description: { max: 512 },
  email: { max: 128 },
} as const;

const GET_NAMES: OptionTable<BusinessProfileOptions> = { fields: true, signal: true };
const GET_OPTIONS = /* @__PURE__ */ new OptionNames("businessProfile.get", {
  tables: [GET_NAMES],
  example: () => '{ fields: ["about"] }',
});
const CHANGE_NAMES: OptionTable<BusinessProfileChanges> = {
  about: true,
  address: true,
  description: true,
  email: true,
  websites: true,
  vertical: true,
  pictureHandle: true,
};
const CHANGES = /* @__PURE__ */ new OptionNames("A business profile", {
  tables: [CHANGE_NAMES],
  hints: {
    profile_picture_handle: 'use "pictureHandle"',
    profilePictureHandle: 'use "pictureHandle"',
    industry: 'use "vertical"',
    website: 'use "websites"',
  },
  example: () => '{ about: "Open from 9 to 17" }',
});

/**
 * The business profile of the number of a {@linkcode WhatsAppApi}: its `businessProfile`.
 *
 * @example The opening hours below the name
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function open(api: WhatsAppApi) {
 *   await api.businessProfile.update({ about: "Open from 9 to 17", websites: ["https://example.com"] });
 *   const { about } = await api.businessProfile.get();
 *   return about;
 * }
 * ```
 */
export class WhatsAppBusinessProfile {
  readonly #graph: GraphClient;

  /**
   * Begins without a call. Programs use the one of {@linkcode WhatsAppApi}.
   *
   * @param graph The calls.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * Reads the profile.
   *
   * @param options Fields, signal.
   * @returns The profile.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async get(options: BusinessProfileOptions = {}): Promise<BusinessProfile> {
    GET_OPTIONS.assert(options);
    const { fields = FIELDS, signal } = options;
    assertFields(fields);
    const answer = await this.#graph.get(this.#path, { query: { fields: fields.join(",") }, signal });
    return readProfile(answer);
  }

  /**
   * Changes the profile.
   *
   * @param changes The members that change.
   * @param options A signal.
   * @throws {OptionError} If a member is too long, or none is there.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async update(changes: BusinessProfileChanges, options: CallOptions = {}): Promise<void> {
    CHANGES.assert(changes);
    CALL_OPTIONS.assert(options);
    const json = { messaging_product: "whatsapp", ...fieldsOf(changes) };
    const answer = await this.#graph.post(this.#path, { json, signal: options.signal });
    assertSuccess(answer, "change the business profile");
  }

  get #path(): string {
    return `${this.#graph.phoneNumberId}/whatsapp_business_profile`;
  }
}

function fieldsOf(changes: BusinessProfileChanges): JsonObject {
  const { about, address, description, email, websites, vertical, pictureHandle } = changes;
  for (const name of ["about", "address", "description", "email"] as const) {
    if (changes[name] !== undefined) assertLength(name, changes[name], LIMITS[name]);
  }
  if (websites !== undefined) {
    for (const website of listOf("websites", websites, MAX_WEBSITES, 0)) {
      assertUrl("website", website, MAX_WEBSITE, ["https:", "http:"]);
    }
  }
  const fields = withoutUndefined({
    about,
    address,
    description,
    email,
    websites,
    vertical,
    profile_picture_handle: pictureHandle,
  });
  if (Object.keys(fields).length > 0) return fields;
  throw new OptionError('The changes of the business profile are empty: give one, such as { about: "…" }');
}

/** Meta's samples have the profile itself in the list; the schema of its OpenAPI file has an object around it. */
function readProfile(answer: JsonObject): BusinessProfile {
  const entry = objects(answer, "data")[0] ?? {};
  const raw = object(entry, "business_profile") ?? entry;
  return withoutUndefined({
    about: text(raw, "about"),
    address: text(raw, "address"),
    description: text(raw, "description"),
    email: text(raw, "email"),
    websites: texts(raw, "websites"),
    vertical: text(raw, "vertical"),
    pictureUrl: text(raw, "profile_picture_url"),
    raw,
  });
}
