/**
 * The main job, end to end, on loopback: a `WhatsAppServer` over TLS, two `WhatsAppReceiver`s, and a stand-in for Meta
 * that delivers signed notifications over HTTPS. Exit code 0 only if everything arrived and everything bad was refused.
 *
 *   deno task demo            runs through and ends
 *   deno task demo --serve    keeps running, and prints the `curl` lines with which to play Meta by hand
 *   deno task demo --page     serves a live inbox as a web page, on http://localhost:8080/; --port N for another port
 *
 * On Bun the same: `bun examples/demo.ts`.
 */

import { request } from "node:https";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { signNotification } from "../cloud_api/signature.ts";
import { WhatsAppReceiver } from "../whatsapp/receiver.ts";
import { WhatsAppServer } from "../whatsapp.ts";
import { runInbox } from "./inbox/serve.ts";
import { describeMessage, type Notification, notifications } from "./notifications.ts";

const APP_SECRET = "demo-app-secret";
const VERIFY_TOKEN = "demo-verify-token";
const RECEIVER_TOKEN = "demo-receiver-token";
const PATH = "/whatsapp";
const tlsFile = (name: string): string => fileURLToPath(new URL(`../tests/tls/${name}`, import.meta.url));
const CA_FILE = tlsFile("ca.pem");

/** Messages that one receiver got. */
interface Received {
  name: string;
  raw: string[];
  lines: string[];
}

function makeServer(port: number): WhatsAppServer {
  return new WhatsAppServer({
    hostname: "127.0.0.1",
    port,
    pathName: PATH,
    certificateFile: tlsFile("leaf.pem"),
    certificateKeyFile: tlsFile("pkcs8-aes256-sha512.key"),
    rootCertificateFile: CA_FILE,
    onGetSSLPassword: () => "secret",
    appSecret: APP_SECRET,
    verifyToken: VERIFY_TOKEN,
    receiverToken: RECEIVER_TOKEN,
    journal: null,
    onCommandGet: (request) => new URL(request.url).pathname === "/health" ? new Response("healthy\n") : undefined,
    onError: (error) => console.error("server:", error),
  });
}

async function connectReceiver(name: string, port: number, echo: boolean): Promise<[WhatsAppReceiver, Received]> {
  const received: Received = { name, raw: [], lines: [] };
  const add = (line: string): void => {
    received.lines.push(line);
    if (echo) console.log(`[${name}] ${line}`);
  };
  const receiver = new WhatsAppReceiver(`wss://localhost:${port}${PATH}`, {
    receiverToken: RECEIVER_TOKEN,
    rootCertificateFile: CA_FILE,
    onMessageReceived: (raw) => void received.raw.push(raw),
    onWhatsAppMessageReceived: (message) => add(describeMessage(message)),
    onStatusReceived: (status) => add(`status     ${status.status} for ${status.recipientId}`),
    onError: (error) => console.error(`${name}:`, error),
  });
  await receiver.connect();
  return [receiver, received];
}

/** Plays Meta: one POST over HTTPS. */
function post(
  port: number,
  body: Uint8Array,
  signature: string | undefined,
): Promise<{ status: number; text: string }> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (signature !== undefined) headers["x-hub-signature-256"] = signature;
  return send(port, { method: "POST", path: PATH, headers }, body);
}

function send(
  port: number,
  options: { method: string; path: string; headers?: Record<string, string> },
  body?: Uint8Array,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(CA_FILE);
    const outgoing = request({ ...options, host: "localhost", port, ca, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => text += part);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: text.trim() }));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function sign(notification: Notification, body: Uint8Array): string | undefined {
  if (notification.signature === "missing") return undefined;
  return signNotification(body, notification.signature === "wrong" ? "another secret" : APP_SECRET);
}

/** Runs through; returns what went wrong. */
async function run(): Promise<string[]> {
  const failures: string[] = [];
  const check = (ok: boolean, what: string): void => {
    if (!ok) failures.push(what);
  };
  await using server = makeServer(0);
  await server.start();
  const port = server.address!.port;
  console.log(`WhatsAppServer    https://localhost:${port}${PATH}  (TLS, encrypted key)`);

  const [first, one] = await connectReceiver("billing", port, false);
  const [second, two] = await connectReceiver("support", port, false);
  console.log(`WhatsAppReceivers ${one.name}, ${two.name}\n`);

  const query = `hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=1158201444`;
  const verified = await send(port, { method: "GET", path: `${PATH}?${query}` });
  console.log(`Meta verifies the URL: ${verified.status} "${verified.text}"\n`);
  check(verified.status === 200 && verified.text === "1158201444", "verification");

  console.log("Meta delivers");
  for (const notification of notifications) {
    const body = new TextEncoder().encode(notification.json);
    const answer = await post(port, body, sign(notification, body));
    const why = answer.status === 200 ? "" : `  refused: ${answer.text}`;
    console.log(`  ${notification.title.padEnd(34)} ${answer.status}${why}`);
    check(answer.status === notification.status, `${notification.title}: ${answer.status}`);
  }

  const stranger = new WhatsAppReceiver(`wss://localhost:${port}${PATH}`, { rootCertificateFile: CA_FILE });
  const refused = await stranger.connect().then(() => "let in", (error: Error) => error.message);
  console.log(`\nA receiver without the token: ${refused}`);
  check(refused.includes("401"), "a receiver without the token");

  // Closing in order: whatever the server sent before its close frame has arrived.
  await server.stop();
  await Promise.all([first.disconnect(), second.disconnect()]);

  const accepted = notifications.filter((notification) => notification.status === 200);
  const expected = accepted.flatMap((notification) => notification.lines);
  for (const received of [one, two]) {
    console.log(`\n${received.name} got ${received.raw.length} notifications`);
    for (const line of received.lines) console.log(`  ${line}`);
    check(
      received.raw.join("\n") === accepted.map(({ json }) => json).join("\n"),
      `${received.name}: raw text differs`,
    );
    check(received.lines.join("\n") === expected.join("\n"), `${received.name}: messages differ`);
  }
  return failures;
}

/** Keeps running, for a person to play Meta. */
async function serve(): Promise<void> {
  const server = makeServer(8443);
  await server.start();
  const port = server.address!.port;
  const [first] = await connectReceiver("billing", port, true);
  const [second] = await connectReceiver("support", port, true);
  const bodyFile = join(tmpdir(), "tackline-demo-notification.json");
  const { json } = notifications[0]!;
  writeFileSync(bodyFile, json);
  const url = `https://localhost:${port}${PATH}`;
  const signature = signNotification(new TextEncoder().encode(json), APP_SECRET);
  console.log(`
Listening on ${url}. Stop with Ctrl+C. Play Meta:

  # verify the URL
  curl --cacert ${CA_FILE} '${url}?hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=42'

  # deliver a notification
  curl --cacert ${CA_FILE} -H 'content-type: application/json' \\
    -H 'x-hub-signature-256: ${signature}' \\
    --data-binary @${bodyFile} ${url}

  # the same with a signature that is wrong
  curl --cacert ${CA_FILE} -H 'content-type: application/json' \\
    -H 'x-hub-signature-256: sha256=${"0".repeat(64)}' \\
    --data-binary @${bodyFile} ${url}

  # sign a body of your own: the header is "x-hub-signature-256: sha256=" and what this prints
  openssl dgst -sha256 -hmac ${APP_SECRET} -r your.json | cut -c1-64
`);
  await interrupted();
  await Promise.all([first.disconnect(), second.disconnect()]);
  await server.stop();
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

const { values } = parseArgs({
  options: { serve: { type: "boolean" }, page: { type: "boolean" }, port: { type: "string", default: "8080" } },
});
if (values.serve) await serve();
else if (values.page) await runInbox(Number(values.port), interrupted());
else {
  const failures = await run();
  console.log(failures.length === 0 ? "\nEverything arrived." : `\nFAILED: ${failures.join("; ")}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}
