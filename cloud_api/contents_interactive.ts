/**
 * Contents of interactive messages that are sent: buttons, lists, flows, requests and calls. Each builder checks the
 * limits of Meta's pages "Interactive … messages" (2026), and makes the JSON of the Cloud API.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { type Draft, mediaOf, type MediaReference, named, type Upload } from "./contents.ts";
import {
  assertCount,
  assertDistinct,
  choiceOf,
  countCharacters,
  integerIn,
  listOf,
  objectOf,
  onlyMember,
  optionalObject,
  optionalText,
  textOf,
  urlOf,
} from "./contents_checks.ts";
import { type JsonObject, withoutUndefined } from "./json.ts";

/** Header of an interactive message: a text of up to 60 characters, or a file. */
export type InteractiveHeader =
  | string
  | { image: MediaReference }
  | { video: MediaReference }
  | { document: MediaReference & { filename?: string | undefined } };

/** Texts of an interactive message. */
export interface InteractiveTexts {
  /** The text, up to 1024 characters. */
  body: string;
  /** The line below it, up to 60 characters. */
  footer?: string | undefined;
}

/** A reply button. */
export interface ReplyButton {
  /** Id that comes back with the answer: up to 256 characters, without spaces at its ends. */
  id: string;
  /** The label, up to 20 characters. */
  title: string;
}

/**
 * A message with up to 3 reply buttons.
 *
 * Also from {@linkcode InteractiveTexts}: `body`, `footer`.
 */
export interface ButtonsContents extends InteractiveTexts {
  /** A text or a file above the text. */
  header?: InteractiveHeader | undefined;
  /** From 1 to 3 buttons, with different ids and titles. */
  buttons: readonly ReplyButton[];
}

/** A row of a list. */
export interface ListRow {
  /** Id that comes back with the answer, up to 200 characters. */
  id: string;
  /** The title, up to 24 characters. */
  title: string;
  /** Description, up to 72 characters. */
  description?: string | undefined;
}

/** A section of a list. */
export interface ListSection {
  /** The title, up to 24 characters; needed if there are several sections. */
  title?: string | undefined;
  /** Its rows. */
  rows: readonly ListRow[];
}

/** A message with a list, of which the customer chooses a row. */
export interface ListContents {
  /** The text, up to 4096 characters. */
  body: string;
  /** The line below it, up to 60 characters. */
  footer?: string | undefined;
  /** A text above it, up to 60 characters. */
  header?: string | undefined;
  /** Label of the button that opens the list, up to 20 characters. */
  button: string;
  /** Up to 10 sections, with up to 10 rows together. */
  sections: readonly ListSection[];
}

/**
 * A message with a button that opens a page.
 *
 * Also from {@linkcode InteractiveTexts}: `body`, `footer`.
 */
export interface UrlButtonContents extends InteractiveTexts {
  /** A text or a file above the text. */
  header?: InteractiveHeader | undefined;
  /** Label of the button, up to 20 characters. */
  button: string;
  /** Its `http` or `https` URL. */
  url: string;
}

/**
 * A message with a button that opens a flow.
 *
 * Also from {@linkcode InteractiveTexts}: `body`, `footer`.
 */
export interface FlowContents extends InteractiveTexts {
  /** A text or a file above the text. */
  header?: InteractiveHeader | undefined;
  /** Label of the button, up to 30 characters, without emoji. */
  button: string;
  /** Id of the flow; this or `flowName`. */
  flowId?: string | undefined;
  /** Name of the flow; this or `flowId`. */
  flowName?: string | undefined;
  /**
   * `draft` for one that is not yet published.
   * @default {"published"}
   */
  mode?: "draft" | "published" | undefined;
  /** Token that comes back with the answer, and at the endpoint of the flow. */
  token?: string | undefined;
  /**
   * `data_exchange`: the endpoint of the flow decides about the first screen.
   * @default {"navigate"}
   */
  action?: "navigate" | "data_exchange" | undefined;
  /** The first screen: `navigate`. */
  screen?: string | undefined;
  /** Data for the first screen, not empty: `navigate`. */
  data?: JsonObject | undefined;
}

/**
 * A form for a postal address (India and Singapore).
 *
 * Also from {@linkcode InteractiveTexts}: `body`, `footer`.
 */
export interface AddressRequestContents extends InteractiveTexts {
  /** A text or a file above the text. */
  header?: InteractiveHeader | undefined;
  /** The country, as two letters: `IN`. */
  country: string;
  /** Values of fields, such as `name`, `phone_number`, `in_pin_code`. */
  values?: JsonObject | undefined;
  /** Addresses that the customer gave before, `{ id, value }`. */
  savedAddresses?: readonly JsonObject[] | undefined;
  /** Errors of fields, to ask again. */
  validationErrors?: JsonObject | undefined;
}

/** A message with a button that calls the business by WhatsApp. */
export interface CallButtonContents {
  /** The text, up to 1024 characters. */
  body: string;
  /**
   * Label of the button, up to 20 characters.
   * @default {"Call Now"}
   */
  button?: string | undefined;
  /**
   * Validity of the button in minutes, from 1 to 43200.
   * @default {10080}
   */
  ttlMinutes?: number | undefined;
  /** Text that comes with the call, up to 512 characters. */
  payload?: string | undefined;
}

/** Most characters of the text of an interactive message. */
export const MOST_BODY: number = 1024;
/** Meta's page "Interactive list messages"; its OpenAPI file says 1024. */
const MOST_LIST_BODY = 4096;
const MOST_FOOTER = 60;
/** Most characters of a text as header. */
export const MOST_HEADER: number = 60;
const MOST_LABEL = 20;
/** Meta's OpenAPI file advises 30; older pages say 20. */
const MOST_FLOW_LABEL = 30;
const MOST_BUTTON_ID = 256;
const MOST_BUTTONS = 3;
/** Most sections of a list. */
export const MOST_SECTIONS: number = 10;
const MOST_SECTION_TITLE = 24;
const MOST_ROWS = 10;
const MOST_ROW_ID = 200;
const MOST_ROW_TITLE = 24;
const MOST_ROW_DESCRIPTION = 72;
/** Longest validity of a call button: 30 days. */
export const MOST_TTL_MINUTES: number = 43_200;
/** Most characters of the text that comes with a call. */
export const MOST_CALL_PAYLOAD: number = 512;

/** Names that Meta or other libraries use. */
const HINTS = {
  text: 'use "body"',
  caption: 'use "body"',
  display_text: 'use "button"',
  label: 'use "button"',
  cta: 'use "button"',
  rows: "use sections: [{ rows: […] }]",
  catalog_id: 'use "catalogId"',
  sku: 'use "productRetailerId"',
  product_retailer_id: 'use "productRetailerId"',
  product_items: 'use "products"',
  flow_id: 'use "flowId"',
  flow_name: 'use "flowName"',
  flow_token: 'use "token"',
  flow_cta: 'use "button"',
  flow_action: 'use "action"',
  ttl_minutes: 'use "ttlMinutes"',
  link: 'use "url"',
  reply: 'use { id: "…", title: "…" }',
};

/**
 * Makes names from a table, which the compiler compares with the type.
 *
 * @typeParam Contents The type.
 * @param owner Description of the object, to begin a sentence with.
 * @param table An entry for each name.
 * @param example An object of this kind, for the message about other values.
 * @returns The names.
 */
export function namesOf<Contents>(owner: string, table: OptionTable<Contents>, example?: string): OptionNames {
  return new OptionNames(owner, { tables: [table], hints: HINTS, example: () => example });
}

// ---- Buttons and lists -------------------------------------------------------------------------------------------

const BUTTONS = namesOf<ButtonsContents>("A message with buttons", {
  body: true,
  header: true,
  footer: true,
  buttons: true,
}, '{ body: "…", buttons: [{ id: "yes", title: "Yes" }] }');
const BUTTON = namesOf<ReplyButton>("A button", { id: true, title: true }, '{ id: "yes", title: "Yes" }');

/**
 * Makes a message with reply buttons.
 *
 * @param contents The message.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If a limit is passed.
 */
export function buttonsDraft(contents: ButtonsContents): Draft {
  const { buttons } = named(BUTTONS, contents);
  const replies = buttonsOf("buttons", buttons, MOST_BUTTONS);
  return interactive("button", contents, { buttons: replies.map((reply) => ({ type: "reply", reply })) });
}

/**
 * Checks reply buttons.
 *
 * @param name Their name, for messages.
 * @param buttons The buttons.
 * @param most Most buttons.
 * @returns The JSON of each.
 * @throws {OptionError} If a limit is passed, or two are alike.
 */
export function buttonsOf(name: string, buttons: readonly ReplyButton[], most: number): ReplyButton[] {
  const checked = listOf(name, buttons, most).map((button, index) => {
    const { id, title } = named(BUTTON, button);
    const path = `${name}[${index}]`;
    if (textOf(`${path}.id`, id, MOST_BUTTON_ID).trim() !== id) {
      throw new OptionError(`The "${path}.id" begins or ends with a space, which the Cloud API refuses`);
    }
    return { id, title: textOf(`${path}.title`, title, MOST_LABEL) };
  });
  assertDistinct(name, "id", checked.map(({ id }) => id));
  assertDistinct(name, "title", checked.map(({ title }) => title));
  return checked;
}

const LIST = namesOf<ListContents>("A list", {
  body: true,
  header: true,
  footer: true,
  button: true,
  sections: true,
}, '{ body: "…", button: "Choose", sections: [{ rows: [{ id: "1", title: "One" }] }] }');
const SECTION = namesOf<ListSection>("A section", { title: true, rows: true });
const ROW = namesOf<ListRow>("A row", { id: true, title: true, description: true });

/**
 * Makes a list.
 *
 * @param contents The list.
 * @returns The JSON.
 * @throws {OptionError} If a limit is passed.
 */
export function listDraft(contents: ListContents): Draft {
  const { header, button, sections } = named(LIST, contents);
  if (header !== undefined) textOf("header", header, MOST_HEADER);
  const label = textOf("button", button, MOST_LABEL);
  const checked = listOf("sections", sections, MOST_SECTIONS).map((section, index) => {
    const { title, rows } = named(SECTION, section);
    const path = `sections[${index}]`;
    const list = listOf(`${path}.rows`, rows, MOST_ROWS).map((row, at) => rowOf(`${path}.rows[${at}]`, row));
    return withoutUndefined({ title: sectionTitle(path, title, sections.length), rows: list });
  });
  const rows = checked.flatMap((section) => section.rows);
  assertCount("rows of all sections", rows.length, MOST_ROWS);
  assertDistinct("rows", "id", rows.map(({ id }) => id));
  return interactive("list", contents, { button: label, sections: checked }, MOST_LIST_BODY);
}

function rowOf(path: string, row: ListRow): { id: string; title: string; description?: string } {
  const { id, title, description } = named(ROW, row);
  return withoutUndefined({
    id: textOf(`${path}.id`, id, MOST_ROW_ID),
    title: textOf(`${path}.title`, title, MOST_ROW_TITLE),
    description: optionalText(`${path}.description`, description, MOST_ROW_DESCRIPTION),
  });
}

/**
 * Checks the title of a section.
 *
 * @param path The section, for messages.
 * @param title The title.
 * @param sections Number of sections.
 * @returns The title; `undefined` if the only section has none.
 * @throws {OptionError} If it is missing, or too long.
 */
export function sectionTitle(path: string, title: string | undefined, sections: number): string | undefined {
  if (title !== undefined || sections === 1) return optionalText(`${path}.title`, title, MOST_SECTION_TITLE);
  throw new OptionError(`The "${path}.title" is missing: with several sections each needs one`);
}

const URL_BUTTON = namesOf<UrlButtonContents>("A message with a URL button", {
  body: true,
  header: true,
  footer: true,
  button: true,
  url: true,
}, '{ body: "…", button: "See dates", url: "https://…" }');

/**
 * Makes a message with a button that opens a page.
 *
 * @param contents The message.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If a limit is passed.
 */
export function urlButtonDraft(contents: UrlButtonContents): Draft {
  const { button, url } = named(URL_BUTTON, contents);
  return interactive("cta_url", contents, urlAction("", button, url));
}

/**
 * Makes the action of a URL button.
 *
 * @param path Text before the names in messages.
 * @param button The label.
 * @param url The URL.
 * @returns The JSON.
 * @throws {OptionError} If the label is too long, or the URL is none.
 */
export function urlAction(path: string, button: unknown, url: unknown): JsonObject {
  const parameters = { display_text: textOf(`${path}button`, button, MOST_LABEL), url: urlOf(`${path}url`, url) };
  return { name: "cta_url", parameters };
}

// ---- Flows -------------------------------------------------------------------------------------------------------

const FLOW = namesOf<FlowContents>("A flow", {
  body: true,
  header: true,
  footer: true,
  button: true,
  flowId: true,
  flowName: true,
  mode: true,
  token: true,
  action: true,
  screen: true,
  data: true,
}, '{ body: "…", button: "Book", flowId: "…" }');

/**
 * Makes a message with a button that opens a flow.
 *
 * @param contents The message.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If a limit is passed, or there is not exactly one of id and name.
 */
export function flowDraft(contents: FlowContents): Draft {
  const { button, flowId, flowName, mode, token, action } = named(FLOW, contents);
  onlyMember("A flow", contents, ["flowId", "flowName"]);
  const parameters = withoutUndefined({
    flow_message_version: "3",
    flow_id: optionalText("flowId", flowId),
    flow_name: optionalText("flowName", flowName),
    flow_cta: textOf("button", button, MOST_FLOW_LABEL),
    mode: choiceOf("mode", mode, ["draft", "published"]),
    flow_token: optionalText("token", token),
    flow_action: choiceOf("action", action, ["navigate", "data_exchange"]),
    flow_action_payload: flowPayload(contents),
  });
  return interactive("flow", contents, { name: "flow", parameters });
}

function flowPayload({ action, screen, data }: FlowContents): JsonObject | undefined {
  if (screen === undefined && data === undefined) return undefined;
  if (action === "data_exchange") {
    const name = screen === undefined ? "data" : "screen";
    throw new OptionError(`The "${name}" of a flow is for the action "navigate": its endpoint gives it otherwise`);
  }
  if (data !== undefined && Object.keys(objectOf("data", data)).length === 0) {
    throw new OptionError('The "data" of the flow is empty, which the Cloud API refuses: leave it out');
  }
  return withoutUndefined({ screen: optionalText("screen", screen), data });
}

// ---- Requests and calls ------------------------------------------------------------------------------------------

const ADDRESS_REQUEST = namesOf<AddressRequestContents>("A request for an address", {
  body: true,
  header: true,
  footer: true,
  country: true,
  values: true,
  savedAddresses: true,
  validationErrors: true,
}, '{ body: "…", country: "IN" }');

/**
 * Makes a form for a postal address.
 *
 * @param contents The message.
 * @returns The JSON, and the file to upload.
 * @throws {OptionError} If a limit is passed.
 */
export function addressRequestDraft(contents: AddressRequestContents): Draft {
  const { country, values, savedAddresses, validationErrors } = named(ADDRESS_REQUEST, contents);
  if (countCharacters(textOf("country", country)) !== 2) {
    throw new OptionError(`The "country" has ${country.length} characters instead of two, such as "IN"`);
  }
  const addresses = savedAddresses === undefined ? undefined : listOf("savedAddresses", savedAddresses, Infinity, 0);
  const parameters = withoutUndefined({
    country,
    values: optionalObject("values", values),
    saved_addresses: addresses?.map((address, index) => objectOf(`savedAddresses[${index}]`, address)),
    validation_errors: optionalObject("validationErrors", validationErrors),
  });
  return interactive("address_message", contents, { name: "address_message", parameters });
}

/**
 * Makes a request for the location.
 *
 * @param body The text, up to 1024 characters.
 * @returns The JSON.
 * @throws {OptionError} If it is empty, or too long.
 */
export function locationRequestDraft(body: string): Draft {
  return interactive("location_request_message", { body }, { name: "send_location" });
}

/**
 * Makes a request for the phone number.
 *
 * @param body The text, up to 1024 characters.
 * @returns The JSON.
 * @throws {OptionError} If it is empty, or too long.
 */
export function contactRequestDraft(body: string): Draft {
  return interactive("request_contact_info", { body }, { name: "request_contact_info" });
}

/**
 * Makes a request for the permission to call.
 *
 * @param body The text, up to 1024 characters; may be absent.
 * @returns The JSON.
 * @throws {OptionError} If it is empty, or too long.
 */
export function callPermissionRequestDraft(body?: string): Draft {
  return interactive("call_permission_request", { body }, { name: "call_permission_request" });
}

const CALL_BUTTON = namesOf<CallButtonContents>("A message with a call button", {
  body: true,
  button: true,
  ttlMinutes: true,
  payload: true,
}, '{ body: "…" }');

/**
 * Makes a message with a button that calls the business.
 *
 * @param contents The message.
 * @returns The JSON.
 * @throws {OptionError} If a limit is passed.
 */
export function callButtonDraft(contents: CallButtonContents): Draft {
  const { button, ttlMinutes, payload } = named(CALL_BUTTON, contents);
  const parameters = withoutUndefined({
    display_text: optionalText("button", button, MOST_LABEL),
    ttl_minutes: ttlMinutes === undefined ? undefined : integerIn("ttlMinutes", ttlMinutes, 1, MOST_TTL_MINUTES),
    payload: optionalText("payload", payload, MOST_CALL_PAYLOAD),
  });
  const given = Object.keys(parameters).length > 0;
  return interactive("voice_call", contents, { name: "voice_call", ...given && { parameters } });
}

// ---- For all -----------------------------------------------------------------------------------------------------

/** Parts of interactive messages, of which each type has some. */
export interface InteractiveParts {
  /** The text. */
  readonly body?: string | undefined;
  /** The line below it. */
  readonly footer?: string | undefined;
  /** Text or file above it. */
  readonly header?: InteractiveHeader | undefined;
}

/** Types whose text may be absent. */
const WITHOUT_BODY: readonly string[] = ["product", "call_permission_request"];

/**
 * Makes an interactive message.
 *
 * @param type Its type.
 * @param parts Its texts and header.
 * @param action Its action, checked.
 * @param mostBody Most characters of the text.
 * @param uploads Files to upload; one in the header is added.
 * @returns The JSON, and the files to upload.
 * @throws {OptionError} If a text is missing or too long, or the header is of a wrong type.
 */
export function interactive(
  type: string,
  parts: InteractiveParts,
  action: JsonObject,
  mostBody: number = MOST_BODY,
  uploads: Upload[] = [],
): Draft {
  const { body, footer, header } = parts;
  const text = body === undefined && WITHOUT_BODY.includes(type) ? undefined : textOf("body", body, mostBody);
  const contents = withoutUndefined({
    type,
    header: header === undefined ? undefined : headerOf(header, uploads),
    body: text === undefined ? undefined : { text },
    footer: footer === undefined ? undefined : { text: textOf("footer", footer, MOST_FOOTER) },
    action,
  });
  return { type: "interactive", contents, uploads };
}

function headerOf(header: InteractiveHeader, uploads: Upload[]): JsonObject {
  if (typeof header === "string") return { type: "text", text: textOf("header", header, MOST_HEADER) };
  if (typeof header !== "object" || header === null) {
    throw new OptionError(`The "header" is ${showValue(header)} instead of a text, or an object with a file`);
  }
  const media = header as Partial<Record<"image" | "video" | "document", MediaReference>>;
  const type = onlyMember('The "header"', media, ["image", "video", "document"]);
  const { filename } = objectOf(`header.${type}`, media[type]);
  const more = type === "document" ? { filename: optionalText(`header.${type}.filename`, filename) } : {};
  return { type, [type]: mediaOf(`header.${type}`, type, media[type]!, uploads, more) };
}
