import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type CloseInfo, WebSocketClient } from "../../client.ts";
import { MAX_RECEIVER_MESSAGE } from "../../inbox/protocol.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import { INBOX_PROTOCOL, type WhatsAppServer } from "../../whatsapp.ts";
import { decode, encode, until } from "../support/support.ts";
import { post, startServer, texts, urlOf } from "../support/whatsapp.ts";

/** Speaks the subprotocol by hand. */
async function speak(server: WhatsAppServer): Promise<{
  client: WebSocketClient;
  heads: Record<string, unknown>[];
  ended: Promise<CloseInfo>;
}> {
  const heads: Record<string, unknown>[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<CloseInfo>();
  const client = new WebSocketClient(urlOf(server).replace("http", "ws"), {
    protocols: [INBOX_PROTOCOL],
    headers: { authorization: "Bearer token" },
    onBinaryDataReceived: (bytes) => void heads.push(JSON.parse(decode(bytes.subarray(0, bytes.indexOf(10))))),
    onDisconnect: resolve,
  });
  await client.connect();
  return { client, heads, ended };
}

/** A message that is ignored, since its type is not known, of so many bytes. */
function ignored(size: number): Uint8Array<ArrayBuffer> {
  const start = '{"type":"something new"}\n';
  return encode(start + "x".repeat(size - start.length));
}

const numbersOf = (heads: Record<string, unknown>[]): unknown[] =>
  heads.filter(({ type }) => type === "notification").map(({ seq }) => seq);

describe("a message of a receiver", () => {
  for (const frameByFrame of [false, true]) {
    const how = frameByFrame ? "in pieces" : "as a whole";

    it(`may have 64 KiB, ${how}, and more after that`, async () => {
      await using server = await startServer({ options: { frameByFrame } });
      const { client, heads } = await speak(server);
      for (let round = 0; round < 3; round++) {
        const message = ignored(MAX_RECEIVER_MESSAGE);
        if (!frameByFrame) client.send(message);
        else {
          for (let at = 0; at < message.length; at += 1024) {
            client.sendFrame(at === 0 ? 2 : 0, message.subarray(at, at + 1024), false);
          }
          client.sendFrame(0, new Uint8Array(0), true);
        }
      }
      client.send(encode('{"type":"hello"}\n'));
      await until(() => heads.length === 2, "the welcome");
      await client.disconnect();
    });

    it(`ends the connection with 4400 if it has a byte more, ${how}`, async () => {
      await using server = await startServer({ options: { frameByFrame } });
      const { client, ended } = await speak(server);
      const message = ignored(MAX_RECEIVER_MESSAGE + 1);
      if (!frameByFrame) client.send(message);
      else {
        for (let at = 0; at < message.length; at += 1024) {
          client.sendFrame(at === 0 ? 2 : 0, message.subarray(at, at + 1024), false);
        }
      }
      const { code, reason } = await ended;
      assertEquals([code, reason], [4400, "A message is larger than 65536 bytes"]);
      assertEquals(server.errors.map(({ code }) => code), ["ERR_INBOX_MESSAGE"]);
    });
  }
});

describe("an acknowledgement", () => {
  it("counts for notifications of its own connection only, not for others of the name", async () => {
    const journal = new MemoryJournal();
    await using server = await startServer({ journal });
    const [one, two] = [await speak(server), await speak(server)];
    for (const { client, heads } of [one, two]) {
      client.send(encode('{"type":"hello","name":"x","share":true,"window":1}\n'));
      await until(() => heads.length === 2, "the welcome");
    }
    for (const id of ["1", "2", "3"]) await post(server, texts(id));
    await until(() => one.heads.length === 3 && two.heads.length === 3, "one for each");
    assertEquals([numbersOf(one.heads), numbersOf(two.heads)], [[1], [2]]);
    // Neither those of the other, nor those not sent yet, nor those that do not exist.
    two.client.send(encode('{"type":"ack","seqs":[1,3,99,2]}\n'));
    await until(() => two.heads.length === 4, "the next one");
    assertEquals([numbersOf(two.heads), await journal.cursor("x")], [[2, 3], 0]);
    one.client.send(encode('{"type":"ack","seqs":[3,2]}\n'));
    await one.client.disconnect();
    await until(() => server.connections.size === 1, "the end");
    two.client.send(encode('{"type":"ack","seqs":[3]}\n'));
    await until(() => two.heads.length === 5, "what the other had");
    assertEquals(two.heads[4]!.redelivered, true);
    assertEquals([numbersOf(two.heads), await journal.cursor("x")], [[2, 3, 1], 0]);
    two.client.send(encode('{"type":"ack","seqs":[1]}\n'));
    await post(server, texts("4"));
    await until(() => two.heads.length === 6, "the last one");
    assertEquals(await journal.cursor("x"), 3);
    assert(two.client.active);
    await two.client.disconnect();
  });
});
