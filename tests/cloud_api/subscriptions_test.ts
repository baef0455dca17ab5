import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { withGraph } from "../support/graph.ts";

const CALLBACK = { callbackUrl: "https://hooks.example.com/wa", verifyToken: "verify" };

describe("subscribeApp()", () => {
  it("without a callback sends no body, which removes an earlier callback", () =>
    withGraph(() => ({ json: { success: true } }), async (api, { requests }) => {
      await api.subscribeApp();
      assertEquals([requests[0]!.method, requests[0]!.path, requests[0]!.bytes.length], [
        "POST",
        "/1022/subscribed_apps",
        0,
      ]);
    }));

  it("refuses callbacks that Meta would not take, before it calls", () =>
    withGraph(() => ({ json: { success: true } }), async (api, { requests }) => {
      const refused: [object, string][] = [
        [{ ...CALLBACK, callbackUrl: "http://hooks.example.com/" }, "a URL that begins with https:// is wanted"],
        [{ ...CALLBACK, callbackUrl: `https://x/${"a".repeat(191)}` }, 'The "callbackUrl" has 201 characters'],
        [{ callbackUrl: CALLBACK.callbackUrl }, 'The option "verifyToken" is missing: "callbackUrl" wants'],
        [{ ...CALLBACK, verifyToken: ["a"] } as object, '"verifyToken" is of the type object instead of a string'],
        [{ ...CALLBACK, verifyToken: "" }, 'The setting "verifyToken" is empty'],
        [{ verifyToken: "verify" }, 'The option "verifyToken" wants "callbackUrl" beside it'],
        [{ override_callback_uri: "https://x/" }, 'use "callbackUrl"'],
      ];
      for (const [options, message] of refused) {
        await assertRejects(() => api.subscribeApp(options), OptionError, message);
      }
      assertEquals(requests.length, 0);
    }));

  it("compiles with URL and token together only", () =>
    withGraph(() => ({ json: { success: true } }), async (api, { requests }) => {
      const { callbackUrl, verifyToken } = CALLBACK;
      // @ts-expect-error: without a token
      await assertRejects(() => api.subscribeApp({ callbackUrl }), OptionError);
      // @ts-expect-error: without a URL
      await assertRejects(() => api.subscribeApp({ verifyToken }), OptionError);
      assertEquals(requests.length, 0);
      await api.subscribeApp({ callbackUrl, verifyToken });
      await api.subscribeApp({ signal: undefined });
      assertEquals(requests.length, 2);
    }));

  it("wants the id of the account", () =>
    withGraph(() => ({ json: {} }), async (api) => {
      for (const call of [() => api.subscribeApp(), () => api.subscribedApps(), () => api.unsubscribeApp()]) {
        await assertRejects(call, OptionError, 'The option "accountId" is missing');
      }
    }, { accountId: undefined }));

  it("fails when Meta answers 200 and has not done it", () =>
    withGraph(() => ({ json: { success: false } }), async (api) => {
      const error = await assertRejects(() => api.subscribeApp(), WhatsAppApiError, "did not subscribe the app");
      assertEquals(error.code, "ERR_API_ANSWER");
    }));
});

describe("subscribedApps()", () => {
  it("takes apps without an object around them, as in Meta's schema, and all pages", () =>
    withGraph(({ path }) => {
      const more = path.includes("after=A");
      return {
        json: more
          ? { data: [{ id: "2" }] }
          : { data: [{ id: "1", name: "Bot" }], paging: { next: "https://…", cursors: { after: "A" } } },
      };
    }, async (api) => {
      assertEquals(await api.subscribedApps(), [
        { id: "1", name: "Bot", raw: { id: "1", name: "Bot" } },
        { id: "2", raw: { id: "2" } },
      ]);
    }));
});

describe("subscribeWebhook()", () => {
  it("subscribes to messages, with values, if no fields are named", () =>
    withGraph(() => ({ json: { success: "true" } }), async (api, { requests }) => {
      await api.subscribeWebhook("77", CALLBACK);
      assertEquals(requests[0]!.json, {
        object: "whatsapp_business_account",
        callback_url: CALLBACK.callbackUrl,
        verify_token: "verify",
        fields: "messages",
        include_values: true,
      });
    }));

  it("refuses what cannot be an app or fields, before it calls", () =>
    withGraph(() => ({ json: {} }), async (api, { requests }) => {
      await assertRejects(() => api.subscribeWebhook("7/7", CALLBACK), OptionError, 'The appId is "7/7": not an id');
      await assertRejects(() => api.webhookSubscriptions(""), OptionError, "The appId is missing, or empty");
      const none = () => api.subscribeWebhook("77", { ...CALLBACK, fields: [] });
      await assertRejects(none, OptionError, 'The option "fields" wants an array');
      assertEquals(requests.length, 0);
    }));
});

describe("webhookSubscriptions()", () => {
  it("reads fields that are names only, as early versions of the API give them", () =>
    withGraph(
      () => ({ json: { data: [{ object: "user", fields: ["photos", { name: "feed" }, null, 1] }] } }),
      async (api) => {
        assertEquals((await api.webhookSubscriptions("77"))[0]!.fields, ["photos", "feed"]);
      },
    ));
});
