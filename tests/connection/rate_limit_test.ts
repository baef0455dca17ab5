import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Opcode } from "../../protocol/frame_header.ts";
import { RateLimit } from "../../connection/rate_limit.ts";
import { assertFrames, openRig, settle } from "../support/support.ts";
import { concat } from "../../base/bytes.ts";

describe("RateLimit", () => {
  it("lets a burst through, then its rate", () => {
    const limit = new RateLimit({ maxMessageRate: 10, maxByteRate: 0, rateBurstSeconds: 2 }, 0);
    for (let index = 0; index < 20; index++) assertEquals(limit.exceededBy(1, 1e9, 0), undefined);
    assertEquals(limit.exceededBy(1, 0, 0), "messages");
    const slow = new RateLimit({ maxMessageRate: 10, maxByteRate: 1000, rateBurstSeconds: 1 }, 0);
    for (let index = 1; index <= 100; index++) assertEquals(slow.exceededBy(1, 100, index * 100), undefined);
    assertEquals(slow.exceededBy(0, 1001, 20_000), "bytes");
    // What was saved beyond the burst is lost.
    assertEquals(
      new RateLimit({ maxMessageRate: 0, maxByteRate: 10, rateBurstSeconds: 1 }, 0).exceededBy(5, 11, 1e6),
      "bytes",
    );
  });
});

describe("rates of a connection", () => {
  it("closes with 1008 when messages come too fast, control frames among them", async () => {
    for (const [opcode, kind] of [[Opcode.Text, "text"], [Opcode.Ping, "ping"], [Opcode.Pong, "pong"]] as const) {
      const { transport, recorder, peer, connection } = openRig("server", { maxMessageRate: 2, rateBurstSeconds: 5 });
      const frame = peer.frame(opcode, "x");
      transport.receive(concat(...Array.from({ length: 12 }, () => frame)));
      await settle();
      assertEquals(recorder.events.filter((event) => event === `${kind} x`).length, 10);
      assertEquals(connection.state, "closing");
      const close = 'close 1008 "More than 2 messages a second"';
      if (opcode !== Opcode.Ping) assertFrames(transport.written, [close]);
      assertEquals((recorder.errors[0] as { code: string }).code, "ERR_RATE_EXCEEDED");
      connection.terminate();
      await settle();
    }
  });

  it("counts bytes as they come, of messages that never end too", async () => {
    const { transport, recorder, peer, connection, clock } = openRig("server", {
      maxByteRate: 1000,
      rateBurstSeconds: 5,
    });
    transport.receive(peer.text("x".repeat(4900), false));
    clock.advance(4000);
    transport.receive(peer.continuation("y".repeat(3900), false));
    assertEquals(connection.state, "open");
    transport.receive(peer.continuation("z".repeat(1200), false));
    assertEquals(connection.state, "closing");
    await settle();
    assertFrames(transport.written, ['close 1008 "More than 1000 bytes a second"']);
    assertEquals(recorder.messages, []);
    connection.terminate();
    await settle();
  });
});
