import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import { TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { WebSocketServer } from "../../server.ts";
import { concat } from "../../base/bytes.ts";
import { decodeAll, openRig, type Rig, settle, showFrames, startEcho, until } from "../support/support.ts";

/** The payloads of the pings that were written since the last look. */
function takePings({ transport }: Rig): Uint8Array[] {
  const frames = decodeAll(transport.written);
  transport.writes = [];
  return frames.filter(({ opcode }) => opcode === Opcode.Ping).map(({ payload }) => payload);
}

const OPTIONS = { pingInterval: 30_000, pongTimeout: 20_000 };

/** Lets the next ping leave, and returns its payload. */
async function nextPing(rig: Rig): Promise<Uint8Array> {
  rig.clock.advance(30_000);
  await settle();
  const [payload] = takePings(rig);
  return payload!;
}

describe("keep-alive", () => {
  it("pings within the 30 s of common proxies by default, and gives up after 20 s", () => {
    assertEquals([CONNECTION_DEFAULTS.pingInterval, CONNECTION_DEFAULTS.pongTimeout], [25_000, 20_000]);
    assertEquals([new WebSocketServer().pingInterval, new WebSocketClient().pingInterval], [25_000, 25_000]);
    assertEquals(CONNECTION_DEFAULTS.idleTimeout, 0);
  });

  for (const role of ["server", "client"] as const) {
    it(`measures the latency as a ${role}`, async () => {
      const rig = openRig(role, OPTIONS);
      assertEquals(rig.connection.latency, undefined);
      for (const latency of [12, 250]) {
        const payload = await nextPing(rig);
        rig.clock.advance(latency);
        // A pong that answers another ping says nothing.
        rig.transport.receive(rig.peer.frame(Opcode.Pong, "other"));
        rig.transport.receive(rig.peer.frame(Opcode.Pong, new Uint8Array(8)));
        rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
        assertEquals(rig.connection.latency, latency);
      }
      assertEquals(rig.recorder.events.filter((event) => event.startsWith("pong")).length, 6);
      rig.connection.terminate();
      await settle();
      assertEquals(rig.clock.pending, 0);
    });
  }

  it("sends no pings and misses no pong while messages without handler wait, and goes on with the reader", async () => {
    const rig = openRig("server", OPTIONS);
    rig.recorder.onMessage = () => "none";
    const first = rig.connection.receive();
    const messages = Array.from({ length: 200 }, () => rig.peer.text("x".repeat(1000)));
    rig.transport.receive(concat(...messages));
    assertEquals([(await first).length, rig.transport.paused], [1000, true]);
    rig.clock.advance(300_000);
    await settle();
    assertEquals([takePings(rig), rig.transport.destroyed, rig.recorder.errors], [[], false, []]);
    for (let index = 1; index < 200; index++) await rig.connection.receive();
    assertEquals([rig.transport.paused, (await nextPing(rig)).length], [false, 8]);
    rig.connection.terminate();
  });

  it("gives up a peer that is silent, without a closing handshake", async () => {
    const rig = openRig("server", OPTIONS);
    assertEquals((await nextPing(rig)).length, 8);
    rig.clock.advance(19_999);
    assertEquals(rig.transport.destroyed, false);
    rig.clock.advance(1);
    assertEquals([rig.transport.destroyed, rig.transport.writes], [true, []]);
    await settle();
    assertEquals(rig.recorder.events, ["error ERR_PONG_TIMEOUT", "disconnect"]);
    assertInstanceOf(rig.recorder.errors[0], TransportError);
    assertEquals(rig.recorder.info, { code: 1006, reason: "", clean: false, opened: true });
    assertEquals(rig.clock.pending, 0);
  });

  it("does not give up a peer in the middle of a long frame, but waits for the pong behind it", async () => {
    const rig = openRig("server", OPTIONS);
    const frame = rig.peer.binary(new Uint8Array(1000));
    const payload = await nextPing(rig);
    for (let at = 0; at < frame.length; at += 100) {
      rig.transport.receive(frame.subarray(at, at + 100));
      rig.clock.advance(19_000);
    }
    assertEquals([rig.transport.destroyed, takePings(rig).length], [false, 0]);
    rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
    assert(rig.connection.latency! > 100_000);
    assertEquals((await nextPing(rig)).length, 8);
    rig.clock.advance(20_000);
    assertEquals(rig.transport.destroyed, true);
    await settle();
  });

  it("does not count the time in which the program itself holds up the reading", async () => {
    const rig = openRig("client", OPTIONS);
    const messages = rig.connection[Symbol.asyncIterator]();
    const payload = await nextPing(rig);
    rig.transport.receive(rig.peer.text("x".repeat(100_000)));
    assertEquals(rig.transport.paused, true);
    rig.clock.advance(300_000);
    assertEquals(rig.transport.destroyed, false);
    await messages.next();
    rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
    assertEquals(rig.connection.latency, 300_000);
    // Nor does it ping then.
    rig.transport.receive(rig.peer.text("x".repeat(100_000)));
    assertEquals(await nextPing(rig), undefined);
    rig.connection.terminate();
    await settle();
  });

  it("waits for a slow reader as long as bytes before the ping leave, and no longer", async () => {
    const rig = openRig("server", OPTIONS);
    rig.transport.stalled = true;
    rig.connection.send(new Uint8Array(1_000_000));
    await settle();
    // One write of a MB is on its way; the ping stands behind it.
    rig.clock.advance(30_000);
    for (let taken = 0; taken < 10; taken++) {
      rig.transport.bytesWritten += 1000;
      rig.clock.advance(20_000);
    }
    assertEquals(rig.transport.destroyed, false);
    rig.clock.advance(20_000);
    assertEquals(rig.transport.destroyed, true);
    await settle();
    assertEquals(rig.recorder.events, ["error ERR_PONG_TIMEOUT", "disconnect"]);
  });

  it("takes no bytes behind the ping for a sign of life", async () => {
    const rig = openRig("server", OPTIONS);
    await nextPing(rig);
    // A system takes bytes for a dead peer too, until its buffer is full.
    for (let index = 0; index < 19; index++) {
      rig.connection.send("tick");
      await settle();
      rig.clock.advance(1000);
    }
    rig.clock.advance(1000);
    assertEquals(rig.transport.destroyed, true);
    await settle();
  });

  it("ends with the closing handshake", async () => {
    const rig = openRig("server", { ...OPTIONS, closeTimeout: 0, idleTimeout: 1000 });
    rig.connection.close(1000);
    assertEquals(rig.clock.pending, 0);
    rig.transport.receive(rig.peer.close(1000));
    rig.transport.handler.close();
    await settle();
    assertEquals(rig.recorder.errors, []);
  });

  it("sends no ping behind the close frame, though a pong comes then", async () => {
    const rig = openRig("server", { ...OPTIONS, closeTimeout: 0 });
    const payload = await nextPing(rig);
    rig.connection.close(1000);
    rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
    assertEquals(rig.clock.pending, 0);
    rig.connection.terminate();
    await settle();
  });

  it("answers 64 pings of one read, and of those beyond them the newest", async () => {
    const { transport, connection, peer } = openRig("server");
    transport.receive(concat(...Array.from({ length: 200 }, (_, index) => peer.frame(Opcode.Ping, String(index)))));
    await settle();
    const pongs = showFrames(transport.written);
    assertEquals([pongs.length, pongs[63], pongs[64]], [65, 'pong "63"', 'pong "199"']);
    connection.terminate();
    await settle();
  });

  it("is off with 0", async () => {
    const rig = openRig("server", { pingInterval: 0, pongTimeout: 10 });
    assertEquals(rig.clock.pending, 0);
    const patient = openRig("server", { pingInterval: 10, pongTimeout: 0 });
    patient.clock.advance(1_000_000);
    await settle();
    assertEquals([takePings(patient).length, patient.transport.destroyed], [1, false]);
  });
});

describe("idleTimeout", () => {
  it("closes with 1001 a connection with only pings and pongs", async () => {
    const rig = openRig("server", { idleTimeout: 80_000, pingInterval: 10_000, pongTimeout: 0 });
    for (let index = 0; index < 7; index++) {
      rig.clock.advance(10_000);
      await settle();
      rig.transport.receive(rig.peer.frame(Opcode.Pong, takePings(rig)[0]));
      rig.transport.receive(rig.peer.frame(Opcode.Ping, "client's"));
    }
    assertEquals(rig.connection.state, "open");
    rig.clock.advance(10_000);
    await settle();
    assertEquals(rig.connection.state, "closing");
    assertEquals(showFrames(rig.transport.written).at(-1), 'close 1001 "idle"');
    assertEquals((rig.recorder.errors[0] as TransportError).code, "ERR_IDLE_TIMEOUT");
    rig.transport.receive(rig.peer.close(1001));
    rig.transport.handler.close();
    await settle();
    assertEquals(rig.recorder.info?.clean, true);
    assertEquals(rig.clock.pending, 0);
  });

  it("counts what comes and what is sent, parts of messages too", async () => {
    const rig = openRig("server", { idleTimeout: 8000 });
    const actions = [
      () => rig.transport.receive(rig.peer.text("one")),
      () => rig.connection.send("two"),
      () => rig.transport.receive(rig.peer.text("three", false)),
      () => rig.transport.receive(rig.peer.continuation("", false)),
      () => rig.transport.receive(rig.peer.continuation("x".repeat(100), true).subarray(0, 50)),
    ];
    for (const action of actions) {
      rig.clock.advance(7000);
      action();
      await settle();
      assertEquals(rig.connection.state, "open");
    }
    // Exact to an eighth.
    rig.clock.advance(9000);
    assertEquals(rig.connection.state, "closing");
    rig.connection.terminate();
    await settle();
  });
});

describe("keep-alive over sockets", () => {
  it("keeps a quiet connection, and both ends know the latency", async () => {
    const times = { pingInterval: 20, pongTimeout: 5000 };
    await using server = await startEcho(times);
    await using client = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}/`, times);
    await client.connect();
    const [connection] = server.connections;
    await until(() => connection!.latency !== undefined && client.connection!.latency !== undefined, "two pongs");
    assertEquals(server.stats().pingTimes.count > 0, true);
    assertEquals(client.stats().pingTimes.count > 0, true);
  });
});
