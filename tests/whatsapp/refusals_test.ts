/** Refused webhook requests in the log: what they say, what they never say, and how many there are. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { LogRecord } from "../../base/log.ts";
import { HttpError } from "../../base/errors.ts";
import { ServerLog } from "../../server/log.ts";
import { bodyFault, RefusalLog, type RefusedRequest } from "../../whatsapp/refusals.ts";
import { signNotification, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { memoryPair } from "../support/kept_pair.ts";
import { encode, FakeClock, turns, until } from "../support/support.ts";

const SECRETS = { appSecret: "app-secret", receiverToken: "receiver-token", verifyToken: "verify-token" };
const BODY = '{"object":"whatsapp_business_account"}';
const JSON_TYPE = "Content-Type: application/json";
const SUBJECT = "x-amzn-mtls-clientcert-subject";

/** Sends requests to a server one after the other, and returns the records about them, with the text of the answers. */
async function refuse(
  options: WhatsAppServerOptions,
  ...requests: string[]
): Promise<{ records: LogRecord[]; text: string; server: WhatsAppServer }> {
  const records: LogRecord[] = [];
  const server = new WhatsAppServer({
    ...SECRETS,
    pathName: "/hook",
    behindProxy: true,
    journal: null,
    failureDelay: 0,
    clock: new FakeClock(),
    onLog: (record) => void (record.level !== "debug" && records.push(record)),
    onError: () => {},
    ...options,
  });
  let text = "";
  for (const request of requests) {
    const peer = memoryPair(server);
    peer.write(request);
    await peer.answers("\r\n\r\n", 1);
    await turns(2);
    peer.end();
    await until(() => peer.ended, "the end");
    text += peer.text;
  }
  await server.stop();
  return { records: records.filter(({ event }) => event === "webhook.refused"), text, server };
}

function post(fields: readonly string[], body = BODY): string {
  const length = `Content-Length: ${body.length}`;
  return [`POST /hook HTTP/1.1`, "Host: a", length, ...fields, "", body].join("\r\n");
}

const get = (query: string): string => `GET /hook?${query} HTTP/1.1\r\nHost: a\r\n\r\n`;

const WRONG = `X-Hub-Signature-256: ${await signNotification(encode(BODY), "another secret")}`;
const VALID = `X-Hub-Signature-256: ${await signNotification(encode(BODY), SECRETS.appSecret)}`;
/** Bodies that are not short take another way to the webhook. */
const LONG = " ".repeat(70_000) + BODY;
const WRONG_LONG = `X-Hub-Signature-256: ${await signNotification(encode(LONG), "another secret")}`;

type Case = [reason: string, message: string, request: string, options?: WhatsAppServerOptions];

const BEHIND = { clientCertificateHeader: SUBJECT } as const;

const CASES: readonly Case[] = [
  [
    "signature",
    "POST refused with 401: it has no X-Hub-Signature-256. Meta signs each notification: check that the proxy passes " +
    "the header on",
    post([JSON_TYPE]),
  ],
  [
    "signature",
    'POST refused with 401: its X-Hub-Signature-256 is not "sha256=" and 64 hexadecimal digits. Check that the proxy ' +
    "passes the header on as it is",
    post([JSON_TYPE, "X-Hub-Signature-256: sha1=secret-looking-text"]),
  ],
  [
    "signature",
    'POST refused with 401: its signature does not match the body. Check that "appSecret" is the app secret of the app ' +
    "that sends to this path, and that no proxy changes the body",
    post([JSON_TYPE, WRONG]),
  ],
  [
    "signature",
    'POST refused with 401: its signature does not match the body. Check that "appSecret" is the app secret of the app ' +
    "that sends to this path, and that no proxy changes the body",
    post([JSON_TYPE, WRONG_LONG], LONG),
  ],
  [
    "verifyToken",
    'GET refused with 403: its hub.verify_token is not "verifyToken". Enter the same text in both places',
    get("hub.mode=subscribe&hub.challenge=1&hub.verify_token=secret-looking-text"),
  ],
  [
    "verifyToken",
    'GET refused with 403: "verifyToken" is not set, so no URL can be verified',
    get("hub.mode=subscribe&hub.challenge=1&hub.verify_token=secret-looking-text"),
    { verifyToken: undefined },
  ],
  [
    "verifyToken",
    'GET refused with 403: its hub.mode is "un\\u{a}subscribe" instead of "subscribe"',
    get(`hub.mode=un%0Asubscribe&hub.challenge=1&hub.verify_token=${SECRETS.verifyToken}`),
  ],
  [
    "clientCertificate",
    `POST refused with 403: it has no "${SUBJECT}". Check that the proxy asks for client certificates, and reports ` +
    "their subject in this header",
    post([JSON_TYPE, VALID]),
    BEHIND,
  ],
  [
    "clientCertificate",
    `POST refused with 403: its "${SUBJECT}" is "CN=somebody,O=Example", whose only common name must be ` +
    '"client.webhooks.fbclientcerts.com". Check "clientCertificateForm" ("rfc4514") and "clientCertificateName"',
    post([JSON_TYPE, VALID, `${SUBJECT}: CN=somebody,O=Example`]),
    BEHIND,
  ],
  [
    "contentType",
    'POST refused with 415: its Content-Type is "text/plain; charset=utf-8". Meta sends application/json: check that ' +
    "the proxy passes the header on",
    post(["Content-Type: text/plain; charset=utf-8", VALID]),
  ],
  [
    "contentType",
    "POST refused with 415: it has no Content-Type. Meta sends application/json: check that the proxy passes the " +
    "header on",
    post([VALID]),
  ],
  [
    "contentLength",
    "POST refused with 411: it has neither Content-Length nor Transfer-Encoding. Check that the proxy passes one of " +
    "them on",
    `POST /hook HTTP/1.1\r\nHost: a\r\n${JSON_TYPE}\r\n${VALID}\r\n\r\n`,
  ],
  [
    "body",
    'POST refused with 413: its body is larger than 9 bytes. Raise "maxBodySize": Meta sends up to 3 MB',
    `POST /hook HTTP/1.1\r\nHost: a\r\n${JSON_TYPE}\r\n${VALID}\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n`,
    { maxBodySize: 9 },
  ],
  [
    "method",
    '"PUT" refused with 405: Meta sends GET and POST',
    "PUT /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
  ],
];

describe("a refused webhook request in the log", () => {
  for (const [reason, message, request, options = {}] of CASES) {
    it(message, async () => {
      const { records, text } = await refuse(options, request);
      const status = Number(/ with (\d+)/.exec(message)![1]);
      assertEquals(records.length, 1);
      const { level, attributes } = records[0]!;
      assertEquals(level, "warn");
      assertEquals({ ...attributes, "network.peer.address": 0, "network.peer.port": 0 }, {
        "network.peer.address": 0,
        "network.peer.port": 0,
        reason,
        "http.request.method": request.slice(0, request.indexOf(" ")),
        "http.response.status_code": status,
        "url.path": "/hook",
        message,
      });
      assert(text.startsWith(`HTTP/1.1 ${status} `), text.slice(0, 30));
      for (const secret of [...Object.values(SECRETS), "secret-looking-text"]) {
        assertEquals(JSON.stringify(attributes).includes(secret), false, secret);
      }
    });
  }

  it("says how long a guesser is not listened to", async () => {
    const records: LogRecord[] = [];
    const server = new WhatsAppServer({
      ...SECRETS,
      pathName: "/hook",
      behindProxy: true,
      journal: null,
      clock: new FakeClock(),
      onLog: (record) => void (record.attributes.reason === "failureDelay" && records.push(record)),
    });
    const guesses = Array.from({ length: 101 }, () => memoryPair(server));
    for (const guess of guesses) guess.write(get("hub.mode=subscribe&hub.verify_token=no"));
    await until(() => records.length > 0, "the record");
    assertEquals(
      records[0]!.attributes.message,
      'GET refused with 429: too many wrong tokens came from its address. Wait for "failureDelay" (1000 ms)',
    );
    for (const guess of guesses) guess.end();
    await server.stop();
  });

  it("has nothing raw of a peer in its text, and little of it", async () => {
    const subject = `CN=\u0085evil${"x".repeat(5000)}`;
    const { records } = await refuse(BEHIND, post([JSON_TYPE, VALID, `${SUBJECT}: ${subject}`]));
    const message = String(records[0]!.attributes.message);
    assert(message.includes("\\u{85}evilxxx"), message.slice(0, 120));
    assert(!message.includes("\u0085"));
    assert(message.length < 500);
  });

  it("is none of an accepted notification, a verification, a page that is asked for, or another path", async () => {
    const { records, text } = await refuse(
      {},
      post([JSON_TYPE, VALID]),
      get(`hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=${SECRETS.verifyToken}`),
      get("a=b"),
      "PUT /other HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    );
    assertEquals(records, []);
    // A cache between must not answer the next verification.
    const verified = text.split("HTTP/1.1 ").find((answer) => answer.includes("1158201444"))!;
    assert(verified.toLowerCase().includes("\r\ncache-control: no-store\r\n"));
  });
});

describe("RefusalLog", () => {
  function make(): { clock: FakeClock; log: RefusalLog; omitted: unknown[]; request: RefusedRequest<unknown> } {
    const clock = new FakeClock();
    const omitted: unknown[] = [];
    const log = new ServerLog({ onLog: ({ attributes }) => void omitted.push(attributes.omitted) });
    const connection = { remoteAddress: { hostname: "192.0.2.1", port: 1 } } as RefusedRequest<unknown>["connection"];
    return {
      clock,
      omitted,
      log: new RefusalLog(log, () => clock.now()),
      request: { method: "POST", path: "/", connection },
    };
  }

  it("writes 10 records a minute for each reason, and then the number of those left out", () => {
    const { clock, log, omitted, request } = make();
    const none = new Array(10).fill(undefined);
    for (let count = 0; count < 1000; count++) log.write("signature", 401, "", request);
    assertEquals(omitted, none);
    log.write("body", 413, "", request);
    assertEquals(omitted.length, 11);
    clock.advance(59_999);
    log.write("signature", 401, "", request);
    assertEquals(omitted.length, 11);
    clock.advance(1);
    for (let count = 0; count < 20; count++) log.write("signature", 401, "", request);
    assertEquals(omitted.slice(11), [991, ...none.slice(1)]);
    clock.advance(1_000_000);
    log.write("signature", 401, "", request);
    assertEquals(omitted.slice(21), [10]);
    assertEquals(clock.pending, 0);
  });
});

describe("bodyFault", () => {
  it("has the error's own text unless the body is too large", () => {
    const late = new HttpError("ERR_HTTP_BODY_LOST", "The body did not come in time", 408);
    assertEquals(bodyFault(late, 9), "The body did not come in time");
  });
});
