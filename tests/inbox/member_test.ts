import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { SendResult } from "../../connection/options.ts";
import { InboxItem } from "../../inbox/item.ts";
import { InboxMember } from "../../inbox/member.ts";
import { settle } from "../support/support.ts";

/** A member with a sink and a group that note what they are asked for. */
class Rig {
  result: SendResult | Error = "sent";
  sent = 0;
  pumped = 0;
  readonly calls: unknown[] = [];
  readonly drained = Promise.withResolvers<void>();
  retry: (() => void) | undefined;
  readonly member: InboxMember;

  constructor(window = 2) {
    this.member = new InboxMember(
      {
        open: true,
        send: () => {
          if (this.result instanceof Error) throw this.result;
          if (this.result !== "dropped") this.sent++;
          return this.result;
        },
        drained: () => this.drained.promise,
        later: (callback) => {
          this.retry = callback;
          return () => void (this.retry = undefined);
        },
        close: (code) => void this.calls.push(["close", code]),
      },
      window,
      {
        pump: () => void this.pumped++,
        acknowledged: (seqs) => void this.calls.push(["acknowledged", ...seqs]),
        leave: (_, unacked) => void this.calls.push(["leave", ...unacked.map(({ entry }) => entry.seq)]),
      },
    );
  }

  deliver(seq: number, size = 1): boolean {
    const digest = new Uint8Array(32);
    const entry = { seq, bytes: new Uint8Array(size), signature: "", receivedAt: new Date(0), digest, forward: true };
    const item = new InboxItem(entry);
    return this.member.deliver(item, item.message);
  }
}

describe("InboxMember", () => {
  it("has room up to its window, and again after acknowledgements of its own notifications", () => {
    const rig = new Rig();
    assertEquals([rig.deliver(1), rig.deliver(2), rig.member.hasRoom, rig.member.load], [true, true, false, 2]);
    rig.member.acknowledge([9]);
    assertEquals(rig.calls, []);
    rig.member.acknowledge([2, 2, 9]);
    assertEquals([rig.calls, rig.member.room], [[["acknowledged", 2]], 1]);
  });

  it("has room for no more than 8 MiB and one notification", () => {
    const rig = new Rig(256);
    rig.deliver(1, 8 * 1024 * 1024 - 1);
    assertEquals(rig.member.hasRoom, true);
    rig.deliver(2, 1);
    assertEquals(rig.member.hasRoom, false);
  });

  it("waits for the buffer to drain", async () => {
    const rig = new Rig();
    rig.result = "backpressure";
    assertEquals([rig.deliver(1), rig.member.hasRoom], [true, false]);
    rig.drained.resolve();
    await settle();
    assertEquals([rig.member.hasRoom, rig.pumped], [true, 1]);
  });

  it("tries later what was dropped, messages without acknowledgement first, and reports current once", () => {
    const rig = new Rig();
    rig.result = "dropped";
    assertEquals(rig.deliver(1), false);
    rig.member.notifyCurrent(1);
    rig.member.notifyCurrent(2);
    assertEquals([rig.sent, rig.member.load], [0, 0]);
    rig.result = "sent";
    rig.retry!();
    assertEquals([rig.sent, rig.pumped], [1, 1]);
  });

  it("ends the connection with 1009 if the buffer can never hold a notification", () => {
    const rig = new Rig();
    rig.result = new OptionError("too large");
    assertEquals(rig.deliver(1), false);
    assertEquals([rig.calls, rig.member.hasRoom], [[["close", 1009]], false]);
  });

  it("returns what is not acknowledged when it leaves, once, and cancels its retry", () => {
    const rig = new Rig();
    rig.deliver(1);
    rig.result = "dropped";
    rig.deliver(2);
    rig.member.leave();
    rig.member.leave();
    assertEquals([rig.calls, rig.retry, rig.member.hasRoom], [[["leave", 1]], undefined, false]);
  });
});
