/**
 * Memory that peers make a server hold: unfinished messages and request bodies of all connections together, and how
 * long they may take.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHash, createHmac } from "node:crypto";
import { constants, deflateRawSync } from "node:zlib";
import { acquire } from "../../base/buffer_pool.ts";
import { WebSocketClient } from "../../client.ts";
import { collectBody } from "../../protocol/collected_request.ts";
import type { HandshakeResult } from "../../connection/options.ts";
import { HttpError, type TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { collectNotification } from "../../whatsapp/notification_body.ts";
import { RequestBody } from "../../protocol/request_body.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { UnfinishedMessages } from "../../connection/unfinished_messages.ts";
import { signNotification, WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { clientFrame, length64, upgradeHead } from "../support/hostile.ts";
import { RawSocket } from "../support/sockets.ts";
import {
  agreeOn,
  assertFrames,
  decode,
  encode,
  FakeClock,
  openRig,
  type Rig,
  settle,
  startEcho,
  until,
} from "../support/support.ts";
import { concat, concatAll } from "../../base/bytes.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A connection whose unfinished messages are watched. */
function watchedRig(
  options: Parameters<typeof openRig>[1] & { maxTotalMessageSize?: number } = {},
  result?: HandshakeResult,
): Rig & { unfinished: UnfinishedMessages } {
  const { maxTotalMessageSize = 0, ...rest } = options;
  const { messageTimeout = 0 } = options;
  const rig = openRig("server", rest, result);
  const { clock } = rig;
  const unfinished = new UnfinishedMessages(() => ({ maxTotalMessageSize, messageTimeout, clock }));
  Object.assign(rig.recorder, { unfinished });
  return { ...rig, unfinished };
}

/** A fragment with RSV1 whose message is not at its end. */
function deflatedFragment(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const deflated = new Uint8Array(deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }));
  const frame = clientFrame(Opcode.Binary, deflated, false);
  frame[0]! |= 0x40;
  return frame;
}

describe("the memory that an unfinished message holds", () => {
  it("is the buffer made for it, from its header until it or its connection ends", async () => {
    const ends: [string, (rig: Rig) => void][] = [
      ["its last fragment", ({ transport, peer }) => transport.receive(peer.continuation("!", true))],
      ["a close frame", ({ transport, peer }) => transport.receive(peer.close(1000))],
      ["a violation", ({ transport }) => transport.receive(Uint8Array.of(0xff, 0x80, 0, 0, 0, 0))],
      ["terminate", ({ connection }) => connection.terminate()],
      ["the end of the transport", ({ transport }) => transport.handler.close()],
    ];
    for (const [how, end] of ends) {
      const rig = watchedRig({ messageTimeout: 1000, options: { manualClose: true } });
      const { transport, peer, unfinished, clock, connection } = rig;
      transport.receive(peer.text("", false));
      const header = unfinished.total;
      assert(header > 0 && header < KiB, how);
      transport.receive(peer.continuation("x", false));
      assert(unfinished.total > header && unfinished.total < 8 * KiB, how);
      transport.receive(peer.continuation("x".repeat(100 * KiB), false));
      assert(unfinished.total >= 100 * KiB && unfinished.total < 300 * KiB, `${how}: ${unfinished.total}`);
      end(rig);
      await settle();
      assertEquals([how, unfinished.total], [how, 0]);
      connection.terminate();
      await settle();
      // Nothing keeps the program alive.
      assertEquals([how, clock.pending], [how, 0]);
    }
  });

  it("is more than the bytes received if the buffer is larger", () => {
    const { transport, unfinished } = watchedRig();
    transport.receive(length64(0, MiB));
    for (let piece = 0; piece < 2; piece++) transport.receive(new Uint8Array(3 * KiB));
    assert(unfinished.total > 16 * KiB, String(unfinished.total));
  });

  it("is the inflated size and the inflater's state if it is compressed", async () => {
    const result = agreeOn({ serverNoContextTakeover: true, clientNoContextTakeover: true });
    const { transport, unfinished, connection } = watchedRig({}, result);
    transport.receive(deflatedFragment(new Uint8Array(1)));
    assert(unfinished.total > 64 * KiB, String(unfinished.total));
    transport.receive(clientFrame(Opcode.Continuation, new Uint8Array(0), true));
    assertEquals(unfinished.total, 0);
    transport.receive(deflatedFragment(new Uint8Array(MiB)));
    assert(unfinished.total > MiB, String(unfinished.total));
    connection.terminate();
    await settle();
    assertEquals(unfinished.total, 0);
  });

  it("is free for others as soon as the message is given up", async () => {
    const { transport, connection, peer } = watchedRig();
    transport.receive(peer.text("unfinished".repeat(600), false));
    connection.terminate();
    assertEquals(decode(acquire(6000).subarray(0, 10)), "unfinished");
    await settle();
  });

  it("is zero for whole messages, and with frameByFrame between two frames", async () => {
    const whole = watchedRig({ messageTimeout: 1000 });
    whole.transport.receive(concat(whole.peer.text("a"), whole.peer.text("b".repeat(70_000)), whole.peer.frame(9)));
    assertEquals([whole.unfinished.total, whole.clock.pending], [0, 0]);
    const frames = watchedRig({ options: { frameByFrame: true }, messageTimeout: 8000 });
    const { transport, peer, unfinished, clock, connection } = frames;
    transport.receive(peer.text("Hel", false));
    assertEquals(unfinished.total, 0);
    const frame = peer.continuation("x".repeat(1000), false);
    transport.receive(frame.subarray(0, 500));
    assert(unfinished.total >= 400);
    transport.receive(frame.subarray(500));
    assertEquals(unfinished.total, 0);
    clock.advance(60_000);
    assertEquals(connection.state, "open");
    connection.terminate();
    await settle();
  });
});

describe("maxTotalMessageSize", () => {
  it("closes the oldest with 1013, and counts a message anew that follows another in the same read", async () => {
    const rigs = Array.from({ length: 4 }, () => watchedRig());
    const clock = new FakeClock();
    const limits = { maxTotalMessageSize: 450 * KiB, messageTimeout: 0, clock };
    const unfinished = new UnfinishedMessages(() => limits);
    for (const { recorder } of rigs) Object.assign(recorder, { unfinished });
    const [first, second, third, fourth] = rigs;
    const part = (rig: Rig): Uint8Array<ArrayBuffer> => rig.peer.binary(new Uint8Array(100 * KiB), false);
    for (const rig of [first, second, third]) rig!.transport.receive(part(rig!));
    // The first one has always one unfinished, but sends without delay.
    first!.transport.receive(concat(first!.peer.continuation("", true), part(first!)));
    fourth!.transport.receive(part(fourth!));
    await settle();
    assertEquals(rigs.map(({ connection }) => connection.state), ["open", "closing", "open", "open"]);
    assertFrames(second!.transport.written, ['close 1013 ""']);
    const [error] = second!.recorder.errors as TransportError[];
    assertEquals([error!.code, error!.closeCode, second!.transport.ended], ["ERR_OVERLOAD", 1013, true]);
    assertEquals(first!.recorder.events, [`binary ${100 * KiB}`]);
    for (const rig of rigs) rig.connection.terminate();
    await settle();
    assertEquals(unfinished.total, 0);
  });

  /** Bytes that attackers send on one connection: less than 1 MiB of a message that has no end. */
  const KINDS: Record<string, () => Uint8Array> = {
    "one frame": () => concat(length64(0, MiB), new Uint8Array(MiB - 1)),
    "fragments of a text": () =>
      concatAll(
        Array.from({ length: 15 }, (_, at) =>
          clientFrame(at === 0 ? Opcode.Text : Opcode.Continuation, encode("x".repeat(64 * KiB)), false)),
      ),
    "a compressed fragment": () => deflatedFragment(new Uint8Array(MiB - 1)),
  };
  for (const [kind, make] of Object.entries(KINDS)) {
    it(`holds for all connections together: ${kind}; honest messages get through, small and large`, async () => {
      let held = 0;
      await using server = await startEcho({
        compression: { serverNoContextTakeover: true, clientNoContextTakeover: true },
        maxMessageSize: MiB,
        maxTotalMessageSize: 6 * MiB,
        onError: () => {},
      });
      const { port } = server.address!;
      const sockets: RawSocket[] = [];
      const head = encode(upgradeHead("Sec-WebSocket-Extensions: permessage-deflate"));
      const attack = async (): Promise<void> => {
        const socket = await RawSocket.connect(port);
        sockets.push(socket);
        held++;
        // The server may end it on the way.
        await socket.write(concat(head, make())).catch(() => {});
      };
      const evicted = (): number => server.stats().failures.ERR_OVERLOAD ?? 0;
      while (held < 24) await attack();
      // Each holds 1 MiB at least, or 2 where a buffer for 960 KiB is one for 1 MiB.
      await until(() => evicted() >= 24 - 6, "those that had to go", 10_000);
      const client = new WebSocketClient(`ws://127.0.0.1:${port}/`);
      await client.connect();
      let echoes = 0;
      client.onMessageReceived = () => void echoes++;
      for (const size of [10, 1000, 100 * KiB, 500 * KiB, 900 * KiB]) {
        await attack();
        client.send("x".repeat(size));
        const expected = echoes + 1;
        await until(() => echoes === expected, `the echo of ${size}`, 10_000);
      }
      assertEquals(client.active, true);
      await client.disconnect();
      const { closes, failures } = server.stats();
      assertEquals(Object.keys(failures), ["ERR_OVERLOAD"]);
      await until(() => (server.stats().closes[1013] ?? 0) > 0, "the ends", 10_000);
      assertEquals(Object.keys(closes).every((code) => ["1013", "1005"].includes(code)), true, JSON.stringify(closes));
      for (const socket of sockets) await socket.close();
    });
  }

  it("is off with 0, and checked like other limits", async () => {
    await using server = await startEcho({ maxTotalMessageSize: 0, maxMessageSize: MiB });
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 10; index++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(concat(encode(upgradeHead()), KINDS["one frame"]!()));
      sockets.push(socket);
    }
    await until(() => server.stats().bytes.received > 9.9 * MiB, "all of it");
    assertEquals([server.connections.size, server.stats().failures], [10, {}]);
    for (const socket of sockets) await socket.close();
    for (const name of ["maxTotalMessageSize", "maxTotalBodySize", "messageTimeout"] as const) {
      for (const value of [-1, 1.5, NaN, "1"]) {
        let message = "";
        try {
          new WebSocketServer({ [name]: value as number });
        } catch (error) {
          message = String(error);
        }
        assertStringIncludes(message, `"${name}"`);
      }
    }
    const { maxTotalMessageSize, maxTotalBodySize, messageTimeout } = new WebSocketServer();
    assertEquals([maxTotalMessageSize, maxTotalBodySize, messageTimeout], [128 * MiB, 64 * MiB, 60_000]);
    assertEquals(new WebSocketClient().messageTimeout, 0);
  });
});

describe("messageTimeout", () => {
  it("closes with 1001 a connection whose message stalls, even if it sends pings", async () => {
    const { transport, peer, connection, recorder, clock } = watchedRig({ messageTimeout: 8000 });
    transport.receive(peer.text("Hel", false));
    for (let second = 0; second < 8; second++) {
      clock.advance(999);
      assertEquals(connection.state, "open");
      // Between two fragments, and cut: neither is a piece of the message.
      const ping = peer.frame(Opcode.Ping, "x".repeat(second));
      transport.receive(ping.subarray(0, 3));
      transport.receive(ping.subarray(3));
    }
    clock.advance(8);
    assertEquals((recorder.errors as TransportError[]).map(({ code }) => code), ["ERR_MESSAGE_TIMEOUT"]);
    assertEquals(connection.state, "closing");
    await settle();
    assertFrames(transport.writes.at(-1)!, ['close 1001 ""']);
    connection.terminate();
    await settle();
    assertEquals(clock.pending, 0);
  });

  it("begins anew with each piece, of a compressed message too, and with each message", async () => {
    const result = agreeOn({ clientNoContextTakeover: true });
    for (const compressed of [false, true]) {
      const { transport, connection, clock, recorder } = watchedRig({ messageTimeout: 8000 }, result);
      const first = (): Uint8Array =>
        compressed ? deflatedFragment(new Uint8Array(10)) : clientFrame(Opcode.Binary, new Uint8Array(10), false);
      const last = clientFrame(Opcode.Continuation, new Uint8Array(0), true);
      transport.receive(first());
      for (let piece = 0; piece < 5; piece++) {
        clock.advance(7000);
        transport.receive(clientFrame(Opcode.Continuation, new Uint8Array(0), false));
        clock.advance(7000);
        transport.receive(concat(last, first()));
      }
      // At each check another one is as far as the last one was.
      for (let check = 0; check < 20; check++) {
        clock.advance(1000);
        transport.receive(concat(last, first()));
      }
      assertEquals([connection.state, recorder.messages.length], ["open", 25]);
      transport.receive(last);
      clock.advance(60_000);
      assertEquals(connection.state, "open");
      connection.terminate();
      await settle();
    }
  });

  it("does not run while the program holds up the reading", async () => {
    const { transport, connection, clock, peer } = watchedRig({ messageTimeout: 8000 });
    const messages = connection[Symbol.asyncIterator]();
    transport.receive(concat(peer.text("x".repeat(70_000)), peer.text("be", false)));
    transport.receive(peer.continuation("gun", false));
    clock.advance(100_000);
    assertEquals(connection.state, "open");
    await messages.next();
    clock.advance(9000);
    assertEquals(connection.state, "closing");
    connection.terminate();
    await settle();
  });

  it("is for clients too, which have none by default", async () => {
    const clock = new FakeClock();
    const errors: unknown[] = [];
    await using server = await startEcho({
      onHandshakeResponseSent: (connection) => void connection.sendFrame(Opcode.Text, "begun", false),
      onError: () => {},
    });
    const url = `ws://127.0.0.1:${server.address!.port}/`;
    const options = { clock, pingInterval: 0, onError: (error: unknown) => void errors.push(error) };
    const patient = new WebSocketClient(url, options);
    const other = new WebSocketClient(url, { ...options, messageTimeout: 8000 });
    await patient.connect();
    await other.connect();
    await until(() => other.stats().frames.received === 1 && patient.stats().frames.received === 1, "the fragments");
    await until(() => clock.pending > 0, "the timer");
    clock.advance(9000);
    await until(() => !other.active, "its end");
    assertEquals((errors as TransportError[]).map(({ code }) => code), ["ERR_MESSAGE_TIMEOUT"]);
    assertEquals(patient.active, true);
    patient.disconnect(false);
    await until(() => server.connections.size === 0, "the ends");
    await until(() => clock.pending === 0, "no timer");
  });
});

describe("maxTotalBodySize", () => {
  const SECRET = "app-secret";
  const webhook = async (options: WhatsAppServerOptions = {}): Promise<WhatsAppServer> => {
    const server = new WhatsAppServer({
      hostname: "127.0.0.1",
      port: 0,
      pathName: "/hook",
      behindProxy: true,
      appSecret: SECRET,
      receiverToken: null,
      journal: null,
      maxBodySize: MiB,
      maxTotalBodySize: 6 * MiB,
      onError: () => {},
      ...options,
    });
    await server.start();
    return server;
  };
  const head = (path: string, framing: string, signature = `sha256=${"0".repeat(64)}`): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Hub-Signature-256: ${signature}\r\n${framing}\r\n\r\n`;
  const chunk = (bytes: Uint8Array): Uint8Array =>
    concat(encode(`${bytes.length.toString(16)}\r\n`), bytes, encode("\r\n"));
  const refused = (server: WebSocketServer): number => server.stats().refusals.maxTotalBodySize ?? 0;

  /** Bodies that lack their last octet. */
  const FORMS: Record<string, { form: () => Uint8Array; count: number; fit: number }> = {
    "a length": {
      form: () => concat(encode(head("/hook", `Content-Length: ${MiB}`)), new Uint8Array(MiB - 1)),
      count: 20,
      fit: 6,
    },
    "chunks": {
      form: () =>
        concat(
          encode(head("/hook", "Transfer-Encoding: chunked")),
          ...Array.from({ length: 15 }, () => chunk(new Uint8Array(64 * KiB))),
        ),
      count: 20,
      fit: 6,
    },
    "a short length": {
      form: () => concat(encode(head("/hook", `Content-Length: ${64 * KiB}`)), new Uint8Array(64 * KiB - 1)),
      count: 150,
      fit: 97,
    },
  };
  for (const [kind, { form, count, fit }] of Object.entries(FORMS)) {
    it(`limits webhook bodies with ${kind}: the oldest get 503, honest ones of each size 200`, async () => {
      const kept: Uint8Array[] = [];
      await using server = await webhook({ onRawMessage: (_, { bytes }) => void kept.push(bytes) });
      const { port } = server.address!;
      const sockets: RawSocket[] = [];
      const attack = async (): Promise<void> => {
        const socket = await RawSocket.connect(port);
        sockets.push(socket);
        await socket.write(form()).catch(() => {});
      };
      while (sockets.length < count) await attack();
      // On Bun some have to go before they are read.
      const gone = (): number => refused(server) + (server.stats().refusals.ERR_OVERLOAD ?? 0);
      await until(() => gone() >= count - fit && refused(server) > 0, "those that had to go", 10_000);
      // Those that are held on get theirs, or an end, when the test is over.
      const texts = sockets.map((socket) => socket.readText().then((text) => text || Promise.reject("no answer")));
      const answer = await Promise.any(texts);
      assertStringIncludes(answer, "HTTP/1.1 503 Service Unavailable\r\n");
      assertStringIncludes(answer, "retry-after: 5\r\n");
      assertStringIncludes(answer, "connection: close\r\n");
      const before = refused(server);
      for (const size of [500, 10 * KiB, 100 * KiB, 900 * KiB]) {
        await attack();
        const body = encode(JSON.stringify({ object: "x".repeat(size) }));
        const signature = signNotification(body, SECRET);
        const honest = await RawSocket.connect(port);
        const fields = size === 900 * KiB ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
        const whole = size === 900 * KiB ? concat(chunk(body), encode("0\r\n\r\n")) : body;
        await honest.write(encode(head("/hook", `Connection: close\r\n${fields}`, signature)));
        // In parts, each of which is read by itself.
        for (let at = 0; at < whole.length; at += 50_000) await honest.write(whole.subarray(at, at + 50_000));
        assertStringIncludes(await honest.readText(), "HTTP/1.1 200 ", `${size}`);
        assertEquals(decode(kept.at(-1)!), decode(body));
      }
      assert(refused(server) > before);
      assertEquals(server.failedAttempts.signature, 0);
      for (const socket of sockets) await socket.close();
    });
  }

  const plain = (options: WebSocketServerOptions): Promise<WebSocketServer> =>
    startEcho({ maxTotalBodySize: 320 * KiB, ...options });
  const part = (path: string, bytes: number, of: number, close = true): Uint8Array =>
    concat(
      encode(
        `POST ${path} HTTP/1.1\r\nHost: a\r\n${close ? "Connection: close\r\n" : ""}Content-Length: ${of}\r\n\r\n`,
      ),
      new Uint8Array(bytes),
    );

  it("fails the body that onCommandGet reads, however it does, and leaves those alone that are complete", async () => {
    const errors: unknown[] = [];
    let release = (): void => {};
    const slow = new Promise<void>((resolve) => release = resolve);
    const begun: string[] = [];
    await using server = await plain({
      async onCommandGet(request) {
        const { pathname } = new URL(request.url);
        begun.push(pathname);
        try {
          let length = 0;
          if (pathname === "/stream") { for await (const bytes of request.body!) length += bytes.length; }
          else length = (await request.arrayBuffer()).byteLength;
          begun.push(`${pathname} read`);
          await slow;
          return new Response(`${pathname} ${length}`);
        } catch (error) {
          errors.push(error);
          throw error;
        }
      },
    });
    const send = async (bytes: Uint8Array): Promise<RawSocket> => {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(bytes);
      return socket;
    };
    const complete = await send(part("/complete", 200 * KiB, 200 * KiB));
    await until(() => begun.includes("/complete read"), "the complete one");
    const stream = await send(part("/stream", 80 * KiB, 100 * KiB));
    await until(() => begun.includes("/stream"), "the stream");
    const other = await send(part("/other", 80 * KiB, 100 * KiB));
    assertStringIncludes(await stream.readText(), "HTTP/1.1 503 ");
    const codes = (): string[] => errors.map((error) => (error as HttpError).code);
    assertEquals([codes(), refused(server)], [["ERR_HTTP_OVERLOAD"], 1]);
    // What is complete counts as long as the program has it: there is no room for the third one either.
    const third = await send(part("/third", 90 * KiB, 100 * KiB));
    assertStringIncludes(await other.readText(), "HTTP/1.1 503 ");
    release();
    let text = "";
    while (!text.includes(`/complete ${200 * KiB}`)) text += decode((await complete.read())!);
    await third.write(new Uint8Array(10 * KiB));
    assertStringIncludes(await third.readText(), `/third ${100 * KiB}`);
    // And no longer.
    const fourth = await send(part("/fourth", 250 * KiB, 250 * KiB));
    assertStringIncludes(await fourth.readText(), `/fourth ${250 * KiB}`);
    assertEquals([codes(), refused(server)], [["ERR_HTTP_OVERLOAD", "ERR_HTTP_OVERLOAD"], 2]);
    await complete.close();
  });

  it("stops counting a body once it was answered and its connection goes on", async () => {
    await using server = await plain({
      onCommandGet: async (request) => new Response(`length ${(await request.text()).length}`),
    });
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 10; index++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(part("/", 200 * KiB, 200 * KiB, false));
      let text = "";
      while (!text.includes(`length ${200 * KiB}`)) text += decode((await socket.read())!);
      sockets.push(socket);
    }
    assertEquals(refused(server), 0);
    for (const socket of sockets) await socket.close();
  });

  it("counts the received part of a body with its head", async () => {
    await using server = await webhook({ maxTotalBodySize: 2 * KiB });
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 10; index++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(concat(encode(head("/hook", "Content-Length: 60000")), new Uint8Array(500)));
      sockets.push(socket);
    }
    await until(() => refused(server) >= 6, "those that had to go", 10_000);
    for (const socket of sockets) await socket.close();
  });

  it("counts requests behind one that is being answered: it is answered, and they are dropped", async () => {
    let release = (): void => {};
    const slow = new Promise<void>((resolve) => release = resolve);
    await using server = await plain({
      maxTotalBodySize: 20 * KiB,
      onCommandGet: async (request) => {
        await slow;
        return new Response(`answer to ${new URL(request.url).pathname}`);
      },
    });
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(12 * KiB)}\r\n\r\n`;
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 2; index++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(request("/first") + request("/second"));
      sockets.push(socket);
    }
    await until(() => refused(server) === 1, "the first to go");
    release();
    const text = await sockets[0]!.readText();
    assertStringIncludes(text, "answer to /first");
    assertEquals([text.includes("second"), text.includes("connection: close")], [false, true]);
    let other = "";
    while (!other.includes("answer to /second")) other += decode((await sockets[1]!.read())!);
    await sockets[1]!.close();
  });

  it("counts the memory of tiny chunks, and passes those of one read on in one piece", async () => {
    const body = new RequestBody({ kind: "chunked" }, 0, { pull() {}, pause() {} });
    const reader = body.stream!.getReader();
    const first = reader.read();
    const tiny = encode("1\r\nx\r\n".repeat(100));
    assertEquals(body.feed(tiny), tiny.length);
    assertEquals(decode((await first).value!), "x".repeat(100));
    const held = body.held;
    assert(held >= 200 && held < 1000, String(held));
    reader.read().catch(() => {});
    for (let index = 0; index < 10; index++) body.feed(encode("1\r\nx\r\n"));
    assert(body.held >= 10 * 200, String(body.held));
    body.fail(new HttpError("ERR_HTTP_OVERLOAD", "x", 503));
    assertEquals(body.held, 0);
  });

  it("is off with 0", async () => {
    await using server = await plain({
      maxTotalBodySize: 0,
      onCommandGet: async (request) => new Response(String((await request.text()).length)),
    });
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 5; index++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(part("/", 200 * KiB - 1, 200 * KiB));
      sockets.push(socket);
    }
    for (const socket of sockets) {
      await socket.write("x");
      assertStringIncludes(await socket.readText(), "HTTP/1.1 200 ");
    }
    assertEquals(server.stats().refusals, {});
  });
});

describe("a body that is collected", () => {
  const stream = (pieces: Uint8Array<ArrayBuffer>[], error?: unknown): ReadableStream<Uint8Array<ArrayBuffer>> =>
    new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece !== undefined) controller.enqueue(piece);
        else if (error === undefined) controller.close();
        else controller.error(error);
      },
    });

  it("is hashed while it is received, and frees its memory if it stays incomplete", async () => {
    const text = "a notification in three pieces";
    const pieces = (): Uint8Array<ArrayBuffer>[] => [encode("a noti"), encode("fication in "), encode("three pieces")];
    const signature = signNotification(encode(text), "b");
    const { bytes, authentic, digest } = await collectNotification(stream(pieces()), signature, ["a", "", "b"], "p\n");
    assertEquals([decode(bytes), authentic], [text, true]);
    assertEquals(digest, new Uint8Array(createHash("sha256").update(`p\n${text}`).digest()));
    const others: [string, string[] | null, boolean][] = [
      [signature, ["a", "c"], false],
      [signature, ["b", "a"], true],
      [signature, [], false],
      [`sha256=${createHmac("sha256", "").update(text).digest("hex")}`, [""], false],
      ["sha256=", ["b"], false],
      [signature.replace("sha256=", "sha512="), ["b"], false],
      ["", null, true],
    ];
    for (const [shown, secrets, expected] of others) {
      const collected = await collectNotification(stream(pieces()), shown, secrets, "");
      assertEquals([shown, secrets, collected.authentic], [shown, secrets, expected]);
    }
    const empty = await collectNotification(null, signNotification(new Uint8Array(0), "b"), ["b"], "");
    assertEquals([empty.bytes.length, empty.authentic], [0, true]);
    const lost = pieces();
    const held = [...lost];
    const failure = await collectBody(stream(lost, new Error("lost"))).catch((error) => error);
    assertEquals([failure.message, held.map(({ length }) => length)], ["lost", [0, 0, 0]]);
  });

  it("is read by a handler in each way that a Request has, once", async () => {
    const json = '{"a":"\u00e9"}';
    const seen: Record<string, unknown> = {};
    await using server = await startEcho({
      async onCommandGet(request) {
        const name = new URL(request.url).pathname.slice(1);
        if (name === "arrayBuffer") seen[name] = decode(new Uint8Array(await request.arrayBuffer()));
        if (name === "bytes") seen[name] = decode(await request.bytes());
        if (name === "text") seen[name] = await request.text();
        if (name === "json") seen[name] = await request.json();
        if (name === "blob") {
          const blob = await request.blob();
          seen[name] = [await blob.text(), blob.type.split(";")[0]];
        }
        if (name === "formData") seen[name] = (await request.formData()).get("a");
        if (name === "clone") seen[name] = [await request.clone().text(), await request.text()];
        if (name === "stream") {
          seen[name] = "";
          for await (const piece of request.body!) seen[name] += decode(piece);
        }
        assertEquals(request.bodyUsed, true, name);
        const again = await request.text().then(() => "read", (error) => error instanceof TypeError);
        assertEquals([name, again], [name, true]);
        return new Response("ok");
      },
    });
    const url = `http://127.0.0.1:${server.address!.port}`;
    const post = async (name: string, body: BodyInit, headers: HeadersInit = {}): Promise<void> => {
      const response = await fetch(`${url}/${name}`, { method: "POST", body, headers });
      assertEquals([name, await response.text()], [name, "ok"]);
    };
    const type = { "content-type": "application/json" };
    for (const name of ["arrayBuffer", "bytes", "text", "json", "blob", "clone", "stream"]) {
      await post(name, json, type);
    }
    const form = new FormData();
    form.set("a", "field");
    await post("formData", form);
    assertEquals(seen, {
      arrayBuffer: json,
      bytes: json,
      text: json,
      json: { a: "\u00e9" },
      blob: [json, "application/json"],
      clone: [json, json],
      stream: json,
      formData: "field",
    });
  });
});
