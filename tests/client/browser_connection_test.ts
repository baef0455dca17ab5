/**
 * The client and the receiver over the `WebSocket` of the platform, as in a page: with those of Deno and Bun, and with
 * a fake one. The same in Chromium: `chromium_test.ts`.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runInNewContext } from "node:vm";
import type { SendBytes } from "../../protocol/payload.ts";
import { BrowserConnection } from "../../client/browser_connection.ts";
import type { WebSocketClient, WebSocketClientOptions } from "../../client.ts";
import {
  type CloseInfo,
  CONNECTION_DEFAULTS,
  type ConnectionOptions,
  type ConnectionStart,
  type MessageResult,
} from "../../connection/options.ts";
import type { ClientConnectionHandler, ConnectPlan } from "../../client/connector.ts";
import { ConnectionClosedError, OptionError, StateError, TransportError, WebSocketError } from "../../base/errors.ts";
import { BinaryForm } from "../../connection/binary_form.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import type { WebSocketServerOptions } from "../../server.ts";
import { signNotification, tokenProtocol, WhatsAppServer } from "../../whatsapp.ts";
import { describePages, FakeSocket, PageClient, PageReceiver } from "../support/page.ts";
import { assertSame, urlOf } from "../support/peers.ts";
import { messages } from "../peers/messages.mjs";
import { defer, encode, FakeClock, settle, startEcho, until } from "../support/support.ts";

async function connectTo(
  serverOptions: WebSocketServerOptions = {},
  options: WebSocketClientOptions = {},
  Client: typeof WebSocketClient = PageClient,
): Promise<{ client: WebSocketClient; stop: () => Promise<void> }> {
  const server = await startEcho(serverOptions);
  const client = new Client(urlOf(server), options);
  await client.connect();
  return { client, stop: () => server.stop() };
}

async function failure(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, WebSocketError)).code;
}

describePages("WebSocketClient in a page", (Client, itHasAll) => {
  it("echoes every kind of message, iterating, and closes cleanly with a code and reason", async () => {
    const { client, stop } = await connectTo({ maxMessageSize: 0 }, { maxMessageSize: 0 }, Client);
    const echoes = client[Symbol.asyncIterator]();
    for (const message of messages()) {
      client.send(message);
      assertSame((await echoes.next()).value, message);
    }
    const info = (await client.disconnect(true, 4321, "enough"))!;
    assertEquals([info.code, info.clean, info.sent], [4321, true, { code: 4321, reason: "enough" }]);
    assertEquals((await echoes.next()).done, true);
    assertEquals(client.state, "closed");
    await stop();
  });

  it("calls its handlers in the order of a connection's life", async () => {
    const events: string[] = [];
    const server = await startEcho({ protocols: ["b"] });
    const client = new Client(urlOf(server, "/path?q=1"), {
      protocols: ["a", "b"],
      onConnect: () => void events.push("connect"),
      onMessageReceived: (text) => void events.push(`text ${text}`),
      onBinaryDataReceived: (bytes) => void events.push(`binary ${bytes}`),
      onClose: (code, reason) => void events.push(`close ${code} ${reason}`),
      onDisconnect: ({ code, clean }) => void events.push(`disconnect ${code} ${clean}`),
    });
    await client.connect();
    assertEquals([client.url, client.protocol], [urlOf(server, "/path?q=1"), "b"]);
    client.send("one");
    client.send(Uint8Array.of(2));
    await until(() => events.includes("binary 2"), "the echoes");
    for (const connection of server.connections) connection.close(4000, "bye");
    const info = await client.connection!.closed;
    assertEquals(info.received, { code: 4000, reason: "bye" });
    assertEquals(events, [
      "connect",
      "text one",
      "binary 2",
      "close 4000 bye",
      "disconnect 4000 true",
    ]);
    await server.stop();
  });

  itHasAll("calls its handlers of the handshake before, and describes the request", async () => {
    const events: string[] = [];
    const server = await startEcho({ protocols: ["b"] });
    const client = new Client(urlOf(server, "/path?q=1"), {
      protocols: ["a", "b"],
      onSendHandshake: ({ url }) => void events.push(`send ${new URL(url).pathname}`),
      onHandshakeResponse: ({ status, protocol }) => void events.push(`response ${status} ${protocol}`),
      onConnect: () => void events.push("connect"),
    });
    await client.connect();
    const { request, encrypted, role } = client.connection!;
    assertEquals([request.path, request.query, encrypted, role], ["/path", "q=1", false, "client"]);
    assertEquals(events, ["send /path", "response 101 b", "connect"]);
    await client.disconnect();
    await server.stop();
  });

  it("reports every loss: of the server, by terminate, by disconnect(false)", async () => {
    for (const lose of ["server", "terminate", "disconnect"]) {
      const events: string[] = [];
      const server = await startEcho();
      const client = new Client(urlOf(server), {
        onConnect: () => void events.push("connect"),
        onClose: () => void events.push("close"),
        onDisconnect: ({ code, clean }) => void events.push(`disconnect ${code} ${clean}`),
      });
      await client.connect();
      await until(() => server.connections.size === 1, "the server's view");
      const read = client[Symbol.asyncIterator]().next();
      if (lose === "server") { for (const connection of server.connections) connection.terminate(); }
      if (lose === "terminate") client.connection!.terminate();
      if (lose === "disconnect") await client.disconnect(false);
      assertEquals((await client.connection!.closed).code, 1006);
      assertEquals((await assertRejects(() => read, TransportError)).code, "ERR_CONNECTION_LOST");
      assertEquals(events, ["connect", "disconnect 1006 false"], lose);
      assertThrows(() => client.send("late"), StateError, "the connection is closed");
      await until(() => server.connections.size === 0, "the server's view of the end");
      await client.connect();
      await client.disconnect();
      await server.stop();
    }
  });

  it("sends bytes of each kind and Blobs, in order, and gives the next message", async () => {
    const { client, stop } = await connectTo({}, {}, Client);
    const shared = new SharedArrayBuffer(2);
    new Uint8Array(shared).set([65, 66]);
    const kinds: SendBytes[] = [
      encode("AB"),
      encode("AB").buffer,
      new DataView(encode("AB").buffer),
      new Uint16Array([0x4241]),
      shared,
      new Uint8Array(shared),
      new Blob(["AB"]),
      runInNewContext("Uint8Array.of(65, 66)"),
      runInNewContext("Uint8Array.of(65, 66).buffer"),
    ];
    for (const kind of kinds) assertEquals(client.send(kind), "sent");
    client.send("end");
    for (const _ of kinds) assertEquals(await client.receive(), encode("AB"));
    assertEquals(await client.receive(), "end");
    for (const wrong of [5, undefined, [1], {}]) {
      assertThrows(() => client.send(wrong as unknown as string), OptionError, "neither a string nor bytes");
    }
    const gone = new Uint8Array(4);
    gone.buffer.transfer();
    assertThrows(() => client.send(gone), OptionError, "detached");
    const waiting = client.receive();
    await client.disconnect(true, 4001, "enough");
    const error = await assertRejects(() => waiting, ConnectionClosedError, "closed with 4001");
    assertEquals([error.closeCode, error.reason], [4001, ""]);
    await stop();
  });

  it("rejects receive() with 1006 when the connection is lost", async () => {
    const { client, stop } = await connectTo({ onMessageReceived: (connection) => connection.terminate() }, {}, Client);
    client.send("x");
    const error = await assertRejects(() => client.receive(), ConnectionClosedError, "the connection was lost");
    assertEquals([error.closeCode, error.reason], [1006, ""]);
    assertInstanceOf(error.cause, TransportError);
    await stop();
  });

  itHasAll("throws for each member that a browser does not offer", async () => {
    const { client, stop } = await connectTo({}, {}, Client);
    const connection = client.connection!;
    for (
      const call of [
        () => client.ping(),
        () => client.pong(),
        () => client.sendFrame(Opcode.Text, "a", true),
        () => client.messageWriter(Opcode.Text),
        () => connection.sendSimpleFrame(Opcode.Ping),
        () => connection.remoteAddress,
        () => connection.localAddress,
        () => void connection.close(1001),
      ]
    ) {
      const error = assertThrows(call, StateError, "a browser");
      assertEquals(error.code, "ERR_UNSUPPORTED");
    }
    assertThrows(() => connection.close(1005), OptionError);
    assertThrows(() => connection.close(4000, "x".repeat(124)), OptionError);
    client.send("still open");
    assertEquals((await client[Symbol.asyncIterator]().next()).value, "still open");
    await stop();
  });

  it("closes without a code when a handler fails, and says which", async () => {
    const errors: unknown[] = [];
    const closed = defer<number>();
    const server = await startEcho({ onClose: (_, code) => closed.resolve(code) });
    const client = new Client(urlOf(server), {
      onMessageReceived: () => {
        throw new Error("mine");
      },
      onError: (error) => void errors.push(error),
    });
    await client.connect();
    client.send("a");
    assertEquals(await closed.promise, 1005);
    await client.connection!.closed;
    assertEquals(errors.map((error) => (error as WebSocketError).code), ["ERR_HANDLER"]);
    await server.stop();
  });

  itHasAll("streams both ways", async () => {
    const { client, stop } = await connectTo({}, {}, Client);
    const source = ["one", "two", Uint8Array.of(3)];
    const writer = client.writable.getWriter();
    for (const message of source) await writer.write(message);
    const reader = client.readable.getReader();
    for (const message of source) assertSame((await reader.read()).value, message);
    await client.drained();
    await writer.close();
    assertEquals((await client.connection!.closed).code, 1000);
    assertEquals((await reader.read()).done, true);
    await client.connect();
    await client.writable.abort();
    assertEquals((await client.connection!.closed).sent?.code, 1005);
    await stop();
  });

  itHasAll("fetches message by message with checkIncoming, then closed", async () => {
    const got: string[] = [];
    const { client, stop } = await connectTo({}, {
      autoCheckMessages: false,
      checkTimeout: 20,
      onMessageReceived: (text) => void got.push(text),
    });
    assertEquals(await client.checkIncoming(), "none");
    client.checkTimeout = 10_000;
    client.send("one");
    client.send("two");
    assertEquals([await client.checkIncoming(), [...got]], ["message", ["one"]]);
    assertEquals([await client.checkIncoming(), [...got]], ["message", ["one", "two"]]);
    await stop();
    assertEquals(await client.checkIncoming(), "closed");
  });
});

// ---- A socket that the test plays -------------------------------------------------------------------------------

class Log implements ClientConnectionHandler {
  events: string[] = [];
  info: CloseInfo | undefined;
  onMessage: (data: string | Uint8Array) => MessageResult = () => {};
  message(data: string | Uint8Array): MessageResult {
    this.events.push(String(data));
    return this.onMessage(data);
  }
  ping(): void {}
  pong(): void {}
  close(code: number): void {
    this.events.push(`close ${code}`);
  }
  disconnect(info: CloseInfo): void {
    this.events.push(`disconnect ${info.code}`);
    this.info = info;
  }
  error(error: unknown): void {
    this.events.push(`error ${(error as WebSocketError).code}`);
  }
}

interface Rig {
  socket: FakeSocket;
  connection: BrowserConnection;
  log: Log;
  clock: FakeClock;
}

function makeRig(options: ConnectionOptions = {}, start: ConnectionStart = {}, begin = true): Rig {
  const socket = new FakeSocket();
  const clock = new FakeClock();
  const settings = { ...CONNECTION_DEFAULTS, clock, ...options };
  const plan = {
    tls: true,
    target: "/a?b?c",
    headers: new Headers(),
    protocols: [],
    settings,
  } as unknown as ConnectPlan;
  const connection = new BrowserConnection(socket as unknown as WebSocket, plan);
  const log = new Log();
  connection.attach(log, start);
  if (begin) connection.begin();
  return { socket, connection, log, clock };
}

describe("BrowserConnection", () => {
  it("delivers messages, and a close, that were received before it started", async () => {
    const { socket, connection, log } = makeRig({}, {}, false);
    socket.receive("one", new Uint8Array([2, 3]).buffer);
    socket.end(1000, "done");
    assertEquals(log.events, []);
    connection.begin();
    assertEquals(log.events, ["one", "2,3", "close 1000", "disconnect 1000"]);
    assertEquals(await connection.closed, {
      code: 1000,
      reason: "done",
      clean: true,
      opened: true,
      received: { code: 1000, reason: "done" },
      sent: { code: 1000, reason: "" },
    });
    assertEquals(connection.extensions, [
      {
        name: "permessage-deflate",
        parameters: [["server_no_context_takeover", true], ["client_max_window_bits", "15"]],
      },
      { name: "x-other", parameters: [] },
    ]);
    assertEquals([socket.binaryType, connection.request.query, connection.bufferedAmount], ["arraybuffer", "b?c", 0]);
  });

  it("delivers in batches, and all that waits when the end comes", () => {
    const { socket, connection, log } = makeRig({}, { delivery: "batched" });
    socket.receive("one", "two");
    assertEquals(log.events, []);
    connection.deliverBatch();
    assertEquals(log.events, ["one", "two"]);
    socket.receive("three");
    socket.end(1001);
    assertEquals(log.events, ["one", "two", "three", "close 1001", "disconnect 1001"]);
  });

  it("delivers one message a step, and the end behind the last one", async () => {
    const { socket, connection, log, clock } = makeRig({}, { delivery: "step" });
    socket.receive("one", "two");
    socket.end(1000);
    assertEquals([await connection.step(0), [...log.events]], ["message", ["one"]]);
    assertEquals([await connection.step(0), log.events.slice(0, 2)], ["message", ["one", "two"]]);
    assertEquals(log.events.slice(2), ["close 1000", "disconnect 1000"]);
    assertEquals([await connection.step(0), clock.pending], ["closed", 0]);
  });

  it("ends a step in time, at the next message, at the end, and refuses a second one meanwhile", async () => {
    const { socket, connection, clock } = makeRig({}, { delivery: "step" });
    const none = connection.step(100);
    assertThrows(() => connection.step(100), StateError, "running already");
    clock.advance(100);
    assertEquals(await none, "none");
    const message = connection.step(100);
    socket.receive("one", "two");
    assertEquals([await message, await connection.step(100)], ["message", "message"]);
    const closed = connection.step(100);
    socket.end();
    assertEquals([await closed, clock.pending], ["closed", 0]);
  });

  it("changes its delivery at once", () => {
    const { socket, connection, log } = makeRig({}, { delivery: "step" });
    socket.receive("one");
    connection.setDelivery("batched");
    assertEquals(log.events, []);
    connection.setDelivery("immediate");
    assertEquals(log.events, ["one"]);
    connection.setDelivery("step");
    socket.receive("two");
    assertEquals(log.events, ["one"]);
  });

  it("holds messages until a handler is set, then delivers them in order", () => {
    const { socket, connection, log } = makeRig({}, { waitForHandler: true });
    socket.receive("one", "two");
    assertEquals(log.events, []);
    log.onMessage = () => {
      log.onMessage = () => {};
      socket.receive("three");
    };
    connection.releaseMessages();
    assertEquals(log.events, ["one", "two", "three"]);
    connection.releaseMessages();
    socket.receive("four");
    assertEquals(log.events.at(-1), "four");
  });

  it("queues at most 64 KiB for an iterator, holds the rest, and fails beyond the limit", async () => {
    const { socket, connection, log } = makeRig({ maxMessageSize: 1000 });
    const reader = connection.readable.getReader();
    const chunk = "x".repeat(1000);
    let count = 0;
    while (connection.state === "open" && count < 10_000) {
      socket.receive(chunk);
      count++;
    }
    const kept = count * 1064;
    assert(kept > 1024 * 1024 && kept < 1024 * 1024 + 80_000, `${kept} bytes`);
    assertEquals(await reader.read().then(({ value }) => value), chunk);
    await settle();
    assertEquals(log.events.slice(-2), ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
    assertEquals(socket.closes, [[]]);
  });

  it("lets the reader go on when there is room again, without a gap", async () => {
    const { socket, connection } = makeRig();
    const echoes = connection[Symbol.asyncIterator]();
    for (let index = 0; index < 200; index++) socket.receive(`${index} ${"x".repeat(1000)}`);
    for (let index = 0; index < 200; index++) {
      assertStringIncludes((await echoes.next()).value as string, `${index} x`);
    }
    socket.end(1000);
    assertEquals((await echoes.next()).done, true);
  });

  it("refuses a message beyond maxMessageSize, and all that follow it", () => {
    const { socket, log } = makeRig({ maxMessageSize: 4 });
    socket.receive("1234", "éé", "ééé", "5678", new ArrayBuffer(5));
    assertEquals(log.events, ["1234", "éé", "error ERR_MESSAGE_TOO_LARGE"]);
    assertEquals(socket.closes, [[undefined, undefined]]);
    // The answer to a failure is of no interest.
    socket.end(1005);
    assertEquals(log.events.slice(3), ["disconnect 1006"]);
    assertEquals(log.info, { code: 1006, reason: "", clean: false, opened: true, sent: { code: 1005, reason: "" } });
  });

  it("reports an oversized message after those before it, in each delivery mode", async () => {
    const batched = makeRig({ maxMessageSize: 4 }, { delivery: "batched" });
    batched.socket.receive("one", "two", "three", "four");
    batched.connection.deliverBatch();
    assertEquals(batched.log.events, ["one", "two", "error ERR_MESSAGE_TOO_LARGE"]);
    const stepped = makeRig({ maxMessageSize: 4 }, { delivery: "step" });
    stepped.socket.receive("one", "three");
    assertEquals([await stepped.connection.step(0), stepped.log.events], ["message", ["one"]]);
    const next = stepped.connection.step(0);
    assertEquals(stepped.log.events.at(-1), "error ERR_MESSAGE_TOO_LARGE");
    stepped.socket.end(1005);
    assertEquals(await next, "closed");
  });

  it("reports a failure to iterators even if the server answers the close frame", async () => {
    const { socket, connection } = makeRig({ maxMessageSize: 4 });
    const messages = connection[Symbol.asyncIterator]();
    socket.receive("one", "three");
    socket.end(1005);
    assertEquals((await messages.next()).value, "one");
    assertEquals(await failure(() => messages.next()), "ERR_CONNECTION_LOST");
  });

  it("loses none of many messages when the server closes while the program is slow", async () => {
    const { socket, connection } = makeRig();
    const messages = connection[Symbol.asyncIterator]();
    for (let index = 0; index < 15_000; index++) socket.receive(String(index));
    socket.end(1000);
    for (let index = 0; index < 15_000; index++) assertEquals((await messages.next()).value, String(index));
    assertEquals([(await messages.next()).done, connection.state], [true, "closed"]);
  });

  it("reports failures that happened before it started: an oversized message and a flood", async () => {
    const large = makeRig({ maxMessageSize: 4 }, {}, false);
    large.socket.receive("one", "three");
    large.connection.begin();
    assertEquals(large.log.events, ["one", "error ERR_MESSAGE_TOO_LARGE"]);
    const flood = makeRig({ maxMessageSize: 1000 }, {}, false);
    for (let index = 0; index < 2000; index++) flood.socket.receive("x".repeat(1000));
    assertEquals(flood.log.events, []);
    flood.connection.begin();
    assertEquals((await flood.connection.closed).code, 1006);
    assertEquals(flood.log.events, ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
  });

  it("ends at once when the program closes between two steps, and drops messages not fetched", async () => {
    const { socket, connection, log, clock } = makeRig({ closeTimeout: 1000 }, { delivery: "step" });
    socket.receive("one", "two");
    assertEquals(await connection.step(0), "message");
    socket.end(1000);
    assertEquals((await connection.close()).code, 1000);
    assertEquals([log.events, clock.pending], [["one", "close 1000", "disconnect 1000"], 0]);
  });

  it("delivers held messages after the connection is lost", async () => {
    const { socket, connection, log } = makeRig({}, { waitForHandler: true });
    socket.receive("one", "two");
    connection.terminate();
    await settle();
    connection.releaseMessages();
    assertEquals(log.events, ["disconnect 1006", "one", "two"]);
  });

  it("continues when a handler within a batch or a step turns on immediate delivery", async () => {
    for (const delivery of ["batched", "step"] as const) {
      const { socket, connection, log } = makeRig({}, { delivery });
      log.onMessage = () => connection.setDelivery("immediate");
      socket.receive("one", "two");
      if (delivery === "batched") connection.deliverBatch();
      else assertEquals(await connection.step(0), "none");
      socket.receive("three");
      assertEquals(log.events, ["one", "two", "three"], delivery);
    }
  });

  it("accepts sends while it delivers messages from before the loss, and reports them as lost", async () => {
    const { socket, connection, log, clock } = makeRig({}, { delivery: "batched" });
    log.onMessage = () => {
      assertEquals(connection.send("echo"), "sent");
    };
    socket.receive("one", "two");
    socket.end(1000);
    assertEquals(log.events, ["one", "two", "close 1000", "disconnect 1000"]);
    const lost = connection.drained();
    clock.advance(10);
    assertEquals(await failure(() => lost), "ERR_CONNECTION_LOST");
  });

  it("reports them as lost before the end is fetched, too", async () => {
    const { socket, connection, log } = makeRig({}, { delivery: "step" });
    log.onMessage = () => void connection.send("echo");
    socket.receive("one", "two");
    socket.end(1000);
    assertEquals(await connection.step(0), "message");
    assertEquals(await failure(() => connection.drained()), "ERR_CONNECTION_LOST");
  });

  it("never calls a handler from within itself", () => {
    const { socket, connection, log } = makeRig({}, { delivery: "batched" });
    log.onMessage = () => {
      connection.setDelivery("immediate");
      log.events.push("end");
    };
    socket.receive("one", "two");
    connection.deliverBatch();
    assertEquals(log.events, ["one", "end", "two", "end"]);
  });

  it("reports an end received before it started, in each delivery mode", () => {
    for (const delivery of ["batched", "step"] as const) {
      const { socket, connection, log } = makeRig({}, { delivery }, false);
      socket.end(4000);
      connection.begin();
      assertEquals(log.events, ["close 4000", "disconnect 4000"]);
    }
  });

  it("drops unread messages after close(): the queue does not grow, and the messages read have no gap", async () => {
    const read = makeRig();
    const messages = read.connection[Symbol.asyncIterator]();
    for (let index = 0; index < 70; index++) read.socket.receive(`${index} ${"x".repeat(1000)}`);
    void read.connection.close();
    read.socket.receive("left out");
    assertStringIncludes((await messages.next()).value as string, "0 x");
    for (let index = 1; index < 5; index++) await messages.next();
    read.socket.receive("left out too");
    read.socket.end(1000);
    const rest = [];
    for await (const message of messages) rest.push(String(message).split(" ")[0]);
    assertEquals([rest[0], rest.includes("left")], ["5", false]);
    const stepped = makeRig({}, { delivery: "step" });
    void stepped.connection.close();
    for (let index = 0; index < 40; index++) stepped.socket.receive("x".repeat(1_000_000));
    await settle();
    assertEquals([stepped.connection.state, stepped.log.events], ["closing", []]);
  });

  it("closes when the reader of its stream gives up", async () => {
    const { socket, connection } = makeRig();
    await connection.readable.cancel();
    assertEquals(socket.closes, [[undefined, undefined]]);
  });

  it("takes any amount where there is no limit", () => {
    const { socket, connection } = makeRig({ maxBufferedAmount: 0 });
    socket.bufferedAmount = 1e9;
    assertEquals(connection.send("more"), "backpressure");
  });

  it("lets a message of exactly maxMessageSize wait, with others and without a limit on messages too", () => {
    const size = 2 * 1024 * 1024;
    for (const maxMessageSize of [size, 0]) {
      const { socket, connection } = makeRig({ maxMessageSize }, { delivery: "step" });
      socket.receive("small", "x".repeat(size));
      assertEquals(connection.state, "open");
      for (let index = 0; index < 3; index++) socket.receive("x".repeat(size));
      assertEquals(connection.state, "closing");
    }
  });

  it("survives a handler that throws", () => {
    const { socket, log } = makeRig();
    log.onMessage = () => {
      throw new Error("mine");
    };
    socket.receive("one", "two");
    socket.end(1005);
    assertEquals(log.events, ["one", "error undefined", "disconnect 1006"]);
  });

  it("is closing in onClose, closed in onDisconnect, and closes with any code then", async () => {
    const { socket, connection, log } = makeRig();
    const states: string[] = [];
    log.close = () => void states.push(connection.state);
    log.disconnect = () => void states.push(connection.state);
    socket.end(4000);
    assertEquals(states, ["closing", "closed"]);
    assertEquals((await connection.close(1001)).code, 4000);
  });

  it("keeps the reason for which it was given up when terminate() comes on top", async () => {
    const { socket, connection, log } = makeRig({ maxBufferedAmount: 20 });
    socket.bufferedAmount = 15;
    assertEquals(connection.send("123456"), "dropped");
    connection.terminate();
    await settle();
    assertEquals(log.events, ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
  });

  it("gives up a server that does not answer the close frame in time", async () => {
    const { socket, connection, log, clock } = makeRig({ closeTimeout: 1000 });
    const closed = connection.close(4000, "enough");
    assertEquals([socket.closes, connection.state], [[[4000, "enough"]], "closing"]);
    socket.receive("still delivered");
    clock.advance(1000);
    const info = await closed;
    assertEquals([info.code, info.clean, info.sent?.code], [1006, false, 4000]);
    assertEquals(log.events, ["still delivered", "error ERR_CLOSE_TIMEOUT", "disconnect 1006"]);
    assertEquals(clock.pending, 0);
    socket.end(4000);
    assertEquals(log.events.length, 3);
  });

  it("closes a slow server if configured so, and refuses data that is no message", async () => {
    const { socket, connection, log } = makeRig({ maxBufferedAmount: 20 });
    assertThrows(() => connection.send(1 as unknown as string), OptionError);
    socket.bufferedAmount = 15;
    assertEquals(connection.send("123456"), "dropped");
    assertEquals(log.events, []);
    await settle();
    assertEquals(log.events, ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
  });

  it("delivers nothing behind terminate(), also from within a handler", async () => {
    const { socket, connection, log } = makeRig({}, { delivery: "batched" });
    log.onMessage = () => connection.terminate();
    socket.receive("one", "two");
    connection.deliverBatch();
    connection.terminate();
    await settle();
    assertEquals(log.events, ["one", "disconnect 1006"]);
  });
});

describe("BrowserConnection with a form of its own for binary messages", () => {
  const prefix = new Uint8Array(16);

  it("gives it to the program's bytes, and sends those of the subprotocol as they are, while it is open", async () => {
    const { socket, connection } = makeRig();
    const sendOwn = connection.useBinaryForm(new BinaryForm({ prefix, refusal: "" }));
    connection.send("text");
    connection.send(Uint8Array.of(1));
    assertEquals(sendOwn(Uint8Array.of(2)), "sent");
    assertEquals(socket.sent, ["text", Uint8Array.of(...prefix, 1), Uint8Array.of(2)]);
    connection.terminate();
    assertThrows(() => sendOwn(Uint8Array.of(3)), StateError);
    await settle();
  });

  it("lets a stream wait for room for the prefix too", async () => {
    const { socket, connection, clock } = makeRig({ maxBufferedAmount: 100 });
    connection.useBinaryForm(new BinaryForm({ prefix, refusal: "" }));
    socket.bufferedAmount = 70;
    const written = connection.writable.getWriter().write(new Uint8Array(20));
    await settle();
    assertEquals(socket.sent, []);
    socket.bufferedAmount = 0;
    clock.advance(10);
    await written;
    assertEquals(socket.sent, [new Uint8Array(36)]);
  });
});

// ---- The receiver -----------------------------------------------------------------------------------------------

describe("WhatsAppReceiver in a page", () => {
  it("shows its token as a subprotocol entry, never in the URL, and gets typed messages", async () => {
    const offered: string[][] = [];
    const urls: string[] = [];
    const server = new WhatsAppServer({
      journal: null,
      hostname: "127.0.0.1",
      port: 0,
      pathName: "/whatsapp",
      behindProxy: true,
      appSecret: "secret",
      receiverToken: "the token",
      onAllow: ({ request }) => {
        offered.push([...request.protocols]);
        urls.push(`${request.path}?${request.query} ${request.headers.get("authorization")}`);
        return true;
      },
    });
    await server.start();
    const receiver = new PageReceiver(urlOf(server as never, "/whatsapp"), { receiverToken: "the token" });
    await receiver.connect();
    const own = ["whatsapp-inbox.v2", "whatsapp-inbox.v1", "whatsapp-notifications"];
    assertEquals(offered, [[...own, tokenProtocol("the token")]]);
    assertEquals(urls, ["/whatsapp? null"]);
    assertEquals(receiver.protocol, "whatsapp-inbox.v2");
    const message = { id: "wamid.A", from: "491511234567", type: "text", text: { body: "Grüße" } };
    const value = { messages: [message] };
    const entry = [{ id: "1", changes: [{ field: "messages", value }] }];
    const body = JSON.stringify({ object: "whatsapp_business_account", entry });
    const headers = {
      "content-type": "application/json",
      "x-hub-signature-256": signNotification(encode(body), "secret"),
    };
    const url = `http://127.0.0.1:${server.address!.port}/whatsapp`;
    const response = await fetch(url, { method: "POST", body, headers });
    assertEquals([response.status, await response.text()], [200, "OK\n"]);
    const { value: received } = await receiver.messages.next();
    assertEquals(received?.type === "text" && received.text.body, "Grüße");
    const stranger = new PageReceiver(receiver.url, { receiverToken: "another" });
    assertEquals(await failure(() => stranger.connect()), "ERR_CONNECT");
    await server.stop();
  });

  it("says that a token needs a subprotocol beside it: the browser wants one to be chosen", async () => {
    const receiver = new PageReceiver("ws://127.0.0.1:1/", { receiverToken: "t", protocols: [] });
    await assertRejects(() => receiver.connect(), OptionError, "protocols");
  });

  it("uses TLS, except to a loopback address", async () => {
    const receiver = new PageReceiver({ hostname: "192.0.2.1", useSSL: false });
    await assertRejects(() => receiver.connect(), OptionError, "without TLS");
  });
});

describe("the graph of browser.ts", () => {
  it("reaches nothing that names a runtime or node:", () => {
    const seen = new Set<string>();
    const visit = (name: string): void => {
      if (seen.has(name)) return;
      seen.add(name);
      const text = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
      // Comments, and imports of types alone, leave nothing behind.
      const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
      assert(!/\b(Deno|Bun)\b|"node:/.test(code), `${name} names a runtime`);
      const imports = /^(?:import|export)\b(?! type\b)[^;]*?from "(.*?)";$/gm;
      for (const [, path] of code.matchAll(imports)) visit(join(dirname(name), path!));
    };
    visit("browser.ts");
    assert(
      seen.has("client/browser_connection.ts") && seen.has("cloud_api/parse.ts") && seen.size > 10,
      `${seen.size}`,
    );
    assert(!seen.has("protocol/frame.ts"));
  });
});

describe("concurrency in a page", () => {
  /** A rig whose handlers are pending until the test settles them, in their order. */
  function makeHeld(
    options: ConnectionOptions,
    start: ConnectionStart = {},
  ): Rig & { finish: () => Promise<void> } {
    const rig = makeRig(options, start);
    const gates: PromiseWithResolvers<void>[] = [];
    rig.log.onMessage = () => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise;
    };
    return {
      ...rig,
      async finish() {
        gates.shift()!.resolve();
        await settle();
      },
    };
  }

  it("1 keeps the order; messages wait in memory, and the server's end behind them", async () => {
    const { socket, connection, log, finish } = makeHeld({ concurrency: 1 });
    socket.receive("one", "two", "three");
    socket.end(1000);
    assertEquals([log.events, connection.state], [["one"], "open"]);
    await finish();
    assertEquals(log.events, ["one", "two"]);
    await finish();
    assertEquals(log.events, ["one", "two", "three", "close 1000", "disconnect 1000"]);
    await finish();
    assertEquals((await connection.closed).clean, true);
  });

  it("aborts beyond 1 MiB that waits for handlers, since a browser reads on", async () => {
    const { socket, connection, log } = makeHeld({ concurrency: 1, maxMessageSize: 1000 });
    for (let index = 0; index < 2000; index++) socket.receive("x".repeat(1000));
    assertEquals((await connection.closed).code, 1006);
    assertEquals(log.events.slice(1), ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
  });

  it("drops what waits when the program closes within the handler, and the server answers", async () => {
    const { socket, connection, log } = makeHeld({ concurrency: 1 });
    socket.receive("one", "two");
    const closed = connection.close();
    socket.end(1005);
    await closed;
    assertEquals(log.events, ["one", "close 1005", "disconnect 1005"]);
  });

  it("goes on with a batch that was cut", async () => {
    const { socket, connection, log, finish } = makeHeld({ concurrency: 1 }, { delivery: "batched" });
    socket.receive("one", "two");
    connection.deliverBatch();
    assertEquals(log.events, ["one"]);
    await finish();
    assertEquals(log.events, ["one", "two"]);
    await finish();
    socket.receive("three");
    await settle();
    assertEquals(log.events, ["one", "two"]);
  });

  it("goes on with a batch that was cut when messages come as events since", async () => {
    const { socket, connection, log, finish } = makeHeld({ concurrency: 1 }, { delivery: "batched" });
    socket.receive("one", "two");
    connection.deliverBatch();
    connection.setDelivery("immediate");
    assertEquals(log.events, ["one"]);
    await finish();
    assertEquals(log.events, ["one", "two"]);
  });

  it("lets a step wait for messages that waited for a handler", async () => {
    const { socket, connection, log, finish } = makeHeld({ concurrency: 1 }, { waitForHandler: true });
    socket.receive("one", "two");
    connection.releaseMessages();
    connection.setDelivery("step");
    socket.receive("three", "four");
    const step = connection.step(0);
    assertEquals(log.events, ["one"]);
    await finish();
    assertEquals([await step, log.events], ["message", ["one", "two", "three"]]);
  });

  it("counts messages that waited for a handler", async () => {
    for (const ends of [false, true]) {
      const { socket, connection, log, finish } = makeHeld({ concurrency: 1 }, { waitForHandler: true });
      socket.receive("one", "two");
      connection.releaseMessages();
      socket.receive("three");
      if (ends) socket.end(1000);
      assertEquals(log.events, ["one"]);
      await finish();
      await finish();
      const end = ends ? ["close 1000", "disconnect 1000"] : [];
      assertEquals(log.events, ["one", "two", "three", ...end]);
    }
  });

  it("tells once of a kind of message without handler", () => {
    const { socket, log } = makeRig();
    log.onMessage = () => false;
    socket.receive("one", "two");
    assertEquals(log.events, ["one", "error ERR_NO_HANDLER", "two"]);
  });
});
