/** Connections as streams of `node:stream`: chunks, both ends, failures, slow readers. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { once } from "node:events";
import type { Duplex, DuplexOptions } from "node:stream";
import { pipeline } from "node:stream/promises";
import { WebSocketClient } from "../../client.ts";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "../../ws.ts";
import { decode, defer, Random, until } from "../support/support.ts";

/** A server whose next connection is a stream, and a client. */
class Rig {
  private constructor(
    readonly server: WebSocketServer,
    readonly client: WebSocketClient,
    readonly socket: WebSocket,
    readonly stream: Duplex,
    readonly events: string[],
  ) {}

  static async start(options: DuplexOptions = {}, settings: { maxPayload?: number } = {}): Promise<Rig> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...settings });
    const events: string[] = [];
    const made = defer<{ socket: WebSocket; stream: Duplex }>();
    server.on("connection", (socket) => {
      const stream = createWebSocketStream(socket, options);
      for (const event of ["end", "finish", "close"]) stream.on(event, () => events.push(event));
      stream.on("error", (error: Error) => events.push(`error: ${error.message}`));
      made.resolve({ socket, stream });
    });
    await once(server as never, "listening");
    const { port } = server.address() as { port: number };
    const client = new WebSocketClient(`ws://127.0.0.1:${port}`, { reconnect: false, maxBufferedAmount: 1 << 27 });
    await client.connect();
    const { socket, stream } = await made.promise;
    return new Rig(server, client, socket, stream, events);
  }

  /** Collects what comes through the stream. */
  collect(): { bytes: number; chunks: Uint8Array[] } {
    const seen = { bytes: 0, chunks: [] as Uint8Array[] };
    this.stream.on("data", (chunk: Uint8Array) => {
      seen.bytes += chunk.length;
      seen.chunks.push(chunk);
    });
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.disconnect();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.stream.destroy();
  }
}

describe("a stream of a connection", () => {
  it("has a chunk for each message, and sends a message for each chunk", async () => {
    await using rig = await Rig.start();
    const seen = rig.collect();
    const random = new Random(1);
    const sizes = [0, 1, 125, 65_536, 1 << 20];
    const messages = sizes.map((size) => random.bytes(size));
    for (const message of messages) rig.client.send(message);
    rig.client.send("ä");
    const last = 2;
    await until(() => seen.bytes === (1 << 20) + 65_536 + 126 + last, "all messages");
    // An empty message is none in a stream of bytes.
    assertEquals(seen.chunks.map((chunk) => new Uint8Array(chunk)), [...messages.slice(1), new Uint8Array([195, 164])]);

    rig.stream.write("text");
    assertEquals(decode(await rig.client.receive() as Uint8Array), "text");
    for (const message of messages) {
      rig.stream.write(message);
      assertEquals(await rig.client.receive(), message);
    }
  });

  it("has texts as strings, and sends strings as texts, where that is wanted", async () => {
    await using rig = await Rig.start({ readableObjectMode: true, decodeStrings: false });
    const seen = rig.collect() as { chunks: unknown[] };
    rig.client.send("one");
    rig.client.send(new Uint8Array([2]));
    rig.client.send("three");
    await until(() => seen.chunks.length === 3, "three messages");
    assertEquals(seen.chunks.map((chunk) => typeof chunk === "string" ? chunk : [...chunk as Uint8Array]), [
      "one",
      [2],
      "three",
    ]);
    rig.stream.write("four");
    assertEquals(await rig.client.receive(), "four");
  });

  it("gives read() all bytes that wait", async () => {
    await using rig = await Rig.start();
    const received = defer<void>();
    rig.socket.on("message", (data) => String(data) === "last" && received.resolve());
    for (const text of ["a", "bc", "def", "last"]) rig.client.send(text);
    await received.promise;
    assertEquals(String(rig.stream.read(2)), "ab");
    assertEquals(String(rig.stream.read()), "cdeflast");
    assertEquals(rig.stream.read(), null);
    rig.client.send("more");
    await once(rig.stream, "readable");
    // aedes passes null.
    assertEquals(String(rig.stream.read(null as never)), "more");
  });

  it("gives read() one string, once it has an encoding", async () => {
    await using rig = await Rig.start();
    rig.stream.setEncoding("utf8");
    const text = async (): Promise<string> => {
      let all = "";
      for await (const chunk of rig.stream) all += chunk;
      return all;
    };
    const all = text();
    for (const part of ["ä", "b", "😀"]) rig.client.send(part);
    rig.client.disconnect();
    assertEquals(await all, "äb😀");
  });

  it("starts the closing handshake at its end, after all that was written", async () => {
    await using rig = await Rig.start();
    const info = defer<[number, boolean]>();
    rig.client.onDisconnect = ({ code, clean }) => info.resolve([code, clean]);
    rig.collect();
    rig.stream.write("one");
    rig.stream.end("two");
    assertEquals(decode(await rig.client.receive() as Uint8Array), "one");
    assertEquals(decode(await rig.client.receive() as Uint8Array), "two");
    await once(rig.stream, "close");
    assertEquals(rig.events, ["finish", "end", "close"]);
    assertEquals(await info.promise, [1005, true]);
  });

  it("ends when the client closes, and when it is lost", async () => {
    for (const lost of [false, true]) {
      await using rig = await Rig.start();
      const seen = rig.collect();
      rig.client.send("last");
      if (lost) {
        await until(() => seen.bytes === 4, "the message");
        rig.client.connection!.terminate();
      } else rig.client.disconnect();
      await once(rig.stream, "end");
      assertEquals(seen.bytes, 4);
      rig.stream.end();
      await until(() => rig.events.includes("close"), "the end");
      assertEquals(rig.events, ["end", "finish", "close"]);
    }
  });

  it("ends the connection without a handshake when it is destroyed", async () => {
    for (const error of [undefined, new Error("of the program")]) {
      await using rig = await Rig.start();
      const ended = defer<number>();
      rig.socket.on("close", (code) => ended.resolve(code));
      rig.stream.destroy(error);
      assertEquals(await ended.promise, 1006);
      await until(() => rig.events.includes("close"), "the end");
      assertEquals(rig.events, error === undefined ? ["close"] : ["error: of the program", "close"]);
      // What is written then is lost, as in every stream.
      assert(!rig.stream.writable);
    }
  });

  it("fails with its connection, whose close frame says why", async () => {
    await using rig = await Rig.start({}, { maxPayload: 1000 });
    const closed = defer<number>();
    rig.client.onDisconnect = ({ code }) => closed.resolve(code);
    rig.client.send(new Uint8Array(2000));
    assertEquals(await closed.promise, 1009);
    await until(() => rig.events.includes("close"), "the end");
    assertEquals(rig.events.length, 2);
    assertStringIncludes(rig.events[0]!, "error: ");
  });

  it("makes the client wait while the program does not read, and the writer while the client does not", async () => {
    await using rig = await Rig.start();
    const message = new Uint8Array(1 << 20);
    const count = 60;
    for (let index = 0; index < count; index++) rig.client.send(message);
    await until(() => rig.socket.isPaused, "the pause");
    assert(rig.stream.readableLength < 4 * message.length, `${rig.stream.readableLength} bytes wait`);
    assert(rig.client.bufferedAmount > message.length);
    const seen = rig.collect();
    await until(() => seen.bytes === count * message.length, "all bytes");
    assert(!rig.stream.write(message));
    assertEquals(await rig.client.receive(), message);
    await until(() => !rig.stream.writableNeedDrain, "drain");
  });

  it("goes through pipelines", async () => {
    await using rig = await Rig.start();
    const echo = pipeline(rig.stream, rig.stream);
    const bytes = new Random(2).bytes(3 << 20);
    for (let at = 0; at < bytes.length; at += 100_000) rig.client.send(bytes.subarray(at, at + 100_000));
    for (let at = 0; at < bytes.length; at += 100_000) {
      assertEquals(await rig.client.receive(), bytes.slice(at, at + 100_000));
    }
    await rig.client.disconnect();
    await echo;
  });

  it("ends at once on a connection that has ended", async () => {
    await using rig = await Rig.start();
    rig.socket.terminate();
    await until(() => rig.socket.readyState === 3, "the end");
    const late = createWebSocketStream(rig.socket);
    late.resume();
    await once(late, "end");
    late.end();
    await once(late, "close");
  });
});
