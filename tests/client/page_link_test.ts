/** One socket of the client of `browser-client`, played by hand; for `./browser`: `browser_connection_test.ts`. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError, TransportError, type WebSocketError } from "../../base/errors.ts";
import { PageLink } from "../../client/page_link.ts";
import { PageQueue } from "../../client/page_queue.ts";
import { PAGE_DEFAULTS, type PageSettings } from "../../client/page_settings.ts";
import type { CloseInfo, MessageResult } from "../../connection/options.ts";
import type { MessageData } from "../../protocol/payload.ts";
import { FakeSocket } from "../support/page.ts";
import { FakeClock, settle } from "../support/support.ts";

class Rig {
  readonly socket = new FakeSocket();
  readonly clock = new FakeClock();
  readonly events: string[] = [];
  readonly queue: PageQueue;
  readonly link: PageLink;
  info: CloseInfo | undefined;
  handles = true;
  onMessage: (data: MessageData) => MessageResult = () => undefined;

  constructor(settings: Partial<PageSettings> = {}, waits = false) {
    this.handles = !waits;
    this.queue = new PageQueue({ handles: () => this.handles, release: (messages) => this.link.hand(messages) });
    if (waits) this.queue.wait();
    const all = { ...PAGE_DEFAULTS, clock: this.clock, ...settings };
    this.link = new PageLink(this.socket as unknown as WebSocket, all, this.queue, {
      message: (data) => {
        this.events.push(String(data));
        return this.onMessage(data);
      },
      close: (code) => void this.events.push(`close ${code}`),
      error: (error) => void this.events.push(`error ${(error as WebSocketError).code}`),
      disconnect: (info) => {
        this.events.push(`disconnect ${info.code}`);
        this.info = info;
      },
    });
  }
}

describe("PageLink", () => {
  it("delivers messages and the server's close frame, and says how it ended", async () => {
    const { socket, link, events } = new Rig();
    socket.receive("one", new Uint8Array([2, 3]).buffer);
    socket.end(1000, "done");
    assertEquals([events, link.state], [["one", "2,3", "close 1000", "disconnect 1000"], "closed"]);
    const received = { code: 1000, reason: "done" };
    const sent = { code: 1000, reason: "" };
    assertEquals(await link.closed, { ...received, clean: true, opened: true, received, sent });
    assertEquals([link.lost, link.bufferedAmount], [undefined, 0]);
  });

  it("holds messages for a handler, and hands them over after the end too", async () => {
    for (const ends of [false, true]) {
      const rig = new Rig({}, true);
      rig.socket.receive("one", "two");
      if (ends) rig.link.terminate();
      await settle();
      rig.handles = true;
      rig.queue.release();
      rig.socket.receive("three");
      const end = ends ? ["disconnect 1006", "one", "two"] : ["one", "two", "three"];
      assertEquals(rig.events, end);
    }
  });

  it("refuses a message beyond maxMessageSize after those before it, and all that follow", () => {
    const { socket, events, link } = new Rig({ maxMessageSize: 4 });
    socket.receive("1234", "éé", "ééé", "5678");
    assertEquals(events, ["1234", "éé", "error ERR_MESSAGE_TOO_LARGE"]);
    socket.end(1005);
    assertEquals([events.at(-1), link.lost?.code], ["disconnect 1006", "ERR_CONNECTION_LOST"]);
  });

  it("gives the connection up beyond the limit of what waits, and after its own close frame too", async () => {
    for (const closes of [false, true]) {
      const rig = new Rig({ maxMessageSize: 1000 }, true);
      if (closes) void rig.link.close();
      let count = 0;
      for (; rig.queue.size < 2 ** 21 && count < 5000; count++) rig.socket.receive("x".repeat(1000));
      const kept = rig.queue.size;
      assert(kept > 2 ** 20 && kept < 2 ** 20 + 5000, `${kept}`);
      await settle();
      assertEquals(rig.events, ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
      assertStringIncludes(String((await rig.queue.next()).value), "xxx");
    }
  });

  it("holds messages when concurrency promises are pending, and the server's end behind them", async () => {
    const rig = new Rig({ concurrency: 1 });
    const gates: PromiseWithResolvers<void>[] = [];
    rig.onMessage = () => {
      gates.push(Promise.withResolvers<void>());
      return gates.at(-1)!.promise;
    };
    rig.socket.receive("one", "two");
    rig.socket.end(1000);
    assertEquals([rig.events, rig.link.state], [["one"], "open"]);
    gates[0]!.resolve();
    await settle();
    gates[1]!.reject(new Error("is the client's business"));
    await settle();
    assertEquals(rig.events, ["one", "two", "close 1000", "disconnect 1000"]);
  });

  it("drops what waits when the program closes within the handler, and the server answers", async () => {
    const rig = new Rig({ concurrency: 1 });
    rig.onMessage = () => new Promise(() => {});
    rig.socket.receive("one", "two");
    const closed = rig.link.close(4000, "enough");
    rig.socket.end(4000);
    assertEquals((await closed).sent, { code: 4000, reason: "enough" });
    assertEquals(rig.events, ["one", "close 4000", "disconnect 4000"]);
  });

  it("tells once of a kind of message without handler, and closes when a handler throws here", () => {
    const rig = new Rig();
    rig.onMessage = () => false;
    rig.socket.receive("one", "two");
    assertEquals(rig.events, ["one", "error ERR_NO_HANDLER", "two"]);
    rig.onMessage = () => {
      throw new Error("mine");
    };
    rig.socket.receive("three", "four");
    assertEquals([rig.events.slice(3), rig.link.state], [["three", "error undefined"], "closing"]);
  });

  it("answers by the bytes that wait, and refuses what is no message or too large", async () => {
    const { socket, link, events } = new Rig({ highWaterMark: 10, maxBufferedAmount: 20 });
    assertEquals(link.send("a"), "sent");
    socket.bufferedAmount = 11;
    assertEquals([link.send("b"), link.send("x".repeat(10), { slowConsumer: "drop" })], ["backpressure", "dropped"]);
    assertThrows(() => link.send("x".repeat(21)), OptionError, "21 bytes");
    assertThrows(() => link.send(1 as unknown as string), OptionError, "neither a string");
    assertEquals([link.send("x".repeat(10)), events], ["dropped", []]);
    await settle();
    assertEquals(events, ["error ERR_SLOW_CONSUMER", "disconnect 1006"]);
    const error = assertThrows(() => link.send("late"), StateError, "the connection is closed");
    assertEquals((error.cause as WebSocketError).code, "ERR_SLOW_CONSUMER");
  });

  it("waits until the network has taken everything, and rejects after a loss", async () => {
    const { socket, link, clock } = new Rig();
    socket.bufferedAmount = 1;
    const drained = link.drained();
    socket.bufferedAmount = 0;
    clock.advance(10);
    await drained;
    socket.bufferedAmount = 5;
    const lost = link.drained();
    socket.end();
    clock.advance(10);
    assertEquals((await assertRejects(() => lost, TransportError)).code, "ERR_CONNECTION_LOST");
    assertEquals(clock.pending, 0);
    // The end is known, though a handler still holds its report.
    const held = new Rig({ concurrency: 1 });
    held.onMessage = () => new Promise(() => {});
    held.socket.receive("one", "two");
    held.socket.bufferedAmount = 5;
    held.socket.end(1000);
    assertEquals(held.link.state, "open");
    assertEquals((await assertRejects(() => held.link.drained(), TransportError)).code, "ERR_CONNECTION_LOST");
  });

  it("gives up a server that does not answer the close frame in time, and takes no code of browsers", async () => {
    const { socket, link, clock, events } = new Rig({ closeTimeout: 1000 });
    assertThrows(() => link.close(1001), StateError, "only with 1000 and 3000 to 4999");
    assertThrows(() => link.close(1005), OptionError);
    const closed = link.close(4000, "enough");
    assertEquals([socket.closes, link.state], [[[4000, "enough"]], "closing"]);
    socket.receive("still delivered");
    clock.advance(1000);
    assertEquals([(await closed).code, (await closed).sent?.code], [1006, 4000]);
    assertEquals(events, ["still delivered", "error ERR_CLOSE_TIMEOUT", "disconnect 1006"]);
    assertEquals(clock.pending, 0);
  });

  it("calls nothing from within terminate(), also within a handler, and nothing twice", async () => {
    const rig = new Rig();
    rig.onMessage = () => void rig.link.terminate();
    rig.socket.receive("one", "two");
    rig.link.terminate();
    assertEquals(rig.events, ["one"]);
    await settle();
    rig.socket.end(1000);
    assertEquals([rig.events, rig.info?.clean], [["one", "disconnect 1006"], false]);
  });
});
