/** Progress of a peer renews `closeTimeout`, for a bounded time. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CloseProgress, MOST_PERIODS } from "../../connection/close_progress.ts";
import { concat } from "../../base/bytes.ts";
import { openRig, settle } from "../support/support.ts";

const SIZE = 100_000;

describe("CloseProgress", () => {
  it("counts bytes that were taken while some waited, in each period anew", () => {
    const sender = { bytesWritten: 0, bufferedAmount: SIZE, congested: true };
    const progress = new CloseProgress(sender);
    sender.bytesWritten = 10;
    assertEquals([progress.renew(), progress.renew(), progress.periods], [true, false, 2]);
    sender.bytesWritten = 20;
    assertEquals(progress.renew(), true);
    // The last bytes were taken in this period: they may still be on their way.
    sender.bytesWritten = SIZE;
    sender.bufferedAmount = 0;
    assertEquals([progress.renew(), progress.renew()], [true, false]);
    // Nothing waited: these were taken at once, as by a peer that is gone.
    sender.bytesWritten += 4;
    assertEquals(progress.renew(), false);
  });

  it("does not count a few bytes that were taken at once, such as the close frame", () => {
    const sender = { bytesWritten: 0, bufferedAmount: 4, congested: false };
    const progress = new CloseProgress(sender);
    sender.bytesWritten = 4;
    sender.bufferedAmount = 0;
    assertEquals(progress.renew(), false);
  });

  it("counts bytes that come", () => {
    let received = 5;
    const progress = new CloseProgress({ bytesWritten: 0, bufferedAmount: 0, congested: false }, () => received);
    received = 6;
    assertEquals([progress.renew(), progress.renew()], [true, false]);
  });

  it("ends after ten periods, whatever the peer does", () => {
    const sender = { bytesWritten: 0, bufferedAmount: SIZE, congested: true };
    const progress = new CloseProgress(sender);
    let periods = 1;
    do sender.bytesWritten++; while (progress.renew() && ++periods);
    assertEquals([periods, progress.periods], [MOST_PERIODS, MOST_PERIODS]);
  });
});

describe("closeTimeout", () => {
  for (const role of ["server", "client"] as const) {
    it(`is renewed for a slow reader, and not for one that stops; role ${role}`, async () => {
      const { transport, connection, clock, recorder } = openRig(role, { closeTimeout: 1000 });
      transport.stalled = true;
      connection.send(new Uint8Array(SIZE));
      const closed = connection.close(1000);
      await settle();
      for (let period = 0; period < 5; period++) {
        transport.bytesWritten += 10;
        clock.advance(1000);
        assertEquals(transport.destroyed, false);
      }
      clock.advance(999);
      assertEquals(transport.destroyed, false);
      clock.advance(1);
      assertEquals([transport.destroyed, (await closed).code, clock.pending], [true, 1006, 0]);
      assertEquals((recorder.errors[0] as Error).message, "No close frame came within 6000 ms");
    });

    it(`gives a reader all that was sent, in the time that it needs; role ${role}`, async () => {
      const { transport, connection, clock, peer } = openRig(role, { closeTimeout: 1000 });
      transport.stalled = true;
      connection.send(new Uint8Array(SIZE));
      const closed = connection.close(1000);
      await settle();
      for (let period = 0; period < 5; period++) {
        transport.bytesWritten += 10;
        clock.advance(999);
      }
      transport.stalled = false;
      transport.drain();
      transport.receive(peer.close(1000));
      clock.advance(999);
      transport.handler.end();
      assertEquals([(await closed).clean, clock.pending], [true, 0]);
    });
  }

  it("is renewed while the peer sends what comes before its close frame", async () => {
    const { transport, connection, clock, peer, recorder } = openRig("server", { closeTimeout: 1000 });
    const closed = connection.close(1000);
    await settle();
    const bytes = concat(peer.text("late"), peer.close(1000));
    for (let at = 0; at < bytes.length - 10; at++) {
      if (at < 8) clock.advance(999);
      transport.receive(bytes.subarray(at, at + 1));
    }
    transport.receive(bytes.subarray(bytes.length - 10));
    transport.handler.end();
    assertEquals([(await closed).clean, recorder.events], [true, ["text late", "close 1000", "disconnect"]]);
  });

  it("ends after ten periods though the peer takes a byte in each", async () => {
    for (const way of ["reads", "sends"]) {
      const { transport, connection, clock } = openRig("server", { closeTimeout: 1000, maxMessageSize: 0 });
      transport.stalled = true;
      if (way === "reads") connection.send(new Uint8Array(SIZE));
      const closed = connection.close(1000);
      await settle();
      if (way === "sends") transport.receive(Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4));
      let time = 0;
      for (; !transport.destroyed; time += 500) {
        if (way === "reads") transport.bytesWritten++;
        else transport.receive(Uint8Array.of(0));
        clock.advance(500);
      }
      await closed;
      assertEquals([way, time], [way, 10_000]);
    }
  });

  it("is not renewed by what comes behind a failure", async () => {
    const { transport, connection, clock } = openRig("server", { closeTimeout: 1000 });
    transport.receive(Uint8Array.of(0xff, 0xff));
    for (let time = 0; time < 1000; time += 100) {
      transport.receive(new Uint8Array(1000));
      clock.advance(100);
    }
    assertEquals(transport.destroyed, true);
    await connection.closed;
  });
});
