/**
 * Interoperation with WebSocket implementations that are programs of their own: Python's websockets, the built-in clients of
 * Deno and Bun, and Chromium. Those that are not installed are left out, which is said; `REQUIRE_PEERS=1`, as in CI, makes it a
 * failure.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { WebSocketClient } from "../client.ts";
import type { CompressionOptions } from "../deflate.ts";
import { formatExtensions } from "../handshake.ts";
import type { WebSocketServer, WebSocketServerOptions } from "../server.ts";
import { assertSameBytes, defer, Random, startEcho } from "./support.ts";

const peerFile = (name: string): string => decodeURIComponent(new URL(`./peers/${name}`, import.meta.url).pathname);

/** The first of some commands that works. */
function find(commands: string[][], ...check: string[]): string[] | undefined {
  return commands.find(([command, ...rest]) => {
    try {
      return spawnSync(command, [...rest, ...check], { stdio: "ignore" }).status === 0;
    } catch {
      return false;
    }
  });
}

function describePeer(name: string, command: string[] | undefined, tests: (command: string[]) => void): void {
  describe(name, () => {
    if (command !== undefined) return tests(command);
    if (process.env.REQUIRE_PEERS !== "1") return console.warn(`${name} is not installed: its tests are left out`);
    it("is installed", () => assert(false, `${name} is not installed`));
  });
}

interface Output {
  text: string;
  errors: string;
  status: number | null;
}

/** Runs a program to its end, for a minute at most. */
function runToEnd([command, ...first]: string[], ...rest: string[]): Promise<Output> {
  return new Promise((resolve) => {
    const child = spawn(command, [...first, ...rest], { stdio: ["ignore", "pipe", "pipe"] });
    const output: Output = { text: "", errors: "", status: null };
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    child.stdout!.on("data", (data) => output.text += data);
    child.stderr!.on("data", (data) => output.errors += data);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ ...output, status });
    });
  });
}

async function startObserved(options: WebSocketServerOptions): Promise<{ server: WebSocketServer; agreed: string[] }> {
  const agreed: string[] = [];
  const server = await startEcho({
    maxMessageSize: 0,
    onHandshakeResponseSent: ({ extensions }) => void agreed.push(formatExtensions(extensions)),
    ...options,
  });
  return { server, agreed };
}

const urlOf = (server: WebSocketServer): string => `ws://127.0.0.1:${server.address!.port}/`;

/** What both sides may ask for: takeover and windows, on either side. */
const PARAMETERS: CompressionOptions[] = [
  {},
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  { serverMaxWindowBits: 9 },
  { serverMaxWindowBits: 8, clientMaxWindowBits: 9 },
  { serverMaxWindowBits: 12, clientMaxWindowBits: 10, serverNoContextTakeover: true },
];

// ---- Built-in clients -------------------------------------------------------------------------------------------

/** Runs the script of a built-in client against our server. */
async function runBuiltIn(
  command: string[],
  options: WebSocketServerOptions,
): Promise<{ agreed: string[]; result: string }> {
  const { server, agreed } = await startObserved(options);
  const { text, errors, status } = await runToEnd(command, peerFile("client.mjs"), urlOf(server));
  await server.stop();
  if (status !== 0) throw new Error(`status ${status}: ${errors}`);
  return { agreed, result: text };
}

const bun = find([["bun"], ["npx", "-y", "bun@1.4.5"]], "--version");
const deno = "Deno" in globalThis ? [process.execPath] : find([["deno"], ["npx", "-y", "deno@2.9.6"]], "--version");

/** Deno's client knows no compression, Bun's does. */
for (
  const [name, command, compresses] of [
    ["the built-in client of Deno", deno && [...deno, "run", "-A"], false],
    ["the built-in client of Bun", bun, true],
  ] as const
) {
  describePeer(name, command, (command) => {
    for (const compression of [false, ...PARAMETERS]) {
      // Without compression on its side, the parameters make no difference.
      if (!compresses && typeof compression === "object" && Object.keys(compression).length > 0) continue;
      it(`against our server with ${JSON.stringify(compression)}`, async () => {
        const { agreed, result } = await runBuiltIn(command, { compression });
        const { count, code, reason, wasClean } = JSON.parse(result);
        assertEquals({ count, code, reason, wasClean }, { count: 254, code: 4001, reason: "", wasClean: true });
        assertEquals(agreed[0].startsWith("permessage-deflate"), compresses && compression !== false, agreed[0]);
      });
    }

    it("against our server that splits", async () => {
      const { result } = await runBuiltIn(command, { compression: true, splitMessage: true, frameSize: 100 });
      assertEquals(JSON.parse(result).count, 254);
    });
  });
}

// ---- Chromium ---------------------------------------------------------------------------------------------------

const PAGE = `<!doctype html><title>…</title><script type="module">
import { run } from "/client.mjs";
const report = (result) => fetch("/result", { method: "POST", body: JSON.stringify(result) });
const secure = location.protocol === "https:" ? "wss" : "ws";
run(secure + "://" + location.host + "/socket", ["a", "b"]).then(report, (error) => report({ error: String(error) }));
</script>`;

/** Has Chromium load a page from our own server, on the very port of the WebSocket. */
async function browse(
  command: string[],
  options: WebSocketServerOptions,
): Promise<{ agreed: string[]; result: unknown }> {
  const result = defer<unknown>();
  const { server, agreed } = await startObserved({
    protocols: ["b"],
    onCommandGet: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/result") {
        result.resolve(await request.json());
        return new Response(null, { status: 204 });
      }
      if (pathname === "/client.mjs") {
        return new Response(readFileSync(peerFile("client.mjs")), { headers: { "content-type": "text/javascript" } });
      }
      if (pathname !== "/") return new Response(null, { status: 404 });
      return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
    },
    ...options,
  });
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  const switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  const offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const [program, ...first] = command;
  const page = `http://127.0.0.1:${server.address!.port}/`;
  const child: ChildProcess = spawn(
    program,
    [...first, ...switches, ...offline, "--remote-debugging-port=0", `--user-data-dir=${profile}`, page],
    { stdio: "ignore", detached: true },
  );
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const timer = setTimeout(() => result.reject(new Error("Chromium did not report in a minute")), 60_000);
  try {
    return { agreed, result: await result.promise };
  } finally {
    clearTimeout(timer);
    // It starts processes of its own.
    process.kill(-child.pid!, "SIGKILL");
    await gone;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    await server.stop();
  }
}

describePeer("Chromium", find([["chromium"], ["chromium-browser"], ["google-chrome"]], "--version"), (command) => {
  for (
    const compression of [false, {}, {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      clientMaxWindowBits: 9,
    }]
  ) {
    it(`against our server with ${JSON.stringify(compression)}`, async () => {
      const { agreed, result } = await browse(command, { compression });
      const extensions = agreed[0];
      assertEquals(result, { count: 254, extensions, protocol: "b", code: 4001, reason: "", wasClean: true });
      assertEquals(extensions.startsWith("permessage-deflate"), compression !== false, extensions);
    });
  }
});

// ---- Python -----------------------------------------------------------------------------------------------------

/** Our options in the words of that library. */
function inPython(role: "client" | "server", options: CompressionOptions | null): string {
  if (options === null) return "null";
  const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = options;
  // It refuses to compress with 8 bits, but decompresses them.
  const bits = (value: number | undefined): number | undefined => value === 8 ? 9 : value;
  return JSON.stringify({
    server_no_context_takeover: serverNoContextTakeover,
    client_no_context_takeover: clientNoContextTakeover,
    server_max_window_bits: role === "server" ? bits(serverMaxWindowBits) : serverMaxWindowBits,
    client_max_window_bits: clientMaxWindowBits ?? (role === "client" ? true : undefined),
  });
}

const python = find([["python3"], ["/usr/bin/python3"]], "-c", "import websockets.extensions.permessage_deflate");
describePeer("Python's websockets", python, (command) => {
  for (const options of [null, ...PARAMETERS]) {
    it(`as a client that asks for ${JSON.stringify(options)}, against our server`, async () => {
      const { server, agreed } = await startObserved({ compression: true });
      const args = [peerFile("python.py"), "client", urlOf(server), inPython("client", options)];
      const { text, errors, status } = await runToEnd(command, ...args);
      await server.stop();
      if (status !== 0) throw new Error(errors);
      const { count, code } = JSON.parse(text);
      assertEquals([count, code], [56, 4001]);
      assertEquals(agreed[0].startsWith("permessage-deflate"), options !== null);
      if (options?.serverMaxWindowBits) {
        assert(agreed[0].includes(`server_max_window_bits=${options.serverMaxWindowBits}`));
      }
    });

    it(`as a server that asks for ${JSON.stringify(options)}, against our client`, async () => {
      const [program, ...first] = command;
      const args = [...first, peerFile("python.py"), "server", inPython("server", options)];
      const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
      const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
      const port = await new Promise<string>((resolve, reject) => {
        child.stdout!.once("data", (data) => resolve(String(data).trim()));
        gone.then(() => reject(new Error("the server did not start")));
      });
      const client = new WebSocketClient(`ws://127.0.0.1:${port}/`, { compression: true, protocols: ["a", "b"] });
      await client.connect();
      assertEquals(client.protocol, "b");
      assertEquals(client.extensions.length, options === null ? 0 : 1);
      const random = new Random(1);
      const word = random.bytes(100).join();
      const messages = client[Symbol.asyncIterator]();
      for (const length of [0, 1, 126, 1000, 65536, 300_000]) {
        const text = word.repeat(length / word.length + 1).slice(0, length);
        const bytes = random.bytes(length);
        client.send(text);
        client.send(bytes);
        assertEquals((await messages.next()).value === text, true, `text of ${length}`);
        assertSameBytes((await messages.next()).value as Uint8Array, bytes);
      }
      assertEquals(await client.disconnect().then((info) => info?.clean), true);
      child.stdin!.end();
      await gone;
    });
  }
});
