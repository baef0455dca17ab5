/**
 * Chromium, driven over its DevTools protocol by our own client: as a foreign server, as a client of ours, as the home
 * of `browser.ts`, and with the live inbox. Screenshots are left in `artifacts/`.
 */

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { deliver, type InboxOptions, startInbox } from "../examples/inbox/serve.ts";
import { bundleScript } from "../examples/inbox/page.ts";
import { body, change, type Customer, envelope } from "../examples/notifications.ts";
import type { WebSocketServer, WebSocketServerOptions } from "../server.ts";
import { WhatsAppServer } from "../whatsapp.ts";
import { inboxPage } from "../whatsapp/inbox_page.ts";
import { Chromium, type Page, withChromium } from "./support/chromium.ts";
import { describePeer, peerFile, startObserved } from "./support/peers.ts";
import { Random, tlsFile, until } from "./support/support.ts";

const ARTIFACTS = fileURLToPath(new URL("../artifacts/", import.meta.url));
const RUNTIME = "Deno" in globalThis ? "deno" : "bun";

/** A server of ours that serves an empty page, and scripts, on the port of its WebSocket. */
function startSite(
  scripts: Record<string, string>,
  options: WebSocketServerOptions = {},
): Promise<{ server: WebSocketServer; agreed: string[] }> {
  return startObserved({
    protocols: ["b"],
    onCommandGet(request) {
      const { pathname } = new URL(request.url);
      const script = scripts[pathname.slice(1)];
      if (script !== undefined) return new Response(script, { headers: { "content-type": "text/javascript" } });
      if (pathname !== "/") return undefined;
      return new Response("<!doctype html><title>empty</title>", { headers: { "content-type": "text/html" } });
    },
    ...options,
  });
}

function assertSize(script: string, most: number): void {
  const size = gzipSync(script, { level: 9 }).length;
  assert(size < most, `${size} bytes minified and gzipped, more than ${most}: what has come in?`);
}

describePeer("Chromium", ["Chromium", "deno bundle"], (command) => {
  it("as a server against our client: the DevTools protocol, with compression and large messages", async () => {
    await withChromium(command, async (browser) => {
      assertEquals(browser.client.extensions.map(({ name }) => name), ["permessage-deflate"]);
      const page = await browser.open("data:text/html,<title>empty</title>");
      const random = new Random(1);
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
        const text = Array.from({ length: Math.ceil(size / 8) }, () => random.int(0x7fffffff).toString(36).padEnd(8))
          .join("")
          .slice(0, size);
        assert(await page.evaluate<string>(JSON.stringify(text)) === text, `${size} characters came back otherwise`);
      }
      const planes = "a é € 😀 \u{10ffff} ";
      assertEquals(await page.evaluate(`${JSON.stringify(planes)}.repeat(1000)`), planes.repeat(1000));
      assertEquals((await page.evaluate<string>("'x'.repeat(8_000_000)")).length, 8_000_000);
      const many = await Promise.all(Array.from({ length: 500 }, (_, index) => page.evaluate<number>(`${index} * 2`)));
      assertEquals(many, many.map((_, index) => index * 2));
    });
  });

  it("as a client against our server, with and without compression", async () => {
    const parameters = { serverNoContextTakeover: true, clientNoContextTakeover: true, clientMaxWindowBits: 9 };
    await withChromium(command, async (browser) => {
      for (const compression of [false, {}, parameters]) {
        const scripts = { "client.mjs": readFileSync(peerFile("client.mjs"), "utf8") };
        const { server, agreed } = await startSite(scripts, { compression });
        const page = await browser.open(`http://127.0.0.1:${server.address!.port}/`);
        const result = await page.evaluate(
          `import("/client.mjs").then(({ run }) => run("ws://" + location.host + "/socket", ["a", "b"]))`,
        );
        const [extensions] = agreed;
        assertEquals(result, { count: 254, extensions, protocol: "b", code: 4001, reason: "", wasClean: true });
        assertEquals(extensions!.startsWith("permessage-deflate"), compression !== false, extensions);
        await server.stop();
      }
    });
  });

  for (const [entry, limit] of [["browser.ts", 39_260], ["browser_client.ts", 10_700]] as const) {
    it(`runs the client of ${entry}: messages, compression, loss, and what it does not offer`, async () => {
      const script = await bundleScript(fileURLToPath(new URL(`../${entry}`, import.meta.url)));
      assert(!/node:|\bDeno\b|\bBun\b/.test(script));
      // For each bundler: page_size_test.ts.
      assertSize(script, limit);
      const { server, agreed } = await startSite({ "browser.js": script }, { compression: true });
      const url = `http://127.0.0.1:${server.address!.port}/`;
      await withChromium(command, async (browser) => {
        const page = await browser.open(url);
        const result = await page.evaluate<Record<string, unknown>>(USE_OF_CLIENT);
        assertEquals(result, {
          same: 3,
          bytes: [1, 2, 255],
          error: "StateError ERR_UNSUPPORTED",
          extension: entry === "browser.ts" ? "permessage-deflate" : "not told",
          protocol: "b",
          info: {
            code: 4321,
            reason: "",
            clean: true,
            opened: true,
            sent: { code: 4321, reason: "enough" },
            received: { code: 4321, reason: "" },
          },
          events: ["close 4321", "disconnect 4321 true"],
        });
        assert(agreed[0]!.startsWith("permessage-deflate"));
        for (const connection of server.connections) connection.terminate();
        await page.waitFor("events.length === 3");
        assertEquals(await page.evaluate("events[2] + client.state"), "disconnect 1006 falseclosed");
        await server.stop();
        assertEquals(
          await page.evaluate("client.connect().then(() => 'connected', ({ code }) => code)"),
          "ERR_CONNECT",
        );
        assertEquals(browser.complaints, []);
      });
    });

    it(`connects once where effects run twice, as in React's StrictMode, with ${entry}`, async () => {
      const script = await bundleScript(fileURLToPath(new URL(`../${entry}`, import.meta.url)));
      const { server } = await startSite({ "browser.js": script });
      await withChromium(command, async (browser) => {
        const page = await browser.open(`http://127.0.0.1:${server.address!.port}/`);
        assertEquals(await page.evaluate(STRICT_MODE), ["connect", "echo", "open"]);
        await until(() => server.connections.size === 1, "the end of the first");
        await page.evaluate("unmount().then(() => client.connect()).then(() => client.disconnect())");
        assertEquals(await page.evaluate("events.join()"), "connect,echo,disconnect,connect,disconnect");
        assertEquals([browser.complaints, server.connections.size], [[], 0]);
      });
      await server.stop();
    });
  }

  it("runs the client without what only receivers and sockets need", async () => {
    const script = await bundleScript(fileURLToPath(new URL("support/page_client.ts", import.meta.url)));
    assertSize(script, 19_900);
    const tooMuch = ["whatsapp_business_account", "whatsapp-inbox", "invalid peer certificate", "retry-after"];
    assertEquals(tooMuch.filter((text) => script.includes(text)), []);
    const { server } = await startSite({ "browser.js": script });
    await withChromium(command, async (browser) => {
      const page = await browser.open(`http://127.0.0.1:${server.address!.port}/`);
      assertEquals(await page.evaluate(ECHO), ["hello", 1000, "ERR_UNSUPPORTED,ERR_UNSUPPORTED,ERR_UNSUPPORTED"]);
      assertEquals(browser.complaints, []);
    });
    await server.stop();
  });

  // ---- The live inbox ------------------------------------------------------------------------------------------

  for (const tls of [false, true]) {
    it(`shows the live inbox over ${tls ? "HTTPS" : "HTTP on loopback"}, and it comes back after a restart`, async () => {
      const inbox = await Inbox.start(command, tls);
      try {
        const { page } = inbox;
        await inbox.signIn("wrong");
        await page.waitFor("document.getElementById('sign-in-hint').textContent.includes('did not let')");
        await inbox.signIn(TOKEN);
        await page.waitFor(CONNECTED);
        await inbox.deliver(from(ANNA, "wamid.1", "text", { body: "Hello 👋" }));
        await page.waitFor("document.querySelector('.conversation .preview')?.textContent === 'Hello 👋'");
        const { port } = inbox.server.address!;
        await inbox.server.stop();
        await page.waitFor("document.getElementById('connection').textContent.includes('Connection lost')");
        await inbox.restart(port);
        await page.waitFor(CONNECTED);
        await inbox.deliver(from(ANNA, "wamid.2", "text", { body: "after the restart" }));
        await page.waitFor("document.querySelector('.conversation .preview').textContent === 'after the restart'");
        assertEquals(await page.evaluate("document.title"), "(2) Inbox");
        assertEquals(await page.evaluate("document.documentElement.outerHTML.includes('a1b2c3')"), false);
        assertEquals(inbox.urls, new Set(["/whatsapp?"]));
        // In a group it says who speaks.
        await inbox.deliver(body(change(ANNA, "text", { body: "to all" }, { id: "wamid.3", group_id: "group" })));
        await page.waitFor("document.querySelectorAll('.conversation').length === 2");
        await page.evaluate("document.querySelector('.conversation').click()");
        assertEquals(await page.evaluate("document.querySelector('.sender').textContent"), "Anna Example");
        // A token that is taken back is asked for anew.
        await inbox.server.stop();
        await inbox.restart(port, "another token");
        await inbox.signIn("another token");
        await page.waitFor(CONNECTED);
        assertEquals(inbox.browser.complaints, []);
      } finally {
        await inbox.close();
      }
    });
  }

  it("shows messages in the page of the entry, at paths that the program chose", async () => {
    await using server = new WhatsAppServer({
      port: 0,
      hostname: "127.0.0.1",
      behindProxy: true,
      pathName: "/hooks",
      appSecret: SECRET,
      receiverToken: TOKEN,
      journal: null,
      onCommandGet: inboxPage({ pathName: "/inbox", receiverPath: "/hooks" }),
    });
    await server.start();
    await withChromium(command, async (browser) => {
      const page = await browser.open(`http://localhost:${server.address!.port}/inbox`);
      await signIn(page, TOKEN);
      await page.waitFor(CONNECTED);
      assertEquals(server.broadcastMessage(from(ANNA, "wamid.1", "text", { body: "Hello" })), 1);
      await page.waitFor("document.querySelector('.conversation .preview')?.textContent === 'Hello'");
      assertEquals(browser.complaints, []);
    });
  });

  it("never takes text for markup in the live inbox", async () => {
    const inbox = await Inbox.start(command, false);
    try {
      const { page } = inbox;
      const { mallory, texts, hostile } = await openHostileChat(inbox);
      const shown = await page.evaluate<string[]>("[...document.querySelectorAll('.text')].map((p) => p.textContent)");
      assertEquals(shown, [...texts, hostile]);
      assertEquals(await page.evaluate("document.getElementById('thread-name').textContent"), mallory.name);
      assertEquals(await page.evaluate("document.querySelectorAll('#messages :is(img, script, b, i)').length"), 0);
      assertEquals(await page.evaluate("typeof window.ran"), "undefined");
      // Latitude 91 is nowhere.
      assertEquals(await page.evaluate("document.querySelectorAll('#messages .map').length"), 0);
      assertEquals(inbox.browser.complaints, []);
    } finally {
      await inbox.close();
    }
  });

  it("shows every kind of message in the live inbox, by keyboard alone and on a phone", async () => {
    const inbox = await Inbox.start(command, false);
    try {
      const { page } = inbox;
      await openHostileChat(inbox);
      await deliverEveryKind(inbox);
      // By keyboard alone: to the newest conversation, and into it.
      await page.waitFor("document.querySelectorAll('.conversation').length === 2");
      await page.evaluate("document.querySelectorAll('.conversation')[1].focus()");
      await page.press("ArrowUp");
      await page.press("Enter");
      await page.waitFor("document.activeElement.id === 'messages'");
      await page.waitFor("document.querySelectorAll('#messages > li').length === 6");
      const seen = await page.evaluate<Record<string, unknown>>(`(() => {
        const all = (selector) => [...document.querySelectorAll("#messages " + selector)];
        return {
          ticks: all(".ticks").map(({ dataset, textContent }) => dataset.status + textContent),
          reactions: all(".bubble:has(.reactions)").map((bubble) =>
            bubble.closest("li").className + bubble.querySelector(".reactions").textContent),
          maps: all(".map").map((map) => map.getAttribute("aria-label")),
          cards: all(".card strong").map(({ textContent }) => textContent),
          notes: all(".note").map(({ textContent }) => textContent),
          current: document.querySelector("[aria-current=true] strong").textContent,
          unread: document.title,
        };
      })()`);
      assertEquals(seen, {
        ticks: ["read✓✓"],
        reactions: ["incoming👍", "outgoing❤️"],
        maps: ["Map around 50.9413° N, 6.9583° E"],
        cards: ["Image", "order.pdf"],
        notes: ["A message of yours", "A message of the type “hologram” is not shown here"],
        current: "Anna Example",
        unread: "Inbox",
      });
      await inbox.takePictures();
      // On a phone one pane at a time.
      const visible =
        "[...document.querySelectorAll('nav, #thread')].map((e) => getComputedStyle(e).display !== 'none')";
      assertEquals(await page.evaluate(visible), [false, true]);
      await page.press("Escape");
      assertEquals(await page.evaluate(visible), [true, false]);
      assertEquals(await page.evaluate("document.activeElement.className"), "conversation");
      assertEquals(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
      assertEquals(inbox.browser.complaints, []);
    } finally {
      await inbox.close();
    }
  });
});

const SECRET = "the secret";
const TOKEN = "a1b2c3 with blanks";
const CONNECTED = "document.getElementById('connection').dataset.state === 'online'";
const ANNA: Customer = { name: "Anna Example", phone: "491700000001" };

function from(customer: Customer, id: string, type: string, contents: unknown): string {
  return body(change(customer, type, contents, { id }));
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.waitFor("document.getElementById('sign-in').open");
  await page.evaluate("document.getElementById('token').select()");
  await page.type(token);
  await page.press("Enter");
}

/** The inbox in a browser. */
class Inbox {
  readonly browser: Chromium;
  readonly page: Page;
  readonly urls: Set<string>;
  server: WhatsAppServer;
  #options: InboxOptions;

  private constructor(
    browser: Chromium,
    page: Page,
    server: WhatsAppServer,
    options: InboxOptions,
    urls: Set<string>,
  ) {
    this.browser = browser;
    this.page = page;
    this.server = server;
    this.#options = options;
    this.urls = urls;
  }

  static async start(command: string[], tls: boolean): Promise<Inbox> {
    const urls = new Set<string>();
    const files = { certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key"), behindProxy: false };
    const options = {
      port: 0,
      appSecret: SECRET,
      receiverToken: TOKEN,
      onAllow: ({ request }: { request: { path: string; query: string } }) => {
        urls.add(`${request.path}?${request.query}`);
        return true;
      },
      ...tls ? files : {},
    };
    const server = await startInbox(options);
    const browser = await Chromium.launch(command);
    const page = await browser.open(`${tls ? "https" : "http"}://localhost:${server.address!.port}/`);
    return new Inbox(browser, page, server, options, urls);
  }

  async restart(port: number, receiverToken = TOKEN): Promise<void> {
    this.server = await startInbox({ ...this.#options, port, receiverToken });
  }

  /** Types the token, as a person does. */
  signIn(token: string): Promise<void> {
    return signIn(this.page, token);
  }

  async deliver(json: string): Promise<void> {
    // Over TLS a stand-in for Meta would have to trust the certificates of the tests.
    if (this.server.useSSL) {
      await until(() => this.server.broadcastMessage(json) === 1, "the receiver");
    } else assertEquals(await deliver(this.server.address!.port, json, SECRET), 200);
  }

  /** Leaves pictures behind, for a person to look at. */
  async takePictures(): Promise<void> {
    mkdirSync(ARTIFACTS, { recursive: true });
    for (const [width, height] of [[1100, 800], [390, 800]]) {
      for (const scheme of ["light", "dark"] as const) {
        await this.page.show(width!, height!, scheme);
        await this.page.screenshot(`${ARTIFACTS}inbox-${width}-${scheme}-${RUNTIME}.png`);
      }
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
  }
}

/** Script of a page that uses the client of browser.ts; leaves its client and its events to the test. */
const USE_OF_CLIENT = `(async () => {
  const { WebSocketClient } = await import("/browser.js");
  const events = [];
  const client = new WebSocketClient("ws://" + location.host + "/x", {
    protocols: ["a", "b"],
    onClose: (code) => events.push("close " + code),
    onDisconnect: ({ code, clean }) => events.push("disconnect " + code + " " + clean),
  });
  await client.connect();
  const echoes = client[Symbol.asyncIterator]();
  const texts = ["", "Grüße 😀", "x".repeat(1_000_000)];
  let same = 0;
  for (const text of texts) {
    client.send(text);
    if ((await echoes.next()).value === text) same++;
  }
  client.send(Uint8Array.of(1, 2, 255));
  const bytes = [...(await echoes.next()).value];
  let error;
  try {
    client.ping();
  } catch ({ name, code }) {
    error = name + " " + code;
  }
  const extension = client.extensions?.[0].name ?? "not told";
  const info = await client.disconnect(true, 4321, "enough");
  await client.connect();
  window.client = client;
  return { same, bytes, error, extension, protocol: client.protocol, info, events: window.events = events };
})()`;

/** Script of a page that sends a text, waits for its echo, and disconnects. */
const ECHO = `(async () => {
  const { WebSocketClient } = await import("/browser.js");
  const client = new WebSocketClient("ws://" + location.host + "/x", { protocols: ["b"], reconnect: true });
  await client.connect();
  client.send("hello");
  const text = await client.receive();
  const { code } = await client.disconnect();
  // Not of the right form either: sockets refuse them when the client is made.
  const settings = [{ proxy: "nonsense" }, { frameSize: 2 }, { useSSL: false, rootCertificateFile: "ca.pem" }];
  const refuse = (options) => new WebSocketClient(client.url, options).connect().catch(({ code }) => code);
  return [text, code, (await Promise.all(settings.map(refuse))).join()];
})()`;

/** Script of a page whose effect is mounted, unmounted, and mounted again in one turn. */
const STRICT_MODE = `(async () => {
  const { WebSocketClient } = await import("/browser.js");
  window.events = [];
  const done = Promise.withResolvers();
  window.client = new WebSocketClient("ws://" + location.host + "/x", {
    protocols: ["b"],
    reconnect: true,
    onConnect: () => {
      events.push("connect");
      client.send("echo");
    },
    onMessageReceived: (text) => {
      events.push(text);
      done.resolve();
    },
    onDisconnect: () => events.push("disconnect"),
  });
  const effect = () => {
    client.connect();
    return () => client.disconnect();
  };
  effect()();
  window.unmount = effect();
  await done.promise;
  return [...events, client.state];
})()`;

/** Signs in, has a customer send texts that would be markup and places that are none, and opens the chat. */
async function openHostileChat(inbox: Inbox): Promise<{ mallory: Customer; texts: string[]; hostile: string }> {
  const { page } = inbox;
  await inbox.signIn(TOKEN);
  await page.waitFor(CONNECTED);
  const hostile = `</script><script>window.ran = 1</script><img src=x onerror="window.ran = 1"><b>bold</b>`;
  const mallory: Customer = { name: `<i onclick=x>Mallory</i>${hostile}`, phone: "491600000009" };
  const texts = [hostile, "javascript:window.ran=1", "line one\nline two", "a".repeat(4000)];
  for (const [index, text] of texts.entries()) {
    await inbox.deliver(from(mallory, `wamid.M${index}`, "text", { body: text }));
  }
  await inbox.deliver(from(mallory, "wamid.M8", "document", {
    id: "1",
    mime_type: hostile,
    filename: hostile,
    caption: hostile,
  }));
  await inbox.deliver(from(mallory, "wamid.M9", "location", { latitude: 91, longitude: 0, name: hostile }));
  await page.waitFor("document.querySelectorAll('.conversation').length === 1");
  await page.evaluate("document.querySelector('.conversation').click()");
  await page.waitFor("document.querySelectorAll('#messages > li').length === 6");
  return { mallory, texts, hostile };
}

/** Has a customer send a message of each kind that the page shows, one twice, and one that it does not know. */
async function deliverEveryKind(inbox: Inbox): Promise<void> {
  const status = (state: string): string =>
    body(
      envelope({ statuses: [{ id: "wamid.B", status: state, timestamp: "1790416801", recipient_id: ANNA.phone }] }),
    );
  await inbox.deliver(from(ANNA, "wamid.A1", "text", { body: "Is the blue lamp still there? 💡" }));
  for (const state of ["sent", "read", "delivered"]) await inbox.deliver(status(state));
  await inbox.deliver(from(ANNA, "wamid.A2", "reaction", { message_id: "wamid.A1", emoji: "👍" }));
  await inbox.deliver(from(ANNA, "wamid.A3", "reaction", { message_id: "wamid.B", emoji: "❤️" }));
  await inbox.deliver(from(ANNA, "wamid.A4", "image", { id: "1", mime_type: "image/jpeg", caption: "This one" }));
  await inbox.deliver(from(ANNA, "wamid.A5", "location", {
    latitude: 50.9413,
    longitude: 6.9583,
    name: "Cologne Cathedral",
    address: "Domkloster 4, Köln",
  }));
  await inbox.deliver(
    from(ANNA, "wamid.A6", "document", { id: "2", mime_type: "application/pdf", filename: "order.pdf" }),
  );
  await inbox.deliver(
    from(ANNA, "wamid.A6", "document", { id: "2", mime_type: "application/pdf", filename: "again.pdf" }),
  );
  await inbox.deliver(from(ANNA, "wamid.A7", "hologram", { id: "3" }));
}
