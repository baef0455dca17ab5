import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { findRemedy, useRemedies } from "../../base/remedies.ts";

/** Options of this test alone: remedies stay installed. */
const OWNER = "An object of the test of remedies";

describe("findRemedy", () => {
  it("returns the first answer of what is installed, and none of what is not", () => {
    const find = (name: string): string | undefined => findRemedy((remedies) => remedies.forOption?.(OWNER, name));
    assertEquals(find("length"), undefined);
    useRemedies({});
    useRemedies({ forOption: (owner, name) => owner === OWNER && name === "length" ? 'use "size"' : undefined });
    useRemedies({ forOption: (owner, name) => owner === OWNER ? `leave ${name} out` : undefined });
    assertEquals([find("length"), find("width")], ['use "size"', "leave width out"]);
  });
});
