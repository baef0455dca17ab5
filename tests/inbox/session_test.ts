import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError } from "../../base/errors.ts";
import { decodeInboxMessage, encodeInboxMessage, type HelloMessage } from "../../inbox/protocol.ts";
import { InboxSession } from "../../inbox/session.ts";
import { settle } from "../support/support.ts";

/** A session whose messages and calls are kept. */
class Rig {
  readonly sent: Record<string, unknown>[] = [];
  readonly calls: unknown[] = [];
  readonly session: InboxSession;
  closed = false;
  inMessage = false;
  full = false;
  readonly drained = Promise.withResolvers<void>();

  constructor(hello: Omit<HelloMessage, "type"> = {}, version: 1 | 2 = 2) {
    this.session = new InboxSession({
      version,
      send: (message) => {
        if (this.closed) throw new Error("closed");
        if (this.inMessage) throw new StateError("ERR_MESSAGE_IN_PROGRESS", "not finished");
        if (this.full) return "dropped";
        this.sent.push(decodeInboxMessage(message).head);
        return "sent";
      },
      drained: () => this.drained.promise,
      notification: ({ seq }, body) => void this.calls.push([seq, new TextDecoder().decode(body)]),
      data: (bytes) => void this.calls.push(["data", ...bytes]),
      gap: (after, until) => void this.calls.push(["gap", after, until]),
      current: (seq) => void this.calls.push(["current", seq]),
    }, hello);
  }

  welcome(window = 256): this {
    this.session.receive(encodeInboxMessage({ type: "welcome", journal: "j", after: 4, last: 9, window }));
    return this;
  }

  notify(seq: number, body: Uint8Array = new TextEncoder().encode(`n${seq}`)): void {
    const head = { type: "notification" as const, seq, signature: "", receivedAt: "2026-01-01T00:00:00.000Z" };
    this.session.receive(encodeInboxMessage(head, body));
  }
}

describe("InboxSession", () => {
  it("says hello, and has a position from the welcome on", () => {
    const rig = new Rig({ name: "bot", after: 4 });
    assertEquals(rig.sent, [{ type: "hello", name: "bot", after: 4 }]);
    assertEquals(rig.session.position, undefined);
    assertEquals(rig.welcome().session.position, { journal: "j", after: 4 });
  });

  it("acknowledges what is handled in one turn with one message, and moves past what is handled in order", async () => {
    const rig = new Rig().welcome();
    for (const seq of [5, 6, 7]) rig.notify(seq);
    rig.session.done(6);
    assertEquals(rig.session.position?.after, 4);
    rig.session.done(5);
    rig.session.done(5);
    assertEquals(rig.session.position?.after, 6);
    await settle();
    assertEquals(rig.sent.slice(1), [{ type: "ack", seqs: [6, 5] }]);
  });

  it("splits acknowledgements of more than 2048 numbers", async () => {
    const rig = new Rig({ window: 4096 }).welcome(4096);
    for (let seq = 5; seq < 2105; seq++) rig.notify(seq);
    for (let seq = 5; seq < 2105; seq++) rig.session.done(seq);
    await settle();
    assertEquals(rig.sent.slice(1).map(({ seqs }) => (seqs as number[]).length), [2048, 52]);
  });

  it("hands over gaps, and moves on with current", () => {
    const rig = new Rig().welcome();
    rig.session.receive(encodeInboxMessage({ type: "gap", after: 4, until: 6 }));
    rig.session.receive(encodeInboxMessage({ type: "current", seq: 9 }));
    assertEquals([rig.calls, rig.session.position?.after], [[["gap", 4, 6], ["current", 9]], 9]);
  });

  it("refuses messages before the welcome, a second welcome, and a number twice", () => {
    assertThrows(() => new Rig().notify(5), OptionError, "before");
    assertThrows(() => new Rig().welcome().welcome(), OptionError, "second");
    const rig = new Rig().welcome();
    rig.notify(5);
    assertThrows(() => rig.notify(5), OptionError, "twice");
  });

  it("refuses more than the smaller window, and more than 8 MiB", () => {
    const rig = new Rig({ window: 3 }).welcome(2);
    rig.notify(5);
    rig.notify(6);
    assertThrows(() => rig.notify(7), OptionError, "More than 2");
    const large = new Rig().welcome();
    large.notify(5, new Uint8Array(8 * 1024 * 1024));
    assertThrows(() => large.notify(6), OptionError, "bytes");
  });

  it("ignores that a connection has ended when it acknowledges", async () => {
    const rig = new Rig().welcome();
    rig.notify(5);
    rig.closed = true;
    rig.session.done(5);
    await settle();
    assertEquals(rig.sent.length, 1);
  });

  it("hands over bytes of the server's program in version 2, before the welcome too", () => {
    const rig = new Rig();
    rig.session.receive(encodeInboxMessage({ type: "data" }, Uint8Array.of(1, 2)));
    rig.welcome().session.receive(encodeInboxMessage({ type: "data" }));
    assertEquals(rig.calls, [["data", 1, 2], ["data"]]);
    assertThrows(() => rig.session.receive(Uint8Array.of(1)), OptionError, "no line feed");
  });

  it("takes what is no message for such bytes in version 1, where the type is not known", () => {
    const rig = new Rig({}, 1);
    rig.session.receive(Uint8Array.of(1, 2));
    rig.session.receive(encodeInboxMessage({ type: "data" }, Uint8Array.of(3)));
    assertEquals(rig.calls, [["data", 1, 2]]);
  });

  it("keeps acknowledgements while the program sends a message frame by frame", async () => {
    const rig = new Rig().welcome();
    for (const seq of [5, 6]) rig.notify(seq);
    rig.inMessage = true;
    rig.session.done(5);
    await settle();
    rig.session.done(6);
    await settle();
    assertEquals(rig.sent.slice(1), []);
    rig.inMessage = false;
    rig.session.resume();
    rig.session.resume();
    assertEquals(rig.sent.slice(1), [{ type: "ack", seqs: [5, 6] }]);
  });

  it("keeps acknowledgements while the buffer is full", async () => {
    const rig = new Rig().welcome();
    for (const seq of [5, 6]) rig.notify(seq);
    rig.full = true;
    rig.session.done(5);
    await settle();
    rig.session.done(6);
    await settle();
    rig.full = false;
    assertEquals(rig.sent.slice(1), []);
    rig.drained.resolve();
    await settle();
    assertEquals(rig.sent.slice(1), [{ type: "ack", seqs: [5, 6] }]);
  });
});
