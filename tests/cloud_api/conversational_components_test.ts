import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { withGraph } from "../support/graph.ts";

const COMMAND = { name: "n".repeat(32), description: "d".repeat(256) };

describe("WhatsAppConversationalComponents", () => {
  it("take what Meta allows, and refuse more before they call", () =>
    withGraph(() => ({ json: { success: true } }), async ({ conversationalComponents }, { requests }) => {
      await conversationalComponents.set({
        iceBreakers: Array(4).fill("x".repeat(80)),
        commands: Array(30).fill(COMMAND),
        welcomeMessage: false,
      });
      const refused: [object, string][] = [
        [{ iceBreakers: Array(5).fill("x") }, 'The "iceBreakers" are 5: the Cloud API takes 4 at most'],
        [{ iceBreakers: ["x".repeat(81)] }, 'The "iceBreaker" has 81 characters'],
        [{ iceBreakers: [""] }, 'The "iceBreaker" has 0 characters'],
        [{ commands: Array(31).fill(COMMAND) }, 'The "commands" are 31: the Cloud API takes 30 at most'],
        [{ commands: [{ ...COMMAND, name: "n".repeat(33) }] }, 'The "name" has 33 characters'],
        [{ commands: [{ ...COMMAND, description: "d".repeat(257) }] }, 'The "description" has 257'],
        [{ commands: [{ ...COMMAND, name: "/book" }] }, "begins with a slash"],
        [{ commands: [{ command_name: "book" }] }, 'use "name"'],
        [{ prompts: [] }, 'use "iceBreakers"'],
      ];
      for (const [components, message] of refused) {
        await assertRejects(() => conversationalComponents.set(components), OptionError, message);
      }
      assertEquals(requests.length, 1);
    }));

  it("are empty for a number that has none", () =>
    withGraph(() => ({ json: { id: "1065" } }), async ({ conversationalComponents }) => {
      assertEquals(await conversationalComponents.get(), { iceBreakers: [], commands: [], raw: {} });
    }));
});
