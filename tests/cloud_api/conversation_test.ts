import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { collect, withGraph } from "../support/graph.ts";

describe("WhatsAppConversations", () => {
  it("pass to the escalation partner if no role is named, and take the sender of a message", () =>
    withGraph(() => ({ json: { messaging_product: "whatsapp" } }), async ({ conversation }, { requests }) => {
      const message = { sender: { id: "4917012", phone: "4917012" } } as unknown as WhatsAppMessage;
      await conversation.pass(message);
      assertEquals(requests[0]!.json, { messaging_product: "whatsapp", to: "4917012", action: "pass" });
      await conversation.release("DE.1");
      assertEquals(requests[1]!.json, { messaging_product: "whatsapp", recipient: "DE.1", action: "release" });
    }));

  it("take metadata of up to 2000 characters", () =>
    withGraph(() => ({ json: {} }), async ({ conversation }, { requests }) => {
      await conversation.take("12345", { metadata: "x".repeat(2000) });
      for (const action of ["pass", "take", "release"] as const) {
        const long = () => conversation[action]("12345", { metadata: "x".repeat(2001) });
        await assertRejects(long, OptionError, 'The "metadata" has 2001 characters: the Cloud API takes 2000 at most');
        await assertRejects(() => conversation[action]("nobody"), OptionError, 'The user is "nobody"');
      }
      assertEquals(requests.length, 1);
    }));

  it("name a role only when they pass", () =>
    withGraph(() => ({ json: {} }), async ({ conversation }) => {
      const role = { to: "ai_agent" } as object;
      await assertRejects(() => conversation.take("12345", role), OptionError, 'has no option "to"');
      await assertRejects(() => conversation.pass("12345", { target_role: "x" } as object), OptionError, 'use "to"');
    }));

  it("give the history of all messages, in the form of Meta's edge of events too", () =>
    withGraph(
      () => ({
        json: {
          data: [{ id: "1" }, {
            id: "2",
            message_id: "wamid.A",
            events: { data: [{ cursor: "c", node: { delivery_status: "READ", occurrence_timestamp: 1 } }] },
          }],
        },
      }),
      async ({ conversation }, { requests }) => {
        const histories = await collect(conversation.messageHistory());
        assertEquals(histories.map(({ id, messageId, events }) => [id, messageId, events.length]), [
          ["1", undefined, 0],
          ["2", "wamid.A", 1],
        ]);
        const [event] = histories[1]!.events;
        assertEquals([event!.status, event!.timestamp], ["READ", new Date(1000)]);
        assertEquals(new URL(requests[0]!.path, "http://x").searchParams.has("message_id"), false);
        assertThrows(() => conversation.messageHistory("wamid.A", { pageSize: 101 }), OptionError, "from 1 to 100");
        assertThrows(() => conversation.messageHistory(""), OptionError, 'The "messageId" has 0 characters');
      },
    ));
});
