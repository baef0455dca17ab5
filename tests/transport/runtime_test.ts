import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { bunTransport } from "../../transport/bun.ts";
import { denoTransport } from "../../transport/deno.ts";
import { hasRuntimeTransport, runtimeTransport } from "../../transport/runtime.ts";
import { runtime } from "../support/needs.ts";

describe("runtimeTransport", () => {
  it("is that of this runtime, and no other", () => {
    assertEquals(hasRuntimeTransport(), true);
    assertEquals([denoTransport() !== undefined, bunTransport() !== undefined], [
      runtime === "Deno",
      runtime === "Bun",
    ]);
    assert(typeof runtimeTransport().listen === "function");
  });
});
