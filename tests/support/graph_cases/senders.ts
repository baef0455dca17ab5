/** Calls of `WhatsAppApi` that send messages of each kind. */

import type { SendOptions, SentMessage } from "../../../cloud_api/calls.ts";
import type { WhatsAppApi } from "../../../cloud_api/api.ts";
import type { WhatsAppMessage } from "../../../cloud_api/messages.ts";
import type { GraphCase } from "../graph.ts";

const ANSWER = {
  messaging_product: "whatsapp",
  contacts: [{ input: "DE.17", user_id: "DE.17" }],
  messages: [{ id: "wamid.SENT", message_status: "accepted" }],
};
const SENT: SentMessage = { id: "wamid.SENT", userId: "DE.17", input: "DE.17", status: "accepted" };

/** Errors that each message may have: more than 24 hours, not deliverable, a wrong parameter, limits, locked. */
const ERRORS = [[400, 131047], [400, 131026], [400, 131009], [400, 131051], [400, 131049], [403, 131031]] as const;

/** A message of a customer without a known phone number. */
const MESSAGE: WhatsAppMessage = {
  kind: "message",
  field: "messages",
  id: "wamid.IN",
  sender: { id: "DE.17", userId: "DE.17" },
  accountId: "1022",
  errors: [],
  raw: {},
  type: "text",
  text: { body: "Hi" },
};

type Sender = (api: WhatsAppApi, options: SendOptions) => Promise<SentMessage>;

/** Makes the case of a method. */
function sends(method: string, call: Sender, contents: object, more: Partial<GraphCase> = {}): GraphCase {
  const body = { messaging_product: "whatsapp", recipient_type: "individual", recipient: "DE.17", ...contents };
  return { method, call, request: "POST /1065/messages", body, answer: ANSWER, result: SENT, errors: ERRORS, ...more };
}

/** Makes the case of an interactive message. */
function interacts(method: string, call: Sender, interactive: object): GraphCase {
  return sends(method, call, { type: "interactive", interactive });
}

const to = "DE.17";
const link = "https://example.com/a";
const body = { text: "B" };
const yes = { id: "yes", title: "Yes" };
const product = { catalogId: "1", productRetailerId: "2" };
const rawProduct = { catalog_id: "1", product_retailer_id: "2" };

/** The cases. */
export const CASES: readonly GraphCase[] = [
  sends("reply", (api, options) => api.reply(MESSAGE, "Hi", options), {
    context: { message_id: "wamid.IN" },
    type: "text",
    text: { body: "Hi", preview_url: false },
  }),
  sends("react", (api, options) => api.react(MESSAGE, "👍", options), {
    type: "reaction",
    reaction: { message_id: "wamid.IN", emoji: "👍" },
  }),
  sends("unreact", (api, options) => api.unreact(MESSAGE, options), {
    type: "reaction",
    reaction: { message_id: "wamid.IN", emoji: "" },
  }),
  sends("sendReaction", (api, options) => api.sendReaction(to, { messageId: "wamid.1", emoji: "👍" }, options), {
    type: "reaction",
    reaction: { message_id: "wamid.1", emoji: "👍" },
  }),
  sends("sendImage", (api, options) => api.sendImage(to, { link, caption: "C" }, options), {
    type: "image",
    image: { link, caption: "C" },
  }, { errors: [...ERRORS, [400, 131052], [400, 131053]] }),
  sends("sendVideo", (api, options) => api.sendVideo(to, { id: "7" }, options), { type: "video", video: { id: "7" } }),
  sends("sendAudio", (api, options) => api.sendAudio(to, { id: "7", voice: true }, options), {
    type: "audio",
    audio: { id: "7", voice: true },
  }),
  sends("sendDocument", (api, options) => api.sendDocument(to, { id: "7", filename: "a.pdf" }, options), {
    type: "document",
    document: { id: "7", filename: "a.pdf" },
  }),
  sends("sendSticker", (api, options) => api.sendSticker(to, { id: "7" }, options), {
    type: "sticker",
    sticker: { id: "7" },
  }),
  sends("sendLocation", (api, options) => api.sendLocation(to, { latitude: 1, longitude: 2, name: "N" }, options), {
    type: "location",
    location: { latitude: 1, longitude: 2, name: "N" },
  }),
  sends("sendContacts", (api, options) => api.sendContacts(to, [{ name: { formattedName: "A" } }], options), {
    type: "contacts",
    contacts: [{ name: { formatted_name: "A" } }],
  }),
  interacts("sendButtons", (api, options) => api.sendButtons(to, { body: "B", buttons: [yes] }, options), {
    type: "button",
    body,
    action: { buttons: [{ type: "reply", reply: yes }] },
  }),
  interacts(
    "sendList",
    (api, options) => api.sendList(to, { body: "B", button: "L", sections: [{ rows: [yes] }] }, options),
    { type: "list", body, action: { button: "L", sections: [{ rows: [yes] }] } },
  ),
  interacts("sendUrlButton", (api, options) => api.sendUrlButton(to, { body: "B", button: "L", url: link }, options), {
    type: "cta_url",
    body,
    action: { name: "cta_url", parameters: { display_text: "L", url: link } },
  }),
  interacts("sendFlow", (api, options) => api.sendFlow(to, { body: "B", button: "L", flowId: "1" }, options), {
    type: "flow",
    body,
    action: { name: "flow", parameters: { flow_message_version: "3", flow_id: "1", flow_cta: "L" } },
  }),
  interacts("sendProduct", (api, options) => api.sendProduct(to, product, options), {
    type: "product",
    action: rawProduct,
  }),
  interacts(
    "sendProducts",
    (api, options) =>
      api.sendProducts(to, { header: "H", body: "B", catalogId: "1", sections: [{ products: ["2"] }] }, options),
    {
      type: "product_list",
      header: { type: "text", text: "H" },
      body,
      action: { catalog_id: "1", sections: [{ product_items: [{ product_retailer_id: "2" }] }] },
    },
  ),
  interacts("sendCatalog", (api, options) => api.sendCatalog(to, { body: "B" }, options), {
    type: "catalog_message",
    body,
    action: { name: "catalog_message" },
  }),
  interacts("sendCarousel", (api, options) => api.sendCarousel(to, { body: "B", cards: [product, product] }, options), {
    type: "carousel",
    body,
    action: {
      cards: [
        { card_index: 0, type: "product", action: rawProduct },
        { card_index: 1, type: "product", action: rawProduct },
      ],
    },
  }),
  interacts(
    "sendAddressRequest",
    (api, options) => api.sendAddressRequest(to, { body: "B", country: "IN" }, options),
    { type: "address_message", body, action: { name: "address_message", parameters: { country: "IN" } } },
  ),
  interacts("sendLocationRequest", (api, options) => api.sendLocationRequest(to, "B", options), {
    type: "location_request_message",
    body,
    action: { name: "send_location" },
  }),
  interacts("sendContactRequest", (api, options) => api.sendContactRequest(to, "B", options), {
    type: "request_contact_info",
    body,
    action: { name: "request_contact_info" },
  }),
  interacts("sendCallButton", (api, options) => api.sendCallButton(to, { body: "B" }, options), {
    type: "voice_call",
    body,
    action: { name: "voice_call" },
  }),
  interacts("sendCallPermissionRequest", (api, options) => api.sendCallPermissionRequest(to, "B", options), {
    type: "call_permission_request",
    body,
    action: { name: "call_permission_request" },
  }),
  sends("sendTemplate", (api, options) => api.sendTemplate(to, "hello", { language: "de", body: ["A"], ...options }), {
    type: "template",
    template: {
      name: "hello",
      language: { code: "de" },
      components: [{ type: "body", parameters: [{ type: "text", text: "A" }] }],
    },
  }, { errors: [...ERRORS, [404, 132001], [400, 132000], [400, 132012], [400, 132015], [400, 131062]] }),
  interacts("sendInteractive", (api, options) => api.sendInteractive(to, { type: "new", body }, options), {
    type: "new",
    body,
  }),
  sends("send", (api, options) => api.send(to, { sticker: { id: "7" } }, options), {
    type: "sticker",
    sticker: { id: "7" },
  }),
];
