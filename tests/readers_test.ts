/** Loops, `receive`, streams and handlers of one connection share the messages, and none of them stops the others. */

import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient, type WebSocketClientOptions } from "../client.ts";
import { ConnectionClosedError, OptionError } from "../base/errors.ts";
import type { ReceiveOptions } from "../connection/receive_options.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../server.ts";
import { PageClient } from "./support/page.ts";
import { urlOf } from "./support/peers.ts";
import { until } from "./support/support.ts";

/** 200 of them are three times what a queue keeps. */
const LONG = "x".repeat(1000);
const COUNT = 200;

async function start(options: WebSocketServerOptions): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", ...options });
  await server.start();
  return server;
}

/** Readers of one message, which leave then. */
interface Readable extends AsyncIterable<unknown> {
  receive(options?: ReceiveOptions): Promise<unknown>;
  readonly readable: ReadableStream<unknown>;
}

const readOne: Record<string, (from: Readable) => Promise<unknown>> = {
  "receive()": (from) => from.receive(),
  async "a loop that is left"(from) {
    for await (const message of from) return message;
    return undefined;
  },
  async "a loop that throws"(from) {
    let seen: unknown;
    try {
      for await (const message of from) {
        seen = message;
        throw new Error("enough");
      }
    } catch {
      // The loop was left.
    }
    return seen;
  },
  async "a stream whose lock is released"(from) {
    const reader = from.readable.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    return value;
  },
  async "a receive() whose signal is aborted"(from) {
    const first = await from.receive();
    const controller = new AbortController();
    const second = from.receive({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await assertRejects(() => second, Error, "enough");
    return first;
  },
};

for (const [how, read] of Object.entries(readOne)) {
  describe(`a handler beside ${how}`, () => {
    it("gets everything on a server", async () => {
      let got = 0;
      const logins: unknown[] = [];
      await using server = await start({
        async onOpen(connection) {
          logins.push(await read(connection));
          connection.send("welcome");
        },
        onMessageReceived: () => void got++,
      });
      const client = new WebSocketClient(urlOf(server));
      await client.connect();
      client.send("ann");
      assertEquals(await client.receive(), "welcome");
      for (let index = 0; index < COUNT; index++) client.send(LONG);
      await client.ping();
      assertEquals([logins, got], [["ann"], COUNT + 1]);
      assertEquals((await client.disconnect())?.clean, true);
    });

    const makers: [string, (url: string, options: WebSocketClientOptions) => WebSocketClient][] = [
      ["a client", (url, options) => new WebSocketClient(url, options)],
      ["a client that reconnects", (url, options) => new WebSocketClient(url, { ...options, reconnect: true })],
      ["a client in a page", (url, options) => new PageClient(url, options)],
      ["a reconnecting client in a page", (url, options) => new PageClient(url, { ...options, reconnect: true })],
    ];
    for (const [name, make] of makers) {
      for (const early of [true, false]) {
        it(`gets everything on ${name}, set ${early ? "before" : "behind"} the reader`, async () => {
          let got = 0;
          const onMessageReceived = (): void => void got++;
          await using server = await start({
            onOpen: (connection) => void connection.send("greeting"),
            onMessageReceived(connection) {
              for (let index = 0; index < COUNT; index++) connection.send(LONG);
            },
          });
          const client = make(urlOf(server), early ? { onMessageReceived } : {});
          client.onConnect = async () => {
            assertEquals(await read(client), "greeting");
            if (!early) client.onMessageReceived = onMessageReceived;
            client.send("go");
          };
          await client.connect();
          await until(() => got === COUNT + (early ? 1 : 0), "all messages");
          await client.disconnect();
        });
      }
    }
  });
}

describe("messages without handlers", () => {
  it("wait for the next reader, on both sides", async () => {
    const got: unknown[] = [];
    await using server = await start({
      async onOpen(connection) {
        got.push(await connection.receive());
        for await (const message of connection) {
          got.push(message);
          break;
        }
        for (const text of ["a", "b", "c", "d"]) connection.send(text);
        got.push(await connection.receive());
      },
    });
    for (const reconnect of [false, true]) {
      const client = new WebSocketClient(urlOf(server), { reconnect });
      await client.connect();
      for (const text of ["one", "two", "three"]) client.send(text);
      got.push(await client.receive(), await client.receive());
      for await (const message of client) {
        got.push(message);
        break;
      }
      // A handler that is set gets the rest.
      const rest = Promise.withResolvers<string>();
      client.onMessageReceived = (text) => rest.resolve(text);
      got.push(await rest.promise);
      await client.disconnect();
      assertEquals(got.splice(0).sort(), ["a", "b", "c", "d", "one", "three", "two"]);
    }
  });
});

describe("receive with a signal", () => {
  for (
    const [name, make] of [
      ["a client", (url: string) => new WebSocketClient(url)],
      ["a client that reconnects", (url: string) => new WebSocketClient(url, { reconnect: true })],
      ["a client in a page", (url: string) => new PageClient(url)],
    ] as const
  ) {
    it(`takes no message once it is aborted, on ${name}`, async () => {
      await using server = await start({ onMessageReceived: (connection, text) => void connection.send(text) });
      const client = make(urlOf(server));
      await client.connect();
      const error = await assertRejects(() => client.receive({ signal: AbortSignal.timeout(1) }), DOMException);
      assertEquals(error.name, "TimeoutError");
      await assertRejects(
        () =>
          client.connection!.receive({ signal: AbortSignal.abort("no") }).catch((reason) => {
            throw new Error(reason);
          }),
        Error,
        "no",
      );
      const controller = new AbortController();
      const calls = [1, 2, 3].map((index) => client.receive(index === 2 ? { signal: controller.signal } : {}));
      controller.abort(new Error("gone"));
      await assertRejects(() => calls[1]!, Error, "gone");
      for (const text of ["one", "two", "three"]) client.send(text);
      assertEquals([await calls[0], await calls[2], await client.receive()], ["one", "two", "three"]);
      await client.disconnect();
    });

    it(`has no other options, on ${name}`, async () => {
      await using server = await start({ onMessageReceived: () => {} });
      const client = make(urlOf(server));
      await client.connect();
      for (const receiver of [client, client.connection!]) {
        const wrong = { timeout: 50 } as ReceiveOptions;
        await assertRejects(() => receiver.receive(wrong), OptionError, "AbortSignal.timeout(");
        const number = 50 as unknown as ReceiveOptions;
        await assertRejects(() => receiver.receive(number), OptionError, "receive takes options");
      }
      await client.disconnect();
    });
  }

  it("ends the wait for the next connection too, and the end has the code of the last one", async () => {
    await using server = await start({ onMessageReceived: () => {} });
    const client = new WebSocketClient(urlOf(server), { reconnect: { minDelay: 60_000 }, onError: () => {} });
    await client.connect();
    const calls = [client.receive(), client.receive()];
    for (const call of calls) call.catch(() => {});
    const ended = client.connection!.closed;
    await server.disconnectClients(() => true, 4001, "fin");
    await ended;
    await assertRejects(() => client.receive({ signal: AbortSignal.timeout(1) }), DOMException);
    await client.disconnect();
    for (const call of calls) {
      const error = await assertRejects(() => call, ConnectionClosedError, "closed with 4001 fin");
      assertEquals([error.closeCode, error.reason], [4001, "fin"]);
    }
  });
});
