import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { InboxSession } from "../../inbox/session.ts";
import { NotificationLoops, stepByNotification, stepByRecord, streamOf } from "../../whatsapp/notification_loops.ts";
import { PendingNotification } from "../../whatsapp/pending_notification.ts";

/** Loops with an owner that notes what happens to notifications, named by their raw text. */
class Rig {
  readonly unsigned = new Set<string>();
  readonly done: string[] = [];
  readonly forgotten: string[] = [];
  readonly owner = {
    listens: false,
    listensTo: (): boolean => this.owner.listens,
    isForLoops: ({ notification }: PendingNotification) => !this.unsigned.has(notification.raw as string),
    makePending: (raw: unknown) => this.pend(raw as string),
    forget: ({ notification }: PendingNotification) => void this.forgotten.push(notification.raw as string),
    handOverWaiting: () => {
      for (const { pending } of this.loops.takeWaiting(() => this.owner.listens)) {
        this.handedOver.push(pending.notification.raw as string);
        pending.end(true);
      }
    },
  };
  readonly handedOver: string[] = [];
  readonly loops: NotificationLoops = new NotificationLoops(this.owner);
  readonly names = stepByNotification(({ raw }) => raw as string);

  pend(raw: string): PendingNotification {
    const notification = { raw, records: [], signature: "", redelivered: false, partial: false };
    return new PendingNotification(notification, () => void this.done.push(raw));
  }

  /** Hands a notification to loops, and to no handler. */
  push(raw: string): void {
    const pending = this.pend(raw);
    pending.begin();
    this.loops.push(pending);
    pending.end(true);
  }

  attach(): void {
    this.loops.reset();
    const ignore = (): void => {};
    this.loops.attach(
      new InboxSession(
        {
          version: 2,
          send: () => "sent",
          drained: () => Promise.resolve(),
          notification: ignore,
          data: ignore,
          gap: ignore,
          current: ignore,
        },
        {},
      ),
    );
  }
}

describe("NotificationLoops", () => {
  it("keep notifications for the first loop, and acknowledge each with the next step", async () => {
    const rig = new Rig();
    rig.attach();
    rig.push("a");
    rig.push("b");
    assertEquals([rig.loops.waiting, rig.done], [2, []]);
    const loop = rig.loops.run(rig.names);
    assertEquals((await loop.next()).value, "a");
    assertEquals(rig.done, []);
    assertEquals((await loop.next()).value, "b");
    assertEquals(rig.done, ["a"]);
    await loop.return(undefined);
    assertEquals([rig.loops.waiting, rig.done], [1, ["a"]]);
  });

  it("leave to a handler that was set meanwhile what it has not got", async () => {
    const rig = new Rig();
    rig.attach();
    const loop = rig.loops.run(rig.names);
    const first = loop.next();
    rig.push("a");
    await first;
    rig.push("b");
    rig.owner.listens = true;
    rig.push("c");
    await loop.return(undefined);
    assertEquals([rig.handedOver, rig.done, rig.loops.waiting], [["a", "b"], ["c", "a", "b"], 0]);
  });

  it("give each loop everything, and the rest of a loop to the next one only if it was the last", async () => {
    const rig = new Rig();
    rig.attach();
    const [one, other] = [rig.loops.run(rig.names), rig.loops.run(rig.names)];
    const first = [one.next(), other.next()];
    rig.push("a");
    assertEquals((await Promise.all(first)).map(({ value }) => value), ["a", "a"]);
    await one.return(undefined);
    assertEquals([rig.loops.waiting, rig.done], [0, []]);
    await other.return(undefined);
    assertEquals(rig.loops.waiting, 1);
  });

  it("forget notifications of an earlier connection, which come again", async () => {
    const rig = new Rig();
    rig.attach();
    const loop = rig.loops.run(rig.names);
    const first = loop.next();
    rig.push("a");
    rig.push("b");
    await first;
    rig.attach();
    assertEquals(rig.forgotten, ["b"]);
    rig.push("b");
    assertEquals((await loop.next()).value, "b");
    await loop.return(undefined);
  });

  it("end with a connection that is replaced, except those that begin after that", async () => {
    const rig = new Rig();
    rig.attach();
    const before = rig.loops.run(rig.names);
    const first = before.next();
    rig.loops.replace();
    const after = rig.loops.run(rig.names);
    const second = after.next();
    rig.loops.end(undefined, false);
    assertEquals((await first).done, true);
    rig.attach();
    rig.push("a");
    assertEquals((await second).value, "a");
    const lost = assertRejects(() => after.next(), Error, "mine");
    rig.loops.end(new Error("mine"));
    await lost;
  });

  it("acknowledge notifications that loops must not get", async () => {
    const rig = new Rig();
    rig.attach();
    rig.unsigned.add("a");
    rig.push("a");
    rig.push("b");
    const loop = rig.loops.run(rig.names);
    assertEquals((await loop.next()).value, "b");
    assertEquals(rig.done, ["a"]);
    await loop.return(undefined);
  });

  it("end with the connection, with its error, also if they begin after it", async () => {
    const rig = new Rig();
    rig.attach();
    const loop = rig.loops.run(rig.names);
    const step = loop.next();
    rig.loops.end(new Error("lost"));
    await assertRejects(() => step, Error, "lost");
    await assertRejects(() => rig.loops.run(rig.names).next(), Error, "lost");
    rig.attach();
    rig.loops.end(undefined);
    assertEquals((await rig.loops.run(rig.names).next()).done, true);
  });

  it("continue within a notification where another loop was left", async () => {
    const raw = {};
    const records = ["a", "b", "c"].map((actionType) => {
      return { kind: "userAction" as const, actionType, field: "messages", accountId: "1", raw };
    });
    const rig = new Rig();
    rig.attach();
    const notification = { raw: "x", records, signature: "", redelivered: false, partial: false };
    const pending = new PendingNotification(notification, () => void rig.done.push("x"));
    rig.loops.push(pending);
    const step = stepByRecord((record) => record.kind === "userAction" ? record.actionType : undefined);
    const first = rig.loops.run(step);
    assertEquals((await first.next()).value, "a");
    await first.return(undefined);
    const second = rig.loops.run(step);
    assertEquals([(await second.next()).value, (await second.next()).value], ["b", "c"]);
    await second.return(undefined);
    rig.loops.end(undefined);
    assertEquals(await Array.fromAsync(rig.loops.run(rig.names)), []);
    assertEquals(rig.done, ["x"]);
  });
});

describe("streamOf", () => {
  it("reads one value a pull, ends with the iterator, and calls back when it is cancelled", async () => {
    let asked = 0;
    async function* count(): AsyncGenerator<number, undefined> {
      for (let at = 0; at < 3; at++) {
        asked++;
        yield at;
      }
      return undefined;
    }
    assertEquals(await Array.fromAsync(streamOf(count(), () => {})), [0, 1, 2]);
    let cancelled = 0;
    asked = 0;
    const reader = streamOf(count(), () => void cancelled++).getReader();
    assertEquals(await reader.read(), { done: false, value: 0 });
    await reader.cancel();
    assertEquals([asked, cancelled], [1, 1]);
  });
});
