import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { assertSuccess, texts } from "../../cloud_api/answers.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { withGraph } from "../support/graph.ts";

describe("answers of the Graph API", () => {
  it("that deny the success are errors, whatever their form", () => {
    for (const success of [true, "true", undefined, 1]) assertSuccess({ success }, "do it");
    assertSuccess({}, "do it");
    for (const success of [false, "false"]) {
      const error = assertThrows(() => assertSuccess({ success }, "delete the username"), WhatsAppApiError);
      assertEquals([error.code, error.status], ["ERR_API_ANSWER", 200]);
      assertEquals(error.message, "The Graph API answered 200, but did not delete the username");
    }
  });

  it("that deny the deletion of a file, or a mark, are errors of these calls", () =>
    withGraph(() => ({ json: { success: false } }), async (api) => {
      const calls: [call: () => Promise<void>, what: string][] = [
        [() => api.deleteMedia("77"), "did not delete the file"],
        [() => api.markAsRead("wamid.IN"), "did not mark the message as read"],
      ];
      for (const [call, what] of calls) {
        assertEquals((await assertRejects(call, WhatsAppApiError, what)).code, "ERR_API_ANSWER");
      }
    }));

  it("give the texts of their arrays", () => {
    assertEquals(texts({ a: ["x", 1, null, "y"] }, "a"), ["x", "y"]);
    for (const a of [undefined, null, "x", { 0: "x", length: 1 }]) assertEquals(texts({ a }, "a"), undefined);
  });
});
