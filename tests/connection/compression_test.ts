import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawn } from "node:child_process";
import process from "node:process";
import { WebSocketClient } from "../../client.ts";
import type { MessageData } from "../../protocol/payload.ts";
import { OptionError, StateError } from "../../base/errors.ts";
import { compressionSettings, MessageDeflater } from "../../protocol/deflate.ts";
import { type FrameInfo, Opcode } from "../../protocol/frame_header.ts";
import { liveZlibStates } from "../../protocol/raw_deflate.ts";
import { WebSocketServer } from "../../server.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { join } from "../support/ends.ts";
import { agreeOn, assertSameBytes, decodeAll, encode, openRig, Random, settle, until } from "../support/support.ts";

const ON = { compression: { threshold: 0 } };
const frames = (got: [MessageData, FrameInfo?][]): unknown[][] =>
  got.map(([data, frame]) => [data, frame!.opcode, frame!.first, frame!.final]);

describe("compression", () => {
  it("is off by default on the server, and offered by a client only when asked", async () => {
    for (
      const [serverOptions, clientOptions, offered, agreed] of [
        [{}, {}, 0, 0],
        [ON, {}, 0, 0],
        [{}, ON, 1, 0],
        [ON, ON, 1, 1],
        [{ compression: true }, { compression: [{ serverMaxWindowBits: 9 }, {}] }, 2, 1],
      ] as const
    ) {
      const { peer, client, close } = await join(serverOptions, clientOptions);
      assertEquals(peer.request.extensions.length, offered);
      assertEquals(client.connection!.request.extensions, peer.request.extensions);
      assertEquals(client.extensions.length, agreed);
      assertEquals(client.extensions, peer.extensions);
      await close();
    }
  });

  it("is refused as a setting where it is out of range, and locked while the server runs", async () => {
    assertThrows(() => new WebSocketServer({ compression: { level: 10 } }), OptionError, "compression.level");
    assertThrows(() => new WebSocketClient({ compression: { level: 10 } }), OptionError, "compression.level");
    assertThrows(() => new WebSocketClient({ compression: [{}, { clientMaxWindowBits: 1 }] }), OptionError, "is 1");
    const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1" });
    server.compression = true;
    assertEquals(server.compression, true);
    assertThrows(() => server.compression = { level: -1 }, OptionError);
    await server.start();
    assertThrows(() => server.compression = false, StateError);
    await server.stop();
  });

  it("makes repeated messages tiny with context takeover, and not without it", async () => {
    const text = new Random(3).bytes(400).join();
    const size = async (options: object): Promise<number[]> => {
      const { transport, connection } = openRig("server", {}, agreeOn(options));
      const sizes: number[] = [];
      for (let index = 0; index < 3; index++) {
        transport.writes = [];
        connection.send(text);
        await settle();
        sizes.push(transport.written.length);
      }
      connection.terminate();
      return sizes;
    };
    const [first, second, third] = await size({});
    assert(first! > 600 && second! < 50 && third! < 50, `${first}, ${second}, ${third}`);
    const [one, two, three] = await size({ serverNoContextTakeover: true });
    assertEquals([two, three], [one, one]);
  });

  it("brings messages in order, among uncompressed ones and control frames", async () => {
    const { client, peer, atServer, atClient, close } = await join({ compression: true }, { compression: true });
    const random = new Random(5);
    const sent: MessageData[] = [];
    for (let index = 0; index < 200; index++) {
      const text = `${index}: ${"x".repeat(random.int(300))}`;
      const data = index % 3 === 0 ? encode(text) : text;
      sent.push(data);
      client.send(data);
      peer.send(data);
      if (index % 10 === 0) client.ping("p");
    }
    await until(() => atServer.length === 200 && atClient.length === 200, "all");
    assertEquals(atServer.map(([data]) => data), sent);
    assertEquals(atClient.map(([data]) => data), sent);
    await close();
  });

  it("frees the states of a connection however it ends", async () => {
    const before = liveZlibStates();
    for (const how of ["close", "terminate", "loss", "fault"] as const) {
      const { transport, connection, recorder } = openRig("server", {}, agreeOn(ON.compression));
      connection.send("Hello, Hello, Hello");
      // The start of a message that never ends.
      transport.receive(Uint8Array.of(0x41, 0x83, 0, 0, 0, 0, 0xf2, 0x48, 0xcd));
      assertEquals(liveZlibStates(), before + 2, how);
      if (how === "close") transport.receive(Uint8Array.of(0x88, 0x80, 0, 0, 0, 0));
      else if (how === "terminate") connection.terminate();
      else if (how === "loss") transport.destroy();
      else transport.receive(Uint8Array.of(0xff));
      transport.drain();
      if (!transport.destroyed) transport.handler.end();
      await connection.closed;
      assertEquals(recorder.info?.code, how === "close" ? 1005 : 1006);
      assertEquals(liveZlibStates(), before, how);
    }
  });

  it("continues after a message dropped for lack of room", async () => {
    for (const takeover of [true, false]) {
      const options = { threshold: 0, serverNoContextTakeover: !takeover };
      const { server, client, peer, atClient, close } = await join(
        { compression: options, maxBufferedAmount: 3000, slowConsumer: "drop" },
        { compression: true },
      );
      const random = new Random(9);
      const noise = random.bytes(2000);
      const results: string[] = [];
      // All in one turn: nothing leaves in between.
      for (let index = 0; index < 4; index++) results.push(peer.send(noise.subarray(index * 10)));
      assertEquals(results.slice(0, 1), ["sent"]);
      await peer.drained();
      for (let index = 0; index < 3; index++) {
        results.push(peer.send(random.bytes(2500)), peer.send(random.bytes(2500)));
        await peer.drained();
      }
      assert(results.filter((result) => result === "dropped").length >= 3, results.join());
      peer.send(noise);
      await until(() => atClient.length === results.filter((result) => result !== "dropped").length + 1, "the rest");
      assertSameBytes(atClient.at(-1)![0] as Uint8Array, noise);
      assertThrows(() => peer.send(random.bytes(4000)), OptionError, "maxBufferedAmount");
      peer.send(noise);
      await until(() => atClient.length === results.filter((result) => result !== "dropped").length + 2, "one more");
      assertEquals([client.state, server.connections.size], ["open", 1]);
      await close();
    }
  });

  it("counts the bytes of each message by itself against the limit", () => {
    const server = openRig("server", {}, agreeOn({ threshold: 0 }));
    const client = openRig("client", { maxMessageSize: 200 }, agreeOn({ threshold: 0 }));
    const random = new Random(3);
    for (let index = 0; index < 500; index++) server.connection.send(random.bytes(200));
    return settle().then(() => {
      assert(server.transport.written.length > 100_000);
      client.transport.receive(server.transport.written);
      assertEquals([client.recorder.messages.length, client.recorder.errors], [500, []]);
      server.connection.terminate();
      client.connection.terminate();
    });
  });

  it("takes a message that fits only in its compressed form", async () => {
    const { peer, atClient, close } = await join({ ...ON, maxBufferedAmount: 1000 }, ON);
    assertEquals(peer.send("x".repeat(100_000)), "sent");
    await until(() => atClient.length === 1, "the message");
    assertEquals((atClient[0]![0] as string).length, 100_000);
    await close();
  });
});

describe("incompressible messages", () => {
  it("goes uncompressed without context takeover, and keeps the context with it", async () => {
    const noise = new Random(6).bytes(1000);
    const reserved = async (options: object): Promise<number[]> => {
      const { transport, connection } = openRig("server", {}, agreeOn({ threshold: 0, ...options }));
      connection.send(noise);
      connection.send(noise);
      connection.send("");
      await settle();
      connection.terminate();
      return decodeAll(transport.written, 0x40).map((frame) => frame.reserved);
    };
    assertEquals(await reserved({ serverNoContextTakeover: true }), [0, 0, 0]);
    assertEquals(await reserved({}), [0x40, 0x40, 0x40]);
  });

  it("is broadcast uncompressed", () => {
    const settings = compressionSettings({ threshold: 0 })!;
    const deflater = new MessageDeflater("server", settings, settings);
    const [frame] = decodeAll(new SharedMessage(new Random(6).bytes(100), 0, settings).framesFor(deflater), 0x40);
    assertEquals(frame!.reserved, 0);
  });

  it("needs no more room than it would without compression", async () => {
    for (const compression of [false, { threshold: 0 }]) {
      const { transport, connection, recorder } = openRig("server", { maxBufferedAmount: 1000 }, agreeOn(compression));
      const random = new Random(7);
      transport.stalled = true;
      connection.send("what went before: 0123456789");
      await settle();
      transport.drain();
      assertEquals(connection.send(random.bytes(994)), "sent");
      await settle();
      transport.drain();
      assertEquals(connection.sendFrame(Opcode.Binary, random.bytes(900), true), "sent");
      await settle();
      transport.drain();
      connection.send(random.bytes(100));
      const writer = connection.writable.getWriter();
      const written = writer.write(random.bytes(894));
      for (let turn = 0; turn < 3; turn++) {
        await settle();
        transport.drain();
      }
      await written;
      connection.send("what went before: 0123456789");
      await settle();
      transport.drain();
      assertEquals([connection.state, recorder.events], ["open", []]);
      const client = openRig("client", {}, agreeOn(compression));
      client.transport.receive(transport.written);
      assertEquals(client.recorder.messages.map(({ length }) => length), [28, 994, 900, 100, 894, 28]);
      client.connection.terminate();
      connection.terminate();
    }
  });

  it("waits for room as a stream of fragments", async () => {
    for (const compression of [false, { threshold: 0 }]) {
      const limits = { maxBufferedAmount: 1000, highWaterMark: 1000 };
      const { transport, connection, recorder } = openRig("server", limits, agreeOn(compression));
      const random = new Random(8);
      transport.stalled = true;
      const writer = connection.messageWriter(Opcode.Binary).getWriter();
      let written = 0;
      for (let index = 0; index < 20; index++) writer.write(random.bytes(450)).then(() => written++);
      for (let turn = 0; turn < 40; turn++) {
        await settle();
        assert(connection.bufferedAmount <= 1000 + 40, `${connection.bufferedAmount}`);
        transport.drain();
      }
      assertEquals([written, connection.state, recorder.events], [20, "open", []]);
      connection.terminate();
    }
  });
});

describe("a message that inflates without end", () => {
  it("is closed with 1009 at 16 MiB, and the process grows by a few times that at most", async () => {
    const file = decodeURIComponent(new URL("../../bench/memory.ts", import.meta.url).pathname);
    const own = "Deno" in globalThis ? ["run", "-A", "--no-check", file] : [file];
    const child = spawn(process.execPath, [...own, "bomb"], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (data) => output += data);
    await new Promise((resolve) => child.on("close", resolve));
    // "… in 1043639 bytes on the wire: the server grew by 24.9 MiB, closed with 1009"
    assertStringIncludes(output, "closed with 1009");
    const growth = Number(output.split("grew by ")[1]!.split(" MiB")[0]);
    // Pieces that were read are collected a little later. Without the limit it would be a gigabyte.
    assert(growth > 10 && growth < 64, output);
  });
});

describe("frame by frame", () => {
  const parts: [Opcode, MessageData, boolean][] = [
    [Opcode.Text, "Hel", false],
    [Opcode.Continuation, "lo, ", false],
    [Opcode.Continuation, "", false],
    [Opcode.Continuation, "κόσμε", true],
    [Opcode.Text, "whole", true],
    [Opcode.Binary, Uint8Array.of(1, 2), false],
    [Opcode.Continuation, new Uint8Array(0), true],
    [Opcode.Binary, Uint8Array.of(3), true],
  ];
  for (const compression of [false, true]) {
    it(`shows every frame to both ends, ${compression ? "with" : "without"} compression`, async () => {
      const options = { options: { frameByFrame: true }, compression: compression && { threshold: 0 } };
      const { client, peer, atServer, atClient, close } = await join(options, options);
      assertEquals(peer.extensions.length, compression ? 1 : 0);
      for (const [opcode, data, final] of parts) {
        client.sendFrame(opcode, data, final);
        peer.sendFrame(opcode, data, final);
      }
      client.send("done");
      peer.send("done");
      await until(() => atServer.length === 9 && atClient.length === 9, "all frames");
      const expected = [
        ...parts.map(([opcode, data, final]) => [data, opcode, opcode !== Opcode.Continuation, final]),
        ["done", Opcode.Text, true, true],
      ];
      assertEquals(frames(atServer), expected);
      assertEquals(frames(atClient), expected);
      await close();
    });

    it(`cuts no code point of text, ${compression ? "with" : "without"} compression`, async () => {
      const options = { options: { frameByFrame: true }, compression: compression && { threshold: 0 } };
      const { client, atServer, close } = await join(options, options);
      const bytes = encode("a€😀b");
      for (let at = 0; at < bytes.length; at++) {
        const opcode = at === 0 ? Opcode.Text : Opcode.Continuation;
        client.sendFrame(opcode, bytes.subarray(at, at + 1), at === bytes.length - 1);
      }
      await until(() => atServer.length === bytes.length, "all frames");
      assertEquals(atServer.map(([text]) => text), ["a", "", "", "€", "", "", "", "😀", "b"]);
      await close();
    });

    it(`splits by bytes on the wire, ${compression ? "with" : "without"} compression`, async () => {
      const options = {
        options: { frameByFrame: true },
        compression: compression && { threshold: 0 },
        splitMessage: true,
        frameSize: 40,
      };
      const { client, atServer, close } = await join(options, options);
      const noise = new Random(4).bytes(300);
      client.send(noise);
      await until(() => atServer.at(-1)?.[1]?.final === true, "the last frame");
      assert(atServer.length >= 9, `${atServer.length} frames`);
      assertEquals(atServer.map(([, frame]) => frame!.first), atServer.map((_, index) => index === 0));
      const got = atServer.flatMap(([data]) => [...data as Uint8Array]);
      assertSameBytes(Uint8Array.from(got), noise);
      await close();
    });
  }
});
