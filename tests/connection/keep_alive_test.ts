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

/** Peers that answer some of the pings which arrive together, as RFC 6455 §5.5.3 allows. */
const SOME_ANSWERED = [
  { name: "the first (libwebsockets 4.1)", answers: (pings: Uint8Array[]) => pings.slice(0, 1) },
  { name: "the first and the last (workerd)", answers: (pings: Uint8Array[]) => [pings[0]!, pings.at(-1)!] },
];

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
      rig.clock.advance(1);
      for (const latency of [12, 250]) {
        rig.clock.advance(29_999);
        await settle();
        const [payload] = takePings(rig);
        rig.clock.advance(latency - 1);
        // Pongs with other payloads say nothing about the time.
        rig.transport.receive(rig.peer.frame(Opcode.Pong, "other"));
        rig.transport.receive(rig.peer.frame(Opcode.Pong, new Uint8Array(8)));
        rig.clock.advance(1);
        rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
        assertEquals(rig.connection.latency, latency);
      }
      assertEquals(rig.recorder.events.filter((event) => event.startsWith("pong")).length, 6);
      rig.connection.terminate();
      await settle();
      assertEquals(rig.clock.pending, 0);
    });
  }

  for (const role of ["server", "client"] as const) {
    for (const { name, answers } of SOME_ANSWERED) {
      it(`keeps a peer that answers ${name} of several pings, as a ${role}`, async () => {
        const rig = openRig(role, OPTIONS);
        rig.clock.advance(29_999);
        for (let round = 0; round < 5; round++) {
          rig.connection.sendSimpleFrame(Opcode.Ping, "one of the program");
          rig.clock.advance(1);
          rig.connection.sendSimpleFrame(Opcode.Ping, "another");
          await settle();
          const pings = takePings(rig);
          assertEquals(pings.length, 3, `round ${round}`);
          for (const payload of answers(pings)) rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
          // Nothing else comes for longer than pongTimeout.
          rig.clock.advance(29_999);
          assertEquals([rig.transport.destroyed, takePings(rig).length], [false, 0]);
        }
        assertEquals([rig.connection.latency, rig.recorder.errors], [undefined, []]);
        rig.connection.terminate();
        await settle();
        assertEquals(rig.clock.pending, 0);
      });
    }

    it(`measures the latency by its own pong, though another comes before, as a ${role}`, async () => {
      const rig = openRig(role, OPTIONS);
      const payload = await nextPing(rig);
      rig.transport.receive(rig.peer.frame(Opcode.Pong, "unasked"));
      rig.clock.advance(25_000);
      rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
      assertEquals(rig.connection.latency, 25_000);
      // The same pong again is no answer.
      rig.clock.advance(1000);
      rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
      assertEquals(rig.connection.latency, 25_000);
      rig.connection.terminate();
      await settle();
    });

    it(`takes no pong before its ping for an answer, as a ${role}`, async () => {
      const rig = openRig(role, OPTIONS);
      for (let index = 0; index < 29; index++) {
        rig.clock.advance(1000);
        rig.transport.receive(rig.peer.frame(Opcode.Pong, "unasked"));
      }
      rig.clock.advance(1000);
      await settle();
      assertEquals(takePings(rig).length, 1);
      rig.clock.advance(20_000);
      assertEquals(rig.transport.destroyed, true);
      await settle();
      assertEquals(rig.recorder.events.at(-2), "error ERR_PONG_TIMEOUT");
    });

    it(`sends no ping before its time, however many pongs come, as a ${role}`, async () => {
      const rig = openRig(role, OPTIONS);
      rig.clock.advance(29_999);
      for (let round = 0; round < 3; round++) {
        rig.clock.advance(1);
        await settle();
        const [payload] = takePings(rig);
        for (let index = 0; index < 100; index++) {
          rig.transport.receive(rig.peer.frame(Opcode.Pong, index % 2 === 0 ? "unasked" : payload));
        }
        assertEquals(rig.clock.pending, 1);
        rig.clock.advance(29_999);
        await settle();
        assertEquals(takePings(rig), []);
      }
      rig.connection.terminate();
      await settle();
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

describe("keep-alive and messages in fragments", () => {
  for (const role of ["server", "client"] as const) {
    it(`holds its ping until the message has ended, as a ${role}`, async () => {
      const rig = openRig(role, OPTIONS);
      rig.connection.sendFrame(Opcode.Text, "slow", false);
      rig.clock.advance(30_000 + 29_999);
      rig.connection.sendFrame(Opcode.Continuation, "ly", false);
      await settle();
      assertEquals(showFrames(rig.transport.written), ['text… "slow"', 'continuation… "ly"']);
      rig.transport.writes = [];
      rig.connection.sendFrame(Opcode.Continuation, "", true);
      await settle();
      const [last, ping, ...others] = decodeAll(rig.transport.written);
      assertEquals([last!.final, ping!.opcode, others.length], [true, Opcode.Ping, 0]);
      // It is measured from then on, and its pong awaited.
      rig.clock.advance(7);
      rig.transport.receive(rig.peer.frame(Opcode.Pong, ping!.payload));
      assertEquals(rig.connection.latency, 7);
      rig.transport.writes = [];
      rig.connection.sendFrame(Opcode.Text, "short", false);
      rig.connection.sendFrame(Opcode.Continuation, "", true);
      assertEquals((await nextPing(rig)).length, 8);
      rig.clock.advance(20_000);
      assertEquals(rig.transport.destroyed, true);
      await settle();
    });

    it(`holds it no longer than pingInterval, and each of them, as a ${role}`, async () => {
      const rig = openRig(role, OPTIONS);
      rig.connection.sendFrame(Opcode.Text, "endless", false);
      for (let round = 0; round < 3; round++) {
        assertEquals(await nextPing(rig), undefined);
        rig.clock.advance(29_999);
        await settle();
        assertEquals(takePings(rig), []);
        rig.clock.advance(1);
        await settle();
        const [payload] = takePings(rig);
        rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
      }
      // The end of the message brings no ping that was sent already.
      rig.connection.sendFrame(Opcode.Continuation, "", true);
      await settle();
      assertEquals([takePings(rig), rig.clock.pending], [[], 1]);
      rig.connection.terminate();
      await settle();
    });
  }

  it("finds a peer that is gone while a message is open", async () => {
    const rig = openRig("server", OPTIONS);
    rig.connection.sendFrame(Opcode.Text, "endless", false);
    rig.clock.advance(30_000 + 30_000 + 19_999);
    assertEquals(rig.transport.destroyed, false);
    rig.clock.advance(1);
    assertEquals(rig.transport.destroyed, true);
    await settle();
    assertEquals(rig.recorder.events, ["error ERR_PONG_TIMEOUT", "disconnect"]);
  });

  it("answers pings, and sends those of the program, between fragments at once", async () => {
    const rig = openRig("server", OPTIONS);
    rig.connection.sendFrame(Opcode.Text, "one", false);
    rig.clock.advance(30_000);
    rig.transport.receive(rig.peer.frame(Opcode.Ping, "peer's"));
    rig.connection.ping("program's").catch(() => {});
    await settle();
    assertEquals(showFrames(rig.transport.written), ['text… "one"', 'pong "peer\'s"', 'ping "program\'s"']);
    rig.connection.terminate();
    await settle();
    assertEquals(rig.clock.pending, 0);
  });

  it("sends no ping that was held once the connection closes", async () => {
    const rig = openRig("server", { ...OPTIONS, closeTimeout: 0 });
    rig.connection.sendFrame(Opcode.Text, "one", false);
    rig.clock.advance(30_000);
    rig.connection.close(1000);
    await settle();
    rig.clock.advance(60_000);
    await settle();
    assertEquals([showFrames(rig.transport.written).length, rig.clock.pending], [2, 0]);
    rig.connection.terminate();
    await settle();
  });

  it("holds its ping for a message whose last part is a Blob, too", async () => {
    const rig = openRig("server", OPTIONS);
    rig.connection.sendFrame(Opcode.Binary, "one", false);
    rig.clock.advance(30_000);
    rig.connection.sendFrame(Opcode.Continuation, new Blob(["two"]), true);
    await until(() => rig.transport.writes.length > 1, "the Blob was sent");
    await settle();
    const opcodes = decodeAll(rig.transport.written).map(({ opcode }) => opcode);
    assertEquals(opcodes, [Opcode.Binary, Opcode.Continuation, Opcode.Ping]);
    rig.connection.terminate();
    await settle();
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
