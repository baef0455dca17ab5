/** Bytes of programs between `WhatsAppServer` and `WhatsAppReceiver`, beside the notifications. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError, type WebSocketError } from "../../base/errors.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import { INBOX_PROTOCOL, INBOX_PROTOCOL_V2 } from "../../inbox/protocol.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { BroadcastChannelBackplane } from "../../pubsub/broadcast_channel.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { WebSocketClient } from "../../client.ts";
import { WhatsAppReceiver, type WhatsAppReceiverOptions } from "../../whatsapp.ts";
import { PageReceiver } from "../support/page.ts";
import { assertSameBytes, encode, Random, settle, until } from "../support/support.ts";
import {
  connect,
  makeReceiver,
  post,
  SECRET,
  startServer,
  type TestServer,
  texts,
  urlOf,
} from "../support/whatsapp.ts";

const random = new Random(Number(Date.now() % 1000));
/** Each could be taken for something else: nothing, a message of the subprotocol, its line, many frames. */
const PAYLOADS: readonly Uint8Array<ArrayBuffer>[] = [
  new Uint8Array(0),
  Uint8Array.of(10),
  encode("{}\n"),
  encode('{"type":"data"}\n'),
  encode('{"type":"ack","seqs":[1]}\n'),
  encode('{"type":"welcome","journal":"j","after":0,"last":0,"window":1}\n'),
  random.bytes(300),
  random.bytes(70_000),
  new Uint8Array(1024 * 1024 - 16).fill(7),
];

/** Collects the bytes that a receiver, or a server, gets. */
class Got {
  readonly all: Uint8Array[] = [];
  readonly take = (bytes: Uint8Array): void => void this.all.push(bytes);

  async expect(expected: readonly Uint8Array[]): Promise<void> {
    await until(() => this.all.length >= expected.length, `${expected.length} messages`);
    assertEquals(this.all.length, expected.length);
    for (const [at, bytes] of expected.entries()) {
      assertSameBytes(this.all[at]!, bytes);
      // As each binary message: `new DataView(bytes.buffer)` sees the message.
      assertEquals([this.all[at]!.byteOffset, this.all[at]!.buffer.byteLength], [0, bytes.length]);
    }
    this.all.length = 0;
  }
}

/** Makes a receiver as in a page. */
async function connectPage(server: TestServer, options: WhatsAppReceiverOptions): Promise<WhatsAppReceiver> {
  const receiver = new PageReceiver(urlOf(server).replace("http", "ws"), { receiverToken: "token", ...options });
  await receiver.connect();
  return receiver;
}

/** A server with one subprotocol that speaks by hand, as servers before version 2. */
async function startByHand(options: WebSocketServerOptions): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ hostname: "127.0.0.1", port: 0, protocols: [INBOX_PROTOCOL], ...options });
  await server.start();
  return { server, url: `ws://127.0.0.1:${server.address!.port}/` };
}

const WELCOME = encode('{"type":"welcome","journal":"j","after":0,"last":0,"window":256}\n');

describe("bytes of the server's program", () => {
  for (const [place, join] of [["", connect], [" in a page", connectPage]] as const) {
    it(`reach onBinaryDataReceived of a receiver unchanged${place}, by each way to send`, async () => {
      await using server = await startServer({ onAllow: (connection) => (connection.subscribe("all"), true) });
      const got = new Got();
      const receiver = await join(server, { onBinaryDataReceived: got.take });
      const [connection] = server.connections;
      const ways: ((bytes: Uint8Array) => unknown)[] = [
        (bytes) => assertEquals(server.broadcastData(bytes), 1),
        (bytes) => assertEquals(server.sendDataTo(bytes, () => true), 1),
        (bytes) => assertEquals(server.publish("all", bytes), 1),
        (bytes) => connection!.send(bytes),
        (bytes) => connection!.sendFrame(Opcode.Binary, bytes, true),
      ];
      for (const send of ways) {
        for (const bytes of PAYLOADS) {
          send(bytes);
          await connection!.drained();
        }
        await got.expect(PAYLOADS);
      }
      assertEquals(receiver.protocol, INBOX_PROTOCOL_V2);
      await receiver.disconnect();
      assertEquals(server.errors, []);
    });
  }

  it("come in fragments, compressed and split, and through streams", async () => {
    await using server = await startServer({ compression: { threshold: 0 }, splitMessage: true, frameSize: 100 });
    const got = new Got();
    const receiver = await connect(server, { onBinaryDataReceived: got.take, maxFragments: 0 });
    const [connection] = server.connections;
    const short = PAYLOADS.filter(({ length }) => length < 1000);
    for (const bytes of short) assertEquals(server.broadcastData(bytes), 1);
    await got.expect(short);
    const writer = connection!.writable.getWriter();
    for (const bytes of short) await writer.write(bytes);
    await got.expect(short);
    const message = connection!.messageWriter(Opcode.Binary).getWriter();
    await message.write("a text, ");
    await message.write(encode("and bytes"));
    await message.close();
    const empty = connection!.messageWriter(Opcode.Binary).getWriter();
    await empty.close();
    connection!.sendFrame(Opcode.Binary, new Uint8Array(0), false);
    connection!.sendFrame(Opcode.Continuation, encode("later"), true);
    await got.expect([encode("a text, and bytes"), new Uint8Array(0), encode("later")]);
    await receiver.disconnect();
  });

  it("come through a backplane, to the receivers of the other node", async () => {
    await using backplane = new BroadcastChannelBackplane("program-bytes");
    await using another = new BroadcastChannelBackplane("program-bytes");
    await using one = await startServer({ backplane });
    await using other = await startServer({ backplane: another });
    const got = new Got();
    const receiver = await connect(other, { onBinaryDataReceived: got.take });
    await until(() => other.connections.size === 1, "the receiver");
    const [connection] = other.connections;
    await connection!.subscribe("all");
    const bytes = PAYLOADS.filter(({ length }) => length < 1000);
    for (const each of bytes) assertEquals(one.broadcastData(each), 0);
    await got.expect(bytes);
    for (const each of bytes) assertEquals(one.publish("all", each), 0);
    await got.expect(bytes);
    await receiver.disconnect();
  });

  it("are sent before the hello has come too, in order with texts, and none is lost", async () => {
    await using server = await startServer({
      onHandshakeResponseSent: (connection) => {
        connection.send("one");
        connection.send(Uint8Array.of(2));
        connection.send("three");
        connection.send(Uint8Array.of(4));
      },
    });
    const got: unknown[] = [];
    const receiver = await connect(server, {
      onMessageReceived: (text) => void got.push(text),
      onBinaryDataReceived: (bytes) => void got.push(...bytes),
    });
    await until(() => got.length === 4, "all");
    assertEquals(got, ["one", 2, "three", 4]);
    await receiver.disconnect();
  });

  it("go beside notifications, and take no part in their acknowledgement", async () => {
    await using server = await startServer();
    const got = new Got();
    const ids: string[] = [];
    const receiver = await connect(server, {
      name: "bot",
      window: 1,
      onBinaryDataReceived: (bytes) => got.take(bytes),
      onWhatsAppMessageReceived: ({ id }) => void ids.push(id),
    });
    for (const id of ["1", "2", "3"]) {
      await post(server, texts(id));
      server.broadcastData(encode(id));
    }
    await until(() => ids.length === 3, "the notifications");
    await got.expect(["1", "2", "3"].map(encode));
    // Never taken for a notification.
    server.broadcastData(encode(texts("4")));
    await got.expect([encode(texts("4"))]);
    assertEquals([ids, receiver.position?.after], [["1", "2", "3"], 3]);
    await receiver.disconnect();
  });

  it("need no handler: beside other handlers they are let go, and nothing waits", async () => {
    await using server = await startServer();
    const ids: string[] = [];
    const receiver = await connect(server, { onWhatsAppMessageReceived: ({ id }) => void ids.push(id) });
    for (let sent = 0; sent < 20; sent++) {
      server.broadcastData(PAYLOADS.at(-1)!);
      for (const connection of server.connections) await connection.drained();
    }
    await post(server, texts("1"));
    await until(() => ids.length === 1, "the notification");
    assert(receiver.active);
    // What waited would come now.
    receiver.onBinaryDataReceived = () => void ids.push("bytes");
    await settle();
    assertEquals(ids, ["1"]);
    await receiver.disconnect();
  });

  it("wait for the first handler or loop up to 8 MiB; more ends the connection, as texts do", async () => {
    await using server = await startServer();
    const errors: WebSocketError[] = [];
    const receiver = await connect(server, { onError: (error) => errors.push(error as WebSocketError) });
    for (let sent = 0; sent < 10; sent++) server.broadcastData(PAYLOADS.at(-1)!);
    assertEquals((await receiver.connection!.closed).sent?.code, 1008);
    await until(() => errors.length === 1, "the error");
    assertEquals(errors[0]!.code, "ERR_SLOW_CONSUMER");
  });

  it("come in loops as texts do, raw and in order; loops over records pass them over", async () => {
    await using server = await startServer();
    const receiver = await connect(server);
    await until(() => server.broadcastData(Uint8Array.of(1)) === 1, "the receiver");
    server.broadcastMessage("two");
    server.broadcastData(encode(texts("3")));
    server.broadcastMessage(texts("4"));
    const got: unknown[] = [];
    for await (const message of receiver) {
      got.push(typeof message === "string" ? message : [...message]);
      if (got.length === 3) break;
    }
    // Bytes are never taken for a notification: only the text is one.
    assertEquals(got, [[1], "two", [...encode(texts("3"))]]);
    for await (const { id } of receiver.messages) {
      assertEquals(id, "4");
      break;
    }
    await receiver.disconnect();
  });

  it("go to the handler only where signatures are checked, and must not look like a notification", async () => {
    await using server = await startServer();
    const got = new Got();
    const errors: WebSocketError[] = [];
    const options = {
      onBinaryDataReceived: got.take,
      onError: (error: unknown) => errors.push(error as WebSocketError),
    };
    const receiver = await connect(server, { ...options, appSecret: SECRET });
    const next = receiver.notifications.next();
    await until(() => server.broadcastData(PAYLOADS[6]!) === 1, "the receiver");
    await got.expect([PAYLOADS[6]!]);
    await post(server, texts("1"));
    assertEquals((await next).value?.seq, 1);
    server.broadcastData(encode(texts("2")));
    assertEquals((await receiver.connection!.closed).sent?.code, 1008);
    assertEquals(errors.map(({ code }) => code), ["ERR_SIGNATURE"]);
    assertEquals(got.all, []);
  });

  it("end the receiver with 1009 beyond its maxMessageSize, the line included", async () => {
    await using server = await startServer();
    const got = new Got();
    const receiver = await connect(server, { maxMessageSize: 1000, onBinaryDataReceived: got.take });
    server.broadcastData(new Uint8Array(984));
    await got.expect([new Uint8Array(984)]);
    server.broadcastData(new Uint8Array(985));
    assertEquals((await receiver.connection!.closed).sent?.code, 1009);
  });
});

describe("bytes of the receiver's program", () => {
  for (const [place, join] of [["", connect], [" in a page", connectPage]] as const) {
    it(`reach onBinaryDataReceived of the server unchanged${place}, from connect() on`, async () => {
      const got = new Got();
      const from: unknown[] = [];
      await using server = await startServer({
        maxMessageSize: 1024 * 1024,
        onBinaryDataReceived: (connection, bytes) => {
          from.push(connection);
          got.take(bytes);
        },
      });
      const receiver = await join(server, {});
      for (const bytes of PAYLOADS) {
        receiver.send(bytes);
        await receiver.drained();
      }
      await got.expect(PAYLOADS);
      const writer = receiver.writable.getWriter();
      for (const bytes of PAYLOADS) await writer.write(bytes);
      await got.expect(PAYLOADS);
      const [connection] = server.connections;
      assert(from.every((each) => each === connection));
      await receiver.disconnect();
      assertEquals(server.errors, []);
    });
  }

  it("come in fragments, compressed, from onConnect on, and with texts in order", async () => {
    const got: unknown[] = [];
    await using server = await startServer({
      compression: true,
      onMessageReceived: (_, text) => void got.push(text),
      onBinaryDataReceived: (_, bytes) => void got.push([...bytes]),
    });
    const receiver = makeReceiver(server, {
      compression: { threshold: 0 },
      onConnect() {
        receiver.send("one");
        receiver.send(Uint8Array.of(2));
        receiver.sendFrame(Opcode.Binary, Uint8Array.of(3), false);
        receiver.sendFrame(Opcode.Continuation, Uint8Array.of(4), true);
        receiver.sendFrame(Opcode.Text, "fi", false);
        receiver.sendFrame(Opcode.Continuation, "ve", true);
      },
    });
    await receiver.connect();
    const writer = receiver.messageWriter(Opcode.Binary).getWriter();
    await writer.write(Uint8Array.of(6));
    await writer.write(Uint8Array.of(7));
    await writer.close();
    await until(() => got.length === 5, "all");
    assertEquals(got, ["one", [2], [3, 4], "five", [6, 7]]);
    await receiver.disconnect();
  });

  it("come frame by frame behind their line, wherever it is cut, and beside acknowledgements", async () => {
    const got: [number[], boolean, boolean, number][] = [];
    await using server = await startServer({
      options: { frameByFrame: true },
      onBinaryDataReceived: (_, bytes, frame) => void got.push([[...bytes], frame!.first, frame!.final, frame!.opcode]),
    });
    const line = '{"type":"data"}\n';
    for (let cut = 0; cut <= line.length; cut++) {
      const client = new WebSocketClient(urlOf(server).replace("http", "ws"), {
        protocols: [INBOX_PROTOCOL_V2],
        headers: { authorization: "Bearer token" },
        onBinaryDataReceived: () => {},
      });
      await client.connect();
      client.send(encode('{"type":"hello"}\n'));
      client.sendFrame(Opcode.Binary, line.slice(0, cut), false);
      client.sendFrame(Opcode.Continuation, `${line.slice(cut)}A`, false);
      client.sendFrame(Opcode.Continuation, "B", false);
      client.sendFrame(Opcode.Continuation, "C", true);
      client.send(encode('{"type":"ack","seqs":[]}\n'));
      client.send(encode(`${line}D`));
      await until(() => got.length >= 4 && got.at(-1)![2], `all, cut at ${cut}`);
      const parts: Record<string, boolean | number>[] = [];
      let start = true;
      let text = "";
      for (const [bytes, first, final, opcode] of got.splice(0)) {
        text += String.fromCharCode(...bytes) + (final ? "|" : "");
        parts.push({ first, opcode });
        assertEquals([first, opcode], [start, start ? Opcode.Binary : Opcode.Continuation]);
        start = final;
      }
      assertEquals(text, "ABC|D|");
      await client.disconnect();
    }
    assertEquals(server.errors, []);
  });

  it("hold acknowledgements back only while a message is sent frame by frame", async () => {
    await using server = await startServer();
    const ids: string[] = [];
    const receiver = await connect(server, {
      name: "bot",
      window: 2,
      onWhatsAppMessageReceived: ({ id }) => void ids.push(id),
    });
    // Nothing can come between the fragments: acknowledgements wait for the last one.
    receiver.sendFrame(Opcode.Binary, Uint8Array.of(1), false);
    for (const id of ["1", "2", "3", "4"]) await post(server, texts(id));
    await until(() => ids.length === 2, "as many as the window");
    await settle();
    assertEquals(ids, ["1", "2"]);
    receiver.sendFrame(Opcode.Continuation, Uint8Array.of(2), true);
    await until(() => ids.length === 4, "the rest");
    await receiver.disconnect();
  });

  it("may fill the buffer of a receiver that drops: acknowledgements are sent later", async () => {
    await using server = await startServer({ maxMessageSize: 0, onBinaryDataReceived: () => {} });
    const ids: string[] = [];
    const receiver: WhatsAppReceiver = await connect(server, {
      window: 1,
      maxBufferedAmount: 300_000,
      slowConsumer: "drop",
      onWhatsAppMessageReceived({ id }) {
        // In the turn of the acknowledgement nothing has left yet.
        while (receiver.send(new Uint8Array(1000)) !== "dropped");
        while (receiver.send("x") !== "dropped");
        ids.push(id);
      },
    });
    for (const id of ["1", "2", "3"]) await post(server, texts(id));
    await until(() => ids.length === 3, "all");
    await until(() => receiver.position?.after === 3, "the position");
    await receiver.disconnect();
  });

  it("show in loops over the connection at the server, without messages of the subprotocol", async () => {
    const got: unknown[] = [];
    await using server = await startServer({
      onHandshakeResponseSent: async (connection) => {
        for await (const message of connection) got.push(typeof message === "string" ? message : [...message]);
        got.push("end");
      },
    });
    const receiver = await connect(server, { onWhatsAppMessageReceived: () => {} });
    receiver.send("one");
    receiver.send(Uint8Array.of(2));
    await post(server, texts("1"));
    await until(() => receiver.position?.after === 1, "the notification");
    receiver.send(encode('{"type":"ack"}\n'));
    await receiver.disconnect();
    await until(() => got.at(-1) === "end", "the end");
    assertEquals(got, ["one", [2], [...encode('{"type":"ack"}\n')], "end"]);
  });

  it("are larger than 64 KiB, but a line is not, and maxMessageSize holds", async () => {
    const got = new Got();
    await using server = await startServer({ maxMessageSize: 200_000, onBinaryDataReceived: (_, b) => got.take(b) });
    const speak = async (message: Uint8Array): Promise<number> => {
      const client = new WebSocketClient(urlOf(server).replace("http", "ws"), {
        protocols: [INBOX_PROTOCOL_V2],
        headers: { authorization: "Bearer token" },
        onBinaryDataReceived: () => {},
      });
      await client.connect();
      client.send(message);
      client.send(encode("done"));
      return (await client.connection!.closed).code;
    };
    const padded = (size: number): Uint8Array => encode(`{"type":"data","pad":"${"x".repeat(size)}"}\nbody`);
    // What follows breaks the specification.
    assertEquals(await speak(padded(60_000)), 4400);
    await got.expect([encode("body")]);
    assertEquals(await speak(padded(66_000)), 4400);
    assertEquals(got.all, []);
    assertEquals(await speak(new Uint8Array(200_001)), 1009);
    const receiver = await connect(server);
    receiver.send(new Uint8Array(199_984));
    await got.expect([new Uint8Array(199_984)]);
    receiver.send(new Uint8Array(199_985));
    assertEquals((await receiver.connection!.closed).code, 1009);
  });
});

describe("messages of both programs", () => {
  const CASES = [
    { protocol: INBOX_PROTOCOL_V2, bytes: true },
    { protocol: INBOX_PROTOCOL, bytes: false },
    { protocol: "whatsapp-notifications", bytes: true },
  ];
  for (const { protocol, bytes } of CASES) {
    it(`go both ways with ${protocol}: texts${bytes ? " and bytes" : ""}, by each member`, async () => {
      const [atServer, atReceiver]: unknown[][] = [[], []];
      await using server = await startServer({
        onAllow: (connection) => (connection.subscribe("all"), true),
        onMessageReceived: (_, text) => void atServer!.push(text),
        onBinaryDataReceived: (_, data) => void atServer!.push([...data]),
      });
      const receiver = await connect(server, {
        protocols: [protocol],
        onMessageReceived: (text) => void atReceiver!.push(text),
        onBinaryDataReceived: (data) => void atReceiver!.push([...data]),
      });
      await until(() => server.connections.size === 1, "the receiver");
      const [connection] = server.connections;
      const texts = ["", "ü \u{1f600}", '{"type":"data"}\n', "{}", "last"];
      const data = bytes ? [Uint8Array.of(0), new Uint8Array(0), encode('{"type":"data"}\n{"object":')] : [];
      const all = [...texts, ...data.map((each) => [...each])];
      for (const text of texts) server.broadcastMessage(text);
      for (const each of data) server.broadcastData(each);
      for (const text of texts) server.sendMessageTo(text, () => true);
      for (const each of data) server.sendDataTo(each, () => true);
      for (const message of [...texts, ...data]) server.publish("all", message);
      for (const message of [...texts, ...data]) connection!.send(message);
      for (const message of [...texts, ...data]) receiver.send(message);
      for (const message of [...texts, ...data]) receiver.connection!.send(message);
      await until(() => atReceiver!.length === 4 * all.length && atServer!.length === 2 * all.length, "all");
      assertEquals([atReceiver, atServer], [[...all, ...all, ...all, ...all], [...all, ...all]]);
      assert(receiver.active);
      await receiver.disconnect();
      assertEquals(server.errors, []);
    });
  }
});

describe("bytes and peers that speak version 1", () => {
  it("never reach an earlier receiver: it stays, others get them, and the server's onError names it once", async () => {
    await using server = await startServer({ onAllow: (connection) => (connection.subscribe("all"), true) });
    const got = new Got();
    const old = await connect(server, { protocols: [INBOX_PROTOCOL], onBinaryDataReceived: got.take });
    await until(() => server.connections.size === 1, "the first");
    const [oldConnection] = server.connections as Set<WebSocketConnection>;
    // To it alone: a count of 0, and no exception.
    assertEquals(server.broadcastData(Uint8Array.of(1)), 0);
    const recent = await connect(server, { onBinaryDataReceived: got.take });
    await until(() => server.connections.size === 2, "the second");
    assertEquals(server.broadcastData(Uint8Array.of(2)), 1);
    assertEquals(server.publish("all", Uint8Array.of(3)), 1);
    assertEquals(server.broadcastMessage("text"), 2);
    await got.expect([Uint8Array.of(2), Uint8Array.of(3)]);
    assertEquals(server.errors.map(({ code }) => code), ["ERR_UNSUPPORTED"]);
    const { hostname, port } = oldConnection!.remoteAddress;
    const expected = `Cannot send bytes: the receiver at ${hostname}:${port} speaks "whatsapp-inbox.v1", which ` +
      'carries none; both sides need "whatsapp-inbox.v2" in "protocols"';
    assertEquals(server.errors[0]!.message, expected);
    assertThrows(() => oldConnection!.send(Uint8Array.of(4)), StateError, expected);
    assertThrows(() => oldConnection!.sendFrame(Opcode.Binary, Uint8Array.of(4), true), StateError, expected);
    assertThrows(() => oldConnection!.messageWriter(Opcode.Binary), StateError, expected);
    assert(old.active && recent.active);
    await Promise.all([old.disconnect(), recent.disconnect()]);
  });

  it("are not sent to an earlier server, which would close with 4400: send throws", async () => {
    const received: string[] = [];
    const { server, url } = await startByHand({
      onBinaryDataReceived: (_, bytes) => void received.push(new TextDecoder().decode(bytes)),
    });
    const receiver = new WhatsAppReceiver(url);
    await receiver.connect();
    assertEquals(receiver.protocol, INBOX_PROTOCOL);
    const expected = 'Cannot send bytes: the server speaks "whatsapp-inbox.v1", which carries none; both sides need ' +
      '"whatsapp-inbox.v2" in "protocols"';
    const error = assertThrows(() => receiver.send(Uint8Array.of(1)), StateError, expected);
    assertEquals(error.code, "ERR_UNSUPPORTED");
    assertThrows(() => receiver.messageWriter(Opcode.Binary), StateError, expected);
    assertThrows(() => receiver.sendFrame(Opcode.Binary, "x", true), StateError, expected);
    assertThrows(() => receiver.send(1 as never), OptionError);
    receiver.send("text");
    await receiver.disconnect();
    assertEquals(received, ['{"type":"hello"}\n']);
    await server.stop();
  });

  it("that were queued for a connection are reported, and do not hold up texts behind them", async () => {
    const received: string[] = [];
    const { server, url } = await startByHand({ onMessageReceived: (_, text) => void received.push(text) });
    const errors: WebSocketError[] = [];
    const receiver = new WhatsAppReceiver(url, {
      reconnect: { maxQueuedSize: 1000, minDelay: 1 },
      onError: (error) => errors.push(error as WebSocketError),
    });
    const connected = receiver.connect();
    assertEquals([receiver.send(Uint8Array.of(1)), receiver.send("text")], ["queued", "queued"]);
    await connected;
    await until(() => received.length === 1, "the text");
    assertEquals([received, errors.map(({ code }) => code)], [["text"], ["ERR_UNSUPPORTED"]]);
    await receiver.disconnect();
    await server.stop();
  });

  it("of an earlier server's program come as they are, and end nothing", async () => {
    const payloads = PAYLOADS.filter((_, at) => ![3, 4, 5].includes(at));
    const { server, url } = await startByHand({
      onHandshakeResponseSent: (connection) => {
        connection.send(payloads[0]!);
        connection.send(WELCOME);
        for (const bytes of payloads) connection.send(bytes);
      },
    });
    const got = new Got();
    const receiver = new WhatsAppReceiver(url, { onBinaryDataReceived: got.take });
    await receiver.connect();
    await got.expect([payloads[0]!, ...payloads]);
    assert(receiver.active);
    await receiver.disconnect();
    await server.stop();
  });

  it("stay what they were for earlier receivers that speak by hand: 4400", async () => {
    const [got, atServer] = [new Got(), new Got()];
    await using server = await startServer({ onBinaryDataReceived: (_, bytes) => atServer.take(bytes) });
    const client = new WebSocketClient(urlOf(server).replace("http", "ws"), {
      protocols: [INBOX_PROTOCOL],
      headers: { authorization: "Bearer token" },
      onBinaryDataReceived: got.take,
    });
    await client.connect();
    // In version 1 it is a type that is not known.
    client.send(encode('{"type":"data"}\nbytes'));
    client.send(encode('{"type":"hello"}\n'));
    await until(() => got.all.length === 2, "the welcome");
    client.send(Uint8Array.of(1));
    assertEquals((await client.connection!.closed).code, 4400);
    assertEquals(atServer.all, []);
  });
});
