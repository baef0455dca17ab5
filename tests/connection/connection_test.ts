import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CONNECTION_DEFAULTS, type SendResult } from "../../connection/options.ts";
import { createConnection, failConnection, openConnection, sendShared, startConnection } from "../../connection/connection.ts";
import { OptionError, StateError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { assertFrames, decodeAll, encode, FakeTransport, openRig, Peer, Recorder, settle, turns } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

describe("WebSocketConnection.send", () => {
  it("sends text and bytes, unmasked as a server", async () => {
    const { transport, connection } = openRig("server");
    connection.send("Hi €");
    connection.send(Uint8Array.of(1, 2));
    connection.send("");
    await settle();
    assertFrames(transport.written, ['text "Hi €"', 'binary "\\u0001\\u0002"', 'text ""']);
    assertEquals(transport.written[1] & 0x80, 0);
  });

  it("masks as a client, with a new key each time", async () => {
    const { transport, connection } = openRig("client");
    for (let index = 0; index < 3; index++) connection.send("same text");
    await settle();
    const wire = transport.written;
    const length = wire.length / 3;
    const keys = new Set([0, 1, 2].map((index) => wire.slice(index * length + 2, index * length + 6).join()));
    assertEquals(keys.size, 3);
    assertEquals(wire[1] & 0x80, 0x80);
    assertFrames(wire, ['text "same text"', 'text "same text"', 'text "same text"']);
  });

  it("makes one write of all frames of one turn, and of all answers to one chunk", async () => {
    const { transport, connection, recorder, peer } = openRig();
    for (let index = 0; index < 50; index++) connection.send(`message ${index}`);
    connection.ping("p");
    await settle();
    assertEquals(transport.writes.length, 1);
    recorder.onMessage = (data) => void connection.send(data);
    transport.receive(concat(...Array.from({ length: 64 }, (_, index) => peer.text(`echo ${index}`))));
    assertEquals(transport.writes.length, 2);
    assertEquals(decodeAll(transport.writes[1]).length, 64);
  });

  it("copies bytes: what happens to them later does not matter", async () => {
    const { transport, connection } = openRig();
    const bytes = Uint8Array.of(1, 2, 3);
    connection.send(bytes);
    bytes.fill(9);
    await settle();
    assertEquals(decodeAll(transport.written)[0].payload, Uint8Array.of(1, 2, 3));
  });

  it("round-trips text of every length around the header edges, ASCII or not", async () => {
    for (const unit of ["a", "é", "€", "😀"]) {
      for (const length of [0, 1, 31, 41, 42, 62, 63, 64, 65, 124, 125, 126, 127, 65535, 65536]) {
        const { transport, connection } = openRig("client");
        const text = unit.repeat(length);
        connection.send(text);
        await settle();
        assertEquals(new TextDecoder().decode(decodeAll(transport.written)[0].payload), text);
      }
    }
  });

  it("round-trips text in which the first character that is not ASCII comes anywhere, behind other frames", async () => {
    for (const role of ["server", "client"] as const) {
      for (const length of [65, 100, 125, 126, 1000, 65535, 65536, 70_000]) {
        for (const at of [0, 1, 64, length - 2]) {
          const { transport, connection } = openRig(role);
          const text = "x".repeat(at) + "😀é€".repeat(3) + "y".repeat(length - at);
          connection.send("before");
          connection.send(text);
          connection.send("after");
          await settle();
          const [before, frame, after] = decodeAll(transport.written);
          assert(new TextDecoder().decode(frame.payload) === text);
          assertEquals([before.payload, after.payload], [encode("before"), encode("after")]);
        }
      }
    }
  });

  it("sends U+FFFD for a lone surrogate", async () => {
    const { transport, connection } = openRig();
    connection.send("a\uD800b");
    await settle();
    assertFrames(transport.written, ['text "a\uFFFDb"']);
  });

  it("refuses what is neither text nor bytes, and a connection that is not open", async () => {
    const { connection } = openRig();
    for (const data of [1, null, undefined, {}, new ArrayBuffer(1), [1]]) {
      assertThrows(() => connection.send(data as string), OptionError, "Cannot send");
    }
    connection.close();
    assertThrows(() => connection.send("late"), StateError, "Cannot send: the connection is closing");
    connection.terminate();
    await settle();
    assertThrows(() => connection.send("late"), StateError, "Cannot send: the connection is closed");
    const early = createConnection(new FakeTransport(), "server", new Recorder(), CONNECTION_DEFAULTS);
    assertThrows(() => early.send("early"), StateError, "not open yet");
  });
});

describe("splitMessage and frameSize", () => {
  for (const role of ["server", "client"] as const) {
    const least = role === "client" ? 7 : 3;
    for (const frameSize of [least, least + 1, 125, 126, 127, 131, 135, 1000, 65535, 65536, 65545, 65549]) {
      it(`as a ${role}, frames take at most ${frameSize} bytes on the wire; all but the last are full`, async () => {
        const { transport, connection } = openRig(role, { splitMessage: true, frameSize });
        const length = frameSize < 1000 ? 700 : 200_000;
        const text = "0123456789".repeat(length / 10);
        connection.send(text);
        connection.send(new Uint8Array(length));
        connection.send("");
        await settle();
        const wire = transport.written;
        const frames = decodeAll(wire);
        const overhead = (size: number): number =>
          (size < 126 ? 2 : size < 65536 ? 4 : 10) + (role === "client" ? 4 : 0);
        for (const { payload } of frames) assert(payload.length + overhead(payload.length) <= frameSize);
        const [firstEnd] = frames.flatMap(({ final }, index) => final ? [index] : []);
        const message = frames.slice(0, firstEnd + 1);
        assertEquals(message.map(({ opcode }) => opcode), [1, ...Array(message.length - 1).fill(0)]);
        for (const { payload } of message.slice(0, -1)) {
          const more = payload.length + 1;
          assert(more + overhead(more) > frameSize, `${payload.length} is not all that fits`);
        }
        assertEquals(new TextDecoder().decode(concat(...message.map(({ payload }) => payload))), text);
        assertEquals(frames.at(-1), { opcode: 1, final: true, reserved: 0, payload: new Uint8Array(0) });
      });
    }

    it(`as a ${role}, a frameSize below ${least} is a RangeError`, () => {
      assertInstanceOf(assertThrows(() => openRig(role, { splitMessage: true, frameSize: least - 1 })), RangeError);
    });
  }

  it("does nothing without splitMessage, or with frameSize 0", async () => {
    for (const options of [{ frameSize: 20 }, { splitMessage: true, frameSize: 0 }]) {
      const { transport, connection } = openRig("server", options);
      connection.send("x".repeat(500));
      await settle();
      assertEquals(decodeAll(transport.written).length, 1);
    }
  });
});

describe("WebSocketConnection.sendFrame", () => {
  it("fragments by hand, with control frames in between, and code points cut", async () => {
    const { transport, connection } = openRig();
    const bytes = encode("€");
    connection.sendFrame(Opcode.Text, bytes.slice(0, 1), false);
    connection.ping("now");
    connection.sendFrame(Opcode.Continuation, bytes.slice(1), false);
    connection.sendFrame(Opcode.Continuation, "", true);
    connection.send("next");
    await settle();
    const frames = decodeAll(transport.written);
    assertEquals(frames.map(({ opcode, final }) => [opcode, final]), [[1, false], [9, true], [0, false], [0, true], [
      1,
      true,
    ]]);
  });

  it("refuses what would break the message", () => {
    const { connection } = openRig();
    assertThrows(() => connection.sendFrame(Opcode.Continuation, "x", true), StateError, "no message is begun");
    assertThrows(() => connection.sendFrame(Opcode.Ping, "x", true), OptionError);
    connection.sendFrame(Opcode.Binary, "x", false);
    assertThrows(() => connection.sendFrame(Opcode.Text, "x", true), StateError, "not finished");
    assertThrows(() => connection.send("x"), StateError, "not finished");
    connection.sendFrame(Opcode.Continuation, "x", true);
    connection.send("x");
  });
});

describe("WebSocketConnection.sendSimpleFrame", () => {
  it("sends control frames only", async () => {
    const { transport, connection } = openRig();
    connection.sendSimpleFrame(Opcode.Ping);
    connection.sendSimpleFrame(Opcode.Pong, "x".repeat(125));
    await settle();
    assertFrames(transport.written, ['ping ""', `pong "${"x".repeat(125)}"`]);
    assertThrows(() => connection.sendSimpleFrame(Opcode.Text, "x"), OptionError);
    assertThrows(() => connection.ping("x".repeat(126)), OptionError, "126");
  });

  it("closes with a close frame", async () => {
    const { transport, connection } = openRig();
    assertThrows(() => connection.sendSimpleFrame(Opcode.Close, Uint8Array.of(3)), OptionError);
    assertThrows(() => connection.sendSimpleFrame(Opcode.Close, Uint8Array.of(3, 0xed)), OptionError, "1005");
    connection.sendSimpleFrame(Opcode.Close, concat(Uint8Array.of(0x03, 0xe9), encode("away")));
    await settle();
    assertFrames(transport.written, ['close 1001 "away"']);
    assertEquals(connection.state, "closing");
  });
});

describe("receiving", () => {
  it("delivers messages in order, however they are cut", () => {
    const wire = concat(
      new Peer("client").text("a"),
      new Peer("client").binary(Uint8Array.of(1)),
      new Peer("client").frame(Opcode.Ping, "p"),
      new Peer("client").text("€"),
    );
    for (let cut = 0; cut <= wire.length; cut++) {
      const { transport, recorder } = openRig();
      if (cut > 0) transport.receive(wire.slice(0, cut));
      if (cut < wire.length) transport.receive(wire.slice(cut));
      assertEquals(recorder.events, ["text a", "binary 1", "ping p", "text €"]);
      assertFrames(transport.written, ['pong "p"']);
    }
  });

  it("answers ten pings in a row in order, and ignores unsolicited pongs", () => {
    const { transport, recorder, peer } = openRig();
    transport.receive(concat(...Array.from({ length: 10 }, (_, index) => peer.frame(Opcode.Ping, `${index}`))));
    assertFrames(transport.written, Array.from({ length: 10 }, (_, index) => `pong "${index}"`));
    transport.receive(peer.frame(Opcode.Pong, "unasked"));
    assertEquals(recorder.events.at(-1), "pong unasked");
    assertEquals(transport.writes.length, 1);
  });

  it("answers no ping with manualPong", async () => {
    const { transport, connection, recorder, peer } = openRig("server", { options: { manualPong: true } });
    transport.receive(peer.frame(Opcode.Ping, "p"));
    assertEquals([recorder.events, transport.writes.length], [["ping p"], 0]);
    connection.pong("by hand");
    await settle();
    assertFrames(transport.written, ['pong "by hand"']);
  });

  it("gives frame information frame by frame", () => {
    const { transport, recorder, peer } = openRig("server", { options: { frameByFrame: true } });
    transport.receive(concat(peer.text("a", false), peer.continuation("b", true)));
    assertEquals(recorder.events, ["text a", "text b"]);
    assertEquals(recorder.frames.map((frame) => frame?.final), [false, true]);
  });

  it("owes a peer that does not read its pongs only the newest one", async () => {
    const { transport, connection, peer } = openRig("server", { highWaterMark: 100 });
    transport.stalled = true;
    transport.receive(concat(...Array.from({ length: 1000 }, (_, index) => peer.frame(Opcode.Ping, `${index}`))));
    transport.receive(concat(...Array.from({ length: 1000 }, (_, index) => peer.frame(Opcode.Ping, `later ${index}`))));
    assert(connection.bufferedAmount < 300, `${connection.bufferedAmount} bytes`);
    transport.stalled = false;
    transport.drain();
    await settle();
    const pongs = decodeAll(transport.written).map(({ payload }) => new TextDecoder().decode(payload));
    assertEquals(pongs.at(-1), "later 999");
  });

  it("reports what a handler does inside its call in order: close, terminate, send", async () => {
    const { transport, connection, recorder, peer } = openRig();
    recorder.onMessage = (data) => {
      if (data === "close") connection.close(1000);
      if (data === "send") connection.send("sent");
    };
    transport.receive(concat(peer.text("send"), peer.text("close"), peer.text("after"), peer.close(1000)));
    await settle();
    assertFrames(transport.written, ['text "sent"', 'close 1000 ""']);
    assertEquals(recorder.events.slice(0, 4), ["text send", "text close", "text after", "close 1000"]);

    const other = openRig();
    other.recorder.onMessage = () => other.connection.terminate();
    other.transport.receive(concat(peer.text("one"), peer.text("two")));
    await settle();
    assertEquals(other.recorder.events, ["text one", "disconnect"]);
  });
});

describe("the closing handshake (RFC 6455 §7)", () => {
  it("as a server that closes first: close frame, the peer's, FIN, and the end of TCP", async () => {
    const { transport, connection, recorder, clock, peer } = openRig("server");
    const closed = connection.close(1000, "done");
    await settle();
    assertFrames(transport.written, ['close 1000 "done"']);
    assertEquals([connection.state, transport.ended], ["closing", false]);
    transport.receive(peer.close(1000, "ok"));
    assertEquals(transport.ended, true);
    transport.handler.end();
    assertEquals(await closed, {
      code: 1000,
      reason: "ok",
      clean: true,
      sent: { code: 1000, reason: "done" },
      received: { code: 1000, reason: "ok" },
    });
    assertEquals(recorder.events, ["close 1000 ok", "disconnect"]);
    assertEquals([connection.state, clock.pending], ["closed", 0]);
  });

  it("as a server whose peer closes: echoes the code, then FIN", async () => {
    const { transport, connection, recorder, peer } = openRig("server");
    transport.receive(peer.close(4000, "bye"));
    assertFrames(transport.written, ['close 4000 ""']);
    assertEquals(transport.ended, true);
    transport.handler.end();
    assertEquals((await connection.closed).code, 4000);
    assertEquals(recorder.events, ["close 4000 bye", "disconnect"]);
  });

  it("as a client: waits for the server's FIN", async () => {
    const { transport, connection, peer } = openRig("client");
    connection.close();
    await settle();
    transport.receive(peer.close());
    await settle();
    assertEquals([transport.ended, transport.destroyed], [false, false]);
    transport.handler.end();
    assertEquals(transport.destroyed, true);
    const info = await connection.closed;
    assertEquals([info.code, info.clean, info.sent], [1005, true, { code: 1005, reason: "" }]);
  });

  it("with manualClose leaves the answer to the program, and ignores what follows the peer's close frame", async () => {
    const { transport, connection, recorder, peer } = openRig("server", { options: { manualClose: true } });
    transport.receive(concat(peer.close(1001), peer.text("after"), peer.frame(Opcode.Ping)));
    transport.receive(peer.text("later"));
    assertEquals([recorder.events, transport.writes.length, connection.state], [["close 1001"], 0, "closing"]);
    connection.close(4001, "mine");
    await settle();
    assertFrames(transport.written, ['close 4001 "mine"']);
    transport.handler.end();
    assertEquals((await connection.closed).sent, { code: 4001, reason: "mine" });
  });

  it("with manualClose answers too when a handler of the program failed", async () => {
    const { transport, connection, peer } = openRig("server", { options: { manualClose: true } });
    transport.receive(peer.close(1000));
    failConnection(connection, 1011, new Error("handler"));
    await settle();
    assertFrames(transport.written, ['close 1011 ""']);
    transport.handler.end();
    assertEquals((await connection.closed).clean, true);
  });

  it("gives up after closeTimeout when no close frame comes", async () => {
    const { transport, connection, recorder, clock } = openRig("server", { closeTimeout: 5000 });
    const closed = connection.close(1000);
    await settle();
    clock.advance(4999);
    assertEquals(transport.destroyed, false);
    clock.advance(1);
    assertEquals(transport.destroyed, true);
    const info = await closed;
    assertEquals([info.code, info.clean], [1006, false]);
    assertEquals(recorder.events, ["error ERR_CLOSE_TIMEOUT", "disconnect"]);
  });

  it("gives up after closeTimeout when TCP does not end", async () => {
    const { transport, connection, clock, peer } = openRig("client", { closeTimeout: 5000 });
    transport.receive(peer.close(1000));
    await settle();
    clock.advance(5000);
    assertEquals(transport.destroyed, true);
    assertEquals((await connection.closed).clean, true);
    assertEquals(clock.pending, 0);
  });

  it("close twice changes nothing, and data after close is not delivered as new state", async () => {
    const { transport, connection, peer } = openRig();
    const first = connection.close(1000, "first");
    const second = connection.close(1001, "second");
    assertEquals(first, second);
    await settle();
    assertFrames(transport.written, ['close 1000 "first"']);
    transport.receive(peer.close(1000));
    transport.handler.end();
    await first;
    assertEquals(await connection.close(), await first);
  });

  it("refuses codes and reasons that must not be sent, before anything happens", () => {
    const { connection } = openRig();
    assertThrows(() => connection.close(1005), OptionError);
    assertThrows(() => connection.close(1000, "x".repeat(124)), OptionError);
    assertEquals(connection.state, "open");
  });

  it("is lost with 1006 when TCP ends without a close frame", async () => {
    for (const end of ["end", "close"] as const) {
      const { transport, connection, recorder } = openRig();
      if (end === "end") transport.handler.end();
      else transport.handler.close(new Error("reset"));
      assertEquals(await connection.closed, { code: 1006, reason: "", clean: false });
      assertEquals(recorder.events, ["disconnect"]);
    }
  });

  it("delivers what came with the handshake before an end that came with it too", async () => {
    for (const early of [{ ended: true, closed: undefined }, { ended: false, closed: { error: new Error("reset") } }]) {
      const transport = new FakeTransport();
      const recorder = new Recorder();
      const settings = { ...CONNECTION_DEFAULTS, pingInterval: 0 };
      const connection = createConnection(transport, "client", recorder, settings);
      startConnection(connection, { protocol: "", extensions: [] });
      openConnection(connection, new Peer("server").text("with the answer"), early);
      assertEquals((await connection.closed).code, 1006);
      assertEquals(recorder.events, ["text with the answer", "disconnect"]);
    }
  });

  it("reports the end exactly once, whatever comes together", async () => {
    const { transport, connection, recorder, peer } = openRig();
    connection.close(1000);
    connection.terminate();
    transport.handler.end();
    transport.handler.close(new Error("reset"));
    transport.handler.close();
    connection.terminate();
    await settle();
    transport.receive(peer.text("ghost"));
    assertEquals(recorder.events, ["disconnect"]);
  });
});

describe("failing the connection (RFC 6455 §7.1.7)", () => {
  it("tells the peer the code, reports once, ignores the rest, and ends TCP", async () => {
    const { transport, connection, recorder, peer } = openRig();
    transport.receive(concat(peer.text("ok"), Uint8Array.of(0x83, 0x80, 0, 0, 0, 0), peer.text("never")));
    assertEquals(recorder.events, ["text ok", "error ERR_RESERVED_OPCODE"]);
    assertFrames(transport.written, ['close 1002 "The opcode 3 is reserved"']);
    transport.receive(peer.text("never"));
    assertEquals(transport.ended, true);
    transport.handler.end();
    const info = await connection.closed;
    assertEquals([info.code, info.clean, info.sent?.code], [1006, false, 1002]);
    assertEquals(recorder.events, ["text ok", "error ERR_RESERVED_OPCODE", "disconnect"]);
  });

  const cases: [name: string, bytes: (peer: Peer) => Uint8Array, closeCode: number][] = [
    ["a message beyond maxMessageSize", (peer) => peer.text("x".repeat(101)), 1009],
    ["text that is not UTF-8", (peer) => peer.frame(Opcode.Text, Uint8Array.of(0xff)), 1007],
    ["a close code that must not be sent", (peer) => peer.frame(Opcode.Close, Uint8Array.of(0x03, 0xed)), 1002],
    ["a close payload of one byte", (peer) => peer.frame(Opcode.Close, Uint8Array.of(0x03)), 1002],
    ["an unmasked frame", () => new Peer("server").text("x"), 1002],
  ];
  for (const [name, bytes, closeCode] of cases) {
    it(`answers ${name} with ${closeCode}`, () => {
      const { transport, peer } = openRig("server", { maxMessageSize: 100 });
      transport.receive(bytes(peer));
      const [{ payload }] = decodeAll(transport.written);
      assertEquals((payload[0] << 8) | payload[1], closeCode);
    });
  }

  it("gives up after closeTimeout against a peer that goes on sending", async () => {
    const { transport, clock, connection } = openRig("server", { closeTimeout: 1000 });
    transport.receive(Uint8Array.of(0xff, 0xff));
    for (let index = 0; index < 10; index++) transport.receive(new Uint8Array(1000));
    clock.advance(1000);
    assertEquals(transport.destroyed, true);
    await connection.closed;
  });
});

describe("back-pressure to the peer", () => {
  it("returns a named result, and drained() resolves when it is over", async () => {
    const { transport, connection } = openRig("server", { highWaterMark: 1000 });
    transport.stalled = true;
    assertEquals(connection.send(new Uint8Array(500)), "sent");
    assertEquals(connection.send(new Uint8Array(500)), "backpressure");
    let drained = false;
    const done = connection.drained().then(() => drained = true);
    await settle();
    assertEquals([drained, connection.bufferedAmount], [false, 1008]);
    transport.drain();
    await done;
    assertEquals(connection.bufferedAmount, 0);
    await connection.drained();
  });

  it("grows bufferedAmount to maxBufferedAmount and no further, then drops when told to", async () => {
    const { transport, connection } = openRig("server", { maxBufferedAmount: 10_000, slowConsumer: "drop" });
    transport.stalled = true;
    const results: SendResult[] = [];
    for (let index = 0; index < 200; index++) {
      results.push(connection.send("x".repeat(96)));
      await settle();
      assert(connection.bufferedAmount <= 10_000);
    }
    // 98 bytes on the wire each.
    assertEquals(results.filter((result) => result !== "dropped").length, 102);
    assertEquals(connection.bufferedAmount, 102 * 98);
    transport.stalled = false;
    transport.drain();
    await connection.drained();
    assertEquals(decodeAll(transport.written).length, 102);
    assertEquals(connection.send("again"), "sent");
  });

  it("closes a slow consumer by default, and says why", async () => {
    const { transport, connection, recorder } = openRig("server", { maxBufferedAmount: 1000 });
    transport.stalled = true;
    connection.send(new Uint8Array(900));
    assertEquals(connection.send(new Uint8Array(200)), "dropped");
    assertEquals([connection.state, transport.destroyed], ["closing", true]);
    const drained = assertRejects(() => connection.drained(), TransportError);
    await connection.closed;
    await drained.catch(() => {});
    assertEquals(recorder.events, ["error ERR_SLOW_CONSUMER", "disconnect"]);
    assertEquals(connection.bufferedAmount, 0);
  });

  it("never drops in the middle of a fragmented message", () => {
    const { transport, connection } = openRig("server", { maxBufferedAmount: 1000, slowConsumer: "drop" });
    transport.stalled = true;
    assertEquals(connection.sendFrame(Opcode.Binary, new Uint8Array(900), false), "sent");
    assertEquals(connection.sendFrame(Opcode.Continuation, new Uint8Array(900), true), "dropped");
    assertEquals(connection.state, "closing");
  });

  it("says clearly that a message can never be sent, counting UTF-8 exactly", () => {
    const { connection } = openRig("server", { maxBufferedAmount: 304 });
    assertEquals(connection.send("€".repeat(100)), "sent");
    const other = openRig("server", { maxBufferedAmount: 303 });
    assertThrows(() => other.connection.send("€".repeat(100)), OptionError, "maxBufferedAmount (303)");
    assertEquals(other.connection.state, "open");
  });

  it("rejects drained() that is called after the loss too, but only if something was lost", async () => {
    for (const [stalled, lost] of [[true, true], [false, false]] as const) {
      const { connection, transport } = openRig();
      transport.stalled = stalled;
      connection.send("x");
      await settle();
      connection.terminate();
      await connection.closed;
      // Nobody is obliged to look: an unhandled rejection would fail the test.
      connection.drained();
      await turns();
      if (lost) await assertRejects(() => connection.drained(), TransportError, "before all bytes were sent");
      else await connection.drained();
    }
  });

  it("names what it cannot send, and why the connection is closed", async () => {
    const { connection, transport, peer } = openRig();
    for (const [data, kind] of [[new ArrayBuffer(2), "ArrayBuffer"], [null, "null"], [5, "number"], [[1], "Array"]]) {
      assertThrows(() => connection.send(data as string), OptionError, `"${kind}"`);
    }
    transport.receive(peer.close(1001, "going home"));
    transport.destroy();
    await connection.closed;
    assertThrows(
      () => connection.send("x"),
      StateError,
      "the connection is closed: the peer closed it with 1001 going home",
    );
  });

  it("rejects drained() when what waits is dropped by terminate()", async () => {
    const { connection } = openRig();
    connection.send("x");
    const drained = connection.drained();
    connection.terminate();
    await assertRejects(() => drained, TransportError);
  });

  it("does not take an encoded message that is too large for any connection for a slow consumer", () => {
    const { connection } = openRig("server", { maxBufferedAmount: 1000 });
    assertThrows(
      () => sendShared(connection, new SharedMessage(new Uint8Array(1001), 0)),
      OptionError,
      "maxBufferedAmount",
    );
    assertEquals(connection.state, "open");
  });

  it("rejects drained() when the connection is lost, without an unhandled rejection if not awaited", async () => {
    const { transport, connection } = openRig();
    transport.stalled = true;
    connection.send("x");
    await settle();
    void connection.drained();
    const drained = connection.drained();
    transport.handler.close(new Error("reset"));
    await assertRejects(() => drained, TransportError, "lost");
  });
});
