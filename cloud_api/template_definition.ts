/**
 * Definitions of message templates: their components in Meta's own form, and the limits that are checked before a
 * definition is sent.
 *
 * Facts: Meta's pages "Template components", "Authentication templates", "Carousel templates", "Limited-time offer
 * templates" (2026). Where its pages differ, the greater limit counts here.
 *
 * @module
 */

import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { assertLength } from "./argument_checks.ts";
import { integerIn, listOf } from "./contents_checks.ts";
import { isObject, type JsonObject, list, own, text } from "./json.ts";

/** An example of a named parameter: the reviewers at Meta see it. */
export interface TemplateNamedExample {
  /** The name, without braces. */
  param_name: string;
  /** The value. */
  example: string;
}

/** A button of a template. */
export type TemplateDefinitionButton =
  /** Sends its text back. */
  | { type: "QUICK_REPLY"; text: string }
  /** Opens a page; its URL may end with one parameter. */
  | { type: "URL"; text: string; url: string; example?: string[]; app_deep_link?: JsonObject }
  /** Calls a phone number. */
  | { type: "PHONE_NUMBER"; text: string; phone_number: string }
  /** Copies a code, of which an example is given. */
  | { type: "COPY_CODE"; example: string | string[] }
  /** Opens a flow. */
  | {
    type: "FLOW";
    text: string;
    flow_id?: string;
    flow_name?: string;
    flow_json?: string;
    flow_action?: "navigate" | "data_exchange";
    navigate_screen?: string;
    icon?: string;
  }
  /** Calls the business on WhatsApp. */
  | { type: "VOICE_CALL"; text: string; ttl_minutes?: number }
  /** Opens the catalogue, or some products of it. */
  | { type: "CATALOG" | "MPM" | "SPM"; text: string }
  /** Asks for the phone number of a user who has a username. */
  | { type: "REQUEST_CONTACT_INFO"; text?: string }
  /** Hands over a one-time password. */
  | {
    type: "OTP";
    otp_type: "COPY_CODE" | "ONE_TAP" | "ZERO_TAP";
    text?: string;
    autofill_text?: string;
    zero_tap_terms_accepted?: boolean;
    supported_apps?: { package_name: string; signature_hash: string }[];
  };

/**
 * A component of a template, in the form that Meta documents: what its pages show can be pasted. Parameters are
 * `{{1}}`, `{{2}}`, … or, with `parameterFormat: "NAMED"`, `{{first_name}}`.
 */
export type TemplateDefinitionComponent =
  | {
    type: "HEADER";
    format: "TEXT";
    text: string;
    example?: { header_text?: string[]; header_text_named_params?: TemplateNamedExample[] };
  }
  /** `header_handle` is what `api.uploadHandle` gives: media ids are not taken. */
  | { type: "HEADER"; format: "IMAGE" | "VIDEO" | "GIF" | "DOCUMENT"; example?: { header_handle?: string[] } }
  | { type: "HEADER"; format: "LOCATION" | "PRODUCT" }
  /** Without a text, and with `add_security_recommendation`, for templates of one-time passwords. */
  | {
    type: "BODY";
    text?: string;
    example?: { body_text?: string[][]; body_text_named_params?: TemplateNamedExample[] };
    add_security_recommendation?: boolean;
  }
  /** `code_expiration_minutes` is for templates of one-time passwords. */
  | { type: "FOOTER"; text?: string; code_expiration_minutes?: number }
  | { type: "BUTTONS"; buttons: TemplateDefinitionButton[] }
  | { type: "CAROUSEL"; cards: { components: TemplateDefinitionComponent[] }[] }
  | { type: "LIMITED_TIME_OFFER"; limited_time_offer: { text: string; has_expiration?: boolean } }
  | { type: "CALL_PERMISSION_REQUEST" };

/** Greatest length of a name, in characters. */
const MAX_NAME = 512;
const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_";
const MAX_HEADER = 60;
const MAX_BODY = 1024;
const MAX_FOOTER = 60;
const MAX_BUTTONS = 10;
const MAX_BUTTON_TEXT = 25;
const MAX_URL = 2000;
const MAX_PHONE_NUMBER = 20;
/** Meta's pages say 15 and 20. */
const MAX_CODE = 20;
const MAX_CARDS = 10;
const MAX_CARD_BODY = 160;
const MAX_CARD_BUTTONS = 2;
const MAX_OFFER = 16;
const MAX_APPS = 5;
/** Minutes that a one-time password can be valid for. */
const CODE_MINUTES = [1, 90] as const;
/** Buttons of which a template may have few. */
const MAX_OF_TYPE = new Map([["URL", 2], ["PHONE_NUMBER", 1], ["COPY_CODE", 1], ["VOICE_CALL", 1], ["OTP", 1]]);
/** Components of which a template may have one. */
const SINGLE_TYPES: readonly string[] = ["HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER"];

/**
 * Checks the name of a template.
 *
 * @param name The name.
 * @throws {OptionError} If it is not made of 1 to 512 lower-case letters, digits and underscores.
 */
export function assertTemplateName(name: unknown): asserts name is string {
  assertLength("name", name, { min: 1, max: MAX_NAME });
  for (const character of name) {
    if (NAME_CHARACTERS.includes(character)) continue;
    const wanted = "lower-case letters, digits and underscores are allowed";
    throw new OptionError(`The name of the template has the character ${quote(character)}: ${wanted}`);
  }
}

/**
 * Checks the components of a template against the limits that Meta documents. Types that are not known pass.
 *
 * @param components The components.
 * @throws {OptionError} If one is too long, or there are too many.
 */
export function assertComponents(components: unknown): asserts components is readonly TemplateDefinitionComponent[] {
  if (!Array.isArray(components) || components.length === 0) {
    const shown = Array.isArray(components) ? "empty" : showValue(components);
    throw new OptionError(`The components of the template are ${shown}: give at least { type: "BODY", text }`);
  }
  const types = components.map((component, index) => assertComponent(component, `components[${index}]`, MAX_BODY));
  for (const type of SINGLE_TYPES) {
    const count = types.filter((one) => one === type).length;
    if (count > 1) {
      throw new OptionError(`The template has ${count} components of the type ${quote(type)}: 1 is allowed`);
    }
  }
}

/** @returns The type, in capital letters. */
function assertComponent(component: unknown, path: string, maxBody: number): string {
  if (!isObject(component) || typeof component.type !== "string") {
    throw new OptionError(`The template has no object with a "type" at ${path}`);
  }
  const type = component.type.toUpperCase();
  if (type === "HEADER") assertText(component, "text", path, MAX_HEADER);
  else if (type === "BODY") assertText(component, "text", path, maxBody);
  else if (type === "FOOTER") assertFooter(component, path);
  else if (type === "BUTTONS") assertButtons(own(component, "buttons"), `${path}.buttons`, MAX_BUTTONS);
  else if (type === "CAROUSEL") assertCards(own(component, "cards"), `${path}.cards`);
  else if (type === "LIMITED_TIME_OFFER") {
    const offer = own(component, "limited_time_offer");
    if (isObject(offer)) assertText(offer, "text", `${path}.limited_time_offer`, MAX_OFFER);
  }
  return type;
}

function assertFooter(footer: JsonObject, path: string): void {
  assertText(footer, "text", path, MAX_FOOTER);
  const minutes = own(footer, "code_expiration_minutes");
  if (minutes !== undefined) integerIn(`${path}.code_expiration_minutes`, minutes, ...CODE_MINUTES);
}

function assertCards(cards: unknown, path: string): void {
  for (const [index, card] of listOf(path, cards as unknown[], MAX_CARDS).entries()) {
    const at = `${path}[${index}]`;
    for (const [number, component] of list(card, "components").entries()) {
      const inside = `${at}.components[${number}]`;
      const type = assertComponent(component, inside, MAX_CARD_BODY);
      if (type === "BUTTONS") assertButtons(own(component, "buttons"), `${inside}.buttons`, MAX_CARD_BUTTONS);
    }
  }
}

function assertButtons(buttons: unknown, path: string, most: number): void {
  const counts = new Map<string, number>();
  for (const [index, button] of listOf(path, buttons as unknown[], most).entries()) {
    const at = `${path}[${index}]`;
    if (!isObject(button)) throw new OptionError(`The template has ${showValue(button)} at ${at} instead of a button`);
    const type = (text(button, "type") ?? "").toUpperCase();
    counts.set(type, (counts.get(type) ?? 0) + 1);
    assertText(button, "text", at, MAX_BUTTON_TEXT);
    assertText(button, "autofill_text", at, MAX_BUTTON_TEXT);
    assertText(button, "url", at, MAX_URL);
    assertText(button, "phone_number", at, MAX_PHONE_NUMBER);
    if (type === "COPY_CODE" && typeof button.example === "string") assertText(button, "example", at, MAX_CODE);
    const apps = own(button, "supported_apps");
    if (apps !== undefined) listOf(`${at}.supported_apps`, apps as unknown[], MAX_APPS);
  }
  for (const [type, limit] of MAX_OF_TYPE) {
    const count = counts.get(type) ?? 0;
    if (count <= limit) continue;
    throw new OptionError(`The template has ${count} buttons of the type ${quote(type)} at ${path}: ${limit} allowed`);
  }
}

/** Checks a text that may be absent. */
function assertText(owner: JsonObject, key: string, path: string, max: number): void {
  const value = own(owner, key);
  if (value !== undefined) assertLength(`${path}.${key}`, value, { min: 1, max });
}
