/**
 * A program that uses one part of the library with a signal or a delay of ten minutes, and ends it: for
 * `signal_test.ts`, which sees whether the process then ends by itself. Prints "ended".
 */

import process from "node:process";
import { WebSocketClient, WebSocketServer } from "../../mod.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppReceiver } from "../../whatsapp/receiver.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { until } from "./support.ts";

const LONG = 600_000;
const long = (): AbortSignal => AbortSignal.timeout(LONG);

async function startServer(signal?: AbortSignal): Promise<WebSocketServer> {
  const server = new WebSocketServer({
    port: 0,
    hostname: "127.0.0.1",
    signal,
    onCommandGet: () => Response.json({ messages: [{ id: "wamid.1" }] }),
  });
  await server.start();
  return server;
}

async function withServer(use: (url: string) => Promise<unknown>, signal?: AbortSignal): Promise<void> {
  const server = await startServer(signal);
  await use(`127.0.0.1:${server.address!.port}`);
  await server.stop({ signal: long() });
}

async function connectAndEnd(client: WebSocketClient, options: { signal?: AbortSignal } = {}): Promise<void> {
  await client.connect(options);
  await client.disconnect();
}

/** Shows a wrong token, and stops the server while the answer is held back. */
async function guessAndStop(): Promise<void> {
  const server = new WhatsAppServer({
    port: 0,
    hostname: "127.0.0.1",
    behindProxy: true,
    appSecret: null,
    receiverToken: "token",
    journal: null,
    failureDelay: LONG,
  });
  await server.start();
  const guess = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, { token: "wrong" }).connect();
  const refused = guess.catch(() => {});
  await until(() => server.failedAttempts.receiverToken > 0, "the guess");
  await server.stop();
  await refused;
}

const USES: Readonly<Record<string, () => Promise<void>>> = {
  "client": () => withServer((host) => connectAndEnd(new WebSocketClient(`ws://${host}/`, { signal: long() }))),
  "client that never connects": () => Promise.resolve(void new WebSocketClient("ws://127.0.0.1/", { signal: long() })),
  "client that cannot connect": () =>
    new WebSocketClient("ws://127.0.0.1:1/", { signal: long() }).connect().catch(() => {}),
  "client with reconnect": () =>
    withServer((host) => connectAndEnd(new WebSocketClient(`ws://${host}/`, { signal: long(), reconnect: true }))),
  "connect": () => withServer((host) => connectAndEnd(new WebSocketClient(`ws://${host}/`), { signal: long() })),
  "receiver": () => withServer((host) => connectAndEnd(new WhatsAppReceiver(`ws://${host}/`, { signal: long() }))),
  "server": () => withServer(() => Promise.resolve(), long()),
  "server that never starts": () => Promise.resolve(void new WebSocketServer({ signal: long() })),
  "api": () =>
    withServer((host) =>
      new WhatsAppApi({ accessToken: "a", phoneNumberId: "1", baseUrl: `http://${host}` })
        .sendText("49", "a", { signal: long() })
    ),
  "failureDelay": guessAndStop,
};

export const USE_NAMES: readonly string[] = Object.keys(USES);

if (import.meta.main) {
  await USES[process.argv[2]!]!();
  console.log("ended");
}
