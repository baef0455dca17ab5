/**
 * Sizes of a page's script, with each bundler at a pinned version, and its run in Chromium: a page that uses the client
 * alone pays for the client alone.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withChromium } from "./support/chromium.ts";
import { find } from "./support/needs.ts";
import { PACK_NEEDS, root, unpackPackage } from "./support/package.ts";
import { describePeer, peerFile, runToEnd, startObserved } from "./support/peers.ts";

const NAME = "@tackline/websocket";

/**
 * Largest sizes, minified and gzipped, in bytes: of the client of `./browser-client`, of that of `./browser`, of all
 * of it: docs/client.md has what is reached. Of the last a quarter is the parser, with the names of the members of all
 * webhook fields.
 */
const SMALL_LIMIT = 10_240;
const CLIENT_LIMIT = 20_000;
const ALL_LIMIT = 39_800;
/** Rooms of which a page with the client alone has nothing. */
const RECEIVER_ROOMS = /\b(?:cloud_api|whatsapp|inbox)\/[^/]+$/;
/** Bytes of a constant such as `8 * 1024 * 1024`, which esbuild keeps. */
const CONSTANT = 25;

/** Scripts of pages. */
const PAGES = {
  "client": `import { WebSocketClient } from "${NAME}/browser-client"; globalThis.WebSocketClient = WebSocketClient;`,
  "client_of_all": `import { WebSocketClient } from "${NAME}/browser"; globalThis.WebSocketClient = WebSocketClient;`,
  "all": `import * as all from "${NAME}/browser"; globalThis.all = { ...all };`,
};
type PageName = keyof typeof PAGES;

/** Sends a text over the client of a bundle, and waits for its echo; then makes mistakes. */
const ECHO = `(async () => {
  await import("/page.js");
  const refusal = async (options, url = "ws://" + location.host) => {
    try {
      await new WebSocketClient(url, options).connect();
    } catch ({ name, code, message }) {
      return name + " " + code + ": " + message;
    }
  };
  const client = new WebSocketClient("ws://" + location.host + "/", { reconnect: true });
  await client.connect();
  client.send("hello");
  const text = await client.receive();
  let payload;
  try {
    client.send({});
  } catch ({ message }) {
    payload = message;
  }
  const { code } = await client.disconnect();
  const mistakes = [
    await refusal({ reconect: true }),
    await refusal({ connectTimeout: -1 }),
    await refusal({ token: "secret" }),
    await refusal({}, "ws://user:secret@" + location.host),
    await refusal({ port: 1 }),
    await refusal({ proxy: "http://localhost" }),
    await refusal({}, "http://" + location.host),
  ];
  return [text, code, payload, mistakes];
})()`;

/** Beginnings of the errors of these mistakes. */
const REFUSALS = [
  'OptionError ERR_OPTION: WebSocketClient has no option "reconect"; did you mean "reconnect"?',
  'OptionError ERR_OPTION: The setting "connectTimeout" is -1',
  'StateError ERR_UNSUPPORTED: Cannot connect with "token"',
  'StateError ERR_UNSUPPORTED: Cannot connect with "token" or a password',
  'OptionError ERR_OPTION: The setting "port" is 1, but the URL "ws://127.0.0.1:',
  'StateError ERR_UNSUPPORTED: Cannot connect with "proxy": a browser offers no way to',
  'OptionError ERR_OPTION: The URL "http://127.0.0.1:',
];

/** The same of the small client. */
const SMALL_REFUSALS = [
  'OptionError ERR_OPTION: WebSocketClient has no option "reconect"; did you mean "reconnect"?',
  'OptionError ERR_OPTION: The setting "connectTimeout" is -1',
  'StateError ERR_UNSUPPORTED: Cannot use "token" here: see "@tackline/websocket/browser"',
  "StateError ERR_UNSUPPORTED: Cannot connect with a password: a browser offers no way to",
  'OptionError ERR_OPTION: The URL "ws://127.0.0.1:',
  'StateError ERR_UNSUPPORTED: Cannot use "proxy" here: see "@tackline/websocket/browser"',
  'OptionError ERR_OPTION: The URL "http://127.0.0.1:',
];

/** A project of a page, with the package as npm has it. */
class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "page-"));
  readonly packages: string;

  constructor(packages: string) {
    this.packages = packages;
    for (const [page, text] of Object.entries(PAGES)) writeFileSync(join(this.folder, `${page}.js`), text);
    writeFileSync(join(this.folder, "package.json"), '{ "type": "module" }');
  }

  /** Installs the package. */
  install(): Promise<void> {
    return unpackPackage(join(this.folder, "node_modules", NAME));
  }

  /** Bundles a page. Returns the path of the script. */
  async bundle(bundler: string, page: string): Promise<string> {
    const output = join(this.folder, `${bundler}-${page}.js`);
    const [command, args] = bundler === "deno"
      ? [find("Deno"), ["bundle", "--quiet", "--platform", "browser", "--minify", "-o", output]]
      : [find("Bun"), [peerFile("bundle.mjs"), this.packages, bundler]];
    const entry = join(this.folder, `${page}.js`);
    const { errors, status } = await runToEnd(
      command as string[],
      ...args,
      entry,
      ...bundler === "deno" ? [] : [output],
    );
    assertEquals(status, 0, errors);
    return output;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

async function assertSize(name: string, script: string, limit: number): Promise<void> {
  const { errors, status } = await runToEnd(["gzip"], "-9", "-k", "-n", script);
  assertEquals(status, 0, errors);
  const size = statSync(`${script}.gz`).size;
  console.log(`${name}: ${statSync(script).size} bytes minified, ${size} gzipped`);
  assert(size <= limit, `${name}: ${size} bytes minified and gzipped, more than ${limit}`);
}

// Started from Deno only: it takes long, and no runtime changes what bundlers do.
if ("Deno" in globalThis) {
  describePeer("the script of a page", ["bundlers of npm", "Bun", "Chromium", ...PACK_NEEDS], ([packages]) => {
    for (const bundler of ["esbuild", "deno", "rollup", "vite", "webpack"]) {
      it(`is no larger than it was, bundled by ${bundler}, and runs in Chromium`, async () => {
        const project = new Project(packages!);
        await project.install();
        const limits: Record<PageName, number> = { client: SMALL_LIMIT, client_of_all: CLIENT_LIMIT, all: ALL_LIMIT };
        const scripts = new Map<string, string>();
        for (const page of Object.keys(PAGES)) scripts.set(page, await project.bundle(bundler, page));
        for (const [page, script] of scripts) await assertSize(`${bundler} ${page}`, script, limits[page as PageName]);
        await assertRuns(readFileSync(scripts.get("client")!, "utf8"), SMALL_REFUSALS);
        await assertRuns(readFileSync(scripts.get("client_of_all")!, "utf8"), REFUSALS);
        project.remove();
      });
    }
  });
}

describePeer("the script of a page, bundled from the sources", ["bundlers of npm", "Bun"], ([packages]) => {
  it("has no part of the receiver if it uses the client alone: nothing is called when a module is loaded", async () => {
    const folder = mkdtempSync(join(tmpdir(), "parts-"));
    const output = join(folder, "parts.json");
    // The package has a list of modules without effects, by which bundlers leave out whole modules; the sources do not.
    const args = [peerFile("bundle.mjs"), packages!, "parts", join(root, "tests/support/page_client.ts"), output];
    const { errors, status } = await runToEnd(find("Bun") as string[], ...args);
    assertEquals(status, 0, errors);
    const parts = Object.entries(JSON.parse(readFileSync(output, "utf8")) as Record<string, number>);
    rmSync(folder, { recursive: true });
    assert(parts.some(([path, bytes]) => path.endsWith("client/client.ts") && bytes > 1000));
    assertEquals(parts.filter(([path, bytes]) => RECEIVER_ROOMS.test(path) && bytes > CONSTANT), []);
  });
});

describePeer("an entry with sockets, bundled for a page", ["bundlers of npm", "Bun", ...PACK_NEEDS], ([packages]) => {
  it("is the module that names the entries for pages, by the condition browser", async () => {
    const project = new Project(packages!);
    await project.install();
    const text = `import * as all from "${NAME}/client"; globalThis.all = { ...all };`;
    writeFileSync(join(project.folder, "sockets.js"), text);
    const { errors } = await runToEnd(find("Bun") as string[], await project.bundle("esbuild", "sockets"));
    assertStringIncludes(errors, `A page has no sockets: import from "${NAME}/browser"`);
    project.remove();
  });
});

async function assertRuns(script: string, refusals: readonly string[]): Promise<void> {
  const { server } = await startObserved({
    onCommandGet: ({ url }) => {
      const isScript = url.endsWith(".js");
      const type = isScript ? "text/javascript" : "text/html";
      return new Response(isScript ? script : "<title>page</title>", { headers: { "content-type": type } });
    },
  });
  await withChromium([...find("Chromium")!], async (browser) => {
    const page = await browser.open(`http://127.0.0.1:${server.address!.port}/`);
    const [text, code, payload, mistakes] = await page.evaluate<[string, number, string, string[]]>(ECHO);
    assertEquals([text, code], ["hello", 1000]);
    assert(payload.startsWith("Cannot send: ") && payload.endsWith('a Blob but "Object"'), payload);
    for (const [index, refusal] of refusals.entries()) {
      const message = mistakes[index] ?? "no error";
      assert(message.startsWith(refusal) && !message.includes("secret"), message);
    }
    assertEquals(browser.complaints, []);
  });
  await server.stop();
}
