/**
 * Beside the HTTP frameworks that people have: Express and Hono on `node:http`, whose upgrades come to our server, and
 * Hono inside our server, by `onCommandGet`.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { RequestListener, Server } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { WebSocketClient } from "../client.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { startNodeHttp } from "./support/node_http.ts";
import { describePeer, playWithEcho } from "./support/peers.ts";
import { RawSocket } from "./support/sockets.ts";
import { Random, until } from "./support/support.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const onDeno = "Deno" in globalThis;

/** An app of Hono, as far as it is used here. */
interface HonoApp {
  // deno-lint-ignore no-explicit-any -- the context of Hono
  all(path: string, handler: (context: any) => unknown): void;
  // deno-lint-ignore no-explicit-any -- the context of Hono
  onError(handler: (error: Error, context: any) => unknown): void;
  fetch(request: Request, env?: unknown): Response | Promise<Response>;
}

const echo = (options: WebSocketServerOptions = {}): WebSocketServer =>
  new WebSocketServer({
    compression: true,
    onMessageReceived: (connection, text) => void connection.send(text),
    onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    ...options,
  });

describePeer("frameworks", ["npm:frameworks"], ([packages]) => {
  /** Imports a package. */
  // deno-lint-ignore no-explicit-any -- its types are given where it is used
  async function load(name: "express" | "hono" | "@hono/node-server"): Promise<any> {
    // Deno 2.9 cannot require() Express: a package below it is a module that has a CommonJS one as its default.
    if (onDeno && name === "express") return (await import("npm:express@5.3.0" as string)).default;
    return createRequire(join(packages!, "index.js"))(name);
  }

  for (const framework of ["Express", "Hono"]) {
    it(`${framework} on node:http keeps its routes, and its upgrades are WebSockets of ours`, async () => {
      let listener: RequestListener | Server;
      if (framework === "Express") {
        const app = (await load("express"))();
        app.get("/hello", (_request: unknown, response: { send(text: string): void }) => response.send("of Express"));
        listener = app;
      } else {
        const app: HonoApp = new (await load("hono")).Hono();
        app.all("/hello", (context) => context.text("of Hono"));
        listener = (await load("@hono/node-server")).createAdaptorServer({ fetch: app.fetch });
      }
      const server = echo({ onAllow: ({ request }) => request.path !== "/closed" });
      const http = await startNodeHttp(server, listener);
      const answer = await fetch(`http://127.0.0.1:${http.port}/hello`, { headers: { connection: "close" } });
      assertEquals([answer.status, await answer.text()], [200, `of ${framework}`]);
      await playWithEcho(`ws://127.0.0.1:${http.port}/`);
      await using client = new WebSocketClient(`ws://127.0.0.1:${http.port}/?room=1`, { compression: true });
      await client.connect();
      const bytes = new Random(1).bytes(1 << 20);
      client.send(bytes);
      assertEquals(await client.receive(), bytes);
      const refused = new WebSocketClient(`ws://127.0.0.1:${http.port}/closed`);
      const error = await refused.connect().catch((error) => error);
      assertEquals(error.status, 403);
      await server.stop();
      await http.close();
    });
  }

  it("Hono inside our server answers with all that it has", async () => {
    const app: HonoApp = new (await load("hono")).Hono();
    app.all(
      "/echo",
      async (context) => context.text(await context.req.text(), 201, { "x-method": context.req.method }),
    );
    app.all(
      "/json",
      (context) => context.json({ query: context.req.query("a"), cookie: context.req.header("cookie") }),
    );
    app.all("/stream", () => {
      const pieces = ["one ", "two ", "three"];
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(piece));
      };
      return new Response(new ReadableStream({ pull }));
    });
    app.all("/fails", () => {
      throw new Error("of the program");
    });
    app.onError((error, context) => context.text(`caught ${error.message}`, 500));
    app.all("/peer", (context) => {
      const { remoteAddress, localAddress, encrypted } = context.env.connection;
      return context.json({ remoteAddress, localAddress, encrypted });
    });
    const errors: unknown[] = [];
    await using server = echo({
      port: 0,
      hostname: "127.0.0.1",
      onCommandGet: (request, connection) => app.fetch(request, { connection }),
      onError: (error) => void errors.push(error),
    });
    await server.start();
    const { port } = server.address!;
    const url = `http://127.0.0.1:${port}`;
    const body = "x".repeat(1 << 20);
    const echoed = await fetch(`${url}/echo`, { method: "PUT", body });
    assertEquals([echoed.status, echoed.headers.get("x-method")], [201, "PUT"]);
    assert(await echoed.text() === body);
    const json = await fetch(`${url}/json?a=b%20c`, { headers: { cookie: "id=7" } });
    assertEquals(await json.json(), { query: "b c", cookie: "id=7" });
    assertEquals(await (await fetch(`${url}/stream`)).text(), "one two three");
    const failed = await fetch(`${url}/fails`);
    assertEquals([failed.status, await failed.text()], [500, "caught of the program"]);
    const missing = await fetch(`${url}/nowhere`);
    assertEquals([missing.status, await missing.text()], [404, "404 Not Found"]);
    const head = await fetch(`${url}/json`, { method: "HEAD" });
    assertEquals([head.status, await head.text(), head.headers.get("content-type")], [200, "", "application/json"]);
    const peer = await (await fetch(`${url}/peer`)).json();
    assertEquals([peer.remoteAddress.hostname, peer.localAddress.port, peer.encrypted], ["127.0.0.1", port, false]);
    assert(peer.remoteAddress.port > 0);
    await playWithEcho(`ws://127.0.0.1:${port}/`);
    assertEquals(errors, []);
  });

  /** Makes a project of a user, with an example in it. */
  function makeProject(example: string): string {
    const folder = mkdtempSync(join(tmpdir(), "framework-"));
    const modules = join(folder, "node_modules");
    mkdirSync(modules, { recursive: true });
    for (const entry of readdirSync(join(packages!, "node_modules"))) {
      symlinkSync(join(packages!, "node_modules", entry), join(modules, entry));
    }
    const { name, exports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ type: "module", dependencies: { hono: "*", express: "*" } }),
    );
    // Deno runs no TypeScript from node_modules.
    if (onDeno) {
      const imports = { [name]: join(root, exports["."]) };
      writeFileSync(join(folder, "deno.json"), JSON.stringify({ nodeModulesDir: "manual", imports }));
    } else {
      mkdirSync(join(modules, name), { recursive: true });
      const main = join(root, exports["."]);
      writeFileSync(join(modules, name, "package.json"), JSON.stringify({ name, type: "module", main: "index.ts" }));
      writeFileSync(join(modules, name, "index.ts"), `export * from ${JSON.stringify(main)};\n`);
    }
    copyFileSync(join(root, "examples", example), join(folder, example));
    return folder;
  }

  async function withExample(file: string, test: (origin: string) => Promise<void>): Promise<void> {
    const folder = makeProject(file);
    const args = onDeno ? ["run", "-A", join(folder, file), "0"] : [join(folder, file), "0"];
    const child: ChildProcess = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (data) => text += data);
    const ended = once(child, "close");
    let origin: string | undefined;
    try {
      await until(() => text.includes("/chat\n") || child.exitCode !== null, "the first line");
      origin = /http:\/\/[^/]+/.exec(text)?.[0];
      assert(origin !== undefined, text);
      await test(origin);
    } finally {
      if (child.exitCode === null) process.kill(child.pid!, "SIGINT");
    }
    assertEquals((await ended)[0], 0, text);
    rmSync(folder, { recursive: true });
  }

  it("examples/hono.mjs has pages, the address of the client, and a chat on one port", () =>
    withExample("hono.mjs", async (origin) => {
      assertStringIncludes(await (await fetch(`${origin}/`)).text(), "127.0.0.1");
      assertStringIncludes(await (await fetch(`${origin}/nothing`)).text(), "404");
      await using client = new WebSocketClient(origin.replace("http", "ws") + "/chat");
      await client.connect();
      client.send("hello");
      assertStringIncludes(String(await client.receive()), "hello");
    }));

  it("examples/express.mjs has a chat on the port of Express", () =>
    withExample("express.mjs", async (origin) => {
      assertEquals(await (await fetch(`${origin}/`, { headers: { connection: "close" } })).text(), "Hello");
      await using client = new WebSocketClient(origin.replace("http", "ws") + "/chat");
      await client.connect();
      client.send("hello");
      assertStringIncludes(String(await client.receive()), "hello");
      const socket = await RawSocket.connect(Number(new URL(origin).port));
      await socket.write("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
      assertStringIncludes(await socket.readText(), "HTTP/1.1 400 ");
    }));
});
