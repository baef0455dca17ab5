/**
 * Interoperation with WebSocket implementations that are programs of their own: the built-in clients and servers of Deno and Bun,
 * Chromium, and Python's websockets. `ws` has a file of its own.
 */

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { WebSocketClient } from "../client.ts";
import type { CompressionOptions } from "../deflate.ts";
import type { WebSocketServerOptions } from "../server.ts";
import {
  bun,
  deno,
  describePeer,
  find,
  peerFile,
  PeerServer,
  playWithEcho,
  runToEnd,
  startObserved,
  urlOf,
} from "./peers.ts";
import { assertSameBytes, defer, Random, until } from "./support.ts";

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

/** Deno's own WebSocket knows no compression, Bun's does. */
for (
  const [name, command, compresses] of [
    ["Deno's own WebSocket", deno && [...deno, "run", "-A"], false],
    ["Bun's own WebSocket", bun, true],
  ] as const
) {
  describePeer(name, command, (command) => {
    for (const compression of [false, ...PARAMETERS]) {
      // Without compression on its side, the parameters make no difference.
      if (!compresses && typeof compression === "object" && Object.keys(compression).length > 0) continue;
      it(`as a client against our server with ${JSON.stringify(compression)}`, async () => {
        const { agreed, result } = await runBuiltIn(command, { compression });
        const { count, code, reason, wasClean } = JSON.parse(result);
        assertEquals({ count, code, reason, wasClean }, { count: 254, code: 4001, reason: "", wasClean: true });
        assertEquals(agreed[0].startsWith("permessage-deflate"), compresses && compression !== false, agreed[0]);
      });
    }

    it("as a client against our server that splits", async () => {
      const { result } = await runBuiltIn(command, { compression: true, splitMessage: true, frameSize: 100 });
      assertEquals(JSON.parse(result).count, 254);
    });

    for (const options of [{}, { splitMessage: true, frameSize: 1000 }, { compression: true }]) {
      it(`as a server against our client with ${JSON.stringify(options)}`, async () => {
        const peer = new PeerServer(command, peerFile("built_in_server.mjs"));
        const { extensions } = await playWithEcho(`ws://127.0.0.1:${await peer.port()}/`, options);
        assertEquals(extensions !== "", compresses && options.compression === true, extensions);
        await until(() => peer.lines.length === 1, "the close as the server sees it");
        assertEquals(peer.lines, ['{"code":4321,"reason":"enough"}']);
        await peer.stop();
      });
    }
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
      const peer = new PeerServer(command, peerFile("python.py"), "server", inPython("server", options));
      const port = await peer.port();
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
      await peer.stop();
    });
  }
});
