import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { digestSources, PAGE_MODULE, writePageModule } from "../../scripts/inbox_page_module.ts";
import { inboxPage } from "../../whatsapp/inbox_page.ts";
import { SOURCES } from "../../whatsapp/inbox_page_text.ts";

describe("the page in the library", () => {
  it("is made of the files in examples/inbox as they are; if not: deno task inbox-page", () => {
    assertEquals(SOURCES, digestSources());
  });

  it("is the module that the script writes", async () => {
    const response = inboxPage()(new Request("http://localhost/"))!;
    const headers = Object.fromEntries(response.headers);
    const module = writePageModule({ html: await response.text(), headers }, SOURCES);
    const written = readFileSync(new URL(`../../${PAGE_MODULE}`, import.meta.url), "utf8");
    // The order of the header fields, and the compressor, are those of the runtime.
    const ofText = (text: string): string => text.slice(0, text.indexOf("/** Header fields"));
    assertEquals(ofText(module), ofText(written));
    assertStringIncludes(module, '"script-src ');
  });
});
