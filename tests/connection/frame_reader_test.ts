import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { SendResult } from "../../connection/options.ts";
import { sendShared } from "../../connection/connection.ts";
import { OptionError, StateError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { assertFrames, decodeAll, openRig, Peer, settle, turns } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

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

  it("closes a slow consumer by default, with a reason", async () => {
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
      // The program need not look at it: an unhandled rejection would fail the test.
      connection.drained();
      await turns();
      if (lost) await assertRejects(() => connection.drained(), TransportError, "before all bytes were sent");
      else await connection.drained();
    }
  });

  it("names the message that it cannot send, and why the connection is closed", async () => {
    const { connection, transport, peer } = openRig();
    for (const [data, kind] of [[{}, "Object"], [null, "null"], [5, "number"], [[1], "Array"]]) {
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

  it("rejects drained() when terminate() drops queued messages", async () => {
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
