import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, TransportError } from "../../base/errors.ts";
import { BrowserSender } from "../../client/browser_sender.ts";
import { CONNECTION_DEFAULTS, type ConnectionOptions, type ConnectionSettings } from "../../connection/options.ts";
import { FakeSocket } from "../support/page.ts";
import { FakeClock, settle } from "../support/support.ts";

interface Rig {
  socket: FakeSocket;
  sender: BrowserSender;
  clock: FakeClock;
  aborts: string[];
}

function makeRig(options: ConnectionOptions): Rig {
  const socket = new FakeSocket();
  const clock = new FakeClock();
  const aborts: string[] = [];
  const settings = { ...CONNECTION_DEFAULTS, clock, ...options } as ConnectionSettings;
  const sender: BrowserSender = new BrowserSender(socket as unknown as WebSocket, settings, {
    send: (data) => sender.send(data),
    close: (code) => Promise.resolve(socket.close(code)),
    abort: (error) => void aborts.push(error.code),
  });
  return { socket, sender, clock, aborts };
}

async function assertLost(work: () => Promise<void>): Promise<void> {
  assertEquals((await assertRejects(work, TransportError)).code, "ERR_CONNECTION_LOST");
}

describe("BrowserSender", () => {
  it("answers by the bytes that wait", () => {
    const { socket, sender, aborts } = makeRig({ highWaterMark: 10, maxBufferedAmount: 20, slowConsumer: "drop" });
    assertEquals(sender.send("a"), "sent");
    socket.bufferedAmount = 11;
    assertEquals(sender.send("b"), "backpressure");
    assertEquals(sender.send("x".repeat(9)), "backpressure");
    assertEquals(sender.send("x".repeat(10)), "dropped");
    assertThrows(() => sender.send("x".repeat(21)), OptionError, "21 bytes");
    assertEquals([socket.sent, aborts], [["a", "b", "x".repeat(9)], []]);
  });

  it("aborts a slow server, by the setting or by the option of a message", () => {
    for (const slowConsumer of ["drop", "close"] as const) {
      const { socket, sender, aborts } = makeRig({ maxBufferedAmount: 20, slowConsumer });
      socket.bufferedAmount = 15;
      assertEquals(sender.send("123456"), "dropped");
      assertEquals(aborts, slowConsumer === "close" ? ["ERR_SLOW_CONSUMER"] : []);
      sender.send("123456", { slowConsumer: "close" });
      assertEquals(aborts.length, slowConsumer === "close" ? 2 : 1);
    }
  });

  it("waits until the network has taken everything, and rejects after a loss", async () => {
    const { socket, sender, clock } = makeRig({});
    socket.bufferedAmount = 1;
    let drained = false;
    const waiting = sender.drained().then(() => drained = true);
    clock.advance(10);
    await settle();
    assertEquals(drained, false);
    socket.bufferedAmount = 0;
    clock.advance(10);
    await waiting;
    socket.bufferedAmount = 5;
    const lost = sender.drained();
    sender.close(undefined);
    assertEquals(sender.bufferedAmount, 0);
    clock.advance(10);
    await assertLost(() => lost);
    await assertLost(() => sender.drained());
    assertEquals(clock.pending, 0);
  });

  it("notes the loss of a message that is sent after the end", async () => {
    const { socket, sender } = makeRig({});
    socket.end();
    sender.close(undefined);
    await sender.drained();
    sender.send("late");
    await assertLost(() => sender.drained());
  });

  it("writes a stream at the pace of the network, and closes with its end", async () => {
    const { socket, sender, clock } = makeRig({ highWaterMark: 10 });
    const writer = sender.writable.getWriter();
    await writer.write("one");
    socket.bufferedAmount = 11;
    const second = writer.write("two");
    await settle();
    assertEquals(socket.sent, ["one"]);
    socket.bufferedAmount = 0;
    clock.advance(10);
    await second;
    await writer.close();
    assertEquals([socket.sent, socket.closes], [["one", "two"], [[1000]]]);
  });
});
