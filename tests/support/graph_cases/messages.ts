/** Calls of `WhatsAppApi` that concern messages, and those of `api.graph`. */

import { collect, type GraphCase } from "../graph.ts";

const ANSWER = {
  messaging_product: "whatsapp",
  contacts: [{ input: "+49 17", wa_id: "4917" }],
  messages: [{ id: "wamid.SENT", message_status: "accepted" }],
};
const SENT = { id: "wamid.SENT", recipientId: "4917", input: "+49 17", status: "accepted" };
const TEXT = { messaging_product: "whatsapp", recipient_type: "individual", to: "4917", type: "text" };

/** The cases. */
export const CASES: readonly GraphCase[] = [
  {
    method: "sendText",
    call: (api, options) => api.sendText("4917", "Hi", options),
    request: "POST /1065/messages",
    body: { ...TEXT, text: { body: "Hi", preview_url: false } },
    answer: ANSWER,
    result: SENT,
    errors: [[400, 131047], [400, 131026], [400, 131049], [400, 131050], [403, 131031]],
  },
  {
    method: "send",
    call: (api, options) => api.send("4917", "image", { id: "7" }, options),
    request: "POST /1065/messages",
    body: { ...TEXT, type: "image", image: { id: "7" } },
    answer: ANSWER,
    result: SENT,
  },
  {
    method: "markAsRead",
    call: (api, options) => api.markAsRead("wamid.IN", options),
    request: "POST /1065/messages",
    body: { messaging_product: "whatsapp", status: "read", message_id: "wamid.IN" },
  },
  {
    method: "graph.get",
    call: (api, options) => api.graph.get("1022", { query: { fields: "name" }, ...options }),
    request: "GET /1022?fields=name",
    answer: { name: "Shop" },
    result: { name: "Shop" },
  },
  {
    method: "graph.post",
    call: (api, options) => api.graph.post("1022/x", { json: { a: 1 }, ...options }),
    request: "POST /1022/x",
    body: { a: 1 },
    result: { success: true },
  },
  {
    method: "graph.delete",
    call: (api, options) => api.graph.delete("1022/x", options),
    request: "DELETE /1022/x",
    result: { success: true },
  },
  {
    method: "graph.request",
    call: (api, options) => api.graph.request("GET", "1022", options),
    request: "GET /1022",
    result: { success: true },
  },
  {
    method: "graph.pages",
    call: (api, options) => collect(api.graph.pages("1022/x", { query: { limit: 2 }, ...options })),
    request: "GET /1022/x?limit=2",
    answer: { data: [{ id: "1" }, { id: "2" }], paging: { cursors: { after: "A" } } },
    result: [{ id: "1" }, { id: "2" }],
  },
];
