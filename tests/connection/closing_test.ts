import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import { createConnection, failConnection, openConnection, startConnection } from "../../connection/connection.ts";
import { OptionError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { assertFrames, decodeAll, FakeTransport, openRig, Peer, Recorder, settle } from "../support/support.ts";
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
