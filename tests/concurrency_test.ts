/** The setting `concurrency` over real connections: the peer waits, other connections go on, memory stays bounded. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../client.ts";
import { WebSocketServer } from "../server.ts";
import { urlOf } from "./support/peers.ts";
import { defer, turns, until } from "./support/support.ts";

/** A handler that is pending until the gate opens, and counts how many are. */
function counted(): { handle: () => Promise<void>; now: () => number; most: () => number; open: () => void } {
  const gate = defer<void>();
  let now = 0;
  let most = 0;
  return {
    async handle() {
      most = Math.max(most, ++now);
      await gate.promise;
      now--;
    },
    now: () => now,
    most: () => most,
    open: () => gate.resolve(),
  };
}

const SIZE = 64 * 1024;
const COUNT = 1000;

describe("concurrency", () => {
  it("of a server makes a peer wait that sends faster, and lets other connections go on", async () => {
    const slow = counted();
    const other: string[] = [];
    let received = 0;
    await using server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      onBinaryDataReceived() {
        received++;
        return slow.handle();
      },
      onMessageReceived: (connection, text) => void connection.send(text),
    });
    await server.start();
    await using flood = new WebSocketClient(urlOf(server), { maxBufferedAmount: 0 });
    await flood.connect();
    for (let sent = 0; sent < COUNT; sent++) flood.send(new Uint8Array(SIZE));
    await until(() => slow.now() === 64, "all slots");
    await using light = new WebSocketClient(urlOf(server), { onMessageReceived: (text) => void other.push(text) });
    await light.connect();
    for (const text of ["a", "b", "c"]) {
      light.send(text);
      await until(() => other.includes(text), "the echo");
    }
    assertEquals(received, 64);
    // The system's buffers are full, and the rest is still with the sender.
    assert(flood.bufferedAmount > 16 * 1024 * 1024, `${flood.bufferedAmount} bytes wait`);
    slow.open();
    await until(() => received === COUNT, "the rest");
    assertEquals(slow.most(), 64);
  });

  it("of a client does so too, and 0 has no limit", async () => {
    for (const concurrency of [3, 0]) {
      const slow = counted();
      await using server = new WebSocketServer({
        port: 0,
        hostname: "127.0.0.1",
        onHandshakeResponseSent(connection) {
          for (let sent = 0; sent < 200; sent++) connection.send(`${sent}`);
        },
      });
      await server.start();
      const seen: string[] = [];
      await using client = new WebSocketClient(urlOf(server), {
        concurrency,
        onMessageReceived(text) {
          seen.push(text);
          return slow.handle();
        },
      });
      await client.connect();
      await until(() => slow.now() === (concurrency || 200), "the messages");
      await turns(5);
      assertEquals(slow.most(), concurrency || 200);
      slow.open();
      await until(() => seen.length === 200, "the rest");
      assertEquals(seen, Array.from({ length: 200 }, (_, index) => `${index}`));
    }
  });

  it("1 handles messages one after the other, each after all awaits of the one before", async () => {
    const log: string[] = [];
    await using server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      concurrency: 1,
      async onMessageReceived(_, text) {
        log.push(`begin ${text}`);
        await turns(1);
        log.push(`end ${text}`);
      },
    });
    await server.start();
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
    for (const text of texts) client.send(text);
    assertEquals((await client.disconnect())!.clean, true);
    assertEquals(log, texts.flatMap((text) => [`begin ${text}`, `end ${text}`]));
  });

  it("counts rejected promises, which close the connection", async () => {
    const errors: unknown[] = [];
    await using server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      concurrency: 1,
      onMessageReceived: () => Promise.reject(new Error("handler")),
      onError: (error) => void errors.push(error),
    });
    await server.start();
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    for (const text of ["a", "b"]) client.send(text);
    assertEquals([(await client.connection!.closed).code, errors.length], [1011, 1]);
  });

  it("lets stop() end connections whose handlers never settle", async () => {
    const slow = counted();
    const server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      concurrency: 1,
      onMessageReceived: () => slow.handle(),
    });
    await server.start();
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    for (const text of ["a", "b"]) client.send(text);
    await until(() => slow.now() === 1, "the handler");
    await server.stop();
    assertEquals([(await client.connection!.closed).code, slow.most()], [1001, 1]);
    slow.open();
  });
});
