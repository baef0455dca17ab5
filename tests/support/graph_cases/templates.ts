/** Calls of `api.templates`. */

import { collect, type GraphCase } from "../graph.ts";

const FIELDS = "id%2Cname%2Clanguage%2Ccategory%2Csub_category%2Cstatus%2Cparameter_format%2Cprevious_category%2C" +
  "correct_category%2Clibrary_template_name%2Ccomponents%2Cquality_score%2Crejected_reason%2C" +
  "message_send_ttl_seconds%2Ccta_url_link_tracking_opted_out";

const TEMPLATE = {
  id: "5644",
  name: "order_shipped",
  language: "en_US",
  category: "UTILITY",
  sub_category: "ORDER_STATUS",
  status: "REJECTED",
  parameter_format: "POSITIONAL",
  previous_category: "MARKETING",
  correct_category: "UTILITY",
  library_template_name: "shipment_1",
  components: [{ type: "BODY", text: "On its way" }, { type: "NEW_TYPE", x: 1 }],
  quality_score: { score: "GREEN", date: 1_700_000_000 },
  rejected_reason: "INVALID_FORMAT",
  message_send_ttl_seconds: "600",
  cta_url_link_tracking_opted_out: true,
};
const RESULT = {
  id: "5644",
  name: "order_shipped",
  language: "en_US",
  category: "UTILITY",
  subCategory: "ORDER_STATUS",
  status: "REJECTED",
  parameterFormat: "POSITIONAL",
  previousCategory: "MARKETING",
  correctCategory: "UTILITY",
  libraryTemplateName: "shipment_1",
  components: TEMPLATE.components,
  quality: { score: "GREEN", date: new Date(1_700_000_000_000) },
  rejectedReason: "INVALID_FORMAT",
  messageTtl: 600,
  linkTrackingOptedOut: true,
  raw: TEMPLATE,
};
const BODY = { type: "BODY", text: "On its way" } as const;

/** The cases. */
export const CASES: readonly GraphCase[] = [
  {
    method: "templates.list",
    call: (api, options) =>
      collect(api.templates.list({ status: ["APPROVED", "PAUSED"], category: "UTILITY", pageSize: 50, ...options })),
    request: `GET /1022/message_templates?fields=${FIELDS}&status=APPROVED%2CPAUSED&category=UTILITY&limit=50`,
    answer: { data: [TEMPLATE, { id: "5645", rejected_reason: "NONE" }] },
    result: [RESULT, { id: "5645", components: [], raw: { id: "5645", rejected_reason: "NONE" } }],
    errors: [[400, 80008]],
  },
  {
    method: "templates.get",
    call: (api, options) => api.templates.get("5644", options),
    request: `GET /5644?fields=${FIELDS}`,
    answer: TEMPLATE,
    result: RESULT,
    errors: [[400, 132001]],
  },
  {
    method: "templates.create",
    call: (api, options) =>
      api.templates.create({
        name: "order_shipped",
        language: "en_US",
        category: "UTILITY",
        components: [BODY],
        parameterFormat: "NAMED",
        messageTtl: 600,
        linkTrackingOptedOut: true,
        fields: { sub_category: "ORDER_STATUS" },
      }, options),
    request: "POST /1022/message_templates",
    body: {
      name: "order_shipped",
      language: "en_US",
      category: "UTILITY",
      components: [BODY],
      parameter_format: "NAMED",
      message_send_ttl_seconds: 600,
      cta_url_link_tracking_opted_out: true,
      sub_category: "ORDER_STATUS",
    },
    answer: { id: "5644", status: "PENDING", category: "MARKETING" },
    result: { id: "5644", status: "PENDING", category: "MARKETING" },
    errors: [[400, 2388040], [400, 2388047], [400, 2388073], [400, 2388293], [400, 2388299], [400, 2388019]],
  },
  {
    method: "templates.edit",
    call: (api, options) => api.templates.edit("5644", { components: [BODY], category: "UTILITY" }, options),
    request: "POST /5644",
    body: { components: [BODY], category: "UTILITY" },
    answer: { success: true, id: "5644", name: "order_shipped", category: "UTILITY" },
    errors: [[400, 2388040]],
  },
  {
    method: "templates.delete",
    call: (api, options) => api.templates.delete("order_shipped", { id: "5644", ...options }),
    request: "DELETE /1022/message_templates?name=order_shipped&hsm_id=5644",
  },
  {
    method: "templates.deleteByIds",
    call: (api, options) => api.templates.deleteByIds(["5644", "5645"], options),
    request: "DELETE /1022/message_templates?hsm_ids=%5B%225644%22%2C%225645%22%5D",
  },
];
