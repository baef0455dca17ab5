/**
 * WhatsApp Flows of an account: drafts, their JSON, publishing, state; and the public key for their endpoint.
 *
 * Facts: Meta's pages "Flows API", "Metrics API", "Error codes" of WhatsApp Flows, and its reference
 * "WhatsApp Business encryption" (2026).
 *
 * @module
 */

import { createPublicKey } from "node:crypto";
import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable, showValue } from "../base/option_names.ts";
import { assertSuccess, texts } from "./answers.ts";
import { WhatsAppApiError } from "./api_error.ts";
import { assertLength, assertPageSize, assertUrl, isDigits } from "./argument_checks.ts";
import { takeFile } from "./call_limits.ts";
import { listOf } from "./contents_checks.ts";
import { checkCdnUrl, collectFile, decryptFlowMedia, type FlowMedia } from "./flow_media.ts";
import { fetchGraph, type GraphClient, pathOf } from "./graph.ts";
import { isObject, type JsonObject, number, object, objects, pick, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";

/** Purpose of a flow. */
export type FlowCategory =
  | "SIGN_UP"
  | "SIGN_IN"
  | "APPOINTMENT_BOOKING"
  | "LEAD_GENERATION"
  | "CONTACT_US"
  | "CUSTOMER_SUPPORT"
  | "SURVEY"
  | "OTHER"
  | (string & Record<never, never>);

/** A fault in the JSON of a flow, with its place in the text. Each must be mended before the flow is published. */
export interface FlowValidationError {
  /** Its name, such as `INVALID_PROPERTY_VALUE`. */
  error: string;
  /** Its kind, such as `FLOW_JSON_ERROR`, `JSON_SCHEMA_ERROR`. */
  type?: string | undefined;
  /** The description. */
  message?: string | undefined;
  /** First line, from 1 on. */
  lineStart?: number | undefined;
  /** Last line. */
  lineEnd?: number | undefined;
  /** First column. */
  columnStart?: number | undefined;
  /** Last column. */
  columnEnd?: number | undefined;
  /** Paths of the members at fault, such as `screens[0].layout.children[0].type`. */
  paths?: string[] | undefined;
}

/** A page that shows a flow, without a login. */
export interface FlowPreview {
  /** Its URL. */
  url: string;
  /** Time at which the URL ends: 30 days after it was made. */
  expiresAt?: Date | undefined;
}

/** A flow of an account. Members that Meta leaves out, or that were not asked for, are absent. */
export interface FlowDetails {
  /** Its id. */
  id: string;
  /** Its name, which users do not see. */
  name?: string | undefined;
  /**
   * Its state: a `DRAFT` can be changed and sent for tests, `PUBLISHED` can be sent, `THROTTLED` and `BLOCKED` have an
   * endpoint that fails, `DEPRECATED` is over.
   */
  status?: string | undefined;
  /** Its purposes. */
  categories: string[];
  /** Faults of its JSON. */
  validationErrors: FlowValidationError[];
  /** Version of its JSON. */
  jsonVersion?: string | undefined;
  /** Version of the data exchange with its endpoint, if it has one. */
  dataApiVersion?: string | undefined;
  /** URL of its endpoint. */
  endpointUri?: string | undefined;
  /** The page that shows it. */
  preview?: FlowPreview | undefined;
  /** `AVAILABLE`, `LIMITED` or `BLOCKED`: whether it can be sent. `raw.health_status` has the reasons. */
  canSendMessage?: string | undefined;
  /** Time of its last change, as Meta writes it. */
  updatedAt?: string | undefined;
  /** The flow as Meta sent it. */
  raw: JsonObject;
}

/** Options of reading flows. */
export interface FlowListOptions {
  /**
   * Number of flows in one answer.
   * @default {undefined}
   */
  pageSize?: number | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Options of reading a preview. */
export interface FlowPreviewOptions {
  /**
   * Make a new URL, which ends the old one.
   * @default {false}
   */
  invalidate?: boolean | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** A new flow. */
export interface FlowDefinition {
  /** Its name, which no other flow of the account has. */
  name: string;
  /** Its purposes: one at least. */
  categories: readonly FlowCategory[];
  /** Its JSON: an object, or its text. */
  flowJson?: JsonObject | string | undefined;
  /** Publish it at once, if its JSON has no fault. */
  publish?: boolean | undefined;
  /** Id of a flow that is copied. */
  cloneFlowId?: string | undefined;
  /** URL of its endpoint, from version 3.0 of the JSON on. */
  endpointUri?: string | undefined;
}

/** Changes of the facts about a flow. */
export interface FlowChanges {
  /** Its name. */
  name?: string | undefined;
  /** Its purposes: they replace the old ones. */
  categories?: readonly FlowCategory[] | undefined;
  /** URL of its endpoint. */
  endpointUri?: string | undefined;
  /** Id of the app that signs the requests to its endpoint. */
  applicationId?: string | undefined;
}

/** The faults that Meta found in the JSON of a flow. */
export interface FlowValidation {
  /** `true` if Meta took the JSON: it keeps a draft with faults, too. */
  success: boolean;
  /** The faults. */
  validationErrors: FlowValidationError[];
}

/**
 * A flow that was created.
 *
 * Also from {@linkcode FlowValidation}: `success`, `validationErrors`.
 */
export interface CreatedFlow extends FlowValidation {
  /** Its id. */
  id: string;
}

/** A file of a flow. */
export interface FlowAsset {
  /** Its name: `flow.json`. */
  name: string;
  /** Its kind: `FLOW_JSON`. */
  type: string;
  /** Its URL, which is signed and ends after some time. */
  downloadUrl: string;
}

/** Figures about the endpoint of a flow: Meta gives them from 250 requests on. */
export type FlowMetricName =
  | "ENDPOINT_REQUEST_COUNT"
  | "ENDPOINT_REQUEST_ERROR"
  | "ENDPOINT_REQUEST_ERROR_RATE"
  | "ENDPOINT_REQUEST_LATENCY_SECONDS_CEIL"
  | "ENDPOINT_AVAILABILITY";

/** Options of reading figures. */
export interface FlowMetricOptions {
  /**
   * Length of the periods.
   * @default {"DAY"}
   */
  granularity?: "DAY" | "HOUR" | "LIFETIME" | undefined;
  /** The first day, as `2026-01-31`; without it 90 days ago, or 30 for hours. */
  since?: string | undefined;
  /** The last day; without it today. */
  until?: string | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Figures of one period. */
export interface FlowMetricPoint {
  /** Begin of the period, as Meta writes it. */
  timestamp: string;
  /** The figures by their keys: `value`, the name of an error, a number of seconds. */
  values: Record<string, number>;
}

/** Options of fetching a file of a flow. */
export interface FlowMediaOptions {
  /**
   * Largest file, in bytes; 0: any.
   * @default {26214400}
   */
  maxSize?: number | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** The public key with which WhatsApp encrypts requests to the endpoint. */
export interface FlowPublicKey {
  /** The key, as PEM text. */
  publicKey?: string | undefined;
  /** `VALID`, or `MISMATCH`: then set it again. */
  signatureStatus?: string | undefined;
}

const LIST_NAMES: OptionTable<FlowListOptions> = { pageSize: true, signal: true };
const LIST_OPTIONS = new OptionNames("flows.list", { tables: [LIST_NAMES], hints: { limit: 'use "pageSize"' } });
const PREVIEW_NAMES: OptionTable<FlowPreviewOptions> = { invalidate: true, signal: true };
const PREVIEW_OPTIONS = new OptionNames("flows.preview", { tables: [PREVIEW_NAMES] });
const HINTS = {
  json: 'use "flowJson"',
  flow_json: 'use "flowJson"',
  endpoint_uri: 'use "endpointUri"',
  endpoint: 'use "endpointUri"',
  application_id: 'use "applicationId"',
  clone_flow_id: 'use "cloneFlowId"',
};
const DEFINITION_NAMES: OptionTable<FlowDefinition> = {
  name: true,
  categories: true,
  flowJson: true,
  publish: true,
  cloneFlowId: true,
  endpointUri: true,
};
const DEFINITION = new OptionNames("A flow", {
  tables: [DEFINITION_NAMES],
  hints: HINTS,
  example: () => '{ name: "Booking", categories: ["APPOINTMENT_BOOKING"] }',
});
const CHANGE_NAMES: OptionTable<FlowChanges> = { name: true, categories: true, endpointUri: true, applicationId: true };
const CHANGES = new OptionNames("A change of a flow", {
  tables: [CHANGE_NAMES],
  hints: HINTS,
  example: () => '{ name: "Booking" }',
});
const METRIC_NAMES: OptionTable<FlowMetricOptions> = { granularity: true, since: true, until: true, signal: true };
const METRIC_OPTIONS = new OptionNames("flows.metric", {
  tables: [METRIC_NAMES],
  example: () => '{ granularity: "DAY" }',
});

const MEDIA_NAMES: OptionTable<FlowMediaOptions> = { maxSize: true, signal: true };
const MEDIA_OPTIONS = new OptionNames("flows.media", {
  tables: [MEDIA_NAMES],
  example: () => "{ maxSize: 1_000_000 }",
});
/** The largest file that the pickers take. */
const MAX_FILE = 26_214_400;

const LIST_FIELDS = "id,name,status,categories,validation_errors";
const FIELDS = `${LIST_FIELDS},json_version,data_api_version,endpoint_uri,preview,health_status,updated_at`;
const MAX_NAME = 200;
/** Bytes of the JSON of a flow that Meta takes: 10 MB. */
const MAX_JSON = 10_000_000;
const MAX_CATEGORIES = 8;
const METRIC_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
const GRANULARITIES: readonly string[] = ["DAY", "HOUR", "LIFETIME"];

/**
 * The flows of the account of a {@linkcode WhatsAppApi}: its `flows`. `list` and `create` need the option `accountId`.
 *
 * Errors of Meta (`error.graph.code`): 100 (the name is taken, a version or URL is not valid), 139000 (the account is
 * blocked), 139001 (the flow cannot be changed: it is published), 139002 (it cannot be published: faults, no endpoint,
 * no public key, no app), 139003 (it cannot be deprecated), 139004 (a published one cannot be deleted), 139006 (too few
 * requests for figures).
 *
 * @example A flow from a file
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function publish(api: WhatsAppApi, json: string, publicKey: string) {
 *   await api.flows.setPublicKey(publicKey);
 *   const { id } = await api.flows.create({
 *     name: "Booking",
 *     categories: ["APPOINTMENT_BOOKING"],
 *     endpointUri: "https://hooks.example.com/flow",
 *   });
 *   const { validationErrors } = await api.flows.updateJson(id, json);
 *   for (const { message, lineStart } of validationErrors) console.log(`line ${lineStart}: ${message}`);
 *   if (validationErrors.length === 0) await api.flows.publish(id);
 *   return id;
 * }
 * ```
 */
export class WhatsAppFlows {
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
   * Reads the flows page by page, as they are iterated: id, name, state, purposes, faults.
   *
   * @param options Size of a page, signal.
   * @returns The flows.
   * @throws {OptionError} If an option is not allowed, or the option `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  list(options: FlowListOptions = {}): AsyncIterable<FlowDetails> {
    LIST_OPTIONS.assert(options);
    const { pageSize, signal } = options;
    assertPageSize(pageSize);
    return this.#list(this.#path, { query: { fields: LIST_FIELDS, limit: pageSize }, signal });
  }

  async *#list(path: string, call: Parameters<GraphClient["pages"]>[1]): AsyncGenerator<FlowDetails, void, void> {
    for await (const raw of this.#graph.pages(path, call)) yield readFlow(raw);
  }

  /**
   * Reads one flow with all that Meta knows of it.
   *
   * @param id Its id.
   * @param options Signal.
   * @returns The flow.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async get(id: string, options: CallOptions = {}): Promise<FlowDetails> {
    CALL_OPTIONS.assert(options);
    const call = { query: { fields: FIELDS }, signal: options.signal };
    return readFlow(await this.#graph.get(pathOf("flow", id), call), id);
  }

  /**
   * Creates a flow, as a draft unless `publish` is set.
   *
   * @param definition The flow.
   * @param options Signal.
   * @returns Its id, and the faults of its JSON.
   * @throws {OptionError} If a member is not allowed, or the option `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async create(definition: FlowDefinition, options: CallOptions = {}): Promise<CreatedFlow> {
    DEFINITION.assert(definition);
    CALL_OPTIONS.assert(options);
    const { name, categories, flowJson, publish, cloneFlowId, endpointUri } = definition;
    assertFacts({ name, categories, endpointUri }, { areNeeded: true });
    const json = {
      name,
      categories,
      flow_json: flowJson === undefined ? undefined : jsonText(flowJson),
      publish,
      clone_flow_id: cloneFlowId === undefined ? undefined : pathOf("cloneFlowId", cloneFlowId),
      endpoint_uri: endpointUri,
    };
    const answer = await this.#graph.post(this.#path, { json, signal: options.signal });
    const id = text(answer, "id");
    if (id !== undefined) return { id, ...readValidation(answer) };
    throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API created a flow, but named no id", 200);
  }

  /**
   * Changes the name, the purposes, the endpoint or the app of a flow.
   *
   * @param id Its id.
   * @param changes The changes.
   * @param options Signal.
   * @throws {OptionError} If there is no change, or one is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async update(id: string, changes: FlowChanges, options: CallOptions = {}): Promise<void> {
    CHANGES.assert(changes);
    CALL_OPTIONS.assert(options);
    assertFacts(changes, { areNeeded: false });
    const { name, categories, endpointUri, applicationId } = changes;
    const json = { name, categories, endpoint_uri: endpointUri, application_id: applicationId };
    if (Object.values(json).every((value) => value === undefined)) {
      throw new OptionError("The flow is not changed: give a name, categories, endpointUri or applicationId");
    }
    const answer = await this.#graph.post(pathOf("flow", id), { json, signal: options.signal });
    assertSuccess(answer, "change the flow");
  }

  /**
   * Replaces the JSON of a draft.
   *
   * @param id Its id.
   * @param flowJson The JSON: an object, or its text, up to 10 MB.
   * @param options Signal.
   * @returns The faults that Meta found.
   * @throws {OptionError} If the id is not allowed, or the JSON is none or too large.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async updateJson(id: string, flowJson: JsonObject | string, options: CallOptions = {}): Promise<FlowValidation> {
    CALL_OPTIONS.assert(options);
    const body = new FormData();
    body.append("file", new Blob([jsonText(flowJson)], { type: "application/json" }), "flow.json");
    body.append("name", "flow.json");
    body.append("asset_type", "FLOW_JSON");
    body.append("messaging_product", "whatsapp");
    const answer = await this.#graph.post(pathOf("flow", id, "assets"), { body, signal: options.signal });
    return readValidation(answer);
  }

  /**
   * Reads the files of a flow.
   *
   * @param id Its id.
   * @param options Signal.
   * @returns The files.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async assets(id: string, options: CallOptions = {}): Promise<FlowAsset[]> {
    CALL_OPTIONS.assert(options);
    const call = { query: { fields: "name,asset_type,download_url" }, signal: options.signal };
    const assets: FlowAsset[] = [];
    for await (const raw of this.#graph.pages(pathOf("flow", id, "assets"), call)) {
      const [name = "", type = "", downloadUrl = ""] = ["name", "asset_type", "download_url"].map((key) =>
        text(raw, key)
      );
      assets.push({ name, type, downloadUrl });
    }
    return assets;
  }

  /**
   * Reads the URL of a page that shows a flow, without a login.
   *
   * @param id Its id.
   * @param options Make a new URL, signal.
   * @returns The preview.
   * @throws {OptionError} If the id or an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async preview(id: string, options: FlowPreviewOptions = {}): Promise<FlowPreview> {
    PREVIEW_OPTIONS.assert(options);
    const { invalidate = false, signal } = options;
    const query = { fields: `preview.invalidate(${Boolean(invalidate)})` };
    const preview = readPreview(await this.#graph.get(pathOf("flow", id), { query, signal }));
    if (preview !== undefined) return preview;
    throw new WhatsAppApiError("ERR_API_ANSWER", "The Graph API gave no preview of the flow", 200);
  }

  /**
   * Publishes a draft, so that it can be sent.
   *
   * @param id Its id.
   * @param options Signal.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it, such as with 139002: the draft has faults.
   */
  async publish(id: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertSuccess(await this.#graph.post(pathOf("flow", id, "publish"), options), "publish the flow");
  }

  /**
   * Ends a published flow permanently: it can neither be sent nor opened.
   *
   * @param id Its id.
   * @param options Signal.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it, such as with 139003: it is a draft.
   */
  async deprecate(id: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertSuccess(await this.#graph.post(pathOf("flow", id, "deprecate"), options), "deprecate the flow");
  }

  /**
   * Deletes a draft.
   *
   * @param id Its id.
   * @param options Signal.
   * @throws {OptionError} If the id is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it, such as with 139004: it is published.
   */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertSuccess(await this.#graph.delete(pathOf("flow", id), options), "delete the flow");
  }

  /**
   * Reads figures about the endpoint of a flow; they come with a delay of hours.
   *
   * @param id Its id.
   * @param metric Name of the figures.
   * @param options Periods, first and last day, signal.
   * @returns The figures of each period.
   * @throws {OptionError} If the id or an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it, such as with 139006: it had fewer than 250 requests.
   */
  async metric(id: string, metric: FlowMetricName, options: FlowMetricOptions = {}): Promise<FlowMetricPoint[]> {
    METRIC_OPTIONS.assert(options);
    const { granularity = "DAY", since, until, signal } = options;
    if (!GRANULARITIES.includes(granularity)) {
      throw new OptionError(`The option "granularity" is ${showValue(granularity)}: ${GRANULARITIES.join(", ")} exist`);
    }
    assertMetricName(metric);
    const query = {
      fields: `metric.name(${metric}).granularity(${granularity})${day("since", since)}${day("until", until)}`,
    };
    const answer = await this.#graph.get(pathOf("flow", id), { query, signal });
    return objects(object(answer, "metric") ?? {}, "data_points").map(readPoint);
  }

  /**
   * Fetches and decrypts a file that a user attached in a flow. Its URL comes from the user's device: only hosts of
   * Meta are asked, without the access token, and no redirect is followed.
   *
   * @param media The file, of `flowMediaOf(request.data.photos)`.
   * @param options Largest size, signal.
   * @returns The bytes. Check what they are: neither the name nor the type is to be trusted.
   * @throws {FlowEndpointError} `ERR_FLOW_MEDIA` if the URL is of another host, or the file is too large, was changed,
   * or is not that of these keys.
   * @throws {WhatsAppApiError} If the server refuses it: Meta keeps files for up to 20 days.
   */
  async media(media: FlowMedia, options: FlowMediaOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    MEDIA_OPTIONS.assert(options);
    const { maxSize = MAX_FILE, signal } = options;
    if (typeof maxSize !== "number" || !(maxSize >= 0)) {
      throw new OptionError(`The option "maxSize" is ${showValue(maxSize)} instead of a number of bytes`);
    }
    const url = checkCdnUrl(media.cdnUrl, new URL(this.#graph.baseUrl).origin);
    const { stream } = await fetchGraph(this.#graph, "GET", url, { signal, scheme: "none" }, takeFile);
    return decryptFlowMedia(await collectFile(stream, maxSize), media);
  }

  /**
   * Sets the public key of the phone number, with which WhatsApp encrypts requests to endpoints. Set it again after the
   * number was registered anew, and when `publicKey` reports a mismatch.
   *
   * @param publicKey PEM text of the public half of the key of `flowEndpoint`: RSA with 2048 bits.
   * @param options Signal.
   * @throws {OptionError} If it is no such key.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async setPublicKey(publicKey: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertPublicKey(publicKey);
    const call = { json: { business_public_key: publicKey }, signal: options.signal };
    const answer = await this.#graph.post(this.#keyPath, call);
    assertSuccess(answer, "set the public key");
  }

  /**
   * Reads the public key of the phone number, and whether Meta's signature of it is valid.
   *
   * @param options Signal.
   * @returns The key.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async publicKey(options: CallOptions = {}): Promise<FlowPublicKey> {
    CALL_OPTIONS.assert(options);
    const answer = await this.#graph.get(this.#keyPath, options);
    // Meta's pages have it in a list, and without one.
    return pick(objects(answer, "data")[0] ?? answer, {
      publicKey: "business_public_key",
      signatureStatus: "business_public_key_signature_status",
    });
  }

  get #path(): string {
    return `${this.#graph.accountId}/flows`;
  }

  get #keyPath(): string {
    return `${this.#graph.phoneNumberId}/whatsapp_business_encryption`;
  }
}

function assertFacts({ name, categories, endpointUri }: FlowChanges, { areNeeded }: { areNeeded: boolean }): void {
  if (areNeeded || name !== undefined) assertLength("name", name, { min: 1, max: MAX_NAME });
  if (areNeeded || categories !== undefined) listOf("categories", categories!, MAX_CATEGORIES);
  if (endpointUri !== undefined) assertUrl("endpointUri", endpointUri, 2048, ["https:"]);
}

/** Gives the text of a flow's JSON. */
function jsonText(flowJson: unknown): string {
  if (typeof flowJson !== "string" && !isObject(flowJson)) {
    throw new OptionError(`The JSON of the flow is ${showValue(flowJson)} instead of an object, or its text`);
  }
  const json = typeof flowJson === "string" ? flowJson : JSON.stringify(flowJson);
  const { length } = new TextEncoder().encode(json);
  if (length <= MAX_JSON) return json;
  throw new OptionError(`The JSON of the flow has ${length} bytes: at most ${MAX_JSON} are allowed`);
}

/** Refuses what is no key, above all a private one: it would be sent to Meta. */
function assertPublicKey(publicKey: unknown): void {
  const wanted = 'the text of a PEM file with "BEGIN PUBLIC KEY" is wanted';
  if (typeof publicKey !== "string") throw new OptionError(`The public key is ${typeof publicKey}: ${wanted}`);
  if (publicKey.includes("PRIVATE KEY")) throw new OptionError(`The public key is a private one: ${wanted}`);
  let key;
  try {
    key = createPublicKey(publicKey);
  } catch {
    throw new OptionError(`The public key cannot be read: ${wanted}`);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 2048;
  if (key.asymmetricKeyType === "rsa" && bits === 2048) return;
  throw new OptionError(
    `The public key is of type "${key.asymmetricKeyType}" with ${bits} bits: RSA with 2048 is wanted`,
  );
}

/** Names of figures that came later pass, other characters do not: they could end the field. */
function assertMetricName(name: unknown): void {
  const isName = typeof name === "string" && name !== "" && [...name].every((one) => METRIC_CHARACTERS.includes(one));
  if (isName) return;
  throw new OptionError(`The metric is ${showValue(name)} instead of a name such as "ENDPOINT_REQUEST_COUNT"`);
}

/** A day as a part of a field: other characters could end it. */
function day(name: string, value: string | undefined): string {
  if (value === undefined) return "";
  const parts = typeof value === "string" ? value.split("-") : [];
  const [year = "", month = "", date = ""] = parts;
  if (parts.length === 3 && year.length === 4 && month.length === 2 && date.length === 2 && parts.every(isDigits)) {
    return `.${name}(${value})`;
  }
  throw new OptionError(`The option "${name}" is ${showValue(value)} instead of a day such as "2026-01-31"`);
}

function readFlow(raw: JsonObject, id: string = ""): FlowDetails {
  return withoutUndefined({
    id: text(raw, "id") ?? id,
    name: text(raw, "name"),
    status: text(raw, "status"),
    categories: texts(raw, "categories") ?? [],
    validationErrors: readValidation(raw).validationErrors,
    jsonVersion: text(raw, "json_version"),
    dataApiVersion: text(raw, "data_api_version"),
    endpointUri: text(raw, "endpoint_uri"),
    preview: readPreview(raw),
    canSendMessage: text(object(raw, "health_status") ?? {}, "can_send_message"),
    updatedAt: text(raw, "updated_at"),
    raw,
  });
}

function readPreview(raw: JsonObject): FlowPreview | undefined {
  const preview = object(raw, "preview") ?? {};
  const url = text(preview, "preview_url");
  if (url === undefined) return undefined;
  const expiresAt = new Date(text(preview, "expires_at")?.replace("+0000", "Z") ?? NaN);
  return withoutUndefined({ url, expiresAt: Number.isNaN(expiresAt.getTime()) ? undefined : expiresAt });
}

function readValidation(raw: JsonObject): FlowValidation {
  return {
    success: raw.success !== false,
    validationErrors: objects(raw, "validation_errors").map((error) => {
      const pointers = objects(error, "pointers").map((pointer) => text(pointer, "path"));
      const paths = pointers.filter((path) => path !== undefined);
      return withoutUndefined({
        error: text(error, "error") ?? "",
        type: text(error, "error_type"),
        message: text(error, "message"),
        lineStart: number(error, "line_start"),
        lineEnd: number(error, "line_end"),
        columnStart: number(error, "column_start"),
        columnEnd: number(error, "column_end"),
        paths: paths.length > 0 ? paths : undefined,
      });
    }),
  };
}

function readPoint(point: JsonObject): FlowMetricPoint {
  const entries = objects(point, "data").map((one) => [text(one, "key") ?? "", number(one, "value") ?? 0] as const);
  return { timestamp: text(point, "timestamp") ?? "", values: Object.fromEntries(entries) };
}
