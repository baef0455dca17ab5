import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { findRemedy, useRemedies } from "../../base/remedies.ts";

describe("findRemedy", () => {
  it("returns the first answer of what is installed, and none of what is not", () => {
    const find = (name: string): string | undefined => findRemedy((remedies) => remedies.forOption?.("Thing", name));
    assertEquals(find("length"), undefined);
    useRemedies({});
    useRemedies({ forOption: (owner, name) => owner === "Thing" && name === "length" ? 'use "size"' : undefined });
    useRemedies({ forOption: (_, name) => `leave ${name} out` });
    assertEquals([find("length"), find("width")], ['use "size"', "leave width out"]);
  });
});
