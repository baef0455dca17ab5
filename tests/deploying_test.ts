/**
 * The claims of docs/deploying.md that its programs do not show: the systemd unit, the permissions, and a compiled
 * program.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { WebSocketClient, WebSocketServer } from "../mod.ts";
import { WhatsAppServer } from "../whatsapp.ts";
import { describePeer, runToEnd } from "./support/peers.ts";
import { startEcho, tlsFile } from "./support/support.ts";

const text = readFileSync(new URL("../docs/deploying.md", import.meta.url), "utf8");

/** The fenced block of a language. */
function block(language: string): string {
  const [, code] = text.match(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "m"))!;
  return code!;
}

/** Gives a test a folder, in which files of the documents have their names. */
async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "deploying-"));
  try {
    copyFileSync(tlsFile("leaf.pem"), join(folder, "fullchain.pem"));
    copyFileSync(tlsFile("leaf.key"), join(folder, "privkey.pem"));
    copyFileSync(tlsFile("ca.pem"), join(folder, "ca.pem"));
    mkdirSync(join(folder, "data"));
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("the systemd unit", () => {
  it("gives the program longer to stop than the program may take", () => {
    const [, stop] = block("ini").match(/^TimeoutStopSec=(\d+)$/m)!;
    const { closeTimeout } = new WebSocketServer();
    assert(Number(stop) * 1000 > 10 * closeTimeout);
    for (const [, grace] of text.matchAll(/stop_grace_period: (\d+)s/g)) assertEquals(grace, stop);
  });
});

describePeer("the systemd unit", "systemd", ([analyze]) => {
  it("is accepted by systemd, and rated as the document says", async () => {
    await inFolder(async (folder) => {
      const file = join(folder, "notifications.service");
      // The program that the unit starts has to be there.
      writeFileSync(file, block("ini").replace("/usr/local/bin/deno", process.execPath));
      const verified = await runToEnd([analyze!], "verify", file);
      assertEquals([verified.status, verified.text, verified.errors], [0, "", ""]);
      const rated = await runToEnd([analyze!], "security", "--offline=yes", "--no-pager", file);
      const [, level] = rated.text.match(/exposure level for notifications\.service: (\S+) OK/) ?? [];
      assertStringIncludes(text, `rated ${level} ("OK")`);
    });
  });

  it("is refused with a setting that does not exist", async () => {
    await inFolder(async (folder) => {
      const file = join(folder, "notifications.service");
      writeFileSync(file, block("ini").replace("[Install]", "NoNewPowers=yes\n\n[Install]"));
      const { errors } = await runToEnd([analyze!], "verify", file);
      assertStringIncludes(errors, "NoNewPowers");
    });
  });
});

// ---- Permissions ------------------------------------------------------------------------------------------------

interface Program {
  name: string;
  flags: string[];
}

/** Rows of the table of permissions. */
const programs: Program[] = text.split("\n")
  .filter((line) => /^\| .*(--allow-|\| none )/.test(line))
  .map((line) => {
    const [name, flags] = line.split("|").slice(1, 3).map((cell) => cell.trim());
    return { name: name!.replaceAll("`", ""), flags: flags === "none" ? [] : flags!.slice(1, -1).split(" ") };
  });

/** Servers for programs that connect; each test stops them. */
async function startTarget(name: string): Promise<{ host: string; url: string; stop(): Promise<void> }> {
  if (name === "WhatsAppReceiver") {
    const secrets = { appSecret: "secret", receiverToken: "token", journal: null };
    const server = new WhatsAppServer({ hostname: "127.0.0.1", port: 0, behindProxy: true, ...secrets });
    await server.start();
    const host = `localhost:${server.address!.port}`;
    return { host, url: `ws://${host}/`, stop: () => server.stop() };
  }
  const certificates = { certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
  const useSSL = name.includes("rootCertificateFile");
  const server = await startEcho({
    ...useSSL ? { useSSL, ...certificates } : {},
    onCommandGet: () => Response.json({ messages: [{ id: "wamid.1" }] }),
  });
  const host = `localhost:${server.address!.port}`;
  const scheme = name.startsWith("WhatsAppApi") ? "http" : useSSL ? "wss" : "ws";
  return { host, url: `${scheme}://${host}/`, stop: () => server.stop() };
}

/** Ports of servers are free ones, and hosts the one of the test. */
function adapt(flag: string, host: string): string {
  return flag.replace(/=(0\.0\.0\.0|127\.0\.0\.1):\d+$/, "=$1:0")
    .replace(/=(example\.com|graph\.facebook\.com):443$/, `=${host}`);
}

const PERMITTED = fileURLToPath(new URL("support/permitted.ts", import.meta.url));

/** Has no effect. Without any flag for permissions Deno gives a program that another Deno starts all permissions. */
const NO_EFFECT = "--allow-env=NOT_READ";

/** Runs a program with these flags only. */
async function runPermitted(deno: string[], folder: string, name: string, flags: readonly string[]) {
  const { host, url, stop } = await startTarget(name);
  const adapted = flags.map((flag) => adapt(flag, host));
  const command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', folder, ...deno];
  const output = await runToEnd(
    command,
    "run",
    "--no-prompt",
    "--no-check",
    NO_EFFECT,
    ...adapted,
    PERMITTED,
    name,
    url,
  );
  await stop();
  return output;
}

describePeer("permissions of Deno", "Deno", (deno) => {
  it("has a table of programs", () => assertEquals(programs.length, 9));

  for (const { name, flags } of programs) {
    it(`are enough for: ${name}`, async () => {
      await inFolder(async (folder) => {
        const { status, errors } = await runPermitted(deno, folder, name, flags);
        assertEquals(status, 0, errors);
      });
    });

    for (const flag of flags) {
      it(`are all needed for: ${name}, ${flag}`, async () => {
        await inFolder(async (folder) => {
          const others = flags.filter((other) => other !== flag);
          const { status, errors } = await runPermitted(deno, folder, name, others);
          assertEquals(status, 1);
          assertStringIncludes(errors, flag.split("=")[0]!);
        });
      });
    }
  }
});

// ---- One file ---------------------------------------------------------------------------------------------------

/** A server that prints its port, and stops at the first signal. */
const SERVICE = (mod: string): string =>
  `import process from "node:process";
import { WebSocketServer } from ${JSON.stringify(mod)};
const server = new WebSocketServer({ hostname: "127.0.0.1", port: 0, onMessageReceived: (peer, text) => peer.send(text) });
await server.start();
process.once("SIGTERM", () => void server.stop());
console.log(server.address.port);
`;

describePeer("one file, made by bun build --compile", "Bun", (bun) => {
  it("serves, closes its clients with 1001 at SIGTERM, and ends with status 0", async () => {
    await inFolder(async (folder) => {
      const [source, file] = [join(folder, "main.ts"), join(folder, "service")];
      writeFileSync(source, SERVICE(fileURLToPath(new URL("../mod.ts", import.meta.url))));
      const built = await runToEnd(bun, "build", "--compile", "--outfile", file, source);
      assertEquals(built.status, 0, built.errors);

      const child = spawn(file, { stdio: ["ignore", "pipe", "inherit"] });
      const ended = new Promise<[number | null, string | null]>((resolve) =>
        child.once("exit", (code, signal) => resolve([code, signal]))
      );
      const port = await new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(`${data}`)));
      const client = new WebSocketClient(`ws://127.0.0.1:${port.trim()}/`);
      await client.connect();
      client.send("Hello");
      assertEquals(await client.receive(), "Hello");
      // Not child.kill(): Deno would then report the signal as the end of the program, however it ended.
      process.kill(child.pid!, "SIGTERM");
      const { code, clean } = await client.connection!.closed;
      assertEquals([code, clean], [1001, true]);
      assertEquals(await ended, [0, null]);
    });
  });
});

// ---- Traces -----------------------------------------------------------------------------------------------------

/** The program of the document up to its stand-in for a tracer, and then one of OpenTelemetry. */
function tracedProgram(): string {
  const [, program] = text.match(/```ts\n([^`]*function traced\([^]*?)const seen/)!;
  const mod = new URL("../mod.ts", import.meta.url).href;
  return `import { trace } from "npm:@opentelemetry/api@1.10.0";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "npm:@opentelemetry/sdk-trace-base@2.12.1";
${program!.replace('"@tackline/websocket"', JSON.stringify(mod)).replace(/^.*@std\/assert.*$/m, "")}
const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
await using server = traced(trace.getTracer("chat"), (connection, text) => connection.send(text));
await server.start();
const client = new WebSocketClient("ws://localhost:" + server.address!.port + "/chat");
await client.connect();
client.send("Hello");
await client.receive();
await client.disconnect(true, 1000);
await server.stop();
const [span] = exporter.getFinishedSpans();
console.log(JSON.stringify([span!.name, span!.attributes, span!.events.map(({ name }) => name)]));
`;
}

describePeer("traces", ["Deno", "npm:@opentelemetry/sdk-trace-base@2.12.1"], (deno) => {
  it("go to OpenTelemetry, with the types of its tracer", async () => {
    await inFolder(async (folder) => {
      const file = join(folder, "traced.ts");
      writeFileSync(file, tracedProgram());
      const { text, errors, status } = await runToEnd(deno, "run", "-A", "--check", file);
      assertEquals(status, 0, errors);
      const [name, attributes, events] = JSON.parse(text);
      assertEquals([name, attributes["url.path"], attributes["websocket.close_code"]], ["websocket", "/chat", 1000]);
      assertEquals(events, ["message"]);
    });
  });
});
