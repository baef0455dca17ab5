import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import {
  createConnection,
  openConnection,
  startConnection,
  type WebSocketConnection,
} from "../../connection/connection.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { WriteBatch } from "../../base/write_batch.ts";
import { concat } from "../../base/bytes.ts";
import { decodeAll, FakeClock, FakeTransport, Peer, Recorder, showFrames } from "../support/support.ts";

/** A transport that writes at the end of a turn, which the test calls. */
class BatchTransport extends FakeTransport {
  #ends: (() => void)[] = [];
  readonly batch = new WriteBatch((run) => this.#ends.push(run));

  /** Ends the turn. */
  flush(): void {
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
  }
}

function open(): { transport: BatchTransport; connection: WebSocketConnection; recorder: Recorder; peer: Peer } {
  const transport = new BatchTransport();
  const recorder = new Recorder();
  const settings = { ...CONNECTION_DEFAULTS, pingInterval: 0, clock: new FakeClock() };
  const connection = createConnection(transport, "server", recorder, settings);
  startConnection(connection, { protocol: "", extensions: [] });
  openConnection(connection, new Uint8Array(0));
  return { transport, connection, recorder, peer: new Peer("client") };
}

describe("a connection whose transport writes at the end of a turn", () => {
  it("writes all that was sent in the turn at once, within handlers or outside", () => {
    const { transport, connection, recorder, peer } = open();
    recorder.onMessage = (data) => void connection.send(data);
    connection.send("first");
    transport.receive(concat(peer.text("a"), peer.text("b")));
    transport.receive(peer.text("c"));
    connection.send("last");
    assertEquals([transport.writes.length, connection.bufferedAmount], [0, 7 + 3 * 3 + 6]);
    transport.flush();
    assertEquals([transport.writes.length, connection.bufferedAmount], [1, 0]);
    assertEquals(showFrames(transport.written).length, 5);
    connection.send("next");
    transport.flush();
    assertEquals(transport.writes.length, 2);
  });

  it("writes at once from 64 KiB on, within a handler too, and what is 512 KiB at the end of the turn", () => {
    const { transport, connection, recorder, peer } = open();
    const writes: number[] = [];
    recorder.onMessage = (data) => {
      connection.send("x".repeat(Number(data)));
      writes.push(transport.writes.length);
    };
    transport.receive(concat(...["1000", "63000", "2000", "70000", "524288", "10"].map((text) => peer.text(text))));
    assertEquals(writes, [0, 0, 1, 2, 2, 2]);
    transport.flush();
    const lengths = showFrames(transport.written).length;
    assertEquals([lengths, connection.bufferedAmount], [6, 0]);
  });

  it("does not write queued messages at once while another write is pending", () => {
    const { transport, connection } = open();
    transport.stalled = true;
    for (let count = 0; count < 5; count++) connection.send("x".repeat(70_000));
    assertEquals(transport.writes.length, 1);
    transport.stalled = false;
    transport.drain();
    assertEquals([connection.bufferedAmount, showFrames(transport.written).length], [0, 5]);
  });

  it("waits for the transport where it is slow, over several turns", async () => {
    const { transport, connection } = open();
    transport.stalled = true;
    connection.send("one");
    transport.flush();
    connection.send("two");
    transport.flush();
    let drained = false;
    const waiting = connection.drained().then(() => drained = true);
    transport.drain();
    await Promise.resolve();
    assertEquals([transport.writes.length, connection.bufferedAmount, drained], [2, 5, false]);
    transport.drain();
    await waiting;
    assertEquals(connection.bufferedAmount, 0);
  });

  it("answers pings in the turn, the newest one when there were too many", () => {
    const { transport, peer } = open();
    transport.receive(concat(...Array.from({ length: 70 }, (_, index) => peer.frame(Opcode.Ping, String(index)))));
    transport.flush();
    const pongs = decodeAll(transport.written);
    assertEquals([pongs.length, new TextDecoder().decode(pongs[64]!.payload)], [65, "69"]);
  });

  it("ends the transport when its close frame has left, and not before", () => {
    const { transport, connection, recorder, peer } = open();
    recorder.onMessage = (data) => void connection.send(data);
    transport.receive(concat(peer.text("a"), peer.close(1000)));
    assertEquals([transport.writes.length, transport.ended], [0, false]);
    transport.flush();
    assertEquals([transport.writes.length, transport.ended], [1, true]);
    assertEquals(showFrames(transport.written).length, 2);
  });

  it("ends the transport when the close frame of a failure has left", () => {
    const { transport, peer } = open();
    transport.stalled = true;
    transport.receive(peer.continuation("x", true));
    transport.flush();
    assertEquals([transport.writes.length, transport.ended], [1, false]);
    transport.drain();
    assertEquals(transport.ended, true);
  });

  it("stops writing once terminated within the turn", () => {
    const { transport, connection } = open();
    connection.send("one");
    connection.terminate();
    transport.flush();
    assertEquals([transport.writes.length, connection.bufferedAmount, transport.destroyed], [0, 0, true]);
  });
});
