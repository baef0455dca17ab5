/**
 * The package for npm, as a user gets it: made by `deno task pack`, installed into new projects of Bun, of Deno and of
 * front ends, and run there. Its types: `fresh_project_test.ts`.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { WebSocketServer } from "../server.ts";
import { WhatsAppServer } from "../whatsapp.ts";
import { withChromium } from "./support/chromium.ts";
import { find, type NeedName } from "./support/needs.ts";
import { BUN_OPTIONS, makePackage, PACK_NEEDS, Project, project, root } from "./support/package.ts";
import { describePeer, peerFile, runIn } from "./support/peers.ts";
import { startEcho, until } from "./support/support.ts";

const NEEDS: readonly NeedName[] = ["Bun", ...PACK_NEEDS];
const { name, version, exports } = project;
const run = "Deno" in globalThis ? [process.execPath, "run", "-A"] : [process.execPath, "run"];
/** Entries for pages. */
const PAGES = Object.keys(exports).filter((entry) => entry.startsWith("./browser")).map((entry) => join(name, entry));

const ECHO = `import { WebSocketClient, WebSocketServer } from "${name}";
await using server = new WebSocketServer({ port: 0, compression: true, onMessageReceived: (peer, text) => void peer.send(text) });
await server.start();
await using client = new WebSocketClient(\`ws://localhost:\${server.address!.port}/\`, { compression: true });
await client.connect();
client.send("Hello".repeat(100));
console.log((await client.receive()).length, client.extensions[0]!.name);
`;

const RECEIVER = `import { inboxPage } from "${name}/inbox-page";
import { prometheus } from "${name}/metrics";
import { Simulator } from "${name}/simulate";
import { WhatsAppReceiver, WhatsAppServer } from "${name}/whatsapp";
await using server = new WhatsAppServer({
  port: 0, hostname: "127.0.0.1", behindProxy: true, pathName: "/whatsapp",
  appSecret: "secret", receiverToken: "token", journal: "notifications.db", onCommandGet: inboxPage(),
});
await server.start();
const { port } = server.address!;
await using receiver = new WhatsAppReceiver(\`ws://127.0.0.1:\${port}/whatsapp\`, { receiverToken: "token", name: "a" });
await receiver.connect();
const simulator = new Simulator({ url: \`http://127.0.0.1:\${port}/whatsapp\`, appSecret: "secret", count: 3, types: ["text"] });
const { accepted } = await simulator.run();
let received = 0;
for await (const message of receiver.messages) if (message.type === "text" && ++received === accepted) break;
const page = await (await fetch(\`http://127.0.0.1:\${port}/\`)).text();
console.log(accepted, received, page.includes("data-receiver"), prometheus(server.stats()).includes("websocket_connections 1"));
`;

describePeer("the package for npm", NEEDS, () => {
  it("has name, version and entries of deno.json; modules, types and a few documents, and nothing else", async () => {
    using user = await Project.create();
    const manifest = JSON.parse(readFileSync(user.path(`node_modules/${name}/package.json`), "utf8"));
    assertEquals([manifest.name, manifest.version, manifest.license], [name, version, "MIT"]);
    assertEquals(Object.keys(manifest.exports).sort(), [...Object.keys(exports), "./package.json"].sort());
    const files = (await user.run(["tar"], "tzf", await makePackage())).trim().split("\n");
    const others = files.filter((file) => !/\.(js|d\.ts)$/.test(file));
    assertEquals(others.sort(), ["package/LICENSE", "package/README.md", "package/package.json"]);
  });

  it("has short lines: Bun shows those around an error, and a whole module would hide the message", async () => {
    using user = await Project.create();
    for (const file of ["client/handler_calls.js", "cloud_api/graph_error.js"]) {
      const lines = readFileSync(user.path(`node_modules/${name}/${file}`), "utf8").split("\n");
      assertEquals(lines.filter((line) => line.length > 300), [], file);
    }
  });

  it("runs a server and a client, and a WhatsApp server with its receiver and its page", async () => {
    using user = await Project.create();
    user.write("echo.ts", ECHO);
    user.write("receiver.ts", RECEIVER);
    assertEquals(await user.run(run, "echo.ts"), "500 permessage-deflate\n");
    assertEquals(await user.run(run, "receiver.ts"), "3 3 true true\n");
  });

  it("has entries that can be imported, with the names of the sources", async () => {
    using user = await Project.create();
    const entries = Object.entries(exports).map(([entry, file]) => [join(name, entry), join(root, file)]);
    user.write(
      "names.ts",
      `const namesOf = async (path: string) => Object.keys(await import(path)).sort().join();
for (const [entry, file] of ${JSON.stringify(entries)}) {
  const names = await namesOf(entry);
  console.log(names === await namesOf(file) ? "ok" : \`\${entry} has \${names}\`);
}`,
    );
    assertEquals(await user.run(run, "names.ts"), "ok\n".repeat(entries.length));
  });
});

/** Takes a block of code from a document, without the fences. */
function blockOf(document: string, language: string, part: string): string {
  const text = readFileSync(join(root, document), "utf8");
  const blocks = [...text.matchAll(/^```(\w+)\n([^]*?)^```/gm)].filter(([, kind]) => kind === language);
  return blocks.find(([, , code]) => code!.includes(part))![2]!;
}

describePeer("README.md, from a clone", NEEDS, () => {
  /** Makes a project with a clone beside it, as the README has it. */
  function projectWithClone(): Project {
    const user = new Project("project");
    const left = /[/\\](\.git|node_modules|artifacts|coverage)$|\.tgz$/;
    cpSync(root, user.path("../websocket"), { recursive: true, filter: (path) => !left.test(path) });
    user.write("by_name.ts", ECHO);
    user.write("by_path.ts", ECHO.replaceAll(`"${name}"`, '"../websocket/mod.ts"'));
    return user;
  }

  it("names the way that works today", async () => {
    using user = projectWithClone();
    if ("Deno" in globalThis) user.write("deno.json", blockOf("README.md", "json", '"links"'));
    else {
      mkdirSync(user.path("programs"));
      symlinkSync(find("Deno")![0]!, user.path("programs/deno"));
      symlinkSync(find("Bun")![0]!, user.path("programs/bun"));
      user.write("commands.sh", blockOf("README.md", "sh", "task pack"));
      const env = { ...process.env, PATH: `${user.path("programs")}:${process.env.PATH}` } as Record<string, string>;
      const { text, errors, status } = await runIn({ cwd: user.folder, env }, ["sh", "-e", "commands.sh"]);
      assertEquals(status, 0, text + errors);
    }
    for (const file of ["by_name.ts", "by_path.ts"]) {
      const { text, errors } = await runIn({ cwd: user.folder }, run, file);
      assertEquals([file, text, errors], [file, "500 permessage-deflate\n", ""]);
    }
    user.write("part.ts", `import { CloseCode } from "${name}/errors";\nconsole.log(CloseCode.NormalClosure);\n`);
    assertEquals(await user.run(run, "part.ts"), "1000\n");
  });
});

describePeer("docs/testing.md", NEEDS, () => {
  it("has a file that the runtime tests as it is, in a new project", async () => {
    using user = await Project.create();
    user.write("pair_test.ts", blockOf("docs/testing.md", "text", "node:test"));
    // Types of node: modules are a package of their own where there is a package.json.
    const flags = "Deno" in globalThis ? ["--no-check"] : [];
    const { text, errors, status } = await runIn({ cwd: user.folder }, [process.execPath, "test", ...flags]);
    assertEquals(status, 0, text + errors);
    assertStringIncludes(text + errors, "Deno" in globalThis ? "1 passed | 0 failed" : "1 pass");
  });
});

describePeer("the types of the package", [...NEEDS, "npm:typescript"], () => {
  it("pass in a new project of Bun, for each entry", async () => {
    using user = await Project.create();
    user.link(find("npm:typescript")![0]!);
    const entries = Object.keys(exports).map((entry) => join(name, entry));
    const imports = entries.map((entry, index) =>
      `import * as entry${index} from "${entry}";\nconsole.log(entry${index});`
    );
    user.write("tsconfig.json", JSON.stringify({ compilerOptions: BUN_OPTIONS }));
    user.write("echo.ts", ECHO);
    user.write("receiver.ts", RECEIVER);
    user.write("entries.ts", imports.join("\n"));
    const compile = [...find("Bun")!, user.path("node_modules/typescript/bin/tsc"), "--noEmit"];
    assertEquals(await user.run(compile), "");
    user.write("wrong.ts", ECHO.replace("port: 0", 'port: "0"'));
    const { text, status } = await runIn({ cwd: user.folder }, compile);
    assertStringIncludes(text, "wrong.ts(2,44): error TS2322: Type 'string' is not assignable to type 'number'.");
    assert(status !== 0);
  });
});

describePeer("the command tackline", [...NEEDS, "Node"], () => {
  const HELP = "WhatsApp notifications over WebSocket";
  const commands: [how: string, command: () => string[]][] = "Deno" in globalThis
    ? [
      ["deno run", () => [...run, `npm:${name}`]],
      ["deno task", () => [process.execPath, "task", "--quiet"]],
    ]
    : [["bun x", () => [process.execPath, "x"]], ["bun run", () => [process.execPath, "run"]]];

  it("runs by the commands of the runtime", async () => {
    using user = await Project.create({ scripts: { tackline: "tackline" } });
    for (const [how, command] of commands) {
      const args = how === "deno run" ? ["--help"] : ["tackline", "--help"];
      assertStringIncludes(await user.run(command(), ...args), HELP, how);
    }
  });

  /** Makes a folder with these programs, to be the whole PATH. */
  function programs(user: Project, names: Record<string, string>): Record<string, string> {
    mkdirSync(user.path("programs"));
    for (const [name, path] of Object.entries(names)) symlinkSync(path, user.path(`programs/${name}`));
    return { PATH: user.path("programs"), HOME: process.env.HOME ?? "" };
  }

  async function nodePath(): Promise<string> {
    const { text } = await runIn({}, find("Node")!, "-p", "process.execPath");
    return text.trim();
  }

  it("says on a machine with Node alone what is missing", async () => {
    using user = await Project.create();
    const env = programs(user, {});
    const { text, errors, status } = await runIn({ cwd: user.folder, env }, [
      await nodePath(),
      "node_modules/.bin/tackline",
    ], "--help");
    assertEquals([text, status], ["", 1]);
    assertStringIncludes(errors, "tackline needs Bun or Deno, and neither is installed here");
  });

  it("is started by Node with the runtime that is there, and stops in order with it", async () => {
    using user = await Project.create();
    const [program] = "Deno" in globalThis ? find("Deno")! : find("Bun")!;
    const env = programs(user, { ["Deno" in globalThis ? "deno" : "bun"]: program! });
    const flags = ["serve", "--behind-proxy", "--port", "0", "--memory", "--unsigned", "--receiver-token", "token"];
    const child = spawn(await nodePath(), ["node_modules/.bin/tackline", ...flags], {
      cwd: user.folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => text += data);
    const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
    const urlOf = (): string | undefined => /Listening on (\S+)\./.exec(text)?.[1];
    await until(() => urlOf() !== undefined, "the address of the server");
    // When it answers, it takes signals too.
    const response = await fetch(urlOf()!, { method: "POST" });
    await response.body?.cancel();
    process.kill(child.pid!, "SIGTERM");
    assertEquals(await ended, [0, null], text);
  });
});

/** A page that sends a text and keeps its echo. The server is that of the page, or the one that a program names. */
const PAGE = (entry: string): string =>
  `import { WebSocketClient } from "${entry}";
const url = globalThis.echoServer ?? location.origin.replace("http", "ws") + "/";
globalThis.echoed = (async () => {
  const client = new WebSocketClient(url);
  await client.connect();
  client.send("from a bundle");
  const text = await client.receive();
  await client.disconnect();
  return text;
})();
`;
const HTML = `<!doctype html><title>page</title><script type="module" src="./page.js"></script>`;
/** Runs a bundle without a page. */
const RUN_BUNDLE = `globalThis.echoServer = process.argv[2];
await import("./dist/page.js");
console.log(await globalThis.echoed);
`;

async function bundle(bundler: string, entry: string, program: string = PAGE(entry)): Promise<Project> {
  const user = await Project.create();
  user.link(find("npm:vite and others")![0]!);
  user.write("page.js", program);
  user.write("index.html", HTML);
  user.write("run.mjs", RUN_BUNDLE);
  await user.run([...find("Bun")!, "run"], peerFile("bundle_package.mjs"), bundler);
  return user;
}

describePeer("pages with the package", [...NEEDS, "npm:vite and others"], () => {
  it("there are entries for pages", () => assert(PAGES.length > 0));

  for (const bundler of ["vite", "esbuild", "webpack", "rollup"]) {
    it(`are bundled by ${bundler}, and run`, async () => {
      await using server = await startEcho();
      for (const entry of PAGES) {
        using user = await bundle(bundler, entry);
        const text = await user.run(run, "run.mjs", `ws://127.0.0.1:${server.address!.port}/`);
        assertEquals(text, "from a bundle\n", entry);
        assert(!readFileSync(user.path("dist/page.js"), "utf8").includes("node:"), "a bundle for pages needs no node:");
      }
    });
  }
});

describePeer("pages that import an entry with sockets", [...NEEDS, "npm:vite and others"], () => {
  it("say which entry to use instead", async () => {
    for (const entry of [name, `${name}/client`, `${name}/server`, `${name}/whatsapp`]) {
      using user = await bundle("esbuild", entry, `import * as all from "${entry}";\nglobalThis.all = all;\n`);
      const { errors, status } = await runIn({ cwd: user.folder }, run, "dist/page.js");
      assertStringIncludes(errors, `A page has no sockets: import from "${name}/browser"`, entry);
      assert(status !== 0);
    }
  });
});

describePeer("programs with the package", [...NEEDS, "npm:vite and others"], () => {
  it("keep in a bundle what its modules do when they are loaded: they connect with sockets", async () => {
    await using echo = await startEcho();
    await using inbox = new WhatsAppServer({
      port: 0,
      hostname: "127.0.0.1",
      behindProxy: true,
      appSecret: null,
      receiverToken: "token",
      journal: null,
    });
    await inbox.start();
    const cases: [entry: string, client: string, server: WebSocketServer][] = [
      [name, "WebSocketClient", echo],
      [`${name}/client`, "WebSocketClient", echo],
      [`${name}/whatsapp`, "WhatsAppReceiver", inbox],
    ];
    for (const [entry, client, server] of cases) {
      const more = client === "WhatsAppReceiver" ? 'receiverToken: "token",' : "";
      // A page cannot send header fields.
      const program = `import { ${client} } from "${entry}";
const client = new ${client}(process.argv[2], { ${more} headers: { "x-a": "b" } });
await client.connect();
console.log(client.state);
await client.disconnect();
`;
      using user = await bundle("program", entry, program);
      const url = `ws://127.0.0.1:${server.address!.port}${server.pathName}`;
      assertEquals(await user.run(run, "dist/page.js", url), "open\n", entry);
    }
  });
});

describePeer("pages with the package in Chromium", ["Chromium", ...NEEDS, "npm:vite and others"], (command) => {
  it("are served and run as Vite makes them", async () => {
    using user = await bundle("vite", PAGES[0]!);
    await using server = await startEcho({
      onCommandGet(request) {
        const { pathname } = new URL(request.url);
        const [file, type] = pathname === "/" ? ["index.html", "text/html"] : ["page.js", "text/javascript"];
        return new Response(readFileSync(user.path(`dist/${file}`)), { headers: { "content-type": type } });
      },
    });
    await withChromium(command, async (browser) => {
      const page = await browser.open(`http://localhost:${server.address!.port}/`);
      assertEquals(await page.evaluate("echoed"), "from a bundle");
      assertEquals(browser.complaints, []);
    });
  });
});

describe("the package for npm without its tools", () => {
  it("names the versions of its tools as the tests do", () => {
    const script = readFileSync(join(root, "scripts/pack.ts"), "utf8");
    const needs = readFileSync(join(root, "tests/support/needs.ts"), "utf8");
    for (const tool of ["terser", "tar", "@gfx/zopfli"]) {
      const specifier = new RegExp(`npm:${tool}@[\\d.]+`).exec(script)![0];
      assertStringIncludes(needs, specifier);
    }
  });
});
