import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { VERSION } from "../../cli/version.ts";

describe("VERSION", () => {
  it("is that of the package", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../deno.json", import.meta.url), "utf8"));
    assertEquals(VERSION, version);
  });
});
