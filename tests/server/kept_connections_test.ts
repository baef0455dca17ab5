/** Plain HTTP connections that are kept between two requests. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { memoryPair } from "../support/kept_pair.ts";
import { RawSocket } from "../support/sockets.ts";
import { FakeClock, settle, turns, until } from "../support/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER = { onCommandGet: (): Response => new Response("kept") };
/** Time for which nginx keeps a connection to a server, unless `keepalive_timeout` of the upstream says otherwise. */
const NGINX_KEEPS = 60_000;

describe("keepAliveTimeout", () => {
  it("keeps an idle connection for longer than nginx does, so that no request meets its end", async () => {
    const clock = new FakeClock();
    const peer = memoryPair({ ...ANSWER, clock });
    for (let request = 1; request <= 3; request++) {
      peer.write(GET);
      await peer.answers("kept", request);
      clock.advance(NGINX_KEEPS);
      await settle();
      assertEquals(peer.ended, false, `after request ${request}`);
    }
    clock.advance(75_000 - NGINX_KEEPS - 1);
    await settle();
    assertEquals(peer.ended, false);
    clock.advance(1);
    await until(() => peer.ended, "the end");
    assertEquals([peer.errors, clock.pending], [[], 0]);
  });

  it("gives a request handshakeTimeout from its first byte on, however long the connection was idle", async () => {
    for (const idle of [0, 70_000]) {
      const clock = new FakeClock();
      const peer = memoryPair({ ...ANSWER, clock });
      peer.write(GET);
      await peer.answers("kept", 1);
      clock.advance(idle);
      // One octet now and then does not prolong it.
      for (const part of ["G", "ET", " /"]) {
        peer.write(part);
        await settle();
        clock.advance(3000);
      }
      assertEquals(peer.text.includes("408"), false);
      clock.advance(1000);
      await until(() => peer.text.includes(" 408 "), "the refusal");
      peer.end();
      await until(() => peer.ended, "the end");
    }
  });

  it("is not the time of a first request, nor of one that came with the one before", async () => {
    const first = new FakeClock();
    const silent = memoryPair({ ...ANSWER, clock: first });
    first.advance(10_000);
    await until(() => silent.ended, "the end of a connection without a request");

    const clock = new FakeClock();
    const peer = memoryPair({ ...ANSWER, clock });
    peer.write(`${GET}GET /half`);
    await peer.answers("kept", 1);
    await turns(2);
    clock.advance(10_000);
    await until(() => peer.text.includes(" 408 "), "the refusal");
    peer.end();
    await until(() => peer.ended, "the end");
  });

  it("keeps connections without a limit when it is 0", async () => {
    const clock = new FakeClock();
    const peer = memoryPair({ ...ANSWER, clock, keepAliveTimeout: 0 });
    peer.write(GET);
    await peer.answers("kept", 1);
    assertEquals(clock.pending, 0);
    clock.advance(10_000_000);
    peer.write(GET);
    await peer.answers("kept", 2);
    peer.end();
    await until(() => peer.ended, "the end");
  });
});

describe("connections kept idle make room", () => {
  async function serve(options: WebSocketServerOptions): Promise<WebSocketServer> {
    const server = new WebSocketServer({ ...ANSWER, port: 0, hostname: "127.0.0.1", ...options });
    await server.start();
    return server;
  }

  /** Sends a request, and keeps the connection. */
  async function keep(server: WebSocketServer): Promise<RawSocket> {
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(GET);
    while (!(await readMore(socket)).includes("kept"));
    return socket;
  }

  const texts = new WeakMap<RawSocket, string>();
  async function readMore(socket: RawSocket): Promise<string> {
    const bytes = await socket.read();
    const text = (texts.get(socket) ?? "") + (bytes === null ? "" : new TextDecoder().decode(bytes));
    texts.set(socket, text);
    return text;
  }

  it("until their next request has begun", async () => {
    const server = new WebSocketServer({ ...ANSWER, maxHandshakes: 2, clock: new FakeClock() });
    const [first, second] = [memoryPair(server), memoryPair(server)];
    for (const peer of [first, second]) {
      peer.write(GET);
      await peer.answers("kept", 1);
    }
    first.write("GET / HTTP/1.1\r\n");
    await turns(2);
    const third = memoryPair(server);
    await until(() => second.ended, "the end of the one that is idle");
    first.write("Host: a\r\n\r\n");
    await first.answers("kept", 2);
    for (const peer of [first, third]) peer.end();
    await until(() => first.ended && third.ended, "the end");
  });

  for (const limit of ["maxHandshakes", "maxConnections", "maxConnectionsPerAddress"] as const) {
    it(`before ${limit} refuses or ends another one, the longest idle first`, async () => {
      await using server = await serve({ [limit]: 3 });
      const kept = [await keep(server), await keep(server), await keep(server)];
      // A handshake that has begun stays, though the server has waited for it the longest in the end.
      const slow = await RawSocket.connect(server.address!.port);
      await slow.write("GET / HTTP/1.1\r\n");
      assertEquals(await kept[0]!.read(), null);
      const fresh = await keep(server);
      assertEquals(await kept[1]!.read(), null);
      await slow.write("Host: a\r\n\r\n");
      while (!(await readMore(slow)).includes("kept"));
      assertEquals(server.stats().refusals, { [limit]: 2 });
      for (const socket of [...kept, slow, fresh]) await socket.close();
    });
  }
});
