import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { collect, withGraph } from "../support/graph.ts";

const ADDED = { input: "+4917012345", wa_id: "4917012345" };
const FAILED = { input: "12345", errors: [{ message: "Re-engagement required", code: "131047" }] };
const ERROR = { message: "(#139100) Failed to block/unblock users", type: "OAuthException", code: 139100 };

describe("WhatsAppBlockedUsers", () => {
  it("tells who was blocked and who was not, also when Meta calls that an error of the call", () =>
    withGraph(
      () => ({ json: { block_users: { added_users: [ADDED], failed_users: [FAILED] }, error: ERROR }, status: 400 }),
      async ({ blockedUsers }, { requests }) => {
        const { changed, failed } = await blockedUsers.block(["+4917012345", "12345"]);
        assertEquals(changed, [{ input: "+4917012345", phone: "4917012345", raw: ADDED }]);
        assertEquals(failed, [{
          input: "12345",
          raw: FAILED,
          errors: [{ code: 131047, message: "Re-engagement required" }],
        }]);
        assertEquals(requests.length, 1);
      },
    ));

  it("fails when such an error has no lists, and with other errors that have some", () =>
    withGraph(() => ({ json: { error: ERROR }, status: 400 }), async ({ blockedUsers }, graph) => {
      const error = await assertRejects(() => blockedUsers.unblock("12345"), WhatsAppApiError);
      assertEquals(error.graph?.code, 139100);
      const full = { ...ERROR, code: 139101 };
      graph.answer = () => ({ json: { block_users: { failed_users: [FAILED] }, error: full }, status: 400 });
      assertEquals((await assertRejects(() => blockedUsers.block("12345"), WhatsAppApiError)).graph?.code, 139101);
    }));

  it("keeps numbers of such an answer out of errors that are logged", () =>
    withGraph(
      () => ({ json: { block_users: { added_users: [ADDED] }, error: { ...ERROR, code: 100 } }, status: 400 }),
      async ({ blockedUsers }) => {
        const error = await assertRejects(() => blockedUsers.block("12345"), WhatsAppApiError);
        const members = Object.getOwnPropertyNames(error).map((name) => Reflect.get(error, name) as unknown);
        assert(!JSON.stringify(members).includes("4917012345"));
      },
    ));

  it("takes the sender of a message, up to 1000 users, and calls nothing for none", () =>
    withGraph(() => ({ json: {} }), async ({ blockedUsers }, { requests }) => {
      const message = { sender: { id: "DE.1", userId: "DE.1" } } as unknown as WhatsAppMessage;
      assertEquals(await blockedUsers.block(message), { changed: [], failed: [] });
      assertEquals(requests[0]!.json, { messaging_product: "whatsapp", block_users: [{ user_id: "DE.1" }] });
      await blockedUsers.block(Array(1000).fill("12345"));
      const many = () => blockedUsers.block(Array(1001).fill("12345"));
      await assertRejects(many, OptionError, 'The "users" are 1001: the Cloud API takes 1000 at most');
      await assertRejects(() => blockedUsers.unblock(["12345", "x"]), OptionError, 'The user is "x"');
      assertEquals(await blockedUsers.block([]), { changed: [], failed: [] });
      assertEquals(requests.length, 2);
    }));

  it("lists all pages, and the form of Meta's sample", () =>
    withGraph(({ path }) => ({
      json: path.includes("after=A")
        ? { data: [{ block_users: [{ input: "1", wa_id: "123456" }, { user_id: "DE.1" }] }] }
        : { data: [{ wa_id: "12345" }], paging: { cursors: { after: "A" }, next: "https://…" } },
    }), async ({ blockedUsers }) => {
      const users = await collect(blockedUsers.list());
      assertEquals(users.map(({ phone, userId }) => phone ?? userId), ["12345", "123456", "DE.1"]);
    }));

  it("refuses options of a list at once", () =>
    withGraph(() => ({ json: {} }), ({ blockedUsers }) => {
      assertThrows(() => blockedUsers.list({ pageSize: 0 }), OptionError, 'The option "pageSize" is 0');
      assertThrows(() => blockedUsers.list({ limit: 5 } as object), OptionError, 'use "pageSize"');
      return Promise.resolve();
    }));
});
