/**
 * The tables of docs/meta-setup.md: each mistake is made by a simulated Meta or proxy, and what the server logs is
 * compared with the document.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { signNotification, simulateNotification, WhatsAppServer, type WhatsAppServerOptions } from "../whatsapp.ts";

const text = readFileSync(new URL("../docs/meta-setup.md", import.meta.url), "utf8");

/** Messages of the tables, by what is wrong; undefined if nothing is logged. */
const documented = new Map<string, string | undefined>(
  text.split("\n").filter((line) => /^\| .*(refused with \d{3}|connection\.refused|and 404)/.test(line)).map((line) => {
    const [wrong, message] = line.split("|").slice(1, 3).map((cell) => cell.trim());
    return [wrong!.replaceAll("`", ""), message!.match(/^`(.+)`$/)?.[1]];
  }),
);

const SECRET = "the app secret";
const body = simulateNotification(1, { type: "text" }).json;
const signature = `X-Hub-Signature-256: ${signNotification(new TextEncoder().encode(body), SECRET)}`;
const json = "Content-Type: application/json";
const length = `Content-Length: ${body.length}`;

/** Sends a request, written out, and gives the status of the answer. */
function send(port: number, start: string, fields: readonly string[], content = ""): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("latin1");
    socket.on("data", (data) => answer += data);
    socket.on("error", reject);
    socket.on("close", () => resolve(Number(answer.split(" ")[1])));
    const head = [`${start} HTTP/1.1`, "Host: localhost", "Connection: close", ...fields];
    socket.write(`${head.join("\r\n")}\r\n\r\n${content}`);
  });
}

type Sender = (port: number) => Promise<number>;

const get = (token: string, path = "/whatsapp"): Sender => (port) =>
  send(port, `GET ${path}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=${token}`, []);
const post = (...fields: string[]): Sender => (port) => send(port, "POST /whatsapp", fields, body);

async function guess(port: number): Promise<number> {
  const statuses = await Promise.all(Array.from({ length: 101 }, () => get("wrong")(port)));
  return statuses.find((status) => status === 429)!;
}

/** A mistake: the settings of the server, the request, and its status. */
interface Mistake {
  settings?: WhatsAppServerOptions;
  send: Sender;
  status: number;
}

const byCertificate = { clientCertificateHeader: "x-amzn-mtls-clientcert-subject" };
/** A body of 1025 bytes. */
const CHUNKS = `401\r\n${"x".repeat(0x401)}\r\n0\r\n\r\n`;
const PLAIN = "Content-Type: text/plain";
const STRANGER = "X-Amzn-Mtls-Clientcert-Subject: CN=somebody";

const mistakes: Readonly<Record<string, Mistake>> = {
  "another verify token": { send: get("wrong"), status: 403 },
  "no verify token": { settings: { verifyToken: undefined }, send: get("right"), status: 403 },
  "too many wrong tokens": { send: guess, status: 429 },
  "another path": { send: get("right", "/other"), status: 404 },
  "another app secret": { settings: { appSecret: "another" }, send: post(json, length, signature), status: 401 },
  "a proxy drops the signature": { send: post(json, length), status: 401 },
  "a proxy changes the signature": { send: post(json, length, "X-Hub-Signature-256: sha256=12"), status: 401 },
  "a proxy changes the type": { send: post(PLAIN, length, signature), status: 415 },
  "a proxy drops the type": { send: post(length, signature), status: 415 },
  "a proxy drops the length": { send: post(json, signature), status: 411 },
  "maxBodySize is too small": {
    settings: { maxBodySize: 1024 },
    send: (port) => send(port, "POST /whatsapp", [json, "Content-Length: 1025", signature], "x".repeat(1025)),
    status: 413,
  },
  "the same, from a proxy that sends in chunks": {
    settings: { maxBodySize: 1024 },
    send: (port) => send(port, "POST /whatsapp", [json, "Transfer-Encoding: chunked", signature], CHUNKS),
    status: 413,
  },
  "another client certificate": { settings: byCertificate, send: post(json, length, signature, STRANGER), status: 403 },
  "the proxy reports no client certificate": {
    settings: byCertificate,
    send: post(json, length, signature),
    status: 403,
  },
  "another method": { send: (port) => send(port, "PUT /whatsapp", [length], body), status: 405 },
};

/** Makes a mistake against a server of its own; returns the status and the messages of its log. */
async function make({ settings, send }: Mistake): Promise<{ status: number; messages: unknown[] }> {
  const messages: unknown[] = [];
  await using server = new WhatsAppServer({
    hostname: "127.0.0.1",
    port: 0,
    behindProxy: true,
    pathName: "/whatsapp",
    verifyToken: "right",
    appSecret: SECRET,
    receiverToken: "token",
    journal: null,
    ...settings,
    onLog({ event, attributes, error }) {
      if (event === "webhook.refused") messages.push(attributes.message);
      if (event === "connection.refused") messages.push(`${event}: ${error instanceof Error ? error.message : error}`);
    },
  });
  await server.start();
  return { status: await send(server.address!.port), messages };
}

describe("docs/meta-setup.md", () => {
  it("has a row for each mistake, and no other", () => {
    assertEquals([...documented.keys()].toSorted(), Object.keys(mistakes).toSorted());
  });

  for (const [wrong, mistake] of Object.entries(mistakes)) {
    it(`says what is logged for: ${wrong}`, async () => {
      const { status, messages } = await make(mistake);
      const expected = documented.get(wrong);
      assertEquals(status, mistake.status);
      if (expected === undefined) assertEquals(messages, []);
      else assert(messages.includes(expected), `${expected}\nis not among\n${messages.join("\n")}`);
    });
  }

  it("makes no mistake with the right request", async () => {
    assertEquals(await make({ send: get("right"), status: 200 }), { status: 200, messages: [] });
    assertEquals(await make({ send: post(json, length, signature), status: 200 }), { status: 200, messages: [] });
  });
});
