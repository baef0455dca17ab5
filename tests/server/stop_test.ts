/** `stop()` with peers and handlers that take their time: it waits for progress, and never for itself. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { callWithin, waitingCaller } from "../../server/handler_scope.ts";
import { RawSocket } from "../support/sockets.ts";
import { urlOf } from "../support/peers.ts";
import { decode, defer, FakeClock, startEcho, tlsFile, turns, until } from "../support/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HANDSHAKE = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
const MiB = 1024 * 1024;

/** A server whose time stands still: a stop that waited for `closeTimeout` would never end. */
async function start(options: WebSocketServerOptions): Promise<{ server: WebSocketServer; clock: FakeClock }> {
  const clock = new FakeClock();
  return { server: await startEcho({ clock, ...options }), clock };
}

describe("await stop() within a handler", () => {
  const messages: [name: string, options: (stop: () => Promise<void>) => WebSocketServerOptions][] = [
    ["onConnect", (stop) => ({ onConnect: stop })],
    ["onOpen", (stop) => ({ onOpen: stop })],
    ["onHandshakeResponseSent", (stop) => ({ onHandshakeResponseSent: stop })],
    ["onMessageReceived", (stop) => ({ onMessageReceived: stop, concurrency: 1 })],
    ["onPing", (stop) => ({ onPing: stop })],
    ["onClose", (stop) => ({ onClose: stop })],
    ["onEnd", (stop) => ({ onEnd: stop })],
    ["onDisconnect", (stop) => ({ onDisconnect: stop })],
  ];
  for (const [name, options] of messages) {
    it(`${name} ends`, async () => {
      const stopped = defer<void>();
      const { server, clock } = await start(options(async () => {
        await server.stop();
        stopped.resolve();
      }));
      const client = new WebSocketClient(urlOf(server));
      await client.connect().catch(() => {});
      if (client.active) {
        client.ping("p");
        for (const text of ["a", "b"]) client.send(text);
      }
      if (name === "onClose" || name === "onEnd" || name === "onDisconnect") await client.disconnect();
      await stopped.promise;
      assertEquals([server.address, clock.pending], [undefined, 0]);
      await client.disconnect();
    });
  }

  it("onCommandGet ends, and its response is sent afterwards, as the last one", async () => {
    const { server, clock } = await start({
      async onCommandGet() {
        await server.stop();
        return new Response(`stopped ${server.address}`);
      },
    });
    const other = new WebSocketClient(urlOf(server));
    await other.connect();
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(GET);
    const response = await socket.readText();
    assert(response.includes("connection: close") && response.endsWith("\r\n\r\nstopped undefined"), response);
    await socket.close();
    assertEquals([(await other.connection!.closed).code, server.connections.size], [1001, 0]);
    await until(() => clock.pending === 0, "the end of the last connection");
  });

  it("onCommandGet ends when two handlers and the program itself call it", async () => {
    const both = defer<void>();
    let calls = 0;
    const { server } = await start({
      async onCommandGet() {
        if (++calls === 2) both.resolve();
        await both.promise;
        await server.stop();
        return new Response("stopped");
      },
    });
    const sockets = await Promise.all([1, 2].map(() => RawSocket.connect(server.address!.port)));
    for (const socket of sockets) await socket.write(GET);
    await both.promise;
    await server.stop();
    for (const socket of sockets) {
      assert((await socket.readText()).endsWith("\r\n\r\nstopped"));
      await socket.close();
    }
  });

  it("onCommandGet still waits for the response of another handler", async () => {
    const slow = defer<void>();
    const began = defer<void>();
    let stopped = false;
    const { server } = await start({
      async onCommandGet(request) {
        if (new URL(request.url).pathname === "/slow") {
          began.resolve();
          await slow.promise;
          return new Response("slow");
        }
        await server.stop();
        stopped = true;
        return new Response("stopped");
      },
    });
    const [waiting, stopping] = [
      await RawSocket.connect(server.address!.port),
      await RawSocket.connect(server.address!.port),
    ];
    await waiting.write(GET.replace("/", "/slow"));
    await began.promise;
    await stopping.write(GET);
    await until(() => !server.active, "the beginning of the stop");
    await turns(5);
    assertEquals(stopped, false);
    slow.resolve();
    assert((await waiting.readText()).endsWith("\r\n\r\nslow"));
    assert((await stopping.readText()).endsWith("\r\n\r\nstopped"));
    for (const socket of [waiting, stopping]) await socket.close();
  });

  it("onAllow ends, whatever it answers then", async () => {
    for (const answer of [true, false]) {
      const { server, clock } = await start({
        async onAllow() {
          await server.stop();
          return answer;
        },
      });
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(HANDSHAKE);
      const status = decode((await socket.read())!).split(" ")[1];
      assertEquals(status, answer ? "101" : "403");
      await socket.close();
      await until(() => clock.pending === 0, "the end of the connection");
      assertEquals([server.connections.size, server.address], [0, undefined]);
    }
  });

  it("onGetSSLPassword ends at once, and the server stops when it has started", async () => {
    const calls: string[] = [];
    const server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      useSSL: true,
      certificateFile: tlsFile("leaf.pem"),
      certificateKeyFile: tlsFile("pkcs8-aes256-sha512.key"),
      async onGetSSLPassword() {
        await server.stop();
        calls.push("stopped");
        return "secret";
      },
    });
    await server.start().catch(() => {});
    await server.stop();
    assertEquals([calls, server.address], [["stopped"], undefined]);
  });
});

describe("stop()", () => {
  it("does not wait for a handler whose peer has left, before or while it stops", async () => {
    for (const before of [true, false]) {
      const began = defer<void>();
      const never = defer<Response>();
      const { server } = await start({
        onCommandGet() {
          began.resolve();
          return never.promise;
        },
      });
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(GET);
      await began.promise;
      if (before) {
        socket.end();
        await turns(20);
      }
      const stopped = server.stop();
      if (!before) socket.end();
      await stopped;
      await socket.close();
      never.resolve(new Response("late"));
    }
  });

  it("waits for the response to a peer that is still there", async () => {
    const began = defer<void>();
    const answer = defer<Response>();
    const { server } = await start({
      onCommandGet() {
        began.resolve();
        return answer.promise;
      },
    });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(GET);
    await began.promise;
    const stopped = server.stop();
    await until(() => !server.active, "the beginning of the stop");
    answer.resolve(new Response("in time"));
    assert((await socket.readText()).endsWith("\r\n\r\nin time"));
    await socket.close();
    await stopped;
  });

  it("lets a slow reader have all that was sent, over several periods of closeTimeout, and then ends", async () => {
    const clock = new FakeClock();
    const server = await startEcho({ clock, closeTimeout: 1000 });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(HANDSHAKE);
    await until(() => server.connections.size === 1, "the handshake");
    socket.pause();
    const [connection] = server.connections;
    const total = 24 * MiB;
    for (let sent = 0; sent < total; sent += MiB) connection!.send(new Uint8Array(MiB));
    const stopped = server.stop();
    await until(() => connection!.state === "closing", "the close frame");
    let read = 0;
    let period = connection!.bufferedAmount;
    let periods = 0;
    while (connection!.bufferedAmount > 0) {
      read += (await socket.readSome())!.length;
      // The next period begins after each 4 MiB that were taken.
      if (connection!.bufferedAmount > period - 4 * MiB) continue;
      period = connection!.bufferedAmount;
      periods++;
      clock.advance(1000);
    }
    while (read < total) read += (await socket.readSome())!.length;
    assert(periods >= 2, `${periods} periods`);
    assertEquals(server.address !== undefined, true);
    clock.advance(1000);
    clock.advance(1000);
    await stopped;
    assertEquals(clock.pending, 0);
    await socket.close();
  });

  it("ends after ten periods of a reader that takes a little in each; a signal and a second call end it", async () => {
    for (const how of ["waiting", "signal", "second"]) {
      const clock = new FakeClock();
      const server = await startEcho({ clock, closeTimeout: 1000, maxBufferedAmount: 0 });
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(HANDSHAKE);
      await until(() => server.connections.size === 1, "the handshake");
      socket.pause();
      const [connection] = server.connections;
      for (let sent = 0; sent < 64; sent++) connection!.send(new Uint8Array(MiB));
      const hasten = new AbortController();
      const stopped = server.stop({ signal: hasten.signal });
      await until(() => connection!.state === "closing", "the close frame");
      let time = 0;
      for (; connection!.bufferedAmount > 0; time += 1000) {
        const before = connection!.bufferedAmount;
        while (connection!.bufferedAmount === before) assert(await socket.readSome() !== null, "the end came early");
        if (how === "signal" && time === 2000) hasten.abort();
        if (how === "second" && time === 2000) server.stop({ closeTimeout: 500 });
        clock.advance(1000);
      }
      await stopped;
      assertEquals([how, time, clock.pending], [how, how === "waiting" ? 10_000 : 3000, 0]);
      await socket.close();
    }
  });
});

describe("a signal", () => {
  for (const call of ["first", "second"]) {
    it(`that is aborted already ends the connections at once, of the ${call} stop()`, async () => {
      const { server } = await start({});
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(HANDSHAKE);
      await until(() => server.connections.size === 1, "the handshake");
      const first = call === "second" ? server.stop() : undefined;
      // Time stands still, and the peer answers no close frame.
      await server.stop({ signal: AbortSignal.abort() });
      await first;
      assertEquals(server.connections.size, 0);
      await socket.close();
    });
  }

  it("of the server has no listener left after stop(), and one after the next start", async () => {
    const listeners = new Set<unknown>();
    class Watched extends AbortController {
      override readonly signal = Object.assign(super.signal, {
        addEventListener: (_: string, listener: unknown) => void listeners.add(listener),
        removeEventListener: (_: string, listener: unknown) => void listeners.delete(listener),
      }) as unknown as AbortSignal;
    }
    const server = await startEcho({ signal: new Watched().signal });
    assertEquals(listeners.size, 1);
    await server.stop();
    assertEquals(listeners.size, 0);
    await server.start();
    assertEquals(listeners.size, 1);
    await server.stop();
    assertEquals(listeners.size, 0);
  });
});

describe("handler_scope", () => {
  it("knows the caller across awaits, and none outside", async () => {
    const caller = {};
    const seen = await callWithin(caller, async () => {
      await turns(2);
      return waitingCaller();
    });
    assertEquals([seen === caller, waitingCaller()], [true, undefined]);
  });
});
