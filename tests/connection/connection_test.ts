import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import { createConnection } from "../../connection/connection.ts";
import { ConnectionClosedError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { assertFrames, decodeAll, encode, FakeTransport, openRig, Recorder, settle } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

describe("WebSocketConnection.send", () => {
  it("sends text and bytes, unmasked as a server", async () => {
    const { transport, connection } = openRig("server");
    connection.send("Hi €");
    connection.send(Uint8Array.of(1, 2));
    connection.send("");
    await settle();
    assertFrames(transport.written, ['text "Hi €"', 'binary "\\u0001\\u0002"', 'text ""']);
    assertEquals(transport.written[1]! & 0x80, 0);
  });

  it("masks as a client, with a new key each time", async () => {
    const { transport, connection } = openRig("client");
    for (let index = 0; index < 3; index++) connection.send("same text");
    await settle();
    const wire = transport.written;
    const length = wire.length / 3;
    const keys = new Set([0, 1, 2].map((index) => wire.slice(index * length + 2, index * length + 6).join()));
    assertEquals(keys.size, 3);
    assertEquals(wire[1]! & 0x80, 0x80);
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
    assertEquals(decodeAll(transport.writes[1]!).length, 64);
  });

  it("copies bytes, so that later changes to them have no effect", async () => {
    const { transport, connection } = openRig();
    const bytes = Uint8Array.of(1, 2, 3);
    connection.send(bytes);
    bytes.fill(9);
    await settle();
    assertEquals(decodeAll(transport.written)[0]!.payload, Uint8Array.of(1, 2, 3));
  });

  it("round-trips text of every length around the header edges, ASCII or not", async () => {
    for (const unit of ["a", "é", "€", "😀"]) {
      for (const length of [0, 1, 31, 41, 42, 62, 63, 64, 65, 124, 125, 126, 127, 65535, 65536]) {
        const { transport, connection } = openRig("client");
        const text = unit.repeat(length);
        connection.send(text);
        await settle();
        assertEquals(new TextDecoder().decode(decodeAll(transport.written)[0]!.payload), text);
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
          assert(new TextDecoder().decode(frame!.payload) === text);
          assertEquals([before!.payload, after!.payload], [encode("before"), encode("after")]);
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

  it("refuses data other than text or bytes, and a connection that is not open", async () => {
    const { connection } = openRig();
    for (const data of [1, null, undefined, {}, [1]]) {
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
    const least = role === "client" ? 10 : 6;
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
        const message = frames.slice(0, firstEnd! + 1);
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

  it("lives with a peer that decodes each frame of a text by itself", async () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for (const role of ["server", "client"] as const) {
      for (let extra = 0; extra < 5; extra++) {
        const { transport, connection } = openRig(role, {
          splitMessage: true,
          frameSize: (role === "client" ? 10 : 6) + extra,
        });
        const text = "Grüße: 10 € 😀! ".repeat(20);
        connection.send(text);
        await settle();
        assertEquals(decodeAll(transport.written).map(({ payload }) => decoder.decode(payload)).join(""), text);
      }
    }
  });

  it("counts the frames of a text against maxBufferedAmount as they are sent", async () => {
    // Two code points of 3 bytes in frames that could hold 7: 25 frames instead of 22.
    const text = "€".repeat(50);
    for (const spare of [0, -1]) {
      const maxBufferedAmount = 150 + 25 * 2 + spare;
      const { transport, connection } = openRig("server", { splitMessage: true, frameSize: 9, maxBufferedAmount });
      if (spare < 0) assertThrows(() => connection.send(text), OptionError, "200 bytes are more than");
      else assertEquals(connection.send(text), "sent");
      await settle();
      assertEquals(transport.written.length, spare < 0 ? 0 : 200);
    }
  });

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

  it("refuses calls that would break the message", () => {
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

describe("WebSocketConnection.receive", () => {
  it("gives the messages in order, also to several calls that wait", async () => {
    const { transport, connection, recorder, peer } = openRig();
    const waiting = [connection.receive(), connection.receive(), connection[Symbol.asyncIterator]().next()];
    transport.receive(concat(peer.text("a"), peer.binary(Uint8Array.of(1)), peer.text("c"), peer.text("d")));
    assertEquals(await Promise.all(waiting), ["a", Uint8Array.of(1), { done: false, value: "c" }]);
    // The loop is still open.
    assertEquals(await connection.receive(), "d");
    // Handlers get the messages too.
    assertEquals(recorder.events, ["text a", "binary 1", "text c", "text d"]);
    connection.terminate();
  });

  it("stops the reading when 64 KiB wait, as a loop does", async () => {
    const { transport, connection, peer } = openRig();
    const loop = connection[Symbol.asyncIterator]();
    transport.receive(concat(peer.text("a"), peer.text("x".repeat(70_000)), peer.text("b")));
    assertEquals([(await loop.next()).value, transport.paused], ["a", true]);
    assertEquals([(await connection.receive()).length, await connection.receive()], [70_000, "b"]);
    assertEquals(transport.paused, false);
    connection.terminate();
  });

  it("gives what came before the close frame, and rejects with its code and reason", async () => {
    const { transport, connection, peer } = openRig();
    const waiting = [connection.receive(), connection.receive(), connection.receive()];
    transport.receive(concat(peer.text("a"), peer.text("b"), peer.close(4000, "enough")));
    assertEquals([await waiting[0], await waiting[1]], ["a", "b"]);
    for (const late of [waiting[2]!, connection.receive()]) {
      const error = await assertRejects(
        () => late,
        ConnectionClosedError,
        "Cannot receive: the connection was closed with 4000 enough",
      );
      assertEquals([error.code, error.closeCode, error.reason], ["ERR_CONNECTION_CLOSED", 4000, "enough"]);
    }
    transport.destroy();
    await connection.closed;
  });

  it("rejects with 1006 and the cause when the connection is lost", async () => {
    const { transport, connection, peer } = openRig("client");
    const waiting = connection.receive();
    const second = connection.receive();
    transport.receive(concat(peer.text("a"), peer.text("b")));
    const cause = new Error("reset");
    transport.handler.close(cause);
    assertEquals([await waiting, await second], ["a", "b"]);
    const error = await assertRejects(() => connection.receive(), ConnectionClosedError, "the connection was lost");
    assertEquals([error.closeCode, error.reason], [1006, ""]);
    assertInstanceOf(error.cause, TransportError);
    assertEquals([error.cause.code, error.cause.cause], ["ERR_CONNECTION_LOST", cause]);
  });
});
