import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import type { FrameInfo } from "../../protocol/frame_header.ts";
import { WebSocketServer } from "../../server.ts";
import { pipe, until } from "../support/support.ts";

describe("broadcasts and messages to chosen connections", () => {
  it("split messages into frames of frameSize, as send does", async () => {
    const server = new WebSocketServer({ splitMessage: true, frameSize: 12 });
    const got: [string, boolean][] = [];
    const [ours, theirs] = pipe();
    server.acceptStream(ours);
    const client = new WebSocketClient({
      options: { frameByFrame: true },
      onMessageReceived: (text: string, frame?: FrameInfo) => void got.push([text, frame!.final]),
    });
    await client.connect({ stream: theirs });
    server.broadcastMessage("x".repeat(25));
    await until(() => got.some(([, final]) => final), "the last frame");
    assertEquals(got, [["x".repeat(10), false], ["x".repeat(10), false], ["x".repeat(5), true]]);
    await client.disconnect();
    await server.stop();
  });

  it("ask the selector about open connections only", async () => {
    const server = new WebSocketServer();
    const [ours, theirs] = pipe();
    const peer = server.acceptStream(ours);
    const client = new WebSocketClient();
    await client.connect({ stream: theirs });
    let asked = 0;
    const all = (): boolean => asked++ >= 0;
    assertEquals([server.sendMessageTo("a", all), asked], [1, 1]);
    const closed = peer.close(1000);
    assertEquals([server.connections.size, server.sendMessageTo("b", all), asked], [1, 0, 1]);
    await closed;
    await client.disconnect();
    await server.stop();
  });
});
