/** The page as programs serve it; its contents: `tests/inbox_page_test.ts`, in a browser: `tests/chromium_test.ts`. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHash } from "node:crypto";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { inboxPage, type InboxPageOptions } from "../../whatsapp/inbox_page.ts";

async function serve(options: InboxPageOptions): Promise<{ server: WhatsAppServer; url: string }> {
  const server = new WhatsAppServer({
    port: 0,
    hostname: "127.0.0.1",
    behindProxy: true,
    pathName: "/whatsapp",
    appSecret: "secret",
    receiverToken: "token",
    journal: null,
    onCommandGet: inboxPage(options),
  });
  await server.start();
  return { server, url: `http://127.0.0.1:${server.address!.port}` };
}

function between(text: string, start: string, end: string): string {
  const at = text.indexOf(start) + start.length;
  return text.slice(at, text.indexOf(end, at));
}

describe("inboxPage()", () => {
  it("answers GET and HEAD of its path with the page, and leaves the rest to the server", async () => {
    const { server, url } = await serve({ pathName: "/inbox" });
    const response = await fetch(`${url}/inbox?from=menu`);
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
    const html = await response.text();
    assertStringIncludes(html, '<html lang="en" data-receiver="/whatsapp">');
    const head = await fetch(`${url}/inbox`, { method: "HEAD" });
    const length = String(new TextEncoder().encode(html).length);
    assertEquals([head.status, head.headers.get("content-length"), await head.text()], [200, length, ""]);
    for (const [path, method] of [["/", "GET"], ["/inbox/", "GET"], ["/inbox", "POST"]] as const) {
      const other = await fetch(url + path, { method });
      assertEquals([path, method, other.status], [path, method, 404]);
      await other.body?.cancel();
    }
    await server.stop();
  });

  it("lets its own script and style run, and nothing else", async () => {
    const response = inboxPage()(new Request("http://localhost/"))!;
    const html = await response.text();
    const policy = response.headers.get("content-security-policy")!.split("; ");
    const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    assert(policy.includes(`script-src ${hash(between(html, '<script type="module">', "</script>"))}`));
    assert(policy.includes(`style-src ${hash(between(html, "<style>", "</style>"))}`));
    assertEquals(policy[0], "default-src 'none'");
  });

  it("connects to the path that it is given, whatever is in it", async () => {
    const page = inboxPage({ receiverPath: '/a"><script>&' });
    const html = await page(new Request("http://localhost/"))!.text();
    assertStringIncludes(html, '<html lang="en" data-receiver="/a&quot;>&lt;script>&amp;">');
    // Each call has a body of its own.
    assertEquals(await page(new Request("http://localhost/"))!.text(), html);
  });

  it("refuses options that are none", () => {
    const cases: [options: unknown, message: string][] = [
      [{ path: "/a" }, 'inboxPage has no option "path"'],
      [{ pathName: "inbox" }, 'The option "pathName" is "inbox": a path begins with one "/", such as "/inbox"'],
      [{ receiverPath: "//evil.example/" }, 'The option "receiverPath" is "//evil.example/"'],
      [{ pathName: 1 }, 'The option "pathName" is 1: give a path such as "/inbox"'],
      ["/inbox", 'inboxPage takes options as an object such as { pathName: "/inbox" }, not "/inbox"'],
    ];
    for (const [options, message] of cases) {
      const error = assertThrows(() => inboxPage(options as InboxPageOptions), OptionError);
      assertStringIncludes(error.message, message);
    }
  });
});
