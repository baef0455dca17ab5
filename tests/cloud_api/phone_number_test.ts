import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { collect, withGraph } from "../support/graph.ts";

describe("WhatsAppPhoneNumber", () => {
  it("wants a PIN of six digits, and does not show another one", () =>
    withGraph(() => ({ json: { success: true } }), async ({ phoneNumber }, { requests }) => {
      for (const pin of ["98765", "9876543", "98765x", " 98765", ""]) {
        for (const call of [() => phoneNumber.register(pin), () => phoneNumber.setPin(pin)]) {
          const error = await assertRejects(call, OptionError, `The PIN is a text of ${pin.length} characters`);
          assert(!error.message.includes("9876"));
        }
      }
      await assertRejects(() => phoneNumber.register("123456", { region: "CH" } as object), OptionError, 'use "data');
      const long = { dataLocalizationRegion: "CHE" };
      await assertRejects(() => phoneNumber.register("123456", long), OptionError, "has 3 characters");
      assertEquals(requests.length, 0);
      await phoneNumber.register("123456");
      assertEquals(requests[0]!.json, { messaging_product: "whatsapp", pin: "123456" });
    }));

  it("asks for a code in a text message, and takes the code as people write it", () =>
    withGraph(() => ({ json: { success: true } }), async ({ phoneNumber }, { requests }) => {
      await phoneNumber.requestCode();
      await phoneNumber.verifyCode("139 281");
      assertEquals(requests.map(({ json }) => json), [{ code_method: "SMS", language: "en_US" }, { code: "139281" }]);
      for (const code of ["", "-", "12a", 139281 as unknown as string]) {
        await assertRejects(() => phoneNumber.verifyCode(code), OptionError, "The code is");
      }
      await assertRejects(() => phoneNumber.requestCode({ language: "e" }), OptionError, 'The "language" has 1');
      await assertRejects(() => phoneNumber.requestDisplayName(""), OptionError, 'The "name" has 0');
    }));

  it("refuses callbacks that Meta would not take", () =>
    withGraph(() => ({ json: { success: true } }), async ({ phoneNumber }, { requests }) => {
      const refused: [object, string][] = [
        [{ verifyToken: "v" }, 'The "callbackUrl" is undefined instead of a text'],
        [{ callbackUrl: "ftp://x/", verifyToken: "v" }, "a URL that begins with https:// is wanted"],
        [{ callbackUrl: "https://x/" }, 'The option "verifyToken" is missing'],
        [{ url: "https://x/", verifyToken: "v" }, 'use "callbackUrl"'],
      ];
      for (const [options, message] of refused) {
        await assertRejects(() => phoneNumber.setCallback(options as never), OptionError, message);
      }
      assertEquals(requests.length, 0);
    }));

  it("has absent facts for fields that were not asked for, and all that came in raw", () =>
    withGraph(() => ({ json: { id: "1065", health_status: { can_send_message: "BLOCKED" } } }), async (api, graph) => {
      const raw = { id: "1065", health_status: { can_send_message: "BLOCKED" } };
      assertEquals(await api.phoneNumber.info({ fields: ["health_status"] }), { id: "1065", raw });
      assertEquals(graph.requests[0]!.path, "/1065?fields=health_status");
      await assertRejects(() => api.phoneNumber.info({ fields: [] }), OptionError, 'The option "fields"');
    }));

  it("lists all pages, and wants the id of the account", () =>
    withGraph(({ path }) => ({
      json: path.includes("after=A")
        ? { data: [{ id: "2" }] }
        : { data: [{ id: "1" }], paging: { cursors: { after: "A" }, next: "https://…" } },
    }), async (api, graph) => {
      assertEquals((await collect(api.phoneNumber.list())).map(({ id }) => id), ["1", "2"]);
      assertThrows(() => graph.api({ accountId: undefined }).phoneNumber.list(), OptionError, 'The option "accountId"');
      assertThrows(() => api.phoneNumber.list({ pageSize: -1 }), OptionError, 'The option "pageSize"');
    }));
});
