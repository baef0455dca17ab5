import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import type { LogRecord } from "../../base/log.ts";
import type { WebSocketServer, WebSocketServerOptions } from "../../server.ts";
import { Histogram, HISTOGRAM_BOUNDS, Meter, UNMETERED } from "../../base/stats.ts";
import { RawSocket } from "../support/sockets.ts";
import { FakeClock, startEcho, until } from "../support/support.ts";

async function connect(server: WebSocketServer, options: WebSocketClientOptions = {}): Promise<WebSocketClient> {
  const { port } = server.address!;
  const client = new WebSocketClient({ hostname: "127.0.0.1", port, pingInterval: 0, ...options });
  await client.connect();
  return client;
}

const start = (options: WebSocketServerOptions = {}): Promise<WebSocketServer> =>
  startEcho({ pingInterval: 0, ...options });

describe("Histogram", () => {
  it("counts by bounds, each up to and including its own", () => {
    const histogram = new Histogram();
    for (const ms of [0, 1, 1.01, 2.5, 10_000, 10_001, 99_999]) histogram.add(ms);
    const { count, sum, buckets } = histogram.snapshot();
    assertEquals([count, buckets.length], [7, HISTOGRAM_BOUNDS.length + 1]);
    assertEquals([buckets[0], buckets[1], buckets.at(-2), buckets.at(-1)], [2, 2, 1, 2]);
    assert(Math.abs(sum - 120_004.51) < 1e-6);
  });
});

describe("stats()", () => {
  it("counts connections, frames, messages and bytes, the same at both ends", async () => {
    await using server = await start();
    const client = await connect(server);
    assertEquals(server.stats().connections, { open: 1, handshaking: 0, opened: 1 });
    let got = 0;
    client.onMessageReceived = client.onBinaryDataReceived = () => void got++;
    client.send("x".repeat(10));
    client.send(new Uint8Array(1000));
    client.sendFrame(Opcode.Text, "in ", false);
    client.sendFrame(Opcode.Continuation, "three ", false);
    client.sendFrame(Opcode.Continuation, "€", true);
    client.ping("are you there");
    await until(() => got === 3, "the echo");
    await client.disconnect();
    await until(() => server.connections.size === 0, "the end");
    const [here, there] = [client.stats(), server.stats()];
    assertEquals(here.messages, { sent: 3, received: 3 });
    assertEquals(there.messages, { sent: 3, received: 3 });
    // 3 messages in 5 frames, a ping, and a close frame; back come 3, a pong, and a close frame.
    assertEquals([here.frames, there.frames], [{ sent: 7, received: 5 }, { sent: 5, received: 7 }]);
    assertEquals(here.bytes.sent, there.bytes.received);
    assertEquals(here.bytes.sent, (6 + 10) + (8 + 1000) + (6 + 3) + (6 + 6) + (6 + 3) + (6 + 13) + (6 + 2));
    // The answer of the handshake counts with the server.
    assertEquals(here.bytes.received, (2 + 10) + (4 + 1000) + (2 + 12) + (2 + 13) + (2 + 2));
    assert(there.bytes.sent > here.bytes.received && there.bytes.sent < here.bytes.received + 300);
    assertEquals([here.closes, there.closes, there.connections.open], [{ 1000: 1 }, { 1000: 1 }, 0]);
    assertEquals([here.handshakeTimes.count, there.handshakeTimes.count], [1, 1]);
  });

  it("counts what compression saves, of single messages and of broadcasts", async () => {
    await using server = await start({ compression: true });
    const client = await connect(server, { compression: true });
    const text = "to be compressed ".repeat(1000);
    let got = 0;
    client.onMessageReceived = () => void got++;
    client.send(text);
    await until(() => got === 1, "the echo");
    assertEquals([client.stats().deflated.plain, server.stats().inflated.plain], [17_000, 17_000]);
    assertEquals(client.stats().deflated, server.stats().inflated);
    assert(client.stats().deflated.ratio < 0.02);
    assertEquals(server.stats().deflated, client.stats().inflated);
    server.broadcastMessage(text);
    await until(() => got === 2, "the broadcast");
    assertEquals(server.stats().deflated.plain, 34_000);
    await client.disconnect();
    assertEquals((await start().then(async (other) => [other.stats().inflated, await other.stop()]))[0], {
      plain: 0,
      compressed: 0,
      ratio: 1,
    });
  });

  it("counts frames of split messages and broadcasts, and what waits", async () => {
    await using server = await start({ splitMessage: true, frameSize: 102 });
    const client = await connect(server);
    let got = 0;
    client.onMessageReceived = client.onBinaryDataReceived = () => void got++;
    server.broadcastData(new Uint8Array(1000));
    for (const connection of server.connections) connection.send(new Uint8Array(1000));
    assert(server.stats().bufferedAmount > 2000);
    await until(() => got === 2, "both");
    assertEquals([server.stats().frames.sent, client.stats().frames.received], [20, 20]);
    assertEquals(server.stats().bufferedAmount, 0);
    await client.disconnect();
  });

  it("counts refusals and failures by reason", async () => {
    await using server = await start({
      onAllow: ({ request }) => request.path !== "/no",
      maxMessageSize: 10,
      onError: () => {},
    });
    const port = server.address!.port;
    for (const text of ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET /no HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"]) {
      const socket = await RawSocket.connect(port);
      await socket.write(text);
      await socket.readText();
    }
    const refused = new WebSocketClient(`ws://127.0.0.1:${port}/no`);
    await refused.connect().catch(() => {});
    const client = await connect(server);
    client.send("12345678901");
    await client.connection!.closed;
    await until(() => server.connections.size === 0, "the end");
    assertEquals(server.stats().refusals, { ERR_HEAD_SYNTAX: 1, ERR_HANDSHAKE_REQUEST: 1, allow: 1 });
    assertEquals([server.stats().failures, server.stats().closes], [{ ERR_MESSAGE_TOO_LARGE: 1 }, { 1009: 1 }]);
    assertEquals(refused.stats().refusals, { ERR_HANDSHAKE_STATUS: 1 });
  });

  it("times handshakes and pings with the clock", async () => {
    const clock = new FakeClock();
    await using server = await startEcho({ clock, pingInterval: 1000, pongTimeout: 0 });
    const socket = await RawSocket.connect(server.address!.port);
    await until(() => server.stats().connections.handshaking === 1, "TCP");
    clock.advance(30);
    await socket.write(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    await socket.read();
    clock.advance(1000);
    const ping = (await socket.read())!;
    clock.advance(7);
    await socket.write(new Uint8Array([0x8a, 0x88, 0, 0, 0, 0, ...ping.subarray(2)]));
    await until(() => server.stats().pingTimes.count === 1, "the pong");
    assertEquals([server.stats().handshakeTimes.sum, server.stats().pingTimes.sum], [30, 7]);
    assertEquals([...server.connections][0]!.latency, 7);
    await socket.close();
  });
});

describe("onLog", () => {
  it("logs all events, in order, with text of peers as data only", async () => {
    const records: LogRecord[] = [];
    const server = await start({ onLog: (record) => void records.push(record), onError: () => {} });
    const client = await connect(server, { pathName: "/a" });
    await client.disconnect();
    await until(() => server.connections.size === 0, "the end of the first");
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write("GET / HTTP/9.9\r\n\r\n");
    await socket.readText();
    await until(() => server.stats().connections.handshaking === 0, "the end");
    await server.stop();
    const port = records[0]!.attributes["server.port"];
    assert(typeof port === "number" && port > 0);
    assertEquals(records.map(({ level, event }) => `${level} ${event}`), [
      "info server.listening",
      "debug connection.accepted",
      "info connection.open",
      "info connection.closed",
      "debug connection.accepted",
      "warn connection.refused",
      "info server.stopping",
      "info server.stopped",
    ]);
    assertEquals(records[2]!.attributes["network.peer.address"], "127.0.0.1");
    assertEquals(records[3]!.attributes.code, 1000);
    assertEquals(records[5]!.attributes.reason, "ERR_HEAD_SYNTAX");
    assert(records[5]!.error instanceof Error && Math.abs(records[5]!.time - Date.now()) < 60_000);
  });

  it("has a channel for tools that watch the process", async () => {
    const events: string[] = [];
    const listener = (record: unknown): void => void events.push((record as LogRecord).event);
    subscribe("tackline:websocket:server", listener);
    const server = await start();
    await server.stop();
    unsubscribe("tackline:websocket:server", listener);
    await (await start()).stop();
    assertEquals(events, ["server.listening", "server.stopping", "server.stopped"]);
  });

  it("does no harm when it throws or rejects, nor does onError that rejects", async () => {
    const asynchronous = () => Promise.reject(new Error("the log is full"));
    const { error: shown } = console;
    const printed: unknown[] = [];
    console.error = (...args) => void printed.push(args);
    try {
      for (
        const onLog of [asynchronous, () => {
          throw new Error("the log is full");
        }]
      ) {
        await using server = await start({ onLog, onError: asynchronous as () => void });
        await (await connect(server, { onLog })).disconnect();
        const socket = await RawSocket.connect(server.address!.port);
        await socket.write("bad\r\n\r\n");
        await socket.readText();
      }
    } finally {
      console.error = shown;
    }
    assertEquals(printed.length, 2);
  });
});

describe("UNMETERED", () => {
  it("counts nothing, whatever it is told, and shows the counters of a new meter", () => {
    UNMETERED.framesSent++;
    UNMETERED.buffered += 1000;
    UNMETERED.maxBuffered = 1;
    UNMETERED.close(1000);
    UNMETERED.refuse("allow");
    UNMETERED.fail("ERR_OPTION");
    UNMETERED.pingTimes.add(5);
    UNMETERED.handshakeTimes.add(5);
    const now = { open: 0, handshaking: 0, bufferedAmount: 0 };
    assertEquals(UNMETERED.snapshot(now), new Meter().snapshot(now));
    assertEquals([UNMETERED.buffered, UNMETERED.maxBuffered], [0, Infinity]);
  });
});
