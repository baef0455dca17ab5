import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { sendSharedLater } from "../../connection/connection.ts";
import { SharedMessage } from "../../connection/shared_message.ts";
import { heldMemory } from "../support/memory.ts";
import { assertFrames, defer, encode, openRig, settle, showFrames, until } from "../support/support.ts";

/** A Blob that the test lets be read. */
class HeldBlob extends Blob {
  readonly #held = defer<void>();
  override async arrayBuffer(): Promise<ArrayBuffer> {
    await this.#held.promise;
    return await super.arrayBuffer();
  }
  release(): void {
    this.#held.resolve();
  }
  fail(error: unknown): void {
    this.#held.reject(error);
  }
}

describe("a Blob", () => {
  it("is sent in the order of the calls", async () => {
    const { transport, connection, recorder } = openRig("client");
    const blob = new HeldBlob(["blob"]);
    const bytes = Uint8Array.of(65);
    assertEquals([connection.send("before"), connection.send(blob), connection.send("after")], Array(3).fill("sent"));
    connection.send(bytes);
    connection.send(new DataView(encode("view").buffer));
    connection.send(new Blob([]));
    connection.send(new Blob(["two"]));
    bytes.fill(0);
    await settle();
    assertFrames(transport.written, ['text "before"']);
    blob.release();
    await connection.drained();
    const behind = ['binary "blob"', 'text "after"', 'binary "A"', 'binary "view"', 'binary ""', 'binary "two"'];
    assertFrames(transport.written, ['text "before"', ...behind]);
    // Back on the usual way.
    connection.send("last");
    await settle();
    assertEquals(showFrames(transport.written).at(-1), 'text "last"');
    assertEquals(recorder.errors, []);
    connection.terminate();
    await settle();
  });

  it("counts in bufferedAmount with all behind it, and for maxBufferedAmount", async () => {
    const { connection } = openRig("server", { maxBufferedAmount: 1000, highWaterMark: 100, slowConsumer: "drop" });
    const blob = new HeldBlob([new Uint8Array(90)]);
    assertEquals([connection.send(blob), connection.bufferedAmount], ["sent", 90]);
    assertEquals([connection.send("€".repeat(20)), connection.bufferedAmount], ["backpressure", 150]);
    assertThrows(() => connection.send(new Blob([new Uint8Array(1001)])), OptionError, "maxBufferedAmount (1000)");
    assertEquals([connection.send(new Uint8Array(900)), connection.bufferedAmount], ["dropped", 150]);
    blob.release();
    await connection.drained();
    assertEquals(connection.bufferedAmount, 0);
    connection.terminate();
  });

  it("closes a slow consumer beyond maxBufferedAmount, as other messages do", async () => {
    const { connection, recorder, transport } = openRig("server", { maxBufferedAmount: 100 });
    connection.send(new HeldBlob([new Uint8Array(80)]));
    assertEquals(connection.send(new Blob([new Uint8Array(80)])), "dropped");
    transport.handler.close(undefined);
    await connection.closed;
    await settle();
    assertEquals(recorder.events, ["error ERR_SLOW_CONSUMER", "disconnect", "error ERR_QUEUE_LOST"]);
  });

  it("is waited for by close(); nothing is sent after that", async () => {
    const { transport, connection, peer } = openRig();
    const blob = new HeldBlob(["blob"]);
    connection.send(blob);
    connection.send("text");
    assertThrows(() => connection.close(999), OptionError, "999");
    const closed = connection.close(4000, "done");
    assertEquals(connection.state, "closing");
    void connection.close(4001);
    assertThrows(() => connection.send("late"), StateError, "Cannot send: the connection is closing");
    assertThrows(() => connection.sendFrame(Opcode.Text, "late", true), StateError, "closing");
    await settle();
    assertFrames(transport.written, []);
    blob.release();
    await until(() => showFrames(transport.written).length === 3, "the close frame");
    assertEquals(showFrames(transport.written).slice(0, 2), ['binary "blob"', 'text "text"']);
    transport.receive(peer.close(4000));
    transport.handler.close(undefined);
    assertEquals((await closed).sent, { code: 4000, reason: "done" });
  });

  it("that is not read within closeTimeout ends the connection", async () => {
    const { connection, clock, recorder, transport } = openRig("server", { closeTimeout: 1000 });
    connection.send(new HeldBlob(["blob"]));
    void connection.close(1000);
    clock.advance(999);
    assertEquals(transport.destroyed, false);
    clock.advance(1);
    assertEquals(transport.destroyed, true);
    transport.handler.close(undefined);
    await connection.closed;
    await settle();
    assertEquals(recorder.events, ["error ERR_CLOSE_TIMEOUT", "disconnect", "error ERR_QUEUE_LOST"]);
    assertEquals(clock.pending, 0);
  });

  it("that cannot be read goes to onError, and closes with 1011", async () => {
    const { transport, connection, recorder } = openRig();
    const blob = new HeldBlob(["blob"]);
    connection.send(blob);
    connection.send("behind");
    const drained = connection.drained();
    const cause = new Error("The file has changed");
    blob.fail(cause);
    const lost = await assertRejects(() => drained, TransportError, "2 messages");
    assertEquals(lost.code, "ERR_QUEUE_LOST");
    const [error] = recorder.errors;
    assertInstanceOf(error, OptionError);
    assertEquals([error.code, error.cause, recorder.errors.length], ["ERR_PAYLOAD", cause, 1]);
    await settle();
    assert(showFrames(transport.written)[0]!.startsWith("close"), "a close frame");
    assertEquals(showFrames(transport.written).length, 1);
  });

  it("that is not sent because the peer has closed is reported", async () => {
    const { transport, connection, recorder, peer } = openRig();
    connection.send(new HeldBlob(["blob"]));
    transport.receive(peer.close(1000));
    transport.handler.close(undefined);
    await connection.closed;
    await settle();
    assertEquals(recorder.events, ["close 1000", "disconnect", "error ERR_QUEUE_LOST"]);
    assertEquals((recorder.errors[0] as Error).message.includes("1 messages"), true);
  });

  it("waits for a peer that reads slowly", async () => {
    const { transport, connection } = openRig("server", { maxBufferedAmount: 1000 });
    transport.stalled = true;
    connection.send(new Uint8Array(600));
    await settle();
    const blob = new HeldBlob([new Uint8Array(300)]);
    connection.send(blob);
    // A control frame takes the room that was left for the Blob.
    connection.ping("x".repeat(100));
    blob.release();
    await settle();
    assertEquals(showFrames(transport.written).length, 1);
    transport.stalled = false;
    transport.drain();
    await connection.drained();
    assertEquals(showFrames(transport.written).length, 3);
    connection.terminate();
  });

  it("may be a fragment; what comes after it waits", async () => {
    const { transport, connection } = openRig();
    const blob = new HeldBlob(["b"]);
    connection.sendFrame(Opcode.Binary, blob, false);
    assertThrows(() => connection.send("x"), StateError, "not finished");
    assertThrows(() => connection.sendFrame(Opcode.Text, "x", true), StateError, "not finished");
    connection.sendFrame(Opcode.Continuation, new Uint16Array([0x6363]), true);
    assertThrows(() => connection.sendFrame(Opcode.Continuation, "x", true), StateError, "no message is begun");
    connection.send("next");
    blob.release();
    await connection.drained();
    assertFrames(transport.written, ['binary… "b"', 'continuation "cc"', 'text "next"']);
    connection.terminate();
  });

  it("is a chunk of the writable streams", async () => {
    const { transport, connection } = openRig();
    const writer = connection.messageWriter(Opcode.Binary).getWriter();
    await writer.write(new Blob(["a"]));
    await writer.write(new Float32Array(encode("bbbb").buffer));
    await assertRejects(
      () => {
        const gone = new Uint8Array(4);
        gone.buffer.transfer();
        return writer.write(gone);
      },
      OptionError,
      "detached",
    );
    assertEquals(showFrames(transport.written).slice(0, 2), ['binary… "a"', 'continuation… "bbbb"']);
    connection.terminate();
    await settle();
  });

  it("frees its room as soon as it is sent, and closeTimeout begins anew for the next one", async () => {
    const { connection, clock, recorder } = openRig("server", { closeTimeout: 100 });
    const [first, second] = [new HeldBlob([new Uint8Array(90)]), new HeldBlob([new Uint8Array(50)])];
    connection.send(first);
    connection.send(second);
    assertEquals(connection.bufferedAmount, 140);
    void connection.close();
    clock.advance(80);
    first.release();
    await settle();
    assertEquals(connection.bufferedAmount, 50);
    clock.advance(80);
    second.release();
    await settle();
    assertEquals([connection.bufferedAmount, recorder.events], [0, []]);
    connection.terminate();
    await settle();
  });

  it("of a broadcast is dropped while a fragmented message is not finished", async () => {
    const { connection, transport } = openRig();
    connection.sendFrame(Opcode.Text, "begin", false);
    const shared = Promise.resolve(new SharedMessage(encode("blob"), 0));
    assertEquals(sendSharedLater(connection, shared, 4), "dropped");
    await settle();
    connection.sendFrame(Opcode.Continuation, "end", true);
    await settle();
    assertFrames(transport.written, ['text… "begin"', 'continuation "end"']);
    connection.terminate();
    await settle();
  });

  it("refuses a text behind it that can never fit once it is cut between code points", async () => {
    // 150 bytes in 25 frames of two code points: 200 bytes, where frames that are full would take 194.
    const settings = { splitMessage: true, frameSize: 9, maxBufferedAmount: 195 };
    const { connection, transport } = openRig("server", settings);
    connection.send(new Blob(["blob"]));
    assertThrows(() => connection.send("€".repeat(50)), OptionError, "more than maxBufferedAmount");
    await connection.drained();
    assertFrames(transport.written, ['binary "blob"']);
    assertEquals(connection.state, "open");
    connection.terminate();
    await settle();
  });

  it("leaves nothing behind on a connection that goes on", async () => {
    const { transport, connection } = openRig();
    const sendMany = async (count: number): Promise<void> => {
      for (let sent = 0; sent < count; sent++) {
        connection.send(new Blob(["x"]));
        await connection.drained();
        transport.writes.length = 0;
      }
    };
    await sendMany(500);
    const before = heldMemory();
    await sendMany(2000);
    assert(heldMemory() - before < 500_000, `${heldMemory() - before} bytes`);
    connection.terminate();
  });

  it("that is never read is dropped at the end of the connection, also behind others that were sent", async () => {
    const { connection, recorder } = openRig();
    connection.send(new Blob(["read"]));
    await connection.drained();
    connection.send(new HeldBlob(["never"]));
    const drained = assertRejects(() => connection.drained(), TransportError, "1 messages");
    connection.terminate();
    await drained;
    await settle();
    assertEquals(recorder.events.filter((event) => event.startsWith("error")), ["error ERR_QUEUE_LOST"]);
    assertEquals(connection.bufferedAmount, 0);
  });
});
