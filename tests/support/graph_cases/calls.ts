/** Calls of `api.calls`. */

import type { GraphCase } from "../graph.ts";

const OFFER = { type: "offer", sdp: "v=0\r\n" } as const;
const ANSWER = { type: "answer", sdp: "v=0\r\n" } as const;
const SENT_ANSWER = { sdp_type: "answer", sdp: "v=0\r\n" };
const CALL = { messaging_product: "whatsapp", call_id: "wacid.IN" };
const DONE = { messaging_product: "whatsapp", success: true };

const PERMISSION = {
  messaging_product: "whatsapp",
  permission: { status: "temporary", expiration_time: 1_745_343_479 },
  actions: [
    {
      action_name: "send_call_permission_request",
      can_perform_action: true,
      limits: [{ time_period: "PT24H", max_allowed: 1, current_usage: 0 }],
    },
    {
      action_name: "start_call",
      can_perform_action: false,
      limits: [{ time_period: "PT24H", max_allowed: 5, current_usage: 5, limit_expiration_time: 1_745_622_600 }],
    },
  ],
};

/** The cases. */
export const CASES: readonly GraphCase[] = [
  {
    method: "calls.permission",
    call: (api, options) => api.calls.permission("+49 171 23", options),
    request: "GET /1065/call_permissions?user_wa_id=4917123",
    answer: PERMISSION,
    result: {
      status: "temporary",
      expiresAt: new Date(1_745_343_479_000),
      actions: [
        {
          name: "send_call_permission_request",
          isAllowed: true,
          limits: [{ period: "PT24H", max: 1, used: 0 }],
        },
        {
          name: "start_call",
          isAllowed: false,
          limits: [{ period: "PT24H", max: 5, used: 5, expiresAt: new Date(1_745_622_600_000) }],
        },
      ],
      canCall: false,
      canRequest: true,
      raw: PERMISSION,
    },
  },
  {
    method: "calls.initiate",
    call: (api, options) =>
      api.calls.initiate("US.13491208655302741918", OFFER, { bizOpaqueCallbackData: "order 12", ...options }),
    request: "POST /1065/calls",
    body: {
      messaging_product: "whatsapp",
      action: "connect",
      recipient: "US.13491208655302741918",
      session: { sdp_type: "offer", sdp: "v=0\r\n" },
      biz_opaque_callback_data: "order 12",
    },
    answer: { messaging_product: "whatsapp", calls: [{ id: "wacid.OUT" }] },
    result: "wacid.OUT",
    errors: [
      [400, 138000],
      [400, 138001],
      [400, 138002],
      [400, 138003],
      [400, 138004],
      [400, 138005],
      [400, 138006],
      [400, 138012],
    ],
  },
  {
    method: "calls.preAccept",
    call: (api, options) => api.calls.preAccept("wacid.IN", ANSWER, options),
    request: "POST /1065/calls",
    body: { ...CALL, action: "pre_accept", session: SENT_ANSWER },
    answer: DONE,
    errors: [[400, 138004], [400, 138007]],
  },
  {
    method: "calls.accept",
    call: (api, options) => api.calls.accept("wacid.IN", ANSWER, { bizOpaqueCallbackData: "shift 2", ...options }),
    request: "POST /1065/calls",
    body: { ...CALL, action: "accept", session: SENT_ANSWER, biz_opaque_callback_data: "shift 2" },
    answer: DONE,
    errors: [[400, 138004], [400, 138007]],
  },
  {
    method: "calls.reject",
    call: (api, options) => api.calls.reject("wacid.IN", options),
    request: "POST /1065/calls",
    body: { ...CALL, action: "reject" },
    answer: DONE,
  },
  {
    method: "calls.terminate",
    call: (api, options) => api.calls.terminate("wacid.IN", options),
    request: "POST /1065/calls",
    body: { ...CALL, action: "terminate" },
    answer: DONE,
  },
];
