import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { withGraph } from "../support/graph.ts";

describe("WhatsAppQrCodes", () => {
  it("takes messages of up to 140 characters", () =>
    withGraph(() => ({ json: { code: "C" } }), async ({ qrCodes }, { requests }) => {
      await qrCodes.create("😀".repeat(140));
      await qrCodes.update("C", "x".repeat(140));
      const allowed = 'The "message" has 141 characters: the Cloud API takes 140 at most';
      await assertRejects(() => qrCodes.create("x".repeat(141)), OptionError, allowed);
      await assertRejects(() => qrCodes.update("C", "x".repeat(141)), OptionError, allowed);
      await assertRejects(() => qrCodes.create(""), OptionError, "has 0 characters: the Cloud API takes 1 to 140");
      assertEquals(requests.map(({ json }) => json), [
        { prefilled_message: "😀".repeat(140) },
        { code: "C", prefilled_message: "x".repeat(140) },
      ]);
    }));

  it("refuses other pictures and codes that would change the path", () =>
    withGraph(() => ({ json: {} }), async ({ qrCodes }, { requests }) => {
      const gif = { image: "gif" as "png" };
      await assertRejects(() => qrCodes.create("Hi", gif), OptionError, 'The "image" is "gif" instead of "png"');
      assertThrows(() => qrCodes.list(gif), OptionError, 'The "image" is "gif"');
      for (const code of ["", "..", "a/b", "a?b"]) {
        await assertRejects(() => qrCodes.get(code), OptionError, "The code is");
        await assertRejects(() => qrCodes.update(code, "Hi"), OptionError, "The code is");
        await assertRejects(() => qrCodes.delete(code), OptionError, "The code is");
      }
      assertEquals(requests.length, 0);
    }));

  it("gives nothing for a code that the number does not have, and an error for one that is not named", () =>
    withGraph(() => ({ json: { data: [] } }), async ({ qrCodes }) => {
      assertEquals(await qrCodes.get("C"), undefined);
      const error = await assertRejects(() => qrCodes.create("Hi"), WhatsAppApiError, "named no code");
      assertEquals(error.code, "ERR_API_ANSWER");
    }));
});
