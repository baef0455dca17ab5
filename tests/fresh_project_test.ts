/**
 * First steps of a new user: imports the library into a project of their own, and runs the examples, without flags
 * where the runtime needs none.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describePeer, playWithEcho, runToEnd } from "./support/peers.ts";
import { until } from "./support/support.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const run = "Deno" in globalThis ? [process.execPath, "run", "-A"] : [process.execPath, "run"];

const PROGRAM = (from: string): string =>
  `import { WebSocketClient, WebSocketServer } from "${from}";
await using server = new WebSocketServer({ port: 0, compression: true, onMessageReceived: (peer, text) => void peer.send(text) });
await server.start();
await using client = new WebSocketClient(\`ws://localhost:\${server.address!.port}/\`, { compression: true });
await client.connect();
client.send("Hello".repeat(100));
for await (const message of client) {
  console.log(message.length, client.extensions[0].name);
  break;
}
`;

describe("a fresh project", () => {
  it("imports the library by its path, and by its name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fresh-"));
    const { name, exports, publish } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
    if ("Deno" in globalThis) {
      // Deno runs no TypeScript from node_modules, and JSR has the files elsewhere.
      writeFileSync(join(folder, "deno.json"), JSON.stringify({ imports: { [name]: join(root, exports["."]) } }));
    } else {
      // As a registry would lay it out.
      const home = join(folder, "node_modules", name);
      mkdirSync(home, { recursive: true });
      for (const pattern of publish.include.filter((pattern: string) => pattern.endsWith("*.ts"))) {
        const from = dirname(pattern);
        mkdirSync(join(home, from), { recursive: true });
        const files = readdirSync(join(root, from)).filter((file) => file.endsWith(".ts"));
        for (const file of files) copyFileSync(join(root, from, file), join(home, from, file));
      }
      writeFileSync(join(home, "package.json"), JSON.stringify({ name, exports, type: "module" }));
    }
    writeFileSync(join(folder, "by_path.ts"), PROGRAM(join(root, "mod.ts")));
    writeFileSync(join(folder, "by_name.ts"), PROGRAM(name));
    for (const file of ["by_path.ts", "by_name.ts"]) {
      const { text, errors, status } = await runToEnd(run, join(folder, file));
      assertEquals([status, text], [0, "500 permessage-deflate\n"], errors);
    }
    rmSync(folder, { recursive: true });
  });

  it("finds under the same names what Deno finds by deno.json, and Bun by tsconfig.json", () => {
    const { name, exports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
    const { paths } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")).compilerOptions;
    for (const [path, file] of Object.entries(exports)) {
      assertEquals(paths[join(name, path)], [file]);
      delete paths[join(name, path)];
    }
    assertEquals(Object.keys(paths), ["@std/assert", "@std/testing/bdd"]);
  });
});

/** An example that runs until it is told to stop. */
class Example {
  #child: ChildProcess;
  text = "";
  readonly ended: Promise<number | null>;

  constructor(file: string, ...args: string[]) {
    const [command, ...first] = run;
    this.#child = spawn(command!, [...first, join(root, "examples", file), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on("data", (data) => this.text += data);
    this.ended = new Promise((resolve) => this.#child.on("close", resolve));
  }

  /** Waits for a text, and gives what stands between it and the next one. */
  async read(before: string, after: string): Promise<string> {
    await until(() => this.text.split(before)[1]?.includes(after) ?? false, before);
    return this.text.split(before)[1]!.split(after)[0]!;
  }

  async stop(signal: "SIGINT" | "SIGTERM"): Promise<void> {
    // Not child.kill(): Deno 2.9 then reports the signal as the end, whatever the program made of it.
    process.kill(this.#child.pid!, signal);
    assertEquals(await this.ended, 0, this.text);
  }
}

describe("the examples", () => {
  it("echo_server echoes, and stops in order", async () => {
    const example = new Example("echo_server.ts", "0");
    await playWithEcho(`${await example.read("Echoing on ", "\n")}`);
    await example.stop("SIGINT");
  });
});

describePeer("the examples", "deno bundle", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`the demo serves its page, and stops in order on ${signal}`, async () => {
      const example = new Example("demo.ts", "--page", "--port", "0");
      const url = await example.read("Open    ", "\n");
      const response = await fetch(url);
      assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
      assertStringIncludes(await response.text(), '<script type="module">');
      await example.stop(signal);
    });
  }
});
