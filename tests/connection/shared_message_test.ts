import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { sendShared, type WebSocketConnection } from "../../connection/connection.ts";
import { OptionError } from "../../base/errors.ts";
import { MessageDeflater } from "../../protocol/deflate.ts";
import { WebSocketServer } from "../../server.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { agreeOn, decodeAll, openRig, pipe, Random, settle, until } from "../support/support.ts";

describe("a broadcast", () => {
  it("is compressed once for each window, and the contexts of the connections stay right", async () => {
    const server = new WebSocketServer({ compression: { threshold: 0 } });
    const random = new Random(11);
    const clients: { client: WebSocketClient; got: string[]; expected: string[]; peer: WebSocketConnection }[] = [];
    for (
      const compression of [
        true,
        { serverMaxWindowBits: 9 },
        { serverMaxWindowBits: 8 },
        { serverNoContextTakeover: true },
        false,
      ]
    ) {
      const [ours, theirs] = pipe();
      const peer = server.acceptStream(ours);
      const got: string[] = [];
      const client = new WebSocketClient({ compression, onMessageReceived: (text) => void got.push(text) });
      await client.connect({ stream: theirs });
      clients.push({ client, got, expected: [], peer });
    }
    const vocabulary = Array.from({ length: 20 }, () => random.bytes(10).join());
    const sentence = (): string => Array.from({ length: 1 + random.int(60) }, () => random.pick(vocabulary)).join(" ");
    for (let round = 0; round < 100; round++) {
      const text = sentence();
      if (random.int(2) === 0) {
        assertEquals(server.broadcastMessage(text), 5);
        for (const { expected } of clients) expected.push(text);
      } else {
        const { peer, expected } = random.pick(clients);
        peer.send(text);
        expected.push(text);
      }
    }
    for (const { got, expected } of clients) await until(() => got.length === expected.length, "all messages");
    for (const { got, expected } of clients) assertEquals(got, expected);
    await Promise.all(clients.map(({ client }) => client.disconnect()));
    await server.stop();
  });

  it("reaches each connection that it fits, and is refused if it fits none", async () => {
    const server = new WebSocketServer({ compression: true, maxBufferedAmount: 1000 });
    const got = [0, 0, 0];
    const clients = await Promise.all([true, false, true].map(async (compression, index) => {
      const [ours, theirs] = pipe();
      server.acceptStream(ours);
      const client = new WebSocketClient({ compression, onMessageReceived: () => void got[index]!++ });
      await client.connect({ stream: theirs });
      return client;
    }));
    assertEquals(server.broadcastMessage("a".repeat(5000)), 2);
    assertThrows(() => server.broadcastData(new Random(1).bytes(5000)), OptionError, "maxBufferedAmount");
    assertEquals(server.broadcastMessage("to all"), 3);
    await until(() => got.join() === "2,1,2", "all messages");
    await Promise.all(clients.map((client) => client.disconnect()));
    await server.stop();
  });

  it("gives connections with the same window the very same bytes", () => {
    const settings = agreeOn({ threshold: 10 }).compression!;
    const rigs = [1, 2, 3].map(() => openRig("server", {}, { protocol: "", extensions: [], compression: settings }));
    const message = new SharedMessage("x".repeat(50_000), 0, settings.settings);
    for (const { connection } of rigs) sendShared(connection, message);
    const deflater = new MessageDeflater("server", settings.parameters, settings.settings);
    assert(message.framesFor(deflater) === message.framesFor(deflater), "compressed once");
    const short = new SharedMessage("short", 0, settings.settings);
    for (const { connection } of rigs) sendShared(connection, short);
    return settle().then(() => {
      const [first, ...others] = rigs.map(({ transport }) => transport.written);
      assertEquals(decodeAll(first!, 0x40).map(({ reserved }) => reserved), [0x40, 0]);
      for (const other of others) assertEquals(other, first);
      for (const { connection } of rigs) connection.terminate();
    });
  });
});
