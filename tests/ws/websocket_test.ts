/** What the view of a connection does beyond what `parity_test.ts` compares with npm `ws`. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { errorMonitor, EventEmitter } from "node:events";
import type { Buffer } from "node:buffer";
import { HandlerError, StateError } from "../../base/errors.ts";
import { WebSocketClient } from "../../client.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import * as ours from "../../ws.ts";
import WebSocketDefault, { WebSocket, WebSocketServer } from "../../ws.ts";
import { FakeClock, turns, until } from "../support/support.ts";
import { type Host, play, startRig } from "../support/ws_rig.ts";

const host = ours as Host;

/** Collects what is printed while a function runs. */
async function printed(work: () => Promise<unknown>): Promise<unknown[]> {
  const { error } = console;
  const lines: unknown[] = [];
  console.error = (...line: unknown[]) => void lines.push(...line);
  try {
    await work();
  } finally {
    console.error = error;
  }
  return lines;
}

/** Opens two connections, the first of which has a listener that fails; returns what the peers of both saw. */
async function failIn(
  listen: (socket: WebSocket) => void,
): Promise<{ code: number | undefined; other: string; printed: unknown[] }> {
  let count = 0;
  const rig = await startRig(host, {}, (socket) => {
    if (count++ === 0) listen(socket);
    else socket.on("message", (data) => socket.send(String(data)));
  });
  const url = `ws://127.0.0.1:${rig.port}/`;
  const first = new WebSocketClient(url);
  const second = new WebSocketClient(url);
  let code: number | undefined;
  let other = "";
  const lines = await printed(async () => {
    await first.connect();
    await second.connect();
    const { closed } = first.connection!;
    if (first.connection!.state === "open") first.send("go");
    code = (await closed).code;
    second.send("still here");
    other = String(await second.receive());
  });
  await first.disconnect();
  await second.disconnect();
  await rig.close();
  return { code, other, printed: lines };
}

describe("WebSocket of the entry for ws", () => {
  it("is an event emitter, with the server as a static member", () => {
    assert(new WebSocket(null) instanceof EventEmitter);
    assertEquals([WebSocketDefault, WebSocketDefault.WebSocket], [WebSocket, WebSocket] as unknown[]);
    assertEquals([WebSocketDefault.Server, WebSocketDefault.WebSocketServer], [WebSocketServer, WebSocketServer]);
    assertEquals([WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED], [0, 1, 2, 3]);
  });

  it("says what makes a client", () => {
    const connect = (): unknown => Reflect.construct(WebSocket, ["ws://localhost:1/"]);
    const { message } = assertThrows(connect, StateError);
    assertEquals(
      message,
      "Cannot connect: this WebSocket is the server's side of a connection. " +
        'Use WebSocketClient of "@tackline/websocket", or globalThis.WebSocket',
    );
  });

  it("is connecting without a connection: calls throw, or change nothing", () => {
    const socket = new WebSocket(null);
    assertEquals([socket.readyState, socket.bufferedAmount, socket.protocol, socket.extensions], [0, 0, "", ""]);
    for (const call of [() => socket.send("x"), () => socket.ping(), () => socket.pong()]) {
      assertStringIncludes(assertThrows(call, StateError).message, "readyState 0 (CONNECTING)");
    }
    socket.pause();
    socket.resume();
    socket.close();
    socket.terminate();
    assertEquals([socket.isPaused, socket.readyState], [false, 0]);
  });

  for (
    const [name, fail] of [
      ["throws", () => {
        throw new Error("of the listener");
      }],
      ["rejects", () => Promise.reject(new Error("of the listener"))],
    ] as [string, () => unknown][]
  ) {
    it(`closes the connection of a listener that ${name}, tells of it, and no other`, async () => {
      const errors: Error[] = [];
      const told = await failIn((socket) => {
        socket.on("message", fail);
        socket.on("error", (error) => void errors.push(error));
      });
      assertEquals([told.code, told.other, told.printed], [1011, "still here", []]);
      assertEquals(errors.length, 1);
      assert(errors[0] instanceof HandlerError);
      assertStringIncludes(errors[0].message, '"on message" failed: of the listener');
      assertEquals((errors[0].cause as Error).message, "of the listener");
    });

    it(`prints the error of a listener that ${name} if there is no listener for errors`, async () => {
      const told = await failIn((socket) => void socket.on("message", fail));
      assertEquals([told.code, told.other, told.printed.length], [1011, "still here", 1]);
      assert(told.printed[0] instanceof HandlerError);
    });
  }

  it("prints the error of a listener for errors that throws", async () => {
    const fail = (): never => {
      throw new Error("again");
    };
    const told = await failIn((socket) => void socket.on("error", fail).on("message", fail));
    assertEquals([told.code, told.other, told.printed.length], [1011, "still here", 1]);
    assertStringIncludes(String(told.printed[0]), '"on error" failed');
  });

  it("prints the rejection of a listener for errors, of each kind", async () => {
    for (const add of ["on", "once", "prependListener"] as const) {
      const calls: unknown[] = [];
      const told = await failIn((socket) => {
        socket.on(errorMonitor, () => void calls.push("monitor"));
        socket[add]("error", () => Promise.reject(new Error("again"))).on("error", () => void calls.push("error"));
        socket.on("message", () => {
          throw new Error("of the listener");
        });
      });
      assertEquals([told.code, told.other, told.printed.length], [1011, "still here", 1], add);
      assertStringIncludes(String(told.printed[0]), '"on error" failed: again');
      assertEquals(calls, ["monitor", "error"]);
    }
  });

  it("removes no listener for a value that is none", () => {
    const socket = new WebSocket(null);
    const listener = (): void => {};
    socket.addEventListener("message", listener);
    socket.removeEventListener("message", undefined as never);
    socket.removeEventListener("message", null as never);
    assertEquals(socket.listenerCount("message"), 1);
    socket.removeEventListener("message", listener);
    assertEquals(socket.listenerCount("message"), 0);
  });

  it("closes the connection of a callback that throws", async () => {
    const told = await failIn((socket) =>
      socket.on("message", () =>
        socket.send("x", () => {
          throw new Error("of the callback");
        }))
    );
    assertEquals([told.code, told.other], [1011, "still here"]);
    assertStringIncludes(String(told.printed[0]), '"callback of send" failed: of the callback');
  });

  it("lives on without listener for errors when its peer violates the protocol", async () => {
    let story: unknown[] = [];
    const lines = await printed(async () => {
      story = await play(host, {
        serve() {},
        drive: (client) => void client.sendFrame(Opcode.Text, Uint8Array.of(0xff), true),
      });
    });
    assertEquals([story, lines], [[["close", 1006, "Buffer ", 3]], []]);
  });

  it("stops the peer while it is paused, and goes on where it stopped", async () => {
    const sizes: number[] = [];
    let socket: WebSocket | undefined;
    const rig = await startRig(host, {}, (opened) => {
      socket = opened;
      opened.on("message", (data) => void sizes.push((data as Buffer).length));
      opened.pause();
    });
    const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`, { pingInterval: 0, maxBufferedAmount: 0 });
    await client.connect();
    await until(() => socket !== undefined, "the socket");
    for (let count = 0; count < 64; count++) client.send(new Uint8Array(1 << 20));
    // The buffers of two sockets do not hold 64 MiB.
    let before = -1;
    while (before !== client.bufferedAmount) {
      before = client.bufferedAmount;
      await turns(20);
    }
    assert(client.bufferedAmount > 8 << 20, `${client.bufferedAmount}`);
    assertEquals([sizes.length, socket!.isPaused], [0, true]);
    socket!.resume();
    await until(() => sizes.length === 64, "all messages");
    assertEquals(new Set(sizes), new Set([1 << 20]));
    await client.disconnect();
    await rig.close();
  });

  it("ends the connection rather than losing a message beyond maxBufferedAmount", async () => {
    const results: unknown[] = [];
    const errors: unknown[] = [];
    let closed: unknown;
    let isFirst = true;
    const settings = { maxBufferedAmount: 1 << 20 };
    let socket: WebSocket | undefined;
    const rig = await startRig(host, { settings }, (opened) => {
      socket = opened;
      opened.on("error", (error) => void errors.push((error as Error & { code: string }).code));
      opened.on("close", (code) => closed = code);
      if (isFirst) {
        opened.send(new Uint8Array(2 << 20), (error) => void results.push((error as Error & { code: string }).code));
      }
    });
    const client = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`);
    await client.connect();
    assertEquals((await client.connection!.closed).code, 1011);
    await until(() => closed !== undefined, "the end");
    assertEquals([results, errors], [["ERR_MESSAGE_EXCEEDS_BUFFER"], ["ERR_MESSAGE_EXCEEDS_BUFFER"]]);
    await client.disconnect();
    // A peer that reads nothing.
    isFirst = false;
    results.length = errors.length = 0;
    closed = undefined;
    await client.connect();
    const { connection } = client;
    await until(() => socket?.readyState === 1, "the second connection");
    for (let count = 0; socket!.readyState === 1; count++) {
      socket!.send(new Uint8Array(1 << 19), (error) => void results.push(error && (error as StateError).code));
    }
    await until(() => closed !== undefined, "the end of the second connection");
    assertEquals([errors, closed], [["ERR_SLOW_CONSUMER"], 1006]);
    await until(() => results.includes("ERR_CONNECTION_LOST"), "the callbacks");
    await connection!.closed;
    await client.disconnect();
    await rig.close();
  });

  it("tells of pongs to pings of the program, and not of those of pingInterval", async () => {
    const clock = new FakeClock();
    const pongs: string[] = [];
    const sockets: WebSocket[] = [];
    const settings = { pingInterval: 1000, clock };
    const rig = await startRig(host, { settings }, (socket) => {
      sockets.push(socket);
      socket.on("pong", (data) => void pongs.push(String(data)));
    });
    let pings = 0;
    const answering = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`, {
      pingInterval: 0,
      onPing: () => void pings++,
    });
    await answering.connect();
    clock.advance(1000);
    await until(() => pings === 1, "the ping of pingInterval");
    await until(() => sockets.length === 1, "the socket");
    sockets[0]!.ping("mine");
    await until(() => pongs.length === 1, "the pong");
    assertEquals(pongs, ["mine"]);

    // A peer that answers the last of several pings only.
    const lazy = new WebSocketClient(`ws://127.0.0.1:${rig.port}/`, { pingInterval: 0, options: { manualPong: true } });
    const seen: Uint8Array[] = [];
    lazy.onPing = (data) => void seen.push(data);
    await lazy.connect();
    await until(() => sockets.length === 2, "the second socket");
    sockets[1]!.ping("first");
    await until(() => seen.length === 1, "the ping");
    clock.advance(1000);
    await until(() => seen.length === 2, "the ping of pingInterval");
    lazy.connection!.pong(seen[1]!);
    await until(() => pongs.length === 2, "a pong");
    assertEquals(pongs, ["mine", "first"]);
    for (const client of [answering, lazy]) await client.disconnect();
    await rig.close();
  });

  it("delivers compressed texts as the bytes they were, and refuses those that are not UTF-8", async () => {
    const text = "Grüße, 😀 ".repeat(3000);
    const story = await play(host, {
      options: { perMessageDeflate: true },
      client: { compression: { threshold: 0 } },
      serve: (socket, story) => {
        socket.on("message", (data, isBinary) => story.note("message", String(data) === text, isBinary));
        socket.on("error", (error) => story.note((error as Error & { code: string }).code));
      },
      async drive(client, story) {
        client.send(text);
        await story.until("message");
        client.sendFrame(Opcode.Text, Uint8Array.of(0xe2, 0x82), false);
        client.sendFrame(Opcode.Continuation, new Uint8Array(0), true);
      },
    });
    assertEquals(story, [["message", true, false], ["ERR_INVALID_UTF8"], ["close", 1006, "Buffer ", 3]]);
  });

  it("counts bytes that are sent after the end, as browsers do", async () => {
    const story = await play(host, {
      serve: (socket, story) =>
        void socket.on("close", () => {
          socket.send("Grüße");
          socket.send(new Uint8Array(3));
          socket.send(new Blob(["ab"]));
          story.note("bytes", socket.bufferedAmount);
        }),
      drive: (client: WebSocketConnection) => client.close(),
    });
    assertEquals(story, [["bytes", 12], ["close", 1005, "Buffer ", 3]]);
  });
});
