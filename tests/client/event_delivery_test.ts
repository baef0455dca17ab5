import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { SettingsStore } from "../../base/settings.ts";
import type { ClientConnection, ClientConnectionHandler, OpenedConnection } from "../../client/connector.ts";
import { EventDelivery } from "../../client/event_delivery.ts";
import { CLIENT_SETTINGS, type ClientOptions } from "../../client/settings.ts";
import { FakeClock } from "../support/support.ts";

interface Rig {
  delivery: EventDelivery;
  clock: FakeClock;
  calls: string[];
  connect(handlesMessages?: boolean): void;
  change(options: ClientOptions): void;
}

function makeRig(options: ClientOptions = {}): Rig {
  const clock = new FakeClock();
  const settings = new SettingsStore(CLIENT_SETTINGS);
  settings.assign({ clock, ...options } as Parameters<typeof settings.assign>[0]);
  const delivery = new EventDelivery(settings);
  const calls: string[] = [];
  const opened = {
    attach: (_: unknown, start: { delivery: string; waitForHandler: boolean }) => {
      calls.push(`${start.delivery} ${start.waitForHandler}`);
      return {} as ClientConnection;
    },
    setDelivery: (mode: string) => void calls.push(mode),
    deliverBatch: () => void calls.push("batch"),
  } as unknown as OpenedConnection;
  return {
    delivery,
    clock,
    calls,
    connect: (handlesMessages = true) => void delivery.attach(opened, {} as ClientConnectionHandler, handlesMessages),
    change: (changed) => {
      settings.assign(changed as Parameters<typeof settings.assign>[0]);
      delivery.apply();
    },
  };
}

describe("EventDelivery", () => {
  it("attaches by the settings, and lets messages wait for a handler, except frames and steps", () => {
    const cases: [options: ClientOptions, handlesMessages: boolean, attached: string][] = [
      [{}, true, "immediate false"],
      [{}, false, "immediate true"],
      [{ autoCheckInterval: 10 }, false, "batched true"],
      [{ autoCheckMessages: false }, false, "step false"],
      [{ options: { frameByFrame: true } }, false, "immediate false"],
    ];
    for (const [options, handlesMessages, attached] of cases) {
      const { connect, calls } = makeRig(options);
      connect(handlesMessages);
      assertEquals(calls, [attached]);
    }
  });

  it("delivers a batch at each interval, until the connection ends", () => {
    const { delivery, clock, calls, connect } = makeRig({ autoCheckInterval: 10 });
    connect();
    clock.advance(25);
    assertEquals(calls, ["batched false", "batch", "batch"]);
    delivery.stop();
    clock.advance(100);
    assertEquals([calls.length, clock.pending], [3, 0]);
  });

  it("applies changed settings at once, to an open connection only", () => {
    const { delivery, clock, calls, connect, change } = makeRig();
    change({ autoCheckInterval: 10 });
    assertEquals([calls, clock.pending], [[], 0]);
    connect();
    change({ autoCheckInterval: 5 });
    clock.advance(5);
    change({ autoCheckMessages: false });
    assertEquals([calls, clock.pending], [["batched false", "batched", "batch", "step"], 0]);
    delivery.stop();
    change({ autoCheckMessages: true });
    assertEquals([calls.length, clock.pending], [4, 0]);
  });
});
