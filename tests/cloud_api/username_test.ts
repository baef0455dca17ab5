import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { withGraph } from "../support/graph.ts";

describe("WhatsAppUsername", () => {
  it("takes what Meta allows, and refuses the rest before it calls", () =>
    withGraph(() => ({ json: { status: "pending" } }), async ({ username }, { requests }) => {
      const allowed = ["abc", "my.id", "my_id", "1a_", "A".repeat(35), "ww.w"];
      for (const name of allowed) await username.set(name);
      const refused: [string, string][] = [
        ["ab", 'The "username" has 2 characters: the Cloud API takes 3 to 35'],
        ["a".repeat(36), 'The "username" has 36 characters: the Cloud API takes 35 at most'],
        ["@shop", "has a character other than letters"],
        ["schön", "has a character other than letters"],
        ["123", "has no letter"],
        [".abc", "begins or ends with a period"],
        ["abc.", "begins or ends with a period"],
        ["a..b", "has two periods in a row"],
        ["WWWshop", 'begins with "www"'],
      ];
      for (const [name, message] of refused) await assertRejects(() => username.set(name), OptionError, message);
      assertEquals(requests.map(({ json }) => json), allowed.map((name) => ({ username: name })));
    }));

  it("reads a request under review, a rejection, and a number without a username", () =>
    withGraph(() => ({ json: {} }), async ({ username }, graph) => {
      const answer = (json: object) => graph.next.push({ json });
      answer({ username: "", status: "RESERVED", requested_username: "shop" });
      assertEquals((({ raw: _raw, ...state }) => state)(await username.get()), {
        status: "RESERVED",
        requestedUsername: "shop",
      });
      answer({ status: "REJECTED", rejection_reasons: ["NOT_AVAILABLE"] });
      assertEquals((await username.set("shop")).rejectionReasons, ["NOT_AVAILABLE"]);
      assertEquals(await username.suggestions(), []);
      answer({ success: false });
      await assertRejects(() => username.delete(), WhatsAppApiError, "did not delete the username");
    }));
});
