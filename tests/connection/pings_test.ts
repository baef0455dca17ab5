import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ConnectionClosedError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import { Pings } from "../../connection/pings.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { decodeAll, encode, openRig, type Rig, settle } from "../support/support.ts";

/** Payloads of the pings that were written since the last look. */
async function takePings({ transport }: Rig): Promise<Uint8Array[]> {
  await settle();
  const frames = decodeAll(transport.written);
  transport.writes = [];
  return frames.filter(({ opcode }) => opcode === Opcode.Ping).map(({ payload }) => payload);
}

function pong(rig: Rig, payload: string | Uint8Array): void {
  rig.transport.receive(rig.peer.frame(Opcode.Pong, payload));
}

describe("ping", () => {
  for (const role of ["server", "client"] as const) {
    it(`resolves with the latency of its own pong as a ${role}`, async () => {
      const rig = openRig(role);
      const first = rig.connection.ping("first");
      rig.clock.advance(10);
      const second = rig.connection.ping(Uint8Array.of(1, 2));
      assertEquals(await takePings(rig), [encode("first"), Uint8Array.of(1, 2)]);
      rig.clock.advance(5);
      pong(rig, "unknown");
      pong(rig, "first");
      rig.clock.advance(7);
      pong(rig, Uint8Array.of(1, 2));
      assertEquals([await first, await second], [15, 12]);
      rig.connection.terminate();
      await settle();
    });
  }

  it("resolves earlier ones with the pong of a later one (RFC 6455 §5.5.3)", async () => {
    const rig = openRig();
    const latencies = Promise.all(["a", "b", "c"].map((data) => {
      rig.clock.advance(1);
      return rig.connection.ping(data);
    }));
    pong(rig, "c");
    assertEquals(await latencies, [2, 1, 0]);
    rig.connection.terminate();
  });

  it("has a payload of its own without data, so that each pong is told from others", async () => {
    const rig = openRig();
    const latencies = [rig.connection.ping(), rig.connection.ping()];
    const payloads = await takePings(rig);
    assertEquals([payloads.map(({ length }) => length), new Set(payloads.map(String)).size], [[8, 8], 2]);
    pong(rig, payloads[0]!);
    rig.clock.advance(3);
    pong(rig, payloads[1]!);
    assertEquals(await Promise.all(latencies), [0, 3]);
    rig.connection.terminate();
  });

  it("keeps the data that it was called with, and takes the oldest of equal ones", async () => {
    const rig = openRig();
    const data = encode("same");
    const latencies = [rig.connection.ping(data), rig.connection.ping("same")];
    data.fill(0);
    pong(rig, "same");
    rig.clock.advance(3);
    pong(rig, "same");
    assertEquals(await Promise.all(latencies), [0, 3]);
    rig.connection.terminate();
  });

  it("answers those of pingInterval before it, and is answered by those after it", async () => {
    const rig = openRig("server", { pingInterval: 1000, pongTimeout: 1000 });
    rig.clock.advance(1000);
    const [kept] = await takePings(rig);
    rig.clock.advance(20);
    const later = rig.connection.ping("p");
    rig.clock.advance(30);
    // The peer skips the first.
    pong(rig, "p");
    assertEquals([await later, rig.connection.latency], [30, 50]);
    rig.clock.advance(999);
    assertEquals((await takePings(rig)).length, 1);
    const earlier = rig.connection.ping("q");
    rig.clock.advance(1);
    const [, next] = await takePings(rig);
    assertEquals([kept!.length, next!.length], [8, 8]);
    rig.clock.advance(5);
    pong(rig, next!);
    assertEquals([await earlier, rig.connection.latency], [6, 5]);
    rig.connection.terminate();
    await settle();
  });

  it("rejects with the close code when the peer closes, and with the cause when the connection is lost", async () => {
    const closed = openRig();
    const first = closed.connection.ping("p");
    closed.transport.receive(closed.peer.close(4001, "enough"));
    const error = await assertRejects(() => first, ConnectionClosedError, "the connection was closed with 4001 enough");
    assertEquals([error.code, error.closeCode, error.reason], ["ERR_CONNECTION_CLOSED", 4001, "enough"]);
    closed.transport.destroy();
    const lost = openRig("client");
    const second = lost.connection.ping("p");
    const cause = new Error("reset");
    lost.transport.handler.close(cause);
    const loss = await assertRejects(() => second, ConnectionClosedError, "Cannot wait for a pong: the connection was");
    assertEquals([loss.closeCode, loss.reason, loss.cause], [1006, "", cause]);
  });

  it("is no unhandled rejection if it is ignored, and throws at once what it always threw", async () => {
    const rig = openRig("server", { options: { manualClose: true } });
    for (let index = 0; index < 3; index++) void rig.connection.ping("p");
    assertThrows(() => void rig.connection.ping("x".repeat(126)), OptionError, "126 bytes");
    assertThrows(() => void rig.connection.ping([1] as unknown as string), OptionError, '"Array"');
    rig.transport.receive(rig.peer.close(1000, ""));
    // With manualClose pings are allowed, but no pong comes any more.
    await assertRejects(() => rig.connection.ping("late"), ConnectionClosedError, "closed with 1000");
    rig.connection.terminate();
    await settle();
    assertThrows(() => void rig.connection.ping(), StateError, "closed");
  });
});

describe("Pings", () => {
  it("keep no more than 1024, and give up the oldest", async () => {
    const pings = new Pings();
    const first = pings.wait(encode("0"), 0);
    const others = Array.from({ length: 1024 }, (_, index) => pings.wait(encode(`${index + 1}`), index));
    const error = await assertRejects(() => first, TransportError, "1024 later ones wait");
    assertEquals(error.code, "ERR_PONG_TIMEOUT");
    pings.pong(encode("1024"), 2000);
    assertEquals((await Promise.all(others)).slice(0, 3), [2000, 1999, 1998]);
  });
});
