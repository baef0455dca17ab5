import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { execFile } from "node:child_process";
import process from "node:process";

const DEMO = decodeURIComponent(new URL("../examples/demo.ts", import.meta.url).pathname);

describe("the demo", () => {
  it("ends with exit code 0, everything arrived, everything bad refused and named", async () => {
    const run = "Deno" in globalThis ? ["run", "-A"] : ["run"];
    const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
      execFile(process.execPath, [...run, DEMO], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
      });
    });
    assertEquals(code, 0, output);
    for (
      const line of [
        'Meta verifies the URL: 200 "1158201444"',
        "401  refused: The signature does not match the body",
        "401  refused: X-Hub-Signature-256 is missing or malformed",
        "A receiver without the token: The server answered 401 Unauthorized",
        "billing got 8 notifications",
        "support got 8 notifications",
        "text       Anna Example: Grüße aus Köln 👋🏽 – is 1/2 kg enough?",
        "Everything arrived.",
      ]
    ) assertStringIncludes(output, line);
  });
});
