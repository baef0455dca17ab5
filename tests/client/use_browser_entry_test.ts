import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StateError } from "../../base/errors.ts";

describe("use_browser_entry", () => {
  it("fails to load, and names the entries for pages", async () => {
    const error = await assertRejects(() => import("../../client/use_browser_entry.ts"), StateError);
    assertEquals(error.code, "ERR_UNSUPPORTED");
    for (const entry of ['"@tackline/websocket/browser"', '"@tackline/websocket/browser-client"']) {
      assertStringIncludes(error.message, entry);
    }
  });
});
