import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { AcceptSettings } from "../../server/accept_host.ts";
import { RequestTimer, type WaitingTicket } from "../../server/request_timer.ts";
import { FakeClock } from "../support/support.ts";

function makeTimer(
  limits: Partial<AcceptSettings> = {},
): { clock: FakeClock; timer: RequestTimer; times: number[]; waits: string[] } {
  const clock = new FakeClock();
  const times: number[] = [];
  const settings = {
    handshakeTimeout: 100,
    keepAliveTimeout: 400,
    bodyTimeout: 250,
    closeTimeout: 60,
    ...limits,
    clock,
  } as unknown as AcceptSettings;
  const waits: string[] = [];
  const ticket: WaitingTicket = {
    acceptedAt: 0,
    awaitingPeer: () => void waits.push("awaitingPeer"),
    servingPeer: () => void waits.push("servingPeer"),
    idle: () => void waits.push("idle"),
  };
  return { clock, times, waits, timer: new RequestTimer(() => settings, ticket, () => times.push(clock.now())) };
}

describe("RequestTimer", () => {
  it("runs once, anew with each start, and not when it is cancelled", () => {
    const { clock, timer, times } = makeTimer();
    timer.start();
    clock.advance(60);
    timer.start();
    clock.advance(99);
    assertEquals(times, []);
    clock.advance(1);
    assertEquals(times, [160]);
    timer.start(10);
    timer.cancel();
    clock.advance(1000);
    assertEquals([times, clock.pending], [[160], 0]);
  });

  it("counts the time of TLS for the first request", () => {
    const { clock, timer, times } = makeTimer();
    clock.advance(80);
    timer.startFirst();
    clock.advance(20);
    assertEquals(times, [100]);
  });

  it("limits each piece of a body, and the whole body", () => {
    const { clock, timer, times } = makeTimer();
    timer.beginBody();
    for (let piece = 0; piece < 3; piece++) {
      timer.startBody();
      clock.advance(80);
    }
    timer.startBody();
    clock.advance(9);
    assertEquals(times, []);
    clock.advance(1);
    assertEquals(times, [250]);
    // The next body has all of its time.
    timer.beginBody();
    timer.startBody();
    clock.advance(100);
    assertEquals(times, [250, 350]);
  });

  it("limits a body that is dropped by closeTimeout for each piece, and bodyTimeout for all of it", () => {
    const { clock, timer, times } = makeTimer();
    timer.beginBody();
    for (let piece = 0; piece < 4; piece++) {
      timer.startDropping();
      clock.advance(55);
    }
    assertEquals(times, []);
    timer.startDropping();
    clock.advance(30);
    assertEquals(times, [250]);
    timer.beginBody();
    timer.startDropping();
    clock.advance(60);
    assertEquals([times, clock.pending], [[250, 310], 0]);
  });

  it("has a time of its own for an idle connection, until a head begins", () => {
    const { clock, timer, times, waits } = makeTimer();
    timer.startIdle();
    clock.advance(399);
    assertEquals(times, []);
    timer.beginHead();
    timer.beginHead();
    clock.advance(99);
    // Not anew with further bytes.
    timer.beginHead();
    assertEquals(times, []);
    clock.advance(1);
    assertEquals(times, [499]);
    timer.startIdle();
    clock.advance(400);
    assertEquals([times, clock.pending], [[499, 899], 0]);
    timer.startIdle();
    timer.cancel();
    timer.beginHead();
    assertEquals(clock.pending, 0);
    assertEquals(waits.slice(0, 3), ["idle", "awaitingPeer", "idle"]);
  });

  it("tells the admission who waits for whom", () => {
    const { timer, waits } = makeTimer();
    timer.startHead();
    timer.servePeer();
    timer.startBody();
    timer.startDropping();
    timer.cancel();
    assertEquals(waits, ["awaitingPeer", "servingPeer", "awaitingPeer", "awaitingPeer"]);
  });

  it("runs without a limit when that is 0", () => {
    const { clock, timer, times } = makeTimer({ handshakeTimeout: 0, keepAliveTimeout: 0, bodyTimeout: 0 });
    timer.start();
    timer.startIdle();
    timer.beginHead();
    timer.startFirst();
    timer.startBody();
    assertEquals([clock.pending, times], [0, []]);
  });
});
