import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { join } from "../support/ends.ts";
import { assertSameBytes, decodeAll, encode, openRig, Random, settle, until } from "../support/support.ts";

describe("messageWriter", () => {
  for (const compression of [false, true]) {
    it(`streams one message in fragments, ${compression ? "with" : "without"} compression`, async () => {
      const options = { compression: compression && { threshold: 0 } };
      const { client, peer, atServer, atClient, close } = await join(options, options);
      const noise = new Random(8).bytes(500_000);
      const chunks = new Random(9).chunks(noise, 30_000);
      await ReadableStream.from(chunks).pipeTo(client.messageWriter(Opcode.Binary));
      await ReadableStream.from(chunks).pipeTo(peer.messageWriter(Opcode.Binary));
      client.send("after");
      await until(() => atServer.length === 2 && atClient.length === 1, "the messages");
      assertSameBytes(atServer[0]![0] as Uint8Array, noise);
      assertSameBytes(atClient[0]![0] as Uint8Array, noise);
      assertEquals(atServer[1]![0], "after");
      await close();
    });
  }

  it("takes strings cut anywhere, and mixes them with bytes", async () => {
    const { client, atServer, close } = await join({}, {});
    const writer = client.messageWriter(Opcode.Text).getWriter();
    const smile = "😀";
    for (
      const chunk of ["a", smile[0], smile[1], "", encode("€").subarray(0, 1), encode("€").subarray(1), `b${smile[0]}`]
    ) {
      await writer.write(chunk);
    }
    await writer.write(smile[1]);
    await writer.close();
    const lonely = client.messageWriter(Opcode.Text).getWriter();
    await lonely.write(smile[0]);
    await lonely.write(encode("x"));
    await lonely.write(smile[0]);
    await lonely.close();
    await until(() => atServer.length === 2, "the messages");
    assertEquals(atServer.map(([text]) => text), [`a${smile}€b${smile}`, "\ufffdx\ufffd"]);
    await close();
  });

  it("sends an empty message if nothing is written, and lets control frames through meanwhile", async () => {
    const { client, atServer, close } = await join({}, {});
    await client.messageWriter(Opcode.Binary).close();
    const writer = client.messageWriter(Opcode.Text).getWriter();
    await writer.write("a");
    client.ping("between");
    assertThrows(() => client.send("x"), StateError, "not finished");
    assertThrows(() => client.messageWriter(Opcode.Text), StateError, "not finished");
    await writer.write("b");
    await writer.close();
    await until(() => atServer.length === 2, "the messages");
    assertEquals(atServer, [[new Uint8Array(0)], ["ab"]]);
    await close();
  });

  it("closes the connection with 1011 when it is aborted: a message cannot be taken back", async () => {
    const { client, peer, atServer } = await join({}, {});
    const writer = client.messageWriter(Opcode.Text).getWriter();
    await writer.write("half");
    await writer.abort(new Error("no more"));
    assertEquals((await peer.closed).code, 1011);
    assertEquals(atServer, []);
    await client.disconnect();
  });

  it("refuses other opcodes and data, and fails on a connection that is gone", async () => {
    const { client, close } = await join({}, {});
    assertThrows(() => client.messageWriter(Opcode.Ping), OptionError, "neither");
    assertThrows(() => client.messageWriter(Opcode.Continuation), OptionError, "neither");
    const writer = client.messageWriter(Opcode.Text).getWriter();
    writer.closed.catch(() => {});
    await assertRejects(() => writer.write(5 as unknown as string), OptionError, '"number"');
    const late = client.messageWriter(Opcode.Text).getWriter();
    late.closed.catch(() => {});
    await close();
    await assertRejects(() => late.write("x"), StateError, "closed");
    assertThrows(() => client.messageWriter(Opcode.Text), StateError);
  });

  it("waits again when another writer was faster", async () => {
    const limits = { maxBufferedAmount: 1000, highWaterMark: 1000 };
    const noise = (length: number): Uint8Array => new Random(length).bytes(length);
    for (const stream of ["writable", "messageWriter"] as const) {
      const { transport, connection, recorder } = openRig("server", limits);
      transport.stalled = true;
      connection.send(noise(900));
      await settle();
      connection.drained().then(() => void connection.ping(noise(100)));
      connection.drained().then(() => void connection.ping(noise(100)));
      if (stream === "writable") connection.drained().then(() => void connection.send(noise(600)));
      const writable = stream === "writable" ? connection.writable : connection.messageWriter(Opcode.Binary);
      const written = writable.getWriter().write(noise(850));
      for (let turn = 0; turn < 4; turn++) {
        await settle();
        transport.drain();
      }
      await written;
      assertEquals([connection.state, recorder.events], ["open", []]);
      connection.terminate();
    }
  });

  it("closes the connection with 1011 when a chunk in the middle can never fit", async () => {
    const { transport, connection } = openRig("server", { maxBufferedAmount: 1000 });
    const chunks = [new Uint8Array(300), new Uint8Array(5000), new Uint8Array(1)];
    await assertRejects(
      () => ReadableStream.from(chunks).pipeTo(connection.messageWriter(Opcode.Binary)),
      OptionError,
      "maxBufferedAmount",
    );
    await settle();
    assertEquals(decodeAll(transport.written).map(({ opcode, final }) => [opcode, final]), [[2, false], [8, true]]);
    connection.terminate();
    // The first one harms nothing.
    const other = openRig("server", { maxBufferedAmount: 1000 });
    await assertRejects(() => other.connection.messageWriter(Opcode.Binary).getWriter().write(chunks[1]), OptionError);
    assertEquals(other.connection.send("x"), "sent");
    other.connection.terminate();
  });

  it("waits for a slow peer", async () => {
    const { transport, connection } = openRig("server", { highWaterMark: 100 });
    transport.stalled = true;
    const writer = connection.messageWriter(Opcode.Binary).getWriter();
    await writer.write(new Uint8Array(200));
    await writer.write("");
    let written = false;
    const second = writer.write(new Uint8Array(1)).then(() => written = true);
    await settle();
    assertEquals(written, false);
    transport.stalled = false;
    transport.drain();
    await second;
    await writer.close();
    await settle();
    assertEquals(decodeAll(transport.written).map(({ opcode, final }) => [opcode, final]), [[2, false], [0, false], [
      0,
      true,
    ]]);
    connection.terminate();
  });
});
