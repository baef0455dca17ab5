import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ConnectionClosedError } from "../../base/errors.ts";
import { ReceiveCalls, type ReceivingConnection, SharedReceiveLoop } from "../../client/receive_calls.ts";
import { MessageQueue } from "../../connection/message_queue.ts";

/** A connection whose messages and end the test gives. */
class Line implements ReceivingConnection {
  readonly queue = new MessageQueue(() => {}, () => {});
  readonly #end = Promise.withResolvers<{ code: number; reason: string }>();
  readonly connection = {
    closed: this.#end.promise,
    receive: async ({ signal }: { signal?: AbortSignal | undefined }) => {
      const { done, value } = await this.queue.next(signal);
      if (done) throw new ConnectionClosedError("receive", await this.#end.promise);
      return value;
    },
  };
  readonly opened = { holdsMessages: false };

  constructor(...messages: string[]) {
    for (const message of messages) this.queue.push(message);
    this.opened.holdsMessages = messages.length > 0;
  }

  end(code: number): void {
    this.queue.end();
    this.#end.resolve({ code, reason: "" });
  }
}

describe("ReceiveCalls", () => {
  it("give the rest of a connection that has ended before the next one's messages, in order", async () => {
    const calls = new ReceiveCalls();
    const [first, second] = [new Line("a", "b"), new Line("c")];
    const got = [calls.receive({}, first, true)];
    first.end(1006);
    calls.continueWith(second);
    got.push(calls.receive({}, second, true), calls.receive({}, second, true));
    assertEquals(await Promise.all(got), ["a", "b", "c"]);
  });

  it("take a message of the next connection at once, so that none comes before", async () => {
    const calls = new ReceiveCalls();
    const waiting = calls.receive({}, undefined, true);
    const next = new Line();
    calls.continueWith(next);
    assertEquals(next.queue.hasReaders, true);
    next.queue.push("a");
    assertEquals([await waiting, next.queue.hasReaders], ["a", false]);
  });

  it("keep no connections that were read", () => {
    const calls = new ReceiveCalls();
    const [first, second] = [new Line(), new Line()];
    calls.receive({ signal: AbortSignal.abort() }, first, true).catch(() => {});
    calls.continueWith(second);
    assertEquals([calls.follows(first.connection), calls.follows(second.connection)], [false, true]);
  });

  it("reject with the end of the last connection when none follows, and begin anew after a connect()", async () => {
    const calls = new ReceiveCalls();
    const line = new Line();
    const waiting = calls.receive({}, line, true);
    line.end(4001);
    const cause = new Error("given up");
    calls.end(cause);
    const error = await assertRejects(() => waiting, ConnectionClosedError);
    assertEquals([error.closeCode, error.cause], [4001, cause]);
    const again = calls.receive({}, undefined, true);
    calls.continueWith(new Line("new"));
    assertEquals(await again, "new");
  });

  it("forget a call whose signal is aborted, also between connections", async () => {
    const calls = new ReceiveCalls();
    const controller = new AbortController();
    const aborted = calls.receive({ signal: controller.signal }, undefined, true);
    const waiting = calls.receive({}, undefined, true);
    controller.abort(new Error("enough"));
    await assertRejects(() => aborted, Error, "enough");
    calls.continueWith(new Line("a"));
    assertEquals(await waiting, "a");
  });
});

describe("SharedReceiveLoop", () => {
  function make(): { loop: SharedReceiveLoop; queue: MessageQueue; begun: () => number } {
    const queue = new MessageQueue(() => {}, () => {});
    let begun = 0;
    const last = { closed: Promise.resolve({ code: 4001, reason: "" }) };
    const loop = new SharedReceiveLoop(() => last);
    const receive = loop.receive.bind(loop);
    loop.receive = (options, _begin, stays) =>
      receive(options, {
        [Symbol.asyncIterator]() {
          begun++;
          return queue.iterate();
        },
      }, stays);
    return { loop, queue, begun: () => begun };
  }
  const begin = {
    [Symbol.asyncIterator](): never {
      throw new Error("replaced");
    },
  };

  it("shares one loop, which stays while there is no handler", async () => {
    const { loop, queue, begun } = make();
    const waiting = [loop.receive({}, begin, () => true), loop.receive({}, begin, () => true)];
    queue.push("a");
    queue.push("b");
    assertEquals([await Promise.all(waiting), queue.hasReaders, begun()], [["a", "b"], true, 1]);
    loop.leave();
    assertEquals(queue.hasReaders, false);
  });

  it("leaves the loop once no call waits, if there are handlers", async () => {
    const { loop, queue, begun } = make();
    for (const text of ["a", "b"]) {
      const waiting = loop.receive({}, begin, () => false);
      queue.push(text);
      assertEquals(await waiting, text);
      await Promise.resolve();
      assertEquals([queue.hasReaders, loop.begun], [false, false]);
    }
    assertEquals(begun(), 2);
  });

  it("gives the message of an aborted call to the next one, and the end to all", async () => {
    const { loop, queue } = make();
    const controller = new AbortController();
    const aborted = loop.receive({ signal: controller.signal }, begin, () => true);
    controller.abort(new Error("enough"));
    await assertRejects(() => aborted, Error, "enough");
    const waiting = [loop.receive({}, begin, () => true), loop.receive({}, begin, () => true)];
    queue.push("a");
    assertEquals(await waiting[0], "a");
    queue.end();
    const error = await assertRejects(() => waiting[1]!, ConnectionClosedError);
    assertEquals(error.closeCode, 4001);
  });
});
