/** Calls of `api.flows`. */

import { generateKeyPairSync } from "node:crypto";
import { collect, type GraphCase } from "../graph.ts";

const LIST_FIELDS = "id%2Cname%2Cstatus%2Ccategories%2Cvalidation_errors";
const FIELDS = `${LIST_FIELDS}%2Cjson_version%2Cdata_api_version%2Cendpoint_uri%2Cpreview%2Chealth_status%2Cupdated_at`;
const ERROR = {
  error: "INVALID_PROPERTY_VALUE",
  error_type: "FLOW_JSON_ERROR",
  message: "Invalid value found for property 'type'.",
  line_start: 10,
  line_end: 11,
  column_start: 21,
  column_end: 34,
  pointers: [{ line_start: 10, path: "screens[0].layout.children[0].type" }, { line_start: 11 }],
};
const VALIDATION_ERROR = {
  error: "INVALID_PROPERTY_VALUE",
  type: "FLOW_JSON_ERROR",
  message: "Invalid value found for property 'type'.",
  lineStart: 10,
  lineEnd: 11,
  columnStart: 21,
  columnEnd: 34,
  paths: ["screens[0].layout.children[0].type"],
};
const PREVIEW = {
  preview_url: "https://business.facebook.com/wa/manage/flows/55/preview/?token=b9",
  expires_at: "2026-05-21T11:18:09+0000",
};
const PREVIEW_RESULT = { url: PREVIEW.preview_url, expiresAt: new Date("2026-05-21T11:18:09Z") };
const FLOW = {
  id: "55",
  name: "Booking",
  status: "DRAFT",
  categories: ["APPOINTMENT_BOOKING"],
  validation_errors: [ERROR],
  json_version: "7.3",
  data_api_version: "4.0",
  endpoint_uri: "https://hooks.example.com/flow",
  preview: PREVIEW,
  health_status: { can_send_message: "BLOCKED", entities: [] },
  updated_at: "2026-04-21T11:18:09+0000",
};
const SMALL = { id: "56", name: "Survey", status: "PUBLISHED", categories: ["SURVEY"], validation_errors: [] };

/** A public key as Meta wants it. */
export const PUBLIC_KEY: string = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey
  .export({ type: "spki", format: "pem" }).toString();

/** The cases. */
export const CASES: readonly GraphCase[] = [
  {
    method: "flows.list",
    call: (api, options) => collect(api.flows.list({ pageSize: 20, ...options })),
    request: `GET /1022/flows?fields=${LIST_FIELDS}&limit=20`,
    answer: { data: [SMALL] },
    result: [{
      id: "56",
      name: "Survey",
      status: "PUBLISHED",
      categories: ["SURVEY"],
      validationErrors: [],
      raw: SMALL,
    }],
  },
  {
    method: "flows.get",
    call: (api, options) => api.flows.get("55", options),
    request: `GET /55?fields=${FIELDS}`,
    answer: FLOW,
    result: {
      id: "55",
      name: "Booking",
      status: "DRAFT",
      categories: ["APPOINTMENT_BOOKING"],
      validationErrors: [VALIDATION_ERROR],
      jsonVersion: "7.3",
      dataApiVersion: "4.0",
      endpointUri: "https://hooks.example.com/flow",
      preview: PREVIEW_RESULT,
      canSendMessage: "BLOCKED",
      updatedAt: "2026-04-21T11:18:09+0000",
      raw: FLOW,
    },
  },
  {
    method: "flows.create",
    call: (api, options) =>
      api.flows.create({
        name: "Booking",
        categories: ["APPOINTMENT_BOOKING"],
        flowJson: { version: "7.3", screens: [] },
        publish: true,
        cloneFlowId: "54",
        endpointUri: "https://hooks.example.com/flow",
      }, options),
    request: "POST /1022/flows",
    body: {
      name: "Booking",
      categories: ["APPOINTMENT_BOOKING"],
      flow_json: '{"version":"7.3","screens":[]}',
      publish: true,
      clone_flow_id: "54",
      endpoint_uri: "https://hooks.example.com/flow",
    },
    answer: { id: "55", success: false, validation_errors: [ERROR] },
    result: { id: "55", success: false, validationErrors: [VALIDATION_ERROR] },
    errors: [[400, 139000], [400, 139002]],
  },
  {
    method: "flows.update",
    call: (api, options) => api.flows.update("55", { name: "New", applicationId: "77" }, options),
    request: "POST /55",
    body: { name: "New", application_id: "77" },
    errors: [[400, 139001]],
  },
  {
    method: "flows.updateJson",
    call: (api, options) => api.flows.updateJson("55", { version: "7.3", screens: [] }, options),
    request: "POST /55/assets",
    answer: { success: true, validation_errors: [ERROR] },
    result: { success: true, validationErrors: [VALIDATION_ERROR] },
    errors: [[400, 139001]],
  },
  {
    method: "flows.assets",
    call: (api, options) => api.flows.assets("55", options),
    request: "GET /55/assets?fields=name%2Casset_type%2Cdownload_url",
    answer: { data: [{ name: "flow.json", asset_type: "FLOW_JSON", download_url: "https://scontent.example/x" }] },
    result: [{ name: "flow.json", type: "FLOW_JSON", downloadUrl: "https://scontent.example/x" }],
  },
  {
    method: "flows.preview",
    call: (api, options) => api.flows.preview("55", { invalidate: true, ...options }),
    request: "GET /55?fields=preview.invalidate%28true%29",
    answer: { id: "55", preview: PREVIEW },
    result: PREVIEW_RESULT,
  },
  {
    method: "flows.publish",
    call: (api, options) => api.flows.publish("55", options),
    request: "POST /55/publish",
    errors: [[400, 139000], [400, 139002]],
  },
  {
    method: "flows.deprecate",
    call: (api, options) => api.flows.deprecate("55", options),
    request: "POST /55/deprecate",
    errors: [[400, 139003]],
  },
  {
    method: "flows.delete",
    call: (api, options) => api.flows.delete("55", options),
    request: "DELETE /55",
    errors: [[400, 139004]],
  },
  {
    method: "flows.metric",
    call: (api, options) =>
      api.flows.metric("55", "ENDPOINT_REQUEST_ERROR", { since: "2026-01-28", until: "2026-01-30", ...options }),
    request: "GET /55?fields=metric.name%28ENDPOINT_REQUEST_ERROR%29.granularity%28DAY%29" +
      ".since%282026-01-28%29.until%282026-01-30%29",
    answer: {
      id: "55",
      metric: {
        granularity: "DAY",
        name: "ENDPOINT_REQUEST_ERROR",
        data_points: [{
          timestamp: "2026-01-28T08:00:00+0000",
          data: [{ key: "timeout_error", value: 5 }, { key: "cannot_be_served", value: 1 }],
        }],
      },
    },
    result: [{ timestamp: "2026-01-28T08:00:00+0000", values: { timeout_error: 5, cannot_be_served: 1 } }],
    errors: [[400, 139006]],
  },
  {
    method: "flows.setPublicKey",
    call: (api, options) => api.flows.setPublicKey(PUBLIC_KEY, options),
    request: "POST /1065/whatsapp_business_encryption",
    body: { business_public_key: PUBLIC_KEY },
  },
  {
    method: "flows.publicKey",
    call: (api, options) => api.flows.publicKey(options),
    request: "GET /1065/whatsapp_business_encryption",
    answer: { data: [{ business_public_key: "PEM", business_public_key_signature_status: "VALID" }] },
    result: { publicKey: "PEM", signatureStatus: "VALID" },
  },
];
