/**
 * Message templates of a WhatsApp Business account: definitions, their review, and their quality.
 *
 * Facts: Meta's pages "Templates", "Template management", "Template review", and its reference of the edge
 * `message_templates` (2026).
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { assertSuccess } from "./answers.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { assertFields, assertLength, assertPageSize } from "./argument_checks.ts";
import { listOf } from "./contents_checks.ts";
import { type GraphClient, pathOf } from "./graph.ts";
import { boolean, date, type JsonObject, number, object, objects, pick, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";
import { assertComponents, assertTemplateName, type TemplateDefinitionComponent } from "./template_definition.ts";

/** Purpose of a template, by which Meta charges. */
export type TemplateCategory = "AUTHENTICATION" | "MARKETING" | "UTILITY" | (string & Record<never, never>);

/**
 * State of a template: only an `APPROVED` one can be sent. `PENDING` is under review, `REJECTED` can be edited,
 * `PAUSED` had bad feedback and comes back by itself, `DISABLED` does not.
 */
export type TemplateStatus =
  | "APPROVED"
  | "PENDING"
  | "REJECTED"
  | "PAUSED"
  | "DISABLED"
  | "IN_APPEAL"
  | "PENDING_DELETION"
  | "DELETED"
  | "LIMIT_EXCEEDED"
  | "ARCHIVED"
  | (string & Record<never, never>);

/** Quality of a template, by the feedback of customers. */
export interface TemplateQuality {
  /** `GREEN`, `YELLOW`, `RED`; `UNKNOWN` while it is pending. */
  score: string;
  /** Time of the last change. */
  date?: Date | undefined;
}

/** A template of an account, in one language. Members that Meta leaves out, or that were not asked for, are absent. */
export interface MessageTemplate {
  /** Its id. */
  id: string;
  /** Its name: templates of several languages share it. */
  name?: string | undefined;
  /** Its language, such as `en_US`. */
  language?: string | undefined;
  /** Its category. */
  category?: TemplateCategory | undefined;
  /** A closer category. */
  subCategory?: string | undefined;
  /** Its state. */
  status?: TemplateStatus | undefined;
  /** Its components; types that came later are among them as they are. */
  components: TemplateDefinitionComponent[];
  /** `POSITIONAL` for `{{1}}`, `NAMED` for `{{first_name}}`. */
  parameterFormat?: string | undefined;
  /** Its quality. */
  quality?: TemplateQuality | undefined;
  /** The reason why it was rejected; absent if it was not. */
  rejectedReason?: string | undefined;
  /** The category before Meta changed it. */
  previousCategory?: string | undefined;
  /** The category that Meta will change it to. */
  correctCategory?: string | undefined;
  /** Time in which a message is delivered or dropped, in s. */
  messageTtl?: number | undefined;
  /** Name of the template of Meta's library that it was made from. */
  libraryTemplateName?: string | undefined;
  /** `true` if clicks on its links are not counted. */
  linkTrackingOptedOut?: boolean | undefined;
  /** The template as Meta sent it, with all fields that were asked for. */
  raw: JsonObject;
}

/** Filter and options of reading templates. Several values of one member stand for any of them. */
export interface TemplateListOptions {
  /** A part of the name. */
  name?: string | undefined;
  /** A part of the contents. */
  content?: string | undefined;
  /** A part of the name or of the contents. */
  nameOrContent?: string | undefined;
  /** States. */
  status?: TemplateStatus | readonly TemplateStatus[] | undefined;
  /** Categories. */
  category?: TemplateCategory | readonly TemplateCategory[] | undefined;
  /** Languages. */
  language?: string | readonly string[] | undefined;
  /** Scores of quality: `GREEN`, `YELLOW`, `RED`, `UNKNOWN`. */
  quality?: string | readonly string[] | undefined;
  /**
   * Names of fields, as the Graph API has them; without this option, those that the result has names for.
   * @default {undefined}
   */
  fields?: readonly string[] | undefined;
  /**
   * Number of templates in one answer.
   * @default {undefined}
   */
  pageSize?: number | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Options of reading one template. */
export interface TemplateGetOptions {
  /**
   * Names of fields, as the Graph API has them; without this option, those that the result has names for.
   * @default {undefined}
   */
  fields?: readonly string[] | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** A new template. */
export interface TemplateDefinition {
  /** Its name: 1 to 512 lower-case letters, digits and underscores. */
  name: string;
  /** Its language, such as `en_US`. */
  language: string;
  /** Its category. */
  category: TemplateCategory;
  /** Its components, in Meta's form. Only a template of Meta's library has none: name it in `fields`. */
  components?: readonly TemplateDefinitionComponent[] | undefined;
  /**
   * `POSITIONAL` for `{{1}}`, `NAMED` for `{{first_name}}`.
   * @default {"POSITIONAL"}
   */
  parameterFormat?: "POSITIONAL" | "NAMED" | undefined;
  /** Time in which a message is delivered or dropped, in s; -1 for Meta's own choice. */
  messageTtl?: number | undefined;
  /** Have clicks on its links not counted. */
  linkTrackingOptedOut?: boolean | undefined;
  /** More members for Meta, such as `{ library_template_name: "…" }`. */
  fields?: JsonObject | undefined;
}

/**
 * Changes of a template. An approved one can be edited once in 24 hours and 10 times in 30 days, and keeps its
 * category; a rejected or paused one at any time.
 */
export interface TemplateChanges {
  /** All its components: they replace the old ones. */
  components?: readonly TemplateDefinitionComponent[] | undefined;
  /** Its category. */
  category?: TemplateCategory | undefined;
  /** `POSITIONAL` or `NAMED`. */
  parameterFormat?: "POSITIONAL" | "NAMED" | undefined;
  /** Time in which a message is delivered or dropped, in s; -1 for Meta's own choice. */
  messageTtl?: number | undefined;
  /** Have clicks on its links not counted. */
  linkTrackingOptedOut?: boolean | undefined;
  /** More members for Meta. */
  fields?: JsonObject | undefined;
}

/** A template that Meta has taken for review. */
export interface CreatedTemplate {
  /** Its id. */
  id: string;
  /** Its state: `PENDING`, as a rule. */
  status?: TemplateStatus | undefined;
  /** Its category: Meta may have chosen another one. */
  category?: TemplateCategory | undefined;
}

/** Options of deleting a template. */
export interface TemplateDeleteOptions {
  /** Its id: deletes this language only. */
  id?: string | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

const LIST_NAMES: OptionTable<TemplateListOptions> = {
  name: true,
  content: true,
  nameOrContent: true,
  status: true,
  category: true,
  language: true,
  quality: true,
  fields: true,
  pageSize: true,
  signal: true,
};
const LIST_OPTIONS = /* @__PURE__ */ new OptionNames("templates.list", {
  tables: [LIST_NAMES],
  hints: { limit: 'use "pageSize"', quality_score: 'use "quality"', name_or_content: 'use "nameOrContent"' },
  example: () => '{ status: "APPROVED" }',
});
const GET_NAMES: OptionTable<TemplateGetOptions> = { fields: true, signal: true };
const GET_OPTIONS = /* @__PURE__ */ new OptionNames("templates.get", {
  tables: [GET_NAMES],
  example: () => '{ fields: ["status"] }',
});
const DELETE_NAMES: OptionTable<TemplateDeleteOptions> = { id: true, signal: true };
const DELETE_OPTIONS = /* @__PURE__ */ new OptionNames("templates.delete", {
  tables: [DELETE_NAMES],
  hints: { hsm_id: 'use "id"', language: 'use "id", that of the template in this language' },
  example: () => "{ id: template.id }",
});
const CHANGE_NAMES: OptionTable<TemplateChanges> = {
  components: true,
  category: true,
  parameterFormat: true,
  messageTtl: true,
  linkTrackingOptedOut: true,
  fields: true,
};
const HINTS = {
  parameter_format: 'use "parameterFormat"',
  message_send_ttl_seconds: 'use "messageTtl"',
  cta_url_link_tracking_opted_out: 'use "linkTrackingOptedOut"',
};
const CHANGES = /* @__PURE__ */ new OptionNames("A change of a template", {
  tables: [CHANGE_NAMES],
  hints: HINTS,
  example: () => "{ components }",
});
const DEFINITION_NAMES: OptionTable<TemplateDefinition> = { ...CHANGE_NAMES, name: true, language: true };
const DEFINITION = /* @__PURE__ */ new OptionNames("A template", {
  tables: [DEFINITION_NAMES],
  hints: HINTS,
  example: () => "{ name, language, category, components }",
});

/** Names of texts of a template, by the names here. */
const TEXTS = {
  name: "name",
  language: "language",
  category: "category",
  subCategory: "sub_category",
  status: "status",
  parameterFormat: "parameter_format",
  previousCategory: "previous_category",
  correctCategory: "correct_category",
  libraryTemplateName: "library_template_name",
};
const FIELDS = [
  "id",
  ...Object.values(TEXTS),
  "components",
  "quality_score",
  "rejected_reason",
  "message_send_ttl_seconds",
  "cta_url_link_tracking_opted_out",
];
/** Greatest number of ids in one call. */
const MAX_IDS = 100;

/**
 * The message templates of the account of a {@linkcode WhatsAppApi}: its `templates`. They need the option `accountId`.
 *
 * @example A template, and what became of it
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function propose(api: WhatsAppApi) {
 *   const { id } = await api.templates.create({
 *     name: "order_shipped",
 *     language: "en_US",
 *     category: "UTILITY",
 *     components: [
 *       { type: "BODY", text: "Your order {{1}} is on its way.", example: { body_text: [["860198"]] } },
 *       { type: "BUTTONS", buttons: [{ type: "QUICK_REPLY", text: "Stop updates" }] },
 *     ],
 *   });
 *   const { status, rejectedReason } = await api.templates.get(id);
 *   return { status, rejectedReason };
 * }
 * ```
 */
export class WhatsAppTemplates {
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
   * Reads the templates page by page, as they are iterated.
   *
   * @param options Filter, fields, size of a page, signal.
   * @returns The templates.
   * @throws {OptionError} If an option is not allowed, or the option `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  list(options: TemplateListOptions = {}): AsyncIterable<MessageTemplate> {
    LIST_OPTIONS.assert(options);
    const { name, content, nameOrContent, status, category, language, quality, fields, pageSize, signal } = options;
    assertFields(fields);
    assertPageSize(pageSize);
    const query = {
      fields: (fields ?? FIELDS).join(","),
      name,
      content,
      name_or_content: nameOrContent,
      status: joined("status", status),
      category: joined("category", category),
      language: joined("language", language),
      quality_score: joined("quality", quality),
      limit: pageSize,
    };
    return this.#list(this.#path, { query, signal });
  }

  async *#list(path: string, call: Parameters<GraphClient["pages"]>[1]): AsyncGenerator<MessageTemplate, void, void> {
    for await (const raw of this.#graph.pages(path, call)) yield readTemplate(raw);
  }

  /**
   * Reads one template: its state, its quality, its components.
   *
   * @param id Its id.
   * @param options Fields, signal.
   * @returns The template.
   * @throws {OptionError} If the id or an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async get(id: string, options: TemplateGetOptions = {}): Promise<MessageTemplate> {
    GET_OPTIONS.assert(options);
    const { fields, signal } = options;
    assertFields(fields);
    const query = { fields: (fields ?? FIELDS).join(",") };
    return readTemplate(await this.#graph.get(pathOf("template", id), { query, signal }), id);
  }

  /**
   * Creates a template, which Meta then reviews: `message_template_status_update` tells the result. An account can
   * create 100 in an hour, and have 250 or, once it is verified, 6000.
   *
   * @param definition The template.
   * @param options Signal.
   * @returns Its id and state.
   * @throws {OptionError} If the name, a text or a number is not allowed, or the option `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async create(definition: TemplateDefinition, options: CallOptions = {}): Promise<CreatedTemplate> {
    DEFINITION.assert(definition);
    CALL_OPTIONS.assert(options);
    const { name, language, category, components, fields } = definition;
    assertTemplateName(name);
    assertLength("language", language, { min: 2, max: 20 });
    assertLength("category", category, { min: 1, max: 64 });
    if (components !== undefined || fields === undefined) assertComponents(components);
    const json = { name, language, ...changesOf(definition) };
    const answer = await this.#graph.post(this.#path, { json, signal: options.signal });
    const id = text(answer, "id");
    if (id !== undefined) return withoutUndefined({ id, ...pick(answer, { status: "status", category: "category" }) });
    throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API created a template, but named no id", 200);
  }

  /**
   * Edits a template. Meta reviews it again.
   *
   * @param id Its id.
   * @param changes The changes.
   * @param options Signal.
   * @throws {OptionError} If there is no change, or one is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async edit(id: string, changes: TemplateChanges, options: CallOptions = {}): Promise<void> {
    CHANGES.assert(changes);
    CALL_OPTIONS.assert(options);
    if (changes.components !== undefined) assertComponents(changes.components);
    const json = changesOf(changes);
    if (Object.values(json).every((value) => value === undefined)) {
      throw new OptionError("The template is not changed: give components, a category, or another change");
    }
    const path = pathOf("template", id);
    assertSuccess(await this.#graph.post(path, { json, signal: options.signal }), "edit the template");
  }

  /**
   * Deletes a template: all its languages, or one of them. The name of an approved one cannot be used for 30 days.
   *
   * @param name Its name.
   * @param options The id of one language, signal.
   * @throws {OptionError} If the name or an option is not allowed, or the option `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async delete(name: string, options: TemplateDeleteOptions = {}): Promise<void> {
    DELETE_OPTIONS.assert(options);
    assertTemplateName(name);
    const { id, signal } = options;
    const query = { name, hsm_id: id === undefined ? undefined : pathOf("template", id) };
    assertSuccess(await this.#graph.delete(this.#path, { query, signal }), "delete the template");
  }

  /**
   * Deletes templates by their ids: one language each.
   *
   * @param ids 1 to 100 ids.
   * @param options Signal.
   * @throws {OptionError} If an id is not allowed, there are too many, or the option `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async deleteByIds(ids: readonly string[], options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    const query = { hsm_ids: JSON.stringify(listOf("ids", ids, MAX_IDS).map((id) => pathOf("template", id))) };
    assertSuccess(await this.#graph.delete(this.#path, { query, signal: options.signal }), "delete the templates");
  }

  get #path(): string {
    return `${this.#graph.accountId}/message_templates`;
  }
}

function changesOf({ category, components, parameterFormat, messageTtl, ...more }: TemplateChanges): JsonObject {
  if (messageTtl !== undefined && !Number.isSafeInteger(messageTtl)) {
    throw new OptionError(`The messageTtl of the template is ${showValue(messageTtl)} instead of a number of seconds`);
  }
  return {
    category,
    components,
    parameter_format: parameterFormat,
    message_send_ttl_seconds: messageTtl,
    cta_url_link_tracking_opted_out: more.linkTrackingOptedOut,
    ...more.fields,
  };
}

/** Several values are given with commas between. */
function joined(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(",") || undefined;
  throw new OptionError(`The option "${name}" is ${showValue(value)} instead of a text, or an array of texts`);
}

function readTemplate(raw: JsonObject, id: string = ""): MessageTemplate {
  const quality = object(raw, "quality_score");
  const score = quality && text(quality, "score");
  const rejected = text(raw, "rejected_reason");
  return withoutUndefined({
    id: text(raw, "id") ?? id,
    ...pick(raw, TEXTS),
    components: objects(raw, "components") as TemplateDefinitionComponent[],
    quality: score === undefined ? undefined : withoutUndefined({ score, date: date(quality!, "date") }),
    rejectedReason: rejected === "NONE" ? undefined : rejected,
    messageTtl: number(raw, "message_send_ttl_seconds"),
    linkTrackingOptedOut: boolean(raw, "cta_url_link_tracking_opted_out"),
    raw,
  });
}
