/** The setting `concurrency`: promises of message handlers that may be pending on one connection. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandlerSlots, noHandlerFor } from "../../connection/handler_slots.ts";
import { deliverBatch, releaseMessages, setDelivery, stepConnection } from "../../connection/connection.ts";
import type { ConnectionOptions, ConnectionStart } from "../../connection/options.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { concat } from "../../base/bytes.ts";
import { decodeAll, openRig, Random, type Rig, settle } from "../support/support.ts";

/** A connection whose handlers are pending until the test settles them, in any order. */
interface Held extends Rig {
  /** Messages whose handlers are pending. */
  pending: Map<string, PromiseWithResolvers<void>>;
  /** Largest number of them so far. */
  most(): number;
  /** Settles a handler, and lets everything happen that follows. */
  finish(text: string): Promise<void>;
  /** Sends texts in one read. */
  texts(...texts: string[]): void;
}

function openHeld(options: ConnectionOptions, start: ConnectionStart = {}): Held {
  const rig = openRig("server", options, undefined, start);
  const pending = new Map<string, PromiseWithResolvers<void>>();
  let most = 0;
  rig.recorder.onMessage = (data) => {
    const deferred = Promise.withResolvers<void>();
    pending.set(String(data), deferred);
    most = Math.max(most, pending.size);
    return deferred.promise;
  };
  return {
    ...rig,
    pending,
    most: () => most,
    async finish(text) {
      const deferred = pending.get(text)!;
      pending.delete(text);
      deferred.resolve();
      await settle();
    },
    texts: (...texts) => rig.transport.receive(concat(...texts.map((text) => rig.peer.text(text)))),
  };
}

describe("HandlerSlots", () => {
  it("goes on once when many promises are settled at the same time, and free their slots before", async () => {
    const seen: boolean[] = [];
    const slots: HandlerSlots = new HandlerSlots({
      proceed: () => void seen.push(slots.full),
      deferWork: () => {
        throw new Error("not yet");
      },
    }, 3);
    const gate = Promise.withResolvers<void>();
    for (let taken = 0; taken < 3; taken++) slots.take(gate.promise);
    assertEquals(slots.full, true);
    gate.resolve();
    await settle();
    assertEquals(seen, [false]);
  });

  it("does nothing when a promise is settled while slots are free", async () => {
    let calls = 0;
    const slots = new HandlerSlots({ proceed: () => void calls++, deferWork() {} }, 2);
    slots.take(Promise.resolve());
    await settle();
    assertEquals(calls, 0);
  });

  it("frees the slot of a promise that rejects", async () => {
    const slots = new HandlerSlots({ proceed() {}, deferWork() {} }, 1);
    slots.take(Promise.reject(new Error("handler")));
    assertEquals(slots.full, true);
    await settle();
    assertEquals(slots.full, false);
  });

  it("lets other connections have their turn after 256 messages, whose handlers settle at once", async () => {
    const turns: (() => void)[] = [];
    let left = 1000;
    const slots: HandlerSlots = new HandlerSlots({
      proceed() {
        while (left > 0 && !slots.full) {
          left--;
          slots.take(Promise.resolve());
        }
      },
      deferWork: (work) => void turns.push(work),
    }, 4);
    slots.resume();
    const rests = [];
    for (let turn = 0; turn < 5; turn++) {
      while (turns.length === 0 && left > 0) await settle();
      rests.push(left);
      turns.shift()?.();
    }
    assertEquals(rests, [744, 488, 232, 0, 0]);
  });

  it("has no limit with 0", () => {
    const slots = new HandlerSlots({ proceed() {}, deferWork() {} }, 0);
    for (let taken = 0; taken < 5000; taken++) slots.take(new Promise(() => {}));
    assertEquals(slots.full, false);
  });

  it("names the handler that is missing", () => {
    assert(noHandlerFor("text").message.includes('"onMessageReceived"'));
    assert(noHandlerFor(new Uint8Array(1)).message.includes('"onBinaryDataReceived"'));
  });
});

describe("concurrency", () => {
  it("1 keeps the order: the next message comes when the promise of the one before is settled", async () => {
    const { texts, recorder, finish, transport, most } = openHeld({ concurrency: 1 });
    texts("a", "b", "c");
    texts("d");
    assertEquals([recorder.messages, transport.paused], [["a"], true]);
    for (const [text, next] of [["a", "b"], ["b", "c"], ["c", "d"]] as const) {
      await finish(text);
      assertEquals(recorder.messages.at(-1), next);
    }
    assertEquals(transport.paused, true);
    await finish("d");
    assertEquals([most(), recorder.messages, transport.paused], [1, ["a", "b", "c", "d"], false]);
  });

  it("is 64 by default, and stops the reading beyond it", async () => {
    const { texts, most, transport, pending, finish } = openHeld({});
    texts(...Array.from({ length: 200 }, (_, index) => `${index}`));
    assertEquals([most(), transport.paused], [64, true]);
    while (pending.size > 0) await finish([...pending.keys()][0]!);
    assertEquals([most(), transport.paused], [64, false]);
  });

  it("2 lets a handler wait for a later message of the same connection", async () => {
    const { texts, recorder, transport, peer } = openHeld({ concurrency: 2 });
    const answer = Promise.withResolvers<string>();
    const answers: string[] = [];
    recorder.onMessage = async (data) => {
      if (data === "answer") answer.resolve("answer");
      else answers.push(`${data}: ${await answer.promise}`);
    };
    texts("question");
    transport.receive(peer.text("answer"));
    await settle();
    assertEquals(answers, ["question: answer"]);
  });

  it("does not count handlers without a promise", () => {
    const { transport, recorder, texts } = openHeld({ concurrency: 1 });
    recorder.onMessage = () => undefined;
    texts("a", "b", "c");
    assertEquals([recorder.messages.length, transport.paused], [3, false]);
  });

  it("counts frames of frame by frame delivery too", async () => {
    const { transport, recorder, peer, finish } = openHeld({ concurrency: 1, options: { frameByFrame: true } });
    transport.receive(concat(peer.text("a", false), peer.continuation("b", true)));
    assertEquals(recorder.messages, ["a"]);
    await finish("a");
    assertEquals(recorder.messages, ["a", "b"]);
  });

  it("ends no connection for a missing pong or for idleness while handlers hold it", async () => {
    const options = { concurrency: 1, pingInterval: 1000, pongTimeout: 500, idleTimeout: 4000 };
    const { texts, clock, connection, finish, transport } = openHeld(options);
    texts("a", "b");
    clock.advance(20_000);
    assertEquals([connection.state, transport.destroyed], ["open", false]);
    await finish("a");
    await finish("b");
    // Read again, it is idle and answers no ping.
    clock.advance(20_000);
    assertEquals(connection.state !== "open" || transport.destroyed, true);
  });

  it("answers pings and close frames that come behind held messages when these are handed over", async () => {
    const { transport, peer, recorder, finish, connection } = openHeld({ concurrency: 1 });
    transport.receive(concat(peer.text("a"), peer.text("b"), peer.frame(Opcode.Ping, "p"), peer.close(1000)));
    assertEquals(transport.writes.length, 0);
    await finish("a");
    assertEquals(recorder.events, ["text a", "text b"]);
    await finish("b");
    assertEquals(recorder.events, ["text a", "text b", "ping p", "close 1000"]);
    assertEquals(decodeAll(transport.written).map(({ opcode }) => opcode), [Opcode.Pong, Opcode.Close]);
    transport.handler.end();
    assertEquals((await connection.closed).clean, true);
  });

  it("hands over all that had come before the loss, and then reports the end", async () => {
    const { texts, transport, recorder, finish, peer } = openHeld({ concurrency: 1 });
    texts("a", "b");
    transport.receive(concat(peer.text("c"), peer.close(1001)));
    transport.handler.close(new Error("reset"));
    await settle();
    assertEquals(recorder.events, ["text a"]);
    for (const text of ["a", "b", "c"]) await finish(text);
    assertEquals(recorder.events, ["text a", "text b", "text c", "close 1001", "disconnect"]);
  });

  it("drops messages behind our own close frame that find no slot, so that the end is found", async () => {
    const { texts, transport, connection, recorder, peer } = openHeld({ concurrency: 1 });
    texts("a", "b");
    const closed = connection.close(1000);
    transport.receive(concat(peer.text("c"), peer.close(1000)));
    transport.handler.end();
    assertEquals((await closed).clean, true);
    assertEquals(recorder.events, ["text a", "close 1000", "disconnect"]);
  });

  it("ends at once with terminate(), whatever waits", async () => {
    const { texts, transport, connection, recorder, finish } = openHeld({ concurrency: 1 });
    texts("a", "b");
    connection.terminate();
    await connection.closed;
    await finish("a");
    assertEquals([recorder.events, transport.destroyed], [["text a", "disconnect"], true]);
  });

  it("goes on with a batch that was cut, before the next one", async () => {
    const { texts, connection, recorder, finish } = openHeld({ concurrency: 2 });
    setDelivery(connection, "batched");
    texts("a", "b", "c", "d");
    assertEquals(recorder.messages, []);
    deliverBatch(connection);
    assertEquals(recorder.messages, ["a", "b"]);
    deliverBatch(connection);
    assertEquals(recorder.messages, ["a", "b"]);
    await finish("a");
    assertEquals(recorder.messages, ["a", "b", "c"]);
    await finish("b");
    assertEquals(recorder.messages, ["a", "b", "c", "d"]);
    await finish("c");
    await finish("d");
    texts("e");
    assertEquals(recorder.messages.length, 4);
    deliverBatch(connection);
    assertEquals(recorder.messages.length, 5);
  });

  it("goes on with a batch that was cut when messages come as events since", async () => {
    const { texts, connection, recorder, finish } = openHeld({ concurrency: 1 });
    setDelivery(connection, "batched");
    texts("a", "b", "c");
    deliverBatch(connection);
    setDelivery(connection, "immediate");
    assertEquals(recorder.messages, ["a"]);
    await finish("a");
    assertEquals(recorder.messages, ["a", "b"]);
    await finish("b");
    assertEquals(recorder.messages, ["a", "b", "c"]);
  });

  for (const changes of [false, true]) {
    it(`holds for the last batch, at the end of TCP${changes ? ", cut by its handlers too" : ""}`, async () => {
      const { texts, connection, transport, recorder, pending, finish, most } = openHeld({ concurrency: 1 });
      setDelivery(connection, "batched");
      const { onMessage } = recorder;
      recorder.onMessage = (...args) => {
        if (changes) setDelivery(connection, "batched");
        return args[0] === "a" ? undefined : onMessage!(...args);
      };
      texts("a", "b", "c", "d");
      transport.handler.close(undefined);
      for (const text of ["b", "c", "d"]) {
        assertEquals([...pending.keys()], [text]);
        await finish(text);
      }
      assertEquals([recorder.messages, most()], [["a", "b", "c", "d"], 1]);
      assertEquals(recorder.events.at(-1), "disconnect");
    });
  }

  it("goes on at the loss of the connection, if the transport has dropped what was deferred", async () => {
    const { connection, transport, recorder, peer } = openRig("server", { concurrency: 1 });
    const deferred: (() => void)[] = [];
    transport.deferWork = (work) => void deferred.push(work);
    let [now, most] = [0, 0];
    recorder.onMessage = async () => {
      most = Math.max(most, ++now);
      await undefined;
      now--;
    };
    transport.receive(concat(...Array.from({ length: 400 }, (_, at) => peer.text(`${at}`))));
    while (deferred.length === 0) await settle();
    assert(recorder.messages.length < 400);
    transport.handler.close(undefined);
    for (let turn = 0; turn < 400 && connection.state !== "closed"; turn++) {
      await settle();
      // Deferred after the loss: the transport still calls it.
      if (deferred.length > 1) deferred.pop()!();
    }
    assertEquals([recorder.messages.length, connection.state, most], [400, "closed", 1]);
  });

  it("finds the peer's close frame after close() in the handler of the last message that waited", async () => {
    const { connection, transport, recorder, peer, texts, pending, finish } = openHeld({ concurrency: 1 }, {
      waitForHandler: true,
    });
    const { onMessage } = recorder;
    recorder.onMessage = (data) => {
      if (data === "b") void connection.close();
      return onMessage!(data);
    };
    texts("a", "b");
    releaseMessages(connection);
    transport.receive(concat(peer.text("c"), peer.close(1000)));
    await finish("a");
    assertEquals([[...pending.keys()], recorder.messages], [["b"], ["a", "b"]]);
    assertEquals(recorder.events.at(-1), "close 1000");
    transport.handler.close(undefined);
    assertEquals((await connection.closed).clean, true);
  });

  it("gives messages that waited for a handler before those that steps fetch", async () => {
    const rig = openHeld({ concurrency: 1 }, { waitForHandler: true });
    rig.texts("a", "b", "c");
    releaseMessages(rig.connection);
    setDelivery(rig.connection, "step");
    rig.texts("d", "e");
    assertEquals(rig.recorder.messages, ["a"]);
    assertEquals(await stepConnection(rig.connection, 0), "message");
    assertEquals(await stepConnection(rig.connection, 0), "message");
    assertEquals(rig.recorder.messages, ["a", "b", "c", "d", "e"]);
  });

  it("keeps order and number whatever the program does between", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const concurrency = 1 + random.int(3);
      const { texts, connection, recorder, pending, most, finish, transport } = openHeld({ concurrency });
      let sent = 0;
      for (let act = 0; act < 30; act++) {
        const kind = random.int(5);
        if (kind === 0) texts(...Array.from({ length: 1 + random.int(6) }, () => `${seed} ${sent++}`));
        else if (kind === 1) setDelivery(connection, random.pick(["immediate", "batched"] as const));
        else if (kind === 2) deliverBatch(connection);
        else if (pending.size > 0) await finish(random.pick([...pending.keys()]));
      }
      if (seed % 2 === 0) transport.handler.close(undefined);
      else setDelivery(connection, "immediate");
      while (pending.size > 0) await finish(random.pick([...pending.keys()]));
      const expected = Array.from({ length: sent }, (_, index) => `${seed} ${index}`);
      assertEquals([recorder.messages, connection.state], [expected, seed % 2 === 0 ? "closed" : "open"]);
      assert(most() <= concurrency, `seed ${seed}: ${most()} at once`);
    }
  });

  it("does not hold back steps, which the program asks for one by one", async () => {
    const { texts, connection, most } = openHeld({ concurrency: 1 });
    setDelivery(connection, "step");
    texts("a", "b", "c");
    for (let step = 0; step < 3; step++) assertEquals(await stepConnection(connection, 0), "message");
    assertEquals(most(), 3);
  });

  it("keeps the order when steps become events while a handler is pending", async () => {
    const { texts, connection, recorder, finish } = openHeld({ concurrency: 1 });
    setDelivery(connection, "step");
    texts("a", "b");
    await stepConnection(connection, 0);
    setDelivery(connection, "immediate");
    assertEquals(recorder.messages, ["a"]);
    await finish("a");
    assertEquals(recorder.messages, ["a", "b"]);
  });

  it("holds for a loop too: its full queue and the handlers both stop the reading", async () => {
    const { texts, connection, recorder, finish, transport } = openHeld({ concurrency: 1 });
    const messages = connection[Symbol.asyncIterator]();
    texts("a", "b");
    assertEquals((await messages.next()).value, "a");
    assertEquals(recorder.messages, ["a"]);
    await finish("a");
    assertEquals((await messages.next()).value, "b");
    await finish("b");
    const big = "x".repeat(70_000);
    texts(big, "last");
    await finish(big);
    assertEquals([recorder.messages.at(-1), transport.paused], [big, true]);
    await messages.next();
    assertEquals(recorder.messages.at(-1), "last");
  });
});

describe("concurrency of messages that waited for a handler", () => {
  for (const end of ["open", "lost", "ended"] as const) {
    it(`counts them, connection ${end}`, async () => {
      const result = { protocol: "", extensions: [] };
      const { transport, peer, connection, recorder } = openRig("client", { concurrency: 1 }, result, {
        waitForHandler: true,
      });
      const gates: PromiseWithResolvers<void>[] = [];
      recorder.onMessage = () => {
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        return gate.promise;
      };
      transport.receive(concat(peer.text("a"), peer.text("b")));
      if (end === "ended") {
        transport.handler.close(new Error("reset"));
        assertEquals(recorder.events, ["disconnect"]);
      }
      releaseMessages(connection);
      if (end === "lost") transport.handler.close(new Error("reset"));
      else if (end === "open") transport.receive(peer.text("c"));
      const messages = (): string[] => recorder.events.filter((event) => event.startsWith("text"));
      assertEquals(messages(), ["text a"]);
      gates[0]!.resolve();
      await settle();
      assertEquals(messages(), ["text a", "text b"]);
      gates[1]!.resolve();
      await settle();
      const last = { open: "text c", lost: "disconnect", ended: "text b" }[end];
      assertEquals(recorder.events.at(-1), last);
    });
  }
});
