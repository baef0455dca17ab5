import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import { createConnection, failConnection, openConnection, startConnection } from "../../connection/connection.ts";
import { OptionError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import {
  assertFrames,
  decodeAll,
  FakeClock,
  FakeTransport,
  openRig,
  Peer,
  Recorder,
  settle,
  startEcho,
  turns,
  until,
} from "../support/support.ts";
import { rawRequest, rawServer, UPGRADE } from "../support/wire.ts";
import { concat } from "../../base/bytes.ts";

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
      opened: true,
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

  it("answers no ping behind its own close frame: none that comes then, and none that waits", async () => {
    const { transport, connection, recorder, peer } = openRig("server");
    recorder.onMessage = () => void connection.close(1000);
    // More pings at once than are answered one by one.
    const pings = Array.from({ length: 65 }, () => peer.frame(Opcode.Ping));
    transport.receive(concat(...pings, peer.text("close"), peer.frame(Opcode.Ping)));
    transport.receive(peer.frame(Opcode.Ping));
    await settle();
    const opcodes = decodeAll(transport.written).map(({ opcode }) => opcode);
    assertEquals([opcodes.indexOf(Opcode.Close), opcodes.length], [64, 65]);
    transport.receive(peer.close(1000));
    transport.handler.end();
    assertEquals((await connection.closed).clean, true);
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
      assertEquals(await connection.closed, { code: 1006, reason: "", clean: false, opened: true });
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

  it("reports the end exactly once, even if several causes coincide", async () => {
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

describe("a peer that has sent FIN while bytes wait for it", () => {
  it("ends a client in the turn if it has closed: a server that reads no more", async () => {
    for (const first of ["the peer", "the program"]) {
      const { transport, connection, recorder, clock, peer } = openRig("client");
      transport.stalled = true;
      connection.send(new Uint8Array(1_000_000));
      await settle();
      const drained = assertRejects(() => connection.drained(), TransportError);
      if (first === "the program") connection.close(1000);
      transport.receive(peer.close(1009));
      transport.handler.end();
      await settle();
      assertEquals(transport.destroyed, true);
      const { code, received } = await connection.closed;
      assertEquals([code, received?.code, recorder.errors, clock.pending], [1009, 1009, [], 0]);
      await drained;
    }
  });

  it("gets from a client what leaves in the turn: its answer to a close frame with FIN behind it", async () => {
    const { transport, connection, peer } = openRig("client");
    transport.stalled = true;
    transport.receive(peer.close(1001));
    transport.handler.end();
    assertEquals(transport.destroyed, false);
    transport.drain();
    assertFrames(transport.written, ['close 1001 ""']);
    assertEquals([transport.destroyed, (await connection.closed).clean], [true, true]);
  });

  it("gets all of it from a server, in its time", async () => {
    const { transport, connection, clock, peer } = openRig("server", { closeTimeout: 1000 });
    transport.stalled = true;
    connection.send(new Uint8Array(1_000_000));
    await settle();
    transport.receive(peer.close(1000));
    transport.handler.end();
    await settle();
    assertEquals(transport.destroyed, false);
    clock.advance(999);
    assertEquals(transport.destroyed, false);
    transport.stalled = false;
    transport.drain();
    assertEquals(decodeAll(transport.written).map(({ opcode }) => opcode), [Opcode.Binary, Opcode.Close]);
    assertEquals(transport.destroyed, true);
    await connection.closed;
  });

  it("gets all of it if it has not closed, when either has failed it", async () => {
    for (const role of ["server", "client"] as const) {
      const { transport, connection, peer } = openRig(role, { maxMessageSize: 10 });
      transport.stalled = true;
      connection.send(new Uint8Array(1_000_000));
      await settle();
      transport.receive(peer.text("x".repeat(11)));
      transport.handler.end();
      await settle();
      assertEquals(transport.destroyed, false);
      transport.stalled = false;
      transport.drain();
      assertEquals(decodeAll(transport.written).map(({ opcode }) => opcode), [Opcode.Binary, Opcode.Close]);
      assertEquals(transport.destroyed, true);
      assertEquals((await connection.closed).sent?.code, 1009);
    }
  });
});

/** More than the systems of both ends hold. */
const MUCH = 24 * 1024 * 1024;

describe("a peer that has closed and reads no more, over sockets", () => {
  for (const way of ["FIN", "a reset"]) {
    it(`ends a client at once by ${way}, not after closeTimeout`, async () => {
      const clock = new FakeClock();
      const errors: unknown[] = [];
      const onError = (error: unknown): void => void errors.push(error);
      const { client, connected, peer, close } = await rawServer({ clock, onError, reconnect: false });
      await connected;
      const connection = client.connection!;
      peer.transport.pause();
      connection.send(new Uint8Array(MUCH));
      await until(() => peer.chunks.length > 0, "a part of the message");
      peer.send(new Peer("server").close(1009));
      if (way === "FIN") peer.transport.end();
      else {
        await until(() => connection.state === "closing", "the close frame");
        // With bytes that it has not read, the system sends a reset.
        peer.transport.destroy();
      }
      await until(() => connection.state === "closed", "the end", 5000);
      const { code, received } = await connection.closed;
      assertEquals([code, received, errors], [1009, { code: 1009, reason: "" }, []]);
      assertEquals(connection.bufferedAmount, 0);
      await close();
      assertEquals(clock.pending, 0);
    });
  }

  it("ends a server by a reset behind its close frame and FIN, not after closeTimeout", async () => {
    const clock = new FakeClock();
    await using server = await startEcho({ clock, onMessageReceived: (it) => void it.send(new Uint8Array(MUCH)) });
    const { peer } = await rawRequest(server, [...UPGRADE]);
    const [connection] = server.connections;
    peer.transport.pause();
    peer.send(concat(new Peer("client").text("much"), new Peer("client").close(1000)));
    peer.transport.end();
    await until(() => connection!.state === "closing" && connection!.bufferedAmount > 0, "the close frame");
    peer.transport.destroy();
    await until(() => connection!.state === "closed", "the end", 5000);
    assertEquals((await connection!.closed).code, 1000);
  });

  it("gets all of it from a server behind its close frame and FIN, however late it reads", async () => {
    const clock = new FakeClock();
    await using server = await startEcho({ clock, onMessageReceived: (it) => void it.send(new Uint8Array(MUCH)) });
    const { peer } = await rawRequest(server, [...UPGRADE]);
    const [connection] = server.connections;
    peer.transport.pause();
    peer.send(concat(new Peer("client").text("much"), new Peer("client").close(1000)));
    peer.transport.end();
    await until(() => connection!.state === "closing" && connection!.bufferedAmount > 0, "the close frame");
    await turns(20);
    assertEquals(connection!.state, "closing");
    peer.transport.resume();
    await until(() => peer.ended, "the end");
    const [message, close] = decodeAll(peer.received);
    assertEquals([message!.payload.length, close!.opcode], [MUCH, Opcode.Close]);
    peer.transport.destroy();
    await connection!.closed;
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
      const { payload } = decodeAll(transport.written)[0]!;
      assertEquals((payload[0]! << 8) | payload[1]!, closeCode);
    });
  }

  it("gives up after closeTimeout against a peer that keeps sending", async () => {
    const { transport, clock, connection } = openRig("server", { closeTimeout: 1000 });
    transport.receive(Uint8Array.of(0xff, 0xff));
    for (let index = 0; index < 10; index++) transport.receive(new Uint8Array(1000));
    clock.advance(1000);
    assertEquals(transport.destroyed, true);
    await connection.closed;
  });
});
