import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { SendQueue, type SendQueueSettings } from "../../cloud_api/send_queue.ts";
import { GraphServer, refusal } from "../support/graph.ts";
import { FakeClock, settle, until } from "../support/support.ts";

/** A queue, and the time at which each message left it. */
class Rig {
  readonly clock = new FakeClock();
  readonly left: [message: string, time: number][] = [];
  readonly failed: unknown[] = [];
  readonly queue: SendQueue;

  constructor(settings: Partial<SendQueueSettings>) {
    this.queue = new SendQueue({
      pairLimit: false,
      messagesPerSecond: 0,
      maxQueuedMessages: 10_000,
      clock: this.clock,
      ...settings,
    });
  }

  /** Sends messages, as fast as the queue lets them. */
  async send(recipient: string, count: number, signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < count; at++) {
      this.queue.enter(recipient, signal).then((place) => {
        this.left.push([`${recipient}${at}`, this.clock.now()]);
        place.leave();
      }, (error: unknown) => this.failed.push(error));
    }
    await settle();
  }

  async advance(ms: number, step = ms): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      this.clock.advance(step);
      await settle();
    }
  }

  get times(): number[] {
    return this.left.map(([, time]) => time);
  }
}

describe("SendQueue without limits", () => {
  it("lets everything pass at once, and remembers no recipient", async () => {
    const rig = new Rig({});
    for (let number = 0; number < 100; number++) await rig.send(`r${number}`, 3);
    assertEquals(rig.times, Array(300).fill(0));
    assertEquals([rig.queue.state, rig.clock.pending], [{ waiting: 0, sending: 0, recipients: [] }, 0]);
  });
});

describe("SendQueue with the limit of a recipient", () => {
  it("lets one pass in 6 s for ever", async () => {
    const rig = new Rig({ pairLimit: true });
    for (let at = 0; at < 100; at++) {
      await rig.send("a", 1);
      await rig.advance(6000);
    }
    assertEquals(rig.times, Array.from({ length: 100 }, (_, at) => at * 6000));
  });

  it("lets 45 pass at once, and the next one when these are paid for", async () => {
    const rig = new Rig({ pairLimit: true });
    await rig.send("a", 47);
    assertEquals(rig.left.length, 45);
    assertEquals(rig.queue.state, {
      waiting: 2,
      sending: 0,
      recipients: [{ recipient: "a", waiting: 2, delay: 270_000 }],
    });
    await rig.advance(269_999);
    assertEquals(rig.left.length, 45);
    await rig.advance(1);
    // A new burst begins.
    assertEquals(rig.left.slice(45), [["a45", 270_000], ["a46", 270_000]]);
    assertEquals(rig.clock.pending, 0);
  });

  it("holds back what comes after the 6 s of a burst until that is paid for", async () => {
    const rig = new Rig({ pairLimit: true });
    await rig.send("a", 20);
    await rig.advance(6000);
    await rig.send("a", 1);
    assertEquals(rig.left.length, 20);
    await rig.advance(114_000);
    assertEquals(rig.left.slice(20), [["a0", 120_000]]);
  });

  it("keeps no recipient waiting for another one, and each in order", async () => {
    const rig = new Rig({ pairLimit: true });
    await rig.send("a", 60);
    await rig.send("b", 2);
    assertEquals(rig.left.slice(45), [["b0", 0], ["b1", 0]]);
    await rig.advance(270_000);
    assertEquals(rig.left.slice(47).map(([message]) => message), Array.from({ length: 15 }, (_, at) => `a${at + 45}`));
  });

  it("waits longer where the API refused the recipient", async () => {
    const rig = new Rig({ pairLimit: true });
    const place = await rig.queue.enter("a");
    place.block(16_000);
    await rig.send("a", 1);
    await rig.send("b", 1);
    assertEquals(rig.left, [["b0", 0]]);
    await rig.advance(16_000);
    assertEquals(rig.left[1], ["a0", 16_000]);
    place.block(30_000);
    place.leave();
    await rig.advance(7000);
    await rig.send("a", 1);
    await rig.advance(23_000);
    assertEquals(rig.left[2], ["a0", 46_000]);
  });

  it("keeps to the limit of a recipient whose messages waited for the number", async () => {
    // The number is busy for longer than it takes to pay for many messages.
    const rig = new Rig({ pairLimit: true, messagesPerSecond: 1 });
    for (let other = 0; other < 200; other++) await rig.send(`r${other}`, 1);
    for (let at = 0; at < 30; at++) {
      await rig.send("a", 1);
      await rig.advance(6000, 1000);
    }
    await rig.advance(600_000, 1000);
    const times = rig.left.filter(([message]) => message === "a0").map(([, time]) => time);
    assertEquals(times.length, 30);
    assertEquals(times.filter((time) => time < times[0]! + 6000).length, 6, String(times));
    assertEquals(times[6], times[0]! + 36_000);
    assertEquals(rig.clock.pending, 0);
  });

  it("lets one at a time pass after the API refused the recipient, until a burst is paid for", async () => {
    const rig = new Rig({ pairLimit: true });
    const place = await rig.queue.enter("a");
    place.block(1000);
    await rig.send("a", 50);
    assertEquals(rig.left.length, 0);
    await rig.advance(20_000, 500);
    assertEquals(rig.times, [1000, 7000, 13_000, 19_000]);
    // The same one is refused again.
    place.block(4000);
    place.leave();
    await rig.advance(15_000, 500);
    assertEquals(rig.times.slice(4), [25_000, 31_000]);
    await rig.advance(600_000, 500);
    assertEquals(rig.left.length, 50);
    assertEquals(rig.left.map(([message]) => message), Array.from({ length: 50 }, (_, at) => `a${at}`));
    await rig.send("a", 46);
    assertEquals(rig.left.length, 95);
  });

  it("remembers a recipient while a message is being sent that the API may still refuse", async () => {
    const rig = new Rig({ pairLimit: true });
    const place = await rig.queue.enter("a");
    await rig.advance(20_000);
    for (let other = 0; other < 10; other++) await rig.send(`r${other}`, 1);
    place.block(16_000);
    place.leave();
    await rig.send("a", 1);
    assertEquals(rig.left.length, 10);
    await rig.advance(16_000);
    assertEquals(rig.left[10], ["a0", 36_000]);
  });

  it("forgets recipients that have paid", async () => {
    const rig = new Rig({ pairLimit: true });
    for (let at = 0; at < 5000; at++) {
      await rig.queue.enter(`r${at}`).then((place) => place.leave());
      rig.clock.advance(1000);
    }
    // The inspection of memory that tests have: as many as a lane of 6 s can hold, twice.
    assert(rig.queue.size <= 14, String(rig.queue.size));
  });
});

describe("SendQueue with the limit of the number", () => {
  it("lets no more pass in any second", async () => {
    const rig = new Rig({ messagesPerSecond: 20 });
    for (let recipient = 0; recipient < 100; recipient++) await rig.send(`r${recipient}`, 1);
    await rig.advance(5000, 100);
    assertEquals(rig.left.length, 100);
    for (const [at, time] of rig.times.entries()) {
      if (at >= 20) assert(time - rig.times[at - 20]! >= 1000, `${at}: ${time}`);
    }
    assertEquals(rig.times.at(-1), 4900);
    assertEquals(rig.queue.state, { waiting: 0, sending: 0, recipients: [] });
    assertEquals(rig.clock.pending, 0);
  });

  it("lets each recipient have its turn: one with many messages does not hold back the others", async () => {
    const rig = new Rig({ messagesPerSecond: 2 });
    await rig.send("a", 9000);
    await rig.send("b", 3);
    await rig.send("c", 1);
    await rig.advance(4000, 1000);
    assertEquals(rig.left.map(([message]) => message), ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "b2", "a4"]);
    assertEquals(rig.queue.state.recipients, [{ recipient: "a", waiting: 8995, delay: 0 }]);
  });

  it("forgets recipients at once when only the number has a limit", async () => {
    const rig = new Rig({ messagesPerSecond: 1000 });
    for (let at = 0; at < 300; at++) {
      await rig.send(`r${at}`, 3);
      await rig.advance(10);
    }
    assert(rig.queue.size <= 3, String(rig.queue.size));
  });

  it("spreads messages over the second, so that two bursts do not come to Meta in one second", async () => {
    for (const messagesPerSecond of [1, 7, 10, 25, 80, 1000]) {
      const rig = new Rig({ messagesPerSecond });
      const count = 2 * messagesPerSecond;
      for (let recipient = 0; recipient < count; recipient++) await rig.send(`r${recipient}`, 1);
      await rig.advance(2200, 1);
      assertEquals(rig.left.length, count);
      const [part, time] = [Math.max(1, Math.floor(messagesPerSecond / 10)), rig.times];
      for (let at = part; at < count; at++) {
        assert(time[at]! - time[at - part]! >= part * 1000 / messagesPerSecond, `${messagesPerSecond}: ${at}`);
        if (at >= messagesPerSecond) assert(time[at]! - time[at - messagesPerSecond]! >= 1000, `${at}`);
      }
    }
  });

  it("does not hold back a message that comes alone", async () => {
    const rig = new Rig({ messagesPerSecond: 80 });
    for (let at = 0; at < 5; at++) {
      await rig.send("a", 8);
      await rig.advance(100);
    }
    assertEquals(rig.times, [0, 100, 200, 300, 400].flatMap((time) => Array(8).fill(time)));
  });

  it("lets both limits count", async () => {
    const rig = new Rig({ messagesPerSecond: 10, pairLimit: true });
    await rig.send("a", 30);
    await rig.send("b", 5);
    assertEquals(rig.queue.state.recipients.map(({ recipient, waiting }) => [recipient, waiting]), [["a", 29], [
      "b",
      5,
    ]]);
    await rig.advance(4000, 100);
    assertEquals(rig.left.length, 35);
    assertEquals(rig.queue.state.waiting, 0);
  });
});

describe("SendQueue with messages that wait", () => {
  it("refuses more than maxQueuedMessages", async () => {
    const rig = new Rig({ messagesPerSecond: 1, maxQueuedMessages: 3 });
    await rig.send("a", 5);
    assertEquals(rig.queue.state.waiting, 3);
    const [error] = rig.failed as [WhatsAppApiError];
    assertEquals([error.code, rig.failed.length], ["ERR_API_QUEUE", 1]);
    await rig.advance(3000, 1000);
    assertEquals(rig.left.length, 4);
  });

  it("lets go of one that is given up, with its timer, and keeps the others", async () => {
    const rig = new Rig({ pairLimit: true, messagesPerSecond: 450 });
    const abort = new AbortController();
    await rig.send("a", 45);
    await rig.send("a", 2, abort.signal);
    const reason = new Error("given up");
    abort.abort(reason);
    await settle();
    assertEquals(rig.failed, [reason, reason]);
    assertEquals([rig.queue.state, rig.clock.pending], [{ waiting: 0, sending: 0, recipients: [] }, 0]);
    await assertRejects(() => rig.queue.enter("b", abort.signal), Error, "given up");
    await rig.advance(270_000);
    await rig.send("a", 1);
    assertEquals(rig.left.length, 46);
  });

  it("lets go of one that only the number holds back", async () => {
    const rig = new Rig({ messagesPerSecond: 1 });
    const abort = new AbortController();
    await rig.send("a", 1);
    await rig.send("b", 1, abort.signal);
    await rig.send("c", 1);
    abort.abort(new Error("given up"));
    assertEquals(rig.queue.state.recipients, [{ recipient: "c", waiting: 1, delay: 0 }]);
    await rig.advance(1000);
    assertEquals(rig.left, [["a0", 0], ["c0", 1000]]);
  });

  it("lets go of thousands in a time that grows with their number, in any order", async () => {
    const rig = new Rig({ pairLimit: true, messagesPerSecond: 5, maxQueuedMessages: 20_000 });
    const aborts = Array.from({ length: 10_000 }, () => new AbortController());
    for (const [at, abort] of aborts.entries()) {
      rig.queue.enter(`r${at % 5000}`, abort.signal).catch((error: unknown) => rig.failed.push(error));
    }
    await settle();
    assertEquals(rig.queue.state.waiting, 9999);
    for (const abort of aborts.reverse()) abort.abort();
    await settle();
    assertEquals([rig.failed.length, rig.queue.state.waiting, rig.clock.pending], [9999, 0, 0]);
  });

  it("takes a time that grows with the number of recipients", async () => {
    const rig = new Rig({ pairLimit: true, messagesPerSecond: 10_000, maxQueuedMessages: 1_000_000 });
    const start = performance.now();
    for (let at = 0; at < 150_000; at++) {
      rig.queue.enter(`r${at}`).then((place) => {
        rig.left.push(["", 0]);
        place.leave();
      });
    }
    await rig.advance(15_000, 1000);
    assertEquals(rig.left.length, 150_000);
    // It grew with the square of their number when each recipient passed the places of those looked at before.
    assert(performance.now() - start < 20_000, `${performance.now() - start} ms`);
  });

  it("leaves no listener at the signal of a program", async () => {
    const rig = new Rig({ messagesPerSecond: 1 });
    const { signal } = new AbortController();
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
    await rig.send("a", 3, signal);
    assertEquals(listeners, 2);
    await rig.advance(2000, 1000);
    assertEquals([rig.left.length, listeners], [3, 0]);
  });
});

describe("WhatsAppApi with limits of sending", () => {
  it("holds messages back, says what waits, and lets the reading marks pass", async () => {
    await using graph = await new GraphServer().start();
    graph.answer = () => ({ json: { messages: [{ id: "wamid.SENT" }], success: true } });
    const clock = new FakeClock();
    const api = graph.api({ clock, requestTimeout: 0, messagesPerSecond: 1 });
    await api.sendText("4917", "first");
    const second = api.sendText("4917", "second");
    assertEquals(api.queue, { waiting: 1, sending: 0, recipients: [{ recipient: "4917", waiting: 1, delay: 0 }] });
    await api.markAsRead("wamid.IN");
    assertEquals(graph.requests.length, 2);
    clock.advance(1000);
    await second;
    assertEquals(api.queue.waiting, 0);
  });

  it("holds all messages to a recipient back that the API has refused for their number", async () => {
    await using graph = await new GraphServer().start();
    graph.answer = () => ({ json: { messages: [{ id: "wamid.SENT" }] } });
    graph.next.push(refusal(400, 131056));
    const clock = new FakeClock();
    const api = graph.api({ clock, requestTimeout: 0, pairLimit: true });
    // With or without a plus, a phone number is the same recipient.
    const first = api.sendText("+49 17", "first");
    await until(() => clock.pending === 1, "the pause");
    const second = api.sendText("4917", "second");
    await api.sendText("4918", "to another one");
    assertEquals(graph.requests.length, 2);
    assertEquals(api.queue.recipients, [{ recipient: "4917", waiting: 1, delay: 1000 }]);
    clock.advance(1000);
    await Promise.all([first, second]);
    assertEquals(graph.requests.length, 4);
  });

  it("holds them back after the last attempt too", async () => {
    await using graph = await new GraphServer().start();
    graph.answer = () => ({ json: { messages: [{ id: "wamid.SENT" }] } });
    graph.next.push(refusal(400, 131056));
    const clock = new FakeClock();
    const api = graph.api({ clock, requestTimeout: 0, maxRetries: 0, pairLimit: true });
    await assertRejects(() => api.sendText("4917", "first"), WhatsAppApiError);
    const more = [api.sendText("4917", "second"), api.sendText("4917", "third")];
    assertEquals(api.queue.recipients, [{ recipient: "4917", waiting: 2, delay: 6000 }]);
    clock.advance(6000);
    await more[0];
    assertEquals([graph.requests.length, api.queue.waiting], [2, 1]);
    clock.advance(6000);
    await more[1];
    assertEquals([graph.requests.length, clock.pending], [3, 0]);
  });
});
