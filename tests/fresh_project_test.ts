/**
 * First steps of a new user: imports the library into a project of their own, and runs the examples, without flags
 * where the runtime needs none.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
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
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findSnippets } from "../scripts/snippets.ts";
import { BUN_OPTIONS, PACK_NEEDS, unpackPackage } from "./support/package.ts";
import { describePeer, playWithEcho, runToEnd } from "./support/peers.ts";
import { find } from "./support/needs.ts";
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

/** Lays the library out in a folder, as a registry would. */
function installSources(home: string): void {
  const { name, exports, publish } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
  mkdirSync(home, { recursive: true });
  for (const pattern of publish.include.filter((pattern: string) => pattern.endsWith("*.ts"))) {
    const from = dirname(pattern);
    mkdirSync(join(home, from), { recursive: true });
    const files = readdirSync(join(root, from)).filter((file) => file.endsWith(".ts"));
    for (const file of files) copyFileSync(join(root, from, file), join(home, from, file));
  }
  writeFileSync(join(home, "package.json"), JSON.stringify({ name, exports, type: "module" }));
}

describe("a fresh project", () => {
  it("imports the library by its path, and by its name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fresh-"));
    const { name, exports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
    if ("Deno" in globalThis) {
      // Deno runs no TypeScript from node_modules, and JSR has the files elsewhere.
      writeFileSync(join(folder, "deno.json"), JSON.stringify({ imports: { [name]: join(root, exports["."]) } }));
    } else {
      installSources(join(folder, "node_modules", name));
    }
    writeFileSync(join(folder, "by_path.ts"), PROGRAM(join(root, "mod.ts")));
    writeFileSync(join(folder, "by_name.ts"), PROGRAM(name));
    for (const file of ["by_path.ts", "by_name.ts"]) {
      const { text, errors, status } = await runToEnd(run, join(folder, file));
      assertEquals([status, text], [0, "500 permessage-deflate\n"], errors);
    }
    rmSync(folder, { recursive: true });
  });

  if ("Deno" in globalThis) {
    it("imports a clone in each way that Deno has, without a warning", async () => {
      const { name } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
      const folder = mkdtempSync(join(tmpdir(), "fresh-"));
      const clone = join(folder, "clone");
      installSources(clone);
      rmSync(join(clone, "package.json"));
      copyFileSync(join(root, "deno.json"), join(clone, "deno.json"));
      const ways: [way: string, configuration: object, from: string][] = [
        ["by its path", {}, "./clone/mod.ts"],
        ["by imports", { imports: { [name]: "./clone/mod.ts" } }, name],
        ["by links", { links: ["./clone"] }, `jsr:${name}`],
        ["as a member of a workspace", { workspace: ["./clone"] }, name],
      ];
      for (const [way, configuration, from] of ways) {
        writeFileSync(join(folder, "deno.json"), JSON.stringify(configuration));
        writeFileSync(join(folder, "program.ts"), PROGRAM(from));
        const { text, errors, status } = await runToEnd(run, join(folder, "program.ts"));
        assertEquals([status, text, errors], [0, "500 permessage-deflate\n", ""], way);
      }
      rmSync(folder, { recursive: true });
    });
  }

  it("finds under the same names what Deno finds by deno.json, and Bun by tsconfig.json", () => {
    const { name, exports, imports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
    const { paths } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")).compilerOptions;
    const entries = Object.entries(exports).map(([path, file]) => [join(name, path), file]);
    const own = Object.entries({ ...Object.fromEntries(entries), ...imports }).map(([path, file]) => [path, [file]]);
    assertEquals(paths, Object.fromEntries(own));
    // The packages for which the tests have stand-ins.
    const packages = JSON.parse(readFileSync(join(root, "tests/std/jsr.json"), "utf8")).imports;
    assertEquals(Object.keys(packages), Object.keys(imports));
  });
});

const EXACT_OPTIONS = { ...BUN_OPTIONS, exactOptionalPropertyTypes: true, skipLibCheck: false };
/** Without types of a runtime. */
const PAGE_OPTIONS = { ...EXACT_OPTIONS, lib: ["ESNext", "DOM"], types: [] };

const PAGE = `import { WebSocketClient } from "@tackline/websocket/browser";
const client = new WebSocketClient("wss://localhost/", {
  onBinaryDataReceived: async (bytes) => {
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    document.body.append(URL.createObjectURL(new Blob([bytes, digest])));
  },
});
await client.connect();
client.send(new Blob(["a"]));
client.send(new Float32Array(4));
for await (const message of client) document.title = String(message.length);
const next = await client.receive();
if (typeof next !== "string") document.body.append(String(new Blob([next]).size));
`;

/** A program for npm `ws`, and functions of others that take what `@types/ws` declares. */
const HOSTED = `import { createServer, type IncomingMessage } from "node:http";
import type { Server, WebSocket as NpmSocket, WebSocketServer as NpmServer } from "ws";
import WebSocketDefault, {
  type CloseEvent, createWebSocketStream, type Data, type MessageEvent, type RawData, type ServerOptions, WebSocket,
  WebSocketServer,
} from "@tackline/websocket/ws";

class Member extends WebSocket { isAlive = true; user = ""; }
const options: ServerOptions = { noServer: true, perMessageDeflate: { zlibDeflateOptions: { level: 3 }, threshold: 10 } };
const server = new WebSocketServer({
  ...options,
  WebSocket: Member,
  handleProtocols: (protocols: Set<string>, request: IncomingMessage) => request.complete && protocols.has("a") && "a",
  verifyClient: (info: { origin: string; secure: boolean; req: IncomingMessage }, answer) =>
    answer(info.origin === "x" && !info.secure && info.req.complete, 403, "no", { a: "b" }),
});
function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  this.send(Array.isArray(data) ? Buffer.concat(data) : data, { binary: isBinary, compress: false });
}
server.on("connection", (member, request) => {
  member.user = request.url ?? "";
  member.on("message", onMessage).on("pong", (data) => void (member.isAlive = data.length === 0));
  member.on("close", (code, reason) => console.log(code + 1, reason.toString("utf8")));
  member.addEventListener("message", (event) => event.target.send(event.data));
  member.onmessage = (event) => { const data: Data = event.data; console.log(data, event.target.readyState); };
  member.onclose = ({ code, reason }: CloseEvent) => console.log(code + 1, reason.length);
  member.onerror = null;
  createWebSocketStream(member, { encoding: "utf8" }).end();
});
server.on("connection", (member: Member, request: IncomingMessage) => console.log(member.user, request.complete));
server.on("wsClientError", (error, socket) => { socket.end("HTTP/1.1 400 Bad Request"); socket.destroy(error); });
server.clients.forEach((member) => member.isAlive || member.terminate());
createServer().on("upgrade", (request, socket, head) => {
  server.handleUpgrade(request, socket, head, (member) => server.emit("connection", (member.user = "x", member), request));
});

const takesServer = (taken: NpmServer): void => taken.clients.forEach((socket) => socket.send(""));
const takesGeneric = (taken: Server): void => taken.close();
const takesSocket = (taken: NpmSocket): void => void taken.on("message", (data) => taken.send(data));
const plain: WebSocketServer = server;
for (const each of [server, plain, new WebSocketDefault.Server({ port: 0 })]) takesServer(each);
takesGeneric(plain);
plain.on("connection", (socket) => takesSocket(socket));
server.on("connection", (member) => takesSocket(member));
plain.on("connection", (socket) => socket.addEventListener("message", (event: MessageEvent) => console.log(event.data)));
`;

/** Clients of databases, with the types of their packages: none of them needs a cast. */
const DATABASES = `
import { RedisClient as BunRedis, SQL, sql } from "bun";
import { Cluster, Redis } from "ioredis";
import pg, { Client, Pool } from "pg";
import postgres from "postgres";
import { createClient, createCluster, createSentinel } from "redis";
import { RedisBackplane } from "@tackline/websocket";
import {
  PostgresJournal, type PostgresSource, RedisJournal, type RedisSentinels, type RedisSource, WhatsAppServer,
} from "@tackline/websocket/whatsapp";

const url = "postgres://127.0.0.1/whatsapp";
export const tables: PostgresSource[] = [
  new Pool({ connectionString: url }), new pg.Pool(), new Client({ connectionString: url }), new pg.Client(url),
  postgres(url), postgres(url, { types: { bigint: postgres.BigInt } }), new SQL(url), sql,
  () => new Pool(), () => new Client(url), async () => postgres(url), () => new SQL(url),
];
const sentinel = { host: "127.0.0.1", port: 26379 };
export const sources: RedisSource[] = [
  new Redis(), new Redis({ name: "one", sentinels: [sentinel], failoverDetector: true, lazyConnect: true }),
  createClient(), createClient({ RESP: 3 }), new BunRedis(), new Cluster([sentinel]),
  createCluster({ rootNodes: [{ url: "redis://127.0.0.1" }] }),
  createCluster({ rootNodes: [{ url: "redis://127.0.0.1" }], RESP: 3 }),
  createSentinel({ name: "one", sentinelRootNodes: [sentinel] }),
  () => createClient(), async () => new Redis({ lazyConnect: true }), () => new BunRedis(),
];
export const sentinels: RedisSentinels[] = [
  { name: "one", sentinels: [createClient()], primary: (socket) => createClient({ socket }) },
  { name: "one", sentinels: [new Redis()], primary: (address) => new Redis({ ...address, lazyConnect: true }) },
  { name: "one", sentinels: [new BunRedis()], primary: ({ host, port }) => new BunRedis(\`redis://\${host}:\${port}\`) },
];

export async function useThem(): Promise<void> {
  const pool = new Pool();
  await PostgresJournal.open(pool);
  await PostgresJournal.open(postgres(url));
  await PostgresJournal.open(new SQL(url));
  await RedisJournal.open(new Cluster([]));
  await RedisJournal.open(createCluster({ rootNodes: [] }));
  await RedisJournal.open(createSentinel({ name: "one", sentinelRootNodes: [] }));
  new RedisBackplane(createCluster({ rootNodes: [] }));
  // @ts-expect-error -- a client that the pool lends
  await PostgresJournal.open(await pool.connect());
  // @ts-expect-error -- a promise
  await PostgresJournal.open(Promise.resolve(pool));
  // @ts-expect-error -- an address
  await PostgresJournal.open(url);
  // @ts-expect-error -- of another database
  await PostgresJournal.open(createClient());
  // @ts-expect-error -- of another database
  await RedisJournal.open(pool);
  // @ts-expect-error -- misspelt
  await PostgresJournal.open(pool, { schemaName: "one" });
  // @ts-expect-error -- misspelt
  await RedisJournal.open(createClient(), { keyPrefix: "one" });
  // @ts-expect-error -- not awaited
  new WhatsAppServer({ port: 443, journal: PostgresJournal.open(pool) });
}
`;

/** The part of `@std/assert` that snippets use, which comes from JSR. */
const ASSERT = `declare module "@std/assert" {
  type Class<E extends Error> = abstract new (...args: never[]) => E;
  export function assert(value: unknown): asserts value;
  export function assertEquals(actual: unknown, expected: unknown): void;
  export function assertStringIncludes(text: string, part: string): void;
  export function assertThrows<E extends Error>(run: () => unknown, of: Class<E>, part?: string): E;
  export function assertRejects<E extends Error>(run: () => Promise<unknown>, of: Class<E>, part?: string): Promise<E>;
}
`;

describePeer("the types of the library", ["npm:typescript", "Bun", ...PACK_NEEDS], ([packages]) => {
  const { name, exports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
  const programs = ["program.ts", "errors.ts"];
  const read = (file: string): string => readFileSync(join(root, "tests/types", file), "utf8");

  /** Makes a project in which the compilers and the types of Bun are installed. */
  function makeProject(): string {
    const folder = mkdtempSync(join(tmpdir(), "types-"));
    mkdirSync(join(folder, "node_modules"));
    for (const entry of readdirSync(join(packages!, "node_modules"))) {
      symlinkSync(join(packages!, "node_modules", entry), join(folder, "node_modules", entry));
    }
    return folder;
  }

  /** Checks files with the compiler in a folder of `node_modules`; fails with all that it reports. */
  async function check(folder: string, compiler: string, compilerOptions: object, files: string[]): Promise<void> {
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const tsc = join(folder, "node_modules", compiler, "bin/tsc");
    const { text, errors, status } = await runToEnd(find("Bun") as string[], tsc, "-p", join(folder, "tsconfig.json"));
    assertEquals([text, status], ["", 0], errors);
  }

  const install: [name: string, install: (folder: string) => Promise<void>][] = [
    ["by name, as its sources", (folder) => {
      installSources(join(folder, "node_modules", name));
      return Promise.resolve();
    }],
    ["by name, as deno task pack makes it", (folder) => unpackPackage(join(folder, "node_modules", name))],
    ["by the paths of its files", (folder) => {
      for (const file of [...programs, "page.ts"]) {
        const text = readFileSync(join(folder, file), "utf8");
        const byPath = text.replaceAll(/from "(@tackline[^"]*)"/g, (_, specifier: string) => {
          return `from "${join(root, exports[`.${specifier.slice(name.length)}`])}"`;
        });
        writeFileSync(join(folder, file), byPath);
      }
      return Promise.resolve();
    }],
  ];
  async function makeProgram(installTo: (folder: string) => Promise<void>): Promise<string> {
    const folder = makeProject();
    for (const file of programs) writeFileSync(join(folder, file), read(file));
    writeFileSync(join(folder, "page.ts"), PAGE);
    await installTo(folder);
    return folder;
  }

  for (const [how, installTo] of install) {
    it(`pass with the settings of bun init, with the strictest, and in a page: imported ${how}`, async () => {
      const folder = await makeProgram(installTo);
      for (const options of [BUN_OPTIONS, EXACT_OPTIONS]) await check(folder, "typescript", options, programs);
      await check(folder, "typescript", PAGE_OPTIONS, ["page.ts"]);
      rmSync(folder, { recursive: true });
    });
  }

  it("of ./ws know what a program for ws needs, and fit where those of ws are asked for", async () => {
    const folder = makeProject();
    writeFileSync(join(folder, "hosted.ts"), HOSTED);
    installSources(join(folder, "node_modules", name));
    for (const options of [BUN_OPTIONS, EXACT_OPTIONS]) await check(folder, "typescript", options, ["hosted.ts"]);
    rmSync(folder, { recursive: true });
  });

  it("fit clients of databases, as the types of their packages have them", async () => {
    const folder = makeProject();
    writeFileSync(join(folder, "databases.ts"), DATABASES);
    installSources(join(folder, "node_modules", name));
    for (const options of [BUN_OPTIONS, EXACT_OPTIONS]) await check(folder, "typescript", options, ["databases.ts"]);
    rmSync(folder, { recursive: true });
  });

  it("pass in each snippet of the documents, with the settings of bun init", async () => {
    const folder = makeProject();
    installSources(join(folder, "node_modules", name));
    const folders = ["", "docs"].map((part) => join(root, part));
    const documents = folders.flatMap((part) =>
      readdirSync(part).filter((file) => file.endsWith(".md")).map((file) => join(part, file))
    );
    const files = ["assert.d.ts"];
    writeFileSync(join(folder, "assert.d.ts"), ASSERT);
    for (const document of documents) {
      findSnippets(document, readFileSync(document, "utf8")).forEach(({ line, code }) => {
        const file = `${basename(document, ".md")}_${line}.ts`;
        writeFileSync(join(folder, file), code);
        files.push(file);
      });
    }
    assert(files.length > 50, "the documents have snippets");
    await check(folder, "typescript", BUN_OPTIONS, files);
    rmSync(folder, { recursive: true });
  });

  // Started from Deno only: it takes long, and no runtime changes what it says.
  if ("Deno" in globalThis) {
    it("pass with TypeScript 5.9 too, which is slower", async () => {
      const folder = await makeProgram(install[0]![1]);
      await check(folder, "typescript5", EXACT_OPTIONS, programs);
      await check(folder, "typescript5", PAGE_OPTIONS, ["page.ts"]);
      rmSync(folder, { recursive: true });
    });
  }

  it("are checked: an error of ours would be seen", async () => {
    const folder = makeProject();
    installSources(join(folder, "node_modules", name));
    writeFileSync(join(folder, "wrong.ts"), `import { byteLength } from "${name}";\nconsole.log(byteLength);\n`);
    const failed = await check(folder, "typescript", BUN_OPTIONS, ["wrong.ts"]).then(
      () => "",
      (error) => error.message,
    );
    assertStringIncludes(failed, "TS2305");
    rmSync(folder, { recursive: true });
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
