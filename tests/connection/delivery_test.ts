/** Delivery of messages by a connection: to streams and loops, in batches, and in steps. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import {
  createConnection,
  deliverBatch,
  openConnection,
  releaseMessages,
  setDelivery,
  startConnection,
  stepConnection,
  type WebSocketConnection,
} from "../../connection/connection.ts";
import { OptionError, StateError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { assertFrames, decodeAll, FakeTransport, openRig, Peer, Recorder, settle } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

/** A client's connection that holds messages until the test releases them; not opened yet. */
function startHolding(): { transport: FakeTransport; recorder: Recorder; connection: WebSocketConnection; peer: Peer } {
  const transport = new FakeTransport();
  const recorder = new Recorder();
  const settings = { ...CONNECTION_DEFAULTS, pingInterval: 0 };
  const connection = createConnection(transport, "client", recorder, settings);
  startConnection(connection, { protocol: "", extensions: [] }, { waitForHandler: true });
  return { transport, recorder, connection, peer: new Peer("server") };
}

describe("readable, writable and iteration", () => {
  it("iterates over messages, and ends with a close frame", async () => {
    const { transport, connection, recorder, peer } = openRig();
    const messages = connection[Symbol.asyncIterator]();
    transport.receive(concat(peer.text("one"), peer.binary(Uint8Array.of(2))));
    assertEquals(await messages.next(), { done: false, value: "one" });
    assertEquals(await messages.next(), { done: false, value: Uint8Array.of(2) });
    const last = messages.next();
    transport.receive(concat(peer.text("three"), peer.close(1000)));
    assertEquals(await last, { done: false, value: "three" });
    transport.handler.end();
    assertEquals(await messages.next(), { done: true, value: undefined });
    assertEquals(recorder.messages.length, 3);
  });

  it("throws at its end when the connection was lost, after all that had come", async () => {
    const { transport, connection, peer } = openRig();
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const message of connection) seen.push(message);
    })();
    transport.receive(concat(peer.text("one"), peer.text("two")));
    transport.handler.close(new Error("reset by peer"));
    const error = await assertRejects(() => loop, TransportError);
    assertEquals([seen, error.code, (error.cause as Error).message], [
      ["one", "two"],
      "ERR_CONNECTION_LOST",
      "reset by peer",
    ]);
  });

  it("reports the kind of end to a reader that starts after it", async () => {
    const lost = openRig();
    lost.transport.handler.close(new Error("reset"));
    await lost.connection.closed;
    await assertRejects(() => lost.connection[Symbol.asyncIterator]().next(), TransportError, "lost");
    const clean = openRig();
    clean.transport.receive(clean.peer.close(1000));
    clean.transport.handler.end();
    await clean.connection.closed;
    assertEquals((await clean.connection[Symbol.asyncIterator]().next()).done, true);
  });

  it("stops reading while the program does not consume, and resumes when it does", async () => {
    const { transport, connection, peer } = openRig();
    const messages = connection[Symbol.asyncIterator]();
    const big = "x".repeat(40_000);
    transport.receive(concat(peer.text(big), peer.text(big), peer.text(big), peer.text("last")));
    assertEquals(transport.paused, true);
    // What was not parsed waits unparsed.
    const { value } = await messages.next();
    assertEquals([value?.length, transport.paused], [40_000, true]);
    await messages.next();
    await messages.next();
    assertEquals((await messages.next()).value, "last");
    assertEquals(transport.paused, false);
  });

  it("keeps no message that was read, though the queue never empties", async () => {
    const { transport, connection, peer } = openRig();
    const messages = connection[Symbol.asyncIterator]();
    transport.receive(peer.text("0"));
    for (let index = 1; index < 5000; index++) {
      transport.receive(peer.text(`${index}`));
      assertEquals((await messages.next()).value, `${index - 1}`);
    }
  });

  it("bounds a flood of empty messages too", () => {
    const { transport, connection, peer } = openRig();
    connection.readable;
    const flood = concat(...Array.from({ length: 2000 }, () => peer.text("")));
    transport.receive(flood);
    assertEquals(transport.paused, true);
  });

  it("finds the peer's close frame behind unread messages once close() was called", async () => {
    const { transport, connection, peer } = openRig();
    connection[Symbol.asyncIterator]();
    const big = peer.text("x".repeat(40_000));
    transport.receive(concat(big, big, big, big, peer.close(1000)));
    assertEquals(transport.paused, true);
    const closed = connection.close(1000);
    await settle();
    assertEquals(connection.state, "closing");
    transport.handler.end();
    assertEquals((await closed).clean, true);
  });

  it("delivers what had come before the loss of a connection whose reader is slow", async () => {
    const { transport, connection, peer } = openRig();
    const messages = connection[Symbol.asyncIterator]();
    const big = peer.text("x".repeat(40_000));
    transport.receive(concat(big, big, big, peer.text("last")));
    transport.handler.close(new Error("reset"));
    await connection.closed;
    for (let index = 0; index < 3; index++) assertEquals((await messages.next()).value?.length, 40_000);
    assertEquals((await messages.next()).value, "last");
    await assertRejects(() => messages.next(), TransportError);
  });

  it("does not close the connection when a loop is left: another loop continues", async () => {
    const { transport, connection, peer } = openRig();
    connection.readable;
    transport.receive(concat(peer.text("one"), peer.text("two")));
    for await (const message of connection) {
      assertEquals(message, "one");
      break;
    }
    assertEquals(connection.state, "open");
    for await (const message of connection) {
      assertEquals(message, "two");
      break;
    }
  });

  it("is a ReadableStream that closes the connection when it is cancelled", async () => {
    const { transport, connection, peer } = openRig();
    const reader = connection.readable.getReader();
    transport.receive(peer.text("one"));
    assertEquals((await reader.read()).value, "one");
    await reader.cancel();
    await settle();
    assertFrames(transport.written, ["close"]);
  });

  it("is a WritableStream whose back-pressure is the peer's", async () => {
    const { transport, connection, peer } = openRig("server", { highWaterMark: 1000 });
    transport.stalled = true;
    const writer = connection.writable.getWriter();
    await writer.write("x".repeat(2000));
    let written = false;
    const second = writer.write("second").then(() => written = true);
    await settle();
    assertEquals(written, false);
    transport.drain();
    await second;
    transport.drain();
    const closing = writer.close();
    await settle();
    transport.drain();
    transport.receive(peer.close(1000));
    transport.handler.end();
    await closing;
    assertFrames(transport.written, [`text "${"x".repeat(2000)}"`, 'text "second"', 'close 1000 ""']);
  });

  it("waits for room in the WritableStream: nothing is dropped, no peer is a slow consumer", async () => {
    for (const slowConsumer of ["close", "drop"] as const) {
      const { transport, connection } = openRig("server", {
        maxBufferedAmount: 1000,
        highWaterMark: 1000,
        slowConsumer,
      });
      transport.stalled = true;
      const writer = connection.writable.getWriter();
      const writes = [1, 2, 3].map(() => writer.write("x".repeat(600)));
      for (let index = 0; index < 4; index++) {
        await settle();
        transport.drain();
      }
      await Promise.all(writes);
      assertEquals([decodeAll(transport.written).length, connection.state], [3, "open"]);
      await assertRejects(() => writer.write(7 as unknown as string), OptionError);
    }
  });

  it("leaves no hole in what is read after close()", async () => {
    const { transport, connection, peer } = openRig();
    const messages = connection[Symbol.asyncIterator]();
    void connection.close(1000);
    await settle();
    const big = "x".repeat(40_000);
    transport.receive(concat(peer.text(`1${big}`), peer.text(`2${big}`), peer.text("3")));
    assertEquals((await messages.next()).value?.[0], "1");
    transport.receive(concat(peer.text("4"), peer.close(1000)));
    const rest = [];
    for await (const message of connection) rest.push(message[0]);
    assertEquals(rest, ["2"]);
  });

  it("aborts the WritableStream with 1011, and fails writes after the end", async () => {
    const { transport, connection } = openRig();
    const writer = connection.writable.getWriter();
    await writer.abort("no more");
    await settle();
    assertFrames(transport.written, ['close 1011 ""']);
  });
});

describe("delivery in batches and in steps", () => {
  it("batched: nothing comes before the batch, all that came does", () => {
    const { transport, connection, recorder, peer } = openRig();
    setDelivery(connection, "batched");
    transport.receive(concat(peer.text("one"), peer.text("two")));
    transport.receive(peer.text("three"));
    assertEquals([recorder.events, transport.paused], [[], false]);
    deliverBatch(connection);
    assertEquals(recorder.events, ["text one", "text two", "text three"]);
    transport.receive(peer.text("four"));
    assertEquals(recorder.events.length, 3);
    setDelivery(connection, "immediate");
    assertEquals(recorder.events.length, 4);
  });

  it("batched: a handler within a batch may turn on immediate delivery", () => {
    const { transport, connection, recorder, peer } = openRig();
    setDelivery(connection, "batched");
    recorder.onMessage = () => setDelivery(connection, "immediate");
    transport.receive(concat(peer.text("one"), peer.text("two")));
    deliverBatch(connection);
    transport.receive(peer.text("three"));
    assertEquals([recorder.events, transport.paused], [["text one", "text two", "text three"], false]);
  });

  it("steps: drained() rejects for what is sent behind a loss that is not reported yet", async () => {
    const { transport, connection, recorder, peer } = openRig();
    setDelivery(connection, "step");
    transport.receive(concat(peer.text("one"), peer.text("two")));
    transport.handler.close();
    recorder.onMessage = () => void connection.send("too late");
    assertEquals(await stepConnection(connection, 0), "message");
    await assertRejects(() => connection.drained(), TransportError, "before all bytes were sent");
  });

  it("batched: stops the reading at 1 MiB", () => {
    const { transport, connection, peer } = openRig();
    setDelivery(connection, "batched");
    const part = peer.binary(new Uint8Array(300_000));
    for (let index = 0; index < 3; index++) transport.receive(part);
    assertEquals(transport.paused, false);
    transport.receive(part);
    assertEquals(transport.paused, true);
    deliverBatch(connection);
    assertEquals(transport.paused, false);
  });

  it("batched: what came before the loss is delivered before it is reported", async () => {
    const { transport, connection, recorder, peer } = openRig();
    setDelivery(connection, "batched");
    transport.receive(peer.text("one"));
    transport.handler.close();
    await connection.closed;
    assertEquals(recorder.events, ["text one", "disconnect"]);
  });

  it("step: one message or control frame a call, and the end", async () => {
    const { transport, connection, recorder, peer } = openRig("client");
    setDelivery(connection, "step");
    assertEquals(transport.paused, true);
    transport.receive(concat(peer.text("one"), peer.frame(Opcode.Ping, "p"), peer.text("two")));
    assertEquals(recorder.events, []);
    assertEquals(await stepConnection(connection, 0), "message");
    assertEquals(recorder.events, ["text one"]);
    assertEquals(await stepConnection(connection, 0), "control");
    assertEquals(await stepConnection(connection, 0), "message");
    assertEquals(recorder.events, ["text one", "ping p", "text two"]);
    const last = stepConnection(connection, 0);
    assertEquals(transport.paused, false);
    transport.receive(peer.close(1000));
    assertEquals(await last, "control");
    transport.handler.end();
    await connection.closed;
    assertEquals(await stepConnection(connection, 0), "closed");
  });

  it("step: a message cut into chunks, or into fragments, is one step", async () => {
    const { transport, connection, recorder, peer } = openRig("client");
    setDelivery(connection, "step");
    const step = stepConnection(connection, 0);
    for (const byte of concat(peer.text("a", false), peer.continuation("b", true))) {
      if (!transport.paused) transport.receive(Uint8Array.of(byte));
    }
    assertEquals([await step, recorder.events], ["message", ["text ab"]]);
  });

  it("step: waits no longer than it is told, and reads nothing between two steps", async () => {
    const { transport, connection, clock, peer } = openRig("client");
    setDelivery(connection, "step");
    const step = stepConnection(connection, 100);
    assertEquals(transport.paused, false);
    clock.advance(100);
    assertEquals([await step, transport.paused, clock.pending], ["none", true, 0]);
    transport.receive(peer.text("late"));
    assertEquals(await stepConnection(connection, 100), "message");
    assertEquals(clock.pending, 0);
  });

  it("step: refuses a second step while one waits", async () => {
    const { transport, connection, peer } = openRig("client");
    setDelivery(connection, "step");
    const step = stepConnection(connection, 0);
    assertThrows(() => stepConnection(connection, 0), StateError);
    transport.receive(peer.text("x"));
    await step;
  });

  it("step: what had come before the loss can still be fetched, then the end", async () => {
    const { transport, connection, recorder, peer } = openRig("client");
    setDelivery(connection, "step");
    transport.receive(concat(peer.text("one"), peer.text("two")));
    transport.handler.close(new Error("reset"));
    assertEquals(await stepConnection(connection, 0), "message");
    assertEquals(recorder.events, ["text one"]);
    assertEquals(await stepConnection(connection, 0), "message");
    assertEquals(await stepConnection(connection, 0), "closed");
    assertEquals(recorder.events, ["text one", "text two", "disconnect"]);
  });

  it("step: close() ends the connection without further steps", async () => {
    const { transport, connection, recorder, peer } = openRig("client");
    setDelivery(connection, "step");
    transport.receive(concat(peer.text("unfetched"), peer.close(1000)));
    const closed = connection.close(1000);
    await settle();
    assertEquals(transport.paused, false);
    transport.handler.end();
    assertEquals((await closed).clean, true);
    assertEquals(recorder.events, ["close 1000", "disconnect"]);
  });

  it("step: what lies behind a loss ends with terminate(), close(), or another delivery", async () => {
    for (const how of ["terminate", "close", "immediate"] as const) {
      const { transport, connection, recorder, peer } = openRig("client");
      setDelivery(connection, "step");
      transport.receive(concat(peer.text("one"), peer.text("two")));
      transport.handler.close(new Error("reset"));
      assertEquals(await stepConnection(connection, 0), "message");
      if (how === "immediate") setDelivery(connection, how);
      else void connection[how]();
      await connection.closed;
      const expected = how === "immediate" ? ["text one", "text two", "disconnect"] : ["text one", "disconnect"];
      assertEquals(recorder.events, expected);
    }
  });

  it("step: leaving it ends a step that waits", async () => {
    const { connection } = openRig("client");
    setDelivery(connection, "step");
    const step = stepConnection(connection, 0);
    setDelivery(connection, "immediate");
    assertEquals(await step, "none");
  });

  it("may be changed there and back inside a handler", () => {
    const { transport, connection, recorder, peer } = openRig("client");
    recorder.onMessage = () => {
      setDelivery(connection, "step");
      setDelivery(connection, "immediate");
    };
    transport.receive(peer.text("last of its chunk"));
    assertEquals(transport.paused, false);
    transport.receive(concat(peer.text("two"), peer.text("three")));
    assertEquals([recorder.events.length, transport.paused], [3, false]);
  });

  it("batched: a close inside a batch still finds the peer's close frame", async () => {
    const { transport, connection, recorder, peer } = openRig("client");
    setDelivery(connection, "batched");
    recorder.onMessage = () => void connection.close(1000);
    transport.receive(peer.text("one"));
    deliverBatch(connection);
    await settle();
    transport.receive(peer.close(1000));
    assertEquals(recorder.events, ["text one", "close 1000"]);
    transport.handler.end();
    await connection.closed;
  });

  it("held messages survive an orderly close that comes behind them", async () => {
    const { transport, recorder, connection, peer } = startHolding();
    openConnection(connection, concat(peer.text("one"), peer.text("two"), peer.close(1000)));
    transport.handler.end();
    await connection.closed;
    releaseMessages(connection);
    assertEquals(recorder.messages, ["one", "two"]);
  });

  it("held messages stop where the handler ends the connection", async () => {
    const { recorder, connection, peer } = startHolding();
    openConnection(connection, concat(peer.text("one"), peer.text("two")));
    recorder.onMessage = () => connection.terminate();
    releaseMessages(connection);
    await settle();
    assertEquals(recorder.events, ["text one", "disconnect"]);
  });

  it("held messages wait until a handler is set", () => {
    const { transport, recorder, connection, peer } = startHolding();
    openConnection(connection, peer.text("one"));
    transport.receive(concat(peer.text("x".repeat(70_000)), peer.text("three")));
    assertEquals([recorder.events, transport.paused], [[], true]);
    releaseMessages(connection);
    assertEquals(recorder.messages.map((message) => message.length), [3, 70_000, 5]);
    assertEquals(transport.paused, false);
    transport.receive(peer.text("four"));
    assertEquals(recorder.messages.length, 4);
  });
});
