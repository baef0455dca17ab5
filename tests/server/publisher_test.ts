import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import type { FrameInfo } from "../../protocol/frame_header.ts";
import { WebSocketServer } from "../../server.ts";
import { BroadcastChannelBackplane } from "../../pubsub/broadcast_channel.ts";
import { OptionError } from "../../base/errors.ts";
import { join } from "../support/ends.ts";
import { encode, pipe, until } from "../support/support.ts";

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

  it("cut texts between code points, and lose nothing", async () => {
    const server = new WebSocketServer({ splitMessage: true, frameSize: 12 });
    const got: [string, boolean][] = [];
    const [ours, theirs] = pipe();
    server.acceptStream(ours);
    const client = new WebSocketClient({
      options: { frameByFrame: true },
      onMessageReceived: (text: string, frame?: FrameInfo) => void got.push([text, frame!.final]),
    });
    await client.connect({ stream: theirs });
    server.broadcastMessage("€€€😀€€xy");
    await until(() => got.some(([, final]) => final), "the last frame");
    assertEquals(got, [["€€€", false], ["😀€€", false], ["xy", true]]);
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

  it("refuse selectors that are async or no functions, before anyone gets the message", async () => {
    const { server, peer, atClient, close } = await join({}, {});
    type Selector = () => boolean;
    const calls: ((selector: Selector) => unknown)[] = [
      (selector) => server.sendMessageTo("secret", selector),
      (selector) => server.sendDataTo(encode("secret"), selector),
      (selector) => server.disconnectClients(selector),
    ];
    const rejecting = (): Promise<boolean> => Promise.reject(new Error("look-up failed"));
    for (const call of calls) {
      for (const selector of [() => Promise.resolve(false), () => ({ then() {} }), rejecting]) {
        const failed = async (): Promise<unknown> => await call(selector as unknown as Selector);
        await assertRejects(failed, OptionError, "The selector returned a promise, which counts for no connection");
      }
      for (const [selector, shown] of [[peer, "an object"], [undefined, "undefined"], ["all", '"all"']]) {
        const failed = async (): Promise<unknown> => await call(selector as unknown as Selector);
        const text = `The selector is ${shown} instead of a function such as (connection) => connection === one`;
        await assertRejects(failed, OptionError, text);
      }
    }
    assertEquals([peer.state, server.sendMessageTo("ok", (() => 1) as unknown as Selector)], ["open", 1]);
    await until(() => atClient.length > 0, "the message");
    assertEquals(atClient, [["ok"]]);
    await close();
  });
});

describe("a broadcast of a Blob", () => {
  it("keeps its place among the messages of each connection, and on other nodes", async () => {
    const backplane = new BroadcastChannelBackplane("blobs");
    const otherNode = new BroadcastChannelBackplane("blobs");
    const relayed: unknown[] = [];
    await otherNode.subscribe("#topic", (data) => void relayed.push(data)).ready;
    const { server, peer, atClient, close } = await join({ backplane, port: 0, hostname: "127.0.0.1" }, {});
    await server.start();
    await peer.subscribe("topic");
    server.publish("topic", "first");
    assertEquals(server.publish("topic", new Blob(["blob"])), 1);
    peer.send("second");
    server.publish("topic", "third");
    await until(() => atClient.length === 4 && relayed.length === 3, "the messages");
    assertEquals(atClient, [["first"], [encode("blob")], ["second"], ["third"]]);
    assertEquals(relayed, ["first", encode("blob"), "third"]);
    await close();
    await backplane.close();
    await otherNode.close();
  });

  it("that cannot be read goes to onError once; connections go on", async () => {
    const { server, peer, errors, atClient, client } = await join({}, {});
    const blob = new Blob(["blob"]);
    const cause = new Error("The file has changed");
    blob.arrayBuffer = () => Promise.reject(cause);
    assertEquals([server.broadcastData(blob), server.broadcastMessage("behind")], [1, 1]);
    await until(() => atClient.length === 1, "the message");
    assertEquals([atClient, errors.length, (errors[0] as Error).cause], [[["behind"]], 1, cause]);
    assertEquals(peer.state, "open");
    await client.disconnect();
    await server.stop();
  });

  it("is refused if no connection can ever hold it", async () => {
    const { server, close } = await join({ maxBufferedAmount: 100 }, {});
    assertThrows(() => server.broadcastData(new Blob([new Uint8Array(200)])), OptionError, "maxBufferedAmount");
    await close();
  });
});
