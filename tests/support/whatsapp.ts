/** A `WhatsAppServer` and receivers on loopback, and notifications as Meta sends them. */

import { join } from "node:path";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { WebSocketError } from "../../base/errors.ts";
import { signNotification, WhatsAppReceiver, type WhatsAppReceiverOptions, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { extendServer } from "../../server/server.ts";
import { encode } from "./support.ts";

export const SECRET = "app-secret";
export const PATH = "/whatsapp";

/** A server that keeps what its `onError` is told. */
export type TestServer = CountingServer & { errors: WebSocketError[] };

/** Counts the notifications that it has begun to keep. */
class CountingServer extends WhatsAppServer {
  taken = 0;

  constructor(options: WhatsAppServerOptions) {
    super(options);
    const { extension: { respondDirectly } } = extendServer(this, {});
    extendServer(this, {
      respondDirectly: (...request) => {
        const take = respondDirectly!(...request);
        if (typeof take !== "function") return take;
        return (body) => {
          const answer = take(body);
          this.taken++;
          return answer;
        };
      },
    });
  }
}

/** Starts a server on loopback that wants `token` of its receivers. */
export async function startServer(options: WhatsAppServerOptions = {}): Promise<TestServer> {
  const errors: WebSocketError[] = [];
  const server = new CountingServer({
    hostname: "127.0.0.1",
    port: 0,
    pathName: PATH,
    behindProxy: true,
    appSecret: SECRET,
    receiverToken: "token",
    journal: null,
    failureDelay: 0,
    onError: (error) => errors.push(error as WebSocketError),
    ...options,
  });
  await server.start();
  return Object.assign(server, { errors });
}

/** Starts the same with a verify token, for Meta's verification of the URL. */
export function startVerified(options: WhatsAppServerOptions = {}): Promise<TestServer> {
  return startServer({ verifyToken: "verify", ...options });
}

/** The server's address as a URL without a path. */
export const originOf = (server: WhatsAppServer): string => `http://127.0.0.1:${server.address!.port}`;

/** The URL of the webhook. */
export const urlOf = (server: WhatsAppServer): string => originOf(server) + PATH;

/** Makes a receiver that shows `token`; what it reports is not printed. */
export function makeReceiver(server: WhatsAppServer, options: WhatsAppReceiverOptions = {}): WhatsAppReceiver {
  const url = urlOf(server).replace("http", "ws");
  return new WhatsAppReceiver(url, { receiverToken: "token", onError: () => {}, ...options });
}

/** Makes and connects a receiver. */
export async function connect(
  server: WhatsAppServer,
  options: WhatsAppReceiverOptions = {},
): Promise<WhatsAppReceiver> {
  const receiver = makeReceiver(server, options);
  await receiver.connect();
  return receiver;
}

/** Differences of a delivery from those of Meta. */
export interface PostOptions {
  /** Header fields besides, or in place of, those of Meta. */
  headers?: Record<string, string>;
  /** Key of the signature. */
  secret?: string;
  path?: string;
}

/** Delivers a notification as Meta does; returns the status of the answer. */
export async function post(
  server: WhatsAppServer,
  body: Uint8Array<ArrayBuffer> | string,
  options: PostOptions = {},
): Promise<number> {
  const { headers, secret = SECRET, path = PATH } = options;
  const bytes = typeof body === "string" ? encode(body) : body;
  const response = await fetch(originOf(server) + path, {
    method: "POST",
    body: bytes,
    headers: { "content-type": "application/json", "x-hub-signature-256": signNotification(bytes, secret), ...headers },
  });
  await response.body?.cancel();
  return response.status;
}

/** A change that is about a business phone number. */
export const changeOf = (phoneNumberId: string, value: object, field = "messages"): object => ({
  field,
  value: { messaging_product: "whatsapp", metadata: { phone_number_id: phoneNumberId }, ...value },
});

/** A notification of one account. */
export const wrap = (changes: object[], id = "42"): string =>
  JSON.stringify({ object: "whatsapp_business_account", entry: [{ id, changes }] });

/** A notification of texts with these ids, to a business phone number. */
export function textsTo(phoneNumberId: string, ...ids: string[]): string {
  const messages = ids.map((id) => ({ id, from: "491700000001", type: "text", text: { body: "Hi" } }));
  return wrap([changeOf(phoneNumberId, { messages })]);
}

/** The same to the number 1. */
export const texts = (...ids: string[]): string => textsTo("1", ...ids);

/** Calls back with the path of a file in a folder of its own. */
export async function withFile(action: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "whatsapp-"));
  try {
    await action(join(folder, "journal.db"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
