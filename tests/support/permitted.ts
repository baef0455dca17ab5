/**
 * Programs that are started with few permissions, chosen by the first argument; the second one is a URL to connect to.
 * Each ends by itself, with status 0 if it could do everything.
 */

import process from "node:process";
import { WhatsAppApi } from "../../cloud_api/mod.ts";
import { WebSocketClient, type WebSocketClientOptions, WebSocketServer } from "../../mod.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../../whatsapp.ts";

const [name, url] = process.argv.slice(2);
const files = { certificateFile: "fullchain.pem", certificateKeyFile: "privkey.pem" };
const secrets = { appSecret: "secret", receiverToken: "token", journal: "data/notifications.db" };

async function serve(server: WebSocketServer): Promise<void> {
  await server.start();
  if (server.certificateFile) await server.reloadCertificates();
  await server.stop();
}

async function ask(options: WebSocketClientOptions): Promise<void> {
  const client = new WebSocketClient(url!, options);
  await client.connect();
  client.send("Hello");
  await client.receive();
  await client.disconnect();
}

async function connectReceiver(): Promise<void> {
  const receiver = new WhatsAppReceiver(url!, { receiverToken: "token", name: "permitted" });
  await receiver.connect();
  await receiver.disconnect();
}

async function pair(): Promise<void> {
  const server = new WebSocketServer({ onMessageReceived: (connection, text) => connection.send(text) });
  const client = new WebSocketClient("ws://test/");
  const [up, down] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  server.acceptStream({ readable: up.readable, writable: down.writable });
  await client.connect({ stream: { readable: down.readable, writable: up.writable } });
  client.send("Hello");
  await client.receive();
  await client.disconnect();
}

async function sendText(): Promise<void> {
  const api = new WhatsAppApi({ accessToken: "token", phoneNumberId: "1", baseUrl: url, maxRetries: 0 });
  await api.sendText("16505551234", "Hello");
}

/** By the first column of the table in docs/deploying.md. */
const programs: Readonly<Record<string, () => Promise<void>>> = {
  "server": () => serve(new WebSocketServer({ port: 0 })),
  "server with TLS": () => serve(new WebSocketServer({ port: 0, useSSL: true, ...files })),
  "WhatsAppServer, journal in data/": () => serve(new WhatsAppServer({ port: 0, ...files, ...secrets })),
  "WhatsAppServer behind a proxy": () =>
    serve(new WhatsAppServer({ hostname: "127.0.0.1", port: 0, behindProxy: true, ...secrets })),
  "client": () => ask({}),
  "client with rootCertificateFile": () => ask({ rootCertificateFile: "ca.pem" }),
  "WhatsAppReceiver": connectReceiver,
  "WhatsAppApi, without files": sendText,
  "a pair in memory": pair,
};

await programs[name!]!();
