/** Checks and odd answers of `api.calls`; its calls: `tests/cloud_api/api_methods_test.ts`. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { CallSession } from "../../cloud_api/calling.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { refusal, withGraph } from "../support/graph.ts";
import { FakeClock, until } from "../support/support.ts";

const OFFER: CallSession = { type: "offer", sdp: "v=0\r\n" };
const ANSWER: CallSession = { type: "answer", sdp: "v=0\r\n" };

describe("api.calls", () => {
  it("takes numbers, user ids and messages as users", () =>
    withGraph(() => ({ json: { calls: [{ id: "wacid.OUT" }] } }), async (api, graph) => {
      const { records } = parseNotification(simulateNotification(1, { type: "text" }).json);
      const message = records.find((record): record is WhatsAppMessage => record.kind === "message")!;
      const users = ["+1 (555) 0123", "US.ENT.506847293", message];
      for (const user of users) {
        await api.calls.permission(user);
        assertEquals(await api.calls.initiate(user, OFFER), "wacid.OUT");
      }
      const phone = message.sender.phone!;
      const permissions = graph.requests.filter(({ method }) => method === "GET").map(({ path }) => path);
      assertEquals(permissions, [
        "/1065/call_permissions?user_wa_id=15550123",
        "/1065/call_permissions?recipient=US.ENT.506847293",
        `/1065/call_permissions?user_wa_id=${phone}`,
      ]);
      const session = { sdp_type: "offer", sdp: "v=0\r\n" };
      const common = { messaging_product: "whatsapp", action: "connect", session };
      assertEquals(graph.requests.filter(({ method }) => method === "POST").map(({ json }) => json), [
        { ...common, to: "+15550123" },
        { ...common, recipient: "US.ENT.506847293" },
        { ...common, to: phone },
      ]);
    }));

  it("takes an answer without permission and actions as none", () =>
    withGraph(() => ({ json: { actions: [{}, null, { action_name: "start_call", limits: [{}] }] } }), async (api) => {
      const { raw: _, ...permission } = await api.calls.permission("49171");
      assertEquals(permission, {
        status: "unknown",
        actions: [
          { name: "", isAllowed: false, limits: [] },
          { name: "start_call", isAllowed: false, limits: [{ period: "", max: 0, used: 0 }] },
        ],
        canCall: false,
        canRequest: false,
      });
    }));

  it("asks again for a permission after 613, which passes, and does not after 138006", () => {
    const clock = new FakeClock();
    return withGraph(() => ({ json: { permission: { status: "permanent" } } }), async (api, graph) => {
      graph.next.push(refusal(429, 613));
      const permission = api.calls.permission("49171");
      await graph.count(1);
      await until(() => clock.pending === 1, "the pause");
      clock.advance(500);
      assertEquals((await permission).status, "permanent");
      graph.next.push(refusal(400, 138006, { error_data: { details: "No approved call permission" } }));
      const error = await assertRejects(() => api.calls.initiate("49171", OFFER), WhatsAppApiError);
      assertEquals([error.graph?.code, error.graph?.details], [138006, "No approved call permission"]);
      assertEquals(graph.requests.length, 3);
    }, { clock, requestTimeout: 0 });
  });

  it("fails if Meta answers without success, or without an id", () =>
    withGraph(() => ({ json: { success: false, calls: [{}] } }), async (api) => {
      const calls: [call: () => Promise<unknown>, message: string][] = [
        [() => api.calls.preAccept("wacid.IN", ANSWER), "did not pre_accept the call"],
        [() => api.calls.accept("wacid.IN", ANSWER), "did not accept the call"],
        [() => api.calls.reject("wacid.IN"), "did not reject the call"],
        [() => api.calls.terminate("wacid.IN"), "did not terminate the call"],
        [() => api.calls.initiate("49171", OFFER), "began a call, but named no id"],
      ];
      for (const [call, message] of calls) {
        assertEquals((await assertRejects(call, WhatsAppApiError, message)).code, "ERR_API_ANSWER");
      }
    }));

  it("refuses what Meta would, before it calls", () =>
    withGraph(() => ({ json: {} }), async (api, graph) => {
      const { calls } = api;
      const session = (value: unknown) => () => calls.initiate("49171", value as CallSession);
      const refused: [call: () => Promise<unknown>, message: string][] = [
        [() => calls.permission("Bob"), 'The user is "Bob"'],
        [() => calls.initiate("", OFFER), 'The user is ""'],
        [session("v=0"), 'The session of the call is "v=0": give { type: "offer", sdp }'],
        [session(ANSWER), 'The session of the call has the type "answer" instead of "offer"'],
        [session({ type: "offer", sdp: "" }), 'The "sdp" has 0 characters'],
        [session({ type: "offer", sdp: "x".repeat(65_537) }), 'The "sdp" has 65537 characters'],
        [() => calls.accept("wacid.IN", OFFER), 'has the type "offer" instead of "answer"'],
        [() => calls.preAccept("", ANSWER), 'The "callId" has 0 characters'],
        [() => calls.terminate("x".repeat(257)), 'The "callId" has 257 characters'],
        [
          () => calls.initiate("49171", OFFER, { bizOpaqueCallbackData: "x".repeat(513) }),
          'The "bizOpaqueCallbackData" has 513 characters: the Cloud API takes 512 at most',
        ],
        [() => calls.initiate("49171", OFFER, { tracker: "x" } as object), 'use "bizOpaqueCallbackData"'],
        [() => calls.reject("wacid.IN", { reason: "busy" } as object), 'The call has no option "reason"'],
      ];
      for (const [call, message] of refused) await assertRejects(call, OptionError, message);
      assertEquals(graph.requests, []);
    }));
});
